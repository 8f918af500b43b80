/* SPDX-License-Identifier: ISC */
/* tls_tickets: a ring of keys of which the latest two are good. Its words are
 * atomic: whoever reads a key while it is made anew, which takes one that is
 * two periods old, sees a wrong key, and the handshake is a full one. */
#include "tls_tickets.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "loop.h"
#include "mem.h"

#define RING 4
#define NAME_LEN 16

struct key {
	unsigned char name[NAME_LEN], cipher[32], mac[32];
};
#define WORDS (sizeof(struct key) / sizeof(uint64_t))
static_assert(sizeof(struct key) % sizeof(uint64_t) == 0, "whole words");

struct slot {
	_Atomic uint64_t words[WORDS];
	_Atomic uint64_t made; /* ms */
};

struct tls_tickets {
	atomic_uint refs;
	uint64_t period; /* ms */
	EVP_CIPHER *cipher;
	atomic_uint latest; /* counts up; of the ring modulo RING */
	atomic_bool turning;
	struct slot ring[RING];
};

static void
fill(struct slot *slot)
{
	uint64_t words[WORDS];

	if (RAND_bytes((unsigned char *)words, sizeof(words)) != 1)
		log_fatal("no random bytes for ticket keys");
	for (size_t i = 0; i < WORDS; i++)
		atomic_store_explicit(
		    &slot->words[i], words[i], memory_order_relaxed);
	atomic_store_explicit(&slot->made, loop_now(), memory_order_relaxed);
	OPENSSL_cleanse(words, sizeof(words));
}

struct tls_tickets *
tls_tickets_new(uint32_t period_ms)
{
	struct tls_tickets *tickets = mem_alloc(sizeof(*tickets));

	atomic_init(&tickets->refs, 1);
	tickets->period = period_ms;
	tickets->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (tickets->cipher == NULL)
		log_fatal("openssl has no AES-256-CBC");
	fill(&tickets->ring[0]);
	return tickets;
}

struct tls_tickets *
tls_tickets_ref(struct tls_tickets *tickets)
{
	atomic_fetch_add_explicit(&tickets->refs, 1, memory_order_relaxed);
	return tickets;
}

void
tls_tickets_unref(struct tls_tickets *tickets)
{
	if (tickets == NULL || atomic_fetch_sub_explicit(
				   &tickets->refs, 1, memory_order_acq_rel) > 1)
		return;
	EVP_CIPHER_free(tickets->cipher);
	OPENSSL_cleanse(tickets, sizeof(*tickets));
	free(tickets);
}

static uint64_t
age_of(struct slot *slot)
{
	return loop_now() -
	       atomic_load_explicit(&slot->made, memory_order_relaxed);
}

static void
read_key(struct slot *slot, struct key *key)
{
	uint64_t words[WORDS];

	for (size_t i = 0; i < WORDS; i++)
		words[i] =
		    atomic_load_explicit(&slot->words[i], memory_order_relaxed);
	memcpy(key, words, sizeof(*key));
}

/* The number of the key that makes tickets now. */
static unsigned
latest(struct tls_tickets *tickets)
{
	unsigned number =
	    atomic_load_explicit(&tickets->latest, memory_order_acquire);
	bool idle = false;

	if (age_of(&tickets->ring[number % RING]) < tickets->period ||
	    !atomic_compare_exchange_strong(&tickets->turning, &idle, true))
		return number;
	/* another one may have been here in the meantime */
	number = atomic_load_explicit(&tickets->latest, memory_order_relaxed);
	if (age_of(&tickets->ring[number % RING]) >= tickets->period) {
		fill(&tickets->ring[++number % RING]);
		atomic_store_explicit(
		    &tickets->latest, number, memory_order_release);
	}
	atomic_store(&tickets->turning, false);
	return number;
}

static bool
set_mac(EVP_MAC_CTX *mac, struct key *key)
{
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(
		OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
	    OSSL_PARAM_construct_utf8_string(
		OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
	    OSSL_PARAM_construct_end()};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* The keys that a ticket names: 1, or 2 where it is to be made anew; 0: none
 * that is good. */
static int
find_key(
    struct tls_tickets *tickets, const unsigned char *name, struct key *key)
{
	unsigned now = latest(tickets);

	for (unsigned back = 0; back < 2 && back <= now; back++) {
		struct slot *slot = &tickets->ring[(now - back) % RING];

		read_key(slot, key);
		if (memcmp(key->name, name, NAME_LEN) == 0)
			return age_of(slot) < 2 * tickets->period
				   ? 1 + (int)back
				   : 0;
	}
	return 0;
}

static int
encrypt(struct tls_tickets *tickets, struct key *key, unsigned char *iv,
    EVP_CIPHER_CTX *cipher)
{
	read_key(&tickets->ring[latest(tickets) % RING], key);
	if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(tickets->cipher)) != 1 ||
	    EVP_EncryptInit_ex(
		cipher, tickets->cipher, NULL, key->cipher, iv) != 1)
		return -1;
	return 1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3) */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_new)
{
	struct tls_tickets *tickets =
	    SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct key key;
	int answer;

	if (is_new) {
		answer = encrypt(tickets, &key, iv, cipher);
		memcpy(name, key.name, NAME_LEN);
	} else {
		answer = find_key(tickets, name, &key);
		/* one ticket is for one return (RFC 8446 C.4) */
		if (answer == 1 && SSL_version(ssl) == TLS1_3_VERSION)
			answer = 2;
		if (answer > 0 && EVP_DecryptInit_ex(cipher, tickets->cipher,
				      NULL, key.cipher, iv) != 1)
			answer = -1;
	}
	if (answer > 0 && !set_mac(mac, &key))
		answer = -1;
	OPENSSL_cleanse(&key, sizeof(key));
	return answer;
}

void
tls_tickets_use(struct tls_tickets *tickets, struct ssl_ctx_st *ctx)
{
	SSL_CTX_set_app_data(ctx, tickets);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_timeout(ctx, 2 * 3600);
}
