/* SPDX-License-Identifier: ISC */
/* upstream: which server of an upstream gets the next exchange, per worker. */
#ifndef UPSTREAM_H
#define UPSTREAM_H

#include "config.h"

struct upstreams; /* one worker's state for one configuration */

struct upstreams *upstreams_new(const struct config *config);
void upstreams_free(struct upstreams *upstreams);

struct upstream_choice {
	const struct server_config *server;
	const struct addr *addr;
	unsigned tried; /* addresses given out for this exchange so far */
};
/* Round robin over the servers; each further call with the same choice gives
 * the next address not tried yet. Zero the choice first. false: none left. */
bool upstream_choose(struct upstreams *upstreams,
    const struct upstream_config *upstream, struct upstream_choice *choice);

#endif
