/* SPDX-License-Identifier: ISC */
/* forward: one pass over the fields of a head decides for each whether it goes
 * on; then ours are added. What a client says about itself counts for nothing,
 * unless the peer is a trusted proxy. */
#include "forward.h"

#include "dav.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define PASSES_MAX 10u /* through this gate; more is a loop */
#define REQUEST_ID_MAX 128u
#define NAMED_MAX 32u /* names that Connection may list, close aside */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* From the right end of a chain to the left, as long as hops are trusted: each
 * element was written by the hop that the element to its right names. */
struct walk {
	const struct gate_config *gate;
	struct addr client;  /* the leftmost hop so far; len 0: none */
	struct slice scheme; /* what that hop's request had; empty: unsaid */
};

static struct slice ip_text(const struct addr *addr, struct arena *arena);
static void believe(struct walk *walk, const struct head *head);
static struct slice choose_request_id(const struct gate_config *gate,
    const struct head *head, bool trusted, struct forward_ids *ids,
    struct arena *arena);
static const bool *named_fields(const struct head *head, struct arena *arena);
static bool goes_up(
    const struct forward_facts *facts, const struct field *field);
static bool goes_down(
    const struct head *head, const struct field *field, struct body_plan plan);
static unsigned count_passes(struct slice value, struct slice pseudonym);
static void spend_forward(struct head *to, struct arena *arena);
static void add(
    struct head *to, enum field_id id, struct slice name, struct slice value);
static void add_via(struct head *to, const struct site *site, unsigned minor,
    struct arena *arena);
static void add_x_forwarded(const struct forward_facts *facts,
    const struct head *from, struct arena *arena, struct head *to);
static void point_destination(const struct forward_facts *facts,
    const struct head *from, struct arena *arena, struct head *to);
static void add_flags(
    const struct forward_facts *facts, struct arena *arena, struct head *to);
static void add_forwarded(const struct forward_facts *facts,
    const struct head *from, struct arena *arena, struct head *to);

static const struct addr *
keep_addr(const struct addr *addr, struct arena *arena)
{
	struct addr *kept = arena_alloc(arena, sizeof(*kept));

	*kept = *addr;
	return kept;
}

void
forward_origin(const struct forward_visit *visit, const struct head *head,
    struct arena *arena, struct forward_origin *out)
{
	const struct gate_config *gate = visit->gate;
	const struct addr *peer = visit->peer;
	struct walk walk = {.gate = gate};

	*out = (struct forward_origin){.peer = peer,
	    .trusted = config_trusts(gate, peer),
	    .scheme = visit->secure ? SLICE("https") : SLICE("http")};
	if (out->trusted)
		believe(&walk, head);
	if (walk.scheme.len > 0)
		out->scheme = walk.scheme;
	out->client = peer;
	if (walk.client.len > 0)
		out->client = keep_addr(&walk.client, arena);
	out->client_ip = ip_text(out->client, arena);
	out->request_id =
	    choose_request_id(gate, head, out->trusted, visit->ids, arena);
}

/* A head like from, with room for all fields of both, but none there yet. */
static void
start_head(struct head *to, const struct head *from, struct arena *arena)
{
	*to = *from;
	to->minor = 1;
	to->fields = arena_alloc(
	    arena, (from->field_count + (size_t)FORWARD_FIELDS_ADDED) *
		       sizeof(struct field));
	to->field_count = 0;
}

enum reason
forward_request(const struct forward_facts *facts, const struct head *from,
    struct arena *arena, struct head *to)
{
	const struct gate_config *gate = facts->gate;
	const bool *named = named_fields(from, arena);
	unsigned i, passes = 0;

	start_head(to, from, arena);
	to->method = facts->method;
	/* RFC 9112 3.2: empty rather than missing when there is no authority */
	add(to, FIELD_HOST, SLICE("Host"), from->authority);
	for (i = 0; i < from->field_count; i++) {
		const struct field *field = &from->fields[i];

		if (field->id == FIELD_VIA)
			passes += count_passes(field->value, facts->site->via);
		if (goes_up(facts, field) && (named == NULL || !named[i]))
			to->fields[to->field_count++] = *field;
	}
	if (passes >= PASSES_MAX)
		return REASON_LOOP;
	spend_forward(to, arena);
	if (facts->destination)
		point_destination(facts, from, arena, to);
	add_via(to, facts->site, from->minor, arena);
	if (facts->site->forwarded == FORWARDED_X)
		add_x_forwarded(facts, from, arena, to);
	else if (facts->site->forwarded == FORWARDED_RFC7239)
		add_forwarded(facts, from, arena, to);
	if (gate->request_id_header.len > 0)
		add(to, FIELD_OTHER, gate->request_id_header,
		    facts->origin->request_id);
	if (facts->upgrade.len > 0)
		add(to, FIELD_UPGRADE, SLICE("Upgrade"), facts->upgrade);
	if (facts->site->flag_header.len > 0 && facts->flags != 0)
		add_flags(facts, arena, to);
	if (facts->site->certificate_header.len > 0 && facts->subject.len > 0)
		add(to, FIELD_OTHER, facts->site->certificate_header,
		    facts->subject);
	assert(to->field_count <= from->field_count + FORWARD_FIELDS_ADDED);
	return REASON_NONE;
}

void
forward_response(const struct forward_facts *facts, const struct head *from,
    struct body_plan plan, struct arena *arena, struct head *to)
{
	const bool *named = named_fields(from, arena);
	unsigned i;

	start_head(to, from, arena);
	for (i = 0; i < from->field_count; i++)
		if (goes_down(from, &from->fields[i], plan) &&
		    (named == NULL || !named[i]))
			to->fields[to->field_count++] = from->fields[i];
	if (from->status >= 200 && head_field(from, FIELD_DATE) == NULL)
		add(to, FIELD_DATE, SLICE("Date"),
		    http_date(facts->now, arena));
	if (facts->site->via_on_responses)
		add_via(to, facts->site, from->minor, arena);
}

static struct slice
ip_text(const struct addr *addr, struct arena *arena)
{
	char *text = arena_alloc(arena, ADDR_TEXT_MAX);

	return (struct slice){text, addr_ip_text(addr, text)};
}

/* One hop further to the left; false when the walk ends there: with an address
 * that is not a trusted proxy's, or before what is no address. */
static bool
walk_to(struct walk *walk, struct slice text)
{
	struct addr addr = {.len = 0};

	if (text.len == 0 || !addr_parse_ip(text, &addr))
		return false;
	walk->client = addr;
	return config_trusts(walk->gate, &addr);
}

static void
walk_scheme(struct walk *walk, struct slice value)
{
	/* Some proxies name the protocol of a WebSocket handshake. */
	static const struct {
		struct slice said, meant;
	} schemes[] = {
	    {{"http", 4}, {"http", 4}},
	    {{"https", 5}, {"https", 5}},
	    {{"ws", 2}, {"http", 4}},
	    {{"wss", 3}, {"https", 5}},
	};

	for (size_t i = 0; i < COUNT(schemes); i++)
		if (slice_eq_nocase(value, schemes[i].said))
			walk->scheme = schemes[i].meant;
}

/* Takes the last element off a comma list; false when nothing is left. From
 * the right a client's unbalanced quote can't swallow what a proxy appended. */
static bool
take_last(struct slice *rest, struct slice *element)
{
	while (rest->len > 0) {
		const char *comma = memrchr(rest->at, ',', rest->len);
		size_t from =
		    comma == NULL ? 0 : (size_t)(comma - rest->at) + 1;

		*element = slice_trim(
		    (struct slice){rest->at + from, rest->len - from});
		rest->len = comma == NULL ? 0 : from - 1;
		if (element->len > 0)
			return true;
	}
	return false;
}

/* A token, or a quoted string without its quotes. */
static struct slice
unquote(struct slice value)
{
	if (value.len >= 2 && value.at[0] == '"' &&
	    value.at[value.len - 1] == '"')
		return (struct slice){value.at + 1, value.len - 2};
	return value;
}

/* One element of Forwarded (RFC 7239 4): for=...;proto=... */
static bool
walk_element(struct walk *walk, struct slice element)
{
	struct slice pair, node = SLICE_NONE;

	while (slice_next(&element, ';', &pair)) {
		size_t equals = slice_find(pair, '=', 0);
		struct slice name = {pair.at, equals}, value;

		if (equals == pair.len)
			continue;
		value = unquote((struct slice){
		    pair.at + equals + 1, pair.len - equals - 1});
		if (slice_eq_nocase(name, SLICE("for")))
			node = value;
		else if (slice_eq_nocase(name, SLICE("proto")))
			walk_scheme(walk, value);
	}
	return walk_to(walk, node);
}

/* Over all fields with the id, from the last element of the last one. */
static void
walk_fields(struct walk *walk, const struct head *head, enum field_id id,
    bool (*step)(struct walk *walk, struct slice element))
{
	struct slice rest, element;

	for (unsigned i = head->field_count; i-- > 0;) {
		if (head->fields[i].id != id)
			continue;
		rest = head->fields[i].value;
		while (take_last(&rest, &element))
			if (!step(walk, element))
				return;
	}
}

/* Only the last X-Forwarded-Proto is the trusted peer's for certain. */
static bool
walk_proto(struct walk *walk, struct slice element)
{
	walk_scheme(walk, element);
	return false;
}

/* One family is believed: a proxy that writes X-Forwarded-For may let a
 * client's Forwarded pass, and far more write the former. */
static void
believe(struct walk *walk, const struct head *head)
{
	if (head_field(head, FIELD_X_FORWARDED_FOR) == NULL &&
	    head_field(head, FIELD_FORWARDED) != NULL) {
		walk_fields(walk, head, FIELD_FORWARDED, walk_element);
		return;
	}
	walk_fields(walk, head, FIELD_X_FORWARDED_FOR, walk_to);
	walk_fields(walk, head, FIELD_X_FORWARDED_PROTO, walk_proto);
}

static bool
is_request_id(struct slice s)
{
	if (s.len == 0 || s.len > REQUEST_ID_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] <= ' ' || s.at[i] >= 0x7f)
			return false;
	return true;
}

/* Where the kernel has no random bytes yet, time and place keep ids apart
 * (mixed as splitmix64 does). */
static void
make_up(uint64_t *out, unsigned count)
{
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	seed ^= (uintptr_t)out;
	for (unsigned i = 0; i < count; i++) {
		uint64_t x = seed += 0x9e3779b97f4a7c15u;

		x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
		x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
		out[i] = x ^ (x >> 31);
	}
}

/* Ids are no secrets, so they may be drawn ahead: one system call for many. */
static void
draw(struct forward_ids *ids, uint64_t out[2])
{
	if (ids->left < 2) {
		if (getrandom(ids->words, sizeof(ids->words), GRND_NONBLOCK) !=
		    (ssize_t)sizeof(ids->words))
			make_up(ids->words, FORWARD_ID_WORDS);
		ids->left = FORWARD_ID_WORDS;
	}
	out[0] = ids->words[--ids->left];
	out[1] = ids->words[--ids->left];
}

static struct slice
make_request_id(struct forward_ids *ids, struct arena *arena)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t drawn[2];
	unsigned char bytes[sizeof(drawn)];
	char *text = arena_alloc(arena, 2 * sizeof(bytes));

	draw(ids, drawn);
	memcpy(bytes, drawn, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	return (struct slice){text, 2 * sizeof(bytes)};
}

static struct slice
choose_request_id(const struct gate_config *gate, const struct head *head,
    bool trusted, struct forward_ids *ids, struct arena *arena)
{
	const struct field *field = NULL;

	if (trusted && gate->request_id_header.len > 0)
		field = head_named(head, gate->request_id_header);
	if (field != NULL && is_request_id(field->value))
		return arena_copy(arena, field->value);
	return make_request_id(ids, arena);
}

/* Marks the fields with the name, or all if it is NULL. Nobody may have removed
 * what the gate judges by, and what it writes itself stays out anyway. */
static void
mark_named(const struct head *head, const struct slice *name, bool *named)
{
	for (unsigned i = 0; i < head->field_count; i++)
		if ((name == NULL ||
			slice_eq_nocase(head->fields[i].name, *name)) &&
		    field_class_of(head->fields[i].id) == CLASS_PLAIN)
			named[i] = true;
}

/* Whether each field is named by Connection (RFC 9110 7.6.1); NULL when none
 * is. The usual members cost no more than the look at them; a list made to
 * keep the gate busy names everything. */
static const bool *
named_fields(const struct head *head, struct arena *arena)
{
	bool *named = NULL;
	struct slice rest, member;
	unsigned names = 0;

	for (unsigned i = 0; i < head->field_count; i++) {
		if (head->fields[i].id != FIELD_CONNECTION)
			continue;
		rest = head->fields[i].value;
		while (names <= NAMED_MAX && slice_next(&rest, ',', &member)) {
			if (slice_eq_nocase(member, SLICE("keep-alive")) ||
			    slice_eq_nocase(member, SLICE("close")))
				continue;
			if (named == NULL)
				named = memset(
				    arena_alloc(arena, head->field_count), 0,
				    head->field_count);
			mark_named(
			    head, ++names <= NAMED_MAX ? &member : NULL, named);
		}
	}
	return named;
}

/* Names that only the gate may send, and their twins; those of framing too. Via
 * is not among them: without the client's a loop would go on for ever. */
static bool
is_ours(const struct gate_config *gate, struct slice name)
{
	const struct slice family = SLICE("x-forwarded");
	char first;

	if (name.len == 0)
		return false;
	first = (char)(name.at[0] | 0x20);
	if (first == 'x' && name.len >= family.len &&
	    field_folds_alike((struct slice){name.at, family.len}, family) &&
	    (name.len == family.len ||
		field_folds_alike(
		    (struct slice){name.at + family.len, 1}, SLICE("-"))))
		return true;
	if (first == 'x' &&
	    (field_folds_alike(name, SLICE("x-real-ip")) ||
		field_folds_alike(name, SLICE("x-original-url")) ||
		field_folds_alike(name, SLICE("x-rewrite-url"))))
		return true;
	if (first == 'f' && field_folds_alike(name, SLICE("forwarded")))
		return true;
	return field_folds_alike(name, gate->request_id_header) ||
	       (first == 'c' &&
		   field_folds_alike(name, SLICE("content-length"))) ||
	       (first == 't' &&
		   field_folds_alike(name, SLICE("transfer-encoding")));
}

/* Names that the site has given to what the gate tells the upstream. */
static bool
is_of_site(const struct site *site, struct slice name)
{
	return (site->flag_header.len > 0 &&
		   field_folds_alike(name, site->flag_header)) ||
	       (site->certificate_header.len > 0 &&
		   field_folds_alike(name, site->certificate_header));
}

/* Read before the content, or not at all. */
static bool
is_control(struct slice name)
{
	static const struct slice names[] = {{"age", 3}, {"cache-control", 13},
	    {"expires", 7}, {"pragma", 6}, {"range", 5}, {"content-range", 13},
	    {"set-cookie", 10}, {"vary", 4}, {"warning", 7},
	    {"www-authenticate", 16}, {"retry-after", 11},
	    {"content-location", 16}, {"proxy-status", 12}, {"allow", 5},
	    {"location", 8}};

	for (size_t i = 0; i < COUNT(names); i++)
		if (field_folds_alike(name, names[i]))
			return true;
	return false;
}

static bool
may_trail(const struct forward_facts *facts, const struct field *field)
{
	const struct slice conditional = SLICE("if-");

	if (field_class_of(field->id) != CLASS_PLAIN ||
	    is_control(field->name) || is_ours(facts->gate, field->name) ||
	    override_is_header(field->name))
		return false;
	if (is_of_site(facts->site, field->name))
		return false;
	return field->name.len < conditional.len ||
	       !field_folds_alike(
		   (struct slice){field->name.at, conditional.len},
		   conditional);
}

const struct head *
forward_trailers(const struct forward_facts *facts, const struct head *from,
    struct arena *arena)
{
	struct head *to;

	if (from == NULL)
		return NULL;
	to = arena_alloc(arena, sizeof(*to));
	*to = (struct head){.fields = arena_alloc(arena,
				from->field_count * sizeof(struct field))};
	for (unsigned i = 0; i < from->field_count; i++) {
		const struct field *field = &from->fields[i];

		if (may_trail(facts, field))
			add(to, field->id, arena_copy(arena, field->name),
			    arena_copy(arena, field->value));
	}
	return to->field_count > 0 ? to : NULL;
}

static bool
is_listed(struct slice name, const struct slice *list, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (slice_eq_nocase(name, list[i]))
			return true;
	return false;
}

struct slice
forward_upgrade(const struct head *head, const struct slice *list,
    unsigned count, struct arena *arena)
{
	const struct field *field =
	    count > 0 ? head_field(head, FIELD_UPGRADE) : NULL;
	struct slice rest, member, found = SLICE_NONE;

	if (field == NULL || head->minor == 0 ||
	    !head_has_token(head, FIELD_CONNECTION, SLICE("upgrade")))
		return SLICE_NONE;
	rest = field->value;
	while (slice_next(&rest, ',', &member)) {
		if (!is_listed(member, list, count) ||
		    found.len + member.len + 2 > HTTP_UPGRADE_MAX)
			continue;
		if (found.len == 0)
			found = arena_copy(arena, member);
		else
			found = arena_printf(arena, "%.*s, %.*s",
			    SLICE_ARG(found), SLICE_ARG(member));
	}
	return found;
}

static bool
goes_up(const struct forward_facts *facts, const struct field *field)
{
	enum field_class class = field_class_of(field->id);

	if (facts->strip && override_is_header(field->name))
		return false;
	if (is_of_site(facts->site, field->name))
		return false;
	if (field->id == FIELD_VIA)
		return true;
	if (field->id == FIELD_TRAILER)
		return facts->trailers;
	if (field->id == FIELD_HOST || field->id == FIELD_CONTENT_LENGTH)
		return false;
	return class != CLASS_HOP && class != CLASS_GATE &&
	       !is_ours(facts->gate, field->name);
}

/* Content-Length without a body says what GET would give (HEAD, 304); 1xx and
 * 204 may not have it (RFC 9110 8.6), and of 0 the client writes its own. */
static bool
goes_down(
    const struct head *head, const struct field *field, struct body_plan plan)
{
	uint64_t length;

	if (field->id == FIELD_CONTENT_LENGTH)
		return plan.kind == BODY_NONE && head->status >= 200 &&
		       head->status != 204 &&
		       slice_to_u64(field->value, &length) && length > 0;
	if (field->id == FIELD_UPGRADE)
		return plan.kind == BODY_TUNNEL;
	if (field->id == FIELD_TRAILER)
		return plan.kind == BODY_CHUNKED;
	return field_class_of(field->id) != CLASS_HOP;
}

/* Takes a word off the front, with the white space before it; a comment ends
 * it too. */
static struct slice
take_word(struct slice *rest)
{
	struct slice s = slice_trim(*rest);
	size_t len = 0;

	while (len < s.len && s.at[len] != ' ' && s.at[len] != '\t' &&
	       s.at[len] != '(')
		len++;
	*rest = (struct slice){s.at + len, s.len - len};
	return (struct slice){s.at, len};
}

/* How often received-by is our pseudonym in a Via (RFC 9110 7.6.3). A comma in
 * a comment splits too: rather one pass too many than an endless loop. */
static unsigned
count_passes(struct slice value, struct slice pseudonym)
{
	struct slice member;
	unsigned passes = 0;

	while (slice_next(&value, ',', &member)) {
		(void)take_word(&member); /* received-protocol */
		if (slice_eq_nocase(take_word(&member), pseudonym))
			passes++;
	}
	return passes;
}

/* RFC 9110 7.6.2; 0 never comes here, what is no number goes on as it is. */
static void
spend_forward(struct head *to, struct arena *arena)
{
	uint64_t left;

	if (!slice_eq(to->method, SLICE("OPTIONS")))
		return;
	for (unsigned i = 0; i < to->field_count; i++) {
		struct field *field = &to->fields[i];

		if (field->id == FIELD_MAX_FORWARDS &&
		    slice_to_u64(field->value, &left) && left > 0)
			field->value =
			    arena_printf(arena, "%" PRIu64, left - 1);
	}
}

static void
add(struct head *to, enum field_id id, struct slice name, struct slice value)
{
	to->fields[to->field_count++] = (struct field){name, value, id};
}

/* A Destination names scheme and host as the client sees them, and the upstream
 * compares both with its own (RFC 4918 9.8.5). What was judged is the path; it
 * goes up as a URL all the same, as mod_dav takes no path. */
static void
point_destination(const struct forward_facts *facts, const struct head *from,
    struct arena *arena, struct head *to)
{
	struct head there;
	unsigned i;

	if (dav_destination(from, METHOD_MOVE, &there) != DAV_DESTINATION_GOOD)
		return;
	if (from->authority.len > 0)
		there.target = arena_printf(arena, "%s://%.*s%.*s",
		    facts->https ? "https" : "http", SLICE_ARG(from->authority),
		    SLICE_ARG(there.target));
	for (i = 0; i < to->field_count; i++)
		if (to->fields[i].id == FIELD_DESTINATION)
			to->fields[i].value = there.target;
}

static void
add_flags(
    const struct forward_facts *facts, struct arena *arena, struct head *to)
{
	char *words = arena_alloc(arena, FLAG_TEXT_MAX);
	size_t len = flag_set_print(facts->flags, words, FLAG_TEXT_MAX);

	add(to, FIELD_OTHER, facts->site->flag_header,
	    (struct slice){words, len});
}

static struct slice
glue(const struct slice *parts, size_t count, struct arena *arena)
{
	size_t size = 0, len = 0;
	char *text;

	for (size_t i = 0; i < count; i++)
		size += parts[i].len;
	text = arena_alloc(arena, size);
	for (size_t i = 0; i < count; i++) {
		if (parts[i].len > 0)
			memcpy(text + len, parts[i].at, parts[i].len);
		len += parts[i].len;
	}
	return (struct slice){text, len};
}

/* A line of our own after those of the hops before. */
static void
add_via(struct head *to, const struct site *site, unsigned minor,
    struct arena *arena)
{
	const struct slice parts[] = {
	    minor == 0 ? SLICE("1.0 ") : SLICE("1.1 "), site->via};

	add(to, FIELD_VIA, SLICE("Via"), glue(parts, COUNT(parts), arena));
}

/* The values of all fields with the id, or else first; then last. Empty ones
 * leave no comma. */
static struct slice
extend_chain(const struct head *head, enum field_id id, struct slice first,
    struct slice last, struct arena *arena)
{
	struct slice *parts = arena_alloc(
	    arena, (2 * (size_t)head->field_count + 4) * sizeof(struct slice));
	size_t count = 0;

	for (unsigned i = 0; i < head->field_count; i++) {
		const struct field *field = &head->fields[i];

		if (field->id != id || field->value.len == 0)
			continue;
		parts[count++] = field->value;
		parts[count++] = SLICE(", ");
	}
	if (count == 0 && first.len > 0) {
		parts[count++] = first;
		parts[count++] = SLICE(", ");
	}
	if (last.len > 0)
		parts[count++] = last;
	else if (count > 0)
		count--;
	return glue(parts, count, arena);
}

/* The peer's address; empty for a unix socket, which has none. */
static struct slice
peer_text(const struct forward_origin *origin, struct arena *arena)
{
	if (origin->peer->sa.ss_family == AF_UNIX)
		return SLICE_NONE;
	return origin->trusted ? ip_text(origin->peer, arena)
			       : origin->client_ip;
}

/* What a trusted peer said of its client in the other family of fields. */
static struct slice
hearsay(const struct forward_origin *origin, struct slice peer)
{
	if (slice_eq(origin->client_ip, peer) ||
	    slice_eq(origin->client_ip, SLICE("unix")))
		return SLICE_NONE;
	return origin->client_ip;
}

static void
add_x_forwarded(const struct forward_facts *facts, const struct head *from,
    struct arena *arena, struct head *to)
{
	const struct forward_origin *origin = facts->origin;
	struct slice peer = peer_text(origin, arena), chain = peer;

	if (origin->trusted)
		chain = extend_chain(from, FIELD_X_FORWARDED_FOR,
		    hearsay(origin, peer), peer, arena);
	if (chain.len == 0)
		chain = SLICE("unknown");
	add(to, FIELD_X_FORWARDED_FOR, SLICE("X-Forwarded-For"), chain);
	add(to, FIELD_X_FORWARDED_PROTO, SLICE("X-Forwarded-Proto"),
	    origin->scheme);
	if (from->authority.len > 0)
		add(to, FIELD_X_FORWARDED_HOST, SLICE("X-Forwarded-Host"),
		    from->authority);
}

/* for=192.0.2.1, for="[2001:db8::1]", for=unknown (RFC 7239 6). */
static struct slice
node_of(struct slice ip, struct arena *arena)
{
	const struct slice v6[] = {SLICE("for=\"["), ip, SLICE("]\"")};
	const struct slice v4[] = {SLICE("for="), ip};

	if (ip.len == 0)
		return SLICE("for=unknown");
	if (slice_find(ip, ':', 0) < ip.len)
		return glue(v6, COUNT(v6), arena);
	return glue(v4, COUNT(v4), arena);
}

/* A host with a port is no token, so it needs quotes; an authority holds
 * neither quote nor backslash (uri_authority_valid). */
static struct slice
our_element(const struct forward_origin *origin, struct slice node,
    struct slice host, struct arena *arena)
{
	struct slice quote = is_token(host) ? SLICE_NONE : SLICE("\"");
	const struct slice parts[] = {node, SLICE(";host="), quote, host, quote,
	    SLICE(";proto="), origin->scheme};
	const struct slice hostless[] = {
	    node, SLICE(";proto="), origin->scheme};

	if (host.len == 0)
		return glue(hostless, COUNT(hostless), arena);
	return glue(parts, COUNT(parts), arena);
}

static void
add_forwarded(const struct forward_facts *facts, const struct head *from,
    struct arena *arena, struct head *to)
{
	const struct forward_origin *origin = facts->origin;
	struct slice peer = peer_text(origin, arena);
	struct slice other = hearsay(origin, peer);
	struct slice chain =
	    our_element(origin, node_of(peer, arena), from->authority, arena);

	if (origin->trusted)
		chain = extend_chain(from, FIELD_FORWARDED,
		    other.len > 0 ? node_of(other, arena) : other, chain,
		    arena);
	add(to, FIELD_FORWARDED, SLICE("Forwarded"), chain);
}
