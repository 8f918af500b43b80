/* SPDX-License-Identifier: ISC */
/* upstream: a choice goes once over the upstream's servers and notes who is
 * open to it; of these, smooth weighted round robin takes one: each gains its
 * weight, the highest goes, and pays what all have gained. */
#include "upstream.h"

#include <assert.h>
#include <stdlib.h>

#include "loop.h"

/* Of one server, in the order of the list. */
struct turn {
	int64_t credit;
	unsigned in_flight; /* as seen by the present choice */
	bool open;	    /* to the present choice */
};

struct upstream {
	struct server_list *list; /* one reference; NULL: none yet */
	struct turn *turns;
};

struct upstreams {
	unsigned count;
	struct upstream at[]; /* by index */
};

struct upstreams *
upstreams_new(const struct config *config)
{
	struct upstreams *upstreams =
	    mem_alloc(sizeof(*upstreams) +
		      config->upstream_count * sizeof(upstreams->at[0]));

	upstreams->count = config->upstream_count;
	return upstreams;
}

void
upstreams_take(struct upstreams *upstreams, struct server_list *list)
{
	struct upstream *to = &upstreams->at[list->upstream->index];

	assert(list->upstream->index < upstreams->count);
	server_list_unref(to->list);
	free(to->turns);
	to->list = list;
	to->turns = mem_alloc((list->count + 1) * sizeof(*to->turns));
}

void
upstreams_free(struct upstreams *upstreams)
{
	if (upstreams == NULL)
		return;
	for (unsigned i = 0; i < upstreams->count; i++) {
		server_list_unref(upstreams->at[i].list);
		free(upstreams->at[i].turns);
	}
	free(upstreams);
}

/* ---- who is open ---- */

static bool
was_tried(
    const struct upstream_choice *choice, const struct server_state *server)
{
	for (unsigned i = 0; i < choice->tried; i++)
		if (choice->ids[i] == server->id)
			return true;
	return false;
}

/* Part of a list: its primaries, or its backups. */
struct part {
	unsigned from, to;
	unsigned up, open; /* how many of it are */
};

static void
survey(const struct upstream *upstream, const struct upstream_choice *choice,
    uint64_t now, struct part *part)
{
	part->up = part->open = 0;
	for (unsigned i = part->from; i < part->to; i++) {
		const struct server_entry *entry = &upstream->list->at[i];
		struct turn *turn = &upstream->turns[i];

		turn->open = false;
		if (!server_may_try(entry->server, now) ||
		    was_tried(choice, entry->server))
			continue;
		part->up++;
		turn->in_flight = atomic_load_explicit(
		    &entry->server->in_flight, memory_order_relaxed);
		turn->open = entry->config->max == 0 ||
			     turn->in_flight < entry->config->max;
		part->open += turn->open;
	}
}

/* Leaves only those open that have the least to do for their weight. */
static void
keep_idlest(const struct upstream *upstream, const struct part *part)
{
	const struct server_entry *at = upstream->list->at;
	struct turn *turns = upstream->turns;
	unsigned least = part->to, i;

#define LOAD(a, b) ((uint64_t)turns[a].in_flight * at[b].config->weight)
	for (i = part->from; i < part->to; i++)
		if (turns[i].open &&
		    (least == part->to || LOAD(i, least) < LOAD(least, i)))
			least = i;
	for (i = part->from; i < part->to; i++)
		if (turns[i].open && LOAD(i, least) > LOAD(least, i))
			turns[i].open = false;
#undef LOAD
}

/* Some one is open. */
static unsigned
take_turn(const struct upstream *upstream, const struct part *part)
{
	struct turn *turns = upstream->turns;
	unsigned best = part->to;
	int64_t total = 0;

	for (unsigned i = part->from; i < part->to; i++) {
		if (!turns[i].open)
			continue;
		turns[i].credit += upstream->list->at[i].config->weight;
		total += upstream->list->at[i].config->weight;
		if (best == part->to || turns[i].credit > turns[best].credit)
			best = i;
	}
	turns[best].credit -= total;
	return best;
}

/* ---- choices ---- */

static void
hold(struct upstream_choice *choice, const struct server_entry *entry)
{
	choice->held = entry->server;
	choice->server = entry->config;
	choice->addr = &entry->server->addr;
	choice->ids[choice->tried++] = entry->server->id;
}

/* Another worker may have been quicker: then it shows in the next survey. */
static enum reason
choose_in(const struct upstream *upstream, struct upstream_choice *choice,
    struct part *part)
{
	const struct upstream_config *config = upstream->list->upstream;
	const struct server_entry *entry;
	uint64_t now = loop_now();

	for (;;) {
		survey(upstream, choice, now, part);
		if (part->up == 0)
			return REASON_UPSTREAM_UNAVAILABLE;
		if (part->open == 0)
			return REASON_UPSTREAM_BUSY;
		if (config->balance == BALANCE_LEASTCONN)
			keep_idlest(upstream, part);
		entry = &upstream->list->at[take_turn(upstream, part)];
		if (!server_enter(entry->server, entry->config->max))
			continue;
		if (server_claim(entry->server, now, config->health.interval))
			break;
		server_leave(entry->server);
	}
	hold(choice, entry);
	return REASON_NONE;
}

/* Seconds, at least one, until some server may be tried again or is checked. */
static unsigned
retry_after(const struct upstream *upstream, uint64_t now)
{
	uint64_t least = upstream->list->upstream->health.interval, due;

	for (unsigned i = 0; i < upstream->list->count; i++) {
		struct server_state *server = upstream->list->at[i].server;

		due = atomic_load_explicit(
		    &server->retry_at, memory_order_relaxed);
		if (server->check.len > 0)
			continue;
		if (due < now + least)
			least = due > now ? due - now : 0;
	}
	return least > 1000 ? (unsigned)((least + 999) / 1000) : 1;
}

enum reason
upstream_choose(struct upstreams *upstreams,
    const struct upstream_config *config, struct upstream_choice *choice)
{
	const struct upstream *upstream = &upstreams->at[config->index];
	enum reason why;
	struct part part;

	assert(config->index < upstreams->count);
	upstream_release(choice);
	choice->retry_after = 1;
	if (upstream->list == NULL || choice->tried > config->retries)
		return REASON_UPSTREAM_UNAVAILABLE;
	part = (struct part){0, upstream->list->primaries, 0, 0};
	why = choose_in(upstream, choice, &part);
	if (why != REASON_UPSTREAM_UNAVAILABLE)
		return why;
	part = (struct part){
	    upstream->list->primaries, upstream->list->count, 0, 0};
	why = choose_in(upstream, choice, &part);
	if (why == REASON_UPSTREAM_UNAVAILABLE)
		choice->retry_after = retry_after(upstream, loop_now());
	return why;
}

void
upstream_connected(const struct upstream_choice *choice)
{
	server_connected(choice->held);
}

void
upstream_failed(const struct upstream_choice *choice,
    const struct upstream_config *upstream, enum reason why)
{
	server_failed(
	    choice->held, &upstream->health, loop_now(), reason_word(why));
}

void
upstream_release(struct upstream_choice *choice)
{
	if (choice->held == NULL)
		return;
	server_leave(choice->held);
	choice->held = NULL;
	choice->addr = NULL;
}
