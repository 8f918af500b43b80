/* SPDX-License-Identifier: ISC */
/* resolver: for each round an evdns base of its own, so that name servers and
 * hosts are those of now. It goes in a step of the loop, as evdns may not be
 * freed inside its callbacks. */
#include "resolver.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

struct name {
	struct name *next;
	struct resolver *resolver;
	char *host, port[8];
	uint16_t number; /* the port */
	resolver_fn *found;
	void *arg;
	struct evdns_getaddrinfo_request *request; /* NULL: none */
};

struct resolver {
	struct loop *loop;
	uint32_t interval;
	char *resolv_conf;
	struct name *names;
	struct timer timer;
	struct step step;
	struct evdns_base *base; /* of the round; NULL: none is on */
	unsigned pending;	 /* names of the round without an answer */
	bool freed;		 /* nobody wants to know any more */
};

/* ---- a round ---- */

static void
destroy(struct resolver *resolver)
{
	struct name *name = resolver->names, *next;

	for (; name != NULL; name = next) {
		next = name->next;
		free(name->host);
		free(name);
	}
	free(resolver->resolv_conf);
	free(resolver);
}

/* Every name has its answer. */
static void
on_step(struct step *step)
{
	struct resolver *resolver =
	    (struct resolver *)((char *)step - offsetof(struct resolver, step));

	if (resolver->base != NULL)
		evdns_base_free(resolver->base, 0);
	resolver->base = NULL;
	if (resolver->freed)
		destroy(resolver);
	else
		loop_timer_start(
		    resolver->loop, &resolver->timer, resolver->interval);
}

static int
compare(const void *a, const void *b)
{
	return memcmp(&((const struct addr *)a)->sa,
	    &((const struct addr *)b)->sa, sizeof(struct sockaddr_storage));
}

/* Sorted before it is cut: servers of names rotate their answers. */
static void
tell(const struct name *name, int error, const struct evutil_addrinfo *list)
{
	struct addr found[4 * ADDR_LOOKUP_MAX];
	int count = error != 0 ? 0
			       : addr_collect(list, name->number, found,
				     4 * ADDR_LOOKUP_MAX);
	const char *why = NULL;

	if (error != 0)
		why = evutil_gai_strerror(error);
	else if (count == 0)
		why = "no IPv4 or IPv6 address";
	qsort(found, (size_t)count, sizeof(found[0]), compare);
	if (count > ADDR_LOOKUP_MAX)
		count = ADDR_LOOKUP_MAX;
	name->found(name->arg, found, (unsigned)count, why);
}

static void
on_found(int error, struct evutil_addrinfo *list, void *arg)
{
	struct name *name = arg;
	struct resolver *resolver = name->resolver;

	name->request = NULL;
	if (!resolver->freed)
		tell(name, error, list);
	if (list != NULL)
		evutil_freeaddrinfo(list);
	if (--resolver->pending == 0)
		loop_defer(resolver->loop, &resolver->step);
}

/* That a name server failed shows in what is told. */
static void
on_log(int is_warning, const char *text)
{
	(void)is_warning;
	log_debug("evdns: %s", text);
}

static void
open_base(struct resolver *resolver)
{
	const char *conf = resolver->resolv_conf;

	evdns_set_log_fn(on_log);
	resolver->base = evdns_base_new(
	    resolver->loop->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (resolver->base != NULL)
		(void)evdns_base_resolv_conf_parse(resolver->base,
		    DNS_OPTIONS_ALL, conf != NULL ? conf : "/etc/resolv.conf");
}

/* A name may be answered inside the call, which then returns NULL. */
static void
ask(struct name *name)
{
	const struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_protocol = IPPROTO_TCP};
	struct resolver *resolver = name->resolver;
	struct evdns_getaddrinfo_request *request;

	request = evdns_getaddrinfo(
	    resolver->base, name->host, name->port, &hints, on_found, name);
	if (request != NULL)
		name->request = request;
}

static void
on_timer(struct timer *timer)
{
	struct resolver *resolver =
	    (struct resolver *)((char *)timer -
				offsetof(struct resolver, timer));
	struct name *name;

	open_base(resolver);
	if (resolver->base == NULL) {
		loop_defer(resolver->loop, &resolver->step);
		return;
	}
	for (name = resolver->names; name != NULL; name = name->next)
		resolver->pending++;
	for (name = resolver->names; name != NULL; name = name->next)
		ask(name);
}

/* ---- the owner's side ---- */

struct resolver *
resolver_new(struct loop *loop, uint32_t interval, const char *resolv_conf)
{
	struct resolver *resolver = mem_alloc(sizeof(*resolver));

	resolver->loop = loop;
	resolver->interval = interval;
	if (resolv_conf != NULL)
		resolver->resolv_conf = mem_strdup(resolv_conf);
	resolver->timer.fn = on_timer;
	resolver->step.fn = on_step;
	return resolver;
}

void
resolver_add(struct resolver *resolver, struct slice host, uint16_t port,
    resolver_fn *found, void *arg)
{
	struct name *name = mem_alloc(sizeof(*name));

	name->resolver = resolver;
	name->host = mem_strndup(host);
	name->number = port;
	snprintf(name->port, sizeof(name->port), "%u", (unsigned)port);
	name->found = found;
	name->arg = arg;
	name->next = resolver->names;
	resolver->names = name;
	if (name->next == NULL)
		loop_timer_start(
		    resolver->loop, &resolver->timer, resolver->interval);
}

void
resolver_free(struct resolver *resolver)
{
	struct name *name;

	if (resolver == NULL)
		return;
	resolver->freed = true;
	loop_timer_stop(resolver->loop, &resolver->timer);
	for (name = resolver->names; name != NULL; name = name->next)
		if (name->request != NULL)
			evdns_getaddrinfo_cancel(name->request);
	if (resolver->pending > 0 || resolver->base != NULL)
		return; /* the last answer, or the step, ends it */
	loop_defer_cancel(resolver->loop, &resolver->step);
	destroy(resolver);
}
