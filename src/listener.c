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
#include <sys/stat.h>
#include <sys/un.h>
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

static const char *
path_of(const struct addr *addr)
{
	return ((const struct sockaddr_un *)&addr->sa)->sun_path;
}

/* Whether somebody takes connections there. */
static bool
is_served(const struct addr *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool served;

	if (fd < 0)
		return true;
	served =
	    connect(fd, (const struct sockaddr *)&addr->sa, addr->len) == 0 ||
	    errno != ECONNREFUSED;
	close(fd);
	return served;
}

/* 0, or -1 with errno: what is there stays. */
static int
clear_path(const struct addr *addr)
{
	struct stat there;

	if (lstat(path_of(addr), &there) != 0)
		return errno == ENOENT ? 0 : -1;
	errno = S_ISSOCK(there.st_mode) ? EADDRINUSE : EEXIST;
	if (!S_ISSOCK(there.st_mode) || is_served(addr)) {
		errno = S_ISSOCK(there.st_mode) ? EADDRINUSE : EEXIST;
		return -1;
	}
	return unlink(path_of(addr));
}

/* The file is nobody else's until it has its owner and mode, and nobody is
 * taken in before listen. */
static int
bind_file(
    int fd, const struct listen_config *config, struct listener_file *file)
{
	const struct addr *addr = &config->addr;
	const struct listen_file *want = &config->file_options;
	const char *path = path_of(addr);
	struct stat made;
	mode_t before;
	int rc;

	if (clear_path(addr) != 0)
		return -1;
	before = umask(0177);
	rc = bind(fd, (const struct sockaddr *)&addr->sa, addr->len);
	umask(before);
	if (rc != 0 || lstat(path, &made) != 0)
		return -1;
	*file = (struct listener_file){made.st_dev, made.st_ino};
	if (lchown(path, want->uid, want->gid) != 0)
		return -1;
	return chmod(path, want->mode);
}

static int
bind_port(int fd, const struct listen_config *config)
{
	const struct addr *addr = &config->addr;

	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (addr->sa.ss_family == AF_INET6)
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY,
		    slice_starts(config->text, SLICE("[")));
	set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* accepted ones inherit it */
	set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 128 * 1024);
	return bind(fd, (const struct sockaddr *)&addr->sa, addr->len);
}

int
listener_bind(const struct listen_config *config, struct listener_file *file)
{
	int family = config->addr.sa.ss_family, error;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*file = (struct listener_file){.inode = 0};
	if (fd < 0)
		return -1;
	if ((family == AF_UNIX ? bind_file(fd, config, file)
			       : bind_port(fd, config)) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	close(fd);
	listener_remove(config, file);
	errno = error;
	return -1;
}

void
listener_remove(
    const struct listen_config *config, const struct listener_file *file)
{
	struct stat there;

	if (file->inode == 0 || lstat(path_of(&config->addr), &there) != 0 ||
	    there.st_dev != file->device || there.st_ino != file->inode)
		return;
	(void)unlink(path_of(&config->addr));
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
