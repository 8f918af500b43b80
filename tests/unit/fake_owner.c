/* SPDX-License-Identifier: ISC */
/* fake_owner: whatever it passes down lies in memory that is gone as soon as
 * the call returns. */
#include "fake_owner.h"

#include <check.h>
#include <stddef.h>
#include <stdlib.h>

#define GREEDY_PIECE 200000

/* One exchange. */
struct fake_visit {
	struct fake_owner *owner; /* borrowed: outlives it */
	struct client *client;	  /* borrowed: until the last command */
	LIST_ENTRY(fake_visit) link;
	struct step step;
	struct fake_manner manner;
	size_t left, sent; /* of the response's body */
	unsigned may_send; /* bytes past the burst */
	bool request_done, head_sent, refused, hungry, got_body;
};

static void
note(struct fake_owner *owner, struct slice s)
{
	ck_assert_uint_lt(owner->log_len + s.len, sizeof(owner->log));
	if (s.len > 0)
		memcpy(owner->log + owner->log_len, s.at, s.len);
	owner->log_len += s.len;
	owner->log[owner->log_len] = '\0';
}

static void
next_step(struct fake_visit *visit)
{
	loop_defer(visit->owner->loop, &visit->step);
}

/* ---- the end ---- */

static void
leave(struct fake_visit *visit, bool complete)
{
	struct fake_owner *owner = visit->owner;
	struct client *client = visit->client;

	client_leave(client);
	if (complete)
		client->ops->end(client, NULL);
	else
		client->ops->abort(client, REASON_SHUTDOWN);
	if (complete)
		owner->complete++;
	else
		owner->aborted++;
	owner->live--;
	loop_defer_cancel(owner->loop, &visit->step);
	LIST_REMOVE(visit, link);
	free(visit);
}

/* ---- the response ---- */

char
fake_owner_byte(size_t i)
{
	return (char)('a' + i % 26);
}

/* Bytes to send now. */
static size_t
next_piece(struct fake_visit *visit)
{
	size_t burst = visit->manner.burst;
	size_t most = visit->manner.greedy ? GREEDY_PIECE : 1;

	if (burst > 0 && visit->sent >= burst) {
		most = visit->may_send;
		visit->may_send = 0;
	} else if (burst > 0 && most > burst - visit->sent) {
		most = burst - visit->sent;
	}
	return visit->left < most ? visit->left : most;
}

/* False: no more now, or visit is gone. */
static bool
send_some(struct fake_visit *visit)
{
	struct client *client = visit->client;
	size_t len = next_piece(visit), taken;
	size_t stop = visit->manner.abort_after;
	char *piece;

	if (visit->left > 0 && len == 0)
		return false;
	if (len == 0 || (stop > 0 && visit->sent >= stop)) {
		leave(visit, len == 0);
		return false;
	}
	piece = mem_alloc(len);
	for (size_t i = 0; i < len; i++)
		piece[i] = fake_owner_byte(visit->sent + i);
	taken = client->ops->body(client, (struct slice){piece, len});
	free(piece);
	ck_assert_uint_le(taken, len);
	visit->sent += taken;
	visit->owner->sent += taken;
	visit->left -= taken;
	visit->refused = taken < len || (client->full && visit->left > 0);
	visit->owner->refusals += visit->refused;
	return !visit->refused;
}

/* All at once when greedy, or when there is no body: inside the event. */
static void
send_more(struct fake_visit *visit)
{
	if (!visit->manner.greedy && visit->left > 0) {
		if (send_some(visit))
			next_step(visit);
		return;
	}
	while (send_some(visit))
		continue;
}

static void
send_interim(struct client *client)
{
	struct field link = {SLICE("Link"), SLICE("</a>"), FIELD_OTHER};
	const struct head head = {.status = 103,
	    .phrase = SLICE("Early Hints"),
	    .minor = 1,
	    .fields = &link,
	    .field_count = 1};

	client->ops->interim(client, &head);
}

static void
respond(struct fake_visit *visit, int status)
{
	struct client *client = visit->client;
	struct field fields[] = {{SLICE("X-Fake"), SLICE("1"), FIELD_OTHER}};
	const struct head head = {.status = status,
	    .phrase = slice_of(status_phrase(status)),
	    .minor = 1,
	    .fields = fields,
	    .field_count = 1};

	if (visit->manner.interim)
		send_interim(client);
	visit->head_sent = true;
	visit->left = visit->manner.size;
	client->ops->head(
	    client, &head, visit->manner.plan, visit->manner.close);
	send_more(visit);
}

/* For messages that are malformed or late. */
static void
refuse(struct fake_visit *visit, enum reason why)
{
	visit->manner = (struct fake_manner){.close = reason_closes(why)};
	respond(visit, reason_status(why));
}

static void
on_step(struct step *step)
{
	struct fake_visit *visit =
	    (struct fake_visit *)((char *)step -
				  offsetof(struct fake_visit, step));

	if (visit->hungry && !visit->manner.deaf) {
		visit->hungry = false;
		visit->client->ops->resume(visit->client);
	}
	if (visit->head_sent && !visit->refused)
		send_more(visit);
	else if (!visit->head_sent && visit->request_done &&
		 !visit->manner.late && visit->manner.status != 0)
		respond(visit, visit->manner.status);
}

/* ---- events ---- */

static void
on_open(void *arg, struct client *client, const struct head *head,
    struct body_plan plan, enum reason why)
{
	struct fake_owner *owner = arg;
	struct fake_visit *visit = mem_alloc(sizeof(*visit));
	struct slice copy = {mem_strndup(head->target), head->target.len};

	visit->owner = owner;
	visit->client = client;
	visit->step.fn = on_step;
	visit->manner = owner->manner;
	visit->request_done = plan.kind == BODY_NONE;
	LIST_INSERT_HEAD(&owner->visits, visit, link);
	client->owner = visit;
	owner->opened++;
	owner->live++;
	if (owner->log_len > 0)
		note(owner, SLICE(";"));
	note(owner, head->method);
	note(owner, SLICE(" "));
	note(owner, head->target);
	if (why != REASON_NONE) {
		owner->why = why;
		refuse(visit, why);
	} else if (visit->manner.early) {
		respond(visit, visit->manner.status);
	} else {
		if (plan.kind != BODY_NONE)
			client->ops->want_body(client);
		next_step(visit);
	}
	/* the head lives until here, even if visit does not */
	ck_assert(slice_eq(copy, head->target));
	free((char *)copy.at);
}

static size_t
on_body(void *arg, struct slice piece)
{
	struct fake_visit *visit = arg;
	struct fake_owner *owner = visit->owner;
	size_t taken = visit->manner.greedy ? piece.len : 1;

	ck_assert(!visit->request_done);
	ck_assert(!visit->hungry);
	ck_assert_uint_gt(piece.len, 0);
	if (visit->manner.deaf)
		taken = 0;
	if (owner->log_len + taken + 256 < sizeof(owner->log)) {
		if (!visit->got_body && taken > 0)
			note(owner, SLICE(" "));
		note(owner, (struct slice){piece.at, taken});
	}
	visit->got_body = visit->got_body || taken > 0;
	owner->body_len += taken;
	visit->hungry = taken < piece.len;
	if (visit->hungry && !visit->manner.deaf)
		next_step(visit);
	return taken;
}

static void
on_end(void *arg, const struct head *trailers)
{
	struct fake_visit *visit = arg;

	ck_assert_ptr_null(trailers); /* nobody asked for them */
	ck_assert(!visit->request_done);
	visit->request_done = true;
	visit->owner->bodies++;
	if (!visit->head_sent)
		next_step(visit);
}

static void
on_broken(void *arg, enum reason why)
{
	struct fake_visit *visit = arg;

	visit->owner->breaks++;
	visit->owner->broken = why;
	if (visit->head_sent || reason_status(why) == 0)
		leave(visit, false);
	else
		refuse(visit, why);
}

static void
on_ready(void *arg)
{
	struct fake_visit *visit = arg;

	ck_assert(visit->refused || visit->left == 0);
	visit->owner->ready++;
	visit->refused = false;
	next_step(visit);
}

const struct client_events fake_owner_events = {
    .open = on_open,
    .body = on_body,
    .end = on_end,
    .broken = on_broken,
    .ready = on_ready,
};

/* ---- the test's side ---- */

void
fake_owner_init(struct fake_owner *owner, struct loop *loop)
{
	memset(owner, 0, sizeof(*owner));
	owner->loop = loop;
	LIST_INIT(&owner->visits);
	owner->manner.status = 200;
}

void
fake_owner_go(struct fake_owner *owner)
{
	struct fake_visit *visit;

	owner->manner.late = owner->manner.deaf = false;
	LIST_FOREACH(visit, &owner->visits, link)
	{
		visit->manner.late = visit->manner.deaf = false;
		visit->may_send = 1;
		next_step(visit);
	}
}
