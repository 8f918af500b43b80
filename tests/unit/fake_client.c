/* SPDX-License-Identifier: ISC */
/* fake_client: whatever is passed up lies in memory that is gone as soon as the
 * call returns. */
#include "fake_client.h"

#include <check.h>
#include <stddef.h>
#include <stdlib.h>

#include "h1_head.h"

#define FIELDS 64

static struct fake_client *
of_client(struct client *client)
{
	struct fake_client *fake = (struct fake_client *)client;

	ck_assert_msg(
	    !fake_client_over(fake), "a command after the last command");
	return fake;
}

/* ---- commands ---- */

static void
op_interim(struct client *client, const struct head *head)
{
	struct fake_client *fake = of_client(client);

	ck_assert_int_eq(fake->status, 0);
	ck_assert_int_gt(head->status, 101);
	ck_assert_int_lt(head->status, 200);
	fake->interims++;
}

static void
op_want_body(struct client *client)
{
	struct fake_client *fake = of_client(client);

	fake->wants++;
	fake->waits = false;
	loop_defer(fake->loop, &fake->step);
}

static void
op_head(struct client *client, const struct head *head, struct body_plan plan,
    bool close)
{
	struct fake_client *fake = of_client(client);
	size_t size = h1_head_size(head), len;
	char *text = mem_alloc(size);

	ck_assert_int_eq(fake->status, 0);
	ck_assert_int_ge(head->status, 200);
	len = h1_head_write(head, text);
	ck_assert_uint_le(len, size);
	ck_assert_uint_lt(len, sizeof(fake->head));
	memcpy(fake->head, text, len);
	fake->head[len] = '\0';
	free(text);
	fake->status = head->status;
	fake->plan = plan;
	fake->close = close;
	client->bytes_out += len;
}

static size_t
op_body(struct client *client, struct slice piece)
{
	struct fake_client *fake = of_client(client);
	size_t taken =
	    fake->greedy || piece.len < fake->room ? piece.len : fake->room;

	ck_assert_int_ne(fake->status, 0);
	ck_assert_int_ne(fake->plan.kind, BODY_NONE);
	if (fake->full)
		taken = 0;
	if (taken < piece.len) {
		fake->refused = true;
		loop_defer(fake->loop, &fake->step);
	}
	ck_assert_uint_lt(fake->body_len + taken, sizeof(fake->body));
	memcpy(fake->body + fake->body_len, piece.at, taken);
	fake->body_len += taken;
	fake->room -= fake->greedy ? 0 : (unsigned)taken;
	client->bytes_out += taken;
	return taken;
}

static void
op_end(struct client *client, const struct head *trailers)
{
	struct fake_client *fake = of_client(client);

	if (trailers != NULL) {
		ck_assert_uint_lt(
		    h1_head_size(trailers), sizeof(fake->trailers));
		fake->trailers[h1_fields_write(trailers, fake->trailers)] =
		    '\0';
	}

	ck_assert_ptr_null(client->owner);
	ck_assert_int_ne(fake->status, 0);
	if (fake->plan.kind == BODY_LENGTH)
		ck_assert_uint_eq(fake->body_len, fake->plan.length);
	fake->ended = true;
}

static void
op_shut(struct client *client)
{
	struct fake_client *fake = of_client(client);

	ck_assert_int_eq(fake->plan.kind, BODY_TUNNEL);
	ck_assert(!fake->shut);
	fake->shut = true;
}

static void
op_abort(struct client *client, enum reason reason)
{
	struct fake_client *fake = of_client(client);

	ck_assert_ptr_null(client->owner);
	fake->aborted = true;
	fake->why = reason;
}

static void
op_pause(struct client *client)
{
	struct fake_client *fake = of_client(client);

	fake->paused = true;
	fake->pauses++;
}

static void
op_resume(struct client *client)
{
	struct fake_client *fake = of_client(client);

	fake->paused = false;
	loop_defer(fake->loop, &fake->step);
}

static void
op_local(struct client *client, struct addr *out)
{
	(void)client;
	ck_assert(addr_parse(SLICE("198.51.100.7:443"), out));
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
    .local = op_local,
};

/* ---- events ---- */

static bool
gives(const struct fake_client *fake)
{
	return fake->client.owner != NULL && !fake->paused && !fake->waits &&
	       fake->upload.len > 0;
}

static void
give_byte(struct fake_client *fake)
{
	char *byte = mem_alloc(1);
	size_t taken;

	*byte = *fake->upload.at;
	taken = fake->client.events->body(
	    fake->client.owner, (struct slice){byte, 1});
	free(byte);
	ck_assert_uint_le(taken, 1);
	fake->upload.at += taken;
	fake->upload.len -= taken;
	fake->body_left -= taken;
	if (taken == 0) {
		fake->paused = true;
		fake->pauses++;
	} else if (fake->body_left == 0 && fake->client.owner != NULL) {
		fake->client.events->end(fake->client.owner, NULL);
	}
}

static void
on_step(struct step *step)
{
	struct fake_client *fake =
	    (struct fake_client *)((char *)step -
				   offsetof(struct fake_client, step));

	if (fake->client.owner == NULL)
		return;
	if (fake->refused && !fake->full) {
		fake->refused = false;
		fake->room = 1;
		fake->client.events->ready(fake->client.owner);
	}
	if (gives(fake))
		give_byte(fake);
	if (gives(fake))
		loop_defer(fake->loop, &fake->step);
}

/* ---- the test's side ---- */

void
fake_client_init(struct fake_client *fake, struct loop *loop,
    const struct client_events *events, void *arg, const struct door *door)
{
	memset(fake, 0, sizeof(*fake));
	fake->loop = loop;
	fake->step.fn = on_step;
	ck_assert(addr_parse(SLICE("192.0.2.7:50000"), &fake->peer));
	fake->client = (struct client){.ops = &ops,
	    .events = events,
	    .arg = arg,
	    .peer = &fake->peer,
	    .door = door};
}

void
fake_client_open(struct fake_client *fake, const char *text, const char *body)
{
	const struct h1_limits limits = {
	    FAKE_CLIENT_TEXT, FAKE_CLIENT_TEXT, FIELDS};
	struct head head = {.fields = mem_alloc(FIELDS * sizeof(struct field))};
	struct field *fields = head.fields;
	struct body_plan plan = {BODY_NONE, 0};
	struct slice bytes = {mem_strdup(text), strlen(text)};
	enum reason why = REASON_NONE;
	size_t used;

	ck_assert_int_ne(
	    h1_request_read(bytes, &limits, &head, &used, &why), H1_MORE);
	if (why == REASON_NONE) {
		plan = h1_request_body(&head);
		fake->waits = h1_expects_continue(&head);
	}
	fake->body_left = plan.length;
	fake->upload = slice_of(body);
	fake->client.began_us = loop_now_us();
	fake->client.events->open(
	    fake->client.arg, &fake->client, &head, plan, why);
	free((char *)bytes.at);
	free(fields);
	loop_defer(fake->loop, &fake->step);
}

void
fake_client_give(struct fake_client *fake, const char *body)
{
	ck_assert_uint_eq(fake->upload.len, 0);
	fake->upload = slice_of(body);
	loop_defer(fake->loop, &fake->step);
}

void
fake_client_break(struct fake_client *fake, enum reason why)
{
	ck_assert_ptr_nonnull(fake->client.owner);
	fake->upload = SLICE_NONE;
	fake->client.events->broken(fake->client.owner, why);
}

void
fake_client_take(struct fake_client *fake)
{
	fake->full = false;
	loop_defer(fake->loop, &fake->step);
}

bool
fake_client_over(const struct fake_client *fake)
{
	return fake->ended || fake->aborted;
}

void
fake_client_done(struct fake_client *fake)
{
	loop_defer_cancel(fake->loop, &fake->step);
}
