/* SPDX-License-Identifier: ISC */
/* main: finds the subcommand. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "log.h"

static const struct {
	const char *name;
	cmd_fn *run;
	const char *does;
} commands[] = {
    {"run", cmd_run, "serve the sites of a configuration"},
    {"check", cmd_check, "read a configuration and tell what is wrong"},
    {"explain", cmd_explain, "tell what happens to one request, and why"},
    {"table", cmd_table, "print locations and the methods that they allow"},
    {"demo", cmd_demo, "run an upstream that echoes what it gets, as JSON"},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void
print_help(void)
{
	size_t i;

	puts("usage: methodgate COMMAND [options]\n"
	     "\n"
	     "A reverse proxy that enforces HTTP method allowlists.\n");
	for (i = 0; i < COMMANDS; i++)
		printf("  %-9s %s\n", commands[i].name, commands[i].does);
	puts("\n"
	     "  methodgate COMMAND --help   options of a command\n"
	     "  methodgate --version        version\n"
	     "\n"
	     "Pages: methodgate(8), methodgate.ini(5).");
}

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	size_t i;

	log_open("methodgate", LOG_INFO);
	if (name == NULL)
		return cmd_usage_error(NULL, "a command is missing");
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
	    strcmp(name, "help") == 0) {
		print_help();
		return CMD_GOOD;
	}
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		puts("methodgate " METHODGATE_VERSION);
		return CMD_GOOD;
	}
	for (i = 0; i < COMMANDS; i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return cmd_usage_error(NULL, "there is no command '%s'", name);
}
