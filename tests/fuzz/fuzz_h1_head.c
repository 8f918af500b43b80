/* SPDX-License-Identifier: ISC */
/* h1_head: the input is a head. Both readers take it, in one piece and after
 * every byte of it, under wide and under tight limits. What is accepted is
 * sound, and reads the same when it is written. */
#include <assert.h>
#include <stdlib.h>

#include "h1_head.h"

enum { FIELDS_MAX = 100, PREFIXES_MAX = 512 };

typedef enum h1_result read_fn(struct slice buf, const struct h1_limits *limits,
    struct head *head, size_t *used, enum reason *why);

struct outcome {
	struct head head;
	enum h1_result result;
	enum reason why;
	size_t used;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Into exactly limits->fields fields. */
static void
read_into(struct outcome *o, struct field *fields, read_fn *read,
    const struct h1_limits *limits, struct slice buf)
{
	memset(o, 0xa5, sizeof(*o));
	o->head.fields = fields;
	o->result = read(buf, limits, &o->head, &o->used, &o->why);
}

static struct field *
new_fields(const struct h1_limits *limits)
{
	return malloc(limits->fields * sizeof(struct field));
}

/* A prefix may say less than the whole, but nothing else. */
static void
check_prefixes(const struct outcome *whole, read_fn *read,
    const struct h1_limits *limits, struct slice buf)
{
	size_t step = 1 + buf.len / PREFIXES_MAX;
	struct field *fields = new_fields(limits);
	char *end = (char *)malloc(buf.len) + buf.len;
	struct outcome o;

	for (size_t len = 0; len < buf.len; len += step) {
		memcpy(end - len, buf.at, len);
		read_into(
		    &o, fields, read, limits, (struct slice){end - len, len});
		if (o.result == H1_DONE)
			assert(len >= whole->used && o.used == whole->used);
		if (o.result != H1_MORE)
			assert(o.result == whole->result);
		else if (whole->result == H1_DONE)
			assert(len < whole->used);
		if (o.result == H1_BAD)
			assert(o.why == whole->why);
	}
	free(end - buf.len);
	free(fields);
}

static void
check_inside(struct slice s, struct slice buf)
{
	if (s.len > 0)
		assert(s.at >= buf.at && s.at + s.len <= buf.at + buf.len);
}

/* "/" and "*" may be the reader's own. */
static void
check_slices(const struct head *head, struct slice buf)
{
	check_inside(head->method, buf);
	check_inside(head->scheme, buf);
	check_inside(head->authority, buf);
	check_inside(head->phrase, buf);
	check_inside(head->query, buf);
	if (head->target.len > 1) {
		check_inside(head->target, buf);
		check_inside(head->path, buf);
	}
	for (unsigned i = 0; i < head->field_count; i++) {
		const struct field *field = &head->fields[i];

		check_inside(field->name, buf);
		check_inside(field->value, buf);
		assert(h1_field_valid(field));
		assert(slice_eq(field->value, slice_trim(field->value)));
		assert(field->id == field_find(field->name));
	}
}

static void
check_request(const struct head *head)
{
	unsigned hosts = head_count(head, FIELD_HOST);
	unsigned lengths = head_count(head, FIELD_CONTENT_LENGTH);
	unsigned codings = head_count(head, FIELD_TRANSFER_ENCODING);
	struct body_plan plan = h1_request_body(head);

	assert(head->status == 0 && head->minor <= 1);
	assert(is_token(head->method) && head->method.len <= 32);
	assert(hosts == 1 || (hosts == 0 && head->minor == 0));
	assert(lengths + codings <= 1);
	assert(plan.kind != BODY_CLOSE);
	assert((plan.kind == BODY_CHUNKED) == (codings == 1));
	assert((plan.kind == BODY_LENGTH) == (plan.length > 0));
	assert(plan.length == 0 || lengths == 1);
	assert(!h1_expects_continue(head) || head->minor == 1);
	if (head_has_token(head, FIELD_CONNECTION, SLICE("close")) ||
	    slice_eq(head->method, SLICE("CONNECT")))
		assert(!h1_persistent(head));
}

static void
check_response(const struct head *head)
{
	static const struct slice methods[] = {{"GET", 3}, {"HEAD", 4}};
	unsigned framing = head_count(head, FIELD_CONTENT_LENGTH) +
			   head_count(head, FIELD_TRANSFER_ENCODING);
	struct body_plan plan;

	assert(head->status >= 100 && head->status <= 599);
	assert(head->minor <= 1 && head->method.len == 0);
	(void)h1_persistent(head);
	for (size_t i = 0; i < 2; i++) {
		if (h1_response_body(head, methods[i], &plan) != REASON_NONE)
			continue;
		assert(framing <= 1);
		assert((plan.kind == BODY_LENGTH) == (plan.length > 0));
		if (i == 1 || head->status < 200 || head->status == 204 ||
		    head->status == 304)
			assert(plan.kind == BODY_NONE);
		else
			assert((plan.kind == BODY_CLOSE) == (framing == 0));
	}
}

static void
check_same(const struct head *a, const struct head *b)
{
	assert(slice_eq(a->method, b->method));
	assert(slice_eq(a->target, b->target));
	assert(slice_eq(a->path, b->path));
	assert(slice_eq(a->query, b->query));
	assert((a->query.at == NULL) == (b->query.at == NULL));
	assert(a->status == b->status && slice_eq(a->phrase, b->phrase));
	assert(a->field_count == b->field_count);
	for (unsigned i = 0; i < a->field_count; i++) {
		assert(slice_eq(a->fields[i].name, b->fields[i].name));
		assert(slice_eq(a->fields[i].value, b->fields[i].value));
		assert(a->fields[i].id == b->fields[i].id);
	}
}

/* It is written as HTTP/1.1, where only a request without Host is refused. */
static void
check_written(const struct head *head, read_fn *read)
{
	static const struct h1_limits limits = {SIZE_MAX, SIZE_MAX, FIELDS_MAX};
	size_t size = h1_head_size(head), len;
	char *out = malloc(size), *exact;
	struct field *fields = new_fields(&limits);
	struct outcome again;

	len = h1_head_write(head, out);
	assert(len <= size);
	exact = malloc(len);
	memcpy(exact, out, len);
	read_into(&again, fields, read, &limits, (struct slice){exact, len});
	if (head->status == 0 && head_field(head, FIELD_HOST) == NULL) {
		assert(again.result == H1_BAD);
		assert(again.why == REASON_MALFORMED_HOST);
	} else {
		assert(again.result == H1_DONE && again.used == len);
		check_same(head, &again.head);
	}
	free(fields);
	free(exact);
	free(out);
}

static void
check(read_fn *read, const struct h1_limits *limits, struct slice buf)
{
	struct field *fields = new_fields(limits);
	struct outcome o;

	read_into(&o, fields, read, limits, buf);
	check_prefixes(&o, read, limits, buf);
	if (o.result == H1_DONE) {
		assert(o.why == REASON_NONE);
		assert(o.used <= buf.len && o.used <= limits->head);
		assert(o.head.field_count <= limits->fields);
		check_slices(&o.head, (struct slice){buf.at, o.used});
		if (read == h1_request_read)
			check_request(&o.head);
		else
			check_response(&o.head);
		check_written(&o.head, read);
	} else if (o.result == H1_BAD) {
		assert(o.why > REASON_NONE && o.why < REASON_COUNT);
		check_inside(o.head.method, buf);
	} else {
		assert(buf.len < limits->head || buf.len == 0);
	}
	free(fields);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct h1_limits limits[] = {
	    {32768, 8192, FIELDS_MAX}, {80, 16, 3}};
	char *exact = malloc(size);

	if (size > 0)
		memcpy(exact, bytes, size);
	for (size_t i = 0; i < 2; i++) {
		check(h1_request_read, &limits[i], (struct slice){exact, size});
		check(
		    h1_response_read, &limits[i], (struct slice){exact, size});
	}
	free(exact);
	return 0;
}
