/* SPDX-License-Identifier: ISC */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "guests.h"

static struct addr
ip(const char *text)
{
	struct addr addr = {.len = 0};

	ck_assert(addr_from_text(slice_of(text), 4000, &addr));
	return addr;
}

START_TEST(each_address_has_its_own_count)
{
	struct guests *guests = guests_new();
	struct addr one = ip("192.0.2.1"), other = ip("192.0.2.2");

	ck_assert_uint_eq(guests_enter(guests, &one), 1);
	ck_assert_uint_eq(guests_enter(guests, &one), 2);
	ck_assert_uint_eq(guests_enter(guests, &other), 1);
	guests_leave(guests, &one);
	ck_assert_uint_eq(guests_enter(guests, &one), 2);
	guests_free(guests);
}
END_TEST

START_TEST(one_client_is_one_however_it_is_written)
{
	static const struct {
		const char *one, *other;
		bool same;
	} rows[] = {
	    {"192.0.2.1", "::ffff:192.0.2.1", true},
	    {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
	    {"2001:db8::1", "2001:db8::ffff:2", true},
	    {"2001:db8::1", "2001:db8:0:1::1", false},
	    {"::1", "::2", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guests *guests = guests_new();
		struct addr one = ip(rows[i].one), other = ip(rows[i].other);

		ck_assert_uint_eq(guests_enter(guests, &one), 1);
		ck_assert_uint_eq(
		    guests_enter(guests, &other), rows[i].same ? 2 : 1);
		guests_free(guests);
	}
}
END_TEST

START_TEST(who_has_no_address_is_not_counted)
{
	struct guests *guests = guests_new();
	struct addr none = {.len = 0}, peer = {.len = sizeof(sa_family_t)};

	peer.sa.ss_family = AF_UNIX;
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(guests_enter(guests, &none), 0);
		ck_assert_uint_eq(guests_enter(guests, &peer), 0);
	}
	guests_leave(guests, &peer);
	guests_free(guests);
}
END_TEST

static struct addr
numbered(uint32_t number)
{
	uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff, [12] = 10};
	struct addr addr;

	bytes[13] = (uint8_t)(number >> 16);
	bytes[14] = (uint8_t)(number >> 8);
	bytes[15] = (uint8_t)number;
	addr_from_bytes(bytes, 1, &addr);
	return addr;
}

/* As the header says: one in fifty of 10,000. */
START_TEST(a_count_is_never_low_and_seldom_high)
{
	struct guests *guests = guests_new();
	unsigned high = 0;

	for (uint32_t i = 0; i < 10000; i++) {
		struct addr addr = numbered(i);

		(void)guests_enter(guests, &addr);
	}
	for (uint32_t i = 0; i < 10000; i++) {
		struct addr addr = numbered(i);
		uint32_t count = guests_enter(guests, &addr);

		ck_assert_uint_ge(count, 2);
		high += count > 2;
		guests_leave(guests, &addr);
	}
	ck_assert_uint_le(high, 400);
	for (uint32_t i = 0; i < 10000; i++) {
		struct addr addr = numbered(i);

		guests_leave(guests, &addr);
	}
	for (uint32_t i = 0; i < 10000; i++) {
		struct addr addr = numbered(i);

		ck_assert_uint_eq(guests_enter(guests, &addr), 1);
		guests_leave(guests, &addr);
	}
	guests_free(guests);
}
END_TEST

static void *
come_and_go(void *arg)
{
	struct addr addr = numbered(7);

	for (int i = 0; i < 100000; i++) {
		ck_assert_uint_ge(guests_enter(arg, &addr), 1);
		guests_leave(arg, &addr);
	}
	return NULL;
}

START_TEST(threads_lose_no_one)
{
	struct guests *guests = guests_new();
	struct addr addr = numbered(7);
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, come_and_go, guests), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(guests_enter(guests, &addr), 1);
	guests_free(guests);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("guests");
	TCase *tcase = tcase_create("guests");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, each_address_has_its_own_count);
	tcase_add_test(tcase, one_client_is_one_however_it_is_written);
	tcase_add_test(tcase, who_has_no_address_is_not_counted);
	tcase_add_test(tcase, a_count_is_never_low_and_seldom_high);
	tcase_add_test(tcase, threads_lose_no_one);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
