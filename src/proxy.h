/* SPDX-License-Identifier: ISC */
/* proxy: the header of the PROXY protocol, versions 1 and 2, that stands before
 * the first byte of a connection and says whose it is (HAProxy,
 * doc/proxy-protocol.txt). Pure: bytes in, addresses out, and back. */
#ifndef PROXY_H
#define PROXY_H

#include "addr.h"

enum proxy_version { PROXY_NONE, PROXY_V1, PROXY_V2 };

/* A longer header is refused: senders are asked to keep to 536 bytes. */
#define PROXY_HEADER_MAX 1024u

enum proxy_result { PROXY_MORE, PROXY_BAD, PROXY_DONE };

struct proxy_header {
	enum proxy_version version;
	/* Whose connection it is, and where he meant to go: unix sockets
	 * without their paths. False: the header leaves it at the addresses of
	 * the socket (LOCAL, UNKNOWN, UNSPEC). */
	bool told;
	struct addr source, destination;
};

/* Reads the header that in begins with. DONE: it has *used bytes. MORE: all of
 * in belongs to it, which is less than PROXY_HEADER_MAX, and some are missing.
 * BAD: it is none, or malformed; told as soon as it shows. Version 1: one
 * space between words, no leading zeros, addresses of the family that is
 * named. Version 2: of the fields behind the addresses the lengths are checked,
 * and the checksum where there is one; what LOCAL and UNSPEC have there is
 * skipped. */
enum proxy_result proxy_read(
    struct slice in, struct proxy_header *header, size_t *used);

#define PROXY_WRITE_MAX 108 /* with a NUL */
/* The header of a connection that source has made to destination; addresses of
 * two families are both written as IPv6. A source that is no IP address is
 * written as unknown; a destination, as any address. source NULL: of a
 * connection that is made for nobody, LOCAL or UNKNOWN. Returns the length. */
size_t proxy_write(enum proxy_version version, const struct addr *source,
    const struct addr *destination, char out[PROXY_WRITE_MAX]);

#endif
