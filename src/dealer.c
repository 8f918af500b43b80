/* SPDX-License-Identifier: ISC */
/* dealer: the counts guard no other memory, so that all of it is relaxed: a
 * choice by a count that has just changed is one connection off. */
#include "dealer.h"

#include <assert.h>
#include <string.h>

#define RELAXED memory_order_relaxed
/* More than the least that one has, before it gives away: one and a sixteenth.
 * Giving costs a wakeup, and the difference shows less the more there are. */
#define STEP(least) (1 + (least) / 16)

void
dealer_init(struct dealer *dealer, unsigned workers)
{
	assert(workers >= 1 && workers <= WORKERS_MAX);
	memset(dealer, 0, sizeof(*dealer));
	dealer->workers = workers;
	dealer->guests = guests_new();
}

void
dealer_done(struct dealer *dealer)
{
	guests_free(dealer->guests);
}

static unsigned
live(const struct dealer *dealer, unsigned worker)
{
	return atomic_load_explicit(&dealer->at[worker].live, RELAXED);
}

static unsigned
idlest(const struct dealer *dealer, unsigned from)
{
	unsigned least = from < dealer->workers ? from : 0;

	for (unsigned i = 0; i < dealer->workers; i++)
		if (live(dealer, i) < live(dealer, least))
			least = i;
	return least;
}

unsigned
dealer_choose(struct dealer *dealer, unsigned self)
{
	unsigned to = idlest(dealer, self), least = live(dealer, to);

	if (self != DEALER_HOUSE && live(dealer, self) < least + STEP(least))
		to = self;
	atomic_fetch_add_explicit(&dealer->at[to].live, 1, RELAXED);
	return to;
}

bool
dealer_admit(struct dealer *dealer, uint32_t max)
{
	unsigned count = atomic_load_explicit(&dealer->admitted, RELAXED);

	do
		if (count >= max)
			return false;
	while (!atomic_compare_exchange_weak_explicit(
	    &dealer->admitted, &count, count + 1, RELAXED, RELAXED));
	return true;
}

void
dealer_leave(struct dealer *dealer, unsigned worker, bool admitted)
{
	if (admitted)
		atomic_fetch_sub_explicit(&dealer->admitted, 1, RELAXED);
	atomic_fetch_sub_explicit(&dealer->at[worker].live, 1, RELAXED);
}

unsigned
dealer_live(const struct dealer *dealer)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < dealer->workers; i++)
		sum += live(dealer, i);
	return sum;
}
