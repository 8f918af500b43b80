/* SPDX-License-Identifier: ISC */
/* tls: one connection's TLS, as OpenSSL does it. */
#include "tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "log.h"
#include "mem.h"
#include "tls_basis.h"

#define RECORD 16384u /* bytes of a record at most (RFC 8446 5.1) */
#define HANDSHAKE 22  /* how a first record begins */

struct tls {
	union {
		struct tls_visit visit;
		struct tls_errand errand;
	} way;
	SSL *ssl;
	int fd;
	int end; /* TLS_CUT, TLS_FAILED; 1: a farewell; 0: none yet */
	bool is_server;
	bool begun;    /* the first byte was that of a handshake */
	bool dry;      /* nothing more, before the socket has more */
	bool unsent;   /* a record waits inside for the socket */
	bool more;     /* another record follows at once */
	bool said;     /* the farewell is out */
	bool deaf;     /* a write failed; what was said before may still come */
	char *subject; /* malloced; NULL: not asked for yet */
	char *words;   /* malloced; NULL: nothing failed */
};

static struct tls *
new_tls(int fd)
{
	struct tls *tls = mem_alloc(sizeof(*tls));

	tls->fd = fd;
	tls->dry = true;
	return tls;
}

/* As OpenSSL's own, but the kernel is told where more follows at once: records
 * then leave together. The kernel's TLS has ways of its own. */
static int
send_record(BIO *bio, const char *at, int len)
{
	const struct tls *tls = BIO_get_data(bio);
	ssize_t n;

	if (BIO_get_ktls_send(bio))
		return BIO_meth_get_write(BIO_s_socket())(bio, at, len);
	BIO_clear_retry_flags(bio);
	do
		n = send(tls->fd, at, (size_t)len,
		    MSG_NOSIGNAL | (tls->more ? MSG_MORE : 0));
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_write(bio);
	return (int)n;
}

static BIO_METHOD *method;

/* Once for the process. */
static void
make_method(void)
{
	const BIO_METHOD *socket = BIO_s_socket();

	method = BIO_meth_new(BIO_TYPE_SOCKET, "socket");
	if (method == NULL || BIO_meth_set_write(method, send_record) != 1 ||
	    BIO_meth_set_read(method, BIO_meth_get_read(socket)) != 1 ||
	    BIO_meth_set_ctrl(method, BIO_meth_get_ctrl(socket)) != 1 ||
	    BIO_meth_set_create(method, BIO_meth_get_create(socket)) != 1 ||
	    BIO_meth_set_destroy(method, BIO_meth_get_destroy(socket)) != 1)
		log_fatal("out of memory");
}

static void
take_socket(struct tls *tls)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, make_method);
	bio = BIO_new(method);
	if (bio == NULL || BIO_set_fd(bio, tls->fd, BIO_NOCLOSE) != 1)
		log_fatal("out of memory");
	BIO_set_data(bio, tls);
	SSL_set_bio(tls->ssl, bio, bio);
}

struct tls *
tls_accept(struct tls_door *door, int fd)
{
	struct tls *tls = new_tls(fd);

	tls->is_server = true;
	tls->ssl = tls_visit_open(&tls->way.visit, door);
	take_socket(tls);
	return tls;
}

struct tls *
tls_connect(const struct tls_target *target, int fd, struct tls_return *back)
{
	struct tls *tls = new_tls(fd);

	tls->begun = true;
	tls->ssl = tls_errand_open(&tls->way.errand, target, back);
	take_socket(tls);
	return tls;
}

/* libevent looks at what is decrypted, not at what is read ahead, and at the
 * error that tells a FIN without a farewell apart. */
struct tls *
tls_lend(const struct tls_target *target, struct tls_return *back,
    struct ssl_st **ssl)
{
	struct tls *tls = new_tls(-1);

	tls->ssl = tls_errand_open(&tls->way.errand, target, back);
	SSL_set_read_ahead(tls->ssl, 0);
	SSL_clear_options(tls->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_up_ref(tls->ssl);
	*ssl = tls->ssl;
	return tls;
}

void
tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	/* Else the session would count as broken. */
	if (tls->end != TLS_FAILED && !tls->deaf)
		SSL_set_shutdown(
		    tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_set_app_data(tls->ssl, NULL);
	SSL_free(tls->ssl);
	if (tls->is_server)
		tls_visit_close(&tls->way.visit);
	else
		tls_errand_close(&tls->way.errand);
	free(tls->subject);
	free(tls->words);
	free(tls);
}

bool
tls_is_open(const struct tls *tls)
{
	return SSL_is_init_finished(tls->ssl) == 1;
}

/* ---- failures ---- */

static void
keep_words(struct tls *tls, const char *words)
{
	long verified = SSL_get_verify_result(tls->ssl);
	char text[2 * TLS_WORDS_MAX];

	if (verified != X509_V_OK && !tls_is_open(tls))
		snprintf(text, sizeof(text), "%s: %s", words,
		    X509_verify_cert_error_string(verified));
	else
		snprintf(text, sizeof(text), "%s", words);
	free(tls->words);
	tls->words = mem_strdup(text);
}

static int
fail(struct tls *tls, int error)
{
	unsigned long reason = ERR_peek_last_error();
	char words[TLS_WORDS_MAX];
	int number = errno;

	if (error == SSL_ERROR_SYSCALL && reason == 0)
		keep_words(
		    tls, number != 0 ? strerror(number) : "connection closed");
	else
		keep_words(tls, tls_basis_words(words));
	ERR_clear_error();
	return TLS_FAILED;
}

bool
tls_has_spoken(const struct tls *tls)
{
	return BIO_number_written(SSL_get_wbio(tls->ssl)) > 0;
}

void
tls_blame(struct tls *tls, unsigned long error)
{
	const char *words = ERR_reason_error_string(error);

	if (error == 0)
		words = "closed by the peer";
	keep_words(tls, words != NULL ? words : "no reason given");
	tls->end = TLS_FAILED;
}

/* What a call that gave n means; only the last kinds are an end. */
static int
judge(struct tls *tls, int n)
{
	int error = SSL_get_error(tls->ssl, n);

	switch (error) {
	case SSL_ERROR_WANT_READ:
		return TLS_WAITS_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WAITS_WRITE;
	case SSL_ERROR_ZERO_RETURN: /* a farewell, or just the FIN */
		tls->end = BIO_eof(SSL_get_rbio(tls->ssl)) ? TLS_CUT : 1;
		return tls->end == 1 ? 0 : TLS_CUT;
	default:
		tls->end = fail(tls, error);
		return tls->end;
	}
}

/* ---- the handshake ---- */

/* A client that speaks HTTP is told so in HTTP, whatever its method. */
static int
greet(struct tls *tls)
{
	unsigned char first;
	ssize_t n;

	if (tls->begun)
		return 1;
	do
		n = recv(tls->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		tls->dry = true;
		return TLS_WAITS_READ;
	}
	tls->begun = true;
	if (n == 0) { /* somebody has only knocked */
		tls->end = 1;
		return 0;
	}
	if (n == 1 &&
	    ((first >= 'A' && first <= 'Z') || (first >= 'a' && first <= 'z')))
		return TLS_PLAIN;
	return 1;
}

int
tls_shake(struct tls *tls)
{
	int n = greet(tls);

	if (n != 1)
		return n;
	if (tls->end != 0)
		return TLS_FAILED;
	ERR_clear_error();
	errno = 0;
	n = SSL_do_handshake(tls->ssl);
	if (n == 1) {
		tls->dry = false;
		return 1;
	}
	n = judge(tls, n);
	tls->dry = n == TLS_WAITS_READ;
	if (n != 0 && n != TLS_CUT)
		return n;
	keep_words(tls, "closed by the peer");
	tls->end = TLS_FAILED;
	return TLS_FAILED;
}

/* ---- bytes ---- */

/* Reads records until `to` is full or there is nothing more. */
static int
fill(struct tls *tls, char *to, size_t size, size_t *got)
{
	int n = 1;

	ERR_clear_error();
	errno = 0;
	while (*got < size) {
		n = SSL_read(tls->ssl, to + *got, (int)(size - *got));
		if (n <= 0)
			return judge(tls, n);
		*got += (size_t)n;
		/* Where little came, asking for more is in vain. */
		if (*got < RECORD && SSL_has_pending(tls->ssl) == 0)
			return TLS_WAITS_READ;
	}
	return 1;
}

ssize_t
tls_read(struct tls *tls, void *to, size_t size)
{
	size_t got = 0;
	int n = 1;

	if (tls->end != 0) {
		tls->dry = true;
		return tls->end == 1 ? 0 : tls->end;
	}
	if (!tls_is_open(tls) && (n = tls_shake(tls)) != 1)
		return n;
	n = fill(tls, to, size, &got);
	tls->dry = n == TLS_WAITS_READ || (got == 0 && tls->end != 0);
	return got > 0 ? (ssize_t)got : n;
}

bool
tls_has_more(const struct tls *tls)
{
	return tls->fd >= 0 ? !tls->dry : SSL_pending(tls->ssl) > 0;
}

/* The next record: the front of what is left, gathered where it lies in
 * pieces. */
static struct slice
next_record(const struct iovec *iov, int count, size_t skip, char *gathered)
{
	size_t len = 0, n;

	for (int i = 0; i < count; i++) {
		const char *at = iov[i].iov_base;
		size_t left = iov[i].iov_len;

		if (skip >= left) {
			skip -= left;
			continue;
		}
		at += skip;
		left -= skip;
		skip = 0;
		if (len == 0 && (left >= RECORD || i + 1 == count))
			return (struct slice){at, left};
		n = left < RECORD - len ? left : RECORD - len;
		memcpy(gathered + len, at, n);
		len += n;
	}
	return (struct slice){gathered, len};
}

ssize_t
tls_write(struct tls *tls, const struct iovec *iov, int count)
{
	char gathered[RECORD];
	struct slice piece;
	size_t wrote = 0, all = 0;
	int n, error;

	for (int i = 0; i < count; i++)
		all += iov[i].iov_len;
	if (tls->deaf || tls->end == TLS_FAILED)
		return TLS_FAILED;
	ERR_clear_error();
	errno = 0;
	for (;; wrote += (size_t)n) {
		piece = next_record(iov, count, wrote, gathered);
		if (piece.len == 0)
			return (ssize_t)wrote;
		tls->more = all - wrote > RECORD;
		n = SSL_write(tls->ssl, piece.at, (int)piece.len);
		tls->more = false;
		tls->unsent = n <= 0;
		if (n <= 0)
			break;
	}
	error = SSL_get_error(tls->ssl, n);
	if (error == SSL_ERROR_WANT_WRITE)
		return (ssize_t)wrote;
	tls->deaf = true;
	(void)fail(tls, error);
	return TLS_FAILED;
}

int
tls_farewell(struct tls *tls)
{
	int n;

	if (tls->end == TLS_FAILED || tls->unsent || tls->deaf ||
	    !tls_is_open(tls))
		return TLS_FAILED;
	/* OpenSSL's own word for it is true before it is out */
	if (tls->said)
		return 1;
	ERR_clear_error();
	n = SSL_shutdown(tls->ssl);
	tls->said = n >= 0;
	if (tls->said)
		return 1;
	n = SSL_get_error(tls->ssl, n);
	ERR_clear_error();
	return n == SSL_ERROR_WANT_WRITE ? TLS_WAITS_WRITE : TLS_FAILED;
}

/* ---- who it is ---- */

struct slice
tls_name(const struct tls *tls)
{
	const char *name =
	    SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);

	return name != NULL ? slice_of(name) : SLICE_NONE;
}

uint64_t
tls_realm(const struct tls *tls)
{
	assert(tls->is_server);
	return tls_site_realm(tls->way.visit.site);
}

static char *
subject_of(const SSL *ssl)
{
	X509 *shown = SSL_get0_peer_certificate(ssl);
	BIO *bio;
	char *text, *copy;
	long len;

	if (shown == NULL)
		return mem_strdup("");
	bio = BIO_new(BIO_s_mem());
	if (bio == NULL || X509_NAME_print_ex(bio, X509_get_subject_name(shown),
			       0, XN_FLAG_RFC2253) < 0)
		log_fatal("out of memory");
	len = BIO_get_mem_data(bio, &text);
	copy = mem_strndup((struct slice){text, len > 0 ? (size_t)len : 0});
	BIO_free(bio);
	return copy;
}

struct slice
tls_subject(struct tls *tls)
{
	if (tls->subject == NULL)
		tls->subject = subject_of(tls->ssl);
	if (tls->subject[0] == '\0')
		return SLICE_NONE;
	return slice_of(tls->subject);
}

bool
tls_is_resumed(const struct tls *tls)
{
	return SSL_session_reused(tls->ssl) == 1;
}

const char *
tls_words(const struct tls *tls)
{
	return tls->words != NULL ? tls->words : "no reason given";
}

void
tls_tell_client(struct loop *loop, const struct addr *peer, const char *words)
{
	char text[ADDR_TEXT_MAX];
	unsigned untold;

	if (pace_allows(&loop->tls_clients, &untold))
		log_info("tls handshake failed client=%.*s error=\"%s\" "
			 "untold=%u",
		    (int)addr_ip_text(peer, text), text, words, untold);
}

void
tls_tell_server(struct loop *loop, const struct addr *peer, const char *words)
{
	char text[ADDR_TEXT_MAX];
	unsigned untold;

	if (pace_allows(&loop->tls_servers, &untold))
		log_warn("tls handshake failed server=%.*s error=\"%s\" "
			 "untold=%u",
		    (int)addr_text(peer, text), text, words, untold);
}
