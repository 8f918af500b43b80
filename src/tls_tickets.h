/* SPDX-License-Identifier: ISC */
/* tls_tickets: the keys of session tickets (RFC 5077, RFC 8446 4.6.1), shared
 * by all workers and kept for longer than one configuration. A key makes
 * tickets for one period and reads them for one more. Who finds it too old
 * makes the next one; nobody waits for anybody. */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include <stdint.h>

#define TLS_TICKETS_PERIOD_MS (12u * 3600 * 1000)

struct ssl_ctx_st;
struct tls_tickets;

/* One reference. Dies where the system has no random bytes. */
struct tls_tickets *tls_tickets_new(uint32_t period_ms);
struct tls_tickets *tls_tickets_ref(struct tls_tickets *tickets);
void tls_tickets_unref(struct tls_tickets *tickets); /* NULL is fine */
/* Tickets of this context are made with these keys, which must outlive it: one
 * for each handshake. */
void tls_tickets_use(struct tls_tickets *tickets, struct ssl_ctx_st *ctx);

#endif
