/* SPDX-License-Identifier: ISC */
/* override: names and values of overrides, byte by byte, so that they may come
 * in pieces; headers and queries. A name is held as the rows that it can still
 * become, so most are done with after one byte. */
#include "override.h"

#include <assert.h>

static const struct override_row rows[OVERRIDE_COUNT] = {
#define OVERRIDE(id, place, name, who, wire)                                   \
	{OVERRIDE_##place, {name, sizeof(name) - 1}, who, wire},
#include "override.def"
#undef OVERRIDE
};
static_assert(OVERRIDE_COUNT <= 32, "a bit for each row");

static const char *const places[OVERRIDE_PLACES] = {
    "header", "cookie", "query", "form", "multipart", "json"};

const char *
override_place_word(enum override_place place)
{
	assert(place < OVERRIDE_PLACES);
	return places[place];
}

const struct override_row *
override_row(enum override row)
{
	assert(row < OVERRIDE_COUNT);
	return &rows[row];
}

static char
upper(char c)
{
	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	return c;
}

int
override_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = override_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What servers and languages trim; DEL with it. */
static bool
is_space(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7f;
}

static void
set_add(struct override_set *set, const struct override_token *token)
{
	unsigned i;

	for (i = 0; i < set->count; i++)
		if (set->token[i].row == token->row &&
		    set->token[i].cut == token->cut &&
		    set->token[i].len == token->len &&
		    memcmp(set->token[i].token, token->token, token->len) == 0)
			return;
	if (set->count == OVERRIDE_TOKENS)
		set->full = true;
	else
		set->token[set->count++] = *token;
}

void
override_value_start(struct override_value *value, uint32_t rows_)
{
	value->rows = rows_;
	value->len = value->end = 0;
	value->cut = false;
}

/* One member of the list is complete. */
static void
value_take(struct override_value *value, struct override_set *set)
{
	struct override_token token = {.len = value->end, .cut = value->cut};
	uint32_t left = value->rows;

	memcpy(token.token, value->token, value->end);
	for (; value->end > 0 && left != 0; left &= left - 1) {
		token.row = (enum override)__builtin_ctz(left);
		set_add(set, &token);
	}
	override_value_start(value, value->rows);
}

void
override_value_put(
    struct override_value *value, char c, struct override_set *set)
{
	if (c == ',') {
		value_take(value, set);
		return;
	}
	if (is_space(c) && value->len == 0)
		return;
	if (value->len == METHOD_TOKEN_MAX) {
		value->cut = value->cut || !is_space(c);
		return;
	}
	value->token[value->len++] = upper(c);
	if (!is_space(c))
		value->end = value->len;
}

void
override_value_end(struct override_value *value, struct override_set *set)
{
	value_take(value, set);
	value->rows = 0;
}

uint32_t
override_rows_of(enum override_place place)
{
	uint32_t found = 0;
	unsigned i;

	for (i = 0; i < OVERRIDE_COUNT; i++)
		if (rows[i].place == place)
			found |= UINT32_C(1) << i;
	return found;
}

void
override_name_start(struct override_name *name, uint32_t rows_)
{
	*name = (struct override_name){.rows = rows_};
}

/* PHP drops spaces before a name, Rack 2 and qs (Express) a bracket. A byte
 * order mark is dropped by iconv-lite (Express), where the body starts. */
static bool
is_dropped(char c)
{
	return (c != '\0' && is_space(c)) || c == '[' || c == ']' ||
	       c == '\xef' || c == '\xbb' || c == '\xbf';
}

void
override_name_put(struct override_name *name, char c)
{
	uint32_t left;

	if (name->cut || (name->len == 0 && is_dropped(c)))
		return;
	if (c == '\0' || c == '[' || c == ']') {
		name->cut = true;
		return;
	}
	c = override_lower(c);
	if (c == '.' || c == ' ')
		c = '_';
	for (left = name->rows; left != 0; left &= left - 1) {
		unsigned row = (unsigned)__builtin_ctz(left);

		if (name->len >= rows[row].name.len ||
		    rows[row].name.at[name->len] != c)
			name->rows &= ~(UINT32_C(1) << row);
	}
	/* With no row left the length is of no use, and could wrap. */
	if (name->rows != 0)
		name->len++;
}

uint32_t
override_name_match(const struct override_name *name)
{
	uint32_t left, found = 0;

	for (left = name->rows; left != 0; left &= left - 1) {
		unsigned row = (unsigned)__builtin_ctz(left);

		if (rows[row].name.len == name->len)
			found |= UINT32_C(1) << row;
	}
	return found;
}

int
override_escape_next(struct override_escape *escape, char c)
{
	bool wide = escape->len > 1 && override_lower(escape->byte[1]) == 'u';
	unsigned i, code = 0;

	assert(escape->len > 0 && escape->len < sizeof(escape->byte));
	if (override_hex(c) < 0 &&
	    (escape->len > 1 || override_lower(c) != 'u'))
		return ESCAPE_BAD;
	escape->byte[escape->len++] = c;
	if (escape->len < (wide ? 6 : 3))
		return ESCAPE_MORE;
	for (i = wide ? 2 : 1; i < escape->len; i++)
		code = code << 4 | (unsigned)override_hex(escape->byte[i]);
	escape->len = 0;
	return !wide || code < 0x80 ? (int)code : 0xff;
}

enum { PARAM_NAME, PARAM_VALUE, PARAM_SKIP };

static void
param_start(struct override_params *params)
{
	params->state = PARAM_NAME;
	override_name_start(&params->name, params->rows);
}

void
override_params_init(struct override_params *params, enum override_place place)
{
	memset(params, 0, sizeof(*params));
	params->rows = override_rows_of(place);
	param_start(params);
}

static void
param_put(struct override_params *params, char c, struct override_set *set)
{
	if (params->state == PARAM_VALUE)
		override_value_put(&params->value, c, set);
	if (params->state != PARAM_NAME)
		return;
	override_name_put(&params->name, c);
	if (params->name.rows == 0)
		params->state = PARAM_SKIP;
}

/* An escape that is none stands for its own bytes. */
static void
param_put_escape(struct override_params *params, struct override_set *set)
{
	struct override_escape literal = params->escape;
	unsigned i;

	params->escape.len = 0;
	for (i = 0; i < literal.len; i++)
		param_put(params, literal.byte[i], set);
}

static void
param_end(struct override_params *params, struct override_set *set)
{
	if (params->state == PARAM_VALUE)
		override_value_end(&params->value, set);
	param_start(params);
}

static void
param_name_end(struct override_params *params)
{
	uint32_t found = override_name_match(&params->name);

	override_value_start(&params->value, found);
	params->state = found != 0 ? PARAM_VALUE : PARAM_SKIP;
}

static void
param_byte(struct override_params *params, char c, struct override_set *set)
{
	int byte;

	if (params->escape.len > 0) {
		byte = override_escape_next(&params->escape, c);
		if (byte >= 0)
			param_put(params, (char)byte, set);
		if (byte != ESCAPE_BAD)
			return;
		param_put_escape(params, set);
	}
	if (c == '&' || c == ';')
		param_end(params, set);
	else if (c == '=' && params->state == PARAM_NAME)
		param_name_end(params);
	else if (c == '%')
		params->escape = (struct override_escape){1, {'%'}};
	else if (c == '+')
		param_put(params, ' ', set);
	else
		param_put(params, c, set);
}

void
override_params_feed(struct override_params *params, struct slice piece,
    struct override_set *set)
{
	size_t i = 0;

	for (;;) {
		if (params->state == PARAM_SKIP)
			i = override_find(piece, i, '&', ';');
		if (i == piece.len)
			return;
		param_byte(params, piece.at[i++], set);
	}
}

void
override_params_end(struct override_params *params, struct override_set *set)
{
	param_put_escape(params, set);
	param_end(params, set);
}

void
override_read_query(struct slice query, struct override_set *set)
{
	struct override_params params;

	if (query.len == 0)
		return;
	override_params_init(&params, OVERRIDE_QUERY);
	override_params_feed(&params, query, set);
	override_params_end(&params, set);
}

/* Names of headers are folded as CGI folds them: to letters, digits and one
 * other byte. */
static bool
is_header_name(struct slice name, struct slice row)
{
	size_t i;

	if (name.len != row.len)
		return false;
	for (i = 0; i < name.len; i++) {
		char c = override_lower(name.at[i]);

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9'))
			c = '-';
		if (c != row.at[i])
			return false;
	}
	return true;
}

/* The row of the header, or OVERRIDE_COUNT; headers come first in the table. */
static unsigned
header_row(struct slice name)
{
	unsigned i;

	if (name.len == 0 || override_lower(name.at[0]) != 'x')
		return OVERRIDE_COUNT;
	for (i = 0; rows[i].place == OVERRIDE_HEADER; i++)
		if (is_header_name(name, rows[i].name))
			return i;
	return OVERRIDE_COUNT;
}

bool
override_is_header(struct slice name)
{
	return header_row(name) != OVERRIDE_COUNT;
}

bool
override_is_path(enum override row)
{
	return slice_eq(override_row(row)->name, SLICE("rest_route"));
}

/* memmem prepares itself for longer than it then looks. */
static bool
holds(struct slice value, const char word[5])
{
	size_t at = slice_find(value, word[2], 0);

	for (; at < value.len; at = slice_find(value, word[2], at + 1))
		if (at >= 2 && value.len - at >= 3 &&
		    memcmp(value.at + at - 2, word, 5) == 0)
			return true;
	return false;
}

/* PHP compares names exactly, and older ones decode them: what holds neither
 * the word nor an escape names nothing. */
static void
read_cookie(struct slice value, struct override_set *set)
{
	struct override_params params;

	if (slice_find(value, '%', 0) == value.len && !holds(value, "ethod") &&
	    !holds(value, "ETHOD"))
		return;
	override_params_init(&params, OVERRIDE_COOKIE);
	override_params_feed(&params, value, set);
	override_params_end(&params, set);
}

void
override_read_head(const struct head *head, struct override_set *set)
{
	struct override_value value;
	unsigned i, row;
	size_t k;

	for (i = 0; i < head->field_count; i++) {
		const struct field *field = &head->fields[i];

		if (field->id == FIELD_COOKIE)
			read_cookie(field->value, set);
		row = header_row(field->name);
		if (row == OVERRIDE_COUNT)
			continue;
		override_value_start(&value, UINT32_C(1) << row);
		for (k = 0; k < field->value.len; k++)
			override_value_put(&value, field->value.at[k], set);
		override_value_end(&value, set);
	}
}

typedef unsigned char lanes __attribute__((vector_size(16)));

static inline lanes
load(const char *at)
{
	lanes all;

	memcpy(&all, at, sizeof(all));
	return all;
}

size_t
override_find(struct slice s, size_t from, char a, char b)
{
	const lanes as = (lanes){0} + (unsigned char)a;
	const lanes bs = (lanes){0} + (unsigned char)b;
	size_t i = from;
	uint64_t found[2];
	lanes hit;

	for (; s.len - i >= 4 * sizeof(lanes); i += 4 * sizeof(lanes)) {
		const char *at = s.at + i;

		hit = (lanes)((load(at) == as) | (load(at) == bs) |
			      (load(at + 16) == as) | (load(at + 16) == bs) |
			      (load(at + 32) == as) | (load(at + 32) == bs) |
			      (load(at + 48) == as) | (load(at + 48) == bs));
		memcpy(found, &hit, sizeof(found));
		if ((found[0] | found[1]) != 0)
			break;
	}
	while (i < s.len && s.at[i] != a && s.at[i] != b)
		i++;
	return i;
}
