/* SPDX-License-Identifier: ISC */
/* Heads on their way through: what goes on, what stays, what is added. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "forward.h"
#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LINES_MAX 128

#define TRUSTED "10.0.0.1"
#define STRANGER "203.0.113.9"

static struct arena arena;
static struct addr_net nets[3];
static struct gate_config gate;
static struct site site;
static struct forward_facts judged; /* what the policy said */

static void
set_up(void)
{
	static const char *const texts[] = {
	    "10.0.0.0/8", "2001:db8:1::/48", "unix"};
	size_t i;

	arena_init(&arena, NULL);
	for (i = 0; i < COUNT(texts); i++)
		ck_assert(addr_net_parse(slice_of(texts[i]), &nets[i]));
	gate = (struct gate_config){.trusted_proxies = nets,
	    .trusted_proxy_count = COUNT(nets),
	    .request_id_header = SLICE("X-Request-Id")};
	site =
	    (struct site){.via = SLICE("methodgate"), .forwarded = FORWARDED_X};
	judged = (struct forward_facts){.gate = &gate, .site = &site};
}

static void
tear_down(void)
{
	arena_done(&arena);
}

/* A head with the fields of lines ("Name: value\n"), each of whose bytes lie
 * flush against a page that can't be read. */
struct fixture {
	struct head head;
	struct field fields[LINES_MAX];
	struct guarded names[LINES_MAX], values[LINES_MAX];
};

static void
lay(struct fixture *f, const char *lines)
{
	*f = (struct fixture){.head = {.method = SLICE("GET"),
				  .authority = SLICE("app.example:8080"),
				  .target = SLICE("/x?y"),
				  .path = SLICE("/x"),
				  .minor = 1}};
	f->head.fields = f->fields;
	while (*lines != '\0') {
		size_t name = strcspn(lines, ":");
		const char *at = lines + name + 2;
		size_t value = strcspn(at, "\n"), i = f->head.field_count++;

		ck_assert_uint_lt(i, LINES_MAX);
		f->names[i] = guard_bytes(lines, name);
		f->values[i] = guard_bytes(at, value);
		f->fields[i].name = (struct slice){f->names[i].at, name};
		f->fields[i].value = (struct slice){f->values[i].at, value};
		f->fields[i].id = field_find(f->fields[i].name);
		lines = at + value + 1;
	}
}

static void
clear(struct fixture *f)
{
	unsigned i;

	for (i = 0; i < f->head.field_count; i++) {
		guard_free(&f->names[i]);
		guard_free(&f->values[i]);
	}
}

static struct addr
peer_of(const char *text)
{
	struct addr addr = {.len = 0};

	if (strcmp(text, "unix") == 0) {
		addr.sa.ss_family = AF_UNIX;
		addr.len = sizeof(sa_family_t);
	} else {
		ck_assert(addr_parse_ip(slice_of(text), &addr));
	}
	return addr;
}

/* The fields as "Name: value\n", each with the id that its name has. */
static const char *
lines_of(const struct head *head)
{
	static char out[65536];
	size_t len = 0;
	unsigned i;

	out[0] = '\0';
	for (i = 0; i < head->field_count; i++) {
		const struct field *field = &head->fields[i];

		ck_assert_int_eq(field->id, field_find(field->name));
		len += (size_t)snprintf(out + len, sizeof(out) - len,
		    "%.*s: %.*s\n", SLICE_ARG(field->name),
		    SLICE_ARG(field->value));
		ck_assert_uint_lt(len, sizeof(out));
	}
	return out;
}

static struct forward_ids ids;

static void
come(const struct head *head, const struct addr *peer, bool secure,
    struct forward_origin *origin)
{
	struct forward_visit visit = {
	    .gate = &gate, .peer = peer, .secure = secure, .ids = &ids};

	forward_origin(&visit, head, &arena, origin);
}

static enum reason
forward(struct fixture *f, const char *peer, struct head *to)
{
	struct addr addr = peer_of(peer);
	struct forward_origin origin;
	struct forward_facts facts = judged;

	facts.origin = &origin;
	if (facts.method.len == 0)
		facts.method = f->head.method;
	come(&f->head, &addr, false, &origin);
	origin.request_id = SLICE("id");
	return forward_request(&facts, &f->head, &arena, to);
}

static void
goes(const char *peer, const char *lines, const char *wanted)
{
	struct fixture f;
	struct head to;

	lay(&f, lines);
	ck_assert_int_eq(forward(&f, peer, &to), REASON_NONE);
	ck_assert_str_eq(lines_of(&to), wanted);
	clear(&f);
}

#define HOST "Host: app.example:8080\n"
#define OURS                                                                   \
	"Via: 1.1 methodgate\n"                                                \
	"X-Forwarded-For: " STRANGER "\n"                                      \
	"X-Forwarded-Proto: http\n"                                            \
	"X-Forwarded-Host: app.example:8080\n"                                 \
	"X-Request-Id: id\n"
/* What every request has at its end under forwarded = off. */
#define LAST "Via: 1.1 methodgate\nX-Request-Id: id\n"

START_TEST(host_comes_first_then_the_clients_then_ours)
{
	struct fixture f;
	struct head to;

	lay(&f, "Accept: */*\nHost: app.example:8080\nb: 2\nA: 1\nb: 1\n");
	ck_assert_int_eq(forward(&f, STRANGER, &to), REASON_NONE);
	ck_assert_str_eq(
	    lines_of(&to), HOST "Accept: */*\nb: 2\nA: 1\nb: 1\n" OURS);
	ck_assert(slice_eq(to.method, f.head.method));
	ck_assert_ptr_eq(to.target.at, f.head.target.at);
	ck_assert(slice_eq(to.target, f.head.target));
	ck_assert_uint_eq(to.minor, 1);
	clear(&f);
}
END_TEST

START_TEST(an_empty_head_gets_what_it_needs)
{
	struct fixture f;
	struct head to;

	goes(STRANGER, "", HOST OURS);
	lay(&f, "");
	f.head.authority = SLICE_NONE;
	f.head.minor = 0;
	ck_assert_int_eq(forward(&f, STRANGER, &to), REASON_NONE);
	ck_assert_str_eq(lines_of(&to),
	    "Host: \nVia: 1.0 methodgate\nX-Forwarded-For: " STRANGER
	    "\nX-Forwarded-Proto: http\nX-Request-Id: id\n");
	ck_assert_uint_eq(to.minor, 1);
	clear(&f);
}
END_TEST

START_TEST(the_targets_authority_replaces_host)
{
	struct fixture f;
	struct head to;

	lay(&f, "Host: Other.example\n");
	f.head.form = TARGET_ABSOLUTE;
	f.head.authority = SLICE("App.Example");
	site.forwarded = FORWARDED_OFF;
	ck_assert_int_eq(forward(&f, STRANGER, &to), REASON_NONE);
	ck_assert_str_eq(lines_of(&to), "Host: App.Example\n" LAST);
	clear(&f);
}
END_TEST

START_TEST(fields_that_never_go_on)
{
	static const char *const refuses[] = {
	    "Connection: keep-alive",
	    "connection: close",
	    "Keep-Alive: timeout=5",
	    "Proxy-Connection: keep-alive",
	    "TE: trailers",
	    "Trailer: X-Sum",
	    "Transfer-Encoding: chunked",
	    "Content-Length: 10",
	    "Upgrade: websocket",
	    "HTTP2-Settings: AAMAAABkAAQAAP__",
	    "Proxy-Authorization: Basic eA==",
	    "Proxy: http://evil.example",
	    "PROXY: http://evil.example",
	    "Expect: 100-continue",
	    "Forwarded: for=1.2.3.4",
	    "FORWARDED: for=1.2.3.4",
	    "X-Forwarded-For: 1.2.3.4",
	    "X-Forwarded-Proto: https",
	    "X-Forwarded-Host: evil.example",
	    "X-Forwarded-Port: 443",
	    "X-Forwarded-Prefix: /x",
	    "X-Forwarded-Server: x",
	    "X-Forwarded-Scheme: https",
	    "X-Forwarded-Ssl: on",
	    "X-Forwarded-: x",
	    "X-Forwarded: for=1.2.3.4",
	    "X-Real-IP: 1.2.3.4",
	    "X-Request-Id: mine",
	    "x-request-id: mine",
	    "X-Original-URL: /admin",
	    "x-original-url: /admin",
	    "X-Rewrite-URL: /admin",
	    /* twins */
	    "X_Forwarded_For: 1.2.3.4",
	    "x.forwarded.for: 1.2.3.4",
	    "X-Forwarded_For: 1.2.3.4",
	    "X_Forwarded-For: 1.2.3.4",
	    "X~Forwarded~Proto: https",
	    "X_FORWARDED_HOST: evil.example",
	    "X_Forwarded_Port: 443",
	    "X_Real_IP: 1.2.3.4",
	    "x!real|ip: 1.2.3.4",
	    "X_Request_Id: mine",
	    "X.Request-Id: mine",
	    "X_Original_URL: /admin",
	    "x.original-url: /admin",
	    "X~Rewrite_Url: /admin",
	    "Content_Length: 5",
	    "transfer_encoding: chunked",
	};
	char lines[256];
	size_t i;

	site.forwarded = FORWARDED_OFF;
	for (i = 0; i < COUNT(refuses); i++) {
		snprintf(lines, sizeof(lines), "A: 1\n%s\nB: 2\n", refuses[i]);
		goes(STRANGER, lines, HOST "A: 1\nB: 2\n" LAST);
		goes(TRUSTED, lines, HOST "A: 1\nB: 2\n" LAST);
	}
}
END_TEST

START_TEST(fields_that_go_on_as_they_are)
{
	static const char *const accepts[] = {
	    "Cookie: a=b",
	    "Authorization: Bearer x",
	    "X-HTTP-Method-Override: PUT",
	    "x_http_method_override: PUT",
	    "X-HTTP-Method: MERGE",
	    "Content-Type: text/plain",
	    "Host_: x",
	    "Max-Forwards: 3",
	    "User-Agent: x",
	    "Via: 1.1 front (a, b)",
	    "Destination: http://x/y",
	    "X-Forward-For: x",
	    "X-Forwardedfor: x",
	    "X-Forwarde: x",
	    "XX-Forwarded-For: x",
	    "X-Forwarder-For: x",
	    "Forwarded-For: x",
	    "Forwarde: x",
	    "_Forwarded: x",
	    "X-Real-IPs: x",
	    "X-Real: x",
	    "X-Request-Ids: x",
	    "X-Request: x",
	    "X-Original-URI: /x",
	    "X-Original-URLs: /x",
	    "XX-Original-URL: /x",
	    "X-Rewrite: /x",
	    "X-Gate-Flags: x",
	    "Expectation: x",
	    "Proxies: x",
	    "x: ",
	    "f: ",
	    "a: \"quoted, (\\\"",
	};
	char lines[256], wanted[512];
	size_t i;

	site.forwarded = FORWARDED_OFF;
	for (i = 0; i < COUNT(accepts); i++) {
		snprintf(lines, sizeof(lines), "%s\n", accepts[i]);
		snprintf(wanted, sizeof(wanted), HOST "%s\n" LAST, accepts[i]);
		goes(STRANGER, lines, wanted);
	}
}
END_TEST

START_TEST(connection_takes_the_fields_that_it_names)
{
	static const struct {
		const char *lines, *kept;
	} rows[] = {
	    {"Connection: x-a\nX-A: 1\nX-B: 2\n", "X-B: 2\n"},
	    {"X-A: 1\nX-B: 2\nx-a: 3\nConnection: close, X-A\n", "X-B: 2\n"},
	    {"Connection: , x-a ,\nConnection: x-b\nX-A: 1\nX-B: 2\nX-C: 3\n",
		"X-C: 3\n"},
	    {"Connection: keep-alive\nKeep: 1\nAlive: 1\nClose: 1\n",
		"Keep: 1\nAlive: 1\nClose: 1\n"},
	    {"Connection: close\nKeep: 1\nClose: 1\n", "Keep: 1\nClose: 1\n"},
	    {"Connection: x\nX-A: 1\n", "X-A: 1\n"},
	    {"Connection: x-ab\nX-A: 1\n", "X-A: 1\n"},
	    {"Connection: \nX-A: 1\n", "X-A: 1\n"},
	    {"Connection: Accept\nAccept: */*\n", ""},
	    /* the gate judges by these, whoever let them through */
	    {"Connection: cookie, authorization, x-http-method-override\n"
	     "Cookie: c\nAuthorization: a\nX-HTTP-Method-Override: PUT\n",
		"Cookie: c\nAuthorization: a\nX-HTTP-Method-Override: PUT\n"},
	    {"Connection: via\nVia: 1.1 front\n", "Via: 1.1 front\n"},
	};
	char wanted[512];
	size_t i;

	site.forwarded = FORWARDED_OFF;
	for (i = 0; i < COUNT(rows); i++) {
		snprintf(wanted, sizeof(wanted), HOST "%s" LAST, rows[i].kept);
		goes(STRANGER, rows[i].lines, wanted);
	}
}
END_TEST

START_TEST(past_thirty_two_names_connection_names_all)
{
	char lines[1024];
	unsigned names;
	size_t len;

	site.forwarded = FORWARDED_OFF;
	for (names = 31; names <= 34; names++) {
		len = (size_t)snprintf(lines, sizeof(lines), "Connection: a0");
		for (unsigned i = 1; i < names; i++)
			len += (size_t)snprintf(lines + len,
			    sizeof(lines) - len, ", close, a%u", i);
		snprintf(lines + len, sizeof(lines) - len,
		    "\nA31: x\nB: x\nCookie: x\n");
		goes(STRANGER, lines,
		    names > 32	  ? HOST "Cookie: x\n" LAST
		    : names == 32 ? HOST "B: x\nCookie: x\n" LAST
				  : HOST "A31: x\nB: x\nCookie: x\n" LAST);
	}
}
END_TEST

START_TEST(a_trusted_chain_is_appended_to)
{
	static const struct {
		const char *peer, *lines, *chain;
	} rows[] = {
	    {STRANGER, "X-Forwarded-For: 1.2.3.4\n", STRANGER},
	    {"2001:db8::9", "X-Forwarded-For: 1.2.3.4\n", "2001:db8::9"},
	    {TRUSTED, "", TRUSTED},
	    {TRUSTED, "X-Forwarded-For: 1.2.3.4\n", "1.2.3.4, " TRUSTED},
	    {TRUSTED,
		"X-Forwarded-For: a, 1.2.3.4\nx-forwarded-for: 10.0.0.2\n",
		"a, 1.2.3.4, 10.0.0.2, " TRUSTED},
	    {TRUSTED, "X-Forwarded-For: \n", TRUSTED},
	    {TRUSTED, "X_Forwarded_For: 1.2.3.4\n", TRUSTED},
	    {TRUSTED, "Forwarded: for=1.2.3.4\n", "1.2.3.4, " TRUSTED},
	    {TRUSTED, "Forwarded: for=nonsense\n", TRUSTED},
	    {"unix", "X-Forwarded-For: 1.2.3.4\n", "1.2.3.4"},
	    {"unix", "Forwarded: for=1.2.3.4\n", "1.2.3.4"},
	    {"unix", "", "unknown"},
	};
	char wanted[512];
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		snprintf(wanted, sizeof(wanted),
		    HOST "Via: 1.1 methodgate\nX-Forwarded-For: %s\n"
			 "X-Forwarded-Proto: http\n"
			 "X-Forwarded-Host: app.example:8080\n"
			 "X-Request-Id: id\n",
		    rows[i].chain);
		goes(rows[i].peer, rows[i].lines, wanted);
	}
	gate.trusted_proxy_count = 0;
	goes("unix", "X-Forwarded-For: 1.2.3.4\n",
	    HOST "Via: 1.1 methodgate\nX-Forwarded-For: unknown\n"
		 "X-Forwarded-Proto: http\n"
		 "X-Forwarded-Host: app.example:8080\nX-Request-Id: id\n");
}
END_TEST

START_TEST(forwarded_is_written_as_rfc_7239_says)
{
	static const struct {
		const char *peer, *authority, *lines, *chain;
	} rows[] = {
	    {"192.0.2.1", "app.example", "",
		"for=192.0.2.1;host=app.example;proto=http"},
	    {"192.0.2.1", "app.example:8080", "",
		"for=192.0.2.1;host=\"app.example:8080\";proto=http"},
	    {"2001:db8::1", "[::1]:80", "",
		"for=\"[2001:db8::1]\";host=\"[::1]:80\";proto=http"},
	    {"192.0.2.1", "", "", "for=192.0.2.1;proto=http"},
	    {"192.0.2.1", "a", "Forwarded: for=1.2.3.4\n",
		"for=192.0.2.1;host=a;proto=http"},
	    {"192.0.2.1", "a", "X-Forwarded-For: 1.2.3.4\n",
		"for=192.0.2.1;host=a;proto=http"},
	    {TRUSTED, "a", "Forwarded: for=1.2.3.4;proto=https\n",
		"for=1.2.3.4;proto=https, for=10.0.0.1;host=a;proto=https"},
	    {TRUSTED, "a", "Forwarded: for=x\nForwarded: for=\"[::2]\"\n",
		"for=x, for=\"[::2]\", for=10.0.0.1;host=a;proto=http"},
	    {TRUSTED, "a", "X-Forwarded-For: ::2\n",
		"for=\"[::2]\", for=10.0.0.1;host=a;proto=http"},
	    {"unix", "a", "", "for=unknown;host=a;proto=http"},
	};
	struct fixture f;
	struct head to;
	char wanted[512];
	size_t i;

	site.forwarded = FORWARDED_RFC7239;
	for (i = 0; i < COUNT(rows); i++) {
		lay(&f, rows[i].lines);
		f.head.authority = slice_of(rows[i].authority);
		ck_assert_int_eq(forward(&f, rows[i].peer, &to), REASON_NONE);
		snprintf(wanted, sizeof(wanted),
		    "Host: %s\nVia: 1.1 methodgate\nForwarded: %s\n"
		    "X-Request-Id: id\n",
		    rows[i].authority, rows[i].chain);
		ck_assert_str_eq(lines_of(&to), wanted);
		clear(&f);
	}
}
END_TEST

START_TEST(off_passes_nobodys_word_on)
{
	site.forwarded = FORWARDED_OFF;
	goes(TRUSTED, "X-Forwarded-For: 1.2.3.4\nForwarded: for=1.2.3.4\n",
	    HOST LAST);
	gate.request_id_header = SLICE_NONE;
	goes(TRUSTED, "X-Request-Id: theirs\n",
	    HOST "X-Request-Id: theirs\nVia: 1.1 methodgate\n");
}
END_TEST

START_TEST(ten_passes_are_a_loop)
{
	static const struct {
		const char *via;
		unsigned times; /* that it stands there for a loop */
	} rows[] = {
	    {"1.1 methodgate", 10},
	    {"1.1 methodgate, 1.1 methodgate", 5},
	    {"1.0 x, HTTP/1.1\tMETHODGATE\t(v1)", 10},
	    {"1.1 methodgate(a)", 10},
	    {",, 1.1 methodgate ,", 10},
	    {"1.1 methodgate:80", 0},
	    {"1.1 methodgates", 0},
	    {"1.1 methodgat", 0},
	    {"1.1 x (methodgate)", 0},
	    {"methodgate", 0},
	    {"methodgate 1.1", 0},
	    {"1.1", 0},
	    {"1.1 ", 0},
	    {"(", 0},
	    {"", 0},
	};
	char lines[4096];
	struct fixture f;
	struct head to;
	size_t i, len;
	unsigned n;

	for (i = 0; i < COUNT(rows); i++) {
		for (n = 0, len = 0, lines[0] = '\0'; n < 12; n++) {
			lay(&f, lines);
			ck_assert_msg(
			    (forward(&f, STRANGER, &to) == REASON_LOOP) ==
				(rows[i].times > 0 && n >= rows[i].times),
			    "%u times %s", n, rows[i].via);
			clear(&f);
			len += (size_t)snprintf(lines + len,
			    sizeof(lines) - len, "Via: %s\n", rows[i].via);
		}
	}
}
END_TEST

START_TEST(the_gates_own_output_ends_as_a_loop)
{
	struct fixture f;
	struct head to;
	char lines[8192];
	int passes;

	lines[0] = '\0';
	for (passes = 0; passes < 20; passes++) {
		lay(&f, lines);
		if (forward(&f, STRANGER, &to) == REASON_LOOP)
			break;
		snprintf(lines, sizeof(lines), "%s", lines_of(&to));
		clear(&f);
	}
	ck_assert_int_eq(passes, 10);
	clear(&f);
}
END_TEST

START_TEST(options_spends_a_forward)
{
	static const struct {
		const char *method, *from, *to;
	} rows[] = {
	    {"OPTIONS", "1", "0"},
	    {"OPTIONS", "10", "9"},
	    {"OPTIONS", "0010", "9"},
	    {"OPTIONS", "9999999999999999999", "9999999999999999998"},
	    {"OPTIONS", "99999999999999999999", "99999999999999999999"},
	    {"OPTIONS", "0", "0"},
	    {"OPTIONS", "-1", "-1"},
	    {"OPTIONS", "x", "x"},
	    {"OPTIONS", "", ""},
	    {"GET", "3", "3"},
	    {"options", "3", "3"},
	};
	char lines[256], wanted[512];
	struct fixture f;
	struct head to;
	size_t i;

	site.forwarded = FORWARDED_OFF;
	for (i = 0; i < COUNT(rows); i++) {
		snprintf(
		    lines, sizeof(lines), "Max-Forwards: %s\n", rows[i].from);
		snprintf(wanted, sizeof(wanted), HOST "Max-Forwards: %s\n" LAST,
		    rows[i].to);
		lay(&f, lines);
		f.head.method = slice_of(rows[i].method);
		ck_assert_int_eq(forward(&f, STRANGER, &to), REASON_NONE);
		ck_assert_str_eq(lines_of(&to), wanted);
		ck_assert(slice_eq(f.fields[0].value, slice_of(rows[i].from)));
		clear(&f);
	}
}
END_TEST

START_TEST(the_method_that_is_sent_is_another)
{
	struct fixture f;
	struct head to;

	lay(&f, "Accept: */*\n");
	judged.method = SLICE("POST");
	ck_assert_int_eq(forward(&f, STRANGER, &to), REASON_NONE);
	ck_assert(slice_eq(to.method, SLICE("POST")));
	ck_assert(slice_eq(f.head.method, SLICE("GET")));
	ck_assert_str_eq(lines_of(&to), HOST "Accept: */*\n" OURS);
	clear(&f);
}
END_TEST

/* A client's own stays here whether there is something to tell or not. */
START_TEST(flags_are_told_by_the_gate_alone)
{
	static const struct {
		const char *lines;
		flag_set flags;
		const char *wanted;
	} rows[] = {
	    {"A: 1\n", 0, HOST "A: 1\n" LAST},
	    {"X-Gate-Flags: mine\nA: 1\n", 0, HOST "A: 1\n" LAST},
	    {"x_gate_flags: mine\nX.Gate.Flags: mine\nX-GATE-flags: mine\n", 0,
		HOST LAST},
	    {"X-Gate-Flag: 1\nX-Gate-Flagss: 1\nY-Gate-Flags: 1\n", 0,
		HOST
		"X-Gate-Flag: 1\nX-Gate-Flagss: 1\nY-Gate-Flags: 1\n" LAST},
	    {"A: 1\nX_Gate_Flags: mine\n", FLAG_BIT(FLAG_METHOD_REWRITTEN),
		HOST "A: 1\n" LAST "X-Gate-Flags: method_rewritten\n"},
	    {"",
		FLAG_BIT(FLAG_OVERRIDE_BODY) | FLAG_BIT(FLAG_WOULD_DENY) |
		    FLAG_BIT(FLAG_OVERRIDE_QUERY),
		HOST LAST "X-Gate-Flags: override_query,override_body,"
			  "would_deny\n"},
	};
	size_t i;

	site.forwarded = FORWARDED_OFF;
	site.flag_header = SLICE("X-Gate-Flags");
	for (i = 0; i < COUNT(rows); i++) {
		judged.flags = rows[i].flags;
		goes(STRANGER, rows[i].lines, rows[i].wanted);
		goes(TRUSTED, rows[i].lines, rows[i].wanted);
	}
}
END_TEST

/* Whoever connects, only what the gate has seen itself is told. */
START_TEST(the_subject_of_a_certificate_is_told_by_nobody_else)
{
	static const char *const mine[] = {"X-Who: CN=Root\n",
	    "x-who: CN=Root\nX-WHO: \n", "X_Who: CN=Root\n", "x.who: CN=Root\n",
	    "X~Who: CN=Root\nX-Who: 1\n"};

	site.forwarded = FORWARDED_OFF;
	site.certificate_header = SLICE("X-Who");
	for (size_t i = 0; i < COUNT(mine); i++) {
		judged.subject = SLICE("CN=Ann");
		goes(STRANGER, mine[i], HOST LAST "X-Who: CN=Ann\n");
		goes(TRUSTED, mine[i], HOST LAST "X-Who: CN=Ann\n");
		judged.subject = SLICE_NONE;
		goes(STRANGER, mine[i], HOST LAST);
		goes(TRUSTED, mine[i], HOST LAST);
	}
	goes(STRANGER, "X-Whom: 1\n", HOST "X-Whom: 1\n" LAST);
}
END_TEST

START_TEST(all_flags_at_once_fit)
{
	struct fixture f;
	struct head to;
	const struct field *last;

	lay(&f, "");
	site.flag_header = SLICE("X-Gate-Flags");
	judged.flags = FLAG_BIT(FLAG_COUNT) - 1;
	ck_assert_int_eq(forward(&f, STRANGER, &to), REASON_NONE);
	last = &to.fields[to.field_count - 1];
	ck_assert(slice_eq(last->name, SLICE("X-Gate-Flags")));
	ck_assert(slice_starts(last->value, SLICE("method_rewritten,")));
	ck_assert(
	    slice_eq((struct slice){last->value.at + last->value.len - 12, 12},
		SLICE(",crawler_501")));
	clear(&f);
}
END_TEST

START_TEST(override_fields_stay_here_where_they_are_stripped)
{
	static const char *const stripped[] = {
	    "X-HTTP-Method-Override: PUT",
	    "x-http-method-override: put",
	    "X-HTTP-Method: MERGE",
	    "X-Method-Override: PUT",
	    "X-Payload-HTTP-Method-Override: PUT",
	    "X_HTTP_Method_Override: PUT",
	    "x.http.method: PUT",
	    "X~Method+Override: PUT",
	    "X-HTTP-Method-Override: ",
	};
	static const char kept[] =
	    "X-HTTP-Methods: 1\nX-Method: 1\n_method: 1\n";
	char lines[256];
	size_t i;

	site.forwarded = FORWARDED_OFF;
	judged.strip = true;
	for (i = 0; i < COUNT(stripped); i++) {
		snprintf(lines, sizeof(lines), "%s\nA: 1\n%s\n", stripped[i],
		    stripped[i]);
		goes(STRANGER, lines, HOST "A: 1\n" LAST);
	}
	goes(STRANGER, kept,
	    HOST "X-HTTP-Methods: 1\nX-Method: 1\n_method: 1\n" LAST);
}
END_TEST

START_TEST(a_judged_destination_becomes_a_url_of_the_host)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
	    {"http://app.example/a/b", "http://app.example:8080/a/b"},
	    {"HTTP://a.example:80/a?q=1", "http://app.example:8080/a?q=1"},
	    {"http://a.example/a%2Fb", "http://app.example:8080/a%2Fb"},
	    {"https://app.example", "http://app.example:8080/"},
	    {"/a/../b", "http://app.example:8080/a/../b"},
	    /* what could not be read is as it was */
	    {"", ""},
	    {"*", "*"},
	    {"https://app.example?q", "https://app.example?q"},
	    {"a/b", "a/b"},
	    {"ftp://app.example/a", "ftp://app.example/a"},
	    {"http://me@app.example/a", "http://me@app.example/a"},
	};
	char lines[256], wanted[512];
	struct fixture f;
	struct head to;
	size_t i;

	site.forwarded = FORWARDED_OFF;
	for (i = 0; i < COUNT(rows); i++) {
		snprintf(lines, sizeof(lines), "Destination: %s\nA: 1\n",
		    rows[i].from);
		snprintf(wanted, sizeof(wanted),
		    HOST "Destination: %s\nA: 1\n" LAST, rows[i].to);
		judged.destination = true;
		goes(STRANGER, lines, wanted);
		snprintf(wanted, sizeof(wanted), HOST "%s" LAST, lines);
		judged.destination = false;
		goes(STRANGER, lines, wanted);
	}
	judged.destination = true;
	goes(STRANGER, "Destination: http://a/x\nDestination: http://a/y\n",
	    HOST "Destination: http://a/x\nDestination: http://a/y\n" LAST);
	/* HTTP/1.0 without Host */
	lay(&f, "Destination: http://a/x\n");
	f.head.authority = SLICE_NONE;
	ck_assert_int_eq(forward(&f, STRANGER, &to), REASON_NONE);
	ck_assert_str_eq(lines_of(&to), "Host: \nDestination: /x\n" LAST);
	clear(&f);
}
END_TEST

START_TEST(the_client_is_the_rightmost_that_nobody_trusts)
{
	static const struct {
		const char *peer, *lines, *client;
	} rows[] = {
	    {STRANGER, "X-Forwarded-For: 1.2.3.4\n", STRANGER},
	    {STRANGER, "Forwarded: for=1.2.3.4\n", STRANGER},
	    {"2001:db8::1", "X-Forwarded-For: 1.2.3.4\n", "2001:db8::1"},
	    {TRUSTED, "", TRUSTED},
	    {TRUSTED, "X-Forwarded-For: 1.2.3.4\n", "1.2.3.4"},
	    {TRUSTED, "X-Forwarded-For: 6.6.6.6, 1.2.3.4\n", "1.2.3.4"},
	    {TRUSTED, "X-Forwarded-For: 6.6.6.6,1.2.3.4 , 10.2.2.2\n",
		"1.2.3.4"},
	    {TRUSTED, "X-Forwarded-For: 1.2.3.4\nX-Forwarded-For: 10.2.2.2\n",
		"1.2.3.4"},
	    {TRUSTED, "X-Forwarded-For: 1.2.3.4\nX-Forwarded-For: 5.6.7.8\n",
		"5.6.7.8"},
	    {TRUSTED, "X-Forwarded-For: 10.3.3.3, 10.2.2.2\n", "10.3.3.3"},
	    {TRUSTED, "X-Forwarded-For: 1.2.3.4, nonsense, 10.2.2.2\n",
		"10.2.2.2"},
	    {TRUSTED, "X-Forwarded-For: 1.2.3.4, nonsense\n", TRUSTED},
	    {TRUSTED, "X-Forwarded-For: 1.2.3.4, unknown\n", TRUSTED},
	    {TRUSTED, "X-Forwarded-For: 1.2.3.4,, ,\n", "1.2.3.4"},
	    {TRUSTED, "X-Forwarded-For: ,\n", TRUSTED},
	    {TRUSTED, "X-Forwarded-For: \n", TRUSTED},
	    {TRUSTED, "X-Forwarded-For: 1.2.3.4:5678\n", "1.2.3.4"},
	    {TRUSTED, "X-Forwarded-For: [2001:db8::2]:80\n", "2001:db8::2"},
	    {TRUSTED, "X-Forwarded-For: 1.2.3.4, 2001:db8:1::7\n", "1.2.3.4"},
	    {"2001:db8:1::1", "X-Forwarded-For: 1.2.3.4\n", "1.2.3.4"},
	    {"unix", "X-Forwarded-For: 1.2.3.4\n", "1.2.3.4"},
	    {"unix", "", "unix"},
	    {TRUSTED, "X_Forwarded_For: 1.2.3.4\n", TRUSTED},
	    {TRUSTED, "Forwarded: for=1.2.3.4\n", "1.2.3.4"},
	    {TRUSTED, "Forwarded: For=\"[2001:db8::2]:80\" ; by=x\n",
		"2001:db8::2"},
	    {TRUSTED, "Forwarded: for=6.6.6.6, for=1.2.3.4, for=10.2.2.2\n",
		"1.2.3.4"},
	    {TRUSTED, "Forwarded: for=1.2.3.4\nForwarded: for=10.2.2.2\n",
		"1.2.3.4"},
	    {TRUSTED, "Forwarded: for=1.2.3.4, for=_hidden, for=10.2.2.2\n",
		"10.2.2.2"},
	    {TRUSTED, "Forwarded: for=1.2.3.4, proto=https\n", TRUSTED},
	    {TRUSTED, "Forwarded: for=\", for=1.2.3.4\n", "1.2.3.4"},
	    {TRUSTED, "Forwarded: for=\"1.2.3.4\n", TRUSTED},
	    {TRUSTED, "Forwarded: for=\n", TRUSTED},
	    {TRUSTED, "Forwarded: for=\"\"\n", TRUSTED},
	    {TRUSTED, "Forwarded: for=\"\n", TRUSTED},
	    {TRUSTED, "Forwarded: for\n", TRUSTED},
	    {TRUSTED, "Forwarded: ;=;\n", TRUSTED},
	    {TRUSTED, "Forwarded: for=6.6.6.6\nX-Forwarded-For: 1.2.3.4\n",
		"1.2.3.4"},
	};
	struct forward_origin origin;
	struct fixture f;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct addr peer = peer_of(rows[i].peer);

		lay(&f, rows[i].lines);
		come(&f.head, &peer, false, &origin);
		ck_assert_msg(
		    slice_eq(origin.client_ip, slice_of(rows[i].client)),
		    "%s: %s gave %.*s, wanted %s", rows[i].peer, rows[i].lines,
		    SLICE_ARG(origin.client_ip), rows[i].client);
		ck_assert_ptr_eq(origin.peer, &peer);
		ck_assert_int_eq(
		    origin.trusted, addr_net_has(&nets[0], &peer) ||
					addr_net_has(&nets[1], &peer) ||
					addr_net_has(&nets[2], &peer));
		clear(&f);
	}
}
END_TEST

START_TEST(the_scheme_is_the_connections_or_a_trusted_word)
{
	static const struct {
		const char *peer;
		bool secure;
		const char *lines, *scheme;
	} rows[] = {
	    {STRANGER, false, "", "http"},
	    {STRANGER, true, "", "https"},
	    {STRANGER, false, "X-Forwarded-Proto: https\n", "http"},
	    {STRANGER, true, "X-Forwarded-Proto: http\n", "https"},
	    {STRANGER, false, "Forwarded: proto=https\n", "http"},
	    {TRUSTED, false, "X-Forwarded-Proto: https\n", "https"},
	    {TRUSTED, false, "X-Forwarded-Proto: HTTPS\n", "https"},
	    {TRUSTED, true, "X-Forwarded-Proto: http\n", "http"},
	    {TRUSTED, false, "X-Forwarded-Proto: https, http\n", "http"},
	    {TRUSTED, false, "X-Forwarded-Proto: wss\n", "https"},
	    {TRUSTED, true, "X-Forwarded-Proto: ws\n", "http"},
	    {TRUSTED, false, "X-Forwarded-Proto: gopher\n", "http"},
	    {TRUSTED, true, "X-Forwarded-Proto: \n", "https"},
	    {TRUSTED, false, "X_Forwarded_Proto: https\n", "http"},
	    {TRUSTED, false, "Forwarded: for=1.2.3.4;proto=https\n", "https"},
	    {TRUSTED, false, "Forwarded: proto=\"https\"\n", "https"},
	    {TRUSTED, false,
		"Forwarded: for=6.6.6.6;proto=https, for=1.2.3.4;proto=http\n",
		"http"},
	    {TRUSTED, false,
		"Forwarded: for=1.2.3.4;proto=https, for=10.2.2.2;proto=http"
		"\n",
		"https"},
	    {TRUSTED, false,
		"Forwarded: for=1.2.3.4, for=10.2.2.2;proto=https\n", "https"},
	    {TRUSTED, false,
		"X-Forwarded-For: 1.2.3.4\nForwarded: proto=https\n", "http"},
	    {TRUSTED, false,
		"X-Forwarded-Proto: https\nForwarded: for=1.2.3.4\n", "http"},
	};
	struct forward_origin origin;
	struct fixture f;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct addr peer = peer_of(rows[i].peer);

		lay(&f, rows[i].lines);
		come(&f.head, &peer, rows[i].secure, &origin);
		ck_assert_msg(slice_eq(origin.scheme, slice_of(rows[i].scheme)),
		    "%s: %s gave %.*s", rows[i].peer, rows[i].lines,
		    SLICE_ARG(origin.scheme));
		clear(&f);
	}
}
END_TEST

static struct slice
id_of(const char *peer, const char *lines)
{
	struct addr addr = peer_of(peer);
	struct forward_origin origin;
	struct fixture f;

	lay(&f, lines);
	come(&f.head, &addr, false, &origin);
	clear(&f); /* the id must not lie there */
	return origin.request_id;
}

static bool
is_made(struct slice id)
{
	size_t i;

	for (i = 0; i < id.len; i++)
		if (strchr("0123456789abcdef", id.at[i]) == NULL)
			return false;
	return id.len == 32;
}

START_TEST(a_trusted_request_id_is_kept)
{
	char lines[256];
	size_t len;

	ck_assert(
	    slice_eq(id_of(TRUSTED, "x-request-id: ~a!\n"), SLICE("~a!")));
	ck_assert(is_made(id_of(STRANGER, "X-Request-Id: abc\n")));
	ck_assert(is_made(id_of(TRUSTED, "X_Request_Id: abc\n")));
	ck_assert(is_made(id_of(TRUSTED, "")));
	ck_assert(is_made(id_of(TRUSTED, "X-Request-Id: \n")));
	ck_assert(is_made(id_of(TRUSTED, "X-Request-Id: a b\n")));
	ck_assert(is_made(id_of(TRUSTED, "X-Request-Id: a\tb\n")));
	ck_assert(is_made(id_of(TRUSTED, "X-Request-Id: a\x7f\n")));
	ck_assert(is_made(id_of(TRUSTED, "X-Request-Id: \xc3\xa9\n")));
	for (len = 127; len <= 130; len++) {
		snprintf(
		    lines, sizeof(lines), "X-Request-Id: %0*d\n", (int)len, 0);
		ck_assert((id_of(TRUSTED, lines).len == len) == (len <= 128));
	}
}
END_TEST

START_TEST(made_request_ids_differ)
{
	struct slice texts[64];
	size_t i, j;

	for (i = 0; i < COUNT(texts); i++) {
		texts[i] = id_of(STRANGER, "");
		ck_assert(is_made(texts[i]));
		for (j = 0; j < i; j++)
			ck_assert(!slice_eq(texts[i], texts[j]));
	}
}
END_TEST

static void
comes_back(
    int status, struct body_plan plan, const char *lines, const char *wanted)
{
	struct fixture f;
	struct head to;

	lay(&f, lines);
	f.head.status = status;
	f.head.phrase = SLICE("Phrase");
	forward_response(&(struct forward_facts){.site = &site, .now = 86400},
	    &f.head, plan, &arena, &to);
	ck_assert_str_eq(lines_of(&to), wanted);
	ck_assert_int_eq(to.status, status);
	ck_assert(slice_eq(to.phrase, SLICE("Phrase")));
	ck_assert_uint_eq(to.minor, 1);
	clear(&f);
}

static const struct body_plan none = {BODY_NONE, 0};
static const struct body_plan five = {BODY_LENGTH, 5};
static const struct body_plan chunked = {BODY_CHUNKED, 0};

START_TEST(a_response_loses_what_belongs_to_the_hop)
{
	static const char lines[] =
	    "Server: app\nConnection: x-a, Upgrade\nX-A: 1\nX-B: 2\n"
	    "Keep-Alive: timeout=5\nProxy-Connection: close\nTE: x\n"
	    "Trailer: y\nUpgrade: h2c\nTransfer-Encoding: chunked\n"
	    "Proxy-Authenticate: Basic\nAllow: GET, BREW\n"
	    "Location: http://x/\nDate: today\nSet-Cookie: a=b\n"
	    "Via: 1.1 app\nX-Forwarded-For: z\nX-Request-Id: theirs\n";
	static const char kept[] =
	    "Server: app\nX-B: 2\nAllow: GET, BREW\nLocation: http://x/\n"
	    "Date: today\nSet-Cookie: a=b\nVia: 1.1 app\n"
	    "X-Forwarded-For: z\nX-Request-Id: theirs\n";
	char wanted[1024];

	comes_back(200, five, lines, kept);
	site.via_on_responses = true;
	snprintf(wanted, sizeof(wanted), "%sVia: 1.1 methodgate\n", kept);
	comes_back(200, five, lines, wanted);
	comes_back(103, none, "", "Via: 1.1 methodgate\n");
}
END_TEST

#define DATE "Date: then\n"

START_TEST(what_announces_the_body_or_the_tunnel_stays)
{
	static const struct body_plan tunnel = {BODY_TUNNEL, 0};

	site.via_on_responses = false;
	comes_back(200, chunked, DATE "Trailer: sum\nUpgrade: websocket\n",
	    DATE "Trailer: sum\n");
	comes_back(101, tunnel,
	    "Trailer: sum\nUpgrade: websocket\nConnection: upgrade\n",
	    "Upgrade: websocket\n");
}
END_TEST

static void
trails(const char *lines, const char *wanted)
{
	struct forward_facts facts = {.gate = &gate, .site = &site};
	const struct head *to;
	struct fixture f;

	lay(&f, lines);
	to = forward_trailers(&facts, &f.head, &arena);
	ck_assert_str_eq(to == NULL ? "" : lines_of(to), wanted);
	clear(&f);
}

START_TEST(trailers_carry_nothing_that_was_judged_or_frames)
{
	ck_assert_ptr_null(forward_trailers(
	    &(struct forward_facts){.site = &site}, NULL, &arena));
	trails("Sum: 1\nETag: x\n", "Sum: 1\nETag: x\n");
	trails("Content-Length: 5\nTransfer_Encoding: chunked\nHost: b\n"
	       "Connection: close\nAuthorization: x\nCookie: a\n"
	       "X-HTTP-Method-Override: DELETE\nx_http_method: PUT\n"
	       "X-Forwarded-For: ::1\nX_Forwarded_Host: b\nVia: 1.1 x\n"
	       "X-Request-Id: 7\nContent-Type: a/b\nSet-Cookie: a=b\n"
	       "If-Match: *\nCache-Control: no-store\nLocation: /\n"
	       "Content_Range: bytes\nDestination: /x\nUpgrade: h2c\n",
	    "");
	trails("Content-Encoding: gzip\nSum: 2\n", "Sum: 2\n");
}
END_TEST

static void
asks(unsigned minor, const char *lines, const char *wanted)
{
	static const struct slice list[] = {{"websocket", 9}, {"mqtt", 4}};
	struct fixture f;
	struct slice got;

	lay(&f, lines);
	f.head.minor = minor;
	got = forward_upgrade(&f.head, list, COUNT(list), &arena);
	ck_assert_msg(
	    slice_eq(got, slice_of(wanted)), "%s: %.*s", lines, SLICE_ARG(got));
	ck_assert_uint_eq(forward_upgrade(&f.head, list, 0, &arena).len, 0);
	clear(&f);
}

#define UP "Connection: upgrade\n"

START_TEST(only_listed_protocols_are_asked_for)
{
	char many[9000] = UP "Upgrade: ";
	size_t len = strlen(many);

	asks(1, UP "Upgrade: websocket\n", "websocket");
	asks(1, "Connection: x, UpGrade\nUpgrade: WebSocket\n", "WebSocket");
	asks(1, UP "Upgrade: h2c, websocket ,MQTT\n", "websocket, MQTT");
	asks(1, UP "Upgrade: h2c\n", "");
	asks(1, UP "Upgrade: websocket/13\n", "");
	asks(1, "Upgrade: websocket\n", "");
	asks(0, UP "Upgrade: websocket\n", "");
	asks(1, UP, "");
	while (len < sizeof(many) - 8)
		len +=
		    (size_t)snprintf(many + len, sizeof(many) - len, "mqtt,");
	strcpy(many + len, "\n");
	{
		static const struct slice list[] = {{"mqtt", 4}};
		struct fixture f;

		lay(&f, many);
		ck_assert_uint_le(forward_upgrade(&f.head, list, 1, &arena).len,
		    HTTP_UPGRADE_MAX);
		clear(&f);
	}
}
END_TEST

START_TEST(content_length_stays_only_where_no_body_follows)
{
	static const struct {
		int status;
		const struct body_plan *plan;
		const char *lines, *wanted;
	} rows[] = {
	    {200, &five, DATE "Content-Length: 5\n", DATE},
	    {200, &chunked, DATE "Content-Length: 5\n", DATE},
	    {200, &none, DATE "Content-Length: 5\n",
		DATE "Content-Length: 5\n"},
	    {304, &none, DATE "Content-Length: 5\n",
		DATE "Content-Length: 5\n"},
	    {200, &none, DATE "Content-Length: 0\n", DATE},
	    {204, &none, DATE "Content-Length: 5\n", DATE},
	    {103, &none, "Content-Length: 5\n", ""},
	    {200, &none, DATE "Content-Length: 5, 5\n", DATE},
	    {200, &none, DATE "Content-Length: \n", DATE},
	    {200, &none, DATE "Connection: content-length\nContent-Length: 5\n",
		DATE "Content-Length: 5\n"},
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		comes_back(rows[i].status, *rows[i].plan, rows[i].lines,
		    rows[i].wanted);
}
END_TEST

START_TEST(a_final_response_without_date_gets_one)
{
	static const char added[] = "Date: Fri, 02 Jan 1970 00:00:00 GMT\n";

	comes_back(200, none, "", added);
	comes_back(404, none, "X: y\n",
	    "X: y\nDate: Fri, 02 Jan 1970 "
	    "00:00:00 GMT\n");
	comes_back(103, none, "Link: a\n", "Link: a\n");
	comes_back(200, none, DATE, DATE);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("forward");
	TCase *tcase = tcase_create("forward");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, host_comes_first_then_the_clients_then_ours);
	tcase_add_test(tcase, an_empty_head_gets_what_it_needs);
	tcase_add_test(tcase, the_targets_authority_replaces_host);
	tcase_add_test(tcase, fields_that_never_go_on);
	tcase_add_test(tcase, fields_that_go_on_as_they_are);
	tcase_add_test(tcase, connection_takes_the_fields_that_it_names);
	tcase_add_test(tcase, past_thirty_two_names_connection_names_all);
	tcase_add_test(tcase, a_trusted_chain_is_appended_to);
	tcase_add_test(tcase, forwarded_is_written_as_rfc_7239_says);
	tcase_add_test(tcase, off_passes_nobodys_word_on);
	tcase_add_test(tcase, ten_passes_are_a_loop);
	tcase_add_test(tcase, the_gates_own_output_ends_as_a_loop);
	tcase_add_test(tcase, options_spends_a_forward);
	tcase_add_test(tcase, the_method_that_is_sent_is_another);
	tcase_add_test(tcase, flags_are_told_by_the_gate_alone);
	tcase_add_test(
	    tcase, the_subject_of_a_certificate_is_told_by_nobody_else);
	tcase_add_test(tcase, all_flags_at_once_fit);
	tcase_add_test(
	    tcase, override_fields_stay_here_where_they_are_stripped);
	tcase_add_test(tcase, a_judged_destination_becomes_a_url_of_the_host);
	tcase_add_test(tcase, the_client_is_the_rightmost_that_nobody_trusts);
	tcase_add_test(tcase, the_scheme_is_the_connections_or_a_trusted_word);
	tcase_add_test(tcase, a_trusted_request_id_is_kept);
	tcase_add_test(tcase, made_request_ids_differ);
	tcase_add_test(tcase, a_response_loses_what_belongs_to_the_hop);
	tcase_add_test(tcase, content_length_stays_only_where_no_body_follows);
	tcase_add_test(tcase, what_announces_the_body_or_the_tunnel_stays);
	tcase_add_test(tcase, trailers_carry_nothing_that_was_judged_or_frames);
	tcase_add_test(tcase, only_listed_protocols_are_asked_for);
	tcase_add_test(tcase, a_final_response_without_date_gets_one);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
