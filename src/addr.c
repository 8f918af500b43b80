/* SPDX-License-Identifier: ISC */
/* addr: numeric addresses, networks and the blocking lookup of names. An IPv4
 * address is kept as AF_INET, also where it was written mapped into IPv6; a
 * peer of a dual stack socket is mapped, and equal to the unmapped one. */
#include "addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/un.h>

#define IPV4_BITS 32
#define IPV6_BITS 128
#define MAPPED_BITS (IPV6_BITS - IPV4_BITS) /* of ::ffff:0:0/96 */
#define UNIX_BITS 255

#define PATH_AT offsetof(struct sockaddr_un, sun_path)
#define PATH_SIZE sizeof(((struct sockaddr_un *)NULL)->sun_path)

static_assert(ADDR_TEXT_MAX >= INET6_ADDRSTRLEN + sizeof("[]:65535"),
    "every address fits");
static_assert(ADDR_TEXT_MAX >= PATH_SIZE + sizeof("unix:"), "every path fits");

/* An IPv4 address mapped into IPv6, or an IPv6 address as it is. */
struct ip {
	uint8_t bytes[16];
};

static bool
is_mapped(const uint8_t bytes[16])
{
	static const uint8_t prefix[MAPPED_BITS / 8] = {
	    [10] = 0xff, [11] = 0xff};

	return memcmp(bytes, prefix, sizeof(prefix)) == 0;
}

/* inet_pton on a slice: it would stop at a NUL. */
static bool
text_to_ip(struct slice s, struct ip *ip)
{
	char text[INET6_ADDRSTRLEN];

	if (s.len == 0 || s.len >= sizeof(text) ||
	    memchr(s.at, '\0', s.len) != NULL)
		return false;
	memcpy(text, s.at, s.len);
	text[s.len] = '\0';
	if (memchr(text, ':', s.len) != NULL)
		return inet_pton(AF_INET6, text, ip->bytes) == 1;
	*ip = (struct ip){{[10] = 0xff, [11] = 0xff}};
	return inet_pton(AF_INET, text, ip->bytes + 12) == 1;
}

static void
set_ip(struct addr *out, const struct ip *ip, uint16_t port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&out->sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->sa;

	*out = (struct addr){.len = 0};
	if (is_mapped(ip->bytes)) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, ip->bytes + 12, 4);
		out->len = sizeof(*in);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, ip->bytes, 16);
		out->len = sizeof(*in6);
	}
}

static bool
get_ip(const struct addr *a, struct ip *ip)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;

	if (a->len == 0)
		return false;
	if (a->sa.ss_family == AF_INET) {
		*ip = (struct ip){{[10] = 0xff, [11] = 0xff}};
		memcpy(ip->bytes + 12, &in->sin_addr, 4);
		return true;
	}
	if (a->sa.ss_family != AF_INET6)
		return false;
	memcpy(ip->bytes, &in6->sin6_addr, 16);
	return true;
}

static bool
parse_port(struct slice s, uint16_t *port)
{
	uint64_t number;

	if (s.len > 5 || !slice_to_u64(s, &number) || number > UINT16_MAX)
		return false;
	*port = (uint16_t)number;
	return true;
}

/* "host:port" or "[host]:port", neither checked; *bracketed tells which. */
static bool
split(struct slice s, struct slice *host, struct slice *port, bool *bracketed)
{
	size_t end;

	*bracketed = s.len > 0 && s.at[0] == '[';
	if (*bracketed) {
		end = slice_find(s, ']', 0);
		if (end + 1 >= s.len || s.at[end + 1] != ':')
			return false;
		*host = (struct slice){s.at + 1, end - 1};
		end++;
	} else {
		end = slice_find(s, ':', 0);
		if (end == s.len)
			return false;
		*host = (struct slice){s.at, end};
	}
	*port = (struct slice){s.at + end + 1, s.len - end - 1};
	return true;
}

static bool
has_colon(struct slice s)
{
	return slice_find(s, ':', 0) < s.len;
}

/* With a NUL at the end, which not every kernel demands. */
static bool
parse_path(struct slice path, struct addr *out)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&out->sa;

	if (path.len == 0 || path.len >= PATH_SIZE || path.at[0] != '/' ||
	    memchr(path.at, '\0', path.len) != NULL)
		return false;
	*out = (struct addr){.len = (socklen_t)(PATH_AT + path.len + 1)};
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path.at, path.len);
	return true;
}

bool
addr_parse(struct slice s, struct addr *out)
{
	static const struct ip any = {{0}};
	const struct slice prefix = SLICE("unix:");
	struct slice host, port_text;
	bool bracketed;
	uint16_t port;
	struct ip ip;

	if (slice_starts(s, prefix))
		return parse_path(
		    (struct slice){s.at + prefix.len, s.len - prefix.len}, out);
	if (!split(s, &host, &port_text, &bracketed) ||
	    !parse_port(port_text, &port))
		return false;
	if (!bracketed && (host.len == 0 || slice_eq(host, SLICE("*"))))
		ip = any;
	else if (bracketed != has_colon(host) || !text_to_ip(host, &ip))
		return false;
	set_ip(out, &ip, port);
	return true;
}

bool
addr_parse_ip(struct slice s, struct addr *out)
{
	struct slice host = s, port_text;
	size_t colon = slice_find(s, ':', 0);
	bool bracketed = s.len > 0 && s.at[0] == '[';
	uint16_t port;
	struct ip ip;

	if (bracketed && s.at[s.len - 1] == ']') {
		host = (struct slice){s.at + 1, s.len - 2};
	} else if (bracketed ||
		   (colon < s.len && slice_find(s, ':', colon + 1) == s.len)) {
		if (!split(s, &host, &port_text, &bracketed) ||
		    !parse_port(port_text, &port) ||
		    bracketed != has_colon(host))
			return false;
	}
	if ((bracketed && !has_colon(host)) || !text_to_ip(host, &ip))
		return false;
	set_ip(out, &ip, 0);
	return true;
}

bool
addr_from_text(struct slice s, uint16_t port, struct addr *out)
{
	struct ip ip;

	if (!text_to_ip(s, &ip))
		return false;
	set_ip(out, &ip, port);
	return true;
}

void
addr_from_bytes(const uint8_t bytes[16], uint16_t port, struct addr *out)
{
	struct ip ip;

	memcpy(ip.bytes, bytes, sizeof(ip.bytes));
	set_ip(out, &ip, port);
}

bool
addr_to_bytes(const struct addr *a, uint8_t bytes[16])
{
	struct ip ip;

	if (!get_ip(a, &ip))
		return false;
	memcpy(bytes, ip.bytes, sizeof(ip.bytes));
	return true;
}

static bool
is_name(struct slice s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		char c = s.at[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_')
			return false;
	}
	return s.len > 0;
}

bool
addr_split_host_port(struct slice s, struct slice *host, uint16_t *port)
{
	struct slice port_text;
	bool bracketed;
	struct ip ip;

	if (!split(s, host, &port_text, &bracketed) ||
	    !parse_port(port_text, port) || *port == 0)
		return false;
	if (bracketed)
		return has_colon(*host) && text_to_ip(*host, &ip);
	return is_name(*host);
}

/* One address of a lookup, unless it is there already. */
static int
add_found(
    const struct addrinfo *found, uint16_t port, struct addr *out, int count)
{
	struct addr one = {.len = found->ai_addrlen};
	struct ip ip;
	int i;

	if (found->ai_addrlen > sizeof(one.sa))
		return count;
	memcpy(&one.sa, found->ai_addr, found->ai_addrlen);
	if (!get_ip(&one, &ip))
		return count;
	if (is_mapped(ip.bytes))
		set_ip(&one, &ip, port);
	else
		((struct sockaddr_in6 *)&one.sa)->sin6_port = htons(port);
	for (i = 0; i < count; i++)
		if (addr_eq(&out[i], &one))
			return count;
	out[count] = one;
	return count + 1;
}

int
addr_collect(
    const struct addrinfo *found, uint16_t port, struct addr *out, int max)
{
	int count = 0;

	for (; found != NULL && count < max; found = found->ai_next)
		count = add_found(found, port, out, count);
	return count;
}

int
addr_resolve(const char *host, uint16_t port, struct addr *out, int max,
    const char **error)
{
	struct addrinfo hints = {
	    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int count, status = getaddrinfo(host, NULL, &hints, &list);

	if (status != 0) {
		*error = gai_strerror(status);
		return -1;
	}
	count = addr_collect(list, port, out, max);
	freeaddrinfo(list);
	if (count > 0)
		return count;
	*error = "no IPv4 or IPv6 address";
	return -1;
}

/* Up to a NUL, unless it comes first: an abstract name has a length only. */
static struct slice
unix_path(const struct addr *a)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&a->sa;
	struct slice path = {
	    un->sun_path, a->len > PATH_AT ? a->len - PATH_AT : 0};

	if (path.len > 0 && path.at[0] != '\0')
		path.len = slice_find(path, '\0', 0);
	return path;
}

static uint32_t
scope(const struct addr *a)
{
	return a->sa.ss_family == AF_INET6
		   ? ((const struct sockaddr_in6 *)&a->sa)->sin6_scope_id
		   : 0;
}

bool
addr_eq(const struct addr *a, const struct addr *b)
{
	struct ip x, y;

	if (a->len == 0 || b->len == 0)
		return a->len == b->len;
	if (get_ip(a, &x) && get_ip(b, &y))
		return memcmp(x.bytes, y.bytes, sizeof(x.bytes)) == 0 &&
		       addr_port(a) == addr_port(b) && scope(a) == scope(b);
	return a->sa.ss_family == AF_UNIX && b->sa.ss_family == AF_UNIX &&
	       slice_eq(unix_path(a), unix_path(b));
}

uint16_t
addr_port(const struct addr *a)
{
	if (a->len > 0 && a->sa.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)&a->sa)->sin_port);
	if (a->len > 0 && a->sa.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&a->sa)->sin6_port);
	return 0;
}

/* "192.0.2.1"; by hand, as inet_ntop prints, and this is for each request. */
static size_t
ipv4_text(const uint8_t bytes[4], char *out)
{
	char *at = out;

	for (unsigned i = 0; i < 4; i++) {
		unsigned byte = bytes[i];

		if (i > 0)
			*at++ = '.';
		if (byte >= 100)
			*at++ = (char)('0' + byte / 100);
		if (byte >= 10)
			*at++ = (char)('0' + byte / 10 % 10);
		*at++ = (char)('0' + byte % 10);
	}
	*at = '\0';
	return (size_t)(at - out);
}

size_t
addr_ip_text(const struct addr *a, char *out)
{
	const char *text;
	struct ip ip;

	if (!get_ip(a, &ip))
		return (size_t)snprintf(out, ADDR_TEXT_MAX, "%s",
		    a->len > 0 && a->sa.ss_family == AF_UNIX ? "unix" : "-");
	if (is_mapped(ip.bytes))
		return ipv4_text(ip.bytes + 12, out);
	text = inet_ntop(AF_INET6, ip.bytes, out, ADDR_TEXT_MAX);
	assert(text != NULL);
	return strlen(text);
}

/* A peer has no path, as a rule, and an abstract name is nobody's here. */
static size_t
unix_text(const struct addr *a, char *out)
{
	struct slice path = unix_path(a);

	if (path.len == 0 || path.at[0] == '\0')
		return (size_t)snprintf(out, ADDR_TEXT_MAX, "unix");
	return (size_t)snprintf(
	    out, ADDR_TEXT_MAX, "unix:%.*s", SLICE_ARG(path));
}

size_t
addr_text(const struct addr *a, char *out)
{
	char ip[ADDR_TEXT_MAX];
	size_t len = addr_ip_text(a, ip);
	bool brackets = has_colon((struct slice){ip, len});
	int n;

	if (a->len > 0 && a->sa.ss_family == AF_UNIX)
		return unix_text(a, out);
	if (a->len == 0) {
		memcpy(out, ip, len + 1);
		return len;
	}
	n = snprintf(out, ADDR_TEXT_MAX, "%s%s%s:%u", brackets ? "[" : "", ip,
	    brackets ? "]" : "", addr_port(a));
	return (size_t)n;
}

/* The bits past the network's own are 0, as in "10.0.0.0/8". */
static bool
is_network(const struct addr_net *net)
{
	unsigned i;

	for (i = net->bits; i < IPV6_BITS; i++)
		if ((net->bytes[i / 8] & (0x80 >> i % 8)) != 0)
			return false;
	return true;
}

bool
addr_net_parse(struct slice s, struct addr_net *out)
{
	size_t slash = slice_find(s, '/', 0);
	struct slice host = {s.at, slash};
	uint64_t width, bits;
	struct ip ip;

	if (slice_eq(s, SLICE("unix"))) {
		*out = (struct addr_net){.bits = UNIX_BITS};
		return true;
	}
	if (!text_to_ip(host, &ip))
		return false;
	width = bits = has_colon(host) ? IPV6_BITS : IPV4_BITS;
	if (slash < s.len && (s.len - slash > 4 ||
				 !slice_to_u64((struct slice){s.at + slash + 1,
						   s.len - slash - 1},
				     &bits) ||
				 bits > width))
		return false;
	out->bits = (uint8_t)(bits + IPV6_BITS - width);
	memcpy(out->bytes, ip.bytes, sizeof(out->bytes));
	return is_network(out);
}

void
addr_net_text(const struct addr_net *net, char *out)
{
	bool ipv4 = net->bits >= MAPPED_BITS && is_mapped(net->bytes);
	unsigned bits = ipv4 ? net->bits - MAPPED_BITS : net->bits;
	struct addr addr;
	size_t len;

	if (net->bits == UNIX_BITS) {
		snprintf(out, ADDR_TEXT_MAX, "unix");
		return;
	}
	addr_from_bytes(net->bytes, 0, &addr);
	len = addr_ip_text(&addr, out);
	if (net->bits < IPV6_BITS)
		snprintf(out + len, ADDR_TEXT_MAX - len, "/%u", bits);
}

bool
addr_net_has(const struct addr_net *net, const struct addr *a)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;
	struct ip ip;

	if (net->bits == UNIX_BITS)
		return a->len > 0 && a->sa.ss_family == AF_UNIX;
	/* ::/0 is all of IPv6, and no IPv4 peer. */
	if (!get_ip(a, &ip) ||
	    (net->bits < MAPPED_BITS && is_mapped(ip.bytes)) ||
	    memcmp(ip.bytes, net->bytes, whole) != 0)
		return false;
	return rest == 0 ||
	       (ip.bytes[whole] ^ net->bytes[whole]) >> (8 - rest) == 0;
}
