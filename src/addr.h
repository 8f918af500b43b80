/* SPDX-License-Identifier: ISC */
/* addr: socket addresses and networks, parsed and printed. */
#ifndef ADDR_H
#define ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "slice.h"

#define ADDR_TEXT_MAX 128
#define ADDR_LOOKUP_MAX 64 /* addresses of one name that are used */

struct addr {
	struct sockaddr_storage sa;
	socklen_t len; /* 0: none */
};

/* A network for trusted_proxies: "10.0.0.0/8", "::1", "unix". */
struct addr_net {
	uint8_t bytes[16]; /* IPv4 is mapped to ::ffff:a.b.c.d */
	uint8_t bits;	   /* of 128; 255: any unix peer */
};

/* "127.0.0.1:80", "[::1]:80", "*:80" (the IPv6 any address, dual stack), ":80"
 * likewise. Numeric only, port 0 included. "unix:/path": a socket of the file
 * system, its path absolute. false: not such an address. */
bool addr_parse(struct slice s, struct addr *out);
/* Numeric address without a port, as in X-Forwarded-For: "192.0.2.1",
 * "2001:db8::1", "[2001:db8::1]", each with an optional :port that is dropped
 * (IPv6 with port only in brackets). */
bool addr_parse_ip(struct slice s, struct addr *out);
/* An address with nothing beside it: "192.0.2.1", "2001:db8::1". */
bool addr_from_text(struct slice s, uint16_t port, struct addr *out);
/* From its 16 bytes, in which an IPv4 address is mapped; and back: false when
 * it has none. */
void addr_from_bytes(const uint8_t bytes[16], uint16_t port, struct addr *out);
bool addr_to_bytes(const struct addr *a, uint8_t bytes[16]);
/* "host:port" for a server of an upstream: splits; host may be a name, or an
 * IPv6 address in brackets, which *host is without. Port 1 to 65535. */
bool addr_split_host_port(struct slice s, struct slice *host, uint16_t *port);
/* Blocking lookup (start-up only): at most max addresses into out. Returns the
 * count, or -1 with *error a static text. */
int addr_resolve(const char *host, uint16_t port, struct addr *out, int max,
    const char **error);
/* What a look-up found, each address once, with the port: at most max into out.
 * Returns the count. */
struct addrinfo;
int addr_collect(
    const struct addrinfo *found, uint16_t port, struct addr *out, int max);
/* Same address and port, or the same path, byte for byte; an IPv4 address and
 * the mapped one are the same. */
bool addr_eq(const struct addr *a, const struct addr *b);
uint16_t addr_port(const struct addr *a);
/* Text without port ("192.0.2.1", "2001:db8::1", "unix", "-" for none), mapped
 * addresses as IPv4; out needs ADDR_TEXT_MAX bytes. Returns the length. */
size_t addr_ip_text(const struct addr *a, char *out);
/* Text with port ("192.0.2.1:80", "[::1]:80"), or with the path, as it is
 * ("unix:/run/a"). */
size_t addr_text(const struct addr *a, char *out);
/* false also when a bit past the network's own is set ("10.0.0.1/8"). */
bool addr_net_parse(struct slice s, struct addr_net *out);
/* What addr_net_parse reads as that network, in ADDR_TEXT_MAX bytes. */
void addr_net_text(const struct addr_net *net, char *out);
/* Mapped peers are in IPv4 networks only, also where the network is ::/0. */
bool addr_net_has(const struct addr_net *net, const struct addr *a);

#endif
