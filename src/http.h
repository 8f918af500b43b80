/* SPDX-License-Identifier: ISC */
/* http: one message head, whatever version carried it, and how long its body
 * is. Only slices: who made the head says how long its bytes live. */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "mem.h"
#include "slice.h"

/* Fields that the gate itself looks at; the parser names them once.
 * FIELD(id, "lower-case name", class): CLASS_HOP hop-by-hop, never forwarded;
 * CLASS_GATE written by the gate; CLASS_KEEP may not be named by Connection;
 * CLASS_PLAIN just looked at. */
#define HTTP_FIELDS(FIELD)                                                     \
	FIELD(HOST, "host", KEEP)                                              \
	FIELD(CONTENT_LENGTH, "content-length", KEEP)                          \
	FIELD(TRANSFER_ENCODING, "transfer-encoding", HOP)                     \
	FIELD(CONNECTION, "connection", HOP)                                   \
	FIELD(KEEP_ALIVE, "keep-alive", HOP)                                   \
	FIELD(PROXY_CONNECTION, "proxy-connection", HOP)                       \
	FIELD(TE, "te", HOP)                                                   \
	FIELD(TRAILER, "trailer", HOP)                                         \
	FIELD(UPGRADE, "upgrade", HOP)                                         \
	FIELD(HTTP2_SETTINGS, "http2-settings", HOP)                           \
	FIELD(PROXY_AUTHENTICATE, "proxy-authenticate", HOP)                   \
	FIELD(PROXY_AUTHORIZATION, "proxy-authorization", HOP)                 \
	FIELD(PROXY_AUTHENTICATION_INFO, "proxy-authentication-info", HOP)     \
	FIELD(PROXY, "proxy", HOP)                                             \
	FIELD(EXPECT, "expect", HOP)                                           \
	FIELD(AUTHORIZATION, "authorization", KEEP)                            \
	FIELD(COOKIE, "cookie", KEEP)                                          \
	FIELD(X_HTTP_METHOD_OVERRIDE, "x-http-method-override", KEEP)          \
	FIELD(X_HTTP_METHOD, "x-http-method", KEEP)                            \
	FIELD(X_METHOD_OVERRIDE, "x-method-override", KEEP)                    \
	FIELD(X_PAYLOAD_OVERRIDE, "x-payload-http-method-override", KEEP)      \
	FIELD(X_ORIGINAL_URL, "x-original-url", GATE)                          \
	FIELD(X_REWRITE_URL, "x-rewrite-url", GATE)                            \
	FIELD(FORWARDED, "forwarded", GATE)                                    \
	FIELD(X_FORWARDED_FOR, "x-forwarded-for", GATE)                        \
	FIELD(X_FORWARDED_PROTO, "x-forwarded-proto", GATE)                    \
	FIELD(X_FORWARDED_HOST, "x-forwarded-host", GATE)                      \
	FIELD(VIA, "via", GATE)                                                \
	FIELD(ACCEPT, "accept", PLAIN)                                         \
	FIELD(MAX_FORWARDS, "max-forwards", KEEP)                              \
	FIELD(CONTENT_TYPE, "content-type", KEEP)                              \
	FIELD(CONTENT_ENCODING, "content-encoding", KEEP)                      \
	FIELD(ALLOW, "allow", PLAIN)                                           \
	FIELD(LOCATION, "location", PLAIN)                                     \
	FIELD(DATE, "date", PLAIN)                                             \
	FIELD(DESTINATION, "destination", KEEP)                                \
	FIELD(DEPTH, "depth", KEEP)                                            \
	FIELD(REFERER, "referer", PLAIN)                                       \
	FIELD(USER_AGENT, "user-agent", PLAIN)

enum field_id {
	FIELD_OTHER, /* a name that the gate does not look at */
#define FIELD_ROW(id, name, class) FIELD_##id,
	HTTP_FIELDS(FIELD_ROW)
#undef FIELD_ROW
	    FIELD_ID_COUNT
};
enum field_class { CLASS_PLAIN, CLASS_HOP, CLASS_GATE, CLASS_KEEP };

struct field {
	struct slice name, value; /* value without OWS around it */
	enum field_id id;
};

/* Bytes of an Upgrade field that is sent. */
#define HTTP_UPGRADE_MAX 128

enum target_form { TARGET_ORIGIN, TARGET_ABSOLUTE, TARGET_ASTERISK };

struct head {
	/* request */
	struct slice method;
	enum target_form form;
	struct slice scheme; /* of an absolute-form target, else empty */
	struct slice
	    authority; /* Host, or of the target; may be empty in 1.0 */
	struct slice
	    target;	    /* to send on: origin-form, byte for byte, or "*" */
	struct slice path;  /* part of target before '?' */
	struct slice query; /* after '?'; at NULL: no '?' */
	/* response */
	int status; /* 100 to 599; 0 in a request */
	struct slice phrase;
	/* both */
	struct slice raw; /* the bytes that it was read from; may be empty */
	unsigned minor;	  /* HTTP/1.minor: 0 or 1 */
	struct field *fields;
	unsigned field_count;
};

/* TUNNEL: after 101 each side sends bytes until its FIN. */
enum body_kind {
	BODY_NONE,
	BODY_LENGTH,
	BODY_CHUNKED,
	BODY_CLOSE,
	BODY_TUNNEL
};
struct body_plan {
	enum body_kind kind;
	uint64_t length; /* bytes, of BODY_LENGTH, above 0 */
};

enum field_id field_find(struct slice name);
struct slice field_name(enum field_id id); /* lower case; OTHER: empty */
enum field_class field_class_of(enum field_id id);
/* True when both fold to one name as servers make variables of them: case, and
 * every byte that is not alphanumeric as '-' (HTTP_X_FORWARDED_FOR). */
bool field_folds_alike(struct slice name, struct slice other);
/* First field with the id, or NULL. */
const struct field *head_field(const struct head *head, enum field_id id);
/* First field with the name, case folded, or NULL. */
const struct field *head_named(const struct head *head, struct slice name);
unsigned head_count(const struct head *head, enum field_id id);
/* True when some field of the id has the token in its comma list. */
bool head_has_token(const struct head *head, enum field_id id, struct slice t);
/* A copy whose bytes and fields live in the arena; what lies in raw is copied
 * as one. */
void head_copy(struct head *to, const struct head *from, struct arena *arena);
/* IMF-fixdate (RFC 9110 5.6.7), whatever the locale; "Thu, 01 Jan 1970 ...".
 */
struct slice http_date(time_t now, struct arena *arena);
bool is_tchar(unsigned char c);	     /* RFC 9110 5.6.2 */
bool is_token(struct slice s);	     /* one or more tchars */
bool is_field_value(struct slice s); /* no control byte but HTAB */

#endif
