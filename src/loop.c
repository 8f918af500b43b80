/* SPDX-License-Identifier: ISC */
/* One event base per thread. Deadlines cost no libevent call: a list for each
 * span is in order by itself, and one coarse tick looks at the heads. */
#include "loop.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define TICK_MS 250
#define ARENA_BLOCK 8192
#define ARENA_KEEP 256
#define BUFFER_BLOCK 16384
#define BUFFER_KEEP 256

static void on_tick(evutil_socket_t fd, short what, void *arg);
static void on_steps(evutil_socket_t fd, short what, void *arg);
static void on_mail(evutil_socket_t fd, short what, void *arg);

/* The environment could switch epoll off (EVENT_NOEPOLL): it is not asked. */
static struct event_base *
new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config != NULL &&
	    event_config_set_flag(
		config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
			    EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) == 0)
		base = event_base_new_with_config(config);
	if (config != NULL)
		event_config_free(config);
	if (base == NULL ||
	    strncmp(event_base_get_method(base), "epoll", 5) != 0)
		log_fatal(
		    "no epoll for an event loop error=%s", strerror(errno));
	return base;
}

static struct event *
new_event(struct loop *loop, int fd, short what, event_callback_fn fn)
{
	struct event *event = event_new(loop->base, fd, what, fn, loop);

	if (event == NULL)
		log_fatal("no memory for an event");
	return event;
}

void
loop_init(struct loop *loop)
{
	memset(loop, 0, sizeof(*loop));
	loop->base = new_base();
	loop->scratch = mem_alloc(LOOP_SCRATCH);
	pool_init(&loop->arenas, ARENA_BLOCK, ARENA_KEEP);
	pool_init(&loop->buffers, BUFFER_BLOCK, BUFFER_KEEP);
	TAILQ_INIT(&loop->steps);
	atomic_init(&loop->mailbox, NULL);
	loop->mail_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->mail_fd < 0)
		log_fatal(
		    "no eventfd for an event loop error=%s", strerror(errno));
	loop->tick = new_event(loop, -1, EV_PERSIST, on_tick);
	loop->step_event = new_event(loop, -1, 0, on_steps);
	loop->mail_event =
	    new_event(loop, loop->mail_fd, EV_READ | EV_PERSIST, on_mail);
	if (event_add(loop->mail_event, NULL) != 0)
		log_fatal("an event loop cannot watch its mailbox");
}

/* All mail, oldest first. */
static struct mail *
take_mail(struct loop *loop)
{
	struct mail *newest = atomic_exchange_explicit(
	    &loop->mailbox, NULL, memory_order_acquire);
	struct mail *oldest = NULL, *next;

	for (; newest != NULL; newest = next) {
		next = newest->next;
		newest->next = oldest;
		oldest = newest;
	}
	return oldest;
}

void
loop_done(struct loop *loop)
{
	struct mail *mail, *next;

	for (mail = take_mail(loop); mail != NULL; mail = next) {
		next = mail->next;
		free(mail);
	}
	event_free(loop->tick);
	event_free(loop->step_event);
	event_free(loop->mail_event);
	event_base_free(loop->base);
	close(loop->mail_fd);
	pool_done(&loop->arenas);
	pool_done(&loop->buffers);
	free(loop->scratch);
}

void
loop_run(struct loop *loop)
{
	if (event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
		log_fatal("an event loop failed error=%s", strerror(errno));
}

void
loop_stop(struct loop *loop)
{
	event_base_loopbreak(loop->base);
}

uint64_t
loop_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t
loop_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* libevent reads the clock once for all callbacks of a wakeup. */
uint64_t
loop_wakeup(const struct loop *loop)
{
	struct timeval when;

	event_base_gettimeofday_cached(loop->base, &when);
	return (uint64_t)when.tv_sec * 1000000 + (uint64_t)when.tv_usec;
}

/* ---- timers ---- */

/* Every span is taken. The smallest larger one will do; else the largest grows:
 * what it holds is due before anything that comes now, so order is kept. */
static struct timer_queue *
round_up(struct loop *loop, uint32_t ms)
{
	struct timer_queue *largest = &loop->spans[0], *best = NULL;
	unsigned i;

	for (i = 0; i < loop->span_count; i++) {
		struct timer_queue *queue = &loop->spans[i];

		if (queue->span > largest->span)
			largest = queue;
		if (queue->span > ms &&
		    (best == NULL || queue->span < best->span))
			best = queue;
	}
	if (best != NULL)
		return best;
	largest->span = ms;
	return largest;
}

static struct timer_queue *
queue_of_span(struct loop *loop, uint32_t ms)
{
	struct timer_queue *empty = NULL;
	unsigned i;

	for (i = 0; i < loop->span_count; i++) {
		struct timer_queue *queue = &loop->spans[i];

		if (queue->span == ms)
			return queue;
		if (TAILQ_EMPTY(&queue->list))
			empty = queue;
	}
	if (loop->span_count < LOOP_SPANS) {
		empty = &loop->spans[loop->span_count++];
		TAILQ_INIT(&empty->list);
	}
	if (empty == NULL)
		return round_up(loop, ms);
	empty->span = ms;
	return empty;
}

static void
start_tick(struct loop *loop)
{
	static const struct timeval period = {0, TICK_MS * 1000};

	if (event_add(loop->tick, &period) != 0)
		log_fatal("an event loop has no timer");
	loop->ticking = 1;
}

void
loop_timer_start(struct loop *loop, struct timer *timer, uint32_t ms)
{
	struct timer_queue *queue = timer->queue;

	/* due lies past the present tick's time, which on_tick counts on */
	if (ms == 0)
		ms = 1;
	loop_timer_stop(loop, timer);
	if (queue == NULL || queue->span != ms)
		queue = queue_of_span(loop, ms);
	timer->due = loop_now() + queue->span;
	timer->queue = queue;
	TAILQ_INSERT_TAIL(&queue->list, timer, link);
	loop->armed++;
	if (!loop->ticking)
		start_tick(loop);
}

void
loop_timer_stop(struct loop *loop, struct timer *timer)
{
	if (timer->queue == NULL)
		return;
	TAILQ_REMOVE(&timer->queue->list, timer, link);
	timer->queue = NULL;
	loop->armed--;
}

/* The timer that has been due for longest, of all spans, or NULL. */
static struct timer *
first_due(const struct loop *loop, uint64_t now)
{
	struct timer *first = NULL;

	for (unsigned i = 0; i < loop->span_count; i++) {
		struct timer *timer = TAILQ_FIRST(&loop->spans[i].list);

		if (timer != NULL && timer->due <= now &&
		    (first == NULL || timer->due < first->due))
			first = timer;
	}
	return first;
}

/* With nothing armed the tick ends here, not in loop_timer_stop: one connection
 * that arms and disarms would start and stop it for each request. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	uint64_t now = loop_now();
	struct timer *timer;

	(void)fd;
	(void)what;
	while ((timer = first_due(loop, now)) != NULL) {
		loop_timer_stop(loop, timer);
		timer->fn(timer);
	}
	if (loop->armed == 0) {
		event_del(loop->tick);
		loop->ticking = 0;
	}
}

/* ---- deferred steps ---- */

void
loop_defer(struct loop *loop, struct step *step)
{
	if (step->queued)
		return;
	/* while steps run, their end mark keeps the list from being empty */
	if (TAILQ_EMPTY(&loop->steps))
		event_active(loop->step_event, EV_TIMEOUT, 0);
	step->queued = 1;
	TAILQ_INSERT_TAIL(&loop->steps, step, link);
}

void
loop_defer_cancel(struct loop *loop, struct step *step)
{
	if (!step->queued)
		return;
	TAILQ_REMOVE(&loop->steps, step, link);
	step->queued = 0;
}

/* One pass: what is queued now, up to the end mark. Steps that these queue wait
 * for a poll: libevent runs an event activated here before it polls again, and
 * steps that call each other would starve the sockets. */
static void
on_steps(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once = {0, 0};
	struct loop *loop = arg;
	struct step end = {.queued = 1}, *step;

	(void)fd;
	(void)what;
	TAILQ_INSERT_TAIL(&loop->steps, &end, link);
	while ((step = TAILQ_FIRST(&loop->steps)) != &end) {
		loop_defer_cancel(loop, step);
		step->fn(step);
	}
	loop_defer_cancel(loop, &end);
	if (!TAILQ_EMPTY(&loop->steps) &&
	    event_add(loop->step_event, &at_once) != 0)
		log_fatal("an event loop has no timer");
}

/* ---- mail ---- */

/* Who finds the mailbox empty rings: the owner takes all of it at once, after
 * it has reset the bell. */
void
loop_post(struct loop *loop, struct mail *mail)
{
	static const uint64_t one = 1;
	struct mail *before =
	    atomic_load_explicit(&loop->mailbox, memory_order_relaxed);

	/* not into mail->next itself: a pushed mail is no longer ours */
	do
		mail->next = before;
	while (!atomic_compare_exchange_weak_explicit(&loop->mailbox, &before,
	    mail, memory_order_release, memory_order_relaxed));
	if (before == NULL)
		/* fails only when it has rung 2^64 - 2 times unheard */
		(void)!write(loop->mail_fd, &one, sizeof(one));
}

static void
on_mail(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	struct mail *mail, *next;
	uint64_t rung;

	(void)what;
	/* only resets the bell: the mailbox says what there is */
	(void)!read(fd, &rung, sizeof(rung));
	for (mail = take_mail(loop); mail != NULL; mail = next) {
		next = mail->next;
		mail->fn(mail);
	}
}

bool
pace_allows(struct pace *pace, unsigned *untold)
{
	uint64_t now = loop_now();

	*untold = pace->untold;
	if (now < pace->next) {
		pace->untold++;
		return false;
	}
	*pace = (struct pace){.next = now + 1000};
	return true;
}
