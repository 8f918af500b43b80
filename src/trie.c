/* SPDX-License-Identifier: ISC */
/* trie: all nodes but the root stand in one open-addressing table, keyed by
 * parent and segment. A node is one cache line with its key in it, so that a
 * step down costs one miss however many patterns there are.
 *
 *   /users           1 --"users"--> 2 [prefix]
 *   /users/<star>               2 --star--> 3 [prefix]
 *   = /users/me                 2 --"me"--> 4 [exact]
 *
 * The keys are the operator's, so a client can't lengthen a probe, and what he
 * sends is hashed only up to the longest segment of any pattern. */
#include "trie.h"

#include <assert.h>
#include <stdlib.h>

#include "mem.h"

#define ROOT 1u
#define NODES_AT_FIRST 16u
#define KEY_INSIDE 24u
/* The child for "*" has this bit in its parent and an empty key, so that no
 * segment of a client finds it as a literal one, "*" included. */
#define STAR 0x80000000u

struct node {
	void *exact, *prefix;
	uint32_t number; /* 0: empty place */
	uint32_t parent;
	uint32_t hash;
	uint32_t len; /* bytes of the key */
	bool has_literal, has_star;
	union {
		char inside[KEY_INSIDE];
		const char *outside; /* longer ones: in the arena */
	} key;
};

struct trie {
	struct node root;
	struct node *nodes;
	uint32_t count, cap; /* cap: power of two, half full at most */
	size_t segment_max;  /* bytes of the longest key */
	bool sealed;
	uint64_t *below; /* by number - ROOT; NULL: never measured */
	uint64_t (*bits)(const void *value);
	struct arena arena;
};

/* One lookup under way. Candidates come literal before "*", so that of equal
 * ones the first is kept. */
struct search {
	const struct trie *trie;
	struct slice path;
	size_t depth_max; /* segments that a prefix may have */
	bool exact_too;
	void *best;
	size_t best_depth; /* segments */
	bool best_exact;
	uint64_t below; /* of the nodes that the whole path leads to */
};

static uint32_t
key_hash(uint32_t parent, struct slice segment)
{
	const uint64_t odd = 0x9e3779b97f4a7c15;
	uint64_t word, sum = (parent + segment.len * 0x100000001) * odd;

	for (; segment.len >= sizeof(word); segment.len -= sizeof(word)) {
		memcpy(&word, segment.at, sizeof(word));
		sum = (sum ^ (sum >> 29) ^ word) * odd;
		segment.at += sizeof(word);
	}
	word = 0;
	if (segment.len > 0)
		memcpy(&word, segment.at, segment.len);
	sum = (sum ^ (sum >> 29) ^ word) * odd;
	return (uint32_t)(sum >> 32);
}

static struct slice
node_key(const struct node *node)
{
	return (struct slice){
	    node->len <= KEY_INSIDE ? node->key.inside : node->key.outside,
	    node->len};
}

/* The node of the key, or the empty place where it would stand. */
static struct node *
node_at(const struct trie *trie, uint32_t parent, struct slice segment,
    uint32_t hash)
{
	uint32_t mask = trie->cap - 1, i = hash & mask;
	struct node *node;

	for (;; i = (i + 1) & mask) {
		node = &trie->nodes[i];
		if (node->number == 0)
			return node;
		if (node->hash == hash && node->parent == parent &&
		    slice_eq(segment, node_key(node)))
			return node;
	}
}

static const struct node *
child_of(const struct trie *trie, uint32_t parent, struct slice segment)
{
	return node_at(trie, parent, segment, key_hash(parent, segment));
}

/* Makes room for so many more nodes; all pointers to nodes are void then. */
static void
reserve(struct trie *trie, size_t more)
{
	struct node *old = trie->nodes;
	uint32_t i, old_cap = trie->cap;

	assert(trie->count + more < STAR / 4);
	while (trie->count + more > trie->cap / 2)
		trie->cap *= 2;
	if (trie->cap == old_cap)
		return;
	trie->nodes = mem_alloc(trie->cap * sizeof(*old));
	for (i = 0; i < old_cap; i++)
		if (old[i].number != 0)
			*node_at(trie, old[i].parent, node_key(&old[i]),
			    old[i].hash) = old[i];
	free(old);
}

/* There is room. */
static struct node *
add_node(struct trie *trie, uint32_t parent, struct slice segment)
{
	uint32_t hash = key_hash(parent, segment);
	struct node *node = node_at(trie, parent, segment, hash);

	if (node->number != 0)
		return node;
	trie->count++;
	node->number = ROOT + trie->count;
	node->parent = parent;
	node->hash = hash;
	node->len = (uint32_t)segment.len;
	if (segment.len > KEY_INSIDE)
		node->key.outside = arena_copy(&trie->arena, segment).at;
	else if (segment.len > 0)
		memcpy(node->key.inside, segment.at, segment.len);
	if (segment.len > trie->segment_max)
		trie->segment_max = segment.len;
	return node;
}

static struct node *
add_child(struct trie *trie, struct node *parent, struct slice segment)
{
	if (slice_eq(segment, SLICE("*"))) {
		parent->has_star = true;
		return add_node(trie, parent->number | STAR, SLICE(""));
	}
	parent->has_literal = true;
	return add_node(trie, parent->number, segment);
}

/* The segment behind the '/' at *at; *at moves to the next '/' or the end. */
static struct slice
next_segment(struct slice path, size_t *at)
{
	size_t from = *at + 1;

	*at = slice_find(path, '/', from);
	return (struct slice){path.at + from, *at - from};
}

static void
consider(struct search *search, void *value, size_t depth, bool exact)
{
	if (value == NULL)
		return;
	if (search->best != NULL &&
	    (depth < search->best_depth || (depth == search->best_depth &&
					       (search->best_exact || !exact))))
		return;
	search->best = value;
	search->best_depth = depth;
	search->best_exact = exact;
}

static size_t
count_segments(struct slice path)
{
	size_t at, count = 0;

	for (at = 0; at < path.len; count++)
		next_segment(path, &at);
	return count;
}

/* As deep as the patterns are; a branch only where one of them has "*". */
static void
walk(struct search *search, const struct node *node, size_t at, size_t depth)
{
	const struct trie *trie = search->trie;
	const struct node *child;
	struct slice segment;

	if (depth <= search->depth_max)
		consider(search, node->prefix, depth, false);
	if (at == search->path.len) {
		if (trie->below != NULL)
			search->below &= trie->below[node->number - ROOT];
		if (search->exact_too)
			consider(search, node->exact, depth, true);
		return;
	}
	if (!node->has_literal && !node->has_star)
		return;
	segment = next_segment(search->path, &at);
	if (node->has_literal && segment.len <= trie->segment_max) {
		child = child_of(trie, node->number, segment);
		if (child->number != 0)
			walk(search, child, at, depth + 1);
	}
	if (node->has_star && segment.len > 0)
		walk(search, child_of(trie, node->number | STAR, SLICE("")), at,
		    depth + 1);
}

struct trie *
trie_new(void)
{
	struct trie *trie = mem_alloc(sizeof(*trie));

	arena_init(&trie->arena, NULL);
	trie->root.number = ROOT;
	trie->cap = NODES_AT_FIRST;
	trie->nodes = mem_alloc(trie->cap * sizeof(*trie->nodes));
	return trie;
}

void
trie_free(struct trie *trie)
{
	if (trie == NULL)
		return;
	free(trie->nodes);
	free(trie->below);
	arena_done(&trie->arena);
	free(trie);
}

void *
trie_add(struct trie *trie, struct slice pattern, bool exact, void *value)
{
	struct node *node = &trie->root;
	size_t at = 0;
	void **place;

	assert(!trie->sealed && value != NULL);
	assert(pattern.len > 0 && pattern.at[0] == '/');
	reserve(trie, count_segments(pattern));
	/* The prefix "/" has no segment; the path "/" has one, an empty one. */
	if (!exact && pattern.len == 1)
		at = 1;
	while (at < pattern.len)
		node = add_child(trie, node, next_segment(pattern, &at));
	place = exact ? &node->exact : &node->prefix;
	if (*place != NULL)
		return *place;
	*place = value;
	return NULL;
}

static uint64_t
bits_of(const struct trie *trie, const void *value)
{
	return value != NULL ? trie->bits(value) : ~(uint64_t)0;
}

/* Children have higher numbers than their parents, so from the last to the
 * first every node is complete when it is added to the one above. */
void
trie_measure(struct trie *trie, uint64_t (*bits)(const void *value))
{
	const struct node **nodes =
	    mem_alloc((trie->count + 1) * sizeof(*nodes));
	uint32_t i;

	assert(!trie->sealed && trie->below == NULL);
	trie->bits = bits;
	trie->below = mem_alloc((trie->count + 1) * sizeof(*trie->below));
	memset(trie->below, 0xff, (trie->count + 1) * sizeof(*trie->below));
	for (i = 0; i < trie->cap; i++)
		if (trie->nodes[i].number != 0)
			nodes[trie->nodes[i].number - ROOT] = &trie->nodes[i];
	for (i = trie->count; i > 0; i--)
		trie->below[(nodes[i]->parent & ~STAR) - ROOT] &=
		    trie->below[i] & bits_of(trie, nodes[i]->exact) &
		    bits_of(trie, nodes[i]->prefix);
	free(nodes);
}

void
trie_seal(struct trie *trie)
{
	assert(!trie->sealed);
	trie->sealed = true;
}

void *
trie_find(const struct trie *trie, struct slice path)
{
	struct search search = {.trie = trie,
	    .path = path,
	    .depth_max = SIZE_MAX,
	    .exact_too = true};

	if (path.len == 0 || path.at[0] != '/')
		return NULL;
	walk(&search, &trie->root, 0, 0);
	return search.best;
}

uint64_t
trie_below(const struct trie *trie, struct slice path)
{
	struct search search = {.trie = trie,
	    .path = path,
	    .depth_max = SIZE_MAX,
	    .below = ~(uint64_t)0};

	if (path.len == 0 || path.at[0] != '/' || trie->below == NULL)
		return search.below;
	if (path.at[path.len - 1] == '/')
		search.path.len--;
	walk(&search, &trie->root, 0, 0);
	return search.below & bits_of(trie, search.best);
}

void *
trie_parent(const struct trie *trie, struct slice pattern)
{
	struct search search = {.trie = trie, .path = pattern};

	if (pattern.len < 2 || pattern.at[0] != '/')
		return NULL;
	/* A "*" of the pattern finds no literal node, so it is below "*" only.
	 */
	search.depth_max = count_segments(pattern) - 1;
	walk(&search, &trie->root, 0, 0);
	return search.best;
}
