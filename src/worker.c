/* SPDX-License-Identifier: ISC */
/* worker: one thread with its event loop. Everything in struct worker is the
 * thread's own once it runs, but for the mailbox inside the loop and the
 * counters, which others only read. */
#include "worker.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client_h1.h"
#include "exchange.h"
#include "links.h"
#include "listener.h"
#include "log.h"

/* A listener of the gate, here. */
struct door {
	struct worker *worker;
	struct listener *listener; /* NULL: none here, or closed */
	const struct hosts *hosts; /* borrowed: of the configuration */
	unsigned id;
};

struct worker {
	struct loop loop;
	struct worker_setup setup;
	struct record record;
	struct exchange_env exchanges;
	struct client_h1_env clients;
	struct links links;
	struct door *doors;
	unsigned door_count;
	pthread_t thread;
};

/* A message to a worker, or back to the house. */
struct order {
	struct mail mail;
	struct worker *worker;
	struct record_sink *sink;
	struct server_list *list;
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
	struct order *copy = mem_alloc(sizeof(*copy));

	*copy = order;
	copy->mail.fn = fn;
	copy->worker = worker;
	loop_post(&worker->loop, &copy->mail);
}

/* ---- connections ---- */

static void
refuse(struct worker *worker, int fd, enum reason why)
{
	record_add(&worker->record.count.connections_refused);
	record_add(&worker->record.count.reasons[why]);
	dealer_leave(worker->setup.dealer, worker->setup.number, false);
	client_h1_refuse(fd);
}

/* It is this worker's, as the dealer counts. */
static void
welcome(struct worker *worker, int fd, const struct addr *peer,
    const struct door *door)
{
	const struct gate_config *gate = &worker->exchanges.config->gate;

	record_add(&worker->record.count.connections);
	if (dealer_admit(worker->setup.dealer, gate->max_connections))
		client_h1_open(&worker->clients, fd, peer, door->hosts);
	else
		refuse(worker, fd, REASON_TOO_MANY_CONNECTIONS);
}

static void
on_visitor(struct mail *mail)
{
	struct visitor *visitor = (struct visitor *)mail;
	struct worker *worker = visitor->worker;

	for (unsigned i = 0; i < worker->door_count; i++)
		if (worker->doors[i].id == visitor->door)
			welcome(worker, visitor->fd, &visitor->peer,
			    &worker->doors[i]);
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
	const struct door *door = arg;
	struct worker_setup *setup = &door->worker->setup;
	unsigned to = dealer_choose(setup->dealer, setup->number);

	if (to == setup->number)
		welcome(door->worker, fd, peer, door);
	else
		worker_take(setup->other[to], fd, peer, door->id);
}

static void
connection_closed(void *arg, enum reason why)
{
	struct exchange_env *exchanges = arg;
	struct worker *worker =
	    (struct worker *)((char *)exchanges -
			      offsetof(struct worker, exchanges));

	dealer_leave(worker->setup.dealer, worker->setup.number, true);
	if (why != REASON_NONE)
		record_add(&worker->record.count.reasons[why]);
}

/* ---- doors ---- */

static void
close_doors(struct worker *worker)
{
	for (unsigned i = 0; i < worker->door_count; i++) {
		listener_free(worker->doors[i].listener);
		worker->doors[i].listener = NULL;
	}
}

static void
open_doors(struct worker *worker, const struct worker_rules *rules)
{
	worker->door_count = rules->door_count;
	worker->doors =
	    mem_alloc((rules->door_count + 1) * sizeof(*worker->doors));
	for (unsigned i = 0; i < rules->door_count; i++) {
		const struct entrance *from = &rules->doors[i];
		struct door *door = &worker->doors[i];

		*door = (struct door){.worker = worker,
		    .hosts = from->listen->door,
		    .id = from->id};
		if (from->fd >= 0)
			door->listener = listener_new(&worker->loop, from->fd,
			    (struct listener_owner){on_accept, door});
	}
}

/* ---- orders ---- */

static void
on_drain(struct mail *mail)
{
	struct order *order = (struct order *)mail;
	struct worker *worker = order->worker;

	for (unsigned i = 0; i < worker->door_count; i++)
		if (worker->doors[i].listener != NULL)
			listener_drain(worker->doors[i].listener);
	close_doors(worker);
	exchange_env_drain(&worker->exchanges);
	client_h1_drain(&worker->clients);
	reply(order);
}

static void
on_reopen(struct mail *mail)
{
	struct order *order = (struct order *)mail;
	struct worker *worker = order->worker;

	record_set(
	    &worker->record, &worker->exchanges.config->gate, order->sink);
	reply(order);
}

static void
on_publish(struct mail *mail)
{
	struct order *order = (struct order *)mail;
	struct worker *worker = order->worker;

	upstreams_take(worker->exchanges.upstreams, order->list);
	free(order);
}

static void
on_stop(struct mail *mail)
{
	struct order *order = (struct order *)mail;
	struct worker *worker = order->worker;

	free(order);
	loop_stop(&worker->loop);
}

/* ---- its life ---- */

static void *
run(void *arg)
{
	struct worker *worker = arg;

	loop_run(&worker->loop);
	close_doors(worker);
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

static void
take_rules(struct worker *worker, const struct worker_rules *rules)
{
	struct config *config = config_ref(rules->config);

	record_set(&worker->record, &config->gate, rules->sink);
	worker->exchanges.config = config;
	worker->exchanges.upstreams = upstreams_new(config);
	for (unsigned i = 0; i < config->upstream_count; i++)
		upstreams_take(worker->exchanges.upstreams,
		    server_list_ref(rules->lists[i]));
	open_doors(worker, rules);
}

struct worker *
worker_new(const struct worker_setup *setup, const struct worker_rules *rules)
{
	struct worker *worker = mem_alloc(sizeof(*worker));

	worker->setup = *setup;
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
	worker->clients.closed = connection_closed;
	take_rules(worker, rules);
	return worker;
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
	exchange_env_done(&worker->exchanges);
	upstreams_free(worker->exchanges.upstreams);
	record_done(&worker->record);
}

void
worker_free(struct worker *worker)
{
	if (worker == NULL)
		return;
	free(worker->doors);
	config_unref(worker->exchanges.config);
	loop_done(&worker->loop);
	free(worker);
}

const struct record_counters *
worker_counters(const struct worker *worker)
{
	return &worker->record.count;
}
