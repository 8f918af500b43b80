/* SPDX-License-Identifier: ISC */
/* method: all that is known of methods is made from method.def. A token is
 * told by its length first, then by one or two wide compares. */
#include "method.h"

#include <assert.h>
#include <stddef.h>

static_assert((int)METHOD_REGISTERED < (int)METHOD_MAX, "room for own ones");

enum { SHORTEST = 3, LONGEST = 17 }; /* bytes of a registered name */
#define METHOD(id, name, safe, idempotent, allowable, content, tree)           \
	static_assert(                                                         \
	    sizeof(name) - 1 >= SHORTEST && sizeof(name) - 1 <= LONGEST,       \
	    "find_registered() has this length");
#include "method.def"
#undef METHOD

static const struct row {
	struct slice name;
	bool safe, idempotent, allowable, content;
	enum method_tree tree;
} rows[METHOD_REGISTERED] = {
#define METHOD(id, name, safe, idempotent, allowable, content, tree)           \
	{{name, sizeof(name) - 1}, safe, idempotent, allowable, content,       \
	    TREE_##tree},
#include "method.def"
#undef METHOD
};

static const struct named_set {
	const char *name, *members;
} named_sets[] = {
#define METHOD(id, name, safe, idempotent, allowable, content, tree)
#define METHOD_SET(name, members) {name, members},
#include "method.def"
#undef METHOD_SET
#undef METHOD
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* With len a constant, only the names of that length are left. */
static inline __attribute__((always_inline)) unsigned
find_of_length(const char *at, const size_t len)
{
#define METHOD(id, name, safe, idempotent, allowable, content, tree)           \
	if (len == sizeof(name) - 1 &&                                         \
	    memcmp(at, name, sizeof(name) - 1) == 0)                           \
		return METHOD_##id;
#include "method.def"
#undef METHOD
	return METHOD_NONE;
}

static unsigned
find_registered(struct slice token)
{
#define LENGTH(n)                                                              \
	case n:                                                                \
		return find_of_length(token.at, n);
	switch (token.len) {
		LENGTH(3)
		LENGTH(4)
		LENGTH(5)
		LENGTH(6)
		LENGTH(7)
		LENGTH(8)
		LENGTH(9)
		LENGTH(10)
		LENGTH(11)
		LENGTH(12)
		LENGTH(13)
		LENGTH(14)
		LENGTH(15)
		LENGTH(16)
		LENGTH(17)
	default:
		return METHOD_NONE;
	}
#undef LENGTH
}

unsigned
method_find(struct slice token, const struct method_names *own)
{
	unsigned i, method = find_registered(token);

	if (method != METHOD_NONE || own == NULL)
		return method;
	for (i = 0; i < own->count; i++)
		if (slice_eq(token, own->name[i]))
			return METHOD_REGISTERED + i;
	return METHOD_NONE;
}

/* One past the highest number in use. */
static unsigned
method_end(const struct method_names *own)
{
	return METHOD_REGISTERED + (own != NULL ? own->count : 0);
}

unsigned
method_find_nocase(struct slice token, const struct method_names *own)
{
	unsigned i, end = method_end(own);

	for (i = 0; i < end; i++)
		if (slice_eq_nocase(token, method_name(i, own)))
			return i;
	return METHOD_NONE;
}

struct slice
method_name(unsigned method, const struct method_names *own)
{
	if (method < METHOD_REGISTERED)
		return rows[method].name;
	if (method < method_end(own))
		return own->name[method - METHOD_REGISTERED];
	return SLICE_NONE;
}

bool
method_is_safe(unsigned method)
{
	return method < METHOD_REGISTERED && rows[method].safe;
}

bool
method_is_idempotent(unsigned method)
{
	return method < METHOD_REGISTERED && rows[method].idempotent;
}

bool
method_has_content(unsigned method)
{
	return method < METHOD_REGISTERED && rows[method].content;
}

enum method_tree
method_tree_of(unsigned method)
{
	return method < METHOD_REGISTERED ? rows[method].tree : TREE_NO;
}

bool
method_is_allowable(unsigned method)
{
	if (method < METHOD_REGISTERED)
		return rows[method].allowable;
	return method < METHOD_MAX;
}

method_set
method_named_set(struct slice name)
{
	struct slice rest = SLICE_NONE, member;
	method_set set = 0;
	unsigned method;
	size_t i;

	for (i = 0; i < COUNT(named_sets); i++)
		if (slice_eq(name, slice_of(named_sets[i].name)))
			rest = slice_of(named_sets[i].members);
	while (slice_next(&rest, ' ', &member)) {
		method = method_find(member, NULL);
		assert(method_is_allowable(method));
		set |= method_bit(method);
	}
	return set;
}

const char *
method_named_set_name(unsigned i)
{
	return i < COUNT(named_sets) ? named_sets[i].name : NULL;
}

size_t
method_set_print(
    method_set set, const struct method_names *own, char *out, size_t size)
{
	size_t len = 0;
	unsigned i, end = method_end(own);

	assert(size > 0);
	for (i = 0; i < end; i++) {
		struct slice name = method_name(i, own);
		size_t comma = len > 0 ? 2 : 0;

		if ((set & method_bit(i)) == 0)
			continue;
		if (len + comma + name.len + 1 > size)
			break;
		memcpy(out + len, ", ", comma);
		memcpy(out + len + comma, name.at, name.len);
		len += comma + name.len;
	}
	out[len] = '\0';
	return len;
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static int
upper(char c)
{
	return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
}

/* Insertions, deletions, changes and swaps of neighbours that make one of the
 * other, case folded; both at most METHOD_TOKEN_MAX bytes. */
static unsigned
edits(struct slice a, struct slice b)
{
	unsigned row[METHOD_TOKEN_MAX + 1][METHOD_TOKEN_MAX + 1];
	size_t i, j;

	for (i = 0; i <= a.len; i++)
		for (j = 0; j <= b.len; j++) {
			if (i == 0 || j == 0) {
				row[i][j] = (unsigned)(i + j);
				continue;
			}
			row[i][j] = least(row[i - 1][j], row[i][j - 1]) + 1;
			row[i][j] = least(row[i][j],
			    row[i - 1][j - 1] +
				(upper(a.at[i - 1]) != upper(b.at[j - 1])));
			if (i > 1 && j > 1 &&
			    upper(a.at[i - 1]) == upper(b.at[j - 2]) &&
			    upper(a.at[i - 2]) == upper(b.at[j - 1]))
				row[i][j] =
				    least(row[i][j], row[i - 2][j - 2] + 1);
		}
	return row[a.len][b.len];
}

struct slice
method_nearest(struct slice token, const struct method_names *own)
{
	struct slice nearest = SLICE_NONE;
	unsigned i, end = method_end(own);
	size_t distance, best = 3;

	if (token.len > METHOD_TOKEN_MAX)
		return nearest;
	for (i = 0; i < end; i++) {
		struct slice name = method_name(i, own);

		/* Nobody is helped by the name of one that is refused. */
		if (!method_is_allowable(i) || name.len > METHOD_TOKEN_MAX)
			continue;
		distance = edits(token, name);
		/* Short names are all near each other. */
		if (distance < best &&
		    (distance * 3 <= token.len || distance * 3 <= name.len)) {
			best = distance;
			nearest = name;
		}
	}
	return nearest;
}
