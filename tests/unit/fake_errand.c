/* SPDX-License-Identifier: ISC */
/* fake_errand: whatever it passes down lies in memory that is gone as soon as
 * the call returns. */
#include "fake_errand.h"

#include <check.h>
#include <event2/event.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "h1_head.h"

const char fake_block[FAKE_BLOCK] = {[0 ... FAKE_BLOCK - 1] = '0'};

static const struct transport_events events;

/* ---- the bench ---- */

void
bench_open(
    struct bench *bench, transport_open_fn *open, const struct fake_act *acts)
{
	memset(bench, 0, sizeof(*bench));
	bench->open = open;
	loop_init(&bench->loop);
	links_init(&bench->links, &bench->loop);
	bench->descriptors = fake_descriptors();
	ck_assert(fake_server_open(
	    &bench->server, &bench->loop, "127.0.0.1:0", acts));
}

void
bench_close(struct bench *bench)
{
	bench_idle(bench);
	fake_server_close(&bench->server);
	bench_idle(bench);
	links_done(&bench->links);
	ck_assert_uint_eq(fake_descriptors(), bench->descriptors);
	loop_done(&bench->loop);
}

static void
measure(struct bench *bench)
{
	size_t now = fake_allocated();

	if (now > bench->peak)
		bench->peak = now;
}

void
bench_turn(struct bench *bench, int flags)
{
	event_base_loop(bench->loop.base, flags);
	measure(bench);
}

void
bench_idle(struct bench *bench)
{
	for (int i = 0; i < 20; i++)
		bench_turn(bench, EVLOOP_NONBLOCK);
}

void
bench_hear(struct bench *bench, uint64_t count)
{
	for (int i = 0; i < FAKE_TURNS && bench->server.heard < count; i++)
		bench_turn(bench, EVLOOP_ONCE);
	bench_idle(bench);
	ck_assert_uint_eq(bench->server.heard, count);
}

void
bench_hear_end(struct bench *bench)
{
	const struct fake_server *server = &bench->server;

	for (int i = 0;
	     i < FAKE_TURNS && !server->fin_heard && !server->reset_heard; i++)
		bench_turn(bench, EVLOOP_ONCE);
	ck_assert(server->fin_heard || server->reset_heard);
}

/* ---- events ---- */

static struct errand *
note(void *arg, const char *word)
{
	struct errand *e = arg;
	const char *last;

	ck_assert_msg(!e->in_command, "%s inside a command", word);
	ck_assert_msg(!e->over, "%s after the end", word);
	measure(e->bench);
	last = strrchr(e->events, ' ');
	if (strcmp(last == NULL ? e->events : last + 1, word) != 0) {
		ck_assert_uint_lt(
		    strlen(e->events) + strlen(word) + 2, sizeof(e->events));
		if (e->events[0] != '\0')
			strcat(e->events, " ");
		strcat(e->events, word);
	}
	return e;
}

static void
act_on(struct errand *e, const char *word)
{
	if (e->cancel_at != NULL && strcmp(e->cancel_at, word) == 0)
		errand_cancel(e);
	else if (e->pause_at != NULL && strcmp(e->pause_at, word) == 0)
		errand_pause(e);
}

/* What is not taken waits for ready. */
static void
feed(struct errand *e)
{
	while (e->uploading && e->left > 0) {
		size_t at = (size_t)(e->given % e->piece.len), taken;
		struct slice piece = {e->piece.at + at, e->piece.len - at};

		if (e->morsel > 0 && piece.len > e->morsel)
			piece.len = e->morsel;
		if (piece.len > e->left)
			piece.len = (size_t)e->left;
		taken = errand_give(e, piece);
		e->left -= taken;
		if (taken < piece.len)
			return;
	}
	if (e->uploading)
		errand_end(e);
	e->uploading = false;
}

static void
on_ready(void *arg)
{
	struct errand *e = arg;

	if (e->readies++ == 0)
		note(arg, "ready");
	ck_assert(!e->in_command && !e->over);
	act_on(e, "ready");
	if (!e->over)
		feed(e);
}

static void
keep_head(struct errand *e, const struct head *head)
{
	size_t len = 0;

	e->fields[0] = '\0';
	for (unsigned i = 0; i < head->field_count; i++) {
		const struct field *field = &head->fields[i];

		if (len + field->name.len + field->value.len + 3 >
		    sizeof(e->fields))
			return;
		len += (size_t)sprintf(e->fields + len, "%.*s=%.*s;",
		    SLICE_ARG(field->name), SLICE_ARG(field->value));
	}
}

static void
on_interim(void *arg, const struct head *head)
{
	char word[16];

	ck_assert_int_ge(head->status, 102);
	ck_assert_int_le(head->status, 199);
	snprintf(word, sizeof(word), "%d", head->status);
	keep_head(arg, head);
	act_on(note(arg, word), "interim");
}

static void
on_head(void *arg, const struct head *head, struct body_plan plan)
{
	struct errand *e = arg;
	char word[16];

	snprintf(word, sizeof(word), "%d", head->status);
	note(e, word);
	e->plan = plan;
	keep_head(e, head);
	act_on(e, "head");
}

static void
on_step(struct step *step)
{
	struct errand *e =
	    (struct errand *)((char *)step - offsetof(struct errand, step));

	if (e->transport != NULL)
		errand_resume(e);
}

static size_t
on_body(void *arg, struct slice piece)
{
	struct errand *e = note(arg, "body");
	size_t taken = piece.len;

	ck_assert_uint_gt(piece.len, 0);
	if (e->appetite > 0 && e->appetite < taken)
		taken = e->appetite;
	for (size_t i = 0; i < taken && e->body_len + i < sizeof(e->body); i++)
		e->body[e->body_len + i] = piece.at[i];
	e->body_len += taken;
	act_on(e, "body");
	if (!e->over && taken < piece.len)
		loop_defer(&e->bench->loop, &e->step);
	return taken;
}

static void
on_shut(void *arg)
{
	struct errand *e = note(arg, "shut");

	act_on(e, "shut");
}

static void
end_errand(struct errand *e)
{
	loop_defer_cancel(&e->bench->loop, &e->step);
	e->over = true;
	e->transport = NULL;
}

static void
on_end(void *arg, const struct head *trailers)
{
	struct errand *e = note(arg, "end");

	if (trailers != NULL) {
		ck_assert_uint_lt(h1_head_size(trailers), sizeof(e->trailers));
		e->trailers[h1_fields_write(trailers, e->trailers)] = '\0';
	}
	end_errand(e);
}

static void
on_broken(void *arg, const struct transport_broken *how)
{
	struct errand *e = note(arg, "broken");

	e->broken = *how;
	end_errand(e);
}

static const struct transport_events events = {.ready = on_ready,
    .interim = on_interim,
    .head = on_head,
    .body = on_body,
    .shut = on_shut,
    .end = on_end,
    .broken = on_broken};

/* ---- commands ---- */

void
errand_init(struct errand *e, struct bench *bench)
{
	memset(e, 0, sizeof(*e));
	e->bench = bench;
	e->step.fn = on_step;
}

void
errand_open_to(struct errand *e, const struct addr *addr)
{
	struct transport_request request = {.loop = &e->bench->loop,
	    .links = &e->bench->links,
	    .keep = e->keep,
	    .max_idle = e->max_idle,
	    .server = addr,
	    .preface = e->preface,
	    .head_limit = FAKE_HEAD_LIMIT,
	    .buffer_size = 64 * 1024,
	    .events = &events,
	    .owner = e};

	e->bench->before = fake_allocated();
	e->transport = e->bench->open(&request);
	ck_assert_ptr_nonnull(e->transport);
}

void
errand_open(struct errand *e)
{
	errand_open_to(e, &e->bench->server.addr);
}

void
errand_start(struct errand *e, const struct head *head, struct body_plan plan)
{
	e->in_command = true;
	e->transport->ops->start(e->transport, head, plan);
	e->in_command = false;
}

size_t
errand_give(struct errand *e, struct slice piece)
{
	char *copy = mem_strndup(piece);
	size_t taken;

	e->in_command = true;
	taken = e->transport->ops->body(
	    e->transport, (struct slice){copy, piece.len});
	e->in_command = false;
	free(copy);
	ck_assert_uint_le(taken, piece.len);
	e->given += taken;
	return taken;
}

void
errand_end(struct errand *e)
{
	e->in_command = true;
	e->transport->ops->end(e->transport, NULL);
	e->in_command = false;
}

void
errand_pause(struct errand *e)
{
	e->in_command = true;
	e->transport->ops->pause(e->transport);
	e->in_command = false;
}

void
errand_resume(struct errand *e)
{
	e->in_command = true;
	e->transport->ops->resume(e->transport);
	e->in_command = false;
}

void
errand_cancel(struct errand *e)
{
	struct transport *t = e->transport;

	end_errand(e);
	e->in_command = true;
	t->ops->cancel(t);
	e->in_command = false;
}

void
errand_start_method(struct errand *e, const char *method, struct body_plan plan)
{
	struct field host = {SLICE("Host"), SLICE("a"), FIELD_HOST};
	struct head head = {.method = slice_of(method),
	    .target = SLICE("/"),
	    .minor = 1,
	    .fields = &host,
	    .field_count = 1};

	errand_start(e, &head, plan);
}

void
errand_get(struct errand *e)
{
	errand_start_method(e, "GET", (struct body_plan){BODY_NONE, 0});
	errand_end(e);
}

void
errand_feed(struct errand *e, struct slice piece, uint64_t size)
{
	e->piece = piece;
	e->left = size;
	e->uploading = true;
	feed(e);
}

void
errand_upload(
    struct errand *e, enum body_kind kind, struct slice piece, uint64_t size)
{
	struct body_plan plan = {kind, kind == BODY_LENGTH ? size : 0};

	errand_start_method(e, "POST", plan);
	errand_feed(e, piece, size);
}

void
errand_run(struct errand *e)
{
	for (int i = 0; i < FAKE_TURNS && !e->over; i++)
		bench_turn(e->bench, EVLOOP_ONCE);
	ck_assert_msg(e->over, "it never ends: %s", e->events);
}

void
errand_run_to(struct errand *e, const char *so_far)
{
	for (int i = 0; i < FAKE_TURNS && strcmp(e->events, so_far) != 0; i++)
		bench_turn(e->bench, EVLOOP_ONCE);
	ck_assert_str_eq(e->events, so_far);
}
