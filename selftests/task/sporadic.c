// SPDX-License-Identifier: GPL-2.0-only
/* Sporadic tasks: an arrival is a job, no sooner than the interval allows. */
#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	16
#define MS	NSEC_PER_MSEC
#define PERIOD	(5 * MS)
#define PATIENT	(20 * NSEC_PER_SEC)

FIXTURE(sporadic) {
	int context;
	struct hft_test_ring ring;
};

FIXTURE_SETUP(sporadic)
{
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 16, 16, HFT_POLICY_FIFO, &self->ring));
}

FIXTURE_TEARDOWN(sporadic)
{
	hft_test_ring_close(&self->ring);
	close(self->context);
}

static struct hft_task sporadic(uint64_t first)
{
	struct hft_task task = hft_test_task(0, 7, first);

	task.flags = HFT_TASK_SPORADIC;
	task.period = PERIOD;
	task.deadline = first + PERIOD / 2;
	return task;
}

static int arrive(int context, uint64_t id, uint64_t release)
{
	struct hft_arrival arrival = { .task = id, .release = release };

	return hft_test_ioctl(context, HFT_IOC_RELEASE, &arrival);
}

static int modify(int context, const struct hft_modify *modify)
{
	return hft_test_ioctl(context, HFT_IOC_MODIFY, modify);
}

static struct hft_task_info info_of(int context, uint64_t id)
{
	struct hft_task_info info = { .task = id };

	if (hft_test_ioctl(context, HFT_IOC_TASK, &info))
		info.state = 0;
	return info;
}

static uint32_t tasks_free(int context)
{
	struct hft_stats stats;

	return hft_test_stats(context, HFT_STATS_CONTEXT, &stats) ? UINT32_MAX : stats.tasks_free;
}

TEST_F(sporadic, arrivals_are_apart)
{
	uint64_t first = hft_test_now() + 20 * MS, last;
	struct hft_task task = sporadic(first);
	struct hft_task_info info;
	struct hft_event event;
	int64_t id;
	int i;

	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	info = info_of(self->context, id);
	EXPECT_EQ(HFT_STATE_BLOCKED, info.state);
	EXPECT_EQ(first, info.release);
	EXPECT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 30 * MS));

	/* None is before the descriptor's release, nor before it arrives. */
	last = hft_test_now();
	ASSERT_EQ(0, arrive(self->context, id, 0));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, PATIENT));
	EXPECT_LE(last, event.release);
	EXPECT_LE(event.release, event.published);
	EXPECT_EQ(event.release + PERIOD / 2, event.deadline);
	for (i = 0; i < 10; i++) {
		last = event.release;
		/* It may be later than the interval allows that we get here. */
		ASSERT_EQ(0, arrive(self->context, id, i % 2 ? 1 : 0));
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, PATIENT));
		EXPECT_LE(last + PERIOD, event.release);
		EXPECT_EQ(event.release + PERIOD / 2, event.deadline);
		EXPECT_EQ(0, event.result);
		EXPECT_EQ(id, (int64_t)event.task);
	}
	last = event.release + 100 * MS;
	ASSERT_EQ(0, arrive(self->context, id, last));
	EXPECT_EQ(HFT_STATE_PENDING, info_of(self->context, id).state);
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, PATIENT));
	EXPECT_EQ(last, event.release);
	hft_test_wait(&self->ring, 0);
	info = info_of(self->context, id);
	EXPECT_EQ(HFT_STATE_BLOCKED, info.state);
	EXPECT_EQ(last + PERIOD, info.release);
	EXPECT_EQ(12, info.jobs);
	EXPECT_EQ(0, info.missed);
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
	EXPECT_EQ(-ENOENT, arrive(self->context, id, 0));
	EXPECT_EQ(TASKS, tasks_free(self->context));
}

/* One that waits for its release or for its job before is told; none is lost silently. */
TEST_F(sporadic, one_arrival_at_a_time)
{
	struct hft_task task = sporadic(hft_test_now());
	uint64_t far = hft_test_now() + 1000 * NSEC_PER_SEC;
	struct hft_event event;
	uint64_t first;
	int64_t id;

	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, arrive(self->context, id, 0));
	ASSERT_EQ(1, hft_test_wait(&self->ring, PATIENT));
	/* In flight: the next is held until it is done. */
	ASSERT_EQ(0, arrive(self->context, id, 0));
	EXPECT_EQ(-EBUSY, arrive(self->context, id, 0));
	hft_test_sleep(3 * PERIOD);
	EXPECT_EQ(1, hft_test_pending(&self->ring));
	EXPECT_EQ(-EBUSY, arrive(self->context, id, 0));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	first = event.release;
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, PATIENT));
	EXPECT_LE(first + PERIOD, event.release);
	EXPECT_GT(event.published, event.release);
	EXPECT_EQ(0, event.result);

	ASSERT_EQ(0, arrive(self->context, id, far));
	EXPECT_EQ(-EBUSY, arrive(self->context, id, 0));
	/* Cancelled with one that waits, and with one in flight. */
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
	EXPECT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	EXPECT_EQ(TASKS, tasks_free(self->context));
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, arrive(self->context, id, 0));
	ASSERT_EQ(1, hft_test_wait(&self->ring, PATIENT));
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
	EXPECT_EQ(-ENOENT, arrive(self->context, id, 0));
	EXPECT_EQ(TASKS - 1, tasks_free(self->context));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	EXPECT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	EXPECT_EQ(TASKS, tasks_free(self->context));
}

TEST_F(sporadic, refusals)
{
	struct hft_task task = sporadic(hft_test_now()), plain = hft_test_task(0, 1, HFT_TIME_MAX);
	static const struct { uint32_t flags; uint64_t period; } rows[] = {
		{ HFT_TASK_SPORADIC, 0 },
		{ HFT_TASK_SPORADIC, HFT_PERIOD_MIN - 1 },
		{ HFT_TASK_SPORADIC | HFT_TASK_PERIODIC, PERIOD },
		{ HFT_TASK_SPORADIC | HFT_TASK_CATCH_UP, PERIOD },
		{ HFT_TASK_SPORADIC | HFT_TASK_COALESCE, PERIOD },
	};
	struct hft_arrival arrival = { .reserved = 1 };
	struct hft_modify change = { .fields = HFT_MODIFY_RELEASE, .release = HFT_TIME_MAX };
	int64_t id;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct hft_task wrong = task;

		wrong.flags = rows[i].flags;
		wrong.period = rows[i].period;
		EXPECT_EQ(-EINVAL, hft_test_submit(self->context, &wrong, &id)) {
			TH_LOG("row %zu", i);
		}
	}
	ASSERT_EQ(0, hft_test_submit(self->context, &plain, &id));
	EXPECT_EQ(-EINVAL, arrive(self->context, id, 0));
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	EXPECT_EQ(-EINVAL, arrive(self->context, id, HFT_TIME_MAX + 1));
	EXPECT_EQ(-EINVAL, arrive(self->context, id, HFT_TIME_MAX));
	arrival.task = id;
	EXPECT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_RELEASE, &arrival));
	EXPECT_EQ(-ENOENT, arrive(self->context, id + (1ULL << 32), 0));
	EXPECT_EQ(HFT_STATE_BLOCKED, info_of(self->context, id).state);
	change.task = id;
	EXPECT_EQ(-EINVAL, modify(self->context, &change));
	ASSERT_EQ(0, arrive(self->context, id, HFT_TIME_MAX - PERIOD));
	EXPECT_EQ(-EINVAL, modify(self->context, &change));
}

TEST_F(sporadic, modified_period_and_deadline)
{
	struct hft_task task = sporadic(hft_test_now());
	struct hft_modify change = { .fields = HFT_MODIFY_PERIOD, .period = 300 * MS };
	struct hft_task_info info;
	struct hft_event event;
	uint64_t last;
	int64_t id;

	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, arrive(self->context, id, 0));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, PATIENT));
	change.task = id;
	ASSERT_EQ(0, modify(self->context, &change));
	last = event.release;
	EXPECT_EQ(last + 300 * MS, info_of(self->context, id).release);
	change = (struct hft_modify){ .task = id, .fields = HFT_MODIFY_DEADLINE };
	info = info_of(self->context, id);
	change.deadline = info.release + 77;
	ASSERT_EQ(0, modify(self->context, &change));
	ASSERT_EQ(0, arrive(self->context, id, 0));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, PATIENT));
	EXPECT_LE(last + 300 * MS, event.release);
	EXPECT_EQ(event.release + 77, event.deadline);
	change = (struct hft_modify){ .task = id, .fields = HFT_MODIFY_PERIOD, .period = PERIOD };
	ASSERT_EQ(0, modify(self->context, &change));
	EXPECT_EQ(event.release + PERIOD, info_of(self->context, id).release);
}

/* Admitted as a periodic one, from its submission to its end. */
TEST_F(sporadic, admission)
{
	struct hft_task task = sporadic(hft_test_now());
	int64_t first, second;

	task.deadline = 0;
	task.wcet = PERIOD / 2;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &first));
	EXPECT_EQ(-EBUSY, hft_test_submit(self->context, &task, &second));
	EXPECT_EQ(1000000, second);
	ASSERT_EQ(0, hft_test_cancel(self->context, first));
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &second));
}

/* A ring takes along those that wait for an arrival alone. */
TEST_F(sporadic, close_of_the_ring)
{
	struct hft_task task = sporadic(hft_test_now());
	struct hft_stats stats;
	int64_t id;
	int i;

	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	EXPECT_EQ(5, stats.waiting);
	EXPECT_EQ(TASKS - 5, tasks_free(self->context));
	hft_test_ring_close(&self->ring);
	EXPECT_EQ(TASKS, tasks_free(self->context));
	EXPECT_EQ(-ENOENT, arrive(self->context, id, 0));
}

TEST_F(sporadic, wall_clock)
{
	struct hft_task task = sporadic(hft_test_now_on(CLOCK_REALTIME));
	struct hft_event event;
	uint64_t last = hft_test_now();
	int64_t id;
	int i;

	task.clock = HFT_CLOCK_REALTIME;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, arrive(self->context, id, 0));
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, PATIENT));
		EXPECT_LE(last, event.release);
		EXPECT_GE(hft_test_now(), event.release);
		EXPECT_EQ(event.release + PERIOD / 2, event.deadline);
		last = event.release + PERIOD;
	}
}

TEST_HARNESS_MAIN
