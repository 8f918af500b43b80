/* SPDX-License-Identifier: ISC */
/* tls_pair: a certificate with its chain and its key, read from PEM files, and
 * authorities; what is wrong with a file is told in words for who wrote the
 * configuration. */
#ifndef TLS_PAIR_H
#define TLS_PAIR_H

#include <stdbool.h>
#include <time.h>

#include "slice.h"

struct evp_pkey_st;
struct stack_st_X509;
struct x509_st;

/* Which of the files a note is about. */
enum tls_file { TLS_FILE_CERTIFICATE, TLS_FILE_KEY, TLS_FILE_AUTHORITIES };

struct tls_notes {
	void (*note)(void *arg, enum tls_file file, bool is_error,
	    const char *text); /* text lives until it returns */
	void *arg;
	time_t now; /* of what has ended */
};

struct tls_pair {
	struct x509_st *leaf;
	struct stack_st_X509 *chain; /* what follows the leaf */
	struct evp_pkey_st *key;
	char *names; /* that it covers, sorted, each with a blank behind */
};

/* Errors: a file that can't be read, holds nothing of its kind or is encrypted,
 * a key that is another's or too weak; then NULL. Warnings: outside its time,
 * or with less than two weeks of it left; a key that everybody may read. */
struct tls_pair *tls_pair_read(
    const char *certificate, const char *key, const struct tls_notes *notes);
void tls_pair_free(struct tls_pair *pair); /* NULL is fine */
/* "www.example.org", or "*.example.org" as a host of a site. */
bool tls_pair_covers(const struct tls_pair *pair, struct slice host);

/* All certificates of a file; NULL after an error. */
struct stack_st_X509 *tls_authorities_read(
    const char *path, const struct tls_notes *notes);
void tls_authorities_free(struct stack_st_X509 *list); /* NULL is fine */

#endif
