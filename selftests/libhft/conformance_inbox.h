/* SPDX-License-Identifier: GPL-2.0-only */
/* Tasks that are submitted to a worker of this process and stay in it. */
#ifndef SELFTESTS_LIBHFT_CONFORMANCE_INBOX_H
#define SELFTESTS_LIBHFT_CONFORMANCE_INBOX_H

#include "conformance.h"

static void submit_now(struct test *t, struct hft_ring *ring, uint64_t cookie, uint8_t level)
{
	struct hft_task task = { .cookie = cookie, .level = level };

	EQUAL(0, hft_submit_now(ring, &task));
}

static struct hft_inbox_stats inbox_of(struct test *t, const struct hft_ring *ring)
{
	HFT_OPTS(hft_inbox_stats, stats);

	EQUAL(0, hft_inbox_stats(ring, &stats));
	return stats;
}

static void case_inbox_events_say_it_all(struct test *t)
{
	struct hft_task task = { .cookie = 42, .level = HFT_LEVEL_HIGH, .deadline = NSEC_PER_SEC };
	uint64_t before = now(t);
	struct hft_event event;
	struct hft_inbox_stats stats;

	EQUAL(0, hft_submit_now(t->ring, &task));
	stats = inbox_of(t, t->ring);
	EQUAL(256, stats.entries);
	EQUAL(1, stats.waiting);
	EQUAL(1, hft_wait(t->ring, 0));
	event = take(t, t->ring, 42);
	EQUAL(0, event.task);
	CHECK(event.release + 1000 >= before);
	EQUAL(event.release + NSEC_PER_SEC, event.deadline);
	EQUAL(event.release, event.irq_entry);
	EQUAL(event.release, event.published);
	EQUAL(0, event.sequence);
	EQUAL(0, event.result);
	EQUAL(HFT_EVENT_TASK, event.type);
	EQUAL(HFT_CLOCK_MONOTONIC, event.clock);
	EQUAL(HFT_LEVEL_HIGH, event.level);
	submit_now(t, t->ring, 43, HFT_LEVEL_LOW);
	EQUAL(1, take(t, t->ring, 43).sequence);
	expect_empty(t, t->ring);
	stats = inbox_of(t, t->ring);
	EQUAL(2, stats.submitted);
	EQUAL(2, stats.taken);
	EQUAL(0, stats.waiting + stats.cancelled + stats.refused + stats.passed_on);
}

static void case_inbox_refusals(struct test *t)
{
	static const struct hft_task rows[] = {
		{ .level = HFT_LEVELS },
		{ .level = HFT_LEVEL_IDLE },
		{ .level = HFT_LEVEL_HIGH, .flags = HFT_TASK_TRACK },
		{ .level = HFT_LEVEL_HIGH, .flags = HFT_TASK_PERIODIC, .period = NSEC_PER_SEC },
		{ .level = HFT_LEVEL_HIGH, .flags = 1U << 31 },
		{ .level = HFT_LEVEL_HIGH, .deadline = HFT_TIME_MAX + 1 },
		{ .level = HFT_LEVEL_HIGH, .period = HFT_TIME_MAX + 1 },
		{ .level = HFT_LEVEL_HIGH, .wcet = HFT_TIME_MAX + 1 },
		{ .level = HFT_LEVEL_HIGH, .reserved1 = 1 },
		{ .level = HFT_LEVEL_HIGH, .reserved2 = 1 },
	};
	HFT_OPTS(hft_ring_opts, opts, .level_mask = 1U << HFT_LEVEL_HIGH, .inbox = 3);
	HFT_OPTS(hft_ring_opts, monitor, .flags = HFT_RING_MONITOR);
	struct hft_task good = { .level = HFT_LEVEL_HIGH };
	HFT_OPTS(hft_inbox_stats, stats);
	struct hft_ring *ring;
	size_t i;

	EQUAL(-EINVAL, hft_ring_open(t->h, &opts, &ring));
	opts.inbox = 1U << 20;
	EQUAL(-EINVAL, hft_ring_open(t->h, &opts, &ring));
	opts.inbox = 1;
	EQUAL(0, hft_ring_open(t->h, &opts, &ring));
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!EQUAL(-EINVAL, hft_submit_now(ring, &rows[i])))
			printf("# row %zu\n", i);
	}
	expect_empty(t, ring);
	EQUAL(0, hft_submit_now(ring, &good));
	take(t, ring, 0);
	hft_ring_close(ring);

	EQUAL(0, hft_ring_open(t->h, &monitor, &ring));
	EQUAL(-EINVAL, hft_submit_now(ring, &good));
	EQUAL(-EINVAL, hft_inbox_stats(ring, &stats));
	hft_ring_close(ring);
	stats.sz = 0;
	EQUAL(-EINVAL, hft_inbox_stats(t->ring, &stats));
}

static void case_inbox_of_closed_handle(struct test *t)
{
	struct hft_task task = { .level = HFT_LEVEL_HIGH };

	submit_now(t, t->ring, 1, HFT_LEVEL_HIGH);
	hft_close(t->h);
	t->h = NULL;
	EQUAL(-ENOENT, hft_submit_now(t->ring, &task));
	EQUAL(-ESHUTDOWN, hft_wait(t->ring, HFT_WAIT_FOREVER));
	CHECK(!hft_ring_peek(t->ring));
}

/* What is submitted next is submitted later, by virtual clocks too. */
static void let_time_pass(void)
{
	hft_spin_until(hft_now() + NSEC_PER_USEC);
}

/* The better of the ring's next event and the inbox */
static void case_inbox_and_ring(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 8, 8, HFT_POLICY_EDF);
	struct hft_task task = make_task(t->ring, 1, DUE);
	uint64_t start;

	submit(t, &task);
	let_time_pass();
	submit_now(t, t->ring, 2, HFT_LEVEL_NORMAL);
	let_time_pass();
	task.cookie = 3;
	submit(t, &task);
	submit_now(t, t->ring, 4, HFT_LEVEL_LOW);
	submit_now(t, t->ring, 5, HFT_LEVEL_CRITICAL);
	EQUAL(5, hft_wait(t->ring, 0));
	take(t, t->ring, 5);
	take(t, t->ring, 1);
	take(t, t->ring, 2);
	take(t, t->ring, 3);
	take(t, t->ring, 4);
	expect_empty(t, t->ring);

	start = now(t);
	task = make_task(ring, 1, start);
	task.deadline = start + 50 * NSEC_PER_SEC;
	submit(t, &task);
	task.deadline = 1000 * NSEC_PER_SEC;
	task.cookie = 2;
	EQUAL(0, hft_submit_now(ring, &task));
	task.deadline = NSEC_PER_SEC / 1000;
	task.cookie = 3;
	EQUAL(0, hft_submit_now(ring, &task));
	take(t, ring, 3);
	take(t, ring, 1);
	take(t, ring, 2);
	expect_empty(t, ring);
	hft_ring_close(ring);
}

/* What was returned stays until it is done with, whatever comes meanwhile. */
static void case_inbox_task_stays(struct test *t)
{
	const struct hft_event *event;

	submit_now(t, t->ring, 1, HFT_LEVEL_LOW);
	event = hft_ring_peek(t->ring);
	CHECK(event && event->cookie == 1);
	submit_now(t, t->ring, 2, HFT_LEVEL_CRITICAL);
	submit_at(t, t->ring, 3, DUE);
	CHECK(hft_ring_peek(t->ring) == event);
	EQUAL(3, hft_wait(t->ring, 0));
	take(t, t->ring, 1);
	take(t, t->ring, 2);
	take(t, t->ring, 3);
	expect_empty(t, t->ring);
}

/* Immediate tasks do not keep those away that wait for room in the ring. */
static void case_inbox_and_full_ring(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 1, 1, HFT_POLICY_FIFO);
	struct hft_task task = make_task(ring, 1, DUE);
	int i;

	submit(t, &task);
	task.cookie = 2;
	task.level = HFT_LEVEL_CRITICAL;
	submit(t, &task);
	for (i = 0; i < 3; i++)
		submit_now(t, ring, 3, HFT_LEVEL_LOW);
	take(t, ring, 1);
	take(t, ring, 2);
	for (i = 0; i < 3; i++)
		take(t, ring, 3);
	expect_empty(t, ring);
	hft_ring_close(ring);
}

static void case_inbox_full(struct test *t)
{
	HFT_OPTS(hft_ring_opts, opts, .inbox = 4);
	struct hft_task task = { .level = HFT_LEVEL_CRITICAL, .cookie = 9 };
	struct hft_ring *ring;
	uint64_t i, lap;

	EQUAL(0, hft_ring_open(t->h, &opts, &ring));
	for (lap = 0; lap < 5; lap++) {
		for (i = 0; i < 4; i++)
			submit_now(t, ring, i, (uint8_t)(HFT_LEVEL_NORMAL + i % 2));
		EQUAL(-EAGAIN, hft_submit_now(ring, &task));
		take(t, ring, 1);
		EQUAL(0, hft_submit_now(ring, &task));
		EQUAL(-EAGAIN, hft_submit_now(ring, &task));
		take(t, ring, 9);
		take(t, ring, 3);
		take(t, ring, 0);
		take(t, ring, 2);
		expect_empty(t, ring);
	}
	EQUAL(10, inbox_of(t, ring).refused);
	EQUAL(25, inbox_of(t, ring).taken);
	hft_ring_close(ring);
}

static void case_inbox_halt(struct test *t)
{
	struct hft_task reduce = { .level = HFT_LEVEL_LOW, .flags = HFT_TASK_REDUCE };
	struct hft_halt halt;
	int i;

	submit_now(t, t->ring, 1, HFT_LEVEL_HIGH);
	EQUAL(0, hft_halt(t->h, HFT_HALT_REDUCE, 0, &halt));
	EQUAL(1, halt.stopped);
	expect_empty(t, t->ring);
	reduce.cookie = 2;
	EQUAL(0, hft_submit_now(t->ring, &reduce));
	take(t, t->ring, 2);
	expect_empty(t, t->ring);

	EQUAL(0, hft_halt(t->h, HFT_HALT_ALL, 0, &halt));
	EQUAL(1, halt.stopped);
	reduce.cookie = 3;
	EQUAL(0, hft_submit_now(t->ring, &reduce));
	expect_empty(t, t->ring);
	EQUAL(2, inbox_of(t, t->ring).waiting);
	EQUAL(0, hft_resume(t->h, 0));
	take(t, t->ring, 1);
	take(t, t->ring, 3);
	expect_empty(t, t->ring);

	for (i = 0; i < 3; i++)
		submit_now(t, t->ring, 4, HFT_LEVEL_HIGH);
	CHECK(hft_ring_peek(t->ring));
	EQUAL(0, hft_submit_now(t->ring, &reduce));
	EQUAL(0, hft_halt(t->h, HFT_HALT_CANCEL, 0, &halt));
	EQUAL(3, halt.stopped);
	EQUAL(0, hft_halt(t->h, HFT_HALT_CANCEL, 0, &halt));
	EQUAL(0, halt.stopped);
	submit_now(t, t->ring, 5, HFT_LEVEL_HIGH);
	EQUAL(0, hft_resume(t->h, 0));
	/* The worker was at it. */
	take(t, t->ring, 4);
	take(t, t->ring, 5);
	expect_empty(t, t->ring);
	EQUAL(3, inbox_of(t, t->ring).cancelled);
	EQUAL(0, inbox_of(t, t->ring).waiting);
}

/* Sleepers, pollers and crowds */

static void case_inbox_wakes_sleeper(struct test *t)
{
	struct sleeper s;

	start_sleeper(t, &s, t->ring);
	EQUAL(RUNNING, atomic_load(&s.ret));
	submit_now(t, t->ring, 1, HFT_LEVEL_NORMAL);
	EQUAL(1, join_sleeper(&s));
	take(t, t->ring, 1);
	EQUAL(1, inbox_of(t, t->ring).wakeups);
	/* Nothing is left of the wake-up. */
	EQUAL(-ETIMEDOUT, hft_wait(t->ring, hft_now() + NSEC_PER_MSEC));
}

/* Each task finds the worker in another moment of going to sleep. */
#define TURNS		2000

static void *answer(void *arg)
{
	struct crowd *crowd = arg;
	struct test *t = crowd->t;
	uint64_t i;

	for (i = 0; i < TURNS; i++) {
		take(t, t->ring, i);
		atomic_store(&crowd->next, (int)i + 1);
	}
	return NULL;
}

static void check_turns(struct test *t)
{
	struct crowd crowd = { .t = t };
	uint64_t end, i;
	pthread_t thread;

	EQUAL(0, pthread_create(&thread, NULL, answer, &crowd));
	for (i = 0; i < TURNS && !t->failed; i++) {
		submit_now(t, t->ring, i, HFT_LEVEL_NORMAL);
		end = patience();
		while (atomic_load(&crowd.next) != (int)i + 1 && hft_now() < end)
			sched_yield();
		/* From 0 to 30 us */
		hft_spin_until(hft_now() + i * 37 % 30000);
	}
	EQUAL(TURNS, atomic_load(&crowd.next));
	pthread_join(thread, NULL);
}

static void case_inbox_turns(struct test *t)
{
	check_turns(t);
}

static void case_inbox_turns_spinning(struct test *t)
{
	HFT_OPTS(hft_ring_opts, opts, .spin_ns = 15 * NSEC_PER_USEC);
	struct hft_ring *ring, *saved = t->ring;

	EQUAL(0, hft_ring_open(t->h, &opts, &ring));
	t->ring = ring;
	check_turns(t);
	t->ring = saved;
	hft_ring_close(ring);
}

static void case_inbox_poll(struct test *t)
{
	struct pollfd pfd = { .fd = hft_ring_fd(t->ring), .events = POLLIN };

	CHECK(!hft_ring_arm(t->ring));
	submit_now(t, t->ring, 1, HFT_LEVEL_NORMAL);
	EQUAL(1, poll(&pfd, 1, 20000));
	CHECK(take(t, t->ring, 1).task);
	submit_now(t, t->ring, 2, HFT_LEVEL_NORMAL);
	CHECK(hft_ring_arm(t->ring));
	EQUAL(0, take(t, t->ring, 2).task);
	CHECK(!hft_ring_arm(t->ring));
	submit_at(t, t->ring, 3, DUE);
	EQUAL(1, poll(&pfd, 1, 20000));
	take(t, t->ring, 3);
	EQUAL(1, inbox_of(t, t->ring).passed_on);
}

struct inbox_crowd {
	struct test *t;
	struct hft_ring *ring;
	uint64_t number;
	atomic_bool *stop;
	uint64_t refused;
};

#define OF_EACH		4000ULL

static void *crowd_inbox(void *arg)
{
	struct inbox_crowd *crowd = arg;
	uint64_t i;

	for (i = 0; i < OF_EACH; i++) {
		struct hft_task task = {
			.cookie = crowd->number * OF_EACH + i,
			.level = HFT_LEVEL_NORMAL,
		};
		int ret;

		while ((ret = hft_submit_now(crowd->ring, &task)) == -EAGAIN) {
			crowd->refused++;
			sched_yield();
		}
		check_equal(crowd->t, 0, ret, "hft_submit_now()", __LINE__);
	}
	return NULL;
}

/* Each once, and those of a thread in their order */
static void case_inbox_crowd(struct test *t)
{
	HFT_OPTS(hft_ring_opts, opts, .inbox = 16, .spin_ns = 20 * NSEC_PER_USEC);
	struct inbox_crowd crowd[CROWD];
	uint64_t next[CROWD] = { 0 };
	pthread_t threads[CROWD];
	uint64_t refused = 0;
	struct hft_ring *ring;
	int i, k;

	EQUAL(0, hft_ring_open(t->h, &opts, &ring));
	for (i = 0; i < CROWD; i++) {
		crowd[i] = (struct inbox_crowd){ .t = t, .ring = ring, .number = (uint64_t)i };
		EQUAL(0, pthread_create(&threads[i], NULL, crowd_inbox, &crowd[i]));
	}
	for (k = 0; k < CROWD * (int)OF_EACH && !t->failed; k++) {
		const struct hft_event *event;

		CHECK(hft_wait(ring, patience()) > 0);
		event = hft_ring_peek(ring);
		if (!CHECK(event && event->cookie < CROWD * OF_EACH))
			break;
		EQUAL(next[event->cookie / OF_EACH]++, event->cookie % OF_EACH);
		hft_ring_advance(ring);
	}
	for (i = 0; i < CROWD; i++) {
		pthread_join(threads[i], NULL);
		refused += crowd[i].refused;
		EQUAL(OF_EACH, next[i]);
	}
	expect_empty(t, ring);
	EQUAL(CROWD * OF_EACH, inbox_of(t, ring).taken);
	EQUAL(refused, inbox_of(t, ring).refused);
	hft_ring_close(ring);
}

static void *submit_until_stop(void *arg)
{
	struct inbox_crowd *crowd = arg;
	struct hft_task task = { .level = HFT_LEVEL_NORMAL };

	while (!atomic_load(crowd->stop)) {
		if (hft_submit_now(crowd->ring, &task))
			sched_yield();
	}
	return NULL;
}

struct last {
	_Atomic uint64_t start;
	_Atomic uint64_t runs;
};

static void note_start(const struct hft_event *event, uint64_t start, void *arg)
{
	struct last *last = arg;

	(void)event;
	atomic_store(&last->start, start);
	atomic_fetch_add(&last->runs, 1);
}

/* No task starts after a halt has returned. */
static void case_inbox_halt_races(struct test *t)
{
	HFT_OPTS(hft_ring_opts, ring_opts, .spin_ns = HFT_SPIN_FOREVER);
	struct last last = { 0 };
	HFT_OPTS(hft_worker_opts, opts, .fn = note_start, .arg = &last,
		 .flags = HFT_WORKER_NO_RT | HFT_WORKER_NO_LOCK);
	atomic_bool stop = false;
	struct inbox_crowd crowd = { .t = t, .stop = &stop };
	struct hft_worker *worker;
	uint64_t returned, runs, end = patience();
	pthread_t thread;
	int i;

	EQUAL(0, hft_ring_open(t->h, &ring_opts, &crowd.ring));
	EQUAL(0, hft_worker_start(crowd.ring, &opts, &worker));
	EQUAL(0, pthread_create(&thread, NULL, submit_until_stop, &crowd));
	for (i = 0; i < 100 && hft_now() < end; i++) {
		EQUAL(0, hft_halt(t->h, i % 3 ? HFT_HALT_ALL : HFT_HALT_CANCEL, 0, NULL));
		returned = hft_now();
		usleep(200);
		/* By clocks of two CPUs */
		CHECK(atomic_load(&last.start) < returned + NSEC_PER_USEC);
		runs = atomic_load(&last.runs);
		EQUAL(0, hft_resume(t->h, 0));
		while (atomic_load(&last.runs) == runs && hft_now() < end)
			usleep(50);
	}
	CHECK(atomic_load(&last.runs) > 0);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	EQUAL(0, hft_worker_stop(worker));
	hft_ring_close(crowd.ring);
}

/* A worker that sleeps while it is halted runs what waits when it no longer is. */
static void case_inbox_resume_wakes(struct test *t)
{
	struct sleeper s;

	EQUAL(0, hft_halt(t->h, HFT_HALT_ALL, 0, NULL));
	submit_now(t, t->ring, 1, HFT_LEVEL_NORMAL);
	start_sleeper(t, &s, t->ring);
	EQUAL(RUNNING, atomic_load(&s.ret));
	EQUAL(0, hft_resume(t->h, 0));
	EQUAL(1, join_sleeper(&s));
	take(t, t->ring, 1);
}

static void case_inbox_worker(struct test *t)
{
	atomic_int runs = 0;
	HFT_OPTS(hft_worker_opts, opts, .fn = atomic_body, .arg = &runs,
		 .flags = HFT_WORKER_NO_RT | HFT_WORKER_NO_LOCK);
	uint64_t end = patience(), i;
	struct hft_worker *worker;

	EQUAL(0, hft_worker_start(t->ring, &opts, &worker));
	for (i = 0; i < TASKS / 2; i++) {
		submit_at(t, t->ring, i, hft_now() + i * 200 * NSEC_PER_USEC);
		submit_now(t, t->ring, i, HFT_LEVEL_NORMAL);
		if (i % 4 == 3)
			usleep(300);
	}
	while (atomic_load(&runs) < TASKS && hft_now() < end)
		usleep(1000);
	EQUAL(TASKS, atomic_load(&runs));
	EQUAL(0, hft_worker_stop(worker));
	expect_empty(t, t->ring);
}

static void case_inbox_fork(struct test *t)
{
	struct hft_task task = { .level = HFT_LEVEL_NORMAL };
	int status = 0;
	pid_t child;

	submit_now(t, t->ring, 1, HFT_LEVEL_NORMAL);
	child = fork();
	if (!child)
		_exit(hft_submit_now(t->ring, &task) == -EOWNERDEAD ? 0 : 1);
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	EQUAL(0, status);
	take(t, t->ring, 1);
	expect_empty(t, t->ring);
}

#endif /* SELFTESTS_LIBHFT_CONFORMANCE_INBOX_H */
