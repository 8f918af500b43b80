/* SPDX-License-Identifier: ISC */
/* transport_evhttp: a request over libevent's own HTTP client, one per
 * connection. Only the class of requests that it carries soundly; the hooks
 * that make it strict are explained where they stand. */
#ifndef TRANSPORT_EVHTTP_H
#define TRANSPORT_EVHTTP_H

#include "transport.h"

/* True when evhttp can carry it: one of its methods but CONNECT and TRACE, no
 * body or one of a length up to body_limit, no Upgrade, target in origin-form
 * or made from an absolute-form. */
bool transport_evhttp_can(
    const struct head *head, struct body_plan plan, uint64_t body_limit);
/* The server's address is numeric, IPv4 or IPv6. The whole body is wanted
 * before end (holds_body) and kept in memory: transport_evhttp_can has set the
 * limit. */
transport_open_fn transport_evhttp_open;
/* Call once before threads start: libevent finds out some things about the
 * resolver in variables of its own when it first connects. */
void transport_evhttp_prepare(void);

#endif
