// SPDX-License-Identifier: LGPL-2.1-or-later
/* Other ways to start at a moment, as they are written by hand. */
#include <errno.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <liburing.h>

#include "bench.h"

/* How early the hand-written loop wakes up to spin the rest. */
#define SPIN_AHEAD	(20 * NSEC_PER_USEC)

static struct timespec to_timespec(uint64_t ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(ns / NSEC_PER_SEC),
		.tv_nsec = (long)(ns % NSEC_PER_SEC),
	};

	return ts;
}

static uint64_t gettime(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

int sleep_until(uint64_t when)
{
	struct timespec ts = to_timespec(when);

	return -clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static int run_nanosleep(const struct schedule *s, struct samples *error)
{
	unsigned int i;
	int ret;

	for (i = 0; i < s->nr; i++) {
		ret = sleep_until(schedule_release(s, i));
		samples_add(error, (int64_t)(hft_now() - schedule_release(s, i)));
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int timerfd_one(int fd, uint64_t release, struct samples *error)
{
	struct itimerspec its = { .it_value = to_timespec(release) };
	uint64_t expirations;

	if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL))
		return -errno;
	if (read(fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return -errno;
	samples_add(error, (int64_t)(hft_now() - release));
	return 0;
}

static int run_timerfd(const struct schedule *s, struct samples *error)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	unsigned int i;
	int ret = 0;

	if (fd < 0)
		return -errno;
	for (i = 0; i < s->nr && !ret; i++)
		ret = timerfd_one(fd, schedule_release(s, i), error);
	close(fd);
	return ret;
}

static int uring_one(struct io_uring *ring, uint64_t release, struct samples *error)
{
	struct __kernel_timespec ts = {
		.tv_sec = (int64_t)(release / NSEC_PER_SEC),
		.tv_nsec = (int64_t)(release % NSEC_PER_SEC),
	};
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	int ret;

	if (!sqe)
		return -EBUSY;
	io_uring_prep_timeout(sqe, &ts, 0, IORING_TIMEOUT_ABS);
	ret = io_uring_submit_and_wait(ring, 1);
	samples_add(error, (int64_t)(hft_now() - release));
	if (ret < 0)
		return ret;
	ret = io_uring_wait_cqe(ring, &cqe);
	if (ret < 0)
		return ret;
	ret = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return ret == -ETIME ? 0 : ret;
}

static int run_uring(const struct schedule *s, struct samples *error)
{
	struct io_uring ring;
	unsigned int i;
	int ret = io_uring_queue_init(4, &ring, 0);

	if (ret < 0)
		return ret;
	for (i = 0; i < s->nr && !ret; i++)
		ret = uring_one(&ring, schedule_release(s, i), error);
	io_uring_queue_exit(&ring);
	return ret;
}

static int run_sleep_spin(const struct schedule *s, struct samples *error)
{
	uint64_t release, now;
	unsigned int i;
	int ret;

	for (i = 0; i < s->nr; i++) {
		release = schedule_release(s, i);
		ret = sleep_until(release - SPIN_AHEAD);
		if (ret < 0)
			return ret;
		do
			now = gettime();
		while (now < release);
		samples_add(error, (int64_t)(now - release));
	}
	return 0;
}

static int run_tsc_spin(const struct schedule *s, struct samples *error)
{
	uint64_t release;
	unsigned int i;

	if (!hft_clock_is_tsc())
		return -EOPNOTSUPP;
	for (i = 0; i < s->nr; i++) {
		release = schedule_release(s, i);
		samples_add(error, (int64_t)(hft_spin_until(release) - release));
	}
	return 0;
}

const struct peer peers[] = {
	{ "clock_nanosleep", run_nanosleep, false },
	{ "timerfd", run_timerfd, false },
	{ "io_uring timeout", run_uring, false },
	{ "sleep + clock_gettime spin", run_sleep_spin, false },
	{ "TSC spin at 100 % CPU", run_tsc_spin, true },
};

const unsigned int nr_peers = sizeof(peers) / sizeof(peers[0]);
const struct peer *const peer_nanosleep = &peers[0];
