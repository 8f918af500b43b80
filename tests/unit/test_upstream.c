/* SPDX-License-Identifier: ISC */
/* Which server an exchange gets, and the next ones. */
#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_clock.h"
#include "fake_servers.h"
#include "log.h"
#include "loop.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SERVERS_MAX 6
#define ADDRS_MAX 4
#define INTERVAL 5000

/* An upstream, its servers called a, b, c in their order; and another one that
 * has the same. */
static struct config config;
static struct upstream_config upstream, other, *list[2];
static struct server_config made[SERVERS_MAX];
static struct addr addrs[SERVERS_MAX][ADDRS_MAX];
static struct servers *servers;
static struct upstreams *upstreams;

static void
name_address(unsigned server, unsigned number)
{
	struct addr *addr = &addrs[server][number];
	struct sockaddr_in *in = (struct sockaddr_in *)&addr->sa;

	memset(addr, 0, sizeof(*addr));
	in->sin_family = AF_INET;
	in->sin_port = htons(80);
	in->sin_addr.s_addr = htonl(0x7f000000 | (server + 1) << 8 | number);
	addr->len = sizeof(*in);
}

/* One digit for each server: how many addresses it has. */
static void
make(const char *counts)
{
	memset(made, 0, sizeof(made));
	upstream = (struct upstream_config){.servers = made,
	    .server_count = (unsigned)strlen(counts),
	    .index = 1,
	    .retries = UPSTREAM_RETRIES_MAX,
	    .health = {SLICE_NONE, INTERVAL, 2, 3}};
	for (unsigned i = 0; counts[i] != '\0'; i++) {
		for (unsigned j = 0; j < ADDRS_MAX; j++)
			name_address(i, j);
		made[i] = (struct server_config){.addrs = addrs[i],
		    .addr_count = (unsigned)(counts[i] - '0'),
		    .weight = 1};
	}
}

static void
begin(void)
{
	other = upstream;
	other.index = 0;
	list[0] = &other;
	list[1] = &upstream;
	config = (struct config){.upstreams = list, .upstream_count = 2};
	servers = servers_new();
	upstreams = fake_servers_upstreams(servers, &config);
}

static void
finish(void)
{
	upstreams_free(upstreams);
	servers_free(servers);
}

static char
letter(const struct upstream_choice *choice)
{
	return (char)('a' + (choice->server - made));
}

static enum reason
choose(struct upstream_choice *choice)
{
	return upstream_choose(upstreams, &upstream, choice);
}

/* One exchange that ends at once; '-': nobody is up, '*': all are full. */
static char
visit(void)
{
	struct upstream_choice choice = {.tried = 0};
	enum reason why = choose(&choice);

	if (why != REASON_NONE)
		return why == REASON_UPSTREAM_BUSY ? '*' : '-';
	upstream_release(&choice);
	return letter(&choice);
}

static void
expect_visits(const char *wanted)
{
	char given[128] = "";

	for (size_t i = 0; wanted[i] != '\0'; i++)
		given[i] = visit();
	ck_assert_str_eq(given, wanted);
}

/* The server that the letter stands for fails to connect so many times. */
static void
break_server(char server, unsigned times)
{
	struct upstream_choice choice = {.tried = 0};

	while (choose(&choice) == REASON_NONE && letter(&choice) != server)
		continue;
	ck_assert_ptr_nonnull(choice.held);
	while (times-- > 0)
		upstream_failed(&choice, &upstream, REASON_UPSTREAM_REFUSED);
	upstream_release(&choice);
}

/* All that one exchange is given: "a0 a1 b0". */
static void
expect_given(const char *wanted)
{
	struct upstream_choice choice = {.tried = 0};
	char given[128] = "";
	size_t len = 0;

	while (choose(&choice) == REASON_NONE) {
		const struct sockaddr_in *in =
		    (const struct sockaddr_in *)&choice.addr->sa;

		ck_assert_uint_lt(len, sizeof(given) - 4);
		len += (size_t)snprintf(given + len, sizeof(given) - len,
		    "%s%c%u", len > 0 ? " " : "", letter(&choice),
		    ntohl(in->sin_addr.s_addr) & 0xff);
		ck_assert_uint_eq(choice.held->in_flight, 1);
	}
	ck_assert_str_eq(given, wanted);
	ck_assert_ptr_null(choice.held);
	ck_assert_int_eq(choose(&choice), REASON_UPSTREAM_UNAVAILABLE);
}

START_TEST(each_address_is_given_once_then_none_is_left)
{
	static const struct {
		const char *counts, *given[3]; /* to three exchanges */
	} rows[] = {
	    {"1", {"a0", "a0", "a0"}},
	    {"3", {"a0 a1 a2", "a2 a1 a0", "a0 a1 a2"}},
	    {"11", {"a0 b0", "b0 a0", "a0 b0"}},
	    {"012", {"b0 c0 c1", "c1 c0 b0", "b0 c0 c1"}},
	    {"0", {"", "", ""}},
	    {"00", {"", "", ""}},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		make(rows[i].counts);
		begin();
		for (unsigned j = 0; j < 3; j++)
			expect_given(rows[i].given[j]);
		finish();
	}
}
END_TEST

START_TEST(so_many_further_servers_are_tried)
{
	for (unsigned retries = 0; retries < 4; retries++) {
		struct upstream_choice choice = {.tried = 0};

		make("1111");
		upstream.retries = retries;
		begin();
		for (unsigned i = 0; i <= retries; i++) {
			ck_assert_int_eq(choose(&choice), REASON_NONE);
			ck_assert_int_eq(letter(&choice), 'a' + (int)i);
		}
		ck_assert_int_eq(choose(&choice), REASON_UPSTREAM_UNAVAILABLE);
		/* the latest is still named, for the log */
		ck_assert_int_eq(letter(&choice), 'a' + (int)retries);
		ck_assert_ptr_null(choice.held);
		finish();
	}
}
END_TEST

START_TEST(turns_are_by_weight_and_spread)
{
	static const struct {
		unsigned weights[3];
		const char *visits;
	} rows[] = {
	    {{1, 1, 1}, "abcabcabc"},
	    {{5, 1, 1}, "aabacaaaabacaa"},
	    {{1, 2, 3}, "cbacbccbacbc"},
	    {{1000, 1, 1000}, "acacacac"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		make("111");
		for (unsigned j = 0; j < 3; j++)
			made[j].weight = rows[i].weights[j];
		begin();
		expect_visits(rows[i].visits);
		finish();
	}
}
END_TEST

/* In as many visits as the weights sum up to, each gets its weight, exactly. */
START_TEST(shares_are_exact)
{
	static const unsigned weights[] = {7, 1, 30, 2, 13, 1};
	unsigned seen[COUNT(weights)] = {0};

	make("111111");
	for (size_t i = 0; i < COUNT(weights); i++)
		made[i].weight = weights[i];
	begin();
	for (unsigned i = 0; i < 54 * 3; i++)
		seen[visit() - 'a']++;
	for (size_t i = 0; i < COUNT(weights); i++)
		ck_assert_uint_eq(seen[i], 3 * weights[i]);
	finish();
}
END_TEST

/* A second upstream's exchanges do not move the first one's turn. */
START_TEST(upstreams_have_turns_of_their_own)
{
	struct upstream_choice choice = {.tried = 0};

	make("11");
	begin();
	ck_assert_int_eq(
	    upstream_choose(upstreams, &other, &choice), REASON_NONE);
	ck_assert_int_eq(letter(&choice), 'a');
	upstream_release(&choice);
	expect_visits("ab");
	choice = (struct upstream_choice){.tried = 0};
	ck_assert_int_eq(
	    upstream_choose(upstreams, &other, &choice), REASON_NONE);
	ck_assert_int_eq(letter(&choice), 'b');
	upstream_release(&choice);
	finish();
}
END_TEST

START_TEST(the_least_busy_for_its_weight_is_next)
{
	struct upstream_choice held[8];
	char given[9] = "";

	memset(held, 0, sizeof(held));
	make("111");
	made[1].weight = 2;
	upstream.balance = BALANCE_LEASTCONN;
	begin();
	for (unsigned i = 0; i < COUNT(held); i++) {
		ck_assert_int_eq(choose(&held[i]), REASON_NONE);
		given[i] = letter(&held[i]);
	}
	ck_assert_str_eq(given, "bacbcabb");
	/* whoever is done is next, whatever its turn */
	for (unsigned i = 0; i < 3; i++) {
		upstream_release(&held[5]);
		ck_assert_int_eq(given[5], 'a');
		held[5] = (struct upstream_choice){.tried = 0};
		ck_assert_int_eq(choose(&held[5]), REASON_NONE);
		ck_assert_int_eq(letter(&held[5]), 'a');
	}
	for (unsigned i = 0; i < COUNT(held); i++)
		upstream_release(&held[i]);
	finish();
}
END_TEST

/* Idle servers share by weight. */
START_TEST(ties_of_the_least_busy_take_turns)
{
	make("111");
	made[2].weight = 2;
	upstream.balance = BALANCE_LEASTCONN;
	begin();
	expect_visits("cabccabc");
	finish();
}
END_TEST

START_TEST(a_backup_is_for_when_no_primary_is_up)
{
	make("1111");
	made[0].backup = made[2].backup = true;
	begin();
	expect_visits("bdbd");
	break_server('b', 3);
	expect_visits("dddd");
	break_server('d', 3);
	expect_visits("acac");
	break_server('a', 3);
	expect_visits("cccc");
	break_server('c', 3);
	expect_visits("--");
	finish();
}
END_TEST

/* With its only primary tried in vain, an exchange goes on to the backup. */
START_TEST(a_backup_is_tried_after_the_primaries)
{
	make("111");
	made[0].backup = true;
	begin();
	expect_given("b0 c0 a0");
	finish();
}
END_TEST

START_TEST(a_server_gets_no_more_than_its_max)
{
	struct upstream_choice held[5];
	char given[6] = "";

	memset(held, 0, sizeof(held));
	make("111");
	made[0].max = 1;
	made[1].max = 2;
	made[2].max = 2;
	begin();
	for (unsigned i = 0; i < COUNT(held); i++) {
		ck_assert_int_eq(choose(&held[i]), REASON_NONE);
		given[i] = letter(&held[i]);
	}
	ck_assert_str_eq(given, "abcbc");
	expect_visits("**");
	upstream_release(&held[3]);
	expect_visits("bb");
	for (unsigned i = 0; i < COUNT(held); i++)
		upstream_release(&held[i]);
	finish();
}
END_TEST

/* max is for overload, a backup for failure. */
START_TEST(a_backup_does_not_help_servers_that_are_full)
{
	struct upstream_choice held = {.tried = 0};

	make("11");
	made[0].max = 1;
	made[1].backup = true;
	begin();
	ck_assert_int_eq(choose(&held), REASON_NONE);
	expect_visits("*");
	upstream_release(&held);
	expect_visits("a");
	finish();
}
END_TEST

/* Upstreams with the same address share its count. */
START_TEST(max_is_of_the_address)
{
	struct upstream_choice held = {.tried = 0};

	make("1");
	made[0].max = 1;
	begin();
	ck_assert_int_eq(
	    upstream_choose(upstreams, &other, &held), REASON_NONE);
	expect_visits("*");
	upstream_release(&held);
	expect_visits("a");
	finish();
}
END_TEST

START_TEST(connects_that_fail_in_a_row_put_a_server_down)
{
	struct upstream_choice choice = {.tried = 0};

	make("11");
	begin();
	break_server('a', 2);
	expect_visits("ba");
	choose(&choice);
	ck_assert_int_eq(letter(&choice), 'b');
	upstream_connected(&choice);
	upstream_release(&choice);
	break_server('a', 1);
	expect_visits("bbbb");
	finish();
}
END_TEST

START_TEST(a_connect_that_works_ends_the_row)
{
	struct upstream_choice choice = {.tried = 0};

	make("1");
	begin();
	break_server('a', 2);
	choose(&choice);
	upstream_connected(&choice);
	upstream_release(&choice);
	break_server('a', 2);
	expect_visits("aa");
	break_server('a', 1);
	expect_visits("-");
	finish();
}
END_TEST

/* One request each time that the back-off is over, until one connects. */
START_TEST(a_server_that_is_down_is_tried_by_one_request)
{
	struct upstream_choice choice = {.tried = 0}, second = {.tried = 0};

	make("1");
	begin();
	break_server('a', 3);
	fake_clock_advance(INTERVAL - 1000);
	ck_assert_int_eq(choose(&choice), REASON_UPSTREAM_UNAVAILABLE);
	ck_assert_uint_eq(choice.retry_after, 1);
	fake_clock_advance(1001);
	for (unsigned i = 0; i < 2; i++) {
		choice = second = (struct upstream_choice){.tried = 0};
		ck_assert_int_eq(choose(&choice), REASON_NONE);
		ck_assert_int_eq(choose(&second), REASON_UPSTREAM_UNAVAILABLE);
		ck_assert_uint_eq(second.retry_after, INTERVAL / 1000);
		if (i == 0)
			upstream_failed(
			    &choice, &upstream, REASON_UPSTREAM_REFUSED);
		else
			upstream_connected(&choice);
		upstream_release(&choice);
		ck_assert_int_eq(visit(), i == 0 ? '-' : 'a');
		fake_clock_advance(INTERVAL + 1);
	}
	break_server('a', 2);
	expect_visits("a"); /* it counts from nothing again */
	finish();
}
END_TEST

START_TEST(a_server_that_is_tried_again_keeps_to_its_max)
{
	struct upstream_choice choice = {.tried = 0};

	make("1");
	made[0].max = 1;
	begin();
	choose(&choice);
	for (unsigned i = 0; i < 3; i++)
		upstream_failed(&choice, &upstream, REASON_UPSTREAM_REFUSED);
	fake_clock_advance(INTERVAL + 1);
	expect_visits("*");
	upstream_release(&choice);
	expect_visits("a-");
	finish();
}
END_TEST

#define WORKERS 4
#define VISITS 20000
static atomic_uint inside, most, given;

/* A worker: its own turns, the same servers. */
static void *
work(void *arg)
{
	struct upstreams *own = arg;

	for (unsigned i = 0; i < VISITS; i++) {
		struct upstream_choice choice = {.tried = 0};
		unsigned now, before;

		if (upstream_choose(own, &upstream, &choice) != REASON_NONE)
			continue;
		now = atomic_fetch_add(&inside, 1) + 1;
		before = atomic_load(&most);
		while (now > before &&
		       !atomic_compare_exchange_weak(&most, &before, now))
			continue;
		atomic_fetch_add(&given, 1);
		atomic_fetch_sub(&inside, 1);
		upstream_release(&choice);
	}
	return NULL;
}

START_TEST(workers_never_go_past_max_together)
{
	struct upstreams *own[WORKERS];
	pthread_t threads[WORKERS];

	make("1");
	made[0].max = 2;
	begin();
	for (unsigned i = 0; i < WORKERS; i++) {
		own[i] = fake_servers_upstreams(servers, &config);
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, work, own[i]), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		upstreams_free(own[i]);
	}
	ck_assert_uint_le(most, 2);
	ck_assert_uint_gt(given, VISITS / 2);
	expect_visits("a");
	finish();
}
END_TEST

static struct server_state *
state_of(unsigned number)
{
	struct server_list *now = fake_servers_list(servers, &upstream);
	struct server_state *state = now->at[number].server;

	server_list_unref(now);
	return state;
}

START_TEST(checks_in_a_row_put_a_server_down_and_up)
{
	struct server_state *a;

	make("11");
	upstream.health.target = SLICE("/well");
	begin();
	a = state_of(0);
	for (const char *c = "..x.xx..xxx"; *c != '\0'; c++) {
		ck_assert_uint_eq(a->health, SERVER_UP);
		server_checked(a, &upstream.health, *c == '.', "seen");
	}
	expect_visits("bbb");
	ck_assert_str_eq(a->said, "seen");
	for (const char *c = ".x.."; *c != '\0'; c++) {
		ck_assert_uint_eq(a->health, SERVER_DOWN);
		server_checked(a, &upstream.health, *c == '.', "seen");
	}
	ck_assert_uint_eq(a->health, SERVER_UP);
	finish();
}
END_TEST

/* No request is spent on a server that is checked: the checks tell. */
START_TEST(a_server_that_is_checked_is_not_tried_by_requests)
{
	struct upstream_choice choice = {.tried = 0};
	struct server_state *a;

	make("1");
	upstream.health.target = SLICE("/well");
	begin();
	a = state_of(0);
	server_checked(a, &upstream.health, true, "200");
	server_checked(a, &upstream.health, true, "200");
	choose(&choice);
	for (unsigned i = 0; i < 3; i++)
		upstream_failed(&choice, &upstream, REASON_UPSTREAM_REFUSED);
	upstream_connected(&choice); /* of before */
	upstream_release(&choice);
	fake_clock_advance(10 * INTERVAL);
	ck_assert_int_eq(choose(&choice), REASON_UPSTREAM_UNAVAILABLE);
	ck_assert_uint_eq(choice.retry_after, INTERVAL / 1000);
	/* those from before it was down do not count */
	server_checked(a, &upstream.health, true, "200");
	expect_visits("-");
	server_checked(a, &upstream.health, true, "200");
	expect_visits("a");
	ck_assert_uint_eq(a->failures, 0);
	finish();
}
END_TEST

/* The other upstream checks in another way, or speaks so: it has a state of its
 * own. */
START_TEST(what_is_checked_differently_is_known_apart)
{
	struct upstream_choice choice = {.tried = 0};

	make("1");
	if (_i == 1)
		upstream.health.target = SLICE("/well");
	begin();
	upstream.health.target = SLICE("/well");
	if (_i == 1)
		upstream.servers[0].send_proxy = PROXY_V2;
	upstreams_take(upstreams, fake_servers_list(servers, &upstream));
	for (unsigned i = 0; i < 3; i++)
		server_checked(state_of(0), &upstream.health, false, "500");
	expect_visits("-");
	ck_assert_int_eq(
	    upstream_choose(upstreams, &other, &choice), REASON_NONE);
	upstream_release(&choice);
	finish();
}
END_TEST

/* The names lead elsewhere: b is new, a is known still. */
START_TEST(addresses_that_stay_keep_their_state)
{
	struct upstream_choice old = {.tried = 0};

	make("11");
	upstream.server_count = 1;
	begin();
	choose(&old);
	for (unsigned i = 0; i < 3; i++)
		upstream_failed(&old, &upstream, REASON_UPSTREAM_REFUSED);
	upstream.server_count = 2;
	upstreams_take(upstreams, fake_servers_list(servers, &upstream));
	expect_visits("bbb");
	fake_clock_advance(INTERVAL + 1);
	expect_visits("ab");
	ck_assert_uint_eq(old.held->in_flight, 1);
	upstream_release(&old);
	finish();
}
END_TEST

/* Its list is gone; it goes with the last exchange. */
START_TEST(a_server_lives_as_long_as_an_exchange_is_there)
{
	struct upstream_choice old = {.tried = 0};
	uint32_t id;

	make("1");
	begin();
	ck_assert_int_eq(choose(&old), REASON_NONE);
	id = old.held->id;
	upstreams_free(upstreams);
	servers_sweep(servers);
	ck_assert_uint_eq(old.held->id, id);
	ck_assert_uint_eq(state_of(0)->id, id);
	upstream_release(&old);
	servers_sweep(servers);
	ck_assert_uint_ne(state_of(0)->id, id);
	servers_free(servers);
	upstreams_free(NULL);
	servers_free(NULL);
	server_list_unref(NULL);
}
END_TEST

START_TEST(without_a_list_nothing_is_given)
{
	struct upstream_choice choice = {.tried = 0};

	make("1");
	begin();
	upstreams_free(upstreams);
	upstreams = upstreams_new(&config);
	ck_assert_int_eq(choose(&choice), REASON_UPSTREAM_UNAVAILABLE);
	ck_assert_uint_eq(choice.retry_after, 1);
	ck_assert_ptr_null(choice.server);
	upstream_release(&choice);
	finish();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("upstream");
	TCase *tcase = tcase_create("upstream");
	SRunner *runner;
	int failed;

	log_set_level(LOG_ERROR);
	tcase_add_test(tcase, each_address_is_given_once_then_none_is_left);
	tcase_add_test(tcase, so_many_further_servers_are_tried);
	tcase_add_test(tcase, turns_are_by_weight_and_spread);
	tcase_add_test(tcase, shares_are_exact);
	tcase_add_test(tcase, upstreams_have_turns_of_their_own);
	tcase_add_test(tcase, the_least_busy_for_its_weight_is_next);
	tcase_add_test(tcase, ties_of_the_least_busy_take_turns);
	tcase_add_test(tcase, a_backup_is_for_when_no_primary_is_up);
	tcase_add_test(tcase, a_backup_is_tried_after_the_primaries);
	tcase_add_test(tcase, a_server_gets_no_more_than_its_max);
	tcase_add_test(tcase, a_backup_does_not_help_servers_that_are_full);
	tcase_add_test(tcase, max_is_of_the_address);
	tcase_add_test(tcase, workers_never_go_past_max_together);
	tcase_add_test(tcase, connects_that_fail_in_a_row_put_a_server_down);
	tcase_add_test(tcase, a_connect_that_works_ends_the_row);
	tcase_add_test(tcase, a_server_that_is_down_is_tried_by_one_request);
	tcase_add_test(tcase, a_server_that_is_tried_again_keeps_to_its_max);
	tcase_add_test(tcase, checks_in_a_row_put_a_server_down_and_up);
	tcase_add_test(
	    tcase, a_server_that_is_checked_is_not_tried_by_requests);
	tcase_add_loop_test(
	    tcase, what_is_checked_differently_is_known_apart, 0, 2);
	tcase_add_test(tcase, addresses_that_stay_keep_their_state);
	tcase_add_test(tcase, a_server_lives_as_long_as_an_exchange_is_there);
	tcase_add_test(tcase, without_a_list_nothing_is_given);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
