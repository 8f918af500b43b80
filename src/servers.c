/* SPDX-License-Identifier: ISC */
/* servers: a table by address and check, and lists that count what they name.
 * Of each server a few words change while requests pass; none of them guards
 * other memory, so that all but the counting of references is relaxed. */
#include "servers.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "loop.h"

struct servers {
	LIST_HEAD(, server_state) all;
	uint32_t last_id;
};

struct servers *
servers_new(void)
{
	struct servers *servers = mem_alloc(sizeof(*servers));

	LIST_INIT(&servers->all);
	return servers;
}

void
servers_each(struct servers *servers,
    void (*fn)(struct server_state *server, void *arg), void *arg)
{
	struct server_state *server;

	LIST_FOREACH(server, &servers->all, entry)
	fn(server, arg);
}

static void
sweep(struct server_state *server)
{
	if (atomic_load_explicit(&server->refs, memory_order_acquire) > 0 ||
	    atomic_load_explicit(&server->in_flight, memory_order_acquire) > 0)
		return;
	assert(server->checks == NULL);
	LIST_REMOVE(server, entry);
	free((char *)server->check.at);
	free(server);
}

void
servers_sweep(struct servers *servers)
{
	struct server_state *server = LIST_FIRST(&servers->all), *next;

	for (; server != NULL; server = next) {
		next = LIST_NEXT(server, entry);
		sweep(server);
	}
}

void
servers_free(struct servers *servers)
{
	if (servers == NULL)
		return;
	servers_sweep(servers);
	assert(LIST_EMPTY(&servers->all));
	free(servers);
}

/* ---- lists ---- */

static struct server_state *
add(struct servers *servers, const struct addr *addr, struct slice check,
    const struct server_config *config)
{
	struct server_state *server = mem_alloc(sizeof(*server));

	server->addr = *addr;
	server->check = (struct slice){mem_strndup(check), check.len};
	server->send_proxy = config->send_proxy;
	server->tls = config->tls.id;
	server->id = ++servers->last_id;
	server->said[0] = '-';
	LIST_INSERT_HEAD(&servers->all, server, entry);
	return server;
}

static struct server_state *
join(struct servers *servers, const struct addr *addr, struct slice check,
    const struct server_config *config)
{
	struct server_state *server;

	LIST_FOREACH(server, &servers->all, entry)
	if (addr_eq(&server->addr, addr) && slice_eq(server->check, check) &&
	    server->send_proxy == config->send_proxy &&
	    server->tls == config->tls.id)
		break;
	if (server == NULL)
		server = add(servers, addr, check, config);
	atomic_fetch_add_explicit(&server->refs, 1, memory_order_relaxed);
	return server;
}

static void
append(struct server_list *list, struct servers *servers,
    const struct server_addrs *addrs, bool backup)
{
	const struct upstream_config *upstream = list->upstream;

	for (unsigned i = 0; i < upstream->server_count; i++) {
		const struct server_config *config = &upstream->servers[i];

		if (config->backup != backup)
			continue;
		for (unsigned j = 0; j < addrs[i].count; j++)
			list->at[list->count++] = (struct server_entry){
			    join(servers, &addrs[i].at[j],
				upstream->health.target, config),
			    config};
	}
}

struct server_list *
server_list_new(struct servers *servers, const struct upstream_config *upstream,
    const struct server_addrs *addrs)
{
	struct server_list *list;
	size_t count = 0;

	for (unsigned i = 0; i < upstream->server_count; i++)
		count += addrs[i].count;
	list = mem_alloc(sizeof(*list) + count * sizeof(list->at[0]));
	atomic_init(&list->refs, 1);
	list->upstream = upstream;
	append(list, servers, addrs, false);
	list->primaries = list->count;
	append(list, servers, addrs, true);
	return list;
}

struct server_list *
server_list_ref(struct server_list *list)
{
	atomic_fetch_add_explicit(&list->refs, 1, memory_order_relaxed);
	return list;
}

void
server_list_unref(struct server_list *list)
{
	if (list == NULL ||
	    atomic_fetch_sub_explicit(&list->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (unsigned i = 0; i < list->count; i++)
		atomic_fetch_sub_explicit(
		    &list->at[i].server->refs, 1, memory_order_release);
	free(list);
}

/* ---- exchanges ---- */

bool
server_enter(struct server_state *server, unsigned max)
{
	unsigned count;

	if (max == 0) {
		atomic_fetch_add_explicit(
		    &server->in_flight, 1, memory_order_relaxed);
		return true;
	}
	count = atomic_load_explicit(&server->in_flight, memory_order_relaxed);
	do
		if (count >= max)
			return false;
	while (!atomic_compare_exchange_weak_explicit(&server->in_flight,
	    &count, count + 1, memory_order_relaxed, memory_order_relaxed));
	return true;
}

void
server_leave(struct server_state *server)
{
	unsigned before = atomic_fetch_sub_explicit(
	    &server->in_flight, 1, memory_order_release);

	assert(before > 0);
	(void)before;
}

/* ---- health ---- */

static bool
is_up(struct server_state *server)
{
	return atomic_load_explicit(&server->health, memory_order_relaxed) ==
	       SERVER_UP;
}

bool
server_may_try(struct server_state *server, uint64_t now)
{
	return is_up(server) ||
	       (server->check.len == 0 &&
		   now >= atomic_load_explicit(
			      &server->retry_at, memory_order_relaxed));
}

bool
server_claim(struct server_state *server, uint64_t now, uint32_t again)
{
	unsigned long long due =
	    atomic_load_explicit(&server->retry_at, memory_order_relaxed);

	if (is_up(server))
		return true;
	return server->check.len == 0 && now >= due &&
	       atomic_compare_exchange_strong_explicit(&server->retry_at, &due,
		   now + again, memory_order_relaxed, memory_order_relaxed);
}

/* Whoever changes it tells. */
static void
change(struct server_state *server, enum server_health to, const char *why)
{
	unsigned from = to == SERVER_UP ? SERVER_DOWN : SERVER_UP;
	char text[ADDR_TEXT_MAX];
	int len;

	if (!atomic_compare_exchange_strong_explicit(&server->health, &from, to,
		memory_order_relaxed, memory_order_relaxed))
		return;
	len = (int)addr_text(&server->addr, text);
	if (to == SERVER_DOWN)
		log_warn("server down address=%.*s reason=%s", len, text, why);
	else
		log_info("server up address=%.*s reason=%s", len, text, why);
}

void
server_failed(struct server_state *server, const struct health_config *rule,
    uint64_t now, const char *why)
{
	unsigned count = atomic_fetch_add_explicit(
			     &server->failures, 1, memory_order_relaxed) +
			 1;

	if (count < rule->fall)
		return;
	atomic_store_explicit(
	    &server->retry_at, now + rule->interval, memory_order_relaxed);
	change(server, SERVER_DOWN, why);
}

void
server_connected(struct server_state *server)
{
	if (atomic_load_explicit(&server->failures, memory_order_relaxed) > 0)
		atomic_store_explicit(
		    &server->failures, 0, memory_order_relaxed);
	if (!is_up(server) && server->check.len == 0)
		change(server, SERVER_UP, "connected");
}

void
server_checked(struct server_state *server, const struct health_config *rule,
    bool passed, const char *said)
{
	bool up = is_up(server);

	snprintf(server->said, sizeof(server->said), "%s", said);
	if (up)
		server->missed = passed ? 0 : server->missed + 1;
	else
		server->passed = passed ? server->passed + 1 : 0;
	if (up && server->missed >= rule->fall) {
		server->missed = 0;
		change(server, SERVER_DOWN, said);
	} else if (!up && server->passed >= rule->rise) {
		server->passed = 0;
		atomic_store_explicit(
		    &server->failures, 0, memory_order_relaxed);
		change(server, SERVER_UP, said);
	}
}
