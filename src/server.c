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

#include "links.h"
#include "listener.h"
#include "log.h"
#include "transport_evhttp.h"
#include "upkeep.h"
#include "worker.h"

/* descriptors besides one per connection: listeners, logs, epoll, eventfd */
#define DESCRIPTORS_OWN 64

enum { SIGNAL_COUNT = 6 };
static const int signals[SIGNAL_COUNT] = {
    SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGHUP, SIGUSR2};

struct server {
	struct loop loop;
	struct config *config;
	struct links links; /* of checks */
	struct servers *servers;
	struct upkeep *upkeep;
	struct worker *worker;
	struct record_sink *sink, *old_sink;
	struct event *signals[SIGNAL_COUNT];
	struct listener_file *files; /* of the listeners; NULL: none bound */
	struct timer drain_timer;
	bool draining;
};

/* The soft limit goes up to the hard one; false when that is too low. */
static bool
raise_descriptors(const struct gate_config *gate)
{
	rlim_t need = (rlim_t)gate->max_connections + DESCRIPTORS_OWN;
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
		log_warn("stopping at once signal=%s", strsignal(number));
		stop_now(server);
		return;
	}
	log_info("draining signal=%s timeout_ms=%u", strsignal(number),
	    server->config->gate.drain_timeout);
	server->draining = true;
	loop_timer_start(&server->loop, &server->drain_timer,
	    server->config->gate.drain_timeout);
	worker_drain(server->worker);
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
	worker_reopen(server->worker, sink, on_reopened, server);
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

/* One socket per listen line, or false with all opened ones closed. */
static bool
bind_all(struct server *server, int *fds)
{
	const struct config *config = server->config;
	unsigned i;

	server->files =
	    mem_alloc(config->listen_count * sizeof(*server->files));
	for (i = 0; i < config->listen_count; i++) {
		fds[i] = listener_bind(config->listens[i], &server->files[i]);
		if (fds[i] >= 0)
			continue;
		log_error("%s:%u: cannot listen on %.*s: %s",
		    config->listens[i]->file, config->listens[i]->line,
		    SLICE_ARG(config->listens[i]->text),
		    listener_error(config->listens[i], errno));
		while (i-- > 0)
			close(fds[i]);
		return false;
	}
	return true;
}

static void
tell_ready(const struct config *config)
{
	unsigned i, locations = 0;

	for (i = 0; i < config->listen_count; i++)
		log_info("listening address=%.*s",
		    SLICE_ARG(config->listens[i]->text));
	for (i = 0; i < config->site_count; i++)
		locations += config->sites[i]->location_count;
	log_info("ready version=%s pid=%d sites=%u locations=%u",
	    METHODGATE_VERSION, (int)getpid(), config->site_count, locations);
}

static unsigned long long
load(const atomic_ullong *counter)
{
	return atomic_load_explicit(
	    (atomic_ullong *)counter, memory_order_relaxed);
}

static void
tell_stopped(const struct record_counters *count)
{
	log_info("stopped connections=%llu requests=%llu forwarded=%llu "
		 "answered_405=%llu answered_501=%llu answered_other=%llu "
		 "upstream_failed=%llu client_failed=%llu tunnels=%llu "
		 "log_lost=%llu",
	    load(&count->connections), load(&count->requests),
	    load(&count->forwarded), load(&count->answered_405),
	    load(&count->answered_501), load(&count->answered_other),
	    load(&count->upstream_failed), load(&count->client_failed),
	    load(&count->tunnels), load(&count->log_lost));
}

static void
publish(void *arg, struct server_list *list)
{
	struct server *server = arg;

	worker_publish(server->worker, list);
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

static bool
start(struct server *server, int *fds)
{
	const struct gate_config *gate = &server->config->gate;
	const char *error = NULL;
	struct worker_setup setup = {.config = server->config,
	    .fds = fds,
	    .house = &server->loop,
	    .drained = on_drained,
	    .arg = server};

	if (!raise_descriptors(gate))
		return false;
	server->sink = record_sink_open(gate->access_log, &error);
	if (error != NULL) {
		log_error(
		    "access_log %.*s: %s", SLICE_ARG(gate->access_log), error);
		return false;
	}
	if (!bind_all(server, fds))
		return false;
	setup.sink = server->sink;
	transport_evhttp_prepare();
	start_upkeep(server);
	setup.lists = upkeep_lists(server->upkeep);
	hear_signals(server);
	server->worker = worker_start(&setup);
	return true;
}

static void
remove_files(struct server *server)
{
	const struct config *config = server->config;

	for (unsigned i = 0; server->files != NULL && i < config->listen_count;
	     i++)
		listener_remove(config->listens[i], &server->files[i]);
	free(server->files);
}

static void
done(struct server *server)
{
	int i;

	worker_stop(server->worker);
	if (server->worker != NULL)
		tell_stopped(worker_counters(server->worker));
	worker_free(server->worker);
	for (i = 0; i < SIGNAL_COUNT; i++)
		if (server->signals[i] != NULL)
			event_free(server->signals[i]);
	loop_timer_stop(&server->loop, &server->drain_timer);
	upkeep_free(server->upkeep);
	/* checks and look-ups that were cut go in the next steps */
	event_base_loop(server->loop.base, EVLOOP_NONBLOCK);
	links_done(&server->links);
	servers_free(server->servers);
	remove_files(server);
	record_sink_close(server->old_sink);
	record_sink_close(server->sink);
	config_unref(server->config);
	loop_done(&server->loop);
}

int
server_run(struct config *config)
{
	struct server server = {.config = config};
	int *fds = mem_alloc(config->listen_count * sizeof(*fds));
	bool started;

	server.drain_timer.fn = on_drain_timeout;
	log_set_level(config->gate.log_level);
	loop_init(&server.loop);
	links_init(&server.links, &server.loop);
	server.servers = servers_new();
	started = start(&server, fds);
	if (started) {
		tell_ready(config);
		loop_run(&server.loop);
	}
	done(&server);
	free(fds);
	return started ? 0 : 1;
}
