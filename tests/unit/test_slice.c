/* SPDX-License-Identifier: ISC */
/* Slices: every input lies flush against a page that can't be touched. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "slice.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
eq(struct slice got, const char *wanted)
{
	ck_assert_msg(slice_eq(got, slice_of(wanted)), "'%.*s' is not '%s'",
	    SLICE_ARG(got), wanted);
}

static int
fold(int c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

START_TEST(equal_is_byte_for_byte)
{
	ck_assert(slice_eq(SLICE("GET"), SLICE("GET")));
	ck_assert(!slice_eq(SLICE("GET"), SLICE("get")));
	ck_assert(!slice_eq(SLICE("GET"), SLICE("GETS")));
	ck_assert(!slice_eq(SLICE("a\0b"), SLICE("a\0c")));
	ck_assert(slice_eq(SLICE_NONE, SLICE("")));
	ck_assert(slice_eq(SLICE_NONE, SLICE_NONE));
}
END_TEST

/* Every pair of bytes, at the first, a middle and the last place. */
static void
compare_pairs(char *a, char *b, size_t len, size_t place)
{
	int x, y;

	for (x = 0; x < 256; x++)
		for (y = 0; y < 256; y++) {
			a[place] = (char)x;
			b[place] = (char)y;
			if (slice_eq_nocase((struct slice){a, len},
				(struct slice){b, len}) != (fold(x) == fold(y)))
				ck_abort_msg("%02x and %02x at %zu of %zu", x,
				    y, place, len);
		}
	a[place] = b[place] = 'x';
}

START_TEST(only_ascii_letters_are_folded)
{
	static const size_t lengths[] = {1, 3, 7, 8, 9, 16, 21};
	char filler[32];
	size_t i;

	memset(filler, 'x', sizeof(filler));
	for (i = 0; i < COUNT(lengths); i++) {
		size_t len = lengths[i];
		struct guarded a = guard_bytes(filler, len);
		struct guarded b = guard_bytes(filler, len);

		compare_pairs(a.at, b.at, len, 0);
		compare_pairs(a.at, b.at, len, len / 2);
		compare_pairs(a.at, b.at, len, len - 1);
		guard_free(&a);
		guard_free(&b);
	}
}
END_TEST

START_TEST(folded_names_of_any_length_compare_in_full)
{
	char lower[64], upper[64];
	size_t len, i;

	for (len = 0; len < sizeof(lower); len++) {
		for (i = 0; i < len; i++) {
			lower[i] = (char)('a' + i % 26);
			upper[i] = (char)('A' + i % 26);
		}
		ck_assert(slice_eq_nocase(
		    (struct slice){lower, len}, (struct slice){upper, len}));
		for (i = 0; i < len; i++) {
			upper[i] = '-';
			ck_assert(!slice_eq_nocase((struct slice){lower, len},
			    (struct slice){upper, len}));
			upper[i] = (char)('A' + i % 26);
		}
		ck_assert(!slice_eq_nocase((struct slice){lower, len},
		    (struct slice){upper, len + 1}));
	}
	ck_assert(slice_eq_nocase(SLICE_NONE, SLICE("")));
}
END_TEST

START_TEST(a_prefix_starts)
{
	ck_assert(slice_starts(SLICE("/api/x"), SLICE("/api")));
	ck_assert(slice_starts(SLICE("/api"), SLICE("/api")));
	ck_assert(slice_starts(SLICE("/api"), SLICE("")));
	ck_assert(slice_starts(SLICE_NONE, SLICE_NONE));
	ck_assert(!slice_starts(SLICE("/ap"), SLICE("/api")));
	ck_assert(!slice_starts(SLICE("/API"), SLICE("/api")));
	ck_assert(!slice_starts(SLICE_NONE, SLICE("/")));
}
END_TEST

START_TEST(find_gives_the_length_when_it_is_not_there)
{
	struct guarded g = guard_bytes("a?b?", 4);
	struct slice s = {g.at, 4};

	ck_assert_uint_eq(slice_find(s, '?', 0), 1);
	ck_assert_uint_eq(slice_find(s, '?', 1), 1);
	ck_assert_uint_eq(slice_find(s, '?', 2), 3);
	ck_assert_uint_eq(slice_find(s, '?', 4), 4);
	ck_assert_uint_eq(slice_find(s, '?', 99), 4);
	ck_assert_uint_eq(slice_find(s, '#', 0), 4);
	ck_assert_uint_eq(slice_find(SLICE_NONE, '?', 0), 0);
	guard_free(&g);
}
END_TEST

START_TEST(only_spaces_and_tabs_are_trimmed)
{
	eq(slice_trim(SLICE(" \t a b\t ")), "a b");
	eq(slice_trim(SLICE("a")), "a");
	eq(slice_trim(SLICE(" \t")), "");
	eq(slice_trim(SLICE("\r\na\v")), "\r\na\v");
	eq(slice_trim(SLICE_NONE), "");
}
END_TEST

START_TEST(a_list_gives_its_elements_without_empty_ones)
{
	static const struct {
		const char *list, *joined;
		char sep;
	} rows[] = {
	    {"a", "a|", ','},
	    {"a,b", "a|b|", ','},
	    {" a ,\tb c , d", "a|b c|d|", ','},
	    {",, ,a,,", "a|", ','},
	    {"", "", ','},
	    {" , ", "", ','},
	    {"GET HEAD", "GET|HEAD|", ' '},
	    {"  GET\t  HEAD ", "GET|HEAD|", ' '},
	    {"a;b,c;d", "a|b,c|d|", ';'},
	};
	char joined[64];
	size_t i, len;

	for (i = 0; i < COUNT(rows); i++) {
		struct guarded g =
		    guard_bytes(rows[i].list, strlen(rows[i].list));
		struct slice rest = {g.at, strlen(rows[i].list)}, element;

		joined[0] = '\0';
		len = 0;
		while (slice_next(&rest, rows[i].sep, &element))
			len += (size_t)snprintf(joined + len,
			    sizeof(joined) - len, "%.*s|", SLICE_ARG(element));
		ck_assert_str_eq(joined, rows[i].joined);
		ck_assert_uint_eq(rest.len, 0);
		guard_free(&g);
	}
}
END_TEST

START_TEST(a_list_has_whole_tokens_only)
{
	ck_assert(slice_list_has(SLICE("keep-alive, Close"), SLICE("close")));
	ck_assert(slice_list_has(SLICE("CLOSE"), SLICE("close")));
	ck_assert(!slice_list_has(SLICE("closed"), SLICE("close")));
	ck_assert(!slice_list_has(SLICE("not close"), SLICE("close")));
	ck_assert(!slice_list_has(SLICE(""), SLICE("close")));
	ck_assert(!slice_list_has(SLICE(", ,"), SLICE("")));
}
END_TEST

START_TEST(numbers_are_digits_only)
{
	static const struct {
		const char *text;
		uint64_t number;
	} accepts[] = {
	    {"0", 0},
	    {"00", 0},
	    {"007", 7},
	    {"65535", 65535},
	    {"4294967296", UINT64_C(4294967296)},
	    {"9223372036854775807", INT64_MAX},
	    {"9999999999999999999", UINT64_C(9999999999999999999)},
	};
	static const char *const refuses[] = {"", "+1", "-1", " 1", "1 ", "1,1",
	    "0x1", "1e3", "1.0", "10000000000000000000", "00000000000000000001",
	    "/", ":", "\xb2"};
	uint64_t number;
	size_t i;

	for (i = 0; i < COUNT(accepts); i++) {
		struct guarded g =
		    guard_bytes(accepts[i].text, strlen(accepts[i].text));

		ck_assert(slice_to_u64(
		    (struct slice){g.at, strlen(accepts[i].text)}, &number));
		ck_assert_uint_eq(number, accepts[i].number);
		guard_free(&g);
	}
	for (i = 0; i < COUNT(refuses); i++) {
		number = 42;
		ck_assert_msg(!slice_to_u64(slice_of(refuses[i]), &number),
		    "took '%s'", refuses[i]);
		ck_assert_uint_eq(number, 42);
	}
	ck_assert(!slice_to_u64(SLICE("1\0"), &number));
}
END_TEST

START_TEST(escaped_text_is_json)
{
	static const struct {
		struct slice s;
		size_t max;
		const char *wanted;
	} rows[] = {
	    {SLICE("GET /a?b=c"), 99, "GET /a?b=c"},
	    {SLICE("a\"b\\c"), 99, "a\\\"b\\\\c"},
	    {SLICE("\r\n\t\0\x1b[0m"), 99,
		"\\u000d\\u000a\\u0009\\u0000\\u001b[0m"},
	    {SLICE("\x7f\x80\xff"), 99, "\\u007f\\u0080\\u00ff"},
	    {SLICE("abcdef"), 6, "abcdef"},
	    {SLICE("abcdef"), 5, "abcde..."},
	    {SLICE("abcdef"), 0, "..."},
	    {SLICE(""), 0, ""},
	    {SLICE_NONE, 9, ""},
	};
	char out[128];
	size_t i, len;

	for (i = 0; i < COUNT(rows); i++) {
		struct guarded g = guard_bytes(rows[i].s.at, rows[i].s.len);

		memset(out, 'x', sizeof(out));
		len = slice_escape_json(
		    out, (struct slice){g.at, rows[i].s.len}, rows[i].max);
		ck_assert_str_eq(out, rows[i].wanted);
		ck_assert_uint_eq(len, strlen(rows[i].wanted));
		guard_free(&g);
	}
}
END_TEST

START_TEST(escaping_never_needs_more_than_promised)
{
	char bytes[16], *out;
	size_t len, max, shown;

	memset(bytes, 0x01, sizeof(bytes));
	for (len = 0; len <= sizeof(bytes); len++)
		for (max = 0; max <= sizeof(bytes); max++) {
			shown = len < max ? len : max;
			out = malloc(6 * shown + 4);
			ck_assert_ptr_nonnull(out);
			ck_assert_uint_eq(slice_escape_json(out,
					      (struct slice){bytes, len}, max),
			    6 * shown + (shown < len ? 3 : 0));
			free(out);
		}
}
END_TEST

START_TEST(numbers_are_written_as_printf_does)
{
	static const uint64_t rows[] = {0, 1, 9, 10, 99, 100, 4294967295u,
	    4294967296u, UINT64_C(10000000000000000000), UINT64_MAX};
	char out[SLICE_DIGITS + 1], wanted[SLICE_DIGITS + 1];

	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(wanted, sizeof(wanted), "%ju", (uintmax_t)rows[i]);
		*slice_put_u64(out, rows[i]) = '\0';
		ck_assert_str_eq(out, wanted);
	}
}
END_TEST

START_TEST(what_is_put_ends_where_it_says)
{
	char out[8] = "-------";

	ck_assert_ptr_eq(slice_put(out, SLICE("abc")), out + 3);
	ck_assert_str_eq(out, "abc----");
	ck_assert_ptr_eq(slice_put(out, SLICE_NONE), out);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("slice");
	TCase *tcase = tcase_create("slice");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, equal_is_byte_for_byte);
	tcase_add_test(tcase, only_ascii_letters_are_folded);
	tcase_add_test(tcase, folded_names_of_any_length_compare_in_full);
	tcase_add_test(tcase, a_prefix_starts);
	tcase_add_test(tcase, find_gives_the_length_when_it_is_not_there);
	tcase_add_test(tcase, only_spaces_and_tabs_are_trimmed);
	tcase_add_test(tcase, a_list_gives_its_elements_without_empty_ones);
	tcase_add_test(tcase, a_list_has_whole_tokens_only);
	tcase_add_test(tcase, numbers_are_digits_only);
	tcase_add_test(tcase, escaped_text_is_json);
	tcase_add_test(tcase, escaping_never_needs_more_than_promised);
	tcase_add_test(tcase, numbers_are_written_as_printf_does);
	tcase_add_test(tcase, what_is_put_ends_where_it_says);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
