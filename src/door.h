/* SPDX-License-Identifier: ISC */
/* door: a listener of the gate, as one worker's connections see it. It stays as
 * long as its address is listened on and connections are there; what it shows
 * is replaced when the configuration is, between exchanges. */
#ifndef DOOR_H
#define DOOR_H

#include <stdbool.h>

struct generation;
struct listen_config;

struct door {
	/* Who answers there, and how; borrowed: of the generation's
	 * configuration. NULL: nobody asks. */
	const struct listen_config *listen;
	struct generation *generation; /* by which rules; one use */
	bool gone; /* not listened on any more: connections end as idle ones */
};

#endif
