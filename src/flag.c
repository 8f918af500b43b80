/* SPDX-License-Identifier: ISC */
/* flag: flag.def as a table. */
#include "flag.h"

#include <assert.h>
#include <string.h>

static_assert(FLAG_COUNT <= 8 * sizeof(flag_set), "a bit for each flag");

static const struct {
	const char *word, *text;
} rows[FLAG_COUNT] = {
#define FLAG(id, word, text) {word, text},
#include "flag.def"
#undef FLAG
};

const char *
flag_word(enum flag flag)
{
	assert(flag < FLAG_COUNT);
	return rows[flag].word;
}

const char *
flag_text(enum flag flag)
{
	assert(flag < FLAG_COUNT);
	return rows[flag].text;
}

size_t
flag_set_print(flag_set set, char *out, size_t size)
{
	size_t len = 0, comma, word_len;
	unsigned i;

	assert(size > 0);
	for (i = 0; i < FLAG_COUNT; i++) {
		if ((set & FLAG_BIT(i)) == 0)
			continue;
		comma = len > 0;
		word_len = strlen(rows[i].word);
		if (len + comma + word_len + 1 > size)
			break;
		memcpy(out + len, ",", comma);
		memcpy(out + len + comma, rows[i].word, word_len);
		len += comma + word_len;
	}
	out[len] = '\0';
	return len;
}
