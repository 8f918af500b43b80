/* SPDX-License-Identifier: ISC */
/* fake_client: a struct client without a connection. It gives a request's body
 * one byte a step, takes the response's one byte for each ready, writes down
 * what it is told, and asserts that its owner keeps the rules of client.h. */
#ifndef FAKE_CLIENT_H
#define FAKE_CLIENT_H

#include "client.h"
#include "loop.h"

#define FAKE_CLIENT_TEXT 8192

struct fake_client {
	struct client client; /* first */
	struct loop *loop;    /* borrowed: outlives it */
	struct step step;
	struct addr peer;
	/* how it behaves: set by the test */
	bool full;   /* takes nothing, until fake_client_take */
	bool greedy; /* takes whole pieces */
	/* the request */
	struct slice upload; /* borrowed: the test's; what is still to give */
	uint64_t body_left;  /* of the plan */
	bool waits;	     /* for want_body */
	bool refused;	     /* ready is owed */
	unsigned room;	     /* bytes that the next body takes */
	/* what it was told */
	unsigned interims, wants, pauses;
	int status; /* 0: no head yet */
	struct body_plan plan;
	char head[FAKE_CLIENT_TEXT]; /* as h1_head_write gives it;
					NUL-terminated */
	char body[FAKE_CLIENT_TEXT];
	size_t body_len;
	char trailers[FAKE_CLIENT_TEXT];
	bool close, paused, shut, ended, aborted;
	enum reason why; /* of the abort */
};

/* events, arg and door as in struct client. */
void fake_client_init(struct fake_client *fake, struct loop *loop,
    const struct client_events *events, void *arg, const struct door *door);
/* A request's head as on the wire, read as client_h1 would. Of body (borrowed),
 * as many bytes are given as there are, whatever length the head says. */
void fake_client_open(
    struct fake_client *fake, const char *head, const char *body);
/* More of the body. */
void fake_client_give(struct fake_client *fake, const char *body);
void fake_client_break(struct fake_client *fake, enum reason why);
/* No longer full. */
void fake_client_take(struct fake_client *fake);
/* The last command has come. */
bool fake_client_over(const struct fake_client *fake);
void fake_client_done(struct fake_client *fake);

#endif
