/* SPDX-License-Identifier: ISC */
/* What a wire tells of its socket: bytes, blocking, FIN and RST. */
#include <check.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_server.h"
#include "loop.h"
#include "pipes.h"
#include "wire.h"

#define TURNS 1000 /* of the loop at most */

/* A wire and the plain socket at its other end. */
struct pair {
	struct wire wire; /* first: the events' wire is this */
	struct loop loop;
	int peer;
	unsigned readable, writable;
};

static void
on_readable(struct wire *wire)
{
	((struct pair *)wire)->readable++;
}

static void
on_writable(struct wire *wire)
{
	((struct pair *)wire)->writable++;
}

static const struct wire_events events = {on_readable, on_writable};

/* Two ends of a TCP connection: a socketpair knows no RST. */
static void
open_tcp(int ends[2])
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof(sa);
	int listening = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(listening, (struct sockaddr *)&sa, len), 0);
	ck_assert_int_eq(listen(listening, 1), 0);
	getsockname(listening, (struct sockaddr *)&sa, &len);
	ends[1] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(ends[1], (struct sockaddr *)&sa, len), 0);
	ends[0] = accept(listening, NULL, NULL);
	ck_assert_int_ge(ends[0], 0);
	close(listening);
}

static void
open_pair(struct pair *pair, bool tcp)
{
	int ends[2];

	memset(pair, 0, sizeof(*pair));
	if (tcp)
		open_tcp(ends);
	else
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	pair->peer = ends[1];
	loop_init(&pair->loop);
	wire_open(&pair->wire, &pair->loop, ends[0], &events);
}

static void
close_pair(struct pair *pair)
{
	wire_close(&pair->wire);
	if (pair->peer >= 0)
		close(pair->peer);
	loop_done(&pair->loop);
}

static void
turn(struct pair *pair, int flags)
{
	event_base_loop(pair->loop.base, flags);
}

static void
wait_for(struct pair *pair, const unsigned *what, unsigned count)
{
	for (int i = 0; i < TURNS && *what < count; i++)
		turn(pair, EVLOOP_ONCE);
	ck_assert_uint_eq(*what, count);
}

/* Nothing more comes, however often the loop looks. */
static void
expect_silence(struct pair *pair)
{
	unsigned readable = pair->readable, writable = pair->writable;

	for (int i = 0; i < 10; i++)
		turn(pair, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(pair->readable, readable);
	ck_assert_uint_eq(pair->writable, writable);
}

static void
reset_peer(struct pair *pair)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	setsockopt(pair->peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(pair->peer);
	pair->peer = -1;
}

static ssize_t
write_text(struct pair *pair, const char *text)
{
	struct iovec iov = {(void *)text, strlen(text)};

	return wire_write(&pair->wire, &iov, 1);
}

/* Writes until the kernel takes no more; returns how much it took. */
static size_t
fill(struct pair *pair)
{
	static char bytes[64 * 1024];
	struct iovec iov = {bytes, sizeof(bytes)};
	size_t all = 0;
	ssize_t n;

	while ((n = wire_write(&pair->wire, &iov, 1)) > 0)
		all += (size_t)n;
	ck_assert_int_eq(n, 0);
	ck_assert_uint_gt(all, 0);
	return all;
}

static void
drain_peer(struct pair *pair, size_t len)
{
	static char bytes[64 * 1024];
	ssize_t n;

	for (; len > 0; len -= (size_t)n) {
		n = read(pair->peer, bytes, sizeof(bytes));
		ck_assert_int_gt(n, 0);
	}
}

START_TEST(bytes_are_read_as_they_come)
{
	struct pair pair;
	char bytes[8];

	open_pair(&pair, _i);
	ck_assert_int_eq(
	    wire_read(&pair.wire, bytes, sizeof(bytes)), WIRE_AGAIN);
	wire_read_on(&pair.wire);
	expect_silence(&pair);
	ck_assert_int_eq(write(pair.peer, "abc", 3), 3);
	wait_for(&pair, &pair.readable, 1);
	ck_assert_int_eq(wire_read(&pair.wire, bytes, 2), 2);
	wait_for(&pair, &pair.readable, 2); /* the rest is still there */
	ck_assert_int_eq(wire_read(&pair.wire, bytes, sizeof(bytes)), 1);
	ck_assert_int_eq(bytes[0], 'c');
	ck_assert_int_eq(
	    wire_read(&pair.wire, bytes, sizeof(bytes)), WIRE_AGAIN);
	expect_silence(&pair);
	close_pair(&pair);
}
END_TEST

START_TEST(a_fin_is_read_as_nothing_after_all_bytes)
{
	struct pair pair;
	char bytes[8];

	open_pair(&pair, _i);
	ck_assert_int_eq(write(pair.peer, "abc", 3), 3);
	shutdown(pair.peer, SHUT_WR);
	wire_read_on(&pair.wire);
	wait_for(&pair, &pair.readable, 1);
	ck_assert_int_eq(wire_read(&pair.wire, bytes, sizeof(bytes)), 3);
	wait_for(&pair, &pair.readable, 2);
	ck_assert_int_eq(wire_read(&pair.wire, bytes, sizeof(bytes)), 0);
	ck_assert_int_eq(write_text(&pair, "xyz"), 3); /* half closed */
	ck_assert_int_eq(read(pair.peer, bytes, sizeof(bytes)), 3);
	close_pair(&pair);
}
END_TEST

START_TEST(reading_that_is_off_tells_nothing)
{
	struct pair pair;

	open_pair(&pair, _i);
	wire_read_on(&pair.wire);
	wire_read_off(&pair.wire);
	ck_assert_int_eq(write(pair.peer, "abc", 3), 3);
	expect_silence(&pair);
	wire_read_on(&pair.wire);
	wire_read_on(&pair.wire);
	wait_for(&pair, &pair.readable, 1);
	close_pair(&pair);
}
END_TEST

START_TEST(a_reset_is_a_failed_read_and_write)
{
	struct pair pair;
	char bytes[8];

	open_pair(&pair, true);
	wire_read_on(&pair.wire);
	reset_peer(&pair);
	wait_for(&pair, &pair.readable, 1);
	ck_assert_int_eq(
	    wire_read(&pair.wire, bytes, sizeof(bytes)), WIRE_FAILED);
	ck_assert_int_eq(write_text(&pair, "xyz"), WIRE_FAILED);
	close_pair(&pair);
}
END_TEST

/* The FIN may be told once more; it must not keep the loop busy. */
START_TEST(after_a_fin_a_reset_is_still_heard)
{
	struct pair pair;
	char bytes[8];
	unsigned before;

	open_pair(&pair, true);
	wire_read_on(&pair.wire);
	shutdown(pair.peer, SHUT_WR);
	wait_for(&pair, &pair.readable, 1);
	ck_assert_int_eq(wire_read(&pair.wire, bytes, sizeof(bytes)), 0);
	wire_watch_reset(&pair.wire);
	turn(&pair, EVLOOP_NONBLOCK);
	ck_assert_uint_le(pair.readable, 2);
	if (pair.readable == 2)
		ck_assert_int_eq(
		    wire_read(&pair.wire, bytes, sizeof(bytes)), 0);
	expect_silence(&pair);
	before = pair.readable;
	reset_peer(&pair);
	wait_for(&pair, &pair.readable, before + 1);
	ck_assert_int_eq(
	    wire_read(&pair.wire, bytes, sizeof(bytes)), WIRE_FAILED);
	close_pair(&pair);
}
END_TEST

START_TEST(writable_comes_once_when_a_blocked_write_can_go_on)
{
	struct pair pair;
	size_t all;

	open_pair(&pair, _i);
	all = fill(&pair);
	wire_write_on(&pair.wire);
	wire_write_on(&pair.wire);
	expect_silence(&pair);
	ck_assert_ptr_nonnull(pair.wire.write_event);
	drain_peer(&pair, all);
	wait_for(&pair, &pair.writable, 1);
	ck_assert_ptr_null(pair.wire.write_event);
	expect_silence(&pair);
	ck_assert_int_eq(write_text(&pair, "xyz"), 3);
	close_pair(&pair);
}
END_TEST

START_TEST(writing_that_is_off_tells_nothing)
{
	struct pair pair;

	open_pair(&pair, _i);
	wire_write_on(&pair.wire);
	wire_write_off(&pair.wire);
	wire_write_off(&pair.wire);
	expect_silence(&pair);
	ck_assert_uint_eq(pair.writable, 0);
	close_pair(&pair);
}
END_TEST

/* Level and edge triggered events do not mix on one descriptor. */
START_TEST(a_blocked_write_hears_the_reset_after_a_fin)
{
	struct pair pair;
	char bytes[8];

	open_pair(&pair, true);
	wire_read_on(&pair.wire);
	shutdown(pair.peer, SHUT_WR);
	wait_for(&pair, &pair.readable, 1);
	ck_assert_int_eq(wire_read(&pair.wire, bytes, sizeof(bytes)), 0);
	wire_watch_reset(&pair.wire);
	turn(&pair, EVLOOP_NONBLOCK);
	fill(&pair);
	wire_write_on(&pair.wire);
	if (_i == 1)
		wire_watch_reset(&pair.wire);
	expect_silence(&pair);
	reset_peer(&pair);
	wait_for(&pair, &pair.writable, 1);
	ck_assert_int_eq(write_text(&pair, "xyz"), WIRE_FAILED);
	close_pair(&pair);
}
END_TEST

START_TEST(both_directions_are_watched_at_once)
{
	struct pair pair;
	char bytes[8];
	size_t all;

	open_pair(&pair, _i);
	all = fill(&pair);
	wire_read_on(&pair.wire);
	wire_write_on(&pair.wire);
	ck_assert_int_eq(write(pair.peer, "abc", 3), 3);
	wait_for(&pair, &pair.readable, 1);
	ck_assert_uint_eq(pair.writable, 0);
	ck_assert_int_eq(wire_read(&pair.wire, bytes, sizeof(bytes)), 3);
	drain_peer(&pair, all);
	wait_for(&pair, &pair.writable, 1);
	ck_assert_int_eq(write(pair.peer, "abc", 3), 3);
	wait_for(&pair, &pair.readable, 2);
	close_pair(&pair);
}
END_TEST

START_TEST(shutdown_sends_a_fin_and_reset_breaks_the_stream)
{
	struct pair pair;
	char bytes[8];

	open_pair(&pair, true);
	wire_shutdown(&pair.wire);
	ck_assert_int_eq(read(pair.peer, bytes, sizeof(bytes)), 0);
	close_pair(&pair);

	open_pair(&pair, true);
	ck_assert_int_eq(write_text(&pair, "abc"), 3);
	wire_reset(&pair.wire);
	wire_reset(&pair.wire);
	wire_close(&pair.wire);
	ck_assert_int_eq(pair.wire.fd, -1);
	ck_assert_int_eq(read(pair.peer, bytes, sizeof(bytes)), 3);
	ck_assert_int_lt(read(pair.peer, bytes, sizeof(bytes)), 0);
	close_pair(&pair);

	open_pair(&pair, true);
	wire_close(&pair.wire);
	ck_assert_int_eq(read(pair.peer, bytes, sizeof(bytes)), 0);
	close_pair(&pair);
}
END_TEST

/* A new descriptor of the same number must not inherit anything. */
START_TEST(a_closed_wire_leaves_nothing_behind)
{
	unsigned before = fake_descriptors();
	struct pair pair;

	open_pair(&pair, true);
	wire_read_on(&pair.wire);
	fill(&pair);
	wire_write_on(&pair.wire);
	turn(&pair, EVLOOP_NONBLOCK);
	wire_close(&pair.wire);
	expect_silence(&pair);
	close_pair(&pair);
	ck_assert_uint_eq(fake_descriptors(), before);
}
END_TEST

/* Through a pipe from one pair to another: whole, at most what is asked for,
 * and what blocks stays in the pipe. */
START_TEST(bytes_move_from_wire_to_wire)
{
	struct pipes pipes;
	struct pipe *pipe;
	struct pair in, out;
	char got[8] = "";

	pipes_init(&pipes);
	open_pair(&in, true);
	open_pair(&out, true);
	pipe = pipes_get(&pipes);
	ck_assert_int_eq(wire_move(&in.wire, &out.wire, pipe, 100), 0);
	ck_assert_int_eq(write(in.peer, "abcdef", 6), 6);
	while (wire_move(&in.wire, &out.wire, pipe, 4) == 0)
		continue;
	ck_assert_int_eq(read(out.peer, got, sizeof(got)), 4);
	ck_assert_int_eq(wire_move(&in.wire, &out.wire, pipe, 100), 2);
	ck_assert_int_eq(read(out.peer, got + 4, 4), 2);
	ck_assert_str_eq(got, "abcdef");
	/* a full socket: the pipe keeps them, and takes no more */
	ck_assert_int_eq(write(in.peer, "ghij", 4), 4);
	fill(&out);
	while (pipe->held == 0)
		ck_assert_int_eq(wire_move(&in.wire, &out.wire, pipe, 2), 0);
	ck_assert_uint_eq(pipe->held, 2);
	ck_assert_int_eq(wire_move(&in.wire, &out.wire, pipe, 2), 0);
	ck_assert_uint_eq(pipe->held, 2);
	wire_reset(&in.wire);
	close(out.peer);
	while (wire_move(NULL, &out.wire, pipe, 0) != WIRE_FAILED)
		continue;
	pipes_put(&pipes, pipe);
	pipes_done(&pipes);
	in.wire.fd = -1;
	close_pair(&in);
	out.peer = -1;
	close_pair(&out);
}
END_TEST

START_TEST(pipes_are_bounded_and_given_back)
{
	unsigned before = fake_descriptors();
	static struct pipe *all[PIPES_USED_MAX];
	struct pipes pipes;

	pipes_init(&pipes);
	for (unsigned i = 0; i < PIPES_USED_MAX; i++)
		ck_assert_ptr_nonnull(all[i] = pipes_get(&pipes));
	ck_assert_ptr_null(pipes_get(&pipes));
	pipes_put(&pipes, NULL);
	for (unsigned i = 0; i < PIPES_USED_MAX; i++)
		pipes_put(&pipes, all[i]);
	ck_assert_uint_eq(fake_descriptors(), before + 2 * PIPES_IDLE_MAX);
	all[0] = pipes_get(&pipes);
	all[0]->held = 1; /* its bytes are nobody's: it is not used again */
	pipes_put(&pipes, all[0]);
	ck_assert_uint_eq(
	    fake_descriptors(), before + 2 * (PIPES_IDLE_MAX - 1));
	pipes_done(&pipes);
	ck_assert_uint_eq(fake_descriptors(), before);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("wire");
	TCase *tcase = tcase_create("wire");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, bytes_are_read_as_they_come, 0, 2);
	tcase_add_loop_test(
	    tcase, a_fin_is_read_as_nothing_after_all_bytes, 0, 2);
	tcase_add_loop_test(tcase, reading_that_is_off_tells_nothing, 0, 2);
	tcase_add_test(tcase, a_reset_is_a_failed_read_and_write);
	tcase_add_test(tcase, after_a_fin_a_reset_is_still_heard);
	tcase_add_loop_test(
	    tcase, writable_comes_once_when_a_blocked_write_can_go_on, 0, 2);
	tcase_add_loop_test(tcase, writing_that_is_off_tells_nothing, 0, 2);
	tcase_add_loop_test(
	    tcase, a_blocked_write_hears_the_reset_after_a_fin, 0, 2);
	tcase_add_loop_test(tcase, both_directions_are_watched_at_once, 0, 2);
	tcase_add_test(tcase, shutdown_sends_a_fin_and_reset_breaks_the_stream);
	tcase_add_test(tcase, a_closed_wire_leaves_nothing_behind);
	tcase_add_test(tcase, bytes_move_from_wire_to_wire);
	tcase_add_test(tcase, pipes_are_bounded_and_given_back);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
