/* SPDX-License-Identifier: ISC */
/* cmd_check: reads a configuration as the daemon would, and tells everything
 * that is wrong or suspicious. */
#include <getopt.h>
#include <stdio.h>

#include "cmd.h"
#include "cmd_diff.h"
#include "config_read.h"

static const char help[] =
    "usage: methodgate check -c FILE [-q] [--diff OLD [--json]]\n"
    "\n"
    "Reads FILE and the site files it names, looks up the servers' names, and\n"
    "prints every error, warning and grant as file:line: message.\n"
    "\n"
    "  -c, --config FILE   gate file or site file\n"
    "  -d, --diff OLD      what changes from the configuration OLD to FILE:\n"
    "                      lines with - are gone, lines with + are new\n"
    "  -j, --json          the changes as JSON\n"
    "  -q, --quiet         nothing when all is good; warnings are left out,\n"
    "                      changes are told by the exit status only\n"
    "  -n, --no-resolve    don't look up names of servers and owners\n"
    "  -h, --help          this text\n"
    "\n"
    "Exit status: 0 good (there may be warnings, and changes), 1 bad,\n"
    "2 usage, 3 good with changes (--diff and --quiet together).\n";

#define CHANGED 3

/* What is asked for. */
struct order {
	const char *path, *old; /* old NULL: no changes */
	bool quiet, resolve, json;
};

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
check(const struct order *order)
{
	struct config_options options = {
	    .resolve = order->resolve, .certificates = true};
	struct config_report report;
	struct config *config = config_read(order->path, &options, &report);
	unsigned i, locations = 0;

	if (order->quiet && config != NULL)
		report.warning_count = 0;
	config_report_print(&report, stderr);
	if (config != NULL && !order->quiet) {
		for (i = 0; i < config->site_count; i++) {
			print_grants(config->sites[i]);
			locations += config->sites[i]->location_count;
		}
		printf("%s: good: sites=%u locations=%u upstreams=%u "
		       "warnings=%u\n",
		    order->path, config->site_count, locations,
		    config->upstream_count, report.warning_count);
	}
	config_report_done(&report);
	if (config == NULL)
		return CMD_BAD;
	config_unref(config);
	return CMD_GOOD;
}

static int
compare(const struct order *order, const struct config *from,
    const struct config *to)
{
	enum cmd_diff_form form = order->json ? CMD_DIFF_JSON : CMD_DIFF_TEXT;
	bool changes =
	    cmd_diff(from, to, order->quiet ? CMD_DIFF_NOTHING : form);

	return order->quiet && changes ? CHANGED : CMD_GOOD;
}

/* Of what OLD says only errors are told: it is served already. */
static int
diff(const struct order *order)
{
	struct config_options options = {.resolve = order->resolve};
	struct config_report reports[2];
	struct config *from = config_read(order->old,
	    &(struct config_options){.resolve = false}, &reports[0]);
	struct config *to = config_read(order->path, &options, &reports[1]);
	int status = CMD_BAD;

	if (from == NULL)
		config_report_print(&reports[0], stderr);
	if (to == NULL)
		config_report_print(&reports[1], stderr);
	if (from != NULL && to != NULL)
		status = compare(order, from, to);
	for (int i = 0; i < 2; i++)
		config_report_done(&reports[i]);
	config_unref(from);
	config_unref(to);
	return status;
}

/* False for an option that there is not. */
static bool
take_option(struct order *order, int option)
{
	switch (option) {
	case 'c':
		order->path = optarg;
		return true;
	case 'd':
		order->old = optarg;
		return true;
	case 'j':
		order->json = true;
		return true;
	case 'q':
		order->quiet = true;
		return true;
	case 'n':
		order->resolve = false;
		return true;
	default:
		return false;
	}
}

int
cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"diff", required_argument, NULL, 'd'},
	    {"json", no_argument, NULL, 'j'}, {"quiet", no_argument, NULL, 'q'},
	    {"no-resolve", no_argument, NULL, 'n'},
	    {"help", no_argument, NULL, 'h'}, {0}};
	struct order order = {.resolve = true};
	int option;

	while ((option = getopt_long(argc, argv, ":c:d:jqnh", options, NULL)) !=
	       -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return CMD_GOOD;
		}
		if (!take_option(&order, option))
			return cmd_option_error("check", option, argv);
	}
	if (optind < argc)
		return cmd_usage_error(
		    "check", "unexpected argument %s", argv[optind]);
	if (order.path == NULL)
		return cmd_usage_error("check", "-c FILE is missing");
	if (order.json && order.old == NULL)
		return cmd_usage_error("check", "--json needs --diff OLD");
	return order.old != NULL ? diff(&order) : check(&order);
}
