/* SPDX-License-Identifier: ISC */
/* upkeep: one list of servers for each upstream, made anew when a name leads
 * elsewhere. */
#include "upkeep.h"

#include <stdlib.h>

#include "log.h"

struct upkeep {
	struct upkeep_setup setup;
	struct server_list **lists;  /* by upstream; one reference each */
	struct server_addrs **addrs; /* by upstream and server */
};

static void
make_lists(struct upkeep *upkeep)
{
	const struct config *config = upkeep->setup.config;

	for (unsigned i = 0; i < config->upstream_count; i++) {
		const struct upstream_config *upstream = config->upstreams[i];
		struct server_addrs *addrs =
		    mem_alloc(upstream->server_count * sizeof(*addrs));

		for (unsigned s = 0; s < upstream->server_count; s++)
			addrs[s] =
			    (struct server_addrs){upstream->servers[s].addrs,
				upstream->servers[s].addr_count};
		upkeep->addrs[i] = addrs;
		upkeep->lists[i] =
		    server_list_new(upkeep->setup.servers, upstream, addrs);
	}
}

struct upkeep *
upkeep_new(const struct upkeep_setup *setup)
{
	struct upkeep *upkeep = mem_alloc(sizeof(*upkeep));
	unsigned count = setup->config->upstream_count;

	upkeep->setup = *setup;
	upkeep->setup.config = config_ref(setup->config);
	upkeep->lists = mem_alloc(count * sizeof(*upkeep->lists));
	upkeep->addrs = mem_alloc(count * sizeof(*upkeep->addrs));
	make_lists(upkeep);
	return upkeep;
}

void
upkeep_free(struct upkeep *upkeep)
{
	if (upkeep == NULL)
		return;
	for (unsigned i = 0; i < upkeep->setup.config->upstream_count; i++) {
		server_list_unref(upkeep->lists[i]);
		free(upkeep->addrs[i]);
	}
	free(upkeep->lists);
	free(upkeep->addrs);
	config_unref(upkeep->setup.config);
	free(upkeep);
}

struct server_list *const *
upkeep_lists(const struct upkeep *upkeep)
{
	return upkeep->lists;
}

/* ---- what is told ---- */

static unsigned
load(const atomic_uint *word)
{
	return atomic_load_explicit((atomic_uint *)word, memory_order_relaxed);
}

static void
tell_server(
    const struct upstream_config *upstream, const struct server_entry *entry)
{
	const struct server_state *server = entry->server;
	const char *state = entry->config->backup ? "backup" : "up";
	char text[ADDR_TEXT_MAX];
	size_t len = addr_text(&server->addr, text);

	if (load(&server->health) == SERVER_DOWN)
		state = "down";
	log_info("server upstream=%.*s server=%.*s address=%.*s state=%s "
		 "weight=%u max=%u in_flight=%u failures=%u check=%s",
	    SLICE_ARG(upstream->name), SLICE_ARG(entry->config->host), (int)len,
	    text, state, entry->config->weight, entry->config->max,
	    load(&server->in_flight), load(&server->failures), server->said);
}

void
upkeep_tell(const struct upkeep *upkeep)
{
	for (unsigned i = 0; i < upkeep->setup.config->upstream_count; i++) {
		const struct server_list *list = upkeep->lists[i];

		for (unsigned s = 0; s < list->count; s++)
			tell_server(list->upstream, &list->at[s]);
	}
}
