/* SPDX-License-Identifier: GPL-2.0-only */
/* What a worker reports, what is made of it, and rings whose policy changes. */
#ifndef SELFTESTS_LIBHFT_CONFORMANCE_REPORTS_H
#define SELFTESTS_LIBHFT_CONFORMANCE_REPORTS_H

#include "conformance_tasks.h"

#define EPOCH_SHIFT	24
#define TRIES		100
#define BUDGET_MOST	1000000

static struct hft_ring *open_reporting(struct test *t, uint32_t window, uint32_t policy,
				       uint32_t quantum)
{
	HFT_OPTS(hft_ring_opts, opts, .entries = 16, .window = window, .policy = policy,
		 .flags = HFT_RING_REPORT, .quantum_ns = quantum);
	struct hft_ring *ring = NULL;

	if (!EQUAL(0, hft_ring_open(t->h, &opts, &ring)))
		exit(1);
	return ring;
}

static struct hft_class_info class_of(struct test *t, struct hft_ring *ring, uint32_t number)
{
	struct hft_class_info info = { 0 };

	EQUAL(0, hft_class(t->h, hft_ring_number(ring), number, &info));
	return info;
}

/* Run the next event, which is that of @cookie, for @ns at least.  Returns its start. */
static uint64_t run(struct test *t, struct hft_ring *ring, uint64_t cookie, uint64_t ns, int err)
{
	const struct hft_event *event;
	uint64_t start;

	CHECK(hft_wait(ring, patience()) > 0);
	event = hft_ring_peek(ring);
	if (!CHECK(event))
		return 0;
	EQUAL(cookie, event->cookie);
	start = hft_now();
	hft_ring_begin(ring, event, start);
	hft_spin_until(start + ns);
	if (err)
		hft_ring_fail(ring, event, err);
	hft_ring_advance(ring);
	return start;
}

static void submit_class(struct test *t, struct hft_ring *ring, uint32_t number, uint64_t wcet,
			 uint64_t release)
{
	struct hft_task task = make_task(ring, number, release);

	task.task_class = (uint8_t)number;
	task.wcet = wcet;
	submit(t, &task);
}

/* What the worker says of a run is how its task has ended. */
static void case_failed(struct test *t)
{
	struct hft_ring *ring = open_reporting(t, 16, HFT_POLICY_FIFO, 0);
	struct hft_task task = make_task(ring, 1, DUE);
	uint64_t failed = submit(t, &task), completed = submit(t, &task);

	run(t, ring, 1, 1000, -EIO);
	run(t, ring, 1, 1000, 0);
	EQUAL(-ETIMEDOUT, hft_wait(ring, 0));
	expect_outcome(t, failed, HFT_STATE_FAILED);
	expect_outcome(t, completed, HFT_STATE_COMPLETED);
	hft_ring_close(ring);
}

static void case_reports(struct test *t)
{
	struct hft_ring *ring = open_reporting(t, 16, HFT_POLICY_FIFO, 0);
	struct hft_class_info info;
	struct hft_task task = make_task(ring, 0, DUE);

	submit_class(t, ring, 3, 0, DUE);
	submit_class(t, ring, 3, 1000, DUE);
	submit_class(t, ring, 3, 1000 * NSEC_PER_SEC, DUE);
	submit_class(t, ring, 15, 0, DUE);
	run(t, ring, 3, 100000, 0);
	run(t, ring, 3, 200000, -EIO);
	run(t, ring, 3, 50000, 0);
	info = class_of(t, ring, 3);
	EQUAL(3, info.runs);
	EQUAL(1, info.failed);
	EQUAL(1, info.over_budget);
	CHECK(info.max >= 200000 && info.max <= info.busy);
	CHECK(info.busy >= 350000);
	CHECK(info.p999 >= 200000 && info.p999 <= info.max);
	EQUAL(0, class_of(t, ring, 15).runs);
	EQUAL(0, class_of(t, ring, 0).runs);

	/* Without a report there is no run. */
	take(t, ring, 15);
	EQUAL(0, class_of(t, ring, 15).runs);

	task.task_class = HFT_CLASSES;
	EQUAL(-EINVAL, hft_submit(t->h, &task, NULL));
	EQUAL(-EINVAL, hft_class(t->h, hft_ring_number(ring), HFT_CLASSES, &info));
	EQUAL(-ENOENT, hft_class(t->h, 63, 0, &info));
	EQUAL(-ENOENT, hft_class(t->h, UINT32_MAX, 0, &info));
	EQUAL(-EOPNOTSUPP, hft_class(t->h, hft_ring_number(t->ring), 0, &info));
	hft_ring_close(ring);
}

/* All tasks of such a ring are tracked, and none is lost of many. */
static void case_reports_of_many(struct test *t)
{
	struct hft_ring *ring = open_reporting(t, 16, HFT_POLICY_FIFO, 0);
	uint64_t done = 0;
	uint32_t i;

	for (i = 0; i < 3 * TASKS; i++) {
		submit_class(t, ring, i % HFT_CLASSES, 0, DUE);
		if (i % 8 != 7)
			continue;
		for (; done <= i; done++)
			run(t, ring, done % HFT_CLASSES, 0, 0);
	}
	for (i = 0; i < HFT_CLASSES; i++)
		EQUAL(3 * TASKS / HFT_CLASSES, class_of(t, ring, i).runs);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
	hft_ring_close(ring);
}

/* In one epoch: a machine that stands still may leave it on the way. */
static bool try_fair(struct test *t, struct hft_ring *ring)
{
	uint64_t start, release;

	submit_class(t, ring, 1, 0, DUE);
	start = run(t, ring, 1, 3000, 0);
	submit_class(t, ring, 4, 0, DUE);
	release = hft_now();
	submit_class(t, ring, 1, 0, release);
	submit_class(t, ring, 2, 0, release);
	if (start >> EPOCH_SHIFT != release >> EPOCH_SHIFT ||
	    hft_now() >> EPOCH_SHIFT != start >> EPOCH_SHIFT) {
		while (hft_wait(ring, 0) > 0)
			hft_ring_advance(ring);
		return false;
	}
	/* Class 1 has used its first quanta, class 2 none. */
	CHECK(class_of(t, ring, 1).step >= 1 || hft_now() >> EPOCH_SHIFT != start >> EPOCH_SHIFT);
	EQUAL(0, class_of(t, ring, 2).step);
	take(t, ring, 4);
	take(t, ring, 2);
	take(t, ring, 1);
	return true;
}

static void case_fair(struct test *t)
{
	struct hft_ring *ring = open_reporting(t, 1, HFT_POLICY_FAIR, 1000);
	int i;

	for (i = 0; i < TRIES && !try_fair(t, ring); i++)
		;
	CHECK(i < TRIES);
	hft_ring_close(ring);
}

/* What waits longer goes first, whatever its class has used. */
static void case_fair_starves_nobody(struct test *t)
{
	struct hft_ring *ring = open_reporting(t, 1, HFT_POLICY_FAIR, 1000);
	uint64_t start;

	submit_class(t, ring, 1, 0, DUE);
	start = run(t, ring, 1, 1000000, 0);
	submit_class(t, ring, 4, 0, DUE);
	submit_class(t, ring, 1, 0, start);
	hft_spin_until(start + (9ULL << EPOCH_SHIFT));
	submit_class(t, ring, 2, 0, hft_now());
	take(t, ring, 4);
	take(t, ring, 1);
	take(t, ring, 2);
	EQUAL(0, class_of(t, ring, 1).step);
	hft_ring_close(ring);
}

static void change_policy(struct test *t, const struct order *order)
{
	struct hft_ring *ring = open_reporting(t, 1, HFT_POLICY_FIFO, 0);
	struct hft_task task;
	size_t i;

	submit_at(t, ring, 'z', DUE);
	for (i = 0; i < MIXED; i++) {
		task = mixed[i];
		task.release = 1000;
		task.ring = hft_ring_number(ring);
		submit(t, &task);
	}
	EQUAL(0, hft_ring_set_policy(ring, HFT_POLICY_EDF));
	EQUAL(0, hft_ring_set_policy(ring, order->policy));
	take(t, ring, 'z');
	for (i = 0; i < MIXED; i++)
		take(t, ring, (uint64_t)order->cookies[i]);
	expect_empty(t, ring);
	hft_ring_close(ring);
}

static struct hft_lead_state lead_of(struct test *t, struct hft_ring *ring)
{
	struct hft_lead_state state = { .sz = sizeof(state) };

	EQUAL(0, hft_lead_state(ring, &state));
	return state;
}

static void case_lead_is_set(struct test *t)
{
	HFT_OPTS(hft_ring_opts, opts, .lead_budget_ppm = 1);
	uint64_t start = now(t) + 20 * NSEC_PER_MSEC;
	struct hft_lead_state state;
	struct hft_lead_row row;
	struct hft_ring *ring;
	struct hft_event event;

	EQUAL(-EINVAL, hft_ring_open(t->h, &opts, &ring));
	opts.lead_budget_ppm = 0;
	opts.flags = HFT_RING_LEAD;
	EQUAL(-EINVAL, hft_ring_open(t->h, &opts, &ring));
	opts.flags = 0;
	EQUAL(0, hft_ring_open(t->h, &opts, &ring));
	EQUAL(0, hft_ring_lead(ring));
	EQUAL(-EOPNOTSUPP, hft_lead_budget(ring, 5));
	EQUAL(-EOPNOTSUPP, hft_lead_table(ring, &row, 1));
	EQUAL(-EINVAL, hft_lead_set(ring, HFT_LEAD_AUTO));
	EQUAL(0, hft_lead_set(ring, NSEC_PER_MSEC));
	EQUAL(NSEC_PER_MSEC, hft_ring_lead(ring));
	state = lead_of(t, ring);
	EQUAL(NSEC_PER_MSEC, state.lead_ns);
	EQUAL(0, state.budget_ppm);
	submit_at(t, ring, 1, start);
	event = take(t, ring, 1);
	CHECK(event.irq_entry >= start - NSEC_PER_MSEC);
	hft_ring_close(ring);
}

static void case_lead_is_learned(struct test *t)
{
	HFT_OPTS(hft_ring_opts, opts, .flags = HFT_RING_REPORT | HFT_RING_LEAD, .lead_ns = 1234,
		 .lead_budget_ppm = BUDGET_MOST);
	struct hft_lead_row rows[HFT_LEAD_ROWS];
	struct hft_lead_state state;
	struct hft_ring *ring;
	int i, nr;

	EQUAL(0, hft_ring_open(t->h, &opts, &ring));
	EQUAL(1234, lead_of(t, ring).lead_ns);
	EQUAL(0, hft_lead_table(ring, rows, HFT_LEAD_ROWS));
	for (i = 0; i < 48; i++) {
		submit_at(t, ring, (uint64_t)i, now(t) + 5 * NSEC_PER_MSEC);
		run(t, ring, (uint64_t)i, 0, 0);
	}
	/* The last is not looked at yet.  A worker that stood still for 5 ms has not slept. */
	state = lead_of(t, ring);
	CHECK(state.wakeups <= 47 && state.wakeups >= 40);
	EQUAL(BUDGET_MOST, state.budget_ppm);
	EQUAL(hft_ring_lead(ring), state.lead_ns);
	CHECK(state.lead_ns <= NSEC_PER_MSEC);
	CHECK(state.changes > 0 || state.late_ppm < 1000000);
	nr = hft_lead_table(ring, rows, HFT_LEAD_ROWS);
	CHECK(nr >= 0 && nr <= 47);
	for (i = 1; i < nr; i++) {
		CHECK(rows[i].lead > rows[i - 1].lead);
		CHECK(rows[i].late_ppm < rows[i - 1].late_ppm);
	}
	EQUAL(-EINVAL, hft_lead_budget(ring, 0));
	EQUAL(0, hft_lead_budget(ring, 500));
	EQUAL(500, lead_of(t, ring).budget_ppm);
	hft_ring_close(ring);
}

/* With a limit of 1 ns each two readings of the clock are a gap; in virtual time nobody spins. */
static void case_gaps(struct test *t)
{
	HFT_OPTS(hft_ring_opts, opts, .spin_ns = 10 * NSEC_PER_MSEC, .gap_ns = 1);
	struct hft_gap_stats gaps = { .sz = sizeof(gaps) };
	bool spins = strcmp(hft_backend(t->h), "sim");
	struct hft_ring *ring;
	int waits = 0;

	EQUAL(0, hft_ring_open(t->h, &opts, &ring));
	EQUAL(0, hft_ring_gaps(ring, &gaps));
	EQUAL(0, gaps.gaps);
	/* A worker that stands still for 5 ms has not spun. */
	do {
		EQUAL(-ETIMEDOUT, hft_wait(ring, hft_now() + 5 * NSEC_PER_MSEC));
		EQUAL(0, hft_ring_gaps(ring, &gaps));
	} while (spins && gaps.gaps <= 10 && ++waits < 100);
	CHECK(spins ? gaps.gaps > 10 : !gaps.gaps);
	CHECK(gaps.longest_ns >= (spins ? 1 : 0) && gaps.gap_ns >= gaps.longest_ns);
	CHECK(gaps.gap_ns >= gaps.gaps && gaps.last <= hft_now());
	gaps.sz = 0;
	EQUAL(-EINVAL, hft_ring_gaps(ring, &gaps));
	hft_ring_close(ring);

	opts.gap_ns = UINT32_MAX;
	EQUAL(0, hft_ring_open(t->h, &opts, &ring));
	EQUAL(-ETIMEDOUT, hft_wait(ring, hft_now() + 5 * NSEC_PER_MSEC));
	gaps.sz = sizeof(gaps);
	EQUAL(0, hft_ring_gaps(ring, &gaps));
	/* Unless the machine stood still for seconds. */
	CHECK(!gaps.gaps || gaps.longest_ns >= UINT32_MAX);
	hft_ring_close(ring);
	opts.reserved = 1;
	EQUAL(-EINVAL, hft_ring_open(t->h, &opts, &ring));
}

static void case_policy_changes(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 4, 1, HFT_POLICY_FIFO);
	size_t i;

	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		change_policy(t, &orders[i]);

	EQUAL(-EINVAL, hft_ring_set_policy(ring, HFT_POLICIES));
	EQUAL(-EINVAL, hft_ring_set_policy(ring, HFT_POLICY_FAIR));
	EQUAL(0, hft_ring_set_policy(ring, HFT_POLICY_LLF));
	hft_ring_close(ring);
}

/* A halt holds over a change, and a change over a halt. */
static void case_policy_changes_while_halted(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 4, 4, HFT_POLICY_FIFO);
	struct hft_task task = make_task(ring, 1, DUE);

	EQUAL(0, hft_halt(t->h, HFT_HALT_ALL, 0, NULL));
	task.deadline = 900;
	submit(t, &task);
	task.cookie = 2;
	task.deadline = 800;
	submit(t, &task);
	EQUAL(0, hft_ring_set_policy(ring, HFT_POLICY_EDF));
	expect_empty(t, ring);
	EQUAL(0, hft_resume(t->h, 0));
	take(t, ring, 2);
	take(t, ring, 1);
	hft_ring_close(ring);
}

/* Is a better one waiting, while the task of the next event runs? */
static bool should_yield(struct test *t, struct hft_ring *ring)
{
	const struct hft_event *event;

	CHECK(hft_wait(ring, patience()) > 0);
	event = hft_ring_peek(ring);
	return CHECK(event) && hft_should_yield(ring, event);
}

static void case_should_yield(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 4, 1, HFT_POLICY_FIFO);
	struct hft_task task = make_task(ring, 2, DUE);

	submit_at(t, ring, 1, DUE);
	CHECK(!should_yield(t, ring));
	task.level = HFT_LEVEL_LOW;
	submit(t, &task);
	task.level = HFT_LEVEL_NORMAL;
	submit(t, &task);
	CHECK(!should_yield(t, ring));
	task.level = HFT_LEVEL_CRITICAL;
	task.cookie = 3;
	submit(t, &task);
	CHECK(should_yield(t, ring));
	/* It is said of one task alone. */
	take(t, ring, 1);
	CHECK(!should_yield(t, ring));
	take(t, ring, 3);
	take(t, ring, 2);
	CHECK(!should_yield(t, ring));
	take(t, ring, 2);
	hft_ring_close(ring);
}

/* Within a level it is the policy that says what is better. */
static void yield_by(struct test *t, uint32_t policy, const struct hft_task *running,
		     const struct hft_task *worse, const struct hft_task *better)
{
	struct hft_ring *ring = open_ring(t, 4, 1, policy);
	const struct hft_task *tasks[] = { running, worse, better };
	struct hft_task task;
	size_t i;

	for (i = 0; i < 3; i++) {
		task = *tasks[i];
		task.ring = hft_ring_number(ring);
		task.level = HFT_LEVEL_NORMAL;
		task.release = 1000;
		submit(t, &task);
		EQUAL(i == 2, should_yield(t, ring));
	}
	for (i = 0; i < 3; i++) {
		CHECK(hft_wait(ring, patience()) > 0);
		hft_ring_advance(ring);
	}
	hft_ring_close(ring);
}

static void case_should_yield_by_policy(struct test *t)
{
	static const struct hft_task deadlines[] = {
		{ .deadline = 5000 }, { .deadline = 5001 }, { .deadline = 4999 },
		{ .deadline = 5000, .flags = HFT_TASK_TRACK },
	}, periods[] = {
		{ .period = 20000, .flags = HFT_TASK_TRACK }, { .period = 20001 },
		{ .period = 19999 },
	}, laxities[] = {
		{ .deadline = 5000, .wcet = 1000, .flags = HFT_TASK_TRACK },
		{ .deadline = 5000, .wcet = 999 }, { .deadline = 5000, .wcet = 1001 },
	};

	yield_by(t, HFT_POLICY_EDF, &deadlines[0], &deadlines[1], &deadlines[2]);
	yield_by(t, HFT_POLICY_EDF, &deadlines[3], &deadlines[1], &deadlines[2]);
	yield_by(t, HFT_POLICY_RM, &periods[0], &periods[1], &periods[2]);
	yield_by(t, HFT_POLICY_LLF, &laxities[0], &laxities[1], &laxities[2]);
}

static struct hft_ring *open_monitor(struct test *t)
{
	HFT_OPTS(hft_ring_opts, opts, .entries = 64, .flags = HFT_RING_MONITOR);
	struct hft_ring *monitor = NULL;

	if (!EQUAL(0, hft_ring_open(t->h, &opts, &monitor)))
		exit(1);
	return monitor;
}

/* Of @task, which is the only one. */
static void expect_notice(struct test *t, struct hft_ring *monitor, uint16_t type, uint64_t task)
{
	const struct hft_event *event;

	CHECK(hft_wait(monitor, patience()) > 0);
	event = hft_ring_peek(monitor);
	if (!CHECK(event))
		return;
	EQUAL(type, event->type);
	EQUAL(task, event->task);
	EQUAL(HFT_STATE_RUNNING, event->result);
	hft_ring_advance(monitor);
}

/* Told while the task runs; a task that does not begin uses nothing up. */
static void case_budget(struct test *t)
{
	struct hft_ring *ring = open_reporting(t, 4, HFT_POLICY_FIFO, 0);
	struct hft_ring *monitor = open_monitor(t);
	struct hft_task task = make_task(ring, 1, DUE);
	uint64_t end = hft_now() + 50 * NSEC_PER_MSEC, id;
	const struct hft_event *event;

	task.flags = HFT_TASK_BUDGET;
	task.wcet = NSEC_PER_MSEC;
	id = submit(t, &task);
	CHECK(hft_wait(ring, patience()) > 0);
	EQUAL(-ETIMEDOUT, hft_wait(monitor, end));
	event = hft_ring_peek(ring);
	if (CHECK(event))
		hft_ring_begin(ring, event, hft_now());
	expect_notice(t, monitor, HFT_EVENT_BUDGET, id);
	EQUAL(HFT_STATE_RUNNING, state_of(t, id).state);
	EQUAL(-ETIMEDOUT, hft_wait(monitor, hft_now() + 5 * NSEC_PER_MSEC));
	hft_ring_advance(ring);
	EQUAL(1, class_of(t, ring, 0).over_budget);

	/* One that keeps to it, as far as such a machine lets it. */
	task.wcet = 1000 * NSEC_PER_SEC;
	submit(t, &task);
	run(t, ring, 1, 1000, 0);
	EQUAL(-ETIMEDOUT, hft_wait(monitor, hft_now() + 5 * NSEC_PER_MSEC));
	EQUAL(1, class_of(t, ring, 0).over_budget);
	hft_ring_close(monitor);
	hft_ring_close(ring);
}

/* A deadline and a budget, each in its turn. */
static void case_budget_and_deadline(struct test *t)
{
	struct hft_ring *ring = open_reporting(t, 4, HFT_POLICY_FIFO, 0);
	struct hft_ring *monitor = open_monitor(t);
	struct hft_task task = make_task(ring, 1, 0);
	const struct hft_event *event;
	uint64_t id;

	task.flags = HFT_TASK_BUDGET | HFT_TASK_WATCH;
	task.wcet = NSEC_PER_MSEC;
	task.release = hft_now();
	task.deadline = task.release + 10 * NSEC_PER_MSEC;
	id = submit(t, &task);
	CHECK(hft_wait(ring, patience()) > 0);
	expect_notice(t, monitor, HFT_EVENT_MISS, id);
	event = hft_ring_peek(ring);
	if (CHECK(event))
		hft_ring_begin(ring, event, hft_now());
	expect_notice(t, monitor, HFT_EVENT_BUDGET, id);
	hft_ring_advance(ring);
	expect_empty(t, ring);

	task.flags = HFT_TASK_BUDGET;
	task.wcet = 0;
	EQUAL(-EINVAL, hft_submit(t->h, &task, NULL));
	task.wcet = 1;
	task.ring = hft_ring_number(t->ring);
	EQUAL(-EINVAL, hft_submit(t->h, &task, NULL));
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
	hft_ring_close(monitor);
	hft_ring_close(ring);
}

#endif /* SELFTESTS_LIBHFT_CONFORMANCE_REPORTS_H */
