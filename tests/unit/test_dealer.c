/* SPDX-License-Identifier: ISC */
/* Who gets the next connection. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "dealer.h"

static struct dealer dealer;

static unsigned
live(unsigned worker)
{
	return atomic_load(&dealer.at[worker].live);
}

static void
give(unsigned to, unsigned count)
{
	atomic_fetch_add(&dealer.at[to].live, count);
}

START_TEST(who_accepts_keeps_while_the_others_have_as_many)
{
	dealer_init(&dealer, 2);
	ck_assert_uint_eq(dealer_choose(&dealer, 1), 1);
	ck_assert_uint_eq(dealer_choose(&dealer, 0), 0);
	ck_assert_uint_eq(dealer_choose(&dealer, 0), 0);
	ck_assert_uint_eq(live(0), 2);
	ck_assert_uint_eq(live(1), 1);
	ck_assert_uint_eq(dealer_live(&dealer), 3);
	dealer_done(&dealer);
}
END_TEST

START_TEST(who_has_more_gives_to_the_one_with_the_fewest)
{
	dealer_init(&dealer, 3);
	give(0, 5);
	give(1, 4);
	give(2, 3);
	ck_assert_uint_eq(dealer_choose(&dealer, 0), 2);
	ck_assert_uint_eq(live(2), 4);
	ck_assert_uint_eq(live(0), 5);
	dealer_done(&dealer);
}
END_TEST

/* Whatever the kernel's hash does, 64 connections of two workers differ by so
 * little that a fifth is not reached. */
START_TEST(the_worst_of_hashes_is_evened_out)
{
	unsigned more, less;

	dealer_init(&dealer, 2);
	for (unsigned i = 0; i < 64; i++)
		(void)dealer_choose(&dealer, 0);
	more = live(0) > live(1) ? live(0) : live(1);
	less = 64 - more;
	ck_assert_uint_eq(dealer_live(&dealer), 64);
	ck_assert_uint_lt((more - less) * 5, 64 / 2);
	dealer_done(&dealer);
}
END_TEST

START_TEST(the_house_keeps_none)
{
	dealer_init(&dealer, 2);
	for (unsigned i = 0; i < 10; i++)
		ck_assert_uint_lt(dealer_choose(&dealer, DEALER_HOUSE), 2);
	ck_assert_uint_eq(live(0), 5);
	ck_assert_uint_eq(live(1), 5);
	dealer_done(&dealer);
}
END_TEST

START_TEST(a_limit_holds_for_all_workers_together)
{
	dealer_init(&dealer, 2);
	for (unsigned i = 0; i < 3; i++)
		(void)dealer_choose(&dealer, i % 2);
	ck_assert(dealer_admit(&dealer, 2));
	ck_assert(dealer_admit(&dealer, 2));
	ck_assert(!dealer_admit(&dealer, 2));
	dealer_leave(&dealer, 0, false);
	ck_assert(!dealer_admit(&dealer, 2));
	dealer_leave(&dealer, 1, true);
	ck_assert(dealer_admit(&dealer, 2));
	ck_assert_uint_eq(dealer_live(&dealer), 1);
	dealer_done(&dealer);
}
END_TEST

#define ROUNDS 20000
#define LIMIT 3

static atomic_uint inside, most;

static void *
come_and_go(void *arg)
{
	const unsigned self = *(const unsigned *)arg;
	unsigned now, seen, to;
	bool in;

	for (unsigned i = 0; i < ROUNDS; i++) {
		to = dealer_choose(&dealer, self);
		in = dealer_admit(&dealer, LIMIT);
		if (in) {
			now = atomic_fetch_add(&inside, 1) + 1;
			seen = atomic_load(&most);
			while (now > seen &&
			       !atomic_compare_exchange_weak(&most, &seen, now))
				;
			atomic_fetch_sub(&inside, 1);
		}
		dealer_leave(&dealer, to, in);
	}
	return NULL;
}

START_TEST(counts_hold_when_all_come_and_go_at_once)
{
	unsigned numbers[4] = {0, 1, 2, 3};
	pthread_t threads[4];

	dealer_init(&dealer, 4);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, come_and_go, &numbers[i]),
		    0);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(dealer_live(&dealer), 0);
	ck_assert_uint_eq(atomic_load(&dealer.admitted), 0);
	ck_assert_uint_le(atomic_load(&most), LIMIT);
	dealer_done(&dealer);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("dealer");
	TCase *tcase = tcase_create("dealer");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, who_accepts_keeps_while_the_others_have_as_many);
	tcase_add_test(tcase, who_has_more_gives_to_the_one_with_the_fewest);
	tcase_add_test(tcase, the_worst_of_hashes_is_evened_out);
	tcase_add_test(tcase, the_house_keeps_none);
	tcase_add_test(tcase, a_limit_holds_for_all_workers_together);
	tcase_add_test(tcase, counts_hold_when_all_come_and_go_at_once);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
