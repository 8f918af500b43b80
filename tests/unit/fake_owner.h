/* SPDX-License-Identifier: ISC */
/* fake_owner: who serves exchanges of a struct client in place of the gate. It
 * takes the request's body one byte a step, gives the response's one byte a
 * step, and writes down what it is told. */
#ifndef FAKE_OWNER_H
#define FAKE_OWNER_H

#include <sys/queue.h>

#include "client.h"
#include "loop.h"
#include "mem.h"

#define FAKE_OWNER_LOG 65536

/* How an exchange is answered. Zero but for status: the body is read, then a
 * response without one is given. */
struct fake_manner {
	int status;	       /* 0: never answered */
	struct body_plan plan; /* of the response */
	size_t size;	       /* bytes of its body, a pattern of letters */
	bool interim;	       /* a 103 first */
	bool early;	       /* answers in open; the body is not asked for */
	bool late;	       /* answers when the test says fake_owner_go */
	bool deaf;	       /* takes no body until fake_owner_go */
	bool greedy;	       /* whole pieces at a time, both ways */
	bool close;	       /* as of the command head */
	size_t burst;	    /* then one byte for each fake_owner_go; 0: all */
	size_t abort_after; /* aborts with so many bytes sent; 0: never */
};

struct fake_owner {
	struct loop *loop; /* borrowed: outlives it */
	struct fake_manner manner;
	LIST_HEAD(, fake_visit) visits;
	/* what was seen */
	unsigned opened, bodies, complete, aborted, live;
	unsigned breaks, refusals, ready;
	enum reason why;    /* of the latest open that had one */
	enum reason broken; /* the latest */
	size_t body_len;    /* bytes of all bodies */
	size_t sent;	    /* bytes of all responses' bodies */
	/* "GET /a;POST /b abc;": method, target and body, in order */
	char log[FAKE_OWNER_LOG];
	size_t log_len;
};

/* For struct client: arg is the struct fake_owner. */
extern const struct client_events fake_owner_events;

void fake_owner_init(struct fake_owner *owner, struct loop *loop);
/* Late exchanges answer, deaf ones hear, those past their burst go on. */
void fake_owner_go(struct fake_owner *owner);
/* The byte at place i of every response's body. */
char fake_owner_byte(size_t i);

#endif
