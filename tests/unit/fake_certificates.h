/* SPDX-License-Identifier: ISC */
/* fake_certificates: those of tests/certificates, made for the test program. */
#ifndef FAKE_CERTIFICATES_H
#define FAKE_CERTIFICATES_H

#include "tls.h"

/* Before the tests run, in main, and after. */
void fake_certificates_make(void);
void fake_certificates_remove(void);
/* The path of one: "local.pem". Good until the fourth call after it. */
const char *fake_certificate(const char *name);

/* What was noted while files were read. */
struct fake_notes {
	struct tls_notes notes; /* first; give this */
	unsigned errors, warnings;
	enum tls_file file; /* of the latest */
	char text[512];	    /* likewise */
};
void fake_notes_init(struct fake_notes *notes);

/* A site with one certificate, by the name of its files without ".pem"; NULL
 * for second: no other. */
struct tls_site *fake_tls_site(
    const char *name, const char *second, struct tls_tickets *tickets);
/* A door of that site alone. */
struct tls_door *fake_tls_door(const char *name);
/* Trusts ca.pem. */
struct tls_outlook *fake_tls_outlook(void);

#endif
