/* SPDX-License-Identifier: ISC */
/* h1_head and h1_body as the native transport reads a response with them. The
 * input is the request's method, a LF, and what the server sends. However it is
 * cut, and however little of the body is taken at a time, the same must come
 * out: interim heads, a head, a body, and where the next message would begin.
 */
#include <assert.h>
#include <stdlib.h>

#include "h1_body.h"
#include "h1_head.h"
#include "method.h"

enum { FIELDS_MAX = 20, HEAD_MAX = 4096, INTERIM_MAX = 16 };

enum result { MORE, END, BROKEN };

struct outcome {
	enum result result;
	enum reason why; /* of BROKEN */
	unsigned interims;
	int status; /* of the final head; 0: none yet */
	struct body_plan plan;
	bool persistent, complete; /* should the connection close here */
	uint64_t heads;		   /* a hash of all of them */
	size_t used;		   /* bytes that are this response's */
	char *body;
	size_t len;
};

struct reader {
	struct slice method;
	struct h1_body body;
	size_t take; /* bytes of a piece at most */
	struct outcome o;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
hash(uint64_t *sum, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		*sum = (*sum ^ (unsigned char)s.at[i]) * 0x100000001b3u;
	*sum = (*sum ^ 0x100) * 0x100000001b3u;
}

static void
break_off(struct reader *r, enum reason why)
{
	r->o.result = BROKEN;
	r->o.why = why;
}

static void
on_head(struct reader *r, const struct head *head)
{
	struct outcome *o = &r->o;

	for (unsigned i = 0; i < head->field_count; i++) {
		assert(h1_field_valid(&head->fields[i]));
		hash(&o->heads, head->fields[i].name);
		hash(&o->heads, head->fields[i].value);
	}
	hash(&o->heads, head->phrase);
	if (h1_response_body(head, r->method, &o->plan) != REASON_NONE ||
	    head->status == 101 ||
	    (head->status < 200 && ++o->interims > INTERIM_MAX)) {
		break_off(r, REASON_UPSTREAM_MALFORMED);
	} else if (head->status >= 200) {
		o->status = head->status;
		o->persistent = h1_persistent(head);
		h1_body_init(&r->body, o->plan);
	} else {
		assert(o->plan.kind == BODY_NONE);
	}
}

/* False: more bytes are needed. */
static bool
take_head(struct reader *r, struct slice *in)
{
	const struct h1_limits limits = {
	    .head = HEAD_MAX, .fields = FIELDS_MAX};
	struct field fields[FIELDS_MAX];
	struct head head = {.fields = fields};
	enum reason why = REASON_NONE;
	size_t used = 0;

	switch (h1_response_read(*in, &limits, &head, &used, &why)) {
	case H1_MORE:
		assert(in->len < HEAD_MAX);
		return false;
	case H1_BAD:
		assert(why == REASON_UPSTREAM_MALFORMED ||
		       why == REASON_UPSTREAM_HEAD_TOO_LARGE);
		break_off(r, why);
		return true;
	case H1_DONE:
		break;
	}
	assert(used > 0 && used <= in->len && used <= HEAD_MAX);
	*in = (struct slice){in->at + used, in->len - used};
	r->o.used += used;
	on_head(r, &head);
	return true;
}

static void
take_piece(struct reader *r, struct slice *in, struct slice piece)
{
	size_t taken = piece.len < r->take ? piece.len : r->take;

	assert(piece.len > 0 && piece.at + piece.len == in->at);
	memcpy(r->o.body + r->o.len, piece.at, taken);
	r->o.len += taken;
	h1_body_unread(&r->body, piece.len - taken);
	in->at -= piece.len - taken;
	in->len += piece.len - taken;
}

static bool
take_body(struct reader *r, struct slice *in)
{
	size_t before = in->len;
	struct slice piece;
	enum reason why;

	switch (h1_body_read(&r->body, in, &piece, &why)) {
	case H1_BODY_MORE:
		assert(in->len == 0);
		r->o.used += before;
		return false;
	case H1_BODY_BAD:
		break_off(r, REASON_UPSTREAM_MALFORMED);
		return true;
	case H1_BODY_END:
		r->o.result = END;
		break;
	case H1_BODY_DATA:
		take_piece(r, in, piece);
		break;
	}
	r->o.used += before - in->len;
	return true;
}

/* What is left of these bytes waits for more. */
static size_t
run(struct reader *r, struct slice in)
{
	bool more = true;

	while (more && r->o.result == MORE)
		more = r->o.status == 0 ? take_head(r, &in) : take_body(r, &in);
	return in.len;
}

/* In pieces of `size` bytes; what waits and a piece fill a block. */
static struct outcome
read_all(struct slice method, struct slice bytes, size_t size, size_t take)
{
	struct reader r = {.method = method, .take = take};
	size_t waiting = 0, at = 0;

	r.o.body = malloc(bytes.len + 1);
	while (at < bytes.len && r.o.result == MORE) {
		size_t len = bytes.len - at < size ? bytes.len - at : size;
		char *block = malloc(waiting + len);

		memcpy(block, bytes.at + at - waiting, waiting + len);
		at += len;
		waiting = run(&r, (struct slice){block, waiting + len});
		free(block);
	}
	r.o.complete = r.o.status > 0 && r.o.result != BROKEN &&
		       h1_body_complete_at_close(&r.body);
	return r.o;
}

static void
check_same(const struct outcome *a, const struct outcome *b)
{
	assert(a->result == b->result && a->why == b->why);
	assert(a->interims == b->interims && a->status == b->status);
	assert(a->heads == b->heads && a->persistent == b->persistent);
	assert(a->len == b->len && memcmp(a->body, b->body, a->len) == 0);
	if (a->result == BROKEN)
		return;
	assert(a->plan.kind == b->plan.kind);
	assert(a->plan.length == b->plan.length);
	assert(a->used == b->used && a->complete == b->complete);
}

static void
check_sound(const struct outcome *o, struct slice method, size_t size)
{
	bool bodyless = slice_eq(method, SLICE("HEAD")) || o->status == 204 ||
			o->status == 304;

	assert(o->used <= size && o->len <= size);
	assert(o->interims <= INTERIM_MAX || o->result == BROKEN);
	assert(o->status == 0 || (o->status >= 200 && o->status <= 599));
	if (o->status == 0)
		assert(o->len == 0 && o->result != END);
	if (o->status == 0 || o->result == BROKEN)
		return;
	if (bodyless)
		assert(o->plan.kind == BODY_NONE && o->result == END);
	if (o->plan.kind == BODY_NONE)
		assert(o->len == 0);
	if (o->plan.kind == BODY_LENGTH)
		assert((o->len == o->plan.length) == (o->result == END));
	if (o->plan.kind == BODY_CLOSE)
		assert(o->result == MORE && o->used == size);
	assert(o->complete == (o->result == END || o->plan.kind == BODY_CLOSE));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct {
		size_t size, take;
	} ways[] = {{1, SIZE_MAX}, {2, 1}, {3, SIZE_MAX}, {17, 5}, {500, 16},
	    {SIZE_MAX, 3}};
	struct slice all = {(const char *)bytes, size}, method, rest;
	struct outcome whole, o;
	size_t line = slice_find(all, '\n', 0);

	if (line == size || line > METHOD_TOKEN_MAX || size > 4 * HEAD_MAX)
		return 0;
	method = (struct slice){all.at, line};
	rest = (struct slice){all.at + line + 1, size - line - 1};
	whole = read_all(method, rest, SIZE_MAX, SIZE_MAX);
	check_sound(&whole, method, rest.len);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		o = read_all(method, rest, ways[i].size, ways[i].take);
		check_same(&whole, &o);
		free(o.body);
	}
	free(whole.body);
	return 0;
}
