/* SPDX-License-Identifier: ISC */
/* cmd_diff: both configurations are told as facts; what only one of them has
 * is what changes. */
#include "cmd_diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "facts.h"

static int
compare(struct slice a, struct slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len > 0 ? memcmp(a.at, b.at, len) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The methods of a location are told in one line. */
static bool
is_method(const struct fact *fact)
{
	return slice_eq(fact->key, SLICE("allow"));
}

/* By subject, its methods first, then by key. */
static int
by_key(const struct fact *a, const struct fact *b)
{
	int order = compare(a->subject->text, b->subject->text);

	if (order == 0)
		order = is_method(b) - is_method(a);
	return order != 0 ? order : compare(a->key, b->key);
}

/* The same facts stand side by side. */
static int
by_value(const void *left, const void *right)
{
	const struct fact *a = left, *b = right;
	int order = by_key(a, b);

	if (order == 0)
		order = compare(a->value, b->value);
	return order != 0 ? order : b->sign - a->sign;
}

/* What is gone before what is new. */
static int
by_sign(const void *left, const void *right)
{
	const struct fact *a = left, *b = right;
	int order = by_key(a, b);

	if (order == 0)
		order = b->sign - a->sign;
	return order != 0 ? order : compare(a->value, b->value);
}

static bool
same(const struct fact *a, const struct fact *b)
{
	return by_key(a, b) == 0 && slice_eq(a->value, b->value);
}

/* Drops what both say; a list may say a thing twice. */
static void
drop_common(struct facts *facts)
{
	struct fact *all = facts->all;
	size_t kept = 0, from, to;

	for (from = 0; from < facts->count; from = to) {
		for (to = from + 1;
		     to < facts->count && same(&all[from], &all[to]); to++)
			continue;
		if (all[from].sign == all[to - 1].sign)
			all[kept++] = all[from];
	}
	facts->count = kept;
}

/* The methods of a location, or one other fact; how many were told. */
static size_t
print_one(const struct fact *facts, size_t count)
{
	const struct fact *first = &facts[0];
	const char *equals = is_method(first) ? "" : "= ";
	size_t told = 1;

	printf("%c %.*s: %.*s", first->sign, SLICE_ARG(first->subject->text),
	    SLICE_ARG(first->key));
	if (first->value.len > 0)
		printf(" %s%.*s", equals, SLICE_ARG(first->value));
	if (slice_eq(first->key, slice_of(config_keys[KEY_WORKERS].name)))
		printf(" (takes a restart)");
	for (; is_method(first) && told < count && is_method(&facts[told]) &&
	       facts[told].sign == first->sign &&
	       by_key(&facts[told], first) == 0;
	     told++)
		printf(" %.*s", SLICE_ARG(facts[told].value));
	if (first->line > 0)
		printf("  %s:%u", first->file, first->line);
	putchar('\n');
	return told;
}

static void
print_text(const struct facts *facts)
{
	for (size_t i = 0; i < facts->count;)
		i += print_one(&facts->all[i], facts->count - i);
	if (facts->count == 0)
		puts("no changes");
}

static void
print_json_subject(const struct fact_subject *subject)
{
	printf("\"section\":\"%s\"", config_section_name(subject->section));
	if (subject->site.len > 0) {
		printf(",\"site\":");
		cmd_json_string(subject->site);
	}
	if (subject->name.len > 0) {
		printf(",\"%s\":", config_section_name(subject->section));
		cmd_json_string(subject->name);
	}
	if (subject->rules != NULL)
		printf(
		    ",\"exact\":%s", subject->rules->exact ? "true" : "false");
}

static void
print_json(const struct facts *facts)
{
	putchar('[');
	for (size_t i = 0; i < facts->count; i++) {
		const struct fact *fact = &facts->all[i];

		printf("%s{\"change\":\"%c\",", i > 0 ? ",\n" : "", fact->sign);
		print_json_subject(fact->subject);
		printf(",\"key\":");
		cmd_json_string(fact->key);
		printf(",\"value\":");
		if (fact->value.len > 0)
			cmd_json_string(fact->value);
		else
			printf("null");
		printf(",\"rule\":");
		if (fact->line > 0)
			cmd_json_rule(fact->file, fact->line);
		else
			printf("null");
		putchar('}');
	}
	puts("]");
}

bool
cmd_diff(
    const struct config *from, const struct config *to, enum cmd_diff_form form)
{
	bool alone = from->site_count == 1 && to->site_count == 1, changes;
	struct slice name = alone ? to->sites[0]->rules.name : SLICE_NONE;
	struct facts facts;

	facts_init(&facts);
	facts_tell(&facts, from, name, '-');
	facts_tell(&facts, to, name, '+');
	qsort(facts.all, facts.count, sizeof(*facts.all), by_value);
	drop_common(&facts);
	qsort(facts.all, facts.count, sizeof(*facts.all), by_sign);
	changes = facts.count > 0;
	if (form == CMD_DIFF_TEXT)
		print_text(&facts);
	else if (form == CMD_DIFF_JSON)
		print_json(&facts);
	facts_done(&facts);
	return changes;
}
