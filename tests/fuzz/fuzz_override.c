/* SPDX-License-Identifier: ISC */
/* override: the first byte of the input says what the rest is, the second how
 * it is cut: a (f)orm, a (q)uery, (j)son, a (m)ultipart with boundary b-b, a
 * (t)ype in a line of its own and a body, or a (h)ead of "name:value" lines.
 * However a body is cut, the same must come out. Forms and queries must come
 * out as a slow decoder reads them; of JSON and multipart nothing may be missed
 * that a strict parser finds, and of valid JSON nothing else be found. */
#include <assert.h>
#include <stdlib.h>

#include "override_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const struct slice names[] = {{"_method", 7}, {"_httpmethod", 11},
    {"x-http-method-override", 22}, {"x-method-override", 17}};
enum { NAMES = 4 };

/* ---- what must be true of every set ---- */

static bool
is_space(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7f;
}

static void
check(const struct override_set *set)
{
	unsigned i, k;

	assert(set->count <= OVERRIDE_TOKENS);
	assert(!set->full || set->count == OVERRIDE_TOKENS);
	for (i = 0; i < set->count; i++) {
		const struct override_token *t = &set->token[i];

		assert(t->row < OVERRIDE_COUNT);
		assert(t->len > 0 && t->len <= METHOD_TOKEN_MAX);
		assert(t->token[t->len] == '\0');
		assert(
		    !is_space(t->token[0]) && !is_space(t->token[t->len - 1]));
		for (k = 0; k < t->len; k++)
			assert(t->token[k] != ',' &&
			       (t->token[k] < 'a' || t->token[k] > 'z'));
	}
}

static bool
has(const struct override_set *set, enum override_place place,
    struct slice name, struct slice token, bool cut)
{
	unsigned i;

	for (i = 0; i < set->count; i++) {
		const struct override_token *t = &set->token[i];
		const struct override_row *row = override_row(t->row);

		if (row->place == place && slice_eq(row->name, name) &&
		    t->cut == cut &&
		    slice_eq((struct slice){t->token, t->len}, token))
			return true;
	}
	return false;
}

static void
check_same(const struct override_set *a, const struct override_set *b)
{
	unsigned i;

	assert(a->count == b->count && a->full == b->full);
	assert(a->unreadable == b->unreadable);
	for (i = 0; i < a->count; i++) {
		assert(a->token[i].row == b->token[i].row);
		assert(a->token[i].len == b->token[i].len);
		assert(a->token[i].cut == b->token[i].cut);
		assert(memcmp(a->token[i].token, b->token[i].token,
			   a->token[i].len) == 0);
	}
}

/* ---- bodies in pieces ---- */

static void
feed(struct override_scan *scan, struct slice piece, struct override_set *set)
{
	char *copy = malloc(piece.len);

	assert(copy != NULL || piece.len == 0);
	if (piece.len > 0)
		memcpy(copy, piece.at, piece.len);
	override_scan_feed(scan, (struct slice){copy, piece.len}, set);
	free(copy);
}

/* Pieces of up to most bytes; 0: one piece. */
static struct override_set
scan_cut(
    struct override_scan scan, struct slice body, size_t most, uint32_t seed)
{
	struct override_set set = {0};
	size_t at, len;

	for (at = 0; at < body.len; at += len) {
		seed = seed * 1664525 + 1013904223;
		len = most == 0 ? body.len : seed / 65536 % (most + 1);
		if (most == 1)
			len = 1;
		len = len < body.len - at ? len : body.len - at;
		feed(&scan, (struct slice){body.at + at, len}, &set);
	}
	override_scan_end(&scan, &set);
	check(&set);
	return set;
}

/* False when it is none to be scanned. */
static bool
scan(struct slice type, struct slice body, uint8_t seed,
    struct override_scan *scanned, struct override_set *set)
{
	struct field field = {.name = SLICE("Content-Type"), .value = type};
	struct head head = {.method = SLICE("POST"),
	    .path = type,
	    .fields = &field,
	    .field_count = 1};
	struct override_set again;

	if (override_scan_init(scanned, &head) != OVERRIDE_BODY_SCAN)
		return false;
	*set = scan_cut(*scanned, body, 0, seed);
	again = scan_cut(*scanned, body, 1, seed);
	check_same(set, &again);
	again = scan_cut(*scanned, body, 7, seed);
	check_same(set, &again);
	again = scan_cut(*scanned, body, body.len / 2 + 1, seed);
	check_same(set, &again);
	return true;
}

/* ---- values ---- */

struct expected {
	enum override_place place;
	struct override_set *set; /* each token must be in it */
	unsigned count;		  /* distinct or not */
};

static void
expect_token(struct expected *e, struct slice name, char *at, size_t len)
{
	bool cut;
	size_t i;

	while (len > 0 && is_space(at[len - 1]))
		len--;
	while (len > 0 && is_space(at[0])) {
		at++;
		len--;
	}
	if (len == 0)
		return;
	cut = len > METHOD_TOKEN_MAX;
	if (cut)
		len = METHOD_TOKEN_MAX;
	while (is_space(at[len - 1]))
		len--;
	for (i = 0; i < len; i++)
		if (at[i] >= 'a' && at[i] <= 'z')
			at[i] = (char)(at[i] - 'a' + 'A');
	e->count++;
	assert(e->set->full ||
	       has(e->set, e->place, name, (struct slice){at, len}, cut));
}

static void
expect_value(struct expected *e, struct slice name, char *value, size_t len)
{
	size_t from = 0, to;

	for (to = 0; to <= len; to++)
		if (to == len || value[to] == ',') {
			expect_token(e, name, value + from, to - from);
			from = to + 1;
		}
}

/* The one of names that it is once folded, or NULL. */
static const struct slice *
known(char *name, size_t len)
{
	size_t from = 0, to, i;

	while (from < len && name[from] != '\0' &&
	       (is_space(name[from]) ||
		   strchr("[]\xef\xbb\xbf", name[from]) != NULL))
		from++;
	for (to = from; to < len; to++) {
		if (name[to] == '\0' || name[to] == '[' || name[to] == ']')
			break;
		if (name[to] == '.' || name[to] == ' ')
			name[to] = '_';
	}
	for (i = 0; i < NAMES; i++)
		if (slice_eq_nocase(
			(struct slice){name + from, to - from}, names[i]))
			return &names[i];
	return NULL;
}

/* ---- forms ---- */

static int
hex_digits(const char *at, size_t count)
{
	char text[5] = {0};
	size_t i;

	for (i = 0; i < count; i++) {
		if (strchr("0123456789abcdefABCDEF", at[i]) == NULL ||
		    at[i] == '\0')
			return -1;
		text[i] = at[i];
	}
	return (int)strtol(text, NULL, 16);
}

static size_t
decode(struct slice in, char *out)
{
	size_t i, len = 0;
	int code;

	for (i = 0; i < in.len; i++) {
		out[len++] = in.at[i] == '+' ? ' ' : in.at[i];
		if (in.at[i] != '%')
			continue;
		if (in.len - i >= 3 &&
		    (code = hex_digits(in.at + i + 1, 2)) >= 0) {
			out[len - 1] = (char)code;
			i += 2;
		} else if (in.len - i >= 6 && (in.at[i + 1] | 0x20) == 'u' &&
			   (code = hex_digits(in.at + i + 2, 4)) >= 0) {
			out[len - 1] = code < 0x80 ? (char)code : '\xff';
			i += 5;
		}
	}
	return len;
}

static void
expect_param(struct expected *e, struct slice param)
{
	char *name = malloc(param.len + 1), *value = malloc(param.len + 1);
	size_t equals = slice_find(param, '=', 0), len;
	const struct slice *row;

	assert(name != NULL && value != NULL);
	len = decode((struct slice){param.at, equals}, name);
	row = known(name, len);
	if (row != NULL && equals < param.len) {
		len = decode((struct slice){param.at + equals + 1,
				 param.len - equals - 1},
		    value);
		expect_value(e, *row, value, len);
	}
	free(name);
	free(value);
}

static void
check_params(
    struct slice in, enum override_place place, struct override_set *set)
{
	struct expected e = {place, set, 0};
	size_t from = 0, to;

	for (to = 0; to <= in.len; to++)
		if (to == in.len || in.at[to] == '&' || in.at[to] == ';') {
			expect_param(
			    &e, (struct slice){in.at + from, to - from});
			from = to + 1;
		}
	assert(set->count <= e.count);
	assert(!set->full || e.count > OVERRIDE_TOKENS);
	assert(!set->unreadable);
}

/* ---- JSON (RFC 8259), strictly ---- */

struct json {
	struct slice in;
	size_t at;
	bool bad;
	unsigned depth;
};

static char
json_peek(struct json *j)
{
	while (j->at < j->in.len &&
	       strchr(" \t\r\n", j->in.at[j->at]) != NULL &&
	       j->in.at[j->at] != '\0')
		j->at++;
	return j->at < j->in.len ? j->in.at[j->at] : '\0';
}

static void
json_take(struct json *j, char c)
{
	if (json_peek(j) != c || j->at >= j->in.len)
		j->bad = true;
	else
		j->at++;
}

static char
json_escape(struct json *j)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char c = j->at < j->in.len ? j->in.at[j->at++] : '\0';
	int code;

	if (c == 'u' && j->in.len - j->at >= 4) {
		code = hex_digits(j->in.at + j->at, 4);
		j->bad |= code < 0;
		j->at += 4;
		return code < 0x80 ? (char)code : '\xff';
	}
	if (c == '\0' || strchr(from, c) == NULL) {
		j->bad = true;
		return c;
	}
	return to[strchr(from, c) - from];
}

/* Into out, which has room for the whole of the input; the length. */
static size_t
json_string(struct json *j, char *out)
{
	size_t len = 0;

	json_take(j, '"');
	while (!j->bad) {
		if (j->at == j->in.len) {
			j->bad = true;
			break;
		}
		char c = j->in.at[j->at++];

		if (c == '"')
			break;
		j->bad |= (unsigned char)c < ' ';
		out[len++] = c == '\\' ? json_escape(j) : c;
	}
	return len;
}

static void json_value(struct json *j, struct expected *e, char *out);

static void
json_member(struct json *j, struct expected *e, char *out)
{
	size_t len = json_string(j, out);
	const struct slice *row = j->bad ? NULL : known(out, len);

	json_take(j, ':');
	if (json_peek(j) != '"' || row == NULL || e == NULL) {
		json_value(j, NULL, out);
		return;
	}
	len = json_string(j, out);
	if (!j->bad)
		expect_value(e, *row, out, len);
}

static void
json_list(struct json *j, struct expected *e, char *out, bool object)
{
	char end = object ? '}' : ']';

	json_take(j, object ? '{' : '[');
	if (json_peek(j) == end) {
		j->at++;
		return;
	}
	while (!j->bad) {
		if (object)
			json_member(j, e, out);
		else
			json_value(j, NULL, out);
		if (json_peek(j) == end) {
			j->at++;
			return;
		}
		json_take(j, ',');
	}
}

static void
json_value(struct json *j, struct expected *e, char *out)
{
	char c = json_peek(j);
	size_t start;

	if (j->bad || ++j->depth > 100) {
		j->bad = true;
		return;
	}
	if (c == '{' || c == '[') {
		json_list(j, c == '{' ? e : NULL, out, c == '{');
	} else if (c == '"') {
		json_string(j, out);
	} else {
		start = j->at;
		while (
		    j->at < j->in.len && j->in.at[j->at] != '\0' &&
		    strchr("+-.0123456789Eaeflnrstu", j->in.at[j->at]) != NULL)
			j->at++;
		j->bad |= j->at == start;
	}
	j->depth--;
}

static void
check_json(struct slice in, struct override_set *set)
{
	struct expected e = {OVERRIDE_JSON, set, 0};
	struct json j = {.in = in};
	char *out = malloc(in.len + 1);

	assert(out != NULL);
	json_value(&j, &e, out);
	json_peek(&j);
	if (!j.bad && j.at == in.len) {
		assert(set->count <= e.count);
		assert(!set->unreadable);
	}
	free(out);
}

/* ---- multipart (RFC 2046 5.1, RFC 7578), strictly ---- */

static size_t
find(struct slice s, struct slice wanted, size_t from)
{
	const char *at;

	if (from > s.len)
		return s.len;
	at = memmem(s.at + from, s.len - from, wanted.at, wanted.len);
	return at != NULL ? (size_t)(at - s.at) : s.len;
}

static void
expect_part(struct expected *e, struct slice part)
{
	const struct slice start =
	    SLICE("Content-Disposition: form-data; name=\"");
	size_t end = find(part, SLICE("\r\n\r\n"), 0), quote;
	struct slice name, value;
	char *copy;
	unsigned i;

	if (end == part.len || !slice_starts(part, start))
		return;
	quote = slice_find(part, '"', start.len);
	name = (struct slice){part.at + start.len, quote - start.len};
	value = (struct slice){part.at + end + 4, part.len - end - 4};
	if (quote > end)
		return;
	copy = malloc(value.len + 1);
	assert(copy != NULL);
	for (i = 0; i < NAMES; i++) {
		if (!slice_eq_nocase(name, names[i]))
			continue;
		if (value.len > 0)
			memcpy(copy, value.at, value.len);
		/* One that ends in the middle of a line is another. */
		if (find(value, SLICE("--b-b"), 0) == value.len)
			expect_value(e, names[i], copy, value.len);
	}
	free(copy);
}

static void
check_multipart(struct slice in, struct override_set *set)
{
	const struct slice first = SLICE("--b-b\r\n"),
			   next = SLICE("\r\n--b-b");
	struct expected e = {OVERRIDE_MULTIPART, set, 0};
	size_t at, end;

	if (set->unreadable || !slice_starts(in, first))
		return;
	for (at = first.len; at < in.len; at = end + next.len + 2) {
		end = find(in, next, at);
		if (end == in.len || in.len - end < next.len + 2)
			return;
		expect_part(&e, (struct slice){in.at + at, end - at});
		if (memcmp(in.at + end + next.len, "\r\n", 2) != 0)
			return;
	}
}

/* ---- the input ---- */

static void
read_head(struct slice in)
{
	struct field fields[16] = {0};
	struct head head = {.path = in, .fields = fields};
	struct override_set set = {0};
	struct slice line;
	unsigned named = 0;
	size_t colon;

	while (head.field_count < 16 && slice_next(&in, '\n', &line)) {
		struct field *field = &fields[head.field_count++];

		colon = slice_find(line, ':', 0);
		field->name = (struct slice){line.at, colon};
		if (colon < line.len)
			field->value = (struct slice){
			    line.at + colon + 1, line.len - colon - 1};
		named += override_is_header(field->name);
	}
	override_read_head(&head, &set);
	check(&set);
	assert(set.count == 0 || named > 0);
}

static void
read_body(struct slice type, struct slice body, uint8_t seed)
{
	struct override_scan scanned;
	struct override_set set;

	if (!scan(type, body, seed, &scanned, &set))
		return;
	if (scanned.place == OVERRIDE_FORM)
		check_params(body, OVERRIDE_FORM, &set);
	if (scanned.place == OVERRIDE_JSON)
		check_json(body, &set);
	if (slice_eq(type, SLICE("multipart/form-data; boundary=b-b")))
		check_multipart(body, &set);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct override_set set = {0};
	struct slice in;
	size_t line;

	if (size < 2)
		return 0;
	in = (struct slice){(const char *)bytes + 2, size - 2};
	switch (bytes[0]) {
	case 'q':
		override_read_query(in, &set);
		check(&set);
		check_params(in, OVERRIDE_QUERY, &set);
		break;
	case 'f':
		read_body(
		    SLICE("application/x-www-form-urlencoded"), in, bytes[1]);
		break;
	case 'j':
		read_body(SLICE("application/json"), in, bytes[1]);
		break;
	case 'm':
		read_body(
		    SLICE("multipart/form-data; boundary=b-b"), in, bytes[1]);
		break;
	case 't':
		line = slice_find(in, '\n', 0);
		read_body((struct slice){in.at, line},
		    (struct slice){in.at + line, in.len - line}, bytes[1]);
		break;
	case 'h':
		read_head(in);
		break;
	default:
		break;
	}
	return 0;
}
