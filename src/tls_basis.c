/* SPDX-License-Identifier: ISC */
/* tls_basis: the rules of https://wiki.mozilla.org/Security/Server_Side_TLS,
 * "intermediate". */
#include "tls_basis.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "log.h"

/* Two round trips' worth of a fast upload; freed as soon as it is empty. */
#define READ_AHEAD (32u * 1024)

static const char suites[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
			     "TLS_CHACHA20_POLY1305_SHA256"; /* TLS 1.3 */
static const char ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

SSL_CTX *
tls_basis_new(const SSL_METHOD *method, int least)
{
	uint64_t options = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
			   SSL_OP_IGNORE_UNEXPECTED_EOF | /* tls tells */
			   SSL_OP_CIPHER_SERVER_PREFERENCE |
			   SSL_OP_PRIORITIZE_CHACHA;
	SSL_CTX *ctx = SSL_CTX_new(method);

#ifdef SSL_OP_ENABLE_KTLS
	options |= SSL_OP_ENABLE_KTLS;
#endif
	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, least) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, suites) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, ciphers) != 1 ||
	    SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") != 1)
		log_fatal("openssl has not what is needed error=%s",
		    tls_basis_words((char[TLS_WORDS_MAX]){0}));
	SSL_CTX_set_options(ctx, options);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS |
				  SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, READ_AHEAD);
	return ctx;
}

const char *
tls_basis_words(char out[TLS_WORDS_MAX])
{
	unsigned long error = ERR_peek_last_error();
	const char *words = ERR_reason_error_string(error);

	if (error == 0)
		snprintf(out, TLS_WORDS_MAX, "no reason given");
	else if (words != NULL)
		snprintf(out, TLS_WORDS_MAX, "%s", words);
	else
		ERR_error_string_n(error, out, TLS_WORDS_MAX);
	ERR_clear_error();
	return out;
}

void
tls_sum_begin(struct tls_sum *sum)
{
	sum->state = EVP_MD_CTX_new();
	if (sum->state == NULL ||
	    EVP_DigestInit_ex(sum->state, EVP_sha256(), NULL) != 1)
		log_fatal("openssl has no SHA-256");
}

void
tls_sum_add(struct tls_sum *sum, struct slice bytes)
{
	uint64_t len = bytes.len;

	EVP_DigestUpdate(sum->state, &len, sizeof(len));
	EVP_DigestUpdate(sum->state, bytes.at, bytes.len);
}

uint64_t
tls_sum_end(struct tls_sum *sum, unsigned char out[TLS_SUM_MAX])
{
	uint64_t front;

	EVP_DigestFinal_ex(sum->state, out, NULL);
	EVP_MD_CTX_free(sum->state);
	memcpy(&front, out, sizeof(front));
	return front;
}
