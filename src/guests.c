/* SPDX-License-Identifier: ISC */
/* guests: counters guard no other memory, so that all of it is relaxed. */
#include "guests.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "mem.h"

#define RELAXED memory_order_relaxed
#define ROWS 2
#define COLUMNS 65536u /* a power of two */

struct guests {
	uint64_t keys[3]; /* drawn: nobody chooses whom he meets */
	atomic_uint counts[ROWS][COLUMNS];
};

struct guests *
guests_new(void)
{
	struct guests *guests = mem_alloc(sizeof(*guests));

	/* without random bytes yet, the clock still differs */
	if (getrandom(guests->keys, sizeof(guests->keys), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(guests->keys))
		clock_gettime(
		    CLOCK_MONOTONIC, (struct timespec *)(void *)guests->keys);
	return guests;
}

void
guests_free(struct guests *guests)
{
	free(guests);
}

/* The last step of MurmurHash3: every bit of the input changes half of the
 * output's. */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ (x >> 33)) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ (x >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ (x >> 33);
}

/* False for what is not counted. */
static bool
places(struct guests *guests, const struct addr *addr, atomic_uint *at[ROWS])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint8_t bytes[16];
	uint64_t high, low, hash;

	if (!addr_to_bytes(addr, bytes))
		return false;
	if (memcmp(bytes, mapped, sizeof(mapped)) != 0)
		memset(bytes + 8, 0, 8);
	memcpy(&high, bytes, 8);
	memcpy(&low, bytes + 8, 8);
	hash = mix(mix(mix(high ^ guests->keys[0]) ^ low ^ guests->keys[1]) ^
		   guests->keys[2]);
	at[0] = &guests->counts[0][hash % COLUMNS];
	at[1] = &guests->counts[1][(hash >> 32) % COLUMNS];
	return true;
}

uint32_t
guests_enter(struct guests *guests, const struct addr *addr)
{
	uint32_t least = UINT32_MAX, count;
	atomic_uint *at[ROWS];

	if (!places(guests, addr, at))
		return 0;
	for (int i = 0; i < ROWS; i++) {
		count = atomic_fetch_add_explicit(at[i], 1, RELAXED) + 1;
		least = count < least ? count : least;
	}
	return least;
}

void
guests_leave(struct guests *guests, const struct addr *addr)
{
	atomic_uint *at[ROWS];
	uint32_t before;

	if (!places(guests, addr, at))
		return;
	for (int i = 0; i < ROWS; i++) {
		before = atomic_fetch_sub_explicit(at[i], 1, RELAXED);
		assert(before > 0);
		(void)before;
	}
}
