/* SPDX-License-Identifier: ISC */
/* fake_transport: events go out of loop steps only, one a step, and what they
 * pass up lies in memory that is gone as soon as the call returns. */
#include "fake_transport.h"

#include <check.h>
#include <stddef.h>
#include <stdlib.h>

#include "h1_body.h"
#include "h1_head.h"
#include "loop.h"

#define FIELDS 64

struct fake_transport {
	struct transport base; /* first */
	struct loop *loop;     /* borrowed: outlives it */
	struct step step;
	const struct fake_script *script;
	struct slice method; /* of the request; owned */
	struct slice left;   /* of the response */
	struct h1_body body; /* of the response */
	bool started, connected, request_done, refused, paused, head_given;
	bool gone;
	unsigned room; /* bytes that the next body takes */
};

struct fake_upstream fake_upstream;

static struct fake_transport *
of_base(struct transport *base)
{
	struct fake_transport *t = (struct fake_transport *)base;

	ck_assert_msg(!t->gone, "a command after the end");
	return t;
}

static void
next_step(struct fake_transport *t)
{
	loop_defer(t->loop, &t->step);
}

/* Freed at the next step. */
static void
leave(struct fake_transport *t)
{
	t->gone = true;
	t->base.owner = NULL;
	next_step(t);
}

/* ---- commands ---- */

static void
op_start(struct transport *base, const struct head *head, struct body_plan plan)
{
	struct fake_transport *t = of_base(base);
	size_t size = h1_head_size(head), len;
	char *text = mem_alloc(size);

	ck_assert(!t->started);
	len = h1_head_write(head, text);
	ck_assert_uint_lt(len, sizeof(fake_upstream.head));
	memcpy(fake_upstream.head, text, len);
	fake_upstream.head[len] = '\0';
	free(text);
	fake_upstream.plan = plan;
	t->method = (struct slice){mem_strndup(head->method), head->method.len};
	t->started = true;
	next_step(t);
}

static size_t
op_body(struct transport *base, struct slice piece)
{
	struct fake_transport *t = of_base(base);
	size_t taken = piece.len < t->room ? piece.len : t->room;

	ck_assert(t->started && !t->request_done && piece.len > 0);
	fake_upstream.body_calls++;
	if (t->connected && t->script->takes_none)
		taken = 0;
	if (taken < piece.len) {
		t->refused = true;
		next_step(t);
	}
	ck_assert_uint_lt(
	    fake_upstream.body_len + taken, sizeof(fake_upstream.body));
	memcpy(fake_upstream.body + fake_upstream.body_len, piece.at, taken);
	fake_upstream.body_len += taken;
	t->room -= (unsigned)taken;
	return taken;
}

static void
op_end(struct transport *base, const struct head *trailers)
{
	struct fake_transport *t = of_base(base);

	ck_assert(t->started && !t->request_done);
	if (fake_upstream.plan.kind == BODY_LENGTH)
		ck_assert_uint_eq(
		    fake_upstream.body_len, fake_upstream.plan.length);
	if (trailers != NULL) {
		ck_assert_uint_lt(
		    h1_head_size(trailers), sizeof(fake_upstream.trailers));
		fake_upstream.trailers[h1_fields_write(
		    trailers, fake_upstream.trailers)] = '\0';
	}
	t->request_done = fake_upstream.request_done = true;
	next_step(t);
}

static void
op_pause(struct transport *base)
{
	of_base(base)->paused = fake_upstream.paused = true;
}

static void
op_resume(struct transport *base)
{
	struct fake_transport *t = of_base(base);

	t->paused = fake_upstream.paused = false;
	next_step(t);
}

static void
op_cancel(struct transport *base)
{
	fake_upstream.cancelled++;
	leave(of_base(base));
}

static const struct transport_ops ops = {
    .start = op_start,
    .body = op_body,
    .end = op_end,
    .pause = op_pause,
    .resume = op_resume,
    .cancel = op_cancel,
};

/* ---- events ---- */

static void
tell_broken(struct fake_transport *t, enum reason why)
{
	const struct transport_broken how = {.why = why,
	    .sent = t->connected || t->script->sent,
	    .response_seen = t->script->response != NULL &&
			     t->left.at != t->script->response};
	void *owner = t->base.owner;

	leave(t);
	t->base.events->broken(owner, &how);
}

static void
tell_end(struct fake_transport *t)
{
	void *owner = t->base.owner;

	fake_upstream.complete++;
	leave(t);
	t->base.events->end(owner, NULL);
}

static void
tell_ready(struct fake_transport *t)
{
	t->refused = false;
	t->room = 1;
	t->base.events->ready(t->base.owner);
}

/* The script's bytes are over. */
static void
conclude(struct fake_transport *t)
{
	if (t->script->stalls)
		return;
	if (t->script->why != REASON_NONE)
		tell_broken(t, t->script->why);
	else if (t->head_given && h1_body_complete_at_close(&t->body))
		tell_end(t);
	else
		tell_broken(t, t->head_given ? REASON_UPSTREAM_TRUNCATED
					     : REASON_UPSTREAM_CLOSED);
}

static void
give_head(struct fake_transport *t)
{
	const struct h1_limits limits = {
	    FAKE_UPSTREAM_TEXT, FAKE_UPSTREAM_TEXT, FIELDS};
	struct slice bytes = {mem_alloc(t->left.len), t->left.len};
	struct head head = {.fields = mem_alloc(FIELDS * sizeof(struct field))};
	struct field *fields = head.fields;
	struct body_plan plan;
	enum reason why;
	size_t used;

	memcpy((char *)bytes.at, t->left.at, t->left.len);
	ck_assert_int_eq(
	    h1_response_read(bytes, &limits, &head, &used, &why), H1_DONE);
	ck_assert_int_eq(
	    h1_response_body(&head, t->method, &plan), REASON_NONE);
	t->left.at += used;
	t->left.len -= used;
	if (head.status < 200) {
		t->base.events->interim(t->base.owner, &head);
	} else {
		t->head_given = true;
		h1_body_init(&t->body, plan);
		t->base.events->head(t->base.owner, &head, plan);
	}
	free((char *)bytes.at);
	free(fields);
}

static void
give_byte(struct fake_transport *t, char c)
{
	char *byte = mem_alloc(1);
	size_t taken;

	*byte = c;
	taken = t->base.events->body(t->base.owner, (struct slice){byte, 1});
	free(byte);
	if (t->gone)
		return;
	ck_assert_uint_le(taken, 1);
	if (taken == 1)
		return;
	h1_body_unread(&t->body, 1);
	t->left.at--;
	t->left.len++;
	t->paused = true;
}

/* One byte of content, or what comes in its place. */
static void
give_body(struct fake_transport *t)
{
	enum h1_body_result result = H1_BODY_MORE;
	struct slice in, piece;
	enum reason why;

	while (result == H1_BODY_MORE) {
		in = (struct slice){t->left.at, t->left.len > 0};
		result = h1_body_read(&t->body, &in, &piece, &why);
		if (result == H1_BODY_MORE && t->left.len == 0) {
			conclude(t);
			return;
		}
		t->left.len -= (size_t)(in.at - t->left.at);
		t->left.at = in.at;
	}
	if (result == H1_BODY_DATA)
		give_byte(t, *piece.at);
	else if (result == H1_BODY_BAD)
		tell_broken(t, REASON_UPSTREAM_MALFORMED);
	else if (t->script->stalls || t->script->why != REASON_NONE)
		conclude(t);
	else
		tell_end(t);
}

static bool
answers(const struct fake_transport *t)
{
	return t->connected && t->script->response != NULL &&
	       (t->request_done || t->script->early) &&
	       !(t->head_given && t->paused);
}

static void
connect_now(struct fake_transport *t)
{
	if (t->script->hangs)
		return;
	if (t->script->refuses) {
		tell_broken(t, t->script->why);
		return;
	}
	t->connected = true;
	tell_ready(t);
}

static void
one_event(struct fake_transport *t)
{
	bool holding = t->script->holds_body && !t->request_done;

	if (!t->connected && !holding)
		connect_now(t);
	else if (t->refused && !(t->connected && t->script->takes_none))
		tell_ready(t);
	else if (answers(t) && !t->head_given && t->left.len > 0)
		give_head(t);
	else if (answers(t) && t->head_given)
		give_body(t);
	else if (answers(t))
		conclude(t);
}

static void
on_step(struct step *step)
{
	struct fake_transport *t =
	    (struct fake_transport *)((char *)step -
				      offsetof(struct fake_transport, step));

	if (t->gone) {
		fake_upstream.live--;
		free((char *)t->method.at);
		free(t);
		return;
	}
	one_event(t);
	if (!t->gone && answers(t) && !(t->script->stalls && t->left.len == 0))
		next_step(t);
}

/* ---- the test's side ---- */

void
fake_upstream_play(const struct fake_script *scripts, unsigned count)
{
	ck_assert_uint_eq(fake_upstream.live, 0);
	ck_assert_uint_gt(count, 0);
	memset(&fake_upstream, 0, sizeof(fake_upstream));
	fake_upstream.scripts = scripts;
	fake_upstream.script_count = count;
}

struct transport *
fake_transport_open(const struct transport_request *request)
{
	struct fake_transport *t = mem_alloc(sizeof(*t));
	unsigned turn = fake_upstream.opened;

	if (turn >= fake_upstream.script_count)
		turn = fake_upstream.script_count - 1;
	t->script = &fake_upstream.scripts[turn];
	t->base = (struct transport){.ops = &ops,
	    .events = request->events,
	    .owner = request->owner,
	    .name = "fake",
	    .holds_body = t->script->holds_body};
	t->loop = request->loop;
	t->step.fn = on_step;
	t->left =
	    slice_of(t->script->response != NULL ? t->script->response : "");
	t->room = t->script->holds_body ? 1 : 0;
	fake_upstream.opened++;
	fake_upstream.live++;
	fake_upstream.server = *request->server;
	ck_assert_uint_le(request->preface.len, sizeof(fake_upstream.preface));
	fake_upstream.preface_len = request->preface.len;
	if (request->preface.len > 0)
		memcpy(fake_upstream.preface, request->preface.at,
		    request->preface.len);
	fake_upstream.keep = request->keep;
	fake_upstream.max_idle = request->max_idle;
	fake_upstream.body_len = 0;
	fake_upstream.request_done = fake_upstream.paused = false;
	return &t->base;
}
