/* SPDX-License-Identifier: ISC */
/* http: the fields that the gate looks at, told by length and then by a few
 * wide compares; and the characters of RFC 9110 5. */
#include "http.h"

#include <assert.h>
#include <inttypes.h>

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

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* All of len bytes, two to eight, some of them twice. Whole loads only: one
 * that is put together in memory would wait for its own stores. */
static ALWAYS_INLINE uint64_t
load(const char *at, const size_t len)
{
	uint32_t first4, last4;
	uint16_t first2, last2;
	uint64_t all;

	if (len == 8) {
		memcpy(&all, at, 8);
	} else if (len >= 4) {
		memcpy(&first4, at, 4);
		memcpy(&last4, at + len - 4, 4);
		all = (uint64_t)first4 << 32 | last4;
	} else {
		memcpy(&first2, at, 2);
		memcpy(&last2, at + len - 2, 2);
		all = (uint64_t)first2 << 16 | last2;
	}
	return all;
}

/* The eight bytes from `from` on, or the last eight; known is lower case. */
static ALWAYS_INLINE bool
same8(const char *at, const char *known, const size_t from, const size_t len)
{
	const size_t n = len < 8 ? len : 8;
	const size_t start = from + n < len ? from : len - n;

	return slice_fold8(load(at + start, n)) == load(known + start, n);
}

static ALWAYS_INLINE bool
same(const char *at, const char *known, const size_t len)
{
	return same8(at, known, 0, len) &&
	       (len <= 8 || same8(at, known, 8, len)) &&
	       (len <= 16 || same8(at, known, 16, len)) &&
	       (len <= 24 || same8(at, known, 24, len));
}
static_assert(SHORTEST >= 2 && LONGEST <= 32, "load(), same() take all names");

/* With len a constant, only the names of that length are left, and a compare
 * is one of words with constants. */
static ALWAYS_INLINE enum field_id
find_of_length(const char *at, const size_t len)
{
#define FIELD_ROW(id, known, class)                                            \
	if (len == sizeof(known) - 1 && same(at, known, sizeof(known) - 1))    \
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
#define LENGTHS(n) LENGTH(n) LENGTH((n) + 1) LENGTH((n) + 2) LENGTH((n) + 3)
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
	struct slice raw = from->raw, all = arena_copy(arena, raw), target;
	struct field *fields =
	    arena_alloc(arena, from->field_count * sizeof(*fields));

	for (unsigned i = 0; i < from->field_count; i++) {
		const struct field *field = &from->fields[i];

		fields[i] = (struct field){
		    .name = copy_part(field->name, raw, all, arena),
		    .value = copy_part(field->value, raw, all, arena),
		    .id = field->id};
	}
	*to = *from;
	to->raw = all;
	to->fields = fields;
	to->method = copy_part(from->method, raw, all, arena);
	to->scheme = copy_part(from->scheme, raw, all, arena);
	to->authority = copy_part(from->authority, raw, all, arena);
	target = copy_part(from->target, raw, all, arena);
	to->target = target;
	to->path = copy_part(from->path, from->target, target, arena);
	to->query = copy_part(from->query, from->target, target, arena);
	to->phrase = copy_part(from->phrase, raw, all, arena);
}

/* As servers fold names into variables: HTTP_X_FORWARDED_FOR. */
static char
fold(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c | 0x20);
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
		return c;
	return '-';
}

bool
field_folds_alike(struct slice name, struct slice other)
{
	if (name.len != other.len)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (fold(name.at[i]) != fold(other.at[i]))
			return false;
	return true;
}

/* The year begins in March here, so that the leap day is its last. */
static void
put_two(char *out, uint64_t number)
{
	out[0] = (char)('0' + number / 10 % 10);
	out[1] = (char)('0' + number % 10);
}

struct slice
http_date(time_t now, struct arena *arena)
{
	static const char days[][4] = {
	    "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
	static const char months[][4] = {"Mar", "Apr", "May", "Jun", "Jul",
	    "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"};
	uint64_t seconds = now > 0 ? (uint64_t)now : 0;
	uint64_t day = seconds / 86400, clock = seconds % 86400;
	uint64_t from_0000 = day + 719468; /* days since 1 March 0000 */
	uint64_t era = from_0000 / 146097, of_era = from_0000 % 146097;
	uint64_t year_of_era =
	    (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year =
	    of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t month = (5 * of_year + 2) / 153;
	uint64_t year = era * 400 + year_of_era + (month >= 10 ? 1 : 0);
	static const char form[] = "Thu, 01 Jan 1970 00:00:00 GMT";
	char *text = arena_alloc(arena, sizeof(form));

	memcpy(text, form, sizeof(form) - 1);
	memcpy(text, days[day % 7], 3);
	put_two(text + 5, of_year - (153 * month + 2) / 5 + 1);
	memcpy(text + 8, months[month], 3);
	put_two(text + 12, year / 100 % 100);
	put_two(text + 14, year % 100);
	put_two(text + 17, clock / 3600);
	put_two(text + 20, clock / 60 % 60);
	put_two(text + 23, clock % 60);
	return (struct slice){text, sizeof(form) - 1};
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
