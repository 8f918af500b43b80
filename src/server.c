/* SPDX-License-Identifier: ISC */
/* server: the house loop of the daemon. It serves no request; it owns what the
 * workers share and is the only one to hear signals. */
#include "server.h"

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "buckets.h"
#include "crew.h"
#include "entrances.h"
#include "links.h"
#include "log.h"
#include "reread.h"
#include "transport_evhttp.h"
#include "upkeep.h"

/* Descriptors besides one per connection: logs, signals, names, checks; and of
 * each worker, besides its listeners. */
#define DESCRIPTORS_OWN 64
#define DESCRIPTORS_WORKER 8

enum { SIGNAL_COUNT = 6 };
static const int signals[SIGNAL_COUNT] = {
    SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGHUP, SIGUSR2};

/* How far the taking of a new configuration has come. */
enum reload {
	RELOAD_NONE,
	RELOAD_READING,	 /* on a thread of its own */
	RELOAD_WAITING,	 /* for the access log, which is being reopened */
	RELOAD_APPLYING, /* the workers take it */
};

struct server {
	struct loop loop;
	struct config *config; /* in force */
	unsigned workers;
	enum reload reload;
	bool reload_again, reopen_again; /* asked for meanwhile */
	uint64_t reload_began;		 /* us */
	struct reread *reread;		 /* while READING */
	struct config *next;		 /* while WAITING */
	struct entrances_change change;	 /* while APPLYING */
	struct links links;		 /* of checks */
	struct servers *servers;
	struct buckets *buckets; /* NULL: no location has had a rate */
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
raise_descriptors(const struct config *config, unsigned workers)
{
	const struct gate_config *gate = &config->gate;
	rlim_t need =
	    (rlim_t)gate->max_connections + DESCRIPTORS_OWN +
	    (rlim_t)workers * (config->listen_count + DESCRIPTORS_WORKER);
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
start_drain(struct server *server)
{
	entrances_drain(server->entrances);
	crew_drain(server->crew);
}

/* What is not yet in force will not be. */
static void
give_up_reload(struct server *server)
{
	reread_abandon(server->reread);
	server->reread = NULL;
	config_unref(server->next);
	server->next = NULL;
	server->reload_again = false;
	if (server->reload == RELOAD_APPLYING)
		return;
	if (server->reload != RELOAD_NONE)
		log_warn("reload given up: the gate is draining");
	server->reload = RELOAD_NONE;
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
	give_up_reload(server);
	/* workers must know of the same doors, to give connections there */
	if (server->reload != RELOAD_APPLYING)
		start_drain(server);
}

static void reopen(struct server *server);
static void apply_next(struct server *server);

/* No worker uses it any more. */
static void
leave_old_log(struct server *server)
{
	record_sink_close(server->old_sink);
	server->old_sink = NULL;
	apply_next(server);
	if (server->reopen_again)
		reopen(server);
}

static void
on_reopened(void *arg)
{
	struct server *server = arg;

	log_info("access log reopened");
	leave_old_log(server);
}

static void
reopen(struct server *server)
{
	struct slice where = server->config->gate.access_log;
	const char *error = NULL;
	struct record_sink *sink;

	server->reopen_again =
	    server->old_sink != NULL || server->reload == RELOAD_APPLYING;
	if (server->sink == NULL || server->reopen_again)
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

/* ---- reload ---- */

static void reload(struct server *server);

static unsigned
count_locations(const struct config *config)
{
	unsigned count = 0;

	for (unsigned i = 0; i < config->site_count; i++)
		count += config->sites[i]->location_count;
	return count;
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

static bool
has_rate(const struct site *site)
{
	for (unsigned i = 0; i < site->location_count; i++)
		if (site->locations[i]->rules.rate.number > 0)
			return true;
	return false;
}

/* They outlive configurations: who asked too often did so, reload or not. */
static struct buckets *
want_buckets(struct server *server)
{
	const struct config *config = server->config;

	for (unsigned i = 0; i < config->site_count; i++)
		if (server->buckets == NULL && has_rate(config->sites[i]))
			server->buckets = buckets_new();
	return server->buckets;
}

static bool
open_log(const struct gate_config *gate, struct record_sink **sink)
{
	const char *error = NULL;

	*sink = record_sink_open(gate->access_log, &error);
	if (error != NULL)
		log_error(
		    "access_log %.*s: %s", SLICE_ARG(gate->access_log), error);
	return error == NULL;
}

static void
refuse_reload(struct server *server, unsigned errors)
{
	log_error("reload refused errors=%u: the configuration stays as it is",
	    errors);
	server->reload = RELOAD_NONE;
	if (server->reload_again)
		reload(server);
}

/* Everything that can fail; returns how many errors were logged. The log is
 * another one, or the one that is open. */
static unsigned
prepare(
    struct server *server, const struct config *next, struct record_sink **sink)
{
	bool moves =
	    !slice_eq(next->gate.access_log, server->config->gate.access_log);
	unsigned errors;

	*sink = server->sink;
	if (!raise_descriptors(next, server->workers))
		return 1;
	if (moves && !open_log(&next->gate, sink))
		return 1;
	errors = entrances_prepare(server->entrances, next);
	if (errors > 0 && moves)
		record_sink_close(*sink);
	return errors;
}

static void
warn_of_restart(const struct server *server)
{
	unsigned asked = crew_size(&server->config->gate);

	if (asked != server->workers)
		log_warn("workers=%u takes a restart: there are %u until then",
		    asked, server->workers);
}

static void
on_applied(void *arg)
{
	struct server *server = arg;
	const struct config *config = server->config;
	const struct entrances_change *change = &server->change;

	server->reload = RELOAD_NONE;
	log_info("reloaded sites=%u locations=%u listeners_kept=%u "
		 "listeners_opened=%u listeners_closed=%u ms=%llu",
	    config->site_count, count_locations(config), change->kept,
	    change->opened, change->closed,
	    (unsigned long long)(loop_now_us() - server->reload_began) / 1000);
	leave_old_log(server);
	if (server->draining)
		start_drain(server);
	else if (server->reload_again)
		reload(server);
}

static void
apply(struct server *server, struct config *next, struct record_sink *sink)
{
	struct config *before = server->config;
	struct worker_rules rules = {.config = next, .sink = sink};

	server->reload = RELOAD_APPLYING;
	server->config = next;
	if (sink != server->sink) {
		server->old_sink = server->sink;
		server->sink = sink;
	}
	log_set_level(next->gate.log_level);
	warn_of_restart(server);
	upkeep_free(server->upkeep);
	start_upkeep(server);
	server->change = entrances_commit(server->entrances);
	rules.lists = upkeep_lists(server->upkeep);
	rules.buckets = want_buckets(server);
	crew_apply(server->crew, &rules, on_applied, server);
	config_unref(before);
}

/* One log at a time can be left. */
static void
apply_next(struct server *server)
{
	struct config *next = server->next;
	struct record_sink *sink;
	unsigned errors;

	if (server->reload != RELOAD_WAITING || server->old_sink != NULL)
		return;
	server->next = NULL;
	errors = prepare(server, next, &sink);
	if (errors == 0) {
		apply(server, next, sink);
		return;
	}
	config_unref(next);
	refuse_reload(server, errors);
}

static void
on_reread(void *arg, struct config *config, const struct config_report *report)
{
	struct server *server = arg;
	unsigned i;

	server->reread = NULL;
	for (i = 0; i < report->error_count; i++)
		log_error("%s", report->errors[i]);
	for (i = 0; i < report->warning_count; i++)
		log_warn("%s", report->warnings[i]);
	if (config == NULL) {
		refuse_reload(server, report->error_count);
		return;
	}
	server->next = config;
	server->reload = RELOAD_WAITING;
	apply_next(server);
}

static void
reload(struct server *server)
{
	if (server->draining) {
		log_warn("reload refused: the gate is draining");
		return;
	}
	server->reload_again = server->reload != RELOAD_NONE;
	if (server->reload_again)
		return;
	log_info("reloading config=%s", server->config->path);
	server->reload_began = loop_now_us();
	server->reload = RELOAD_READING;
	server->reread = reread_start(&server->loop, server->config->path,
	    server->config->tickets, on_reread, server);
	if (server->reread != NULL)
		return;
	log_error("no thread to read it error=%s", strerrordesc_np(errno));
	refuse_reload(server, 1);
}

/* A worker has left a configuration: when it was the last, its servers may go,
 * and the memory of a large one goes back to the system. */
static void
on_let_go(void *arg)
{
	struct server *server = arg;

	servers_sweep(server->servers);
	malloc_trim(0);
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
		reload(server);
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
	log_info("ready version=%s pid=%d sites=%u locations=%u",
	    METHODGATE_VERSION, (int)getpid(), config->site_count,
	    count_locations(config));
}

static void
on_accept(void *arg, int fd, const struct addr *peer, unsigned id)
{
	struct server *server = arg;

	crew_give(server->crew, fd, peer, id);
}

static bool
open_entrances(struct server *server)
{
	server->entrances = entrances_new(&server->loop, server->workers,
	    (struct entrances_owner){on_accept, server});
	return entrances_prepare(server->entrances, server->config) == 0;
}

static void
start_crew(struct server *server)
{
	struct crew_setup setup = {.house = &server->loop,
	    .size = server->workers,
	    .rules = {.config = server->config,
		.lists = upkeep_lists(server->upkeep),
		.sink = server->sink,
		.buckets = want_buckets(server)},
	    .entrances = server->entrances,
	    .drained = on_drained,
	    .let_go = on_let_go,
	    .arg = server};

	server->crew = crew_start(&setup);
}

static bool
start(struct server *server)
{
	const struct gate_config *gate = &server->config->gate;

	server->workers = crew_size(gate);
	if (!raise_descriptors(server->config, server->workers))
		return false;
	if (!open_log(gate, &server->sink) || !open_entrances(server))
		return false;
	entrances_commit(server->entrances);
	transport_evhttp_prepare();
	start_upkeep(server);
	hear_signals(server);
	start_crew(server);
	return true;
}

static void
done(struct server *server)
{
	int i;

	reread_abandon(server->reread);
	config_unref(server->next);
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
	buckets_free(server->buckets);
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
