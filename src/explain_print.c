/* SPDX-License-Identifier: ISC */
/* explain_print: one paragraph of the output is one function; those of the
 * text come first, in the order in which they are read, then those of JSON. */
#include "explain_print.h"

#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "cmd.h"

static const char *const questions[QUESTION_COUNT] = {
    [QUESTION_MESSAGE] = "one unambiguous HTTP message",
    [QUESTION_HOST] = "a site for this host",
    [QUESTION_READINGS] = "one location in every reading of the path",
    [QUESTION_SUPPORTED] = "a method that the site supports",
    [QUESTION_LOCATION] = "a location for the path",
    [QUESTION_ALLOWED] = "the method is allowed there",
    [QUESTION_OVERRIDE] = "the effective method is allowed too",
    [QUESTION_DESTINATION] = "the destination takes the write",
    [QUESTION_PLAN] = "the plan is entitled",
    [QUESTION_BODY_LIMIT] = "the body is within the limit",
    [QUESTION_BODY_OVERRIDE] = "the body's effective method is allowed",
};

/* Open: the body decides, and it was not given. */
static const char *
answer_word(const struct inquiry *inquiry, unsigned question)
{
	const struct decision *decision = &inquiry->decision;

	switch (decision->answers[question]) {
	case PASSED:
		return "yes";
	case FAILED:
		return "no";
	default:
		break;
	}
	if (decision->verdict == VERDICT_ANSWER)
		return "not asked";
	if (question == QUESTION_BODY_OVERRIDE && inquiry->body_open)
		return "open";
	return question == QUESTION_BODY_LIMIT &&
		       inquiry->plan.kind == BODY_CHUNKED
		   ? "open"
		   : "not asked";
}

/* For terminals: what is not visible is escaped as in JSON. */
static struct slice
visible(struct inquiry *inquiry, struct slice s)
{
	char *out = arena_alloc(&inquiry->arena, 6 * s.len + 8);

	return (struct slice){out, slice_escape_json(out, s, s.len)};
}

static const struct method_names *
own_names(const struct inquiry *inquiry)
{
	const struct site_rules *site = inquiry->decision.site;

	return site != NULL ? &site->own : NULL;
}

/* The method that goes upstream. */
static struct slice
sent_method(const struct inquiry *inquiry)
{
	const struct decision *decision = &inquiry->decision;

	return decision->sent != decision->method
		   ? method_name(decision->sent, own_names(inquiry))
		   : inquiry->head.method;
}

/* Who would run the method of a token, as override.def's "wire" says: "POST",
 * or "any (these), else POST". */
static struct slice
runners(const struct inquiry *inquiry, const struct override_row *row)
{
	struct slice who = slice_of(row->who), wire = slice_of(row->wire);
	size_t last = slice_find(wire, ')', 0);

	if (slice_eq(inquiry->head.method, SLICE("POST")) ||
	    slice_eq(wire, SLICE("any")))
		return who;
	if (!slice_starts(wire, SLICE("any (")) || last == wire.len)
		return SLICE_NONE;
	return (struct slice){wire.at + 5, last - 5};
}

/* ---- for people ---- */

static void
print_rule(const struct location_rules *location)
{
	printf("%s%.*s  %s:%u", location->exact ? "= " : "",
	    SLICE_ARG(location->pattern), location->file, location->line);
}

static void
print_place(const struct inquiry *inquiry)
{
	const struct decision *decision = &inquiry->decision;
	const struct site_rules *site = decision->site;

	printf("request    %s %s\n", inquiry->method, inquiry->url);
	if (site != NULL)
		printf("site       %.*s  %s:%u\n", SLICE_ARG(site->name),
		    site->file, site->line);
	if (decision->location != NULL) {
		printf("location   ");
		print_rule(decision->location);
		putchar('\n');
	}
	if (decision->report)
		puts("mode       report");
}

static void
print_grants(const struct inquiry *inquiry)
{
	const struct location_rules *location = inquiry->decision.location;

	for (unsigned i = 0; location != NULL && i < location->grant_count;
	     i++) {
		const struct grant *grant = &location->grants[i];

		if (inquiry->now >= grant->until)
			continue;
		printf("grant      ");
		cmd_print_grant(grant, own_names(inquiry));
		printf("  %s:%u\n", location->file, grant->line);
	}
}

static void
print_rate(const struct inquiry *inquiry)
{
	const struct decision *decision = &inquiry->decision;

	if (decision->location == NULL || decision->location->rate.number == 0)
		return;
	printf("rate       ");
	cmd_print_rate(&decision->location->rate);
	printf(" of each client, %s\n",
	    policy_costs_token(decision)
		? "asked after question 5: past it, 429 rate_limited"
		: "not asked");
}

static void
print_questions(const struct inquiry *inquiry)
{
	puts("questions");
	for (unsigned i = 1; i < QUESTION_COUNT; i++)
		printf("  %2u %-42s %s\n", i, questions[i],
		    answer_word(inquiry, i));
	if (inquiry->body_open)
		puts("     no body was given: see --form, --json-body and "
		     "--multipart");
}

/* What a reading's location means for this request. */
static const char *
consequence(const struct inquiry *inquiry, const struct found_reading *reading)
{
	const struct decision *decision = &inquiry->decision;

	if (reading->location == decision->location)
		return "";
	if (reading->hostile)
		return ", another location";
	if (reading->location == NULL)
		return "";
	return (policy_allowed(reading->location, inquiry->now) &
		   method_bit(decision->method)) != 0
		   ? ", which takes the method"
		   : ", which does not take the method";
}

/* Which rows of reading.def are to be told of. */
static uint32_t
rows_of(const struct found_readings *readings)
{
	const struct found_reading *reading;
	uint32_t rows = 0;

	for (reading = readings->first; reading != NULL;
	     reading = reading->next)
		rows |= reading->by;
	return rows;
}

static void
print_reading(struct inquiry *inquiry, const struct found_reading *reading)
{
	const char *comma = "";

	printf("  %.*s  %s: ", SLICE_ARG(visible(inquiry, reading->path)),
	    reading->hostile ? "hostile" : "benign");
	for (unsigned i = 0; i < READING_COUNT; i++)
		if ((reading->by & READING_BIT(i)) != 0) {
			printf("%s%s", comma, reading_row(i)->word);
			comma = ", ";
		}
	printf("\n      leads to ");
	if (reading->location != NULL)
		print_rule(reading->location);
	else
		printf("no location");
	puts(consequence(inquiry, reading));
}

static void
print_refused_path(enum reading why)
{
	if (why == READING_COUNT)
		puts("readings   too many: the path is refused");
	else
		printf("readings   %s: the path is refused (%s)\n",
		    reading_row(why)->word, reading_row(why)->who);
}

static void
print_readings(struct inquiry *inquiry)
{
	const struct found_readings *readings = &inquiry->readings;
	const struct found_reading *reading;
	uint32_t rows = rows_of(readings);

	if (readings->refused) {
		print_refused_path(readings->why);
		return;
	}
	if (readings->first == NULL)
		return;
	puts("readings");
	for (reading = readings->first; reading != NULL;
	     reading = reading->next)
		print_reading(inquiry, reading);
	puts("who reads so");
	for (unsigned i = 0; i < READING_COUNT; i++)
		if ((rows & READING_BIT(i)) != 0)
			printf("  %-16s  %s\n", reading_row(i)->word,
			    reading_row(i)->who);
}

static void
print_override(struct inquiry *inquiry, const struct override_token *token)
{
	const struct override_row *row = override_row(token->row);
	struct slice who = runners(inquiry, row);
	struct slice text =
	    visible(inquiry, (struct slice){token->token, token->len});

	printf("  %s %.*s = %.*s%s\n", override_place_word(row->place),
	    SLICE_ARG(row->name), SLICE_ARG(text), token->cut ? "..." : "");
	printf("      honoured by %s\n      from %s\n", row->who, row->wire);
	if (who.len == 0)
		printf("      of these, none would from %s\n", inquiry->method);
	else
		printf("      would run it as %.*s%s: %.*s\n", SLICE_ARG(text),
		    token->cut ? "..." : "", SLICE_ARG(who));
}

static void
print_override_set(struct inquiry *inquiry, const struct override_set *set)
{
	for (unsigned i = 0; i < set->count; i++)
		print_override(inquiry, &set->token[i]);
	if (set->full)
		puts("  and more");
}

static void
print_overrides(struct inquiry *inquiry)
{
	const struct decision *decision = &inquiry->decision;

	if (inquiry->head_names.count + inquiry->body_names.count == 0)
		return;
	puts("overrides");
	print_override_set(inquiry, &inquiry->head_names);
	print_override_set(inquiry, &inquiry->body_names);
	if (decision->strip && decision->verdict != VERDICT_ANSWER)
		puts("  fields that name a method do not go upstream "
		     "(override = strip)");
}

static void
print_flags(const struct inquiry *inquiry)
{
	if (inquiry->decision.flags == 0)
		return;
	puts("flags");
	for (unsigned i = 0; i < FLAG_COUNT; i++)
		if ((inquiry->decision.flags & FLAG_BIT(i)) != 0)
			printf("  %-16s  %s\n", flag_word(i), flag_text(i));
}

static void
print_answer(struct inquiry *inquiry)
{
	const struct decision *decision = &inquiry->decision;
	struct answer_facts facts = {.reason = decision->reason,
	    .status = decision->status,
	    .head = &inquiry->head,
	    .site = decision->site,
	    .location = decision->location,
	    .allow = decision->allow,
	    .has_allow = decision->has_allow,
	    .request_id = SLICE("(made for each request)"),
	    .gate = &inquiry->config->gate,
	    .now = inquiry->now};
	struct head head;
	struct slice body;

	answer_build(&facts, &inquiry->arena, &head, &body);
	printf("response   HTTP/1.1 %d %.*s\n", head.status,
	    SLICE_ARG(head.phrase));
	for (unsigned i = 0; i < head.field_count; i++)
		printf("           %.*s: %.*s\n",
		    SLICE_ARG(head.fields[i].name),
		    SLICE_ARG(head.fields[i].value));
	if (body.len > 0)
		printf("\n%.*s", SLICE_ARG(body));
}

/* What becomes of it on its way. */
static void
print_way(const struct inquiry *inquiry)
{
	const struct decision *decision = &inquiry->decision;

	if (decision->would != REASON_NONE)
		printf("           would have answered %d %s, forwarded "
		       "(mode = report)\n",
		    reason_status(decision->would),
		    reason_word(decision->would));
	if (decision->sent != decision->method)
		printf("           sent upstream as %.*s (rewrite_method, "
		       "%s:%u)\n",
		    SLICE_ARG(sent_method(inquiry)), decision->location->file,
		    location_of(decision->location)->rewrite_line);
	if (inquiry->stopped != REASON_NONE)
		printf("           but it ends here: %d %s\n",
		    reason_status(inquiry->stopped),
		    reason_word(inquiry->stopped));
}

static void
print_outcome(struct inquiry *inquiry)
{
	const struct decision *decision = &inquiry->decision;
	const struct upstream_config *upstream;

	if (decision->verdict == VERDICT_ANSWER) {
		printf("verdict    %d %s\n", decision->status,
		    reason_word(decision->reason));
		print_answer(inquiry);
		return;
	}
	upstream =
	    location_of(decision->location != NULL ? decision->location
						   : decision->site->fallback)
		->upstream;
	printf("verdict    forwarded to upstream %.*s:",
	    SLICE_ARG(upstream->name));
	for (unsigned i = 0; i < upstream->server_count; i++)
		printf(" %.*s", SLICE_ARG(upstream->servers[i].host));
	putchar('\n');
	print_way(inquiry);
}

void
explain_print_text(struct inquiry *inquiry)
{
	print_place(inquiry);
	print_grants(inquiry);
	print_rate(inquiry);
	print_questions(inquiry);
	print_readings(inquiry);
	print_overrides(inquiry);
	print_flags(inquiry);
	print_outcome(inquiry);
}

/* ---- JSON ---- */

static void
json_location(const struct location_rules *location)
{
	printf("\"location\":");
	if (location == NULL) {
		printf("null,\"rule\":null");
		return;
	}
	cmd_json_string(location->pattern);
	printf(",\"rule\":");
	cmd_json_rule(location->file, location->line);
}

static void
json_place(const struct inquiry *inquiry)
{
	const struct decision *decision = &inquiry->decision;

	printf("\"method\":");
	cmd_json_string(slice_of(inquiry->method));
	printf(",\"url\":");
	cmd_json_string(slice_of(inquiry->url));
	printf(",\"site\":");
	if (decision->site != NULL)
		cmd_json_string(decision->site->name);
	else
		printf("null");
	putchar(',');
	json_location(decision->location);
}

/* Status and reason, or null for both. */
static void
json_reason(enum reason reason)
{
	if (reason == REASON_NONE)
		printf("\"status\":null,\"reason\":null");
	else
		printf("\"status\":%d,\"reason\":\"%s\"", reason_status(reason),
		    reason_word(reason));
}

static void
json_verdict(const struct inquiry *inquiry)
{
	const struct decision *decision = &inquiry->decision;
	bool forward = decision->verdict != VERDICT_ANSWER;

	printf("\"verdict\":\"%s\",", forward ? "forward" : "answer");
	json_reason(forward ? REASON_NONE : decision->reason);
	printf(",\"allow\":");
	if (decision->has_allow)
		cmd_json_methods(decision->allow, own_names(inquiry));
	else
		printf("null");
	printf(
	    ",\"report\":%s,\"would\":", decision->report ? "true" : "false");
	if (decision->would == REASON_NONE) {
		printf("null");
	} else {
		putchar('{');
		json_reason(decision->would);
		putchar('}');
	}
	printf(",\"method_sent\":");
	if (forward)
		cmd_json_string(sent_method(inquiry));
	else
		printf("null");
}

static void
json_flags(flag_set flags)
{
	const char *comma = "";

	printf("\"flags\":[");
	for (unsigned i = 0; i < FLAG_COUNT; i++)
		if ((flags & FLAG_BIT(i)) != 0) {
			printf("%s\"%s\"", comma, flag_word(i));
			comma = ",";
		}
	putchar(']');
}

static void
json_reading_words(uint32_t by)
{
	const char *comma = "";

	printf("\"readings\":[");
	for (unsigned i = 0; i < READING_COUNT; i++)
		if ((by & READING_BIT(i)) != 0) {
			printf("%s\"%s\"", comma, reading_row(i)->word);
			comma = ",";
		}
	putchar(']');
}

static void
json_readings(const struct found_readings *readings)
{
	const struct found_reading *reading;

	printf("\"readings\":[");
	if (readings->refused) {
		printf("{\"path\":null,");
		json_reading_words(readings->why != READING_COUNT
				       ? READING_BIT(readings->why)
				       : 0);
		printf(",\"class\":\"refused\",\"location\":null,"
		       "\"rule\":null}");
	}
	for (reading = readings->first; reading != NULL;
	     reading = reading->next) {
		printf("%s{\"path\":", reading != readings->first ? "," : "");
		cmd_json_string(reading->path);
		putchar(',');
		json_reading_words(reading->by);
		printf(",\"class\":\"%s\",",
		    reading->hostile ? "hostile" : "benign");
		json_location(reading->location);
		putchar('}');
	}
	putchar(']');
}

static void
json_override(const struct inquiry *inquiry, const struct override_token *token)
{
	const struct override_row *row = override_row(token->row);

	printf("{\"place\":\"%s\",\"name\":", override_place_word(row->place));
	cmd_json_string(row->name);
	printf(",\"token\":");
	cmd_json_string((struct slice){token->token, token->len});
	printf(",\"who\":");
	cmd_json_string(slice_of(row->who));
	printf(",\"wire\":");
	cmd_json_string(slice_of(row->wire));
	printf(",\"run_by\":");
	cmd_json_string(runners(inquiry, row));
	putchar('}');
}

static void
json_overrides(const struct inquiry *inquiry)
{
	const struct override_set *sets[] = {
	    &inquiry->head_names, &inquiry->body_names};
	const char *comma = "";

	printf("\"overrides\":[");
	for (unsigned s = 0; s < 2; s++)
		for (unsigned i = 0; i < sets[s]->count; i++) {
			fputs(comma, stdout);
			json_override(inquiry, &sets[s]->token[i]);
			comma = ",";
		}
	putchar(']');
}

static void
json_questions(const struct inquiry *inquiry)
{
	printf("\"questions\":[");
	for (unsigned i = 1; i < QUESTION_COUNT; i++)
		printf("%s{\"number\":%u,\"name\":\"%s\",\"answer\":\"%s\"}",
		    i > 1 ? "," : "", i, questions[i], answer_word(inquiry, i));
	putchar(']');
}

void
explain_print_json(const struct inquiry *inquiry)
{
	const struct location_rules *location = inquiry->decision.location;

	putchar('{');
	json_place(inquiry);
	putchar(',');
	json_verdict(inquiry);
	putchar(',');
	json_flags(inquiry->decision.flags);
	printf(",\"rate\":");
	if (location != NULL)
		cmd_json_rate(&location->rate);
	else
		printf("null");
	printf(",\"grants\":");
	if (location != NULL)
		cmd_json_grants(location, own_names(inquiry), inquiry->now);
	else
		printf("[]");
	putchar(',');
	json_questions(inquiry);
	putchar(',');
	json_readings(&inquiry->readings);
	putchar(',');
	json_overrides(inquiry);
	printf("}\n");
}
