/* SPDX-License-Identifier: ISC */
/* override_multipart: parts of a multipart body whose name is an override (RFC
 * 2046 5.1, RFC 7578). Fixed-size state, bytes in pieces of any size. */
#ifndef OVERRIDE_MULTIPART_H
#define OVERRIDE_MULTIPART_H

#include "override.h"

#define MULTIPART_BOUNDARY_MAX 70 /* bytes (RFC 2046 5.1.1) */

struct override_multipart { /* private */
	uint32_t known;	    /* the rows of this place */
	uint32_t rows;	    /* named in this part's header, not yet valued */
	uint8_t len;	    /* bytes of the delimiter */
	uint8_t matched;    /* of them, at the end of what came */
	uint8_t state, line, reading, charset, key[2];
	bool fresh, crlf, in_word, extended, section;
	char last;
	struct override_escape escape;
	struct override_name name;
	struct override_value value;
	char delimiter[MULTIPART_BOUNDARY_MAX + 2];
	uint8_t fall[MULTIPART_BOUNDARY_MAX + 2]; /* matched after a mismatch */
};

/* boundary: 1 to MULTIPART_BOUNDARY_MAX bytes. */
void override_multipart_init(
    struct override_multipart *multipart, struct slice boundary);
/* Where servers disagree, each reading counts: the delimiter is found anywhere
 * in a line and with anything after it; every name parameter of a part's header
 * counts, wherever it stands, and so does a Content-ID (Rack); parts with a
 * file name count. Values are taken as they are: what a Content-Transfer-
 * Encoding makes of a method is no other method. set->unreadable is set by a
 * name in pieces (name*0=), in a charset but UTF-8 or in an encoded word, by
 * NUL in a header, and by a part with such a name whose header does not end in
 * CRLF CRLF. */
void override_multipart_feed(struct override_multipart *multipart,
    struct slice piece, struct override_set *set);
void override_multipart_end(
    struct override_multipart *multipart, struct override_set *set);

#endif
