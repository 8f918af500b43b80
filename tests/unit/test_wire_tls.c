/* SPDX-License-Identifier: ISC */
/* A wire with TLS: what no event tells of, what waits for the other direction,
 * and how it ends. Both ends are wires of one loop. */
#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake_certificates.h"
#include "fake_server.h"
#include "loop.h"
#include "wire.h"

#define TURNS 2000

/* The program's own send comes before libc's: no socket takes a byte while it
 * says so. */
static bool is_full;

ssize_t
send(int fd, const void *bytes, size_t size, int flags)
{
	if (is_full) {
		errno = EAGAIN;
		return -1;
	}
	return syscall(SYS_sendto, fd, bytes, size, flags, NULL, 0);
}

struct end {
	struct wire wire; /* first */
	unsigned readable, writable;
};

struct pair {
	struct loop loop;
	struct end server, client;
	struct tls_door *door;
	struct tls_outlook *outlook;
	struct tls_target target;
	struct tls_return back;
};

static void
on_readable(struct wire *wire)
{
	((struct end *)wire)->readable++;
}

static void
on_writable(struct wire *wire)
{
	((struct end *)wire)->writable++;
}

static const struct wire_events events = {on_readable, on_writable};

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
	close(listening);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(fcntl(ends[i], F_SETFL, O_NONBLOCK), 0);
}

static void
open_on(struct pair *pair, const int ends[2], const char *certificate,
    const char *name)
{
	memset(pair, 0, sizeof(*pair));
	loop_init(&pair->loop);
	pair->door = fake_tls_door(certificate);
	pair->outlook = fake_tls_outlook();
	pair->target = tls_target_of(pair->outlook, name);
	wire_open(&pair->server.wire, &pair->loop, ends[0], &events);
	wire_open(&pair->client.wire, &pair->loop, ends[1], &events);
	wire_accept_tls(&pair->server.wire, &pair->loop, pair->door);
}

static void
open_named(struct pair *pair, const char *certificate, const char *name)
{
	int ends[2];

	open_tcp(ends);
	open_on(pair, ends, certificate, name);
}

static void
connect_pair(struct pair *pair)
{
	wire_connect_tls(
	    &pair->client.wire, &pair->loop, &pair->target, &pair->back);
}

static void
close_pair(struct pair *pair)
{
	wire_close(&pair->server.wire);
	wire_close(&pair->client.wire);
	tls_return_forget(&pair->back);
	tls_door_unref(pair->door);
	tls_outlook_unref(pair->outlook);
	loop_done(&pair->loop);
}

static void
turn(struct pair *pair)
{
	event_base_loop(pair->loop.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

static void
expect_silence(struct pair *pair)
{
	struct end server = pair->server, client = pair->client;

	for (int i = 0; i < 10; i++)
		turn(pair);
	ck_assert_uint_eq(pair->server.readable, server.readable);
	ck_assert_uint_eq(pair->server.writable, server.writable);
	ck_assert_uint_eq(pair->client.readable, client.readable);
	ck_assert_uint_eq(pair->client.writable, client.writable);
}

/* Reads until something else than AGAIN comes of it. */
static ssize_t
hear(struct pair *pair, struct end *end, void *to, size_t size)
{
	ssize_t n = WIRE_AGAIN;

	for (int i = 0; i < TURNS && n == WIRE_AGAIN; i++) {
		turn(pair);
		n = wire_read(&end->wire, to, size);
	}
	return n;
}

static void
expect_heard(struct pair *pair, struct end *end, const char *text)
{
	char got[64];

	ck_assert_int_eq(
	    hear(pair, end, got, sizeof(got)), (ssize_t)strlen(text));
	ck_assert_mem_eq(got, text, strlen(text));
}

static void
say(struct end *end, const char *text)
{
	struct iovec iov = {(void *)text, strlen(text)};

	ck_assert_int_eq(
	    wire_write(&end->wire, &iov, 1), (ssize_t)strlen(text));
}

/* Until the client's handshake is over, well or not. */
static void
shake(struct pair *pair)
{
	char byte;

	connect_pair(pair);
	wire_write_on(&pair->client.wire);
	for (int i = 0; i < TURNS && pair->client.writable == 0; i++) {
		turn(pair);
		(void)wire_read(&pair->server.wire, &byte, 1);
	}
	ck_assert_uint_eq(pair->client.writable, 1);
}

static void
open_pair(struct pair *pair)
{
	char byte;

	open_named(pair, "local", "localhost");
	shake(pair);
	ck_assert_int_eq(wire_error(&pair->client.wire), 0);
	ck_assert_int_eq(wire_read(&pair->server.wire, &byte, 1), WIRE_AGAIN);
	ck_assert(!wire_is_opening(&pair->server.wire));
	ck_assert(!wire_is_opening(&pair->client.wire));
}

START_TEST(a_handshake_comes_before_the_first_bytes)
{
	struct pair pair;

	open_named(&pair, "local", "localhost");
	ck_assert(wire_is_opening(&pair.server.wire));
	ck_assert(!wire_can_move(&pair.server.wire));
	ck_assert_ptr_nonnull(wire_tls(&pair.server.wire));
	shake(&pair);
	say(&pair.client, "hello");
	expect_heard(&pair, &pair.server, "hello");
	say(&pair.server, "you");
	expect_heard(&pair, &pair.client, "you");
	wire_read_on(&pair.server.wire);
	wire_read_on(&pair.client.wire);
	expect_silence(&pair);
	close_pair(&pair);
}
END_TEST

/* All of a record has left the socket, and no event will tell of the rest. */
START_TEST(bytes_that_were_left_inside_are_told)
{
	struct pair pair;
	char byte;

	open_pair(&pair);
	wire_read_on(&pair.server.wire);
	expect_silence(&pair);
	say(&pair.client, "abc");
	for (unsigned i = 1; i <= 2; i++) {
		for (int t = 0; t < TURNS && pair.server.readable < i; t++)
			turn(&pair);
		ck_assert_uint_eq(pair.server.readable, i);
		ck_assert_int_eq(wire_read(&pair.server.wire, &byte, 1), 1);
	}
	wire_read_off(&pair.server.wire);
	expect_silence(&pair);
	wire_read_on(&pair.server.wire);
	wire_read_off(&pair.server.wire);
	expect_silence(&pair);
	wire_read_on(&pair.server.wire);
	ck_assert_uint_eq(pair.server.readable, 2); /* not in the command */
	for (int t = 0; t < TURNS && pair.server.readable < 3; t++)
		turn(&pair);
	ck_assert_uint_eq(pair.server.readable, 3);
	ck_assert_int_eq(wire_read(&pair.server.wire, &byte, 1), 1);
	ck_assert_int_eq(byte, 'c');
	expect_silence(&pair);
	close_pair(&pair);
}
END_TEST

START_TEST(what_the_socket_does_not_take_waits_and_goes_on)
{
	static char bytes[512 * 1024], got[sizeof(bytes)];
	struct slice pieces[] = {{bytes, 10}, {bytes + 10, 70000},
	    {bytes + 70010, sizeof(bytes) - 70010}};
	struct buffer out;
	struct pair pair;
	size_t in = 0;
	ssize_t n;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i % 253);
	open_pair(&pair);
	buffer_init(&out, NULL);
	setsockopt(pair.server.wire.fd, SOL_SOCKET, SO_SNDBUF, &(int){20000},
	    sizeof(int));
	n = wire_send(&pair.server.wire, &out, pieces, 3);
	ck_assert_int_gt(n, 0);
	ck_assert_uint_eq((size_t)n + buffer_len(&out), sizeof(bytes));
	ck_assert_ptr_nonnull(pair.server.wire.write_event);
	while (in < sizeof(bytes)) {
		unsigned before = pair.server.writable;

		turn(&pair);
		n = wire_read(&pair.client.wire, got + in, sizeof(got) - in);
		ck_assert(n > 0 || n == WIRE_AGAIN);
		in += n > 0 ? (size_t)n : 0;
		if (pair.server.writable > before)
			ck_assert_int_ge(
			    wire_send(&pair.server.wire, &out, NULL, 0), 0);
	}
	ck_assert_mem_eq(bytes, got, sizeof(bytes));
	ck_assert_uint_eq(buffer_len(&out), 0);
	ck_assert_ptr_null(pair.server.wire.write_event);
	buffer_release(&out);
	close_pair(&pair);
}
END_TEST

START_TEST(a_farewell_and_a_fin_are_told_apart)
{
	struct pair pair;
	char byte;

	open_pair(&pair);
	ck_assert_int_eq(/* tickets: unread bytes would make a reset */
	    wire_read(&pair.client.wire, &byte, 1), WIRE_AGAIN);
	say(&pair.client, "last");
	if (_i == 0)
		wire_shutdown(&pair.client.wire);
	else if (_i == 1)
		wire_close(&pair.client.wire);
	else
		shutdown(pair.client.wire.fd, SHUT_WR);
	wire_read_on(&pair.server.wire);
	expect_heard(&pair, &pair.server, "last");
	ck_assert_int_eq(hear(&pair, &pair.server, &byte, 1), 0);
	ck_assert_int_eq(wire_is_cut(&pair.server.wire), _i == 2);
	if (_i != 1) { /* half closed */
		say(&pair.server, "answer");
		expect_heard(&pair, &pair.client, "answer");
	}
	close_pair(&pair);
}
END_TEST

START_TEST(a_farewell_waits_for_the_socket)
{
	struct pair pair;
	char byte;

	open_pair(&pair);
	is_full = true;
	wire_shutdown(&pair.server.wire);
	ck_assert_ptr_nonnull(pair.server.wire.write_event);
	for (int i = 0; i < 10; i++)
		turn(&pair);
	ck_assert_int_eq(wire_read(&pair.client.wire, &byte, 1), WIRE_AGAIN);
	is_full = false;
	ck_assert_int_eq(hear(&pair, &pair.client, &byte, 1), 0);
	ck_assert(!wire_is_cut(&pair.client.wire));
	ck_assert_uint_eq(pair.server.writable, 0); /* nobody asked */
	close_pair(&pair);
}
END_TEST

START_TEST(a_reset_is_a_failed_read)
{
	struct pair pair;
	char byte;

	open_pair(&pair);
	wire_read_on(&pair.server.wire);
	wire_reset(&pair.client.wire);
	ck_assert_int_eq(hear(&pair, &pair.server, &byte, 1), WIRE_FAILED);
	close_pair(&pair);
}
END_TEST

START_TEST(after_a_farewell_a_reset_is_still_heard)
{
	struct pair pair;
	char byte;

	open_pair(&pair);
	wire_read_on(&pair.server.wire);
	wire_shutdown(&pair.client.wire);
	ck_assert_int_eq(hear(&pair, &pair.server, &byte, 1), 0);
	wire_watch_reset(&pair.server.wire);
	for (int i = 0; i < 10; i++)
		turn(&pair);
	expect_silence(&pair);
	wire_reset(&pair.client.wire);
	ck_assert_int_eq(hear(&pair, &pair.server, &byte, 1), WIRE_FAILED);
	close_pair(&pair);
}
END_TEST

START_TEST(plain_text_is_told_and_then_read)
{
	struct pair pair;
	char got[8];

	open_named(&pair, "local", "localhost");
	say(&pair.client, "GET / HT");
	wire_read_on(&pair.server.wire);
	ck_assert_int_eq(hear(&pair, &pair.server, got, 8), WIRE_PLAIN);
	ck_assert_ptr_null(wire_tls(&pair.server.wire));
	ck_assert_int_eq(hear(&pair, &pair.server, got, 8), 8);
	ck_assert_mem_eq(got, "GET / HT", 8);
	say(&pair.server, "no");
	expect_heard(&pair, &pair.client, "no");
	close_pair(&pair);
}
END_TEST

START_TEST(a_failed_handshake_is_told_on_both_sides)
{
	struct pair pair;
	char byte;

	open_named(&pair, "other-local", "localhost");
	shake(&pair);
	ck_assert_int_eq(wire_error(&pair.client.wire), EPROTO);
	ck_assert_ptr_nonnull(strstr(
	    tls_words(wire_tls(&pair.client.wire)), "unable to get local"));
	ck_assert_int_eq(hear(&pair, &pair.server, &byte, 1), WIRE_FAILED);
	ck_assert(wire_is_opening(&pair.server.wire));
	close_pair(&pair);
}
END_TEST

START_TEST(a_refused_connection_is_no_failure_of_tls)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof(sa);
	struct pair pair;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	open_named(&pair, "local", "localhost");
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, len), 0);
	getsockname(fd, (struct sockaddr *)&sa, &len);
	close(fd);
	wire_close(&pair.client.wire);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	(void)connect(fd, (struct sockaddr *)&sa, len);
	wire_open(&pair.client.wire, &pair.loop, fd, &events);
	shake(&pair);
	ck_assert_int_eq(wire_error(&pair.client.wire), ECONNREFUSED);
	close_pair(&pair);
}
END_TEST

/* What is there goes on. */
static void
relay(int from, int to)
{
	char bytes[4096];
	ssize_t n = read(from, bytes, sizeof(bytes));

	if (n > 0)
		ck_assert_int_eq(write(to, bytes, (size_t)n), n);
}

/* Hands are shaken by reads, and the server's part of it finds no room. The
 * client speaks to the test, which passes on what it says. */
START_TEST(a_read_goes_on_when_the_socket_can_be_written)
{
	static char bytes[64 * 1024];
	struct pair pair;
	size_t junk = 0;
	ssize_t n;
	int near[2], far[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, near), 0);
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, far), 0);
	open_on(&pair, (int[2]){near[0], far[0]}, "local", "localhost");
	while ((n = write(near[0], bytes, sizeof(bytes))) > 0)
		junk += (size_t)n;
	connect_pair(&pair);
	wire_write_on(&pair.client.wire);
	wire_read_on(&pair.server.wire);
	turn(&pair);
	relay(far[1], near[1]);
	ck_assert_int_eq(wire_read(&pair.server.wire, bytes, 1), WIRE_AGAIN);
	ck_assert_ptr_nonnull(pair.server.wire.write_event);
	while (junk > 0) {
		n = read(near[1], bytes,
		    junk < sizeof(bytes) ? junk : sizeof(bytes));
		ck_assert_int_gt(n, 0);
		junk -= (size_t)n;
	}
	pair.server.readable = 0;
	for (int i = 0; i < TURNS && pair.client.writable == 0; i++) {
		turn(&pair);
		if (pair.server.readable > 0)
			(void)wire_read(&pair.server.wire, bytes, 1);
		relay(near[1], far[1]);
		relay(far[1], near[1]);
	}
	ck_assert_uint_gt(pair.server.readable, 0);
	ck_assert_uint_eq(pair.server.writable, 0); /* nobody asked */
	ck_assert_uint_eq(pair.client.writable, 1);
	ck_assert_int_eq(wire_error(&pair.client.wire), 0);
	close(near[1]);
	close(far[1]);
	close_pair(&pair);
}
END_TEST

/* Tickets come when they like, and are nothing to read. */
START_TEST(quiet_is_what_has_nothing_to_read)
{
	struct pair pair;

	open_pair(&pair);
	ck_assert(wire_is_quiet(&pair.client.wire));
	ck_assert_ptr_nonnull(pair.back.session);
	ck_assert(wire_is_quiet(&pair.client.wire));
	say(&pair.server, "a");
	for (int i = 0; i < TURNS && wire_is_quiet(&pair.client.wire); i++)
		turn(&pair);
	ck_assert(wire_is_quiet(&pair.client.wire)); /* that was it */
	wire_close(&pair.server.wire);
	for (int i = 0; i < TURNS && wire_is_quiet(&pair.client.wire); i++)
		turn(&pair);
	ck_assert(!wire_is_quiet(&pair.client.wire));
	close_pair(&pair);
}
END_TEST

START_TEST(what_ends_early_leaves_nothing_behind)
{
	unsigned before = fake_descriptors();
	struct pair pair;

	open_named(&pair, "local", "localhost");
	connect_pair(&pair);
	wire_write_on(&pair.client.wire);
	wire_read_on(&pair.server.wire);
	for (int i = 0; i < _i; i++)
		turn(&pair);
	close_pair(&pair);
	ck_assert_uint_eq(fake_descriptors(), before);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("wire_tls");
	TCase *tcase = tcase_create("wire_tls");
	SRunner *runner;
	int failed;

	signal(SIGPIPE, SIG_IGN);
	fake_certificates_make();
	tcase_add_test(tcase, a_handshake_comes_before_the_first_bytes);
	tcase_add_test(tcase, bytes_that_were_left_inside_are_told);
	tcase_add_test(tcase, what_the_socket_does_not_take_waits_and_goes_on);
	tcase_add_loop_test(tcase, a_farewell_and_a_fin_are_told_apart, 0, 3);
	tcase_add_test(tcase, a_farewell_waits_for_the_socket);
	tcase_add_test(tcase, a_reset_is_a_failed_read);
	tcase_add_test(tcase, after_a_farewell_a_reset_is_still_heard);
	tcase_add_test(tcase, plain_text_is_told_and_then_read);
	tcase_add_test(tcase, a_failed_handshake_is_told_on_both_sides);
	tcase_add_test(tcase, a_refused_connection_is_no_failure_of_tls);
	tcase_add_test(tcase, a_read_goes_on_when_the_socket_can_be_written);
	tcase_add_test(tcase, quiet_is_what_has_nothing_to_read);
	tcase_add_loop_test(tcase, what_ends_early_leaves_nothing_behind, 0, 4);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	fake_certificates_remove();
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
