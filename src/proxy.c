/* SPDX-License-Identifier: ISC */
/* proxy: of version 1 a line, of version 2
 *
 *   signature | 2, command | family, kind | length | addresses | fields ...
 *      12           1             1           2        0-216
 */
#include "proxy.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define LINE_MAX 107u /* of version 1, with its CR LF */

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define SIGNATURE_LEN 12u
#define FRONT_LEN 16u /* what stands before the addresses */
#define TLV_LEN 3u    /* what stands before the value of a field */

enum command { LOCAL, PROXY, COMMAND_COUNT };
enum family { UNSPEC, INET, INET6, UNIX, FAMILY_COUNT };
enum kind { ANY, STREAM, DGRAM, KIND_COUNT };
enum { TLV_CRC32C = 3, CRC_LEN = 4 };

/* Both addresses and both ports; UNIX: both paths. */
static const size_t address_lens[FAMILY_COUNT] = {
    [INET] = 12, [INET6] = 36, [UNIX] = 216};

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* True when the shorter one is the start of the other. */
static bool
agrees(struct slice in, struct slice with)
{
	return memcmp(in.at, with.at, least(in.len, with.len)) == 0;
}

static void
set_unix(struct addr *out)
{
	*out = (struct addr){.len = offsetof(struct sockaddr_un, sun_path)};
	out->sa.ss_family = AF_UNIX;
}

/* ---- version 1 ---- */

/* The next word; false when there is none, or it is empty. */
static bool
next_word(struct slice *rest, struct slice *word)
{
	size_t end = slice_find(*rest, ' ', 0);

	*word = (struct slice){rest->at, end};
	end += end < rest->len;
	*rest = (struct slice){rest->at + end, rest->len - end};
	return word->len > 0;
}

static bool
read_port(struct slice s, uint16_t *port)
{
	uint64_t number;

	if (s.len > 5 || (s.len > 1 && s.at[0] == '0') ||
	    !slice_to_u64(s, &number) || number > UINT16_MAX)
		return false;
	*port = (uint16_t)number;
	return true;
}

/* What follows "TCP4 " or "TCP6 ". */
static bool
read_endpoints(struct slice rest, bool is_v6, struct proxy_header *header)
{
	struct slice from, to, from_port, to_port;
	uint16_t ports[2];
	bool good;

	good = next_word(&rest, &from) && next_word(&rest, &to) &&
	       next_word(&rest, &from_port) &&
	       slice_find(rest, ' ', 0) == rest.len;
	to_port = rest;
	if (!good || (slice_find(from, ':', 0) < from.len) != is_v6 ||
	    (slice_find(to, ':', 0) < to.len) != is_v6)
		return false;
	return read_port(from_port, &ports[0]) &&
	       read_port(to_port, &ports[1]) &&
	       addr_from_text(from, ports[0], &header->source) &&
	       addr_from_text(to, ports[1], &header->destination);
}

/* Without its CR LF. */
static bool
read_line(struct slice line, struct proxy_header *header)
{
	struct slice rest = line, word;

	if (memchr(line.at, '\r', line.len) != NULL)
		return false;
	if (!next_word(&rest, &word) || !slice_eq(word, SLICE("PROXY")) ||
	    !next_word(&rest, &word))
		return false;
	if (slice_eq(word, SLICE("UNKNOWN")))
		return true;
	header->told = true;
	if (slice_eq(word, SLICE("TCP4")))
		return read_endpoints(rest, false, header);
	return slice_eq(word, SLICE("TCP6")) &&
	       read_endpoints(rest, true, header);
}

static enum proxy_result
read_v1(struct slice in, struct proxy_header *header, size_t *used)
{
	size_t end = slice_find(in, '\n', 0);

	if (end >= LINE_MAX ||
	    (end == in.len && end == LINE_MAX - 1 && in.at[end - 1] != '\r'))
		return PROXY_BAD;
	if (end == in.len)
		return PROXY_MORE;
	header->version = PROXY_V1;
	if (in.at[end - 1] != '\r' ||
	    !read_line((struct slice){in.at, end - 1}, header))
		return PROXY_BAD;
	*used = end + 1;
	return PROXY_DONE;
}

/* ---- version 2 ---- */

static unsigned
byte_at(struct slice in, size_t at)
{
	return (unsigned char)in.at[at];
}

static unsigned
word_at(struct slice in, size_t at)
{
	return byte_at(in, at) << 8 | byte_at(in, at + 1);
}

static uint32_t
crc32c_add(uint32_t sum, unsigned byte)
{
	sum ^= byte;
	for (unsigned i = 0; i < 8; i++)
		sum = sum >> 1 ^ (0x82f63b78u & -(sum & 1));
	return sum;
}

/* Of all of it, with zeros in the place of the sum itself. */
static bool
sum_is_right(struct slice all, size_t at)
{
	uint32_t sum = UINT32_MAX;
	uint32_t told = (uint32_t)word_at(all, at) << 16 | word_at(all, at + 2);

	for (size_t i = 0; i < all.len; i++)
		sum = crc32c_add(
		    sum, i >= at && i < at + CRC_LEN ? 0 : byte_at(all, i));
	return (sum ^ UINT32_MAX) == told;
}

/* The fields behind the addresses. */
static bool
check_fields(struct slice all, size_t at)
{
	bool summed = false;
	size_t len;

	for (; at < all.len; at += TLV_LEN + len) {
		if (all.len - at < TLV_LEN)
			return false;
		len = word_at(all, at + 1);
		if (all.len - at - TLV_LEN < len)
			return false;
		if (byte_at(all, at) != TLV_CRC32C)
			continue;
		if (summed || len != CRC_LEN ||
		    !sum_is_right(all, at + TLV_LEN))
			return false;
		summed = true;
	}
	return true;
}

static void
read_address(struct slice in, size_t at, uint16_t port, struct addr *out,
    enum family family)
{
	uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff};

	if (family == INET)
		memcpy(bytes + 12, in.at + at, 4);
	else
		memcpy(bytes, in.at + at, 16);
	addr_from_bytes(bytes, port, out);
}

static void
read_addresses(struct slice in, enum family family, struct proxy_header *header)
{
	size_t at = FRONT_LEN, len = family == INET ? 4 : 16;
	size_t ports = at + 2 * len;

	header->told = true;
	if (family == UNIX) {
		set_unix(&header->source);
		set_unix(&header->destination);
		return;
	}
	read_address(
	    in, at, (uint16_t)word_at(in, ports), &header->source, family);
	read_address(in, at + len, (uint16_t)word_at(in, ports + 2),
	    &header->destination, family);
}

/* As far as they are there: version and command, family and kind, the length.
 * What LOCAL says of the family means nothing. */
static bool
check_front(struct slice in)
{
	unsigned family = UNSPEC, kind = ANY, command = PROXY;
	size_t most = PROXY_HEADER_MAX - FRONT_LEN;

	if (in.len > SIGNATURE_LEN) {
		command = byte_at(in, SIGNATURE_LEN) & 15;
		if (byte_at(in, SIGNATURE_LEN) >> 4 != 2 ||
		    command >= COMMAND_COUNT)
			return false;
	}
	if (in.len > SIGNATURE_LEN + 1 && command != LOCAL) {
		family = byte_at(in, SIGNATURE_LEN + 1) >> 4;
		kind = byte_at(in, SIGNATURE_LEN + 1) & 15;
		if (family >= FAMILY_COUNT || kind >= KIND_COUNT ||
		    (family == UNSPEC) != (kind == ANY))
			return false;
	}
	if (in.len < FRONT_LEN)
		return true;
	return word_at(in, FRONT_LEN - 2) >= address_lens[family] &&
	       word_at(in, FRONT_LEN - 2) <= most;
}

static enum proxy_result
read_v2(struct slice in, struct proxy_header *header, size_t *used)
{
	enum family family;
	struct slice all;

	if (!check_front(in))
		return PROXY_BAD;
	if (in.len < FRONT_LEN)
		return PROXY_MORE;
	all = (struct slice){in.at, FRONT_LEN + word_at(in, FRONT_LEN - 2)};
	if (in.len < all.len)
		return PROXY_MORE;
	header->version = PROXY_V2;
	*used = all.len;
	family = byte_at(in, SIGNATURE_LEN + 1) >> 4;
	if ((byte_at(in, SIGNATURE_LEN) & 15) == LOCAL || family == UNSPEC)
		return PROXY_DONE;
	if (!check_fields(all, FRONT_LEN + address_lens[family]))
		return PROXY_BAD;
	read_addresses(in, family, header);
	return PROXY_DONE;
}

enum proxy_result
proxy_read(struct slice in, struct proxy_header *header, size_t *used)
{
	static const struct slice signature = {SIGNATURE, SIGNATURE_LEN};

	*header = (struct proxy_header){.version = PROXY_NONE};
	*used = 0;
	if (in.len == 0)
		return PROXY_MORE;
	if (agrees(in, signature))
		return read_v2(in, header, used);
	if (agrees(in, SLICE("PROXY ")))
		return read_v1(in, header, used);
	return PROXY_BAD;
}

/* ---- writing ---- */

static bool
is_mapped(const uint8_t bytes[16])
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(bytes, prefix, sizeof(prefix)) == 0;
}

/* Who and where, of one family. */
struct ends {
	uint8_t from[16], to[16];
	unsigned from_port, to_port;
	bool is_v6;
};

/* False: it is not known. */
static bool
find_ends(const struct addr *source, const struct addr *destination,
    struct ends *ends)
{
	if (source == NULL || !addr_to_bytes(source, ends->from))
		return false;
	ends->is_v6 = !is_mapped(ends->from);
	ends->from_port = addr_port(source);
	ends->to_port = addr_port(destination);
	if (addr_to_bytes(destination, ends->to)) {
		ends->is_v6 = ends->is_v6 || !is_mapped(ends->to);
		return true;
	}
	memset(ends->to, 0, sizeof(ends->to));
	if (!ends->is_v6)
		ends->to[10] = ends->to[11] = 0xff;
	return true;
}

/* An IPv4 address beside one of IPv6 is written mapped. */
static void
print_ip(const uint8_t bytes[16], bool is_v6, char *out)
{
	static const char prefix[] = "::ffff:";
	size_t len = is_v6 && is_mapped(bytes) ? strlen(prefix) : 0;
	struct addr addr;

	memcpy(out, prefix, len);
	addr_from_bytes(bytes, 0, &addr);
	addr_ip_text(&addr, out + len);
}

static size_t
write_v1(const struct ends *ends, char out[PROXY_WRITE_MAX])
{
	/* behind the prefix, all that addr_ip_text asks for */
	char from[ADDR_TEXT_MAX + 8], to[ADDR_TEXT_MAX + 8];
	int len;

	print_ip(ends->from, ends->is_v6, from);
	print_ip(ends->to, ends->is_v6, to);
	len = snprintf(out, PROXY_WRITE_MAX, "PROXY TCP%d %s %s %u %u\r\n",
	    ends->is_v6 ? 6 : 4, from, to, ends->from_port, ends->to_port);
	assert(len > 0 && len < PROXY_WRITE_MAX);
	return (size_t)len;
}

static char *
put(char *to, const void *bytes, size_t len)
{
	memcpy(to, bytes, len);
	return to + len;
}

static char *
put_word(char *to, unsigned word)
{
	to[0] = (char)(word >> 8);
	to[1] = (char)(word & 255);
	return to + 2;
}

static size_t
write_v2(enum command command, const struct ends *ends, char *out)
{
	size_t skipped = ends != NULL && ends->is_v6 ? 0 : 12;
	enum family family = UNSPEC;
	char *to = put(out, SIGNATURE, SIGNATURE_LEN);

	if (ends != NULL)
		family = ends->is_v6 ? INET6 : INET;
	*to++ = (char)(2 << 4 | command);
	*to++ = (char)(family << 4 | (family == UNSPEC ? ANY : STREAM));
	to = put_word(to, (unsigned)address_lens[family]);
	if (ends == NULL)
		return (size_t)(to - out);
	to = put(to, ends->from + skipped, 16 - skipped);
	to = put(to, ends->to + skipped, 16 - skipped);
	to = put_word(to, ends->from_port);
	to = put_word(to, ends->to_port);
	return (size_t)(to - out);
}

size_t
proxy_write(enum proxy_version version, const struct addr *source,
    const struct addr *destination, char out[PROXY_WRITE_MAX])
{
	static const char unknown[] = "PROXY UNKNOWN\r\n";
	struct ends ends;
	bool known = find_ends(source, destination, &ends);

	assert(version != PROXY_NONE);
	if (version == PROXY_V2)
		return write_v2(
		    source == NULL ? LOCAL : PROXY, known ? &ends : NULL, out);
	if (known)
		return write_v1(&ends, out);
	memcpy(out, unknown, sizeof(unknown));
	return strlen(unknown);
}
