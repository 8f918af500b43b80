/* SPDX-License-Identifier: ISC */
/* tls: one connection's TLS over a non-blocking socket. It reads and writes the
 * socket itself, watches nothing and never waits: it says what it waits for. */
#ifndef TLS_H
#define TLS_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "addr.h"
#include "loop.h"
#include "tls_door.h"
#include "tls_target.h"

struct tls;

enum {
	TLS_WAITS_READ = -1,  /* until the socket can be read */
	TLS_WAITS_WRITE = -2, /* until it can be written */
	TLS_CUT = -3,	      /* FIN without a farewell: perhaps cut short */
	TLS_FAILED = -4,
	TLS_PLAIN = -5 /* the client speaks no TLS; nothing was read */
};

struct tls *tls_accept(struct tls_door *door, int fd);
struct tls *tls_connect(
    const struct tls_target *target, int fd, struct tls_return *back);
/* One whose SSL somebody else drives and frees. Here it is only asked of: by
 * tls_has_more, tls_has_spoken, tls_words, tls_blame and tls_free. */
struct tls *tls_lend(const struct tls_target *target, struct tls_return *back,
    struct ssl_st **ssl);
/* Some byte has gone to the peer: there is a connection. */
bool tls_has_spoken(const struct tls *tls);
/* It has failed, with this error of OpenSSL's; 0: it was closed. */
void tls_blame(struct tls *tls, unsigned long error);
/* Says nothing to the peer, leaves the socket open. NULL is fine. */
void tls_free(struct tls *tls);

/* Goes on with the handshake: 1 it is done, or one of the above. */
int tls_shake(struct tls *tls);
bool tls_is_open(const struct tls *tls); /* the handshake is done */
/* Fills `to` record by record, shaking hands first. > 0 bytes; 0 the peer has
 * said farewell; or one of the above. What ended the stream is told once what
 * came before it is read, and then for ever. */
ssize_t tls_read(struct tls *tls, void *to, size_t size);
/* More may be read though the socket has nothing to say. */
bool tls_has_more(const struct tls *tls);
/* Whole records as far as they go. Bytes taken (0: the socket is full), or
 * TLS_FAILED. What was not taken must come first when it is tried again. After
 * the handshake only. */
ssize_t tls_write(struct tls *tls, const struct iovec *iov, int count);
/* Says farewell; reading goes on. 1 said, TLS_WAITS_WRITE, or TLS_FAILED. */
int tls_farewell(struct tls *tls);

/* The name that the client sent; SLICE_NONE. Lives as long as the tls. */
struct slice tls_name(const struct tls *tls);
/* tls_site_realm of the site that the client came to. */
uint64_t tls_realm(const struct tls *tls);
/* Of the client's certificate, as RFC 2253 writes it, in ASCII; SLICE_NONE: it
 * showed none. Lives as long as the tls. */
struct slice tls_subject(struct tls *tls);
bool tls_is_resumed(const struct tls *tls);
/* Why TLS failed: visible ASCII. */
const char *tls_words(const struct tls *tls);
/* A line about a handshake that failed, as often as the loop's pace allows. */
void tls_tell_client(
    struct loop *loop, const struct addr *peer, const char *words);
void tls_tell_server(
    struct loop *loop, const struct addr *peer, const char *words);

#endif
