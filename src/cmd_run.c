/* SPDX-License-Identifier: ISC */
/* cmd_run: the daemon, in the foreground, as systemd likes it. */
#include <getopt.h>
#include <stdio.h>

#include "cmd.h"
#include "config_read.h"
#include "log.h"
#include "server.h"

static const char help[] =
    "usage: methodgate run -c FILE\n"
    "\n"
    "Serves the sites of FILE until it is told to stop.\n"
    "\n"
    "  -c, --config FILE   gate file or site file\n"
    "  -h, --help          this text\n"
    "\n"
    "TERM, INT, QUIT finish what is under way, a second INT or TERM stops at\n"
    "once; USR1 reopens the access log; HUP reads FILE again. See\n"
    "methodgate(8).\n";

static int
serve(const char *path)
{
	struct config_options options = {.resolve = true, .certificates = true};
	struct config_report report;
	struct config *config = config_read(path, &options, &report);

	config_report_print(&report, stderr);
	config_report_done(&report);
	if (config == NULL)
		return CMD_BAD;
	return server_run(config);
}

int
cmd_run(int argc, char **argv)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"help", no_argument, NULL, 'h'}, {0}};
	const char *path = NULL;
	int option;

	while ((option = getopt_long(argc, argv, ":c:h", options, NULL)) != -1)
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return CMD_GOOD;
		default:
			return cmd_option_error("run", option, argv);
		}
	if (optind < argc)
		return cmd_usage_error(
		    "run", "unexpected argument %s", argv[optind]);
	if (path == NULL)
		return cmd_usage_error("run", "-c FILE is missing");
	return serve(path);
}
