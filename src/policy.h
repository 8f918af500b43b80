/* SPDX-License-Identifier: ISC */
/* policy: the decision. One pure function from request facts to a decision;
 * the gate, check, explain, table, the tests and the fuzzers all call it. */
#ifndef POLICY_H
#define POLICY_H

#include <stdbool.h>
#include <time.h>

#include "flag.h"
#include "hosts.h"
#include "http.h"
#include "method.h"
#include "reason.h"
#include "trie.h"

/* What one [location] says; immutable. */
struct location_rules {
	struct slice pattern; /* as matched: "/api", "/users/<star>/orders" */
	bool exact;
	method_set written; /* what `allow` names */
	method_set allow;   /* what is allowed: with HEAD and OPTIONS as below */
	bool options_answer; /* OPTIONS is answered here, not forwarded */
	uint64_t body_limit; /* bytes; 0: none */
	const char *file;    /* borrowed: config */
	unsigned line;       /* of the section header */
};

/* What one [site] says; immutable. */
struct site_rules {
	struct slice name;
	struct method_names own;
	method_set supported; /* union over the locations */
	struct trie *locations; /* values: struct location_rules */
	const char *file;
	unsigned line;
};

/* GET brings HEAD unless head = explicit; OPTIONS belongs to the set where it
 * is answered here. The one place that says so. */
method_set policy_allow_set(method_set written, bool head_with_get,
    bool options_answer);

enum verdict { VERDICT_FORWARD, VERDICT_ANSWER, VERDICT_NEED_BODY };

/* The questions of DESIGN.md section 2, by their number there. */
enum question {
	QUESTION_MESSAGE = 1, /* asked by h1_head; explain fills it in */
	QUESTION_HOST = 2,
	QUESTION_READINGS = 3,
	QUESTION_SUPPORTED = 4,
	QUESTION_LOCATION = 5,
	QUESTION_ALLOWED = 6,
	QUESTION_OVERRIDE = 7,
	QUESTION_DESTINATION = 8,
	QUESTION_PLAN = 9,
	QUESTION_BODY_LIMIT = 10,
	QUESTION_BODY_OVERRIDE = 11,
	QUESTION_COUNT
};
enum question_answer { NOT_ASKED, PASSED, FAILED };

struct policy_facts {
	const struct head *head;   /* accepted by h1_request_read */
	struct body_plan body;     /* of h1_request_body */
	const struct hosts *door;  /* of the listener; values: site_rules */
	struct slice ping;         /* path answered 200 to GET, HEAD; or empty */
	time_t now;
};

struct decision {
	enum verdict verdict;
	enum reason reason; /* ANSWER: why; NONE with FORWARD */
	int status;         /* ANSWER: of the answer */
	unsigned method;    /* number by the site's names, or METHOD_NONE */
	method_set allow;   /* for Allow where has_allow, else empty */
	bool has_allow;     /* 405, OPTIONS */
	flag_set flags;
	const struct site_rules *site;         /* NULL: none */
	const struct location_rules *location; /* NULL: none; the rule */
	uint8_t answers[QUESTION_COUNT];       /* enum question_answer */
};

/* Pure: same facts, same decision; no allocation, no clock, no log. The whole
 * of *decision is written. site and location are set wherever they are known,
 * whatever the verdict; VERDICT_FORWARD has both. Question 10 stays NOT_ASKED
 * for a chunked body under a limit: it is counted while it streams. */
void policy_decide(const struct policy_facts *facts, struct decision *decision);

#endif
