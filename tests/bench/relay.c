/* SPDX-License-Identifier: ISC */
/* The floor of the benchmark: what four socket calls per request cost when
 * nothing is read, judged or written between them. Bytes go from 127.0.0.1:FROM
 * to 127.0.0.1:TO and back, one connection there for each here, by read and
 * send of at most 64 KB; what does not fit ends the connection. Not a proxy.
 * usage: relay FROM TO */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
	struct side *other;
	int fd;
};

static char scratch[64 * 1024];
static struct sockaddr_in origin = {.sin_family = AF_INET};
static int epoll;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static struct side *
add(int fd, struct side *side)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = side};
	int on = 1;

	side->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll_ctl");
	return side;
}

/* The loopback connects at once. */
static void
accept_one(int listener)
{
	int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	int server = socket(AF_INET, SOCK_STREAM, 0);
	struct side *pair = calloc(2, sizeof(*pair));

	if (client < 0 || server < 0 || pair == NULL ||
	    connect(server, (struct sockaddr *)&origin, sizeof(origin)) != 0)
		die("relay");
	pair[0].other = &pair[1];
	pair[1].other = &pair[0];
	add(client, &pair[0]);
	add(server, &pair[1]);
}

/* The pair itself is kept: an event of this wakeup may still name it. */
static void
carry(struct side *side)
{
	ssize_t n;

	if (side->fd < 0)
		return;
	n = recv(side->fd, scratch, sizeof(scratch), MSG_DONTWAIT);
	if (n > 0 && send(side->other->fd, scratch, (size_t)n,
			 MSG_NOSIGNAL | MSG_DONTWAIT) == n)
		return;
	if (n < 0 && errno == EAGAIN)
		return;
	close(side->fd);
	close(side->other->fd);
	side->fd = side->other->fd = -1;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in here = {.sin_family = AF_INET};
	struct epoll_event events[64];
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (argc != 3)
		return 2;
	here.sin_addr.s_addr = origin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	here.sin_port = htons((unsigned short)atoi(argv[1]));
	origin.sin_port = htons((unsigned short)atoi(argv[2]));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) != 0 ||
	    listen(listener, 4096) != 0)
		die("listen");
	epoll = epoll_create1(0);
	events[0] = (struct epoll_event){.events = EPOLLIN};
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &events[0]);
	for (;;) {
		int count = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr == NULL)
				accept_one(listener);
			else
				carry(events[i].data.ptr);
		}
	}
}
