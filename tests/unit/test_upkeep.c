/* SPDX-License-Identifier: ISC */
/* The house's care of servers whose names lead here and there. */
#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_read.h"
#include "fake_clock.h"
#include "fake_dns.h"
#include "fake_server.h"
#include "health.h"
#include "log.h"
#include "transport_evhttp.h"
#include "upkeep.h"
#include "upstream.h"

#define TURNS 20000
#define INTERVAL 9000u

static const char text[] = "[gate]\n"
			   "resolve = 9s\n"
			   "[site]\n"
			   "listen = 127.0.0.1:7999\n"
			   "upstream = fixed\n"
			   "[upstream fixed]\n"
			   "server = 127.0.0.1:8001\n"
			   "[upstream named]\n"
			   "server = 127.0.0.1:8001\n"
			   "server = app.test:8002 weight=2\n"
			   "[upstream checked]\n"
			   "server = app.test:8003\n"
			   "server = 127.0.0.1:8001\n"
			   "health = /well\n"
			   "health_interval = 1h\n"
			   "[location /]\n"
			   "allow = GET\n"
			   "[location /a]\n"
			   "allow = GET\n"
			   "upstream = named\n"
			   "[location /b]\n"
			   "allow = GET\n"
			   "upstream = checked\n";
enum { FIXED, NAMED, CHECKED };

static struct loop loop;
static struct links links;
static struct fake_dns dns;
static struct config *config;
static struct servers *servers;
static struct upkeep *upkeep;
static struct upstreams *worker; /* what a worker has */
static unsigned published;
static unsigned descriptors;

static void
publish(void *arg, struct server_list *list)
{
	ck_assert_ptr_eq(arg, &published);
	published++;
	upstreams_take(worker, list);
}

static void
start(void)
{
	struct upkeep_setup setup = {.loop = &loop,
	    .config = config,
	    .servers = servers,
	    .links = &links,
	    .resolv_conf = dns.conf,
	    .publish = publish,
	    .arg = &published};

	upkeep = upkeep_new(&setup);
}

static void
set_up(void)
{
	struct config_report report;

	descriptors = fake_descriptors();
	config = config_read_text("t.ini", slice_of(text), &report);
	if (config == NULL)
		config_report_print(&report, stderr);
	ck_assert_ptr_nonnull(config);
	config_report_done(&report);
	transport_evhttp_prepare();
	loop_init(&loop);
	links_init(&links, &loop);
	fake_dns_open(&dns, &loop);
	servers = servers_new();
	worker = upstreams_new(config);
	published = 0;
	start();
	for (unsigned i = 0; i < config->upstream_count; i++)
		upstreams_take(
		    worker, server_list_ref(upkeep_lists(upkeep)[i]));
}

static void
tear_down(void)
{
	upstreams_free(worker);
	upkeep_free(upkeep);
	event_base_loop(loop.base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(loop.armed, 0);
	links_done(&links);
	servers_free(servers);
	fake_dns_close(&dns);
	loop_done(&loop);
	ck_assert_uint_eq(config->refs, 1);
	config_unref(config);
	ck_assert_uint_eq(fake_descriptors(), descriptors);
}

static void
settle(void)
{
	for (int i = 0; i < 300; i++)
		event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* The round is over for both names. */
static void
next_round(const char *v4)
{
	unsigned asked = dns.asked + 4;

	dns.v4 = v4;
	settle();
	fake_clock_advance(INTERVAL);
	for (int i = 0; dns.asked < asked && i < TURNS; i++)
		event_base_loop(loop.base, EVLOOP_ONCE);
	ck_assert_uint_eq(dns.asked, asked);
	settle();
}

/* The addresses of an upstream, each with its weight: "10.0.0.1:80=2". */
static void
expect_list(unsigned upstream, const char *wanted)
{
	const struct server_list *list = upkeep_lists(upkeep)[upstream];
	char seen[512] = "";
	size_t len = 0;

	for (unsigned i = 0; i < list->count; i++) {
		if (i > 0)
			seen[len++] = ' ';
		len += addr_text(&list->at[i].server->addr, seen + len);
		len += (size_t)sprintf(
		    seen + len, "=%u", list->at[i].config->weight);
	}
	ck_assert_str_eq(seen, wanted);
}

static struct server_state *
state(unsigned upstream, unsigned number)
{
	return upkeep_lists(upkeep)[upstream]->at[number].server;
}

START_TEST(numbers_are_there_at_once)
{
	expect_list(FIXED, "127.0.0.1:8001=1");
	expect_list(NAMED, "127.0.0.1:8001=1");
	/* one server, wherever it is named, but for who checks it */
	ck_assert_ptr_eq(state(FIXED, 0), state(NAMED, 0));
	ck_assert_ptr_ne(state(FIXED, 0), state(CHECKED, 0));
}
END_TEST

START_TEST(names_are_followed)
{
	next_round("10.0.0.2 10.0.0.1");
	expect_list(NAMED, "127.0.0.1:8001=1 10.0.0.1:8002=2 10.0.0.2:8002=2");
	ck_assert_uint_eq(published, 2);
	next_round("10.0.0.1 10.0.0.2");
	ck_assert_uint_eq(published, 2); /* nothing new */
	next_round("10.0.0.2 10.0.0.3");
	expect_list(NAMED, "127.0.0.1:8001=1 10.0.0.2:8002=2 10.0.0.3:8002=2");
	ck_assert_uint_eq(published, 4);
	expect_list(FIXED, "127.0.0.1:8001=1");
}
END_TEST

START_TEST(a_name_that_fails_leaves_its_addresses)
{
	next_round("10.0.0.1");
	dns.fails = true;
	next_round("10.0.0.9");
	next_round("10.0.0.9");
	expect_list(NAMED, "127.0.0.1:8001=1 10.0.0.1:8002=2");
	dns.fails = false;
	next_round(NULL);
	expect_list(NAMED, "127.0.0.1:8001=1 10.0.0.1:8002=2");
	ck_assert_uint_eq(published, 2);
	next_round("10.0.0.9");
	expect_list(NAMED, "127.0.0.1:8001=1 10.0.0.9:8002=2");
}
END_TEST

START_TEST(addresses_that_stay_keep_their_state)
{
	struct server_state *first;

	next_round("10.0.0.1");
	first = state(NAMED, 1);
	for (unsigned i = 0; i < 3; i++)
		server_failed(
		    first, &config->upstreams[NAMED]->health, 0, "test");
	next_round("10.0.0.1 10.0.0.2");
	ck_assert_ptr_eq(state(NAMED, 1), first);
	ck_assert_uint_eq(first->health, SERVER_DOWN);
	ck_assert_uint_eq(state(NAMED, 2)->health, SERVER_UP);
}
END_TEST

static unsigned counted;

static void
count(struct server_state *server, void *arg)
{
	(void)arg;
	(void)server;
	counted++;
}

static unsigned
known(void)
{
	counted = 0;
	servers_each(servers, count, NULL);
	return counted;
}

/* An exchange that began there is still there. */
START_TEST(what_leaves_goes_when_nobody_is_there)
{
	struct upstream_choice choice = {.tried = 0};
	const struct upstream_config *named = config->upstreams[NAMED];

	ck_assert_uint_eq(known(), 2);
	next_round("10.0.0.1");
	ck_assert_uint_eq(known(), 4);
	ck_assert_int_eq(upstream_choose(worker, named, &choice), REASON_NONE);
	ck_assert_ptr_eq(choice.held, state(NAMED, 1));
	next_round("10.0.0.2");
	ck_assert_uint_eq(known(), 5);
	upstream_release(&choice);
	next_round("10.0.0.3");
	ck_assert_uint_eq(known(), 4);
}
END_TEST

START_TEST(what_is_named_is_checked_and_no_more)
{
	struct server_state *fixed = state(CHECKED, 0), *first;

	ck_assert_ptr_nonnull(fixed->checks);
	ck_assert_ptr_null(state(FIXED, 0)->checks);
	next_round("127.0.0.9");
	first = state(CHECKED, 0);
	ck_assert_ptr_nonnull(first->checks);
	ck_assert_str_eq(first->said, "upstream.connect_refused");
	ck_assert_ptr_null(state(NAMED, 1)->checks);
	next_round("127.0.0.8");
	ck_assert_ptr_eq(state(CHECKED, 1), fixed);
	ck_assert_ptr_nonnull(fixed->checks);
	ck_assert_ptr_nonnull(state(CHECKED, 0)->checks);
	ck_assert_uint_eq(known(), 4);
}
END_TEST

/* As at a reload: the old one goes, and what was known is known still. */
START_TEST(another_upkeep_finds_what_is_known)
{
	struct server_state *fixed = state(NAMED, 0);
	struct health *checks = state(CHECKED, 0)->checks;
	uint32_t id = fixed->id;

	for (unsigned i = 0; i < 3; i++)
		server_failed(
		    fixed, &config->upstreams[NAMED]->health, 0, "test");
	upkeep_free(upkeep);
	settle();
	ck_assert_ptr_null(fixed->checks);
	start();
	ck_assert_uint_eq(state(NAMED, 0)->id, id);
	ck_assert_uint_eq(state(NAMED, 0)->health, SERVER_DOWN);
	ck_assert_ptr_nonnull(state(CHECKED, 0)->checks);
	ck_assert_ptr_nonnull(checks);
	upkeep_tell(upkeep);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("upkeep");
	TCase *tcase = tcase_create("upkeep");
	SRunner *runner;
	int failed;

	log_set_level(LOG_ERROR);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, numbers_are_there_at_once);
	tcase_add_test(tcase, names_are_followed);
	tcase_add_test(tcase, a_name_that_fails_leaves_its_addresses);
	tcase_add_test(tcase, addresses_that_stay_keep_their_state);
	tcase_add_test(tcase, what_leaves_goes_when_nobody_is_there);
	tcase_add_test(tcase, what_is_named_is_checked_and_no_more);
	tcase_add_test(tcase, another_upkeep_finds_what_is_known);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
