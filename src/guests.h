/* SPDX-License-Identifier: ISC */
/* guests: how many connections each client address has, over all workers. Any
 * thread; nothing waits. Two tables of counters, chosen by two keyed hashes:
 * the smaller one of an address's two counts is told, so that it is never told
 * too low, and too high only for an address that meets others in both (of
 * 10,000 that are there at once, one in fifty meets some). An IPv6 address
 * counts as its /64; unix peers are not counted. */
#ifndef GUESTS_H
#define GUESTS_H

#include <stdint.h>

#include "addr.h"

struct guests;

struct guests *guests_new(void); /* fixed size: 512 KB, touched where used */
void guests_free(struct guests *guests); /* NULL is fine */
/* One more of this address; how many it has now. 0: it is not counted. */
uint32_t guests_enter(struct guests *guests, const struct addr *addr);
/* As often as guests_enter was called for it, whatever that returned. */
void guests_leave(struct guests *guests, const struct addr *addr);

#endif
