/* SPDX-License-Identifier: ISC */
/* dav: what WebDAV requests act on besides their target: a Destination, and
 * everything below (RFC 4918 9, 10). Pure. */
#ifndef DAV_H
#define DAV_H

#include <stdbool.h>

#include "http.h"
#include "method.h"

enum dav_destination {
	DAV_DESTINATION_NONE, /* the method takes none, or none was given */
	DAV_DESTINATION_GOOD,
	DAV_DESTINATION_BAD /* repeated, no URI of http or https, userinfo, ...
			     */
};

/* Where COPY and MOVE go (RFC 4918 10.3). GOOD: *to has authority (empty for an
 * absolute path), target, path and query as a request's head would, pointing
 * into the field or to constants. */
enum dav_destination dav_destination(
    const struct head *head, unsigned method, struct head *to);
/* True when the request acts on all that lies below its target: COPY, LOCK and
 * PROPFIND unless Depth says 0 or 1, MOVE, DELETE and PROPPATCH always. */
bool dav_on_tree(const struct head *head, unsigned method);

#endif
