/* SPDX-License-Identifier: ISC */
/* evhttp_head: the heads of responses, on both sides of evhttp's parser. It is
 * lax (bare LF, folded lines, NUL, "+200"), and afterwards that can't be seen:
 * so each byte is judged before evhttp gets it, and what evhttp made of them is
 * judged again, by the rules that every reader of heads shares. */
#ifndef EVHTTP_HEAD_H
#define EVHTTP_HEAD_H

#include "h1_head.h"

#define EVHTTP_HEAD_FIELDS 256 /* lines of a response head at most */

struct evhttp_request;

/* How far one head was looked at. Zero it but for limit. */
struct evhttp_scan {
	size_t limit; /* bytes of the whole head, final CRLF included */
	size_t at;    /* bytes seen */
	size_t line;  /* bytes of the present line */
	unsigned lines;
	unsigned char before; /* the byte before at */
};

/* Looks at what bytes, which starts with the head, has beyond scan->at.
 * H1_DONE: the head is bytes' first *len. H1_MORE: call again with the same
 * bytes and more. H1_BAD: *why is UPSTREAM_MALFORMED or _HEAD_TOO_LARGE. */
enum h1_result evhttp_head_scan(struct evhttp_scan *scan, struct slice bytes,
    size_t *len, enum reason *why);
/* A copy in the arena of what evhttp has parsed. UPSTREAM_MALFORMED for a
 * status that is none, a 101 that nobody asked for, and invalid fields. */
enum reason evhttp_head_read(
    struct head *head, const struct evhttp_request *from, struct arena *arena);

#endif
