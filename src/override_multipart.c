/* SPDX-License-Identifier: ISC */
/* override_multipart: content is searched for the delimiter, and headers of
 * parts for what names them.
 *
 *     CONTENT --delimiter--> HEADER --CRLF CRLF--> CONTENT
 *                              |  other empty line      ^
 *                              v                        |
 *                            MIXED -----CRLF CRLF-------+
 *
 * For some servers a bare LF ends a header, for others (Rack, busboy) it does
 * not; for Rack an empty line right after the delimiter does not either. What
 * follows is read both ways then: as content and as header. In HEADER nobody
 * is held to find a delimiter (PHP and Rack do not), so names that were found
 * stay until a value has been taken for them. */
#include "override_multipart.h"

#include <assert.h>

enum { CONTENT, HEADER, MIXED };
/* What a line of a header holds so far. */
enum { LINE_EMPTY, LINE_CR, LINE_BLANK, LINE_TEXT, LINE_DELIMITER };
/* What the bytes of a header are read as. */
enum { NOTHING, NAME, ENCODED_WORD, CHARSET, LANGUAGE };

enum { KEY_NAME, KEY_CONTENT_ID, KEYS };
static const struct {
	struct slice word;
	char after;
} keys[KEYS] = {{{"name", 4}, '='}, {{"content-id", 10}, ':'}};

static const struct slice utf8 = {"utf-8'", 6};

void
override_multipart_init(
    struct override_multipart *multipart, struct slice boundary)
{
	struct override_multipart *m = multipart;
	unsigned i, kept = 0;

	assert(boundary.len > 0 && boundary.len <= MULTIPART_BOUNDARY_MAX);
	memset(m, 0, sizeof(*m));
	m->known = override_rows_of(OVERRIDE_MULTIPART);
	m->len = (uint8_t)(boundary.len + 2);
	memcpy(m->delimiter, "--", 2);
	memcpy(m->delimiter + 2, boundary.at, boundary.len);
	/* Knuth, Morris, Pratt: fall[i] bytes are still matched when i + 1
	 * were, and the next is another. */
	for (i = 1; i < m->len; i++) {
		while (kept > 0 && m->delimiter[i] != m->delimiter[kept])
			kept = m->fall[kept - 1];
		if (m->delimiter[i] == m->delimiter[kept])
			kept++;
		m->fall[i] = (uint8_t)kept;
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

static inline bool
any(lanes hit)
{
	uint64_t half[2];

	memcpy(half, &hit, sizeof(half));
	return (half[0] | half[1]) != 0;
}

/* First place at or after i where the delimiter may start: its first and last
 * byte stand there, or less than the whole of it would fit. */
static size_t
find_candidate(const struct override_multipart *m, struct slice piece, size_t i)
{
	const size_t span = m->len - 1u;
	const char first = m->delimiter[0], last = m->delimiter[span];
	const lanes firsts = (lanes){0} + (unsigned char)first;
	const lanes lasts = (lanes){0} + (unsigned char)last;

	for (; piece.len - i >= span + 4 * sizeof(lanes);
	     i += 4 * sizeof(lanes)) {
		const char *at = piece.at + i, *to = at + span;

		if (any((lanes)(((load(at) == firsts) & (load(to) == lasts)) |
				((load(at + 16) == firsts) &
				    (load(to + 16) == lasts)) |
				((load(at + 32) == firsts) &
				    (load(to + 32) == lasts)) |
				((load(at + 48) == firsts) &
				    (load(to + 48) == lasts)))))
			break;
	}
	while (piece.len - i > span &&
	       (piece.at[i] != first || piece.at[i + span] != last))
		i++;
	return i;
}

/* First place at or after i where the delimiter stands, or from where on less
 * than the whole of it would fit. */
static size_t
find_delimiter(const struct override_multipart *m, struct slice piece, size_t i)
{
	for (;; i++) {
		i = find_candidate(m, piece, i);
		if (piece.len - i < m->len ||
		    memcmp(piece.at + i, m->delimiter, m->len) == 0)
			return i;
	}
}

static void
start_header(struct override_multipart *m, struct override_set *set)
{
	override_value_end(&m->value, set);
	m->state = HEADER;
	m->line = LINE_DELIMITER;
	m->matched = 0;
	m->reading = NOTHING;
	m->fresh = true;
	m->in_word = false;
	m->last = '\0';
	memset(m->key, 0, sizeof(m->key));
}

/* A byte of content; one of the delimiter is held back. True when that is
 * complete. */
static bool
content_byte(struct override_multipart *m, char c, struct override_set *set)
{
	unsigned i, kept;

	while (m->matched > 0 && m->delimiter[m->matched] != c) {
		kept = m->fall[m->matched - 1];
		for (i = 0; m->value.rows != 0 && i < m->matched - kept; i++)
			override_value_put(&m->value, m->delimiter[i], set);
		m->matched = (uint8_t)kept;
	}
	if (m->delimiter[m->matched] == c)
		m->matched++;
	else if (m->value.rows != 0)
		override_value_put(&m->value, c, set);
	return m->matched == m->len;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_line_end(char c)
{
	return c == '\r' || c == '\n';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* As \b of the regular expressions by which names are found (formidable). */
static bool
is_word(char c)
{
	return (override_lower(c) >= 'a' && override_lower(c) <= 'z') ||
	       is_digit(c) || c == '_';
}

/* name* is in a charset, name*0 in pieces (RFC 8187, RFC 2231). */
static bool
is_suffix(struct override_multipart *m, char c)
{
	if (is_digit(c)) {
		m->section = m->extended;
		return m->extended;
	}
	if (c == '*')
		m->extended = true;
	return c == '*' || is_blank(c);
}

/* True when the byte ends the key. A key goes on past the end of a line: PHP
 * puts a line without ':' to the end of the one before it. */
static bool
key_byte(struct override_multipart *m, unsigned k, char c)
{
	const struct slice word = keys[k].word;
	uint8_t *at = &m->key[k];

	if (*at == word.len && c == keys[k].after) {
		*at = 0;
		return true;
	}
	if (is_line_end(c))
		return false;
	if (*at == word.len && k == KEY_NAME && is_suffix(m, c))
		return false;
	if (*at == word.len && is_blank(c))
		return false;
	c = override_lower(c);
	if (*at > 0 && *at < word.len && c == word.at[*at]) {
		(*at)++;
	} else if (c == word.at[0] && !m->in_word) {
		*at = 1;
		if (k == KEY_NAME)
			m->extended = m->section = false;
	} else {
		*at = 0;
	}
	return false;
}

/* A known name counts before any byte that names do not have. Quotes are not
 * paired: servers disagree on what an escaped one is, and where one is missing.
 * Line ends and backslashes are left out. */
static void
name_byte(struct override_multipart *m, char c)
{
	int byte;

	if (m->escape.len > 0) {
		byte = override_escape_next(&m->escape, c);
		if (byte >= 0)
			override_name_put(&m->name, (char)byte);
		if (byte == ESCAPE_BAD)
			m->reading = NOTHING;
		return;
	}
	if (!is_word(c) && c != '-')
		m->rows |= override_name_match(&m->name);
	if (is_line_end(c) || c == '\\') {
		return;
	} else if (c == '"' || c == '\'') {
		if (m->name.len > 0)
			m->reading = NOTHING;
	} else if (c == '=' && m->name.len == 0) {
		m->reading = ENCODED_WORD;
	} else if (c == '%') {
		m->escape = (struct override_escape){1, {'%'}};
	} else {
		override_name_put(&m->name, c);
		if (m->name.rows == 0)
			m->reading = NOTHING;
	}
}

/* =?charset?B?...?= (RFC 2047) is decoded by Tomcat. */
static void
encoded_word_byte(
    struct override_multipart *m, char c, struct override_set *set)
{
	if (c == '?')
		set->unreadable = true;
	m->reading = NOTHING;
}

static void
charset_byte(struct override_multipart *m, char c, struct override_set *set)
{
	if (m->charset == 0 && (is_blank(c) || is_line_end(c) || c == '"'))
		return;
	if (override_lower(c) != utf8.at[m->charset]) {
		set->unreadable = true;
		m->reading = NOTHING;
	} else if (++m->charset == utf8.len) {
		m->reading = LANGUAGE;
	}
}

static void
read_byte(struct override_multipart *m, char c, struct override_set *set)
{
	switch (m->reading) {
	case NAME:
		name_byte(m, c);
		break;
	case ENCODED_WORD:
		encoded_word_byte(m, c, set);
		break;
	case CHARSET:
		charset_byte(m, c, set);
		break;
	case LANGUAGE:
		if (c == '\'')
			m->reading = NAME;
		break;
	default:
		break;
	}
}

static void
start_reading(
    struct override_multipart *m, unsigned key, struct override_set *set)
{
	bool extended = key == KEY_NAME && m->extended;

	if (extended && m->section)
		set->unreadable = true;
	m->reading = extended ? CHARSET : NAME;
	m->charset = 0;
	m->escape.len = 0;
	override_name_start(&m->name, m->known);
}

/* After an empty line: content for every server, if the line is clear. */
static void
end_header(struct override_multipart *m, bool clear, struct override_set *set)
{
	m->state = clear ? CONTENT : MIXED;
	if (m->rows == 0)
		return;
	if (!clear)
		set->unreadable = true;
	override_value_end(&m->value, set);
	override_value_start(&m->value, m->rows);
	m->rows = 0;
	m->reading = NOTHING;
}

static void
end_line(struct override_multipart *m, struct override_set *set)
{
	uint8_t line = m->line;
	bool clear = line == LINE_CR && m->crlf && !m->fresh;

	if (line == LINE_TEXT)
		m->fresh = false;
	m->crlf = m->last == '\r';
	m->line = LINE_EMPTY;
	if (line == LINE_EMPTY || line == LINE_CR)
		end_header(m, clear, set);
	else if (line == LINE_BLANK && m->rows != 0)
		set->unreadable = true;
}

static void
line_byte(struct override_multipart *m, char c, struct override_set *set)
{
	if (c == '\n')
		end_line(m, set);
	else if (m->line == LINE_EMPTY && c == '\r')
		m->line = LINE_CR;
	else if (m->line < LINE_TEXT)
		m->line = is_blank(c) || c == '\r' ? LINE_BLANK : LINE_TEXT;
	m->last = c;
}

static void
header_byte(struct override_multipart *m, char c, struct override_set *set)
{
	unsigned k, ended = KEYS;

	/* PHP cuts the line here and goes on with the next. */
	if (c == '\0' && m->state == HEADER)
		set->unreadable = true;
	for (k = 0; k < KEYS; k++)
		if (key_byte(m, k, c))
			ended = k;
	m->in_word = is_word(c);
	if (ended < KEYS)
		start_reading(m, ended, set);
	else
		read_byte(m, c, set);
	line_byte(m, c, set);
}

static void
take_byte(struct override_multipart *m, char c, struct override_set *set)
{
	if (m->state != HEADER && content_byte(m, c, set))
		start_header(m, set);
	else if (m->state != CONTENT)
		header_byte(m, c, set);
}

void
override_multipart_feed(struct override_multipart *multipart,
    struct slice piece, struct override_set *set)
{
	struct override_multipart *m = multipart;
	size_t i = 0;

	while (i < piece.len) {
		/* What is matched goes back, if it is of this piece. */
		if (m->state != CONTENT || m->value.rows != 0 ||
		    i < m->matched || piece.len - i < m->len) {
			take_byte(m, piece.at[i++], set);
			continue;
		}
		i = find_delimiter(m, piece, i - m->matched);
		m->matched = 0;
		if (piece.len - i < m->len)
			continue;
		start_header(m, set);
		i += m->len;
	}
}

/* A value that no delimiter ends is one all the same. */
void
override_multipart_end(
    struct override_multipart *multipart, struct override_set *set)
{
	override_value_end(&multipart->value, set);
}
