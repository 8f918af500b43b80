/* SPDX-License-Identifier: ISC */
/* Links: which of the kept ones is taken, and when one is not kept. */
#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_clock.h"
#include "fake_server.h"
#include "links.h"

#define LONG 60000 /* ms */
#define TICK 500   /* ms: the loop's timers fire a quarter of a second late */
#define PEERS 8

/* Links on a loop, and who accepts them. */
struct ground {
	struct loop loop;
	struct links links;
	struct addr addr;
	int listening;
	int peers[PEERS]; /* in the order of the links that were opened */
	unsigned count;
	unsigned descriptors; /* open before there was a link */
	char folder[32];      /* of a unix socket, else empty */
};

static unsigned writables;

static void
on_readable(struct wire *wire)
{
	ck_abort_msg("a link of somebody is readable: %d", wire->fd);
}

static void
on_writable(struct wire *wire)
{
	(void)wire;
	writables++;
}

static const struct wire_events events = {on_readable, on_writable};

static void
open_ground(struct ground *f, const char *address)
{
	ck_assert(addr_parse(slice_of(address), &f->addr));
	f->listening =
	    socket(f->addr.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(f->listening, 0);
	ck_assert_int_eq(
	    bind(f->listening, (struct sockaddr *)&f->addr.sa, f->addr.len), 0);
	ck_assert_int_eq(listen(f->listening, PEERS), 0);
	f->addr.len = sizeof(f->addr.sa);
	ck_assert_int_eq(getsockname(f->listening,
			     (struct sockaddr *)&f->addr.sa, &f->addr.len),
	    0);
	loop_init(&f->loop);
	links_init(&f->links, &f->loop);
	f->descriptors = fake_descriptors();
}

static void
open_tcp(struct ground *f)
{
	memset(f, 0, sizeof(*f));
	open_ground(f, "127.0.0.1:0");
}

static void
open_unix(struct ground *f)
{
	char address[64];

	memset(f, 0, sizeof(*f));
	strcpy(f->folder, "/tmp/links.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f->folder));
	snprintf(address, sizeof(address), "unix:%s/a", f->folder);
	open_ground(f, address);
}

static void
open_any(struct ground *f, int kind)
{
	if (kind == 0)
		open_tcp(f);
	else
		open_unix(f);
}

static void
idle(struct ground *f)
{
	for (int i = 0; i < 10; i++)
		event_base_loop(f->loop.base, EVLOOP_NONBLOCK);
}

static void
close_ground(struct ground *f)
{
	char path[64];

	links_done(&f->links);
	loop_done(&f->loop);
	for (unsigned i = 0; i < f->count; i++)
		close(f->peers[i]);
	close(f->listening);
	if (f->folder[0] == '\0')
		return;
	snprintf(path, sizeof(path), "%s/a", f->folder);
	unlink(path);
	rmdir(f->folder);
}

static struct link *
open_link(struct ground *f)
{
	struct link *link = links_open(&f->links, &f->addr, NULL);
	unsigned before = writables;

	ck_assert_ptr_nonnull(link);
	ck_assert(!link->reused);
	link->wire.events = &events;
	wire_write_on(&link->wire);
	while (writables == before)
		event_base_loop(f->loop.base, EVLOOP_ONCE);
	ck_assert_int_eq(link_failure(link), REASON_NONE);
	ck_assert_uint_lt(f->count, PEERS);
	f->peers[f->count] = accept(f->listening, NULL, NULL);
	ck_assert_int_ge(f->peers[f->count], 0);
	f->count++;
	return link;
}

static void
keep(struct link *link)
{
	links_keep(link, PEERS, LONG, UINT32_MAX);
}

static struct link *
take(struct ground *f)
{
	return links_take(&f->links, &f->addr, NULL, LONG);
}

/* Links that are open, those that are kept included. */
static unsigned
count_open(const struct ground *f)
{
	return fake_descriptors() - f->descriptors - f->count;
}

START_TEST(the_latest_link_is_taken_first)
{
	struct ground f;
	struct link *links[3];

	open_any(&f, _i);
	ck_assert_ptr_null(take(&f));
	for (int i = 0; i < 3; i++)
		links[i] = open_link(&f);
	keep(links[1]);
	keep(links[0]);
	keep(links[2]);
	ck_assert_ptr_eq(take(&f), links[2]);
	ck_assert(links[2]->reused);
	ck_assert_ptr_eq(take(&f), links[0]);
	keep(links[2]);
	ck_assert_ptr_eq(take(&f), links[2]);
	ck_assert_ptr_eq(take(&f), links[1]);
	ck_assert_ptr_null(take(&f));
	ck_assert_uint_eq(count_open(&f), 3);
	for (int i = 0; i < 3; i++)
		links_close(links[i]);
	ck_assert_uint_eq(count_open(&f), 0);
	close_ground(&f);
}
END_TEST

START_TEST(each_address_has_links_of_its_own)
{
	struct ground f, g;
	struct addr other = {.len = 0};
	struct link *link;

	open_tcp(&f);
	open_unix(&g);
	link = open_link(&f);
	keep(link);
	other = f.addr;
	((struct sockaddr_in *)&other.sa)->sin_port ^= 0x0100;
	ck_assert_ptr_null(links_take(&f.links, &other, NULL, LONG));
	ck_assert_ptr_null(links_take(&f.links, &g.addr, NULL, LONG));
	ck_assert_ptr_eq(take(&f), link);
	links_close(link);
	close_ground(&g);
	close_ground(&f);
}
END_TEST

/* Linux gives the path with or without its NUL. */
START_TEST(a_unix_socket_is_one_address_however_long)
{
	struct ground f;
	struct link *link;
	struct addr same;

	open_unix(&f);
	link = open_link(&f);
	keep(link);
	same = f.addr;
	same.len--;
	ck_assert_ptr_eq(links_take(&f.links, &same, NULL, LONG), link);
	links_close(link);
	close_ground(&f);
}
END_TEST

START_TEST(the_oldest_go_when_there_are_too_many)
{
	struct ground f;
	struct link *links[4];

	open_tcp(&f);
	for (int i = 0; i < 4; i++)
		links[i] = open_link(&f);
	for (int i = 0; i < 3; i++)
		links_keep(links[i], 2, LONG, UINT32_MAX);
	ck_assert_uint_eq(count_open(&f), 3);
	/* a new configuration may allow fewer */
	links_keep(links[3], 1, LONG, UINT32_MAX);
	ck_assert_uint_eq(count_open(&f), 1);
	ck_assert_ptr_eq(take(&f), links[3]);
	ck_assert_ptr_null(take(&f));
	links_keep(links[3], 0, LONG, UINT32_MAX);
	ck_assert_uint_eq(count_open(&f), 0);
	links_keep(open_link(&f), 1, 0, UINT32_MAX);
	links_keep(open_link(&f), 1, LONG, 0);
	ck_assert_uint_eq(count_open(&f), 0);
	close_ground(&f);
}
END_TEST

enum { FIN, RST, BYTE, FIN_AFTER_BYTE, SPOILS };

static void
spoil(int *peer, int how)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	if (how == BYTE || how == FIN_AFTER_BYTE)
		ck_assert_int_eq(send(*peer, "H", 1, MSG_NOSIGNAL), 1);
	if (how == FIN || how == FIN_AFTER_BYTE)
		shutdown(*peer, SHUT_WR);
	if (how == RST)
		setsockopt(*peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	if (how == RST)
		dup2(STDIN_FILENO, *peer);
}

/* The loop has not told of it yet; an older one may do. */
START_TEST(a_link_that_is_not_quiet_is_not_taken)
{
	for (int how = 0; how < SPOILS; how++) {
		struct ground f;
		struct link *older;

		open_any(&f, _i);
		older = open_link(&f);
		keep(older);
		keep(open_link(&f));
		spoil(&f.peers[1], how);
		ck_assert_uint_eq(count_open(&f), 2);
		ck_assert_ptr_eq(take(&f), older);
		ck_assert_uint_eq(count_open(&f), 1);
		keep(older);
		spoil(&f.peers[0], how);
		ck_assert_ptr_null(take(&f));
		ck_assert_uint_eq(count_open(&f), 0);
		close_ground(&f);
	}
}
END_TEST

START_TEST(the_loop_closes_a_link_at_once_when_anything_comes)
{
	for (int how = 0; how < SPOILS; how++) {
		struct ground f;
		struct link *other;

		open_any(&f, _i);
		keep(open_link(&f));
		other = open_link(&f);
		keep(other);
		idle(&f);
		ck_assert_uint_eq(count_open(&f), 2);
		spoil(&f.peers[0], how);
		idle(&f);
		ck_assert_uint_eq(count_open(&f), 1);
		ck_assert_ptr_eq(take(&f), other);
		links_close(other);
		close_ground(&f);
	}
}
END_TEST

START_TEST(a_link_is_idle_only_so_long)
{
	struct ground f;
	struct link *link;

	open_tcp(&f);
	link = open_link(&f);
	links_keep(link, PEERS, 4000, UINT32_MAX);
	fake_clock_advance(3000);
	idle(&f);
	ck_assert_ptr_eq(take(&f), link);
	/* taken, it has no timer */
	fake_clock_advance(LONG);
	idle(&f);
	ck_assert_uint_eq(count_open(&f), 1);
	links_keep(link, PEERS, 4000, UINT32_MAX);
	/* not taken any more also before the timer's tick */
	fake_clock_advance(4000);
	ck_assert_ptr_null(take(&f));
	ck_assert_uint_eq(count_open(&f), 0);
	links_keep(open_link(&f), PEERS, 4000, UINT32_MAX);
	fake_clock_advance(4000 + TICK);
	for (int i = 0; i < 1000 && count_open(&f) > 0; i++)
		event_base_loop(f.loop.base, EVLOOP_ONCE);
	ck_assert_uint_eq(count_open(&f), 0);
	close_ground(&f);
}
END_TEST

START_TEST(what_the_server_says_only_shortens_that)
{
	struct ground f;
	struct link *older, *link;

	open_tcp(&f);
	older = open_link(&f);
	link = open_link(&f);
	links_keep(older, PEERS, LONG, UINT32_MAX);
	links_keep(link, PEERS, LONG, 4000);
	fake_clock_advance(3900);
	ck_assert_ptr_eq(take(&f), link);
	links_keep(link, PEERS, LONG, 4000);
	fake_clock_advance(4000);
	ck_assert_ptr_eq(take(&f), older);
	ck_assert_uint_eq(count_open(&f), 1);
	links_keep(older, PEERS, 4000, UINT32_MAX);
	fake_clock_advance(4000);
	ck_assert_ptr_null(take(&f));
	close_ground(&f);
}
END_TEST

START_TEST(who_wants_a_fresh_one_says_so)
{
	struct ground f;
	struct link *link;

	open_tcp(&f);
	link = open_link(&f);
	keep(link);
	ck_assert_ptr_null(links_take(&f.links, &f.addr, NULL, 0));
	fake_clock_advance(1000);
	ck_assert_ptr_null(links_take(&f.links, &f.addr, NULL, 900));
	ck_assert_uint_eq(count_open(&f), 1);
	ck_assert_ptr_eq(links_take(&f.links, &f.addr, NULL, 2000), link);
	links_close(link);
	close_ground(&f);
}
END_TEST

START_TEST(a_connect_that_fails_is_told_when_it_is_writable)
{
	struct ground f;
	struct addr nobody = fake_server_nobody();
	unsigned before = writables;
	struct link *link;

	open_tcp(&f);
	link = links_open(&f.links, &nobody, NULL);
	ck_assert_ptr_nonnull(link);
	link->wire.events = &events;
	wire_write_on(&link->wire);
	ck_assert_uint_eq(writables, before);
	while (writables == before)
		event_base_loop(f.loop.base, EVLOOP_ONCE);
	ck_assert_int_eq(link_failure(link), REASON_UPSTREAM_REFUSED);
	links_close(link);
	close_ground(&f);
}
END_TEST

START_TEST(a_connect_that_cannot_begin_is_no_link)
{
	struct ground f;
	struct addr nobody;

	open_tcp(&f);
	ck_assert(addr_parse(SLICE("unix:/nonexistent/a"), &nobody));
	ck_assert_ptr_null(links_open(&f.links, &nobody, NULL));
	ck_assert_int_eq(errno, ENOENT);
	nobody = (struct addr){.len = 0};
	ck_assert_ptr_null(links_open(&f.links, &nobody, NULL));
	ck_assert_uint_eq(count_open(&f), 0);
	close_ground(&f);
}
END_TEST

/* What is there for a server goes with its last link. */
START_TEST(nothing_grows_with_the_addresses_that_were_used)
{
	struct ground f;
	struct link *link;
	size_t before = 0;

	open_tcp(&f);
	for (unsigned i = 0; i < 1000; i++) {
		struct sockaddr_in *in = (struct sockaddr_in *)&f.addr.sa;

		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK + i);
		link = links_open(&f.links, &f.addr, NULL);
		ck_assert_ptr_nonnull(link);
		/* refused by now, so that it is closed, or about to be */
		if (i % 2 == 0)
			keep(link);
		if (i % 2 != 0 ||
		    links_take(&f.links, &f.addr, NULL, LONG) == link)
			links_close(link);
		if (i == 10)
			before = fake_allocated();
	}
	ck_assert_uint_le(fake_allocated(), before);
	close_ground(&f);
}
END_TEST

static void
add_cases(TCase *tcase)
{
	tcase_add_loop_test(tcase, the_latest_link_is_taken_first, 0, 2);
	tcase_add_test(tcase, each_address_has_links_of_its_own);
	tcase_add_test(tcase, a_unix_socket_is_one_address_however_long);
	tcase_add_test(tcase, the_oldest_go_when_there_are_too_many);
	tcase_add_loop_test(tcase, a_link_that_is_not_quiet_is_not_taken, 0, 2);
	tcase_add_loop_test(
	    tcase, the_loop_closes_a_link_at_once_when_anything_comes, 0, 2);
	tcase_add_test(tcase, a_link_is_idle_only_so_long);
	tcase_add_test(tcase, what_the_server_says_only_shortens_that);
	tcase_add_test(tcase, who_wants_a_fresh_one_says_so);
	tcase_add_test(tcase, a_connect_that_fails_is_told_when_it_is_writable);
	tcase_add_test(tcase, a_connect_that_cannot_begin_is_no_link);
	tcase_add_test(tcase, nothing_grows_with_the_addresses_that_were_used);
}

int
main(void)
{
	Suite *suite = suite_create("links");
	TCase *tcase = tcase_create("links");
	SRunner *runner;
	int failed;

	add_cases(tcase);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
