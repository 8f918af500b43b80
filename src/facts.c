/* SPDX-License-Identifier: ISC */
/* facts: keys that have a place in their struct by the table of keys; the rest
 * one by one. Defaults are those of a configuration that says nothing. */
#include "facts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "config_read.h"

/* A configuration while it is told, and the section at hand. */
struct telling {
	struct facts *facts;
	const struct config *usual;
	const struct fact_subject *subject;
	const char *file;
	unsigned line;
	char sign;
};

void
facts_init(struct facts *facts)
{
	memset(facts, 0, sizeof(*facts));
	arena_init(&facts->arena, NULL);
}

void
facts_done(struct facts *facts)
{
	free(facts->all);
	arena_done(&facts->arena);
}

static void
add(struct telling *t, const char *key, struct slice value)
{
	struct facts *facts = t->facts;

	if (facts->count == facts->room) {
		facts->room = facts->room > 0 ? 2 * facts->room : 256;
		facts->all =
		    mem_realloc(facts->all, facts->room * sizeof(*facts->all));
	}
	facts->all[facts->count++] = (struct fact){.subject = t->subject,
	    .key = slice_of(key),
	    .value = value,
	    .file = t->file,
	    .line = t->line,
	    .sign = t->sign};
}

#define ADD(telling, key, ...)                                                 \
	add(telling, key, arena_printf(&(telling)->facts->arena, __VA_ARGS__))

static void
add_words(
    struct telling *t, const char *key, const struct slice *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		add(t, key, words[i]);
}

/* A text that is empty for "off". */
static void
add_text(struct telling *t, const char *key, struct slice text)
{
	if (text.len > 0)
		add(t, key, text);
}

static void
add_tls_words(struct telling *t, const struct tls_word *word)
{
	unsigned line = t->line;

	for (; word != NULL; word = word->next) {
		t->line = word->line;
		add(t, word->key, word->text);
	}
	t->line = line;
}

/* The keys that the table knows the place of, in the struct of the section. */
static void
add_keys(struct telling *t, const void *base, const void *usual)
{
	char value[CONFIG_VALUE_MAX], other[CONFIG_VALUE_MAX];

	for (unsigned i = 0; i < KEY_COUNT; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->section != t->subject->section || key->size == 0)
			continue;
		config_key_print(key, base, value);
		config_key_print(key, usual, other);
		if (strcmp(value, other) != 0)
			ADD(t, key->name, "%s", value);
	}
}

static void
begin(struct telling *t, struct fact_subject subject, const char *file,
    unsigned line)
{
	struct fact_subject *kept =
	    arena_alloc(&t->facts->arena, sizeof(*kept));

	*kept = subject;
	t->subject = kept;
	t->file = file;
	t->line = line;
}

/* ---- the sections ---- */

static void
tell_gate(struct telling *t, const struct config *config)
{
	const struct gate_config *gate = &config->gate;
	const struct gate_config *usual = &t->usual->gate;
	char net[ADDR_TEXT_MAX];

	begin(t,
	    (struct fact_subject){
		.section = SECTION_GATE, .text = SLICE("gate")},
	    config->path, 0);
	add_keys(t, gate, usual);
	if (!slice_eq(gate->access_log, usual->access_log))
		add(t, "access_log", gate->access_log);
	if (!slice_eq(gate->request_id_header, usual->request_id_header))
		add(t, "request_id_header", gate->request_id_header);
	add_text(t, "ping", gate->ping);
	for (unsigned i = 0; i < gate->trusted_proxy_count; i++) {
		addr_net_text(&gate->trusted_proxies[i], net);
		ADD(t, "trusted_proxies", "%s", net);
	}
}

static void
tell_listens(struct telling *t, const struct site *site)
{
	for (unsigned i = 0; i < site->listen_count; i++) {
		const struct listen_config *listen = site->listens[i];
		char mode[16] = "";

		if (listen->addr.sa.ss_family == AF_UNIX)
			snprintf(mode, sizeof(mode), " mode=%04o",
			    listen->file_options.mode);
		ADD(t, "listen", "%.*s%s%s%s", SLICE_ARG(listen->text), mode,
		    listen->tls ? " tls" : "", listen->proxy ? " proxy" : "");
	}
}

static void
tell_error_cache(struct telling *t, const struct site *site)
{
	if (site->error_cache == ERROR_CACHE_HEURISTIC)
		add(t, "error_cache", SLICE("heuristic"));
	else if (site->error_cache == ERROR_CACHE_MAX_AGE)
		ADD(t, "error_cache", "max-age=%u", site->error_max_age);
}

static void
tell_site(struct telling *t, const struct site *site)
{
	const struct site *usual = t->usual->sites[0];
	const struct site_rules *rules = &site->rules;

	add(t, "site", SLICE_NONE);
	add_words(t, "host", site->hosts, site->host_count);
	tell_listens(t, site);
	add_keys(t, site, usual);
	add_words(t, "methods", rules->own.name, rules->own.count);
	add_words(
	    t, "path_params", rules->path_params, rules->path_param_count);
	if (!site->via_on_responses)
		add(t, "via", SLICE("off"));
	else if (!slice_eq(site->via, usual->via))
		add(t, "via", site->via);
	tell_error_cache(t, site);
	add_text(t, "flag_header", site->flag_header);
	add_text(t, "client_certificate_header", site->certificate_header);
	add_tls_words(t, site->tls_words);
}

static void
tell_grants(struct telling *t, const struct location_rules *rules,
    const struct method_names *own)
{
	char day[CMD_DAY_MAX];

	for (unsigned i = 0; i < rules->grant_count; i++) {
		const struct grant *grant = &rules->grants[i];

		t->line = grant->line;
		for (unsigned m = 0; m < METHOD_MAX; m++)
			if ((grant->methods & method_bit(m)) != 0)
				ADD(t, "grant", "%.*s until %s%s%.*s",
				    SLICE_ARG(method_name(m, own)),
				    cmd_grant_day(grant, day),
				    grant->note.len > 0 ? " " : "",
				    SLICE_ARG(grant->note));
	}
	t->line = rules->line;
}

static void
tell_location(struct telling *t, const struct location *location)
{
	const struct location *usual = t->usual->sites[0]->locations[0];
	const struct location_rules *rules = &location->rules;
	const struct method_names *own = &location->site->rules.own;

	for (unsigned m = 0; m < METHOD_MAX; m++)
		if ((rules->allow & method_bit(m)) != 0)
			add(t, "allow", method_name(m, own));
	add(t, "location", SLICE_NONE);
	tell_grants(t, rules, own);
	add_keys(t, location, usual);
	if (location->upstream != NULL)
		add(t, "upstream", location->upstream->name);
	if (rules->rate.number > 0)
		ADD(t, "rate", "%u/%s burst %u", rules->rate.number,
		    rules->rate.seconds == 1 ? "s" : "m", rules->rate.burst);
	add_words(t, "upgrade", location->upgrade, location->upgrade_count);
	if (rules->rewrite_from != METHOD_NONE)
		ADD(t, "rewrite_method", "%.*s -> %.*s",
		    SLICE_ARG(method_name(rules->rewrite_from, own)),
		    SLICE_ARG(method_name(rules->rewrite_to, own)));
}

/* " name=value", or nothing where that is the default. */
static const char *
option(struct telling *t, const char *name, unsigned value, unsigned usual)
{
	if (value == usual)
		return "";
	return arena_printf(&t->facts->arena, " %s=%u", name, value).at;
}

static void
tell_upstream(struct telling *t, const struct upstream_config *upstream)
{
	static const char *const proxy[] = {[PROXY_NONE] = "",
	    [PROXY_V1] = " send-proxy",
	    [PROXY_V2] = " send-proxy-v2"};

	add(t, "upstream", SLICE_NONE);
	for (unsigned i = 0; i < upstream->server_count; i++) {
		const struct server_config *server = &upstream->servers[i];

		t->line = server->line;
		ADD(t, "server", "%.*s%s%s%s%s", SLICE_ARG(server->host),
		    option(t, "weight", server->weight, 1),
		    option(t, "max", server->max, 0),
		    server->backup ? " backup" : "", proxy[server->send_proxy]);
	}
	t->line = upstream->line;
	add_keys(t, upstream, t->usual->upstreams[0]);
	add_text(t, "health", upstream->health.target);
	add_tls_words(t, upstream->tls_words);
}

/* ---- all of them ---- */

/* The site's name is that of its file, as it is where none is written. */
static bool
is_named_by_file(const struct site_rules *rules)
{
	struct slice name = rules->name;
	const char *slash = strrchr(rules->file, '/');
	struct slice file = slice_of(slash != NULL ? slash + 1 : rules->file);

	return slice_starts(file, name) &&
	       (file.len == name.len ||
		   strcmp(file.at + name.len, ".ini") == 0);
}

static void
tell_one_site(struct telling *t, const struct site *site, struct slice name)
{
	const struct site_rules *rules = &site->rules;

	begin(t,
	    (struct fact_subject){.section = SECTION_SITE,
		.site = name,
		.text = arena_printf(
		    &t->facts->arena, "site %.*s", SLICE_ARG(name))},
	    rules->file, rules->line);
	tell_site(t, site);
}

static void
tell_locations(struct telling *t, const struct site *site, struct slice name)
{
	for (unsigned i = 0; i < site->location_count; i++) {
		const struct location_rules *rules = &site->locations[i]->rules;

		begin(t,
		    (struct fact_subject){.section = SECTION_LOCATION,
			.site = name,
			.name = rules->pattern,
			.rules = rules,
			.text =
			    arena_printf(&t->facts->arena, "site %.*s %s%.*s",
				SLICE_ARG(name), rules->exact ? "= " : "",
				SLICE_ARG(rules->pattern))},
		    rules->file, rules->line);
		tell_location(t, site->locations[i]);
	}
}

static void
tell_upstreams(struct telling *t, const struct config *config)
{
	for (unsigned i = 0; i < config->upstream_count; i++) {
		const struct upstream_config *upstream = config->upstreams[i];

		begin(t,
		    (struct fact_subject){.section = SECTION_UPSTREAM,
			.name = upstream->name,
			.text = arena_printf(&t->facts->arena, "upstream %.*s",
			    SLICE_ARG(upstream->name))},
		    upstream->file, upstream->line);
		tell_upstream(t, upstream);
	}
}

/* One that says no more than it must. */
static struct config *
read_usual(void)
{
	struct config_report report;
	struct config *config = config_read_text("usual",
	    SLICE("[site]\nlisten = 127.0.0.1:1\nupstream = u\n"
		  "[upstream u]\nserver = 127.0.0.1:2\n"
		  "[location /]\nallow = GET\n"),
	    &report);

	assert(config != NULL);
	config_report_done(&report);
	return config;
}

void
facts_tell(struct facts *facts, const struct config *config, struct slice name,
    char sign)
{
	struct config *usual = read_usual();
	struct telling t = {.facts = facts, .usual = usual, .sign = sign};

	tell_gate(&t, config);
	for (unsigned i = 0; i < config->site_count; i++) {
		const struct site *site = config->sites[i];
		struct slice called = name.len > 0 ? name : site->rules.name;

		tell_one_site(&t, site, called);
		if (name.len > 0 && !is_named_by_file(&site->rules))
			add(&t, "name", site->rules.name);
		tell_locations(&t, site, called);
	}
	tell_upstreams(&t, config);
	config_unref(usual);
}
