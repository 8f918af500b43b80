/* SPDX-License-Identifier: ISC */
/* upstream: which server of an upstream gets the next exchange, per worker. */
#include "upstream.h"

#include <assert.h>
#include <stdlib.h>

#include "mem.h"

struct upstreams {
	unsigned count;
	unsigned turn[]; /* by upstream index: the server whose turn is next */
};

struct upstreams *
upstreams_new(const struct config *config)
{
	struct upstreams *upstreams = mem_alloc(
	    sizeof(*upstreams) + config->upstream_count * sizeof(unsigned));

	upstreams->count = config->upstream_count;
	return upstreams;
}

void
upstreams_free(struct upstreams *upstreams)
{
	free(upstreams);
}

static unsigned
addresses(const struct upstream_config *upstream)
{
	unsigned i, n = 0;

	for (i = 0; i < upstream->server_count; i++)
		n += upstream->servers[i].addr_count;
	return n;
}

/* From this server on, the first that has an address; some one has. */
static void
settle(const struct upstream_config *upstream, struct upstream_choice *choice,
    const struct server_config *server)
{
	for (;; server++) {
		if (server == upstream->servers + upstream->server_count)
			server = upstream->servers;
		if (server->addr_count > 0)
			break;
	}
	choice->server = server;
	choice->addr = server->addrs;
}

bool
upstream_choose(struct upstreams *upstreams,
    const struct upstream_config *upstream, struct upstream_choice *choice)
{
	const struct server_config *server = choice->server;
	unsigned *turn;

	assert(upstream->index < upstreams->count);
	if (choice->tried >= addresses(upstream))
		return false;
	choice->tried++;
	if (server == NULL) {
		turn = &upstreams->turn[upstream->index];
		settle(upstream, choice, &upstream->servers[*turn]);
		*turn = (*turn + 1) % upstream->server_count;
	} else if (choice->addr + 1 < server->addrs + server->addr_count) {
		choice->addr++;
	} else {
		settle(upstream, choice, server + 1);
	}
	return true;
}
