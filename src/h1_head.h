/* SPDX-License-Identifier: ISC */
/* h1_head: HTTP/1.1 heads, read strictly into slices of the caller's buffer
 * and written back. One pass, no allocation, no copy (RFC 9112 2 to 5). */
#ifndef H1_HEAD_H
#define H1_HEAD_H

#include <stddef.h>

#include "http.h"
#include "reason.h"

struct h1_limits {
	size_t head;	 /* bytes of the whole head, final CRLF included */
	size_t target;	 /* bytes of the target; responses: unused */
	unsigned fields; /* at most the capacity of head->fields */
};

enum h1_result { H1_DONE, H1_MORE, H1_BAD };

/* Reads a request head at the start of buf. head->fields is the caller's array
 * of limits->fields entries. One empty line (CRLF) before the request line is
 * skipped (RFC 9112 2.2) and counts as used.
 * H1_DONE: *head is filled, *used bytes are taken. H1_MORE: no error yet, and
 * not over a limit yet; call again with the same bytes and more (the parser
 * keeps nothing). H1_BAD: *why is a row of question 1; then head->method,
 * target are set as far as they were read, for the log, else empty.
 * On H1_DONE the Host rules (RFC 9112 3.2), Content-Length, Transfer-Encoding,
 * Connection and Expect rules of reason.def have been checked too. */
enum h1_result h1_request_read(struct slice buf, const struct h1_limits *limits,
    struct head *head, size_t *used, enum reason *why);
/* The same for a response head; *why is UPSTREAM_MALFORMED or
 * UPSTREAM_HEAD_TOO_LARGE. As strict as for requests; status 100 to 599. */
enum h1_result h1_response_read(struct slice buf,
    const struct h1_limits *limits, struct head *head, size_t *used,
    enum reason *why);

/* How long the body of a request is that h1_request_read has accepted. The
 * only place that decides it (RFC 9112 6.3). */
struct body_plan h1_request_body(const struct head *head);
/* For a response to a request with this method; CL against TE, a list of
 * lengths and their like: REASON_UPSTREAM_MALFORMED. minor 0 with
 * Transfer-Encoding is malformed too. */
enum reason h1_response_body(
    const struct head *head, struct slice method, struct body_plan *plan);
/* Checks on fields that every reader of heads shares (evhttp too). */
bool h1_field_valid(const struct field *field);
/* True when the connection may carry another message after this one (RFC 9112
 * 9.3). */
bool h1_persistent(const struct head *head);
/* True when the request waits for 100 Continue (RFC 9110 10.1.1: 1.1 only). */
bool h1_expects_continue(const struct head *head);

/* Field lines and the empty line that ends them, as a trailer section holds
 * them: into fields, which has room for limits->fields. Of the head only the
 * fields are filled. False: not such lines, or too many. */
bool h1_trailers_read(
    struct slice section, const struct h1_limits *limits, struct head *head);

/* Bytes that h1_head_write needs at most. */
size_t h1_head_size(const struct head *head);
/* Writes "Content-Length: N" and CRLF; returns their end. */
#define H1_LENGTH_MAX (sizeof("Content-Length: \r\n") - 1 + SLICE_DIGITS)
char *h1_length_write(uint64_t length, char *out);
/* The fields and the empty line alone, as for trailers; the length. */
size_t h1_fields_write(const struct head *head, char *out);
/* Writes "METHOD target HTTP/1.1" or "HTTP/1.1 status phrase", the fields as
 * they are, and the empty line. Asserts that the method is a token and no
 * value holds CR, LF or NUL. Returns the length. */
size_t h1_head_write(const struct head *head, char *out);

#endif
