/* SPDX-License-Identifier: GPL-2.0-only */
/* What the cases of conformance.c have in common. */
#ifndef SELFTESTS_LIBHFT_CONFORMANCE_H
#define SELFTESTS_LIBHFT_CONFORMANCE_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <hft/hft.h>

#define NSEC_PER_USEC	1000ULL
#define NSEC_PER_MSEC	1000000ULL
#define NSEC_PER_SEC	1000000000ULL

#define TASKS		64
#define DUE		1ULL		/* a release that has passed */

/* A machine under load is late, and no case waits for longer than that. */
#define PATIENCE_NS	(20 * NSEC_PER_SEC)

struct test {
	const char *backend;
	struct hft *h;
	struct hft_ring *ring;
	bool failed;
};

/* In any thread of a case; the case goes on, and has failed. */
static inline bool check(struct test *t, bool right, const char *what, int line)
{
	if (!right) {
		printf("# line %d: %s\n", line, what);
		__atomic_store_n(&t->failed, true, __ATOMIC_RELAXED);
	}
	return right;
}

static inline bool check_equal(struct test *t, long long expected, long long got, const char *what,
			int line)
{
	if (expected != got)
		printf("# %s: %lld instead of %lld\n", what, got, expected);
	return check(t, expected == got, what, line);
}

#define CHECK(condition)	check(t, condition, #condition, __LINE__)
#define EQUAL(expected, got)	\
	check_equal(t, (long long)(expected), (long long)(got), #got, __LINE__)

static uint64_t patience(void)
{
	return hft_now() + PATIENCE_NS;
}

static struct hft_ring *open_ring(struct test *t, uint32_t entries, uint32_t window,
				  uint32_t policy)
{
	HFT_OPTS(hft_ring_opts, opts, .entries = entries, .window = window, .policy = policy);
	struct hft_ring *ring = NULL;

	if (!EQUAL(0, hft_ring_open(t->h, &opts, &ring)))
		exit(1);
	return ring;
}

static struct hft_task make_task(const struct hft_ring *ring, uint64_t cookie, uint64_t release)
{
	struct hft_task task = {
		.cookie = cookie,
		.release = release,
		.ring = hft_ring_number(ring),
		.level = HFT_LEVEL_NORMAL,
	};

	return task;
}

static uint64_t submit(struct test *t, const struct hft_task *task)
{
	uint64_t id = 0;

	EQUAL(0, hft_submit(t->h, task, &id));
	CHECK(id);
	return id;
}

static uint64_t submit_at(struct test *t, struct hft_ring *ring, uint64_t cookie,
			  uint64_t release)
{
	struct hft_task task = make_task(ring, cookie, release);

	return submit(t, &task);
}

/* The next event, which is that of @cookie. */
static struct hft_event take(struct test *t, struct hft_ring *ring, uint64_t cookie)
{
	const struct hft_event *event;
	struct hft_event copy = { 0 };
	int ret;

	do {
		ret = hft_wait(ring, patience());
	} while (ret == -EINTR);
	CHECK(ret > 0);
	event = hft_ring_peek(ring);
	if (!CHECK(event))
		return copy;
	copy = *event;
	EQUAL(cookie, copy.cookie);
	hft_ring_advance(ring);
	return copy;
}

static void expect_empty(struct test *t, struct hft_ring *ring)
{
	CHECK(!hft_ring_peek(ring));
	EQUAL(-ETIMEDOUT, hft_wait(ring, 0));
}

static struct hft_stats stats_of(struct test *t, uint32_t ring)
{
	struct hft_stats stats = { 0 };

	EQUAL(0, hft_stats(t->h, ring, &stats));
	return stats;
}

/* What the backend's clock says: real or not, it is in its events. */
static uint64_t now(struct test *t)
{
	submit_at(t, t->ring, 99, DUE);
	return take(t, t->ring, 99).published;
}

#endif /* SELFTESTS_LIBHFT_CONFORMANCE_H */
