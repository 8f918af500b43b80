/* SPDX-License-Identifier: ISC */
/* policy: the questions of DESIGN.md section 2 that bear on host, path, method
 * and what else names a method, in their order; the first that fails answers.
 * In report mode it is only noted, and the next one is asked. */
#include "policy.h"

#include "dav.h"
#include "override_scan.h"
#include "reading.h"
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

method_set
policy_allowed(const struct location_rules *location, time_t now)
{
	method_set set = location->allow;
	unsigned i;

	for (i = 0; i < location->grant_count; i++)
		if (now < location->grants[i].until)
			set |= location->grants[i].methods;
	return set;
}

method_set
policy_supported(const struct site_rules *site, time_t now)
{
	method_set set = site->supported, left = site->granted;

	for (; left != 0; left &= left - 1) {
		unsigned method = (unsigned)__builtin_ctzll(left);

		if (now < site->granted_until[method])
			set |= method_bit(method);
	}
	return set;
}

/* Who reads the pattern without regard to case may mean any of its variants. */
uint64_t
policy_location_bits(const void *value)
{
	const struct location_rules *location = value;
	method_set set = location->allow;

	while ((location = location->folded_next) != NULL)
		set &= location->allow;
	return set;
}

/* ---- answers ---- */

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

/* Notes what a question said; true when it passed. Of one that is asked again,
 * a failure stays. */
static bool
ask(struct decision *decision, enum question question, bool passed)
{
	if (!passed)
		decision->answers[question] = FAILED;
	else if (decision->answers[question] == NOT_ASKED)
		decision->answers[question] = PASSED;
	return passed;
}

/* A question failed. False: that is the answer. True: report mode goes on. */
static bool
deny(struct decision *decision, enum question question, enum reason reason)
{
	decision->answers[question] = FAILED;
	if (!decision->report) {
		answer(decision, reason);
		return false;
	}
	if (decision->would == REASON_NONE)
		decision->would = reason;
	decision->flags |= FLAG_BIT(FLAG_WOULD_DENY);
	return true;
}

/* ---- the location, in every reading of a path ---- */

struct resolved {
	const struct location_rules *location; /* of the raw path, or NULL */
	const struct location_rules *other; /* of a reading: it narrowed allow,
					       or made it ambiguous */
	method_set allow, below;
	bool ambiguous, benign;
};

/* What is to be resolved, and by what. */
struct resolving {
	const struct policy_facts *facts;
	const struct site_rules *site;
	struct slice path, query; /* query: for path_params */
	bool tree;		  /* what lies below is asked for too */
};

typedef signed char lanes __attribute__((vector_size(16)));

/* The last lanes overlap those before them. */
static bool
has_upper(struct slice path)
{
	lanes some, upper = {0};
	uint64_t found[2] = {0, 0};
	size_t i;

	for (i = 0; i < path.len && path.len < sizeof(some); i++)
		found[0] |= path.at[i] >= 'A' && path.at[i] <= 'Z';
	for (; i < path.len; i += sizeof(some)) {
		if (path.len - i < sizeof(some))
			i = path.len - sizeof(some);
		memcpy(&some, path.at + i, sizeof(some));
		upper |= (lanes)((some >= 'A') & (some <= 'Z'));
	}
	if (path.len >= sizeof(some))
		memcpy(found, &upper, sizeof(found));
	return (found[0] | found[1]) != 0;
}

static struct slice
lower(struct slice path, struct arena *arena)
{
	char *out = arena_alloc(arena, path.len);

	for (size_t i = 0; i < path.len; i++) {
		char c = path.at[i];

		out[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	return (struct slice){out, path.len};
}

/* The location of a benign reading must take the method too. One that leads
 * nowhere narrows nothing: there is no list to hold it to. */
static void
narrow(const struct resolving *r, const struct location_rules *location,
    struct resolved *out)
{
	method_set set;

	if (location == NULL || location == out->location)
		return;
	out->benign = true;
	set = policy_allowed(location, r->facts->now);
	if ((out->allow & ~set) != 0)
		out->other = location;
	out->allow &= set;
}

static void
fold_case(const struct resolving *r, struct slice path, struct resolved *out)
{
	const struct site_rules *site = r->site;
	const struct location_rules *location;

	if (site->folded == NULL || (!site->has_upper && !has_upper(path)))
		return;
	path = lower(path, r->facts->arena);
	for (location = trie_find(site->folded, path); location != NULL;
	     location = location->folded_next)
		narrow(r, location, out);
	if (r->tree)
		out->below &= trie_below(site->folded, path);
}

static void
judge_reading(const struct resolving *r, const struct reading_path *reading,
    struct resolved *out)
{
	const struct location_rules *location =
	    trie_find(r->site->locations, reading->path);

	if (reading->hostile && location != out->location) {
		out->ambiguous = true;
		out->other = location;
		return;
	}
	narrow(r, location, out);
	if (r->tree)
		out->below &= trie_below(r->site->locations, reading->path);
	fold_case(r, reading->path, out);
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A query's name or value, decoded once as forms are. */
static struct slice
decode(struct slice s, struct arena *arena)
{
	char *out = arena_alloc(arena, s.len);
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '%' && s.len - i > 2 && hex(s.at[i + 1]) >= 0 &&
		    hex(s.at[i + 2]) >= 0) {
			out[n++] =
			    (char)(hex(s.at[i + 1]) << 4 | hex(s.at[i + 2]));
			i += 2;
		} else {
			out[n++] = s.at[i] == '+' ? ' ' : s.at[i];
		}
	}
	return (struct slice){out, n};
}

/* PHP reads '.', ' ' and a '[' without its ']' in a name as '_', drops spaces
 * before it, and cuts it at '[' and NUL; others do not care for case. */
static bool
is_same_name(struct slice name, struct slice param)
{
	size_t n = 0;

	while (name.len > 0 && name.at[0] == ' ') {
		name.at++;
		name.len--;
	}
	for (; n < name.len && name.at[n] != '\0'; n++) {
		char c = name.at[n];

		if (c == '[' && (n == param.len || param.at[n] != '_'))
			break;
		if (c == '.' || c == ' ' || c == '[')
			c = '_';
		if (n == param.len || !slice_eq_nocase((struct slice){&c, 1},
					  (struct slice){param.at + n, 1}))
			return false;
	}
	return n == param.len;
}

static bool
is_path_param(const struct site_rules *site, struct slice name)
{
	for (unsigned i = 0; i < site->path_param_count; i++)
		if (is_same_name(name, site->path_params[i]))
			return true;
	return false;
}

static void
add_path_param(
    const struct resolving *r, struct slice param, struct readings *readings)
{
	struct arena *arena = r->facts->arena;
	size_t equals = slice_find(param, '=', 0);
	struct slice value;
	char *path;

	if (equals + 1 >= param.len ||
	    !is_path_param(
		r->site, decode((struct slice){param.at, equals}, arena)))
		return;
	value = decode(
	    (struct slice){param.at + equals + 1, param.len - equals - 1},
	    arena);
	if (value.at[0] != '/') {
		path = arena_alloc(arena, value.len + 1);
		path[0] = '/';
		memcpy(path + 1, value.at, value.len);
		value = (struct slice){path, value.len + 1};
	}
	reading_add(value, r->site->has_slash, arena, readings);
}

/* Paths that the query carries (`?rest_route=/wp/v2/posts`). To some a ';' ends
 * a parameter too, to others it is part of the value. */
static void
add_path_params(const struct resolving *r, struct readings *readings)
{
	struct slice rest = r->query, param, part;

	while (slice_next(&rest, '&', &param)) {
		add_path_param(r, param, readings);
		if (slice_find(param, ';', 0) == param.len)
			continue;
		while (slice_next(&param, ';', &part))
			add_path_param(r, part, readings);
	}
}

static void
find_readings(
    const struct resolving *r, bool triggered, struct readings *readings)
{
	if (triggered) {
		reading_find(
		    r->path, r->site->has_slash, r->facts->arena, readings);
	} else {
		readings->path[0] =
		    (struct reading_path){.path = r->path, .hostile = true};
		readings->count = 1;
		readings->refused = false;
		readings->why = READING_COUNT;
	}
	if (r->site->path_param_count > 0 && r->query.len > 0)
		add_path_params(r, readings);
}

static void
judge_readings(const struct resolving *r, bool triggered, struct resolved *out)
{
	struct readings readings;

	find_readings(r, triggered, &readings);
	out->ambiguous = readings.refused;
	for (unsigned i = 0; i < readings.count && !out->ambiguous; i++)
		judge_reading(r, &readings.path[i], out);
}

void
policy_readings(const struct policy_facts *facts, const struct site_rules *site,
    struct readings *out)
{
	struct resolving resolving = {.facts = facts,
	    .site = site,
	    .path = facts->head->path,
	    .query = facts->head->query};

	find_readings(&resolving,
	    reading_triggered(resolving.path) || site->has_slash, out);
}

static void
resolve(const struct resolving *r, struct resolved *out)
{
	const struct site_rules *site = r->site;
	bool triggered = reading_triggered(r->path) || site->has_slash;

	*out =
	    (struct resolved){.location = trie_find(site->locations, r->path),
		.below = ~(method_set)0};
	if (out->location != NULL)
		out->allow = policy_allowed(out->location, r->facts->now);
	if (r->tree)
		out->below = trie_below(site->locations, r->path);
	if (r->path.len == 0 || r->path.at[0] != '/')
		return;
	if (triggered || site->has_upper || site->path_param_count > 0 ||
	    (site->folded != NULL && has_upper(r->path)))
		judge_readings(r, triggered, out);
}

/* ---- questions 4 to 6 ---- */

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

	decision->method = decision->sent = method_find(token, own);
	if (decision->method == METHOD_NONE &&
	    method_find_nocase(token, own) != METHOD_NONE)
		decision->flags |= FLAG_BIT(FLAG_METHOD_CASE);
}

/* RFC 9110 15.6.2: no resource of this site takes it. What is never forwarded
 * is refused in report mode too, and what a server that folds case takes for
 * it. */
static bool
deny_unsupported(struct decision *decision, struct slice token)
{
	unsigned near = method_find_nocase(token, own_names(decision));
	enum reason reason = REASON_METHOD_UNKNOWN;

	if (decision->method != METHOD_NONE)
		reason = REASON_METHOD_UNSUPPORTED;
	else if (near != METHOD_NONE)
		reason = REASON_METHOD_CASE;
	if (near != METHOD_NONE && !method_is_allowable(near)) {
		answer(decision, reason);
		return false;
	}
	if (deny(decision, QUESTION_SUPPORTED, reason))
		return true;
	if (decision->method == METHOD_GET || decision->method == METHOD_HEAD)
		decision->flags |= FLAG_BIT(FLAG_CRAWLER_501);
	return false;
}

/* Report mode forwards even so, where there is somewhere to. */
static bool
deny_nowhere(struct decision *decision)
{
	if (decision->site->fallback != NULL)
		return deny(decision, QUESTION_LOCATION, REASON_NO_LOCATION);
	answer(decision, REASON_NO_LOCATION);
	return false;
}

static bool
deny_method(struct decision *decision, method_set allow)
{
	if (deny(decision, QUESTION_ALLOWED, REASON_METHOD_NOT_ALLOWED))
		return true;
	decision->allow = allow;
	decision->has_allow = true;
	return false;
}

/* Questions 3 to 6. False: answered. */
static bool
ask_method(const struct policy_facts *facts, const struct resolved *resolved,
    struct decision *decision)
{
	method_set bit = method_is_allowable(decision->method)
			     ? method_bit(decision->method)
			     : 0;
	method_set supported = policy_supported(decision->site, facts->now);

	if (!ask(decision, QUESTION_READINGS, !resolved->ambiguous) &&
	    !deny(decision, QUESTION_READINGS, REASON_PATH_AMBIGUOUS))
		return false;
	if (!ask(decision, QUESTION_SUPPORTED, (supported & bit) != 0) &&
	    !deny_unsupported(decision, facts->head->method))
		return false;
	if (!ask(decision, QUESTION_LOCATION, decision->location != NULL))
		return deny_nowhere(decision);
	if (!ask(decision, QUESTION_ALLOWED, (resolved->allow & bit) != 0))
		return deny_method(decision, resolved->allow);
	return true;
}

/* ---- questions 7 and 11: methods that stand elsewhere ---- */

static enum override_mode
mode_of(const struct decision *decision)
{
	return decision->location != NULL ? decision->location->override
					  : OVERRIDE_MODE_FLAG;
}

/* The method that goes upstream, if the request does. */
static unsigned
rewritten(const struct decision *decision)
{
	const struct location_rules *location = decision->location;

	if (location == NULL || location->rewrite_from == METHOD_NONE ||
	    location->rewrite_from != decision->method)
		return decision->method;
	return location->rewrite_to;
}

static enum override_place
place_of(const struct override_token *token)
{
	return override_row(token->row)->place;
}

/* The number of the method that a token names, or METHOD_NONE. */
static unsigned
method_of(const struct decision *decision, const struct override_token *token)
{
	if (token->cut)
		return METHOD_NONE;
	return method_find(
	    (struct slice){token->token, token->len}, own_names(decision));
}

/* All tokens name methods that are allowed. */
static bool
are_allowed(const struct decision *decision, const struct override_set *set)
{
	for (unsigned i = 0; i < set->count; i++) {
		unsigned method = method_of(decision, &set->token[i]);

		if (!method_is_allowable(method) ||
		    (method_bit(method) & decision->allow) == 0)
			return false;
	}
	return true;
}

static bool
names_several(const struct override_set *set)
{
	for (unsigned i = 1; i < set->count; i++)
		if (strcmp(set->token[i].token, set->token[0].token) != 0)
			return true;
	return set->full;
}

static bool
only_headers(const struct override_set *set)
{
	for (unsigned i = 0; i < set->count; i++)
		if (place_of(&set->token[i]) != OVERRIDE_HEADER)
			return false;
	return !set->full; /* those that were not kept may be elsewhere */
}

/* What the location's mode says to these tokens; NONE: nothing. */
static enum reason
judge_overrides(struct decision *decision, const struct override_set *set)
{
	if (set->count == 0)
		return REASON_NONE;
	switch (mode_of(decision)) {
	case OVERRIDE_MODE_FLAG:
		return REASON_NONE;
	case OVERRIDE_MODE_DENY:
		return REASON_OVERRIDE_NOT_ALLOWED;
	case OVERRIDE_MODE_STRIP:
		decision->strip = !decision->report;
		return only_headers(set) ? REASON_NONE
					 : REASON_OVERRIDE_NOT_ALLOWED;
	case OVERRIDE_MODE_ENFORCE:
		break;
	}
	if (!are_allowed(decision, set))
		return REASON_OVERRIDE_NOT_ALLOWED;
	return names_several(set) ? REASON_OVERRIDE_CONFLICT : REASON_NONE;
}

static void
flag_places(struct decision *decision, const struct override_set *set)
{
	static const enum flag flags[OVERRIDE_PLACES] = {
	    [OVERRIDE_HEADER] = FLAG_OVERRIDE_HEADER,
	    [OVERRIDE_COOKIE] = FLAG_OVERRIDE_HEADER,
	    [OVERRIDE_QUERY] = FLAG_OVERRIDE_QUERY,
	    [OVERRIDE_FORM] = FLAG_OVERRIDE_BODY,
	    [OVERRIDE_MULTIPART] = FLAG_OVERRIDE_BODY,
	    [OVERRIDE_JSON] = FLAG_OVERRIDE_BODY};

	for (unsigned i = 0; i < set->count; i++)
		decision->flags |= FLAG_BIT(flags[place_of(&set->token[i])]);
}

/* X-Original-URL and its kin, or a twin: another path for some frameworks. */
static bool
names_path(const struct field *field)
{
	return field->id == FIELD_X_ORIGINAL_URL ||
	       field->id == FIELD_X_REWRITE_URL ||
	       (field->id == FIELD_OTHER &&
		   (field_folds_alike(field->name, SLICE("x-original-url")) ||
		       field_folds_alike(field->name, SLICE("x-rewrite-url"))));
}

/* Flags fields that name another path. True when there are some that may name
 * another method: both begin with an x, but for cookies, and most requests have
 * none of them. */
static bool
glance_at_fields(const struct head *head, struct decision *decision)
{
	bool some = false;

	for (unsigned i = 0; i < head->field_count; i++) {
		const struct field *field = &head->fields[i];

		if (field->id == FIELD_COOKIE)
			some = true;
		if (field->name.len == 0 || (field->name.at[0] | 0x20) != 'x')
			continue;
		some = true;
		if (names_path(field))
			decision->flags |= FLAG_BIT(FLAG_PATH_OVERRIDE);
	}
	return some;
}

/* Question 7. False: answered. */
static bool
ask_override(const struct policy_facts *facts, struct decision *decision)
{
	struct override_set *set = &decision->overrides;
	enum reason reason;

	if (glance_at_fields(facts->head, decision))
		override_read_head(facts->head, set);
	if (facts->head->query.len > 0)
		override_read_query(facts->head->query, set);
	flag_places(decision, set);
	reason = judge_overrides(decision, set);
	if (ask(decision, QUESTION_OVERRIDE, reason == REASON_NONE))
		return true;
	return deny(decision, QUESTION_OVERRIDE, reason);
}

/* Question 11, as far as the head tells. False: answered. */
static bool
ask_body(const struct policy_facts *facts, struct decision *decision)
{
	enum override_mode mode = mode_of(decision);
	struct override_scan scan;
	enum override_body body;
	struct head sent;

	if (facts->body.kind == BODY_NONE)
		return true;
	sent = *facts->head;
	/* A POST without a type is a form to those who get a POST. */
	if (rewritten(decision) != decision->method)
		sent.method =
		    method_name(rewritten(decision), own_names(decision));
	body = override_scan_init(&scan, &sent);
	if (scan.batch) {
		decision->flags |= FLAG_BIT(FLAG_BATCH_BODY);
		if (mode == OVERRIDE_MODE_DENY &&
		    !deny(decision, QUESTION_BODY_OVERRIDE,
			REASON_OVERRIDE_NOT_ALLOWED))
			return false;
	}
	if (body == OVERRIDE_BODY_UNREADABLE && mode != OVERRIDE_MODE_FLAG)
		return deny(decision, QUESTION_BODY_OVERRIDE,
		    REASON_OVERRIDE_UNREADABLE);
	decision->scan = body == OVERRIDE_BODY_SCAN;
	decision->hold =
	    decision->scan && mode != OVERRIDE_MODE_FLAG && !decision->report;
	if (decision->hold)
		decision->verdict = VERDICT_NEED_BODY;
	return true;
}

/* ---- question 8: WebDAV ---- */

/* DELETE of a collection is WebDAV's: where no other method of it is allowed, a
 * path below is another resource of an application's. */
static bool
is_dav(const struct decision *decision, time_t now)
{
	method_set dav = method_bit(METHOD_PROPFIND) |
			 method_bit(METHOD_MKCOL) | method_bit(METHOD_COPY) |
			 method_bit(METHOD_MOVE);

	return decision->location != NULL &&
	       (policy_allowed(decision->location, now) & dav) != 0;
}

static enum reason
judge_destination(const struct policy_facts *facts,
    const struct decision *decision, unsigned method, bool tree)
{
	method_set takes = method_bit(METHOD_PUT) | method_bit(method);
	struct resolving resolving = {
	    .facts = facts, .site = decision->site, .tree = tree};
	struct resolved resolved;
	struct head to;

	switch (dav_destination(facts->head, method, &to)) {
	case DAV_DESTINATION_NONE:
		return REASON_NONE;
	case DAV_DESTINATION_BAD:
		return REASON_DESTINATION_NOT_ALLOWED;
	case DAV_DESTINATION_GOOD:
		break;
	}
	if (to.authority.len > 0 &&
	    hosts_find(facts->door, uri_host(to.authority)) != decision->site)
		return REASON_DESTINATION_NOT_ALLOWED;
	resolving.path = to.path;
	resolving.query = to.query;
	resolve(&resolving, &resolved);
	if (resolved.ambiguous || (resolved.allow & takes) == 0)
		return REASON_DESTINATION_NOT_ALLOWED;
	return (resolved.below & takes) != 0 ? REASON_NONE
					     : REASON_SUBTREE_NOT_ALLOWED;
}

static enum reason
judge_dav(const struct policy_facts *facts, const struct decision *decision,
    unsigned method)
{
	bool tree = dav_on_tree(facts->head, method) &&
		    (method != METHOD_DELETE || is_dav(decision, facts->now));
	struct resolving resolving = {.facts = facts,
	    .site = decision->site,
	    .path = facts->head->path,
	    .tree = tree};
	struct resolved resolved;

	if (tree) {
		resolve(&resolving, &resolved);
		if ((resolved.below & method_bit(method)) == 0)
			return REASON_SUBTREE_NOT_ALLOWED;
	}
	return judge_destination(facts, decision, method, tree);
}

/* For the method of the request, the one that is sent, and in a location that
 * lets them act all that its overrides name. */
static method_set
acting(const struct decision *decision, const struct override_set *set)
{
	method_set acting =
	    method_bit(decision->method) | method_bit(rewritten(decision));

	if (mode_of(decision) != OVERRIDE_MODE_ENFORCE)
		return acting;
	for (unsigned i = 0; i < set->count; i++)
		acting |= method_bit(method_of(decision, &set->token[i]));
	return acting;
}

/* Question 8. False: answered. */
static bool
ask_dav(const struct policy_facts *facts, struct decision *decision,
    const struct override_set *set)
{
	const method_set moving =
	    method_bit(METHOD_COPY) | method_bit(METHOD_MOVE);
	method_set all = acting(decision, set), left = all;
	enum reason reason = REASON_NONE;
	bool asked = false;

	for (; left != 0 && reason == REASON_NONE; left &= left - 1) {
		unsigned method = (unsigned)__builtin_ctzll(left);

		if (method_tree_of(method) == TREE_NO)
			continue;
		asked = true;
		reason = judge_dav(facts, decision, method);
	}
	if (!asked)
		return true;
	if (ask(decision, QUESTION_DESTINATION, reason == REASON_NONE)) {
		decision->destination |= (all & moving) != 0;
		return true;
	}
	return deny(decision, QUESTION_DESTINATION, reason);
}

/* ---- question 10 ---- */

/* A limit holds in every mode. */
static bool
ask_limit(const struct policy_facts *facts, struct decision *decision)
{
	uint64_t limit =
	    decision->location != NULL ? decision->location->body_limit : 0;

	if (limit > 0 && facts->body.kind == BODY_CHUNKED)
		return true;
	if (ask(decision, QUESTION_BODY_LIMIT,
		limit == 0 || facts->body.kind == BODY_NONE ||
		    facts->body.length <= limit))
		return true;
	answer(decision, REASON_BODY_TOO_LARGE);
	return false;
}

/* RFC 9110 9.3.1: such a body has no meaning, and some servers do not read it.
 */
static bool
ask_body_on_get(const struct policy_facts *facts, struct decision *decision)
{
	unsigned method = decision->method;

	if (facts->body.kind == BODY_NONE ||
	    (method != METHOD_GET && method != METHOD_HEAD &&
		method != METHOD_DELETE))
		return true;
	decision->flags |= FLAG_BIT(FLAG_BODY_ON_GET);
	return decision->location == NULL ||
	       !decision->location->deny_body_on_get ||
	       deny(decision, QUESTION_BODY_LIMIT, REASON_BODY_ON_GET);
}

/* ---- the decision ---- */

static void
rewrite(struct decision *decision)
{
	if (decision->verdict == VERDICT_ANSWER)
		return;
	decision->sent = rewritten(decision);
	if (decision->sent != decision->method)
		decision->flags |= FLAG_BIT(FLAG_METHOD_REWRITTEN);
}

/* Allow is for answers that carry it; until then it is what is allowed. */
static void
hide_allow(struct decision *decision)
{
	if (!decision->has_allow)
		decision->allow = 0;
}

static void
decide_request(const struct policy_facts *facts, struct decision *decision)
{
	struct resolving resolving = {.facts = facts,
	    .site = decision->site,
	    .path = facts->head->path,
	    .query = facts->head->query};
	struct resolved resolved;

	resolve(&resolving, &resolved);
	decision->location = resolved.location;
	decision->reading = resolved.other;
	decision->report = decision->location != NULL
			       ? decision->location->report
			       : decision->site->report;
	if (resolved.benign)
		decision->flags |= FLAG_BIT(FLAG_PATH_READING);
	decision->allow = resolved.allow;
	if (!ask_method(facts, &resolved, decision) ||
	    !ask_override(facts, decision) ||
	    !ask_dav(facts, decision, &decision->overrides) ||
	    !ask_body_on_get(facts, decision) || !ask_limit(facts, decision))
		return;
	if (decision->method == METHOD_OPTIONS && decision->location != NULL &&
	    (decision->location->options_answer ||
		forwards_spent(facts->head))) {
		answer_allow(decision, REASON_OPTIONS_ANSWERED, resolved.allow);
		return;
	}
	ask_body(facts, decision);
}

/* A client that came for one site asks for another, of which it has not seen
 * the certificate or shown its own (RFC 9110 7.4). */
static bool
is_misdirected(const struct policy_facts *facts, const struct site_rules *site)
{
	if (!facts->has_tls)
		return false;
	return facts->tls_realm != site->realm ||
	       (facts->tls_site != NULL && facts->tls_site != site);
}

/* HTTP/1.0 without Host names no place to go to. */
static void
redirect(const struct policy_facts *facts, struct decision *decision)
{
	if (facts->head->authority.len == 0)
		answer(decision, REASON_MALFORMED_HOST);
	else if (decision->site->redirect_https == HTTPS_308)
		answer(decision, REASON_REDIRECT_HTTPS);
	else
		answer(decision, REASON_REDIRECT_HTTPS_301);
}

void
policy_decide(const struct policy_facts *facts, struct decision *decision)
{
	static const struct decision blank = {
	    .method = METHOD_NONE, .sent = METHOD_NONE};
	const struct head *head = facts->head;

	/* Most of it are tokens, and there are none yet. */
	memcpy(decision, &blank, offsetof(struct decision, overrides));
	decision->overrides.count = 0;
	decision->overrides.full = decision->overrides.unreadable = false;
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
	if (is_misdirected(facts, decision->site)) {
		(void)ask(decision, QUESTION_HOST, false);
		answer(decision, REASON_MISDIRECTED);
		return;
	}
	if (head->form == TARGET_ASTERISK &&
	    decision->method == METHOD_OPTIONS) {
		answer_allow(decision, REASON_OPTIONS_ANSWERED,
		    policy_supported(decision->site, facts->now));
		return;
	}
	if (!facts->secure && decision->site->redirect_https != HTTPS_OFF) {
		redirect(facts, decision);
		return;
	}
	decide_request(facts, decision);
	rewrite(decision);
	if (decision->verdict != VERDICT_NEED_BODY && !decision->scan)
		hide_allow(decision);
}

/* All that the request names, in two sets, as one. */
static void
join(struct override_set *set, const struct override_set *more)
{
	for (unsigned i = 0; i < more->count; i++) {
		if (set->count == OVERRIDE_TOKENS) {
			set->full = true;
			break;
		}
		set->token[set->count++] = more->token[i];
	}
	set->full = set->full || more->full;
}

/* The tokens that name a method; true when there were others that matter, a
 * path in the body for the site's path_params. */
static bool
take_paths(const struct decision *decision, const struct override_set *found,
    struct override_set *methods)
{
	bool paths = false;

	*methods = (struct override_set){
	    .full = found->full, .unreadable = found->unreadable};
	for (unsigned i = 0; i < found->count; i++) {
		const struct override_token *token = &found->token[i];

		if (!override_is_path(token->row))
			methods->token[methods->count++] = *token;
		else if (is_path_param(
			     decision->site, override_row(token->row)->name))
			paths = true;
	}
	return paths;
}

/* What a scanned body makes of the request; NONE: nothing. */
static enum reason
judge_body(
    struct decision *decision, const struct override_set *found, bool paths)
{
	enum reason reason = REASON_NONE;
	enum override_mode mode = mode_of(decision);

	if (found->count > 0 || found->full)
		reason = judge_overrides(decision, &decision->overrides);
	if (reason == REASON_NONE && paths && mode != OVERRIDE_MODE_FLAG)
		reason = REASON_OVERRIDE_NOT_ALLOWED;
	if (reason == REASON_NONE && found->unreadable &&
	    mode != OVERRIDE_MODE_FLAG)
		reason = REASON_OVERRIDE_UNREADABLE;
	return reason;
}

void
policy_decide_body(const struct policy_facts *facts,
    const struct override_set *found, struct decision *decision)
{
	struct override_set methods;
	bool paths = take_paths(decision, found, &methods);
	enum reason reason;

	decision->verdict = VERDICT_FORWARD;
	flag_places(decision, &methods);
	if (paths)
		decision->flags |= FLAG_BIT(FLAG_PATH_OVERRIDE);
	join(&decision->overrides, &methods);
	reason = judge_body(decision, &methods, paths);
	if ((ask(decision, QUESTION_BODY_OVERRIDE, reason == REASON_NONE) ||
		deny(decision, QUESTION_BODY_OVERRIDE, reason)) &&
	    methods.count > 0)
		ask_dav(facts, decision, &methods);
	if (decision->verdict == VERDICT_ANSWER) {
		decision->sent = decision->method;
		decision->flags &= ~FLAG_BIT(FLAG_METHOD_REWRITTEN);
	}
	hide_allow(decision);
}

/* In report mode an earlier question may have failed, and is only noted. */
bool
policy_costs_token(const struct decision *decision)
{
	return decision->location != NULL &&
	       decision->location->rate.number > 0 &&
	       decision->answers[QUESTION_READINGS] == PASSED &&
	       decision->answers[QUESTION_SUPPORTED] == PASSED &&
	       decision->answers[QUESTION_LOCATION] == PASSED;
}

void
policy_deny_rate(struct decision *decision)
{
	if (decision->report) {
		decision->would = REASON_RATE_LIMITED;
		decision->flags |= FLAG_BIT(FLAG_WOULD_DENY);
		return;
	}
	for (unsigned i = QUESTION_ALLOWED; i < QUESTION_COUNT; i++)
		decision->answers[i] = NOT_ASKED;
	answer(decision, REASON_RATE_LIMITED);
	decision->allow = 0;
	decision->has_allow = decision->scan = decision->hold = false;
	decision->sent = decision->method;
	decision->flags &= ~FLAG_BIT(FLAG_METHOD_REWRITTEN);
}

bool
policy_passed(const struct decision *decision)
{
	for (unsigned i = 0; i < QUESTION_COUNT; i++)
		if (decision->answers[i] == FAILED)
			return false;
	return true;
}

/* 301 and 302 turn POST into GET in browsers, and other methods in some
 * clients; QUERY they keep (RFC 9110 15.4.2, RFC 10008 2.5). */
static bool
is_lossy_redirect(const struct decision *decision, int status)
{
	return (status == 301 || status == 302) &&
	       decision->method != METHOD_GET &&
	       decision->method != METHOD_HEAD &&
	       decision->method != METHOD_QUERY;
}

static bool
lists_more(const struct decision *decision, struct slice list, time_t now)
{
	method_set allowed = policy_allowed(decision->location, now);
	struct slice token;

	while (slice_next(&list, ',', &token))
		if ((method_bit(method_find(token, own_names(decision))) &
			allowed) == 0)
			return true;
	return false;
}

flag_set
policy_response_flags(
    const struct decision *decision, const struct head *response, time_t now)
{
	flag_set flags = 0;

	if (is_lossy_redirect(decision, response->status))
		flags |= FLAG_BIT(FLAG_REDIRECT_REWRITES_METHOD);
	if ((response->status == 405 || response->status == 501) &&
	    decision->would == REASON_NONE)
		flags |= FLAG_BIT(FLAG_DRIFT_REFUSED);
	for (unsigned i = 0; i < response->field_count; i++)
		if (response->fields[i].id == FIELD_ALLOW &&
		    decision->location != NULL &&
		    lists_more(decision, response->fields[i].value, now))
			flags |= FLAG_BIT(FLAG_DRIFT_UNLISTED);
	return flags;
}
