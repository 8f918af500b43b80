/* SPDX-License-Identifier: ISC */
/* exchange: one request and its response, from the decision to the access
 * line, between a struct client and a struct transport.
 *
 *   READ -> DECIDE -> SCAN -> CONNECT -> FORWARD -> RELAY -> FINISH
 *             |         |        |          |   \-> TUNNEL ->/
 *             +---------+--------+----------+--> ANSWER (a local answer)
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <sys/queue.h>

#include "client.h"
#include "config.h"
#include "forward.h"
#include "generation.h"
#include "pipes.h"
#include "record.h"
#include "transport.h"

/* A kind of transport. */
struct carrier {
	transport_open_fn *open;
	/* What it can carry, as transport_evhttp_can; NULL: all. */
	bool (*can_carry)(const struct head *head, struct body_plan plan,
	    uint64_t body_limit);
	bool holds; /* its transports have holds_body */
};

/* What the exchanges of one worker share. */
struct exchange_env {
	struct loop *loop;
	struct generation *generation; /* in force; one use, of the owner's */
	struct record *record;
	struct forward_ids ids;
	struct buckets *buckets; /* borrowed: the house's; NULL: no rates */
	struct links *links; /* borrowed: the worker's; NULL: none are kept */
	struct carrier carriers[2]; /* by enum transport_kind */
	bool draining;		    /* answers end their connections */
	unsigned live;		    /* exchanges under way */
	LIST_HEAD(, exchange) tunnels;
	struct timer tunnel_timer; /* until they are cut */
	struct pipes pipes;
	struct pool pool;
};
void exchange_env_init(struct exchange_env *env, struct loop *loop);
/* From now on answers end their connections, and tunnels are cut after
 * tunnel_drain. */
void exchange_env_drain(struct exchange_env *env);
void exchange_env_done(struct exchange_env *env);

/* The owner's side of client.h; client->arg is the struct exchange_env. */
extern const struct client_events exchange_events;

#endif
