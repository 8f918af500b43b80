/* SPDX-License-Identifier: ISC */
/* mem: memory that cannot fail to come (the process dies in here, limits come
 * first), arenas for what lives as long as one exchange, and buffers. */
#ifndef MEM_H
#define MEM_H

#include <stddef.h>
#include <stdint.h>

#include "slice.h"

void *mem_alloc(size_t size);		   /* zeroed; free() it */
void *mem_realloc(void *old, size_t size); /* grown part not zeroed */
char *mem_strdup(const char *s);
char *mem_strndup(struct slice s); /* NUL-terminated */

/* A free list of equal blocks, last in first out, of one thread. Blocks past
 * `keep` go back to malloc. */
struct pool {
	size_t size; /* bytes of a block */
	unsigned keep, free_count;
	void *free; /* list through the first word of each block */
};
void pool_init(struct pool *pool, size_t block_size, unsigned keep);
void *pool_get(struct pool *pool); /* not zeroed */
void pool_put(struct pool *pool, void *block);
void pool_done(struct pool *pool);

/* Bump allocation; everything goes at once. Blocks come from the pool; a
 * request larger than a block is malloced and freed with the arena. */
struct arena {
	struct pool *pool; /* borrowed: outlives the arena; NULL: malloc */
	void *blocks;	   /* list of blocks, newest first */
	char *at, *end;
};
void arena_init(struct arena *arena, struct pool *pool);
void *arena_alloc(
    struct arena *arena, size_t size); /* aligned 16, not zeroed */
struct slice arena_copy(struct arena *arena, struct slice s);
/* One after the other. */
struct slice arena_join(
    struct arena *arena, const struct slice *parts, unsigned count);
struct slice arena_number(struct arena *arena, uint64_t number); /* decimal */
/* printf into the arena, for where it is rare; NUL-terminated, the slice is
 * without the NUL. */
struct slice arena_printf(struct arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void arena_done(struct arena *arena); /* reusable afterwards */

/* A queue of bytes, [start, end) of one block; grows by doubling, so the
 * caller checks his limit first. Holds no memory while empty and after
 * buffer_release. Blocks of exactly pool->size come from the pool. */
struct buffer {
	struct pool *pool; /* borrowed; NULL: malloc */
	char *base;
	uint32_t cap, start, end;
};
void buffer_init(struct buffer *b, struct pool *pool);
char *buffer_reserve(struct buffer *b, size_t n); /* room for n more at end */
void buffer_append(struct buffer *b, struct slice s);
void buffer_consume(struct buffer *b, size_t n); /* from the start */
struct slice buffer_slice(const struct buffer *b);
static inline size_t
buffer_len(const struct buffer *b)
{
	return b->end - b->start;
}
void buffer_release(struct buffer *b); /* drops content and memory */

#endif
