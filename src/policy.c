/* SPDX-License-Identifier: ISC */
/* policy: the questions of DESIGN.md section 2 that bear on method, host and
 * path, in their order; the first that fails answers. */
#include "policy.h"

#include "uri.h"

method_set
policy_allow_set(method_set written, bool head_with_get, bool options_answer)
{
	if (head_with_get && (written & method_bit(METHOD_GET)) != 0)
		written |= method_bit(METHOD_HEAD);
	if (options_answer)
		written |= method_bit(METHOD_OPTIONS);
	return written;
}

static void
answer(struct decision *decision, enum reason reason)
{
	decision->verdict = VERDICT_ANSWER;
	decision->reason = reason;
	decision->status = reason_status(reason);
}

static void
answer_allow(struct decision *decision, enum reason reason, method_set allow)
{
	answer(decision, reason);
	decision->allow = allow;
	decision->has_allow = true;
}

/* Notes what a question said; true when it passed. */
static bool
ask(struct decision *decision, enum question question, bool passed)
{
	decision->answers[question] = passed ? PASSED : FAILED;
	return passed;
}

/* Only the methods of a probe; anything else is judged like any request. */
static bool
is_ping(const struct policy_facts *facts)
{
	const struct head *head = facts->head;

	if (facts->ping.len == 0 || !slice_eq(head->path, facts->ping))
		return false;
	return slice_eq(head->method, SLICE("GET")) ||
	       slice_eq(head->method, SLICE("HEAD"));
}

/* Max-Forwards: 0 ends here (RFC 9110 7.6.2); what is no number is ignored. */
static bool
forwards_spent(const struct head *head)
{
	const struct field *field;
	size_t i, zeros;

	for (i = 0; i < head->field_count; i++) {
		field = &head->fields[i];
		if (field->id != FIELD_MAX_FORWARDS || field->value.len == 0)
			continue;
		for (zeros = 0; zeros < field->value.len; zeros++)
			if (field->value.at[zeros] != '0')
				break;
		if (zeros == field->value.len)
			return true;
	}
	return false;
}

static const struct method_names *
own_names(const struct decision *decision)
{
	return decision->site != NULL ? &decision->site->own : NULL;
}

/* The number of the method; a near miss by case is flagged, never folded. */
static void
name_method(struct decision *decision, struct slice token)
{
	const struct method_names *own = own_names(decision);

	decision->method = method_find(token, own);
	if (decision->method == METHOD_NONE &&
	    method_find_nocase(token, own) != METHOD_NONE)
		decision->flags |= FLAG_BIT(FLAG_METHOD_CASE);
}

/* RFC 9110 15.6.2: no resource of this site takes it. */
static void
answer_unsupported(struct decision *decision)
{
	if (decision->method != METHOD_NONE)
		answer(decision, REASON_METHOD_UNSUPPORTED);
	else if ((decision->flags & FLAG_BIT(FLAG_METHOD_CASE)) != 0)
		answer(decision, REASON_METHOD_CASE);
	else
		answer(decision, REASON_METHOD_UNKNOWN);
	if (decision->method == METHOD_GET || decision->method == METHOD_HEAD)
		decision->flags |= FLAG_BIT(FLAG_CRAWLER_501);
}

/* Question 10 as far as the length is known; a chunked body under a limit is
 * counted while it streams. */
static bool
body_fits(const struct policy_facts *facts, struct decision *decision)
{
	uint64_t limit = decision->location->body_limit;

	if (limit > 0 && facts->body.kind == BODY_CHUNKED)
		return true;
	return ask(decision, QUESTION_BODY_LIMIT,
	    limit == 0 || facts->body.kind == BODY_NONE ||
		facts->body.length <= limit);
}

/* Questions 4 to 10. */
static void
decide_method(const struct policy_facts *facts, struct decision *decision)
{
	const struct location_rules *location = decision->location;
	method_set bit = method_is_allowable(decision->method)
			     ? method_bit(decision->method)
			     : 0;
	method_set supported = decision->site->supported;

	if (!ask(decision, QUESTION_SUPPORTED, (supported & bit) != 0)) {
		answer_unsupported(decision);
		return;
	}
	if (!ask(decision, QUESTION_LOCATION, location != NULL)) {
		answer(decision, REASON_NO_LOCATION);
		return;
	}
	if (!ask(decision, QUESTION_ALLOWED, (location->allow & bit) != 0)) {
		answer_allow(
		    decision, REASON_METHOD_NOT_ALLOWED, location->allow);
		return;
	}
	if (!body_fits(facts, decision)) {
		answer(decision, REASON_BODY_TOO_LARGE);
		return;
	}
	if (decision->method == METHOD_OPTIONS &&
	    (location->options_answer || forwards_spent(facts->head)))
		answer_allow(
		    decision, REASON_OPTIONS_ANSWERED, location->allow);
}

void
policy_decide(const struct policy_facts *facts, struct decision *decision)
{
	const struct head *head = facts->head;

	*decision = (struct decision){.verdict = VERDICT_FORWARD,
	    .reason = REASON_NONE,
	    .method = METHOD_NONE};
	if (is_ping(facts)) {
		name_method(decision, head->method);
		answer(decision, REASON_PING);
		return;
	}
	decision->site = hosts_find(facts->door, uri_host(head->authority));
	name_method(decision, head->method);
	if (!ask(decision, QUESTION_HOST, decision->site != NULL)) {
		answer(decision, REASON_UNKNOWN_HOST);
		return;
	}
	if (head->form == TARGET_ASTERISK &&
	    decision->method == METHOD_OPTIONS) {
		answer_allow(decision, REASON_OPTIONS_ANSWERED,
		    decision->site->supported);
		return;
	}
	decision->location = trie_find(decision->site->locations, head->path);
	decide_method(facts, decision);
}
