/* SPDX-License-Identifier: ISC */
/* h1_body: every body here is read whole, and in pieces of every size from one
 * byte on, each piece flush against a page that can't be touched; the bytes,
 * the result and what is left over must be the same. */
#include <check.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "h1_body.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct body_plan chunked = {BODY_CHUNKED, 0};

struct outcome {
	enum h1_body_result result; /* MORE, END or BAD */
	enum reason why;	    /* of BAD */
	size_t used;		    /* bytes taken */
	size_t len;		    /* bytes of the body */
	char *body;
	struct h1_body state;
};

/* Reads the piece until it is used up or the body is over. Of what comes out
 * at once, more than `take` bytes are given back. */
static enum h1_body_result
read_piece(struct outcome *o, struct slice in, size_t take)
{
	const char *start = in.at;
	enum h1_body_result result;
	struct slice data;

	while ((result = h1_body_read(&o->state, &in, &data, &o->why)) ==
	       H1_BODY_DATA) {
		/* ck_assert costs too much for each byte. */
		if (data.len == 0 || data.at + data.len != in.at)
			ck_abort_msg("a piece is not what was taken");
		if (data.len > take) {
			size_t back = data.len - take;

			h1_body_unread(&o->state, back);
			data.len -= back;
			in.at -= back;
			in.len += back;
		}
		memcpy(o->body + o->len, data.at, data.len);
		o->len += data.len;
		if (o->state.total != o->len)
			ck_abort_msg("the total is wrong");
	}
	if (result == H1_BODY_MORE && in.len > 0)
		ck_abort_msg("bytes are left, but more are wanted");
	o->used += (size_t)(in.at - start);
	return result;
}

static void
feed(struct outcome *o, struct body_plan plan, struct slice bytes, size_t size,
    size_t take)
{
	struct slice nothing = SLICE_NONE, data;
	size_t room = bytes.len < size ? bytes.len : size;
	struct guarded page = guard_bytes(bytes.at, room);

	*o = (struct outcome){.why = REASON_NONE};
	o->body = malloc(bytes.len + 1);
	h1_body_init(&o->state, plan);
	o->result = h1_body_read(&o->state, &nothing, &data, &o->why);
	for (size_t at = 0; at < bytes.len && o->result == H1_BODY_MORE;) {
		size_t len = bytes.len - at < room ? bytes.len - at : room;
		struct slice piece = {page.at + room - len, len};

		memcpy(page.at + room - len, bytes.at + at, len);
		o->result = read_piece(o, piece, take);
		at += len;
	}
	guard_free(&page);
	/* It stays at that. */
	ck_assert_int_eq(
	    h1_body_read(&o->state, &nothing, &data, &o->why), o->result);
}

static void
same(const struct outcome *a, const struct outcome *b, struct slice bytes,
    size_t size, size_t take)
{
	ck_assert_msg(a->result == b->result && a->why == b->why &&
			  a->used == b->used && a->len == b->len &&
			  memcmp(a->body, b->body, a->len) == 0 &&
			  a->state.total == b->state.total,
	    "by %zu, taking %zu: %.*s", size, take, SLICE_ARG(bytes));
	ck_assert_int_eq(h1_body_complete_at_close(&a->state),
	    h1_body_complete_at_close(&b->state));
}

/* The whole decode, to be freed; all other ways to read must agree with it. */
static void
decode(struct outcome *whole, struct body_plan plan, struct slice bytes)
{
	static const size_t takes[] = {1, 2, 3, SIZE_MAX};
	struct outcome o;
	size_t step = bytes.len > 256 ? 39 : 1;

	feed(whole, plan, bytes, SIZE_MAX, SIZE_MAX);
	for (size_t size = 1; size <= bytes.len && size <= 40; size += step) {
		for (size_t i = 0; i < COUNT(takes); i++) {
			feed(&o, plan, bytes, size, takes[i]);
			same(&o, whole, bytes, size, takes[i]);
			free(o.body);
		}
	}
}

static void
expect_body(const struct outcome *o, struct slice body, struct slice bytes)
{
	ck_assert_msg(slice_eq((struct slice){o->body, o->len}, body),
	    "'%.*s' of: %.*s", (int)o->len, o->body, SLICE_ARG(bytes));
}

#define LAST "0\r\n\r\n"

START_TEST(chunks_are_put_together)
{
	static const struct {
		struct slice bytes, body;
	} rows[] = {
	    {SLICE(LAST), SLICE("")},
	    {SLICE("0000000000000000\r\n\r\n"), SLICE("")},
	    {SLICE("1\r\na\r\n" LAST), SLICE("a")},
	    {SLICE("3\r\nabc\r\n2\r\nde\r\n" LAST), SLICE("abcde")},
	    {SLICE("A\r\n0123456789\r\n" LAST), SLICE("0123456789")},
	    {SLICE("a\r\n0123456789\r\n" LAST), SLICE("0123456789")},
	    {SLICE("0F\r\n0123456789abcde\r\n" LAST), SLICE("0123456789abcde")},
	    {SLICE("0000000000000002\r\nab\r\n" LAST), SLICE("ab")},
	    {SLICE("6\r\n\r\n0\r\n\r\r\n" LAST), SLICE("\r\n0\r\n\r")},
	    {SLICE("2\r\n\0\xff\r\n" LAST), SLICE("\0\xff")},
	    {SLICE("1;\r\na\r\n" LAST), SLICE("a")},
	    {SLICE("1;x\r\na\r\n0;y=z\r\n\r\n"), SLICE("a")},
	    {SLICE("1; x = \"y;z\" \t\xe9;w\r\na\r\n" LAST), SLICE("a")},
	    {SLICE("1\r\na\r\n0\r\nX: y\r\n\r\n"), SLICE("a")},
	    {SLICE("0\r\nX:\r\n!#$%&'*+-.^_`|~9: \t\xe9 :\r\n\r\n"), SLICE("")},
	    {SLICE("0\r\nContent-Length: 5\r\n\r\n"), SLICE("")},
	};
	struct outcome o;

	for (size_t i = 0; i < COUNT(rows); i++) {
		decode(&o, chunked, rows[i].bytes);
		ck_assert_msg(o.result == H1_BODY_END, "%d: %.*s", o.result,
		    SLICE_ARG(rows[i].bytes));
		ck_assert_uint_eq(o.used, rows[i].bytes.len);
		expect_body(&o, rows[i].body, rows[i].bytes);
		ck_assert(h1_body_complete_at_close(&o.state));
		free(o.body);
	}
}
END_TEST

START_TEST(the_next_message_is_left_alone)
{
	static const struct slice rows[] = {
	    SLICE("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n"),
	    SLICE("1\r\na\r\n0\r\n\r\n\r\n"),
	    SLICE("1\r\na\r\n0\r\n\r\n0\r\n\r\n"),
	};
	struct outcome o;

	for (size_t i = 0; i < COUNT(rows); i++) {
		decode(&o, chunked, rows[i]);
		ck_assert_int_eq(o.result, H1_BODY_END);
		ck_assert_uint_eq(o.used, sizeof("1\r\na\r\n" LAST) - 1);
		expect_body(&o, SLICE("a"), rows[i]);
		free(o.body);
	}
}
END_TEST

START_TEST(a_body_without_its_end_goes_on)
{
	static const struct slice all =
	    SLICE("3;x\r\nabc\r\n0;y\r\nA: b\r\nC:\r\n\r\n");
	struct outcome o;

	for (size_t len = 0; len < all.len; len++) {
		decode(&o, chunked, (struct slice){all.at, len});
		ck_assert_msg(o.result == H1_BODY_MORE, "%zu", len);
		ck_assert_uint_eq(o.used, len);
		ck_assert(!h1_body_complete_at_close(&o.state));
		free(o.body);
	}
}
END_TEST

/* What is refused, at its last byte: everything before may still go on. */
static const struct refusal {
	struct slice bytes;
	enum reason why;
} refuses[] = {
    {SLICE("\r"), REASON_MALFORMED_CHUNK},
    {SLICE("\n"), REASON_MALFORMED_CHUNK},
    {SLICE(" "), REASON_MALFORMED_CHUNK},
    {SLICE("\t"), REASON_MALFORMED_CHUNK},
    {SLICE("+"), REASON_MALFORMED_CHUNK},
    {SLICE("-"), REASON_MALFORMED_CHUNK},
    {SLICE(";"), REASON_MALFORMED_CHUNK},
    {SLICE("g"), REASON_MALFORMED_CHUNK},
    {SLICE("G"), REASON_MALFORMED_CHUNK},
    {SLICE("/"), REASON_MALFORMED_CHUNK},
    {SLICE(":"), REASON_MALFORMED_CHUNK},
    {SLICE("@"), REASON_MALFORMED_CHUNK},
    {SLICE("`"), REASON_MALFORMED_CHUNK},
    {SLICE("\x10"), REASON_MALFORMED_CHUNK},
    {SLICE("\0"), REASON_MALFORMED_CHUNK},
    {SLICE("\xb1"), REASON_MALFORMED_CHUNK},
    {SLICE("0x"), REASON_MALFORMED_CHUNK},
    {SLICE("0X"), REASON_MALFORMED_CHUNK},
    {SLICE("5 "), REASON_MALFORMED_CHUNK},
    {SLICE("5\t"), REASON_MALFORMED_CHUNK},
    {SLICE("5\n"), REASON_MALFORMED_CHUNK},
    {SLICE("5\0"), REASON_MALFORMED_CHUNK},
    {SLICE("5,"), REASON_MALFORMED_CHUNK},
    {SLICE("5."), REASON_MALFORMED_CHUNK},
    {SLICE("5_"), REASON_MALFORMED_CHUNK},
    {SLICE("5h"), REASON_MALFORMED_CHUNK},
    {SLICE("5\""), REASON_MALFORMED_CHUNK},
    {SLICE("00000000000000000"), REASON_MALFORMED_CHUNK},
    {SLICE("8000000000000000"), REASON_MALFORMED_CHUNK},
    {SLICE("ffffffffffffffff"), REASON_MALFORMED_CHUNK},
    {SLICE("10000000000000005"), REASON_MALFORMED_CHUNK},
    {SLICE("5\r\r"), REASON_MALFORMED_CHUNK},
    {SLICE("5\ra"), REASON_MALFORMED_CHUNK},
    {SLICE("5;\n"), REASON_MALFORMED_CHUNK},
    {SLICE("5;a\n"), REASON_MALFORMED_CHUNK},
    {SLICE("5;a\r\r"), REASON_MALFORMED_CHUNK},
    {SLICE("5;a\rb"), REASON_MALFORMED_CHUNK},
    {SLICE("5;a=\"\n"), REASON_MALFORMED_CHUNK},
    {SLICE("5;a=\"\rb"), REASON_MALFORMED_CHUNK},
    {SLICE("5;\0"), REASON_MALFORMED_CHUNK},
    {SLICE("5;\x7f"), REASON_MALFORMED_CHUNK},
    {SLICE("5;a\v"), REASON_MALFORMED_CHUNK},
    {SLICE("1\r\nab"), REASON_MALFORMED_CHUNK},
    {SLICE("1\r\na\n"), REASON_MALFORMED_CHUNK},
    {SLICE("1\r\na0"), REASON_MALFORMED_CHUNK},
    {SLICE("1\r\na\r\r"), REASON_MALFORMED_CHUNK},
    {SLICE("1\r\na\r0"), REASON_MALFORMED_CHUNK},
    {SLICE("1\r\na\r\n\r"), REASON_MALFORMED_CHUNK},
    {SLICE("1\r\na\r\n\n"), REASON_MALFORMED_CHUNK},
    {SLICE("1\r\na\r\n "), REASON_MALFORMED_CHUNK},
    {SLICE("1\r\na\r\n-"), REASON_MALFORMED_CHUNK},
    {SLICE("2\r\na\r\n"), REASON_MALFORMED_CHUNK},
    {SLICE("0\n"), REASON_MALFORMED_CHUNK},
    {SLICE("0\r0"), REASON_MALFORMED_CHUNK},
    {SLICE("0\r\n\n"), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\n\rG"), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\n\r\r"), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\n "), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\n\t"), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\n:"), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\nA\r"), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\nA\n"), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\nA "), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\nA\0"), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\nA\x80"), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\nGET "), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\nA: b\n"), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\nA: b\rc"), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\nA: b\r\r"), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\nA: b\0"), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\nA: b\x7f"), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\nA: b\r\n "), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\nA: b\r\n\n"), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\nA: b\r\n:"), REASON_MALFORMED_TRAILER},
    {SLICE("0\r\nA: b\r\n\rc"), REASON_MALFORMED_TRAILER},
};

static void
refuse(struct slice bytes, enum reason why)
{
	struct slice before = {bytes.at, bytes.len - 1};
	struct outcome o;

	decode(&o, chunked, before);
	ck_assert_msg(o.result == H1_BODY_MORE, "before the last of: %.*s",
	    SLICE_ARG(bytes));
	free(o.body);
	decode(&o, chunked, bytes);
	ck_assert_msg(o.result == H1_BODY_BAD && o.why == why, "%d %s: %.*s",
	    o.result, reason_word(o.why), SLICE_ARG(bytes));
	ck_assert_uint_eq(o.used, bytes.len);
	ck_assert(!h1_body_complete_at_close(&o.state));
	free(o.body);
}

START_TEST(what_could_be_read_otherwise_is_refused)
{
	for (size_t i = 0; i < COUNT(refuses); i++)
		refuse(refuses[i].bytes, refuses[i].why);
}
END_TEST

/* Nothing makes it go on; the good body here would be smuggled. */
START_TEST(a_bad_body_stays_bad)
{
	static const struct slice good = SLICE("1\r\na\r\n" LAST);
	struct outcome o;

	for (size_t i = 0; i < COUNT(refuses); i++) {
		struct slice in = good, data = SLICE_NONE;
		enum reason why = REASON_NONE;

		feed(&o, chunked, refuses[i].bytes, SIZE_MAX, SIZE_MAX);
		ck_assert_int_eq(
		    h1_body_read(&o.state, &in, &data, &why), H1_BODY_BAD);
		ck_assert_int_eq(why, refuses[i].why);
		ck_assert_uint_eq(in.len, good.len);
		free(o.body);
	}
}
END_TEST

/* "before", `fill` bytes of 'x', "after"; to be freed. */
static struct slice
padded(const char *before, size_t fill, const char *after)
{
	size_t head = strlen(before), tail = strlen(after);
	char *at = malloc(head + fill + tail);

	memcpy(at, before, head);
	memset(at + head, 'x', fill);
	memcpy(at + head + fill, after, tail);
	return (struct slice){at, head + fill + tail};
}

static void
expect_padded(const char *before, size_t fill, const char *after,
    enum h1_body_result result, enum reason why)
{
	struct slice bytes = padded(before, fill, after);
	struct outcome o;

	decode(&o, chunked, bytes);
	ck_assert_msg(o.result == result, "%zu between %s and %s: %d", fill,
	    before, after, o.result);
	ck_assert_int_eq(o.why, why);
	free(o.body);
	free((char *)bytes.at);
}

START_TEST(an_extension_may_be_as_long_as_its_limit)
{
	static const char rest[] = "\r\na\r\n" LAST;

	expect_padded(
	    "1;", H1_CHUNK_EXT_MAX - 1, rest, H1_BODY_END, REASON_NONE);
	expect_padded(
	    "1;", H1_CHUNK_EXT_MAX, rest, H1_BODY_BAD, REASON_MALFORMED_CHUNK);
	expect_padded("0000000000000001;", H1_CHUNK_EXT_MAX - 1, rest,
	    H1_BODY_END, REASON_NONE);
	expect_padded("0;", H1_CHUNK_EXT_MAX, "\r\n\r\n", H1_BODY_BAD,
	    REASON_MALFORMED_CHUNK);
	/* Each chunk has its own. */
	expect_padded("1;xxxx\r\na\r\n1;", H1_CHUNK_EXT_MAX - 1, rest,
	    H1_BODY_END, REASON_NONE);
}
END_TEST

START_TEST(a_trailer_section_may_be_as_long_as_its_limit)
{
	size_t fill = H1_TRAILERS_MAX - strlen("A: \r\n\r\n");
	enum reason bad = REASON_MALFORMED_TRAILER;

	expect_padded("0\r\nA: ", fill, "\r\n\r\n", H1_BODY_END, REASON_NONE);
	expect_padded("0\r\nA: ", fill + 1, "\r\n\r\n", H1_BODY_BAD, bad);
	expect_padded("0\r\nA: ", fill + 2, "\r\n\r\n", H1_BODY_BAD, bad);
	expect_padded("0\r\nA: ", fill + 3, "\r\n\r\n", H1_BODY_BAD, bad);
	expect_padded("0\r\nA: ", fill + 4, "\r\n\r\n", H1_BODY_BAD, bad);
	expect_padded("0\r\nA: ", fill + 5, "\r\n\r\n", H1_BODY_BAD, bad);
	expect_padded(
	    "0\r\nA: b\r\nB:", fill - 5, "\r\n\r\n", H1_BODY_END, REASON_NONE);
	expect_padded(
	    "0\r\nA: b\r\nB:", fill - 4, "\r\n\r\n", H1_BODY_BAD, bad);
	expect_padded("0\r\n", H1_TRAILERS_MAX, "", H1_BODY_MORE, REASON_NONE);
	expect_padded("0\r\n", H1_TRAILERS_MAX + 1, "", H1_BODY_BAD, bad);
	/* Extensions of the last chunk do not count. */
	expect_padded(
	    "0;xxx\r\nA: ", fill, "\r\n\r\n", H1_BODY_END, REASON_NONE);
}
END_TEST

START_TEST(a_length_is_counted)
{
	static const struct {
		uint64_t length;
		struct slice bytes;
		enum h1_body_result result;
		size_t used;
	} rows[] = {
	    {1, SLICE(""), H1_BODY_MORE, 0},
	    {1, SLICE("a"), H1_BODY_END, 1},
	    {1, SLICE("ab"), H1_BODY_END, 1},
	    {5, SLICE("0\r\n\r\nGET / HTTP/1.1"), H1_BODY_END, 5},
	    {5, SLICE("abcd"), H1_BODY_MORE, 4},
	    {INT64_MAX, SLICE("abcd"), H1_BODY_MORE, 4},
	};
	struct outcome o;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct body_plan plan = {BODY_LENGTH, rows[i].length};
		struct slice body = {rows[i].bytes.at, rows[i].used};

		decode(&o, plan, rows[i].bytes);
		ck_assert_int_eq(o.result, rows[i].result);
		ck_assert_uint_eq(o.used, rows[i].used);
		expect_body(&o, body, rows[i].bytes);
		ck_assert_int_eq(h1_body_complete_at_close(&o.state),
		    rows[i].result == H1_BODY_END);
		free(o.body);
	}
}
END_TEST

START_TEST(a_body_until_the_close_takes_everything)
{
	static const struct slice bytes =
	    SLICE("0\r\n\r\nHTTP/1.1 200\r\n\r\n");
	struct body_plan plan = {BODY_CLOSE, 0};
	struct outcome o;

	for (size_t len = 0; len <= bytes.len; len++) {
		decode(&o, plan, (struct slice){bytes.at, len});
		ck_assert_int_eq(o.result, H1_BODY_MORE);
		ck_assert_uint_eq(o.used, len);
		expect_body(&o, (struct slice){bytes.at, len}, bytes);
		ck_assert(h1_body_complete_at_close(&o.state));
		free(o.body);
	}
}
END_TEST

START_TEST(no_body_takes_nothing)
{
	struct body_plan plan = {BODY_NONE, 0};
	struct outcome o;

	decode(&o, plan, SLICE("0\r\n\r\n"));
	ck_assert_int_eq(o.result, H1_BODY_END);
	ck_assert_uint_eq(o.used, 0);
	ck_assert_uint_eq(o.len, 0);
	ck_assert(h1_body_complete_at_close(&o.state));
	free(o.body);
}
END_TEST

START_TEST(a_chunk_is_not_waited_for)
{
	struct slice in = SLICE("7fffffffffffffff\r\na"), data;
	struct h1_body body;
	enum reason why;

	h1_body_init(&body, chunked);
	ck_assert_int_eq(h1_body_read(&body, &in, &data, &why), H1_BODY_DATA);
	ck_assert(slice_eq(data, SLICE("a")));
	ck_assert_uint_eq(body.left, INT64_MAX - 1);
	ck_assert_int_eq(h1_body_read(&body, &in, &data, &why), H1_BODY_MORE);
}
END_TEST

static const struct {
	struct body_plan plan;
	struct slice before, piece, after;
	enum h1_body_result result; /* after the piece */
} pieces[] = {
    {{BODY_CHUNKED, 0}, SLICE("4;x\r\n"), SLICE("abcd"), SLICE("\r\n" LAST),
	H1_BODY_END},
    {{BODY_CHUNKED, 0}, SLICE("5\r\n"), SLICE("abcd"), SLICE(""), H1_BODY_MORE},
    {{BODY_LENGTH, 4}, SLICE(""), SLICE("abcd"), SLICE("x"), H1_BODY_END},
    {{BODY_LENGTH, 5}, SLICE(""), SLICE("abcd"), SLICE(""), H1_BODY_MORE},
    {{BODY_CLOSE, 0}, SLICE(""), SLICE("abcd"), SLICE(""), H1_BODY_MORE},
};

/* Reads row i's piece. */
static void
read_row(int i, struct h1_body *body)
{
	struct slice in = pieces[i].before, data;
	enum reason why;

	h1_body_init(body, pieces[i].plan);
	if (in.len > 0)
		ck_assert_int_eq(
		    h1_body_read(body, &in, &data, &why), H1_BODY_MORE);
	in = pieces[i].piece;
	ck_assert_int_eq(h1_body_read(body, &in, &data, &why), H1_BODY_DATA);
	ck_assert(slice_eq(data, pieces[i].piece));
}

START_TEST(what_is_given_back_comes_again)
{
	struct slice piece = pieces[_i].piece, in, data;
	struct h1_body body;
	enum reason why;

	for (size_t n = 0; n <= piece.len; n++) {
		read_row(_i, &body);
		h1_body_unread(&body, n);
		ck_assert_uint_eq(body.total, piece.len - n);
		in = (struct slice){piece.at + piece.len - n, n};
		if (n > 0) {
			ck_assert_int_eq(h1_body_complete_at_close(&body),
			    pieces[_i].plan.kind == BODY_CLOSE);
			ck_assert_int_eq(h1_body_read(&body, &in, &data, &why),
			    H1_BODY_DATA);
			ck_assert_uint_eq(data.len, n);
		}
		ck_assert_uint_eq(body.total, piece.len);
		in = pieces[_i].after;
		ck_assert_int_eq(
		    h1_body_read(&body, &in, &data, &why), pieces[_i].result);
	}
}
END_TEST

START_TEST(a_length_is_complete_with_its_last_byte)
{
	struct body_plan plan = {BODY_LENGTH, 2};
	struct slice in = SLICE("ab"), data;
	struct h1_body body;
	enum reason why;

	h1_body_init(&body, plan);
	ck_assert(!h1_body_complete_at_close(&body));
	ck_assert_int_eq(h1_body_read(&body, &in, &data, &why), H1_BODY_DATA);
	ck_assert(h1_body_complete_at_close(&body));
	h1_body_unread(&body, 1);
	ck_assert(!h1_body_complete_at_close(&body));
}
END_TEST

START_TEST(no_more_is_given_back_than_came)
{
	struct h1_body body;

	read_row(_i, &body);
	h1_body_unread(&body, pieces[_i].piece.len + 1);
}
END_TEST

START_TEST(nothing_is_given_back_after_the_end)
{
	struct slice in = SLICE("1\r\na\r\n" LAST), data;
	struct h1_body body;
	enum reason why;

	h1_body_init(&body, chunked);
	while (h1_body_read(&body, &in, &data, &why) == H1_BODY_DATA)
		;
	h1_body_unread(&body, 0);
	h1_body_unread(&body, 1);
}
END_TEST

/* In exactly H1_CHUNK_HEAD_MAX bytes, as printf would, and read again. */
static void
check_chunk_head(uint64_t n)
{
	char none[H1_CHUNK_HEAD_MAX] = "", want[32];
	struct guarded page = guard_bytes(none, sizeof(none));
	struct slice in = {page.at, h1_chunk_head_write(n, page.at)}, data;
	int len = snprintf(want, sizeof(want), "%" PRIx64 "\r\n", n);
	struct h1_body body;
	enum reason why;

	ck_assert(slice_eq(in, (struct slice){want, (size_t)len}));
	h1_body_init(&body, chunked);
	if (n <= INT64_MAX) {
		ck_assert_int_eq(
		    h1_body_read(&body, &in, &data, &why), H1_BODY_MORE);
		ck_assert_uint_eq(body.left, n);
	}
	guard_free(&page);
}

START_TEST(chunk_heads_are_written_as_they_are_read)
{
	for (uint64_t n = 1; n <= 5000; n++)
		check_chunk_head(n);
	for (unsigned bit = 1; bit < 64; bit++) {
		uint64_t n = (uint64_t)1 << bit;

		check_chunk_head(n - 1);
		check_chunk_head(n);
		check_chunk_head(n + 1);
		check_chunk_head(n | 0xabc);
	}
	check_chunk_head(UINT64_MAX);
}
END_TEST

START_TEST(no_chunk_is_empty)
{
	char out[H1_CHUNK_HEAD_MAX];

	h1_chunk_head_write(0, out);
}
END_TEST

static TCase *
tests(void)
{
	TCase *tcase = tcase_create("h1_body");

	tcase_add_test(tcase, chunks_are_put_together);
	tcase_add_test(tcase, the_next_message_is_left_alone);
	tcase_add_test(tcase, a_body_without_its_end_goes_on);
	tcase_add_test(tcase, what_could_be_read_otherwise_is_refused);
	tcase_add_test(tcase, a_bad_body_stays_bad);
	tcase_add_test(tcase, an_extension_may_be_as_long_as_its_limit);
	tcase_add_test(tcase, a_trailer_section_may_be_as_long_as_its_limit);
	tcase_add_test(tcase, a_length_is_counted);
	tcase_add_test(tcase, a_body_until_the_close_takes_everything);
	tcase_add_test(tcase, no_body_takes_nothing);
	tcase_add_test(tcase, a_chunk_is_not_waited_for);
	tcase_add_loop_test(
	    tcase, what_is_given_back_comes_again, 0, (int)COUNT(pieces));
	tcase_add_test(tcase, a_length_is_complete_with_its_last_byte);
	tcase_add_loop_test_raise_signal(tcase, no_more_is_given_back_than_came,
	    SIGABRT, 0, (int)COUNT(pieces));
	tcase_add_test_raise_signal(
	    tcase, nothing_is_given_back_after_the_end, SIGABRT);
	tcase_add_test(tcase, chunk_heads_are_written_as_they_are_read);
	tcase_add_test_raise_signal(tcase, no_chunk_is_empty, SIGABRT);
	return tcase;
}

int
main(void)
{
	Suite *suite = suite_create("h1_body");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
