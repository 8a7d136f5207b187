// SPDX-License-Identifier: GPL-2.0-only
/* The schedule in the log, of the module's backend: what became of each task, in order. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <hft/hft.h>
#include <hft/log.h>
#include <hft/log_read.h>
#include <hft/rule.h>

#include "kselftest_harness.h"
#include "remove_tree.h"

#define NSEC_PER_MSEC	1000000ULL
#define PATIENCE_NS	(20000 * NSEC_PER_MSEC)
#define FAR_NS		(3600000 * NSEC_PER_MSEC)
#define RUN_NS		20000
#define TASKS		32
#define CANCELLED	TASKS		/* the cookie of one that never runs */

FIXTURE(sched) {
	char dir[64];
	struct hft_log *log;
	struct hft *h;
	struct hft_ring *ring;
	struct hft_worker *worker;
	struct hft_log_reader *reader;
	uint64_t ids[TASKS + 1];
	atomic_uint ran;
};

FIXTURE_SETUP(sched)
{
	HFT_OPTS(hft_opts, opts, .backend = "kernel", .tasks = 2 * TASKS);

	strcpy(self->dir, "/dev/shm/sched-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, hft_log_open(&self->log, self->dir, NULL));
	ASSERT_EQ(0, hft_log_set_level(self->log, "sched", HFT_LOG_DEBUG));
	ASSERT_EQ(0, hft_open(&self->h, &opts));
	ASSERT_EQ(0, hft_ring_open(self->h, NULL, &self->ring));
}

FIXTURE_TEARDOWN(sched)
{
	hft_log_reader_close(self->reader);
	hft_ring_close(self->ring);
	hft_close(self->h);
	remove_tree(self->dir);
}

static void body(const struct hft_event *event, uint64_t start, void *arg)
{
	atomic_uint *ran = arg;

	(void)event;
	hft_spin_until(start + RUN_NS);
	atomic_fetch_add(ran, 1);
}

/* Odd ones have a deadline that can not be met. */
static int submit(FIXTURE_DATA(sched) *self, uint64_t cookie, uint64_t release)
{
	const struct hft_task task = {
		.cookie = cookie, .release = release, .ring = hft_ring_number(self->ring),
		.level = HFT_LEVEL_NORMAL, .deadline = cookie % 2 ? release + 1 : 0,
	};

	return hft_submit(self->h, &task, &self->ids[cookie]);
}

static void run_all(struct __test_metadata *_metadata, FIXTURE_DATA(sched) *self)
{
	HFT_OPTS(hft_worker_opts, opts, .fn = body, .arg = &self->ran);
	uint64_t end = hft_now() + PATIENCE_NS, i;

	ASSERT_EQ(0, hft_worker_start(self->ring, &opts, &self->worker));
	for (i = 0; i < TASKS; i++)
		ASSERT_EQ(0, submit(self, i, hft_now() + (i + 1) * RUN_NS));
	ASSERT_EQ(0, submit(self, CANCELLED, hft_now() + FAR_NS));
	ASSERT_EQ(0, hft_cancel(self->h, self->ids[CANCELLED]));
	while (atomic_load(&self->ran) < TASKS && hft_now() < end)
		usleep(1000);
	ASSERT_EQ(TASKS, atomic_load(&self->ran));
	ASSERT_EQ(0, hft_halt(self->h, HFT_HALT_REDUCE, 0, NULL));
	ASSERT_EQ(0, hft_resume(self->h, 0));
	ASSERT_EQ(0, hft_worker_stop(self->worker));
}

static uint64_t number_of(const struct hft_log_view *view, const char *name)
{
	const union hft_log_view_value *value = hft_log_view_find(view, name, NULL);

	return value ? value->u : UINT64_MAX;
}

/* The events that a task has, in this order.  A record is written a moment after its time. */
enum step { SUBMITTED, DISPATCHED, STARTED, ENDED, MISSED, STEPS };

struct seen {
	uint64_t at[STEPS];
};

static enum step step_of(const struct hft_log_view *view)
{
	static const char *const names[] = {
		[SUBMITTED] = "submit", [DISPATCHED] = "dispatch", [STARTED] = "start",
		[ENDED] = "end", [MISSED] = "miss",
	};
	enum step step;

	for (step = SUBMITTED; step < STEPS; step++) {
		if (!strcmp(view->site->name, names[step]))
			return step;
	}
	return STEPS;
}

static void look(struct __test_metadata *_metadata, FIXTURE_DATA(sched) *self,
		 const struct hft_log_view *view, struct seen *seen)
{
	uint64_t cookie = number_of(view, "cookie"), at = number_of(view, "at");
	enum step step = step_of(view);

	ASSERT_LE(cookie, CANCELLED);
	ASSERT_EQ(self->ids[cookie], number_of(view, "task"));
	ASSERT_EQ(hft_ring_number(self->ring), number_of(view, "ring"));
	ASSERT_LT(step, STEPS);
	ASSERT_EQ(0, seen[cookie].at[step]);
	if (step == DISPATCHED)
		ASSERT_LE(number_of(view, "published"), at);
	if (step == STARTED)
		ASSERT_LE(number_of(view, "release"), at);
	seen[cookie].at[step] = at;
}

static void check(struct __test_metadata *_metadata, const struct seen *seen, bool missed)
{
	ASSERT_NE(0, seen->at[SUBMITTED]);
	ASSERT_LE(seen->at[SUBMITTED], seen->at[DISPATCHED]);
	ASSERT_LE(seen->at[DISPATCHED], seen->at[STARTED]);
	ASSERT_LE(seen->at[STARTED] + RUN_NS, seen->at[ENDED]);
	ASSERT_EQ(missed ? seen->at[ENDED] : 0, seen->at[MISSED]);
}

TEST_F(sched, each_task)
{
	HFT_OPTS(hft_log_reader_opts, opts, .subsystems = "sched");
	const char *paths[] = { self->dir };
	uint64_t cancelled = 0, halts = 0, i;
	struct seen seen[TASKS + 1] = { 0 };
	const struct hft_log_view *view;

	run_all(_metadata, self);
	ASSERT_EQ(0, hft_log_close(self->log));
	ASSERT_EQ(0, hft_log_reader_open(&self->reader, paths, 1, &opts));
	while (hft_log_reader_next(self->reader, &view) == 1) {
		if (!strcmp(view->site->name, "cancel")) {
			ASSERT_EQ(self->ids[CANCELLED], number_of(view, "task"));
			ASSERT_EQ(0, cancelled);
			cancelled = number_of(view, "at");
		} else if (!strcmp(view->site->name, "halt")) {
			ASSERT_EQ(halts ? HFT_HALT_NONE : HFT_HALT_REDUCE,
				  number_of(view, "mode"));
			halts++;
		} else {
			look(_metadata, self, view, seen);
		}
	}
	ASSERT_EQ(2, halts);
	for (i = 0; i < TASKS; i++)
		check(_metadata, &seen[i], i % 2);
	ASSERT_NE(0, seen[CANCELLED].at[SUBMITTED]);
	ASSERT_EQ(0, seen[CANCELLED].at[DISPATCHED]);
	ASSERT_LE(seen[CANCELLED].at[SUBMITTED], cancelled);
}

#define LEARNED		400		/* tasks of which none is unusual */
#define USUAL_NS	1000
#define SPIKE_NS	20000
#define RULE		3		/* its number */
#define LEVEL		HFT_LEVEL_NORMAL

static const struct hft_rule rule = {
	.number = RULE, .action = HFT_ACTION_SHED, .level = LEVEL, .flags = HFT_RULE_LATCH,
	.kinds = 1 << HFT_KIND_WAKE, .anomalies = 1 << HFT_ANOMALY_SPIKE, .classes = 1, .count = 1,
};

/*
 * Of a level that is not shed.  The worker says that the task has waited so long for it, whatever
 * the machine took from it.  Returns 0, or an errno.
 */
static int run_one(FIXTURE_DATA(sched) *self, struct hft_ring *ring, uint64_t ns)
{
	const struct hft_task task = { .ring = hft_ring_number(ring), .level = LEVEL };
	const struct hft_event *event;
	int ret = hft_submit(self->h, &task, NULL);

	if (!ret)
		ret = hft_wait(ring, hft_now() + PATIENCE_NS);
	if (ret < 0)
		return ret;
	event = hft_ring_peek(ring);
	hft_spin_until(event->published + ns);
	hft_ring_begin(ring, event, event->published + ns);
	hft_ring_advance(ring);
	/* It is looked at. */
	ret = hft_wait(ring, 0);
	return ret == -ETIMEDOUT ? 0 : ret;
}

/* The first notice of a response, or of nothing. */
static struct hft_event take_response(struct hft_ring *monitor)
{
	struct hft_event told = { 0 };
	const struct hft_event *event;

	while (told.type != HFT_EVENT_RESPONSE && hft_wait(monitor, hft_now() + PATIENCE_NS) > 0) {
		event = hft_ring_peek(monitor);
		if (event->type == HFT_EVENT_RESPONSE)
			told = *event;
		hft_ring_advance(monitor);
	}
	return told;
}

static void check_response(struct __test_metadata *_metadata, const struct hft_log_view *view,
			   const struct hft_event *told)
{
	EXPECT_EQ((uint32_t)told->task, number_of(view, "ring"));
	EXPECT_EQ(RULE, number_of(view, "rule"));
	EXPECT_EQ(HFT_ACTION_SHED, number_of(view, "action"));
	EXPECT_EQ(HFT_RESPONSE_APPLIED, number_of(view, "response"));
	EXPECT_EQ(HFT_ANOMALY_SPIKE, number_of(view, "anomaly"));
	EXPECT_EQ(LEVEL, number_of(view, "value"));
	EXPECT_EQ(told->deadline, number_of(view, "before"));
	EXPECT_EQ(told->published, number_of(view, "at"));
}

/* The module has acted by a rule: what its notice says is in the log, once. */
TEST_F(sched, response)
{
	HFT_OPTS(hft_ring_opts, opts, .flags = HFT_RING_REPORT);
	HFT_OPTS(hft_ring_opts, notices, .entries = 256, .flags = HFT_RING_MONITOR);
	HFT_OPTS(hft_log_reader_opts, reading, .subsystems = "sched");
	const char *paths[] = { self->dir };
	struct hft_ring *ring, *monitor;
	const struct hft_log_view *view;
	uint64_t responses = 0, i;
	struct hft_event told;

	ASSERT_EQ(0, hft_ring_open(self->h, &opts, &ring));
	ASSERT_EQ(0, hft_ring_open(self->h, &notices, &monitor));
	ASSERT_EQ(0, hft_rule_set(ring, &rule));
	for (i = 0; i < LEARNED; i++)
		ASSERT_EQ(0, run_one(self, ring, USUAL_NS));
	ASSERT_EQ(0, run_one(self, ring, SPIKE_NS));
	told = take_response(monitor);
	ASSERT_EQ(HFT_EVENT_RESPONSE, told.type);
	ASSERT_EQ(hft_ring_number(ring), (uint32_t)told.task);
	hft_ring_close(monitor);
	hft_ring_close(ring);
	ASSERT_EQ(0, hft_log_close(self->log));
	ASSERT_EQ(0, hft_log_reader_open(&self->reader, paths, 1, &reading));
	while (hft_log_reader_next(self->reader, &view) == 1) {
		if (strcmp(view->site->name, "response"))
			continue;
		check_response(_metadata, view, &told);
		responses++;
	}
	ASSERT_EQ(1, responses);
}

TEST_HARNESS_MAIN
