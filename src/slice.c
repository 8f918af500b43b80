/* SPDX-License-Identifier: ISC */
/* slice: comparing, splitting and escaping of borrowed bytes. Names are folded
 * eight bytes at a time: field names and hosts are compared for each request.
 */
#include "slice.h"

static uint64_t
load8(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* All of fewer than eight bytes, some of them twice. */
static uint64_t
load_short(struct slice s)
{
	uint32_t first, last;

	if (s.len < 4)
		return (uint64_t)(unsigned char)s.at[0] << 16 |
		       (uint64_t)(unsigned char)s.at[s.len / 2] << 8 |
		       (uint64_t)(unsigned char)s.at[s.len - 1];
	memcpy(&first, s.at, sizeof(first));
	memcpy(&last, s.at + s.len - sizeof(last), sizeof(last));
	return (uint64_t)first << 32 | last;
}

static bool
differ(uint64_t a, uint64_t b)
{
	return a != b && slice_fold8(a) != slice_fold8(b);
}

bool
slice_eq_nocase(struct slice a, struct slice b)
{
	size_t i;

	if (a.len != b.len)
		return false;
	if (a.len < 8)
		return a.len == 0 || !differ(load_short(a), load_short(b));
	for (i = 0; i + 8 < a.len; i += 8)
		if (differ(load8(a.at + i), load8(b.at + i)))
			return false;
	return !differ(load8(a.at + a.len - 8), load8(b.at + b.len - 8));
}

bool
slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len &&
	       slice_eq((struct slice){s.at, prefix.len}, prefix);
}

size_t
slice_find(struct slice s, char c, size_t from)
{
	const char *found;

	if (from >= s.len)
		return s.len;
	found = memchr(s.at + from, c, s.len - from);
	return found != NULL ? (size_t)(found - s.at) : s.len;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct slice
slice_trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.at[s.len - 1]))
		s.len--;
	while (s.len > 0 && is_blank(s.at[0])) {
		s.at++;
		s.len--;
	}
	return s;
}

bool
slice_next(struct slice *rest, char sep, struct slice *element)
{
	size_t end;

	while (rest->len > 0) {
		end = slice_find(*rest, sep, 0);
		*element = slice_trim((struct slice){rest->at, end});
		if (end < rest->len)
			end++;
		rest->at += end;
		rest->len -= end;
		if (element->len > 0)
			return true;
	}
	return false;
}

bool
slice_list_has(struct slice list, struct slice token)
{
	struct slice element;

	while (slice_next(&list, ',', &element))
		if (slice_eq_nocase(element, token))
			return true;
	return false;
}

bool
slice_to_u64(struct slice s, uint64_t *out)
{
	uint64_t number = 0;
	size_t i;

	/* 19 digits fit in any case. */
	if (s.len == 0 || s.len > 19)
		return false;
	for (i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(s.at[i] - '0');
	}
	*out = number;
	return true;
}

static char *
escape_byte(char *out, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";

	if (byte == '"' || byte == '\\') {
		*out++ = '\\';
		*out++ = (char)byte;
	} else if (byte >= 0x20 && byte < 0x7f) {
		*out++ = (char)byte;
	} else {
		*out++ = '\\';
		*out++ = 'u';
		*out++ = '0';
		*out++ = '0';
		*out++ = digits[byte >> 4];
		*out++ = digits[byte & 15];
	}
	return out;
}

char *
slice_put_u64(char *out, uint64_t number)
{
	char digits[SLICE_DIGITS], *first = digits + sizeof(digits);

	do {
		*--first = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return slice_put(out,
	    (struct slice){first, (size_t)(digits + sizeof(digits) - first)});
}

size_t
slice_escape_json(char *out, struct slice s, size_t max)
{
	static const char more[] = {'.', '.', '.'};
	size_t i, shown = s.len < max ? s.len : max;
	char *at = out;

	for (i = 0; i < shown; i++)
		at = escape_byte(at, (unsigned char)s.at[i]);
	if (shown < s.len) {
		memcpy(at, more, sizeof(more));
		at += sizeof(more);
	}
	*at = '\0';
	return (size_t)(at - out);
}
