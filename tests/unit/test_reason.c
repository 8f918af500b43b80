/* SPDX-License-Identifier: ISC */
/* Reasons, status phrases and flags: the tables hold together. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "flag.h"
#include "reason.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool
is_log_word(const char *word)
{
	return *word >= 'a' && *word <= 'z' &&
	       word[strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_.")] ==
		   '\0';
}

static void
check_text(const char *text)
{
	size_t len = strlen(text);

	ck_assert_uint_gt(len, 0);
	ck_assert_msg(text[len - 1] != '.' && text[0] >= 'A' && text[0] <= 'Z',
	    "%s", text);
}

START_TEST(every_reason_has_a_word_of_its_own)
{
	int i, k;

	ck_assert_str_eq(reason_word(REASON_NONE), "-");
	for (i = 1; i < REASON_COUNT; i++) {
		ck_assert_msg(
		    is_log_word(reason_word((enum reason)i)), "%d", i);
		for (k = 0; k < i; k++)
			ck_assert_str_ne(reason_word((enum reason)i),
			    reason_word((enum reason)k));
	}
}
END_TEST

START_TEST(every_answer_has_a_phrase_and_a_text)
{
	int i, status;

	for (i = 1; i < REASON_COUNT; i++) {
		check_text(reason_text((enum reason)i));
		status = reason_status((enum reason)i);
		if (status != 0)
			ck_assert_str_ne(status_phrase(status), "");
	}
	ck_assert_int_eq(reason_status(REASON_NONE), 0);
	ck_assert(!reason_closes(REASON_NONE));
}
END_TEST

START_TEST(what_cannot_be_answered_closes)
{
	int i;

	for (i = 1; i < REASON_COUNT; i++)
		if (reason_status((enum reason)i) == 0)
			ck_assert(reason_closes((enum reason)i));
}
END_TEST

START_TEST(what_is_malformed_is_a_400_and_closes)
{
	unsigned i, count = 0;

	for (i = 0; i < REASON_COUNT; i++) {
		if (strncmp(reason_word((enum reason)i), "malformed.", 10) != 0)
			continue;
		count++;
		ck_assert_int_eq(reason_status((enum reason)i), 400);
		ck_assert(reason_closes((enum reason)i));
	}
	ck_assert_uint_ge(count, 10);
}
END_TEST

START_TEST(decisions_have_the_status_of_the_design)
{
	static const struct {
		enum reason reason;
		const char *word;
		int status;
		bool closes;
	} rows[] = {
	    {REASON_TARGET_TOO_LARGE, "too_large.target", 414, true},
	    {REASON_HEAD_TOO_LARGE, "too_large.head", 431, true},
	    {REASON_FIELDS_TOO_MANY, "too_large.fields", 431, true},
	    {REASON_BODY_TOO_LARGE, "too_large.body", 413, true},
	    {REASON_EXPECTATION_FAILED, "expectation_failed", 417, true},
	    {REASON_VERSION_UNSUPPORTED, "version_unsupported", 505, true},
	    {REASON_TRANSFER_CODING, "transfer_coding", 501, true},
	    {REASON_UNKNOWN_HOST, "unknown_host", 421, false},
	    {REASON_METHOD_UNKNOWN, "method_unknown", 501, false},
	    {REASON_METHOD_CASE, "method_case", 501, false},
	    {REASON_METHOD_UNSUPPORTED, "method_unsupported", 501, false},
	    {REASON_NO_LOCATION, "no_location", 404, false},
	    {REASON_METHOD_NOT_ALLOWED, "method_not_allowed", 405, false},
	    {REASON_UPSTREAM_TIMEOUT, "upstream.response_timeout", 504, false},
	    {REASON_UPSTREAM_REFUSED, "upstream.connect_refused", 502, false},
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		ck_assert_str_eq(reason_word(rows[i].reason), rows[i].word);
		ck_assert_int_eq(reason_status(rows[i].reason), rows[i].status);
		ck_assert_int_eq(reason_closes(rows[i].reason), rows[i].closes);
	}
}
END_TEST

static const struct {
	int status;
	const char *phrase;
} phrases[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {204, "No Content"},
    {207, "Multi-Status"},
    {301, "Moved Permanently"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
    {306, ""},
    {418, ""},
    {99, ""},
    {0, ""},
    {-1, ""},
    {512, ""},
    {599, ""},
    {100000, ""},
};

START_TEST(statuses_have_the_phrases_of_the_registry)
{
	size_t i;

	for (i = 0; i < COUNT(phrases); i++)
		ck_assert_str_eq(
		    status_phrase(phrases[i].status), phrases[i].phrase);
}
END_TEST

START_TEST(every_flag_has_a_word_of_its_own)
{
	int i, k;

	for (i = 0; i < FLAG_COUNT; i++) {
		ck_assert(is_log_word(flag_word((enum flag)i)));
		check_text(flag_text((enum flag)i));
		for (k = 0; k < i; k++)
			ck_assert_str_ne(
			    flag_word((enum flag)i), flag_word((enum flag)k));
	}
}
END_TEST

START_TEST(flags_are_printed_as_a_list)
{
	flag_set both = FLAG_BIT(FLAG_METHOD_CASE) | FLAG_BIT(FLAG_CRAWLER_501);
	char out[64];

	ck_assert_uint_eq(flag_set_print(0, out, sizeof(out)), 0);
	ck_assert_str_eq(out, "");
	ck_assert_uint_eq(
	    flag_set_print(FLAG_BIT(FLAG_CRAWLER_501), out, sizeof(out)),
	    strlen("crawler_501"));
	ck_assert_str_eq(out, "crawler_501");
	flag_set_print(both, out, sizeof(out));
	ck_assert_ptr_nonnull(strstr(out, "method_case"));
	ck_assert_ptr_nonnull(strstr(out, "crawler_501"));
	ck_assert_ptr_nonnull(strchr(out, ','));
}
END_TEST

START_TEST(a_flag_list_that_does_not_fit_ends_with_a_whole_word)
{
	char out[64];
	size_t size, len;

	for (size = 1; size <= sizeof(out); size++) {
		len = flag_set_print(~(flag_set)0, out, size);
		ck_assert_uint_eq(len, strlen(out));
		ck_assert_uint_lt(len, size);
		ck_assert(len == 0 || out[len - 1] != ',');
		if (len > 0)
			ck_assert_int_eq(strncmp(out, flag_word((enum flag)0),
					     strlen(flag_word((enum flag)0))),
			    0);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("reason");
	TCase *tcase = tcase_create("reason");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, every_reason_has_a_word_of_its_own);
	tcase_add_test(tcase, every_answer_has_a_phrase_and_a_text);
	tcase_add_test(tcase, what_cannot_be_answered_closes);
	tcase_add_test(tcase, what_is_malformed_is_a_400_and_closes);
	tcase_add_test(tcase, decisions_have_the_status_of_the_design);
	tcase_add_test(tcase, statuses_have_the_phrases_of_the_registry);
	tcase_add_test(tcase, every_flag_has_a_word_of_its_own);
	tcase_add_test(tcase, flags_are_printed_as_a_list);
	tcase_add_test(
	    tcase, a_flag_list_that_does_not_fit_ends_with_a_whole_word);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
