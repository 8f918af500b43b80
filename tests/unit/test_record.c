/* SPDX-License-Identifier: ISC */
/* Access lines byte for byte, under hostile bytes in every field, and what
 * becomes of them when the sink does not take them. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "guard.h"
#include "record.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT(literal)                                                          \
	{                                                                      \
		"" literal, sizeof(literal) - 1                                \
	}

static struct gate_config config;
static struct addr peer;
static const struct site_rules site = {.name = TEXT("shop")};
static const struct location_rules location = {
    .pattern = TEXT("/api"), .file = "sites/shop.ini", .line = 12};

/* 2026-01-02 03:04:05.000006 UTC */
#define MOMENT 1767323045000006

static const struct access forwarded = {
    .began_wall_us = MOMENT,
    .duration_us = 1002003,
    .upstream_us = 999,
    .peer = &peer,
    .client_ip = TEXT("2001:db8::1"),
    .scheme = TEXT("http"),
    .method = TEXT("POST"),
    .authority = TEXT("shop.example.org:8080"),
    .target = TEXT("/api/orders?full=1&me"),
    .minor = 1,
    .known_method = true,
    .status = 201,
    .bytes_in = 17,
    .bytes_out = 18446744073709551615u,
    .flags = FLAG_BIT(FLAG_METHOD_CASE) | FLAG_BIT(FLAG_CRAWLER_501),
    .site = &site,
    .location = &location,
    .upstream = TEXT("app"),
    .server = TEXT("127.0.0.1:8081"),
    .transport = "evhttp",
    .upstream_status = 201,
    .request_id = TEXT("0123abcd"),
    .user_agent = TEXT("curl/8.0"),
    .referer = TEXT("http://shop.example.org/"),
};

static const struct access refused = {
    .began_wall_us = MOMENT,
    .duration_us = 40,
    .method = TEXT("G\"T"),
    .authority = TEXT("[2001:db8::2]:80"),
    .target = TEXT("*"),
    .minor = 0,
    .status = 501,
    .reason = REASON_METHOD_UNKNOWN,
};

/* Of a head that never came. */
static const struct access nothing = {
    .began_wall_us = MOMENT, .reason = REASON_CLIENT_HEAD_TIMEOUT};

static void
set_up(void)
{
	memset(&config, 0, sizeof(config));
	ck_assert(addr_parse(SLICE("192.0.2.17:51234"), &peer));
	signal(SIGPIPE, SIG_IGN);
}

/* The line, as a string. One byte past RECORD_LINE_MAX is a crash. */
static const char *
format(const struct access *access)
{
	static char line[RECORD_LINE_MAX + 1];
	static struct guarded room;
	size_t len;

	if (room.map == NULL)
		room = guard_bytes(line, RECORD_LINE_MAX);
	len = record_format(&config, access, room.at);
	ck_assert_uint_le(len, RECORD_LINE_MAX);
	memcpy(line, room.at, len);
	line[len] = '\0';
	return line;
}

/* ---- a JSON object without nesting but for arrays, and nothing else ---- */

static const char *
skip_string(const char *s)
{
	if (*s++ != '"')
		return NULL;
	while (*s != '"') {
		if (*s < 0x20 || *s > 0x7e)
			return NULL;
		if (*s++ != '\\')
			continue;
		if (*s++ != 'u' || strspn(s, "0123456789abcdef") < 4)
			return NULL;
		s += 4;
	}
	return s + 1;
}

static const char *
skip_value(const char *s)
{
	size_t digits = strspn(s, "0123456789");

	if (*s == '"')
		return skip_string(s);
	if (*s == '[') {
		do
			s = skip_string(s + 1);
		while (s != NULL && *s == ',');
		return s != NULL && *s == ']' ? s + 1 : NULL;
	}
	if (digits == 0 || (*s == '0' && digits > 1))
		return NULL;
	s += digits;
	if (*s != '.')
		return s;
	digits = strspn(s + 1, "0123456789");
	return digits > 0 ? s + 1 + digits : NULL;
}

static bool
is_json_line(const char *s)
{
	if (*s != '{')
		return false;
	do {
		s = skip_string(s + 1);
		if (s == NULL || *s != ':')
			return false;
		s = skip_value(s + 1);
	} while (s != NULL && *s == ',');
	return s != NULL && strcmp(s, "}\n") == 0;
}

/* Quotes are balanced, and between them nothing but what may be there. */
static bool
is_combined_line(const char *s)
{
	unsigned quotes = 0;

	for (; *s >= 0x20 && *s <= 0x7e; s++)
		quotes += *s == '"';
	return quotes == 10 && strcmp(s, "\n") == 0;
}

/* ---- lines ---- */

START_TEST(a_forwarded_request_says_everything)
{
	ck_assert_str_eq(format(&forwarded),
	    "{\"timestamp\":\"2026-01-02T03:04:05.000006Z\","
	    "\"http.request.method\":\"POST\","
	    "\"url.scheme\":\"http\","
	    "\"server.address\":\"shop.example.org\","
	    "\"url.path\":\"/api/orders\","
	    "\"url.query\":\"full=1&me\","
	    "\"network.peer.address\":\"192.0.2.17\","
	    "\"network.peer.port\":51234,"
	    "\"client.address\":\"2001:db8::1\","
	    "\"network.protocol.version\":\"1.1\","
	    "\"http.response.status_code\":201,"
	    "\"http.request.body.size\":17,"
	    "\"http.response.size\":18446744073709551615,"
	    "\"user_agent.original\":\"curl/8.0\","
	    "\"methodgate.site\":\"shop\","
	    "\"methodgate.location\":\"/api\","
	    "\"methodgate.rule\":\"sites/shop.ini:12\","
	    "\"methodgate.flags\":[\"method_case\",\"crawler_501\"],"
	    "\"methodgate.upstream\":\"app\","
	    "\"methodgate.server\":\"127.0.0.1:8081\","
	    "\"methodgate.transport\":\"evhttp\","
	    "\"methodgate.upstream_status\":201,"
	    "\"methodgate.duration_ms\":1002.003,"
	    "\"methodgate.upstream_ms\":0.999,"
	    "\"methodgate.request_id\":\"0123abcd\"}\n");
}
END_TEST

START_TEST(an_unknown_method_is_other_and_told_as_it_came)
{
	ck_assert_str_eq(format(&refused),
	    "{\"timestamp\":\"2026-01-02T03:04:05.000006Z\","
	    "\"http.request.method\":\"_OTHER\","
	    "\"http.request.method_original\":\"G\\u0022T\","
	    "\"server.address\":\"2001:db8::2\","
	    "\"url.path\":\"*\","
	    "\"network.protocol.version\":\"1.0\","
	    "\"http.response.status_code\":501,"
	    "\"http.request.body.size\":0,"
	    "\"http.response.size\":0,"
	    "\"methodgate.reason\":\"method_unknown\","
	    "\"methodgate.duration_ms\":0.040}\n");
}
END_TEST

START_TEST(what_is_not_known_is_left_out)
{
	ck_assert_str_eq(format(&nothing),
	    "{\"timestamp\":\"2026-01-02T03:04:05.000006Z\","
	    "\"http.request.body.size\":0,"
	    "\"http.response.size\":0,"
	    "\"methodgate.reason\":\"client.head_timeout\","
	    "\"methodgate.duration_ms\":0.000}\n");
}
END_TEST

/* Between the flags and the upstream, each where there is something to say. */
START_TEST(what_the_policy_found_is_told)
{
	static const struct access sent = {.began_wall_us = MOMENT,
	    .duration_us = 40,
	    .method = TEXT("PATCH"),
	    .minor = 1,
	    .known_method = true,
	    .status = 200,
	    .flags = FLAG_BIT(FLAG_METHOD_REWRITTEN),
	    .method_sent = TEXT("POST"),
	    .upstream = TEXT("app")};
	static const struct access would = {.began_wall_us = MOMENT,
	    .duration_us = 40,
	    .status = 200,
	    .flags = FLAG_BIT(FLAG_OVERRIDE_BODY) | FLAG_BIT(FLAG_WOULD_DENY),
	    .override = TEXT("DE\0L\"E"),
	    .would = REASON_OVERRIDE_NOT_ALLOWED};

	ck_assert_str_eq(format(&sent),
	    "{\"timestamp\":\"2026-01-02T03:04:05.000006Z\","
	    "\"http.request.method\":\"PATCH\","
	    "\"network.protocol.version\":\"1.1\","
	    "\"http.response.status_code\":200,"
	    "\"http.request.body.size\":0,"
	    "\"http.response.size\":0,"
	    "\"methodgate.flags\":[\"method_rewritten\"],"
	    "\"methodgate.method_sent\":\"POST\","
	    "\"methodgate.upstream\":\"app\","
	    "\"methodgate.duration_ms\":0.040}\n");
	ck_assert_str_eq(format(&would),
	    "{\"timestamp\":\"2026-01-02T03:04:05.000006Z\","
	    "\"http.response.status_code\":200,"
	    "\"http.request.body.size\":0,"
	    "\"http.response.size\":0,"
	    "\"methodgate.flags\":[\"override_body\",\"would_deny\"],"
	    "\"methodgate.override\":\"DE\\u0000L\\u0022E\","
	    "\"methodgate.would_reason\":\"override_not_allowed\","
	    "\"methodgate.would_status\":403,"
	    "\"methodgate.duration_ms\":0.040}\n");
}
END_TEST

START_TEST(what_the_policy_found_is_cut_like_a_method)
{
	static char bytes[4096];
	static const char *const names[] = {
	    "methodgate.method_sent\":\"", "methodgate.override\":\""};
	struct access access = nothing;
	size_t i;

	memset(bytes, 'X', sizeof(bytes));
	access.method_sent = access.override =
	    (struct slice){bytes, sizeof(bytes)};
	for (i = 0; i < COUNT(names); i++) {
		const char *at = strstr(format(&access), names[i]);

		ck_assert_ptr_nonnull(at);
		at += strlen(names[i]);
		ck_assert_uint_eq(strspn(at, "X"), 64);
		ck_assert_int_eq(strncmp(at + 64, "...\",", 5), 0);
	}
}
END_TEST

START_TEST(combined_is_the_old_format_with_reason_and_id)
{
	struct access plain = forwarded;

	config.access_log_format = LOG_FORMAT_COMBINED;
	ck_assert_str_eq(format(&forwarded),
	    "2001:db8::1 - - [02/Jan/2026:03:04:05 +0000] "
	    "\"POST /api/orders?full=1&me HTTP/1.1\" 201 18446744073709551615 "
	    "\"http://shop.example.org/\" \"curl/8.0\" \"-\" \"0123abcd\"\n");
	ck_assert_str_eq(format(&refused), "- - - [02/Jan/2026:03:04:05 +0000] "
					   "\"G\\x22T * HTTP/1.0\" 501 0 \"-\" "
					   "\"-\" \"method_unknown\" \"-\"\n");
	ck_assert_str_eq(format(&nothing),
	    "- - - [02/Jan/2026:03:04:05 +0000] "
	    "\"-\" 000 0 \"-\" \"-\" \"client.head_timeout\" \"-\"\n");
	plain.client_ip = SLICE_NONE;
	ck_assert_ptr_nonnull(strstr(format(&plain), "192.0.2.17 - - ["));
}
END_TEST

START_TEST(the_query_is_told_as_configured)
{
	static const struct {
		const char *target, *full, *names;
	} rows[] = {
	    {"/a?b=1&c=2", "b=1&c=2", "b=&c="},
	    {"/a?b&c=2&d", "b&c=2&d", "b&c=&d"},
	    {"/a?b=1;c=2", "b=1;c=2", "b="},
	    {"/a?b=1=2", "b=1=2", "b="},
	    {"/a?b?c=d", "b?c=d", "b?c="},
	    {"/a?=x&", "=x&", "=&"},
	    {"/a?&&", "&&", "&&"},
	    {"/a?b=\\", "b=\\u005c", "b="},
	};
	struct access access = nothing;
	char wanted[64];
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct guarded g =
		    guard_bytes(rows[i].target, strlen(rows[i].target));

		access.target = (struct slice){g.at, strlen(rows[i].target)};
		config.access_log_query = LOG_QUERY_FULL;
		snprintf(wanted, sizeof(wanted), "\"url.query\":\"%s\",",
		    rows[i].full);
		ck_assert_ptr_nonnull(strstr(format(&access), wanted));
		config.access_log_query = LOG_QUERY_NAMES;
		snprintf(wanted, sizeof(wanted), "\"url.query\":\"%s\",",
		    rows[i].names);
		ck_assert_ptr_nonnull(strstr(format(&access), wanted));
		config.access_log_query = LOG_QUERY_OFF;
		ck_assert_ptr_null(strstr(format(&access), "url.query"));
		ck_assert_ptr_nonnull(
		    strstr(format(&access), "\"url.path\":\"/a\","));
		guard_free(&g);
	}
}
END_TEST

START_TEST(combined_hides_the_query_as_well)
{
	config.access_log_format = LOG_FORMAT_COMBINED;
	config.access_log_query = LOG_QUERY_NAMES;
	ck_assert_ptr_nonnull(strstr(
	    format(&forwarded), "\"POST /api/orders?full=&me HTTP/1.1\""));
	config.access_log_query = LOG_QUERY_OFF;
	ck_assert_ptr_nonnull(
	    strstr(format(&forwarded), "\"POST /api/orders HTTP/1.1\""));
}
END_TEST

START_TEST(dates_are_those_of_the_calendar)
{
	struct access access = nothing;
	const time_t century24 = 13569465600;
	time_t when;

	/* a cycle of leap years closely, then one day a quarter */
	for (when = 0; when < 253402300800;
	     when += when < century24 ? 86400 * 11 - 7 : 86400 * 90 - 7919) {
		char wanted[64];
		struct tm tm;

		gmtime_r(&when, &tm);
		access.began_wall_us = (uint64_t)when * 1000000 + 999999;
		strftime(wanted, sizeof(wanted),
		    "{\"timestamp\":\"%Y-%m-%dT%H:%M:%S.999999Z\",", &tm);
		ck_assert_int_eq(
		    strncmp(format(&access), wanted, strlen(wanted)), 0);
	}
	access.began_wall_us = UINT64_MAX;
	ck_assert_ptr_nonnull(
	    strstr(format(&access), "\"9999-12-31T23:59:59.999999Z\""));
}
END_TEST

/* ---- hostile bytes ---- */

/* Every byte value, each in turn at the end, in front of the guard page. */
static void
hostile_fields(struct access *access, struct slice bytes)
{
	struct slice *fields[] = {&access->client_ip, &access->scheme,
	    &access->method, &access->authority, &access->target,
	    &access->upstream, &access->server, &access->request_id,
	    &access->user_agent, &access->referer, &access->method_sent,
	    &access->override};
	size_t i;

	for (i = 0; i < COUNT(fields); i++)
		*fields[i] = bytes;
}

static void
check_formats(const struct access *access)
{
	static const enum log_query queries[] = {
	    LOG_QUERY_FULL, LOG_QUERY_NAMES, LOG_QUERY_OFF};
	size_t i;

	for (i = 0; i < COUNT(queries); i++) {
		config.access_log_query = queries[i];
		config.access_log_format = LOG_FORMAT_JSON;
		ck_assert_msg(
		    is_json_line(format(access)), "%s", format(access));
		config.access_log_format = LOG_FORMAT_COMBINED;
		ck_assert_msg(
		    is_combined_line(format(access)), "%s", format(access));
	}
}

START_TEST(no_byte_in_any_field_breaks_a_line)
{
	static const size_t before[] = {0, 15, 16, 31, 250, 255};
	char bytes[256];
	struct access access = forwarded;
	size_t i;
	int c;

	for (c = 0; c < 256; c++)
		for (i = 0; i < COUNT(before); i++) {
			struct guarded g;

			memset(bytes, 'a', sizeof(bytes));
			bytes[before[i]] = (char)c;
			g = guard_bytes(bytes, before[i] + 1);
			hostile_fields(
			    &access, (struct slice){g.at, before[i] + 1});
			access.known_method = (c & 1) != 0;
			check_formats(&access);
			guard_free(&g);
		}
}
END_TEST

START_TEST(lines_of_any_bytes_stay_lines)
{
	char bytes[9000];
	struct access access = forwarded;
	size_t i, len;
	unsigned seed = 1;

	for (len = 1; len <= sizeof(bytes); len = len * 3 / 2 + 1) {
		struct guarded g;

		for (i = 0; i < len; i++)
			bytes[i] = (char)rand_r(&seed);
		g = guard_bytes(bytes, len);
		hostile_fields(&access, (struct slice){g.at, len});
		check_formats(&access);
		guard_free(&g);
	}
}
END_TEST

/* All fields at their longest, nothing but escapes: still one line. */
START_TEST(the_longest_line_fits)
{
	static char bytes[70000], file[4096];
	static const struct site_rules long_site = {
	    .name = {bytes, sizeof(bytes)}};
	struct location_rules long_location = {
	    .pattern = {bytes, sizeof(bytes)},
	    .file = file,
	    .line = UINT32_MAX};
	struct access access = forwarded;
	static const char kinds[] = "\"a\x7f";
	size_t i;

	for (i = 0; i < COUNT(kinds); i++) {
		memset(bytes, kinds[i], sizeof(bytes));
		bytes[5000] = '?';
		memset(file, kinds[i], sizeof(file) - 1);
		hostile_fields(&access, (struct slice){bytes, sizeof(bytes)});
		access.site = &long_site;
		access.location = &long_location;
		access.flags = UINT32_MAX;
		access.bytes_in = access.duration_us = access.upstream_us =
		    access.began_wall_us = UINT64_MAX;
		access.transport = file;
		access.known_method = i == 1;
		access.reason = REASON_UPSTREAM_HEAD_TOO_LARGE;
		access.would = REASON_DESTINATION_NOT_ALLOWED;
		check_formats(&access);
	}
}
END_TEST

START_TEST(a_long_value_is_cut_between_escapes)
{
	static char bytes[4096];
	struct access access = nothing;
	const char *line, *end;

	memset(bytes, 'x', sizeof(bytes));
	access.user_agent = (struct slice){bytes, 256};
	ck_assert_ptr_null(strstr(format(&access), "..."));
	access.user_agent.len = 257;
	line = strstr(format(&access), "\"user_agent.original\":\"");
	ck_assert_ptr_nonnull(line);
	line += strlen("\"user_agent.original\":\"");
	ck_assert_uint_eq(strspn(line, "x"), 256);
	ck_assert_int_eq(strncmp(line + 256, "...\",", 5), 0);
	memset(bytes, '\n', sizeof(bytes));
	access.target = (struct slice){bytes, sizeof(bytes)};
	line = strstr(format(&access), "\"url.path\":\"");
	ck_assert_ptr_nonnull(line);
	end = strstr(line, "...\"");
	ck_assert_ptr_nonnull(end);
	/* 341 whole escapes are 2046 bytes */
	ck_assert_int_eq(end - line, (int)strlen("\"url.path\":\"") + 2046);
	access.method = (struct slice){bytes, sizeof(bytes)};
	line = strstr(format(&access), "method_original\":\"");
	ck_assert_ptr_nonnull(line);
	end = strstr(line, "...\"");
	ck_assert_int_eq(end - line, (int)strlen("method_original\":\"") + 60);
}
END_TEST

/* ---- counters and selection ---- */

static struct loop loop;
static struct record record;
static char folder[64], path[96];

static void
set_up_record(void)
{
	set_up();
	loop_init(&loop);
	record_init(&record, &loop);
	record_set(&record, &config, NULL);
	strcpy(folder, "/tmp/test_record.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/access.log", folder);
}

static void
tear_down_record(void)
{
	record_done(&record);
	loop_done(&loop);
	unlink(path);
	rmdir(folder);
}

static unsigned long long
value(atomic_ullong *counter)
{
	return atomic_load(counter);
}

START_TEST(each_request_is_counted_where_it_belongs)
{
	struct record_counters *count = &record.count;
	const struct {
		int status, upstream_status;
		enum reason reason;
		const char *transport;
		atomic_ullong *counter, *second;
	} rows[] = {
	    {200, 200, REASON_NONE, "evhttp", &count->forwarded, NULL},
	    {405, 405, REASON_NONE, "evhttp", &count->forwarded, NULL},
	    {405, 0, REASON_METHOD_NOT_ALLOWED, NULL, &count->answered_405,
		NULL},
	    {501, 0, REASON_METHOD_UNKNOWN, NULL, &count->answered_501, NULL},
	    {400, 0, REASON_MALFORMED_HOST, NULL, &count->answered_other, NULL},
	    {204, 0, REASON_OPTIONS_ANSWERED, NULL, &count->answered_other,
		NULL},
	    {502, 0, REASON_UPSTREAM_REFUSED, NULL, &count->upstream_failed,
		&count->answered_other},
	    {200, 200, REASON_UPSTREAM_TRUNCATED, "evhttp",
		&count->upstream_failed, &count->forwarded},
	    {0, 0, REASON_CLIENT_CLOSED, "evhttp", &count->client_failed,
		&count->forwarded},
	    {408, 0, REASON_CLIENT_HEAD_TIMEOUT, NULL, &count->client_failed,
		&count->answered_other},
	};
	atomic_ullong *all[] = {&count->forwarded, &count->answered_405,
	    &count->answered_501, &count->answered_other,
	    &count->upstream_failed, &count->client_failed};
	size_t i, k;

	for (i = 0; i < COUNT(rows); i++) {
		struct access access = {.status = rows[i].status,
		    .upstream_status = rows[i].upstream_status,
		    .reason = rows[i].reason,
		    .transport = rows[i].transport,
		    .flags = FLAG_BIT(FLAG_CRAWLER_501)};

		memset(count, 0, sizeof(*count));
		record_access(&record, &access);
		ck_assert_uint_eq(value(&count->requests), 1);
		for (k = 0; k < COUNT(all); k++)
			ck_assert_msg(
			    value(all[k]) == (all[k] == rows[i].counter ||
						 all[k] == rows[i].second),
			    "row %zu counter %zu", i, k);
		ck_assert_uint_eq(value(&count->reasons[rows[i].reason]),
		    rows[i].reason != REASON_NONE);
		ck_assert_uint_eq(value(&count->flags[FLAG_CRAWLER_501]), 1);
		ck_assert_uint_eq(value(&count->flags[FLAG_METHOD_CASE]), 0);
	}
}
END_TEST

START_TEST(only_what_is_selected_is_written)
{
	static const struct {
		int status, upstream_status;
		enum reason reason;
		flag_set flags;
		bool refused, flagged;
	} rows[] = {
	    {200, 200, REASON_NONE, 0, false, false},
	    {405, 405, REASON_NONE, 0, false, false},
	    {405, 0, REASON_METHOD_NOT_ALLOWED, 0, true, false},
	    {501, 0, REASON_METHOD_CASE, FLAG_BIT(FLAG_METHOD_CASE), true,
		true},
	    {400, 0, REASON_MALFORMED_HOST, 0, true, false},
	    {204, 0, REASON_OPTIONS_ANSWERED, 0, false, false},
	    {200, 0, REASON_PING, 0, false, false},
	    {200, 200, REASON_UPSTREAM_TRUNCATED, 0, false, false},
	    {0, 0, REASON_CLIENT_CLOSED, 0, false, false},
	    {501, 501, REASON_NONE, FLAG_BIT(FLAG_CRAWLER_501), false, true},
	};
	static const enum log_select selects[] = {
	    LOG_SELECT_ALL, LOG_SELECT_REFUSED, LOG_SELECT_FLAGGED};
	const char *error;
	struct record_sink *sink = record_sink_open(slice_of(path), &error);
	size_t i, k;

	ck_assert_ptr_nonnull(sink);
	record_set(&record, &config, sink);
	for (i = 0; i < COUNT(rows); i++) {
		struct access access = {.status = rows[i].status,
		    .upstream_status = rows[i].upstream_status,
		    .reason = rows[i].reason,
		    .flags = rows[i].flags};
		bool wanted[] = {true, rows[i].refused, rows[i].flagged};

		for (k = 0; k < COUNT(selects); k++) {
			config.access_log_select = selects[k];
			record_access(&record, &access);
			ck_assert_msg((record.used > 0) == wanted[k],
			    "row %zu select %zu", i, k);
			record_flush(&record);
			ck_assert_uint_eq(record.used, 0);
		}
	}
	record_set(&record, &config, NULL);
	record_sink_close(sink);
}
END_TEST

/* ---- sinks ---- */

static struct record_sink *
open_sink(const char *where)
{
	const char *error = "untouched";
	struct record_sink *sink = record_sink_open(slice_of(where), &error);

	ck_assert_msg(sink != NULL, "%s: %s", where, error);
	ck_assert_ptr_null(error);
	record_set(&record, &config, sink);
	return sink;
}

static void
leave(struct record_sink *sink)
{
	record_set(&record, &config, NULL);
	record_sink_close(sink);
}

/* Each must be whole, and JSON. */
static unsigned
count_lines(const char *text)
{
	unsigned n = 0;

	while (*text != '\0') {
		const char *end = strchr(text, '\n');
		char *line;

		ck_assert_msg(end != NULL, "half a line: %s", text);
		line = strndup(text, (size_t)(end - text) + 1);
		ck_assert_msg(is_json_line(line), "%s", line);
		free(line);
		text = end + 1;
		n++;
	}
	return n;
}

static char got[1u << 20];
static size_t got_len;

/* Appends what the descriptor has; false when it had nothing. */
static bool
drain(int fd)
{
	ssize_t n = read(fd, got + got_len, sizeof(got) - 1 - got_len);

	if (n <= 0)
		return false;
	got_len += (size_t)n;
	got[got_len] = '\0';
	return true;
}

static const char *
file_text(const char *name)
{
	int fd = open(name, O_RDONLY);

	ck_assert_int_ge(fd, 0);
	got_len = 0;
	got[0] = '\0';
	while (drain(fd))
		continue;
	close(fd);
	return got;
}

START_TEST(off_and_bad_paths_open_nothing)
{
	const char *error = "untouched";

	ck_assert_ptr_null(record_sink_open(SLICE("off"), &error));
	ck_assert_ptr_null(error);
	ck_assert_ptr_null(
	    record_sink_open(SLICE("/nowhere/access.log"), &error));
	ck_assert_ptr_nonnull(error);
	ck_assert_ptr_null(record_sink_open(SLICE("/tmp"), &error));
	ck_assert_ptr_nonnull(error);
	record_sink_close(NULL);
	record_access(&record, &forwarded);
	ck_assert_uint_eq(record.used, 0);
	ck_assert_uint_eq(value(&record.count.log_lost), 0);
}
END_TEST

START_TEST(a_file_is_appended_to_and_private)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	struct record_sink *sink;
	struct stat st;

	ck_assert_int_eq(write(fd, "{\"a\":1}\n", 8), 8);
	close(fd);
	sink = open_sink(path);
	record_access(&record, &refused);
	leave(sink);
	ck_assert_uint_eq(count_lines(file_text(path)), 2);
	unlink(path);
	umask(0);
	leave(open_sink(path));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
}
END_TEST

START_TEST(lines_go_out_after_a_second_or_when_half_full)
{
	struct record_sink *sink = open_sink(path);
	unsigned n = 0;

	record_access(&record, &forwarded);
	ck_assert_ptr_nonnull(record.flush_timer.queue);
	ck_assert_uint_eq(record.flush_timer.queue->span, 1000);
	ck_assert_str_eq(file_text(path), "");
	loop_timer_stop(&loop, &record.flush_timer);
	record.flush_timer.fn(&record.flush_timer);
	ck_assert_uint_eq(count_lines(file_text(path)), 1);
	ck_assert_ptr_null(record.flush_timer.queue);
	for (n = 0; n == 0 || record.used > 0; n++) {
		ck_assert_uint_lt(record.used, RECORD_BUFFER / 2);
		record_access(&record, &forwarded);
	}
	ck_assert_uint_eq(count_lines(file_text(path)), n + 1);
	leave(sink);
}
END_TEST

START_TEST(a_new_sink_gets_only_what_comes_after_it)
{
	char second[112];
	struct record_sink *old = open_sink(path), *new;

	snprintf(second, sizeof(second), "%s.2", path);
	record_access(&record, &forwarded);
	new = open_sink(second);
	record_sink_close(old);
	ck_assert_uint_eq(count_lines(file_text(path)), 1);
	record_access(&record, &forwarded);
	record_access(&record, &forwarded);
	leave(new);
	ck_assert_uint_eq(count_lines(file_text(path)), 1);
	ck_assert_uint_eq(count_lines(file_text(second)), 2);
	unlink(second);
}
END_TEST

/* More than the sink and the buffer hold; then everything is read. Whole lines
 * come out, and those that did not are counted. */
static void
overfill(int reader)
{
	unsigned sent;

	got_len = 0;
	for (sent = 0; value(&record.count.log_lost) < 10; sent++) {
		record_access(&record, &forwarded);
		/* never half a line, where others write too */
		ck_assert_uint_eq(record.sent, 0);
	}
	ck_assert_ptr_nonnull(record.flush_timer.queue);
	while (record.used > 0) {
		ck_assert(drain(reader));
		record_flush(&record);
	}
	while (drain(reader))
		continue;
	ck_assert_uint_eq(count_lines(got), sent - 10);
	/* and it works on */
	record_access(&record, &forwarded);
	record_flush(&record);
	got_len = 0;
	ck_assert(drain(reader));
	ck_assert_uint_eq(count_lines(got), 1);
	ck_assert_uint_eq(value(&record.count.log_lost), 10);
}

START_TEST(a_full_pipe_never_blocks_and_loses_whole_lines)
{
	struct record_sink *sink;
	int reader;

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	sink = open_sink(path);
	overfill(reader);
	leave(sink);
	close(reader);
}
END_TEST

/* A pipe that takes 4096 bytes, and three lines that are longer. */
static struct record_sink *
fill_small_pipe(int *reader)
{
	static char bytes[4096];
	struct access access = forwarded;
	struct record_sink *sink;
	unsigned i;

	memset(bytes, 'q', sizeof(bytes));
	bytes[2049] = '?';
	access.target = (struct slice){bytes, sizeof(bytes)};
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	*reader = open(path, O_RDONLY | O_NONBLOCK);
	ck_assert_int_eq(fcntl(*reader, F_SETPIPE_SZ, 4096), 4096);
	sink = open_sink(path);
	got_len = 0;
	for (i = 0; i < 3; i++)
		record_access(&record, &access);
	ck_assert_uint_gt(record.used / 3, 4096);
	record_flush(&record);
	ck_assert_uint_gt(record.sent, 0);
	return sink;
}

START_TEST(a_line_taken_in_part_is_completed)
{
	int reader;
	struct record_sink *sink = fill_small_pipe(&reader);

	while (record.used > 0) {
		ck_assert(drain(reader));
		record_flush(&record);
	}
	while (drain(reader))
		continue;
	ck_assert_uint_eq(count_lines(got), 3);
	leave(sink);
	close(reader);
}
END_TEST

/* A second worker's line would come into the middle of it. */
START_TEST(nobody_writes_into_a_line_that_was_taken_in_part)
{
	int reader;
	struct record_sink *sink = fill_small_pipe(&reader);
	struct record other;
	unsigned torn = 0;

	record_init(&other, &loop);
	record_set(&other, &config, sink);
	record_access(&other, &forwarded);
	while (record.sent > 0) {
		while (drain(reader))
			continue;
		record_flush(&other);
		ck_assert_uint_gt(other.used, 0);
		record_flush(&record);
		ck_assert_uint_lt(torn++, 9);
	}
	record_flush(&record);
	ck_assert_uint_gt(torn, 0);
	while (record.used + other.used > 0) {
		while (drain(reader))
			continue;
		record_flush(&record);
		record_flush(&other);
	}
	while (drain(reader))
		continue;
	ck_assert_uint_eq(count_lines(got), 4);
	record_done(&other);
	leave(sink);
	close(reader);
}
END_TEST

START_TEST(a_line_taken_in_part_is_lost_with_its_sink)
{
	char second[112];
	int reader;
	struct record_sink *sink = fill_small_pipe(&reader);

	leave(sink);
	close(reader);
	ck_assert_uint_eq(value(&record.count.log_lost), 3);
	snprintf(second, sizeof(second), "%s.2", path);
	sink = open_sink(second);
	record_access(&record, &forwarded);
	leave(sink);
	ck_assert_uint_eq(count_lines(file_text(second)), 1);
	unlink(second);
}
END_TEST

START_TEST(what_a_sink_without_reader_holds_is_counted_as_lost)
{
	struct record_sink *sink;
	int reader;

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	sink = open_sink(path);
	close(reader);
	record_access(&record, &forwarded);
	record_access(&record, &forwarded);
	record_flush(&record);
	ck_assert_uint_eq(value(&record.count.log_lost), 0);
	leave(sink);
	ck_assert_uint_eq(value(&record.count.log_lost), 2);
}
END_TEST

/* ---- stderr ---- */

static int saved;

/* Until restored, a failed assertion has nowhere to write but the runner. */
static void
replace_stderr(int fd)
{
	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
}

static void
restore_stderr(void)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
}

START_TEST(stderr_as_a_pipe_stays_blocking_for_its_other_users)
{
	struct record_sink *sink;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	replace_stderr(ends[1]);
	sink = open_sink("stderr");
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
	overfill(ends[0]);
	leave(sink);
	restore_stderr();
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* As under another user: it has to be shared, and must stay as it is. */
START_TEST(a_pipe_that_cannot_be_opened_again_is_not_waited_for)
{
	struct record_sink *sink;
	bool root = geteuid() == 0;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(fchmod(ends[1], 0), 0);
	replace_stderr(ends[1]);
	ck_assert(!root || seteuid(65534) == 0);
	ck_assert_int_lt(open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK), 0);
	sink = open_sink("stderr");
	ck_assert(!root || seteuid(0) == 0);
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
	overfill(ends[0]);
	leave(sink);
	restore_stderr();
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(stderr_as_a_socket_is_not_waited_for)
{
	struct record_sink *sink;
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	replace_stderr(ends[1]);
	sink = open_sink("stderr");
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
	overfill(ends[0]);
	leave(sink);
	restore_stderr();
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* Started with 2>file, without O_APPEND. */
START_TEST(stderr_as_a_file_keeps_lines_and_messages_apart)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	struct record_sink *sink;

	replace_stderr(fd);
	sink = open_sink("stderr");
	record_access(&record, &forwarded);
	record_flush(&record);
	ck_assert_int_eq(write(STDERR_FILENO, "{\"a\":1}\n", 8), 8);
	record_access(&record, &forwarded);
	leave(sink);
	restore_stderr();
	close(fd);
	ck_assert_uint_eq(count_lines(file_text(path)), 3);
}
END_TEST

START_TEST(a_closed_stderr_is_an_error)
{
	const char *error = NULL;
	struct record_sink *sink;
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

	close(STDERR_FILENO);
	sink = record_sink_open(SLICE("stderr"), &error);
	dup2(fd, STDERR_FILENO);
	close(fd);
	ck_assert_ptr_null(sink);
	ck_assert_ptr_nonnull(error);
}
END_TEST

static TCase *
line_tests(void)
{
	TCase *tcase = tcase_create("lines");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, a_forwarded_request_says_everything);
	tcase_add_test(tcase, an_unknown_method_is_other_and_told_as_it_came);
	tcase_add_test(tcase, what_is_not_known_is_left_out);
	tcase_add_test(tcase, what_the_policy_found_is_told);
	tcase_add_test(tcase, what_the_policy_found_is_cut_like_a_method);
	tcase_add_test(tcase, combined_is_the_old_format_with_reason_and_id);
	tcase_add_test(tcase, the_query_is_told_as_configured);
	tcase_add_test(tcase, combined_hides_the_query_as_well);
	tcase_add_test(tcase, dates_are_those_of_the_calendar);
	tcase_add_test(tcase, no_byte_in_any_field_breaks_a_line);
	tcase_add_test(tcase, lines_of_any_bytes_stay_lines);
	tcase_add_test(tcase, the_longest_line_fits);
	tcase_add_test(tcase, a_long_value_is_cut_between_escapes);
	return tcase;
}

static TCase *
sink_tests(void)
{
	TCase *tcase = tcase_create("sinks");

	tcase_add_checked_fixture(tcase, set_up_record, tear_down_record);
	tcase_add_test(tcase, each_request_is_counted_where_it_belongs);
	tcase_add_test(tcase, only_what_is_selected_is_written);
	tcase_add_test(tcase, off_and_bad_paths_open_nothing);
	tcase_add_test(tcase, a_file_is_appended_to_and_private);
	tcase_add_test(tcase, lines_go_out_after_a_second_or_when_half_full);
	tcase_add_test(tcase, a_new_sink_gets_only_what_comes_after_it);
	tcase_add_test(tcase, a_full_pipe_never_blocks_and_loses_whole_lines);
	tcase_add_test(tcase, a_line_taken_in_part_is_completed);
	tcase_add_test(tcase, nobody_writes_into_a_line_that_was_taken_in_part);
	tcase_add_test(tcase, a_line_taken_in_part_is_lost_with_its_sink);
	tcase_add_test(
	    tcase, what_a_sink_without_reader_holds_is_counted_as_lost);
	tcase_add_test(
	    tcase, stderr_as_a_pipe_stays_blocking_for_its_other_users);
	tcase_add_test(
	    tcase, a_pipe_that_cannot_be_opened_again_is_not_waited_for);
	tcase_add_test(tcase, stderr_as_a_socket_is_not_waited_for);
	tcase_add_test(tcase, stderr_as_a_file_keeps_lines_and_messages_apart);
	tcase_add_test(tcase, a_closed_stderr_is_an_error);
	return tcase;
}

int
main(void)
{
	Suite *suite = suite_create("record");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, line_tests());
	suite_add_tcase(suite, sink_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
