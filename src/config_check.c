/* SPDX-License-Identifier: ISC */
/* config_check: the second pass. Every list is gone through once, and whatever
 * is looked up stands in a table: there may be 100,000 locations. */
#include "config_check.h"

#include <stdio.h>
#include <stdlib.h>

#include "config_keys.h"
#include "config_patterns.h"

#define FORM_HOLD (64u * 1024)
#define DAY 86400
#define GRANT_ENDS_SOON (14 * DAY)

/* Errors past this many are not worth a search for what was meant: hardly one
 * is shown, and there may be as many as locations. */
#define SEARCHES_MAX 1000

/* One address to listen on, with all the sites that do. */
struct door_draft {
	struct listen_config *listen;
	const struct site_draft *site; /* the last that named it */
	unsigned line;		       /* where it did */
	bool dual;		       /* an IPv6 address that takes IPv4 too */
	struct hosts *names;	       /* values: struct host_draft */
};

struct checking {
	struct config_draft *draft;
	time_t now;
	struct door_draft *doors;
	unsigned door_count;
	struct hosts *door_numbers; /* by address; values: numbers, from 1 */
};

void
config_draft_init(struct config_draft *draft)
{
	*draft = (struct config_draft){.config = config_new()};
	config_notes_init(&draft->notes);
	arena_init(&draft->scratch, NULL);
}

static void
site_draft_free(struct site_draft *site)
{
	unsigned i;

	for (i = 0; i < site->upstream_count; i++)
		free(site->upstreams[i].servers);
	free(site->locations);
	free(site->upstreams);
	free(site->hosts);
	free(site->listens);
	free(site->method_lines);
	hosts_free(site->upstream_names);
	hosts_free(site->labels);
	free(site);
}

void
config_draft_done(struct config_draft *draft)
{
	unsigned i;

	for (i = 0; i < draft->site_count; i++)
		site_draft_free(draft->sites[i]);
	free(draft->sites);
	config_notes_done(&draft->notes);
	arena_done(&draft->scratch);
}

void *
config_grow(void *list, unsigned count, size_t size)
{
	if (count == 0)
		return mem_realloc(list, size);
	if ((count & (count - 1)) != 0)
		return list;
	return mem_realloc(list, 2 * size * count);
}

void *
config_arena(struct arena *arena, size_t size)
{
	void *memory = arena_alloc(arena, size);

	memset(memory, 0, size);
	return memory;
}

struct site_draft *
config_draft_site(struct config_draft *draft, const struct config_file *file)
{
	struct site_draft *draft_of_site = mem_alloc(sizeof(*draft_of_site));
	struct site *site = config_arena(&draft->config->arena, sizeof(*site));

	site->rules.file = file->path;
	site->rules.locations = trie_new();
	site->head_with_get = true;
	site->forwarded = FORWARDED_X;
	site->via = SLICE("methodgate");
	site->via_on_responses = true;
	site->error_cache = ERROR_CACHE_NO_STORE;
	site->error_format = ERROR_FORMAT_AUTO;
	draft_of_site->site = site;
	draft_of_site->file = file;
	draft_of_site->upstream_names = hosts_new();
	draft->sites =
	    config_grow(draft->sites, draft->site_count, sizeof(*draft->sites));
	draft->sites[draft->site_count++] = draft_of_site;
	return draft_of_site;
}

struct location *
config_draft_location(
    struct config_draft *draft, struct site *site, unsigned line)
{
	struct location *location =
	    config_arena(&draft->config->arena, sizeof(*location));

	location->site = site;
	location->rules.file = site->rules.file;
	location->rules.line = line;
	location->rules.override = OVERRIDE_MODE_ENFORCE;
	location->rules.rewrite_from = METHOD_NONE;
	location->rules.rewrite_to = METHOD_NONE;
	location->form_hold = FORM_HOLD;
	location->buffer_size = 64 * 1024;
	location->redirects = REDIRECTS_FLAG;
	return location;
}

/* Numbers, from 1, as values of a table of names. */
static void *
number_value(unsigned number)
{
	return (void *)(uintptr_t)number;
}

static unsigned
number_find(const struct hosts *names, struct slice name)
{
	return (unsigned)(uintptr_t)hosts_find(names, name);
}

static const char *
quote(struct checking *c, struct slice word)
{
	return config_quote(&c->draft->notes, word);
}

/* Another site whose own method this is, or NULL. Errors only. */
static const struct site_draft *
site_with_method(struct checking *c, struct slice name, unsigned *line)
{
	const struct method_names *own;
	unsigned i, m;

	if (c->draft->notes.error_count > SEARCHES_MAX)
		return NULL;
	for (i = 0; i < c->draft->site_count; i++) {
		own = &c->draft->sites[i]->site->rules.own;
		for (m = 0; m < own->count; m++)
			if (slice_eq(name, own->name[m])) {
				*line = c->draft->sites[i]->method_lines[m];
				return c->draft->sites[i];
			}
	}
	return NULL;
}

static void
refuse_method(struct checking *c, const struct site_draft *site,
    const struct word_draft *word)
{
	const struct method_names *own = &site->site->rules.own;
	struct config_notes *notes = &c->draft->notes;
	unsigned line, method = method_find_nocase(word->text, own);
	struct slice near = method_nearest(word->text, own);
	const struct site_draft *other = site_with_method(c, word->text, &line);
	const char *name = quote(c, word->text);

	if (method != METHOD_NONE)
		config_error(notes, site->file, word->line,
		    "unknown method %s: methods are compared byte for byte; "
		    "did you mean %.*s?",
		    name, SLICE_ARG(method_name(method, own)));
	else if (other != NULL)
		config_error(notes, site->file, word->line,
		    "unknown method %s: %s:%u names it for another site only; "
		    "add 'methods = %s' to this [site]",
		    name, other->file->path, line, name);
	else if (near.len > 0)
		config_error(notes, site->file, word->line,
		    "unknown method %s: did you mean %.*s? (a method that is "
		    "not registered is named by 'methods' in [site])",
		    name, SLICE_ARG(near));
	else
		config_error(notes, site->file, word->line,
		    "unknown method %s: one that is not registered is named "
		    "by 'methods' in [site]",
		    name);
}

/* The methods of words that were not known when they were read. */
static method_set
find_methods(struct checking *c, const struct site_draft *site,
    const struct word_draft *word)
{
	method_set set = 0;
	unsigned method;

	for (; word != NULL; word = word->next) {
		method = method_find(word->text, &site->site->rules.own);
		if (method == METHOD_NONE)
			refuse_method(c, site, word);
		set |= method_bit(method);
	}
	return set;
}

static void
check_methods(struct checking *c, const struct site_draft *site,
    const struct location_draft *draft)
{
	struct location_rules *rules = &draft->location->rules;

	rules->written |= find_methods(c, site, draft->unknown);
	rules->allow = policy_allow_set(
	    rules->written, site->site->head_with_get, rules->options_answer);
	site->site->rules.supported |= rules->allow;
}

/* The site's own view: until when some location grants a method. */
static void
add_grant(struct site_rules *site, const struct grant *grant)
{
	method_set left;

	for (left = grant->methods; left != 0; left &= left - 1) {
		unsigned method = (unsigned)__builtin_ctzll(left);

		if ((site->granted & method_bit(method)) == 0 ||
		    site->granted_until[method] < grant->until)
			site->granted_until[method] = grant->until;
		site->granted |= method_bit(method);
	}
}

static void
check_grants(struct checking *c, const struct site_draft *site,
    const struct location_draft *draft)
{
	struct location_rules *rules = &draft->location->rules;
	struct grant_draft *from;
	struct grant *grants = config_arena(
	    &c->draft->config->arena, rules->grant_count * sizeof(*grants));
	unsigned i = 0;

	for (from = draft->grants; from != NULL; from = from->next) {
		from->grant.methods |= find_methods(c, site, from->unknown);
		grants[i] = from->grant;
		grants[i].methods = policy_allow_set(
		    from->grant.methods, site->site->head_with_get, false);
		add_grant(&site->site->rules, &grants[i++]);
	}
	rules->grants = grants;
}

/* The method of rewrite_method, or METHOD_NONE, and noted. */
static unsigned
find_rewritten(struct checking *c, const struct site_draft *site,
    const struct location *location, struct slice name)
{
	const method_set never =
	    method_bit(METHOD_HEAD) | method_bit(METHOD_OPTIONS);
	struct word_draft word = {.text = name, .line = location->rewrite_line};
	unsigned method = method_find(name, &site->site->rules.own);
	struct config_notes *notes = &c->draft->notes;

	if (method == METHOD_NONE)
		refuse_method(c, site, &word);
	else if ((method_bit(method) & never) != 0 ||
		 !method_is_allowable(method))
		config_error(notes, site->file, location->rewrite_line,
		    "rewrite_method: %s is never rewritten, nor anything into "
		    "it",
		    quote(c, name));
	else if ((method_bit(method) & location->rules.allow) == 0)
		config_error(notes, site->file, location->rewrite_line,
		    "rewrite_method: this location does not allow %s; both "
		    "methods must stand in 'allow'",
		    quote(c, name));
	else
		return method;
	return METHOD_NONE;
}

static void
check_rewrite(struct checking *c, const struct site_draft *site,
    const struct location_draft *draft)
{
	struct location *location = draft->location;
	unsigned from, to;

	if (draft->rewrite_from.len == 0)
		return;
	from = find_rewritten(c, site, location, draft->rewrite_from);
	to = find_rewritten(c, site, location, draft->rewrite_to);
	if (from == METHOD_NONE || to == METHOD_NONE)
		return;
	if (from == to) {
		config_error(&c->draft->notes, site->file,
		    location->rewrite_line,
		    "rewrite_method: %s stays %s: write two methods, or leave "
		    "it out",
		    quote(c, draft->rewrite_from),
		    quote(c, draft->rewrite_from));
		return;
	}
	location->rules.rewrite_from = from;
	location->rules.rewrite_to = to;
}

/* The nearest name of an upstream of the site, or SLICE_NONE. Errors only. */
static struct slice
nearest_upstream(
    struct checking *c, const struct site_draft *site, struct slice name)
{
	struct slice near = SLICE_NONE;
	unsigned i;

	if (c->draft->notes.error_count > SEARCHES_MAX)
		return near;
	for (i = 0; i < site->upstream_count && near.len == 0; i++)
		near = config_word_nearest(
		    quote(c, site->upstreams[i].upstream->name), name);
	return near;
}

static struct upstream_config *
find_upstream(struct checking *c, const struct site_draft *site,
    struct slice name, unsigned line)
{
	unsigned number = number_find(site->upstream_names, name);
	struct slice near;

	if (number > 0) {
		site->upstreams[number - 1].used = true;
		return site->upstreams[number - 1].upstream;
	}
	if (site->broken)
		return NULL;
	near = nearest_upstream(c, site, name);
	if (near.len > 0)
		config_error(&c->draft->notes, site->file, line,
		    "no [upstream %s] in this file: did you mean %.*s?",
		    quote(c, name), SLICE_ARG(near));
	else
		config_error(&c->draft->notes, site->file, line,
		    "no [upstream %s] in this file", quote(c, name));
	return NULL;
}

/* False when every request that is allowed is answered here. */
static bool
forwards(const struct location_rules *rules)
{
	method_set answered =
	    rules->options_answer ? method_bit(METHOD_OPTIONS) : 0;

	/* Report mode forwards whatever it would have refused. */
	return (rules->allow & ~answered) != 0 || rules->grant_count > 0 ||
	       rules->report;
}

static void
check_upstream(struct checking *c, const struct site_draft *site,
    const struct location_draft *draft)
{
	struct location *location = draft->location;
	struct upstream_config *fallback = site->site->upstream;

	if (draft->upstream.len > 0) {
		location->upstream = find_upstream(
		    c, site, draft->upstream, draft->upstream_line);
		return;
	}
	location->upstream = fallback;
	if (fallback != NULL || site->upstream.len > 0 || site->broken ||
	    site->site->rules.line == 0)
		return;
	if (forwards(&location->rules))
		config_error(&c->draft->notes, site->file, location->rules.line,
		    "no upstream for this location: add 'upstream = NAME' "
		    "here or to [site]");
}

/* Where report mode sends what no location has. */
static void
add_fallback(struct checking *c, struct site *site)
{
	struct location *location;

	if (site->upstream == NULL)
		return;
	location = config_draft_location(c->draft, site, site->rules.line);
	location->rules.pattern = SLICE("");
	location->rules.override = OVERRIDE_MODE_FLAG;
	location->rules.report = true;
	location->upstream = site->upstream;
	site->rules.fallback = &location->rules;
}

static void
check_location(struct checking *c, const struct site_draft *site,
    const struct location_draft *draft)
{
	struct location_rules *rules = &draft->location->rules;

	if (!draft->has_mode)
		rules->report = site->site->rules.report;
	rules->rate_place =
	    buckets_place(site->site->rules.name, rules->pattern, rules->exact);
	check_methods(c, site, draft);
	check_grants(c, site, draft);
	check_rewrite(c, site, draft);
	if (draft->words > 0)
		check_upstream(c, site, draft);
}

static void
check_locations(struct checking *c, const struct site_draft *draft)
{
	struct site *site = draft->site;
	unsigned i;

	if (draft->upstream.len > 0)
		site->upstream = find_upstream(
		    c, draft, draft->upstream, draft->upstream_line);
	site->locations = config_arena(&c->draft->config->arena,
	    draft->location_count * sizeof(*site->locations));
	for (i = 0; i < draft->location_count; i++) {
		site->locations[i] = draft->locations[i].location;
		check_location(c, draft, &draft->locations[i]);
	}
	site->location_count = draft->location_count;
	config_patterns_seal(site);
	add_fallback(c, site);
}

static void
check_flag_header(struct checking *c, const struct site_draft *draft)
{
	struct slice name = draft->site->flag_header;

	if (field_folds_alike(name, c->draft->config->gate.request_id_header))
		config_error(&c->draft->notes, draft->file,
		    draft->flag_header_line,
		    "flag_header = %s: that is the name of the "
		    "request_id_header of [gate]",
		    quote(c, name));
}

static void
take_upstreams(struct checking *c, const struct site_draft *draft)
{
	struct config *config = c->draft->config;
	struct upstream_draft *from;
	struct upstream_config *to;
	size_t size;
	unsigned i;

	for (i = 0; i < draft->upstream_count; i++) {
		from = &draft->upstreams[i];
		to = from->upstream;
		to->index = config->upstream_count;
		to->server_count = from->server_count;
		size = from->server_count * sizeof(*to->servers);
		to->servers = config_arena(&config->arena, size);
		if (size > 0)
			memcpy(to->servers, from->servers, size);
		config->upstreams[config->upstream_count++] = to;
	}
}

/* Doors */

static struct slice
address_text(const struct addr *addr, char *out)
{
	return (struct slice){out, addr_text(addr, out)};
}

/* "[::]:80" is IPv6 alone, as listener_bind makes it; "*:80" both. */
static bool
is_dual(const struct addr *addr, struct slice text)
{
	return addr->sa.ss_family == AF_INET6 &&
	       !slice_starts(text, SLICE("["));
}

static struct door_draft *
add_door(struct checking *c, const struct site_draft *site,
    const struct listen_draft *from)
{
	struct listen_config *listen =
	    config_arena(&c->draft->config->arena, sizeof(*listen));
	struct door_draft *door;

	listen->addr = from->addr;
	listen->text = from->text;
	listen->file_options = from->file_options;
	listen->proxy = from->proxy;
	listen->tls = from->tls;
	listen->door = hosts_new();
	listen->file = site->file->path;
	listen->line = from->line;
	c->doors = config_grow(c->doors, c->door_count, sizeof(*c->doors));
	door = &c->doors[c->door_count++];
	*door = (struct door_draft){.listen = listen,
	    .site = site,
	    .line = from->line,
	    .dual = is_dual(&from->addr, from->text),
	    .names = hosts_new()};
	return door;
}

static bool
same_options(const struct listen_config *a, const struct listen_draft *b)
{
	const struct listen_file *x = &a->file_options, *y = &b->file_options;

	return x->mode == y->mode && x->uid == y->uid && x->gid == y->gid &&
	       a->proxy == b->proxy;
}

/* The door of the address; NULL after an error. */
static struct door_draft *
find_door(struct checking *c, const struct site_draft *site,
    const struct listen_draft *from)
{
	char text[ADDR_TEXT_MAX];
	unsigned number = (unsigned)(uintptr_t)hosts_add(c->door_numbers,
	    address_text(&from->addr, text), number_value(c->door_count + 1));
	struct door_draft *door;

	if (number == 0)
		return add_door(c, site, from);
	door = &c->doors[number - 1];
	if (door->site == site)
		config_error(&c->draft->notes, site->file, from->line,
		    "listen %s stands twice in this site, first on line %u",
		    quote(c, from->text), door->line);
	else if (door->dual != is_dual(&from->addr, from->text))
		config_error(&c->draft->notes, site->file, from->line,
		    "listen %s takes the same port as %s (%s:%u): write both "
		    "the same way",
		    quote(c, from->text), quote(c, door->listen->text),
		    door->listen->file, door->listen->line);
	else if (!addr_eq(&door->listen->addr, &from->addr))
		config_error(&c->draft->notes, site->file, from->line,
		    "listen %s differs from %s (%s:%u) by letter case only",
		    quote(c, from->text), quote(c, door->listen->text),
		    door->listen->file, door->listen->line);
	else if (door->listen->tls != from->tls)
		config_error(&c->draft->notes, site->file, from->line,
		    "listen %s is %s tls here and %s on %s:%u: sites that "
		    "share an address speak alike there",
		    quote(c, from->text), from->tls ? "with" : "without",
		    from->tls ? "without" : "with", door->listen->file,
		    door->listen->line);
	else if (!same_options(door->listen, from))
		config_error(&c->draft->notes, site->file, from->line,
		    "listen %s has other options than on %s:%u",
		    quote(c, from->text), door->listen->file,
		    door->listen->line);
	else {
		door->site = site;
		door->line = from->line;
		return door;
	}
	return NULL;
}

static void
add_host(
    struct checking *c, const struct door_draft *door, struct host_draft *host)
{
	const struct host_draft *other;

	if (host->refused)
		return;
	other = hosts_add(door->names, host->name, host);
	if (other == NULL) {
		hosts_add(
		    door->listen->door, host->name, &host->site->site->rules);
		return;
	}
	host->refused = true;
	config_error(&c->draft->notes, host->site->file, host->line,
	    "host %s is taken on %s by %s:%u", quote(c, host->name),
	    quote(c, door->listen->text), other->site->file->path, other->line);
}

/* The names of one site, each once. */
static void
check_hosts(struct checking *c, const struct site_draft *draft)
{
	struct site *site = draft->site;
	struct hosts *names = hosts_new();
	const struct host_draft *other;
	struct host_draft *host;
	unsigned i;

	site->hosts = config_arena(
	    &c->draft->config->arena, draft->host_count * sizeof(*site->hosts));
	for (i = 0; i < draft->host_count; i++) {
		host = &draft->hosts[i];
		site->hosts[site->host_count++] = host->name;
		other = hosts_add(names, host->name, host);
		if (other == NULL)
			continue;
		host->refused = true;
		config_error(&c->draft->notes, draft->file, host->line,
		    "host %s stands twice in this site, first on line %u",
		    quote(c, host->name), other->line);
	}
	hosts_free(names);
}

static void
open_doors(struct checking *c, const struct site_draft *draft)
{
	struct site *site = draft->site;
	struct door_draft *door;
	unsigned i, h;

	site->listens = config_arena(&c->draft->config->arena,
	    draft->listen_count * sizeof(*site->listens));
	for (i = 0; i < draft->listen_count; i++) {
		door = find_door(c, draft, &draft->listens[i]);
		if (door == NULL)
			continue;
		site->listens[site->listen_count++] = door->listen;
		for (h = 0; h < draft->host_count; h++)
			add_host(c, door, &draft->hosts[h]);
	}
}

/* Only the word of who is trusted is taken: of somebody who could come in
 * there. */
static void
check_proxy(struct checking *c, const struct door_draft *door)
{
	const struct gate_config *gate = &c->draft->config->gate;
	const struct listen_config *listen = door->listen;
	bool is_unix = listen->addr.sa.ss_family == AF_UNIX;
	const struct addr anybody = {.sa.ss_family = AF_UNIX, .len = 1};

	if (!listen->proxy)
		return;
	for (unsigned i = 0; i < gate->trusted_proxy_count; i++)
		if (addr_net_has(&gate->trusted_proxies[i], &anybody) ==
		    is_unix)
			return;
	config_error(&c->draft->notes, door->site->file, door->line,
	    "listen %s: proxy takes the word of trusted_proxies only, and no "
	    "%s is there: add one to [gate], such as 'trusted_proxies = %s'",
	    quote(c, listen->text), is_unix ? "'unix'" : "network",
	    is_unix ? "unix" : "10.0.0.0/8");
}

static void
take_doors(struct checking *c)
{
	struct config *config = c->draft->config;
	unsigned i;

	config->listens = config_arena(
	    &config->arena, c->door_count * sizeof(*config->listens));
	for (i = 0; i < c->door_count; i++) {
		config->listens[i] = c->doors[i].listen;
		check_proxy(c, &c->doors[i]);
	}
	config->listen_count = c->door_count;
}

/* Servers that are ourselves */

enum nearness { ELSEWHERE, LOOPBACK, ANY };

/* Connecting to the any address reaches loopback. */
static enum nearness
nearness(const struct addr *addr)
{
	char out[ADDR_TEXT_MAX];
	struct slice text = {out, addr_ip_text(addr, out)};

	if (slice_eq(text, SLICE("0.0.0.0")) || slice_eq(text, SLICE("::")))
		return ANY;
	if (slice_starts(text, SLICE("127.")) || slice_eq(text, SLICE("::1")))
		return LOOPBACK;
	return ELSEWHERE;
}

/* The door at this host and the port of the address, or NULL. */
static const struct door_draft *
door_at(struct checking *c, const char *host, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];
	int len = snprintf(
	    text, sizeof(text), "%s:%u", host, (unsigned)addr_port(addr));
	unsigned number =
	    number_find(c->door_numbers, (struct slice){text, (size_t)len});

	return number > 0 ? &c->doors[number - 1] : NULL;
}

/* The door that a connection to the address would come in at, or NULL. */
static const struct door_draft *
own_door(struct checking *c, const struct addr *addr)
{
	bool ipv4 = addr->sa.ss_family == AF_INET;
	enum nearness near = nearness(addr);
	const struct door_draft *door;
	char text[ADDR_TEXT_MAX];
	unsigned number =
	    number_find(c->door_numbers, address_text(addr, text));

	/* names of doors are without case, paths are not */
	if (number > 0 && addr_eq(&c->doors[number - 1].listen->addr, addr))
		return &c->doors[number - 1];
	if (near == ELSEWHERE)
		return NULL;
	door = door_at(c, "[::]", addr);
	if (door != NULL && (door->dual || !ipv4))
		return door;
	door = ipv4 ? door_at(c, "0.0.0.0", addr) : NULL;
	if (door == NULL && near == ANY)
		door = door_at(c, ipv4 ? "127.0.0.1" : "[::1]", addr);
	return door;
}

static void
check_server(struct checking *c, const struct site_draft *site,
    const struct server_config *server)
{
	const struct door_draft *door;
	unsigned i;

	for (i = 0; i < server->addr_count; i++) {
		door = own_door(c, &server->addrs[i]);
		if (door == NULL)
			continue;
		config_error(&c->draft->notes, site->file, server->line,
		    "server %s is a listener of the gate itself (%s:%u): "
		    "requests would go round",
		    quote(c, server->host), door->listen->file,
		    door->listen->line);
		return;
	}
}

static void
check_servers(struct checking *c, const struct site_draft *site)
{
	const struct upstream_draft *upstream;
	unsigned i, s, primaries;

	for (i = 0; i < site->upstream_count; i++) {
		upstream = &site->upstreams[i];
		primaries = 0;
		for (s = 0; s < upstream->server_count; s++) {
			check_server(c, site, &upstream->servers[s]);
			primaries += !upstream->servers[s].backup;
		}
		if (upstream->server_count > 0 && primaries == 0)
			config_error(&c->draft->notes, site->file,
			    upstream->servers[0].line,
			    "all servers of this upstream are backups: one at "
			    "least has to be none");
	}
}

/* Warnings */

/* Search engines drop pages that answer 405 or 501. */
static void
warn_of_root(struct checking *c, const struct site_draft *draft)
{
	const struct site_rules *rules = &draft->site->rules;
	const struct location_rules *root =
	    trie_find(rules->locations, SLICE("/"));
	method_set get = method_bit(METHOD_GET);

	if ((rules->supported & get) == 0)
		config_warn(&c->draft->notes, draft->file, rules->line,
		    "no location of this site allows GET: 'GET /' is answered "
		    "501, and search engines drop such a site");
	else if (root != NULL && (root->allow & get) == 0)
		config_warn(&c->draft->notes, draft->file, root->line,
		    "'GET /' is answered 405 here, and search engines drop "
		    "such a site");
}

/* A place inside that allows more than what is around it may be a slip. The
 * prefix "/" is exempt: it is what most sites keep narrow. */
static void
warn_of_wider(struct checking *c, const struct site_draft *draft,
    const struct location_rules *rules)
{
	const struct location_rules *around =
	    trie_parent(draft->site->rules.locations, rules->pattern);
	char names[METHOD_LIST_MAX];
	method_set more;

	if (around == NULL || around->pattern.len == 1)
		return;
	more = rules->written & ~around->allow;
	if (more == 0)
		return;
	method_set_print(more, &draft->site->rules.own, names, sizeof(names));
	config_warn(&c->draft->notes, draft->file, rules->line,
	    "location %s allows %s, which %s around it (%s:%u) does not",
	    quote(c, rules->pattern), names, quote(c, around->pattern),
	    around->file, around->line);
}

static void
warn_of_grant(struct checking *c, const struct site_draft *draft,
    const struct grant_draft *grant, method_set idle)
{
	const struct method_names *own = &draft->site->rules.own;
	time_t left = grant->grant.until - c->now;
	struct config_notes *notes = &c->draft->notes;
	const char *date = quote(c, grant->date);
	char names[METHOD_LIST_MAX];

	method_set_print(grant->grant.methods, own, names, sizeof(names));
	if (left <= 0)
		config_warn(notes, draft->file, grant->grant.line,
		    "grant has ended: %s was allowed until %s", names, date);
	else if (left <= GRANT_ENDS_SOON)
		config_warn(notes, draft->file, grant->grant.line,
		    "grant ends soon: %s is allowed until %s", names, date);
	if (idle == 0)
		return;
	method_set_print(idle, own, names, sizeof(names));
	config_warn(notes, draft->file, grant->grant.line,
	    "grant of %s changes nothing: 'allow' has that already, without "
	    "an end",
	    names);
}

static void
warn_of_methods(struct checking *c, const struct site_draft *draft,
    const struct location_draft *location)
{
	const struct location_rules *rules = &location->location->rules;
	const struct method_names *own = &draft->site->rules.own;
	method_set binds = method_bit(METHOD_BIND) | method_bit(METHOD_REBIND);
	struct config_notes *notes = &c->draft->notes;
	const struct grant_draft *grant;
	char names[METHOD_LIST_MAX];

	for (grant = location->grants; grant != NULL; grant = grant->next)
		warn_of_grant(
		    c, draft, grant, grant->grant.methods & rules->allow);
	if (rules->rewrite_from != METHOD_NONE)
		config_warn(notes, draft->file,
		    location->location->rewrite_line,
		    "methods are rewritten here: %.*s goes upstream as %.*s, "
		    "and each such request is flagged method_rewritten",
		    SLICE_ARG(method_name(rules->rewrite_from, own)),
		    SLICE_ARG(method_name(rules->rewrite_to, own)));
	binds &= policy_allowed(rules, c->now);
	if (binds == 0)
		return;
	method_set_print(binds, own, names, sizeof(names));
	config_warn(notes, draft->file, rules->line,
	    "location %s allows %s: what lies here can be made reachable under "
	    "other paths, where other locations decide (RFC 5842)",
	    quote(c, rules->pattern), names);
}

static void
warn_of_location(struct checking *c, const struct site_draft *draft,
    const struct location_draft *location)
{
	const struct location_rules *rules = &location->location->rules;
	method_set probes = method_bit(METHOD_GET) | method_bit(METHOD_HEAD);

	warn_of_wider(c, draft, rules);
	warn_of_methods(c, draft, location);
	if (rules->exact && (rules->allow & ~probes) == 0 &&
	    slice_eq(rules->pattern, c->draft->config->gate.ping))
		config_warn(&c->draft->notes, draft->file, rules->line,
		    "location %s: 'ping' of [gate] answers GET and HEAD there "
		    "before it",
		    quote(c, rules->pattern));
}

/* Report mode forwards what it can; "/!" stands for any path. */
static void
warn_of_nowhere(struct checking *c, const struct site_draft *draft)
{
	const struct site_rules *rules = &draft->site->rules;

	if (rules->report && rules->fallback == NULL &&
	    trie_parent(rules->locations, SLICE("/!")) == NULL)
		config_warn(&c->draft->notes, draft->file, rules->line,
		    "mode = report: paths without a location are answered 404 "
		    "even so, as this [site] names no upstream");
}

/* Who would answer for the name if it did not stand there: "!", which no host
 * may hold, is in place of its first label. */
static const struct site_rules *
behind(const struct hosts *door, struct slice name, struct arena *scratch)
{
	size_t dot;
	struct slice query;

	if (slice_starts(name, SLICE("*.")))
		name = (struct slice){name.at + 2, name.len - 2};
	dot = slice_find(name, '.', 0);
	query = arena_printf(
	    scratch, "!%.*s", (int)(name.len - dot), name.at + dot);
	return hosts_find(door, query);
}

/* A name that the site has anyway, by its own "*.suffix" or "*", on each of its
 * listeners, is never looked at. */
static void
warn_of_host(struct checking *c, const struct site_draft *draft,
    const struct host_draft *host)
{
	const struct site *site = draft->site;
	unsigned i;

	if (slice_eq(host->name, SLICE("*")) || site->listen_count == 0)
		return;
	for (i = 0; i < site->listen_count; i++)
		if (behind(site->listens[i]->door, host->name,
			&c->draft->scratch) != &site->rules)
			return;
	config_warn(&c->draft->notes, draft->file, host->line,
	    "host %s adds nothing: this site has it by a '*' already",
	    quote(c, host->name));
}

static void
warn(struct checking *c, const struct site_draft *draft)
{
	struct config_notes *notes = &c->draft->notes;
	unsigned i;

	warn_of_root(c, draft);
	warn_of_nowhere(c, draft);
	for (i = 0; i < draft->location_count; i++)
		warn_of_location(c, draft, &draft->locations[i]);
	config_patterns_warn(notes, draft->file, draft->site);
	for (i = 0; i < draft->host_count; i++)
		warn_of_host(c, draft, &draft->hosts[i]);
	for (i = 0; i < draft->upstream_count; i++)
		if (!draft->upstreams[i].used)
			config_warn(notes, draft->file,
			    draft->upstreams[i].upstream->line,
			    "[upstream %s] is not used",
			    quote(c, draft->upstreams[i].upstream->name));
}

/* All of it */

static void
default_host(struct site_draft *draft)
{
	if (draft->host_count > 0)
		return;
	draft->hosts = config_grow(draft->hosts, 0, sizeof(*draft->hosts));
	draft->hosts[0] = (struct host_draft){
	    .name = SLICE("*"), .line = draft->site->rules.line, .site = draft};
	draft->host_count = 1;
}

static void
check_required(struct checking *c, const struct site_draft *draft)
{
	struct config_notes *notes = &c->draft->notes;
	unsigned line = draft->site->rules.line;

	if (draft->broken)
		return;
	if (line == 0)
		config_error(notes, draft->file, draft->first_line,
		    "no [site] in this file: add one, with 'listen', 'host' "
		    "and 'upstream'");
	else if (draft->location_count == 0)
		config_error(notes, draft->file, line,
		    "this site has no [location], so it would refuse "
		    "everything: add one, such as [location /]");
	if (line > 0 && draft->listen_count == 0)
		config_error(notes, draft->file, line,
		    "listen is missing: add one, such as 'listen = "
		    "127.0.0.1:8080'");
}

static void
check_names(struct checking *c)
{
	struct hosts *names = hosts_new();
	const struct site_draft *draft, *other;
	unsigned i;

	for (i = 0; i < c->draft->site_count; i++) {
		draft = c->draft->sites[i];
		if (draft->site->rules.line == 0)
			continue;
		other = hosts_add(
		    names, draft->site->rules.name, c->draft->sites[i]);
		if (other == NULL)
			continue;
		config_error(&c->draft->notes, draft->file,
		    draft->site->rules.line,
		    "the site name %s is taken by %s:%u: set another 'name'",
		    quote(c, draft->site->rules.name), other->file->path,
		    other->site->rules.line);
	}
	hosts_free(names);
}

/* From here on config_unref frees what the sites own. */
static void
take_sites(struct config_draft *draft)
{
	struct config *config = draft->config;
	size_t upstreams = 0;
	unsigned i;

	config->sites = config_arena(
	    &config->arena, draft->site_count * sizeof(*config->sites));
	for (i = 0; i < draft->site_count; i++) {
		config->sites[i] = draft->sites[i]->site;
		upstreams += draft->sites[i]->upstream_count;
	}
	config->site_count = draft->site_count;
	config->upstreams = config_arena(
	    &config->arena, upstreams * sizeof(*config->upstreams));
}

void
config_check(struct config_draft *draft, time_t now)
{
	struct checking c = {
	    .draft = draft, .now = now, .door_numbers = hosts_new()};
	unsigned i;

	take_sites(draft);
	if (draft->site_count == 0 && !draft->broken)
		config_error(&draft->notes, draft->file, 0,
		    "no site: add a [site], or name site files by 'sites' in "
		    "[gate]");
	check_names(&c);
	for (i = 0; i < draft->site_count; i++) {
		check_required(&c, draft->sites[i]);
		default_host(draft->sites[i]);
		take_upstreams(&c, draft->sites[i]);
		check_locations(&c, draft->sites[i]);
		check_flag_header(&c, draft->sites[i]);
		check_hosts(&c, draft->sites[i]);
		open_doors(&c, draft->sites[i]);
	}
	take_doors(&c);
	for (i = 0; i < draft->site_count; i++) {
		check_servers(&c, draft->sites[i]);
		if (draft->notes.error_count == 0)
			warn(&c, draft->sites[i]);
	}
	for (i = 0; i < c.door_count; i++)
		hosts_free(c.doors[i].names);
	free(c.doors);
	hosts_free(c.door_numbers);
}
