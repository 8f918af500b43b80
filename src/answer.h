/* SPDX-License-Identifier: ISC */
/* answer: the gate's own responses, as a head and a body in the arena. */
#ifndef ANSWER_H
#define ANSWER_H

#include "config.h"
#include "http.h"

struct answer_facts {
	enum reason reason;
	int status;
	const struct head
	    *head; /* of the request; may be incomplete (malformed) */
	const struct site_rules *site;	       /* NULL: none known */
	const struct location_rules *location; /* NULL: none */
	method_set allow;
	bool has_allow;
	unsigned retry_after; /* s, of a 429 or 503; 0: 1 */
	struct slice request_id;
	const struct gate_config *gate;
	time_t now;
};

/* Status, Date, Content-Type by the site's error_format and Accept
 * (problem+json of RFC 9457 with type, title, status, detail, and the members
 * method, location, allow, reason, request_id; HTML; plain text; the
 * client's bytes escaped and bounded), nosniff with it, Content-Length not
 * among the fields (the client writes framing) but in *body's length, Allow
 * where has_allow (empty set: an empty field), Cache-Control by error_cache for
 * what a cache may keep by itself (404, 405, 414, 501), no-store for all others
 * with a body, Proxy-Status (RFC 9209), Retry-After with 429 and 503, Location
 * for redirect_https, the request id, Vary: Accept where Accept chose. 204 and
 * answers to HEAD: the body is empty, but for HEAD the fields are those of GET
 * (Content-Length of the body then stands among the fields). 200 of ping:
 * "ok\n" as plain text. Server: methodgate. */
void answer_build(const struct answer_facts *facts, struct arena *arena,
    struct head *head, struct slice *body);

#endif
