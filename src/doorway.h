/* SPDX-License-Identifier: ISC */
/* doorway: where a connection waits until its PROXY header has come. What is
 * behind the header stays in the socket: who takes the connection over reads
 * the first byte of its TLS or HTTP. One worker's.
 *
 *   accepted --(all of a header is there)---------------> enter
 *       \-> WAITING --(readable: the rest of it)--------> enter
 *               \----(no header; head_timeout; stop)----> closed
 */
#ifndef DOORWAY_H
#define DOORWAY_H

#include <sys/queue.h>

#include "config.h"
#include "loop.h"
#include "reason.h"

/* Reasons that are told in the log: PROXY_UNTRUSTED and those behind it. */
#define DOORWAY_REASONS 3u
#define DOORWAY_TOLD_MS 1000u /* one line of each in this time */

/* What becomes of connections. door: as in doorway_open. */
struct doorway_owner {
	/* The callee owns fd. peer: as the header says, or of the socket where
	 * that leaves it open. */
	void (*enter)(void *arg, int fd, const struct addr *peer, void *door);
	/* It has ended here; NONE: it has just gone again. */
	void (*closed)(void *arg, void *door, enum reason why);
	void *arg;
};

struct doorway {
	struct loop *loop;
	struct doorway_owner owner;
	bool draining;	  /* nobody waits any more */
	unsigned waiting; /* the owner bounds it: they are connections */
	LIST_HEAD(, caller) all;
	struct pool pool;
	struct doorway_told {
		uint64_t next;	 /* ms: when the next line may come */
		uint64_t untold; /* since the last */
	} told[DOORWAY_REASONS];
};

void doorway_init(
    struct doorway *doorway, struct loop *loop, struct doorway_owner owner);
/* Takes fd (non-blocking), and calls enter or closed, now or later: door is
 * borrowed until then, gate for the call. A peer that is no trusted proxy is
 * closed unheard. */
void doorway_open(struct doorway *doorway, const struct gate_config *gate,
    int fd, const struct addr *peer, void *door);
/* At one door, who has no header yet is closed. */
void doorway_leave(struct doorway *doorway, const void *door);
/* At all doors, and from here on. */
void doorway_drain(struct doorway *doorway);
/* All who wait are closed. */
void doorway_done(struct doorway *doorway);

#endif
