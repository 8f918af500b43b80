/* SPDX-License-Identifier: ISC */
/* h1_body: the input is a chunked body, and then a body of each other kind.
 * However it is cut, and however much is given back, the same must come out;
 * what came out, written in chunks again, must come out once more. */
#include <assert.h>
#include <stdlib.h>

#include "h1_body.h"

struct outcome {
	enum h1_body_result result; /* MORE, END or BAD */
	enum reason why;	    /* of BAD */
	size_t used;		    /* bytes taken */
	char *body;
	size_t len;
	bool complete; /* should the connection close here */
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Of a piece of data, more than `take` bytes are given back. */
static enum h1_body_result
read_piece(
    struct h1_body *body, struct outcome *o, struct slice in, size_t take)
{
	const char *start = in.at, *end = in.at + in.len;
	enum h1_body_result result;
	struct slice data;

	while ((result = h1_body_read(body, &in, &data, &o->why)) ==
	       H1_BODY_DATA) {
		assert(data.len > 0 && data.at >= start);
		assert(data.at + data.len == in.at && in.at + in.len == end);
		if (data.len > take) {
			h1_body_unread(body, data.len - take);
			in.at -= data.len - take;
			in.len += data.len - take;
			data.len = take;
		}
		memcpy(o->body + o->len, data.at, data.len);
		o->len += data.len;
		assert(body->total == o->len);
	}
	assert(in.at >= start && in.at + in.len == end);
	assert(result != H1_BODY_MORE || in.len == 0);
	o->used += (size_t)(in.at - start);
	return result;
}

/* In pieces of `size` bytes, each at the end of a block of that size. */
static struct outcome
decode(struct body_plan plan, struct slice bytes, size_t size, size_t take)
{
	size_t room = bytes.len < size ? bytes.len : size;
	char *block = malloc(room), *out = malloc(bytes.len + 1);
	struct outcome o = {.why = REASON_NONE, .body = out};
	struct slice nothing = SLICE_NONE, data;
	struct h1_body body;

	h1_body_init(&body, plan);
	o.result = h1_body_read(&body, &nothing, &data, &o.why);
	for (size_t at = 0; at < bytes.len && o.result == H1_BODY_MORE;) {
		size_t len = bytes.len - at < room ? bytes.len - at : room;
		struct slice piece = {block + room - len, len};

		memcpy(block + room - len, bytes.at + at, len);
		o.result = read_piece(&body, &o, piece, take);
		at += len;
	}
	assert(h1_body_read(&body, &nothing, &data, &o.why) == o.result);
	o.complete = h1_body_complete_at_close(&body);
	free(block);
	return o;
}

static void
check_same(const struct outcome *a, const struct outcome *b)
{
	assert(a->result == b->result && a->why == b->why);
	assert(a->used == b->used && a->complete == b->complete);
	assert(a->len == b->len && memcmp(a->body, b->body, a->len) == 0);
}

/* All ways to read give what the whole gives; the caller frees its body. */
static struct outcome
check_pieces(struct body_plan plan, struct slice bytes)
{
	static const struct {
		size_t size, take;
	} ways[] = {
	    {1, SIZE_MAX},
	    {2, SIZE_MAX},
	    {3, 1},
	    {16, SIZE_MAX},
	    {17, 5},
	    {1000, 16},
	    {SIZE_MAX, 3},
	};
	struct outcome whole = decode(plan, bytes, SIZE_MAX, SIZE_MAX), o;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		o = decode(plan, bytes, ways[i].size, ways[i].take);
		check_same(&o, &whole);
		free(o.body);
	}
	return whole;
}

/* Chunks of size, size + 1, size + 2 ... bytes. */
static void
check_written(const struct outcome *whole, size_t size)
{
	struct body_plan plan = {BODY_CHUNKED, 0};
	char *out = malloc(whole->len * (H1_CHUNK_HEAD_MAX + 3) + 5), *to = out;
	struct outcome o;

	for (size_t at = 0, len; at < whole->len; at += len, size++) {
		len = whole->len - at < size ? whole->len - at : size;
		to += h1_chunk_head_write(len, to);
		memcpy(to, whole->body + at, len);
		to += len;
		memcpy(to, "\r\n", 2);
		to += 2;
	}
	memcpy(to, "0\r\n\r\n", 5);
	to += 5;
	o = decode(plan, (struct slice){out, (size_t)(to - out)}, 7, SIZE_MAX);
	assert(o.result == H1_BODY_END && o.complete);
	assert(o.used == (size_t)(to - out));
	assert(o.len == whole->len && memcmp(o.body, whole->body, o.len) == 0);
	free(o.body);
	free(out);
}

static void
check_chunked(struct slice bytes)
{
	struct body_plan plan = {BODY_CHUNKED, 0};
	struct outcome whole = check_pieces(plan, bytes);

	assert(whole.complete == (whole.result == H1_BODY_END));
	if (whole.result == H1_BODY_BAD)
		assert(whole.why == REASON_MALFORMED_CHUNK ||
		       whole.why == REASON_MALFORMED_TRAILER);
	/* At least "1\r\n\r\n" stands around the bytes of a chunk. */
	assert(whole.len == 0 || whole.len + 3 <= bytes.len);
	if (whole.result == H1_BODY_END)
		for (size_t size = 1; size <= 64; size *= 4)
			check_written(&whole, size);
	free(whole.body);
}

static void
check_plain(struct body_plan plan, struct slice bytes)
{
	struct outcome whole = check_pieces(plan, bytes);
	size_t len = bytes.len;
	bool ends = plan.kind != BODY_CLOSE && plan.length <= len;

	if (ends)
		len = (size_t)plan.length;
	assert(whole.result == (ends ? H1_BODY_END : H1_BODY_MORE));
	assert(whole.complete == (ends || plan.kind == BODY_CLOSE));
	assert(whole.used == len && whole.len == len);
	assert(len == 0 || memcmp(whole.body, bytes.at, len) == 0);
	free(whole.body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct slice in = {(const char *)bytes, size};

	check_chunked(in);
	check_plain((struct body_plan){BODY_NONE, 0}, in);
	check_plain((struct body_plan){BODY_CLOSE, 0}, in);
	check_plain((struct body_plan){BODY_LENGTH, size + 1}, in);
	check_plain((struct body_plan){BODY_LENGTH, size / 2 + 1}, in);
	if (size > 0)
		check_plain((struct body_plan){BODY_LENGTH, size}, in);
	return 0;
}
