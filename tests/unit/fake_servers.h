/* SPDX-License-Identifier: ISC */
/* fake_servers: the house's part for tests of one worker: the addresses that
 * stand in a configuration, as lists. */
#ifndef FAKE_SERVERS_H
#define FAKE_SERVERS_H

#include "upstream.h"

struct server_list *fake_servers_list(
    struct servers *servers, const struct upstream_config *upstream);
/* Every upstream of the configuration with its servers. */
struct upstreams *fake_servers_upstreams(
    struct servers *servers, const struct config *config);

#endif
