/* SPDX-License-Identifier: ISC */
/* upkeep: one list of servers for each upstream, made anew when a name leads
 * elsewhere; and checks for whatever the lists name. */
#include "upkeep.h"

#include <stdlib.h>

#include "health.h"
#include "log.h"
#include "resolver.h"

/* A server that is written as a name. */
struct name {
	struct name *next;
	struct upkeep *upkeep;
	const struct server_config *server;
	unsigned upstream, index; /* its own, of the server */
	struct addr *addrs;	  /* NULL: those of the configuration */
	bool failed;		  /* the last look-up; told once */
};

struct upkeep {
	struct upkeep_setup setup;
	struct server_list **lists;  /* by upstream; one reference each */
	struct server_addrs **addrs; /* by upstream and server */
	struct name *names;
	struct resolver *resolver; /* NULL: no names */
	unsigned round;		   /* of checks being sought out */
};

/* ---- checks ---- */

static void
check(struct upkeep *upkeep, const struct server_entry *entry,
    const struct upstream_config *upstream)
{
	struct health_setup setup = {.loop = upkeep->setup.loop,
	    .links = upkeep->setup.links,
	    .server = entry->server,
	    .rule = &upstream->health,
	    .host = entry->config->host,
	    .tls = &entry->config->tls};

	if (entry->server->addr.sa.ss_family == AF_UNIX)
		setup.host = SLICE("localhost");
	entry->server->round = upkeep->round;
	if (entry->server->checks == NULL)
		entry->server->checks = health_start(&setup);
}

static void
stop_check(struct server_state *server, void *arg)
{
	const struct upkeep *upkeep = arg;

	if (server->round == upkeep->round)
		return;
	health_stop(server->checks);
	server->checks = NULL;
}

/* Each server that a list names is checked, where its upstream says so, and no
 * other. */
static void
check_all(struct upkeep *upkeep)
{
	upkeep->round++;
	for (unsigned i = 0; i < upkeep->setup.config->upstream_count; i++) {
		const struct server_list *list = upkeep->lists[i];

		if (list->upstream->health.target.len == 0)
			continue;
		for (unsigned s = 0; s < list->count; s++)
			check(upkeep, &list->at[s], list->upstream);
	}
	servers_each(upkeep->setup.servers, stop_check, upkeep);
}

/* ---- names ---- */

static bool
knows(const struct server_addrs *known, const struct addr *addr)
{
	for (unsigned i = 0; i < known->count; i++)
		if (addr_eq(&known->at[i], addr))
			return true;
	return false;
}

static bool
same(const struct server_addrs *known, const struct addr *addrs, unsigned count)
{
	unsigned i = 0;

	while (i < count && knows(known, &addrs[i]))
		i++;
	return known->count == count && i == count;
}

static void
publish(struct upkeep *upkeep, unsigned upstream)
{
	struct server_list *list = server_list_new(upkeep->setup.servers,
	    upkeep->setup.config->upstreams[upstream], upkeep->addrs[upstream]);

	server_list_unref(upkeep->lists[upstream]);
	upkeep->lists[upstream] = list;
	upkeep->setup.publish(upkeep->setup.arg, server_list_ref(list));
	check_all(upkeep);
	servers_sweep(upkeep->setup.servers);
}

static void
note_failure(struct name *name, const char *error)
{
	if (!name->failed)
		log_warn("server=%.*s can't be looked up, its addresses stay "
			 "error=%s",
		    SLICE_ARG(name->server->host), error);
	name->failed = true;
}

static void
on_found(void *arg, const struct addr *addrs, unsigned count, const char *error)
{
	struct name *name = arg;
	struct server_addrs *known =
	    &name->upkeep->addrs[name->upstream][name->index];

	if (count == 0) {
		note_failure(name, error);
		return;
	}
	if (name->failed)
		log_info("server=%.*s is looked up again",
		    SLICE_ARG(name->server->host));
	name->failed = false;
	if (same(known, addrs, count))
		return;
	log_info("server=%.*s has new addresses count=%u",
	    SLICE_ARG(name->server->host), count);
	free(name->addrs);
	name->addrs = mem_alloc(count * sizeof(*addrs));
	memcpy(name->addrs, addrs, count * sizeof(*addrs));
	*known = (struct server_addrs){name->addrs, count};
	publish(name->upkeep, name->upstream);
}

static void
add_name(struct upkeep *upkeep, unsigned upstream, unsigned index)
{
	const struct server_config *server =
	    &upkeep->setup.config->upstreams[upstream]->servers[index];
	struct name *name;
	struct slice host;
	struct addr addr;
	uint16_t port;

	if (addr_parse(server->host, &addr) ||
	    !addr_split_host_port(server->host, &host, &port))
		return;
	if (upkeep->resolver == NULL)
		upkeep->resolver = resolver_new(upkeep->setup.loop,
		    upkeep->setup.config->gate.resolve,
		    upkeep->setup.resolv_conf);
	name = mem_alloc(sizeof(*name));
	*name = (struct name){.next = upkeep->names,
	    .upkeep = upkeep,
	    .server = server,
	    .upstream = upstream,
	    .index = index};
	upkeep->names = name;
	resolver_add(upkeep->resolver, host, port, on_found, name);
}

static void
free_names(struct upkeep *upkeep)
{
	struct name *name = upkeep->names, *next;

	resolver_free(upkeep->resolver);
	for (; name != NULL; name = next) {
		next = name->next;
		free(name->addrs);
		free(name);
	}
}

/* ---- all of it ---- */

static void
make_list(struct upkeep *upkeep, unsigned number)
{
	const struct upstream_config *upstream =
	    upkeep->setup.config->upstreams[number];
	struct server_addrs *addrs =
	    mem_alloc(upstream->server_count * sizeof(*addrs));

	for (unsigned s = 0; s < upstream->server_count; s++)
		addrs[s] = (struct server_addrs){upstream->servers[s].addrs,
		    upstream->servers[s].addr_count};
	upkeep->addrs[number] = addrs;
	upkeep->lists[number] =
	    server_list_new(upkeep->setup.servers, upstream, addrs);
	for (unsigned s = 0; s < upstream->server_count; s++)
		add_name(upkeep, number, s);
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
	for (unsigned i = 0; i < count; i++)
		make_list(upkeep, i);
	check_all(upkeep);
	return upkeep;
}

void
upkeep_free(struct upkeep *upkeep)
{
	if (upkeep == NULL)
		return;
	upkeep->round++; /* nothing is of this one */
	servers_each(upkeep->setup.servers, stop_check, upkeep);
	free_names(upkeep);
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
