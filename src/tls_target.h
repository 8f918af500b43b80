/* SPDX-License-Identifier: ISC */
/* tls_target: how a server of an upstream is spoken to in TLS: who is believed,
 * and what we show. */
#ifndef TLS_TARGET_H
#define TLS_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "tls_pair.h"

/* What an upstream's servers have in common. Counted, never changed. */
struct tls_outlook;
struct tls_outlook_setup {
	bool verify; /* chain and name; else anybody is believed */
	struct stack_st_X509 *authorities; /* borrowed; NULL: the system's */
	const struct tls_pair *pair;	   /* borrowed; NULL: none is shown */
};
/* One reference. NULL, and noted, where OpenSSL refuses the pair. */
struct tls_outlook *tls_outlook_new(
    const struct tls_outlook_setup *setup, const struct tls_notes *notes);
struct tls_outlook *tls_outlook_ref(struct tls_outlook *outlook);
void tls_outlook_unref(struct tls_outlook *outlook); /* NULL is fine */

/* One server. All zero: no TLS. */
struct tls_target {
	struct tls_outlook *outlook; /* borrowed: the configuration's */
	const char *name; /* borrowed likewise: asked for (SNI) and verified */
	uint64_t id;	  /* equal for the same name, demands and files, in
			     whatever configuration; 0: no TLS */
};
struct tls_target tls_target_of(struct tls_outlook *outlook, const char *name);

/* What a server gave to come back with: the session of its last ticket. */
struct ssl_session_st;
struct tls_return {
	struct ssl_session_st *session; /* NULL: nothing */
};
void tls_return_forget(struct tls_return *to);

/* For tls alone: a connection that goes out. */
struct ssl_st;
struct tls_errand {
	struct tls_outlook *outlook; /* one reference */
	struct tls_return *back;     /* borrowed; NULL: nothing is kept */
};
/* A new SSL that connects; the errand must outlive it. */
struct ssl_st *tls_errand_open(struct tls_errand *errand,
    const struct tls_target *target, struct tls_return *back);
void tls_errand_close(struct tls_errand *errand);

#endif
