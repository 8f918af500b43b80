/* SPDX-License-Identifier: ISC */
/* override_multipart: parts as PHP, Rack, busboy, Tomcat, Go and others find
 * and name them; and parts that none of them would take. */
#include <check.h>
#include <stdlib.h>

#include "overrides.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LIT(lit)                                                               \
	{                                                                      \
		lit, sizeof(lit) - 1                                           \
	}
#define TYPE "multipart/form-data; boundary=b-b"
#define CD "Content-Disposition: form-data; "
#define BEGIN "--b-b\r\n"
#define END "\r\n--b-b--\r\n"
#define HEADER(header) BEGIN header "\r\n\r\nDELETE" END

static void
expect_all(const struct slice *bodies, size_t count, const char *wanted)
{
	size_t i;

	for (i = 0; i < count; i++)
		overrides_expect(TYPE, bodies[i], wanted);
}

START_TEST(every_spelling_of_the_name_counts)
{
	static const struct slice rows[] = {
	    LIT(HEADER(CD "name=\"_method\"")),
	    LIT(HEADER(CD "name=_method")),
	    LIT(HEADER(CD "name='_method'")), /* PHP */
	    LIT(HEADER("content-disposition:form-data;NAME=\"_METHOD\"")),
	    LIT(HEADER(CD "name = \"_method\"")),
	    LIT(HEADER(CD "name=\"%5Fmethod\"")),
	    LIT(HEADER(CD "name=\"\\_method\"")),
	    LIT(HEADER(CD "name=\" _method\"")),
	    LIT(HEADER(CD "name=\".method\"")),
	    LIT(HEADER(CD "name=\"_method[]\"")),
	    LIT(HEADER(CD "name=\"[_method]\"")),
	    LIT(HEADER(CD "name=\"_method%00x\"")),
	    LIT(HEADER(CD "name=_method; filename=a")),
	    LIT(HEADER(CD "name=_method ; filename=a")),
	    LIT(HEADER(CD "filename=\"a.txt\"; name=\"_method\"")),
	    LIT(HEADER(CD "filename=\"a; b\\\"c\"; name=\"_method\"")),
	    LIT(HEADER(CD "filename=\"a\\\"; name=_method")),
	    LIT(HEADER(CD "name=\"a\"; name=\"_method\"")),
	    LIT(HEADER(CD "name=\"_method\"; name=\"a\"")),
	    LIT(HEADER(CD "name=%x; name=_method")),
	    LIT(HEADER(CD "name=\"_method\"; name=\"_method\"")),
	    LIT(HEADER(CD "name=a\r\n" CD "name=_method")),
	    LIT(HEADER(CD "name=_method\r\nContent-Type: text/plain")),
	    LIT(HEADER(CD "name=\"_method\r\nX: y")),
	    LIT(HEADER("Content-Type: text/plain\r\n" CD "name=_method")),
	    LIT(HEADER(
		"Content-Disposition:\r\n form-data;\r\n\tname=_method")),
	    LIT(HEADER(CD "\r\nname=\"_method\"")), /* PHP */
	    LIT(HEADER(CD "na\r\nme=\"_method\"")), /* PHP */
	    LIT(HEADER(CD "name=\"_met\r\nhod\"")), /* PHP */
	    LIT(HEADER(CD "name=\r\n \"_method\"")),
	    LIT(HEADER("Content-Disposition: n\r\n name=_method")),
	    LIT(HEADER(CD "x-name=_method")), /* formidable */
	    LIT(HEADER(CD "name*=utf-8''_method")),
	    LIT(HEADER(CD "name*=\"UTF-8'en'%5Fmethod\"")),
	    LIT(HEADER(CD "name*=UTF-8''a; name=_method")),
	    LIT(HEADER(CD "name*=utf-8''a; name*=utf-8''_method")),
	    LIT(HEADER("Content-ID: _method")), /* Rack */
	    LIT(HEADER("Content-ID : _method")),
	    LIT(HEADER("content-id:_method\r\nContent-Type: text/c")),
	    LIT(HEADER("Content-Type: text/c\r\nContent-ID: _method")),
	    LIT(HEADER("X: co\r\nContent-ID: _method")),
	};

	expect_all(rows, COUNT(rows), "multipart _method=DELETE");
}
END_TEST

START_TEST(other_names_are_not_taken)
{
	static const struct slice rows[] = {
	    LIT(""),
	    LIT("--b-b--\r\n"),
	    LIT(HEADER(CD "name=\"my_method\"")),
	    LIT(HEADER(CD "name=\"_methods\"")),
	    LIT(HEADER(CD "name=\"_metho\"")),
	    LIT(HEADER(CD "name=\"\"")),
	    LIT(HEADER(CD "name=\"a\"; x=\"_method\"")),
	    LIT(HEADER(CD "name=\"a\"; filename=\"_method\"")),
	    LIT(HEADER(CD "name=\"a%5Gmethod\"")),
	    LIT(HEADER(CD "name=\"%5Gmethod\"")),
	    LIT(HEADER(CD "name=\"==?UTF-8?Q?=5Fmethod?=\"")),
	    LIT(HEADER(CD "names=_method")),
	    LIT(HEADER(CD "name1=_method")),
	    LIT(HEADER(CD "name; x=_method")),
	    LIT(HEADER(CD "name x=_method")),
	    LIT(HEADER(CD "namename=_method")),
	    LIT(HEADER("name: _method")),
	    LIT(HEADER("Content-ID=_method")),
	    LIT(HEADER("Content-ID: <_method>")),
	    LIT(HEADER("X-Content-IDs: _method")),
	    LIT(BEGIN CD "name=\r\n\r\nx\r\n" HEADER("_method")),
	    LIT(BEGIN "X: na\r\n\r\nx\r\n" HEADER("me=_method")),
	    LIT(BEGIN CD "name=_method"),
	    LIT(BEGIN CD "name=_method\r\n"),
	    LIT(BEGIN CD "name=_method\r\n\r\n" END),
	    LIT(BEGIN CD "name=_method\r\n\r\n, \t,\r\n" END),
	    LIT(BEGIN CD "name=a\r\n\r\n" CD "name=_method\r\n\r\nDELETE" END),
	    LIT(CD "name=_method\r\n\r\nDELETE" END),
	    LIT("--b\r\n" CD "name=_method\r\n\r\nDELETE" END),
	};

	expect_all(rows, COUNT(rows), "");
}
END_TEST

START_TEST(the_delimiter_is_found_wherever_somebody_finds_it)
{
	static const struct slice rows[] = {
	    LIT("preamble\r\n" HEADER(CD "name=_method")),
	    LIT("\r\n" HEADER(CD "name=_method")),
	    LIT("preamble" HEADER(CD "name=_method")), /* Rack 2 */
	    LIT("----b-" HEADER(CD "name=_method")),
	    LIT("--b-b \t\r\n" CD "name=_method\r\n\r\nDELETE" END),
	    LIT("--b-bx\r\n" CD "name=_method\r\n\r\nDELETE" END),
	    LIT("--b-b\n" CD "name=_method\r\n\r\nDELETE" END),
	    LIT("--b-b--\r\n" HEADER(CD "name=_method")), /* PHP */
	    LIT(BEGIN CD "name=a\r\n\r\nx\r\n" HEADER(CD "name=_method")),
	    LIT(BEGIN CD "name=a\r\n\r\nx\n" HEADER(CD "name=_method")),
	    LIT(BEGIN CD "name=a\r\n\r\n" HEADER(CD "name=_method")),
	    LIT(BEGIN CD "name=a\r\n\r\nx" HEADER(CD "name=_method")),
	    LIT(BEGIN CD "name=a\r\n\r\n--b-" HEADER(CD "name=_method")),
	    LIT(BEGIN CD "name=a; filename=a\r\n\r\n\r\n--b-\r\n--b\r\n" HEADER(
		CD "name=_method; filename=b")),
	    LIT(BEGIN CD "name=_method\r\n\r\nDELETE"),
	    LIT(BEGIN CD "name=_method\r\n\r\nDELETE\r\n--b-"),
	    LIT(BEGIN CD "name=_method\r\n\r\nDELETE\n--b-b\n"),
	    LIT(BEGIN CD "name=_method\r\n\r\nDELETE--b-b"),
	    LIT(BEGIN CD "name=_method\r\n\r\n\r\n\r\nDELETE\r\n" END),
	    /* a delimiter where a header should be: PHP goes on with that */
	    LIT(BEGIN CD "name=_method\r\n" HEADER("")),
	    LIT(BEGIN CD "name=_method\r\n" HEADER(CD "name=a")),
	};

	expect_all(rows, COUNT(rows), "multipart _method=DELETE");
}
END_TEST

START_TEST(a_header_ends_where_each_server_ends_it)
{
	static const struct slice taken[] = {
	    /* Rack reads on after an empty line without a header before it */
	    LIT(BEGIN "\r\n" CD "name=_method\r\n\r\nDELETE" END),
	    LIT(BEGIN "\n" CD "name=_method\r\n\r\nDELETE" END),
	    /* and with busboy after a bare LF */
	    LIT(BEGIN "X: y\n\n" CD "name=_method\r\n\r\nDELETE" END),
	    LIT(BEGIN "X: y\r\n\n" CD "name=_method\r\n\r\nDELETE" END),
	    LIT(BEGIN "X: y\n\r\n" CD "name=_method\r\n\r\nDELETE" END),
	    LIT(BEGIN "X: y\r\n \r\n" CD "name=_method\r\n\r\nDELETE" END),
	    LIT(BEGIN "X: y\n\nz\r\n" HEADER(CD "name=_method")),
	    LIT(BEGIN "X: y\r\r\n" CD "name=_method\r\n\r\nDELETE" END),
	};
	static const struct slice unclear[] = {
	    LIT(BEGIN CD "name=_method\n\nDELETE" END),
	    LIT(BEGIN CD "name=_method\r\n\nDELETE" END),
	    LIT(BEGIN CD "name=_method\n\r\nDELETE" END),
	    LIT(BEGIN "\r\n" CD "name=_method\n\nDELETE" END),
	    LIT(BEGIN CD "name=_method\r\n\t\r\nX: y\r\n\r\nDELETE" END),
	    LIT("--b-b\n" CD "name=_method\n\nDELETE\n--b-b--\n"),
	    LIT("--b-b" CD "name=_method\r\n\r\nDELETE" END),
	    LIT(BEGIN "X: y\n\n--b-bname=_method\r\n\r\nDELETE" END),
	};

	expect_all(taken, COUNT(taken), "multipart _method=DELETE");
	expect_all(
	    unclear, COUNT(unclear), "multipart _method=DELETE unreadable");
	overrides_expect(TYPE,
	    SLICE(BEGIN CD "name=a\n\nx: " CD "name=_method\n--b-b\n\nPUT" END),
	    "multipart _method=PUT unreadable");
	overrides_expect(TYPE,
	    SLICE(BEGIN CD "name=_method\n\nGET\r\nname=_httpmethod"
			   "\r\n\r\nPUT" END),
	    "multipart _method=GET\r\nNAME=_HTTPMETHOD, "
	    "multipart _httpmethod=PUT unreadable");
	overrides_expect(TYPE,
	    SLICE(BEGIN CD "name=_method\n\nGET\r\n\r\n" END),
	    "multipart _method=GET unreadable");
}
END_TEST

START_TEST(names_that_are_not_read_here_make_it_unreadable)
{
	static const struct slice rows[] = {
	    LIT(HEADER(CD "name*0=\"_me\"; name*1=\"thod\"")), /* Go */
	    LIT(HEADER(CD "name*0*=utf-8''a")),
	    LIT(HEADER(CD "name*=utf-16le''_%00m%00")), /* busboy */
	    LIT(HEADER(CD "name*=a")),
	    LIT(HEADER(CD "name=\"=?UTF-8?Q?=5Fmethod?=\"")), /* Tomcat */
	    LIT(HEADER(CD "name= =?UTF-8?Q?=5Fmethod?=")),
	    LIT(HEADER(CD "name=a\0b")), /* PHP */
	    LIT(HEADER(CD "name=a\r\n\0x\r\nb")),
	};

	expect_all(rows, COUNT(rows), " unreadable");
	overrides_expect(TYPE, SLICE(BEGIN CD "name=a\r\n\r\n\0\0" END), "");
	overrides_expect(TYPE, SLICE(BEGIN CD "name=a\n\n\0\0" END), "");
}
END_TEST

START_TEST(values_are_taken_up_to_the_delimiter)
{
	static const struct {
		struct slice value;
		const char *wanted;
	} rows[] = {
	    {LIT(" delete\t\r\n"), "multipart _method=DELETE"},
	    {LIT("GET,DELETE"),
		"multipart _method=GET, multipart _method=DELETE"},
	    {LIT("GET\r\nDELETE"), "multipart _method=GET\r\nDELETE"},
	    {LIT("%44ELETE"), "multipart _method=%44ELETE"},
	    {LIT("=44ELETE"), "multipart _method==44ELETE"},
	    {LIT("--b-DELETE"), "multipart _method=--B-DELETE"},
	    {LIT("----b--b-"), "multipart _method=----B--B-"},
	    {LIT("-DELETE-"), "multipart _method=-DELETE-"},
	    {LIT("DELETE\0"), "multipart _method=DELETE"},
	    {LIT("AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDDD"),
		"multipart _method=AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDD..."},
	};
	char body[256];
	size_t i, len;

	for (i = 0; i < COUNT(rows); i++) {
		len = (size_t)sprintf(body, BEGIN CD "name=_method\r\n\r\n");
		memcpy(body + len, rows[i].value.at, rows[i].value.len);
		len += rows[i].value.len;
		len += (size_t)sprintf(body + len, END);
		overrides_expect(
		    TYPE, (struct slice){body, len}, rows[i].wanted);
	}
}
END_TEST

START_TEST(every_part_and_every_name_counts)
{
	overrides_expect(TYPE,
	    SLICE(BEGIN CD "name=_method\r\n\r\nGET\r\n" BEGIN CD
			   "name=\"_HttpMethod\"\r\n\r\nput\r\n" BEGIN CD
			   "name=x-method-override\r\n\r\nA\r\n" BEGIN CD
			   "name=X-HTTP-Method-Override\r\n\r\nB" END),
	    "multipart _method=GET, multipart _httpmethod=PUT, "
	    "multipart x-method-override=A, "
	    "multipart x-http-method-override=B");
	overrides_expect(TYPE,
	    SLICE(HEADER(CD "name=_method; name=_httpmethod")),
	    "multipart _method=DELETE, multipart _httpmethod=DELETE");
}
END_TEST

/* Boundaries that are parts of themselves, and content made of them. */
START_TEST(a_delimiter_that_repeats_itself_is_found)
{
	static const char *const boundaries[] = {"-", "---", "a--a--a", "aaaa",
	    "----------------------------------------------------------------"
	    "------",
	    "0123456789012345678901234567890123456789012345678901234567890123"
	    "456789"};
	char type[128], body[1024];
	size_t i, take, len;

	for (i = 0; i < COUNT(boundaries); i++) {
		size_t whole = strlen(boundaries[i]) + 2;

		snprintf(type, sizeof(type), "multipart/form-data; boundary=%s",
		    boundaries[i]);
		for (take = 0; take < whole; take++) {
			char delimiter[80];

			snprintf(delimiter, sizeof(delimiter), "--%s",
			    boundaries[i]);
			len = (size_t)snprintf(body, sizeof(body),
			    "x%.*sx%s\r\nContent-Disposition: form-data; "
			    "name=_method\r\n\r\nPUT\r\n%s--\r\n",
			    (int)take, delimiter, delimiter, delimiter);
			overrides_cut(type, (struct slice){body, len}, len, 1,
			    "multipart _method=PUT");
			overrides_cut(type, (struct slice){body, len}, 1, 1,
			    "multipart _method=PUT");
			overrides_cut(type, (struct slice){body, len}, 50, 7,
			    "multipart _method=PUT");
		}
	}
}
END_TEST

START_TEST(a_part_is_found_behind_a_megabyte_of_others)
{
	static char body[1100000];
	static const char part[] = BEGIN CD "name=_method\r\n\r\nDELETE" END;
	size_t len, i;
	uint32_t noise = 1;

	len = (size_t)sprintf(body, BEGIN CD "name=a; filename=a\r\n\r\n");
	for (i = 0; i < 1 << 20; i++) {
		noise = noise * 1664525 + 1013904223;
		body[len++] = i % 5 == 0 ? '-' : (char)(noise >> 24);
	}
	len += (size_t)sprintf(body + len, "\r\n%s", part);
	overrides_expect(
	    TYPE, (struct slice){body, len}, "multipart _method=DELETE");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("override_multipart");
	TCase *tcase = tcase_create("override_multipart");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, every_spelling_of_the_name_counts);
	tcase_add_test(tcase, other_names_are_not_taken);
	tcase_add_test(
	    tcase, the_delimiter_is_found_wherever_somebody_finds_it);
	tcase_add_test(tcase, a_header_ends_where_each_server_ends_it);
	tcase_add_test(tcase, names_that_are_not_read_here_make_it_unreadable);
	tcase_add_test(tcase, values_are_taken_up_to_the_delimiter);
	tcase_add_test(tcase, every_part_and_every_name_counts);
	tcase_add_test(tcase, a_delimiter_that_repeats_itself_is_found);
	tcase_add_test(tcase, a_part_is_found_behind_a_megabyte_of_others);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
