/* SPDX-License-Identifier: ISC */
/* mem: checked allocation, pools of equal blocks, arenas and buffers. Free
 * pool blocks are poisoned where AddressSanitizer looks on. */
#include "mem.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

#include "log.h"

#define ALIGNMENT 16
#define ARENA_BLOCK 8192  /* bytes, without a pool */
#define BUFFER_BLOCK 4096 /* bytes, without a pool */

static void *
must(void *got)
{
	if (got == NULL)
		log_fatal("out of memory");
	return got;
}

/* malloc(0) may give NULL. */
static void *
take(size_t size)
{
	return must(malloc(size > 0 ? size : 1));
}

void *
mem_alloc(size_t size)
{
	return must(calloc(1, size > 0 ? size : 1));
}

void *
mem_realloc(void *old, size_t size)
{
	return must(realloc(old, size > 0 ? size : 1));
}

char *
mem_strdup(const char *s)
{
	return mem_strndup(slice_of(s));
}

char *
mem_strndup(struct slice s)
{
	char *copy = take(s.len + 1);

	if (s.len > 0)
		memcpy(copy, s.at, s.len);
	copy[s.len] = '\0';
	return copy;
}

/* ---- pool ---- */

void
pool_init(struct pool *pool, size_t block_size, unsigned keep)
{
	*pool = (struct pool){.size = block_size, .keep = keep};
	if (pool->size < sizeof(void *))
		pool->size = sizeof(void *);
}

void *
pool_get(struct pool *pool)
{
	void *block = pool->free;

	if (block == NULL)
		return take(pool->size);
	ASAN_UNPOISON_MEMORY_REGION(block, pool->size);
	memcpy(&pool->free, block, sizeof(pool->free));
	pool->free_count--;
	return block;
}

void
pool_put(struct pool *pool, void *block)
{
	if (block == NULL)
		return;
	if (pool->free_count >= pool->keep) {
		free(block);
		return;
	}
	memcpy(block, &pool->free, sizeof(pool->free));
	pool->free = block;
	pool->free_count++;
	ASAN_POISON_MEMORY_REGION(block, pool->size);
}

void
pool_done(struct pool *pool)
{
	while (pool->free != NULL)
		free(pool_get(pool));
}

/* ---- arena ---- */

struct block {
	alignas(ALIGNMENT) struct block *next;
	bool pooled;
};
static_assert(sizeof(struct block) % ALIGNMENT == 0, "content is aligned");

void
arena_init(struct arena *arena, struct pool *pool)
{
	assert(pool == NULL || pool->size > sizeof(struct block));
	*arena = (struct arena){.pool = pool};
}

static size_t
block_room(const struct arena *arena)
{
	size_t size = arena->pool != NULL ? arena->pool->size : ARENA_BLOCK;

	return (size - sizeof(struct block)) / ALIGNMENT * ALIGNMENT;
}

/* Stands behind the newest block, which goes on being filled. */
static void *
alloc_large(struct arena *arena, size_t size)
{
	struct block *block = take(sizeof(*block) + size);
	struct block *newest = arena->blocks;

	*block = (struct block){.next = NULL, .pooled = false};
	if (newest == NULL) {
		arena->blocks = block;
	} else {
		block->next = newest->next;
		newest->next = block;
	}
	return block + 1;
}

static void
add_block(struct arena *arena)
{
	size_t room = block_room(arena);
	struct block *block = arena->pool != NULL ? pool_get(arena->pool)
						  : take(sizeof(*block) + room);

	*block = (struct block){
	    .next = arena->blocks, .pooled = arena->pool != NULL};
	arena->blocks = block;
	arena->at = (char *)(block + 1);
	arena->end = arena->at + room;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	char *at;

	if (size > PTRDIFF_MAX - 2 * sizeof(struct block))
		log_fatal("out of memory");
	size = size > 0 ? (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT
			: ALIGNMENT;
	if (size > (size_t)(arena->end - arena->at)) {
		if (size > block_room(arena))
			return alloc_large(arena, size);
		add_block(arena);
	}
	at = arena->at;
	arena->at += size;
	return at;
}

struct slice
arena_copy(struct arena *arena, struct slice s)
{
	char *copy;

	/* An empty slice that is there stays apart from SLICE_NONE. */
	if (s.len == 0)
		return s.at != NULL ? SLICE("") : SLICE_NONE;
	copy = arena_alloc(arena, s.len);
	memcpy(copy, s.at, s.len);
	return (struct slice){copy, s.len};
}

struct slice
arena_join(struct arena *arena, const struct slice *parts, unsigned count)
{
	size_t len = 0;
	char *text, *at;

	for (unsigned i = 0; i < count; i++)
		len += parts[i].len;
	at = text = arena_alloc(arena, len);
	for (unsigned i = 0; i < count; i++)
		at = slice_put(at, parts[i]);
	return (struct slice){text, len};
}

struct slice
arena_number(struct arena *arena, uint64_t number)
{
	char *text = arena_alloc(arena, SLICE_DIGITS);

	return (struct slice){
	    text, (size_t)(slice_put_u64(text, number) - text)};
}

struct slice
arena_printf(struct arena *arena, const char *fmt, ...)
{
	size_t room = (size_t)(arena->end - arena->at), size;
	va_list args;
	char *text;
	int n;

	va_start(args, fmt);
	n = vsnprintf(arena->at, room, fmt, args);
	va_end(args);
	if (n < 0)
		log_fatal("printf failed format=\"%s\"", fmt);
	size = (size_t)n + 1;
	text = arena_alloc(arena, size);
	if (size > room) {
		va_start(args, fmt);
		vsnprintf(text, size, fmt, args);
		va_end(args);
	}
	return (struct slice){text, size - 1};
}

void
arena_done(struct arena *arena)
{
	struct block *block = arena->blocks, *next;

	for (; block != NULL; block = next) {
		next = block->next;
		if (block->pooled)
			pool_put(arena->pool, block);
		else
			free(block);
	}
	arena_init(arena, arena->pool);
}

/* ---- buffer ---- */

void
buffer_init(struct buffer *b, struct pool *pool)
{
	*b = (struct buffer){.pool = pool};
}

static void
give_block(const struct buffer *b)
{
	if (b->pool != NULL && b->cap == b->pool->size)
		pool_put(b->pool, b->base);
	else
		free(b->base);
}

/* Moves the content to a larger block that has room for n more. */
static void
grow(struct buffer *b, size_t n)
{
	size_t len = buffer_len(b);
	size_t cap = b->pool != NULL ? b->pool->size : BUFFER_BLOCK;
	char *base;

	if (n > UINT32_MAX / 2 - len)
		log_fatal("out of memory");
	if (cap <= b->cap)
		cap = (size_t)b->cap * 2;
	while (cap < len + n)
		cap *= 2;
	base = b->pool != NULL && cap == b->pool->size ? pool_get(b->pool)
						       : take(cap);
	if (b->base != NULL) {
		memcpy(base, b->base + b->start, len);
		give_block(b);
	}
	b->base = base;
	b->cap = (uint32_t)cap;
	b->start = 0;
	b->end = (uint32_t)len;
}

char *
buffer_reserve(struct buffer *b, size_t n)
{
	size_t len = buffer_len(b);

	if (b->base == NULL || n > b->cap - len) {
		grow(b, n);
	} else if (n > b->cap - b->end) {
		memmove(b->base, b->base + b->start, len);
		b->start = 0;
		b->end = (uint32_t)len;
	}
	return b->base + b->end;
}

void
buffer_append(struct buffer *b, struct slice s)
{
	if (s.len == 0)
		return;
	memcpy(buffer_reserve(b, s.len), s.at, s.len);
	b->end += (uint32_t)s.len;
}

void
buffer_consume(struct buffer *b, size_t n)
{
	assert(n <= buffer_len(b));
	b->start += (uint32_t)n;
	if (b->start == b->end)
		buffer_release(b);
}

struct slice
buffer_slice(const struct buffer *b)
{
	if (b->start == b->end)
		return SLICE_NONE;
	return (struct slice){b->base + b->start, b->end - b->start};
}

void
buffer_release(struct buffer *b)
{
	if (b->base != NULL)
		give_block(b);
	buffer_init(b, b->pool);
}
