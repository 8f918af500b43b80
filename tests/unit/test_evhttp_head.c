/* SPDX-License-Identifier: ISC */
/* Heads of responses before evhttp gets them, and what it made of them. */
#include <check.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>

#include "evhttp_head.h"
#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LIMIT 65536
#define OK "HTTP/1.1 200 OK\r\n"

/* Reads the head as it comes in pieces of that size, each time flush against
 * the guard page, until it is not MORE. */
static enum h1_result
scan_pieces(struct slice bytes, size_t piece, size_t limit, size_t *len,
    enum reason *why)
{
	struct evhttp_scan scan = {.limit = limit};
	enum h1_result result = H1_MORE;
	size_t have = 0;

	while (result == H1_MORE && have < bytes.len) {
		struct guarded g;

		have = bytes.len - have < piece ? bytes.len : have + piece;
		g = guard_bytes(bytes.at, have);
		result = evhttp_head_scan(
		    &scan, (struct slice){g.at, have}, len, why);
		guard_free(&g);
	}
	return result;
}

static const size_t pieces[] = {LIMIT, 1, 7};

static void
expect_head(struct slice bytes, size_t wanted)
{
	for (size_t i = 0; i < COUNT(pieces); i++) {
		enum reason why = REASON_NONE;
		size_t len = 0;

		ck_assert_msg(
		    scan_pieces(bytes, pieces[i], LIMIT, &len, &why) == H1_DONE,
		    "refused in pieces of %zu: %.*s", pieces[i],
		    SLICE_ARG(bytes));
		ck_assert_uint_eq(len, wanted);
	}
}

static void
expect_bad(struct slice bytes, size_t limit, enum reason wanted)
{
	for (size_t i = 0; i < COUNT(pieces); i++) {
		enum reason why = REASON_NONE;
		size_t len;

		ck_assert_msg(
		    scan_pieces(bytes, pieces[i], limit, &len, &why) == H1_BAD,
		    "not refused in pieces of %zu: %.*s", pieces[i],
		    SLICE_ARG(bytes));
		ck_assert_msg(why == wanted, "%s: %.*s", reason_word(why),
		    SLICE_ARG(bytes));
	}
}

START_TEST(a_strict_head_is_found)
{
	static const struct {
		struct slice head, rest;
	} accepts[] = {
#define ROW(head, rest)                                                        \
	{                                                                      \
		{head, sizeof(head) - 1},                                      \
		{                                                              \
			rest, sizeof(rest) - 1                                 \
		}                                                              \
	}
	    ROW(OK "\r\n", ""),
	    ROW(OK "\r\n", "\r\n\r\n\n\n"),
	    ROW("HTTP/1.0 200 OK\r\n\r\n", "body\n\0\r"),
	    ROW("HTTP/1.1 200\r\n\r\n", ""),
	    ROW("HTTP/1.1 200 \r\n\r\n", ""),
	    ROW("HTTP/1.1 103 Early Hints\r\n\r\n", OK),
	    ROW("HTTP/1.1 404 caf\xc3\xa9 \tX\r\n\r\n", ""),
	    ROW(OK "A: b\r\n\r\n", " "),
	    ROW(OK "A:\r\nB: \t c \xff\r\nC:d:e\r\n\r\n", "\tx"),
#undef ROW
	};

	for (size_t i = 0; i < COUNT(accepts); i++) {
		char text[256];
		size_t len = accepts[i].head.len;

		memcpy(text, accepts[i].head.at, len);
		memcpy(text + len, accepts[i].rest.at, accepts[i].rest.len);
		expect_head(
		    (struct slice){text, len + accepts[i].rest.len}, len);
	}
}
END_TEST

START_TEST(a_head_that_evhttp_would_bend_is_refused)
{
	static const struct slice refuses[] = {
#define ROW(text) {text, sizeof(text) - 1}
	    /* ends of lines */
	    ROW("HTTP/1.1 200 OK\n\n"),
	    ROW(OK "A: b\n\r\n"),
	    ROW(OK "A: b\r\n\n"),
	    ROW(OK "\n"),
	    ROW(OK "A: b\rC: d\r\n\r\n"),
	    ROW(OK "A: b\r\r\n\r\n"),
	    ROW(OK "\r\r\n"),
	    ROW("\r\n" OK "\r\n"),
	    ROW("\n" OK "\r\n"),
	    ROW("\r\n\r\n"),
	    /* folded lines */
	    ROW(OK "A: b\r\n c\r\n\r\n"),
	    ROW(OK "A: b\r\n\tc\r\n\r\n"),
	    ROW(OK " A: b\r\n\r\n"),
	    ROW(OK "A: b\r\n \r\n\r\n"),
	    /* control bytes */
	    ROW(OK "A: b\0c\r\n\r\n"),
	    ROW(OK "A\0: b\r\n\r\n"),
	    ROW("HTTP/1.1 200 O\0K\r\n\r\n"),
	    ROW("\0HTTP/1.1 200 OK\r\n\r\n"),
	    ROW(OK "A: b\x01\r\n\r\n"),
	    ROW(OK "A: b\x1f\r\n\r\n"),
	    ROW(OK "A: b\x7f\r\n\r\n"),
	    ROW(OK "A: b\x0b\r\n\r\n"),
	    /* the status line */
	    ROW("HTTP/1.1 +200 OK\r\n\r\n"),
	    ROW("HTTP/1.1 20 OK\r\n\r\n"),
	    ROW("HTTP/1.1 2000 OK\r\n\r\n"),
	    ROW("HTTP/1.1 20x OK\r\n\r\n"),
	    ROW("HTTP/1.1 -20 OK\r\n\r\n"),
	    ROW("HTTP/1.1  200 OK\r\n\r\n"),
	    ROW("HTTP/1.1 200\tOK\r\n\r\n"),
	    ROW("HTTP/1.1 2 0 OK\r\n\r\n"),
	    ROW("HTTP/1.1\t200 OK\r\n\r\n"),
	    ROW("HTTP/1.1 \r\n\r\n"),
	    ROW("HTTP/1.1\r\n\r\n"),
	    ROW("HTTP/1.2 200 OK\r\n\r\n"),
	    ROW("HTTP/1.10 200 OK\r\n\r\n"),
	    ROW("HTTP/01.1 200 OK\r\n\r\n"),
	    ROW("HTTP/2.0 200 OK\r\n\r\n"),
	    ROW("HTTP/0.9 200 OK\r\n\r\n"),
	    ROW("http/1.1 200 OK\r\n\r\n"),
	    ROW(" HTTP/1.1 200 OK\r\n\r\n"),
	    ROW("ICY 200 OK\r\n\r\n"),
	    ROW("SSH-2.0-OpenSSH_9.2\r\n\r\n"),
	    ROW("GET / HTTP/1.1\r\n\r\n"),
#undef ROW
	};

	for (size_t i = 0; i < COUNT(refuses); i++)
		expect_bad(refuses[i], LIMIT, REASON_UPSTREAM_MALFORMED);
}
END_TEST

START_TEST(every_prefix_of_a_head_asks_for_more)
{
	struct slice head = SLICE(OK "A: b\r\nContent-Length: 0\r\n\r\n");
	enum reason why = REASON_NONE;
	size_t len;

	for (size_t have = 0; have < head.len; have++) {
		struct evhttp_scan scan = {.limit = LIMIT};

		ck_assert_int_eq(evhttp_head_scan(&scan,
				     (struct slice){head.at, have}, &len, &why),
		    H1_MORE);
	}
}
END_TEST

START_TEST(a_head_may_be_as_large_as_the_limit_and_no_larger)
{
	struct slice head = SLICE(OK "A: b\r\n\r\n");
	enum reason why;
	size_t len;

	for (size_t i = 0; i < COUNT(pieces); i++) {
		ck_assert_int_eq(
		    scan_pieces(head, pieces[i], head.len, &len, &why),
		    H1_DONE);
		ck_assert_uint_eq(len, head.len);
	}
	expect_bad(head, head.len - 1, REASON_UPSTREAM_HEAD_TOO_LARGE);
	expect_bad(head, 1, REASON_UPSTREAM_HEAD_TOO_LARGE);
	/* what is malformed within the limit is that first */
	expect_bad(SLICE("HTTP/1.1 200 OK\nAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 20,
	    REASON_UPSTREAM_MALFORMED);
}
END_TEST

static struct slice
many_fields(char *text, unsigned count)
{
	size_t len = sizeof(OK) - 1;

	memcpy(text, OK, len);
	for (unsigned i = 0; i < count; i++, len += 4)
		memcpy(text + len, "a:\r\n", 4);
	memcpy(text + len, "\r\n", 2);
	return (struct slice){text, len + 2};
}

START_TEST(a_head_may_have_so_many_fields_and_no_more)
{
	static char text[8192];
	struct slice head = many_fields(text, EVHTTP_HEAD_FIELDS);

	expect_head(head, head.len);
	expect_bad(many_fields(text, EVHTTP_HEAD_FIELDS + 1), LIMIT,
	    REASON_UPSTREAM_HEAD_TOO_LARGE);
}
END_TEST

/* ---- evhttp_head_read ---- */

/* What evhttp would have parsed: fields as "name", "value", ..., NULL. */
static struct evhttp_request *
parsed(int status, const char *phrase, const char *const *fields)
{
	struct evhttp_request *request = evhttp_request_new(NULL, NULL);

	ck_assert_ptr_nonnull(request);
	request->major = 1;
	request->minor = 1;
	request->response_code = status;
	if (phrase != NULL)
		request->response_code_line = strdup(phrase);
	for (; fields[0] != NULL; fields += 2)
		ck_assert_int_eq(evhttp_add_header(request->input_headers,
				     fields[0], fields[1]),
		    0);
	return request;
}

START_TEST(what_evhttp_parsed_is_copied)
{
	const char *const fields[] = {"Server", "x", "content-LENGTH", " 5\t",
	    "Set-Cookie", "a", "Set-Cookie", "b", "Empty", "", NULL};
	struct evhttp_request *request = parsed(404, "Not Here", fields);
	struct arena arena;
	struct head head;

	arena_init(&arena, NULL);
	ck_assert_int_eq(evhttp_head_read(&head, request, &arena), REASON_NONE);
	evhttp_request_free(request);
	ck_assert_int_eq(head.status, 404);
	ck_assert_uint_eq(head.minor, 1);
	ck_assert(slice_eq(head.phrase, SLICE("Not Here")));
	ck_assert_uint_eq(head.field_count, 5);
	ck_assert_int_eq(head.fields[1].id, FIELD_CONTENT_LENGTH);
	ck_assert(slice_eq(head.fields[1].name, SLICE("content-LENGTH")));
	ck_assert(slice_eq(head.fields[1].value, SLICE("5")));
	ck_assert(slice_eq(head.fields[2].value, SLICE("a")));
	ck_assert(slice_eq(head.fields[3].value, SLICE("b")));
	ck_assert_uint_eq(head.fields[4].value.len, 0);
	arena_done(&arena);
}
END_TEST

static void
expect_read(int status, const char *name, const char *value, enum reason wanted)
{
	const char *const fields[] = {name, value, NULL};
	struct evhttp_request *request = parsed(status, NULL, fields);
	struct arena arena;
	struct head head;
	enum reason why;

	arena_init(&arena, NULL);
	why = evhttp_head_read(&head, request, &arena);
	ck_assert_msg(why == wanted, "%d %s: %s gave %s", status, name, value,
	    reason_word(why));
	evhttp_request_free(request);
	arena_done(&arena);
}

START_TEST(a_status_that_is_none_is_refused)
{
	static const int accepts[] = {100, 102, 103, 199, 200, 304, 599};
	static const int refuses[] = {-1, 0, 99, 101, 600, 999, 2000};

	for (size_t i = 0; i < COUNT(accepts); i++)
		expect_read(accepts[i], "a", "b", REASON_NONE);
	for (size_t i = 0; i < COUNT(refuses); i++)
		expect_read(refuses[i], "a", "b", REASON_UPSTREAM_MALFORMED);
}
END_TEST

START_TEST(a_name_that_is_no_token_is_refused)
{
	static const char *const refuses[] = {"", " ", "A ", "Content-Length ",
	    "A B", "A\t", "(A)", "A\x01", "\xc3\xa9", "A/B", "A@B"};

	for (size_t i = 0; i < COUNT(refuses); i++)
		expect_read(200, refuses[i], "5", REASON_UPSTREAM_MALFORMED);
	expect_read(200, "!#$%&'*+-.^_`|~09azAZ", "5", REASON_NONE);
	expect_read(200, "a", "b\x01", REASON_UPSTREAM_MALFORMED);
	expect_read(200, "a", "b\x7f", REASON_UPSTREAM_MALFORMED);
	expect_read(200, "a", "b\tc \xff", REASON_NONE);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("evhttp_head");
	TCase *tcase = tcase_create("evhttp_head");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, a_strict_head_is_found);
	tcase_add_test(tcase, a_head_that_evhttp_would_bend_is_refused);
	tcase_add_test(tcase, every_prefix_of_a_head_asks_for_more);
	tcase_add_test(
	    tcase, a_head_may_be_as_large_as_the_limit_and_no_larger);
	tcase_add_test(tcase, a_head_may_have_so_many_fields_and_no_more);
	tcase_add_test(tcase, what_evhttp_parsed_is_copied);
	tcase_add_test(tcase, a_status_that_is_none_is_refused);
	tcase_add_test(tcase, a_name_that_is_no_token_is_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
