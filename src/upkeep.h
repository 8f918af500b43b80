/* SPDX-License-Identifier: ISC */
/* upkeep: the house's care of the servers of a configuration: what their names
 * resolve to, whether they are well, and who has to hear of it. */
#ifndef UPKEEP_H
#define UPKEEP_H

#include "loop.h"
#include "servers.h"

struct upkeep;

struct upkeep_setup {
	struct loop *loop;	 /* the house's */
	struct config *config;	 /* the upkeep takes a reference */
	struct servers *servers; /* borrowed: outlives it */
	/* The upstream's servers are others now; gives a reference. */
	void (*publish)(void *arg, struct server_list *list);
	void *arg;
};

struct upkeep *upkeep_new(const struct upkeep_setup *setup);
void upkeep_free(struct upkeep *upkeep); /* NULL is fine */
/* What is in force now, by upstream. */
struct server_list *const *upkeep_lists(const struct upkeep *upkeep);
/* Logs one line for each server of each upstream. */
void upkeep_tell(const struct upkeep *upkeep);

#endif
