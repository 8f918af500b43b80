/* SPDX-License-Identifier: ISC */
/* tls_target: one SSL_CTX for each upstream; names are set on each SSL. */
#include "tls_target.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "log.h"
#include "mem.h"
#include "tls_basis.h"

struct tls_outlook {
	atomic_uint refs;
	SSL_CTX *ctx;
	bool verify;
	unsigned char sum[TLS_SUM_MAX]; /* of all that was set up */
};

/* TLS 1.3 gives tickets when it likes, each good for one more connection. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_errand *errand = SSL_get_app_data(ssl);

	if (errand == NULL || errand->back == NULL)
		return 0;
	tls_return_forget(errand->back);
	errand->back->session = session;
	return 1;
}

static void
sum_certificate(struct tls_sum *sum, X509 *one)
{
	unsigned char *der = NULL;
	int len = i2d_X509(one, &der);

	if (len > 0)
		tls_sum_add(sum, (struct slice){(char *)der, (size_t)len});
	OPENSSL_free(der);
}

static void
sum_setup(const struct tls_outlook_setup *setup, unsigned char *out)
{
	struct tls_sum sum;

	tls_sum_begin(&sum);
	tls_sum_add(&sum, setup->verify ? SLICE("verify") : SLICE("any"));
	for (int i = 0; i < sk_X509_num(setup->authorities); i++)
		sum_certificate(&sum, sk_X509_value(setup->authorities, i));
	tls_sum_add(&sum, SLICE("ours"));
	if (setup->pair != NULL)
		sum_certificate(&sum, setup->pair->leaf);
	tls_sum_end(&sum, out);
}

static void
trust(SSL_CTX *ctx, STACK_OF(X509) * authorities)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);

	if (authorities == NULL)
		SSL_CTX_set_default_verify_paths(ctx);
	for (int i = 0; i < sk_X509_num(authorities); i++)
		X509_STORE_add_cert(store, sk_X509_value(authorities, i));
}

static bool
show(SSL_CTX *ctx, const struct tls_pair *pair, const struct tls_notes *notes)
{
	char words[TLS_WORDS_MAX];

	ERR_clear_error();
	if (pair == NULL || SSL_CTX_use_cert_and_key(ctx, pair->leaf, pair->key,
				pair->chain, 1) == 1)
		return true;
	notes->note(
	    notes->arg, TLS_FILE_CERTIFICATE, true, tls_basis_words(words));
	return false;
}

struct tls_outlook *
tls_outlook_new(
    const struct tls_outlook_setup *setup, const struct tls_notes *notes)
{
	static const unsigned char alpn[] = "\x08http/1.1";
	struct tls_outlook *outlook = mem_alloc(sizeof(*outlook));
	SSL_CTX *ctx = tls_basis_new(TLS_client_method(), TLS1_2_VERSION);

	atomic_init(&outlook->refs, 1);
	outlook->ctx = ctx;
	outlook->verify = setup->verify;
	SSL_CTX_set_verify(
	    ctx, setup->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (setup->verify)
		trust(ctx, setup->authorities);
	SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1);
	SSL_CTX_set_session_cache_mode(
	    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	sum_setup(setup, outlook->sum);
	if (show(ctx, setup->pair, notes))
		return outlook;
	tls_outlook_unref(outlook);
	return NULL;
}

struct tls_outlook *
tls_outlook_ref(struct tls_outlook *outlook)
{
	atomic_fetch_add_explicit(&outlook->refs, 1, memory_order_relaxed);
	return outlook;
}

void
tls_outlook_unref(struct tls_outlook *outlook)
{
	if (outlook == NULL || atomic_fetch_sub_explicit(
				   &outlook->refs, 1, memory_order_acq_rel) > 1)
		return;
	SSL_CTX_free(outlook->ctx);
	free(outlook);
}

struct tls_target
tls_target_of(struct tls_outlook *outlook, const char *name)
{
	unsigned char whole[TLS_SUM_MAX];
	struct tls_target target = {.outlook = outlook, .name = name};
	struct tls_sum sum;

	tls_sum_begin(&sum);
	tls_sum_add(
	    &sum, (struct slice){(char *)outlook->sum, sizeof(outlook->sum)});
	tls_sum_add(&sum, slice_of(name));
	target.id = tls_sum_end(&sum, whole) | 1;
	return target;
}

void
tls_return_forget(struct tls_return *to)
{
	SSL_SESSION_free(to->session);
	to->session = NULL;
}

/* A numeric address is verified as one, and never asked for (RFC 6066 3). */
static void
set_name(SSL *ssl, const struct tls_target *target)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (X509_VERIFY_PARAM_set1_ip_asc(param, target->name) == 1) {
		if (!target->outlook->verify)
			X509_VERIFY_PARAM_set1_ip(param, NULL, 0);
		return;
	}
	SSL_set_tlsext_host_name(ssl, target->name);
	if (!target->outlook->verify)
		return;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	SSL_set1_host(ssl, target->name);
}

/* OpenSSL uses up a session of TLS 1.3, and not every server gives a new one
 * each time. */
static void
come_back(SSL *ssl, const SSL_SESSION *session)
{
	SSL_SESSION *copy = session != NULL ? SSL_SESSION_dup(session) : NULL;

	if (copy != NULL)
		SSL_set_session(ssl, copy);
	SSL_SESSION_free(copy);
}

struct ssl_st *
tls_errand_open(struct tls_errand *errand, const struct tls_target *target,
    struct tls_return *back)
{
	SSL *ssl = SSL_new(target->outlook->ctx);

	if (ssl == NULL)
		log_fatal("out of memory");
	*errand = (struct tls_errand){tls_outlook_ref(target->outlook), back};
	SSL_set_app_data(ssl, errand);
	SSL_set_connect_state(ssl);
	set_name(ssl, target);
	if (back != NULL)
		come_back(ssl, back->session);
	ERR_clear_error();
	return ssl;
}

void
tls_errand_close(struct tls_errand *errand)
{
	tls_outlook_unref(errand->outlook);
}
