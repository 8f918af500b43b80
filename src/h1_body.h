/* SPDX-License-Identifier: ISC */
/* h1_body: how HTTP/1.1 delimits a body, decoded and encoded (RFC 9112 6, 7).
 * One struct for requests and responses; keeps no bytes of the body. */
#ifndef H1_BODY_H
#define H1_BODY_H

#include <stddef.h>

#include "http.h"
#include "reason.h"

#define H1_CHUNK_EXT_MAX 1024 /* from the ';' to before the CRLF */
#define H1_CHUNK_LINE_MAX (16 + H1_CHUNK_EXT_MAX)
#define H1_TRAILERS_MAX 8192 /* the trailer section with the last CRLF */
/* A chunk header costs at most this many bytes (a size in hex and CRLF). */
#define H1_CHUNK_HEAD_MAX 18

struct h1_body {
	struct body_plan plan;
	unsigned state;	   /* private */
	uint64_t left;	   /* of the length, or of the present chunk */
	uint64_t total;	   /* body bytes delivered so far */
	unsigned line;	   /* bytes of the present line so far */
	unsigned trailers; /* bytes of the trailer section so far */
	/* borrowed: where its bytes are kept; NULL: they are dropped */
	struct buffer *trailer_section;
};

enum h1_body_result {
	H1_BODY_DATA, /* *data is a piece of the body, inside *in */
	H1_BODY_MORE, /* everything was taken, the body goes on */
	H1_BODY_END,  /* complete; what is left of *in is the next message's */
	H1_BODY_BAD   /* chunk grammar: *why CHUNK or TRAILER; never resumes */
};

void h1_body_init(struct h1_body *body, struct body_plan plan);
/* Takes bytes off *in. Returns after each piece of data, so call until it is
 * not DATA. A chunk is never waited for: bytes come out as they come in.
 * Trailer fields are checked, and kept where trailer_section says, with the
 * empty line after them. BODY_CLOSE and BODY_TUNNEL never end by themselves:
 * the reader sees the close. With nothing in *in it is MORE, END or BAD. */
enum h1_body_result h1_body_read(struct h1_body *body, struct slice *in,
    struct slice *data, enum reason *why);
/* Gives the last n bytes of the latest piece back, because the reader could not
 * take them; the next h1_body_read must start with them. */
void h1_body_unread(struct h1_body *body, size_t n);
/* n bytes of it, of BODY_LENGTH, were taken elsewhere. */
void h1_body_skip(struct h1_body *body, uint64_t n);
/* What is left of BODY_LENGTH; 0 for all others. */
uint64_t h1_body_left(const struct h1_body *body);
/* What is left of BODY_LENGTH is worth moving without looking at it: it is, or
 * was, more than H1_BODY_LONG bytes. */
#define H1_BODY_LONG (64u * 1024)
bool h1_body_long(const struct h1_body *body);
/* True when closing here leaves a complete message (BODY_CLOSE, BODY_TUNNEL, or
 * ended). */
bool h1_body_complete_at_close(const struct h1_body *body);
/* "1a2b\r\n" for a chunk of n bytes, n > 0; returns the length. */
size_t h1_chunk_head_write(uint64_t n, char out[H1_CHUNK_HEAD_MAX]);

#endif
