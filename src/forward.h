/* SPDX-License-Identifier: ISC */
/* forward: heads on their way through: which fields go on, which stay, which
 * are ours (RFC 9110 7.6; RFC 7239). Pure; new bytes come from the arena. */
#ifndef FORWARD_H
#define FORWARD_H

#include "config.h"
#include "http.h"

/* How much room for fields the results need beyond the incoming head's. */
#define FORWARD_FIELDS_ADDED 8

struct forward_origin {
	const struct addr *peer;
	bool trusted;           /* the peer is one of trusted_proxies */
	struct slice client_ip; /* text; of the peer, or what a trusted one says */
	struct slice scheme;    /* of the client's request: "http", "https" */
	struct slice request_id;
};

/* From the peer and, if trusted, Forwarded or X-Forwarded-For (the rightmost
 * address that is not a trusted proxy) and X-Forwarded-Proto or Forwarded's
 * proto; request_id: from a trusted proxy's request_id_header when it is 1 to
 * 128 visible ASCII bytes, else made of 16 random bytes in hex. Text lives in
 * the arena. secure: the connection has TLS. */
void forward_origin(const struct gate_config *gate, const struct head *head,
    const struct addr *peer, bool secure, struct arena *arena,
    struct forward_origin *out);

/* The head to send upstream: method, target and Host byte for byte; hop-by-hop
 * fields, those that Connection names, `Proxy`, Expect, framing fields and all
 * fields of ours dropped (and their twins: same name after folding every
 * non-alphanumeric byte to '-'), ours added: Via, X-Forwarded-For/-Proto/-Host
 * or Forwarded as site->forwarded says (a trusted proxy's chain is appended
 * to), the request id, Host from the authority first. OPTIONS with Max-Forwards: N sends
 * N - 1. Returns REASON_NONE, or REASON_LOOP when our own Via pseudonym stands
 * there ten times. to->fields comes from the arena. */
struct forward_facts {
	const struct gate_config *gate;
	const struct site *site;
	const struct forward_origin *origin;
};
enum reason forward_request(const struct forward_facts *facts,
    const struct head *from, struct arena *arena, struct head *to);

/* The head to send to the client: hop-by-hop fields and those that Connection
 * names dropped, framing fields dropped unless plan is NONE (then
 * Content-Length stays), Via added if the site says so. */
void forward_response(const struct site *site, const struct head *from,
    struct body_plan plan, struct arena *arena, struct head *to);

#endif
