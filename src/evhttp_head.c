/* SPDX-License-Identifier: ISC */
/* evhttp_head: one pass over the bytes that have come, with the byte before as
 * the only memory, and a copy of evhttp's list of headers. */
#include "evhttp_head.h"

#include <sys/queue.h>

#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

/* CR only before LF, LF only after CR, no control byte but HTAB, and no line
 * that goes on with white space (RFC 9112 2.2, 5.2). */
static bool
may_follow(unsigned char before, unsigned char c)
{
	if (before == '\r' || c == '\n')
		return before == '\r' && c == '\n';
	if (before == '\n' && (c == ' ' || c == '\t'))
		return false;
	return (c >= 0x20 && c != 0x7f) || c == '\t' || c == '\r';
}

/* RFC 9112 4, and the phrase with its space may be missing. */
static bool
is_status_line(struct slice line)
{
	if (line.len < 12 || !slice_starts(line, SLICE("HTTP/1.")))
		return false;
	if ((line.at[7] != '0' && line.at[7] != '1') || line.at[8] != ' ')
		return false;
	for (unsigned i = 9; i < 12; i++) {
		if (line.at[i] < '0' || line.at[i] > '9')
			return false;
	}
	return line.len == 12 || line.at[12] == ' ';
}

/* The line that ended just before scan->at. */
static enum h1_result
end_line(struct evhttp_scan *scan, struct slice bytes, enum reason *why)
{
	struct slice line = {bytes.at, scan->line};

	if (scan->lines == 0 && !is_status_line(line))
		return H1_BAD;
	if (scan->line == 0)
		return H1_DONE;
	*why = REASON_UPSTREAM_HEAD_TOO_LARGE;
	scan->line = 0;
	return ++scan->lines > EVHTTP_HEAD_FIELDS + 1 ? H1_BAD : H1_MORE;
}

enum h1_result
evhttp_head_scan(
    struct evhttp_scan *scan, struct slice bytes, size_t *len, enum reason *why)
{
	enum h1_result result;

	while (scan->at < bytes.len && scan->at < scan->limit) {
		unsigned char c = (unsigned char)bytes.at[scan->at];

		*why = REASON_UPSTREAM_MALFORMED;
		if (!may_follow(scan->before, c))
			return H1_BAD;
		scan->before = c;
		scan->at++;
		if (c == '\n') {
			result = end_line(scan, bytes, why);
			*len = scan->at;
			if (result != H1_MORE)
				return result;
		} else if (c != '\r') {
			scan->line++;
		}
	}
	*why = REASON_UPSTREAM_HEAD_TOO_LARGE;
	return scan->at < scan->limit ? H1_MORE : H1_BAD;
}

static unsigned
count_headers(const struct evkeyvalq *headers)
{
	const struct evkeyval *header;
	unsigned count = 0;

	TAILQ_FOREACH(header, headers, next)
	count++;
	return count;
}

/* Takes evhttp's headers over; false when one is not a valid field. */
static bool
copy_fields(
    struct head *head, const struct evkeyvalq *headers, struct arena *arena)
{
	const struct evkeyval *header;

	head->fields = arena_alloc(
	    arena, (count_headers(headers) + 1) * sizeof(struct field));
	TAILQ_FOREACH(header, headers, next)
	{
		struct field *field = &head->fields[head->field_count++];

		field->name = arena_copy(arena, slice_of(header->key));
		field->value =
		    arena_copy(arena, slice_trim(slice_of(header->value)));
		field->id = field_find(field->name);
		if (!h1_field_valid(field))
			return false;
	}
	return true;
}

enum reason
evhttp_head_read(
    struct head *head, const struct evhttp_request *from, struct arena *arena)
{
	*head = (struct head){
	    .status = from->response_code, .minor = from->minor == 0 ? 0 : 1};
	if (head->status < 100 || head->status > 599 || head->status == 101)
		return REASON_UPSTREAM_MALFORMED;
	if (from->response_code_line != NULL)
		head->phrase =
		    arena_copy(arena, slice_of(from->response_code_line));
	if (!copy_fields(head, from->input_headers, arena))
		return REASON_UPSTREAM_MALFORMED;
	return REASON_NONE;
}
