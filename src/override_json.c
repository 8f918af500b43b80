/* SPDX-License-Identifier: ISC */
/* override_json: strings and brackets are told apart, nothing else is checked.
 * Each string at depth 1 may be a key until something but ':' follows. */
#include "override_json.h"

/* A string is skipped from the byte on that makes it no known key. */
enum { BETWEEN, KEY, VALUE, SKIP };

void
override_json_init(struct override_json *json)
{
	memset(json, 0, sizeof(*json));
	json->known = override_rows_of(OVERRIDE_JSON);
}

/* No text in UTF-8 has 0xfe or 0xff, or starts with NUL in JSON; in UTF-16 and
 * UTF-32 the first or second byte shows it, with a byte order mark or not. */
static void
look_for_utf16(
    struct override_json *json, struct slice piece, struct override_set *set)
{
	size_t i;

	for (i = 0; json->seen < 2 && i < piece.len; i++, json->seen++)
		if (piece.at[i] == '\0' ||
		    (json->seen == 0 &&
			(piece.at[i] == '\xfe' || piece.at[i] == '\xff')))
			set->unreadable = true;
}

/* Between strings at another depth, only quotes and brackets matter; those of
 * either kind differ from each other by 0x20. */
static size_t
skip_nested(struct slice piece, size_t i)
{
	for (; i < piece.len; i++) {
		char folded = (char)(piece.at[i] | 0x20);

		if (folded == '{' || folded == '}' || piece.at[i] == '"')
			break;
	}
	return i;
}

static void
start_string(struct override_json *json)
{
	if (json->depth == 2 && json->listed != 0) {
		override_value_start(&json->value, json->listed);
		json->state = VALUE;
	} else if (json->depth != 1) {
		json->state = SKIP;
	} else if (json->value.rows != 0) {
		json->state = VALUE;
	} else {
		json->state = KEY;
		override_name_start(&json->name, json->known);
	}
}

static void
between_byte(struct override_json *json, char c)
{
	switch (c) {
	case '"':
		start_string(json);
		break;
	case '[':
		if (json->depth == 1)
			json->listed = json->value.rows;
		json->depth++;
		break;
	case '{':
		json->depth++;
		break;
	case '}':
	case ']':
		if (json->depth > 0 && --json->depth == 1)
			json->listed = 0;
		break;
	case ':': /* skip_nested() has none */
		override_value_start(
		    &json->value, override_name_match(&json->name));
		break;
	case ',':
		override_value_start(&json->value, 0);
		break;
	default:
		break;
	}
}

static int
simple_escape(char c)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *at = memchr(from, c, sizeof(from) - 1);

	return (unsigned char)(at != NULL ? to[at - from] : c);
}

/* The character that ends with this byte, or -1; what is not ASCII is 0xff. */
static int
escape_byte(struct override_json *json, char c)
{
	if (json->escape++ == 1) {
		if (c == 'u')
			return -1;
		json->escape = 0;
		return simple_escape(c);
	}
	/* Four digits fill it. */
	json->code = (uint16_t)(json->code << 4 | (override_hex(c) & 15));
	if (json->escape < 6)
		return -1;
	json->escape = 0;
	return json->code < 0x80 ? json->code : 0xff;
}

static void
end_string(struct override_json *json, struct override_set *set)
{
	override_value_end(&json->value, set);
	json->state = BETWEEN;
}

static void
string_byte(struct override_json *json, char c, struct override_set *set)
{
	int byte = (unsigned char)c;

	if (json->escape > 0) {
		byte = escape_byte(json, c);
	} else if (c == '\\') {
		json->escape = 1;
		return;
	} else if (c == '"') {
		end_string(json, set);
		return;
	}
	if (byte < 0)
		return;
	if (json->state == VALUE) {
		override_value_put(&json->value, (char)byte, set);
		return;
	}
	override_name_put(&json->name, (char)byte);
	if (json->name.rows == 0)
		json->state = SKIP;
}

static size_t
skip_string(struct override_json *json, struct slice piece, size_t i)
{
	if (json->escape > 0) {
		json->escape = 0;
		return i + 1;
	}
	i = override_find(piece, i, '"', '\\');
	if (i == piece.len)
		return i;
	if (piece.at[i] == '\\')
		json->escape = 1;
	else
		json->state = BETWEEN;
	return i + 1;
}

void
override_json_feed(
    struct override_json *json, struct slice piece, struct override_set *set)
{
	size_t i = 0;

	look_for_utf16(json, piece, set);
	while (i < piece.len) {
		if (json->state == SKIP) {
			i = skip_string(json, piece, i);
		} else if (json->state != BETWEEN) {
			string_byte(json, piece.at[i++], set);
		} else {
			if (json->depth != 1)
				i = skip_nested(piece, i);
			if (i < piece.len)
				between_byte(json, piece.at[i++]);
		}
	}
}

/* A string that nothing ends is a value all the same. */
void
override_json_end(struct override_json *json, struct override_set *set)
{
	override_value_end(&json->value, set);
	json->state = BETWEEN;
}
