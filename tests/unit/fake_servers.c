/* SPDX-License-Identifier: ISC */
#include "fake_servers.h"

#include <check.h>

#define SERVERS_MAX 8

struct server_list *
fake_servers_list(
    struct servers *servers, const struct upstream_config *upstream)
{
	struct server_addrs addrs[SERVERS_MAX];

	ck_assert_uint_le(upstream->server_count, SERVERS_MAX);
	for (unsigned i = 0; i < upstream->server_count; i++)
		addrs[i] = (struct server_addrs){upstream->servers[i].addrs,
		    upstream->servers[i].addr_count};
	return server_list_new(servers, upstream, addrs);
}

struct upstreams *
fake_servers_upstreams(struct servers *servers, const struct config *config)
{
	struct upstreams *upstreams = upstreams_new(config);

	for (unsigned i = 0; i < config->upstream_count; i++)
		upstreams_take(upstreams,
		    fake_servers_list(servers, config->upstreams[i]));
	return upstreams;
}
