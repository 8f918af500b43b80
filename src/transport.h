/* SPDX-License-Identifier: ISC */
/* transport: how one exchange reaches one server of an upstream. Commands go
 * down, events come up.
 *
 * Rules. Slices die when the call returns. No event is delivered inside a
 * command: it waits for the loop's next step. After cancel, end or broken
 * nothing more comes and the transport is gone for its owner: it frees itself.
 * Commands may be given inside events. One exchange, one transport. */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <stdbool.h>

#include "addr.h"
#include "http.h"
#include "reason.h"
#include "wire.h"

/* 1xx heads before the final one; more is malformed. */
#define TRANSPORT_INTERIM_MAX 16

struct transport;
struct links;
struct loop;

struct transport_broken {
	enum reason why; /* UPSTREAM_*: refused, timeouts, closed, malformed */
	bool sent;	 /* some byte of the request may have been seen */
	bool response_seen; /* some byte of a response came */
	bool reused;	    /* the connection had carried an exchange before */
};

struct transport_ops {
	/* The request's head and how long its body is. Called once, first. */
	void (*start)(struct transport *t, const struct head *head,
	    struct body_plan plan);
	/* A piece of the body, takes from the front. Less: wait for ready. */
	size_t (*body)(struct transport *t, struct slice piece);
	/* The request is complete (also when it has no body). trailers: fields
	 * after a chunked body; NULL: none. In a tunnel: the client's FIN. */
	void (*end)(struct transport *t, const struct head *trailers);
	void (*pause)(struct transport *t); /* no body events */
	void (*resume)(struct transport *t);
	void (*cancel)(struct transport *t); /* nobody waits any more */
	/* The connection, where bytes of the body may be written to it past the
	 * transport now; NULL, or no such op: they may not. */
	struct wire *(*lend_wire)(struct transport *t);
	/* So many bytes of the body were; WAITS: more do, until ready. FAILED:
	 * the connection takes no more. */
	void (*moved)(struct transport *t, size_t n, enum wire_moved how);
};

struct transport_events {
	/* Connected; and again each time that body can take more. */
	void (*ready)(void *owner);
	/* 1xx other than 100 and 101. */
	void (*interim)(void *owner, const struct head *head);
	/* The final head, checked; plan: the body that follows. Hop-by-hop
	 * fields are still in. 101, if the request had an Upgrade field and it
	 * names what that named, has TUNNEL: the request's body is open once
	 * more then, until end. */
	void (*head)(
	    void *owner, const struct head *head, struct body_plan plan);
	/* Takes from the front. Less than len: paused, the transport keeps the
	 * rest and offers it again after resume. */
	size_t (*body)(void *owner, struct slice piece);
	/* Optional. What comes next on the wire is so many bytes of the body:
	 * the owner may take some straight off it. How many he took; 0: they
	 * are read, and given to body. He neither ends nor cancels here. */
	size_t (*move)(void *owner, struct wire *from, uint64_t left);
	/* Of a tunnel: the server has sent its FIN; the other way goes on. */
	void (*shut)(void *owner);
	/* Complete; of a tunnel, both ways. trailers as in the command. */
	void (*end)(void *owner, const struct head *trailers);
	void (*broken)(void *owner, const struct transport_broken *how);
};

/* First member of each transport implementation. */
struct transport {
	const struct transport_ops *ops;
	const struct transport_events *events;
	void *owner;	  /* of the events; NULL after cancel */
	const char *name; /* "evhttp", "native": for the log */
	bool holds_body;  /* wants the whole body before it connects */
	bool full;	  /* what body took waits: no more, until ready */
	bool reused;	  /* from start on: its connection was kept */
};

/* How connections are kept after an exchange. */
struct links_policy {
	unsigned max; /* idle ones of one address; 0: none */
	uint32_t ms;  /* that each may be idle */
};

/* What a transport needs to be opened. Its deadlines are the exchange's. */
struct transport_request {
	struct loop *loop;
	struct links *links; /* of the worker; NULL: evhttp keeps none */
	struct links_policy keep;
	uint32_t max_idle; /* ms that a kept one may have been idle; 0: new */
	const struct addr *server;
	const struct tls_target *tls; /* how; NULL, or all zero: without TLS.
				       * Borrowed: until start returns */
	/* What a connection to it begins with, copied; such a one is neither
	 * kept nor one that was: keep and max_idle say so. Empty: nothing. Not
	 * for evhttp. */
	struct slice preface;
	uint32_t head_limit;  /* of the response */
	uint32_t buffer_size; /* the most that is held each way of a body */
	const struct transport_events *events;
	void *owner;
};
typedef struct transport *transport_open_fn(const struct transport_request *);

#endif
