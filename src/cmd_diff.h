/* SPDX-License-Identifier: ISC */
/* cmd_diff: what changes from one configuration to another, for an operator
 * about to reload. */
#ifndef CMD_DIFF_H
#define CMD_DIFF_H

#include <stdbool.h>

#include "config.h"

/* Prints to stdout, by site and location: what is gone as "- ", what is new as
 * "+ ", each with its file:line. True when there was anything to print. */
bool cmd_diff(const struct config *from, const struct config *to);

#endif
