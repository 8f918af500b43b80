/* SPDX-License-Identifier: ISC */
/* The life of an exchange between a client and a transport that move one byte
 * at a time and lend nothing beyond the call. */
#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config_read.h"
#include "exchange.h"
#include "fake_client.h"
#include "fake_clock.h"
#include "fake_servers.h"
#include "fake_transport.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TURNS 20000
#define GET(path) "GET " path " HTTP/1.1\r\nHost: example.org\r\n\r\n"
#define POST(path, length)                                                     \
	"POST " path " HTTP/1.1\r\nHost: example.org\r\n"                      \
	"Content-Type: text/plain\r\nContent-Length: " length "\r\n\r\n"
/* A body that may name a method, of a length or chunked. */
#define TYPED(path, type, length)                                              \
	"POST " path " HTTP/1.1\r\nHost: example.org\r\nContent-Type: " type   \
	"\r\nContent-Length: " length "\r\n\r\n"
#define FORM(path, length)                                                     \
	TYPED(path, "application/x-www-form-urlencoded", length)
#define CHUNKED(path)                                                          \
	"POST " path " HTTP/1.1\r\nHost: example.org\r\n"                      \
	"Transfer-Encoding: chunked\r\n\r\n"
#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static const char text[] = "[gate]\n"
			   "access_log = off\n"
			   "ping = /-/ping\n"
			   "[site]\n"
			   "listen = 127.0.0.1:7999\n"
			   "host = example.org\n"
			   "methods = PURGE\n"
			   "upstream = app\n"
			   "flag_header = X-Gate-Flags\n"
			   "[upstream app]\n"
			   "server = 127.0.0.1:8001\n"
			   "server = 127.0.0.1:8002\n"
			   "connect_timeout = 1s\n"
			   "response_timeout = 2s\n"
			   "body_timeout = 3s\n"
			   "[location /app]\n"
			   "allow = @rest\n"
			   "[location /read]\n"
			   "allow = @read OPTIONS\n"
			   "options = answer\n"
			   "[location /small]\n"
			   "allow = POST\n"
			   "body_limit = 5\n"
			   "[location /form]\n"
			   "allow = POST PUT\n"
			   "[location /long]\n"
			   "allow = POST PUT\n"
			   "form_hold = 8\n"
			   "[location /limit]\n"
			   "allow = POST\n"
			   "form_hold = 0\n"
			   "body_limit = 5\n"
			   "[location /flag]\n"
			   "allow = POST\n"
			   "override = flag\n"
			   "form_hold = 8\n"
			   "[location /report]\n"
			   "allow = POST\n"
			   "mode = report\n"
			   "redirects = preserve\n"
			   "[location /strip]\n"
			   "allow = POST\n"
			   "override = strip\n"
			   "[location /rewrite]\n"
			   "allow = PATCH POST GET\n"
			   "rewrite_method = PATCH -> POST\n"
			   "[location /lose]\n"
			   "allow = POST GET\n"
			   "rewrite_method = POST -> GET\n"
			   "[location /any]\n"
			   "allow = @rest @query PURGE\n"
			   "[location /keep]\n"
			   "allow = @rest @query\n"
			   "redirects = preserve\n"
			   "[location /pass]\n"
			   "allow = @rest @query\n"
			   "redirects = pass\n"
			   "[location /dav]\n"
			   "allow = @webdav POST\n";

static const char watched[] = "[gate]\n"
			      "access_log = off\n"
			      "[site]\n"
			      "listen = 127.0.0.1:7999\n"
			      "host = example.org\n"
			      "mode = report\n"
			      "upstream = app\n"
			      "flag_header = X-Flags\n"
			      "[upstream app]\n"
			      "server = 127.0.0.1:8003\n"
			      "[location /one]\n"
			      "allow = GET\n";

static const char fronted[] = "[gate]\n"
			      "access_log = off\n"
			      "trusted_proxies = 192.0.2.0/24\n"
			      "[site]\n"
			      "listen = 127.0.0.1:7999\n"
			      "upstream = app\n"
			      "[upstream app]\n"
			      "server = 127.0.0.1:8004 send-proxy\n"
			      "server = 127.0.0.1:8005 send-proxy-v2\n"
			      "server = 127.0.0.1:8006\n"
			      "[location /]\n"
			      "allow = GET\n";

static struct loop loop;
static struct record record;
static struct exchange_env env;
static struct door door;
static struct config *config;
static struct servers *servers;
static struct fake_client client;

static void
set_up_with(const char *ini)
{
	struct config_report report;

	config = config_read_text("test.ini", slice_of(ini), &report);
	if (config == NULL)
		config_report_print(&report, stderr);
	ck_assert_ptr_nonnull(config);
	config_report_done(&report);
	loop_init(&loop);
	record_init(&record, &loop);
	record_set(&record, &config->gate, NULL);
	exchange_env_init(&env, &loop);
	servers = servers_new();
	env.generation =
	    generation_new(config, fake_servers_upstreams(servers, config));
	door = (struct door){
	    .listen = config->listens[0], .generation = env.generation};
	env.record = &record;
	env.carriers[TRANSPORT_NATIVE] =
	    (struct carrier){fake_transport_open, NULL, true};
	env.carriers[TRANSPORT_EVHTTP] = env.carriers[TRANSPORT_NATIVE];
	fake_client_init(&client, &loop, &exchange_events, &env, &door);
}

static void
set_up(void)
{
	set_up_with(text);
}

static void
set_up_watched(void)
{
	set_up_with(watched);
}

static void
set_up_fronted(void)
{
	set_up_with(fronted);
}

/* What a streaming transport carries: anything. */
static void
stream(void)
{
	env.carriers[TRANSPORT_NATIVE].holds = false;
}

static void
play(const struct fake_script *scripts, unsigned count)
{
	fake_upstream_play(scripts, count);
	env.carriers[TRANSPORT_NATIVE].holds = scripts[0].holds_body;
}

/* Everything that can happen without time going by. */
static void
settle(void)
{
	for (int i = 0; i < 300; i++)
		event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* Nothing is left of any exchange. */
static void
tear_down(void)
{
	settle();
	ck_assert_uint_eq(env.live, 0);
	ck_assert_uint_eq(fake_upstream.live, 0);
	ck_assert_uint_eq(loop.armed, 0);
	fake_client_done(&client);
	exchange_env_done(&env);
	ck_assert_uint_eq(env.generation->uses, 1);
	generation_leave(env.generation);
	servers_free(servers);
	record_done(&record);
	loop_done(&loop);
	ck_assert_uint_eq(config->refs, 1);
	config_unref(config);
}

static void
until_over(void)
{
	for (int i = 0; !fake_client_over(&client) && i < TURNS; i++)
		event_base_loop(loop.base, EVLOOP_ONCE);
	ck_assert(fake_client_over(&client));
}

static void
until(const unsigned *seen, unsigned wanted)
{
	for (int i = 0; *seen < wanted && i < TURNS; i++)
		event_base_loop(loop.base, EVLOOP_ONCE);
	ck_assert_uint_ge(*seen, wanted);
}

static void
next_client(void)
{
	settle();
	fake_client_done(&client);
	fake_client_init(&client, &loop, &exchange_events, &env, &door);
}

static void
expect_answer(int status, const char *body)
{
	ck_assert_int_eq(client.status, status);
	ck_assert(client.ended);
	if (body != NULL) {
		ck_assert_uint_eq(client.body_len, strlen(body));
		ck_assert_mem_eq(client.body, body, client.body_len);
	}
}

static void
expect_abort(enum reason why)
{
	ck_assert(client.aborted);
	ck_assert_str_eq(reason_word(client.why), reason_word(why));
	ck_assert_uint_eq(record.count.reasons[why], 1);
}

static void
expect_has(const char *where, const char *what)
{
	ck_assert_msg(
	    strstr(where, what) != NULL, "no '%s' in\n%s", what, where);
}

static void
expect_lacks(const char *where, const char *what)
{
	ck_assert_msg(strstr(where, what) == NULL, "'%s' in\n%s", what, where);
}

START_TEST(a_request_goes_up_and_its_response_comes_back)
{
	static const struct fake_script script[] = {
	    {.response = "HTTP/1.1 201 Made\r\nContent-Length: 5\r\n"
			 "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"
			 "X-Own: 2\r\n\r\nhello"}};

	play(script, COUNT(script));
	fake_client_open(&client, GET("/app/a%2f?b"), "");
	until_over();
	expect_answer(201, "hello");
	ck_assert(!client.close);
	expect_has(client.head, "X-Own: 2\r\n");
	expect_lacks(client.head, "X-Hop");
	expect_lacks(client.head, "Content-Length");
	expect_has(fake_upstream.head, "GET /app/a%2f?b HTTP/1.1\r\n");
	expect_has(fake_upstream.head, "X-Forwarded-For: 192.0.2.7\r\n");
	ck_assert_int_eq(fake_upstream.plan.kind, BODY_NONE);
	ck_assert_uint_eq(record.count.requests, 1);
	ck_assert_uint_eq(record.count.forwarded, 1);
	ck_assert_uint_eq(fake_upstream.cancelled, 0);
}
END_TEST

START_TEST(a_body_goes_up_byte_by_byte_as_the_transport_takes_it)
{
	static const struct fake_script script[] = {
	    {.response = HELLO}, {.response = HELLO, .holds_body = true}};

	for (unsigned i = 0; i < COUNT(script); i++) {
		next_client();
		play(&script[i], 1);
		fake_client_open(&client, POST("/app", "10"), "0123456789");
		until_over();
		expect_answer(200, "hello");
		ck_assert_uint_eq(fake_upstream.body_len, 10);
		ck_assert_mem_eq(fake_upstream.body, "0123456789", 10);
		ck_assert_uint_gt(client.pauses, 5);
		ck_assert_uint_eq(client.wants, 1);
	}
}
END_TEST

START_TEST(a_client_that_expects_100_is_asked_for_its_body)
{
	static const struct fake_script script[] = {
	    {.response = HELLO}, {.response = HELLO, .holds_body = true}};

	for (unsigned i = 0; i < COUNT(script); i++) {
		next_client();
		play(&script[i], 1);
		fake_client_open(&client,
		    "POST /app HTTP/1.1\r\nHost: example.org\r\n"
		    "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
		    "ab");
		until_over();
		expect_answer(200, "hello");
		expect_lacks(fake_upstream.head, "Expect");
	}
}
END_TEST

START_TEST(interim_responses_go_through)
{
	static const struct fake_script script[] = {
	    {.response = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
			 "HTTP/1.1 102 Processing\r\n\r\n" HELLO}};

	play(script, COUNT(script));
	fake_client_open(&client, GET("/app"), "");
	until_over();
	expect_answer(200, "hello");
	ck_assert_uint_eq(client.interims, 2);
}
END_TEST

START_TEST(responses_are_delimited_in_every_way)
{
	static const struct {
		struct fake_script script;
		const char *request, *body;
		enum body_kind kind;
	} rows[] = {
	    {{.response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
			  "\r\n3\r\nabc\r\n1;x\r\nd\r\n0\r\nT: 1\r\n\r\n"},
		GET("/app"), "abcd", BODY_CHUNKED},
	    {{.response = "HTTP/1.0 200 OK\r\n\r\nabc"}, GET("/app"), "abc",
		BODY_CLOSE},
	    {{.response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
		GET("/app"), "", BODY_NONE},
	    {{.response = "HTTP/1.1 204 No Content\r\n\r\n"}, GET("/app"), "",
		BODY_NONE},
	    {{.response = "HTTP/1.1 304 Not Modified\r\n"
			  "Content-Length: 7\r\n\r\n"},
		GET("/app"), "", BODY_NONE},
	    {{.response = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"},
		"HEAD /app HTTP/1.1\r\nHost: example.org\r\n\r\n", "",
		BODY_NONE},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		next_client();
		play(&rows[i].script, 1);
		fake_client_open(&client, rows[i].request, "");
		until_over();
		expect_answer(client.status, rows[i].body);
		ck_assert_int_eq(client.plan.kind, rows[i].kind);
	}
}
END_TEST

/* Each is answered here: nothing is opened. */
static const struct {
	const char *request;
	int status;
	enum reason reason;
	bool closes;
	const char *has; /* in the head */
} answers[] = {
    {GET("/-/ping"), 200, REASON_PING, false, "text/plain"},
    {"DELETE /read HTTP/1.1\r\nHost: example.org\r\n\r\n", 405,
	REASON_METHOD_NOT_ALLOWED, false, "Allow: GET, HEAD, OPTIONS\r\n"},
    {"OPTIONS /read HTTP/1.1\r\nHost: example.org\r\n\r\n", 204,
	REASON_OPTIONS_ANSWERED, false, "Allow: GET, HEAD, OPTIONS\r\n"},
    {"REPORT /read HTTP/1.1\r\nHost: example.org\r\n\r\n", 501,
	REASON_METHOD_UNSUPPORTED, false, "Cache-Control: no-store\r\n"},
    {"FLY /read HTTP/1.1\r\nHost: example.org\r\n\r\n", 501,
	REASON_METHOD_UNKNOWN, false, ""},
    {"get /read HTTP/1.1\r\nHost: example.org\r\n\r\n", 501, REASON_METHOD_CASE,
	false, ""},
    {GET("/elsewhere"), 404, REASON_NO_LOCATION, false, ""},
    {"GET /read HTTP/1.1\r\nHost: other.example\r\n\r\n", 421,
	REASON_UNKNOWN_HOST, false, ""},
    {POST("/small", "6"), 413, REASON_BODY_TOO_LARGE, true, ""},
    {"GET /read HTTP/1.1\r\n\r\n", 400, REASON_MALFORMED_HOST, true, ""},
    {"GET /read HTTP/1.1\r\nHost: example.org\r\nBad : 1\r\n\r\n", 400,
	REASON_MALFORMED_FIELD_NAME, true, ""},
    {"GET\r\n\r\n", 400, REASON_MALFORMED_REQUEST_LINE, true, ""},
    {"GET / HTTP/3.0\r\n\r\n", 505, REASON_VERSION_UNSUPPORTED, true, ""},
};

START_TEST(each_verdict_is_answered_here)
{
	static const struct fake_script script[] = {{.response = HELLO}};
	int status = answers[_i].status;

	play(script, COUNT(script));
	fake_client_open(&client, answers[_i].request, "");
	until_over();
	expect_answer(status, NULL);
	ck_assert_int_eq(client.close, answers[_i].closes);
	expect_has(client.head, answers[_i].has);
	expect_has(client.head, "X-Request-Id: ");
	ck_assert_int_eq(client.body_len > 0, status != 204);
	ck_assert_uint_eq(fake_upstream.opened, 0);
	ck_assert_uint_eq(record.count.requests, 1);
	ck_assert_uint_eq(record.count.forwarded, 0);
	ck_assert_uint_eq(record.count.reasons[answers[_i].reason], 1);
	ck_assert_uint_eq(record.count.answered_405, status == 405);
	ck_assert_uint_eq(record.count.answered_501, status == 501);
	ck_assert_uint_eq(record.count.upstream_failed, 0);
}
END_TEST

START_TEST(an_answer_to_head_has_no_body)
{
	static const struct fake_script script[] = {{.response = HELLO}};

	play(script, COUNT(script));
	fake_client_open(
	    &client, "HEAD /small HTTP/1.1\r\nHost: example.org\r\n\r\n", "");
	until_over();
	expect_answer(405, "");
	ck_assert_int_eq(client.plan.kind, BODY_NONE);
	expect_has(client.head, "Content-Length: ");
}
END_TEST

/* The request's head is gone by the time the answer is; its body still comes
 * and is let go by. */
START_TEST(an_answer_waits_for_a_client_that_takes_nothing)
{
	static const struct fake_script script[] = {{.response = HELLO}};

	play(script, COUNT(script));
	client.full = true;
	fake_client_open(&client, POST("/read/some", "4"), "abcd");
	settle();
	ck_assert_int_eq(client.status, 405);
	ck_assert(!fake_client_over(&client));
	ck_assert_uint_eq(client.upload.len, 0);
	ck_assert_uint_eq(env.live, 1);
	fake_client_take(&client);
	until_over();
	expect_answer(405, NULL);
}
END_TEST

START_TEST(a_client_that_goes_while_it_is_answered_is_let_go)
{
	static const struct fake_script script[] = {{.response = HELLO}};

	play(script, COUNT(script));
	client.full = true;
	fake_client_open(&client, GET("/elsewhere"), "");
	settle();
	fake_client_break(&client, REASON_CLIENT_CLOSED);
	expect_abort(REASON_CLIENT_CLOSED);
}
END_TEST

START_TEST(a_refused_connection_leads_to_the_next_server)
{
	static const struct fake_script script[] = {
	    {.refuses = true, .why = REASON_UPSTREAM_REFUSED},
	    {.response = HELLO}};

	play(script, COUNT(script));
	fake_client_open(&client, GET("/app"), "");
	until_over();
	expect_answer(200, "hello");
	ck_assert_uint_eq(fake_upstream.opened, 2);
	ck_assert_uint_eq(addr_port(&fake_upstream.server), 8002);
	ck_assert_uint_eq(record.count.upstream_failed, 0);
}
END_TEST

START_TEST(servers_take_turns)
{
	static const struct fake_script script[] = {{.response = HELLO}};
	static const uint16_t ports[] = {8001, 8002, 8001};

	play(script, COUNT(script));
	for (size_t i = 0; i < COUNT(ports); i++) {
		next_client();
		fake_client_open(&client, GET("/app"), "");
		until_over();
		ck_assert_uint_eq(addr_port(&fake_upstream.server), ports[i]);
	}
}
END_TEST

#define SENT_2 "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
#define TO_GATE "\xc6\x33\x64\x07"

/* Each server is told in its own way who the client is, or not at all. */
START_TEST(servers_are_told_of_the_client_before_the_request)
{
	static const struct fake_script script[] = {{.response = HELLO}};
	static const struct {
		const char *request;
		struct slice prefaces[3];
	} told[] = {
	    {GET("/"),
		{SLICE("PROXY TCP4 192.0.2.7 198.51.100.7 50000 443\r\n"),
		    {SENT_2 "\xc0\x00\x02\x07" TO_GATE "\xc3\x50\x01\xbb", 28},
		    SLICE("")}},
	    {"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.5\r\n"
	     "\r\n",
		{SLICE("PROXY TCP4 203.0.113.5 198.51.100.7 0 443\r\n"),
		    {SENT_2 "\xcb\x00\x71\x05" TO_GATE "\0\0\x01\xbb", 28},
		    SLICE("")}},
	};

	play(script, COUNT(script));
	for (unsigned i = 0; i < 3; i++) {
		struct slice want = told[_i].prefaces[i];

		next_client();
		fake_client_open(&client, told[_i].request, "");
		until_over();
		ck_assert_uint_eq(addr_port(&fake_upstream.server), 8004 + i);
		ck_assert_uint_eq(fake_upstream.preface_len, want.len);
		ck_assert_mem_eq(fake_upstream.preface, want.at, want.len);
		/* such a connection has been, and will be, nobody else's */
		ck_assert((fake_upstream.keep.max == 0) == (want.len > 0));
		ck_assert((fake_upstream.max_idle == 0) == (want.len > 0));
	}
}
END_TEST

/* A unix socket has no address to be told. */
START_TEST(a_client_without_an_address_is_told_as_unknown)
{
	static const struct fake_script script[] = {
	    {.refuses = true, .why = REASON_UPSTREAM_REFUSED},
	    {.response = HELLO}};
	struct slice want = {"\r\n\r\n\0\r\nQUIT\n\x21\x00\0\0", 16};

	play(script, COUNT(script));
	client.peer = (struct addr){.len = sizeof(sa_family_t)};
	client.peer.sa.ss_family = AF_UNIX;
	fake_client_open(&client, GET("/"), "");
	until_over();
	/* of the second server: the first was told in another way */
	ck_assert_uint_eq(addr_port(&fake_upstream.server), 8005);
	ck_assert_uint_eq(fake_upstream.preface_len, want.len);
	ck_assert_mem_eq(fake_upstream.preface, want.at, want.len);
}
END_TEST

START_TEST(with_no_server_left_the_gate_answers)
{
	static const struct fake_script script[] = {
	    {.refuses = true, .why = REASON_UPSTREAM_REFUSED}};

	play(script, COUNT(script));
	fake_client_open(&client, GET("/app"), "");
	until_over();
	expect_answer(502, NULL);
	ck_assert(!client.close);
	ck_assert_uint_eq(fake_upstream.opened, 2);
	ck_assert_uint_eq(record.count.requests, 1);
	ck_assert_uint_eq(record.count.upstream_failed, 1);
	ck_assert_uint_eq(record.count.reasons[REASON_UPSTREAM_REFUSED], 1);
}
END_TEST

/* Each tries both: with the third both are down, for five seconds. */
START_TEST(with_all_servers_down_the_gate_answers_at_once)
{
	static const struct fake_script refuses[] = {
	    {.refuses = true, .why = REASON_UPSTREAM_REFUSED}};
	static const struct fake_script hangs[] = {{.hangs = true}};
	static const struct fake_script works[] = {{.response = HELLO}};

	play(_i == 0 ? refuses : hangs, 1);
	for (unsigned i = 1; i <= 3; i++) {
		next_client();
		fake_client_open(&client, GET("/app"), "");
		if (_i == 1) {
			fake_clock_advance(1500);
			until(&fake_upstream.opened, 2 * i);
			fake_clock_advance(1500);
		}
		until_over();
		expect_answer(_i == 0 ? 502 : 504, NULL);
	}
	for (unsigned i = 0; i < 2; i++) {
		next_client();
		fake_client_open(&client,
		    i == 0 ? GET("/app") : POST("/app", "1"),
		    i == 0 ? "" : "a");
		until_over();
		expect_answer(503, NULL);
		expect_has(client.head, "Retry-After: ");
		expect_lacks(client.head, "Retry-After: 1");
	}
	ck_assert_uint_eq(fake_upstream.opened, 6);
	ck_assert_uint_eq(record.count.reasons[REASON_UPSTREAM_UNAVAILABLE], 2);
	ck_assert_uint_eq(record.count.upstream_failed, 5);
	fake_clock_advance(5001);
	play(works, 1);
	for (unsigned i = 0; i < 4; i++) {
		next_client();
		fake_client_open(&client, GET("/app"), "");
		until_over();
		expect_answer(200, "hello");
	}
}
END_TEST

/* Connects that work in between end the row. */
START_TEST(servers_that_fail_now_and_then_stay_up)
{
	static const struct fake_script refuses[] = {
	    {.refuses = true, .why = REASON_UPSTREAM_REFUSED}};
	static const struct fake_script works[] = {{.response = HELLO}};

	for (unsigned i = 0; i < 6; i++) {
		settle();
		play(refuses, 1);
		next_client();
		fake_client_open(&client, GET("/app"), "");
		until_over();
		expect_answer(502, NULL);
		settle();
		play(works, 1);
		for (unsigned j = 0; j < 2; j++) {
			next_client();
			fake_client_open(&client, GET("/app"), "");
			until_over();
			expect_answer(200, "hello");
		}
	}
}
END_TEST

START_TEST(a_body_that_is_gone_is_not_sent_to_another_server)
{
	static const struct fake_script script[] = {
	    {.refuses = true,
		.holds_body = true,
		.why = REASON_UPSTREAM_REFUSED},
	    {.response = HELLO}};

	play(script, COUNT(script));
	fake_client_open(&client, POST("/app", "3"), "abc");
	until_over();
	expect_answer(502, NULL);
	ck_assert_uint_eq(fake_upstream.opened, 1);
}
END_TEST

START_TEST(a_request_that_may_have_been_seen_is_not_repeated)
{
	static const struct fake_script first[] = {
	    {.response = "", .why = REASON_UPSTREAM_CLOSED},
	    {.refuses = true, .sent = true, .why = REASON_UPSTREAM_CLOSED}};

	for (unsigned i = 0; i < COUNT(first); i++) {
		const struct fake_script script[] = {
		    first[i], {.response = HELLO}};

		next_client();
		play(script, COUNT(script));
		fake_client_open(&client, GET("/app"), "");
		until_over();
		expect_answer(502, NULL);
		ck_assert_uint_eq(fake_upstream.opened, 1);
	}
	ck_assert_uint_eq(record.count.reasons[REASON_UPSTREAM_CLOSED], 2);
}
END_TEST

START_TEST(a_connect_that_takes_too_long_leads_to_the_next_server)
{
	static const struct fake_script script[] = {
	    {.hangs = true}, {.response = HELLO}};

	play(script, COUNT(script));
	fake_client_open(&client, GET("/app"), "");
	fake_clock_advance(500);
	settle();
	ck_assert_uint_eq(fake_upstream.opened, 1);
	fake_clock_advance(1000);
	until_over();
	expect_answer(200, "hello");
	ck_assert_uint_eq(fake_upstream.opened, 2);
	ck_assert_uint_eq(fake_upstream.cancelled, 1);
}
END_TEST

START_TEST(connects_that_take_too_long_are_a_504)
{
	static const struct fake_script script[] = {{.hangs = true}};

	play(script, COUNT(script));
	fake_client_open(&client, GET("/app"), "");
	fake_clock_advance(1500);
	until(&fake_upstream.opened, 2);
	fake_clock_advance(1500);
	until_over();
	expect_answer(504, NULL);
	ck_assert_uint_eq(
	    record.count.reasons[REASON_UPSTREAM_CONNECT_TIMEOUT], 1);
}
END_TEST

START_TEST(a_response_that_does_not_come_is_a_504)
{
	static const struct fake_script script[] = {{.response = NULL}};

	play(script, COUNT(script));
	fake_client_open(&client, GET("/app"), "");
	settle();
	fake_clock_advance(1500);
	settle();
	ck_assert_int_eq(client.status, 0);
	fake_clock_advance(1000);
	until_over();
	expect_answer(504, NULL);
	ck_assert_uint_eq(fake_upstream.opened, 1);
	ck_assert_uint_eq(record.count.reasons[REASON_UPSTREAM_TIMEOUT], 1);
}
END_TEST

/* Five seconds in all, with two for the response. */
START_TEST(a_response_is_not_due_while_the_request_goes_out)
{
	static const struct fake_script script[] = {{.response = HELLO}};

	play(script, COUNT(script));
	fake_client_open(&client, POST("/app", "5"), "");
	for (int i = 0; i < 5; i++) {
		settle();
		fake_clock_advance(1000);
		settle();
		ck_assert_int_eq(client.status, 0);
		fake_client_give(&client, "x");
	}
	until_over();
	expect_answer(200, "hello");
}
END_TEST

START_TEST(a_request_body_that_nobody_takes_ends_at_the_deadline)
{
	static const struct fake_script script[] = {
	    {.response = HELLO, .takes_none = true}};

	play(script, COUNT(script));
	fake_client_open(&client, POST("/app", "5"), "abcde");
	settle();
	ck_assert(client.paused);
	fake_clock_advance(2500);
	until_over();
	expect_answer(504, NULL);
}
END_TEST

START_TEST(a_response_that_stops_in_the_middle_is_aborted)
{
	static const struct fake_script script[] = {
	    {.response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
		.stalls = true}};

	play(script, COUNT(script));
	fake_client_open(&client, GET("/app"), "");
	settle();
	ck_assert_uint_eq(client.body_len, 3);
	fake_clock_advance(3500);
	until_over();
	expect_abort(REASON_UPSTREAM_BODY_TIMEOUT);
	ck_assert_uint_eq(fake_upstream.cancelled, 1);
}
END_TEST

START_TEST(the_transport_waits_for_a_client_that_takes_nothing)
{
	static const struct fake_script script[] = {{.response = HELLO}};

	play(script, COUNT(script));
	fake_client_open(&client, GET("/app"), "");
	until(&client.room, 1);
	client.full = true;
	settle();
	ck_assert_uint_lt(client.body_len, 5);
	/* the client's own deadline counts, not the upstream's */
	fake_clock_advance(10000);
	settle();
	ck_assert(!fake_client_over(&client));
	fake_client_take(&client);
	until_over();
	expect_answer(200, "hello");
}
END_TEST

/* What the upstream does before its response's head, and the answer. */
static const struct {
	struct fake_script script;
	int status;
	enum reason reason;
} failures[] = {
    {{.response = "", .why = REASON_UPSTREAM_CLOSED}, 502,
	REASON_UPSTREAM_CLOSED},
    {{.response = "", .why = REASON_UPSTREAM_MALFORMED}, 502,
	REASON_UPSTREAM_MALFORMED},
    {{.response = "", .why = REASON_UPSTREAM_HEAD_TOO_LARGE}, 502,
	REASON_UPSTREAM_HEAD_TOO_LARGE},
    {{.response = "HTTP/1.1 103 Early Hints\r\n\r\n",
	 .why = REASON_UPSTREAM_MALFORMED},
	502, REASON_UPSTREAM_MALFORMED},
};

START_TEST(an_upstream_that_breaks_before_its_head_is_answered_for)
{
	play(&failures[_i].script, 1);
	fake_client_open(&client, GET("/app"), "");
	until_over();
	expect_answer(failures[_i].status, NULL);
	ck_assert_uint_eq(record.count.reasons[failures[_i].reason], 1);
	ck_assert_uint_eq(record.count.upstream_failed, 1);
}
END_TEST

static const struct fake_script truncated[] = {
    {.response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"},
    {.response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
    {.response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "3\r\nhel\r\n0\r\n"},
    {.response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "3\r\nhel\rx"},
    {.response = "HTTP/1.1 200 OK\r\n\r\nhel", .why = REASON_UPSTREAM_CLOSED},
};

START_TEST(a_truncated_response_never_looks_complete)
{
	play(&truncated[_i], 1);
	fake_client_open(&client, GET("/app"), "");
	until_over();
	expect_abort(REASON_UPSTREAM_TRUNCATED);
	ck_assert_int_eq(client.status, 200);
}
END_TEST

/* One row for each state in which a client can leave. */
static const struct {
	struct fake_script script;
	const char *request, *body;
} stages[] = {
    {{.response = HELLO, .holds_body = true}, POST("/app", "9"), "ab"},
    {{.hangs = true}, GET("/app"), ""},
    {{.hangs = true}, POST("/app", "9"), "ab"},
    {{.response = NULL}, GET("/app"), ""},
    {{.response = HELLO}, POST("/app", "9"), "ab"},
    {{.response = HELLO, .takes_none = true}, POST("/app", "9"), "ab"},
    {{.response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
	 .stalls = true},
	GET("/app"), ""},
};

START_TEST(a_client_that_goes_takes_its_exchange_along)
{
	play(&stages[_i].script, 1);
	fake_client_open(&client, stages[_i].request, stages[_i].body);
	settle();
	ck_assert_uint_eq(env.live, 1);
	fake_client_break(&client, REASON_CLIENT_CLOSED);
	expect_abort(REASON_CLIENT_CLOSED);
	ck_assert_uint_eq(fake_upstream.cancelled, 1);
	ck_assert_uint_eq(record.count.client_failed, 1);
}
END_TEST

START_TEST(a_body_that_comes_too_late_is_answered_and_aborts_the_upstream)
{
	static const enum reason reasons[] = {REASON_CLIENT_BODY_TIMEOUT,
	    REASON_CLIENT_MIN_RATE, REASON_MALFORMED_CHUNK};
	static const struct fake_script script[] = {{.response = HELLO},
	    {.response = HELLO, .holds_body = true},
	    {.response = HELLO, .hangs = true}};

	for (size_t i = 0; i < COUNT(reasons); i++) {
		next_client();
		play(&script[i], 1);
		fake_client_open(&client, POST("/app", "9"), "ab");
		settle();
		fake_client_break(&client, reasons[i]);
		until_over();
		expect_answer(reason_status(reasons[i]), NULL);
		ck_assert(client.close);
		ck_assert_uint_eq(fake_upstream.cancelled, 1);
		ck_assert_uint_eq(fake_upstream.complete, 0);
	}
}
END_TEST

START_TEST(a_late_body_after_an_early_head_aborts_both_sides)
{
	static const struct fake_script script[] = {
	    {.response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
		.early = true,
		.stalls = true}};

	play(script, COUNT(script));
	fake_client_open(&client, POST("/app", "9"), "ab");
	settle();
	ck_assert_int_eq(client.status, 200);
	fake_client_break(&client, REASON_CLIENT_BODY_TIMEOUT);
	expect_abort(REASON_CLIENT_BODY_TIMEOUT);
	ck_assert_uint_eq(fake_upstream.cancelled, 1);
}
END_TEST

START_TEST(an_early_response_ends_the_exchange)
{
	static const struct fake_script script[] = {
	    {.response = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n"
			 "\r\nno",
		.early = true}};

	play(script, COUNT(script));
	fake_client_open(&client, POST("/app", "9"), "ab");
	until_over();
	expect_answer(403, "no");
	ck_assert(!fake_upstream.request_done);
}
END_TEST

START_TEST(both_directions_flow_at_once)
{
	static const struct fake_script script[] = {
	    {.response = HELLO, .early = true, .stalls = true}};

	play(script, COUNT(script));
	fake_client_open(&client, POST("/app", "6"), "abcdef");
	settle();
	ck_assert_uint_eq(client.body_len, 5);
	ck_assert_uint_eq(fake_upstream.body_len, 6);
	ck_assert(fake_upstream.request_done);
	fake_client_break(&client, REASON_CLIENT_CLOSED);
}
END_TEST

/* The fake gives more than its plan says, as a chunked body would. */
START_TEST(a_body_over_its_limit_is_cut_in_the_middle)
{
	static const struct fake_script script[] = {{.response = HELLO}};

	play(script, COUNT(script));
	fake_client_open(&client, POST("/small", "4"), "abcdefgh");
	client.body_left = 8;
	until_over();
	expect_answer(413, NULL);
	ck_assert(client.close);
	ck_assert_uint_eq(fake_upstream.body_len, 5);
	ck_assert_uint_eq(fake_upstream.cancelled, 1);
	ck_assert(!fake_upstream.request_done);
	ck_assert_uint_eq(record.count.reasons[REASON_BODY_TOO_LARGE], 1);
}
END_TEST

START_TEST(a_draining_gate_ends_connections_with_their_answers)
{
	static const struct fake_script script[] = {{.response = HELLO}};
	static const char *const requests[] = {GET("/app"), GET("/elsewhere")};

	play(script, COUNT(script));
	env.draining = true;
	for (size_t i = 0; i < COUNT(requests); i++) {
		next_client();
		fake_client_open(&client, requests[i], "");
		until_over();
		ck_assert(client.close);
	}
}
END_TEST

/* ---- bodies that may name a method ---- */

static bool
has_bytes(const char *bytes)
{
	return fake_upstream.body_len == strlen(bytes) &&
	       memcmp(fake_upstream.body, bytes, strlen(bytes)) == 0;
}

/* However the length was told, that many bytes come. */
static void
open_body(const char *head, const char *body, size_t length)
{
	fake_client_open(&client, head, body);
	client.body_left = length;
}

START_TEST(a_short_form_is_read_before_a_server_is_reached)
{
	static const struct fake_script script[] = {{.response = HELLO}};

	play(script, COUNT(script));
	fake_client_open(&client, FORM("/form", "11"), "a=1&b=2345");
	settle();
	ck_assert_uint_eq(client.upload.len, 0);
	ck_assert_uint_eq(fake_upstream.opened, 0);
	ck_assert_uint_eq(client.pauses, 0);
	fake_client_give(&client, "6");
	until_over();
	expect_answer(200, "hello");
	ck_assert(has_bytes("a=1&b=23456"));
	ck_assert(fake_upstream.request_done);
	ck_assert_uint_eq(fake_upstream.plan.length, 11);
}
END_TEST

static unsigned let_go;

static void
on_let_go(void *arg, struct config *old)
{
	ck_assert_ptr_eq(arg, &let_go);
	config_unref(old);
	let_go++;
}

/* Without locations: nothing of it would be forwarded. */
static struct config *
other_config(void)
{
	struct config_report report;
	struct config *other = config_read_text("other.ini",
	    SLICE("[site]\nlisten = 127.0.0.1:8000\nupstream = app\n"
		  "[upstream app]\nserver = 127.0.0.1:8009\n"
		  "[location /only]\nallow = PUT\n"),
	    &report);

	ck_assert_ptr_nonnull(other);
	config_report_done(&report);
	return other;
}

/* The server is chosen, and the form judged, after the change. */
START_TEST(an_exchange_ends_by_the_rules_that_it_began_with)
{
	static const struct fake_script script[] = {{.response = HELLO}};
	struct generation *old = env.generation;
	struct config *other = other_config();

	let_go = 0;
	old->let_go = on_let_go;
	old->arg = &let_go;
	config_ref(config);
	play(script, COUNT(script));
	fake_client_open(&client, FORM("/form", "11"), "a=1&b=2345");
	settle();
	ck_assert_uint_eq(old->uses, 2);

	env.generation =
	    generation_new(other, fake_servers_upstreams(servers, other));
	door = (struct door){
	    .listen = other->listens[0], .generation = env.generation};
	generation_leave(old);
	ck_assert_uint_eq(let_go, 0);
	fake_client_give(&client, "6");
	until_over();
	expect_answer(200, "hello");
	ck_assert_uint_eq(addr_port(&fake_upstream.server), 8001);
	settle();
	ck_assert_uint_eq(let_go, 1);
	config_unref(config);

	next_client();
	fake_client_open(&client, FORM("/form", "3"), "a=1");
	until_over();
	expect_answer(501, NULL);
	config_unref(other);
}
END_TEST

START_TEST(form_hold_itself_is_still_short)
{
	static const struct fake_script script[] = {{.response = HELLO}};

	play(script, COUNT(script));
	fake_client_open(&client, FORM("/long", "8"), "a=1&b=2");
	settle();
	ck_assert_uint_eq(client.upload.len, 0);
	ck_assert_uint_eq(fake_upstream.opened, 0);
	fake_client_give(&client, "3");
	until_over();
	expect_answer(200, "hello");
	ck_assert(has_bytes("a=1&b=23"));
}
END_TEST

START_TEST(a_longer_or_chunked_form_streams_but_for_its_last_byte)
{
	static const struct fake_script script[] = {{.response = HELLO}};
	static const char *const heads[] = {
	    FORM("/long", "9"), CHUNKED("/long"), CHUNKED("/form")};

	stream();
	for (size_t i = 0; i < COUNT(heads); i++) {
		next_client();
		play(script, COUNT(script));
		open_body(heads[i], "a=1&b=23", 9);
		settle();
		ck_assert_uint_eq(client.upload.len, 0);
		ck_assert(has_bytes("a=1&b=2"));
		ck_assert(!fake_upstream.request_done);
		fake_client_give(&client, "4");
		until_over();
		expect_answer(200, "hello");
		ck_assert(has_bytes("a=1&b=234"));
		ck_assert(fake_upstream.request_done);
	}
}
END_TEST

/* It may be chunked, and end without any byte. */
START_TEST(an_empty_body_is_complete_at_once)
{
	static const struct fake_script script[] = {{.response = HELLO}};

	stream();
	play(script, COUNT(script));
	fake_client_open(&client, CHUNKED("/form"), "");
	settle();
	ck_assert_uint_eq(fake_upstream.opened, 1);
	ck_assert(!fake_upstream.request_done);
	exchange_events.end(client.client.owner, NULL);
	until_over();
	expect_answer(200, "hello");
	ck_assert_uint_eq(fake_upstream.body_len, 0);
}
END_TEST

/* The field stands at the very end, which tells that its value is complete. */
#define SPLIT(text) text, sizeof(text) - 1
#define PART                                                                   \
	"--b\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\n"      \
	"DELETE\r\n--b--\r\n"
static const struct {
	const char *head, *body;
	size_t length, left; /* left: not needed any more */
	bool streams;	     /* but for its last byte */
} forbidden[] = {
    {FORM("/form", "18"), SPLIT("a=1&_method=DELETE"), 0, false},
    {FORM("/long", "18"), SPLIT("a=1&_method=DELETE"), 0, true},
    {CHUNKED("/form"), SPLIT("a=1&_method=DELETE"), 0, true},
    {TYPED("/form", "application/json", "20"),
	SPLIT("{\"_method\":\"DELETE\"}"), 1, false},
    {TYPED("/long", "application/json", "20"),
	SPLIT("{\"_method\":\"DELETE\"}"), 1, true},
    {TYPED("/form", "multipart/form-data; boundary=b", "70"), SPLIT(PART), 4,
	false},
    {TYPED("/long", "multipart/form-data; boundary=b", "70"), SPLIT(PART), 4,
	true},
    {CHUNKED("/long"), SPLIT("_method=DELETE"), 0, true},
    /* or at the start */
    {FORM("/form", "16"), SPLIT("_method=DELETE&a"), 1, false},
    {FORM("/long", "40"), SPLIT("_method=DELETE&aaaaaaaaaaaaaaaaaaaaaaaaa"), 25,
	true},
    {CHUNKED("/form"), SPLIT("_method=DELETE&aaaaaaaaaaaaaaaaaaaaaaaaa"), 25,
	true},
};

START_TEST(a_form_with_a_forbidden_field_is_never_completed)
{
	static const struct fake_script script[] = {{.response = HELLO}};
	size_t seen = forbidden[_i].length - forbidden[_i].left;
	bool streams = forbidden[_i].streams;

	stream();
	play(script, COUNT(script));
	open_body(forbidden[_i].head, forbidden[_i].body, forbidden[_i].length);
	until_over();
	expect_answer(403, NULL);
	expect_has(client.body, "override_not_allowed");
	ck_assert(!client.close);
	ck_assert_uint_eq(fake_upstream.opened, streams);
	ck_assert_uint_eq(fake_upstream.cancelled, streams);
	ck_assert_uint_eq(fake_upstream.body_len, streams ? seen - 1 : 0);
	ck_assert(!fake_upstream.request_done);
	ck_assert_uint_eq(record.count.reasons[REASON_OVERRIDE_NOT_ALLOWED], 1);
	ck_assert_uint_eq(record.count.flags[FLAG_OVERRIDE_BODY], 1);
	ck_assert_uint_eq(record.count.forwarded, streams);
	ck_assert_uint_eq(record.count.answered_other, 1);
}
END_TEST

/* It takes the body and waits for the end, which never comes. */
START_TEST(a_transport_that_holds_the_body_is_cancelled_unconnected)
{
	static const struct fake_script script[] = {
	    {.response = HELLO, .holds_body = true}};

	play(script, COUNT(script));
	fake_client_open(&client, FORM("/long", "14"), "_method=DELETE");
	until_over();
	expect_answer(403, NULL);
	ck_assert(has_bytes("_method=DELETE"));
	ck_assert(!fake_upstream.request_done);
	ck_assert_uint_eq(fake_upstream.cancelled, 1);
	ck_assert_uint_eq(fake_upstream.complete, 0);
	ck_assert_uint_eq(record.count.forwarded, 0);
}
END_TEST

START_TEST(a_transport_that_holds_is_given_no_more_than_needed)
{
	static const struct fake_script script[] = {
	    {.response = HELLO, .holds_body = true}};

	play(script, COUNT(script));
	fake_client_open(&client, FORM("/long", "20"), "_method=DELETE&abcde");
	until_over();
	expect_answer(403, NULL);
	ck_assert(has_bytes("_method=DELETE&"));
	ck_assert_uint_eq(fake_upstream.cancelled, 1);
	ck_assert_uint_eq(record.count.forwarded, 0);
}
END_TEST

/* What is allowed is not refused for being found early. */
START_TEST(an_allowed_field_at_the_start_lets_the_rest_come)
{
	static const struct fake_script script[] = {{.response = HELLO}};

	play(script, COUNT(script));
	fake_client_open(&client, FORM("/long", "17"), "_method=PUT&abcde");
	until_over();
	expect_answer(200, "hello");
	ck_assert(has_bytes("_method=PUT&abcde"));
	ck_assert_uint_eq(record.count.flags[FLAG_OVERRIDE_BODY], 1);
}
END_TEST

START_TEST(a_clean_body_passes_a_transport_that_holds_it)
{
	static const struct fake_script script[] = {
	    {.response = HELLO, .holds_body = true}};

	play(script, COUNT(script));
	fake_client_open(&client, FORM("/long", "11"), "_method=PUT");
	until_over();
	expect_answer(200, "hello");
	ck_assert(has_bytes("_method=PUT"));
	ck_assert_uint_eq(record.count.flags[FLAG_OVERRIDE_BODY], 1);
	ck_assert_uint_eq(record.count.forwarded, 1);
}
END_TEST

/* Its head is out, so there is no answer: both sides are broken off. */
START_TEST(a_forbidden_field_after_the_response_has_begun_aborts_both)
{
	static const struct fake_script script[] = {
	    {.response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
		.early = true,
		.stalls = true}};

	stream();
	play(script, COUNT(script));
	open_body(CHUNKED("/form"), "_method=DELET", 14);
	settle();
	ck_assert_int_eq(client.status, 200);
	ck_assert_uint_eq(client.body_len, 3);
	ck_assert(has_bytes("_method=DELE"));
	fake_client_give(&client, "E");
	until_over();
	expect_abort(REASON_OVERRIDE_NOT_ALLOWED);
	ck_assert_uint_eq(fake_upstream.cancelled, 1);
	ck_assert(has_bytes("_method=DELET"));
	ck_assert(!fake_upstream.request_done);
}
END_TEST

/* What a scan finds, with what the head names. */
static const struct {
	const char *request, *body;
	size_t length;
	int status;
	enum reason reason;
} found[] = {
    {"POST /form?_method=PUT HTTP/1.1\r\nHost: example.org\r\n"
     "Content-Length: 12\r\n\r\n",
	SPLIT("_method=POST"), 403, REASON_OVERRIDE_CONFLICT},
    {"POST /form?_method=PUT HTTP/1.1\r\nHost: example.org\r\n"
     "Content-Length: 11\r\n\r\n",
	SPLIT("_method=PUT"), 200, REASON_NONE},
    {TYPED("/form", "multipart/form-data; boundary=b", "61"),
	SPLIT("--b\r\nContent-Disposition: form-data; name*0=_m\r\n\r\nx\r\n"
	      "--b--\r\n"),
	415, REASON_OVERRIDE_UNREADABLE},
    {TYPED("/form", "application/json; charset=utf-16", "2"), SPLIT("{}"), 415,
	REASON_OVERRIDE_UNREADABLE},
    {"POST /strip HTTP/1.1\r\nHost: example.org\r\n"
     "X-HTTP-Method-Override: PUT\r\nContent-Length: 3\r\n\r\n",
	SPLIT("a=b"), 200, REASON_NONE},
    {FORM("/strip", "11"), SPLIT("_method=PUT"), 403,
	REASON_OVERRIDE_NOT_ALLOWED},
    /* what is sent is a POST, and so a form */
    {"PATCH /rewrite HTTP/1.1\r\nHost: example.org\r\n"
     "Content-Length: 14\r\n\r\n",
	SPLIT("_method=DELETE"), 403, REASON_OVERRIDE_NOT_ALLOWED},
    {"PATCH /any HTTP/1.1\r\nHost: example.org\r\n"
     "Content-Length: 13\r\n\r\n",
	SPLIT("_method=PURGE"), 200, REASON_NONE},
    {FORM("/dav", "14"), SPLIT("_method=DELETE"), 200, REASON_NONE},
};

START_TEST(a_body_is_judged_together_with_its_head)
{
	static const struct fake_script scripts[] = {
	    {.response = HELLO}, {.response = HELLO, .holds_body = true}};

	for (size_t i = 0; i < COUNT(scripts); i++) {
		next_client();
		play(&scripts[i], 1);
		open_body(found[_i].request, found[_i].body, found[_i].length);
		until_over();
		expect_answer(found[_i].status, NULL);
		ck_assert_int_eq(
		    fake_upstream.request_done, found[_i].status == 200);
	}
	if (found[_i].reason != REASON_NONE)
		ck_assert_uint_eq(
		    record.count.reasons[found[_i].reason], COUNT(scripts));
}
END_TEST

START_TEST(a_client_is_asked_for_a_body_that_is_held)
{
	static const struct fake_script script[] = {{.response = HELLO}};
	static const char *const heads[] = {
	    "POST /form HTTP/1.1\r\nHost: example.org\r\n"
	    "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
	    "POST /limit HTTP/1.1\r\nHost: example.org\r\n"
	    "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"};

	for (size_t i = 0; i < COUNT(heads); i++) {
		next_client();
		play(script, COUNT(script));
		fake_client_open(&client, heads[i], "");
		settle();
		ck_assert_uint_eq(client.wants, 1);
		/* the first is read before anything is opened */
		ck_assert_uint_eq(fake_upstream.opened, i);
		fake_client_give(&client, "ab");
		until_over();
		expect_answer(200, "hello");
		expect_lacks(fake_upstream.head, "Expect");
	}
}
END_TEST

START_TEST(a_held_byte_keeps_the_client_waiting)
{
	static const struct fake_script script[] = {
	    {.response = HELLO, .takes_none = true}};

	play(script, COUNT(script));
	fake_client_open(&client, FORM("/long", "9"), "abcdefghi");
	settle();
	ck_assert(client.paused);
	ck_assert_uint_eq(client.upload.len, 8);
	ck_assert_uint_eq(fake_upstream.body_len, 0);
	fake_clock_advance(2500);
	until_over();
	expect_answer(504, NULL);
	ck_assert_uint_eq(fake_upstream.cancelled, 1);
}
END_TEST

START_TEST(a_whole_held_body_waits_for_its_transport)
{
	static const struct fake_script script[] = {
	    {.response = HELLO, .takes_none = true}};

	play(script, COUNT(script));
	fake_client_open(&client, FORM("/form", "9"), "abcdefghi");
	settle();
	ck_assert_uint_eq(client.upload.len, 0);
	ck_assert_uint_eq(fake_upstream.opened, 1);
	ck_assert_uint_gt(fake_upstream.body_calls, 0);
	ck_assert(!fake_upstream.request_done);
	fake_clock_advance(2500);
	until_over();
	expect_answer(504, NULL);
}
END_TEST

START_TEST(held_bytes_flow_while_the_response_is_held_up)
{
	static const struct fake_script script[] = {
	    {.response = HELLO, .early = true, .stalls = true}};

	play(script, COUNT(script));
	client.full = true;
	fake_client_open(&client, FORM("/long", "9"), "abcdefgh");
	settle();
	ck_assert_int_eq(client.status, 200);
	ck_assert_uint_eq(client.body_len, 0);
	ck_assert(has_bytes("abcdefg"));
	fake_client_give(&client, "i");
	settle();
	ck_assert(has_bytes("abcdefghi"));
	ck_assert(fake_upstream.request_done);
	fake_client_take(&client);
	settle();
	ck_assert_uint_eq(client.body_len, 5);
	fake_client_break(&client, REASON_CLIENT_CLOSED);
}
END_TEST

START_TEST(a_held_body_can_be_given_to_the_next_server)
{
	static const struct fake_script refuses[] = {
	    {.refuses = true, .why = REASON_UPSTREAM_REFUSED},
	    {.response = HELLO}};
	static const struct fake_script hangs[] = {
	    {.hangs = true}, {.response = HELLO}};

	for (unsigned i = 0; i < 2; i++) {
		next_client();
		play(i == 0 ? refuses : hangs, 2);
		fake_client_open(&client, FORM("/form", "3"), "a=b");
		if (i == 1) {
			until(&fake_upstream.opened, 1);
			settle();
			ck_assert_uint_eq(fake_upstream.body_calls, 0);
			fake_clock_advance(1500);
		}
		until_over();
		expect_answer(200, "hello");
		ck_assert_uint_eq(fake_upstream.opened, 2);
		ck_assert(has_bytes("a=b"));
	}
}
END_TEST

/* Nothing of it is taken before there is a connection. */
START_TEST(a_streamed_body_can_be_given_to_the_next_server)
{
	static const struct fake_script refuses[] = {
	    {.refuses = true, .why = REASON_UPSTREAM_REFUSED},
	    {.response = HELLO}};
	static const struct fake_script hangs[] = {
	    {.hangs = true}, {.response = HELLO}};
	static const char *const heads[] = {
	    FORM("/long", "9"), POST("/app", "9"), CHUNKED("/app")};

	for (unsigned i = 0; i < 2 * COUNT(heads); i++) {
		next_client();
		play(i % 2 == 0 ? refuses : hangs, 2);
		open_body(heads[i / 2], "abcdefghi", 9);
		if (i % 2 == 1) {
			until(&fake_upstream.opened, 1);
			settle();
			ck_assert_uint_eq(fake_upstream.body_calls, 0);
			fake_clock_advance(1500);
		}
		until_over();
		expect_answer(200, "hello");
		ck_assert_uint_eq(fake_upstream.opened, 2);
		ck_assert(has_bytes("abcdefghi"));
	}
}
END_TEST

/* The fake gives more than its plan says. */
START_TEST(a_held_body_keeps_to_its_limit)
{
	static const struct fake_script script[] = {{.response = HELLO}};
	static const struct {
		const char *head;
		unsigned opened;
	} rows[] = {{FORM("/small", "4"), 0}, {FORM("/limit", "4"), 1},
	    {CHUNKED("/limit"), 1}};

	stream();
	for (size_t i = 0; i < COUNT(rows); i++) {
		next_client();
		play(script, COUNT(script));
		open_body(rows[i].head, "abcdefgh", 8);
		until_over();
		expect_answer(413, NULL);
		ck_assert_uint_eq(fake_upstream.opened, rows[i].opened);
		ck_assert_uint_lt(fake_upstream.body_len, 5);
		ck_assert(!fake_upstream.request_done);
		ck_assert_uint_eq(fake_upstream.cancelled, rows[i].opened);
	}
}
END_TEST

/* One row for each way of holding; what is held is freed in every end. */
START_TEST(a_client_that_goes_takes_what_was_held_along)
{
	static const struct {
		struct fake_script script;
		const char *head, *body;
		unsigned opened;
	} rows[] = {{{.response = HELLO}, FORM("/form", "9"), "ab", 0},
	    {{.response = HELLO}, FORM("/long", "9"), "ab", 1},
	    {{.response = HELLO, .holds_body = true}, FORM("/form", "9"), "ab",
		1},
	    {{.hangs = true}, FORM("/form", "2"), "ab", 1},
	    {{.response = HELLO, .takes_none = true}, FORM("/form", "2"), "ab",
		1},
	    {{.response = HELLO, .takes_none = true}, FORM("/long", "9"),
		"abcdefghi", 1}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		next_client();
		play(&rows[i].script, 1);
		fake_client_open(&client, rows[i].head, rows[i].body);
		settle();
		ck_assert_uint_eq(fake_upstream.opened, rows[i].opened);
		fake_client_break(&client, REASON_CLIENT_CLOSED);
		ck_assert(client.aborted);
		ck_assert_uint_eq(fake_upstream.cancelled, rows[i].opened);
	}
}
END_TEST

/* An answer that the client does not take keeps nothing of the body. */
START_TEST(a_refused_body_is_let_go_before_the_answer_is)
{
	static const struct fake_script script[] = {{.response = HELLO}};
	unsigned before;

	play(script, COUNT(script));
	client.full = true;
	before = loop.buffers.free_count;
	fake_client_open(&client, FORM("/form", "14"), "_method=DELETE");
	settle();
	ck_assert_int_eq(client.status, 403);
	ck_assert_uint_eq(loop.buffers.free_count, before + 1);
	fake_client_take(&client);
	until_over();
}
END_TEST

/* Nothing of it is ever held back, and what it names is told. */
START_TEST(flag_and_report_forward_what_they_notice)
{
	static const struct fake_script scripts[] = {
	    {.response = HELLO}, {.response = HELLO, .holds_body = true}};
	static const char *const heads[] = {
	    FORM("/flag", "15"), FORM("/report", "15")};
	size_t i, k;

	for (i = 0; i < COUNT(heads); i++)
		for (k = 0; k < COUNT(scripts); k++) {
			next_client();
			play(&scripts[k], 1);
			fake_client_open(&client, heads[i], "_method=DELETE");
			settle();
			ck_assert(has_bytes("_method=DELETE"));
			fake_client_give(&client, "&");
			until_over();
			expect_answer(200, "hello");
			ck_assert_uint_eq(fake_upstream.body_len, 15);
		}
	ck_assert_uint_eq(record.count.flags[FLAG_OVERRIDE_BODY], 4);
	ck_assert_uint_eq(record.count.flags[FLAG_WOULD_DENY], 2);
	ck_assert_uint_eq(record.count.forwarded, 4);
}
END_TEST

START_TEST(the_upstream_is_told_the_flags)
{
	static const struct {
		const char *head, *body, *has;
	} rows[] = {
	    {FORM("/form", "11"), "_method=PUT",
		"X-Gate-Flags: override_body\r\n"},
	    {"POST /form?_method=PUT HTTP/1.1\r\nHost: example.org\r\n"
	     "X-Original-URL: /admin\r\nContent-Length: 11\r\n\r\n",
		"_method=PUT",
		"X-Gate-Flags: override_query,override_body,path_override\r\n"},
	    {FORM("/report", "11"), "_method=PUT", NULL},
	    {FORM("/form", "3"), "a=b", NULL},
	    {"DELETE /report HTTP/1.1\r\nHost: example.org\r\n"
	     "x_gate_flags: none\r\n\r\n",
		"", "X-Gate-Flags: would_deny\r\n"},
	};
	static const struct fake_script script[] = {{.response = HELLO}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		next_client();
		play(script, COUNT(script));
		fake_client_open(&client, rows[i].head, rows[i].body);
		until_over();
		expect_answer(200, "hello");
		if (rows[i].has != NULL)
			expect_has(fake_upstream.head, rows[i].has);
		else
			expect_lacks(fake_upstream.head, "X-Gate-Flags");
		expect_lacks(fake_upstream.head, "x_gate_flags");
		expect_lacks(fake_upstream.head, "X-Original");
	}
}
END_TEST

/* ---- what else is noticed or changed on the way ---- */

START_TEST(a_rewritten_method_is_sent_and_told)
{
	static const struct {
		const char *request, *sent;
	} rows[] = {
	    {"PATCH /rewrite HTTP/1.1\r\nHost: example.org\r\n\r\n", "POST"},
	    {"POST /rewrite HTTP/1.1\r\nHost: example.org\r\n\r\n", "POST"},
	    {"GET /rewrite HTTP/1.1\r\nHost: example.org\r\n\r\n", "GET"},
	    {"HEAD /rewrite HTTP/1.1\r\nHost: example.org\r\n\r\n", "HEAD"},
	    {"POST /lose HTTP/1.1\r\nHost: example.org\r\n\r\n", "GET"},
	    {"PURGE /any HTTP/1.1\r\nHost: example.org\r\n\r\n", "PURGE"},
	};
	static const struct fake_script script[] = {{.response = HELLO}};
	char line[32];

	stream();
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool is_head = strncmp(rows[i].request, "HEAD", 4) == 0;
		bool same = strncmp(rows[i].request, rows[i].sent,
				strlen(rows[i].sent)) == 0;

		next_client();
		play(script, COUNT(script));
		fake_client_open(&client, rows[i].request, "");
		until_over();
		expect_answer(200, is_head ? "" : "hello");
		snprintf(line, sizeof(line), "%s /", rows[i].sent);
		ck_assert_int_eq(
		    strncmp(fake_upstream.head, line, strlen(line)), 0);
		if (same)
			expect_lacks(fake_upstream.head, "method_rewritten");
		else
			expect_has(fake_upstream.head,
			    "X-Gate-Flags: method_rewritten\r\n");
	}
	ck_assert_uint_eq(record.count.flags[FLAG_METHOD_REWRITTEN], 2);
}
END_TEST

static const struct {
	const char *method, *path;
	int from, to;
	bool flagged;
} redirects[] = {
    {"POST", "/any", 301, 301, true},
    {"POST", "/any", 302, 302, true},
    {"POST", "/any", 303, 303, false},
    {"POST", "/any", 307, 307, false},
    {"POST", "/any", 308, 308, false},
    {"PUT", "/any", 301, 301, true},
    {"DELETE", "/any", 302, 302, true},
    {"QUERY", "/any", 301, 301, false},
    {"QUERY", "/any", 302, 302, false},
    {"GET", "/any", 301, 301, false},
    {"HEAD", "/any", 302, 302, false},
    {"POST", "/keep", 301, 308, true},
    {"POST", "/keep", 302, 307, true},
    {"POST", "/keep", 303, 303, false},
    {"POST", "/keep", 300, 300, false},
    {"PUT", "/keep", 301, 308, true},
    {"PUT", "/keep", 302, 307, true},
    {"QUERY", "/keep", 301, 301, false},
    {"GET", "/keep", 302, 302, false},
    {"POST", "/pass", 301, 301, false},
    {"PUT", "/pass", 302, 302, false},
    {"QUERY", "/pass", 302, 302, false},
    {"GET", "/pass", 301, 301, false},
    /* nothing changes in report mode */
    {"POST", "/report", 301, 301, true},
    {"PUT", "/report", 302, 302, true},
    /* what the client sent counts */
    {"POST", "/lose", 302, 302, true},
};

START_TEST(a_redirect_keeps_the_method_or_is_flagged)
{
	char request[128], response[128];
	const struct fake_script script = {.response = response};

	snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n",
	    redirects[_i].method, redirects[_i].path, "example.org");
	snprintf(response, sizeof(response),
	    "HTTP/1.1 %d Elsewhere\r\nLocation: /x\r\n"
	    "Content-Length: 0\r\n\r\n",
	    redirects[_i].from);
	stream();
	play(&script, 1);
	fake_client_open(&client, request, "");
	until_over();
	expect_answer(redirects[_i].to, "");
	expect_has(client.head, "Location: /x\r\n");
	if (redirects[_i].from == redirects[_i].to)
		expect_has(client.head, " Elsewhere\r\n");
	else
		expect_has(client.head, redirects[_i].to == 308
					    ? " 308 Permanent Redirect\r\n"
					    : " 307 Temporary Redirect\r\n");
	ck_assert_uint_eq(record.count.flags[FLAG_REDIRECT_REWRITES_METHOD],
	    redirects[_i].flagged);
}
END_TEST

static const struct {
	const char *request, *response;
	bool refused, unlisted;
} drifts[] = {
    {GET("/any"), "405 No\r\nAllow: POST", true, false},
    {GET("/any"), "501 No\r\nX: 1", true, false},
    {GET("/any"), "404 No\r\nAllow: GET, POST", false, false},
    {GET("/any"), "200 OK\r\nAllow: GET, PURGE,PUT", false, false},
    {GET("/any"), "405 No\r\nAllow: GET\r\nAllow: LOCK", true, true},
    {GET("/any"), "200 OK\r\nAllow: TRACE", false, true},
    {GET("/any"), "200 OK\r\nallow: get", false, true},
    {GET("/any"), "200 OK\r\nAllow: ", false, false},
    {GET("/rewrite"), "200 OK\r\nAllow: DELETE", false, true},
    /* the upstream agrees: it is refused here too */
    {"DELETE /report HTTP/1.1\r\nHost: example.org\r\n\r\n",
	"405 No\r\nAllow: POST", false, false},
    {"DELETE /report HTTP/1.1\r\nHost: example.org\r\n\r\n",
	"405 No\r\nAllow: POST, PUT", false, true},
};

START_TEST(an_upstream_that_sees_methods_otherwise_is_flagged)
{
	char response[128];
	const struct fake_script script = {.response = response};

	snprintf(response, sizeof(response),
	    "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", drifts[_i].response);
	play(&script, 1);
	fake_client_open(&client, drifts[_i].request, "");
	until_over();
	ck_assert(client.ended);
	ck_assert_uint_eq(
	    record.count.flags[FLAG_DRIFT_REFUSED], drifts[_i].refused);
	ck_assert_uint_eq(
	    record.count.flags[FLAG_DRIFT_UNLISTED], drifts[_i].unlisted);
}
END_TEST

START_TEST(a_destination_names_the_upstreams_host_where_it_was_judged)
{
	static const struct {
		const char *request, *body, *has;
	} rows[] = {
	    {"MOVE /dav/a HTTP/1.1\r\nHost: example.org\r\n"
	     "Destination: https://EXAMPLE.org:443/dav/%62?q\r\n\r\n",
		"", "Destination: http://example.org/dav/%62?q\r\n"},
	    {"COPY /dav/a HTTP/1.1\r\nHost: example.org\r\n"
	     "Destination: /dav/b\r\n\r\n",
		"", "Destination: http://example.org/dav/b\r\n"},
	    {"POST /dav/a HTTP/1.1\r\nHost: example.org\r\n"
	     "Destination: https://example.org/dav/b\r\n"
	     "X-HTTP-Method-Override: MOVE\r\n\r\n",
		"", "Destination: http://example.org/dav/b\r\n"},
	    {"POST /dav/a HTTP/1.1\r\nHost: example.org\r\n"
	     "Destination: http://example.org/dav/b\r\n"
	     "Content-Length: 12\r\n\r\n",
		"_method=MOVE", "Destination: http://example.org/dav/b\r\n"},
	    {"POST /dav/a HTTP/1.1\r\nHost: example.org\r\n"
	     "Destination: http://example.org/dav/b\r\n\r\n",
		"", "Destination: http://example.org/dav/b\r\n"},
	    {"DELETE /dav/a HTTP/1.1\r\nHost: example.org\r\n"
	     "Destination: http://example.org/dav/b\r\n\r\n",
		"", "Destination: http://example.org/dav/b\r\n"},
	    {"MOVE /report HTTP/1.1\r\nHost: example.org\r\n"
	     "Destination: http://other.example/dav/b\r\n\r\n",
		"", "Destination: http://other.example/dav/b\r\n"},
	};
	static const struct fake_script script[] = {{.response = HELLO}};

	stream();
	for (size_t i = 0; i < COUNT(rows); i++) {
		next_client();
		play(script, COUNT(script));
		fake_client_open(&client, rows[i].request, rows[i].body);
		until_over();
		expect_answer(200, "hello");
		expect_has(fake_upstream.head, rows[i].has);
	}
}
END_TEST

START_TEST(override_fields_are_stripped_with_their_twins)
{
	static const struct fake_script script[] = {{.response = HELLO}};

	play(script, COUNT(script));
	fake_client_open(&client,
	    "POST /strip HTTP/1.1\r\nHost: example.org\r\n"
	    "X-HTTP-Method-Override: DELETE\r\nX_HTTP_Method: MERGE\r\n"
	    "X.Method.Override: \r\nX-Other: 1\r\n\r\n",
	    "");
	until_over();
	expect_answer(200, "hello");
	expect_lacks(fake_upstream.head, "DELETE");
	expect_lacks(fake_upstream.head, "MERGE");
	expect_lacks(fake_upstream.head, "Override");
	expect_has(fake_upstream.head, "X-Other: 1\r\n");
	expect_has(fake_upstream.head, "X-Gate-Flags: override_header\r\n");
}
END_TEST

/* ---- a site in report mode ---- */

START_TEST(what_no_location_has_goes_to_the_sites_upstream)
{
	static const struct fake_script script[] = {{.response = HELLO}};
	static const struct {
		const char *head, *body;
	} rows[] = {{GET("/elsewhere"), ""}, {POST("/else", "3"), "a=b"},
	    {FORM("/else", "3"), "a=b"}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		next_client();
		play(script, COUNT(script));
		fake_client_open(&client, rows[i].head, rows[i].body);
		until_over();
		expect_answer(200, "hello");
		ck_assert_uint_eq(addr_port(&fake_upstream.server), 8003);
		expect_has(fake_upstream.head, "X-Flags: would_deny\r\n");
		expect_lacks(fake_upstream.head, "X-Gate-Flags");
	}
	ck_assert_uint_eq(record.count.flags[FLAG_WOULD_DENY], 3);
	ck_assert_uint_eq(record.count.reasons[REASON_NO_LOCATION], 0);
}
END_TEST

/* One request, and what its line must hold. */
static const struct {
	struct fake_script script;
	const char *request, *body;
	const char *has[8];
} lines[] = {
    {{.response = HELLO}, POST("/app/x?q", "3"), "abc",
	{"\"POST\"", "/app/x", "example.org", "192.0.2.7", "200",
	    "127.0.0.1:8001", "\"fake\"", "\"app\""}},
    {{.response = HELLO},
	"DELETE /read/x HTTP/1.1\r\nHost: example.org\r\n"
	"User-Agent: me/1\r\n\r\n",
	"", {"\"DELETE\"", "/read/x", "method_not_allowed", "405", "me/1"}},
    {{.response = HELLO}, "GET /\x01 HTTP/1.1\r\n\r\n", "",
	{"\"GET\"", "malformed.target", "400"}},
    {{.refuses = true, .why = REASON_UPSTREAM_REFUSED}, GET("/app"), "",
	{"upstream.connect_refused", "502", "127.0.0.1:8002"}},
    {{.response = HELLO}, FORM("/flag", "14"), "_method=delete",
	{"\"methodgate.flags\":[\"override_body\"]",
	    "\"methodgate.override\":\"DELETE\"", ":200",
	    "\"methodgate.server\":"}},
    {{.response = HELLO, .holds_body = true}, FORM("/report", "14"),
	"_method=DELETE",
	{"\"methodgate.flags\":[\"override_body\",\"would_deny\"]",
	    "\"methodgate.would_reason\":\"override_not_allowed\"",
	    "\"methodgate.would_status\":403", "\"methodgate.server\":"}},
    {{.response = HELLO}, FORM("/form", "14"), "_method=DELETE",
	{"\"methodgate.reason\":\"override_not_allowed\"",
	    "\"methodgate.override\":\"DELETE\"",
	    "\"methodgate.location\":\"/form\"",
	    "\"http.response.status_code\":403",
	    "\"methodgate.flags\":[\"override_body\"]",
	    "\"http.request.body.size\":14"}},
    {{.response = HELLO},
	"PATCH /rewrite HTTP/1.1\r\nHost: example.org\r\n\r\n", "",
	{"\"http.request.method\":\"PATCH\"",
	    "\"methodgate.method_sent\":\"POST\"",
	    "\"methodgate.flags\":[\"method_rewritten\"]"}},
    {{.response = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"},
	"PUT /keep HTTP/1.1\r\nHost: example.org\r\n\r\n", "",
	{"\"http.response.status_code\":307",
	    "\"methodgate.upstream_status\":302",
	    "\"methodgate.flags\":[\"redirect_rewrites_method\"]"}},
};

START_TEST(the_access_line_tells_what_happened)
{
	char path[64], line[RECORD_LINE_MAX];
	int fd = memfd_create("lines", 0);
	const char *error;
	struct record_sink *sink;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	sink = record_sink_open(slice_of(path), &error);
	ck_assert_msg(sink != NULL, "%s", error);
	record_set(&record, &config->gate, sink);
	play(&lines[_i].script, 1);
	client.full = _i == 1; /* the line must not need the client's bytes */
	fake_client_open(&client, lines[_i].request, lines[_i].body);
	settle();
	fake_client_take(&client);
	until_over();
	record_flush(&record);
	len = pread(fd, line, sizeof(line) - 1, 0);
	ck_assert_int_gt((int)len, 0);
	line[len] = '\0';
	for (size_t i = 0; i < COUNT(lines[_i].has); i++)
		if (lines[_i].has[i] != NULL)
			expect_has(line, lines[_i].has[i]);
	fake_clock_advance(1500); /* the flush timer ends */
	settle();
	record_set(&record, &config->gate, NULL);
	record_sink_close(sink);
	close(fd);
}
END_TEST

static void
add_failures(TCase *tcase)
{
	tcase_add_test(tcase, a_refused_connection_leads_to_the_next_server);
	tcase_add_test(tcase, servers_take_turns);
	tcase_add_test(tcase, with_no_server_left_the_gate_answers);
	tcase_add_loop_test(
	    tcase, with_all_servers_down_the_gate_answers_at_once, 0, 2);
	tcase_add_test(tcase, servers_that_fail_now_and_then_stay_up);
	tcase_add_test(
	    tcase, a_body_that_is_gone_is_not_sent_to_another_server);
	tcase_add_test(
	    tcase, a_request_that_may_have_been_seen_is_not_repeated);
	tcase_add_test(
	    tcase, a_connect_that_takes_too_long_leads_to_the_next_server);
	tcase_add_test(tcase, connects_that_take_too_long_are_a_504);
	tcase_add_test(tcase, a_response_that_does_not_come_is_a_504);
	tcase_add_test(tcase, a_response_is_not_due_while_the_request_goes_out);
	tcase_add_test(
	    tcase, a_request_body_that_nobody_takes_ends_at_the_deadline);
	tcase_add_test(tcase, a_response_that_stops_in_the_middle_is_aborted);
	tcase_add_loop_test(tcase,
	    an_upstream_that_breaks_before_its_head_is_answered_for, 0,
	    COUNT(failures));
	tcase_add_loop_test(tcase, a_truncated_response_never_looks_complete, 0,
	    COUNT(truncated));
	tcase_add_loop_test(tcase, a_client_that_goes_takes_its_exchange_along,
	    0, COUNT(stages));
	tcase_add_test(tcase,
	    a_body_that_comes_too_late_is_answered_and_aborts_the_upstream);
	tcase_add_test(
	    tcase, a_late_body_after_an_early_head_aborts_both_sides);
}

static void
add_successes(TCase *tcase)
{
	tcase_add_test(tcase, a_request_goes_up_and_its_response_comes_back);
	tcase_add_test(
	    tcase, a_body_goes_up_byte_by_byte_as_the_transport_takes_it);
	tcase_add_test(tcase, a_client_that_expects_100_is_asked_for_its_body);
	tcase_add_test(tcase, interim_responses_go_through);
	tcase_add_test(tcase, responses_are_delimited_in_every_way);
	tcase_add_loop_test(
	    tcase, each_verdict_is_answered_here, 0, COUNT(answers));
	tcase_add_test(tcase, an_answer_to_head_has_no_body);
	tcase_add_test(tcase, an_answer_waits_for_a_client_that_takes_nothing);
	tcase_add_test(
	    tcase, a_client_that_goes_while_it_is_answered_is_let_go);
	tcase_add_test(
	    tcase, the_transport_waits_for_a_client_that_takes_nothing);
	tcase_add_test(tcase, an_early_response_ends_the_exchange);
	tcase_add_test(tcase, both_directions_flow_at_once);
	tcase_add_test(tcase, a_body_over_its_limit_is_cut_in_the_middle);
	tcase_add_test(
	    tcase, a_draining_gate_ends_connections_with_their_answers);
	tcase_add_loop_test(
	    tcase, the_access_line_tells_what_happened, 0, COUNT(lines));
}

static void
add_judged(TCase *tcase)
{
	tcase_add_test(tcase, a_short_form_is_read_before_a_server_is_reached);
	tcase_add_test(tcase, an_exchange_ends_by_the_rules_that_it_began_with);
	tcase_add_test(tcase, form_hold_itself_is_still_short);
	tcase_add_test(
	    tcase, a_longer_or_chunked_form_streams_but_for_its_last_byte);
	tcase_add_test(tcase, an_empty_body_is_complete_at_once);
	tcase_add_loop_test(tcase,
	    a_form_with_a_forbidden_field_is_never_completed, 0,
	    COUNT(forbidden));
	tcase_add_test(
	    tcase, a_transport_that_holds_the_body_is_cancelled_unconnected);
	tcase_add_test(
	    tcase, a_transport_that_holds_is_given_no_more_than_needed);
	tcase_add_test(tcase, an_allowed_field_at_the_start_lets_the_rest_come);
	tcase_add_test(tcase, a_clean_body_passes_a_transport_that_holds_it);
	tcase_add_test(
	    tcase, a_forbidden_field_after_the_response_has_begun_aborts_both);
	tcase_add_loop_test(
	    tcase, a_body_is_judged_together_with_its_head, 0, COUNT(found));
	tcase_add_test(tcase, a_client_is_asked_for_a_body_that_is_held);
	tcase_add_test(tcase, a_held_byte_keeps_the_client_waiting);
	tcase_add_test(tcase, a_whole_held_body_waits_for_its_transport);
	tcase_add_test(tcase, held_bytes_flow_while_the_response_is_held_up);
	tcase_add_test(tcase, a_held_body_can_be_given_to_the_next_server);
	tcase_add_test(tcase, a_streamed_body_can_be_given_to_the_next_server);
	tcase_add_test(tcase, a_held_body_keeps_to_its_limit);
	tcase_add_test(tcase, a_client_that_goes_takes_what_was_held_along);
	tcase_add_test(tcase, a_refused_body_is_let_go_before_the_answer_is);
	tcase_add_test(tcase, flag_and_report_forward_what_they_notice);
}

static void
add_noticed(TCase *tcase)
{
	tcase_add_test(tcase, the_upstream_is_told_the_flags);
	tcase_add_test(tcase, a_rewritten_method_is_sent_and_told);
	tcase_add_loop_test(tcase, a_redirect_keeps_the_method_or_is_flagged, 0,
	    COUNT(redirects));
	tcase_add_loop_test(tcase,
	    an_upstream_that_sees_methods_otherwise_is_flagged, 0,
	    COUNT(drifts));
	tcase_add_test(
	    tcase, a_destination_names_the_upstreams_host_where_it_was_judged);
	tcase_add_test(tcase, override_fields_are_stripped_with_their_twins);
}

int
main(void)
{
	Suite *suite = suite_create("exchange");
	TCase *tcase = tcase_create("exchange");
	TCase *reporting = tcase_create("report mode");
	TCase *telling = tcase_create("send-proxy");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	add_successes(tcase);
	add_failures(tcase);
	add_judged(tcase);
	add_noticed(tcase);
	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(reporting, set_up_watched, tear_down);
	tcase_add_test(
	    reporting, what_no_location_has_goes_to_the_sites_upstream);
	suite_add_tcase(suite, reporting);
	tcase_add_checked_fixture(telling, set_up_fronted, tear_down);
	tcase_add_loop_test(
	    telling, servers_are_told_of_the_client_before_the_request, 0, 2);
	tcase_add_test(telling, a_client_without_an_address_is_told_as_unknown);
	suite_add_tcase(suite, telling);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
