/* SPDX-License-Identifier: ISC */
/* reading: the first byte of the input says whether slashes are added; then
 * comes a path, and after a newline the path of a parameter. All that a slow
 * and simple search finds, with operators written anew, must be in the list,
 * and nothing else. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "reading.h"

#define TEXT_MAX 600	/* bytes of a path that the search looks at */
#define SEARCH_MAX 2048 /* states; refused long before there are more */

/* NUL-terminated; a path with a NUL byte of its own is refused. */
struct state {
	char text[TEXT_MAX + 4];
	unsigned decodes, once; /* bits of the benign operators */
};

struct search {
	struct state *states;
	size_t count;
	bool hostile_only, add_slash;
	bool forbidden; /* a path of class ALWAYS came up */
	size_t distinct;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* ---- operators: false where they may not be used ---- */

static bool
is_escape(const char *s)
{
	return s[0] == '%' && strspn(s + 1, "0123456789abcdefABCDEF") >= 2;
}

/* True when a NUL byte came up. */
static bool
decode(char *text, int but)
{
	char *to = text, digits[3] = {0};
	bool nul = false;

	for (const char *from = text; *from != '\0'; to++) {
		long byte = (unsigned char)*from;

		if (is_escape(from)) {
			memcpy(digits, from + 1, 2);
			byte = strtol(digits, NULL, 16);
			if (byte == but)
				byte = '%';
			else
				from += 2;
		}
		from++;
		*to = (char)byte;
		nul = nul || byte == 0;
	}
	*to = '\0';
	return nul;
}

static void
replace(char *text, const char *what, char with)
{
	for (; *text != '\0'; text++)
		if (strncasecmp(text, what, strlen(what)) == 0) {
			*text = with;
			memmove(text + 1, text + strlen(what),
			    strlen(text + strlen(what)) + 1);
		}
}

static void
merge(char *text)
{
	char *two;

	while ((two = strstr(text, "//")) != NULL)
		memmove(two, two + 1, strlen(two));
}

static void
drop_authority(char *text)
{
	size_t slashes = strspn(text, "/");
	const char *path = strchr(text + slashes, '/');

	if (slashes < 2 || text[slashes] == '\0')
		return;
	if (path == NULL)
		strcpy(text, "/");
	else
		memmove(text, path, strlen(path) + 1);
}

static void
drop_params(char *text)
{
	char *from;

	while ((from = strchr(text, ';')) != NULL)
		memmove(from, from + strcspn(from, "/"),
		    strlen(from + strcspn(from, "/")) + 1);
}

static bool
starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* RFC 3986 5.2.4, step by step as it stands there. */
static void
remove_dots(char *text)
{
	char in[TEXT_MAX + 8], out[TEXT_MAX + 8] = "", *at = in;
	size_t len;

	strcpy(in, text);
	while (*at != '\0') {
		if (starts(at, "/./")) {
			at += 2;
		} else if (strcmp(at, "/.") == 0) {
			*++at = '/';
		} else if (starts(at, "/../") || strcmp(at, "/..") == 0) {
			if (at[3] == '\0')
				at[2] = '/';
			at += at[3] == '\0' ? 2 : 3;
			if (strrchr(out, '/') != NULL)
				*strrchr(out, '/') = '\0';
		} else {
			len = 1 + strcspn(at + 1, "/");
			strncat(out, at, len);
			at += len;
		}
	}
	strcpy(text, out);
}

static void
drop_slash(char *text)
{
	while (strlen(text) > 1 && text[strlen(text) - 1] == '/')
		text[strlen(text) - 1] = '\0';
}

static void
drop_extension(char *text)
{
	char *segment = strrchr(text, '/') + 1, *dot = strrchr(segment, '.');

	if (dot != NULL && strspn(segment, ".") < (size_t)(dot - segment))
		*dot = '\0';
}

static void
drop_dots(char *text)
{
	char out[TEXT_MAX + 8] = "";
	const char *at = text;

	while (*at != '\0') {
		size_t len = strcspn(at + 1, "/"), dots;
		const char *segment = at + 1;
		size_t kept = len;

		while (kept > 0 && strchr(". ", segment[kept - 1]) != NULL)
			kept--;
		if (kept == 0) {
			for (dots = len; dots > 1 && segment[dots - 1] == ' ';)
				dots--;
			kept = dots;
		}
		strncat(out, at, 1 + kept);
		at = segment + len;
	}
	strcpy(text, out);
}

/* ---- what is refused ---- */

static bool
is_overlong(const unsigned char *s)
{
	static const struct {
		unsigned char lead, least; /* bits that must not all be 0 */
	} leads[] = {{0xe0, 0x20}, {0xf0, 0x10}, {0xf8, 0x08}, {0xfc, 0x04}};

	if (s[0] == 0xc0 || s[0] == 0xc1)
		return true;
	for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++)
		if (s[0] == leads[i].lead && s[1] >= 0x80 && s[1] < 0xc0 &&
		    (s[1] & 0x3f) < leads[i].least)
			return true;
	return false;
}

static bool
is_forbidden(const char *text)
{
	for (; *text != '\0'; text++)
		if (starts(text, "%00") || *text == '\n' || *text == '\r' ||
		    strncasecmp(text, "%0a", 3) == 0 ||
		    strncasecmp(text, "%0d", 3) == 0 ||
		    is_overlong((const unsigned char *)text) ||
		    ((starts(text, "%u") || starts(text, "%U")) &&
			strspn(text + 2, "0123456789abcdefABCDEF") >= 4))
			return true;
	return false;
}

/* ---- the search ---- */

static void
push(struct search *search, const struct state *state)
{
	bool known = false;

	for (size_t i = 0; i < search->count; i++) {
		const struct state *other = &search->states[i];

		if (strcmp(other->text, state->text) != 0)
			continue;
		if (other->decodes == state->decodes &&
		    other->once == state->once)
			return;
		known = true;
	}
	assert(search->count < SEARCH_MAX);
	search->states[search->count++] = *state;
	search->distinct += !known;
	search->forbidden = search->forbidden || is_forbidden(state->text);
}

/* By number: what the text becomes. False: it may not be used now. */
static bool
apply_hostile(struct state *state, unsigned number, bool *nul)
{
	switch (number) {
	case 0:
	case 1:
		*nul = decode(state->text, number == 0 ? -1 : '/');
		return ++state->decodes <= 2;
	case 2:
		replace(state->text, "%2e", '.');
		return true;
	case 3:
		replace(state->text, "%2f", '/');
		replace(state->text, "%5c", '\\');
		return true;
	case 4:
		replace(state->text, "\\", '/');
		return true;
	case 5:
		remove_dots(state->text);
		return true;
	case 6:
		merge(state->text);
		return true;
	case 7:
		drop_authority(state->text);
		return true;
	default:
		drop_params(state->text);
		return true;
	}
}

static bool
apply_benign(struct state *state, unsigned number)
{
	unsigned bit = 1u << (number < 3 ? number : 0);

	if ((state->once & bit) != 0)
		return false;
	state->once |= bit;
	if (number == 0)
		drop_slash(state->text);
	else if (number == 1)
		drop_extension(state->text);
	else if (number == 2)
		drop_dots(state->text);
	else if (state->text[strlen(state->text) - 1] != '/')
		strcat(state->text, "/");
	return true;
}

static void
step(struct search *search, size_t from)
{
	struct state state;
	bool nul = false;

	for (unsigned k = 0; k < 9; k++) {
		state = search->states[from];
		if (!apply_hostile(&state, k, &nul))
			continue;
		if (nul)
			search->forbidden = true;
		else if (strcmp(state.text, search->states[from].text) != 0)
			push(search, &state);
	}
	for (unsigned k = 0; k < 3u + search->add_slash; k++) {
		state = search->states[from];
		if (!search->hostile_only && apply_benign(&state, k) &&
		    strcmp(state.text, search->states[from].text) != 0)
			push(search, &state);
	}
}

/* Until all is found, or more than would be let through. */
static void
search_from(struct search *search, const char *text, size_t limit)
{
	struct state first = {.decodes = 0};

	strcpy(first.text, text);
	search->count = search->distinct = 0;
	search->forbidden = false;
	push(search, &first);
	for (size_t i = 0; i < search->count; i++) {
		if (search->forbidden || search->distinct > limit)
			return;
		step(search, i);
	}
}

/* ---- the comparison ---- */

static bool
is_listed(const struct readings *found, const char *text, bool hostile)
{
	for (unsigned i = 0; i < found->count; i++)
		if (slice_eq(found->path[i].path, slice_of(text)) &&
		    (found->path[i].hostile || !hostile))
			return true;
	return false;
}

static struct state states[SEARCH_MAX];

static unsigned
hostile_of(const struct readings *found)
{
	unsigned count = 0;

	while (count < found->count && found->path[count].hostile)
		count++;
	return count;
}

/* The hostile ones, or all. */
static bool
compare(const struct readings *found, const char *text, bool add_slash,
    bool hostile_only)
{
	struct search search = {.states = states,
	    .hostile_only = hostile_only,
	    .add_slash = add_slash};
	size_t limit = hostile_only ? READING_HOSTILE_MAX : READING_MAX;

	search_from(&search, text, limit);
	if (search.forbidden || search.distinct > limit)
		return false;
	if (found->refused)
		return true;
	assert(search.distinct ==
	       (hostile_only ? hostile_of(found) : found->count));
	for (size_t i = 0; i < search.count; i++)
		assert(is_listed(found, states[i].text, hostile_only));
	return true;
}

static void
compare_added(const struct readings *before, const struct readings *after,
    const char *text, bool add_slash)
{
	struct search search = {.states = states, .add_slash = add_slash};
	size_t more = 0;

	search_from(&search, text, READING_MAX);
	for (size_t i = 0; i < search.count; i++) {
		bool first = !is_listed(before, states[i].text, false);

		for (size_t k = 0; k < i; k++)
			first = first &&
				strcmp(states[k].text, states[i].text) != 0;
		more += first;
		assert(
		    after->refused || is_listed(after, states[i].text, false));
	}
	assert(after->refused ==
	       (search.forbidden || before->count + more > READING_MAX));
	assert(after->refused || after->count == before->count + more);
}

static void
check_list(const struct readings *found, size_t len)
{
	unsigned hostile = hostile_of(found);

	assert(found->count >= 1 && found->count <= READING_MAX);
	assert(hostile >= 1 && hostile <= READING_HOSTILE_MAX);
	for (unsigned i = 0; i < found->count; i++) {
		const struct reading_path *path = &found->path[i];

		assert(path->hostile == (i < hostile));
		assert(path->path.len <= len + 1);
		assert((path->by != 0) == (i > 0));
		for (unsigned k = 0; k < i; k++)
			assert(!slice_eq(path->path, found->path[k].path));
	}
}

static void
check_same(const struct readings *a, const struct readings *b)
{
	assert(a->refused == b->refused && a->why == b->why);
	assert(a->count == b->count);
	for (unsigned i = 0; i < a->count; i++) {
		assert(slice_eq(a->path[i].path, b->path[i].path));
		assert(a->path[i].by == b->path[i].by);
		assert(a->path[i].hostile == b->path[i].hostile);
	}
}

static bool
is_text(struct slice path)
{
	return path.len > 0 && path.at[0] == '/' && path.len < TEXT_MAX &&
	       memchr(path.at, '\0', path.len) == NULL;
}

static void
check_find(struct slice path, bool add_slash, struct arena *arena,
    struct readings *found)
{
	struct readings again;
	char text[TEXT_MAX];

	reading_find(path, add_slash, arena, found);
	check_list(found, path.len);
	assert(found->path[0].path.at == path.at);
	assert(found->path[0].path.len == path.len);
	reading_find(path, add_slash, arena, &again);
	check_same(found, &again);
	if (!reading_triggered(path) && !add_slash)
		assert(found->count == 1 && !found->refused);
	if (path.len == 0 || path.at[0] != '/')
		assert(found->count == 1 && !found->refused);
	else if (memchr(path.at, '\0', path.len) != NULL)
		assert(found->refused);
	if (!is_text(path))
		return;
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(path));
	assert(found->refused == !(compare(found, text, add_slash, true) &&
				     compare(found, text, add_slash, false)));
}

static void
check_add(struct slice path, bool add_slash, struct arena *arena,
    struct readings *found)
{
	struct readings before = *found;
	char text[TEXT_MAX];
	unsigned hostile = hostile_of(found);

	reading_add(path, add_slash, arena, found);
	check_list(found, path.len > before.path[0].path.len
			      ? path.len
			      : before.path[0].path.len);
	assert(found->count >= before.count && hostile == hostile_of(found));
	for (unsigned i = before.count; i < found->count; i++)
		assert(found->path[i].by & READING_BIT(READING_PATH_PARAM));
	if (before.refused || path.len == 0 || path.at[0] != '/') {
		check_same(&before, found);
		return;
	}
	if (!is_text(path) || before.path[0].path.len >= TEXT_MAX)
		return;
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(path));
	compare_added(&before, found, text, add_slash);
}

/* In a block of its own. */
static struct slice
own_copy(struct slice s)
{
	char *copy = malloc(s.len > 0 ? s.len : 1);

	if (s.len > 0)
		memcpy(copy, s.at, s.len);
	return (struct slice){copy, s.len};
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	/* Blocks so small that each allocation has one for itself. */
	struct pool pool;
	struct arena arena;
	struct slice in = {(const char *)bytes + 1, size - 1}, path, param;
	struct readings found;
	size_t end;

	if (size == 0)
		return 0;
	end = slice_find(in, '\n', 0);
	path = own_copy((struct slice){in.at, end});
	param = own_copy((struct slice){in.at + end, in.len - end});
	pool_init(&pool, 48, 0);
	arena_init(&arena, &pool);
	check_find(path, (bytes[0] & 1) != 0, &arena, &found);
	if (param.len > 0)
		check_add((struct slice){param.at + 1, param.len - 1},
		    (bytes[0] & 1) != 0, &arena, &found);
	arena_done(&arena);
	free((char *)path.at);
	free((char *)param.at);
	return 0;
}
