// SPDX-License-Identifier: GPL-2.0-only
/* Evidence of controls: what the module has halted, refused and let go on is in the log. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <hft/hft.h>
#include <hft/log.h>
#include <hft/log_read.h>
#include <hft/log_trade.h>
#include <hft/rule.h>

#include "kselftest_harness.h"
#include "remove_tree.h"

#define NSEC_PER_MSEC	1000000ULL
#define PATIENCE_NS	(20000 * NSEC_PER_MSEC)
#define USUAL_NS	1000
#define SPIKE_NS	20000
#define LEARNED		300
#define CLASS		3
#define DUE		1ULL
#define TASKS		8

FIXTURE(evidence) {
	char dir[64];
	struct hft_log *log;
	struct hft *h;
	struct hft_ring *ring, *monitor;
	struct hft_log_reader *reader;
};

FIXTURE_SETUP(evidence)
{
	HFT_OPTS(hft_opts, opts, .backend = "kernel", .tasks = TASKS);
	HFT_OPTS(hft_ring_opts, ring, .flags = HFT_RING_REPORT);
	HFT_OPTS(hft_ring_opts, monitor, .flags = HFT_RING_MONITOR);

	strcpy(self->dir, "/dev/shm/evidence-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, hft_log_open(&self->log, self->dir, NULL));
	ASSERT_EQ(0, hft_open(&self->h, &opts));
	ASSERT_EQ(0, hft_ring_open(self->h, &ring, &self->ring));
	ASSERT_EQ(0, hft_ring_open(self->h, &monitor, &self->monitor));
}

FIXTURE_TEARDOWN(evidence)
{
	hft_log_reader_close(self->reader);
	hft_ring_close(self->monitor);
	hft_ring_close(self->ring);
	hft_close(self->h);
	remove_tree(self->dir);
}

static void read_it(struct __test_metadata *_metadata, FIXTURE_DATA(evidence) *self)
{
	HFT_OPTS(hft_log_reader_opts, opts, .subsystems = "control");
	const char *paths[] = { self->dir };

	ASSERT_EQ(0, hft_log_close(self->log));
	ASSERT_EQ(0, hft_log_reader_open(&self->reader, paths, 1, &opts));
}

static const struct hft_log_view *next(struct __test_metadata *_metadata,
				       FIXTURE_DATA(evidence) *self, const char *name)
{
	const struct hft_log_view *view = NULL;

	ASSERT_EQ(1, hft_log_reader_next(self->reader, &view));
	EXPECT_STREQ(name, view->site->name);
	return view;
}

static const char *text_of(const struct hft_log_view *view, const char *name)
{
	uint8_t type;

	return hft_log_view_find(view, name, &type)->s;
}

static int64_t number_of(const struct hft_log_view *view, const char *name)
{
	uint8_t type;

	return hft_log_view_find(view, name, &type)->i;
}

static struct hft_task make_task(const struct hft_ring *ring, uint64_t release)
{
	struct hft_task task = {
		.release = release, .ring = hft_ring_number(ring), .level = HFT_LEVEL_NORMAL,
		.task_class = CLASS,
	};

	return task;
}

TEST_F(evidence, halt_and_resume)
{
	const struct hft_log_view *view;
	uint32_t flags;

	for (flags = 0; flags <= HFT_HALT_GLOBAL; flags++) {
		ASSERT_EQ(0, hft_halt(self->h, HFT_HALT_ALL, flags, NULL));
		ASSERT_EQ(0, hft_resume(self->h, flags));
	}
	read_it(_metadata, self);
	view = next(_metadata, self, "halt");
	EXPECT_STREQ("the handle, backend kernel", text_of(view, "scope"));
	EXPECT_STREQ("program", text_of(view, "rule"));
	next(_metadata, self, "rearm");
	view = next(_metadata, self, "halt");
	EXPECT_STREQ("all handles of the machine", text_of(view, "scope"));
	view = next(_metadata, self, "rearm");
	EXPECT_STREQ("all handles of the machine", text_of(view, "scope"));
	EXPECT_EQ(0, hft_log_reader_next(self->reader, &view));
}

static struct hft_event notice(struct __test_metadata *_metadata, FIXTURE_DATA(evidence) *self,
			       uint16_t type)
{
	struct hft_event event;

	do {
		ASSERT_LT(0, hft_wait(self->monitor, hft_now() + PATIENCE_NS));
		ASSERT_NE(NULL, hft_ring_peek(self->monitor));
		event = *hft_ring_peek(self->monitor);
		hft_ring_advance(self->monitor);
	} while (event.type != type);
	return event;
}

TEST_F(evidence, a_miss_that_halts)
{
	struct hft_task task = make_task(self->ring, 0);
	const struct hft_log_view *view;
	struct hft_event halt;
	char rule[64];
	uint64_t id;

	task.flags = HFT_TASK_WATCH | HFT_TASK_HALT;
	task.deadline = NSEC_PER_MSEC;
	ASSERT_EQ(0, hft_submit_at(self->h, &task, hft_now(), &id));
	halt = notice(_metadata, self, HFT_EVENT_HALT);
	read_it(_metadata, self);
	view = next(_metadata, self, "halt");
	snprintf(rule, sizeof(rule), "deadline of task 0x%llx", (unsigned long long)id);
	EXPECT_STREQ(rule, text_of(view, "rule"));
	EXPECT_EQ((int64_t)halt.deadline, number_of(view, "limit"));
	EXPECT_EQ((int64_t)halt.published, number_of(view, "value"));
	EXPECT_LT(number_of(view, "limit"), number_of(view, "value"));
	EXPECT_EQ(0, hft_log_reader_next(self->reader, &view));
}

TEST_F(evidence, refusals)
{
	struct hft_task task = make_task(self->ring, hft_now() + PATIENCE_NS);
	const struct hft_log_view *view;
	unsigned int i;

	for (i = 0; i < TASKS; i++)
		ASSERT_EQ(0, hft_submit(self->h, &task, NULL));
	EXPECT_EQ(-EDQUOT, hft_submit(self->h, &task, NULL));
	task.level = 99;
	EXPECT_EQ(-EINVAL, hft_submit(self->h, &task, NULL));
	read_it(_metadata, self);
	view = next(_metadata, self, "reject");
	EXPECT_STREQ("tasks of a handle", text_of(view, "rule"));
	EXPECT_EQ(TASKS, number_of(view, "limit"));
	EXPECT_EQ(TASKS + 1, number_of(view, "value"));
	EXPECT_EQ(0, hft_log_reader_next(self->reader, &view));
}

/* A task waits so long for its worker, as that says. */
static void wait_for_worker(struct __test_metadata *_metadata, FIXTURE_DATA(evidence) *self,
			    uint64_t ns)
{
	struct hft_task task = make_task(self->ring, DUE);
	const struct hft_event *event;

	ASSERT_EQ(0, hft_submit(self->h, &task, NULL));
	ASSERT_LT(0, hft_wait(self->ring, hft_now() + PATIENCE_NS));
	event = hft_ring_peek(self->ring);
	ASSERT_NE(NULL, event);
	hft_spin_until(event->published + ns);
	hft_ring_begin(self->ring, event, event->published + ns);
	hft_ring_advance(self->ring);
	ASSERT_EQ(-ETIMEDOUT, hft_wait(self->ring, 0));
}

TEST_F(evidence, a_rule_that_sheds)
{
	struct hft_rule rule = {
		.action = HFT_ACTION_SHED, .anomalies = 1U << HFT_ANOMALY_SPIKE,
		.kinds = 1U << HFT_KIND_WAKE, .classes = 1U << CLASS, .count = 1, .number = 2,
		.leave = 100000 * NSEC_PER_MSEC, .level = HFT_LEVEL_NORMAL + 1,
	};
	struct hft_task task = make_task(self->ring, DUE);
	const struct hft_log_view *view;
	char name[64];
	int i;

	ASSERT_EQ(0, hft_rule_set(self->ring, &rule));
	for (i = 0; i < LEARNED; i++)
		wait_for_worker(_metadata, self, USUAL_NS);
	wait_for_worker(_metadata, self, SPIKE_NS);
	notice(_metadata, self, HFT_EVENT_RESPONSE);
	EXPECT_EQ(-ENOBUFS, hft_submit(self->h, &task, NULL));
	read_it(_metadata, self);
	snprintf(name, sizeof(name), "rule 2 of ring %u: shed", hft_ring_number(self->ring));
	view = next(_metadata, self, "throttle");
	EXPECT_STREQ(name, text_of(view, "rule"));
	EXPECT_EQ(SPIKE_NS, number_of(view, "value"));
	EXPECT_LT(USUAL_NS, number_of(view, "limit"));
	EXPECT_GT(SPIKE_NS, number_of(view, "limit"));
	view = next(_metadata, self, "reject");
	EXPECT_STREQ(name, text_of(view, "rule"));
	EXPECT_EQ(HFT_LEVEL_NORMAL + 1, number_of(view, "limit"));
	EXPECT_EQ(HFT_LEVEL_NORMAL, number_of(view, "value"));
	EXPECT_EQ(0, hft_log_reader_next(self->reader, &view));
}

TEST_HARNESS_MAIN
