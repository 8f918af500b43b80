/* SPDX-License-Identifier: ISC */
/* upstream: which server of an upstream gets the next exchange, per worker. */
#ifndef UPSTREAM_H
#define UPSTREAM_H

#include "reason.h"
#include "servers.h"

#define UPSTREAM_RETRIES_MAX 10 /* of the key retries */

struct upstreams; /* one worker's state for one configuration */

/* Without servers, until they are given. */
struct upstreams *upstreams_new(const struct config *config);
/* The upstream's servers from here on; takes the reference. Exchanges that are
 * under way stay where they are. */
void upstreams_take(struct upstreams *upstreams, struct server_list *list);
/* No choice may be held. NULL is fine. */
void upstreams_free(struct upstreams *upstreams);

/* Where an exchange is. Zero it first; a server that is held must be released,
 * or given back by the next upstream_choose. */
struct upstream_choice {
	const struct server_config *server; /* the latest; NULL: none yet */
	const struct addr *addr;	    /* of it, while it is held */
	struct server_state *held;	    /* NULL: none */
	unsigned tried;			    /* servers given so far */
	unsigned retry_after; /* seconds, for who gets none; 0: not asked yet */
	uint32_t ids[UPSTREAM_RETRIES_MAX + 1]; /* of those tried */
};
/* The first, or after a failure the next server, none twice. A backup only when
 * no primary is up that was not tried. Anything but REASON_NONE: no server is
 * held then, and the latest stays named. UPSTREAM_UNAVAILABLE: none is up, or
 * `retries` are used up; UPSTREAM_BUSY: each has its max. */
enum reason upstream_choose(struct upstreams *upstreams,
    const struct upstream_config *upstream, struct upstream_choice *choice);
/* What came of a new connection to it. */
void upstream_connected(const struct upstream_choice *choice);
void upstream_failed(const struct upstream_choice *choice,
    const struct upstream_config *upstream, enum reason why);
/* The exchange has left it. Without one that is held: nothing. */
void upstream_release(struct upstream_choice *choice);

#endif
