/* SPDX-License-Identifier: ISC */
/* reading: operators from a path to a path, and their closure. An operator
 * writes what it reads into a buffer as long as the path plus one. Which
 * operators may still follow depends on the way by which a path was reached:
 *
 *   "/a.b."  --trailing_dot--> "/a.b"    an extension may still be dropped
 *            --extension-----> "/a.b"    no other one
 *
 * so that each path has a set of states, and what an operator makes of a path
 * is an edge that all of them share and that is found once. */
#include "reading.h"

#include <assert.h>

static const struct reading_row rows[READING_COUNT] = {
#define READING(id, word, class, who, example, as)                             \
	[READING_##id] = {word, READING_##class, who, example, as},
#include "reading.def"
#undef READING
};

const struct reading_row *
reading_row(enum reading reading)
{
	assert(reading < READING_COUNT);
	return &rows[reading];
}

/* One more than the digit's value. */
static const uint8_t hex[256] = {['0'] = 1,
    ['1'] = 2,
    ['2'] = 3,
    ['3'] = 4,
    ['4'] = 5,
    ['5'] = 6,
    ['6'] = 7,
    ['7'] = 8,
    ['8'] = 9,
    ['9'] = 10,
    ['A'] = 11,
    ['B'] = 12,
    ['C'] = 13,
    ['D'] = 14,
    ['E'] = 15,
    ['F'] = 16,
    ['a'] = 11,
    ['b'] = 12,
    ['c'] = 13,
    ['d'] = 14,
    ['e'] = 15,
    ['f'] = 16};

static unsigned
hex_at(struct slice path, size_t i)
{
	return hex[(unsigned char)path.at[i]];
}

/* The byte of the escape that starts at i, or -1: none does. */
static inline int
escape_at(struct slice path, size_t i)
{
	unsigned high, low;

	if (path.at[i] != '%' || path.len - i < 3)
		return -1;
	high = hex_at(path, i + 1);
	low = hex_at(path, i + 2);
	return high == 0 || low == 0 ? -1 : (int)((high - 1) << 4 | (low - 1));
}

/* ---- what a path holds ---- */

/* Bits: what operators change. */
enum {
	ESCAPE = 1, /* any */
	ESCAPED_DOT = 2,
	ESCAPED_SLASH = 4,
	ESCAPED_BACKSLASH = 8,
	BACKSLASH = 16,
	SEMICOLON = 32,
	TWO_SLASHES = 64,
	AUTHORITY = 128,     /* two of them at the start */
	DOT_SEGMENT = 256,   /* "." or ".." */
	DOT_AT_END = 512,    /* of a segment; or a space */
	EXTENSION = 1024,    /* a dot in the last segment, not at its start */
	SLASH_AT_END = 2048, /* and something before it */
	NO_SLASH_AT_END = 4096,
	SUSPECT = 8192 /* to be looked at for rows of class ALWAYS */
};

/* A byte of a decoded path and the next: does an overlong form start here?
 * Decoders that take those do not look closely at what follows 0xc0. */
static bool
is_overlong(unsigned char c, unsigned char next)
{
	return c == 0xc0 || c == 0xc1 ||
	       (c == 0xe0 && next >= 0x80 && next < 0xa0) ||
	       (c == 0xf0 && next >= 0x80 && next < 0x90) ||
	       (c == 0xf8 && next >= 0x80 && next < 0x88) ||
	       (c == 0xfc && next >= 0x80 && next < 0x84);
}

/* "%uXXXX", with the '%' at i. */
static bool
is_u_escape(struct slice path, size_t i)
{
	if (path.len - i < 6 || (path.at[i + 1] | 0x20) != 'u')
		return false;
	for (size_t k = 2; k < 6; k++)
		if (hex_at(path, i + k) == 0)
			return false;
	return true;
}

/* The row of class ALWAYS that stands at i, or READING_COUNT. */
static enum reading
refused_at(struct slice path, size_t i)
{
	unsigned char c = (unsigned char)path.at[i];
	unsigned char next =
	    i + 1 < path.len ? (unsigned char)path.at[i + 1] : 0;

	int escape = escape_at(path, i);

	if (c == 0 || escape == 0)
		return READING_NUL;
	if (c == '\n' || c == '\r' || escape == '\n' || escape == '\r')
		return READING_LINE_END;
	if (c == '%' && is_u_escape(path, i))
		return READING_U_ESCAPE;
	return is_overlong(c, next) ? READING_OVERLONG : READING_COUNT;
}

/* Up to the end, of dots and spaces: is the segment "." or ".."? */
static unsigned
held_by_dots(struct slice path, size_t end)
{
	size_t n = 0;

	while (n < 3 && path.at[end - n - 1] == '.')
		n++;
	return (n == 1 || n == 2) && path.at[end - n - 1] == '/' ? DOT_SEGMENT
								 : DOT_AT_END;
}

static unsigned
held_at_end(struct slice path)
{
	unsigned held = NO_SLASH_AT_END;
	char end = path.at[path.len - 1];
	size_t i = path.len;

	if (end == '/')
		held = path.len > 1 ? SLASH_AT_END : 0;
	else if (end == '.' || end == ' ')
		held |= held_by_dots(path, path.len);
	while (path.at[i - 1] != '/' && path.at[i - 1] != '.')
		i--;
	if (path.at[i - 1] == '.')
		held |= EXTENSION;
	if (path.len > 1 && path.at[1] == '/')
		held |= AUTHORITY;
	return held;
}

/* At a '%'. */
static unsigned
held_by_escape(struct slice path, size_t i)
{
	static const uint16_t held[256] = {[0] = SUSPECT,
	    ['\n'] = SUSPECT,
	    ['\r'] = SUSPECT,
	    ['.'] = ESCAPED_DOT,
	    ['/'] = ESCAPED_SLASH,
	    ['\\'] = ESCAPED_BACKSLASH};
	int byte = escape_at(path, i);

	if (byte >= 0)
		return held[byte] | ESCAPE;
	return i + 1 < path.len && (path.at[i + 1] | 0x20) == 'u' ? SUSPECT : 0;
}

/* One pass, with few branches: where each byte is another, wrong guesses are
 * what costs. */
static unsigned
look(struct slice path)
{
	static const uint16_t class[256] = {[0] = SUSPECT,
	    ['\n'] = SUSPECT,
	    ['\r'] = SUSPECT,
	    ['/'] = TWO_SLASHES,
	    ['.'] = DOT_AT_END,
	    [' '] = DOT_AT_END,
	    ['\\'] = BACKSLASH,
	    [';'] = SEMICOLON,
	    [0xc0] = SUSPECT,
	    [0xc1] = SUSPECT,
	    [0xe0] = SUSPECT,
	    [0xf0] = SUSPECT,
	    [0xf8] = SUSPECT,
	    [0xfc] = SUSPECT};
	unsigned held = 0, last = TWO_SLASHES, now;

	for (size_t i = 1; i < path.len; i++, last = now) {
		now = class[(unsigned char)path.at[i]];
		held |= now & (last | ~(TWO_SLASHES | DOT_AT_END));
		if (path.at[i] == '%')
			held |= held_by_escape(path, i);
		else if (now == TWO_SLASHES && last == DOT_AT_END)
			held |= held_by_dots(path, i);
	}
	return held | held_at_end(path);
}

/* The row of class ALWAYS that the path shows, or READING_COUNT. */
static enum reading
find_refused(struct slice path, unsigned held)
{
	enum reading refused = READING_COUNT;

	for (size_t i = 0; i < path.len && (held & SUSPECT) != 0; i++) {
		unsigned char c = (unsigned char)path.at[i];

		if (c > ' ' && c < 0xc0 && c != '%')
			continue;
		refused = refused_at(path, i);
		if (refused != READING_COUNT)
			break;
	}
	return refused;
}

/* ---- the operators ---- */

typedef size_t operator_fn(struct slice path, char *out);

/* All escapes but that of one byte. */
static size_t
decode_but(struct slice path, char *out, int but)
{
	size_t n = 0;

	for (size_t i = 0; i < path.len; i++) {
		int byte = escape_at(path, i);

		if (byte < 0 || byte == but) {
			out[n++] = path.at[i];
		} else {
			out[n++] = (char)byte;
			i += 2;
		}
	}
	return n;
}

static size_t
decode(struct slice path, char *out)
{
	return decode_but(path, out, -1);
}

static size_t
decode_segments(struct slice path, char *out)
{
	return decode_but(path, out, '/');
}

/* The escapes of two bytes. */
static size_t
decode_only(struct slice path, char *out, int one, int two)
{
	size_t n = 0;

	for (size_t i = 0; i < path.len; i++) {
		int byte = escape_at(path, i);

		if (byte == one || byte == two) {
			out[n++] = (char)byte;
			i += 2;
		} else {
			out[n++] = path.at[i];
		}
	}
	return n;
}

static size_t
decode_dots(struct slice path, char *out)
{
	return decode_only(path, out, '.', '.');
}

static size_t
decode_slashes(struct slice path, char *out)
{
	return decode_only(path, out, '/', '\\');
}

static size_t
turn_backslashes(struct slice path, char *out)
{
	for (size_t i = 0; i < path.len; i++)
		out[i] = path.at[i] == '\\' ? '/' : path.at[i];
	return path.len;
}

static size_t
merge_slashes(struct slice path, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < path.len; i++)
		if (path.at[i] != '/' || n == 0 || out[n - 1] != '/')
			out[n++] = path.at[i];
	return n;
}

/* "//host/path", with more slashes at its start too (WHATWG URL 4.4). */
static size_t
drop_authority(struct slice path, char *out)
{
	size_t from = 0;

	while (from < path.len && path.at[from] == '/')
		from++;
	if (from > 1 && from < path.len)
		from = slice_find(path, '/', from);
	else
		from = 0;
	if (from == path.len) {
		out[0] = '/';
		return 1;
	}
	memcpy(out, path.at + from, path.len - from);
	return path.len - from;
}

static size_t
drop_params(struct slice path, char *out)
{
	size_t n = 0;
	bool inside = false;

	for (size_t i = 0; i < path.len; i++) {
		if (path.at[i] == '/')
			inside = false;
		else if (path.at[i] == ';')
			inside = true;
		if (!inside)
			out[n++] = path.at[i];
	}
	return n;
}

/* Where the segment before the '/' at slash starts. */
static size_t
segment_before(const char *out, size_t slash)
{
	size_t n = slash;

	while (n > 0 && out[n - 1] != '/')
		n--;
	return n > 0 ? n : 1;
}

/* RFC 3986 5.2.4: what was written of a segment that is dots is taken back, and
 * the '/' behind it is not written. */
static size_t
remove_dots(struct slice path, char *out)
{
	size_t n = 0, start = 0; /* of the segment under way */

	for (size_t i = 0; i <= path.len; i++) {
		size_t len = n - start;

		if (i < path.len && path.at[i] != '/') {
			out[n++] = path.at[i];
			continue;
		}
		if (len == 1 && out[start] == '.')
			n = start;
		else if (len == 2 && out[start] == '.' && out[start + 1] == '.')
			n = segment_before(out, start - 1);
		else if (i < path.len)
			out[n++] = '/';
		start = n;
	}
	return n;
}

static size_t
drop_slash(struct slice path, char *out)
{
	size_t n = path.len;

	while (n > 1 && path.at[n - 1] == '/')
		n--;
	memcpy(out, path.at, n);
	return n;
}

static size_t
add_slash(struct slice path, char *out)
{
	memcpy(out, path.at, path.len);
	if (path.at[path.len - 1] == '/')
		return path.len;
	out[path.len] = '/';
	return path.len + 1;
}

/* Something else than dots must stand before it: ".." has none. */
static size_t
drop_extension(struct slice path, char *out)
{
	size_t dot = path.len - 1, before, n = path.len;

	while (path.at[dot] != '/' && path.at[dot] != '.')
		dot--;
	before = dot;
	while (path.at[before] == '.')
		before--;
	if (path.at[before] != '/')
		n = dot;
	memcpy(out, path.at, n);
	return n;
}

/* How much of a segment NTFS keeps. */
static size_t
kept_of(const char *segment, size_t len)
{
	size_t n = len;

	while (n > 0 && (segment[n - 1] == '.' || segment[n - 1] == ' '))
		n--;
	if (n > 0)
		return n;
	/* "." and ".." stay what they are. */
	while (len > 1 && segment[len - 1] == ' ')
		len--;
	return len;
}

static size_t
drop_dots(struct slice path, char *out)
{
	size_t n = 0, start = 0;

	for (size_t i = 0; i < path.len; i++) {
		if (path.at[i] == '/') {
			n = start + kept_of(out + start, n - start);
			start = n + 1;
		}
		out[n++] = path.at[i];
	}
	return start + kept_of(out + start, n - start);
}

/* Of the benign operators each may come once, by its bit in a state. */
enum { ONCE_SLASH = 1, ONCE_EXTENSION = 2, ONCE_DOTS = 4 };

static const struct operation {
	operator_fn *apply;
	enum reading reading;
	uint16_t needs; /* one of these */
	uint8_t once;
} operators[] = {
    {decode, READING_PERCENT, ESCAPE, 0},
    {decode_segments, READING_PERCENT_SEGMENTS, ESCAPED_SLASH, 0},
    {decode_dots, READING_ENCODED_DOT, ESCAPED_DOT, 0},
    {decode_slashes, READING_ENCODED_SLASH, ESCAPED_SLASH | ESCAPED_BACKSLASH,
	0},
    {turn_backslashes, READING_BACKSLASH, BACKSLASH, 0},
    {remove_dots, READING_DOT_SEGMENTS, DOT_SEGMENT, 0},
    {merge_slashes, READING_SLASHES, TWO_SLASHES, 0},
    {drop_authority, READING_AUTHORITY, AUTHORITY, 0},
    {drop_params, READING_PARAMS, SEMICOLON, 0},
    {drop_slash, READING_TRAILING_SLASH, SLASH_AT_END, ONCE_SLASH},
    {drop_extension, READING_EXTENSION, EXTENSION, ONCE_EXTENSION},
    {drop_dots, READING_TRAILING_DOT, DOT_AT_END, ONCE_DOTS},
    {add_slash, READING_TRAILING_SLASH, NO_SLASH_AT_END, ONCE_SLASH},
};
#define OPERATORS (sizeof(operators) / sizeof(operators[0]))
enum { HOSTILE_OPERATORS = 9 };

/* ---- states: how often the path was decoded, and what came once ---- */

/* Bit number: decodes times 8, plus the ONCE bits. */
typedef uint32_t states;
enum {
	STATES_AT_FIRST = 1,
	STATES_DECODES = 8,
	STATES_TWICE = 0xff << 2 * STATES_DECODES,
	STATES_ALL = (1 << 3 * STATES_DECODES) - 1
};

static bool
is_decoding(const struct operation *op)
{
	return op->apply == decode || op->apply == decode_segments;
}

/* Those in which an operator leaves its result; none where it may not come. */
static states
states_after(const struct operation *op, states before)
{
	static const states without[] = {
	    [ONCE_SLASH] = 0x555555,
	    [ONCE_EXTENSION] = 0x333333,
	    [ONCE_DOTS] = 0x0f0f0f,
	};

	if (op->once != 0)
		return (before & without[op->once]) << op->once;
	if (is_decoding(op))
		return before << STATES_DECODES & STATES_ALL;
	return before;
}

/* ---- the closure ---- */

enum { UNKNOWN = -2, NOWHERE = -1 }; /* instead of a path's number */

/* What is known of a path that stands in the list. */
struct known {
	states had; /* and went on from them */
	states open;
	unsigned held; /* by look; 0: not yet */
	int8_t to[OPERATORS];
};

struct closure {
	struct readings *out;
	struct arena *arena;
	char *buffer;	  /* for what an operator writes */
	size_t operators; /* those that may come */
	bool hostile;	  /* what is found now is hostile */
	unsigned limit;	  /* paths; more: refused */
	uint32_t by;	  /* what all ways begin with */
	struct known known[READING_MAX];
};

static void
refuse(struct readings *out, enum reading why)
{
	out->refused = true;
	out->why = why;
}

static void
meet(struct known *known, unsigned held)
{
	*known = (struct known){.held = held};
	memset(known->to, UNKNOWN, sizeof(known->to));
}

/* The number of the path, which is added where it is not there yet, or NOWHERE:
 * refused. */
static int
number_of(struct closure *c, struct reading_path new)
{
	struct readings *out = c->out;
	enum reading refused;
	unsigned held;

	for (unsigned i = 0; i < out->count; i++)
		if (slice_eq(out->path[i].path, new.path))
			return (int)i;
	held = look(new.path);
	refused = find_refused(new.path, held);
	if (refused != READING_COUNT || out->count >= c->limit) {
		refuse(out, refused);
		return NOWHERE;
	}
	if (new.path.at == c->buffer)
		new.path = arena_copy(c->arena, new.path);
	new.hostile = c->hostile;
	meet(&c->known[out->count], held);
	out->path[out->count] = new;
	return (int)out->count++;
}

/* What the operator makes of a path, or NOWHERE: the path itself. after: the
 * states in which it leaves it. */
static int
edge(struct closure *c, int from, size_t k, states after)
{
	struct reading_path of = c->out->path[from];
	struct known *known = &c->known[from];
	enum reading reading = operators[k].reading;
	size_t len;

	if (known->to[k] != UNKNOWN)
		return known->to[k];
	known->to[k] = NOWHERE;
	if (known->held == 0)
		known->held = look(of.path);
	if ((operators[k].needs & known->held) == 0)
		return NOWHERE;
	len = operators[k].apply(of.path, c->buffer);
	if (slice_eq((struct slice){c->buffer, len}, of.path))
		return NOWHERE;
	of.path = (struct slice){c->buffer, len};
	if (is_decoding(&operators[k]) && (after & ~STATES_TWICE) == 0)
		reading = READING_PERCENT_TWICE;
	of.by |= c->by | READING_BIT(reading);
	known->to[k] = (int8_t)number_of(c, of);
	return known->to[k];
}

static void
go_on(struct closure *c, int from)
{
	states open = c->known[from].open;

	c->known[from].open = 0;
	c->known[from].had |= open;
	for (size_t k = 0; k < c->operators && !c->out->refused; k++) {
		states after = states_after(&operators[k], open);
		int to = after != 0 ? edge(c, from, k, after) : NOWHERE;

		if (to != NOWHERE)
			c->known[to].open |= after & ~c->known[to].had;
	}
}

static void
close_over(struct closure *c)
{
	for (unsigned i = 0; i < c->out->count && !c->out->refused;) {
		if (c->known[i].open == 0) {
			i++;
			continue;
		}
		go_on(c, (int)i);
		i = 0;
	}
}

/* Of a long path fewer readings are enough, and as many would cost too much. */
static unsigned
limit_of(size_t len, unsigned limit)
{
	size_t fit = READING_BYTES / (len + 1);

	if (fit < READING_LONG_MAX)
		fit = READING_LONG_MAX;
	return fit < limit ? (unsigned)fit : limit;
}

/* The path, however refused, is there then. */
static void
start(struct closure *c, struct slice path)
{
	unsigned held = look(path);
	enum reading refused = find_refused(path, held);

	if (refused != READING_COUNT)
		refuse(c->out, refused);
	meet(&c->known[0], held);
	c->known[0].open = STATES_AT_FIRST;
	close_over(c);
}

static bool
is_path(struct slice path)
{
	return path.len > 0 && path.at[0] == '/';
}

/* Bytes that more than one way of reading can begin with, beside those that are
 * not visible ASCII, "//" and a '/' at the end. */
#define TRIGGERS(TRIGGER) TRIGGER('%') TRIGGER('.') TRIGGER(';') TRIGGER('\\')

/* Signed: those past ASCII are less than ' '. */
typedef signed char lanes __attribute__((vector_size(16)));

static inline lanes
load(const char *at)
{
	lanes all;

	memcpy(&all, at, sizeof(all));
	return all;
}

static bool
is_plain_byte(unsigned char c)
{
#define TRIGGER(byte) &&c != (byte)
	return c > ' ' && c <= '~' TRIGGERS(TRIGGER);
#undef TRIGGER
}

static bool
is_plain_short(struct slice path)
{
	for (size_t i = 0; i < path.len; i++)
		if (!is_plain_byte((unsigned char)path.at[i]) ||
		    (path.at[i] == '/' && i > 0 &&
			(i + 1 == path.len || path.at[i - 1] == '/')))
			return false;
	return true;
}

/* True for plain paths, by far the most. The last sixteen pairs of bytes
 * overlap those before them. */
static bool
is_plain(struct slice path)
{
	const size_t pairs = sizeof(lanes);
	lanes odd = {0};
	uint64_t found[2];

	if (path.len <= pairs)
		return is_plain_short(path);
	for (size_t i = 0; i + 1 < path.len; i += pairs) {
		lanes one, next;

		if (path.len - i <= pairs)
			i = path.len - pairs - 1;
		one = load(path.at + i);
		next = load(path.at + i + 1);
#define TRIGGER(byte) | (one == (byte))
		odd |= (lanes)((one <= ' ') | (one == 0x7f) TRIGGERS(TRIGGER) |
			       ((one == '/') & (next == '/')));
#undef TRIGGER
	}
	memcpy(found, &odd, sizeof(found));
	return (found[0] | found[1]) == 0 && path.at[path.len - 1] != '/' &&
	       is_plain_byte((unsigned char)path.at[path.len - 1]);
}

bool
reading_triggered(struct slice path)
{
	bool dot = false; /* in the last segment */

	if (is_plain(path))
		return false;

	for (size_t i = 0; i < path.len; i++) {
		unsigned char c = (unsigned char)path.at[i];

		if (c == '%' || c == '\\' || c == ';' || c <= ' ' || c > '~')
			return true;
		if (c == '.')
			dot = true;
		if (c != '/')
			continue;
		if (dot && path.at[i - 1] == '.')
			return true;
		if (i + 1 == path.len)
			return i > 0;
		if (path.at[i + 1] == '/' || path.at[i + 1] == '.')
			return true;
		dot = false;
	}
	return dot;
}

void
reading_find(
    struct slice path, bool slash, struct arena *arena, struct readings *out)
{
	struct closure c = {.out = out, .arena = arena};

	out->path[0] = (struct reading_path){.path = path, .hostile = true};
	out->count = 1;
	out->refused = false;
	out->why = READING_COUNT;
	if (!is_path(path))
		return;
	c.buffer = arena_alloc(arena, path.len + 1);
	c.hostile = true;
	c.operators = HOSTILE_OPERATORS;
	c.limit = limit_of(path.len, READING_HOSTILE_MAX);
	start(&c, path);
	c.hostile = false;
	c.operators = OPERATORS - !slash;
	c.limit = limit_of(path.len, READING_MAX);
	for (unsigned i = 0; i < out->count; i++)
		c.known[i].open = c.known[i].had;
	close_over(&c);
}

void
reading_add(
    struct slice path, bool slash, struct arena *arena, struct readings *out)
{
	struct closure c = {.out = out, .arena = arena};
	int number;

	if (!is_path(path) || out->refused)
		return;
	c.buffer = arena_alloc(arena, path.len + 1);
	c.by = READING_BIT(READING_PATH_PARAM);
	c.operators = OPERATORS - !slash;
	c.limit = limit_of(path.len, READING_MAX);
	for (unsigned i = 0; i < out->count; i++)
		meet(&c.known[i], 0);
	number = number_of(&c, (struct reading_path){.path = path, .by = c.by});
	if (number == NOWHERE)
		return;
	c.known[number].open = STATES_AT_FIRST;
	close_over(&c);
}
