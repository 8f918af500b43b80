/* SPDX-License-Identifier: ISC */
/* policy: the input is a site, an empty line, and a request, with newlines:
 *
 *   cp                c: letter case is judged too, p: path_params, r: report,
 *                     x: another host is asked for
 *   e/admin GH        override mode, pattern ("=" before an exact one), methods
 *   elgw/small GHAP   l: body_limit, g: no body on GET, w: PATCH becomes POST
 *
 *   POST /x?_method=PUT
 *   X-HTTP-Method-Override: PUT
 *
 *   body
 *
 * Another judge decides too, without tries: it goes through all patterns for
 * each reading. What is forwarded it must allow, and what is not it must not.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "dav.h"
#include "h1_head.h"
#include "override_scan.h"
#include "policy.h"
#include "reading.h"
#include "uri.h"

#define LOCATIONS 8
#define PATTERN_MAX 64 /* bytes */
#define SEGMENTS 4096
#define FIELDS 16
#define BODY_LIMIT 10

struct world {
	struct site_rules site, other;
	struct location_rules locations[LOCATIONS];
	unsigned count;
	struct hosts *door;
	struct arena arena;
	bool folds, report, elsewhere;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* ---- the site ---- */

static struct slice
next_line(struct slice *rest)
{
	size_t end = slice_find(*rest, '\n', 0);
	struct slice line = {rest->at, end};

	if (end < rest->len)
		end++;
	rest->at += end;
	rest->len -= end;
	return line;
}

static method_set
methods_of(struct slice letters)
{
	static const struct {
		char letter;
		unsigned method;
	} methods[] = {{'G', METHOD_GET}, {'H', METHOD_HEAD},
	    {'P', METHOD_POST}, {'U', METHOD_PUT}, {'D', METHOD_DELETE},
	    {'O', METHOD_OPTIONS}, {'F', METHOD_PROPFIND}, {'C', METHOD_COPY},
	    {'M', METHOD_MOVE}, {'L', METHOD_LOCK}, {'A', METHOD_PATCH}};
	method_set set = 0;

	for (size_t i = 0; i < letters.len; i++)
		for (size_t k = 0; k < sizeof(methods) / sizeof(*methods); k++)
			if (letters.at[i] == methods[k].letter)
				set |= method_bit(methods[k].method);
	return set;
}

static struct slice
lower(struct world *world, struct slice s)
{
	char *out = arena_alloc(&world->arena, s.len);

	for (size_t i = 0; i < s.len; i++)
		out[i] = s.at[i] >= 'A' && s.at[i] <= 'Z' ? (char)(s.at[i] + 32)
							  : s.at[i];
	return (struct slice){out, s.len};
}

static void
fold(struct world *world, struct location_rules *location)
{
	struct slice pattern = lower(world, location->pattern);
	struct location_rules *first =
	    trie_add(world->site.folded, pattern, location->exact, location);

	if (!slice_eq(pattern, location->pattern))
		world->site.has_upper = true;
	if (first == NULL)
		return;
	location->folded_next = first->folded_next;
	first->folded_next = location;
}

/* The letters and "=" before a pattern; *rest starts with the pattern then, if
 * the line is well formed. */
static void
read_location(struct location_rules *location, struct slice *rest)
{
	static const char modes[] = "edsf";
	const char *mode;

	*location = (struct location_rules){
	    .rewrite_from = METHOD_NONE, .rewrite_to = METHOD_NONE};
	for (; rest->len > 0 && rest->at[0] != '/'; rest->at++, rest->len--) {
		mode = memchr(modes, rest->at[0], sizeof(modes) - 1);
		if (mode != NULL)
			location->override = (enum override_mode)(mode - modes);
		if (rest->at[0] == '=')
			location->exact = true;
		if (rest->at[0] == 'l')
			location->body_limit = BODY_LIMIT;
		if (rest->at[0] == 'g')
			location->deny_body_on_get = true;
		if (rest->at[0] == 'w') {
			location->rewrite_from = METHOD_PATCH;
			location->rewrite_to = METHOD_POST;
		}
	}
}

static void
add_location(struct world *world, struct slice line)
{
	struct location_rules *location = &world->locations[world->count];
	size_t space;

	if (world->count == LOCATIONS)
		return;
	read_location(location, &line);
	space = slice_find(line, ' ', 0);
	if (line.len == 0 || space == line.len || space > PATTERN_MAX)
		return;
	location->report = world->report;
	location->pattern = (struct slice){line.at, space};
	location->allow =
	    methods_of((struct slice){line.at + space, line.len - space});
	/* As the configuration demands. */
	if (location->rewrite_from != METHOD_NONE)
		location->allow |= methods_of(SLICE("AP"));
	if (trie_add(world->site.locations, location->pattern, location->exact,
		location) != NULL)
		return;
	world->count++;
	world->site.supported |= location->allow;
	if (space > 1 && line.at[space - 1] == '/')
		world->site.has_slash = true;
	if (world->folds)
		fold(world, location);
}

static void
set_options(struct world *world, struct slice line)
{
	static const struct slice param = {"rest_route", 10};

	world->folds = slice_find(line, 'c', 0) < line.len;
	world->report = slice_find(line, 'r', 0) < line.len;
	world->elsewhere = slice_find(line, 'x', 0) < line.len;
	world->site.report = world->report;
	if (slice_find(line, 'p', 0) < line.len) {
		world->site.path_params = &param;
		world->site.path_param_count = 1;
	}
	world->site.locations = trie_new();
	if (world->folds)
		world->site.folded = trie_new();
}

/* What is left of *rest is the request. */
static void
build(struct world *world, struct slice *rest)
{
	struct slice line;

	*world = (struct world){.door = hosts_new()};
	arena_init(&world->arena, NULL);
	set_options(world, next_line(rest));
	while ((line = next_line(rest)).len > 0)
		add_location(world, line);
	trie_measure(world->site.locations, policy_location_bits);
	trie_seal(world->site.locations);
	if (world->folds) {
		trie_measure(world->site.folded, policy_location_bits);
		trie_seal(world->site.folded);
	}
	if (world->count > 0)
		world->site.fallback = &world->locations[0];
	hosts_add(world->door, SLICE("a.example"), &world->site);
	hosts_add(world->door, SLICE("b.example"), &world->other);
}

static void
tear_down(struct world *world)
{
	trie_free(world->site.locations);
	trie_free(world->site.folded);
	hosts_free(world->door);
	arena_done(&world->arena);
}

/* ---- the other judge: patterns ---- */

/* Segments of a path or a pattern; of the prefix "/" none. */
static size_t
split(struct slice s, struct slice *out, bool prefix)
{
	size_t count = 0, from, to;

	if (prefix && s.len == 1)
		return 0;
	for (from = 0; from < s.len && count < SEGMENTS; from = to) {
		to = slice_find(s, '/', from + 1);
		out[count++] = (struct slice){s.at + from + 1, to - from - 1};
	}
	return count;
}

static bool
is_star(struct slice segment)
{
	return slice_eq(segment, SLICE("*"));
}

/* A pattern that is laid on a path. */
struct laid {
	const struct location_rules *location;
	struct slice segments[PATTERN_MAX];
	size_t count;
};

static bool
lay(struct world *world, const struct location_rules *location, bool folded,
    struct laid *laid)
{
	struct slice pattern =
	    folded ? lower(world, location->pattern) : location->pattern;

	if (pattern.len > 64)
		return false;
	laid->location = location;
	laid->count = split(pattern, laid->segments, !location->exact);
	return true;
}

/* The first so many segments are alike. */
static bool
agrees(const struct laid *laid, const struct slice *path, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_star(laid->segments[i])
			? path[i].len == 0
			: !slice_eq(laid->segments[i], path[i]))
			return false;
	return true;
}

static bool
matches(const struct laid *laid, const struct slice *path, size_t count)
{
	if (laid->location->exact ? laid->count != count : laid->count > count)
		return false;
	return agrees(laid, path, laid->count);
}

/* Above 0: a is better. 0: they are the same but for letter case. */
static int
compare(const struct laid *a, const struct laid *b)
{
	if (a->count != b->count)
		return a->count > b->count ? 1 : -1;
	if (a->location->exact != b->location->exact)
		return a->location->exact ? 1 : -1;
	for (size_t i = 0; i < a->count; i++)
		if (is_star(a->segments[i]) != is_star(b->segments[i]))
			return is_star(b->segments[i]) ? 1 : -1;
	return 0;
}

struct found {
	const struct location_rules *best; /* or NULL */
	method_set allow;		   /* of all that are the best */
	method_set below;
};

static struct slice path_segments[SEGMENTS];

static void
look_below(struct found *found, const struct laid *laid, size_t count)
{
	if (laid->count > count && agrees(laid, path_segments, count))
		found->below &= laid->location->allow;
}

static struct found
find(struct world *world, struct slice path, bool folded, bool prefix_only)
{
	struct found found = {.allow = UINT64_MAX, .below = UINT64_MAX};
	struct laid best = {.count = 0}, laid;
	size_t count;

	if (folded)
		path = lower(world, path);
	if (prefix_only && path.at[path.len - 1] == '/')
		path.len--;
	count = split(path, path_segments, false);
	for (unsigned i = 0; i < world->count; i++) {
		lay(world, &world->locations[i], folded, &laid);
		look_below(&found, &laid, count);
		if (!matches(&laid, path_segments, count) ||
		    (prefix_only && laid.location->exact))
			continue;
		if (found.best == NULL || compare(&laid, &best) > 0) {
			found.allow = laid.location->allow;
			found.best = laid.location;
			best = laid;
		} else if (compare(&laid, &best) == 0) {
			found.allow &= laid.location->allow;
		}
	}
	if (prefix_only && found.best != NULL)
		found.below &= found.allow;
	return found;
}

/* ---- the other judge: requests ---- */

struct judged {
	const struct location_rules *location; /* of the raw path */
	method_set allow, below;	       /* in every reading */
	bool ambiguous;
};

static void
judge_as(
    struct world *world, struct slice path, bool hostile, struct judged *judged)
{
	struct found found = find(world, path, false, false);

	if (hostile && found.best != judged->location)
		judged->ambiguous = true;
	else if (found.best != NULL)
		judged->allow &= found.best->allow;
	judged->below &= find(world, path, false, true).below;
	if (!world->folds)
		return;
	found = find(world, path, true, false);
	if (found.best != NULL)
		judged->allow &= found.allow;
	judged->below &= find(world, path, true, true).below;
}

static struct judged
judge_path(struct world *world, struct slice path, const struct readings *list)
{
	struct judged judged = {.below = UINT64_MAX};

	if (path.len == 0 || path.at[0] != '/')
		return judged;
	judged.location = find(world, path, false, false).best;
	judged.ambiguous = list->refused;
	if (judged.location != NULL)
		judged.allow = UINT64_MAX;
	for (unsigned i = 0; i < list->count && !list->refused; i++)
		judge_as(
		    world, list->path[i].path, list->path[i].hostile, &judged);
	return judged;
}

/* Question 7 and 11. */
static bool
may_override(const struct judged *judged, const struct override_set *set)
{
	enum override_mode mode = judged->location->override;

	if (mode == OVERRIDE_MODE_FLAG || set->count == 0)
		return true;
	if (mode == OVERRIDE_MODE_DENY)
		return false;
	for (unsigned i = 0; i < set->count; i++) {
		const struct override_token *token = &set->token[i];
		unsigned method =
		    method_find((struct slice){token->token, token->len}, NULL);

		if (mode == OVERRIDE_MODE_STRIP &&
		    override_row(token->row)->place != OVERRIDE_HEADER)
			return false;
		if (mode == OVERRIDE_MODE_ENFORCE &&
		    (token->cut || (judged->allow & method_bit(method)) == 0 ||
			strcmp(token->token, set->token[0].token) != 0))
			return false;
	}
	return !set->full;
}

/* Question 8, for one method. */
static bool
may_act(struct world *world, const struct head *head,
    const struct judged *judged, unsigned method)
{
	method_set dav = methods_of(SLICE("FCM"));
	method_set takes = method_bit(METHOD_PUT) | method_bit(method);
	bool tree =
	    dav_on_tree(head, method) &&
	    (method != METHOD_DELETE || (judged->location->allow & dav) != 0);
	struct readings list;
	struct judged there;
	struct head to;

	if (tree && (judged->below & method_bit(method)) == 0)
		return false;
	switch (dav_destination(head, method, &to)) {
	case DAV_DESTINATION_NONE:
		return true;
	case DAV_DESTINATION_BAD:
		return false;
	case DAV_DESTINATION_GOOD:
		break;
	}
	if (to.authority.len > 0 &&
	    !slice_eq_nocase(uri_host(to.authority), SLICE("a.example")))
		return false;
	reading_find(to.path, world->site.has_slash, &world->arena, &list);
	there = judge_path(world, to.path, &list);
	return there.location != NULL && !there.ambiguous &&
	       (there.allow & takes) != 0 &&
	       (!tree || (there.below & takes) != 0);
}

static bool
may_all_act(struct world *world, const struct head *head,
    const struct judged *judged, const struct override_set *set)
{
	unsigned method = method_find(head->method, NULL);

	if (!may_act(world, head, judged, method))
		return false;
	if (judged->location->override != OVERRIDE_MODE_ENFORCE)
		return true;
	for (unsigned i = 0; i < set->count; i++)
		if (!may_act(world, head, judged,
			method_find((struct slice){set->token[i].token,
					set->token[i].len},
			    NULL)))
			return false;
	return true;
}

/* What stands in the body. */
struct body_says {
	enum override_body kind;
	bool batch;
	struct override_set set;
};

/* False: there is a path among them, and the site has path_params. */
static bool
add_tokens(const struct world *world, struct override_set *set,
    const struct override_set *more)
{
	bool paths = false;

	for (unsigned i = 0; i < more->count; i++) {
		if (override_is_path(more->token[i].row))
			paths = true;
		else if (set->count < OVERRIDE_TOKENS)
			set->token[set->count++] = more->token[i];
		else
			set->full = true;
	}
	set->full = set->full || more->full;
	return !paths || world->site.path_param_count == 0;
}

/* Question 10; *limit: in every mode. */
static bool
may_have_body(const struct policy_facts *facts,
    const struct location_rules *location, bool *limit)
{
	unsigned method = method_find(facts->head->method, NULL);

	*limit = location->body_limit > 0 && facts->body.kind == BODY_LENGTH &&
		 facts->body.length > location->body_limit;
	if (*limit)
		return false;
	return facts->body.kind == BODY_NONE || !location->deny_body_on_get ||
	       (method != METHOD_GET && method != METHOD_HEAD &&
		   method != METHOD_DELETE);
}

/* All questions; *limit as above. */
static bool
may_pass(struct world *world, const struct policy_facts *facts,
    const struct body_says *body, bool *limit)
{
	bool fits;

	const struct head *head = facts->head;
	unsigned method = method_find(head->method, NULL);
	struct override_set set = {.count = 0};
	struct readings list;
	struct judged judged;
	enum override_mode mode;

	policy_readings(facts, &world->site, &list);
	judged = judge_path(world, head->path, &list);
	*limit = false;
	fits = judged.location == NULL ||
	       may_have_body(facts, judged.location, limit);
	if (!fits || judged.ambiguous || judged.location == NULL ||
	    (judged.allow & method_bit(method)) == 0)
		return false;
	mode = judged.location->override;
	override_read_head(head, &set);
	override_read_query(head->query, &set);
	if (!may_override(&judged, &set) ||
	    !may_all_act(world, head, &judged, &set))
		return false;
	if (body->batch && mode == OVERRIDE_MODE_DENY)
		return false;
	if ((body->kind == OVERRIDE_BODY_UNREADABLE || body->set.unreadable) &&
	    mode != OVERRIDE_MODE_FLAG)
		return false;
	if (!add_tokens(world, &set, &body->set) && mode != OVERRIDE_MODE_FLAG)
		return false;
	return may_override(&judged, &set) &&
	       may_all_act(world, head, &judged, &set);
}

/* ---- the comparison ---- */

static void
check_decision(struct world *world, const struct policy_facts *facts,
    const struct decision *decision, bool may, bool limit)
{
	method_set bit = method_bit(method_find(facts->head->method, NULL));
	unsigned near = method_find_nocase(facts->head->method, NULL);

	assert(decision->site == &world->site);
	assert(decision->verdict != VERDICT_NEED_BODY);
	assert((decision->verdict == VERDICT_FORWARD) ==
	       (decision->reason == REASON_NONE));
	assert(decision->status == reason_status(decision->reason));
	if (decision->reason == REASON_METHOD_NOT_ALLOWED)
		assert(decision->has_allow && (decision->allow & bit) == 0);
	else if (decision->reason != REASON_OPTIONS_ANSWERED)
		assert(!decision->has_allow && decision->allow == 0);
	if (decision->status == 501)
		assert((world->site.supported & bit) == 0);
	if (decision->reason == REASON_OPTIONS_ANSWERED)
		return;
	if (!world->report) {
		assert(decision->would == REASON_NONE);
		assert(may == (decision->verdict == VERDICT_FORWARD));
		return;
	}
	assert(!decision->strip && !decision->hold);
	if (near != METHOD_NONE && !method_is_allowable(near))
		assert(decision->status == 501);
	else if (limit)
		assert(decision->status == 413);
	else if (world->count > 0)
		assert(decision->verdict == VERDICT_FORWARD &&
		       may == (decision->would == REASON_NONE));
}

/* As an exchange goes about it; *says is what it read in the body. */
static void
decide(const struct policy_facts *facts, struct slice body,
    struct decision *decision, struct body_says *says)
{
	struct override_scan scan;
	struct head sent = *facts->head;

	*says = (struct body_says){.kind = OVERRIDE_BODY_NONE};
	policy_decide(facts, decision);
	if (facts->body.kind == BODY_NONE)
		return;
	if (decision->sent != METHOD_NONE)
		sent.method = method_name(decision->sent, NULL);
	says->kind = override_scan_init(&scan, &sent);
	says->batch = scan.batch;
	if (says->kind == OVERRIDE_BODY_SCAN) {
		override_scan_feed(&scan, body, &says->set);
		override_scan_end(&scan, &says->set);
	}
	assert(!decision->hold || decision->scan);
	assert(decision->hold == (decision->verdict == VERDICT_NEED_BODY));
	assert(!decision->scan || says->kind == OVERRIDE_BODY_SCAN);
	if (decision->scan)
		policy_decide_body(facts, &says->set, decision);
}

/* What goes upstream, and what a response would show. */
static void
check_sent(const struct policy_facts *facts, const struct decision *decision)
{
	static struct field allow = {
	    {"allow", 5}, {"GET, DELETE", 11}, FIELD_ALLOW};
	struct head response = {.fields = &allow, .field_count = 1};
	bool writes = decision->verdict == VERDICT_FORWARD &&
		      decision->location != NULL &&
		      decision->location->rewrite_from == METHOD_PATCH &&
		      decision->method == METHOD_PATCH;
	flag_set flags;

	assert(decision->method == method_find(facts->head->method, NULL));
	assert(decision->sent == (writes ? METHOD_POST : decision->method));
	assert(writes ==
	       ((decision->flags & FLAG_BIT(FLAG_METHOD_REWRITTEN)) != 0));
	response.status = decision->method % 2 == 0 ? 302 : 405;
	if (decision->verdict != VERDICT_FORWARD)
		return;
	flags = policy_response_flags(decision, &response, facts->now);
	if ((flags & FLAG_BIT(FLAG_REDIRECT_REWRITES_METHOD)) != 0)
		assert(
		    response.status == 302 && decision->method != METHOD_GET);
	if ((flags & FLAG_BIT(FLAG_DRIFT_UNLISTED)) != 0)
		assert((methods_of(SLICE("GD")) & ~decision->location->allow) !=
		       0);
}

static void
check_request(struct world *world, const struct head *head, struct slice body)
{
	struct policy_facts facts = {.head = head,
	    .body = h1_request_body(head),
	    .door = world->door,
	    .ping = SLICE("/-/ping"),
	    .arena = &world->arena};
	struct decision decision, again;
	struct body_says says;
	bool may, limit;

	/* The judge would have to be asked about too many segments. */
	if (head->path.len >= SEGMENTS)
		return;
	memset(&decision, 0x5a, sizeof(decision));
	decide(&facts, body, &decision, &says);
	/* The target of CONNECT is a host of its own. */
	if (decision.reason != REASON_PING && head->path.len > 0)
		assert((decision.reason == REASON_UNKNOWN_HOST) ==
		       world->elsewhere);
	if (decision.reason == REASON_UNKNOWN_HOST)
		return;
	may = may_pass(world, &facts, &says, &limit);
	check_sent(&facts, &decision);
	if (decision.reason == REASON_PING)
		assert(slice_eq(head->path, facts.ping));
	else
		check_decision(world, &facts, &decision, may, limit);
	decide(&facts, body, &again, &says);
	assert(again.reason == decision.reason &&
	       again.flags == decision.flags &&
	       again.location == decision.location);
}

static void
append(char **to, struct slice s)
{
	if (s.len > 0)
		memcpy(*to, s.at, s.len);
	*to += s.len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct h1_limits limits = {SIZE_MAX, SIZE_MAX, FIELDS};
	struct slice rest = {(const char *)bytes, size}, line;
	char *text = malloc(2 * size + 64), *to = text;
	struct field fields[FIELDS];
	struct head head = {.fields = fields};
	struct world world;
	enum reason why;
	size_t used;

	build(&world, &rest);
	append(&to, next_line(&rest));
	append(&to, SLICE(" HTTP/1.1\r\nHost: "));
	append(&to,
	    world.elsewhere ? SLICE("x.example\r\n") : SLICE("a.example\r\n"));
	while ((line = next_line(&rest)).len > 0) {
		append(&to, line);
		append(&to, SLICE("\r\n"));
	}
	append(&to, SLICE("\r\n"));
	if (h1_request_read((struct slice){text, (size_t)(to - text)}, &limits,
		&head, &used, &why) == H1_DONE)
		check_request(&world, &head, rest);
	tear_down(&world);
	free(text);
	return 0;
}
