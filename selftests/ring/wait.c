// SPDX-License-Identifier: GPL-2.0-only
/*
 * A full ring and its back-pressure; waiting for events by HFT_IOC_WAIT, poll and epoll.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/time.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	512

FIXTURE(wait) {
	int context;
	struct hft_test_ring ring;
};

FIXTURE_SETUP(wait)
{
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 8, 8, HFT_POLICY_FIFO, &self->ring));
}

FIXTURE_TEARDOWN(wait)
{
	hft_test_ring_close(&self->ring);
	close(self->context);
}

static int submit_at(int context, uint64_t cookie, uint64_t release)
{
	struct hft_task task = hft_test_task(0, cookie, release);

	return hft_test_submit(context, &task, NULL);
}

TEST_F(wait, full_ring_keeps_the_rest_and_says_so)
{
	struct hft_event event;
	struct hft_stats stats;
	uint64_t i;

	for (i = 0; i < TASKS; i++)
		ASSERT_EQ(0, submit_at(self->context, i, 0));
	ASSERT_EQ(8, hft_test_pending(&self->ring));
	ASSERT_EQ(HFT_RING_MORE, hft_test_flags(&self->ring));
	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	ASSERT_EQ(8, stats.in_flight);
	ASSERT_EQ(TASKS - 8, stats.ready);
	ASSERT_LT(0, stats.full);

	/* Nothing is written over while it is not consumed. */
	ASSERT_EQ(8, hft_test_wait(&self->ring, 0));
	ASSERT_EQ(8, hft_test_wait(&self->ring, 0));

	for (i = 0; i < TASKS; i++) {
		if (!hft_test_pending(&self->ring))
			ASSERT_LT(0, hft_test_wait(&self->ring, 0));
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
		ASSERT_EQ(i, event.cookie);
		ASSERT_EQ(i, event.sequence);
	}
	ASSERT_EQ(0, hft_test_flags(&self->ring));
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	ASSERT_EQ(TASKS, stats.dispatched);
	ASSERT_EQ(TASKS, stats.tasks_free);
	ASSERT_EQ(0, stats.in_flight + stats.ready + stats.waiting);
}

TEST_F(wait, window_is_refilled_by_the_consumers_head)
{
	struct hft_event event;
	uint64_t i;

	for (i = 0; i < 12; i++)
		ASSERT_EQ(0, submit_at(self->context, i, 0));
	for (i = 0; i < 3; i++)
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_EQ(5, hft_test_pending(&self->ring));
	ASSERT_EQ(8, hft_test_wait(&self->ring, 0));
	ASSERT_EQ(HFT_RING_MORE, hft_test_flags(&self->ring));
	hft_test_advance(&self->ring, 8);
	ASSERT_EQ(1, hft_test_wait(&self->ring, 0));
	ASSERT_EQ(0, hft_test_flags(&self->ring));
}

/* Who sees it asks for tasks, and would ask forever. */
TEST_F(wait, more_ends_with_the_last_ready_task)
{
	struct hft_task task = hft_test_task(0, 8, 0);
	int64_t id;
	int i;

	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, submit_at(self->context, i, 0));
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(HFT_RING_MORE, hft_test_flags(&self->ring));
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
	hft_test_advance(&self->ring, 8);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	ASSERT_EQ(0, hft_test_flags(&self->ring));
}

TEST_F(wait, pulling_is_no_wakeup)
{
	struct hft_stats stats;
	int i;

	for (i = 0; i < 12; i++)
		ASSERT_EQ(0, submit_at(self->context, i, 0));
	hft_test_advance(&self->ring, 8);
	ASSERT_EQ(4, hft_test_wait(&self->ring, 0));
	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	ASSERT_EQ(0, stats.wakeups);
}

TEST_F(wait, window_smaller_than_the_ring)
{
	struct hft_test_ring ring;
	struct hft_task task;
	struct hft_event event;
	uint64_t i;

	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 16, 3, HFT_POLICY_FIFO, &ring));
	for (i = 0; i < 40; i++) {
		task = hft_test_task(ring.add.ring, i, 0);
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	}
	ASSERT_EQ(3, hft_test_pending(&ring));
	for (i = 0; i < 40; i++) {
		ASSERT_EQ(i < 38 ? 3 : 40 - i, hft_test_wait(&ring, 0));
		ASSERT_TRUE(hft_test_next(&ring, &event));
		ASSERT_EQ(i, event.cookie);
	}
	hft_test_ring_close(&ring);
}

TEST_F(wait, times_out)
{
	uint64_t start = hft_test_now();

	ASSERT_EQ(-ETIMEDOUT, hft_test_wait_until(&self->ring, 0));
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait_until(&self->ring, 1));
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait_until(&self->ring, start + 50 * NSEC_PER_MSEC));
	ASSERT_LE(start + 50 * NSEC_PER_MSEC, hft_test_now());
}

/* An event that is there is reported, even when the time is over. */
TEST_F(wait, event_beats_a_timeout_in_the_past)
{
	ASSERT_EQ(0, submit_at(self->context, 1, 0));
	ASSERT_EQ(1, hft_test_wait_until(&self->ring, 1));
	ASSERT_EQ(1, hft_test_wait_until(&self->ring, 0));
}

TEST_F(wait, sleeper_is_woken_by_the_timer)
{
	struct hft_event event;
	struct hft_stats stats;
	int i;

	for (i = 0; i < 50; i++) {
		uint64_t release = hft_test_now() + 10 * NSEC_PER_MSEC;

		ASSERT_EQ(0, submit_at(self->context, i, release));
		ASSERT_EQ(1, hft_test_wait_until(&self->ring, HFT_WAIT_FOREVER));
		ASSERT_LE(release, hft_test_now());
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
		ASSERT_LE(release, event.irq_entry);
	}
	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	ASSERT_LT(0, stats.wakeups);
}

static void on_alarm(int signal)
{
	(void)signal;
}

TEST_F(wait, signal_interrupts)
{
	struct itimerval soon = { .it_value.tv_usec = 50000 };
	struct sigaction action = { .sa_handler = on_alarm };

	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	ASSERT_EQ(-EINTR, hft_test_wait_until(&self->ring, HFT_WAIT_FOREVER));
}

/* Whoever looks whether it waits does so by a wait of its own, which this may find. */
static void *wait_forever(void *arg)
{
	int ret;

	do {
		ret = hft_test_wait_until(arg, HFT_WAIT_FOREVER);
	} while (ret == -EBUSY);
	return (void *)(intptr_t)ret;
}

static int start_waiter(struct hft_test_ring *ring, pthread_t *thread)
{
	uint64_t end = hft_test_now() + 10 * NSEC_PER_SEC;

	if (pthread_create(thread, NULL, wait_forever, ring))
		return -EAGAIN;
	while (hft_test_now() < end) {
		if (hft_test_wait(ring, 0) == -EBUSY)
			return 0;
		hft_test_sleep(NSEC_PER_MSEC);
	}
	return -ETIMEDOUT;
}

TEST_F(wait, one_thread_at_a_time)
{
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, start_waiter(&self->ring, &thread));
	ASSERT_EQ(-EBUSY, hft_test_wait(&self->ring, NSEC_PER_MSEC));
	ASSERT_EQ(0, submit_at(self->context, 1, 0));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	ASSERT_EQ(1, (intptr_t)ret);
	ASSERT_EQ(1, hft_test_wait(&self->ring, 0));
}

TEST_F(wait, wake_ends_a_wait)
{
	pthread_t thread;
	void *ret;
	int i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, start_waiter(&self->ring, &thread));
		ASSERT_EQ(0, hft_test_ioctl(self->ring.fd, HFT_IOC_WAKE, NULL));
		ASSERT_EQ(0, pthread_join(thread, &ret));
		ASSERT_EQ(-ECANCELED, (intptr_t)ret);
	}
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
}

/* Nobody waits: the next one to do so is the one, but an event goes first. */
TEST_F(wait, wake_is_kept_for_the_next_wait)
{
	struct hft_event event;

	ASSERT_EQ(0, hft_test_ioctl(self->ring.fd, HFT_IOC_WAKE, NULL));
	ASSERT_EQ(0, hft_test_ioctl(self->ring.fd, HFT_IOC_WAKE, NULL));
	ASSERT_EQ(0, submit_at(self->context, 1, 0));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, 0));
	ASSERT_EQ(-ECANCELED, hft_test_wait_until(&self->ring, HFT_WAIT_FOREVER));
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, NSEC_PER_MSEC));
}

TEST_F(wait, closing_the_context_ends_a_wait)
{
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, start_waiter(&self->ring, &thread));
	close(self->context);
	self->context = -1;
	ASSERT_EQ(0, pthread_join(thread, &ret));
	ASSERT_EQ(-ESHUTDOWN, (intptr_t)ret);
	ASSERT_EQ(HFT_RING_DEAD, hft_test_flags(&self->ring));
	ASSERT_EQ(-ESHUTDOWN, hft_test_wait(&self->ring, 0));
}

/* What was dispatched before can still be consumed; what was not is gone. */
TEST_F(wait, dead_ring_is_drained_first)
{
	struct hft_event event;
	uint64_t i;

	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, submit_at(self->context, i, 0));
	ASSERT_EQ(0, submit_at(self->context, 20, hft_test_now() + 20 * NSEC_PER_MSEC));
	close(self->context);
	self->context = -1;
	for (i = 0; i < 8; i++) {
		ASSERT_LT(0, hft_test_wait(&self->ring, NSEC_PER_SEC));
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
		ASSERT_EQ(i, event.cookie);
	}
	hft_test_sleep(50 * NSEC_PER_MSEC);
	ASSERT_EQ(-ESHUTDOWN, hft_test_wait(&self->ring, NSEC_PER_SEC));
}

static int poll_once(int fd, int ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	int n = poll(&pollfd, 1, ms);

	return n < 0 ? -errno : n ? pollfd.revents : 0;
}

TEST_F(wait, poll_sees_events_and_pulls)
{
	struct hft_event event;
	int i;

	ASSERT_EQ(0, poll_once(self->ring.fd, 0));
	for (i = 0; i < 9; i++)
		ASSERT_EQ(0, submit_at(self->context, i, 0));
	ASSERT_EQ(POLLIN, poll_once(self->ring.fd, 0));
	hft_test_advance(&self->ring, 8);
	ASSERT_EQ(0, hft_test_pending(&self->ring));
	ASSERT_EQ(POLLIN, poll_once(self->ring.fd, 0));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_EQ(8, event.cookie);
	ASSERT_EQ(0, poll_once(self->ring.fd, 0));
}

TEST_F(wait, poll_sleeps_until_the_release)
{
	struct hft_event event;
	int i;

	self->ring.consumer->need_wakeup = 1;
	for (i = 0; i < 20; i++) {
		uint64_t release = hft_test_now() + 10 * NSEC_PER_MSEC;

		ASSERT_EQ(0, submit_at(self->context, i, release));
		ASSERT_EQ(POLLIN, poll_once(self->ring.fd, 10000));
		ASSERT_LE(release, hft_test_now());
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
	}
}

TEST_F(wait, poll_hangs_up_with_the_context)
{
	close(self->context);
	self->context = -1;
	ASSERT_TRUE(poll_once(self->ring.fd, 10000) & POLLHUP);
}

TEST_F(wait, epoll_over_several_rings)
{
	struct hft_test_ring rings[4];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	uint64_t base = hft_test_now() + 50 * NSEC_PER_MSEC, end = base + 10 * NSEC_PER_SEC;
	int i, seen = 0;

	ASSERT_LE(0, epoll);
	for (i = 0; i < 4; i++) {
		struct epoll_event interest = { .events = EPOLLIN, .data.u32 = i };

		ASSERT_EQ(0, hft_test_ring_add(self->context, i % hft_test_cpus(), 4, 1,
					       HFT_POLICY_FIFO, &rings[i]));
		rings[i].consumer->need_wakeup = 1;
		ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, rings[i].fd, &interest));
	}
	for (i = 0; i < 80; i++) {
		struct hft_task task = hft_test_task(rings[i % 4].add.ring, i,
						     base + i / 8 * NSEC_PER_MSEC);

		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	}
	while (seen < 80) {
		struct epoll_event ready[4];
		struct hft_event event;
		int n = epoll_wait(epoll, ready, 4, 10000);

		ASSERT_GT(end, hft_test_now());
		for (i = 0; i < n; i++) {
			struct hft_test_ring *ring = &rings[ready[i].data.u32];

			while (hft_test_next(ring, &event)) {
				ASSERT_EQ(ready[i].data.u32, event.cookie % 4);
				seen++;
			}
		}
	}
	for (i = 0; i < 4; i++)
		hft_test_ring_close(&rings[i]);
	close(epoll);
}

/* A remote submitter and a worker that sleeps: nothing is slept through. */
struct ping {
	struct hft_test_ring *ring;
	int context;
	int cpu;
	int rounds;
	int err;
};

static void *remote_submitter(void *arg)
{
	struct ping *ping = arg;
	int i;

	hft_test_pin(ping->cpu);
	for (i = 0; i < ping->rounds && !ping->err; i++) {
		/* By turns due and not: pushed inline, and by an interrupt to the other CPU. */
		uint64_t release = i & 1 ? hft_test_now() + 20000 : 0;

		do
			ping->err = submit_at(ping->context, i, release);
		while (ping->err == -EDQUOT);
	}
	return NULL;
}

TEST_F(wait, remote_submitter_wakes_the_worker)
{
	struct ping ping = {
		.ring = &self->ring, .context = self->context, .cpu = hft_test_cpus() - 1,
		.rounds = hft_test_scaled(hft_test_slow_kernel() ? 2000 : 20000),
	};
	unsigned char *seen = calloc(ping.rounds, 1);
	struct hft_event event;
	pthread_t thread;
	int i;

	if (hft_test_cpus() < 2)
		SKIP(return, "one CPU has no remote one");
	ASSERT_NE(NULL, seen);
	ASSERT_EQ(0, hft_test_pin(0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, remote_submitter, &ping));
	for (i = 0; i < ping.rounds; i++) {
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
		ASSERT_GT(ping.rounds, (int)event.cookie);
		ASSERT_EQ(0, seen[event.cookie]);
		seen[event.cookie] = 1;
	}
	pthread_join(thread, NULL);
	ASSERT_EQ(0, ping.err);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	free(seen);
}

TEST_HARNESS_MAIN
