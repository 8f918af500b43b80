/* SPDX-License-Identifier: ISC */
/* forward: heads on their way through: which fields go on, which stay, which
 * are ours (RFC 9110 7.6; RFC 7239). Pure; new bytes come from the arena. */
#ifndef FORWARD_H
#define FORWARD_H

#include "config.h"
#include "http.h"

/* How much room for fields the results need beyond the incoming head's. */
#define FORWARD_FIELDS_ADDED 10

/* Random words for request ids, drawn ahead; one worker's. Zero it first. */
#define FORWARD_ID_WORDS 64
struct forward_ids {
	uint64_t words[FORWARD_ID_WORDS];
	unsigned left;
};

/* A request's way in. */
struct forward_visit {
	const struct gate_config *gate;
	const struct addr *peer;
	bool secure; /* the connection has TLS */
	struct forward_ids *ids;
};

struct forward_origin {
	const struct addr *peer;
	bool trusted;		   /* the peer is one of trusted_proxies */
	const struct addr *client; /* peer, or whom a trusted one names */
	struct slice client_ip;	   /* its text */
	struct slice scheme; /* of the client's request: "http", "https" */
	struct slice request_id;
};

/* From the peer and, if trusted, X-Forwarded-For and X-Forwarded-Proto or,
 * where there is no X-Forwarded-For, Forwarded: the rightmost address that is
 * not a trusted proxy, and the scheme (RFC 7239 5); request_id: from a trusted
 * proxy's request_id_header when it is 1 to 128 visible ASCII bytes, else made
 * of 16 random bytes in hex. Text lives in the arena. secure: the connection
 * has TLS. The head may be incomplete. */
void forward_origin(const struct forward_visit *visit, const struct head *head,
    struct arena *arena, struct forward_origin *out);

/* The head to send upstream: facts->method, target and Host byte for byte;
 * hop-by-hop fields, those that Connection names, `Proxy`, Expect, framing
 * fields and all fields of ours dropped (and their twins: same name after
 * folding every non-alphanumeric byte to '-'), ours added:
 * X-Forwarded-For/-Proto/-Host or Forwarded as site->forwarded says (a trusted
 * proxy's chain is appended to), the request id, Host from the authority first.
 * The client's Via stay, with ours after them: loops are found by it. OPTIONS
 * with Max-Forwards: N sends N - 1. Returns REASON_NONE, or REASON_LOOP when
 * our own Via pseudonym stands there ten times. to->fields comes from the
 * arena; all else that from holds is borrowed. */
struct forward_facts {
	const struct gate_config *gate;
	const struct site *site;
	const struct forward_origin *origin;
	struct slice method;  /* that is sent */
	flag_set flags;	      /* known so far, for flag_header */
	struct slice subject; /* of the client's certificate; empty: none */
	struct slice upgrade; /* protocols to ask for; empty: none */
	bool trailers;	      /* those of the request will follow its body */
	bool strip;	      /* override fields stay here */
	bool destination;     /* judged by its path, and sent with Host */
	bool https;	      /* the upstream is spoken to in TLS */
	time_t now;
};
enum reason forward_request(const struct forward_facts *facts,
    const struct head *from, struct arena *arena, struct head *to);

/* The protocols of the list that the request asks to upgrade to, as it names
 * them, at most HTTP_UPGRADE_MAX bytes; empty: none. Only HTTP/1.1 can, with
 * `upgrade` in Connection (RFC 9110 7.8). */
struct slice forward_upgrade(const struct head *head, const struct slice *list,
    unsigned count, struct arena *arena);
/* The trailers to send on, without framing, routing, authentication, control
 * data and whatever the gate judges by or writes itself (RFC 9110 6.5.1). NULL:
 * none is left. Names and values are copied. from: NULL is fine. */
const struct head *forward_trailers(const struct forward_facts *facts,
    const struct head *from, struct arena *arena);

/* The head to send to the client: hop-by-hop fields and those that Connection
 * names dropped, Content-Length too unless plan is NONE and it says what GET
 * would give (HEAD, 304: above 0, and the status may have it), a Date added to
 * a final response that has none (RFC 9110 6.6.1), Via added if the site says
 * so. Upgrade stays with plan TUNNEL, Trailer with plan CHUNKED. Of the facts,
 * origin may be NULL. */
void forward_response(const struct forward_facts *facts,
    const struct head *from, struct body_plan plan, struct arena *arena,
    struct head *to);

#endif
