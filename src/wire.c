/* SPDX-License-Identifier: ISC */
/* wire: a non-blocking stream of bytes over a connected socket. */
#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"
#include "log.h"
#include "addr.h"
#include "pipes.h"
#include "tls.h"

/* TLS around a wire. */
struct sheath {
	struct tls *tls;
	struct loop *loop;
	struct wire *wire;
	struct step step; /* bytes that no event will tell of */
	bool connecting;  /* hands are shaken without the owner */
	bool owner_waits; /* the write event is the owner's */
	bool read_waits;  /* reading goes on when the socket takes bytes */
	bool fin_waits;	  /* a farewell likewise */
	bool cut;
	struct slice first; /* malloced; what goes out before TLS begins */
	int error;	    /* of a wire that connects */
};

static void watch(struct wire *wire, enum wire_watch kind);
static void wait_for_write(struct wire *wire);
static void go_on(struct wire *wire);
static void go_on_writing(struct wire *wire);
static ssize_t read_sheathed(struct wire *wire, void *to, size_t size);
static void tell_more(struct wire *wire);
static bool say_farewell(struct wire *wire);
static void unsheathe(struct wire *wire);

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct wire *wire = arg;

	(void)fd;
	(void)what;
	if (wire->sheath != NULL && wire->sheath->connecting)
		go_on(wire);
	else
		wire->events->readable(wire);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct wire *wire = arg;

	(void)fd;
	(void)what;
	if (wire->sheath != NULL) {
		go_on_writing(wire);
		return;
	}
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
	wire->sheath = NULL;
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

	if (wire->sheath != NULL)
		return read_sheathed(wire, to, size);
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

	if (wire->sheath != NULL) {
		n = tls_write(wire->sheath->tls, iov, count);
		return n >= 0 ? n : WIRE_FAILED;
	}
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

	assert(wire_can_move(to) && (from == NULL || wire_can_move(from)));
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
	if (wire->sheath != NULL)
		tell_more(wire);
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

static void
wait_for_write(struct wire *wire)
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

static void
wait_no_more(struct wire *wire)
{
	if (wire->write_event == NULL)
		return;
	event_free(wire->write_event);
	wire->write_event = NULL;
}

void
wire_write_on(struct wire *wire)
{
	if (wire->sheath != NULL)
		wire->sheath->owner_waits = true;
	wait_for_write(wire);
}

void
wire_write_off(struct wire *wire)
{
	struct sheath *sheath = wire->sheath;

	if (sheath != NULL)
		sheath->owner_waits = false;
	if (sheath == NULL || (!sheath->read_waits && !sheath->fin_waits))
		wait_no_more(wire);
}

void
wire_shutdown(struct wire *wire)
{
	if (wire->sheath == NULL || say_farewell(wire))
		shutdown(wire->fd, SHUT_WR);
}

static void
end(struct wire *wire)
{
	watch(wire, WIRE_QUIET);
	wait_no_more(wire);
	unsheathe(wire);
	close(wire->fd);
	wire->fd = -1;
}

void
wire_close(struct wire *wire)
{
	if (wire->fd < 0)
		return;
	if (wire->sheath != NULL)
		(void)tls_farewell(wire->sheath->tls);
	end(wire);
}

void
wire_reset(struct wire *wire)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	if (wire->fd < 0)
		return;
	setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	end(wire);
}

/* ---- TLS ---- */

static void
on_step(struct step *step)
{
	struct wire *wire =
	    ((struct sheath *)((char *)step - offsetof(struct sheath, step)))
		->wire;

	if (wire->watch == WIRE_READING)
		wire->events->readable(wire);
}

static void
sheathe(struct wire *wire, struct loop *loop, struct tls *tls)
{
	struct sheath *sheath = mem_alloc(sizeof(*sheath));

	assert(wire->sheath == NULL && wire->watch == WIRE_QUIET);
	*sheath = (struct sheath){.tls = tls, .loop = loop, .wire = wire};
	sheath->step.fn = on_step;
	wire->sheath = sheath;
}

static void
unsheathe(struct wire *wire)
{
	struct sheath *sheath = wire->sheath;

	if (sheath == NULL)
		return;
	loop_defer_cancel(sheath->loop, &sheath->step);
	free((char *)sheath->first.at);
	tls_free(sheath->tls);
	free(sheath);
	wire->sheath = NULL;
}

void
wire_accept_tls(struct wire *wire, struct loop *loop, struct tls_door *door)
{
	sheathe(wire, loop, tls_accept(door, wire->fd));
}

void
wire_connect_tls(struct wire *wire, struct loop *loop,
    const struct tls_target *target, struct tls_return *back)
{
	sheathe(wire, loop, tls_connect(target, wire->fd, back));
	wire->sheath->connecting = true;
}

void
wire_say_first(struct wire *wire, struct slice bytes)
{
	assert(wire->sheath->connecting && wire->sheath->first.at == NULL);
	wire->sheath->first = (struct slice){mem_strndup(bytes), bytes.len};
}

struct tls *
wire_tls(const struct wire *wire)
{
	return wire->sheath != NULL ? wire->sheath->tls : NULL;
}

bool
wire_is_opening(const struct wire *wire)
{
	return wire->sheath != NULL && !tls_is_open(wire->sheath->tls);
}

bool
wire_is_cut(const struct wire *wire)
{
	return wire->sheath != NULL && wire->sheath->cut;
}

int
wire_error(const struct wire *wire)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (wire->sheath != NULL && wire->sheath->error != 0)
		return wire->sheath->error;
	if (getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		return errno;
	return error;
}

bool
wire_is_quiet(struct wire *wire)
{
	char byte;
	bool quiet = recv(wire->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
		     (errno == EAGAIN || errno == EWOULDBLOCK);

	if (wire->sheath == NULL || (quiet && !tls_has_more(wire->sheath->tls)))
		return quiet;
	/* tickets may have come, which are nothing to read */
	return wire_read(wire, &byte, 1) == WIRE_AGAIN;
}

static void
tell_failure(const struct wire *wire)
{
	struct addr peer = {.len = sizeof(peer.sa)};

	if (getpeername(wire->fd, (struct sockaddr *)&peer.sa, &peer.len) != 0)
		peer.len = 0; /* it has gone already */
	tls_tell_server(
	    wire->sheath->loop, &peer, tls_words(wire->sheath->tls));
}

/* More is there, and the socket will not say so. */
static void
tell_more(struct wire *wire)
{
	if (wire->watch == WIRE_READING && tls_has_more(wire->sheath->tls))
		loop_defer(wire->sheath->loop, &wire->sheath->step);
}

/* What a read that ended the stream means. */
static ssize_t
judge_end(struct wire *wire, ssize_t n)
{
	struct sheath *sheath = wire->sheath;

	switch (n) {
	case TLS_PLAIN:
		unsheathe(wire);
		return WIRE_PLAIN;
	case TLS_CUT:
		sheath->cut = true;
		break;
	case 0:
		break;
	default:
		return WIRE_FAILED;
	}
	if (wire->watch == WIRE_WATCHING && is_broken(wire->fd))
		return WIRE_FAILED;
	return 0;
}

static ssize_t
read_sheathed(struct wire *wire, void *to, size_t size)
{
	struct sheath *sheath = wire->sheath;
	ssize_t n = tls_read(sheath->tls, to, size);

	if (n > 0) {
		tell_more(wire);
		return n;
	}
	if (n == TLS_WAITS_WRITE) {
		sheath->read_waits = true;
		wait_for_write(wire);
	}
	if (n == TLS_WAITS_WRITE || n == TLS_WAITS_READ)
		return WIRE_AGAIN;
	return judge_end(wire, n);
}

/* 0, or the errno. A new socket has room for all of it. */
static int
say_first(struct wire *wire)
{
	struct slice *first = &wire->sheath->first;
	ssize_t n;

	if (first->len == 0)
		return 0;
	n = send(wire->fd, first->at, first->len, MSG_NOSIGNAL);
	if (n != (ssize_t)first->len)
		return n < 0 ? errno : ENOBUFS;
	first->len = 0;
	return 0;
}

/* Shakes hands for a wire that connects, and tells the owner when that is
 * over. */
static void
go_on(struct wire *wire)
{
	struct sheath *sheath = wire->sheath;
	int n;

	if (!tls_has_spoken(sheath->tls))
		sheath->error = wire_error(wire);
	if (sheath->error == 0)
		sheath->error = say_first(wire);
	n = sheath->error != 0 ? TLS_FAILED : tls_shake(sheath->tls);
	watch(wire, n == TLS_WAITS_READ ? WIRE_READING : WIRE_QUIET);
	if (n == TLS_WAITS_WRITE)
		wait_for_write(wire);
	if (n == TLS_WAITS_READ || n == TLS_WAITS_WRITE)
		return;
	sheath->connecting = false;
	if (n != 1 && sheath->error == 0) {
		sheath->error = EPROTO;
		tell_failure(wire);
	}
	wire->events->writable(wire);
}

/* True when nothing waits any more that comes before a FIN. */
static bool
say_farewell(struct wire *wire)
{
	bool waits = tls_farewell(wire->sheath->tls) == TLS_WAITS_WRITE;

	wire->sheath->fin_waits = waits;
	if (waits)
		wait_for_write(wire);
	return !waits;
}

/* The socket takes bytes again. */
static void
go_on_writing(struct wire *wire)
{
	struct sheath *sheath = wire->sheath;
	bool owner = sheath->owner_waits;

	wait_no_more(wire);
	if (sheath->connecting) {
		go_on(wire);
		return;
	}
	if (sheath->fin_waits && say_farewell(wire))
		shutdown(wire->fd, SHUT_WR);
	if (sheath->read_waits && wire->watch == WIRE_READING)
		loop_defer(sheath->loop, &sheath->step);
	sheath->read_waits = sheath->owner_waits = false;
	if (owner)
		wire->events->writable(wire);
}
