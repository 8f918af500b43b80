/* SPDX-License-Identifier: ISC */
/* What a token costs, with its key and without, for one client and for many,
 * served and refused; and with two threads that ask for the same client. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "buckets.h"
#include "mem.h"

#define CLIENTS 65536u
#define ROUNDS 64u
#define CALLS (CLIENTS * ROUNDS)

struct bench {
	struct buckets *buckets;
	struct bucket_rate rate;
	struct addr *clients;
	unsigned count; /* of them */
};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *
ask(void *arg)
{
	struct bench *bench = arg;
	uintptr_t refused = 0;

	for (unsigned i = 0; i < CALLS; i++) {
		uint64_t key = buckets_key(
		    bench->buckets, &bench->clients[i & (bench->count - 1)], 1);

		refused +=
		    buckets_take(bench->buckets, key, &bench->rate, i / 4) > 0;
	}
	return (void *)refused;
}

static void
tell(const char *what, double took, uintptr_t refused)
{
	printf("%-32s %6.1f ns a call, %5.1f %% refused\n", what, took / CALLS,
	    100.0 * (double)refused / CALLS);
}

static void
measure(struct bench *bench, const char *what, unsigned count, uint32_t number)
{
	double start;
	void *refused;

	bench->buckets = buckets_new();
	bench->count = count;
	bench->rate = (struct bucket_rate){number, 1, number, 0, 0};
	(void)bucket_rate_set(&bench->rate);
	start = now();
	refused = ask(bench);
	tell(what, now() - start, (uintptr_t)refused);
	buckets_free(bench->buckets);
}

static void
measure_two(struct bench *bench)
{
	void *refused, *other;
	pthread_t thread;
	double start;

	bench->buckets = buckets_new();
	bench->count = 1;
	bench->rate = (struct bucket_rate){100000, 1, 100000, 0, 0};
	(void)bucket_rate_set(&bench->rate);
	start = now();
	if (pthread_create(&thread, NULL, ask, bench) != 0)
		exit(EXIT_FAILURE);
	refused = ask(bench);
	pthread_join(thread, &other);
	tell("2 threads, 1 client", now() - start,
	    ((uintptr_t)refused + (uintptr_t)other) / 2);
	buckets_free(bench->buckets);
}

int
main(void)
{
	struct bench bench = {NULL};
	uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff, [12] = 10};

	bench.clients = mem_alloc(CLIENTS * sizeof(*bench.clients));
	for (unsigned i = 0; i < CLIENTS; i++) {
		bytes[14] = (uint8_t)(i >> 8);
		bytes[15] = (uint8_t)i;
		addr_from_bytes(bytes, 1, &bench.clients[i]);
	}
	measure(&bench, "1 client, most refused", 1, 1000);
	measure(&bench, "1,024 clients, all served", 1024, 100000);
	measure(&bench, "65,536 clients, all served", CLIENTS, 100000);
	measure_two(&bench);
	free(bench.clients);
	return EXIT_SUCCESS;
}
