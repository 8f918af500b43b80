/* SPDX-License-Identifier: ISC */
/* hosts: one open-addressing table of folded names. A name is hashed from its
 * end, so that one pass over a client's host gives the hash of every suffix,
 * and the hash of the whole at last. */
#include "hosts.h"

#include <assert.h>
#include <stdlib.h>

#include "mem.h"

#define ENTRIES_AT_FIRST 16u
#define HASH_START 0xcbf29ce484222325u

struct entry {
	char *name;    /* owned; without the "*" of a wildcard; NULL: empty */
	uint32_t len;  /* bytes */
	bool wildcard; /* name starts with '.' */
	uint64_t hash;
	void *value;
};

struct hosts {
	struct entry *entries;
	uint32_t count, cap; /* cap: power of two, half full at most */
	void *any;	     /* of "*", or NULL */
};

static uint64_t
hash_step(uint64_t hash, char c)
{
	unsigned char byte = (unsigned char)c;

	if (byte >= 'A' && byte <= 'Z')
		byte |= 0x20;
	return (hash ^ byte) * 0x100000001b3;
}

static uint64_t
hash_name(struct slice name)
{
	uint64_t hash = HASH_START;
	size_t i;

	for (i = name.len; i > 0; i--)
		hash = hash_step(hash, name.at[i - 1]);
	return hash;
}

/* Where the name stands, or the empty entry where it would. */
static struct entry *
entry_at(
    const struct hosts *hosts, struct slice name, bool wildcard, uint64_t hash)
{
	uint32_t mask = hosts->cap - 1, i = (uint32_t)(hash >> 32) & mask;
	struct entry *entry;

	for (;; i = (i + 1) & mask) {
		entry = &hosts->entries[i];
		if (entry->name == NULL)
			return entry;
		if (entry->hash == hash && entry->wildcard == wildcard &&
		    slice_eq_nocase(
			name, (struct slice){entry->name, entry->len}))
			return entry;
	}
}

static void
grow(struct hosts *hosts)
{
	struct entry *old = hosts->entries;
	uint32_t i, old_cap = hosts->cap;

	hosts->cap *= 2;
	hosts->entries = mem_alloc(hosts->cap * sizeof(*old));
	for (i = 0; i < old_cap; i++)
		if (old[i].name != NULL)
			*entry_at(hosts,
			    (struct slice){old[i].name, old[i].len},
			    old[i].wildcard, old[i].hash) = old[i];
	free(old);
}

struct hosts *
hosts_new(void)
{
	struct hosts *hosts = mem_alloc(sizeof(*hosts));

	hosts->cap = ENTRIES_AT_FIRST;
	hosts->entries = mem_alloc(hosts->cap * sizeof(*hosts->entries));
	return hosts;
}

void
hosts_free(struct hosts *hosts)
{
	uint32_t i;

	if (hosts == NULL)
		return;
	for (i = 0; i < hosts->cap; i++)
		free(hosts->entries[i].name);
	free(hosts->entries);
	free(hosts);
}

static void *
add_any(struct hosts *hosts, void *value)
{
	if (hosts->any != NULL)
		return hosts->any;
	hosts->any = value;
	return NULL;
}

void *
hosts_add(struct hosts *hosts, struct slice name, void *value)
{
	bool wildcard = slice_starts(name, SLICE("*."));
	struct entry *entry;
	uint64_t hash;

	assert(name.len > 0 && value != NULL);
	if (slice_eq(name, SLICE("*")))
		return add_any(hosts, value);
	if (wildcard)
		name = (struct slice){name.at + 1, name.len - 1};
	hash = hash_name(name);
	if (hosts->count >= hosts->cap / 2)
		grow(hosts);
	entry = entry_at(hosts, name, wildcard, hash);
	if (entry->name != NULL)
		return entry->value;
	*entry = (struct entry){.name = mem_strndup(name),
	    .len = (uint32_t)name.len,
	    .wildcard = wildcard,
	    .hash = hash,
	    .value = value};
	hosts->count++;
	return NULL;
}

void *
hosts_find(const struct hosts *hosts, struct slice host)
{
	void *best = hosts->any;
	uint64_t hash = HASH_START;
	const struct entry *entry;
	struct slice suffix;
	size_t i;

	if (host.len == 0)
		return best;
	/* Each longer suffix replaces the one before. */
	for (i = host.len - 1; i > 0; i--) {
		hash = hash_step(hash, host.at[i]);
		if (host.at[i] != '.')
			continue;
		suffix = (struct slice){host.at + i, host.len - i};
		entry = entry_at(hosts, suffix, true, hash);
		if (entry->name != NULL)
			best = entry->value;
	}
	entry = entry_at(hosts, host, false, hash_step(hash, host.at[0]));
	return entry->name != NULL ? entry->value : best;
}
