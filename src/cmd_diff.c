/* SPDX-License-Identifier: ISC */
/* cmd_diff: both configurations are told as facts, a line of text each; what
 * only one of them has is what changes. A key with its default is no fact. */
#include "cmd_diff.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

#define USUAL_SIZE 65536u /* of form_hold and buffer_size */

struct fact {
	struct slice subject; /* "shop /api" */
	bool is_method;	      /* those of a subject are told in one line */
	struct slice text;    /* "body_limit = 1048576", or the method */
	const char *file;
	unsigned line;
	char sign; /* '-' or '+' */
};

struct facts {
	struct arena arena;
	struct fact *all;
	size_t count, room;
	char sign;
	/* of those that are added */
	struct slice subject;
	const char *file;
	unsigned line;
};

static void
add(struct facts *facts, bool is_method, struct slice text)
{
	if (facts->count == facts->room) {
		facts->room = facts->room > 0 ? 2 * facts->room : 256;
		facts->all =
		    mem_realloc(facts->all, facts->room * sizeof(*facts->all));
	}
	facts->all[facts->count++] = (struct fact){.subject = facts->subject,
	    .is_method = is_method,
	    .text = text,
	    .file = facts->file,
	    .line = facts->line,
	    .sign = facts->sign};
}

#define ADD(facts, ...)                                                        \
	add(facts, false, arena_printf(&(facts)->arena, __VA_ARGS__))

static void
add_words(struct facts *facts, const char *key, const struct slice *words,
    unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		ADD(facts, "%s = %.*s", key, SLICE_ARG(words[i]));
}

/* ---- what a configuration says ---- */

static void
tell_grants(struct facts *facts, const struct location_rules *rules,
    const struct method_names *own)
{
	char day[CMD_DAY_MAX];

	for (unsigned i = 0; i < rules->grant_count; i++) {
		const struct grant *grant = &rules->grants[i];

		facts->line = grant->line;
		for (unsigned m = 0; m < METHOD_MAX; m++)
			if ((grant->methods & method_bit(m)) != 0)
				ADD(facts, "grant = %.*s until %s %.*s",
				    SLICE_ARG(method_name(m, own)),
				    cmd_grant_day(grant, day),
				    SLICE_ARG(grant->note));
	}
	facts->line = rules->line;
}

static void
tell_location(struct facts *facts, const struct location *location)
{
	static const char *const overrides[] = {
	    [OVERRIDE_MODE_ENFORCE] = "enforce",
	    [OVERRIDE_MODE_DENY] = "deny",
	    [OVERRIDE_MODE_STRIP] = "strip",
	    [OVERRIDE_MODE_FLAG] = "flag"};
	static const char *const redirects[] = {[REDIRECTS_FLAG] = "flag",
	    [REDIRECTS_PRESERVE] = "preserve",
	    [REDIRECTS_PASS] = "pass"};
	const struct location_rules *rules = &location->rules;
	const struct method_names *own = &location->site->rules.own;

	ADD(facts, "location");
	for (unsigned m = 0; m < METHOD_MAX; m++)
		if ((rules->allow & method_bit(m)) != 0)
			add(facts, true, method_name(m, own));
	tell_grants(facts, rules, own);
	if (location->upstream != NULL)
		ADD(facts, "upstream = %.*s",
		    SLICE_ARG(location->upstream->name));
	if (rules->report)
		ADD(facts, "mode = report");
	if (rules->override != OVERRIDE_MODE_ENFORCE)
		ADD(facts, "override = %s", overrides[rules->override]);
	if (rules->options_answer)
		ADD(facts, "options = answer");
	if (location->redirects != REDIRECTS_FLAG)
		ADD(facts, "redirects = %s", redirects[location->redirects]);
	if (rules->deny_body_on_get)
		ADD(facts, "body_on_get = deny");
	if (rules->body_limit > 0)
		ADD(facts, "body_limit = %" PRIu64, rules->body_limit);
	if (location->form_hold != USUAL_SIZE)
		ADD(facts, "form_hold = %" PRIu32, location->form_hold);
	if (location->buffer_size != USUAL_SIZE)
		ADD(facts, "buffer_size = %" PRIu32, location->buffer_size);
	if (location->trailers_pass)
		ADD(facts, "trailers = pass");
	if (rules->rate.number > 0)
		ADD(facts, "rate = %" PRIu32 "/%s burst %" PRIu32,
		    rules->rate.number, rules->rate.seconds == 1 ? "s" : "m",
		    rules->rate.burst);
	add_words(facts, "upgrade", location->upgrade, location->upgrade_count);
	if (rules->rewrite_from != METHOD_NONE)
		ADD(facts, "rewrite_method = %.*s -> %.*s",
		    SLICE_ARG(method_name(rules->rewrite_from, own)),
		    SLICE_ARG(method_name(rules->rewrite_to, own)));
}

static void
tell_site(struct facts *facts, const struct site *site)
{
	static const char *const clients[] = {[TLS_CLIENTS_OFF] = "off",
	    [TLS_CLIENTS_OPTIONAL] = "optional",
	    [TLS_CLIENTS_REQUIRED] = "required"};
	static const char *const https[] = {
	    [HTTPS_OFF] = "off", [HTTPS_308] = "308", [HTTPS_301] = "301"};
	const struct site_rules *rules = &site->rules;

	ADD(facts, "site");
	add_words(facts, "host", site->hosts, site->host_count);
	for (unsigned i = 0; i < site->listen_count; i++)
		ADD(facts, "listen = %.*s%s%s",
		    SLICE_ARG(site->listens[i]->text),
		    site->listens[i]->tls ? " tls" : "",
		    site->listens[i]->proxy ? " proxy" : "");
	if (rules->report)
		ADD(facts, "mode = report");
	if (site->path_case_exact)
		ADD(facts, "path_case = exact");
	if (rules->redirect_https != HTTPS_OFF)
		ADD(facts, "redirect_https = %s", https[rules->redirect_https]);
	if (site->clients != TLS_CLIENTS_OFF)
		ADD(facts, "client_certificate = %s", clients[site->clients]);
	add_words(
	    facts, "path_params", rules->path_params, rules->path_param_count);
}

/* " name=value", or nothing where that is the default. */
static const char *
option(struct facts *facts, const char *name, unsigned value, unsigned usual)
{
	if (value == usual)
		return "";
	return arena_printf(&facts->arena, " %s=%u", name, value).at;
}

static void
tell_upstream(struct facts *facts, const struct upstream_config *upstream)
{
	static const char *const proxy[] = {[PROXY_NONE] = "",
	    [PROXY_V1] = " send-proxy",
	    [PROXY_V2] = " send-proxy-v2"};

	ADD(facts, "upstream");
	for (unsigned i = 0; i < upstream->server_count; i++) {
		const struct server_config *server = &upstream->servers[i];

		facts->line = server->line;
		ADD(facts, "server = %.*s%s%s%s%s", SLICE_ARG(server->host),
		    option(facts, "weight", server->weight, 1),
		    option(facts, "max", server->max, 0),
		    server->backup ? " backup" : "", proxy[server->send_proxy]);
	}
	facts->line = upstream->line;
	if (upstream->transport == TRANSPORT_EVHTTP)
		ADD(facts, "transport = evhttp");
	if (upstream->tls)
		ADD(facts, "tls = on");
	if (!upstream->tls_verify)
		ADD(facts, "tls_verify = off");
}

static void
tell(struct facts *facts, const struct config *config, char sign)
{
	facts->sign = sign;
	facts->subject = SLICE("gate");
	facts->file = config->path;
	facts->line = 0;
	if (config->gate.workers > 0)
		ADD(facts, "workers = %u (takes a restart)",
		    config->gate.workers);
	for (unsigned i = 0; i < config->site_count; i++) {
		const struct site *site = config->sites[i];

		facts->subject = arena_printf(
		    &facts->arena, "site %.*s", SLICE_ARG(site->rules.name));
		facts->file = site->rules.file;
		facts->line = site->rules.line;
		tell_site(facts, site);
		for (unsigned l = 0; l < site->location_count; l++) {
			const struct location_rules *rules =
			    &site->locations[l]->rules;

			facts->subject = arena_printf(&facts->arena,
			    "site %.*s %s%.*s", SLICE_ARG(site->rules.name),
			    rules->exact ? "= " : "",
			    SLICE_ARG(rules->pattern));
			facts->file = rules->file;
			facts->line = rules->line;
			tell_location(facts, site->locations[l]);
		}
	}
	for (unsigned i = 0; i < config->upstream_count; i++) {
		const struct upstream_config *upstream = config->upstreams[i];

		facts->subject = arena_printf(
		    &facts->arena, "upstream %.*s", SLICE_ARG(upstream->name));
		facts->file = upstream->file;
		facts->line = upstream->line;
		tell_upstream(facts, upstream);
	}
}

/* ---- what only one says ---- */

static int
compare(struct slice a, struct slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len > 0 ? memcmp(a.at, b.at, len) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The same facts stand side by side. */
static int
by_text(const void *left, const void *right)
{
	const struct fact *a = left, *b = right;
	int order = compare(a->subject, b->subject);

	if (order == 0)
		order = a->is_method - b->is_method;
	if (order == 0)
		order = compare(a->text, b->text);
	return order != 0 ? order : b->sign - a->sign;
}

/* What is gone before what is new, methods first. */
static int
by_sign(const void *left, const void *right)
{
	const struct fact *a = left, *b = right;
	int order = compare(a->subject, b->subject);

	if (order == 0)
		order = b->is_method - a->is_method;
	if (order == 0)
		order = b->sign - a->sign;
	return order != 0 ? order : compare(a->text, b->text);
}

static bool
same(const struct fact *a, const struct fact *b)
{
	return slice_eq(a->subject, b->subject) &&
	       a->is_method == b->is_method && slice_eq(a->text, b->text);
}

/* Drops what both say; a list may say a thing twice. */
static void
drop_common(struct facts *facts)
{
	struct fact *all = facts->all;
	size_t kept = 0, from, to;

	for (from = 0; from < facts->count; from = to) {
		for (to = from + 1;
		     to < facts->count && same(&all[from], &all[to]); to++)
			continue;
		if (all[from].sign == all[to - 1].sign)
			all[kept++] = all[from];
	}
	facts->count = kept;
}

/* The methods of a location, or one other fact; how many were told. */
static size_t
print_one(const struct fact *facts, size_t count)
{
	const struct fact *first = &facts[0];
	size_t told = 1;

	printf("%c %.*s: %s%.*s", first->sign, SLICE_ARG(first->subject),
	    first->is_method ? "allow " : "", SLICE_ARG(first->text));
	while (first->is_method && told < count && facts[told].is_method &&
	       facts[told].sign == first->sign &&
	       slice_eq(facts[told].subject, first->subject)) {
		printf(" %.*s", SLICE_ARG(facts[told].text));
		told++;
	}
	if (first->line > 0)
		printf("  %s:%u", first->file, first->line);
	putchar('\n');
	return told;
}

bool
cmd_diff(const struct config *from, const struct config *to)
{
	struct facts facts = {.count = 0};
	bool found;

	arena_init(&facts.arena, NULL);
	tell(&facts, from, '-');
	tell(&facts, to, '+');
	qsort(facts.all, facts.count, sizeof(*facts.all), by_text);
	drop_common(&facts);
	qsort(facts.all, facts.count, sizeof(*facts.all), by_sign);
	found = facts.count > 0;
	for (size_t i = 0; i < facts.count;)
		i += print_one(&facts.all[i], facts.count - i);
	free(facts.all);
	arena_done(&facts.arena);
	return found;
}
