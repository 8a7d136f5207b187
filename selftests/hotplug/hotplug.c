// SPDX-License-Identifier: GPL-2.0-only
/*
 * A CPU that goes while tasks are queued on it, and comes back: each task ends with one event,
 * the monitor ring says so, and the ring works again.
 */
#include <pthread.h>

#include "kselftest_harness.h"
#include "hotplug.h"

#define TASKS	300
#define FAR	(1000 * NSEC_PER_SEC)

FIXTURE(hotplug) {
	int cpu;
	int context;
	struct hft_test_ring ring;
	struct hft_test_ring monitor;
};

FIXTURE_SETUP(hotplug)
{
	struct hft_ring_add add = { .entries = 16, .window = 16, .flags = HFT_RING_MONITOR };

	self->cpu = hft_test_cpus() - 1;
	ASSERT_EQ(0, hft_test_pin(0));
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, self->cpu, 16, 8, HFT_POLICY_FIFO,
				       &self->ring));
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &self->monitor));
}

FIXTURE_TEARDOWN(hotplug)
{
	set_online(self->cpu, true);
	hft_test_ring_close(&self->monitor);
	hft_test_ring_close(&self->ring);
	close(self->context);
}

static int submit_on(int context, uint64_t cookie, uint64_t release, uint8_t clock, int64_t *id)
{
	struct hft_task task = hft_test_task(0, cookie, release);

	task.clock = clock;
	return hft_test_submit(context, &task, id);
}

TEST_F(hotplug, queued_tasks_end_with_an_event)
{
	uint64_t far = hft_test_now() + FAR, wall = hft_test_now_on(CLOCK_TAI) + FAR;
	unsigned char seen[TASKS] = {};
	struct hft_event event;
	struct hft_stats stats;
	int i, ended = 0;

	SKIP_IF_ALONE();
	/* In the ring, ready, and waiting on each of the clocks. */
	for (i = 0; i < TASKS; i++) {
		uint64_t release = i < 20 ? 0 : i % HFT_CLOCKS ? wall : far;

		ASSERT_EQ(0, submit_on(self->context, i, release, i % HFT_CLOCKS, NULL));
	}
	ASSERT_EQ(0, set_online(self->cpu, false));
	ASSERT_TRUE(hft_test_flags(&self->ring) & HFT_RING_OFFLINE);
	ASSERT_EQ(-ENODEV, submit_on(self->context, 0, 0, 0, NULL));

	for (i = 0; i < TASKS; i++) {
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
		ASSERT_EQ(HFT_EVENT_TASK, event.type);
		ASSERT_GT(TASKS, (int)event.cookie);
		ASSERT_EQ(0, seen[event.cookie]++);
		/* The first 8 were in the ring before the CPU went. */
		ASSERT_EQ(i < 8 ? 0 : -ENODEV, event.result);
		ended += event.result == -ENODEV;
	}
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	ASSERT_EQ(-ENODEV, submit_on(self->context, 0, 0, 0, NULL));
	ASSERT_EQ(-ENODEV, submit_on(self->context, 0, far, 0, NULL));

	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	ASSERT_EQ(TASKS, stats.dispatched);
	ASSERT_EQ(ended, (int)stats.ended);
	ASSERT_EQ(TASKS, stats.tasks_free);

	ASSERT_TRUE(hft_test_next(&self->monitor, &event));
	ASSERT_EQ(HFT_EVENT_CPU_OFFLINE, event.type);
	ASSERT_EQ(self->ring.add.ring, event.cookie);
	ASSERT_EQ(TASKS - 8, event.task);
	ASSERT_FALSE(hft_test_next(&self->monitor, &event));

	ASSERT_EQ(0, set_online(self->cpu, true));
	ASSERT_EQ(0, hft_test_flags(&self->ring));
	ASSERT_TRUE(hft_test_next(&self->monitor, &event));
	ASSERT_EQ(HFT_EVENT_CPU_ONLINE, event.type);
	ASSERT_EQ(self->ring.add.ring, event.cookie);

	/* By push and by timer, on each clock. */
	for (i = 0; i < 6; i++) {
		clockid_t clock[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_TAI };
		uint64_t release = hft_test_now_on(clock[i % 3]) + 20 * NSEC_PER_MSEC;

		ASSERT_EQ(0, submit_on(self->context, i, i < 3 ? 0 : release, i % 3, NULL));
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
		ASSERT_EQ(i, (int)event.cookie);
		ASSERT_EQ(0, event.result);
	}
}

/* A batch has a word for each task. */
TEST_F(hotplug, batch_to_an_offline_cpu)
{
	struct hft_test_ring here;
	struct hft_task tasks[40];
	int64_t results[40];
	struct hft_stats stats;
	int i;

	SKIP_IF_ALONE();
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 64, 64, HFT_POLICY_FIFO, &here));
	ASSERT_EQ(0, set_online(self->cpu, false));
	for (i = 0; i < 40; i++)
		tasks[i] = hft_test_task(i & 1 ? here.add.ring : 0, i, 0);
	ASSERT_EQ(20, hft_test_submit_batch(self->context, tasks, results, 40));
	for (i = 0; i < 40; i++) {
		if (i & 1) {
			ASSERT_LT(0, results[i]);
		} else {
			ASSERT_EQ(-ENODEV, results[i]);
		}
	}
	ASSERT_EQ(0, hft_test_stats(self->context, HFT_STATS_CONTEXT, &stats));
	ASSERT_EQ(TASKS, stats.tasks_free);
	hft_test_ring_close(&here);
}

TEST_F(hotplug, rings_on_an_offline_cpu)
{
	struct hft_ring_add add = hft_test_ring_default();
	struct hft_test_ring ring;

	SKIP_IF_ALONE();
	ASSERT_EQ(0, set_online(self->cpu, false));
	add.cpu = self->cpu;
	ASSERT_EQ(-ENODEV, hft_test_ioctl(self->context, HFT_IOC_RING_ADD, &add));
	/* One that is there can go, and come again with the CPU. */
	hft_test_ring_close(&self->ring);
	ASSERT_EQ(-ENODEV, hft_test_ioctl(self->context, HFT_IOC_RING_ADD, &add));
	ASSERT_EQ(0, set_online(self->cpu, true));
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &ring));
	hft_test_ring_close(&ring);
}

static void *wait_forever(void *arg)
{
	return (void *)(intptr_t)hft_test_wait_until(arg, HFT_WAIT_FOREVER);
}

TEST_F(hotplug, sleeper_is_woken)
{
	struct hft_event event;
	pthread_t thread;
	void *ret;

	SKIP_IF_ALONE();
	ASSERT_EQ(0, submit_on(self->context, 1, hft_test_now() + FAR, 0, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_forever, &self->ring));
	hft_test_sleep(20 * NSEC_PER_MSEC);
	ASSERT_EQ(0, set_online(self->cpu, false));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	ASSERT_EQ(1, (intptr_t)ret);
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_EQ(-ENODEV, event.result);
}

/* A monitor ring that nobody reads counts what it loses. */
TEST_F(hotplug, full_monitor_ring)
{
	int i;

	SKIP_IF_ALONE();
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, set_online(self->cpu, false));
		ASSERT_EQ(0, set_online(self->cpu, true));
	}
	ASSERT_EQ(16, hft_test_pending(&self->monitor));
	ASSERT_EQ(4, self->monitor.producer->dropped);
}

TEST_F(hotplug, closing_while_offline)
{
	int i;

	SKIP_IF_ALONE();
	for (i = 0; i < TASKS; i++)
		ASSERT_EQ(0, submit_on(self->context, i, hft_test_now() + FAR, i % 3, NULL));
	ASSERT_EQ(0, set_online(self->cpu, false));
	hft_test_ring_close(&self->monitor);
	hft_test_ring_close(&self->ring);
	close(self->context);
	self->context = -1;
	ASSERT_EQ(0, set_online(self->cpu, true));
	ASSERT_EQ(0, hft_test_module_unload());
	ASSERT_EQ(0, hft_test_module_load());
}

/* Submitting while the CPU goes and comes: what was taken has one event, ok or -ENODEV. */
struct storm {
	int context;
	struct hft_test_ring *ring;
	atomic_bool stop;
	uint64_t taken;
	int err;
};

static void *submit_storm(void *arg)
{
	struct storm *storm = arg;
	uint64_t random = 0x68667438;

	while (!atomic_load(&storm->stop) && !storm->err) {
		uint64_t in = hft_test_random(&random) % (2 * NSEC_PER_MSEC);
		int err = submit_on(storm->context, storm->taken, hft_test_now() + in, 0, NULL);

		if (!err)
			storm->taken++;
		else if (err == -EDQUOT || err == -ENODEV)
			hft_test_sleep(100000);
		else
			storm->err = err;
	}
	return NULL;
}

TEST_F(hotplug, storm)
{
	struct storm storm = { .context = self->context, .ring = &self->ring };
	int rounds = hft_test_scaled(20), i;
	uint64_t events = 0, ended = 0, end;
	struct hft_event event;
	struct hft_stats stats;
	pthread_t thread;

	SKIP_IF_ALONE();
	ASSERT_EQ(0, pthread_create(&thread, NULL, submit_storm, &storm));
	for (i = 0; i < 2 * rounds; i++) {
		ASSERT_EQ(0, set_online(self->cpu, i & 1));
		end = hft_test_now() + 20 * NSEC_PER_MSEC;
		while (hft_test_now() < end) {
			hft_test_wait(&self->ring, NSEC_PER_MSEC);
			while (hft_test_next(&self->ring, &event)) {
				ASSERT_EQ(events, event.sequence);
				events++;
				ended += event.result == -ENODEV;
			}
		}
	}
	atomic_store(&storm.stop, true);
	pthread_join(thread, NULL);
	ASSERT_EQ(0, storm.err);
	while (!hft_test_take(&self->ring, &event, 100 * NSEC_PER_MSEC)) {
		events++;
		ended += event.result == -ENODEV;
	}
	ASSERT_EQ(storm.taken, events);
	ASSERT_LT(0, ended);
	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	ASSERT_EQ(events, stats.dispatched);
	ASSERT_EQ(ended, stats.ended);
	ASSERT_EQ(TASKS, stats.tasks_free);
}

TEST_HARNESS_MAIN
