/* SPDX-License-Identifier: ISC */
/* config_patterns: every question is put to the trie, with a path that shows
 * it; only patterns with '*' are compared with others one by one. */
#include "config_patterns.h"

#include "reading.h"

/* Pairs that are compared at most; a fraction of a second. */
#define PAIRS_MAX 2000000u

struct looking {
	struct config_notes *notes;
	const struct config_file *file;
	const struct site *site;
	unsigned pairs; /* compared so far */
};

static const char *
quote(struct looking *l, struct slice word)
{
	return config_quote(l->notes, word);
}

static struct location_rules *
rules_at(const struct site *site, unsigned i)
{
	return &site->locations[i]->rules;
}

/* Letters of one case: those from 'a' or from 'A' on. */
static bool
has_letter(struct slice s, char first)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.at[i] >= first && s.at[i] <= first + ('Z' - 'A'))
			return true;
	return false;
}

static struct slice
turn_case(struct slice s, char first, char *out)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		char c = s.at[i];
		bool turns = c >= first && c <= first + ('Z' - 'A');

		out[i] = turns ? (char)(c ^ 0x20) : c;
	}
	return (struct slice){out, s.len};
}

/* Of the locations whose patterns are the same in lower case, the first stands
 * in the trie and leads to the others. */
static void
fold(struct site_rules *site, struct location_rules *rules)
{
	char lower[CONFIG_LINE_MAX];
	struct location_rules *first = trie_add(site->folded,
	    turn_case(rules->pattern, 'A', lower), rules->exact, rules);

	if (first == NULL)
		return;
	rules->folded_next = first->folded_next;
	first->folded_next = rules;
}

/* A path leads to all of them at once. */
static uint64_t
folded_bits(const void *value)
{
	const struct location_rules *rules = value;
	uint64_t bits = ~(uint64_t)0;

	for (; rules != NULL; rules = rules->folded_next)
		bits &= policy_location_bits(rules);
	return bits;
}

static void
seal_folded(struct site *site)
{
	struct site_rules *rules = &site->rules;
	unsigned i;

	rules->folded = rules->locations;
	if (!rules->has_upper)
		return;
	rules->folded = trie_new();
	for (i = 0; i < site->location_count; i++)
		/* Anything else was refused. */
		if (slice_starts(rules_at(site, i)->pattern, SLICE("/")))
			fold(rules, rules_at(site, i));
	trie_measure(rules->folded, folded_bits);
	trie_seal(rules->folded);
}

void
config_patterns_seal(struct site *site)
{
	struct site_rules *rules = &site->rules;
	struct slice pattern;
	unsigned i;

	for (i = 0; i < site->location_count; i++) {
		pattern = rules_at(site, i)->pattern;
		if (has_letter(pattern, 'A'))
			rules->has_upper = true;
		if (pattern.len > 1 && pattern.at[pattern.len - 1] == '/')
			rules->has_slash = true;
	}
	trie_measure(rules->locations, policy_location_bits);
	trie_seal(rules->locations);
	if (!site->path_case_exact)
		seal_folded(site);
}

/* Warnings. What a location allows and another does not: printed to names. */

static size_t
names_of(const struct looking *l, method_set set, char *names)
{
	return method_set_print(
	    set, &l->site->rules.own, names, METHOD_LIST_MAX);
}

static method_set
beyond(const struct location_rules *one, const struct location_rules *other)
{
	return one->allow & ~other->allow;
}

static method_set
unsafe_of(method_set set)
{
	method_set left, unsafe = 0;

	for (left = set; left != 0; left &= left - 1)
		if (!method_is_safe((unsigned)__builtin_ctzll(left)))
			unsafe |= left & -left;
	return unsafe;
}

/* A pattern whose own path is read as one of another location. */
static void
warn_of_readings(struct looking *l, const struct location_rules *rules)
{
	const char *shown = quote(l, rules->pattern);
	struct readings readings;
	struct arena arena;
	unsigned i;

	if (!reading_triggered(rules->pattern))
		return;
	arena_init(&arena, NULL);
	reading_find(rules->pattern, false, &arena, &readings);
	for (i = 1; i < readings.count && !readings.refused; i++) {
		struct slice path = readings.path[i].path;

		if (!readings.path[i].hostile ||
		    trie_find(l->site->rules.locations, path) == rules)
			continue;
		config_warn(l->notes, l->file, rules->line,
		    "location %s is never reached: servers read that path as "
		    "%s too, which is elsewhere, so it is answered 400",
		    shown, quote(l, path));
		break;
	}
	if (readings.refused)
		config_warn(l->notes, l->file, rules->line,
		    "location %s is never reached: such a path is answered 400",
		    shown);
	arena_done(&arena);
}

/* Both of them hold for each other's paths. */
static void
warn_of_twin(struct looking *l, const struct location_rules *one,
    const struct location_rules *other)
{
	char names[METHOD_LIST_MAX];

	if (names_of(l, beyond(one, other), names) == 0)
		return;
	config_warn(l->notes, l->file, one->line,
	    "location %s allows %s in vain: %s (%s:%u), which only letter case "
	    "sets apart, does not, and both hold",
	    quote(l, one->pattern), names, quote(l, other->pattern),
	    other->file, other->line);
}

/* With path_case = exact. */
static void
warn_of_case(struct looking *l, const struct location_rules *rules)
{
	char turned[CONFIG_LINE_MAX], names[METHOD_LIST_MAX];
	char first = has_letter(rules->pattern, 'a') ? 'a' : 'A';
	struct slice path = turn_case(rules->pattern, first, turned);
	const struct location_rules *other =
	    trie_find(l->site->rules.locations, path);

	if (other == NULL || other == rules ||
	    names_of(l, unsafe_of(beyond(other, rules)), names) == 0)
		return;
	config_warn(l->notes, l->file, rules->line,
	    "location %s does not take %s, but %s (%s:%u) does for %s, which "
	    "many applications take for the same: path_case = both holds it "
	    "to this location too",
	    quote(l, rules->pattern), names, quote(l, other->pattern),
	    other->file, other->line, quote(l, path));
}

/* PHP and CGI run "/a.php/x" as "/a.php". */
static void
warn_of_suffix(struct looking *l, const struct location_rules *rules)
{
	char path[CONFIG_LINE_MAX + 2], names[METHOD_LIST_MAX];
	struct slice pattern = rules->pattern;
	const char *slash = memrchr(pattern.at, '/', pattern.len);
	size_t last = (size_t)(slash - pattern.at) + 1;
	const struct location_rules *other;

	if (!rules->exact || slice_find(pattern, '.', last + 1) >= pattern.len)
		return;
	memcpy(path, pattern.at, pattern.len);
	memcpy(path + pattern.len, "/x", 2);
	other = trie_find(
	    l->site->rules.locations, (struct slice){path, pattern.len + 2});
	if (other == NULL ||
	    names_of(l, unsafe_of(beyond(other, rules)), names) == 0)
		return;
	config_warn(l->notes, l->file, rules->line,
	    "location = %s does not take %s, but %s (%s:%u) does for %s/x, "
	    "which PHP and CGI run as the same: without the '=' this location "
	    "would hold there too",
	    quote(l, pattern), names, quote(l, other->pattern), other->file,
	    other->line, quote(l, pattern));
}

/* Overlaps */

static struct slice
next_segment(struct slice path, size_t *at)
{
	size_t from = *at + 1;

	*at = slice_find(path, '/', from);
	return (struct slice){path.at + from, *at - from};
}

static bool
is_star(struct slice segment)
{
	return slice_eq(segment, SLICE("*"));
}

/* A path that fits both patterns, in out, of 2 * CONFIG_LINE_MAX bytes; or
 * SLICE_NONE where there is none, where the second is the longer one, and where
 * it names no segment that the first leaves open: then it is around it. */
static struct slice
meet(struct slice one, const struct location_rules *other, char *out)
{
	size_t at = 0, at_other = 0, len = 0;
	bool named = false;

	while (at < one.len && at_other < other->pattern.len) {
		struct slice a = next_segment(one, &at);
		struct slice b = next_segment(other->pattern, &at_other);
		struct slice segment = is_star(a) ? b : a;

		if (!slice_eq(a, b) &&
		    ((!is_star(a) && !is_star(b)) || segment.len == 0))
			return SLICE_NONE;
		named = named || !slice_eq(segment, a);
		out[len++] = '/';
		memcpy(out + len, segment.at, segment.len);
		len += segment.len;
	}
	if (!named || at_other < other->pattern.len ||
	    (other->exact && at < one.len))
		return SLICE_NONE;
	memcpy(out + len, one.at + at, one.len - at);
	return (struct slice){out, len + one.len - at};
}

/* True, and noted, when a path that the other one names is decided by this
 * one, which allows more. */
static bool
reaches_into(struct looking *l, const struct location_rules *rules,
    const struct location_rules *other)
{
	char path[2 * CONFIG_LINE_MAX], names[METHOD_LIST_MAX];
	method_set more = beyond(rules, other);
	struct slice shared;

	if (more == 0)
		return false;
	shared = meet(rules->pattern, other, path);
	if (shared.len == 0 ||
	    trie_find(l->site->rules.locations, shared) != rules)
		return false;
	names_of(l, more, names);
	config_warn(l->notes, l->file, rules->line,
	    "location %s decides for %s too, and allows %s, which %s (%s:%u) "
	    "does not",
	    quote(l, rules->pattern), quote(l, shared), names,
	    quote(l, other->pattern), other->file, other->line);
	return true;
}

static bool
has_star(struct slice pattern)
{
	size_t at = 0;

	while (at < pattern.len)
		if (is_star(next_segment(pattern, &at)))
			return true;
	return false;
}

/* The first one that a pattern with '*' reaches into is enough. */
static void
warn_of_overlaps(struct looking *l, const struct location_rules *rules)
{
	unsigned i;

	if (!has_star(rules->pattern) || l->pairs > PAIRS_MAX)
		return;
	for (i = 0; i < l->site->location_count; i++) {
		if (l->pairs++ == PAIRS_MAX) {
			config_warn(l->notes, l->file, l->site->rules.line,
			    "too many patterns with '*' to compare: none from "
			    "%s (line %u) on was checked for overlaps",
			    quote(l, rules->pattern), rules->line);
			return;
		}
		if (reaches_into(l, rules, rules_at(l->site, i)))
			return;
	}
}

void
config_patterns_warn(struct config_notes *notes, const struct config_file *file,
    const struct site *site)
{
	struct looking l = {.notes = notes, .file = file, .site = site};
	const struct location_rules *rules;
	unsigned i;

	for (i = 0; i < site->location_count; i++) {
		rules = rules_at(site, i);
		warn_of_readings(&l, rules);
		warn_of_suffix(&l, rules);
		warn_of_overlaps(&l, rules);
		if (site->path_case_exact)
			warn_of_case(&l, rules);
		if (rules->folded_next == NULL)
			continue;
		warn_of_twin(&l, rules, rules->folded_next);
		warn_of_twin(&l, rules->folded_next, rules);
	}
}
