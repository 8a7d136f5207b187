/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of rules share: a ring whose tasks are judged, reports of them, and the
 * FIXTURE of both.
 */
#ifndef HFT_TEST_RULED_H
#define HFT_TEST_RULED_H

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS		256
#define ENTRIES		64
#define CLASS		2
#define USUAL_NS	1000
#define SPIKE_NS	50000
#define LEARNED		300
#define MS		NSEC_PER_MSEC

struct ruled {
	struct hft_test_ring ring;
	struct hft_report *reports;
};

static inline int make_ruled(int context, int cpu, struct ruled *ruled)
{
	struct hft_ring_add add = hft_test_ring_default();
	int err;

	add.cpu = cpu;
	add.entries = ENTRIES;
	add.window = ENTRIES;
	add.flags = HFT_RING_REPORT;
	err = hft_test_ring_make(context, &add, &ruled->ring);
	ruled->reports = (void *)((char *)ruled->ring.consumer + HFT_TEST_PAGE);
	return err;
}

static inline struct hft_rule make_rule(const struct ruled *ruled, uint32_t number, uint32_t action)
{
	return (struct hft_rule) {
		.ring = ruled->ring.add.ring,
		.number = number,
		.action = action,
		.anomalies = 1U << HFT_ANOMALY_SPIKE,
		.kinds = 1U << HFT_KIND_WAKE,
		.count = 1,
		.leave = MS,
	};
}

static inline int set_rule(int context, const struct hft_rule *rule)
{
	return hft_test_ioctl(context, HFT_IOC_RULE, rule);
}

static inline struct hft_rule_info rule_info(int context, const struct hft_rule *rule)
{
	struct hft_rule_info info = { .ring = rule->ring, .number = rule->number };

	if (hft_test_ioctl(context, HFT_IOC_RULE_INFO, &info))
		info.anomaly = HFT_ANOMALIES;
	return info;
}

static inline struct hft_task make_task(const struct ruled *ruled)
{
	struct hft_task task = hft_test_task(ruled->ring.add.ring, 0, 0);

	task.task_class = CLASS;
	return task;
}

/* Report the next event as one that has waited @wait ns and run for @run. */
static inline int consume(struct ruled *ruled, uint64_t wait, uint64_t run)
{
	struct hft_test_ring *ring = &ruled->ring;
	const struct hft_event *event;
	struct hft_report *report;
	int ret = hft_test_wait(ring, 10 * NSEC_PER_SEC);

	if (ret < 0)
		return ret;
	event = &ring->events[ring->consumer->head & (ENTRIES - 1)];
	report = &ruled->reports[ring->consumer->head & (ENTRIES - 1)];
	*report = (struct hft_report) {
		.start = event->published + wait,
		.end = event->published + wait + run,
	};
	hft_test_advance(ring, 1);
	ret = hft_test_wait(ring, 0);
	return ret == -ETIMEDOUT ? 0 : ret;
}

static inline int run_task(int context, struct ruled *ruled, uint64_t wait, uint64_t run)
{
	struct hft_task task = make_task(ruled);
	int err = hft_test_submit(context, &task, NULL);

	return err ? err : consume(ruled, wait, run);
}

static inline int learn(int context, struct ruled *ruled)
{
	int i, err = 0;

	for (i = 0; i < LEARNED && !err; i++)
		err = run_task(context, ruled, USUAL_NS, USUAL_NS);
	return err;
}

FIXTURE(rule) {
	int context;
	struct ruled ruled;
	struct hft_test_ring monitor;
};

FIXTURE_SETUP(rule)
{
	struct hft_ring_add add = { .entries = 16, .window = 16, .flags = HFT_RING_MONITOR };

	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, make_ruled(self->context, 0, &self->ruled));
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &self->monitor));
}

FIXTURE_TEARDOWN(rule)
{
	hft_test_ring_close(&self->monitor);
	hft_test_ring_close(&self->ruled.ring);
	close(self->context);
}

#endif /* HFT_TEST_RULED_H */
