/* SPDX-License-Identifier: ISC */
/* The daemon's own lines, as they arrive at stderr. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

static char seen[8192]; /* what came out of stderr */
static int stderr_kept, file;

static void
catch_stderr(void)
{
	FILE *temporary = tmpfile();

	ck_assert_ptr_nonnull(temporary);
	file = dup(fileno(temporary));
	fclose(temporary);
	stderr_kept = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(file, STDERR_FILENO), 0);
}

static const char *
caught(void)
{
	ssize_t n = pread(file, seen, sizeof(seen) - 1, 0);

	ck_assert_int_ge(n, 0);
	seen[n] = '\0';
	dup2(stderr_kept, STDERR_FILENO);
	close(stderr_kept);
	close(file);
	return seen;
}

START_TEST(a_line_has_program_and_level)
{
	unsetenv("JOURNAL_STREAM");
	catch_stderr();
	log_open("gate", LOG_DEBUG);
	log_error("a=%d", 1);
	log_warn("b");
	log_info("c=%s", "x");
	log_debug("d");
	ck_assert_str_eq(caught(), "gate: error: a=1\ngate: warn: b\n"
				   "gate: info: c=x\ngate: debug: d\n");
}
END_TEST

START_TEST(lines_below_the_level_are_left_out)
{
	unsetenv("JOURNAL_STREAM");
	catch_stderr();
	log_open("gate", LOG_WARN);
	log_info("no");
	log_warn("yes");
	log_set_level(LOG_ERROR);
	log_warn("no");
	log_error("yes");
	ck_assert_str_eq(caught(), "gate: warn: yes\ngate: error: yes\n");
}
END_TEST

START_TEST(the_journal_gets_priorities)
{
	char stream[64];
	struct stat st;

	catch_stderr();
	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu",
	    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open("gate", LOG_DEBUG);
	log_error("a");
	log_warn("b");
	log_info("c");
	log_debug("d");
	ck_assert_str_eq(caught(), "<3>a\n<4>b\n<6>c\n<7>d\n");
}
END_TEST

START_TEST(the_journal_of_another_process_is_not_ours)
{
	setenv("JOURNAL_STREAM", "1:1", 1);
	catch_stderr();
	log_open("gate", LOG_INFO);
	log_info("a");
	setenv("JOURNAL_STREAM", "junk", 1);
	log_open("gate", LOG_INFO);
	log_info("b");
	ck_assert_str_eq(caught(), "gate: info: a\ngate: info: b\n");
}
END_TEST

START_TEST(control_bytes_forge_nothing)
{
	unsetenv("JOURNAL_STREAM");
	catch_stderr();
	log_open("gate", LOG_INFO);
	log_info("a=%s", "x\ngate: error: forged\r\x1b[2J\x7f");
	ck_assert_str_eq(
	    caught(), "gate: info: a=x?gate: error: forged??[2J?\n");
}
END_TEST

START_TEST(a_line_too_long_is_cut_and_ends)
{
	char text[6000];
	size_t len;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	unsetenv("JOURNAL_STREAM");
	catch_stderr();
	log_open("gate", LOG_INFO);
	log_info("%s", text);
	log_info("next");
	caught();
	len = strcspn(seen, "\n");
	ck_assert_uint_gt(len, 1000);
	ck_assert_uint_lt(len, 4096);
	ck_assert_str_eq(seen + len, "\ngate: info: next\n");
}
END_TEST

START_TEST(level_words_are_known)
{
	static const char *const words[] = {"error", "warn", "info", "debug"};
	enum log_level level;
	int i;

	for (i = 0; i < 4; i++) {
		ck_assert(log_level_parse(words[i], &level));
		ck_assert_int_eq(level, i);
	}
	ck_assert(!log_level_parse("", &level));
	ck_assert(!log_level_parse("Info", &level));
	ck_assert(!log_level_parse("warning", &level));
	ck_assert_int_eq(level, LOG_DEBUG);
}
END_TEST

START_TEST(a_fatal_line_ends_the_process)
{
	log_fatal("out of everything");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("log");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, a_line_has_program_and_level);
	tcase_add_test(tcase, lines_below_the_level_are_left_out);
	tcase_add_test(tcase, the_journal_gets_priorities);
	tcase_add_test(tcase, the_journal_of_another_process_is_not_ours);
	tcase_add_test(tcase, control_bytes_forge_nothing);
	tcase_add_test(tcase, a_line_too_long_is_cut_and_ends);
	tcase_add_test(tcase, level_words_are_known);
	tcase_add_exit_test(tcase, a_fatal_line_ends_the_process, EXIT_FAILURE);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
