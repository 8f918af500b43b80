/* SPDX-License-Identifier: ISC */
/* Headers of the PROXY protocol: what is taken, to the byte, and what is not;
 * and what is written is what is read. */
#include <check.h>
#include <stdlib.h>
#include <sys/un.h>

#include "guard.h"
#include "proxy.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
/* Literals of the second version hold NULs. */
#define BYTES(text)                                                            \
	{                                                                      \
		(text), sizeof(text) - 1                                       \
	}

#define V4                                                                     \
	"\xc0\x00\x02\x01"                                                     \
	"\xc6\x33\x64\x02"                                                     \
	"\xdc\x04"                                                             \
	"\x01\xbb"
#define V6_FROM "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define V6_TO "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
#define V6                                                                     \
	V6_FROM V6_TO "\xdc\x04"                                               \
		      "\x01\xbb"
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01"
#define ZEROS "\0\0\0\0\0\0\0\0\0\0\0\0"
#define PATH                                                                   \
	"/run/a" ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS "\0\0\0\0\0"  \
	"\0"
#define TWO_PATHS PATH PATH

/* From "192.0.2.1:56324" to "198.51.100.2:443" in most of them. */
static const struct {
	struct slice in;
	const char *source, *destination; /* NULL: not told */
} accepts[] = {
    {BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"),
	"192.0.2.1:56324", "198.51.100.2:443"},
    {BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
	"255.255.255.255:65535", "255.255.255.255:65535"},
    {BYTES("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0:0", "0.0.0.0:0"},
    {BYTES("PROXY TCP6 2001:db8::1 2001:DB8:0:0:0:0:0:2 56324 443\r\n"),
	"[2001:db8::1]:56324", "[2001:db8::2]:443"},
    {BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), "192.0.2.1:1",
	"[::1]:2"},
    {BYTES("PROXY UNKNOWN\r\n"), NULL, NULL},
    {BYTES("PROXY UNKNOWN \r\n"), NULL, NULL},
    {BYTES("PROXY UNKNOWN 192.0.2.1 x  y\t\r\n"), NULL, NULL},
    /* 107 bytes */
    {BYTES("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535 "
	   "01234567890123456789012345678901234567890123456\r\n"),
	NULL, NULL},
    {BYTES(SIGNATURE "\x21\x11\0\x0c" V4), "192.0.2.1:56324",
	"198.51.100.2:443"},
    {BYTES(SIGNATURE "\x21\x12\0\x0c" V4), "192.0.2.1:56324",
	"198.51.100.2:443"},
    {BYTES(SIGNATURE "\x21\x21\0\x24" V6), "[2001:db8::1]:56324",
	"[2001:db8::2]:443"},
    {BYTES(SIGNATURE "\x21\x21\0\x24" MAPPED V6_TO "\0\x01\0\x02"),
	"192.0.2.1:1", "[2001:db8::2]:2"},
    {BYTES(SIGNATURE "\x21\x31\0\xd8" TWO_PATHS), "unix", "unix"},
    {BYTES(SIGNATURE "\x21\x00\0\0"), NULL, NULL},
    {BYTES(SIGNATURE "\x21\x00\0\x05"
		     "12345"),
	NULL, NULL},
    {BYTES(SIGNATURE "\x20\x00\0\0"), NULL, NULL},
    {BYTES(SIGNATURE "\x20\x11\0\x0c" V4), NULL, NULL},
    {BYTES(SIGNATURE "\x20\x7e\0\x03"
		     "123"),
	NULL, NULL},
    /* fields: none that is known, empty, several, the sum alone, and behind
     * another one */
    {BYTES(SIGNATURE "\x21\x11\0\x0f" V4 "\x04\0\0"), "192.0.2.1:56324",
	"198.51.100.2:443"},
    {BYTES(SIGNATURE "\x21\x11\0\x19" V4 "\x01\0\x02h2"
		     "\x02\0\x05"
		     "a.org"),
	"192.0.2.1:56324", "198.51.100.2:443"},
    {BYTES(SIGNATURE "\x21\x11\0\x13" V4 "\x03\0\x04"
		     "\x20\xec\x95\x49"),
	"192.0.2.1:56324", "198.51.100.2:443"},
    {BYTES(SIGNATURE "\x21\x11\0\x17" V4 "\x04\0\x01x"
		     "\x03\0\x04"
		     "\x2b\xdc\xd5\x4e"),
	"192.0.2.1:56324", "198.51.100.2:443"},
};

static const struct slice refuses[] = {
    BYTES("GET / HTTP/1.1\r\n"),
    BYTES("PRI * HTTP/2.0\r\n"),
    BYTES("proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n"),
    BYTES(" PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\n"),
    BYTES("PROXY\r\n"),
    BYTES("PROXY \r\n"),
    BYTES("PROXY UNKNOWNS\r\n"),
    BYTES("PROXY unknown\r\n"),
    BYTES("PROXY UNKNOWN\n"),
    BYTES("PROXY UNKNOWN a\rb\r\n"),
    BYTES("PROXY TCP 192.0.2.1 198.51.100.2 1 2\r\n"),
    BYTES("PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n"),
    BYTES("PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n"),
    BYTES("PROXY TCP4\r\n"),
    BYTES("PROXY TCP4 192.0.2.1\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 \r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2"
	  "\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n"),
    BYTES("PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n"),
    BYTES("PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n"),
    BYTES("PROXY TCP4 192.0.2.1  198.51.100.2 1 2\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2  1 2\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1  2\r\n"),
    BYTES("PROXY TCP4\t192.0.2.1 198.51.100.2 1 2\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 02\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 00 2\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 000002\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 -1 2\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 http 2\r\n"),
    BYTES("PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n"),
    BYTES("PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n"),
    BYTES("PROXY TCP4 192.0.2 198.51.100.2 1 2\r\n"),
    BYTES("PROXY TCP4 a.example 198.51.100.2 1 2\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 a.example 1 2\r\n"),
    BYTES("PROXY TCP4 192.0.2.1:80 198.51.100.2 1 2\r\n"),
    BYTES("PROXY TCP4 192.0.2.1\0 198.51.100.2 1 2\r\n"),
    BYTES("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"),
    BYTES("PROXY TCP4 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1 2\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 2001:db8::2 1 2\r\n"),
    BYTES("PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n"),
    BYTES("PROXY TCP6 2001:db8::1 198.51.100.2 1 2\r\n"),
    BYTES("PROXY TCP6 192.0.2.1 2001:db8::2 1 2\r\n"),
    BYTES("PROXY TCP6 [2001:db8::1] [2001:db8::2] 1 2\r\n"),
    BYTES("PROXY TCP6 fe80::1%lo 2001:db8::2 1 2\r\n"),
    BYTES("PROXY TCP6 2001:db8:::1 2001:db8::2 1 2\r\n"),
    /* 108 bytes, and no end */
    BYTES("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535 "
	  "012345678901234567890123456789012345678901234567\r\n"),
    BYTES("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535 "
	  "0123456789012345678901234567890123456789012345678901234567890"),
    BYTES("\r\n\r\n\0\r\nQUIT\r\n\x21\x11\0\x0c" V4),
    BYTES("\r\n\r\nGET / HTTP/1.1\r\n"),
    /* version, command, family, kind */
    BYTES(SIGNATURE "\x11\x11\0\x0c" V4),
    BYTES(SIGNATURE "\x31\x11\0\x0c" V4),
    BYTES(SIGNATURE "\x01\x11\0\x0c" V4),
    BYTES(SIGNATURE "\x22\x11\0\x0c" V4),
    BYTES(SIGNATURE "\x2f\x11\0\x0c" V4),
    BYTES(SIGNATURE "\x21\x41\0\x0c" V4),
    BYTES(SIGNATURE "\x21\x13\0\x0c" V4),
    BYTES(SIGNATURE "\x21\x10\0\x0c" V4),
    BYTES(SIGNATURE "\x21\x01\0\x0c" V4),
    /* addresses cut short */
    BYTES(SIGNATURE "\x21\x11\0\x0b" V4),
    BYTES(SIGNATURE "\x21\x11\0\0"),
    BYTES(SIGNATURE "\x21\x21\0\x23" V6),
    BYTES(SIGNATURE "\x21\x31\0\xd7" TWO_PATHS),
    /* too long: told before it has come */
    BYTES(SIGNATURE "\x21\x11\x03\xf1"),
    BYTES(SIGNATURE "\x20\x00\xff\xff"),
    /* fields cut short, or longer than what is left */
    BYTES(SIGNATURE "\x21\x11\0\x0d" V4 "\x04"),
    BYTES(SIGNATURE "\x21\x11\0\x0e" V4 "\x04\0"),
    BYTES(SIGNATURE "\x21\x11\0\x0f" V4 "\x04\0\x01"),
    BYTES(SIGNATURE "\x21\x11\0\x10" V4 "\x04\xff\xffx"),
    /* the sum: of another length, wrong, twice */
    BYTES(SIGNATURE "\x21\x11\0\x0f" V4 "\x03\0\0"),
    BYTES(SIGNATURE "\x21\x11\0\x12" V4 "\x03\0\x03"
		    "\x20\xec\x95"),
    BYTES(SIGNATURE "\x21\x11\0\x13" V4 "\x03\0\x04"
		    "\0\0\0\0"),
    BYTES(SIGNATURE "\x21\x11\0\x1a" V4 "\x03\0\x04"
		    "\x32\x1f\x3a\x58"
		    "\x03\0\x04"
		    "\x41\x71\x5b\x27"),
};

/* As much of in as len says, alone in its memory. */
static enum proxy_result
read_start(
    struct slice in, size_t len, struct proxy_header *header, size_t *used)
{
	struct guarded g = guard_bytes(in.at, len);
	enum proxy_result result;

	result = proxy_read((struct slice){g.at, len}, header, used);
	guard_free(&g);
	return result;
}

static void
check_addr(const struct addr *addr, const char *want)
{
	char text[ADDR_TEXT_MAX];

	addr_text(addr, text);
	ck_assert_str_eq(text, want);
}

START_TEST(good_headers_are_taken)
{
	struct slice in = accepts[_i].in;
	struct proxy_header header;
	size_t used;

	for (size_t len = 0; len < in.len; len++)
		ck_assert_int_eq(
		    read_start(in, len, &header, &used), PROXY_MORE);
	ck_assert_int_eq(read_start(in, in.len, &header, &used), PROXY_DONE);
	ck_assert_uint_eq(used, in.len);
	ck_assert_uint_eq(
	    header.version, in.at[0] == 'P' ? PROXY_V1 : PROXY_V2);
	ck_assert(header.told == (accepts[_i].source != NULL));
	if (!header.told)
		return;
	check_addr(&header.source, accepts[_i].source);
	check_addr(&header.destination, accepts[_i].destination);
}
END_TEST

START_TEST(nothing_behind_a_header_is_taken)
{
	struct slice in = accepts[_i].in;
	char *more = malloc(in.len + 18);
	struct proxy_header header;
	size_t used;

	memcpy(more, in.at, in.len);
	memcpy(more + in.len, "GET / HTTP/1.1\r\n\r\n", 18);
	ck_assert_int_eq(read_start((struct slice){more, in.len + 18},
			     in.len + 18, &header, &used),
	    PROXY_DONE);
	ck_assert_uint_eq(used, in.len);
	free(more);
}
END_TEST

/* Not at once, but never taken on the way. */
START_TEST(malformed_headers_are_refused)
{
	struct slice in = refuses[_i];
	enum proxy_result result = PROXY_MORE;
	struct proxy_header header;
	size_t used;

	for (size_t len = 0; len <= in.len; len++) {
		ck_assert_int_ne(
		    read_start(in, len, &header, &used), PROXY_DONE);
		if (result == PROXY_BAD)
			ck_assert_int_eq(
			    read_start(in, len, &header, &used), PROXY_BAD);
		result = read_start(in, len, &header, &used);
	}
	ck_assert_int_eq(result, PROXY_BAD);
}
END_TEST

START_TEST(who_speaks_http_is_told_at_his_first_bytes)
{
	static const struct slice starts[] = {
	    BYTES("G"), BYTES("PO"), BYTES("\r\nG"), BYTES("\x16\x03\x01")};
	struct proxy_header header;
	size_t used;

	ck_assert_int_eq(
	    read_start(starts[_i], starts[_i].len, &header, &used), PROXY_BAD);
}
END_TEST

START_TEST(every_bit_of_a_header_with_a_sum_counts)
{
	struct slice in = BYTES(SIGNATURE "\x21\x11\0\x13" V4 "\x03\0\x04"
					  "\x20\xec\x95\x49");
	struct proxy_header header;
	char bytes[64];
	size_t used;

	for (size_t bit = 0; bit < 8 * in.len; bit++) {
		memcpy(bytes, in.at, in.len);
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
		/* the command LOCAL, and what makes it a field like any other
		 */
		if (bit == 12 * 8 || bit / 8 == 16 + 12)
			continue;
		ck_assert_int_ne(read_start((struct slice){bytes, in.len},
				     in.len, &header, &used),
		    PROXY_DONE);
	}
}
END_TEST

START_TEST(the_longest_header_is_taken)
{
	char *bytes = calloc(1, PROXY_HEADER_MAX);
	unsigned len = PROXY_HEADER_MAX - 16;
	struct proxy_header header;
	size_t used;

	memcpy(bytes, SIGNATURE "\x20\x00", 14);
	bytes[14] = (char)(len >> 8);
	bytes[15] = (char)(len & 255);
	ck_assert_int_eq(read_start((struct slice){bytes, PROXY_HEADER_MAX},
			     PROXY_HEADER_MAX, &header, &used),
	    PROXY_DONE);
	ck_assert_uint_eq(used, PROXY_HEADER_MAX);
	free(bytes);
}
END_TEST

/* ---- writing ---- */

#define UNKNOWN_2 SIGNATURE "\x21\x00\0\0"

static const struct {
	const char *source, *destination; /* "": none; NULL: for nobody */
	struct slice v1, v2;
} written[] = {
    {"192.0.2.1:56324", "198.51.100.2:443",
	BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"),
	BYTES(SIGNATURE "\x21\x11\0\x0c" V4)},
    {"[2001:db8::1]:56324", "[2001:db8::2]:443",
	BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n"),
	BYTES(SIGNATURE "\x21\x21\0\x24" V6)},
    {"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	BYTES(SIGNATURE "\x21\x21\0\x24"
			"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
			"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
			"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")},
    {"192.0.2.1:1", "[2001:db8::2]:2",
	BYTES("PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n"),
	BYTES(SIGNATURE "\x21\x21\0\x24" MAPPED V6_TO "\0\x01\0\x02")},
    {"[2001:db8::1]:1", "192.0.2.1:2",
	BYTES("PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 1 2\r\n"),
	BYTES(SIGNATURE "\x21\x21\0\x24" V6_FROM MAPPED "\0\x01\0\x02")},
    {"192.0.2.1:1", "unix:/run/a",
	BYTES("PROXY TCP4 192.0.2.1 0.0.0.0 1 0\r\n"),
	BYTES(SIGNATURE "\x21\x11\0\x0c\xc0\x00\x02\x01\0\0\0\0\0\x01\0\0")},
    {"[2001:db8::1]:1", "", BYTES("PROXY TCP6 2001:db8::1 :: 1 0\r\n"),
	BYTES(SIGNATURE "\x21\x21\0\x24" V6_FROM ZEROS "\0\0\0\0"
			"\0\x01\0\0")},
    {"unix:/run/a", "192.0.2.1:2", BYTES("PROXY UNKNOWN\r\n"),
	BYTES(UNKNOWN_2)},
    {"", "192.0.2.1:2", BYTES("PROXY UNKNOWN\r\n"), BYTES(UNKNOWN_2)},
    {NULL, "", BYTES("PROXY UNKNOWN\r\n"), BYTES(SIGNATURE "\x20\x00\0\0")},
};

static const struct addr *
addr_of(const char *text, struct addr *out)
{
	if (text == NULL)
		return NULL;
	*out = (struct addr){.len = 0};
	if (*text != '\0')
		ck_assert(addr_parse(slice_of(text), out));
	return out;
}

static void
check_written(size_t row, enum proxy_version version, struct slice want)
{
	static const char blank[PROXY_WRITE_MAX];
	struct addr from, to;
	struct guarded g = guard_bytes(blank, PROXY_WRITE_MAX);
	struct proxy_header header;
	size_t used, len;

	len = proxy_write(version, addr_of(written[row].source, &from),
	    addr_of(written[row].destination, &to), g.at);
	ck_assert_uint_eq(len, want.len);
	ck_assert_mem_eq(g.at, want.at, len);
	ck_assert_int_eq(
	    proxy_read((struct slice){g.at, len}, &header, &used), PROXY_DONE);
	ck_assert_uint_eq(header.version, version);
	if (header.told)
		ck_assert(addr_eq(&header.source, &from));
	guard_free(&g);
}

START_TEST(what_is_written_is_what_is_read)
{
	check_written((size_t)_i, PROXY_V1, written[_i].v1);
	check_written((size_t)_i, PROXY_V2, written[_i].v2);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("proxy");
	TCase *tests = tcase_create("proxy");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tests, good_headers_are_taken, 0, COUNT(accepts));
	tcase_add_loop_test(
	    tests, nothing_behind_a_header_is_taken, 0, COUNT(accepts));
	tcase_add_loop_test(
	    tests, malformed_headers_are_refused, 0, COUNT(refuses));
	tcase_add_loop_test(
	    tests, who_speaks_http_is_told_at_his_first_bytes, 0, 4);
	tcase_add_test(tests, every_bit_of_a_header_with_a_sum_counts);
	tcase_add_test(tests, the_longest_header_is_taken);
	tcase_add_loop_test(
	    tests, what_is_written_is_what_is_read, 0, COUNT(written));
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
