/* SPDX-License-Identifier: ISC */
/* Bodies on their way to a transport that takes as little as it likes, however
 * they are cut: what goes on, what stays, what is found. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "hold.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BLOCK 64
#define TEXT_MAX 4096

static struct pool pool;
static struct hold hold;

/* A transport of which only body is used. */
static struct {
	struct transport base; /* first */
	size_t room;	       /* bytes that it takes in one call */
	char got[TEXT_MAX];
	size_t len;
	unsigned calls;
} server;

static size_t
op_body(struct transport *t, struct slice piece)
{
	size_t taken = piece.len < server.room ? piece.len : server.room;

	ck_assert_ptr_eq(t, &server.base);
	ck_assert_uint_gt(piece.len, 0);
	ck_assert_uint_le(server.len + taken, sizeof(server.got));
	memcpy(server.got + server.len, piece.at, taken);
	server.len += taken;
	server.calls++;
	return taken;
}

static const struct transport_ops ops = {.body = op_body};

static void
set_up(void)
{
	pool_init(&pool, BLOCK, 8);
	memset(&server, 0, sizeof(server));
	server.base.ops = &ops;
}

static void
tear_down(void)
{
	pool_done(&pool);
}

static void
start(enum hold_mode mode, const char *type)
{
	struct field field = {.name = SLICE("Content-Type"),
	    .value = slice_of(type),
	    .id = FIELD_CONTENT_TYPE};
	struct head head = {.method = SLICE("POST"),
	    .path = SLICE("/"),
	    .fields = &field,
	    .field_count = 1};

	server.len = server.calls = 0;
	hold_init(&hold, mode, &pool, &head);
}

/* Gives a piece that can't be read past its end, nor after the call. */
static size_t
take(const char *bytes, size_t len)
{
	struct guarded piece = guard_bytes(bytes, len);
	size_t taken =
	    hold_take(&hold, &server.base, (struct slice){piece.at, len});

	guard_free(&piece);
	ck_assert_uint_le(taken, len);
	return taken;
}

static void
expect_got(const char *bytes, size_t len)
{
	ck_assert_uint_eq(server.len, len);
	ck_assert_mem_eq(server.got, bytes, len);
}

static const struct {
	const char *type, *body;
	const char *token; /* that is found, or NULL */
} bodies[] = {
    {"application/x-www-form-urlencoded", "a", NULL},
    {"application/x-www-form-urlencoded", "a=1&b=2&_methods=3", NULL},
    {"application/x-www-form-urlencoded", "a=1&_method=DELETE", "DELETE"},
    {"application/x-www-form-urlencoded", "_method=%50UT", "PUT"},
    {"application/json", "{\"a\":[1,2],\"_method\":\"put\"}", "PUT"},
    {"multipart/form-data; boundary=b",
	"--b\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\n"
	"PURGE\r\n--b--\r\n",
	"PURGE"},
};

static void
expect_found(const char *token)
{
	ck_assert_uint_eq(hold.found.count, token != NULL);
	ck_assert(!hold.found.unreadable);
	if (token != NULL)
		ck_assert_str_eq(hold.found.token[0].token, token);
}

START_TEST(nothing_goes_on_of_what_is_held_as_a_whole)
{
	const char *body = bodies[_i].body;
	size_t len = strlen(body), cut, room;

	for (cut = 1; cut <= len; cut++) {
		start(HOLD_ALL, bodies[_i].type);
		ck_assert_uint_eq(take(body, cut), cut);
		ck_assert_uint_eq(take(body + cut, len - cut), len - cut);
		ck_assert_uint_eq(server.calls, 0);
		ck_assert_uint_eq(buffer_len(&hold.kept), len);
		hold_end(&hold);
		expect_found(bodies[_i].token);
		server.room = 0;
		ck_assert(!hold_release(&hold, &server.base));
		expect_got("", 0);
		server.room = cut;
		for (room = cut; room < len; room += cut) {
			ck_assert(!hold_release(&hold, &server.base));
			expect_got(body, room);
		}
		ck_assert(hold_release(&hold, &server.base));
		expect_got(body, len);
		ck_assert(hold_release(&hold, &server.base));
		expect_got(body, len);
		ck_assert_ptr_null(hold.kept.base);
	}
}
END_TEST

/* The transport has what was taken but for one byte, whatever it takes. */
START_TEST(all_but_the_last_byte_goes_on)
{
	const char *body = bodies[_i].body;
	size_t len = strlen(body), piece, given, taken;

	for (piece = 1; piece <= len; piece++)
		for (server.room = 1; server.room <= piece; server.room++) {
			start(HOLD_LAST, bodies[_i].type);
			for (given = 0; given < len; given += taken) {
				taken = take(body + given,
				    piece < len - given ? piece : len - given);
				ck_assert_uint_ge(given + taken, server.len);
				ck_assert_uint_le(
				    given + taken, server.len + 1);
				ck_assert_uint_lt(server.len, len);
				ck_assert_mem_eq(server.got, body, server.len);
			}
			expect_got(body, len - 1);
			hold_end(&hold);
			expect_found(bodies[_i].token);
			expect_got(body, len - 1);
			ck_assert(hold_release(&hold, &server.base));
			expect_got(body, len);
		}
}
END_TEST

START_TEST(what_is_held_costs_no_buffer_but_that_of_the_whole)
{
	start(HOLD_LAST, "application/json");
	server.room = TEXT_MAX;
	ck_assert_uint_eq(take("{\"a\":1}", 7), 7);
	ck_assert(hold.has_last);
	ck_assert_ptr_null(hold.kept.base);
	hold_done(&hold);
}
END_TEST

START_TEST(a_transport_that_takes_nothing_is_waited_for)
{
	start(HOLD_LAST, "application/json");
	ck_assert_uint_eq(take("{}", 2), 0);
	ck_assert_uint_eq(take("{", 1), 1); /* the only byte so far is kept */
	ck_assert_uint_eq(take("}", 1), 0);
	ck_assert(!hold_release(&hold, &server.base));
	expect_got("", 0);
	server.room = 1;
	ck_assert_uint_eq(take("}", 1), 1);
	expect_got("{", 1);
	hold_end(&hold);
	server.room = 0;
	ck_assert(!hold_release(&hold, &server.base));
	server.room = 1;
	ck_assert(hold_release(&hold, &server.base));
	expect_got("{}", 2);
}
END_TEST

/* A byte that is offered twice would be another field. */
START_TEST(what_the_transport_leaves_is_scanned_once)
{
	static const char body[] = "__method=PUT&_method=PUT";
	size_t given;

	start(HOLD_NOTHING, "application/x-www-form-urlencoded");
	server.room = 1;
	for (given = 0; given < sizeof(body) - 1;)
		given += take(body + given, sizeof(body) - 1 - given);
	hold_end(&hold);
	expect_got(body, sizeof(body) - 1);
	expect_found("PUT");

	start(HOLD_NOTHING, "application/x-www-form-urlencoded");
	server.room = 0;
	ck_assert_uint_eq(take("_", 1), 0);
	server.room = 1;
	ck_assert_uint_eq(take("_", 1), 1);
	server.room = TEXT_MAX;
	ck_assert_uint_eq(take("method=PUT", 10), 10);
	hold_end(&hold);
	expect_found("PUT");
}
END_TEST

START_TEST(an_empty_body_has_nothing_to_hold)
{
	static const enum hold_mode modes[] = {
	    HOLD_NOTHING, HOLD_ALL, HOLD_LAST};

	for (size_t i = 0; i < COUNT(modes); i++) {
		start(modes[i], "application/json");
		ck_assert_uint_eq(
		    hold_take(&hold, &server.base, SLICE_NONE), 0);
		hold_end(&hold);
		ck_assert(hold_release(&hold, &server.base));
		ck_assert_uint_eq(server.calls, 0);
		hold_done(&hold);
	}
}
END_TEST

START_TEST(the_end_frees_what_is_held)
{
	char body[TEXT_MAX];

	memset(body, 'a', sizeof(body));
	start(HOLD_ALL, "application/x-www-form-urlencoded");
	ck_assert_uint_eq(take(body, BLOCK), BLOCK);
	hold_done(&hold);
	ck_assert_uint_eq(pool.free_count, 1);
	hold_done(&hold);
	ck_assert_uint_eq(pool.free_count, 1);
	/* of several blocks' size it grows by doubling, and is no block */
	start(HOLD_ALL, "application/x-www-form-urlencoded");
	for (size_t i = 0; i < sizeof(body); i += 100)
		take(body + i, sizeof(body) - i < 100 ? sizeof(body) - i : 100);
	ck_assert_uint_eq(buffer_len(&hold.kept), sizeof(body));
	ck_assert_uint_eq(hold.kept.cap, sizeof(body));
	hold_done(&hold);
	ck_assert_uint_eq(pool.free_count, 1);
	hold_done(NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("hold");
	TCase *tcase = tcase_create("hold");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, nothing_goes_on_of_what_is_held_as_a_whole,
	    0, COUNT(bodies));
	tcase_add_loop_test(
	    tcase, all_but_the_last_byte_goes_on, 0, COUNT(bodies));
	tcase_add_test(
	    tcase, what_is_held_costs_no_buffer_but_that_of_the_whole);
	tcase_add_test(tcase, a_transport_that_takes_nothing_is_waited_for);
	tcase_add_test(tcase, what_the_transport_leaves_is_scanned_once);
	tcase_add_test(tcase, an_empty_body_has_nothing_to_hold);
	tcase_add_test(tcase, the_end_frees_what_is_held);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
