/* SPDX-License-Identifier: ISC */
/* Connections that wait for their PROXY header: who comes in, as whom, and with
 * every byte behind it; and who does not. */
#include <check.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doorway.h"
#include "fake_clock.h"
#include "fake_server.h"
#include "log.h"
#include "proxy.h"

#define TIMEOUT 7000u
#define REQUEST "GET / HTTP/1.1\r\n\r\n"
#define V1 "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
#define V2                                                                     \
	"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xc0\x00\x02\x01\xc6\x33\x64\x02"   \
	"\xdc\x04\x01\xbb\x04\0\0"
#define LOCAL_V2 "\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0"
#define BYTES(text)                                                            \
	{                                                                      \
		(text), sizeof(text) - 1                                       \
	}

static struct loop loop;
static struct gate_config gate;
static struct addr_net nets[2];
static struct doorway doorway;
static char door;
static struct addr peer;
static int near, far; /* the gate's end, and the proxy's */
static unsigned descriptors;
/* what was told */
static unsigned entered, closed;
static enum reason why;
static char as[ADDR_TEXT_MAX];

static void
on_enter(void *arg, int fd, const struct addr *addr, void *at)
{
	ck_assert_ptr_eq(arg, &doorway);
	ck_assert_ptr_eq(at, &door);
	ck_assert_int_eq(fd, near);
	addr_text(addr, as);
	entered++;
}

static void
on_closed(void *arg, void *at, enum reason reason)
{
	ck_assert_ptr_eq(at, &door);
	ck_assert_ptr_eq(arg, &doorway);
	why = reason;
	closed++;
}

static void
set_up(void)
{
	log_set_level(LOG_ERROR);
	descriptors = fake_descriptors();
	loop_init(&loop);
	ck_assert(addr_net_parse(SLICE("10.0.0.0/8"), &nets[0]));
	ck_assert(addr_net_parse(SLICE("unix"), &nets[1]));
	gate = (struct gate_config){.head_timeout = TIMEOUT,
	    .trusted_proxies = nets,
	    .trusted_proxy_count = 2};
	doorway_init(&doorway, &loop,
	    (struct doorway_owner){on_enter, on_closed, &doorway});
	ck_assert(addr_parse(SLICE("10.1.2.3:4567"), &peer));
	entered = closed = 0;
	near = far = -1;
}

static void
tear_down(void)
{
	doorway_done(&doorway);
	loop_done(&loop);
	if (far >= 0)
		close(far);
	if (entered > 0)
		close(near);
	ck_assert_uint_eq(fake_descriptors(), descriptors);
}

static void
say(const char *bytes, size_t len)
{
	ck_assert_int_eq(send(far, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void
connect_with(const char *bytes, size_t len)
{
	int ends[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	near = ends[0];
	far = ends[1];
	if (len > 0)
		say(bytes, len);
	doorway_open(&doorway, &gate, near, &peer, &door);
}

static void
settle(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void
expect_rest(const char *want)
{
	char rest[256];
	ssize_t n = recv(near, rest, sizeof(rest), 0);

	ck_assert_int_eq(n, (ssize_t)strlen(want));
	ck_assert_mem_eq(rest, want, strlen(want));
}

static const struct {
	struct slice header;
	const char *as;
} good[] = {
    {BYTES(V1), "192.0.2.1:56324"},
    {BYTES(V2), "192.0.2.1:56324"},
    {BYTES("PROXY UNKNOWN\r\n"), "10.1.2.3:4567"},
    {BYTES(LOCAL_V2), "10.1.2.3:4567"},
};
#define GOOD (sizeof(good) / sizeof(good[0]))

START_TEST(a_header_that_is_there_lets_in_at_once)
{
	struct slice header = good[_i].header;
	char bytes[256];

	memcpy(bytes, header.at, header.len);
	memcpy(bytes + header.len, REQUEST, strlen(REQUEST));
	connect_with(bytes, header.len + strlen(REQUEST));
	ck_assert_uint_eq(entered, 1);
	ck_assert_uint_eq(doorway.waiting, 0);
	ck_assert_str_eq(as, good[_i].as);
	expect_rest(REQUEST);
}
END_TEST

/* With a wakeup for each byte, and none without one. */
START_TEST(a_header_that_comes_in_bytes_lets_in_with_its_last)
{
	struct slice header = good[_i].header;

	connect_with("", 0);
	for (size_t i = 0; i < header.len; i++) {
		ck_assert_uint_eq(doorway.waiting, 1);
		ck_assert_uint_eq(entered, 0);
		say(header.at + i, 1);
		settle();
		if (i + 1 < header.len)
			ck_assert_int_lt(recv(near, as, 1, MSG_PEEK), 0);
	}
	ck_assert_uint_eq(entered, 1);
	ck_assert_uint_eq(doorway.waiting, 0);
	ck_assert_str_eq(as, good[_i].as);
	say(REQUEST, strlen(REQUEST));
	expect_rest(REQUEST);
}
END_TEST

START_TEST(what_comes_with_the_end_of_a_header_stays)
{
	connect_with(V1, 11);
	settle();
	say(V1 REQUEST + 11, strlen(V1 REQUEST) - 11);
	settle();
	ck_assert_uint_eq(entered, 1);
	expect_rest(REQUEST);
}
END_TEST

START_TEST(a_peer_that_is_not_trusted_is_closed_unheard)
{
	ck_assert(addr_parse(SLICE("192.0.2.9:1"), &peer));
	connect_with(V1, strlen(V1));
	ck_assert_uint_eq(closed, 1);
	ck_assert_int_eq(why, REASON_PROXY_UNTRUSTED);
	ck_assert_uint_eq(entered, 0);
}
END_TEST

START_TEST(a_peer_of_a_unix_socket_is_trusted_as_such)
{
	peer = (struct addr){.len = sizeof(sa_family_t)};
	peer.sa.ss_family = AF_UNIX;
	gate.trusted_proxy_count = 1 + (unsigned)_i;
	connect_with(V1, strlen(V1));
	ck_assert_uint_eq(entered, (unsigned)_i);
	ck_assert_uint_eq(closed, 1 - (unsigned)_i);
}
END_TEST

static const struct slice bad[] = {BYTES(REQUEST), BYTES("PROXY TCP4 a\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 ::1 1 2\r\n"), BYTES("\x16\x03\x01\x02")};
#define BAD (sizeof(bad) / sizeof(bad[0]))

START_TEST(what_is_no_header_is_turned_away)
{
	struct slice bytes = bad[_i / 2];
	bool late = _i % 2;

	connect_with(bytes.at, late ? 0 : bytes.len);
	if (late) {
		ck_assert_uint_eq(doorway.waiting, 1);
		say(bytes.at, bytes.len);
		settle();
	}
	ck_assert_uint_eq(closed, 1);
	ck_assert_int_eq(why, REASON_PROXY_MALFORMED);
	ck_assert_uint_eq(entered, 0);
	ck_assert_uint_eq(doorway.waiting, 0);
}
END_TEST

/* Nothing at all is a knock at the door; part of a header is a broken one. */
START_TEST(a_peer_that_goes_before_its_header_is_there_is_closed)
{
	connect_with(V2, (size_t)_i);
	settle();
	ck_assert_uint_eq(doorway.waiting, 1);
	close(far);
	far = -1;
	settle();
	ck_assert_uint_eq(closed, 1);
	ck_assert_int_eq(why, _i > 0 ? REASON_PROXY_MALFORMED : REASON_NONE);
	ck_assert_uint_eq(doorway.waiting, 0);
}
END_TEST

START_TEST(a_peer_that_has_gone_already_is_closed)
{
	int ends[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	close(ends[1]);
	doorway_open(&doorway, &gate, ends[0], &peer, &door);
	ck_assert_uint_eq(closed, 1);
	ck_assert_int_eq(why, REASON_NONE);
}
END_TEST

/* For the whole header: more of it does not put it off. */
START_TEST(a_header_has_head_timeout_to_come)
{
	connect_with("", 0);
	fake_clock_advance(TIMEOUT - 1000);
	say(V1, 20);
	settle();
	ck_assert_uint_eq(closed, 0);
	fake_clock_advance(1500);
	settle();
	ck_assert_uint_eq(closed, 1);
	ck_assert_int_eq(why, REASON_PROXY_TIMEOUT);
	ck_assert_uint_eq(doorway.waiting, 0);
}
END_TEST

START_TEST(a_drain_lets_in_who_is_complete_and_nobody_else)
{
	connect_with("", 0);
	if (_i > 0)
		say(V1, strlen(V1));
	doorway_drain(&doorway);
	ck_assert_uint_eq(entered, (unsigned)_i);
	ck_assert_uint_eq(closed, 1 - (unsigned)_i);
	if (closed > 0)
		ck_assert_int_eq(why, REASON_SHUTDOWN);
	ck_assert_uint_eq(doorway.waiting, 0);
}
END_TEST

START_TEST(a_door_that_is_gone_takes_its_own_along)
{
	char other;

	connect_with("", 0);
	doorway_leave(&doorway, &other);
	ck_assert_uint_eq(doorway.waiting, 1);
	if (_i > 0)
		say(V1, strlen(V1));
	doorway_leave(&doorway, &door);
	ck_assert_uint_eq(entered, (unsigned)_i);
	ck_assert_uint_eq(closed, 1 - (unsigned)_i);
	ck_assert_uint_eq(doorway.waiting, 0);
	ck_assert(!doorway.draining);
}
END_TEST

START_TEST(nobody_waits_after_a_drain)
{
	doorway_drain(&doorway);
	connect_with(V1, _i > 0 ? strlen(V1) : 5);
	ck_assert_uint_eq(entered, (unsigned)_i);
	ck_assert_uint_eq(closed, 1 - (unsigned)_i);
}
END_TEST

START_TEST(who_waits_at_the_end_is_closed)
{
	connect_with(V1, 5);
	doorway_done(&doorway);
	ck_assert_uint_eq(closed, 1);
	ck_assert_int_eq(why, REASON_SHUTDOWN);
}
END_TEST

static void
come_and_be_refused(void)
{
	int ends[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	doorway_open(&doorway, &gate, ends[0], &peer, &door);
	close(ends[1]);
}

START_TEST(refusals_are_told_once_a_second_and_counted)
{
	const struct doorway_told *told = &doorway.told[0];

	ck_assert(addr_parse(SLICE("192.0.2.9:1"), &peer));
	for (unsigned i = 0; i < 100; i++)
		come_and_be_refused();
	ck_assert_uint_eq(closed, 100);
	ck_assert_uint_eq(told->untold, 99);
	ck_assert_uint_eq(doorway.told[1].untold, 0);
	fake_clock_advance(DOORWAY_TOLD_MS);
	come_and_be_refused();
	ck_assert_uint_eq(told->untold, 0);
	come_and_be_refused();
	ck_assert_uint_eq(told->untold, 1);
}
END_TEST

static void
add_tests(TCase *tests)
{
	tcase_add_loop_test(
	    tests, a_header_that_is_there_lets_in_at_once, 0, GOOD);
	tcase_add_loop_test(
	    tests, a_header_that_comes_in_bytes_lets_in_with_its_last, 0, GOOD);
	tcase_add_test(tests, what_comes_with_the_end_of_a_header_stays);
	tcase_add_test(tests, a_peer_that_is_not_trusted_is_closed_unheard);
	tcase_add_loop_test(
	    tests, a_peer_of_a_unix_socket_is_trusted_as_such, 0, 2);
	tcase_add_loop_test(
	    tests, what_is_no_header_is_turned_away, 0, 2 * BAD);
	tcase_add_loop_test(tests,
	    a_peer_that_goes_before_its_header_is_there_is_closed, 0, 20);
	tcase_add_test(tests, a_peer_that_has_gone_already_is_closed);
	tcase_add_test(tests, a_header_has_head_timeout_to_come);
	tcase_add_loop_test(
	    tests, a_drain_lets_in_who_is_complete_and_nobody_else, 0, 2);
	tcase_add_loop_test(
	    tests, a_door_that_is_gone_takes_its_own_along, 0, 2);
	tcase_add_loop_test(tests, nobody_waits_after_a_drain, 0, 2);
	tcase_add_test(tests, who_waits_at_the_end_is_closed);
	tcase_add_test(tests, refusals_are_told_once_a_second_and_counted);
}

int
main(void)
{
	Suite *suite = suite_create("doorway");
	TCase *tests = tcase_create("doorway");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, set_up, tear_down);
	add_tests(tests);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
