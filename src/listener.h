/* SPDX-License-Identifier: ISC */
/* listener: one listening socket of one loop, a worker's or the
 * house's. */
#ifndef LISTENER_H
#define LISTENER_H

#include "config.h"
#include "loop.h"

struct listener;

/* The file of a unix socket that is ours. */
struct listener_file {
	dev_t device;
	ino_t inode; /* 0: none */
};

/* Bound, listening, non-blocking sockets (TCP_DEFER_ACCEPT), or false with
 * errno and none of them open. Several share the port by SO_REUSEPORT, each of
 * them is one worker's; a second gate on the same port is an error all the
 * same. Of a unix socket there is one. "*:port" takes IPv4 and IPv6,
 * "[::]:port" only IPv6. The file of a unix socket appears with its mode and
 * owner, and served; one that is there already is replaced if it is a socket
 * that nobody serves, else EADDRINUSE, or EEXIST for any other kind. Until then
 * it has the process id behind its name. The umask is the caller's alone. */
bool listener_bind_all(const struct listen_config *listen, int *fds,
    unsigned count, struct listener_file *file);
/* For a port that a listener of this process has, which will close soon: the
 * two share it until then. */
bool listener_bind_beside(
    const struct listen_config *listen, int *fds, unsigned count);
/* The file of the socket gets other options than it had before; false with
 * errno, ENOENT when it is not ours any more. */
bool listener_change(const struct listen_config *listen,
    const struct listener_file *file, const struct listen_file *before);
/* The only one, or -1. */
int listener_bind(
    const struct listen_config *listen, struct listener_file *file);
/* The errno of listener_bind in words. */
const char *listener_error(const struct listen_config *listen, int error);
/* Removes the file if it is still ours. */
void listener_remove(
    const struct listen_config *listen, const struct listener_file *file);

/* Called for each connection: the callee owns fd. */
typedef void listener_accept_fn(void *arg, int fd, const struct addr *peer);

struct listener_owner {
	listener_accept_fn *accept;
	void *arg;
	void (*paused)(void *arg); /* NULL is fine */
};
/* Takes fd. Accepting pauses when descriptors run out, for a second at most:
 * that is told to the owner, and in the log once in a second. */
struct listener *listener_new(
    struct loop *loop, int fd, struct listener_owner owner);
/* A descriptor has become free: a pause is over, in the loop's next step. */
void listener_resume(struct listener *listener);
/* Takes all that the kernel has accepted already: a close would reset it. */
void listener_drain(struct listener *listener);
void listener_free(struct listener *listener); /* closes; NULL is fine */

#endif
