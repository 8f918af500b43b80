/* SPDX-License-Identifier: ISC */
/* What is listened on, as one configuration follows another. */
#include <check.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "entrances.h"
#include "fake_server.h"

#define WORKERS 2
#define MOST 8

static struct loop loop;
static struct entrances *entrances;
static unsigned descriptors;
static unsigned accepted, accepted_id;

static void
on_accept(void *arg, int fd, const struct addr *peer, unsigned id)
{
	ck_assert_ptr_eq(arg, &accepted);
	ck_assert_int_eq(peer->sa.ss_family, AF_UNIX);
	accepted++;
	accepted_id = id;
	close(fd);
}

static void
set_up(void)
{
	descriptors = fake_descriptors();
	loop_init(&loop);
	accepted = 0;
	entrances = entrances_new(
	    &loop, WORKERS, (struct entrances_owner){on_accept, &accepted});
}

static void
tear_down(void)
{
	entrances_free(entrances);
	loop_done(&loop);
	ck_assert_uint_eq(fake_descriptors(), descriptors);
}

/* ---- configurations with nothing but addresses ---- */

struct asked {
	struct config config;
	struct listen_config *at[MOST], listens[MOST];
	char text[MOST][64];
};

static struct listen_config *
ask(struct asked *asked, const char *text)
{
	unsigned n = asked->config.listen_count++;
	struct listen_config *listen = &asked->listens[n];

	ck_assert_uint_lt(n, MOST);
	snprintf(asked->text[n], sizeof(asked->text[n]), "%s", text);
	listen->text = slice_of(asked->text[n]);
	ck_assert(addr_parse(listen->text, &listen->addr));
	listen->file_options = (struct listen_file){0660, (uid_t)-1, (gid_t)-1};
	listen->file = "t.ini";
	listen->line = n + 1;
	asked->at[n] = listen;
	asked->config.listens = asked->at;
	return listen;
}

static const char *
port_text(unsigned host, unsigned port)
{
	static char text[64];

	snprintf(text, sizeof(text), "127.0.0.%u:%u", host, port);
	return text;
}

static const char *
path_text(const char *name)
{
	static char text[64];

	snprintf(
	    text, sizeof(text), "unix:/tmp/mg-e-%d-%s", (int)getpid(), name);
	return text;
}

static unsigned
free_port(void)
{
	struct addr addr;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert(addr_parse(SLICE("127.0.0.1:0"), &addr));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr.sa, addr.len), 0);
	addr.len = sizeof(addr.sa);
	getsockname(fd, (struct sockaddr *)&addr.sa, &addr.len);
	close(fd);
	return addr_port(&addr);
}

static void
expect_change(struct entrances_change change, unsigned kept, unsigned opened,
    unsigned closed)
{
	ck_assert_uint_eq(change.kept, kept);
	ck_assert_uint_eq(change.opened, opened);
	ck_assert_uint_eq(change.closed, closed);
}

static void
take(struct asked *asked, unsigned kept, unsigned opened, unsigned closed)
{
	ck_assert_uint_eq(entrances_prepare(entrances, &asked->config), 0);
	expect_change(entrances_commit(entrances), kept, opened, closed);
}

/* What a worker gets; it closes its sockets at once, where it has any. */
static unsigned
count_sockets(unsigned worker, const struct asked *asked)
{
	struct entrance list[MOST];
	unsigned count = entrances_list(entrances, worker, list), sockets = 0;

	ck_assert_uint_eq(count, asked->config.listen_count);
	for (unsigned i = 0; i < count; i++) {
		ck_assert_uint_gt(list[i].id, 0);
		if (list[i].fd < 0)
			continue;
		close(list[i].fd);
		sockets++;
	}
	return sockets;
}

static bool
can_connect(const struct addr *addr)
{
	int fd = socket(addr->sa.ss_family, SOCK_STREAM, 0);
	bool can =
	    connect(fd, (const struct sockaddr *)&addr->sa, addr->len) == 0;

	close(fd);
	return can;
}

static unsigned
mode_of(const struct listen_config *listen)
{
	struct stat there;

	if (stat(listen->text.at + 5, &there) != 0)
		return 0;
	return there.st_mode & 0777;
}

/* ---- tests ---- */

START_TEST(each_worker_gets_its_own_socket_of_a_port_once)
{
	struct asked asked = {.config = {.listen_count = 0}};
	unsigned port = free_port();

	ask(&asked, port_text(1, port));
	ask(&asked, port_text(2, port));
	take(&asked, 0, 2, 0);
	ck_assert(can_connect(&asked.listens[0].addr));
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_uint_eq(count_sockets(i, &asked), 2);
	take(&asked, 2, 0, 0);
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_uint_eq(count_sockets(i, &asked), 0);
}
END_TEST

START_TEST(what_stays_keeps_its_id_and_what_comes_again_gets_another)
{
	struct asked both = {.config = {.listen_count = 0}}, one = both;
	struct entrance before[MOST], after[MOST];

	ask(&both, path_text("a"));
	ask(&both, path_text("b"));
	ask(&one, path_text("b"));
	take(&both, 0, 2, 0);
	entrances_list(entrances, 0, before);
	take(&one, 1, 0, 1);
	ck_assert_uint_eq(entrances_list(entrances, 0, after), 1);
	ck_assert_uint_eq(after[0].id, before[1].id);
	ck_assert_ptr_eq(after[0].listen, &one.listens[0]);
	take(&both, 1, 1, 0);
	ck_assert_uint_eq(entrances_list(entrances, 0, after), 2);
	ck_assert_uint_eq(after[0].id, before[1].id);
	ck_assert_uint_gt(after[1].id, before[1].id);
}
END_TEST

START_TEST(unix_sockets_are_accepted_here_and_their_files_come_and_go)
{
	struct asked asked = {.config = {.listen_count = 0}}, none = asked;
	struct listen_config *door = ask(&asked, path_text("a"));
	struct entrance list[MOST];

	take(&asked, 0, 1, 0);
	entrances_list(entrances, 0, list);
	ck_assert_int_eq(list[0].fd, -1);
	ck_assert_uint_eq(mode_of(door), 0660);
	ck_assert(can_connect(&door->addr));
	event_base_loop(loop.base, EVLOOP_ONCE);
	ck_assert_uint_eq(accepted, 1);
	ck_assert_uint_eq(accepted_id, list[0].id);
	/* who waits is taken before it closes */
	ck_assert(can_connect(&door->addr));
	take(&none, 0, 0, 1);
	ck_assert_uint_eq(accepted, 2);
	ck_assert_uint_eq(mode_of(door), 0);
}
END_TEST

START_TEST(that_there_is_no_descriptor_is_counted)
{
	struct asked asked = {.config = {.listen_count = 0}};
	struct listen_config *door = ask(&asked, path_text("n"));
	struct rlimit before, none;

	take(&asked, 0, 1, 0);
	ck_assert_uint_eq(entrances_pauses(entrances), 0);
	ck_assert(can_connect(&door->addr));
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	event_base_loop(loop.base, EVLOOP_ONCE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_uint_eq(accepted, 0);
	ck_assert_uint_eq(entrances_pauses(entrances), 1);
}
END_TEST

START_TEST(a_mode_changes_in_place)
{
	struct asked asked = {.config = {.listen_count = 0}}, other;
	struct listen_config *door = ask(&asked, path_text("a"));

	take(&asked, 0, 1, 0);
	memset(&other, 0, sizeof(other));
	ask(&other, path_text("a"))->file_options.mode = 0600;
	take(&other, 1, 0, 0);
	ck_assert_uint_eq(mode_of(door), 0600);
	ck_assert(can_connect(&door->addr));
	take(&asked, 1, 0, 0);
	ck_assert_uint_eq(mode_of(door), 0660);
}
END_TEST

START_TEST(where_one_cannot_be_opened_nothing_changes)
{
	struct asked asked = {.config = {.listen_count = 0}}, other;
	struct listen_config *door = ask(&asked, path_text("a"));
	unsigned before, port = free_port();
	struct addr taken;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	take(&asked, 0, 1, 0);
	ck_assert(addr_parse(slice_of(port_text(1, port)), &taken));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&taken.sa, taken.len), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	before = fake_descriptors();
	memset(&other, 0, sizeof(other));
	ask(&other, path_text("a"))->file_options.mode = 0600;
	ask(&other, path_text("b"));
	ask(&other, port_text(2, port));
	ask(&other, port_text(1, port));
	ck_assert_uint_eq(entrances_prepare(entrances, &other.config), 1);
	ck_assert_uint_eq(fake_descriptors(), before);
	ck_assert_uint_eq(mode_of(door), 0660);
	ck_assert_uint_eq(mode_of(&other.listens[1]), 0);
	ck_assert(can_connect(&door->addr));
	close(fd);
	take(&other, 1, 3, 0);
	ck_assert_uint_eq(mode_of(door), 0600);
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_uint_eq(count_sockets(i, &other), 2);
}
END_TEST

START_TEST(a_file_that_is_not_ours_any_more_is_told_and_the_others_stay)
{
	struct asked asked = {.config = {.listen_count = 0}}, other;
	struct listen_config *first = ask(&asked, path_text("a"));
	struct listen_config *second = ask(&asked, path_text("b"));

	take(&asked, 0, 2, 0);
	ck_assert_int_eq(unlink(second->text.at + 5), 0);
	memset(&other, 0, sizeof(other));
	ask(&other, path_text("a"))->file_options.mode = 0600;
	ask(&other, path_text("b"))->file_options.mode = 0600;
	ck_assert_uint_eq(entrances_prepare(entrances, &other.config), 1);
	ck_assert_uint_eq(mode_of(first), 0660);
	take(&asked, 2, 0, 0);
}
END_TEST

/* The workers still listen at the old address. */
START_TEST(an_address_that_holds_one_that_goes_takes_its_port)
{
	struct asked narrow = {.config = {.listen_count = 0}}, wide = narrow;
	unsigned port = free_port();
	struct entrance list[MOST];
	char text[16];

	ask(&narrow, port_text(1, port));
	snprintf(text, sizeof(text), "*:%u", port);
	ask(&wide, text);
	take(&narrow, 0, 1, 0);
	ck_assert_uint_eq(entrances_list(entrances, 0, list), 1);
	take(&wide, 0, 1, 1);
	close(list[0].fd);
	ck_assert(can_connect(&narrow.listens[0].addr));
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_uint_eq(count_sockets(i, &wide), 1);
}
END_TEST

START_TEST(what_was_prepared_can_be_undone)
{
	struct asked asked = {.config = {.listen_count = 0}}, none = asked;
	struct listen_config *door = ask(&asked, path_text("a"));

	ck_assert_uint_eq(entrances_prepare(entrances, &asked.config), 0);
	ck_assert_uint_eq(mode_of(door), 0660);
	entrances_undo(entrances);
	ck_assert_uint_eq(mode_of(door), 0);
	take(&none, 0, 0, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("entrances");
	TCase *tcase = tcase_create("entrances");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, each_worker_gets_its_own_socket_of_a_port_once);
	tcase_add_test(
	    tcase, what_stays_keeps_its_id_and_what_comes_again_gets_another);
	tcase_add_test(
	    tcase, unix_sockets_are_accepted_here_and_their_files_come_and_go);
	tcase_add_test(tcase, that_there_is_no_descriptor_is_counted);
	tcase_add_test(tcase, a_mode_changes_in_place);
	tcase_add_test(tcase, where_one_cannot_be_opened_nothing_changes);
	tcase_add_test(tcase,
	    a_file_that_is_not_ours_any_more_is_told_and_the_others_stay);
	tcase_add_test(
	    tcase, an_address_that_holds_one_that_goes_takes_its_port);
	tcase_add_test(tcase, what_was_prepared_can_be_undone);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
