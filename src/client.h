/* SPDX-License-Identifier: ISC */
/* client: what stands between a protocol towards the client (client_h1, later
 * client_h2) and who serves the exchange (exchange; demo). Mirrors transport.h.
 *
 *   client_h1 --events--> owner        (a request: open, body, end, broken,
 * ready) client_h1 <--commands-- owner      (a response: interim, head, body,
 * end, abort)
 *
 * Rules. Slices die when the call returns. A command may be given inside an
 * event; no event is ever delivered inside a command: it waits for the next
 * step of the loop. One exchange at a time per struct client. The owner sets
 * client->owner in open; it clears it with client_leave just before its last
 * command (end or abort), and after that neither calls the other. */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>
#include <sys/uio.h>

#include "addr.h"
#include "door.h"
#include "http.h"
#include "reason.h"
#include "wire.h"

struct client;

/* Commands, down to the client. */
struct client_ops {
	/* A 1xx head other than 100 and 101; not sent to HTTP/1.0. */
	void (*interim)(struct client *client, const struct head *head);
	/* 100 Continue if the client waits for it; harmless otherwise. The
	 * owner calls it when he wants the body. */
	void (*want_body)(struct client *client);
	/* The final head; 101 has plan TUNNEL: the request's body is open once
	 * more, until its FIN is told as end. plan is the body that will follow
	 * (NONE for HEAD, 204, 304: a Content-Length among the fields stays
	 * then). For the others the client writes its own framing; fields must
	 * hold none, nor Connection. close: the connection shall end after this
	 * response. */
	void (*head)(struct client *client, const struct head *head,
	    struct body_plan plan, bool close);
	/* Takes from the front; less than len: the rest is offered again after
	 * ready. What is taken may be buffered, at most buffer_size: then
	 * client->full is set until ready. */
	size_t (*body)(struct client *client, struct slice piece);
	/* Of a tunnel: the server has sent its FIN; the other way goes on. */
	void (*shut)(struct client *client);
	/* The response is complete; of a tunnel, both ways. trailers: fields
	 * after a chunked body, not sent where there is none; NULL: none. Last
	 * command. */
	void (*end)(struct client *client, const struct head *trailers);
	/* The response can't be completed: nothing that looks complete may
	 * reach the client; the connection is reset. Last command. */
	void (*abort)(struct client *client, enum reason reason);
	/* No body events from here on until resume. */
	void (*pause)(struct client *client);
	void (*resume)(struct client *client);
	/* As those of a transport. */
	struct wire *(*lend_wire)(struct client *client);
	void (*moved)(struct client *client, size_t n, enum wire_moved how);
	/* Optional. The address that the client has connected to; len 0: not
	 * known. A system call. */
	void (*local)(struct client *client, struct addr *out);
};

/* Events, up to the owner. */
struct client_events {
	/* A request came. head and its fields live until open returns. The
	 * owner may answer at once, inside. A bad message (why is not NONE;
	 * head has what was read) is to be answered and closed. */
	void (*open)(void *arg, struct client *client, const struct head *head,
	    struct body_plan plan, enum reason why);
	/* A piece of the body; takes from the front. Less than len: the client
	 * keeps the rest and offers it again after resume (implied pause). */
	size_t (*body)(void *owner, struct slice piece);
	/* Optional; as that of a transport. */
	size_t (*move)(void *owner, struct wire *from, uint64_t left);
	/* The request's body is complete (for no body: never called). trailers
	 * where the owner wants them and there are some, else NULL. */
	void (*end)(void *owner, const struct head *trailers);
	/* The client is gone, or its body is malformed or too slow. Malformed
	 * or slow: an answer may still be given, if no head was sent. */
	void (*broken)(void *owner, enum reason why);
	/* Output that body refused can go on. */
	void (*ready)(void *owner);
};

/* First member of each client implementation. */
struct client {
	const struct client_ops *ops;
	const struct client_events *events;
	void *arg;   /* for open; borrowed: the worker */
	void *owner; /* NULL between exchanges; set by the owner in open */
	const struct addr *peer; /* of the socket */
	const struct door *door; /* where it came in */
	struct tls *tls;	 /* who is there by TLS; NULL: no TLS */
	uint32_t buffer_size; /* the most that is held each way; set in open */
	bool wants_trailers;  /* of the request; set in open */
	bool full;	      /* what body took waits: no more, until ready */
	uint64_t bytes_out;   /* of the present response, head included */
	uint64_t began_us;    /* loop_now_us when the request's head was read */
};

static inline void
client_leave(struct client *client)
{
	client->owner = NULL;
}

#endif
