/* SPDX-License-Identifier: ISC */
/* Pools, arenas and buffers. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "mem.h"

#define BLOCK 256

/* Else the sanitizer would end the process before mem can. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* Out of the compiler's sight, which warns of sizes that can't be had. */
static volatile size_t huge = SIZE_MAX - 64;

START_TEST(memory_comes_zeroed)
{
	unsigned char *at = mem_alloc(1000);
	size_t i;

	for (i = 0; i < 1000; i++)
		ck_assert_uint_eq(at[i], 0);
	at[0] = 7;
	at = mem_realloc(at, 100000);
	ck_assert_uint_eq(at[0], 7);
	free(at);
	at = mem_alloc(0);
	ck_assert_ptr_nonnull(at);
	free(at);
}
END_TEST

START_TEST(strings_are_copied)
{
	char *copy = mem_strdup("abc");

	ck_assert_str_eq(copy, "abc");
	free(copy);
	copy = mem_strndup((struct slice){"abcdef", 2});
	ck_assert_str_eq(copy, "ab");
	free(copy);
	copy = mem_strndup(SLICE_NONE);
	ck_assert_str_eq(copy, "");
	free(copy);
}
END_TEST

START_TEST(no_memory_for_an_object_ends_the_process)
{
	mem_alloc(huge);
}
END_TEST

START_TEST(no_memory_to_grow_ends_the_process)
{
	mem_realloc(NULL, huge);
}
END_TEST

START_TEST(no_memory_for_an_arena_ends_the_process)
{
	struct arena arena;

	arena_init(&arena, NULL);
	arena_alloc(&arena, huge);
}
END_TEST

START_TEST(no_memory_for_a_buffer_ends_the_process)
{
	struct buffer b;

	buffer_init(&b, NULL);
	buffer_reserve(&b, huge);
}
END_TEST

/* ---- pool ---- */

START_TEST(a_pool_gives_back_the_last_block_first)
{
	struct pool pool;
	void *a, *b;

	pool_init(&pool, BLOCK, 4);
	a = pool_get(&pool);
	b = pool_get(&pool);
	ck_assert_ptr_ne(a, b);
	memset(a, 'a', BLOCK);
	memset(b, 'b', BLOCK);
	pool_put(&pool, a);
	pool_put(&pool, b);
	ck_assert_uint_eq(pool.free_count, 2);
	ck_assert_ptr_eq(pool_get(&pool), b);
	ck_assert_ptr_eq(pool_get(&pool), a);
	ck_assert_uint_eq(pool.free_count, 0);
	pool_put(&pool, a);
	pool_put(&pool, b);
	pool_put(&pool, NULL);
	pool_done(&pool);
	ck_assert_uint_eq(pool.free_count, 0);
	ck_assert_ptr_null(pool.free);
}
END_TEST

START_TEST(a_pool_keeps_no_more_than_it_was_told)
{
	struct pool pool;
	void *blocks[5];
	int i;

	pool_init(&pool, BLOCK, 3);
	for (i = 0; i < 5; i++)
		blocks[i] = pool_get(&pool);
	for (i = 0; i < 5; i++)
		pool_put(&pool, blocks[i]);
	ck_assert_uint_eq(pool.free_count, 3);
	pool_done(&pool);
	pool_init(&pool, BLOCK, 0);
	pool_put(&pool, pool_get(&pool));
	ck_assert_uint_eq(pool.free_count, 0);
	pool_done(&pool);
}
END_TEST

START_TEST(blocks_smaller_than_a_pointer_work)
{
	struct pool pool;
	char *a, *b;

	pool_init(&pool, 1, 2);
	a = pool_get(&pool);
	b = pool_get(&pool);
	pool_put(&pool, a);
	pool_put(&pool, b);
	ck_assert_ptr_eq(pool_get(&pool), b);
	pool_put(&pool, b);
	pool_done(&pool);
}
END_TEST

#ifdef __SANITIZE_ADDRESS__
START_TEST(a_free_block_is_poisoned)
{
	struct pool pool;
	char *block;

	pool_init(&pool, BLOCK, 1);
	block = pool_get(&pool);
	ck_assert_ptr_null(__asan_region_is_poisoned(block, BLOCK));
	pool_put(&pool, block);
	ck_assert_int_eq(__asan_address_is_poisoned(block), 1);
	ck_assert_int_eq(__asan_address_is_poisoned(block + BLOCK - 1), 1);
	block = pool_get(&pool);
	ck_assert_ptr_null(__asan_region_is_poisoned(block, BLOCK));
	pool_put(&pool, block);
	pool_done(&pool);
}
END_TEST
#endif

/* ---- arena ---- */

static void
fill_arena(struct arena *arena)
{
	unsigned char *at[300];
	size_t i, k, size;

	for (i = 0; i < 300; i++) {
		size = i * 7 % 700;
		at[i] = arena_alloc(arena, size);
		ck_assert_uint_eq((uintptr_t)at[i] % 16, 0);
		memset(at[i], (int)i, size);
	}
	for (i = 0; i < 300; i++)
		for (k = 0; k < i * 7 % 700; k++)
			ck_assert_uint_eq(at[i][k], i % 256);
}

START_TEST(what_an_arena_gave_stays_apart)
{
	struct arena arena;
	struct pool pool;

	pool_init(&pool, BLOCK, 1000);
	arena_init(&arena, &pool);
	fill_arena(&arena);
	arena_done(&arena);
	ck_assert_uint_gt(pool.free_count, 0);
	fill_arena(&arena);
	arena_done(&arena);
	arena_done(&arena);
	pool_done(&pool);
	arena_init(&arena, NULL);
	fill_arena(&arena);
	arena_done(&arena);
}
END_TEST

START_TEST(an_arena_takes_one_block_for_small_things)
{
	struct arena arena;
	struct pool pool;
	char *first, *next;

	pool_init(&pool, 8192, 8);
	arena_init(&arena, &pool);
	first = arena_alloc(&arena, 1);
	next = arena_alloc(&arena, 0);
	ck_assert_ptr_eq(next, first + 16);
	ck_assert_ptr_eq(arena_alloc(&arena, 17), next + 16);
	arena_done(&arena);
	ck_assert_uint_eq(pool.free_count, 1);
	pool_done(&pool);
}
END_TEST

START_TEST(a_large_request_leaves_the_block_in_use)
{
	struct arena arena;
	struct pool pool;
	char *first, *large;

	pool_init(&pool, BLOCK, 8);
	arena_init(&arena, &pool);
	large = arena_alloc(&arena, 5000);
	memset(large, 'x', 5000);
	first = arena_alloc(&arena, 16);
	large = arena_alloc(&arena, BLOCK);
	memset(large, 'x', BLOCK);
	ck_assert_ptr_eq(arena_alloc(&arena, 16), first + 16);
	arena_done(&arena);
	ck_assert_uint_eq(pool.free_count, 1);
	pool_done(&pool);
}
END_TEST

START_TEST(a_copy_is_the_arenas_own)
{
	char bytes[] = "a\0b";
	struct arena arena;
	struct slice copy;

	arena_init(&arena, NULL);
	copy = arena_copy(&arena, (struct slice){bytes, 3});
	memset(bytes, 'x', 3);
	ck_assert(slice_eq(copy, SLICE("a\0b")));
	ck_assert_ptr_null(arena_copy(&arena, SLICE_NONE).at);
	copy = arena_copy(&arena, SLICE(""));
	ck_assert_ptr_nonnull(copy.at);
	ck_assert_uint_eq(copy.len, 0);
	arena_done(&arena);
}
END_TEST

START_TEST(parts_are_joined_in_their_order)
{
	const struct slice parts[] = {
	    SLICE("a"), SLICE_NONE, SLICE("bcd"), SLICE("")};
	struct slice joined;
	struct arena arena;

	arena_init(&arena, NULL);
	joined = arena_join(&arena, parts, 4);
	ck_assert(slice_eq(joined, SLICE("abcd")));
	ck_assert_uint_eq(arena_join(&arena, parts, 0).len, 0);
	ck_assert(slice_eq(arena_number(&arena, 0), SLICE("0")));
	ck_assert(slice_eq(
	    arena_number(&arena, UINT64_MAX), SLICE("18446744073709551615")));
	arena_done(&arena);
}
END_TEST

START_TEST(printed_text_of_any_length_is_whole)
{
	struct arena arena;
	struct pool pool;
	struct slice text[600];
	int i;

	pool_init(&pool, BLOCK, 8);
	arena_init(&arena, &pool);
	for (i = 0; i < 600; i++)
		text[i] = arena_printf(&arena, "<%*d>", i, i);
	for (i = 0; i < 600; i++) {
		ck_assert_uint_eq(text[i].len, strlen(text[i].at));
		ck_assert_uint_ge(text[i].len, (size_t)i + 2);
		ck_assert_int_eq(atoi(text[i].at + 1), i);
		ck_assert_int_eq(text[i].at[text[i].len - 1], '>');
	}
	ck_assert_uint_eq(arena_printf(&arena, "%s", "").len, 0);
	arena_done(&arena);
	pool_done(&pool);
}
END_TEST

/* ---- buffer ---- */

/* The byte at a place of the stream: no short period. */
static char
stream_byte(size_t place)
{
	return (char)(place * 31 + place / 251);
}

static void
append(struct buffer *b, size_t *written, size_t n)
{
	char bytes[1024];
	size_t i;

	for (i = 0; i < n; i++)
		bytes[i] = stream_byte(*written + i);
	buffer_append(b, (struct slice){bytes, n});
	*written += n;
}

static void
reserve_and_write(struct buffer *b, size_t *written, size_t n)
{
	char *to = buffer_reserve(b, n + 10);
	size_t i;

	for (i = 0; i < n + 10; i++)
		to[i] = stream_byte(*written + i);
	b->end += (uint32_t)n;
	*written += n;
}

static void
check_content(const struct buffer *b, size_t from, size_t to)
{
	struct slice all = buffer_slice(b);
	size_t i;

	ck_assert_uint_eq(buffer_len(b), to - from);
	ck_assert_uint_eq(all.len, to - from);
	for (i = 0; i < all.len; i++)
		if (all.at[i] != stream_byte(from + i))
			ck_abort_msg("byte %zu of the stream", from + i);
}

static void
run_stream(struct pool *pool)
{
	struct buffer b;
	size_t written = 0, taken = 0, n;
	unsigned random = 1, i;

	buffer_init(&b, pool);
	for (i = 0; i < 4000; i++) {
		random = random * 1103515245 + 12345;
		n = (random >> 16) % 300;
		if (i % 3 == 0)
			append(&b, &written, n);
		else if (i % 3 == 1 && n > 0)
			reserve_and_write(&b, &written, n);
		else if (i % 1000 < 900)
			n = n * 2;
		if (i % 3 == 2) {
			n = n < written - taken ? n : written - taken;
			buffer_consume(&b, n);
			taken += n;
		}
		check_content(&b, taken, written);
		if (written == taken && i % 3 == 2)
			ck_assert_ptr_null(b.base);
	}
	ck_assert_uint_gt(written, 100000);
	buffer_release(&b);
	ck_assert_ptr_null(b.base);
	ck_assert_uint_eq(buffer_len(&b), 0);
}

START_TEST(a_buffer_is_a_queue_of_bytes)
{
	struct pool pool;

	pool_init(&pool, BLOCK, 4);
	run_stream(&pool);
	ck_assert_uint_eq(pool.free_count, 1);
	pool_done(&pool);
	run_stream(NULL);
}
END_TEST

START_TEST(an_empty_buffer_holds_no_memory)
{
	struct pool pool;
	struct buffer b;

	pool_init(&pool, BLOCK, 4);
	buffer_init(&b, &pool);
	buffer_append(&b, SLICE_NONE);
	buffer_append(&b, SLICE(""));
	ck_assert_ptr_null(b.base);
	ck_assert_ptr_null(buffer_slice(&b).at);
	buffer_append(&b, SLICE("abc"));
	buffer_consume(&b, 0);
	buffer_consume(&b, 3);
	ck_assert_ptr_null(b.base);
	ck_assert_uint_eq(pool.free_count, 1);
	buffer_reserve(&b, 1);
	buffer_release(&b);
	buffer_release(&b);
	ck_assert_uint_eq(pool.free_count, 1);
	pool_done(&pool);
}
END_TEST

START_TEST(content_is_moved_before_the_buffer_grows)
{
	struct pool pool;
	struct buffer b;
	size_t written = 0;
	char *base;

	pool_init(&pool, BLOCK, 4);
	buffer_init(&b, &pool);
	append(&b, &written, BLOCK);
	base = b.base;
	buffer_consume(&b, 100);
	append(&b, &written, 100);
	ck_assert_ptr_eq(b.base, base);
	ck_assert_uint_eq(b.cap, BLOCK);
	check_content(&b, 100, written);
	append(&b, &written, 1);
	ck_assert_uint_eq(b.cap, 2 * BLOCK);
	check_content(&b, 100, written);
	ck_assert_uint_eq(pool.free_count, 1);
	buffer_release(&b);
	ck_assert_uint_eq(pool.free_count, 1);
	pool_done(&pool);
}
END_TEST

START_TEST(a_large_first_piece_is_not_the_pools)
{
	struct pool pool;
	struct buffer b;
	size_t written = 0;

	pool_init(&pool, BLOCK, 4);
	buffer_init(&b, &pool);
	append(&b, &written, BLOCK + 1);
	ck_assert_uint_eq(b.cap, 2 * BLOCK);
	check_content(&b, 0, written);
	buffer_release(&b);
	ck_assert_uint_eq(pool.free_count, 0);
	pool_done(&pool);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("mem");
	TCase *tcase = tcase_create("mem");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, memory_comes_zeroed);
	tcase_add_test(tcase, strings_are_copied);
	tcase_add_exit_test(
	    tcase, no_memory_for_an_object_ends_the_process, EXIT_FAILURE);
	tcase_add_exit_test(
	    tcase, no_memory_to_grow_ends_the_process, EXIT_FAILURE);
	tcase_add_exit_test(
	    tcase, no_memory_for_an_arena_ends_the_process, EXIT_FAILURE);
	tcase_add_exit_test(
	    tcase, no_memory_for_a_buffer_ends_the_process, EXIT_FAILURE);
	tcase_add_test(tcase, a_pool_gives_back_the_last_block_first);
	tcase_add_test(tcase, a_pool_keeps_no_more_than_it_was_told);
	tcase_add_test(tcase, blocks_smaller_than_a_pointer_work);
#ifdef __SANITIZE_ADDRESS__
	tcase_add_test(tcase, a_free_block_is_poisoned);
#endif
	tcase_add_test(tcase, what_an_arena_gave_stays_apart);
	tcase_add_test(tcase, an_arena_takes_one_block_for_small_things);
	tcase_add_test(tcase, a_large_request_leaves_the_block_in_use);
	tcase_add_test(tcase, a_copy_is_the_arenas_own);
	tcase_add_test(tcase, parts_are_joined_in_their_order);
	tcase_add_test(tcase, printed_text_of_any_length_is_whole);
	tcase_add_test(tcase, a_buffer_is_a_queue_of_bytes);
	tcase_add_test(tcase, an_empty_buffer_holds_no_memory);
	tcase_add_test(tcase, content_is_moved_before_the_buffer_grows);
	tcase_add_test(tcase, a_large_first_piece_is_not_the_pools);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
