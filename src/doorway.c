/* SPDX-License-Identifier: ISC */
/* doorway: bytes are looked at before they are taken, so that none is taken
 * that is not the header's; those that surely are go out of the socket, or it
 * would stay readable while the rest is waited for. */
#include "doorway.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "proxy.h"

#define KEEP_BLOCKS 16

static_assert(PROXY_HEADER_MAX <= LOOP_SCRATCH, "a header fits");
static_assert(
    REASON_PROXY_UNTRUSTED + DOORWAY_REASONS == REASON_PROXY_TIMEOUT + 1,
    "the reasons that are told are neighbours");

/* A connection, and how far it has come. */
struct call {
	int fd;
	struct addr peer; /* of the socket */
	void *door;	  /* borrowed: the owner's */
	size_t len;	  /* of the header, so far */
};

/* One that waits. */
struct caller {
	struct call call;
	struct event event;
	struct timer timer;
	struct doorway *doorway;
	LIST_ENTRY(caller) entry;
	char header[PROXY_HEADER_MAX];
};

enum outcome { WAITS, ENTERS, LEAVES };

/* What a look at it has come to. */
struct look {
	enum outcome outcome;
	struct proxy_header header; /* of ENTERS */
	enum reason why;	    /* of LEAVES */
};

void
doorway_init(
    struct doorway *doorway, struct loop *loop, struct doorway_owner owner)
{
	*doorway = (struct doorway){.loop = loop, .owner = owner};
	LIST_INIT(&doorway->all);
	pool_init(&doorway->pool, sizeof(struct caller), KEEP_BLOCKS);
}

/* ---- the header ---- */

/* A peer that goes before it has said anything only wanted to see whether
 * somebody listens. */
static struct look
broken(const struct call *call)
{
	return (struct look){.outcome = LEAVES,
	    .why = call->len > 0 ? REASON_PROXY_MALFORMED : REASON_NONE};
}

/* Takes what belongs to the header, to where the rest of it is. */
static struct look
look_at(struct call *call, char header[PROXY_HEADER_MAX])
{
	char *to = header + call->len;
	size_t room = PROXY_HEADER_MAX - call->len, used;
	ssize_t n = recv(call->fd, to, room, MSG_PEEK | MSG_DONTWAIT);
	struct look look = {.outcome = WAITS};
	struct slice seen;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return look;
	if (n <= 0)
		return broken(call);
	seen = (struct slice){header, call->len + (size_t)n};
	switch (proxy_read(seen, &look.header, &used)) {
	case PROXY_BAD:
		look.outcome = LEAVES;
		look.why = REASON_PROXY_MALFORMED;
		return look;
	case PROXY_DONE:
		look.outcome = ENTERS;
		break;
	case PROXY_MORE:
		used = seen.len;
		break;
	}
	assert(used > call->len && used <= PROXY_HEADER_MAX);
	n = recv(call->fd, to, used - call->len, MSG_DONTWAIT);
	if (n < 0 || (size_t)n != used - call->len)
		return broken(call);
	call->len = used;
	return look;
}

/* ---- how it ends ---- */

/* Anybody may come as often as he likes: the log has a line a second. */
static void
tell(struct doorway *doorway, const struct addr *peer, enum reason why)
{
	struct doorway_told *told;
	char ip[ADDR_TEXT_MAX];
	uint64_t now = loop_now();

	if (why < REASON_PROXY_UNTRUSTED || why > REASON_PROXY_TIMEOUT)
		return;
	told = &doorway->told[why - REASON_PROXY_UNTRUSTED];
	if (now < told->next) {
		told->untold++;
		return;
	}
	log_info("connection closed client=%.*s reason=%s untold=%llu",
	    (int)addr_ip_text(peer, ip), ip, reason_word(why),
	    (unsigned long long)told->untold);
	*told = (struct doorway_told){.next = now + DOORWAY_TOLD_MS};
}

static void
turn_away(struct doorway *doorway, const struct call *call, enum reason why)
{
	tell(doorway, &call->peer, why);
	close(call->fd);
	doorway->owner.closed(doorway->owner.arg, call->door, why);
}

static void
let_in(struct doorway *doorway, const struct call *call,
    const struct proxy_header *header)
{
	doorway->owner.enter(doorway->owner.arg, call->fd,
	    header->told ? &header->source : &call->peer, call->door);
}

/* ---- who waits ---- */

/* The call goes on without him. */
static struct call
stop_waiting(struct caller *caller)
{
	struct doorway *doorway = caller->doorway;
	struct call call = caller->call;

	event_del(&caller->event);
	loop_timer_stop(doorway->loop, &caller->timer);
	LIST_REMOVE(caller, entry);
	doorway->waiting--;
	pool_put(&doorway->pool, caller);
	return call;
}

static void
send_away(struct caller *caller, enum reason why)
{
	struct doorway *doorway = caller->doorway;
	struct call call = stop_waiting(caller);

	turn_away(doorway, &call, why);
}

/* True when he goes on waiting. */
static bool
look_again(struct caller *caller)
{
	struct doorway *doorway = caller->doorway;
	struct look look = look_at(&caller->call, caller->header);
	struct call call;

	if (look.outcome == WAITS)
		return true;
	call = stop_waiting(caller);
	if (look.outcome == ENTERS)
		let_in(doorway, &call, &look.header);
	else
		turn_away(doorway, &call, look.why);
	return false;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)look_again(arg);
}

static void
on_timer(struct timer *timer)
{
	send_away(
	    (struct caller *)((char *)timer - offsetof(struct caller, timer)),
	    REASON_PROXY_TIMEOUT);
}

static void
start_waiting(struct doorway *doorway, const struct call *call,
    const char *header, uint32_t ms)
{
	struct caller *caller = pool_get(&doorway->pool);

	caller->call = *call;
	caller->timer = (struct timer){.fn = on_timer};
	caller->doorway = doorway;
	memcpy(caller->header, header, call->len);
	LIST_INSERT_HEAD(&doorway->all, caller, entry);
	doorway->waiting++;
	event_assign(&caller->event, doorway->loop->base, call->fd,
	    EV_READ | EV_PERSIST, on_readable, caller);
	event_add(&caller->event, NULL);
	loop_timer_start(doorway->loop, &caller->timer, ms);
}

/* ---- the owner's side ---- */

void
doorway_open(struct doorway *doorway, const struct gate_config *gate, int fd,
    const struct addr *peer, void *door)
{
	struct call call = {.fd = fd, .peer = *peer, .door = door};
	char *header = doorway->loop->scratch;
	struct look look;

	if (!config_trusts(gate, peer)) {
		turn_away(doorway, &call, REASON_PROXY_UNTRUSTED);
		return;
	}
	look = look_at(&call, header);
	if (look.outcome == ENTERS)
		let_in(doorway, &call, &look.header);
	else if (look.outcome == LEAVES)
		turn_away(doorway, &call, look.why);
	else if (doorway->draining)
		turn_away(doorway, &call, REASON_SHUTDOWN);
	else
		start_waiting(doorway, &call, header, gate->head_timeout);
}

/* door NULL: all of them. */
static void
empty(struct doorway *doorway, const void *door)
{
	struct caller *caller = LIST_FIRST(&doorway->all), *next;

	for (; caller != NULL; caller = next) {
		next = LIST_NEXT(caller, entry);
		if ((door == NULL || caller->call.door == door) &&
		    look_again(caller))
			send_away(caller, REASON_SHUTDOWN);
	}
}

void
doorway_leave(struct doorway *doorway, const void *door)
{
	empty(doorway, door);
}

void
doorway_drain(struct doorway *doorway)
{
	doorway->draining = true;
	empty(doorway, NULL);
}

void
doorway_done(struct doorway *doorway)
{
	while (!LIST_EMPTY(&doorway->all))
		send_away(LIST_FIRST(&doorway->all), REASON_SHUTDOWN);
	pool_done(&doorway->pool);
}
