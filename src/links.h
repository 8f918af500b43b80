/* SPDX-License-Identifier: ISC */
/* links: one worker's connections to servers, kept between exchanges: last in,
 * first out for each address and what TLS is spoken there. An idle one holds
 * its own struct and nothing else, is armed for reading, and closes when
 * anything comes. */
#ifndef LINKS_H
#define LINKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "addr.h"
#include "http.h"
#include "loop.h"
#include "reason.h"
#include "tls_target.h"
#include "wire.h"

#define LINKS_FIELDS 256 /* lines of a response head at most */

struct link_server; /* an address that has links, or a session; private */

struct link {
	struct wire wire; /* first */
	struct links *links;
	struct link_server *server;
	TAILQ_ENTRY(link) entry;	 /* among the idle ones of the server */
	struct timer timer;		 /* until it has been idle too long */
	uint64_t idle_since, idle_until; /* ms */
	uint64_t kept;			 /* loop_wakeup of links_keep */
	void *user;			 /* whose turn it is; NULL while idle */
	bool idle;			 /* it is among the idle ones */
	bool reused;			 /* it has carried an exchange before */
};

#define LINKS_BUCKETS 64
struct links {
	struct loop *loop;
	struct field fields[LINKS_FIELDS]; /* for one head being read */
	LIST_HEAD(, link_server) servers[LINKS_BUCKETS];
	TAILQ_HEAD(, link_server) resting; /* only a session is left */
	unsigned resting_count;
	struct pool pool, server_pool;
	struct pool natives; /* of transport_native */
};
void links_init(struct links *links, struct loop *loop);
/* Idle ones close. Others, and every transport, must be gone. */
void links_done(struct links *links);

/* The latest idle link to the address that still stands, or NULL. It is looked
 * at first (one MSG_PEEK), but for one that was emptied and kept in this very
 * wakeup. max_idle: it has been idle for less than so many ms, and is looked at
 * always; UINT32_MAX: whatever finds it closed can be sent again. */
struct link *links_take(struct links *links, const struct addr *addr,
    const struct tls_target *tls, uint32_t max_idle);
/* A link that connects, to IPv4, IPv6 or a unix socket, with TLS where there is
 * a target; writable tells when it is there or has failed (link_failure). NULL
 * with errno: it can't even begin. */
struct link *links_open(
    struct links *links, const struct addr *addr, const struct tls_target *tls);
/* NONE, or why it has failed to connect. */
enum reason link_failure(const struct link *link);
/* Where the session of a server with TLS is kept, for somebody who connects to
 * it without a link; until links_return. */
struct link_server *links_visit(
    struct links *links, const struct addr *addr, const struct tls_target *tls);
struct tls_return *link_session(struct link_server *server);
void links_return(struct links *links, struct link_server *server);
/* Back among the idle ones: at most `max` of its address, each for `ms`. It is
 * not taken again after `hint` ms, which is how long the server will wait. */
void links_keep(struct link *link, unsigned max, uint32_t ms, uint32_t hint);
/* Its wire may be closed already. */
void links_close(struct link *link);

#endif
