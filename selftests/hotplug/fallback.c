// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring with a fallback ring, and its CPU goes: the tasks move, each has one event, and
 * those that the other ring does not take end with an error.
 */
#include "fallback.h"

#define FAR	(1000 * NSEC_PER_SEC)

static int set_release(int context, uint64_t id, uint64_t release)
{
	struct hft_modify modify = { .task = id, .fields = HFT_MODIFY_RELEASE, .release = release };

	return hft_test_ioctl(context, HFT_IOC_MODIFY, &modify);
}

static int task_info(int context, uint64_t id, struct hft_task_info *info)
{
	memset(info, 0, sizeof(*info));
	info->task = id;
	return hft_test_ioctl(context, HFT_IOC_TASK, info);
}

/* On each clock, ready and waiting, of one release: they come in the order of submission. */
TEST_F(fallback, tasks_move_in_order)
{
	uint64_t now = hft_test_now(), wall = hft_test_now_on(CLOCK_REALTIME);
	uint64_t tai = hft_test_now_on(CLOCK_TAI), far = now + FAR;
	uint64_t due[HFT_CLOCKS];
	struct hft_event event;
	struct hft_stats stats;
	struct hft_task task;
	int64_t ids[40];
	int i;

	SKIP_IF_ALONE();
	due[HFT_CLOCK_MONOTONIC] = now;
	due[HFT_CLOCK_REALTIME] = wall;
	due[HFT_CLOCK_TAI] = tai;
	/* 8 are in the ring, 22 are ready. */
	for (i = 0; i < 30; i++) {
		task = hft_test_task(1, i, due[i % 3]);
		task.clock = i % 3;
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	}
	ASSERT_EQ(0, hft_test_await_ready(self->context, 1, 22));
	/* 40 wait: the later releases were submitted first. */
	for (i = 0; i < 40; i++) {
		task = hft_test_task(1, 100 + i, far - (i / 10) * NSEC_PER_SEC);
		ASSERT_EQ(0, hft_test_submit(self->context, &task, &ids[i]));
	}
	ASSERT_EQ(0, set_online(self->cpu, false));
	ASSERT_EQ(8, hft_test_pending(&self->ring));
	for (i = 8; i < 30; i++) {
		ASSERT_EQ(0, hft_test_take(&self->spare, &event, 10 * NSEC_PER_SEC));
		ASSERT_EQ(HFT_EVENT_TASK, event.type);
		ASSERT_EQ(i, (int)event.cookie);
		ASSERT_EQ(0, event.result);
		ASSERT_EQ(i % 3, event.clock);
		ASSERT_GT(event.irq_entry, event.release);
		ASSERT_LT(now - NSEC_PER_SEC, event.release);
	}
	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	ASSERT_EQ(40, stats.waiting);
	ASSERT_EQ(0, hft_test_stats(self->context, 1, &stats));
	ASSERT_EQ(0, stats.waiting + stats.ready);

	/* By their old ids: one is cancelled, all others are due now, the last first. */
	ASSERT_EQ(0, hft_test_cancel(self->context, ids[7]));
	ASSERT_EQ(-ENOENT, hft_test_cancel(self->context, ids[7]));
	for (i = 39; i >= 0; i--) {
		ASSERT_EQ(i == 7 ? -ENOENT : 0,
			  set_release(self->context, ids[i], hft_test_now()));
	}
	for (i = 39; i >= 0; i--) {
		if (i == 7)
			continue;
		ASSERT_EQ(0, hft_test_take(&self->spare, &event, 10 * NSEC_PER_SEC));
		ASSERT_EQ(100 + i, (int)event.cookie);
		ASSERT_EQ(ids[i], (int64_t)event.task);
	}
	/* What was in the ring is there to be run. */
	for (i = 0; i < 8; i++) {
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
		ASSERT_EQ(i, (int)event.cookie);
		ASSERT_EQ(0, event.result);
	}
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	ASSERT_EQ(0, hft_test_stats(self->context, HFT_STATS_CONTEXT, &stats));
	ASSERT_EQ(TASKS, stats.tasks_free);
	ASSERT_EQ(stats.submitted, stats.dispatched + stats.cancelled);
	ASSERT_EQ(0, stats.ended);
}

/* First come, first served, also where the release of the first is the later one. */
TEST_F(fallback, order_of_submission)
{
	uint64_t soon = hft_test_now() + 10 * NSEC_PER_MSEC;
	struct hft_event event;
	struct hft_task task;
	int64_t id;
	int i;

	SKIP_IF_ALONE();
	/* Nothing is dispatched: they compete when that ends. */
	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_HALT,
				    &(struct hft_halt){ .mode = HFT_HALT_ALL }));
	for (i = 0; i < 20; i++) {
		task = hft_test_task(1, i, soon + (20 - i) * 1000);
		ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	}
	ASSERT_EQ(0, set_online(self->cpu, false));
	/* After those that have come before, though it was due before. */
	for (i = 20; i < 30; i++) {
		task = hft_test_task(1, i, soon);
		ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	}
	ASSERT_EQ(0, hft_test_await_ready(self->context, 0, 30));
	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_HALT, &(struct hft_halt){}));
	for (i = 0; i < 30; i++) {
		ASSERT_EQ(0, hft_test_take(&self->spare, &event, 10 * NSEC_PER_SEC));
		ASSERT_EQ(i, (int)event.cookie);
	}
}

TEST_F(fallback, new_tasks_follow_until_the_cpu_is_back)
{
	struct hft_task task, tasks[40];
	struct hft_task_info info;
	int64_t id, results[40];
	struct hft_event event;
	int i;

	SKIP_IF_ALONE();
	ASSERT_EQ(0, set_online(self->cpu, false));
	ASSERT_TRUE(hft_test_flags(&self->ring) & HFT_RING_OFFLINE);
	task = hft_test_task(1, 7, hft_test_now() + FAR);
	task.flags = HFT_TASK_TRACK;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, task_info(self->context, id, &info));
	ASSERT_EQ(0, info.ring);
	ASSERT_EQ(HFT_STATE_PENDING, info.state);
	ASSERT_EQ(0, hft_test_cancel(self->context, id));

	for (i = 0; i < 40; i++)
		tasks[i] = hft_test_task(i & 1, i, 0);
	ASSERT_EQ(40, hft_test_submit_batch(self->context, tasks, results, 40));
	for (i = 0; i < 40; i++) {
		ASSERT_LT(0, results[i]);
		ASSERT_EQ(0, hft_test_take(&self->spare, &event, 10 * NSEC_PER_SEC));
		ASSERT_EQ(i, (int)event.cookie);
	}
	ASSERT_EQ(0, set_online(self->cpu, true));
	ASSERT_EQ(0, hft_test_flags(&self->ring));
	task = hft_test_task(1, 8, hft_test_now() + 10 * NSEC_PER_MSEC);
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
	ASSERT_EQ(8, event.cookie);
	ASSERT_FALSE(hft_test_next(&self->spare, &event));
}

/* Of no fallback ring: of the own CPU, of notices, of a number that there is not. */
TEST_F(fallback, rings_to_fall_back_on)
{
	struct hft_ring_add add = { .entries = 16, .window = 16, .flags = HFT_RING_MONITOR };
	struct hft_test_ring monitor, ring;
	int64_t id;
	struct hft_task task = hft_test_task(1, 0, 0);

	SKIP_IF_ALONE();
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &monitor));
	ASSERT_EQ(-ENOENT, add_ring(self->context, 0, 8, 0, &ring));
	ASSERT_EQ(-ENOENT, add_ring(self->context, self->cpu, 8, monitor.add.ring, &ring));
	ASSERT_EQ(-ENOENT, add_ring(self->context, self->cpu, 8, 5, &ring));
	ASSERT_EQ(-EINVAL, add_ring(self->context, self->cpu, 8, 64, &ring));
	hft_test_ring_close(&monitor);

	/* When it is closed there is none. */
	hft_test_ring_close(&self->spare);
	ASSERT_EQ(0, set_online(self->cpu, false));
	ASSERT_EQ(-ENODEV, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, set_online(self->cpu, true));
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
}

/* A ring with another behind it, and so on; the last has none. */
TEST_F(fallback, one_after_the_other)
{
	struct hft_test_ring third;
	struct hft_event event;
	struct hft_task task;
	int64_t ids[11];
	int i;

	if (self->cpu < 2)
		SKIP(return, "of two CPUs one alone can go offline");
	ASSERT_EQ(0, add_ring(self->context, self->cpu - 1, 8, 1, &third));
	for (i = 0; i < 10; i++) {
		task = hft_test_task(third.add.ring, i, hft_test_now() + FAR);
		ASSERT_EQ(0, hft_test_submit(self->context, &task, &ids[i]));
	}
	ASSERT_EQ(0, set_online(self->cpu - 1, false));
	ASSERT_EQ(0, set_online(self->cpu, false));
	task = hft_test_task(third.add.ring, i, hft_test_now() + FAR);
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &ids[i]));
	for (i = 0; i < 11; i++) {
		ASSERT_EQ(0, set_release(self->context, ids[i], 0));
		ASSERT_EQ(0, hft_test_take(&self->spare, &event, 10 * NSEC_PER_SEC));
		ASSERT_EQ(i, (int)event.cookie);
		ASSERT_EQ(0, event.result);
	}
	ASSERT_EQ(0, set_online(self->cpu - 1, true));
	hft_test_ring_close(&third);
}

/* The second behind a ring is on its CPU again, and goes with it. */
TEST_F(fallback, second_on_the_same_cpu)
{
	struct hft_test_ring first, second, last;
	struct hft_event event;
	struct hft_task task;
	int64_t id;
	int i;

	if (self->cpu < 2)
		SKIP(return, "of two CPUs one alone can go offline");
	ASSERT_EQ(0, hft_test_ring_add(self->context, self->cpu, ENTRIES, ENTRIES,
				       HFT_POLICY_FIFO, &last));
	ASSERT_EQ(0, add_ring(self->context, self->cpu - 1, 8, last.add.ring, &second));
	ASSERT_EQ(0, add_ring(self->context, self->cpu, 8, second.add.ring, &first));
	ASSERT_EQ(0, set_online(self->cpu - 1, false));
	for (i = 0; i < 10; i++) {
		task = hft_test_task(first.add.ring, i, hft_test_now() + FAR);
		ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	}
	/* That one takes what is submitted, as long as it can. */
	task = hft_test_task(second.add.ring, i, hft_test_now() + FAR);
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, set_online(self->cpu, false));
	for (i = 0; i < 11; i++) {
		ASSERT_EQ(0, hft_test_take(i < 10 ? &first : &last, &event, 10 * NSEC_PER_SEC));
		ASSERT_EQ(i, (int)event.cookie);
		ASSERT_EQ(-ENODEV, event.result);
	}
	task.ring = first.add.ring;
	ASSERT_EQ(-ENODEV, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, set_online(self->cpu - 1, true));
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(1, hft_test_cancel(self->context, id) == 0);
	ASSERT_EQ(0, set_online(self->cpu, true));
	hft_test_ring_close(&first);
	hft_test_ring_close(&second);
	hft_test_ring_close(&last);
}

/* Where rules may raise others to its level a hard task is not taken: it would be late. */
TEST_F(fallback, hard_and_rules)
{
	struct hft_rule rule = { .action = HFT_ACTION_BOOST, .count = 1, .amount = 1 };
	struct hft_task task = hft_test_task(1, 0, hft_test_now() + FAR);
	struct hft_event event;
	struct hft_stats stats;
	int64_t id;

	SKIP_IF_ALONE();
	rule.level = HFT_LEVEL_HIGH;
	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_RULE, &rule));
	task.flags = HFT_TASK_WATCH;
	task.deadline = task.release + NSEC_PER_SEC;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	task.cookie = 1;
	task.level = HFT_LEVEL_HIGH + 1;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, set_online(self->cpu, false));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
	ASSERT_EQ(0, event.cookie);
	ASSERT_EQ(-ENODEV, event.result);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	ASSERT_EQ(1, stats.waiting);
	task.level = HFT_LEVEL_HIGH;
	ASSERT_EQ(-EBUSY, hft_test_submit(self->context, &task, &id));
}

/* A level that is not taken, and a demand that is not admitted. */
TEST_F(fallback, what_is_not_taken_ends)
{
	uint64_t far = hft_test_now() + FAR;
	struct hft_ring_add add = hft_test_ring_default();
	struct hft_test_ring narrow, ring;
	struct hft_stats stats;
	struct hft_event event;
	struct hft_task task;
	unsigned char seen[4] = {};
	int64_t id;
	int i;

	SKIP_IF_ALONE();
	add.level_mask = 1 << HFT_LEVEL_NORMAL;
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &narrow));
	ASSERT_EQ(0, add_ring(self->context, self->cpu, 8, narrow.add.ring, &ring));

	task = hft_test_task(narrow.add.ring, 9, far);
	task.flags = HFT_TASK_PERIODIC;
	task.period = 10 * NSEC_PER_MSEC;
	task.wcet = 6 * NSEC_PER_MSEC;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	/* Together they would be too much for one CPU. */
	task.ring = ring.add.ring;
	task.cookie = 0;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	for (i = 1; i < 3; i++) {
		task = hft_test_task(ring.add.ring, i, i == 1 ? far : 0);
		task.level = HFT_LEVEL_HIGH;
		if (i == 2)
			task.release = far;
		ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	}
	task = hft_test_task(ring.add.ring, 3, far);
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));

	ASSERT_EQ(0, set_online(self->cpu, false));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, hft_test_take(&ring, &event, 10 * NSEC_PER_SEC));
		ASSERT_EQ(-ENODEV, event.result);
		ASSERT_GT(3, (int)event.cookie);
		ASSERT_EQ(0, seen[event.cookie]++);
	}
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&ring, 0));
	ASSERT_EQ(0, hft_test_stats(self->context, narrow.add.ring, &stats));
	ASSERT_EQ(2, stats.waiting);
	task.level = HFT_LEVEL_HIGH;
	ASSERT_EQ(-EINVAL, hft_test_submit(self->context, &task, &id));

	/* What it asked for there is free: it fits again when the CPU is back. */
	ASSERT_EQ(0, set_online(self->cpu, true));
	task = hft_test_task(ring.add.ring, 0, far);
	task.flags = HFT_TASK_PERIODIC;
	task.period = 10 * NSEC_PER_MSEC;
	task.wcet = 9 * NSEC_PER_MSEC;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	hft_test_ring_close(&ring);
	hft_test_ring_close(&narrow);
}

/* The admission moves with the task. */
TEST_F(fallback, demand_moves)
{
	struct hft_task task = hft_test_task(1, 0, hft_test_now() + FAR);
	int64_t id, other;

	SKIP_IF_ALONE();
	task.flags = HFT_TASK_PERIODIC;
	task.period = 10 * NSEC_PER_MSEC;
	task.wcet = 6 * NSEC_PER_MSEC;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(-EBUSY, hft_test_submit(self->context, &task, &other));
	ASSERT_EQ(0, set_online(self->cpu, false));
	task.ring = 0;
	ASSERT_EQ(-EBUSY, hft_test_submit(self->context, &task, &other));
	ASSERT_EQ(0, set_online(self->cpu, true));
	task.ring = 1;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &other));
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
	task.ring = 0;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
}

/* The job in flight is finished first; releases until then are overruns. */
TEST_F(fallback, periodic_in_flight)
{
	const uint64_t period = 5 * NSEC_PER_MSEC;
	struct hft_task task = hft_test_task(1, 0, hft_test_now() + NSEC_PER_MSEC);
	struct hft_task_info info;
	struct hft_event event;
	uint64_t jobs, first;
	int64_t id;

	SKIP_IF_ALONE();
	task.flags = HFT_TASK_PERIODIC;
	task.period = period;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_LT(0, hft_test_wait(&self->ring, 10 * NSEC_PER_SEC));
	ASSERT_EQ(0, set_online(self->cpu, false));
	/* The other ring has nothing while this one is not advanced over. */
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->spare, 10 * period));
	ASSERT_EQ(0, task_info(self->context, id, &info));
	ASSERT_EQ(1, info.ring);
	ASSERT_EQ(1, info.jobs);

	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	first = event.release;
	/* It is noticed when the worker looks for more. */
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	for (jobs = 1; jobs < 4; jobs++) {
		ASSERT_EQ(0, hft_test_take(&self->spare, &event, 10 * NSEC_PER_SEC));
		ASSERT_LE(0, event.result);
		ASSERT_EQ(0, (event.release - first) % period);
		if (jobs == 1)
			ASSERT_LE(10, event.result);
	}
	ASSERT_EQ(0, task_info(self->context, id, &info));
	ASSERT_EQ(0, info.ring);
	ASSERT_LE(4, info.jobs);
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
}

/* It leaves, and is cancelled, or its CPU comes back before. */
TEST_F(fallback, leaving_ends)
{
	struct hft_task task = hft_test_task(1, 0, 0);
	struct hft_event event;
	struct hft_stats stats;
	int64_t id, other;

	SKIP_IF_ALONE();
	task.flags = HFT_TASK_PERIODIC;
	task.period = 3600 * NSEC_PER_SEC;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	task.flags = HFT_TASK_SPORADIC;
	task.period = HFT_PERIOD_MIN;
	task.cookie = 1;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &other));
	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_RELEASE,
				    &(struct hft_arrival){ .task = other }));
	while (hft_test_pending(&self->ring) < 2)
		hft_test_sleep(NSEC_PER_MSEC);
	ASSERT_EQ(0, set_online(self->cpu, false));
	ASSERT_EQ(-ENODEV, hft_test_ioctl(self->context, HFT_IOC_RELEASE,
					  &(struct hft_arrival){ .task = other }));
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
	ASSERT_EQ(0, set_online(self->cpu, true));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_RELEASE,
				    &(struct hft_arrival){ .task = other }));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
	ASSERT_EQ(1, event.cookie);
	ASSERT_EQ(0, hft_test_cancel(self->context, other));
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	ASSERT_EQ(0, hft_test_stats(self->context, HFT_STATS_CONTEXT, &stats));
	ASSERT_EQ(TASKS, stats.tasks_free);
}

/* A sporadic task waits for its arrivals where it is now. */
TEST_F(fallback, sporadic)
{
	struct hft_task task = hft_test_task(1, 3, 0);
	struct hft_event event;
	int64_t id;

	SKIP_IF_ALONE();
	task.flags = HFT_TASK_SPORADIC;
	task.period = HFT_PERIOD_MIN;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, set_online(self->cpu, false));
	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_RELEASE,
				    &(struct hft_arrival){ .task = id }));
	ASSERT_EQ(0, hft_test_take(&self->spare, &event, 10 * NSEC_PER_SEC));
	ASSERT_EQ(3, event.cookie);
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
}

/*
 * Chains: of two that move, of one that stays behind as its event is in the ring, and of
 * one that never was there.
 */
TEST_F(fallback, chains)
{
	uint64_t later = hft_test_now() + FAR;
	struct hft_task task = hft_test_task(1, 0, 0);
	struct hft_event event;
	struct hft_stats stats;
	int64_t ids[6];
	int i, sum = 0;

	SKIP_IF_ALONE();
	task.flags = HFT_TASK_TRACK;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &ids[0]));	/* in the ring */
	task.cookie = 1;
	task.after = ids[0];
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &ids[1]));
	task.cookie = 2;
	task.after = 0;
	task.release = later;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &ids[2]));
	task.cookie = 3;
	task.after = ids[2];
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &ids[3]));
	task.cookie = 4;
	task.after = ids[2];
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &ids[4]));
	task.cookie = 5;
	task.ring = 0;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &ids[5]));

	ASSERT_EQ(0, set_online(self->cpu, false));
	ASSERT_EQ(0, hft_test_cancel(self->context, ids[4]));
	ASSERT_EQ(0, set_release(self->context, ids[2], 0));
	/* They have it from there. */
	ASSERT_EQ(0, set_release(self->context, ids[3], 0));
	ASSERT_EQ(0, set_release(self->context, ids[5], 0));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_EQ(0, event.cookie);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, hft_test_take(&self->spare, &event, 10 * NSEC_PER_SEC));
		ASSERT_EQ(0, event.result);
		sum |= 1 << event.cookie;
	}
	ASSERT_EQ(0x2e, sum);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->spare, 0));
	ASSERT_EQ(0, hft_test_stats(self->context, HFT_STATS_CONTEXT, &stats));
	ASSERT_EQ(TASKS, stats.tasks_free);
}

/* A deadline is watched on, and missed once. */
TEST_F(fallback, deadlines)
{
	struct hft_ring_add add = { .entries = 16, .window = 16, .flags = HFT_RING_MONITOR };
	struct hft_modify modify = { .fields = HFT_MODIFY_RELEASE | HFT_MODIFY_DEADLINE };
	struct hft_task task = hft_test_task(1, 0, 0);
	struct hft_test_ring monitor;
	struct hft_event event;
	int64_t id;
	int i;

	SKIP_IF_ALONE();
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &monitor));
	/* The window is full: the ninth is ready, and misses its deadline before it moves. */
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	task.flags = HFT_TASK_WATCH;
	task.cookie = 8;
	task.release = hft_test_now();
	task.deadline = task.release + NSEC_PER_MSEC;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, hft_test_take(&monitor, &event, 10 * NSEC_PER_SEC));
	ASSERT_EQ(HFT_EVENT_MISS, event.type);
	/* This one waits for its release. */
	task.cookie = 9;
	task.release = hft_test_now() + FAR;
	task.deadline = task.release + NSEC_PER_MSEC;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, set_online(self->cpu, false));

	ASSERT_EQ(0, hft_test_take(&monitor, &event, 10 * NSEC_PER_SEC));
	ASSERT_EQ(HFT_EVENT_CPU_OFFLINE, event.type);
	ASSERT_EQ(0, event.task);
	modify.task = id;
	modify.release = hft_test_now();
	modify.deadline = modify.release + NSEC_PER_MSEC;
	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_MODIFY, &modify));
	ASSERT_EQ(0, hft_test_take(&monitor, &event, 10 * NSEC_PER_SEC));
	ASSERT_EQ(HFT_EVENT_MISS, event.type);
	ASSERT_EQ(id, (int64_t)event.task);
	for (i = 8; i < 10; i++) {
		ASSERT_EQ(0, hft_test_take(&self->spare, &event, 10 * NSEC_PER_SEC));
		ASSERT_EQ(i, (int)event.cookie);
		ASSERT_EQ(0, event.result);
	}
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&monitor, 0));
	hft_test_ring_close(&monitor);
}

TEST_HARNESS_MAIN
