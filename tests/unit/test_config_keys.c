/* SPDX-License-Identifier: ISC */
/* Values of keys, as they are written and as they are told. */
#include <check.h>
#include <stdlib.h>

#include "config.h"
#include "config_keys.h"

START_TEST(a_value_is_told_in_its_largest_unit)
{
	static const struct {
		enum config_key_id key;
		const char *written, *told;
	} rows[] = {
	    {KEY_WORKERS, "auto", "auto"},
	    {KEY_WORKERS, "7", "7"},
	    {KEY_MAX_CONNECTIONS_PER_CLIENT, "0", "0"},
	    {KEY_MAX_CONNECTIONS, "1024", "1024"},
	    {KEY_HEAD_LIMIT, "2048", "2k"},
	    {KEY_HEAD_LIMIT, "2049", "2049"},
	    {KEY_BODY_LIMIT, "0", "0"},
	    {KEY_BODY_LIMIT, "3g", "3g"},
	    {KEY_HEAD_TIMEOUT, "90s", "90s"},
	    {KEY_HEAD_TIMEOUT, "120s", "2m"},
	    {KEY_HEAD_TIMEOUT, "24h", "1d"},
	    {KEY_DRAIN_TIMEOUT, "0", "0"},
	    {KEY_CONNECT_TIMEOUT, "1500ms", "1500ms"},
	    {KEY_CONNECT_TIMEOUT, "3000ms", "3s"},
	    {KEY_ACCESS_LOG_SELECT, "all", "all"},
	    {KEY_ACCESS_LOG_SELECT, "flagged", "flagged"},
	    {KEY_HEAD, "explicit", "explicit"},
	    {KEY_HEAD, "with-get", "with-get"},
	    {KEY_TLS_MIN, "1.3", "1.3"},
	};
	char told[CONFIG_VALUE_MAX], why[CONFIG_WHY_MAX];
	union {
		struct gate_config gate;
		struct site site;
		struct upstream_config upstream;
		struct location location;
	} base;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct config_key *key = &config_keys[rows[i].key];

		memset(&base, 0xff, sizeof(base));
		ck_assert(
		    config_key_set(key, &base, slice_of(rows[i].written), why));
		config_key_print(key, &base, told);
		ck_assert_str_eq(told, rows[i].told);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("config_keys");
	TCase *tcase = tcase_create("config_keys");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, a_value_is_told_in_its_largest_unit);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
