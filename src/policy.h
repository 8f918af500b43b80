/* SPDX-License-Identifier: ISC */
/* policy: the decision. One pure function from request facts to a decision;
 * the gate, check, explain, table, the tests and the fuzzers all call it. */
#ifndef POLICY_H
#define POLICY_H

#include <stdbool.h>
#include <time.h>

#include "buckets.h"
#include "flag.h"
#include "hosts.h"
#include "http.h"
#include "method.h"
#include "override.h"
#include "reason.h"
#include "trie.h"

/* What becomes of a method named elsewhere than in the request line. */
enum override_mode {
	OVERRIDE_MODE_ENFORCE, /* it must be allowed too */
	OVERRIDE_MODE_DENY,    /* it may not be there */
	OVERRIDE_MODE_STRIP,   /* header fields are removed, others refused */
	OVERRIDE_MODE_FLAG     /* noticed only */
};

/* An allowance that ends by itself. */
struct grant {
	method_set methods; /* with HEAD where GET brings it */
	time_t until;	    /* not from this moment on */
	struct slice note;  /* "OPS-123"; may be empty */
	unsigned line;
};

/* What one [location] says; immutable. */
struct location_rules {
	struct slice pattern; /* as matched: "/api", "/users/<star>/orders" */
	bool exact;
	method_set written; /* what `allow` names */
	method_set allow; /* what is allowed: with HEAD and OPTIONS as below */
	const struct grant *grants;
	unsigned grant_count;
	bool options_answer; /* OPTIONS is answered here, not forwarded */
	bool report;	     /* mode = report: decided and flagged, forwarded */
	bool deny_body_on_get;
	enum override_mode override;
	unsigned rewrite_from, rewrite_to; /* both METHOD_NONE: nothing */
	uint64_t body_limit;		   /* bytes; 0: none */
	struct bucket_rate rate;	   /* of each client */
	uint64_t rate_place;		   /* buckets_place of this location */
	/* others whose pattern is the same but for letter case */
	const struct location_rules *folded_next;
	const char *file; /* borrowed: config */
	unsigned line;	  /* of the section header */
};

/* What becomes of a request that came without TLS; by its status. */
enum redirect_https { HTTPS_OFF, HTTPS_308, HTTPS_301 };

/* What one [site] says; immutable. */
struct site_rules {
	struct slice name;
	struct method_names own;
	method_set supported; /* union over the locations, without grants */
	method_set granted;   /* methods of some grant, and until when */
	time_t granted_until[METHOD_MAX];
	struct trie *locations; /* values: struct location_rules, measured */
	struct trie *folded;	/* the same in lower case; NULL: exact */
	bool has_upper;		/* a pattern has a letter in upper case */
	bool has_slash;		/* a pattern but "/" ends in '/' */
	bool report;		/* where no location is resolved */
	enum redirect_https redirect_https;
	uint64_t realm; /* of connections with TLS; another one is another
			   site's */
	/* for report mode where no location is; NULL: site has no upstream */
	const struct location_rules *fallback;
	const struct slice *path_params; /* names, as written */
	unsigned path_param_count;
	const char *file;
	unsigned line;
};

/* GET brings HEAD unless head = explicit; OPTIONS belongs to the set where it
 * is answered here. The one place that says so. */
method_set policy_allow_set(
    method_set written, bool head_with_get, bool options_answer);

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
	const struct head *head;  /* accepted by h1_request_read */
	struct body_plan body;	  /* of h1_request_body */
	const struct hosts *door; /* of the listener; values: site_rules */
	bool secure;		  /* it came by TLS, as far as can be known */
	bool has_tls;		  /* the connection itself has TLS: */
	uint64_t tls_realm;	  /* what it was opened under */
	const struct site_rules *tls_site; /* that its name (SNI) is of; NULL */
	struct slice ping; /* path answered 200 to GET, HEAD; or empty */
	time_t now;
	struct arena *arena; /* for readings; only used where there are some */
};

struct decision {
	enum verdict verdict;
	enum reason reason; /* ANSWER: why; NONE with FORWARD */
	int status;	    /* ANSWER: of the answer */
	unsigned method;    /* number by the site's names, or METHOD_NONE */
	unsigned sent;	    /* FORWARD: what goes upstream; else as method */
	method_set allow;   /* for Allow where has_allow, else empty */
	bool has_allow;	    /* 405, OPTIONS */
	bool report;	    /* the mode that holds here */
	bool scan;	    /* the body may name a method: feed it */
	bool hold;	    /* and must not be completed upstream before */
	bool strip;	    /* override fields do not go upstream */
	bool destination;   /* was judged by its path, and is sent with Host */
	enum reason would;  /* report: what would have answered, or NONE */
	flag_set flags;
	const struct site_rules *site;	       /* NULL: none */
	const struct location_rules *location; /* NULL: none; the rule */
	const struct location_rules *reading;  /* one that narrowed allow, or
						  made the path ambiguous */
	uint8_t answers[QUESTION_COUNT];       /* enum question_answer */
	/* of header and query, then body; the last member */
	struct override_set overrides;
};

/* Pure: same facts, same decision; no allocation but in facts->arena, no clock,
 * no log. The whole of *decision is written, but for tokens past
 * overrides.count. site and location are set wherever
 * they are known, whatever the verdict. FORWARD and NEED_BODY have a site, and
 * a location or the site's fallback (report mode). NEED_BODY: question 11 is
 * open; feed a scanner of the body and ask policy_decide_body. Question 10
 * stays NOT_ASKED for a chunked body under a limit: it is counted while it
 * streams. In report mode questions 3 to 9 and 11 only note what they would
 * have answered; limits are refused in every mode. */
void policy_decide(const struct policy_facts *facts, struct decision *decision);
/* All readings of the request's path that are judged there, but for letter
 * case; for explain. The path begins with '/'. */
struct readings;
void policy_readings(const struct policy_facts *facts,
    const struct site_rules *site, struct readings *out);
/* The body has been scanned: found is what it names. *decision becomes FORWARD
 * or ANSWER. */
void policy_decide_body(const struct policy_facts *facts,
    const struct override_set *found, struct decision *decision);

/* The rate of the location stands between questions 5 and 6, and asking takes
 * a token, so that it is the caller who asks, after policy_decide. True: he
 * has to; what 404, 501 or an earlier question answers costs nothing. */
bool policy_costs_token(const struct decision *decision);
/* There was no token: 429 takes the place of what later questions said, their
 * flags aside. In report mode it is only noted. */
void policy_deny_rate(struct decision *decision);
/* No question failed; the rate is none. */
bool policy_passed(const struct decision *decision);

/* What the upstream's final head shows about the request's method. */
flag_set policy_response_flags(
    const struct decision *decision, const struct head *response, time_t now);

/* What is allowed at this location now, grants included. */
method_set policy_allowed(const struct location_rules *location, time_t now);
/* What some location of the site takes now. */
method_set policy_supported(const struct site_rules *site, time_t now);
/* For trie_measure: the allow set of a value, without grants. */
uint64_t policy_location_bits(const void *location);

#endif
