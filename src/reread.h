/* SPDX-License-Identifier: ISC */
/* reread: a configuration is read on a thread of its own: large ones take time,
 * and names of servers are looked up by functions that wait. */
#ifndef REREAD_H
#define REREAD_H

#include "config_read.h"
#include "loop.h"

struct reread;

/* What comes of it, on the loop that asked: config is given away, or NULL; the
 * report is borrowed. */
typedef void reread_fn(
    void *arg, struct config *config, const struct config_report *report);

/* NULL: the system gives no thread, with errno. The ticket keys of before are
 * taken over; they may be NULL. */
struct reread *reread_start(struct loop *loop, const char *path,
    struct tls_tickets *tickets, reread_fn *done, void *arg);
/* Nobody waits for it any more; NULL is fine. Until done was called only. */
void reread_abandon(struct reread *reread);

#endif
