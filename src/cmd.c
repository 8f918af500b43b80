/* SPDX-License-Identifier: ISC */
/* cmd: what the subcommands share. */
#include "cmd.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "config_read.h"

int
cmd_usage_error(const char *name, const char *fmt, ...)
{
	va_list args;

	fputs("methodgate: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	if (name != NULL)
		fprintf(stderr, "\ntry 'methodgate %s --help'\n", name);
	else
		fputs("\ntry 'methodgate --help'\n", stderr);
	return CMD_USAGE;
}

int
cmd_option_error(const char *name, int option, char **argv)
{
	const char *word = argv[optind - 1];

	if (option == ':')
		return cmd_usage_error(name, "%s needs a value", word);
	return cmd_usage_error(name, "unknown option %s", word);
}

struct config *
cmd_config(const char *path)
{
	struct config_options options = {.resolve = false};
	struct config_report report;
	struct config *config = config_read(path, &options, &report);

	if (config == NULL)
		config_report_print(&report, stderr);
	config_report_done(&report);
	return config;
}

bool
cmd_colour(int fd)
{
	const char *no_color = getenv("NO_COLOR");

	return isatty(fd) && (no_color == NULL || *no_color == '\0');
}

const char *
cmd_grant_day(const struct grant *grant, char out[CMD_DAY_MAX])
{
	time_t last = grant->until - 1;
	struct tm day;

	gmtime_r(&last, &day);
	strftime(out, CMD_DAY_MAX, "%Y-%m-%d", &day);
	return out;
}

void
cmd_print_grant(const struct grant *grant, const struct method_names *own)
{
	char names[METHOD_LIST_MAX], day[CMD_DAY_MAX];

	method_set_print(grant->methods, own, names, sizeof(names));
	printf("%s until %s", names, cmd_grant_day(grant, day));
	if (grant->note.len > 0)
		printf(" %.*s", SLICE_ARG(grant->note));
}

void
cmd_print_rate(const struct bucket_rate *rate)
{
	printf("%u/%s burst %u", rate->number, rate->seconds == 1 ? "s" : "m",
	    rate->burst);
}

void
cmd_json_string(struct slice s)
{
	char *out = mem_alloc(6 * s.len + 8);
	size_t len = slice_escape_json(out, s, s.len);

	printf("\"%.*s\"", (int)len, out);
	free(out);
}

void
cmd_json_methods(method_set set, const struct method_names *own)
{
	unsigned m, n = 0;

	putchar('[');
	for (m = 0; m < METHOD_MAX; m++) {
		if ((set & method_bit(m)) == 0)
			continue;
		printf("%s\"%.*s\"", n++ > 0 ? "," : "",
		    SLICE_ARG(method_name(m, own)));
	}
	putchar(']');
}

void
cmd_json_rule(const char *file, unsigned line)
{
	putchar('"');
	if (file != NULL) {
		char *out = mem_alloc(6 * strlen(file) + 8);

		slice_escape_json(out, slice_of(file), strlen(file));
		fputs(out, stdout);
		free(out);
	}
	printf(":%u\"", line);
}

void
cmd_json_name(unsigned method, const struct method_names *own)
{
	printf("\"%.*s\"", SLICE_ARG(method_name(method, own)));
}

void
cmd_json_rate(const struct bucket_rate *rate)
{
	if (rate->number == 0)
		printf("null");
	else
		printf("{\"number\":%u,\"seconds\":%u,\"burst\":%u}",
		    rate->number, rate->seconds, rate->burst);
}

void
cmd_json_grants(const struct location_rules *location,
    const struct method_names *own, time_t now)
{
	char day[CMD_DAY_MAX];

	putchar('[');
	for (unsigned i = 0; i < location->grant_count; i++) {
		const struct grant *grant = &location->grants[i];

		printf("%s{\"methods\":", i > 0 ? "," : "");
		cmd_json_methods(grant->methods, own);
		printf(
		    ",\"until\":\"%s\",\"note\":", cmd_grant_day(grant, day));
		cmd_json_string(grant->note);
		printf(",\"active\":%s,\"rule\":",
		    now < grant->until ? "true" : "false");
		cmd_json_rule(location->file, grant->line);
		putchar('}');
	}
	putchar(']');
}
