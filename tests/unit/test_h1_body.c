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
	enum reason why;            /* of BAD */
	size_t used;                /* bytes taken */
	size_t len;                 /* bytes of the body */
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
		ck_assert_uint_gt(data.len, 0);
		ck_assert_ptr_eq(data.at + data.len, in.at);
		if (data.len > take) {
			size_t back = data.len - take;

			h1_body_unread(&o->state, back);
			data.len -= back;
			in.at -= back;
			in.len += back;
		}
		memcpy(o->body + o->len, data.at, data.len);
		o->len += data.len;
		ck_assert_uint_eq(o->state.total, o->len);
	}
	if (result == H1_BODY_MORE)
		ck_assert_uint_eq(in.len, 0);
	o->used += (size_t)(in.at - start);
	return result;
}

static void
feed(struct outcome *o, struct body_plan plan, struct slice bytes, size_t size,
    size_t take)
{
	struct slice nothing = SLICE_NONE, data;

	*o = (struct outcome){.why = REASON_NONE};
	o->body = malloc(bytes.len + 1);
	h1_body_init(&o->state, plan);
	o->result = h1_body_read(&o->state, &nothing, &data, &o->why);
	for (size_t at = 0; at < bytes.len && o->result == H1_BODY_MORE;) {
		size_t len = bytes.len - at < size ? bytes.len - at : size;
		struct guarded page = guard_bytes(bytes.at + at, len);

		o->result = read_piece(o, (struct slice){page.at, len}, take);
		guard_free(&page);
		at += len;
	}
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

	feed(whole, plan, bytes, SIZE_MAX, SIZE_MAX);
	for (size_t size = 1; size <= bytes.len && size <= 40; size++) {
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
    {SLICE("5\"a"
	   "\"" + 0),
	REASON_MALFORMED_CHUNK},
};
