/* SPDX-License-Identifier: ISC */
/* Configurations that are taken, with what comes of them, and those that are
 * refused, with every message. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_rate.h"
#include "config_read.h"
#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Lines 1 to 5; what is behind begins on line 6. */
#define SITE                                                                   \
	"[site]\nlisten = 127.0.0.1:8080\nupstream = app\n"                    \
	"[upstream app]\nserver = 127.0.0.1:3000\n"
/* Lines 6 and 7. */
#define ROOT "[location /]\nallow = @read\n"

/* The text flush against a page that can't be read. */
static struct config *
read_guarded(const char *text, struct config_report *report)
{
	struct guarded g = guard_bytes(text, strlen(text));
	struct config *config = config_read_text(
	    "t.ini", (struct slice){g.at, strlen(text)}, report);

	guard_free(&g);
	return config;
}

static struct config *
good(const char *text)
{
	struct config_report report;
	struct config *config = read_guarded(text, &report);

	ck_assert_msg(config != NULL, "refused: %s",
	    report.error_count > 0 ? report.errors[0] : "without a message");
	ck_assert_uint_eq(report.error_count, 0);
	config_report_done(&report);
	return config;
}

static void
append(char *out, size_t size, const char *text)
{
	ck_assert_uint_lt(strlen(out) + strlen(text), size);
	strcat(out, text);
}

/* All messages, a line each. */
static void
join(const struct config_report *report, char *out, size_t size)
{
	unsigned i;

	*out = '\0';
	for (i = 0; i < report->error_count; i++) {
		append(out, size, report->errors[i]);
		append(out, size, "\n");
	}
	for (i = 0; i < report->warning_count; i++) {
		append(out, size, report->warnings[i]);
		append(out, size, "\n");
	}
}

/* "= /x GET, HEAD > app @6" for each location of the first site. */
static void
print_locations(const struct config *config, char *out, size_t size)
{
	const struct site *site = config->sites[0];
	FILE *to = fmemopen(out, size, "w");
	char methods[METHOD_LIST_MAX];
	const struct location *location;
	struct slice upstream;
	unsigned i;

	ck_assert_ptr_nonnull(to);
	*out = '\0';
	for (i = 0; i < site->location_count; i++) {
		location = site->locations[i];
		ck_assert_ptr_eq(location->site, site);
		method_set_print(location->rules.allow, &site->rules.own,
		    methods, sizeof(methods));
		upstream = location->upstream != NULL ? location->upstream->name
						      : SLICE("-");
		fprintf(to, "%s%.*s %s > %.*s @%u\n",
		    location->rules.exact ? "= " : "",
		    SLICE_ARG(location->rules.pattern), methods,
		    SLICE_ARG(upstream), location->rules.line);
	}
	ck_assert_int_eq(fclose(to), 0);
}

static const struct {
	const char *text, *locations;
} accepts[] = {
    {SITE ROOT, "/ GET, HEAD > app @6\n"},
    {"\xef\xbb\xbf" SITE "[location /]\r\n\tallow=@read\r\n  options=answer",
	"/ GET, HEAD, OPTIONS > app @6\n"},
    {SITE "[location = /x]\nallow = GET\n[location =/y]\nallow = POST\n"
	  "[location /x]\nallow = none\n[location /*]\nallow = @query\n",
	"= /x GET, HEAD > app @6\n= /y POST > app @8\n/x  > app @10\n"
	"/* QUERY > app @12\n"},
    {SITE "[location / ]\nallow = GET,POST , PUT\nallow = DELETE\n"
	  "allow = GET\n",
	"/ GET, HEAD, POST, PUT, DELETE > app @6\n"},
    {SITE "[location reports]\npath = /very/long\nallow = GET\n"
	  "[location = Reports2]\nallow = PUT\npath = /very/long\n",
	"/very/long GET, HEAD > app @6\n= /very/long PUT > app @9\n"},
    /* The file's own order of sections is free. */
    {"[location /]\nallow = PURGE GET\nupstream = APP\n[upstream app]\n"
     "server = 127.0.0.1:3000\n[site]\nlisten = *:80\nmethods = PURGE\n"
     "head = explicit\n",
	"/ GET, PURGE > app @1\n"},
    {"[site]\nlisten = *:80\nmethods = PURGE LIST\nmethods = lock-it\n"
     "[location /]\nallow = none\n[location /a]\nallow = lock-it LIST\n"
     "upstream = b\n[upstream b]\nserver = [::1]:3000\n",
	"/  > - @5\n/a LIST, lock-it > b @7\n"},
    {"[site]\nlisten = *:80\n[location /]\nallow = none\n"
     "options = answer\n",
	"/ OPTIONS > - @3\n"},
    {"[site]\nlisten = *:80\nmethods = none\n[upstream b]\n"
     "server = b.example:80\n[location /]\nallow = @webdav\nupstream = b\n",
	"/ GET, HEAD, PUT, DELETE, OPTIONS, COPY, LOCK, MKCOL, MOVE, "
	"PROPFIND, PROPPATCH, UNLOCK > b @6\n"},
};

START_TEST(good_files_become_locations)
{
	struct config *config;
	char seen[2048];
	size_t i;

	for (i = 0; i < COUNT(accepts); i++) {
		config = good(accepts[i].text);
		print_locations(config, seen, sizeof(seen));
		ck_assert_str_eq(seen, accepts[i].locations);
		config_unref(config);
	}
}
END_TEST

#define NO_SITE                                                                \
	"t.ini: no site: add a [site], or name site files by 'sites' in "      \
	"[gate]\n"
#define NO_SITE_HERE                                                           \
	"no [site] in this file: add one, with 'listen', 'host' and "          \
	"'upstream'\n"
#define BAD_LISTEN                                                             \
	": not a numeric address and port, such as 127.0.0.1:8080, "           \
	"[::1]:8080 or *:8080\n"
#define BAD_SERVER                                                             \
	": not host:port, such as 127.0.0.1:3000, [::1]:3000 or app:3000\n"
#define ALONE                                                                  \
	"server: options stand behind one address: write each server on a "    \
	"line of its own\n"
#define OPTIONS                                                                \
	"there are weight=N, 1 to 1000, max=N, 1 to 1000000, backup, "         \
	"send-proxy and send-proxy-v2\n"
#define BAD_HOST                                                               \
	": not a host name, such as shop.example.org, *.example.org or *\n"
#define BAD_STAR ": '*' stands alone, or first as in *.example.org\n"
#define BAD_PATTERN                                                            \
	" is no pattern: it begins with '/', and holds only visible ASCII "    \
	"without '?' and '#'\n"
#define NEEDS_PATTERN                                                          \
	"[location] needs a pattern, such as [location /api], or a name for "  \
	"one that follows as 'path = /...'\n"
#define UPSTREAM_NAME                                                          \
	"[upstream] needs a name of letters, digits, '-', '_' and '.', such "  \
	"as [upstream app]\n"
#define NO_ALLOW                                                               \
	"allow is missing: add one, such as 'allow = @read' or 'allow = "      \
	"none'\n"
#define BY_METHODS                                                             \
	" (a method that is not registered is named by 'methods' in [site])\n"
#define BAD_TIME "not a time: write a number with s, m, h or d, such as "
#define BAD_SIZE                                                               \
	"not a size: write a number of bytes, or one with k, m or g, such as " \
	"64k\n"
#define BAD_PARAM                                                              \
	": not the name of a parameter as applications see it, such as "       \
	"rest_route\n"
#define BAD_GRANT                                                              \
	": write methods, 'until', a date, and a note or none, such as "       \
	"'DELETE until 2030-01-31 OPS-123'\n"
#define BAD_REWRITE                                                            \
	": write a method, '->' and another, such as PATCH -> POST\n"
#define NEVER(name)                                                            \
	"t.ini:8: rewrite_method: " name                                       \
	" is never rewritten, nor anything into it\n"
#define NOT_HERE(name)                                                         \
	"t.ini:8: rewrite_method: this location does not allow " name          \
	"; both methods must stand in 'allow'\n"
#define FLAG_HEADER(name)                                                      \
	"[site]\nlisten = *:80\nflag_header = " name                           \
	"\n[location /]\nallow = none\n"
#define IS_TAKEN(name)                                                         \
	"t.ini:3: flag_header = " name                                         \
	": this field has a meaning of its own; write another, such as "       \
	"X-Method-Flags\n"
#define IS_REQUEST_ID(line, name)                                              \
	"t.ini:" line ": flag_header = " name                                  \
	": that is the name of the request_id_header of [gate]\n"
#define GOES_ROUND                                                             \
	" is a listener of the gate itself (t.ini:2): requests would go "      \
	"round\n"
#define SETS "@read @form @rest @query @webdav @caldav @deltav\n"

struct refusal {
	const char *text, *messages;
};

static const struct refusal bad_sections[] = {
    {"", NO_SITE},
    {"; nothing\n", NO_SITE},
    {"[gate]\nhead_fields = 12\n", NO_SITE},
    {ROOT, "t.ini:1: " NO_SITE_HERE},
    {"\n[upstream a]\nserver = a:1\n", "t.ini:2: " NO_SITE_HERE},
    {"[site]\n", "t.ini:1: this site has no [location], so it would refuse "
		 "everything: add one, such as [location /]\n"
		 "t.ini:1: listen is missing: add one, such as 'listen = "
		 "127.0.0.1:8080'\n"},
    {"allow = GET\n" SITE ROOT,
	"t.ini:1: allow stands before any section: begin with [gate] or "
	"[site]\n"},
    {"[sites]\nlisten = x\n",
	"t.ini:1: unknown section [sites]: did you mean [site]?\n"},
    {"[Location /]\n",
	"t.ini:1: unknown section [Location]: did you mean [location]?\n"},
    {"[server]\na = b\n",
	"t.ini:1: unknown section [server]: there are [gate], [site], "
	"[upstream NAME] and [location PATTERN]\n"},
    {"[gate]\n[gate]\nwhatever = 1\n" SITE ROOT,
	"t.ini:2: [gate] stands twice, first on line 1\n"},
    {"[gate x]\nwhatever = 1\n" SITE ROOT, "t.ini:1: [gate] takes no name\n"},
    {SITE ROOT "[site]\nname = x\n",
	"t.ini:8: [site] stands twice, first on line 1: each site has a file "
	"of its own\n"},
    {"[site shop]\nlisten = *:80\n",
	"t.ini:1: [site] takes no name in its header: write 'name = shop' "
	"below\n"},
    {SITE "[upstream app]\nserver = x\n[upstream APP]\n" ROOT,
	"t.ini:6: [upstream app] stands twice (in whatever case), first on "
	"line 4\n"
	"t.ini:8: [upstream APP] stands twice (in whatever case), first on "
	"line 4\n"},
    {SITE "[upstream]\n[upstream a b]\n[upstream a/b]\n" ROOT,
	"t.ini:6: " UPSTREAM_NAME "t.ini:7: " UPSTREAM_NAME
	"t.ini:8: " UPSTREAM_NAME},
    {SITE "[location]\n[location =]\n[location a/b]\n[location a b]\n",
	"t.ini:6: " NEEDS_PATTERN "t.ini:7: " NEEDS_PATTERN
	"t.ini:8: " NEEDS_PATTERN "t.ini:9: " NEEDS_PATTERN},
    /* What a refused header had meant is not asked for again. */
    {"[site\nlisten = x\n" ROOT,
	"t.ini:1: ']' is missing at the end of the section header\n"},
    {"[site]\nlisten = *:80\nupstream = app\n[upstream app\n" ROOT,
	"t.ini:4: ']' is missing at the end of the section header\n"},
    {SITE "[location /x]\nallow = GET\n[location /y\nallow = DELETE\n"
	  "options = bad\n",
	"t.ini:8: ']' is missing at the end of the section header\n"},
};

#define RATE_FORM                                                              \
	"write none, or a number, /s or /m, and perhaps a burst, such as "     \
	"100/s burst 200\n"
static const struct refusal bad_keys[] = {
    {"[gate]\nhead_limt = 4k\nallow = GET\nzzzzzz = 1\n" SITE ROOT,
	"t.ini:2: unknown key head_limt in [gate]: did you mean head_limit?\n"
	"t.ini:3: unknown key allow in [gate]: it is a key of [location]\n"
	"t.ini:4: unknown key zzzzzz in [gate]\n"},
    /* Keys that come with later work. */
    {SITE ROOT "plans = gold\n", "t.ini:8: unknown key plans in [location]\n"},
    {SITE ROOT "trailers = on\nbuffer_size = 1k\n",
	"t.ini:8: trailers = on: write one of: drop pass\n"
	"t.ini:9: buffer_size = 1k: out of range: 4k to 256k\n"},
    {SITE ROOT "upgrade = websocket h2c HTTP/2.0 TLS/1.0 h2 web@socket a/ "
	       "WebSocket\n",
	"t.ini:8: upgrade: h2c: it would carry requests past the allowlist\n"
	"t.ini:8: upgrade: HTTP/2.0: it would carry requests past the "
	"allowlist\n"
	"t.ini:8: upgrade: TLS/1.0: it would carry requests past the "
	"allowlist\n"
	"t.ini:8: upgrade: h2: it would carry requests past the allowlist\n"
	"t.ini:8: upgrade: web@socket: not the name of a protocol, such as "
	"websocket\n"
	"t.ini:8: upgrade: a/: not the name of a protocol, such as "
	"websocket\n"
	"t.ini:8: upgrade: WebSocket: it stands here twice\n"},
    {SITE ROOT "rate = 100\n", "t.ini:8: rate = 100: " RATE_FORM},
    {SITE ROOT "rate = 100/h\n", "t.ini:8: rate = 100/h: " RATE_FORM},
    {SITE ROOT "rate = /s\n", "t.ini:8: rate = /s: " RATE_FORM},
    {SITE ROOT "rate = -1/s\n", "t.ini:8: rate = -1/s: " RATE_FORM},
    {SITE ROOT "rate = 1/s 2\n", "t.ini:8: rate = 1/s 2: " RATE_FORM},
    {SITE ROOT "rate = 1/s burst\n", "t.ini:8: rate = 1/s burst: " RATE_FORM},
    {SITE ROOT "rate = 1/s burst=2\n",
	"t.ini:8: rate = 1/s burst=2: " RATE_FORM},
    {SITE ROOT "rate = 1/s burst 2 3\n",
	"t.ini:8: rate = 1/s burst 2 3: " RATE_FORM},
    {SITE ROOT "rate = none burst 2\n",
	"t.ini:8: rate = none burst 2: " RATE_FORM},
    {SITE ROOT "rate = 0/s\n",
	"t.ini:8: rate = 0/s: out of range: 1 to 100000\n"},
    {SITE ROOT "rate = 100001/m\n",
	"t.ini:8: rate = 100001/m: out of range: 1 to 100000\n"},
    {SITE ROOT "rate = 5/s burst 0\n",
	"t.ini:8: rate = 5/s burst 0: out of range: a burst is 1 to "
	"1000000\n"},
    {SITE ROOT "rate = 5/s burst 1000001\n",
	"t.ini:8: rate = 5/s burst 1000001: out of range: a burst is 1 to "
	"1000000\n"},
    {SITE ROOT "rate = 1/m burst 1441\n",
	"t.ini:8: rate = 1/m burst 1441: such a burst takes more than a day "
	"to come again\n"},
    {SITE ROOT "rate = 1/s\nrate = 2/s\n",
	"t.ini:9: rate stands twice in this section, first on line 8\n"},
    {SITE ROOT "upgrade = a b c d e f g h i\n",
	"t.ini:8: upgrade: i: too many protocols: a location has room for "
	"8\n"},
    {SITE "tunnel_timeout = 8d\n" ROOT,
	"t.ini:6: tunnel_timeout = 8d: out of range: 1s to 7d\n"},
    {"[site]\nlisten = *:80\nstamp = sign\n" ROOT "options = answer\n",
	"t.ini:3: unknown key stamp in [site]\n"
	"t.ini:4: no upstream for this location: add 'upstream = NAME' here "
	"or to [site]\n"},
    {SITE "mode = report\ngrant = none\n" ROOT "path_case = exact\n",
	"t.ini:6: unknown key mode in [upstream]: it is a key of [site]\n"
	"t.ini:7: unknown key grant in [upstream]: it is a key of "
	"[location]\n"
	"t.ini:10: unknown key path_case in [location]: it is a key of "
	"[site]\n"},
    {SITE ROOT "mode = reports\noverride = allow\nform_hold = 17m\n"
	       "redirects = keep\nbody_on_get = refuse\n",
	"t.ini:8: mode = reports: did you mean report?\n"
	"t.ini:9: override = allow: write one of: enforce deny strip flag\n"
	"t.ini:10: form_hold = 17m: out of range: 0 to 16m\n"
	"t.ini:11: redirects = keep: write one of: flag preserve pass\n"
	"t.ini:12: body_on_get = refuse: write one of: flag deny\n"},
    {"[site]\nlisten = *:80\nmode = off\npath_case = fold\nmode = report\n"
     "[location /]\nallow = none\n",
	"t.ini:3: mode = off: write one of: enforce report\n"
	"t.ini:4: path_case = fold: write one of: both exact\n"
	"t.ini:5: mode stands twice in this section, first on line 3\n"},
    {"[site]\nlisten = *:80\npath_params = a, b=c a\npath_params = b%20 +\n"
     "path_params = p1 p2 p3 p4 p5 p6 p7 p8 p9 p10 p11 p12 p13 p14 p15 p16\n"
     "[location /]\nallow = none\n",
	"t.ini:3: path_params: b=c" BAD_PARAM
	"t.ini:3: path_params: a: it stands here twice\n"
	"t.ini:4: path_params: b%20" BAD_PARAM
	"t.ini:4: path_params: +" BAD_PARAM
	"t.ini:5: path_params: p16: too many parameters: a site has room for "
	"16\n"},
    {SITE "head_timeout = 4s\n" ROOT,
	"t.ini:6: unknown key head_timeout in [upstream]: it is a key of "
	"[gate]\n"},
    {SITE ROOT "Options = answer\n",
	"t.ini:8: unknown key Options in [location]: did you mean options?\n"},
    {SITE ROOT "options = answer\noptions = answer\n",
	"t.ini:9: options stands twice in this section, first on line 8\n"},
    {SITE "[location /]\nallow =\n[location /x]\noptions = answer\n",
	"t.ini:7: allow has no value\nt.ini:8: " NO_ALLOW},
    {SITE "[location /]\n", "t.ini:6: " NO_ALLOW},
    {SITE "transport = pigeon\n" ROOT,
	"t.ini:6: transport = pigeon: write one of: evhttp native\n"},
    {SITE "idle_max = 100001\nidle_timeout = 9\n" ROOT,
	"t.ini:6: idle_max = 100001: out of range: 0 to 100000\n"
	"t.ini:7: idle_timeout = 9: not a time: write a number with s, m, h "
	"or d, such as 9s\n"},
    {SITE ROOT "options = maybe\nbody_limit = 10x\nbody_limit = 1\n",
	"t.ini:8: options = maybe: write one of: forward answer\n"
	"t.ini:9: body_limit = 10x: " BAD_SIZE
	"t.ini:10: body_limit stands twice in this section, first on line "
	"9\n"},
    {SITE ROOT "body_limit = 99999999999999999999\n",
	"t.ini:8: body_limit = 99999999999999999999: out of range: 0 to "
	"1024g\n"},
    {SITE ROOT "body_limit = 18014398509481984k\n",
	"t.ini:8: body_limit = 18014398509481984k: out of range: 0 to "
	"1024g\n"},
    {"[gate]\nhead_timeout = 10\nidle_timeout = 0\nbody_timeout = 100ms\n"
     "write_timeout = soon\nmin_rate = 0\nhead_limit = 64K\n"
     "target_limit = 2g\nmax_connections = -1\nhead_fields = 12k\n"
     "drain_timeout = 2d\nlog_level = Info\n" SITE ROOT,
	"t.ini:2: head_timeout = 10: " BAD_TIME "10s\n"
	"t.ini:3: idle_timeout = 0: out of range: 1s to 1d\n"
	"t.ini:4: body_timeout = 100ms: " BAD_TIME "100s\n"
	"t.ini:5: write_timeout = soon: " BAD_TIME "10s\n"
	"t.ini:6: min_rate = 0: out of range: 1 to 1g\n"
	"t.ini:7: head_limit = 64K: " BAD_SIZE
	"t.ini:8: target_limit = 2g: out of range: 16 to 1m\n"
	"t.ini:9: max_connections = -1: not a number\n"
	"t.ini:10: head_fields = 12k: not a number\n"
	"t.ini:11: drain_timeout = 2d: out of range: 0 to 1d\n"
	"t.ini:12: log_level = Info: did you mean info?\n"},
    {"[gate]\nworkers = 0\n" SITE ROOT,
	"t.ini:2: workers = 0: out of range: 1 to 64\n"},
    {"[gate]\nworkers = 65\n" SITE ROOT,
	"t.ini:2: workers = 65: out of range: 1 to 64\n"},
    {"[gate]\nworkers = Auto\n" SITE ROOT,
	"t.ini:2: workers = Auto: not a number nor auto\n"},
    {SITE "connect_timeout = 5\n" ROOT,
	"t.ini:6: connect_timeout = 5: not a time: write a number with ms, "
	"s, m, h or d, such as 5s\n"},
    {"[gate]\naccess_log = stdout\nping = ping\nping = off\n"
     "request_id_header = a b\n" SITE ROOT,
	"t.ini:2: access_log = stdout: write off, stderr, or the path of a "
	"file, such as /var/log/methodgate/access.log\n"
	"t.ini:3: ping = ping: write off, or a path, such as /-/ping\n"
	"t.ini:4: ping stands twice in this section, first on line 3\n"
	"t.ini:5: request_id_header = a b: not the name of a field of at "
	"most 64 bytes, such as X-Request-Id\n"},
    {"[gate]\nrequest_id_header = content-LENGTH\nping = /a?b\n" SITE ROOT,
	"t.ini:2: request_id_header = content-LENGTH: this field has a "
	"meaning of its own; write another, such as X-Request-Id\n"
	"t.ini:3: ping = /a?b: write off, or a path, such as /-/ping\n"},
    {"[gate]\ntrusted_proxies = 10.0.0.0/8 x, 10.0.0.0/33\n" SITE ROOT,
	"t.ini:2: trusted_proxies: x is no network: write 10.0.0.0/8, ::1 "
	"or unix\n"
	"t.ini:2: trusted_proxies: 10.0.0.0/33 is no network: write "
	"10.0.0.0/8, ::1 or unix\n"},
    {"[site]\nlisten = *:80\nname = a/b\nvia = a b\nerror_cache = always\n"
     "error_format = jsn\nforwarded = none\nhead = yes\n"
     "[location /]\nallow = none\n",
	"t.ini:3: name = a/b: at most 64 letters, digits, '-', '_' and '.'\n"
	"t.ini:4: via = a b: write off, or a pseudonym of at most 64 bytes "
	"without blanks\n"
	"t.ini:5: error_cache = always: write no-store, heuristic, or "
	"max-age=N with N seconds, a year at most\n"
	"t.ini:6: error_format = jsn: did you mean json?\n"
	"t.ini:7: forwarded = none: write one of: x-forwarded rfc7239 off\n"
	"t.ini:8: head = yes: write one of: explicit with-get\n"},
};

#define BAD_PATH ": not unix: and an absolute path of at most 107 bytes\n"
#define NO_PROXIES ": proxy takes the word of trusted_proxies only, and no "
#define ADD_PROXIES " is there: add one to [gate], such as 'trusted_proxies = "
#define BAD_LISTEN_PATH ": not unix: and an absolute path of at most 99 bytes\n"
#define FIFTY "12345678901234567890123456789012345678901234567890"

static const struct refusal bad_values[] = {
    {"[site]\nlisten = unix:/a mode=8 owner=root: colour=red\n"
     "listen = unix:/b mode=0999 owner=:\nlisten = unix:/b mode=1777\n"
     "listen = *:80 mode=0600\nlisten = unix:/c unix:/d mode=0600\n"
     "listen = mode=0600\nlisten = mode=0600 unix:/e\n[location /]\nallow = "
     "none\n",
	"t.ini:2: listen: mode=8: write three or four octal digits up to "
	"0777, such as mode=0660\n"
	"t.ini:2: listen: owner=root:: no such user or group; write "
	"owner=user:group\n"
	"t.ini:2: listen: no option colour=red: there are tls, proxy, mode= "
	"and "
	"owner=\n"
	"t.ini:3: listen: mode=0999: write three or four octal digits up to "
	"0777, such as mode=0660\n"
	"t.ini:3: listen: owner=:: no such user or group; write "
	"owner=user:group\n"
	"t.ini:4: listen: mode=1777: write three or four octal digits up to "
	"0777, such as mode=0660\n"
	"t.ini:4: listen unix:/b stands twice in this site, first on line 3\n"
	"t.ini:5: listen: mode=0600 is for unix sockets\n"
	"t.ini:6: listen: options stand behind one address: write each "
	"address on a line of its own\n"
	"t.ini:7: listen: options stand behind one address: write each "
	"address on a line of its own\n"
	"t.ini:8: listen: options stand behind one address: write each "
	"address on a line of its own\n"},
    {"[site]\nlisten = unix:/" FIFTY "12345678901234567890123456789012345"
     "6789012345678\nlisten = unix:/" FIFTY
     "123456789012345678901234567890123456789012345678+\n"
     "[location /]\nallow = none\n",
	"t.ini:3: listen unix:/" FIFTY "1234..." BAD_LISTEN_PATH},
    {"[site]\nlisten = *:80 proxy\nlisten = unix:/a proxy mode=0600\n"
     "listen = *:81\n[location /]\nallow = none\n",
	"t.ini:2: listen *:80" NO_PROXIES "network" ADD_PROXIES "10.0.0.0/8'\n"
	"t.ini:3: listen unix:/a" NO_PROXIES "'unix'" ADD_PROXIES "unix'\n"},
    {"[gate]\ntrusted_proxies = unix\n[site]\nlisten = *:80 proxy\n"
     "listen = unix:/a proxy\nlisten = proxy *:81\nlisten = *:82 proxies\n"
     "listen = *:83 *:84 proxy\n[location /]\nallow = none\n",
	"t.ini:4: listen *:80" NO_PROXIES "network" ADD_PROXIES "10.0.0.0/8'\n"
	"t.ini:6: listen: options stand behind one address: write each "
	"address on a line of its own\n"
	"t.ini:7: listen proxies" BAD_LISTEN
	"t.ini:8: listen: options stand behind one address: write each "
	"address on a line of its own\n"
	"t.ini:8: listen *:83" NO_PROXIES "network" ADD_PROXIES
	"10.0.0.0/8'\n"},
    {"[gate]\ntrusted_proxies = 10.0.0.0/8 ::1\n[site]\n"
     "listen = 127.0.0.1:80 proxy\nlisten = unix:/a proxy\n"
     "[location /]\nallow = none\n",
	"t.ini:5: listen unix:/a" NO_PROXIES "'unix'" ADD_PROXIES "unix'\n"},
    {"[site]\nlisten = unix:x unix:\nlisten = localhost:80 127.0.0.1:0 "
     "127.0.0.1\n"
     "listen = *:80 :80\n[location /]\nallow = none\n",
	"t.ini:2: listen unix:x" BAD_LISTEN_PATH
	"t.ini:2: listen unix:" BAD_LISTEN_PATH
	"t.ini:3: listen localhost:80" BAD_LISTEN
	"t.ini:3: listen 127.0.0.1:0" BAD_LISTEN
	"t.ini:3: listen 127.0.0.1" BAD_LISTEN
	"t.ini:4: listen :80 stands twice in this site, first on line 4\n"},
    {"[site]\nlisten = *:80\nhost = a.example A.example\nhost = * a.*.b\n"
     "host = *.* x:80 a. .a [::1]:80 a/b *\n[location /]\nallow = none\n",
	"t.ini:3: host A.example stands twice in this site, first on line 3\n"
	"t.ini:4: host a.*.b" BAD_STAR "t.ini:5: host *.*" BAD_STAR
	"t.ini:5: host x:80: write it without the port: 'listen' has that\n"
	"t.ini:5: host a.: write it without the '.' at its end\n"
	"t.ini:5: host .a" BAD_HOST
	"t.ini:5: host [::1]:80: write it without the port: 'listen' has "
	"that\n"
	"t.ini:5: host a/b" BAD_HOST
	"t.ini:5: host * stands twice in this site, first on line 4\n"},
    {"[site]\nlisten = *:80\nupstream = a\n[upstream a]\n"
     "server = unix:x 1.2.3.400:80 :80 *:80\nserver = app app:0 app:70000\n"
     "server = weight=3\n"
     "server = app:80 weight=0\nserver = app:80 max=1000001 spare=1\n"
     "server = app:80 b:80 backup\nserver = backup app:80\n"
     "server = app:80 send-proxy-v3\nserver = app:80 b:80 send-proxy\n" ROOT,
	"t.ini:5: server unix:x" BAD_PATH
	"t.ini:5: server 1.2.3.400:80" BAD_SERVER
	"t.ini:5: server :80" BAD_SERVER "t.ini:5: server *:80" BAD_SERVER
	"t.ini:6: server app" BAD_SERVER "t.ini:6: server app:0" BAD_SERVER
	"t.ini:6: server app:70000" BAD_SERVER "t.ini:7: " ALONE
	"t.ini:8: server: no option weight=0: " OPTIONS
	"t.ini:9: server: no option max=1000001: " OPTIONS
	"t.ini:9: server: no option spare=1: " OPTIONS "t.ini:10: " ALONE
	"t.ini:11: " ALONE "t.ini:12: server: no option send-proxy-v3: " OPTIONS
	"t.ini:13: " ALONE},
    {"[site]\nlisten = *:80\nupstream = a\n[upstream a]\n"
     "server = a:80 backup\nserver = b:80 backup weight=2\n"
     "health = well\nretries = 11\nbalance = random\n"
     "health_rise = 0\nhealth_fall = 101\nhealth_interval = 500\n" ROOT,
	"t.ini:5: all servers of this upstream are backups: one at least has "
	"to be none\n"
	"t.ini:7: health = well: write off, or what to GET, such as /healthz\n"
	"t.ini:8: retries = 11: out of range: 0 to 10\n"
	"t.ini:9: balance = random: write one of: roundrobin leastconn\n"
	"t.ini:10: health_rise = 0: out of range: 1 to 100\n"
	"t.ini:11: health_fall = 101: out of range: 1 to 100\n"
	"t.ini:12: health_interval = 500: not a time: write a number with s, "
	"m, h or d, such as 500s\n"},
    {"[site]\nlisten = *:80\nupstream = ap\n[upstream app]\n"
     "transport = evhttp\n" ROOT "upstream = other\n",
	"t.ini:3: no [upstream ap] in this file: did you mean app?\n"
	"t.ini:4: server is missing: add one, such as 'server = "
	"127.0.0.1:3000'\n"
	"t.ini:8: no [upstream other] in this file\n"},
    {SITE ROOT ROOT, "t.ini:8: location / stands twice, first on line 6\n"},
    {SITE "[location = /a]\nallow = GET\n[location /a]\nallow = GET\n"
	  "[location x]\npath = /a\nallow = GET\n[location = y]\n"
	  "allow = GET\npath = /a\n",
	"t.ini:11: location /a stands twice, first on line 8\n"
	"t.ini:15: location = /a stands twice, first on line 6\n"},
    {SITE "[location x]\npath = /a\nallow = GET\n[location X]\npath = /b\n"
	  "allow = GET\n",
	"t.ini:9: [location X] stands twice (in whatever case), first on "
	"line 6\n"},
    {SITE "[location x]\nallow = GET\n",
	"t.ini:6: [location x] has no pattern: a pattern begins with '/'; a "
	"name needs 'path = /...' below\n"},
    {SITE "[location /x]\nallow = GET\npath = /y\n",
	"t.ini:8: path: the section header has a pattern already; give it a "
	"name in its place, such as [location reports]\n"},
    {SITE "[location /a b]\nallow = GET\n[location /a?b]\nallow = GET\n"
	  "[location /a#b]\nallow = GET\n[location /\xc3\xa9]\nallow = GET\n"
	  "[location x]\nallow = GET\npath = a\n",
	"t.ini:6: /a b" BAD_PATTERN "t.ini:8: /a?b" BAD_PATTERN
	"t.ini:10: /a#b" BAD_PATTERN "t.ini:12: /??" BAD_PATTERN
	"t.ini:16: a" BAD_PATTERN},
};

static const struct refusal bad_field_names[] = {
    {FLAG_HEADER("X Flags"),
	"t.ini:3: flag_header = X Flags: not the name of a field of at most "
	"64 bytes, such as X-Method-Flags\n"},
    {FLAG_HEADER("Content_Length"), IS_TAKEN("Content_Length")},
    {FLAG_HEADER("via"), IS_TAKEN("via")},
    {FLAG_HEADER("X-HTTP_Method-Override"), IS_TAKEN("X-HTTP_Method-Override")},
    {FLAG_HEADER("X_Forwarded_Prefix"), IS_TAKEN("X_Forwarded_Prefix")},
    {FLAG_HEADER("X-Rewrite-URL"), IS_TAKEN("X-Rewrite-URL")},
    {FLAG_HEADER("x_request-ID"), IS_REQUEST_ID("3", "x_request-ID")},
    {"[gate]\nrequest_id_header = X-Flags\n" FLAG_HEADER("X_Flags"),
	IS_REQUEST_ID("5", "X_Flags")},
    {"[gate]\nrequest_id_header = X.Method.Override\n" SITE ROOT,
	"t.ini:2: request_id_header = X.Method.Override: this field has a "
	"meaning of its own; write another, such as X-Request-Id\n"},
};

static const struct refusal bad_grants[] = {
    {SITE ROOT "grant = DELETE\ngrant = until 2030-01-31\n"
	       "grant = DELETE until\ngrant = DELETE till 2030-01-31\n",
	"t.ini:8: grant = DELETE" BAD_GRANT
	"t.ini:9: grant = until 2030-01-31" BAD_GRANT
	"t.ini:10: grant = DELETE until" BAD_GRANT
	"t.ini:11: grant = DELETE till 2030-01-31" BAD_GRANT},
    {SITE ROOT "grant = TRACE until 2030-01-31\n",
	"t.ini:8: grant: TRACE can't be allowed: it reflects a request, "
	"cookies and credentials included\n"},
    {SITE ROOT "grant = @rets until 2030-01-31\n",
	"t.ini:8: grant: no set @rets: did you mean @rest? The sets are " SETS},
    {SITE ROOT "grant = DELETE, PURGE until 2030-01-31\n",
	"t.ini:8: unknown method PURGE: one that is not registered is named "
	"by 'methods' in [site]\n"},
    {SITE ROOT "grant = PUT until 2030-01-31 caf\xc3\xa9\n",
	"t.ini:8: grant: the note caf?? is not visible ASCII\n"},
    /* It ends, and `allow` still says what holds then. */
    {SITE "[location /]\ngrant = GET until 2030-01-31\n", "t.ini:6: " NO_ALLOW},
    {"[site]\nlisten = *:80\n[location /]\nallow = none\n"
     "grant = GET until 2030-01-31\n",
	"t.ini:3: no upstream for this location: add 'upstream = NAME' here "
	"or to [site]\n"},
};

static const char *const no_days[] = {"2030-02-29", "2100-02-29", "2030-13-01",
    "2030-00-10", "2030-04-31", "2030-04-00", "2030-4-3", "31.01.2030",
    "2030-01-3x", "2030-01-311", "+203-01-31", "2030/01/31"};

#define WRITES "[location /]\nallow = @rest\nrewrite_method = "

static const struct refusal bad_rewriting[] = {
    {SITE WRITES "PATCH\n", "t.ini:8: rewrite_method = PATCH" BAD_REWRITE},
    {SITE WRITES "PATCH ->\n",
	"t.ini:8: rewrite_method = PATCH ->" BAD_REWRITE},
    {SITE WRITES "PATCH to POST\n",
	"t.ini:8: rewrite_method = PATCH to POST" BAD_REWRITE},
    {SITE WRITES "PATCH->POST\n",
	"t.ini:8: rewrite_method = PATCH->POST" BAD_REWRITE},
    {SITE WRITES "PATCH -> POST PUT\n",
	"t.ini:8: rewrite_method = PATCH -> POST PUT" BAD_REWRITE},
    {SITE WRITES "PATCH -> POST\nrewrite_method = PUT -> POST\n",
	"t.ini:9: rewrite_method stands twice in this section, first on line "
	"8\n"},
    {SITE WRITES "patch -> PURGE\n",
	"t.ini:8: unknown method patch: methods are compared byte for byte; "
	"did you mean PATCH?\n"
	"t.ini:8: unknown method PURGE: one that is not registered is named "
	"by 'methods' in [site]\n"},
    {SITE WRITES "PATCH -> PATCH\n",
	"t.ini:8: rewrite_method: PATCH stays PATCH: write two methods, or "
	"leave it out\n"},
    {SITE WRITES "HEAD -> OPTIONS\n", NEVER("HEAD") NEVER("OPTIONS")},
    {SITE WRITES "TRACE -> CONNECT\n", NEVER("TRACE") NEVER("CONNECT")},
    {SITE WRITES "SEARCH -> LINK\n", NOT_HERE("SEARCH") NOT_HERE("LINK")},
    /* The grant would end, and the rewriting go on. */
    {SITE WRITES "PATCH -> LINK\ngrant = LINK until 2030-01-31\n",
	NOT_HERE("LINK")},
};

static const struct refusal bad_reporting[] = {
    /* There it would have been answered; now it must go somewhere. */
    {"[site]\nlisten = *:80\nmode = report\n[location /]\nallow = none\n"
     "[location /x]\nallow = none\nmode = enforce\n[location /y]\n"
     "allow = none\noptions = answer\n",
	"t.ini:4: no upstream for this location: add 'upstream = NAME' here "
	"or to [site]\n"
	"t.ini:9: no upstream for this location: add 'upstream = NAME' here "
	"or to [site]\n"},
};

static const struct refusal bad_methods[] = {
    {SITE "[location /]\nallow = CONNECT TRACE PRI GET\n",
	"t.ini:7: allow: CONNECT can't be allowed: it opens a tunnel whose "
	"content nobody judges\n"
	"t.ini:7: allow: TRACE can't be allowed: it reflects a request, "
	"cookies and credentials included\n"
	"t.ini:7: allow: PRI can't be allowed: it is part of the preface of "
	"HTTP/2, and no method\n"},
    {SITE "[location /]\nallow = @reed @x GET\n",
	"t.ini:7: allow: no set @reed: did you mean @read? The sets are " SETS
	"t.ini:7: allow: no set @x: the sets are " SETS},
    {SITE "[location /]\nallow = GET\nallow = none\n"
	  "[location /x]\nallow = none none\n",
	"t.ini:8: allow: none stands alone or not at all\n"
	"t.ini:10: allow: none stands alone or not at all\n"},
    {SITE "[location /]\nallow = get GETT\nallow = PURGE G@T\n",
	"t.ini:7: unknown method get: methods are compared byte for byte; "
	"did you mean GET?\n"
	"t.ini:7: unknown method GETT: did you mean GET?" BY_METHODS
	"t.ini:8: unknown method PURGE: one that is not registered is named "
	"by 'methods' in [site]\n"
	"t.ini:8: unknown method G@T: did you mean GET?" BY_METHODS},
    {"[site]\nlisten = *:80\nmethods = GET get PURGE PURGE a(b\n"
     "methods = Xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n[location /]\n"
     "allow = purge PURG\nupstream = a\n[upstream a]\nserver = a:80\n",
	"t.ini:3: methods: GET: it is registered, and needs no place here\n"
	"t.ini:3: methods: get: only case sets it apart from a registered "
	"method, and many applications take it for that one\n"
	"t.ini:3: methods: PURGE: it stands here twice\n"
	"t.ini:3: methods: a(b: not a token of RFC 9110, such as PURGE\n"
	"t.ini:4: methods: Xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: longer than 32 "
	"bytes\n"
	"t.ini:6: unknown method purge: methods are compared byte for byte; "
	"did you mean PURGE?\n"
	"t.ini:6: unknown method PURG: did you mean PURGE?" BY_METHODS},
    {"[site]\nlisten = *:80\nmethods = M1 M2 M3 M4 M5 M6 M7 M8 M9 M10 M11\n"
     "methods = M12 M13 M14 M15 M16 M17 M18 M19 M20 M21 M22 M23 M24 M25\n"
     "[location /]\nallow = none\n",
	"t.ini:4: methods: M25: too many methods: a site has room for 24 of "
	"its own\n"},
};

#define LISTEN(address, server)                                                \
	"[site]\nlisten = " address "\nupstream = a\n[upstream a]\nserver "    \
	"= " server "\n[location /]\nallow = @read\n"

static const struct refusal bad_loops[] = {
    {LISTEN("127.0.0.1:80", "127.0.0.1:80 127.0.0.1:81 127.0.0.2:80"),
	"t.ini:5: server 127.0.0.1:80" GOES_ROUND},
    {LISTEN("127.0.0.1:80", "0.0.0.0:80 [::]:80"),
	"t.ini:5: server 0.0.0.0:80" GOES_ROUND},
    {LISTEN("[::1]:80", "[::]:80 0.0.0.0:80 127.0.0.1:80"),
	"t.ini:5: server [::]:80" GOES_ROUND},
    {LISTEN("*:80", "127.0.0.1:80 [::1]:80 127.9.9.9:80 192.0.2.1:80"),
	"t.ini:5: server 127.0.0.1:80" GOES_ROUND
	"t.ini:5: server [::1]:80" GOES_ROUND
	"t.ini:5: server 127.9.9.9:80" GOES_ROUND},
    {LISTEN("[::]:80", "127.0.0.1:80 [::1]:80"),
	"t.ini:5: server [::1]:80" GOES_ROUND},
    {LISTEN("0.0.0.0:80", "127.0.0.1:80 [::1]:80 192.0.2.1:80"),
	"t.ini:5: server 127.0.0.1:80" GOES_ROUND},
    {LISTEN("192.0.2.1:80", "192.0.2.1:80 127.0.0.1:80"),
	"t.ini:5: server 192.0.2.1:80" GOES_ROUND},
    {LISTEN("unix:/run/a mode=600", "unix:/run/b unix:/run/a unix:/run/A"),
	"t.ini:5: server unix:/run/a" GOES_ROUND},
};

static void
expect_refusals(const struct refusal *rows, size_t count)
{
	struct config_report report;
	struct config *config;
	char seen[8192];
	size_t i;

	for (i = 0; i < count; i++) {
		config = read_guarded(rows[i].text, &report);
		ck_assert_msg(config == NULL, "taken: %s", rows[i].text);
		ck_assert_uint_gt(report.error_count, 0);
		report.warning_count = 0;
		join(&report, seen, sizeof(seen));
		ck_assert_str_eq(seen, rows[i].messages);
		config_report_done(&report);
	}
}

START_TEST(bad_sections_are_refused_by_line)
{
	expect_refusals(bad_sections, COUNT(bad_sections));
}
END_TEST

START_TEST(bad_keys_are_refused_by_line)
{
	expect_refusals(bad_keys, COUNT(bad_keys));
}
END_TEST

START_TEST(bad_names_and_addresses_are_refused_by_line)
{
	expect_refusals(bad_values, COUNT(bad_values));
}
END_TEST

START_TEST(names_of_fields_that_mean_something_are_refused)
{
	expect_refusals(bad_field_names, COUNT(bad_field_names));
}
END_TEST

START_TEST(bad_grants_are_refused_by_line)
{
	expect_refusals(bad_grants, COUNT(bad_grants));
}
END_TEST

START_TEST(a_grant_ends_on_a_day_that_there_is)
{
	char text[512], message[128];
	struct refusal row = {text, message};
	size_t i;

	for (i = 0; i < COUNT(no_days); i++) {
		snprintf(text, sizeof(text), "%sgrant = PUT until %s\n",
		    SITE ROOT, no_days[i]);
		snprintf(message, sizeof(message),
		    "t.ini:8: grant: there is no day %s: write it as "
		    "2030-01-31\n",
		    no_days[i]);
		expect_refusals(&row, 1);
	}
}
END_TEST

START_TEST(bad_rewriting_is_refused_by_line)
{
	expect_refusals(bad_rewriting, COUNT(bad_rewriting));
}
END_TEST

START_TEST(report_mode_needs_an_upstream)
{
	expect_refusals(bad_reporting, COUNT(bad_reporting));
}
END_TEST

START_TEST(bad_methods_are_refused_by_line)
{
	expect_refusals(bad_methods, COUNT(bad_methods));
}
END_TEST

START_TEST(a_server_that_is_the_gate_itself_is_refused)
{
	expect_refusals(bad_loops, COUNT(bad_loops));
}
END_TEST

static const struct refusal warnings[] = {
    {SITE ROOT, ""},
    {SITE ROOT "[location /x]\nallow = @rest\n", ""},
    {SITE "[location /]\nallow = POST\n",
	"t.ini:1: warning: no location of this site allows GET: 'GET /' is "
	"answered 501, and search engines drop such a site\n"},
    {SITE "[location /]\nallow = POST\n[location /x]\nallow = GET\n",
	"t.ini:6: warning: 'GET /' is answered 405 here, and search engines "
	"drop such a site\n"},
    {SITE "[location /x]\nallow = GET\n", ""},
    {SITE ROOT "[location /x/*]\nallow = GET\n[location = /x/y/z]\n"
	       "allow = GET POST PUT\n[location /x/y]\nallow = DELETE\n",
	"t.ini:10: warning: location /x/y/z allows GET, POST, PUT, which /x/y "
	"around it (t.ini:12) does not\n"},
    {SITE ROOT "[location /x]\nallow = GET\n[location /x/y]\nallow = GET\n"
	       "options = answer\n",
	""},
    {SITE ROOT "[location /img*]\nallow = GET\n[location /*/b]\n"
	       "allow = GET\n",
	"t.ini:8: warning: location /img*: a '*' stands for a whole segment "
	"only; here it is an ordinary byte\n"},
    {SITE ROOT "[location /b/]\nallow = GET\n[location = /c/]\n"
	       "allow = GET\n",
	"t.ini:8: warning: location /b/ does not cover /b/x: without the '/' "
	"at its end it would\n"},
    {SITE ROOT "[upstream spare]\nserver = a:80\n",
	"t.ini:8: warning: [upstream spare] is not used\n"},
    {"[site]\nerror_cache = heuristic\nlisten = *:80\nupstream = a\n"
     "[upstream a]\nserver = a:80\n" ROOT,
	"t.ini:2: warning: error_cache = heuristic: caches may keep a 405 or "
	"501 as long as they like, also when the method is allowed by then\n"},
    {"[gate]\ntrusted_proxies = 10.0.0.0/8, unix, 0.0.0.0/0\n"
     "trusted_proxies = ::/0\n" SITE ROOT,
	"t.ini:2: warning: trusted_proxies: with 0.0.0.0/0 any client can "
	"claim any address\n"
	"t.ini:3: warning: trusted_proxies: with ::/0 any client can claim "
	"any address\n"},
    {"[gate]\ntrusted_proxies = none\n" SITE ROOT, ""},
    {"[site]\nlisten = *:80\nupstream = a\n[upstream a]\n"
     "transport = evhttp\nserver = a:80\nserver = unix:/run/a weight=2\n" ROOT,
	"t.ini:7: warning: server unix:/run/a: evhttp carries nothing to a "
	"unix socket: this upstream is carried natively\n"},
    {"[site]\nlisten = *:80\nupstream = a\n[upstream a]\n"
     "transport = evhttp\nserver = b:80\nserver = a:80 send-proxy\n" ROOT,
	"t.ini:7: warning: server a:80: evhttp sends no PROXY header: this "
	"upstream is carried natively\n"},
    {"[site]\nlisten = *:80\nupstream = a\n[upstream a]\n"
     "server = a:80 send-proxy-v2\n" ROOT,
	""},
    {"[site]\nlisten = *:80\nupstream = a\n[upstream a]\n"
     "server = unix:/run/a\n" ROOT,
	""},
    {"[site]\nlisten = *:80\nhost = a.example *.a.example www.a.example\n"
     "host = b.example\n[location /]\nallow = GET\nupstream = a\n"
     "[upstream a]\nserver = a:80\n",
	"t.ini:3: warning: host www.a.example adds nothing: this site has it "
	"by a '*' already\n"},
    {"[site]\nlisten = *:80\nhost = localhost *\nhost = *.x.b *.b\n"
     "[location /]\nallow = GET\nupstream = a\n[upstream a]\n"
     "server = a:80\n",
	"t.ini:3: warning: host localhost adds nothing: this site has it by "
	"a '*' already\n"
	"t.ini:4: warning: host *.x.b adds nothing: this site has it by a "
	"'*' already\n"
	"t.ini:4: warning: host *.b adds nothing: this site has it by a '*' "
	"already\n"},
};

#define EXACT_CASE                                                             \
	"[site]\nlisten = *:80\nupstream = a\npath_case = exact\n"             \
	"[upstream a]\nserver = a:80\n"
#define FORMS "[location /]\nallow = @form\n"

static const struct refusal pattern_warnings[] = {
    /* What PHP and CGI read as another path, where more is allowed. */
    {SITE FORMS "[location = /a.php]\nallow = GET\n",
	"t.ini:8: warning: location = /a.php does not take POST, but / "
	"(t.ini:6) does for /a.php/x, which PHP and CGI run as the same: "
	"without the '=' this location would hold there too\n"},
    {SITE FORMS "[location = /a.php]\nallow = POST\n", ""},
    {SITE FORMS "[location /a.php]\nallow = GET\n", ""},
    {SITE FORMS "[location = /a]\nallow = GET\n[location = /.b]\n"
		"allow = GET\n[location = /a.b/]\nallow = GET\n",
	""},
    {SITE FORMS "[location = /a.php]\nallow = GET\n[location /a.php]\n"
		"allow = @read @query\n",
	""},
    /* Letter case: the default holds a path to both. */
    {SITE FORMS "[location /Admin]\nallow = GET\n", ""},
    {EXACT_CASE FORMS "[location /Admin]\nallow = GET\n",
	"t.ini:9: warning: location /Admin does not take POST, but / "
	"(t.ini:7) does for /ADMIN, which many applications take for the "
	"same: path_case = both holds it to this location too\n"},
    {EXACT_CASE FORMS "[location = /A/*]\nallow = none\n",
	"t.ini:9: warning: location /A/* does not take POST, but / "
	"(t.ini:7) does for /a/*, which many applications take for the "
	"same: path_case = both holds it to this location too\n"},
    {EXACT_CASE FORMS "[location /1/2]\nallow = GET\n", ""},
    {EXACT_CASE ROOT "[location /admin]\nallow = none\n", ""},
    /* Two that only case sets apart. */
    {SITE ROOT "[location /a]\nallow = GET POST\n[location /A]\n"
	       "allow = GET PUT\n",
	"t.ini:8: warning: location /a allows POST in vain: /A (t.ini:10), "
	"which only letter case sets apart, does not, and both hold\n"
	"t.ini:10: warning: location /A allows PUT in vain: /a (t.ini:8), "
	"which only letter case sets apart, does not, and both hold\n"},
    {EXACT_CASE ROOT "[location /a]\nallow = GET\n[location /A]\n"
		     "allow = GET\n",
	""},
    /* Paths that are always refused. */
    {SITE ROOT "[location /a%20b]\nallow = GET\n",
	"t.ini:8: warning: location /a%20b is never reached: servers read "
	"that path as /a b too, which is elsewhere, so it is answered 400\n"},
    {SITE ROOT "[location /a//b]\nallow = GET\n[location /c/../d]\n"
	       "allow = GET\n[location = /e;f]\nallow = GET\n",
	"t.ini:8: warning: location /a//b is never reached: servers read "
	"that path as /a/b too, which is elsewhere, so it is answered 400\n"
	"t.ini:10: warning: location /c/../d is never reached: servers read "
	"that path as /d too, which is elsewhere, so it is answered 400\n"
	"t.ini:12: warning: location /e;f is never reached: servers read "
	"that path as /e too, which is elsewhere, so it is answered 400\n"},
    {SITE ROOT "[location /%00]\nallow = GET\n",
	"t.ini:8: warning: location /%00 is never reached: such a path is "
	"answered 400\n"},
    {SITE ROOT "[location /v1.2/a.b]\nallow = GET\n[location /.well-known]\n"
	       "allow = GET\n",
	""},
    {"[gate]\nping = /ok\n" SITE ROOT "[location = /ok]\nallow = GET\n"
     "[location /ok]\nallow = GET\n",
	"t.ini:10: warning: location /ok: 'ping' of [gate] answers GET and "
	"HEAD there before it\n"},
    {"[gate]\nping = /ok\n" SITE FORMS "[location = /ok]\nallow = POST\n", ""},
};

static const struct refusal overlap_warnings[] = {
    {SITE ROOT "[location /internal]\nallow = none\n[location /*/export]\n"
	       "allow = POST\n",
	"t.ini:10: warning: location /*/export decides for /internal/export "
	"too, and allows POST, which /internal (t.ini:8) does not\n"},
    /* One that says more of the path decides. */
    {SITE ROOT "[location /internal]\nallow = none\n[location /*/export]\n"
	       "allow = POST\n[location /internal/export]\nallow = none\n",
	""},
    {SITE ROOT "[location /internal]\nallow = none\n[location /*/export]\n"
	       "allow = none\n[location /internal/*]\nallow = none\n",
	""},
    /* Leftmost literal; exact before prefix; deeper first. */
    {SITE ROOT "[location /a/*]\nallow = POST\n[location /*/b]\n"
	       "allow = GET\n",
	"t.ini:8: warning: location /a/* decides for /a/b too, and allows "
	"POST, which /*/b (t.ini:10) does not\n"},
    {SITE ROOT "[location /a/*]\nallow = GET\n[location /*/b]\n"
	       "allow = @form\n",
	""},
    {SITE ROOT "[location /a/b]\nallow = GET\n[location = /*/b]\n"
	       "allow = @form\n",
	"t.ini:10: warning: location /*/b decides for /a/b too, and allows "
	"POST, which /a/b (t.ini:8) does not\n"},
    {SITE ROOT "[location = /a/b]\nallow = GET\n[location /*/b]\n"
	       "allow = @form\n[location /*/b/c]\nallow = @form\n",
	""},
    {SITE ROOT "[location /users/me]\nallow = GET\n"
	       "[location /users/*/orders/*]\nallow = @form\n",
	"t.ini:10: warning: location /users/*/orders/* decides for "
	"/users/me/orders/* too, and allows POST, which /users/me (t.ini:8) "
	"does not\n"},
    /* What is around the pattern; no path in common; an empty segment. */
    {SITE ROOT "[location /users/*]\nallow = GET\n[location /users]\n"
	       "allow = GET\n[location /users/*/orders]\nallow = GET\n"
	       "[location = /*/x]\nallow = POST\n[location /y/z]\n"
	       "allow = GET\n[location = //x]\nallow = none\n",
	"t.ini:14: warning: location /*/x decides for /users/x too, and "
	"allows POST, which /users/* (t.ini:8) does not\n"
	"t.ini:18: warning: location //x is never reached: servers read that "
	"path as /x too, which is elsewhere, so it is answered 400\n"},
    /* The first one is enough. */
    {SITE ROOT "[location /a]\nallow = none\n[location /b]\nallow = none\n"
	       "[location /*/c]\nallow = @form\n",
	"t.ini:12: warning: location /*/c decides for /a/c too, and allows "
	"GET, HEAD, POST, which /a (t.ini:8) does not\n"},
};

static const struct refusal method_warnings[] = {
    {SITE "[location /]\nallow = @webdav BIND\n",
	"t.ini:6: warning: location / allows BIND: what lies here can be made "
	"reachable under other paths, where other locations decide (RFC "
	"5842)\n"},
    {SITE ROOT "grant = REBIND UNBIND until 2030-01-31\n",
	"t.ini:6: warning: location / allows REBIND: what lies here can be "
	"made reachable under other paths, where other locations decide (RFC "
	"5842)\n"},
    {SITE "[location /]\nallow = @rest\nrewrite_method = PATCH -> POST\n",
	"t.ini:8: warning: methods are rewritten here: PATCH goes upstream "
	"as POST, and each such request is flagged method_rewritten\n"},
    {SITE ROOT "grant = @form until 2030-01-31\n",
	"t.ini:8: warning: grant of GET, HEAD changes nothing: 'allow' has "
	"that already, without an end\n"},
    {"[site]\nlisten = *:80\nmode = report\n[location /x]\nallow = GET\n"
     "upstream = a\n[location = /]\nallow = GET\nupstream = a\n"
     "[upstream a]\nserver = a:80\n",
	"t.ini:1: warning: mode = report: paths without a location are "
	"answered 404 even so, as this [site] names no upstream\n"},
    {"[site]\nlisten = *:80\nmode = report\n[location /]\nallow = GET\n"
     "upstream = a\n[upstream a]\nserver = a:80\n",
	""},
    {SITE ROOT "mode = report\noverride = flag\nbody_on_get = deny\n", ""},
};

static void
expect_warnings(const struct refusal *rows, size_t count)
{
	struct config_report report;
	struct config *config;
	char seen[4096];
	size_t i;

	for (i = 0; i < count; i++) {
		config = read_guarded(rows[i].text, &report);
		join(&report, seen, sizeof(seen));
		ck_assert_str_eq(seen, rows[i].messages);
		ck_assert_ptr_nonnull(config);
		config_report_done(&report);
		config_unref(config);
	}
}

START_TEST(what_is_legal_but_suspicious_is_warned_of)
{
	expect_warnings(warnings, COUNT(warnings));
}
END_TEST

START_TEST(patterns_that_others_read_differently_are_warned_of)
{
	expect_warnings(pattern_warnings, COUNT(pattern_warnings));
}
END_TEST

START_TEST(patterns_that_reach_into_another_location_are_warned_of)
{
	expect_warnings(overlap_warnings, COUNT(overlap_warnings));
}
END_TEST

START_TEST(rewriting_bindings_and_idle_grants_are_warned_of)
{
	expect_warnings(method_warnings, COUNT(method_warnings));
}
END_TEST

START_TEST(defaults_are_those_of_the_manual)
{
	struct config *config = good(SITE ROOT);
	const struct gate_config *gate = &config->gate;
	const struct site *site = config->sites[0];
	const struct upstream_config *upstream = config->upstreams[0];

	ck_assert(slice_eq(gate->access_log, SLICE("stderr")));
	ck_assert_int_eq(gate->access_log_format, LOG_FORMAT_JSON);
	ck_assert_int_eq(gate->access_log_select, LOG_SELECT_ALL);
	ck_assert_int_eq(gate->access_log_query, LOG_QUERY_FULL);
	ck_assert_int_eq(gate->log_level, LOG_INFO);
	ck_assert_uint_eq(gate->workers, 0);
	ck_assert_uint_eq(gate->max_connections, 10000);
	ck_assert_uint_eq(gate->max_connections_per_client, 0);
	ck_assert_uint_eq(gate->head_limit, 32768);
	ck_assert_uint_eq(gate->head_fields, 100);
	ck_assert_uint_eq(gate->target_limit, 8192);
	ck_assert_uint_eq(gate->head_timeout, 10000);
	ck_assert_uint_eq(gate->idle_timeout, 75000);
	ck_assert_uint_eq(gate->resolve, 30000);
	ck_assert_uint_eq(gate->body_timeout, 30000);
	ck_assert_uint_eq(gate->write_timeout, 30000);
	ck_assert_uint_eq(gate->min_rate, 1024);
	ck_assert_uint_eq(gate->drain_timeout, 30000);
	ck_assert_uint_eq(gate->tunnel_drain, 5000);
	ck_assert_uint_eq(gate->ping.len, 0);
	ck_assert_uint_eq(gate->trusted_proxy_count, 0);
	ck_assert(slice_eq(gate->request_id_header, SLICE("X-Request-Id")));
	ck_assert(slice_eq(site->rules.name, SLICE("t")));
	ck_assert_uint_eq(site->host_count, 1);
	ck_assert(slice_eq(site->hosts[0], SLICE("*")));
	ck_assert(site->head_with_get);
	ck_assert_int_eq(site->forwarded, FORWARDED_X);
	ck_assert(slice_eq(site->via, SLICE("methodgate")));
	ck_assert(site->via_on_responses);
	ck_assert_int_eq(site->error_cache, ERROR_CACHE_NO_STORE);
	ck_assert_int_eq(site->error_format, ERROR_FORMAT_AUTO);
	ck_assert_int_eq(site->clients, TLS_CLIENTS_OFF);
	ck_assert_int_eq(site->tls_min, TLS_VERSION_1_2);
	ck_assert_uint_eq(site->certificate_header.len, 0);
	ck_assert_int_eq(site->rules.redirect_https, HTTPS_OFF);
	ck_assert(!config->listens[0]->tls);
	ck_assert(!upstream->tls && upstream->tls_verify);
	ck_assert_int_eq(upstream->transport, TRANSPORT_NATIVE);
	ck_assert_uint_eq(upstream->servers[0].weight, 1);
	ck_assert_uint_eq(upstream->servers[0].max, 0);
	ck_assert(!upstream->servers[0].backup);
	ck_assert_int_eq(upstream->balance, BALANCE_ROUNDROBIN);
	ck_assert_uint_eq(upstream->retries, 1);
	ck_assert_uint_eq(upstream->health.target.len, 0);
	ck_assert_uint_eq(upstream->health.interval, 5000);
	ck_assert_uint_eq(upstream->health.rise, 2);
	ck_assert_uint_eq(upstream->health.fall, 3);
	ck_assert_uint_eq(upstream->idle_max, 64);
	ck_assert_uint_eq(upstream->idle_timeout, 4000);
	ck_assert_uint_eq(upstream->connect_timeout, 3000);
	ck_assert_uint_eq(upstream->response_timeout, 60000);
	ck_assert_uint_eq(upstream->body_timeout, 60000);
	ck_assert_uint_eq(upstream->tunnel_timeout, 3600000);
	ck_assert_uint_eq(upstream->response_head_limit, 65536);
	ck_assert_uint_eq(upstream->evhttp_body_limit, 1048576);
	ck_assert_uint_eq(site->locations[0]->rules.body_limit, 0);
	ck_assert(!site->locations[0]->rules.options_answer);
	config_unref(config);
}
END_TEST

static void
expect_defaults(const struct location *location)
{
	ck_assert_uint_eq(location->form_hold, 65536);
	ck_assert_uint_eq(location->buffer_size, 65536);
	ck_assert(!location->trailers_pass);
	ck_assert_uint_eq(location->upgrade_count, 0);
	ck_assert_uint_eq(location->rules.rate.number, 0);
	ck_assert_int_eq(location->redirects, REDIRECTS_FLAG);
	ck_assert_uint_eq(location->rewrite_line, 0);
	ck_assert_uint_eq(location->rules.rewrite_from, METHOD_NONE);
	ck_assert_uint_eq(location->rules.rewrite_to, METHOD_NONE);
	ck_assert_uint_eq(location->rules.grant_count, 0);
	ck_assert(!location->rules.deny_body_on_get);
}

START_TEST(by_default_overrides_are_enforced_and_nothing_is_rewritten)
{
	struct config *config = good(SITE ROOT);
	const struct site *site = config->sites[0];
	const struct location *location = site->locations[0];

	expect_defaults(location);
	ck_assert(!location->rules.report);
	ck_assert_int_eq(location->rules.override, OVERRIDE_MODE_ENFORCE);
	ck_assert(!site->rules.report);
	ck_assert(!site->path_case_exact);
	ck_assert_uint_eq(site->rules.path_param_count, 0);
	ck_assert_uint_eq(site->flag_header.len, 0);
	ck_assert_uint_eq(site->rules.granted, 0);
	config_unref(config);
}
END_TEST

START_TEST(report_mode_has_somewhere_to_go_without_a_location)
{
	struct config *config = good(SITE "[location /x]\nallow = GET\n");
	const struct site *site = config->sites[0];
	const struct location *fallback = location_of(site->rules.fallback);

	ck_assert_ptr_nonnull(fallback);
	expect_defaults(fallback);
	ck_assert_ptr_eq(fallback->site, site);
	ck_assert_ptr_eq(fallback->upstream, config->upstreams[0]);
	ck_assert_uint_eq(fallback->rules.pattern.len, 0);
	ck_assert_uint_eq(fallback->rules.allow, 0);
	ck_assert(fallback->rules.report);
	ck_assert_int_eq(fallback->rules.override, OVERRIDE_MODE_FLAG);
	ck_assert_str_eq(fallback->rules.file, "t.ini");
	ck_assert_uint_eq(fallback->rules.line, 1);
	config_unref(config);
	config = good("[site]\nlisten = *:80\n[location /]\nallow = GET\n"
		      "upstream = a\n[upstream a]\nserver = a:80\n");
	ck_assert_ptr_null(config->sites[0]->rules.fallback);
	config_unref(config);
}
END_TEST

START_TEST(the_mode_of_a_location_is_its_own_or_the_site_s)
{
	static const char *const texts[] = {SITE ROOT
	    "mode = report\n[location /x]\nallow = GET\n",
	    "[location /]\nallow = GET\n[location /x]\nallow = GET\n"
	    "mode = enforce\n[upstream a]\nserver = a:80\n[site]\n"
	    "listen = *:80\nupstream = a\nmode = report\n"};
	size_t i;

	for (i = 0; i < COUNT(texts); i++) {
		struct config *config = good(texts[i]);
		const struct site *site = config->sites[0];

		ck_assert_uint_eq(site->rules.report, i);
		ck_assert(site->locations[0]->rules.report);
		ck_assert(!site->locations[1]->rules.report);
		config_unref(config);
	}
}
END_TEST

START_TEST(rewriting_takes_the_site_s_own_methods)
{
	struct config *config =
	    good("[location /]\nallow = GET PURGE\n"
		 "rewrite_method = PURGE -> BAN\nallow = BAN\n[location /x]\n"
		 "allow = GET\nrewrite_method = none\n[upstream a]\n"
		 "server = a:80\n[site]\nlisten = *:80\nupstream = a\n"
		 "methods = PURGE BAN\n");
	struct location **locations = config->sites[0]->locations;

	ck_assert_uint_eq(locations[0]->rules.rewrite_from, METHOD_REGISTERED);
	ck_assert_uint_eq(
	    locations[0]->rules.rewrite_to, METHOD_REGISTERED + 1);
	ck_assert_uint_eq(locations[0]->rewrite_line, 3);
	expect_defaults(locations[1]);
	config_unref(config);
}
END_TEST

static const struct {
	const char *date;
	time_t end;
} ends[] = {
    {"1969-12-31", 0},
    {"1970-01-01", 86400},
    {"1999-12-31", 946684800},
    {"2000-02-28", 951782400},
    {"2000-02-29", 951868800},
    {"2000-12-31", 978307200},
    {"2027-01-31", 1801440000},
    {"2028-02-29", 1835481600},
    {"2030-12-31", 1924992000},
    {"2100-02-28", 4107542400},
    {"2400-02-29", 13574649600},
    {"9999-12-31", 253402300800},
    {"0000-01-01", -62167132800},
};

START_TEST(a_grant_ends_with_its_day_in_utc)
{
	char text[512];
	size_t i;

	for (i = 0; i < COUNT(ends); i++) {
		struct config *config;
		const struct grant *grant;

		snprintf(text, sizeof(text), "%sgrant = PUT until %s\n",
		    SITE ROOT, ends[i].date);
		config = good(text);
		grant = config->sites[0]->locations[0]->rules.grants;
		ck_assert_int_eq(grant->until, ends[i].end);
		ck_assert_int_eq(
		    config->sites[0]->rules.granted_until[METHOD_PUT],
		    ends[i].end);
		config_unref(config);
	}
}
END_TEST

START_TEST(grants_add_up_and_bring_head_with_get)
{
	struct config *config =
	    good("[location /]\nallow = none\ngrant = none\n"
		 "grant = PUT, DELETE until 2030-02-01,  by Ann;  OPS-1 ; cut\n"
		 "[location /x]\nallow = POST\ngrant = PUT until 2030-01-01\n"
		 "grant = @read PURGE until 2030-01-02 -\n"
		 "[site]\nlisten = *:80\nupstream = a\nmethods = PURGE\n"
		 "[upstream a]\nserver = a:80\n");
	const struct site_rules *site = &config->sites[0]->rules;
	const struct location_rules *root =
					&config->sites[0]->locations[0]->rules,
				    *x = &config->sites[0]->locations[1]->rules;
	method_set first = method_bit(METHOD_PUT) | method_bit(METHOD_DELETE),
		   last = method_bit(METHOD_GET) | method_bit(METHOD_HEAD) |
			  method_bit(METHOD_REGISTERED);
	time_t february = 1896220800, day = 86400;

	ck_assert_uint_eq(root->allow, 0);
	ck_assert_uint_eq(root->grant_count, 1);
	ck_assert_uint_eq(root->grants[0].methods, first);
	ck_assert_uint_eq(root->grants[0].line, 4);
	ck_assert(slice_eq(root->grants[0].note, SLICE("by Ann;  OPS-1")));
	ck_assert_uint_eq(x->grant_count, 2);
	ck_assert_uint_eq(x->grants[1].methods, last);
	ck_assert_uint_eq(x->grants[0].note.len, 0);
	ck_assert(slice_eq(x->grants[1].note, SLICE("-")));
	ck_assert_uint_eq(site->granted, first | last);
	ck_assert_uint_eq(site->supported, method_bit(METHOD_POST));
	ck_assert_int_eq(site->granted_until[METHOD_PUT], february);
	ck_assert_int_eq(site->granted_until[METHOD_HEAD], february - 30 * day);
	ck_assert_uint_eq(policy_allowed(root, february - 1), first);
	ck_assert_uint_eq(policy_allowed(root, february), 0);
	ck_assert_uint_eq(
	    policy_supported(site, february), method_bit(METHOD_POST));
	config_unref(config);
}
END_TEST

START_TEST(patterns_that_differ_by_case_hold_together)
{
	struct config *config =
	    good(SITE ROOT "[location /Docs/A]\nallow = GET PUT\n"
			   "[location /docs/a]\nallow = GET DELETE\n"
			   "[location /DOCS/A]\nallow = GET PUT\n"
			   "[location = /docs/A]\nallow = POST\n");
	const struct site *site = config->sites[0];
	const struct location_rules *found;
	unsigned seen = 0;

	ck_assert(site->rules.has_upper);
	ck_assert(!site->rules.has_slash);
	found = trie_find(site->rules.folded, SLICE("/docs/a/x"));
	for (; found != NULL; found = found->folded_next)
		seen += found->line;
	ck_assert_uint_eq(seen, 8 + 10 + 12);
	found = trie_find(site->rules.folded, SLICE("/docs/a"));
	ck_assert_ptr_eq(found, &site->locations[4]->rules);
	ck_assert_ptr_null(found->folded_next);
	/* What all three have in common, and that one. */
	ck_assert_uint_eq(
	    trie_below(site->rules.folded, SLICE("/docs/a/x")) & 0xff,
	    method_bit(METHOD_GET) | method_bit(METHOD_HEAD));
	ck_assert_uint_eq(
	    trie_below(site->rules.locations, SLICE("/Docs")) & 0xff,
	    method_bit(METHOD_GET) | method_bit(METHOD_HEAD));
	ck_assert_uint_eq(
	    trie_below(site->rules.folded, SLICE("/docs")) & 0xff, 0);
	config_unref(config);
}
END_TEST

START_TEST(one_trie_is_enough_without_upper_case)
{
	struct config *config = good(SITE ROOT "[location /b/]\nallow = GET\n");
	const struct site_rules *rules = &config->sites[0]->rules;

	ck_assert(!rules->has_upper);
	ck_assert(rules->has_slash);
	ck_assert_ptr_eq(rules->folded, rules->locations);
	config_unref(config);
	config = good("[site]\nlisten = *:80\npath_case = exact\n"
		      "[location /A]\nallow = none\n[location = /]\n"
		      "allow = none\n");
	rules = &config->sites[0]->rules;
	ck_assert_ptr_null(rules->folded);
	ck_assert(rules->has_upper);
	ck_assert(!rules->has_slash);
	config_unref(config);
}
END_TEST

/* No value is a default, so that a key that goes nowhere is seen. */
static const char every_key[] = "[gate]\n"
				"sites = none/*.ini\n"
				"access_log = /var/log/a b\n"
				"access_log_format = combined\n"
				"access_log_select = flagged\n"
				"access_log_query = names\n"
				"log_level = debug\n"
				"max_connections = 7\n"
				"max_connections_per_client = 3\n"
				"head_limit = 1k\n"
				"head_fields = 3\n"
				"target_limit = 17\n"
				"head_timeout = 1s\n"
				"idle_timeout = 2m\n"
				"body_timeout = 3h\n"
				"write_timeout = 1d\n"
				"min_rate = 2m\n"
				"drain_timeout = 0\n"
				"ping = /-/ping\n"
				"trusted_proxies = 10.0.0.0/8, unix\n"
				"resolve = 9s\n"
				"trusted_proxies = ::1\n"
				"request_id_header = X-Trace\n"
				"workers = 3\n"
				"[site]\n"
				"name = shop\n"
				"listen = 127.0.0.1:8080, [::1]:8080\n"
				"listen = 127.0.0.1:8081\n"
				"host = Shop.example *.shop.example\n"
				"host = [::1]\n"
				"upstream = app\n"
				"head = explicit\n"
				"methods = PURGE\n"
				"forwarded = rfc7239\n"
				"via = gate\n"
				"error_cache = max-age=300\n"
				"error_format = text\n"
				"mode = report\n"
				"path_case = exact\n"
				"path_params = rest_route, q[0]\n"
				"path_params = page\n"
				"flag_header = X-Flags\n"
				"[upstream app]\n"
				"server = 127.0.0.1:3000, app.example:3000\n"
				"server = [::1]:3000 weight=3 max=20 backup\n"
				"transport = evhttp\n"
				"connect_timeout = 50ms\n"
				"response_timeout = 5s\n"
				"body_timeout = 6s\n"
				"response_head_limit = 2k\n"
				"evhttp_body_limit = 1g\n"
				"tunnel_timeout = 2h\n"
				"balance = leastconn\n"
				"retries = 2\n"
				"health = /well?now\n"
				"health_interval = 7s\n"
				"health_rise = 4\n"
				"health_fall = 5\n"
				"[upstream other]\n"
				"server = 127.0.0.1:4000\n"
				"[location long]\n"
				"path = /a/b\n"
				"allow = GET PURGE\n"
				"options = answer\n"
				"upstream = other\n"
				"body_limit = 5g\n"
				"grant = DELETE until 2027-01-31 OPS-123\n"
				"buffer_size = 128k\n"
				"trailers = pass\n"
				"upgrade = websocket, mqtt/5\n"
				"rate = 90/m burst 30\n"
				"mode = enforce\n"
				"override = strip\n"
				"form_hold = 16m\n"
				"rewrite_method = PURGE -> GET\n"
				"redirects = preserve\n"
				"body_on_get = deny\n";

START_TEST(every_key_of_the_gate_lands_in_its_place)
{
	struct config *config = good(every_key);
	const struct gate_config *gate = &config->gate;

	ck_assert(slice_eq(gate->access_log, SLICE("/var/log/a b")));
	ck_assert_int_eq(gate->access_log_format, LOG_FORMAT_COMBINED);
	ck_assert_int_eq(gate->access_log_select, LOG_SELECT_FLAGGED);
	ck_assert_int_eq(gate->access_log_query, LOG_QUERY_NAMES);
	ck_assert_int_eq(gate->log_level, LOG_DEBUG);
	ck_assert_uint_eq(gate->workers, 3);
	ck_assert_uint_eq(gate->max_connections, 7);
	ck_assert_uint_eq(gate->max_connections_per_client, 3);
	ck_assert_uint_eq(gate->head_limit, 1024);
	ck_assert_uint_eq(gate->head_fields, 3);
	ck_assert_uint_eq(gate->target_limit, 17);
	ck_assert_uint_eq(gate->head_timeout, 1000);
	ck_assert_uint_eq(gate->idle_timeout, 120000);
	ck_assert_uint_eq(gate->body_timeout, 3 * 3600000);
	ck_assert_uint_eq(gate->write_timeout, 24 * 3600000);
	ck_assert_uint_eq(gate->min_rate, 2 * 1024 * 1024);
	ck_assert_uint_eq(gate->drain_timeout, 0);
	ck_assert(slice_eq(gate->ping, SLICE("/-/ping")));
	ck_assert_uint_eq(gate->trusted_proxy_count, 3);
	ck_assert_uint_eq(gate->trusted_proxies[0].bits, 104);
	ck_assert_uint_eq(gate->trusted_proxies[1].bits, 255);
	ck_assert_uint_eq(gate->trusted_proxies[2].bits, 128);
	ck_assert(slice_eq(gate->request_id_header, SLICE("X-Trace")));
	config_unref(config);
}
END_TEST

START_TEST(a_count_may_be_a_word_instead)
{
	struct config *config = good("[gate]\nworkers = auto\n" SITE ROOT);

	ck_assert_uint_eq(config->gate.workers, 0);
	config_unref(config);
}
END_TEST

START_TEST(every_key_of_a_site_lands_in_its_place)
{
	struct config *config = good(every_key);
	const struct site *site = config->sites[0];

	ck_assert_uint_eq(config->site_count, 1);
	ck_assert(slice_eq(site->rules.name, SLICE("shop")));
	ck_assert_str_eq(site->rules.file, "t.ini");
	ck_assert_uint_eq(site->rules.line, 25);
	ck_assert_uint_eq(config->listen_count, 3);
	ck_assert_uint_eq(site->listen_count, 3);
	ck_assert(slice_eq(site->listens[1]->text, SLICE("[::1]:8080")));
	ck_assert_uint_eq(site->listens[2]->line, 28);
	ck_assert_uint_eq(addr_port(&site->listens[2]->addr), 8081);
	ck_assert_uint_eq(site->host_count, 3);
	ck_assert(slice_eq(site->hosts[2], SLICE("[::1]")));
	ck_assert_ptr_eq(
	    hosts_find(site->listens[2]->door, SLICE("x.SHOP.example")),
	    &site->rules);
	ck_assert_ptr_null(
	    hosts_find(site->listens[2]->door, SLICE("example")));
	ck_assert(slice_eq(site->upstream->name, SLICE("app")));
	ck_assert(!site->head_with_get);
	ck_assert_uint_eq(site->rules.own.count, 1);
	ck_assert(slice_eq(site->rules.own.name[0], SLICE("PURGE")));
	ck_assert_int_eq(site->forwarded, FORWARDED_RFC7239);
	ck_assert(slice_eq(site->via, SLICE("gate")));
	ck_assert(site->via_on_responses);
	ck_assert_int_eq(site->error_cache, ERROR_CACHE_MAX_AGE);
	ck_assert_uint_eq(site->error_max_age, 300);
	ck_assert_int_eq(site->error_format, ERROR_FORMAT_TEXT);
	ck_assert(site->rules.report);
	ck_assert(site->path_case_exact);
	ck_assert_uint_eq(site->rules.path_param_count, 3);
	ck_assert(slice_eq(site->rules.path_params[1], SLICE("q[0]")));
	ck_assert(slice_eq(site->rules.path_params[2], SLICE("page")));
	ck_assert(slice_eq(site->flag_header, SLICE("X-Flags")));
	config_unref(config);
}
END_TEST

START_TEST(every_key_of_upstreams_and_locations_lands_in_its_place)
{
	struct config *config = good(every_key);
	const struct upstream_config *app = config->upstreams[0];
	const struct site *site = config->sites[0];
	const struct location *location = site->locations[0];
	method_set allow =
	    method_bit(METHOD_GET) | method_bit(METHOD_REGISTERED);

	ck_assert_uint_eq(config->upstream_count, 2);
	ck_assert_uint_eq(config->upstreams[1]->index, 1);
	ck_assert_uint_eq(app->server_count, 3);
	ck_assert(slice_eq(app->servers[1].host, SLICE("app.example:3000")));
	ck_assert_uint_eq(app->servers[0].addr_count, 1);
	ck_assert_uint_eq(addr_port(&app->servers[0].addrs[0]), 3000);
	ck_assert_uint_eq(app->servers[1].addr_count, 0); /* no look-up */
	ck_assert_uint_eq(app->servers[2].line, 45);
	ck_assert_uint_eq(app->servers[0].weight, 1);
	ck_assert_uint_eq(app->servers[2].weight, 3);
	ck_assert_uint_eq(app->servers[2].max, 20);
	ck_assert(app->servers[2].backup);
	ck_assert_int_eq(app->balance, BALANCE_LEASTCONN);
	ck_assert_uint_eq(app->retries, 2);
	ck_assert(slice_eq(app->health.target, SLICE("/well?now")));
	ck_assert_uint_eq(app->health.interval, 7000);
	ck_assert_uint_eq(app->health.rise, 4);
	ck_assert_uint_eq(app->health.fall, 5);
	ck_assert_uint_eq(app->connect_timeout, 50);
	ck_assert_uint_eq(app->response_timeout, 5000);
	ck_assert_uint_eq(app->body_timeout, 6000);
	ck_assert_uint_eq(app->response_head_limit, 2048);
	ck_assert_uint_eq(app->evhttp_body_limit, 1 << 30);
	ck_assert_uint_eq(app->line, 43);
	ck_assert(slice_eq(location->rules.pattern, SLICE("/a/b")));
	ck_assert(location->rules.options_answer);
	ck_assert_uint_eq(location->rules.written, allow);
	allow |= method_bit(METHOD_OPTIONS);
	ck_assert_uint_eq(location->rules.allow, allow);
	ck_assert_uint_eq(site->rules.supported, allow);
	ck_assert_uint_eq(location->rules.body_limit, UINT64_C(5) << 30);
	ck_assert_ptr_eq(location->upstream, config->upstreams[1]);
	ck_assert_str_eq(location->rules.file, "t.ini");
	ck_assert_uint_eq(location->rules.line, 61);
	ck_assert_uint_eq(app->tunnel_timeout, 7200000);
	ck_assert_uint_eq(location->buffer_size, 131072);
	ck_assert(location->trailers_pass);
	ck_assert_uint_eq(location->upgrade_count, 2);
	ck_assert(slice_eq(location->upgrade[0], SLICE("websocket")));
	ck_assert(slice_eq(location->upgrade[1], SLICE("mqtt/5")));
	ck_assert_uint_eq(location->rules.rate.number, 90);
	ck_assert_uint_eq(location->rules.rate.seconds, 60);
	ck_assert_uint_eq(location->rules.rate.burst, 30);
	ck_assert_uint_eq(location->rules.rate_place,
	    buckets_place(site->rules.name, SLICE("/a/b"), false));
	ck_assert_ptr_eq(
	    trie_find(site->rules.locations, SLICE("/a/b/c")), location);
	config_unref(config);
}
END_TEST

START_TEST(a_rate_is_a_number_and_perhaps_a_burst)
{
	static const struct {
		const char *text;
		uint32_t number, seconds, burst;
	} rows[] = {
	    {"none", 0, 0, 0},
	    {"1/s", 1, 1, 1},
	    {"100/s burst 200", 100, 1, 200},
	    {"100/m\tburst   1", 100, 60, 1},
	    {"100000/s burst 1000000", 100000, 1, 1000000},
	    {"1/m burst 1440", 1, 60, 1440},
	    {"100000/m", 100000, 60, 100000},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bucket_rate rate = {0};
		const char *why =
		    config_rate_read(slice_of(rows[i].text), &rate);

		ck_assert_msg(why == NULL, "%s: %s", rows[i].text, why);
		ck_assert_uint_eq(rate.number, rows[i].number);
		ck_assert_uint_eq(rate.seconds, rows[i].seconds);
		ck_assert_uint_eq(rate.burst, rows[i].burst);
	}
}
END_TEST

START_TEST(every_key_about_bypasses_lands_in_its_place)
{
	struct config *config = good(every_key);
	const struct location *location = config->sites[0]->locations[0];
	const struct location_rules *rules = &location->rules;

	ck_assert_uint_eq(rules->grant_count, 1);
	ck_assert_uint_eq(rules->grants[0].methods, method_bit(METHOD_DELETE));
	ck_assert_int_eq(rules->grants[0].until, 1801440000);
	ck_assert(slice_eq(rules->grants[0].note, SLICE("OPS-123")));
	ck_assert_uint_eq(rules->grants[0].line, 67);
	ck_assert(!rules->report);
	ck_assert_int_eq(rules->override, OVERRIDE_MODE_STRIP);
	ck_assert_uint_eq(location->form_hold, 16 << 20);
	ck_assert_uint_eq(rules->rewrite_from, METHOD_REGISTERED);
	ck_assert_uint_eq(rules->rewrite_to, METHOD_GET);
	ck_assert_uint_eq(location->rewrite_line, 75);
	ck_assert_int_eq(location->redirects, REDIRECTS_PRESERVE);
	ck_assert(rules->deny_body_on_get);
	config_unref(config);
}
END_TEST

START_TEST(via_off_keeps_the_pseudonym_for_requests)
{
	struct config *config =
	    good("[site]\nlisten = *:80\nvia = off\nupstream = a\n"
		 "[upstream a]\nserver = a:80\n" ROOT);

	ck_assert(!config->sites[0]->via_on_responses);
	ck_assert(slice_eq(config->sites[0]->via, SLICE("methodgate")));
	config_unref(config);
}
END_TEST

START_TEST(the_site_takes_its_name_from_the_file)
{
	static const char *const rows[][2] = {
	    {"shop.ini", "shop"},
	    {"/etc/methodgate/sites/shop.example.ini", "shop.example"},
	    {"a b*.ini", "a_b_"},
	    {"shop.conf", "shop.conf"},
	    {".ini", ".ini"},
	    {"x/", "site"},
	};
	struct config_report report;
	struct config *config;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		config =
		    config_read_text(rows[i][0], SLICE(SITE ROOT), &report);
		ck_assert_ptr_nonnull(config);
		ck_assert_msg(slice_eq(config->sites[0]->rules.name,
				  slice_of(rows[i][1])),
		    "%s", rows[i][0]);
		config_report_done(&report);
		config_unref(config);
	}
}
END_TEST

START_TEST(a_configuration_lives_as_long_as_its_references)
{
	struct config *config = good(SITE ROOT);

	ck_assert_ptr_eq(config_ref(config), config);
	config_unref(config);
	ck_assert(slice_eq(config->sites[0]->rules.name, SLICE("t")));
	config_unref(config);
	config_unref(NULL);
}
END_TEST

#define MANY 100000
#define FEW 20000

/* Half of the patterns stand twice, and each allows what nobody knows. */
START_TEST(a_hundred_errors_are_told_and_the_rest_counted)
{
	size_t size = FEW * 64 + 512, len;
	char *text = mem_alloc(size);
	struct config_report report;
	unsigned i;

	len = (size_t)snprintf(text, size, "%s", SITE);
	for (i = 0; i < FEW; i++)
		len += (size_t)snprintf(text + len, size - len,
		    "[location /a%u]\nallow = GET GIT\n", i % (FEW / 2));
	ck_assert_ptr_null(
	    config_read_text("t.ini", (struct slice){text, len}, &report));
	ck_assert_uint_eq(report.error_count, 101);
	ck_assert_str_eq(report.errors[0],
	    "t.ini:7: unknown method GIT: did you mean GET?"
	    " (a method that is not registered is named by 'methods' in "
	    "[site])");
	ck_assert_str_eq(report.errors[100], "t.ini: 29900 more errors");
	config_report_done(&report);
	free(text);
}
END_TEST

START_TEST(a_hundred_thousand_locations_are_all_there)
{
	size_t size = MANY * 64 + 512, len;
	char *text = mem_alloc(size), path[64];
	const struct location *found;
	struct config *config;
	unsigned i;

	len = (size_t)snprintf(text, size, "%s%s", SITE, ROOT);
	for (i = 0; i < MANY; i++)
		len += (size_t)snprintf(text + len, size - len,
		    "[location /v%u/thing%u]\nallow = GET %s\n", i % 50, i,
		    i % 3 == 0 ? "PUT" : "@form");
	config = good(text);
	ck_assert_uint_eq(config->sites[0]->location_count, MANY + 1);
	for (i = 0; i < MANY; i++) {
		len = (size_t)snprintf(
		    path, sizeof(path), "/v%u/thing%u", i % 50, i);
		found = trie_find(config->sites[0]->rules.locations,
		    (struct slice){path, len});
		ck_assert_ptr_eq(found, config->sites[0]->locations[i + 1]);
		ck_assert_uint_eq(found->rules.line, 8 + 2 * i);
	}
	config_unref(config);
	free(text);
}
END_TEST

#define STARS 1500

/* Two million pairs: 1332 patterns, each with all 1501 locations. */
START_TEST(who_compares_too_many_patterns_says_so)
{
	size_t size = STARS * 64 + 512, len;
	char *text = mem_alloc(size);
	struct config_report report;
	unsigned i;

	len = (size_t)snprintf(text, size, "%s%s", SITE, ROOT);
	for (i = 0; i < STARS; i++)
		len += (size_t)snprintf(text + len, size - len,
		    "[location /a%u/*]\nallow = GET\n", i);
	config_unref(
	    config_read_text("t.ini", (struct slice){text, len}, &report));
	ck_assert_uint_eq(report.error_count, 0);
	ck_assert_uint_eq(report.warning_count, 1);
	ck_assert_str_eq(report.warnings[0],
	    "t.ini:1: warning: too many patterns with '*' to compare: none "
	    "from /a1332/* (line 2672) on was checked for overlaps");
	config_report_done(&report);
	free(text);
}
END_TEST

/* Files. The folder's name has a sign that glob would take for its own. */

static char folder[] = "/tmp/methodgate-[x]-XXXXXX";

static void
put(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void
make_folder(void)
{
	char path[64];

	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/sites", folder);
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void
drop_folder(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static time_t reading_time; /* 0: by the clock */

/* Reads a file of the folder; the messages come without the folder's name. */
static struct config *
read_file(const char *name, bool resolve, char *messages, size_t size)
{
	struct config_options options = {
	    .resolve = resolve, .now = reading_time};
	size_t cut = strlen(folder) + 1;
	struct config_report report;
	struct config *config;
	char path[128], *at;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	config = config_read(path, &options, &report);
	join(&report, messages, size);
	ck_assert(config != NULL || report.error_count > 0);
	config_report_done(&report);
	snprintf(path, sizeof(path), "%s/", folder);
	while ((at = strstr(messages, path)) != NULL)
		memmove(at, at + cut, strlen(at + cut) + 1);
	return config;
}

static void
expect_file(const char *name, const char *wanted, unsigned sites)
{
	char messages[4096];
	struct config *config =
	    read_file(name, false, messages, sizeof(messages));

	ck_assert_str_eq(messages, wanted);
	ck_assert_uint_eq(config != NULL ? config->site_count : 0, sites);
	config_unref(config);
}

#define SITE_OF(host)                                                          \
	"[site]\nlisten = 127.0.0.1:8080\nhost = " host "\nupstream = app\n"   \
	"[upstream app]\nserver = 127.0.0.1:3000\n"

START_TEST(site_files_are_found_beside_the_gate_file)
{
	char messages[1024];
	struct config *config;
	const struct hosts *door;

	put("gate.ini", "[gate]\n");
	put("sites/b.ini", SITE_OF("b") ROOT);
	put("sites/a.ini", SITE_OF("a") ROOT);
	put("sites/c.conf", "no site");
	config = read_file("gate.ini", false, messages, sizeof(messages));
	ck_assert_str_eq(messages, "");
	ck_assert_ptr_nonnull(config);
	ck_assert_uint_eq(config->site_count, 2);
	ck_assert(slice_eq(config->sites[0]->rules.name, SLICE("a")));
	ck_assert_uint_eq(config->listen_count, 1);
	ck_assert_ptr_eq(config->sites[1]->listens[0], config->listens[0]);
	door = config->listens[0]->door;
	ck_assert_ptr_eq(
	    hosts_find(door, SLICE("a")), &config->sites[0]->rules);
	ck_assert_ptr_eq(
	    hosts_find(door, SLICE("b")), &config->sites[1]->rules);
	config_unref(config);
}
END_TEST

START_TEST(sites_says_which_files_are_read)
{
	put("sites/a.ini", SITE_OF("a") ROOT);
	put("sites/b.ini", SITE_OF("b") ROOT);
	put("own.ini", "[gate]\n" SITE_OF("own") ROOT);
	put("one.ini", "[gate]\nsites = sites/b.ini\n");
	put("twice.ini", "[gate]\nsites = sites/*.ini sites/a.ini\n");
	put("self.ini", "[gate]\nsites = s*.ini\n" SITE_OF("self") ROOT);
	put("alone.ini", SITE_OF("alone") ROOT);
	put("missing.ini", "[gate]\nsites = sites/x.ini, sites/a.ini\n");
	put("none.ini",
	    "[gate]\nsites = x/*.ini\nsites = y/[ab].ini\n" SITE_OF("n") ROOT);
	put("nothing.ini", "[gate]\nsites = x/*.ini\n");
	put("folder.ini", "[gate]\nsites = sites\n");
	expect_file("own.ini", "", 3);
	expect_file("one.ini", "", 1);
	expect_file("twice.ini", "", 2);
	expect_file("self.ini", "", 1);
	expect_file("alone.ini", "", 1);
	expect_file("sites/a.ini", "", 1);
	expect_file(
	    "missing.ini", "missing.ini:2: sites: no file sites/x.ini\n", 0);
	expect_file("none.ini",
	    "none.ini:2: warning: sites: no file matches x/*.ini\n"
	    "none.ini:3: warning: sites: no file matches y/[ab].ini\n",
	    1);
	expect_file("nothing.ini",
	    "nothing.ini: no site: add a [site], or name site files by "
	    "'sites' in [gate]\n"
	    "nothing.ini:2: warning: sites: no file matches x/*.ini\n",
	    0);
	expect_file("folder.ini",
	    "sites: can't be read: it is a directory, not a file\n", 0);
	expect_file("sites",
	    "sites: can't be read: it is a directory, not a file\n", 0);
	expect_file(
	    "x.ini", "x.ini: can't be read: No such file or directory\n", 0);
}
END_TEST

START_TEST(a_gate_without_sites_is_refused)
{
	put("gate.ini", "[gate]\n");
	expect_file("gate.ini",
	    "gate.ini: no site: add a [site], or name site files by 'sites' "
	    "in [gate]\n",
	    0);
}
END_TEST

START_TEST(an_absolute_pattern_of_sites_is_taken_as_it_is)
{
	char text[128];

	put("sites/a.ini", SITE_OF("a") ROOT);
	snprintf(text, sizeof(text), "[gate]\nsites = %.15s*%s/sites/a.ini\n",
	    folder, folder + strlen(folder) - 6);
	put("gate.ini", text);
	expect_file("gate.ini", "", 1);
}
END_TEST

START_TEST(errors_of_all_files_come_in_the_order_of_files)
{
	put("gate.ini", "[gate]\nlog_level = loud\n");
	put("sites/a.ini", SITE_OF("same a.example") ROOT);
	put("sites/b.ini", SITE_OF("SAME *") "[location /]\nallow = PURGE\n");
	put("sites/c.ini", "; nothing\n");
	put("sites/d.ini", "[gate]\n");
	put("sites/e.ini",
	    "[site]\nlisten = 127.0.0.1:8080\nname = a\nmethods = PURGE\n"
	    "host = a.example\n" ROOT);
	put("sites/f.ini", "[upstream x]\n");
	put("sites/g.ini", "[site]\nlisten = 127.0.0.1:8081\nupstream = u\n"
			   "[upstream u]\nserver = 127.0.0.1:8080\n" ROOT);
	expect_file("gate.ini",
	    "gate.ini:2: log_level = loud: write one of: error warn info "
	    "debug\n"
	    "sites/b.ini:3: host SAME is taken on 127.0.0.1:8080 by "
	    "sites/a.ini:3\n"
	    "sites/b.ini:8: unknown method PURGE: sites/e.ini:4 names it for "
	    "another site only; add 'methods = PURGE' to this [site]\n"
	    "sites/c.ini: no [site] in this file\n"
	    "sites/d.ini:1: [gate] belongs in gate.ini, which names this "
	    "file\n"
	    "sites/e.ini:1: the site name a is taken by sites/a.ini:1: set "
	    "another 'name'\n"
	    "sites/e.ini:5: host a.example is taken on 127.0.0.1:8080 by "
	    "sites/a.ini:3\n"
	    "sites/e.ini:6: no upstream for this location: add 'upstream = "
	    "NAME' here or to [site]\n"
	    "sites/f.ini:1: server is missing: add one, such as 'server = "
	    "127.0.0.1:3000'\n"
	    "sites/f.ini:1: no [site] in this file: add one, with 'listen', "
	    "'host' and 'upstream'\n"
	    "sites/g.ini:5: server 127.0.0.1:8080 is a listener of the gate "
	    "itself (sites/a.ini:2): requests would go round\n",
	    0);
}
END_TEST

START_TEST(two_sites_write_an_address_the_same_way)
{
	put("gate.ini", "[gate]\n");
	put("sites/a.ini", "[site]\nlisten = *:8080\nhost = a\n[location /]\n"
			   "allow = none\n");
	put("sites/b.ini",
	    "[site]\nlisten = :8080\nhost = b\n[location /]\nallow = none\n");
	put("sites/c.ini",
	    "[site]\nlisten = [::]:8080\nhost = c\n[location /]\n"
	    "allow = none\n");
	expect_file("gate.ini",
	    "sites/c.ini:2: listen [::]:8080 takes the same port as *:8080 "
	    "(sites/a.ini:2): write both the same way\n",
	    0);
}
END_TEST

#define UNIX_SITE(host, options)                                               \
	"[site]\nlisten = unix:/run/a " options "\nhost = " host               \
	"\nupstream = app\n[upstream app]\nserver = 127.0.0.1:3000\n" ROOT

#define PROXY_SITE(host, options)                                              \
	"[site]\nlisten = *:8080 " options "\nhost = " host                    \
	"\nupstream = app\n[upstream app]\nserver = 127.0.0.1:3000\n"          \
	"server = 127.0.0.1:3001 send-proxy weight=2\n"                        \
	"server = 127.0.0.1:3002 send-proxy-v2\n" ROOT

START_TEST(sites_that_share_a_listener_agree_on_proxy)
{
	char messages[1024];
	struct config *config;

	put("gate.ini", "[gate]\ntrusted_proxies = ::1\n");
	put("sites/a.ini", PROXY_SITE("a", "proxy"));
	put("sites/b.ini", PROXY_SITE("b", "proxy"));
	config = read_file("gate.ini", false, messages, sizeof(messages));
	ck_assert_str_eq(messages, "");
	ck_assert_ptr_nonnull(config);
	ck_assert_uint_eq(config->listen_count, 1);
	ck_assert(config->listens[0]->proxy);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(config->upstreams[0]->servers[i].send_proxy,
		    PROXY_NONE + i);
	config_unref(config);
	put("sites/b.ini", PROXY_SITE("b", ""));
	expect_file("gate.ini",
	    "sites/b.ini:2: listen *:8080 has other options than on "
	    "sites/a.ini:2\n",
	    0);
}
END_TEST

START_TEST(sites_share_a_unix_socket_with_the_same_options)
{
	char messages[1024];
	struct config *config;

	put("gate.ini", "[gate]\n");
	put("sites/a.ini", UNIX_SITE("a", ""));
	put("sites/b.ini", UNIX_SITE("b", "mode=660"));
	config = read_file("gate.ini", false, messages, sizeof(messages));
	ck_assert_str_eq(messages, "");
	ck_assert_ptr_nonnull(config);
	ck_assert_uint_eq(config->listen_count, 1);
	ck_assert_uint_eq(config->listens[0]->file_options.mode, 0660);
	ck_assert_uint_eq(config->listens[0]->file_options.uid, (uid_t)-1);
	ck_assert_uint_eq(config->listens[0]->file_options.gid, (gid_t)-1);
	config_unref(config);
	put("sites/b.ini", UNIX_SITE("b", "mode=0606"));
	expect_file("gate.ini",
	    "sites/b.ini:2: listen unix:/run/a has other options than on "
	    "sites/a.ini:2\n",
	    0);
}
END_TEST

static void
expect_owner(const char *owner, uid_t uid, gid_t gid)
{
	char text[256], messages[1024];
	struct config *config;

	snprintf(text, sizeof(text), UNIX_SITE("a", "owner=%s"), owner);
	put("a.ini", text);
	config = read_file("a.ini", true, messages, sizeof(messages));
	ck_assert_str_eq(messages, "");
	ck_assert_ptr_nonnull(config);
	ck_assert_uint_eq(config->listens[0]->file_options.uid, uid);
	ck_assert_uint_eq(config->listens[0]->file_options.gid, gid);
	config_unref(config);
}

START_TEST(owners_of_unix_sockets_are_looked_up_when_asked)
{
	static const char *const bad[] = {
	    "no-such-user", "root:no-such-group", ":no-such-group"};
	char text[256], messages[1024], wanted[256];

	expect_owner("root", 0, (gid_t)-1);
	expect_owner(":root", (uid_t)-1, 0);
	expect_owner("root:root", 0, 0);
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(
		    text, sizeof(text), UNIX_SITE("a", "owner=%s"), bad[i]);
		put("a.ini", text);
		snprintf(wanted, sizeof(wanted),
		    "a.ini:2: listen: owner=%s: no such user or group; write "
		    "owner=user:group\n",
		    bad[i]);
		ck_assert_ptr_null(
		    read_file("a.ini", true, messages, sizeof(messages)));
		ck_assert_str_eq(messages, wanted);
		expect_file("a.ini", "", 1);
	}
}
END_TEST

START_TEST(names_of_servers_are_looked_up_when_asked)
{
	char messages[1024];
	struct config *config;

	put("a.ini",
	    "[site]\nlisten = 127.0.0.1:8080\nupstream = a\n[upstream a]\n"
	    "server = localhost:3000\n" ROOT);
	put("round.ini", "[site]\nlisten = *:8080\nupstream = a\n[upstream a]\n"
			 "server = localhost:8080\n" ROOT);
	config = read_file("a.ini", false, messages, sizeof(messages));
	ck_assert_str_eq(messages, "");
	ck_assert_uint_eq(config->upstreams[0]->servers[0].addr_count, 0);
	config_unref(config);
	config = read_file("a.ini", true, messages, sizeof(messages));
	ck_assert_str_eq(messages, "");
	ck_assert_uint_gt(config->upstreams[0]->servers[0].addr_count, 0);
	ck_assert_uint_eq(
	    addr_port(&config->upstreams[0]->servers[0].addrs[0]), 3000);
	config_unref(config);
	config = read_file("round.ini", true, messages, sizeof(messages));
	ck_assert_ptr_null(config);
	ck_assert_str_eq(messages,
	    "round.ini:5: server localhost:8080 is a listener of the gate "
	    "itself (round.ini:2): requests would go round\n");
}
END_TEST

/* The line of a warning about a grant of PUT. */
#define GRANT_WARNING(what)                                                    \
	"a.ini:9: warning: grant " what " until 2030-01-31\n"

START_TEST(grants_that_end_are_warned_of_in_time)
{
	static const struct {
		time_t before; /* seconds, until the end */
		const char *warning;
	} rows[] = {
	    {14 * 86400 + 1, ""},
	    {14 * 86400, GRANT_WARNING("ends soon: PUT is allowed")},
	    {1, GRANT_WARNING("ends soon: PUT is allowed")},
	    {0, GRANT_WARNING("has ended: PUT was allowed")},
	    {-86400, GRANT_WARNING("has ended: PUT was allowed")},
	};
	const time_t end = 1896134400; /* 1 February 2030, 0:00 UTC */
	size_t i;

	put("a.ini", SITE_OF("a") ROOT "grant = PUT until 2030-01-31 OPS-1\n");
	for (i = 0; i < COUNT(rows); i++) {
		reading_time = end - rows[i].before;
		expect_file("a.ini", rows[i].warning, 1);
	}
	reading_time = 0;
}
END_TEST

START_TEST(by_default_the_clock_says_which_grants_have_ended)
{
	put("a.ini", SITE_OF("a") ROOT "grant = PUT until 2000-01-01\n"
				       "grant = PUT until 9999-12-31\n");
	expect_file("a.ini",
	    "a.ini:9: warning: grant has ended: PUT was allowed until "
	    "2000-01-01\n",
	    1);
}
END_TEST

START_TEST(a_report_is_printed_line_by_line)
{
	struct config_report report;
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(to);
	ck_assert_ptr_null(
	    read_guarded("[gate]\ntrusted_proxies = ::/0\n", &report));
	config_report_print(&report, to);
	fclose(to);
	ck_assert_str_eq(text,
	    NO_SITE "t.ini:2: warning: trusted_proxies: with ::/0 any client "
		    "can claim any address\n");
	free(text);
	/* Who leaves out warnings must not lose their memory. */
	report.warning_count = 0;
	config_report_done(&report);
	ck_assert_ptr_null(report.errors);
}
END_TEST

static TCase *
text_tests(void)
{
	TCase *tcase = tcase_create("text");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, good_files_become_locations);
	tcase_add_test(tcase, bad_sections_are_refused_by_line);
	tcase_add_test(tcase, bad_keys_are_refused_by_line);
	tcase_add_test(tcase, bad_names_and_addresses_are_refused_by_line);
	tcase_add_test(tcase, names_of_fields_that_mean_something_are_refused);
	tcase_add_test(tcase, bad_grants_are_refused_by_line);
	tcase_add_test(tcase, a_grant_ends_on_a_day_that_there_is);
	tcase_add_test(tcase, bad_rewriting_is_refused_by_line);
	tcase_add_test(tcase, report_mode_needs_an_upstream);
	tcase_add_test(tcase, bad_methods_are_refused_by_line);
	tcase_add_test(tcase, a_server_that_is_the_gate_itself_is_refused);
	tcase_add_test(tcase, what_is_legal_but_suspicious_is_warned_of);
	tcase_add_test(
	    tcase, patterns_that_others_read_differently_are_warned_of);
	tcase_add_test(
	    tcase, patterns_that_reach_into_another_location_are_warned_of);
	tcase_add_test(tcase, rewriting_bindings_and_idle_grants_are_warned_of);
	tcase_add_test(tcase, defaults_are_those_of_the_manual);
	tcase_add_test(
	    tcase, by_default_overrides_are_enforced_and_nothing_is_rewritten);
	tcase_add_test(
	    tcase, report_mode_has_somewhere_to_go_without_a_location);
	tcase_add_test(tcase, the_mode_of_a_location_is_its_own_or_the_site_s);
	tcase_add_test(tcase, rewriting_takes_the_site_s_own_methods);
	tcase_add_test(tcase, a_grant_ends_with_its_day_in_utc);
	tcase_add_test(tcase, grants_add_up_and_bring_head_with_get);
	tcase_add_test(tcase, patterns_that_differ_by_case_hold_together);
	tcase_add_test(tcase, one_trie_is_enough_without_upper_case);
	tcase_add_test(tcase, every_key_of_the_gate_lands_in_its_place);
	tcase_add_test(tcase, a_count_may_be_a_word_instead);
	tcase_add_test(tcase, every_key_of_a_site_lands_in_its_place);
	tcase_add_test(
	    tcase, every_key_of_upstreams_and_locations_lands_in_its_place);
	tcase_add_test(tcase, a_rate_is_a_number_and_perhaps_a_burst);
	tcase_add_test(tcase, every_key_about_bypasses_lands_in_its_place);
	tcase_add_test(tcase, via_off_keeps_the_pseudonym_for_requests);
	tcase_add_test(tcase, the_site_takes_its_name_from_the_file);
	tcase_add_test(tcase, a_configuration_lives_as_long_as_its_references);
	tcase_add_test(tcase, a_hundred_errors_are_told_and_the_rest_counted);
	tcase_add_test(tcase, a_hundred_thousand_locations_are_all_there);
	tcase_add_test(tcase, who_compares_too_many_patterns_says_so);
	tcase_add_test(tcase, a_report_is_printed_line_by_line);
	return tcase;
}

static TCase *
file_tests(void)
{
	TCase *tcase = tcase_create("files");

	tcase_add_checked_fixture(tcase, make_folder, drop_folder);
	tcase_add_test(tcase, site_files_are_found_beside_the_gate_file);
	tcase_add_test(tcase, sites_says_which_files_are_read);
	tcase_add_test(tcase, a_gate_without_sites_is_refused);
	tcase_add_test(tcase, an_absolute_pattern_of_sites_is_taken_as_it_is);
	tcase_add_test(tcase, errors_of_all_files_come_in_the_order_of_files);
	tcase_add_test(tcase, two_sites_write_an_address_the_same_way);
	tcase_add_test(tcase, sites_that_share_a_listener_agree_on_proxy);
	tcase_add_test(tcase, sites_share_a_unix_socket_with_the_same_options);
	tcase_add_test(tcase, owners_of_unix_sockets_are_looked_up_when_asked);
	tcase_add_test(tcase, names_of_servers_are_looked_up_when_asked);
	tcase_add_test(tcase, grants_that_end_are_warned_of_in_time);
	tcase_add_test(
	    tcase, by_default_the_clock_says_which_grants_have_ended);
	return tcase;
}

int
main(void)
{
	Suite *suite = suite_create("config_read");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, text_tests());
	suite_add_tcase(suite, file_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
