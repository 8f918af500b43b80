/* SPDX-License-Identifier: ISC */
/* tls_pair: PEM files, and what is wrong with them. */
#include "tls_pair.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "mem.h"
#include "tls_basis.h"

#define NOTE_MAX 512
#define ENDS_SOON (14 * 86400)

static void note(const struct tls_notes *notes, enum tls_file file,
    bool is_error, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void
note(const struct tls_notes *notes, enum tls_file file, bool is_error,
    const char *fmt, ...)
{
	char text[NOTE_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	notes->note(notes->arg, file, is_error, text);
}

/* NULL, and noted. */
static BIO *
open_file(const char *path, enum tls_file file, const struct tls_notes *notes)
{
	struct stat there;
	BIO *bio = NULL;
	int error = 0;

	ERR_clear_error();
	errno = 0;
	if (stat(path, &there) != 0)
		error = errno;
	else if (S_ISDIR(there.st_mode))
		error = EISDIR;
	else if ((bio = BIO_new_file(path, "r")) == NULL)
		error = errno != 0 ? errno : EIO;
	if (bio != NULL)
		return bio;
	ERR_clear_error();
	note(notes, file, true, "%s can't be read: %s", path, strerror(error));
	return NULL;
}

/* The reading of PEM ended as it should: nothing more is there. */
static bool
is_end(void)
{
	unsigned long error = ERR_peek_last_error();

	return ERR_GET_LIB(error) == ERR_LIB_PEM &&
	       ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static STACK_OF(X509) * read_all(const char *path, enum tls_file file,
			    const struct tls_notes *notes)
{
	char words[TLS_WORDS_MAX];
	BIO *bio = open_file(path, file, notes);
	STACK_OF(X509) * list;
	X509 *one;

	if (bio == NULL)
		return NULL;
	list = sk_X509_new_null();
	while ((one = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL)
		sk_X509_push(list, one);
	BIO_free(bio);
	if (is_end() && sk_X509_num(list) > 0) {
		ERR_clear_error();
		return list;
	}
	if (is_end())
		note(notes, file, true, "no certificate in %s: it must be PEM",
		    path);
	else
		note(notes, file, true, "a certificate in %s is damaged: %s",
		    path, tls_basis_words(words));
	ERR_clear_error();
	sk_X509_pop_free(list, X509_free);
	return NULL;
}

STACK_OF(X509) *
    tls_authorities_read(const char *path, const struct tls_notes *notes)
{
	return read_all(path, TLS_FILE_AUTHORITIES, notes);
}

void
tls_authorities_free(STACK_OF(X509) * list)
{
	sk_X509_pop_free(list, X509_free);
}

/* A daemon has nobody to ask. */
static int
on_passphrase(char *to, int size, int writing, void *asked)
{
	(void)to;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

/* Whether there is one, good or bad. */
static bool
names_key(const char *path)
{
	BIO *bio = BIO_new_file(path, "r");
	char *name, *header;
	unsigned char *bytes;
	long len;
	bool found = false;

	while (bio != NULL && !found &&
	       PEM_read_bio(bio, &name, &header, &bytes, &len) == 1) {
		found = strstr(name, "PRIVATE KEY") != NULL;
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(bytes, (size_t)len);
	}
	BIO_free(bio);
	return found;
}

static EVP_PKEY *
read_key(const char *path, const struct tls_notes *notes)
{
	char words[TLS_WORDS_MAX];
	bool encrypted = false;
	BIO *bio = open_file(path, TLS_FILE_KEY, notes);
	EVP_PKEY *key;
	struct stat there;

	if (bio == NULL)
		return NULL;
	key = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &encrypted);
	BIO_free(bio);
	if (key != NULL && stat(path, &there) == 0 &&
	    (there.st_mode & S_IROTH) != 0)
		note(notes, TLS_FILE_KEY, false,
		    "everybody on this machine may read the key %s (mode "
		    "%04o)",
		    path, (unsigned)there.st_mode & 07777);
	if (key != NULL)
		return key;
	(void)tls_basis_words(words);
	if (encrypted)
		note(notes, TLS_FILE_KEY, true,
		    "the key %s is encrypted, and nobody is here to ask for "
		    "its passphrase: write it without one (openssl pkey)",
		    path);
	else if (!names_key(path))
		note(notes, TLS_FILE_KEY, true,
		    "no private key in %s: it must be PEM", path);
	else
		note(notes, TLS_FILE_KEY, true, "the key in %s is damaged: %s",
		    path, words);
	ERR_clear_error();
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *
text_of(const GENERAL_NAME *name)
{
	const ASN1_STRING *value;

	if (name->type != GEN_DNS && name->type != GEN_IPADD)
		return NULL;
	value = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
	return mem_strndup(
	    (struct slice){(const char *)ASN1_STRING_get0_data(value),
		(size_t)ASN1_STRING_length(value)});
}

/* Both certificates of a site that has one of each kind of key have the same
 * names, in whatever order. */
static char *
names_of(X509 *leaf)
{
	GENERAL_NAMES *all =
	    X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	int count = all != NULL ? sk_GENERAL_NAME_num(all) : 0, n = 0;
	char **list = mem_alloc(((size_t)count + 1) * sizeof(*list)), *text;
	size_t size = 1;

	for (int i = 0; i < count; i++) {
		list[n] = text_of(sk_GENERAL_NAME_value(all, i));
		if (list[n] != NULL)
			size += strlen(list[n++]) + 1;
	}
	GENERAL_NAMES_free(all);
	qsort(list, (size_t)n, sizeof(*list), compare);
	text = mem_alloc(size);
	for (int i = 0; i < n; i++) {
		strcat(strcat(text, list[i]), " ");
		free(list[i]);
	}
	free(list);
	return text;
}

/* YYYY-MM-DD */
static const char *
day_of(const ASN1_TIME *time, char out[16])
{
	struct tm when = {.tm_year = 0};

	if (ASN1_TIME_to_tm(time, &when) != 1)
		return "?";
	strftime(out, 16, "%Y-%m-%d", &when);
	return out;
}

static void
judge_time(const char *path, const X509 *leaf, const struct tls_notes *notes)
{
	const ASN1_TIME *from = X509_get0_notBefore(leaf);
	const ASN1_TIME *to = X509_get0_notAfter(leaf);
	time_t now = notes->now, soon = now + ENDS_SOON;
	char day[16];

	if (X509_cmp_time(to, &now) < 0)
		note(notes, TLS_FILE_CERTIFICATE, false,
		    "the certificate %s has expired on %s", path,
		    day_of(to, day));
	else if (X509_cmp_time(from, &now) > 0)
		note(notes, TLS_FILE_CERTIFICATE, false,
		    "the certificate %s is not valid before %s", path,
		    day_of(from, day));
	else if (X509_cmp_time(to, &soon) < 0)
		note(notes, TLS_FILE_CERTIFICATE, false,
		    "the certificate %s expires soon, on %s", path,
		    day_of(to, day));
}

static bool
belong_together(struct tls_pair *pair, const char *certificate, const char *key,
    const struct tls_notes *notes)
{
	bool good = X509_check_private_key(pair->leaf, pair->key) == 1;

	ERR_clear_error();
	if (!good)
		note(notes, TLS_FILE_KEY, true,
		    "the key %s is not that of the certificate %s, the first "
		    "one in its file",
		    key, certificate);
	return good;
}

/* OpenSSL may refuse it: too weak a key, or too old a signature. */
static bool
is_usable(struct tls_pair *pair, const char *certificate,
    const struct tls_notes *notes)
{
	SSL_CTX *ctx = tls_basis_new(TLS_method(), TLS1_2_VERSION);
	char words[TLS_WORDS_MAX];
	bool good = SSL_CTX_use_cert_and_key(
			ctx, pair->leaf, pair->key, pair->chain, 1) == 1;

	(void)tls_basis_words(words);
	SSL_CTX_free(ctx);
	if (!good)
		note(notes, TLS_FILE_CERTIFICATE, true,
		    "the certificate %s can't be used: %s", certificate, words);
	return good;
}

struct tls_pair *
tls_pair_read(
    const char *certificate, const char *key, const struct tls_notes *notes)
{
	struct tls_pair *pair = mem_alloc(sizeof(*pair));

	pair->chain = read_all(certificate, TLS_FILE_CERTIFICATE, notes);
	pair->key = read_key(key, notes);
	if (pair->chain != NULL) {
		pair->leaf = sk_X509_shift(pair->chain);
		pair->names = names_of(pair->leaf);
		judge_time(certificate, pair->leaf, notes);
	}
	if (pair->leaf != NULL && pair->key != NULL &&
	    belong_together(pair, certificate, key, notes) &&
	    is_usable(pair, certificate, notes))
		return pair;
	tls_pair_free(pair);
	return NULL;
}

void
tls_pair_free(struct tls_pair *pair)
{
	if (pair == NULL)
		return;
	X509_free(pair->leaf);
	sk_X509_pop_free(pair->chain, X509_free);
	EVP_PKEY_free(pair->key);
	free(pair->names);
	free(pair);
}

/* For a wildcard any label stands in for the '*'. */
bool
tls_pair_covers(const struct tls_pair *pair, struct slice host)
{
	char name[300];
	bool any = slice_starts(host, SLICE("*"));
	int len =
	    snprintf(name, sizeof(name), "%s%.*s", any ? "any-name-at-all" : "",
		(int)host.len - any, host.len > 0 ? host.at + any : "");

	if (host.len == 0 || (size_t)len >= sizeof(name))
		return false;
	return X509_check_host(pair->leaf, name, (size_t)len,
		   X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}
