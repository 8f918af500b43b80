/* SPDX-License-Identifier: ISC */
/* worker: one thread with its event loop. Everything in struct worker is the
 * thread's own once it runs, but for the mailbox inside the loop and the
 * counters, which others only read. */
#include "worker.h"

#include <assert.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client_h1.h"
#include "doorway.h"
#include "exchange.h"
#include "links.h"
#include "listener.h"
#include "log.h"

/* A listener of the gate, here. */
struct entry {
	struct door door; /* first */
	LIST_ENTRY(entry) link;
	struct worker *worker;
	struct listener *listener; /* NULL: none here, or closed */
	int fd; /* to be listened on when all know of it; -1: none */
	unsigned id;
	unsigned live; /* connections */
	bool settled;  /* gone, and nobody is on his way to it */
	bool named;    /* by the rules at hand */
	bool proxied;  /* connections begin with a PROXY header */
};
LIST_HEAD(entry_list, entry);

struct worker {
	struct loop loop;
	struct worker_setup setup;
	struct record record;
	struct exchange_env exchanges;
	struct client_h1_env clients;
	struct doorway doorway;
	struct links links;
	struct entry_list entries;
	bool stopped; /* what still comes is cut */
	bool pauses;  /* one of its listeners may */
	struct pace refused;
	pthread_t thread;
};

/* A message to a worker, or back to the house. */
struct order {
	struct mail mail;
	struct worker *worker;
	struct record_sink *sink;
	struct server_list *list;
	struct config *config;
	struct worker_reply reply;
};

/* New rules on their way to a worker. */
struct change {
	struct mail mail;
	struct worker *worker;
	struct worker_rules rules; /* own copies, references held */
	struct worker_reply reply;
};

/* A connection on its way to a worker. */
struct visitor {
	struct mail mail;
	struct worker *worker;
	int fd;
	unsigned door;
	struct addr peer;
};

static void
on_done(struct mail *mail)
{
	struct order *order = (struct order *)mail;

	order->reply.done(order->reply.arg);
	free(order);
}

static struct order *
new_order(struct worker *worker, struct order order)
{
	struct order *copy = mem_alloc(sizeof(*copy));

	*copy = order;
	copy->worker = worker;
	return copy;
}

/* Sends the order back: done runs on the house's loop. */
static void
reply(struct order *order)
{
	if (order->reply.done == NULL) {
		free(order);
		return;
	}
	order->mail.fn = on_done;
	loop_post(order->worker->setup.house, &order->mail);
}

static void
post(struct worker *worker, void (*fn)(struct mail *), struct order order)
{
	struct order *copy = new_order(worker, order);

	copy->mail.fn = fn;
	loop_post(&worker->loop, &copy->mail);
}

/* ---- connections ---- */

static void
refuse(struct entry *entry, int fd, enum reason why)
{
	struct worker *worker = entry->worker;

	record_add(&worker->record.count.connections_refused);
	record_add(&worker->record.count.reasons[why]);
	dealer_leave(worker->setup.dealer, worker->setup.number, false);
	client_h1_refuse(fd, why, entry->door.listen->tls);
}

static void
tell_refused(struct worker *worker, const struct addr *peer, uint32_t max)
{
	char ip[ADDR_TEXT_MAX];
	unsigned untold;

	if (pace_allows(&worker->refused, &untold))
		log_info("connection refused client=%.*s reason=%s "
			 "max_connections_per_client=%u untold=%u",
		    (int)addr_ip_text(peer, ip), ip,
		    reason_word(REASON_TOO_MANY_OF_CLIENT), max, untold);
}

/* If not, it is counted until guests_leave. A proxy's connections are its
 * clients'. */
static bool
is_one_too_many(struct worker *worker, const struct gate_config *gate,
    const struct addr *peer)
{
	uint32_t max = gate->max_connections_per_client;

	if (guests_enter(worker->setup.dealer->guests, peer) <= max ||
	    max == 0 || config_trusts(gate, peer))
		return false;
	guests_leave(worker->setup.dealer->guests, peer);
	tell_refused(worker, peer, max);
	return true;
}

static void
close_entry(struct entry *entry)
{
	listener_free(entry->listener);
	entry->listener = NULL;
	if (entry->fd >= 0)
		close(entry->fd);
	entry->fd = -1;
}

static void
free_entry(struct entry *entry)
{
	close_entry(entry);
	LIST_REMOVE(entry, link);
	generation_leave(entry->door.generation);
	free(entry);
}

static void
on_paused(void *arg)
{
	struct entry *entry = arg;

	entry->worker->pauses = true;
	record_add(&entry->worker->record.count.accept_paused);
}

/* A descriptor is free. */
static void
resume(struct worker *worker)
{
	struct entry *entry;

	if (!worker->pauses)
		return;
	worker->pauses = false;
	LIST_FOREACH(entry, &worker->entries, link)
	if (entry->listener != NULL)
		listener_resume(entry->listener);
}

static void
leave(struct door *door, enum reason why)
{
	struct entry *entry = (struct entry *)door;
	struct worker *worker = entry->worker;

	dealer_leave(worker->setup.dealer, worker->setup.number, true);
	if (why != REASON_NONE)
		record_add(&worker->record.count.reasons[why]);
	if (--entry->live == 0 && entry->settled)
		free_entry(entry);
	resume(worker);
}

/* It begins with what TLS or HTTP has, and the client is known. */
static void
enter(void *arg, int fd, const struct addr *peer, void *door)
{
	struct worker *worker = arg;
	struct entry *entry = door;
	const struct config *config = entry->door.generation->config;

	if (!is_one_too_many(worker, &config->gate, peer)) {
		client_h1_open(&worker->clients, fd, peer, door);
		return;
	}
	record_add(&worker->record.count.connections_refused);
	client_h1_refuse(
	    fd, REASON_TOO_MANY_OF_CLIENT, entry->door.listen->tls);
	leave(door, REASON_TOO_MANY_OF_CLIENT);
}

/* It is this worker's, as the dealer counts. */
static void
welcome(struct entry *entry, int fd, const struct addr *peer)
{
	struct worker *worker = entry->worker;
	const struct generation *generation = entry->door.generation;

	record_add(&worker->record.count.connections);
	if (!dealer_admit(worker->setup.dealer,
		generation->config->gate.max_connections)) {
		refuse(entry, fd, REASON_TOO_MANY_CONNECTIONS);
		return;
	}
	entry->live++;
	if (entry->proxied)
		doorway_open(&worker->doorway, &generation->config->gate, fd,
		    peer, &entry->door);
	else
		enter(worker, fd, peer, &entry->door);
}

static struct entry *
entry_of(const struct worker *worker, unsigned id)
{
	struct entry *entry;

	LIST_FOREACH(entry, &worker->entries, link)
	if (entry->id == id)
		break;
	return entry;
}

static void
on_visitor(struct mail *mail)
{
	struct visitor *visitor = (struct visitor *)mail;
	struct entry *entry = entry_of(visitor->worker, visitor->door);

	assert(entry != NULL);
	if (visitor->worker->stopped)
		close(visitor->fd);
	else
		welcome(entry, visitor->fd, &visitor->peer);
	free(visitor);
}

void
worker_take(
    struct worker *worker, int fd, const struct addr *peer, unsigned door)
{
	struct visitor *visitor = mem_alloc(sizeof(*visitor));

	*visitor = (struct visitor){.mail.fn = on_visitor,
	    .worker = worker,
	    .fd = fd,
	    .door = door,
	    .peer = *peer};
	loop_post(&worker->loop, &visitor->mail);
}

static void
on_accept(void *arg, int fd, const struct addr *peer)
{
	struct entry *entry = arg;
	struct worker_setup *setup = &entry->worker->setup;
	unsigned to = dealer_choose(setup->dealer, setup->number);

	if (to == setup->number)
		welcome(entry, fd, peer);
	else
		worker_take(setup->other[to], fd, peer, entry->id);
}

static void
on_closed(
    void *arg, struct door *door, const struct addr *peer, enum reason why)
{
	(void)arg;
	guests_leave(
	    ((struct entry *)door)->worker->setup.dealer->guests, peer);
	leave(door, why);
}

/* Of the doorway. */
static void
never_entered(void *arg, void *door, enum reason why)
{
	(void)arg;
	leave(door, why);
}

/* ---- rules ---- */

static void
free_change(struct change *change)
{
	struct worker_rules *rules = &change->rules;

	for (unsigned i = 0; i < rules->config->upstream_count; i++)
		server_list_unref(rules->lists[i]);
	free((void *)rules->lists);
	free((void *)rules->doors);
	config_unref(rules->config);
	free(change);
}

/* What the kernel has taken already is served by the rules that it came
 * under. */
static void
drain_entry(struct entry *entry)
{
	if (entry->listener != NULL)
		listener_drain(entry->listener);
	close_entry(entry);
}

static void
show(struct entry *entry, const struct entrance *entrance,
    struct generation *generation)
{
	generation_leave(entry->door.generation);
	entry->door.generation = generation_use(generation);
	entry->door.listen = entrance->listen;
	entry->proxied = entrance->listen->proxy;
	entry->named = true;
}

static struct entry *
new_entry(struct worker *worker, const struct entrance *entrance)
{
	struct entry *entry = mem_alloc(sizeof(*entry));

	entry->worker = worker;
	entry->id = entrance->id;
	entry->fd = entrance->fd;
	LIST_INSERT_HEAD(&worker->entries, entry, link);
	return entry;
}

static void
open_entry(struct entry *entry)
{
	struct listener_owner owner = {on_accept, entry, on_paused};

	if (entry->fd < 0)
		return;
	entry->listener = listener_new(&entry->worker->loop, entry->fd, owner);
	entry->fd = -1;
}

static void
leave_unnamed(struct worker *worker)
{
	struct entry *entry;

	LIST_FOREACH(entry, &worker->entries, link)
	{
		if (entry->named || entry->door.gone)
			continue;
		drain_entry(entry);
		entry->door.gone = true;
		doorway_leave(&worker->doorway, &entry->door);
		client_h1_leave(&worker->clients, &entry->door);
	}
}

static void
set_doors(struct worker *worker, const struct worker_rules *rules,
    struct generation *generation)
{
	struct entry *entry;

	LIST_FOREACH(entry, &worker->entries, link)
	entry->named = false;
	for (unsigned i = 0; i < rules->door_count; i++) {
		const struct entrance *entrance = &rules->doors[i];

		entry = entry_of(worker, entrance->id);
		if (entry == NULL)
			entry = new_entry(worker, entrance);
		show(entry, entrance, generation);
	}
	leave_unnamed(worker);
}

static void
on_let_go(struct mail *mail)
{
	struct order *order = (struct order *)mail;
	const struct worker_setup *setup = &order->worker->setup;

	config_unref(order->config);
	setup->let_go(setup->arg);
	free(order);
}

/* To the house: freeing a large one would keep everyone here waiting. */
static void
let_go(void *arg, struct config *config)
{
	struct worker *worker = arg;
	struct order *order =
	    new_order(worker, (struct order){.config = config});

	order->mail.fn = on_let_go;
	loop_post(worker->setup.house, &order->mail);
}

static struct generation *
make_generation(struct worker *worker, const struct worker_rules *rules)
{
	struct upstreams *upstreams = upstreams_new(rules->config);
	struct generation *generation;

	for (unsigned i = 0; i < rules->config->upstream_count; i++)
		upstreams_take(upstreams, server_list_ref(rules->lists[i]));
	generation = generation_new(rules->config, upstreams);
	generation->let_go = let_go;
	generation->arg = worker;
	return generation;
}

static void
take_rules(struct worker *worker, const struct worker_rules *rules)
{
	struct generation *old = worker->exchanges.generation;
	const struct gate_config *gate = &rules->config->gate;

	worker->exchanges.generation = make_generation(worker, rules);
	worker->exchanges.buckets = rules->buckets;
	record_set(&worker->record, gate, rules->sink);
	client_h1_set(&worker->clients, gate);
	set_doors(worker, rules, worker->exchanges.generation);
	generation_leave(old);
}

/* ---- orders ---- */

static void
on_drain(struct mail *mail)
{
	struct order *order = (struct order *)mail;
	struct worker *worker = order->worker;
	struct entry *entry;

	LIST_FOREACH(entry, &worker->entries, link)
	drain_entry(entry);
	exchange_env_drain(&worker->exchanges);
	doorway_drain(&worker->doorway);
	client_h1_drain(&worker->clients);
	reply(order);
}

static void
on_reopen(struct mail *mail)
{
	struct order *order = (struct order *)mail;
	struct worker *worker = order->worker;

	record_set(&worker->record, &worker->exchanges.generation->config->gate,
	    order->sink);
	reply(order);
}

static void
on_publish(struct mail *mail)
{
	struct order *order = (struct order *)mail;
	struct worker *worker = order->worker;

	upstreams_take(worker->exchanges.generation->upstreams, order->list);
	free(order);
}

static void
on_change(struct mail *mail)
{
	struct change *change = (struct change *)mail;
	struct worker *worker = change->worker;

	take_rules(worker, &change->rules);
	reply(new_order(worker, (struct order){.reply = change->reply}));
	free_change(change);
}

static void
settle(struct worker *worker)
{
	struct entry *entry = LIST_FIRST(&worker->entries), *next;

	for (; entry != NULL; entry = next) {
		next = LIST_NEXT(entry, link);
		if (!entry->door.gone) {
			open_entry(entry);
			continue;
		}
		entry->settled = true;
		if (entry->live == 0)
			free_entry(entry);
	}
}

static void
on_settle(struct mail *mail)
{
	struct order *order = (struct order *)mail;

	settle(order->worker);
	free(order);
}

static void
on_stop(struct mail *mail)
{
	struct order *order = (struct order *)mail;
	struct worker *worker = order->worker;

	free(order);
	worker->stopped = true;
	loop_stop(&worker->loop);
}

/* ---- its life ---- */

static void *
run(void *arg)
{
	struct worker *worker = arg;
	struct entry *entry;

	loop_run(&worker->loop);
	LIST_FOREACH(entry, &worker->entries, link)
	close_entry(entry);
	doorway_done(&worker->doorway);
	client_h1_env_done(&worker->clients);
	/* transports that were cut free themselves in the next step */
	event_base_loop(worker->loop.base, EVLOOP_NONBLOCK);
	links_done(&worker->links);
	record_flush(&worker->record);
	return NULL;
}

/* Signals are the house's. */
void
worker_start(struct worker *worker)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&worker->thread, NULL, run, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		log_fatal(
		    "no thread for a worker error=%s", strerrordesc_np(error));
}

struct worker *
worker_new(const struct worker_setup *setup, const struct worker_rules *rules)
{
	struct worker *worker = mem_alloc(sizeof(*worker));

	worker->setup = *setup;
	LIST_INIT(&worker->entries);
	loop_init(&worker->loop);
	record_init(&worker->record, &worker->loop);
	links_init(&worker->links, &worker->loop);
	exchange_env_init(&worker->exchanges, &worker->loop);
	worker->exchanges.links = &worker->links;
	worker->exchanges.record = &worker->record;
	client_h1_env_init(
	    &worker->clients, &worker->loop, &rules->config->gate);
	worker->clients.events = &exchange_events;
	worker->clients.arg = &worker->exchanges;
	worker->clients.closed = on_closed;
	doorway_init(&worker->doorway, &worker->loop,
	    (struct doorway_owner){enter, never_entered, worker});
	take_rules(worker, rules);
	settle(worker);
	return worker;
}

void
worker_apply(struct worker *worker, const struct worker_rules *rules,
    struct worker_reply reply_to)
{
	struct change *change = mem_alloc(sizeof(*change));
	unsigned count = rules->config->upstream_count;
	struct server_list **lists =
	    mem_alloc((count + 1) * sizeof(struct server_list *));
	size_t size = rules->door_count * sizeof(struct entrance);
	struct entrance *doors = mem_alloc(size + 1);

	for (unsigned i = 0; i < count; i++)
		lists[i] = server_list_ref(rules->lists[i]);
	memcpy(doors, rules->doors, size);
	*change = (struct change){.mail.fn = on_change,
	    .worker = worker,
	    .rules = *rules,
	    .reply = reply_to};
	change->rules.config = config_ref(rules->config);
	change->rules.lists = lists;
	change->rules.doors = doors;
	loop_post(&worker->loop, &change->mail);
}

void
worker_settle(struct worker *worker)
{
	post(worker, on_settle, (struct order){.sink = NULL});
}

void
worker_drain(struct worker *worker, struct worker_reply reply_to)
{
	post(worker, on_drain, (struct order){.reply = reply_to});
}

void
worker_reopen(struct worker *worker, struct record_sink *sink,
    struct worker_reply reply_to)
{
	post(
	    worker, on_reopen, (struct order){.sink = sink, .reply = reply_to});
}

void
worker_publish(struct worker *worker, struct server_list *list)
{
	post(worker, on_publish, (struct order){.list = list});
}

/* The rest of its mail has been read then, but for connections that others have
 * given it since. */
void
worker_stop(struct worker *worker)
{
	post(worker, on_stop, (struct order){.sink = NULL});
	pthread_join(worker->thread, NULL);
	while (!LIST_EMPTY(&worker->entries))
		free_entry(LIST_FIRST(&worker->entries));
	exchange_env_done(&worker->exchanges);
	generation_leave(worker->exchanges.generation);
	record_done(&worker->record);
}

void
worker_free(struct worker *worker)
{
	if (worker == NULL)
		return;
	loop_done(&worker->loop);
	free(worker);
}

const struct record_counters *
worker_counters(const struct worker *worker)
{
	return &worker->record.count;
}
