/* SPDX-License-Identifier: ISC */
/* config_read: the first pass, file by file and line by line: inih splits the
 * lines, the table of keys judges what it can, and the functions here write the
 * rest into a draft, which config_check completes. */
#include "config_read.h"

#include <assert.h>
#include <grp.h>
#include <ini.h>
#include <pwd.h>
#include <stdlib.h>

#include "config_check.h"
#include "config_keys.h"
#include "config_rate.h"
#include "config_tls.h"
#include "uri.h"

#define MESSAGES_MAX 100  /* of each kind, in a report */
#define NAME_MAX_BYTES 64 /* of sites, upstreams, fields, pseudonyms */
#define WEIGHT_MAX 1000
#define MAX_MAX 1000000
#define PATH_PARAMS_MAX 16
#define UPGRADES_MAX 8

/* Where keys go. */
enum place {
	BEFORE_ALL, /* no section yet */
	SKIPPED,    /* a section that was refused: its keys mean nothing */
	IN_SECTION
};

struct reading {
	struct config_draft draft;
	const struct config_options *options; /* NULL: from memory */
	const struct config_file *file;	      /* at present */
	struct config_lines lines;
	bool broken;		   /* part of this file was not understood */
	struct site_draft *site;   /* of this file, or NULL */
	struct slice *path_params; /* of this site, or NULL */
	unsigned gate_line;	   /* of [gate] in the first file; 0: none */
	struct word_draft *patterns, **patterns_end; /* of sites */
	struct addr_net *trusted;		     /* malloced */
	/* the section at hand */
	enum place place;
	enum config_section section;
	unsigned section_line;
	unsigned seen[KEY_COUNT]; /* lines */
	enum config_key_id key;	  /* at hand */
	struct upstream_draft *upstream;
	struct location_draft *location;
	struct word_draft **unknown_end; /* of the location */
	struct grant_draft **grants_end;
	struct slice label; /* [location LABEL], or empty */
	char label_bytes[CONFIG_SECTION_MAX];
};

/* An error of the line at hand. */
#define complain(reading, ...)                                                 \
	config_error(&(reading)->draft.notes, (reading)->file,                 \
	    (reading)->lines.line, __VA_ARGS__)

static const char *
quote(struct reading *r, struct slice word)
{
	return config_quote(&r->draft.notes, word);
}

static struct slice
keep(struct reading *r, struct slice word)
{
	return arena_copy(&r->draft.config->arena, word);
}

static bool
is_separator(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

/* The next word of a list, split at blanks and commas. */
static bool
next_word(struct slice *rest, struct slice *word)
{
	size_t from = 0, to;

	while (from < rest->len && is_separator(rest->at[from]))
		from++;
	for (to = from; to < rest->len; to++)
		if (is_separator(rest->at[to]))
			break;
	*word = (struct slice){rest->at + from, to - from};
	*rest = (struct slice){rest->at + to, rest->len - to};
	return word->len > 0;
}

static bool
is_name(struct slice s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		char c = s.at[i];

		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') &&
		    (c < '0' || c > '9') && c != '-' && c != '_' && c != '.')
			return false;
	}
	return s.len > 0 && s.len <= NAME_MAX_BYTES;
}

/* Visible ASCII from a '/' on, without '#'. */
static bool
is_target(struct slice s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.at[i] <= ' ' || s.at[i] > '~' || s.at[i] == '#')
			return false;
	return s.len > 0 && s.at[0] == '/';
}

static bool
is_path(struct slice s)
{
	return is_target(s) && slice_find(s, '?', 0) == s.len;
}

/* True for fields that the gate judges, drops or writes itself, and for what
 * servers take for one of them. */
static bool
is_taken(struct slice name)
{
	const struct slice family = SLICE("x-forwarded");
	struct slice start = {
	    name.at, name.len < family.len ? name.len : family.len};
	unsigned id;

	for (id = FIELD_OTHER + 1; id < FIELD_ID_COUNT; id++)
		if (field_folds_alike(name, field_name(id)))
			return true;
	return override_is_header(name) || field_folds_alike(start, family) ||
	       field_folds_alike(name, SLICE("x-real-ip"));
}

/* The value of a key that names a field of the gate's own, or SLICE_NONE. */
static struct slice
read_field_name(
    struct reading *r, const char *key, struct slice value, const char *example)
{
	if (!is_token(value) || value.len > NAME_MAX_BYTES) {
		complain(r,
		    "%s = %s: not the name of a field of at most 64 bytes, "
		    "such as %s",
		    key, quote(r, value), example);
		return SLICE_NONE;
	}
	if (is_taken(value)) {
		complain(r,
		    "%s = %s: this field has a meaning of its own; write "
		    "another, such as %s",
		    key, quote(r, value), example);
		return SLICE_NONE;
	}
	return keep(r, value);
}

/* Keys of [gate] */

/* At the end of a list, which *end points to. */
static void
add_word(struct reading *r, struct word_draft ***end, struct slice text)
{
	struct word_draft *word =
	    config_arena(&r->draft.scratch, sizeof(*word));

	word->text = arena_copy(&r->draft.scratch, text);
	word->line = r->lines.line;
	**end = word;
	*end = &word->next;
}

static void
set_sites(struct reading *r, struct slice value)
{
	add_word(r, &r->patterns_end, value);
}

/* A word without '/' is rather a slip than a file beside the daemon. */
static void
set_access_log(struct reading *r, struct slice value)
{
	bool known =
	    slice_eq(value, SLICE("off")) || slice_eq(value, SLICE("stderr"));

	if (!known && slice_find(value, '/', 0) == value.len) {
		complain(r,
		    "access_log = %s: write off, stderr, or the path of a "
		    "file, such as /var/log/methodgate/access.log",
		    quote(r, value));
		return;
	}
	r->draft.config->gate.access_log = keep(r, value);
}

static void
set_ping(struct reading *r, struct slice value)
{
	if (slice_eq(value, SLICE("off"))) {
		r->draft.config->gate.ping = SLICE_NONE;
		return;
	}
	if (!is_path(value)) {
		complain(r, "ping = %s: write off, or a path, such as /-/ping",
		    quote(r, value));
		return;
	}
	r->draft.config->gate.ping = keep(r, value);
}

static void
set_trusted_proxy(struct reading *r, struct slice value)
{
	struct gate_config *gate = &r->draft.config->gate;
	struct addr_net net;

	if (slice_eq(value, SLICE("none")))
		return;
	if (!addr_net_parse(value, &net)) {
		complain(r,
		    "trusted_proxies: %s is no network: write 10.0.0.0/8, "
		    "::1 or unix",
		    quote(r, value));
		return;
	}
	if (net.bits == 0 ||
	    (net.bits == 96 && net.bytes[15] == 0 && net.bytes[11] == 0xff))
		config_warn(&r->draft.notes, r->file, r->lines.line,
		    "trusted_proxies: with %s any client can claim any "
		    "address",
		    quote(r, value));
	r->trusted =
	    config_grow(r->trusted, gate->trusted_proxy_count, sizeof(net));
	r->trusted[gate->trusted_proxy_count++] = net;
}

static void
set_request_id_header(struct reading *r, struct slice value)
{
	struct slice name =
	    read_field_name(r, "request_id_header", value, "X-Request-Id");

	if (name.len > 0)
		r->draft.config->gate.request_id_header = name;
}

/* Keys of [site] */

static void
set_site_name(struct reading *r, struct slice value)
{
	if (!is_name(value)) {
		complain(r,
		    "name = %s: at most 64 letters, digits, '-', '_' and '.'",
		    quote(r, value));
		return;
	}
	r->site->site->rules.name = keep(r, value);
}

#define UNIX_MODE 0660

static void
set_listen(struct reading *r, struct slice value)
{
	struct site_draft *site = r->site;
	struct listen_draft listen = {.line = r->lines.line,
	    .file_options = {UNIX_MODE, (uid_t)-1, (gid_t)-1}};
	bool is_unix = slice_starts(value, SLICE("unix:"));

	if (!addr_parse(value, &listen.addr) ||
	    (is_unix ? value.len > strlen("unix:") + LISTEN_PATH_MAX
		     : addr_port(&listen.addr) == 0)) {
		complain(r,
		    is_unix ? "listen %s: not unix: and an absolute path of "
			      "at most 99 bytes"
			    : "listen %s: not a numeric address and port, "
			      "such as 127.0.0.1:8080, [::1]:8080 or *:8080",
		    quote(r, value));
		return;
	}
	listen.text = keep(r, value);
	site->listens =
	    config_grow(site->listens, site->listen_count, sizeof(listen));
	site->listens[site->listen_count++] = listen;
}

/* Three or four octal digits. */
static bool
read_mode(struct slice digits, mode_t *mode)
{
	*mode = 0;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.at[i] < '0' || digits.at[i] > '7')
			return false;
		*mode = *mode * 8 + (mode_t)(digits.at[i] - '0');
	}
	return (digits.len == 3 || digits.len == 4) && *mode <= 0777;
}

/* False when there is no such user. */
static bool
find_user(const char *name, struct listen_file *file)
{
	const struct passwd *known = getpwnam(name);

	if (known != NULL)
		file->uid = known->pw_uid;
	return known != NULL;
}

static bool
find_group(const char *name, struct listen_file *file)
{
	const struct group *known = getgrnam(name);

	if (known != NULL)
		file->gid = known->gr_gid;
	return known != NULL;
}

/* "user", "user:group" or ":group", looked up where servers are. */
static bool
read_owner(struct reading *r, struct slice value, struct listen_file *file)
{
	size_t colon = slice_find(value, ':', 0);
	size_t at = colon < value.len ? colon + 1 : colon;
	char *user, *group;
	bool good;

	if (value.len == 0 || (colon < value.len && at == value.len))
		return false;
	if (r->options == NULL || !r->options->resolve)
		return true;
	user = mem_strndup((struct slice){value.at, colon});
	group = mem_strndup((struct slice){value.at + at, value.len - at});
	good = (*user == '\0' || find_user(user, file)) &&
	       (*group == '\0' || find_group(group, file));
	free(user);
	free(group);
	return good;
}

static void
set_listen_option(
    struct reading *r, struct listen_draft *listen, struct slice option)
{
	size_t equals = slice_find(option, '=', 0);
	struct slice name = {option.at, equals};
	struct slice value = {option.at + equals + 1, option.len - equals - 1};

	if (slice_eq(option, SLICE("proxy")))
		listen->proxy = true;
	else if (slice_eq(option, SLICE("tls")))
		listen->tls = true;
	else if (listen->addr.sa.ss_family != AF_UNIX)
		complain(r, "listen: %s is for unix sockets", quote(r, option));
	else if (slice_eq(name, SLICE("mode"))) {
		if (!read_mode(value, &listen->file_options.mode))
			complain(r,
			    "listen: %s: write three or four octal digits "
			    "up to 0777, such as mode=0660",
			    quote(r, option));
	} else if (slice_eq(name, SLICE("owner"))) {
		if (!read_owner(r, value, &listen->file_options))
			complain(r,
			    "listen: %s: no such user or group; write "
			    "owner=user:group",
			    quote(r, option));
	} else {
		complain(r,
		    "listen: no option %s: there are tls, proxy, mode= and "
		    "owner=",
		    quote(r, option));
	}
}

/* An option, or meant as one: no address has a '='. */
static bool
is_listen_option(struct slice word)
{
	return slice_eq(word, SLICE("proxy")) || slice_eq(word, SLICE("tls")) ||
	       (slice_find(word, '=', 0) < word.len &&
		   !slice_starts(word, SLICE("unix:")));
}

/* Addresses; or one with its options behind it. */
static void
set_listens(struct reading *r, struct slice value)
{
	unsigned before = r->site->listen_count, addresses = 0, options = 0;
	bool mixed = false;
	struct slice word;

	while (next_word(&value, &word)) {
		if (!is_listen_option(word)) {
			set_listen(r, word);
			addresses++;
			continue;
		}
		options++;
		mixed = mixed || addresses == 0;
		if (r->site->listen_count > before)
			set_listen_option(r, &r->site->listens[before], word);
	}
	if (mixed || (options > 0 && addresses > 1))
		complain(r, "listen: options stand behind one address: write "
			    "each address on a line of its own");
}

/* What is wrong with a host, or NULL. */
static const char *
judge_host(struct slice host)
{
	struct slice name = host;

	if (slice_eq(host, SLICE("*")))
		return NULL;
	if (slice_starts(name, SLICE("*.")))
		name = (struct slice){name.at + 2, name.len - 2};
	if (slice_find(name, '*', 0) < name.len)
		return "'*' stands alone, or first as in *.example.org";
	if (name.len > 253 || !uri_authority_valid(name) || name.at[0] == '.')
		return "not a host name, such as shop.example.org, "
		       "*.example.org or *";
	if (name.at[name.len - 1] == '.')
		return "write it without the '.' at its end";
	if (uri_host(name).len < name.len)
		return "write it without the port: 'listen' has that";
	return NULL;
}

static void
set_host(struct reading *r, struct slice value)
{
	struct site_draft *site = r->site;
	struct host_draft host = {.line = r->lines.line, .site = site};
	const char *why = judge_host(value);

	if (why != NULL) {
		complain(r, "host %s: %s", quote(r, value), why);
		return;
	}
	host.name = keep(r, value);
	site->hosts = config_grow(site->hosts, site->host_count, sizeof(host));
	site->hosts[site->host_count++] = host;
}

static void
set_site_upstream(struct reading *r, struct slice value)
{
	r->site->upstream = keep(r, value);
	r->site->upstream_line = r->lines.line;
}

/* What is wrong with a method of the site's own, or NULL. */
static const char *
judge_own_method(const struct method_names *own, struct slice value)
{
	if (!is_token(value))
		return "not a token of RFC 9110, such as PURGE";
	if (value.len > METHOD_TOKEN_MAX)
		return "longer than 32 bytes";
	if (method_find(value, NULL) != METHOD_NONE)
		return "it is registered, and needs no place here";
	if (method_find(value, own) != METHOD_NONE)
		return "it stands here twice";
	if (method_find_nocase(value, NULL) != METHOD_NONE)
		return "only case sets it apart from a registered method, and "
		       "many applications take it for that one";
	if (own->count == METHOD_MAX - METHOD_REGISTERED)
		return "too many methods: a site has room for 24 of its own";
	return NULL;
}

static void
set_method(struct reading *r, struct slice value)
{
	struct method_names *own = &r->site->site->rules.own;
	const char *why;

	if (slice_eq(value, SLICE("none")))
		return;
	why = judge_own_method(own, value);
	if (why != NULL) {
		complain(r, "methods: %s: %s", quote(r, value), why);
		return;
	}
	r->site->method_lines =
	    config_grow(r->site->method_lines, own->count, sizeof(unsigned));
	r->site->method_lines[own->count] = r->lines.line;
	own->name[own->count++] = keep(r, value);
}

static void
set_via(struct reading *r, struct slice value)
{
	if (slice_eq(value, SLICE("off"))) {
		r->site->site->via_on_responses = false;
		return;
	}
	if (!is_token(value) || value.len > NAME_MAX_BYTES) {
		complain(r,
		    "via = %s: write off, or a pseudonym of at most 64 bytes "
		    "without blanks",
		    quote(r, value));
		return;
	}
	r->site->site->via = keep(r, value);
}

static void
set_error_cache(struct reading *r, struct slice value)
{
	const struct slice prefix = SLICE("max-age=");
	struct site *site = r->site->site;
	uint64_t age;

	if (slice_eq(value, SLICE("no-store"))) {
		site->error_cache = ERROR_CACHE_NO_STORE;
	} else if (slice_eq(value, SLICE("heuristic"))) {
		site->error_cache = ERROR_CACHE_HEURISTIC;
		config_warn(&r->draft.notes, r->file, r->lines.line,
		    "error_cache = heuristic: caches may keep a 405 or 501 as "
		    "long as they like, also when the method is allowed by "
		    "then");
	} else if (slice_starts(value, prefix) &&
		   slice_to_u64((struct slice){value.at + prefix.len,
				    value.len - prefix.len},
		       &age) &&
		   age <= 365 * 24 * 3600) {
		site->error_cache = ERROR_CACHE_MAX_AGE;
		site->error_max_age = (uint32_t)age;
	} else {
		complain(r,
		    "error_cache = %s: write no-store, heuristic, or "
		    "max-age=N with N seconds, a year at most",
		    quote(r, value));
	}
}

static void
set_flag_header(struct reading *r, struct slice value)
{
	if (slice_eq(value, SLICE("off")))
		return;
	r->site->site->flag_header =
	    read_field_name(r, "flag_header", value, "X-Method-Flags");
	r->site->flag_header_line = r->lines.line;
}

static void
set_certificate_header(struct reading *r, struct slice value)
{
	if (slice_eq(value, SLICE("off")))
		return;
	r->site->site->certificate_header = read_field_name(
	    r, "client_certificate_header", value, "X-Client-Subject");
	r->site->certificate_header_line = r->lines.line;
}

/* Files and names of TLS, in [site] and [upstream]. */
static void
set_tls(struct reading *r, struct slice value)
{
	struct tls_setting **list =
	    r->section == SECTION_SITE ? &r->site->tls : &r->upstream->tls;

	config_tls_take(&r->draft, list,
	    &(struct tls_setting){
		.key = r->key, .text = value, .line = r->lines.line});
}

/* What is wrong with the name of a parameter, or NULL. It is compared with
 * names that are decoded. */
static const char *
judge_path_param(const struct site_rules *rules, struct slice name)
{
	size_t i;

	for (i = 0; i < name.len; i++)
		if (name.at[i] <= ' ' || name.at[i] > '~' ||
		    strchr("%&+;=#", name.at[i]) != NULL)
			return "not the name of a parameter as applications "
			       "see it, such as rest_route";
	for (i = 0; i < rules->path_param_count; i++)
		if (slice_eq(name, rules->path_params[i]))
			return "it stands here twice";
	if (rules->path_param_count == PATH_PARAMS_MAX)
		return "too many parameters: a site has room for 16";
	return NULL;
}

static void
set_path_param(struct reading *r, struct slice value)
{
	struct site_rules *rules = &r->site->site->rules;
	const char *why;

	if (slice_eq(value, SLICE("none")))
		return;
	why = judge_path_param(rules, value);
	if (why != NULL) {
		complain(r, "path_params: %s: %s", quote(r, value), why);
		return;
	}
	if (r->path_params == NULL)
		r->path_params = config_arena(&r->draft.config->arena,
		    PATH_PARAMS_MAX * sizeof(*r->path_params));
	r->path_params[rules->path_param_count++] = keep(r, value);
	rules->path_params = r->path_params;
}

/* Keys of [upstream] */

static bool
resolve(struct reading *r, struct server_config *server, struct slice host,
    uint16_t port)
{
	struct addr found[ADDR_LOOKUP_MAX];
	const char *error = "";
	char *name;
	int count;

	if (addr_parse(server->host, &found[0])) {
		count = 1;
	} else if (r->options == NULL || !r->options->resolve) {
		return true;
	} else {
		name = mem_strndup(host);
		count =
		    addr_resolve(name, port, found, ADDR_LOOKUP_MAX, &error);
		free(name);
	}
	if (count <= 0) {
		complain(r, "server %s: its name can't be looked up: %s",
		    quote(r, server->host), error);
		return false;
	}
	server->addrs = config_arena(
	    &r->draft.config->arena, (size_t)count * sizeof(*server->addrs));
	memcpy(server->addrs, found, (size_t)count * sizeof(*found));
	server->addr_count = (unsigned)count;
	return true;
}

/* Digits and dots are meant as an IPv4 address, not as a name. */
static bool
looks_numeric(struct slice host)
{
	size_t i;

	for (i = 0; i < host.len; i++)
		if ((host.at[i] < '0' || host.at[i] > '9') && host.at[i] != '.')
			return false;
	return true;
}

static void
set_server(struct reading *r, struct slice value)
{
	struct upstream_draft *upstream = r->upstream;
	struct server_config server = {.weight = 1, .line = r->lines.line};
	struct slice host = SLICE_NONE;
	struct addr addr;
	uint16_t port = 0;

	if (slice_starts(value, SLICE("unix:"))) {
		if (!addr_parse(value, &addr)) {
			complain(r,
			    "server %s: not unix: and an absolute path of at "
			    "most 107 bytes",
			    quote(r, value));
			return;
		}
	} else if (!addr_split_host_port(value, &host, &port) ||
		   host.len == 0 ||
		   (looks_numeric(host) && !addr_parse(value, &addr))) {
		complain(r,
		    "server %s: not host:port, such as 127.0.0.1:3000, "
		    "[::1]:3000 or app:3000",
		    quote(r, value));
		return;
	}
	server.host = keep(r, value);
	if (!resolve(r, &server, host, port))
		return;
	upstream->servers = config_grow(
	    upstream->servers, upstream->server_count, sizeof(server));
	upstream->servers[upstream->server_count++] = server;
}

/* "weight=3" or "max=10": the number. */
static bool
read_option(struct slice option, const char *name, unsigned most, unsigned *to)
{
	size_t len = strlen(name);
	uint64_t number;

	if (!slice_starts(option, slice_of(name)) ||
	    !slice_to_u64(
		(struct slice){option.at + len, option.len - len}, &number) ||
	    number < 1 || number > most)
		return false;
	*to = (unsigned)number;
	return true;
}

static void
set_option(struct reading *r, struct server_config *server, struct slice option)
{
	if (slice_eq(option, SLICE("backup")))
		server->backup = true;
	else if (slice_eq(option, SLICE("send-proxy")))
		server->send_proxy = PROXY_V1;
	else if (slice_eq(option, SLICE("send-proxy-v2")))
		server->send_proxy = PROXY_V2;
	else if (!read_option(option, "weight=", WEIGHT_MAX, &server->weight) &&
		 !read_option(option, "max=", MAX_MAX, &server->max))
		complain(r,
		    "server: no option %s: there are weight=N, 1 to 1000, "
		    "max=N, 1 to 1000000, backup, send-proxy and "
		    "send-proxy-v2",
		    quote(r, option));
}

/* An option, or meant as one: no address has a '='. */
static bool
is_option(struct slice word)
{
	return slice_eq(word, SLICE("backup")) ||
	       slice_starts(word, SLICE("send-proxy")) ||
	       (slice_find(word, '=', 0) < word.len &&
		   !slice_starts(word, SLICE("unix:")));
}

/* Addresses; or one with its options behind it. */
static void
set_servers(struct reading *r, struct slice value)
{
	struct upstream_draft *upstream = r->upstream;
	unsigned before = upstream->server_count, addresses = 0, options = 0;
	bool mixed = false;
	struct slice word;

	while (next_word(&value, &word)) {
		if (!is_option(word)) {
			set_server(r, word);
			addresses++;
		} else {
			options++;
			mixed = mixed || addresses == 0;
			if (upstream->server_count > before)
				set_option(r, &upstream->servers[before], word);
		}
	}
	if (mixed || (options > 0 && addresses > 1))
		complain(r, "server: options stand behind one address: write "
			    "each server on a line of its own");
}

static void
set_health(struct reading *r, struct slice value)
{
	if (slice_eq(value, SLICE("off")))
		return;
	if (!is_target(value)) {
		complain(r,
		    "health = %s: write off, or what to GET, such as /healthz",
		    quote(r, value));
		return;
	}
	r->upstream->upstream->health.target = keep(r, value);
}

/* Keys of [location] */

static const char *
why_never_allowed(unsigned method)
{
	switch (method) {
	case METHOD_CONNECT:
		return "it opens a tunnel whose content nobody judges";
	case METHOD_TRACE:
		return "it reflects a request, cookies and credentials "
		       "included";
	default:
		return "it is part of the preface of HTTP/2, and no method";
	}
}

static method_set
named_set(struct reading *r, const char *key, struct slice name)
{
	method_set set = method_named_set(name);
	char names[256];
	size_t len = 0;
	struct slice near;
	unsigned i;

	if (set != 0)
		return set;
	for (i = 0; method_named_set_name(i) != NULL; i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len,
		    "%s%s", i > 0 ? " " : "", method_named_set_name(i));
	near = config_word_nearest(names, name);
	complain(r, "%s: no set %s: %s%.*s%s%s", key, quote(r, name),
	    near.len > 0 ? "did you mean " : "", SLICE_ARG(near),
	    near.len > 0 ? "? The sets are " : "the sets are ", names);
	return 0;
}

/* The methods that a word names. One that is not known goes to the end of a
 * list: the site's own may be named further down. */
static method_set
read_methods(struct reading *r, const char *key, struct slice word,
    struct word_draft ***unknown_end)
{
	unsigned method;

	if (word.at[0] == '@')
		return named_set(r, key, word);
	method = method_find(word, &r->site->site->rules.own);
	if (method == METHOD_NONE)
		add_word(r, unknown_end, word);
	else if (method_is_allowable(method))
		return method_bit(method);
	else
		complain(r, "%s: %.*s can't be allowed: %s", key,
		    SLICE_ARG(word), why_never_allowed(method));
	return 0;
}

static void
set_allow(struct reading *r, struct slice value)
{
	struct location_draft *draft = r->location;

	draft->words++;
	if (slice_eq(value, SLICE("none"))) {
		draft->none = true;
		return;
	}
	draft->location->rules.written |=
	    read_methods(r, "allow", value, &r->unknown_end);
}

static bool
read_digits(struct slice s, size_t from, size_t len, unsigned *out)
{
	uint64_t number;

	if (!slice_to_u64((struct slice){s.at + from, len}, &number))
		return false;
	*out = (unsigned)number;
	return true;
}

static unsigned
days_of_month(unsigned year, unsigned month)
{
	static const unsigned char days[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* "2027-01-31" to the midnight, in UTC, that ends that day. The year begins in
 * March here, so that the leap day is its last, and 400 years earlier, so that
 * no number is below 0. */
static bool
read_date(struct slice s, time_t *end)
{
	const int64_t epoch = 719468 + 146097; /* from there to 1970 */
	unsigned year, month, day, of_year;
	int64_t days;

	if (s.len != 10 || s.at[4] != '-' || s.at[7] != '-' ||
	    !read_digits(s, 0, 4, &year) || !read_digits(s, 5, 2, &month) ||
	    !read_digits(s, 8, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 ||
	    day > days_of_month(year, month))
		return false;
	year = year + 400 - (month <= 2 ? 1 : 0);
	of_year = (153 * ((month + 9) % 12) + 2) / 5 + day;
	days = (int64_t)365 * year + year / 4 - year / 100 + year / 400;
	*end = (time_t)((days + of_year - epoch) * 86400);
	return true;
}

static void
refuse_grant(struct reading *r, struct slice value)
{
	complain(r,
	    "grant = %s: write methods, 'until', a date, and a note or none, "
	    "such as 'DELETE until 2030-01-31 OPS-123'",
	    quote(r, value));
}

/* What follows "until": the last day, and a note. */
static bool
read_grant_end(struct reading *r, struct grant_draft *grant, struct slice *rest)
{
	struct slice word;
	size_t i;

	if (!next_word(rest, &word))
		return false;
	if (!read_date(word, &grant->grant.until)) {
		complain(r, "grant: there is no day %s: write it as 2030-01-31",
		    quote(r, word));
		return true;
	}
	while (rest->len > 0 && is_separator(rest->at[0]))
		*rest = (struct slice){rest->at + 1, rest->len - 1};
	for (i = 0; i < rest->len; i++)
		if (rest->at[i] < ' ' || rest->at[i] > '~') {
			complain(r, "grant: the note %s is not visible ASCII",
			    quote(r, *rest));
			return true;
		}
	grant->date = arena_copy(&r->draft.scratch, word);
	grant->grant.note = keep(r, *rest);
	return true;
}

/* "DELETE until 2030-01-31 OPS-123" */
static void
set_grant(struct reading *r, struct slice value)
{
	struct grant_draft *grant =
	    config_arena(&r->draft.scratch, sizeof(*grant));
	struct word_draft **end = &grant->unknown;
	struct slice rest = value, word;
	unsigned words = 0;

	if (slice_eq(value, SLICE("none")))
		return;
	while (next_word(&rest, &word) && !slice_eq(word, SLICE("until"))) {
		grant->grant.methods |= read_methods(r, "grant", word, &end);
		words++;
	}
	if (words == 0 || !read_grant_end(r, grant, &rest)) {
		refuse_grant(r, value);
		return;
	}
	grant->grant.line = r->lines.line;
	*r->grants_end = grant;
	r->grants_end = &grant->next;
	r->location->location->rules.grant_count++;
}

/* "PATCH -> POST" */
static void
set_rewrite_method(struct reading *r, struct slice value)
{
	struct slice rest = value, from, arrow, to, more;

	if (slice_eq(value, SLICE("none")))
		return;
	if (!next_word(&rest, &from) || !next_word(&rest, &arrow) ||
	    !slice_eq(arrow, SLICE("->")) || !next_word(&rest, &to) ||
	    next_word(&rest, &more)) {
		complain(r,
		    "rewrite_method = %s: write a method, '->' and another, "
		    "such as PATCH -> POST",
		    quote(r, value));
		return;
	}
	r->location->rewrite_from = arena_copy(&r->draft.scratch, from);
	r->location->rewrite_to = arena_copy(&r->draft.scratch, to);
	r->location->location->rewrite_line = r->lines.line;
}

static void
set_location_upstream(struct reading *r, struct slice value)
{
	r->location->upstream = arena_copy(&r->draft.scratch, value);
	r->location->upstream_line = r->lines.line;
}

/* What is wrong with a protocol, or NULL: some would carry requests that nobody
 * has judged. */
static const char *
judge_upgrade(const struct location *location, struct slice name)
{
	static const struct slice carriers[] = {
	    {"h2c", 3}, {"h2", 2}, {"http", 4}, {"tls", 3}};
	struct slice family = {name.at, slice_find(name, '/', 0)};
	unsigned i;

	if (!is_token(family) ||
	    (family.len < name.len &&
		!is_token((struct slice){
		    name.at + family.len + 1, name.len - family.len - 1})))
		return "not the name of a protocol, such as websocket";
	for (i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++)
		if (slice_eq_nocase(family, carriers[i]))
			return "it would carry requests past the allowlist";
	for (i = 0; i < location->upgrade_count; i++)
		if (slice_eq_nocase(name, location->upgrade[i]))
			return "it stands here twice";
	if (location->upgrade_count == UPGRADES_MAX)
		return "too many protocols: a location has room for 8";
	return NULL;
}

static void
set_upgrade(struct reading *r, struct slice value)
{
	struct location *location = r->location->location;
	struct slice *list = (struct slice *)location->upgrade;
	const char *why;

	if (slice_eq(value, SLICE("none")))
		return;
	why = judge_upgrade(location, value);
	if (why != NULL) {
		complain(r, "upgrade: %s: %s", quote(r, value), why);
		return;
	}
	if (list == NULL)
		location->upgrade = list = config_arena(
		    &r->draft.config->arena, UPGRADES_MAX * sizeof(*list));
	list[location->upgrade_count++] = keep(r, value);
}

static void
set_rate(struct reading *r, struct slice value)
{
	const char *why =
	    config_rate_read(value, &r->location->location->rules.rate);

	if (why != NULL)
		complain(r, "rate = %s: %s", quote(r, value), why);
}

static void
set_path(struct reading *r, struct slice value)
{
	if (r->label.len == 0)
		complain(r,
		    "path: the section header has a pattern already; give it "
		    "a name in its place, such as [location reports]");
	else
		r->location->location->rules.pattern = keep(r, value);
}

/* Keys to their functions. A list's is called for each word. */
typedef void (*set_fn)(struct reading *r, struct slice value);
static const set_fn setters[KEY_COUNT] = {
    [KEY_SITES] = set_sites,
    [KEY_ACCESS_LOG] = set_access_log,
    [KEY_PING] = set_ping,
    [KEY_TRUSTED_PROXIES] = set_trusted_proxy,
    [KEY_REQUEST_ID_HEADER] = set_request_id_header,
    [KEY_NAME] = set_site_name,
    [KEY_LISTEN] = set_listens,
    [KEY_HOST] = set_host,
    [KEY_SITE_UPSTREAM] = set_site_upstream,
    [KEY_METHODS] = set_method,
    [KEY_PATH_PARAMS] = set_path_param,
    [KEY_FLAG_HEADER] = set_flag_header,
    [KEY_CERTIFICATE] = set_tls,
    [KEY_CERTIFICATE_KEY] = set_tls,
    [KEY_CLIENT_CA] = set_tls,
    [KEY_CLIENT_CERTIFICATE_HEADER] = set_certificate_header,
    [KEY_TLS_NAME] = set_tls,
    [KEY_TLS_CA] = set_tls,
    [KEY_TLS_CERTIFICATE] = set_tls,
    [KEY_TLS_KEY] = set_tls,
    [KEY_VIA] = set_via,
    [KEY_ERROR_CACHE] = set_error_cache,
    [KEY_SERVER] = set_servers,
    [KEY_HEALTH] = set_health,
    [KEY_ALLOW] = set_allow,
    [KEY_GRANT] = set_grant,
    [KEY_REWRITE_METHOD] = set_rewrite_method,
    [KEY_LOCATION_UPSTREAM] = set_location_upstream,
    [KEY_UPGRADE] = set_upgrade,
    [KEY_RATE] = set_rate,
    [KEY_PATH] = set_path,
};

static void *
base_of(struct reading *r)
{
	switch (r->section) {
	case SECTION_GATE:
		return &r->draft.config->gate;
	case SECTION_SITE:
		return r->site->site;
	case SECTION_UPSTREAM:
		return r->upstream->upstream;
	default:
		return r->location->location;
	}
}

static void
unknown_key(struct reading *r, struct slice name)
{
	enum config_section home = config_key_home(name);
	const char *near = config_key_nearest(r->section, name);
	const char *section = config_section_name(r->section);

	if (home != SECTION_COUNT)
		complain(r, "unknown key %s in [%s]: it is a key of [%s]",
		    quote(r, name), section, config_section_name(home));
	else if (near != NULL)
		complain(r, "unknown key %s in [%s]: did you mean %s?",
		    quote(r, name), section, near);
	else
		complain(r, "unknown key %s in [%s]", quote(r, name), section);
}

static void
set_value(struct reading *r, enum config_key_id id, struct slice value)
{
	const struct config_key *key = &config_keys[id];
	char why[CONFIG_WHY_MAX];
	struct slice word;

	r->key = id;
	switch (key->type) {
	case TYPE_LIST:
		while (next_word(&value, &word))
			setters[id](r, word);
		return;
	case TYPE_TEXT:
	case TYPE_LINES:
		setters[id](r, value);
		return;
	default:
		if (!config_key_set(key, base_of(r), value, why))
			complain(
			    r, "%s = %s: %s", key->name, quote(r, value), why);
		return;
	}
}

/* An ini_handler. inih's own idea of the section is not asked: it cuts names,
 * and never tells of a section without keys. */
static int
on_key(void *arg, const char *section, const char *name, const char *text)
{
	struct reading *r = arg;
	struct slice value = slice_of(text);
	enum config_key_id id;
	unsigned first;

	(void)section;
	if (r->place == SKIPPED)
		return 1;
	if (r->place == BEFORE_ALL) {
		complain(r,
		    "%s stands before any section: begin with [gate] or "
		    "[site]",
		    quote(r, slice_of(name)));
		return 1;
	}
	id = config_key_find(r->section, slice_of(name));
	if (id == KEY_COUNT) {
		unknown_key(r, slice_of(name));
		return 1;
	}
	first = r->seen[id];
	r->seen[id] = r->lines.line;
	if (first > 0 && config_keys[id].type != TYPE_LIST &&
	    config_keys[id].type != TYPE_LINES)
		complain(r, "%s stands twice in this section, first on line %u",
		    name, first);
	else if (value.len == 0)
		complain(r, "%s has no value", name);
	else
		set_value(r, id, value);
	return 1;
}

/* Sections */

/* What evhttp can't do for a server, or NULL. */
static const char *
beyond_evhttp(const struct server_config *server)
{
	if (server->send_proxy != PROXY_NONE)
		return "evhttp sends no PROXY header";
	if (server->addr_count > 0 && server->addrs[0].sa.ss_family == AF_UNIX)
		return "evhttp carries nothing to a unix socket";
	return NULL;
}

static void
carry_natively(struct reading *r)
{
	struct upstream_config *upstream = r->upstream->upstream;
	const struct server_config *server = r->upstream->servers;
	const char *why;

	for (unsigned i = 0; i < r->upstream->server_count; i++) {
		why = beyond_evhttp(&server[i]);
		if (upstream->transport != TRANSPORT_EVHTTP || why == NULL)
			continue;
		upstream->transport = TRANSPORT_NATIVE;
		config_warn(&r->draft.notes, r->file, server[i].line,
		    "server %s: %s: this upstream is carried natively",
		    quote(r, server[i].host), why);
	}
}

static void
end_upstream(struct reading *r)
{
	if (r->seen[KEY_SERVER] == 0)
		config_error(&r->draft.notes, r->file, r->section_line,
		    "server is missing: add one, such as 'server = "
		    "127.0.0.1:3000'");
	carry_natively(r);
	r->upstream->tls_line = r->seen[KEY_TLS];
	r->upstream->verify_line = r->seen[KEY_TLS_VERIFY];
}

static void
end_site(struct reading *r)
{
	r->site->clients_line = r->seen[KEY_CLIENT_CERTIFICATE];
	r->site->redirect_line = r->seen[KEY_REDIRECT_HTTPS];
}

/* False, and noted, when the section has no pattern to stand for. */
static bool
judge_pattern(struct reading *r, struct slice pattern, unsigned line)
{
	struct config_notes *notes = &r->draft.notes;

	if (r->label.len > 0 && pattern.len == 0) {
		config_error(notes, r->file, line,
		    "[location %s] has no pattern: a pattern begins with '/'; "
		    "a name needs 'path = /...' below",
		    quote(r, r->label));
		return false;
	}
	if (!is_path(pattern)) {
		config_error(notes, r->file, line,
		    "%s is no pattern: it begins with '/', and holds only "
		    "visible ASCII without '?' and '#'",
		    quote(r, pattern));
		return false;
	}
	return true;
}

/* True when a '*' is no whole segment. */
static bool
has_odd_star(struct slice pattern)
{
	size_t i;

	for (i = 1; i < pattern.len; i++)
		if (pattern.at[i] == '*' &&
		    (pattern.at[i - 1] != '/' ||
			(i + 1 < pattern.len && pattern.at[i + 1] != '/')))
			return true;
	return false;
}

static void
warn_of_pattern(
    struct reading *r, const struct location_rules *rules, unsigned line)
{
	struct slice pattern = rules->pattern;
	const char *shown = quote(r, pattern);

	if (has_odd_star(pattern))
		config_warn(&r->draft.notes, r->file, line,
		    "location %s: a '*' stands for a whole segment only; here "
		    "it is an ordinary byte",
		    shown);
	if (!rules->exact && pattern.len > 1 &&
	    pattern.at[pattern.len - 1] == '/')
		config_warn(&r->draft.notes, r->file, line,
		    "location %s does not cover %sx: without the '/' at its "
		    "end it would",
		    shown, shown);
}

static void
end_location(struct reading *r)
{
	struct config_notes *notes = &r->draft.notes;
	struct location_rules *rules = &r->location->location->rules;
	unsigned line = r->seen[KEY_PATH] > 0 && r->label.len > 0
			    ? r->seen[KEY_PATH]
			    : r->section_line;
	const struct location_rules *other;

	if (judge_pattern(r, rules->pattern, line)) {
		warn_of_pattern(r, rules, line);
		other = trie_add(r->site->site->rules.locations, rules->pattern,
		    rules->exact, rules);
		if (other != NULL)
			config_error(notes, r->file, line,
			    "location %s%s stands twice, first on line %u",
			    rules->exact ? "= " : "", quote(r, rules->pattern),
			    other->line);
	}
	r->location->has_mode = r->seen[KEY_LOCATION_MODE] > 0;
	if (r->seen[KEY_ALLOW] == 0)
		config_error(notes, r->file, r->section_line,
		    "allow is missing: add one, such as 'allow = @read' or "
		    "'allow = none'");
	else if (r->location->none && r->location->words > 1)
		config_error(notes, r->file, r->seen[KEY_ALLOW],
		    "allow: none stands alone or not at all");
}

static void
end_section(struct reading *r)
{
	if (r->place != IN_SECTION)
		return;
	if (r->section == SECTION_SITE)
		end_site(r);
	else if (r->section == SECTION_UPSTREAM)
		end_upstream(r);
	else if (r->section == SECTION_LOCATION)
		end_location(r);
}

/* The draft of this file's site. */
static struct site_draft *
need_site(struct reading *r)
{
	if (r->site == NULL) {
		r->site = config_draft_site(&r->draft, r->file);
		r->site->first_line = r->lines.line;
	}
	return r->site;
}

static bool
begin_gate(struct reading *r, struct slice name)
{
	if (name.len > 0) {
		complain(r, "[gate] takes no name");
		return false;
	}
	if (r->file != r->draft.file) {
		complain(r, "[gate] belongs in %s, which names this file",
		    r->draft.file->path);
		return false;
	}
	if (r->gate_line > 0) {
		complain(
		    r, "[gate] stands twice, first on line %u", r->gate_line);
		return false;
	}
	r->gate_line = r->lines.line;
	return true;
}

static bool
begin_site(struct reading *r, struct slice name)
{
	struct site_rules *rules = &need_site(r)->site->rules;

	if (name.len > 0) {
		complain(r,
		    "[site] takes no name in its header: write 'name = %s' "
		    "below",
		    quote(r, name));
		return false;
	}
	if (rules->line > 0) {
		complain(r,
		    "[site] stands twice, first on line %u: each site has a "
		    "file of its own",
		    rules->line);
		return false;
	}
	rules->line = r->lines.line;
	return true;
}

static struct upstream_config *
new_upstream(struct reading *r, struct slice name)
{
	struct upstream_config *upstream =
	    config_arena(&r->draft.config->arena, sizeof(*upstream));

	upstream->name = keep(r, name);
	upstream->transport = TRANSPORT_NATIVE;
	upstream->idle_max = 64;
	upstream->idle_timeout = 4000;
	upstream->retries = 1;
	upstream->tls_verify = true;
	upstream->health.interval = 5000;
	upstream->health.rise = 2;
	upstream->health.fall = 3;
	upstream->connect_timeout = 3 * 1000;
	upstream->response_timeout = 60 * 1000;
	upstream->body_timeout = 60 * 1000;
	upstream->tunnel_timeout = 60 * 60 * 1000;
	upstream->response_head_limit = 64 * 1024;
	upstream->evhttp_body_limit = 1024 * 1024;
	upstream->file = r->file->path;
	upstream->line = r->lines.line;
	return upstream;
}

static bool
begin_upstream(struct reading *r, struct slice name)
{
	struct site_draft *site = need_site(r);
	unsigned other, number = site->upstream_count + 1;

	if (!is_name(name)) {
		complain(r,
		    "[upstream] needs a name of letters, digits, '-', '_' and "
		    "'.', such as [upstream app]");
		return false;
	}
	other = (unsigned)(uintptr_t)hosts_add(
	    site->upstream_names, name, (void *)(uintptr_t)number);
	if (other > 0) {
		complain(r,
		    "[upstream %s] stands twice (in whatever case), first on "
		    "line %u",
		    quote(r, name), site->upstreams[other - 1].upstream->line);
		return false;
	}
	site->upstreams = config_grow(
	    site->upstreams, site->upstream_count, sizeof(*site->upstreams));
	r->upstream = &site->upstreams[site->upstream_count++];
	*r->upstream =
	    (struct upstream_draft){.upstream = new_upstream(r, name)};
	return true;
}

static bool
label_is_new(struct reading *r, struct slice label)
{
	uintptr_t line = r->lines.line;
	unsigned first;

	if (r->site->labels == NULL)
		r->site->labels = hosts_new();
	first = (unsigned)(uintptr_t)hosts_add(
	    r->site->labels, label, (void *)line);
	if (first > 0)
		complain(r,
		    "[location %s] stands twice (in whatever case), first on "
		    "line %u",
		    quote(r, label), first);
	return first == 0;
}

static void
add_location(struct reading *r, struct slice pattern, bool exact)
{
	struct site_draft *site = r->site;
	struct location *location =
	    config_draft_location(&r->draft, site->site, r->lines.line);

	location->rules.exact = exact;
	if (pattern.len > 0)
		location->rules.pattern = keep(r, pattern);
	site->locations = config_grow(
	    site->locations, site->location_count, sizeof(*site->locations));
	r->location = &site->locations[site->location_count++];
	*r->location = (struct location_draft){.location = location};
	r->unknown_end = &r->location->unknown;
	r->grants_end = &r->location->grants;
}

/* "/api", "= /api", or a label for a pattern that comes as `path`. */
static bool
begin_location(struct reading *r, struct slice name)
{
	bool exact = slice_starts(name, SLICE("="));

	need_site(r);
	if (exact)
		name = slice_trim((struct slice){name.at + 1, name.len - 1});
	r->label = SLICE_NONE;
	if (slice_starts(name, SLICE("/"))) {
		add_location(r, name, exact);
		return true;
	}
	if (!is_name(name)) {
		complain(r,
		    "[location] needs a pattern, such as [location /api], or "
		    "a name for one that follows as 'path = /...'");
		return false;
	}
	if (!label_is_new(r, name))
		return false;
	memcpy(r->label_bytes, name.at, name.len);
	r->label = (struct slice){r->label_bytes, name.len};
	add_location(r, SLICE_NONE, exact);
	return true;
}

typedef bool (*begin_fn)(struct reading *r, struct slice name);
static const begin_fn beginners[SECTION_COUNT] = {
    [SECTION_GATE] = begin_gate,
    [SECTION_SITE] = begin_site,
    [SECTION_UPSTREAM] = begin_upstream,
    [SECTION_LOCATION] = begin_location,
};

static void
unknown_section(struct reading *r, struct slice word)
{
	struct slice near =
	    config_word_nearest("gate site upstream location", word);

	if (near.len > 0)
		complain(r, "unknown section [%s]: did you mean [%.*s]?",
		    quote(r, word), SLICE_ARG(near));
	else
		complain(r,
		    "unknown section [%s]: there are [gate], [site], "
		    "[upstream NAME] and [location PATTERN]",
		    quote(r, word));
}

static void
on_section(void *arg, struct slice header)
{
	struct reading *r = arg;
	struct slice rest = header, word;

	end_section(r);
	r->section_line = r->lines.line;
	memset(r->seen, 0, sizeof(r->seen));
	r->place = SKIPPED;
	if (header.at != NULL && next_word(&rest, &word)) {
		r->section = config_section_find(word);
		if (r->section == SECTION_COUNT)
			unknown_section(r, word);
		else if (beginners[r->section](r, slice_trim(rest)))
			r->place = IN_SECTION;
	}
	if (r->place == SKIPPED)
		r->broken = true;
}

/* Files */

/* The name of the file without folder and ".ini". */
static void
default_name(struct reading *r)
{
	struct slice name = slice_of(r->file->path);
	const char *slash = strrchr(name.at, '/');
	char *out;
	size_t i;

	if (r->site->site->rules.name.len > 0)
		return;
	if (slash != NULL)
		name = slice_of(slash + 1);
	if (name.len > 4 && memcmp(name.at + name.len - 4, ".ini", 4) == 0)
		name.len -= 4;
	if (name.len > NAME_MAX_BYTES)
		name.len = NAME_MAX_BYTES;
	if (name.len == 0)
		name = SLICE("site");
	out = arena_alloc(&r->draft.config->arena, name.len);
	for (i = 0; i < name.len; i++)
		out[i] =
		    is_name((struct slice){name.at + i, 1}) ? name.at[i] : '_';
	r->site->site->rules.name = (struct slice){out, name.len};
}

static struct config_file *
new_file(struct reading *r, const char *path, unsigned index)
{
	struct config_file *file =
	    config_arena(&r->draft.scratch, sizeof(*file));

	/* With its NUL. */
	file->path = keep(r, (struct slice){path, strlen(path) + 1}).at;
	file->index = index;
	return file;
}

static void
read_text(struct reading *r, const struct config_file *file, struct slice text)
{
	unsigned errors = r->draft.notes.error_count;
	int line;

	r->file = file;
	r->site = NULL;
	r->path_params = NULL;
	r->broken = false;
	r->place = BEFORE_ALL;
	r->lines = (struct config_lines){.notes = &r->draft.notes,
	    .file = file,
	    .text = text,
	    .section = on_section,
	    .arg = r};
	line = ini_parse_stream(config_lines_next, &r->lines, on_key, r);
	end_section(r);
	/* The line source left it nothing to say; but it may not be silent. */
	if (line != 0 && r->draft.notes.error_count == errors)
		config_error(&r->draft.notes, file,
		    line > 0 ? (unsigned)line : 0, "inih can't read this");
	r->draft.broken = r->draft.broken || r->broken;
	if (r->site != NULL) {
		/* As large as all that is kept, where every location has one.
		 */
		hosts_free(r->site->labels);
		r->site->labels = NULL;
		r->site->broken = r->broken;
		default_name(r);
	}
}

static bool
read_path(struct reading *r, const struct config_file *file)
{
	struct slice text;
	const char *error = "";

	if (!config_lines_load(file->path, &text, &error)) {
		config_error(
		    &r->draft.notes, file, 0, "can't be read: %s", error);
		r->draft.broken = true;
		return false;
	}
	read_text(r, file, text);
	free((char *)text.at);
	return true;
}

static void
add_site_files(struct reading *r, const struct word_draft *pattern,
    struct config_paths *paths)
{
	bool found =
	    config_paths_add(paths, r->draft.file->path, pattern->text);

	if (found || pattern->line == 0)
		return;
	if (config_paths_is_pattern(pattern->text))
		config_warn(&r->draft.notes, r->draft.file, pattern->line,
		    "sites: no file matches %s", quote(r, pattern->text));
	else
		config_error(&r->draft.notes, r->draft.file, pattern->line,
		    "sites: no file %s", quote(r, pattern->text));
}

static void
read_site_files(struct reading *r)
{
	/* Line 0: nobody wrote it, so nobody misses what it does not match. */
	struct word_draft fallback = {.text = SLICE("sites/*.ini")}, *pattern;
	struct config_paths paths = {.count = 0};
	struct config_file *file;
	unsigned i;

	if (r->patterns == NULL)
		r->patterns = &fallback;
	for (pattern = r->patterns; pattern != NULL; pattern = pattern->next)
		add_site_files(r, pattern, &paths);
	config_paths_sort(&paths, r->draft.file->path);
	for (i = 0; i < paths.count; i++) {
		file = new_file(r, paths.list[i], i + 1);
		if (!read_path(r, file) || r->site != NULL || r->broken)
			continue;
		config_error(
		    &r->draft.notes, file, 0, "no [site] in this file");
		r->draft.broken = true;
	}
	config_paths_done(&paths);
}

static void
begin(struct reading *r, const char *name, const struct config_options *options)
{
	*r = (struct reading){.options = options};
	r->patterns_end = &r->patterns;
	config_draft_init(&r->draft);
	r->draft.file = new_file(r, name, 0);
	r->draft.config->path = r->draft.file->path;
	if (options != NULL && options->tickets != NULL)
		r->draft.config->tickets = tls_tickets_ref(options->tickets);
}

/* The texts of one kind, and the pointers to them, in one block. */
static char **
report_texts(const struct config_notes *notes, bool errors, const char *path,
    unsigned *count)
{
	unsigned all =
	    errors ? notes->error_count : notes->count - notes->error_count;
	unsigned shown = all < MESSAGES_MAX ? all : MESSAGES_MAX, i, n = 0;
	size_t size = (shown + 1) * sizeof(char *) + strlen(path) + 64;
	char **texts, *at;

	for (i = 0; i < notes->count && n < shown; i++)
		if (notes->list[i].is_error == errors) {
			size += strlen(notes->list[i].text) + 1;
			n++;
		}
	texts = mem_alloc(size);
	at = (char *)(texts + shown + 1);
	*count = 0;
	for (i = 0; i < notes->count && *count < shown; i++)
		if (notes->list[i].is_error == errors) {
			texts[(*count)++] = at;
			at = stpcpy(at, notes->list[i].text) + 1;
		}
	if (all > shown) {
		texts[(*count)++] = at;
		sprintf(at, "%s: %u more %s", path, all - shown,
		    errors ? "errors" : "warnings");
	}
	return texts;
}

static time_t
time_of(const struct config_options *options)
{
	if (options == NULL)
		return 0;
	return options->now != 0 ? options->now : time(NULL);
}

/* Frees the reading; the configuration is the caller's. */
static struct config *
end(struct reading *r, struct config_report *report)
{
	struct config *config = r->draft.config;
	struct config_notes *notes = &r->draft.notes;
	size_t size = config->gate.trusted_proxy_count * sizeof(*r->trusted);

	config->gate.trusted_proxies = config_arena(&config->arena, size);
	if (size > 0)
		memcpy(config->gate.trusted_proxies, r->trusted, size);
	config_check(&r->draft, time_of(r->options));
	config_tls(&r->draft, time_of(r->options),
	    r->options != NULL && r->options->certificates);
	config_notes_sort(notes);
	report->errors =
	    report_texts(notes, true, config->path, &report->error_count);
	report->warnings =
	    report_texts(notes, false, config->path, &report->warning_count);
	free(r->trusted);
	config_draft_done(&r->draft);
	if (report->error_count == 0)
		return config;
	config_unref(config);
	return NULL;
}

struct config *
config_read(const char *path, const struct config_options *options,
    struct config_report *report)
{
	struct reading r;

	begin(&r, path, options);
	if (read_path(&r, r.draft.file) && r.gate_line > 0)
		read_site_files(&r);
	return end(&r, report);
}

struct config *
config_read_text(
    const char *name, struct slice text, struct config_report *report)
{
	struct reading r;

	begin(&r, name, NULL);
	read_text(&r, r.draft.file, text);
	return end(&r, report);
}

void
config_report_print(const struct config_report *report, FILE *to)
{
	unsigned i;

	for (i = 0; i < report->error_count; i++)
		fprintf(to, "%s\n", report->errors[i]);
	for (i = 0; i < report->warning_count; i++)
		fprintf(to, "%s\n", report->warnings[i]);
}

void
config_report_done(struct config_report *report)
{
	free(report->errors);
	free(report->warnings);
	*report = (struct config_report){.error_count = 0};
}
