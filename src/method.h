/* SPDX-License-Identifier: ISC */
/* method: the registered methods, sets of them as bits, and a site's own
 * names. Tokens are compared byte for byte, never folded (RFC 9110 9.1). */
#ifndef METHOD_H
#define METHOD_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

enum method {
#define METHOD(id, name, safe, idempotent, allowable, content, tree)           \
	METHOD_##id,
#include "method.def"
#undef METHOD
	METHOD_REGISTERED, /* count; a site's own methods are numbered from here
			    */
	METHOD_MAX = 64,
	METHOD_NONE = 255
};

#define METHOD_TOKEN_MAX 32 /* bytes; longer: 501 (RFC 9112 3) */
typedef uint64_t method_set;

static inline method_set
method_bit(unsigned method)
{
	return method < METHOD_MAX ? (method_set)1 << method : 0;
}

/* A site's own methods (PURGE, LIST), numbered METHOD_REGISTERED + i. */
struct method_names {
	unsigned count; /* at most METHOD_MAX - METHOD_REGISTERED */
	struct slice
	    name[METHOD_MAX - METHOD_REGISTERED]; /* borrowed: config */
};

/* The number of the token, or METHOD_NONE. own may be NULL. A few ns. */
unsigned method_find(struct slice token, const struct method_names *own);
/* A method that equals the token but for case, or METHOD_NONE. */
unsigned method_find_nocase(struct slice token, const struct method_names *own);
struct slice method_name(unsigned method, const struct method_names *own);
bool method_is_safe(unsigned method);	    /* own ones: false */
bool method_is_idempotent(unsigned method); /* own ones: false */
/* A length of 0 is said where content would have a meaning (RFC 9110 8.6). */
bool method_has_content(unsigned method);  /* own ones: false */
bool method_is_allowable(unsigned method); /* not CONNECT, TRACE, PRI */
/* When a method acts on all that lies below its target, by its Depth. */
enum method_tree { TREE_NO, TREE_ALWAYS, TREE_UNLESS_0, TREE_UNLESS_0_1 };
enum method_tree method_tree_of(unsigned method); /* own ones: NO */
/* Members of "@webdav" and its like; 0 when there is no such set. */
method_set method_named_set(struct slice name);
/* The i-th named set's name, or NULL past the last. */
const char *method_named_set_name(unsigned i);
/* "GET, HEAD, POST" in table order, as in Allow (RFC 9110 10.2.1); at most
 * size bytes with NUL; returns the length. METHOD_LIST_MAX always suffices. */
#define METHOD_LIST_MAX (METHOD_MAX * (METHOD_TOKEN_MAX + 2) + 1)
size_t method_set_print(
    method_set set, const struct method_names *own, char *out, size_t size);
/* The registered or own name nearest to a misspelt one, or SLICE_NONE. */
struct slice method_nearest(struct slice token, const struct method_names *own);

#endif
