/* SPDX-License-Identifier: ISC */
/* Sockets that listen: where, who comes in, and what happens when descriptors
 * run out. */
#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <glob.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_server.h"
#include "listener.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TURNS 1000 /* of the loop at most */
#define MANY 100   /* clients: more than are accepted at once */

struct door_keeper {
	struct loop loop;
	struct listener *listener;
	struct addr addr; /* where it listens */
	unsigned accepted, turns, pauses;
	int fds[MANY];
	struct addr peers[MANY];
};

static void
on_accept(void *arg, int fd, const struct addr *peer)
{
	struct door_keeper *k = arg;

	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_uint_lt(k->accepted, MANY);
	k->fds[k->accepted] = fd;
	k->peers[k->accepted++] = *peer;
}

static void
on_paused(void *arg)
{
	((struct door_keeper *)arg)->pauses++;
}

/* Port 0 is any free port. */
static int
bind_to(const char *text, struct addr *addr)
{
	struct listen_config config = {.text = slice_of(text)};
	struct listener_file file;
	int fd;

	ck_assert(addr_parse(config.text, &config.addr));
	fd = listener_bind(&config, &file);
	ck_assert_uint_eq(file.inode, 0);
	if (fd < 0)
		return fd;
	addr->len = sizeof(addr->sa);
	ck_assert_int_eq(
	    getsockname(fd, (struct sockaddr *)&addr->sa, &addr->len), 0);
	return fd;
}

static void
open_door(struct door_keeper *k)
{
	struct listener_owner owner = {on_accept, k, on_paused};
	int fd;

	memset(k, 0, sizeof(*k));
	fd = bind_to("127.0.0.1:0", &k->addr);
	ck_assert_int_ge(fd, 0);
	loop_init(&k->loop);
	k->listener = listener_new(&k->loop, fd, owner);
}

static void
close_door(struct door_keeper *k)
{
	listener_free(k->listener);
	while (k->accepted > 0)
		close(k->fds[--k->accepted]);
	loop_done(&k->loop);
}

static void
wait_for(struct door_keeper *k, unsigned accepted)
{
	for (; k->turns < TURNS && k->accepted < accepted; k->turns++)
		event_base_loop(k->loop.base, EVLOOP_ONCE);
	ck_assert_uint_eq(k->accepted, accepted);
}

/* A client speaks first, or it would be let in only after a second. */
static int
call(const struct addr *addr)
{
	int fd = socket(addr->sa.ss_family, SOCK_STREAM, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
	    connect(fd, (const struct sockaddr *)&addr->sa, addr->len), 0);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	return fd;
}

static int
option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

START_TEST(a_connection_comes_with_its_peer)
{
	struct door_keeper k;
	struct addr own = {.len = sizeof(own.sa)};
	int client;

	open_door(&k);
	client = call(&k.addr);
	getsockname(client, (struct sockaddr *)&own.sa, &own.len);
	wait_for(&k, 1);
	ck_assert(addr_eq(&k.peers[0], &own));
	close(client);
	close_door(&k);
}
END_TEST

START_TEST(all_who_wait_are_let_in)
{
	unsigned before = fake_descriptors();
	int clients[MANY];
	struct door_keeper k;

	open_door(&k);
	for (unsigned i = 0; i < MANY; i++)
		clients[i] = call(&k.addr);
	wait_for(&k, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		close(clients[i]);
		for (unsigned j = 0; j < i; j++)
			ck_assert(!addr_eq(&k.peers[i], &k.peers[j]));
	}
	close_door(&k);
	ck_assert_uint_eq(fake_descriptors(), before);
}
END_TEST

START_TEST(a_closed_listener_lets_nobody_in)
{
	struct door_keeper k;
	int client = socket(AF_INET, SOCK_STREAM, 0);

	open_door(&k);
	listener_free(k.listener);
	k.listener = NULL;
	event_base_loop(k.loop.base, EVLOOP_NONBLOCK);
	ck_assert_int_ne(
	    connect(client, (struct sockaddr *)&k.addr.sa, k.addr.len), 0);
	ck_assert_int_eq(errno, ECONNREFUSED);
	close(client);
	close_door(&k);
}
END_TEST

/* Returns the limit as it was; in a process of the test's own. */
static struct rlimit
take_descriptors_away(void)
{
	struct rlimit before, none;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	return before;
}

START_TEST(without_descriptors_accepting_pauses_and_goes_on)
{
	struct door_keeper k;
	struct rlimit limit;
	uint64_t began;
	int client;

	open_door(&k);
	client = call(&k.addr);
	limit = take_descriptors_away();
	began = loop_now();
	event_base_loop(k.loop.base, EVLOOP_ONCE);
	ck_assert_uint_eq(k.accepted, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	wait_for(&k, 1);
	ck_assert_uint_ge(loop_now() - began, 1000);
	ck_assert_uint_lt(k.turns, 20); /* the loop was not busy */
	ck_assert_uint_eq(k.pauses, 1);
	close(client);
	close_door(&k);
}
END_TEST

/* Each pause is told to the owner; in the log only the first of a second. */
START_TEST(a_pause_ends_as_soon_as_a_descriptor_is_free)
{
	char path[] = "/tmp/listener.XXXXXX", text[1024] = "";
	int log = mkstemp(path), before = dup(STDERR_FILENO), client;
	struct door_keeper k;
	struct rlimit limit;
	uint64_t began;

	ck_assert_int_eq(unlink(path), 0);
	open_door(&k);
	client = call(&k.addr);
	dup2(log, STDERR_FILENO);
	limit = take_descriptors_away();
	began = loop_now();
	for (unsigned i = 0; i < TURNS && k.pauses < 5; i++) {
		event_base_loop(k.loop.base, EVLOOP_ONCE);
		listener_resume(k.listener);
	}
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	wait_for(&k, 1);
	dup2(before, STDERR_FILENO);
	close(before);
	ck_assert_uint_eq(k.pauses, 5);
	ck_assert_uint_lt(loop_now() - began, 1000);
	ck_assert_uint_eq(k.loop.armed, 0);
	ck_assert_int_gt(pread(log, text, sizeof(text) - 1, 0), 0);
	ck_assert_ptr_nonnull(strstr(text, "accepting pauses"));
	ck_assert_ptr_null(strstr(strchr(text, '\n') + 1, "accepting pauses"));
	close(log);
	listener_resume(k.listener); /* of one that does not pause: nothing */
	close(client);
	close_door(&k);
}
END_TEST

START_TEST(a_listener_that_pauses_can_be_closed)
{
	struct door_keeper k;
	struct rlimit limit;
	int client;

	open_door(&k);
	client = call(&k.addr);
	limit = take_descriptors_away();
	event_base_loop(k.loop.base, EVLOOP_ONCE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_uint_eq(k.loop.armed, 1);
	listener_free(k.listener);
	k.listener = NULL;
	ck_assert_uint_eq(k.loop.armed, 0);
	close(client);
	close_door(&k);
	listener_free(NULL);
}
END_TEST

START_TEST(a_bound_socket_has_what_it_needs)
{
	struct addr addr;
	int fd = bind_to("127.0.0.1:0", &addr);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	close(fd);
}
END_TEST

#define SHARERS 3

/* A port that is free now, as "127.0.0.1:N". */
static struct listen_config
free_port(char text[32])
{
	struct listen_config config = {0};
	struct addr addr;
	int fd = bind_to("127.0.0.1:0", &addr);

	ck_assert_int_ge(fd, 0);
	close(fd);
	snprintf(text, 32, "127.0.0.1:%u", addr_port(&addr));
	config.text = slice_of(text);
	ck_assert(addr_parse(config.text, &config.addr));
	return config;
}

START_TEST(workers_share_a_port_and_nobody_else_gets_in)
{
	unsigned before = fake_descriptors(), accepted = 0;
	int fds[SHARERS], clients[MANY], others[SHARERS], fd;
	struct listener_file file;
	char text[32];
	struct listen_config config = free_port(text);

	ck_assert(listener_bind_all(&config, fds, SHARERS, &file));
	ck_assert(!listener_bind_all(&config, others, SHARERS, &file));
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_int_eq(listener_bind(&config, &file), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	for (unsigned i = 0; i < MANY; i++)
		clients[i] = call(&config.addr);
	for (unsigned i = 0; i < SHARERS; i++) {
		unsigned own = 0;

		while ((fd = accept(fds[i], NULL, NULL)) >= 0) {
			close(fd);
			own++;
		}
		ck_assert_uint_gt(own, 0);
		accepted += own;
		close(fds[i]);
	}
	ck_assert_uint_eq(accepted, MANY);
	for (unsigned i = 0; i < MANY; i++)
		close(clients[i]);
	ck_assert_uint_eq(fake_descriptors(), before);
}
END_TEST

/* Two gates that start in the same moment: both are past bind(2), as it lets
 * several in that do not listen yet. */
static int
bind_only(const struct addr *addr)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	ck_assert_int_eq(
	    bind(fd, (const struct sockaddr *)&addr->sa, addr->len), 0);
	return fd;
}

START_TEST(of_two_that_come_at_once_one_gets_the_port)
{
	char text[32];
	struct listen_config config = free_port(text);
	int other = bind_only(&config.addr), fds[SHARERS];
	struct listener_file file;

	ck_assert(listener_bind_all(&config, fds, SHARERS, &file));
	ck_assert_int_eq(listen(other, 1), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	close(other);
	for (unsigned i = 0; i < SHARERS; i++)
		close(fds[i]);
}
END_TEST

START_TEST(a_star_takes_both_families_and_brackets_only_one)
{
	static const struct {
		const char *text;
		int only_v6;
	} rows[] = {{"*:0", 0}, {"[::]:0", 1}, {"[::1]:0", 1}};
	struct addr addr;

	for (size_t i = 0; i < COUNT(rows); i++) {
		int fd = bind_to(rows[i].text, &addr);

		if (fd < 0) { /* a machine without IPv6 */
			ck_assert(
			    errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
			continue;
		}
		ck_assert_int_eq(
		    option(fd, IPPROTO_IPV6, IPV6_V6ONLY), rows[i].only_v6);
		close(fd);
	}
}
END_TEST

START_TEST(a_failed_bind_tells_why_and_keeps_nothing)
{
	unsigned before = fake_descriptors();
	struct addr addr;

	/* an address that is nobody's (RFC 5737) */
	ck_assert_int_eq(bind_to("192.0.2.1:0", &addr), -1);
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
	ck_assert_uint_eq(fake_descriptors(), before);
}
END_TEST

static struct listen_config
unix_config(const char *name)
{
	static char text[64];
	struct listen_config config = {
	    .file_options = {0620, (uid_t)-1, (gid_t)-1}};

	snprintf(text, sizeof(text), "unix:/tmp/mg-%d-%s", (int)getpid(), name);
	config.text = slice_of(text);
	ck_assert(addr_parse(config.text, &config.addr));
	return config;
}

/* Instead of the system's: who gives files away needs a right that the gate has
 * not. What is to be seen of the file at that time is kept. */
static const char *given_path;
static ino_t seen_at_given; /* 0: no file there */
static uid_t given_uid;
static gid_t given_gid;
static unsigned given;

int
lchown(const char *path, uid_t uid, gid_t gid)
{
	struct stat there;

	ck_assert_int_eq(lstat(path, &there), 0);
	ck_assert_uint_eq(there.st_mode & 0007, 0);
	seen_at_given = lstat(given_path, &there) == 0 ? there.st_ino : 0;
	given_uid = uid;
	given_gid = gid;
	given++;
	if (uid == 0)
		return 0;
	errno = EPERM;
	return -1;
}

static unsigned
files_like(const char *path)
{
	char pattern[80];
	unsigned count;
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s*", path);
	count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
	globfree(&found);
	return count;
}

START_TEST(a_unix_socket_has_the_mode_that_it_is_given)
{
	struct listen_config config = unix_config("mode");
	const char *path = config.text.at + 5;
	struct listener_file file;
	struct stat there;
	int fd = listener_bind(&config, &file);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(lstat(path, &there), 0);
	ck_assert_int_eq(there.st_mode & 07777, 0620);
	ck_assert_uint_eq(file.inode, there.st_ino);
	ck_assert_uint_eq(files_like(path), 1);
	ck_assert_uint_eq(given, 0);
	listener_remove(&config, &file);
	ck_assert_uint_eq(files_like(path), 0);
	listener_remove(&config, &file);
	close(fd);
}
END_TEST

START_TEST(a_unix_socket_that_is_served_is_nobody_else_s)
{
	struct listen_config config = unix_config("served");
	const char *path = config.text.at + 5;
	struct listener_file file, other;
	unsigned before;
	struct stat there;
	int fd = listener_bind(&config, &file);

	ck_assert_int_ge(fd, 0);
	before = fake_descriptors();
	ck_assert_int_lt(listener_bind(&config, &other), 0);
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_str_eq(
	    listener_error(&config, errno), "another process serves it");
	ck_assert_uint_eq(other.inode, 0);
	ck_assert_uint_eq(fake_descriptors(), before);
	ck_assert_int_eq(lstat(path, &there), 0);
	ck_assert_uint_eq(file.inode, there.st_ino);
	ck_assert_uint_eq(files_like(path), 1);
	listener_remove(&config, &file);
	close(fd);
}
END_TEST

/* Ours is made before the stale one goes, so that it has an inode of its own,
 * and who left that does not take ours for it. */
START_TEST(a_stale_unix_socket_is_replaced_by_one_that_is_ready)
{
	struct listen_config config = unix_config("stale");
	const char *path = config.text.at + 5;
	struct listener_file stale, file;
	struct stat there;
	int fd = listener_bind(&config, &stale);

	ck_assert_int_ge(fd, 0);
	close(fd);
	given_path = path;
	config.file_options.uid = 0;
	config.file_options.gid = 7;
	fd = listener_bind(&config, &file);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(given, 1);
	ck_assert_uint_eq(given_uid, 0);
	ck_assert_uint_eq(given_gid, 7);
	ck_assert_uint_eq(seen_at_given, stale.inode);
	ck_assert_uint_ne(file.inode, stale.inode);
	listener_remove(&config, &stale);
	ck_assert_int_eq(lstat(path, &there), 0);
	ck_assert_uint_eq(there.st_ino, file.inode);
	ck_assert_uint_eq(files_like(path), 1);
	listener_remove(&config, &file);
	close(fd);
}
END_TEST

START_TEST(a_unix_socket_that_can_t_be_given_away_is_not_there)
{
	struct listen_config config = unix_config("owner");
	const char *path = config.text.at + 5;
	unsigned before = fake_descriptors();
	struct listener_file file;

	given_path = path;
	config.file_options.uid = 1;
	ck_assert_int_lt(listener_bind(&config, &file), 0);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_uint_eq(given, 1);
	ck_assert_uint_eq(seen_at_given, 0);
	ck_assert_uint_eq(file.inode, 0);
	ck_assert_uint_eq(files_like(path), 0);
	ck_assert_uint_eq(fake_descriptors(), before);
	config.file_options = (struct listen_file){0600, (uid_t)-1, 1};
	ck_assert_int_lt(listener_bind(&config, &file), 0);
	ck_assert_uint_eq(given, 2);
}
END_TEST

START_TEST(a_path_without_room_for_the_process_id_is_too_long)
{
	struct listen_config config = {.file_options = {.mode = 0600}};
	struct listener_file file;
	char text[] = "unix:/tmp/no-such-folder/"
		      "12345678901234567890123456789012345678901234567890"
		      "12345678901234567890123456789012345";

	config.text = slice_of(text);
	ck_assert(addr_parse(config.text, &config.addr));
	ck_assert_int_lt(listener_bind(&config, &file), 0);
	ck_assert_int_eq(errno, ENAMETOOLONG);
	text[5 + LISTEN_PATH_MAX] = '\0';
	config.text = slice_of(text);
	ck_assert(addr_parse(config.text, &config.addr));
	ck_assert_int_lt(listener_bind(&config, &file), 0);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_str_eq(
	    listener_error(&config, errno), "No such file or directory");
}
END_TEST

START_TEST(what_is_no_socket_stays)
{
	struct listen_config config = unix_config("file");
	const char *path = config.text.at + 5;
	int made = open(path, O_CREAT | O_WRONLY, 0600);
	struct listener_file file;

	ck_assert_int_ge(made, 0);
	close(made);
	ck_assert_int_lt(listener_bind(&config, &file), 0);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_str_eq(listener_error(&config, errno),
	    "a file is there that is no socket");
	ck_assert_uint_eq(files_like(path), 1);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/nowhere", path), 0);
	ck_assert_int_lt(listener_bind(&config, &file), 0);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("listener");
	TCase *tcase = tcase_create("listener");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, a_connection_comes_with_its_peer);
	tcase_add_test(tcase, all_who_wait_are_let_in);
	tcase_add_test(tcase, a_closed_listener_lets_nobody_in);
	tcase_add_test(tcase, without_descriptors_accepting_pauses_and_goes_on);
	tcase_add_test(tcase, a_pause_ends_as_soon_as_a_descriptor_is_free);
	tcase_add_test(tcase, a_listener_that_pauses_can_be_closed);
	tcase_add_test(tcase, a_bound_socket_has_what_it_needs);
	tcase_add_test(tcase, workers_share_a_port_and_nobody_else_gets_in);
	tcase_add_test(tcase, of_two_that_come_at_once_one_gets_the_port);
	tcase_add_test(tcase, a_star_takes_both_families_and_brackets_only_one);
	tcase_add_test(tcase, a_failed_bind_tells_why_and_keeps_nothing);
	tcase_set_timeout(tcase, 20);
	tcase_add_test(tcase, a_unix_socket_has_the_mode_that_it_is_given);
	tcase_add_test(tcase, a_unix_socket_that_is_served_is_nobody_else_s);
	tcase_add_test(
	    tcase, a_stale_unix_socket_is_replaced_by_one_that_is_ready);
	tcase_add_test(
	    tcase, a_unix_socket_that_can_t_be_given_away_is_not_there);
	tcase_add_test(
	    tcase, a_path_without_room_for_the_process_id_is_too_long);
	tcase_add_test(tcase, what_is_no_socket_stays);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
