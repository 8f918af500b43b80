/* SPDX-License-Identifier: ISC */
/* The native transport: all that transport.h promises, every method and body on
 * the wire, and which links are used again. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_clock.h"
#include "h1_body.h"
#include "method.h"
#include "transport_cases.h"
#include "transport_native.h"

#define MEGABYTE (1024u * 1024)
#define OUT_MAX (64u * 1024)
#define EMPTY OK "Content-Length: 0\r\n\r\n"

static const struct links_policy keeps = {4, 60000};

static void
open_native(struct bench *b, struct errand *e, const struct fake_act *acts)
{
	bench_open(b, transport_native_open, acts);
	errand_init(e, b);
	e->keep = keeps;
	e->max_idle = UINT32_MAX;
}

/* The next exchange on the same bench. */
static void
open_next(struct errand *e, struct bench *b)
{
	errand_init(e, b);
	e->keep = keeps;
	e->max_idle = UINT32_MAX;
	errand_open(e);
}

/* ---- requests ---- */

struct request {
	const char *method, *target;
	const char *fields[4][2];
	struct body_plan plan;
	const char *body;
	size_t morsel;
	const char *wire;
};

#define GET_B "GET /b HTTP/1.1\r\n\r\n"
#define CODED "Transfer-Encoding: chunked\r\n\r\n"

static const struct request requests[] = {
    {"GET", "/a?b=c%20d", {{"Host", "h"}, {"X", "y"}}, {BODY_NONE, 0}, "", 0,
	"GET /a?b=c%20d HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n"},
    {"HEAD", "/", {{"Host", "h"}}, {BODY_NONE, 0}, "", 0,
	"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"OPTIONS", "*", {{"Host", "h"}}, {BODY_NONE, 0}, "", 0,
	"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"DELETE", "/", {{"Host", "h"}}, {BODY_NONE, 0}, "", 0,
	"DELETE / HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"PROPFIND", "/", {{"Host", "h"}, {"Depth", "1"}}, {BODY_NONE, 0}, "", 0,
	"PROPFIND / HTTP/1.1\r\nHost: h\r\nDepth: 1\r\n\r\n"},
    /* a length also where there is no body (RFC 9110 8.6) */
    {"POST", "/", {{"Host", "h"}}, {BODY_NONE, 0}, "", 0,
	"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
    {"PUT", "/", {{"Host", "h"}}, {BODY_NONE, 0}, "", 0,
	"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
    {"PATCH", "/", {{"Host", "h"}}, {BODY_NONE, 0}, "", 0,
	"PATCH / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
    /* a body is framed with every method, and stays a body */
    {"POST", "/", {{"Host", "h"}}, {BODY_LENGTH, 3}, "abc", 0,
	"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"},
    {"POST", "/", {{"Host", "h"}}, {BODY_LENGTH, 3}, "abc", 1,
	"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"},
    {"GET", "/", {{"Host", "h"}}, {BODY_LENGTH, 19}, GET_B, 0,
	"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 19\r\n\r\n" GET_B},
    {"HEAD", "/", {{"Host", "h"}}, {BODY_LENGTH, 1}, "a", 0,
	"HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na"},
    {"PROPFIND", "/", {{"Host", "h"}}, {BODY_CHUNKED, 0}, GET_B, 0,
	"PROPFIND / HTTP/1.1\r\nHost: h\r\n" CODED "13\r\n" GET_B
	"\r\n0\r\n\r\n"},
    {"POST", "/", {{"Host", "h"}}, {BODY_CHUNKED, 0}, "abc", 1,
	"POST / HTTP/1.1\r\nHost: h\r\n" CODED
	"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"},
    {"POST", "/", {{"Host", "h"}}, {BODY_CHUNKED, 0}, "0\r\n\r\n", 0,
	"POST / HTTP/1.1\r\nHost: h\r\n" CODED "5\r\n0\r\n\r\n\r\n0\r\n\r\n"},
    {"POST", "/", {{"Host", "h"}}, {BODY_CHUNKED, 0}, "", 0,
	"POST / HTTP/1.1\r\nHost: h\r\n" CODED "0\r\n\r\n"},
    {"PUT", "/", {{"Host", "h"}}, {BODY_CHUNKED, 0}, "0123456789abcdefg", 16,
	"PUT / HTTP/1.1\r\nHost: h\r\n" CODED
	"10\r\n0123456789abcdef\r\n1\r\ng\r\n0\r\n\r\n"},
    /* order, case and repetition stay */
    {"GET", "//a/../b;c=%2e%00?",
	{{"B", "1"}, {"host", "h"}, {"b", "\t2 3\xff"}, {"B", "%s%n"}},
	{BODY_NONE, 0}, "", 0,
	"GET //a/../b;c=%2e%00? HTTP/1.1\r\nB: 1\r\nhost: h\r\n"
	"b: \t2 3\xff\r\nB: %s%n\r\n\r\n"},
};

static void
start_request(struct errand *e, const struct request *request)
{
	struct field fields[4];
	struct head head = {.method = slice_of(request->method),
	    .target = slice_of(request->target),
	    .minor = 1,
	    .fields = fields};

	while (head.field_count < COUNT(fields) &&
	       request->fields[head.field_count][0] != NULL) {
		struct field *field = &fields[head.field_count];

		field->name = slice_of(request->fields[head.field_count][0]);
		field->value = slice_of(request->fields[head.field_count][1]);
		field->id = field_find(field->name);
		head.field_count++;
	}
	errand_start(e, &head, request->plan);
	memset(fields, 'x', sizeof(fields)); /* slices die with the call */
}

static void
expect_heard(const struct errand *e, const char *wire)
{
	bench_hear(e->bench, strlen(wire));
	ck_assert_str_eq(e->bench->server.text, wire);
}

/* On a new link, and then on the same. */
static void
expect_request(const struct request *request)
{
	static const struct fake_act acts[] = {ACT(WAIT), ACT(FORGET),
	    SEND(EMPTY), ACT(WAIT), ACT(FORGET), SEND(EMPTY), ACT(STOP)};
	struct bench b;
	struct errand e;

	open_native(&b, &e, acts);
	errand_open(&e);
	for (int i = 0; i < 2; i++) {
		e.morsel = request->morsel;
		start_request(&e, request);
		errand_feed(&e, slice_of(request->body), strlen(request->body));
		expect_heard(&e, request->wire);
		ck_assert_str_eq(e.events, "ready");
		fake_server_go(&b.server);
		errand_run(&e);
		ck_assert_str_eq(e.events, "ready 200 end");
		if (i == 0)
			open_next(&e, &b);
	}
	ck_assert_uint_eq(b.server.connections, 1);
	bench_close(&b);
}

START_TEST(a_request_is_these_bytes_on_the_wire)
{
	for (size_t i = 0; i < COUNT(requests); i++)
		expect_request(&requests[i]);
}
END_TEST

static void
expect_method(struct slice method)
{
	char token[METHOD_TOKEN_MAX + 1], wire[128];
	struct request request = {.method = token,
	    .target = "/",
	    .fields = {{"Host", "h"}},
	    .plan = {BODY_LENGTH, 1},
	    .body = "a",
	    .wire = wire};

	memcpy(token, method.at, method.len);
	token[method.len] = '\0';
	snprintf(wire, sizeof(wire),
	    "%s / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na", token);
	expect_request(&request);
}

START_TEST(every_method_goes_as_it_is)
{
	static const char *const tokens[] = {"get", "Get", "PURGE", "M-SEARCH",
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF",
	    "abcdefghijklmnopqrstuvwxyz123456", "!#$%&'*+-.^_`|~0", "!", "LIST",
	    "BREW"};

	for (unsigned i = 0; i < METHOD_REGISTERED; i++)
		expect_method(method_name(i, NULL));
	for (size_t i = 0; i < COUNT(tokens); i++)
		expect_method(slice_of(tokens[i]));
}
END_TEST

/* ---- uploads ---- */

#define PATTERN 63001u

static char pattern[PATTERN];

/* Takes the request's body apart as the server hears it. */
struct hearer {
	struct body_plan plan;
	struct h1_body body;
	bool in_body, complete, wrong;
	uint64_t size;
};

static void
hear(struct fake_server *server, struct slice heard)
{
	struct hearer *h = server->tap_arg;
	struct slice piece;
	enum reason why;

	if (!h->in_body) {
		const char *end = strstr(server->text, "\r\n\r\n");

		if (end == NULL)
			return;
		heard.at += heard.len -
			    (size_t)(server->text + server->text_len - end - 4);
		heard.len = (size_t)(server->text + server->text_len - end - 4);
		h->in_body = true;
		h1_body_init(&h->body, h->plan);
	}
	ck_assert(!h->complete);
	for (;;) {
		switch (h1_body_read(&h->body, &heard, &piece, &why)) {
		case H1_BODY_MORE:
			return;
		case H1_BODY_END:
			ck_assert_uint_eq(heard.len, 0);
			h->complete = true;
			return;
		case H1_BODY_BAD:
			ck_abort_msg("%s", reason_word(why));
		case H1_BODY_DATA:
			break;
		}
		for (size_t i = 0; i < piece.len; i++, h->size++)
			h->wrong = h->wrong ||
				   piece.at[i] != pattern[h->size % PATTERN];
	}
}

static void
listen_to(struct bench *b, struct hearer *h, enum body_kind kind, uint64_t size)
{
	*h = (struct hearer){.plan = {kind, kind == BODY_LENGTH ? size : 0}};
	b->server.tap = hear;
	b->server.tap_arg = h;
}

static void
upload_pattern(struct errand *e, enum body_kind kind, uint64_t size)
{
	struct slice piece = {pattern, sizeof(pattern)};

	errand_upload(e, kind, piece, size);
}

static void
expect_upload(enum body_kind kind, uint64_t size, size_t morsel)
{
	static const struct fake_act acts[] = {
	    ACT(WAIT), ACT(FORGET), SEND(EMPTY), ACT(STOP)};
	struct hearer h;
	struct bench b;
	struct errand e;

	open_native(&b, &e, acts);
	listen_to(&b, &h, kind, size);
	e.morsel = morsel;
	errand_open(&e);
	upload_pattern(&e, kind, size);
	for (int i = 0; i < FAKE_TURNS && !h.complete; i++)
		bench_turn(&b, EVLOOP_ONCE);
	ck_assert(h.complete && !h.wrong);
	ck_assert_uint_eq(h.size, size);
	ck_assert_uint_eq(e.given, size);
	fake_server_go(&b.server);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 200 end");
	ck_assert_uint_eq(fake_descriptors(), b.descriptors + 3);
	bench_close(&b);
}

START_TEST(an_upload_arrives_whole_however_it_is_cut)
{
	static const struct {
		uint64_t size;
		size_t morsel;
	} rows[] = {{1, 0}, {2000, 1}, {5000, 999}, {100000, 1024},
	    {100000, 1025}, {PATTERN, 0}, {3000000, 0}, {3000000, 8191}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		expect_upload(BODY_LENGTH, rows[i].size, rows[i].morsel);
		expect_upload(BODY_CHUNKED, rows[i].size, rows[i].morsel);
	}
}
END_TEST

/* Larger than what may wait, but the socket takes it. */
START_TEST(a_large_piece_is_taken_as_far_as_the_socket_takes_it)
{
	static const struct fake_act acts[] = {
	    ACT(HEAD), ACT(DEAF), ACT(WAIT), ACT(HEAR), ACT(STOP)};
	static char large[4 * MEGABYTE];
	struct slice piece = {large, sizeof(large)};
	struct bench b;
	struct errand e;
	size_t taken;

	for (int kind = BODY_LENGTH; kind <= BODY_CHUNKED; kind++) {
		open_native(&b, &e, acts);
		errand_open(&e);
		errand_start_method(&e, "PUT",
		    (struct body_plan){(enum body_kind)kind,
			kind == BODY_LENGTH ? sizeof(large) : 0});
		ck_assert_uint_eq(errand_give(&e, piece), 0);
		errand_run_to(&e, "ready");
		taken = errand_give(&e, piece);
		ck_assert_uint_gt(taken, 2 * OUT_MAX);
		ck_assert_uint_lt(taken, sizeof(large));
		ck_assert_uint_eq(errand_give(&e, piece), 0);
		/* and ready comes again */
		bench_idle(&b);
		ck_assert_uint_eq(e.readies, 1);
		fake_server_go(&b.server);
		for (int i = 0; i < FAKE_TURNS && e.readies == 1; i++)
			bench_turn(&b, EVLOOP_ONCE);
		ck_assert_uint_gt(errand_give(&e, piece), 0);
		errand_cancel(&e);
		bench_close(&b);
	}
}
END_TEST

START_TEST(a_server_that_never_reads_costs_little)
{
	static const struct fake_act acts[] = {ACT(HEAD), ACT(DEAF), ACT(WAIT),
	    ACT(HEAR), ACT(WAIT), SEND(EMPTY), ACT(STOP)};
	const uint64_t size = 16 * MEGABYTE;
	struct hearer h;
	struct bench b;
	struct errand e;
	uint64_t given;

	for (int kind = BODY_LENGTH; kind <= BODY_CHUNKED; kind++) {
		open_native(&b, &e, acts);
		listen_to(&b, &h, (enum body_kind)kind, size);
		errand_open(&e);
		upload_pattern(&e, (enum body_kind)kind, size);
		errand_run_to(&e, "ready");
		do {
			given = e.given;
			bench_idle(&b);
		} while (e.given > given);
		ck_assert_uint_lt(given, size / 2);
		ck_assert_uint_eq(errand_give(&e, SLICE("a")), 0);
		/* what waits, in a block of twice that, and the errand's own */
		ck_assert_msg(b.peak < b.before + 4 * OUT_MAX,
		    "%zu bytes were held", b.peak - b.before);
		fake_server_go(&b.server);
		for (int i = 0; i < FAKE_TURNS && !h.complete; i++)
			bench_turn(&b, EVLOOP_ONCE);
		ck_assert(h.complete && !h.wrong);
		ck_assert_uint_eq(h.size, size);
		ck_assert_uint_lt(b.peak, b.before + 4 * OUT_MAX);
		fake_server_go(&b.server);
		errand_run(&e);
		ck_assert_str_eq(e.events, "ready 200 end");
		bench_close(&b);
	}
}
END_TEST

START_TEST(a_cancelled_upload_is_a_reset)
{
	static const struct fake_act acts[] = {
	    ACT(HEAD), ACT(DEAF), ACT(WAIT), ACT(HEAR), ACT(STOP)};
	struct bench b;
	struct errand e;

	open_native(&b, &e, acts);
	errand_open(&e);
	upload_pattern(&e, BODY_CHUNKED, 8 * MEGABYTE);
	errand_run_to(&e, "ready");
	bench_idle(&b);
	errand_cancel(&e);
	fake_server_go(&b.server);
	bench_hear_end(&b);
	ck_assert(b.server.reset_heard);
	ck_assert_uint_lt(b.server.heard, e.given);
	bench_close(&b);
}
END_TEST

/* An owner that has nothing to give yet. */
START_TEST(a_head_does_not_wait_for_a_body_that_does_not_come)
{
	static const struct fake_act acts[] = {ACT(HEAD),
	    SEND("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 H\r\n\r\n"), ACT(HEAD),
	    ACT(FORGET), SEND(EMPTY), ACT(HEAD),
	    SEND("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"), ACT(STOP)};
	struct body_plan plan = {BODY_LENGTH, 3};
	struct bench b;
	struct errand e;

	open_native(&b, &e, acts);
	errand_open(&e);
	errand_start_method(&e, "POST", plan);
	errand_run_to(&e, "ready 103");
	errand_feed(&e, SLICE("abc"), 3);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 103 200 end");
	/* on a link that was idle too; the early answer ends it */
	open_next(&e, &b);
	errand_start_method(&e, "POST", plan);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 401 end");
	ck_assert_uint_eq(b.server.connections, 1);
	bench_hear_end(&b);
	bench_close(&b);
}
END_TEST

/* ---- links ---- */

struct ending {
	struct slice bytes; /* of the first response */
	enum fake_verb then;
	bool kept;
	const char *events;
	const char *method; /* NULL: GET */
};

#define E(bytes, then, kept, events)                                           \
	{                                                                      \
		{bytes, sizeof(bytes) - 1}, FAKE_##then, kept,                 \
		    "ready " events, NULL                                      \
	}
#define E_TO(method, bytes, kept, events)                                      \
	{                                                                      \
		{bytes, sizeof(bytes) - 1}, FAKE_HEAR, kept, "ready " events,  \
		    method                                                     \
	}
#define HINT(hint, kept)                                                       \
	E(OK "Keep-Alive: " hint "\r\nContent-Length: 0\r\n\r\n", HEAR, kept,  \
	    "200 end")

/* HEAR: the connection stays as it is. */
static const struct ending endings[] = {
    E(EMPTY, HEAR, true, "200 end"),
    E(OK "Content-Length: 1\r\n\r\na", HEAR, true, "200 body end"),
    E(CHUNKED "1\r\na\r\n0\r\n\r\n", HEAR, true, "200 body end"),
    E(CHUNKED "1\r\na\r\n0\r\nA: b\r\n\r\n", HEAR, true, "200 body end"),
    E("HTTP/1.1 204 No\r\n\r\n", HEAR, true, "204 end"),
    E("HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n", HEAR, true, "304 end"),
    E("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", HEAR, true, "500 end"),
    E("HTTP/1.1 103 H\r\nConnection: close\r\n\r\n" EMPTY, HEAR, true,
	"103 200 end"),
    E(OK "Connection: keep-alive\r\nContent-Length: 0\r\n\r\n", HEAR, true,
	"200 end"),
    E_TO("HEAD", OK "Content-Length: 9\r\n\r\n", true, "200 end"),
    E_TO("HEAD", CHUNKED, true, "200 end"),
    E_TO("HEAD", OK "\r\n", true, "200 end"),
    /* the server ends it */
    E(OK "Connection: close\r\nContent-Length: 0\r\n\r\n", HEAR, false,
	"200 end"),
    E(OK "Connection: x, Close\r\nContent-Length: 0\r\n\r\n", HEAR, false,
	"200 end"),
    E("HTTP/1.1 204 No\r\nConnection: close\r\n\r\n", HEAR, false, "204 end"),
    E_TO("HEAD", OK "Connection: close\r\n\r\n", false, "200 end"),
    E("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", HEAR, false, "200 end"),
    E("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
	HEAR, false, "200 end"),
    E(OK "\r\na", CLOSE, false, "200 body end"),
    E(EMPTY, CLOSE, false, "200 end"),
    E(EMPTY, FIN, false, "200 end"),
    E(EMPTY, RESET, false, "200 end"),
    /* more than was asked for */
    E(EMPTY "a", HEAR, false, "200 end"),
    E(EMPTY "\r\n", HEAR, false, "200 end"),
    E(EMPTY EMPTY, HEAR, false, "200 end"),
    E(EMPTY "HTTP/1.1 100 C\r\n\r\n", HEAR, false, "200 end"),
    E(OK "Content-Length: 1\r\n\r\nab", HEAR, false, "200 body end"),
    E(CHUNKED "1\r\na\r\n0\r\n\r\n0\r\n\r\n", HEAR, false, "200 body end"),
    E("HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\na", HEAR, false, "204 end"),
    E("HTTP/1.1 304 Not\r\n\r\na", HEAR, false, "304 end"),
    E_TO("HEAD", OK "Content-Length: 1\r\n\r\na", false, "200 end"),
    /* broken */
    E("HTTP/1.1 101 S\r\n\r\n", HEAR, false, "broken"),
    E(OK "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", HEAR, false,
	"broken"),
    E(CHUNKED "x", HEAR, false, "200 broken"),
    /* a second less than it says; not at all where that is nothing */
    HINT("timeout=5", true),
    HINT("timeout=2, max=100", true),
    HINT("max=1", true),
    HINT("x, TimeOut=60", true),
    HINT("timeout", true),
    HINT("timeout=", true),
    HINT("timeout=-1", true),
    HINT("timeout=99999999999999999999", true),
    HINT("timeout=9999999999999999999", true),
    HINT("timeout=4294967296", true),
    HINT("timeout=1", false),
    HINT("timeout=0", false),
    HINT("max=5, timeout=1", false),
    HINT("timeout=60\r\nKeep-Alive: timeout=0", false),
};

/* Whatever the first response was, the second is the second request's. */
static void
expect_ending(const struct ending *ending)
{
	const struct fake_act acts[] = {ACT(HEAD), ACT(FORGET),
	    {FAKE_SEND, 0, ending->bytes}, {ending->then, 0, {NULL, 0}},
	    ACT(HEAD), ACT(FORGET), SEND(OK "Content-Length: 6\r\n\r\nsecond"),
	    ACT(STOP)};
	struct bench b;
	struct errand e;

	open_native(&b, &e, acts);
	errand_open(&e);
	errand_start_method(
	    &e, ending->method != NULL ? ending->method : "GET", NONE);
	errand_end(&e);
	errand_run(&e);
	ck_assert_str_eq(e.events, ending->events);
	bench_idle(&b);
	open_next(&e, &b);
	errand_get(&e);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 200 body end");
	ck_assert(
	    slice_eq((struct slice){e.body, e.body_len}, SLICE("second")));
	ck_assert_msg(b.server.connections == (ending->kept ? 1 : 2),
	    "%u connections after %.*s", b.server.connections,
	    SLICE_ARG(ending->bytes));
	bench_close(&b);
}

START_TEST(a_link_is_kept_only_when_it_is_in_step)
{
	for (size_t i = 0; i < COUNT(endings); i++)
		expect_ending(&endings[i]);
}
END_TEST

static const struct fake_act two[] = {ACT(HEAD), ACT(FORGET), SEND(EMPTY),
    ACT(HEAD), ACT(FORGET), SEND(EMPTY), ACT(STOP)};

/* One exchange, whose link is kept. */
static void
open_used(struct bench *b, struct errand *e, const struct fake_act *acts)
{
	open_native(b, e, acts);
	errand_open(e);
	errand_get(e);
	errand_run(e);
	ck_assert_str_eq(e->events, "ready 200 end");
	ck_assert_uint_eq(b->server.connections, 1);
	open_next(e, b);
}

static void
expect_second(struct bench *b, struct errand *e, unsigned connections)
{
	errand_run(e);
	ck_assert_str_eq(e->events, "ready 200 end");
	ck_assert_uint_eq(b->server.connections, connections);
	bench_close(b);
}

START_TEST(the_hint_is_a_second_less_than_it_says)
{
	static const struct fake_act acts[] = {ACT(HEAD), ACT(FORGET),
	    SEND(OK "Keep-Alive: timeout=6\r\nContent-Length: 0\r\n\r\n"),
	    ACT(HEAD), ACT(FORGET), SEND(EMPTY), ACT(STOP)};
	static const struct {
		uint32_t ms;
		unsigned connections;
	} rows[] = {{4900, 1}, {5100, 2}};
	struct bench b;
	struct errand e;

	for (size_t i = 0; i < COUNT(rows); i++) {
		open_used(&b, &e, acts);
		fake_clock_advance(rows[i].ms);
		errand_get(&e);
		expect_second(&b, &e, rows[i].connections);
	}
}
END_TEST

START_TEST(a_fresh_link_can_be_demanded)
{
	struct bench b;
	struct errand e;

	open_used(&b, &e, two);
	errand_cancel(&e);
	errand_init(&e, &b);
	errand_open(&e); /* max_idle is 0 */
	/* the server takes one connection at a time */
	links_close(links_take(&b.links, &b.server.addr, NULL, UINT32_MAX));
	errand_get(&e);
	expect_second(&b, &e, 2);
}
END_TEST

START_TEST(where_no_link_is_kept_the_server_is_told)
{
	static const struct fake_act acts[] = {
	    ACT(WAIT), SEND(EMPTY), ACT(STOP)};
	static const struct links_policy none[] = {{0, 60000}, {4, 0}};
	struct field fields[] = {
	    {SLICE("Connection"), SLICE("x"), FIELD_CONNECTION}};
	struct head head = {.method = SLICE("POST"),
	    .target = SLICE("/"),
	    .minor = 1,
	    .fields = fields};
	struct bench b;
	struct errand e;

	for (int i = 0; i < 4; i++) {
		open_native(&b, &e, acts);
		e.keep = none[i % 2];
		errand_open(&e);
		head.field_count =
		    i < 2 ? 0 : 1; /* what the owner says stays */
		errand_start(&e, &head, (struct body_plan){BODY_CHUNKED, 0});
		expect_heard(&e, i < 2 ? "POST / HTTP/1.1\r\n"
					 "Transfer-Encoding: chunked\r\n"
					 "Connection: close\r\n\r\n"
				       : "POST / HTTP/1.1\r\n"
					 "Connection: x\r\n"
					 "Transfer-Encoding: chunked\r\n\r\n");
		errand_end(&e);
		fake_server_go(&b.server);
		errand_run(&e);
		ck_assert_str_eq(e.events, "ready 200 end");
		bench_hear_end(&b);
		bench_close(&b);
	}
}
END_TEST

static void
count_reading(struct fake_server *server, struct slice heard)
{
	unsigned *readings = server->tap_arg;

	(void)heard;
	++*readings;
}

/* Together with the head, and no other exchange has its connection. */
START_TEST(a_preface_goes_before_the_head)
{
	static const struct fake_act acts[] = {
	    ACT(HEAD), SEND(EMPTY), ACT(STOP)};
	unsigned readings = 0;
	struct bench b;
	struct errand e;

	open_native(&b, &e, acts);
	b.server.tap = count_reading;
	b.server.tap_arg = &readings;
	e.keep.max = e.max_idle = 0;
	e.preface = SLICE("PROXY UNKNOWN\r\n");
	errand_open(&e);
	e.preface = SLICE_NONE;
	errand_get(&e);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 200 end");
	ck_assert_str_eq(b.server.text,
	    "PROXY UNKNOWN\r\nGET / HTTP/1.1\r\nHost: a\r\n"
	    "Connection: close\r\n\r\n");
	ck_assert_uint_eq(readings, 1);
	ck_assert_ptr_null(
	    links_take(&b.links, &b.server.addr, NULL, UINT32_MAX));
	bench_hear_end(&b);
	bench_close(&b);
}
END_TEST

static void
send_now(struct bench *b, const char *text)
{
	ssize_t len = (ssize_t)strlen(text);

	ck_assert_int_eq(
	    send(b->server.fd, text, (size_t)len, MSG_NOSIGNAL), len);
}

/* The loop has not told of it when the next exchange begins. */
START_TEST(a_link_that_the_server_ended_is_not_used)
{
	struct bench b;
	struct errand e;

	for (int i = 0; i < 2; i++) {
		open_used(&b, &e, two);
		if (i == 0)
			shutdown(b.server.fd, SHUT_WR);
		else
			send_now(&b, EMPTY);
		errand_get(&e);
		expect_second(&b, &e, 2);
	}
}
END_TEST

START_TEST(an_idle_link_closes_at_once_when_the_server_says_more)
{
	struct bench b;
	struct errand e;

	for (int i = 0; i < 2; i++) {
		open_used(&b, &e, two);
		errand_cancel(&e);
		bench_idle(&b);
		ck_assert(!b.server.fin_heard && !b.server.reset_heard);
		if (i == 0)
			shutdown(b.server.fd, SHUT_WR);
		else
			send_now(&b, EMPTY);
		bench_hear_end(&b);
		open_next(&e, &b);
		errand_get(&e);
		expect_second(&b, &e, 2);
	}
}
END_TEST

struct loss {
	bool sent;	   /* the request is out before it happens */
	const char *bytes; /* that the server sends; NULL: a FIN */
	bool response_seen;
};

/* What the owner must know to send the request once more. */
START_TEST(a_used_link_that_is_lost_is_told_as_such)
{
	static const struct loss rows[] = {{false, NULL, false},
	    {true, NULL, false}, {true, "H", true},
	    /* not an answer to what was never sent */
	    {false, EMPTY, false},
	    {false, "HTTP/1.1 408 T\r\nConnection: close\r\n\r\n", false}};
	struct bench b;
	struct errand e;

	for (size_t i = 0; i < COUNT(rows); i++) {
		open_used(&b, &e, two);
		errand_start_method(
		    &e, "POST", (struct body_plan){BODY_LENGTH, 3});
		if (rows[i].sent)
			errand_feed(&e, SLICE("abc"), 3);
		if (rows[i].bytes != NULL)
			send_now(&b, rows[i].bytes);
		shutdown(b.server.fd, SHUT_WR);
		/* before the head goes alone */
		if (!rows[i].sent)
			bench_turn(&b, EVLOOP_NONBLOCK);
		errand_run(&e);
		ck_assert_int_eq(e.broken.why, REASON_UPSTREAM_CLOSED);
		ck_assert(e.broken.reused);
		ck_assert_int_eq(e.broken.sent, rows[i].sent);
		ck_assert_int_eq(e.broken.response_seen, rows[i].response_seen);
		bench_close(&b);
	}
}
END_TEST

START_TEST(a_new_link_that_is_lost_is_not_told_as_used)
{
	static const struct fake_act acts[] = {
	    ACT(HEAD), ACT(CLOSE), ACT(STOP)};
	struct bench b;
	struct errand e;

	open_native(&b, &e, acts);
	errand_open(&e);
	errand_get(&e);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready broken");
	ck_assert(!e.broken.reused);
	ck_assert(e.broken.sent);
	bench_close(&b);
}
END_TEST

/* The exchange is begun by a step, so that the answer is there before the
 * transport's own step. */
struct late {
	struct step step; /* first */
	struct errand *errand;
};

static void
start_and_answer(struct step *step)
{
	struct errand *e = ((struct late *)step)->errand;

	errand_get(e);
	send_now(e->bench, EMPTY);
}

START_TEST(ready_comes_before_the_fastest_answer)
{
	struct bench b;
	struct errand e;
	struct late late = {.step = {.fn = start_and_answer}, .errand = &e};

	open_used(&b, &e, two);
	loop_defer(&b.loop, &late.step);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 200 end");
	bench_close(&b);
}
END_TEST

static void
upload_and_close(struct step *step)
{
	struct errand *e = ((struct late *)step)->errand;

	upload_pattern(e, BODY_CHUNKED, 5000);
	ck_assert_uint_eq(e->given, 5000);
	shutdown(e->bench->server.fd, SHUT_WR);
}

static void
get_and_close(struct step *step)
{
	struct errand *e = ((struct late *)step)->errand;

	errand_get(e);
	shutdown(e->bench->server.fd, SHUT_WR);
}

/* Who has not seen ready may send the body once more. */
START_TEST(ready_comes_before_broken_where_the_body_is_gone)
{
	struct bench b;
	struct errand e;
	struct late late = {.errand = &e};

	late.step.fn = upload_and_close;
	open_used(&b, &e, two);
	loop_defer(&b.loop, &late.step);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready broken");
	ck_assert(e.broken.sent && e.broken.reused && !e.broken.response_seen);
	bench_close(&b);

	late.step.fn = upload_and_close;
	open_used(&b, &e, two);
	e.cancel_at = "ready";
	loop_defer(&b.loop, &late.step);
	errand_run(&e);
	bench_idle(&b);
	ck_assert_str_eq(e.events, "ready");
	bench_close(&b);

	late.step.fn = get_and_close;
	open_used(&b, &e, two);
	loop_defer(&b.loop, &late.step);
	errand_run(&e);
	ck_assert_str_eq(e.events, "broken");
	ck_assert(e.broken.sent && e.broken.reused);
	bench_close(&b);
}
END_TEST

START_TEST(cancel_inside_a_late_ready_is_the_last_word)
{
	struct bench b;
	struct errand e;
	struct late late = {.step = {.fn = start_and_answer}, .errand = &e};

	open_used(&b, &e, two);
	e.cancel_at = "ready";
	loop_defer(&b.loop, &late.step);
	errand_run(&e);
	bench_idle(&b);
	ck_assert_str_eq(e.events, "ready");
	bench_close(&b);
}
END_TEST

/* ---- the rest ---- */

START_TEST(an_early_answer_ends_the_link_with_the_upload)
{
	static const struct fake_act acts[] = {ACT(HEAD), ACT(DEAF),
	    SEND("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"),
	    ACT(WAIT), ACT(HEAR), ACT(HEAD), ACT(FORGET), SEND(EMPTY),
	    ACT(STOP)};
	struct bench b;
	struct errand e;

	open_native(&b, &e, acts);
	errand_open(&e);
	upload_pattern(&e, BODY_CHUNKED, 8 * MEGABYTE);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 413 body end");
	fake_server_go(&b.server);
	bench_hear_end(&b);
	ck_assert_ptr_null(
	    links_take(&b.links, &b.server.addr, NULL, UINT32_MAX));
	bench_close(&b);
}
END_TEST

START_TEST(an_upload_to_a_server_that_has_gone_ends_there)
{
	static const struct fake_act reset[] = {
	    ACT(HEAD), ACT(DEAF), ACT(WAIT), ACT(RESET), ACT(STOP)};
	static const struct fake_act fin[] = {
	    ACT(HEAD), ACT(DEAF), ACT(WAIT), ACT(FIN), ACT(STOP)};
	static const struct fake_act *const scripts[] = {reset, fin};
	struct bench b;
	struct errand e;

	for (size_t i = 0; i < COUNT(scripts); i++) {
		open_native(&b, &e, scripts[i]);
		errand_open(&e);
		upload_pattern(&e, BODY_LENGTH, 8 * MEGABYTE);
		errand_run_to(&e, "ready");
		bench_idle(&b);
		fake_server_go(&b.server);
		errand_run(&e);
		ck_assert_str_eq(e.events, "ready broken");
		ck_assert_int_eq(e.broken.why, REASON_UPSTREAM_CLOSED);
		ck_assert(e.broken.sent && !e.broken.response_seen);
		bench_close(&b);
	}
}
END_TEST

START_TEST(so_many_fields_and_no_more)
{
	static const struct fake_act most[] = {ACT(HEAD), SEND(OK),
	    {FAKE_SEND, LINKS_FIELDS - 1, {"a: b\r\n", 6}},
	    SEND("Content-Length: 0\r\n\r\n"), ACT(STOP)};
	static const struct fake_act more[] = {ACT(HEAD), SEND(OK),
	    {FAKE_SEND, LINKS_FIELDS, {"a: b\r\n", 6}},
	    SEND("Content-Length: 0\r\n\r\n"), ACT(STOP)};
	struct bench b;
	struct errand e;

	open_native(&b, &e, most);
	errand_open(&e);
	errand_get(&e);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 200 end");
	bench_close(&b);
	open_native(&b, &e, more);
	errand_open(&e);
	errand_get(&e);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready broken");
	ck_assert_int_eq(e.broken.why, REASON_UPSTREAM_HEAD_TOO_LARGE);
	bench_close(&b);
}
END_TEST

/* Its head comes in pieces, its body is taken byte by byte. */
START_TEST(an_idle_link_holds_nothing_of_what_it_carried)
{
	static const struct fake_act acts[] = {ACT(HEAD), ACT(FORGET),
	    SEND(OK "A: "), {FAKE_SEND, 50, {fake_block, 1000}},
	    SEND("\r\nContent-Length: 50000\r\n\r\n"),
	    {FAKE_SEND, 50, {fake_block, 1000}}, ACT(AGAIN)};
	struct bench b;
	struct errand e;
	size_t before = 0;

	open_native(&b, &e, acts);
	errand_open(&e);
	for (unsigned i = 0; i < 4; i++) {
		e.appetite = 100;
		upload_pattern(&e, BODY_CHUNKED, 1000);
		errand_run(&e);
		ck_assert_str_eq(e.events, "ready 200 body end");
		ck_assert_uint_eq(e.body_len, 50000);
		bench_idle(&b);
		if (i == 1)
			before = fake_allocated();
		if (i < 3)
			open_next(&e, &b);
	}
	ck_assert_uint_eq(b.server.connections, 1);
	ck_assert_uint_le(fake_allocated(), before);
	bench_close(&b);
}
END_TEST

START_TEST(a_unix_socket_carries_the_same)
{
	static const struct fake_act acts[] = {BODY(300000), ACT(FORGET),
	    SEND(EMPTY), ACT(HEAD), ACT(FORGET), SEND(EMPTY), ACT(STOP)};
	char folder[] = "/tmp/native.XXXXXX", address[64];
	struct bench b;
	struct errand e;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(address, sizeof(address), "unix:%s/a", folder);
	open_native(&b, &e, acts);
	fake_server_close(&b.server);
	ck_assert(fake_server_open(&b.server, &b.loop, address, acts));
	errand_open(&e);
	upload_pattern(&e, BODY_LENGTH, 300000);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 200 end");
	open_next(&e, &b);
	errand_get(&e);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 200 end");
	ck_assert_uint_eq(b.server.connections, 1);
	bench_close(&b);
	unlink(address + 5);
	rmdir(folder);
}
END_TEST

/* connect itself says so there, inside the command. */
START_TEST(a_unix_socket_that_nobody_serves_is_refused_in_a_later_step)
{
	struct addr nobody;
	struct bench b;
	struct errand e;

	ck_assert(addr_parse(SLICE("unix:/nonexistent/a"), &nobody));
	open_native(&b, &e, two);
	errand_open_to(&e, &nobody);
	upload_pattern(&e, BODY_CHUNKED, 10);
	ck_assert_str_eq(e.events, "");
	errand_run(&e);
	ck_assert_str_eq(e.events, "broken");
	ck_assert_int_eq(e.broken.why, REASON_UPSTREAM_REFUSED);
	ck_assert(!e.broken.sent && !e.broken.reused);
	open_next(&e, &b);
	errand_cancel(&e);
	bench_close(&b);
}
END_TEST

static void
add_cases(TCase *tcase)
{
	tcase_add_test(tcase, a_request_is_these_bytes_on_the_wire);
	tcase_add_test(tcase, every_method_goes_as_it_is);
	tcase_add_test(tcase, an_upload_arrives_whole_however_it_is_cut);
	tcase_add_test(
	    tcase, a_large_piece_is_taken_as_far_as_the_socket_takes_it);
	tcase_add_test(tcase, a_server_that_never_reads_costs_little);
	tcase_add_test(tcase, a_cancelled_upload_is_a_reset);
	tcase_add_test(
	    tcase, a_head_does_not_wait_for_a_body_that_does_not_come);
	tcase_add_test(tcase, a_link_is_kept_only_when_it_is_in_step);
	tcase_add_test(tcase, the_hint_is_a_second_less_than_it_says);
	tcase_add_test(tcase, a_fresh_link_can_be_demanded);
	tcase_add_test(tcase, where_no_link_is_kept_the_server_is_told);
	tcase_add_test(tcase, a_preface_goes_before_the_head);
	tcase_add_test(tcase, a_link_that_the_server_ended_is_not_used);
	tcase_add_test(
	    tcase, an_idle_link_closes_at_once_when_the_server_says_more);
	tcase_add_test(tcase, a_used_link_that_is_lost_is_told_as_such);
	tcase_add_test(tcase, a_new_link_that_is_lost_is_not_told_as_used);
	tcase_add_test(tcase, ready_comes_before_the_fastest_answer);
	tcase_add_test(tcase, ready_comes_before_broken_where_the_body_is_gone);
	tcase_add_test(tcase, cancel_inside_a_late_ready_is_the_last_word);
	tcase_add_test(tcase, an_early_answer_ends_the_link_with_the_upload);
	tcase_add_test(tcase, an_upload_to_a_server_that_has_gone_ends_there);
	tcase_add_test(tcase, so_many_fields_and_no_more);
	tcase_add_test(tcase, an_idle_link_holds_nothing_of_what_it_carried);
	tcase_add_test(tcase, a_unix_socket_carries_the_same);
	tcase_add_test(
	    tcase, a_unix_socket_that_nobody_serves_is_refused_in_a_later_step);
}

int
main(void)
{
	Suite *suite = suite_create("transport_native");
	TCase *tcase = tcase_create("transport_native");
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < PATTERN; i++)
		pattern[i] = (char)(i % 251);
	transport_cases_add(tcase, transport_native_open);
	add_cases(tcase);
	tcase_set_timeout(tcase, 30);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
