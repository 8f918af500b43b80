/* SPDX-License-Identifier: ISC */
/* override_json: keys of the outermost object, in every spelling. */
#include <check.h>
#include <stdlib.h>

#include "overrides.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define JSON "application/json"
#define LIT(lit)                                                               \
	{                                                                      \
		lit, sizeof(lit) - 1                                           \
	}

START_TEST(keys_of_the_outermost_object_count)
{
	static const char *const accepts[] = {
	    "{\"_method\":\"DELETE\"}",
	    "{\"_METHOD\":\"delete\"}",
	    "{\"_method\":[\"DELETE\"]}",
	    "{\"_method\" : [ 1, \"DELETE\", [\"PUT\"] ],\"a\":[\"PUT\"]}",
	    "{\"a\":[\"PUT\"],\"_method\":[\"DELETE\",\"DELETE\"],\"b\":"
	    "\"PUT\"}",
	    " { \"_method\" : \"DELETE\" } ",
	    "{\n\t\"_method\"\r\n:\r\n\"DELETE\"\n}",
	    "{\"\\u005fmethod\":\"DELETE\"}",
	    "{\"\\u005Fm\\u0065thod\":\"\\u0044ELETE\"}",
	    "{\"_method\":\"\\n\\tDELETE\\r\\b\\f\"}",
	    "{\"a\":1,\"_method\":\"DELETE\"}",
	    "{\"a\":\"_method\",\"_method\":\"DELETE\"}",
	    "{\"a\":{\"b\":[1,{\"c\":2}]},\"_method\":\"DELETE\"}",
	    "{\"a\":[\"}\",\"]\\\"}\"],\"_method\":\"DELETE\",\"z\":{}}",
	    "{\"a\":\"\\\\\",\"_method\":\"DELETE\"}",
	    "{\"a\":\"\\\"\",\"_method\":\"DELETE\"}",
	    "{\"_method\\\\\":\"a\",\"_method\":\"DELETE\"}",
	    "{\"_method\":\"DELETE\",\"_method\":\"DELETE\"}",
	    "{\"_method\":1,\"_method\":\"DELETE\",\"_method\":null}",
	    "{\"_method\":\"\",\"_method\":\"DELETE\"}",
	    "{\"_method[]\":\"DELETE\"}",
	    "{\"_method\\u0000x\":\"DELETE\"}",
	    "\xef\xbb\xbf{\"_method\":\"DELETE\"}",
	    "{\"\xc3\xa4\":\"\\ud83d\\ude00\",\"_method\":\"DELETE\"}",
	    /* not valid, and read all the same by somebody */
	    "{\"a\":1 \"_method\":\"DELETE\"}",
	    "{\"a\":1,,\"_method\":\"DELETE\",}",
	    "}{\"_method\":\"DELETE\"}",
	    "{}{\"_method\":\"DELETE\"}",
	    "{\"_method\":\"DELETE\"",
	    "{\"_method\":\"DELETE",
	    "//\n{\"_method\":\"DELETE\"}",
	};
	size_t i;

	for (i = 0; i < COUNT(accepts); i++)
		overrides_expect(
		    JSON, slice_of(accepts[i]), "json _method=DELETE");
}
END_TEST

START_TEST(other_strings_are_not_taken)
{
	static const char *const refuses[] = {
	    "",
	    "{}",
	    "\"_method\"",
	    "\"_method\":\"DELETE\"",
	    "{\"_method\":1}",
	    "{\"_method\":null}",
	    "{\"_method\":[[\"DELETE\"]]}",
	    "{\"_method\":[{\"a\":\"DELETE\"}]}",
	    "{\"a\":[\"DELETE\"],\"_method\":[]}",
	    "{\"_method\":{\"_method\":\"DELETE\"}}",
	    "{\"_method\":true,\"a\":\"DELETE\"}",
	    "{\"_method\":\"\"}",
	    "{\"_method\":\" ,\\t\"}",
	    "{\"my_method\":\"DELETE\"}",
	    "{\"_methods\":\"DELETE\"}",
	    "{\"_metho\":\"DELETE\"}",
	    "{\"\":\"DELETE\"}",
	    "{\"a\":\"_method\",\"b\":\"DELETE\"}",
	    "{\"a\":\"\\\"_method\\\":\\\"DELETE\\\"\"}",
	    "{\"a\":{\"_method\":\"DELETE\"}}",
	    "[{\"_method\":\"DELETE\"}]",
	    "{\"_method\\ud83d\":\"DELETE\"}",
	    "{\"%5fmethod\":\"DELETE\"}",
	    "{\"\\\\u005fmethod\":\"DELETE\"}",
	    "{\"\\u015fmethod\":\"DELETE\"}",
	    "{\"\\_ethod\":\"DELETE\"}",
	    "_method=DELETE",
	};
	size_t i;

	for (i = 0; i < COUNT(refuses); i++)
		overrides_expect(JSON, slice_of(refuses[i]), "");
}
END_TEST

START_TEST(every_name_and_value_counts)
{
	overrides_expect(JSON,
	    SLICE("{\"_method\":\"GET\",\"_METHOD\":\"put,patch\","
		  "\"_HttpMethod\":\"MERGE\",\"x-http-method-override\":\"A\","
		  "\"X-Method-Override\":\"B\"}"),
	    "json _method=GET, json _method=PUT, json _method=PATCH, "
	    "json _httpmethod=MERGE, json x-http-method-override=A, "
	    "json x-method-override=B");
	overrides_expect(JSON,
	    SLICE("{\"_method\":\"AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDDD\"}"),
	    "json _method=AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDD...");
	overrides_expect(
	    JSON, SLICE("{\"_method\":\"\\u00c4\"}"), "json _method=\xff");
}
END_TEST

START_TEST(utf16_and_utf32_are_unreadable)
{
	static const struct slice rows[] = {LIT("\0{\0\"\0_"), LIT("{\0\"\0_"),
	    LIT("\0\0\0{"), LIT("{\0\0\0"), LIT("\xff\xfe{\0"),
	    LIT("\xfe\xff\0{"), LIT("\xff\xfe\0\0"), LIT("\0\0\xfe\xff")};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		overrides_expect(JSON, rows[i], " unreadable");
	overrides_expect(JSON, SLICE("{\"\0\":1}"), "");
	overrides_expect(JSON, SLICE("{\xfe\xff\xff\xfe"), "");
}
END_TEST

START_TEST(a_key_is_found_behind_much_else)
{
	static char body[1200000];
	size_t len = 0;
	unsigned i;

	len += (size_t)sprintf(body, "{\"a\":[");
	for (i = 0; i < 20000; i++)
		len += (size_t)sprintf(
		    body + len, "{\"_method\":\"GET\\\\\",\"n\":%u},", i);
	len += (size_t)sprintf(body + len, "0],\"b\":\"");
	memset(body + len, '{', 400000);
	len += 400000;
	len += (size_t)sprintf(body + len, "\",\"_method\":\"DELETE\"}");
	overrides_expect(
	    JSON, (struct slice){body, len}, "json _method=DELETE");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("override_json");
	TCase *tcase = tcase_create("override_json");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, keys_of_the_outermost_object_count);
	tcase_add_test(tcase, other_strings_are_not_taken);
	tcase_add_test(tcase, every_name_and_value_counts);
	tcase_add_test(tcase, utf16_and_utf32_are_unreadable);
	tcase_add_test(tcase, a_key_is_found_behind_much_else);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
