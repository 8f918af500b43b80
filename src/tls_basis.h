/* SPDX-License-Identifier: ISC */
/* tls_basis: what all of our TLS has in common: one set of rules for versions,
 * ciphers and groups, and OpenSSL's words. For the tls modules alone, which
 * are the only ones that know OpenSSL. */
#ifndef TLS_BASIS_H
#define TLS_BASIS_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

/* Mozilla's intermediate list without DHE; no renegotiation, no compression, no
 * early data; buffers only while they hold bytes; kernel TLS where there is.
 * least: TLS1_2_VERSION or TLS1_3_VERSION. Dies without memory. */
SSL_CTX *tls_basis_new(const SSL_METHOD *method, int least);
/* What OpenSSL says of the last failure in this thread, which is forgotten. */
#define TLS_WORDS_MAX 160
const char *tls_basis_words(char out[TLS_WORDS_MAX]);
/* A number for all that is written between begin and end: equal ones for equal
 * texts, whenever they are read. */
struct tls_sum {
	EVP_MD_CTX *state;
};
#define TLS_SUM_MAX 32
void tls_sum_begin(struct tls_sum *sum);
void tls_sum_add(struct tls_sum *sum, struct slice bytes); /* with its length */
uint64_t tls_sum_end(struct tls_sum *sum, unsigned char out[TLS_SUM_MAX]);

#endif
