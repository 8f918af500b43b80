/* SPDX-License-Identifier: ISC */
/* cmd_explain: what would happen to one request, question by question, decided
 * by the same functions as in the daemon. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "answer.h"
#include "cmd.h"
#include "config_read.h"
#include "h1_head.h"
#include "transport_evhttp.h"
#include "uri.h"

static const char help[] =
    "usage: methodgate explain -c FILE [options] METHOD URL\n"
    "\n"
    "Tells what the gate would do with a request, and which rule says so.\n"
    "URL is http://host[:port]/path or just /path.\n"
    "\n"
    "  -c, --config FILE     gate file or site file\n"
    "  -H, --header 'F: v'   a field of the request; repeatable\n"
    "  -j, --json            as JSON\n"
    "  -h, --help            this text\n"
    "\n"
    "Exit status: 0 explained, 1 bad configuration, 2 usage.\n";

#define HEADERS_MAX 64

/* The request to be explained, and all that was found out about it. */
struct inquiry {
	const struct config *config;
	const char *method, *url;
	const char *headers[HEADERS_MAX];
	unsigned header_count;
	struct arena arena;
	struct slice text; /* the head as it would come in */
	struct field *fields;
	struct head head;
	struct body_plan body;
	struct decision decision;
	bool transport_fits;
};

static const struct {
	const char *name;
} questions[QUESTION_COUNT] = {
    [QUESTION_MESSAGE] = {"one unambiguous HTTP message"},
    [QUESTION_HOST] = {"a site for this host"},
    [QUESTION_READINGS] = {"one location in every reading of the path"},
    [QUESTION_SUPPORTED] = {"a method that the site supports"},
    [QUESTION_LOCATION] = {"a location for the path"},
    [QUESTION_ALLOWED] = {"the method is allowed there"},
    [QUESTION_OVERRIDE] = {"the effective method is allowed too"},
    [QUESTION_DESTINATION] = {"the destination takes the write"},
    [QUESTION_PLAN] = {"the plan is entitled"},
    [QUESTION_BODY_LIMIT] = {"the body is within the limit"},
    [QUESTION_BODY_OVERRIDE] = {"the body's effective method is allowed"},
};

static const char *
answer_word(uint8_t answer)
{
	return answer == PASSED ? "yes" : answer == FAILED ? "no" : "not asked";
}

static bool
names_host(const char *header)
{
	return slice_eq_nocase(
	    (struct slice){header, strcspn(header, ":")}, SLICE("host"));
}

/* The authority that the URL names, or the first host of the first site. */
static struct slice
authority_of(const struct inquiry *inquiry, struct slice *target)
{
	struct slice url = slice_of(inquiry->url), host, first;
	size_t slash;

	*target = url;
	if (slice_starts(url, SLICE("http://"))) {
		slash = slice_find(url, '/', 7);
		host = (struct slice){url.at + 7, slash - 7};
		*target = (struct slice){url.at + slash, url.len - slash};
		if (target->len == 0)
			*target = SLICE("/");
		return host;
	}
	first = inquiry->config->sites[0]->hosts[0];
	return slice_starts(first, SLICE("*")) ? SLICE("localhost") : first;
}

static void
build_text(struct inquiry *inquiry)
{
	struct slice target, authority = authority_of(inquiry, &target);
	struct slice text;
	bool host = false;
	unsigned i;

	for (i = 0; i < inquiry->header_count; i++)
		host = host || names_host(inquiry->headers[i]);
	text = arena_printf(&inquiry->arena, "%s %.*s HTTP/1.1\r\n",
	    inquiry->method, SLICE_ARG(target));
	if (!host)
		text = arena_printf(&inquiry->arena, "%.*sHost: %.*s\r\n",
		    SLICE_ARG(text), SLICE_ARG(authority));
	for (i = 0; i < inquiry->header_count; i++)
		text = arena_printf(&inquiry->arena, "%.*s%s\r\n",
		    SLICE_ARG(text), inquiry->headers[i]);
	inquiry->text =
	    arena_printf(&inquiry->arena, "%.*s\r\n", SLICE_ARG(text));
}

static uint16_t
url_port(struct slice authority)
{
	struct slice host = uri_host(authority), port;
	uint64_t number;
	size_t colon = slice_find(authority, ':', host.len);

	if (colon >= authority.len)
		return 80;
	port = (struct slice){authority.at + colon + 1,
	    authority.len - colon - 1};
	return slice_to_u64(port, &number) ? (uint16_t)number : 80;
}

/* The listener that the request would come in at: by port, else the first that
 * knows the host. */
static const struct hosts *
choose_door(const struct inquiry *inquiry)
{
	const struct config *config = inquiry->config;
	struct slice authority = inquiry->head.authority;
	unsigned i;

	for (i = 0; i < config->listen_count; i++)
		if (addr_port(&config->listens[i]->addr) == url_port(authority))
			return config->listens[i]->door;
	for (i = 0; i < config->listen_count; i++)
		if (hosts_find(
			config->listens[i]->door, uri_host(authority)) != NULL)
			return config->listens[i]->door;
	return config->listens[0]->door;
}

static void
decide(struct inquiry *inquiry)
{
	const struct gate_config *gate = &inquiry->config->gate;
	struct h1_limits limits = {
	    gate->head_limit, gate->target_limit, gate->head_fields};
	struct policy_facts facts = {.head = &inquiry->head};
	struct decision *decision = &inquiry->decision;
	const struct location *location;
	enum reason why = REASON_MALFORMED_REQUEST_LINE;
	size_t used;

	inquiry->head.fields = inquiry->fields;
	if (h1_request_read(inquiry->text, &limits, &inquiry->head, &used,
		&why) != H1_DONE) {
		decision->verdict = VERDICT_ANSWER;
		decision->method = METHOD_NONE;
		decision->reason = why;
		decision->status = reason_status(why);
		decision->answers[QUESTION_MESSAGE] = FAILED;
		return;
	}
	inquiry->body = h1_request_body(&inquiry->head);
	facts.body = inquiry->body;
	facts.door = choose_door(inquiry);
	facts.ping = gate->ping;
	facts.now = time(NULL);
	policy_decide(&facts, decision);
	decision->answers[QUESTION_MESSAGE] = PASSED;
	if (decision->verdict == VERDICT_ANSWER)
		return;
	location = location_of(decision->location);
	inquiry->transport_fits = transport_evhttp_can(&inquiry->head,
	    inquiry->body, location->upstream->evhttp_body_limit);
}

static void
print_json(const struct inquiry *inquiry)
{
	const struct decision *decision = &inquiry->decision;
	bool forward = decision->verdict == VERDICT_FORWARD;
	static const struct method_names none;
	const struct method_names *own =
	    decision->site != NULL ? &decision->site->own : &none;
	char flags[256];
	struct slice rest = {flags, 0}, flag;
	unsigned i, n = 0;

	printf("{\"method\":");
	cmd_json_string(slice_of(inquiry->method));
	printf(",\"url\":");
	cmd_json_string(slice_of(inquiry->url));
	printf(",\"site\":");
	if (decision->site != NULL)
		cmd_json_string(decision->site->name);
	else
		printf("null");
	printf(",\"location\":");
	if (decision->location != NULL) {
		cmd_json_string(decision->location->pattern);
		printf(",\"rule\":");
		cmd_json_rule(
		    decision->location->file, decision->location->line);
	} else {
		printf("null,\"rule\":null");
	}
	printf(",\"verdict\":\"%s\"", forward ? "forward" : "answer");
	if (forward)
		printf(",\"status\":null,\"reason\":null");
	else
		printf(",\"status\":%d,\"reason\":\"%s\"", decision->status,
		    reason_word(decision->reason));
	printf(",\"allow\":");
	if (decision->has_allow)
		cmd_json_methods(decision->allow, own);
	else
		printf("null");
	printf(",\"flags\":[");
	rest.len = flag_set_print(decision->flags, flags, sizeof(flags));
	while (slice_next(&rest, ',', &flag))
		printf("%s\"%.*s\"", n++ > 0 ? "," : "", SLICE_ARG(flag));
	printf("],\"questions\":[");
	for (i = 1; i < QUESTION_COUNT; i++)
		printf("%s{\"number\":%u,\"name\":\"%s\",\"answer\":\"%s\"}",
		    i > 1 ? "," : "", i, questions[i].name,
		    answer_word(decision->answers[i]));
	printf("]}\n");
}

static void
print_answer(struct inquiry *inquiry)
{
	const struct decision *decision = &inquiry->decision;
	struct answer_facts facts = {.reason = decision->reason,
	    .status = decision->status,
	    .head = &inquiry->head,
	    .site = decision->site,
	    .location = decision->location,
	    .allow = decision->allow,
	    .has_allow = decision->has_allow,
	    .request_id = SLICE("(made for each request)"),
	    .gate = &inquiry->config->gate,
	    .now = time(NULL)};
	struct head head;
	struct slice body;
	unsigned i;

	answer_build(&facts, &inquiry->arena, &head, &body);
	printf("response   HTTP/1.1 %d %.*s\n", head.status,
	    SLICE_ARG(head.phrase));
	for (i = 0; i < head.field_count; i++)
		printf("           %.*s: %.*s\n",
		    SLICE_ARG(head.fields[i].name),
		    SLICE_ARG(head.fields[i].value));
	if (body.len > 0)
		printf("\n%.*s", SLICE_ARG(body));
}

static void
print_outcome(struct inquiry *inquiry)
{
	const struct decision *decision = &inquiry->decision;
	const struct upstream_config *upstream;
	unsigned i;

	if (decision->verdict != VERDICT_FORWARD) {
		printf("verdict    %d %s\n", decision->status,
		    reason_word(decision->reason));
		print_answer(inquiry);
		return;
	}
	upstream = location_of(decision->location)->upstream;
	printf("verdict    forwarded to upstream %.*s:",
	    SLICE_ARG(upstream->name));
	for (i = 0; i < upstream->server_count; i++)
		printf(" %.*s", SLICE_ARG(upstream->servers[i].host));
	putchar('\n');
	if (!inquiry->transport_fits)
		printf("           but its transport (evhttp) cannot carry "
		       "this: 502 transport_unsupported\n");
}

static void
print_text(struct inquiry *inquiry)
{
	const struct decision *decision = &inquiry->decision;
	char flags[256];
	unsigned i;

	printf("request    %s %s\n", inquiry->method, inquiry->url);
	if (decision->site != NULL)
		printf("site       %.*s  %s:%u\n",
		    SLICE_ARG(decision->site->name), decision->site->file,
		    decision->site->line);
	if (decision->location != NULL)
		printf("location   %s%.*s  %s:%u\n",
		    decision->location->exact ? "= " : "",
		    SLICE_ARG(decision->location->pattern),
		    decision->location->file, decision->location->line);
	printf("questions\n");
	for (i = 1; i < QUESTION_COUNT; i++)
		printf("  %2u %-42s %s\n", i, questions[i].name,
		    answer_word(decision->answers[i]));
	if (flag_set_print(decision->flags, flags, sizeof(flags)) > 0)
		printf("flags      %s\n", flags);
	print_outcome(inquiry);
}

static int
explain(struct inquiry *inquiry, const char *path, bool json)
{
	struct config *config = cmd_config(path);

	if (config == NULL)
		return CMD_BAD;
	inquiry->config = config;
	arena_init(&inquiry->arena, NULL);
	inquiry->fields =
	    mem_alloc(config->gate.head_fields * sizeof(struct field));
	build_text(inquiry);
	decide(inquiry);
	if (json)
		print_json(inquiry);
	else
		print_text(inquiry);
	arena_done(&inquiry->arena);
	free(inquiry->fields);
	config_unref(config);
	return CMD_GOOD;
}

int
cmd_explain(int argc, char **argv)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"header", required_argument, NULL, 'H'},
	    {"json", no_argument, NULL, 'j'},
	    {"help", no_argument, NULL, 'h'}, {0}};
	struct inquiry inquiry = {.header_count = 0};
	const char *path = NULL;
	bool json = false;
	int option;

	while (
	    (option = getopt_long(argc, argv, ":c:H:jh", options, NULL)) != -1)
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'H':
			if (inquiry.header_count == HEADERS_MAX)
				return cmd_usage_error("explain",
				    "more than %d headers", HEADERS_MAX);
			inquiry.headers[inquiry.header_count++] = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			fputs(help, stdout);
			return CMD_GOOD;
		default:
			return cmd_option_error("explain", option, argv);
		}
	if (argc - optind != 2)
		return cmd_usage_error("explain", "METHOD and URL are needed");
	if (path == NULL)
		return cmd_usage_error("explain", "-c FILE is missing");
	inquiry.method = argv[optind];
	inquiry.url = argv[optind + 1];
	return explain(&inquiry, path, json);
}
