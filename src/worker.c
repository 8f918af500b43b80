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

struct worker {
	struct loop loop;
	struct worker_setup setup;
	struct record record;
	struct exchange_env exchanges;
	struct client_h1_env clients;
	struct links links;
	struct listener **listeners; /* NULL once draining */
	struct timer drain_check;
	pthread_t thread;
	bool drained;
};

/* A message to a worker, or back to the house. */
struct order {
	struct mail mail;
	struct worker *worker;
	struct record_sink *sink;
	struct server_list *list;
	void (*done)(void *arg);
	void *arg;
};

static void
on_done(struct mail *mail)
{
	struct order *order = (struct order *)mail;

	order->done(order->arg);
	free(order);
}

/* Sends the order back: done runs on the house's loop. */
static void
reply(struct order *order)
{
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

static void
on_accept(void *arg, int fd, const struct addr *peer, const struct hosts *door)
{
	struct worker *worker = arg;
	struct record_counters *count = &worker->record.count;

	record_add(&count->connections);
	if (worker->clients.live >=
	    worker->exchanges.config->gate.max_connections) {
		record_add(&count->connections_refused);
		record_add(&count->reasons[REASON_TOO_MANY_CONNECTIONS]);
		client_h1_refuse(fd);
		return;
	}
	client_h1_open(&worker->clients, fd, peer, door);
}

static void
tell_drained(struct worker *worker)
{
	struct order *order;

	if (worker->drained || worker->clients.live > 0)
		return;
	worker->drained = true;
	order = mem_alloc(sizeof(*order));
	order->worker = worker;
	order->done = worker->setup.drained;
	order->arg = worker->setup.arg;
	reply(order);
}

static void
close_listeners(struct worker *worker)
{
	unsigned i;

	if (worker->listeners == NULL)
		return;
	for (i = 0; i < worker->setup.config->listen_count; i++)
		listener_free(worker->listeners[i]);
	free(worker->listeners);
	worker->listeners = NULL;
}

#define DRAIN_CHECK_MS 100

static void
on_drain_check(struct timer *timer)
{
	struct worker *worker =
	    (struct worker *)((char *)timer -
			      offsetof(struct worker, drain_check));

	tell_drained(worker);
	if (!worker->drained)
		loop_timer_start(&worker->loop, timer, DRAIN_CHECK_MS);
}

static void
on_drain(struct mail *mail)
{
	struct order *order = (struct order *)mail;
	struct worker *worker = order->worker;

	free(order);
	for (unsigned i = 0; i < worker->setup.config->listen_count; i++)
		listener_drain(worker->listeners[i]);
	close_listeners(worker);
	exchange_env_drain(&worker->exchanges);
	client_h1_drain(&worker->clients);
	loop_timer_start(&worker->loop, &worker->drain_check, DRAIN_CHECK_MS);
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

static void
connection_closed(void *arg, enum reason why)
{
	struct exchange_env *exchanges = arg;

	if (why != REASON_NONE)
		record_add(&exchanges->record->count.reasons[why]);
}

static void
open_all(struct worker *worker)
{
	struct config *config = worker->setup.config;
	struct listener_owner owner = {on_accept, worker};
	unsigned i;

	worker->listeners =
	    mem_alloc(config->listen_count * sizeof(struct listener *));
	for (i = 0; i < config->listen_count; i++)
		worker->listeners[i] = listener_new(&worker->loop,
		    worker->setup.fds[i], config->listens[i]->door, owner);
}

static void *
run(void *arg)
{
	struct worker *worker = arg;

	open_all(worker);
	loop_run(&worker->loop);
	close_listeners(worker);
	client_h1_env_done(&worker->clients);
	/* transports that were cut free themselves in the next step */
	event_base_loop(worker->loop.base, EVLOOP_NONBLOCK);
	links_done(&worker->links);
	loop_timer_stop(&worker->loop, &worker->drain_check);
	record_flush(&worker->record);
	return NULL;
}

/* Signals are the house's. */
static void
start_thread(struct worker *worker)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&worker->thread, NULL, run, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		log_fatal("no thread for a worker error=%s", strerror(error));
}

struct worker *
worker_start(const struct worker_setup *setup)
{
	struct worker *worker = mem_alloc(sizeof(*worker));
	struct config *config = config_ref(setup->config);

	worker->setup = *setup;
	worker->drain_check.fn = on_drain_check;
	loop_init(&worker->loop);
	record_init(&worker->record, &worker->loop);
	record_set(&worker->record, &config->gate, setup->sink);
	exchange_env_init(&worker->exchanges, &worker->loop);
	links_init(&worker->links, &worker->loop);
	worker->exchanges.links = &worker->links;
	worker->exchanges.config = config;
	worker->exchanges.upstreams = upstreams_new(config);
	for (unsigned i = 0; i < config->upstream_count; i++)
		upstreams_take(worker->exchanges.upstreams,
		    server_list_ref(setup->lists[i]));
	worker->exchanges.record = &worker->record;
	client_h1_env_init(&worker->clients, &worker->loop, &config->gate);
	worker->clients.events = &exchange_events;
	worker->clients.arg = &worker->exchanges;
	worker->clients.closed = connection_closed;
	start_thread(worker);
	return worker;
}

void
worker_drain(struct worker *worker)
{
	post(worker, on_drain, (struct order){.sink = NULL});
}

void
worker_reopen(struct worker *worker, struct record_sink *sink,
    void (*done)(void *arg), void *arg)
{
	post(worker, on_reopen,
	    (struct order){.sink = sink, .done = done, .arg = arg});
}

void
worker_publish(struct worker *worker, struct server_list *list)
{
	post(worker, on_publish, (struct order){.list = list});
}

void
worker_stop(struct worker *worker)
{
	if (worker == NULL)
		return;
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
	config_unref(worker->exchanges.config);
	loop_done(&worker->loop);
	free(worker);
}

const struct record_counters *
worker_counters(const struct worker *worker)
{
	return &worker->record.count;
}
