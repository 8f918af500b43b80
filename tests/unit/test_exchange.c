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
#include "fake_transport.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TURNS 20000
#define GET(path) "GET " path " HTTP/1.1\r\nHost: example.org\r\n\r\n"
#define POST(path, length)                                                     \
	"POST " path " HTTP/1.1\r\nHost: example.org\r\n"                      \
	"Content-Length: " length "\r\n\r\n"
#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static const char text[] = "[gate]\n"
			   "access_log = off\n"
			   "ping = /-/ping\n"
			   "[site]\n"
			   "listen = 127.0.0.1:7999\n"
			   "host = example.org\n"
			   "methods = PURGE\n"
			   "upstream = app\n"
			   "[upstream app]\n"
			   "server = 127.0.0.1:8001\n"
			   "server = 127.0.0.1:8002\n"
			   "transport = evhttp\n"
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
			   "body_limit = 5\n";

static struct loop loop;
static struct record record;
static struct exchange_env env;
static struct config *config;
static struct fake_client client;

static void
set_up(void)
{
	struct config_report report;

	config = config_read_text("test.ini", slice_of(text), &report);
	config_report_print(&report, stderr);
	ck_assert_ptr_nonnull(config);
	config_report_done(&report);
	loop_init(&loop);
	record_init(&record, &loop);
	record_set(&record, &config->gate, NULL);
	exchange_env_init(&env, &loop);
	env.config = config;
	env.upstreams = upstreams_new(config);
	env.record = &record;
	env.open_transport = fake_transport_open;
	fake_client_init(
	    &client, &loop, &exchange_events, &env, config->listens[0]->door);
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
	upstreams_free(env.upstreams);
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
	fake_client_init(
	    &client, &loop, &exchange_events, &env, config->listens[0]->door);
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

	fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
	for (unsigned i = 0; i < COUNT(script); i++) {
		next_client();
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

	fake_upstream_play(script, COUNT(script));
	for (unsigned i = 0; i < COUNT(script); i++) {
		next_client();
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

	fake_upstream_play(script, COUNT(script));
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
		fake_upstream_play(&rows[i].script, 1);
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
    {"PROPFIND /read HTTP/1.1\r\nHost: example.org\r\n\r\n", 501,
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
    {"POST /app HTTP/1.1\r\nHost: example.org\r\n"
     "Transfer-Encoding: chunked\r\n\r\n",
	502, REASON_TRANSPORT_UNSUPPORTED, false, ""},
};

START_TEST(each_verdict_is_answered_here)
{
	static const struct fake_script script[] = {{.response = HELLO}};
	int status = answers[_i].status;

	fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
	for (size_t i = 0; i < COUNT(ports); i++) {
		next_client();
		fake_client_open(&client, GET("/app"), "");
		until_over();
		ck_assert_uint_eq(addr_port(&fake_upstream.server), ports[i]);
	}
}
END_TEST

START_TEST(with_no_server_left_the_gate_answers)
{
	static const struct fake_script script[] = {
	    {.refuses = true, .why = REASON_UPSTREAM_REFUSED}};

	fake_upstream_play(script, COUNT(script));
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

START_TEST(a_body_that_is_gone_is_not_sent_to_another_server)
{
	static const struct fake_script script[] = {
	    {.refuses = true,
		.holds_body = true,
		.why = REASON_UPSTREAM_REFUSED},
	    {.response = HELLO}};

	fake_upstream_play(script, COUNT(script));
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
		fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
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
	fake_upstream_play(&failures[_i].script, 1);
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
	fake_upstream_play(&truncated[_i], 1);
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
	fake_upstream_play(&stages[_i].script, 1);
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
		fake_upstream_play(&script[i], 1);
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

	fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
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

	fake_upstream_play(script, COUNT(script));
	env.draining = true;
	for (size_t i = 0; i < COUNT(requests); i++) {
		next_client();
		fake_client_open(&client, requests[i], "");
		until_over();
		ck_assert(client.close);
	}
}
END_TEST

START_TEST(an_exchange_keeps_the_configuration_it_began_with)
{
	static const struct fake_script script[] = {{.response = HELLO}};

	fake_upstream_play(script, COUNT(script));
	fake_client_open(&client, GET("/app"), "");
	ck_assert_uint_eq(config->refs, 2);
	until_over();
	ck_assert_uint_eq(config->refs, 1);
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
	fake_upstream_play(&lines[_i].script, 1);
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
	tcase_add_test(
	    tcase, an_exchange_keeps_the_configuration_it_began_with);
	tcase_add_loop_test(
	    tcase, the_access_line_tells_what_happened, 0, COUNT(lines));
}

int
main(void)
{
	Suite *suite = suite_create("exchange");
	TCase *tcase = tcase_create("exchange");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	add_successes(tcase);
	add_failures(tcase);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
