/* SPDX-License-Identifier: ISC */
/* transport_cases: the transport between an errand that keeps to transport.h,
 * at times one byte at a time, and a server that keeps to nothing. */
#include "transport_cases.h"

#include <event2/event.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define MEGABYTE (1024u * 1024)
#define BOUND (200u * 1024) /* bytes that one exchange may take at most */

static transport_open_fn *transport;

static void
open_case(struct bench *b, struct errand *e, const struct fake_act *acts)
{
	bench_open(b, transport, acts);
	errand_init(e, b);
	e->keep = (struct links_policy){4, 60000};
}

/* More than the kernel holds for us. */
#define UPLOAD (8u * MEGABYTE)

static void
upload(struct errand *e)
{
	struct slice piece = {fake_block, FAKE_BLOCK};

	errand_upload(e, BODY_LENGTH, piece, UPLOAD);
}

/* ---- responses ---- */

struct response {
	struct slice bytes;
	enum fake_verb then; /* STOP: the connection stays open */
	const char *events;  /* after "ready " */
	struct slice body;
	enum reason why;
	const char *method; /* NULL: GET */
};

#define R(bytes, then, events, body, why)                                      \
	{                                                                      \
		{bytes, sizeof(bytes) - 1}, FAKE_##then, events,               \
		    {body, sizeof(body) - 1}, REASON_##why, NULL               \
	}
#define R_TO(method, bytes, events)                                            \
	{                                                                      \
		{bytes, sizeof(bytes) - 1}, FAKE_STOP, events, {"", 0},        \
		    REASON_NONE, method                                        \
	}
#define BAD(bytes) R(bytes, STOP, "broken", "", UPSTREAM_MALFORMED)
#define BAD_CHUNK(bytes)                                                       \
	R(CHUNKED bytes, STOP, "200 broken", "", UPSTREAM_MALFORMED)

static const struct response responses[] = {
    /* lengths */
    R(OK "Content-Length: 3\r\n\r\nabc", STOP, "200 body end", "abc", NONE),
    R(OK "Content-Length: 3\r\n\r\na\0c", STOP, "200 body end", "a\0c", NONE),
    R(OK "Content-Length: 0\r\n\r\n", STOP, "200 end", "", NONE),
    R("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", STOP, "200 body end",
	"abc", NONE),
    R("HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", CLOSE, "200 body end",
	"abc", NONE),
    R(OK "Content-Length: 3\r\nConnection: keep-alive\r\n\r\nabc", STOP,
	"200 body end", "abc", NONE),
    R(OK "Content-Length: 3\r\n\r\nabc", RESET, "200 body end", "abc", NONE),
    /* what follows a response is nobody's */
    R(OK "Content-Length: 3\r\n\r\nabc" OK "Content-Length: 4\r\n\r\nevil",
	STOP, "200 body end", "abc", NONE),
    R(OK "Content-Length: 0\r\n\r\nevil", STOP, "200 end", "", NONE),
    R(CHUNKED "0\r\n\r\n" OK "\r\nevil", STOP, "200 end", "", NONE),
    R("HTTP/1.1 204 No\r\n\r\nevil", STOP, "204 end", "", NONE),
    /* no body, whatever the fields say (RFC 9112 6.3) */
    R("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", STOP, "204 end", "",
	NONE),
    R("HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n", STOP, "304 end", "",
	NONE),
    R("HTTP/1.1 304 Not\r\nTransfer-Encoding: chunked\r\n\r\n", STOP, "304 end",
	"", NONE),
    R_TO("HEAD", OK "Content-Length: 5\r\n\r\n", "200 end"),
    R_TO("HEAD", OK "\r\n", "200 end"),
    R_TO("HEAD", CHUNKED, "200 end"),
    R_TO("OPTIONS", "HTTP/1.1 204 No\r\nAllow: GET\r\n\r\n", "204 end"),
    R_TO("DELETE", OK "Content-Length: 0\r\n\r\n", "200 end"),
    R("HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", STOP, "205 end", "",
	NONE),
    R("HTTP/1.1 599 X\r\nContent-Length: 1\r\n\r\nx", STOP, "599 body end", "x",
	NONE),
    /* the chunked coding */
    R(CHUNKED "3\r\nabc\r\n0\r\n\r\n", STOP, "200 body end", "abc", NONE),
    R(CHUNKED "1\r\na\r\n002\r\nbc\r\n000\r\n\r\n", STOP, "200 body end", "abc",
	NONE),
    R(CHUNKED "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", STOP,
	"200 body end", "01234567890123456789", NONE),
    R(CHUNKED "3;a=b;c=\"d;e\"\r\nabc\r\n0;x\r\n\r\n", STOP, "200 body end",
	"abc", NONE),
    R(CHUNKED "3\r\nabc\r\n0\r\nTrailer: x\r\nContent-Length: 9\r\n\r\n", STOP,
	"200 body end", "abc", NONE),
    R(CHUNKED "0\r\n\r\n", STOP, "200 end", "", NONE),
    R(OK "Transfer-Encoding: CHUNKED\r\nConnection: close\r\n\r\n1\r\na\r\n"
	 "0\r\n\r\n",
	CLOSE, "200 body end", "a", NONE),
    R(CHUNKED "8\r\n0\r\n\r\nabc\r\n0\r\n\r\n", STOP, "200 body end",
	"0\r\n\r\nabc", NONE),
    BAD_CHUNK("x\r\n"),
    BAD_CHUNK("\r\n"),
    BAD_CHUNK("+5\r\n"),
    BAD_CHUNK(" 5\r\n"),
    BAD_CHUNK("-1\r\n"),
    BAD_CHUNK("0x5\r\n"),
    BAD_CHUNK("5 \r\n"),
    BAD_CHUNK("5 junk\r\n"),
    BAD_CHUNK("3\n"),
    BAD_CHUNK("3\rx"),
    BAD_CHUNK("10000000000000000\r\n"),
    BAD_CHUNK("0\r\n\n"),
    BAD_CHUNK("0\r\nA\r\n\r\n"),
    BAD_CHUNK("0\r\n A: b\r\n\r\n"),
    BAD_CHUNK("0\r\nA : b\r\n\r\n"),
    BAD_CHUNK("0\r\nA: b\n\r\n"),
    BAD_CHUNK("3;a\0\r\n"),
    R(CHUNKED "3\r\nabcd\r\n0\r\n\r\n", STOP, "200 body broken", "abc",
	UPSTREAM_MALFORMED),
    R(CHUNKED "3\r\nabc\n0\r\n\r\n", STOP, "200 body broken", "abc",
	UPSTREAM_MALFORMED),
    R(CHUNKED "3\r\nabc0\r\n\r\n", STOP, "200 body broken", "abc",
	UPSTREAM_MALFORMED),
    /* delimited by the close */
    R(OK "\r\nabc", CLOSE, "200 body end", "abc", NONE),
    R(OK "\r\n", CLOSE, "200 end", "", NONE),
    R("HTTP/1.0 200 OK\r\n\r\nabc", CLOSE, "200 body end", "abc", NONE),
    R(OK "Connection: close\r\n\r\nabc", CLOSE, "200 body end", "abc", NONE),
    R(OK "Connection: keep-alive\r\n\r\nabc", CLOSE, "200 body end", "abc",
	NONE),
    R(OK "Connection: close, X-Foo\r\n\r\nabc", CLOSE, "200 body end", "abc",
	NONE),
    R(OK "Connection:\r\nConnection: x\r\n\r\nabc", FIN, "200 body end", "abc",
	NONE),
    R(OK "\r\nabc", RESET, "200 body broken", "abc", UPSTREAM_TRUNCATED),
    R(OK "\r\n", RESET, "200 broken", "", UPSTREAM_TRUNCATED),
    /* cut short */
    R("", CLOSE, "broken", "", UPSTREAM_CLOSED),
    R("", RESET, "broken", "", UPSTREAM_CLOSED),
    R("HTTP/1.1 200", CLOSE, "broken", "", UPSTREAM_CLOSED),
    R(OK "A: b\r\n", CLOSE, "broken", "", UPSTREAM_CLOSED),
    R(OK "A: b\r\n\r", RESET, "broken", "", UPSTREAM_CLOSED),
    R("HTTP/1.1 103 Hints\r\n\r\n", CLOSE, "103 broken", "", UPSTREAM_CLOSED),
    R(OK "Content-Length: 4\r\n\r\nabc", CLOSE, "200 body broken", "abc",
	UPSTREAM_TRUNCATED),
    R(OK "Content-Length: 4\r\n\r\nabc", RESET, "200 body broken", "abc",
	UPSTREAM_TRUNCATED),
    R(OK "Content-Length: 4\r\n\r\n", CLOSE, "200 broken", "",
	UPSTREAM_TRUNCATED),
    R(OK "Content-Length: 9223372036854775807\r\n\r\nabc", CLOSE,
	"200 body broken", "abc", UPSTREAM_TRUNCATED),
    R(CHUNKED "", CLOSE, "200 broken", "", UPSTREAM_TRUNCATED),
    R(CHUNKED "4\r\nabc", CLOSE, "200 body broken", "abc", UPSTREAM_TRUNCATED),
    R(CHUNKED "3\r\nabc\r\n", CLOSE, "200 body broken", "abc",
	UPSTREAM_TRUNCATED),
    R(CHUNKED "3\r\nabc\r\n0\r\n", CLOSE, "200 body broken", "abc",
	UPSTREAM_TRUNCATED),
    R(CHUNKED "3\r\nabc\r\n0\r\n\r", CLOSE, "200 body broken", "abc",
	UPSTREAM_TRUNCATED),
    R(CHUNKED "7fffffffffffffff\r\nabc", CLOSE, "200 body broken", "abc",
	UPSTREAM_TRUNCATED),
    /* interim responses; their fields govern nothing */
    R("HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\na", STOP,
	"200 body end", "a", NONE),
    R("HTTP/1.1 100 C\r\nContent-Length: 9\r\nConnection: close\r\n\r\n" OK
      "Content-Length: 2\r\n\r\nab",
	STOP, "200 body end", "ab", NONE),
    R("HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 H\r\nLink: a\r\n\r\n" OK
      "Content-Length: 1\r\n\r\na",
	STOP, "102 103 200 body end", "a", NONE),
    R("HTTP/1.1 103 H\r\nTransfer-Encoding: chunked\r\n\r\n" OK
      "Content-Length: 1\r\n\r\na",
	STOP, "103 200 body end", "a", NONE),
    R("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nevil", STOP, "broken", "",
	UPSTREAM_MALFORMED),
    R("HTTP/1.1 103 H\r\n\r\nHTTP/1.1 101 S\r\n\r\n", STOP, "103 broken", "",
	UPSTREAM_MALFORMED),
    R("HTTP/1.1 103 H\r\n\r\nHTTP/1.1 200 OK\n\n", STOP, "103 broken", "",
	UPSTREAM_MALFORMED),
    /* framing that can be read in two ways */
    BAD(OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    BAD(OK "Content-Length: 3\r\ncontent-length: 4\r\n\r\nabc"),
    BAD(OK "Content-Length: 3, 3\r\n\r\nabc"),
    BAD(OK "Content-Length: +3\r\n\r\nabc"),
    BAD(OK "Content-Length: -3\r\n\r\nabc"),
    BAD(OK "Content-Length:\r\n\r\nabc"),
    BAD(OK "Content-Length: 0x3\r\n\r\nabc"),
    BAD(OK "Content-Length: 3 3\r\n\r\nabc"),
    BAD(OK "Content-Length: 9223372036854775808\r\n\r\nabc"),
    BAD(OK "Content-Length: 18446744073709551619\r\n\r\nabc"),
    BAD(OK "Content-Length : 3\r\n\r\nabc"),
    BAD(OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD(OK "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
    BAD(OK "Transfer-Encoding: gzip\r\n\r\nabc"),
    BAD(OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    BAD(OK "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    BAD(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"
	   "\r\n0\r\n\r\n"),
    BAD(OK "Transfer-Encoding:\r\n\r\nabc"),
    BAD(OK "Transfer-Encoding: \x0b"
	   "chunked\r\n\r\n"),
    BAD(OK "Transfer-Encoding : chunked\r\n\r\n"),
    BAD("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    /* heads that some would bend into shape */
    BAD("HTTP/1.1 200 OK\n\r\n"),
    BAD(OK "A: b\n\r\n"),
    BAD(OK "A: b\r\n\tc\r\n\r\n"),
    BAD(OK "A: b\0c\r\n\r\n"),
    BAD(OK "A: b\rc\r\n\r\n"),
    BAD(OK "A b\r\n\r\n"),
    BAD(OK ": b\r\n\r\n"),
    BAD(OK "A(: b\r\n\r\n"),
    BAD(OK "A: b\x01\r\n\r\n"),
    BAD("\r\n" OK "\r\n"),
    BAD("HTTP/1.1 099 OK\r\n\r\n"),
    BAD("HTTP/1.1 000 OK\r\n\r\n"),
    BAD("HTTP/1.1 600 OK\r\n\r\n"),
    BAD("HTTP/1.1 20 OK\r\n\r\n"),
    BAD("HTTP/1.1 2000 OK\r\n\r\n"),
    BAD("HTTP/2.0 200 OK\r\n\r\n"),
    BAD("HTTP/1.2 200 OK\r\n\r\n"),
    BAD("ICY 200 OK\r\n\r\n"),
    BAD("SSH-2.0-x\r\n"),
    BAD("evil\r\n\r\n"),
};

static void
expect_response(const struct response *r, bool bytewise, size_t appetite)
{
	const struct fake_act acts[] = {ACT(HEAD), {FAKE_SEND, 0, r->bytes},
	    {r->then, 0, {NULL, 0}}, ACT(STOP)};
	const struct fake_act silent[] = {
	    ACT(HEAD), {r->then, 0, {NULL, 0}}, ACT(STOP)};
	char wanted[64];
	struct bench b;
	struct errand e;

	snprintf(wanted, sizeof(wanted), "ready %s", r->events);
	open_case(&b, &e, r->bytes.len > 0 ? acts : silent);
	b.server.bytewise = bytewise;
	e.appetite = appetite;
	errand_open(&e);
	errand_start_method(&e, r->method != NULL ? r->method : "GET", NONE);
	errand_end(&e);
	errand_run(&e);
	ck_assert_msg(strcmp(e.events, wanted) == 0 && e.broken.why == r->why,
	    "%s (%s)\nwanted %s (%s)\n%.*s", e.events,
	    reason_word(e.broken.why), wanted, reason_word(r->why),
	    SLICE_ARG(r->bytes));
	ck_assert_msg(slice_eq((struct slice){e.body, e.body_len}, r->body),
	    "body %.*s of\n%.*s", (int)e.body_len, e.body, SLICE_ARG(r->bytes));
	ck_assert_uint_eq(e.broken.sent, r->why != REASON_NONE);
	ck_assert_uint_eq(
	    e.broken.response_seen, r->why != REASON_NONE && r->bytes.len > 0);
	bench_close(&b);
}

START_TEST(a_response_is_taken_whole)
{
	for (size_t i = 0; i < COUNT(responses); i++) {
		expect_response(&responses[i], false, 0);
		expect_response(&responses[i], false, 1);
	}
}
END_TEST

START_TEST(a_response_is_taken_byte_by_byte)
{
	for (size_t i = 0; i < COUNT(responses); i++) {
		expect_response(&responses[i], true, 0);
		expect_response(&responses[i], true, 1);
	}
}
END_TEST

START_TEST(a_head_comes_with_its_fields_and_plan)
{
	static const struct fake_act acts[] = {ACT(HEAD),
	    SEND("HTTP/1.1 103 H\r\nLink: l\r\n\r\n" OK
		 "B: 1\r\nContent-Length: 1\r\nb:\t2 \r\nConnection: x\r\n"
		 "\r\n"),
	    ACT(WAIT), SEND("a"), ACT(STOP)};
	struct bench b;
	struct errand e;

	open_case(&b, &e, acts);
	errand_open(&e);
	errand_get(&e);
	errand_run_to(&e, "ready 103 200");
	ck_assert_int_eq(e.plan.kind, BODY_LENGTH);
	ck_assert_uint_eq(e.plan.length, 1);
	ck_assert_str_eq(e.fields, "B=1;Content-Length=1;b=2;Connection=x;");
	fake_server_go(&b.server);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 103 200 body end");
	bench_close(&b);
}
END_TEST

/* ---- limits ---- */

/* What a server sends until it has sent all or the transport gives up. */
static void
expect_bounded(const struct fake_act *acts, const char *wanted, enum reason why,
    uint64_t body_len)
{
	struct bench b;
	struct errand e;

	open_case(&b, &e, acts);
	errand_open(&e);
	errand_get(&e);
	errand_run(&e);
	ck_assert_str_eq(e.events, wanted);
	ck_assert_int_eq(e.broken.why, why);
	ck_assert_uint_eq(e.body_len, body_len);
	ck_assert_msg(b.peak < b.before + BOUND, "%zu bytes were held",
	    b.peak - b.before);
	bench_close(&b);
}

START_TEST(a_chunk_of_any_size_takes_little_memory)
{
	static const struct fake_act acts[] = {ACT(HEAD),
	    SEND(CHUNKED "1000000\r\n"), SEND_BLOCKS(256),
	    SEND("\r\n0\r\n\r\n"), ACT(STOP)};

	expect_bounded(acts, "ready 200 body end", REASON_NONE, 16 * MEGABYTE);
}
END_TEST

START_TEST(a_length_of_any_size_takes_little_memory)
{
	static const struct fake_act acts[] = {ACT(HEAD),
	    SEND(OK "Content-Length: 16777216\r\n\r\n"), SEND_BLOCKS(256),
	    ACT(STOP)};

	expect_bounded(acts, "ready 200 body end", REASON_NONE, 16 * MEGABYTE);
}
END_TEST

START_TEST(a_body_until_close_of_any_size_takes_little_memory)
{
	static const struct fake_act acts[] = {ACT(HEAD), SEND(OK "\r\n"),
	    SEND_BLOCKS(256), ACT(CLOSE), ACT(STOP)};

	expect_bounded(acts, "ready 200 body end", REASON_NONE, 16 * MEGABYTE);
}
END_TEST

START_TEST(an_endless_line_is_cut_off)
{
	static const struct fake_act head[] = {
	    ACT(HEAD), SEND(OK "A: "), SEND_BLOCKS(256), ACT(STOP)};
	static const struct fake_act second[] = {ACT(HEAD),
	    SEND("HTTP/1.1 103 H\r\n\r\n" OK "A: "), SEND_BLOCKS(256),
	    ACT(STOP)};
	static const struct fake_act first[] = {
	    ACT(HEAD), SEND("HTTP/1.1 200 "), SEND_BLOCKS(256), ACT(STOP)};
	static const struct fake_act size[] = {
	    ACT(HEAD), SEND(CHUNKED), SEND_BLOCKS(256), ACT(STOP)};
	static const struct fake_act extension[] = {
	    ACT(HEAD), SEND(CHUNKED "1;"), SEND_BLOCKS(256), ACT(STOP)};
	static const struct fake_act trailer[] = {
	    ACT(HEAD), SEND(CHUNKED "0\r\nA: "), SEND_BLOCKS(256), ACT(STOP)};

	expect_bounded(head, "ready broken", REASON_UPSTREAM_HEAD_TOO_LARGE, 0);
	expect_bounded(
	    second, "ready 103 broken", REASON_UPSTREAM_HEAD_TOO_LARGE, 0);
	expect_bounded(
	    first, "ready broken", REASON_UPSTREAM_HEAD_TOO_LARGE, 0);
	expect_bounded(size, "ready 200 broken", REASON_UPSTREAM_MALFORMED, 0);
	expect_bounded(
	    extension, "ready 200 broken", REASON_UPSTREAM_MALFORMED, 0);
	expect_bounded(
	    trailer, "ready 200 broken", REASON_UPSTREAM_MALFORMED, 0);
}
END_TEST

START_TEST(endless_fields_are_cut_off)
{
	static const struct fake_act fields[] = {ACT(HEAD), SEND(OK),
	    {FAKE_SEND, 100000, {"a: b\r\n", 6}}, ACT(STOP)};
	static const struct fake_act trailers[] = {ACT(HEAD),
	    SEND(CHUNKED "0\r\n"), {FAKE_SEND, 100000, {"a: b\r\n", 6}},
	    ACT(STOP)};

	expect_bounded(
	    fields, "ready broken", REASON_UPSTREAM_HEAD_TOO_LARGE, 0);
	expect_bounded(
	    trailers, "ready 200 broken", REASON_UPSTREAM_MALFORMED, 0);
}
END_TEST

/* As many interim responses as INTERIM_MAX, then the final one, or one more. */
START_TEST(so_many_interim_responses_and_no_more)
{
	static const struct fake_act hundreds[] = {ACT(HEAD),
	    {FAKE_SEND, 16, {"HTTP/1.1 100 C\r\n\r\n", 18}},
	    SEND(OK "Content-Length: 0\r\n\r\n"), ACT(STOP)};
	static const struct fake_act hints[] = {ACT(HEAD),
	    {FAKE_SEND, 16, {"HTTP/1.1 103 H\r\n\r\n", 18}},
	    SEND(OK "Content-Length: 0\r\n\r\n"), ACT(STOP)};
	static const struct fake_act endless[] = {ACT(HEAD),
	    {FAKE_SEND, 100000, {"HTTP/1.1 100 C\r\n\r\n", 18}}, ACT(STOP)};
	static const struct fake_act one_more[] = {ACT(HEAD),
	    {FAKE_SEND, 17, {"HTTP/1.1 103 H\r\n\r\n", 18}}, ACT(STOP)};

	expect_bounded(hundreds, "ready 200 end", REASON_NONE, 0);
	expect_bounded(hints, "ready 103 200 end", REASON_NONE, 0);
	expect_bounded(endless, "ready broken", REASON_UPSTREAM_MALFORMED, 0);
	expect_bounded(
	    one_more, "ready 103 broken", REASON_UPSTREAM_MALFORMED, 0);
}
END_TEST

START_TEST(a_paused_body_waits_in_the_server)
{
	static const struct fake_act acts[] = {ACT(HEAD),
	    SEND(OK "Content-Length: 16777216\r\n\r\n"), SEND_BLOCKS(256),
	    ACT(STOP)};
	struct bench b;
	struct errand e;
	uint64_t taken, sent = 0;

	open_case(&b, &e, acts);
	e.pause_at = "body";
	errand_open(&e);
	errand_get(&e);
	errand_run_to(&e, "ready 200 body");
	for (unsigned i = 0; i < 100; i++) {
		taken = e.body_len;
		do {
			sent = b.server.sent;
			bench_idle(&b);
		} while (b.server.sent > sent);
		ck_assert_uint_eq(e.body_len, taken);
		ck_assert_uint_lt(b.server.sent, 16 * MEGABYTE);
		errand_resume(&e);
		for (int j = 0; j < FAKE_TURNS && e.body_len == taken; j++)
			bench_turn(&b, EVLOOP_ONCE);
	}
	ck_assert(!e.over);
	e.pause_at = NULL;
	errand_resume(&e);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 200 body end");
	ck_assert_uint_eq(e.body_len, 16 * MEGABYTE);
	ck_assert_uint_lt(b.peak, b.before + BOUND);
	bench_close(&b);
}
END_TEST

START_TEST(paused_before_the_head_only_the_body_waits)
{
	static const struct fake_act acts[] = {ACT(HEAD),
	    SEND("HTTP/1.1 103 H\r\n\r\n" OK "Content-Length: 1\r\n\r\na"),
	    ACT(CLOSE), ACT(STOP)};
	static const struct fake_act empty[] = {
	    ACT(HEAD), SEND(OK "Content-Length: 0\r\n\r\n"), ACT(STOP)};
	static const char *const at[] = {"ready", "interim", "head"};
	struct bench b;
	struct errand e;

	for (size_t i = 0; i < COUNT(at); i++) {
		open_case(&b, &e, acts);
		e.pause_at = at[i];
		errand_open(&e);
		errand_get(&e);
		errand_run_to(&e, "ready 103 200");
		bench_idle(&b);
		ck_assert_str_eq(e.events, "ready 103 200");
		errand_pause(&e);
		errand_resume(&e);
		errand_run(&e);
		ck_assert_str_eq(e.events, "ready 103 200 body end");
		bench_close(&b);
	}
	open_case(&b, &e, empty);
	errand_open(&e);
	errand_pause(&e);
	errand_get(&e);
	errand_run_to(&e, "ready 200");
	errand_resume(&e);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 200 end");
	bench_close(&b);
}
END_TEST

START_TEST(a_body_that_is_cut_while_paused_is_still_cut)
{
	static const struct fake_act acts[] = {ACT(HEAD),
	    SEND(OK "Content-Length: 9\r\n\r\nabc"), ACT(RESET), ACT(STOP)};
	struct bench b;
	struct errand e;

	open_case(&b, &e, acts);
	e.pause_at = "head";
	errand_open(&e);
	errand_get(&e);
	errand_run_to(&e, "ready 200");
	bench_idle(&b);
	ck_assert(fake_server_done(&b.server));
	errand_resume(&e);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 200 body broken");
	ck_assert_int_eq(e.broken.why, REASON_UPSTREAM_TRUNCATED);
	bench_close(&b);
}
END_TEST

/* ---- responses before the request is out ---- */

START_TEST(an_early_response_is_heard_at_once)
{
	static const struct fake_act acts[] = {ACT(HEAD), ACT(DEAF),
	    SEND("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"),
	    ACT(STOP)};
	struct bench b;
	struct errand e;

	open_case(&b, &e, acts);
	errand_open(&e);
	upload(&e);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 413 body end");
	ck_assert_uint_lt(b.server.heard, MEGABYTE);
	bench_close(&b);
}
END_TEST

/* More than one read takes, so that the reset is seen in between. */
#define NO_LEN 10000

/* The reset is caused by what it does not read. */
START_TEST(an_early_response_before_a_reset_is_heard)
{
	static const struct fake_act complete[] = {ACT(HEAD), ACT(DEAF),
	    SEND("HTTP/1.1 413 Too Large\r\nContent-Length: 10000\r\n\r\n"),
	    {FAKE_SEND, 0, {fake_block, NO_LEN}}, ACT(CLOSE), ACT(STOP)};
	static const struct fake_act until_close[] = {ACT(HEAD), ACT(DEAF),
	    SEND("HTTP/1.1 413 Too Large\r\n\r\nno"), ACT(RESET), ACT(STOP)};
	struct bench b;
	struct errand e;

	open_case(&b, &e, complete);
	errand_open(&e);
	upload(&e);
	e.pause_at = "head";
	errand_run_to(&e, "ready 413");
	for (int i = 0; i < FAKE_TURNS && !fake_server_done(&b.server); i++)
		bench_turn(&b, EVLOOP_ONCE);
	bench_idle(&b);
	errand_resume(&e);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 413 body end");
	ck_assert_uint_eq(e.body_len, NO_LEN);
	bench_close(&b);

	open_case(&b, &e, until_close);
	errand_open(&e);
	upload(&e);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 413 body broken");
	ck_assert_int_eq(e.broken.why, REASON_UPSTREAM_TRUNCATED);
	bench_close(&b);
}
END_TEST

START_TEST(after_an_early_response_the_request_goes_on)
{
	static const struct fake_act acts[] = {ACT(HEAD), ACT(DEAF),
	    SEND("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 H\r\n\r\n" OK
		 "Content-Length: 4\r\n\r\nab"),
	    ACT(WAIT), ACT(HEAR), BODY(UPLOAD), SEND("cd"), ACT(STOP)};
	struct bench b;
	struct errand e;

	open_case(&b, &e, acts);
	errand_open(&e);
	upload(&e);
	errand_run_to(&e, "ready 103 200 body");
	ck_assert_uint_lt(b.server.heard, MEGABYTE);
	fake_server_go(&b.server);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 103 200 body end");
	ck_assert(slice_eq((struct slice){e.body, 4}, SLICE("abcd")));
	ck_assert_uint_gt(b.server.heard, UPLOAD);
	bench_close(&b);
}
END_TEST

START_TEST(interim_responses_do_not_stop_the_request)
{
	static const struct fake_act acts[] = {ACT(HEAD), ACT(DEAF),
	    SEND("HTTP/1.1 103 H\r\n\r\n"), ACT(WAIT), ACT(HEAR), BODY(UPLOAD),
	    SEND("HTTP/1.1 102 P\r\n\r\n" OK "Content-Length: 0\r\n\r\n"),
	    ACT(STOP)};
	struct bench b;
	struct errand e;

	open_case(&b, &e, acts);
	errand_open(&e);
	upload(&e);
	errand_run_to(&e, "ready 103");
	fake_server_go(&b.server);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 103 102 200 end");
	bench_close(&b);
}
END_TEST

START_TEST(a_response_that_comes_before_the_request_is_taken)
{
	static const struct fake_act acts[] = {
	    SEND(OK "Content-Length: 1\r\n\r\na"), ACT(STOP)};
	struct bench b;
	struct errand e;

	open_case(&b, &e, acts);
	errand_open(&e);
	errand_get(&e);
	errand_run(&e);
	ck_assert_str_eq(e.events, "ready 200 body end");
	bench_close(&b);
}
END_TEST

/* ---- connections that fail ---- */

static void
expect_refused(struct errand *e)
{
	errand_run(e);
	ck_assert_str_eq(e->events, "broken");
	ck_assert_int_eq(e->broken.why, REASON_UPSTREAM_REFUSED);
	ck_assert(!e->broken.sent);
	ck_assert(!e->broken.response_seen);
	ck_assert(!e->broken.reused);
	bench_close(e->bench);
}

START_TEST(a_refused_connection_has_sent_nothing)
{
	static const struct fake_act acts[] = {ACT(STOP)};
	struct addr nobody = fake_server_nobody();
	struct bench b;
	struct errand e;

	open_case(&b, &e, acts);
	errand_open_to(&e, &nobody);
	errand_get(&e);
	expect_refused(&e);
}
END_TEST

/* It fails inside a command; the owner hears of it afterwards. */
START_TEST(without_a_descriptor_the_connection_is_refused)
{
	static const struct fake_act acts[] = {ACT(STOP)};
	struct rlimit limit, none;
	struct bench b;
	struct errand e;

	open_case(&b, &e, acts);
	errand_open(&e);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	errand_get(&e);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_str_eq(e.events, "");
	expect_refused(&e);

	open_case(&b, &e, acts);
	errand_open(&e);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	errand_get(&e);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	errand_cancel(&e);
	bench_close(&b);
	ck_assert_str_eq(e.events, "");
}
END_TEST

START_TEST(a_server_at_an_ipv6_address_is_reached)
{
	static const struct fake_act acts[] = {
	    ACT(HEAD), SEND(OK "Content-Length: 0\r\n\r\n"), ACT(STOP)};
	struct bench b;
	struct errand e;

	open_case(&b, &e, acts);
	fake_server_close(&b.server);
	if (fake_server_open(&b.server, &b.loop, "[::1]:0", acts)) {
		errand_open(&e);
		errand_get(&e);
		errand_run(&e);
		ck_assert_str_eq(e.events, "ready 200 end");
	}
	e.over = true;
	bench_close(&b);
}
END_TEST

/* ---- cancel ---- */

/* More than one event of each kind would come. */
#define LONG_ANSWER                                                            \
	SEND("HTTP/1.1 103 H\r\n\r\nHTTP/1.1 102 P\r\n\r\n" CHUNKED            \
	     "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")

START_TEST(cancel_inside_any_event_is_the_last_word)
{
	static const struct fake_act acts[] = {
	    ACT(HEAD), LONG_ANSWER, ACT(STOP)};
	static const struct {
		const char *at, *events;
	} rows[] = {
	    {"ready", "ready"},
	    {"interim", "ready 103"},
	    {"head", "ready 103 102 200"},
	    {"body", "ready 103 102 200 body"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t appetite = 0; appetite < 2; appetite++) {
			struct bench b;
			struct errand e;

			open_case(&b, &e, acts);
			e.cancel_at = rows[i].at;
			e.appetite = appetite;
			errand_open(&e);
			errand_get(&e);
			errand_run(&e);
			bench_idle(&b);
			ck_assert_str_eq(e.events, rows[i].events);
			ck_assert(b.server.fin_heard || b.server.reset_heard);
			bench_close(&b);
		}
	}
}
END_TEST

static void
on_cancel_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	errand_cancel(arg);
}

/* Before whatever else the loop's next turn finds. */
static void
cancel_first_in_turn(struct errand *e)
{
	struct event *event =
	    event_new(e->bench->loop.base, -1, 0, on_cancel_event, e);

	event_active(event, EV_TIMEOUT, 0);
	bench_turn(e->bench, EVLOOP_NONBLOCK);
	event_free(event);
}

enum cancel_state {
	OPENED,
	STARTED,
	FILLED,
	CONNECTING,
	CONNECTED,
	HEAD_COMES,
	HALF_A_HEAD,
	BODY_COMES,
	RELAYING,
	PAUSED,
	RESUMED,
	CANCEL_STATES
};

static void
bring_to(struct errand *e, enum cancel_state state)
{
	struct body_plan plan = {BODY_LENGTH, 3};

	errand_open(e);
	if (state == STARTED || state == FILLED)
		errand_start_method(e, "POST", plan);
	if (state == FILLED)
		(void)errand_give(e, SLICE("abc"));
	if (state >= CONNECTING)
		errand_upload(e, BODY_LENGTH, SLICE("abc"), 3);
	if (state >= CONNECTED)
		errand_run_to(e, "ready");
	if (state >= HEAD_COMES) {
		bench_idle(e->bench);
		fake_server_go(&e->bench->server);
		bench_turn(e->bench, EVLOOP_ONCE); /* sent, not seen yet */
	}
	if (state >= HALF_A_HEAD)
		bench_idle(e->bench);
	if (state >= BODY_COMES) {
		fake_server_go(&e->bench->server);
		bench_turn(e->bench, EVLOOP_ONCE);
	}
	if (state >= RELAYING)
		errand_run_to(e, "ready 200 body");
	if (state >= PAUSED)
		errand_pause(e);
	if (state >= RESUMED)
		errand_resume(e);
}

START_TEST(cancel_in_any_state_is_the_last_word)
{
	static const struct fake_act acts[] = {ACT(HEAD), ACT(WAIT),
	    SEND(OK "A: "), ACT(WAIT),
	    SEND("b\r\nContent-Length: 9\r\n\r\nabc"), ACT(STOP)};

	for (int i = 0; i < 2 * CANCEL_STATES; i++) {
		enum cancel_state state = (enum cancel_state)(i / 2);
		struct bench b;
		struct errand e;

		open_case(&b, &e, acts);
		bring_to(&e, state);
		if (i % 2 == 0)
			errand_cancel(&e);
		else
			cancel_first_in_turn(&e);
		bench_idle(&b);
		if (state < CONNECTED)
			ck_assert_str_eq(e.events, "");
		else if (state < RELAYING)
			ck_assert_str_eq(e.events, "ready");
		else
			ck_assert_str_eq(e.events, "ready 200 body");
		ck_assert(state < CONNECTED || b.server.fin_heard ||
			  b.server.reset_heard);
		bench_close(&b);
	}
}
END_TEST

START_TEST(cancel_during_an_upload_closes_the_connection)
{
	static const struct fake_act acts[] = {
	    ACT(HEAD), ACT(DEAF), ACT(WAIT), ACT(HEAR), ACT(STOP)};
	struct bench b;
	struct errand e;

	open_case(&b, &e, acts);
	errand_open(&e);
	upload(&e);
	errand_run_to(&e, "ready");
	bench_idle(&b);
	errand_cancel(&e);
	bench_idle(&b);
	fake_server_go(&b.server);
	for (int i = 0;
	     i < FAKE_TURNS && !b.server.fin_heard && !b.server.reset_heard;
	     i++)
		bench_turn(&b, EVLOOP_ONCE);
	ck_assert(b.server.fin_heard || b.server.reset_heard);
	ck_assert_uint_lt(b.server.heard, UPLOAD);
	bench_close(&b);
}
END_TEST

/* With the listening socket's queue full no handshake is completed. */
START_TEST(cancel_while_nobody_answers_frees_the_descriptor)
{
	static const struct fake_act acts[] = {ACT(STOP)};
	int others[4];
	struct bench b;
	struct errand e;

	open_case(&b, &e, acts);
	event_del(b.server.accept_event);
	for (size_t i = 0; i < COUNT(others); i++) {
		others[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		ck_assert_int_ge(others[i], 0);
		(void)connect(others[i], (struct sockaddr *)&b.server.addr.sa,
		    b.server.addr.len);
	}
	errand_open(&e);
	errand_get(&e);
	bench_idle(&b);
	errand_cancel(&e);
	bench_idle(&b);
	ck_assert_str_eq(e.events, "");
	for (size_t i = 0; i < COUNT(others); i++)
		close(others[i]);
	bench_close(&b);
}
END_TEST

void
transport_cases_add(TCase *tcase, transport_open_fn *open)
{
	transport = open;
	tcase_add_test(tcase, a_response_is_taken_whole);
	tcase_add_test(tcase, a_response_is_taken_byte_by_byte);
	tcase_add_test(tcase, a_head_comes_with_its_fields_and_plan);
	tcase_add_test(tcase, a_chunk_of_any_size_takes_little_memory);
	tcase_add_test(tcase, a_length_of_any_size_takes_little_memory);
	tcase_add_test(
	    tcase, a_body_until_close_of_any_size_takes_little_memory);
	tcase_add_test(tcase, an_endless_line_is_cut_off);
	tcase_add_test(tcase, endless_fields_are_cut_off);
	tcase_add_test(tcase, so_many_interim_responses_and_no_more);
	tcase_add_test(tcase, a_paused_body_waits_in_the_server);
	tcase_add_test(tcase, paused_before_the_head_only_the_body_waits);
	tcase_add_test(tcase, a_body_that_is_cut_while_paused_is_still_cut);
	tcase_add_test(tcase, an_early_response_is_heard_at_once);
	tcase_add_test(tcase, an_early_response_before_a_reset_is_heard);
	tcase_add_test(tcase, after_an_early_response_the_request_goes_on);
	tcase_add_test(tcase, interim_responses_do_not_stop_the_request);
	tcase_add_test(
	    tcase, a_response_that_comes_before_the_request_is_taken);
	tcase_add_test(tcase, a_refused_connection_has_sent_nothing);
	tcase_add_test(tcase, without_a_descriptor_the_connection_is_refused);
	tcase_add_test(tcase, a_server_at_an_ipv6_address_is_reached);
	tcase_add_test(tcase, cancel_inside_any_event_is_the_last_word);
	tcase_add_test(tcase, cancel_in_any_state_is_the_last_word);
	tcase_add_test(tcase, cancel_during_an_upload_closes_the_connection);
	tcase_add_test(tcase, cancel_while_nobody_answers_frees_the_descriptor);
}
