/* SPDX-License-Identifier: ISC */
/* explain_readings: the readings of reading.def, those of path_params, and on
 * top of each the one that folds letter case. */
#include "explain_readings.h"

#include "trie.h"

struct finding {
	const struct head *head;
	const struct site_rules *site;
	struct arena *arena;
	const struct location_rules *raw; /* where the raw path leads */
	struct found_readings *out;
};

static void
note(struct finding *f, const struct found_reading *reading)
{
	struct found_reading **end = &f->out->first, *copy;

	if (slice_eq(reading->path, f->head->path) &&
	    reading->location == f->raw)
		return;
	for (; *end != NULL; end = &(*end)->next)
		if (slice_eq((*end)->path, reading->path) &&
		    (*end)->location == reading->location)
			return;
	copy = arena_alloc(f->arena, sizeof(*copy));
	*copy = *reading;
	*end = copy;
}

static struct slice
lower(struct slice path, struct arena *arena)
{
	char *out = arena_alloc(arena, path.len);

	for (size_t i = 0; i < path.len; i++)
		out[i] = override_lower(path.at[i]);
	return (struct slice){out, path.len};
}

/* Several patterns may differ by case alone: each is where it leads to. */
static void
fold_case(struct finding *f, const struct found_reading *from)
{
	struct found_reading folded = {
	    .by = from->by | READING_BIT(READING_CASE)};

	if (f->site->folded == NULL)
		return;
	folded.path = lower(from->path, f->arena);
	folded.location = trie_find(f->site->folded, folded.path);
	if (slice_eq(folded.path, from->path) && !f->site->has_upper)
		return;
	do {
		note(f, &folded);
		if (folded.location != NULL)
			folded.location = folded.location->folded_next;
	} while (folded.location != NULL);
}

static void
note_path(struct finding *f, const struct reading_path *path)
{
	struct found_reading found = {.path = path->path,
	    .by = path->by,
	    .hostile = path->hostile,
	    .location = trie_find(f->site->locations, path->path)};

	note(f, &found);
	fold_case(f, &found);
}

void
explain_readings_find(const struct policy_facts *facts,
    const struct site_rules *site, struct found_readings *out)
{
	struct finding f = {.head = facts->head,
	    .site = site,
	    .arena = facts->arena,
	    .out = out};
	struct readings readings;

	*out = (struct found_readings){.first = NULL};
	if (site == NULL || f.head->path.len == 0 || f.head->path.at[0] != '/')
		return;
	f.raw = trie_find(site->locations, f.head->path);
	policy_readings(facts, site, &readings);
	out->refused = readings.refused;
	out->why = readings.why;
	for (unsigned i = 0; i < readings.count && !out->refused; i++)
		note_path(&f, &readings.path[i]);
}
