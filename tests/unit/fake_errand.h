/* SPDX-License-Identifier: ISC */
/* fake_errand: who sends a request through a transport in place of the gate's
 * exchange, at times one byte at a time, and writes down what it is told. It
 * asserts the rules of transport.h. */
#ifndef FAKE_ERRAND_H
#define FAKE_ERRAND_H

#include "fake_server.h"
#include "links.h"
#include "transport.h"

#define FAKE_TURNS                                                             \
	2000000 /* of the loop at most: 16 MB byte by byte is less             \
		 */
#define FAKE_HEAD_LIMIT 65536u /* of a response */
#define FAKE_BLOCK (64u * 1024)

/* A loop, with links and a server on it. */
struct bench {
	struct loop loop;
	struct links links;
	struct fake_server server;
	transport_open_fn *open;
	unsigned descriptors;
	size_t before, peak; /* allocated bytes: at the latest open; at most */
};

struct errand {
	struct bench *bench;	     /* borrowed */
	struct transport *transport; /* NULL: told its end, or cancelled */
	/* its manner; zero is an eager one that keeps no connection */
	struct links_policy keep;
	uint32_t max_idle;
	struct slice preface;  /* of its connection */
	size_t appetite;       /* bytes taken of one piece; 0: all */
	size_t morsel;	       /* of the request's body in one call; 0: all */
	const char *cancel_at; /* the event inside which it cancels */
	const char *pause_at;  /* the same for pause */
	/* private */
	struct step step; /* resumes */
	struct slice piece;
	uint64_t left; /* bytes of the request's body */
	bool uploading, in_command;
	/* what was seen */
	bool over;
	char events[512]; /* their words, equal neighbours and ready once */
	unsigned readies;
	uint64_t given; /* bytes of the request's body that were taken */
	struct body_plan plan;
	char fields[1024]; /* of the last head, "name=value;" */
	char body[4096];   /* its start */
	char trailers[1024];
	uint64_t body_len;
	struct transport_broken broken;
};

/* FAKE_BLOCK times the same byte. */
extern const char fake_block[FAKE_BLOCK];

void bench_open(
    struct bench *bench, transport_open_fn *open, const struct fake_act *acts);
/* Asserts that nothing is left open. */
void bench_close(struct bench *bench);
void bench_turn(struct bench *bench, int flags); /* as event_base_loop */
void bench_idle(struct bench *bench); /* until nothing more can come */
/* Turns of the loop until the server has heard so many bytes, exactly. */
void bench_hear(struct bench *bench, uint64_t count);
void bench_hear_end(struct bench *bench); /* the server: FIN or RST */

/* A transport to the bench's server. Set the manner between. */
void errand_init(struct errand *errand, struct bench *bench);
void errand_open(struct errand *errand);
void errand_open_to(struct errand *errand, const struct addr *addr);
/* The commands. */
void errand_start(
    struct errand *errand, const struct head *head, struct body_plan plan);
size_t errand_give(struct errand *errand, struct slice piece);
void errand_end(struct errand *errand);
void errand_pause(struct errand *errand);
void errand_resume(struct errand *errand);
void errand_cancel(struct errand *errand);
/* "method / HTTP/1.1", "Host: a". */
void errand_start_method(
    struct errand *errand, const char *method, struct body_plan plan);
void errand_get(struct errand *errand);
/* The piece again and again, so many bytes in all, as they are taken, and then
 * the end. */
void errand_feed(struct errand *errand, struct slice piece, uint64_t size);
/* A POST with that; BODY_LENGTH or BODY_CHUNKED. */
void errand_upload(struct errand *errand, enum body_kind kind,
    struct slice piece, uint64_t size);
/* Fails the test where it never ends. */
void errand_run(struct errand *errand);
/* Until it has been told so far. */
void errand_run_to(struct errand *errand, const char *so_far);

#endif
