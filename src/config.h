/* SPDX-License-Identifier: ISC */
/* config: everything the operator said, read once and never changed. Counted:
 * who keeps a pointer past the present call holds a reference. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "addr.h"
#include "log.h"
#include "mem.h"
#include "policy.h"
#include "proxy.h"
#include "tls_door.h"
#include "tls_target.h"

enum log_format { LOG_FORMAT_JSON, LOG_FORMAT_COMBINED };
enum log_select { LOG_SELECT_ALL, LOG_SELECT_REFUSED, LOG_SELECT_FLAGGED };
enum log_query { LOG_QUERY_FULL, LOG_QUERY_NAMES, LOG_QUERY_OFF };
enum forwarded_style { FORWARDED_X, FORWARDED_RFC7239, FORWARDED_OFF };
enum error_cache {
	ERROR_CACHE_NO_STORE,
	ERROR_CACHE_MAX_AGE,
	ERROR_CACHE_HEURISTIC
};
enum error_format {
	ERROR_FORMAT_AUTO,
	ERROR_FORMAT_HTML,
	ERROR_FORMAT_JSON,
	ERROR_FORMAT_TEXT
};
enum balance { BALANCE_ROUNDROBIN, BALANCE_LEASTCONN };
enum transport_kind { TRANSPORT_EVHTTP, TRANSPORT_NATIVE };
/* 301 and 302 to a request that is neither GET nor HEAD. */
enum redirects { REDIRECTS_FLAG, REDIRECTS_PRESERVE, REDIRECTS_PASS };

#define WORKERS_MAX 64

/* Times in milliseconds, sizes in bytes. Strings live in the arena. */
struct gate_config {
	struct slice access_log; /* "off", "stderr" or a path */
	enum log_format access_log_format;
	enum log_select access_log_select;
	enum log_query access_log_query;
	enum log_level log_level;
	uint32_t workers; /* 0: as many as there are processors to use */
	uint32_t max_connections;
	uint32_t max_connections_per_client; /* 0: any number */
	uint32_t head_limit, head_fields, target_limit;
	uint32_t head_timeout, idle_timeout;
	uint32_t body_timeout, write_timeout, min_rate;
	uint32_t drain_timeout, tunnel_drain;
	uint32_t resolve;  /* between two look-ups of the names of servers */
	struct slice ping; /* empty: off */
	struct addr_net *trusted_proxies;
	unsigned trusted_proxy_count;
	struct slice request_id_header;
};

/* A file or name of TLS, as written: for who compares. */
struct tls_word {
	const struct tls_word *next;
	const char *key;
	struct slice text;
	unsigned line;
};

struct server_config {
	struct slice host;  /* as written, for messages and logs: "app:8080" */
	struct addr *addrs; /* resolved at start, at least one */
	unsigned addr_count;
	unsigned weight; /* at least 1 */
	unsigned max;	 /* exchanges at a time, of each address; 0: any */
	bool backup;
	/* What each connection to it begins with. */
	enum proxy_version send_proxy;
	struct tls_target tls; /* all zero: no TLS */
	unsigned line;
};

/* When a server counts as down, and as up again. */
struct health_config {
	struct slice target; /* that checks ask for; empty: none are made */
	uint32_t interval;   /* of checks; and how long one that failed rests */
	unsigned rise, fall; /* in a row */
};

struct upstream_config {
	struct slice name;
	unsigned index; /* 0 .. config->upstream_count - 1 */
	struct server_config *servers;
	unsigned server_count;
	enum transport_kind transport;
	uint32_t connect_timeout, response_timeout, body_timeout;
	uint32_t tunnel_timeout;
	uint32_t response_head_limit;
	uint64_t evhttp_body_limit;
	uint32_t idle_max, idle_timeout; /* of kept connections */
	enum balance balance;
	unsigned retries; /* further servers that are tried */
	struct health_config health;
	bool tls, tls_verify;
	struct tls_outlook *outlook; /* one reference; NULL: no TLS */
	const struct tls_word *tls_words;
	const char *file;
	unsigned line;
};

struct site;

struct location {
	struct location_rules rules; /* first: trie values are these */
	struct site *site;
	struct upstream_config
	    *upstream;	      /* NULL only if nothing is forwarded */
	uint32_t form_hold;   /* bytes of a body that is read beforehand */
	uint32_t buffer_size; /* the most that is held each way */
	bool trailers_pass;   /* of requests */
	const struct slice *upgrade; /* protocols that may be tunnelled */
	unsigned upgrade_count;
	enum redirects redirects;
	unsigned rewrite_line; /* of rewrite_method; 0: none */
};

/* Of the path of a unix socket to listen on: sun_path also holds the name that
 * it is made under. */
#define LISTEN_PATH_MAX 99

/* Of the file of a unix socket. */
struct listen_file {
	mode_t mode;
	uid_t uid; /* -1: the gate's own; likewise gid */
	gid_t gid;
};

/* A distinct address to listen on, and who answers there. */
struct listen_config {
	struct addr addr;
	struct slice text; /* as written */
	struct listen_file file_options;
	bool proxy; /* connections begin with a header of the PROXY protocol */
	struct hosts *door;
	bool tls;
	struct tls_door *tls_door; /* one reference; NULL: no TLS, or the
				    * files were not read */
	const char *file;
	unsigned line;
};

struct site {
	struct site_rules rules;     /* first: door values are these */
	struct location **locations; /* in the order of the file */
	unsigned location_count;
	struct slice *hosts;
	unsigned host_count;
	struct listen_config **listens;
	unsigned listen_count;
	struct upstream_config *upstream; /* default of the locations */
	bool head_with_get;
	enum forwarded_style forwarded;
	struct slice via; /* pseudonym */
	bool via_on_responses;
	enum error_cache error_cache;
	uint32_t error_max_age; /* seconds */
	enum error_format error_format;
	bool path_case_exact;	  /* letter case is no reading */
	struct slice flag_header; /* empty: off */
	enum tls_clients clients;
	enum tls_version tls_min;
	struct slice certificate_header; /* for the subject; empty: off */
	struct tls_site *tls; /* one reference; NULL as for a listener */
	const struct tls_word *tls_words;
	uint16_t https_port; /* where redirects go; 0: they name none */
};

struct config {
	atomic_uint refs;
	struct arena arena; /* owns all of it but tries and hosts */
	const char *path;
	struct gate_config gate;
	struct site **sites;
	unsigned site_count;
	struct upstream_config **upstreams;
	unsigned upstream_count;
	struct listen_config **listens;
	unsigned listen_count;
	struct tls_tickets
	    *tickets; /* one reference; NULL: nobody speaks TLS */
};

struct config *config_new(void); /* one reference, defaults of gate set */
struct config *config_ref(struct config *config);
void config_unref(struct config *config); /* NULL is fine; last one frees */
/* The address is one of trusted_proxies. */
bool config_trusts(const struct gate_config *gate, const struct addr *addr);
static inline const struct site *
site_of(const struct site_rules *rules)
{
	return (const struct site *)rules;
}
static inline const struct location *
location_of(const struct location_rules *rules)
{
	return (const struct location *)rules;
}

#endif
