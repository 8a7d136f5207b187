/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules: what they do about anomalies, when it is undone, and that no hard task suffers.
 *
 * What is judged is how long a task has waited for its worker, which the worker itself says:
 * so the anomalies are made, to the nanosecond, on a loaded machine too.
 */
#ifndef SELFTESTS_LIBHFT_CONFORMANCE_RULES_H
#define SELFTESTS_LIBHFT_CONFORMANCE_RULES_H

#include <hft/rule.h>

#include "conformance_reports.h"

#define USUAL_NS	1000
#define SPIKE_NS	20000
#define LEARNED		300
#define RULE_CLASS	3
#define SPIKE_BIT	(1U << HFT_ANOMALY_SPIKE)
#define WAKE_BIT	(1U << HFT_KIND_WAKE)
#define SOON_NS		NSEC_PER_MSEC

static struct hft_rule make_rule(enum hft_action action)
{
	struct hft_rule rule = {
		.action = action,
		.anomalies = SPIKE_BIT,
		.kinds = WAKE_BIT,
		.classes = 1U << RULE_CLASS,
		.count = 1,
		.leave = 100 * NSEC_PER_SEC,
	};

	return rule;
}

static struct hft_rule_info rule_info(struct test *t, struct hft_ring *ring, uint32_t number)
{
	struct hft_rule_info info = { 0 };

	EQUAL(0, hft_rule_info(ring, number, &info));
	return info;
}

/* The task that comes next has waited so long for its worker.  Returns whether one came. */
static bool run_late(struct test *t, struct hft_ring *ring, uint64_t ns)
{
	const struct hft_event *event;

	CHECK(hft_wait(ring, patience()) > 0);
	event = hft_ring_peek(ring);
	if (!CHECK(event))
		return false;
	hft_spin_until(event->published + ns);
	hft_ring_begin(ring, event, event->published + ns);
	hft_ring_advance(ring);
	return true;
}

/* A task waits so long for its worker. */
static void wait_for_worker(struct test *t, struct hft_ring *ring, uint64_t ns)
{
	submit_class(t, ring, RULE_CLASS, 0, DUE);
	if (run_late(t, ring, ns))
		EQUAL(-ETIMEDOUT, hft_wait(ring, 0));
}

static void learn(struct test *t, struct hft_ring *ring)
{
	int i;

	for (i = 0; i < LEARNED; i++)
		wait_for_worker(t, ring, USUAL_NS);
}

/* A ring with a rule that has learned. */
static struct hft_ring *ruled_ring(struct test *t, const struct hft_rule *rule)
{
	struct hft_ring *ring = open_reporting(t, 16, HFT_POLICY_FIFO, 0);

	EQUAL(0, hft_rule_set(ring, rule));
	learn(t, ring);
	EQUAL(0, rule_info(t, ring, rule->number).anomalies);
	return ring;
}

static void await_undone(struct test *t, struct hft_ring *ring, uint32_t number)
{
	uint64_t end = patience();

	while (rule_info(t, ring, number).in_force && hft_now() < end)
		hft_spin_until(hft_now() + SOON_NS);
	EQUAL(0, rule_info(t, ring, number).in_force);
}

static int try_submit(struct test *t, struct hft_ring *ring, uint32_t level, uint32_t flags)
{
	struct hft_task task = make_task(ring, 7, DUE);

	task.level = (uint8_t)level;
	task.flags = flags;
	if (flags & HFT_TASK_WATCH)
		task.deadline = hft_now() + 1000 * NSEC_PER_SEC;
	return hft_submit(t->h, &task, NULL);
}

static void case_rule_refusals(struct test *t)
{
	struct hft_ring *ring = open_reporting(t, 16, HFT_POLICY_FIFO, 0);
	struct hft_rule rule = make_rule(HFT_ACTION_NOTIFY), bad;
	struct hft_rule_info info;

#define REFUSED(err, field, value) \
	(bad = rule, bad.field = (value), EQUAL(err, hft_rule_set(ring, &bad)))

	REFUSED(-EINVAL, number, HFT_RULES);
	REFUSED(-EINVAL, action, HFT_ACTIONS);
	REFUSED(-EINVAL, flags, HFT_RULE_LATCH << 1);
	REFUSED(-EINVAL, anomalies, 1U << HFT_ANOMALY_NONE);
	REFUSED(-EINVAL, anomalies, 1U << HFT_ANOMALIES);
	REFUSED(-EINVAL, kinds, 1U << HFT_KINDS);
	REFUSED(-EINVAL, classes, 1U << HFT_CLASSES);
	REFUSED(-EINVAL, targets, 1);
	REFUSED(-EINVAL, count, 0);
	REFUSED(-EINVAL, count, HFT_RULE_MOST + 1);
	REFUSED(-EINVAL, level, 1);
	REFUSED(-EINVAL, budget_ppm, 1);
	REFUSED(-EINVAL, amount, 1);
	REFUSED(-EINVAL, most, 1);
	REFUSED(-EINVAL, leave, HFT_RULE_LEAVE_MIN - 1);
	REFUSED(-EINVAL, leave, UINT64_MAX);
	REFUSED(-EINVAL, interval, UINT64_MAX);
	REFUSED(-EINVAL, hold, UINT64_MAX);
	REFUSED(-EINVAL, seasons, 97);
	REFUSED(-EINVAL, reserved, 1);
	REFUSED(-ENODEV, action, HFT_ACTION_SPARE);
	rule.action = HFT_ACTION_SHED;
	REFUSED(-EINVAL, level, HFT_LEVELS);
	rule.action = HFT_ACTION_LEAD;
	rule.amount = 1000;
	REFUSED(-EINVAL, amount, 0);
	REFUSED(-EINVAL, most, 1ULL << 40);
	REFUSED(-EINVAL, budget_ppm, 1000001);
	REFUSED(-EBUSY, budget_ppm, 1000000);
	rule.action = HFT_ACTION_BOOST;
	rule.amount = 1;
	REFUSED(-EINVAL, amount, HFT_LEVELS);
	REFUSED(-EINVAL, level, HFT_LEVELS);
#undef REFUSED
	EQUAL(HFT_ACTION_NONE, rule_info(t, ring, 0).action);
	EQUAL(-EINVAL, hft_rule_info(ring, HFT_RULES, &info));
	/* To take one away that there is not is no failure. */
	rule.action = HFT_ACTION_NONE;
	EQUAL(0, hft_rule_set(ring, &rule));
	EQUAL(0, hft_rule_set(t->ring, &rule));
	hft_ring_close(ring);
}

static struct hft_event next_notice(struct test *t, struct hft_ring *monitor, uint16_t type)
{
	const struct hft_event *event;
	struct hft_event copy = { 0 };

	CHECK(hft_wait(monitor, patience()) > 0);
	event = hft_ring_peek(monitor);
	if (!CHECK(event))
		return copy;
	copy = *event;
	EQUAL(type, copy.type);
	hft_ring_advance(monitor);
	return copy;
}

/* What was found, what was done about it, and that it is over. */
static void case_rule_tells(struct test *t)
{
	struct hft_rule rule = make_rule(HFT_ACTION_NOTIFY);
	struct hft_ring *monitor = open_monitor(t), *ring;
	struct hft_event anomaly, applied, undone;

	rule.number = 5;
	rule.leave = SOON_NS;
	ring = ruled_ring(t, &rule);
	wait_for_worker(t, ring, SPIKE_NS);
	anomaly = next_notice(t, monitor, HFT_EVENT_ANOMALY);
	EQUAL(SPIKE_NS, anomaly.cookie);
	EQUAL(hft_ring_number(ring), anomaly.task);
	EQUAL(HFT_ANOMALY_SPIKE, anomaly.result);
	EQUAL(HFT_KIND_WAKE, anomaly.clock);
	EQUAL(RULE_CLASS, anomaly.level);
	CHECK(anomaly.release >= USUAL_NS * 9 / 10 && anomaly.release <= USUAL_NS * 11 / 10);
	CHECK(anomaly.deadline > anomaly.release && anomaly.deadline < SPIKE_NS);
	applied = next_notice(t, monitor, HFT_EVENT_RESPONSE);
	EQUAL(hft_ring_number(ring) | 5ULL << 32, applied.task);
	EQUAL(HFT_RESPONSE_APPLIED, applied.result);
	EQUAL(HFT_ACTION_NOTIFY, applied.clock);
	EQUAL(HFT_ANOMALY_SPIKE, applied.level);
	CHECK(applied.release);
	await_undone(t, ring, 5);
	undone = next_notice(t, monitor, HFT_EVENT_RESPONSE);
	EQUAL(HFT_RESPONSE_UNDONE, undone.result);
	EQUAL(applied.release, undone.release);
	hft_ring_close(ring);
	hft_ring_close(monitor);
}

/* So many among so many, and not again for a while. */
static void case_rule_counts(struct test *t)
{
	struct hft_rule rule = make_rule(HFT_ACTION_SHED);
	struct hft_rule_info info;
	struct hft_ring *ring;
	int i;

	rule.level = HFT_LEVEL_NORMAL;
	rule.count = 3;
	rule.among = 10;
	rule.leave = SOON_NS;
	rule.interval = 1000 * NSEC_PER_SEC;
	ring = ruled_ring(t, &rule);
	for (i = 0; i < 5; i++) {
		wait_for_worker(t, ring, SPIKE_NS);
		wait_for_worker(t, ring, USUAL_NS);
		wait_for_worker(t, ring, SPIKE_NS);
		for (int n = 0; n < 10; n++)
			wait_for_worker(t, ring, USUAL_NS);
	}
	info = rule_info(t, ring, 0);
	EQUAL(10, info.anomalies);
	EQUAL(0, info.applied);
	for (i = 0; i < 3; i++)
		wait_for_worker(t, ring, SPIKE_NS);
	info = rule_info(t, ring, 0);
	EQUAL(1, info.applied);
	await_undone(t, ring, 0);
	for (i = 0; i < 3; i++)
		wait_for_worker(t, ring, SPIKE_NS);
	info = rule_info(t, ring, 0);
	EQUAL(1, info.applied);
	EQUAL(1, info.undone);
	EQUAL(1, info.limited);
	EQUAL(0, info.in_force);
	hft_ring_close(ring);
}

static void case_rule_sheds(struct test *t)
{
	struct hft_rule rule = make_rule(HFT_ACTION_SHED);
	struct hft_ring *ring;

	rule.level = HFT_LEVEL_NORMAL;
	ring = ruled_ring(t, &rule);
	EQUAL(0, try_submit(t, ring, HFT_LEVEL_LOW, 0));
	run(t, ring, 7, 0, 0);
	wait_for_worker(t, ring, SPIKE_NS);
	EQUAL(HFT_LEVEL_NORMAL, rule_info(t, ring, 0).value);
	EQUAL(-ENOBUFS, try_submit(t, ring, HFT_LEVEL_LOW, 0));
	EQUAL(-ENOBUFS, try_submit(t, ring, HFT_LEVEL_IDLE, HFT_TASK_TRACK));
	EQUAL(0, try_submit(t, ring, HFT_LEVEL_NORMAL, 0));
	run(t, ring, 7, 0, 0);
	/* A hard one is not shed. */
	EQUAL(0, try_submit(t, ring, HFT_LEVEL_IDLE, HFT_TASK_WATCH));
	run(t, ring, 7, 0, 0);
	/* Nor is anything after the rule is gone. */
	rule.action = HFT_ACTION_NONE;
	EQUAL(0, hft_rule_set(ring, &rule));
	EQUAL(0, try_submit(t, ring, HFT_LEVEL_IDLE, 0));
	run(t, ring, 7, 0, 0);
	EQUAL(HFT_ACTION_NONE, rule_info(t, ring, 0).action);
	hft_ring_close(ring);
}

static void case_rule_dry_run(struct test *t)
{
	struct hft_rule rule = make_rule(HFT_ACTION_SHED);
	struct hft_ring *monitor = open_monitor(t), *ring;
	struct hft_rule_info info;

	rule.level = HFT_LEVEL_REALTIME;
	rule.flags = HFT_RULE_DRY_RUN;
	rule.leave = SOON_NS;
	ring = ruled_ring(t, &rule);
	wait_for_worker(t, ring, SPIKE_NS);
	EQUAL(0, try_submit(t, ring, HFT_LEVEL_LOW, 0));
	run(t, ring, 7, 0, 0);
	await_undone(t, ring, 0);
	info = rule_info(t, ring, 0);
	EQUAL(1, info.applied);
	EQUAL(1, info.undone);
	next_notice(t, monitor, HFT_EVENT_ANOMALY);
	EQUAL(HFT_RESPONSE_DRY_APPLIED, next_notice(t, monitor, HFT_EVENT_RESPONSE).result);
	EQUAL(HFT_RESPONSE_DRY_UNDONE, next_notice(t, monitor, HFT_EVENT_RESPONSE).result);
	hft_ring_close(ring);
	hft_ring_close(monitor);
}

static uint8_t level_of(struct test *t, struct hft_ring *ring, uint32_t task_class, uint32_t level)
{
	struct hft_task task = make_task(ring, 9, DUE);

	task.task_class = (uint8_t)task_class;
	task.level = (uint8_t)level;
	submit(t, &task);
	return take(t, ring, 9).level;
}

static void case_rule_boosts(struct test *t)
{
	struct hft_rule rule = make_rule(HFT_ACTION_BOOST);
	struct hft_ring *ring;

	rule.targets = 1U << 4;
	rule.amount = 2;
	rule.level = HFT_LEVEL_HIGH;
	ring = ruled_ring(t, &rule);
	EQUAL(HFT_LEVEL_LOW, level_of(t, ring, 4, HFT_LEVEL_LOW));
	wait_for_worker(t, ring, SPIKE_NS);
	EQUAL(HFT_LEVEL_HIGH, level_of(t, ring, 4, HFT_LEVEL_LOW));
	EQUAL(HFT_LEVEL_LOW, level_of(t, ring, 5, HFT_LEVEL_LOW));
	EQUAL(HFT_LEVEL_LOW, level_of(t, ring, 4, HFT_LEVEL_IDLE));
	EQUAL(HFT_LEVEL_HIGH, level_of(t, ring, 4, HFT_LEVEL_NORMAL));
	EQUAL(HFT_LEVEL_CRITICAL, level_of(t, ring, 4, HFT_LEVEL_CRITICAL));
	/* Where a hard task could have to wait for one of those, there is none. */
	EQUAL(-EBUSY, try_submit(t, ring, HFT_LEVEL_HIGH, HFT_TASK_WATCH));
	EQUAL(0, try_submit(t, ring, HFT_LEVEL_CRITICAL, HFT_TASK_WATCH));
	rule.number = 1;
	rule.level = HFT_LEVEL_REALTIME;
	EQUAL(-EBUSY, hft_rule_set(ring, &rule));
	EQUAL(HFT_ACTION_NONE, rule_info(t, ring, 1).action);
	EQUAL(0, try_submit(t, ring, HFT_LEVEL_CRITICAL, HFT_TASK_WATCH));
	hft_ring_close(ring);
}

/* Step by step, up to the most; each task is in its ring so long before its release. */
static void case_rule_leads(struct test *t)
{
	struct hft_rule rule = make_rule(HFT_ACTION_LEAD);
	struct hft_rule_info info;
	struct hft_ring *ring;
	struct hft_event event;
	uint64_t release;
	int i;

	rule.amount = 30000;
	rule.most = 50000;
	rule.budget_ppm = 900000;
	ring = ruled_ring(t, &rule);
	/* What a lead costs goes by the dispatches of the last tenth of a second. */
	hft_spin_until(hft_now() + 500 * NSEC_PER_MSEC);
	wait_for_worker(t, ring, SPIKE_NS);
	EQUAL(30000, rule_info(t, ring, 0).value);
	wait_for_worker(t, ring, SPIKE_NS);
	EQUAL(50000, rule_info(t, ring, 0).value);
	wait_for_worker(t, ring, SPIKE_NS);
	info = rule_info(t, ring, 0);
	EQUAL(50000, info.value);
	EQUAL(1, info.withheld);
	release = now(t) + 50 * NSEC_PER_MSEC;
	submit_at(t, ring, 1, release);
	for (i = 0; i < 1000 && now(t) < release - 50000; i++)
		hft_spin_until(hft_now() + NSEC_PER_MSEC / 20);
	event = take(t, ring, 1);
	EQUAL(release, event.release);
	CHECK(event.irq_entry >= release - 50000);
	rule.action = HFT_ACTION_NONE;
	EQUAL(0, hft_rule_set(ring, &rule));
	EQUAL(0, rule_info(t, ring, 0).in_force);
	hft_ring_close(ring);
}

/* A lead that costs more than it may is not raised as far. */
static void case_rule_keeps_its_budget(struct test *t)
{
	struct hft_rule rule = make_rule(HFT_ACTION_LEAD);
	struct hft_rule_info info;
	struct hft_ring *ring;

	rule.amount = 30000;
	rule.most = 50000;
	rule.budget_ppm = 1;
	ring = ruled_ring(t, &rule);
	wait_for_worker(t, ring, SPIKE_NS);
	wait_for_worker(t, ring, SPIKE_NS);
	info = rule_info(t, ring, 0);
	EQUAL(2, info.applied);
	CHECK(info.value < 1000);
	hft_ring_close(ring);
}

/* What may run of four tasks while a rule holds the handle, of which one is hard. */
static void hold(struct test *t, enum hft_action action, bool reduce_runs)
{
	struct hft_rule rule = make_rule(action);
	struct hft_ring *ring;

	rule.leave = 100 * NSEC_PER_MSEC;
	ring = ruled_ring(t, &rule);
	rule.flags = HFT_RULE_LATCH;
	EQUAL(0, hft_rule_set(ring, &rule));
	wait_for_worker(t, ring, SPIKE_NS);
	EQUAL(0, try_submit(t, ring, HFT_LEVEL_NORMAL, 0));
	EQUAL(0, try_submit(t, ring, HFT_LEVEL_NORMAL, HFT_TASK_REDUCE));
	if (reduce_runs)
		run(t, ring, 7, 0, 0);
	expect_empty(t, ring);
	EQUAL(0, try_submit(t, ring, HFT_LEVEL_IDLE, HFT_TASK_WATCH));
	run(t, ring, 7, 0, 0);
	/* Another ring of the handle, too: by the time that the call returns. */
	submit_at(t, t->ring, 1, DUE);
	expect_empty(t, t->ring);
	EQUAL(action == HFT_ACTION_HALT ? HFT_HALT_ALL : HFT_HALT_REDUCE,
	      rule_info(t, ring, 0).value);
	/* A halt by hand is over with its resume, that of the rule with the rule. */
	EQUAL(0, hft_halt(t->h, HFT_HALT_ALL, 0, NULL));
	EQUAL(0, hft_resume(t->h, 0));
	expect_empty(t, t->ring);
	rule.action = HFT_ACTION_NONE;
	EQUAL(0, hft_rule_set(ring, &rule));
	take(t, t->ring, 1);
	run(t, ring, 7, 0, 0);
	if (!reduce_runs)
		run(t, ring, 7, 0, 0);
	hft_ring_close(ring);
}

static void case_rule_reduces(struct test *t)
{
	hold(t, HFT_ACTION_REDUCE, true);
}

static void case_rule_halts(struct test *t)
{
	hold(t, HFT_ACTION_HALT, false);
}

/* A ring that closes takes what its rules hold with it. */
static void case_rule_and_closed_ring(struct test *t)
{
	struct hft_rule rule = make_rule(HFT_ACTION_HALT);
	struct hft_ring *ring = ruled_ring(t, &rule);

	wait_for_worker(t, ring, SPIKE_NS);
	submit_at(t, t->ring, 1, DUE);
	expect_empty(t, t->ring);
	hft_ring_close(ring);
	take(t, t->ring, 1);
}

/* It is undone by itself, when nobody calls. */
static void case_rule_undoes_halt(struct test *t)
{
	struct hft_rule rule = make_rule(HFT_ACTION_HALT);
	struct hft_ring *ring;

	rule.leave = SOON_NS;
	ring = ruled_ring(t, &rule);
	wait_for_worker(t, ring, SPIKE_NS);
	submit_at(t, t->ring, 1, DUE);
	take(t, t->ring, 1);
	EQUAL(1, rule_info(t, ring, 0).undone);
	hft_ring_close(ring);
}

struct reader {
	struct hft *h;
	atomic_bool stop;
	atomic_int failed;
};

static void *read_again_and_again(void *arg)
{
	struct reader *reader = arg;
	struct hft_stats stats;

	while (!atomic_load(&reader->stop))
		atomic_fetch_add(&reader->failed,
				 hft_stats(reader->h, HFT_STATS_CONTEXT, &stats) != 0);
	return NULL;
}

/* Also when it is due while somebody looks at the rings, as somebody always does. */
static void case_rule_undoes_halt_among_readers(struct test *t)
{
	struct hft_rule rule = make_rule(HFT_ACTION_HALT);
	struct reader reader = { .h = t->h };
	struct hft_ring *ring;
	pthread_t thread;

	rule.leave = 20 * NSEC_PER_MSEC;
	ring = ruled_ring(t, &rule);
	wait_for_worker(t, ring, SPIKE_NS);
	submit_at(t, t->ring, 1, DUE);
	EQUAL(0, pthread_create(&thread, NULL, read_again_and_again, &reader));
	take(t, t->ring, 1);
	atomic_store(&reader.stop, true);
	pthread_join(thread, NULL);
	EQUAL(0, atomic_load(&reader.failed));
	hft_ring_close(ring);
}

#endif /* SELFTESTS_LIBHFT_CONFORMANCE_RULES_H */
