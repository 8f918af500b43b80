/* SPDX-License-Identifier: ISC */
/* fake_clock: the program's own clock_gettime comes before libc's, for shared
 * libraries too. */
#include "fake_clock.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t offset_ms;

void
fake_clock_advance(uint32_t ms)
{
	offset_ms += ms;
}

int
clock_gettime(clockid_t id, struct timespec *now)
{
	long rc = syscall(SYS_clock_gettime, id, now);

	if (rc != 0 || (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE))
		return (int)rc;
	now->tv_sec += (time_t)(offset_ms / 1000);
	now->tv_nsec += (long)(offset_ms % 1000) * 1000000;
	if (now->tv_nsec >= 1000000000) {
		now->tv_sec++;
		now->tv_nsec -= 1000000000;
	}
	return 0;
}
