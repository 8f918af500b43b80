/* SPDX-License-Identifier: ISC */
/* h1_head: every head here is read whole and after every byte of it, each time
 * flush against a page that can't be touched. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "h1_head.h"

enum { FIELDS_MAX = 64 };

typedef enum h1_result read_fn(struct slice buf, const struct h1_limits *limits,
    struct head *head, size_t *used, enum reason *why);

static const struct h1_limits wide = {8192, 4096, FIELDS_MAX};

struct outcome {
	struct guarded page;   /* what head points into */
	struct guarded fields; /* exactly as many as the limit */
	struct head head;
	enum h1_result result;
	enum reason why;
	size_t used;
	size_t decided; /* bytes after which the result stood fast */
};

struct refusal {
	struct slice bytes;
	enum reason why;
};

static void
feed_prefix(struct outcome *o, read_fn *read, const struct h1_limits *limits,
    struct slice bytes, size_t len)
{
	char *at = o->page.at + bytes.len - len;
	struct slice prefix = {at, len};

	if (len > 0)
		memcpy(at, bytes.at, len);
	memset(&o->head, 0xa5, sizeof(o->head));
	o->head.fields = (struct field *)(void *)o->fields.at;
	o->why = REASON_COUNT;
	o->result = read(prefix, limits, &o->head, &o->used, &o->why);
}

/* Reads every prefix; once there is a result, it must not change. */
static void
feed(struct outcome *o, read_fn *read, const struct h1_limits *limits,
    struct slice bytes)
{
	static const struct field unset[FIELDS_MAX];
	enum h1_result result = H1_MORE;
	enum reason why = REASON_NONE;
	size_t used = 0;

	o->page = guard_bytes(bytes.at, bytes.len);
	o->fields = guard_bytes(unset, limits->fields * sizeof(struct field));
	o->decided = bytes.len;
	for (size_t len = 0; len <= bytes.len; len++) {
		feed_prefix(o, read, limits, bytes, len);
		if (result == H1_MORE && o->result != H1_MORE) {
			result = o->result;
			why = o->why;
			used = o->used;
			o->decided = len;
		}
		ck_assert_msg(o->result == result, "at %zu of: %.*s", len,
		    SLICE_ARG(bytes));
		if (result == H1_BAD)
			ck_assert_str_eq(reason_word(o->why), reason_word(why));
		if (result == H1_DONE) {
			ck_assert_uint_eq(o->used, used);
			ck_assert_uint_eq(used, o->decided);
		}
	}
}

static void
done(struct outcome *o)
{
	guard_free(&o->page);
	guard_free(&o->fields);
}

static void
accept_head(struct outcome *o, read_fn *read, struct slice bytes)
{
	feed(o, read, &wide, bytes);
	ck_assert_msg(o->result == H1_DONE, "%d %s: %.*s", o->result,
	    o->result == H1_BAD ? reason_word(o->why) : "", SLICE_ARG(bytes));
	ck_assert_uint_eq(o->used, bytes.len);
}

static void
refuse_head(
    read_fn *read, const struct h1_limits *limits, const struct refusal *row)
{
	struct outcome o;

	feed(&o, read, limits, row->bytes);
	ck_assert_msg(o.result == H1_BAD, "taken (%d): %.*s", o.result,
	    SLICE_ARG(row->bytes));
	ck_assert_msg(o.why == row->why, "%s, not %s: %.*s", reason_word(o.why),
	    reason_word(row->why), SLICE_ARG(row->bytes));
	done(&o);
}

static void
eq(struct slice got, const char *want)
{
	ck_assert_msg(slice_eq(got, slice_of(want)), "'%.*s' is not '%s'",
	    SLICE_ARG(got), want);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LINE11 "GET / HTTP/1.1\r\n"
#define LINE10 "GET / HTTP/1.0\r\n"
/* A request with further field lines, without the last CRLF. */
#define WITH(lines) SLICE(LINE11 "Host: a\r\n" lines "\r\n\r\n")
#define WITH10(lines) SLICE(LINE10 lines "\r\n\r\n")
#define HOST(value) SLICE(LINE11 "Host:" value "\r\n\r\n")
#define TARGET(target) SLICE("GET " target " HTTP/1.1\r\nHost: a\r\n\r\n")
#define VERSION(version) SLICE("GET / " version "\r\nHost: a\r\n\r\n")
#define LETTERS32 "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF"

static const struct acceptance {
	struct slice bytes;
	const char *method;
	enum target_form form;
	const char *scheme, *authority, *target, *path;
	const char *query; /* NULL: no '?' */
	unsigned minor, fields;
} accepts[] = {
    {SLICE(LINE11 "Host: a\r\n\r\n"), "GET", TARGET_ORIGIN, "", "a", "/", "/",
	NULL, 1, 1},
    {SLICE("\r\n" LINE11 "Host: a\r\n\r\n"), "GET", TARGET_ORIGIN, "", "a", "/",
	"/", NULL, 1, 1},
    {SLICE(LINE10 "\r\n"), "GET", TARGET_ORIGIN, "", "", "/", "/", NULL, 0, 0},
    {SLICE(LINE10 "Host: a:80\r\n\r\n"), "GET", TARGET_ORIGIN, "", "a:80", "/",
	"/", NULL, 0, 1},
    {SLICE("PUT /a/b?c=d?e&f HTTP/1.1\r\nhOST:\t a.B \t\r\n\r\n"), "PUT",
	TARGET_ORIGIN, "", "a.B", "/a/b?c=d?e&f", "/a/b", "c=d?e&f", 1, 1},
    {SLICE("get /? HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"), "get", TARGET_ORIGIN,
	"", "[::1]:8080", "/?", "/", "", 1, 1},
    {SLICE("!#$%&'*+-.^_`|~09AZaz /%00 HTTP/1.1\r\nHost: a\r\n\r\n"),
	"!#$%&'*+-.^_`|~09AZaz", TARGET_ORIGIN, "", "a", "/%00", "/%00", NULL,
	1, 1},
    {SLICE(LETTERS32 " //b/../c;d HTTP/1.1\r\nHost: a\r\n\r\n"), LETTERS32,
	TARGET_ORIGIN, "", "a", "//b/../c;d", "//b/../c;d", NULL, 1, 1},
    {SLICE("GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n"), "GET",
	TARGET_ABSOLUTE, "http", "a", "/b?c", "/b", "c", 1, 1},
    {SLICE("GET http://A:80/ HTTP/1.1\r\nHost: a\r\n\r\n"), "GET",
	TARGET_ABSOLUTE, "http", "A:80", "/", "/", NULL, 1, 1},
    {SLICE("GET https://a HTTP/1.1\r\nHost: a:443\r\n\r\n"), "GET",
	TARGET_ABSOLUTE, "https", "a", "/", "/", NULL, 1, 1},
    {SLICE("GET http://a/b HTTP/1.0\r\n\r\n"), "GET", TARGET_ABSOLUTE, "http",
	"a", "/b", "/b", NULL, 0, 0},
    {SLICE("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), "OPTIONS", TARGET_ASTERISK,
	"", "a", "*", "*", NULL, 1, 1},
    {SLICE("CONNECT a:443 HTTP/1.1\r\nHost: b\r\n\r\n"), "CONNECT",
	TARGET_ORIGIN, "", "a:443", "a:443", "", NULL, 1, 1},
    {SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX:\r\n\r\n"),
	"POST", TARGET_ORIGIN, "", "a", "/", "/", NULL, 1, 3},
};

START_TEST(every_form_of_request_is_taken_apart)
{
	const struct acceptance *row = &accepts[_i];
	struct outcome o;

	accept_head(&o, h1_request_read, row->bytes);
	eq(o.head.method, row->method);
	ck_assert_int_eq(o.head.form, row->form);
	eq(o.head.scheme, row->scheme);
	eq(o.head.authority, row->authority);
	eq(o.head.target, row->target);
	if (row->path[0] != '*')
		eq(o.head.path, row->path);
	ck_assert_int_eq(o.head.query.at == NULL, row->query == NULL);
	eq(o.head.query, row->query == NULL ? "" : row->query);
	ck_assert_uint_eq(o.head.minor, row->minor);
	ck_assert_uint_eq(o.head.field_count, row->fields);
	ck_assert_int_eq(o.head.status, 0);
	done(&o);
}
END_TEST

START_TEST(an_options_target_without_a_path_asks_for_the_whole_server)
{
	struct outcome o;

	accept_head(&o, h1_request_read,
	    SLICE("OPTIONS http://b.a HTTP/1.1\r\nHost: b.a\r\n\r\n"));
	eq(o.head.target, "*");
	eq(o.head.authority, "b.a");
	done(&o);
}
END_TEST

START_TEST(values_keep_their_bytes_but_not_the_space_around_them)
{
	static const struct {
		struct slice line;
		const char *name, *value;
	} rows[] = {
	    {SLICE("X:y"), "X", "y"},
	    {SLICE("X: y"), "X", "y"},
	    {SLICE("x:\t y \t"), "x", "y"},
	    {SLICE("X:"), "X", ""},
	    {SLICE("X:  \t "), "X", ""},
	    {SLICE("X: a\t b"), "X", "a\t b"},
	    {SLICE("X: :"), "X", ":"},
	    {SLICE("X::y"), "X", ":y"},
	    {SLICE("X: \x80\xff\xc3\xa9"), "X", "\x80\xff\xc3\xa9"},
	    {SLICE("X: a value that is longer than sixteen bytes\xe9 is, too"),
		"X", "a value that is longer than sixteen bytes\xe9 is, too"},
	    {SLICE("!#$%&'*+-.^_`|~0: y"), "!#$%&'*+-.^_`|~0", "y"},
	};
	char text[256];
	struct outcome o;

	for (size_t i = 0; i < COUNT(rows); i++) {
		int len = snprintf(text, sizeof(text),
		    LINE11 "Host: a\r\n%.*s\r\n\r\n", SLICE_ARG(rows[i].line));

		accept_head(
		    &o, h1_request_read, (struct slice){text, (size_t)len});
		ck_assert_uint_eq(o.head.field_count, 2);
		eq(o.head.fields[1].name, rows[i].name);
		eq(o.head.fields[1].value, rows[i].value);
		ck_assert_int_eq(o.head.fields[1].id, FIELD_OTHER);
		done(&o);
	}
}
END_TEST

START_TEST(fields_get_their_ids_in_any_case)
{
	struct outcome o;

	accept_head(&o, h1_request_read,
	    WITH(
		"CONTENT-TYPE: b\r\nx-ContentType: c\r\nExpect: 100-continue"));
	ck_assert_int_eq(o.head.fields[0].id, FIELD_HOST);
	ck_assert_int_eq(o.head.fields[1].id, FIELD_CONTENT_TYPE);
	ck_assert_int_eq(o.head.fields[2].id, FIELD_OTHER);
	ck_assert_int_eq(o.head.fields[3].id, FIELD_EXPECT);
	done(&o);
}
END_TEST

START_TEST(odd_but_unambiguous_fields_are_taken)
{
	static const struct slice rows[] = {
	    WITH("Content-Length: 0"),
	    WITH("Content-Length: 9223372036854775807"),
	    WITH("Content-Length: 0000000000000000005"),
	    WITH("Content-Length: \t5 \t"),
	    WITH("Transfer-Encoding: chunked"),
	    WITH("Transfer-Encoding:\t ChUnKeD \t"),
	    WITH("Connection:"),
	    WITH("Connection: close"),
	    WITH("Connection: close, "),
	    WITH("Connection: ,, keep-alive\t,,"),
	    WITH("Connection: close\r\nConnection: keep-alive, x-mine"),
	    WITH("Connection: Upgrade, HTTP2-Settings, TE, Keep-Alive"),
	    WITH("Expect: 100-continue"),
	    WITH("Expect: 100-Continue\r\nExpect: 100-CONTINUE"),
	    WITH10("Expect: 100-continue"),
	    WITH10("Content-Length: 5"),
	    HOST(" a:"),
	    HOST(" A_b-c.D.:65535"),
	    HOST(" 192.0.2.1:80"),
	};
	struct outcome o;

	for (size_t i = 0; i < COUNT(rows); i++) {
		accept_head(&o, h1_request_read, rows[i]);
		done(&o);
	}
}
END_TEST

START_TEST(what_follows_a_head_is_not_touched)
{
	static const struct slice rows[] = {
	    SLICE(LINE11 "Host: a\r\n\r\n\r\n"),
	    SLICE(LINE11 "Host: a\r\n\r\n\0\n"),
	    SLICE(LINE11 "Host: a\r\n\r\nGET /b HTTP/9.9\r\n"),
	};
	struct outcome o;

	for (size_t i = 0; i < COUNT(rows); i++) {
		feed(&o, h1_request_read, &wide, rows[i]);
		ck_assert_int_eq(o.result, H1_DONE);
		ck_assert_uint_eq(o.used, sizeof(LINE11 "Host: a\r\n\r\n") - 1);
		eq(o.head.target, "/");
		done(&o);
	}
}
END_TEST

static const struct refusal bad_line_ends[] = {
    {SLICE("\n" LINE11), REASON_MALFORMED_LINE_END},
    {SLICE("\r" LINE11), REASON_MALFORMED_LINE_END},
    {SLICE("\r\r\n" LINE11), REASON_MALFORMED_LINE_END},
    {SLICE("\r\n\n" LINE11), REASON_MALFORMED_LINE_END},
    {SLICE("\r\n\r" LINE11), REASON_MALFORMED_LINE_END},
    {SLICE("\r\n\r\n" LINE11), REASON_MALFORMED_REQUEST_LINE},
    {SLICE("GE\nT / HTTP/1.1\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE("GE\rT / HTTP/1.1\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE("GET\n/ HTTP/1.1\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE("GET\r/ HTTP/1.1\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE("GET \n/ HTTP/1.1\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE("GET \r/ HTTP/1.1\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE("GET /\n HTTP/1.1\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE("GET /a\rb HTTP/1.1\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE("GET / \nHTTP/1.1\r\n"), REASON_MALFORMED_VERSION},
    {SLICE("GET / \rHTTP/1.1\r\n"), REASON_MALFORMED_VERSION},
    {SLICE("GET / HTTP/\n1.1\r\n"), REASON_MALFORMED_VERSION},
    {SLICE("GET / HTTP/1.\r1\r\n"), REASON_MALFORMED_VERSION},
    {SLICE("GET / HTTP/1.1\nHost: a\r\n\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE("GET / HTTP/1.1\rHost: a\r\n\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE("GET / HTTP/1.1\r\r\nHost: a\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE(LINE11 "\nHost: a\r\n\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE(LINE11 "\rHost: a\r\n\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE(LINE11 "Ho\nst: a\r\n\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE(LINE11 "Ho\rst: a\r\n\r\n"), REASON_MALFORMED_FIELD_NAME},
    {SLICE(LINE11 "Host:\na\r\n\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE(LINE11 "Host:\ra\r\n\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE(LINE11 "Host: a\n\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE(LINE11 "Host: a\rb\r\n\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE(LINE11 "Host: a\r\r\n\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE(LINE11 "Host: a\nX: b\r\n\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE(LINE11 "Host: a\r\nX: b\n\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE(LINE11 "Host: a\r\n\n"), REASON_MALFORMED_LINE_END},
    {SLICE(LINE11 "Host: a\r\n\r\r\n"), REASON_MALFORMED_LINE_END},
    {SLICE(LINE11 "Host: a\r\n\rGET / HTTP/1.1"), REASON_MALFORMED_LINE_END},
    {SLICE(LINE11 "Host: a\r\nX: b\n\nGET /c HTTP/1.1\r\n"),
	REASON_MALFORMED_LINE_END},
};

static const struct refusal bad_request_lines[] = {
    {SLICE(" " LINE11), REASON_MALFORMED_REQUEST_LINE},
    {SLICE("GET\r\n"), REASON_MALFORMED_REQUEST_LINE},
    {SLICE("GET \r\n"), REASON_MALFORMED_VERSION},
    {SLICE("GET /\r\n"), REASON_MALFORMED_VERSION},
    {SLICE("GET / \r\n"), REASON_MALFORMED_VERSION},
    {SLICE("GET  / HTTP/1.1\r\n"), REASON_MALFORMED_REQUEST_LINE},
    {SLICE("GET /  HTTP/1.1\r\n"), REASON_MALFORMED_REQUEST_LINE},
    {SLICE("GET / HTTP/1.1 \r\n"), REASON_MALFORMED_REQUEST_LINE},
    {SLICE("GET / HTTP/1.1\t\r\n"), REASON_MALFORMED_VERSION},
    {SLICE("GET\t/ HTTP/1.1\r\n"), REASON_MALFORMED_METHOD},
    {SLICE("GET /\tHTTP/1.1\r\n"), REASON_MALFORMED_TARGET},
    {SLICE("GET /a b HTTP/1.1\r\n"), REASON_MALFORMED_VERSION},
    {SLICE("G\0T / HTTP/1.1\r\n"), REASON_MALFORMED_METHOD},
    {SLICE("\x01GET / HTTP/1.1\r\n"), REASON_MALFORMED_METHOD},
    {SLICE("GET\x7f / HTTP/1.1\r\n"), REASON_MALFORMED_METHOD},
    {SLICE("G\xc3\x89T / HTTP/1.1\r\n"), REASON_MALFORMED_METHOD},
    {SLICE("GE(T / HTTP/1.1\r\n"), REASON_MALFORMED_METHOD},
    {SLICE("\"GET\" / HTTP/1.1\r\n"), REASON_MALFORMED_METHOD},
    {SLICE("GET: / HTTP/1.1\r\n"), REASON_MALFORMED_METHOD},
    {SLICE("G,T / HTTP/1.1\r\n"), REASON_MALFORMED_METHOD},
    {SLICE("\x16\x03\x01\x02"), REASON_MALFORMED_METHOD},
    {SLICE(LETTERS32 "G / HTTP/1.1\r\n"), REASON_METHOD_TOO_LONG},
    {SLICE(LETTERS32 "GHI"), REASON_METHOD_TOO_LONG},
    {SLICE(LETTERS32 "(/ HTTP/1.1\r\n"), REASON_MALFORMED_METHOD},
    {VERSION("HTTP/1.2"), REASON_VERSION_UNSUPPORTED},
    {VERSION("HTTP/1.9"), REASON_VERSION_UNSUPPORTED},
    {VERSION("HTTP/0.9"), REASON_VERSION_UNSUPPORTED},
    {VERSION("HTTP/0.1"), REASON_VERSION_UNSUPPORTED},
    {VERSION("HTTP/2.0"), REASON_VERSION_UNSUPPORTED},
    {VERSION("HTTP/2.1"), REASON_VERSION_UNSUPPORTED},
    {VERSION("HTTP/3.0"), REASON_VERSION_UNSUPPORTED},
    {VERSION("HTTP/9.9"), REASON_VERSION_UNSUPPORTED},
    {SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), REASON_VERSION_UNSUPPORTED},
    {VERSION("HTTP/2"), REASON_MALFORMED_VERSION},
    {VERSION("HTTP/1"), REASON_MALFORMED_VERSION},
    {VERSION("HTTP/1."), REASON_MALFORMED_VERSION},
    {VERSION("HTTP/.1"), REASON_MALFORMED_VERSION},
    {VERSION("HTTP/1.x"), REASON_MALFORMED_VERSION},
    {VERSION("HTTP/x.1"), REASON_MALFORMED_VERSION},
    {VERSION("HTTP/11"), REASON_MALFORMED_VERSION},
    {VERSION("HTTP/1.10"), REASON_MALFORMED_VERSION},
    {VERSION("HTTP/1.1.1"), REASON_MALFORMED_VERSION},
    {VERSION("HTTP/01.1"), REASON_MALFORMED_VERSION},
    {VERSION("HTTP/-1.1"), REASON_MALFORMED_VERSION},
    {VERSION("HTTP 1.1"), REASON_MALFORMED_VERSION},
    {VERSION("HTTP/1,1"), REASON_MALFORMED_VERSION},
    {VERSION("http/1.1"), REASON_MALFORMED_VERSION},
    {VERSION("Http/1.1"), REASON_MALFORMED_VERSION},
    {VERSION("HTTPS/1.1"), REASON_MALFORMED_VERSION},
    {VERSION("ICY/1.1"), REASON_MALFORMED_VERSION},
    {VERSION("HTTP/1.1\0"), REASON_MALFORMED_VERSION},
    {VERSION("\0HTTP/1.1"), REASON_MALFORMED_VERSION},
};

static const struct refusal bad_targets[] = {
    {TARGET("/a#b"), REASON_MALFORMED_TARGET},
    {TARGET("/#"), REASON_MALFORMED_TARGET},
    {TARGET("/a?b#c"), REASON_MALFORMED_TARGET},
    {TARGET("http://a/#b"), REASON_MALFORMED_TARGET},
    {TARGET("#"), REASON_MALFORMED_TARGET},
    {TARGET("/\0"), REASON_MALFORMED_TARGET},
    {TARGET("/\x01"), REASON_MALFORMED_TARGET},
    {TARGET("/\x1f"), REASON_MALFORMED_TARGET},
    {TARGET("/\x7f"), REASON_MALFORMED_TARGET},
    {TARGET("/\x80"), REASON_MALFORMED_TARGET},
    {TARGET("/\xc3\xa9"), REASON_MALFORMED_TARGET},
    {TARGET("\xff"), REASON_MALFORMED_TARGET},
    {TARGET("/\x0b"), REASON_MALFORMED_TARGET},
    {TARGET("/a b"), REASON_MALFORMED_VERSION},
    {TARGET("a"), REASON_MALFORMED_TARGET},
    {TARGET("?a"), REASON_MALFORMED_TARGET},
    {TARGET("\\a"), REASON_MALFORMED_TARGET},
    {TARGET("a/b"), REASON_MALFORMED_TARGET},
    {TARGET("a:443"), REASON_MALFORMED_TARGET},
    {TARGET("*"), REASON_MALFORMED_TARGET},
    {TARGET("*/"), REASON_MALFORMED_TARGET},
    {TARGET("ftp://a/"), REASON_MALFORMED_TARGET},
    {TARGET("http:/a"), REASON_MALFORMED_TARGET},
    {TARGET("http:a"), REASON_MALFORMED_TARGET},
    {TARGET("://a/"), REASON_MALFORMED_TARGET},
    {TARGET("http://a?b"), REASON_MALFORMED_TARGET},
    {TARGET("http://u@a/"), REASON_MALFORMED_HOST},
    {TARGET("http://a@/"), REASON_MALFORMED_HOST},
    {TARGET("http://u:p@a/"), REASON_MALFORMED_HOST},
    {TARGET("http:///b"), REASON_MALFORMED_HOST},
    {TARGET("http://a:b/"), REASON_MALFORMED_HOST},
    {TARGET("http://a\\b/"), REASON_MALFORMED_HOST},
    {SLICE("OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n"), REASON_MALFORMED_TARGET},
    {SLICE("options * HTTP/1.1\r\nHost: a\r\n\r\n"), REASON_MALFORMED_TARGET},
    {SLICE("CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n"), REASON_MALFORMED_HOST},
    {SLICE("CONNECT * HTTP/1.1\r\nHost: a\r\n\r\n"), REASON_MALFORMED_HOST},
    {SLICE("CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n"), REASON_MALFORMED_TARGET},
    {SLICE("CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n"), REASON_MALFORMED_TARGET},
    {SLICE("CONNECT u@a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
	REASON_MALFORMED_HOST},
    {SLICE("connect a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
	REASON_MALFORMED_TARGET},
    {SLICE("CONNECT http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
	REASON_MALFORMED_HOST},
};

static const struct refusal bad_fields[] = {
    {SLICE(LINE11 "Host : a\r\n\r\n"), REASON_MALFORMED_FIELD_NAME},
    {SLICE(LINE11 "Host\t: a\r\n\r\n"), REASON_MALFORMED_FIELD_NAME},
    {WITH("Content-Length : 5"), REASON_MALFORMED_FIELD_NAME},
    {WITH("Transfer-Encoding\v: chunked"), REASON_MALFORMED_FIELD_NAME},
    {SLICE(LINE11 " Host: a\r\n\r\n"), REASON_MALFORMED_FIELD_NAME},
    {SLICE(LINE11 "\tHost: a\r\n\r\n"), REASON_MALFORMED_FIELD_NAME},
    {WITH(": b"), REASON_MALFORMED_FIELD_NAME},
    {WITH(":"), REASON_MALFORMED_FIELD_NAME},
    {WITH("X"), REASON_MALFORMED_FIELD_NAME},
    {WITH("X b: c"), REASON_MALFORMED_FIELD_NAME},
    {WITH("X(: b"), REASON_MALFORMED_FIELD_NAME},
    {WITH("\"X\": b"), REASON_MALFORMED_FIELD_NAME},
    {WITH("X\0: b"), REASON_MALFORMED_FIELD_NAME},
    {WITH("\0X: b"), REASON_MALFORMED_FIELD_NAME},
    {WITH("X\x01: b"), REASON_MALFORMED_FIELD_NAME},
    {WITH("X\x7f: b"), REASON_MALFORMED_FIELD_NAME},
    {WITH("X\x80: b"), REASON_MALFORMED_FIELD_NAME},
    {WITH("\xef\xbb\xbfX: b"), REASON_MALFORMED_FIELD_NAME},
    {WITH("X: b\r\n c"), REASON_MALFORMED_OBS_FOLD},
    {WITH("X: b\r\n\tc"), REASON_MALFORMED_OBS_FOLD},
    {WITH("X: b\r\n "), REASON_MALFORMED_OBS_FOLD},
    {WITH("X: b\r\n : c"), REASON_MALFORMED_OBS_FOLD},
    {WITH("X:\r\n b"), REASON_MALFORMED_OBS_FOLD},
    {WITH(" b"), REASON_MALFORMED_OBS_FOLD},
    {WITH("Transfer-Encoding:\r\n chunked"), REASON_MALFORMED_OBS_FOLD},
    {WITH("X: \0"), REASON_MALFORMED_FIELD_VALUE},
    {WITH("X: b\0"), REASON_MALFORMED_FIELD_VALUE},
    {WITH("X: b\0c"), REASON_MALFORMED_FIELD_VALUE},
    {WITH("X: \x01"), REASON_MALFORMED_FIELD_VALUE},
    {WITH("X: b\vc"), REASON_MALFORMED_FIELD_VALUE},
    {WITH("X: b\f"), REASON_MALFORMED_FIELD_VALUE},
    {WITH("X: b\x1b[2J"), REASON_MALFORMED_FIELD_VALUE},
    {WITH("X: b\x7f"), REASON_MALFORMED_FIELD_VALUE},
    {WITH("X: more than sixteen bytes\0"), REASON_MALFORMED_FIELD_VALUE},
    {WITH("X: \v"), REASON_MALFORMED_FIELD_VALUE},
};

static const struct refusal bad_hosts[] = {
    {SLICE(LINE11 "\r\n"), REASON_MALFORMED_HOST},
    {SLICE(LINE11 "X: a\r\n\r\n"), REASON_MALFORMED_HOST},
    {SLICE("GET http://a/ HTTP/1.1\r\n\r\n"), REASON_MALFORMED_HOST},
    {SLICE("OPTIONS * HTTP/1.1\r\n\r\n"), REASON_MALFORMED_HOST},
    {WITH("Host: b"), REASON_MALFORMED_HOST},
    {WITH("Host: a"), REASON_MALFORMED_HOST},
    {WITH("hOST:"), REASON_MALFORMED_HOST},
    {WITH10("Host: a\r\nHost: b"), REASON_MALFORMED_HOST},
    {WITH10("Host: a\r\nX: b\r\nHost: a"), REASON_MALFORMED_HOST},
    {WITH10("Host:"), REASON_MALFORMED_HOST},
    {WITH10("Host: a/b"), REASON_MALFORMED_HOST},
    {HOST(""), REASON_MALFORMED_HOST},
    {HOST(" \t"), REASON_MALFORMED_HOST},
    {HOST(" a b"), REASON_MALFORMED_HOST},
    {HOST(" a\tb"), REASON_MALFORMED_HOST},
    {HOST(" a,b"), REASON_MALFORMED_HOST},
    {HOST(" a, a"), REASON_MALFORMED_HOST},
    {HOST(" a;b"), REASON_MALFORMED_HOST},
    {HOST(" a/b"), REASON_MALFORMED_HOST},
    {HOST(" a\\b"), REASON_MALFORMED_HOST},
    {HOST(" a?b"), REASON_MALFORMED_HOST},
    {HOST(" a#b"), REASON_MALFORMED_HOST},
    {HOST(" u@a"), REASON_MALFORMED_HOST},
    {HOST(" u:p@a"), REASON_MALFORMED_HOST},
    {HOST(" http://a"), REASON_MALFORMED_HOST},
    {HOST(" a%41"), REASON_MALFORMED_HOST},
    {HOST(" \xc3\xa9"), REASON_MALFORMED_HOST},
    {HOST(" \"a\""), REASON_MALFORMED_HOST},
    {HOST(" :80"), REASON_MALFORMED_HOST},
    {HOST(" a:b"), REASON_MALFORMED_HOST},
    {HOST(" a:80b"), REASON_MALFORMED_HOST},
    {HOST(" a:+80"), REASON_MALFORMED_HOST},
    {HOST(" a:-1"), REASON_MALFORMED_HOST},
    {HOST(" a:65536"), REASON_MALFORMED_HOST},
    {HOST(" a:4294967376"), REASON_MALFORMED_HOST},
    {HOST(" a:18446744073709551696"), REASON_MALFORMED_HOST},
    {HOST(" a:80:80"), REASON_MALFORMED_HOST},
    {HOST(" ::1"), REASON_MALFORMED_HOST},
    {HOST(" [::1"), REASON_MALFORMED_HOST},
    {HOST(" ::1]"), REASON_MALFORMED_HOST},
    {HOST(" []"), REASON_MALFORMED_HOST},
    {HOST(" [a]"), REASON_MALFORMED_HOST},
    {HOST(" [::1]a"), REASON_MALFORMED_HOST},
    {SLICE("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"), REASON_MALFORMED_HOST},
    {SLICE("GET http://a/ HTTP/1.0\r\nHost: b\r\n\r\n"), REASON_MALFORMED_HOST},
    {SLICE("GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n"),
	REASON_MALFORMED_HOST},
    {SLICE("GET http://a/ HTTP/1.1\r\nHost: a:443\r\n\r\n"),
	REASON_MALFORMED_HOST},
    {SLICE("GET https://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n"),
	REASON_MALFORMED_HOST},
    {SLICE("GET http://a/ HTTP/1.1\r\nHost: aa\r\n\r\n"),
	REASON_MALFORMED_HOST},
    {SLICE("GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n"), REASON_MALFORMED_HOST},
    {SLICE("OPTIONS http://a HTTP/1.1\r\nHost: b\r\n\r\n"),
	REASON_MALFORMED_HOST},
    {SLICE("CONNECT a:443 HTTP/1.1\r\n\r\n"), REASON_MALFORMED_HOST},
    {SLICE("CONNECT a:443 HTTP/1.1\r\nHost: b/\r\n\r\n"),
	REASON_MALFORMED_HOST},
};

#define LENGTH(value) WITH("Content-Length:" value)
#define CODING(value) WITH("Transfer-Encoding:" value)
static const struct refusal bad_framing[] = {
    {LENGTH(""), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" \t"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" +5"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" -5"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" -0"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 5 5"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 5, 5"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 5,"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" ,5"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 5;a=b"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 0x5"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 5a"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" a"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 5.0"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 5e1"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 1_0"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" \"5\""), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" \xc2\xb2"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 9223372036854775808"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 9999999999999999999"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 18446744073709551621"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 00000000000000000005"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 5\r\nContent-Length: 5"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 5\r\ncontent-length: 6"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 0\r\nX: b\r\nContent-Length:"), REASON_MALFORMED_CONTENT_LENGTH},
    {WITH10("Content-Length: 5, 5"), REASON_MALFORMED_CONTENT_LENGTH},
    {LENGTH(" 5\r\nTransfer-Encoding: chunked"),
	REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" chunked\r\nContent-Length: 0"),
	REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" x\r\nContent-Length: y"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" chunked\r\nTransfer-Encoding: chunked"),
	REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" gzip\r\ntransfer-encoding: chunked"),
	REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" chunked\r\nTransfer-Encoding:"),
	REASON_MALFORMED_TRANSFER_ENCODING},
    {WITH10("Transfer-Encoding: chunked"), REASON_MALFORMED_TRANSFER_ENCODING},
    {WITH10("Transfer-Encoding: x, chunked"),
	REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(""), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" ,"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" chunked,"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" ,chunked"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" gzip,,chunked"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" chunked, chunked"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" chunked, gzip"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" chunked, gzip, chunked"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" chunked, identity"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" identity"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" gzip"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" xchunked"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" chunkedx"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" chunke"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" chunked;a=b"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" chunked ;"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" chunked chunked"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" \"chunked\""), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" 'chunked'"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" x;a=\", chunked\", chunked"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" gzip;q=1, chunked"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" \xa0"
	    "chunked"),
	REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" chunked\xc2\xa0"), REASON_MALFORMED_TRANSFER_ENCODING},
    {CODING(" chunked\v"), REASON_MALFORMED_FIELD_VALUE},
    {CODING(" chunked\0"), REASON_MALFORMED_FIELD_VALUE},
    {CODING(" gzip, chunked"), REASON_TRANSFER_CODING},
    {CODING(" GZIP\t,\tChunked"), REASON_TRANSFER_CODING},
    {CODING(" x,y , chunked"), REASON_TRANSFER_CODING},
    {CODING(" identity, chunked"), REASON_TRANSFER_CODING},
};

#define CONNECTION(value) WITH("Connection:" value)
static const struct refusal bad_connections[] = {
    {CONNECTION(" Host"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" close, content-length"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" Transfer-Encoding"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" authorization, close"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(",COOKIE,"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" x\r\nConnection: cookie"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" X-HTTP-Method-Override"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" X-HTTP-Method"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" X-Method-Override"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" Content-Type"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" content-encoding"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" Destination, close"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" depth"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" Max-Forwards"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" X-Payload-HTTP-Method-Override"),
	REASON_MALFORMED_CONNECTION},
    {CONNECTION(" Forwarded"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" close,X-Forwarded-For"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" x-forwarded-proto"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" X-Forwarded-Host"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" Via"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" \"close\""), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" close; x"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" keep alive"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" close:"), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" \"a,host,b\""), REASON_MALFORMED_CONNECTION},
    {CONNECTION(" \xe9"), REASON_MALFORMED_CONNECTION},
    {WITH10("Connection: Host"), REASON_MALFORMED_CONNECTION},
    {WITH("Expect: 200-ok"), REASON_EXPECTATION_FAILED},
    {WITH("Expect:"), REASON_EXPECTATION_FAILED},
    {WITH("Expect: 100-continue, x"), REASON_EXPECTATION_FAILED},
    {WITH("Expect: 100-continue,"), REASON_EXPECTATION_FAILED},
    {WITH("Expect: 100-continue;q=1"), REASON_EXPECTATION_FAILED},
    {WITH("Expect: 100-continuex"), REASON_EXPECTATION_FAILED},
    {WITH("Expect: 100-continue\r\nExpect: x"), REASON_EXPECTATION_FAILED},
    {WITH("Expect: x\r\nExpect: 100-continue"), REASON_EXPECTATION_FAILED},
    {WITH10("Expect: x"), REASON_EXPECTATION_FAILED},
};

static void
refuse_all(read_fn *read, const struct refusal *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		refuse_head(read, &wide, &rows[i]);
}

START_TEST(only_crlf_ends_a_line)
{
	refuse_all(h1_request_read, bad_line_ends, COUNT(bad_line_ends));
}
END_TEST

START_TEST(a_request_line_is_method_target_and_version)
{
	refuse_all(
	    h1_request_read, bad_request_lines, COUNT(bad_request_lines));
}
END_TEST

START_TEST(a_target_of_no_known_form_is_refused)
{
	refuse_all(h1_request_read, bad_targets, COUNT(bad_targets));
}
END_TEST

START_TEST(a_field_line_that_could_be_read_otherwise_is_refused)
{
	refuse_all(h1_request_read, bad_fields, COUNT(bad_fields));
}
END_TEST

START_TEST(a_request_has_one_valid_host)
{
	refuse_all(h1_request_read, bad_hosts, COUNT(bad_hosts));
}
END_TEST

START_TEST(a_body_has_one_length)
{
	refuse_all(h1_request_read, bad_framing, COUNT(bad_framing));
}
END_TEST

START_TEST(connection_and_expect_ask_for_nothing_dangerous)
{
	refuse_all(h1_request_read, bad_connections, COUNT(bad_connections));
}
END_TEST

START_TEST(refusals_have_their_status)
{
	static const struct {
		enum reason why;
		int status;
	} rows[] = {
	    {REASON_MALFORMED_LINE_END, 400},
	    {REASON_MALFORMED_REQUEST_LINE, 400},
	    {REASON_MALFORMED_METHOD, 400},
	    {REASON_MALFORMED_TARGET, 400},
	    {REASON_MALFORMED_VERSION, 400},
	    {REASON_MALFORMED_FIELD_NAME, 400},
	    {REASON_MALFORMED_FIELD_VALUE, 400},
	    {REASON_MALFORMED_OBS_FOLD, 400},
	    {REASON_MALFORMED_HOST, 400},
	    {REASON_MALFORMED_CONTENT_LENGTH, 400},
	    {REASON_MALFORMED_TRANSFER_ENCODING, 400},
	    {REASON_MALFORMED_CONNECTION, 400},
	    {REASON_TARGET_TOO_LARGE, 414},
	    {REASON_HEAD_TOO_LARGE, 431},
	    {REASON_FIELDS_TOO_MANY, 431},
	    {REASON_VERSION_UNSUPPORTED, 505},
	    {REASON_EXPECTATION_FAILED, 417},
	    {REASON_TRANSFER_CODING, 501},
	    {REASON_METHOD_TOO_LONG, 501},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		ck_assert_int_eq(reason_status(rows[i].why), rows[i].status);
		ck_assert(reason_closes(rows[i].why));
	}
}
END_TEST

START_TEST(a_refused_request_keeps_what_the_log_needs)
{
	static const struct {
		struct slice bytes;
		const char *method, *target;
	} rows[] = {
	    {SLICE("G(T / HTTP/1.1\r\n"), "G", ""},
	    {SLICE("GET /a\tHTTP/1.1\r\n"), "GET", "/a"},
	    {SLICE("GET /a HTTP/2.0\r\n"), "GET", "/a"},
	    {SLICE("GET /a#b HTTP/1.1\r\n"), "GET", "/a#b"},
	    {SLICE("GET http://u@a/ HTTP/1.1\r\n"), "GET", "http://u@a/"},
	    {SLICE("OPTIONS *a HTTP/1.1\r\n"), "OPTIONS", "*a"},
	    {SLICE("GET /a HTTP/1.1\r\n\r\n"), "GET", "/a"},
	    {SLICE("GET /a HTTP/1.1\r\n :"), "GET", "/a"},
	    {SLICE("\n"), "", ""},
	};
	struct outcome o;

	for (size_t i = 0; i < COUNT(rows); i++) {
		feed(&o, h1_request_read, &wide, rows[i].bytes);
		ck_assert_int_eq(o.result, H1_BAD);
		eq(o.head.method, rows[i].method);
		eq(o.head.target, rows[i].target);
		ck_assert_int_eq(o.head.status, 0);
		done(&o);
	}
}
END_TEST

static const struct h1_limits tight = {100, 20, 3};

/* "before", `fill` bytes of 'a', "after". */
static struct slice
padded(char *to, const char *before, size_t fill, const char *after)
{
	size_t len = strlen(before);

	memcpy(to, before, len);
	memset(to + len, 'a', fill);
	strcpy(to + len + fill, after);
	return (struct slice){to, len + fill + strlen(after)};
}

static void
expect_at(const struct h1_limits *limits, struct slice bytes, enum reason why)
{
	struct outcome o;

	if (why == REASON_NONE) {
		feed(&o, h1_request_read, limits, bytes);
		ck_assert_msg(o.result == H1_DONE, "%d %s: %.*s", o.result,
		    reason_word(o.why), SLICE_ARG(bytes));
		ck_assert_uint_eq(o.used, bytes.len);
		done(&o);
	} else {
		struct refusal row = {bytes, why};

		refuse_head(h1_request_read, limits, &row);
	}
}

START_TEST(a_head_may_be_as_long_as_its_limit)
{
	static const char before[] = LINE11 "Host: a\r\nX: ",
			  after[] = "\r\n\r\n";
	size_t fill = tight.head - (sizeof(before) - 1) - (sizeof(after) - 1);
	char text[256];

	expect_at(&tight, padded(text, before, fill, after), REASON_NONE);
	expect_at(&tight, padded(text, before, fill + 1, after),
	    REASON_HEAD_TOO_LARGE);
	expect_at(&tight, padded(text, before, fill + 100, after),
	    REASON_HEAD_TOO_LARGE);
	expect_at(&tight,
	    padded(text, "\r\n" LINE11 "Host: a\r\nX: ", fill - 2, after),
	    REASON_NONE);
	expect_at(&tight,
	    padded(text, "\r\n" LINE11 "Host: a\r\nX: ", fill - 1, after),
	    REASON_HEAD_TOO_LARGE);
	expect_at(&tight, padded(text, LINE11 "Host: a\r\n", 100, ": b"),
	    REASON_HEAD_TOO_LARGE);
}
END_TEST

START_TEST(a_target_may_be_as_long_as_its_limit)
{
	static const char after[] = " HTTP/1.1\r\nHost: a\r\n\r\n";
	char text[256];

	expect_at(&tight, padded(text, "GET /", 19, after), REASON_NONE);
	expect_at(
	    &tight, padded(text, "GET /", 20, after), REASON_TARGET_TOO_LARGE);
	expect_at(
	    &tight, padded(text, "GET /", 200, ""), REASON_TARGET_TOO_LARGE);
	expect_at(&tight, padded(text, "GET http://a/", 12, after),
	    REASON_TARGET_TOO_LARGE);
	expect_at(&tight, padded(text, "GET /", 19, "\tHTTP/1.1\r\n"),
	    REASON_MALFORMED_TARGET);
}
END_TEST

START_TEST(there_may_be_as_many_fields_as_the_limit)
{
	expect_at(&tight, WITH("X: b\r\nX: c"), REASON_NONE);
	expect_at(&tight, WITH("X: b\r\nX: c\r\nY: d"), REASON_FIELDS_TOO_MANY);
	expect_at(&tight, WITH("X: b\r\nX: c\r\nY"), REASON_FIELDS_TOO_MANY);
	expect_at(
	    &tight, WITH("X: b\r\nX: c\r\n d"), REASON_MALFORMED_OBS_FOLD);
}
END_TEST

START_TEST(limits_of_nothing_let_nothing_through)
{
	struct h1_limits none = {0, 0, 0};
	struct h1_limits no_target = {100, 0, 3}, no_fields = {100, 20, 0};
	struct outcome o;

	feed(&o, h1_request_read, &no_target, WITH("X: b"));
	ck_assert_int_eq(o.result, H1_BAD);
	ck_assert_int_eq(o.why, REASON_TARGET_TOO_LARGE);
	done(&o);
	expect_at(&no_fields, WITH("X: b"), REASON_FIELDS_TOO_MANY);
	expect_at(&no_fields, SLICE(LINE10 "\r\n"), REASON_NONE);
	expect_at(&none, WITH("X: b"), REASON_HEAD_TOO_LARGE);
}
END_TEST

/* Reads before, the byte c, after; whole only. */
static enum h1_result
with_byte(const char *before, int c, const char *after, enum reason *why)
{
	struct field fields[8];
	struct head head = {.fields = fields};
	struct h1_limits limits = {8192, 4096, COUNT(fields)};
	char text[256];
	int len = snprintf(text, sizeof(text), "%s%c%s", before, c, after);
	struct guarded page = guard_bytes(text, (size_t)len);
	size_t used;
	enum h1_result result = h1_request_read(
	    (struct slice){page.at, (size_t)len}, &limits, &head, &used, why);

	guard_free(&page);
	return result;
}

START_TEST(methods_and_names_are_of_tchars)
{
	enum reason why;

	for (int c = 0; c < 256; c++) {
		bool ok = is_tchar((unsigned char)c);

		ck_assert_int_eq(
		    with_byte("G", c, "T / HTTP/1.1\r\nHost: a\r\n\r\n", &why),
		    ok ? H1_DONE : H1_BAD);
		if (c != ':') /* ends the name */
			ck_assert_int_eq(with_byte(LINE11 "Host: a\r\nX", c,
					     "y: b\r\n\r\n", &why),
			    ok ? H1_DONE : H1_BAD);
	}
}
END_TEST

START_TEST(values_are_of_text_at_every_place)
{
	char before[128] = LINE11 "Host: a\r\nX: ";
	enum reason why;

	for (size_t shift = 0; shift < 40; shift++) {
		for (int c = 0; c < 256; c++) {
			bool ok = c == '\t' || (c >= ' ' && c != 0x7f);

			ck_assert_int_eq(
			    with_byte(before, c,
				"more than sixteen further bytes\r\n\r\n",
				&why),
			    ok ? H1_DONE : H1_BAD);
			ck_assert_int_eq(ok, is_field_value((struct slice){
						 (const char[]){(char)c}, 1}));
			if (!ok)
				ck_assert_int_eq(
				    why, c == '\r' || c == '\n'
					     ? REASON_MALFORMED_LINE_END
					     : REASON_MALFORMED_FIELD_VALUE);
		}
		strcat(before, "v");
	}
}
END_TEST

START_TEST(targets_are_of_visible_ascii)
{
	enum reason why;

	for (int c = 0; c < 256; c++) {
		bool ok = c > ' ' && c < 0x7f && c != '#';

		ck_assert_msg(
		    with_byte("GET /a", c, "b HTTP/1.1\r\nHost: a\r\n\r\n",
			&why) == (ok ? H1_DONE : H1_BAD),
		    "byte %d", c);
	}
}
END_TEST

START_TEST(fields_of_other_readers_are_held_to_the_same)
{
	struct field ok = {SLICE("X-y"), SLICE("a\tb \xe9"), FIELD_OTHER};
	struct field empty = {SLICE("X"), SLICE_NONE, FIELD_OTHER};
	struct field bad[] = {
	    {SLICE(""), SLICE("a"), FIELD_OTHER},
	    {SLICE("X "), SLICE("a"), FIELD_OTHER},
	    {SLICE("X:"), SLICE("a"), FIELD_OTHER},
	    {SLICE("X\0"), SLICE("a"), FIELD_OTHER},
	    {SLICE("X"), SLICE("a\r"), FIELD_OTHER},
	    {SLICE("X"), SLICE("a\nb"), FIELD_OTHER},
	    {SLICE("X"), SLICE("a\0"), FIELD_OTHER},
	    {SLICE("X"), SLICE("\x7f"), FIELD_OTHER},
	};

	ck_assert(h1_field_valid(&ok));
	ck_assert(h1_field_valid(&empty));
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert(!h1_field_valid(&bad[i]));
}
END_TEST

START_TEST(a_request_body_is_as_long_as_its_fields_say)
{
	static const struct {
		struct slice bytes;
		enum body_kind kind;
		uint64_t length;
	} rows[] = {
	    {SLICE(LINE11 "Host: a\r\n\r\n"), BODY_NONE, 0},
	    {SLICE("POST / HTTP/1.1\r\nHost: a\r\n\r\n"), BODY_NONE, 0},
	    {WITH("Content-Length: 0"), BODY_NONE, 0},
	    {WITH("Content-Length: 000"), BODY_NONE, 0},
	    {WITH("Content-Length: 1"), BODY_LENGTH, 1},
	    {WITH("Content-Length: 010"), BODY_LENGTH, 10},
	    {WITH("content-length:\t9223372036854775807 "), BODY_LENGTH,
		INT64_MAX},
	    {WITH10("Content-Length: 7"), BODY_LENGTH, 7},
	    {WITH("Transfer-Encoding: chunked"), BODY_CHUNKED, 0},
	    {WITH("transfer-encoding:CHUNKED"), BODY_CHUNKED, 0},
	    {WITH("X-Content-Length: 5"), BODY_NONE, 0},
	};
	struct outcome o;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct body_plan plan;

		accept_head(&o, h1_request_read, rows[i].bytes);
		plan = h1_request_body(&o.head);
		ck_assert_int_eq(plan.kind, rows[i].kind);
		ck_assert_uint_eq(plan.length, rows[i].length);
		done(&o);
	}
}
END_TEST

START_TEST(a_connection_goes_on_unless_someone_says_otherwise)
{
	static const struct {
		struct slice bytes;
		bool persistent;
	} rows[] = {
	    {SLICE(LINE11 "Host: a\r\n\r\n"), true},
	    {SLICE(LINE10 "\r\n"), false},
	    {WITH("Connection: close"), false},
	    {WITH("Connection: CLOSE"), false},
	    {WITH("Connection: x, close ,"), false},
	    {WITH("Connection: keep-alive, close"), false},
	    {WITH("Connection: keep-alive\r\nX: b\r\nConnection: close"),
		false},
	    {WITH("Connection: x-close"), true},
	    {WITH("Connection: closed"), true},
	    {WITH("Proxy-Connection: close"), true},
	    {WITH10("Connection: keep-alive"), true},
	    {WITH10("Connection: Keep-Alive, x"), true},
	    {WITH10("Connection: x\r\nConnection: keep-alive"), true},
	    {WITH10("Connection: keep-alive, close"), false},
	    {WITH10("Keep-Alive: timeout=5"), false},
	    {WITH10("Proxy-Connection: keep-alive"), false},
	};
	struct outcome o;

	for (size_t i = 0; i < COUNT(rows); i++) {
		accept_head(&o, h1_request_read, rows[i].bytes);
		ck_assert_msg(h1_persistent(&o.head) == rows[i].persistent,
		    "%.*s", SLICE_ARG(rows[i].bytes));
		done(&o);
	}
}
END_TEST

/* Whoever asked may have sent the tunnel's first bytes already, and they would
 * be read as a request of the one who asked. */
START_TEST(nothing_is_read_after_a_connect)
{
	struct outcome o;

	accept_head(&o, h1_request_read,
	    SLICE("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"));
	ck_assert(!h1_persistent(&o.head));
	done(&o);
}
END_TEST

START_TEST(only_http_1_1_waits_for_100_continue)
{
	struct outcome o;

	accept_head(&o, h1_request_read, WITH("Expect: 100-Continue"));
	ck_assert(h1_expects_continue(&o.head));
	done(&o);
	accept_head(&o, h1_request_read, WITH10("Expect: 100-continue"));
	ck_assert(!h1_expects_continue(&o.head));
	done(&o);
	accept_head(&o, h1_request_read, WITH("X-Expect: 100-continue"));
	ck_assert(!h1_expects_continue(&o.head));
	done(&o);
}
END_TEST

#define STATUS200 "HTTP/1.1 200 OK\r\n"

START_TEST(responses_are_taken_apart)
{
	static const struct {
		struct slice bytes;
		int status;
		const char *phrase;
		unsigned minor, fields;
	} rows[] = {
	    {SLICE("HTTP/1.1 200 OK\r\n\r\n"), 200, "OK", 1, 0},
	    {SLICE("HTTP/1.0 404 Not  Found\t\r\nA: b\r\n\r\n"), 404,
		"Not  Found\t", 0, 1},
	    {SLICE("HTTP/1.1 100 \r\n\r\n"), 100, "", 1, 0},
	    {SLICE("HTTP/1.1 599\r\nA:\r\nB:c\r\n\r\n"), 599, "", 1, 2},
	    {SLICE("HTTP/1.1 500  \xe9\r\n\r\n"), 500, " \xe9", 1, 0},
	    {SLICE("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), 103,
		"Early Hints", 1, 1},
	};
	struct outcome o;

	for (size_t i = 0; i < COUNT(rows); i++) {
		accept_head(&o, h1_response_read, rows[i].bytes);
		ck_assert_int_eq(o.head.status, rows[i].status);
		eq(o.head.phrase, rows[i].phrase);
		ck_assert_uint_eq(o.head.minor, rows[i].minor);
		ck_assert_uint_eq(o.head.field_count, rows[i].fields);
		ck_assert_uint_eq(o.head.method.len, 0);
		done(&o);
	}
}
END_TEST

START_TEST(malformed_responses_are_refused)
{
	static const struct slice rows[] = {
	    SLICE("\r\n" STATUS200),
	    SLICE(" " STATUS200),
	    SLICE("GET / HTTP/1.1\r\n"),
	    SLICE("ICY 200 OK\r\n"),
	    SLICE("http/1.1 200 OK\r\n"),
	    SLICE("HTTP/2.0 200 OK\r\n"),
	    SLICE("HTTP/1.2 200 OK\r\n"),
	    SLICE("HTTP/0.9 200 OK\r\n"),
	    SLICE("HTTP/2 200\r\n"),
	    SLICE("HTTP/1.1\r\n"),
	    SLICE("HTTP/1.1 \r\n"),
	    SLICE("HTTP/1.1  200 OK\r\n"),
	    SLICE("HTTP/1.1\t200 OK\r\n"),
	    SLICE("HTTP/1.1 20 OK\r\n"),
	    SLICE("HTTP/1.1 20\r\n"),
	    SLICE("HTTP/1.1 2000 OK\r\n"),
	    SLICE("HTTP/1.1 200OK\r\n"),
	    SLICE("HTTP/1.1 200\tOK\r\n"),
	    SLICE("HTTP/1.1 +20 OK\r\n"),
	    SLICE("HTTP/1.1 -20 OK\r\n"),
	    SLICE("HTTP/1.1 0x2 OK\r\n"),
	    SLICE("HTTP/1.1 099 OK\r\n"),
	    SLICE("HTTP/1.1 000 OK\r\n"),
	    SLICE("HTTP/1.1 600 OK\r\n"),
	    SLICE("HTTP/1.1 999 OK\r\n"),
	    SLICE("HTTP/1.1 200 OK\n"),
	    SLICE("HTTP/1.1 200\n"),
	    SLICE("HTTP/1.1 200 O\rK\r\n"),
	    SLICE("HTTP/1.1 200 O\0K\r\n"),
	    SLICE("HTTP/1.1 200 O\x7fK\r\n"),
	    SLICE(STATUS200 " A: b\r\n\r\n"),
	    SLICE(STATUS200 "A : b\r\n\r\n"),
	    SLICE(STATUS200 "A: b\r\n c\r\n\r\n"),
	    SLICE(STATUS200 "A: b\n\r\n"),
	    SLICE(STATUS200 "A: b\rc\r\n\r\n"),
	    SLICE(STATUS200 "A: b\0\r\n\r\n"),
	    SLICE(STATUS200 "A\r\n\r\n"),
	    SLICE(STATUS200 "\n"),
	    SLICE(STATUS200 "\rA: b\r\n\r\n"),
	    SLICE(STATUS200 "Connection: content-length\r\n\r\n"),
	    SLICE(STATUS200 "Connection: \"close\"\r\n\r\n"),
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct refusal row = {rows[i], REASON_UPSTREAM_MALFORMED};

		refuse_head(h1_response_read, &wide, &row);
	}
}
END_TEST

START_TEST(responses_have_limits_too)
{
	static const char before[] = STATUS200 "A: ", after[] = "\r\n\r\n";
	size_t fill = tight.head - (sizeof(before) - 1) - (sizeof(after) - 1);
	char text[256];
	struct refusal row = {.why = REASON_UPSTREAM_HEAD_TOO_LARGE};
	struct outcome o;

	feed(&o, h1_response_read, &tight, padded(text, before, fill, after));
	ck_assert_int_eq(o.result, H1_DONE);
	ck_assert_uint_eq(o.used, tight.head);
	done(&o);
	row.bytes = padded(text, before, fill + 1, after);
	refuse_head(h1_response_read, &tight, &row);
	row.bytes = padded(text, "HTTP/1.1 200 ", 120, "");
	refuse_head(h1_response_read, &tight, &row);
	row.bytes = SLICE(STATUS200 "A: b\r\nA: b\r\nA: b\r\nA: b\r\n\r\n");
	refuse_head(h1_response_read, &tight, &row);
}
END_TEST

START_TEST(a_response_body_is_as_long_as_rfc_9112_says)
{
	static const struct {
		const char *line, *method, *fields;
		enum body_kind kind;
		uint64_t length;
	} rows[] = {
	    {"1.1 200", "GET", "", BODY_CLOSE, 0},
	    {"1.0 200", "GET", "", BODY_CLOSE, 0},
	    {"1.1 200", "GET", "Content-Length: 0\r\n", BODY_NONE, 0},
	    {"1.1 200", "GET", "Content-Length: 5\r\n", BODY_LENGTH, 5},
	    {"1.0 404", "PUT", "Content-Length: 5\r\n", BODY_LENGTH, 5},
	    {"1.1 200", "GET", "Transfer-Encoding: Chunked\r\n", BODY_CHUNKED,
		0},
	    {"1.1 200", "HEAD", "", BODY_NONE, 0},
	    {"1.1 200", "HEAD", "Content-Length: 5\r\n", BODY_NONE, 0},
	    {"1.1 200", "HEAD", "Transfer-Encoding: chunked\r\n", BODY_NONE, 0},
	    {"1.1 200", "head", "Content-Length: 5\r\n", BODY_LENGTH, 5},
	    {"1.1 100", "GET", "", BODY_NONE, 0},
	    {"1.1 101", "GET", "", BODY_NONE, 0},
	    {"1.1 199", "GET", "Content-Length: 5\r\n", BODY_NONE, 0},
	    {"1.1 204", "GET", "", BODY_NONE, 0},
	    {"1.1 204", "GET", "Content-Length: 5\r\n", BODY_NONE, 0},
	    {"1.1 304", "GET", "Content-Length: 5\r\n", BODY_NONE, 0},
	    {"1.1 304", "GET", "Transfer-Encoding: chunked\r\n", BODY_NONE, 0},
	    {"1.1 205", "GET", "Content-Length: 0\r\n", BODY_NONE, 0},
	    {"1.1 303", "POST", "", BODY_CLOSE, 0},
	};
	char text[256];
	struct outcome o;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct body_plan plan = {BODY_CLOSE, 77};
		int len = snprintf(text, sizeof(text), "HTTP/%s X\r\n%s\r\n",
		    rows[i].line, rows[i].fields);

		accept_head(
		    &o, h1_response_read, (struct slice){text, (size_t)len});
		ck_assert_int_eq(
		    h1_response_body(&o.head, slice_of(rows[i].method), &plan),
		    REASON_NONE);
		ck_assert_msg(
		    plan.kind == rows[i].kind && plan.length == rows[i].length,
		    "%s %s", rows[i].method, text);
		done(&o);
	}
}
END_TEST

START_TEST(a_response_of_two_lengths_is_refused)
{
	static const struct slice rows[] = {
	    SLICE(STATUS200 "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
	    SLICE(STATUS200 "Content-Length: 5, 5\r\n\r\n"),
	    SLICE(STATUS200 "Content-Length: +5\r\n\r\n"),
	    SLICE(STATUS200 "Content-Length:\r\n\r\n"),
	    SLICE(STATUS200 "Content-Length: 9223372036854775808\r\n\r\n"),
	    SLICE(STATUS200 "Content-Length: 5\r\n"
			    "Transfer-Encoding: chunked\r\n\r\n"),
	    SLICE(STATUS200 "Transfer-Encoding: chunked\r\n"
			    "Transfer-Encoding: chunked\r\n\r\n"),
	    SLICE(STATUS200 "Transfer-Encoding: gzip, chunked\r\n\r\n"),
	    SLICE(STATUS200 "Transfer-Encoding: gzip\r\n\r\n"),
	    SLICE(STATUS200 "Transfer-Encoding: identity\r\n\r\n"),
	    SLICE(STATUS200 "Transfer-Encoding:\r\n\r\n"),
	    SLICE("HTTP/1.0 200\r\nTransfer-Encoding: chunked\r\n\r\n"),
	    SLICE("HTTP/1.1 204\r\nContent-Length: 5, 6\r\n\r\n"),
	};
	struct body_plan plan;
	struct outcome o;

	for (size_t i = 0; i < COUNT(rows); i++) {
		accept_head(&o, h1_response_read, rows[i]);
		ck_assert_msg(h1_response_body(&o.head, SLICE("GET"), &plan) ==
				  REASON_UPSTREAM_MALFORMED,
		    "%.*s", SLICE_ARG(rows[i]));
		ck_assert_int_eq(
		    h1_response_body(&o.head, SLICE("HEAD"), &plan),
		    REASON_UPSTREAM_MALFORMED);
		done(&o);
	}
}
END_TEST

/* A reader of another kind may hold an empty value nowhere at all. */
START_TEST(an_empty_coding_without_an_address_is_refused)
{
	struct field field = {
	    SLICE("Transfer-Encoding"), SLICE_NONE, FIELD_TRANSFER_ENCODING};
	struct head head = {
	    .status = 200, .minor = 1, .fields = &field, .field_count = 1};
	struct body_plan plan;

	ck_assert_int_eq(h1_response_body(&head, SLICE("GET"), &plan),
	    REASON_UPSTREAM_MALFORMED);
}
END_TEST

static void
same_fields(const struct head *a, const struct head *b)
{
	ck_assert_uint_eq(a->field_count, b->field_count);
	for (unsigned i = 0; i < a->field_count; i++) {
		ck_assert(slice_eq(a->fields[i].name, b->fields[i].name));
		ck_assert(slice_eq(a->fields[i].value, b->fields[i].value));
		ck_assert_int_eq(a->fields[i].id, b->fields[i].id);
	}
}

/* Written into exactly h1_head_size bytes before an untouchable page, and read
 * again. */
static void
write_and_read(read_fn *read, const struct outcome *o, struct outcome *again)
{
	size_t size = h1_head_size(&o->head), len;
	char *none = calloc(1, size);
	struct guarded page = guard_bytes(none, size);

	len = h1_head_write(&o->head, page.at);
	ck_assert_uint_le(len, size);
	accept_head(again, read, (struct slice){page.at, len});
	same_fields(&o->head, &again->head);
	guard_free(&page);
	free(none);
}

START_TEST(a_written_request_reads_the_same)
{
	struct outcome o, again;

	for (size_t i = 0; i < COUNT(accepts); i++) {
		accept_head(&o, h1_request_read, accepts[i].bytes);
		if (head_field(&o.head, FIELD_HOST) != NULL) {
			write_and_read(h1_request_read, &o, &again);
			ck_assert(slice_eq(o.head.method, again.head.method));
			ck_assert(slice_eq(o.head.target, again.head.target));
			ck_assert(slice_eq(o.head.path, again.head.path));
			ck_assert(slice_eq(o.head.query, again.head.query));
			done(&again);
		}
		done(&o);
	}
}
END_TEST

START_TEST(a_written_response_reads_the_same)
{
	static const struct slice rows[] = {
	    SLICE("HTTP/1.1 200 OK\r\nA: b\r\nC:\r\nDate: x\t y\r\n\r\n"),
	    SLICE("HTTP/1.0 599\r\n\r\n"),
	    SLICE("HTTP/1.1 100 \xe9 x \r\n\r\n"),
	};
	struct outcome o, again;

	for (size_t i = 0; i < COUNT(rows); i++) {
		accept_head(&o, h1_response_read, rows[i]);
		write_and_read(h1_response_read, &o, &again);
		ck_assert_int_eq(o.head.status, again.head.status);
		ck_assert(slice_eq(o.head.phrase, again.head.phrase));
		done(&again);
		done(&o);
	}
}
END_TEST

START_TEST(heads_are_written_byte_for_byte)
{
	struct field fields[] = {
	    {SLICE("Host"), SLICE("a"), FIELD_HOST},
	    {SLICE("X-y"), SLICE_NONE, FIELD_OTHER},
	};
	struct head request = {.method = SLICE("get"),
	    .target = SLICE("/a?b"),
	    .fields = fields,
	    .field_count = 2};
	struct head response = {
	    .status = 405, .phrase = SLICE("No"), .minor = 0};
	char out[256];
	size_t len = h1_head_write(&request, out);

	ck_assert(slice_eq((struct slice){out, len},
	    SLICE("get /a?b HTTP/1.1\r\nHost: a\r\nX-y: \r\n\r\n")));
	len = h1_head_write(&response, out);
	ck_assert(slice_eq(
	    (struct slice){out, len}, SLICE("HTTP/1.1 405 No\r\n\r\n")));
}
END_TEST

static const struct {
	struct slice method, target, value;
} unwritable[] = {
    {SLICE(""), SLICE("/"), SLICE("a")},
    {SLICE("GE T"), SLICE("/"), SLICE("a")},
    {SLICE("GET\r"), SLICE("/"), SLICE("a")},
    {SLICE("GET"), SLICE("/\r\nX: b"), SLICE("a")},
    {SLICE("GET"), SLICE("/\n"), SLICE("a")},
    {SLICE("GET"), SLICE("/"), SLICE("a\r\nX: b")},
    {SLICE("GET"), SLICE("/"), SLICE("a\n")},
    {SLICE("GET"), SLICE("/"), SLICE("a\r")},
    {SLICE("GET"), SLICE("/"), SLICE("\0")},
    {SLICE("GET"), SLICE("/"), SLICE("after \x01 and sixteen bytes\n")},
};

START_TEST(what_would_split_a_request_is_never_written)
{
	struct field field = {SLICE("X"), unwritable[_i].value, FIELD_OTHER};
	struct head head = {.method = unwritable[_i].method,
	    .target = unwritable[_i].target,
	    .fields = &field,
	    .field_count = 1};
	char out[256];

	h1_head_write(&head, out);
}
END_TEST

/* Wherever in a long head it stands. */
START_TEST(a_line_end_is_found_at_every_place)
{
	char value[300], out[512];
	struct field field = {SLICE("X"), {value, sizeof(value)}, FIELD_OTHER};
	struct head head = {.method = SLICE("GET"),
	    .target = SLICE("/"),
	    .fields = &field,
	    .field_count = 1};

	memset(value, 'v', sizeof(value));
	value[_i] = _i % 3 == 0 ? '\r' : _i % 3 == 1 ? '\n' : '\0';
	h1_head_write(&head, out);
}
END_TEST

START_TEST(what_would_split_a_response_is_never_written)
{
	struct head head = {.status = 200, .phrase = SLICE("OK\r\nX: b")};
	char out[256];

	h1_head_write(&head, out);
}
END_TEST

static TCase *
readers(void)
{
	TCase *tcase = tcase_create("read");

	tcase_add_loop_test(tcase, every_form_of_request_is_taken_apart, 0,
	    (int)COUNT(accepts));
	tcase_add_test(
	    tcase, an_options_target_without_a_path_asks_for_the_whole_server);
	tcase_add_test(
	    tcase, values_keep_their_bytes_but_not_the_space_around_them);
	tcase_add_test(tcase, fields_get_their_ids_in_any_case);
	tcase_add_test(tcase, odd_but_unambiguous_fields_are_taken);
	tcase_add_test(tcase, what_follows_a_head_is_not_touched);
	tcase_add_test(tcase, only_crlf_ends_a_line);
	tcase_add_test(tcase, a_request_line_is_method_target_and_version);
	tcase_add_test(tcase, a_target_of_no_known_form_is_refused);
	tcase_add_test(
	    tcase, a_field_line_that_could_be_read_otherwise_is_refused);
	tcase_add_test(tcase, a_request_has_one_valid_host);
	tcase_add_test(tcase, a_body_has_one_length);
	tcase_add_test(tcase, connection_and_expect_ask_for_nothing_dangerous);
	tcase_add_test(tcase, refusals_have_their_status);
	tcase_add_test(tcase, a_refused_request_keeps_what_the_log_needs);
	tcase_add_test(tcase, a_head_may_be_as_long_as_its_limit);
	tcase_add_test(tcase, a_target_may_be_as_long_as_its_limit);
	tcase_add_test(tcase, there_may_be_as_many_fields_as_the_limit);
	tcase_add_test(tcase, limits_of_nothing_let_nothing_through);
	tcase_add_test(tcase, methods_and_names_are_of_tchars);
	tcase_add_test(tcase, values_are_of_text_at_every_place);
	tcase_add_test(tcase, targets_are_of_visible_ascii);
	tcase_add_test(tcase, fields_of_other_readers_are_held_to_the_same);
	tcase_add_test(tcase, responses_are_taken_apart);
	tcase_add_test(tcase, malformed_responses_are_refused);
	tcase_add_test(tcase, responses_have_limits_too);
	return tcase;
}

static TCase *
answers(void)
{
	TCase *tcase = tcase_create("ask and write");

	tcase_add_test(tcase, a_request_body_is_as_long_as_its_fields_say);
	tcase_add_test(
	    tcase, a_connection_goes_on_unless_someone_says_otherwise);
	tcase_add_test(tcase, nothing_is_read_after_a_connect);
	tcase_add_test(tcase, only_http_1_1_waits_for_100_continue);
	tcase_add_test(tcase, a_response_body_is_as_long_as_rfc_9112_says);
	tcase_add_test(tcase, a_response_of_two_lengths_is_refused);
	tcase_add_test(tcase, an_empty_coding_without_an_address_is_refused);
	tcase_add_test(tcase, a_written_request_reads_the_same);
	tcase_add_test(tcase, a_written_response_reads_the_same);
	tcase_add_test(tcase, heads_are_written_byte_for_byte);
	tcase_add_loop_test_raise_signal(tcase,
	    what_would_split_a_request_is_never_written, SIGABRT, 0,
	    (int)COUNT(unwritable));
	tcase_add_test_raise_signal(
	    tcase, what_would_split_a_response_is_never_written, SIGABRT);
	tcase_add_loop_test_raise_signal(
	    tcase, a_line_end_is_found_at_every_place, SIGABRT, 230, 300);
	return tcase;
}

int
main(void)
{
	Suite *suite = suite_create("h1_head");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, readers());
	suite_add_tcase(suite, answers());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
