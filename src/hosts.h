/* SPDX-License-Identifier: ISC */
/* hosts: which site answers for a host name on one listener. Exact names, then
 * the longest "*.suffix" (any depth, not the suffix itself), then "*". */
#ifndef HOSTS_H
#define HOSTS_H

#include "slice.h"

struct hosts;

struct hosts *hosts_new(void);
void hosts_free(struct hosts *hosts);
/* Case folded. Returns NULL, or the value that has this name already. */
void *hosts_add(struct hosts *hosts, struct slice name, void *value);
/* host as uri_host gives it: no port, no trailing dot; empty (HTTP/1.0 without
 * Host): only "*". NULL: none. O(labels). */
void *hosts_find(const struct hosts *hosts, struct slice host);

#endif
