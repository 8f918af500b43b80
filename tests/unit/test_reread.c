/* SPDX-License-Identifier: ISC */
/* A configuration that is read aside. */
#include <check.h>
#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "reread.h"

static struct loop loop;
static char path[64];
static unsigned told, sites, errors;

static void
on_read(void *arg, struct config *config, const struct config_report *report)
{
	ck_assert_ptr_eq(arg, &told);
	told++;
	errors = report->error_count;
	sites = config != NULL ? config->site_count : 0;
	config_unref(config);
}

static void
write_config(const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void
set_up(void)
{
	snprintf(path, sizeof(path), "/tmp/mg-reread-%d.ini", (int)getpid());
	write_config("[site]\nlisten = 127.0.0.1:8080\nupstream = app\n"
		     "[upstream app]\nserver = 127.0.0.1:3000\n"
		     "[location /]\nallow = GET\n");
	loop_init(&loop);
	told = 0;
}

static void
tear_down(void)
{
	unlink(path);
	loop_done(&loop);
}

static void
wait_for_it(void)
{
	ck_assert_ptr_nonnull(reread_start(&loop, path, NULL, on_read, &told));
	while (told == 0)
		event_base_loop(loop.base, EVLOOP_ONCE);
	ck_assert_uint_eq(told, 1);
}

START_TEST(what_is_read_comes_to_the_loop)
{
	wait_for_it();
	ck_assert_uint_eq(sites, 1);
	ck_assert_uint_eq(errors, 0);
}
END_TEST

START_TEST(errors_come_without_a_configuration)
{
	write_config("[site]\nlisten = nowhere\n[oops]\n");
	wait_for_it();
	ck_assert_uint_eq(sites, 0);
	ck_assert_uint_gt(errors, 1);
}
END_TEST

/* Before or after it is through. */
START_TEST(nobody_is_told_of_what_was_abandoned)
{
	for (unsigned i = 0; i < 50; i++) {
		struct reread *reread =
		    reread_start(&loop, path, NULL, on_read, &told);

		ck_assert_ptr_nonnull(reread);
		if (i % 2 == 1)
			usleep(i * 50);
		reread_abandon(reread);
		event_base_loop(loop.base, EVLOOP_NONBLOCK);
	}
	usleep(50000); /* for those that free what they have */
	event_base_loop(loop.base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(told, 0);
	reread_abandon(NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("reread");
	TCase *tcase = tcase_create("reread");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, what_is_read_comes_to_the_loop);
	tcase_add_test(tcase, errors_come_without_a_configuration);
	tcase_add_test(tcase, nobody_is_told_of_what_was_abandoned);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
