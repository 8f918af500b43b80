/* SPDX-License-Identifier: ISC */
/* server: the house loop of the daemon: opens what the workers need, hears
 * signals, drains, ends. */
#ifndef SERVER_H
#define SERVER_H

#include "config.h"

/* Serves until it is told to stop; takes the reference to config. Signals:
 * TERM, INT and QUIT drain up to drain_timeout, a second INT or TERM stops at
 * once; USR1 reopens the access log; USR2 logs the servers. Returns the exit
 * status: 0 after a stop, 1 when it could not start (told on stderr). */
int server_run(struct config *config);

#endif
