/* SPDX-License-Identifier: ISC */
/* hold: a request's body on its way to the transport while it may still name a
 * method. It is scanned as it passes, and is not complete upstream before the
 * scan is clean: a short one is kept as a whole, of a longer one the last byte
 * (DESIGN.md section 2). */
#ifndef HOLD_H
#define HOLD_H

#include "mem.h"
#include "override_scan.h"
#include "transport.h"

enum hold_mode {
	HOLD_NOTHING, /* it may be complete before it is judged, or the
			 transport waits for the end */
	HOLD_ALL,     /* nothing goes on before hold_release */
	HOLD_LAST     /* all but the last byte goes on */
};

struct hold {
	enum hold_mode mode;
	bool has_last;
	char last; /* taken from the client, not yet given on */
	struct override_scan scan;
	struct override_set found;
	struct buffer kept; /* with HOLD_ALL; no longer than the body */
};

/* head: the request's, with the method that is sent. Its body is one that has
 * to be scanned (OVERRIDE_BODY_SCAN). */
void hold_init(struct hold *hold, enum hold_mode mode, struct pool *pool,
    const struct head *head);
/* Takes bytes off the front of the piece, scans them, and gives on what may go.
 * Less than all: when the transport is ready again. transport: NULL with
 * HOLD_ALL. Not after hold_end. */
size_t hold_take(
    struct hold *hold, struct transport *transport, struct slice piece);
/* The body is over and the scan too: hold->found is complete. Once. */
void hold_end(struct hold *hold);
/* The scan is clean: what was kept goes on. False: some is left until the
 * transport is ready again. */
bool hold_release(struct hold *hold, struct transport *transport);
/* Drops what is kept. NULL is fine. */
void hold_done(struct hold *hold);

#endif
