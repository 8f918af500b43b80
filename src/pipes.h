/* SPDX-License-Identifier: ISC */
/* pipes: a worker's pipes, in which bytes go from socket to socket without
 * being copied (splice(2)). */
#ifndef PIPES_H
#define PIPES_H

#include <stddef.h>
#include <sys/queue.h>

struct pipe {
	int to, from; /* written to; read from */
	size_t held;  /* bytes inside */
	SLIST_ENTRY(pipe) entry;
};

/* Kept open while nobody uses them; in use at once. Each is two descriptors. */
#define PIPES_IDLE_MAX 16
#define PIPES_USED_MAX 256

struct pipes {
	SLIST_HEAD(, pipe) idle;
	unsigned idle_count, used;
};
void pipes_init(struct pipes *pipes);
/* An empty one, non-blocking; NULL: as many are in use as may be, or the system
 * has none. */
struct pipe *pipes_get(struct pipes *pipes);
/* One that holds bytes is closed, and they are gone. NULL is fine. */
void pipes_put(struct pipes *pipes, struct pipe *pipe);
void pipes_done(struct pipes *pipes); /* none may be in use */

#endif
