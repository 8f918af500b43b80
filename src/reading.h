/* SPDX-License-Identifier: ISC */
/* reading: the ways in which servers behind the gate may understand a path.
 * Readings judge; the target that goes upstream is never changed. Pure; new
 * bytes come from the caller's arena. */
#ifndef READING_H
#define READING_H

#include <stdbool.h>
#include <stdint.h>

#include "mem.h"
#include "slice.h"

enum reading_class { READING_HOSTILE, READING_BENIGN, READING_ALWAYS };

enum reading {
#define READING(id, word, class, who, example, as) READING_##id,
#include "reading.def"
#undef READING
	READING_COUNT
};
#define READING_BIT(reading) ((uint32_t)1 << (reading))

struct reading_row {
	const char *word; /* "percent" */
	enum reading_class class;
	const char *who;     /* who reads so */
	const char *example; /* a path, and what it is read as */
	const char *as;
};
const struct reading_row *reading_row(enum reading reading);

#define READING_HOSTILE_MAX 16 /* distinct, the raw path included */
#define READING_MAX 48	       /* of both classes */
/* Long paths have fewer: together no longer than this, but always so many. */
#define READING_BYTES 65536
#define READING_LONG_MAX 8

struct reading_path {
	struct slice path;
	uint32_t by;  /* bit for each enum reading on one way to it */
	bool hostile; /* hostile readings alone lead to it; or the raw one */
};

struct readings {
	struct reading_path path[READING_MAX]; /* distinct; [0] the raw one */
	unsigned count;
	bool refused;	  /* a row of class ALWAYS, or too many of one class */
	enum reading why; /* refused: the row, or READING_COUNT: too many */
};

/* True when a byte of the path can be understood in more than one way; one
 * pass. Letter case is not looked at: who has a folded table asks that. */
bool reading_triggered(struct slice path);
/* All readings of the path, closed under the operators of reading.def: the
 * hostile ones in every order (decoding at most twice), each benign one at most
 * once on a way to a reading, in every order with the hostile ones. Those that
 * hostile operators alone lead to come first. add_slash: a path without a '/'
 * at its end is read with it too. New bytes, one more than the path has at
 * most, lie in the arena; the path's own are borrowed. What does not start with
 * '/' is read as itself. */
void reading_find(struct slice path, bool add_slash, struct arena *arena,
    struct readings *out);
/* More readings to *out: those of a path that a query parameter carries; all
 * of them benign. It is decoded already, and lives as long as *out; what does
 * not start with '/' is no path and adds nothing. */
void reading_add(struct slice path, bool add_slash, struct arena *arena,
    struct readings *out);

#endif
