/* SPDX-License-Identifier: ISC */
/* buckets: how fast each client asks, by token buckets in one table that all
 * workers share; nothing waits. A bucket is one word, a tag of its key and the
 * moment at which it is full again, so that one which is full need not be
 * there. It is exact but for this:
 *  - eight buckets share a set. When all of a set are in use and a ninth comes,
 *    the one that is fullest is forgotten: its client gets back what it lacks.
 *    With 30,000 buckets in use one newcomer in 180,000 does that, with
 *    100,000 one in 75.
 *  - keys that agree in set and tag share a bucket: one pair in 2^37 does.
 *  - a token's time is rounded to a quarter of a microsecond: 1.25 % of the
 *    highest rate, 0.01 % of 1000/s.
 *  - a bucket of which nobody has asked for 12.7 days, no ninth either, may
 *    once look as it did then. */
#ifndef BUCKETS_H
#define BUCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"

#define BUCKETS_NUMBER_MAX 100000u /* tokens in the time of a rate */
#define BUCKETS_BURST_MAX 1000000u
#define BUCKETS_BURST_SECONDS (24 * 3600) /* the most to fill a bucket */

/* number tokens come in so many seconds, burst there are at most. */
struct bucket_rate {
	uint32_t number; /* 0: no limit */
	uint32_t seconds;
	uint32_t burst;
	uint64_t step, room; /* the time of one token, and of all; buckets' */
};

/* Completes *rate; number 1 to BUCKETS_NUMBER_MAX, burst to BUCKETS_BURST_MAX,
 * seconds at least 1. False: it would take longer than BUCKETS_BURST_SECONDS to
 * fill. */
bool bucket_rate_set(struct bucket_rate *rate);

struct buckets;

struct buckets *buckets_new(void); /* fixed size: 2 MB, touched where used */
void buckets_free(struct buckets *buckets); /* NULL is fine */
/* A name for what a rate is of: the same for the same texts, in each process.
 */
uint64_t buckets_place(struct slice site, struct slice pattern, bool exact);
/* The key of this client's bucket at that place; by random numbers, so that
 * nobody chooses whom he meets. An IPv6 address counts as its /64; all that
 * have none (unix peers, NULL) as one. */
uint64_t buckets_key(
    const struct buckets *buckets, const struct addr *client, uint64_t place);
/* Takes a token: 0; or says in how many microseconds there will be one. now:
 * microseconds of a clock that all callers share. Any thread. */
uint64_t buckets_take(struct buckets *buckets, uint64_t key,
    const struct bucket_rate *rate, uint64_t now);

#endif
