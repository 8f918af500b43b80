/* SPDX-License-Identifier: ISC */
/* transport_native: streaming HTTP/1.1 over a link that may be used again. Any
 * method, any body, at bounded memory; the hot path and the strict path. */
#ifndef TRANSPORT_NATIVE_H
#define TRANSPORT_NATIVE_H

#include "transport.h"

/* request->links is needed. The plan frames the request's body, so its head
 * holds no field that does. A piece of the body may be given before ready has
 * come; nothing is taken until there is a connection. Where some was taken,
 * ready comes before broken.
 * A response is read as strictly as a request; an unrequested 101 is malformed.
 * Not more than 64 KB wait for the server, besides the head, and not more than
 * a head and 64 KB for the owner. */
transport_open_fn transport_native_open;

#endif
