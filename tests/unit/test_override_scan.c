/* SPDX-License-Identifier: ISC */
/* override_scan: kinds of bodies by their heads, and forms as each framework
 * of override.def reads them. */
#include <check.h>
#include <stdlib.h>

#include "overrides.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FORM "application/x-www-form-urlencoded"
#define MULTI "multipart/form-data; boundary="

/* "none", "form", "multipart unreadable", with " batch". */
static void
expect_kind(const struct head *head, const char *wanted)
{
	static const char *const kinds[] = {[OVERRIDE_BODY_NONE] = "none",
	    [OVERRIDE_BODY_SCAN] = "",
	    [OVERRIDE_BODY_UNREADABLE] = " unreadable"};
	struct override_scan scan;
	enum override_body kind;
	char text[64];

	memset(&scan, 0xa5, sizeof(scan));
	kind = override_scan_init(&scan, head);
	snprintf(text, sizeof(text), "%s%s%s",
	    kind == OVERRIDE_BODY_NONE ? "" : override_place_word(scan.place),
	    kinds[kind], scan.batch ? " batch" : "");
	ck_assert_msg(strcmp(text, wanted) == 0,
	    "%.*s %.*s, first field %.*s: %s, wanted %s",
	    SLICE_ARG(head->method), SLICE_ARG(head->path),
	    head->field_count > 0 ? (int)head->fields[0].value.len : 0,
	    head->field_count > 0 ? head->fields[0].value.at : "", text,
	    wanted);
}

static void
expect_type(const char *type, const char *wanted)
{
	struct guarded g = guard_bytes(type, strlen(type));
	struct field field = {
	    .name = SLICE("Content-Type"), .value = {g.at, strlen(type)}};
	struct head head = {.method = SLICE("POST"),
	    .path = SLICE("/"),
	    .fields = &field,
	    .field_count = 1};

	expect_kind(&head, wanted);
	guard_free(&g);
}

START_TEST(types_say_what_kind_of_body_it_is)
{
	static const struct {
		const char *type, *wanted;
	} rows[] = {
	    {FORM, "form"},
	    {"Application/X-WWW-Form-URLEncoded", "form"},
	    {FORM ";charset=UTF-8", "form"},
	    {FORM " x", "form"},
	    {FORM ",text/plain", "form"},
	    {FORM "-x", "form"}, /* ASP.NET */
	    {"text/plain, " FORM, "form"},
	    {"", "form"}, /* as good as none */
	    {"form", "form"},
	    {"; boundary=a", "form"},
	    {MULTI "a", "multipart"},
	    {"multipart/related; boundary=a; type=\"application/json\"",
		"multipart"},
	    {"multipart/form-data; charset=utf-8; boundary=a", "multipart"},
	    {"multipart/mixed; boundary=a", "multipart batch"},
	    {"Multipart/Mixed;boundary=a", "multipart batch"},
	    {"multipart/mixed", "multipart unreadable batch"},
	    {"application/json", "json"},
	    {"application/json; charset=utf-8", "json"},
	    {"application/problem+json", "json"},
	    {"application/vnd.api+JSON;v=1", "json"},
	    {"text/json", "json"},
	    {"application/http", "none batch"},
	    {"application/http;msgtype=request", "none batch"},
	    {"text/plain", "none"},
	    {"text/plain; charset=utf-16", "none"},
	    {"text/plain; x=urlencoded", "form"}, /* formidable */
	    {"text/plain; x=multipart; boundary=a", "multipart"},
	    {"text/plain; x=multipart", "none"},
	    {"text/plain; x=json", "json"},
	    {"multipart/form-data; boundary=urlencoded", "form unreadable"},
	    {"application/xml", "none"},
	    {"application/octet-stream", "none"},
	    {"x/url-encoded", "none"},
	    {FORM ", application/json", "form unreadable"},
	    {MULTI "a, " FORM, "form unreadable"},
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		expect_type(rows[i].type, rows[i].wanted);
}
END_TEST

START_TEST(charsets_are_those_that_ascii_is_part_of)
{
	static const char *const accepts[] = {"utf-8", "UTF-8", "utf8",
	    "\"utf-8\"", " utf-8 ", "'utf-8'", "us-ascii", "ISO-8859-1",
	    "iso-8859-15", "latin1", "windows-1252", "", "\"\"",
	    "utf-8; charset=utf-8", "utf-8; x=charset"};
	static const char *const refuses[] = {"utf-16", "utf-16le", "UTF-32",
	    "utf-7", "IBM037", "cp500", "x-user-defined", "utf-8x", "shift_jis",
	    "\"utf-16\"", "utf-8; charset=utf-7", "\t\"utf-16",
	    "utf-8;charset*=utf-16"};
	char type[128];
	size_t i;

	for (i = 0; i < COUNT(accepts); i++) {
		snprintf(type, sizeof(type), FORM ";charset=%s", accepts[i]);
		expect_type(type, "form");
	}
	for (i = 0; i < COUNT(refuses); i++) {
		snprintf(type, sizeof(type), FORM "; Charset=%s", refuses[i]);
		expect_type(type, "form unreadable");
		snprintf(type, sizeof(type), "application/json;charset =%s",
		    refuses[i]);
		expect_type(type, "json unreadable");
	}
	expect_type("multipart/form-data; charset=utf-16; boundary=a",
	    "multipart unreadable");
}
END_TEST

#define SEVENTY                                                                \
	"01234567890123456789012345678901234567890123456789012345678901234567" \
	"89"

START_TEST(boundaries_are_those_that_all_servers_see)
{
	static const char *const accepts[] = {"boundary=a", "Boundary=a",
	    "BOUNDARY=\"a\"", "boundary=a;charset=utf-8",
	    "boundary=\"a\" ; x=y",
	    "boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
	    "boundary=\"a b\"", "boundary=\"a:b?c(d)'\"",
	    "boundary=----=_Part_1_2.3", "boundary=" SEVENTY, "x=y; boundary=a",
	    "x=y;boundary=a"};
	static const char *const refuses[] = {"", "boundary",
	    "boundary=", "boundary=\"\"", "boundary=;", "boundary=\"a",
	    "boundary=\"a\"b", "boundary=a b", "boundary= a", "boundary =a",
	    "boundary=\"a \"", "boundary=\" a\"", "boundary=a,b",
	    "boundary=\"a,b\"", "boundary=\"a\\\"b\"", "boundary='a\"",
	    "boundary=a\\b", "boundary=a; boundary=b", "boundary=a; boundary=a",
	    "xboundary=a; boundary=b", "boundary=aboundary=b",
	    "boundary*=utf-8''a", "boundary*0=a", "boundary=" SEVENTY "0",
	    "boundary=\"" SEVENTY "0\"", "boundary=\xc3\xa4",
	    "boundary=a, multipart/form-data; boundary=b"};
	char type[256];
	size_t i;

	for (i = 0; i < COUNT(accepts); i++) {
		snprintf(
		    type, sizeof(type), "multipart/form-data; %s", accepts[i]);
		expect_type(type, "multipart");
	}
	for (i = 0; i < COUNT(refuses); i++) {
		snprintf(
		    type, sizeof(type), "multipart/form-data; %s", refuses[i]);
		expect_type(type, "multipart unreadable");
	}
	expect_type("multipart/form-data", "multipart unreadable");
	expect_type("multipart/boundary=a", "multipart unreadable");
}
END_TEST

START_TEST(every_field_of_the_head_is_judged)
{
	static const struct {
		const char *name[2], *value[2], *wanted;
	} rows[] = {
	    {{"Content-Type", "Content-Type"}, {"text/plain", FORM}, "form"},
	    {{"Content-Type", "Content-Type"}, {FORM, "text/plain"}, "form"},
	    {{"Content-Type", "content_type"}, {"text/plain", FORM}, "form"},
	    {{"Content-Type", "Content-Type"}, {FORM, FORM}, "form"},
	    {{"Content-Type", "Content-Type"}, {"", "text/plain"}, "form"},
	    {{"X", "Content_Type"}, {"y", "text/plain"}, "form"},
	    {{"X", "Content_Type"}, {"y", "application/json"},
		"form unreadable"},
	    {{"Content-Type", "Content-Type"}, {FORM, "application/json"},
		"form unreadable"},
	    {{"Content-Type", "Content-Type"}, {MULTI "a", MULTI "a"},
		"multipart unreadable"},
	    {{"Content-Type", "Content-Type"},
		{FORM "; charset=utf-7", "text/plain"}, "form unreadable"},
	    {{"Content-Type", "Content-Encoding"}, {FORM, "gzip"},
		"form unreadable"},
	    {{"Content-Type", "Content_Encoding"}, {FORM, "deflate"},
		"form unreadable"},
	    {{"Content-Type", "Content-Encoding"}, {FORM, "Identity"}, "form"},
	    {{"Content-Type", "Content-Encoding"}, {FORM, ""}, "form"},
	    {{"Content-Type", "Content-Encoding"}, {FORM, "identity, br"},
		"form unreadable"},
	    {{"Content-Type", "Content-Encoding"}, {"text/plain", "gzip"},
		"none"},
	    {{"X", "Content-Encoding"}, {"y", "gzip"}, "form unreadable"},
	    {{"X-Content-Type", "Content-Typ"}, {"text/plain", "text/plain"},
		"form"},
	};
	size_t i, k;

	for (i = 0; i < COUNT(rows); i++) {
		struct field fields[2];
		struct head head = {.method = SLICE("POST"),
		    .path = SLICE("/"),
		    .fields = fields,
		    .field_count = 2};

		for (k = 0; k < 2; k++)
			fields[k] =
			    (struct field){.name = slice_of(rows[i].name[k]),
				.value = slice_of(rows[i].value[k])};
		expect_kind(&head, rows[i].wanted);
	}
}
END_TEST

START_TEST(a_post_without_a_type_is_a_form)
{
	struct head head = {.path = SLICE("/")};

	head.method = SLICE("POST");
	expect_kind(&head, "form");
	head.method = SLICE("post");
	expect_kind(&head, "form");
	head.method = SLICE("PUT");
	expect_kind(&head, "none");
	head.method = SLICE("GET");
	expect_kind(&head, "none");
	overrides_expect(NULL, SLICE("_method=DELETE"), "form _method=DELETE");
}
END_TEST

START_TEST(a_type_counts_for_every_method)
{
	static const char *const methods[] = {"GET", "PUT", "PATCH", "QUERY"};
	struct field field = {
	    .name = SLICE("Content-Type"), .value = SLICE(FORM)};
	struct head head = {
	    .path = SLICE("/"), .fields = &field, .field_count = 1};
	size_t i;

	for (i = 0; i < COUNT(methods); i++) {
		head.method = slice_of(methods[i]);
		expect_kind(&head, "form");
	}
}
END_TEST

START_TEST(a_batch_is_told_by_its_path)
{
	static const char *const accepts[] = {"/$batch", "/odata/$batch",
	    "/odata/%24batch", "/odata/%24%62atch", "/odata/$BATCH",
	    "/odata/$batch/", "/odata/$batch//", "$batch"};
	static const char *const refuses[] = {"/", "", "/batch", "/x$batch",
	    "/$batch/x", "/$batches", "/%2524batch", "batch", "/%2fbatch",
	    "%24", "/$batch%2f"};
	struct guarded g;
	size_t i;

	for (i = 0; i < COUNT(accepts) + COUNT(refuses); i++) {
		bool batch = i < COUNT(accepts);
		const char *path =
		    batch ? accepts[i] : refuses[i - COUNT(accepts)];
		struct head head = {.method = SLICE("POST")};

		g = guard_bytes(path, strlen(path));
		head.path = (struct slice){g.at, strlen(path)};
		expect_kind(&head, batch ? "form batch" : "form");
		guard_free(&g);
	}
}
END_TEST

/* The bytes that make each framework run a DELETE. */
START_TEST(what_frameworks_honour_is_found)
{
#define PART(header) "--x\r\n" header "\r\n\r\nDELETE\r\n--x--\r\n"
	static const struct {
		const char *who, *type, *body, *wanted;
	} rows[] = {
	    {"Rails, Laravel", FORM, "utf8=%E2%9C%93&_method=delete&commit=Go",
		"form _method=DELETE"},
	    {"Rack 2", FORM, "[_method]=delete", "form _method=DELETE"},
	    {"Rack", "multipart/mixed; boundary=x", PART("Content-ID: _method"),
		"multipart _method=DELETE"},
	    {"Symfony, CakePHP", FORM, "_method=DELETE&_token=abc",
		"form _method=DELETE"},
	    {"Laravel", "application/json", "{\"_method\":\"DELETE\",\"a\":1}",
		"json _method=DELETE"},
	    {"Yii2, CodeIgniter", FORM, "_csrf=x%3D%3D&_method=DELETE",
		"form _method=DELETE"},
	    {"Slim", FORM, "_METHOD=DELETE", "form _method=DELETE"},
	    {"PHP", FORM, "+.method%00x=DELETE", "form _method=DELETE"},
	    {"Spring", MULTI "x",
		PART("Content-Disposition: form-data; name=\"_method\""),
		"multipart _method=DELETE"},
	    {"Express", FORM, "\xef\xbb\xbf_method=DELETE",
		"form _method=DELETE"},
	    {"Plug", "application/json; charset=utf-8",
		"{\"user\":{\"name\":\"a\"},\"_method\":\"delete\"}",
		"json _method=DELETE"},
	    {"gorilla", MULTI "\"x\"",
		PART("Content-Disposition: form-data; name=_method"),
		"multipart _method=DELETE"},
	    {"Salesforce", FORM, "_HttpMethod=DELETE",
		"form _httpmethod=DELETE"},
	    {"Play 1, ASP.NET MVC", FORM, "X-HTTP-Method-Override=DELETE",
		"form x-http-method-override=DELETE"},
	    {"IBM ODM", FORM, "x-method-override=DELETE",
		"form x-method-override=DELETE"},
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		overrides_expect(
		    rows[i].type, slice_of(rows[i].body), rows[i].wanted);
}
END_TEST

START_TEST(forms_are_read_however_they_are_cut)
{
	static const struct {
		const char *body, *wanted;
	} rows[] = {
	    {"", ""},
	    {"a=b", ""},
	    {"my_method=DELETE&_methods=PUT&a=_method", ""},
	    {"a=b&%5F%6d%65%74hod=%44%45LETE&c", "form _method=DELETE"},
	    {"a=b;+%20_METHOD%5b%5d=+GET,,%2c+put%00;c",
		"form _method=GET, form _method=PUT"},
	    {"%5fmethod=%", "form _method=%"},
	    {"%5fmethod=a%5", "form _method=A%5"},
	    {"%5fmethod=a%u005", "form _method=A%U005"},
	    {"_method=DELETE\r\n", "form _method=DELETE"},
	    {"a=1&_method=DELETE", "form _method=DELETE"},
	    {"_method=a&_httpmethod=b&x-method-override=c&"
	     "x-http-method-override=d,e,f,g,h,i",
		"form _method=A, form _httpmethod=B, form x-method-override=C, "
		"form x-http-method-override=D, form x-http-method-override=E, "
		"form x-http-method-override=F, form x-http-method-override=G, "
		"form x-http-method-override=H full"},
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		overrides_expect(FORM, slice_of(rows[i].body), rows[i].wanted);
}
END_TEST

START_TEST(a_field_is_found_behind_a_megabyte_of_others)
{
	static char body[1 << 20 | 64];
	size_t len = 0;

	len += (size_t)sprintf(body, "text=");
	memset(body + len, 'x', 500000);
	len += 500000;
	while (len < 1 << 20)
		len += (size_t)sprintf(
		    body + len, "&f%zu=_method%%26&_metho=%zu;", len, len);
	len += (size_t)sprintf(body + len, "_method=DELETE");
	overrides_expect(
	    FORM, (struct slice){body, len}, "form _method=DELETE");
}
END_TEST

START_TEST(the_state_is_small)
{
	ck_assert_uint_le(sizeof(struct override_scan), 300);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("override_scan");
	TCase *tcase = tcase_create("override_scan");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, types_say_what_kind_of_body_it_is);
	tcase_add_test(tcase, charsets_are_those_that_ascii_is_part_of);
	tcase_add_test(tcase, boundaries_are_those_that_all_servers_see);
	tcase_add_test(tcase, every_field_of_the_head_is_judged);
	tcase_add_test(tcase, a_post_without_a_type_is_a_form);
	tcase_add_test(tcase, a_type_counts_for_every_method);
	tcase_add_test(tcase, a_batch_is_told_by_its_path);
	tcase_add_test(tcase, what_frameworks_honour_is_found);
	tcase_add_test(tcase, forms_are_read_however_they_are_cut);
	tcase_add_test(tcase, a_field_is_found_behind_a_megabyte_of_others);
	tcase_add_test(tcase, the_state_is_small);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
