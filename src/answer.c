/* SPDX-License-Identifier: ISC */
/* answer: what the gate says itself, in the form that the client asks for.
 * Whatever of it came from the client is escaped and cut. */
#include "answer.h"

#include <assert.h>
#include <inttypes.h>

#include "uri.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FIELDS_MAX 12u
#define RANGES_MAX 64u /* media ranges of Accept that are looked at */

/* The most that is shown, in bytes before they are escaped. */
#define METHOD_SHOWN 64u
#define TARGET_SHOWN 256u
#define LOCATION_SHOWN 256u
#define ID_SHOWN 128u
#define ESCAPED(n) (6u * (n) + 4u) /* \u00XX, &quot; and "..." */
#define MARKUP_MAX 2048u	   /* what is there whatever the facts */
#define BODY_MAX                                                               \
	(MARKUP_MAX + ESCAPED(METHOD_SHOWN + TARGET_SHOWN + LOCATION_SHOWN +   \
			      ID_SHOWN + METHOD_LIST_MAX))

enum form { FORM_TEXT, FORM_JSON, FORM_HTML, FORM_COUNT };

/* A body being written: it stops at its end, though BODY_MAX suffices. */
struct text {
	size_t len;
	char at[BODY_MAX];
};

struct answer {
	const struct answer_facts *facts;
	const struct site *site; /* NULL: none known */
	struct slice allow;	 /* as in Allow */
	bool has_allow, is_ping, has_content;
	enum form form;
	bool negotiated; /* Accept had a say in the form */
	bool is_head;
};

static void judge(
    const struct answer_facts *facts, struct arena *arena, struct answer *out);
static void write_body(const struct answer *answer, struct text *text);
static void add_content_fields(const struct answer *answer, struct slice body,
    struct arena *arena, struct head *head);
static void add_fields(
    const struct answer *answer, struct arena *arena, struct head *head);

void
answer_build(const struct answer_facts *facts, struct arena *arena,
    struct head *head, struct slice *body)
{
	struct answer answer;
	struct text text;

	judge(facts, arena, &answer);
	text.len = 0;
	if (answer.has_content)
		write_body(&answer, &text);
	*body = arena_copy(arena, (struct slice){text.at, text.len});
	*head = (struct head){.status = facts->status,
	    .phrase = slice_of(status_phrase(facts->status)),
	    .minor = 1,
	    .fields = arena_alloc(arena, FIELDS_MAX * sizeof(struct field))};
	add_fields(&answer, arena, head);
	if (answer.has_content)
		add_content_fields(&answer, *body, arena, head);
	assert(head->field_count <= FIELDS_MAX);
	if (answer.is_head)
		*body = SLICE_NONE;
}

/* RFC 9110 12.4.2: 0 to 1000, or -1 when it is no weight. */
static int
weight_of(struct slice s)
{
	int weight, unit = 100;

	if (s.len == 0 || s.len > 5 || (s.at[0] != '0' && s.at[0] != '1') ||
	    (s.len > 1 && s.at[1] != '.'))
		return -1;
	weight = s.at[0] == '1' ? 1000 : 0;
	for (size_t i = 2; i < s.len; i++, unit /= 10) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return -1;
		weight += unit * (s.at[i] - '0');
	}
	return weight <= 1000 ? weight : -1;
}

/* Any type in +json is asked for by a program that reads JSON. */
static bool
is_json(struct slice range)
{
	const struct slice suffix = SLICE("+json");

	return slice_eq_nocase(range, SLICE("application/json")) ||
	       (range.len > suffix.len &&
		   slice_eq_nocase(
		       (struct slice){
			   range.at + range.len - suffix.len, suffix.len},
		       suffix));
}

/* How closely a media range means the form: 3 by its name, 2 by its type, 1 as
 * any other, 0 not at all. */
static int
closeness(enum form form, struct slice range)
{
	bool named = false;
	struct slice family = SLICE("text/*");

	if (form == FORM_JSON) {
		named = is_json(range);
		family = SLICE("application/*");
	} else if (form == FORM_HTML) {
		named = slice_eq_nocase(range, SLICE("text/html"));
	} else {
		named = slice_eq_nocase(range, SLICE("text/plain"));
	}
	if (named)
		return 3;
	if (slice_eq_nocase(range, family))
		return 2;
	return slice_eq(range, SLICE("*/*")) ? 1 : 0;
}

struct preference {
	int close, weight;
};

/* RFC 9110 12.5.1: the closest range that means a form gives its weight. */
static void
weigh(struct slice member, struct preference forms[FORM_COUNT])
{
	struct slice range, param;
	int weight = 1000;

	if (!slice_next(&member, ';', &range))
		return;
	while (slice_next(&member, ';', &param))
		if (param.len >= 2 && (param.at[0] | 0x20) == 'q' &&
		    param.at[1] == '=')
			weight = weight_of(
			    (struct slice){param.at + 2, param.len - 2});
	if (weight < 0)
		return;
	for (int form = 0; form < FORM_COUNT; form++) {
		struct preference *have = &forms[form];
		int close = closeness((enum form)form, range);

		if (close > have->close || (close == have->close && close > 0 &&
					       weight > have->weight))
			*have = (struct preference){close, weight};
	}
}

/* The form of the highest weight; then the one that is meant more closely. If
 * that is a tie too: by name JSON, HTML, text, as a client that can read JSON
 * is a program; by wildcard text, so that people with a command line get it.
 * Nothing acceptable, no Accept, or none read yet (a malformed head): text. */
static enum form
negotiate(const struct head *head)
{
	static const int rank_named[FORM_COUNT] = {
	    [FORM_JSON] = 3, [FORM_HTML] = 2, [FORM_TEXT] = 1};
	static const int rank_other[FORM_COUNT] = {
	    [FORM_TEXT] = 3, [FORM_JSON] = 2, [FORM_HTML] = 1};
	struct preference forms[FORM_COUNT] = {{0, 0}};
	enum form best = FORM_TEXT;
	unsigned ranges = 0;
	int best_score = 0;

	for (unsigned i = 0; i < head->field_count; i++) {
		struct slice rest = head->fields[i].value, member;

		if (head->fields[i].id != FIELD_ACCEPT)
			continue;
		while (ranges++ < RANGES_MAX && slice_next(&rest, ',', &member))
			weigh(member, forms);
	}
	for (int form = 0; form < FORM_COUNT; form++) {
		const struct preference *have = &forms[form];
		int score =
		    have->weight * 100 + have->close * 10 +
		    (have->close == 3 ? rank_named[form] : rank_other[form]);

		if (have->weight > 0 && score > best_score) {
			best = (enum form)form;
			best_score = score;
		}
	}
	return best;
}

static void
choose_form(struct answer *answer)
{
	static const enum form configured[] = {[ERROR_FORMAT_HTML] = FORM_HTML,
	    [ERROR_FORMAT_JSON] = FORM_JSON,
	    [ERROR_FORMAT_TEXT] = FORM_TEXT};
	enum error_format format = answer->site != NULL
				       ? answer->site->error_format
				       : ERROR_FORMAT_AUTO;

	if (answer->is_ping || !answer->has_content)
		return;
	answer->negotiated = format == ERROR_FORMAT_AUTO;
	answer->form = answer->negotiated ? negotiate(answer->facts->head)
					  : configured[format];
}

static void
judge(const struct answer_facts *facts, struct arena *arena, struct answer *out)
{
	char list[METHOD_LIST_MAX];

	*out = (struct answer){.facts = facts,
	    .site = facts->site != NULL ? site_of(facts->site) : NULL,
	    .has_allow = facts->has_allow || facts->status == 405,
	    .is_ping = facts->reason == REASON_PING,
	    .has_content = facts->status != 204,
	    .form = FORM_TEXT,
	    .is_head = slice_eq(facts->head->method, SLICE("HEAD"))};
	choose_form(out);
	if (!out->has_allow)
		return;
	out->allow.at = list;
	out->allow.len = method_set_print(facts->allow,
	    facts->site != NULL ? &facts->site->own : NULL, list, sizeof(list));
	out->allow = arena_copy(arena, out->allow);
}

static void
put(struct text *text, struct slice s)
{
	size_t room = sizeof(text->at) - text->len;
	size_t len = s.len < room ? s.len : room;

	if (len > 0)
		memcpy(text->at + text->len, s.at, len);
	text->len += len;
}

static void
puts_to(struct text *text, const char *s)
{
	put(text, slice_of(s));
}

/* "405 Method Not Allowed", the phrase from after on. */
static void
put_status(struct text *text, int status, const char *after)
{
	char digits[3] = {(char)('0' + status / 100 % 10),
	    (char)('0' + status / 10 % 10), (char)('0' + status % 10)};

	put(text, (struct slice){digits, sizeof(digits)});
	puts_to(text, after);
}

/* ,"name":"value" */
static void
put_member(struct text *text, const char *name, struct slice value, size_t max)
{
	char escaped[ESCAPED(LOCATION_SHOWN)];
	size_t len;

	assert(ESCAPED(max) <= sizeof(escaped));
	len = slice_escape_json(escaped, value, max);
	put(text, SLICE(",\""));
	puts_to(text, name);
	put(text, SLICE("\":\""));
	put(text, (struct slice){escaped, len});
	put(text, SLICE("\""));
}

static void
put_allow_member(struct text *text, struct slice allow)
{
	const char *before = "\"";
	struct slice name;

	put(text, SLICE(",\"allow\":["));
	while (slice_next(&allow, ',', &name)) {
		puts_to(text, before);
		put(text, name);
		put(text, SLICE("\""));
		before = ",\"";
	}
	put(text, SLICE("]"));
}

/* RFC 9457 3; location, allow, reason and the like are extension members. */
static void
write_json(const struct answer *answer, struct text *text)
{
	const struct answer_facts *facts = answer->facts;

	put(text, SLICE("{\"type\":\"about:blank\""));
	put_member(text, "title", slice_of(status_phrase(facts->status)),
	    LOCATION_SHOWN);
	put(text, SLICE(",\"status\":"));
	put_status(text, facts->status, "");
	put_member(text, "detail", slice_of(reason_text(facts->reason)),
	    LOCATION_SHOWN);
	if (facts->head->method.len > 0)
		put_member(text, "method", facts->head->method, METHOD_SHOWN);
	if (facts->location != NULL)
		put_member(
		    text, "location", facts->location->pattern, LOCATION_SHOWN);
	if (answer->has_allow)
		put_allow_member(text, answer->allow);
	put_member(text, "reason", slice_of(reason_word(facts->reason)),
	    LOCATION_SHOWN);
	if (facts->request_id.len > 0)
		put_member(text, "request_id", facts->request_id, ID_SHOWN);
	put(text, SLICE("}\n"));
}

enum { ODD = 1, MARKUP = 2 };
/* Bytes that can't stand as they are: anywhere, or in HTML. */
static const unsigned char special[256] = {
    [0 ... 0x1f] = ODD,
    ['&'] = MARKUP,
    ['<'] = MARKUP,
    ['>'] = MARKUP,
    ['"'] = MARKUP,
    ['\''] = MARKUP,
    [0x7f ... 0xff] = ODD,
};

static struct slice
instead_of(char c)
{
	switch (c) {
	case '&':
		return SLICE("&amp;");
	case '<':
		return SLICE("&lt;");
	case '>':
		return SLICE("&gt;");
	case '"':
		return SLICE("&quot;");
	case '\'':
		return SLICE("&#39;");
	default:
		return SLICE("?");
	}
}

/* which: of the kinds of special bytes, those that are not let through. */
static void
put_escaped(struct text *text, struct slice s, size_t max, unsigned which)
{
	size_t shown = s.len < max ? s.len : max, from = 0;

	for (size_t i = 0; i < shown; i++) {
		if ((special[(unsigned char)s.at[i]] & which) == 0)
			continue;
		put(text, (struct slice){s.at + from, i - from});
		put(text, instead_of(s.at[i]));
		from = i + 1;
	}
	put(text, (struct slice){s.at + from, shown - from});
	if (s.len > max)
		put(text, SLICE("..."));
}

typedef void put_row_fn(
    struct text *text, const char *label, struct slice value, size_t max);

static void
put_text_row(
    struct text *text, const char *label, struct slice value, size_t max)
{
	puts_to(text, label);
	put(text, SLICE(": "));
	put_escaped(text, value, max, ODD);
	put(text, SLICE("\n"));
}

static void
put_html_row(
    struct text *text, const char *label, struct slice value, size_t max)
{
	put(text, SLICE("<dt>"));
	puts_to(text, label);
	put(text, SLICE("</dt><dd><code>"));
	put_escaped(text, value, max, ODD | MARKUP);
	put(text, SLICE("</code></dd>\n"));
}

static void
put_rows(const struct answer *answer, put_row_fn *row, struct text *text)
{
	const struct answer_facts *facts = answer->facts;

	if (facts->head->method.len > 0)
		row(text, "Method", facts->head->method, METHOD_SHOWN);
	if (facts->head->target.len > 0)
		row(text, "Target", facts->head->target, TARGET_SHOWN);
	if (facts->location != NULL)
		row(text, "Location", facts->location->pattern, LOCATION_SHOWN);
	if (answer->has_allow)
		row(text, "Allowed",
		    answer->allow.len > 0 ? answer->allow : SLICE("(none)"),
		    METHOD_LIST_MAX);
	row(text, "Reason", slice_of(reason_word(facts->reason)),
	    LOCATION_SHOWN);
	if (facts->request_id.len > 0)
		row(text, "Request id", facts->request_id, ID_SHOWN);
}

static void
write_text(const struct answer *answer, struct text *text)
{
	int status = answer->facts->status;

	put_status(text, status, " ");
	puts_to(text, status_phrase(status));
	put(text, SLICE("\n"));
	puts_to(text, reason_text(answer->facts->reason));
	put(text, SLICE(".\n\n"));
	put_rows(answer, put_text_row, text);
}

static void
write_html(const struct answer *answer, struct text *text)
{
	int status = answer->facts->status;

	put(text,
	    SLICE("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
		  "<meta charset=\"utf-8\">\n"
		  "<meta name=\"viewport\" content=\"width=device-width\">\n"
		  "<title>"));
	put_status(text, status, " ");
	puts_to(text, status_phrase(status));
	put(text, SLICE("</title>\n<style>\n"
			":root { color-scheme: light dark }\n"
			"body { font: 1rem/1.5 sans-serif; max-width: 40rem; "
			"margin: 4rem auto; padding: 0 1rem }\n"
			"dd { margin: 0 0 .5rem; overflow-wrap: anywhere }\n"
			"</style>\n</head>\n<body>\n<h1>"));
	put_status(text, status, " ");
	puts_to(text, status_phrase(status));
	put(text, SLICE("</h1>\n<p>"));
	put_escaped(text, slice_of(reason_text(answer->facts->reason)),
	    LOCATION_SHOWN, ODD | MARKUP);
	put(text, SLICE(".</p>\n<dl>\n"));
	put_rows(answer, put_html_row, text);
	put(text, SLICE("</dl>\n</body>\n</html>\n"));
}

static void
write_body(const struct answer *answer, struct text *text)
{
	if (answer->is_ping)
		put(text, SLICE("ok\n"));
	else if (answer->form == FORM_JSON)
		write_json(answer, text);
	else if (answer->form == FORM_HTML)
		write_html(answer, text);
	else
		write_text(answer, text);
}

static void
add(struct head *head, enum field_id id, struct slice name, struct slice value)
{
	head->fields[head->field_count++] = (struct field){name, value, id};
}

/* nosniff: the body holds bytes of the client's. */
static void
add_content_fields(const struct answer *answer, struct slice body,
    struct arena *arena, struct head *head)
{
	static const struct slice types[FORM_COUNT] = {
	    [FORM_TEXT] = {"text/plain; charset=utf-8", 25},
	    [FORM_JSON] = {"application/problem+json", 24},
	    [FORM_HTML] = {"text/html; charset=utf-8", 24}};

	add(head, FIELD_CONTENT_TYPE, SLICE("Content-Type"),
	    types[answer->form]);
	add(head, FIELD_OTHER, SLICE("X-Content-Type-Options"),
	    SLICE("nosniff"));
	if (answer->negotiated)
		add(head, FIELD_OTHER, SLICE("Vary"), SLICE("Accept"));
	if (answer->is_head)
		add(head, FIELD_CONTENT_LENGTH, SLICE("Content-Length"),
		    arena_number(arena, body.len));
}

/* What a cache may keep by itself (RFC 9110 15.1) is the operator's choice;
 * that an upstream is down, or a request was malformed, must not last. */
static void
add_cache_control(
    const struct answer *answer, struct arena *arena, struct head *head)
{
	int status = answer->facts->status;
	bool keepable =
	    status == 404 || status == 405 || status == 414 || status == 501;
	enum error_cache cache = ERROR_CACHE_NO_STORE;
	struct slice value = SLICE("no-store");

	if (keepable && answer->site != NULL)
		cache = answer->site->error_cache;
	if (!answer->has_content || cache == ERROR_CACHE_HEURISTIC)
		return;
	if (cache == ERROR_CACHE_MAX_AGE)
		value = arena_printf(
		    arena, "max-age=%" PRIu32, answer->site->error_max_age);
	add(head, FIELD_OTHER, SLICE("Cache-Control"), value);
}

/* RFC 9209 2.3. Refusals without a row are http_request_error, or
 * http_request_denied with 403 and 429. */
static const char *const errors[REASON_COUNT] = {
    [REASON_OPTIONS_ANSWERED] = "proxy_internal_response",
    [REASON_PING] = "proxy_internal_response",
    [REASON_REDIRECT_HTTPS] = "proxy_internal_response",
    [REASON_REDIRECT_HTTPS_301] = "proxy_internal_response",
    [REASON_UPSTREAM_TLS] = "tls_protocol_error",
    [REASON_LOOP] = "proxy_loop_detected",
    [REASON_TOO_MANY_CONNECTIONS] = "connection_limit_reached",
    [REASON_TOO_MANY_OF_CLIENT] = "connection_limit_reached",
    [REASON_UPSTREAM_REFUSED] = "connection_refused",
    [REASON_UPSTREAM_UNAVAILABLE] = "destination_unavailable",
    [REASON_UPSTREAM_BUSY] = "connection_limit_reached",
    [REASON_UPSTREAM_CONNECT_TIMEOUT] = "connection_timeout",
    [REASON_UPSTREAM_TIMEOUT] = "http_response_timeout",
    [REASON_UPSTREAM_CLOSED] = "connection_terminated",
    [REASON_UPSTREAM_MALFORMED] = "http_protocol_error",
    [REASON_UPSTREAM_HEAD_TOO_LARGE] = "http_response_header_section_size",
    [REASON_UPSTREAM_TRUNCATED] = "http_response_incomplete",
    [REASON_UPSTREAM_BODY_TIMEOUT] = "http_response_incomplete",
};

/* methodgate; error=http_request_error; details="method_not_allowed" */
static struct slice
proxy_status(const struct answer *answer, struct arena *arena)
{
	const struct answer_facts *facts = answer->facts;
	const char *error = errors[facts->reason];
	struct slice quote = SLICE("");
	struct slice name = SLICE("methodgate");

	if (answer->site != NULL && answer->site->via.len > 0)
		name = answer->site->via;
	/* A token of RFC 8941 begins with a letter, one of HTTP need not. */
	if ((name.at[0] | 0x20) < 'a' || (name.at[0] | 0x20) > 'z')
		quote = SLICE("\"");
	if (error == NULL && (facts->status == 403 || facts->status == 429))
		error = "http_request_denied";
	else if (error == NULL)
		error = "http_request_error";
	return arena_join(arena,
	    (struct slice[]){quote, name, quote, SLICE("; error="),
		slice_of(error), SLICE("; details=\""),
		slice_of(reason_word(facts->reason)), SLICE("\"")},
	    8);
}

/* The same place by https, byte for byte. */
static struct slice
https_target(const struct answer *answer, struct arena *arena)
{
	const struct head *head = answer->facts->head;
	struct slice host = uri_host(head->authority);
	uint16_t port = answer->site->https_port;

	if (port == 0)
		return arena_printf(arena, "https://%.*s%.*s", SLICE_ARG(host),
		    SLICE_ARG(head->target));
	return arena_printf(arena, "https://%.*s:%u%.*s", SLICE_ARG(host),
	    (unsigned)port, SLICE_ARG(head->target));
}

static void
add_fields(const struct answer *answer, struct arena *arena, struct head *head)
{
	const struct answer_facts *facts = answer->facts;
	struct slice id_header = facts->gate->request_id_header;

	add(head, FIELD_DATE, SLICE("Date"), http_date(facts->now, arena));
	add(head, FIELD_OTHER, SLICE("Server"), SLICE("methodgate"));
	if (answer->has_allow)
		add(head, FIELD_ALLOW, SLICE("Allow"), answer->allow);
	add_cache_control(answer, arena, head);
	if (facts->status == 429 || facts->status == 503)
		add(head, FIELD_OTHER, SLICE("Retry-After"),
		    arena_number(arena,
			facts->retry_after > 0 ? facts->retry_after : 1));
	if (facts->reason == REASON_REDIRECT_HTTPS ||
	    facts->reason == REASON_REDIRECT_HTTPS_301)
		add(head, FIELD_LOCATION, SLICE("Location"),
		    https_target(answer, arena));
	add(head, FIELD_OTHER, SLICE("Proxy-Status"),
	    proxy_status(answer, arena));
	if (id_header.len > 0 && facts->request_id.len > 0)
		add(head, FIELD_OTHER, id_header, facts->request_id);
}
