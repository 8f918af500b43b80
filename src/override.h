/* SPDX-License-Identifier: ISC */
/* override: the places in which a request names the method that the application
 * will really run, and what it names there. Names and values are judged as
 * frameworks read them (override.def): what any of them would read counts.
 * Pure, no allocation. Bodies are override_scan's. */
#ifndef OVERRIDE_H
#define OVERRIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "http.h"
#include "method.h"

enum override_place {
	OVERRIDE_HEADER,
	OVERRIDE_COOKIE,
	OVERRIDE_QUERY,
	OVERRIDE_FORM,
	OVERRIDE_MULTIPART,
	OVERRIDE_JSON,
	OVERRIDE_PLACES
};
const char *override_place_word(enum override_place place); /* "header" */

/* A row of override.def. */
enum override {
#define OVERRIDE(id, place, name, who, wire) OVERRIDE_BY_##id,
#include "override.def"
#undef OVERRIDE
	OVERRIDE_COUNT
};
struct override_row {
	enum override_place place;
	struct slice name; /* folded as names are judged */
	const char *who;   /* who honours it: "Rails, Laravel" */
	const char *wire;  /* from which wire methods: "POST", "any" */
};
const struct override_row *override_row(enum override row);

#define OVERRIDE_TOKENS 8 /* distinct (row, token) pairs that are kept */

struct override_token {
	enum override row;
	uint8_t len; /* bytes of token; of a longer one the first, and `cut` */
	bool cut;    /* longer than any method: it can be no allowed one */
	char token[METHOD_TOKEN_MAX + 1]; /* trimmed, upper-cased, NUL-ended */
};
/* What one request names. Zero it first. An empty value names nothing. */
struct override_set {
	struct override_token token[OVERRIDE_TOKENS];
	unsigned count;
	bool full;	 /* there were more: to be taken as a conflict */
	bool unreadable; /* servers read the body differently, and one of them
			    may find an override: like
			    OVERRIDE_BODY_UNREADABLE */
};

/* True when the row's value is a path of the application's and no method: it
 * matters where the site's path_params have that name. */
bool override_is_path(enum override row);
/* True when the name is one of the table's headers: every byte that is not
 * alphanumeric read as '-', case folded. Cheap for names that are not. */
bool override_is_header(struct slice name);
/* Every member of the comma list of every such field, and cookies. */
void override_read_head(const struct head *head, struct override_set *set);
/* Parameters of a query: separators '&' and ';', names and values decoded. */
void override_read_query(struct slice query, struct override_set *set);

/* What the readers of bodies are made of; private to override_*. */

static inline char
override_lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		c = (char)(c | 0x20);
	return c;
}
int override_hex(char c); /* 0 to 15, or -1 */

/* A name, byte by byte, decoded already: leading blanks and brackets dropped,
 * '.' and ' ' read as '_', cut at NUL and brackets, case folded. */
struct override_name {
	uint32_t rows; /* a bit for each that starts with these bytes */
	uint8_t len;
	bool cut;
};
uint32_t override_rows_of(enum override_place place);
void override_name_start(struct override_name *name, uint32_t rows);
void override_name_put(struct override_name *name, char c);
uint32_t override_name_match(const struct override_name *name); /* whole */

/* A value, byte by byte: a comma list of tokens, for each of the rows. */
struct override_value {
	uint32_t rows;
	uint8_t len, end; /* bytes held; those without white space after */
	bool cut;
	char token[METHOD_TOKEN_MAX];
};
void override_value_start(struct override_value *value, uint32_t rows);
void override_value_put(
    struct override_value *value, char c, struct override_set *set);
void override_value_end(struct override_value *value, struct override_set *set);

/* A percent-escape: %XX, or %uXXXX as ASP and ASP.NET read it. */
struct override_escape {
	uint8_t len; /* 0: none has begun; its '%' is the caller's to put */
	char byte[6];
};
enum { ESCAPE_MORE = -1, ESCAPE_BAD = -2 };
/* The byte that it stands for (not ASCII: 0xff), or one of the above; BAD: c is
 * not part of it, and what is held stands for itself. */
int override_escape_next(struct override_escape *escape, char c);

/* application/x-www-form-urlencoded, in pieces. */
struct override_params {
	uint32_t rows;
	uint8_t state;
	struct override_escape escape;
	struct override_name name;
	struct override_value value;
};
void override_params_init(
    struct override_params *params, enum override_place place);
void override_params_feed(struct override_params *params, struct slice piece,
    struct override_set *set);
void override_params_end(
    struct override_params *params, struct override_set *set);

/* First index of a or b at or after from, or s.len; as fast as memchr. */
size_t override_find(struct slice s, size_t from, char a, char b);

#endif
