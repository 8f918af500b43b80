/* SPDX-License-Identifier: ISC */
/* The origin of the benchmark: as little work as can be, so that what stands in
 * front of it is measured. HTTP/1.1 on 127.0.0.1:PORT, one thread, connections
 * kept. It trusts what it is sent. By target: /twelve has 12 fields more,
 * /size/N a body of N bytes, anything else a short one; a request's body with a
 * length is read and forgotten. usage: origin PORT */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define HEAD_MAX 16384
#define BLOCK (1024 * 1024)

struct connection {
	int fd;
	size_t len;		/* of the head so far */
	unsigned long long in;	/* of the body, still to come */
	unsigned long long out; /* of the answer's body, still to go */
	char head[HEAD_MAX];
};

static char block[BLOCK], scratch[BLOCK], twelve[1024];
static int epoll;

static void
watch(struct connection *c, int op, unsigned events)
{
	struct epoll_event event = {.events = events, .data.ptr = c};

	epoll_ctl(epoll, op, c->fd, &event);
}

static void
drop(struct connection *c)
{
	close(c->fd);
	free(c);
}

/* -1: the connection is gone. */
static int
push(struct connection *c)
{
	while (c->out > 0) {
		size_t size = c->out < BLOCK ? (size_t)c->out : BLOCK;
		ssize_t n = send(c->fd, block, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			watch(c, EPOLL_CTL_MOD, EPOLLOUT);
			return 0;
		}
		if (n < 0)
			return -1;
		c->out -= (unsigned long long)n;
		if (c->out == 0)
			watch(c, EPOLL_CTL_MOD, EPOLLIN);
	}
	return 0;
}

static int
answer(struct connection *c)
{
	static const char short_one[] = "hello, world\n";
	const char *path = strchr(c->head, ' ') + 1;
	int sized = strncmp(path, "/size/", 6) == 0;
	size_t size = sizeof(short_one) - 1;
	char head[2048];
	struct iovec iov[2] = {{head, 0}, {(void *)short_one, size}};
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t n;

	if (sized) {
		c->out = strtoull(path + 6, NULL, 10);
		iov[1] = (struct iovec){
		    block, c->out < BLOCK ? (size_t)c->out : BLOCK};
	}
	iov[0].iov_len = (size_t)snprintf(head, sizeof(head),
	    "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Thu, 01 Jan 1970 "
	    "00:00:00 GMT\r\nContent-Type: text/plain\r\n%sContent-Length: "
	    "%llu\r\n\r\n",
	    strncmp(path, "/twelve", 7) == 0 ? twelve : "",
	    sized ? c->out : (unsigned long long)size);
	n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
	if (n < (ssize_t)iov[0].iov_len)
		return -1;
	if (!sized)
		return 0;
	c->out -= (unsigned long long)n - iov[0].iov_len;
	return push(c);
}

/* What comes after a head is its body, or the next one's. */
static int
take_head(struct connection *c)
{
	char *end, *length;
	size_t used, rest;

	c->head[c->len] = '\0';
	end = strstr(c->head, "\r\n\r\n");
	if (end == NULL)
		return c->len < HEAD_MAX - 1 ? 1 : -1;
	end[2] = '\0';
	length = strcasestr(c->head, "\r\nContent-Length:");
	c->in = length != NULL ? strtoull(length + 17, NULL, 10) : 0;
	used = (size_t)(end + 4 - c->head);
	rest = c->len - used;
	if (rest > c->in)
		return -1; /* pipelined: nobody does here */
	c->in -= rest;
	c->len = 0;
	return c->in == 0 ? answer(c) : 1;
}

static int
take(struct connection *c)
{
	ssize_t n;

	if (c->in > 0) {
		n = read(c->fd, scratch, c->in < BLOCK ? c->in : BLOCK);
		if (n <= 0)
			return n < 0 && errno == EAGAIN ? 0 : -1;
		c->in -= (unsigned long long)n;
		return c->in == 0 ? answer(c) : 0;
	}
	n = read(c->fd, c->head + c->len, HEAD_MAX - 1 - c->len);
	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	c->len += (size_t)n;
	return take_head(c);
}

static void
greet(int door)
{
	struct connection *c;
	int one = 1, fd;

	while ((fd = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c = calloc(1, sizeof(*c));
		if (c == NULL)
			abort();
		c->fd = fd;
		watch(c, EPOLL_CTL_ADD, EPOLLIN);
	}
}

static int
open_door(const char *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_port = htons((unsigned short)atoi(port)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(door, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(door, 4096) != 0) {
		perror("origin");
		exit(1);
	}
	return door;
}

int
main(int argc, char **argv)
{
	struct epoll_event events[256], event = {.events = EPOLLIN};
	int door, n;

	if (argc != 2)
		return 2;
	for (int i = 0; i < 12; i++)
		snprintf(twelve + strlen(twelve),
		    sizeof(twelve) - strlen(twelve),
		    "X-Answer-%d: 0123456789abcdef\r\n", i);
	door = open_door(argv[1]);
	epoll = epoll_create1(0);
	epoll_ctl(epoll, EPOLL_CTL_ADD, door, &event);
	for (;;) {
		n = epoll_wait(epoll, events, 256, -1);
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;

			if (c == NULL)
				greet(door);
			else if ((c->out > 0 ? push(c) : take(c)) < 0)
				drop(c);
		}
	}
}
