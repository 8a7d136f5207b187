// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../gettime.h"
#include "locked.h"
#include "wait_lock.h"

#define PAUSE_NS	10000000

static const uint64_t most_ns[] = {
	[LOG_WAIT_NOT] = 0, [LOG_WAIT_LOCK] = 1000000000, [LOG_WAIT_WRITES] = 10000000000,
};

int log_wait_for(log_wait_fn fn, void *arg)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	uint64_t begin = hft_gettime(CLOCK_MONOTONIC), now;
	enum log_wait wait;
	int ret;

	for (;;) {
		/* Before it is tried: who was stopped meanwhile tries once more. */
		now = hft_gettime(CLOCK_MONOTONIC);
		wait = LOG_WAIT_NOT;
		ret = fn(arg, &wait);
		if (ret != -EBUSY || now - begin >= most_ns[wait])
			return ret;
		nanosleep(&pause, NULL);
	}
}

static int try_open(void *dir, enum log_wait *wait)
{
	*wait = LOG_WAIT_LOCK;
	return log_locked_open(dir, 0);
}

int log_wait_open(const char *dir)
{
	return log_wait_for(try_open, (void *)dir);
}

bool log_wait_has_ended(uint32_t pid)
{
	struct pollfd pidfd = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	bool ended;

	if (pidfd.fd < 0)
		return errno == ESRCH;
	ended = poll(&pidfd, 1, 0) == 1;
	close(pidfd.fd);
	return ended;
}
