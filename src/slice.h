/* SPDX-License-Identifier: ISC */
/* slice: a borrowed run of bytes. It owns nothing and never outlives the
 * buffer that it points into. Bytes are compared as bytes: no locale. */
#ifndef SLICE_H
#define SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *at; /* borrowed */
	size_t len;	/* bytes */
};

#define SLICE(lit) ((struct slice){"" lit, sizeof(lit) - 1})
#define SLICE_NONE ((struct slice){NULL, 0})
/* For printf("%.*s", SLICE_ARG(s)); only for bytes already known harmless. */
#define SLICE_ARG(s) (int)(s).len, (s).at

static inline struct slice
slice_of(const char *cstring)
{
	return (struct slice){cstring, strlen(cstring)};
}

static inline bool
slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Eight bytes with the letters of ASCII in lower case. */
static inline uint64_t
slice_fold8(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t seven = word & (0x7f * ones);
	uint64_t from_a = seven + (0x80 - 'A') * ones;
	uint64_t past_z = seven + (0x7f - 'Z') * ones;

	/* The top bit of each byte is set for 'A' to 'Z'; 0x80 >> 2 is 0x20. */
	return word | ((from_a & ~past_z & ~word & (0x80 * ones)) >> 2);
}

/* ASCII case folded; for field names, hosts, schemes: never for methods. */
bool slice_eq_nocase(struct slice a, struct slice b);
bool slice_starts(struct slice s, struct slice prefix);
/* First index of c at or after from, or s.len. */
size_t slice_find(struct slice s, char c, size_t from);
/* Without leading and trailing SP and HTAB (OWS, RFC 9110 5.6.3). */
struct slice slice_trim(struct slice s);
/* Takes the next element of a list split at sep off *rest, trimmed; false when
 * nothing is left. Empty elements are skipped (RFC 9110 5.6.1). Quoted strings
 * are not understood: only for lists of tokens. */
bool slice_next(struct slice *rest, char sep, struct slice *element);
/* True when the comma list holds the token, ASCII case folded. */
bool slice_list_has(struct slice list, struct slice token);
/* Digits only, at most 19 of them, no sign; false on anything else or empty. */
bool slice_to_u64(struct slice s, uint64_t *out);
/* Writes s, and the end of what was written. */
static inline char *
slice_put(char *out, struct slice s)
{
	if (s.len > 0)
		memcpy(out, s.at, s.len);
	return out + s.len;
}
#define SLICE_DIGITS 20 /* of a number at most */
/* Writes the number in decimal, and its end. */
char *slice_put_u64(char *out, uint64_t number);
/* Appends a NUL-terminated, escaped, bounded copy for logs and JSON: control
 * bytes, non-ASCII, quote and backslash become \u00XX; at most max source
 * bytes, then "..." Returns the number of bytes written to out (without NUL),
 * which needs 6 * min(len, max) + 4 bytes. */
size_t slice_escape_json(char *out, struct slice s, size_t max);

#endif
