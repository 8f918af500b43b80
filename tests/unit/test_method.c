/* SPDX-License-Identifier: ISC */
/* Methods: each one is found by its exact bytes and by nothing else. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "method.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* RFC 9110 16.1.1 and the registry, copied here by hand: S safe, I idempotent,
 * - may never be allowed. */
static const struct {
	const char *name, *is;
} registry[] = {
    {"ACL", "I"},
    {"BASELINE-CONTROL", "I"},
    {"BIND", "I"},
    {"CHECKIN", "I"},
    {"CHECKOUT", "I"},
    {"CONNECT", "-"},
    {"COPY", "I"},
    {"DELETE", "I"},
    {"GET", "SI"},
    {"HEAD", "SI"},
    {"LABEL", "I"},
    {"LINK", "I"},
    {"LOCK", ""},
    {"MERGE", "I"},
    {"MKACTIVITY", "I"},
    {"MKCALENDAR", "I"},
    {"MKCOL", "I"},
    {"MKREDIRECTREF", "I"},
    {"MKWORKSPACE", "I"},
    {"MOVE", "I"},
    {"OPTIONS", "SI"},
    {"ORDERPATCH", "I"},
    {"PATCH", ""},
    {"POST", ""},
    {"PRI", "SI-"},
    {"PROPFIND", "SI"},
    {"PROPPATCH", "I"},
    {"PUT", "I"},
    {"QUERY", "SI"},
    {"REBIND", "I"},
    {"REPORT", "SI"},
    {"SEARCH", "SI"},
    {"TRACE", "SI-"},
    {"UNBIND", "I"},
    {"UNCHECKOUT", "I"},
    {"UNLINK", "I"},
    {"UNLOCK", "I"},
    {"UPDATE", "I"},
    {"UPDATEREDIRECTREF", "I"},
    {"VERSION-CONTROL", "I"},
};

static const struct method_names own = {
    3, {SLICE("PURGE"), SLICE("LIST"), SLICE("get")}};

static unsigned
find(const void *bytes, size_t len, const struct method_names *names)
{
	struct guarded g = guard_bytes(bytes, len);
	unsigned found = method_find((struct slice){g.at, len}, names);

	guard_free(&g);
	return found;
}

START_TEST(every_registered_method_is_found_with_its_properties)
{
	method_set found = 0;
	size_t i;

	ck_assert_uint_eq(COUNT(registry), METHOD_REGISTERED);
	for (i = 0; i < COUNT(registry); i++) {
		const char *name = registry[i].name, *is = registry[i].is;
		unsigned method = find(name, strlen(name), NULL);

		ck_assert_msg(method < METHOD_REGISTERED, "lost %s", name);
		ck_assert(slice_eq(method_name(method, NULL), slice_of(name)));
		ck_assert_msg(
		    method_is_safe(method) == (strchr(is, 'S') != NULL) &&
			method_is_idempotent(method) ==
			    (strchr(is, 'I') != NULL) &&
			method_is_allowable(method) ==
			    (strchr(is, '-') == NULL),
		    "properties of %s", name);
		found |= method_bit(method);
	}
	ck_assert_uint_eq(found, ((method_set)1 << METHOD_REGISTERED) - 1);
	ck_assert_uint_eq(find("GET", 3, NULL), METHOD_GET);
	ck_assert_uint_eq(find("QUERY", 5, NULL), METHOD_QUERY);
}
END_TEST

static unsigned
find_slowly(const char *token)
{
	unsigned i;

	for (i = 0; i < METHOD_REGISTERED; i++)
		if (slice_eq(method_name(i, NULL), slice_of(token)))
			return i;
	return METHOD_NONE;
}

START_TEST(one_other_byte_is_another_token)
{
	char token[METHOD_TOKEN_MAX + 1];
	unsigned i, byte;
	size_t k, len;

	for (i = 0; i < METHOD_REGISTERED; i++) {
		struct slice name = method_name(i, NULL);
		struct guarded g = guard_bytes(name.at, name.len);

		len = name.len;
		for (k = 0; k < len; k++)
			for (byte = 1; byte < 256; byte++) {
				memcpy(token, name.at, len);
				token[k] = g.at[k] = (char)byte;
				token[len] = '\0';
				ck_assert_uint_eq(
				    method_find(
					(struct slice){g.at, len}, NULL),
				    find_slowly(token));
				g.at[k] = name.at[k];
			}
		guard_free(&g);
	}
}
END_TEST

START_TEST(shorter_and_longer_tokens_are_other_tokens)
{
	char longer[64];
	unsigned i;
	size_t len;

	for (i = 0; i < METHOD_REGISTERED; i++) {
		struct slice name = method_name(i, NULL);

		for (len = 0; len < name.len; len++) {
			snprintf(
			    longer, sizeof(longer), "%.*s", (int)len, name.at);
			ck_assert_uint_eq(
			    find(name.at, len, NULL), find_slowly(longer));
		}
		for (len = 1; len < 20; len++) {
			memcpy(longer, name.at, name.len);
			memset(longer + name.len, 'X', len);
			ck_assert_uint_eq(
			    find(longer, name.len + len, NULL), METHOD_NONE);
		}
		longer[name.len] = '\0';
		ck_assert_uint_eq(
		    find(longer, name.len + 1, NULL), METHOD_NONE);
	}
	ck_assert_uint_eq(method_find(SLICE_NONE, NULL), METHOD_NONE);
	ck_assert_uint_eq(method_find(SLICE_NONE, &own), METHOD_NONE);
}
END_TEST

START_TEST(own_methods_follow_the_registered_ones)
{
	struct method_names full = {.count = METHOD_MAX - METHOD_REGISTERED};
	char names[METHOD_MAX][16];
	unsigned i;

	ck_assert_uint_eq(find("PURGE", 5, &own), METHOD_REGISTERED);
	ck_assert_uint_eq(find("LIST", 4, &own), METHOD_REGISTERED + 1);
	ck_assert_uint_eq(find("get", 3, &own), METHOD_REGISTERED + 2);
	ck_assert_uint_eq(find("GET", 3, &own), METHOD_GET);
	ck_assert_uint_eq(find("PURGE", 5, NULL), METHOD_NONE);
	ck_assert_uint_eq(find("purge", 5, &own), METHOD_NONE);
	ck_assert_uint_eq(find("PURG", 4, &own), METHOD_NONE);
	ck_assert(
	    slice_eq(method_name(METHOD_REGISTERED + 1, &own), SLICE("LIST")));
	for (i = 0; i < full.count; i++) {
		snprintf(names[i], sizeof(names[i]), "OWN%u", i);
		full.name[i] = slice_of(names[i]);
	}
	for (i = 0; i < full.count; i++) {
		unsigned method = find(names[i], strlen(names[i]), &full);

		ck_assert_uint_eq(method, METHOD_REGISTERED + i);
		ck_assert_uint_ne(method_bit(method), 0);
	}
}
END_TEST

START_TEST(own_methods_are_allowable_but_nothing_is_assumed_of_them)
{
	unsigned first = METHOD_REGISTERED;

	ck_assert(method_is_allowable(first));
	ck_assert(!method_is_safe(first));
	ck_assert(!method_is_idempotent(first));
	ck_assert(!method_is_allowable(METHOD_NONE));
	ck_assert(!method_is_allowable(METHOD_MAX));
	ck_assert(!method_is_safe(METHOD_NONE));
	ck_assert(!method_is_idempotent(METHOD_NONE));
	ck_assert_uint_eq(method_bit(METHOD_NONE), 0);
	ck_assert_uint_eq(method_bit(METHOD_MAX), 0);
}
END_TEST

START_TEST(numbers_without_a_method_have_no_name)
{
	ck_assert_ptr_null(method_name(METHOD_NONE, NULL).at);
	ck_assert_ptr_null(method_name(METHOD_NONE, &own).at);
	ck_assert_ptr_null(method_name(METHOD_REGISTERED, NULL).at);
	ck_assert_ptr_null(method_name(METHOD_REGISTERED + 3, &own).at);
}
END_TEST

START_TEST(case_alone_is_told_apart_from_unknown)
{
	ck_assert_uint_eq(method_find_nocase(SLICE("get"), NULL), METHOD_GET);
	ck_assert_uint_eq(method_find_nocase(SLICE("Version-Control"), NULL),
	    METHOD_VERSION_CONTROL);
	ck_assert_uint_eq(
	    method_find_nocase(SLICE("purge"), &own), METHOD_REGISTERED);
	ck_assert_uint_eq(
	    method_find_nocase(SLICE("purge"), NULL), METHOD_NONE);
	ck_assert_uint_eq(method_find_nocase(SLICE("gets"), NULL), METHOD_NONE);
	/* '\r' and '-', '@' and '`' differ by the bit that folds letters */
	ck_assert_uint_eq(
	    method_find_nocase(SLICE("version\rcontrol"), NULL), METHOD_NONE);
	ck_assert_uint_eq(method_find_nocase(SLICE_NONE, &own), METHOD_NONE);
}
END_TEST

START_TEST(named_sets_have_their_members)
{
	static const struct {
		const char *name, *members;
	} rows[] = {
	    {"@read", "GET, HEAD"},
	    {"@form", "GET, HEAD, POST"},
	    {"@rest", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
	    {"@query", "QUERY"},
	    {"@webdav", "GET, HEAD, PUT, DELETE, OPTIONS, COPY, LOCK, MKCOL, "
			"MOVE, PROPFIND, PROPPATCH, UNLOCK"},
	    {"@caldav", "OPTIONS, ACL, MKCALENDAR, PROPFIND, REPORT"},
	    {"@deltav",
		"OPTIONS, BASELINE-CONTROL, CHECKIN, CHECKOUT, LABEL, MERGE, "
		"MKACTIVITY, MKWORKSPACE, REPORT, UNCHECKOUT, UPDATE, "
		"VERSION-CONTROL"},
	};
	char out[METHOD_LIST_MAX];
	unsigned i;

	for (i = 0; i < COUNT(rows); i++) {
		ck_assert_str_eq(method_named_set_name(i), rows[i].name);
		method_set_print(method_named_set(slice_of(rows[i].name)), NULL,
		    out, sizeof(out));
		ck_assert_str_eq(out, rows[i].members);
	}
	ck_assert_ptr_null(method_named_set_name(COUNT(rows)));
	ck_assert_uint_eq(method_named_set(SLICE("@READ")), 0);
	ck_assert_uint_eq(method_named_set(SLICE("read")), 0);
	ck_assert_uint_eq(method_named_set(SLICE("@")), 0);
	ck_assert_uint_eq(method_named_set(SLICE_NONE), 0);
}
END_TEST

START_TEST(sets_are_printed_as_in_allow)
{
	method_set purge = method_bit(METHOD_REGISTERED);
	method_set get = method_bit(METHOD_GET), put = method_bit(METHOD_PUT);
	char out[METHOD_LIST_MAX];

	ck_assert_uint_eq(method_set_print(0, NULL, out, sizeof(out)), 0);
	ck_assert_str_eq(out, "");
	ck_assert_uint_eq(
	    method_set_print(put | get | purge, &own, out, sizeof(out)), 15);
	ck_assert_str_eq(out, "GET, PUT, PURGE");
	method_set_print(get | purge, NULL, out, sizeof(out));
	ck_assert_str_eq(out, "GET");
}
END_TEST

START_TEST(a_list_that_does_not_fit_ends_with_a_whole_name)
{
	method_set set = method_bit(METHOD_GET) | method_bit(METHOD_HEAD);
	char out[16];
	size_t size;

	for (size = 1; size <= sizeof(out); size++) {
		const char *wanted = size <= 3	 ? ""
				     : size <= 9 ? "GET"
						 : "GET, HEAD";

		memset(out, 'x', sizeof(out));
		ck_assert_uint_eq(
		    method_set_print(set, NULL, out, size), strlen(wanted));
		ck_assert_str_eq(out, wanted);
	}
}
END_TEST

START_TEST(the_longest_list_fits)
{
	struct method_names full = {.count = METHOD_MAX - METHOD_REGISTERED};
	char names[METHOD_MAX][METHOD_TOKEN_MAX + 1], *out;
	unsigned i, commas = 0;
	size_t len;

	for (i = 0; i < full.count; i++) {
		snprintf(names[i], sizeof(names[i]), "%032u", i);
		full.name[i] = slice_of(names[i]);
	}
	out = malloc(METHOD_LIST_MAX);
	ck_assert_ptr_nonnull(out);
	len = method_set_print(~(method_set)0, &full, out, METHOD_LIST_MAX);
	ck_assert_uint_eq(len, strlen(out));
	for (i = 0; i < len; i++)
		commas += out[i] == ',';
	ck_assert_uint_eq(commas, METHOD_MAX - 1);
	free(out);
}
END_TEST

START_TEST(a_misspelt_method_has_a_nearest_one)
{
	static const struct {
		const char *token, *nearest;
	} rows[] = {
	    {"get", "GET"},
	    {"GTE", "GET"},
	    {"PSOT", "POST"},
	    {"delte", "DELETE"},
	    {"DELET", "DELETE"},
	    {"DELEETE", "DELETE"},
	    {"OPTION", "OPTIONS"},
	    {"PROFIND", "PROPFIND"},
	    {"VERSION_CONTROL", "VERSION-CONTROL"},
	    {"PURG", "PURGE"},
	    {"LSIT", "LIST"},
	    {"CONNEC", ""},
	    {"TRAC", ""},
	    {"BREW", ""},
	    {"XX", ""},
	    {"X", ""},
	    {"", ""},
	    {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ""},
	    {"GETAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ""},
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct slice got =
		    method_nearest(slice_of(rows[i].token), &own);

		ck_assert_msg(slice_eq(got, slice_of(rows[i].nearest)),
		    "%s gives '%.*s'", rows[i].token, SLICE_ARG(got));
	}
	ck_assert_uint_eq(method_nearest(SLICE("PURG"), NULL).len, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("method");
	TCase *tcase = tcase_create("method");
	SRunner *runner;
	int failed;

	tcase_add_test(
	    tcase, every_registered_method_is_found_with_its_properties);
	tcase_add_test(tcase, one_other_byte_is_another_token);
	tcase_add_test(tcase, shorter_and_longer_tokens_are_other_tokens);
	tcase_add_test(tcase, own_methods_follow_the_registered_ones);
	tcase_add_test(
	    tcase, own_methods_are_allowable_but_nothing_is_assumed_of_them);
	tcase_add_test(tcase, numbers_without_a_method_have_no_name);
	tcase_add_test(tcase, case_alone_is_told_apart_from_unknown);
	tcase_add_test(tcase, named_sets_have_their_members);
	tcase_add_test(tcase, sets_are_printed_as_in_allow);
	tcase_add_test(tcase, a_list_that_does_not_fit_ends_with_a_whole_name);
	tcase_add_test(tcase, the_longest_list_fits);
	tcase_add_test(tcase, a_misspelt_method_has_a_nearest_one);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
