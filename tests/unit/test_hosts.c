/* SPDX-License-Identifier: ISC */
/* Host names to sites: exact, then the longest wildcard, then "*". */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "hosts.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const names[] = {
    "example.org",
    "*.example.org",
    "*.b.example.org",
    "www.b.example.org",
    "Shop.Example.NET",
    "*.Wild.example.net",
    "[::1]",
    "192.0.2.1",
    "localhost",
};

static char any[] = "any", other[] = "other";

static struct hosts *
build(void)
{
	struct hosts *hosts = hosts_new();
	size_t i;

	for (i = 0; i < COUNT(names); i++)
		ck_assert_ptr_null(
		    hosts_add(hosts, slice_of(names[i]), (void *)names[i]));
	return hosts;
}

static void
expect(const struct hosts *hosts, const char *host, const char *wanted)
{
	struct guarded g = guard_bytes(host, strlen(host));
	const char *found =
	    hosts_find(hosts, (struct slice){g.at, strlen(host)});

	guard_free(&g);
	if (found == NULL)
		found = "-";
	ck_assert_msg(strcmp(found, wanted) == 0, "%s found %s, wanted %s",
	    host, found, wanted);
}

START_TEST(names_find_their_site)
{
	static const struct {
		const char *host, *wanted;
	} rows[] = {
	    {"example.org", "example.org"},
	    {"EXAMPLE.org", "example.org"},
	    {"a.example.org", "*.example.org"},
	    {"x.y.example.org", "*.example.org"},
	    {"A.Example.Org", "*.example.org"},
	    {"b.example.org", "*.example.org"},
	    {"c.b.example.org", "*.b.example.org"},
	    {"d.c.b.example.org", "*.b.example.org"},
	    {"www.b.example.org", "www.b.example.org"},
	    {"x.www.b.example.org", "*.b.example.org"},
	    {"shop.example.net", "Shop.Example.NET"},
	    {"a.wild.EXAMPLE.net", "*.Wild.example.net"},
	    {"[::1]", "[::1]"},
	    {"192.0.2.1", "192.0.2.1"},
	    {"localhost", "localhost"},
	    {".example.org", "-"},
	    {"xexample.org", "-"},
	    {"example.org.evil", "-"},
	    {"example.or", "-"},
	    {"xample.org", "-"},
	    {"*.example.org", "*.example.org"},
	    {"wild.example.net", "-"},
	    {"*", "-"},
	    {".", "-"},
	    {"...", "-"},
	    {"org", "-"},
	    {"", "-"},
	};
	struct hosts *hosts = build();
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		expect(hosts, rows[i].host, rows[i].wanted);
	hosts_free(hosts);
}
END_TEST

START_TEST(a_star_takes_every_host_and_no_host)
{
	struct hosts *hosts = build();

	ck_assert_ptr_null(hosts_add(hosts, SLICE("*"), any));
	expect(hosts, "", "any");
	expect(hosts, "unknown", "any");
	expect(hosts, ".example.org", "any");
	expect(hosts, "example.org", "example.org");
	expect(hosts, "a.example.org", "*.example.org");
	hosts_free(hosts);
	hosts_free(NULL);
}
END_TEST

START_TEST(a_second_name_is_told_who_has_it)
{
	struct hosts *hosts = build();

	ck_assert_ptr_eq(
	    hosts_add(hosts, SLICE("EXAMPLE.ORG"), other), names[0]);
	ck_assert_ptr_eq(
	    hosts_add(hosts, SLICE("*.Example.org"), other), names[1]);
	ck_assert_ptr_null(hosts_add(hosts, SLICE("*"), any));
	ck_assert_str_eq(hosts_add(hosts, SLICE("*"), other), "any");
	expect(hosts, "example.org", "example.org");
	hosts_free(hosts);
}
END_TEST

START_TEST(names_are_copied)
{
	char name[] = "copied.example";
	struct hosts *hosts = hosts_new();

	hosts_add(hosts, slice_of(name), any);
	memset(name, 'x', sizeof(name) - 1);
	expect(hosts, "copied.example", "any");
	hosts_free(hosts);
}
END_TEST

START_TEST(five_thousand_names_keep_apart)
{
	static char texts[5000][40];
	struct hosts *hosts = hosts_new();
	char host[64];
	size_t i;

	for (i = 0; i < COUNT(texts); i++) {
		snprintf(texts[i], sizeof(texts[i]), "%sh%zu.example",
		    i % 3 == 0 ? "*." : "", i);
		ck_assert_ptr_null(
		    hosts_add(hosts, slice_of(texts[i]), texts[i]));
	}
	for (i = 0; i < COUNT(texts); i++) {
		snprintf(host, sizeof(host), "%sh%zu.example",
		    i % 3 == 0 ? "www." : "", i);
		expect(hosts, host, texts[i]);
		snprintf(host, sizeof(host), "%sh%zu.example",
		    i % 3 == 0 ? "" : "www.", i);
		expect(hosts, host, "-");
	}
	hosts_free(hosts);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("hosts");
	TCase *tcase = tcase_create("hosts");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, names_find_their_site);
	tcase_add_test(tcase, a_star_takes_every_host_and_no_host);
	tcase_add_test(tcase, a_second_name_is_told_who_has_it);
	tcase_add_test(tcase, names_are_copied);
	tcase_add_test(tcase, five_thousand_names_keep_apart);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
