/* SPDX-License-Identifier: ISC */
/* servers: what is known of each address that requests are sent to, shared by
 * the workers and kept for longer than a configuration. The house makes and
 * frees; whoever holds a list that names a server may use it, from any thread:
 * what changes is atomic.
 *
 *   UP --(fall connects or checks in a row failed)--> DOWN
 *   DOWN --(rise checks in a row passed)--> UP
 *   DOWN, never checked --(back-off over: one request tries, connected)--> UP
 */
#ifndef SERVERS_H
#define SERVERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "config.h"

enum server_health { SERVER_UP, SERVER_DOWN };

#define SERVER_SAID_MAX 32

/* Upstreams that name the same address, speak to it and check it alike have one
 * in common. The counts that change with each request lie apart from what all
 * read. */
struct server_state {
	struct addr addr;   /* these never change */
	struct slice check; /* the target that is asked for; empty: none */
	enum proxy_version send_proxy; /* before each request */
	uint64_t tls;	  /* id of how TLS is spoken to it; 0: none is */
	uint32_t id;	  /* never given twice */
	atomic_uint refs; /* of lists */
	LIST_ENTRY(server_state) entry; /* the house's, as what follows */
	struct health *checks;		/* NULL: none are made */
	unsigned round;			/* of the upkeep that last named it */
	unsigned passed, missed; /* checks in a row that speak for a change */
	char said[SERVER_SAID_MAX]; /* what the last check saw; "-": none yet */
	atomic_uint health;	    /* enum server_health */
	atomic_uint failures;	    /* connects that failed, in a row */
	atomic_ullong retry_at;	    /* ms: not to be tried before, while down */
	char apart[64];
	atomic_uint in_flight; /* exchanges there */
	char apart_too[64];
};

struct servers; /* all of them; the house's */

struct servers *servers_new(void);
/* Every list must be gone. NULL is fine. */
void servers_free(struct servers *servers);
/* Each that is known, with arg. */
void servers_each(struct servers *servers,
    void (*fn)(struct server_state *server, void *arg), void *arg);
/* Frees what no list names and no exchange is at any more; what is
 * checked is named by the list of who checks. */
void servers_sweep(struct servers *servers);

/* The servers of one upstream, never changed: names that lead elsewhere make a
 * new one. Counted, from any thread. */
struct server_entry {
	struct server_state *server;
	const struct server_config *config; /* borrowed: its configuration's */
};
struct server_list {
	atomic_uint refs;
	const struct upstream_config *upstream; /* borrowed likewise */
	unsigned count, primaries; /* first the primaries, then the backups */
	struct server_entry at[];
};
/* What the servers of an upstream resolve to, in their order there. */
struct server_addrs {
	const struct addr *at;
	unsigned count;
};
/* One reference. Addresses that are known keep their state. */
struct server_list *server_list_new(struct servers *servers,
    const struct upstream_config *upstream, const struct server_addrs *addrs);
struct server_list *server_list_ref(struct server_list *list);
void server_list_unref(struct server_list *list); /* NULL is fine */

/* One exchange more, unless there are max (0: no limit) in all workers. */
bool server_enter(struct server_state *server, unsigned max);
/* After this the server may be gone. */
void server_leave(struct server_state *server);

/* It is up, or down for so long that a request may try. now: loop_now's. */
bool server_may_try(struct server_state *server, uint64_t now);
/* The same, and nobody else may try for `again` ms. */
bool server_claim(struct server_state *server, uint64_t now, uint32_t again);
/* A connect that failed: with the fall'th in a row it is down, until `again` ms
 * from now at least. why: for the log. */
void server_failed(struct server_state *server,
    const struct health_config *rule, uint64_t now, const char *why);
void server_connected(struct server_state *server);
/* The house's: what a check saw. */
void server_checked(struct server_state *server,
    const struct health_config *rule, bool passed, const char *said);

#endif
