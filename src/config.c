/* SPDX-License-Identifier: ISC */
/* config: the life of a configuration, from its defaults to its end. */
#include "config.h"

#include <stdlib.h>

#define KILO 1024u
#define SECOND 1000u

static const struct gate_config gate_defaults = {
    .access_log = {"stderr", 6},
    .access_log_format = LOG_FORMAT_JSON,
    .access_log_select = LOG_SELECT_ALL,
    .access_log_query = LOG_QUERY_FULL,
    .log_level = LOG_INFO,
    .max_connections = 10000,
    .head_limit = 32 * KILO,
    .head_fields = 100,
    .target_limit = 8 * KILO,
    .head_timeout = 10 * SECOND,
    .idle_timeout = 75 * SECOND,
    .body_timeout = 30 * SECOND,
    .write_timeout = 30 * SECOND,
    .min_rate = 1 * KILO,
    .drain_timeout = 30 * SECOND,
    .tunnel_drain = 5 * SECOND,
    .resolve = 30 * SECOND,
    .request_id_header = {"X-Request-Id", 12},
};

struct config *
config_new(void)
{
	struct config *config = mem_alloc(sizeof(*config));

	atomic_init(&config->refs, 1);
	arena_init(&config->arena, NULL);
	config->gate = gate_defaults;
	return config;
}

struct config *
config_ref(struct config *config)
{
	atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
	return config;
}

/* Where no pattern has upper case, both are the same one. */
static void
free_tries(struct site_rules *rules)
{
	if (rules->folded != rules->locations)
		trie_free(rules->folded);
	trie_free(rules->locations);
}

void
config_unref(struct config *config)
{
	unsigned i;

	if (config == NULL)
		return;
	/* The last one must see all that the others did with it. */
	if (atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel) >
	    1)
		return;
	for (i = 0; i < config->listen_count; i++) {
		hosts_free(config->listens[i]->door);
		tls_door_unref(config->listens[i]->tls_door);
	}
	for (i = 0; i < config->site_count; i++) {
		free_tries(&config->sites[i]->rules);
		tls_site_unref(config->sites[i]->tls);
	}
	for (i = 0; i < config->upstream_count; i++)
		tls_outlook_unref(config->upstreams[i]->outlook);
	tls_tickets_unref(config->tickets);
	arena_done(&config->arena);
	free(config);
}

bool
config_trusts(const struct gate_config *gate, const struct addr *addr)
{
	for (unsigned i = 0; i < gate->trusted_proxy_count; i++)
		if (addr_net_has(&gate->trusted_proxies[i], addr))
			return true;
	return false;
}
