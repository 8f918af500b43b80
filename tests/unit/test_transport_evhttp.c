/* SPDX-License-Identifier: ISC */
/* The transport over evhttp between an owner that keeps to transport.h, at
 * times one byte at a time, and a server that keeps to nothing. */
#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fake_server.h"
#include "transport_evhttp.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TURNS 2000000	 /* of the loop at most: 16 MB byte by byte is less */
#define HEAD_LIMIT 65536 /* of a response */
#define BLOCK (64u * 1024)
#define MEGABYTE (1024u * 1024)
#define BOUND (200u * 1024) /* bytes that one exchange may take at most */
#define OK "HTTP/1.1 200 OK\r\n"

#define SEND(text)                                                             \
	{                                                                      \
		FAKE_SEND, 0,                                                  \
		{                                                              \
			text, sizeof(text) - 1                                 \
		}                                                              \
	}
#define SEND_BLOCKS(n)                                                         \
	{                                                                      \
		FAKE_SEND, n,                                                  \
		{                                                              \
			block, sizeof(block)                                   \
		}                                                              \
	}
#define ACT(verb)                                                              \
	{                                                                      \
		FAKE_##verb, 0,                                                \
		{                                                              \
			NULL, 0                                                \
		}                                                              \
	}
#define BODY(n)                                                                \
	{                                                                      \
		FAKE_BODY, n,                                                  \
		{                                                              \
			NULL, 0                                                \
		}                                                              \
	}

static char block[BLOCK]; /* of one byte, main says which */

/* ---- the owner ---- */

struct owner {
	struct loop loop;
	struct fake_server server;
	struct transport *transport; /* NULL: told its end, or cancelled */
	struct step step;	     /* resumes */
	size_t appetite;	     /* bytes taken of one piece; 0: all */
	const char *cancel_at;	     /* the event inside which it cancels */
	const char *pause_at;	     /* the same for pause */
	bool in_command, over;
	char events[512]; /* their words, equal neighbours once */
	struct body_plan plan;
	char fields[1024]; /* of the last head, "name=value;" */
	char body[4096];   /* its start */
	uint64_t body_len;
	struct transport_broken broken;
	size_t before, peak; /* allocated bytes */
	unsigned descriptors;
};

static struct owner *
note(void *arg, const char *word)
{
	struct owner *o = arg;
	const char *last;
	size_t now = fake_allocated();

	ck_assert_msg(!o->in_command, "%s inside a command", word);
	ck_assert_msg(!o->over, "%s after the end", word);
	if (now > o->peak)
		o->peak = now;
	last = strrchr(o->events, ' ');
	if (strcmp(last == NULL ? o->events : last + 1, word) != 0) {
		ck_assert_uint_lt(
		    strlen(o->events) + strlen(word) + 2, sizeof(o->events));
		if (o->events[0] != '\0')
			strcat(o->events, " ");
		strcat(o->events, word);
	}
	return o;
}

static void
cancel(struct owner *o)
{
	struct transport *t = o->transport;

	o->over = true;
	o->transport = NULL;
	o->in_command = true;
	t->ops->cancel(t);
	o->in_command = false;
}

static void
pause_it(struct owner *o)
{
	o->in_command = true;
	o->transport->ops->pause(o->transport);
	o->in_command = false;
}

static void
resume(struct owner *o)
{
	o->in_command = true;
	o->transport->ops->resume(o->transport);
	o->in_command = false;
}

static void
act_on(struct owner *o, const char *word)
{
	if (o->cancel_at != NULL && strcmp(o->cancel_at, word) == 0)
		cancel(o);
	else if (o->pause_at != NULL && strcmp(o->pause_at, word) == 0)
		pause_it(o);
}

static void
on_ready(void *arg)
{
	act_on(note(arg, "ready"), "ready");
}

static void
keep_head(struct owner *o, const struct head *head)
{
	size_t len = 0;

	o->fields[0] = '\0';
	for (unsigned i = 0; i < head->field_count; i++)
		len +=
		    (size_t)snprintf(o->fields + len, sizeof(o->fields) - len,
			"%.*s=%.*s;", SLICE_ARG(head->fields[i].name),
			SLICE_ARG(head->fields[i].value));
}

static void
on_interim(void *arg, const struct head *head)
{
	char word[16];

	snprintf(word, sizeof(word), "%d", head->status);
	keep_head(arg, head);
	act_on(note(arg, word), "interim");
}

static void
on_head(void *arg, const struct head *head, struct body_plan plan)
{
	struct owner *o = arg;
	char word[16];

	snprintf(word, sizeof(word), "%d", head->status);
	note(o, word);
	o->plan = plan;
	keep_head(o, head);
	act_on(o, "head");
}

static void
on_resume(struct step *step)
{
	struct owner *o =
	    (struct owner *)((char *)step - offsetof(struct owner, step));

	if (o->transport != NULL)
		resume(o);
}

static size_t
on_body(void *arg, struct slice piece)
{
	struct owner *o = note(arg, "body");
	size_t taken = piece.len;

	ck_assert_uint_gt(piece.len, 0);
	if (o->appetite > 0 && o->appetite < taken)
		taken = o->appetite;
	for (size_t i = 0; i < taken && o->body_len + i < sizeof(o->body); i++)
		o->body[o->body_len + i] = piece.at[i];
	o->body_len += taken;
	act_on(o, "body");
	if (!o->over && taken < piece.len)
		loop_defer(&o->loop, &o->step);
	return taken;
}

static void
on_end(void *arg)
{
	struct owner *o = note(arg, "end");

	o->over = true;
	o->transport = NULL;
}

static void
on_broken(void *arg, const struct transport_broken *how)
{
	struct owner *o = note(arg, "broken");

	o->broken = *how;
	o->over = true;
	o->transport = NULL;
}

static const struct transport_events events = {
    on_ready, on_interim, on_head, on_body, on_end, on_broken};

/* ---- one exchange ---- */

static void
open_owner(struct owner *o, const struct fake_act *acts)
{
	memset(o, 0, sizeof(*o));
	loop_init(&o->loop);
	o->step.fn = on_resume;
	o->descriptors = fake_descriptors();
	ck_assert(fake_server_open(&o->server, &o->loop, "127.0.0.1:0", acts));
}

static void
open_transport_to(struct owner *o, const struct addr *addr)
{
	struct transport_request request = {.loop = &o->loop,
	    .server = addr,
	    .head_limit = HEAD_LIMIT,
	    .events = &events,
	    .owner = o};

	o->before = fake_allocated();
	o->transport = transport_evhttp_open(&request);
	ck_assert_ptr_nonnull(o->transport);
	ck_assert(o->transport->holds_body);
}

static void
open_transport(struct owner *o)
{
	open_transport_to(o, &o->server.addr);
}

static void
turn(struct owner *o, int flags)
{
	size_t now;

	event_base_loop(o->loop.base, flags);
	now = fake_allocated();
	if (now > o->peak)
		o->peak = now;
}

static void
run(struct owner *o)
{
	for (int i = 0; i < TURNS && !o->over; i++)
		turn(o, EVLOOP_ONCE);
	ck_assert_msg(o->over, "it never ends: %s", o->events);
}

/* Until the owner has been told so far. */
static void
run_to(struct owner *o, const char *so_far)
{
	for (int i = 0; i < TURNS && strcmp(o->events, so_far) != 0; i++)
		turn(o, EVLOOP_ONCE);
	ck_assert_str_eq(o->events, so_far);
}

static void
run_idle(struct owner *o)
{
	for (int i = 0; i < 20; i++)
		turn(o, EVLOOP_NONBLOCK);
}

/* The transport frees itself, also its descriptor, and says no more. */
static void
close_owner(struct owner *o)
{
	ck_assert(o->over);
	run_idle(o);
	fake_server_close(&o->server);
	run_idle(o);
	ck_assert_uint_eq(fake_descriptors(), o->descriptors);
	loop_done(&o->loop);
}

static void
start(struct owner *o, const struct head *head, struct body_plan plan)
{
	o->in_command = true;
	o->transport->ops->start(o->transport, head, plan);
	o->in_command = false;
}

static void
give(struct owner *o, struct slice piece)
{
	o->in_command = true;
	ck_assert_uint_eq(
	    o->transport->ops->body(o->transport, piece), piece.len);
	o->in_command = false;
}

static void
end(struct owner *o)
{
	o->in_command = true;
	o->transport->ops->end(o->transport);
	o->in_command = false;
}

static void
start_method(struct owner *o, const char *method, struct body_plan plan)
{
	struct field host = {SLICE("Host"), SLICE("a"), FIELD_HOST};
	struct head head = {.method = slice_of(method),
	    .target = SLICE("/"),
	    .minor = 1,
	    .fields = &host,
	    .field_count = 1};

	start(o, &head, plan);
}

static void
get(struct owner *o)
{
	start_method(o, "GET", (struct body_plan){BODY_NONE, 0});
	end(o);
}

/* A POST of so many blocks, all of it given. */
static void
post_blocks(struct owner *o, unsigned count)
{
	start_method(o, "POST",
	    (struct body_plan){BODY_LENGTH, (uint64_t)count * BLOCK});
	for (unsigned i = 0; i < count; i++)
		give(o, (struct slice){block, BLOCK});
	end(o);
}

/* ---- requests ---- */

struct request {
	const char *method, *target;
	const char *fields[8][2];
	const char *body; /* NULL: none */
	const char *wire;
};

#define TAIL "Connection: close\r\n\r\n"

static const struct request requests[] = {
    {"GET", "/a?b=c%20d", {{"Host", "h"}, {"X", "y"}}, NULL,
	"GET /a?b=c%20d HTTP/1.1\r\nHost: h\r\nX: y\r\n" TAIL},
    {"HEAD", "/", {{"Host", "h"}}, NULL, "HEAD / HTTP/1.1\r\nHost: h\r\n" TAIL},
    {"DELETE", "/x", {{"Host", "h"}}, NULL,
	"DELETE /x HTTP/1.1\r\nHost: h\r\n" TAIL},
    {"OPTIONS", "/x", {{"Host", "h"}}, NULL,
	"OPTIONS /x HTTP/1.1\r\nHost: h\r\n" TAIL},
    /* a length also where there is no body (RFC 9110 8.6) */
    {"POST", "/", {{"Host", "h"}}, NULL,
	"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" TAIL},
    {"PUT", "/", {{"Host", "h"}}, NULL,
	"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" TAIL},
    {"PATCH", "/", {{"Host", "h"}}, NULL,
	"PATCH / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" TAIL},
    /* a body is framed with every method */
    {"POST", "/", {{"Host", "h"}}, "abc",
	"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" TAIL "abc"},
    {"PUT", "/", {{"Host", "h"}}, "abc",
	"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" TAIL "abc"},
    {"PATCH", "/", {{"Host", "h"}}, "abc",
	"PATCH / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" TAIL "abc"},
    {"GET", "/", {{"Host", "h"}}, "abc",
	"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" TAIL "abc"},
    {"HEAD", "/", {{"Host", "h"}}, "abc",
	"HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" TAIL "abc"},
    {"DELETE", "/", {{"Host", "h"}}, "abc",
	"DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" TAIL "abc"},
    {"OPTIONS", "/", {{"Host", "h"}}, "abc",
	"OPTIONS / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" TAIL "abc"},
    /* a body that looks like a request stays a body */
    {"GET", "/", {{"Host", "h"}}, "GET /b HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 19\r\n" TAIL
	"GET /b HTTP/1.1\r\n\r\n"},
    /* framing, Connection and Expect are the transport's */
    {"POST", "/",
	{{"Host", "h"}, {"content-length", "99"}, {"Content-Length", "7"},
	    {"Transfer-Encoding", "chunked"}, {"connection", "keep-alive"},
	    {"Expect", "100-continue"}, {"X", "y"}},
	"abc",
	"POST / HTTP/1.1\r\nHost: h\r\nX: y\r\nContent-Length: 3\r\n" TAIL
	"abc"},
    {"GET", "/", {{"Host", "h"}, {"Content-Length", "9"}, {"X", ""}}, NULL,
	"GET / HTTP/1.1\r\nHost: h\r\nX: \r\n" TAIL},
    /* order, case and repetition stay */
    {"GET", "//a/../b;c=%2e%00?",
	{{"B", "1"}, {"host", "h"}, {"b", "\t2 3\xff"}, {"B", "%s%n"}}, NULL,
	"GET //a/../b;c=%2e%00? HTTP/1.1\r\nB: 1\r\nhost: h\r\n"
	"b: \t2 3\xff\r\nB: %s%n\r\n" TAIL},
};

static void
start_request(struct owner *o, const struct request *request)
{
	struct field fields[8];
	struct head head = {.method = slice_of(request->method),
	    .target = slice_of(request->target),
	    .minor = 1,
	    .fields = fields};
	struct body_plan plan = {BODY_NONE, 0};

	while (head.field_count < 8 &&
	       request->fields[head.field_count][0] != NULL) {
		struct field *field = &fields[head.field_count];

		field->name = slice_of(request->fields[head.field_count][0]);
		field->value = slice_of(request->fields[head.field_count][1]);
		field->id = field_find(field->name);
		head.field_count++;
	}
	if (request->body != NULL)
		plan = (struct body_plan){BODY_LENGTH, strlen(request->body)};
	ck_assert(transport_evhttp_can(&head, plan, plan.length));
	start(o, &head, plan);
	memset(fields, 'x', sizeof(fields)); /* slices die with the call */
}

static void
expect_request(const struct request *request)
{
	static const struct fake_act acts[] = {ACT(HEAD), ACT(WAIT),
	    SEND(OK "Content-Length: 0\r\n\r\n"), ACT(STOP)};
	size_t len = strlen(request->wire);
	struct owner o;

	open_owner(&o, acts);
	open_transport(&o);
	start_request(&o, request);
	for (const char *at = request->body; at != NULL && *at != '\0'; at++) {
		char one = *at;

		give(&o, (struct slice){&one, 1});
	}
	end(&o);
	for (int i = 0; i < TURNS && o.server.heard < len; i++)
		turn(&o, EVLOOP_ONCE);
	run_idle(&o);
	ck_assert_str_eq(o.server.text, request->wire);
	ck_assert_str_eq(o.events, "ready");
	fake_server_go(&o.server);
	run(&o);
	ck_assert_str_eq(o.events, "ready 200 end");
	run_idle(&o);
	ck_assert(o.server.fin_heard);
	ck_assert_uint_eq(o.server.heard, len);
	ck_assert_uint_eq(o.server.connections, 1);
	close_owner(&o);
}

START_TEST(a_request_is_these_bytes_on_the_wire)
{
	for (size_t i = 0; i < COUNT(requests); i++)
		expect_request(&requests[i]);
}
END_TEST

static bool
can(const char *method, struct slice target, struct body_plan plan)
{
	struct head head = {
	    .method = slice_of(method), .target = target, .minor = 1};

	if (slice_eq(target, SLICE("*")))
		head.form = TARGET_ASTERISK;
	return transport_evhttp_can(&head, plan, 1000);
}

START_TEST(what_evhttp_cannot_carry_is_known_before)
{
	static const char *const refuses[] = {"CONNECT", "TRACE", "get", "",
	    "PROPFIND", "QUERY", "NULL", "GET ", "PRI"};
	static const struct slice targets[] = {{"", 0}, {"*", 1}, {"a", 1},
	    {"/ ", 2}, {"/\r\n", 3}, {"/\0", 2}, {"/\x7f", 2}, {"/\xff", 2},
	    {"http://a/", 9}};
	struct body_plan none = {BODY_NONE, 0};
	struct field upgrade[] = {
	    {SLICE("Upgrade"), SLICE("websocket"), FIELD_UPGRADE},
	    {SLICE("Connection"), SLICE("x, Upgrade"), FIELD_CONNECTION}};
	struct head head = {.method = SLICE("GET"),
	    .target = SLICE("/"),
	    .fields = upgrade,
	    .field_count = 2};

	for (size_t i = 0; i < COUNT(refuses); i++)
		ck_assert(!can(refuses[i], SLICE("/"), none));
	for (size_t i = 0; i < COUNT(targets); i++)
		ck_assert(!can("OPTIONS", targets[i], none));
	ck_assert(
	    !can("POST", SLICE("/"), (struct body_plan){BODY_CHUNKED, 0}));
	ck_assert(!can("POST", SLICE("/"), (struct body_plan){BODY_CLOSE, 0}));
	ck_assert(
	    !can("POST", SLICE("/"), (struct body_plan){BODY_LENGTH, 1001}));
	ck_assert(
	    can("POST", SLICE("/"), (struct body_plan){BODY_LENGTH, 1000}));
	ck_assert(can("GET", SLICE("/"), none));
	ck_assert(!transport_evhttp_can(&head, none, 0));
	head.field_count = 1; /* a field that nobody asks for is dropped */
	ck_assert(transport_evhttp_can(&head, none, 0));
}
END_TEST

/* ---- responses ---- */

struct response {
	struct slice bytes;
	enum fake_verb then; /* STOP: the connection stays open */
	const char *events;  /* after "ready " */
	struct slice body;
	enum reason why;
	const char *method; /* NULL: GET */
};

#define R(bytes, then, events, body, why)                                      \
	{                                                                      \
		{bytes, sizeof(bytes) - 1}, FAKE_##then, events,               \
		    {body, sizeof(body) - 1}, REASON_##why, NULL               \
	}
#define R_TO(method, bytes, events)                                            \
	{                                                                      \
		{bytes, sizeof(bytes) - 1}, FAKE_STOP, events, {"", 0},        \
		    REASON_NONE, method                                        \
	}
#define BAD(bytes) R(bytes, STOP, "broken", "", UPSTREAM_MALFORMED)
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define BAD_CHUNK(bytes)                                                       \
	R(CHUNKED bytes, STOP, "200 broken", "", UPSTREAM_MALFORMED)

static const struct response responses[] = {
    /* lengths */
    R(OK "Content-Length: 3\r\n\r\nabc", STOP, "200 body end", "abc", NONE),
    R(OK "Content-Length: 3\r\n\r\na\0c", STOP, "200 body end", "a\0c", NONE),
    R(OK "Content-Length: 0\r\n\r\n", STOP, "200 end", "", NONE),
    R("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", STOP, "200 body end",
	"abc", NONE),
    R("HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", CLOSE, "200 body end",
	"abc", NONE),
    R(OK "Content-Length: 3\r\nConnection: keep-alive\r\n\r\nabc", STOP,
	"200 body end", "abc", NONE),
    R(OK "Content-Length: 3\r\n\r\nabc", RESET, "200 body end", "abc", NONE),
    /* what follows a response is nobody's */
    R(OK "Content-Length: 3\r\n\r\nabc" OK "Content-Length: 4\r\n\r\nevil",
	STOP, "200 body end", "abc", NONE),
    R(OK "Content-Length: 0\r\n\r\nevil", STOP, "200 end", "", NONE),
    R(CHUNKED "0\r\n\r\n" OK "\r\nevil", STOP, "200 end", "", NONE),
    R("HTTP/1.1 204 No\r\n\r\nevil", STOP, "204 end", "", NONE),
    /* no body, whatever the fields say (RFC 9112 6.3) */
    R("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", STOP, "204 end", "",
	NONE),
    R("HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n", STOP, "304 end", "",
	NONE),
    R("HTTP/1.1 304 Not\r\nTransfer-Encoding: chunked\r\n\r\n", STOP, "304 end",
	"", NONE),
    R_TO("HEAD", OK "Content-Length: 5\r\n\r\n", "200 end"),
    R_TO("HEAD", OK "\r\n", "200 end"),
    R_TO("HEAD", CHUNKED, "200 end"),
    R_TO("OPTIONS", "HTTP/1.1 204 No\r\nAllow: GET\r\n\r\n", "204 end"),
    R_TO("DELETE", OK "Content-Length: 0\r\n\r\n", "200 end"),
    R("HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", STOP, "205 end", "",
	NONE),
    R("HTTP/1.1 599 X\r\nContent-Length: 1\r\n\r\nx", STOP, "599 body end", "x",
	NONE),
    /* the chunked coding */
    R(CHUNKED "3\r\nabc\r\n0\r\n\r\n", STOP, "200 body end", "abc", NONE),
    R(CHUNKED "1\r\na\r\n002\r\nbc\r\n000\r\n\r\n", STOP, "200 body end", "abc",
	NONE),
    R(CHUNKED "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", STOP,
	"200 body end", "01234567890123456789", NONE),
    R(CHUNKED "3;a=b;c=\"d;e\"\r\nabc\r\n0;x\r\n\r\n", STOP, "200 body end",
	"abc", NONE),
    R(CHUNKED "3\r\nabc\r\n0\r\nTrailer: x\r\nContent-Length: 9\r\n\r\n", STOP,
	"200 body end", "abc", NONE),
    R(CHUNKED "0\r\n\r\n", STOP, "200 end", "", NONE),
    R(OK "Transfer-Encoding: CHUNKED\r\nConnection: close\r\n\r\n1\r\na\r\n"
	 "0\r\n\r\n",
	CLOSE, "200 body end", "a", NONE),
    R(CHUNKED "8\r\n0\r\n\r\nabc\r\n0\r\n\r\n", STOP, "200 body end",
	"0\r\n\r\nabc", NONE),
    BAD_CHUNK("x\r\n"),
    BAD_CHUNK("\r\n"),
    BAD_CHUNK("+5\r\n"),
    BAD_CHUNK(" 5\r\n"),
    BAD_CHUNK("-1\r\n"),
    BAD_CHUNK("0x5\r\n"),
    BAD_CHUNK("5 \r\n"),
    BAD_CHUNK("5 junk\r\n"),
    BAD_CHUNK("3\n"),
    BAD_CHUNK("3\rx"),
    BAD_CHUNK("10000000000000000\r\n"),
    BAD_CHUNK("0\r\n\n"),
    BAD_CHUNK("0\r\nA\r\n\r\n"),
    BAD_CHUNK("0\r\n A: b\r\n\r\n"),
    BAD_CHUNK("0\r\nA : b\r\n\r\n"),
    BAD_CHUNK("0\r\nA: b\n\r\n"),
    BAD_CHUNK("3;a\0\r\n"),
    R(CHUNKED "3\r\nabcd\r\n0\r\n\r\n", STOP, "200 body broken", "abc",
	UPSTREAM_MALFORMED),
    R(CHUNKED "3\r\nabc\n0\r\n\r\n", STOP, "200 body broken", "abc",
	UPSTREAM_MALFORMED),
    R(CHUNKED "3\r\nabc0\r\n\r\n", STOP, "200 body broken", "abc",
	UPSTREAM_MALFORMED),
    /* delimited by the close; evhttp drops some of these */
    R(OK "\r\nabc", CLOSE, "200 body end", "abc", NONE),
    R(OK "\r\n", CLOSE, "200 end", "", NONE),
    R("HTTP/1.0 200 OK\r\n\r\nabc", CLOSE, "200 body end", "abc", NONE),
    R(OK "Connection: close\r\n\r\nabc", CLOSE, "200 body end", "abc", NONE),
    R(OK "Connection: keep-alive\r\n\r\nabc", CLOSE, "200 body end", "abc",
	NONE),
    R(OK "Connection: close, X-Foo\r\n\r\nabc", CLOSE, "200 body end", "abc",
	NONE),
    R(OK "Connection:\r\nConnection: x\r\n\r\nabc", FIN, "200 body end", "abc",
	NONE),
    R(OK "\r\nabc", RESET, "200 body broken", "abc", UPSTREAM_TRUNCATED),
    R(OK "\r\n", RESET, "200 broken", "", UPSTREAM_TRUNCATED),
    /* cut short */
    R("", CLOSE, "broken", "", UPSTREAM_CLOSED),
    R("", RESET, "broken", "", UPSTREAM_CLOSED),
    R("HTTP/1.1 200", CLOSE, "broken", "", UPSTREAM_CLOSED),
    R(OK "A: b\r\n", CLOSE, "broken", "", UPSTREAM_CLOSED),
    R(OK "A: b\r\n\r", RESET, "broken", "", UPSTREAM_CLOSED),
    R("HTTP/1.1 103 Hints\r\n\r\n", CLOSE, "103 broken", "", UPSTREAM_CLOSED),
    R(OK "Content-Length: 4\r\n\r\nabc", CLOSE, "200 body broken", "abc",
	UPSTREAM_TRUNCATED),
    R(OK "Content-Length: 4\r\n\r\nabc", RESET, "200 body broken", "abc",
	UPSTREAM_TRUNCATED),
    R(OK "Content-Length: 4\r\n\r\n", CLOSE, "200 broken", "",
	UPSTREAM_TRUNCATED),
    R(OK "Content-Length: 9223372036854775807\r\n\r\nabc", CLOSE,
	"200 body broken", "abc", UPSTREAM_TRUNCATED),
    R(CHUNKED "", CLOSE, "200 broken", "", UPSTREAM_TRUNCATED),
    R(CHUNKED "4\r\nabc", CLOSE, "200 body broken", "abc", UPSTREAM_TRUNCATED),
    R(CHUNKED "3\r\nabc\r\n", CLOSE, "200 body broken", "abc",
	UPSTREAM_TRUNCATED),
    R(CHUNKED "3\r\nabc\r\n0\r\n", CLOSE, "200 body broken", "abc",
	UPSTREAM_TRUNCATED),
    R(CHUNKED "3\r\nabc\r\n0\r\n\r", CLOSE, "200 body broken", "abc",
	UPSTREAM_TRUNCATED),
    R(CHUNKED "7fffffffffffffff\r\nabc", CLOSE, "200 body broken", "abc",
	UPSTREAM_TRUNCATED),
    /* interim responses; their fields govern nothing */
    R("HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\na", STOP,
	"200 body end", "a", NONE),
    R("HTTP/1.1 100 C\r\nContent-Length: 9\r\nConnection: close\r\n\r\n" OK
      "Content-Length: 2\r\n\r\nab",
	STOP, "200 body end", "ab", NONE),
    R("HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 H\r\nLink: a\r\n\r\n" OK
      "Content-Length: 1\r\n\r\na",
	STOP, "102 103 200 body end", "a", NONE),
    R("HTTP/1.1 103 H\r\nTransfer-Encoding: chunked\r\n\r\n" OK
      "Content-Length: 1\r\n\r\na",
	STOP, "103 200 body end", "a", NONE),
    R("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nevil", STOP, "broken", "",
	UPSTREAM_MALFORMED),
    R("HTTP/1.1 103 H\r\n\r\nHTTP/1.1 101 S\r\n\r\n", STOP, "103 broken", "",
	UPSTREAM_MALFORMED),
    R("HTTP/1.1 103 H\r\n\r\nHTTP/1.1 200 OK\n\n", STOP, "103 broken", "",
	UPSTREAM_MALFORMED),
    /* framing that can be read in two ways */
    BAD(OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    BAD(OK "Content-Length: 3\r\ncontent-length: 4\r\n\r\nabc"),
    BAD(OK "Content-Length: 3, 3\r\n\r\nabc"),
    BAD(OK "Content-Length: +3\r\n\r\nabc"),
    BAD(OK "Content-Length: -3\r\n\r\nabc"),
    BAD(OK "Content-Length:\r\n\r\nabc"),
    BAD(OK "Content-Length: 0x3\r\n\r\nabc"),
    BAD(OK "Content-Length: 3 3\r\n\r\nabc"),
    BAD(OK "Content-Length: 9223372036854775808\r\n\r\nabc"),
    BAD(OK "Content-Length: 18446744073709551619\r\n\r\nabc"),
    BAD(OK "Content-Length : 3\r\n\r\nabc"),
    BAD(OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD(OK "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
    BAD(OK "Transfer-Encoding: gzip\r\n\r\nabc"),
    BAD(OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    BAD(OK "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    BAD(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"
	   "\r\n0\r\n\r\n"),
    BAD(OK "Transfer-Encoding:\r\n\r\nabc"),
    BAD(OK "Transfer-Encoding: \x0b"
	   "chunked\r\n\r\n"),
    BAD(OK "Transfer-Encoding : chunked\r\n\r\n"),
    BAD("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    /* heads that evhttp would bend into shape */
    BAD("HTTP/1.1 200 OK\n\r\n"),
    BAD(OK "A: b\n\r\n"),
    BAD(OK "A: b\r\n\tc\r\n\r\n"),
    BAD(OK "A: b\0c\r\n\r\n"),
    BAD(OK "A: b\rc\r\n\r\n"),
    BAD(OK "A b\r\n\r\n"),
    BAD(OK ": b\r\n\r\n"),
    BAD(OK "A(: b\r\n\r\n"),
    BAD(OK "A: b\x01\r\n\r\n"),
    BAD("\r\n" OK "\r\n"),
    BAD("HTTP/1.1 099 OK\r\n\r\n"),
    BAD("HTTP/1.1 000 OK\r\n\r\n"),
    BAD("HTTP/1.1 600 OK\r\n\r\n"),
    BAD("HTTP/1.1 20 OK\r\n\r\n"),
    BAD("HTTP/1.1 2000 OK\r\n\r\n"),
    BAD("HTTP/2.0 200 OK\r\n\r\n"),
    BAD("HTTP/1.2 200 OK\r\n\r\n"),
    BAD("ICY 200 OK\r\n\r\n"),
    BAD("SSH-2.0-x\r\n"),
    BAD("evil\r\n\r\n"),
};

static void
expect_response(const struct response *r, bool bytewise, size_t appetite)
{
	const struct fake_act acts[] = {ACT(HEAD), {FAKE_SEND, 0, r->bytes},
	    {r->then, 0, {NULL, 0}}, ACT(STOP)};
	const struct fake_act silent[] = {
	    ACT(HEAD), {r->then, 0, {NULL, 0}}, ACT(STOP)};
	char wanted[64];
	struct owner o;

	snprintf(wanted, sizeof(wanted), "ready %s", r->events);
	open_owner(&o, r->bytes.len > 0 ? acts : silent);
	o.server.bytewise = bytewise;
	o.appetite = appetite;
	open_transport(&o);
	start_method(&o, r->method != NULL ? r->method : "GET",
	    (struct body_plan){BODY_NONE, 0});
	end(&o);
	run(&o);
	ck_assert_msg(strcmp(o.events, wanted) == 0 && o.broken.why == r->why,
	    "%s (%s)\nwanted %s (%s)\n%.*s", o.events,
	    reason_word(o.broken.why), wanted, reason_word(r->why),
	    SLICE_ARG(r->bytes));
	ck_assert_msg(slice_eq((struct slice){o.body, o.body_len}, r->body),
	    "body %.*s of\n%.*s", (int)o.body_len, o.body, SLICE_ARG(r->bytes));
	ck_assert_uint_eq(o.broken.sent, r->why != REASON_NONE);
	ck_assert_uint_eq(
	    o.broken.response_seen, r->why != REASON_NONE && r->bytes.len > 0);
	close_owner(&o);
}

START_TEST(a_response_is_taken_whole)
{
	for (size_t i = 0; i < COUNT(responses); i++) {
		expect_response(&responses[i], false, 0);
		expect_response(&responses[i], false, 1);
	}
}
END_TEST

START_TEST(a_response_is_taken_byte_by_byte)
{
	for (size_t i = 0; i < COUNT(responses); i++) {
		expect_response(&responses[i], true, 0);
		expect_response(&responses[i], true, 1);
	}
}
END_TEST

START_TEST(a_head_comes_with_its_fields_and_plan)
{
	static const struct fake_act acts[] = {ACT(HEAD),
	    SEND("HTTP/1.1 103 H\r\nLink: l\r\n\r\n" OK
		 "B: 1\r\nContent-Length: 1\r\nb:\t2 \r\nConnection: x\r\n"
		 "\r\n"),
	    ACT(WAIT), SEND("a"), ACT(STOP)};
	struct owner o;

	open_owner(&o, acts);
	open_transport(&o);
	get(&o);
	run_to(&o, "ready 103 200");
	ck_assert_int_eq(o.plan.kind, BODY_LENGTH);
	ck_assert_uint_eq(o.plan.length, 1);
	ck_assert_str_eq(o.fields, "B=1;Content-Length=1;b=2;Connection=x;");
	fake_server_go(&o.server);
	run(&o);
	ck_assert_str_eq(o.events, "ready 103 200 body end");
	close_owner(&o);
}
END_TEST

/* ---- limits ---- */

/* What a server sends until it has sent all or the transport gives up. */
static void
expect_bounded(const struct fake_act *acts, const char *wanted, enum reason why,
    uint64_t body_len)
{
	struct owner o;

	open_owner(&o, acts);
	open_transport(&o);
	get(&o);
	run(&o);
	ck_assert_str_eq(o.events, wanted);
	ck_assert_int_eq(o.broken.why, why);
	ck_assert_uint_eq(o.body_len, body_len);
	ck_assert_msg(o.peak < o.before + BOUND, "%zu bytes were held",
	    o.peak - o.before);
	close_owner(&o);
}

START_TEST(a_chunk_of_any_size_takes_little_memory)
{
	static const struct fake_act acts[] = {ACT(HEAD),
	    SEND(CHUNKED "1000000\r\n"), SEND_BLOCKS(256),
	    SEND("\r\n0\r\n\r\n"), ACT(STOP)};

	expect_bounded(acts, "ready 200 body end", REASON_NONE, 16 * MEGABYTE);
}
END_TEST

START_TEST(a_length_of_any_size_takes_little_memory)
{
	static const struct fake_act acts[] = {ACT(HEAD),
	    SEND(OK "Content-Length: 16777216\r\n\r\n"), SEND_BLOCKS(256),
	    ACT(STOP)};

	expect_bounded(acts, "ready 200 body end", REASON_NONE, 16 * MEGABYTE);
}
END_TEST

START_TEST(a_body_until_close_of_any_size_takes_little_memory)
{
	static const struct fake_act acts[] = {ACT(HEAD), SEND(OK "\r\n"),
	    SEND_BLOCKS(256), ACT(CLOSE), ACT(STOP)};

	expect_bounded(acts, "ready 200 body end", REASON_NONE, 16 * MEGABYTE);
}
END_TEST

START_TEST(an_endless_line_is_cut_off)
{
	static const struct fake_act head[] = {
	    ACT(HEAD), SEND(OK "A: "), SEND_BLOCKS(256), ACT(STOP)};
	static const struct fake_act second[] = {ACT(HEAD),
	    SEND("HTTP/1.1 103 H\r\n\r\n" OK "A: "), SEND_BLOCKS(256),
	    ACT(STOP)};
	static const struct fake_act first[] = {
	    ACT(HEAD), SEND_BLOCKS(256), ACT(STOP)};
	static const struct fake_act size[] = {
	    ACT(HEAD), SEND(CHUNKED), SEND_BLOCKS(256), ACT(STOP)};
	static const struct fake_act extension[] = {
	    ACT(HEAD), SEND(CHUNKED "1;"), SEND_BLOCKS(256), ACT(STOP)};
	static const struct fake_act trailer[] = {
	    ACT(HEAD), SEND(CHUNKED "0\r\nA: "), SEND_BLOCKS(256), ACT(STOP)};

	expect_bounded(head, "ready broken", REASON_UPSTREAM_HEAD_TOO_LARGE, 0);
	expect_bounded(
	    second, "ready 103 broken", REASON_UPSTREAM_HEAD_TOO_LARGE, 0);
	expect_bounded(
	    first, "ready broken", REASON_UPSTREAM_HEAD_TOO_LARGE, 0);
	expect_bounded(size, "ready 200 broken", REASON_UPSTREAM_MALFORMED, 0);
	expect_bounded(
	    extension, "ready 200 broken", REASON_UPSTREAM_MALFORMED, 0);
	expect_bounded(
	    trailer, "ready 200 broken", REASON_UPSTREAM_MALFORMED, 0);
}
END_TEST

START_TEST(endless_fields_are_cut_off)
{
	static const struct fake_act fields[] = {ACT(HEAD), SEND(OK),
	    {FAKE_SEND, 100000, {"a: b\r\n", 6}}, ACT(STOP)};
	static const struct fake_act trailers[] = {ACT(HEAD),
	    SEND(CHUNKED "0\r\n"), {FAKE_SEND, 100000, {"a: b\r\n", 6}},
	    ACT(STOP)};

	expect_bounded(
	    fields, "ready broken", REASON_UPSTREAM_HEAD_TOO_LARGE, 0);
	expect_bounded(
	    trailers, "ready 200 broken", REASON_UPSTREAM_MALFORMED, 0);
}
END_TEST

/* As many interim responses as INTERIM_MAX, then the final one, or one more. */
START_TEST(so_many_interim_responses_and_no_more)
{
	static const struct fake_act hundreds[] = {ACT(HEAD),
	    {FAKE_SEND, 16, {"HTTP/1.1 100 C\r\n\r\n", 18}},
	    SEND(OK "Content-Length: 0\r\n\r\n"), ACT(STOP)};
	static const struct fake_act hints[] = {ACT(HEAD),
	    {FAKE_SEND, 16, {"HTTP/1.1 103 H\r\n\r\n", 18}},
	    SEND(OK "Content-Length: 0\r\n\r\n"), ACT(STOP)};
	static const struct fake_act endless[] = {ACT(HEAD),
	    {FAKE_SEND, 100000, {"HTTP/1.1 100 C\r\n\r\n", 18}}, ACT(STOP)};
	static const struct fake_act one_more[] = {ACT(HEAD),
	    {FAKE_SEND, 17, {"HTTP/1.1 103 H\r\n\r\n", 18}}, ACT(STOP)};

	expect_bounded(hundreds, "ready 200 end", REASON_NONE, 0);
	expect_bounded(hints, "ready 103 200 end", REASON_NONE, 0);
	expect_bounded(endless, "ready broken", REASON_UPSTREAM_MALFORMED, 0);
	expect_bounded(
	    one_more, "ready 103 broken", REASON_UPSTREAM_MALFORMED, 0);
}
END_TEST

START_TEST(a_paused_body_waits_in_the_server)
{
	static const struct fake_act acts[] = {ACT(HEAD),
	    SEND(OK "Content-Length: 16777216\r\n\r\n"), SEND_BLOCKS(256),
	    ACT(STOP)};
	struct owner o;
	uint64_t taken, sent = 0;

	open_owner(&o, acts);
	o.pause_at = "body";
	open_transport(&o);
	get(&o);
	run_to(&o, "ready 200 body");
	for (unsigned i = 0; i < 100; i++) {
		taken = o.body_len;
		do {
			sent = o.server.sent;
			run_idle(&o);
		} while (o.server.sent > sent);
		ck_assert_uint_eq(o.body_len, taken);
		ck_assert_uint_lt(o.server.sent, 16 * MEGABYTE);
		resume(&o);
		for (int j = 0; j < TURNS && o.body_len == taken; j++)
			turn(&o, EVLOOP_ONCE);
	}
	ck_assert(!o.over);
	o.pause_at = NULL;
	resume(&o);
	run(&o);
	ck_assert_str_eq(o.events, "ready 200 body end");
	ck_assert_uint_eq(o.body_len, 16 * MEGABYTE);
	ck_assert_uint_lt(o.peak, o.before + BOUND);
	close_owner(&o);
}
END_TEST

START_TEST(paused_before_the_head_only_the_body_waits)
{
	static const struct fake_act acts[] = {ACT(HEAD),
	    SEND("HTTP/1.1 103 H\r\n\r\n" OK "Content-Length: 1\r\n\r\na"),
	    ACT(CLOSE), ACT(STOP)};
	static const struct fake_act empty[] = {
	    ACT(HEAD), SEND(OK "Content-Length: 0\r\n\r\n"), ACT(STOP)};
	static const char *const at[] = {"ready", "interim", "head"};
	struct owner o;

	for (size_t i = 0; i < COUNT(at); i++) {
		open_owner(&o, acts);
		o.pause_at = at[i];
		open_transport(&o);
		get(&o);
		run_to(&o, "ready 103 200");
		run_idle(&o);
		ck_assert_str_eq(o.events, "ready 103 200");
		pause_it(&o);
		resume(&o);
		run(&o);
		ck_assert_str_eq(o.events, "ready 103 200 body end");
		close_owner(&o);
	}
	open_owner(&o, empty);
	open_transport(&o);
	pause_it(&o);
	get(&o);
	run_to(&o, "ready 200");
	resume(&o);
	run(&o);
	ck_assert_str_eq(o.events, "ready 200 end");
	close_owner(&o);
}
END_TEST

START_TEST(a_body_that_is_cut_while_paused_is_still_cut)
{
	static const struct fake_act acts[] = {ACT(HEAD),
	    SEND(OK "Content-Length: 9\r\n\r\nabc"), ACT(RESET), ACT(STOP)};
	struct owner o;

	open_owner(&o, acts);
	o.pause_at = "head";
	open_transport(&o);
	get(&o);
	run_to(&o, "ready 200");
	run_idle(&o);
	ck_assert(fake_server_done(&o.server));
	resume(&o);
	run(&o);
	ck_assert_str_eq(o.events, "ready 200 body broken");
	ck_assert_int_eq(o.broken.why, REASON_UPSTREAM_TRUNCATED);
	close_owner(&o);
}
END_TEST

/* ---- responses before the request is out ---- */

#define UPLOAD 128 /* blocks: more than the kernel holds for us */

START_TEST(an_early_response_is_heard_at_once)
{
	static const struct fake_act acts[] = {ACT(HEAD), ACT(DEAF),
	    SEND("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"),
	    ACT(STOP)};
	struct owner o;

	open_owner(&o, acts);
	open_transport(&o);
	post_blocks(&o, UPLOAD);
	run(&o);
	ck_assert_str_eq(o.events, "ready 413 body end");
	ck_assert_uint_lt(o.server.heard, MEGABYTE);
	close_owner(&o);
}
END_TEST

/* More than one read takes, so that the reset is seen in between. */
#define NO_LEN 10000

/* The reset is caused by what it does not read. */
START_TEST(an_early_response_before_a_reset_is_heard)
{
	static const struct fake_act complete[] = {ACT(HEAD), ACT(DEAF),
	    SEND("HTTP/1.1 413 Too Large\r\nContent-Length: 10000\r\n\r\n"),
	    {FAKE_SEND, 0, {block, NO_LEN}}, ACT(CLOSE), ACT(STOP)};
	static const struct fake_act until_close[] = {ACT(HEAD), ACT(DEAF),
	    SEND("HTTP/1.1 413 Too Large\r\n\r\nno"), ACT(RESET), ACT(STOP)};
	struct owner o;

	open_owner(&o, complete);
	open_transport(&o);
	post_blocks(&o, UPLOAD);
	o.pause_at = "head";
	run_to(&o, "ready 413");
	for (int i = 0; i < TURNS && !fake_server_done(&o.server); i++)
		turn(&o, EVLOOP_ONCE);
	run_idle(&o);
	resume(&o);
	run(&o);
	ck_assert_str_eq(o.events, "ready 413 body end");
	ck_assert_uint_eq(o.body_len, NO_LEN);
	close_owner(&o);

	open_owner(&o, until_close);
	open_transport(&o);
	post_blocks(&o, UPLOAD);
	run(&o);
	ck_assert_str_eq(o.events, "ready 413 body broken");
	ck_assert_int_eq(o.broken.why, REASON_UPSTREAM_TRUNCATED);
	close_owner(&o);
}
END_TEST

START_TEST(after_an_early_response_the_request_goes_on)
{
	static const struct fake_act acts[] = {ACT(HEAD), ACT(DEAF),
	    SEND("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 H\r\n\r\n" OK
		 "Content-Length: 4\r\n\r\nab"),
	    ACT(WAIT), ACT(HEAR), BODY(UPLOAD * (uint64_t)BLOCK), SEND("cd"),
	    ACT(STOP)};
	struct owner o;

	open_owner(&o, acts);
	open_transport(&o);
	post_blocks(&o, UPLOAD);
	run_to(&o, "ready 103 200 body");
	ck_assert_uint_lt(o.server.heard, MEGABYTE);
	fake_server_go(&o.server);
	run(&o);
	ck_assert_str_eq(o.events, "ready 103 200 body end");
	ck_assert(slice_eq((struct slice){o.body, 4}, SLICE("abcd")));
	ck_assert_uint_gt(o.server.heard, UPLOAD * (uint64_t)BLOCK);
	close_owner(&o);
}
END_TEST

START_TEST(interim_responses_do_not_stop_the_request)
{
	static const struct fake_act acts[] = {ACT(HEAD), ACT(DEAF),
	    SEND("HTTP/1.1 103 H\r\n\r\n"), ACT(WAIT), ACT(HEAR),
	    BODY(UPLOAD * (uint64_t)BLOCK),
	    SEND("HTTP/1.1 102 P\r\n\r\n" OK "Content-Length: 0\r\n\r\n"),
	    ACT(STOP)};
	struct owner o;

	open_owner(&o, acts);
	open_transport(&o);
	post_blocks(&o, UPLOAD);
	run_to(&o, "ready 103");
	fake_server_go(&o.server);
	run(&o);
	ck_assert_str_eq(o.events, "ready 103 102 200 end");
	close_owner(&o);
}
END_TEST

static int
has_no_deadline(
    const struct event_base *base, const struct event *event, void *arg)
{
	(void)base;
	(void)arg;
	return event_pending(event, EV_TIMEOUT, NULL) ? -1 : 0;
}

START_TEST(evhttp_has_no_deadlines_of_its_own)
{
	static const struct fake_act acts[] = {ACT(HEAD), ACT(WAIT),
	    SEND("HTTP/1.1 103 H\r\n\r\n"), ACT(WAIT),
	    SEND(OK "Content-Length: 2\r\n\r\na"), ACT(STOP)};
	static const char *const so_far[] = {
	    "", "ready", "ready 103", "ready 103 200 body"};
	struct owner o;

	open_owner(&o, acts);
	open_transport(&o);
	get(&o);
	for (size_t i = 0; i < COUNT(so_far); i++) {
		run_to(&o, so_far[i]);
		ck_assert_int_eq(event_base_foreach_event(
				     o.loop.base, has_no_deadline, NULL),
		    0);
		if (i > 0)
			run_idle(&o);
		if (i == 1 || i == 2)
			fake_server_go(&o.server);
	}
	cancel(&o);
	close_owner(&o);
}
END_TEST

START_TEST(a_response_that_comes_before_the_request_is_taken)
{
	static const struct fake_act acts[] = {
	    SEND(OK "Content-Length: 1\r\n\r\na"), ACT(STOP)};
	struct owner o;

	open_owner(&o, acts);
	open_transport(&o);
	get(&o);
	run(&o);
	ck_assert_str_eq(o.events, "ready 200 body end");
	close_owner(&o);
}
END_TEST

/* ---- connections that fail ---- */

static void
expect_refused(struct owner *o)
{
	run(o);
	ck_assert_str_eq(o->events, "broken");
	ck_assert_int_eq(o->broken.why, REASON_UPSTREAM_REFUSED);
	ck_assert(!o->broken.sent);
	ck_assert(!o->broken.response_seen);
	ck_assert(!o->broken.reused);
	close_owner(o);
}

START_TEST(a_refused_connection_has_sent_nothing)
{
	static const struct fake_act acts[] = {ACT(STOP)};
	struct addr nobody = fake_server_nobody();
	struct owner o;

	open_owner(&o, acts);
	open_transport_to(&o, &nobody);
	get(&o);
	expect_refused(&o);
}
END_TEST

/* evhttp fails inside evhttp_make_request; the owner hears of it afterwards. */
START_TEST(without_a_descriptor_the_connection_is_refused)
{
	static const struct fake_act acts[] = {ACT(STOP)};
	struct rlimit limit, none;
	struct owner o;

	open_owner(&o, acts);
	open_transport(&o);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	get(&o);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_str_eq(o.events, "");
	expect_refused(&o);

	open_owner(&o, acts);
	open_transport(&o);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	get(&o);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cancel(&o);
	close_owner(&o);
	ck_assert_str_eq(o.events, "");
}
END_TEST

START_TEST(a_server_at_an_ipv6_address_is_reached)
{
	static const struct fake_act acts[] = {
	    ACT(HEAD), SEND(OK "Content-Length: 0\r\n\r\n"), ACT(STOP)};
	struct owner o;

	open_owner(&o, acts);
	fake_server_close(&o.server);
	if (fake_server_open(&o.server, &o.loop, "[::1]:0", acts)) {
		open_transport(&o);
		get(&o);
		run(&o);
		ck_assert_str_eq(o.events, "ready 200 end");
	}
	o.over = true;
	close_owner(&o);
}
END_TEST

/* ---- cancel ---- */

/* More than one event of each kind would come. */
#define LONG_ANSWER                                                            \
	SEND("HTTP/1.1 103 H\r\n\r\nHTTP/1.1 102 P\r\n\r\n" CHUNKED            \
	     "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")

START_TEST(cancel_inside_any_event_is_the_last_word)
{
	static const struct fake_act acts[] = {
	    ACT(HEAD), LONG_ANSWER, ACT(STOP)};
	static const struct {
		const char *at, *events;
	} rows[] = {
	    {"ready", "ready"},
	    {"interim", "ready 103"},
	    {"head", "ready 103 102 200"},
	    {"body", "ready 103 102 200 body"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t appetite = 0; appetite < 2; appetite++) {
			struct owner o;

			open_owner(&o, acts);
			o.cancel_at = rows[i].at;
			o.appetite = appetite;
			open_transport(&o);
			get(&o);
			run(&o);
			run_idle(&o);
			ck_assert_str_eq(o.events, rows[i].events);
			ck_assert(o.server.fin_heard || o.server.reset_heard);
			close_owner(&o);
		}
	}
}
END_TEST

static void
on_cancel_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	cancel(arg);
}

/* Before whatever else the loop's next turn finds. */
static void
cancel_first_in_turn(struct owner *o)
{
	struct event *event =
	    event_new(o->loop.base, -1, 0, on_cancel_event, o);

	event_active(event, EV_TIMEOUT, 0);
	turn(o, EVLOOP_NONBLOCK);
	event_free(event);
}

enum cancel_state {
	OPENED,
	STARTED,
	FILLED,
	CONNECTING,
	CONNECTED,
	HEAD_COMES,
	HALF_A_HEAD,
	BODY_COMES,
	RELAYING,
	PAUSED,
	RESUMED,
	CANCEL_STATES
};

static void
bring_to(struct owner *o, enum cancel_state state)
{
	open_transport(o);
	if (state >= STARTED)
		start_method(o, "POST", (struct body_plan){BODY_LENGTH, 3});
	if (state >= FILLED)
		give(o, SLICE("abc"));
	if (state >= CONNECTING)
		end(o);
	if (state >= CONNECTED)
		run_to(o, "ready");
	if (state >= HEAD_COMES) {
		run_idle(o);
		fake_server_go(&o->server);
		turn(o, EVLOOP_ONCE); /* sent, not seen yet */
	}
	if (state >= HALF_A_HEAD)
		run_idle(o);
	if (state >= BODY_COMES) {
		fake_server_go(&o->server);
		turn(o, EVLOOP_ONCE);
	}
	if (state >= RELAYING)
		run_to(o, "ready 200 body");
	if (state >= PAUSED)
		pause_it(o);
	if (state >= RESUMED)
		resume(o);
}

START_TEST(cancel_in_any_state_is_the_last_word)
{
	static const struct fake_act acts[] = {ACT(HEAD), ACT(WAIT),
	    SEND(OK "A: "), ACT(WAIT),
	    SEND("b\r\nContent-Length: 9\r\n\r\nabc"), ACT(STOP)};

	for (int i = 0; i < 2 * CANCEL_STATES; i++) {
		enum cancel_state state = (enum cancel_state)(i / 2);
		struct owner o;

		open_owner(&o, acts);
		bring_to(&o, state);
		if (i % 2 == 0)
			cancel(&o);
		else
			cancel_first_in_turn(&o);
		run_idle(&o);
		if (state < CONNECTED)
			ck_assert_str_eq(o.events, "");
		else if (state < RELAYING)
			ck_assert_str_eq(o.events, "ready");
		else
			ck_assert_str_eq(o.events, "ready 200 body");
		ck_assert(state < CONNECTED || o.server.fin_heard ||
			  o.server.reset_heard);
		close_owner(&o);
	}
}
END_TEST

START_TEST(cancel_during_an_upload_closes_the_connection)
{
	static const struct fake_act acts[] = {
	    ACT(HEAD), ACT(DEAF), ACT(WAIT), ACT(HEAR), ACT(STOP)};
	struct owner o;

	open_owner(&o, acts);
	open_transport(&o);
	post_blocks(&o, UPLOAD);
	run_to(&o, "ready");
	run_idle(&o);
	cancel(&o);
	run_idle(&o);
	fake_server_go(&o.server);
	for (int i = 0;
	     i < TURNS && !o.server.fin_heard && !o.server.reset_heard; i++)
		turn(&o, EVLOOP_ONCE);
	ck_assert(o.server.fin_heard || o.server.reset_heard);
	ck_assert_uint_lt(o.server.heard, UPLOAD * (uint64_t)BLOCK);
	close_owner(&o);
}
END_TEST

/* With the listening socket's queue full no handshake is completed. */
START_TEST(cancel_while_nobody_answers_frees_the_descriptor)
{
	static const struct fake_act acts[] = {ACT(STOP)};
	int others[4];
	struct owner o;

	open_owner(&o, acts);
	event_del(o.server.accept_event);
	for (size_t i = 0; i < COUNT(others); i++) {
		others[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		ck_assert_int_ge(others[i], 0);
		(void)connect(others[i], (struct sockaddr *)&o.server.addr.sa,
		    o.server.addr.len);
	}
	open_transport(&o);
	get(&o);
	run_idle(&o);
	cancel(&o);
	run_idle(&o);
	ck_assert_str_eq(o.events, "");
	for (size_t i = 0; i < COUNT(others); i++)
		close(others[i]);
	close_owner(&o);
}
END_TEST

static void
add_cases(TCase *tcase)
{
	tcase_add_test(tcase, a_request_is_these_bytes_on_the_wire);
	tcase_add_test(tcase, what_evhttp_cannot_carry_is_known_before);
	tcase_add_test(tcase, a_response_is_taken_whole);
	tcase_add_test(tcase, a_response_is_taken_byte_by_byte);
	tcase_add_test(tcase, a_head_comes_with_its_fields_and_plan);
	tcase_add_test(tcase, a_chunk_of_any_size_takes_little_memory);
	tcase_add_test(tcase, a_length_of_any_size_takes_little_memory);
	tcase_add_test(
	    tcase, a_body_until_close_of_any_size_takes_little_memory);
	tcase_add_test(tcase, an_endless_line_is_cut_off);
	tcase_add_test(tcase, endless_fields_are_cut_off);
	tcase_add_test(tcase, so_many_interim_responses_and_no_more);
	tcase_add_test(tcase, a_paused_body_waits_in_the_server);
	tcase_add_test(tcase, paused_before_the_head_only_the_body_waits);
	tcase_add_test(tcase, a_body_that_is_cut_while_paused_is_still_cut);
	tcase_add_test(tcase, an_early_response_is_heard_at_once);
	tcase_add_test(tcase, an_early_response_before_a_reset_is_heard);
	tcase_add_test(tcase, after_an_early_response_the_request_goes_on);
	tcase_add_test(tcase, interim_responses_do_not_stop_the_request);
	tcase_add_test(tcase, evhttp_has_no_deadlines_of_its_own);
	tcase_add_test(
	    tcase, a_response_that_comes_before_the_request_is_taken);
	tcase_add_test(tcase, a_refused_connection_has_sent_nothing);
	tcase_add_test(tcase, without_a_descriptor_the_connection_is_refused);
	tcase_add_test(tcase, a_server_at_an_ipv6_address_is_reached);
	tcase_add_test(tcase, cancel_inside_any_event_is_the_last_word);
	tcase_add_test(tcase, cancel_in_any_state_is_the_last_word);
	tcase_add_test(tcase, cancel_during_an_upload_closes_the_connection);
	tcase_add_test(tcase, cancel_while_nobody_answers_frees_the_descriptor);
}

int
main(void)
{
	Suite *suite = suite_create("transport_evhttp");
	TCase *tcase = tcase_create("transport_evhttp");
	SRunner *runner;
	int failed;

	memset(block, '0', sizeof(block));
	transport_evhttp_prepare();
	add_cases(tcase);
	tcase_set_timeout(tcase, 30);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
