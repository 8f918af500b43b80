/* SPDX-License-Identifier: ISC */
/* fake_clock: clock_gettime of the whole test program, the libraries included,
 * with an offset: a test of a deadline moves on instead of waiting. */
#ifndef FAKE_CLOCK_H
#define FAKE_CLOCK_H

#include <stdint.h>

/* The monotonic clocks are ms further from here on. */
void fake_clock_advance(uint32_t ms);

#endif
