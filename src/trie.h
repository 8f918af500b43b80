/* SPDX-License-Identifier: ISC */
/* trie: location patterns by whole path segments. The cost of a lookup depends
 * on the path's segments, not on the number of patterns: children are found in
 * one hash table keyed by (parent, segment), and every byte is compared. */
#ifndef TRIE_H
#define TRIE_H

#include <stdbool.h>

#include "slice.h"

struct trie;

struct trie *trie_new(void);
void trie_free(struct trie *trie);
/* pattern starts with '/'; "/" is the root prefix; a segment that is "*" stands
 * for one whole, non-empty segment. exact: only this path; else this path and
 * everything below it, by whole segments. Nothing is normalized: the prefix
 * "/a/" is the segments "a" and "", so it does not cover "/a/b". The pattern is
 * copied, the value is never NULL. Returns NULL, or the value that stands there
 * already (nothing is changed then). */
void *trie_add(
    struct trie *trie, struct slice pattern, bool exact, void *value);
/* What trie_below tells: bits of a value. Before trie_seal; not needed. */
void trie_measure(struct trie *trie, uint64_t (*bits)(const void *value));
/* To be called once after the last trie_add: from then on it never changes. */
void trie_seal(struct trie *trie);
/* The value of the best pattern for a raw path, or NULL: more segments win,
 * then exact over prefix, then a literal segment over "*" (leftmost decides).
 * Nothing is decoded; "/a/" is the segments "a" and "". */
void *trie_find(const struct trie *trie, struct slice path);
/* The bits that all values have in common that may decide for a path below this
 * one: of every pattern further down, and of the prefix that covers the rest. A
 * '/' at the end of the path is passed over. All ones where there is none. */
uint64_t trie_below(const struct trie *trie, struct slice path);
/* The longest prefix pattern with fewer segments that covers all of what the
 * pattern stands for, or NULL. */
void *trie_parent(const struct trie *trie, struct slice pattern);

#endif
