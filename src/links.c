/* SPDX-License-Identifier: ISC */
/* links: connections to servers, kept between exchanges. A server has a struct
 * as long as it has a link. */
#include "links.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEEP_BLOCKS 256
/* Unsent bytes that the kernel takes of one link: its share stays bounded, and
 * a server that reads slowly is felt. Less costs uploads wakeups: with 128 KB
 * 8 MB take 1.4 times the CPU. Clients, who are many, have that. */
#define UNSENT_MAX (1024 * 1024)

struct link_server {
	LIST_ENTRY(link_server) entry;
	struct addr addr;
	TAILQ_HEAD(link_list, link) idle; /* the latest first */
	unsigned idle_count, links;
};

static void on_idle_readable(struct wire *wire);
static const struct wire_events idle_events = {.readable = on_idle_readable};

void
links_init(struct links *links, struct loop *loop)
{
	links->loop = loop;
	pool_init(&links->pool, sizeof(struct link), KEEP_BLOCKS);
	pool_init(&links->server_pool, sizeof(struct link_server), KEEP_BLOCKS);
	links->natives = (struct pool){.size = 0};
	for (unsigned i = 0; i < LINKS_BUCKETS; i++)
		LIST_INIT(&links->servers[i]);
}

static void
close_idle(struct link_server *server)
{
	struct link *link = TAILQ_FIRST(&server->idle), *next;

	for (; link != NULL; link = next) {
		next = TAILQ_NEXT(link, entry);
		links_close(link);
	}
}

void
links_done(struct links *links)
{
	struct link_server *server, *next;

	for (unsigned i = 0; i < LINKS_BUCKETS; i++) {
		server = LIST_FIRST(&links->servers[i]);
		for (; server != NULL; server = next) {
			next = LIST_NEXT(server, entry);
			close_idle(server);
		}
		assert(LIST_EMPTY(&links->servers[i]));
	}
	pool_done(&links->pool);
	pool_done(&links->server_pool);
	pool_done(&links->natives);
}

/* ---- servers ---- */

/* FNV-1a. Zeros do not count: a path may come with its NUL or without. */
static unsigned
bucket_of(const struct addr *addr)
{
	const unsigned char *bytes = (const unsigned char *)&addr->sa;
	uint32_t sum = 2166136261u;

	for (socklen_t i = 0; i < addr->len; i++)
		if (bytes[i] != 0)
			sum = (sum ^ bytes[i]) * 16777619u;
	return sum % LINKS_BUCKETS;
}

static struct link_server *
find_server(const struct links *links, const struct addr *addr)
{
	struct link_server *server =
	    LIST_FIRST(&links->servers[bucket_of(addr)]);

	while (server != NULL && !addr_eq(&server->addr, addr))
		server = LIST_NEXT(server, entry);
	return server;
}

static struct link_server *
join_server(struct links *links, const struct addr *addr)
{
	struct link_server *server = find_server(links, addr);

	if (server == NULL) {
		server = pool_get(&links->server_pool);
		*server = (struct link_server){.addr = *addr};
		TAILQ_INIT(&server->idle);
		LIST_INSERT_HEAD(
		    &links->servers[bucket_of(addr)], server, entry);
	}
	server->links++;
	return server;
}

static void
leave_server(struct link *link)
{
	struct link_server *server = link->server;

	if (--server->links > 0)
		return;
	LIST_REMOVE(server, entry);
	pool_put(&link->links->server_pool, server);
}

/* ---- idle links ---- */

static void
on_idle_readable(struct wire *wire)
{
	/* Closed, or bytes that nobody asked for: both end it. */
	links_close((struct link *)wire);
}

static void
on_idle_timer(struct timer *timer)
{
	links_close(
	    (struct link *)((char *)timer - offsetof(struct link, timer)));
}

static void
leave_idle(struct link *link)
{
	TAILQ_REMOVE(&link->server->idle, link, entry);
	link->server->idle_count--;
	link->idle = false;
	loop_timer_stop(link->links->loop, &link->timer);
}

/* Nothing to read and not closed: it can carry a request. */
static bool
is_quiet(const struct link *link)
{
	char byte;

	return recv(link->wire.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       (errno == EAGAIN || errno == EWOULDBLOCK);
}

struct link *
links_take(struct links *links, const struct addr *addr, uint32_t max_idle)
{
	struct link_server *server = find_server(links, addr);
	struct link *link, *next;
	uint64_t now = loop_now(), wakeup = loop_wakeup(links->loop);

	if (server == NULL)
		return NULL;
	/* A closed one may be the server's last, which is then gone too. */
	for (link = TAILQ_FIRST(&server->idle); link != NULL; link = next) {
		next = TAILQ_NEXT(link, entry);
		if (now - link->idle_since >= max_idle)
			return NULL;
		if (now < link->idle_until &&
		    ((max_idle == UINT32_MAX && link->kept == wakeup) ||
			is_quiet(link))) {
			leave_idle(link);
			link->reused = true;
			return link;
		}
		links_close(link);
	}
	return NULL;
}

void
links_keep(struct link *link, unsigned max, uint32_t ms, uint32_t hint)
{
	struct link_server *server = link->server;

	assert(!link->idle && link->wire.write_event == NULL);
	if (max == 0 || ms == 0 || hint == 0) {
		links_close(link);
		return;
	}
	while (server->idle_count >= max)
		links_close(TAILQ_LAST(&server->idle, link_list));
	link->user = NULL;
	link->wire.events = &idle_events;
	link->kept = loop_wakeup(link->links->loop);
	link->idle_since = loop_now();
	link->idle_until = link->idle_since + (hint < ms ? hint : ms);
	TAILQ_INSERT_HEAD(&server->idle, link, entry);
	server->idle_count++;
	link->idle = true;
	wire_read_on(&link->wire);
	/* Not the hint: servers could take all spans that the loop has. */
	loop_timer_start(link->links->loop, &link->timer, ms);
}

/* ---- new ones ---- */

static int
open_socket(const struct addr *addr)
{
	int family = addr->sa.ss_family, one = 1, unsent = UNSENT_MAX;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || family == AF_UNIX)
		return fd;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(
	    fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	return fd;
}

struct link *
links_open(struct links *links, const struct addr *addr)
{
	int fd = open_socket(addr), error;
	struct link *link;

	if (fd < 0)
		return NULL;
	if (connect(fd, (const struct sockaddr *)&addr->sa, addr->len) != 0 &&
	    errno != EINPROGRESS) {
		error = errno;
		close(fd);
		errno = error;
		return NULL;
	}
	link = pool_get(&links->pool);
	*link =
	    (struct link){.links = links, .server = join_server(links, addr)};
	link->timer.fn = on_idle_timer;
	wire_open(&link->wire, links->loop, fd, &idle_events);
	return link;
}

int
link_error(const struct link *link)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(link->wire.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		return errno;
	return error;
}

void
links_close(struct link *link)
{
	struct links *links = link->links;

	if (link->idle)
		leave_idle(link);
	wire_close(&link->wire);
	leave_server(link);
	pool_put(&links->pool, link);
}
