/* SPDX-License-Identifier: ISC */
/* health: one check at a time. With the head it is judged; the body is read
 * away, up to a bound, so that the server is not cut off in its answer. */
#include "health.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "transport_evhttp.h"
#include "transport_native.h"

#define BODY_MAX (64u * 1024)
#define HEAD_MAX (64u * 1024)
#define BUFFER_SIZE 16384u

struct health {
	struct health_setup setup;
	struct timer next, deadline;
	struct transport *transport; /* NULL: none open */
	size_t body;		     /* bytes read away */
	bool connected, judged;	     /* the check under way */
};

static void
cut(struct health *health)
{
	struct transport *transport = health->transport;

	loop_timer_stop(health->setup.loop, &health->deadline);
	health->transport = NULL;
	if (transport != NULL)
		transport->ops->cancel(transport);
}

static void
judge(struct health *health, bool passed, const char *said)
{
	if (health->judged)
		return;
	health->judged = true;
	server_checked(health->setup.server, health->setup.rule, passed, said);
}

/* ---- events of the transport ---- */

static void
on_ready(void *owner)
{
	struct health *health = owner;

	health->connected = true;
}

static void
on_interim(void *owner, const struct head *head)
{
	(void)owner;
	(void)head;
}

static void
on_head(void *owner, const struct head *head, struct body_plan plan)
{
	char said[SERVER_SAID_MAX];

	(void)plan;
	snprintf(said, sizeof(said), "status_%d", head->status);
	judge(owner, head->status >= 200 && head->status < 400, said);
}

static size_t
on_body(void *owner, struct slice piece)
{
	struct health *health = owner;

	health->body += piece.len;
	if (health->body > BODY_MAX)
		cut(health);
	return piece.len;
}

static void
end(struct health *health)
{
	health->transport = NULL;
	cut(health);
}

static void
on_end(void *owner, const struct head *trailers)
{
	(void)trailers;
	end(owner);
}

static void
on_broken(void *owner, const struct transport_broken *how)
{
	struct health *health = owner;

	judge(health, false, reason_word(how->why));
	end(health);
}

static const struct transport_events events = {
    .ready = on_ready,
    .interim = on_interim,
    .head = on_head,
    .body = on_body,
    .end = on_end,
    .broken = on_broken,
};

/* ---- checks ---- */

static void
on_deadline(struct timer *timer)
{
	struct health *health =
	    (struct health *)((char *)timer -
			      offsetof(struct health, deadline));

	judge(health, false,
	    reason_word(health->connected ? REASON_UPSTREAM_TIMEOUT
					  : REASON_UPSTREAM_CONNECT_TIMEOUT));
	cut(health);
}

static void
open_transport(struct health *health)
{
	const struct health_setup *setup = &health->setup;
	const struct addr *addr = &setup->server->addr;
	enum proxy_version version = setup->server->send_proxy;
	char header[PROXY_WRITE_MAX];
	struct transport_request request = {.loop = setup->loop,
	    .links = setup->links,
	    .server = addr,
	    .tls = setup->tls,
	    .head_limit = HEAD_MAX,
	    .buffer_size = BUFFER_SIZE,
	    .events = &events,
	    .owner = health};

	if (version != PROXY_NONE)
		request.preface = (struct slice){
		    header, proxy_write(version, NULL, NULL, header)};
	health->transport =
	    version != PROXY_NONE || addr->sa.ss_family == AF_UNIX
		? transport_native_open(&request)
		: transport_evhttp_open(&request);
}

static void
check(struct health *health)
{
	struct field fields[] = {
	    {SLICE("Host"), health->setup.host, FIELD_HOST},
	    {SLICE("User-Agent"), SLICE("methodgate-health"), FIELD_USER_AGENT},
	    {SLICE("Accept"), SLICE("*/*"), FIELD_ACCEPT}};
	const struct head head = {.method = SLICE("GET"),
	    .form = TARGET_ORIGIN,
	    .authority = health->setup.host,
	    .target = health->setup.server->check,
	    .minor = 1,
	    .fields = fields,
	    .field_count = sizeof(fields) / sizeof(fields[0])};
	const struct body_plan none = {BODY_NONE, 0};
	uint32_t wait = health->setup.rule->interval;

	health->judged = health->connected = false;
	health->body = 0;
	open_transport(health);
	health->transport->ops->start(health->transport, &head, none);
	health->transport->ops->end(health->transport, NULL);
	loop_timer_start(health->setup.loop, &health->next, wait);
	loop_timer_start(health->setup.loop, &health->deadline,
	    wait < HEALTH_DEADLINE_MS ? wait : HEALTH_DEADLINE_MS);
}

/* Both timers may be due in one tick. */
static void
on_next(struct timer *timer)
{
	struct health *health =
	    (struct health *)((char *)timer - offsetof(struct health, next));

	if (health->transport != NULL)
		on_deadline(&health->deadline);
	check(health);
}

struct health *
health_start(const struct health_setup *setup)
{
	struct health *health = mem_alloc(sizeof(*health));

	assert(setup->server->check.len > 0);
	health->setup = *setup;
	health->next.fn = on_next;
	health->deadline.fn = on_deadline;
	check(health);
	return health;
}

void
health_stop(struct health *health)
{
	if (health == NULL)
		return;
	cut(health);
	loop_timer_stop(health->setup.loop, &health->next);
	free(health);
}
