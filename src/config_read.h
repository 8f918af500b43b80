/* SPDX-License-Identifier: ISC */
/* config_read: INI files to a struct config, or to a list of all their errors.
 * Nothing is applied from a configuration with an error. */
#ifndef CONFIG_READ_H
#define CONFIG_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include "config.h"

/* Messages of one reading, each "file:line: text" (file: alone where no line
 * applies), in the order of the files. */
struct config_report {
	char **errors, **warnings;
	unsigned error_count, warning_count;
};

struct config_options {
	bool resolve; /* look up names of servers (blocking) and of owners of
			 sockets; explain and table do not need it: addrs may
			 then be empty, owners the gate's own */
	bool certificates; /* read them and keys; who only asks what is
			      allowed needs no right to */
	struct tls_tickets *tickets; /* of the configuration before, so that
			sessions go on; NULL: new ones. A reference is taken */
	time_t now; /* which grants have ended, to warn of; 0: by the clock */
};

/* Reads the file and the site files that it names. NULL when there is an
 * error; the report then has at least one. The report is filled in any case;
 * config_report_done frees it. */
struct config *config_read(const char *path,
    const struct config_options *options, struct config_report *report);
/* The same from memory, one file without `sites`; for tests and the fuzzer.
 * Never touches the network, the file system or the clock: it is 1970. */
struct config *config_read_text(
    const char *name, struct slice text, struct config_report *report);
void config_report_print(const struct config_report *report, FILE *to);
void config_report_done(struct config_report *report);

#endif
