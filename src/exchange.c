/* SPDX-License-Identifier: ISC */
/* exchange: one request and its response. Named steps and one dispatcher; each
 * step returns the state to go to, or STAY to wait for an event. Events of the
 * client and the transport come in below and either feed the present step or
 * move on to another. */
#include "exchange.h"

#include <assert.h>
#include <stdlib.h>

#include "answer.h"
#include "buckets.h"
#include "forward.h"
#include "hold.h"
#include "preface.h"
#include "tls.h"
#include "transport_evhttp.h"
#include "transport_native.h"

#define YOUNG_MS 1000u /* idle for less: surely still open */

enum state {
	READ,	 /* a head came: who asks, for what */
	DECIDE,	 /* the policy's questions */
	SCAN,	 /* the body is read before the upstream is opened */
	CONNECT, /* a server is being reached */
	FORWARD, /* the request goes out; the response's head is awaited */
	RELAY,	 /* the response goes back */
	TUNNEL,	 /* after 101: bytes go both ways */
	ANSWER,	 /* the gate answers itself */
	FINISH,	 /* told, and gone */
	STAY
};

struct exchange {
	struct client *client;	       /* borrowed until the last command */
	struct transport *transport;   /* NULL: none open */
	struct exchange_env *env;      /* borrowed: outlives its exchanges */
	struct generation *generation; /* by which it began; one use */
	const struct hosts *hosts;     /* of it, at the client's door */
	struct arena arena;
	struct timer timer;
	enum state state;
	enum reason reason; /* why it failed or was answered here */
	struct head head;   /* in the client's buffer until keep_head */
	struct body_plan plan;
	struct decision decision;
	struct forward_origin origin;
	const struct location *location; /* where it is forwarded */
	struct upstream_choice choice;
	struct head sent_head;	  /* what goes upstream */
	struct hold *hold;	  /* in the arena; NULL: no body to be judged */
	struct slice answer_left; /* of a local answer's body, in the arena */
	struct pipe *up, *down;	  /* ours while they hold bytes; else NULL */
	uint64_t bytes_in, started_us, answered_us;
	unsigned retry_after; /* s, of who asks too often */
	int status, upstream_status;
	const char *transport_name;    /* static; NULL: none was opened */
	const struct carrier *carrier; /* the env's */
	bool replayed;		       /* its kept connection had closed */
	bool chosen; /* the next transport goes where `choice` says */
	bool request_done, request_sent, head_sent, blocked;
	bool upload_blocked; /* the transport has not taken all it was given */
	bool complete;	     /* the whole response was given to the client */
	const struct head *trailers, *response_trailers; /* in the arena */
	LIST_ENTRY(exchange) tunnels;			 /* while in TUNNEL */
};

/* What a wait costs at most, and what it is called when it is over. */
struct wait {
	uint32_t ms;
	enum reason why;
};

static enum state step_read(struct exchange *x);
static enum state step_decide(struct exchange *x);
static enum state step_scan(struct exchange *x);
static enum state step_connect(struct exchange *x);
static enum state step_forward(struct exchange *x);
static enum state step_relay(struct exchange *x);
static enum state step_tunnel(struct exchange *x);
static enum state step_answer(struct exchange *x);
static enum state step_finish(struct exchange *x);

static struct wait
wait_none(const struct exchange *x)
{
	(void)x;
	return (struct wait){0, REASON_NONE};
}

static struct wait
wait_connect(const struct exchange *x)
{
	return (struct wait){x->location->upstream->connect_timeout,
	    REASON_UPSTREAM_CONNECT_TIMEOUT};
}

/* As long as the server takes what comes, it is the client that is waited for:
 * client_h1 has that deadline. */
static struct wait
wait_response(const struct exchange *x)
{
	if (!x->request_done && !x->upload_blocked)
		return wait_none(x);
	return (struct wait){
	    x->location->upstream->response_timeout, REASON_UPSTREAM_TIMEOUT};
}

static struct wait
wait_body(const struct exchange *x)
{
	return (struct wait){
	    x->location->upstream->body_timeout, REASON_UPSTREAM_BODY_TIMEOUT};
}

/* Whichever side it is that is silent. */
static struct wait
wait_tunnel(const struct exchange *x)
{
	return (struct wait){
	    x->location->upstream->tunnel_timeout, REASON_TUNNEL_IDLE};
}

#define TO(state) (1u << (state))

/* In SCAN it is the client that is waited for: client_h1 has that deadline. */
static const struct {
	enum state (*step)(struct exchange *x);
	struct wait (*wait)(const struct exchange *x);
	unsigned next; /* states that may follow */
} states[] = {
    [READ] = {step_read, wait_none, TO(DECIDE) | TO(ANSWER)},
    [DECIDE] = {step_decide, wait_none, TO(SCAN) | TO(CONNECT) | TO(ANSWER)},
    [SCAN] = {step_scan, wait_none, TO(CONNECT) | TO(ANSWER) | TO(FINISH)},
    [CONNECT] = {step_connect, wait_connect,
	TO(CONNECT) | TO(FORWARD) | TO(RELAY) | TO(ANSWER) | TO(FINISH)},
    [FORWARD] = {step_forward, wait_response,
	TO(CONNECT) | TO(RELAY) | TO(TUNNEL) | TO(ANSWER) | TO(FINISH)},
    [RELAY] = {step_relay, wait_body, TO(FINISH)},
    [TUNNEL] = {step_tunnel, wait_tunnel, TO(FINISH)},
    [ANSWER] = {step_answer, wait_none, TO(FINISH)},
    [FINISH] = {step_finish, wait_none, 0},
};

static void
rearm(struct exchange *x)
{
	struct wait wait = states[x->state].wait(x);

	if (wait.ms > 0 && (!x->blocked || x->state == TUNNEL))
		loop_timer_start(x->env->loop, &x->timer, wait.ms);
	else
		loop_timer_stop(x->env->loop, &x->timer);
}

static void
leave_tunnels(struct exchange *x)
{
	LIST_REMOVE(x, tunnels);
	record_take(&x->env->record->count.tunnels_open);
}

/* The one place where the state changes. x may be gone afterwards. */
static void
advance(struct exchange *x, enum state to)
{
	enum state next;

	for (;; to = next) {
		assert((states[x->state].next & TO(to)) != 0);
		if (x->state == TUNNEL)
			leave_tunnels(x);
		x->state = to;
		rearm(x);
		if (to == FINISH) {
			step_finish(x);
			return;
		}
		next = states[to].step(x);
		if (next == STAY)
			return;
	}
}

/* ---- steps ---- */

static enum state
step_read(struct exchange *x)
{
	struct forward_visit visit = {.gate = &x->generation->config->gate,
	    .peer = x->client->peer,
	    .secure = x->client->tls != NULL,
	    .ids = &x->env->ids};

	x->request_done = x->plan.kind == BODY_NONE;
	forward_origin(&visit, &x->head, &x->arena, &x->origin);
	return x->reason == REASON_NONE ? DECIDE : ANSWER;
}

static enum state
answer_with(struct exchange *x, enum reason reason)
{
	x->reason = reason;
	return ANSWER;
}

/* What TLS says of where the request belongs. */
static void
add_tls_facts(const struct exchange *x, struct policy_facts *facts)
{
	const struct tls *tls = x->client->tls;
	struct slice name;

	facts->secure = slice_eq(x->origin.scheme, SLICE("https"));
	facts->has_tls = tls != NULL;
	if (tls == NULL)
		return;
	name = tls_name(tls);
	facts->tls_realm = tls_realm(tls);
	if (name.len > 0)
		facts->tls_site = hosts_find(x->hosts, name);
}

static struct policy_facts
policy_facts(struct exchange *x)
{
	struct policy_facts facts = {.head = &x->head,
	    .body = x->plan,
	    .door = x->hosts,
	    .ping = x->generation->config->gate.ping,
	    .now = time(NULL),
	    .arena = &x->arena};

	add_tls_facts(x, &facts);
	return facts;
}

/* The request outlives the client's buffer. */
static void
keep_head(struct exchange *x)
{
	struct head kept;

	head_copy(&kept, &x->head, &x->arena);
	x->head = kept;
}

/* Only a GET that is allowed, and has no body, may become a tunnel. */
static struct slice
upgrade_to(struct exchange *x)
{
	const struct location *location = x->location;
	const struct decision *decision = &x->decision;

	if (decision->method != METHOD_GET || decision->sent != METHOD_GET ||
	    !policy_passed(decision) || x->plan.kind != BODY_NONE)
		return SLICE_NONE;
	return forward_upgrade(
	    &x->head, location->upgrade, location->upgrade_count, &x->arena);
}

/* The head that goes upstream, by what is known of the request so far. */
static enum reason
make_sent_head(struct exchange *x)
{
	const struct decision *decision = &x->decision;
	struct forward_facts facts = {.gate = &x->generation->config->gate,
	    .site = x->location->site,
	    .origin = &x->origin,
	    .method = x->head.method,
	    .flags = decision->flags,
	    .upgrade = upgrade_to(x),
	    .trailers =
		x->location->trailers_pass && x->plan.kind == BODY_CHUNKED,
	    .strip = decision->strip,
	    .destination = decision->destination,
	    .https = x->location->upstream->tls};

	if (x->client->tls != NULL &&
	    x->location->site->certificate_header.len > 0)
		facts.subject = tls_subject(x->client->tls);
	if (decision->sent != decision->method)
		facts.method =
		    method_name(decision->sent, &decision->site->own);
	return forward_request(&facts, &x->head, &x->arena, &x->sent_head);
}

/* Where there is a body to be judged, it is kept from the upstream as long as
 * that takes; a transport that waits for the end keeps it anyway. */
static void
start_hold(struct exchange *x)
{
	enum hold_mode mode = HOLD_NOTHING;
	struct head judged = x->head;

	if (!x->decision.scan)
		return;
	if (x->decision.hold && !x->carrier->holds)
		mode = x->plan.kind == BODY_LENGTH &&
			       x->plan.length <= x->location->form_hold
			   ? HOLD_ALL
			   : HOLD_LAST;
	judged.method = x->sent_head.method;
	x->hold = arena_alloc(&x->arena, sizeof(*x->hold));
	hold_init(x->hold, mode, &x->env->loop->buffers, &judged);
}

static bool
holds_all(const struct exchange *x)
{
	return x->hold != NULL && x->hold->mode == HOLD_ALL;
}

/* Whatever the upstream's own kind cannot carry goes native. */
static const struct carrier *
choose_carrier(const struct exchange *x)
{
	const struct upstream_config *upstream = x->location->upstream;
	const struct carrier *carrier = &x->env->carriers[upstream->transport];

	if (carrier->can_carry == NULL ||
	    carrier->can_carry(
		&x->sent_head, x->plan, upstream->evhttp_body_limit))
		return carrier;
	return &x->env->carriers[TRANSPORT_NATIVE];
}

/* The policy is pure, and here a token is taken: so it is asked before anything
 * is done by a verdict that came later in the order of the questions. */
static void
ask_rate(struct exchange *x)
{
	const struct location_rules *rules = x->decision.location;
	struct buckets *buckets = x->env->buckets;
	uint64_t wait, key;

	if (!policy_costs_token(&x->decision) || buckets == NULL)
		return;
	key = buckets_key(buckets, x->origin.client, rules->rate_place);
	wait = buckets_take(buckets, key, &rules->rate, loop_now_us());
	if (wait == 0)
		return;
	x->retry_after = (unsigned)((wait + 999999) / 1000000);
	policy_deny_rate(&x->decision);
}

static enum state
step_decide(struct exchange *x)
{
	struct policy_facts facts = policy_facts(x);
	const struct location_rules *location;
	enum reason why;

	policy_decide(&facts, &x->decision);
	ask_rate(x);
	if (x->decision.verdict == VERDICT_ANSWER)
		return answer_with(x, x->decision.reason);
	location = x->decision.location;
	x->location = location_of(
	    location != NULL ? location : x->decision.site->fallback);
	keep_head(x);
	why = make_sent_head(x);
	if (why != REASON_NONE)
		return answer_with(x, why);
	x->carrier = choose_carrier(x);
	x->client->buffer_size = x->location->buffer_size;
	x->client->wants_trailers = x->location->trailers_pass;
	if (x->plan.kind == BODY_NONE)
		return CONNECT;
	start_hold(x);
	return SCAN;
}

static bool
is_idempotent(const struct exchange *x)
{
	return method_is_idempotent(x->decision.method) &&
	       method_is_idempotent(x->decision.sent);
}

/* How long a kept connection may have been idle. One that the server is about
 * to close costs a replay, and what is not idempotent can't be replayed. */
static uint32_t
max_idle(const struct exchange *x)
{
	if (x->replayed)
		return 0;
	return is_idempotent(x) ? UINT32_MAX : YOUNG_MS;
}

/* Opens a transport to the next server and gives it the head. */
static enum reason
open_transport(struct exchange *x, const struct transport_events *events)
{
	const struct upstream_config *upstream = x->location->upstream;
	struct transport_request request = {.loop = x->env->loop,
	    .links = x->env->links,
	    .keep = {upstream->idle_max, upstream->idle_timeout},
	    .max_idle = max_idle(x),
	    .head_limit = upstream->response_head_limit,
	    .buffer_size = x->location->buffer_size,
	    .events = events,
	    .owner = x};
	enum reason why = REASON_NONE;

	if (!x->chosen)
		why = upstream_choose(
		    x->generation->upstreams, upstream, &x->choice);
	if (why != REASON_NONE)
		return why;
	x->chosen = false;
	if (x->started_us == 0)
		x->started_us = loop_now_us();
	request.server = x->choice.addr;
	request.tls = &x->choice.server->tls;
	request.preface =
	    preface_make(x->choice.server, &x->origin, x->client, &x->arena);
	if (request.preface.len > 0) /* one client's, and no other's */
		request.keep.max = request.max_idle = 0;
	x->transport = x->carrier->open(&request);
	assert(x->transport->holds_body == x->carrier->holds);
	x->transport_name = x->transport->name;
	x->request_sent = false;
	x->transport->ops->start(x->transport, &x->sent_head, x->plan);
	return REASON_NONE;
}

static const struct transport_events transport_events;

/* A body that is judged first is read before anything is opened. A transport
 * that wants the whole body first takes it as it comes. */
static enum state
step_scan(struct exchange *x)
{
	enum reason why;

	if (holds_all(x)) {
		x->client->ops->want_body(x->client);
		return STAY;
	}
	why = open_transport(x, &transport_events);
	if (why != REASON_NONE)
		return answer_with(x, why);
	if (!x->transport->holds_body)
		return CONNECT;
	x->client->ops->want_body(x->client);
	return STAY;
}

/* Tells the transport that the request is complete, once it has all of it. */
static void
finish_request(struct exchange *x)
{
	if (!x->request_done || x->request_sent)
		return;
	if (x->hold != NULL && !hold_release(x->hold, x->transport))
		return;
	x->request_sent = true;
	x->transport->ops->end(x->transport, x->trailers);
}

static enum state
step_connect(struct exchange *x)
{
	enum reason why = REASON_NONE;

	if (x->transport == NULL)
		why = open_transport(x, &transport_events);
	if (why != REASON_NONE)
		return answer_with(x, why);
	if (!holds_all(x)) /* until it is connected, another server may be */
		finish_request(x);
	return STAY;
}

static enum state
step_forward(struct exchange *x)
{
	finish_request(x);
	if (!x->request_done) {
		x->client->ops->want_body(x->client);
		x->client->ops->resume(x->client);
	}
	return STAY;
}

static enum state
step_relay(struct exchange *x)
{
	(void)x;
	return STAY;
}

static void
start_cutting(struct exchange_env *env)
{
	loop_timer_start(env->loop, &env->tunnel_timer,
	    env->generation->config->gate.tunnel_drain);
}

/* The request's body is open once more. */
static enum state
step_tunnel(struct exchange *x)
{
	x->request_done = x->request_sent = x->upload_blocked = false;
	LIST_INSERT_HEAD(&x->env->tunnels, x, tunnels);
	record_add(&x->env->record->count.tunnels);
	record_add(&x->env->record->count.tunnels_open);
	if (x->env->draining)
		start_cutting(x->env);
	return STAY;
}

static void
drop_pipe(struct exchange *x, struct pipe **pipe)
{
	pipes_put(&x->env->pipes, *pipe);
	*pipe = NULL;
}

static void
cancel_transport(struct exchange *x)
{
	struct transport *transport = x->transport;

	x->transport = NULL;
	if (transport != NULL)
		transport->ops->cancel(transport);
}

/* A client that does not take all of it now is waited for, by its own deadline.
 */
static enum state
send_answer(struct exchange *x)
{
	struct slice *left = &x->answer_left;
	size_t taken;

	if (left->len > 0) {
		taken = x->client->ops->body(x->client, *left);
		left->at += taken;
		left->len -= taken;
	}
	if (left->len > 0)
		return STAY;
	x->complete = true;
	return FINISH;
}

static enum state
step_answer(struct exchange *x)
{
	struct answer_facts facts = {.reason = x->reason,
	    .status = x->decision.status,
	    .head = &x->head,
	    .site = x->decision.site,
	    .location = x->decision.location,
	    .allow = x->decision.allow,
	    .has_allow = x->decision.has_allow,
	    .request_id = x->origin.request_id,
	    .gate = &x->generation->config->gate,
	    .now = time(NULL)};
	struct body_plan plan = {BODY_NONE, 0};
	struct head head;
	enum state next;

	cancel_transport(x);
	drop_pipe(x, &x->up);
	upstream_release(&x->choice);
	facts.retry_after = x->reason == REASON_RATE_LIMITED
				? x->retry_after
				: x->choice.retry_after;
	hold_done(x->hold);
	if (x->decision.verdict != VERDICT_ANSWER) {
		facts.status = reason_status(x->reason);
		facts.has_allow = false;
	}
	answer_build(&facts, &x->arena, &head, &x->answer_left);
	if (x->answer_left.len > 0)
		plan = (struct body_plan){BODY_LENGTH, x->answer_left.len};
	x->status = head.status;
	x->head_sent = true;
	x->client->ops->head(x->client, &head, plan,
	    reason_closes(x->reason) || x->env->draining);
	next = send_answer(x);
	if (next == STAY)
		keep_head(x);
	return next;
}

static void
tell_server(const struct exchange *x, struct access *access)
{
	access->upstream = x->location->upstream->name;
	if (x->choice.server == NULL)
		return;
	access->server = x->choice.server->host;
	access->transport = x->transport_name;
	if (x->decision.sent != x->decision.method)
		access->method_sent = x->sent_head.method;
}

static void
tell(struct exchange *x, uint64_t bytes_out)
{
	const struct decision *decision = &x->decision;
	uint64_t duration = loop_now_us() - x->client->began_us;
	const struct field *agent = head_field(&x->head, FIELD_USER_AGENT);
	const struct field *referer = head_field(&x->head, FIELD_REFERER);
	struct timespec now;
	struct access access = {.duration_us = duration,
	    .peer = x->client->peer,
	    .client_ip = x->origin.client_ip,
	    .scheme = x->origin.scheme,
	    .method = x->head.method,
	    .authority = x->head.authority,
	    .target = x->head.target,
	    .minor = x->head.minor,
	    .known_method = decision->method != METHOD_NONE,
	    .status = x->status,
	    .bytes_in = x->bytes_in,
	    .bytes_out = bytes_out,
	    .reason = x->reason,
	    .would = decision->would,
	    .flags = decision->flags,
	    .site = decision->site,
	    .location = decision->location,
	    .upstream_status = x->upstream_status,
	    .request_id = x->origin.request_id};

	clock_gettime(CLOCK_REALTIME, &now);
	access.began_wall_us = (uint64_t)now.tv_sec * 1000000 +
			       (uint64_t)now.tv_nsec / 1000 - duration;
	if (x->answered_us > 0)
		access.upstream_us = x->answered_us - x->started_us;
	if (agent != NULL)
		access.user_agent = agent->value;
	if (referer != NULL)
		access.referer = referer->value;
	if (decision->overrides.count > 0)
		access.override =
		    (struct slice){decision->overrides.token[0].token,
			decision->overrides.token[0].len};
	if (x->choice.server != NULL || x->choice.retry_after > 0)
		tell_server(x, &access);
	record_access(x->env->record, &access);
}

/* The client's last command, the access line, and everything freed. */
static enum state
step_finish(struct exchange *x)
{
	struct exchange_env *env = x->env;
	struct client *client = x->client;

	cancel_transport(x);
	drop_pipe(x, &x->up);
	drop_pipe(x, &x->down);
	upstream_release(&x->choice);
	client_leave(client);
	if (x->complete)
		client->ops->end(client, x->response_trailers);
	else
		client->ops->abort(client, x->reason);
	tell(x, client->bytes_out);
	hold_done(x->hold);
	arena_done(&x->arena);
	generation_leave(x->generation);
	env->live--;
	pool_put(&env->pool, x);
	return STAY;
}

/* It can't go on: answer if nothing was sent yet and there is a status. */
static void
fail(struct exchange *x, enum reason why)
{
	x->reason = why;
	x->blocked = false;
	if (x->state == SCAN) { /* no server has heard of it */
		upstream_release(&x->choice);
		x->choice = (struct upstream_choice){0};
		x->transport_name = NULL;
	}
	if (x->head_sent || reason_status(why) == 0)
		advance(x, FINISH);
	else
		advance(x, ANSWER);
}

/* Nothing of the body is gone. Of what is held as a whole nothing goes before
 * there is a connection, and what streams is not taken before. */
static bool
has_body(const struct exchange *x)
{
	return x->plan.kind == BODY_NONE || holds_all(x) ||
	       (!x->carrier->holds && x->bytes_in == 0);
}

/* No connection came about. Goes on with the next server, if there is one and
 * the request is still all here. */
static bool
try_next(struct exchange *x, enum reason why)
{
	const struct upstream_config *upstream = x->location->upstream;

	upstream_failed(&x->choice, upstream, why);
	if (!has_body(x) || upstream_choose(x->generation->upstreams, upstream,
				&x->choice) != REASON_NONE)
		return false;
	x->chosen = true;
	cancel_transport(x);
	advance(x, CONNECT);
	return true;
}

static void
on_timer(struct timer *timer)
{
	struct exchange *x =
	    (struct exchange *)((char *)timer -
				offsetof(struct exchange, timer));
	enum reason why = states[x->state].wait(x).why;

	if (x->state != CONNECT || !try_next(x, why))
		fail(x, why);
}

/* ---- events of the client ---- */

static void
client_open(void *arg, struct client *client, const struct head *head,
    struct body_plan plan, enum reason why)
{
	struct exchange_env *env = arg;
	struct exchange *x = pool_get(&env->pool);

	memset(x, 0, sizeof(*x));
	x->env = env;
	x->client = client;
	x->generation = generation_use(client->door->generation);
	x->hosts = client->door->listen->door;
	arena_init(&x->arena, &env->loop->arenas);
	x->timer.fn = on_timer;
	x->head = *head;
	x->plan = plan;
	x->reason = why;
	x->decision.verdict = VERDICT_FORWARD;
	x->decision.method = METHOD_NONE;
	if (why != REASON_NONE && head->method.len > 0)
		x->decision.method = method_find(head->method, NULL);
	env->live++;
	client->owner = x;
	advance(x, step_read(x));
}

/* While the request goes out, a response is not yet due. */
static void
request_moved(struct exchange *x)
{
	if (x->state == FORWARD || x->state == TUNNEL)
		rearm(x);
}

/* What the body names so far, where that is forbidden already: the rest of it
 * need not come. False: it is refused. */
static bool
judge_early(struct exchange *x)
{
	struct policy_facts facts = policy_facts(x);
	struct decision decision = x->decision;

	policy_decide_body(&facts, &x->hold->found, &decision);
	if (decision.verdict != VERDICT_ANSWER)
		return true;
	x->decision = decision;
	fail(x, decision.reason);
	return false;
}

/* False: it is refused. */
static bool
judge_piece(struct exchange *x, struct slice piece, size_t *taken)
{
	unsigned before = x->hold->found.count;

	*taken = hold_take(x->hold, x->transport, piece);
	x->bytes_in += *taken;
	return x->hold->found.count == before || judge_early(x);
}

/* What became of bytes on their way from wire to wire. */
struct passage {
	size_t taken; /* off the first one */
	size_t gone;  /* to the second one */
	enum wire_moved how;
};

/* A pipe holds pages that the kernel had already, and is one call for all of
 * them: it may have more than a buffer. */
#define PIPE_BUFFERS 4

/* Through a pipe, which is kept while it holds bytes. from NULL: only those
 * that it holds. */
static struct passage
pass(struct exchange *x, struct pipe **pipe, struct wire *from, struct wire *to,
    uint64_t left)
{
	uint64_t most = (uint64_t)PIPE_BUFFERS * x->location->buffer_size;
	ssize_t n =
	    wire_move(from, to, *pipe, (size_t)(left < most ? left : most));
	struct passage done = {.gone = n > 0 ? (size_t)n : 0};

	done.taken = done.gone + (*pipe)->held;
	if (n == WIRE_FAILED)
		done.how = MOVED_FAILED;
	else if ((*pipe)->held > 0)
		done.how = MOVED_WAITS;
	if (done.how != MOVED_WAITS)
		drop_pipe(x, pipe);
	return done;
}

/* A body that is scanned is read. */
static size_t
client_move(void *owner, struct wire *from, uint64_t left)
{
	struct exchange *x = owner;
	struct transport *t = x->transport;
	struct wire *to = NULL;
	struct passage done;

	if ((x->state == FORWARD || x->state == RELAY) && x->hold == NULL &&
	    t != NULL && t->ops->lend_wire != NULL)
		to = t->ops->lend_wire(t);
	if (to == NULL || (x->up = pipes_get(&x->env->pipes)) == NULL)
		return 0;
	done = pass(x, &x->up, from, to, left);
	if (done.taken == 0)
		return 0;
	t->ops->moved(t, done.gone, done.how);
	x->bytes_in += done.taken;
	x->upload_blocked = done.how == MOVED_WAITS;
	if (x->upload_blocked)
		x->client->ops->pause(x->client);
	request_moved(x);
	return done.taken;
}

/* What the pipe up still holds. False: some is left. */
static bool
empty_up(struct exchange *x)
{
	struct transport *t = x->transport;
	struct passage done;

	if (x->up == NULL)
		return true;
	done = pass(x, &x->up, NULL, t->ops->lend_wire(t), 0);
	t->ops->moved(t, done.gone, done.how);
	return done.how != MOVED_WAITS;
}

static size_t
client_body(void *owner, struct slice piece)
{
	struct exchange *x = owner;
	uint64_t limit;
	size_t taken;

	if (x->transport == NULL && x->state != SCAN)
		return piece.len; /* answered already */
	if (x->state == CONNECT && !x->carrier->holds && !x->transport->reused)
		return 0; /* another server may be the one that takes it */
	limit = x->location->rules.body_limit;
	if (limit > 0 && x->state != TUNNEL &&
	    x->bytes_in + piece.len > limit) {
		x->bytes_in += piece.len;
		fail(x, REASON_BODY_TOO_LARGE);
		return piece.len;
	}
	if (x->hold != NULL) {
		if (!judge_piece(x, piece, &taken))
			return piece.len;
	} else {
		taken = x->transport->ops->body(x->transport, piece);
		x->bytes_in += taken;
	}
	x->upload_blocked = taken < piece.len;
	if (x->transport != NULL && x->transport->full) {
		x->upload_blocked = true;
		x->client->ops->pause(x->client);
	}
	request_moved(x);
	return taken;
}

/* The body has been scanned. False: it is refused, and nothing more to do. */
static bool
judge_body(struct exchange *x)
{
	struct policy_facts facts = policy_facts(x);
	enum reason why = REASON_NONE;

	if (x->hold == NULL)
		return true;
	hold_end(x->hold);
	policy_decide_body(&facts, &x->hold->found, &x->decision);
	if (x->decision.verdict == VERDICT_ANSWER) {
		fail(x, x->decision.reason);
		return false;
	}
	if (holds_all(x) && x->hold->found.count > 0) /* more to tell */
		why = make_sent_head(x);
	assert(why == REASON_NONE);
	return true;
}

static const struct head *
clean_trailers(struct exchange *x, const struct head *trailers)
{
	struct forward_facts facts = {
	    .gate = &x->generation->config->gate, .site = x->location->site};

	return forward_trailers(&facts, trailers, &x->arena);
}

static void
client_end(void *owner, const struct head *trailers)
{
	struct exchange *x = owner;

	x->request_done = true;
	if ((x->state != SCAN && x->transport == NULL) || !judge_body(x))
		return;
	x->trailers = clean_trailers(x, trailers);
	if (x->state == SCAN) {
		advance(x, CONNECT);
	} else {
		finish_request(x);
		request_moved(x);
	}
}

static void
client_broken(void *owner, enum reason why)
{
	fail(owner, why);
}

/* What the pipe down still holds. False: some is left. */
static bool
empty_down(struct exchange *x)
{
	struct client *client = x->client;
	struct passage done;

	if (x->down == NULL)
		return true;
	done = pass(x, &x->down, NULL, client->ops->lend_wire(client), 0);
	client->ops->moved(client, done.gone, done.how);
	return done.how != MOVED_WAITS;
}

static void
client_ready(void *owner)
{
	struct exchange *x = owner;
	enum state next;

	if (x->state == ANSWER) {
		next = send_answer(x);
		if (next != STAY)
			advance(x, next);
		return;
	}
	if (!x->blocked || !empty_down(x))
		return;
	x->blocked = false;
	rearm(x);
	x->transport->ops->resume(x->transport);
}

const struct client_events exchange_events = {
    .open = client_open,
    .move = client_move,
    .body = client_body,
    .end = client_end,
    .broken = client_broken,
    .ready = client_ready,
};

/* ---- events of the transport ---- */

static void
transport_ready(void *owner)
{
	struct exchange *x = owner;

	if (x->state == CONNECT) {
		if (!x->transport->reused)
			upstream_connected(&x->choice);
		advance(x, FORWARD);
		return;
	}
	if (!empty_up(x)) {
		rearm(x);
		return;
	}
	x->upload_blocked = false;
	rearm(x);
	finish_request(x);
	if (!x->request_done)
		x->client->ops->resume(x->client);
}

/* The upstream's head as the client is to see it. */
static void
give_back(struct exchange *x, const struct head *head, struct body_plan plan,
    struct head *to)
{
	struct forward_facts facts = {.gate = &x->generation->config->gate,
	    .site = x->location->site,
	    .now = time(NULL)};

	forward_response(&facts, head, plan, &x->arena, to);
}

static void
transport_interim(void *owner, const struct head *head)
{
	struct exchange *x = owner;
	struct head to;

	give_back(x, head, (struct body_plan){BODY_NONE, 0}, &to);
	rearm(x);
	x->client->ops->interim(x->client, &to);
}

/* A redirect that would make a GET of the request, as one that does not. */
static void
preserve_method(const struct exchange *x, struct head *to)
{
	flag_set flag = FLAG_BIT(FLAG_REDIRECT_REWRITES_METHOD);

	if ((x->decision.flags & flag) == 0 || x->decision.report ||
	    x->location->redirects != REDIRECTS_PRESERVE)
		return;
	to->status = to->status == 301 ? 308 : 307;
	to->phrase = slice_of(status_phrase(to->status));
}

/* A kept connection that closed before it answered: once more on a new one, if
 * the request is still all here and may be seen twice (RFC 9110 9.2.2), or was
 * not seen. */
static bool
replay(struct exchange *x, const struct transport_broken *how)
{
	bool is_here = x->plan.kind == BODY_NONE || x->state == CONNECT;

	if (!how->reused || how->response_seen || x->replayed || x->head_sent ||
	    !is_here || (how->sent && !is_idempotent(x)))
		return false;
	cancel_transport(x);
	x->replayed = true;
	x->chosen = true;
	advance(x, CONNECT);
	return true;
}

/* A server that closes a kept connection may say so with a 408, which is no
 * answer to what was on its way by then. */
static bool
is_late(const struct exchange *x, const struct head *head)
{
	return head->status == 408 && x->transport->reused &&
	       head_has_token(head, FIELD_CONNECTION, SLICE("close"));
}

static void
transport_head(void *owner, const struct head *head, struct body_plan plan)
{
	static const struct transport_broken late = {
	    .why = REASON_UPSTREAM_CLOSED, .sent = true, .reused = true};
	struct exchange *x = owner;
	struct head to;
	flag_set seen;

	if (is_late(x, head) && replay(x, &late))
		return;
	seen = policy_response_flags(&x->decision, head, time(NULL));
	if (x->location->redirects == REDIRECTS_PASS)
		seen &= ~FLAG_BIT(FLAG_REDIRECT_REWRITES_METHOD);
	x->decision.flags |= seen;
	x->answered_us = loop_now_us();
	x->upstream_status = head->status;
	x->head_sent = true;
	give_back(x, head, plan, &to);
	preserve_method(x, &to);
	x->status = to.status;
	x->client->ops->head(x->client, &to, plan, x->env->draining);
	advance(x, plan.kind == BODY_TUNNEL ? TUNNEL : RELAY);
}

static size_t
transport_body(void *owner, struct slice piece)
{
	struct exchange *x = owner;
	size_t taken = x->client->ops->body(x->client, piece);

	x->blocked = taken < piece.len;
	if (x->client->full) {
		x->blocked = true;
		x->transport->ops->pause(x->transport);
	}
	rearm(x);
	return taken;
}

static size_t
transport_move(void *owner, struct wire *from, uint64_t left)
{
	struct exchange *x = owner;
	struct client *client = x->client;
	struct wire *to = client->ops->lend_wire != NULL
			      ? client->ops->lend_wire(client)
			      : NULL;
	struct passage done;

	if (to == NULL || (x->down = pipes_get(&x->env->pipes)) == NULL)
		return 0;
	done = pass(x, &x->down, from, to, left);
	if (done.taken == 0)
		return 0;
	client->ops->moved(client, done.gone, done.how);
	x->blocked = done.how == MOVED_WAITS;
	if (x->blocked)
		x->transport->ops->pause(x->transport);
	rearm(x);
	return done.taken;
}

static void
transport_shut(void *owner)
{
	struct exchange *x = owner;

	x->client->ops->shut(x->client);
}

static void
transport_end(void *owner, const struct head *trailers)
{
	struct exchange *x = owner;

	x->response_trailers = clean_trailers(x, trailers);
	x->transport = NULL;
	x->complete = true;
	advance(x, FINISH);
}

static void
transport_broken(void *owner, const struct transport_broken *how)
{
	struct exchange *x = owner;

	x->transport = NULL;
	if (replay(x, how))
		return;
	if (x->state == CONNECT && !how->sent && try_next(x, how->why))
		return;
	if (x->head_sent && reason_status(how->why) != 0)
		fail(x, REASON_UPSTREAM_TRUNCATED);
	else
		fail(x, how->why);
}

static const struct transport_events transport_events = {
    .ready = transport_ready,
    .interim = transport_interim,
    .head = transport_head,
    .move = transport_move,
    .body = transport_body,
    .shut = transport_shut,
    .end = transport_end,
    .broken = transport_broken,
};

/* ---- the worker's side ---- */

static void
cut_tunnels(struct timer *timer)
{
	struct exchange_env *env =
	    (struct exchange_env *)((char *)timer -
				    offsetof(
					struct exchange_env, tunnel_timer));

	while (!LIST_EMPTY(&env->tunnels))
		fail(LIST_FIRST(&env->tunnels), REASON_SHUTDOWN);
}

void
exchange_env_init(struct exchange_env *env, struct loop *loop)
{
	memset(env, 0, sizeof(*env));
	env->loop = loop;
	env->tunnel_timer.fn = cut_tunnels;
	env->carriers[TRANSPORT_EVHTTP] =
	    (struct carrier){transport_evhttp_open, transport_evhttp_can, true};
	env->carriers[TRANSPORT_NATIVE] =
	    (struct carrier){transport_native_open, NULL, false};
	pool_init(&env->pool, sizeof(struct exchange), 256);
	pipes_init(&env->pipes);
}

void
exchange_env_drain(struct exchange_env *env)
{
	env->draining = true;
	start_cutting(env);
}

void
exchange_env_done(struct exchange_env *env)
{
	assert(env->live == 0);
	loop_timer_stop(env->loop, &env->tunnel_timer);
	pool_done(&env->pool);
	pipes_done(&env->pipes);
}
