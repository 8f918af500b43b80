/* SPDX-License-Identifier: ISC */
/* guard: bytes laid flush against a page that can't be touched, so that one
 * byte read past the end is a crash and not luck. */
#ifndef GUARD_H
#define GUARD_H

#include <check.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "slice.h"

struct guarded {
	void *map;
	size_t size;
	char *at; /* the bytes */
};

static inline struct guarded
guard_bytes(const void *bytes, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (len + page - 1) / page * page;
	struct guarded g = {.size = room + page};

	g.map = mmap(NULL, g.size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(g.map != MAP_FAILED);
	ck_assert_int_eq(mprotect((char *)g.map + room, page, PROT_NONE), 0);
	g.at = (char *)g.map + room - len;
	if (len > 0)
		memcpy(g.at, bytes, len);
	return g;
}

static inline void
guard_free(struct guarded *g)
{
	munmap(g->map, g->size);
}

#endif
