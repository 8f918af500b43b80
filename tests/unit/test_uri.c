/* SPDX-License-Identifier: ISC */
/* Request targets and authorities: split where the RFC splits them, refused
 * where two readers could differ, and never changed. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "uri.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *method, *raw;
	enum target_form form;
	const char *scheme, *authority, *target, *path;
	const char *query; /* NULL: no '?' */
} accepts[] = {
    {"GET", "/", TARGET_ORIGIN, "", "", "/", "/", NULL},
    {"GET", "/a/b", TARGET_ORIGIN, "", "", "/a/b", "/a/b", NULL},
    {"GET", "/a?b=c&d", TARGET_ORIGIN, "", "", "/a?b=c&d", "/a", "b=c&d"},
    {"GET", "/?", TARGET_ORIGIN, "", "", "/?", "/", ""},
    {"GET", "/a?b?c/d", TARGET_ORIGIN, "", "", "/a?b?c/d", "/a", "b?c/d"},
    {"GET", "//evil.example/x", TARGET_ORIGIN, "", "", "//evil.example/x",
	"//evil.example/x", NULL},
    {"GET", "/a/../b/%2e%2E;c", TARGET_ORIGIN, "", "", "/a/../b/%2e%2E;c",
	"/a/../b/%2e%2E;c", NULL},
    {"GET", "/%", TARGET_ORIGIN, "", "", "/%", "/%", NULL},
    {"GET", "/\\\"<>^`{|}~[]", TARGET_ORIGIN, "", "", "/\\\"<>^`{|}~[]",
	"/\\\"<>^`{|}~[]", NULL},
    {"GET", "/http://a/", TARGET_ORIGIN, "", "", "/http://a/", "/http://a/",
	NULL},
    {"OPTIONS", "*", TARGET_ASTERISK, "", "", "*", "*", NULL},
    {"GET", "*", TARGET_ASTERISK, "", "", "*", "*", NULL},
    {"GET", "http://a.example/x?y", TARGET_ABSOLUTE, "http", "a.example",
	"/x?y", "/x", "y"},
    {"GET", "HTTPS://A.example:8443/", TARGET_ABSOLUTE, "HTTPS",
	"A.example:8443", "/", "/", NULL},
    {"GET", "http://a", TARGET_ABSOLUTE, "http", "a", "/", "/", NULL},
    {"GET", "http://a:", TARGET_ABSOLUTE, "http", "a:", "/", "/", NULL},
    {"GET", "http://a//b", TARGET_ABSOLUTE, "http", "a", "//b", "//b", NULL},
    {"GET", "http://a/?", TARGET_ABSOLUTE, "http", "a", "/?", "/", ""},
    {"GET", "https://[::1]:80/x", TARGET_ABSOLUTE, "https", "[::1]:80", "/x",
	"/x", NULL},
    {"options", "http://a", TARGET_ABSOLUTE, "http", "a", "/", "/", NULL},
    {"OPTIONS", "http://a", TARGET_ASTERISK, "http", "a", "*", "*", NULL},
    {"OPTIONS", "http://a/", TARGET_ABSOLUTE, "http", "a", "/", "/", NULL},
    {"CONNECT", "a.example:443", TARGET_ORIGIN, "", "", "a.example:443", "",
	NULL},
    {"CONNECT", "[::1]:443", TARGET_ORIGIN, "", "", "[::1]:443", "", NULL},
};

static const struct {
	const char *method, *raw;
	enum reason why;
} refuses[] = {
    {"GET", "", REASON_MALFORMED_TARGET},
    {"GET", " ", REASON_MALFORMED_TARGET},
    {"GET", "a", REASON_MALFORMED_TARGET},
    {"GET", "a/b", REASON_MALFORMED_TARGET},
    {"GET", "?a", REASON_MALFORMED_TARGET},
    {"GET", "\\a", REASON_MALFORMED_TARGET},
    {"GET", "**", REASON_MALFORMED_TARGET},
    {"GET", "*/a", REASON_MALFORMED_TARGET},
    {"OPTIONS", "*?a", REASON_MALFORMED_TARGET},
    {"GET", "/a#b", REASON_MALFORMED_TARGET},
    {"GET", "/a b", REASON_MALFORMED_TARGET},
    {"GET", "/a\tb", REASON_MALFORMED_TARGET},
    {"GET", "/a\rb", REASON_MALFORMED_TARGET},
    {"GET", "/a\nb", REASON_MALFORMED_TARGET},
    {"GET", "/a\x7f", REASON_MALFORMED_TARGET},
    {"GET", "/a\x80", REASON_MALFORMED_TARGET},
    {"GET", "/a\xff", REASON_MALFORMED_TARGET},
    {"GET", "/\xc3\xa4", REASON_MALFORMED_TARGET},
    {"GET", "a.example:443", REASON_MALFORMED_TARGET},
    {"GET", "http", REASON_MALFORMED_TARGET},
    {"GET", "http:", REASON_MALFORMED_TARGET},
    {"GET", "http:/a", REASON_MALFORMED_TARGET},
    {"GET", "http:a", REASON_MALFORMED_TARGET},
    {"GET", "http//a/", REASON_MALFORMED_TARGET},
    {"GET", "https", REASON_MALFORMED_TARGET},
    {"GET", "httpss://a/", REASON_MALFORMED_TARGET},
    {"GET", "xhttp://a/", REASON_MALFORMED_TARGET},
    {"GET", "ftp://a/", REASON_MALFORMED_TARGET},
    {"GET", "ws://a/", REASON_MALFORMED_TARGET},
    {"GET", "file:///etc/passwd", REASON_MALFORMED_TARGET},
    {"GET", "://a/", REASON_MALFORMED_TARGET},
    {"GET", "http://a?b", REASON_MALFORMED_TARGET},
    {"GET", "http://a?b/c", REASON_MALFORMED_TARGET},
    {"OPTIONS", "http://a?b", REASON_MALFORMED_TARGET},
    {"GET", "http://", REASON_MALFORMED_HOST},
    {"GET", "http:///", REASON_MALFORMED_HOST},
    {"GET", "http:///a", REASON_MALFORMED_HOST},
    {"GET", "http://?", REASON_MALFORMED_HOST},
    {"GET", "http://:80/", REASON_MALFORMED_HOST},
    {"GET", "http://user@a/", REASON_MALFORMED_HOST},
    {"GET", "http://user:pass@a/", REASON_MALFORMED_HOST},
    {"GET", "http://a\\b/", REASON_MALFORMED_HOST},
    {"GET", "http://a%2eb/", REASON_MALFORMED_HOST},
    {"GET", "http://a:x/", REASON_MALFORMED_HOST},
    {"GET", "http://a:65536/", REASON_MALFORMED_HOST},
    {"GET", "http://[::1/", REASON_MALFORMED_HOST},
    {"CONNECT", "/", REASON_MALFORMED_HOST},
    {"CONNECT", "*", REASON_MALFORMED_HOST},
    {"CONNECT", "http://a/", REASON_MALFORMED_HOST},
    {"CONNECT", "a:443/", REASON_MALFORMED_HOST},
    {"CONNECT", "user@a:443", REASON_MALFORMED_HOST},
    {"CONNECT", ":443", REASON_MALFORMED_HOST},
    {"CONNECT", "a", REASON_MALFORMED_TARGET},
    {"CONNECT", "a:", REASON_MALFORMED_TARGET},
    {"CONNECT", "", REASON_MALFORMED_TARGET},
};

static const char *const authorities[] = {
    "a",
    "A.Example",
    "a.example.",
    "a-b_c.example:80",
    "xn--bcher-kva.example",
    "-",
    "_dmarc.example",
    "192.0.2.1",
    "192.0.2.1:8080",
    "999.999",
    "a:",
    "a:0",
    "a:65535",
    "a:00080",
    "[::]",
    "[::1]",
    "[::1]:",
    "[::1]:443",
    "[2001:DB8::1]:80",
    "[::ffff:192.0.2.1]",
    "[1111:2222:3333:4444:5555:6666:192.168.100.100]",
};

static const char *const bad_authorities[] = {
    "",
    ":",
    ":80",
    ".",
    "..",
    ".a",
    "a..b",
    "a..",
    ".:80",
    "a b",
    " a",
    "a ",
    "a/",
    "a?",
    "a#",
    "a\\",
    "a,b",
    "a;b",
    "a@b",
    "@a",
    "user@a:80",
    "a%41",
    "a!",
    "a$b",
    "a*",
    "*",
    "~a",
    "\"a\"",
    "b\xc3\xbc.example",
    "a\x7f",
    "a\tb",
    "a:65536",
    "a:99999",
    "a:100000",
    "a:000080",
    "a:80x",
    "a:x",
    "a:-1",
    "a:+80",
    "a: 80",
    "a:80 ",
    "a:80:80",
    "a::80",
    "::1",
    "::1:80",
    "[",
    "]",
    "[]",
    "[]:80",
    "[:]",
    "[::1",
    "::1]",
    "[::1]80",
    "[::1]x:80",
    "[::1]]",
    "[[::1]]",
    "[::1]:x",
    "[::1]:65536",
    "[::1].",
    "[::1%25lo]",
    "[::1%lo]",
    "[::g]",
    "[1:2:3]",
    "[1:2:3:4:5:6:7:8:9]",
    "[::1::2]",
    "[192.0.2.1]",
    "[a]",
    "[v1.x]",
    "[11111::]",
    "[::ffff:192.0.2.256]",
    "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa]",
    "a[::1]",
};

static bool
is(struct slice got, const char *wanted)
{
	return slice_eq(got, slice_of(wanted));
}

/* Junk in all that uri_target promises to set. */
static struct head
unset_head(void)
{
	struct head head;

	memset(&head, 0xa5, sizeof(head));
	return head;
}

START_TEST(targets_are_split)
{
	size_t i;

	for (i = 0; i < COUNT(accepts); i++) {
		size_t len = strlen(accepts[i].raw);
		struct guarded g = guard_bytes(accepts[i].raw, len);
		struct head head = unset_head();
		enum reason why = uri_target((struct slice){g.at, len},
		    slice_of(accepts[i].method), &head);

		ck_assert_msg(why == REASON_NONE, "%s %s: %s",
		    accepts[i].method, accepts[i].raw, reason_word(why));
		ck_assert_msg(head.form == accepts[i].form &&
				  is(head.scheme, accepts[i].scheme) &&
				  is(head.authority, accepts[i].authority) &&
				  is(head.target, accepts[i].target) &&
				  is(head.path, accepts[i].path),
		    "%s %s", accepts[i].method, accepts[i].raw);
		if (accepts[i].query == NULL)
			ck_assert_ptr_null(head.query.at);
		else
			ck_assert_msg(head.query.at != NULL &&
					  is(head.query, accepts[i].query),
			    "%s", accepts[i].raw);
		guard_free(&g);
	}
}
END_TEST

START_TEST(what_is_no_target_is_refused)
{
	size_t i;

	for (i = 0; i < COUNT(refuses); i++) {
		size_t len = strlen(refuses[i].raw);
		struct guarded g = guard_bytes(refuses[i].raw, len);
		struct head head = unset_head();
		enum reason why = uri_target((struct slice){g.at, len},
		    slice_of(refuses[i].method), &head);

		ck_assert_msg(why == refuses[i].why, "%s %s: %s, not %s",
		    refuses[i].method, refuses[i].raw, reason_word(why),
		    reason_word(refuses[i].why));
		guard_free(&g);
	}
}
END_TEST

START_TEST(a_target_holds_visible_ascii_without_hash)
{
	struct guarded g = guard_bytes("/aa", 3);
	struct head head;
	int c;

	for (c = 0; c < 256; c++) {
		bool wanted = c > 0x20 && c < 0x7f && c != '#';

		g.at[2] = (char)c;
		ck_assert_int_eq(uri_target((struct slice){g.at, 3},
				     SLICE("GET"), &head) == REASON_NONE,
		    wanted);
	}
	guard_free(&g);
}
END_TEST

START_TEST(an_origin_form_goes_on_byte_for_byte)
{
	struct slice raw = SLICE("//a/./..//%2F%00?x=/../y");
	struct head head;

	ck_assert_int_eq(uri_target(raw, SLICE("GET"), &head), REASON_NONE);
	ck_assert_ptr_eq(head.target.at, raw.at);
	ck_assert_uint_eq(head.target.len, raw.len);
	ck_assert_ptr_eq(head.path.at, raw.at);
}
END_TEST

static bool
valid(const char *bytes, size_t len)
{
	struct guarded g = guard_bytes(bytes, len);
	bool good = uri_authority_valid((struct slice){g.at, len});

	guard_free(&g);
	return good;
}

START_TEST(authorities_are_accepted)
{
	size_t i;

	for (i = 0; i < COUNT(authorities); i++)
		ck_assert_msg(valid(authorities[i], strlen(authorities[i])),
		    "refused %s", authorities[i]);
}
END_TEST

START_TEST(what_is_no_authority_is_refused)
{
	size_t i;

	for (i = 0; i < COUNT(bad_authorities); i++)
		ck_assert_msg(
		    !valid(bad_authorities[i], strlen(bad_authorities[i])),
		    "took %s", bad_authorities[i]);
	ck_assert(!valid("a\0b", 3));
	ck_assert(!valid("a\0", 2));
	ck_assert(!valid("[::1\0]", 6));
	ck_assert(!valid("a:80\0", 5));
	ck_assert(!uri_authority_valid(SLICE_NONE));
}
END_TEST

START_TEST(a_host_name_holds_letters_digits_and_three_marks)
{
	char name[] = "a?b";
	int c;

	for (c = 0; c < 256; c++) {
		bool wanted =
		    (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';

		name[1] = (char)c;
		ck_assert_msg(valid(name, 3) == wanted, "byte %02x", c);
	}
}
END_TEST

START_TEST(a_host_comes_without_port_and_last_dot)
{
	static const char *const rows[][2] = {
	    {"a.example", "a.example"},
	    {"A.example:80", "A.example"},
	    {"a.example.", "a.example"},
	    {"a.example.:80", "a.example"},
	    {"a:", "a"},
	    {"[::1]", "[::1]"},
	    {"[::1]:80", "[::1]"},
	    {"[::1", "[::1"},
	    {"192.0.2.1:80", "192.0.2.1"},
	    {"", ""},
	    {".", ""},
	};
	size_t i, len;

	for (i = 0; i < COUNT(rows); i++) {
		struct guarded g =
		    guard_bytes(rows[i][0], len = strlen(rows[i][0]));

		ck_assert_msg(
		    is(uri_host((struct slice){g.at, len}), rows[i][1]), "%s",
		    rows[i][0]);
		guard_free(&g);
	}
	ck_assert_uint_eq(uri_host(SLICE_NONE).len, 0);
}
END_TEST

START_TEST(authorities_are_the_same_by_host_and_port)
{
	static const struct {
		const char *a, *b, *scheme;
		bool same;
	} rows[] = {
	    {"a.example", "A.EXAMPLE", "http", true},
	    {"a.example.", "a.example", "http", true},
	    {"a.", "a.:80", "http", true},
	    {"a:80", "a", "http", true},
	    {"a", "a:", "HTTP", true},
	    {"a:080", "a:80", "http", true},
	    {"a:443", "a", "https", true},
	    {"a:443", "a:", "HTTPS", true},
	    {"[::1]:80", "[::1]", "http", true},
	    {"[2001:DB8::1]", "[2001:db8::1]", "http", true},
	    {"a:8080", "a:8080", "https", true},
	    {"a:80", "a", "https", false},
	    {"a:443", "a", "http", false},
	    {"a:8080", "a", "http", false},
	    {"a:8080", "a:8081", "http", false},
	    {"a:0", "a", "http", false},
	    {"a", "b", "http", false},
	    {"a", "a.b", "http", false},
	    {"[::1]", "[::2]", "http", false},
	    {"[::1]", "[0::1]", "http", false},
	    {"192.0.2.1", "192.0.2.10", "http", false},
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct slice a = slice_of(rows[i].a), b = slice_of(rows[i].b);
		struct slice scheme = slice_of(rows[i].scheme);

		ck_assert_msg(
		    uri_authority_same(a, b, scheme) == rows[i].same &&
			uri_authority_same(b, a, scheme) == rows[i].same,
		    "%s and %s by %s", rows[i].a, rows[i].b, rows[i].scheme);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("uri");
	TCase *tcase = tcase_create("uri");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, targets_are_split);
	tcase_add_test(tcase, what_is_no_target_is_refused);
	tcase_add_test(tcase, a_target_holds_visible_ascii_without_hash);
	tcase_add_test(tcase, an_origin_form_goes_on_byte_for_byte);
	tcase_add_test(tcase, authorities_are_accepted);
	tcase_add_test(tcase, what_is_no_authority_is_refused);
	tcase_add_test(tcase, a_host_name_holds_letters_digits_and_three_marks);
	tcase_add_test(tcase, a_host_comes_without_port_and_last_dot);
	tcase_add_test(tcase, authorities_are_the_same_by_host_and_port);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
