/* SPDX-License-Identifier: ISC */
/* config_patterns: the patterns of a site as a whole: what the policy asks of
 * all of them, and where two of them, or two readings of one, decide otherwise
 * than their author may think. */
#ifndef CONFIG_PATTERNS_H
#define CONFIG_PATTERNS_H

#include "config.h"
#include "config_lines.h"

/* Once site->locations is complete, with what they allow, and all of them are
 * in the trie: measures and seals it, and makes the folded one. */
void config_patterns_seal(struct site *site);
/* Notes what is legal but suspicious. */
void config_patterns_warn(struct config_notes *notes,
    const struct config_file *file, const struct site *site);

#endif
