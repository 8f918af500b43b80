/* SPDX-License-Identifier: ISC */
/* server: the house loop of the daemon. It serves no request; it owns what the
 * workers share and is the only one to hear signals. */
#include "server.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "crew.h"
#include "entrances.h"
#include "links.h"
#include "log.h"
#include "transport_evhttp.h"
#include "upkeep.h"

/* Descriptors besides one per connection: logs, signals, names, checks; and of
 * each worker, besides its listeners. */
#define DESCRIPTORS_OWN 64
#define DESCRIPTORS_WORKER 8

enum { SIGNAL_COUNT = 6 };
static const int signals[SIGNAL_COUNT] = {
    SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGHUP, SIGUSR2};

struct server {
	struct loop loop;
	struct config *config;
	struct links links; /* of checks */
	struct servers *servers;
	struct upkeep *upkeep;
	struct entrances *entrances;
	struct crew *crew; /* NULL: not yet started */
	struct record_sink *sink, *old_sink;
	struct event *signals[SIGNAL_COUNT];
	struct timer drain_timer;
	bool draining;
};

/* The soft limit goes up to the hard one; false when that is too low. */
static bool
raise_descriptors(const struct config *config)
{
	const struct gate_config *gate = &config->gate;
	rlim_t need = (rlim_t)gate->max_connections + DESCRIPTORS_OWN +
		      (rlim_t)crew_size(gate) *
			  (config->listen_count + DESCRIPTORS_WORKER);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return true;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= need)
		return true;
	log_error("max_connections = %u needs %llu descriptors but the limit "
		  "is %llu: lower it, or raise LimitNOFILE (ulimit -Hn)",
	    gate->max_connections, (unsigned long long)need,
	    (unsigned long long)limit.rlim_cur);
	return false;
}

static void
stop_now(struct server *server)
{
	loop_stop(&server->loop);
}

static void
on_drain_timeout(struct timer *timer)
{
	struct server *server =
	    (struct server *)((char *)timer -
			      offsetof(struct server, drain_timer));

	log_warn("drain_timeout is over: connections are cut");
	stop_now(server);
}

static void
on_drained(void *arg)
{
	stop_now(arg);
}

static void
drain(struct server *server, int number)
{
	if (server->draining) {
		log_warn("stopping at once signal=%s", sigdescr_np(number));
		stop_now(server);
		return;
	}
	log_info("draining signal=%s timeout_ms=%u", sigdescr_np(number),
	    server->config->gate.drain_timeout);
	server->draining = true;
	loop_timer_start(&server->loop, &server->drain_timer,
	    server->config->gate.drain_timeout);
	entrances_drain(server->entrances);
	crew_drain(server->crew);
}

static void
on_reopened(void *arg)
{
	struct server *server = arg;

	record_sink_close(server->old_sink);
	server->old_sink = NULL;
	log_info("access log reopened");
}

static void
reopen(struct server *server)
{
	struct slice where = server->config->gate.access_log;
	const char *error = NULL;
	struct record_sink *sink;

	if (server->sink == NULL || server->old_sink != NULL)
		return;
	sink = record_sink_open(where, &error);
	if (sink == NULL) {
		log_error("access log stays as it is path=%.*s error=%s",
		    SLICE_ARG(where), error);
		return;
	}
	server->old_sink = server->sink;
	server->sink = sink;
	crew_reopen(server->crew, sink, on_reopened, server);
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	struct server *server = arg;

	(void)what;
	switch (number) {
	case SIGUSR1:
		reopen(server);
		return;
	case SIGHUP:
		log_warn("reload is not in this version: restart to apply a "
			 "changed configuration");
		return;
	case SIGUSR2:
		upkeep_tell(server->upkeep);
		return;
	default:
		drain(server, (int)number);
		return;
	}
}

static void
hear_signals(struct server *server)
{
	struct event_base *base = server->loop.base;
	int i;

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < SIGNAL_COUNT; i++) {
		server->signals[i] =
		    evsignal_new(base, signals[i], on_signal, server);
		if (server->signals[i] == NULL ||
		    event_add(server->signals[i], NULL) != 0)
			log_fatal("no event for a signal");
	}
}

static void
tell_ready(const struct config *config)
{
	unsigned i, locations = 0;

	for (i = 0; i < config->site_count; i++)
		locations += config->sites[i]->location_count;
	log_info("ready version=%s pid=%d sites=%u locations=%u",
	    METHODGATE_VERSION, (int)getpid(), config->site_count, locations);
}

static void
publish(void *arg, struct server_list *list)
{
	struct server *server = arg;

	crew_publish(server->crew, list);
}

static void
start_upkeep(struct server *server)
{
	struct upkeep_setup setup = {.loop = &server->loop,
	    .config = server->config,
	    .servers = server->servers,
	    .links = &server->links,
	    .publish = publish,
	    .arg = server};

	server->upkeep = upkeep_new(&setup);
}

static void
on_accept(void *arg, int fd, const struct addr *peer, unsigned id)
{
	struct server *server = arg;

	crew_give(server->crew, fd, peer, id);
}

static bool
open_entrances(struct server *server, unsigned workers)
{
	server->entrances = entrances_new(&server->loop, workers,
	    (struct entrances_owner){on_accept, server});
	return entrances_prepare(server->entrances, server->config);
}

static void
start_crew(struct server *server, unsigned workers)
{
	struct crew_setup setup = {.house = &server->loop,
	    .size = workers,
	    .rules = {.config = server->config,
		.lists = upkeep_lists(server->upkeep),
		.sink = server->sink},
	    .entrances = server->entrances,
	    .drained = on_drained,
	    .arg = server};

	server->crew = crew_start(&setup);
}

static bool
start(struct server *server)
{
	const struct gate_config *gate = &server->config->gate;
	unsigned workers = crew_size(gate);
	const char *error = NULL;

	if (!raise_descriptors(server->config))
		return false;
	server->sink = record_sink_open(gate->access_log, &error);
	if (error != NULL) {
		log_error(
		    "access_log %.*s: %s", SLICE_ARG(gate->access_log), error);
		return false;
	}
	if (!open_entrances(server, workers))
		return false;
	entrances_commit(server->entrances);
	transport_evhttp_prepare();
	start_upkeep(server);
	hear_signals(server);
	start_crew(server, workers);
	return true;
}

static void
done(struct server *server)
{
	int i;

	crew_stop(server->crew);
	for (i = 0; i < SIGNAL_COUNT; i++)
		if (server->signals[i] != NULL)
			event_free(server->signals[i]);
	loop_timer_stop(&server->loop, &server->drain_timer);
	upkeep_free(server->upkeep);
	/* checks and look-ups that were cut go in the next steps */
	event_base_loop(server->loop.base, EVLOOP_NONBLOCK);
	crew_free(server->crew);
	entrances_free(server->entrances);
	links_done(&server->links);
	servers_free(server->servers);
	record_sink_close(server->old_sink);
	record_sink_close(server->sink);
	config_unref(server->config);
	loop_done(&server->loop);
}

int
server_run(struct config *config)
{
	struct server server = {.config = config};
	bool started;

	server.drain_timer.fn = on_drain_timeout;
	log_set_level(config->gate.log_level);
	loop_init(&server.loop);
	links_init(&server.links, &server.loop);
	server.servers = servers_new();
	started = start(&server);
	if (started) {
		tell_ready(config);
		loop_run(&server.loop);
	}
	done(&server);
	return started ? 0 : 1;
}
