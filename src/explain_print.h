/* SPDX-License-Identifier: ISC */
/* explain_print: what was found out about one request, for people and as
 * JSON. */
#ifndef EXPLAIN_PRINT_H
#define EXPLAIN_PRINT_H

#include "config.h"
#include "explain_readings.h"

struct inquiry {
	const struct config *config;
	const char *method, *url; /* as given */
	bool secure;		  /* it comes by TLS */
	struct arena arena;
	time_t now;
	struct head head; /* as far as it could be read */
	struct body_plan plan;
	struct decision decision;
	struct found_readings readings;
	/* all that the head and the body name, asked for or not */
	struct override_set head_names, body_names;
	bool body_open; /* it may name a method, and was not given */
	/* FORWARD: what it ends in before it has left; or NONE */
	enum reason stopped;
};

/* Both to stdout. Bytes of the request are escaped. */
void explain_print_text(struct inquiry *inquiry);
void explain_print_json(const struct inquiry *inquiry);

#endif
