/* SPDX-License-Identifier: ISC */
/* Location patterns: whole segments, raw bytes, and which pattern is best. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "trie.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct pattern {
	const char *text;
	bool exact;
};

/* Values are the patterns themselves; the path lies flush against a page that
 * can't be read. */
static const struct pattern *
find(const struct trie *trie, const char *path)
{
	struct guarded g = guard_bytes(path, strlen(path));
	const struct pattern *found =
	    trie_find(trie, (struct slice){g.at, strlen(path)});

	guard_free(&g);
	return found;
}

static struct trie *
build(const struct pattern *patterns, size_t count)
{
	struct trie *trie = trie_new();
	size_t i;

	for (i = 0; i < count; i++)
		ck_assert_ptr_null(trie_add(trie, slice_of(patterns[i].text),
		    patterns[i].exact, (void *)&patterns[i]));
	trie_seal(trie);
	return trie;
}

/* "= /a" for an exact pattern, "-" for none. */
static void
expect(const struct trie *trie, const char *path, const char *wanted)
{
	const struct pattern *found = find(trie, path);
	char text[256] = "-";

	if (found != NULL)
		snprintf(text, sizeof(text), "%s%s", found->exact ? "= " : "",
		    found->text);
	ck_assert_msg(strcmp(text, wanted) == 0, "%s found %s, wanted %s", path,
	    text, wanted);
}

static const struct pattern site[] = {
    {"/api", false},
    {"/api/reports", false},
    {"/healthz", true},
    {"/users/*", false},
    {"/users/*/orders", false},
    {"/users/me", false},
    {"/users/*/orders", true},
    {"/files/", true},
    {"/files", false},
    {"/*/*/deep", false},
    {"/x/*/deep", false},
    {"/x/y", false},
    {"/*/only", true},
    {"/a%2Fb", false},
    {"/Case", false},
};

START_TEST(whole_segments_match_and_every_byte_counts)
{
	static const struct {
		const char *path, *wanted;
	} rows[] = {
	    {"/api", "/api"},
	    {"/api/", "/api"},
	    {"/api/x/y/z", "/api"},
	    {"/api/reports", "/api/reports"},
	    {"/api/reports/2026", "/api/reports"},
	    {"/api/report", "/api"},
	    {"/api/reportsx", "/api"},
	    {"/api//reports", "/api"},
	    {"/apix", "-"},
	    {"/ap", "-"},
	    {"/bpi", "-"},
	    {"/api%2Freports", "-"},
	    {"//api", "-"},
	    {"/API", "-"},
	    {"/case", "-"},
	    {"/Case", "/Case"},
	    {"/a%2Fb", "/a%2Fb"},
	    {"/a%2fb", "-"},
	    {"/a/b", "-"},
	    {"/healthz", "= /healthz"},
	    {"/healthz/", "-"},
	    {"/healthz/x", "-"},
	    {"/", "-"},
	    {"", "-"},
	    {"api", "-"},
	    {"xapi", "-"},
	    {"*", "-"},
	};
	struct trie *trie = build(site, COUNT(site));
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		expect(trie, rows[i].path, rows[i].wanted);
	trie_free(trie);
}
END_TEST

START_TEST(the_best_pattern_wins)
{
	static const struct {
		const char *path, *wanted;
	} rows[] = {
	    {"/users", "-"},
	    {"/users/", "-"},
	    {"/users/7", "/users/*"},
	    {"/users/me", "/users/me"},
	    {"/users/me/", "/users/me"},
	    {"/users/*", "/users/*"},
	    {"/users/7/orders", "= /users/*/orders"},
	    {"/users/me/orders", "= /users/*/orders"},
	    {"/users/me/orders/1", "/users/*/orders"},
	    {"/users//orders", "-"},
	    {"/users/7/order", "/users/*"},
	    {"/files", "/files"},
	    {"/files/", "= /files/"},
	    {"/files//", "/files"},
	    {"/files/a", "/files"},
	    {"/x/y", "/x/y"},
	    {"/x/y/deep", "/x/*/deep"},
	    {"/x/y/shallow", "/x/y"},
	    {"/q/r/deep", "/*/*/deep"},
	    {"/q/r/deep/er", "/*/*/deep"},
	    {"/q/only", "= /*/only"},
	    {"/users/only", "= /*/only"},
	    {"/q/only/more", "-"},
	    {"//only", "-"},
	};
	struct trie *trie = build(site, COUNT(site));
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		expect(trie, rows[i].path, rows[i].wanted);
	trie_free(trie);
}
END_TEST

START_TEST(of_equal_length_the_leftmost_literal_decides)
{
	static const struct pattern patterns[] = {
	    {"/*/b/*", false}, {"/a/*/*", false}, {"/*/*/c", false}};
	struct trie *trie = build(patterns, COUNT(patterns));

	expect(trie, "/a/b/c", "/a/*/*");
	expect(trie, "/z/b/c", "/*/b/*");
	expect(trie, "/z/y/c", "/*/*/c");
	expect(trie, "/z/y/x", "-");
	trie_free(trie);
}
END_TEST

START_TEST(it_decides_between_exact_patterns_too)
{
	static const struct pattern patterns[] = {
	    {"/*/b", true}, {"/a/*", true}, {"/*/*", true}};
	struct trie *trie = build(patterns, COUNT(patterns));

	expect(trie, "/a/b", "= /a/*");
	expect(trie, "/z/b", "= /*/b");
	expect(trie, "/z/y", "= /*/*");
	trie_free(trie);
}
END_TEST

/* Short keys stand in the node, long ones do not. */
START_TEST(segments_of_any_length_match)
{
	static char texts[200][256];
	struct trie *trie = trie_new();
	size_t i;

	for (i = 0; i < COUNT(texts); i++) {
		memset(texts[i], 'a', i + 1);
		texts[i][0] = '/';
		if (i > 0)
			trie_add(trie, slice_of(texts[i]), false, texts[i]);
	}
	trie_seal(trie);
	for (i = 1; i < COUNT(texts); i++) {
		ck_assert_ptr_eq(trie_find(trie, slice_of(texts[i])), texts[i]);
		texts[i][i] = 'b';
		ck_assert_ptr_null(trie_find(trie, slice_of(texts[i])));
	}
	trie_free(trie);
}
END_TEST

/* A path of one segment: 16 digits that look random. */
static void
scatter(char *out, size_t size, uint64_t i)
{
	i = (i ^ 0x5555) * 0xbf58476d1ce4e5b9;
	i = (i ^ (i >> 31)) * 0x94d049bb133111eb;
	snprintf(out, size, "/%016llx", (unsigned long long)(i ^ (i >> 29)));
}

/* So many that some have the hash of a pattern: only the bytes tell them
 * apart. A trie that skips that compare opens a gate. */
START_TEST(a_hash_is_never_taken_for_the_segment)
{
	struct trie *trie = trie_new();
	char path[32];
	unsigned i;

	for (i = 0; i < 100000; i++) {
		scatter(path, sizeof(path), i);
		trie_add(trie, slice_of(path), false, path);
	}
	trie_seal(trie);
	for (i = 100000; i < 500000; i++) {
		scatter(path, sizeof(path), i);
		ck_assert_ptr_null(trie_find(trie, slice_of(path)));
	}
	trie_free(trie);
}
END_TEST

START_TEST(the_root_prefix_takes_what_nothing_else_takes)
{
	static const struct pattern patterns[] = {
	    {"/", false}, {"/", true}, {"/a", true}};
	struct trie *trie = build(patterns, COUNT(patterns));

	expect(trie, "/", "= /");
	expect(trie, "//", "/");
	expect(trie, "/a", "= /a");
	expect(trie, "/a/", "/");
	expect(trie, "/b/c", "/");
	expect(trie, "", "-");
	trie_free(trie);
}
END_TEST

START_TEST(the_root_prefix_alone_is_no_exact_root)
{
	static const struct pattern patterns[] = {{"/", true}};
	struct trie *trie = build(patterns, COUNT(patterns));

	expect(trie, "/", "= /");
	expect(trie, "/a", "-");
	expect(trie, "//", "-");
	trie_free(trie);
}
END_TEST

START_TEST(an_empty_trie_finds_nothing)
{
	struct trie *trie = build(NULL, 0);

	expect(trie, "/", "-");
	expect(trie, "/a/b", "-");
	trie_free(trie);
	trie_free(NULL);
}
END_TEST

START_TEST(a_second_pattern_is_told_who_stands_there)
{
	struct trie *trie = trie_new();
	int first, second;

	ck_assert_ptr_null(trie_add(trie, SLICE("/a/*"), false, &first));
	ck_assert_ptr_null(trie_add(trie, SLICE("/a/*"), true, &second));
	ck_assert_ptr_eq(trie_add(trie, SLICE("/a/*"), false, &second), &first);
	ck_assert_ptr_eq(trie_add(trie, SLICE("/a/*"), true, &first), &second);
	ck_assert_ptr_null(trie_add(trie, SLICE("/"), false, &first));
	ck_assert_ptr_null(trie_add(trie, SLICE("/"), true, &second));
	ck_assert_ptr_eq(trie_add(trie, SLICE("/"), false, &second), &first);
	trie_seal(trie);
	ck_assert_ptr_eq(trie_find(trie, SLICE("/a/b/c")), &first);
	ck_assert_ptr_eq(trie_find(trie, SLICE("/a/b")), &second);
	trie_free(trie);
}
END_TEST

START_TEST(patterns_are_copied)
{
	char text[] = "/abc/def";
	struct trie *trie = trie_new();
	int value;

	trie_add(trie, slice_of(text), false, &value);
	memset(text, 'x', sizeof(text) - 1);
	trie_seal(trie);
	ck_assert_ptr_eq(trie_find(trie, SLICE("/abc/def")), &value);
	trie_free(trie);
}
END_TEST

START_TEST(a_parent_is_the_longest_prefix_above)
{
	static const struct {
		const char *pattern, *parent;
	} rows[] = {
	    {"/", "-"},
	    {"/api", "/"},
	    {"/api/v1", "/api"},
	    {"/api/v1/x", "/api"},
	    {"/api/*/x", "/api"},
	    {"/users/*/orders", "/users/*"},
	    {"/users/me/orders", "/users/me"},
	    {"/users/me", "/"},
	    {"/users/*", "/"},
	    {"/*/x", "/"},
	    {"/literal/a/b", "/literal/a"},
	    {"/literal/*/b", "/"},
	    {"/exact/below", "/"},
	};
	static const struct pattern patterns[] = {{"/", false}, {"/api", false},
	    {"/users/*", false}, {"/users/me", false}, {"/literal/a", false},
	    {"/exact", true}};
	struct trie *trie = build(patterns, COUNT(patterns));
	const struct pattern *parent;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		parent = trie_parent(trie, slice_of(rows[i].pattern));
		ck_assert_msg(strcmp(parent != NULL ? parent->text : "-",
				  rows[i].parent) == 0,
		    "%s is under %s", rows[i].pattern,
		    parent != NULL ? parent->text : "nothing");
	}
	trie_free(trie);
}
END_TEST

START_TEST(ten_thousand_patterns_keep_apart)
{
	static char texts[10000][32];
	struct trie *trie = trie_new();
	char miss[40];
	size_t i;

	for (i = 0; i < COUNT(texts); i++) {
		snprintf(texts[i], sizeof(texts[i]), "/t%zu/%s/i%zu", i % 100,
		    i % 7 == 0 ? "*" : "items", i);
		ck_assert_ptr_null(
		    trie_add(trie, slice_of(texts[i]), i % 2 == 0, texts[i]));
	}
	trie_seal(trie);
	for (i = 0; i < COUNT(texts); i++) {
		snprintf(miss, sizeof(miss), "/t%zu/items/i%zu", i % 100, i);
		ck_assert_ptr_eq(trie_find(trie, slice_of(miss)), texts[i]);
		snprintf(
		    miss, sizeof(miss), "/t%zu/items/i%zu", (i + 1) % 100, i);
		ck_assert_ptr_null(trie_find(trie, slice_of(miss)));
	}
	trie_free(trie);
}
END_TEST

/* ---- what lies below ---- */

/* Values are bits that their locations have; most lack one of their own. */
struct measured {
	const char *text;
	bool exact;
	uint64_t bits;
};

static uint64_t
bits_of(const void *value)
{
	return ((const struct measured *)value)->bits;
}

static struct trie *
measure(const struct measured *patterns, size_t count)
{
	struct trie *trie = trie_new();
	size_t i;

	for (i = 0; i < count; i++)
		trie_add(trie, slice_of(patterns[i].text), patterns[i].exact,
		    (void *)&patterns[i]);
	trie_measure(trie, bits_of);
	trie_seal(trie);
	return trie;
}

static uint64_t
below(const struct trie *trie, const char *path)
{
	struct guarded g = guard_bytes(path, strlen(path));
	uint64_t bits = trie_below(trie, (struct slice){g.at, strlen(path)});

	guard_free(&g);
	return bits;
}

START_TEST(below_is_what_all_patterns_further_down_have)
{
	static const struct measured patterns[] = {
	    {"/dav", false, ~(uint64_t)0x1},
	    {"/dav/a", false, ~(uint64_t)0x2},
	    {"/dav/a/b", true, ~(uint64_t)0x4},
	    {"/dav/*/c", false, ~(uint64_t)0x8},
	    {"/dav/*/c/d/e", true, ~(uint64_t)0x10},
	    {"/dav/a/", true, ~(uint64_t)0x20},
	    {"/dav", true, ~(uint64_t)0x40},
	    {"/*/star", false, ~(uint64_t)0x80},
	    {"/other", false, ~(uint64_t)0x100},
	};
	static const struct {
		const char *path;
		uint64_t lacks;
	} rows[] = {
	    {"/", 0x1ff},
	    {"/dav", 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x80},
	    {"/dav/", 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x80},
	    {"/dav/a", 0x2 | 0x4 | 0x8 | 0x10 | 0x20},
	    {"/dav/a/", 0x2 | 0x4 | 0x8 | 0x10 | 0x20},
	    {"/dav/a/b", 0x2},
	    {"/dav/a/b/x", 0x2},
	    {"/dav/a/c", 0x8 | 0x10},
	    {"/dav/a/c/d", 0x8 | 0x10},
	    {"/dav/a/c/d/e", 0x8},
	    {"/dav/x", 0x1 | 0x8 | 0x10},
	    {"/dav/x/y", 0x1},
	    {"/dav/star", 0x8 | 0x10 | 0x80},
	    {"/x", 0x80},
	    {"/x/star", 0x80},
	    {"/x/star/y", 0x80},
	    {"/other", 0x100 | 0x80},
	    {"/other/x", 0x100},
	    {"/x/y", 0},
	    {"/da", 0x80},
	    {"", 0},
	    {"dav", 0},
	    {"*", 0},
	};
	struct trie *trie = measure(patterns, COUNT(patterns));
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		ck_assert_msg(below(trie, rows[i].path) == ~rows[i].lacks,
		    "below %s lacks %llx", rows[i].path,
		    (unsigned long long)~below(trie, rows[i].path));
	trie_free(trie);
}
END_TEST

START_TEST(the_root_prefix_covers_what_lies_below)
{
	static const struct measured patterns[] = {{"/", false, 0x7},
	    {"/", true, 0x6}, {"/a", false, 0x5}, {"/a/b", true, 0xb}};
	struct trie *trie = measure(patterns, COUNT(patterns));

	ck_assert_uint_eq(below(trie, "/"), 0x7 & 0x6 & 0x5 & 0xb);
	ck_assert_uint_eq(below(trie, "/a"), 0x5 & 0xb);
	ck_assert_uint_eq(below(trie, "/b"), 0x7);
	ck_assert_uint_eq(below(trie, "/a/b"), 0x5);
	ck_assert_uint_eq(below(trie, "//"), 0x7);
	trie_free(trie);
}
END_TEST

START_TEST(nothing_lies_below_where_nothing_was_measured)
{
	struct trie *trie = measure(NULL, 0);

	ck_assert_uint_eq(below(trie, "/"), UINT64_MAX);
	ck_assert_uint_eq(below(trie, "/a/b"), UINT64_MAX);
	trie_free(trie);
	trie = build(site, COUNT(site));
	ck_assert_uint_eq(below(trie, "/api"), UINT64_MAX);
	trie_free(trie);
}
END_TEST

/* A path below `top`: the best pattern there decides. */
START_TEST(below_is_what_any_path_below_can_find)
{
	static const char *const segments[] = {"a", "b", "*", "c"};
	static struct measured patterns[64];
	static char texts[64][32];
	struct trie *trie;
	char top[8], path[32];
	size_t i, n, count = 0;

	for (i = 0; i < COUNT(patterns); i++) {
		n = i * 0x9e37 % 64;
		snprintf(texts[count], sizeof(texts[0]), "/%s/%s/%s",
		    segments[n % 4], segments[n / 4 % 4], segments[n / 16]);
		if (i % 3 == 0)
			*strrchr(texts[count], '/') = '\0';
		patterns[count] = (struct measured){
		    texts[count], i % 2 == 0, ~((uint64_t)1 << count)};
		count++;
	}
	trie = measure(patterns, count);
	for (i = 0; i < 3 * 4; i++) {
		uint64_t found = UINT64_MAX;

		snprintf(top, sizeof(top), "/%s", segments[i % 4]);
		if (i >= 4)
			snprintf(top, sizeof(top), "/%s/%s", segments[i % 4],
			    segments[i / 4 - 1]);
		for (n = 0; n < 64; n++) {
			const struct measured *best;

			snprintf(path, sizeof(path), "%s/%s/%s", top,
			    segments[n % 4], segments[n / 4 % 4]);
			if (n >= 16)
				snprintf(path, sizeof(path), "%s/%s", top,
				    segments[n % 4]);
			best = trie_find(trie, slice_of(path));
			found &= best != NULL ? best->bits : UINT64_MAX;
		}
		ck_assert_uint_eq(below(trie, top) & ~found, 0);
	}
	trie_free(trie);
}
END_TEST

/* 2^12 ways through the pattern tree, and a path that takes all of them. */
START_TEST(many_stars_end_in_one_answer)
{
	struct trie *trie = trie_new();
	static char texts[4096][32];
	size_t i, depth, n;

	for (i = 0; i < COUNT(texts); i++) {
		for (n = depth = 0; depth < 12; depth++) {
			texts[i][n++] = '/';
			texts[i][n++] = i >> depth & 1 ? '*' : 'a';
		}
		trie_add(trie, slice_of(texts[i]), false, texts[i]);
	}
	trie_seal(trie);
	ck_assert_ptr_eq(
	    trie_find(trie, SLICE("/a/a/a/a/a/a/a/a/a/a/a/a")), texts[0]);
	ck_assert_ptr_eq(trie_find(trie, SLICE("/a/b/a/a/a/a/a/a/a/a/a/b/x")),
	    texts[1 << 1 | 1 << 11]);
	trie_free(trie);
}
END_TEST

START_TEST(a_path_of_8192_bytes_is_no_trouble)
{
	struct trie *trie = build(site, COUNT(site));
	char path[8193];

	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	expect(trie, path, "-");
	memset(path + 1, 'a', sizeof(path) - 2);
	expect(trie, path, "-");
	memcpy(path, "/api/", 5);
	expect(trie, path, "/api");
	trie_free(trie);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("trie");
	TCase *tcase = tcase_create("trie");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, whole_segments_match_and_every_byte_counts);
	tcase_add_test(tcase, the_best_pattern_wins);
	tcase_add_test(tcase, of_equal_length_the_leftmost_literal_decides);
	tcase_add_test(tcase, it_decides_between_exact_patterns_too);
	tcase_add_test(tcase, segments_of_any_length_match);
	tcase_add_test(tcase, a_hash_is_never_taken_for_the_segment);
	tcase_add_test(tcase, the_root_prefix_takes_what_nothing_else_takes);
	tcase_add_test(tcase, the_root_prefix_alone_is_no_exact_root);
	tcase_add_test(tcase, an_empty_trie_finds_nothing);
	tcase_add_test(tcase, a_second_pattern_is_told_who_stands_there);
	tcase_add_test(tcase, patterns_are_copied);
	tcase_add_test(tcase, a_parent_is_the_longest_prefix_above);
	tcase_add_test(tcase, ten_thousand_patterns_keep_apart);
	tcase_add_test(tcase, below_is_what_all_patterns_further_down_have);
	tcase_add_test(tcase, the_root_prefix_covers_what_lies_below);
	tcase_add_test(tcase, nothing_lies_below_where_nothing_was_measured);
	tcase_add_test(tcase, below_is_what_any_path_below_can_find);
	tcase_add_test(tcase, many_stars_end_in_one_answer);
	tcase_add_test(tcase, a_path_of_8192_bytes_is_no_trouble);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
