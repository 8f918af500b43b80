/* SPDX-License-Identifier: ISC */
/* cmd_explain: what would happen to one request, question by question, decided
 * by the same functions as in the daemon. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cmd.h"
#include "config_read.h"
#include "explain_print.h"
#include "forward.h"
#include "h1_body.h"
#include "h1_head.h"
#include "override_scan.h"
#include "uri.h"

static const char help[] =
    "usage: methodgate explain -c FILE [options] METHOD URL\n"
    "\n"
    "Tells what the gate would do with a request, and which rule says so.\n"
    "URL is http://host[:port]/path, https://..., or just /path.\n"
    "\n"
    "  -c, --config FILE     gate file or site file\n"
    "  -H, --header 'F: v'   a field of the request; repeatable\n"
    "      --form 'a=b&c=d'  a body as HTML forms send it\n"
    "      --json-body '{}'  a body of JSON\n"
    "      --multipart a=b   a part of a multipart form; repeatable\n"
    "  -j, --json            as JSON\n"
    "  -h, --help            this text\n"
    "\n"
    "Exit status: 0 explained, 1 bad configuration, 2 usage.\n";

#define HEADERS_MAX 64
#define PARTS_MAX 64
#define BOUNDARY "methodgate"

enum body_option { NO_BODY, FORM = 256, JSON_BODY, MULTIPART };

/* The request as the options say it. */
struct order {
	const char *config;
	bool json;
	const char *headers[HEADERS_MAX];
	unsigned header_count;
	enum body_option body;
	const char *parts[PARTS_MAX]; /* of the body; one unless MULTIPART */
	unsigned part_count;
};

/* ---- the request ---- */

static bool
names_field(const struct order *order, struct slice name)
{
	for (unsigned i = 0; i < order->header_count; i++) {
		const char *header = order->headers[i];
		struct slice first = {header, strcspn(header, ":")};

		if (slice_eq_nocase(first, name))
			return true;
	}
	return false;
}

static struct slice
multipart(const struct order *order, struct arena *arena)
{
	struct slice text = SLICE("");

	for (unsigned i = 0; i < order->part_count; i++) {
		const char *part = order->parts[i];
		size_t name = strcspn(part, "=");

		text = arena_printf(arena,
		    "%.*s--" BOUNDARY "\r\nContent-Disposition: form-data; "
		    "name=\"%.*s\"\r\n\r\n%s\r\n",
		    SLICE_ARG(text), (int)name, part, part + name + 1);
	}
	return arena_printf(arena, "%.*s--" BOUNDARY "--\r\n", SLICE_ARG(text));
}

static struct slice
build_body(const struct order *order, struct arena *arena)
{
	if (order->body == NO_BODY)
		return SLICE_NONE;
	return order->body == MULTIPART ? multipart(order, arena)
					: slice_of(order->parts[0]);
}

/* The fields that a body brings with it, unless -H says otherwise. */
static struct slice
body_fields(const struct order *order, struct slice body, struct arena *arena)
{
	const char *type = order->body == FORM
			       ? "application/x-www-form-urlencoded"
			   : order->body == JSON_BODY
			       ? "application/json"
			       : "multipart/form-data; boundary=" BOUNDARY;
	struct slice text = SLICE("");

	if (order->body == NO_BODY)
		return text;
	if (!names_field(order, SLICE("content-type")))
		text = arena_printf(arena, "Content-Type: %s\r\n", type);
	if (!names_field(order, SLICE("transfer-encoding")))
		text = arena_printf(arena, "%.*sContent-Length: %zu\r\n",
		    SLICE_ARG(text), body.len);
	return text;
}

/* Of "http://" and "https://"; 0: the URL has neither. */
static size_t
scheme_len(struct slice url)
{
	if (slice_starts(url, SLICE("http://")))
		return strlen("http://");
	return slice_starts(url, SLICE("https://")) ? strlen("https://") : 0;
}

/* The authority that the URL names, or the first host of the first site. */
static struct slice
authority_of(const struct inquiry *inquiry, struct slice *target)
{
	struct slice url = slice_of(inquiry->url), host, first;
	size_t start = scheme_len(url), slash;

	*target = url;
	if (start > 0) {
		slash = slice_find(url, '/', start);
		host = (struct slice){url.at + start, slash - start};
		*target = (struct slice){url.at + slash, url.len - slash};
		if (target->len == 0)
			*target = SLICE("/");
		return host;
	}
	first = inquiry->config->sites[0]->hosts[0];
	return slice_starts(first, SLICE("*")) ? SLICE("localhost") : first;
}

/* The head as it would come in. */
static struct slice
build_head(
    struct inquiry *inquiry, const struct order *order, struct slice body)
{
	struct arena *arena = &inquiry->arena;
	struct slice target, authority = authority_of(inquiry, &target);
	struct slice text, fields = body_fields(order, body, arena);

	text = arena_printf(
	    arena, "%s %.*s HTTP/1.1\r\n", inquiry->method, SLICE_ARG(target));
	if (!names_field(order, SLICE("host")))
		text = arena_printf(arena, "%.*sHost: %.*s\r\n",
		    SLICE_ARG(text), SLICE_ARG(authority));
	for (unsigned i = 0; i < order->header_count; i++)
		text = arena_printf(
		    arena, "%.*s%s\r\n", SLICE_ARG(text), order->headers[i]);
	return arena_printf(
	    arena, "%.*s%.*s\r\n", SLICE_ARG(text), SLICE_ARG(fields));
}

/* ---- the decision ---- */

static uint16_t
url_port(struct slice authority, uint16_t fallback)
{
	struct slice host = uri_host(authority), port;
	uint64_t number;
	size_t colon = slice_find(authority, ':', host.len);

	if (colon >= authority.len)
		return fallback;
	port =
	    (struct slice){authority.at + colon + 1, authority.len - colon - 1};
	return slice_to_u64(port, &number) ? (uint16_t)number : fallback;
}

/* The listener that the request would come in at: by port, then the first with
 * the scheme that knows the host, then the first that knows it. */
static const struct listen_config *
choose_listener(const struct inquiry *inquiry)
{
	const struct config *config = inquiry->config;
	struct slice authority = inquiry->head.authority;
	uint16_t port = url_port(authority, inquiry->secure ? 443 : 80);
	const struct listen_config *known = NULL;

	for (unsigned i = config->listen_count; i-- > 0;) {
		const struct listen_config *listen = config->listens[i];

		if (hosts_find(listen->door, uri_host(authority)) != NULL &&
		    (known == NULL || listen->tls == inquiry->secure ||
			known->tls != inquiry->secure))
			known = listen;
	}
	for (unsigned i = 0; i < config->listen_count; i++)
		if (addr_port(&config->listens[i]->addr) == port)
			return config->listens[i];
	return known != NULL ? known : config->listens[0];
}

static const struct location *
location_for(const struct decision *decision)
{
	return location_of(decision->location != NULL
			       ? decision->location
			       : decision->site->fallback);
}

/* What the head that would go upstream meets before it leaves. */
static enum reason
try_forward(struct inquiry *inquiry)
{
	const struct decision *decision = &inquiry->decision;
	const struct location *location = location_for(decision);
	const struct gate_config *gate = &inquiry->config->gate;
	struct forward_origin origin;
	struct forward_facts facts = {.gate = gate,
	    .site = location->site,
	    .origin = &origin,
	    .method = inquiry->head.method,
	    .flags = decision->flags,
	    .strip = decision->strip,
	    .now = inquiry->now};
	struct addr peer;
	struct forward_ids ids = {.left = 0};
	struct forward_visit visit = {.gate = gate,
	    .peer = &peer,
	    .secure = inquiry->secure,
	    .ids = &ids};
	struct head sent;

	addr_parse_ip(SLICE("127.0.0.1"), &peer);
	forward_origin(&visit, &inquiry->head, &inquiry->arena, &origin);
	if (decision->sent != decision->method)
		facts.method =
		    method_name(decision->sent, &decision->site->own);
	return forward_request(&facts, &inquiry->head, &inquiry->arena, &sent);
}

/* The length of a chunked body is only known now (question 10). False: it is
 * over the limit. */
static bool
count_chunked(struct inquiry *inquiry, struct slice body)
{
	struct decision *decision = &inquiry->decision;
	uint64_t limit = location_for(decision)->rules.body_limit;
	bool fits = limit == 0 || body.len <= limit;

	if (inquiry->plan.kind != BODY_CHUNKED)
		return true;
	decision->answers[QUESTION_BODY_LIMIT] = fits ? PASSED : FAILED;
	if (fits)
		return true;
	decision->verdict = VERDICT_ANSWER;
	decision->reason = REASON_BODY_TOO_LARGE;
	decision->status = reason_status(REASON_BODY_TOO_LARGE);
	return false;
}

/* Whatever is asked: people want to know of each. */
static void
find_overrides(
    struct inquiry *inquiry, const struct order *order, struct slice body)
{
	const struct head *head = &inquiry->head;
	struct override_scan scan;

	override_read_head(head, &inquiry->head_names);
	if (head->query.len > 0)
		override_read_query(head->query, &inquiry->head_names);
	if (order->body == NO_BODY ||
	    override_scan_init(&scan, head) != OVERRIDE_BODY_SCAN)
		return;
	override_scan_feed(&scan, body, &inquiry->body_names);
	override_scan_end(&scan, &inquiry->body_names);
}

/* Without a body that was given, question 11 stays open, and the rest is told
 * as if it named nothing. */
static void
judge_body(struct inquiry *inquiry, const struct policy_facts *facts,
    const struct order *order, struct slice body)
{
	struct decision *decision = &inquiry->decision;

	inquiry->body_open = decision->scan && order->body == NO_BODY;
	if (order->body != NO_BODY && !count_chunked(inquiry, body))
		return;
	if (!decision->scan)
		return;
	policy_decide_body(facts, &inquiry->body_names, decision);
	if (inquiry->body_open &&
	    decision->answers[QUESTION_BODY_OVERRIDE] == PASSED)
		decision->answers[QUESTION_BODY_OVERRIDE] = NOT_ASKED;
}

static void
refuse_head(struct inquiry *inquiry, enum reason why)
{
	struct decision *decision = &inquiry->decision;

	decision->verdict = VERDICT_ANSWER;
	decision->method = decision->sent = METHOD_NONE;
	decision->reason = why;
	decision->status = reason_status(why);
	decision->answers[QUESTION_MESSAGE] = FAILED;
}

static void
decide(struct inquiry *inquiry, const struct order *order, struct slice body)
{
	struct policy_facts facts = {.head = &inquiry->head,
	    .body = inquiry->plan,
	    .ping = inquiry->config->gate.ping,
	    .now = inquiry->now,
	    .arena = &inquiry->arena};
	struct decision *decision = &inquiry->decision;
	const struct listen_config *listen = choose_listener(inquiry);

	/* a path alone comes as the listener has it */
	if (scheme_len(slice_of(inquiry->url)) == 0)
		inquiry->secure = listen->tls;
	facts.secure = inquiry->secure;
	facts.door = listen->door;
	policy_decide(&facts, decision);
	decision->answers[QUESTION_MESSAGE] = PASSED;
	explain_readings_find(&facts, decision->site, &inquiry->readings);
	find_overrides(inquiry, order, body);
	if (decision->verdict == VERDICT_ANSWER)
		return;
	inquiry->stopped = try_forward(inquiry);
	judge_body(inquiry, &facts, order, body);
}

static void
inquire(struct inquiry *inquiry, const struct order *order)
{
	const struct gate_config *gate = &inquiry->config->gate;
	struct h1_limits limits = {
	    gate->head_limit, gate->target_limit, gate->head_fields};
	struct slice body = build_body(order, &inquiry->arena);
	struct slice text = build_head(inquiry, order, body);
	enum reason why = REASON_MALFORMED_REQUEST_LINE;
	size_t used;

	inquiry->head.fields = arena_alloc(
	    &inquiry->arena, gate->head_fields * sizeof(struct field));
	if (h1_request_read(text, &limits, &inquiry->head, &used, &why) !=
	    H1_DONE) {
		refuse_head(inquiry, why);
		return;
	}
	inquiry->plan = h1_request_body(&inquiry->head);
	decide(inquiry, order, body);
}

static int
explain(const struct order *order, const char *method, const char *url)
{
	struct config *config = cmd_config(order->config);
	struct inquiry inquiry = {
	    .config = config, .method = method, .url = url};

	if (config == NULL)
		return CMD_BAD;
	inquiry.now = time(NULL);
	inquiry.secure = slice_starts(slice_of(url), SLICE("https://"));
	arena_init(&inquiry.arena, NULL);
	inquire(&inquiry, order);
	if (order->json)
		explain_print_json(&inquiry);
	else
		explain_print_text(&inquiry);
	arena_done(&inquiry.arena);
	config_unref(config);
	return CMD_GOOD;
}

/* ---- options ---- */

/* CMD_GOOD, or what is wrong with it. */
static int
take_body(struct order *order, enum body_option kind, const char *text)
{
	if (order->body != NO_BODY &&
	    (kind != MULTIPART || order->body != MULTIPART))
		return cmd_usage_error("explain", "one body is enough");
	if (order->part_count == PARTS_MAX)
		return cmd_usage_error(
		    "explain", "more than %d parts", PARTS_MAX);
	if (kind == MULTIPART && strchr(text, '=') == NULL)
		return cmd_usage_error(
		    "explain", "--multipart needs name=value");
	order->body = kind;
	order->parts[order->part_count++] = text;
	return CMD_GOOD;
}

static int
take_option(struct order *order, int option, char **argv)
{
	switch (option) {
	case 'c':
		order->config = optarg;
		return CMD_GOOD;
	case 'H':
		if (order->header_count == HEADERS_MAX)
			return cmd_usage_error(
			    "explain", "more than %d headers", HEADERS_MAX);
		order->headers[order->header_count++] = optarg;
		return CMD_GOOD;
	case FORM:
	case JSON_BODY:
	case MULTIPART:
		return take_body(order, (enum body_option)option, optarg);
	case 'j':
		order->json = true;
		return CMD_GOOD;
	default:
		return cmd_option_error("explain", option, argv);
	}
}

int
cmd_explain(int argc, char **argv)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"header", required_argument, NULL, 'H'},
	    {"form", required_argument, NULL, FORM},
	    {"json-body", required_argument, NULL, JSON_BODY},
	    {"multipart", required_argument, NULL, MULTIPART},
	    {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'},
	    {0}};
	struct order order = {.config = NULL};
	int option, status;

	while ((option = getopt_long(argc, argv, ":c:H:jh", options, NULL)) !=
	       -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return CMD_GOOD;
		}
		status = take_option(&order, option, argv);
		if (status != CMD_GOOD)
			return status;
	}
	if (argc - optind != 2)
		return cmd_usage_error("explain", "METHOD and URL are needed");
	if (order.config == NULL)
		return cmd_usage_error("explain", "-c FILE is missing");
	if (order.body != NO_BODY &&
	    names_field(&order, SLICE("content-length")))
		return cmd_usage_error(
		    "explain", "Content-Length is that of the body");
	return explain(&order, argv[optind], argv[optind + 1]);
}
