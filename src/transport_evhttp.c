/* SPDX-License-Identifier: ISC */
/* transport_evhttp: evhttp connects, writes the request and takes the heads of
 * responses apart; everything else it does for a response is kept from it.
 *
 * Once it has put the request into the bufferevent, that one's callbacks are
 * ours. Bytes that come are collected in `raw`, and evhttp is handed one
 * complete head at a time, between two of its states:
 *
 *   rest (writing) --evhttp_write--> awaits a head --evhttp_read--> on_header
 *        ^                                                              |
 *        +------------ it believes that every response is a 100 --------+
 *
 * Left alone it would take a 103 for the final response, hold a chunk of any
 * size in memory, drop close-delimited bodies beside some Connection fields,
 * see an early response only after the request is written, and keep bytes that
 * follow a response for the next one. Bodies are read by h1_body, from raw. */
#include "transport_evhttp.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/bufferevent_struct.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/util.h>

#include "evhttp_head.h"
#include "h1_body.h"
#include "links.h"
#include "log.h"
#include "loop.h"
#include "method.h"
#include "tls.h"

#define TRAILERS 100u /* fields; more are dropped, all of them */

enum state {
	FILLING,    /* the request is still being given */
	CONNECTING, /* what evhttp does is its own business */
	AWAITING,   /* the request goes out, a head is awaited */
	RELAYING,   /* the response's body */
	GONE	    /* told or cancelled; freed in the loop's next step */
};

struct evhttp_transport {
	struct transport base;
	struct loop *loop; /* borrowed: outlives its transports */
	struct step step;
	enum state state;
	struct addr server;
	struct tls_target way;
	struct links *links;	   /* of its session; NULL: none is kept */
	struct link_server *visit; /* likewise */
	struct tls *tls;	   /* NULL: no TLS */
	struct evhttp_connection *connection; /* NULL until CONNECTING */
	struct evhttp_request *request;	      /* user-owned: always ours */
	struct bufferevent *bev;	      /* borrowed: the connection's */
	bufferevent_data_cb evhttp_write;
	bufferevent_event_cb evhttp_event;
	void *evhttp_arg; /* of these callbacks */
	char *target;	  /* NUL-terminated */
	unsigned method;
	uint64_t body_left; /* of the request, still to be given */
	/* the response */
	struct buffer raw;	 /* bytes as they came, not judged yet */
	struct evhttp_scan scan; /* of the head at raw's start */
	struct arena arena;	 /* of one head */
	struct head head;
	struct body_plan plan;
	struct h1_body body;
	struct buffer trailers;
	unsigned interims;
	enum reason why; /* why the head was refused */
	bool parsed;	 /* evhttp has called on_header for the head */
	bool failed;	 /* evhttp has given the request up */
	bool sent, response_seen;
	bool eof,
	    reset; /* reset: an error was seen, so an EOF proves nothing */
	bool paused;
};

/* evhttp would write "NULL" for a method that it has no number for. */
static const struct {
	unsigned method;
	enum evhttp_cmd_type type;
} methods[] = {
    {METHOD_GET, EVHTTP_REQ_GET},
    {METHOD_HEAD, EVHTTP_REQ_HEAD},
    {METHOD_POST, EVHTTP_REQ_POST},
    {METHOD_PUT, EVHTTP_REQ_PUT},
    {METHOD_DELETE, EVHTTP_REQ_DELETE},
    {METHOD_OPTIONS, EVHTTP_REQ_OPTIONS},
    {METHOD_PATCH, EVHTTP_REQ_PATCH},
};
#define METHOD_ROWS (sizeof(methods) / sizeof(methods[0]))

static const struct transport_ops ops;
static void on_step(struct step *step);
static void on_connect(struct bufferevent *bev, short what, void *arg);
static void on_done(struct evhttp_request *request, void *arg);
static int on_header(struct evhttp_request *request, void *arg);
static void pump(struct evhttp_transport *t);

/* The row of a method, or METHOD_ROWS. */
static unsigned
find_row(unsigned method)
{
	unsigned row = 0;

	while (row < METHOD_ROWS && methods[row].method != method)
		row++;
	return row;
}

/* evhttp writes it as it is, whatever it holds. */
static bool
is_origin_form(struct slice target)
{
	for (size_t i = 0; i < target.len; i++) {
		unsigned char c = (unsigned char)target.at[i];

		if (c <= ' ' || c >= 0x7f)
			return false;
	}
	return target.len > 0 && target.at[0] == '/';
}

bool
transport_evhttp_can(
    const struct head *head, struct body_plan plan, uint64_t body_limit)
{
	if (find_row(method_find(head->method, NULL)) == METHOD_ROWS)
		return false;
	if (head->form == TARGET_ASTERISK || !is_origin_form(head->target))
		return false;
	if (head_field(head, FIELD_UPGRADE) != NULL)
		return false;
	return plan.kind == BODY_NONE ||
	       (plan.kind == BODY_LENGTH && plan.length <= body_limit);
}

/* libevent's way to say that there is no memory. */
static void *
must(void *made)
{
	if (made == NULL)
		log_fatal("out of memory");
	return made;
}

struct transport *
transport_evhttp_open(const struct transport_request *request)
{
	struct evhttp_transport *t = mem_alloc(sizeof(*t));

	assert(request->preface.len == 0);
	t->base = (struct transport){.ops = &ops,
	    .events = request->events,
	    .owner = request->owner,
	    .name = "evhttp",
	    .holds_body = true};
	t->loop = request->loop;
	t->step.fn = on_step;
	t->server = *request->server;
	t->links = request->links;
	if (request->tls != NULL)
		t->way = *request->tls;
	t->scan.limit = request->head_limit;
	buffer_init(&t->raw, &t->loop->buffers);
	buffer_init(&t->trailers, &t->loop->buffers);
	arena_init(&t->arena, &t->loop->arenas);
	return &t->base;
}

void
transport_evhttp_prepare(void)
{
	struct evutil_addrinfo hints = {.ai_family = AF_INET,
	    .ai_socktype = SOCK_STREAM,
	    .ai_protocol = IPPROTO_TCP};
	struct evutil_addrinfo *found = NULL;

	if (evutil_getaddrinfo("127.0.0.1", "1", &hints, &found) == 0)
		evutil_freeaddrinfo(found);
}

/* ---- the end ---- */

static void
destroy(struct evhttp_transport *t)
{
	if (t->connection != NULL)
		evhttp_connection_free(t->connection);
	if (t->request != NULL)
		evhttp_request_free(t->request);
	tls_free(t->tls);
	if (t->visit != NULL)
		links_return(t->links, t->visit);
	buffer_release(&t->raw);
	buffer_release(&t->trailers);
	arena_done(&t->arena);
	free(t->target);
	free(t);
}

/* Nothing is freed here: the caller may stand inside evhttp, or inside an event
 * that still uses our bytes. */
static void
leave(struct evhttp_transport *t)
{
	t->state = GONE;
	t->base.owner = NULL;
	if (t->bev != NULL) {
		bufferevent_setcb(t->bev, NULL, NULL, NULL, NULL);
		bufferevent_disable(t->bev, EV_READ | EV_WRITE);
	}
	loop_defer(t->loop, &t->step);
}

static void
tell_broken(struct evhttp_transport *t, enum reason why)
{
	struct transport_broken how = {
	    .why = why, .sent = t->sent, .response_seen = t->response_seen};
	void *owner = t->base.owner;

	leave(t);
	t->base.events->broken(owner, &how);
}

/* NULL: there are none. */
static const struct head *
take_trailers(struct evhttp_transport *t)
{
	struct slice section = buffer_slice(&t->trailers);
	struct h1_limits limits = {.fields = TRAILERS};

	if (section.len == 0)
		return NULL;
	t->head.fields =
	    arena_alloc(&t->arena, TRAILERS * sizeof(struct field));
	if (!h1_trailers_read(section, &limits, &t->head) ||
	    t->head.field_count == 0)
		return NULL;
	return &t->head;
}

static void
tell_end(struct evhttp_transport *t)
{
	void *owner = t->base.owner;
	const struct head *trailers = take_trailers(t);

	leave(t);
	t->base.events->end(owner, trailers);
}

/* ---- commands ---- */

static struct evhttp_transport *
from_base(struct transport *base)
{
	return (struct evhttp_transport *)base;
}

static void
add_field(struct evhttp_transport *t, struct slice name, struct slice value)
{
	struct evkeyvalq *to = evhttp_request_get_output_headers(t->request);
	const char *key = arena_printf(&t->arena, "%.*s", SLICE_ARG(name)).at;
	const char *text = arena_printf(&t->arena, "%.*s", SLICE_ARG(value)).at;
	int rc = evhttp_add_header(to, key, text);

	assert(rc == 0);
	(void)rc;
}

/* Ours to write, or, Expect, what would keep evhttp from sending the body. */
static bool
is_ours(enum field_id id)
{
	return id == FIELD_CONTENT_LENGTH || id == FIELD_TRANSFER_ENCODING ||
	       id == FIELD_CONNECTION || id == FIELD_EXPECT;
}

/* The length always stands there: evhttp adds one to POST and PUT only, and
 * sends the body of anything else unframed. */
static void
add_framing(struct evhttp_transport *t, struct body_plan plan)
{
	if (plan.kind == BODY_LENGTH || method_has_content(t->method))
		add_field(t, SLICE("Content-Length"),
		    arena_printf(
			&t->arena, "%llu", (unsigned long long)t->body_left));
	add_field(t, SLICE("Connection"), SLICE("close"));
}

static void
start(struct transport *base, const struct head *head, struct body_plan plan)
{
	struct evhttp_transport *t = from_base(base);

	assert(t->state == FILLING && t->request == NULL);
	assert(transport_evhttp_can(head, plan, UINT64_MAX));
	t->method = method_find(head->method, NULL);
	t->target = mem_strndup(head->target);
	t->body_left = plan.kind == BODY_LENGTH ? plan.length : 0;
	t->request = must(evhttp_request_new(on_done, t));
	evhttp_request_own(t->request);
	evhttp_request_set_header_cb(t->request, on_header);
	for (unsigned i = 0; i < head->field_count; i++) {
		const struct field *field = &head->fields[i];

		assert(h1_field_valid(field));
		if (!is_ours(field->id))
			add_field(t, field->name, field->value);
	}
	add_framing(t, plan);
	arena_done(&t->arena);
}

static size_t
body(struct transport *base, struct slice piece)
{
	struct evhttp_transport *t = from_base(base);

	if (t->state == GONE)
		return piece.len;
	assert(t->state == FILLING && piece.len <= t->body_left);
	if (evbuffer_add(evhttp_request_get_output_buffer(t->request), piece.at,
		piece.len) != 0)
		log_fatal("out of memory");
	t->body_left -= piece.len;
	return piece.len;
}

/* NULL: evhttp makes one. */
static struct bufferevent *
open_tls(struct evhttp_transport *t)
{
	struct tls_return *back = NULL;
	struct ssl_st *ssl;

	if (t->way.id == 0)
		return NULL;
	if (t->links != NULL) {
		t->visit = links_visit(t->links, &t->server, &t->way);
		back = link_session(t->visit);
	}
	t->tls = tls_lend(&t->way, back, &ssl);
	return must(bufferevent_openssl_socket_new(t->loop->base, -1, ssl,
	    BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE));
}

static void
open_connection(struct evhttp_transport *t)
{
	char ip[ADDR_TEXT_MAX];

	ip[addr_ip_text(&t->server, ip)] = '\0';
	t->connection = must(evhttp_connection_base_bufferevent_new(
	    t->loop->base, NULL, open_tls(t), ip, addr_port(&t->server)));
	evhttp_connection_set_family(t->connection,
	    t->server.sa.ss_family == AF_INET6 ? AF_INET6 : AF_INET);
	t->bev = evhttp_connection_get_bufferevent(t->connection);
}

/* evhttp may fail inside evhttp_make_request, through on_done and with any
 * return value; the owner hears of it in the next step. Its timeouts go: the
 * deadlines are the owner's. */
static void
end(struct transport *base, const struct head *trailers)
{
	struct evhttp_transport *t = from_base(base);

	(void)trailers; /* of a chunked body, which it can't carry */
	if (t->state == GONE)
		return;
	assert(t->state == FILLING && t->request != NULL && t->body_left == 0);
	open_connection(t);
	t->state = CONNECTING;
	if (evhttp_make_request(t->connection, t->request,
		methods[find_row(t->method)].type, t->target) != 0)
		t->failed = true;
	if (t->failed) {
		loop_defer(t->loop, &t->step);
		return;
	}
	bufferevent_getcb(t->bev, NULL, NULL, &t->evhttp_event, &t->evhttp_arg);
	bufferevent_setcb(t->bev, NULL, NULL, on_connect, t);
	bufferevent_set_timeouts(t->bev, NULL, NULL);
}

/* A head may still come while paused; bodies are read only when asked for. */
static void
update_reading(struct evhttp_transport *t)
{
	if (t->paused && t->state == RELAYING)
		bufferevent_disable(t->bev, EV_READ);
	else
		bufferevent_enable(t->bev, EV_READ);
	/* What was decrypted before the pause, libevent would read when more
	 * comes, which may be never. */
	if (t->tls != NULL && (!t->paused || t->state != RELAYING) &&
	    tls_has_more(t->tls))
		event_active(&t->bev->ev_read, EV_READ, 1);
}

static void
pause_body(struct transport *base)
{
	struct evhttp_transport *t = from_base(base);

	t->paused = true;
	if (t->state == RELAYING)
		update_reading(t);
}

static void
resume_body(struct transport *base)
{
	struct evhttp_transport *t = from_base(base);

	t->paused = false;
	if (t->state == RELAYING)
		loop_defer(t->loop, &t->step);
}

static void
cancel(struct transport *base)
{
	struct evhttp_transport *t = from_base(base);

	if (t->state != GONE)
		leave(t);
}

static const struct transport_ops ops = {
    .start = start,
    .body = body,
    .end = end,
    .pause = pause_body,
    .resume = resume_body,
    .cancel = cancel,
};

/* ---- what evhttp calls ---- */

/* It gave up: it could not connect, or on_header or its own parser refused the
 * head. Never a success: it never sees the end of a response. */
static void
on_done(struct evhttp_request *request, void *arg)
{
	struct evhttp_transport *t = arg;

	(void)request;
	t->failed = true;
}

/* No event from here, and no cancelling of the request: evhttp goes on using it
 * after the return. To it each head is that of a 100 without headers (those of
 * a real one would stay and govern the next head). */
static int
on_header(struct evhttp_request *request, void *arg)
{
	struct evhttp_transport *t = arg;

	t->parsed = true;
	t->why = evhttp_head_read(&t->head, request, &t->arena);
	if (t->why == REASON_NONE && t->head.status >= 200)
		t->why = h1_response_body(
		    &t->head, method_name(t->method, NULL), &t->plan);
	if (t->why == REASON_NONE && t->head.status < 200 &&
	    ++t->interims > TRANSPORT_INTERIM_MAX)
		t->why = REASON_UPSTREAM_MALFORMED;
	if (t->why != REASON_NONE)
		return -1;
	evhttp_clear_headers(evhttp_request_get_input_headers(request));
	request->response_code = 100;
	return 0;
}

/* ---- the response's heads ---- */

static void on_readable(struct bufferevent *bev, void *arg);
static void on_event(struct bufferevent *bev, short what, void *arg);

/* Takes the bufferevent over, and again after each call into evhttp. */
static void
hook(struct evhttp_transport *t)
{
	bufferevent_setcb(t->bev, on_readable, NULL, on_event, t);
	update_reading(t);
}

static void
move(struct evbuffer *to, struct evbuffer *from)
{
	if (evbuffer_add_buffer(to, from) != 0)
		log_fatal("out of memory");
}

/* A bufferevent of a socket keeps one end of its buffers frozen; one with TLS
 * could neither read nor write then. */
static void
freeze(struct evhttp_transport *t, struct evbuffer *buffer, int at_front)
{
	if (t->tls == NULL)
		evbuffer_freeze(buffer, at_front);
}

/* What of the request is not yet written, out of the way: evhttp awaits a
 * response only when its output is empty. NULL: nothing. bufferevent keeps the
 * front of its output frozen but for its own writes. */
static struct evbuffer *
take_output(struct evhttp_transport *t)
{
	struct evbuffer *output = bufferevent_get_output(t->bev);
	struct evbuffer *rest;

	if (evbuffer_get_length(output) == 0)
		return NULL;
	rest = must(evbuffer_new());
	evbuffer_unfreeze(output, 1);
	move(rest, output);
	freeze(t, output, 1);
	return rest;
}

/* Hands evhttp the head that stands at the start of raw. Its input is empty
 * otherwise: had it found something there, it would look again by itself. */
static void
parse_head(struct evhttp_transport *t, size_t len)
{
	struct evbuffer *input = bufferevent_get_input(t->bev);
	struct evbuffer *rest = take_output(t);
	bufferevent_data_cb evhttp_read;

	assert(evbuffer_get_length(input) == 0);
	t->parsed = false;
	arena_done(&t->arena);
	t->evhttp_write(t->bev, t->evhttp_arg);
	bufferevent_getcb(t->bev, &evhttp_read, NULL, NULL, NULL);
	evbuffer_unfreeze(input, 0);
	if (evbuffer_add(input, buffer_slice(&t->raw).at, len) != 0)
		log_fatal("out of memory");
	freeze(t, input, 0);
	evhttp_read(t->bev, t->evhttp_arg);
	buffer_consume(&t->raw, len);
	t->scan = (struct evhttp_scan){.limit = t->scan.limit};
	if (!t->failed)
		hook(t);
	/* also after a final response: a server may answer while it reads */
	if (rest != NULL && !t->failed)
		move(bufferevent_get_output(t->bev), rest);
	if (rest != NULL)
		evbuffer_free(rest);
}

static void
tell_head(struct evhttp_transport *t)
{
	const struct transport_events *events = t->base.events;

	if (t->head.status == 100)
		return;
	if (t->head.status < 200) {
		events->interim(t->base.owner, &t->head);
		return;
	}
	t->state = RELAYING;
	h1_body_init(&t->body, t->plan);
	t->body.trailer_section = &t->trailers;
	events->head(t->base.owner, &t->head, t->plan);
	arena_done(&t->arena);
}

/* One head, if it is there; false when nothing more can be done now. */
static bool
take_head(struct evhttp_transport *t)
{
	size_t len = 0;
	enum reason why = REASON_NONE;

	switch (evhttp_head_scan(&t->scan, buffer_slice(&t->raw), &len, &why)) {
	case H1_MORE:
		if (t->eof)
			tell_broken(t, REASON_UPSTREAM_CLOSED);
		return false;
	case H1_BAD:
		tell_broken(t, why);
		return false;
	case H1_DONE:
		break;
	}
	parse_head(t, len);
	if (t->failed || !t->parsed) {
		tell_broken(t,
		    t->why != REASON_NONE ? t->why : REASON_UPSTREAM_MALFORMED);
		return false;
	}
	tell_head(t);
	return t->state == AWAITING;
}

/* ---- the response's body ---- */

/* The decoder has nothing more to give. */
static void
conclude(struct evhttp_transport *t, enum h1_body_result result)
{
	bool closed = t->eof && !t->reset;

	if (result == H1_BODY_BAD)
		tell_broken(t, REASON_UPSTREAM_MALFORMED);
	else if (result == H1_BODY_END ||
		 (closed && h1_body_complete_at_close(&t->body)))
		tell_end(t);
	else if (t->eof)
		tell_broken(t, REASON_UPSTREAM_TRUNCATED);
	else
		update_reading(t);
}

/* Reading stays off while paused, so raw holds at most what one read of the
 * bufferevent gave. */
static void
relay(struct evhttp_transport *t)
{
	const struct transport_events *events = t->base.events;
	struct slice in = buffer_slice(&t->raw), piece;
	enum h1_body_result result = H1_BODY_MORE;
	enum reason why;
	size_t taken;

	while (!t->paused) {
		result = h1_body_read(&t->body, &in, &piece, &why);
		if (result != H1_BODY_DATA)
			break;
		taken = events->body(t->base.owner, piece);
		if (t->state == GONE)
			return;
		assert(taken <= piece.len);
		if (taken == piece.len)
			continue;
		h1_body_unread(&t->body, piece.len - taken);
		in.at -= piece.len - taken;
		in.len += piece.len - taken;
		t->paused = true;
	}
	buffer_consume(&t->raw, buffer_len(&t->raw) - in.len);
	if (t->paused)
		update_reading(t);
	else
		conclude(t, result);
}

/* ---- the bufferevent ---- */

static void
pump(struct evhttp_transport *t)
{
	while (t->state == AWAITING && take_head(t))
		continue;
	if (t->state == RELAYING)
		relay(t);
}

static void
on_step(struct step *step)
{
	struct evhttp_transport *t =
	    (struct evhttp_transport *)((char *)step -
					offsetof(
					    struct evhttp_transport, step));

	if (t->state == GONE)
		destroy(t);
	else if (t->failed)
		tell_broken(t, REASON_UPSTREAM_REFUSED);
	else
		pump(t);
}

/* Where there is a connection, it is TLS that has failed. */
static enum reason
why_not_connected(struct evhttp_transport *t)
{
	struct addr peer = {.len = sizeof(peer.sa)};

	if (t->tls == NULL || getpeername(bufferevent_getfd(t->bev),
				  (struct sockaddr *)&peer.sa, &peer.len) != 0)
		return REASON_UPSTREAM_REFUSED;
	tls_blame(t->tls, bufferevent_get_openssl_error(t->bev));
	tls_tell_server(t->loop, &t->server, tls_words(t->tls));
	return REASON_UPSTREAM_TLS;
}

static void
on_connect(struct bufferevent *bev, short what, void *arg)
{
	struct evhttp_transport *t = arg;

	if ((what & BEV_EVENT_CONNECTED) == 0) {
		tell_broken(t, why_not_connected(t));
		return;
	}
	bufferevent_setcb(bev, NULL, NULL, t->evhttp_event, t->evhttp_arg);
	t->evhttp_event(bev, what, t->evhttp_arg);
	if (t->failed) {
		tell_broken(t, REASON_UPSTREAM_REFUSED);
		return;
	}
	bufferevent_getcb(bev, NULL, &t->evhttp_write, NULL, NULL);
	bufferevent_set_timeouts(bev, NULL, NULL);
	t->sent = true;
	t->state = AWAITING;
	hook(t);
	t->base.events->ready(t->base.owner);
}

/* Copied, not moved: each read of the bufferevent has a block of its own, and a
 * head that comes byte by byte would take a thousand times its size. */
static void
on_readable(struct bufferevent *bev, void *arg)
{
	struct evhttp_transport *t = arg;
	struct evbuffer *input = bufferevent_get_input(bev);
	size_t len = evbuffer_get_length(input);

	evbuffer_remove(input, buffer_reserve(&t->raw, len), len);
	t->raw.end += (uint32_t)len;
	t->response_seen = true;
	pump(t);
}

/* A write that fails says nothing about what came before: the reading side goes
 * on to its end, and may find an early response there. */
static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct evhttp_transport *t = arg;

	(void)bev;
	if ((what & BEV_EVENT_EOF) == 0)
		t->reset = true;
	if ((what & BEV_EVENT_READING) == 0)
		return;
	t->eof = true;
	pump(t);
}
