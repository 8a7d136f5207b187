// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gaps in time with interrupts off.  With a limit of 1 ns each two readings of the clock are
 * one, so that a test need not wait for somebody to take the CPU.
 */
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS		16
#define PARAMETERS	"/sys/module/hft/parameters/interference_"
#define EVENTS		"/sys/class/misc/hft/events"
#define ONLINE		"/sys/devices/system/cpu/cpu1/online"
#define PATIENCE	(20 * NSEC_PER_SEC)

FIXTURE(interference) {
	int context;
	struct hft_test_ring ring;
	struct hft_test_ring monitor;
};

static int set_cpus(const char *cpus)
{
	/* Nothing at all would not be written. */
	return hft_test_write_file(PARAMETERS "cpus", *cpus ? cpus : "\n");
}

FIXTURE_SETUP(interference)
{
	struct hft_ring_add add = {
		.cpu = 0, .entries = 64, .window = 64, .flags = HFT_RING_MONITOR,
	};

	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 1, 16, 16, HFT_POLICY_FIFO, &self->ring));
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &self->monitor));
	ASSERT_EQ(0, hft_test_write_file(PARAMETERS "ns", "1"));
}

FIXTURE_TEARDOWN(interference)
{
	hft_test_write_file(ONLINE, "1");
	set_cpus("");
	hft_test_write_file(PARAMETERS "ns", "10000");
	hft_test_ring_close(&self->ring);
	hft_test_ring_close(&self->monitor);
	close(self->context);
}

static long long counter(const char *name)
{
	char text[4096], line[64];
	const char *at;

	snprintf(line, sizeof(line), "\n%s ", name);
	if (hft_test_read_file(EVENTS, text, sizeof(text)))
		return -1;
	at = strstr(text, line);
	return at ? atoll(at + strlen(line)) : -1;
}

/* Returns whether so many more were found in time. */
static bool await(long long more)
{
	uint64_t end = hft_test_now() + PATIENCE;
	long long from = counter("interference");

	while (hft_test_now() < end) {
		if (counter("interference") >= from + more)
			return true;
		hft_test_sleep(10 * NSEC_PER_MSEC);
	}
	return false;
}

TEST_F(interference, is_not_looked_for_unless_asked)
{
	char text[64];

	ASSERT_EQ(0, hft_test_read_file(PARAMETERS "cpus", text, sizeof(text)));
	EXPECT_STREQ("\n", text);
	hft_test_sleep(100 * NSEC_PER_MSEC);
	EXPECT_EQ(0, counter("interference"));
	EXPECT_EQ(0, counter("interference_ns"));
}

TEST_F(interference, is_told)
{
	uint64_t begin = hft_test_now();
	struct hft_event event;

	ASSERT_EQ(0, set_cpus("1"));
	ASSERT_EQ(0, hft_test_take(&self->monitor, &event, PATIENCE));
	EXPECT_EQ(HFT_EVENT_ANOMALY, event.type);
	EXPECT_EQ(HFT_ANOMALY_INTERFERENCE, event.result);
	EXPECT_EQ(1, event.task);
	EXPECT_EQ(1, event.deadline);
	EXPECT_LE(1, event.cookie);
	EXPECT_LT(begin, event.irq_entry);
	EXPECT_GE(event.published, event.irq_entry);
	EXPECT_TRUE(await(5));
	EXPECT_LE(5, counter("interference_ns"));

	/* What is no gap is not told. */
	ASSERT_EQ(0, hft_test_write_file(PARAMETERS "ns", "1000000000000"));
	hft_test_sleep(200 * NSEC_PER_MSEC);
	while (hft_test_next(&self->monitor, &event))
		;
	hft_test_sleep(200 * NSEC_PER_MSEC);
	EXPECT_FALSE(hft_test_next(&self->monitor, &event));
}

TEST_F(interference, is_told_who_has_a_ring_there)
{
	struct hft_ring_add add = { .entries = 4, .window = 4, .flags = HFT_RING_MONITOR };
	int context = hft_test_context(TASKS);
	struct hft_test_ring ring, monitor;
	struct hft_event event;

	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_ring_add(context, 0, 4, 4, HFT_POLICY_FIFO, &ring));
	ASSERT_EQ(0, hft_test_ring_make(context, &add, &monitor));
	ASSERT_EQ(0, set_cpus("1"));
	ASSERT_EQ(0, hft_test_take(&self->monitor, &event, PATIENCE));
	EXPECT_TRUE(await(5));
	EXPECT_FALSE(hft_test_next(&monitor, &event));
	hft_test_ring_close(&monitor);
	hft_test_ring_close(&ring);
	close(context);
}

TEST_F(interference, ends_when_it_is_not_asked_for)
{
	long long count;

	ASSERT_EQ(0, set_cpus("0-1"));
	ASSERT_TRUE(await(5));
	ASSERT_EQ(0, set_cpus(""));
	count = counter("interference");
	hft_test_sleep(100 * NSEC_PER_MSEC);
	EXPECT_EQ(count, counter("interference"));
	ASSERT_EQ(0, set_cpus("1"));
	EXPECT_TRUE(await(5));
}

TEST_F(interference, lists_of_cpus)
{
	static const char *const bad[] = { "x", "1-", "0-100000", "100000", "-1", "1,,x" };
	char text[64];
	size_t i;

	ASSERT_EQ(0, set_cpus("0-1"));
	for (i = 0; i < ARRAY_LEN(bad); i++)
		EXPECT_GT(0, set_cpus(bad[i]));
	ASSERT_EQ(0, hft_test_read_file(PARAMETERS "cpus", text, sizeof(text)));
	EXPECT_STREQ("0-1\n", text);
}

TEST_F(interference, only_root_may_ask)
{
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (setuid(1000))
			_exit(2);
		_exit(set_cpus("1") != -EACCES);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* A CPU that goes takes its thread with it; one that comes back has one. */
TEST_F(interference, hotplug)
{
	int i;

	ASSERT_EQ(0, set_cpus("1"));
	for (i = 0; i < 10; i++) {
		ASSERT_TRUE(await(1));
		ASSERT_EQ(0, hft_test_write_file(ONLINE, "0"));
		ASSERT_EQ(0, hft_test_write_file(ONLINE, "1"));
	}
	ASSERT_EQ(0, hft_test_write_file(ONLINE, "0"));
	ASSERT_EQ(0, set_cpus(""));
	ASSERT_EQ(0, set_cpus("1"));
	ASSERT_EQ(0, hft_test_write_file(ONLINE, "1"));
	EXPECT_TRUE(await(1));
}

/* Tasks come and go meanwhile, at any width that there is. */
TEST_F(interference, beside_tasks)
{
	struct hft_event event;
	struct hft_task task;
	int i;

	ASSERT_EQ(0, hft_test_write_file(PARAMETERS "width_us", "4000000000"));
	ASSERT_EQ(0, hft_test_write_file(PARAMETERS "window_us", "0"));
	ASSERT_EQ(0, set_cpus("1"));
	for (i = 0; i < 500; i++) {
		task = hft_test_task(self->ring.add.ring, i,
				     hft_test_now() + (i % 3) * NSEC_PER_MSEC / 2);
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, PATIENCE));
		ASSERT_EQ(i, (int)event.cookie);
	}
	EXPECT_TRUE(await(1));
	hft_test_write_file(PARAMETERS "width_us", "50");
	hft_test_write_file(PARAMETERS "window_us", "5000");
}

static int add_rule(int context, const struct hft_test_ring *ring, uint32_t anomaly)
{
	struct hft_rule rule = {
		.ring = ring->add.ring, .action = HFT_ACTION_NOTIFY, .anomalies = 1U << anomaly,
		.count = 1,
	};

	return hft_test_ioctl(context, HFT_IOC_RULE, &rule);
}

/* Wait for a notice of @type.  Returns whether it came. */
static bool take_notice(struct hft_test_ring *monitor, uint32_t type, struct hft_event *event)
{
	uint64_t end = hft_test_now() + PATIENCE;

	while (hft_test_now() < end) {
		if (hft_test_take(monitor, event, NSEC_PER_SEC) == 0 && event->type == type)
			return true;
	}
	return false;
}

/* To a ring with rules it is an anomaly of the ring, told once, and a reason to act. */
TEST_F(interference, rules_act_on_it)
{
	struct hft_event event;

	ASSERT_EQ(0, add_rule(self->context, &self->ring, HFT_ANOMALY_INTERFERENCE));
	ASSERT_EQ(0, set_cpus("1"));
	ASSERT_TRUE(take_notice(&self->monitor, HFT_EVENT_ANOMALY, &event));
	EXPECT_EQ(HFT_ANOMALY_INTERFERENCE, event.result);
	EXPECT_EQ(self->ring.add.ring, (uint32_t)event.task);
	EXPECT_LE(1, event.cookie);
	ASSERT_TRUE(take_notice(&self->monitor, HFT_EVENT_RESPONSE, &event));
	EXPECT_EQ(HFT_ACTION_NOTIFY, event.clock);
	EXPECT_EQ(HFT_ANOMALY_INTERFERENCE, event.level);
	EXPECT_LT(0, counter("anomaly_interference"));
}

TEST_F(interference, rules_act_on_clocks)
{
	const int64_t by = 3600 * NSEC_PER_SEC;
	struct hft_event event;
	struct timespec ts;
	int i;

	ASSERT_EQ(0, add_rule(self->context, &self->ring, HFT_ANOMALY_CLOCK));
	for (i = 0; i < 2; i++) {
		uint64_t to = hft_test_now_on(CLOCK_REALTIME) + (i ? -by : by);

		ts = (struct timespec){ to / NSEC_PER_SEC, to % NSEC_PER_SEC };
		ASSERT_EQ(0, clock_settime(CLOCK_REALTIME, &ts));
	}
	ASSERT_TRUE(take_notice(&self->monitor, HFT_EVENT_ANOMALY, &event));
	EXPECT_EQ(HFT_ANOMALY_CLOCK, event.result);
	EXPECT_EQ(self->ring.add.ring, (uint32_t)event.task);
	/* Steps in quick succession may have been told as one. */
	EXPECT_GE(by + NSEC_PER_SEC, event.cookie);
	ASSERT_TRUE(take_notice(&self->monitor, HFT_EVENT_RESPONSE, &event));
	EXPECT_EQ(HFT_ANOMALY_CLOCK, event.level);
	EXPECT_LT(0, counter("anomaly_clocks"));
}

/* The module goes while it is looked for, and comes with it asked for. */
TEST(module_goes)
{
	long long count = -1;
	int i;

	ASSERT_EQ(0, set_cpus("0-1"));
	ASSERT_EQ(0, hft_test_await_unused());
	ASSERT_EQ(0, hft_test_module_unload());
	ASSERT_EQ(0, hft_test_module_load_as("late_ns=0 interference_cpus=1 interference_ns=1"));
	for (i = 0; i < 2000 && count <= 0; i++) {
		hft_test_sleep(10 * NSEC_PER_MSEC);
		count = counter("interference");
	}
	EXPECT_LT(0, count);
	ASSERT_EQ(0, hft_test_module_unload());
	ASSERT_EQ(0, hft_test_module_load());
}

TEST_HARNESS_MAIN
