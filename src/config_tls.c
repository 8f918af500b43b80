/* SPDX-License-Identifier: ISC */
/* config_tls: TLS of sites, then of listeners, which several sites may share,
 * then of upstreams. */
#include "config_tls.h"

#include <assert.h>
#include <stdlib.h>

#include "uri.h"

#define PAIRS_MAX 100 /* certificates of a site */

struct job {
	struct config_draft *draft;
	const struct config_file *file; /* at present */
	unsigned lines[3]; /* by enum tls_file: where a file is named */
	time_t now;
	bool read;
};

#define complain(job, line, ...)                                               \
	config_error(&(job)->draft->notes, (job)->file, line, __VA_ARGS__)
#define suspect(job, line, ...)                                                \
	config_warn(&(job)->draft->notes, (job)->file, line, __VA_ARGS__)

static const char *
quote(struct job *job, struct slice word)
{
	return config_quote(&job->draft->notes, word);
}

void
config_tls_take(struct config_draft *draft, struct tls_setting **list,
    const struct tls_setting *setting)
{
	struct tls_setting *copy = config_arena(&draft->scratch, sizeof(*copy));

	*copy = *setting;
	copy->text = arena_copy(&draft->scratch, setting->text);
	while (*list != NULL)
		list = &(*list)->next;
	*list = copy;
}

/* In the order of their lines. */
static const struct tls_word *
keep_words(struct config_draft *draft, const struct tls_setting *list)
{
	struct arena *arena = &draft->config->arena;
	const struct tls_word *first = NULL, **end = &first;
	struct tls_word *word;

	for (; list != NULL; list = list->next) {
		word = config_arena(arena, sizeof(*word));
		*word = (struct tls_word){.key = config_keys[list->key].name,
		    .text = arena_copy(arena, list->text),
		    .line = list->line};
		*end = word;
		end = &word->next;
	}
	return first;
}

/* The nth with the key, from 0; NULL: there are not so many. */
static const struct tls_setting *
find(const struct tls_setting *list, enum config_key_id key, unsigned n)
{
	for (; list != NULL; list = list->next)
		if (list->key == key && n-- == 0)
			return list;
	return NULL;
}

/* ---- files ---- */

static const char *
path_of(struct job *job, struct slice name)
{
	const char *folder = job->file->path, *slash = strrchr(folder, '/');
	int len =
	    slash == NULL || name.at[0] == '/' ? 0 : (int)(slash - folder + 1);

	return arena_printf(
	    &job->draft->scratch, "%.*s%.*s", len, folder, SLICE_ARG(name))
	    .at;
}

static void
on_note(void *arg, enum tls_file file, bool is_error, const char *text)
{
	struct job *job = arg;

	if (is_error)
		complain(job, job->lines[file], "%s", text);
	else
		suspect(job, job->lines[file], "%s", text);
}

static struct tls_notes
notes_of(struct job *job)
{
	return (struct tls_notes){on_note, job, job->now};
}

static struct tls_pair *
read_pair(struct job *job, const struct tls_setting *certificate,
    const struct tls_setting *key)
{
	struct tls_notes notes = notes_of(job);

	job->lines[TLS_FILE_CERTIFICATE] = certificate->line;
	job->lines[TLS_FILE_KEY] = key->line;
	if (!job->read)
		return NULL;
	return tls_pair_read(
	    path_of(job, certificate->text), path_of(job, key->text), &notes);
}

static struct stack_st_X509 *
read_authorities(struct job *job, const struct tls_setting *setting)
{
	struct tls_notes notes = notes_of(job);

	if (setting == NULL || !job->read)
		return NULL;
	job->lines[TLS_FILE_AUTHORITIES] = setting->line;
	return tls_authorities_read(path_of(job, setting->text), &notes);
}

/* ---- sites ---- */

static bool
has_listener(const struct site *site, bool tls)
{
	for (unsigned i = 0; i < site->listen_count; i++)
		if (site->listens[i]->tls == tls)
			return true;
	return false;
}

/* Certificates and keys by pairs. Returns how many there are. */
static unsigned
check_pairs(struct job *job, const struct site_draft *draft)
{
	const struct tls_setting *certificate, *key;
	unsigned n = 0;

	for (;; n++) {
		certificate = find(draft->tls, KEY_CERTIFICATE, n);
		key = find(draft->tls, KEY_CERTIFICATE_KEY, n);
		if (certificate == NULL || key == NULL || n == PAIRS_MAX)
			break;
	}
	if (n == PAIRS_MAX)
		complain(job, key->line, "a site has room for %d certificates",
		    PAIRS_MAX);
	else if (certificate != NULL)
		complain(job, certificate->line,
		    "certificate %s has no key: add 'key' below it",
		    quote(job, certificate->text));
	else if (key != NULL)
		complain(job, key->line,
		    "key %s has no certificate: add 'certificate' above it",
		    quote(job, key->text));
	return n;
}

static void
check_clients(struct job *job, const struct site_draft *draft)
{
	const struct site *site = draft->site;
	const struct tls_setting *ca = find(draft->tls, KEY_CLIENT_CA, 0);

	if (site->clients == TLS_CLIENTS_OFF && ca != NULL)
		suspect(job, ca->line,
		    "client_ca is not used: client_certificate is off");
	if (site->clients == TLS_CLIENTS_OFF &&
	    site->certificate_header.len > 0)
		suspect(job, draft->certificate_header_line,
		    "client_certificate_header is never sent: "
		    "client_certificate is off");
	if (site->clients == TLS_CLIENTS_OFF)
		return;
	if (ca == NULL)
		complain(job, draft->clients_line,
		    "client_certificate needs client_ca: the file of who signs "
		    "the certificates of clients");
	if (site->clients == TLS_CLIENTS_REQUIRED &&
	    site->rules.redirect_https == HTTPS_OFF &&
	    has_listener(site, false))
		suspect(job, draft->clients_line,
		    "client_certificate = required, but this site has "
		    "listeners without tls, where none is asked for");
}

/* Two fields of the gate's own can't have one name. */
static void
check_header(struct job *job, const struct site_draft *draft)
{
	struct slice name = draft->site->certificate_header;
	const char *other = NULL;

	if (name.len == 0)
		return;
	if (field_folds_alike(name, job->draft->config->gate.request_id_header))
		other = "request_id_header of [gate]";
	else if (field_folds_alike(name, draft->site->flag_header))
		other = "flag_header";
	if (other != NULL)
		complain(job, draft->certificate_header_line,
		    "client_certificate_header = %s: that is the name of the "
		    "%s",
		    quote(job, name), other);
}

static void
check_redirect(struct job *job, const struct site_draft *draft)
{
	const struct site *site = draft->site;

	if (site->rules.redirect_https == HTTPS_OFF)
		return;
	if (site->rules.redirect_https == HTTPS_301)
		suspect(job, draft->redirect_line,
		    "redirect_https = 301 makes clients turn POST into GET: "
		    "308 keeps the method");
	if (!has_listener(site, true) &&
	    job->draft->config->gate.trusted_proxy_count == 0)
		complain(job, draft->redirect_line,
		    "redirect_https would go round: no listener of this site "
		    "has tls, and there are no trusted_proxies that could say "
		    "https");
}

/* Where redirects go: the site's first listener with TLS. */
static void
find_https_port(struct site *site)
{
	for (unsigned i = site->listen_count; i-- > 0;)
		if (site->listens[i]->tls)
			site->https_port = addr_port(&site->listens[i]->addr);
	if (site->https_port == 443)
		site->https_port = 0;
}

static void
warn_of_hosts(struct job *job, const struct site_draft *draft)
{
	const struct site *site = draft->site;

	if (!has_listener(site, true))
		return;
	for (unsigned i = 0; i < draft->host_count; i++)
		if (!slice_eq(draft->hosts[i].name, SLICE("*")) &&
		    !tls_site_covers(site->tls, draft->hosts[i].name))
			suspect(job, draft->hosts[i].line,
			    "host %s is in no certificate of this site",
			    quote(job, draft->hosts[i].name));
}

static void
make_site(struct job *job, const struct site_draft *draft,
    struct tls_pair *const *pairs, unsigned count)
{
	struct site *site = draft->site;
	const struct tls_setting *ca = find(draft->tls, KEY_CLIENT_CA, 0);
	struct tls_notes notes = notes_of(job);
	struct config *config = job->draft->config;
	struct tls_site_setup setup = {.name = site->rules.name,
	    .pairs = pairs,
	    .pair_count = count,
	    .clients = site->clients,
	    .least = site->tls_min};

	if (config->tickets == NULL)
		config->tickets = tls_tickets_new(TLS_TICKETS_PERIOD_MS);
	setup.tickets = config->tickets;
	if (site->clients != TLS_CLIENTS_OFF)
		setup.authorities = read_authorities(job, ca);
	site->tls = tls_site_new(&setup, &notes);
	if (site->tls != NULL)
		site->rules.realm = tls_site_realm(site->tls);
	tls_authorities_free(setup.authorities);
}

static void
read_site(struct job *job, const struct site_draft *draft, unsigned count)
{
	struct tls_pair *pairs[PAIRS_MAX];
	unsigned good = 0;

	for (unsigned i = 0; i < count; i++) {
		pairs[good] =
		    read_pair(job, find(draft->tls, KEY_CERTIFICATE, i),
			find(draft->tls, KEY_CERTIFICATE_KEY, i));
		good += pairs[good] != NULL;
	}
	if (good > 0)
		make_site(job, draft, pairs, good);
	for (unsigned i = 0; i < good; i++)
		tls_pair_free(pairs[i]);
	if (draft->site->tls != NULL && good == count)
		warn_of_hosts(job, draft);
}

static void
check_listens(struct job *job, const struct site_draft *draft, unsigned pairs)
{
	const struct tls_setting *first = find(draft->tls, KEY_CERTIFICATE, 0);

	if (pairs > 0 && first != NULL && !has_listener(draft->site, true))
		suspect(job, first->line,
		    "certificate is not used: no listener of this site has "
		    "tls, such as 'listen = *:443 tls'");
	for (unsigned i = 0; i < draft->listen_count && pairs == 0; i++)
		if (draft->listens[i].tls)
			complain(job, draft->listens[i].line,
			    "listen %s: tls needs a certificate: add "
			    "'certificate' and 'key' to this [site]",
			    quote(job, draft->listens[i].text));
}

static void
judge_site(struct job *job, const struct site_draft *draft)
{
	unsigned before = job->draft->notes.error_count, pairs;

	job->file = draft->file;
	draft->site->tls_words = keep_words(job->draft, draft->tls);
	pairs = check_pairs(job, draft);
	if (job->draft->notes.error_count == before)
		check_listens(job, draft, pairs);
	check_clients(job, draft);
	check_header(job, draft);
	check_redirect(job, draft);
	find_https_port(draft->site);
	if (job->draft->notes.error_count == before && pairs > 0)
		read_site(job, draft, pairs);
}

/* ---- listeners ---- */

/* The site that answers for any host, or the first of the listener. */
static const struct site *
fallback_of(const struct config *config, const struct listen_config *listen)
{
	const struct site_rules *any = hosts_find(listen->door, SLICE(""));

	if (any != NULL)
		return site_of(any);
	for (unsigned i = 0; i < config->site_count; i++)
		for (unsigned l = 0; l < config->sites[i]->listen_count; l++)
			if (config->sites[i]->listens[l] == listen)
				return config->sites[i];
	return NULL;
}

static void
make_door(const struct config *config, struct listen_config *listen)
{
	const struct site *fallback = fallback_of(config, listen);

	assert(fallback != NULL); /* a listener is some site's */
	listen->tls_door = tls_door_new(fallback->tls);
	for (unsigned i = 0; i < config->site_count; i++) {
		const struct site *site = config->sites[i];

		for (unsigned l = 0; l < site->listen_count; l++)
			if (site->listens[l] == listen)
				for (unsigned h = 0; h < site->host_count; h++)
					tls_door_add(listen->tls_door,
					    site->hosts[h], site->tls);
	}
}

/* ---- upstreams ---- */

/* Without the port, and without the brackets of an IPv6 address. */
static const char *
name_of(struct job *job, const struct upstream_draft *draft,
    const struct server_config *server)
{
	const struct tls_setting *setting = find(draft->tls, KEY_TLS_NAME, 0);
	struct slice name = SLICE_NONE;
	uint16_t port;

	if (setting != NULL)
		name = setting->text;
	else if (slice_starts(server->host, SLICE("unix:")))
		complain(job, server->line,
		    "server %s: TLS to a unix socket needs tls_name",
		    quote(job, server->host));
	else
		(void)addr_split_host_port(server->host, &name, &port);
	return arena_printf(&job->draft->config->arena, "%.*s", (int)name.len,
	    name.len > 0 ? name.at : "")
	    .at;
}

static void
check_name(struct job *job, const struct tls_setting *setting)
{
	struct addr addr;

	if (setting == NULL || addr_parse_ip(setting->text, &addr))
		return;
	if (!uri_authority_valid(setting->text) ||
	    uri_host(setting->text).len < setting->text.len)
		complain(job, setting->line,
		    "tls_name = %s: not a host name, such as "
		    "app.example.org",
		    quote(job, setting->text));
}

/* False when some key can't do what it says. */
static bool
check_upstream(struct job *job, const struct upstream_draft *draft)
{
	const struct upstream_config *upstream = draft->upstream;
	const struct tls_setting *certificate =
	    find(draft->tls, KEY_TLS_CERTIFICATE, 0);
	const struct tls_setting *key = find(draft->tls, KEY_TLS_KEY, 0);
	unsigned before = job->draft->notes.error_count;

	if (!upstream->tls && draft->tls != NULL)
		complain(job, draft->tls->line, "%s needs 'tls = on'",
		    config_keys[draft->tls->key].name);
	else if (!upstream->tls && draft->verify_line > 0)
		complain(
		    job, draft->verify_line, "tls_verify needs 'tls = on'");
	if (!upstream->tls)
		return false;
	if (!upstream->tls_verify)
		suspect(job, draft->verify_line,
		    "tls_verify = off: whoever answers at the servers' "
		    "addresses is believed");
	if ((certificate == NULL) != (key == NULL))
		complain(job,
		    certificate != NULL ? certificate->line : key->line,
		    "tls_certificate and tls_key need one another");
	check_name(job, find(draft->tls, KEY_TLS_NAME, 0));
	return job->draft->notes.error_count == before;
}

static void
make_outlook(struct job *job, const struct upstream_draft *draft)
{
	const struct tls_setting *ca = find(draft->tls, KEY_TLS_CA, 0);
	const struct tls_setting *certificate =
	    find(draft->tls, KEY_TLS_CERTIFICATE, 0);
	struct tls_notes notes = notes_of(job);
	unsigned before = job->draft->notes.error_count;
	struct tls_pair *pair = NULL;
	struct tls_outlook_setup setup = {
	    .verify = draft->upstream->tls_verify};

	if (ca != NULL && slice_eq(ca->text, SLICE("system")))
		ca = NULL;
	setup.authorities = read_authorities(job, ca);
	if (certificate != NULL)
		pair = read_pair(
		    job, certificate, find(draft->tls, KEY_TLS_KEY, 0));
	setup.pair = pair;
	if (job->draft->notes.error_count == before && job->read)
		draft->upstream->outlook = tls_outlook_new(&setup, &notes);
	tls_authorities_free(setup.authorities);
	tls_pair_free(pair);
}

static void
judge_upstream(struct job *job, const struct upstream_draft *draft)
{
	struct upstream_config *upstream = draft->upstream;

	upstream->tls_words = keep_words(job->draft, draft->tls);
	if (!check_upstream(job, draft))
		return;
	make_outlook(job, draft);
	for (unsigned i = 0; i < upstream->server_count; i++) {
		struct server_config *server = &upstream->servers[i];
		const char *name = name_of(job, draft, server);

		if (upstream->outlook != NULL)
			server->tls = tls_target_of(upstream->outlook, name);
	}
}

void
config_tls(struct config_draft *draft, time_t now, bool read)
{
	struct config *config = draft->config;
	struct job job = {.draft = draft, .now = now, .read = read};

	for (unsigned i = 0; i < draft->site_count; i++) {
		judge_site(&job, draft->sites[i]);
		for (unsigned u = 0; u < draft->sites[i]->upstream_count; u++)
			judge_upstream(&job, &draft->sites[i]->upstreams[u]);
	}
	for (unsigned i = 0;
	     i < config->listen_count && read && draft->notes.error_count == 0;
	     i++)
		if (config->listens[i]->tls)
			make_door(config, config->listens[i]);
}
