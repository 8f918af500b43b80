/* SPDX-License-Identifier: ISC */
/* cmd_diff: what changes from one configuration to another, for an operator
 * about to reload. */
#ifndef CMD_DIFF_H
#define CMD_DIFF_H

#include <stdbool.h>

#include "config.h"

enum cmd_diff_form { CMD_DIFF_NOTHING, CMD_DIFF_TEXT, CMD_DIFF_JSON };

/* Prints to stdout, by site and location: what is gone as "- ", what is new as
 * "+ ", each with its file:line; or the same as JSON, or nothing. True when
 * something changes. Where each has one site, they are the same one. */
bool cmd_diff(const struct config *from, const struct config *to,
    enum cmd_diff_form form);

#endif
