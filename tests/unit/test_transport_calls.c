/* SPDX-License-Identifier: ISC */
/* The native transport and the kernel: how many calls an exchange costs, and
 * what becomes of it when a call does less than it was asked, or fails. The
 * program's own read, send, sendmsg, recv and epoll_ctl come before libc's, for
 * libevent too. */
#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake_errand.h"
#include "h1_body.h"
#include "h1_head.h"
#include "transport_native.h"

#define ROUNDS 10000

/* ---- calls ---- */

enum call { READ, WRITE, PEEK, WATCH, CALLS };
enum fault { FAULT_NONE, ONE_BYTE, AGAIN, RESET, FAULTS };

static struct {
	bool on;
	unsigned count[CALLS];
	enum call which; /* gets the fault: its nth call, or each */
	enum fault fault;
	unsigned nth;
	bool each, hit;
} calls;

/* What the server does is no matter: its descriptors are marked. */
#define DESCRIPTORS 1024
static bool is_server[DESCRIPTORS];

static enum fault
count_call(enum call call, int fd)
{
	unsigned n;

	if (!calls.on || fd < 0 || fd >= DESCRIPTORS || is_server[fd])
		return FAULT_NONE;
	n = calls.count[call]++;
	if (call != calls.which || calls.fault == FAULT_NONE)
		return FAULT_NONE;
	if (calls.each ? n % 2 == 1 && calls.fault == AGAIN : n != calls.nth)
		return FAULT_NONE;
	calls.hit = true;
	return calls.fault;
}

static ssize_t
fail_with(enum fault fault)
{
	errno = fault == AGAIN ? EAGAIN : ECONNRESET;
	return -1;
}

ssize_t
recv(int fd, void *to, size_t size, int flags)
{
	bool peek = (flags & MSG_PEEK) != 0;
	enum fault fault = count_call(peek ? PEEK : READ, fd);

	if (fault == AGAIN || fault == RESET || (peek && fault != FAULT_NONE))
		return fail_with(peek ? RESET : fault);
	if (fault == ONE_BYTE && size > 1)
		size = 1;
	return syscall(SYS_recvfrom, fd, to, size, flags, NULL, NULL);
}

ssize_t
send(int fd, const void *from, size_t size, int flags)
{
	enum fault fault = count_call(WRITE, fd);

	if (fault == AGAIN || fault == RESET)
		return fail_with(fault);
	if (fault == ONE_BYTE && size > 1)
		size = 1;
	return syscall(SYS_sendto, fd, from, size, flags, NULL, 0);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	enum fault fault = count_call(WRITE, fd);
	struct msghdr short_one = *message;
	struct iovec iov = {.iov_len = 0};

	if (fault == AGAIN || fault == RESET)
		return fail_with(fault);
	for (size_t i = 0; fault == ONE_BYTE && i < message->msg_iovlen; i++)
		if (iov.iov_len == 0 && message->msg_iov[i].iov_len > 0)
			iov = (struct iovec){message->msg_iov[i].iov_base, 1};
	if (fault == ONE_BYTE) {
		short_one.msg_iov = &iov;
		short_one.msg_iovlen = 1;
	}
	return syscall(SYS_sendmsg, fd, &short_one, flags);
}

int
epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	(void)count_call(WATCH, fd);
	return (int)syscall(SYS_epoll_ctl, epoll, op, fd, event);
}

/* Only where AddressSanitizer is linked in. */
extern int __sanitizer_install_malloc_and_free_hooks(
    void (*on_malloc)(const volatile void *, size_t),
    void (*on_free)(const volatile void *)) __attribute__((weak));

static unsigned allocations;

static void
on_malloc(const volatile void *block, size_t size)
{
	(void)block;
	(void)size;
	allocations++;
}

static void
on_free(const volatile void *block)
{
	(void)block;
}

/* ---- a server that keeps to HTTP ---- */

#define PEERS 8
#define ROOM (128u * 1024)

/* Answers each request with its target, how long its body was, and so many
 * bytes as the target says. */
struct peer {
	struct server *server;
	struct event event; /* of its descriptor; -1: free */
	int fd;
	char in[ROOM];
	size_t in_len;
	bool in_body;
	struct h1_body body;
	char target[32];
};

struct server {
	struct bench *bench;
	struct peer peers[PEERS];
	struct event accept_event;
	unsigned served;
};

static struct server server;

static void
send_all(const struct peer *peer, const char *bytes, size_t len, int more)
{
	while (len > 0) {
		ssize_t n = send(peer->fd, bytes, len, MSG_NOSIGNAL | more);

		if (n < 0 && errno != EAGAIN)
			return;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
}

static void
answer(struct peer *peer)
{
	unsigned long size = strtoul(peer->target + 1, NULL, 10);
	char head[256];
	int len = snprintf(head, sizeof(head),
	    "%sHTTP/1.1 200 OK\r\nTarget: %s\r\nSize: %llu\r\n"
	    "Content-Length: %lu\r\n\r\n",
	    size > 0 ? "HTTP/1.1 103 H\r\n\r\n" : "", peer->target,
	    (unsigned long long)peer->body.total, size);

	server.served++;
	peer->in_body = false;
	send_all(peer, head, (size_t)len, size > 0 ? MSG_MORE : 0);
	for (; size > FAKE_BLOCK; size -= FAKE_BLOCK)
		send_all(peer, fake_block, FAKE_BLOCK, MSG_MORE);
	send_all(peer, fake_block, size, 0);
}

/* False when more is needed. */
static bool
read_request(struct peer *peer, struct slice *in)
{
	struct h1_limits limits = {ROOM, ROOM, 16};
	struct field fields[16];
	struct head head = {.fields = fields};
	struct slice piece;
	enum reason why;
	enum h1_body_result result;
	size_t used;

	if (!peer->in_body) {
		if (h1_request_read(*in, &limits, &head, &used, &why) !=
		    H1_DONE)
			return false;
		*in = (struct slice){in->at + used, in->len - used};
		peer->in_body = true;
		h1_body_init(&peer->body, h1_request_body(&head));
		if (head.target.len >= sizeof(peer->target))
			abort();
		memcpy(peer->target, head.target.at, head.target.len);
		peer->target[head.target.len] = '\0';
	}
	while ((result = h1_body_read(&peer->body, in, &piece, &why)) ==
	       H1_BODY_DATA)
		continue;
	if (result == H1_BODY_BAD)
		abort();
	if (result == H1_BODY_END)
		answer(peer);
	return result == H1_BODY_END;
}

static void
hang_up(struct peer *peer)
{
	event_del(&peer->event);
	is_server[peer->fd] = false;
	close(peer->fd);
	peer->fd = -1;
}

static void
on_peer(evutil_socket_t fd, short what, void *arg)
{
	struct peer *peer = arg;
	ssize_t n = read(fd, peer->in + peer->in_len, ROOM - peer->in_len);
	struct slice in;

	(void)what;
	if (n <= 0) {
		hang_up(peer);
		return;
	}
	peer->in_len += (size_t)n;
	in = (struct slice){peer->in, peer->in_len};
	while (read_request(peer, &in))
		continue;
	memmove(peer->in, in.at, in.len);
	peer->in_len = in.len;
}

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct peer *peer = server.peers;
	int one = 1;

	(void)what;
	(void)arg;
	while (peer->fd >= 0)
		peer++;
	ck_assert(peer < server.peers + PEERS);
	peer->fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
	ck_assert_int_ge(peer->fd, 0);
	setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	is_server[peer->fd] = true;
	peer->in_len = 0;
	peer->in_body = false;
	event_assign(&peer->event, server.bench->loop.base, peer->fd,
	    EV_READ | EV_PERSIST, on_peer, peer);
	event_add(&peer->event, NULL);
}

/* In the place of the bench's own. */
static void
open_all(struct bench *b)
{
	static const struct fake_act none[] = {{FAKE_STOP, 0, {NULL, 0}}};

	bench_open(b, transport_native_open, none);
	event_free(b->server.accept_event);
	b->server.accept_event = NULL;
	memset(&server, 0, sizeof(server));
	memset(is_server, 0, sizeof(is_server));
	server.bench = b;
	for (int i = 0; i < PEERS; i++)
		server.peers[i].fd = -1;
	is_server[b->server.listening] = true;
	event_assign(&server.accept_event, b->loop.base, b->server.listening,
	    EV_READ | EV_PERSIST, on_accept, NULL);
	event_add(&server.accept_event, NULL);
	memset(&calls, 0, sizeof(calls));
}

static void
close_all(struct bench *b)
{
	calls.on = false;
	bench_idle(b);
	for (int i = 0; i < PEERS; i++)
		if (server.peers[i].fd >= 0)
			hang_up(&server.peers[i]);
	event_del(&server.accept_event);
	bench_close(b);
}

/* ---- exchanges ---- */

static void
open_kept(struct errand *e, struct bench *b)
{
	errand_init(e, b);
	e->keep = (struct links_policy){4, 60000};
	e->max_idle = UINT32_MAX;
	errand_open(e);
}

static void
start(struct errand *e, const char *target, enum body_kind kind, uint64_t size)
{
	struct field host = {SLICE("Host"), SLICE("a"), FIELD_HOST};
	struct head head = {.method = SLICE("PROPFIND"),
	    .target = slice_of(target),
	    .minor = 1,
	    .fields = &host,
	    .field_count = 1};

	errand_start(
	    e, &head, (struct body_plan){kind, kind == BODY_LENGTH ? size : 0});
}

static void
start_and_feed(
    struct errand *e, const char *target, enum body_kind kind, uint64_t size)
{
	struct slice piece = {fake_block, sizeof(fake_block)};

	start(e, target, kind, size);
	errand_feed(e, piece, size);
}

/* One exchange whose link is kept; then nothing is counted so far. */
static void
warm_up(struct bench *b)
{
	struct errand e;

	for (int i = 0; i < 3; i++) {
		open_kept(&e, b);
		start_and_feed(&e, "/1", BODY_NONE, 0);
		errand_run(&e);
		ck_assert_str_eq(e.events, "ready 103 200 body end");
		bench_idle(b);
	}
	memset(calls.count, 0, sizeof(calls.count));
	allocations = 0;
	calls.on = true;
}

static void
expect_calls(unsigned reads, unsigned writes, unsigned peeks, unsigned watches)
{
	ck_assert_uint_eq(calls.count[READ], reads);
	ck_assert_uint_eq(calls.count[WRITE], writes);
	ck_assert_uint_eq(calls.count[PEEK], peeks);
	ck_assert_uint_eq(calls.count[WATCH], watches);
}

/* An owner whose every exchange begins inside the last one's end. It asserts
 * nothing while allocations are counted: Check allocates. */
struct runner {
	struct bench *bench;
	unsigned left, ended, broken;
};

static const struct transport_events runner_events;

static void
run_next(struct runner *r)
{
	struct field host = {SLICE("Host"), SLICE("a"), FIELD_HOST};
	struct head head = {.method = SLICE("GET"),
	    .target = SLICE("/7"),
	    .minor = 1,
	    .fields = &host,
	    .field_count = 1};
	struct transport_request request = {.loop = &r->bench->loop,
	    .links = &r->bench->links,
	    .keep = {4, 60000},
	    .max_idle = UINT32_MAX,
	    .server = &r->bench->server.addr,
	    .head_limit = FAKE_HEAD_LIMIT,
	    .buffer_size = 64 * 1024,
	    .events = &runner_events,
	    .owner = r};
	struct transport *t = transport_native_open(&request);

	r->left--;
	t->ops->start(t, &head, (struct body_plan){BODY_NONE, 0});
	t->ops->end(t, NULL);
}

static void
runner_ready(void *owner)
{
	(void)owner;
}

static void
runner_interim(void *owner, const struct head *head)
{
	(void)owner;
	(void)head;
}

static void
runner_head(void *owner, const struct head *head, struct body_plan plan)
{
	(void)owner;
	(void)head;
	(void)plan;
}

static size_t
runner_body(void *owner, struct slice piece)
{
	(void)owner;
	return piece.len;
}

static void
runner_shut(void *owner)
{
	(void)owner;
}

static void
runner_end(void *owner, const struct head *trailers)
{
	struct runner *r = owner;

	(void)trailers;
	r->ended++;
	if (r->left > 0)
		run_next(r);
}

static void
runner_broken(void *owner, const struct transport_broken *how)
{
	struct runner *r = owner;

	(void)how;
	r->broken++;
}

static const struct transport_events runner_events = {.ready = runner_ready,
    .interim = runner_interim,
    .head = runner_head,
    .body = runner_body,
    .shut = runner_shut,
    .end = runner_end,
    .broken = runner_broken};

static void
run_all(struct runner *r, unsigned count)
{
	r->left = count;
	run_next(r);
	for (count += r->ended; r->ended < count && r->broken == 0;)
		event_base_loop(r->bench->loop.base, EVLOOP_ONCE);
}

START_TEST(a_kept_link_costs_a_write_and_a_read)
{
	struct bench b;
	struct runner r = {.bench = &b};

	ck_assert_ptr_nonnull(__sanitizer_install_malloc_and_free_hooks);
	ck_assert_int_ne(
	    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free), 0);
	open_all(&b);
	run_all(&r, 10);
	warm_up(&b);
	run_all(&r, ROUNDS);
	calls.on = false;
	ck_assert_uint_eq(allocations, 0);
	ck_assert_uint_eq(r.ended, 10 + ROUNDS);
	/* looked at once: all the others are kept in the same wakeup */
	expect_calls(ROUNDS, ROUNDS, 1, 0);
	free(malloc(1));
	ck_assert_uint_gt(allocations, 0);
	close_all(&b);
}
END_TEST

START_TEST(a_head_and_what_there_is_of_its_body_are_one_write)
{
	static const struct {
		enum body_kind kind;
		uint64_t size;
		unsigned writes;
	} rows[] = {{BODY_LENGTH, 1, 1}, {BODY_LENGTH, 1000, 1},
	    {BODY_LENGTH, 20000, 1}, {BODY_LENGTH, FAKE_BLOCK, 1},
	    {BODY_CHUNKED, 0, 1}, {BODY_CHUNKED, 900, 1},
	    /* the last chunk follows when it is known to be the last */
	    {BODY_CHUNKED, 20000, 2}};
	struct bench b;
	struct errand e;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_all(&b);
		warm_up(&b);
		open_kept(&e, &b);
		start_and_feed(&e, "/0", rows[i].kind, rows[i].size);
		expect_calls(0, rows[i].writes, 1, 0);
		errand_run(&e);
		ck_assert_str_eq(e.events, "ready 200 end");
		expect_calls(1, rows[i].writes, 1, 0);
		close_all(&b);
	}
}
END_TEST

/* In one step of the owner's. */
START_TEST(small_pieces_are_one_write)
{
	struct bench b;
	struct errand e;

	for (int kind = BODY_LENGTH; kind <= BODY_CHUNKED; kind++) {
		open_all(&b);
		warm_up(&b);
		open_kept(&e, &b);
		e.morsel = 10;
		start_and_feed(&e, "/0", (enum body_kind)kind, 400);
		expect_calls(0, 1, 1, 0);
		errand_run(&e);
		ck_assert_str_eq(e.events, "ready 200 end");
		close_all(&b);
	}
}
END_TEST

/* The body that comes with the poll after ready is in time, on a new link
 * too; but the head does not wait for more than that. */
START_TEST(a_head_waits_one_poll_for_its_body)
{
	struct slice piece = {fake_block, 5000};
	struct bench b;
	struct errand e;

	for (int i = 0; i < 4; i++) {
		open_all(&b);
		if (i % 2 == 0)
			warm_up(&b);
		calls.on = true;
		open_kept(&e, &b);
		start(&e, "/0", BODY_LENGTH, 5000);
		while (e.readies == 0)
			bench_turn(&b, EVLOOP_ONCE);
		ck_assert_uint_eq(calls.count[WRITE], 0);
		if (i < 2)
			errand_feed(&e, piece, 5000);
		bench_idle(&b);
		ck_assert_uint_eq(calls.count[WRITE], 1);
		if (i >= 2)
			errand_feed(&e, piece, 5000);
		errand_run(&e);
		ck_assert_str_eq(e.events, "ready 200 end");
		ck_assert_uint_eq(calls.count[WRITE], i < 2 ? 1 : 2);
		close_all(&b);
	}
}
END_TEST

/* ---- faults ---- */

struct exchange_row {
	const char *target;
	enum body_kind kind;
	uint64_t size;
	const char *fields;
};

static const struct exchange_row rows[] = {
    {"/0", BODY_NONE, 0, "Target=/0;Size=0;Content-Length=0;"},
    {"/5", BODY_LENGTH, 3, "Target=/5;Size=3;Content-Length=5;"},
    {"/20001", BODY_CHUNKED, 2500,
	"Target=/20001;Size=2500;Content-Length=20001;"},
    {"/3", BODY_LENGTH, 66001, "Target=/3;Size=66001;Content-Length=3;"},
    {"/2", BODY_CHUNKED, 1, "Target=/2;Size=1;Content-Length=2;"},
    {"/1", BODY_NONE, 0, "Target=/1;Size=0;Content-Length=1;"},
};
#define EXCHANGES (sizeof(rows) / sizeof(rows[0]))

static bool
ended_well(const struct errand *e, const struct exchange_row *row)
{
	return strcmp(e->fields, row->fields) == 0 &&
	       e->body_len == strtoul(row->target + 1, NULL, 10) &&
	       strcmp(e->events, e->body_len > 0 ? "ready 103 200 body end"
						 : "ready 200 end") == 0;
}

/* Each exchange gets its own answer or none. Returns how many got none. */
static unsigned
run_exchanges(struct bench *b, size_t appetite)
{
	unsigned broken = 0;
	struct errand e;

	for (size_t i = 0; i < EXCHANGES; i++) {
		open_kept(&e, b);
		e.appetite = appetite;
		start_and_feed(&e, rows[i].target, rows[i].kind, rows[i].size);
		errand_run(&e);
		if (ended_well(&e, &rows[i]))
			continue;
		broken++;
		ck_assert_msg(strcmp(strrchr(e.events, ' ') == NULL
					 ? e.events
					 : strrchr(e.events, ' ') + 1,
				  "broken") == 0,
		    "%s: %s %s", rows[i].target, e.events, e.fields);
		ck_assert(e.broken.why == REASON_UPSTREAM_CLOSED ||
			  e.broken.why == REASON_UPSTREAM_TRUNCATED);
	}
	return broken;
}

static void
expect_fault(enum call call, enum fault fault, unsigned nth, bool each)
{
	struct bench b;
	unsigned broken;

	open_all(&b);
	calls.on = true;
	calls.which = call;
	calls.fault = fault;
	calls.nth = nth;
	calls.each = each;
	broken = run_exchanges(&b, nth % 2 == 0 ? 0 : 4096);
	if (fault == RESET && call != PEEK)
		ck_assert_uint_le(broken, 1);
	else
		ck_assert_uint_eq(broken, 0);
	if (broken == 0)
		ck_assert_uint_ge(server.served, EXCHANGES);
	close_all(&b);
}

/* READ and WRITE, each fault, each call in turn until there is none. */
START_TEST(every_call_may_do_less_or_fail)
{
	unsigned nth;

	for (int call = READ; call <= PEEK; call++) {
		for (int fault = ONE_BYTE; fault < FAULTS; fault++) {
			nth = 0;
			do {
				expect_fault((enum call)call, (enum fault)fault,
				    nth, false);
				nth++;
			} while (calls.hit);
			ck_assert_uint_ge(nth, EXCHANGES);
		}
	}
}
END_TEST

/* All of them; EAGAIN each second time, as level-triggered events go. */
START_TEST(all_calls_may_do_less)
{
	for (int call = READ; call <= WRITE; call++) {
		expect_fault((enum call)call, ONE_BYTE, 0, true);
		expect_fault((enum call)call, AGAIN, 0, true);
		expect_fault((enum call)call, AGAIN, 1, true);
	}
}
END_TEST

static void
say_now(const char *text)
{
	for (int i = 0; i < PEERS; i++)
		if (server.peers[i].fd >= 0)
			send_all(&server.peers[i], text, strlen(text), 0);
}

/* The answer comes before the request's end, in two parts; between them a write
 * fails, and nothing but what is there can come any more. */
static void
expect_after_failure(const char *rest, const char *wanted, uint64_t body_len)
{
	struct bench b;
	struct errand e;

	open_all(&b);
	warm_up(&b);
	open_kept(&e, &b);
	e.pause_at = "head";
	start(&e, "/0", BODY_CHUNKED, 0);
	bench_idle(&b);
	say_now("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n0000");
	errand_run_to(&e, "ready 200");
	calls.which = WRITE;
	calls.fault = RESET;
	calls.nth = calls.count[WRITE];
	ck_assert_uint_eq(
	    errand_give(&e, (struct slice){fake_block, FAKE_BLOCK}),
	    FAKE_BLOCK);
	ck_assert(calls.hit);
	ck_assert_uint_eq(errand_give(&e, SLICE("abc")), 3);
	errand_end(&e);
	say_now(rest);
	bench_idle(&b);
	ck_assert_str_eq(e.events, "ready 200");
	errand_resume(&e);
	errand_run(&e);
	ck_assert_str_eq(e.events, wanted);
	ck_assert_uint_eq(e.body_len, body_len);
	ck_assert_ptr_null(
	    links_take(&b.links, &b.server.addr, NULL, UINT32_MAX));
	close_all(&b);
}

START_TEST(after_a_write_that_fails_the_answer_is_what_is_there)
{
	expect_after_failure("00000", "ready 200 body end", 9);
	expect_after_failure("00", "ready 200 body broken", 6);
	expect_after_failure("", "ready 200 body broken", 4);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("transport_calls");
	TCase *tcase = tcase_create("transport_calls");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, a_kept_link_costs_a_write_and_a_read);
	tcase_add_test(
	    tcase, a_head_and_what_there_is_of_its_body_are_one_write);
	tcase_add_test(tcase, small_pieces_are_one_write);
	tcase_add_test(tcase, a_head_waits_one_poll_for_its_body);
	tcase_add_test(tcase, every_call_may_do_less_or_fail);
	tcase_add_test(tcase, all_calls_may_do_less);
	tcase_add_test(
	    tcase, after_a_write_that_fails_the_answer_is_what_is_there);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
