/* SPDX-License-Identifier: ISC */
/* facts: what a configuration says, one fact for each value that is not the
 * default, so that two configurations can be compared. What certificates hold,
 * what names of servers mean at the moment and who owns a unix socket is not
 * among them. */
#ifndef FACTS_H
#define FACTS_H

#include "config.h"
#include "config_keys.h"

/* A section: what a fact is of. */
struct fact_subject {
	enum config_section section;
	struct slice site; /* of SITE and LOCATION */
	struct slice name; /* pattern, or name of the upstream */
	struct location_rules const *rules; /* of LOCATION */
	struct slice text;		    /* "site shop = /api" */
};

struct fact {
	const struct fact_subject *subject;
	struct slice key;   /* "allow"; the section's own name: it is there */
	struct slice value; /* as it would be written; of "allow" one method */
	const char *file;   /* borrowed: of the configuration, like all else */
	unsigned line;	    /* 0: none */
	char sign;	    /* that facts_tell was given */
};

struct facts {
	struct arena arena;
	struct fact *all; /* malloced */
	size_t count, room;
};

void facts_init(struct facts *facts);
void facts_done(struct facts *facts);
/* Adds all facts of the configuration. name: what its site is called, if it
 * has only one; empty: what it says. Both must outlive the facts. */
void facts_tell(struct facts *facts, const struct config *config,
    struct slice name, char sign);

#endif
