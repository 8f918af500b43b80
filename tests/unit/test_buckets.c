/* SPDX-License-Identifier: ISC */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "buckets.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND UINT64_C(1000000)

static struct addr
ip(const char *text)
{
	struct addr addr = {.len = 0};

	ck_assert(addr_from_text(slice_of(text), 4000, &addr));
	return addr;
}

static struct bucket_rate
rate_of(uint32_t number, uint32_t seconds, uint32_t burst)
{
	struct bucket_rate rate = {
	    .number = number, .seconds = seconds, .burst = burst};

	ck_assert(bucket_rate_set(&rate));
	return rate;
}

/* How many of so many are served. */
static unsigned
take(struct buckets *buckets, uint64_t key, const struct bucket_rate *rate,
    uint64_t now, unsigned tries)
{
	unsigned served = 0;

	while (tries-- > 0)
		served += buckets_take(buckets, key, rate, now) == 0;
	return served;
}

START_TEST(a_burst_is_served_then_as_many_as_come)
{
	struct buckets *buckets = buckets_new();
	struct bucket_rate rate = rate_of(100, 1, 200);
	uint64_t now = 12345 * SECOND;

	ck_assert_uint_eq(take(buckets, 7, &rate, now, 1000), 200);
	ck_assert_uint_eq(buckets_take(buckets, 7, &rate, now), 10000);
	ck_assert_uint_eq(buckets_take(buckets, 7, &rate, now + 9000), 1000);
	ck_assert_uint_eq(take(buckets, 7, &rate, now + 10000, 3), 1);
	ck_assert_uint_eq(take(buckets, 7, &rate, now + SECOND, 1000), 99);
	ck_assert_uint_eq(
	    take(buckets, 7, &rate, now + 60 * SECOND, 1000), 200);
	buckets_free(buckets);
}
END_TEST

START_TEST(each_rate_gives_what_it_says)
{
	static const struct {
		uint32_t number, seconds, burst;
		uint64_t wait; /* us, when it is empty */
	} rows[] = {
	    {1, 1, 1, 1000000},
	    {1, 60, 1, 60000000},
	    {1, 60, 1440, 60000000},
	    {3, 1, 3, 333334},
	    {100, 60, 7, 600000},
	    {1000, 1, 1, 1000},
	    {70000, 1, 10, 15},
	    {BUCKETS_NUMBER_MAX, 1, BUCKETS_NUMBER_MAX, 10},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buckets *buckets = buckets_new();
		struct bucket_rate rate =
		    rate_of(rows[i].number, rows[i].seconds, rows[i].burst);

		ck_assert_uint_eq(
		    take(buckets, 1, &rate, 0, rows[i].burst + 10),
		    rows[i].burst);
		ck_assert_uint_eq(
		    buckets_take(buckets, 1, &rate, 0), rows[i].wait);
		ck_assert_uint_eq(take(buckets, 1, &rate, rows[i].wait, 1), 1);
		buckets_free(buckets);
	}
}
END_TEST

START_TEST(what_takes_more_than_a_day_to_fill_is_no_burst)
{
	struct bucket_rate rate = {.number = 1, .seconds = 60, .burst = 1440};

	ck_assert(bucket_rate_set(&rate));
	rate.burst++;
	ck_assert(!bucket_rate_set(&rate));
	rate.burst = BUCKETS_BURST_MAX;
	ck_assert(!bucket_rate_set(&rate));
}
END_TEST

/* In two hours and in 2^42 ticks, 12.7 days, too. */
START_TEST(time_that_wraps_changes_nothing)
{
	static const uint64_t starts[] = {UINT64_C(1) << 40,
	    (UINT64_C(1) << 40) - 1, (UINT64_C(1) << 41) - SECOND / 2, 0,
	    UINT64_MAX - SECOND / 2};

	for (size_t i = 0; i < COUNT(starts); i++) {
		struct buckets *buckets = buckets_new();
		struct bucket_rate rate = rate_of(10, 1, 10);
		uint64_t now = starts[i];

		ck_assert_uint_eq(take(buckets, 1, &rate, now, 20), 10);
		for (unsigned step = 0; step < 20; step++, now += SECOND / 10)
			ck_assert_uint_eq(
			    take(buckets, 1, &rate, now, 3), step > 0);
		ck_assert_uint_eq(
		    take(buckets, 1, &rate, now + 11 * 86400 * SECOND, 20), 10);
		buckets_free(buckets);
	}
}
END_TEST

/* A reload: what was taken stays taken, as far as the new rate goes. */
START_TEST(another_rate_goes_on_with_the_same_bucket)
{
	struct buckets *buckets = buckets_new();
	struct bucket_rate slow = rate_of(1, 60, 60), fast = rate_of(10, 1, 5);

	ck_assert_uint_eq(take(buckets, 1, &slow, SECOND, 100), 60);
	ck_assert_uint_eq(buckets_take(buckets, 1, &fast, SECOND), SECOND / 10);
	ck_assert_uint_eq(take(buckets, 1, &fast, SECOND + SECOND / 10, 9), 1);
	ck_assert_uint_eq(take(buckets, 1, &slow, SECOND, 60), 59);
	buckets_free(buckets);
}
END_TEST

START_TEST(a_key_is_of_a_client_at_a_place)
{
	static const struct {
		const char *one, *other;
		bool same;
	} rows[] = {
	    {"192.0.2.1", "::ffff:192.0.2.1", true},
	    {"192.0.2.1", "192.0.2.2", false},
	    {"2001:db8::1", "2001:db8::ffff:2", true},
	    {"2001:db8::1", "2001:db8:0:1::1", false},
	};
	struct buckets *buckets = buckets_new(), *others = buckets_new();
	struct addr peer = {.len = sizeof(sa_family_t)};

	peer.sa.ss_family = AF_UNIX;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct addr one = ip(rows[i].one), other = ip(rows[i].other);
		uint64_t key = buckets_key(buckets, &one, 1);

		ck_assert(
		    (buckets_key(buckets, &other, 1) == key) == rows[i].same);
		ck_assert_uint_ne(buckets_key(buckets, &one, 2), key);
		ck_assert_uint_ne(buckets_key(others, &one, 1), key);
	}
	ck_assert_uint_eq(
	    buckets_key(buckets, &peer, 1), buckets_key(buckets, NULL, 1));
	buckets_free(buckets);
	buckets_free(others);
}
END_TEST

START_TEST(a_place_is_a_pattern_of_a_site)
{
	uint64_t place = buckets_place(SLICE("shop"), SLICE("/api"), false);

	ck_assert_uint_eq(
	    buckets_place(SLICE("shop"), SLICE("/api"), false), place);
	ck_assert_uint_ne(
	    buckets_place(SLICE("shop"), SLICE("/api"), true), place);
	ck_assert_uint_ne(
	    buckets_place(SLICE("shop"), SLICE("/api2"), false), place);
	ck_assert_uint_ne(
	    buckets_place(SLICE("shop/"), SLICE("api"), false), place);
}
END_TEST

/* Keys of one set: they differ in their upper bits. */
static uint64_t
neighbour(unsigned i)
{
	return (uint64_t)(i + 1) << 42 | 99;
}

START_TEST(of_a_full_set_the_fullest_is_forgotten)
{
	struct buckets *buckets = buckets_new();
	struct bucket_rate rate = rate_of(1, 1, 10);

	for (unsigned i = 0; i < 8; i++)
		ck_assert_uint_eq(
		    take(buckets, neighbour(i), &rate, 0, 10 - i), 10 - i);
	ck_assert_uint_eq(take(buckets, neighbour(8), &rate, 0, 10), 10);
	for (unsigned i = 0; i < 7; i++)
		ck_assert_uint_eq(take(buckets, neighbour(i), &rate, 0, 20), i);
	ck_assert_uint_eq(take(buckets, neighbour(8), &rate, 0, 1), 0);
	ck_assert_uint_eq(take(buckets, neighbour(7), &rate, 0, 20), 10);
	buckets_free(buckets);
}
END_TEST

/* None of them is there any more, and nobody loses by that. */
START_TEST(a_full_bucket_needs_no_room)
{
	struct buckets *buckets = buckets_new();
	struct bucket_rate rate = rate_of(1, 1, 2);
	uint64_t now = 0;

	take(buckets, neighbour(0), &rate, 100 * SECOND, 2);
	for (unsigned i = 1; i < 1000; i++, now += SECOND / 2)
		ck_assert_uint_eq(
		    take(buckets, neighbour(i), &rate, now, 2), 2);
	buckets_free(buckets);
}
END_TEST

#define THREADS 4
#define TRIES 400000u
#define KEYS 16u

struct crowd {
	struct buckets *buckets;
	struct bucket_rate rate;
	pthread_barrier_t start;
	uint64_t ticks; /* us that pass in all tries */
	unsigned served[THREADS][KEYS];
};

struct member {
	struct crowd *crowd;
	unsigned number;
};

static void *
rush(void *arg)
{
	struct member *member = arg;
	struct crowd *crowd = member->crowd;

	pthread_barrier_wait(&crowd->start);
	for (unsigned i = 0; i < TRIES; i++) {
		unsigned key = i % KEYS;
		uint64_t now = SECOND + crowd->ticks * i / TRIES;

		if (buckets_take(crowd->buckets, neighbour(key % 4) + key / 4,
			&crowd->rate, now) == 0)
			crowd->served[member->number][key]++;
	}
	return NULL;
}

static void
run_crowd(struct crowd *crowd)
{
	struct member members[THREADS];
	pthread_t threads[THREADS];

	crowd->buckets = buckets_new();
	ck_assert_int_eq(pthread_barrier_init(&crowd->start, NULL, THREADS), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		members[i] = (struct member){crowd, i};
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, rush, &members[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	pthread_barrier_destroy(&crowd->start);
	buckets_free(crowd->buckets);
}

static unsigned
served_of(const struct crowd *crowd, unsigned key)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < THREADS; i++)
		sum += crowd->served[i][key];
	return sum;
}

/* Time stands still: neither more nor fewer. */
START_TEST(threads_share_a_bucket)
{
	struct crowd crowd = {.rate = rate_of(1000, 1, 50000)};

	run_crowd(&crowd);
	for (unsigned key = 0; key < KEYS; key++)
		ck_assert_uint_eq(served_of(&crowd, key), 50000);
}
END_TEST

/* Each thread has its own clock, from 1 to 1.9 s: never more than there were.
 */
START_TEST(threads_whose_clocks_differ_get_no_more)
{
	struct crowd crowd = {
	    .rate = rate_of(1000, 1, 500), .ticks = 9 * SECOND / 10};

	run_crowd(&crowd);
	for (unsigned key = 0; key < KEYS; key++) {
		ck_assert_uint_le(served_of(&crowd, key), 1400);
		ck_assert_uint_ge(served_of(&crowd, key), 500);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("buckets");
	TCase *tcase = tcase_create("buckets");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, a_burst_is_served_then_as_many_as_come);
	tcase_add_test(tcase, each_rate_gives_what_it_says);
	tcase_add_test(tcase, what_takes_more_than_a_day_to_fill_is_no_burst);
	tcase_add_test(tcase, time_that_wraps_changes_nothing);
	tcase_add_test(tcase, another_rate_goes_on_with_the_same_bucket);
	tcase_add_test(tcase, a_key_is_of_a_client_at_a_place);
	tcase_add_test(tcase, a_place_is_a_pattern_of_a_site);
	tcase_add_test(tcase, of_a_full_set_the_fullest_is_forgotten);
	tcase_add_test(tcase, a_full_bucket_needs_no_room);
	tcase_add_test(tcase, threads_share_a_bucket);
	tcase_add_test(tcase, threads_whose_clocks_differ_get_no_more);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
