/* SPDX-License-Identifier: ISC */
/* cmd_table: every location of every site, with the methods it allows. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "config_read.h"

static const char help[] =
    "usage: methodgate table -c FILE [--json]\n"
    "\n"
    "Prints the locations of each site and the methods that they allow.\n"
    "\n"
    "  -c, --config FILE   gate file or site file\n"
    "  -j, --json          as JSON\n"
    "  -h, --help          this text\n";

static const char *
mark(const struct location_rules *rules, unsigned method, time_t now)
{
	if ((policy_allowed(rules, now) & method_bit(method)) == 0)
		return ".";
	if (method == rules->rewrite_from)
		return "r";
	if ((rules->allow & method_bit(method)) == 0)
		return "g";
	if (method == METHOD_OPTIONS && rules->options_answer)
		return "a";
	return (rules->written & method_bit(method)) != 0 ? "x" : "h";
}

static size_t
pattern_width(const struct site *site)
{
	size_t width = 8;
	unsigned i;

	for (i = 0; i < site->location_count; i++) {
		const struct location_rules *rules = &site->locations[i]->rules;
		size_t len = rules->pattern.len + (rules->exact ? 2 : 0);

		if (len > width)
			width = len;
	}
	return width;
}

/* A site's table while it is printed. */
struct sheet {
	const struct site *site;
	method_set columns;
	int width; /* of the patterns */
	time_t now;
	bool colour;
};

static void
print_row(const struct sheet *sheet, const struct location_rules *rules)
{
	bool colour = sheet->colour;
	int width = sheet->width;
	unsigned m;

	printf("  %s%-*.*s", rules->exact ? "= " : "",
	    width - (rules->exact ? 2 : 0), SLICE_ARG(rules->pattern));
	for (m = 0; m < METHOD_MAX; m++) {
		struct slice name = method_name(m, &sheet->site->rules.own);
		const char *text = mark(rules, m, sheet->now);
		const char *on = *text == '.' ? "\033[2m" : "\033[32m";

		if ((sheet->columns & method_bit(m)) == 0)
			continue;
		printf("  %s%s%s%*s", colour ? on : "", text,
		    colour ? "\033[0m" : "", (int)name.len - 1, "");
	}
	printf("  %s:%u%s", rules->file, rules->line,
	    rules->report ? "  mode = report" : "");
	if (rules->rate.number > 0) {
		printf("  rate = ");
		cmd_print_rate(&rules->rate);
	}
	putchar('\n');
}

static void
print_note(const struct sheet *sheet, const struct location_rules *rules,
    const char *letter)
{
	printf("  %s %s%-*.*s  ", letter, rules->exact ? "= " : "",
	    sheet->width - (rules->exact ? 2 : 0), SLICE_ARG(rules->pattern));
}

/* What the letters g and r stand for in the rows of a location. */
static void
print_notes(const struct sheet *sheet, const struct location *location)
{
	const struct location_rules *rules = &location->rules;
	const struct method_names *own = &sheet->site->rules.own;

	for (unsigned i = 0; i < rules->grant_count; i++) {
		const struct grant *grant = &rules->grants[i];

		print_note(sheet, rules, "g");
		cmd_print_grant(grant, own);
		printf("%s  %s:%u\n",
		    sheet->now < grant->until ? "" : " (has ended)",
		    rules->file, grant->line);
	}
	if (rules->rewrite_from == METHOD_NONE)
		return;
	print_note(sheet, rules, "r");
	printf("%.*s goes upstream as %.*s  %s:%u\n",
	    SLICE_ARG(method_name(rules->rewrite_from, own)),
	    SLICE_ARG(method_name(rules->rewrite_to, own)), rules->file,
	    location->rewrite_line);
}

static void
print_heading(const struct site *site, bool colour)
{
	printf("%ssite %.*s%s  hosts", colour ? "\033[1m" : "",
	    SLICE_ARG(site->rules.name), colour ? "\033[0m" : "");
	for (unsigned i = 0; i < site->host_count; i++)
		printf(" %.*s", SLICE_ARG(site->hosts[i]));
	printf("  listen");
	for (unsigned i = 0; i < site->listen_count; i++)
		printf(" %.*s", SLICE_ARG(site->listens[i]->text));
	puts(site->rules.report ? "  mode = report" : "");
}

static void
print_site(const struct site *site, time_t now, bool colour)
{
	struct sheet sheet = {.site = site,
	    .columns = policy_supported(&site->rules, now),
	    .width = (int)pattern_width(site),
	    .now = now,
	    .colour = colour};
	unsigned i, m;

	print_heading(site, colour);
	printf("  %-*s", sheet.width, "location");
	for (m = 0; m < METHOD_MAX; m++)
		if ((sheet.columns & method_bit(m)) != 0)
			printf("  %.*s",
			    SLICE_ARG(method_name(m, &site->rules.own)));
	printf("  rule\n");
	for (i = 0; i < site->location_count; i++)
		print_row(&sheet, &site->locations[i]->rules);
	for (i = 0; i < site->location_count; i++)
		print_notes(&sheet, site->locations[i]);
}

static void
print_text(const struct config *config, time_t now)
{
	bool colour = cmd_colour(STDOUT_FILENO);
	unsigned i;

	for (i = 0; i < config->site_count; i++) {
		print_site(config->sites[i], now, colour);
		putchar('\n');
	}
	puts("x allowed   h HEAD that GET allows   a answered by the gate   "
	     ". refused with 405\n"
	     "g granted until a day   r sent upstream as another method\n"
	     "Where mode = report, what would be refused is forwarded.\n"
	     "Methods without a column are refused with 501 on that site.");
}

static void
print_json_rewrite(const struct site *site, const struct location *location)
{
	const struct location_rules *rules = &location->rules;

	if (rules->rewrite_from == METHOD_NONE) {
		printf("null");
		return;
	}
	printf("{\"from\":");
	cmd_json_name(rules->rewrite_from, &site->rules.own);
	printf(",\"to\":");
	cmd_json_name(rules->rewrite_to, &site->rules.own);
	printf(",\"rule\":");
	cmd_json_rule(rules->file, location->rewrite_line);
	putchar('}');
}

static void
print_json_location(
    const struct site *site, const struct location *location, time_t now)
{
	const struct location_rules *rules = &location->rules;

	printf("{\"location\":");
	cmd_json_string(rules->pattern);
	printf(",\"exact\":%s,\"allow\":", rules->exact ? "true" : "false");
	cmd_json_methods(policy_allowed(rules, now), &site->rules.own);
	printf(",\"grants\":");
	cmd_json_grants(rules, &site->rules.own, now);
	printf(",\"rewrite\":");
	print_json_rewrite(site, location);
	printf(",\"rate\":");
	cmd_json_rate(&rules->rate);
	printf(",\"report\":%s,\"options\":\"%s\",\"upstream\":",
	    rules->report ? "true" : "false",
	    rules->options_answer ? "answer" : "forward");
	if (location->upstream != NULL)
		cmd_json_string(location->upstream->name);
	else
		printf("null");
	printf(",\"rule\":");
	cmd_json_rule(rules->file, rules->line);
	printf("}");
}

static void
print_json_site(const struct site *site, time_t now)
{
	unsigned i;

	printf("{\"site\":");
	cmd_json_string(site->rules.name);
	printf(",\"hosts\":[");
	for (i = 0; i < site->host_count; i++) {
		printf("%s", i > 0 ? "," : "");
		cmd_json_string(site->hosts[i]);
	}
	printf("],\"listen\":[");
	for (i = 0; i < site->listen_count; i++) {
		printf("%s", i > 0 ? "," : "");
		cmd_json_string(site->listens[i]->text);
	}
	printf("],\"report\":%s,\"supported\":",
	    site->rules.report ? "true" : "false");
	cmd_json_methods(policy_supported(&site->rules, now), &site->rules.own);
	printf(",\"locations\":[");
	for (i = 0; i < site->location_count; i++) {
		printf("%s\n  ", i > 0 ? "," : "");
		print_json_location(site, site->locations[i], now);
	}
	printf("]}");
}

static int
table(const char *path, bool json)
{
	struct config *config = cmd_config(path);
	time_t now = time(NULL);
	unsigned i;

	if (config == NULL)
		return CMD_BAD;
	if (json) {
		printf("[");
		for (i = 0; i < config->site_count; i++) {
			printf("%s", i > 0 ? ",\n" : "");
			print_json_site(config->sites[i], now);
		}
		printf("]\n");
	} else {
		print_text(config, now);
	}
	config_unref(config);
	return CMD_GOOD;
}

int
cmd_table(int argc, char **argv)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'},
	    {0}};
	const char *path = NULL;
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, ":c:jh", options, NULL)) != -1)
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			fputs(help, stdout);
			return CMD_GOOD;
		default:
			return cmd_option_error("table", option, argv);
		}
	if (optind < argc)
		return cmd_usage_error(
		    "table", "unexpected argument %s", argv[optind]);
	if (path == NULL)
		return cmd_usage_error("table", "-c FILE is missing");
	return table(path, json);
}
