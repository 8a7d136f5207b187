// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults of the clocks: each is a notice in the monitor rings, which says which, by how
 * much and when, and is counted where there is no such ring.
 */
#include <sys/timex.h>

#include "kselftest_harness.h"
#include "clock.h"

#define TASKS		16
#define HOUR		(3600 * NSEC_PER_SEC)
#define SOON		(50 * NSEC_PER_MSEC)
#define LATE_NS		"/sys/module/hft/parameters/late_ns"
#define CLOCKSOURCE	"/sys/devices/system/clocksource/clocksource0/"
#define EVENTS		"/sys/class/misc/hft/events"

FIXTURE(fault) {
	int context;
	struct hft_test_ring ring;
	struct hft_test_ring monitor;
	int64_t stepped;
	bool tai_set;
	bool source_set;
};

FIXTURE_SETUP(fault)
{
	struct hft_ring_add add = {
		.cpu = 0, .entries = 64, .window = 64, .flags = HFT_RING_MONITOR,
	};

	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, hft_test_cpus() - 1, 16, 16, HFT_POLICY_FIFO,
				       &self->ring));
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &self->monitor));
}

/* Move CLOCK_TAI alone. */
static int step_tai(int seconds)
{
	struct timex timex = { .modes = 0 };

	if (adjtimex(&timex) < 0)
		return -errno;
	timex.constant = timex.tai + seconds;
	timex.modes = ADJ_TAI;
	return adjtimex(&timex) < 0 ? -errno : 0;
}

FIXTURE_TEARDOWN(fault)
{
	EXPECT_EQ(0, hft_test_write_file(LATE_NS, "0"));
	if (self->stepped)
		EXPECT_EQ(0, step(&self->stepped, -self->stepped));
	if (self->tai_set)
		EXPECT_EQ(0, step_tai(-1));
	if (self->source_set)
		EXPECT_EQ(0, hft_test_write_file(CLOCKSOURCE "current_clocksource", "tsc"));
	hft_test_ring_close(&self->monitor);
	hft_test_ring_close(&self->ring);
	close(self->context);
}

/* What lies between CLOCK_REALTIME and CLOCK_MONOTONIC, at one instant. */
static int64_t real_offset(int context)
{
	struct hft_clock_pair pair;

	if (hft_test_ioctl(context, HFT_IOC_CLOCK, &pair))
		return 0;
	return (int64_t)(pair.realtime - pair.monotonic);
}

static int take_fault(struct hft_test_ring *monitor, struct hft_event *event)
{
	int err = hft_test_take(monitor, event, 10 * NSEC_PER_SEC);

	return err ?: event->type == HFT_EVENT_CLOCK ? 0 : -EPROTO;
}

static uint64_t count(int context)
{
	struct hft_stats stats;

	return hft_test_stats(context, HFT_STATS_CONTEXT, &stats) ? UINT64_MAX :
								    stats.clock_faults;
}

/* The notices come from a work item. */
static int await_count(int context, uint64_t nr)
{
	uint64_t end = hft_test_now() + 10 * NSEC_PER_SEC;

	while (count(context) < nr && hft_test_now() < end)
		hft_test_sleep(NSEC_PER_MSEC);
	return count(context) == nr ? 0 : -ETIMEDOUT;
}

static uint64_t counter(const char *name)
{
	char text[2048], *line;

	if (hft_test_read_file(EVENTS, text, sizeof(text)))
		return UINT64_MAX;
	line = strstr(text, name);
	return line ? strtoull(line + strlen(name), NULL, 10) : UINT64_MAX;
}

static void check_step(struct __test_metadata *_metadata, FIXTURE_DATA(fault) *self, int64_t by)
{
	uint64_t faults = count(self->context), steps = counter("clock_steps ");
	int64_t offset = real_offset(self->context);
	uint64_t before = hft_test_now(), after;
	struct hft_event event;
	int i, seen[HFT_CLOCKS] = {};

	ASSERT_EQ(0, step(&self->stepped, by));
	after = hft_test_now();
	offset = real_offset(self->context) - offset;
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, take_fault(&self->monitor, &event));
		EXPECT_EQ(HFT_FAULT_STEP, event.result);
		EXPECT_EQ(1, event.task);
		/* Two clocks are read, and each is rounded. */
		EXPECT_GE(offset + 2, (int64_t)event.cookie);
		EXPECT_LE(offset - 2, (int64_t)event.cookie);
		EXPECT_LE(before, event.release + 1);
		EXPECT_GE(after, event.release);
		EXPECT_LE(event.release, event.irq_entry);
		EXPECT_LE(event.irq_entry, event.published);
		EXPECT_EQ(0, event.deadline);
		seen[event.clock]++;
	}
	EXPECT_EQ(1, seen[HFT_CLOCK_REALTIME]);
	EXPECT_EQ(1, seen[HFT_CLOCK_TAI]);
	EXPECT_EQ(faults + 2, count(self->context));
	EXPECT_EQ(steps + 2, counter("clock_steps "));
}

TEST_F(fault, wall_clock_is_set)
{
	check_step(_metadata, self, HOUR);
	check_step(_metadata, self, -2 * (int64_t)HOUR);
	check_step(_metadata, self, 1000);
	EXPECT_EQ(6, hft_test_tail(&self->monitor));
}

TEST_F(fault, tai_is_set)
{
	struct hft_event event;

	ASSERT_EQ(0, step_tai(1));
	self->tai_set = true;
	ASSERT_EQ(0, take_fault(&self->monitor, &event));
	EXPECT_EQ(HFT_FAULT_STEP, event.result);
	EXPECT_EQ(HFT_CLOCK_TAI, event.clock);
	EXPECT_EQ(NSEC_PER_SEC, event.cookie);
	EXPECT_EQ(1, count(self->context));
}

/* Who has no monitor ring, and no ring at all, reads it in the counters. */
TEST_F(fault, no_monitor)
{
	int context = hft_test_context(TASKS);

	ASSERT_LT(0, context);
	EXPECT_EQ(0, count(context));
	ASSERT_EQ(0, step(&self->stepped, NSEC_PER_SEC));
	EXPECT_EQ(0, await_count(context, 2));
	close(context);
}

/* A full monitor ring counts what it lost. */
TEST_F(fault, monitor_overflows)
{
	int i;

	for (i = 0; i < 40; i++) {
		ASSERT_EQ(0, step(&self->stepped, NSEC_PER_MSEC));
		ASSERT_EQ(0, await_count(self->context, 2 * (i + 1)));
	}
	EXPECT_EQ(64, hft_test_tail(&self->monitor));
	EXPECT_EQ(16, self->monitor.producer->dropped);
}

TEST_F(fault, clocksource_changes)
{
	uint64_t changes = counter("clocksource_changes ");
	char line[128], *word, *other = NULL, *rest = line;
	struct hft_stats stats;
	struct hft_event event;

	ASSERT_EQ(0, hft_test_read_file(CLOCKSOURCE "current_clocksource", line, sizeof(line)));
	if (strcmp(line, "tsc\n"))
		SKIP(return, "this kernel's clocksource is not the TSC");
	ASSERT_EQ(0, hft_test_read_file(CLOCKSOURCE "available_clocksource", line, sizeof(line)));
	while ((word = strsep(&rest, " \n"))) {
		if (*word && strcmp(word, "tsc"))
			other = word;
	}
	if (!other)
		SKIP(return, "this kernel has no clocksource but the TSC");

	ASSERT_EQ(0, hft_test_stats(self->context, HFT_STATS_CONTEXT, &stats));
	EXPECT_EQ(1, stats.tsc);
	self->source_set = true;
	ASSERT_EQ(0, hft_test_write_file(CLOCKSOURCE "current_clocksource", other));
	ASSERT_EQ(0, take_fault(&self->monitor, &event));
	EXPECT_EQ(HFT_FAULT_CLOCKSOURCE, event.result);
	EXPECT_EQ(0, event.cookie);
	ASSERT_EQ(0, hft_test_stats(self->context, HFT_STATS_CONTEXT, &stats));
	EXPECT_EQ(0, stats.tsc);
	EXPECT_EQ(1, stats.clock_faults);

	ASSERT_EQ(0, hft_test_write_file(CLOCKSOURCE "current_clocksource", "tsc"));
	ASSERT_EQ(0, take_fault(&self->monitor, &event));
	EXPECT_EQ(HFT_FAULT_CLOCKSOURCE, event.result);
	ASSERT_EQ(0, hft_test_stats(self->context, HFT_STATS_CONTEXT, &stats));
	EXPECT_EQ(1, stats.tsc);
	EXPECT_EQ(changes + 2, counter("clocksource_changes "));
}

/* That which watches deadlines, too. */
TEST_F(fault, watch_is_late)
{
	struct hft_event event;
	struct hft_task task = hft_test_task(0, 1, hft_test_now() + SOON);

	/* It is told of at its deadline alone: its event is not consumed. */
	task.deadline = task.release + 2 * NSEC_PER_SEC;
	task.flags = HFT_TASK_WATCH;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_LT(0, hft_test_wait(&self->ring, 10 * NSEC_PER_SEC));
	ASSERT_EQ(0, hft_test_write_file(LATE_NS, "1"));
	ASSERT_EQ(0, hft_test_take(&self->monitor, &event, 10 * NSEC_PER_SEC));
	EXPECT_EQ(HFT_EVENT_MISS, event.type);
	ASSERT_EQ(0, take_fault(&self->monitor, &event));
	ASSERT_EQ(0, hft_test_write_file(LATE_NS, "0"));
	EXPECT_EQ(HFT_FAULT_LATE, event.result);
	EXPECT_EQ(HFT_CLOCK_MONOTONIC, event.clock);
	EXPECT_LE(task.deadline, event.release + 1);
	EXPECT_GE(task.deadline + 1, event.release);
}

/* No timer fires within a nanosecond. */
TEST_F(fault, timer_is_late)
{
	struct hft_test_ring other;
	struct hft_event event;
	struct hft_task task;
	int context, clock;

	/* Another context, on another CPU, has nothing to do with it. */
	context = hft_test_context(TASKS);
	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_ring_add(context, 0, 16, 16, HFT_POLICY_FIFO, &other));
	ASSERT_EQ(0, hft_test_write_file(LATE_NS, "1"));

	for (clock = 0; clock < HFT_CLOCKS; clock++) {
		static const clockid_t ids[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_TAI };
		uint64_t release;

		/* Late enough to be a timer's, however long this thread is held up. */
		task = hft_test_task(0, 1, hft_test_now_on(ids[clock]) + NSEC_PER_SEC);
		task.clock = clock;
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
		release = event.release;
		ASSERT_EQ(0, take_fault(&self->monitor, &event));
		EXPECT_EQ(HFT_FAULT_LATE, event.result);
		EXPECT_EQ(clock, event.clock);
		EXPECT_EQ(hft_test_cpus() - 1, (int)event.deadline);
		EXPECT_EQ(1, event.task);
		EXPECT_LE(1, event.cookie);
		EXPECT_GT(NSEC_PER_SEC * 60, event.cookie);
		EXPECT_LE(release, event.release + 1);
		EXPECT_GE(release + 1, event.release);
		EXPECT_EQ(clock + 1, (int)count(self->context));
	}
	if (hft_test_cpus() > 1)
		EXPECT_EQ(0, count(context));

	ASSERT_EQ(0, hft_test_write_file(LATE_NS, "0"));
	task = hft_test_task(0, 2, hft_test_now() + SOON);
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
	EXPECT_EQ(-ETIMEDOUT, hft_test_wait(&self->monitor, SOON));
	EXPECT_EQ(HFT_CLOCKS, count(self->context));
	hft_test_ring_close(&other);
	close(context);
}

/* A timer of a clock that is set past it was not due before. */
TEST_F(fault, set_is_not_late)
{
	struct hft_event event;
	struct hft_task task;
	int i;

	ASSERT_EQ(0, hft_test_write_file(LATE_NS, "600000000000"));
	task = hft_test_task(0, 1, hft_test_now_on(CLOCK_REALTIME) + HOUR / 2);
	task.clock = HFT_CLOCK_REALTIME;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_EQ(0, step(&self->stepped, HOUR));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, take_fault(&self->monitor, &event));
		EXPECT_EQ(HFT_FAULT_STEP, event.result);
	}
	EXPECT_EQ(-ETIMEDOUT, hft_test_wait(&self->monitor, SOON));
}

/* Contexts come and go while clocks are set. */
TEST_F(fault, contexts_come_and_go)
{
	int rounds = hft_test_scaled(100), i;
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		for (;;)
			close(hft_test_context(1));
	}
	for (i = 0; i < rounds; i++)
		ASSERT_EQ(0, step(&self->stepped, i & 1 ? -(int64_t)NSEC_PER_MSEC :
							  (int64_t)NSEC_PER_MSEC));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	EXPECT_EQ(0, await_count(self->context, 2 * rounds));
}

TEST_HARNESS_MAIN
