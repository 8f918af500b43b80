/* SPDX-License-Identifier: ISC */
/* Names asked of a name server that is told what to say. */
#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_clock.h"
#include "fake_dns.h"
#include "fake_server.h"
#include "resolver.h"

#define TURNS 20000
#define INTERVAL 30000u

static struct loop loop;
static struct fake_dns dns;
static struct resolver *resolver;
static unsigned descriptors;

/* What was told of a name. */
struct told {
	unsigned times, count;
	char text[8192]; /* "10.0.0.1:80 [::1]:80", or the error */
};
static struct told told[2];

static void
on_found(void *arg, const struct addr *addrs, unsigned count, const char *error)
{
	struct told *to = arg;
	size_t len = 0;

	to->times++;
	to->count = count;
	ck_assert((count == 0) == (error != NULL));
	snprintf(to->text, sizeof(to->text), "%s", count == 0 ? error : "");
	for (unsigned i = 0; i < count; i++) {
		if (i > 0)
			to->text[len++] = ' ';
		len += addr_text(&addrs[i], to->text + len);
		to->text[len] = '\0';
	}
}

static void
set_up(void)
{
	descriptors = fake_descriptors();
	loop_init(&loop);
	fake_dns_open(&dns, &loop);
	resolver = resolver_new(&loop, INTERVAL, dns.conf);
}

static void
tear_down(void)
{
	resolver_free(resolver);
	event_base_loop(loop.base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(loop.armed, 0);
	fake_dns_close(&dns);
	loop_done(&loop);
	ck_assert_uint_eq(fake_descriptors(), descriptors);
}

static void
until(const unsigned *seen, unsigned wanted)
{
	for (int i = 0; *seen < wanted && i < TURNS; i++)
		event_base_loop(loop.base, EVLOOP_ONCE);
	ck_assert_uint_eq(*seen, wanted);
}

static void
settle(void)
{
	for (int i = 0; i < 300; i++)
		event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void
expect_round(unsigned number, const char *text)
{
	settle();
	fake_clock_advance(INTERVAL);
	until(&told[0].times, number);
	ck_assert_str_eq(told[0].text, text);
}

START_TEST(every_address_is_told_in_a_fixed_order)
{
	resolver_add(resolver, SLICE("app.test"), 80, on_found, &told[0]);
	dns.v4 = "10.0.0.2 10.0.0.1";
	dns.v6 = "2001:db8::1";
	settle();
	ck_assert_uint_eq(told[0].times, 0);
	expect_round(1, "10.0.0.1:80 10.0.0.2:80 [2001:db8::1]:80");
	ck_assert_int_eq(strcasecmp(dns.last, "app.test"), 0);
	dns.v4 = "10.0.0.1 10.0.0.2";
	expect_round(2, "10.0.0.1:80 10.0.0.2:80 [2001:db8::1]:80");
	dns.v4 = NULL;
	expect_round(3, "[2001:db8::1]:80");
	dns.v4 = "10.0.0.3";
	dns.v6 = NULL;
	expect_round(4, "10.0.0.3:80");
}
END_TEST

START_TEST(failures_are_told_and_asked_again)
{
	resolver_add(resolver, SLICE("app.test"), 80, on_found, &told[0]);
	dns.fails = true;
	settle();
	fake_clock_advance(INTERVAL);
	until(&told[0].times, 1);
	ck_assert_uint_eq(told[0].count, 0);
	ck_assert_str_ne(told[0].text, "");
	dns.fails = false;
	settle();
	fake_clock_advance(INTERVAL);
	until(&told[0].times, 2); /* it leads nowhere */
	ck_assert_uint_eq(told[0].count, 0);
	dns.v4 = "10.0.0.1";
	expect_round(3, "10.0.0.1:80");
}
END_TEST

/* The next round begins an interval after the last answer. */
START_TEST(a_name_server_that_is_silent_ends_the_round_late)
{
	resolver_add(resolver, SLICE("app.test"), 80, on_found, &told[0]);
	dns.silent = true;
	settle();
	fake_clock_advance(INTERVAL);
	until(&dns.asked, 2);
	for (unsigned i = 0; told[0].times == 0 && i < 100; i++) {
		fake_clock_advance(1000);
		settle();
	}
	ck_assert_uint_eq(told[0].times, 1);
	ck_assert_uint_eq(told[0].count, 0);
	dns.silent = false;
	dns.v4 = "10.0.0.1";
	expect_round(2, "10.0.0.1:80");
}
END_TEST

START_TEST(names_are_asked_apart)
{
	resolver_add(resolver, SLICE("app.test"), 80, on_found, &told[0]);
	resolver_add(resolver, SLICE("app.test"), 81, on_found, &told[1]);
	dns.v4 = "10.0.0.1";
	expect_round(1, "10.0.0.1:80");
	until(&told[1].times, 1);
	ck_assert_str_eq(told[1].text, "10.0.0.1:81");
}
END_TEST

/* No name server is asked. */
START_TEST(hosts_of_the_system_count)
{
	resolver_add(resolver, SLICE("localhost"), 80, on_found, &told[0]);
	settle();
	fake_clock_advance(INTERVAL);
	until(&told[0].times, 1);
	ck_assert_ptr_nonnull(strstr(told[0].text, "127.0.0.1:80"));
	ck_assert_uint_eq(dns.asked, 0);
}
END_TEST

/* 28 of them fit an answer; the limit of 64 can't be reached over UDP. */
START_TEST(many_addresses_are_all_told)
{
	char v4[1024] = "";

	resolver_add(resolver, SLICE("app.test"), 80, on_found, &told[0]);
	for (unsigned i = 0; i < 28; i++)
		snprintf(v4 + strlen(v4), sizeof(v4) - strlen(v4), "10.0.0.%u ",
		    i + 1);
	dns.v4 = v4;
	settle();
	fake_clock_advance(INTERVAL);
	until(&told[0].times, 1);
	ck_assert_uint_eq(told[0].count, 28);
}
END_TEST

START_TEST(it_can_end_at_any_time)
{
	resolver_add(resolver, SLICE("app.test"), 80, on_found, &told[0]);
	resolver_add(resolver, SLICE("localhost"), 80, on_found, &told[1]);
	dns.v4 = "10.0.0.1";
	dns.silent = _i >= 20;
	settle();
	fake_clock_advance(INTERVAL);
	for (int i = 0; i < _i % 20; i++)
		event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	if (_i == 0)
		resolver_free(NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("resolver");
	TCase *tcase = tcase_create("resolver");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, every_address_is_told_in_a_fixed_order);
	tcase_add_test(tcase, failures_are_told_and_asked_again);
	tcase_add_test(tcase, a_name_server_that_is_silent_ends_the_round_late);
	tcase_add_test(tcase, names_are_asked_apart);
	tcase_add_test(tcase, hosts_of_the_system_count);
	tcase_add_test(tcase, many_addresses_are_all_told);
	tcase_add_loop_test(tcase, it_can_end_at_any_time, 0, 40);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
