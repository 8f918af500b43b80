/* SPDX-License-Identifier: ISC */
/* fake_transport: a transport without a server. Each one that is opened plays
 * the next script. It takes the request's body one byte for each ready, gives
 * the response's one byte a step, and asserts the rules of transport.h. */
#ifndef FAKE_TRANSPORT_H
#define FAKE_TRANSPORT_H

#include "transport.h"

#define FAKE_UPSTREAM_TEXT 8192

/* What becomes of one connection. Zero but for response: it connects, takes
 * the request, answers and closes. */
struct fake_script {
	const char *response; /* as on the wire; NULL: none ever comes */
	bool holds_body;
	bool hangs;   /* never connects */
	bool refuses; /* fails to connect, for the reason why */
	bool sent;    /* with refuses: some of the request may have gone out */
	bool early;   /* answers without waiting for the request's end */
	bool stalls;  /* after the response's bytes nothing more comes */
	bool takes_none; /* of the body, once connected */
	enum reason why; /* fails after the response's bytes; NONE: a FIN */
};

struct fake_upstream {
	const struct fake_script *scripts; /* borrowed: the test's */
	unsigned script_count; /* the last one is played again and again */
	/* what was seen */
	unsigned opened, live, cancelled, complete;
	struct addr server; /* of the latest, as all below */
	char preface[128];
	size_t preface_len;
	struct links_policy keep;
	uint32_t max_idle;
	struct body_plan plan;
	char head[FAKE_UPSTREAM_TEXT]; /* of the request; NUL-terminated */
	char body[FAKE_UPSTREAM_TEXT];
	size_t body_len;
	char trailers[FAKE_UPSTREAM_TEXT];
	unsigned body_calls;
	bool request_done, paused;
};

/* What all transports of this program play and where they note it. */
extern struct fake_upstream fake_upstream;

/* Starts anew; no transport may be left. */
void fake_upstream_play(const struct fake_script *scripts, unsigned count);
/* A transport_open_fn. */
struct transport *fake_transport_open(const struct transport_request *request);

#endif
