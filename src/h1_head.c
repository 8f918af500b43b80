/* SPDX-License-Identifier: ISC */
/* h1_head: one pass over the bytes, in their order, so that a head is judged
 * the same however it is cut into reads: whatever a prefix shows to be bad
 * stays bad for the same reason. Rules that need several fields are judged
 * when the head is complete. Values, most of the bytes, are scanned sixteen at
 * a time; no byte past the caller's slice is ever touched. */
#include <assert.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "h1_head.h"
#include "method.h"
#include "uri.h"

static_assert(FIELD_ID_COUNT <= 64, "a bit for each field_id");
#define SEEN(id) ((uint64_t)1 << FIELD_##id)

struct reader {
	const char *at, *end; /* borrowed: what is left of the caller's bytes */
	const char *start;    /* of them all */
	const struct h1_limits *limits;
	struct head *head;
	uint64_t seen; /* bit for each field_id that came */
	enum reason why;
};

#define NAME_MAX_KNOWN 32 /* bytes of a name that the gate looks at */

enum { TCHAR = 1, VISIBLE = 2, TEXT = 4 };
/* is_tchar() of http.h as a table: a call for each byte would cost more than
 * all the rest. The unit test holds both together. */
static const unsigned char kind[256] = {
    ['\t'] = TEXT,
    [' '] = TEXT,
    ['!'] = TCHAR | VISIBLE | TEXT,
    ['"'] = VISIBLE | TEXT,
    ['#' ... '\''] = TCHAR | VISIBLE | TEXT,
    ['('] = VISIBLE | TEXT,
    [')'] = VISIBLE | TEXT,
    ['*'] = TCHAR | VISIBLE | TEXT,
    ['+'] = TCHAR | VISIBLE | TEXT,
    [','] = VISIBLE | TEXT,
    ['-'] = TCHAR | VISIBLE | TEXT,
    ['.'] = TCHAR | VISIBLE | TEXT,
    ['/'] = VISIBLE | TEXT,
    ['0' ... '9'] = TCHAR | VISIBLE | TEXT,
    [':' ... '@'] = VISIBLE | TEXT,
    ['A' ... 'Z'] = TCHAR | VISIBLE | TEXT,
    ['[' ... ']'] = VISIBLE | TEXT,
    ['^' ... 'z'] = TCHAR | VISIBLE | TEXT,
    ['{'] = VISIBLE | TEXT,
    ['|'] = TCHAR | VISIBLE | TEXT,
    ['}'] = VISIBLE | TEXT,
    ['~'] = TCHAR | VISIBLE | TEXT,
    [0x80 ... 0xff] = TEXT,
};

static enum h1_result read_within_limit(
    struct reader *r, struct slice buf, bool request);
static enum reason judge_framing(const struct head *head);
static bool length_of(const struct head *head, uint64_t *length);
static enum h1_result read_fields(struct reader *r);

enum h1_result
h1_request_read(struct slice buf, const struct h1_limits *limits,
    struct head *head, size_t *used, enum reason *why)
{
	struct reader r = {
	    .at = buf.at, .start = buf.at, .limits = limits, .head = head};
	enum h1_result result = read_within_limit(&r, buf, true);

	*why = r.why;
	*used = (size_t)(r.at - buf.at);
	return result;
}

enum h1_result
h1_response_read(struct slice buf, const struct h1_limits *limits,
    struct head *head, size_t *used, enum reason *why)
{
	struct reader r = {
	    .at = buf.at, .start = buf.at, .limits = limits, .head = head};
	enum h1_result result = read_within_limit(&r, buf, false);

	if (r.why == REASON_NONE)
		*why = REASON_NONE;
	else if (r.why == REASON_HEAD_TOO_LARGE ||
		 r.why == REASON_FIELDS_TOO_MANY)
		*why = REASON_UPSTREAM_HEAD_TOO_LARGE;
	else
		*why = REASON_UPSTREAM_MALFORMED;
	*used = (size_t)(r.at - buf.at);
	return result;
}

bool
h1_trailers_read(
    struct slice section, const struct h1_limits *limits, struct head *head)
{
	struct reader r = {.at = section.at,
	    .start = section.at,
	    .end = section.at + section.len,
	    .limits = limits,
	    .head = head};

	*head = (struct head){.fields = head->fields};
	return read_fields(&r) == H1_DONE && r.at == r.end;
}

struct body_plan
h1_request_body(const struct head *head)
{
	struct body_plan plan = {BODY_NONE, 0};

	if (head_field(head, FIELD_TRANSFER_ENCODING) != NULL)
		plan.kind = BODY_CHUNKED;
	else if (length_of(head, &plan.length) && plan.length > 0)
		plan.kind = BODY_LENGTH;
	return plan;
}

enum reason
h1_response_body(
    const struct head *head, struct slice method, struct body_plan *plan)
{
	*plan = (struct body_plan){BODY_NONE, 0};
	if (judge_framing(head) != REASON_NONE)
		return REASON_UPSTREAM_MALFORMED;
	/* RFC 9112 6.3: these have no body, whatever their fields say. */
	if (head->status < 200 || head->status == 204 || head->status == 304 ||
	    slice_eq(method, SLICE("HEAD")))
		return REASON_NONE;
	if (head_field(head, FIELD_TRANSFER_ENCODING) != NULL)
		plan->kind = BODY_CHUNKED;
	else if (!length_of(head, &plan->length))
		plan->kind = BODY_CLOSE;
	else if (plan->length > 0)
		plan->kind = BODY_LENGTH;
	return REASON_NONE;
}

bool
h1_field_valid(const struct field *field)
{
	return is_token(field->name) && is_field_value(field->value);
}

bool
h1_persistent(const struct head *head)
{
	if (head_has_token(head, FIELD_CONNECTION, SLICE("close")))
		return false;
	/* Bytes of a tunnel that nobody opened may follow. */
	if (slice_eq(head->method, SLICE("CONNECT")))
		return false;
	return head->minor > 0 ||
	       head_has_token(head, FIELD_CONNECTION, SLICE("keep-alive"));
}

bool
h1_expects_continue(const struct head *head)
{
	/* h1_request_read lets no other expectation through. */
	return head->minor > 0 && head_field(head, FIELD_EXPECT) != NULL;
}

size_t
h1_head_size(const struct head *head)
{
	size_t size = sizeof("HTTP/1.1 200 \r\n\r\n") + head->method.len +
		      head->target.len + head->phrase.len;

	for (unsigned i = 0; i < head->field_count; i++)
		size += head->fields[i].name.len + head->fields[i].value.len +
			sizeof(": \r\n") - 1;
	return size;
}

char *
h1_length_write(uint64_t length, char *out)
{
	out = slice_put(out, SLICE("Content-Length: "));
	return slice_put(slice_put_u64(out, length), SLICE("\r\n"));
}

/* How many CRs, LFs and NULs a run of bytes has. */
struct ends {
	unsigned cr, lf, nul;
};

#ifdef __SSE2__
/* The sum of sixteen bytes that were each counted down from 0. */
static unsigned
total(__m128i counts)
{
	__m128i zero = _mm_setzero_si128();
	__m128i sums = _mm_sad_epu8(_mm_sub_epi8(zero, counts), zero);

	return (unsigned)(_mm_cvtsi128_si32(sums) + _mm_extract_epi16(sums, 4));
}

/* Of whole blocks of sixteen bytes, at most 255. */
static struct ends
count_blocks(const char *at, size_t blocks)
{
	__m128i zero = _mm_setzero_si128(), cr = zero, lf = zero, nul = zero;

	for (; blocks-- > 0; at += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);

		cr = _mm_add_epi8(cr, _mm_cmpeq_epi8(v, _mm_set1_epi8('\r')));
		lf = _mm_add_epi8(lf, _mm_cmpeq_epi8(v, _mm_set1_epi8('\n')));
		nul = _mm_add_epi8(nul, _mm_cmpeq_epi8(v, zero));
	}
	return (struct ends){total(cr), total(lf), total(nul)};
}
#endif

static struct ends
count_ends(const char *at, const char *end)
{
	struct ends ends = {0, 0, 0};
#ifdef __SSE2__
	while (end - at >= 16) {
		size_t blocks = (size_t)(end - at) / 16;
		struct ends some;

		blocks = blocks < 255 ? blocks : 255;
		some = count_blocks(at, blocks);
		ends.cr += some.cr;
		ends.lf += some.lf;
		ends.nul += some.nul;
		at += blocks * 16;
	}
#endif
	for (; at < end; at++) {
		ends.cr += *at == '\r';
		ends.lf += *at == '\n';
		ends.nul += *at == '\0';
	}
	return ends;
}

/* No more lines may be written than are meant. */
static void
check_lines(const char *from, const char *to, unsigned lines)
{
	struct ends ends = count_ends(from, to);

	assert(ends.cr == lines && ends.lf == lines && ends.nul == 0);
	(void)ends;
}

static char *
write_fields(const struct head *head, char *at)
{
	for (unsigned i = 0; i < head->field_count; i++) {
		at = slice_put(at, head->fields[i].name);
		at = slice_put(at, SLICE(": "));
		at = slice_put(at, head->fields[i].value);
		at = slice_put(at, SLICE("\r\n"));
	}
	return slice_put(at, SLICE("\r\n"));
}

size_t
h1_head_write(const struct head *head, char *out)
{
	char *at = out;

	if (head->status == 0) {
		assert(is_token(head->method));
		at = slice_put(at, head->method);
		*at++ = ' ';
		at = slice_put(at, head->target);
		at = slice_put(at, SLICE(" HTTP/1.1\r\n"));
	} else {
		assert(head->status >= 100 && head->status <= 999);
		at = slice_put(at, SLICE("HTTP/1.1 "));
		*at++ = (char)('0' + head->status / 100);
		*at++ = (char)('0' + head->status / 10 % 10);
		*at++ = (char)('0' + head->status % 10);
		*at++ = ' ';
		at = slice_put(at, head->phrase);
		at = slice_put(at, SLICE("\r\n"));
	}
	at = write_fields(head, at);
	check_lines(out, at, head->field_count + 2);
	return (size_t)(at - out);
}

size_t
h1_fields_write(const struct head *head, char *out)
{
	char *end = write_fields(head, out);

	check_lines(out, end, head->field_count + 1);
	return (size_t)(end - out);
}

static bool
is_kind(char c, unsigned what)
{
	return (kind[(unsigned char)c] & what) != 0;
}

#ifdef __SSE2__
/* A bit for each of sixteen bytes that is a control byte, but not HTAB. */
static unsigned
controls(const char *at)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);
	__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
	__m128i tab = _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'));
	__m128i del = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f));

	return (unsigned)_mm_movemask_epi8(
	    _mm_or_si128(_mm_andnot_si128(tab, low), del));
}
#endif

/* The first control byte but HTAB in [at, r->end), or the end. The last few
 * bytes are looked at together with some before them. */
static const char *
text_end(const struct reader *r, const char *at)
{
#ifdef __SSE2__
	unsigned mask;

	for (; r->end - at >= 16; at += 16)
		if ((mask = controls(at)) != 0)
			return at + __builtin_ctz(mask);
	if (r->end - r->start >= 16) {
		mask = controls(r->end - 16) >> (16 - (r->end - at));
		return mask != 0 ? at + __builtin_ctz(mask) : r->end;
	}
#endif
	while (at < r->end && is_kind(*at, TEXT))
		at++;
	return at;
}

#ifdef __SSE2__
/* A bit for each of sixteen bytes from low to high, both below 0x80. */
static __m128i
in_range(__m128i v, char low, char high)
{
	return _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8((char)(low - 1))),
	    _mm_cmplt_epi8(v, _mm_set1_epi8((char)(high + 1))));
}
#endif

/* The colon after a name that ends within sixteen bytes and has but letters,
 * digits, '-' and '_'; else at: this and other names are read one by one. */
static const char *
skip_usual_name(const struct reader *r, const char *at)
{
#ifdef __SSE2__
	const __m128i small = _mm_set1_epi8(0x20);
	__m128i v, usual;
	unsigned colons, others;

	if (r->end - at < 16)
		return at;
	v = _mm_loadu_si128((const __m128i *)(const void *)at);
	usual = _mm_or_si128(
	    _mm_or_si128(in_range(_mm_or_si128(v, small), 'a', 'z'),
		in_range(v, '0', '9')),
	    _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('-')),
		_mm_cmpeq_epi8(v, _mm_set1_epi8('_'))));
	others = ~(unsigned)_mm_movemask_epi8(usual) & 0xffffu;
	colons =
	    (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(':')));
	/* the first byte that is not usual is a colon */
	if ((others & colons & (~others + 1)) != 0)
		return at + __builtin_ctz(others);
#else
	(void)r;
#endif
	return at;
}

static enum h1_result
bad(struct reader *r, enum reason why)
{
	r->why = why;
	return H1_BAD;
}

/* CRLF and nothing else ends a line (RFC 9112 2.2); `other` is what it means
 * when a byte stands here that is neither CR nor LF. */
static enum h1_result
read_crlf(struct reader *r, enum reason other)
{
	if (r->at == r->end)
		return H1_MORE;
	if (*r->at == '\n')
		return bad(r, REASON_MALFORMED_LINE_END);
	if (*r->at != '\r')
		return bad(r, other);
	if (r->end - r->at < 2)
		return H1_MORE;
	if (r->at[1] != '\n')
		return bad(r, REASON_MALFORMED_LINE_END);
	r->at += 2;
	return H1_DONE;
}

static enum h1_result
read_method(struct reader *r)
{
	const char *start = r->at;
	size_t len = 0, left = (size_t)(r->end - r->at);
	enum h1_result result;

	while (
	    len <= METHOD_TOKEN_MAX && len < left && is_kind(start[len], TCHAR))
		len++;
	r->head->method = (struct slice){start, len};
	if (len > METHOD_TOKEN_MAX)
		return bad(r, REASON_METHOD_TOO_LONG);
	r->at += len;
	if (len == left)
		return H1_MORE;
	if (*r->at == ' ') {
		r->at++;
		return len > 0 ? H1_DONE
			       : bad(r, REASON_MALFORMED_REQUEST_LINE);
	}
	result = read_crlf(r, REASON_MALFORMED_METHOD);
	return result == H1_DONE ? bad(r, REASON_MALFORMED_REQUEST_LINE)
				 : result;
}

static enum h1_result
read_target(struct reader *r)
{
	const char *start = r->at;
	size_t len = 0, left = (size_t)(r->end - r->at);
	size_t limit = r->limits->target;
	enum h1_result result;

	while (len <= limit && len < left && is_kind(start[len], VISIBLE))
		len++;
	r->head->target = (struct slice){start, len};
	if (len > limit)
		return bad(r, REASON_TARGET_TOO_LARGE);
	r->at += len;
	if (len == left)
		return H1_MORE;
	if (*r->at == ' ') {
		r->at++;
		return len > 0 ? H1_DONE
			       : bad(r, REASON_MALFORMED_REQUEST_LINE);
	}
	result = read_crlf(r, REASON_MALFORMED_TARGET);
	/* A line that ends here is HTTP/0.9's. */
	return result == H1_DONE ? bad(r, REASON_MALFORMED_VERSION) : result;
}

/* "HTTP/1.0" or "HTTP/1.1"; another HTTP/d.d is told apart by *known. */
static enum h1_result
read_version(struct reader *r, bool *known)
{
	static const char like[] = "HTTP/d.d";
	size_t left = (size_t)(r->end - r->at);

	for (size_t i = 0; i < sizeof(like) - 1; i++) {
		if (i == left)
			return H1_MORE;
		if (like[i] == 'd' ? r->at[i] < '0' || r->at[i] > '9'
				   : r->at[i] != like[i])
			return bad(r, i == 0 && r->at[i] == ' '
					  ? REASON_MALFORMED_REQUEST_LINE
					  : REASON_MALFORMED_VERSION);
	}
	*known = r->at[5] == '1' && r->at[7] <= '1';
	r->head->minor = r->at[7] == '1';
	r->at += sizeof(like) - 1;
	return H1_DONE;
}

static enum h1_result
read_request_line(struct reader *r)
{
	struct head *head = r->head;
	struct slice raw;
	enum h1_result result;
	enum reason why;
	bool known = false;

	if (r->at < r->end && (*r->at == '\r' || *r->at == '\n') &&
	    (result = read_crlf(r, REASON_NONE)) != H1_DONE)
		return result;
	if ((result = read_method(r)) != H1_DONE ||
	    (result = read_target(r)) != H1_DONE ||
	    (result = read_version(r, &known)) != H1_DONE)
		return result;
	result = read_crlf(r, r->at < r->end && *r->at == ' '
				  ? REASON_MALFORMED_REQUEST_LINE
				  : REASON_MALFORMED_VERSION);
	if (result != H1_DONE)
		return result;
	if (!known)
		return bad(r, REASON_VERSION_UNSUPPORTED);
	raw = head->target;
	why = uri_target(raw, head->method, head);
	if (why == REASON_NONE && head->form == TARGET_ASTERISK &&
	    !slice_eq(head->method, SLICE("OPTIONS")))
		why = REASON_MALFORMED_TARGET;
	if (why == REASON_NONE)
		return H1_DONE;
	head->target = raw;
	return bad(r, why);
}

static enum h1_result
read_status_line(struct reader *r)
{
	struct head *head = r->head;
	const char *start;
	enum h1_result result;
	bool known = false;

	if ((result = read_version(r, &known)) != H1_DONE)
		return result;
	if (!known)
		return bad(r, REASON_VERSION_UNSUPPORTED);
	for (unsigned i = 0; i < 4; i++, r->at++) {
		if (r->at == r->end)
			return H1_MORE;
		if (i == 0 ? *r->at != ' ' : *r->at < '0' || *r->at > '9')
			return bad(r, REASON_MALFORMED_REQUEST_LINE);
		if (i > 0)
			head->status = head->status * 10 + (*r->at - '0');
	}
	if (head->status < 100 || head->status > 599)
		return bad(r, REASON_MALFORMED_REQUEST_LINE);
	/* Many servers leave out the space with the phrase (RFC 9112 4). */
	if (r->at < r->end && *r->at == ' ') {
		start = ++r->at;
		r->at = text_end(r, r->at);
		head->phrase = (struct slice){start, (size_t)(r->at - start)};
	}
	return read_crlf(r, REASON_MALFORMED_REQUEST_LINE);
}

static enum h1_result
read_value(struct reader *r, struct slice *value)
{
	const char *start, *stop;

	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t'))
		r->at++;
	start = r->at;
	stop = r->at = text_end(r, start);
	while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t'))
		stop--;
	*value = (struct slice){start, (size_t)(stop - start)};
	return read_crlf(r, REASON_MALFORMED_FIELD_VALUE);
}

static enum h1_result
read_field(struct reader *r)
{
	struct head *head = r->head;
	struct field *field = &head->fields[head->field_count];
	const char *start = r->at, *at;
	enum h1_result result;

	if (head->field_count == r->limits->fields)
		return bad(r, REASON_FIELDS_TOO_MANY);
	at = skip_usual_name(r, start);
	while (at < r->end && is_kind(*at, TCHAR))
		at++;
	r->at = at;
	if (at == r->end)
		return H1_MORE;
	if (*at == '\n')
		return bad(r, REASON_MALFORMED_LINE_END);
	if (*at != ':' || at == start)
		return bad(r, REASON_MALFORMED_FIELD_NAME);
	field->name = (struct slice){start, (size_t)(at - start)};
	r->at++;
	if ((result = read_value(r, &field->value)) != H1_DONE)
		return result;
	field->id = field_find(field->name);
	r->seen |= (uint64_t)1 << field->id;
	head->field_count++;
	return H1_DONE;
}

static enum h1_result
read_fields(struct reader *r)
{
	enum h1_result result;

	while (r->at < r->end) {
		if (*r->at == '\r' || *r->at == '\n')
			return read_crlf(r, REASON_NONE);
		if ((*r->at == ' ' || *r->at == '\t') &&
		    r->head->field_count > 0)
			return bad(r, REASON_MALFORMED_OBS_FOLD);
		if ((result = read_field(r)) != H1_DONE)
			return result;
	}
	return H1_MORE;
}

/* RFC 9112 3.2. An absolute target's authority wins, but a Host that disagrees
 * is refused: the next hop might believe it. */
static enum reason
judge_host(struct head *head)
{
	const struct field *host = head_field(head, FIELD_HOST);

	if (head->form == TARGET_ORIGIN && head->path.len == 0)
		head->authority = head->target; /* CONNECT */
	if (host == NULL)
		return head->minor == 0 ? REASON_NONE : REASON_MALFORMED_HOST;
	if (head_count(head, FIELD_HOST) > 1 ||
	    !uri_authority_valid(host->value))
		return REASON_MALFORMED_HOST;
	/* Not the form tells: OPTIONS has "*" of an absolute target. */
	if (head->scheme.len > 0) {
		if (!uri_authority_same(
			host->value, head->authority, head->scheme))
			return REASON_MALFORMED_HOST;
	} else if (head->authority.len == 0) {
		head->authority = host->value;
	}
	return REASON_NONE;
}

static bool
length_of(const struct head *head, uint64_t *length)
{
	const struct field *field = head_field(head, FIELD_CONTENT_LENGTH);

	return field != NULL && slice_to_u64(field->value, length) &&
	       *length <= INT64_MAX;
}

/* `chunked` alone is understood. A list whose last member, and no other, is
 * chunked says where the body ends, so its other codings are only not
 * implemented; anything else is malformed (RFC 9112 6.1, 6.3). */
static enum reason
judge_coding(struct slice value)
{
	const struct slice known = SLICE("chunked");
	bool chunked = false;
	size_t to;

	if (slice_eq_nocase(value, known))
		return REASON_NONE;
	for (size_t from = 0; from < value.len; from = to + 1) {
		struct slice member;

		to = slice_find(value, ',', from);
		member = slice_trim((struct slice){value.at + from, to - from});
		if (chunked || !is_token(member))
			return REASON_MALFORMED_TRANSFER_ENCODING;
		chunked = slice_eq_nocase(member, known);
	}
	/* A comma at the end has an empty member after it. */
	if (!chunked || value.at[value.len - 1] == ',')
		return REASON_MALFORMED_TRANSFER_ENCODING;
	return REASON_TRANSFER_CODING;
}

static enum reason
judge_framing(const struct head *head)
{
	unsigned lengths = head_count(head, FIELD_CONTENT_LENGTH);
	unsigned codings = head_count(head, FIELD_TRANSFER_ENCODING);
	uint64_t length;

	if (codings > 1 || (codings > 0 && (lengths > 0 || head->minor == 0)))
		return REASON_MALFORMED_TRANSFER_ENCODING;
	if (codings > 0)
		return judge_coding(
		    head_field(head, FIELD_TRANSFER_ENCODING)->value);
	if (lengths > 1 || (lengths > 0 && !length_of(head, &length)))
		return REASON_MALFORMED_CONTENT_LENGTH;
	return REASON_NONE;
}

static bool
is_alphanumeric(char c)
{
	return (c >= '0' && c <= '9') ||
	       ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool
may_name(struct slice member)
{
	enum field_id id = field_find(member);
	char folded[NAME_MAX_KNOWN];

	/* x_method_override is X-Method-Override to some (CGI) */
	if (id == FIELD_OTHER && member.len <= sizeof(folded)) {
		for (size_t i = 0; i < member.len; i++)
			folded[i] =
			    is_alphanumeric(member.at[i]) ? member.at[i] : '-';
		id = field_find((struct slice){folded, member.len});
	}
	return field_class_of(id) != CLASS_KEEP &&
	       field_class_of(id) != CLASS_GATE &&
	       id != FIELD_TRANSFER_ENCODING;
}

/* A field named here is dropped on the way (RFC 9110 7.6.1): nobody may drop
 * what the gate has judged by, or what it writes. */
static enum reason
judge_connection(const struct head *head)
{
	for (unsigned i = 0; i < head->field_count; i++) {
		struct slice rest = head->fields[i].value, member;

		if (head->fields[i].id != FIELD_CONNECTION)
			continue;
		while (slice_next(&rest, ',', &member))
			if (!is_token(member) || !may_name(member))
				return REASON_MALFORMED_CONNECTION;
	}
	return REASON_NONE;
}

static enum reason
judge_expect(const struct head *head)
{
	for (unsigned i = 0; i < head->field_count; i++)
		if (head->fields[i].id == FIELD_EXPECT &&
		    !slice_eq_nocase(
			head->fields[i].value, SLICE("100-continue")))
			return REASON_EXPECTATION_FAILED;
	return REASON_NONE;
}

static enum reason
judge_request(const struct reader *r)
{
	enum reason why = judge_host(r->head);

	if (why == REASON_NONE &&
	    (r->seen & (SEEN(CONTENT_LENGTH) | SEEN(TRANSFER_ENCODING))) != 0)
		why = judge_framing(r->head);
	if (why == REASON_NONE && (r->seen & SEEN(CONNECTION)) != 0)
		why = judge_connection(r->head);
	if (why == REASON_NONE && (r->seen & SEEN(EXPECT)) != 0)
		why = judge_expect(r->head);
	return why;
}

static enum h1_result
read_head(struct reader *r, bool request)
{
	enum h1_result result =
	    request ? read_request_line(r) : read_status_line(r);
	enum reason why;

	if (result == H1_DONE)
		result = read_fields(r);
	if (result != H1_DONE)
		return result;
	why = request ? judge_request(r) : judge_connection(r->head);
	return why == REASON_NONE ? H1_DONE : bad(r, why);
}

/* Bytes past the limit are not looked at: a head that needs them is too large,
 * however many of them there are already. */
static enum h1_result
read_within_limit(struct reader *r, struct slice buf, bool request)
{
	size_t len = buf.len < r->limits->head ? buf.len : r->limits->head;
	enum h1_result result;

	*r->head = (struct head){.fields = r->head->fields};
	if (buf.len == 0)
		return H1_MORE;
	r->end = buf.at + len;
	result = read_head(r, request);
	r->head->raw = (struct slice){buf.at, (size_t)(r->at - buf.at)};
	if (result == H1_MORE && len == r->limits->head)
		return bad(r, REASON_HEAD_TOO_LARGE);
	return result;
}
