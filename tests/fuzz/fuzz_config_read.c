/* SPDX-License-Identifier: ISC */
/* config_read: the input is one file. It is refused with at least one message,
 * or a configuration comes of it that keeps what its header promises. Messages
 * name the file, hold visible ASCII only, and come in the order of lines. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_read.h"

#define NAME "fuzz.ini"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
check_messages(char **messages, unsigned count)
{
	unsigned long line, last = 0;
	unsigned i;
	char *at;

	assert(count <= 101);
	for (i = 0; i < count; i++) {
		assert(strncmp(messages[i], NAME ":", strlen(NAME) + 1) == 0);
		for (at = messages[i]; *at != '\0'; at++)
			assert(*at >= ' ' && *at <= '~');
		/* The last of a hundred counts those that are left out. */
		line = strtoul(messages[i] + strlen(NAME) + 1, NULL, 10);
		assert(line >= last || i == 100);
		last = line;
	}
}

static bool
is_literal(struct slice pattern)
{
	return slice_find(pattern, '*', 0) == pattern.len;
}

/* The methods of the grants, which end no later than the site says. */
static method_set
check_grants(const struct site *site, const struct location_rules *rules)
{
	method_set granted = 0;
	unsigned i, m;

	for (i = 0; i < rules->grant_count; i++) {
		const struct grant *grant = &rules->grants[i];

		assert(grant->methods != 0 && grant->line > rules->line);
		for (m = 0; m < METHOD_MAX; m++)
			assert((grant->methods & method_bit(m)) == 0 ||
			       site->rules.granted_until[m] >= grant->until);
		granted |= grant->methods;
	}
	assert((granted & ~site->rules.granted) == 0);
	return granted;
}

static void
check_rewriting(const struct location_rules *rules)
{
	method_set both =
	    method_bit(rules->rewrite_from) | method_bit(rules->rewrite_to);

	assert((rules->rewrite_from == METHOD_NONE) ==
	       (rules->rewrite_to == METHOD_NONE));
	assert(rules->rewrite_from == METHOD_NONE ||
	       rules->rewrite_from != rules->rewrite_to);
	assert((both & ~rules->allow) == 0);
	assert((both & (method_bit(METHOD_HEAD) |
			   method_bit(METHOD_OPTIONS))) == 0);
}

/* Each location, in lower case, is one of those that its path leads to. */
static void
check_folded(const struct site *site, const struct location_rules *rules)
{
	const struct location_rules *found;
	char lower[256];
	size_t i;

	assert(rules->pattern.len < sizeof(lower));
	for (i = 0; i < rules->pattern.len; i++) {
		char c = rules->pattern.at[i];

		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	found = trie_find(
	    site->rules.folded, (struct slice){lower, rules->pattern.len});
	for (; found != NULL; found = found->folded_next)
		if (found == rules)
			return;
	assert(!rules->exact || !is_literal(rules->pattern));
}

static method_set
check_location(const struct site *site, const struct location *location)
{
	const struct location_rules *rules = &location->rules;
	method_set answered =
	    rules->options_answer ? method_bit(METHOD_OPTIONS) : 0;
	unsigned m;

	assert(location->site == site);
	assert(strcmp(rules->file, NAME) == 0 && rules->line > 0);
	assert(rules->pattern.len > 0 && rules->pattern.at[0] == '/');
	assert((rules->written & ~rules->allow) == 0);
	assert(rules->allow == policy_allow_set(rules->written,
				   site->head_with_get, rules->options_answer));
	assert((rules->allow & ~answered) == 0 || location->upstream != NULL);
	assert(!rules->report || location->upstream != NULL);
	assert(check_grants(site, rules) == 0 || location->upstream != NULL);
	check_rewriting(rules);
	if (site->rules.folded != NULL)
		check_folded(site, rules);
	for (m = 0; m < METHOD_REGISTERED; m++)
		assert((rules->allow & method_bit(m)) == 0 ||
		       method_is_allowable(m));
	for (m = METHOD_REGISTERED + site->rules.own.count; m < METHOD_MAX; m++)
		assert((rules->allow & method_bit(m)) == 0);
	if (rules->exact && is_literal(rules->pattern))
		assert(
		    trie_find(site->rules.locations, rules->pattern) == rules);
	return rules->allow;
}

static void
check_site(const struct site *site)
{
	method_set supported = 0;
	struct slice host;
	unsigned i, h;

	assert(site->rules.name.len > 0);
	assert(site->location_count > 0 && site->listen_count > 0 &&
	       site->host_count > 0);
	for (i = 0; i < site->location_count; i++)
		supported |= check_location(site, site->locations[i]);
	assert(supported == site->rules.supported);
	assert((site->rules.folded == NULL) == site->path_case_exact);
	assert((site->rules.fallback == NULL) == (site->upstream == NULL));
	for (i = 0; i < site->listen_count; i++)
		for (h = 0; h < site->host_count; h++) {
			host = site->hosts[h];
			if (is_literal(host))
				assert(hosts_find(site->listens[i]->door,
					   host) == &site->rules);
		}
}

static void
check_config(const struct config *config)
{
	unsigned i;

	assert(config->site_count == 1 && config->listen_count > 0);
	for (i = 0; i < config->site_count; i++)
		check_site(config->sites[i]);
	for (i = 0; i < config->upstream_count; i++) {
		assert(config->upstreams[i]->index == i);
		assert(config->upstreams[i]->server_count > 0);
	}
	for (i = 0; i < config->listen_count; i++)
		assert(addr_port(&config->listens[i]->addr) > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static FILE *nowhere;
	struct config_report report;
	struct config *config;

	if (nowhere == NULL)
		nowhere = fopen("/dev/null", "w");
	assert(nowhere != NULL);
	config = config_read_text(
	    NAME, (struct slice){(const char *)bytes, size}, &report);
	assert((config == NULL) == (report.error_count > 0));
	check_messages(report.errors, report.error_count);
	check_messages(report.warnings, report.warning_count);
	config_report_print(&report, nowhere);
	config_report_done(&report);
	if (config != NULL)
		check_config(config);
	config_unref(config);
	return 0;
}
