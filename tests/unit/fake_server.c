/* SPDX-License-Identifier: ISC */
/* fake_server: one act at a time. Acts that do something run from the write
 * event, which is on only while there are such; the others wait for bytes. */
#include "fake_server.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_MAX (64 * 1024)
#define SMALL_BUFFER 8192 /* of the kernel's: a reader that does not read */

/* Only where AddressSanitizer is linked in. */
extern size_t __sanitizer_get_current_allocated_bytes(void)
    __attribute__((weak));

static void on_acceptable(evutil_socket_t fd, short what, void *arg);
static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);

static struct event *
watch(struct fake_server *server, int fd, short what, event_callback_fn fn)
{
	struct event *event =
	    event_new(server->loop->base, fd, what | EV_PERSIST, fn, server);

	ck_assert_ptr_nonnull(event);
	ck_assert_int_eq(event_add(event, NULL), 0);
	return event;
}

static void
forget(struct event **event)
{
	if (*event != NULL)
		event_free(*event);
	*event = NULL;
}

static int
bind_any_port(const char *address, struct addr *addr)
{
	int fd;

	ck_assert(addr_parse(slice_of(address), addr));
	fd = socket(
	    addr->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&addr->sa, addr->len) != 0) {
		close(fd);
		return -1;
	}
	addr->len = sizeof(addr->sa);
	ck_assert_int_eq(
	    getsockname(fd, (struct sockaddr *)&addr->sa, &addr->len), 0);
	return fd;
}

bool
fake_server_open(struct fake_server *server, struct loop *loop,
    const char *address, const struct fake_act *acts)
{
	int size = SMALL_BUFFER;

	*server = (struct fake_server){.loop = loop,
	    .script = acts,
	    .acts = acts,
	    .fd = -1,
	    .text = mem_alloc(1)};
	server->listening = bind_any_port(address, &server->addr);
	if (server->listening < 0)
		return false;
	setsockopt(
	    server->listening, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(
	    server->listening, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	ck_assert_int_eq(listen(server->listening, 1), 0);
	server->accept_event =
	    watch(server, server->listening, EV_READ, on_acceptable);
	return true;
}

static void
hang_up(struct fake_server *server)
{
	forget(&server->read_event);
	forget(&server->write_event);
	if (server->fd >= 0)
		close(server->fd);
	server->fd = -1;
}

void
fake_server_close(struct fake_server *server)
{
	hang_up(server);
	forget(&server->accept_event);
	if (server->listening >= 0)
		close(server->listening);
	server->listening = -1;
	free(server->text);
	server->text = NULL;
}

bool
fake_server_done(const struct fake_server *server)
{
	return server->acts->verb == FAKE_STOP;
}

static size_t
head_len(const struct fake_server *server)
{
	const char *end = strstr(server->text, "\r\n\r\n");

	return end == NULL ? 0 : (size_t)(end - server->text) + 4;
}

static bool
waits(const struct fake_server *server)
{
	size_t head = head_len(server);

	switch (server->acts->verb) {
	case FAKE_HEAD:
		return head == 0;
	case FAKE_BODY:
		return head == 0 || server->heard - head < server->acts->count;
	case FAKE_STOP:
	case FAKE_WAIT:
		return true;
	default:
		return false;
	}
}

static void
go_on(struct fake_server *server)
{
	if (server->fd < 0 || waits(server))
		forget(&server->write_event);
	else if (server->write_event == NULL)
		server->write_event =
		    watch(server, server->fd, EV_WRITE, on_writable);
}

static void
next_act(struct fake_server *server)
{
	const struct fake_act *act = ++server->acts;

	server->act_done = 0;
	if (act->verb != FAKE_AGAIN)
		return;
	server->rounds++;
	server->acts = act->count == 0 || server->rounds < act->count
			   ? server->script
			   : act + 1;
}

void
fake_server_go(struct fake_server *server)
{
	ck_assert_int_eq(server->acts->verb, FAKE_WAIT);
	next_act(server);
	go_on(server);
}

static void
forget_heard(struct fake_server *server)
{
	server->text_len = server->heard = 0;
	server->text[0] = '\0';
}

/* Whose place the next one takes: he has gone, or it is an error. */
static void
forget_peer(struct fake_server *server)
{
	char byte;

	ck_assert(server->fd < 0 ||
		  recv(server->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0 ||
		  errno != EAGAIN);
	hang_up(server);
	forget_heard(server);
	server->fin_heard = server->reset_heard = false;
}

static void
on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct fake_server *server = arg;
	int got = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int one = 1;

	(void)what;
	ck_assert_int_ge(got, 0);
	if (server->connections++ > 0)
		forget_peer(server);
	setsockopt(got, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	server->fd = got;
	server->read_event = watch(server, got, EV_READ, on_readable);
	go_on(server);
}

static void
keep(struct fake_server *server, const char *bytes, size_t len)
{
	if (len > FAKE_KEPT - server->text_len)
		len = FAKE_KEPT - server->text_len;
	if (len == 0)
		return;
	server->text = mem_realloc(server->text, server->text_len + len + 1);
	memcpy(server->text + server->text_len, bytes, len);
	server->text_len += len;
	server->text[server->text_len] = '\0';
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	static char bytes[READ_MAX];
	struct fake_server *server = arg;
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)what;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		server->fin_heard = n == 0;
		server->reset_heard = n < 0;
		forget(&server->read_event);
		return;
	}
	server->heard += (uint64_t)n;
	keep(server, bytes, (size_t)n);
	if (server->tap != NULL)
		server->tap(server, (struct slice){bytes, (size_t)n});
	go_on(server);
}

/* Some bytes of a SEND; true when all are sent. A peer that is gone takes
 * everything. */
static bool
send_some(struct fake_server *server, const struct fake_act *act)
{
	uint64_t all = act->bytes.len * (act->count > 0 ? act->count : 1);
	size_t from = (size_t)(server->act_done % act->bytes.len);
	size_t len = server->bytewise ? 1 : act->bytes.len - from;
	ssize_t n = send(server->fd, act->bytes.at + from, len, MSG_NOSIGNAL);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0)
		return true;
	server->sent += (uint64_t)n;
	server->act_done += (uint64_t)n;
	return server->act_done == all;
}

static void
reset(struct fake_server *server)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	setsockopt(server->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	hang_up(server);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct fake_server *server = arg;

	(void)what;
	switch (server->acts->verb) {
	case FAKE_SEND:
		if (!send_some(server, server->acts))
			return;
		break;
	case FAKE_DEAF:
		forget(&server->read_event);
		break;
	case FAKE_HEAR:
		forget(&server->read_event);
		server->read_event = watch(server, fd, EV_READ, on_readable);
		break;
	case FAKE_FIN:
		shutdown(fd, SHUT_WR);
		break;
	case FAKE_CLOSE:
		hang_up(server);
		break;
	case FAKE_RESET:
		reset(server);
		break;
	case FAKE_FORGET:
		forget_heard(server);
		break;
	default:
		break;
	}
	next_act(server);
	go_on(server);
}

struct addr
fake_server_nobody(void)
{
	struct addr addr;
	int fd = bind_any_port("127.0.0.1:0", &addr);

	ck_assert_int_ge(fd, 0);
	close(fd);
	return addr;
}

unsigned
fake_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count - 3; /* "." and ".." and the one that reads them */
}

size_t
fake_allocated(void)
{
	if (__sanitizer_get_current_allocated_bytes != NULL)
		return __sanitizer_get_current_allocated_bytes();
	return mallinfo2().uordblks;
}
