/* SPDX-License-Identifier: ISC */
/* Which address an exchange gets, and the next ones. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "upstream.h"

#define ADDRS_MAX 4

static struct addr addrs[ADDRS_MAX][ADDRS_MAX];

/* An upstream whose servers have that many addresses each. */
struct made {
	struct config config;
	struct upstream_config upstream, other;
	struct upstream_config *list[2];
	struct server_config servers[ADDRS_MAX];
};

static void
make(struct made *made, const char *counts)
{
	memset(made, 0, sizeof(*made));
	made->upstream.servers = made->servers;
	made->upstream.server_count = (unsigned)strlen(counts);
	made->upstream.index = 1;
	made->other = made->upstream;
	made->other.index = 0;
	made->list[0] = &made->other;
	made->list[1] = &made->upstream;
	made->config.upstreams = made->list;
	made->config.upstream_count = 2;
	for (unsigned i = 0; counts[i] != '\0'; i++) {
		made->servers[i].addrs = addrs[i];
		made->servers[i].addr_count = (unsigned)(counts[i] - '0');
	}
}

/* All that one exchange is given: "a0 a1 b0". */
static void
expect_given(
    struct upstreams *upstreams, const struct made *made, const char *wanted)
{
	struct upstream_choice choice = {.tried = 0};
	char given[128] = "";
	size_t len = 0;

	while (upstream_choose(upstreams, &made->upstream, &choice)) {
		size_t server = (size_t)(choice.server - made->servers);

		ck_assert_uint_lt(len, sizeof(given) - 4);
		ck_assert_uint_lt(server, made->upstream.server_count);
		len += (size_t)snprintf(given + len, sizeof(given) - len,
		    "%s%c%d", len > 0 ? " " : "", (char)('a' + (int)server),
		    (int)(choice.addr - addrs[server]));
	}
	ck_assert_str_eq(given, wanted);
	ck_assert(!upstream_choose(upstreams, &made->upstream, &choice));
}

START_TEST(servers_take_turns)
{
	struct made made;
	struct upstreams *upstreams;

	make(&made, "111");
	upstreams = upstreams_new(&made.config);
	for (unsigned i = 0; i < 7; i++) {
		struct upstream_choice choice = {.tried = 0};

		ck_assert(upstream_choose(upstreams, &made.upstream, &choice));
		ck_assert_ptr_eq(choice.server, &made.servers[i % 3]);
		ck_assert_ptr_eq(choice.addr, addrs[i % 3]);
		ck_assert_uint_eq(choice.tried, 1);
	}
	upstreams_free(upstreams);
	upstreams_free(NULL);
}
END_TEST

START_TEST(each_address_is_given_once_then_none_is_left)
{
	static const struct {
		const char *counts, *given[3]; /* to three exchanges */
	} rows[] = {
	    {"1", {"a0", "a0", "a0"}},
	    {"3", {"a0 a1 a2", "a0 a1 a2", "a0 a1 a2"}},
	    {"11", {"a0 b0", "b0 a0", "a0 b0"}},
	    {"21", {"a0 a1 b0", "b0 a0 a1", "a0 a1 b0"}},
	    {"123", {"a0 b0 b1 c0 c1 c2", "b0 b1 c0 c1 c2 a0",
			"c0 c1 c2 a0 b0 b1"}},
	    {"010", {"b0", "b0", "b0"}},
	    {"102", {"a0 c0 c1", "c0 c1 a0", "c0 c1 a0"}},
	    {"0", {"", "", ""}},
	    {"00", {"", "", ""}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct made made;
		struct upstreams *upstreams;

		make(&made, rows[i].counts);
		upstreams = upstreams_new(&made.config);
		for (unsigned j = 0; j < 3; j++)
			expect_given(upstreams, &made, rows[i].given[j]);
		upstreams_free(upstreams);
	}
}
END_TEST

/* A second upstream's exchanges do not move the first one's turn. */
START_TEST(upstreams_have_turns_of_their_own)
{
	struct upstream_choice choice = {.tried = 0};
	struct made made;
	struct upstreams *upstreams;

	make(&made, "11");
	upstreams = upstreams_new(&made.config);
	ck_assert(upstream_choose(upstreams, &made.other, &choice));
	ck_assert_ptr_eq(choice.server, &made.servers[0]);
	expect_given(upstreams, &made, "a0 b0");
	choice = (struct upstream_choice){.tried = 0};
	ck_assert(upstream_choose(upstreams, &made.other, &choice));
	ck_assert_ptr_eq(choice.server, &made.servers[1]);
	upstreams_free(upstreams);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("upstream");
	TCase *tcase = tcase_create("upstream");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, servers_take_turns);
	tcase_add_test(tcase, each_address_is_given_once_then_none_is_left);
	tcase_add_test(tcase, upstreams_have_turns_of_their_own);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
