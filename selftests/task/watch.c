// SPDX-License-Identifier: GPL-2.0-only
/* Deadlines that are watched, wherever the task is, and tasks that are changed. */
#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	64
#define MS	NSEC_PER_MSEC

FIXTURE(watch) {
	int context;
	struct hft_test_ring ring;
	struct hft_test_ring monitor;
};

FIXTURE_SETUP(watch)
{
	struct hft_ring_add add = {
		.cpu = 1, .entries = 64, .window = 64, .flags = HFT_RING_MONITOR,
	};

	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 16, 4, HFT_POLICY_EDF, &self->ring));
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &self->monitor));
}

FIXTURE_TEARDOWN(watch)
{
	hft_test_ring_close(&self->ring);
	hft_test_ring_close(&self->monitor);
	close(self->context);
}

static struct hft_task watched(uint64_t cookie, uint64_t release, uint64_t deadline)
{
	struct hft_task task = hft_test_task(0, cookie, release);

	task.deadline = deadline;
	task.flags = HFT_TASK_WATCH;
	return task;
}

static int modify(int context, const struct hft_modify *modify)
{
	return hft_test_ioctl(context, HFT_IOC_MODIFY, modify);
}

/* One misses it in its ring with its worker, one behind that, one for want of room. */
TEST_F(watch, deadline_is_missed_anywhere)
{
	uint64_t now = hft_test_now(), deadline = now + 20 * MS;
	static const int states[] = {
		HFT_STATE_RUNNING, HFT_STATE_DISPATCHED, HFT_STATE_DISPATCHED,
		HFT_STATE_DISPATCHED, HFT_STATE_READY,
	};
	struct hft_event event;
	struct hft_stats stats;
	int64_t id[5];
	int i;

	for (i = 0; i < 5; i++) {
		struct hft_task task = watched(i, now, deadline + i * MS);

		ASSERT_EQ(0, hft_test_submit(self->context, &task, &id[i]));
	}
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, hft_test_take(&self->monitor, &event, NSEC_PER_SEC));
		EXPECT_EQ(HFT_EVENT_MISS, event.type);
		EXPECT_EQ(i, (int)event.cookie);
		EXPECT_EQ(id[i], (int64_t)event.task);
		EXPECT_EQ(now, event.release);
		EXPECT_EQ(deadline + i * MS, event.deadline);
		EXPECT_LE(event.deadline, event.irq_entry);
		/* However long a loaded machine stands still. */
		EXPECT_GT(event.deadline + 5000 * MS, event.irq_entry);
		EXPECT_EQ(states[i], event.result);
	}
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
		EXPECT_EQ(0, event.result);
	}
	EXPECT_EQ(0, hft_test_pending(&self->monitor));
	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
}

TEST_F(watch, finished_in_time)
{
	struct hft_event event;
	int i;

	for (i = 0; i < 50; i++) {
		uint64_t release = hft_test_now() + MS;
		/* However long a loaded machine stands still. */
		struct hft_task task = watched(i, release, release + 500 * MS);

		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
	}
	hft_test_sleep(550 * MS);
	EXPECT_EQ(0, hft_test_pending(&self->monitor));
}

TEST_F(watch, late_task_is_dropped)
{
	uint64_t now = hft_test_now();
	struct hft_event event;
	int i;

	for (i = 0; i < 6; i++) {
		struct hft_task task = watched(i, now, now + 10 * MS);

		task.flags |= HFT_TASK_DROP;
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	}
	hft_test_sleep(30 * MS);
	/* Four are in their ring when it is still time, unless the machine stands still. */
	for (i = 0; i < 6; i++) {
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
		EXPECT_EQ(i, (int)event.cookie);
		EXPECT_EQ(event.published > event.deadline ? -ETIME : 0, event.result);
	}
	EXPECT_EQ(-ETIME, event.result);
	for (i = 0; i < 1000 && hft_test_pending(&self->monitor) < 6; i++)
		hft_test_sleep(MS);
	EXPECT_EQ(6, hft_test_pending(&self->monitor));
}

TEST_F(watch, each_job_of_a_periodic_task)
{
	uint64_t first = hft_test_now() + 10 * MS;
	struct hft_task task = watched(3, first, first + 2 * MS);
	struct hft_task_info info = {};
	struct hft_event event;
	int64_t id;
	int k;

	task.flags |= HFT_TASK_PERIODIC | HFT_TASK_CATCH_UP;
	task.period = 5 * MS;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	for (k = 0; k < 6; k++) {
		/* The even ones are late. */
		ASSERT_EQ(1, hft_test_wait(&self->ring, NSEC_PER_SEC));
		if (k % 2 == 0)
			ASSERT_EQ(0, hft_test_take(&self->monitor, &event, NSEC_PER_SEC)) {
				TH_LOG("job %d", k);
			}
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
		hft_test_wait(&self->ring, 0);
	}
	info.task = id;
	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_TASK, &info));
	EXPECT_LE(3, info.deadlines_missed);
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
}

static uint64_t dropped(const struct hft_test_ring *monitor)
{
	return __atomic_load_n(&monitor->producer->dropped, __ATOMIC_RELAXED);
}

/* What the monitor ring has no room for is counted. */
TEST_F(watch, full_monitor_ring)
{
	struct hft_ring_add add = {
		.cpu = 1, .entries = 2, .window = 2, .flags = HFT_RING_MONITOR,
	};
	uint64_t now = hft_test_now();
	int i;

	hft_test_ring_close(&self->monitor);
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &self->monitor));
	for (i = 0; i < 40; i++) {
		struct hft_task task = watched(i, now, now + 5 * MS);

		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	}
	/* A busy host takes its time. */
	for (i = 0; i < 1000 && dropped(&self->monitor) < 38; i++)
		hft_test_sleep(10 * MS);
	EXPECT_EQ(2, hft_test_pending(&self->monitor));
	hft_test_sleep(30 * MS);
	EXPECT_EQ(38, dropped(&self->monitor));
}

TEST_F(watch, deadline_of_the_wall_clock)
{
	uint64_t now = hft_test_now(), real = hft_test_now_on(CLOCK_REALTIME);
	struct hft_task task = watched(1, real, real + 10 * MS);
	struct hft_event event;

	task.clock = HFT_CLOCK_REALTIME;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_EQ(0, hft_test_take(&self->monitor, &event, NSEC_PER_SEC));
	EXPECT_LE(now, event.release);
	EXPECT_GE(now + 5 * MS, event.release);
	EXPECT_EQ(event.release + 10 * MS, event.deadline);
}

TEST_F(watch, modified_release)
{
	uint64_t now = hft_test_now(), far = now + 1000 * NSEC_PER_SEC;
	struct hft_task task = watched(1, far, far + 10);
	struct hft_modify change = { .fields = HFT_MODIFY_RELEASE };
	struct hft_event event;
	int64_t id;

	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	change.task = id;
	change.release = far + 11;
	EXPECT_EQ(-EINVAL, modify(self->context, &change));
	change.release = now + 20 * MS;
	ASSERT_EQ(0, modify(self->context, &change));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
	EXPECT_EQ(now + 20 * MS, event.release);
	EXPECT_EQ(far + 10, event.deadline);
	EXPECT_LE(event.release, event.published);
	EXPECT_EQ(-ENOENT, modify(self->context, &change));
}

/* Of ready tasks a change moves the place in the order. */
TEST_F(watch, modified_order)
{
	uint64_t now = hft_test_now(), far = now + 1000 * NSEC_PER_SEC;
	static const int expected[] = { 0, 1, 2, 3, 9, 7, 4, 5, 6, 8 };
	struct hft_modify change = { .fields = HFT_MODIFY_DEADLINE };
	struct hft_event event;
	int64_t id[10];
	int i;

	for (i = 0; i < 10; i++) {
		struct hft_task task = watched(i, now, far + i * MS);

		ASSERT_EQ(0, hft_test_submit(self->context, &task, &id[i]));
	}
	change.task = id[7];
	change.deadline = far - MS;
	ASSERT_EQ(0, modify(self->context, &change));
	change = (struct hft_modify){ .task = id[9], .fields = HFT_MODIFY_LEVEL,
				      .level = HFT_LEVEL_REALTIME };
	ASSERT_EQ(0, modify(self->context, &change));
	change.level = HFT_LEVELS;
	EXPECT_EQ(-EINVAL, modify(self->context, &change));
	change = (struct hft_modify){ .task = id[8], .fields = HFT_MODIFY_PERIOD, .period = MS };
	EXPECT_EQ(-EINVAL, modify(self->context, &change));
	change.fields = 0;
	EXPECT_EQ(-EINVAL, modify(self->context, &change));
	change.fields = 1U << 4;
	EXPECT_EQ(-EINVAL, modify(self->context, &change));

	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
		EXPECT_EQ(expected[i], (int)event.cookie);
	}
}

TEST_F(watch, modified_period)
{
	uint64_t first = hft_test_now() + 10 * MS;
	struct hft_task task = watched(1, first, first + MS);
	struct hft_modify change = { .fields = HFT_MODIFY_PERIOD, .period = 3 * MS };
	struct hft_event event;
	uint64_t last;
	int64_t id;
	int i;

	task.flags = HFT_TASK_PERIODIC;
	task.period = 20 * MS;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
	EXPECT_EQ(first, event.release);
	change.task = id;
	ASSERT_EQ(0, modify(self->context, &change));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
	EXPECT_EQ(first + (1 + event.result) * 20 * MS, event.release);
	for (i = 0; i < 5; i++) {
		last = event.release;
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
		EXPECT_EQ(last + (1 + event.result) * 3 * MS, event.release);
		EXPECT_EQ(event.release + MS, event.deadline);
	}
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
}

TEST_HARNESS_MAIN
