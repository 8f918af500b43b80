/* SPDX-License-Identifier: ISC */
/* config_keys: the table of all keys, config_keys.def, the values that the
 * table alone can judge, and "did you mean". */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

enum config_section {
	SECTION_GATE,
	SECTION_SITE,
	SECTION_UPSTREAM,
	SECTION_LOCATION,
	SECTION_COUNT
};

enum config_type {
	TYPE_COUNT,
	TYPE_SIZE,
	TYPE_TIME,
	TYPE_TIME_MS,
	TYPE_WORD,
	TYPE_TEXT, /* judged by config_read */
	TYPE_LIST, /* likewise, word by word; may be repeated */
	TYPE_LINES /* likewise, line by line */
};

enum config_key_id {
#define KEY(section, id, name, type, least, most, words, place) KEY_##id,
#include "config_keys.def"
#undef KEY
	KEY_COUNT
};

struct config_key {
	enum config_section section;
	const char *name;
	enum config_type type;
	uint64_t least, most;
	const char *words; /* separated by spaces */
	size_t at, size;   /* of the field, in the struct of its section */
};

extern const struct config_key config_keys[KEY_COUNT];

/* "gate", "site", "upstream", "location" */
const char *config_section_name(enum config_section section);
/* SECTION_COUNT: none of that name. */
enum config_section config_section_find(struct slice name);

/* KEY_COUNT: the section has no such key. */
enum config_key_id config_key_find(
    enum config_section section, struct slice name);
/* The section that has this key, or SECTION_COUNT. */
enum config_section config_key_home(struct slice name);
/* The key of the section that may have been meant, or NULL. */
const char *config_key_nearest(enum config_section section, struct slice name);
/* That one of the words, separated by spaces, which may have been meant, or
 * SLICE_NONE. */
struct slice config_word_nearest(const char *words, struct slice word);

#define CONFIG_WHY_MAX 160
/* Reads a value of any type but TEXT, LIST and LINES into its field of base,
 * the struct of the section. False: why, of CONFIG_WHY_MAX bytes, says what is
 * wrong with the value and what to write; nothing is changed. */
bool config_key_set(
    const struct config_key *key, void *base, struct slice value, char *why);
#define CONFIG_VALUE_MAX 32
/* The other way: the value as it would be written ("64k", "report"), to out, of
 * CONFIG_VALUE_MAX bytes. */
void config_key_print(
    const struct config_key *key, const void *base, char *out);

#endif
