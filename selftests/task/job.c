// SPDX-License-Identifier: GPL-2.0-only
/* Tracked and periodic tasks: their jobs, what happens when they overrun, where they are. */
#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	16
#define PERIOD	(5 * NSEC_PER_MSEC)

FIXTURE(job) {
	int context;
	struct hft_test_ring ring;
};

FIXTURE_SETUP(job)
{
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 16, 16, HFT_POLICY_FIFO, &self->ring));
}

FIXTURE_TEARDOWN(job)
{
	hft_test_ring_close(&self->ring);
	close(self->context);
}

static uint32_t tasks_free(int context)
{
	struct hft_stats stats;

	return hft_test_stats(context, HFT_STATS_CONTEXT, &stats) ? UINT32_MAX : stats.tasks_free;
}

static int info_of(int context, uint64_t id, struct hft_task_info *info)
{
	*info = (struct hft_task_info){ .task = id };
	return hft_test_ioctl(context, HFT_IOC_TASK, info);
}

static struct hft_task periodic(uint64_t first, uint32_t flags)
{
	struct hft_task task = hft_test_task(0, 7, first);

	task.flags = HFT_TASK_PERIODIC | flags;
	task.period = PERIOD;
	task.deadline = first + PERIOD / 2;
	return task;
}

TEST_F(job, flags_that_do_not_fit)
{
	static const struct { uint32_t flags; uint64_t deadline, period; int err; } cases[] = {
		{ HFT_TASK_TRACK, 0, 0, 0 },
		{ HFT_TASK_REDUCE, 0, 0, 0 },
		{ HFT_TASK_NO_ADMIT, 0, 0, -EINVAL },
		{ HFT_TASK_PERIODIC | HFT_TASK_NO_ADMIT, 0, HFT_PERIOD_MIN, 0 },
		{ HFT_TASK_PERIODIC, 0, HFT_PERIOD_MIN, 0 },
		{ HFT_TASK_PERIODIC, 0, HFT_PERIOD_MIN - 1, -EINVAL },
		{ HFT_TASK_PERIODIC, 0, 0, -EINVAL },
		{ HFT_TASK_PERIODIC, 0, HFT_TIME_MAX + 1, -EINVAL },
		{ HFT_TASK_CATCH_UP, 0, HFT_PERIOD_MIN, -EINVAL },
		{ HFT_TASK_COALESCE, 0, HFT_PERIOD_MIN, -EINVAL },
		{ HFT_TASK_PERIODIC | HFT_TASK_CATCH_UP, 0, HFT_PERIOD_MIN, 0 },
		{ HFT_TASK_PERIODIC | HFT_TASK_CATCH_UP | HFT_TASK_COALESCE, 0, HFT_PERIOD_MIN,
		  -EINVAL },
		{ HFT_TASK_WATCH, 0, 0, -EINVAL },
		{ HFT_TASK_WATCH, 1, 0, 0 },
		{ HFT_TASK_DROP, 1, 0, -EINVAL },
		{ HFT_TASK_WATCH | HFT_TASK_DROP, 1, 0, 0 },
		{ HFT_TASK_SIGNAL, 1, 0, -EINVAL },
		{ HFT_TASK_HALT, 1, 0, -EINVAL },
		{ HFT_TASK_WATCH | HFT_TASK_SIGNAL | HFT_TASK_HALT, 1, 0, 0 },
		{ HFT_TASK_WATCH | HFT_TASK_SIGNAL | HFT_TASK_HALT, 0, 0, -EINVAL },
	};
	uint64_t far = hft_test_now() + 1000 * NSEC_PER_SEC;
	int64_t id;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct hft_task task = hft_test_task(0, i, far);

		task.flags = cases[i].flags;
		task.period = cases[i].period;
		task.deadline = cases[i].deadline ? far + cases[i].deadline : 0;
		EXPECT_EQ(cases[i].err, hft_test_submit(self->context, &task, &id)) {
			TH_LOG("case %zu", i);
		}
		if (!cases[i].err)
			EXPECT_EQ(0, hft_test_cancel(self->context, id));
		EXPECT_EQ(TASKS, tasks_free(self->context));
	}
}

TEST_F(job, tracked_task_lives_until_it_is_consumed)
{
	struct hft_task task = hft_test_task(0, 1, hft_test_now() + 20 * NSEC_PER_MSEC);
	struct hft_task_info info;
	struct hft_event event;
	int64_t first, second;

	task.flags = HFT_TASK_TRACK;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &first));
	ASSERT_EQ(0, info_of(self->context, first, &info));
	EXPECT_EQ(HFT_STATE_PENDING, info.state);
	EXPECT_EQ(task.release, info.release);
	ASSERT_EQ(1, hft_test_wait(&self->ring, NSEC_PER_SEC));
	task.release = 0;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &second));

	ASSERT_EQ(0, info_of(self->context, first, &info));
	EXPECT_EQ(HFT_STATE_RUNNING, info.state);
	EXPECT_EQ(1, info.jobs);
	ASSERT_EQ(0, info_of(self->context, second, &info));
	EXPECT_EQ(HFT_STATE_DISPATCHED, info.state);
	EXPECT_EQ(-ENOENT, hft_test_cancel(self->context, first));
	EXPECT_EQ(TASKS - 2, tasks_free(self->context));

	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	EXPECT_EQ(first, (int64_t)event.task);
	ASSERT_EQ(0, info_of(self->context, first, &info));
	EXPECT_EQ(HFT_STATE_COMPLETED, info.state);
	EXPECT_EQ(1, info.jobs);
	EXPECT_EQ(task.ring, info.ring);
	ASSERT_EQ(0, info_of(self->context, second, &info));
	EXPECT_EQ(HFT_STATE_RUNNING, info.state);
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	EXPECT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	EXPECT_EQ(TASKS, tasks_free(self->context));
}

TEST_F(job, periodic_task_does_not_drift)
{
	uint64_t first = hft_test_now() + 20 * NSEC_PER_MSEC;
	struct hft_task task = periodic(first, 0);
	struct hft_task_info info;
	struct hft_event event;
	int64_t id;
	uint64_t k;

	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	for (k = 0; k < 40; k++) {
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
		/* On a busy host we may be late ourselves. */
		ASSERT_LE(0, event.result);
		k += event.result;
		EXPECT_EQ(first + k * PERIOD, event.release);
		EXPECT_EQ(first + k * PERIOD + PERIOD / 2, event.deadline);
		EXPECT_LE(event.release, event.published);
		EXPECT_EQ(id, (int64_t)event.task);
	}
	ASSERT_EQ(0, info_of(self->context, id, &info));
	EXPECT_LE(k, info.jobs + info.missed);
	EXPECT_LE(first + k * PERIOD, info.release);
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
	/* On a busy host there may be a job in flight by now. */
	while (hft_test_wait(&self->ring, 0) > 0)
		hft_test_next(&self->ring, &event);
	EXPECT_EQ(TASKS, tasks_free(self->context));
	hft_test_sleep(3 * PERIOD);
	EXPECT_EQ(0, hft_test_pending(&self->ring));
}

/* The worker is away for some periods while it has the first job. */
static int be_late(struct hft_test_ring *ring, uint64_t *first, struct hft_event *event)
{
	int ret = hft_test_wait(ring, NSEC_PER_SEC);
	uint64_t now, back;

	if (ret != 1)
		return ret < 0 ? ret : -EPROTO;
	*first = ring->events[0].release;
	back = *first + 5 * PERIOD + PERIOD / 2;
	now = hft_test_now();
	if (back > now)
		hft_test_sleep(back - now);
	return hft_test_pending(ring) == 1 && hft_test_next(ring, event) ? 0 : -EPROTO;
}

TEST_F(job, overrun_is_skipped)
{
	struct hft_task task = periodic(hft_test_now() + 10 * NSEC_PER_MSEC, 0);
	struct hft_task_info info;
	struct hft_event event;
	uint64_t first, k;
	int64_t id;

	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, be_late(&self->ring, &first, &event));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
	k = (event.release - first) / PERIOD;
	/* All but the last, which a loaded machine's timer may have been late for. */
	EXPECT_LT(1, k);
	EXPECT_EQ(first + k * PERIOD, event.release);
	EXPECT_EQ((int)k - 1, event.result);
	ASSERT_EQ(0, info_of(self->context, id, &info));
	/* We may have been late again since. */
	EXPECT_LE(k - 1, info.missed);
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
}

TEST_F(job, overrun_is_caught_up)
{
	struct hft_task task = periodic(hft_test_now() + 10 * NSEC_PER_MSEC, HFT_TASK_CATCH_UP);
	struct hft_event event;
	uint64_t first, k;
	int64_t id;

	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, be_late(&self->ring, &first, &event));
	for (k = 1; k < 12; k++) {
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
		EXPECT_EQ(first + k * PERIOD, event.release);
		EXPECT_EQ(0, event.result);
	}
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
}

TEST_F(job, overrun_is_coalesced)
{
	struct hft_task task = periodic(hft_test_now() + 10 * NSEC_PER_MSEC, HFT_TASK_COALESCE);
	uint64_t first, last, missed = 0, jobs = 1;
	struct hft_event event;
	int64_t id;

	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, be_late(&self->ring, &first, &event));
	last = first;
	/* Late as it is, a job comes at once; each tells what it stands for. */
	do {
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
		EXPECT_LT(last, event.release);
		EXPECT_LE(0, event.result);
		missed += event.result;
		jobs++;
		last = event.release;
		EXPECT_EQ(last, first + (jobs - 1 + missed) * PERIOD);
	} while (last < first + 12 * PERIOD);
	EXPECT_LE(3, missed);
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
}

/* The releases of late jobs are told on CLOCK_MONOTONIC too. */
TEST_F(job, overrun_on_the_wall_clock)
{
	static const uint32_t rules[] = { 0, HFT_TASK_CATCH_UP, HFT_TASK_COALESCE };
	struct hft_event event;
	uint64_t first, last;
	size_t rule;
	int64_t id;
	int i;

	for (rule = 0; rule < ARRAY_LEN(rules); rule++) {
		struct hft_task task = periodic(hft_test_now_on(CLOCK_REALTIME) +
						10 * NSEC_PER_MSEC, rules[rule]);

		task.clock = HFT_CLOCK_REALTIME;
		ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
		ASSERT_EQ(1, hft_test_wait(&self->ring, NSEC_PER_SEC));
		hft_test_sleep(5 * PERIOD);
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
		first = event.release;
		last = first;
		for (i = 0; i < 8; i++) {
			ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
			EXPECT_LT(last, event.release);
			EXPECT_EQ(0, (event.release - first) % PERIOD);
			EXPECT_EQ(event.release + PERIOD / 2, event.deadline);
			EXPECT_GE(hft_test_now(), event.release);
			last = event.release;
		}
		ASSERT_EQ(0, hft_test_cancel(self->context, id));
		while (hft_test_wait(&self->ring, 0) > 0)
			hft_test_next(&self->ring, &event);
	}
}

/* Cancelled with a job in flight, it takes its place until that is consumed. */
TEST_F(job, cancel_with_a_job_in_flight)
{
	struct hft_task task = periodic(hft_test_now(), 0);
	struct hft_event event;
	int64_t id;

	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(1, hft_test_wait(&self->ring, NSEC_PER_SEC));
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
	EXPECT_EQ(TASKS - 1, tasks_free(self->context));
	EXPECT_EQ(-ENOENT, hft_test_cancel(self->context, id));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	EXPECT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 3 * PERIOD));
	EXPECT_EQ(TASKS, tasks_free(self->context));
}

/* A job that waits for room is not overtaken by its own next release. */
TEST_F(job, full_ring)
{
	struct hft_task task = periodic(hft_test_now(), 0), plain = hft_test_task(0, 1, 0);
	struct hft_event event;
	uint64_t before;
	int64_t id;
	int i;

	for (i = 0; i < 15; i++)
		ASSERT_EQ(0, hft_test_submit(self->context, &plain, NULL));
	ASSERT_EQ(0, hft_test_submit(self->context, &plain, NULL));
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	hft_test_sleep(10 * PERIOD);
	EXPECT_EQ(16, hft_test_pending(&self->ring));
	before = hft_test_now();
	for (i = 0; i < 16; i++) {
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
		EXPECT_EQ(1, event.cookie);
	}
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
	EXPECT_EQ(7, event.cookie);
	EXPECT_EQ(task.release, event.release);
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
	EXPECT_LT(before, event.release);
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
}

/* A closed ring takes its tasks along, also those in flight. */
TEST_F(job, close_of_the_ring)
{
	uint64_t far = hft_test_now() + 1000 * NSEC_PER_SEC;
	struct hft_task task = periodic(hft_test_now(), HFT_TASK_CATCH_UP);
	int i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	task.release = far;
	task.deadline = 0;
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	hft_test_sleep(3 * PERIOD);
	EXPECT_EQ(TASKS - 8, tasks_free(self->context));
	hft_test_ring_close(&self->ring);
	EXPECT_EQ(TASKS, tasks_free(self->context));
}

/* A head that makes no sense harms nobody but its owner. */
TEST_F(job, hostile_head)
{
	struct hft_task task = periodic(hft_test_now(), 0);
	uint64_t random = 1;
	int64_t id;
	int i;

	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	for (i = 0; i < 2000; i++) {
		__atomic_store_n(&self->ring.consumer->head, (uint32_t)hft_test_random(&random),
				 __ATOMIC_RELEASE);
		if (i % 4 == 0)
			self->ring.consumer->head = hft_test_tail(&self->ring) - i % 3;
		hft_test_wait(&self->ring, 0);
		hft_test_sleep(20000);
	}
	EXPECT_EQ(0, hft_test_cancel(self->context, id));
	hft_test_ring_close(&self->ring);
	EXPECT_EQ(TASKS, tasks_free(self->context));
}

TEST_HARNESS_MAIN
