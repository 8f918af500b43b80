/* SPDX-License-Identifier: ISC */
/* buckets: a set is a line of the processor's cache. The words guard no other
 * memory, so that all of it is relaxed. */
#include "buckets.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "mem.h"

#define RELAXED memory_order_relaxed
#define SETS 32768u /* a power of two */
#define WAYS 8u
#define LINE 64u
#define TICKS UINT64_C(4) /* in a microsecond */
#define SECOND (1000000 * TICKS)

/* A word: the tag, then the tick at which the bucket is full again, which
 * wraps. 0: nobody's. */
#define TIME_BITS 42
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)

/* What is further ahead is not ahead but long past. */
#define ROOM_MAX (BUCKETS_BURST_SECONDS * SECOND)

struct buckets {
	uint64_t keys[2]; /* drawn */
	_Atomic uint64_t (*sets)[WAYS];
	void *memory; /* of sets */
};

bool
bucket_rate_set(struct bucket_rate *rate)
{
	assert(rate->number >= 1 && rate->number <= BUCKETS_NUMBER_MAX &&
	       rate->seconds >= 1 && rate->burst >= 1 &&
	       rate->burst <= BUCKETS_BURST_MAX);
	rate->step = (rate->seconds * SECOND + rate->number / 2) / rate->number;
	rate->room = rate->step * rate->burst;
	return rate->room <= ROOM_MAX;
}

struct buckets *
buckets_new(void)
{
	struct buckets *buckets = mem_alloc(sizeof(*buckets));
	size_t size = SETS * sizeof(*buckets->sets);

	static_assert(sizeof(*buckets->sets) == LINE, "a set is a line");
	buckets->memory = mem_alloc(size + LINE);
	buckets->sets =
	    (void *)(((uintptr_t)buckets->memory + LINE - 1) / LINE * LINE);
	/* without random bytes yet, the clock still differs */
	if (getrandom(buckets->keys, sizeof(buckets->keys), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(buckets->keys))
		clock_gettime(
		    CLOCK_MONOTONIC, (struct timespec *)(void *)buckets->keys);
	return buckets;
}

void
buckets_free(struct buckets *buckets)
{
	if (buckets == NULL)
		return;
	free(buckets->memory);
	free(buckets);
}

/* ---- keys ---- */

struct sip {
	uint64_t v[4];
};

static uint64_t
rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static void
sip_round(struct sip *s)
{
	uint64_t *v = s->v;

	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32) + v[3];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static void
sip_word(struct sip *s, uint64_t word)
{
	s->v[3] ^= word;
	sip_round(s);
	s->v[0] ^= word;
}

/* SipHash-1-3 (Aumasson and Bernstein, 2012), words in the host's order. */
static uint64_t
sip_hash(const uint64_t keys[2], const char *at, size_t len)
{
	struct sip s = {{keys[0] ^ UINT64_C(0x736f6d6570736575),
	    keys[1] ^ UINT64_C(0x646f72616e646f6d),
	    keys[0] ^ UINT64_C(0x6c7967656e657261),
	    keys[1] ^ UINT64_C(0x7465646279746573)}};
	uint64_t word, last = (uint64_t)len << 56;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sip_word(&s, word);
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)(unsigned char)at[i] << (8 * i);
	sip_word(&s, last);
	s.v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&s);
	return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}

uint64_t
buckets_place(struct slice site, struct slice pattern, bool exact)
{
	uint64_t keys[2] = {exact, 0};

	keys[1] = sip_hash(keys, site.at, site.len);
	return sip_hash(keys, pattern.at, pattern.len);
}

uint64_t
buckets_key(
    const struct buckets *buckets, const struct addr *client, uint64_t place)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint8_t bytes[16 + sizeof(place)] = {0};

	if (client != NULL && addr_to_bytes(client, bytes) &&
	    memcmp(bytes, mapped, sizeof(mapped)) != 0)
		memset(bytes + 8, 0, 8);
	memcpy(bytes + 16, &place, sizeof(place));
	return sip_hash(buckets->keys, (const char *)bytes, sizeof(bytes));
}

/* ---- tokens ---- */

/* 0 is of nobody. */
static uint64_t
tag_of(uint64_t key)
{
	uint64_t tag = key >> TIME_BITS;

	return tag > 0 ? tag : 1;
}

/* How long it takes until it is full. */
static uint64_t
lack_of(uint64_t word, uint64_t now)
{
	uint64_t ahead = (word - now) & TIME_MASK;

	return word == 0 || ahead > ROOM_MAX ? 0 : ahead;
}

struct spot {
	_Atomic uint64_t *bucket;
	uint64_t word; /* that stood there */
	uint64_t lack; /* of the key's own; a new one is full */
};

/* The key's bucket, or the one that is to become it. */
static struct spot
find(struct buckets *buckets, uint64_t key, uint64_t now)
{
	_Atomic uint64_t *set = buckets->sets[key % SETS];
	uint64_t tag = tag_of(key), least = UINT64_MAX;
	struct spot found = {NULL, 0, 0};

	for (unsigned i = 0; i < WAYS; i++) {
		uint64_t word = atomic_load_explicit(&set[i], RELAXED);
		uint64_t lack = lack_of(word, now);

		if (word >> TIME_BITS == tag)
			return (struct spot){&set[i], word, lack};
		if (lack >= least)
			continue;
		least = lack;
		found.bucket = &set[i];
		found.word = word;
	}
	return found;
}

static uint64_t
microseconds(uint64_t ticks)
{
	return (ticks + TICKS - 1) / TICKS;
}

/* A bucket that lacks more than it can hold was of another rate before a
 * reload: it is empty now. A little more it lacks where the clock of another
 * thread was read later than ours. */
uint64_t
buckets_take(struct buckets *buckets, uint64_t key,
    const struct bucket_rate *rate, uint64_t now)
{
	uint64_t lack, wait, next;
	struct spot spot;

	now = now * TICKS & TIME_MASK;
	do {
		spot = find(buckets, key, now);
		lack = spot.lack > rate->room + SECOND ? rate->room : spot.lack;
		next = lack + rate->step;
		wait = next > rate->room ? next - rate->room : 0;
		if (wait > 0 && lack == spot.lack)
			return microseconds(wait);
		if (wait > 0)
			next = lack;
		next = tag_of(key) << TIME_BITS | ((now + next) & TIME_MASK);
	} while (!atomic_compare_exchange_strong_explicit(
	    spot.bucket, &spot.word, next, RELAXED, RELAXED));
	return microseconds(wait);
}
