/* SPDX-License-Identifier: ISC */
/* wire: a non-blocking stream of bytes over a connected socket. */
#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"
#include "log.h"
#include "pipes.h"

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct wire *wire = arg;

	(void)fd;
	(void)what;
	wire->events->readable(wire);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct wire *wire = arg;

	(void)fd;
	(void)what;
	wire_write_off(wire);
	wire->events->writable(wire);
}

void
wire_open(struct wire *wire, struct loop *loop, int fd,
    const struct wire_events *events)
{
	wire->fd = fd;
	wire->events = events;
	wire->write_event = NULL;
	wire->watch = WIRE_QUIET;
	event_assign(&wire->read_event, loop->base, fd, EV_READ | EV_PERSIST,
	    on_readable, wire);
}

/* Once Linux has read a FIN it goes on reading 0, also after a reset: that one
 * then stands only here. */
static bool
is_broken(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 ||
	       error != 0;
}

ssize_t
wire_read(struct wire *wire, void *to, size_t size)
{
	ssize_t n;

	do
		n = recv(wire->fd, to, size, 0);
	while (n < 0 && errno == EINTR);
	if (n == 0 && wire->watch == WIRE_WATCHING && is_broken(wire->fd))
		return WIRE_FAILED;
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EWOULDBLOCK ? WIRE_AGAIN
						       : WIRE_FAILED;
}

/* One piece alone is the usual case, and cheaper to hand over. */
static ssize_t
put(int fd, const struct iovec *iov, int count)
{
	struct msghdr message = {
	    .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};

	if (count == 1)
		return send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

ssize_t
wire_write(struct wire *wire, const struct iovec *iov, int count)
{
	ssize_t n;

	do
		n = put(wire->fd, iov, count);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : WIRE_FAILED;
}

/* Takes n written bytes off what waits and then off the pieces, and keeps what
 * is left of the pieces. */
static void
keep_rest(struct buffer *out, size_t n, const struct slice *pieces, int count)
{
	size_t waiting = buffer_len(out);
	size_t taken = n < waiting ? n : waiting;

	buffer_consume(out, taken);
	n -= taken;
	for (int i = 0; i < count; i++) {
		taken = n < pieces[i].len ? n : pieces[i].len;
		n -= taken;
		buffer_append(out, (struct slice){pieces[i].at + taken,
				       pieces[i].len - taken});
	}
}

ssize_t
wire_send(struct wire *wire, struct buffer *out, const struct slice *pieces,
    int count)
{
	struct slice waiting = buffer_slice(out);
	struct iovec iov[WIRE_PIECES + 1];
	ssize_t wrote = 0;
	int parts = 0;

	assert(count <= WIRE_PIECES);
	if (waiting.len > 0)
		iov[parts++] = (struct iovec){(void *)waiting.at, waiting.len};
	for (int i = 0; i < count; i++)
		iov[parts++] =
		    (struct iovec){(void *)pieces[i].at, pieces[i].len};
	if (wire->write_event == NULL && parts > 0)
		wrote = wire_write(wire, iov, parts);
	if (wrote == WIRE_FAILED) {
		buffer_release(out);
		return WIRE_FAILED;
	}
	keep_rest(out, (size_t)wrote, pieces, count);
	if (buffer_len(out) > 0)
		wire_write_on(wire);
	return wrote;
}

static ssize_t
move(int from, int to, size_t count)
{
	ssize_t n;

	do
		n = splice(from, NULL, to, NULL, count,
		    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	return n;
}

ssize_t
wire_move(struct wire *from, struct wire *to, struct pipe *pipe, size_t max)
{
	ssize_t n;

	if (from != NULL && pipe->held == 0) {
		n = move(from->fd, pipe->to, max);
		pipe->held = n > 0 ? (size_t)n : 0;
	}
	if (pipe->held == 0)
		return 0;
	n = move(pipe->from, to->fd, pipe->held);
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		return WIRE_FAILED;
	n = n > 0 ? n : 0;
	pipe->held -= (size_t)n;
	return n;
}

/* libevent refuses level and edge triggered events on one descriptor, so the
 * read event is assigned anew whenever the kind of watch changes. */
static void
watch(struct wire *wire, enum wire_watch kind)
{
	struct event_base *base = event_get_base(&wire->read_event);
	short what = EV_READ | EV_PERSIST;

	if (wire->watch == kind)
		return;
	if (wire->watch != WIRE_QUIET)
		event_del(&wire->read_event);
	wire->watch = kind;
	if (kind == WIRE_QUIET)
		return;
	if (kind == WIRE_WATCHING)
		what |= EV_ET;
	if (event_get_events(&wire->read_event) != what)
		event_assign(
		    &wire->read_event, base, wire->fd, what, on_readable, wire);
	event_add(&wire->read_event, NULL);
}

void
wire_read_on(struct wire *wire)
{
	watch(wire, WIRE_READING);
}

void
wire_read_off(struct wire *wire)
{
	watch(wire, WIRE_QUIET);
}

void
wire_watch_reset(struct wire *wire)
{
	/* a blocked write hears of the reset by itself */
	watch(wire, wire->write_event != NULL ? WIRE_QUIET : WIRE_WATCHING);
}

void
wire_write_on(struct wire *wire)
{
	if (wire->write_event != NULL)
		return;
	if (wire->watch == WIRE_WATCHING)
		watch(wire, WIRE_QUIET);
	wire->write_event = event_new(event_get_base(&wire->read_event),
	    wire->fd, EV_WRITE, on_writable, wire);
	if (wire->write_event == NULL || event_add(wire->write_event, NULL))
		log_fatal("no memory for an event");
}

void
wire_write_off(struct wire *wire)
{
	if (wire->write_event == NULL)
		return;
	event_free(wire->write_event);
	wire->write_event = NULL;
}

void
wire_shutdown(struct wire *wire)
{
	shutdown(wire->fd, SHUT_WR);
}

void
wire_close(struct wire *wire)
{
	if (wire->fd < 0)
		return;
	watch(wire, WIRE_QUIET);
	wire_write_off(wire);
	close(wire->fd);
	wire->fd = -1;
}

void
wire_reset(struct wire *wire)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	if (wire->fd >= 0)
		setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	wire_close(wire);
}
