/* SPDX-License-Identifier: ISC */
/* The gate's own responses: fields, form by Accept, and bodies in which nothing
 * of the client's stands unescaped or unbounded. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "answer.h"
#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BIT(id) ((method_set)1 << METHOD_##id)
#define NOW 784111777 /* the example of RFC 9110 5.6.7 */

static struct arena arena;
static struct gate_config gate;
static struct site site;
static struct location_rules location;
static struct field accept_field;
static struct head request;
static struct answer_facts facts;
/* of the last answer */
static struct head head;
static struct slice body;

static void
set_up(void)
{
	arena_init(&arena, NULL);
	gate = (struct gate_config){.request_id_header = SLICE("X-Request-Id")};
	site = (struct site){.rules = {.own = {1, {SLICE("PURGE")}}},
	    .via = SLICE("edge"),
	    .error_cache = ERROR_CACHE_NO_STORE,
	    .error_format = ERROR_FORMAT_AUTO};
	location = (struct location_rules){.pattern = SLICE("/api")};
	request = (struct head){.method = SLICE("DELETE"),
	    .authority = SLICE("app.example"),
	    .target = SLICE("/api/x?y=1"),
	    .minor = 1};
	facts = (struct answer_facts){.reason = REASON_METHOD_NOT_ALLOWED,
	    .status = 405,
	    .head = &request,
	    .site = &site.rules,
	    .location = &location,
	    .allow = BIT(GET) | BIT(HEAD),
	    .has_allow = true,
	    .request_id = SLICE("id-1"),
	    .gate = &gate,
	    .now = NOW};
}

static void
tear_down(void)
{
	arena_done(&arena);
}

static void
build(void)
{
	unsigned i;

	memset(&head, 0x5a, sizeof(head));
	answer_build(&facts, &arena, &head, &body);
	ck_assert_int_eq(head.status, facts.status);
	ck_assert_uint_eq(head.minor, 1);
	for (i = 0; i < head.field_count; i++) {
		ck_assert_int_eq(
		    head.fields[i].id, field_find(head.fields[i].name));
		ck_assert(is_token(head.fields[i].name));
		ck_assert(is_field_value(head.fields[i].value));
	}
}

/* An answer to another reason, with the status that it has. */
static void
build_for(enum reason reason)
{
	facts.reason = reason;
	facts.status = reason_status(reason);
	facts.has_allow = reason == REASON_METHOD_NOT_ALLOWED ||
			  reason == REASON_OPTIONS_ANSWERED;
	build();
}

static void
accept_of(const char *value)
{
	accept_field =
	    (struct field){SLICE("Accept"), slice_of(value), FIELD_ACCEPT};
	request.fields = &accept_field;
	request.field_count = value[0] != '\0';
}

static void
build_as(const char *accept)
{
	accept_of(accept);
	build();
}

/* The value of the one field with the name, or "-". */
static const char *
value(const char *name)
{
	static char out[4096];
	unsigned i, count = 0;

	snprintf(out, sizeof(out), "-");
	for (i = 0; i < head.field_count; i++)
		if (slice_eq_nocase(head.fields[i].name, slice_of(name))) {
			snprintf(out, sizeof(out), "%.*s",
			    SLICE_ARG(head.fields[i].value));
			count++;
		}
	ck_assert_uint_le(count, 1);
	return out;
}

static void
expect_body(const char *wanted)
{
	ck_assert_msg(slice_eq(body, slice_of(wanted)), "%.*s\nwanted %s",
	    SLICE_ARG(body), wanted);
}

static bool
body_has(const char *text)
{
	return memmem(body.at, body.len, text, strlen(text)) != NULL;
}

START_TEST(a_405_tells_all_as_problem_details)
{
	build_as("application/json");
	ck_assert_int_eq(head.status, 405);
	ck_assert(slice_eq(head.phrase, SLICE("Method Not Allowed")));
	ck_assert_str_eq(value("Date"), "Sun, 06 Nov 1994 08:49:37 GMT");
	ck_assert_str_eq(value("Server"), "methodgate");
	ck_assert_str_eq(value("Content-Type"), "application/problem+json");
	ck_assert_str_eq(value("X-Content-Type-Options"), "nosniff");
	ck_assert_str_eq(value("Allow"), "GET, HEAD");
	ck_assert_str_eq(value("Cache-Control"), "no-store");
	ck_assert_str_eq(value("Vary"), "Accept");
	ck_assert_str_eq(value("Proxy-Status"),
	    "edge; error=http_request_error; details=\"method_not_allowed\"");
	ck_assert_str_eq(value("X-Request-Id"), "id-1");
	ck_assert_str_eq(value("Content-Length"), "-");
	ck_assert_str_eq(value("Retry-After"), "-");
	expect_body("{\"type\":\"about:blank\",\"title\":\"Method Not Allowed\""
		    ",\"status\":405,\"detail\":\"This resource does not take "
		    "this method\",\"method\":\"DELETE\",\"location\":\"/api\""
		    ",\"allow\":[\"GET\",\"HEAD\"],"
		    "\"reason\":\"method_not_allowed\","
		    "\"request_id\":\"id-1\"}\n");
}
END_TEST

START_TEST(a_405_in_plain_text)
{
	build();
	ck_assert_str_eq(value("Content-Type"), "text/plain; charset=utf-8");
	ck_assert_str_eq(value("Vary"), "Accept");
	expect_body("405 Method Not Allowed\n"
		    "This resource does not take this method.\n\n"
		    "Method: DELETE\nTarget: /api/x?y=1\nLocation: /api\n"
		    "Allowed: GET, HEAD\nReason: method_not_allowed\n"
		    "Request id: id-1\n");
}
END_TEST

START_TEST(a_405_as_a_page)
{
	build_as("text/html");
	ck_assert_str_eq(value("Content-Type"), "text/html; charset=utf-8");
	ck_assert(slice_starts(body, SLICE("<!DOCTYPE html>\n<html lang=")));
	ck_assert(body_has("<title>405 Method Not Allowed</title>"));
	ck_assert(body_has("<h1>405 Method Not Allowed</h1>\n"
			   "<p>This resource does not take this method.</p>"));
	ck_assert(body_has("<dt>Method</dt><dd><code>DELETE</code></dd>\n"
			   "<dt>Target</dt><dd><code>/api/x?y=1</code></dd>\n"
			   "<dt>Location</dt><dd><code>/api</code></dd>\n"
			   "<dt>Allowed</dt><dd><code>GET, HEAD</code></dd>\n"
			   "<dt>Reason</dt><dd><code>method_not_allowed</code>"
			   "</dd>\n"
			   "<dt>Request id</dt><dd><code>id-1</code></dd>\n"
			   "</dl>\n</body>\n</html>\n"));
	ck_assert(!body_has("<script"));
}
END_TEST

START_TEST(what_is_unknown_is_left_out)
{
	request = (struct head){.minor = 0};
	facts.site = NULL;
	facts.location = NULL;
	facts.request_id = SLICE_NONE;
	build_for(REASON_MALFORMED_REQUEST_LINE);
	ck_assert_str_eq(value("Allow"), "-");
	ck_assert_str_eq(value("X-Request-Id"), "-");
	ck_assert_str_eq(value("Cache-Control"), "no-store");
	ck_assert_str_eq(value("Proxy-Status"),
	    "methodgate; error=http_request_error; "
	    "details=\"malformed.request_line\"");
	expect_body("400 Bad Request\n"
		    "The request line is not method, target and version with "
		    "one space between.\n\nReason: malformed.request_line\n");
	accept_of("application/json");
	build();
	expect_body(
	    "{\"type\":\"about:blank\",\"title\":\"Bad Request\","
	    "\"status\":400,\"detail\":\"The request line is not method, "
	    "target and version with one space between\","
	    "\"reason\":\"malformed.request_line\"}\n");
}
END_TEST

START_TEST(a_405_always_has_allow)
{
	facts.has_allow = false;
	facts.allow = 0;
	build_as("application/json");
	ck_assert_str_eq(value("Allow"), "");
	ck_assert(body_has("\"allow\":[]"));
	build_as("");
	ck_assert(body_has("Allowed: (none)\n"));
	facts.allow = BIT(POST) | BIT(GET) | BIT(PROPFIND) |
		      ((method_set)1 << METHOD_REGISTERED);
	build_as("application/json");
	ck_assert_str_eq(value("Allow"), "GET, POST, PROPFIND, PURGE");
	ck_assert(
	    body_has("\"allow\":[\"GET\",\"POST\",\"PROPFIND\",\"PURGE\"]"));
	build_for(REASON_METHOD_UNSUPPORTED);
	ck_assert_str_eq(value("Allow"), "-");
	ck_assert(!body_has("allow"));
}
END_TEST

START_TEST(accept_chooses_the_form)
{
	static const struct {
		const char *accept;
		char form; /* of j, h, t */
	} rows[] = {
	    {"", 't'},
	    {"*/*", 't'},
	    {"application/json", 'j'},
	    {"APPLICATION/Problem+JSON", 'j'},
	    {"application/vnd.api+json", 'j'},
	    {"application/*", 'j'},
	    {"text/html", 'h'},
	    {"text/*", 't'},
	    {"text/plain", 't'},
	    {"image/png", 't'},
	    /* browsers, axios, jQuery, HttpURLConnection */
	    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		'h'},
	    {"application/json, text/plain, */*", 'j'},
	    {"application/json, text/javascript, */*; q=0.01", 'j'},
	    {"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", 'h'},
	    /* ties */
	    {"text/html, application/json", 'j'},
	    {"text/plain, text/html", 'h'},
	    {"*/*, application/*", 'j'},
	    {"*/*, text/*", 't'},
	    /* weights */
	    {"text/html;q=0.5, application/json;q=0.4", 'h'},
	    {"text/html;q=0.4, application/json;q=0.401", 'j'},
	    {"application/json;q=0.9, text/plain", 't'},
	    {"application/json;Q=0.1;x=y, text/html;level=1 ; q=0.2", 'h'},
	    {"*/*;q=0.1, text/html;q=0.05", 't'},
	    {"*/*;q=0.5, text/html;q=0.499", 't'},
	    {"text/html;q=0, */*", 't'},
	    {"text/html;q=0", 't'},
	    {"text/html;q=0.000, text/plain;q=0.001", 't'},
	    {"*/*, text/plain;q=0", 'j'},
	    {"*/*, text/plain;q=0, application/json;q=0", 'h'},
	    {"*/*, text/*;q=0, application/*;q=0", 't'},
	    {"application/json;q=0.2, application/json;q=1, text/html;q=0.5",
		'j'},
	    {"application/json;q=1.000, text/html;q=0.999", 'j'},
	    /* no weights: such a range counts for nothing */
	    {"application/json;q=1.001, text/html;q=0.1", 'h'},
	    {"application/json;q=2, text/html;q=0.1", 'h'},
	    {"application/json;q=, text/html;q=0.1", 'h'},
	    {"application/json;q=0.1234, text/html;q=0.1", 'h'},
	    {"application/json;q=0x9, text/html;q=0.1", 'h'},
	    {"application/json;q=-1, text/html;q=0.1", 'h'},
	    {"application/json;q=0.x, text/html;q=0.1", 'h'},
	    {"application/json;q=0,5, text/html;q=0.1", 'h'},
	    /* no media ranges */
	    {",;,;q=1,=,/", 't'},
	    {"+json", 't'},
	    {"xtext/html", 't'},
	    {"text/htmlx", 't'},
	    {"text/html/", 't'},
	    {"*/html", 't'},
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct guarded g =
		    guard_bytes(rows[i].accept, strlen(rows[i].accept));
		const char *wanted =
		    rows[i].form == 'j'	  ? "application/problem+json"
		    : rows[i].form == 'h' ? "text/html; charset=utf-8"
					  : "text/plain; charset=utf-8";

		accept_of(rows[i].accept);
		accept_field.value.at = g.at;
		build();
		guard_free(&g);
		ck_assert_msg(strcmp(value("Content-Type"), wanted) == 0,
		    "%s gave %s", rows[i].accept, value("Content-Type"));
		ck_assert_str_eq(value("Vary"), "Accept");
	}
}
END_TEST

START_TEST(several_accept_lines_are_one_list)
{
	struct field fields[] = {
	    {SLICE("Accept"), SLICE("text/html;q=0.3"), FIELD_ACCEPT},
	    {SLICE("X"), SLICE("text/html"), FIELD_OTHER},
	    {SLICE("Accept"), SLICE("application/json;q=0.4"), FIELD_ACCEPT}};

	request.fields = fields;
	request.field_count = COUNT(fields);
	build();
	ck_assert_str_eq(value("Content-Type"), "application/problem+json");
}
END_TEST

START_TEST(sixty_four_ranges_of_accept_are_looked_at)
{
	char accept[512];
	unsigned before;
	size_t len;

	for (before = 62; before <= 65; before++) {
		for (len = 0; len < 2 * (size_t)before; len += 2)
			memcpy(accept + len, "a,", 2);
		snprintf(accept + len, sizeof(accept) - len, "text/html");
		build_as(accept);
		ck_assert_str_eq(value("Content-Type"),
		    before < 64 ? "text/html; charset=utf-8"
				: "text/plain; charset=utf-8");
	}
}
END_TEST

START_TEST(a_site_may_fix_the_form)
{
	static const struct {
		enum error_format format;
		const char *type;
	} rows[] = {
	    {ERROR_FORMAT_HTML, "text/html; charset=utf-8"},
	    {ERROR_FORMAT_JSON, "application/problem+json"},
	    {ERROR_FORMAT_TEXT, "text/plain; charset=utf-8"},
	};
	static const char *const accepts[] = {
	    "", "text/html", "application/json", "text/plain"};
	size_t i, j;

	for (i = 0; i < COUNT(rows); i++)
		for (j = 0; j < COUNT(accepts); j++) {
			site.error_format = rows[i].format;
			build_as(accepts[j]);
			ck_assert_str_eq(value("Content-Type"), rows[i].type);
			ck_assert_str_eq(value("Vary"), "-");
		}
}
END_TEST

START_TEST(head_gets_the_fields_without_the_body)
{
	static const char *const accepts[] = {
	    "", "text/html", "application/json"};
	char wanted[32];
	size_t i;

	for (i = 0; i < COUNT(accepts); i++) {
		/* of the same length, as the body names the method */
		request.method = SLICE("head");
		build_as(accepts[i]);
		snprintf(wanted, sizeof(wanted), "%zu", body.len);
		ck_assert_uint_gt(body.len, 0);
		ck_assert_str_eq(value("Content-Length"), "-");
		request.method = SLICE("HEAD");
		build();
		ck_assert_uint_eq(body.len, 0);
		ck_assert_str_eq(value("Content-Length"), wanted);
		ck_assert_str_ne(value("Content-Type"), "-");
	}
}
END_TEST

START_TEST(options_is_answered_without_a_body)
{
	facts.allow = BIT(GET) | BIT(HEAD) | BIT(OPTIONS);
	request.method = SLICE("OPTIONS");
	build_for(REASON_OPTIONS_ANSWERED);
	ck_assert_int_eq(head.status, 204);
	ck_assert_str_eq(value("Allow"), "GET, HEAD, OPTIONS");
	ck_assert_str_eq(value("Content-Type"), "-");
	ck_assert_str_eq(value("Content-Length"), "-");
	ck_assert_str_eq(value("Cache-Control"), "-");
	ck_assert_str_eq(value("Vary"), "-");
	ck_assert_str_eq(value("Proxy-Status"),
	    "edge; error=proxy_internal_response; details=\"options\"");
	ck_assert_uint_eq(body.len, 0);
	request.method = SLICE("HEAD");
	build();
	ck_assert_str_eq(value("Content-Length"), "-");
}
END_TEST

START_TEST(ping_says_ok)
{
	facts.site = NULL;
	facts.location = NULL;
	request.method = SLICE("GET");
	accept_of("application/json");
	build_for(REASON_PING);
	ck_assert_int_eq(head.status, 200);
	ck_assert_str_eq(value("Content-Type"), "text/plain; charset=utf-8");
	ck_assert_str_eq(value("Cache-Control"), "no-store");
	ck_assert_str_eq(value("Vary"), "-");
	expect_body("ok\n");
	request.method = SLICE("HEAD");
	build();
	ck_assert_uint_eq(body.len, 0);
	ck_assert_str_eq(value("Content-Length"), "3");
}
END_TEST

START_TEST(only_what_caches_keep_anyway_follows_error_cache)
{
	static const enum reason kept[] = {REASON_METHOD_NOT_ALLOWED,
	    REASON_METHOD_UNKNOWN, REASON_NO_LOCATION, REASON_TARGET_TOO_LARGE};
	static const enum reason never[] = {REASON_MALFORMED_HOST,
	    REASON_UPSTREAM_REFUSED, REASON_UPSTREAM_TIMEOUT,
	    REASON_TOO_MANY_CONNECTIONS, REASON_LOOP, REASON_UNKNOWN_HOST,
	    REASON_BODY_TOO_LARGE};
	size_t i;

	for (i = 0; i < COUNT(kept); i++) {
		site.error_cache = ERROR_CACHE_NO_STORE;
		build_for(kept[i]);
		ck_assert_str_eq(value("Cache-Control"), "no-store");
		site.error_cache = ERROR_CACHE_HEURISTIC;
		build_for(kept[i]);
		ck_assert_str_eq(value("Cache-Control"), "-");
		site.error_cache = ERROR_CACHE_MAX_AGE;
		site.error_max_age = 4294967295u;
		build_for(kept[i]);
		ck_assert_str_eq(value("Cache-Control"), "max-age=4294967295");
	}
	for (i = 0; i < COUNT(never); i++) {
		build_for(never[i]);
		ck_assert_str_eq(value("Cache-Control"), "no-store");
	}
}
END_TEST

START_TEST(proxy_status_names_the_kind_of_error)
{
	static const struct {
		enum reason reason;
		const char *error;
	} rows[] = {
	    {REASON_MALFORMED_HOST, "http_request_error"},
	    {REASON_TARGET_TOO_LARGE, "http_request_error"},
	    {REASON_TRANSFER_CODING, "http_request_error"},
	    {REASON_UNKNOWN_HOST, "http_request_error"},
	    {REASON_METHOD_UNKNOWN, "http_request_error"},
	    {REASON_NO_LOCATION, "http_request_error"},
	    {REASON_CLIENT_BODY_TIMEOUT, "http_request_error"},
	    {REASON_PATH_AMBIGUOUS, "http_request_error"},
	    {REASON_BODY_ON_GET, "http_request_error"},
	    {REASON_OVERRIDE_UNREADABLE, "http_request_error"},
	    {REASON_OVERRIDE_NOT_ALLOWED, "http_request_denied"},
	    {REASON_OVERRIDE_CONFLICT, "http_request_denied"},
	    {REASON_DESTINATION_NOT_ALLOWED, "http_request_denied"},
	    {REASON_SUBTREE_NOT_ALLOWED, "http_request_denied"},
	    {REASON_LOOP, "proxy_loop_detected"},
	    {REASON_TOO_MANY_CONNECTIONS, "connection_limit_reached"},
	    {REASON_UPSTREAM_REFUSED, "connection_refused"},
	    {REASON_UPSTREAM_CONNECT_TIMEOUT, "connection_timeout"},
	    {REASON_UPSTREAM_TIMEOUT, "http_response_timeout"},
	    {REASON_UPSTREAM_CLOSED, "connection_terminated"},
	    {REASON_UPSTREAM_MALFORMED, "http_protocol_error"},
	    {REASON_UPSTREAM_HEAD_TOO_LARGE,
		"http_response_header_section_size"},
	};
	char wanted[256];
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		snprintf(wanted, sizeof(wanted),
		    "edge; error=%s; details=\"%s\"", rows[i].error,
		    reason_word(rows[i].reason));
		build_for(rows[i].reason);
		ck_assert_str_eq(value("Proxy-Status"), wanted);
	}
	facts.status = 403;
	facts.reason = REASON_METHOD_CASE;
	site.via = SLICE("1st");
	build();
	ck_assert_str_eq(value("Proxy-Status"),
	    "\"1st\"; error=http_request_denied; details=\"method_case\"");
}
END_TEST

START_TEST(every_reason_with_a_status_can_be_answered)
{
	static const char *const accepts[] = {
	    "text/plain", "text/html", "application/json"};
	char status[8];
	size_t i;
	int reason;

	for (reason = 0; reason < REASON_COUNT; reason++)
		for (i = 0; i < COUNT(accepts); i++) {
			if (reason_status((enum reason)reason) == 0)
				continue;
			accept_of(accepts[i]);
			build_for((enum reason)reason);
			ck_assert_uint_gt(head.phrase.len, 0);
			ck_assert_str_eq(value("Retry-After"),
			    head.status == 429 || head.status == 503 ? "1"
								     : "-");
			snprintf(status, sizeof(status), "%d", head.status);
			ck_assert(head.status < 400 || body_has(status));
		}
}
END_TEST

START_TEST(dates_are_right_whatever_the_locale)
{
	static const struct {
		time_t now;
		const char *text;
	} rows[] = {
	    {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
	    {-1, "Thu, 01 Jan 1970 00:00:00 GMT"},
	    {951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},
	    {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
	    {951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},
	    {1798761599, "Thu, 31 Dec 2026 23:59:59 GMT"},
	    {1798761600, "Fri, 01 Jan 2027 00:00:00 GMT"},
	    {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
	    {4107542399, "Sun, 28 Feb 2100 23:59:59 GMT"},
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		facts.now = rows[i].now;
		build();
		ck_assert_str_eq(value("Date"), rows[i].text);
	}
}
END_TEST

START_TEST(days_of_three_centuries_have_their_dates)
{
	char wanted[64];
	struct tm tm;
	time_t day;

	/* steps of 31 days meet all weekdays and months */
	for (day = 0; day < 330 * (time_t)366; day += 31) {
		facts.now = day * 86400 + day % 86400;
		gmtime_r(&facts.now, &tm);
		strftime(
		    wanted, sizeof(wanted), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		build_for(REASON_OPTIONS_ANSWERED);
		ck_assert_str_eq(value("Date"), wanted);
		arena_done(&arena);
	}
}
END_TEST

/* Bytes of every kind, as much as is never shown. */
static struct guarded
hostile(struct slice *s, size_t len)
{
	struct guarded g;
	char *bytes = malloc(len);
	size_t i;

	for (i = 0; i < len; i++)
		bytes[i] = (char)(i * 7);
	g = guard_bytes(bytes, len);
	free(bytes);
	*s = (struct slice){g.at, len};
	return g;
}

START_TEST(no_byte_of_the_clients_gets_out_raw)
{
	static const char *const accepts[] = {
	    "text/plain", "text/html", "application/json"};
	struct guarded method = hostile(&request.method, 5000);
	struct guarded target = hostile(&request.target, 5000);
	struct guarded id = hostile(&facts.request_id, 5000);
	size_t i, j;

	gate.request_id_header = SLICE_NONE; /* origin lets no such id in */
	facts.allow = ~(method_set)0;
	for (i = 0; i < COUNT(accepts); i++) {
		build_as(accepts[i]);
		for (j = 0; j < body.len; j++)
			ck_assert(body.at[j] == '\n' ||
				  (body.at[j] >= ' ' && body.at[j] < 0x7f));
		ck_assert_uint_lt(body.len, 8192);
		ck_assert(body_has("...")); /* cut */
		ck_assert_int_eq(body.at[body.len - 1], '\n');
	}
	guard_free(&method);
	guard_free(&target);
	guard_free(&id);
}
END_TEST

START_TEST(markup_is_escaped)
{
	request.method = SLICE("<b>'&\"");
	request.target = SLICE("/\"><script>alert('x')</script>&amp;");
	location.pattern = SLICE("/<i>");
	build_as("text/html");
	ck_assert(body_has("<code>&lt;b&gt;&#39;&amp;&quot;</code>"));
	ck_assert(body_has("<code>/&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)"
			   "&lt;/script&gt;&amp;amp;</code>"));
	ck_assert(body_has("<code>/&lt;i&gt;</code>"));
	ck_assert(!body_has("<script>"));
	request.method = SLICE("\",\"x\":\"\\\n");
	build_as("application/json");
	ck_assert(body_has("\"method\":\"\\\",\\\"x\\\":\\\"\\\\\\u000a\""));
	request.method = SLICE("A\r\nB\xff");
	build_as("text/plain");
	ck_assert(body_has("Method: A??B?\n"));
}
END_TEST

START_TEST(a_method_is_cut_at_64_bytes_and_a_target_at_256)
{
	char text[300];
	char wanted[400];

	memset(text, 'A', sizeof(text));
	request.method = (struct slice){text, 64};
	request.target = (struct slice){text, 256};
	build();
	snprintf(wanted, sizeof(wanted), "Method: %.64s\nTarget: %.256s\n",
	    text, text);
	ck_assert(body_has(wanted));
	request.method.len++;
	request.target.len++;
	build();
	snprintf(wanted, sizeof(wanted),
	    "Method: %.64s...\nTarget: %.256s...\n", text, text);
	ck_assert(body_has(wanted));
}
END_TEST

START_TEST(the_longest_page_is_whole)
{
	struct slice name = SLICE("&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&");
	struct method_names *own = &site.rules.own;
	char text[300];

	for (own->count = 0; METHOD_REGISTERED + own->count < METHOD_MAX;)
		own->name[own->count++] = name;
	memset(text, '"', sizeof(text));
	request.method = request.target = location.pattern = facts.request_id =
	    (struct slice){text, sizeof(text)};
	facts.allow = ~(method_set)0;
	build_as("text/html");
	ck_assert(body_has("</dl>\n</body>\n</html>\n"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("answer");
	TCase *tcase = tcase_create("answer");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_405_tells_all_as_problem_details);
	tcase_add_test(tcase, a_405_in_plain_text);
	tcase_add_test(tcase, a_405_as_a_page);
	tcase_add_test(tcase, what_is_unknown_is_left_out);
	tcase_add_test(tcase, a_405_always_has_allow);
	tcase_add_test(tcase, accept_chooses_the_form);
	tcase_add_test(tcase, several_accept_lines_are_one_list);
	tcase_add_test(tcase, sixty_four_ranges_of_accept_are_looked_at);
	tcase_add_test(tcase, a_site_may_fix_the_form);
	tcase_add_test(tcase, head_gets_the_fields_without_the_body);
	tcase_add_test(tcase, options_is_answered_without_a_body);
	tcase_add_test(tcase, ping_says_ok);
	tcase_add_test(tcase, only_what_caches_keep_anyway_follows_error_cache);
	tcase_add_test(tcase, proxy_status_names_the_kind_of_error);
	tcase_add_test(tcase, every_reason_with_a_status_can_be_answered);
	tcase_add_test(tcase, dates_are_right_whatever_the_locale);
	tcase_add_test(tcase, days_of_three_centuries_have_their_dates);
	tcase_add_test(tcase, no_byte_of_the_clients_gets_out_raw);
	tcase_add_test(tcase, markup_is_escaped);
	tcase_add_test(tcase, a_method_is_cut_at_64_bytes_and_a_target_at_256);
	tcase_add_test(tcase, the_longest_page_is_whole);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
