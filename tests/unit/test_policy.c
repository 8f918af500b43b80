/* SPDX-License-Identifier: ISC */
/* The decision: which question fails first, and what the answer carries. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "override_scan.h"
#include "policy.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BIT(id) ((method_set)1 << METHOD_##id)
#define READ (BIT(GET) | BIT(HEAD))
#define DAV                                                                    \
	(READ | BIT(PUT) | BIT(DELETE) | BIT(PROPFIND) | BIT(PROPPATCH) |      \
	    BIT(MKCOL) | BIT(COPY) | BIT(MOVE) | BIT(LOCK))

/* The first own method of the site. */
#define PURGE ((method_set)1 << METHOD_REGISTERED)
#define NOW 1000000

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
/* CONNECT and TRACE stand in this set, as no configuration could say, to show
 * that they are refused all the same. */
static struct location_rules all[] = {
    {.pattern = SLICE("/"), .allow = ~(method_set)0}};
static struct location_rules post_only[] = {
    {.pattern = SLICE("/"), .allow = BIT(POST)}};

/* Whose servers read paths in many ways. */
static struct location_rules read_rules[] = {
    {.pattern = SLICE("/"), .allow = READ | BIT(POST) | BIT(DELETE)},
    {.pattern = SLICE("/admin"), .allow = READ},
    {.pattern = SLICE("/Users"), .allow = READ | BIT(PUT)},
    {.pattern = SLICE("/users"), .allow = READ | BIT(POST)},
    {.pattern = SLICE("/users/*/orders"), .allow = READ},
    {.pattern = SLICE("/exact"), .exact = true, .allow = READ},
    {.pattern = SLICE("/wp"), .allow = READ},
    {.pattern = SLICE("/report"), .allow = READ, .report = true},
};
static struct location_rules slash_rules[] = {
    {.pattern = SLICE("/"), .allow = READ | BIT(POST)},
    {.pattern = SLICE("/dir/"), .allow = READ},
};

static const struct grant grants[] = {
    {.methods = BIT(DELETE) | BIT(LINK), .until = NOW + 10},
    {.methods = BIT(PATCH), .until = NOW - 10},
    {.methods = BIT(PATCH), .until = NOW + 20},
};
/* Who names a method elsewhere; and what else a location may say. */
#define WRITES (READ | BIT(POST) | BIT(PUT) | BIT(OPTIONS))
static struct location_rules app_rules[] = {
    {.pattern = SLICE("/enforce"), .allow = WRITES},
    {.pattern = SLICE("/deny"),
	.allow = WRITES,
	.override = OVERRIDE_MODE_DENY},
    {.pattern = SLICE("/strip"),
	.allow = WRITES,
	.override = OVERRIDE_MODE_STRIP},
    {.pattern = SLICE("/flag"),
	.allow = WRITES,
	.override = OVERRIDE_MODE_FLAG},
    {.pattern = SLICE("/all"), .allow = ~(method_set)0},
    {.pattern = SLICE("/get"),
	.allow = READ | BIT(DELETE) | BIT(POST),
	.deny_body_on_get = true,
	.body_limit = 100},
    {.pattern = SLICE("/lax"), .allow = READ | BIT(DELETE)},
    {.pattern = SLICE("/rewrites"),
	.allow = READ | BIT(PATCH) | BIT(POST),
	.rate = {.number = 1},
	.rewrite_from = METHOD_PATCH,
	.rewrite_to = METHOD_POST},
    {.pattern = SLICE("/grants"),
	.allow = READ,
	.grants = grants,
	.grant_count = COUNT(grants)},
};

static struct location_rules dav_rules[] = {
    {.pattern = SLICE("/app"), .allow = READ | BIT(DELETE) | BIT(POST)},
    {.pattern = SLICE("/app/fixed"), .allow = READ},
    {.pattern = SLICE("/dav"), .allow = DAV | BIT(POST)},
    {.pattern = SLICE("/dav/ro"), .allow = READ | BIT(PROPFIND)},
    {.pattern = SLICE("/dav/deep/*/secret"), .exact = true, .allow = READ},
    {.pattern = SLICE("/dav/free"), .allow = DAV},
    {.pattern = SLICE("/Cased"), .allow = DAV},
    {.pattern = SLICE("/cased/ro"), .allow = READ},
    {.pattern = SLICE("/locks"), .allow = READ | BIT(LOCK) | BIT(PROPPATCH)},
    {.pattern = SLICE("/locks/not"), .allow = READ},
    {.pattern = SLICE("/inbox"), .allow = READ | BIT(PUT)},
    {.pattern = SLICE("/read"), .allow = READ},
    {.pattern = SLICE("/rewrites"),
	.allow = DAV | BIT(POST),
	.rewrite_from = METHOD_POST,
	.rewrite_to = METHOD_DELETE},
    {.pattern = SLICE("/rewrites/ro"), .allow = READ | BIT(POST)},
};

static struct location_rules tree_rules[] = {
    {.pattern = SLICE("/t"), .allow = DAV},
    {.pattern = SLICE("/t/ro"), .allow = READ},
    {.pattern = SLICE("/T/rw"), .allow = DAV},
};

/* Nothing is refused in report mode, but what no mode forwards. */
static struct location_rules report_rules[] = {
    {.pattern = SLICE("/read"),
	.allow = READ | BIT(OPTIONS),
	.report = true,
	.rate = {.number = 1},
	.body_limit = 100,
	.deny_body_on_get = true},
    {.pattern = SLICE("/dav"), .allow = DAV, .report = true},
    {.pattern = SLICE("/dav/ro"), .allow = READ, .report = true},
    {.pattern = SLICE("/deny"),
	.allow = READ | BIT(POST),
	.report = true,
	.override = OVERRIDE_MODE_DENY},
    {.pattern = SLICE("/strip"),
	.allow = READ | BIT(POST),
	.report = true,
	.override = OVERRIDE_MODE_STRIP},
    {.pattern = SLICE("/enforced"), .allow = READ},
};

static struct site_rules site, open_site, headless_site, reads, exact, slashes,
    app, dav, trees, reports, blind;
static struct hosts *door;
static struct arena arena;

static void
fold(struct site_rules *rules, struct location_rules *location)
{
	char *pattern = mem_strndup(location->pattern);
	struct location_rules *first;

	for (char *at = pattern; *at != '\0'; at++)
		if (*at >= 'A' && *at <= 'Z') {
			*at = (char)(*at | 0x20);
			rules->has_upper = true;
		}
	location->folded_next = NULL;
	first = trie_add(
	    rules->folded, slice_of(pattern), location->exact, location);
	free(pattern);
	if (first == NULL)
		return;
	location->folded_next = first->folded_next;
	first->folded_next = location;
}

static void
add(struct site_rules *rules, struct location_rules *location)
{
	struct slice pattern = location->pattern;

	/* What nobody could mean: no rewriting is wanted. */
	if (location->rewrite_from == location->rewrite_to)
		location->rewrite_from = location->rewrite_to = METHOD_NONE;
	trie_add(rules->locations, pattern, location->exact, location);
	fold(rules, location);
	rules->supported |= location->allow;
	if (pattern.len > 1 && pattern.at[pattern.len - 1] == '/')
		rules->has_slash = true;
	for (unsigned i = 0; i < location->grant_count; i++)
		for (unsigned m = 0; m < METHOD_MAX; m++)
			if ((location->grants[i].methods & method_bit(m)) !=
				0 &&
			    location->grants[i].until >
				rules->granted_until[m]) {
				rules->granted |= method_bit(m);
				rules->granted_until[m] =
				    location->grants[i].until;
			}
}

static void
build(struct site_rules *rules, const char *host,
    struct location_rules *location, size_t count)
{
	rules->name = slice_of(host);
	rules->locations = trie_new();
	rules->folded = trie_new();
	for (size_t i = 0; i < count; i++)
		add(rules, &location[i]);
	trie_measure(rules->locations, policy_location_bits);
	trie_measure(rules->folded, policy_location_bits);
	trie_seal(rules->locations);
	trie_seal(rules->folded);
	hosts_add(door, slice_of(host), rules);
}

static void
set_up(void)
{
	static const struct slice params[] = {{"rest_route", 10}};

	arena_init(&arena, NULL);
	door = hosts_new();
	site = (struct site_rules){.own = {2, {SLICE("PURGE"), SLICE("LIST")}}};
	open_site = headless_site = exact = slashes = app = dav = trees =
	    blind = (struct site_rules){.has_slash = false};
	reads = (struct site_rules){
	    .path_params = params, .path_param_count = COUNT(params)};
	reports =
	    (struct site_rules){.report = true, .fallback = &report_rules[0]};
	blind.report = true;
	build(&site, "site.example", locations, COUNT(locations));
	build(&open_site, "*.open.example", all, COUNT(all));
	build(&headless_site, "headless.example", post_only, COUNT(post_only));
	build(&exact, "exact.example", read_rules, COUNT(read_rules));
	trie_free(exact.folded);
	exact.folded = NULL;
	build(&reads, "reads.example", read_rules, COUNT(read_rules));
	build(&slashes, "slash.example", slash_rules, COUNT(slash_rules));
	build(&app, "app.example", app_rules, COUNT(app_rules));
	build(&dav, "dav.example", dav_rules, COUNT(dav_rules));
	build(&trees, "tree.example", tree_rules, COUNT(tree_rules));
	trie_free(trees.folded);
	trees.folded = NULL;
	build(&reports, "report.example", report_rules, COUNT(report_rules));
	build(&blind, "blind.example", report_rules, COUNT(report_rules));
}

static void
tear_down(void)
{
	struct site_rules *const sites[] = {&site, &open_site, &headless_site,
	    &reads, &exact, &slashes, &app, &dav, &trees, &reports, &blind};

	for (size_t i = 0; i < COUNT(sites); i++) {
		trie_free(sites[i]->locations);
		trie_free(sites[i]->folded);
	}
	hosts_free(door);
	arena_done(&arena);
}

/* A request as the message layer hands it over. */
static struct head
request(const char *method, const char *host, const char *target)
{
	struct head head = {.method = slice_of(method),
	    .authority = slice_of(host),
	    .target = slice_of(target),
	    .path = slice_of(target),
	    .minor = 1};
	size_t mark = slice_find(head.target, '?', 0);

	if (mark < head.target.len) {
		head.path.len = mark;
		head.query = (struct slice){
		    target + mark + 1, head.target.len - mark - 1};
	}
	if (strcmp(target, "*") == 0)
		head.form = TARGET_ASTERISK;
	return head;
}

static struct policy_facts
facts_of(const struct head *head, struct body_plan body)
{
	return (struct policy_facts){.head = head,
	    .body = body,
	    .door = door,
	    .ping = SLICE("/-/ping"),
	    .now = NOW,
	    .arena = &arena};
}

static struct decision
decide_head(const struct head *head, struct body_plan body)
{
	struct policy_facts facts = facts_of(head, body);
	struct decision decision;

	memset(&decision, 0x5a, sizeof(decision));
	policy_decide(&facts, &decision);
	return decision;
}

/* Method and target lie flush against pages that can't be read. */
static struct decision
decide(const char *method, const char *host, const char *target)
{
	struct guarded m = guard_bytes(method, strlen(method));
	struct guarded t = guard_bytes(target, strlen(target));
	struct head head = request(method, host, target);
	struct decision decision;

	head.method.at = m.at;
	head.path.at = head.target.at = t.at;
	if (head.query.at != NULL)
		head.query.at = t.at + head.path.len + 1;
	decision = decide_head(&head, (struct body_plan){BODY_NONE, 0});
	guard_free(&m);
	guard_free(&t);
	return decision;
}

/* With up to four fields: name, value, name, value ... */
static struct decision
decide_with(const char *method, const char *host, const char *target,
    const char *const *fields, struct body_plan body)
{
	struct head head = request(method, host, target);
	struct field list[4];

	head.fields = list;
	for (; fields[0] != NULL && fields[1] != NULL; fields += 2) {
		ck_assert_uint_lt(head.field_count, COUNT(list));
		list[head.field_count++] = (struct field){slice_of(fields[0]),
		    slice_of(fields[1]), field_find(slice_of(fields[0]))};
	}
	return decide_head(&head, body);
}
#define FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL, NULL})
#define NO_FIELDS ((const char *const[]){NULL, NULL})
#define NO_BODY ((struct body_plan){BODY_NONE, 0})

static void
expect_reason(const struct decision *decision, enum reason reason,
    const char *method, const char *target)
{
	ck_assert_msg(decision->reason == reason, "%s %s: %s, not %s", method,
	    target, reason_word(decision->reason), reason_word(reason));
	if (reason == REASON_NONE)
		ck_assert_int_ne(decision->verdict, VERDICT_ANSWER);
	else
		ck_assert_int_eq(decision->verdict, VERDICT_ANSWER);
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
    {"GET", "site.example", "/read", REASON_NONE, "yyyyyy--y-", "/read"},
    {"HEAD", "site.example", "/read/x", REASON_NONE, "yyyyyy--y-", "/read"},
    {"PUT", "SITE.example:8080", "/read/write", REASON_NONE, "yyyyyy--y-",
	"/read/write"},
    {"PURGE", "site.example.", "/purge", REASON_NONE, "yyyyyy--y-", "/purge"},
    {"GET", "site.example", "/healthz", REASON_NONE, "yyyyyy--y-", "/healthz"},
    {"OPTIONS", "site.example", "/forwards", REASON_NONE, "yyyyyy--y-",
	"/forwards"},
    {"UNLINK", "a.b.open.example", "/x", REASON_NONE, "yyyyyy--y-", "/"},
    /* question 2 */
    {"GET", "other.example", "/read", REASON_UNKNOWN_HOST, "n---------", "-"},
    {"GET", "open.example", "/", REASON_UNKNOWN_HOST, "n---------", "-"},
    {"GET", "", "/read", REASON_UNKNOWN_HOST, "n---------", "-"},
    {"BREW", "other.example", "/read", REASON_UNKNOWN_HOST, "n---------", "-"},
    {"OPTIONS", "other.example", "*", REASON_UNKNOWN_HOST, "n---------", "-"},
    {"TRACE", "other.example", "/", REASON_UNKNOWN_HOST, "n---------", "-"},
    /* question 4 */
    {"BREW", "site.example", "/read", REASON_METHOD_UNKNOWN, "yyn-------",
	"/read"},
    {"GETX", "site.example", "/read", REASON_METHOD_UNKNOWN, "yyn-------",
	"/read"},
    {"GE", "site.example", "/nowhere", REASON_METHOD_UNKNOWN, "yyn-------",
	"-"},
    {"get", "site.example", "/read", REASON_METHOD_CASE, "yyn-------", "/read"},
    {"Get", "site.example", "/nowhere", REASON_METHOD_CASE, "yyn-------", "-"},
    {"purge", "site.example", "/purge", REASON_METHOD_CASE, "yyn-------",
	"/purge"},
    {"connect", "site.example", "/read", REASON_METHOD_CASE, "yyn-------",
	"/read"},
    {"MKCOL", "site.example", "/read", REASON_METHOD_UNSUPPORTED, "yyn-------",
	"/read"},
    {"LIST", "site.example", "/read", REASON_METHOD_UNSUPPORTED, "yyn-------",
	"/read"},
    {"PURGE", "headless.example", "/", REASON_METHOD_UNKNOWN, "yyn-------",
	"/"},
    {"CONNECT", "a.open.example", "/", REASON_METHOD_UNSUPPORTED, "yyn-------",
	"/"},
    {"CONNECT", "a.open.example", "", REASON_METHOD_UNSUPPORTED, "yyn-------",
	"-"},
    {"TRACE", "a.open.example", "/", REASON_METHOD_UNSUPPORTED, "yyn-------",
	"/"},
    {"PRI", "a.open.example", "/", REASON_METHOD_UNSUPPORTED, "yyn-------",
	"/"},
    /* question 5 */
    {"GET", "site.example", "/", REASON_NO_LOCATION, "yyyn------", "-"},
    {"GET", "site.example", "/readx", REASON_NO_LOCATION, "yyyn------", "-"},
    {"GET", "site.example", "/healthz/", REASON_NO_LOCATION, "yyyn------", "-"},
    {"OPTIONS", "site.example", "/", REASON_NO_LOCATION, "yyyn------", "-"},
    /* question 6 */
    {"PUT", "site.example", "/read", REASON_METHOD_NOT_ALLOWED, "yyyyn-----",
	"/read"},
    {"HEAD", "site.example", "/healthz", REASON_METHOD_NOT_ALLOWED,
	"yyyyn-----", "/healthz"},
    {"GET", "site.example", "/none", REASON_METHOD_NOT_ALLOWED, "yyyyn-----",
	"/none"},
    {"PURGE", "site.example", "/read", REASON_METHOD_NOT_ALLOWED, "yyyyn-----",
	"/read"},
    {"OPTIONS", "site.example", "/read", REASON_METHOD_NOT_ALLOWED,
	"yyyyn-----", "/read"},
    /* answered here */
    {"OPTIONS", "site.example", "/answers", REASON_OPTIONS_ANSWERED,
	"yyyyyy--y-", "/answers"},
    {"OPTIONS", "site.example", "*", REASON_OPTIONS_ANSWERED, "y---------",
	"-"},
    {"OPTIONS", "headless.example", "*", REASON_OPTIONS_ANSWERED, "y---------",
	"-"},
    {"GET", "nowhere.example", "/-/ping", REASON_PING, "----------", "-"},
    {"HEAD", "", "/-/ping", REASON_PING, "----------", "-"},
    {"POST", "site.example", "/-/ping", REASON_NO_LOCATION, "yyyn------", "-"},
    {"get", "other.example", "/-/ping", REASON_UNKNOWN_HOST, "n---------", "-"},
    {"GET", "other.example", "/-/ping/", REASON_UNKNOWN_HOST, "n---------",
	"-"},
    {"GET", "site.example", "*", REASON_NO_LOCATION, "yyyn------", "-"},
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
	struct policy_facts facts = {
	    .head = &head, .door = door, .arena = &arena};
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

/* ---- question 3: readings ---- */

static const struct {
	const char *method, *host, *target;
	enum reason reason;
	const char *reading; /* that narrowed the set, or "-" */
	bool flagged;	     /* path_reading */
} readings[] = {
    /* hostile ones must stay where they are */
    {"GET", "reads", "/%61dmin", REASON_PATH_AMBIGUOUS, "/admin", false},
    {"GET", "reads", "/%2561dmin", REASON_PATH_AMBIGUOUS, "/admin", false},
    {"GET", "reads", "/x/../admin", REASON_PATH_AMBIGUOUS, "/admin", false},
    {"GET", "reads", "/x/%2e%2e/admin", REASON_PATH_AMBIGUOUS, "/admin", false},
    {"GET", "reads", "/x%2f..%2fadmin", REASON_PATH_AMBIGUOUS, "/admin", false},
    {"GET", "reads", "/x\\..\\admin", REASON_PATH_AMBIGUOUS, "/admin", false},
    {"GET", "reads", "/x/..;/admin", REASON_PATH_AMBIGUOUS, "/admin", false},
    {"GET", "reads", "/admin;x=1", REASON_PATH_AMBIGUOUS, "/admin", false},
    {"GET", "reads", "//admin", REASON_PATH_AMBIGUOUS, "/admin", false},
    {"GET", "reads", "//host/admin", REASON_PATH_AMBIGUOUS, "/admin", false},
    {"GET", "reads", "/admin/..", REASON_PATH_AMBIGUOUS, "/", false},
    {"GET", "exact", "/users/a%2fb/%6frders", REASON_PATH_AMBIGUOUS,
	"/users/*/orders", false},
    {"TRACE", "reads", "//admin", REASON_PATH_AMBIGUOUS, "/admin", false},
    {"BREW", "reads", "//admin", REASON_PATH_AMBIGUOUS, "/admin", false},
    {"GET", "reads", "/x/../admin?q", REASON_PATH_AMBIGUOUS, "/admin", false},
    {"GET", "site", "/%72ead", REASON_PATH_AMBIGUOUS, "/read", false},
    {"GET", "site", "/read/%2e%2e/nowhere", REASON_PATH_AMBIGUOUS, "-", false},
    {"GET", "reads", "/a%00", REASON_PATH_AMBIGUOUS, "-", false},
    {"GET", "reads", "/%u0061", REASON_PATH_AMBIGUOUS, "-", false},
    {"GET", "reads", "/%c0%af", REASON_PATH_AMBIGUOUS, "-", false},
    {"GET", "reads", "/a\\b//c;d/./%41", REASON_PATH_AMBIGUOUS, "-", false},
    {"DELETE", "reads", "/a/../b//c%20d", REASON_NONE, "-", false},
    {"DELETE", "reads", "/a/?x=/../admin", REASON_NONE, "-", false},
    {"GET", "reads", "/admin/%61//b;c", REASON_NONE, "-", false},
    {"GET", "site", "/nowhere/%41", REASON_NO_LOCATION, "-", false},
    {"GET", "reads", "*", REASON_NO_LOCATION, "-", false},
    /* benign ones must take the method too */
    {"DELETE", "reads", "/admin.json", REASON_METHOD_NOT_ALLOWED, "/admin",
	true},
    {"GET", "reads", "/admin.json", REASON_NONE, "/admin", true},
    {"DELETE", "reads", "/admin.", REASON_METHOD_NOT_ALLOWED, "/admin", true},
    {"DELETE", "reads", "/admin./x", REASON_METHOD_NOT_ALLOWED, "/admin", true},
    {"DELETE", "reads", "/admin%20", REASON_METHOD_NOT_ALLOWED, "/admin", true},
    {"DELETE", "reads", "/admin.a.", REASON_METHOD_NOT_ALLOWED, "/admin", true},
    {"DELETE", "reads", "/exact/", REASON_METHOD_NOT_ALLOWED, "/exact", true},
    {"DELETE", "reads", "/exact.json/", REASON_METHOD_NOT_ALLOWED, "/exact",
	true},
    {"DELETE", "reads", "/other.json", REASON_NONE, "-", false},
    {"POST", "slash", "/dir", REASON_METHOD_NOT_ALLOWED, "/dir/", true},
    {"POST", "slash", "/dir/", REASON_METHOD_NOT_ALLOWED, "-", true},
    {"POST", "slash", "/dirt", REASON_NONE, "-", false},
    {"GET", "site", "/healthz/", REASON_NO_LOCATION, "-", true},
    /* letter case, unless path_case = exact */
    {"DELETE", "reads", "/Admin", REASON_METHOD_NOT_ALLOWED, "/admin", true},
    {"GET", "reads", "/aDMIN/X", REASON_NONE, "/admin", true},
    {"DELETE", "reads", "/ADMIN.Json", REASON_METHOD_NOT_ALLOWED, "/admin",
	true},
    {"DELETE", "reads", "/OTHER", REASON_NONE, "-", false},
    {"POST", "reads", "/users/1", REASON_METHOD_NOT_ALLOWED, "/Users", true},
    {"PUT", "reads", "/Users/1", REASON_METHOD_NOT_ALLOWED, "/users", true},
    {"POST", "reads", "/USERS/1", REASON_METHOD_NOT_ALLOWED, "/Users", true},
    {"PUT", "reads", "/Users/1/ORDERS", REASON_METHOD_NOT_ALLOWED,
	"/users/*/orders", true},
    {"DELETE", "exact", "/Admin", REASON_NONE, "-", false},
    {"POST", "exact", "/users/1", REASON_NONE, "-", false},
    {"PUT", "exact", "/Users/1", REASON_NONE, "-", false},
    {"DELETE", "exact", "/admin.json", REASON_METHOD_NOT_ALLOWED, "/admin",
	true},
    /* path_params */
    {"DELETE", "reads", "/?rest_route=/admin", REASON_METHOD_NOT_ALLOWED,
	"/admin", true},
    {"DELETE", "reads", "/?rest_route=admin/x", REASON_METHOD_NOT_ALLOWED,
	"/admin", true},
    {"DELETE", "reads", "/?a=b&rest_route=%2Fadmin", REASON_METHOD_NOT_ALLOWED,
	"/admin", true},
    {"DELETE", "reads", "/?%72est%5froute=/%61dmin", REASON_METHOD_NOT_ALLOWED,
	"/admin", true},
    {"DELETE", "reads", "/?rest.route=/admin", REASON_METHOD_NOT_ALLOWED,
	"/admin", true},
    {"DELETE", "reads", "/?+rest+route=/admin", REASON_METHOD_NOT_ALLOWED,
	"/admin", true},
    {"DELETE", "reads", "/?rest_route[]=/admin", REASON_METHOD_NOT_ALLOWED,
	"/admin", true},
    {"DELETE", "reads", "/?rest_route%00x=/admin", REASON_METHOD_NOT_ALLOWED,
	"/admin", true},
    {"DELETE", "reads", "/?Rest_Route=/Admin", REASON_METHOD_NOT_ALLOWED,
	"/admin", true},
    {"DELETE", "reads", "/?x;rest_route=/admin;y", REASON_METHOD_NOT_ALLOWED,
	"/admin", true},
    {"DELETE", "reads", "/?rest_route=/x&rest_route=/wp&rest_route=/x",
	REASON_METHOD_NOT_ALLOWED, "/wp", true},
    {"DELETE", "reads", "/?rest_route=/a/%252e%252e/admin",
	REASON_METHOD_NOT_ALLOWED, "/admin", true},
    {"GET", "reads", "/admin/?rest_route=/wp", REASON_NONE, "-", true},
    {"GET", "reads", "/?rest_route=/a%00", REASON_PATH_AMBIGUOUS, "-", false},
    {"GET", "reads", "/?rest_route=a%00", REASON_PATH_AMBIGUOUS, "-", false},
    {"GET", "reads", "/?rest_route=/%25c0%25af", REASON_PATH_AMBIGUOUS, "-",
	false},
    {"DELETE", "reads", "/?rest_route=/x%2541", REASON_NONE, "-", false},
    {"DELETE", "reads", "/?rest_route=&rest_route", REASON_NONE, "-", false},
    {"DELETE", "reads", "/?rest_rout=/admin", REASON_NONE, "-", false},
    {"DELETE", "reads", "/?rest_routes=/admin", REASON_NONE, "-", false},
    {"DELETE", "reads", "/?=/admin&&;&=", REASON_NONE, "-", false},
    {"DELETE", "exact", "/?rest_route=/admin", REASON_NONE, "-", false},
};

START_TEST(every_reading_of_the_path_is_judged)
{
	char host[64];
	struct decision decision;
	struct slice pattern = SLICE("-");

	snprintf(host, sizeof(host), "%s.example", readings[_i].host);
	decision = decide(readings[_i].method, host, readings[_i].target);
	expect_reason(&decision, readings[_i].reason, readings[_i].method,
	    readings[_i].target);
	if (decision.reading != NULL)
		pattern = decision.reading->pattern;
	ck_assert_msg(slice_eq(pattern, slice_of(readings[_i].reading)),
	    "%s %s is narrowed by %.*s", readings[_i].method,
	    readings[_i].target, SLICE_ARG(pattern));
	ck_assert_int_eq((decision.flags & FLAG_BIT(FLAG_PATH_READING)) != 0,
	    readings[_i].flagged);
	if (decision.reason == REASON_PATH_AMBIGUOUS)
		expect_answers(&decision, "yn--------");
}
END_TEST

START_TEST(allow_is_what_all_readings_take)
{
	struct decision decision =
	    decide("DELETE", "reads.example", "/admin.json");

	ck_assert(decision.has_allow && decision.allow == READ);
	ck_assert(slice_eq(decision.location->pattern, SLICE("/")));
	decision = decide("PATCH", "app.example", "/enforce.json");
	ck_assert(decision.has_allow == false);
	decision = decide("PUT", "reads.example", "/Users/1");
	ck_assert(decision.has_allow && decision.allow == READ);
	decision = decide("PUT", "exact.example", "/users/1");
	ck_assert_uint_eq(decision.allow, READ | BIT(POST));
}
END_TEST

/* ---- questions 7 and 11: methods named elsewhere ---- */

#define X "X-HTTP-Method-Override"

static const struct {
	const char *method, *target, *value; /* of the field, or NULL */
	enum reason reason;
	flag_set flags;
	bool strip;
} overrides[] = {
    {"POST", "/enforce", "PUT", REASON_NONE, FLAG_BIT(FLAG_OVERRIDE_HEADER),
	false},
    {"POST", "/enforce", "put", REASON_NONE, FLAG_BIT(FLAG_OVERRIDE_HEADER),
	false},
    {"POST", "/enforce", "POST", REASON_NONE, FLAG_BIT(FLAG_OVERRIDE_HEADER),
	false},
    {"POST", "/enforce", "PUT, PUT", REASON_NONE,
	FLAG_BIT(FLAG_OVERRIDE_HEADER), false},
    {"POST", "/enforce", "", REASON_NONE, 0, false},
    {"GET", "/enforce?_method=GET", NULL, REASON_NONE,
	FLAG_BIT(FLAG_OVERRIDE_QUERY), false},
    {"GET", "/enforce?_method=PUT", "PUT", REASON_NONE,
	FLAG_BIT(FLAG_OVERRIDE_QUERY) | FLAG_BIT(FLAG_OVERRIDE_HEADER), false},
    {"GET", "/enforce?x=_method", NULL, REASON_NONE, 0, false},
    {"POST", "/enforce", "DELETE", REASON_OVERRIDE_NOT_ALLOWED,
	FLAG_BIT(FLAG_OVERRIDE_HEADER), false},
    {"GET", "/enforce", "DELETE", REASON_OVERRIDE_NOT_ALLOWED,
	FLAG_BIT(FLAG_OVERRIDE_HEADER), false},
    {"OPTIONS", "/enforce", "DELETE", REASON_OVERRIDE_NOT_ALLOWED,
	FLAG_BIT(FLAG_OVERRIDE_HEADER), false},
    {"POST", "/enforce", "PUT,DELETE", REASON_OVERRIDE_NOT_ALLOWED,
	FLAG_BIT(FLAG_OVERRIDE_HEADER), false},
    {"POST", "/enforce", "BREW", REASON_OVERRIDE_NOT_ALLOWED,
	FLAG_BIT(FLAG_OVERRIDE_HEADER), false},
    {"POST", "/enforce", "PUTPUTPUTPUTPUTPUTPUTPUTPUTPUTPUTPUT",
	REASON_OVERRIDE_NOT_ALLOWED, FLAG_BIT(FLAG_OVERRIDE_HEADER), false},
    {"GET", "/enforce?_method=DELETE", NULL, REASON_OVERRIDE_NOT_ALLOWED,
	FLAG_BIT(FLAG_OVERRIDE_QUERY), false},
    {"POST", "/enforce?_method=POST", "PUT", REASON_OVERRIDE_CONFLICT,
	FLAG_BIT(FLAG_OVERRIDE_QUERY) | FLAG_BIT(FLAG_OVERRIDE_HEADER), false},
    {"POST", "/enforce", "PUT, POST", REASON_OVERRIDE_CONFLICT,
	FLAG_BIT(FLAG_OVERRIDE_HEADER), false},
    /* What no list can hold is not allowed here either. */
    {"GET", "/all", "UNLINK", REASON_NONE, FLAG_BIT(FLAG_OVERRIDE_HEADER),
	false},
    {"GET", "/all", "TRACE", REASON_OVERRIDE_NOT_ALLOWED,
	FLAG_BIT(FLAG_OVERRIDE_HEADER), false},
    {"GET", "/all?_method=CONNECT", NULL, REASON_OVERRIDE_NOT_ALLOWED,
	FLAG_BIT(FLAG_OVERRIDE_QUERY), false},
    {"POST", "/deny", NULL, REASON_NONE, 0, false},
    {"POST", "/deny", "PUT", REASON_OVERRIDE_NOT_ALLOWED,
	FLAG_BIT(FLAG_OVERRIDE_HEADER), false},
    {"GET", "/deny?_method=GET", NULL, REASON_OVERRIDE_NOT_ALLOWED,
	FLAG_BIT(FLAG_OVERRIDE_QUERY), false},
    {"POST", "/strip", "DELETE", REASON_NONE, FLAG_BIT(FLAG_OVERRIDE_HEADER),
	true},
    {"POST", "/strip", "DELETE, PUT, BREW", REASON_NONE,
	FLAG_BIT(FLAG_OVERRIDE_HEADER), true},
    {"POST", "/strip", NULL, REASON_NONE, 0, false},
    {"GET", "/strip?_method=GET", NULL, REASON_OVERRIDE_NOT_ALLOWED,
	FLAG_BIT(FLAG_OVERRIDE_QUERY), true},
    {"GET", "/strip?_method=GET", "DELETE", REASON_OVERRIDE_NOT_ALLOWED,
	FLAG_BIT(FLAG_OVERRIDE_QUERY) | FLAG_BIT(FLAG_OVERRIDE_HEADER), true},
    {"POST", "/flag", "DELETE, BREW", REASON_NONE,
	FLAG_BIT(FLAG_OVERRIDE_HEADER), false},
    {"GET", "/flag?_method=DELETE", "PUT", REASON_NONE,
	FLAG_BIT(FLAG_OVERRIDE_QUERY) | FLAG_BIT(FLAG_OVERRIDE_HEADER), false},
    /* Earlier questions come first. */
    {"DELETE", "/flag", "PUT", REASON_METHOD_NOT_ALLOWED, 0, false},
};

START_TEST(methods_in_header_and_query_are_judged)
{
	struct decision decision = decide_with(overrides[_i].method,
	    "app.example", overrides[_i].target,
	    FIELDS(overrides[_i].value != NULL ? X : NULL, overrides[_i].value),
	    NO_BODY);

	expect_reason(&decision, overrides[_i].reason, overrides[_i].method,
	    overrides[_i].target);
	ck_assert_uint_eq(decision.flags, overrides[_i].flags);
	ck_assert_int_eq(decision.strip, overrides[_i].strip);
	if (decision.reason == REASON_OVERRIDE_NOT_ALLOWED ||
	    decision.reason == REASON_OVERRIDE_CONFLICT)
		expect_answers(&decision, "yyyyyn----");
	else if (decision.reason == REASON_NONE)
		expect_answers(&decision, "yyyyyy--y-");
}
END_TEST

#define FORM "application/x-www-form-urlencoded"
#define JSON "application/json"

/* As an exchange goes about it: the body is scanned if the decision says so. */
static struct decision
decide_scanned(const char *method, const char *host, const char *target,
    const char *const *fields, const char *body)
{
	struct body_plan plan = {BODY_LENGTH, strlen(body)};
	struct decision decision =
	    decide_with(method, host, target, fields, plan);
	struct head head = request(method, host, target);
	struct policy_facts facts = facts_of(&head, plan);
	struct override_set found = {.count = 0};
	struct override_scan scan;
	struct field list[4];

	ck_assert_int_eq(decision.hold, decision.verdict == VERDICT_NEED_BODY);
	if (!decision.scan)
		return decision;
	ck_assert_int_eq(decision.answers[QUESTION_BODY_OVERRIDE], NOT_ASKED);
	head.fields = list;
	for (; fields[0] != NULL && fields[1] != NULL; fields += 2)
		list[head.field_count++] = (struct field){slice_of(fields[0]),
		    slice_of(fields[1]), field_find(slice_of(fields[0]))};
	ck_assert_int_eq(override_scan_init(&scan, &head), OVERRIDE_BODY_SCAN);
	override_scan_feed(&scan, slice_of(body), &found);
	override_scan_end(&scan, &found);
	policy_decide_body(&facts, &found, &decision);
	ck_assert_int_ne(decision.answers[QUESTION_BODY_OVERRIDE], NOT_ASKED);
	return decision;
}

static const struct {
	const char *method, *target, *type, *coding, *value, *body;
	enum reason reason;
	flag_set flags;
	const char *answers;
} bodies[] = {
    {"POST", "/enforce", FORM, NULL, NULL, "a=b&_method=PUT", REASON_NONE,
	FLAG_BIT(FLAG_OVERRIDE_BODY), "yyyyyy--yy"},
    {"POST", "/enforce", FORM, NULL, NULL, "a=b", REASON_NONE, 0, "yyyyyy--yy"},
    {"POST", "/enforce", NULL, NULL, NULL, "_method=DELETE",
	REASON_OVERRIDE_NOT_ALLOWED, FLAG_BIT(FLAG_OVERRIDE_BODY),
	"yyyyyy--yn"},
    {"POST", "/enforce", FORM, NULL, NULL, "a=b&_method=DELETE",
	REASON_OVERRIDE_NOT_ALLOWED, FLAG_BIT(FLAG_OVERRIDE_BODY),
	"yyyyyy--yn"},
    {"PUT", "/enforce", JSON, NULL, NULL, "{\"_method\":\"delete\"}",
	REASON_OVERRIDE_NOT_ALLOWED, FLAG_BIT(FLAG_OVERRIDE_BODY),
	"yyyyyy--yn"},
    {"POST", "/enforce", FORM, NULL, "PUT", "_method=PUT", REASON_NONE,
	FLAG_BIT(FLAG_OVERRIDE_BODY) | FLAG_BIT(FLAG_OVERRIDE_HEADER),
	"yyyyyy--yy"},
    {"POST", "/enforce", FORM, NULL, "PUT", "_method=POST",
	REASON_OVERRIDE_CONFLICT,
	FLAG_BIT(FLAG_OVERRIDE_BODY) | FLAG_BIT(FLAG_OVERRIDE_HEADER),
	"yyyyyy--yn"},
    {"POST", "/enforce", FORM, NULL, "DELETE", "a=b",
	REASON_OVERRIDE_NOT_ALLOWED, FLAG_BIT(FLAG_OVERRIDE_HEADER),
	"yyyyyn----"},
    {"POST", "/deny", FORM, NULL, NULL, "_method=POST",
	REASON_OVERRIDE_NOT_ALLOWED, FLAG_BIT(FLAG_OVERRIDE_BODY),
	"yyyyyy--yn"},
    {"POST", "/deny", FORM, NULL, NULL, "a=b", REASON_NONE, 0, "yyyyyy--yy"},
    {"POST", "/strip", FORM, NULL, NULL, "_method=POST",
	REASON_OVERRIDE_NOT_ALLOWED, FLAG_BIT(FLAG_OVERRIDE_BODY),
	"yyyyyy--yn"},
    {"POST", "/strip", FORM, NULL, "DELETE", "a=b", REASON_NONE,
	FLAG_BIT(FLAG_OVERRIDE_HEADER), "yyyyyy--yy"},
    {"POST", "/flag", FORM, NULL, NULL, "_method=DELETE", REASON_NONE,
	FLAG_BIT(FLAG_OVERRIDE_BODY), "yyyyyy--yy"},
    /* nothing can be an override */
    {"POST", "/enforce", "text/plain", NULL, NULL, "_method=DELETE",
	REASON_NONE, 0, "yyyyyy--y-"},
    {"POST", "/enforce", "image/png", "gzip", NULL, "x", REASON_NONE, 0,
	"yyyyyy--y-"},
    /* it could, but nobody here can tell */
    {"POST", "/enforce", FORM, "gzip", NULL, "x", REASON_OVERRIDE_UNREADABLE, 0,
	"yyyyyy--yn"},
    {"POST", "/deny", FORM, "gzip", NULL, "x", REASON_OVERRIDE_UNREADABLE, 0,
	"yyyyyy--yn"},
    {"POST", "/strip", FORM, "gzip", NULL, "x", REASON_OVERRIDE_UNREADABLE, 0,
	"yyyyyy--yn"},
    {"POST", "/flag", FORM, "gzip", NULL, "x", REASON_NONE, 0, "yyyyyy--y-"},
    /* batches */
    {"POST", "/deny", "multipart/mixed; boundary=b", NULL, NULL, "--b--",
	REASON_OVERRIDE_NOT_ALLOWED, FLAG_BIT(FLAG_BATCH_BODY), "yyyyyy--yn"},
    {"POST", "/flag", "application/http", NULL, NULL, "x", REASON_NONE,
	FLAG_BIT(FLAG_BATCH_BODY), "yyyyyy--y-"},
    {"POST", "/enforce", "application/http", NULL, NULL, "x", REASON_NONE,
	FLAG_BIT(FLAG_BATCH_BODY), "yyyyyy--y-"},
};

START_TEST(methods_in_bodies_are_judged)
{
	const char *fields[8] = {0};
	size_t n = 0;
	struct decision decision;

	if (bodies[_i].type != NULL) {
		fields[n++] = "Content-Type";
		fields[n++] = bodies[_i].type;
	}
	if (bodies[_i].coding != NULL) {
		fields[n++] = "Content-Encoding";
		fields[n++] = bodies[_i].coding;
	}
	if (bodies[_i].value != NULL) {
		fields[n++] = X;
		fields[n++] = bodies[_i].value;
	}
	decision = decide_scanned(bodies[_i].method, "app.example",
	    bodies[_i].target, fields, bodies[_i].body);
	expect_reason(
	    &decision, bodies[_i].reason, bodies[_i].body, bodies[_i].target);
	ck_assert_int_ne(decision.verdict, VERDICT_NEED_BODY);
	ck_assert_uint_eq(decision.flags, bodies[_i].flags);
	ck_assert(decision.allow == 0 && !decision.has_allow);
	expect_answers(&decision, bodies[_i].answers);
}
END_TEST

START_TEST(a_body_is_held_until_it_is_read)
{
	const char *const *form = FIELDS("Content-Type", FORM);
	struct body_plan plan = {BODY_CHUNKED, 0};
	struct decision decision =
	    decide_with("POST", "app.example", "/enforce", form, plan);

	ck_assert_int_eq(decision.verdict, VERDICT_NEED_BODY);
	ck_assert(decision.scan && decision.hold);
	decision = decide_with("POST", "app.example", "/flag", form, plan);
	ck_assert_int_eq(decision.verdict, VERDICT_FORWARD);
	ck_assert(decision.scan && !decision.hold);
	decision =
	    decide_with("POST", "app.example", "/enforce", form, NO_BODY);
	ck_assert_int_eq(decision.verdict, VERDICT_FORWARD);
	ck_assert(!decision.scan && !decision.hold);
	decision = decide_with("PATCH", "app.example", "/enforce", form, plan);
	ck_assert_int_eq(decision.verdict, VERDICT_ANSWER);
	ck_assert(!decision.scan && !decision.hold);
}
END_TEST

/* A row of the table with this place. */
static enum override
row_of(enum override_place place)
{
	unsigned row = 0;

	while (override_row((enum override)row)->place != place)
		row++;
	return (enum override)row;
}

static struct decision
decide_found(const char *target, const struct override_set *found)
{
	const char *const *form =
	    FIELDS("Content-Type", FORM, X, "POST", X, "POST");
	struct body_plan plan = {BODY_CHUNKED, 0};
	struct head head = request("POST", "app.example", target);
	struct policy_facts facts = facts_of(&head, plan);
	struct decision decision =
	    decide_with("POST", "app.example", target, form, plan);

	policy_decide_body(&facts, found, &decision);
	return decision;
}

START_TEST(a_body_that_turns_out_unreadable_is_refused)
{
	struct override_set found = {.unreadable = true};

	ck_assert_int_eq(decide_found("/enforce", &found).reason,
	    REASON_OVERRIDE_UNREADABLE);
	ck_assert_int_eq(
	    decide_found("/strip", &found).reason, REASON_OVERRIDE_UNREADABLE);
	ck_assert_int_eq(decide_found("/flag", &found).reason, REASON_NONE);
	found.unreadable = false;
	ck_assert_int_eq(decide_found("/enforce", &found).reason, REASON_NONE);
}
END_TEST

START_TEST(more_names_than_are_kept_are_a_conflict)
{
	struct override_set found = {.count = OVERRIDE_TOKENS};
	unsigned i;

	for (i = 0; i < OVERRIDE_TOKENS; i++)
		found.token[i] = (struct override_token){
		    .row = row_of(OVERRIDE_FORM), .len = 4, .token = "POST"};
	ck_assert_int_eq(
	    decide_found("/enforce", &found).reason, REASON_OVERRIDE_CONFLICT);
	found.count--;
	ck_assert_int_eq(decide_found("/enforce", &found).reason, REASON_NONE);
	found.full = true;
	ck_assert_int_eq(
	    decide_found("/enforce", &found).reason, REASON_OVERRIDE_CONFLICT);
}
END_TEST

START_TEST(a_token_that_was_cut_is_no_method)
{
	struct override_set found = {.count = 1,
	    .token = {{.row = row_of(OVERRIDE_FORM),
		.len = 4,
		.cut = true,
		.token = "POST"}}};

	ck_assert_int_eq(decide_found("/enforce", &found).reason,
	    REASON_OVERRIDE_NOT_ALLOWED);
	ck_assert_int_eq(decide_found("/flag", &found).reason, REASON_NONE);
}
END_TEST

START_TEST(other_paths_in_fields_are_flagged)
{
	static const char *const names[] = {"X-Original-URL", "x-rewrite-url",
	    "X_Original_URL", "X-Rewrite_Url"};
	struct decision decision;
	size_t i;

	for (i = 0; i < COUNT(names); i++) {
		decision = decide_with("GET", "app.example", "/enforce",
		    FIELDS(names[i], "/admin"), NO_BODY);
		ck_assert_int_eq(decision.reason, REASON_NONE);
		ck_assert_uint_eq(decision.flags, FLAG_BIT(FLAG_PATH_OVERRIDE));
	}
	decision = decide_with("GET", "app.example", "/enforce",
	    FIELDS("X-Original-URI", "/admin", "X-Rewrite-URLs", "/"), NO_BODY);
	ck_assert_uint_eq(decision.flags, 0);
}
END_TEST

/* ---- question 8: WebDAV ---- */

static const struct {
	const char *method, *target, *destination, *depth;
	enum reason reason;
	char answer; /* of question 8 */
} davs[] = {
    /* where to */
    {"MOVE", "/dav/a", "/dav/b", NULL, REASON_NONE, 'y'},
    {"MOVE", "/dav/a", "http://dav.example/dav/b", NULL, REASON_NONE, 'y'},
    {"MOVE", "/dav/a", "HTTPS://DAV.example.:8443/dav/b", NULL, REASON_NONE,
	'y'},
    {"COPY", "/dav/a", "/inbox/b", NULL, REASON_NONE, 'y'},
    {"COPY", "/dav/a", "/inbox/b%20c", "0", REASON_NONE, 'y'},
    {"MOVE", "/dav/a", NULL, NULL, REASON_NONE, 'y'},
    {"COPY", "/dav/a", "/read/b", NULL, REASON_DESTINATION_NOT_ALLOWED, 'n'},
    {"COPY", "/dav/a", "/nowhere", NULL, REASON_DESTINATION_NOT_ALLOWED, 'n'},
    {"COPY", "/dav/a", "/", NULL, REASON_DESTINATION_NOT_ALLOWED, 'n'},
    {"MOVE", "/dav/a", "http://evil.example/dav/b", NULL,
	REASON_DESTINATION_NOT_ALLOWED, 'n'},
    {"MOVE", "/dav/a", "http://reads.example/dav/b", NULL,
	REASON_DESTINATION_NOT_ALLOWED, 'n'},
    {"MOVE", "/dav/a", "http://a@dav.example/dav/b", NULL,
	REASON_DESTINATION_NOT_ALLOWED, 'n'},
    {"MOVE", "/dav/a", "ftp://dav.example/dav/b", NULL,
	REASON_DESTINATION_NOT_ALLOWED, 'n'},
    {"MOVE", "/dav/a", "//dav.example/dav/b", NULL,
	REASON_DESTINATION_NOT_ALLOWED, 'n'},
    {"MOVE", "/dav/a", "dav/b", NULL, REASON_DESTINATION_NOT_ALLOWED, 'n'},
    {"MOVE", "/dav/a", "*", NULL, REASON_DESTINATION_NOT_ALLOWED, 'n'},
    {"MOVE", "/dav/a", "", NULL, REASON_DESTINATION_NOT_ALLOWED, 'n'},
    {"MOVE", "/dav/a", "/dav/%2e%2e/inbox/b", NULL,
	REASON_DESTINATION_NOT_ALLOWED, 'n'},
    {"MOVE", "/dav/a", "/dav/b%00", NULL, REASON_DESTINATION_NOT_ALLOWED, 'n'},
    {"MOVE", "/dav/a", "/dav/ro.bak", NULL, REASON_DESTINATION_NOT_ALLOWED,
	'n'},
    {"MOVE", "/dav/a", "/dav/ro/b", NULL, REASON_DESTINATION_NOT_ALLOWED, 'n'},
    {"MOVE", "/dav/free/a", "/dav", NULL, REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"COPY", "/dav/free/a", "/dav", "0", REASON_NONE, 'y'},
    {"COPY", "/dav/free/a", "/dav/x/../", "infinity",
	REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"GET", "/dav/a", "http://evil.example/", NULL, REASON_NONE, '-'},
    {"PUT", "/dav/a", "http://evil.example/", NULL, REASON_NONE, '-'},
    /* and all that lies below */
    {"DELETE", "/dav", NULL, NULL, REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"DELETE", "/dav/", NULL, NULL, REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"DELETE", "/dav", NULL, "0", REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"DELETE", "/dav/deep", NULL, NULL, REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"DELETE", "/dav/deep/x", NULL, NULL, REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"DELETE", "/dav/deep/x/other", NULL, NULL, REASON_NONE, 'y'},
    {"DELETE", "/dav/x", NULL, NULL, REASON_NONE, 'y'},
    {"DELETE", "/dav/free", NULL, NULL, REASON_NONE, 'y'},
    {"DELETE", "/dav/x/..", NULL, NULL, REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"DELETE", "/dav/x%2f..", NULL, NULL, REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"DELETE", "/dav/deep.x", NULL, NULL, REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"DELETE", "/dav/DEEP", NULL, NULL, REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"DELETE", "/Cased", NULL, NULL, REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"DELETE", "/Cased/x", NULL, NULL, REASON_NONE, 'y'},
    {"MOVE", "/dav", "/dav/free/x", NULL, REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"COPY", "/dav", "/dav/free/x", "0", REASON_NONE, 'y'},
    {"COPY", "/dav", "/dav/free/x", "1", REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"COPY", "/dav", "/dav/free/x", NULL, REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"PROPFIND", "/dav", NULL, NULL, REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"PROPFIND", "/dav", NULL, "infinity", REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"PROPFIND", "/dav", NULL, "00", REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"PROPFIND", "/dav", NULL, "1", REASON_NONE, 'y'},
    {"PROPFIND", "/dav", NULL, "0", REASON_NONE, 'y'},
    {"PROPFIND", "/dav/ro", NULL, "infinity", REASON_NONE, 'y'},
    {"LOCK", "/locks", NULL, NULL, REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"LOCK", "/locks", NULL, "0", REASON_NONE, 'y'},
    {"PROPPATCH", "/locks", NULL, "0", REASON_SUBTREE_NOT_ALLOWED, 'n'},
    /* DELETE is of one resource where no method of WebDAV's is */
    {"DELETE", "/app", NULL, NULL, REASON_NONE, 'y'},
    {"DELETE", "/app/fixed", NULL, NULL, REASON_METHOD_NOT_ALLOWED, '-'},
    /* what is sent acts, not what came */
    {"POST", "/rewrites", NULL, NULL, REASON_SUBTREE_NOT_ALLOWED, 'n'},
    {"POST", "/rewrites/x", NULL, NULL, REASON_NONE, 'y'},
};

START_TEST(webdav_acts_on_more_than_its_target)
{
	const char *fields[8] = {0};
	size_t n = 0;
	struct decision decision;

	if (davs[_i].destination != NULL) {
		fields[n++] = "Destination";
		fields[n++] = davs[_i].destination;
	}
	if (davs[_i].depth != NULL) {
		fields[n++] = "Depth";
		fields[n++] = davs[_i].depth;
	}
	decision = decide_with(
	    davs[_i].method, "dav.example", davs[_i].target, fields, NO_BODY);
	expect_reason(
	    &decision, davs[_i].reason, davs[_i].method, davs[_i].target);
	ck_assert_int_eq(
	    "-yn"[decision.answers[QUESTION_DESTINATION]], davs[_i].answer);
}
END_TEST

/* path_case = exact */
START_TEST(trees_are_looked_for_in_every_reading)
{
	static const struct {
		const char *path;
		enum reason reason;
	} paths[] = {
	    {"/t", REASON_SUBTREE_NOT_ALLOWED},
	    {"/t/x/..", REASON_SUBTREE_NOT_ALLOWED},
	    {"/t/x%2f..", REASON_SUBTREE_NOT_ALLOWED},
	    {"/t/x/..;/", REASON_SUBTREE_NOT_ALLOWED},
	    {"/t.bak", REASON_NO_LOCATION},
	    {"/t/ro.bak", REASON_METHOD_NOT_ALLOWED},
	    {"/t/x", REASON_NONE},
	    {"/t/RO", REASON_NONE},
	    {"/T/rw", REASON_NONE},
	};
	struct decision decision;
	size_t i;

	for (i = 0; i < COUNT(paths); i++) {
		decision = decide("DELETE", "tree.example", paths[i].path);
		expect_reason(
		    &decision, paths[i].reason, "DELETE", paths[i].path);
	}
}
END_TEST

START_TEST(what_is_repeated_is_not_believed)
{
	struct decision decision = decide_with("MOVE", "dav.example", "/dav/a",
	    FIELDS("Destination", "/dav/b", "Destination", "/dav/b"), NO_BODY);

	ck_assert_int_eq(decision.reason, REASON_DESTINATION_NOT_ALLOWED);
	decision = decide_with("PROPFIND", "dav.example", "/dav",
	    FIELDS("Depth", "0", "Depth", "0"), NO_BODY);
	ck_assert_int_eq(decision.reason, REASON_SUBTREE_NOT_ALLOWED);
}
END_TEST

START_TEST(overrides_act_on_trees_too)
{
	struct decision decision = decide_with(
	    "POST", "dav.example", "/dav", FIELDS(X, "DELETE"), NO_BODY);

	ck_assert_int_eq(decision.reason, REASON_SUBTREE_NOT_ALLOWED);
	expect_answers(&decision, "yyyyyyn---");
	decision = decide_with("POST", "dav.example", "/dav/x",
	    FIELDS(X, "MOVE", "Destination", "/read"), NO_BODY);
	ck_assert_int_eq(decision.reason, REASON_DESTINATION_NOT_ALLOWED);
	decision = decide_with("POST", "dav.example", "/dav/x",
	    FIELDS(X, "MOVE", "Destination", "/dav/y"), NO_BODY);
	ck_assert_int_eq(decision.reason, REASON_NONE);
	decision = decide_scanned("POST", "dav.example", "/dav",
	    FIELDS("Content-Type", FORM), "_method=DELETE");
	ck_assert_int_eq(decision.reason, REASON_SUBTREE_NOT_ALLOWED);
	expect_answers(&decision, "yyyyyyn-yy");
	decision = decide_scanned("POST", "dav.example", "/dav/x",
	    FIELDS("Content-Type", FORM), "_method=DELETE");
	ck_assert_int_eq(decision.reason, REASON_NONE);
}
END_TEST

/* ---- what else a location says ---- */

START_TEST(a_body_on_get_is_flagged_or_refused)
{
	static const struct {
		const char *method, *target;
		struct body_plan body;
		enum reason reason;
		bool flagged;
	} gets[] = {
	    {"GET", "/get", {BODY_LENGTH, 5}, REASON_BODY_ON_GET, true},
	    {"HEAD", "/get", {BODY_LENGTH, 5}, REASON_BODY_ON_GET, true},
	    {"DELETE", "/get", {BODY_CHUNKED, 0}, REASON_BODY_ON_GET, true},
	    {"GET", "/get", {BODY_NONE, 0}, REASON_NONE, false},
	    {"POST", "/get", {BODY_LENGTH, 5}, REASON_NONE, false},
	    {"POST", "/get", {BODY_LENGTH, 101}, REASON_BODY_TOO_LARGE, false},
	    {"GET", "/lax", {BODY_LENGTH, 5}, REASON_NONE, true},
	    {"DELETE", "/lax", {BODY_CHUNKED, 0}, REASON_NONE, true},
	};
	struct decision decision;
	size_t i;

	for (i = 0; i < COUNT(gets); i++) {
		decision =
		    decide_with(gets[i].method, "app.example", gets[i].target,
			FIELDS("Content-Type", "text/plain"), gets[i].body);
		expect_reason(
		    &decision, gets[i].reason, gets[i].method, gets[i].target);
		ck_assert_int_eq(decision.flags,
		    gets[i].flagged ? FLAG_BIT(FLAG_BODY_ON_GET) : 0);
	}
}
END_TEST

START_TEST(a_rewritten_method_is_sent_and_flagged)
{
	struct decision decision = decide("PATCH", "app.example", "/rewrites");

	ck_assert_int_eq(decision.verdict, VERDICT_FORWARD);
	ck_assert_uint_eq(decision.method, METHOD_PATCH);
	ck_assert_uint_eq(decision.sent, METHOD_POST);
	ck_assert_uint_eq(decision.flags, FLAG_BIT(FLAG_METHOD_REWRITTEN));
	decision = decide("POST", "app.example", "/rewrites");
	ck_assert_uint_eq(decision.sent, METHOD_POST);
	ck_assert_uint_eq(decision.flags, 0);
	decision = decide("PUT", "app.example", "/rewrites");
	ck_assert_int_eq(decision.reason, REASON_METHOD_NOT_ALLOWED);
	ck_assert_uint_eq(decision.sent, METHOD_PUT);
	decision = decide_with(
	    "PATCH", "app.example", "/rewrites", FIELDS(X, "PUT"), NO_BODY);
	ck_assert_int_eq(decision.verdict, VERDICT_ANSWER);
	ck_assert_uint_eq(decision.sent, METHOD_PATCH);
	ck_assert_uint_eq(decision.flags, FLAG_BIT(FLAG_OVERRIDE_HEADER));
}
END_TEST

START_TEST(it_is_as_it_was_when_the_body_is_refused)
{
	const char *const *form = FIELDS("Content-Type", FORM);
	struct decision decision = decide_with("PATCH", "app.example",
	    "/rewrites", form, (struct body_plan){BODY_CHUNKED, 0});

	ck_assert_int_eq(decision.verdict, VERDICT_NEED_BODY);
	ck_assert_uint_eq(decision.sent, METHOD_POST);
	decision = decide_scanned(
	    "PATCH", "app.example", "/rewrites", form, "_method=DELETE");
	ck_assert_int_eq(decision.verdict, VERDICT_ANSWER);
	ck_assert_uint_eq(decision.sent, METHOD_PATCH);
	ck_assert_uint_eq(decision.flags, FLAG_BIT(FLAG_OVERRIDE_BODY));
	decision = decide_scanned(
	    "PATCH", "app.example", "/rewrites", form, "_method=POST");
	ck_assert_int_eq(decision.verdict, VERDICT_FORWARD);
	ck_assert_uint_eq(decision.sent, METHOD_POST);
	ck_assert(decision.flags & FLAG_BIT(FLAG_METHOD_REWRITTEN));
	/* A POST without a type is a form, also if it came as something else.
	 */
	decision = decide_with("PATCH", "app.example", "/rewrites", NO_FIELDS,
	    (struct body_plan){BODY_CHUNKED, 0});
	ck_assert_int_eq(decision.verdict, VERDICT_NEED_BODY);
}
END_TEST

START_TEST(what_no_location_takes_costs_no_token)
{
	static const struct {
		const char *method, *host, *target;
		bool costs;
	} costs[] = {
	    {"PATCH", "app.example", "/rewrites", true},
	    {"PATCH", "app.example", "/rewrites/below", true},
	    {"PUT", "app.example", "/rewrites", true},	 /* 405 */
	    {"BREW", "app.example", "/rewrites", false}, /* 501 */
	    {"GET", "app.example", "/nowhere", false},
	    {"GET", "app.example", "/lax/%2e%2e/rewrites", false}, /* 400 */
	    {"GET", "other.example", "/rewrites", false},
	    {"GET", "app.example", "/lax", false},
	    {"GET", "report.example", "/read", true},
	    {"POST", "report.example", "/read", true},
	    {"BREW", "report.example", "/read", false},
	    {"GET", "report.example", "/dav/%2e%2e/read", false},
	};

	for (size_t i = 0; i < COUNT(costs); i++) {
		struct decision decision =
		    decide(costs[i].method, costs[i].host, costs[i].target);

		ck_assert_msg(policy_costs_token(&decision) == costs[i].costs,
		    "%s %s", costs[i].method, costs[i].target);
	}
}
END_TEST

START_TEST(past_the_rate_later_questions_are_not_asked)
{
	struct decision decision = decide("PUT", "app.example", "/rewrites");

	policy_deny_rate(&decision);
	ck_assert_int_eq(decision.verdict, VERDICT_ANSWER);
	ck_assert_int_eq(decision.reason, REASON_RATE_LIMITED);
	ck_assert_int_eq(decision.status, 429);
	ck_assert(!decision.has_allow && decision.allow == 0);
	ck_assert_int_eq(decision.answers[QUESTION_LOCATION], PASSED);
	ck_assert_int_eq(decision.answers[QUESTION_ALLOWED], NOT_ASKED);

	decision = decide_with("PATCH", "app.example", "/rewrites", NO_FIELDS,
	    (struct body_plan){BODY_CHUNKED, 0});
	ck_assert_int_eq(decision.verdict, VERDICT_NEED_BODY);
	policy_deny_rate(&decision);
	ck_assert_int_eq(decision.verdict, VERDICT_ANSWER);
	ck_assert(!decision.scan && !decision.hold && decision.allow == 0);
	ck_assert_uint_eq(decision.sent, METHOD_PATCH);
	ck_assert_uint_eq(decision.flags, 0);
}
END_TEST

START_TEST(in_report_mode_the_rate_is_noted_before_later_questions)
{
	struct decision decision = decide("POST", "report.example", "/read");

	ck_assert_int_eq(decision.would, REASON_METHOD_NOT_ALLOWED);
	policy_deny_rate(&decision);
	ck_assert_int_eq(decision.verdict, VERDICT_FORWARD);
	ck_assert_int_eq(decision.would, REASON_RATE_LIMITED);
	ck_assert(!policy_passed(&decision));

	decision = decide("GET", "report.example", "/read");
	policy_deny_rate(&decision);
	ck_assert_int_eq(decision.verdict, VERDICT_FORWARD);
	ck_assert_int_eq(decision.would, REASON_RATE_LIMITED);
	ck_assert_uint_eq(decision.flags, FLAG_BIT(FLAG_WOULD_DENY));
	ck_assert(policy_passed(&decision));
}
END_TEST

START_TEST(a_grant_ends_by_itself)
{
	static const struct {
		const char *method;
		time_t now;
		enum reason reason;
	} times[] = {
	    {"DELETE", NOW, REASON_NONE},
	    {"DELETE", NOW + 9, REASON_NONE},
	    {"DELETE", NOW + 10, REASON_METHOD_NOT_ALLOWED},
	    {"DELETE", NOW + 11, REASON_METHOD_NOT_ALLOWED},
	    {"LINK", NOW + 9, REASON_NONE},
	    {"LINK", NOW + 10, REASON_METHOD_UNSUPPORTED},
	    {"PATCH", NOW + 19, REASON_NONE},
	    {"PATCH", NOW + 20, REASON_METHOD_NOT_ALLOWED},
	    {"UNLINK", NOW, REASON_METHOD_UNSUPPORTED},
	};
	struct head head = request("OPTIONS", "grant.example", "*");
	struct policy_facts facts = facts_of(&head, NO_BODY);
	struct site_rules rules = {.has_slash = false};
	struct location_rules own[2];
	struct decision decision;
	size_t i;

	own[0] = app_rules[COUNT(app_rules) - 1];
	own[1] = (struct location_rules){
	    .pattern = SLICE("/"), .allow = BIT(DELETE) | BIT(PATCH)};
	build(&rules, "grant.example", own, COUNT(own));
	for (i = 0; i < COUNT(times); i++) {
		head = request(times[i].method, "grant.example", "/grants");
		facts.now = times[i].now;
		policy_decide(&facts, &decision);
		expect_reason(
		    &decision, times[i].reason, times[i].method, "/grants");
	}
	head = request("OPTIONS", "grant.example", "*");
	facts.now = NOW + 9;
	policy_decide(&facts, &decision);
	ck_assert_uint_eq(
	    decision.allow, READ | BIT(DELETE) | BIT(PATCH) | BIT(LINK));
	facts.now = NOW + 10;
	policy_decide(&facts, &decision);
	ck_assert_uint_eq(decision.allow, READ | BIT(DELETE) | BIT(PATCH));
	ck_assert_uint_eq(policy_allowed(&own[0], NOW + 10), READ | BIT(PATCH));
	ck_assert_uint_eq(policy_allowed(&own[0], NOW + 20), READ);
	trie_free(rules.locations);
	trie_free(rules.folded);
}
END_TEST

/* ---- report mode ---- */

static const struct {
	const char *method, *target, *name, *value;
	struct body_plan body;
	enum reason would; /* NONE: nothing */
	const char *answers;
} reported[] = {
    {"GET", "/read", NULL, NULL, {BODY_NONE, 0}, REASON_NONE, "yyyyyy--y-"},
    {"GET", "/%72ead", NULL, NULL, {BODY_NONE, 0}, REASON_PATH_AMBIGUOUS,
	"ynyn-y--y-"},
    {"GET", "/read/a%00", NULL, NULL, {BODY_NONE, 0}, REASON_PATH_AMBIGUOUS,
	"ynyyyy--y-"},
    {"BREW", "/read", NULL, NULL, {BODY_NONE, 0}, REASON_METHOD_UNKNOWN,
	"yynyny--y-"},
    {"get", "/read", NULL, NULL, {BODY_NONE, 0}, REASON_METHOD_CASE,
	"yynyny--y-"},
    {"UNLINK", "/read", NULL, NULL, {BODY_NONE, 0}, REASON_METHOD_UNSUPPORTED,
	"yynyny--y-"},
    {"GET", "/nowhere", NULL, NULL, {BODY_NONE, 0}, REASON_NO_LOCATION,
	"yyyn-y--y-"},
    {"BREW", "/nowhere", NULL, NULL, {BODY_NONE, 0}, REASON_METHOD_UNKNOWN,
	"yynn-y--y-"},
    {"PUT", "/read", NULL, NULL, {BODY_NONE, 0}, REASON_METHOD_NOT_ALLOWED,
	"yyyyny--y-"},
    {"GET", "/read", X, "DELETE", {BODY_NONE, 0}, REASON_OVERRIDE_NOT_ALLOWED,
	"yyyyyny-y-"},
    {"GET", "/read?_method=GET", X, "HEAD", {BODY_NONE, 0},
	REASON_OVERRIDE_CONFLICT, "yyyyyn--y-"},
    {"POST", "/deny", X, "POST", {BODY_NONE, 0}, REASON_OVERRIDE_NOT_ALLOWED,
	"yyyyyn--y-"},
    {"POST", "/strip", X, "DELETE", {BODY_NONE, 0}, REASON_NONE, "yyyyyy--y-"},
    {"MOVE", "/dav/a", "Destination", "/read/b", {BODY_NONE, 0},
	REASON_DESTINATION_NOT_ALLOWED, "yyyyyyn-y-"},
    {"DELETE", "/dav", NULL, NULL, {BODY_NONE, 0}, REASON_SUBTREE_NOT_ALLOWED,
	"yyyyyyn-y-"},
    {"GET", "/read", NULL, NULL, {BODY_LENGTH, 5}, REASON_BODY_ON_GET,
	"yyyyyy--n-"},
    {"POST", "/deny", "Content-Encoding", "gzip", {BODY_LENGTH, 5},
	REASON_OVERRIDE_UNREADABLE, "yyyyyy--yn"},
    {"POST", "/deny", "Content-Type", "application/http", {BODY_LENGTH, 5},
	REASON_OVERRIDE_NOT_ALLOWED, "yyyyyy--yn"},
};

START_TEST(report_mode_forwards_what_it_would_refuse)
{
	struct decision decision = decide_with(reported[_i].method,
	    "report.example", reported[_i].target,
	    FIELDS(reported[_i].name, reported[_i].value), reported[_i].body);
	bool flagged = (decision.flags & FLAG_BIT(FLAG_WOULD_DENY)) != 0;

	ck_assert_msg(decision.would == reported[_i].would, "%s %s would be %s",
	    reported[_i].method, reported[_i].target,
	    reason_word(decision.would));
	ck_assert_int_eq(decision.verdict, VERDICT_FORWARD);
	ck_assert_int_eq(decision.reason, REASON_NONE);
	ck_assert_int_eq(decision.status, 0);
	ck_assert_int_eq(flagged, decision.would != REASON_NONE);
	ck_assert(!decision.has_allow && decision.allow == 0);
	ck_assert(!decision.strip && !decision.hold);
	ck_assert(decision.location != NULL || reports.fallback != NULL);
	expect_answers(&decision, reported[_i].answers);
}
END_TEST

START_TEST(report_mode_scans_a_body_while_it_passes)
{
	const char *const *form = FIELDS("Content-Type", FORM);
	struct decision decision = decide_with("POST", "report.example",
	    "/deny", form, (struct body_plan){BODY_CHUNKED, 0});

	ck_assert_int_eq(decision.verdict, VERDICT_FORWARD);
	ck_assert(decision.scan && !decision.hold);
	decision = decide_scanned(
	    "POST", "report.example", "/deny", form, "_method=POST");
	ck_assert_int_eq(decision.verdict, VERDICT_FORWARD);
	ck_assert_int_eq(decision.would, REASON_OVERRIDE_NOT_ALLOWED);
	expect_answers(&decision, "yyyyyy--yn");
	decision =
	    decide_scanned("POST", "report.example", "/deny", form, "a=b");
	ck_assert_int_eq(decision.would, REASON_NONE);
	expect_answers(&decision, "yyyyyy--yy");
	decision = decide_scanned(
	    "POST", "report.example", "/dav", form, "_method=DELETE");
	ck_assert_int_eq(decision.verdict, VERDICT_FORWARD);
	ck_assert_int_eq(decision.would, REASON_METHOD_NOT_ALLOWED);
	expect_answers(&decision, "yyyynyn-yy");
}
END_TEST

static const struct {
	const char *method, *host, *target;
	struct body_plan body;
	enum reason reason;
} anyway[] = {
    {"TRACE", "report", "/read", {BODY_NONE, 0}, REASON_METHOD_UNSUPPORTED},
    {"CONNECT", "report", "", {BODY_NONE, 0}, REASON_METHOD_UNSUPPORTED},
    {"PRI", "report", "/read", {BODY_NONE, 0}, REASON_METHOD_UNSUPPORTED},
    {"trace", "report", "/read", {BODY_NONE, 0}, REASON_METHOD_CASE},
    {"TRACE", "report", "/read/a%00", {BODY_NONE, 0},
	REASON_METHOD_UNSUPPORTED},
    {"GET", "other", "/read", {BODY_NONE, 0}, REASON_UNKNOWN_HOST},
    {"GET", "report", "/read", {BODY_LENGTH, 101}, REASON_BODY_TOO_LARGE},
    {"PUT", "report", "/read", {BODY_LENGTH, 101}, REASON_BODY_TOO_LARGE},
    {"PUT", "report", "/enforced", {BODY_NONE, 0}, REASON_METHOD_NOT_ALLOWED},
    {"GET", "blind", "/nowhere", {BODY_NONE, 0}, REASON_NO_LOCATION},
    {"OPTIONS", "report", "*", {BODY_NONE, 0}, REASON_OPTIONS_ANSWERED},
};

/* The site that is asked, and what TLS says of where the client came. */
START_TEST(a_connection_for_one_site_is_not_for_another)
{
	static const struct {
		const struct site_rules *named;
		uint64_t realm;
		bool tls;
		enum reason reason;
	} ways[] = {
	    {NULL, 0, false, REASON_NONE}, /* no TLS */
	    {NULL, 7, true, REASON_NONE},  /* no name, or nobody's */
	    {&site, 7, true, REASON_NONE},
	    {&app, 7, true, REASON_MISDIRECTED},
	    {&site, 8, true, REASON_MISDIRECTED}, /* demanded less */
	    {NULL, 0, true, REASON_MISDIRECTED},
	};
	struct head head = request("GET", "site.example", "/read");
	struct policy_facts facts = facts_of(&head, NO_BODY);
	struct decision decision;

	site.realm = 7;
	for (size_t i = 0; i < COUNT(ways); i++) {
		facts.has_tls = facts.secure = ways[i].tls;
		facts.tls_site = ways[i].named;
		facts.tls_realm = ways[i].realm;
		policy_decide(&facts, &decision);
		ck_assert_int_eq(decision.reason, ways[i].reason);
		ck_assert_int_eq(decision.answers[QUESTION_HOST],
		    ways[i].reason == REASON_NONE ? PASSED : FAILED);
	}
	site.realm = 0;
}
END_TEST

START_TEST(without_tls_the_way_leads_to_https)
{
	static const struct {
		enum redirect_https how;
		const char *host, *target;
		bool secure;
		enum reason reason;
	} ways[] = {
	    {HTTPS_OFF, "site.example", "/read", false, REASON_NONE},
	    {HTTPS_308, "site.example", "/read", false, REASON_REDIRECT_HTTPS},
	    {HTTPS_301, "site.example", "/none", false,
		REASON_REDIRECT_HTTPS_301},
	    {HTTPS_308, "site.example", "/read", true, REASON_NONE},
	    {HTTPS_308, "other.example", "/read", false, REASON_UNKNOWN_HOST},
	    {HTTPS_308, "site.example", "/-/ping", false, REASON_PING},
	};
	struct decision decision;

	for (size_t i = 0; i < COUNT(ways); i++) {
		struct head head = request("GET", ways[i].host, ways[i].target);
		struct policy_facts facts = facts_of(&head, NO_BODY);

		site.redirect_https = ways[i].how;
		facts.secure = ways[i].secure;
		policy_decide(&facts, &decision);
		ck_assert_int_eq(decision.reason, ways[i].reason);
	}
	site.redirect_https = HTTPS_OFF;
}
END_TEST

START_TEST(some_things_are_refused_in_every_mode)
{
	char host[64];
	struct decision decision;

	snprintf(host, sizeof(host), "%s.example", anyway[_i].host);
	decision = decide_with(anyway[_i].method, host, anyway[_i].target,
	    NO_FIELDS, anyway[_i].body);
	expect_reason(
	    &decision, anyway[_i].reason, anyway[_i].method, anyway[_i].target);
	if (anyway[_i].reason == REASON_NO_LOCATION)
		ck_assert(decision.flags == 0 && decision.would == REASON_NONE);
}
END_TEST

START_TEST(report_mode_ends_options_as_ever)
{
	struct decision decision = decide_with("OPTIONS", "report.example",
	    "/read", FIELDS("Max-Forwards", "0"), NO_BODY);

	ck_assert_int_eq(decision.reason, REASON_OPTIONS_ANSWERED);
	ck_assert(decision.has_allow);
	ck_assert_uint_eq(decision.allow, READ | BIT(OPTIONS));
	decision = decide("OPTIONS", "report.example", "/read");
	ck_assert_int_eq(decision.verdict, VERDICT_FORWARD);
}
END_TEST

/* ---- what the upstream says ---- */

START_TEST(the_response_shows_drift_and_lossy_redirects)
{
	static const struct {
		const char *method, *target;
		int status;
		const char *allow; /* or NULL */
		flag_set flags;
	} responses[] = {
	    {"POST", "/enforce", 301, NULL,
		FLAG_BIT(FLAG_REDIRECT_REWRITES_METHOD)},
	    {"PUT", "/enforce", 302, NULL,
		FLAG_BIT(FLAG_REDIRECT_REWRITES_METHOD)},
	    {"POST", "/enforce", 303, NULL, 0},
	    {"POST", "/enforce", 307, NULL, 0},
	    {"GET", "/enforce", 301, NULL, 0},
	    {"HEAD", "/enforce", 302, NULL, 0},
	    {"QUERY", "/all", 302, NULL, 0},
	    {"PUT", "/enforce", 405, NULL, FLAG_BIT(FLAG_DRIFT_REFUSED)},
	    {"PUT", "/enforce", 501, "GET, HEAD", FLAG_BIT(FLAG_DRIFT_REFUSED)},
	    {"PUT", "/enforce", 403, NULL, 0},
	    {"GET", "/enforce", 200, "GET, HEAD, POST", 0},
	    {"GET", "/enforce", 200, "GET, DELETE",
		FLAG_BIT(FLAG_DRIFT_UNLISTED)},
	    {"GET", "/enforce", 200, "GET, BREW",
		FLAG_BIT(FLAG_DRIFT_UNLISTED)},
	    {"GET", "/enforce", 200, "", 0},
	};
	struct field allow = {.name = SLICE("Allow"), .id = FIELD_ALLOW};
	struct decision decision;
	struct head head;
	size_t i;

	for (i = 0; i < COUNT(responses); i++) {
		decision = decide(
		    responses[i].method, "app.example", responses[i].target);
		ck_assert_int_eq(decision.verdict, VERDICT_FORWARD);
		head = (struct head){
		    .status = responses[i].status, .fields = &allow};
		head.field_count = responses[i].allow != NULL;
		if (responses[i].allow != NULL)
			allow.value = slice_of(responses[i].allow);
		ck_assert_msg(policy_response_flags(&decision, &head, NOW) ==
				  responses[i].flags,
		    "%s %s: %d", responses[i].method, responses[i].target,
		    responses[i].status);
	}
}
END_TEST

START_TEST(below_counts_patterns_that_differ_by_case)
{
	struct location_rules second = {.allow = READ | BIT(PUT)};
	struct location_rules first = {
	    .allow = READ | BIT(POST), .folded_next = &second};

	ck_assert_uint_eq(policy_location_bits(&first), READ);
	ck_assert_uint_eq(policy_location_bits(&second), READ | BIT(PUT));
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
	tcase_add_loop_test(tcase, every_reading_of_the_path_is_judged, 0,
	    (int)COUNT(readings));
	tcase_add_test(tcase, allow_is_what_all_readings_take);
	tcase_add_loop_test(tcase, methods_in_header_and_query_are_judged, 0,
	    (int)COUNT(overrides));
	tcase_add_loop_test(
	    tcase, methods_in_bodies_are_judged, 0, (int)COUNT(bodies));
	tcase_add_test(tcase, a_body_is_held_until_it_is_read);
	tcase_add_test(tcase, a_body_that_turns_out_unreadable_is_refused);
	tcase_add_test(tcase, more_names_than_are_kept_are_a_conflict);
	tcase_add_test(tcase, a_token_that_was_cut_is_no_method);
	tcase_add_test(tcase, other_paths_in_fields_are_flagged);
	tcase_add_loop_test(
	    tcase, webdav_acts_on_more_than_its_target, 0, (int)COUNT(davs));
	tcase_add_test(tcase, trees_are_looked_for_in_every_reading);
	tcase_add_test(tcase, what_is_repeated_is_not_believed);
	tcase_add_test(tcase, overrides_act_on_trees_too);
	tcase_add_test(tcase, a_body_on_get_is_flagged_or_refused);
	tcase_add_test(tcase, a_rewritten_method_is_sent_and_flagged);
	tcase_add_test(tcase, it_is_as_it_was_when_the_body_is_refused);
	tcase_add_test(tcase, a_grant_ends_by_itself);
	tcase_add_test(tcase, what_no_location_takes_costs_no_token);
	tcase_add_test(tcase, past_the_rate_later_questions_are_not_asked);
	tcase_add_test(
	    tcase, in_report_mode_the_rate_is_noted_before_later_questions);
	tcase_add_loop_test(tcase, report_mode_forwards_what_it_would_refuse, 0,
	    (int)COUNT(reported));
	tcase_add_test(tcase, report_mode_scans_a_body_while_it_passes);
	tcase_add_loop_test(tcase, some_things_are_refused_in_every_mode, 0,
	    (int)COUNT(anyway));
	tcase_add_test(tcase, report_mode_ends_options_as_ever);
	tcase_add_test(tcase, the_response_shows_drift_and_lossy_redirects);
	tcase_add_test(tcase, below_counts_patterns_that_differ_by_case);
	tcase_add_test(tcase, a_connection_for_one_site_is_not_for_another);
	tcase_add_test(tcase, without_tls_the_way_leads_to_https);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
