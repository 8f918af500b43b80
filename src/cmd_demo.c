/* SPDX-License-Identifier: ISC */
/* cmd_demo: an upstream to try the gate with. It takes every method token and
 * echoes method, target, fields and the size of the body as JSON; /bytes/N
 * gives N bytes instead. It stands on client_h1, so it reads as strictly as
 * the gate does. */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client_h1.h"
#include "cmd.h"
#include "config.h"
#include "listener.h"
#include "log.h"

static const char help[] =
    "usage: methodgate demo [--listen ADDR:PORT]\n"
    "\n"
    "Runs an upstream that answers every request with what it received, as\n"
    "JSON. GET /bytes/N answers N bytes.\n"
    "\n"
    "  -l, --listen ADDR:PORT  default 127.0.0.1:8081\n"
    "  -h, --help              this text\n";

struct demo {
	struct loop loop;
	struct client_h1_env clients;
	struct door door;
	struct pool visits;
};

/* One request. */
struct visit {
	struct demo *demo;
	struct client *client;
	struct arena arena;
	struct slice method, left; /* left: of the body to send */
	uint64_t received, filler; /* filler: bytes still to make up */
	struct slice fields;	   /* JSON of the fields */
	struct slice target;
	unsigned minor;
};

static struct slice
json(struct arena *arena, struct slice s)
{
	char *out = arena_alloc(arena, 6 * s.len + 8);

	return (struct slice){out, slice_escape_json(out, s, s.len)};
}

/* "name": "value" pairs in order; a repeated name stands there again. */
static struct slice
json_fields(struct arena *arena, const struct head *head)
{
	size_t room = 1;
	char *out, *at;
	unsigned i;

	for (i = 0; i < head->field_count; i++)
		room +=
		    6 * (head->fields[i].name.len + head->fields[i].value.len) +
		    32;
	at = out = arena_alloc(arena, room);
	for (i = 0; i < head->field_count; i++) {
		const struct field *field = &head->fields[i];

		at += sprintf(at, "%s\n    \"", i > 0 ? "," : "");
		at += slice_escape_json(at, field->name, field->name.len);
		at += sprintf(at, "\": \"");
		at += slice_escape_json(at, field->value, field->value.len);
		*at++ = '"';
	}
	return (struct slice){out, (size_t)(at - out)};
}

static void
leave(struct visit *visit, bool complete)
{
	struct client *client = visit->client;
	struct demo *demo = visit->demo;

	client_leave(client);
	if (complete)
		client->ops->end(client, NULL);
	else
		client->ops->abort(client, REASON_CLIENT_CLOSED);
	arena_done(&visit->arena);
	pool_put(&demo->visits, visit);
}

/* Sends until the client's buffer is full or nothing is left. */
static void
send_body(struct visit *visit)
{
	static const char block[16384] = {0};
	size_t taken;

	for (;;) {
		struct slice piece = visit->left;

		if (piece.len == 0)
			piece = (struct slice){block,
			    visit->filler < sizeof(block) ? visit->filler
							  : sizeof(block)};
		if (piece.len == 0)
			break;
		taken = visit->client->ops->body(visit->client, piece);
		if (visit->left.len > 0) {
			visit->left.at += taken;
			visit->left.len -= taken;
		} else {
			visit->filler -= taken;
		}
		if (taken < piece.len)
			return;
	}
	leave(visit, true);
}

static void
respond(struct visit *visit, int status)
{
	struct field fields[] = {
	    {SLICE("Content-Type"), SLICE("application/json"), FIELD_OTHER},
	    {SLICE("Server"), SLICE("methodgate-demo"), FIELD_OTHER}};
	struct head head = {.status = status,
	    .phrase = slice_of(status_phrase(status)),
	    .minor = 1,
	    .fields = fields,
	    .field_count = 2};
	struct body_plan plan = {BODY_LENGTH, visit->filler};

	if (visit->filler > 0) {
		fields[0].value = SLICE("application/octet-stream");
	} else {
		visit->left = arena_printf(&visit->arena,
		    "{\n  \"method\": \"%.*s\",\n  \"target\": \"%.*s\",\n"
		    "  \"version\": \"1.%u\",\n  \"fields\": {%.*s\n  },\n"
		    "  \"body_bytes\": %" PRIu64 "\n}\n",
		    SLICE_ARG(visit->method), SLICE_ARG(visit->target),
		    visit->minor, SLICE_ARG(visit->fields), visit->received);
		plan.length = visit->left.len;
	}
	if (slice_eq(visit->method, SLICE("HEAD"))) {
		visit->left = SLICE_NONE;
		visit->filler = 0;
		plan = (struct body_plan){BODY_NONE, 0};
	}
	visit->client->ops->head(visit->client, &head, plan, status >= 400);
	send_body(visit);
}

static void
on_open(void *arg, struct client *client, const struct head *head,
    struct body_plan plan, enum reason why)
{
	static const char bytes[] = "/bytes/";
	struct demo *demo = arg;
	struct visit *visit = pool_get(&demo->visits);
	struct slice number = head->path;

	memset(visit, 0, sizeof(*visit));
	visit->demo = demo;
	visit->client = client;
	arena_init(&visit->arena, &demo->loop.arenas);
	client->owner = visit;
	visit->method = json(&visit->arena, head->method);
	visit->target = json(&visit->arena, head->target);
	visit->minor = head->minor;
	visit->fields = json_fields(&visit->arena, head);
	if (slice_starts(head->path, SLICE("/bytes/"))) {
		number.at += sizeof(bytes) - 1;
		number.len -= sizeof(bytes) - 1;
		if (!slice_to_u64(number, &visit->filler))
			visit->filler = 0;
	}
	if (why != REASON_NONE) {
		respond(visit, reason_status(why));
	} else if (plan.kind == BODY_NONE) {
		respond(visit, 200);
	} else {
		client->ops->want_body(client);
	}
}

static size_t
on_body(void *owner, struct slice piece)
{
	struct visit *visit = owner;

	visit->received += piece.len;
	return piece.len;
}

static void
on_end(void *owner, const struct head *trailers)
{
	(void)trailers;
	respond(owner, 200);
}

static void
on_broken(void *owner, enum reason why)
{
	(void)why;
	leave(owner, false);
}

static void
on_ready(void *owner)
{
	send_body(owner);
}

static const struct client_events events = {
    .open = on_open,
    .body = on_body,
    .end = on_end,
    .broken = on_broken,
    .ready = on_ready,
};

static void
on_accept(void *arg, int fd, const struct addr *peer)
{
	struct demo *demo = arg;

	client_h1_open(&demo->clients, fd, peer, &demo->door);
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	(void)number;
	(void)what;
	loop_stop(arg);
}

static void
serve(int fd)
{
	struct config *config = config_new();
	struct demo demo = {.door = {.gone = false}};
	struct listener *listener;
	struct event *term, *interrupt;

	signal(SIGPIPE, SIG_IGN);
	loop_init(&demo.loop);
	pool_init(&demo.visits, sizeof(struct visit), 64);
	client_h1_env_init(&demo.clients, &demo.loop, &config->gate);
	demo.clients.events = &events;
	demo.clients.arg = &demo;
	listener = listener_new(
	    &demo.loop, fd, (struct listener_owner){on_accept, &demo, NULL});
	term = evsignal_new(demo.loop.base, SIGTERM, on_signal, &demo.loop);
	interrupt = evsignal_new(demo.loop.base, SIGINT, on_signal, &demo.loop);
	event_add(term, NULL);
	event_add(interrupt, NULL);
	loop_run(&demo.loop);
	event_free(term);
	event_free(interrupt);
	listener_free(listener);
	client_h1_env_done(&demo.clients);
	pool_done(&demo.visits);
	loop_done(&demo.loop);
	config_unref(config);
}

static int
open_and_serve(const char *where)
{
	struct listen_config listen = {.text = slice_of(where),
	    .file_options = {0660, (uid_t)-1, (gid_t)-1}};
	struct listener_file file;
	int fd;

	if (!addr_parse(listen.text, &listen.addr))
		return cmd_usage_error(
		    "demo", "'%s' is not an address and port", where);
	fd = listener_bind(&listen, &file);
	if (fd < 0) {
		log_error("cannot listen on %s: %s", where,
		    listener_error(&listen, errno));
		return CMD_BAD;
	}
	log_info("demo upstream listening address=%s", where);
	serve(fd);
	listener_remove(&listen, &file);
	return CMD_GOOD;
}

int
cmd_demo(int argc, char **argv)
{
	static const struct option options[] = {
	    {"listen", required_argument, NULL, 'l'},
	    {"help", no_argument, NULL, 'h'}, {0}};
	const char *where = "127.0.0.1:8081";
	int option;

	while ((option = getopt_long(argc, argv, ":l:h", options, NULL)) != -1)
		switch (option) {
		case 'l':
			where = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return CMD_GOOD;
		default:
			return cmd_option_error("demo", option, argv);
		}
	if (optind < argc)
		return cmd_usage_error(
		    "demo", "unexpected argument %s", argv[optind]);
	return open_and_serve(where);
}
