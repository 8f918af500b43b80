/* SPDX-License-Identifier: ISC */
/* override_json: the keys of the outermost object of a JSON body that are
 * overrides (RFC 8259). Fixed-size state, bytes in pieces of any size. */
#ifndef OVERRIDE_JSON_H
#define OVERRIDE_JSON_H

#include "override.h"

struct override_json {	 /* private */
	uint32_t known;	 /* the rows of this place */
	uint32_t listed; /* of the key whose value is the present list */
	uint64_t depth;
	uint16_t code; /* of a \u escape */
	uint8_t state;
	uint8_t escape; /* bytes of an escape so far */
	uint8_t seen;	/* bytes of the body, up to two */
	struct override_name name;
	struct override_value value;
};

void override_json_init(struct override_json *json);
/* Every key counts, in every spelling of its characters, also if repeated; only
 * strings are values. What is no JSON is read leniently. UTF-16 and UTF-32 (as
 * Jackson detects them) set set->unreadable. */
void override_json_feed(
    struct override_json *json, struct slice piece, struct override_set *set);
void override_json_end(struct override_json *json, struct override_set *set);

#endif
