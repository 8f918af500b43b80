/* SPDX-License-Identifier: ISC */
/* record: what is told about finished exchanges: access lines, batched per
 * worker, and counters. It never blocks the loop: lines that the sink does not
 * take in time are dropped and counted as log_lost. */
#ifndef RECORD_H
#define RECORD_H

#include <stdatomic.h>
#include <stdint.h>

#include "config.h"
#include "loop.h"

/* Everything an access line may say; slices are escaped and bounded here. */
struct access {
	uint64_t began_wall_us; /* microseconds since 1970 */
	uint64_t duration_us; /* head read to last byte handed to the kernel */
	uint64_t upstream_us; /* start to the response's head; 0: none */
	const struct addr *peer; /* of the socket */
	struct slice client_ip;	 /* after trusted_proxies; as text */
	struct slice scheme;	 /* "http" */
	struct slice method, authority, target; /* raw; may be empty */
	unsigned minor;
	bool known_method;	      /* registered or the site's own */
	struct slice method_sent;     /* upstream, where it is another */
	struct slice override;	      /* a method named elsewhere; or empty */
	enum reason would;	      /* report mode: NONE, or why refused */
	int status;		      /* sent; 0: none */
	uint64_t bytes_in, bytes_out; /* request body; response on the wire */
	enum reason reason;
	flag_set flags;
	const struct site_rules *site;
	const struct location_rules *location;
	struct slice upstream, server; /* name; host:port */
	const char *transport;	       /* NULL: none */
	int upstream_status;	       /* 0: none */
	struct slice request_id, user_agent, referer;
};

/* Single writer (the worker); read by others with relaxed loads. */
struct record_counters {
	atomic_ullong connections, connections_refused, requests, forwarded;
	atomic_ullong accept_paused; /* times that descriptors ran out */
	atomic_ullong answered_405, answered_501, answered_other;
	atomic_ullong upstream_failed, client_failed, log_lost;
	atomic_ullong tunnels, tunnels_open;
	atomic_ullong reasons[REASON_COUNT], flags[FLAG_COUNT];
};

#define RECORD_BUFFER (64u * 1024)
#define RECORD_LINE_MAX (16u * 1024) /* never reached: its values are cut */

struct record_sink; /* an open log; shared by the workers; made by the house */

/* "off": NULL without error. "stderr" or a path, opened for appending. A pipe
 * or terminal is reopened non-blocking, a socket is sent to without waiting.
 * NULL with *error a static text on failure. */
struct record_sink *record_sink_open(struct slice where, const char **error);
void record_sink_close(struct record_sink *sink);

struct record {
	struct loop *loop;
	const struct gate_config *config; /* borrowed: env's generation */
	struct record_sink *sink;	  /* borrowed; NULL: off */
	char *lines; /* RECORD_BUFFER bytes, allocated with the first line */
	size_t used, sent; /* sent: of a line that the sink took in part */
	struct timer flush_timer;
	struct record_counters count;
};

void record_init(struct record *record, struct loop *loop);
/* Both flush first. The old sink is no longer used afterwards. */
void record_set(struct record *record, const struct gate_config *config,
    struct record_sink *sink);
/* Counts always; writes a line when access_log_select says so. Lines go out
 * when the buffer is half full and after a second. What a full sink leaves is
 * offered again with every 4 KB of new lines. */
void record_access(struct record *record, const struct access *access);
void record_flush(struct record *record);
void record_done(struct record *record);
/* One access line with its LF, in the format; the pure part, for tests.
 * out: RECORD_LINE_MAX bytes. Returns the length. */
size_t record_format(
    const struct gate_config *config, const struct access *access, char *out);

static inline void
record_add(atomic_ullong *counter)
{
	atomic_store_explicit(counter,
	    atomic_load_explicit(counter, memory_order_relaxed) + 1,
	    memory_order_relaxed);
}

static inline void
record_take(atomic_ullong *counter)
{
	atomic_store_explicit(counter,
	    atomic_load_explicit(counter, memory_order_relaxed) - 1,
	    memory_order_relaxed);
}

#endif
