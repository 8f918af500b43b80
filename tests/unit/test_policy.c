/* SPDX-License-Identifier: ISC */
/* The decision: which question fails first, and what the answer carries. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "policy.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BIT(id) ((method_set)1 << METHOD_##id)
#define READ (BIT(GET) | BIT(HEAD))

/* The first own method of the site. */
#define PURGE ((method_set)1 << METHOD_REGISTERED)

static struct location_rules locations[] = {
    {.pattern = SLICE("/read"), .allow = READ},
    {.pattern = SLICE("/read/write"), .allow = READ | BIT(PUT) | BIT(POST)},
    {.pattern = SLICE("/healthz"), .exact = true, .allow = BIT(GET)},
    {.pattern = SLICE("/none"), .allow = 0},
    {.pattern = SLICE("/purge"), .allow = PURGE | BIT(PROPFIND)},
    {.pattern = SLICE("/small"), .allow = READ | BIT(POST), .body_limit = 100},
    {.pattern = SLICE("/forwards"), .allow = READ | BIT(OPTIONS)},
    {.pattern = SLICE("/answers"),
	.allow = READ | BIT(OPTIONS),
	.options_answer = true,
	.body_limit = 10},
};
/* CONNECT and TRACE stand in these sets, as no configuration could say, to
 * show that they are refused all the same. */
static struct location_rules open_rules = {
    .pattern = SLICE("/"), .allow = ~(method_set)0};

static struct site_rules site, open_site, headless_site;
static struct hosts *door;

static void
set_up(void)
{
	static struct location_rules post_only = {
	    .pattern = SLICE("/"), .allow = BIT(POST)};
	size_t i;

	site = (struct site_rules){.name = SLICE("site"),
	    .own = {2, {SLICE("PURGE"), SLICE("LIST")}},
	    .locations = trie_new()};
	for (i = 0; i < COUNT(locations); i++) {
		trie_add(site.locations, locations[i].pattern,
		    locations[i].exact, &locations[i]);
		site.supported |= locations[i].allow;
	}
	trie_seal(site.locations);
	open_site = (struct site_rules){.name = SLICE("open"),
	    .supported = ~(method_set)0,
	    .locations = trie_new()};
	trie_add(open_site.locations, SLICE("/"), false, &open_rules);
	trie_seal(open_site.locations);
	headless_site = (struct site_rules){.name = SLICE("headless"),
	    .supported = BIT(POST),
	    .locations = trie_new()};
	trie_add(headless_site.locations, SLICE("/"), false, &post_only);
	trie_seal(headless_site.locations);
	door = hosts_new();
	hosts_add(door, SLICE("site.example"), &site);
	hosts_add(door, SLICE("*.open.example"), &open_site);
	hosts_add(door, SLICE("headless.example"), &headless_site);
}

static void
tear_down(void)
{
	trie_free(site.locations);
	trie_free(open_site.locations);
	trie_free(headless_site.locations);
	hosts_free(door);
}

/* A request as the message layer hands it over. */
static struct head
request(const char *method, const char *host, const char *path)
{
	struct head head = {.method = slice_of(method),
	    .authority = slice_of(host),
	    .target = slice_of(path),
	    .path = slice_of(path),
	    .minor = 1};

	if (strcmp(path, "*") == 0)
		head.form = TARGET_ASTERISK;
	return head;
}

static struct decision
decide_head(const struct head *head, struct body_plan body)
{
	struct policy_facts facts = {
	    .head = head, .body = body, .door = door, .ping = SLICE("/-/ping")};
	struct decision decision;

	memset(&decision, 0x5a, sizeof(decision));
	policy_decide(&facts, &decision);
	return decision;
}

/* Method and path lie flush against pages that can't be read. */
static struct decision
decide(const char *method, const char *host, const char *path)
{
	struct guarded m = guard_bytes(method, strlen(method));
	struct guarded p = guard_bytes(path, strlen(path));
	struct head head = request(method, host, path);
	struct decision decision;

	head.method.at = m.at;
	head.path.at = head.target.at = p.at;
	decision = decide_head(&head, (struct body_plan){BODY_NONE, 0});
	guard_free(&m);
	guard_free(&p);
	return decision;
}

/* One letter a question, from 2: y passed, n failed, - not asked. */
static void
expect_answers(const struct decision *decision, const char *wanted)
{
	char text[QUESTION_COUNT - 1] = {0};
	size_t i;

	ck_assert_int_eq(decision->answers[QUESTION_MESSAGE], NOT_ASKED);
	for (i = QUESTION_HOST; i < QUESTION_COUNT; i++)
		text[i - QUESTION_HOST] = "-yn"[decision->answers[i]];
	ck_assert_str_eq(text, wanted);
}

static const struct {
	const char *method, *host, *path;
	enum reason reason; /* NONE: forwarded */
	const char *answers;
	const char *location; /* or "-" */
} rows[] = {
    /* allowed */
    {"GET", "site.example", "/read", REASON_NONE, "y-yyy---y-", "/read"},
    {"HEAD", "site.example", "/read/x", REASON_NONE, "y-yyy---y-", "/read"},
    {"PUT", "SITE.example:8080", "/read/write", REASON_NONE, "y-yyy---y-",
	"/read/write"},
    {"PURGE", "site.example.", "/purge", REASON_NONE, "y-yyy---y-", "/purge"},
    {"GET", "site.example", "/healthz", REASON_NONE, "y-yyy---y-", "/healthz"},
    {"OPTIONS", "site.example", "/forwards", REASON_NONE, "y-yyy---y-",
	"/forwards"},
    {"UNLINK", "a.b.open.example", "/x", REASON_NONE, "y-yyy---y-", "/"},
    /* question 2 */
    {"GET", "other.example", "/read", REASON_UNKNOWN_HOST, "n---------", "-"},
    {"GET", "open.example", "/", REASON_UNKNOWN_HOST, "n---------", "-"},
    {"GET", "", "/read", REASON_UNKNOWN_HOST, "n---------", "-"},
    {"BREW", "other.example", "/read", REASON_UNKNOWN_HOST, "n---------", "-"},
    {"OPTIONS", "other.example", "*", REASON_UNKNOWN_HOST, "n---------", "-"},
    {"TRACE", "other.example", "/", REASON_UNKNOWN_HOST, "n---------", "-"},
    /* question 4 */
    {"BREW", "site.example", "/read", REASON_METHOD_UNKNOWN, "y-n-------",
	"/read"},
    {"GETX", "site.example", "/read", REASON_METHOD_UNKNOWN, "y-n-------",
	"/read"},
    {"GE", "site.example", "/nowhere", REASON_METHOD_UNKNOWN, "y-n-------",
	"-"},
    {"get", "site.example", "/read", REASON_METHOD_CASE, "y-n-------", "/read"},
    {"Get", "site.example", "/nowhere", REASON_METHOD_CASE, "y-n-------", "-"},
    {"purge", "site.example", "/purge", REASON_METHOD_CASE, "y-n-------",
	"/purge"},
    {"connect", "site.example", "/read", REASON_METHOD_CASE, "y-n-------",
	"/read"},
    {"MKCOL", "site.example", "/read", REASON_METHOD_UNSUPPORTED, "y-n-------",
	"/read"},
    {"LIST", "site.example", "/read", REASON_METHOD_UNSUPPORTED, "y-n-------",
	"/read"},
    {"PURGE", "headless.example", "/", REASON_METHOD_UNKNOWN, "y-n-------",
	"/"},
    {"CONNECT", "a.open.example", "/", REASON_METHOD_UNSUPPORTED, "y-n-------",
	"/"},
    {"CONNECT", "a.open.example", "", REASON_METHOD_UNSUPPORTED, "y-n-------",
	"-"},
    {"TRACE", "a.open.example", "/", REASON_METHOD_UNSUPPORTED, "y-n-------",
	"/"},
    {"PRI", "a.open.example", "/", REASON_METHOD_UNSUPPORTED, "y-n-------",
	"/"},
    /* question 5 */
    {"GET", "site.example", "/", REASON_NO_LOCATION, "y-yn------", "-"},
    {"GET", "site.example", "/readx", REASON_NO_LOCATION, "y-yn------", "-"},
    {"GET", "site.example", "/healthz/", REASON_NO_LOCATION, "y-yn------", "-"},
    {"OPTIONS", "site.example", "/", REASON_NO_LOCATION, "y-yn------", "-"},
    /* question 6 */
    {"PUT", "site.example", "/read", REASON_METHOD_NOT_ALLOWED, "y-yyn-----",
	"/read"},
    {"HEAD", "site.example", "/healthz", REASON_METHOD_NOT_ALLOWED,
	"y-yyn-----", "/healthz"},
    {"GET", "site.example", "/none", REASON_METHOD_NOT_ALLOWED, "y-yyn-----",
	"/none"},
    {"PURGE", "site.example", "/read", REASON_METHOD_NOT_ALLOWED, "y-yyn-----",
	"/read"},
    {"OPTIONS", "site.example", "/read", REASON_METHOD_NOT_ALLOWED,
	"y-yyn-----", "/read"},
    /* answered here */
    {"OPTIONS", "site.example", "/answers", REASON_OPTIONS_ANSWERED,
	"y-yyy---y-", "/answers"},
    {"OPTIONS", "site.example", "*", REASON_OPTIONS_ANSWERED, "y---------",
	"-"},
    {"OPTIONS", "headless.example", "*", REASON_OPTIONS_ANSWERED, "y---------",
	"-"},
    {"GET", "nowhere.example", "/-/ping", REASON_PING, "----------", "-"},
    {"HEAD", "", "/-/ping", REASON_PING, "----------", "-"},
    {"POST", "site.example", "/-/ping", REASON_NO_LOCATION, "y-yn------", "-"},
    {"get", "other.example", "/-/ping", REASON_UNKNOWN_HOST, "n---------", "-"},
    {"GET", "other.example", "/-/ping/", REASON_UNKNOWN_HOST, "n---------",
	"-"},
    {"GET", "site.example", "*", REASON_NO_LOCATION, "y-yn------", "-"},
};

START_TEST(the_first_question_that_fails_answers)
{
	struct decision decision =
	    decide(rows[_i].method, rows[_i].host, rows[_i].path);
	struct slice pattern = SLICE("-");

	ck_assert_msg(decision.reason == rows[_i].reason, "%s %s%s: %s, not %s",
	    rows[_i].method, rows[_i].host, rows[_i].path,
	    reason_word(decision.reason), reason_word(rows[_i].reason));
	ck_assert_int_eq(decision.verdict,
	    decision.reason == REASON_NONE ? VERDICT_FORWARD : VERDICT_ANSWER);
	ck_assert_int_eq(decision.status, reason_status(decision.reason));
	expect_answers(&decision, rows[_i].answers);
	if (decision.location != NULL)
		pattern = decision.location->pattern;
	ck_assert(slice_eq(pattern, slice_of(rows[_i].location)));
	if (decision.verdict == VERDICT_FORWARD)
		ck_assert(decision.site != NULL && decision.location != NULL);
	ck_assert(!decision.has_allow ||
		  decision.reason == REASON_METHOD_NOT_ALLOWED ||
		  decision.reason == REASON_OPTIONS_ANSWERED);
	ck_assert(decision.has_allow || decision.allow == 0);
}
END_TEST

START_TEST(allow_is_the_set_that_decided)
{
	struct decision decision = decide("PUT", "site.example", "/read");

	ck_assert(decision.has_allow && decision.allow == READ);
	decision = decide("GET", "site.example", "/none");
	ck_assert(decision.has_allow && decision.allow == 0);
	decision = decide("OPTIONS", "site.example", "/answers");
	ck_assert(decision.has_allow);
	ck_assert_uint_eq(decision.allow, READ | BIT(OPTIONS));
	decision = decide("OPTIONS", "site.example", "*");
	ck_assert(decision.has_allow);
	ck_assert_uint_eq(decision.allow,
	    READ | BIT(PUT) | BIT(POST) | PURGE | BIT(PROPFIND) | BIT(OPTIONS));
	decision = decide("OPTIONS", "headless.example", "*");
	ck_assert_uint_eq(decision.allow, BIT(POST));
}
END_TEST

START_TEST(flags_say_what_was_noticed)
{
	static const struct {
		const char *method, *host, *path;
		flag_set flags;
	} flagged[] = {
	    {"get", "site.example", "/read", FLAG_BIT(FLAG_METHOD_CASE)},
	    {"lisT", "site.example", "/read", FLAG_BIT(FLAG_METHOD_CASE)},
	    {"Post", "other.example", "/", FLAG_BIT(FLAG_METHOD_CASE)},
	    {"GET", "headless.example", "/", FLAG_BIT(FLAG_CRAWLER_501)},
	    {"HEAD", "headless.example", "/", FLAG_BIT(FLAG_CRAWLER_501)},
	    {"get", "headless.example", "/", FLAG_BIT(FLAG_METHOD_CASE)},
	    {"DELETE", "headless.example", "/", 0},
	    {"GET", "site.example", "/read", 0},
	    {"GET", "site.example", "/none", 0},
	    {"BREW", "site.example", "/read", 0},
	};
	size_t i;

	for (i = 0; i < COUNT(flagged); i++)
		ck_assert_uint_eq(
		    decide(flagged[i].method, flagged[i].host, flagged[i].path)
			.flags,
		    flagged[i].flags);
}
END_TEST

START_TEST(methods_are_numbered_by_the_site)
{
	ck_assert_uint_eq(
	    decide("GET", "site.example", "/read").method, METHOD_GET);
	ck_assert_uint_eq(decide("LIST", "site.example", "/read").method,
	    METHOD_REGISTERED + 1);
	ck_assert_uint_eq(
	    decide("LIST", "headless.example", "/").method, METHOD_NONE);
	ck_assert_uint_eq(
	    decide("get", "site.example", "/read").method, METHOD_NONE);
	ck_assert_uint_eq(decide("GET", "x", "/-/ping").method, METHOD_GET);
	ck_assert_uint_eq(
	    decide("GET", "other.example", "/").method, METHOD_GET);
}
END_TEST

START_TEST(a_length_over_the_limit_is_refused)
{
	static const struct {
		const char *method, *path;
		struct body_plan body;
		enum reason reason;
		enum question_answer answer;
	} bodies[] = {
	    {"POST", "/small", {BODY_NONE, 0}, REASON_NONE, PASSED},
	    {"POST", "/small", {BODY_LENGTH, 100}, REASON_NONE, PASSED},
	    {"POST", "/small", {BODY_LENGTH, 101}, REASON_BODY_TOO_LARGE,
		FAILED},
	    {"POST", "/small", {BODY_LENGTH, UINT64_MAX}, REASON_BODY_TOO_LARGE,
		FAILED},
	    {"POST", "/small", {BODY_CHUNKED, 0}, REASON_NONE, NOT_ASKED},
	    {"POST", "/read/write", {BODY_LENGTH, UINT64_MAX}, REASON_NONE,
		PASSED},
	    {"POST", "/read/write", {BODY_CHUNKED, 0}, REASON_NONE, PASSED},
	    {"OPTIONS", "/answers", {BODY_LENGTH, 10}, REASON_OPTIONS_ANSWERED,
		PASSED},
	    {"OPTIONS", "/answers", {BODY_LENGTH, 11}, REASON_BODY_TOO_LARGE,
		FAILED},
	    {"PUT", "/small", {BODY_LENGTH, 101}, REASON_METHOD_NOT_ALLOWED,
		NOT_ASKED},
	};
	struct decision decision;
	struct head head;
	size_t i;

	for (i = 0; i < COUNT(bodies); i++) {
		head =
		    request(bodies[i].method, "site.example", bodies[i].path);
		decision = decide_head(&head, bodies[i].body);
		ck_assert_int_eq(decision.reason, bodies[i].reason);
		ck_assert_int_eq(
		    decision.answers[QUESTION_BODY_LIMIT], bodies[i].answer);
	}
}
END_TEST

START_TEST(max_forwards_zero_ends_at_the_gate)
{
	static const struct {
		const char *method, *path, *value;
		enum reason reason;
	} limits[] = {
	    {"OPTIONS", "/forwards", "0", REASON_OPTIONS_ANSWERED},
	    {"OPTIONS", "/forwards", "000", REASON_OPTIONS_ANSWERED},
	    {"OPTIONS", "/forwards", "1", REASON_NONE},
	    {"OPTIONS", "/forwards", "10", REASON_NONE},
	    {"OPTIONS", "/forwards", "", REASON_NONE},
	    {"OPTIONS", "/forwards", "0x", REASON_NONE},
	    {"OPTIONS", "/forwards", "-0", REASON_NONE},
	    {"OPTIONS", "/read", "0", REASON_METHOD_NOT_ALLOWED},
	    {"OPTIONS", "/nowhere", "0", REASON_NO_LOCATION},
	    {"GET", "/read", "0", REASON_NONE},
	    {"TRACE", "/read", "0", REASON_METHOD_UNSUPPORTED},
	};
	struct field fields[2] = {
	    {SLICE("Max-Forwards"), SLICE("7"), FIELD_MAX_FORWARDS}};
	struct decision decision;
	struct head head;
	size_t i;

	for (i = 0; i < COUNT(limits); i++) {
		head =
		    request(limits[i].method, "site.example", limits[i].path);
		fields[1] = (struct field){SLICE("max-forwards"),
		    slice_of(limits[i].value), FIELD_MAX_FORWARDS};
		head.fields = fields;
		head.field_count = COUNT(fields);
		decision = decide_head(&head, (struct body_plan){BODY_NONE, 0});
		ck_assert_msg(decision.reason == limits[i].reason,
		    "%s %s Max-Forwards: %s gives %s", limits[i].method,
		    limits[i].path, limits[i].value,
		    reason_word(decision.reason));
	}
}
END_TEST

START_TEST(an_empty_ping_is_off)
{
	struct head head = request("GET", "site.example", "");
	struct policy_facts facts = {.head = &head, .door = door};
	struct decision decision;

	policy_decide(&facts, &decision);
	ck_assert_int_eq(decision.reason, REASON_NO_LOCATION);
}
END_TEST

START_TEST(get_brings_head_and_an_answer_brings_options)
{
	ck_assert_uint_eq(policy_allow_set(BIT(GET), true, false), READ);
	ck_assert_uint_eq(policy_allow_set(BIT(GET), false, false), BIT(GET));
	ck_assert_uint_eq(policy_allow_set(BIT(POST), true, false), BIT(POST));
	ck_assert_uint_eq(policy_allow_set(READ, false, false), READ);
	ck_assert_uint_eq(policy_allow_set(BIT(HEAD), true, false), BIT(HEAD));
	ck_assert_uint_eq(
	    policy_allow_set(BIT(POST), true, true), BIT(POST) | BIT(OPTIONS));
	ck_assert_uint_eq(policy_allow_set(0, true, true), BIT(OPTIONS));
	ck_assert_uint_eq(policy_allow_set(0, true, false), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("policy");
	TCase *tcase = tcase_create("policy");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(
	    tcase, the_first_question_that_fails_answers, 0, (int)COUNT(rows));
	tcase_add_test(tcase, allow_is_the_set_that_decided);
	tcase_add_test(tcase, flags_say_what_was_noticed);
	tcase_add_test(tcase, methods_are_numbered_by_the_site);
	tcase_add_test(tcase, a_length_over_the_limit_is_refused);
	tcase_add_test(tcase, max_forwards_zero_ends_at_the_gate);
	tcase_add_test(tcase, an_empty_ping_is_off);
	tcase_add_test(tcase, get_brings_head_and_an_answer_brings_options);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
