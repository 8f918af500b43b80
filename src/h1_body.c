/* SPDX-License-Identifier: ISC */
/* h1_body: lengths are counted; the chunked coding runs through a table of
 * states, one byte at a time but for the chunks' own bytes, which are handed
 * on as they come. The grammar is RFC 9112 7.1 without its tolerances: no
 * space around a size, no bare LF anywhere. */
#include <assert.h>

#include "h1_body.h"

/* A chunk: SIZE [; EXT] CR SIZE_LF DATA DATA_CR DATA_LF, then SIZE again. The
 * chunk of size 0 goes from SIZE_LF to LINE, and the trailer section is LINE
 * NAME : VALUE CR VALUE_LF, then LINE again, until LINE finds CR: LAST_LF. */
enum state {
	ENDED,
	LENGTH,
	UNTIL_CLOSE,
	DATA,
	SIZE,
	EXT,
	SIZE_LF,
	DATA_CR,
	DATA_LF,
	LINE,
	NAME,
	VALUE,
	VALUE_LF,
	LAST_LF,
	BAD_CHUNK,
	BAD_TRAILER
};

typedef enum state step_fn(struct h1_body *body, unsigned char c);

static step_fn on_size, on_ext, on_size_lf, on_data_cr, on_data_lf, on_line,
    on_name, on_value, on_value_lf, on_last_lf;

static step_fn *const steps[] = {
    [SIZE] = on_size,
    [EXT] = on_ext,
    [SIZE_LF] = on_size_lf,
    [DATA_CR] = on_data_cr,
    [DATA_LF] = on_data_lf,
    [LINE] = on_line,
    [NAME] = on_name,
    [VALUE] = on_value,
    [VALUE_LF] = on_value_lf,
    [LAST_LF] = on_last_lf,
};

void
h1_body_init(struct h1_body *body, struct body_plan plan)
{
	static const enum state first[] = {
	    [BODY_NONE] = ENDED,
	    [BODY_LENGTH] = LENGTH,
	    [BODY_CHUNKED] = SIZE,
	    [BODY_CLOSE] = UNTIL_CLOSE,
	    [BODY_TUNNEL] = UNTIL_CLOSE,
	};

	*body = (struct h1_body){.plan = plan, .state = first[plan.kind]};
	if (plan.kind == BODY_LENGTH)
		body->left = plan.length;
}

/* All that *in has of the present length or chunk. The state stays, so that
 * h1_body_unread can give bytes back. */
static enum h1_body_result
read_piece(struct h1_body *body, struct slice *in, struct slice *data)
{
	*data = *in;
	if (body->state != UNTIL_CLOSE) {
		if (data->len > body->left)
			data->len = (size_t)body->left;
		body->left -= data->len;
	}
	body->total += data->len;
	in->at += data->len;
	in->len -= data->len;
	return H1_BODY_DATA;
}

static bool
in_piece(const struct h1_body *body)
{
	return body->state == UNTIL_CLOSE ||
	       ((body->state == DATA || body->state == LENGTH) &&
		   body->left > 0);
}

/* One byte of the coding. */
static void
step(struct h1_body *body, struct slice *in)
{
	bool trailer = body->state >= LINE && body->state <= LAST_LF;

	body->state = steps[body->state](body, (unsigned char)*in->at);
	if (trailer && body->state < BAD_CHUNK && body->trailer_section != NULL)
		buffer_append(body->trailer_section, (struct slice){in->at, 1});
	in->at++;
	in->len--;
}

enum h1_body_result
h1_body_read(struct h1_body *body, struct slice *in, struct slice *data,
    enum reason *why)
{
	for (;;) {
		if (body->state == LENGTH && body->left == 0)
			body->state = ENDED;
		else if (body->state == DATA && body->left == 0)
			body->state = DATA_CR;
		if (body->state == ENDED)
			return H1_BODY_END;
		if (body->state >= BAD_CHUNK) {
			*why = body->state == BAD_CHUNK
				   ? REASON_MALFORMED_CHUNK
				   : REASON_MALFORMED_TRAILER;
			return H1_BODY_BAD;
		}
		if (in->len == 0)
			return H1_BODY_MORE;
		if (in_piece(body))
			return read_piece(body, in, data);
		step(body, in);
	}
}

void
h1_body_unread(struct h1_body *body, size_t n)
{
	assert(n <= body->total);
	assert(n == 0 || body->state == DATA || body->state == LENGTH ||
	       body->state == UNTIL_CLOSE);
	body->total -= n;
	if (body->state != UNTIL_CLOSE)
		body->left += n;
}

void
h1_body_skip(struct h1_body *body, uint64_t n)
{
	assert(body->state == LENGTH && n <= body->left);
	body->left -= n;
	body->total += n;
}

uint64_t
h1_body_left(const struct h1_body *body)
{
	return body->state == LENGTH ? body->left : 0;
}

bool
h1_body_long(const struct h1_body *body)
{
	return body->state == LENGTH && body->left > 0 &&
	       (body->left >= H1_BODY_LONG || body->total >= H1_BODY_LONG);
}

bool
h1_body_complete_at_close(const struct h1_body *body)
{
	return body->state == ENDED || body->state == UNTIL_CLOSE ||
	       (body->state == LENGTH && body->left == 0);
}

size_t
h1_chunk_head_write(uint64_t n, char out[H1_CHUNK_HEAD_MAX])
{
	size_t digits = 1;

	assert(n > 0);
	while (digits < 16 && n >> (4 * digits) != 0)
		digits++;
	for (size_t i = digits; i > 0; i--, n >>= 4)
		out[i - 1] = "0123456789abcdef"[n & 15];
	out[digits] = '\r';
	out[digits + 1] = '\n';
	return digits + 2;
}

/* 0 to 15, or -1. */
static int
hex(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
is_text(unsigned char c)
{
	return (c >= 0x20 && c != 0x7f) || c == '\t';
}

static enum state
on_size(struct h1_body *body, unsigned char c)
{
	int digit = hex(c);

	if (digit >= 0) {
		if (body->line == 16 || body->left > INT64_MAX >> 4)
			return BAD_CHUNK;
		body->left = body->left << 4 | (unsigned)digit;
		body->line++;
		return SIZE;
	}
	if (body->line == 0)
		return BAD_CHUNK;
	if (c == '\r')
		return SIZE_LF;
	body->line = 1;
	return c == ';' ? EXT : BAD_CHUNK;
}

/* What an extension says is nobody's business; how it ends is: a bare LF here
 * is the end of the line to some (RFC 9112 7.1.1). */
static enum state
on_ext(struct h1_body *body, unsigned char c)
{
	if (c == '\r')
		return SIZE_LF;
	if (!is_text(c) || body->line == H1_CHUNK_EXT_MAX)
		return BAD_CHUNK;
	body->line++;
	return EXT;
}

static enum state
on_size_lf(struct h1_body *body, unsigned char c)
{
	body->line = 0;
	if (c != '\n')
		return BAD_CHUNK;
	return body->left > 0 ? DATA : LINE;
}

static enum state
on_data_cr(struct h1_body *body, unsigned char c)
{
	(void)body;
	return c == '\r' ? DATA_LF : BAD_CHUNK;
}

static enum state
on_data_lf(struct h1_body *body, unsigned char c)
{
	(void)body;
	return c == '\n' ? SIZE : BAD_CHUNK;
}

static bool
trailers_full(struct h1_body *body)
{
	return ++body->trailers > H1_TRAILERS_MAX;
}

static enum state
on_line(struct h1_body *body, unsigned char c)
{
	if (trailers_full(body))
		return BAD_TRAILER;
	if (c == '\r')
		return LAST_LF;
	return is_tchar(c) ? NAME : BAD_TRAILER;
}

static enum state
on_name(struct h1_body *body, unsigned char c)
{
	if (trailers_full(body))
		return BAD_TRAILER;
	if (c == ':')
		return VALUE;
	return is_tchar(c) ? NAME : BAD_TRAILER;
}

static enum state
on_value(struct h1_body *body, unsigned char c)
{
	if (trailers_full(body))
		return BAD_TRAILER;
	if (c == '\r')
		return VALUE_LF;
	return is_text(c) ? VALUE : BAD_TRAILER;
}

static enum state
on_value_lf(struct h1_body *body, unsigned char c)
{
	return c == '\n' && !trailers_full(body) ? LINE : BAD_TRAILER;
}

static enum state
on_last_lf(struct h1_body *body, unsigned char c)
{
	return c == '\n' && !trailers_full(body) ? ENDED : BAD_TRAILER;
}
