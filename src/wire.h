/* SPDX-License-Identifier: ISC */
/* wire: a non-blocking stream of bytes over a connected socket. It hides what
 * lies under it: TLS, where there is any. Direct read and write; the write
 * event exists only while something waits for the socket. */
#ifndef WIRE_H
#define WIRE_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "mem.h"

struct loop;
struct pipe;
struct sheath; /* TLS around a wire; private */
struct tls;
struct tls_door;
struct tls_return;
struct tls_target;
struct wire;

struct wire_events {
	void (*readable)(struct wire *wire);
	void (*writable)(struct wire *wire);
};

/* How often bytes are moved before others get their turn. */
#define WIRE_MOVES 4
/* What became of bytes that were moved to a wire: all have gone on, some wait,
 * or it takes no more. */
enum wire_moved { MOVED_ALL, MOVED_WAITS, MOVED_FAILED };

/* PLAIN: no TLS comes where it should, but letters; without it from here on. */
enum { WIRE_AGAIN = -1, WIRE_FAILED = -2, WIRE_PLAIN = -3 };

struct wire {
	struct event read_event;
	struct event *write_event; /* NULL unless a write is blocked */
	const struct wire_events *events;
	struct sheath *sheath; /* NULL: no TLS */
	int fd;
	enum wire_watch { WIRE_QUIET, WIRE_READING, WIRE_WATCHING } watch;
};

/* Takes the descriptor (non-blocking). Nothing is watched yet. */
void wire_open(struct wire *wire, struct loop *loop, int fd,
    const struct wire_events *events);
/* TLS from here on, before a byte is read; what is asked for by wire_read waits
 * for the handshake. */
void wire_accept_tls(
    struct wire *wire, struct loop *loop, struct tls_door *door);
/* The same for one that connects: writable, once asked for, comes when hands
 * are shaken, or when that or the connection has failed (wire_error). */
void wire_connect_tls(struct wire *wire, struct loop *loop,
    const struct tls_target *target, struct tls_return *back);
/* Bytes that go out before TLS begins; copied. */
void wire_say_first(struct wire *wire, struct slice bytes);
/* A handshake is not over. */
bool wire_is_opening(const struct wire *wire);
/* Of a wire that connects: 0, or the errno; EPROTO: TLS has failed. */
int wire_error(const struct wire *wire);
/* Who is there, as TLS knows; NULL: no TLS. */
struct tls *wire_tls(const struct wire *wire);
/* > 0 bytes read; 0 the peer has sent its FIN, or TLS's farewell; WIRE_AGAIN;
 * WIRE_FAILED; WIRE_PLAIN. */
ssize_t wire_read(struct wire *wire, void *to, size_t size);
/* That FIN came without TLS's farewell: it may be somebody else's. */
bool wire_is_cut(const struct wire *wire);
/* Nothing to read, and neither closed nor broken (one MSG_PEEK). If not,
 * a byte may be gone. */
bool wire_is_quiet(struct wire *wire);
/* Bytes taken (0: blocked), or WIRE_FAILED. */
ssize_t wire_write(struct wire *wire, const struct iovec *iov, int count);
#define WIRE_PIECES 3
/* Writes what waits in `out`, then the pieces (at most WIRE_PIECES), in one
 * call; what is not taken waits in `out`, and writable comes. Nothing is tried
 * while a write is blocked. Bytes taken, or WIRE_FAILED: `out` is dropped. */
ssize_t wire_send(struct wire *wire, struct buffer *out,
    const struct slice *pieces, int count);
/* Whether bytes can be moved to and from it: not with TLS. */
static inline bool
wire_can_move(const struct wire *wire)
{
	return wire->sheath == NULL;
}
/* Moves up to max bytes, at most what the pipe takes, from one wire to another
 * without copying. from NULL: just what the pipe holds. Returns the bytes that
 * left the pipe, or WIRE_FAILED where `to` is broken. What came in and could
 * not go on is pipe->held: nothing new is taken before that is gone. How from
 * ended is for wire_read to tell. */
ssize_t wire_move(
    struct wire *from, struct wire *to, struct pipe *pipe, size_t max);
/* readable comes while there is something to read (or FIN, or failure). */
void wire_read_on(struct wire *wire);
void wire_read_off(struct wire *wire);
/* After a FIN: readable comes once when the connection breaks (RST); read then
 * gives WIRE_FAILED; a 0 is the FIN again. */
void wire_watch_reset(struct wire *wire);
/* writable comes once, as soon as some bytes would be taken. */
void wire_write_on(struct wire *wire);
void wire_write_off(struct wire *wire);
void wire_shutdown(struct wire *wire); /* TLS's farewell, FIN */
void wire_close(struct wire *wire);    /* orderly */
void wire_reset(struct wire *wire);    /* RST: the peer sees a broken stream */

#endif
