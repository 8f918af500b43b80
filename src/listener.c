/* SPDX-License-Identifier: ISC */
/* listener: one listening socket of one worker. */
#include "listener.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
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
	struct pace told; /* of pauses */
	int fd;
	struct listener_owner owner;
};

static void
set(int fd, int level, int option, int value)
{
	/* each of these is a refinement: without it the socket still serves */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

static_assert(LISTEN_PATH_MAX + sizeof(".4194304") <=
		  sizeof(((struct sockaddr_un *)NULL)->sun_path),
    "a path has room for the process id");

static const char *
path_of(const struct addr *addr)
{
	return ((const struct sockaddr_un *)&addr->sa)->sun_path;
}

/* What a connection there meets: ECONNREFUSED when nobody serves it, EADDRINUSE
 * when somebody does, anything else when that can't be told. */
static int
knock(const struct addr *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return errno;
	error = connect(fd, (const struct sockaddr *)&addr->sa, addr->len) == 0
		    ? EADDRINUSE
		    : errno;
	close(fd);
	return error == EAGAIN ? EADDRINUSE : error;
}

/* 0 when nothing is there, or a socket that nobody serves; else -1 with errno.
 */
static int
check_path(const struct addr *addr)
{
	struct stat there;
	int error;

	if (lstat(path_of(addr), &there) != 0)
		return errno == ENOENT ? 0 : -1;
	error = S_ISSOCK(there.st_mode) ? knock(addr) : EEXIST;
	errno = error;
	return error == ECONNREFUSED ? 0 : -1;
}

/* A name beside the file that no other process uses, and nothing there. */
static int
name_draft(const struct addr *addr, struct addr *draft)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&draft->sa;
	size_t size = sizeof(un->sun_path);

	*draft = (struct addr){.len = sizeof(*un)};
	un->sun_family = AF_UNIX;
	if ((size_t)snprintf(un->sun_path, size, "%s.%d", path_of(addr),
		(int)getpid()) >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (check_path(draft) != 0)
		return -1;
	return unlink(un->sun_path) == 0 || errno == ENOENT ? 0 : -1;
}

/* Giving a file away takes a right that the gate mostly has not, so that it is
 * last, and only where it was asked for. */
static int
give(const char *path, const struct listen_file *want)
{
	if (chmod(path, want->mode) != 0)
		return -1;
	if (want->uid == (uid_t)-1 && want->gid == (gid_t)-1)
		return 0;
	return lchown(path, want->uid, want->gid);
}

/* The file comes under a name of its own and gets the right one when it has its
 * owner and mode and listens: who finds it finds it served, and one that it
 * replaces is there until then, so that they are never taken for one another.
 */
static int
open_file(
    int fd, const struct listen_config *config, struct listener_file *file)
{
	struct addr draft;
	const char *path = path_of(&draft);
	struct stat made;
	mode_t before;
	int error;

	if (name_draft(&config->addr, &draft) != 0)
		return -1;
	before = umask(0177);
	error = bind(fd, (const struct sockaddr *)&draft.sa, draft.len);
	umask(before);
	if (error != 0)
		return -1;
	if (give(path, &config->file_options) == 0 &&
	    listen(fd, BACKLOG) == 0 && lstat(path, &made) == 0 &&
	    check_path(&config->addr) == 0 &&
	    rename(path, path_of(&config->addr)) == 0) {
		*file = (struct listener_file){made.st_dev, made.st_ino};
		return 0;
	}
	error = errno;
	(void)unlink(path);
	errno = error;
	return -1;
}

static int
bind_port(int fd, const struct listen_config *config, int shares)
{
	const struct addr *addr = &config->addr;

	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set(fd, SOL_SOCKET, SO_REUSEPORT, shares);
	if (addr->sa.ss_family == AF_INET6)
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY,
		    slice_starts(config->text, SLICE("[")));
	set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* accepted ones inherit it */
	set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 128 * 1024);
	return bind(fd, (const struct sockaddr *)&addr->sa, addr->len);
}

/* Beside a listener of ours that is about to close: it has the port. */
static int
open_beside(int *fds, unsigned count, const struct listen_config *config)
{
	for (unsigned i = 0; i < count; i++)
		if (bind_port(fds[i], config, 1) != 0 ||
		    listen(fds[i], BACKLOG) != 0)
			return -1;
	return 0;
}

/* SO_REUSEPORT would let any other gate of the same user in as well. So the
 * first socket is without it when it is bound, and again when it begins to
 * listen, of which the kernel allows only one on a port; in between and
 * afterwards it has it, for the others. */
static int
open_ports(int *fds, unsigned count, const struct listen_config *config)
{
	unsigned i;

	if (bind_port(fds[0], config, 0) != 0)
		return -1;
	set(fds[0], SOL_SOCKET, SO_REUSEPORT, 1);
	for (i = 1; i < count; i++)
		if (bind_port(fds[i], config, 1) != 0)
			return -1;
	set(fds[0], SOL_SOCKET, SO_REUSEPORT, 0);
	if (listen(fds[0], BACKLOG) != 0)
		return -1;
	set(fds[0], SOL_SOCKET, SO_REUSEPORT, 1);
	for (i = 1; i < count; i++)
		if (listen(fds[i], BACKLOG) != 0)
			return -1;
	return 0;
}

static void
close_all(const int *fds, unsigned count)
{
	int error = errno;

	while (count-- > 0)
		close(fds[count]);
	errno = error;
}

static bool
make_sockets(int family, int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		fds[i] = socket(
		    family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fds[i] >= 0)
			continue;
		close_all(fds, i);
		return false;
	}
	return true;
}

bool
listener_bind_all(const struct listen_config *config, int *fds, unsigned count,
    struct listener_file *file)
{
	int family = config->addr.sa.ss_family;

	assert(count == 1 || family != AF_UNIX);
	*file = (struct listener_file){.inode = 0};
	if (!make_sockets(family, fds, count))
		return false;
	if ((family == AF_UNIX ? open_file(fds[0], config, file)
			       : open_ports(fds, count, config)) == 0)
		return true;
	close_all(fds, count);
	return false;
}

bool
listener_bind_beside(
    const struct listen_config *config, int *fds, unsigned count)
{
	if (!make_sockets(config->addr.sa.ss_family, fds, count))
		return false;
	if (open_beside(fds, count, config) == 0)
		return true;
	close_all(fds, count);
	return false;
}

int
listener_bind(const struct listen_config *config, struct listener_file *file)
{
	int fd;

	return listener_bind_all(config, &fd, 1, file) ? fd : -1;
}

const char *
listener_error(const struct listen_config *config, int error)
{
	if (config->addr.sa.ss_family == AF_UNIX && error == EADDRINUSE)
		return "another process serves it";
	if (config->addr.sa.ss_family == AF_UNIX && error == EEXIST)
		return "a file is there that is no socket";
	return strerrordesc_np(error);
}

/* Whether the file is the one that was made. */
static bool
is_ours(const struct listen_config *config, const struct listener_file *file)
{
	struct stat there;

	return file->inode != 0 && lstat(path_of(&config->addr), &there) == 0 &&
	       there.st_dev == file->device && there.st_ino == file->inode;
}

/* "The gate's own" undoes what another owner was before. */
static struct listen_file
undone(const struct listen_file *before, const struct listen_file *want)
{
	struct listen_file file = *want;

	if (want->uid == (uid_t)-1 && before->uid != (uid_t)-1)
		file.uid = geteuid();
	if (want->gid == (gid_t)-1 && before->gid != (gid_t)-1)
		file.gid = getegid();
	return file;
}

bool
listener_change(const struct listen_config *config,
    const struct listener_file *file, const struct listen_file *before)
{
	struct listen_file want = undone(before, &config->file_options);

	if (is_ours(config, file))
		return give(path_of(&config->addr), &want) == 0;
	errno = ENOENT;
	return false;
}

void
listener_remove(
    const struct listen_config *config, const struct listener_file *file)
{
	if (is_ours(config, file))
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
		listener->owner.accept(listener->owner.arg, client, &peer);
	}
	return i;
}

static void
tell_pause(struct listener *listener, int error)
{
	unsigned untold;

	if (pace_allows(&listener->told, &untold))
		log_warn("accepting pauses error=%s untold=%u",
		    strerrordesc_np(error), untold);
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
	tell_pause(listener, errno);
	if (listener->owner.paused != NULL)
		listener->owner.paused(listener->owner.arg);
	event_del(&listener->event);
	loop_timer_start(listener->loop, &listener->pause, PAUSE_MS);
}

struct listener *
listener_new(struct loop *loop, int fd, struct listener_owner owner)
{
	struct listener *listener = mem_alloc(sizeof(*listener));

	listener->loop = loop;
	listener->fd = fd;
	listener->owner = owner;
	listener->pause.fn = on_pause_over;
	event_assign(&listener->event, loop->base, fd, EV_READ | EV_PERSIST,
	    on_acceptable, listener);
	event_add(&listener->event, NULL);
	return listener;
}

void
listener_resume(struct listener *listener)
{
	if (listener->pause.queue == NULL)
		return;
	loop_timer_stop(listener->loop, &listener->pause);
	event_add(&listener->event, NULL);
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
