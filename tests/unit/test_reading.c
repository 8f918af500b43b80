/* SPDX-License-Identifier: ISC */
/* Readings: what servers may take a path for, and what is refused. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "reading.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct arena arena;

static void
set_up(void)
{
	arena_init(&arena, NULL);
}

static void
tear_down(void)
{
	arena_done(&arena);
}

/* The raw path is left out of *found, as its bytes are gone. */
static void
find_with(const char *path, bool slash, struct readings *found)
{
	struct guarded g = guard_bytes(path, strlen(path));
	struct slice raw = {g.at, strlen(path)};

	memset(found, 0x5a, sizeof(*found));
	reading_find(raw, slash, &arena, found);
	ck_assert_uint_ge(found->count, 1);
	ck_assert_ptr_eq(found->path[0].path.at, raw.at);
	ck_assert_uint_eq(found->path[0].path.len, raw.len);
	ck_assert(found->path[0].hostile && found->path[0].by == 0);
	found->path[0].path = slice_of(path);
	guard_free(&g);
}

static const struct reading_path *
reading_as(const struct readings *found, const char *as)
{
	unsigned i;

	for (i = 0; i < found->count; i++)
		if (slice_eq(found->path[i].path, slice_of(as)))
			return &found->path[i];
	return NULL;
}

/* "/%61 /a | /b": hostile ones, then benign ones, or "refused: nul". */
static void
print(const struct readings *found, char *out, size_t size)
{
	bool hostile = true;
	size_t n = 0;
	unsigned i;

	if (found->refused) {
		snprintf(out, size, "refused: %s",
		    found->why == READING_COUNT
			? "too many"
			: reading_row(found->why)->word);
		return;
	}
	out[0] = '\0';
	for (i = 0; i < found->count; i++) {
		n += (size_t)snprintf(out + n, size - n, "%s%s%.*s",
		    i > 0 ? " " : "",
		    hostile && !found->path[i].hostile ? "| " : "",
		    SLICE_ARG(found->path[i].path));
		hostile = found->path[i].hostile;
	}
}

static void
expect(const char *path, bool slash, const char *wanted)
{
	struct readings found;
	char text[4096];

	find_with(path, slash, &found);
	print(&found, text, sizeof(text));
	ck_assert_msg(strcmp(text, wanted) == 0,
	    "%s is read as\n  %s, not\n  %s", path, text, wanted);
}

static bool
is_operator(enum reading reading)
{
	return reading_row(reading)->class != READING_ALWAYS &&
	       reading != READING_CASE && reading != READING_PATH_PARAM;
}

START_TEST(each_row_reads_its_example_so)
{
	const struct reading_row *row = reading_row((enum reading)_i);
	const struct reading_path *as;
	struct readings found;

	ck_assert(strlen(row->word) > 0 && strlen(row->who) > 0);
	if (!is_operator((enum reading)_i))
		return;
	ck_assert(reading_triggered(slice_of(row->example)));
	find_with(row->example, false, &found);
	ck_assert(!found.refused);
	as = reading_as(&found, row->as);
	ck_assert_msg(
	    as != NULL, "%s is not read as %s", row->example, row->as);
	ck_assert(as->by & READING_BIT(_i));
	ck_assert_int_eq(as->hostile, row->class == READING_HOSTILE);
}
END_TEST

START_TEST(each_row_that_is_refused_refuses_its_example)
{
	const struct reading_row *row = reading_row((enum reading)_i);
	struct readings found;

	if (row->class != READING_ALWAYS)
		return;
	ck_assert(reading_triggered(slice_of(row->example)));
	find_with(row->example, false, &found);
	ck_assert(found.refused);
	ck_assert_int_eq(found.why, _i);
}
END_TEST

static const struct {
	const char *path, *readings;
} reads[] = {
    /* decoding */
    {"/%41", "/%41 /A"},
    {"/%2541", "/%2541 /%41 /A"},
    {"/%252541", "/%252541 /%2541 /%41"},
    {"/%2e%2e/a", "/%2e%2e/a /../a /a"},
    {"/x/%2E%2e/a", "/x/%2E%2e/a /x/../a /a"},
    {"/x/%252e%252e/a", "/x/%252e%252e/a /x/%2e%2e/a /x/../a /a"},
    {"/%4", "/%4"},
    {"/%", "/%"},
    {"/%zz%4", "/%zz%4"},
    {"/%u004", "/%u004"},
    {"/%%341", "/%%341 /%41 /A"},
    {"/%252e%2e/a", "/%252e%2e/a /%2e./a /%252e./a /../a /a | /%2e/a /%252e/a "
		    "/./a"},
    /* slashes, and whether an encoded one is one */
    {"/a%2fb", "/a%2fb /a/b"},
    {"/a%2Fb%41", "/a%2Fb%41 /a/bA /a%2FbA /a/b%41"},
    {"/users/a%2fb/%6frders", "/users/a%2fb/%6frders /users/a/b/orders "
			      "/users/a%2fb/orders /users/a/b/%6frders"},
    {"/a%252fb", "/a%252fb /a%2fb /a/b"},
    {"//", "// /"},
    {"//a", "//a /a /"},
    {"/a//b", "/a//b /a/b"},
    {"/a///b//", "/a///b// /a/b/ | /a///b /a/b"},
    {"//host/a", "//host/a /host/a /a"},
    {"///host//a", "///host//a /host/a //a /a /"},
    {"/\\host/a", "/\\host/a //host/a /host/a /a"},
    {"/a\\b", "/a\\b /a/b"},
    {"/a%5cb", "/a%5cb /a\\b /a/b"},
    {"/a%5C../b", "/a%5C../b /a\\../b /a/../b /b | /a%5C/b /a\\/b /a//b /a/b"},
    /* dot segments */
    {"/a/../b", "/a/../b /b"},
    {"/a/./b", "/a/./b /a/b"},
    {"/a/..", "/a/.. /"},
    {"/a/.", "/a/. /a/ | /a"},
    {"/..", "/.. /"},
    {"/../../a", "/../../a /a"},
    {"/a/b/../../c", "/a/b/../../c /c"},
    {"/a//../b", "/a//../b /a/b /a/../b /b"},
    {"/a/...", "/a/..."},
    {"/a/..b", "/a/..b"},
    {"/a/.b.c", "/a/.b.c | /a/.b"},
    {"/.a", "/.a"},
    /* params */
    {"/a;x=1/b", "/a;x=1/b /a/b"},
    {"/a;", "/a; /a"},
    {"/;x", "/;x /"},
    {"/a;x;y/b;z", "/a;x;y/b;z /a/b"},
    {"/a%3bx/b", "/a%3bx/b /a;x/b /a/b"},
    {"/a/..;/b", "/a/..;/b /a/../b /b"},
    {"/a/..;x=1/b", "/a/..;x=1/b /a/../b /b"},
    {"/a/;x/b", "/a/;x/b /a//b /a/b"},
    {"/a/%2e%2e%3b/b", "/a/%2e%2e%3b/b /a/..;/b /a/..%3b/b /a/../b /b"},
    /* benign */
    {"/a/", "/a/ | /a"},
    {"/", "/"},
    {"/a.json", "/a.json | /a"},
    {"/a.tar.gz", "/a.tar.gz | /a.tar"},
    {"/a.json/", "/a.json/ | /a.json /a"},
    {"/v1.2/a", "/v1.2/a"},
    {"/a.", "/a. | /a"},
    {"/a..", "/a.. | /a. /a"},
    {"/a./b", "/a./b | /a/b"},
    {"/a%20", "/a%20 /a  | /a"},
    {"/a.%20/b", "/a.%20/b /a. /b | /a/b"},
    {"/a/..%20/b", "/a/..%20/b /a/.. /b | /a/../b /b"},
    /* Of two ways to a path, the one that leaves more to come counts too. */
    {"/a.b.", "/a.b. | /a.b /a"},
    {"/a%2eb", "/a%2eb /a.b | /a"},
    /* not looked at here */
    {"/A", "/A"},
    {"/a?b", "/a?b"},
    {"*", "*"},
    {"", ""},
    {"a//b%41", "a//b%41"},
};

START_TEST(paths_are_read_in_every_order)
{
	expect(reads[_i].path, false, reads[_i].readings);
}
END_TEST

static const struct {
	const char *path;
	enum reading why; /* READING_COUNT: too many */
} refuses[] = {
    {"/%00", READING_NUL},
    {"/a%2500", READING_NUL},
    {"/a%252500", READING_NUL},
    {"/a/..%00/b", READING_NUL},
    {"/a%0a", READING_LINE_END},
    {"/a%0D/b", READING_LINE_END},
    {"/a%250A", READING_LINE_END},
    {"/%u0041", READING_U_ESCAPE},
    {"/%U002f", READING_U_ESCAPE},
    {"/%25u0041", READING_U_ESCAPE},
    {"/a%u2215", READING_U_ESCAPE},
    {"/%c0%af", READING_OVERLONG},
    {"/%c1%9c", READING_OVERLONG},
    {"/%25c0%25af", READING_OVERLONG},
    {"/%c0/", READING_OVERLONG},
    {"/%e0%80%af", READING_OVERLONG},
    {"/%f0%80%80%af", READING_OVERLONG},
    {"/%f8%80%80%80%af", READING_OVERLONG},
    {"/%fc%80%80%80%80%af", READING_OVERLONG},
    {"/a\\b//c;d/./%41", READING_COUNT},
    {"/%2f%5c%2e;/..//%252f", READING_COUNT},
    {"/a//b;x/./c%20d.e./", READING_COUNT},
};

START_TEST(some_are_refused_wherever_they_stand)
{
	struct readings found;

	ck_assert(reading_triggered(slice_of(refuses[_i].path)));
	find_with(refuses[_i].path, false, &found);
	ck_assert_msg(found.refused, "%s is not refused", refuses[_i].path);
	ck_assert_int_eq(found.why, refuses[_i].why);
}
END_TEST

START_TEST(what_only_looks_like_them_is_read)
{
	static const char *const paths[] = {"/%0", "/%0g", "/%u004", "/%uffg0",
	    "/%250", "/caf%c3%a9", "/%e0%a0%80", "/%f0%90%80%80", "/%e0a",
	    "/%df%bf", "/%ff", "/%c2%80", "/%09", "/%0b%0c"};
	struct readings found;
	size_t i;

	for (i = 0; i < COUNT(paths); i++) {
		find_with(paths[i], false, &found);
		ck_assert_msg(!found.refused, "%s is refused", paths[i]);
	}
}
END_TEST

START_TEST(plain_paths_are_read_in_one_way)
{
	static const char *const paths[] = {"/", "/a", "/users/42/orders",
	    "/v1.2/users", "/a.b/c", "/A/b-c_d~e!$&'()*+,=:@", "/a.b.c/d"};
	struct readings found;
	size_t i;

	for (i = 0; i < COUNT(paths); i++) {
		ck_assert_msg(!reading_triggered(slice_of(paths[i])),
		    "%s is a trigger", paths[i]);
		expect(paths[i], false, paths[i]);
	}
	ck_assert(!reading_triggered(SLICE_NONE));
	find_with("/a", true, &found);
	ck_assert_uint_eq(found.count, 2);
}
END_TEST

START_TEST(each_trigger_byte_is_seen_at_each_place)
{
	static const char *const triggers[] = {"%", "\\", ";", "//", "/.", "./",
	    " ", "\x7f", "\x80", "\xff", "\x01", "\n"};
	char path[64];
	size_t i, at, len;

	for (i = 0; i < COUNT(triggers); i++)
		for (len = 4; len < sizeof(path); len++)
			for (at = 1; at + strlen(triggers[i]) <= len; at++) {
				memset(path, 'a', sizeof(path));
				path[0] = '/';
				memcpy(path + at, triggers[i],
				    strlen(triggers[i]));
				ck_assert_msg(reading_triggered(
						  (struct slice){path, len}),
				    "%s at %zu of %zu", triggers[i], at, len);
			}
}
END_TEST

START_TEST(without_one_no_length_triggers)
{
	char path[64];
	struct guarded g;
	size_t len;

	for (len = 1; len < sizeof(path); len++) {
		memset(path, '~', len);
		path[0] = '/';
		if (len > 3)
			path[len / 2] = '/';
		g = guard_bytes(path, len);
		ck_assert_msg(!reading_triggered((struct slice){g.at, len}),
		    "%zu bytes are", len);
		path[len - 1] = '/';
		memcpy(g.at, path, len);
		ck_assert_int_eq(
		    reading_triggered((struct slice){g.at, len}), len > 1);
		path[len - 1] = '.';
		memcpy(g.at, path, len);
		if (len > 1)
			ck_assert(reading_triggered((struct slice){g.at, len}));
		guard_free(&g);
	}
}
END_TEST

START_TEST(a_slash_at_the_end_is_dropped_or_added)
{
	expect("/a", true, "/a | /a/");
	expect("/a/", true, "/a/ | /a");
	expect("/", true, "/");
	expect("/a.b", true, "/a.b | /a /a.b/ /a/");
	expect("/a%2f", true, "/a%2f /a/ | /a%2f/ /a /a//");
	expect("/a;x", true, "/a;x /a | /a;x/ /a/");
}
END_TEST

/* Whatever the path: what reading.h promises of every list. */
static void
expect_list(const struct readings *found, size_t len)
{
	size_t bytes = 0;
	unsigned i, k, hostile = 0;

	ck_assert_uint_le(found->count, READING_MAX);
	for (i = 0; i < found->count; i++) {
		const struct reading_path *path = &found->path[i];

		hostile += path->hostile;
		ck_assert(!path->hostile || hostile == i + 1);
		ck_assert_uint_le(path->path.len, len + 1);
		ck_assert(i == 0 || path->by != 0);
		for (k = 0; k < READING_COUNT; k++)
			if (path->hostile && (path->by & READING_BIT(k)) != 0)
				ck_assert_int_eq(
				    reading_row(k)->class, READING_HOSTILE);
		for (k = 0; k < i; k++)
			ck_assert(!slice_eq(found->path[k].path, path->path));
		bytes += path->path.len;
	}
	ck_assert_uint_le(hostile, READING_HOSTILE_MAX);
	ck_assert_uint_le(bytes, READING_BYTES + READING_LONG_MAX);
}

START_TEST(hostile_ones_come_first_and_all_are_distinct)
{
	static const char *const paths[] = {"/a%2fb/..;x/c.d/",
	    "/%252e%252e/a;b/c.d", "//h/a/./b%20.c.", "/a//b;c/%20x",
	    "/\\a%5cb/c.d", "/a\\b//c;d/./%41", "/%2f%2e%5c/.", "/x.y.z. /"};
	struct readings found;
	size_t i;

	for (i = 0; i < 2 * COUNT(paths); i++) {
		find_with(paths[i / 2], i % 2 == 1, &found);
		ck_assert(found.count > 3);
		expect_list(&found, strlen(paths[i / 2]));
	}
}
END_TEST

START_TEST(sixteen_hostile_ones_are_not_too_many)
{
	struct readings found;

	find_with("/a//b;x/./c%20d/e", false, &found);
	ck_assert(!found.refused);
	ck_assert_uint_eq(found.count, READING_HOSTILE_MAX);
	ck_assert(found.path[READING_HOSTILE_MAX - 1].hostile);
	find_with("/a//b;x/./c%20d/e\\f", false, &found);
	ck_assert(found.refused && found.why == READING_COUNT);
}
END_TEST

/* A long path is read in fewer ways, so that it costs no more than a short one;
 * eight ways are enough for what is no attack. */
START_TEST(a_path_of_8_kilobytes_is_bounded)
{
	static const char *const pieces[] = {"/", "//", "/.", "/../", "%", "%2",
	    "%41", "%2541", "%2e", "%2f", "%5c", "\\", ";", "/;", ".", "%20",
	    "a./", "%%/;/./", "/a%2fb;c\\"};
	static const char *const ends[] = {
	    "", "/..//;%41", "\\%2e%2f", "a.b./"};
	static char path[8192];
	struct readings found;
	size_t i, k, n, len;

	for (i = 0; i < COUNT(pieces) * COUNT(ends); i++) {
		k = i / COUNT(pieces);
		len = strlen(pieces[i % COUNT(pieces)]);
		path[0] = '/';
		for (n = 1; n + len < sizeof(path) - 16; n += len)
			memcpy(path + n, pieces[i % COUNT(pieces)], len);
		strcpy(path + n, ends[k]);
		n += strlen(ends[k]);
		find_with(path, true, &found);
		expect_list(&found, n);
		tear_down();
		set_up();
	}
	memset(path, 'a', 8000);
	memcpy(path + 7980, "%20a%2fb.pdf", 13);
	path[0] = '/';
	find_with(path, false, &found);
	ck_assert(!found.refused);
	ck_assert_uint_eq(found.count, READING_LONG_MAX);
}
END_TEST

static void
expect_added(const char *path, const char *param, const char *wanted)
{
	struct readings found;
	char text[4096];
	unsigned i, before;

	find_with(path, false, &found);
	before = found.count;
	reading_add(slice_of(param), false, &arena, &found);
	print(&found, text, sizeof(text));
	ck_assert_msg(strcmp(text, wanted) == 0, "%s and %s are read as %s",
	    path, param, text);
	for (i = before; i < found.count; i++) {
		ck_assert(!found.path[i].hostile);
		ck_assert(found.path[i].by & READING_BIT(READING_PATH_PARAM));
	}
}

START_TEST(paths_of_parameters_are_benign)
{
	expect_added("/", "/wp/v2", "/ | /wp/v2");
	expect_added("/", "/a/../b//c%41",
	    "/ | /a/../b//c%41 /a/../b//cA /b//c%41 /a/../b/c%41 /b//cA "
	    "/a/../b/cA /b/c%41 /b/cA");
	expect_added("/a.b", "/c.d/", "/a.b | /a /c.d/ /c.d /c");
	expect_added("/a", "/a", "/a");
	expect_added("/a", "/a%41", "/a | /a%41 /aA");
	expect_added("/a", "", "/a");
	expect_added("/a", "b/c%41", "/a");
	expect_added("/a", "/b%00", "refused: nul");
	expect_added("/a%00", "/b", "refused: nul");
	/* Nobody has decoded this one yet. */
	expect_added(
	    "/%25252541", "/%252541", "/%25252541 /%252541 /%2541 | /%41");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("reading");
	TCase *tcase = tcase_create("reading");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(
	    tcase, each_row_reads_its_example_so, 0, READING_COUNT);
	tcase_add_loop_test(tcase, each_row_that_is_refused_refuses_its_example,
	    0, READING_COUNT);
	tcase_add_loop_test(
	    tcase, paths_are_read_in_every_order, 0, (int)COUNT(reads));
	tcase_add_loop_test(tcase, some_are_refused_wherever_they_stand, 0,
	    (int)COUNT(refuses));
	tcase_add_test(tcase, what_only_looks_like_them_is_read);
	tcase_add_test(tcase, plain_paths_are_read_in_one_way);
	tcase_add_test(tcase, each_trigger_byte_is_seen_at_each_place);
	tcase_add_test(tcase, without_one_no_length_triggers);
	tcase_add_test(tcase, a_slash_at_the_end_is_dropped_or_added);
	tcase_add_test(tcase, hostile_ones_come_first_and_all_are_distinct);
	tcase_add_test(tcase, sixteen_hostile_ones_are_not_too_many);
	tcase_add_test(tcase, a_path_of_8_kilobytes_is_bounded);
	tcase_add_test(tcase, paths_of_parameters_are_benign);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
