/* SPDX-License-Identifier: ISC */
/* transport_native: one exchange over one link.
 *
 *   OPENING -> CONNECTING -> AWAITING (a head) -> RELAYING (its body) -> GONE
 *        \_______________________/         \----> TUNNELLING ------------/
 *          a link that was idle                 (after 101)
 *
 * The head, and small pieces, wait in `out` for what comes with them, so that
 * they leave in one call; then `out` holds what the socket does not take. Bytes
 * are read into the worker's scratch and go from there to the owner; what he
 * does not take is kept in `in`. An event that is due inside a command waits
 * for the next step. */
#include "transport_native.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "h1_body.h"
#include "h1_head.h"
#include "links.h"
#include "loop.h"
#include "method.h"

#define COALESCE 1024u /* `out` up to this waits for what follows */
#define KEEP_BLOCKS 256

enum state { OPENING, CONNECTING, AWAITING, RELAYING, TUNNELLING, GONE };

struct native {
	struct transport base;
	struct loop *loop;   /* borrowed: outlives its transports */
	struct links *links; /* borrowed likewise */
	struct link *link;   /* ours until it is kept or closed */
	struct addr server;
	struct tls_target tls;
	struct buffer preface; /* of a link with TLS, before that */
	struct step step;
	enum state state;
	enum body_kind out_kind;
	uint64_t out_left; /* of the request's body, still to be given */
	struct buffer out, in;
	char method[METHOD_TOKEN_MAX]; /* a copy: it outlives the request */
	size_t method_len;
	struct slice upgrade; /* that was asked for; in `asked` */
	char asked[HTTP_UPGRADE_MAX];
	struct head head; /* of the response; fields are the links' */
	struct h1_body body;
	struct buffer trailers; /* of the response */
	struct links_policy keep;
	uint32_t head_limit, max_idle, buffer_size;
	uint32_t hint; /* ms that the server keeps the link */
	unsigned interims;
	enum reason failure; /* found inside a command: told in the next step */
	/* facts about the exchange, not states */
	bool body_begun;   /* some of it was taken */
	bool request_done; /* end was given */
	bool ready_due;	   /* ready has not been told yet */
	bool sent, response_seen;
	bool write_failed; /* what the server said before may still come */
	bool persistent;
	bool paused, blocked;
	bool fin; /* of a tunnel: the server's has come */
};

static const struct transport_ops ops;
static const struct wire_events wire_events;
static void on_step(struct step *step);

static struct native *
from_base(struct transport *base)
{
	return (struct native *)base;
}

static struct native *
of_wire(struct wire *wire)
{
	return ((struct link *)wire)->user;
}

struct transport *
transport_native_open(const struct transport_request *request)
{
	struct pool *pool = &request->links->natives;
	struct native *t;

	if (pool->size == 0)
		pool_init(pool, sizeof(*t), KEEP_BLOCKS);
	t = pool_get(pool);
	memset(t, 0, sizeof(*t));
	t->base = (struct transport){.ops = &ops,
	    .events = request->events,
	    .owner = request->owner,
	    .name = "native"};
	t->loop = request->loop;
	t->links = request->links;
	t->server = *request->server;
	if (request->tls != NULL)
		t->tls = *request->tls;
	t->keep = request->keep;
	t->max_idle = request->max_idle;
	t->head_limit = request->head_limit;
	t->buffer_size = request->buffer_size;
	t->step.fn = on_step;
	buffer_init(&t->out, &t->loop->buffers);
	buffer_init(&t->in, &t->loop->buffers);
	buffer_init(&t->trailers, &t->loop->buffers);
	buffer_init(&t->preface, &t->loop->buffers);
	assert(request->preface.len == 0 ||
	       (request->max_idle == 0 && request->keep.max == 0));
	buffer_append(t->tls.id != 0 ? &t->preface : &t->out, request->preface);
	return &t->base;
}

static void
become(struct native *t, enum state to)
{
	static const bool legal[GONE][GONE + 1] = {
	    [OPENING] = {[CONNECTING] = true, [AWAITING] = true, [GONE] = true},
	    [CONNECTING] = {[AWAITING] = true, [GONE] = true},
	    [AWAITING] =
		{[RELAYING] = true, [TUNNELLING] = true, [GONE] = true},
	    [RELAYING] = {[GONE] = true},
	    [TUNNELLING] = {[GONE] = true},
	};

	assert(t->state < GONE && legal[t->state][to]);
	t->state = to;
}

/* ---- the end ---- */

static void
destroy(struct native *t)
{
	if (t->link != NULL)
		links_close(t->link);
	buffer_release(&t->out);
	buffer_release(&t->in);
	buffer_release(&t->trailers);
	buffer_release(&t->preface);
	pool_put(&t->links->natives, t);
}

/* The rest is freed in the next step: callers may stand inside an event. */
static void
leave(struct native *t)
{
	become(t, GONE);
	t->base.owner = NULL;
	if (t->link != NULL)
		wire_close(&t->link->wire);
	loop_defer(t->loop, &t->step);
}

/* Cut short: what the kernel still holds for the server must not look like the
 * rest of a request. */
static void
cut(struct native *t)
{
	if (t->link != NULL)
		wire_reset(&t->link->wire);
	leave(t);
}

/* False when the owner has left. */
static bool
tell_ready(struct native *t)
{
	if (!t->ready_due)
		return true;
	t->ready_due = false;
	t->base.events->ready(t->base.owner);
	return t->state != GONE;
}

/* Until ready is told the owner may believe that he still has all of the body:
 * he could send it once more. */
static void
tell_broken(struct native *t, enum reason why)
{
	void *owner = t->base.owner;
	struct transport_broken how;

	if (t->body_begun && !tell_ready(t))
		return;
	how = (struct transport_broken){.why = why,
	    .sent = t->sent,
	    .response_seen = t->response_seen,
	    .reused = t->base.reused};
	cut(t);
	t->base.events->broken(owner, &how);
}

/* NULL: there are none. */
static const struct head *
take_trailers(struct native *t)
{
	struct slice section = buffer_slice(&t->trailers);
	struct h1_limits limits = {.fields = LINKS_FIELDS};

	t->head = (struct head){.fields = t->links->fields};
	if (section.len == 0 || !h1_trailers_read(section, &limits, &t->head) ||
	    t->head.field_count == 0)
		return NULL;
	return &t->head;
}

/* The link goes back before the owner hears of the end: his next exchange may
 * take it. */
static void
tell_end(struct native *t, bool leftover)
{
	void *owner = t->base.owner;
	struct link *link = t->link;
	const struct head *trailers = take_trailers(t);

	if (t->persistent && !leftover && t->request_done && !t->write_failed &&
	    buffer_len(&t->out) == 0) {
		t->link = NULL;
		links_keep(link, t->keep.max, t->keep.ms, t->hint);
	}
	leave(t);
	t->base.events->end(owner, trailers);
}

/* ---- the request: bytes ---- */

/* Writes what waits and then the pieces; what the socket does not take is
 * kept. */
static void
emit(struct native *t, const struct slice *pieces, int count)
{
	ssize_t wrote = wire_send(&t->link->wire, &t->out, pieces, count);

	if (wrote == WIRE_FAILED) {
		t->write_failed = true;
		loop_defer(t->loop, &t->step);
		return;
	}
	t->sent = t->sent || wrote > 0;
	t->blocked = t->base.full = buffer_len(&t->out) > 0;
}

static bool
has_connection(const struct native *t)
{
	return t->state == AWAITING || t->state == RELAYING ||
	       t->state == TUNNELLING;
}

/* What comes is body. */
static bool
is_relaying(const struct native *t)
{
	return t->state == RELAYING || t->state == TUNNELLING;
}

static void
flush(struct native *t)
{
	if (has_connection(t) && !t->blocked && buffer_len(&t->out) > 0)
		emit(t, NULL, 0);
}

/* Small pieces wait for what follows them in this step. */
static void
put(struct native *t, const struct slice *pieces, int count)
{
	size_t size = buffer_len(&t->out);

	for (int i = 0; i < count; i++)
		size += pieces[i].len;
	if (size > COALESCE) {
		emit(t, pieces, count);
		return;
	}
	for (int i = 0; i < count; i++)
		buffer_append(&t->out, pieces[i]);
	loop_defer(t->loop, &t->step);
}

/* ---- the request: its head ---- */

static size_t
write_framing(const struct head *head, struct body_plan plan,
    struct slice connection, char out[96])
{
	char *at = out;

	if (plan.kind == BODY_CHUNKED)
		at = slice_put(at, SLICE("Transfer-Encoding: chunked\r\n"));
	else if (plan.kind == BODY_LENGTH ||
		 method_has_content(method_find(head->method, NULL)))
		at = h1_length_write(plan.length, at);
	at = slice_put(at, connection);
	return (size_t)(slice_put(at, SLICE("\r\n")) - out);
}

/* The head with its framing, into `out`. RFC 9110 7.8: who asks to upgrade says
 * so in Connection too; RFC 9112 9.6: close is said where the link will not be
 * kept. */
static void
put_head(struct native *t, const struct head *head, struct body_plan plan)
{
	struct slice connection = SLICE("");
	char *to = buffer_reserve(&t->out, h1_head_size(head) + 96);
	size_t len = h1_head_write(head, to) - 2;

	if (t->upgrade.len > 0)
		connection = SLICE("Connection: upgrade\r\n");
	else if ((t->keep.max == 0 || t->keep.ms == 0) &&
		 head_field(head, FIELD_CONNECTION) == NULL)
		connection = SLICE("Connection: close\r\n");
	len += write_framing(head, plan, connection, to + len);
	t->out.end += (uint32_t)len;
}

static void
start_connecting(struct native *t)
{
	t->link = links_open(t->links, &t->server, &t->tls);
	if (t->link == NULL) {
		t->failure = REASON_UPSTREAM_REFUSED;
		loop_defer(t->loop, &t->step);
		return;
	}
	become(t, CONNECTING);
	if (buffer_len(&t->preface) > 0)
		wire_say_first(&t->link->wire, buffer_slice(&t->preface));
	buffer_release(&t->preface);
	wire_write_on(&t->link->wire);
}

/* A link that was idle, or a new one. */
static void
find_link(struct native *t)
{
	t->ready_due = true;
	t->link = links_take(t->links, &t->server, &t->tls, t->max_idle);
	if (t->link == NULL) {
		start_connecting(t);
	} else {
		become(t, AWAITING);
		loop_defer(t->loop, &t->step);
	}
	if (t->link == NULL)
		return;
	t->base.reused = t->link->reused;
	t->link->user = t;
	t->link->wire.events = &wire_events;
}

/* ---- commands ---- */

static void
start(struct transport *base, const struct head *head, struct body_plan plan)
{
	struct native *t = from_base(base);
	const struct field *upgrade = head_field(head, FIELD_UPGRADE);

	assert(t->link == NULL && head->method.len <= METHOD_TOKEN_MAX);
	assert(head_field(head, FIELD_CONTENT_LENGTH) == NULL);
	assert(head_field(head, FIELD_TRANSFER_ENCODING) == NULL);
	assert(plan.kind != BODY_CLOSE && plan.kind != BODY_TUNNEL);
	if (upgrade != NULL) {
		assert(upgrade->value.len <= sizeof(t->asked));
		memcpy(t->asked, upgrade->value.at, upgrade->value.len);
		t->upgrade = (struct slice){t->asked, upgrade->value.len};
	}
	memcpy(t->method, head->method.at, head->method.len);
	t->method_len = head->method.len;
	t->out_kind = plan.kind;
	t->out_left = plan.kind == BODY_LENGTH ? plan.length : 0;
	put_head(t, head, plan);
	find_link(t);
}

/* All of a piece that is not too large. */
static void
give(struct native *t, struct slice piece)
{
	char size[H1_CHUNK_HEAD_MAX];
	struct slice pieces[3];

	if (t->out_kind != BODY_CHUNKED) {
		assert(t->state == TUNNELLING || piece.len <= t->out_left);
		t->out_left -= t->state == TUNNELLING ? 0 : piece.len;
		put(t, &piece, 1);
		return;
	}
	pieces[0] = (struct slice){size, h1_chunk_head_write(piece.len, size)};
	pieces[1] = piece;
	pieces[2] = SLICE("\r\n");
	put(t, pieces, 3);
}

/* How much body may be given now: while the socket takes it, buffer_size at a
 * time; then what `out` still may hold. */
static size_t
room(const struct native *t)
{
	size_t waiting = t->blocked ? buffer_len(&t->out) : 0;

	if (!has_connection(t))
		return 0;
	return waiting < t->buffer_size ? t->buffer_size - waiting : 0;
}

static size_t
body(struct transport *base, struct slice piece)
{
	struct native *t = from_base(base);
	size_t taken = 0, n;

	assert(!t->request_done);
	while (taken < piece.len && !t->write_failed && (n = room(t)) > 0) {
		if (n > piece.len - taken)
			n = piece.len - taken;
		give(t, (struct slice){piece.at + taken, n});
		taken += n;
	}
	/* Nobody reads it any more; the response decides what becomes of it. */
	if (t->write_failed)
		taken = piece.len;
	t->body_begun = t->body_begun || taken > 0;
	return taken;
}

static void
put_last_chunk(struct native *t, const struct head *trailers)
{
	static const struct slice last = {"0\r\n\r\n", 5};
	char *to;

	if (trailers == NULL) {
		buffer_append(&t->out, last);
		return;
	}
	to = buffer_reserve(&t->out, 3 + h1_head_size(trailers));
	memcpy(to, "0\r\n", 3);
	t->out.end += (uint32_t)(3 + h1_fields_write(trailers, to + 3));
}

/* Of a tunnel: the client's FIN, once what came before it is on its way. */
static void
send_fin(struct native *t)
{
	if (t->state != TUNNELLING || !t->request_done || t->write_failed ||
	    buffer_len(&t->out) > 0)
		return;
	wire_shutdown(&t->link->wire);
	if (t->fin)
		loop_defer(t->loop, &t->step); /* both are done */
}

static void
end(struct transport *base, const struct head *trailers)
{
	struct native *t = from_base(base);

	assert(!t->request_done && (t->out_left == 0 || t->write_failed));
	t->request_done = true;
	if (t->out_kind == BODY_CHUNKED && !t->write_failed)
		put_last_chunk(t, trailers);
	flush(t);
	send_fin(t);
}

static void
pause_body(struct transport *base)
{
	struct native *t = from_base(base);

	t->paused = true;
	if (is_relaying(t))
		wire_read_off(&t->link->wire);
}

static void
resume_body(struct transport *base)
{
	struct native *t = from_base(base);

	t->paused = false;
	if (is_relaying(t))
		loop_defer(t->loop, &t->step);
}

static void
cancel(struct transport *base)
{
	cut(from_base(base));
}

static struct wire *
lend_wire(struct transport *base)
{
	struct native *t = from_base(base);
	bool free = has_connection(t) && t->out_kind == BODY_LENGTH &&
		    wire_can_move(&t->link->wire) && buffer_len(&t->out) == 0 &&
		    !t->blocked && !t->write_failed;

	return free ? &t->link->wire : NULL;
}

static void
moved(struct transport *base, size_t n, enum wire_moved how)
{
	struct native *t = from_base(base);

	assert(n <= t->out_left);
	t->out_left -= n;
	t->body_begun = true;
	t->sent = t->sent || n > 0;
	t->blocked = t->base.full = how == MOVED_WAITS;
	if (t->blocked)
		wire_write_on(&t->link->wire);
	if (how != MOVED_FAILED)
		return;
	t->write_failed = true;
	loop_defer(t->loop, &t->step);
}

static const struct transport_ops ops = {
    .start = start,
    .body = body,
    .end = end,
    .pause = pause_body,
    .resume = resume_body,
    .cancel = cancel,
    .lend_wire = lend_wire,
    .moved = moved,
};

/* ---- the response ---- */

/* "timeout=5, max=100": a second less, or UINT32_MAX where nothing is said. */
static uint32_t
keep_alive_hint(const struct head *head)
{
	static const struct slice name = {"timeout=", 8};
	uint64_t least = UINT32_MAX / 1000, seconds;
	bool said = false;

	for (unsigned i = 0; i < head->field_count; i++) {
		struct slice rest = head->fields[i].value, member;

		if (head->fields[i].id != FIELD_KEEP_ALIVE)
			continue;
		while (slice_next(&rest, ',', &member)) {
			struct slice start = {member.at, name.len};

			if (member.len <= name.len ||
			    !slice_eq_nocase(start, name) ||
			    !slice_to_u64((struct slice){member.at + name.len,
					      member.len - name.len},
				&seconds))
				continue;
			said = true;
			if (seconds < least)
				least = seconds;
		}
	}
	if (!said)
		return UINT32_MAX;
	return least > 1 ? (uint32_t)(least - 1) * 1000 : 0;
}

static void
tell_head(struct native *t, struct body_plan plan)
{
	/* Nothing of ours asks HTTP/1.0 to keep the connection. */
	t->persistent = t->head.minor > 0 && h1_persistent(&t->head) &&
			plan.kind != BODY_CLOSE;
	t->hint = keep_alive_hint(&t->head);
	become(t, RELAYING);
	h1_body_init(&t->body, plan);
	t->body.trailer_section = &t->trailers;
	t->base.events->head(t->base.owner, &t->head, plan);
}

/* RFC 9110 7.8: the server may switch to what it was asked for, and to nothing
 * else. */
static bool
is_asked_for(const struct native *t)
{
	const struct field *field = head_field(&t->head, FIELD_UPGRADE);
	struct slice rest = t->upgrade, member;

	if (field == NULL || head_count(&t->head, FIELD_UPGRADE) > 1 ||
	    !head_has_token(&t->head, FIELD_CONNECTION, SLICE("upgrade")) ||
	    !t->request_done || t->head.minor == 0)
		return false;
	while (slice_next(&rest, ',', &member))
		if (slice_eq_nocase(member, field->value))
			return true;
	return false;
}

/* Bytes from here on are the tunnel's, in both directions. */
static void
tell_tunnel(struct native *t)
{
	struct body_plan plan = {BODY_TUNNEL, 0};

	become(t, TUNNELLING);
	t->persistent = t->request_done = false;
	t->out_kind = BODY_TUNNEL;
	h1_body_init(&t->body, plan);
	t->base.events->head(t->base.owner, &t->head, plan);
}

/* A head that is complete. False: nothing more can be done now. */
static bool
on_head(struct native *t)
{
	struct slice method = {t->method, t->method_len};
	struct body_plan plan;

	if (h1_response_body(&t->head, method, &plan) != REASON_NONE ||
	    (t->head.status == 101 && !is_asked_for(t)) ||
	    (t->head.status < 200 && ++t->interims > TRANSPORT_INTERIM_MAX)) {
		tell_broken(t, REASON_UPSTREAM_MALFORMED);
		return false;
	}
	if (t->head.status == 101)
		tell_tunnel(t);
	else if (t->head.status >= 200)
		tell_head(t, plan);
	else if (t->head.status != 100)
		t->base.events->interim(t->base.owner, &t->head);
	return t->state != GONE;
}

/* One head off *in. False: nothing more can be done now. */
static bool
take_head(struct native *t, struct slice *in)
{
	struct h1_limits limits = {
	    .head = t->head_limit, .fields = LINKS_FIELDS};
	enum reason why = REASON_NONE;
	size_t used = 0;

	t->head.fields = t->links->fields;
	switch (h1_response_read(*in, &limits, &t->head, &used, &why)) {
	case H1_MORE:
		return false;
	case H1_BAD:
		tell_broken(t, why);
		return false;
	case H1_DONE:
		break;
	}
	in->at += used;
	in->len -= used;
	return on_head(t);
}

/* One piece to the owner; what he does not take is again in *in. False: he can
 * take no more now. */
static bool
give_piece(struct native *t, struct slice *in, struct slice piece)
{
	size_t taken = t->base.events->body(t->base.owner, piece);

	if (t->state == GONE || taken == piece.len)
		return t->state != GONE;
	h1_body_unread(&t->body, piece.len - taken);
	in->at -= piece.len - taken;
	in->len += piece.len - taken;
	t->paused = true;
	return false;
}

/* Body off *in. False: nothing more can be done now. */
static bool
take_body(struct native *t, struct slice *in)
{
	struct slice piece;
	enum reason why;

	if (t->paused)
		return false;
	switch (h1_body_read(&t->body, in, &piece, &why)) {
	case H1_BODY_DATA:
		return give_piece(t, in, piece);
	case H1_BODY_MORE:
		break;
	case H1_BODY_END:
		tell_end(t, in->len > 0);
		break;
	case H1_BODY_BAD:
		tell_broken(t, REASON_UPSTREAM_MALFORMED);
		break;
	}
	return false;
}

/* Everything that can be done with these bytes; the rest goes to `in`. */
static void
run(struct native *t, struct slice bytes, bool from_in)
{
	struct slice in = bytes;
	bool more = true;

	while (more)
		more = t->state == AWAITING ? take_head(t, &in)
					    : take_body(t, &in);
	if (t->state == GONE)
		return;
	if (from_in)
		buffer_consume(&t->in, bytes.len - in.len);
	else
		buffer_append(&t->in, in);
	if (is_relaying(t) && t->paused)
		wire_read_off(&t->link->wire);
}

/* The server has nothing more to say; the client may have. */
static void
half_close(struct native *t)
{
	if (t->fin)
		return;
	t->fin = true;
	wire_watch_reset(&t->link->wire);
	t->base.events->shut(t->base.owner);
	if (t->state == TUNNELLING && t->request_done &&
	    buffer_len(&t->out) == 0)
		tell_end(t, true);
}

/* FIN, or the connection broke. */
static void
end_of_response(struct native *t, bool reset)
{
	if (t->state == TUNNELLING && !reset)
		half_close(t);
	else if (t->state == AWAITING)
		tell_broken(t, REASON_UPSTREAM_CLOSED);
	else if (!reset && !wire_is_cut(&t->link->wire) &&
		 h1_body_complete_at_close(&t->body))
		tell_end(t, true);
	else
		tell_broken(t, REASON_UPSTREAM_TRUNCATED);
}

static void
take_bytes(struct native *t, struct slice bytes)
{
	/* What came before the request is no answer to it. */
	if (t->link->reused && !t->sent) {
		tell_broken(t, REASON_UPSTREAM_CLOSED);
		return;
	}
	t->response_seen = true;
	if (!tell_ready(t))
		return;
	if (buffer_len(&t->in) == 0) {
		run(t, bytes, false);
	} else {
		buffer_append(&t->in, bytes);
		run(t, buffer_slice(&t->in), true);
	}
}

/* ---- what the wire and the loop tell ---- */

static bool
may_move(const struct native *t)
{
	return t->state == RELAYING && !t->paused && buffer_len(&t->in) == 0 &&
	       wire_can_move(&t->link->wire) && t->base.events->move != NULL &&
	       h1_body_long(&t->body);
}

/* A long body may go past us. */
static bool
move_body(struct native *t)
{
	size_t n, all = 0;

	for (unsigned i = 0; i < WIRE_MOVES && may_move(t); i++) {
		n = t->base.events->move(
		    t->base.owner, &t->link->wire, h1_body_left(&t->body));
		h1_body_skip(&t->body, n);
		all += n;
		if (n < t->buffer_size)
			break;
	}
	if (all > 0)
		run(t, SLICE_NONE, false);
	return all > 0;
}

/* A write that failed has taken the error, so that reading ends with a FIN that
 * proves nothing, or with nothing at all. */
static void
on_readable(struct wire *wire)
{
	struct native *t = of_wire(wire);
	ssize_t n;

	if (move_body(t))
		return;
	n = wire_read(wire, t->loop->scratch, t->buffer_size);
	if (n > 0) {
		take_bytes(t, (struct slice){t->loop->scratch, (size_t)n});
		if (t->state != GONE && t->write_failed)
			loop_defer(t->loop, &t->step);
	} else if (n != WIRE_AGAIN || t->write_failed) {
		end_of_response(t, n != 0 || t->write_failed);
	}
}

static void
on_connected(struct native *t)
{
	enum reason why = link_failure(t->link);

	if (why != REASON_NONE) {
		tell_broken(t, why);
		return;
	}
	become(t, AWAITING);
	wire_read_on(&t->link->wire);
	if (t->request_done)
		flush(t);
	loop_defer(t->loop, &t->step); /* ready */
}

static void
on_writable(struct wire *wire)
{
	struct native *t = of_wire(wire);

	if (t->state == CONNECTING) {
		on_connected(t);
		return;
	}
	t->blocked = t->base.full = false;
	flush(t);
	send_fin(t);
	if (t->fin && !t->blocked)
		wire_watch_reset(&t->link->wire);
	if (!t->blocked && !t->request_done) {
		t->ready_due = true;
		tell_ready(t);
	}
}

static const struct wire_events wire_events = {on_readable, on_writable};

/* What has waited in `in`, and then the socket again. */
static void
read_on(struct native *t)
{
	if (is_relaying(t) && !t->paused)
		run(t, buffer_slice(&t->in), true);
	if (!has_connection(t) || (is_relaying(t) && t->paused) || t->fin)
		return;
	wire_read_on(&t->link->wire);
	if (t->write_failed)
		on_readable(&t->link->wire);
}

static void
on_step(struct step *step)
{
	struct native *t =
	    (struct native *)((char *)step - offsetof(struct native, step));

	if (t->state == GONE) {
		destroy(t);
	} else if (t->failure != REASON_NONE) {
		tell_broken(t, t->failure);
	} else if (t->fin && t->request_done && buffer_len(&t->out) == 0) {
		tell_end(t, true);
	} else if (t->ready_due && has_connection(t)) {
		/* The next step comes after a poll: what is to go with the
		 * head may have been there by then. */
		if (tell_ready(t) &&
		    (buffer_len(&t->out) > 0 || t->write_failed))
			loop_defer(t->loop, &t->step);
	} else {
		flush(t);
		read_on(t);
	}
}
