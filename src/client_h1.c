/* SPDX-License-Identifier: ISC */
/* client_h1: an HTTP/1.1 connection from a client.
 *
 *   HEAD -> IDLE -> HEAD -> EXCHANGE -> IDLE ...
 *                    |         |-> DRAIN -> IDLE    (rest of a small body)
 *                    |         |-> LINGER -> CLOSED (FIN sent, reads on)
 *                    +---------+-> CLOSED           (freed at the next step)
 *
 * Bytes that arrive go from the worker's scratch straight into the parser; what
 * can't be used yet waits in `in`. What the socket does not take waits in
 * `out`. Both are empty, and hold no memory, on an idle connection. */
#include "client_h1.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "h1_body.h"
#include "h1_head.h"
#include "log.h"
#include "wire.h"

#define READ_MAX (64u * 1024)  /* of one read; bounds what `in` can hold */
#define OUT_MAX (64u * 1024)   /* body bytes wait upstream past this */
#define COALESCE 1024u	       /* pieces up to this wait for their end */
#define DRAIN_MAX (64u * 1024) /* of an unwanted body, read to stay in step */
#define LINGER_MAX (1024u * 1024)
#define LINGER_MS 5000u
#define RATE_WINDOW_MS 30000u

enum h1_state { H1_IDLE, H1_HEAD, H1_EXCHANGE, H1_DRAIN, H1_LINGER, H1_CLOSED };

/* What moved one way since when. */
struct window {
	uint64_t at; /* ms */
	uint64_t bytes;
};

struct client_h1 {
	struct client client; /* first: what the owner sees */
	struct wire wire;
	struct client_h1_env *env; /* borrowed: outlives its connections */
	LIST_ENTRY(client_h1) link;
	struct timer timer;
	struct step step;
	struct addr peer;
	struct buffer in, out;
	struct h1_body body; /* of the request */
	uint64_t out_left;   /* response: bytes the owner still owes */
	struct window in_window, out_window; /* of min_rate */
	uint64_t free_since; /* ms: since when no output has waited */
	uint64_t discarded;
	enum h1_state state;
	enum body_kind out_kind;
	enum reason why; /* of the close; known while lingering */
	/* facts about the present exchange, not states */
	bool minor1, is_head, persistent, expects, request_done;
	bool broken;  /* the request can't be completed */
	bool paused;  /* the owner wants no body */
	bool starved; /* body took less than it was given */
	bool head_sent, response_done, half_closed;
	bool failed;  /* a write failed; told at the next step */
	bool blocked; /* output waits for the socket */
};

static struct client_h1 *
of_client(struct client *client)
{
	return (struct client_h1 *)client;
}

/* ---- states and deadlines ---- */

static const struct {
	enum h1_state from, to;
} legal[] = {
    {H1_HEAD, H1_IDLE},
    {H1_IDLE, H1_HEAD},
    {H1_HEAD, H1_EXCHANGE},
    {H1_IDLE, H1_EXCHANGE},
    {H1_EXCHANGE, H1_IDLE},
    {H1_EXCHANGE, H1_DRAIN},
    {H1_DRAIN, H1_IDLE},
    {H1_DRAIN, H1_LINGER},
    {H1_EXCHANGE, H1_LINGER},
};

static void
become(struct client_h1 *c, enum h1_state to)
{
	size_t i;

	for (i = 0; i < sizeof(legal) / sizeof(legal[0]); i++)
		if (legal[i].from == c->state && legal[i].to == to)
			break;
	assert(to == H1_CLOSED || i < sizeof(legal) / sizeof(legal[0]));
	c->state = to;
}

static void
deadline(struct client_h1 *c, uint32_t ms)
{
	loop_timer_start(c->env->loop, &c->timer, ms);
}

/* What the exchange waits for on this side decides the deadline; the owner has
 * deadlines of its own for what it waits for on the other side. While output is
 * blocked the deadline is emit's: only output that moves may put it off. */
static void
exchange_deadline(struct client_h1 *c)
{
	if (c->blocked)
		return;
	if (!c->request_done && !c->paused && !c->broken && !c->expects &&
	    c->client.owner != NULL)
		deadline(c, c->env->gate.body_timeout);
	else
		loop_timer_stop(c->env->loop, &c->timer);
}

static void
window_start(struct window *window)
{
	*window = (struct window){.at = loop_now()};
}

/* False when a stream is slower than min_rate over a whole window. */
static bool
window_keeps(struct window *window, size_t n, uint32_t min_rate)
{
	uint64_t span = loop_now() - window->at;

	window->bytes += n;
	if (span < RATE_WINDOW_MS)
		return true;
	if (window->bytes * 1000 < min_rate * span)
		return false;
	window_start(window);
	return true;
}

/* ---- the end of a connection ---- */

static void
shut(struct client_h1 *c, enum reason why, bool reset)
{
	if (c->state == H1_CLOSED)
		return;
	become(c, H1_CLOSED);
	c->why = why;
	if (reset)
		wire_reset(&c->wire);
	else
		wire_close(&c->wire);
	loop_timer_stop(c->env->loop, &c->timer);
	loop_defer(c->env->loop, &c->step);
}

static void
tell_close(const struct client_h1 *c)
{
	char ip[ADDR_TEXT_MAX];

	if (c->why == REASON_NONE)
		return;
	log_debug("connection closed client=%.*s reason=%s",
	    (int)addr_ip_text(&c->peer, ip), ip, reason_word(c->why));
}

static void
free_connection(struct client_h1 *c)
{
	struct client_h1_env *env = c->env;

	loop_defer_cancel(env->loop, &c->step);
	buffer_release(&c->in);
	buffer_release(&c->out);
	LIST_REMOVE(c, link);
	env->live--;
	tell_close(c);
	if (env->closed != NULL)
		env->closed(env->arg, c->why);
	pool_put(&env->pool, c);
}

/* Tells the owner, who may answer a malformed or late body, and gives its last
 * command in any case. Without one the response is already given: it still goes
 * out, if the client can be there to read it. */
static void
break_request(struct client_h1 *c, enum reason why)
{
	c->broken = true;
	wire_read_off(&c->wire);
	exchange_deadline(c);
	if (c->client.owner != NULL)
		c->client.events->broken(c->client.owner, why);
	else if (reason_status(why) == 0)
		shut(c, why, true);
	else
		c->why = why;
}

/* What lies in `in` is dropped at the next step: this runs inside commands,
 * and the owner may still look at the head there. */
static void
linger(struct client_h1 *c)
{
	become(c, H1_LINGER);
	c->discarded = 0;
	if (c->half_closed) {
		shut(c, c->why, false);
		return;
	}
	loop_defer(c->env->loop, &c->step);
	wire_shutdown(&c->wire);
	wire_read_on(&c->wire);
	deadline(c, LINGER_MS);
}

/* ---- output ---- */

/* Writes what waits and then the pieces; what the socket does not take is
 * kept. A failure is told at the next step: this runs inside commands. */
static void
emit(struct client_h1 *c, const struct slice *pieces, int count)
{
	ssize_t wrote = wire_send(&c->wire, &c->out, pieces, count);

	if (wrote == WIRE_FAILED) {
		c->failed = true;
		wire_read_off(&c->wire);
		loop_defer(c->env->loop, &c->step);
		return;
	}
	c->out_window.bytes += (size_t)wrote;
	if (buffer_len(&c->out) == 0) {
		if (c->blocked)
			c->free_since = loop_now();
		c->blocked = false;
		return;
	}
	/* The client is timed while output waits for it, and for all that it
	 * takes: a socket with room for a moment makes it no faster. */
	if (!c->blocked)
		c->out_window.at += loop_now() - c->free_since;
	if (!c->blocked || wrote > 0)
		deadline(c, c->env->gate.write_timeout);
	c->blocked = true;
}

static void
flush(struct client_h1 *c)
{
	if (!c->failed && c->state != H1_CLOSED && buffer_len(&c->out) > 0)
		emit(c, NULL, 0);
}

/* Small pieces wait for what follows them in this step; with more than
 * COALESCE together they go out at once. */
static void
put(struct client_h1 *c, const struct slice *pieces, int count)
{
	size_t size = buffer_len(&c->out);
	int i;

	if (c->failed || c->state == H1_CLOSED)
		return;
	for (i = 0; i < count; i++) {
		size += pieces[i].len;
		c->client.bytes_out += pieces[i].len;
	}
	if (size > COALESCE) {
		emit(c, pieces, count);
		return;
	}
	for (i = 0; i < count; i++)
		buffer_append(&c->out, pieces[i]);
	loop_defer(c->env->loop, &c->step);
}

/* ---- the response: commands of client.h ---- */

static bool
can_drain(const struct client_h1 *c)
{
	if (c->request_done)
		return true;
	if (c->broken || c->expects || c->half_closed)
		return false;
	return c->body.plan.kind == BODY_CHUNKED || c->body.left <= DRAIN_MAX;
}

static void
put_head(struct client_h1 *c, const struct head *head, struct slice framing)
{
	size_t size = h1_head_size(head);
	char *to = buffer_reserve(&c->out, size + framing.len);
	size_t len = h1_head_write(head, to);

	/* the framing fields stand before the empty line */
	memcpy(to + len - 2, framing.at, framing.len);
	memcpy(to + len - 2 + framing.len, "\r\n", 2);
	c->out.end += (uint32_t)(len + framing.len);
	c->client.bytes_out += len + framing.len;
	loop_defer(c->env->loop, &c->step);
}

/* Nobody depends on these, so they never fill the buffer: an answer must find
 * room in it. */
static void
op_interim(struct client *client, const struct head *head)
{
	struct client_h1 *c = of_client(client);

	assert(head->status >= 102 && head->status <= 199);
	if (!c->minor1 || c->head_sent || c->failed || c->state == H1_CLOSED)
		return;
	if (buffer_len(&c->out) + h1_head_size(head) > OUT_MAX / 2)
		return;
	put_head(c, head, SLICE(""));
}

static void
op_want_body(struct client *client)
{
	static const struct slice go = {"HTTP/1.1 100 Continue\r\n\r\n", 25};
	struct client_h1 *c = of_client(client);

	if (!c->expects || c->head_sent || c->failed || c->state == H1_CLOSED)
		return;
	c->expects = false;
	window_start(&c->in_window);
	emit(c, &go, 1);
	exchange_deadline(c);
}

/* How the body will be delimited; also decides whether the connection ends. */
static size_t
frame(struct client_h1 *c, const struct head *head, struct body_plan plan,
    char out[96])
{
	bool bodyless =
	    c->is_head || head->status == 204 || head->status == 304;
	const char *connection = "";
	int n = 0;

	c->out_kind = bodyless ? BODY_NONE : plan.kind;
	c->out_left = plan.kind == BODY_LENGTH ? plan.length : 0;
	if (c->out_kind == BODY_CHUNKED && !c->minor1)
		c->out_kind = BODY_CLOSE;
	else if (c->out_kind == BODY_CLOSE && c->minor1)
		c->out_kind = BODY_CHUNKED;
	if (c->out_kind == BODY_CLOSE)
		c->persistent = false;
	if (!c->persistent)
		connection = "Connection: close\r\n";
	else if (!c->minor1)
		connection = "Connection: keep-alive\r\n";
	if (c->out_kind == BODY_CHUNKED)
		n = snprintf(
		    out, 96, "Transfer-Encoding: chunked\r\n%s", connection);
	else if (bodyless || c->out_kind == BODY_CLOSE)
		n = snprintf(out, 96, "%s", connection);
	else
		n = snprintf(out, 96, "Content-Length: %llu\r\n%s",
		    (unsigned long long)c->out_left, connection);
	return (size_t)n;
}

static void
op_head(struct client *client, const struct head *head, struct body_plan plan,
    bool close)
{
	struct client_h1 *c = of_client(client);
	char framing[96];
	size_t len;

	assert(!c->head_sent);
	if (close || c->env->draining || !can_drain(c))
		c->persistent = false;
	len = frame(c, head, plan, framing);
	c->head_sent = true;
	if (c->failed || c->state == H1_CLOSED)
		return;
	put_head(c, head, (struct slice){framing, len});
}

static size_t
op_body(struct client *client, struct slice piece)
{
	struct client_h1 *c = of_client(client);
	char size[H1_CHUNK_HEAD_MAX];
	struct slice pieces[3];

	if (c->failed || c->state == H1_CLOSED || piece.len == 0)
		return piece.len;
	assert(c->head_sent && c->out_kind != BODY_NONE);
	if (c->blocked && buffer_len(&c->out) >= OUT_MAX) {
		c->starved = true;
		return 0;
	}
	if (piece.len > OUT_MAX) {
		piece.len = OUT_MAX;
		c->starved = true;
		loop_defer(c->env->loop, &c->step);
	}
	if (c->out_kind != BODY_CHUNKED) {
		assert(c->out_kind == BODY_CLOSE || piece.len <= c->out_left);
		c->out_left -= c->out_kind == BODY_LENGTH ? piece.len : 0;
		put(c, &piece, 1);
		return piece.len;
	}
	pieces[0] = (struct slice){size, h1_chunk_head_write(piece.len, size)};
	pieces[1] = piece;
	pieces[2] = SLICE("\r\n");
	put(c, pieces, 3);
	return piece.len;
}

/* Bytes that wait come before those that the socket has, and before its FIN. */
static void
read_on(struct client_h1 *c)
{
	if (buffer_len(&c->in) > 0)
		loop_defer(c->env->loop, &c->step);
	else
		wire_read_on(&c->wire);
}

static void
go_idle(struct client_h1 *c)
{
	become(c, H1_IDLE);
	deadline(c, c->env->gate.idle_timeout);
	read_on(c);
}

/* After the last response. Unread bytes would turn the close into a reset,
 * which may destroy the response on its way. */
static void
part(struct client_h1 *c)
{
	if (!c->broken && c->request_done && !c->env->draining &&
	    c->wire.watch == WIRE_READING && buffer_len(&c->in) == 0)
		shut(c, REASON_NONE, false);
	else
		linger(c);
}

/* The response is out: the next request, the rest of this one, or the end. */
static void
finish(struct client_h1 *c)
{
	c->response_done = false;
	if (c->broken || !c->persistent || c->env->draining) {
		part(c);
	} else if (c->half_closed && buffer_len(&c->in) == 0) {
		shut(c, REASON_NONE, false);
	} else if (!c->request_done) {
		become(c, H1_DRAIN);
		c->paused = false;
		c->discarded = 0;
		deadline(c, LINGER_MS);
		read_on(c);
	} else {
		go_idle(c);
	}
}

static void
op_end(struct client *client)
{
	static const struct slice last = {"0\r\n\r\n", 5};
	struct client_h1 *c = of_client(client);

	assert(client->owner == NULL && c->head_sent);
	if (c->failed || c->state == H1_CLOSED) {
		shut(c, REASON_CLIENT_CLOSED, true);
		return;
	}
	assert(c->out_kind != BODY_LENGTH || c->out_left == 0);
	if (c->out_kind == BODY_CHUNKED)
		put(c, &last, 1);
	c->response_done = true;
	flush(c);
	if (c->failed)
		return;
	if (buffer_len(&c->out) == 0)
		finish(c);
	else
		exchange_deadline(c);
}

static void
op_abort(struct client *client, enum reason reason)
{
	struct client_h1 *c = of_client(client);

	(void)reason; /* the owner has told it */
	assert(client->owner == NULL);
	shut(c, REASON_NONE, true);
}

static void
op_pause(struct client *client)
{
	struct client_h1 *c = of_client(client);

	c->paused = true;
	if (!c->request_done && c->state != H1_CLOSED)
		wire_read_off(&c->wire);
}

static void
op_resume(struct client *client)
{
	struct client_h1 *c = of_client(client);

	if (!c->paused)
		return;
	c->paused = false;
	if (c->request_done || c->broken || c->state == H1_CLOSED)
		return;
	window_start(&c->in_window);
	exchange_deadline(c);
	read_on(c);
}

static const struct client_ops ops = {
    .interim = op_interim,
    .want_body = op_want_body,
    .head = op_head,
    .body = op_body,
    .end = op_end,
    .abort = op_abort,
    .pause = op_pause,
    .resume = op_resume,
    .lend_wire = NULL,
};

/* ---- the request ---- */

static void
open_exchange(struct client_h1 *c, const struct head *head, enum reason why)
{
	struct body_plan plan = {BODY_NONE, 0};

	become(c, H1_EXCHANGE);
	loop_timer_stop(c->env->loop, &c->timer);
	if (why == REASON_NONE)
		plan = h1_request_body(head);
	h1_body_init(&c->body, plan);
	c->minor1 = head->minor == 1;
	c->is_head = slice_eq(head->method, SLICE("HEAD"));
	c->persistent = why == REASON_NONE && h1_persistent(head);
	c->expects = why == REASON_NONE && plan.kind != BODY_NONE &&
		     h1_expects_continue(head);
	c->request_done = why == REASON_NONE && plan.kind == BODY_NONE;
	c->broken = why != REASON_NONE;
	c->paused = c->starved = c->head_sent = c->response_done = false;
	c->client.bytes_out = 0;
	c->client.began_us = loop_now_us();
	window_start(&c->in_window);
	window_start(&c->out_window);
	c->free_since = c->out_window.at;
	c->client.events->open(c->client.arg, &c->client, head, plan, why);
	if (c->state == H1_EXCHANGE && !c->response_done)
		exchange_deadline(c);
}

/* Reads a head off *bytes. False: more is needed, or nothing follows. */
static bool
step_head(struct client_h1 *c, struct slice *bytes)
{
	const struct gate_config *gate = &c->env->gate;
	struct h1_limits limits = {
	    gate->head_limit, gate->target_limit, gate->head_fields};
	struct head head = {.fields = c->env->fields};
	enum reason why = REASON_NONE;
	size_t used = 0;

	switch (h1_request_read(*bytes, &limits, &head, &used, &why)) {
	case H1_MORE:
		if (c->state == H1_IDLE) {
			become(c, H1_HEAD);
			deadline(c, gate->head_timeout);
		}
		return false;
	case H1_BAD:
		open_exchange(c, &head, why);
		*bytes = SLICE_NONE;
		return false;
	case H1_DONE:
		break;
	}
	bytes->at += used;
	bytes->len -= used;
	open_exchange(c, &head, REASON_NONE);
	return true;
}

/* The body is over: to the owner, or the drained connection is free again. */
static void
body_complete(struct client_h1 *c)
{
	c->request_done = true;
	c->expects = false;
	if (c->state == H1_DRAIN) {
		if (c->env->draining)
			part(c);
		else
			go_idle(c);
		return;
	}
	exchange_deadline(c);
	if (c->client.owner != NULL)
		c->client.events->end(c->client.owner);
}

/* One piece to the owner. False when he does not take all of it. */
static bool
body_piece(struct client_h1 *c, struct slice *bytes, struct slice piece)
{
	size_t taken = piece.len;

	c->expects = false;
	if (c->client.owner != NULL)
		taken = c->client.events->body(c->client.owner, piece);
	else
		c->discarded += piece.len;
	if (c->client.owner == NULL) {
		if (c->state == H1_DRAIN && c->discarded > DRAIN_MAX)
			linger(c);
		return c->state == H1_EXCHANGE || c->state == H1_DRAIN;
	}
	if (taken < piece.len) {
		h1_body_unread(&c->body, piece.len - taken);
		bytes->len += (size_t)(bytes->at - (piece.at + taken));
		bytes->at = piece.at + taken;
		op_pause(&c->client);
		exchange_deadline(c);
		return false;
	}
	return true;
}

/* Reads body off *bytes. False: nothing more can be done with them now. */
static bool
step_body(struct client_h1 *c, struct slice *bytes)
{
	struct slice piece;
	enum reason why;

	if (c->request_done || c->paused || c->broken)
		return false;
	switch (h1_body_read(&c->body, bytes, &piece, &why)) {
	case H1_BODY_DATA:
		return body_piece(c, bytes, piece);
	case H1_BODY_MORE:
		return false;
	case H1_BODY_END:
		body_complete(c);
		return true;
	case H1_BODY_BAD:
		break;
	}
	*bytes = SLICE_NONE;
	if (c->state == H1_DRAIN) {
		c->why = why;
		linger(c);
	} else {
		break_request(c, why);
	}
	return false;
}

/* Nothing is parsed while a request is served: what comes early waits. */
static bool
takes_input(const struct client_h1 *c)
{
	if (c->state == H1_EXCHANGE)
		return !c->request_done && !c->paused && !c->broken;
	return c->state != H1_CLOSED && c->state != H1_LINGER;
}

/* A client that has sent its request is still watched: for its FIN or RST, and
 * for one read of what it sends early. */
static void
watch_input(struct client_h1 *c)
{
	bool idle_watch = c->request_done && !c->broken && !c->half_closed &&
			  buffer_len(&c->in) == 0;

	if (takes_input(c) || idle_watch)
		wire_read_on(&c->wire);
	else if (!c->half_closed)
		wire_read_off(&c->wire);
}

/* Everything that can be done with these bytes; the rest goes to `in`. */
static void
run(struct client_h1 *c, struct slice bytes, bool from_in)
{
	struct slice all = bytes;
	bool more = true;

	while (more) {
		if (c->state == H1_IDLE || c->state == H1_HEAD)
			more = bytes.len > 0 && step_head(c, &bytes);
		else if (c->state == H1_EXCHANGE || c->state == H1_DRAIN)
			more = step_body(c, &bytes);
		else
			break;
	}
	if (c->state == H1_CLOSED || c->state == H1_LINGER)
		return;
	if (from_in)
		buffer_consume(&c->in, all.len - bytes.len);
	else
		buffer_append(&c->in, bytes);
	watch_input(c);
}

/* ---- what the loop tells ---- */

static void
end_of_input(struct client_h1 *c)
{
	switch (c->state) {
	case H1_EXCHANGE:
		if (c->half_closed)
			return; /* the same FIN, told again */
		c->half_closed = true;
		if (c->request_done || c->broken)
			wire_watch_reset(&c->wire);
		else
			break_request(c, REASON_CLIENT_CLOSED);
		return;
	case H1_HEAD:
		shut(c, REASON_CLIENT_CLOSED, false);
		return;
	case H1_IDLE:
	case H1_DRAIN:
	case H1_LINGER:
	case H1_CLOSED:
		shut(c, c->why, false);
		return;
	}
}

static void
on_failure(struct client_h1 *c)
{
	if (c->state == H1_EXCHANGE)
		break_request(c, REASON_CLIENT_CLOSED);
	else
		shut(c, REASON_CLIENT_CLOSED, true);
}

/* The rate counts every byte, so that chunk headers can't be dribbled. */
static void
after_input(struct client_h1 *c, size_t n)
{
	if (c->state != H1_EXCHANGE || !takes_input(c))
		return;
	exchange_deadline(c);
	if (!window_keeps(&c->in_window, n, c->env->gate.min_rate))
		break_request(c, REASON_CLIENT_MIN_RATE);
}

static void
on_readable(struct wire *wire)
{
	struct client_h1 *c =
	    (struct client_h1 *)((char *)wire -
				 offsetof(struct client_h1, wire));
	bool keep = c->state != H1_LINGER &&
		    (buffer_len(&c->in) > 0 || !takes_input(c));
	size_t size = keep ? 4096 : READ_MAX;
	char *to = keep ? buffer_reserve(&c->in, size) : c->env->loop->scratch;
	ssize_t n = wire_read(wire, to, size);

	if (n <= 0 && buffer_len(&c->in) == 0)
		buffer_release(&c->in);
	if (n == WIRE_AGAIN)
		return;
	if (n == WIRE_FAILED) {
		on_failure(c);
	} else if (n == 0) {
		end_of_input(c);
	} else if (c->state == H1_LINGER) {
		c->discarded += (size_t)n;
		if (c->discarded > LINGER_MAX)
			shut(c, c->why, false);
	} else if (!keep) {
		run(c, (struct slice){to, (size_t)n}, false);
	} else {
		c->in.end += (uint32_t)n;
		run(c, buffer_slice(&c->in), true);
	}
	if (n > 0)
		after_input(c, (size_t)n);
}

/* What can go on when output has moved. */
static void
after_output(struct client_h1 *c)
{
	if (c->failed) {
		c->failed = false;
		if (c->state == H1_EXCHANGE)
			break_request(c, REASON_CLIENT_CLOSED);
		return;
	}
	if (c->response_done && !c->blocked) {
		finish(c);
		return;
	}
	if (c->starved && buffer_len(&c->out) < OUT_MAX &&
	    c->client.owner != NULL) {
		c->starved = false;
		c->client.events->ready(c->client.owner);
	}
}

static void
on_writable(struct wire *wire)
{
	struct client_h1 *c =
	    (struct client_h1 *)((char *)wire -
				 offsetof(struct client_h1, wire));

	flush(c);
	if (!c->failed && c->blocked &&
	    !window_keeps(&c->out_window, 0, c->env->gate.min_rate)) {
		break_request(c, REASON_CLIENT_READ_RATE);
		return;
	}
	after_output(c);
	if (c->state == H1_EXCHANGE)
		exchange_deadline(c);
}

static void
on_step(struct step *step)
{
	struct client_h1 *c =
	    (struct client_h1 *)((char *)step -
				 offsetof(struct client_h1, step));

	if (c->state != H1_CLOSED)
		flush(c);
	if (c->state != H1_CLOSED)
		after_output(c);
	if (c->state == H1_LINGER)
		buffer_release(&c->in);
	if (buffer_len(&c->in) > 0 && takes_input(c))
		run(c, buffer_slice(&c->in), true);
	if (c->state == H1_CLOSED)
		free_connection(c);
}

static void
on_timer(struct timer *timer)
{
	struct client_h1 *c =
	    (struct client_h1 *)((char *)timer -
				 offsetof(struct client_h1, timer));
	struct head none = {.fields = NULL};

	switch (c->state) {
	case H1_HEAD:
		if (buffer_len(&c->in) == 0) {
			shut(c, REASON_CLIENT_HEAD_TIMEOUT, false);
			return;
		}
		buffer_release(&c->in);
		wire_read_off(&c->wire);
		open_exchange(c, &none, REASON_CLIENT_HEAD_TIMEOUT);
		return;
	case H1_IDLE:
		shut(c, REASON_CLIENT_IDLE, false);
		return;
	case H1_EXCHANGE:
		break_request(c, c->blocked ? REASON_CLIENT_WRITE_TIMEOUT
					    : REASON_CLIENT_BODY_TIMEOUT);
		return;
	case H1_DRAIN:
		linger(c);
		return;
	case H1_LINGER:
	case H1_CLOSED:
		shut(c, c->why, false);
		return;
	}
}

static const struct wire_events wire_events = {on_readable, on_writable};

/* ---- the listener's side ---- */

void
client_h1_env_init(struct client_h1_env *env, struct loop *loop,
    const struct gate_config *gate)
{
	memset(env, 0, sizeof(*env));
	env->loop = loop;
	env->gate = *gate;
	LIST_INIT(&env->all);
	pool_init(&env->pool, sizeof(struct client_h1), 256);
	env->fields = mem_alloc(gate->head_fields * sizeof(struct field));
}

void
client_h1_open(struct client_h1_env *env, int fd, const struct addr *peer,
    const struct hosts *door)
{
	struct client_h1 *c = pool_get(&env->pool);

	memset(c, 0, sizeof(*c));
	c->env = env;
	c->peer = *peer;
	c->client = (struct client){.ops = &ops,
	    .events = env->events,
	    .arg = env->arg,
	    .peer = &c->peer,
	    .door = door};
	c->timer.fn = on_timer;
	c->step.fn = on_step;
	c->state = H1_HEAD;
	buffer_init(&c->in, &env->loop->buffers);
	buffer_init(&c->out, &env->loop->buffers);
	LIST_INSERT_HEAD(&env->all, c, link);
	env->live++;
	wire_open(&c->wire, env->loop, fd, &wire_events);
	wire_read_on(&c->wire);
	deadline(c, env->gate.head_timeout);
	on_readable(&c->wire);
}

void
client_h1_refuse(int fd)
{
	static const char answer[] =
	    "HTTP/1.1 503 Service Unavailable\r\n"
	    "Proxy-Status: methodgate; error=connection_limit_reached; "
	    "details=\"too_many_connections\"\r\n"
	    "Retry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

	(void)send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	/* Unread bytes would turn the close into a reset, which may destroy the
	 * answer on its way; MSG_TRUNC drops them (tcp(7)). */
	(void)recv(fd, NULL, READ_MAX, MSG_TRUNC | MSG_DONTWAIT);
	close(fd);
}

static bool
between_exchanges(const struct client_h1 *c)
{
	return (c->state == H1_IDLE || c->state == H1_HEAD) &&
	       buffer_len(&c->in) == 0;
}

void
client_h1_drain(struct client_h1_env *env)
{
	struct client_h1 *c, *next;

	env->draining = true;
	for (c = LIST_FIRST(&env->all); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		if (!between_exchanges(c))
			continue;
		on_readable(&c->wire); /* a request may have come already */
		if (between_exchanges(c))
			shut(c, REASON_SHUTDOWN, false);
	}
}

void
client_h1_env_done(struct client_h1_env *env)
{
	struct client_h1 *c;

	while ((c = LIST_FIRST(&env->all)) != NULL) {
		if (c->client.owner != NULL)
			c->client.events->broken(
			    c->client.owner, REASON_SHUTDOWN);
		shut(c, REASON_SHUTDOWN, true);
		free_connection(c);
	}
	pool_done(&env->pool);
	free(env->fields);
}
