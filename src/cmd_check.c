/* SPDX-License-Identifier: ISC */
/* cmd_check: reads a configuration as the daemon would, and tells everything
 * that is wrong or suspicious. */
#include <getopt.h>
#include <stdio.h>

#include "cmd.h"
#include "cmd_diff.h"
#include "config_read.h"

static const char help[] =
    "usage: methodgate check -c FILE [-q] [--diff OLD]\n"
    "\n"
    "Reads FILE and the site files it names, looks up the servers' names, and\n"
    "prints every error, warning and grant as file:line: message.\n"
    "\n"
    "  -c, --config FILE   gate file or site file\n"
    "  -d, --diff OLD      what changes from the configuration OLD to FILE:\n"
    "                      lines with - are gone, lines with + are new\n"
    "  -q, --quiet         nothing when all is good; warnings are left out\n"
    "  -n, --no-resolve    don't look up names of servers and owners\n"
    "  -h, --help          this text\n"
    "\n"
    "Exit status: 0 good (there may be warnings, and changes), 1 bad,\n"
    "2 usage.\n";

/* What is allowed for a time only. */
static void
print_grants(const struct site *site)
{
	for (unsigned i = 0; i < site->location_count; i++) {
		const struct location_rules *rules = &site->locations[i]->rules;

		for (unsigned g = 0; g < rules->grant_count; g++) {
			printf("%s:%u: grant at %.*s: ", rules->file,
			    rules->grants[g].line, SLICE_ARG(rules->pattern));
			cmd_print_grant(&rules->grants[g], &site->rules.own);
			putchar('\n');
		}
	}
}

static int
check(const char *path, bool quiet, bool resolve)
{
	struct config_options options = {
	    .resolve = resolve, .certificates = true};
	struct config_report report;
	struct config *config = config_read(path, &options, &report);
	unsigned i, locations = 0;

	if (quiet && config != NULL)
		report.warning_count = 0;
	config_report_print(&report, stderr);
	if (config != NULL && !quiet) {
		for (i = 0; i < config->site_count; i++) {
			print_grants(config->sites[i]);
			locations += config->sites[i]->location_count;
		}
		printf("%s: good: sites=%u locations=%u upstreams=%u "
		       "warnings=%u\n",
		    path, config->site_count, locations, config->upstream_count,
		    report.warning_count);
	}
	config_report_done(&report);
	if (config == NULL)
		return CMD_BAD;
	config_unref(config);
	return CMD_GOOD;
}

/* Of what OLD says only errors are told: it is served already. */
static int
diff(const char *path, const char *old, bool resolve)
{
	struct config_options options = {.resolve = resolve};
	struct config_report reports[2];
	struct config *from = config_read(
	    old, &(struct config_options){.resolve = false}, &reports[0]);
	struct config *to = config_read(path, &options, &reports[1]);
	bool good = from != NULL && to != NULL;

	if (from == NULL)
		config_report_print(&reports[0], stderr);
	if (to == NULL)
		config_report_print(&reports[1], stderr);
	if (good && !cmd_diff(from, to))
		puts("no changes");
	for (int i = 0; i < 2; i++)
		config_report_done(&reports[i]);
	config_unref(from);
	config_unref(to);
	return good ? CMD_GOOD : CMD_BAD;
}

int
cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"diff", required_argument, NULL, 'd'},
	    {"quiet", no_argument, NULL, 'q'},
	    {"no-resolve", no_argument, NULL, 'n'},
	    {"help", no_argument, NULL, 'h'}, {0}};
	const char *path = NULL, *old = NULL;
	bool quiet = false, resolve = true;
	int option;

	while (
	    (option = getopt_long(argc, argv, ":c:d:qnh", options, NULL)) != -1)
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'd':
			old = optarg;
			break;
		case 'q':
			quiet = true;
			break;
		case 'n':
			resolve = false;
			break;
		case 'h':
			fputs(help, stdout);
			return CMD_GOOD;
		default:
			return cmd_option_error("check", option, argv);
		}
	if (optind < argc)
		return cmd_usage_error(
		    "check", "unexpected argument %s", argv[optind]);
	if (path == NULL)
		return cmd_usage_error("check", "-c FILE is missing");
	return old != NULL ? diff(path, old, resolve)
			   : check(path, quiet, resolve);
}
