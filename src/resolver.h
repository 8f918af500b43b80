/* SPDX-License-Identifier: ISC */
/* resolver: looks names up again and again, on the house's loop, by libevent's
 * evdns: /etc/hosts and the name servers of resolv.conf, both read anew for
 * each round. Answers that do not fit 512 bytes can't be read. */
#ifndef RESOLVER_H
#define RESOLVER_H

#include "addr.h"
#include "loop.h"

struct resolver;

/* What a name led to, at most ADDR_LOOKUP_MAX, in a fixed order. count 0: it
 * could not be looked up, or leads nowhere, and error says why. They die when
 * the call returns. */
typedef void resolver_fn(
    void *arg, const struct addr *addrs, unsigned count, const char *error);

/* Rounds begin every interval ms, but not before the last one is over.
 * resolv_conf: NULL is the system's. */
struct resolver *resolver_new(
    struct loop *loop, uint32_t interval, const char *resolv_conf);
/* The first name starts the clock. */
void resolver_add(struct resolver *resolver, struct slice name, uint16_t port,
    resolver_fn *found, void *arg);
/* Nothing more is told. What is under way ends in the next steps of the loop,
 * and the memory goes with it. NULL is fine. */
void resolver_free(struct resolver *resolver);

#endif
