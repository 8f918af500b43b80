/* SPDX-License-Identifier: ISC */
/* health: asks a server time and again whether it is well, on the house's loop,
 * over a transport like any exchange: evhttp, or native for what it can't do (a
 * unix socket, a PROXY header). */
#ifndef HEALTH_H
#define HEALTH_H

#include "links.h"
#include "servers.h"

#define HEALTH_DEADLINE_MS 10000u /* or the interval, if that is less */

struct health; /* the checks of one server */

struct health_setup {
	struct loop *loop;
	struct links *links; /* of that loop; none is kept */
	struct server_state *server;
	const struct health_config *rule; /* borrowed, as all here */
	struct slice host;		  /* for the Host field */
	const struct tls_target *tls;	  /* as of a transport */
};

/* GETs the server's target now and every interval, each time over a connection
 * of its own. Passed: the head of a 2xx or 3xx in time. */
struct health *health_start(const struct health_setup *setup);
/* A check under way is cut; its transport is gone after the loop's next step.
 * NULL is fine. */
void health_stop(struct health *health);

#endif
