/* SPDX-License-Identifier: ISC */
/* override_scan: what kind of body it is, as any server behind the gate might
 * see it. Some ask only how the type starts (ASP.NET), PHP ends it at a space
 * or comma, and formidable looks for a word anywhere in the field. */
#include "override_scan.h"

#include <assert.h>

struct types {
	bool any; /* something like a media type */
	bool form, json, multipart, batch, unreadable;
	struct slice boundary;
};

static struct slice
slice_from(struct slice s, size_t from)
{
	return (struct slice){s.at + from, s.len - from};
}

static bool
starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len &&
	       slice_eq_nocase((struct slice){s.at, prefix.len}, prefix);
}

/* First index of the word (lower case) at or after from, case folded, or s.len.
 */
static size_t
find_word(struct slice s, struct slice word, size_t from)
{
	for (; from < s.len; from++)
		if (override_lower(s.at[from]) == word.at[0] &&
		    starts(slice_from(s, from), word))
			return from;
	return s.len;
}

static bool
has_word(struct slice s, struct slice word)
{
	return find_word(s, word, 0) < s.len;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 2046 5.1.1, but ',': some end a boundary there. A space only where it is
 * quoted, and not at an end. */
static bool
is_boundary(struct slice s, bool quoted)
{
	size_t i;

	if (s.len == 0 || s.len > MULTIPART_BOUNDARY_MAX)
		return false;
	for (i = 0; i < s.len; i++) {
		char c = s.at[i], folded = (char)(c | 0x20);

		if (c == ' ' && quoted && i > 0 && i + 1 < s.len)
			continue;
		if (c == '\0' ||
		    ((folded < 'a' || folded > 'z') &&
			strchr("0123456789'()+_-./:=?", c) == NULL))
			return false;
	}
	return true;
}

/* Every server must see the same boundary: there is one such parameter, none of
 * its text can be taken for another (PHP and Rack look for the word anywhere),
 * and its value ends clearly. */
static bool
read_boundary(struct slice value, struct slice *boundary)
{
	const struct slice word = SLICE("boundary"), again = SLICE("boundary=");
	size_t at = find_word(value, word, 0), end;
	struct slice rest;
	bool quoted;

	if (at == value.len || at == 0 ||
	    (value.at[at - 1] != ';' && !is_blank(value.at[at - 1])))
		return false;
	rest = slice_from(value, at);
	if (!starts(rest, again) || find_word(rest, again, 1) < rest.len)
		return false;
	rest = slice_from(rest, again.len);
	quoted = rest.len > 0 && rest.at[0] == '"';
	if (quoted)
		rest = slice_from(rest, 1);
	end = slice_find(rest, quoted ? '"' : ';', 0);
	*boundary = (struct slice){rest.at, end};
	if (quoted && end == rest.len)
		return false;
	rest = slice_trim(slice_from(rest, quoted ? end + 1 : end));
	return is_boundary(*boundary, quoted) &&
	       (rest.len == 0 || rest.at[0] == ';');
}

/* Those in which every byte of ASCII stands for itself, and for nothing else.
 */
static bool
is_readable_charset(struct slice charset)
{
	static const struct slice names[] = {{"", 0}, {"utf-8", 5}, {"utf8", 4},
	    {"us-ascii", 8}, {"ascii", 5}, {"latin1", 6}};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_eq_nocase(charset, names[i]))
			return true;
	return starts(charset, SLICE("iso-8859-")) ||
	       starts(charset, SLICE("windows-125"));
}

/* Wherever the word stands, with a value of its own or not. */
static bool
has_readable_charset(struct slice value)
{
	static const char ends[] = {' ', '\t', '"', '\'', ';', ','};
	const struct slice word = SLICE("charset");
	size_t at = find_word(value, word, 0), end;

	for (; at < value.len; at = find_word(value, word, at + 1)) {
		struct slice rest =
		    slice_trim(slice_from(value, at + word.len));

		if (rest.len > 0 && rest.at[0] == '*')
			return false;
		if (rest.len == 0 || rest.at[0] != '=')
			continue;
		rest = slice_from(rest, 1);
		while (rest.len > 0 &&
		       (is_blank(rest.at[0]) || rest.at[0] == '"' ||
			   rest.at[0] == '\''))
			rest = slice_from(rest, 1);
		for (end = 0; end < rest.len; end++)
			if (memchr(ends, rest.at[end], sizeof(ends)) != NULL)
				break;
		if (!is_readable_charset((struct slice){rest.at, end}))
			return false;
	}
	return true;
}

static void
judge_type(struct slice type, struct types *types)
{
	size_t end;

	for (end = 0; end < type.len; end++)
		if (type.at[end] == ';' || is_blank(type.at[end]))
			break;
	type.len = end;
	if (slice_find(type, '/', 0) == type.len)
		return;
	types->any = true;
	types->multipart |= has_word(type, SLICE("multipart"));
	types->json |= has_word(type, SLICE("json"));
	types->batch |= starts(type, SLICE("multipart/mixed")) ||
			starts(type, SLICE("application/http"));
}

/* One Content-Type field. */
static void
judge_value(struct slice value, struct types *types)
{
	struct types own = {0};
	struct slice rest = value, type;

	while (slice_next(&rest, ',', &type))
		judge_type(type, &own);
	own.form = has_word(value, SLICE("urlencoded"));
	/* A multipart/related may name the type of its first part. */
	if (!own.multipart && has_word(value, SLICE("multipart")))
		own.multipart = has_word(value, SLICE("boundary"));
	if (!own.form && !own.multipart)
		own.json = has_word(value, SLICE("json"));
	if ((own.form || own.json || own.multipart) &&
	    !has_readable_charset(value))
		types->unreadable = true;
	if (own.multipart &&
	    (types->multipart || !read_boundary(value, &types->boundary)))
		types->unreadable = true;
	types->any |= own.any;
	types->form |= own.form;
	types->json |= own.json;
	types->multipart |= own.multipart;
	types->batch |= own.batch;
}

/* Names are folded as CGI folds them. */
static bool
is_named(const struct field *field, struct slice name)
{
	size_t i;

	if (field->name.len != name.len)
		return false;
	for (i = 0; i < name.len; i++) {
		char c = override_lower(field->name.at[i]);

		if ((c == '_' ? '-' : c) != name.at[i])
			return false;
	}
	return true;
}

static bool
is_encoded(const struct head *head)
{
	struct slice rest, coding;
	unsigned i;

	for (i = 0; i < head->field_count; i++) {
		if (!is_named(&head->fields[i], SLICE("content-encoding")))
			continue;
		rest = head->fields[i].value;
		while (slice_next(&rest, ',', &coding))
			if (!slice_eq_nocase(coding, SLICE("identity")))
				return true;
	}
	return false;
}

/* The last segment, decoded, is $batch; a slash may follow it. */
static bool
is_batch_path(struct slice path)
{
	static const char wanted[] = "$batch";
	size_t at = sizeof(wanted) - 1;

	while (path.len > 0 && path.at[path.len - 1] == '/')
		path.len--;
	while (path.len > 0 && at > 0) {
		char c = path.at[path.len - 1];
		size_t used = 1;

		if (path.len >= 3 && path.at[path.len - 3] == '%' &&
		    override_hex(path.at[path.len - 2]) >= 0 &&
		    override_hex(c) >= 0) {
			c = (char)(override_hex(path.at[path.len - 2]) << 4 |
				   override_hex(c));
			used = 3;
		}
		at--;
		if (override_lower(c) != wanted[at])
			return false;
		path.len -= used;
	}
	return at == 0 && (path.len == 0 || path.at[path.len - 1] == '/');
}

static bool
is_type(const struct field *field)
{
	return slice_eq_nocase(field->name, SLICE("content-type"));
}

static void
judge_head(const struct head *head, struct types *types)
{
	bool untyped = false;
	unsigned i;

	memset(types, 0, sizeof(*types));
	/* A twin may be dropped on the way, and an empty field be the one that
	 * is read: then the body has no type. */
	for (i = 0; i < head->field_count; i++)
		if (is_type(&head->fields[i])) {
			judge_value(head->fields[i].value, types);
			untyped |= head->fields[i].value.len == 0;
		}
	untyped |= !types->any;
	for (i = 0; i < head->field_count; i++)
		if (!is_type(&head->fields[i]) &&
		    is_named(&head->fields[i], SLICE("content-type")))
			judge_value(head->fields[i].value, types);
	if (untyped && slice_eq_nocase(head->method, SLICE("POST")))
		types->form = true;
	if (types->form + types->json + types->multipart > 1 ||
	    is_encoded(head))
		types->unreadable = true;
	types->batch |= is_batch_path(head->path);
}

enum override_body
override_scan_init(struct override_scan *scan, const struct head *head)
{
	struct types types;

	judge_head(head, &types);
	memset(scan, 0, sizeof(*scan));
	scan->batch = types.batch;
	if (types.form)
		scan->place = OVERRIDE_FORM;
	else if (types.multipart)
		scan->place = OVERRIDE_MULTIPART;
	else if (types.json)
		scan->place = OVERRIDE_JSON;
	else
		return OVERRIDE_BODY_NONE;
	if (types.unreadable)
		return OVERRIDE_BODY_UNREADABLE;
	if (types.form)
		override_params_init(&scan->body.form, OVERRIDE_FORM);
	else if (types.multipart)
		override_multipart_init(&scan->body.multipart, types.boundary);
	else
		override_json_init(&scan->body.json);
	return OVERRIDE_BODY_SCAN;
}

void
override_scan_feed(
    struct override_scan *scan, struct slice piece, struct override_set *set)
{
	switch (scan->place) {
	case OVERRIDE_FORM:
		override_params_feed(&scan->body.form, piece, set);
		break;
	case OVERRIDE_MULTIPART:
		override_multipart_feed(&scan->body.multipart, piece, set);
		break;
	case OVERRIDE_JSON:
		override_json_feed(&scan->body.json, piece, set);
		break;
	default:
		assert(0);
	}
}

void
override_scan_end(struct override_scan *scan, struct override_set *set)
{
	switch (scan->place) {
	case OVERRIDE_FORM:
		override_params_end(&scan->body.form, set);
		break;
	case OVERRIDE_MULTIPART:
		override_multipart_end(&scan->body.multipart, set);
		break;
	case OVERRIDE_JSON:
		override_json_end(&scan->body.json, set);
		break;
	default:
		assert(0);
	}
}
