/* SPDX-License-Identifier: ISC */
/* cmd: the subcommands, and what they share. Each takes the arguments after
 * the program's name and returns the exit status. */
#ifndef CMD_H
#define CMD_H

#include <stdbool.h>

#include "config.h"

enum { CMD_GOOD = 0, CMD_BAD = 1, CMD_USAGE = 2 };

typedef int cmd_fn(int argc, char **argv); /* argv[0] is the subcommand */
cmd_fn cmd_run, cmd_check, cmd_explain, cmd_table, cmd_demo;

/* "methodgate: text", then where help is; returns CMD_USAGE. name may be
 * NULL: no subcommand. */
int cmd_usage_error(const char *name, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* For getopt_long with a leading ':': what it returned, ':' or '?'. */
int cmd_option_error(const char *name, int option, char **argv);
/* Reads without looking up names; prints errors to stderr, not warnings. */
struct config *cmd_config(const char *path);
/* True when colour is welcome on the stream (terminal, NO_COLOR unset). */
bool cmd_colour(int fd);

/* The last day of a grant, "2027-01-31". */
#define CMD_DAY_MAX 16
const char *cmd_grant_day(const struct grant *grant, char out[CMD_DAY_MAX]);
/* "DELETE until 2027-01-31 OPS-123" to stdout. */
void cmd_print_grant(const struct grant *grant, const struct method_names *own);
/* "100/s burst 200" to stdout. */
void cmd_print_rate(const struct bucket_rate *rate);

/* JSON to stdout. */
void cmd_json_string(struct slice s);
void cmd_json_methods(method_set set, const struct method_names *own);
void cmd_json_rule(const char *file, unsigned line); /* "file:line" */
void cmd_json_name(unsigned method, const struct method_names *own);
/* {"number","seconds","burst"}, or null where there is none. */
void cmd_json_rate(const struct bucket_rate *rate);
/* [{"methods","until","note","active","rule"}] of a location. */
void cmd_json_grants(const struct location_rules *location,
    const struct method_names *own, time_t now);

#endif
