/* SPDX-License-Identifier: ISC */
/* WebDAV: where COPY and MOVE go, and which requests act on a tree. */
#include <check.h>
#include <stdlib.h>

#include "dav.h"
#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool
is(struct slice s, const char *text)
{
	return slice_eq(s, slice_of(text));
}

static struct head
request(const char *method, struct field *fields, unsigned count)
{
	return (struct head){.method = slice_of(method),
	    .target = SLICE("/a"),
	    .path = SLICE("/a"),
	    .minor = 1,
	    .fields = fields,
	    .field_count = count};
}

static const struct {
	const char *destination, *authority, *path, *query;
} accepts[] = {
    {"/b", "", "/b", ""},
    {"/", "", "/", ""},
    {"/b?c", "", "/b", "c"},
    {"http://a.example/b/c", "a.example", "/b/c", ""},
    {"HTTPS://A.example:8443/b?c=d", "A.example:8443", "/b", "c=d"},
    {"http://a.example", "a.example", "/", ""},
    {"http://[::1]:80/b", "[::1]:80", "/b", ""},
    {"/%2e%2e/b", "", "/%2e%2e/b", ""},
    {"//a.example/b", "", "//a.example/b", ""},
};

START_TEST(destinations_are_split_as_targets_are)
{
	const char *text = accepts[_i].destination;
	struct guarded g = guard_bytes(text, strlen(text));
	struct field field = {
	    SLICE("Destination"), {g.at, strlen(text)}, FIELD_DESTINATION};
	struct head head = request("MOVE", &field, 1), to;

	ck_assert_int_eq(
	    dav_destination(&head, METHOD_MOVE, &to), DAV_DESTINATION_GOOD);
	ck_assert(is(to.authority, accepts[_i].authority));
	ck_assert(is(to.path, accepts[_i].path));
	ck_assert(is(to.query, accepts[_i].query));
	ck_assert_int_eq(
	    dav_destination(&head, METHOD_COPY, &to), DAV_DESTINATION_GOOD);
	guard_free(&g);
}
END_TEST

static const char *const refuses[] = {
    "",
    "*",
    "b",
    "b/c",
    "?b",
    "ftp://a.example/b",
    "http:/b",
    "http:///b",
    "http://",
    "http://a@a.example/b",
    "http://a:b@a.example/b",
    "http://a.example:99999/b",
    "http://a.example/b#c",
    "/b#c",
    "/b c",
    "/b\x80",
    "http://a.example?b",
    "a.example/b",
    "javascript:b",
};

START_TEST(others_are_bad)
{
	const char *text = refuses[_i];
	struct guarded g = guard_bytes(text, strlen(text));
	struct field field = {
	    SLICE("Destination"), {g.at, strlen(text)}, FIELD_DESTINATION};
	struct head head = request("COPY", &field, 1), to;

	ck_assert_msg(
	    dav_destination(&head, METHOD_COPY, &to) == DAV_DESTINATION_BAD,
	    "%s is good", text);
	guard_free(&g);
}
END_TEST

START_TEST(a_destination_stands_once)
{
	struct field fields[3] = {
	    {SLICE("Destination"), SLICE("/b"), FIELD_DESTINATION},
	    {SLICE("X"), SLICE("y"), FIELD_OTHER},
	    {SLICE("destination"), SLICE("/b"), FIELD_DESTINATION}};
	struct head head = request("MOVE", fields, 3), to;

	ck_assert_int_eq(
	    dav_destination(&head, METHOD_MOVE, &to), DAV_DESTINATION_BAD);
	head.field_count = 2;
	ck_assert_int_eq(
	    dav_destination(&head, METHOD_MOVE, &to), DAV_DESTINATION_GOOD);
	head.fields = fields + 1;
	head.field_count = 1;
	ck_assert_int_eq(
	    dav_destination(&head, METHOD_MOVE, &to), DAV_DESTINATION_NONE);
}
END_TEST

START_TEST(only_copy_and_move_have_one)
{
	struct field field = {
	    SLICE("Destination"), SLICE("ftp://x"), FIELD_DESTINATION};
	struct head head = request("GET", &field, 1), to;
	unsigned m;

	for (m = 0; m <= METHOD_MAX; m++)
		ck_assert_int_eq(dav_destination(&head, m, &to),
		    m == METHOD_COPY || m == METHOD_MOVE
			? DAV_DESTINATION_BAD
			: DAV_DESTINATION_NONE);
	ck_assert_int_eq(
	    dav_destination(&head, METHOD_NONE, &to), DAV_DESTINATION_NONE);
}
END_TEST

/* An OPTIONS whose override says COPY: no target of its own is meant. */
START_TEST(a_destination_is_never_the_server_itself)
{
	struct field field = {
	    SLICE("Destination"), SLICE("http://a.example"), FIELD_DESTINATION};
	struct head head = request("OPTIONS", &field, 1), to;

	ck_assert_int_eq(
	    dav_destination(&head, METHOD_COPY, &to), DAV_DESTINATION_BAD);
}
END_TEST

static const struct {
	unsigned method;
	const char *depth; /* or NULL */
	bool tree;
} depths[] = {
    {METHOD_DELETE, NULL, true},
    {METHOD_DELETE, "0", true},
    {METHOD_MOVE, NULL, true},
    {METHOD_MOVE, "0", true},
    {METHOD_PROPPATCH, "0", true},
    {METHOD_COPY, NULL, true},
    {METHOD_COPY, "infinity", true},
    {METHOD_COPY, "0", false},
    {METHOD_COPY, "1", true},
    {METHOD_LOCK, NULL, true},
    {METHOD_LOCK, "0", false},
    {METHOD_LOCK, "1", true},
    {METHOD_PROPFIND, NULL, true},
    {METHOD_PROPFIND, "infinity", true},
    {METHOD_PROPFIND, "Infinity", true},
    {METHOD_PROPFIND, "0", false},
    {METHOD_PROPFIND, "1", false},
    {METHOD_PROPFIND, "2", true},
    {METHOD_PROPFIND, "", true},
    {METHOD_PROPFIND, "00", true},
    {METHOD_PROPFIND, "1,noroot", true},
    {METHOD_PROPFIND, "infinity,noroot", true},
    {METHOD_PROPFIND, "0 ", true},
    {METHOD_GET, NULL, false},
    {METHOD_PUT, "infinity", false},
    {METHOD_POST, NULL, false},
    {METHOD_MKCOL, NULL, false},
    {METHOD_UNLOCK, NULL, false},
    {METHOD_REGISTERED, "infinity", false},
    {METHOD_NONE, "infinity", false},
};

START_TEST(depth_says_what_is_acted_on)
{
	struct field field = {SLICE("Depth"), SLICE_NONE, FIELD_DEPTH};
	struct head head =
	    request("X", &field, depths[_i].depth != NULL ? 1 : 0);

	if (depths[_i].depth != NULL)
		field.value = slice_of(depths[_i].depth);
	ck_assert_int_eq(
	    dav_on_tree(&head, depths[_i].method), depths[_i].tree);
}
END_TEST

START_TEST(a_repeated_depth_is_none)
{
	struct field fields[2] = {{SLICE("Depth"), SLICE("0"), FIELD_DEPTH},
	    {SLICE("Depth"), SLICE("0"), FIELD_DEPTH}};
	struct head head = request("PROPFIND", fields, 2);

	ck_assert(dav_on_tree(&head, METHOD_PROPFIND));
	head.field_count = 1;
	ck_assert(!dav_on_tree(&head, METHOD_PROPFIND));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("dav");
	TCase *tcase = tcase_create("dav");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, destinations_are_split_as_targets_are, 0,
	    (int)COUNT(accepts));
	tcase_add_loop_test(tcase, others_are_bad, 0, (int)COUNT(refuses));
	tcase_add_test(tcase, a_destination_stands_once);
	tcase_add_test(tcase, only_copy_and_move_have_one);
	tcase_add_test(tcase, a_destination_is_never_the_server_itself);
	tcase_add_loop_test(
	    tcase, depth_says_what_is_acted_on, 0, (int)COUNT(depths));
	tcase_add_test(tcase, a_repeated_depth_is_none);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
