/* SPDX-License-Identifier: ISC */
/* flag: things noticed about a request, as a set of bits. */
#ifndef FLAG_H
#define FLAG_H

#include <stddef.h>
#include <stdint.h>

enum flag {
#define FLAG(id, word, text) FLAG_##id,
#include "flag.def"
#undef FLAG
	FLAG_COUNT
};
typedef uint32_t flag_set;
#define FLAG_BIT(flag) ((flag_set)1 << (flag))

const char *flag_word(enum flag flag);
const char *flag_text(enum flag flag);
/* "method_case,crawler_501" or ""; NUL-terminated; returns the length. */
#define FLAG_TEXT_MAX (FLAG_COUNT * 32) /* always suffices */
size_t flag_set_print(flag_set set, char *out, size_t size);

#endif
