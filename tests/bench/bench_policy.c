/* SPDX-License-Identifier: ISC */
/* What a decision costs, over random paths, with 1, 1,000 and 100,000
 * locations: the same work should be done whatever their number. What is left
 * of a difference is memory that no longer fits the processor's caches. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mem.h"
#include "policy.h"

#define PATHS 65536u
#define ROUNDS 16u
#define PATH_MAX_BYTES 96
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct bench {
	unsigned count; /* locations */
	struct site_rules site;
	struct location_rules *rules;
	struct hosts *door;
	char (*patterns)[PATH_MAX_BYTES];
	char (*paths)[PATH_MAX_BYTES];
	struct head *heads;
	uint64_t seed;
};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* xorshift64: the same sequence in every run. */
static uint32_t
draw(struct bench *bench, uint32_t below)
{
	bench->seed ^= bench->seed << 13;
	bench->seed ^= bench->seed >> 7;
	bench->seed ^= bench->seed << 17;
	return (uint32_t)(bench->seed >> 32) % below;
}

/* Location 0 is "/"; of the others each tenth has a "*". */
static void
name_pattern(char *out, unsigned i)
{
	if (i == 0)
		snprintf(out, PATH_MAX_BYTES, "/");
	else if (i % 10 == 0)
		snprintf(out, PATH_MAX_BYTES, "/team%u/*/resource%u/items",
		    i % 512, i);
	else
		snprintf(out, PATH_MAX_BYTES, "/team%u/v%u/resource%u", i % 512,
		    i % 3, i);
}

static void
build(struct bench *bench)
{
	unsigned i;

	bench->site.locations = trie_new();
	for (i = 0; i < bench->count; i++) {
		bench->rules[i] = (struct location_rules){
		    .pattern = slice_of(bench->patterns[i]),
		    .allow = method_bit(METHOD_GET) | method_bit(METHOD_HEAD)};
		trie_add(bench->site.locations, bench->rules[i].pattern, false,
		    &bench->rules[i]);
		bench->site.supported |= bench->rules[i].allow;
	}
	trie_seal(bench->site.locations);
	bench->door = hosts_new();
	hosts_add(bench->door, SLICE("bench.example"), &bench->site);
}

/* Below a random location, one time in four below none but "/"; one request
 * in eight is a DELETE. */
static void
draw_paths(struct bench *bench)
{
	unsigned i, of;

	for (i = 0; i < PATHS; i++) {
		of = draw(bench, bench->count < 1000 ? 1000 : bench->count);
		if (draw(bench, 4) == 0)
			of += 10000000;
		snprintf(bench->paths[i], PATH_MAX_BYTES,
		    "/team%u/v%u/resource%u/items/%u", of % 512, of % 3, of,
		    draw(bench, 1000000));
		bench->heads[i] = (struct head){.method = draw(bench, 8) == 0
							      ? SLICE("DELETE")
							      : SLICE("GET"),
		    .authority = SLICE("bench.example:8080"),
		    .target = slice_of(bench->paths[i]),
		    .path = slice_of(bench->paths[i]),
		    .minor = 1};
	}
}

static void
measure(unsigned count)
{
	struct bench bench = {.count = count, .seed = 88172645463325252u};
	struct policy_facts facts = {.body = {BODY_NONE, 0}};
	struct decision decision;
	double start, built, took;
	unsigned i, forwarded = 0;

	bench.rules = mem_alloc(count * sizeof(*bench.rules));
	bench.patterns = mem_alloc(count * sizeof(*bench.patterns));
	bench.paths = mem_alloc(PATHS * sizeof(*bench.paths));
	bench.heads = mem_alloc(PATHS * sizeof(*bench.heads));
	for (i = 0; i < count; i++)
		name_pattern(bench.patterns[i], i);
	draw_paths(&bench);
	start = now();
	build(&bench);
	built = now() - start;
	facts.door = bench.door;
	start = now();
	for (i = 0; i < PATHS * ROUNDS; i++) {
		facts.head = &bench.heads[i % PATHS];
		policy_decide(&facts, &decision);
		forwarded += decision.verdict == VERDICT_FORWARD;
	}
	took = now() - start;
	printf("%7u locations: %6.1f ns a decision, %5.1f %% forwarded, "
	       "built in %.2f ms\n",
	    count, took / (PATHS * ROUNDS),
	    100.0 * forwarded / (PATHS * ROUNDS), built / 1e6);
	trie_free(bench.site.locations);
	hosts_free(bench.door);
	free(bench.rules);
	free(bench.patterns);
	free(bench.paths);
	free(bench.heads);
}

int
main(void)
{
	static const unsigned counts[] = {1, 1000, 100000};
	size_t i;

	for (i = 0; i < COUNT(counts); i++)
		measure(counts[i]);
	return EXIT_SUCCESS;
}
