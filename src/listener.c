/* SPDX-License-Identifier: ISC */
/* listener: one listening socket of one worker. */
#include "listener.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

#define BACKLOG 4096
#define BATCH 64 /* accepted per wakeup; then the others get their turn */
#define PAUSE_MS 1000

struct listener {
	struct event event;
	struct loop *loop;
	struct timer pause;
	int fd;
	const struct hosts *door; /* borrowed: the worker's configuration */
	struct listener_owner owner;
};

static void
set(int fd, int level, int option, int value)
{
	/* each of these is a refinement: without it the socket still serves */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

int
listener_bind(const struct listen_config *listen_config)
{
	const struct addr *addr = &listen_config->addr;
	int family = addr->sa.ss_family, error;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (family == AF_INET6)
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY,
		    slice_starts(listen_config->text, SLICE("[")));
	set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* accepted ones inherit it */
	set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 128 * 1024);
	if (bind(fd, (const struct sockaddr *)&addr->sa, addr->len) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static void
on_pause_over(struct timer *timer)
{
	struct listener *listener =
	    (struct listener *)((char *)timer -
				offsetof(struct listener, pause));

	event_add(&listener->event, NULL);
}

/* How many connections were taken, up to most. */
static int
take(struct listener *listener, int most)
{
	struct addr peer;
	int i, client;

	for (i = 0; i < most; i++) {
		peer.len = sizeof(peer.sa);
		client = accept4(listener->fd, (struct sockaddr *)&peer.sa,
		    &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (client < 0)
			break;
		listener->owner.accept(
		    listener->owner.arg, client, &peer, listener->door);
	}
	return i;
}

static void
on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;
	int i;

	(void)fd;
	(void)what;
	i = take(listener, BATCH);
	if (i == BATCH || errno == EAGAIN || errno == ECONNABORTED ||
	    errno == EINTR)
		return;
	log_warn("accepting pauses for a second error=%s", strerror(errno));
	event_del(&listener->event);
	loop_timer_start(listener->loop, &listener->pause, PAUSE_MS);
}

struct listener *
listener_new(struct loop *loop, int fd, const struct hosts *door,
    struct listener_owner owner)
{
	struct listener *listener = mem_alloc(sizeof(*listener));

	listener->loop = loop;
	listener->fd = fd;
	listener->door = door;
	listener->owner = owner;
	listener->pause.fn = on_pause_over;
	event_assign(&listener->event, loop->base, fd, EV_READ | EV_PERSIST,
	    on_acceptable, listener);
	event_add(&listener->event, NULL);
	return listener;
}

/* What the kernel has taken already is served: a close would reset it. */
void
listener_drain(struct listener *listener)
{
	(void)take(listener, BACKLOG);
}

void
listener_free(struct listener *listener)
{
	if (listener == NULL)
		return;
	event_del(&listener->event);
	loop_timer_stop(listener->loop, &listener->pause);
	close(listener->fd);
	free(listener);
}
