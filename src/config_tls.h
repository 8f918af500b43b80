/* SPDX-License-Identifier: ISC */
/* config_tls: what a configuration says of TLS: certificates, keys and
 * authorities are read, and doors, sites and upstreams get what they speak TLS
 * with. Files are named as seen from the folder of the file that names them. */
#ifndef CONFIG_TLS_H
#define CONFIG_TLS_H

#include <stdbool.h>
#include <time.h>

#include "config_check.h"

/* A key of a section, to the end of its list; copied. */
void config_tls_take(struct config_draft *draft, struct tls_setting **list,
    const struct tls_setting *setting);
/* After config_check. read: else files are left alone, and nothing can be
 * served with the configuration. Notes errors and warnings. */
void config_tls(struct config_draft *draft, time_t now, bool read);

#endif
