/* SPDX-License-Identifier: ISC */
/* explain_readings: what the path of a request can be taken for, and which
 * location each reading of it leads to: what policy_decide looked at, told
 * reading by reading. */
#ifndef EXPLAIN_READINGS_H
#define EXPLAIN_READINGS_H

#include "policy.h"
#include "reading.h"

/* A reading that differs from the raw path, or leads elsewhere. */
struct found_reading {
	struct found_reading *next;
	struct slice path; /* decoded: bytes of any kind */
	uint32_t by;	   /* a bit for each enum reading on the way to it */
	bool hostile;
	const struct location_rules *location; /* NULL: none */
};

struct found_readings {
	struct found_reading *first;
	bool refused;	  /* whatever it leads to, and none is listed */
	enum reading why; /* refused: the row, or READING_COUNT: too many */
};

/* All of them, in the order in which they are found; they live in
 * facts->arena.
 * site: NULL finds none. */
void explain_readings_find(const struct policy_facts *facts,
    const struct site_rules *site, struct found_readings *out);

#endif
