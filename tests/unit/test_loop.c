/* SPDX-License-Identifier: ISC */
/* Deadlines, deferred steps and mail from other threads, on a real base. */
#include <check.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct loop loop;

/* What the callbacks saw, in order. */
static int seen[4096];
static unsigned seen_count;

static void
see(int what)
{
	ck_assert_uint_lt(seen_count, COUNT(seen));
	seen[seen_count++] = what;
}

static void
expect(const int *wanted, unsigned count)
{
	unsigned i;

	ck_assert_uint_eq(seen_count, count);
	for (i = 0; i < count; i++)
		ck_assert_int_eq(seen[i], wanted[i]);
}
#define EXPECT(...)                                                            \
	expect((const int[]){__VA_ARGS__},                                     \
	    sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static void
set_up(void)
{
	loop_init(&loop);
	seen_count = 0;
}

static void
tear_down(void)
{
	loop_done(&loop);
}

/* ---- timers ---- */

struct alarm {
	struct timer timer;
	int number;
	uint64_t earliest;
	struct alarm
	    *victim;	/* stopped, or freed when it is the alarm itself */
	uint32_t again; /* ms; UINT32_MAX: not */
	int last;	/* stops the loop */
};

static void
on_alarm(struct timer *timer)
{
	struct alarm *alarm = (struct alarm *)timer;
	int last = alarm->last;
	uint64_t now = loop_now();

	ck_assert_ptr_null(timer->queue);
	ck_assert_uint_ge(now, alarm->earliest);
	see(alarm->number);
	if (alarm->again != UINT32_MAX) {
		loop_timer_start(&loop, timer, alarm->again);
		/* else the same tick would fire it again, for ever */
		ck_assert_uint_gt(timer->due, now);
		alarm->earliest = timer->due;
		alarm->again = UINT32_MAX;
	} else if (alarm->victim == alarm) {
		free(alarm);
	} else if (alarm->victim != NULL) {
		loop_timer_stop(&loop, &alarm->victim->timer);
	}
	if (last)
		loop_stop(&loop);
}

static struct alarm *
alarm_new(int number, uint32_t ms)
{
	struct alarm *alarm = mem_alloc(sizeof(*alarm));

	alarm->timer.fn = on_alarm;
	alarm->number = number;
	alarm->again = UINT32_MAX;
	alarm->earliest = loop_now() + ms;
	loop_timer_start(&loop, &alarm->timer, ms);
	return alarm;
}

static void
run_until(struct alarm *alarm)
{
	alarm->last = 1;
	loop_run(&loop);
}

START_TEST(timers_fire_in_order_of_due_and_never_early)
{
	struct alarm *all[] = {alarm_new(2, 260), alarm_new(1, 5),
	    alarm_new(3, 510), alarm_new(11, 5)};
	size_t i;

	ck_assert_uint_eq(loop.armed, COUNT(all));
	run_until(all[2]);
	EXPECT(1, 11, 2, 3);
	ck_assert_uint_eq(loop.armed, 0);
	for (i = 0; i < COUNT(all); i++)
		free(all[i]);
}
END_TEST

START_TEST(a_span_of_zero_fires_at_the_next_tick)
{
	struct alarm *zero = alarm_new(1, 0), *last = alarm_new(2, 300);

	zero->again = 0;
	run_until(last);
	EXPECT(1, 1, 2);
	free(zero);
	free(last);
}
END_TEST

START_TEST(a_stopped_timer_does_not_fire)
{
	struct alarm *stopped = alarm_new(1, 1), *last = alarm_new(2, 2);

	loop_timer_stop(&loop, &stopped->timer);
	ck_assert_ptr_null(stopped->timer.queue);
	loop_timer_stop(&loop, &stopped->timer);
	ck_assert_uint_eq(loop.armed, 1);
	free(stopped);
	run_until(last);
	EXPECT(2);
	free(last);
}
END_TEST

START_TEST(starting_again_moves_the_deadline)
{
	struct alarm *moved = alarm_new(1, 1), *same = alarm_new(3, 2);
	struct alarm *last = alarm_new(2, 2);

	loop_timer_start(&loop, &moved->timer, 300);
	moved->earliest = moved->timer.due;
	loop_timer_start(&loop, &same->timer, 2);
	ck_assert_uint_eq(loop.armed, 3);
	run_until(last);
	EXPECT(2, 3);
	run_until(moved);
	EXPECT(2, 3, 1);
	free(moved);
	free(same);
	free(last);
}
END_TEST

START_TEST(a_timer_may_stop_another_that_is_due)
{
	struct alarm *first = alarm_new(1, 1), *second = alarm_new(2, 1);
	struct alarm *third = alarm_new(3, 1);

	first->victim = second;
	run_until(third);
	EXPECT(1, 3);
	free(first);
	free(second);
	free(third);
}
END_TEST

START_TEST(a_timer_may_free_its_own_memory)
{
	struct alarm *first = alarm_new(1, 1), *second = alarm_new(2, 1);

	first->victim = first;
	second->victim = second;
	run_until(second);
	EXPECT(1, 2);
}
END_TEST

START_TEST(the_tick_outlives_the_last_timer_by_one_round)
{
	struct alarm *alarm = alarm_new(1, 1000);

	ck_assert_int_eq(loop.ticking, 1);
	loop_timer_stop(&loop, &alarm->timer);
	ck_assert_int_eq(loop.ticking, 1);
	ck_assert_int_eq(
	    event_pending(loop.tick, EV_TIMEOUT, NULL), EV_TIMEOUT);
	while (loop.ticking)
		ck_assert_int_eq(event_base_loop(loop.base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(event_pending(loop.tick, EV_TIMEOUT, NULL), 0);
	loop_timer_start(&loop, &alarm->timer, 1);
	alarm->earliest = alarm->timer.due;
	run_until(alarm);
	EXPECT(1);
	free(alarm);
}
END_TEST

START_TEST(spans_past_the_last_are_rounded_up)
{
	static struct timer taken[LOOP_SPANS], more;
	uint64_t now;
	unsigned i;

	for (i = 0; i < LOOP_SPANS; i++)
		loop_timer_start(&loop, &taken[i], (i + 1) * 1000);
	now = loop_now();
	loop_timer_start(&loop, &more, 1500);
	ck_assert_ptr_eq(more.queue, taken[1].queue);
	ck_assert_uint_ge(more.due, now + 2000);
	ck_assert_uint_lt(more.due, now + 2500);
	loop_timer_start(&loop, &more, 2000);
	ck_assert_ptr_eq(more.queue, taken[1].queue);
}
END_TEST

START_TEST(a_span_past_the_largest_makes_that_grow)
{
	static struct timer taken[LOOP_SPANS], more, after;
	struct timer_queue *largest;
	uint64_t now;
	unsigned i;

	for (i = 0; i < LOOP_SPANS; i++)
		loop_timer_start(&loop, &taken[i], (i + 1) * 1000);
	largest = taken[LOOP_SPANS - 1].queue;
	now = loop_now();
	loop_timer_start(&loop, &more, 90000);
	ck_assert_ptr_eq(more.queue, largest);
	ck_assert_uint_ge(more.due, now + 90000);
	loop_timer_start(&loop, &after, LOOP_SPANS * 1000);
	ck_assert_ptr_eq(after.queue, largest);
	ck_assert_uint_ge(after.due, more.due);
	ck_assert_ptr_eq(TAILQ_FIRST(&largest->list), &taken[LOOP_SPANS - 1]);
}
END_TEST

START_TEST(a_span_that_nobody_uses_gives_its_place_away)
{
	static struct timer taken[LOOP_SPANS], more;
	struct timer_queue *place;
	unsigned i;

	for (i = 0; i < LOOP_SPANS; i++)
		loop_timer_start(&loop, &taken[i], (i + 1) * 1000);
	place = taken[7].queue;
	loop_timer_stop(&loop, &taken[7]);
	loop_timer_start(&loop, &more, 1500);
	ck_assert_ptr_eq(more.queue, place);
	ck_assert_uint_eq(place->span, 1500);
}
END_TEST

/* ---- steps ---- */

struct turn {
	struct step step;
	int number;
	struct turn *cancel, *next;
	unsigned again; /* times */
	int last, freed;
};

static void
on_turn(struct step *step)
{
	struct turn *turn = (struct turn *)step;

	ck_assert_int_eq(step->queued, 0);
	see(turn->number);
	if (turn->again > 0) {
		turn->again--;
		loop_defer(&loop, step);
	}
	if (turn->cancel != NULL)
		loop_defer_cancel(&loop, &turn->cancel->step);
	if (turn->next != NULL)
		loop_defer(&loop, &turn->next->step);
	if (turn->last)
		loop_stop(&loop);
	if (turn->freed)
		free(turn);
}

#define TURN(n, ...)                                                           \
	{                                                                      \
		.step = {.fn = on_turn}, .number = (n), __VA_ARGS__            \
	}

START_TEST(steps_run_in_order_and_once)
{
	struct turn one = TURN(1), two = TURN(2), three = TURN(3, .last = 1);

	loop_defer(&loop, &one.step);
	loop_defer(&loop, &two.step);
	loop_defer(&loop, &one.step);
	loop_defer(&loop, &three.step);
	ck_assert_uint_eq(seen_count, 0);
	loop_run(&loop);
	EXPECT(1, 2, 3);
	ck_assert(TAILQ_EMPTY(&loop.steps));
}
END_TEST

START_TEST(a_cancelled_step_does_not_run)
{
	struct turn gone = TURN(1), later = TURN(2), last = TURN(3, .last = 1);
	struct turn first = TURN(4, .cancel = &later);

	loop_defer(&loop, &gone.step);
	loop_defer_cancel(&loop, &gone.step);
	loop_defer_cancel(&loop, &gone.step);
	loop_defer(&loop, &first.step);
	loop_defer(&loop, &later.step);
	loop_defer(&loop, &last.step);
	loop_run(&loop);
	EXPECT(4, 3);
	ck_assert_int_eq(later.step.queued, 0);
}
END_TEST

START_TEST(a_cancelled_last_step_leaves_the_queue_sound)
{
	struct turn last = TURN(1), stop = TURN(3, .last = 1);
	struct turn first = TURN(2, .cancel = &last, .next = &stop);

	loop_defer(&loop, &first.step);
	loop_defer(&loop, &last.step);
	loop_run(&loop);
	EXPECT(2, 3);
}
END_TEST

START_TEST(a_step_may_free_itself)
{
	struct turn *own = mem_alloc(sizeof(*own));
	struct turn last = TURN(2, .last = 1);

	*own = (struct turn)TURN(1, .freed = 1);
	loop_defer(&loop, &own->step);
	loop_defer(&loop, &last.step);
	loop_run(&loop);
	EXPECT(1, 2);
}
END_TEST

/* Nothing else would wake the loop: a lost step is a test that never ends. */
START_TEST(a_step_deferred_by_a_step_runs_in_the_next_pass)
{
	struct turn again = TURN(1, .again = 2), other = TURN(2);

	loop_defer(&loop, &again.step);
	loop_defer(&loop, &other.step);
	ck_assert_int_eq(event_base_loop(loop.base, EVLOOP_ONCE), 0);
	EXPECT(1, 2);
	ck_assert_int_eq(event_base_loop(loop.base, EVLOOP_ONCE), 0);
	EXPECT(1, 2, 1);
	loop_defer(&loop, &other.step);
	ck_assert_int_eq(event_base_loop(loop.base, EVLOOP_ONCE), 0);
	EXPECT(1, 2, 1, 1, 2);
	ck_assert(TAILQ_EMPTY(&loop.steps));
}
END_TEST

static int ends[2];

/* Readable only now: the poll before this pass did not see it. */
static void
on_write(struct step *step)
{
	(void)step;
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	see(7);
	loop_stop(&loop);
}

START_TEST(steps_that_call_each_other_do_not_starve_the_sockets)
{
	struct turn one = TURN(1), two = TURN(2, .next = &one);
	struct step writing = {.fn = on_write};
	struct event *event;

	one.next = &two;
	ck_assert_int_eq(pipe(ends), 0);
	event = event_new(loop.base, ends[0], EV_READ, on_readable, NULL);
	ck_assert_int_eq(event_add(event, NULL), 0);
	loop_defer(&loop, &one.step);
	loop_defer(&loop, &writing);
	loop_run(&loop);
	ck_assert_int_eq(seen[seen_count - 1], 7);
	event_free(event);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static struct turn after_alarm = TURN(2, .last = 1);

static void
on_deferring_alarm(struct timer *timer)
{
	(void)timer;
	see(1);
	loop_defer(&loop, &after_alarm.step);
	see(11);
}

START_TEST(a_step_runs_after_the_callback_and_before_the_loop_waits)
{
	struct timer timer = {.fn = on_deferring_alarm};

	loop_timer_start(&loop, &timer, 1);
	loop_run(&loop);
	EXPECT(1, 11, 2);
}
END_TEST

/* ---- mail ---- */

#define THREADS 4
#define LETTERS 1000

struct letter {
	struct mail mail;
	int thread, number;
};

static int next_number[THREADS];
static unsigned letters;

static void
on_letter(struct mail *mail)
{
	struct letter *letter = (struct letter *)mail;

	ck_assert_int_eq(letter->number, next_number[letter->thread]++);
	free(letter);
	if (++letters == THREADS * LETTERS)
		loop_stop(&loop);
}

static void *
write_letters(void *arg)
{
	int i;

	for (i = 0; i < LETTERS; i++) {
		struct letter *letter = mem_alloc(sizeof(*letter));

		letter->mail.fn = on_letter;
		letter->thread = *(int *)arg;
		letter->number = i;
		loop_post(&loop, &letter->mail);
	}
	return NULL;
}

START_TEST(mail_of_many_threads_comes_complete_and_in_order)
{
	pthread_t threads[THREADS];
	int names[THREADS], i;

	for (i = 0; i < THREADS; i++) {
		names[i] = i;
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, write_letters, &names[i]),
		    0);
	}
	loop_run(&loop);
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_int_eq(next_number[i], LETTERS);
	}
}
END_TEST

static void
on_stop(struct mail *mail)
{
	see(1);
	free(mail);
	loop_stop(&loop);
}

START_TEST(mail_wakes_a_loop_that_waits)
{
	struct mail *mail = mem_alloc(sizeof(*mail));

	mail->fn = on_stop;
	loop_post(&loop, mail);
	loop_run(&loop);
	/* the bell was reset, and rings again */
	mail = mem_alloc(sizeof(*mail));
	mail->fn = on_stop;
	loop_post(&loop, mail);
	loop_run(&loop);
	EXPECT(1, 1);
}
END_TEST

/* The leak checker is the assertion. */
START_TEST(mail_never_run_is_freed_with_the_loop)
{
	struct loop other;
	int i;

	loop_init(&other);
	for (i = 0; i < 3; i++) {
		struct mail *mail = mem_alloc(sizeof(*mail));

		mail->fn = on_stop;
		loop_post(&other, mail);
	}
	loop_done(&other);
	ck_assert_uint_eq(seen_count, 0);
}
END_TEST

START_TEST(both_clocks_go_forward)
{
	uint64_t ms = loop_now(), us = loop_now_us();

	while (loop_now_us() < us + 2)
		continue;
	ck_assert_uint_ge(loop_now(), ms);
	/* one clock, read coarsely: at most a few jiffies apart */
	ck_assert_uint_le(ms, us / 1000);
	ck_assert_uint_ge(ms + 100, us / 1000);
}
END_TEST

START_TEST(what_anybody_can_cause_is_told_once_a_second)
{
	struct pace pace = {.next = 0};
	unsigned untold = 9;

	ck_assert(pace_allows(&pace, &untold));
	ck_assert_uint_eq(untold, 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert(!pace_allows(&pace, &untold));
	pace.next = loop_now();
	ck_assert(pace_allows(&pace, &untold));
	ck_assert_uint_eq(untold, 3);
	ck_assert(!pace_allows(&pace, &untold));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("loop");
	TCase *tcase = tcase_create("loop");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, timers_fire_in_order_of_due_and_never_early);
	tcase_add_test(tcase, a_span_of_zero_fires_at_the_next_tick);
	tcase_add_test(tcase, a_stopped_timer_does_not_fire);
	tcase_add_test(tcase, starting_again_moves_the_deadline);
	tcase_add_test(tcase, a_timer_may_stop_another_that_is_due);
	tcase_add_test(tcase, a_timer_may_free_its_own_memory);
	tcase_add_test(tcase, the_tick_outlives_the_last_timer_by_one_round);
	tcase_add_test(tcase, spans_past_the_last_are_rounded_up);
	tcase_add_test(tcase, a_span_past_the_largest_makes_that_grow);
	tcase_add_test(tcase, a_span_that_nobody_uses_gives_its_place_away);
	tcase_add_test(tcase, steps_run_in_order_and_once);
	tcase_add_test(tcase, a_cancelled_step_does_not_run);
	tcase_add_test(tcase, a_cancelled_last_step_leaves_the_queue_sound);
	tcase_add_test(tcase, a_step_may_free_itself);
	tcase_add_test(tcase, a_step_deferred_by_a_step_runs_in_the_next_pass);
	tcase_add_test(
	    tcase, steps_that_call_each_other_do_not_starve_the_sockets);
	tcase_add_test(
	    tcase, a_step_runs_after_the_callback_and_before_the_loop_waits);
	tcase_add_test(tcase, mail_of_many_threads_comes_complete_and_in_order);
	tcase_add_test(tcase, mail_wakes_a_loop_that_waits);
	tcase_add_test(tcase, mail_never_run_is_freed_with_the_loop);
	tcase_add_test(tcase, both_clocks_go_forward);
	tcase_add_test(tcase, what_anybody_can_cause_is_told_once_a_second);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
