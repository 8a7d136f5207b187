// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an administrator sees: the tracepoints in tracefs, the counters of a context, of the
 * module and of a descriptor.  They must add up.
 */
#include <sys/mount.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TRACEFS	"/sys/kernel/tracing"
#define EVENTS	TRACEFS "/events/hft"
#define TEXT	(256 * 1024)

FIXTURE(trace) {
	int context;
	struct hft_test_ring ring;
	char *text;
};

FIXTURE_SETUP(trace)
{
	self->text = malloc(TEXT);
	ASSERT_NE(NULL, self->text);
	self->context = hft_test_context(32);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, hft_test_cpus() - 1, 8, 8, HFT_POLICY_EDF,
				       &self->ring));
}

FIXTURE_TEARDOWN(trace)
{
	hft_test_write_file(EVENTS "/enable", "0");
	hft_test_ring_close(&self->ring);
	close(self->context);
	free(self->text);
}

static bool has_tracefs(void)
{
	if (!access(TRACEFS "/trace", F_OK))
		return true;
	return !mount("tracefs", TRACEFS, "tracefs", 0, NULL) && !access(TRACEFS "/trace", F_OK);
}

static int count(const char *text, const char *what)
{
	int n = 0;

	for (text = strstr(text, what); text; text = strstr(text + 1, what))
		n++;
	return n;
}

/* The first field that a format lacks; "" if it has all. */
static const char *missing_field(const char *format)
{
	static const char * const fields[] = {
		"u64 id", "u64 cookie", "u64 release", "u64 deadline", "int cpu", "u32 ring",
		"u8 level",
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(fields); i++) {
		if (!strstr(format, fields[i]))
			return fields[i];
	}
	return "";
}

TEST_F(trace, formats)
{
	static const char * const names[] = { "submit", "dispatch", "cancel" };
	char path[128];
	size_t i;

	if (!has_tracefs())
		SKIP(return, "this kernel has no tracefs");
	for (i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), EVENTS "/%s/format", names[i]);
		ASSERT_EQ(0, hft_test_read_file(path, self->text, TEXT));
		EXPECT_STREQ("", missing_field(self->text));
	}
}

TEST_F(trace, records)
{
	uint64_t far = hft_test_now() + 1000 * NSEC_PER_SEC;
	struct hft_task task = hft_test_task(0, 0xabcd01, 0);
	struct hft_event event;
	char line[256];
	int64_t id[3];
	int i;

	if (!has_tracefs())
		SKIP(return, "this kernel has no tracefs");
	ASSERT_EQ(0, hft_test_write_file(TRACEFS "/trace", ""));
	ASSERT_EQ(0, hft_test_write_file(EVENTS "/enable", "1"));
	ASSERT_EQ(0, hft_test_write_file(TRACEFS "/tracing_on", "1"));

	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id[0]));
	task = hft_test_task(0, 0xabcd02, hft_test_now() + 10 * NSEC_PER_MSEC);
	task.deadline = task.release + 5;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id[1]));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
	task = hft_test_task(0, 0xabcd03, far);
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id[2]));
	ASSERT_EQ(0, hft_test_cancel(self->context, id[2]));

	ASSERT_EQ(0, hft_test_write_file(EVENTS "/enable", "0"));
	ASSERT_EQ(0, hft_test_read_file(TRACEFS "/trace", self->text, TEXT));
	EXPECT_EQ(3, count(self->text, " submit: "));
	EXPECT_EQ(2, count(self->text, " dispatch: "));
	EXPECT_EQ(1, count(self->text, " cancel: "));

	snprintf(line, sizeof(line), "submit: task=0x%llx cpu=%d ring=0 cookie=0xabcd01 release=0 ",
		 (unsigned long long)id[0], hft_test_cpus() - 1);
	EXPECT_NE(NULL, strstr(self->text, line));
	snprintf(line, sizeof(line),
		 "dispatch: task=0x%llx cpu=%d ring=0 cookie=0xabcd02 release=%llu deadline=%llu ",
		 (unsigned long long)id[1], hft_test_cpus() - 1, (unsigned long long)event.release,
		 (unsigned long long)event.release + 5);
	EXPECT_NE(NULL, strstr(self->text, line));
	snprintf(line, sizeof(line), "irq_entry=%llu published=%llu sequence=1 ",
		 (unsigned long long)event.irq_entry, (unsigned long long)event.published);
	EXPECT_NE(NULL, strstr(self->text, line));
	snprintf(line, sizeof(line), "cancel: task=0x%llx ", (unsigned long long)id[2]);
	EXPECT_NE(NULL, strstr(self->text, line));
}

/* The jobs of tracked tasks, from state to state; of plain ones there is nothing. */
TEST_F(trace, states)
{
	uint64_t far = hft_test_now() + 1000 * NSEC_PER_SEC;
	struct hft_task task = hft_test_task(0, 1, 0);
	static const char * const expected[] = {
		"job=0 from=none to=pending", "job=0 from=pending to=ready",
		"job=0 from=ready to=dispatched", "job=0 from=dispatched to=running",
		"job=0 from=running to=completed",
	};
	struct hft_event event;
	char line[128];
	int64_t id;
	size_t i;

	if (!has_tracefs())
		SKIP(return, "this kernel has no tracefs");
	ASSERT_EQ(0, hft_test_write_file(TRACEFS "/trace", ""));
	ASSERT_EQ(0, hft_test_write_file(EVENTS "/task_state/enable", "1"));
	ASSERT_EQ(0, hft_test_write_file(TRACEFS "/tracing_on", "1"));

	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
	task.flags = HFT_TASK_TRACK;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
	hft_test_wait(&self->ring, 0);
	task.flags = HFT_TASK_SPORADIC;
	task.period = NSEC_PER_SEC;
	task.cookie = 2;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_RELEASE,
				    &(struct hft_arrival){ .task = id, .release = far }));
	ASSERT_EQ(0, hft_test_cancel(self->context, id));

	ASSERT_EQ(0, hft_test_write_file(EVENTS "/task_state/enable", "0"));
	ASSERT_EQ(0, hft_test_read_file(TRACEFS "/trace", self->text, TEXT));
	EXPECT_EQ(8, count(self->text, " task_state: "));
	for (i = 0; i < ARRAY_LEN(expected); i++) {
		snprintf(line, sizeof(line), "cookie=0x1 %s", expected[i]);
		EXPECT_EQ(1, count(self->text, line)) {
			TH_LOG("%s", line);
		}
	}
	EXPECT_EQ(1, count(self->text, "cookie=0x2 job=0 from=none to=blocked"));
	EXPECT_EQ(1, count(self->text, "cookie=0x2 job=0 from=blocked to=pending"));
	EXPECT_EQ(1, count(self->text, "cookie=0x2 job=0 from=pending to=cancelled"));
}

/* A filter works, so the fields have the types that they say. */
TEST_F(trace, filter)
{
	struct hft_task task;
	int i;

	if (!has_tracefs())
		SKIP(return, "this kernel has no tracefs");
	ASSERT_EQ(0, hft_test_write_file(TRACEFS "/trace", ""));
	ASSERT_EQ(0, hft_test_write_file(EVENTS "/submit/filter", "cookie >= 5 && level == 3"));
	ASSERT_EQ(0, hft_test_write_file(EVENTS "/submit/enable", "1"));
	for (i = 0; i < 8; i++) {
		task = hft_test_task(0, i, 0);
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	}
	ASSERT_EQ(0, hft_test_write_file(EVENTS "/submit/filter", "0"));
	ASSERT_EQ(0, hft_test_read_file(TRACEFS "/trace", self->text, TEXT));
	EXPECT_EQ(3, count(self->text, " submit: "));
}

TEST_F(trace, clock_fault)
{
	uint64_t real = hft_test_now_on(CLOCK_REALTIME) + NSEC_PER_SEC;
	struct timespec ts = { real / NSEC_PER_SEC, real % NSEC_PER_SEC };
	uint64_t end = hft_test_now() + 10 * NSEC_PER_SEC;

	if (!has_tracefs())
		SKIP(return, "this kernel has no tracefs");
	ASSERT_EQ(0, hft_test_write_file(TRACEFS "/trace", ""));
	ASSERT_EQ(0, hft_test_write_file(EVENTS "/clock_fault/enable", "1"));
	ASSERT_EQ(0, clock_settime(CLOCK_REALTIME, &ts));
	do {
		ASSERT_EQ(0, hft_test_read_file(TRACEFS "/trace", self->text, TEXT));
	} while (count(self->text, " clock_fault: fault=1 clock=") < 2 && hft_test_now() < end);
	ASSERT_EQ(0, hft_test_write_file(EVENTS "/clock_fault/enable", "0"));
	EXPECT_EQ(1, count(self->text, " clock_fault: fault=1 clock=1 by="));
	EXPECT_EQ(1, count(self->text, " clock_fault: fault=1 clock=2 by="));
}

TEST_F(trace, counters_add_up)
{
	int64_t submitted = hft_test_counter("submitted"), cancelled = hft_test_counter("cancelled");
	int64_t dispatched = hft_test_counter("dispatched"), rings = hft_test_counter("rings");
	uint64_t far = hft_test_now() + 1000 * NSEC_PER_SEC;
	struct hft_stats context, first, second;
	struct hft_test_ring other;
	int64_t id;
	int i;

	ASSERT_LE(0, submitted);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 4, 2, HFT_POLICY_FIFO, &other));
	ASSERT_EQ(rings + 1, hft_test_counter("rings"));
	for (i = 0; i < 20; i++) {
		uint32_t ring = i % 2 ? other.add.ring : 0;
		struct hft_task task = hft_test_task(ring, i, i < 10 ? 0 : far);

		ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	}
	ASSERT_EQ(0, hft_test_cancel(self->context, id));

	ASSERT_EQ(0, hft_test_stats(self->context, 0, &first));
	EXPECT_EQ(10, first.submitted);
	EXPECT_EQ(5, first.dispatched);
	EXPECT_EQ(5, first.waiting);
	EXPECT_EQ(5, first.in_flight);
	EXPECT_EQ(0, first.ready + first.cancelled + first.full + first.ended);
	ASSERT_EQ(0, hft_test_stats(self->context, other.add.ring, &second));
	EXPECT_EQ(10, second.submitted);
	EXPECT_EQ(2, second.dispatched);
	EXPECT_EQ(3, second.ready);
	EXPECT_EQ(4, second.waiting);
	EXPECT_EQ(1, second.cancelled);
	EXPECT_LT(0, second.full);
	ASSERT_EQ(0, hft_test_stats(self->context, HFT_STATS_CONTEXT, &context));
	EXPECT_EQ(32, context.tasks);
	EXPECT_EQ(32 - 9 - 3, context.tasks_free);
	EXPECT_EQ(first.submitted + second.submitted, context.submitted);
	EXPECT_EQ(first.dispatched + second.dispatched, context.dispatched);
	EXPECT_EQ(first.waiting + second.waiting, context.waiting);
	EXPECT_EQ(first.ready + second.ready, context.ready);
	EXPECT_EQ(first.in_flight + second.in_flight, context.in_flight);
	EXPECT_EQ(first.full + second.full, context.full);
	EXPECT_EQ(context.submitted, context.dispatched + context.cancelled + context.waiting +
				     context.ready);

	/* What a closed ring still had queued counts as cancelled, and goes on counting. */
	hft_test_ring_close(&other);
	EXPECT_EQ(rings, hft_test_counter("rings"));
	EXPECT_EQ(submitted + 20, hft_test_counter("submitted"));
	EXPECT_EQ(dispatched + 7, hft_test_counter("dispatched"));
	EXPECT_EQ(cancelled + 8, hft_test_counter("cancelled"));
}

TEST_F(trace, descriptors_show_what_they_are)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->ring.fd);
	ASSERT_EQ(0, hft_test_read_file(path, self->text, TEXT));
	EXPECT_NE(NULL, strstr(self->text, "hft-ring:\t0\n"));
	EXPECT_NE(NULL, strstr(self->text, "hft-entries:\t8\n"));
	EXPECT_NE(NULL, strstr(self->text, "hft-window:\t8\n"));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->context);
	ASSERT_EQ(0, hft_test_read_file(path, self->text, TEXT));
	EXPECT_NE(NULL, strstr(self->text, "hft-tasks:\t32\n"));
	EXPECT_NE(NULL, strstr(self->text, "hft-tasks-free:\t32\n"));
}

TEST_HARNESS_MAIN
