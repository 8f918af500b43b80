/* SPDX-License-Identifier: ISC */
/* client_h1: an HTTP/1.1 connection from a client.
 *
 *   HEAD -> IDLE -> HEAD -> EXCHANGE -> IDLE ...
 *                    |         |-> DRAIN -> IDLE    (rest of a small body)
 *                    |         |-> LINGER -> CLOSED (FIN sent, reads on)
 *                    +---------+-> CLOSED           (freed at the next step)
 *
 * EXCHANGE may become TUNNEL, which ends as it does. Bytes that arrive go from
 * the worker's scratch straight into the parser; what can't be used yet waits
 * in `in`. What the socket does not take waits in `out`. An idle connection has
 * neither: both belong to its turn. */
#include "client_h1.h"

#include <assert.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "h1_body.h"
#include "h1_head.h"
#include "log.h"
#include "tls.h"
#include "wire.h"

#define READ_MAX (64u * 1024)	  /* of a read that may bring a head */
#define INTERIM_ROOM (32u * 1024) /* output that interim heads may fill */
#define COALESCE 1024u		  /* pieces up to this wait for their end */
#define DRAIN_MAX (64u * 1024) /* of an unwanted body, read to stay in step */
#define LINGER_MAX (1024u * 1024)
#define LINGER_MS 5000u
#define RATE_WINDOW_MS 30000u

enum h1_state {
	H1_IDLE,
	H1_HEAD,
	H1_EXCHANGE,
	H1_TUNNEL,
	H1_DRAIN,
	H1_LINGER,
	H1_CLOSED
};

static const struct client_ops ops;

/* What moved one way since when. */
struct window {
	uint64_t at; /* ms */
	uint64_t bytes;
};

/* What a connection needs from the first byte of a request to the last of its
 * answer, and not while it is idle. */
struct turn {
	struct client client; /* first: what the owner sees */
	struct client_h1 *connection;
	struct addr peer;
	struct buffer in, out;
	struct h1_body body;	/* of the request */
	struct buffer trailers; /* of the request, where the owner wants them */
	uint64_t out_left;	/* response: bytes the owner still owes */
	struct window in_window, out_window; /* of min_rate */
	uint64_t free_since; /* ms: since when no output has waited */
	uint64_t discarded;
	enum body_kind out_kind;
	/* facts about the present exchange, not states */
	bool minor1, is_head, persistent, expects, request_done;
	bool broken;  /* the request can't be completed */
	bool paused;  /* the owner wants no body */
	bool starved; /* ready is owed */
	bool head_sent, response_done, half_closed;
	bool shut;    /* of a tunnel: FIN goes out after what waits */
	bool failed;  /* a write failed; told at the next step */
	bool blocked; /* output waits for the socket */
};

struct client_h1 {
	struct wire wire;
	struct client_h1_env *env; /* borrowed: outlives its connections */
	LIST_ENTRY(client_h1) link;
	struct timer timer;
	struct step step;
	struct turn *turn; /* NULL while idle */
	struct door *door; /* borrowed: until it has told that it closed */
	enum h1_state state;
	enum reason why; /* of the close; known while lingering */
	/* the front of the peer's address: a unix socket has no more */
	uint8_t peer_len;
	unsigned char peer[sizeof(struct sockaddr_in6)];
};

static struct client_h1 *
of_client(struct client *client)
{
	return ((struct turn *)client)->connection;
}

static void
peer_of(const struct client_h1 *c, struct addr *out)
{
	*out = (struct addr){.len = c->peer_len};
	memcpy(&out->sa, c->peer, c->peer_len);
}

/* No further request is taken. */
static bool
is_ending(const struct client_h1 *c)
{
	return c->env->draining || c->door->gone;
}

static bool
has_input(const struct client_h1 *c)
{
	return c->turn != NULL && buffer_len(&c->turn->in) > 0;
}

static void
take_turn(struct client_h1 *c)
{
	struct turn *turn = c->turn;

	if (turn != NULL)
		return;
	c->turn = turn = pool_get(&c->env->turns);
	memset(turn, 0, sizeof(*turn));
	turn->connection = c;
	peer_of(c, &turn->peer);
	turn->client = (struct client){.ops = &ops,
	    .events = c->env->events,
	    .arg = c->env->arg,
	    .peer = &turn->peer,
	    .tls = wire_tls(&c->wire),
	    .door = c->door};
	buffer_init(&turn->in, &c->env->loop->buffers);
	buffer_init(&turn->out, &c->env->loop->buffers);
	buffer_init(&turn->trailers, &c->env->loop->buffers);
}

static void
leave_turn(struct client_h1 *c)
{
	if (c->turn == NULL)
		return;
	buffer_release(&c->turn->in);
	buffer_release(&c->turn->out);
	buffer_release(&c->turn->trailers);
	pool_put(&c->env->turns, c->turn);
	c->turn = NULL;
}

/* Between requests nothing of it is kept. Never inside a command. */
static void
rest(struct client_h1 *c)
{
	if ((c->state == H1_IDLE || c->state == H1_HEAD) && c->turn != NULL &&
	    buffer_len(&c->turn->in) == 0 && buffer_len(&c->turn->out) == 0)
		leave_turn(c);
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
    {H1_EXCHANGE, H1_TUNNEL},
    {H1_TUNNEL, H1_LINGER},
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
 * blocked the deadline is emit's: only output that moves may put it off. Of a
 * tunnel the owner has them all: silence either way is what it is for. */
static void
exchange_deadline(struct client_h1 *c)
{
	const struct turn *turn = c->turn;

	if (turn->blocked || c->state == H1_TUNNEL)
		return;
	if (!turn->request_done && !turn->paused && !turn->broken &&
	    !turn->expects && turn->client.owner != NULL)
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
	struct addr peer;

	if (c->why == REASON_NONE)
		return;
	peer_of(c, &peer);
	log_debug("connection closed client=%.*s reason=%s",
	    (int)addr_ip_text(&peer, ip), ip, reason_word(c->why));
}

static void
free_connection(struct client_h1 *c)
{
	struct client_h1_env *env = c->env;
	struct door *door = c->door;
	enum reason why = c->why;
	struct addr peer;

	peer_of(c, &peer);
	loop_defer_cancel(env->loop, &c->step);
	leave_turn(c);
	LIST_REMOVE(c, link);
	env->live--;
	tell_close(c);
	pool_put(&env->pool, c);
	if (env->closed != NULL)
		env->closed(env->arg, door, &peer, why);
}

/* Tells the owner, who may answer a malformed or late body, and gives its last
 * command in any case. Without one the response is already given: it still goes
 * out, if the client can be there to read it. */
static void
break_request(struct client_h1 *c, enum reason why)
{
	c->turn->broken = true;
	wire_read_off(&c->wire);
	exchange_deadline(c);
	if (c->turn->client.owner != NULL)
		c->turn->client.events->broken(c->turn->client.owner, why);
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
	c->turn->discarded = 0;
	if (c->turn->half_closed) {
		shut(c, c->why, false);
		return;
	}
	loop_defer(c->env->loop, &c->step);
	wire_shutdown(&c->wire);
	wire_read_on(&c->wire);
	deadline(c, LINGER_MS);
}

/* ---- output ---- */

/* Told at the next step: this runs inside commands. */
static void
fail_output(struct client_h1 *c)
{
	c->turn->failed = true;
	wire_read_off(&c->wire);
	loop_defer(c->env->loop, &c->step);
}

/* The socket has taken so much; waits: there is more that it has not. */
static void
note_output(struct client_h1 *c, size_t wrote, bool waits)
{
	struct turn *turn = c->turn;

	turn->out_window.bytes += wrote;
	if (!waits) {
		if (turn->blocked)
			turn->free_since = loop_now();
		turn->blocked = false;
		return;
	}
	/* The client is timed while output waits for it, and for all that it
	 * takes: a socket with room for a moment makes it no faster. */
	if (!turn->blocked)
		turn->out_window.at += loop_now() - turn->free_since;
	if ((!turn->blocked || wrote > 0) && c->state != H1_TUNNEL)
		deadline(c, c->env->gate.write_timeout);
	turn->blocked = true;
}

/* Writes what waits and then the pieces; what the socket does not take is
 * kept. */
static void
emit(struct client_h1 *c, const struct slice *pieces, int count)
{
	ssize_t wrote = wire_send(&c->wire, &c->turn->out, pieces, count);

	if (wrote == WIRE_FAILED)
		fail_output(c);
	else
		note_output(c, (size_t)wrote, buffer_len(&c->turn->out) > 0);
}

static void
flush(struct client_h1 *c)
{
	if (!c->turn->failed && c->state != H1_CLOSED &&
	    buffer_len(&c->turn->out) > 0)
		emit(c, NULL, 0);
}

/* Small pieces wait for what follows them in this step; with more than
 * COALESCE together they go out at once. */
static void
put(struct client_h1 *c, const struct slice *pieces, int count)
{
	size_t size = buffer_len(&c->turn->out);
	int i;

	if (c->turn->failed || c->state == H1_CLOSED)
		return;
	for (i = 0; i < count; i++) {
		size += pieces[i].len;
		c->turn->client.bytes_out += pieces[i].len;
	}
	if (size > COALESCE) {
		emit(c, pieces, count);
		return;
	}
	for (i = 0; i < count; i++)
		buffer_append(&c->turn->out, pieces[i]);
	loop_defer(c->env->loop, &c->step);
}

/* ---- the response: commands of client.h ---- */

static bool
can_drain(const struct client_h1 *c)
{
	if (c->turn->request_done)
		return true;
	if (c->turn->broken || c->turn->expects || c->turn->half_closed)
		return false;
	return c->turn->body.plan.kind == BODY_CHUNKED ||
	       c->turn->body.left <= DRAIN_MAX;
}

static void
put_head(struct client_h1 *c, const struct head *head, struct slice framing)
{
	size_t size = h1_head_size(head);
	char *to = buffer_reserve(&c->turn->out, size + framing.len);
	size_t len = h1_head_write(head, to);

	/* the framing fields stand before the empty line */
	memcpy(to + len - 2, framing.at, framing.len);
	memcpy(to + len - 2 + framing.len, "\r\n", 2);
	c->turn->out.end += (uint32_t)(len + framing.len);
	c->turn->client.bytes_out += len + framing.len;
	loop_defer(c->env->loop, &c->step);
}

/* Nobody depends on these, so they never fill the buffer: an answer must find
 * room in it. */
static void
op_interim(struct client *client, const struct head *head)
{
	struct client_h1 *c = of_client(client);

	assert(head->status >= 102 && head->status <= 199);
	if (!c->turn->minor1 || c->turn->head_sent || c->turn->failed ||
	    c->state == H1_CLOSED)
		return;
	if (buffer_len(&c->turn->out) + h1_head_size(head) > INTERIM_ROOM)
		return;
	put_head(c, head, SLICE(""));
}

static void
op_want_body(struct client *client)
{
	static const struct slice go = {"HTTP/1.1 100 Continue\r\n\r\n", 25};
	struct client_h1 *c = of_client(client);

	if (!c->turn->expects || c->turn->head_sent || c->turn->failed ||
	    c->state == H1_CLOSED)
		return;
	c->turn->expects = false;
	window_start(&c->turn->in_window);
	emit(c, &go, 1);
	exchange_deadline(c);
}

/* How the body will be delimited; also decides whether the connection ends. */
static size_t
frame(struct turn *turn, const struct head *head, struct body_plan plan,
    char out[96])
{
	bool bodyless =
	    turn->is_head || head->status == 204 || head->status == 304;
	struct slice connection = SLICE("");
	char *at = out;

	turn->out_kind = bodyless ? BODY_NONE : plan.kind;
	turn->out_left = plan.kind == BODY_LENGTH ? plan.length : 0;
	if (turn->out_kind == BODY_CHUNKED && !turn->minor1)
		turn->out_kind = BODY_CLOSE;
	else if (turn->out_kind == BODY_CLOSE && turn->minor1)
		turn->out_kind = BODY_CHUNKED;
	if (turn->out_kind == BODY_CLOSE)
		turn->persistent = false;
	if (turn->out_kind == BODY_TUNNEL)
		connection = SLICE("Connection: upgrade\r\n");
	else if (!turn->persistent)
		connection = SLICE("Connection: close\r\n");
	else if (!turn->minor1)
		connection = SLICE("Connection: keep-alive\r\n");
	if (turn->out_kind == BODY_CHUNKED)
		at = slice_put(at, SLICE("Transfer-Encoding: chunked\r\n"));
	else if (!bodyless && turn->out_kind != BODY_CLOSE &&
		 turn->out_kind != BODY_TUNNEL)
		at = h1_length_write(turn->out_left, at);
	return (size_t)(slice_put(at, connection) - out);
}

/* Both ways are open from here on, until each has had its FIN. What the client
 * has sent early is the tunnel's. */
static void
open_tunnel(struct client_h1 *c)
{
	struct turn *turn = c->turn;

	assert(turn->request_done && turn->client.owner != NULL);
	become(c, H1_TUNNEL);
	loop_timer_stop(c->env->loop, &c->timer);
	turn->persistent = false;
	turn->request_done = turn->paused = false;
	h1_body_init(&turn->body, (struct body_plan){BODY_TUNNEL, 0});
}

static void
op_head(struct client *client, const struct head *head, struct body_plan plan,
    bool close)
{
	struct client_h1 *c = of_client(client);
	char framing[96];
	size_t len;

	assert(!c->turn->head_sent);
	if (close || is_ending(c) || !can_drain(c))
		c->turn->persistent = false;
	len = frame(c->turn, head, plan, framing);
	c->turn->head_sent = true;
	if (c->turn->failed || c->state == H1_CLOSED)
		return;
	if (plan.kind == BODY_TUNNEL)
		open_tunnel(c);
	put_head(c, head, (struct slice){framing, len});
}

/* Bytes of the body, framed. */
static void
put_body(struct client_h1 *c, struct slice piece)
{
	struct turn *turn = c->turn;
	char size[H1_CHUNK_HEAD_MAX];
	struct slice pieces[WIRE_PIECES];

	if (turn->out_kind != BODY_CHUNKED) {
		assert(turn->out_kind != BODY_LENGTH ||
		       piece.len <= turn->out_left);
		turn->out_left -= turn->out_kind == BODY_LENGTH ? piece.len : 0;
		put(c, &piece, 1);
		return;
	}
	pieces[0] = (struct slice){size, h1_chunk_head_write(piece.len, size)};
	pieces[1] = piece;
	pieces[2] = SLICE("\r\n");
	put(c, pieces, 3);
}

/* As long as the socket takes what comes, more may; then nothing. */
static size_t
op_body(struct client *client, struct slice piece)
{
	struct client_h1 *c = of_client(client);
	struct turn *turn = c->turn;

	if (turn->failed || c->state == H1_CLOSED || piece.len == 0)
		return piece.len;
	assert(turn->head_sent && turn->out_kind != BODY_NONE && !turn->shut);
	if (turn->blocked) {
		turn->starved = true;
		return 0;
	}
	if (piece.len > client->buffer_size) {
		piece.len = client->buffer_size;
		turn->starved = true;
		loop_defer(c->env->loop, &c->step);
	}
	put_body(c, piece);
	client->full = turn->blocked;
	turn->starved = turn->starved || turn->blocked;
	return piece.len;
}

/* Bytes that wait come before those that the socket has, and before its FIN. */
static void
read_on(struct client_h1 *c)
{
	if (buffer_len(&c->turn->in) > 0)
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
	loop_defer(c->env->loop, &c->step); /* to rest */
}

/* After the last response. Unread bytes would turn the close into a reset,
 * which may destroy the response on its way. */
static void
part(struct client_h1 *c)
{
	if (!c->turn->broken && c->turn->request_done && !is_ending(c) &&
	    c->wire.watch == WIRE_READING && buffer_len(&c->turn->in) == 0)
		shut(c, REASON_NONE, false);
	else
		linger(c);
}

/* The response is out: the next request, the rest of this one, or the end. */
static void
finish(struct client_h1 *c)
{
	c->turn->response_done = false;
	if (c->turn->broken || !c->turn->persistent || is_ending(c)) {
		part(c);
	} else if (c->turn->half_closed && buffer_len(&c->turn->in) == 0) {
		shut(c, REASON_NONE, false);
	} else if (!c->turn->request_done) {
		become(c, H1_DRAIN);
		c->turn->paused = false;
		c->turn->discarded = 0;
		deadline(c, LINGER_MS);
		read_on(c);
	} else {
		go_idle(c);
	}
}

/* Of a tunnel, once nothing waits for the socket any more. */
static void
send_fin(struct client_h1 *c)
{
	if (c->turn->shut && buffer_len(&c->turn->out) == 0)
		wire_shutdown(&c->wire);
}

static void
op_shut(struct client *client)
{
	struct client_h1 *c = of_client(client);

	if (c->turn->failed || c->state == H1_CLOSED)
		return;
	assert(c->state == H1_TUNNEL && !c->turn->shut);
	c->turn->shut = true;
	flush(c);
	if (!c->turn->failed)
		send_fin(c);
}

static void
put_last_chunk(struct client_h1 *c, const struct head *trailers)
{
	static const struct slice last = {"0\r\n\r\n", 5};
	struct buffer *out = &c->turn->out;
	size_t len;
	char *to;

	if (trailers == NULL) {
		put(c, &last, 1);
		return;
	}
	to = buffer_reserve(out, 3 + h1_head_size(trailers));
	memcpy(to, "0\r\n", 3);
	len = 3 + h1_fields_write(trailers, to + 3);
	out->end += (uint32_t)len;
	c->turn->client.bytes_out += len;
}

static void
op_end(struct client *client, const struct head *trailers)
{
	struct client_h1 *c = of_client(client);
	struct turn *turn = c->turn;

	assert(client->owner == NULL && turn->head_sent);
	if (turn->failed || c->state == H1_CLOSED) {
		shut(c, REASON_CLIENT_CLOSED, true);
		return;
	}
	assert(turn->out_kind != BODY_LENGTH || turn->out_left == 0);
	if (turn->out_kind == BODY_CHUNKED)
		put_last_chunk(c, trailers);
	turn->response_done = true;
	flush(c);
	if (turn->failed)
		return;
	if (buffer_len(&turn->out) == 0)
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

	c->turn->paused = true;
	if (!c->turn->request_done && c->state != H1_CLOSED)
		wire_read_off(&c->wire);
}

static void
op_resume(struct client *client)
{
	struct client_h1 *c = of_client(client);

	if (!c->turn->paused)
		return;
	c->turn->paused = false;
	if (c->turn->request_done || c->turn->broken || c->state == H1_CLOSED)
		return;
	window_start(&c->turn->in_window);
	exchange_deadline(c);
	read_on(c);
	if (h1_body_left(&c->turn->body) == 0)
		loop_defer(c->env->loop, &c->step);
}

static struct wire *
op_lend_wire(struct client *client)
{
	struct client_h1 *c = of_client(client);
	const struct turn *turn = c->turn;
	bool free = c->state == H1_EXCHANGE && turn->head_sent &&
		    wire_can_move(&c->wire) && turn->out_kind == BODY_LENGTH &&
		    buffer_len(&turn->out) == 0 && !turn->blocked &&
		    !turn->failed;

	return free ? &c->wire : NULL;
}

static void
op_moved(struct client *client, size_t n, enum wire_moved how)
{
	struct client_h1 *c = of_client(client);
	struct turn *turn = c->turn;

	assert(n <= turn->out_left);
	turn->out_left -= n;
	client->bytes_out += n;
	if (how == MOVED_FAILED) {
		fail_output(c);
		return;
	}
	note_output(c, n, how == MOVED_WAITS);
	client->full = turn->blocked;
	turn->starved = turn->starved || turn->blocked;
	if (turn->blocked)
		wire_write_on(&c->wire);
}

static void
op_local(struct client *client, struct addr *out)
{
	out->len = sizeof(out->sa);
	if (getsockname(of_client(client)->wire.fd, (struct sockaddr *)&out->sa,
		&out->len) != 0)
		out->len = 0;
}

static const struct client_ops ops = {
    .interim = op_interim,
    .want_body = op_want_body,
    .head = op_head,
    .body = op_body,
    .shut = op_shut,
    .end = op_end,
    .abort = op_abort,
    .pause = op_pause,
    .resume = op_resume,
    .lend_wire = op_lend_wire,
    .moved = op_moved,
    .local = op_local,
};

/* ---- the request ---- */

static void
open_exchange(struct client_h1 *c, const struct head *head, enum reason why)
{
	struct body_plan plan = {BODY_NONE, 0};
	struct turn *turn = c->turn;

	become(c, H1_EXCHANGE);
	loop_timer_stop(c->env->loop, &c->timer);
	if (why == REASON_NONE)
		plan = h1_request_body(head);
	h1_body_init(&turn->body, plan);
	turn->minor1 = head->minor == 1;
	turn->is_head = slice_eq(head->method, SLICE("HEAD"));
	turn->persistent = why == REASON_NONE && h1_persistent(head);
	turn->expects = why == REASON_NONE && plan.kind != BODY_NONE &&
			h1_expects_continue(head);
	turn->request_done = why == REASON_NONE && plan.kind == BODY_NONE;
	turn->broken = why != REASON_NONE;
	turn->paused = turn->starved = turn->head_sent = false;
	turn->response_done = false;
	turn->client.bytes_out = 0;
	turn->client.began_us = loop_now_us();
	turn->client.buffer_size = READ_MAX;
	turn->client.wants_trailers = turn->client.full = false;
	window_start(&turn->in_window);
	window_start(&turn->out_window);
	turn->free_since = turn->out_window.at;
	turn->client.events->open(
	    turn->client.arg, &turn->client, head, plan, why);
	if (turn->client.owner != NULL && turn->client.wants_trailers)
		turn->body.trailer_section = &turn->trailers;
	if (c->state == H1_EXCHANGE && !turn->response_done)
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

/* NULL: the owner wants none, or there are none. */
static const struct head *
take_trailers(struct client_h1 *c, struct head *to)
{
	struct slice section = buffer_slice(&c->turn->trailers);
	struct h1_limits limits = {.fields = c->env->gate.head_fields};

	*to = (struct head){.fields = c->env->fields};
	if (section.len == 0 || !h1_trailers_read(section, &limits, to) ||
	    to->field_count == 0)
		return NULL;
	return to;
}

/* The body is over: to the owner, or the drained connection is free again. */
static void
body_complete(struct client_h1 *c)
{
	struct head trailers;

	c->turn->request_done = true;
	c->turn->expects = false;
	if (c->state == H1_DRAIN) {
		if (is_ending(c))
			part(c);
		else
			go_idle(c);
		return;
	}
	exchange_deadline(c);
	if (c->turn->client.owner != NULL)
		c->turn->client.events->end(
		    c->turn->client.owner, take_trailers(c, &trailers));
}

/* One piece to the owner. False when he does not take all of it. */
static bool
body_piece(struct client_h1 *c, struct slice *bytes, struct slice piece)
{
	size_t taken = piece.len;

	c->turn->expects = false;
	if (c->turn->client.owner != NULL)
		taken =
		    c->turn->client.events->body(c->turn->client.owner, piece);
	else
		c->turn->discarded += piece.len;
	if (c->turn->client.owner == NULL) {
		if (c->state == H1_DRAIN && c->turn->discarded > DRAIN_MAX)
			linger(c);
		return c->state == H1_EXCHANGE || c->state == H1_DRAIN;
	}
	if (taken < piece.len) {
		h1_body_unread(&c->turn->body, piece.len - taken);
		bytes->len += (size_t)(bytes->at - (piece.at + taken));
		bytes->at = piece.at + taken;
		op_pause(&c->turn->client);
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

	if (c->turn->request_done || c->turn->paused || c->turn->broken)
		return false;
	switch (h1_body_read(&c->turn->body, bytes, &piece, &why)) {
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
	if (c->state == H1_EXCHANGE || c->state == H1_TUNNEL)
		return !c->turn->request_done && !c->turn->paused &&
		       !c->turn->broken;
	return c->state != H1_CLOSED && c->state != H1_LINGER;
}

/* A client that has sent its request is still watched: for its FIN or RST, and
 * for one read of what it sends early. */
static void
watch_input(struct client_h1 *c)
{
	bool idle_watch = c->turn->request_done && !c->turn->broken &&
			  !c->turn->half_closed &&
			  buffer_len(&c->turn->in) == 0;

	if (takes_input(c) || idle_watch)
		wire_read_on(&c->wire);
	else if (!c->turn->half_closed)
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
		else if (c->state == H1_EXCHANGE || c->state == H1_DRAIN ||
			 c->state == H1_TUNNEL)
			more = step_body(c, &bytes);
		else
			break;
	}
	if (c->state == H1_CLOSED || c->state == H1_LINGER)
		return;
	if (from_in)
		buffer_consume(&c->turn->in, all.len - bytes.len);
	else
		buffer_append(&c->turn->in, bytes);
	watch_input(c);
}

/* ---- what the loop tells ---- */

static void
end_of_input(struct client_h1 *c)
{
	switch (c->state) {
	case H1_TUNNEL:
		if (c->turn->half_closed)
			return;
		c->turn->half_closed = true;
		wire_watch_reset(&c->wire);
		body_complete(c);
		return;
	case H1_EXCHANGE:
		if (c->turn->half_closed)
			return; /* the same FIN, told again */
		c->turn->half_closed = true;
		if (c->turn->request_done || c->turn->broken)
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
fail_handshake(struct client_h1 *c, enum reason why, const char *words)
{
	struct addr peer;

	peer_of(c, &peer);
	tls_tell_client(c->env->loop, &peer, words);
	shut(c, why, false);
}

static void
on_failure(struct client_h1 *c)
{
	if (c->state == H1_EXCHANGE || c->state == H1_TUNNEL)
		break_request(c, REASON_CLIENT_CLOSED);
	else if (wire_is_opening(&c->wire)) /* its peer has been told why */
		fail_handshake(
		    c, REASON_TLS_HANDSHAKE, tls_words(wire_tls(&c->wire)));
	else
		shut(c, REASON_CLIENT_CLOSED, true);
}

/* What it sends is not looked at. */
static void
answer_plain(struct client_h1 *c)
{
	struct head none = {.fields = NULL};

	c->turn->client.tls = NULL;
	wire_read_off(&c->wire);
	open_exchange(c, &none, REASON_TLS_PLAIN_HTTP);
}

/* The rate counts every byte, so that chunk headers can't be dribbled. */
static void
after_input(struct client_h1 *c, size_t n)
{
	if (c->state != H1_EXCHANGE || !takes_input(c))
		return;
	exchange_deadline(c);
	if (!window_keeps(&c->turn->in_window, n, c->env->gate.min_rate))
		break_request(c, REASON_CLIENT_MIN_RATE);
}

/* What is read while nobody has said how much he would hold may be a head. */
static size_t
read_size(const struct client_h1 *c)
{
	return c->turn->client.owner != NULL ? c->turn->client.buffer_size
					     : READ_MAX;
}

/* bytes: what came; kept: it stands in `in` already. */
static void
take_bytes(struct client_h1 *c, struct slice bytes, bool kept)
{
	if (c->state == H1_LINGER) {
		c->turn->discarded += bytes.len;
		if (c->turn->discarded > LINGER_MAX)
			shut(c, c->why, false);
	} else if (kept) {
		run(c, buffer_slice(&c->turn->in), true);
	} else {
		run(c, bytes, false);
	}
	after_input(c, bytes.len);
}

static bool
may_move(const struct client_h1 *c)
{
	const struct turn *turn = c->turn;

	return c->state == H1_EXCHANGE && takes_input(c) &&
	       wire_can_move(&c->wire) && turn->client.owner != NULL &&
	       buffer_len(&turn->in) == 0 &&
	       turn->client.events->move != NULL && h1_body_long(&turn->body);
}

/* A long body may go past us. */
static bool
move_body(struct client_h1 *c)
{
	struct turn *turn = c->turn;
	size_t n, all = 0;

	for (unsigned i = 0; i < WIRE_MOVES && may_move(c); i++) {
		n = turn->client.events->move(
		    turn->client.owner, &c->wire, h1_body_left(&turn->body));
		h1_body_skip(&turn->body, n);
		all += n;
		if (n < turn->client.buffer_size)
			break;
	}
	if (all == 0)
		return false;
	turn->expects = false;
	run(c, SLICE_NONE, false);
	after_input(c, all);
	return true;
}

static void
on_readable(struct wire *wire)
{
	struct client_h1 *c =
	    (struct client_h1 *)((char *)wire -
				 offsetof(struct client_h1, wire));
	struct buffer *in;
	bool keep;
	size_t size;
	char *to;
	ssize_t n;

	if (move_body(c))
		return;
	take_turn(c);
	in = &c->turn->in;
	keep = c->state != H1_LINGER && (buffer_len(in) > 0 || !takes_input(c));
	size = keep ? 4096 : read_size(c);
	to = keep ? buffer_reserve(in, size) : c->env->loop->scratch;
	n = wire_read(wire, to, size);
	if (n <= 0 && buffer_len(in) == 0)
		buffer_release(in);
	if (n == WIRE_FAILED)
		on_failure(c);
	else if (n == WIRE_PLAIN)
		answer_plain(c);
	else if (n == 0)
		end_of_input(c);
	else if (n > 0 && keep)
		in->end += (uint32_t)n;
	if (n > 0)
		take_bytes(c, (struct slice){to, (size_t)n}, keep);
	rest(c);
}

/* What can go on when output has moved. */
static void
after_output(struct client_h1 *c)
{
	struct turn *turn = c->turn;

	if (turn->failed) {
		turn->failed = false;
		if (c->state == H1_EXCHANGE || c->state == H1_TUNNEL)
			break_request(c, REASON_CLIENT_CLOSED);
		return;
	}
	if (turn->blocked)
		return;
	send_fin(c);
	if (turn->half_closed)
		wire_watch_reset(&c->wire);
	if (turn->response_done) {
		finish(c);
	} else if (turn->starved && turn->client.owner != NULL) {
		turn->starved = turn->client.full = false;
		turn->client.events->ready(turn->client.owner);
	}
}

/* Output has waited, and more of it waits or will come. */
static bool
is_timed(const struct client_h1 *c)
{
	const struct turn *turn = c->turn;

	return !turn->failed && c->state != H1_TUNNEL &&
	       (turn->blocked || !turn->response_done);
}

static void
on_writable(struct wire *wire)
{
	struct client_h1 *c =
	    (struct client_h1 *)((char *)wire -
				 offsetof(struct client_h1, wire));

	flush(c);
	/* what waits may lie in a pipe of the owner */
	if (buffer_len(&c->turn->out) == 0 && !c->turn->failed)
		note_output(c, 0, false);
	if (is_timed(c) &&
	    !window_keeps(&c->turn->out_window, 0, c->env->gate.min_rate)) {
		break_request(c, REASON_CLIENT_READ_RATE);
		return;
	}
	after_output(c);
	if (c->state == H1_EXCHANGE)
		exchange_deadline(c);
}

/* Its body has all gone past us, and its end has not been told. */
static bool
is_over(const struct client_h1 *c)
{
	return c->state == H1_EXCHANGE && c->turn->body.total > 0 &&
	       c->turn->body.plan.kind == BODY_LENGTH &&
	       h1_body_left(&c->turn->body) == 0;
}

/* What has waited in `in`, now that it may be wanted. */
static void
use_input(struct client_h1 *c)
{
	struct turn *turn = c->turn;

	if (c->state == H1_LINGER)
		buffer_release(&turn->in);
	if (takes_input(c) && (buffer_len(&turn->in) > 0 || is_over(c)))
		run(c, buffer_slice(&turn->in), true);
	/* a FIN that had come before there was a tunnel */
	if (c->state == H1_TUNNEL && turn->half_closed && takes_input(c))
		body_complete(c);
}

static void
on_step(struct step *step)
{
	struct client_h1 *c =
	    (struct client_h1 *)((char *)step -
				 offsetof(struct client_h1, step));

	if (c->turn != NULL && c->state != H1_CLOSED)
		flush(c);
	if (c->turn != NULL && c->state != H1_CLOSED)
		after_output(c);
	if (c->turn != NULL)
		use_input(c);
	if (c->state == H1_CLOSED)
		free_connection(c);
	else
		rest(c);
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
		if (wire_is_opening(&c->wire)) {
			fail_handshake(c, REASON_TLS_HANDSHAKE_TIMEOUT,
			    "not over after head_timeout");
			return;
		}
		if (!has_input(c)) {
			shut(c, REASON_CLIENT_HEAD_TIMEOUT, false);
			return;
		}
		buffer_release(&c->turn->in);
		wire_read_off(&c->wire);
		open_exchange(c, &none, REASON_CLIENT_HEAD_TIMEOUT);
		return;
	case H1_IDLE:
		shut(c, REASON_CLIENT_IDLE, false);
		return;
	case H1_EXCHANGE:
	case H1_TUNNEL:
		break_request(c, c->turn->blocked ? REASON_CLIENT_WRITE_TIMEOUT
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
	LIST_INIT(&env->all);
	pool_init(&env->pool, sizeof(struct client_h1), 256);
	pool_init(&env->turns, sizeof(struct turn), 256);
	client_h1_set(env, gate);
}

void
client_h1_set(struct client_h1_env *env, const struct gate_config *gate)
{
	if (env->fields == NULL || env->gate.head_fields != gate->head_fields) {
		free(env->fields);
		env->fields =
		    mem_alloc(gate->head_fields * sizeof(struct field));
	}
	env->gate = *gate;
}

static bool
between_exchanges(const struct client_h1 *c)
{
	return (c->state == H1_IDLE || c->state == H1_HEAD) && !has_input(c) &&
	       !wire_is_opening(&c->wire);
}

void
client_h1_open(struct client_h1_env *env, int fd, const struct addr *peer,
    struct door *door)
{
	struct client_h1 *c = pool_get(&env->pool);

	memset(c, 0, sizeof(*c));
	c->env = env;
	c->peer_len =
	    peer->len < sizeof(c->peer) ? (uint8_t)peer->len : sizeof(c->peer);
	memcpy(c->peer, &peer->sa, c->peer_len);
	c->door = door;
	c->timer.fn = on_timer;
	c->step.fn = on_step;
	c->state = H1_HEAD;
	LIST_INSERT_HEAD(&env->all, c, link);
	env->live++;
	wire_open(&c->wire, env->loop, fd, &wire_events);
	if (door->listen != NULL && door->listen->tls_door != NULL)
		wire_accept_tls(&c->wire, env->loop, door->listen->tls_door);
	wire_read_on(&c->wire);
	deadline(c, env->gate.head_timeout);
	on_readable(&c->wire);
	if (env->draining && between_exchanges(c))
		shut(c, REASON_SHUTDOWN, false);
}

void
client_h1_refuse(int fd, enum reason why, bool tls)
{
	char dropped[READ_MAX]; /* not written to */
	char answer[256];
	int len = snprintf(answer, sizeof(answer),
	    "HTTP/1.1 503 Service Unavailable\r\n"
	    "Proxy-Status: methodgate; error=connection_limit_reached; "
	    "details=\"%s\"\r\n"
	    "Retry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
	    reason_word(why));

	if (!tls)
		(void)send(
		    fd, answer, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
	/* Unread bytes would turn the close into a reset, which may destroy the
	 * answer on its way; MSG_TRUNC drops them (tcp(7)). */
	(void)recv(fd, dropped, sizeof(dropped), MSG_TRUNC | MSG_DONTWAIT);
	close(fd);
}

/* A request may have come already. */
static void
end_idle(struct client_h1 *c)
{
	on_readable(&c->wire);
	if (between_exchanges(c))
		shut(c, REASON_SHUTDOWN, false);
}

void
client_h1_drain(struct client_h1_env *env)
{
	struct client_h1 *c, *next;

	env->draining = true;
	for (c = LIST_FIRST(&env->all); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		if (between_exchanges(c))
			end_idle(c);
	}
}

void
client_h1_leave(struct client_h1_env *env, const struct door *door)
{
	struct client_h1 *c, *next;

	assert(door->gone);
	for (c = LIST_FIRST(&env->all); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		if (c->door == door && c->state == H1_IDLE)
			end_idle(c);
	}
}

void
client_h1_env_done(struct client_h1_env *env)
{
	struct client_h1 *c;

	while ((c = LIST_FIRST(&env->all)) != NULL) {
		if (c->turn != NULL && c->turn->client.owner != NULL)
			c->turn->client.events->broken(
			    c->turn->client.owner, REASON_SHUTDOWN);
		shut(c, REASON_SHUTDOWN, true);
		free_connection(c);
	}
	pool_done(&env->pool);
	pool_done(&env->turns);
	free(env->fields);
}
