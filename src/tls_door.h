/* SPDX-License-Identifier: ISC */
/* tls_door: how a listener speaks TLS: the certificates and demands of each
 * site that answers there, chosen by the name that a client sends (SNI).
 * Counted, and never changed once it serves: threads share it. */
#ifndef TLS_DOOR_H
#define TLS_DOOR_H

#include <stdbool.h>
#include <stdint.h>

#include "tls_pair.h"
#include "tls_tickets.h"

enum tls_clients {
	TLS_CLIENTS_OFF,
	TLS_CLIENTS_OPTIONAL,
	TLS_CLIENTS_REQUIRED
};
enum tls_version { TLS_VERSION_1_2, TLS_VERSION_1_3 };

/* One site's part. */
struct tls_site;
struct tls_site_setup {
	struct slice name;	       /* of the site: sessions are its own */
	struct tls_pair *const *pairs; /* at least one; borrowed */
	unsigned pair_count;
	struct stack_st_X509
	    *authorities; /* of clients; borrowed; NULL: none */
	enum tls_clients clients;
	enum tls_version least;
	struct tls_tickets *tickets; /* the site takes a reference */
};
/* One reference. Pairs with the same names and another kind of key stand side
 * by side. NULL, and noted, where OpenSSL refuses a pair (too weak a key). */
struct tls_site *tls_site_new(
    const struct tls_site_setup *setup, const struct tls_notes *notes);
void tls_site_unref(struct tls_site *site); /* NULL is fine */
/* Whether some certificate has the host ("*.example.org" too). */
bool tls_site_covers(const struct tls_site *site, struct slice host);
/* What the site demands of a client, as a number: equal for equal demands, in
 * whatever configuration. */
uint64_t tls_site_realm(const struct tls_site *site);

struct tls_door;
/* One reference. fallback: for clients without a name, and with one that nobody
 * here has. */
struct tls_door *tls_door_new(struct tls_site *fallback);
/* host as in hosts_add. Before the door is used. */
void tls_door_add(
    struct tls_door *door, struct slice host, struct tls_site *site);
struct tls_door *tls_door_ref(struct tls_door *door);
void tls_door_unref(struct tls_door *door); /* NULL is fine */

/* For tls alone: a connection that comes in at a door. */
struct ssl_st;
struct tls_visit {
	struct tls_door *door;	     /* one reference */
	const struct tls_site *site; /* the door's; its fallback until a name
					has come */
};
/* A new SSL that accepts; the visit must outlive it. */
struct ssl_st *tls_visit_open(struct tls_visit *visit, struct tls_door *door);
void tls_visit_close(struct tls_visit *visit);

#endif
