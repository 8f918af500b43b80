/* SPDX-License-Identifier: ISC */
/* An HTTP/1.1 connection over loopback, between a peer that sends and reads
 * what the test says and an owner that moves one byte at a time. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client_h1.h"
#include "fake_clock.h"
#include "fake_owner.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TURNS 100000
#define GOT_MAX (8u * 1024 * 1024)
#define MEGA (1024u * 1024)
#define HOST "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define OK(fields) "HTTP/1.1 200 OK\r\nX-Fake: 1\r\n" fields "\r\n"
#define EMPTY OK("Content-Length: 0\r\n")
#define REFUSED(fields) "HTTP/1.1 403 Forbidden\r\nX-Fake: 1\r\n" fields "\r\n"

/* The other end. */
static struct peer {
	int fd;
	uint16_t port;
	struct event *event;
	bool listens, fin, reset;
	char *got;
	size_t len;
} peer;

static struct loop loop;
static struct client_h1_env env;
static struct door way_in;
static struct fake_owner owner;
static unsigned closed;
static enum reason closed_why;

static void
on_closed(void *arg, struct door *from, const struct addr *of, enum reason why)
{
	ck_assert_uint_eq(addr_port(of), peer.port);
	ck_assert_ptr_eq(arg, &owner);
	ck_assert_ptr_eq(from, &way_in);
	closed++;
	closed_why = why;
}

static void
on_peer_readable(evutil_socket_t fd, short what, void *arg)
{
	ssize_t n;

	(void)what;
	(void)arg;
	ck_assert_uint_lt(peer.len, GOT_MAX);
	n = recv(fd, peer.got + peer.len, GOT_MAX - peer.len, 0);
	if (n > 0) {
		peer.len += (size_t)n;
		return;
	}
	peer.fin = n == 0;
	peer.reset = n < 0;
	event_del(peer.event);
}

static int
set_size(int fd, int option, int bytes)
{
	return setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof(bytes));
}

/* Small buffers: a few kilobytes block the other end. */
static void
connect_peer(void)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	struct addr addr = {.len = sizeof(sin)};
	int one = 1, fd, door = socket(AF_INET, SOCK_STREAM, 0);

	peer.fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(set_size(door, SO_RCVBUF, 16384), 0);
	ck_assert_int_eq(set_size(door, SO_SNDBUF, 16384), 0);
	ck_assert_int_eq(set_size(peer.fd, SO_RCVBUF, 16384), 0);
	ck_assert_int_eq(bind(door, (struct sockaddr *)&sin, len), 0);
	ck_assert_int_eq(listen(door, 1), 0);
	ck_assert_int_eq(getsockname(door, (struct sockaddr *)&sin, &len), 0);
	ck_assert_int_eq(connect(peer.fd, (struct sockaddr *)&sin, len), 0);
	fd = accept4(door, NULL, NULL, SOCK_NONBLOCK);
	ck_assert_int_ge(fd, 0);
	close(door);
	evutil_make_socket_nonblocking(peer.fd);
	setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	peer.event = event_new(
	    loop.base, peer.fd, EV_READ | EV_PERSIST, on_peer_readable, NULL);
	event_add(peer.event, NULL);
	peer.len = 0;
	peer.fin = peer.reset = false;
	memcpy(&addr.sa, &sin, sizeof(sin));
	peer.port = addr_port(&addr);
	client_h1_open(&env, fd, &addr, &way_in);
}

static void
disconnect(void)
{
	if (peer.event != NULL)
		event_free(peer.event);
	peer.event = NULL;
	if (peer.fd >= 0)
		close(peer.fd);
	peer.fd = -1;
}

static void
set_up(void)
{
	struct config *config = config_new();

	loop_init(&loop);
	fake_owner_init(&owner, &loop);
	client_h1_env_init(&env, &loop, &config->gate);
	config_unref(config);
	env.events = &fake_owner_events;
	env.arg = &owner;
	env.closed = on_closed;
	peer.got = mem_alloc(GOT_MAX);
	closed = 0;
	closed_why = REASON_NONE;
	way_in.gone = false;
	connect_peer();
}

/* Everything that can happen without time going by. */
static void
settle(void)
{
	for (int i = 0; i < 50; i++)
		event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void
tear_down(void)
{
	client_h1_env_done(&env);
	ck_assert_uint_eq(env.live, 0);
	ck_assert_uint_eq(owner.live, 0);
	ck_assert_uint_eq(loop.armed, 0);
	disconnect();
	free(peer.got);
	loop_done(&loop);
}

/* ---- the peer's acts ---- */

/* As much as the gate takes without the loop being run. */
static size_t
offer(const char *bytes, size_t len)
{
	ssize_t n = send(peer.fd, bytes, len, MSG_NOSIGNAL);

	if (n < 0)
		ck_assert_int_eq(errno, EAGAIN);
	return n < 0 ? 0 : (size_t)n;
}

static void
say_bytes(const char *bytes, size_t len)
{
	size_t sent = offer(bytes, len);

	for (int i = 0; sent < len && i < TURNS; i++) {
		event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		sent += offer(bytes + sent, len - sent);
	}
	ck_assert_uint_eq(sent, len);
}

static void
say(const char *text)
{
	say_bytes(text, strlen(text));
}

/* Each byte in a read of its own. */
static void
spell(const char *text)
{
	for (; *text != '\0'; text++) {
		say_bytes(text, 1);
		settle();
	}
}

static void
half_close(void)
{
	ck_assert_int_eq(shutdown(peer.fd, SHUT_WR), 0);
}

static void
send_reset(void)
{
	const struct linger now = {.l_onoff = 1, .l_linger = 0};

	setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	disconnect();
}

static void
go_deaf(void)
{
	event_del(peer.event);
}

static void
listen_again(void)
{
	event_add(peer.event, NULL);
}

/* ---- what is awaited ---- */

static void
hear(const char *text)
{
	size_t len = strlen(text);

	for (int i = 0; peer.len < len && !peer.fin && !peer.reset && i < TURNS;
	     i++)
		event_base_loop(loop.base, EVLOOP_ONCE);
	ck_assert_msg(peer.len >= len && memcmp(peer.got, text, len) == 0,
	    "got '%.*s', wanted '%s'", (int)(peer.len < 2000 ? peer.len : 2000),
	    peer.got, text);
	peer.len -= len;
	memmove(peer.got, peer.got + len, peer.len);
}

static void
until_end(void)
{
	for (int i = 0; !peer.fin && !peer.reset && i < TURNS; i++)
		event_base_loop(loop.base, EVLOOP_ONCE);
}

/* Nothing more, and an orderly end. */
static void
hear_fin(void)
{
	until_end();
	ck_assert_msg(peer.len == 0, "got '%.*s'", (int)peer.len, peer.got);
	ck_assert(peer.fin);
}

static void
until_closed(void)
{
	for (int i = 0; env.live > 0 && i < TURNS; i++)
		event_base_loop(loop.base, EVLOOP_ONCE);
	ck_assert_uint_eq(env.live, 0);
}

static void
until(const unsigned *seen, unsigned wanted)
{
	for (int i = 0; *seen < wanted && i < TURNS; i++)
		event_base_loop(loop.base, EVLOOP_ONCE);
	ck_assert_uint_ge(*seen, wanted);
}

static void
expect_closed(enum reason why)
{
	until_closed();
	ck_assert_uint_eq(closed, 1);
	ck_assert_str_eq(reason_word(closed_why), reason_word(why));
}

static void
expect_broken(enum reason why)
{
	until(&owner.breaks, 1);
	ck_assert_str_eq(reason_word(owner.broken), reason_word(why));
}

/* Time goes by, and its timers with it. */
static void
pass(uint32_t ms)
{
	settle();
	fake_clock_advance(ms);
	settle();
}

static void
respond_with(enum body_kind kind, size_t size, bool greedy)
{
	owner.manner = (struct fake_manner){.status = 200,
	    .plan = {kind, kind == BODY_LENGTH ? size : 0},
	    .size = size,
	    .greedy = greedy};
}

/* ---- requests in, responses out ---- */

START_TEST(a_connection_carries_one_exchange_after_the_other)
{
	respond_with(BODY_LENGTH, 3, false);
	for (int i = 0; i < 3; i++) {
		say(GET("/a"));
		hear(OK("Content-Length: 3\r\n") "abc");
	}
	ck_assert_str_eq(owner.log, "GET /a;GET /a;GET /a");
	half_close();
	hear_fin();
	expect_closed(REASON_NONE);
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
	owner.manner.late = true;
	say(GET("/1") "POST /2 HTTP/1.1\r\n" HOST
		      "Content-Length: 3\r\n\r\nabc" GET("/3"));
	settle();
	ck_assert_str_eq(owner.log, "GET /1");
	ck_assert_uint_eq(peer.len, 0);
	fake_owner_go(&owner);
	hear(EMPTY EMPTY EMPTY);
	ck_assert_str_eq(owner.log, "GET /1;POST /2 abc;GET /3");
}
END_TEST

START_TEST(pipelined_requests_are_answered_inside_open)
{
	owner.manner.early = true;
	say(GET("/1") GET("/2") GET("/3"));
	hear(EMPTY EMPTY EMPTY);
	ck_assert_str_eq(owner.log, "GET /1;GET /2;GET /3");
}
END_TEST

static const char two_requests[] =
    "POST /1 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
    "3;x=y\r\nabc\r\n2\r\n\r\n\r\n0\r\nT: 1\r\n\r\n"
    "POST /2 HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nabcd";

START_TEST(requests_are_the_same_however_they_are_cut)
{
	for (size_t cut = 1; cut < sizeof(two_requests) - 1; cut++) {
		owner.log_len = 0;
		owner.manner.greedy = cut % 2 == 0;
		say_bytes(two_requests, cut);
		settle();
		say(two_requests + cut);
		hear(EMPTY EMPTY);
		ck_assert_str_eq(owner.log, "POST /1 abc\r\n;POST /2 abcd");
	}
}
END_TEST

START_TEST(requests_may_come_byte_by_byte)
{
	spell(two_requests);
	hear(EMPTY EMPTY);
	ck_assert_str_eq(owner.log, "POST /1 abc\r\n;POST /2 abcd");
}
END_TEST

START_TEST(who_expects_100_gets_it_when_the_body_is_wanted)
{
	say("POST /a HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
	    "Content-Length: 3\r\n\r\n");
	hear("HTTP/1.1 100 Continue\r\n\r\n");
	say("abc" GET("/b"));
	hear(EMPTY EMPTY);
	ck_assert_str_eq(owner.log, "POST /a abc;GET /b");
}
END_TEST

START_TEST(who_expects_100_and_sends_anyway_is_served)
{
	say("POST /a HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
	    "Content-Length: 3\r\n\r\nabc");
	hear("HTTP/1.1 100 Continue\r\n\r\n" EMPTY);
	ck_assert_str_eq(owner.log, "POST /a abc");
}
END_TEST

/* The client may send the body or leave it: only a close is unambiguous. */
START_TEST(a_refusal_instead_of_100_closes)
{
	owner.manner = (struct fake_manner){.status = 403, .early = true};
	say("POST /a HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
	    "Content-Length: 3\r\n\r\n");
	hear(REFUSED("Content-Length: 0\r\nConnection: close\r\n"));
	hear_fin();
	say(GET("/smuggled"));
	settle();
	ck_assert_uint_eq(owner.opened, 1);
}
END_TEST

START_TEST(http_1_0_closes_unless_it_asks_to_be_kept)
{
	say("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	hear(OK("Content-Length: 0\r\nConnection: keep-alive\r\n"));
	say("GET /b HTTP/1.0\r\n\r\n");
	hear(OK("Content-Length: 0\r\nConnection: close\r\n"));
	hear_fin();
	expect_closed(REASON_NONE);
}
END_TEST

/* Bytes after a request that ends the connection are nobody's. */
START_TEST(nothing_is_read_after_connection_close)
{
	say("GET /a HTTP/1.1\r\n" HOST
	    "Connection: close\r\n\r\n" GET("/smuggled"));
	hear(OK("Content-Length: 0\r\nConnection: close\r\n"));
	hear_fin();
	say(GET("/smuggled"));
	half_close();
	expect_closed(REASON_NONE);
	ck_assert_uint_eq(owner.opened, 1);
}
END_TEST

START_TEST(head_and_204_and_304_have_no_body)
{
	static const struct {
		const char *request;
		int status;
		const char *response;
	} rows[] = {
	    {"HEAD /a HTTP/1.1\r\n" HOST "\r\n", 200, OK("")},
	    {GET("/a"), 204, "HTTP/1.1 204 No Content\r\nX-Fake: 1\r\n\r\n"},
	    {GET("/a"), 304, "HTTP/1.1 304 Not Modified\r\nX-Fake: 1\r\n\r\n"},
	    {GET("/a"), 200, EMPTY},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		owner.manner.status = rows[i].status;
		say(rows[i].request);
		hear(rows[i].response);
	}
}
END_TEST

/* How a body goes out: by what the owner knows and the client understands. */
START_TEST(a_response_is_framed_for_its_client)
{
	static const char chunks[] =
	    OK("Transfer-Encoding: chunked\r\n") "1\r\na\r\n1\r\nb\r\n1\r\nc\r"
						 "\n0\r\n\r\n";
	static const char until_close[] = OK("Connection: close\r\n") "abc";
	static const struct {
		enum body_kind kind;
		const char *version, *response;
		bool closes;
	} rows[] = {
	    {BODY_LENGTH, "1.1", OK("Content-Length: 3\r\n") "abc", false},
	    {BODY_CHUNKED, "1.1", chunks, false},
	    {BODY_CLOSE, "1.1", chunks, false},
	    {BODY_CHUNKED, "1.0", until_close, true},
	    {BODY_CLOSE, "1.0", until_close, true},
	};
	char request[128];

	for (size_t i = 0; i < COUNT(rows); i++) {
		respond_with(rows[i].kind, 3, false);
		snprintf(request, sizeof(request),
		    "GET /a HTTP/%s\r\n" HOST "Connection: %s\r\n\r\n",
		    rows[i].version, rows[i].closes ? "keep-alive" : "x");
		say(request);
		hear(rows[i].response);
		if (!rows[i].closes)
			continue;
		hear_fin();
		disconnect();
		connect_peer();
	}
}
END_TEST

START_TEST(interim_responses_go_to_http_1_1_only)
{
	owner.manner.interim = true;
	say(GET("/a"));
	hear("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" EMPTY);
	say("GET /b HTTP/1.0\r\n\r\n");
	hear(OK("Content-Length: 0\r\nConnection: close\r\n"));
}
END_TEST

START_TEST(the_owner_may_end_the_connection)
{
	owner.manner.close = true;
	say(GET("/a"));
	hear(OK("Content-Length: 0\r\nConnection: close\r\n"));
	hear_fin();
}
END_TEST

/* ---- in step or closed ---- */

/* The body is a request: whoever loses step answers it. */
START_TEST(a_refusal_with_a_small_body_stays_in_step)
{
	owner.manner = (struct fake_manner){.status = 403, .early = true};
	for (int at_once = 0; at_once < 2; at_once++) {
		say("POST /a HTTP/1.1\r\n" HOST "Content-Length: 35\r\n\r\n");
		if (!at_once)
			hear(REFUSED("Content-Length: 0\r\n"));
		say(GET("/smuggled"));
		if (at_once)
			hear(REFUSED("Content-Length: 0\r\n"));
		say(GET("/b"));
		hear(REFUSED("Content-Length: 0\r\n"));
	}
	ck_assert_str_eq(owner.log, "POST /a;GET /b;POST /a;GET /b");
}
END_TEST

START_TEST(a_refusal_with_a_small_chunked_body_stays_in_step)
{
	owner.manner = (struct fake_manner){.status = 403, .early = true};
	say("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5");
	hear(REFUSED("Content-Length: 0\r\n"));
	spell("\r\nGET /\r\n0\r\n\r\n");
	say(GET("/b"));
	hear(REFUSED("Content-Length: 0\r\n"));
	ck_assert_str_eq(owner.log, "POST /a;GET /b");
}
END_TEST

/* Requests over and over, as a body: each of them would be seen. */
static void
say_requests(size_t bytes)
{
	static const char one[] = GET("/smuggled");

	for (size_t sent = 0; sent < bytes; sent += sizeof(one) - 1)
		say(one);
}

START_TEST(a_refusal_with_a_large_body_closes_and_reads_on)
{
	owner.manner = (struct fake_manner){.status = 403, .early = true};
	say("POST /a HTTP/1.1\r\n" HOST "Content-Length: 200000\r\n\r\n");
	hear(REFUSED("Content-Length: 0\r\nConnection: close\r\n"));
	hear_fin();
	say_requests(300000);
	ck_assert_uint_eq(env.live, 1);
	half_close();
	expect_closed(REASON_NONE);
	ck_assert_uint_eq(owner.opened, 1);
}
END_TEST

START_TEST(a_refused_chunked_body_that_grows_large_closes)
{
	owner.manner = (struct fake_manner){.status = 403, .early = true};
	say("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
	    "fffff\r\n");
	hear(REFUSED("Content-Length: 0\r\n"));
	say_requests(150000);
	settle();
	ck_assert(peer.fin); /* before any deadline */
	say_requests(100000);
	half_close();
	expect_closed(REASON_NONE);
	ck_assert_uint_eq(owner.opened, 1);
}
END_TEST

START_TEST(a_refused_body_that_turns_out_malformed_closes)
{
	owner.manner = (struct fake_manner){.status = 403, .early = true};
	say("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	hear(REFUSED("Content-Length: 0\r\n"));
	say("x\r\n" GET("/smuggled"));
	hear_fin();
	ck_assert_uint_eq(owner.opened, 1);
}
END_TEST

/* The response waits for the socket when the body's grammar breaks. */
START_TEST(a_body_that_breaks_late_leaves_the_response_whole)
{
	respond_with(BODY_LENGTH, 60000, true);
	owner.manner.early = true;
	go_deaf();
	say("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	settle();
	ck_assert_uint_eq(owner.complete, 1);
	say("1\r\na\r\nx\r\n" GET("/smuggled"));
	settle();
	listen_again();
	hear(OK("Content-Length: 60000\r\n"));
	until_end();
	ck_assert(peer.fin);
	ck_assert_uint_eq(peer.len, 60000);
	ck_assert_uint_eq(owner.opened, 1);
}
END_TEST

START_TEST(a_refused_body_that_does_not_come_closes)
{
	owner.manner = (struct fake_manner){.status = 403, .early = true};
	say("POST /a HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n");
	hear(REFUSED("Content-Length: 0\r\n"));
	pass(5500);
	hear_fin();
	pass(5500);
	expect_closed(REASON_NONE);
}
END_TEST

START_TEST(a_client_that_never_leaves_is_left)
{
	say("GET /a HTTP/1.1\r\n" HOST
	    "Connection: close\r\n\r\n" GET("/smuggled"));
	hear(OK("Content-Length: 0\r\nConnection: close\r\n"));
	hear_fin();
	pass(4000);
	ck_assert_uint_eq(env.live, 1);
	pass(2000);
	expect_closed(REASON_NONE);
}
END_TEST

static const struct {
	const char *bytes;
	const char *status_line;
	enum reason why;
} bad_heads[] = {
    {"GET\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n",
	REASON_MALFORMED_REQUEST_LINE},
    {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n",
	REASON_MALFORMED_HOST},
    {"GET / HTTP/1.1\n" HOST "\n", "HTTP/1.1 400 Bad Request\r\n",
	REASON_MALFORMED_LINE_END},
    {"POST / HTTP/1.1\r\n" HOST
     "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
	"HTTP/1.1 400 Bad Request\r\n", REASON_MALFORMED_TRANSFER_ENCODING},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n"
     "Content-Length: 4\r\n\r\n",
	"HTTP/1.1 400 Bad Request\r\n", REASON_MALFORMED_CONTENT_LENGTH},
    {"POST / HTTP/1.1\r\n" HOST "Expect: more\r\nContent-Length: 3\r\n\r\n",
	"HTTP/1.1 417 Expectation Failed\r\n", REASON_EXPECTATION_FAILED},
    {"GET / HTTP/2.0\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported\r\n",
	REASON_VERSION_UNSUPPORTED},
    {"\x16\x03\x01", "HTTP/1.1 400 Bad Request\r\n", REASON_MALFORMED_METHOD},
};

/* Whole, and byte by byte: then the head lies in the connection's buffer. */
START_TEST(a_malformed_head_is_answered_and_nothing_is_read_after_it)
{
	for (int slowly = 0; slowly < 2; slowly++) {
		owner.log_len = owner.opened = 0;
		if (slowly)
			spell(bad_heads[_i].bytes);
		else
			say(bad_heads[_i].bytes);
		say(GET("/smuggled"));
		hear(bad_heads[_i].status_line);
		hear("X-Fake: 1\r\nContent-Length: 0\r\n"
		     "Connection: close\r\n\r\n");
		hear_fin();
		say(GET("/smuggled"));
		half_close();
		until_closed();
		ck_assert_uint_eq(owner.opened, 1);
		ck_assert_str_eq(
		    reason_word(owner.why), reason_word(bad_heads[_i].why));
		disconnect();
		connect_peer();
	}
}
END_TEST

START_TEST(a_head_over_its_limit_is_answered_and_closed)
{
	char line[1024];
	size_t sent = 0;

	memset(line, 'x', sizeof(line));
	memcpy(line, "X: ", 3);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	say("GET / HTTP/1.1\r\n");
	for (; owner.opened == 0 && sent < MEGA; sent += sizeof(line)) {
		say_bytes(line, sizeof(line));
		settle();
	}
	ck_assert_uint_le(sent, env.gate.head_limit + sizeof(line));
	hear("HTTP/1.1 431 ");
	until_end();
	ck_assert(peer.fin);
}
END_TEST

START_TEST(a_malformed_body_is_answered_and_nothing_is_read_after_it)
{
	static const char *const bodies[] = {"x\r\n", "1\r\nab\r\n", "1\nab",
	    "ffffffffffffffffff\r\n", "0\r\nX Y\r\n\r\n", "-1\r\n\r\n", "1;\n",
	    "1 \r\n"};
	static const char head[] =
	    "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n";

	for (size_t i = 0; i < COUNT(bodies); i++) {
		owner.opened = 0;
		say(head);
		if (i % 2 == 0)
			settle();
		say(bodies[i]);
		say(GET("/smuggled"));
		hear("HTTP/1.1 400 Bad Request\r\nX-Fake: 1\r\n"
		     "Content-Length: 0\r\nConnection: close\r\n\r\n");
		hear_fin();
		say(GET("/smuggled"));
		half_close();
		until_closed();
		ck_assert_uint_eq(owner.opened, 1);
		disconnect();
		connect_peer();
	}
}
END_TEST

/* ---- the client leaves ---- */

START_TEST(a_half_closed_client_gets_its_answer)
{
	respond_with(BODY_LENGTH, 3, false);
	owner.manner.late = true;
	say(GET("/a"));
	half_close();
	settle();
	fake_owner_go(&owner);
	hear(OK("Content-Length: 3\r\n") "abc");
	hear_fin();
	expect_closed(REASON_NONE);
}
END_TEST

START_TEST(a_half_closed_client_gets_all_its_answers)
{
	owner.manner.late = true;
	say(GET("/1") GET("/2") GET("/3"));
	half_close();
	settle();
	fake_owner_go(&owner);
	hear(EMPTY EMPTY EMPTY);
	hear_fin();
}
END_TEST

/* The body is there, though the owner has not taken it when the FIN comes. */
START_TEST(a_half_closed_client_had_sent_its_whole_body)
{
	say("POST /a HTTP/1.1\r\n" HOST
	    "Content-Length: 5\r\n\r\nabcde" GET("/b"));
	half_close();
	hear(EMPTY EMPTY);
	ck_assert_str_eq(owner.log, "POST /a abcde;GET /b");
	hear_fin();
}
END_TEST

START_TEST(a_fin_in_the_middle_of_a_body_is_told)
{
	say("POST /a HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nab");
	settle();
	half_close();
	expect_broken(REASON_CLIENT_CLOSED);
	until_end();
	ck_assert(peer.reset);
	ck_assert_uint_eq(owner.bodies, 0);
}
END_TEST

START_TEST(a_fin_in_the_middle_of_a_head_ends_the_connection)
{
	say("GET /a HT");
	half_close();
	hear_fin();
	expect_closed(REASON_CLIENT_CLOSED);
	ck_assert_uint_eq(owner.opened, 0);
}
END_TEST

START_TEST(a_reset_is_told_while_the_owner_works)
{
	owner.manner.late = true;
	say(GET("/a"));
	settle();
	send_reset();
	expect_broken(REASON_CLIENT_CLOSED);
	expect_closed(REASON_NONE);
}
END_TEST

START_TEST(a_reset_after_a_fin_is_told)
{
	owner.manner.late = true;
	say(GET("/a"));
	half_close();
	settle();
	ck_assert_uint_eq(owner.breaks, 0);
	send_reset();
	expect_broken(REASON_CLIENT_CLOSED);
}
END_TEST

START_TEST(a_reset_is_told_by_the_write_that_fails)
{
	respond_with(BODY_CHUNKED, MEGA, true);
	owner.manner.late = true;
	say(GET("/a") GET("/b"));
	settle();
	send_reset();
	fake_owner_go(&owner);
	expect_broken(REASON_CLIENT_CLOSED);
	until_closed();
	ck_assert_uint_eq(owner.opened, 1);
}
END_TEST

START_TEST(an_abort_resets_the_connection)
{
	static const enum body_kind kinds[] = {
	    BODY_LENGTH, BODY_CHUNKED, BODY_CLOSE};
	static const char *const requests[] = {
	    GET("/a"), "GET /a HTTP/1.0\r\n\r\n"};

	for (size_t i = 0; i < 2 * COUNT(kinds); i++) {
		respond_with(kinds[i / 2], 10, false);
		owner.manner.abort_after = 5;
		closed = 0;
		say(requests[i % 2]);
		until_end();
		ck_assert(peer.reset);
		expect_closed(REASON_NONE); /* the owner has told it */
		disconnect();
		connect_peer();
	}
}
END_TEST

/* ---- deadlines ---- */

START_TEST(a_first_head_that_never_begins_closes)
{
	pass(env.gate.head_timeout + 500);
	hear_fin();
	expect_closed(REASON_CLIENT_HEAD_TIMEOUT);
	ck_assert_uint_eq(owner.opened, 0);
}
END_TEST

START_TEST(a_head_that_dribbles_is_a_408)
{
	say("GET /a HTTP/1.1\r\n");
	for (uint32_t ms = 0; ms < env.gate.head_timeout; ms += 1000) {
		pass(1000);
		if (owner.opened == 0)
			say("X: y\r\n");
	}
	pass(1000);
	hear("HTTP/1.1 408 Request Timeout\r\nX-Fake: 1\r\n"
	     "Content-Length: 0\r\nConnection: close\r\n\r\n");
	hear_fin();
	ck_assert_str_eq(
	    reason_word(owner.why), reason_word(REASON_CLIENT_HEAD_TIMEOUT));
}
END_TEST

START_TEST(a_second_head_has_a_deadline_too)
{
	say(GET("/a") "GET /b");
	hear(EMPTY);
	pass(env.gate.head_timeout + 500);
	hear("HTTP/1.1 408 ");
}
END_TEST

START_TEST(an_idle_connection_closes)
{
	say(GET("/a"));
	hear(EMPTY);
	pass(env.gate.idle_timeout - 1000);
	ck_assert_uint_eq(env.live, 1);
	pass(1500);
	hear_fin();
	expect_closed(REASON_CLIENT_IDLE);
}
END_TEST

START_TEST(a_served_exchange_is_the_owners_to_end)
{
	owner.manner.late = true;
	say(GET("/a"));
	pass(10 * env.gate.idle_timeout);
	ck_assert_uint_eq(owner.breaks, 0);
	fake_owner_go(&owner);
	hear(EMPTY);
}
END_TEST

START_TEST(a_body_that_stops_is_a_408)
{
	say("POST /a HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nab");
	pass(env.gate.body_timeout - 1000);
	ck_assert_uint_eq(owner.breaks, 0);
	pass(1500);
	expect_broken(REASON_CLIENT_BODY_TIMEOUT);
	hear("HTTP/1.1 408 Request Timeout\r\nX-Fake: 1\r\n"
	     "Content-Length: 0\r\nConnection: close\r\n\r\n");
	hear_fin();
}
END_TEST

START_TEST(a_body_that_the_owner_does_not_take_is_not_late)
{
	owner.manner.deaf = true;
	say("POST /a HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nabcde");
	pass(10 * env.gate.body_timeout);
	ck_assert_uint_eq(owner.breaks, 0);
	fake_owner_go(&owner);
	hear(EMPTY);
}
END_TEST

/* A piece each 10 s keeps body_timeout content, but not min_rate. */
static const struct {
	const char *head, *pieces; /* pieces: the same again and again */
} dribbles[] = {
    {"Content-Length: 1000", "x"},
    {"Transfer-Encoding: chunked", "1\r\nx\r\n"},
    {"Transfer-Encoding: chunked\r\n\r\n1;e", "e"},
    {"Transfer-Encoding: chunked\r\n\r\n0\r\nT: e", "e"},
};

START_TEST(a_body_that_dribbles_is_too_slow)
{
	say("POST /a HTTP/1.1\r\n" HOST);
	say(dribbles[_i].head);
	if (strstr(dribbles[_i].head, "\r\n\r\n") == NULL)
		say("\r\n\r\n");
	for (int i = 0; i < 4 && owner.breaks == 0; i++) {
		pass(10000);
		say(dribbles[_i].pieces);
		settle();
	}
	expect_broken(REASON_CLIENT_MIN_RATE);
	hear("HTTP/1.1 408 ");
}
END_TEST

START_TEST(a_body_that_keeps_the_rate_may_take_long)
{
	char piece[11000];

	owner.manner.greedy = true;
	memset(piece, 'x', sizeof(piece));
	say("POST /a HTTP/1.1\r\n" HOST "Content-Length: 132000\r\n\r\n");
	for (int i = 0; i < 12; i++) {
		pass(10000);
		say_bytes(piece, sizeof(piece));
	}
	hear(EMPTY);
	ck_assert_uint_eq(owner.body_len, 12 * sizeof(piece));
}
END_TEST

START_TEST(a_response_that_is_not_read_is_cut)
{
	respond_with(BODY_LENGTH, 4 * MEGA, true);
	go_deaf();
	say(GET("/a"));
	pass(env.gate.write_timeout - 1000);
	ck_assert_uint_eq(owner.breaks, 0);
	pass(1500);
	expect_broken(REASON_CLIENT_WRITE_TIMEOUT);
	listen_again();
	until_end();
	ck_assert(peer.reset);
}
END_TEST

/* The owner has given all of it and is gone. */
START_TEST(a_small_response_that_is_not_read_is_cut)
{
	owner.manner.late = true;
	respond_with(BODY_LENGTH, 60000, true);
	go_deaf();
	say(GET("/a"));
	settle();
	while (owner.complete > 0 && owner.opened < 50) {
		owner.complete = 0;
		say(GET("/a"));
		settle();
	}
	pass(env.gate.write_timeout + 500);
	until_closed();
	ck_assert_int_ne(closed_why, REASON_NONE);
}
END_TEST

START_TEST(a_request_that_moves_does_not_put_off_the_write_deadline)
{
	respond_with(BODY_CHUNKED, 4 * MEGA, true);
	owner.manner.early = true;
	go_deaf();
	say("POST /a HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n");
	for (uint32_t ms = 0; ms <= env.gate.write_timeout; ms += 5000) {
		say_requests(6000);
		pass(5000);
	}
	expect_broken(REASON_CLIENT_WRITE_TIMEOUT);
}
END_TEST

START_TEST(a_response_that_is_offered_does_not_put_off_the_write_deadline)
{
	respond_with(BODY_CHUNKED, 4 * MEGA, true);
	owner.manner.burst = 60000;
	go_deaf();
	say(GET("/a"));
	for (uint32_t ms = 0; ms <= env.gate.write_timeout; ms += 5000) {
		pass(5000);
		fake_owner_go(&owner);
	}
	ck_assert_uint_ge(owner.sent, 60000);
	ck_assert_uint_gt(owner.refusals, 0);
	expect_broken(REASON_CLIENT_WRITE_TIMEOUT);
}
END_TEST

/* The owner takes no more of the request, the client none of the response. */
START_TEST(an_exchange_stuck_both_ways_ends_at_the_write_deadline)
{
	respond_with(BODY_CHUNKED, 4 * MEGA, true);
	owner.manner.early = true;
	owner.manner.deaf = true;
	go_deaf();
	say("POST /a HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n");
	settle();
	say("abc");
	pass(env.gate.write_timeout + 500);
	expect_broken(REASON_CLIENT_WRITE_TIMEOUT);
}
END_TEST

/* It reads what lies there each 10 s: too little for min_rate. */
START_TEST(a_response_that_is_read_too_slowly_is_cut)
{
	env.gate.min_rate = 100000;
	respond_with(BODY_LENGTH, 8 * MEGA, true);
	go_deaf();
	say(GET("/a"));
	for (int i = 0; i < 8 && owner.breaks == 0; i++) {
		pass(10000);
		on_peer_readable(peer.fd, EV_READ, NULL);
		settle();
	}
	expect_broken(REASON_CLIENT_READ_RATE);
}
END_TEST

START_TEST(a_response_that_keeps_the_rate_may_take_long)
{
	env.gate.min_rate = 10;
	respond_with(BODY_LENGTH, MEGA, true);
	go_deaf();
	say(GET("/a"));
	for (int i = 0; i < 12; i++) {
		pass(10000);
		on_peer_readable(peer.fd, EV_READ, NULL);
		settle();
	}
	ck_assert_uint_eq(owner.breaks, 0);
	listen_again();
	for (int i = 0; owner.complete == 0 && i < TURNS; i++)
		event_base_loop(loop.base, EVLOOP_ONCE);
	ck_assert_uint_eq(owner.complete, 1);
}
END_TEST

/* ---- back-pressure ---- */

static void
expect_pattern(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != fake_owner_byte(i))
			ck_abort_msg("a wrong byte at %zu of %zu", i, len);
}

static void
until_complete(void)
{
	until(&owner.complete, 1);
	for (int i = 0; i < 1000; i++)
		event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

START_TEST(an_owner_is_held_back_by_a_client_that_reads_nothing)
{
	static const char head[] = OK("Content-Length: 4194304\r\n");

	respond_with(BODY_LENGTH, 4 * MEGA, true);
	go_deaf();
	say(GET("/a"));
	settle();
	ck_assert_uint_gt(owner.sent, 0);
	ck_assert_uint_lt(owner.sent, MEGA);
	ck_assert_uint_eq(owner.complete, 0);
	listen_again();
	until_complete();
	ck_assert_uint_gt(owner.ready, 1);
	hear(head);
	ck_assert_uint_eq(peer.len, 4 * MEGA);
	expect_pattern(peer.got, peer.len);
}
END_TEST

START_TEST(a_response_to_http_1_0_arrives_whole_before_its_close)
{
	respond_with(BODY_CLOSE, MEGA, true);
	go_deaf();
	say("GET /a HTTP/1.0\r\n\r\n");
	settle();
	listen_again();
	hear(OK("Connection: close\r\n"));
	until_end();
	ck_assert(peer.fin);
	ck_assert_uint_eq(peer.len, MEGA);
	expect_pattern(peer.got, peer.len);
}
END_TEST

START_TEST(single_bytes_are_held_back_too)
{
	respond_with(BODY_CHUNKED, MEGA, false);
	go_deaf();
	say(GET("/a"));
	until(&owner.refusals, 1);
	ck_assert_uint_lt(owner.sent, 100000);
}
END_TEST

/* What the gate takes until it takes no more. */
static size_t
offer_all(const char *bytes, size_t len)
{
	size_t sent = 0;

	for (int refused = 0; refused < 5 && sent < 8 * len;) {
		size_t at = sent % len, n = offer(bytes + at, len - at);

		sent += n;
		refused = n == 0 ? refused + 1 : 0;
		settle();
	}
	return sent;
}

START_TEST(a_client_is_held_back_by_an_owner_that_takes_nothing)
{
	char *body = mem_alloc(MEGA);
	size_t sent;

	memset(body, 'x', MEGA);
	owner.manner.deaf = owner.manner.greedy = true;
	say("POST /a HTTP/1.1\r\n" HOST "Content-Length: 8388608\r\n\r\n");
	sent = offer_all(body, MEGA);
	ck_assert_uint_lt(sent, 8 * MEGA);
	ck_assert_uint_eq(owner.body_len, 0);
	fake_owner_go(&owner);
	while (sent < 8 * MEGA) {
		size_t left = 8 * MEGA - sent;

		sent += offer(body, left < MEGA ? left : MEGA);
		settle();
	}
	hear(EMPTY);
	ck_assert_uint_eq(owner.body_len, 8 * MEGA);
	free(body);
}
END_TEST

START_TEST(a_client_that_pipelines_without_end_is_held_back)
{
	static const char request[] = GET("/a");
	const size_t len = sizeof(request) - 1, count = MEGA / len;
	char *requests = mem_alloc(count * len);

	for (size_t i = 0; i < count; i++)
		memcpy(requests + i * len, request, len);
	owner.manner.late = true;
	ck_assert_uint_lt(offer_all(requests, count * len), 7 * MEGA);
	ck_assert_uint_eq(owner.opened, 1);
	free(requests);
}
END_TEST

/* ---- the end of the gate ---- */

START_TEST(draining_closes_idle_connections)
{
	say(GET("/a"));
	hear(EMPTY);
	client_h1_drain(&env);
	hear_fin();
	expect_closed(REASON_SHUTDOWN);
}
END_TEST

START_TEST(draining_answers_what_has_come)
{
	say(GET("/a"));
	hear(EMPTY);
	say(GET("/b"));
	client_h1_drain(&env);
	hear(OK("Content-Length: 0\r\nConnection: close\r\n"));
	hear_fin();
	half_close();
	expect_closed(REASON_NONE);
	ck_assert_str_eq(owner.log, "GET /a;GET /b");
}
END_TEST

START_TEST(draining_lets_exchanges_end)
{
	respond_with(BODY_LENGTH, 3, false);
	owner.manner.late = true;
	say(GET("/a") GET("/b"));
	settle();
	client_h1_drain(&env);
	fake_owner_go(&owner);
	hear(OK("Content-Length: 3\r\nConnection: close\r\n") "abc");
	hear_fin();
	half_close();
	expect_closed(REASON_NONE);
	ck_assert_uint_eq(owner.opened, 1);
}
END_TEST

START_TEST(draining_waits_for_a_head_that_has_begun)
{
	say("GET /a HTTP/1.1\r\n");
	settle();
	client_h1_drain(&env);
	settle();
	ck_assert_uint_eq(env.live, 1);
	say(HOST "\r\n");
	hear(OK("Content-Length: 0\r\nConnection: close\r\n"));
	hear_fin();
}
END_TEST

START_TEST(draining_ends_a_connection_whose_body_is_let_go_by)
{
	owner.manner = (struct fake_manner){.status = 403, .early = true};
	say("POST /a HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n");
	hear(REFUSED("Content-Length: 0\r\n"));
	client_h1_drain(&env);
	say("abc");
	hear_fin();
	half_close();
	expect_closed(REASON_NONE);
}
END_TEST

START_TEST(a_door_that_is_gone_closes_its_idle_connections)
{
	static struct door other = {.gone = true};

	say(GET("/a"));
	hear(EMPTY);
	client_h1_leave(&env, &other);
	settle();
	ck_assert_uint_eq(env.live, 1);
	way_in.gone = true;
	client_h1_leave(&env, &way_in);
	hear_fin();
	expect_closed(REASON_SHUTDOWN);
}
END_TEST

START_TEST(a_door_that_is_gone_lets_exchanges_end)
{
	respond_with(BODY_LENGTH, 3, false);
	owner.manner.late = true;
	say(GET("/a") GET("/b"));
	settle();
	way_in.gone = true;
	client_h1_leave(&env, &way_in);
	fake_owner_go(&owner);
	hear(OK("Content-Length: 3\r\nConnection: close\r\n") "abc");
	hear_fin();
	half_close();
	expect_closed(REASON_NONE);
	ck_assert_uint_eq(owner.opened, 1);
}
END_TEST

/* It may have been accepted before, and dealt to this worker. */
START_TEST(who_has_not_asked_yet_may_when_its_door_is_gone)
{
	way_in.gone = true;
	client_h1_leave(&env, &way_in);
	settle();
	ck_assert_uint_eq(env.live, 1);
	say(GET("/a") GET("/b"));
	hear(OK("Content-Length: 0\r\nConnection: close\r\n"));
	hear_fin();
	ck_assert_uint_eq(owner.opened, 1);
}
END_TEST

START_TEST(who_comes_late_is_not_waited_for_when_all_is_drained)
{
	disconnect();
	settle();
	client_h1_drain(&env);
	closed = 0;
	connect_peer();
	hear_fin();
	expect_closed(REASON_SHUTDOWN);
}
END_TEST

START_TEST(other_limits_hold_from_the_next_head_on)
{
	struct gate_config gate = env.gate;

	say(GET("/a"));
	hear(EMPTY);
	gate.head_fields = 1;
	client_h1_set(&env, &gate);
	say(GET("/b"));
	hear(EMPTY);
	say("GET /c HTTP/1.1\r\n" HOST "A: b\r\n\r\n");
	hear("HTTP/1.1 431 ");
}
END_TEST

START_TEST(the_end_tells_the_owners)
{
	owner.manner.late = true;
	say(GET("/a"));
	settle();
	ck_assert_uint_eq(owner.live, 1);
	client_h1_env_done(&env);
	ck_assert_int_eq(owner.broken, REASON_SHUTDOWN);
	ck_assert_uint_eq(owner.live, 0);
	until_end();
	ck_assert(peer.reset);
	client_h1_env_init(
	    &env, &loop, &(struct gate_config){.head_fields = 1});
}
END_TEST

START_TEST(a_connection_too_many_gets_a_503)
{
	int fds[2];
	char got[256];
	ssize_t n;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	client_h1_refuse(fds[0], REASON_TOO_MANY_CONNECTIONS, false);
	n = read(fds[1], got, sizeof(got) - 1);
	ck_assert_int_gt((int)n, 0);
	got[n] = '\0';
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 503 "));
	ck_assert_ptr_nonnull(strstr(got, "Connection: close\r\n"));
	ck_assert_int_eq((int)read(fds[1], got, sizeof(got)), 0);
	close(fds[1]);
}
END_TEST

START_TEST(a_connection_too_many_with_tls_is_closed)
{
	int fds[2];
	char got[16];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ck_assert_int_eq((int)write(fds[1], "\x16\x03\x01", 3), 3);
	client_h1_refuse(fds[0], REASON_TOO_MANY_CONNECTIONS, true);
	ck_assert_int_eq((int)read(fds[1], got, sizeof(got)), 0);
	close(fds[1]);
}
END_TEST

static void
add_exchanges(TCase *tcase)
{
	tcase_add_test(
	    tcase, a_connection_carries_one_exchange_after_the_other);
	tcase_add_test(tcase, pipelined_requests_are_answered_in_order);
	tcase_add_test(tcase, pipelined_requests_are_answered_inside_open);
	tcase_add_test(tcase, requests_are_the_same_however_they_are_cut);
	tcase_add_test(tcase, requests_may_come_byte_by_byte);
	tcase_add_test(tcase, who_expects_100_gets_it_when_the_body_is_wanted);
	tcase_add_test(tcase, who_expects_100_and_sends_anyway_is_served);
	tcase_add_test(tcase, a_refusal_instead_of_100_closes);
	tcase_add_test(tcase, http_1_0_closes_unless_it_asks_to_be_kept);
	tcase_add_test(tcase, nothing_is_read_after_connection_close);
	tcase_add_test(tcase, head_and_204_and_304_have_no_body);
	tcase_add_test(tcase, a_response_is_framed_for_its_client);
	tcase_add_test(tcase, interim_responses_go_to_http_1_1_only);
	tcase_add_test(tcase, the_owner_may_end_the_connection);
}

static void
add_steps(TCase *tcase)
{
	tcase_add_test(tcase, a_refusal_with_a_small_body_stays_in_step);
	tcase_add_test(
	    tcase, a_refusal_with_a_small_chunked_body_stays_in_step);
	tcase_add_test(tcase, a_refusal_with_a_large_body_closes_and_reads_on);
	tcase_add_test(tcase, a_refused_chunked_body_that_grows_large_closes);
	tcase_add_test(tcase, a_refused_body_that_turns_out_malformed_closes);
	tcase_add_test(
	    tcase, a_body_that_breaks_late_leaves_the_response_whole);
	tcase_add_test(tcase, a_refused_body_that_does_not_come_closes);
	tcase_add_test(tcase, a_client_that_never_leaves_is_left);
	tcase_add_loop_test(tcase,
	    a_malformed_head_is_answered_and_nothing_is_read_after_it, 0,
	    COUNT(bad_heads));
	tcase_add_test(tcase, a_head_over_its_limit_is_answered_and_closed);
	tcase_add_test(
	    tcase, a_malformed_body_is_answered_and_nothing_is_read_after_it);
}

static void
add_departures(TCase *tcase)
{
	tcase_add_test(tcase, a_half_closed_client_gets_its_answer);
	tcase_add_test(tcase, a_half_closed_client_gets_all_its_answers);
	tcase_add_test(tcase, a_half_closed_client_had_sent_its_whole_body);
	tcase_add_test(tcase, a_fin_in_the_middle_of_a_body_is_told);
	tcase_add_test(
	    tcase, a_fin_in_the_middle_of_a_head_ends_the_connection);
	tcase_add_test(tcase, a_reset_is_told_while_the_owner_works);
	tcase_add_test(tcase, a_reset_after_a_fin_is_told);
	tcase_add_test(tcase, a_reset_is_told_by_the_write_that_fails);
	tcase_add_test(tcase, an_abort_resets_the_connection);
	tcase_add_test(tcase, draining_closes_idle_connections);
	tcase_add_test(tcase, draining_answers_what_has_come);
	tcase_add_test(tcase, draining_lets_exchanges_end);
	tcase_add_test(tcase, draining_waits_for_a_head_that_has_begun);
	tcase_add_test(
	    tcase, draining_ends_a_connection_whose_body_is_let_go_by);
	tcase_add_test(tcase, a_door_that_is_gone_closes_its_idle_connections);
	tcase_add_test(tcase, a_door_that_is_gone_lets_exchanges_end);
	tcase_add_test(tcase, who_has_not_asked_yet_may_when_its_door_is_gone);
	tcase_add_test(
	    tcase, who_comes_late_is_not_waited_for_when_all_is_drained);
	tcase_add_test(tcase, other_limits_hold_from_the_next_head_on);
	tcase_add_test(tcase, the_end_tells_the_owners);
	tcase_add_test(tcase, a_connection_too_many_gets_a_503);
	tcase_add_test(tcase, a_connection_too_many_with_tls_is_closed);
}

static void
add_deadlines(TCase *tcase)
{
	tcase_add_test(tcase, a_first_head_that_never_begins_closes);
	tcase_add_test(tcase, a_head_that_dribbles_is_a_408);
	tcase_add_test(tcase, a_second_head_has_a_deadline_too);
	tcase_add_test(tcase, an_idle_connection_closes);
	tcase_add_test(tcase, a_served_exchange_is_the_owners_to_end);
	tcase_add_test(tcase, a_body_that_stops_is_a_408);
	tcase_add_test(tcase, a_body_that_the_owner_does_not_take_is_not_late);
	tcase_add_loop_test(
	    tcase, a_body_that_dribbles_is_too_slow, 0, COUNT(dribbles));
	tcase_add_test(tcase, a_body_that_keeps_the_rate_may_take_long);
	tcase_add_test(tcase, a_response_that_is_not_read_is_cut);
	tcase_add_test(tcase, a_small_response_that_is_not_read_is_cut);
	tcase_add_test(
	    tcase, a_request_that_moves_does_not_put_off_the_write_deadline);
	tcase_add_test(tcase,
	    a_response_that_is_offered_does_not_put_off_the_write_deadline);
	tcase_add_test(
	    tcase, an_exchange_stuck_both_ways_ends_at_the_write_deadline);
	tcase_add_test(tcase, a_response_that_is_read_too_slowly_is_cut);
	tcase_add_test(tcase, a_response_that_keeps_the_rate_may_take_long);
}

static void
add_pressure(TCase *tcase)
{
	tcase_add_test(
	    tcase, an_owner_is_held_back_by_a_client_that_reads_nothing);
	tcase_add_test(
	    tcase, a_response_to_http_1_0_arrives_whole_before_its_close);
	tcase_add_test(tcase, single_bytes_are_held_back_too);
	tcase_add_test(
	    tcase, a_client_is_held_back_by_an_owner_that_takes_nothing);
	tcase_add_test(tcase, a_client_that_pipelines_without_end_is_held_back);
}

int
main(void)
{
	Suite *suite = suite_create("client_h1");
	TCase *tcase = tcase_create("client_h1");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 20);
	add_exchanges(tcase);
	add_steps(tcase);
	add_departures(tcase);
	add_deadlines(tcase);
	add_pressure(tcase);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
