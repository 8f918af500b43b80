/* SPDX-License-Identifier: ISC */
/* http: the fields that the gate looks at, told by length, then first and last
 * byte, then in full; and the characters of RFC 9110 5. */
#include "http.h"

#include <assert.h>

enum { SHORTEST = 2, LONGEST = 30 }; /* bytes of a known name */
#define FIELD_ROW(id, name, class)                                             \
	static_assert(                                                         \
	    sizeof(name) - 1 >= SHORTEST && sizeof(name) - 1 <= LONGEST,       \
	    "field_find() has this length");
HTTP_FIELDS(FIELD_ROW)
#undef FIELD_ROW

static const struct {
	struct slice name;
	enum field_class class;
} rows[FIELD_ID_COUNT] = {{{"", 0}, CLASS_PLAIN},
#define FIELD_ROW(id, name, class) {{name, sizeof(name) - 1}, CLASS_##class},
    HTTP_FIELDS(FIELD_ROW)
#undef FIELD_ROW
};

/* With name.len a constant, only the names of that length are left. The first
 * compares are loose: "| 0x20" folds more than letters. */
static inline __attribute__((always_inline)) enum field_id
find_of_length(const char *at, const size_t len)
{
	struct slice name = {at, len};

#define FIELD_ROW(id, known, class)                                            \
	if (len == sizeof(known) - 1 && (at[0] | 0x20) == (known)[0] &&        \
	    (at[len - 1] | 0x20) == (known)[sizeof(known) - 2] &&              \
	    slice_eq_nocase(name, SLICE(known)))                               \
		return FIELD_##id;
	HTTP_FIELDS(FIELD_ROW)
#undef FIELD_ROW
	return FIELD_OTHER;
}

enum field_id
field_find(struct slice name)
{
#define LENGTH(n)                                                              \
	case n:                                                                \
		return find_of_length(name.at, n);
#define LENGTHS(n) LENGTH(n) LENGTH(n + 1) LENGTH(n + 2) LENGTH(n + 3)
	switch (name.len) {
		LENGTHS(2)
		LENGTHS(6)
		LENGTHS(10)
		LENGTHS(14)
		LENGTHS(18)
		LENGTHS(22)
		LENGTHS(26)
		LENGTH(30)
	default:
		return FIELD_OTHER;
	}
#undef LENGTHS
#undef LENGTH
}

struct slice
field_name(enum field_id id)
{
	assert(id < FIELD_ID_COUNT);
	return rows[id].name;
}

enum field_class
field_class_of(enum field_id id)
{
	assert(id < FIELD_ID_COUNT);
	return rows[id].class;
}

const struct field *
head_field(const struct head *head, enum field_id id)
{
	unsigned i;

	for (i = 0; i < head->field_count; i++)
		if (head->fields[i].id == id)
			return &head->fields[i];
	return NULL;
}

const struct field *
head_named(const struct head *head, struct slice name)
{
	unsigned i;

	for (i = 0; i < head->field_count; i++)
		if (slice_eq_nocase(head->fields[i].name, name))
			return &head->fields[i];
	return NULL;
}

unsigned
head_count(const struct head *head, enum field_id id)
{
	unsigned i, count = 0;

	for (i = 0; i < head->field_count; i++)
		count += head->fields[i].id == id;
	return count;
}

bool
head_has_token(const struct head *head, enum field_id id, struct slice t)
{
	unsigned i;

	for (i = 0; i < head->field_count; i++)
		if (head->fields[i].id == id &&
		    slice_list_has(head->fields[i].value, t))
			return true;
	return false;
}

/* A copy of part that lies in copy, the copy of whole, as part does in whole;
 * or by itself, where part is none of it. */
static struct slice
copy_part(struct slice part, struct slice whole, struct slice copy,
    struct arena *arena)
{
	uintptr_t start = (uintptr_t)part.at, from = (uintptr_t)whole.at;

	if (part.at == NULL || start < from ||
	    start + part.len > from + whole.len)
		return arena_copy(arena, part);
	return (struct slice){copy.at + (start - from), part.len};
}

void
head_copy(struct head *to, const struct head *from, struct arena *arena)
{
	struct field *fields =
	    arena_alloc(arena, from->field_count * sizeof(*fields));
	unsigned i;

	for (i = 0; i < from->field_count; i++)
		fields[i] = (struct field){
		    .name = arena_copy(arena, from->fields[i].name),
		    .value = arena_copy(arena, from->fields[i].value),
		    .id = from->fields[i].id};
	*to = *from;
	to->fields = fields;
	to->method = arena_copy(arena, from->method);
	to->scheme = arena_copy(arena, from->scheme);
	to->authority = arena_copy(arena, from->authority);
	to->target = arena_copy(arena, from->target);
	to->path = copy_part(from->path, from->target, to->target, arena);
	to->query = copy_part(from->query, from->target, to->target, arena);
	to->phrase = arena_copy(arena, from->phrase);
}

bool
is_tchar(unsigned char c)
{
	switch (c) {
	case '0' ... '9':
	case 'A' ... 'Z':
	case 'a' ... 'z':
	case '!':
	case '#':
	case '$':
	case '%':
	case '&':
	case '\'':
	case '*':
	case '+':
	case '-':
	case '.':
	case '^':
	case '_':
	case '`':
	case '|':
	case '~':
		return true;
	default:
		return false;
	}
}

bool
is_token(struct slice s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (!is_tchar((unsigned char)s.at[i]))
			return false;
	return s.len > 0;
}

bool
is_field_value(struct slice s)
{
	unsigned char c;
	size_t i;

	for (i = 0; i < s.len; i++) {
		c = (unsigned char)s.at[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}
