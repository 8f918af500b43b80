/* SPDX-License-Identifier: ISC */
/* client_h1: an HTTP/1.1 connection from a client: heads read, bodies decoded,
 * responses framed, one exchange after the other, in step or closed. */
#ifndef CLIENT_H1_H
#define CLIENT_H1_H

#include <sys/queue.h>

#include "client.h"
#include "config.h"
#include "loop.h"

/* What the connections of one listener's worker share. */
struct client_h1_env {
	struct loop *loop;
	struct gate_config gate; /* limits and timeouts; replaced on reload */
	const struct client_events *events;
	void *arg;     /* of events->open */
	bool draining; /* idle connections close, others after their answer */
	unsigned live; /* connections open */
	LIST_HEAD(, client_h1) all;
	struct pool pool, turns; /* turns: of connections that are not idle */
	struct field *fields; /* gate.head_fields of them: for one head read */
	/* A connection of the door ended; why tells when no exchange could. The
	 * door may go then. NULL is fine. */
	void (*closed)(void *arg, struct door *door, const struct addr *peer,
	    enum reason why);
};

/* gate is copied. */
void client_h1_env_init(struct client_h1_env *env, struct loop *loop,
    const struct gate_config *gate);
/* Other limits and timeouts; what waits already waits by the old ones. Not
 * within an event. */
void client_h1_set(struct client_h1_env *env, const struct gate_config *gate);
/* Idle connections are closed at once; the others after their exchange. */
void client_h1_drain(struct client_h1_env *env);
/* The door is gone: its idle connections are closed, the others after their
 * exchange; who has not asked anything yet may do so once. */
void client_h1_leave(struct client_h1_env *env, const struct door *door);
/* Everything is reset now. */
void client_h1_env_done(struct client_h1_env *env);

/* Takes the descriptor and reads at once. door is borrowed until closed. */
void client_h1_open(struct client_h1_env *env, int fd, const struct addr *peer,
    struct door *door);
/* Answers 503 with one write and closes: one connection too many. A client that
 * speaks TLS, which would not read it, is only closed. */
void client_h1_refuse(int fd, enum reason why, bool tls);

#endif
