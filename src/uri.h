/* SPDX-License-Identifier: ISC */
/* uri: request targets and authorities, split and checked, never changed. */
#ifndef URI_H
#define URI_H

#include <stdbool.h>

#include "http.h"
#include "reason.h"

/* Splits a request target (RFC 9112 3.2) into head->form, scheme, authority
 * (absolute-form only), target, path, query. Only visible ASCII, no '#'.
 * origin-form, absolute-form of http and https, "*". authority-form (CONNECT)
 * gives form ORIGIN with path empty; only for method CONNECT, which has no
 * other, so that policy can refuse it. An empty path of absolute-form becomes
 * "/"; for OPTIONS without path and query "*", with form ASTERISK and scheme
 * and authority set (RFC 9112 3.2.4); otherwise target points into raw. The
 * path of "*" is "*".
 * An absolute-form target whose path is empty but has a query: the arena-free
 * way is to refuse it as REASON_MALFORMED_TARGET.
 * Returns REASON_NONE, MALFORMED_TARGET or MALFORMED_HOST (bad authority,
 * userinfo). */
enum reason uri_target(
    struct slice raw, struct slice method, struct head *head);
/* host [":" port] as Host may hold it: reg-name of unreserved, pct-encoded-free
 * ASCII letters, digits, "-", ".", "_", IPv4, or "[IPv6]" without zone; labels
 * are not empty, but a dot may end the name. Port of digits, at most five and
 * at most 65535, may be empty. No userinfo. */
bool uri_authority_valid(struct slice authority);
/* The host part, without port and trailing dot; IPv6 keeps its brackets. */
struct slice uri_host(struct slice authority);
/* True when two authorities name the same host and port (case, trailing dot
 * and the scheme's default port ignored). */
bool uri_authority_same(struct slice a, struct slice b, struct slice scheme);

#endif
