/* SPDX-License-Identifier: ISC */
/* config_rate: the value of the key `rate`. */
#ifndef CONFIG_RATE_H
#define CONFIG_RATE_H

#include "buckets.h"

/* "100/s burst 200", "60/m", "none" (number 0) into *rate. NULL, or what is
 * wrong, a static text; *rate is then as it was. */
const char *config_rate_read(struct slice value, struct bucket_rate *rate);

#endif
