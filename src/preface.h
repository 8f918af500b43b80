/* SPDX-License-Identifier: ISC */
/* preface: what a connection to a server begins with, before its request. */
#ifndef PREFACE_H
#define PREFACE_H

#include "client.h"
#include "forward.h"

/* The PROXY header that the server is to be sent, if any; else empty. Whose
 * connection it is: the client's, as origin has judged; with his port, where he
 * is the peer himself. Where it went: the gate's end of the client's. Lives in
 * the arena. */
struct slice preface_make(const struct server_config *server,
    const struct forward_origin *origin, struct client *client,
    struct arena *arena);

#endif
