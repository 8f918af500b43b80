/* SPDX-License-Identifier: ISC */
/* uri: a target is split, never rewritten; what goes upstream are the bytes
 * that came (RFC 9112 3.2, RFC 3986 3.2). */
#include "uri.h"

#include <arpa/inet.h>

enum { PORT_DIGITS = 5, PORT_MAX = 65535 };

/* host keeps its brackets; port at NULL: no colon. */
struct authority {
	struct slice host, port;
};

/* False when something stands between "]" and the port. */
static bool
split_authority(struct slice s, struct authority *out)
{
	size_t end = 0;

	if (s.len > 0 && s.at[0] == '[') {
		end = slice_find(s, ']', 0);
		if (end < s.len)
			end++;
	} else {
		end = slice_find(s, ':', 0);
	}
	*out = (struct authority){{s.at, end}, SLICE_NONE};
	if (end == s.len)
		return true;
	if (s.at[end] != ':')
		return false;
	out->port = (struct slice){s.at + end + 1, s.len - end - 1};
	return true;
}

static bool
is_port(struct slice s)
{
	uint64_t number;

	if (s.len == 0)
		return true;
	return s.len <= PORT_DIGITS && slice_to_u64(s, &number) &&
	       number <= PORT_MAX;
}

/* "[IPv6]" without zone; no IPvFuture. */
static bool
is_ip_literal(struct slice s)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char bytes[16];
	size_t len = s.len - 2;

	if (s.len < 4 || s.at[s.len - 1] != ']' || len >= sizeof(text) ||
	    memchr(s.at, '\0', s.len) != NULL)
		return false;
	memcpy(text, s.at + 1, len);
	text[len] = '\0';
	return inet_pton(AF_INET6, text, bytes) == 1;
}

static bool
is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels between single dots; one more dot may stand at the end. */
static bool
is_name(struct slice s)
{
	bool label = false;
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (s.at[i] == '.' ? !label : !is_name_byte(s.at[i]))
			return false;
		label = s.at[i] != '.';
	}
	return s.len > 0;
}

bool
uri_authority_valid(struct slice authority)
{
	struct authority a;

	if (!split_authority(authority, &a) || !is_port(a.port))
		return false;
	if (a.host.len > 0 && a.host.at[0] == '[')
		return is_ip_literal(a.host);
	return is_name(a.host);
}

struct slice
uri_host(struct slice authority)
{
	struct authority a;

	split_authority(authority, &a);
	if (a.host.len > 0 && a.host.at[a.host.len - 1] == '.')
		a.host.len--;
	return a.host;
}

static uint64_t
port_of(struct slice authority, struct slice scheme)
{
	struct authority a;
	uint64_t number;

	split_authority(authority, &a);
	if (slice_to_u64(a.port, &number))
		return number;
	return slice_eq_nocase(scheme, SLICE("https")) ? 443 : 80;
}

bool
uri_authority_same(struct slice a, struct slice b, struct slice scheme)
{
	return slice_eq_nocase(uri_host(a), uri_host(b)) &&
	       port_of(a, scheme) == port_of(b, scheme);
}

/* Visible ASCII but '#', which no target holds (RFC 9112 3.2). */
static bool
is_target(struct slice s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.at[i] < 0x21 || s.at[i] > 0x7e || s.at[i] == '#')
			return false;
	return s.len > 0;
}

static void
set_target(struct head *head, struct slice target)
{
	size_t mark = slice_find(target, '?', 0);

	head->target = target;
	head->path = (struct slice){target.at, mark};
	if (mark < target.len)
		head->query =
		    (struct slice){target.at + mark + 1, target.len - mark - 1};
}

/* RFC 9112 3.2.3: host and port, both of them. */
static enum reason
read_authority_form(struct slice raw, struct head *head)
{
	struct authority a;

	if (!uri_authority_valid(raw))
		return REASON_MALFORMED_HOST;
	split_authority(raw, &a);
	if (a.port.len == 0)
		return REASON_MALFORMED_TARGET;
	head->target = raw;
	head->path = (struct slice){raw.at, 0};
	return REASON_NONE;
}

/* The bytes before "://", if they are a scheme that is carried here. */
static struct slice
scheme_of(struct slice raw)
{
	static const struct slice schemes[] = {{"http", 4}, {"https", 5}};
	struct slice scheme, rest;
	size_t i;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		scheme = (struct slice){raw.at, schemes[i].len};
		if (raw.len <= scheme.len)
			break;
		rest =
		    (struct slice){raw.at + scheme.len, raw.len - scheme.len};
		if (slice_eq_nocase(scheme, schemes[i]) &&
		    slice_starts(rest, SLICE("://")))
			return scheme;
	}
	return SLICE_NONE;
}

/* RFC 9112 3.2.2; OPTIONS without a path asks for the server (3.2.4). */
static enum reason
read_absolute_form(struct slice raw, struct slice method, struct head *head)
{
	struct slice scheme = scheme_of(raw), rest;
	size_t start = scheme.len + 3, slash, mark;

	if (scheme.len == 0)
		return REASON_MALFORMED_TARGET;
	rest = (struct slice){raw.at + start, raw.len - start};
	slash = slice_find(rest, '/', 0);
	mark = slice_find(rest, '?', 0);
	head->form = TARGET_ABSOLUTE;
	head->scheme = scheme;
	head->authority = (struct slice){rest.at, slash < mark ? slash : mark};
	if (!uri_authority_valid(head->authority))
		return REASON_MALFORMED_HOST;
	if (mark < slash)
		return REASON_MALFORMED_TARGET;
	if (slash < rest.len) {
		set_target(
		    head, (struct slice){rest.at + slash, rest.len - slash});
	} else if (slice_eq(method, SLICE("OPTIONS"))) {
		head->form = TARGET_ASTERISK;
		set_target(head, SLICE("*"));
	} else {
		set_target(head, SLICE("/"));
	}
	return REASON_NONE;
}

enum reason
uri_target(struct slice raw, struct slice method, struct head *head)
{
	head->form = TARGET_ORIGIN;
	head->scheme = head->authority = SLICE_NONE;
	head->target = head->path = head->query = SLICE_NONE;
	if (!is_target(raw))
		return REASON_MALFORMED_TARGET;
	if (slice_eq(method, SLICE("CONNECT")))
		return read_authority_form(raw, head);
	if (slice_eq(raw, SLICE("*")))
		head->form = TARGET_ASTERISK;
	else if (raw.at[0] != '/')
		return read_absolute_form(raw, method, head);
	set_target(head, raw);
	return REASON_NONE;
}
