/* SPDX-License-Identifier: ISC */
/* Field names, the characters of RFC 9110 5, and the neutral head. */
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "http.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char
fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static enum field_id
find_slowly(const char *at, size_t len)
{
	int id;
	size_t i;

	for (id = 1; id < FIELD_ID_COUNT; id++) {
		struct slice name = field_name((enum field_id)id);

		for (i = 0; i < len && i < name.len; i++)
			if (fold(at[i]) != name.at[i])
				break;
		if (len == name.len && i == len)
			return (enum field_id)id;
	}
	return FIELD_OTHER;
}

START_TEST(every_known_name_is_found_in_any_case)
{
	int id;
	size_t i;

	for (id = 1; id < FIELD_ID_COUNT; id++) {
		struct slice name = field_name((enum field_id)id);
		struct guarded g = guard_bytes(name.at, name.len);
		struct slice s = {g.at, name.len};

		ck_assert_int_eq(field_find(s), id);
		for (i = 0; i < s.len; i++)
			if (g.at[i] >= 'a' && g.at[i] <= 'z') {
				g.at[i] = (char)(g.at[i] - 'a' + 'A');
				ck_assert_int_eq(field_find(s), id);
			}
		guard_free(&g);
	}
	ck_assert_int_eq(field_find(SLICE("Host")), FIELD_HOST);
	ck_assert_int_eq(
	    field_find(SLICE("Transfer-Encoding")), FIELD_TRANSFER_ENCODING);
}
END_TEST

START_TEST(one_other_byte_is_another_name)
{
	int id, byte;
	size_t i;

	for (id = 1; id < FIELD_ID_COUNT; id++) {
		struct slice name = field_name((enum field_id)id);
		struct guarded g = guard_bytes(name.at, name.len);
		struct slice s = {g.at, name.len};

		for (i = 0; i < s.len; i++)
			for (byte = 0; byte < 256; byte++) {
				g.at[i] = (char)byte;
				ck_assert_int_eq(
				    field_find(s), find_slowly(s.at, s.len));
				g.at[i] = name.at[i];
			}
		guard_free(&g);
	}
}
END_TEST

START_TEST(shorter_and_longer_names_are_other_names)
{
	char longer[80];
	size_t len;
	int id;

	for (id = 1; id < FIELD_ID_COUNT; id++) {
		struct slice name = field_name((enum field_id)id);

		for (len = 0; len < name.len; len++) {
			struct guarded g = guard_bytes(name.at, len);

			ck_assert_int_eq(field_find((struct slice){g.at, len}),
			    find_slowly(name.at, len));
			guard_free(&g);
		}
		memcpy(longer, name.at, name.len);
		memset(longer + name.len, 'x', 40);
		for (len = 1; len < 40; len++)
			ck_assert_int_eq(
			    field_find((struct slice){longer, name.len + len}),
			    FIELD_OTHER);
	}
	ck_assert_int_eq(field_find(SLICE_NONE), FIELD_OTHER);
}
END_TEST

START_TEST(names_are_lower_case_tokens_and_differ)
{
	int id, other;
	size_t i;

	ck_assert_uint_eq(field_name(FIELD_OTHER).len, 0);
	for (id = 1; id < FIELD_ID_COUNT; id++) {
		struct slice name = field_name((enum field_id)id);

		ck_assert(is_token(name));
		for (i = 0; i < name.len; i++)
			ck_assert_int_eq(name.at[i], fold(name.at[i]));
		for (other = 1; other < id; other++)
			ck_assert(
			    !slice_eq(name, field_name((enum field_id)other)));
	}
}
END_TEST

START_TEST(hop_by_hop_fields_and_those_of_ours_are_known_as_such)
{
	/* RFC 9110 7.6.1, RFC 9113 8.2.2 */
	static const char *const hop[] = {"Connection", "Keep-Alive",
	    "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
	    "Proxy-Authenticate", "Proxy-Authorization", "Proxy",
	    "HTTP2-Settings", "Expect"};
	static const char *const gate[] = {"Forwarded", "X-Forwarded-For",
	    "X-Forwarded-Proto", "X-Forwarded-Host", "Via", "X-Original-URL",
	    "X-Rewrite-URL"};
	static const char *const keep[] = {"Host", "Content-Length",
	    "Authorization", "Cookie", "X-HTTP-Method-Override",
	    "X-HTTP-Method", "X-Method-Override"};
	size_t i;

	for (i = 0; i < COUNT(hop); i++)
		ck_assert_int_eq(
		    field_class_of(field_find(slice_of(hop[i]))), CLASS_HOP);
	for (i = 0; i < COUNT(gate); i++)
		ck_assert_int_eq(
		    field_class_of(field_find(slice_of(gate[i]))), CLASS_GATE);
	for (i = 0; i < COUNT(keep); i++)
		ck_assert_int_eq(
		    field_class_of(field_find(slice_of(keep[i]))), CLASS_KEEP);
	ck_assert_int_eq(field_class_of(FIELD_OTHER), CLASS_PLAIN);
	ck_assert_int_eq(field_class_of(FIELD_ACCEPT), CLASS_PLAIN);
}
END_TEST

START_TEST(twins_fold_alike_and_nothing_else_does)
{
	static const struct {
		const char *name, *other;
		bool alike;
	} rows[] = {
	    {"X-Forwarded-For", "x_forwarded_for", true},
	    {"x.forwarded~for", "X!Forwarded|For", true},
	    {"a1-b2", "A1_B2", true}, {"-", "_", true}, {"", "", true},
	    {"X-Forwarded-For", "X-Forwarded-Fo", false},
	    {"X-Forwarded-For", "X-ForwardedFor-", false}, {"a", "b", false},
	    {"a", "-", false}, {"0", "-", false}, {"a-", "a0", false},
	    {"P", "0", false}, /* 0x50 and 0x30 */
	    {"@", "`", true}, {"[", "{", true},
	    {"\xe4", "\xf6", true}, /* as two of CGI's underscores */
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct guarded a = guard_bytes(
				   rows[i].name, strlen(rows[i].name)),
			       b = guard_bytes(
				   rows[i].other, strlen(rows[i].other));
		struct slice name = {a.at, strlen(rows[i].name)},
			     other = {b.at, strlen(rows[i].other)};

		ck_assert_msg(
		    field_folds_alike(name, other) == rows[i].alike &&
			field_folds_alike(other, name) == rows[i].alike,
		    "'%s' and '%s'", rows[i].name, rows[i].other);
		guard_free(&a);
		guard_free(&b);
	}
}
END_TEST

START_TEST(token_characters_are_those_of_the_rfc)
{
	/* RFC 9110 5.6.2 */
	static const char tchars[] = "!#$%&'*+-.^_`|~0123456789"
				     "abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct guarded g = guard_bytes("aa", 2);
	int c;

	for (c = 0; c < 256; c++) {
		bool wanted = memchr(tchars, c, sizeof(tchars) - 1) != NULL;

		ck_assert_int_eq(is_tchar((unsigned char)c), wanted);
		g.at[1] = (char)c;
		ck_assert_int_eq(is_token((struct slice){g.at, 2}), wanted);
	}
	ck_assert(!is_token(SLICE("")));
	ck_assert(!is_token(SLICE_NONE));
	guard_free(&g);
}
END_TEST

START_TEST(values_hold_no_control_byte_but_tab)
{
	struct guarded g = guard_bytes("aa", 2);
	int c;

	for (c = 0; c < 256; c++) {
		bool wanted = c == '\t' || (c >= 0x20 && c != 0x7f);

		g.at[1] = (char)c;
		ck_assert_int_eq(
		    is_field_value((struct slice){g.at, 2}), wanted);
	}
	ck_assert(is_field_value(SLICE("")));
	ck_assert(is_field_value(SLICE_NONE));
	guard_free(&g);
}
END_TEST

static struct field sample[] = {
    {SLICE("Host"), SLICE("a.example"), FIELD_HOST},
    {SLICE("CONNECTION"), SLICE("keep-alive, Upgrade"), FIELD_CONNECTION},
    {SLICE("X-Mine"), SLICE("1"), FIELD_OTHER},
    {SLICE("connection"), SLICE("close"), FIELD_CONNECTION},
    {SLICE("x-mine"), SLICE("2"), FIELD_OTHER},
};

START_TEST(fields_of_a_head_are_found)
{
	struct head head = {.fields = sample, .field_count = COUNT(sample)};
	struct head empty = {.field_count = 0};

	ck_assert_ptr_eq(head_field(&head, FIELD_CONNECTION), &sample[1]);
	ck_assert_ptr_eq(head_field(&head, FIELD_HOST), &sample[0]);
	ck_assert_ptr_null(head_field(&head, FIELD_VIA));
	ck_assert_ptr_eq(head_named(&head, SLICE("x-MINE")), &sample[2]);
	ck_assert_ptr_null(head_named(&head, SLICE("x-min")));
	ck_assert_uint_eq(head_count(&head, FIELD_CONNECTION), 2);
	ck_assert_uint_eq(head_count(&head, FIELD_VIA), 0);
	ck_assert_ptr_null(head_field(&empty, FIELD_HOST));
	ck_assert_ptr_null(head_named(&empty, SLICE("host")));
	ck_assert_uint_eq(head_count(&empty, FIELD_HOST), 0);
}
END_TEST

START_TEST(tokens_are_looked_for_in_all_fields_of_the_name)
{
	struct head head = {.fields = sample, .field_count = COUNT(sample)};

	ck_assert(head_has_token(&head, FIELD_CONNECTION, SLICE("CLOSE")));
	ck_assert(head_has_token(&head, FIELD_CONNECTION, SLICE("upgrade")));
	ck_assert(!head_has_token(&head, FIELD_CONNECTION, SLICE("clos")));
	ck_assert(!head_has_token(&head, FIELD_CONNECTION, SLICE("1")));
	ck_assert(!head_has_token(&head, FIELD_UPGRADE, SLICE("close")));
}
END_TEST

START_TEST(a_copied_head_outlives_its_bytes)
{
	char bytes[] = "MOVEhttpa.example/a?bX-Mine1";
	struct field field = {{bytes + 21, 6}, {bytes + 27, 1}, FIELD_OTHER};
	struct head from = {.method = {bytes, 4},
	    .form = TARGET_ABSOLUTE,
	    .scheme = {bytes + 4, 4},
	    .authority = {bytes + 8, 9},
	    .target = {bytes + 17, 4},
	    .path = {bytes + 17, 2},
	    .query = {bytes + 20, 1},
	    .minor = 1,
	    .fields = &field,
	    .field_count = 1};
	struct arena arena;
	struct head to;

	arena_init(&arena, NULL);
	head_copy(&to, &from, &arena);
	memset(bytes, '#', sizeof(bytes));
	memset(&field, 0, sizeof(field));
	ck_assert(slice_eq(to.method, SLICE("MOVE")));
	ck_assert_int_eq(to.form, TARGET_ABSOLUTE);
	ck_assert(slice_eq(to.scheme, SLICE("http")));
	ck_assert(slice_eq(to.authority, SLICE("a.example")));
	ck_assert(slice_eq(to.target, SLICE("/a?b")));
	ck_assert(slice_eq(to.path, SLICE("/a")));
	ck_assert(slice_eq(to.query, SLICE("b")));
	ck_assert_ptr_eq(to.path.at, to.target.at);
	ck_assert_uint_eq(to.minor, 1);
	ck_assert_uint_eq(to.field_count, 1);
	ck_assert(slice_eq(to.fields[0].name, SLICE("X-Mine")));
	ck_assert(slice_eq(to.fields[0].value, SLICE("1")));
	arena_done(&arena);
}
END_TEST

START_TEST(a_copy_keeps_no_query_and_an_empty_one_apart)
{
	struct head from = {.method = SLICE("GET"), .target = SLICE("/")};
	struct arena arena;
	struct head to;

	arena_init(&arena, NULL);
	from.path = from.target;
	head_copy(&to, &from, &arena);
	ck_assert_ptr_null(to.query.at);
	from.target = SLICE("/?");
	from.path = (struct slice){from.target.at, 1};
	from.query = (struct slice){from.target.at + 2, 0};
	head_copy(&to, &from, &arena);
	ck_assert_ptr_nonnull(to.query.at);
	ck_assert_uint_eq(to.query.len, 0);
	from.path = SLICE("/elsewhere");
	head_copy(&to, &from, &arena);
	ck_assert(slice_eq(to.path, SLICE("/elsewhere")));
	ck_assert(slice_eq(to.target, SLICE("/?")));
	arena_done(&arena);
}
END_TEST

START_TEST(a_response_head_is_copied_too)
{
	struct head from = {.status = 405, .phrase = SLICE("No")}, to;
	struct arena arena;

	arena_init(&arena, NULL);
	head_copy(&to, &from, &arena);
	ck_assert_int_eq(to.status, 405);
	ck_assert(slice_eq(to.phrase, SLICE("No")));
	ck_assert_ptr_ne(to.phrase.at, from.phrase.at);
	ck_assert_uint_eq(to.field_count, 0);
	arena_done(&arena);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("http");
	TCase *tcase = tcase_create("http");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, every_known_name_is_found_in_any_case);
	tcase_add_test(tcase, one_other_byte_is_another_name);
	tcase_add_test(tcase, shorter_and_longer_names_are_other_names);
	tcase_add_test(tcase, names_are_lower_case_tokens_and_differ);
	tcase_add_test(
	    tcase, hop_by_hop_fields_and_those_of_ours_are_known_as_such);
	tcase_add_test(tcase, twins_fold_alike_and_nothing_else_does);
	tcase_add_test(tcase, token_characters_are_those_of_the_rfc);
	tcase_add_test(tcase, values_hold_no_control_byte_but_tab);
	tcase_add_test(tcase, fields_of_a_head_are_found);
	tcase_add_test(tcase, tokens_are_looked_for_in_all_fields_of_the_name);
	tcase_add_test(tcase, a_copied_head_outlives_its_bytes);
	tcase_add_test(tcase, a_copy_keeps_no_query_and_an_empty_one_apart);
	tcase_add_test(tcase, a_response_head_is_copied_too);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
