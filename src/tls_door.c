/* SPDX-License-Identifier: ISC */
/* tls_door: a site has one SSL_CTX for each set of names that its certificates
 * cover. A connection begins with that of the fallback and changes in the
 * ClientHello, before anything of it is used. */
#include "tls_door.h"

#include <assert.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "hosts.h"
#include "log.h"
#include "mem.h"
#include "tls_basis.h"

/* Certificates for the same names. */
struct group {
	SSL_CTX *ctx;
	struct tls_pair leaf; /* of the first pair; with one reference, names */
	bool has[2];	      /* RSA, and anything else */
};

struct tls_site {
	atomic_uint refs;
	struct tls_tickets *tickets;
	enum tls_clients clients;
	enum tls_version least;
	uint64_t realm;
	unsigned group_count;
	struct group groups[];
};

struct tls_door {
	atomic_uint refs;
	struct tls_site *fallback;
	struct hosts *names; /* values: struct tls_site */
	struct tls_site **sites;
	unsigned site_count;
};

static int on_hello(SSL *ssl, int *alert, void *arg);
static int on_name(SSL *ssl, int *alert, void *arg);

/* ---- sites ---- */

static int
version_of(enum tls_version version)
{
	return version == TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

static bool
is_other_kind(const struct tls_pair *pair)
{
	return EVP_PKEY_get_base_id(pair->key) != EVP_PKEY_RSA;
}

/* ALPN (RFC 7301): who offers protocols, but none of ours, is refused. */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned len, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1\x08http/1.0";

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto((unsigned char **)out, out_len, ours,
		sizeof(ours) - 1, in, len) == OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_OK;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int
verify_mode(const struct tls_site *site)
{
	static const int modes[] = {[TLS_CLIENTS_OFF] = SSL_VERIFY_NONE,
	    [TLS_CLIENTS_OPTIONAL] = SSL_VERIFY_PEER,
	    [TLS_CLIENTS_REQUIRED] =
		SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT};

	return modes[site->clients];
}

static void
trust(SSL_CTX *ctx, STACK_OF(X509) * authorities)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);

	for (int i = 0; i < sk_X509_num(authorities); i++) {
		X509 *one = sk_X509_value(authorities, i);

		X509_STORE_add_cert(store, one);
		SSL_CTX_add_client_CA(ctx, one);
	}
}

static void
start_group(struct tls_site *site, const struct tls_site_setup *setup,
    const struct tls_pair *pair, const unsigned char *id)
{
	struct group *group = &site->groups[site->group_count++];

	group->ctx =
	    tls_basis_new(TLS_server_method(), version_of(setup->least));
	group->leaf.leaf = pair->leaf;
	X509_up_ref(pair->leaf);
	group->leaf.names = mem_strdup(pair->names);
	SSL_CTX_set_client_hello_cb(group->ctx, on_hello, NULL);
	SSL_CTX_set_tlsext_servername_callback(group->ctx, on_name);
	SSL_CTX_set_alpn_select_cb(group->ctx, on_alpn, NULL);
	SSL_CTX_set_session_id_context(group->ctx, id, TLS_SUM_MAX);
	SSL_CTX_set_verify(group->ctx, verify_mode(site), NULL);
	if (setup->authorities != NULL)
		trust(group->ctx, setup->authorities);
	tls_tickets_use(site->tickets, group->ctx);
}

static struct group *
find_group(struct tls_site *site, const struct tls_pair *pair)
{
	for (unsigned i = 0; i < site->group_count; i++)
		if (strcmp(site->groups[i].leaf.names, pair->names) == 0 &&
		    !site->groups[i].has[is_other_kind(pair)])
			return &site->groups[i];
	return NULL;
}

static bool
add_pair(struct tls_site *site, const struct tls_site_setup *setup,
    const struct tls_pair *pair, const unsigned char *id)
{
	struct group *group = find_group(site, pair);

	if (group == NULL) {
		start_group(site, setup, pair, id);
		group = &site->groups[site->group_count - 1];
	}
	group->has[is_other_kind(pair)] = true;
	ERR_clear_error();
	return SSL_CTX_use_cert_and_key(
		   group->ctx, pair->leaf, pair->key, pair->chain, 1) == 1;
}

static void
add_certificate(struct tls_sum *sum, X509 *one)
{
	unsigned char *der = NULL;
	int len = i2d_X509(one, &der);

	if (len > 0)
		tls_sum_add(sum, (struct slice){(char *)der, (size_t)len});
	OPENSSL_free(der);
}

static uint64_t
realm_of(const struct tls_site_setup *setup)
{
	const char demands[] = {(char)setup->clients, (char)setup->least};
	unsigned char sum_bytes[TLS_SUM_MAX];
	struct tls_sum sum;

	tls_sum_begin(&sum);
	tls_sum_add(&sum, (struct slice){demands, sizeof(demands)});
	for (int i = 0; i < sk_X509_num(setup->authorities); i++)
		add_certificate(&sum, sk_X509_value(setup->authorities, i));
	return tls_sum_end(&sum, sum_bytes);
}

/* A session is good at the site where it began, as long as that demands the
 * same. */
static void
session_id(const struct tls_site *site, struct slice name,
    unsigned char out[TLS_SUM_MAX])
{
	struct tls_sum sum;

	tls_sum_begin(&sum);
	tls_sum_add(&sum, name);
	tls_sum_add(&sum,
	    (struct slice){(const char *)&site->realm, sizeof(site->realm)});
	tls_sum_end(&sum, out);
}

struct tls_site *
tls_site_new(const struct tls_site_setup *setup, const struct tls_notes *notes)
{
	struct tls_site *site = mem_alloc(
	    sizeof(*site) + setup->pair_count * sizeof(site->groups[0]));
	unsigned char id[TLS_SUM_MAX];
	char words[TLS_WORDS_MAX];

	assert(setup->pair_count > 0);
	atomic_init(&site->refs, 1);
	site->tickets = tls_tickets_ref(setup->tickets);
	site->clients = setup->clients;
	site->least = setup->least;
	site->realm = realm_of(setup);
	session_id(site, setup->name, id);
	for (unsigned i = 0; i < setup->pair_count; i++) {
		if (add_pair(site, setup, setup->pairs[i], id))
			continue;
		notes->note(notes->arg, TLS_FILE_CERTIFICATE, true,
		    tls_basis_words(words));
		tls_site_unref(site);
		return NULL;
	}
	return site;
}

void
tls_site_unref(struct tls_site *site)
{
	if (site == NULL ||
	    atomic_fetch_sub_explicit(&site->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (unsigned i = 0; i < site->group_count; i++) {
		SSL_CTX_free(site->groups[i].ctx);
		X509_free(site->groups[i].leaf.leaf);
		free(site->groups[i].leaf.names);
	}
	tls_tickets_unref(site->tickets);
	free(site);
}

bool
tls_site_covers(const struct tls_site *site, struct slice host)
{
	for (unsigned i = 0; i < site->group_count; i++)
		if (tls_pair_covers(&site->groups[i].leaf, host))
			return true;
	return false;
}

uint64_t
tls_site_realm(const struct tls_site *site)
{
	return site->realm;
}

/* ---- doors ---- */

/* The list has a reference of each. */
static void
hold(struct tls_door *door, struct tls_site *site)
{
	for (unsigned i = 0; i < door->site_count; i++)
		if (door->sites[i] == site)
			return;
	door->sites = mem_realloc(
	    door->sites, (door->site_count + 1) * sizeof(*door->sites));
	door->sites[door->site_count++] = site;
	atomic_fetch_add_explicit(&site->refs, 1, memory_order_relaxed);
}

struct tls_door *
tls_door_new(struct tls_site *fallback)
{
	struct tls_door *door = mem_alloc(sizeof(*door));

	atomic_init(&door->refs, 1);
	door->names = hosts_new();
	door->fallback = fallback;
	hold(door, fallback);
	return door;
}

void
tls_door_add(struct tls_door *door, struct slice host, struct tls_site *site)
{
	hold(door, site);
	(void)hosts_add(door->names, host, site);
}

struct tls_door *
tls_door_ref(struct tls_door *door)
{
	atomic_fetch_add_explicit(&door->refs, 1, memory_order_relaxed);
	return door;
}

void
tls_door_unref(struct tls_door *door)
{
	if (door == NULL ||
	    atomic_fetch_sub_explicit(&door->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (unsigned i = 0; i < door->site_count; i++)
		tls_site_unref(door->sites[i]);
	free(door->sites);
	hosts_free(door->names);
	free(door);
}

/* ---- a ClientHello ---- */

static struct slice
hello_name(SSL *ssl)
{
	const unsigned char *at;
	size_t len, name_len;

	/* RFC 6066 3: length of the list; type 0; length of the name */
	if (SSL_client_hello_get0_ext(
		ssl, TLSEXT_TYPE_server_name, &at, &len) != 1 ||
	    len < 5 || at[2] != TLSEXT_NAMETYPE_host_name)
		return SLICE_NONE;
	name_len = (size_t)at[3] << 8 | at[4];
	if (name_len > len - 5)
		return SLICE_NONE;
	return (struct slice){(const char *)at + 5, name_len};
}

static const struct group *
choose_group(const struct tls_site *site, struct slice name)
{
	if (site->group_count > 1)
		for (unsigned i = 0; i < site->group_count; i++)
			if (tls_pair_covers(&site->groups[i].leaf, name))
				return &site->groups[i];
	return &site->groups[0];
}

/* SSL_CTX_set_client_hello_cb(3): before versions are compared and sessions are
 * looked for. What SSL_set_SSL_CTX leaves as it was is set here. */
static int
on_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_visit *visit = SSL_get_app_data(ssl);
	struct slice name = hello_name(ssl);
	const struct tls_site *site = NULL;

	(void)alert;
	(void)arg;
	if (name.len > 0)
		site = hosts_find(visit->door->names, name);
	if (site != NULL)
		visit->site = site;
	SSL_set_SSL_CTX(ssl, choose_group(visit->site, name)->ctx);
	SSL_set_verify(ssl, verify_mode(visit->site), NULL);
	SSL_set_min_proto_version(ssl, version_of(visit->site->least));
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* A session keeps the name that it was made under only if some one answers for
 * it here. */
static int
on_name(SSL *ssl, int *alert, void *arg)
{
	(void)ssl;
	(void)alert;
	(void)arg;
	return SSL_TLSEXT_ERR_OK;
}

struct ssl_st *
tls_visit_open(struct tls_visit *visit, struct tls_door *door)
{
	SSL *ssl = SSL_new(door->fallback->groups[0].ctx);

	if (ssl == NULL)
		log_fatal("out of memory");
	*visit = (struct tls_visit){tls_door_ref(door), door->fallback};
	SSL_set_app_data(ssl, visit);
	SSL_set_accept_state(ssl);
	return ssl;
}

void
tls_visit_close(struct tls_visit *visit)
{
	tls_door_unref(visit->door);
}
