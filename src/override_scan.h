/* SPDX-License-Identifier: ISC */
/* override_scan: overrides in bodies. The scanner has a state of fixed size and
 * takes a body of any length in pieces of any size, with the same result
 * however it is cut. Pure, no allocation, linear time. */
#ifndef OVERRIDE_SCAN_H
#define OVERRIDE_SCAN_H

#include "override.h"
#include "override_json.h"
#include "override_multipart.h"

enum override_body {
	OVERRIDE_BODY_NONE,	 /* nothing in it can be an override */
	OVERRIDE_BODY_SCAN,	 /* a form, multipart or JSON: feed it */
	OVERRIDE_BODY_UNREADABLE /* one of these in a content coding or charset
				    that is not read here, without a clear
				    boundary, or of two types at once */
};

struct override_scan {
	enum override_place place; /* FORM, MULTIPART, JSON; of NONE: HEADER */
	bool batch; /* whatever else it is: requests inside a request. The OData
		       $batch, multipart/mixed, application/http */
	/* private */
	union {
		struct override_params form;
		struct override_json json;
		struct override_multipart multipart;
	} body;
};

/* How the body is to be treated, if there is one, by Content-Type (its twins
 * too: Puma reads Content_Type as such) and Content-Encoding. A POST without a
 * type counts as a form, and so does one whose type is none. Of several types,
 * or a list, each is judged; UNREADABLE wins over SCAN, SCAN over NONE. */
enum override_body override_scan_init(
    struct override_scan *scan, const struct head *head);
/* The next piece of a body that is SCAN. The set may turn unreadable. */
void override_scan_feed(
    struct override_scan *scan, struct slice piece, struct override_set *set);
/* The body is over: what stands at its very end counts too. */
void override_scan_end(struct override_scan *scan, struct override_set *set);

#endif
