/* SPDX-License-Identifier: ISC */
/* config_keys: numbers with units, words and ranges, as the table says. */
#include "config_keys.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "config.h"

#define KILO UINT64_C(1024)
#define MEGA (1024 * KILO)
#define GIGA (1024 * MEGA)
#define TERA (1024 * GIGA)
#define SECOND UINT64_C(1000)
#define DAY (24 * 3600 * SECOND)

#define PLACE(type, field)                                                     \
	offsetof(struct type, field), sizeof(((struct type *)NULL)->field)
#define NOWHERE 0, 0

const struct config_key config_keys[KEY_COUNT] = {
#define KEY(section, id, name, type, least, most, words, place)                \
	[KEY_##id] = {                                                         \
	    SECTION_##section, name, TYPE_##type, least, most, words, place},
#include "config_keys.def"
#undef KEY
};

struct unit {
	const char *name;
	uint64_t factor;
};
/* Smallest first. */
static const struct unit size_units[] = {
    {"", 1}, {"k", KILO}, {"m", MEGA}, {"g", GIGA}, {NULL, 0}};
static const struct unit time_units[] = {{"ms", 1}, {"s", SECOND},
    {"m", 60 * SECOND}, {"h", 3600 * SECOND}, {"d", DAY}, {NULL, 0}};

static const char *const section_names[SECTION_COUNT] = {
    [SECTION_GATE] = "gate",
    [SECTION_SITE] = "site",
    [SECTION_UPSTREAM] = "upstream",
    [SECTION_LOCATION] = "location",
};

const char *
config_section_name(enum config_section section)
{
	return section_names[section];
}

enum config_section
config_section_find(struct slice name)
{
	unsigned i;

	for (i = 0; i < SECTION_COUNT; i++)
		if (slice_eq(name, slice_of(section_names[i])))
			break;
	return i;
}

enum config_key_id
config_key_find(enum config_section section, struct slice name)
{
	unsigned i;

	for (i = 0; i < KEY_COUNT; i++)
		if (config_keys[i].section == section &&
		    slice_eq(name, slice_of(config_keys[i].name)))
			break;
	return i;
}

enum config_section
config_key_home(struct slice name)
{
	unsigned i;

	for (i = 0; i < KEY_COUNT; i++)
		if (slice_eq(name, slice_of(config_keys[i].name)))
			return config_keys[i].section;
	return SECTION_COUNT;
}

#define WORD_MAX 32 /* bytes of a word that is compared */

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static unsigned
least_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Bytes put in, left out, changed, or swapped with their neighbour. */
static unsigned
distance(struct slice a, struct slice b)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2], *next;
	size_t i, j;

	for (j = 0; j <= b.len; j++)
		last[j] = (unsigned)j;
	for (i = 1; i <= a.len; i++) {
		now[0] = (unsigned)i;
		for (j = 1; j <= b.len; j++) {
			char x = lower(a.at[i - 1]), y = lower(b.at[j - 1]);

			now[j] = least_of(least_of(last[j], now[j - 1]) + 1,
			    last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == lower(b.at[j - 2]) &&
			    y == lower(a.at[i - 2]))
				now[j] = least_of(now[j], before[j - 2] + 1);
		}
		next = before;
		before = last;
		last = now;
		now = next;
	}
	return last[b.len];
}

/* Keeps the nearer of two candidates; one that differs in most of its bytes is
 * none. */
static void
consider(struct slice word, struct slice candidate, struct slice *best,
    unsigned *best_distance)
{
	unsigned far;

	if (word.len > WORD_MAX || candidate.len > WORD_MAX)
		return;
	far = distance(word, candidate);
	if (far > 2 || far * 2 > candidate.len || far >= *best_distance)
		return;
	*best = candidate;
	*best_distance = far;
}

const char *
config_key_nearest(enum config_section section, struct slice name)
{
	struct slice best = SLICE_NONE;
	unsigned i, best_distance = WORD_MAX;

	for (i = 0; i < KEY_COUNT; i++)
		if (config_keys[i].section == section)
			consider(name, slice_of(config_keys[i].name), &best,
			    &best_distance);
	return best.at;
}

struct slice
config_word_nearest(const char *words, struct slice word)
{
	struct slice rest = slice_of(words), candidate, best = SLICE_NONE;
	unsigned best_distance = WORD_MAX;

	while (slice_next(&rest, ' ', &candidate))
		consider(word, candidate, &best, &best_distance);
	return best;
}

static bool
is_time(const struct config_key *key)
{
	return key->type == TYPE_TIME || key->type == TYPE_TIME_MS;
}

static const struct unit *
units_of(const struct config_key *key)
{
	return is_time(key) ? time_units : size_units;
}

struct amount {
	uint64_t number;
	const char *unit;
};

/* In the largest unit that leaves a whole number. */
static struct amount
amount(const struct config_key *key, uint64_t value)
{
	struct amount shown = {value, ""};
	const struct unit *unit;

	if (key->type == TYPE_COUNT || value == 0)
		return shown;
	for (unit = units_of(key); unit->name != NULL; unit++)
		if (value % unit->factor == 0)
			shown =
			    (struct amount){value / unit->factor, unit->name};
	return shown;
}

static bool
in_range(const struct config_key *key, uint64_t number, uint64_t factor)
{
	return number <= key->most / factor && number * factor >= key->least;
}

static bool
refuse_range(const struct config_key *key, char *why)
{
	struct amount least = amount(key, key->least);
	struct amount most = amount(key, key->most);

	snprintf(why, CONFIG_WHY_MAX,
	    "out of range: %" PRIu64 "%s to %" PRIu64 "%s", least.number,
	    least.unit, most.number, most.unit);
	return false;
}

static bool
refuse_shape(const struct config_key *key, struct slice digits, char *why)
{
	if (key->type == TYPE_COUNT)
		snprintf(why, CONFIG_WHY_MAX, "not a number%s%s",
		    key->words[0] != '\0' ? " nor " : "", key->words);
	else if (!is_time(key))
		snprintf(why, CONFIG_WHY_MAX,
		    "not a size: write a number of bytes, or one with k, m or "
		    "g, such as 64k");
	else
		snprintf(why, CONFIG_WHY_MAX,
		    "not a time: write a number with %ss, m, h or d, such as "
		    "%.*ss",
		    key->type == TYPE_TIME_MS ? "ms, " : "",
		    digits.len > 0 && digits.len < 8 ? (int)digits.len : 2,
		    digits.len > 0 && digits.len < 8 ? digits.at : "10");
	return false;
}

static const struct unit *
unit_find(const struct config_key *key, struct slice name)
{
	const struct unit *unit;

	for (unit = units_of(key); unit->name != NULL; unit++)
		if (slice_eq(name, slice_of(unit->name)))
			return unit;
	return NULL;
}

/* Digits and a unit; a time without one is refused unless it is 0. */
static bool
read_number(
    const struct config_key *key, struct slice value, uint64_t *out, char *why)
{
	struct slice digits = {value.at, 0}, rest;
	const struct unit *unit;
	uint64_t number;

	while (digits.len < value.len && value.at[digits.len] >= '0' &&
	       value.at[digits.len] <= '9')
		digits.len++;
	rest = (struct slice){value.at + digits.len, value.len - digits.len};
	if (digits.len == 0 || (key->type == TYPE_COUNT && rest.len > 0))
		return refuse_shape(key, digits, why);
	if (!slice_to_u64(digits, &number))
		return refuse_range(key, why);
	unit = unit_find(key, rest);
	if (unit == NULL && number == 0 && rest.len == 0)
		unit = units_of(key);
	if (unit == NULL ||
	    (unit == time_units && number > 0 && key->type == TYPE_TIME))
		return refuse_shape(key, digits, why);
	if (!in_range(key, number, unit->factor))
		return refuse_range(key, why);
	*out = number * unit->factor;
	return true;
}

static bool
refuse_word(const struct config_key *key, struct slice value, char *why)
{
	struct slice near = config_word_nearest(key->words, value);

	if (strchr(key->words, ' ') == NULL)
		snprintf(why, CONFIG_WHY_MAX, "this version takes only %s",
		    key->words);
	else if (near.len > 0)
		snprintf(
		    why, CONFIG_WHY_MAX, "did you mean %.*s?", SLICE_ARG(near));
	else
		snprintf(why, CONFIG_WHY_MAX, "write one of: %s", key->words);
	return false;
}

static bool
read_word(
    const struct config_key *key, struct slice value, uint64_t *out, char *why)
{
	struct slice rest = slice_of(key->words), word;

	for (*out = 0; slice_next(&rest, ' ', &word); ++*out)
		if (slice_eq(word, value))
			return true;
	return refuse_word(key, value, why);
}

static void
store(const struct config_key *key, void *base, uint64_t value)
{
	char *to = (char *)base + key->at;
	uint32_t narrow = (uint32_t)value;
	bool truth = value != 0;

	switch (key->size) {
	case sizeof(truth):
		memcpy(to, &truth, sizeof(truth));
		return;
	case sizeof(narrow):
		memcpy(to, &narrow, sizeof(narrow));
		return;
	default:
		assert(key->size == sizeof(value));
		memcpy(to, &value, sizeof(value));
		return;
	}
}

bool
config_key_set(
    const struct config_key *key, void *base, struct slice value, char *why)
{
	uint64_t number = 0;
	bool good;

	assert(key->type != TYPE_TEXT && key->type != TYPE_LIST &&
	       key->type != TYPE_LINES);
	if (key->type == TYPE_COUNT && value.len > 0 &&
	    slice_eq(value, slice_of(key->words)))
		good = true;
	else if (key->type == TYPE_WORD)
		good = read_word(key, value, &number, why);
	else
		good = read_number(key, value, &number, why);
	if (good)
		store(key, base, number);
	return good;
}

static uint64_t
load(const struct config_key *key, const void *base)
{
	const char *from = (const char *)base + key->at;
	uint64_t value = 0;
	uint32_t narrow;
	bool truth;

	switch (key->size) {
	case sizeof(truth):
		memcpy(&truth, from, sizeof(truth));
		return truth;
	case sizeof(narrow):
		memcpy(&narrow, from, sizeof(narrow));
		return narrow;
	default:
		assert(key->size == sizeof(value));
		memcpy(&value, from, sizeof(value));
		return value;
	}
}

void
config_key_print(const struct config_key *key, const void *base, char *out)
{
	uint64_t value = load(key, base);
	struct amount shown = amount(key, value);
	struct slice rest = slice_of(key->words), word = SLICE_NONE;

	if (key->type == TYPE_WORD || (value == 0 && key->words[0] != '\0')) {
		for (uint64_t i = 0; i <= value; i++)
			slice_next(&rest, ' ', &word);
		snprintf(out, CONFIG_VALUE_MAX, "%.*s", SLICE_ARG(word));
		return;
	}
	snprintf(
	    out, CONFIG_VALUE_MAX, "%" PRIu64 "%s", shown.number, shown.unit);
}
