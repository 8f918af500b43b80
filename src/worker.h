/* SPDX-License-Identifier: ISC */
/* worker: one thread with its event loop, its listening sockets, connections,
 * exchanges and counters. Others reach it only by its mailbox. */
#ifndef WORKER_H
#define WORKER_H

#include "config.h"
#include "loop.h"
#include "record.h"
#include "servers.h"

struct worker;

/* What the house gives a worker. */
struct worker_setup {
	struct config *config;	  /* the worker takes a reference */
	struct record_sink *sink; /* borrowed: until worker_reopen or join */
	struct server_list *const *lists; /* by upstream; borrowed */
	int *fds; /* one listening socket per config->listens; taken */
	struct loop *house;	    /* told when a drain is over */
	void (*drained)(void *arg); /* on the house's loop */
	void *arg;
};

/* Starts the thread; dies when the system gives none. */
struct worker *worker_start(const struct worker_setup *setup);
/* The listeners close, idle connections too, the others after their exchange;
 * then drained is called once. */
void worker_drain(struct worker *worker);
/* Lines go to the new sink; done is called on the house's loop when the old
 * one is no longer used. */
void worker_reopen(struct worker *worker, struct record_sink *sink,
    void (*done)(void *arg), void *arg);
/* New exchanges go to these servers of their upstream; takes the reference. */
void worker_publish(struct worker *worker, struct server_list *list);
/* Everything under way is cut, the last lines are written; joins the thread.
 * What is left are the counters. NULL is fine here and below. */
void worker_stop(struct worker *worker);
void worker_free(struct worker *worker);
/* Live; relaxed loads. */
const struct record_counters *worker_counters(const struct worker *worker);

#endif
