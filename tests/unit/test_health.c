/* SPDX-License-Identifier: ISC */
/* Checks of a server that follows a script, over TCP and a unix socket. */
#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_clock.h"
#include "fake_server.h"
#include "fake_servers.h"
#include "health.h"
#include "log.h"
#include "transport_evhttp.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TURNS 20000
#define INTERVAL 3000u
#define HEAD                                                                   \
	{                                                                      \
		FAKE_HEAD, 0, SLICE_NONE                                       \
	}
#define SEND(text)                                                             \
	{                                                                      \
		FAKE_SEND, 1, SLICE(text)                                      \
	}
#define CLOSE                                                                  \
	{                                                                      \
		FAKE_CLOSE, 0, SLICE_NONE                                      \
	}
#define FORGET                                                                 \
	{                                                                      \
		FAKE_FORGET, 0, SLICE_NONE                                     \
	}
#define AGAIN                                                                  \
	{                                                                      \
		FAKE_AGAIN, 0, SLICE_NONE                                      \
	}
#define STOP                                                                   \
	{                                                                      \
		FAKE_STOP, 0, SLICE_NONE                                       \
	}
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct loop loop;
static struct links links;
static struct servers *servers;
static struct upstream_config upstream;
static struct server_config config;
static struct server_list *list;
static struct server_state *server;
static struct fake_server fake;
static struct health *health;
static enum proxy_version send_proxy;
static char path[64];
static unsigned descriptors;

static void
begin(struct addr *addr)
{
	struct health_setup setup = {.loop = &loop,
	    .links = &links,
	    .rule = &upstream.health,
	    .host = SLICE("app.example:80")};

	config = (struct server_config){.addrs = addr,
	    .addr_count = 1,
	    .weight = 1,
	    .send_proxy = send_proxy};
	upstream = (struct upstream_config){.servers = &config,
	    .server_count = 1,
	    .health = {SLICE("/well?a"), INTERVAL, 2, 3}};
	servers = servers_new();
	list = fake_servers_list(servers, &upstream);
	server = setup.server = list->at[0].server;
	health = health_start(&setup);
}

/* On 127.0.0.1, or a unix socket. */
static void
serve(const struct fake_act *acts, bool local)
{
	char address[80] = "127.0.0.1:0";

	snprintf(path, sizeof(path), "/tmp/test_health.%d", (int)getpid());
	if (local)
		snprintf(address, sizeof(address), "unix:%s", path);
	ck_assert(fake_server_open(&fake, &loop, address, acts));
	begin(&fake.addr);
}

static void
set_up(void)
{
	descriptors = fake_descriptors();
	send_proxy = PROXY_NONE;
	transport_evhttp_prepare();
	loop_init(&loop);
	links_init(&links, &loop);
}

static void
settle(void)
{
	for (int i = 0; i < 300; i++)
		event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* Nothing is left, whatever the check was at. */
static void
tear_down(void)
{
	health_stop(health);
	if (fake.loop != NULL)
		fake_server_close(&fake);
	unlink(path);
	event_base_loop(loop.base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(loop.armed, 0);
	links_done(&links);
	server_list_unref(list);
	servers_free(servers);
	loop_done(&loop);
	ck_assert_uint_eq(fake_descriptors(), descriptors);
}

static void
until_said(const char *said)
{
	for (int i = 0; strcmp(server->said, said) != 0 && i < TURNS; i++)
		event_base_loop(loop.base, EVLOOP_ONCE);
	ck_assert_str_eq(server->said, said);
}

/* One check more, with this outcome. */
static void
next_check(const char *said)
{
	settle();
	snprintf(server->said, sizeof(server->said), "(none)");
	fake_clock_advance(INTERVAL);
	until_said(said);
}

START_TEST(what_is_asked_for)
{
	static const struct fake_act acts[] = {HEAD, SEND(OK), CLOSE, STOP};

	serve(acts, _i == 1);
	until_said("status_200");
	ck_assert_ptr_eq(
	    strstr(fake.text, "GET /well?a HTTP/1.1\r\n"), fake.text);
	ck_assert_ptr_nonnull(strstr(fake.text, "Host: app.example:80\r\n"));
	ck_assert_ptr_nonnull(
	    strstr(fake.text, "User-Agent: methodgate-health\r\n"));
	ck_assert_ptr_nonnull(strstr(fake.text, "Connection: close\r\n"));
	ck_assert_uint_eq(server->health, SERVER_UP);
}
END_TEST

/* It is nobody's connection. */
START_TEST(a_check_may_begin_with_a_proxy_header)
{
	static const struct fake_act answers_v1[] = {
	    HEAD, SEND(OK), CLOSE, STOP};
	static const struct fake_act hears[] = {HEAD, STOP};
	static const char v2[] =
	    "\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0GET /well?a HTTP/1.1\r\n";

	send_proxy = _i == 0 ? PROXY_V1 : PROXY_V2;
	serve(_i == 0 ? answers_v1 : hears, false);
	if (_i == 0) {
		until_said("status_200");
		ck_assert_ptr_eq(
		    strstr(fake.text, "PROXY UNKNOWN\r\nGET /"), fake.text);
		return;
	}
	for (int i = 0; fake.text_len < sizeof(v2) && i < TURNS; i++)
		event_base_loop(loop.base, EVLOOP_ONCE);
	ck_assert_uint_ge(fake.text_len, sizeof(v2));
	ck_assert_mem_eq(fake.text, v2, sizeof(v2) - 1);
}
END_TEST

START_TEST(each_check_is_a_connection_of_its_own)
{
	static const struct fake_act acts[] = {
	    HEAD, SEND(OK), CLOSE, FORGET, AGAIN, STOP};

	serve(acts, _i == 1);
	until_said("status_200");
	for (unsigned i = 2; i < 5; i++) {
		next_check("status_200");
		ck_assert_uint_eq(fake.connections, i);
	}
	settle();
	fake_clock_advance(INTERVAL - 500);
	settle();
	ck_assert_uint_eq(fake.connections, 4);
}
END_TEST

/* What a server answers with, and what that is called. */
static const struct {
	const char *answer, *said;
	bool passes;
} answers[] = {
    {OK, "status_200", true},
    {"HTTP/1.1 204 No Content\r\n\r\n", "status_204", true},
    {"HTTP/1.1 103 Early Hints\r\n\r\n" OK, "status_200", true},
    {"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
	"status_302", true},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "status_404",
	false},
    {"HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\nx", "status_500", false},
    {"H", "upstream.closed", false},
    {"HTTP/1.1 200\r\nContent", "upstream.closed", false},
    {"SSH-2.0-x\r\n\r\n", "upstream.malformed", false},
};

START_TEST(answers_are_judged_by_their_heads)
{
	struct fake_act acts[] = {HEAD, SEND(""), CLOSE, FORGET, AGAIN, STOP};

	acts[1].bytes = slice_of(answers[_i].answer);
	serve(acts, false);
	until_said(answers[_i].said);
	ck_assert_uint_eq(server->missed, answers[_i].passes ? 0 : 1);
	next_check(answers[_i].said);
	ck_assert_uint_eq(server->health, SERVER_UP);
	next_check(answers[_i].said);
	ck_assert_uint_eq(
	    server->health, answers[_i].passes ? SERVER_UP : SERVER_DOWN);
}
END_TEST

START_TEST(a_server_that_refuses_goes_down_and_comes_back)
{
	static const struct fake_act acts[] = {
	    HEAD, SEND(OK), CLOSE, FORGET, AGAIN, STOP};
	struct addr nobody = fake_server_nobody();

	fake.loop = NULL;
	begin(&nobody);
	until_said("upstream.connect_refused");
	next_check("upstream.connect_refused");
	ck_assert_uint_eq(server->health, SERVER_UP);
	next_check("upstream.connect_refused");
	ck_assert_uint_eq(server->health, SERVER_DOWN);
	ck_assert(fake_server_open(&fake, &loop, "127.0.0.1:0", acts));
	server->addr = fake.addr;
	next_check("status_200");
	ck_assert_uint_eq(server->health, SERVER_DOWN);
	next_check("status_200");
	ck_assert_uint_eq(server->health, SERVER_UP);
}
END_TEST

/* Nothing comes, or not all of a head: it is over with the interval, which is
 * when the next one begins. */
START_TEST(an_answer_that_does_not_come_is_a_failure)
{
	static const struct fake_act silent[] = {HEAD, STOP};
	static const struct fake_act slow[] = {
	    HEAD, SEND("HTTP/1.1 200 OK\r\nA: b"), STOP};

	serve(_i == 0 ? silent : slow, false);
	settle();
	fake_clock_advance(INTERVAL - 500);
	settle();
	ck_assert_str_eq(server->said, "-");
	fake_clock_advance(500);
	until_said("upstream.response_timeout");
	ck_assert_uint_eq(server->missed, 1);
}
END_TEST

START_TEST(a_long_interval_waits_no_longer_for_an_answer)
{
	static const struct fake_act silent[] = {HEAD, STOP};

	serve(silent, false);
	settle();
	health_stop(health);
	upstream.health.interval = 10 * HEALTH_DEADLINE_MS;
	health = health_start(&(struct health_setup){.loop = &loop,
	    .links = &links,
	    .server = server,
	    .rule = &upstream.health,
	    .host = SLICE("a")});
	settle();
	fake_clock_advance(HEALTH_DEADLINE_MS);
	until_said("upstream.response_timeout");
	ck_assert_uint_eq(fake.connections, 2);
}
END_TEST

static bool
gone(void)
{
	return fake.fin_heard || fake.reset_heard;
}

/* Judged by its head; the rest is read, but not without end. */
START_TEST(a_body_is_read_away_within_bounds)
{
	static char block[4096];
	static const struct fake_act ends[] = {HEAD,
	    SEND("HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n"),
	    {FAKE_SEND, 5000, SLICE("0123456789")}, STOP};
	static const struct fake_act endless[] = {HEAD,
	    SEND("HTTP/1.1 200 OK\r\n\r\n"),
	    {FAKE_SEND, 100000, {block, sizeof(block)}}, STOP};

	serve(_i == 0 ? ends : endless, false);
	until_said("status_200");
	for (int i = 0; !gone() && i < TURNS; i++)
		event_base_loop(loop.base, EVLOOP_ONCE);
	ck_assert(gone());
	if (_i == 0)
		ck_assert_uint_gt(fake.sent, 50000);
	else
		ck_assert_uint_lt(fake.sent, 10000000);
	ck_assert_uint_eq(server->missed, 0);
}
END_TEST

START_TEST(a_check_can_be_stopped_at_any_time)
{
	static const struct fake_act acts[] = {
	    HEAD, SEND("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), STOP};

	serve(acts, _i >= 20);
	for (int i = 0; i < _i % 20; i++)
		event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	health_stop(NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("health");
	TCase *tcase = tcase_create("health");
	SRunner *runner;
	int failed;

	log_set_level(LOG_ERROR);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, what_is_asked_for, 0, 2);
	tcase_add_loop_test(tcase, a_check_may_begin_with_a_proxy_header, 0, 2);
	tcase_add_loop_test(tcase, each_check_is_a_connection_of_its_own, 0, 2);
	tcase_add_loop_test(
	    tcase, answers_are_judged_by_their_heads, 0, COUNT(answers));
	tcase_add_test(tcase, a_server_that_refuses_goes_down_and_comes_back);
	tcase_add_loop_test(
	    tcase, an_answer_that_does_not_come_is_a_failure, 0, 2);
	tcase_add_test(tcase, a_long_interval_waits_no_longer_for_an_answer);
	tcase_add_loop_test(tcase, a_body_is_read_away_within_bounds, 0, 2);
	tcase_add_loop_test(tcase, a_check_can_be_stopped_at_any_time, 0, 40);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
