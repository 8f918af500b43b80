/* SPDX-License-Identifier: ISC */
/* loop: one thread's event loop and what everything on it shares: the scratch
 * buffers, the pools, the timers and the queue of deferred steps. One thread
 * owns it; only loop_post may be called from another. */
#ifndef LOOP_H
#define LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mem.h"

struct event;
struct event_base;

#define LOOP_SCRATCH (256u * 1024)

/* A deadline. Embed it; all zero is a valid unarmed timer but for fn. */
struct timer {
	TAILQ_ENTRY(timer) link;
	struct timer_queue *queue; /* NULL: not armed */
	uint64_t due;		   /* ms, on loop_now's clock */
	void (*fn)(struct timer *);
};
TAILQ_HEAD(timer_list, timer);

/* All timers of one span: always in order, so arming is O(1) (PERF.md 4). */
struct timer_queue {
	uint32_t span; /* ms */
	struct timer_list list;
};
#define LOOP_SPANS 32

/* A call for the next step of the loop: never inside the present call. */
struct step {
	TAILQ_ENTRY(step) link;
	int queued;
	void (*fn)(struct step *);
};
TAILQ_HEAD(step_list, step);

/* A message from another thread, run on the owner's loop: the start of a
 * malloced block. The sender gives it away; fn frees it. */
struct mail {
	struct mail *next;
	void (*fn)(struct mail *);
};

/* Lines about what anybody can cause: one each second. */
struct pace {
	uint64_t next;	 /* ms: when the next may come */
	unsigned untold; /* since the last one */
};

struct loop {
	struct event_base *base;
	char *scratch;	    /* LOOP_SCRATCH bytes: for one read, one callback */
	struct pool arenas; /* 8 KB blocks */
	struct pool buffers; /* 16 KB blocks */
	struct timer_queue spans[LOOP_SPANS];
	unsigned span_count, armed;
	int ticking; /* the tick is in libevent's heap */
	struct event *tick, *step_event, *mail_event;
	struct step_list steps;
	_Atomic(struct mail *) mailbox;	      /* newest first */
	int mail_fd;			      /* eventfd */
	struct pace tls_clients, tls_servers; /* of failed handshakes */
};

/* Dies when the kernel has no epoll or eventfd to give. */
void loop_init(struct loop *loop);
/* Armed timers and queued steps are forgotten, mail not yet run is freed. */
void loop_done(struct loop *loop);
void loop_run(struct loop *loop);  /* until loop_stop */
void loop_stop(struct loop *loop); /* own thread only; use loop_post else */

/* Milliseconds of CLOCK_MONOTONIC_COARSE (a few ns, no system call). */
uint64_t loop_now(void);
/* Microseconds of CLOCK_MONOTONIC, for durations in logs. */
uint64_t loop_now_us(void);
/* Tells one wakeup of the loop from another: the same number all through its
 * callbacks (no system call). Only inside of them. */
uint64_t loop_wakeup(const struct loop *loop);
/* Re-arms when armed. Fires at most a quarter of a second late, never early; a
 * span of 0 at the next tick. fn runs unarmed: it may start or stop any timer
 * and free its own memory. More than LOOP_SPANS distinct spans in use: rounded
 * up to the next one; where none is larger, the largest span grows to this. */
void loop_timer_start(struct loop *loop, struct timer *timer, uint32_t ms);
void loop_timer_stop(struct loop *loop, struct timer *timer);
/* Runs fn after the present callback returned and before the loop waits, in
 * order; twice queued is once. Deferred by a step: after the next poll. */
void loop_defer(struct loop *loop, struct step *step);
void loop_defer_cancel(struct loop *loop, struct step *step);
/* From any thread. The loop must outlive the call. */
void loop_post(struct loop *loop, struct mail *mail);

/* Whether a line may be written now; *untold: how many were not since the last
 * one. */
bool pace_allows(struct pace *pace, unsigned *untold);

#endif
