/* SPDX-License-Identifier: ISC */
/* Access lines are appended to the worker's buffer by hand (no printf: there is
 * one for every request) and leave it whole, many at a time. */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "uri.h"

#define FLUSH_MS 1000

/* Bytes of a value as it is written, escapes included; then "..." */
#define TARGET_MAX 2048 /* path and query, each */
#define METHOD_TEXT_MAX 64
#define VALUE_MAX 256
#define FLAG_WORD_MAX 32
#define BLOCK 16

/* A line has two targets, fewer than 20 other values, the flags, and less than
 * 2 KB of names and numbers. */
_Static_assert(
    2 * TARGET_MAX + 20 * VALUE_MAX + FLAG_COUNT * FLAG_WORD_MAX + 2048 <
	RECORD_LINE_MAX,
    "a line may not fit");

/* ---- values ---- */

/* BARE is COMBINED without quotes around it: no space either. */
enum style { JSON, COMBINED, BARE };

struct line {
	char *at;    /* the next byte */
	char *limit; /* of the present value */
	enum style style;
	bool cut; /* the present value did not fit */
};

static inline void
put(struct line *line, struct slice s)
{
	memcpy(line->at, s.at, s.len);
	line->at += s.len;
}

static void
put_number(struct line *line, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);

	do
		digits[--i] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	put(line, (struct slice){digits + i, sizeof(digits) - i});
}

/* With leading zeros. */
static inline void
put_padded(struct line *line, unsigned n, unsigned width)
{
	unsigned i;

	for (i = width; i-- > 0; n /= 10)
		line->at[i] = (char)('0' + n % 10);
	line->at += width;
}

/* All of it or nothing. JSON: RFC 8259 7. COMBINED: as nginx writes it. */
static void
put_escape(struct line *line, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	struct slice start =
	    line->style == JSON ? SLICE("\\u00") : SLICE("\\x");

	line->cut = (size_t)(line->limit - line->at) < start.len + 2;
	if (line->cut)
		return;
	put(line, start);
	*line->at++ = hex[c >> 4];
	*line->at++ = hex[c & 15];
}

static inline bool
is_plain(unsigned char c, unsigned char lowest)
{
	return c >= lowest && c <= '~' && c != '"' && c != '\\';
}

/* No branch inside: the compiler makes it one comparison of 16 bytes. */
static inline bool
is_plain_block(const char *at, unsigned char lowest)
{
	unsigned char bad = 0;
	unsigned i;

	for (i = 0; i < BLOCK; i++)
		bad |= !is_plain((unsigned char)at[i], lowest);
	return bad == 0;
}

static size_t
plain_run(struct slice s, enum style style)
{
	const unsigned char lowest = style == BARE ? '!' : ' ';
	size_t i = 0;

	while (s.len - i >= BLOCK && is_plain_block(s.at + i, lowest))
		i += BLOCK;
	while (i < s.len && is_plain((unsigned char)s.at[i], lowest))
		i++;
	return i;
}

static void
value_begin(struct line *line, size_t max)
{
	line->limit = line->at + max;
	line->cut = false;
}

static void
value_add(struct line *line, struct slice s)
{
	while (s.len > 0 && !line->cut) {
		size_t room = (size_t)(line->limit - line->at);
		size_t run = plain_run(s, line->style);

		line->cut = run > room;
		put(line, (struct slice){s.at, line->cut ? room : run});
		s.at += run;
		s.len -= run;
		if (s.len == 0 || line->cut)
			return;
		put_escape(line, (unsigned char)s.at[0]);
		s.at++;
		s.len--;
	}
}

static void
value_end(struct line *line)
{
	if (line->cut)
		put(line, SLICE("..."));
}

static void
put_value(struct line *line, struct slice s, size_t max)
{
	value_begin(line, max);
	value_add(line, s);
	value_end(line);
}

/* "a=1&b&c=2" is told as "a=&b&c=": what stands between a '=' and the next '&'
 * is dropped, ';' included. */
static void
put_query_names(struct line *line, struct slice query)
{
	while (query.len > 0 && !line->cut) {
		size_t end = slice_find(query, '&', 0);
		struct slice pair = {query.at, end};
		size_t equals = slice_find(pair, '=', 0);

		if (equals < pair.len)
			pair.len = equals + 1;
		value_add(line, pair);
		if (end < query.len)
			value_add(line, (struct slice){query.at + end++, 1});
		query.at += end;
		query.len -= end;
	}
}

static void
put_query(struct line *line, struct slice query, enum log_query how)
{
	value_begin(line, TARGET_MAX);
	if (how == LOG_QUERY_NAMES)
		put_query_names(line, query);
	else
		value_add(line, query);
	value_end(line);
}

/* ---- time ---- */

struct date {
	unsigned year, month, day; /* month 1 to 12 */
	unsigned hour, minute, second, micros;
};

/* The civil date by arithmetic: years that begin in March put the leap day at
 * their end, and 400 of them are 146097 days. Up to the year 9999. */
static struct date
date_of(uint64_t wall_us)
{
	const uint64_t last = 253402300799999999;
	uint64_t us = wall_us < last ? wall_us : last;
	unsigned seconds = (unsigned)(us / 1000000 % 86400);
	unsigned days = (unsigned)(us / 1000000 / 86400) + 719468;
	unsigned era = days / 146097, of_era = days % 146097;
	unsigned year =
	    (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * of_year + 2) / 153; /* 0: March */

	return (struct date){.year = year + era * 400 + (month >= 10),
	    .month = month < 10 ? month + 3 : month - 9,
	    .day = of_year - (153 * month + 2) / 5 + 1,
	    .hour = seconds / 3600,
	    .minute = seconds / 60 % 60,
	    .second = seconds % 60,
	    .micros = (unsigned)(us % 1000000)};
}

static void
put_clock(struct line *line, const struct date *date)
{
	put_padded(line, date->hour, 2);
	put(line, SLICE(":"));
	put_padded(line, date->minute, 2);
	put(line, SLICE(":"));
	put_padded(line, date->second, 2);
}

/* RFC 3339: 2026-01-02T03:04:05.000006Z */
static void
put_rfc3339(struct line *line, uint64_t wall_us)
{
	struct date date = date_of(wall_us);

	put_padded(line, date.year, 4);
	put(line, SLICE("-"));
	put_padded(line, date.month, 2);
	put(line, SLICE("-"));
	put_padded(line, date.day, 2);
	put(line, SLICE("T"));
	put_clock(line, &date);
	put(line, SLICE("."));
	put_padded(line, date.micros, 6);
	put(line, SLICE("Z"));
}

/* 02/Jan/2026:03:04:05 +0000 */
static void
put_clf_date(struct line *line, uint64_t wall_us)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct date date = date_of(wall_us);

	put_padded(line, date.day, 2);
	put(line, SLICE("/"));
	put(line, (struct slice){months + 3 * (date.month - 1), 3});
	put(line, SLICE("/"));
	put_padded(line, date.year, 4);
	put(line, SLICE(":"));
	put_clock(line, &date);
	put(line, SLICE(" +0000"));
}

/* ---- JSON, by the names of OpenTelemetry where it has one ---- */

/* key: with the comma before and the colon and quote after it. */
static void
text(struct line *line, struct slice key, struct slice value, size_t max)
{
	if (value.len == 0)
		return;
	put(line, key);
	put_value(line, value, max);
	put(line, SLICE("\""));
}

static void
number(struct line *line, struct slice key, uint64_t n)
{
	put(line, key);
	put_number(line, n);
}

/* Milliseconds with three decimals. */
static void
duration(struct line *line, struct slice key, uint64_t us)
{
	number(line, key, us / 1000);
	put(line, SLICE("."));
	put_padded(line, (unsigned)(us % 1000), 3);
}

static struct slice
host_of(struct slice authority)
{
	struct slice host = uri_host(authority);

	if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
		return (struct slice){host.at + 1, host.len - 2};
	return host;
}

static void
json_request(struct line *line, const struct access *access, enum log_query how)
{
	struct slice target = access->target;
	size_t mark = slice_find(target, '?', 0);

	if (access->known_method) {
		text(line, SLICE(",\"http.request.method\":\""), access->method,
		    METHOD_TEXT_MAX);
	} else if (access->method.len > 0) {
		put(line, SLICE(",\"http.request.method\":\"_OTHER\""));
		text(line, SLICE(",\"http.request.method_original\":\""),
		    access->method, METHOD_TEXT_MAX);
	}
	text(line, SLICE(",\"url.scheme\":\""), access->scheme, VALUE_MAX);
	text(line, SLICE(",\"server.address\":\""), host_of(access->authority),
	    VALUE_MAX);
	text(line, SLICE(",\"url.path\":\""), (struct slice){target.at, mark},
	    TARGET_MAX);
	if (mark + 1 >= target.len || how == LOG_QUERY_OFF)
		return;
	put(line, SLICE(",\"url.query\":\""));
	put_query(line,
	    (struct slice){target.at + mark + 1, target.len - mark - 1}, how);
	put(line, SLICE("\""));
}

static void
json_network(struct line *line, const struct access *access)
{
	char ip[ADDR_TEXT_MAX];

	if (access->peer != NULL && access->peer->len > 0) {
		uint16_t port = addr_port(access->peer);

		text(line, SLICE(",\"network.peer.address\":\""),
		    (struct slice){ip, addr_ip_text(access->peer, ip)},
		    VALUE_MAX);
		if (port > 0)
			number(line, SLICE(",\"network.peer.port\":"), port);
	}
	text(line, SLICE(",\"client.address\":\""), access->client_ip,
	    VALUE_MAX);
	if (access->method.len == 0)
		return;
	put(line, SLICE(",\"network.protocol.version\":\"1."));
	put_number(line, access->minor);
	put(line, SLICE("\""));
}

static void
json_response(struct line *line, const struct access *access)
{
	if (access->status > 0)
		number(line, SLICE(",\"http.response.status_code\":"),
		    (unsigned)access->status);
	number(line, SLICE(",\"http.request.body.size\":"), access->bytes_in);
	number(line, SLICE(",\"http.response.size\":"), access->bytes_out);
	text(line, SLICE(",\"user_agent.original\":\""), access->user_agent,
	    VALUE_MAX);
}

static void
json_flags(struct line *line, flag_set flags)
{
	struct slice before = SLICE("\"");
	unsigned i;

	if (flags == 0)
		return;
	put(line, SLICE(",\"methodgate.flags\":["));
	for (i = 0; i < FLAG_COUNT; i++) {
		if ((flags & FLAG_BIT(i)) == 0)
			continue;
		put(line, before);
		put_value(line, slice_of(flag_word(i)), FLAG_WORD_MAX - 8);
		put(line, SLICE("\""));
		before = SLICE(",\"");
	}
	put(line, SLICE("]"));
}

static void
json_judged(struct line *line, const struct access *access)
{
	text(line, SLICE(",\"methodgate.method_sent\":\""), access->method_sent,
	    METHOD_TEXT_MAX);
	text(line, SLICE(",\"methodgate.override\":\""), access->override,
	    METHOD_TEXT_MAX);
	if (access->would == REASON_NONE)
		return;
	text(line, SLICE(",\"methodgate.would_reason\":\""),
	    slice_of(reason_word(access->would)), VALUE_MAX);
	number(line, SLICE(",\"methodgate.would_status\":"),
	    (unsigned)reason_status(access->would));
}

static void
json_rule(struct line *line, const struct access *access)
{
	const struct location_rules *rule = access->location;

	if (access->site != NULL)
		text(line, SLICE(",\"methodgate.site\":\""), access->site->name,
		    VALUE_MAX);
	if (rule == NULL)
		return;
	text(line, SLICE(",\"methodgate.location\":\""), rule->pattern,
	    VALUE_MAX);
	put(line, SLICE(",\"methodgate.rule\":\""));
	put_value(line, slice_of(rule->file), VALUE_MAX);
	put(line, SLICE(":"));
	put_number(line, rule->line);
	put(line, SLICE("\""));
}

static void
json_upstream(struct line *line, const struct access *access)
{
	text(line, SLICE(",\"methodgate.upstream\":\""), access->upstream,
	    VALUE_MAX);
	text(line, SLICE(",\"methodgate.server\":\""), access->server,
	    VALUE_MAX);
	if (access->transport != NULL)
		text(line, SLICE(",\"methodgate.transport\":\""),
		    slice_of(access->transport), VALUE_MAX);
	if (access->upstream_status > 0)
		number(line, SLICE(",\"methodgate.upstream_status\":"),
		    (unsigned)access->upstream_status);
}

static void
format_json(struct line *line, const struct access *access, enum log_query how)
{
	put(line, SLICE("{\"timestamp\":\""));
	put_rfc3339(line, access->began_wall_us);
	put(line, SLICE("\""));
	json_request(line, access, how);
	json_network(line, access);
	json_response(line, access);
	if (access->reason != REASON_NONE)
		text(line, SLICE(",\"methodgate.reason\":\""),
		    slice_of(reason_word(access->reason)), VALUE_MAX);
	json_rule(line, access);
	json_flags(line, access->flags);
	json_judged(line, access);
	json_upstream(line, access);
	duration(
	    line, SLICE(",\"methodgate.duration_ms\":"), access->duration_us);
	if (access->upstream_us > 0)
		duration(line, SLICE(",\"methodgate.upstream_ms\":"),
		    access->upstream_us);
	text(line, SLICE(",\"methodgate.request_id\":\""), access->request_id,
	    VALUE_MAX);
	put(line, SLICE("}\n"));
}

/* ---- combined ---- */

static void
quoted(struct line *line, struct slice s)
{
	put(line, SLICE(" \""));
	put_value(line, s.len > 0 ? s : SLICE("-"), VALUE_MAX);
	put(line, SLICE("\""));
}

static void
request_line(struct line *line, const struct access *access, enum log_query how)
{
	struct slice target = access->target;
	size_t mark = slice_find(target, '?', 0);

	if (access->method.len == 0) {
		put(line, SLICE("-"));
		return;
	}
	put_value(line, access->method, METHOD_TEXT_MAX);
	put(line, SLICE(" "));
	put_value(line, (struct slice){target.at, mark}, TARGET_MAX);
	if (mark < target.len && how != LOG_QUERY_OFF) {
		put(line, SLICE("?"));
		put_query(line,
		    (struct slice){target.at + mark + 1, target.len - mark - 1},
		    how);
	}
	put(line, SLICE(" HTTP/1."));
	put_number(line, access->minor);
}

static void
client_host(struct line *line, const struct access *access)
{
	char ip[ADDR_TEXT_MAX];
	struct slice host = access->client_ip;

	if (host.len == 0 && access->peer != NULL)
		host = (struct slice){ip, addr_ip_text(access->peer, ip)};
	line->style = BARE;
	put_value(line, host.len > 0 ? host : SLICE("-"), VALUE_MAX);
	line->style = COMBINED;
}

/* host - - [date] "request" status bytes "referer" "agent" "reason" "id" */
static void
format_combined(
    struct line *line, const struct access *access, enum log_query how)
{
	client_host(line, access);
	put(line, SLICE(" - - ["));
	put_clf_date(line, access->began_wall_us);
	put(line, SLICE("] \""));
	request_line(line, access, how);
	put(line, SLICE("\" "));
	put_padded(line, (unsigned)access->status, 3);
	put(line, SLICE(" "));
	put_number(line, access->bytes_out);
	quoted(line, access->referer);
	quoted(line, access->user_agent);
	quoted(line, slice_of(reason_word(access->reason)));
	quoted(line, access->request_id);
	put(line, SLICE("\n"));
}

size_t
record_format(
    const struct gate_config *config, const struct access *access, char *out)
{
	struct line line = {.at = out, .limit = out};

	if (config->access_log_format == LOG_FORMAT_COMBINED)
		format_combined(&line, access, config->access_log_query);
	else
		format_json(&line, access, config->access_log_query);
	return (size_t)(line.at - out);
}

/* ---- where lines go ---- */

/* POLLED: a descriptor that others share and that could not be opened anew, so
 * it must not be made non-blocking: it is asked before each small write. */
enum sink_kind { SINK_FILE, SINK_STREAM, SINK_SOCKET, SINK_POLLED };

/* Several workers write to it. A file takes lines whole and one write after the
 * other, unless the disk is full. Anywhere else one of them writes at a time,
 * and who finds another at it waits for his next turn. Who had to stop within a
 * line holds it until the rest of that line has gone. */
struct record_sink {
	int fd;
	enum sink_kind kind;
	_Atomic(const struct record *) holder; /* NULL: free */
	atomic_bool torn; /* the holder stopped within a line */
};

static struct record_sink *
new_sink(int fd, enum sink_kind kind)
{
	struct record_sink *sink = mem_alloc(sizeof(*sink));

	sink->fd = fd;
	sink->kind = kind;
	return sink;
}

static struct record_sink *
open_path(struct slice where, const char **error)
{
	char *path = mem_strndup(where);
	int fd = open(path,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
	    0640);
	struct stat st;

	if (fd < 0)
		*error = strerrordesc_np(errno);
	free(path);
	if (fd < 0)
		return NULL;
	return new_sink(fd, fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
				? SINK_FILE
				: SINK_STREAM);
}

/* O_NONBLOCK belongs to the open file, which we share with whoever started us:
 * it is set on one of our own. A plain file keeps its description, for its
 * offset: the daemon's own messages are written there too, and without O_APPEND
 * they would overwrite ours. */
static struct record_sink *
open_stderr(const char **error)
{
	enum sink_kind kind = SINK_POLLED;
	struct stat st;
	int fd = -1;

	if (fstat(STDERR_FILENO, &st) != 0) {
		*error = "stderr is closed";
		return NULL;
	}
	if (S_ISSOCK(st.st_mode))
		kind = SINK_SOCKET;
	else if (S_ISREG(st.st_mode))
		kind = SINK_FILE;
	else
		fd = open("/proc/self/fd/2",
		    O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0)
		return new_sink(fd, SINK_STREAM);
	/* another user's pipe or terminal cannot be opened again */
	fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0) {
		*error = strerrordesc_np(errno);
		return NULL;
	}
	return new_sink(fd, kind);
}

struct record_sink *
record_sink_open(struct slice where, const char **error)
{
	*error = NULL;
	if (slice_eq(where, SLICE("off")))
		return NULL;
	if (slice_eq(where, SLICE("stderr")))
		return open_stderr(error);
	return open_path(where, error);
}

void
record_sink_close(struct record_sink *sink)
{
	if (sink == NULL)
		return;
	close(sink->fd);
	free(sink);
}

/* How much of the lines to give at once. A file takes all. Others take up to
 * PIPE_BUF bytes whole or not at all (pipe(7)), so that lines of others, our
 * own messages among them, never get into the middle of one. */
static size_t
portion(const struct record_sink *sink, struct slice lines)
{
	const char *end;

	if (sink->kind == SINK_FILE || lines.len <= PIPE_BUF)
		return lines.len;
	end = memrchr(lines.at, '\n', PIPE_BUF);
	if (end == NULL)
		end = memchr(lines.at, '\n', lines.len);
	return (size_t)(end - lines.at) + 1;
}

static ssize_t
give(const struct record_sink *sink, struct slice lines)
{
	struct pollfd room = {.fd = sink->fd, .events = POLLOUT};
	size_t len = portion(sink, lines);

	if (sink->kind == SINK_SOCKET)
		return send(
		    sink->fd, lines.at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sink->kind == SINK_POLLED && poll(&room, 1, 0) != 1)
		return 0;
	return write(sink->fd, lines.at, len);
}

/* ---- the worker's record ---- */

static void
on_flush(struct timer *timer)
{
	struct record *record =
	    (struct record *)((char *)timer -
			      offsetof(struct record, flush_timer));

	record_flush(record);
	if (record->used > 0)
		loop_timer_start(record->loop, timer, FLUSH_MS);
}

void
record_init(struct record *record, struct loop *loop)
{
	memset(record, 0, sizeof(*record));
	record->loop = loop;
	record->flush_timer.fn = on_flush;
}

/* What the sink took goes, but for the start of a line that it took in part:
 * the rest of that line must follow before anything else. */
static void
forget(struct record *record, size_t taken)
{
	const char *end = memrchr(record->lines, '\n', taken);
	size_t whole = end != NULL ? (size_t)(end - record->lines) + 1 : 0;

	record->used -= whole;
	record->sent = taken - whole;
	if (whole > 0)
		memmove(record->lines, record->lines + whole, record->used);
}

static bool
claim(const struct record *record)
{
	struct record_sink *sink = record->sink;
	const struct record *holder = NULL;

	if (sink->kind == SINK_FILE) {
		holder =
		    atomic_load_explicit(&sink->holder, memory_order_acquire);
		return holder == NULL || holder == record;
	}
	return atomic_compare_exchange_strong_explicit(&sink->holder, &holder,
		   record, memory_order_acquire, memory_order_acquire) ||
	       holder == record;
}

static void
unclaim(const struct record *record)
{
	struct record_sink *sink = record->sink;
	bool torn = record->sent > 0;

	if (torn != atomic_load_explicit(&sink->torn, memory_order_relaxed))
		atomic_store_explicit(&sink->torn, torn, memory_order_relaxed);
	if (torn || sink->kind != SINK_FILE ||
	    atomic_load_explicit(&sink->holder, memory_order_relaxed) == record)
		atomic_store_explicit(
		    &sink->holder, torn ? record : NULL, memory_order_release);
}

/* False: another holds the sink. */
static bool
flush(struct record *record)
{
	size_t taken = record->sent;
	ssize_t n;

	if (record->sink == NULL || record->used == 0)
		return true;
	if (!claim(record))
		return false;
	do {
		struct slice rest = {
		    record->lines + taken, record->used - taken};

		n = give(record->sink, rest);
		if (n > 0)
			taken += (size_t)n;
	} while (taken < record->used && (n > 0 || (n < 0 && errno == EINTR)));
	forget(record, taken);
	unclaim(record);
	return true;
}

void
record_flush(struct record *record)
{
	(void)flush(record);
}

/* The last chance: another's write is waited for, but not a sink that takes no
 * more. */
static void
flush_last(struct record *record)
{
	while (!flush(record) &&
	       !atomic_load_explicit(&record->sink->torn, memory_order_relaxed))
		sched_yield();
}

/* What the sink does not take now is lost. */
static void
leave_sink(struct record *record)
{
	const struct record *self = record;
	size_t i;

	flush_last(record);
	if (record->sink != NULL)
		atomic_compare_exchange_strong_explicit(&record->sink->holder,
		    &self, NULL, memory_order_release, memory_order_relaxed);
	for (i = 0; i < record->used; i++)
		if (record->lines[i] == '\n')
			record_add(&record->count.log_lost);
	record->used = record->sent = 0;
}

void
record_set(struct record *record, const struct gate_config *config,
    struct record_sink *sink)
{
	leave_sink(record);
	record->config = config;
	record->sink = sink;
}

void
record_done(struct record *record)
{
	leave_sink(record);
	loop_timer_stop(record->loop, &record->flush_timer);
	free(record->lines);
	record->lines = NULL;
}

/* No upstream's status, but one was sent. */
static bool
is_answer(const struct access *access)
{
	return access->status > 0 && access->upstream_status == 0;
}

static bool
word_starts(const char *word, struct slice prefix)
{
	return slice_starts(slice_of(word), prefix);
}

static void
count_reason(struct record_counters *count, enum reason reason)
{
	const char *word = reason_word(reason);

	if (reason == REASON_NONE)
		return;
	record_add(&count->reasons[reason]);
	if (word_starts(word, SLICE("upstream.")))
		record_add(&count->upstream_failed);
	else if (word_starts(word, SLICE("client.")))
		record_add(&count->client_failed);
}

static void
count_access(struct record_counters *count, const struct access *access)
{
	unsigned i;

	record_add(&count->requests);
	if (access->transport != NULL)
		record_add(&count->forwarded);
	if (is_answer(access))
		record_add(access->status == 405   ? &count->answered_405
			   : access->status == 501 ? &count->answered_501
						   : &count->answered_other);
	count_reason(count, access->reason);
	for (i = 0; i < FLAG_COUNT; i++)
		if ((access->flags & FLAG_BIT(i)) != 0)
			record_add(&count->flags[i]);
}

static bool
is_selected(enum log_select select, const struct access *access)
{
	switch (select) {
	case LOG_SELECT_REFUSED:
		return is_answer(access) && access->status >= 400;
	case LOG_SELECT_FLAGGED:
		return access->flags != 0;
	case LOG_SELECT_ALL:
		break;
	}
	return true;
}

/* Trying a full sink for each line costs less than the line would. */
static bool
has_room(struct record *record)
{
	if (RECORD_BUFFER - record->used < RECORD_LINE_MAX)
		record_flush(record);
	return RECORD_BUFFER - record->used >= RECORD_LINE_MAX;
}

/* The sink is never watched for room: it may share its open file with stderr,
 * and epoll would go on reporting that after our descriptor is closed. */
void
record_access(struct record *record, const struct access *access)
{
	size_t before;

	count_access(&record->count, access);
	if (record->sink == NULL ||
	    !is_selected(record->config->access_log_select, access))
		return;
	if (record->lines == NULL)
		record->lines = mem_alloc(RECORD_BUFFER);
	if (!has_room(record)) {
		record_add(&record->count.log_lost);
		return;
	}
	before = record->used;
	record->used +=
	    record_format(record->config, access, record->lines + before);
	if (record->used >= RECORD_BUFFER / 2 &&
	    record->used / PIPE_BUF > before / PIPE_BUF)
		record_flush(record);
	if (record->used > 0 && record->flush_timer.queue == NULL)
		loop_timer_start(record->loop, &record->flush_timer, FLUSH_MS);
}
