/* SPDX-License-Identifier: ISC */
/* worker: one thread with its event loop, its listening sockets, connections,
 * exchanges and counters. Others reach it only by its mailbox. */
#ifndef WORKER_H
#define WORKER_H

#include "config.h"
#include "dealer.h"
#include "entrances.h"
#include "loop.h"
#include "record.h"
#include "servers.h"

struct worker;

/* What a worker is for as long as it lives. */
struct worker_setup {
	unsigned number;
	struct dealer *dealer;	     /* borrowed, like what follows: outlives */
	struct worker *const *other; /* by number; all are there at the start */
	struct loop *house;	     /* where it is told what is done */
	/* There: a configuration is used by this worker no more. */
	void (*let_go)(void *arg);
	void *arg;
};

/* By what it serves. */
struct worker_rules {
	struct config *config;		  /* the worker takes a reference */
	struct server_list *const *lists; /* by upstream; likewise */
	struct record_sink *sink; /* borrowed: until worker_reopen or join */
	struct buckets *buckets;  /* borrowed: outlives; NULL: no rates */
	const struct entrance
	    *doors; /* borrowed: for the call; fds are taken */
	unsigned door_count;
};

/* On the house's loop, when what was asked for is done. */
struct worker_reply {
	void (*done)(void *arg); /* NULL: nobody asks */
	void *arg;
};

struct worker *worker_new(
    const struct worker_setup *setup, const struct worker_rules *rules);
/* Starts the thread; dies when the system gives none. */
void worker_start(struct worker *worker);
/* Exchanges begin by these from here on, on connections that are there already
 * too; others end by those that they began with. Doors that are not among them
 * close when all who wait there have been taken; their idle connections then,
 * others after their exchange. */
void worker_apply(struct worker *worker, const struct worker_rules *rules,
    struct worker_reply reply);
/* All workers have applied it: what new doors accept may be given to any of
 * them, so that they open now; and nobody is on his way to one that has closed.
 */
void worker_settle(struct worker *worker);
/* A connection that the house has accepted at a door, and dealer_choose has
 * given to this worker; takes fd. */
void worker_take(
    struct worker *worker, int fd, const struct addr *peer, unsigned door);
/* The listeners close, idle connections too, the others after their exchange.
 * The reply comes when the listeners have: dealer_live tells of connections. */
void worker_drain(struct worker *worker, struct worker_reply reply);
/* Lines go to the new sink, and the old one is no longer used. */
void worker_reopen(
    struct worker *worker, struct record_sink *sink, struct worker_reply reply);
/* New exchanges go to these servers of their upstream; takes the reference. */
void worker_publish(struct worker *worker, struct server_list *list);
/* Everything under way is cut, the last lines are written; joins the thread.
 * What is left are the mailbox and the counters. */
void worker_stop(struct worker *worker);
/* When all are stopped. NULL is fine. */
void worker_free(struct worker *worker);
/* Live; relaxed loads. */
const struct record_counters *worker_counters(const struct worker *worker);

#endif
