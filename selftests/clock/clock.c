// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tasks on three clocks, and a wall clock that is stepped under them, forward and backward:
 * a task starts when its own clock says so, and never before.
 */
#include "kselftest_harness.h"
#include "clock.h"

#define TASKS	64
#define HOUR	(3600 * NSEC_PER_SEC)
#define SOON	(100 * NSEC_PER_MSEC)

static const clockid_t clock_ids[HFT_CLOCKS] = {
	[HFT_CLOCK_MONOTONIC] = CLOCK_MONOTONIC,
	[HFT_CLOCK_REALTIME] = CLOCK_REALTIME,
	[HFT_CLOCK_TAI] = CLOCK_TAI,
};

FIXTURE(clocks) {
	int context;
	struct hft_test_ring ring;
	int64_t stepped;
};

FIXTURE_SETUP(clocks)
{
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, hft_test_cpus() - 1, 64, 64, HFT_POLICY_EDF,
				       &self->ring));
}

FIXTURE_TEARDOWN(clocks)
{
	if (self->stepped)
		step(&self->stepped, -self->stepped);
	hft_test_ring_close(&self->ring);
	close(self->context);
}

static int submit_on(int context, uint8_t clock, uint64_t cookie, uint64_t in)
{
	struct hft_task task = hft_test_task(0, cookie, hft_test_now_on(clock_ids[clock]) + in);

	task.clock = clock;
	task.deadline = task.release + NSEC_PER_SEC;
	return hft_test_submit(context, &task, NULL);
}

/* The event's times are on CLOCK_MONOTONIC, whatever the task's clock is. */
TEST_F(clocks, none_is_early)
{
	uint64_t random = 0x68667436;
	struct hft_event event;
	int i;

	for (i = 0; i < 60; i++) {
		uint64_t in = hft_test_random(&random) % SOON;
		uint64_t before, after;

		before = hft_test_now() + in;
		ASSERT_EQ(0, submit_on(self->context, i % HFT_CLOCKS, i, in));
		after = hft_test_now() + in;
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
		ASSERT_EQ(i, (int)event.cookie);
		ASSERT_EQ(i % HFT_CLOCKS, event.clock);
		/* Reading the clocks of one time base rounds by a nanosecond. */
		ASSERT_LE(before - 2, event.release);
		ASSERT_GE(after + 2, event.release);
		ASSERT_LE(event.release, event.irq_entry + 1);
		ASSERT_LE(event.irq_entry, event.published);
		ASSERT_EQ(event.release + NSEC_PER_SEC, event.deadline);
	}
}

/* Each clock has its own timer: the order is that of a clock, not between them. */
TEST_F(clocks, all_at_a_time)
{
	uint64_t last[HFT_CLOCKS] = {};
	struct hft_event event;
	int i;

	for (i = 0; i < 60; i++)
		ASSERT_EQ(0, submit_on(self->context, i % HFT_CLOCKS, i,
				       SOON + (60 - i) * NSEC_PER_MSEC));
	for (i = 59; i >= 0; i--) {
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
		ASSERT_LE(last[event.clock], event.deadline);
		last[event.clock] = event.deadline;
	}
}

/* A time before this boot is long past. */
TEST_F(clocks, release_long_ago)
{
	struct hft_event event;
	struct hft_task task = hft_test_task(0, 1, 1);

	for (task.clock = 0; task.clock < HFT_CLOCKS; task.clock++) {
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
		ASSERT_GE(1, event.release);
	}
}

TEST_F(clocks, step_forward_releases_wall_clock_tasks)
{
	struct hft_event event;
	int seen[4] = {}, i;

	ASSERT_EQ(0, submit_on(self->context, HFT_CLOCK_REALTIME, 0, HOUR));
	ASSERT_EQ(0, submit_on(self->context, HFT_CLOCK_TAI, 1, HOUR));
	ASSERT_EQ(0, submit_on(self->context, HFT_CLOCK_REALTIME, 2, 3 * HOUR));
	ASSERT_EQ(0, submit_on(self->context, HFT_CLOCK_MONOTONIC, 3, HOUR));
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, SOON));

	ASSERT_EQ(0, step(&self->stepped, HOUR + NSEC_PER_SEC));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
		seen[event.cookie]++;
		/* By the clock of now it was due a second ago. */
		ASSERT_LT(event.release, event.irq_entry);
	}
	ASSERT_EQ(1, seen[0]);
	ASSERT_EQ(1, seen[1]);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, SOON));

	ASSERT_EQ(0, step(&self->stepped, 2 * HOUR));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
	ASSERT_EQ(2, event.cookie);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, SOON));
}

TEST_F(clocks, step_backward_holds_them_back)
{
	uint64_t release = hft_test_now_on(CLOCK_REALTIME) + SOON;
	struct hft_event event;
	int i, seen[3] = {};

	ASSERT_EQ(0, submit_on(self->context, HFT_CLOCK_REALTIME, 0, SOON));
	ASSERT_EQ(0, submit_on(self->context, HFT_CLOCK_TAI, 1, SOON));
	ASSERT_EQ(0, submit_on(self->context, HFT_CLOCK_MONOTONIC, 2, SOON));
	ASSERT_EQ(0, step(&self->stepped, -(int64_t)HOUR));

	ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
	ASSERT_EQ(2, event.cookie);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 3 * SOON));

	/* Forward again, but not quite far enough, then the rest by itself. */
	ASSERT_EQ(0, step(&self->stepped, HOUR - 4 * SOON));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
		ASSERT_LE(release, hft_test_now_on(CLOCK_REALTIME));
		ASSERT_LE(event.release, event.irq_entry + 1);
		seen[event.cookie]++;
	}
	ASSERT_EQ(1, seen[0]);
	ASSERT_EQ(1, seen[1]);
}

/* A task that comes after a step back is earlier than what the timer is armed for. */
TEST_F(clocks, submit_after_a_step_backward)
{
	struct hft_event event;

	ASSERT_EQ(0, submit_on(self->context, HFT_CLOCK_REALTIME, 0, HOUR));
	ASSERT_EQ(0, step(&self->stepped, -2 * (int64_t)HOUR));
	ASSERT_EQ(0, submit_on(self->context, HFT_CLOCK_REALTIME, 1, SOON));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
	ASSERT_EQ(1, event.cookie);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, SOON));
}

/* Take an event, of a task that has had none. */
static int take_once(struct hft_test_ring *ring, unsigned char *seen, int tasks)
{
	struct hft_event event;
	int err = hft_test_take(ring, &event, 10 * NSEC_PER_SEC);

	if (err)
		return err;
	if (event.cookie >= (uint64_t)tasks || event.result || seen[event.cookie]++)
		return -EPROTO;
	return 0;
}

/* Steps at random while tasks run: each has one event. */
TEST_F(clocks, many_steps)
{
	int rounds = hft_test_scaled(200), i, events = 0;
	unsigned char *seen = calloc(rounds, 1);
	uint64_t random = 0x68667437;

	ASSERT_NE(NULL, seen);
	for (i = 0; i < rounds; i++) {
		uint64_t in = hft_test_random(&random) % (4 * NSEC_PER_MSEC);
		int64_t by = (int64_t)(hft_test_random(&random) % (20 * NSEC_PER_MSEC)) -
			     (int64_t)(10 * NSEC_PER_MSEC);

		ASSERT_EQ(0, submit_on(self->context, i % HFT_CLOCKS, i, in));
		ASSERT_EQ(0, step(&self->stepped, by));
		if (i - events < 32)
			continue;
		while (events <= i) {
			ASSERT_EQ(0, take_once(&self->ring, seen, rounds));
			events++;
		}
	}
	while (events < rounds) {
		ASSERT_EQ(0, take_once(&self->ring, seen, rounds));
		events++;
	}
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, SOON));
	free(seen);
}

TEST_F(clocks, first_task_since_load)
{
	struct hft_event event;
	unsigned int i;

	hft_test_ring_close(&self->ring);
	close(self->context);
	ASSERT_EQ(0, hft_test_module_unload());
	ASSERT_EQ(0, hft_test_module_load());
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(-ENOENT, submit_on(self->context, HFT_CLOCK_TAI, 0, 0));
	ASSERT_EQ(0, hft_test_ring_add(self->context, hft_test_cpus() - 1, 64, 64,
				       HFT_POLICY_EDF, &self->ring));
	for (i = 0; i < 2 * HFT_CLOCKS; i++) {
		ASSERT_EQ(0, submit_on(self->context, i % HFT_CLOCKS, i, SOON));
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
		ASSERT_EQ(i, event.cookie);
	}
}

/* The pair of clocks was read between what is read before and after it. */
TEST_F(clocks, pair)
{
	uint64_t monotonic, realtime, last_cycles = 0;
	struct hft_clock_pair pair;
	uint32_t was_set;
	int i;

	for (i = 0; i < 1000; i++) {
		monotonic = hft_test_now();
		realtime = hft_test_now_on(CLOCK_REALTIME);
		memset(&pair, 0xff, sizeof(pair));
		ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_CLOCK, &pair));
		ASSERT_LE(monotonic, pair.monotonic + 1);
		ASSERT_LE(realtime, pair.realtime + 1);
		ASSERT_GE(hft_test_now() + 1, pair.monotonic);
		ASSERT_GE(hft_test_now_on(CLOCK_REALTIME) + 1, pair.realtime);
		ASSERT_LE(last_cycles, pair.cycles);
		ASSERT_EQ(0, pair.reserved);
		last_cycles = pair.cycles;
	}
	was_set = pair.was_set;
	ASSERT_EQ(0, step(&self->stepped, HOUR));
	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_CLOCK, &pair));
	ASSERT_NE(was_set, pair.was_set);
	ASSERT_LE(realtime + HOUR, pair.realtime);
}

TEST_HARNESS_MAIN
