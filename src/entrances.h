/* SPDX-License-Identifier: ISC */
/* entrances: the addresses that the gate listens on, as the house keeps them:
 * what a new configuration names as well stays open, the rest opens or closes.
 * Ports are accepted by the workers, each with a socket of its own; unix
 * sockets by the house, which gives the connections on. */
#ifndef ENTRANCES_H
#define ENTRANCES_H

#include "listener.h"

struct entrances;

/* One of them, for one worker. */
struct entrance {
	unsigned id; /* its own, for as long as it is open */
	const struct listen_config *listen; /* of the configuration in force */
	int fd; /* a socket to accept from, given away; -1: none, or given */
};

struct entrances_owner {
	/* A connection that the house has accepted; the callee owns fd. */
	void (*accept)(void *arg, int fd, const struct addr *peer, unsigned id);
	void *arg;
};

/* What a change of the configuration has come to. */
struct entrances_change {
	unsigned kept, opened, closed;
};

struct entrances *entrances_new(
    struct loop *house, unsigned workers, struct entrances_owner owner);
/* Closes what is still the house's, and removes the files. NULL is fine. */
void entrances_free(struct entrances *entrances);

/* Everything about it that can fail: opens what the configuration names and is
 * not open yet. Returns how many errors were logged. None: commit or undo comes
 * next; else nothing has changed. */
unsigned entrances_prepare(
    struct entrances *entrances, const struct config *config);
void entrances_undo(struct entrances *entrances);
/* What was prepared is in force; the configuration must live until the next
 * commit. Unix sockets that are gone are closed when all who wait there have
 * been accepted; ports are the workers' to close. */
struct entrances_change entrances_commit(struct entrances *entrances);
/* Of a worker, those in force; each fd is given once. out has room for as many
 * as the configuration has. Returns how many. */
unsigned entrances_list(
    struct entrances *entrances, unsigned worker, struct entrance *out);
/* The house accepts no more connections, but for those that wait already. */
void entrances_drain(struct entrances *entrances);
/* How often it had no descriptor for one who came, since the beginning. */
unsigned long long entrances_pauses(const struct entrances *entrances);

#endif
