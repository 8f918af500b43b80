/* SPDX-License-Identifier: ISC */
/* upkeep: the house's care of the servers of a configuration: what their names
 * lead to, whether they are well, and who has to hear of it. One at a time:
 * where a configuration takes the place of another, the old upkeep goes first,
 * and the workers' lists keep the servers and what is known of them. */
#ifndef UPKEEP_H
#define UPKEEP_H

#include "loop.h"
#include "servers.h"

struct upkeep;

struct upkeep_setup {
	struct loop *loop;	 /* the house's */
	struct config *config;	 /* the upkeep takes a reference */
	struct servers *servers; /* borrowed, like what follows: outlives it */
	struct links *links;	 /* of that loop, for checks */
	const char *resolv_conf; /* NULL: the system's */
	/* The upstream's servers are others now; gives a reference. */
	void (*publish)(void *arg, struct server_list *list);
	void *arg;
};

/* Begins at once with checks, and with looking names up after `resolve`. */
struct upkeep *upkeep_new(const struct upkeep_setup *setup);
/* What was under way is gone after the loop's next steps. NULL is fine. */
void upkeep_free(struct upkeep *upkeep);
/* What is in force now, by upstream. */
struct server_list *const *upkeep_lists(const struct upkeep *upkeep);
/* Logs one line for each server of each upstream. */
void upkeep_tell(const struct upkeep *upkeep);

#endif
