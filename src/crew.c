/* SPDX-License-Identifier: ISC */
/* crew: orders go to each worker, and are done when the last one says so. */
#include "crew.h"

#include <sched.h>
#include <stdlib.h>

#include "log.h"

#define LIVE_CHECK_MS 100

/* An order that all of them have. */
struct errand {
	struct crew *crew;
	unsigned left; /* who have not answered */
	void (*done)(void *arg);
	void *arg;
};

struct crew {
	struct crew_setup setup;
	struct dealer dealer;
	struct timer live_check;     /* while it drains */
	struct worker_reply applied; /* who waits for crew_apply */
	bool stopped;		     /* nobody is told any more */
	struct worker *workers[WORKERS_MAX];
};

unsigned
crew_size(const struct gate_config *gate)
{
	cpu_set_t *set = CPU_ALLOC(CPU_SETSIZE * 8);
	size_t size = CPU_ALLOC_SIZE(CPU_SETSIZE * 8);
	int count = 0;

	if (set != NULL && sched_getaffinity(0, size, set) == 0)
		count = CPU_COUNT_S(size, set);
	CPU_FREE(set);
	if (gate->workers > 0)
		return gate->workers;
	if (count < 1)
		return 1;
	return count > WORKERS_MAX ? WORKERS_MAX : (unsigned)count;
}

static void
on_reply(void *arg)
{
	struct errand *errand = arg;

	if (--errand->left > 0)
		return;
	if (!errand->crew->stopped)
		errand->done(errand->arg);
	free(errand);
}

static struct worker_reply
send_all(struct crew *crew, void (*done)(void *arg), void *arg)
{
	struct errand *errand = mem_alloc(sizeof(*errand));

	*errand = (struct errand){crew, crew->setup.size, done, arg};
	return (struct worker_reply){on_reply, errand};
}

static void
on_live_check(struct timer *timer)
{
	struct crew *crew =
	    (struct crew *)((char *)timer - offsetof(struct crew, live_check));

	if (dealer_live(&crew->dealer) > 0)
		loop_timer_start(crew->setup.house, timer, LIVE_CHECK_MS);
	else
		crew->setup.drained(crew->setup.arg);
}

/* No worker accepts any more, and what they gave away is counted. */
static void
on_closed(void *arg)
{
	struct crew *crew = arg;

	on_live_check(&crew->live_check);
}

/* The same rules with this worker's doors, to be freed. */
static struct worker_rules
rules_of(
    const struct crew *crew, const struct worker_rules *rules, unsigned number)
{
	struct worker_rules own = *rules;
	struct entrance *doors =
	    mem_alloc((rules->config->listen_count + 1) * sizeof(*doors));

	own.doors = doors;
	own.door_count = entrances_list(crew->setup.entrances, number, doors);
	return own;
}

static void
hire(struct crew *crew, unsigned number)
{
	struct worker_setup setup = {.number = number,
	    .dealer = &crew->dealer,
	    .other = crew->workers,
	    .house = crew->setup.house,
	    .let_go = crew->setup.let_go,
	    .arg = crew->setup.arg};
	struct worker_rules rules = rules_of(crew, &crew->setup.rules, number);

	crew->workers[number] = worker_new(&setup, &rules);
	free((void *)rules.doors);
}

struct crew *
crew_start(const struct crew_setup *setup)
{
	struct crew *crew = mem_alloc(sizeof(*crew));
	unsigned i;

	crew->setup = *setup;
	crew->live_check.fn = on_live_check;
	dealer_init(&crew->dealer, setup->size);
	for (i = 0; i < setup->size; i++)
		hire(crew, i);
	for (i = 0; i < setup->size; i++)
		worker_start(crew->workers[i]);
	return crew;
}

void
crew_give(struct crew *crew, int fd, const struct addr *peer, unsigned id)
{
	unsigned to = dealer_choose(&crew->dealer, DEALER_HOUSE);

	worker_take(crew->workers[to], fd, peer, id);
}

static void
on_applied(void *arg)
{
	struct crew *crew = arg;

	for (unsigned i = 0; i < crew->setup.size; i++)
		worker_settle(crew->workers[i]);
	crew->applied.done(crew->applied.arg);
}

void
crew_apply(struct crew *crew, const struct worker_rules *rules,
    void (*done)(void *arg), void *arg)
{
	struct worker_reply reply = send_all(crew, on_applied, crew);

	crew->applied = (struct worker_reply){done, arg};
	for (unsigned i = 0; i < crew->setup.size; i++) {
		struct worker_rules own = rules_of(crew, rules, i);

		worker_apply(crew->workers[i], &own, reply);
		free((void *)own.doors);
	}
}

void
crew_drain(struct crew *crew)
{
	struct worker_reply reply = send_all(crew, on_closed, crew);

	for (unsigned i = 0; i < crew->setup.size; i++)
		worker_drain(crew->workers[i], reply);
}

void
crew_reopen(struct crew *crew, struct record_sink *sink,
    void (*done)(void *arg), void *arg)
{
	struct worker_reply reply = send_all(crew, done, arg);

	for (unsigned i = 0; i < crew->setup.size; i++)
		worker_reopen(crew->workers[i], sink, reply);
}

void
crew_publish(struct crew *crew, struct server_list *list)
{
	for (unsigned i = 0; i < crew->setup.size; i++)
		worker_publish(crew->workers[i], server_list_ref(list));
	server_list_unref(list);
}

/* ---- the end ---- */

static unsigned long long
load(const atomic_ullong *counter)
{
	return atomic_load_explicit(
	    (atomic_ullong *)counter, memory_order_relaxed);
}

/* What all of them have counted. */
static unsigned long long
sum(const struct crew *crew, size_t at)
{
	unsigned long long total = 0;

	for (unsigned i = 0; i < crew->setup.size; i++)
		total +=
		    load((const atomic_ullong *)((const char *)worker_counters(
						     crew->workers[i]) +
						 at));
	return total;
}
#define SUM(crew, counter) sum(crew, offsetof(struct record_counters, counter))

static void
tell_each(const struct crew *crew)
{
	for (unsigned i = 0; crew->setup.size > 1 && i < crew->setup.size;
	     i++) {
		const struct record_counters *count =
		    worker_counters(crew->workers[i]);

		log_info("worker stopped number=%u connections=%llu "
			 "requests=%llu",
		    i, load(&count->connections), load(&count->requests));
	}
}

static void
tell_stopped(const struct crew *crew)
{
	tell_each(crew);
	log_info("stopped connections=%llu requests=%llu forwarded=%llu "
		 "answered_405=%llu answered_501=%llu answered_other=%llu "
		 "upstream_failed=%llu client_failed=%llu tunnels=%llu "
		 "refused=%llu accept_paused=%llu rate_limited=%llu "
		 "tls_failed=%llu log_lost=%llu",
	    SUM(crew, connections), SUM(crew, requests), SUM(crew, forwarded),
	    SUM(crew, answered_405), SUM(crew, answered_501),
	    SUM(crew, answered_other), SUM(crew, upstream_failed),
	    SUM(crew, client_failed), SUM(crew, tunnels),
	    SUM(crew, connections_refused),
	    SUM(crew, accept_paused) + entrances_pauses(crew->setup.entrances),
	    SUM(crew, reasons[REASON_RATE_LIMITED]),
	    SUM(crew, reasons[REASON_TLS_HANDSHAKE]) +
		SUM(crew, reasons[REASON_TLS_HANDSHAKE_TIMEOUT]),
	    SUM(crew, log_lost));
}

void
crew_stop(struct crew *crew)
{
	if (crew == NULL)
		return;
	crew->stopped = true;
	loop_timer_stop(crew->setup.house, &crew->live_check);
	for (unsigned i = 0; i < crew->setup.size; i++)
		worker_stop(crew->workers[i]);
	tell_stopped(crew);
}

void
crew_free(struct crew *crew)
{
	if (crew == NULL)
		return;
	for (unsigned i = 0; i < crew->setup.size; i++)
		worker_free(crew->workers[i]);
	dealer_done(&crew->dealer);
	free(crew);
}
