/* SPDX-License-Identifier: ISC */
/* dealer: how many connections each worker has, and who gets the next one. The
 * kernel spreads connections over the sockets of a port by chance: who has
 * accepted one gives it away when another has noticeably less. Any thread;
 * nothing waits, and nothing is done for a request. */
#ifndef DEALER_H
#define DEALER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "config.h"
#include "guests.h"

struct dealer {
	unsigned workers;
	atomic_uint admitted; /* of all workers together */
	struct guests *guests;
	struct {
		/* also those on their way to it, and to be refused */
		atomic_uint live;
		char apart[60];
	} at[WORKERS_MAX];
};

#define DEALER_HOUSE WORKERS_MAX /* who accepts, and has none itself */

void dealer_init(struct dealer *dealer, unsigned workers);
void dealer_done(struct dealer *dealer);
/* The worker that a connection goes to which `self` has accepted; it is
 * counted as that one's. */
unsigned dealer_choose(struct dealer *dealer, unsigned self);
/* It is served, unless there are max already. */
bool dealer_admit(struct dealer *dealer, uint32_t max);
/* It has gone; admitted as dealer_admit said. */
void dealer_leave(struct dealer *dealer, unsigned worker, bool admitted);
/* Connections of all workers. */
unsigned dealer_live(const struct dealer *dealer);

#endif
