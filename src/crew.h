/* SPDX-License-Identifier: ISC */
/* crew: all workers, as the house speaks to them. */
#ifndef CREW_H
#define CREW_H

#include "worker.h"

struct crew;

/* The workers that the configuration asks for; auto: as many as there are
 * processors that the process may use. */
unsigned crew_size(const struct gate_config *gate);

struct crew_setup {
	struct loop *house; /* done is called there, here and below */
	unsigned size;
	struct worker_rules rules;   /* its doors are those of entrances */
	struct entrances *entrances; /* committed */
	void (*drained)(void *arg);
	void (*let_go)(void *arg); /* a worker has left a configuration */
	void *arg;
};
/* Starts the threads. */
struct crew *crew_start(const struct crew_setup *setup);
/* A connection that the house has accepted at the door of this id goes to the
 * worker that has the fewest; takes fd. */
void crew_give(struct crew *crew, int fd, const struct addr *peer, unsigned id);
/* As worker_apply; the doors are those of entrances, committed. done: all have
 * applied it, and the old sink is used by none. One at a time. */
void crew_apply(struct crew *crew, const struct worker_rules *rules,
    void (*done)(void *arg), void *arg);
/* As worker_drain; drained is called when no connection is left. */
void crew_drain(struct crew *crew);
/* done: the old sink is used by none of them. One at a time. */
void crew_reopen(struct crew *crew, struct record_sink *sink,
    void (*done)(void *arg), void *arg);
/* Takes the reference. */
void crew_publish(struct crew *crew, struct server_list *list);
/* As worker_stop; logs what they have counted. NULL is fine here and below. */
void crew_stop(struct crew *crew);
void crew_free(struct crew *crew);

#endif
