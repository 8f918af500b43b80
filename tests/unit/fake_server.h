/* SPDX-License-Identifier: ISC */
/* fake_server: a TCP server on the test's own loop that follows a script, also
 * where no honest server would. It takes one connection at a time, does the
 * acts in their order, and keeps what it heard of the latest. */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include "addr.h"
#include "loop.h"

struct event;

enum fake_verb {
	FAKE_STOP,   /* the script's end: only listens from here on */
	FAKE_HEAD,   /* waits for a request's head */
	FAKE_BODY,   /* waits for that many bytes after it */
	FAKE_SEND,   /* bytes, that many times */
	FAKE_DEAF,   /* stops reading */
	FAKE_HEAR,   /* reads again */
	FAKE_WAIT,   /* waits for fake_server_go */
	FAKE_FIN,    /* sends FIN, keeps reading */
	FAKE_CLOSE,  /* closes: FIN, or RST when something was not read */
	FAKE_RESET,  /* RST */
	FAKE_FORGET, /* what it has heard: a HEAD to come is the next one */
	FAKE_AGAIN   /* from the script's start, until it has run so often */
};

struct fake_act {
	enum fake_verb verb;
	uint64_t count; /* of BODY: bytes; of SEND: times, 0 is once; of AGAIN:
			 * times, 0 is for ever */
	struct slice bytes; /* borrowed */
};

struct fake_server {
	struct loop *loop; /* borrowed */
	struct addr addr;  /* where it listens */
	bool bytewise;	   /* each byte of SEND is a write of its own */
	int listening, fd; /* -1: closed */
	struct event *accept_event, *read_event, *write_event;
	const struct fake_act *script, *acts; /* borrowed */
	uint64_t rounds;      /* times that it has come to AGAIN */
	unsigned connections; /* so far */
	void (*tap)(struct fake_server *server, struct slice heard);
	void *tap_arg;
	uint64_t sent, heard; /* bytes */
	char *text;	      /* the first FAKE_KEPT bytes heard, and a NUL */
	size_t text_len;
	uint64_t act_done; /* bytes of the present SEND */
	bool fin_heard, reset_heard;
};
#define FAKE_KEPT (64u * 1024)

/* Listens on 127.0.0.1:0, [::1]:0 or unix:/path; false when there is no such
 * address. acts ends with FAKE_STOP. */
bool fake_server_open(struct fake_server *server, struct loop *loop,
    const char *address, const struct fake_act *acts);
/* From FAKE_WAIT on. */
void fake_server_go(struct fake_server *server);
/* The script has come to its end. */
bool fake_server_done(const struct fake_server *server);
void fake_server_close(struct fake_server *server);

/* An address of 127.0.0.1 where nobody listens. */
struct addr fake_server_nobody(void);
/* How many descriptors this process has open. */
unsigned fake_descriptors(void);
/* Bytes that are allocated. */
size_t fake_allocated(void);

#endif
