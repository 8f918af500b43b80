/* SPDX-License-Identifier: ISC */
/* config_check: what needs the whole configuration: names that stand for one
 * another, things that may stand once only, what is legal but suspicious. It
 * turns a draft, file by file as config_read writes it, into the struct config
 * inside. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config.h"
#include "config_keys.h"
#include "config_lines.h"

struct word_draft {
	struct word_draft *next;
	struct slice text;
	unsigned line;
};

struct grant_draft {
	struct grant_draft *next;
	struct grant grant; /* with the methods that are known */
	struct word_draft *unknown;
	struct slice date; /* as written; the last day */
};

struct location_draft {
	struct location *location; /* with its pattern, in the site's trie */
	struct word_draft
	    *unknown; /* of allow: perhaps the site's own methods */
	struct grant_draft *grants;
	struct slice rewrite_from, rewrite_to; /* or empty */
	struct slice upstream; /* a name, or empty: the site's */
	unsigned upstream_line;
	unsigned words; /* of allow, so far */
	bool none;	/* allow = none */
	bool has_mode;	/* else the site's */
};

/* What a key says of TLS. */
struct tls_setting {
	struct tls_setting *next;
	enum config_key_id key;
	struct slice text;
	unsigned line;
};

struct upstream_draft {
	struct upstream_config *upstream;
	struct tls_setting *tls;	/* by the order of their lines */
	unsigned tls_line, verify_line; /* of keys; 0: not there */
	struct server_config *servers;	/* malloced */
	unsigned server_count;
	bool used;
};

struct host_draft {
	struct slice name;
	unsigned line;
	const struct site_draft *site;
	bool refused; /* told once, whatever the listeners */
};

struct listen_draft {
	struct slice text;
	struct listen_file file_options;
	bool proxy;
	bool tls;
	struct addr addr;
	unsigned line;
};

/* What one file says of a site. */
struct site_draft {
	struct site *site; /* rules.line 0: no [site] in the file */
	const struct config_file *file;
	unsigned first_line; /* of a section that belongs to a site */
	bool broken;	     /* part of the file was not understood */
	struct slice upstream;
	unsigned upstream_line;
	struct location_draft *locations; /* malloced, like all lists here */
	struct upstream_draft *upstreams;
	struct host_draft *hosts;
	struct listen_draft *listens;
	unsigned location_count, upstream_count, host_count, listen_count;
	unsigned *method_lines; /* of rules.own */
	unsigned flag_header_line, certificate_header_line;
	struct tls_setting *tls;	      /* by the order of their lines */
	unsigned clients_line, redirect_line; /* of keys; 0: not there */
	struct hosts *upstream_names; /* values: their numbers, from 1 */
	struct hosts *labels;	      /* of [location LABEL]: their lines */
};

struct config_draft {
	struct config *config;
	struct config_notes notes;
	struct arena scratch;		/* lives as long as the draft */
	const struct config_file *file; /* the first one */
	struct site_draft **sites;
	unsigned site_count;
	bool broken; /* part of some file was not understood */
};

void config_draft_init(struct config_draft *draft);
/* All but the configuration. */
void config_draft_done(struct config_draft *draft);
struct site_draft *config_draft_site(
    struct config_draft *draft, const struct config_file *file);
/* With defaults, in no list yet. */
struct location *config_draft_location(
    struct config_draft *draft, struct site *site, unsigned line);
/* The list, with room for one more; its length doubles. */
void *config_grow(void *list, unsigned count, size_t size);
/* Zeroed memory of the arena. */
void *config_arena(struct arena *arena, size_t size);

/* Completes draft->config, and notes all errors and warnings; now: to tell
 * which grants have ended. With an error the configuration is good for
 * config_unref only. */
void config_check(struct config_draft *draft, time_t now);

#endif
