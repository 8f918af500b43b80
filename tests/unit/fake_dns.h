/* SPDX-License-Identifier: ISC */
/* fake_dns: a name server on the test's own loop, at 127.0.0.1 and a port of
 * its own, with a resolv.conf that names it. */
#ifndef FAKE_DNS_H
#define FAKE_DNS_H

#include <stdbool.h>

#include "loop.h"

struct evdns_server_port;

struct fake_dns {
	struct evdns_server_port *port;
	char conf[64];	/* the path of the resolv.conf */
	const char *v4; /* addresses of every name, "10.0.0.1 10.0.0.2" */
	const char *v6;
	bool fails;  /* answers SERVFAIL */
	bool silent; /* answers nothing */
	unsigned asked;
	char last[64]; /* the name asked for */
};

void fake_dns_open(struct fake_dns *dns, struct loop *loop);
void fake_dns_close(struct fake_dns *dns);

#endif
