/* SPDX-License-Identifier: ISC */
/* generation: the rules that exchanges of one worker begin with and keep, for
 * as long as any of them is under way. One thread's own: counting costs
 * nothing. */
#ifndef GENERATION_H
#define GENERATION_H

#include "config.h"
#include "upstream.h"

struct generation {
	struct config *config; /* one reference */
	struct upstreams *upstreams;
	unsigned uses; /* of exchanges, doors, and who has it in force */
	/* Takes the reference of the configuration when the last use has gone:
	 * freeing a large one takes time. NULL: it is dropped at once. */
	void (*let_go)(void *arg, struct config *config);
	void *arg;
};

/* One use. Takes a reference of the configuration, and the upstreams. */
struct generation *generation_new(
    struct config *config, struct upstreams *upstreams);
static inline struct generation *
generation_use(struct generation *generation)
{
	generation->uses++;
	return generation;
}
void generation_leave(struct generation *generation); /* NULL is fine */

#endif
