/* SPDX-License-Identifier: ISC */
/* The transport over evhttp: all that transport.h promises, the requests that
 * it carries, and those that it can't. */
#include <event2/event.h>
#include <stdlib.h>

#include "transport_cases.h"
#include "transport_evhttp.h"

static void
open_errand(struct bench *b, struct errand *e, const struct fake_act *acts)
{
	bench_open(b, transport_evhttp_open, acts);
	errand_init(e, b);
	errand_open(e);
	ck_assert(e->transport->holds_body);
}

/* ---- requests ---- */

struct request {
	const char *method, *target;
	const char *fields[8][2];
	const char *body; /* NULL: none */
	const char *wire;
};

#define TAIL "Connection: close\r\n\r\n"

static const struct request requests[] = {
    {"GET", "/a?b=c%20d", {{"Host", "h"}, {"X", "y"}}, NULL,
	"GET /a?b=c%20d HTTP/1.1\r\nHost: h\r\nX: y\r\n" TAIL},
    {"HEAD", "/", {{"Host", "h"}}, NULL, "HEAD / HTTP/1.1\r\nHost: h\r\n" TAIL},
    {"DELETE", "/x", {{"Host", "h"}}, NULL,
	"DELETE /x HTTP/1.1\r\nHost: h\r\n" TAIL},
    {"OPTIONS", "/x", {{"Host", "h"}}, NULL,
	"OPTIONS /x HTTP/1.1\r\nHost: h\r\n" TAIL},
    /* a length also where there is no body (RFC 9110 8.6) */
    {"POST", "/", {{"Host", "h"}}, NULL,
	"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" TAIL},
    {"PUT", "/", {{"Host", "h"}}, NULL,
	"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" TAIL},
    {"PATCH", "/", {{"Host", "h"}}, NULL,
	"PATCH / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" TAIL},
    /* a body is framed with every method */
    {"POST", "/", {{"Host", "h"}}, "abc",
	"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" TAIL "abc"},
    {"PUT", "/", {{"Host", "h"}}, "abc",
	"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" TAIL "abc"},
    {"PATCH", "/", {{"Host", "h"}}, "abc",
	"PATCH / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" TAIL "abc"},
    {"GET", "/", {{"Host", "h"}}, "abc",
	"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" TAIL "abc"},
    {"HEAD", "/", {{"Host", "h"}}, "abc",
	"HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" TAIL "abc"},
    {"DELETE", "/", {{"Host", "h"}}, "abc",
	"DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" TAIL "abc"},
    {"OPTIONS", "/", {{"Host", "h"}}, "abc",
	"OPTIONS / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" TAIL "abc"},
    /* a body that looks like a request stays a body */
    {"GET", "/", {{"Host", "h"}}, "GET /b HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 19\r\n" TAIL
	"GET /b HTTP/1.1\r\n\r\n"},
    /* framing, Connection and Expect are the transport's */
    {"POST", "/",
	{{"Host", "h"}, {"content-length", "99"}, {"Content-Length", "7"},
	    {"Transfer-Encoding", "chunked"}, {"connection", "keep-alive"},
	    {"Expect", "100-continue"}, {"X", "y"}},
	"abc",
	"POST / HTTP/1.1\r\nHost: h\r\nX: y\r\nContent-Length: 3\r\n" TAIL
	"abc"},
    {"GET", "/", {{"Host", "h"}, {"Content-Length", "9"}, {"X", ""}}, NULL,
	"GET / HTTP/1.1\r\nHost: h\r\nX: \r\n" TAIL},
    /* order, case and repetition stay */
    {"GET", "//a/../b;c=%2e%00?",
	{{"B", "1"}, {"host", "h"}, {"b", "\t2 3\xff"}, {"B", "%s%n"}}, NULL,
	"GET //a/../b;c=%2e%00? HTTP/1.1\r\nB: 1\r\nhost: h\r\n"
	"b: \t2 3\xff\r\nB: %s%n\r\n" TAIL},
};

static void
start_request(struct errand *e, const struct request *request)
{
	struct field fields[8];
	struct head head = {.method = slice_of(request->method),
	    .target = slice_of(request->target),
	    .minor = 1,
	    .fields = fields};
	struct body_plan plan = {BODY_NONE, 0};

	while (head.field_count < 8 &&
	       request->fields[head.field_count][0] != NULL) {
		struct field *field = &fields[head.field_count];

		field->name = slice_of(request->fields[head.field_count][0]);
		field->value = slice_of(request->fields[head.field_count][1]);
		field->id = field_find(field->name);
		head.field_count++;
	}
	if (request->body != NULL)
		plan = (struct body_plan){BODY_LENGTH, strlen(request->body)};
	ck_assert(transport_evhttp_can(&head, plan, plan.length));
	errand_start(e, &head, plan);
	memset(fields, 'x', sizeof(fields)); /* slices die with the call */
}

static void
expect_request(const struct request *request)
{
	static const struct fake_act acts[] = {ACT(HEAD), ACT(WAIT),
	    SEND(OK "Content-Length: 0\r\n\r\n"), ACT(STOP)};
	size_t len = strlen(request->wire);
	struct bench b;
	struct errand e;

	open_errand(&b, &e, acts);
	start_request(&e, request);
	for (const char *at = request->body; at != NULL && *at != '\0'; at++) {
		char one = *at;

		ck_assert_uint_eq(errand_give(&e, (struct slice){&one, 1}), 1);
	}
	errand_end(&e);
	bench_hear(&b, len);
	ck_assert_str_eq(b.server.text, request->wire);
	ck_assert_str_eq(e.events, "ready");
	fake_server_go(&b.server);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 200 end");
	bench_idle(&b);
	ck_assert(b.server.fin_heard);
	ck_assert_uint_eq(b.server.heard, len);
	ck_assert_uint_eq(b.server.connections, 1);
	bench_close(&b);
}

START_TEST(a_request_is_these_bytes_on_the_wire)
{
	for (size_t i = 0; i < COUNT(requests); i++)
		expect_request(&requests[i]);
}
END_TEST

static bool
can(const char *method, struct slice target, struct body_plan plan)
{
	struct head head = {
	    .method = slice_of(method), .target = target, .minor = 1};

	if (slice_eq(target, SLICE("*")))
		head.form = TARGET_ASTERISK;
	return transport_evhttp_can(&head, plan, 1000);
}

START_TEST(what_evhttp_cannot_carry_is_known_before)
{
	static const char *const refuses[] = {"CONNECT", "TRACE", "get", "",
	    "PROPFIND", "QUERY", "NULL", "GET ", "PRI"};
	static const struct slice targets[] = {{"", 0}, {"*", 1}, {"a", 1},
	    {"/ ", 2}, {"/\r\n", 3}, {"/\0", 2}, {"/\x7f", 2}, {"/\xff", 2},
	    {"http://a/", 9}};
	struct body_plan none = {BODY_NONE, 0};
	struct field upgrade = {
	    SLICE("Upgrade"), SLICE("websocket"), FIELD_UPGRADE};
	struct head head = {.method = SLICE("GET"),
	    .target = SLICE("/"),
	    .fields = &upgrade,
	    .field_count = 1};

	for (size_t i = 0; i < COUNT(refuses); i++)
		ck_assert(!can(refuses[i], SLICE("/"), none));
	for (size_t i = 0; i < COUNT(targets); i++)
		ck_assert(!can("OPTIONS", targets[i], none));
	ck_assert(
	    !can("POST", SLICE("/"), (struct body_plan){BODY_CHUNKED, 0}));
	ck_assert(!can("POST", SLICE("/"), (struct body_plan){BODY_CLOSE, 0}));
	ck_assert(
	    !can("POST", SLICE("/"), (struct body_plan){BODY_LENGTH, 1001}));
	ck_assert(
	    can("POST", SLICE("/"), (struct body_plan){BODY_LENGTH, 1000}));
	ck_assert(can("GET", SLICE("/"), none));
	ck_assert(!transport_evhttp_can(&head, none, 0));
	head.field_count = 0;
	ck_assert(transport_evhttp_can(&head, none, 0));
}
END_TEST

static int
has_no_deadline(
    const struct event_base *base, const struct event *event, void *arg)
{
	(void)base;
	(void)arg;
	return event_pending(event, EV_TIMEOUT, NULL) ? -1 : 0;
}

START_TEST(evhttp_has_no_deadlines_of_its_own)
{
	static const struct fake_act acts[] = {ACT(HEAD), ACT(WAIT),
	    SEND("HTTP/1.1 103 H\r\n\r\n"), ACT(WAIT),
	    SEND(OK "Content-Length: 2\r\n\r\na"), ACT(STOP)};
	static const char *const so_far[] = {
	    "", "ready", "ready 103", "ready 103 200 body"};
	struct bench b;
	struct errand e;

	open_errand(&b, &e, acts);
	errand_get(&e);
	for (size_t i = 0; i < COUNT(so_far); i++) {
		errand_run_to(&e, so_far[i]);
		ck_assert_int_eq(event_base_foreach_event(
				     b.loop.base, has_no_deadline, NULL),
		    0);
		if (i > 0)
			bench_idle(&b);
		if (i == 1 || i == 2)
			fake_server_go(&b.server);
	}
	errand_cancel(&e);
	bench_close(&b);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("transport_evhttp");
	TCase *tcase = tcase_create("transport_evhttp");
	SRunner *runner;
	int failed;

	transport_evhttp_prepare();
	transport_cases_add(tcase, transport_evhttp_open);
	tcase_add_test(tcase, a_request_is_these_bytes_on_the_wire);
	tcase_add_test(tcase, what_evhttp_cannot_carry_is_known_before);
	tcase_add_test(tcase, evhttp_has_no_deadlines_of_its_own);
	tcase_set_timeout(tcase, 30);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
