/* SPDX-License-Identifier: ISC */
/* override: names and values as frameworks read them, in headers and queries.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "override.h"
#include "overrides.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
expect_query(const char *query, const char *wanted)
{
	struct guarded g = guard_bytes(query, strlen(query));
	struct override_set set = {0};

	override_read_query((struct slice){g.at, strlen(query)}, &set);
	guard_free(&g);
	ck_assert_msg(strcmp(overrides_show(&set), wanted) == 0,
	    "?%s: %s, wanted %s", query, overrides_show(&set), wanted);
}

static void
expect_field(const char *name, const char *value, const char *wanted)
{
	struct guarded at = guard_bytes(name, strlen(name));
	struct guarded is = guard_bytes(value, strlen(value));
	struct field field = {
	    .name = {at.at, strlen(name)}, .value = {is.at, strlen(value)}};
	struct head head = {.fields = &field, .field_count = 1};
	struct override_set set = {0};

	override_read_head(&head, &set);
	ck_assert_msg(strcmp(overrides_show(&set), wanted) == 0, "%s: %s is %s",
	    name, value, overrides_show(&set));
	ck_assert_int_eq(override_is_header(field.name), wanted[0] != '\0');
	guard_free(&at);
	guard_free(&is);
}

START_TEST(every_row_says_who_and_from_what)
{
	unsigned i;

	for (i = 0; i < OVERRIDE_COUNT; i++) {
		const struct override_row *row = override_row((enum override)i);

		ck_assert_uint_gt(strlen(row->who), 0);
		ck_assert_uint_gt(strlen(row->wire), 0);
		/* The reader of heads stops at the first other place. */
		ck_assert(
		    i == 0 ||
		    row->place >= override_row((enum override)(i - 1))->place);
	}
	ck_assert_str_eq(override_place_word(OVERRIDE_HEADER), "header");
	ck_assert_str_eq(override_place_word(OVERRIDE_QUERY), "query");
	ck_assert_str_eq(override_place_word(OVERRIDE_FORM), "form");
	ck_assert_str_eq(override_place_word(OVERRIDE_MULTIPART), "multipart");
	ck_assert_str_eq(override_place_word(OVERRIDE_JSON), "json");
}
END_TEST

START_TEST(every_header_and_query_name_is_found)
{
	char in[128], wanted[128];
	unsigned i;

	for (i = 0; i < OVERRIDE_COUNT; i++) {
		const struct override_row *row = override_row((enum override)i);

		snprintf(wanted, sizeof(wanted), "%s %s=PUT",
		    override_place_word(row->place), row->name.at);
		snprintf(in, sizeof(in), "%s=put", row->name.at);
		if (row->place == OVERRIDE_HEADER)
			expect_field(row->name.at, "put", wanted);
		if (row->place == OVERRIDE_QUERY)
			expect_query(in, wanted);
	}
}
END_TEST

START_TEST(headers_are_told_by_their_folded_name)
{
	static const char *const accepts[] = {"X-HTTP-Method-Override",
	    "x-http-method-override", "X_HTTP_METHOD_OVERRIDE",
	    "X.Http.Method!Override", "x-http_method-OVERRIDE"};
	static const char *const refuses[] = {"X-HTTP-Method-Overrid",
	    "X-HTTP-Method-Override2", "XX-HTTP-Method-Override",
	    "X-HTTP-Method--Override", "X-Forwarded-Method",
	    "X-Original-Method", "HTTP-Method-Override", "-HTTP-Method",
	    "XHTTPMethod", "X", "", "X-HTTP-Meth0d", "Method", "_method"};
	size_t i;

	for (i = 0; i < COUNT(accepts); i++)
		expect_field(accepts[i], "DELETE",
		    "header x-http-method-override=DELETE");
	for (i = 0; i < COUNT(refuses); i++)
		expect_field(refuses[i], "DELETE", "");
	expect_field("X-HTTP-Method", "MERGE", "header x-http-method=MERGE");
	expect_field(
	    "X_Method_Override", "PUT", "header x-method-override=PUT");
	expect_field("X-Payload-HTTP-Method-Override", "GET",
	    "header x-payload-http-method-override=GET");
}
END_TEST

START_TEST(every_member_of_a_header_counts)
{
	static const struct {
		const char *value, *wanted;
	} rows[] = {
	    {"delete", "header x-http-method=DELETE"},
	    {"GET, DELETE", "header x-http-method=GET, "
			    "header x-http-method=DELETE"},
	    {",\t, put ,", "header x-http-method=PUT"},
	    {"PUT,put, Put", "header x-http-method=PUT"},
	    {"VERSION-CONTROL", "header x-http-method=VERSION-CONTROL"},
	    {"DELETE X", "header x-http-method=DELETE X"},
	    {"\"DELETE\"", "header x-http-method=\"DELETE\""},
	    {"+delete", "header x-http-method=+DELETE"},
	    {"%44ELETE", "header x-http-method=%44ELETE"},
	    {"AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDD",
		"header x-http-method=AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDD"},
	    {"AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDDx",
		"header x-http-method=AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDD..."},
	    {"A                                                  ",
		"header x-http-method=A"},
	    {"A                                                  x, B",
		"header x-http-method=A..., header x-http-method=B"},
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		expect_field("X-HTTP-Method", rows[i].value, rows[i].wanted);
}
END_TEST

START_TEST(a_header_without_a_value_names_nothing)
{
	struct field field = {
	    .name = SLICE("X-HTTP-Method"), .value = SLICE(" , \t,")};
	struct head head = {.fields = &field, .field_count = 1};
	struct override_set set = {0};

	override_read_head(&head, &set);
	ck_assert_uint_eq(set.count, 0);
	ck_assert(override_is_header(field.name));
}
END_TEST

START_TEST(every_field_counts)
{
	struct field fields[] = {
	    {.name = SLICE("Accept"), .value = SLICE("PATCH")},
	    {.name = SLICE("X-HTTP-Method-Override"), .value = SLICE("GET")},
	    {.name = SLICE("X_HTTP_Method_Override"), .value = SLICE("PUT")},
	    {.name = SLICE("X-Method-Override"), .value = SLICE("GET")},
	    {.name = SLICE("X-Method-Override"), .value = SLICE("GET")}};
	struct head head = {.fields = fields, .field_count = COUNT(fields)};
	struct override_set set = {0};

	override_read_head(&head, &set);
	ck_assert_str_eq(overrides_show(&set),
	    "header x-http-method-override=GET, "
	    "header x-http-method-override=PUT, header x-method-override=GET");
}
END_TEST

START_TEST(a_ninth_token_makes_the_set_full)
{
	struct override_set set = {0};

	override_read_query(SLICE("_method=a,b,c,d,e,f,g,h,a,h"), &set);
	ck_assert_uint_eq(set.count, OVERRIDE_TOKENS);
	ck_assert(!set.full);
	override_read_query(SLICE("_method=i"), &set);
	ck_assert_uint_eq(set.count, OVERRIDE_TOKENS);
	ck_assert(set.full);
}
END_TEST

START_TEST(names_of_parameters_are_read_as_frameworks_do)
{
	static const char *const accepts[] = {
	    "_method=DELETE",
	    "_METHOD=DELETE",
	    "_Method=delete",
	    "%5Fmethod=DELETE",
	    "%5fm%65thod=DELETE",
	    "%u005fmethod=DELETE",
	    "%U005Fmeth%u006Fd=DELETE",
	    "+_method=DELETE",
	    "%20%20_method=DELETE",
	    " _method=DELETE",
	    "%09_method=DELETE",
	    ".method=DELETE",
	    "%2emethod=DELETE",
	    "+.method=DELETE",
	    "_method[]=DELETE",
	    "_method%5B0%5D=DELETE",
	    "_method[=DELETE",
	    "_method]=DELETE",
	    "[_method]=DELETE",
	    "]_method=DELETE",
	    "%5b%5B_method=DELETE",
	    "_method%00x=DELETE",
	    "_method%00=DELETE",
	    "%ef%bb%bf_method=DELETE",
	    "a=b&_method=DELETE",
	    "a=b;_method=DELETE",
	    "a;_method=DELETE",
	    "a&&;_method=DELETE&c",
	    "&_method=DELETE",
	    "=&_method=DELETE",
	    "a=_method&_method=DELETE",
	    "%&_method=DELETE",
	    "%5&_method=DELETE",
	    "%u00&_method=DELETE",
	    "_method=DELETE&_method=",
	    "_method&_method=DELETE",
	    "_method=DELETE&_method=delete",
	};
	size_t i;

	for (i = 0; i < COUNT(accepts); i++)
		expect_query(accepts[i], "query _method=DELETE");
	expect_query("_HttpMethod=PATCH", "query _httpmethod=PATCH");
	expect_query("X-HTTP-Method-Override=PUT&x-method-override=DELETE",
	    "query x-http-method-override=PUT, query x-method-override=DELETE");
}
END_TEST

START_TEST(other_parameters_are_not_taken)
{
	static const char *const refuses[] = {
	    "",
	    "_method",
	    "_method&DELETE",
	    "_method=",
	    "_method=+%09%00%0d%0a,,",
	    "my_method=DELETE",
	    "method=DELETE",
	    "_methods=DELETE",
	    "_metho=DELETE",
	    "_method_=DELETE",
	    "_method.x=DELETE",
	    "_method%20=DELETE",
	    "__method=DELETE",
	    "a[_method]=DELETE",
	    "a=_method=DELETE",
	    "a=%26_method=DELETE",
	    "a%3d&=_method=DELETE",
	    "%00_method=DELETE",
	    "%255fmethod=DELETE",
	    "%5gmethod=DELETE",
	    "%u5fmethod=DELETE",
	    "%u015fmethod=DELETE",
	    "_method%3dDELETE",
	    "x_http_method_override=DELETE",
	    "x-forwarded-method=DELETE",
	    "DELETE",
	    "a%",
	    "=",
	};
	size_t i;

	for (i = 0; i < COUNT(refuses); i++)
		expect_query(refuses[i], "");
	override_read_query(SLICE_NONE, &(struct override_set){0});
}
END_TEST

START_TEST(values_of_parameters_are_decoded_and_split)
{
	static const struct {
		const char *query, *wanted;
	} rows[] = {
	    {"_method=%20delete%09", "query _method=DELETE"},
	    {"_method=+%00DELETE%00%0d%0a", "query _method=DELETE"},
	    {"_method=%44EL%45TE", "query _method=DELETE"},
	    {"_method=%u0044ELETE", "query _method=DELETE"},
	    {"_method=GET,DELETE", "query _method=GET, query _method=DELETE"},
	    {"_method=GET%2cDELETE", "query _method=GET, query _method=DELETE"},
	    {"_method=GET&_METHOD=DELETE",
		"query _method=GET, query _method=DELETE"},
	    {"_method=GET;_method=DELETE",
		"query _method=GET, query _method=DELETE"},
	    {"_method=a=b", "query _method=A=B"},
	    {"_method==", "query _method=="},
	    {"_method=[DELETE]", "query _method=[DELETE]"},
	    {"_method=DE+LETE", "query _method=DE LETE"},
	    {"_method=DELETE%", "query _method=DELETE%"},
	    {"_method=DELETE%4", "query _method=DELETE%4"},
	    {"_method=%4u0044", "query _method=%4U0044"},
	    {"_method=%4g%%50%u00g%UT", "query _method=%4G%P%U00G%UT"},
	    {"_method=%2544ELETE", "query _method=%44ELETE"},
	    {"_method=%u0144ELETE", "query _method=\xff"
				    "ELETE"},
	    {"_method=AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDDD&a",
		"query _method=AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDD..."},
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		expect_query(rows[i].query, rows[i].wanted);
}
END_TEST

START_TEST(one_of_two_bytes_is_found_wherever_it_stands)
{
	char bytes[200];
	size_t from, at;
	struct guarded g;

	memset(bytes, 'x', sizeof(bytes));
	g = guard_bytes(bytes, sizeof(bytes));
	for (from = 0; from <= sizeof(bytes); from++) {
		struct slice s = {g.at, sizeof(bytes)};

		ck_assert_uint_eq(override_find(s, from, '&', ';'), s.len);
		for (at = 0; at < s.len; at++) {
			g.at[at] = at % 2 == 0 ? '&' : ';';
			ck_assert_uint_eq(override_find(s, from, '&', ';'),
			    at < from ? s.len : at);
			g.at[at] = 'x';
		}
	}
	guard_free(&g);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("override");
	TCase *tcase = tcase_create("override");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, every_row_says_who_and_from_what);
	tcase_add_test(tcase, every_header_and_query_name_is_found);
	tcase_add_test(tcase, headers_are_told_by_their_folded_name);
	tcase_add_test(tcase, every_member_of_a_header_counts);
	tcase_add_test(tcase, a_header_without_a_value_names_nothing);
	tcase_add_test(tcase, every_field_counts);
	tcase_add_test(tcase, a_ninth_token_makes_the_set_full);
	tcase_add_test(tcase, names_of_parameters_are_read_as_frameworks_do);
	tcase_add_test(tcase, other_parameters_are_not_taken);
	tcase_add_test(tcase, values_of_parameters_are_decoded_and_split);
	tcase_add_test(tcase, one_of_two_bytes_is_found_wherever_it_stands);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
