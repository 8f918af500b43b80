/* SPDX-License-Identifier: ISC */
/* fake_dns: libevent's own server side of DNS. */
#include "fake_dns.h"

#include <arpa/inet.h>
#include <check.h>
#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRS_MAX 128
#define TTL 1

/* The texts as addresses of size bytes, one after the other. */
static int
read_addresses(const char *texts, int family, size_t size, unsigned char *out)
{
	char copy[ADDRS_MAX * 20], *rest = copy, *word;
	int count = 0;

	snprintf(copy, sizeof(copy), "%s", texts == NULL ? "" : texts);
	while ((word = strsep(&rest, " ")) != NULL) {
		if (word[0] == '\0')
			continue;
		ck_assert_int_lt(count, ADDRS_MAX);
		ck_assert_int_eq(
		    inet_pton(family, word, out + (size_t)count * size), 1);
		count++;
	}
	return count;
}

static void
answer(struct fake_dns *dns, struct evdns_server_request *request,
    const struct evdns_server_question *question)
{
	unsigned char found[ADDRS_MAX * 16];
	int count;

	if (question->type == EVDNS_TYPE_A) {
		count = read_addresses(dns->v4, AF_INET, 4, found);
		if (count > 0)
			evdns_server_request_add_a_reply(
			    request, question->name, count, found, TTL);
	} else {
		count = read_addresses(dns->v6, AF_INET6, 16, found);
		if (count > 0)
			evdns_server_request_add_aaaa_reply(
			    request, question->name, count, found, TTL);
	}
}

static void
on_request(struct evdns_server_request *request, void *arg)
{
	struct fake_dns *dns = arg;

	dns->asked++;
	for (int i = 0; i < request->nquestions; i++) {
		snprintf(dns->last, sizeof(dns->last), "%s",
		    request->questions[i]->name);
		answer(dns, request, request->questions[i]);
	}
	if (dns->silent)
		evdns_server_request_drop(request);
	else
		evdns_server_request_respond(
		    request, dns->fails ? DNS_ERR_SERVERFAILED : DNS_ERR_NONE);
}

static void
write_conf(struct fake_dns *dns, uint16_t port)
{
	int fd;
	char text[64];
	int len = snprintf(text, sizeof(text),
	    "nameserver 127.0.0.1:%u\noptions timeout:1\n", (unsigned)port);

	snprintf(dns->conf, sizeof(dns->conf), "/tmp/fake_dns.XXXXXX");
	fd = mkstemp(dns->conf);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, (size_t)len), len);
	close(fd);
}

void
fake_dns_open(struct fake_dns *dns, struct loop *loop)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memset(dns, 0, sizeof(*dns));
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	dns->port =
	    evdns_add_server_port_with_base(loop->base, fd, 0, on_request, dns);
	ck_assert_ptr_nonnull(dns->port);
	write_conf(dns, ntohs(in.sin_port));
}

void
fake_dns_close(struct fake_dns *dns)
{
	evdns_close_server_port(dns->port);
	unlink(dns->conf);
}
