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

#define RESTING_MAX 256

struct link_server {
	LIST_ENTRY(link_server) entry;
	TAILQ_ENTRY(link_server) rest; /* while it has no links */
	struct addr addr;
	uint64_t tls; /* the target's id; 0: no TLS */
	struct tls_return back;
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
	TAILQ_INIT(&links->resting);
	links->resting_count = 0;
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

static void
forget_server(struct links *links, struct link_server *server)
{
	tls_return_forget(&server->back);
	LIST_REMOVE(server, entry);
	pool_put(&links->server_pool, server);
}

static void
stop_resting(struct links *links, struct link_server *server)
{
	TAILQ_REMOVE(&links->resting, server, rest);
	links->resting_count--;
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
	}
	while ((server = TAILQ_FIRST(&links->resting)) != NULL) {
		stop_resting(links, server);
		forget_server(links, server);
	}
	for (unsigned i = 0; i < LINKS_BUCKETS; i++)
		assert(LIST_EMPTY(&links->servers[i]));
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

static uint64_t
id_of(const struct tls_target *tls)
{
	return tls != NULL ? tls->id : 0;
}

static struct link_server *
find_server(const struct links *links, const struct addr *addr, uint64_t tls)
{
	struct link_server *server =
	    LIST_FIRST(&links->servers[bucket_of(addr)]);

	while (server != NULL &&
	       (server->tls != tls || !addr_eq(&server->addr, addr)))
		server = LIST_NEXT(server, entry);
	return server;
}

static struct link_server *
join_server(struct links *links, const struct addr *addr, uint64_t tls)
{
	struct link_server *server = find_server(links, addr, tls);

	if (server != NULL && server->links == 0)
		stop_resting(links, server);
	if (server == NULL) {
		server = pool_get(&links->server_pool);
		*server = (struct link_server){.addr = *addr, .tls = tls};
		TAILQ_INIT(&server->idle);
		LIST_INSERT_HEAD(
		    &links->servers[bucket_of(addr)], server, entry);
	}
	server->links++;
	return server;
}

/* Links go when servers close them; a session is good for much longer. */
static void
leave_server(struct links *links, struct link_server *server)
{
	struct link_server *oldest;

	if (--server->links > 0)
		return;
	if (server->back.session == NULL) {
		forget_server(links, server);
		return;
	}
	TAILQ_INSERT_TAIL(&links->resting, server, rest);
	if (++links->resting_count <= RESTING_MAX)
		return;
	oldest = TAILQ_FIRST(&links->resting);
	stop_resting(links, oldest);
	forget_server(links, oldest);
}

struct link_server *
links_visit(
    struct links *links, const struct addr *addr, const struct tls_target *tls)
{
	return join_server(links, addr, tls->id);
}

struct tls_return *
link_session(struct link_server *server)
{
	return &server->back;
}

void
links_return(struct links *links, struct link_server *server)
{
	leave_server(links, server);
}

/* ---- idle links ---- */

static void
on_idle_readable(struct wire *wire)
{
	/* Closed, or bytes that nobody asked for: both end it. */
	if (!wire_is_quiet(wire))
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

struct link *
links_take(struct links *links, const struct addr *addr,
    const struct tls_target *tls, uint32_t max_idle)
{
	struct link_server *server = find_server(links, addr, id_of(tls));
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
			wire_is_quiet(&link->wire))) {
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
links_open(
    struct links *links, const struct addr *addr, const struct tls_target *tls)
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
	*link = (struct link){
	    .links = links, .server = join_server(links, addr, id_of(tls))};
	link->timer.fn = on_idle_timer;
	wire_open(&link->wire, links->loop, fd, &idle_events);
	if (link->server->tls != 0)
		wire_connect_tls(
		    &link->wire, links->loop, tls, &link->server->back);
	return link;
}

enum reason
link_failure(const struct link *link)
{
	int error = wire_error(&link->wire);

	if (error == 0)
		return REASON_NONE;
	return error == EPROTO ? REASON_UPSTREAM_TLS : REASON_UPSTREAM_REFUSED;
}

void
links_close(struct link *link)
{
	struct links *links = link->links;

	if (link->idle)
		leave_idle(link);
	wire_close(&link->wire);
	leave_server(links, link->server);
	pool_put(&links->pool, link);
}
