/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracked tasks: their states and changes, periods, deadlines that are watched, halts. */
#ifndef SELFTESTS_LIBHFT_CONFORMANCE_TASKS_H
#define SELFTESTS_LIBHFT_CONFORMANCE_TASKS_H

#include "conformance.h"

static struct hft_task_info state_of(struct test *t, uint64_t id)
{
	struct hft_task_info info = { 0 };

	EQUAL(0, hft_task_state(t->h, id, &info));
	return info;
}

static void expect_ended(struct test *t, uint64_t id)
{
	struct hft_task_info info;

	EQUAL(-ENOENT, hft_task_state(t->h, id, &info));
}

/* It was tracked, and nobody has taken its place since. */
static void expect_outcome(struct test *t, uint64_t id, enum hft_task_state outcome)
{
	struct hft_task_info info = { 0 };

	EQUAL(0, hft_task_state(t->h, id, &info));
	EQUAL(outcome, info.state);
}

static void case_states(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 1, 1, HFT_POLICY_FIFO);
	uint64_t later = now(t) + 1000 * NSEC_PER_SEC, running, ready, pending;
	struct hft_task task = make_task(ring, 1, DUE);
	struct hft_task_info info;

	task.flags = HFT_TASK_TRACK;
	running = submit(t, &task);
	task.cookie = 2;
	ready = submit(t, &task);
	task.release = later;
	pending = submit(t, &task);

	info = state_of(t, running);
	EQUAL(HFT_STATE_RUNNING, info.state);
	EQUAL(hft_ring_number(ring), info.ring);
	EQUAL(1, info.jobs);
	EQUAL(HFT_STATE_READY, state_of(t, ready).state);
	info = state_of(t, pending);
	EQUAL(HFT_STATE_PENDING, info.state);
	EQUAL(later, info.release);
	EQUAL(0, info.jobs);

	EQUAL(-ENOENT, hft_cancel(t->h, running));
	take(t, ring, 1);
	expect_outcome(t, running, HFT_STATE_COMPLETED);
	EQUAL(1, hft_wait(ring, 0));
	EQUAL(HFT_STATE_RUNNING, state_of(t, ready).state);
	EQUAL(0, hft_cancel(t->h, pending));
	expect_outcome(t, pending, HFT_STATE_CANCELLED);
	take(t, ring, 2);
	expect_outcome(t, ready, HFT_STATE_COMPLETED);
	expect_outcome(t, running, HFT_STATE_COMPLETED);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
	hft_ring_close(ring);
}

/* A plain one is known until its dispatch. */
static void case_states_of_plain_tasks(struct test *t)
{
	uint64_t pending = submit_at(t, t->ring, 2, hft_now() + 1000 * NSEC_PER_SEC);
	uint64_t dispatched = submit_at(t, t->ring, 1, DUE);

	EQUAL(HFT_STATE_PENDING, state_of(t, pending).state);
	expect_ended(t, dispatched);
	take(t, t->ring, 1);
	expect_ended(t, 0);
}

/* What is known of a task goes with its place, and of a plain one there is nothing. */
static void case_outcomes_are_forgotten(struct test *t)
{
	struct hft_ring *ring = open_ring(t, TASKS, TASKS, HFT_POLICY_FIFO);
	struct hft_task task = make_task(ring, 1, DUE);
	uint64_t first, closed;
	int i;

	task.flags = HFT_TASK_TRACK;
	first = submit(t, &task);
	take(t, ring, 1);
	expect_outcome(t, first, HFT_STATE_COMPLETED);
	task.flags = 0;
	for (i = 0; i < TASKS; i++) {
		submit(t, &task);
		take(t, ring, 1);
	}
	expect_ended(t, first);
	task.flags = HFT_TASK_TRACK;
	closed = submit(t, &task);
	hft_ring_close(ring);
	expect_outcome(t, closed, HFT_STATE_CANCELLED);
	expect_ended(t, closed + (1ULL << 32));
	expect_ended(t, closed - (1ULL << 32));
}

static void case_submit_by_time(struct test *t)
{
	uint64_t start = now(t) + 10 * NSEC_PER_MSEC;
	struct hft_task task = make_task(t->ring, 1, 0);
	struct hft_event event;

	task.deadline = 500;
	EQUAL(0, hft_submit_at(t->h, &task, start, NULL));
	event = take(t, t->ring, 1);
	EQUAL(start, event.release);
	EQUAL(start + 500, event.deadline);
	EQUAL(-EINVAL, hft_submit_at(t->h, &task, UINT64_MAX, NULL));
	EQUAL(-EINVAL, hft_submit_after(t->h, &task, UINT64_MAX, NULL));
	EQUAL(-EINVAL, hft_submit_periodic(t->h, &task, start, 0, NULL));
	EQUAL(-EINVAL, hft_submit_periodic(t->h, &task, start, HFT_PERIOD_MIN - 1, NULL));
}

static void case_submit_after(struct test *t)
{
	struct hft_task task = make_task(t->ring, 1, 0);
	uint64_t before = hft_now();
	struct hft_event event;

	task.clock = HFT_CLOCK_TAI;
	EQUAL(0, hft_submit_after(t->h, &task, 5 * NSEC_PER_MSEC, NULL));
	event = take(t, t->ring, 1);
	CHECK(event.release + 1000 >= before + 5 * NSEC_PER_MSEC);
	CHECK(event.published + 1000 >= event.release);
}

static void case_modify(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 4, 1, HFT_POLICY_EDF);
	uint64_t later = now(t) + 1000 * NSEC_PER_SEC;
	struct hft_modify modify = { .fields = HFT_MODIFY_LEVEL };
	uint64_t done = submit_at(t, ring, 1, DUE);
	uint64_t low = submit_at(t, ring, 2, DUE);
	uint64_t late = submit_at(t, ring, 3, later);

	/* In the ring it is too late. */
	modify.task = done;
	EQUAL(-ENOENT, hft_modify(t->h, &modify));
	/* One that is ready is overtaken by one that is released now, and raised. */
	modify.task = late;
	modify.fields = HFT_MODIFY_RELEASE | HFT_MODIFY_LEVEL;
	modify.release = DUE;
	modify.level = HFT_LEVEL_HIGH;
	EQUAL(0, hft_modify(t->h, &modify));
	take(t, ring, 1);
	EQUAL(HFT_LEVEL_HIGH, take(t, ring, 3).level);
	/* It is in the ring after the next look alone. */
	modify.task = low;
	modify.fields = HFT_MODIFY_DEADLINE;
	modify.deadline = 7;
	EQUAL(0, hft_modify(t->h, &modify));
	EQUAL(7, take(t, ring, 2).deadline);
	hft_ring_close(ring);
}

static void case_refusals_of_changes(struct test *t)
{
	uint64_t later = now(t) + 1000 * NSEC_PER_SEC;
	uint64_t id = submit_at(t, t->ring, 1, later);
	const struct hft_modify rows[] = {
		{ .fields = 0 },
		{ .fields = 1U << 31 },
		{ .fields = HFT_MODIFY_LEVEL, .level = HFT_LEVELS },
		{ .fields = HFT_MODIFY_RELEASE, .release = HFT_TIME_MAX + 1 },
		{ .fields = HFT_MODIFY_DEADLINE, .deadline = HFT_TIME_MAX + 1 },
		{ .fields = HFT_MODIFY_DEADLINE, .deadline = later - 1 },
		{ .fields = HFT_MODIFY_PERIOD, .period = NSEC_PER_SEC },
		{ .fields = HFT_MODIFY_PERIOD, .period = HFT_PERIOD_MIN - 1 },
		{ .fields = HFT_MODIFY_LEVEL, .reserved = 1 },
	};
	struct hft_modify modify;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		modify = rows[i];
		modify.task = id;
		if (!EQUAL(-EINVAL, hft_modify(t->h, &modify)))
			printf("# row %zu\n", i);
	}
	modify = (struct hft_modify){ .task = id + 1, .fields = HFT_MODIFY_LEVEL };
	EQUAL(-ENOENT, hft_modify(t->h, &modify));
	EQUAL(0, hft_cancel(t->h, id));
}

static void case_refusals_of_flags(struct test *t)
{
	static const uint32_t rows[] = {
		HFT_TASK_PERIODIC,
		HFT_TASK_CATCH_UP,
		HFT_TASK_COALESCE,
		HFT_TASK_WATCH,
		HFT_TASK_DROP,
		HFT_TASK_SIGNAL,
		HFT_TASK_HALT,
		HFT_TASK_SPORADIC,
		1U << 20,
	};
	struct hft_task task;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		task = make_task(t->ring, 1, DUE);
		task.flags = rows[i];
		if (!EQUAL(-EINVAL, hft_submit(t->h, &task, NULL)))
			printf("# row %zu\n", i);
	}
	task.flags = HFT_TASK_PERIODIC | HFT_TASK_CATCH_UP | HFT_TASK_COALESCE;
	task.period = NSEC_PER_SEC;
	EQUAL(-EINVAL, hft_submit(t->h, &task, NULL));
	expect_empty(t, t->ring);
}

#define PERIOD	(5 * NSEC_PER_MSEC)

/* No release drifts, and each is there when the job before is done in time. */
static void case_periodic(struct test *t)
{
	uint64_t start = now(t) + PERIOD, id, k, missed;
	struct hft_task task = make_task(t->ring, 1, 0);
	struct hft_event event;

	task.deadline = 700;
	EQUAL(0, hft_submit_periodic(t->h, &task, start, PERIOD, &id));
	for (k = 0, missed = 0; k < 8; k++) {
		event = take(t, t->ring, 1);
		EQUAL(id, event.task);
		/* A job whose consumer was kept from its CPU is told of. */
		missed += (uint64_t)event.result;
		EQUAL(start + (k + missed) * PERIOD, event.release);
		EQUAL(event.release + 700, event.deadline);
	}
	EQUAL(0, hft_cancel(t->h, id));
	EQUAL(-ENOENT, hft_cancel(t->h, id));
	expect_outcome(t, id, HFT_STATE_CANCELLED);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
}

/* The first job is at work until some releases have passed; the next says how many. */
static void check_overrun(struct test *t, uint32_t flags)
{
	struct hft_ring *ring = open_ring(t, 8, 8, HFT_POLICY_FIFO);
	uint64_t start = now(t), id, passed;
	struct hft_task task = make_task(ring, 1, 0);
	struct hft_event event;

	task.flags = flags;
	EQUAL(0, hft_submit_periodic(t->h, &task, start, PERIOD, &id));
	CHECK(hft_wait(ring, patience()) > 0);
	usleep(18000);
	EQUAL(HFT_STATE_RUNNING, state_of(t, id).state);
	EQUAL(start, take(t, ring, 1).release);
	event = take(t, ring, 1);
	passed = (event.release - start) / PERIOD;
	EQUAL(start + passed * PERIOD, event.release);
	if (flags & HFT_TASK_CATCH_UP)
		EQUAL(1, passed);
	else
		CHECK(passed >= 1 && (uint64_t)event.result + 1 >= passed);
	if (!flags)
		CHECK(event.published >= event.release && passed >= 4);
	EQUAL(0, hft_cancel(t->h, id));
	hft_ring_close(ring);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
}

static void case_overrun_skip(struct test *t)
{
	check_overrun(t, 0);
}

static void case_overrun_catch_up(struct test *t)
{
	check_overrun(t, HFT_TASK_CATCH_UP);
}

static void case_overrun_coalesce(struct test *t)
{
	check_overrun(t, HFT_TASK_COALESCE);
}

/* An arrival is a job, no sooner than the interval allows; there is one at a time. */
static void case_sporadic(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 8, 8, HFT_POLICY_FIFO);
	struct hft_task task = make_task(ring, 1, now(t) + PERIOD);
	uint64_t id, last = task.release, start = task.release;
	struct hft_event event;
	int i;

	task.deadline = 700;
	EQUAL(0, hft_submit_sporadic(t->h, &task, PERIOD, &id));
	EQUAL(HFT_STATE_BLOCKED, state_of(t, id).state);
	EQUAL(start, state_of(t, id).release);
	expect_empty(t, ring);
	EQUAL(1, stats_of(t, hft_ring_number(ring)).waiting);
	for (i = 0; i < 4; i++) {
		EQUAL(0, hft_arrive(t->h, id, 0));
		event = take(t, ring, 1);
		CHECK(event.release >= last);
		EQUAL(event.release + 700, event.deadline);
		EQUAL(id, event.task);
		last = event.release + PERIOD;
	}
	/* However long a loaded machine stands still. */
	start = last + 100 * PERIOD;
	EQUAL(0, hft_arrive(t->h, id, start));
	EQUAL(HFT_STATE_PENDING, state_of(t, id).state);
	EQUAL(-EBUSY, hft_arrive(t->h, id, 0));
	CHECK(hft_wait(ring, patience()) > 0);
	/* The job before is at work: the next is held. */
	EQUAL(0, hft_arrive(t->h, id, 0));
	EQUAL(-EBUSY, hft_arrive(t->h, id, 0));
	EQUAL(-ETIMEDOUT, hft_wait(t->ring, start + 2 * PERIOD));
	EQUAL(start, take(t, ring, 1).release);
	event = take(t, ring, 1);
	CHECK(event.release >= start + PERIOD);
	CHECK(event.published >= event.release);
	EQUAL(-ETIMEDOUT, hft_wait(ring, 0));
	EQUAL(6, state_of(t, id).jobs);
	EQUAL(0, state_of(t, id).missed);
	EQUAL(0, hft_cancel(t->h, id));
	EQUAL(-ENOENT, hft_arrive(t->h, id, 0));
	hft_ring_close(ring);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
}

static void case_refusals_of_arrivals(struct test *t)
{
	struct hft_task task = make_task(t->ring, 1, DUE);
	struct hft_modify modify = { .fields = HFT_MODIFY_RELEASE, .release = HFT_TIME_MAX };
	uint64_t id, plain = submit_at(t, t->ring, 1, now(t) + 1000 * NSEC_PER_SEC);

	EQUAL(-EINVAL, hft_submit_sporadic(t->h, &task, 0, &id));
	EQUAL(-EINVAL, hft_submit_sporadic(t->h, &task, HFT_PERIOD_MIN - 1, &id));
	EQUAL(-EINVAL, hft_arrive(t->h, plain, 0));
	EQUAL(-ENOENT, hft_arrive(t->h, plain + 1, 0));
	EQUAL(0, hft_submit_sporadic(t->h, &task, PERIOD, &id));
	EQUAL(-EINVAL, hft_arrive(t->h, id, HFT_TIME_MAX + 1));
	modify.task = id;
	EQUAL(-EINVAL, hft_modify(t->h, &modify));
	modify.fields = HFT_MODIFY_PERIOD;
	modify.period = 2 * PERIOD;
	EQUAL(0, hft_modify(t->h, &modify));
	EQUAL(0, hft_cancel(t->h, id));
	EQUAL(0, hft_cancel(t->h, plain));
}

/* While it runs too long, nobody else looks: the notice comes all the same. */
static void case_miss_is_told(struct test *t)
{
	HFT_OPTS(hft_ring_opts, opts, .flags = HFT_RING_MONITOR);
	struct hft_task task = make_task(t->ring, 7, 0);
	struct hft_event event;
	struct hft_ring *monitor;
	uint64_t start, id;

	EQUAL(0, hft_ring_open(t->h, &opts, &monitor));
	task.flags = HFT_TASK_WATCH;
	task.deadline = 30 * NSEC_PER_MSEC;
	start = now(t);
	EQUAL(0, hft_submit_at(t->h, &task, start, &id));
	CHECK(hft_wait(t->ring, patience()) > 0);
	event = take(t, monitor, 7);
	EQUAL(HFT_EVENT_MISS, event.type);
	EQUAL(id, event.task);
	EQUAL(start, event.release);
	EQUAL(start + task.deadline, event.deadline);
	CHECK(event.irq_entry >= event.deadline);
	EQUAL(HFT_STATE_RUNNING, event.result);
	EQUAL(1, state_of(t, id).deadlines_missed);
	EQUAL(0, take(t, t->ring, 7).result);
	expect_outcome(t, id, HFT_STATE_DEADLINE_MISSED);
	expect_empty(t, monitor);
	hft_ring_close(monitor);
}

/* One that is done in time is no miss; one that missed is not started with DROP. */
static void case_drop(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 1, 1, HFT_POLICY_FIFO);
	struct hft_task task = make_task(ring, 1, now(t));
	uint64_t in_time, late;

	task.flags = HFT_TASK_WATCH | HFT_TASK_DROP;
	task.deadline = task.release + 1000 * NSEC_PER_SEC;
	in_time = submit(t, &task);
	task.cookie = 2;
	task.release -= 1000;
	task.deadline = task.release + 500;
	late = submit(t, &task);
	EQUAL(-ETIMEDOUT, hft_wait(t->ring, task.deadline + 2 * NSEC_PER_MSEC));
	EQUAL(0, take(t, ring, 1).result);
	EQUAL(-ETIME, take(t, ring, 2).result);
	expect_empty(t, ring);
	expect_outcome(t, in_time, HFT_STATE_COMPLETED);
	expect_outcome(t, late, HFT_STATE_DEADLINE_MISSED);
	EQUAL(1, stats_of(t, hft_ring_number(ring)).ended);
	hft_ring_close(ring);
}

/* A miss halts the handle, which stays so until it is re-armed. */
static void case_miss_halts(struct test *t)
{
	HFT_OPTS(hft_ring_opts, opts, .flags = HFT_RING_MONITOR);
	struct hft_task task = make_task(t->ring, 7, 0), plain = make_task(t->ring, 1, DUE);
	struct hft_event event;
	struct hft_ring *monitor;
	uint64_t id;

	EQUAL(0, hft_ring_open(t->h, &opts, &monitor));
	task.flags = HFT_TASK_WATCH | HFT_TASK_HALT;
	task.deadline = NSEC_PER_MSEC;
	EQUAL(0, hft_submit_at(t->h, &task, now(t), &id));
	EQUAL(HFT_EVENT_MISS, take(t, monitor, 7).type);
	event = take(t, monitor, 0);
	EQUAL(HFT_EVENT_HALT, event.type);
	EQUAL(HFT_HALT_REDUCE, event.result);
	EQUAL(id, event.task);
	take(t, t->ring, 7);
	submit(t, &plain);
	expect_empty(t, t->ring);
	plain.cookie = 2;
	plain.flags = HFT_TASK_REDUCE;
	submit(t, &plain);
	take(t, t->ring, 2);
	expect_empty(t, t->ring);
	EQUAL(0, hft_resume(t->h, 0));
	take(t, t->ring, 1);
	expect_empty(t, monitor);
	hft_ring_close(monitor);
}

/* The next signal of @set within @seconds, or -errno.  Work of an io_uring may interrupt it. */
static int await_signal(const sigset_t *set, siginfo_t *info, time_t seconds)
{
	const struct timespec timeout = { .tv_sec = seconds };
	int number;

	do {
		number = sigtimedwait(set, info, &timeout);
	} while (number < 0 && errno == EINTR);
	return number < 0 ? -errno : number;
}

/* @tid: 0: the process */
static void check_signal(struct test *t, int number, pid_t tid)
{
	HFT_OPTS(hft_ring_opts, opts, .flags = HFT_RING_MONITOR);
	struct hft_task task = make_task(t->ring, 7, 0);
	struct hft_ring *monitor;
	sigset_t set, saved;
	siginfo_t info = { 0 };

	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(SIG_BLOCK, &set, &saved);
	EQUAL(0, hft_ring_open(t->h, &opts, &monitor));
	EQUAL(0, hft_signal(t->h, number, tid));
	task.flags = HFT_TASK_WATCH | HFT_TASK_SIGNAL;
	task.deadline = NSEC_PER_MSEC;
	EQUAL(0, hft_submit_at(t->h, &task, hft_now(), NULL));
	EQUAL(number, await_signal(&set, &info, PATIENCE_NS / NSEC_PER_SEC));
	EQUAL(strcmp(t->backend, "soft") ? POLL_PRI : SI_SIGIO, info.si_code);
	CHECK(info.si_band & POLLPRI);
	take(t, monitor, 7);
	take(t, t->ring, 7);

	EQUAL(0, hft_signal(t->h, 0, 0));
	EQUAL(0, hft_submit_at(t->h, &task, hft_now(), NULL));
	take(t, monitor, 7);
	take(t, t->ring, 7);
	usleep(10000);
	EQUAL(-EAGAIN, await_signal(&set, &info, 0));
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	hft_ring_close(monitor);
}

static void case_miss_signals(struct test *t)
{
	check_signal(t, SIGRTMIN, 0);
	check_signal(t, SIGUSR2, gettid());
	EQUAL(-ESRCH, hft_signal(t->h, SIGUSR1, 0x3fffff));
}

static void case_refusals_of_signals(struct test *t)
{
	EQUAL(-EINVAL, hft_signal(t->h, -1, 0));
	EQUAL(-EINVAL, hft_signal(t->h, SIGRTMAX + 1, 0));
	EQUAL(-EINVAL, hft_signal(t->h, SIGUSR1, -1));
	EQUAL(0, hft_signal(t->h, SIGUSR1, 0));
	EQUAL(0, hft_signal(t->h, 0, 0));
}

static void case_halt(struct test *t)
{
	struct hft_task task = make_task(t->ring, 1, DUE);
	struct hft_halt halt;

	EQUAL(0, hft_halt(t->h, HFT_HALT_REDUCE, 0, &halt));
	EQUAL(0, halt.stopped);
	EQUAL(1, halt.rings);
	submit(t, &task);
	task.cookie = 2;
	task.flags = HFT_TASK_REDUCE;
	submit(t, &task);
	take(t, t->ring, 2);
	expect_empty(t, t->ring);

	EQUAL(0, hft_halt(t->h, HFT_HALT_ALL, 0, &halt));
	EQUAL(1, halt.stopped);
	task.cookie = 3;
	submit(t, &task);
	expect_empty(t, t->ring);
	EQUAL(2, stats_of(t, 0).ready);
	EQUAL(0, hft_resume(t->h, 0));
	take(t, t->ring, 1);
	take(t, t->ring, 3);

	EQUAL(0, hft_halt(t->h, HFT_HALT_ALL, 0, NULL));
	submit(t, &task);
	submit(t, &task);
	EQUAL(0, hft_halt(t->h, HFT_HALT_CANCEL, 0, &halt));
	EQUAL(2, halt.stopped);
	EQUAL(0, hft_resume(t->h, 0));
	expect_empty(t, t->ring);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
	EQUAL(-EINVAL, hft_halt(t->h, (enum hft_halt_mode)4, 0, NULL));
	EQUAL(-EINVAL, hft_halt(t->h, HFT_HALT_ALL, 1U << 31, NULL));
}

/* A ring that is opened meanwhile is halted as well. */
static void case_halt_of_new_rings(struct test *t)
{
	struct hft_ring *ring;

	EQUAL(0, hft_halt(t->h, HFT_HALT_ALL, 0, NULL));
	ring = open_ring(t, 4, 4, HFT_POLICY_FIFO);
	submit_at(t, ring, 1, DUE);
	expect_empty(t, ring);
	EQUAL(0, hft_resume(t->h, 0));
	take(t, ring, 1);
	hft_ring_close(ring);
}

#endif /* SELFTESTS_LIBHFT_CONFORMANCE_TASKS_H */
