/* SPDX-License-Identifier: ISC */
/* proxy: the input begins with a header. It is read in one piece and after
 * every byte of it; what is taken reads the same when it is written. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proxy.h"

struct outcome {
	struct proxy_header header;
	enum proxy_result result;
	size_t used;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
read_start(struct outcome *o, struct slice in)
{
	char *exact = malloc(in.len);

	if (in.len > 0)
		memcpy(exact, in.at, in.len);
	o->result =
	    proxy_read((struct slice){exact, in.len}, &o->header, &o->used);
	free(exact);
}

static bool
same(const struct proxy_header *a, const struct proxy_header *b)
{
	if (a->told != b->told)
		return false;
	return !a->told || (addr_eq(&a->source, &b->source) &&
			       addr_eq(&a->destination, &b->destination));
}

/* Less than all of it may say less, but nothing else; more says the same. */
static void
check_starts(const struct outcome *whole, struct slice in)
{
	size_t most = in.len < PROXY_HEADER_MAX ? in.len : PROXY_HEADER_MAX + 1;
	struct outcome o;

	for (size_t len = 0; len < most; len++) {
		read_start(&o, (struct slice){in.at, len});
		if (o.result == PROXY_MORE) {
			assert(len < PROXY_HEADER_MAX);
			if (whole->result == PROXY_DONE)
				assert(len < whole->used);
			continue;
		}
		assert(o.result == whole->result);
		if (o.result == PROXY_BAD)
			return;
		assert(o.used == whole->used && o.used <= len);
		assert(same(&o.header, &whole->header));
	}
}

static void
check_written(const struct proxy_header *header, enum proxy_version version)
{
	char *out = malloc(PROXY_WRITE_MAX);
	struct outcome again;
	size_t len;

	len = proxy_write(version, &header->source, &header->destination, out);
	assert(len < PROXY_WRITE_MAX);
	read_start(&again, (struct slice){out, len});
	assert(again.result == PROXY_DONE && again.used == len);
	assert(again.header.version == version);
	if (header->source.sa.ss_family == AF_UNIX)
		assert(!again.header.told);
	else
		assert(same(&again.header, header));
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct slice in = {(const char *)bytes, size};
	struct outcome o;

	read_start(&o, in);
	check_starts(&o, in);
	if (o.result == PROXY_DONE) {
		assert(o.used <= size && o.used <= PROXY_HEADER_MAX);
		assert(o.header.version == PROXY_V1 ||
		       o.header.version == PROXY_V2);
	} else if (o.result == PROXY_MORE) {
		assert(size < PROXY_HEADER_MAX);
	}
	if (o.result != PROXY_DONE || !o.header.told)
		return 0;
	check_written(&o.header, PROXY_V1);
	check_written(&o.header, PROXY_V2);
	return 0;
}
