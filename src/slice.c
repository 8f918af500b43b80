/* SPDX-License-Identifier: ISC */
/* slice: comparing, splitting and escaping of borrowed bytes. Names are folded
 * eight bytes at a time: field names and hosts are compared for each request.
 */
#include "slice.h"

#define ONES UINT64_C(0x0101010101010101)

static uint64_t
fold8(uint64_t word)
{
	uint64_t seven = word & (0x7f * ONES);
	uint64_t from_a = seven + (0x80 - 'A') * ONES;
	uint64_t past_z = seven + (0x7f - 'Z') * ONES;

	/* The top bit of each byte is set for 'A' to 'Z'; 0x80 >> 2 is 0x20. */
	return word | ((from_a & ~past_z & ~word & (0x80 * ONES)) >> 2);
}

static bool
differ8(const char *a, const char *b, size_t len)
{
	uint64_t x = 0, y = 0;

	memcpy(&x, a, len);
	memcpy(&y, b, len);
	return x != y && fold8(x) != fold8(y);
}

bool
slice_eq_nocase(struct slice a, struct slice b)
{
	size_t i;

	if (a.len != b.len)
		return false;
	if (a.len < 8)
		return a.len == 0 || !differ8(a.at, b.at, a.len);
	for (i = 0; i + 8 < a.len; i += 8)
		if (differ8(a.at + i, b.at + i, 8))
			return false;
	return !differ8(a.at + a.len - 8, b.at + a.len - 8, 8);
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
		memcpy(out, "\\u00", 4);
		out[4] = digits[byte >> 4];
		out[5] = digits[byte & 15];
		out += 6;
	}
	return out;
}

size_t
slice_escape_json(char *out, struct slice s, size_t max)
{
	size_t i, shown = s.len < max ? s.len : max;
	char *at = out;

	for (i = 0; i < shown; i++)
		at = escape_byte(at, (unsigned char)s.at[i]);
	if (shown < s.len) {
		memcpy(at, "...", 3);
		at += 3;
	}
	*at = '\0';
	return (size_t)(at - out);
}
