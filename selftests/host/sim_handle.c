// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* A handle of a simulated machine: the library's calls in virtual time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hft/hft.h>
#include <hft/sim.h>

#include "core/sched.h"
#include "engine/internal.h"

#define MS	1000000ULL

struct test {
	struct hft *h;
	struct hft_ring *ring;
	struct hft_ring *monitor;
};

static void open_handle(struct test *t, const char *device)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = device, .tasks = 64);
	HFT_OPTS(hft_ring_opts, ring, .entries = 16);
	HFT_OPTS(hft_ring_opts, monitor, .flags = HFT_RING_MONITOR, .entries = 4);

	assert_int_equal(hft_open(&t->h, &opts), 0);
	assert_string_equal(hft_backend(t->h), "sim");
	assert_int_equal(hft_ring_open(t->h, &ring, &t->ring), 0);
	assert_int_equal(hft_ring_open(t->h, &monitor, &t->monitor), 0);
}

static void close_handle(struct test *t)
{
	hft_ring_close(t->monitor);
	hft_ring_close(t->ring);
	hft_close(t->h);
}

static uint64_t submit(const struct test *t, struct hft_task task)
{
	uint64_t id = 0;

	task.ring = hft_ring_number(t->ring);
	assert_int_equal(hft_submit(t->h, &task, &id), 0);
	return id;
}

/* The next event, which is at the ring at @published. */
static struct hft_event take(struct hft_ring *ring, uint64_t cookie, uint64_t published)
{
	const struct hft_event *event;
	struct hft_event copy;

	assert_true(hft_wait(ring, HFT_WAIT_FOREVER) > 0);
	event = hft_ring_peek(ring);
	assert_non_null(event);
	copy = *event;
	hft_ring_advance(ring);
	assert_int_equal(copy.cookie, cookie);
	assert_int_equal(copy.published, published);
	return copy;
}

static void test_time(void **state)
{
	struct test t;
	uint64_t begin;

	(void)state;
	open_handle(&t, "start_ns=5000,cpus=2");
	begin = hft_now();
	assert_int_equal(begin, 5000);
	assert_int_equal(hft_now(), begin);
	assert_int_equal(hft_spin_until(begin - 1), begin);
	assert_int_equal(hft_spin_until(begin + 3600000 * MS), begin + 3600000 * MS);
	begin = hft_now();
	submit(&t, (struct hft_task){ .cookie = 1, .release = begin + 1000 });
	assert_null(hft_ring_peek(t.ring));
	assert_int_equal(hft_wait(t.ring, begin + 999), -ETIMEDOUT);
	assert_int_equal(hft_now(), begin + 999);
	take(t.ring, 1, begin + 1000);
	assert_int_equal(hft_now(), begin + 1000);
	/* Nothing will ever come. */
	assert_int_equal(hft_wait(t.ring, HFT_WAIT_FOREVER), -EDEADLK);
	close_handle(&t);
	/* The real one again. */
	assert_true(hft_now() != begin + 1000);
}

static void test_options(void **state)
{
	static const char *const wrong[] = {
		"seed", "seed=", "seed=x", "cpus=4294967296", "cpus=1;", "seed=-1", "colour=1",
		"seed=1,,cpus=1", "vary_ppm=1000001",
	};
	struct hft *h;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		HFT_OPTS(hft_opts, opts, .backend = "sim", .device = wrong[i]);

		assert_int_equal(hft_open(&h, &opts), -EINVAL);
	}
}

struct body {
	uint64_t start[4];
	uint64_t end[4];
	unsigned int nr;
};

/* Executes for as long as it spins. */
static void run_body(const struct hft_event *event, uint64_t start, void *arg)
{
	struct body *body = arg;

	assert_int_equal(hft_now(), start);
	body->start[event->cookie] = start;
	body->end[event->cookie] = hft_spin_until(start + 500);
	assert_int_equal(hft_now(), start + 500);
	body->nr++;
}

static void test_worker(void **state)
{
	struct body body = { .nr = 0 };
	HFT_OPTS(hft_worker_opts, opts, .fn = run_body, .arg = &body);
	struct hft_worker *worker;
	struct test t;
	uint64_t begin;

	(void)state;
	open_handle(&t, NULL);
	begin = hft_now();
	submit(&t, (struct hft_task){ .cookie = 0, .release = 1 });
	assert_int_equal(hft_worker_start(t.ring, &opts, &worker), 0);
	submit(&t, (struct hft_task){ .cookie = 1, .release = begin + 300 });
	submit(&t, (struct hft_task){ .cookie = 2, .release = begin + 2000 });
	hft_spin_until(begin + 10000);
	assert_int_equal(hft_now(), begin + 10000);
	assert_int_equal(body.nr, 3);
	assert_int_equal(body.start[0], begin);
	assert_int_equal(body.start[1], begin + 500);
	assert_int_equal(body.end[1], begin + 1000);
	assert_int_equal(body.start[2], begin + 2000);
	assert_int_equal(hft_worker_stop(worker), 0);
	submit(&t, (struct hft_task){ .cookie = 3, .release = begin + 11000 });
	take(t.ring, 3, begin + 11000);
	assert_int_equal(body.nr, 3);
	close_handle(&t);
}

static void stop_ring(const struct hft_event *event, uint64_t start, void *arg)
{
	struct test *t = arg;

	assert_int_equal(start, event->release);
	if (event->cookie == 9)
		hft_ring_stop(t->ring);
}

static void test_run(void **state)
{
	struct test t;
	uint64_t i;

	(void)state;
	open_handle(&t, NULL);
	for (i = 0; i < 10; i++)
		submit(&t, (struct hft_task){ .cookie = i, .release = hft_now() + i * MS });
	assert_int_equal(hft_ring_run(t.ring, stop_ring, &t), 0);
	close_handle(&t);
}

/* What a miss says is in the monitor ring at the deadline, whatever the task is at. */
static void test_watch(void **state)
{
	struct hft_event event;
	struct test t;
	uint64_t begin, id;

	(void)state;
	open_handle(&t, NULL);
	begin = hft_now();
	id = submit(&t, (struct hft_task){ .cookie = 7, .release = begin + 100,
					   .deadline = begin + 400, .flags = HFT_TASK_WATCH });
	assert_true(hft_wait(t.ring, HFT_WAIT_FOREVER) > 0);
	event = take(t.monitor, 7, begin + 400);
	assert_int_equal(event.type, HFT_EVENT_MISS);
	assert_int_equal(event.task, id);
	assert_int_equal(event.result, HFT_STATE_RUNNING);
	take(t.ring, 7, begin + 100);
	/* Done in time: nothing is said. */
	submit(&t, (struct hft_task){ .cookie = 8, .release = begin + 500,
				      .deadline = begin + 600, .flags = HFT_TASK_WATCH });
	take(t.ring, 8, begin + 500);
	assert_int_equal(hft_wait(t.monitor, begin + 9999), -ETIMEDOUT);
	close_handle(&t);
}

/* A consumer that is busy from 100 to 350 us, in a period of 100 us. */
static void check_overruns(uint32_t flags, const uint64_t *releases, const int *results,
			   unsigned int nr)
{
	struct hft_event event;
	struct test t;
	uint64_t begin, id;
	unsigned int i;

	open_handle(&t, NULL);
	begin = hft_now();
	id = submit(&t, (struct hft_task){ .cookie = 1, .release = begin + 100000,
					   .period = 100000,
					   .flags = HFT_TASK_PERIODIC | flags });
	assert_true(hft_wait(t.ring, HFT_WAIT_FOREVER) > 0);
	hft_spin_until(begin + 350000);
	for (i = 0; i < nr; i++) {
		assert_true(hft_wait(t.ring, HFT_WAIT_FOREVER) > 0);
		event = *hft_ring_peek(t.ring);
		hft_ring_advance(t.ring);
		assert_int_equal(event.release, begin + releases[i]);
		assert_int_equal(event.result, results[i]);
	}
	assert_int_equal(hft_cancel(t.h, id), 0);
	assert_int_equal(hft_wait(t.ring, begin + 100 * MS), -ETIMEDOUT);
	close_handle(&t);
}

static void test_overruns(void **state)
{
	static const uint64_t skip[] = { 100000, 400000, 500000 };
	static const uint64_t catch_up[] = { 100000, 200000, 300000, 400000 };
	static const uint64_t coalesce[] = { 100000, 200000, 300000, 400000 };
	static const int skipped[] = { 0, 2, 0 }, none[] = { 0, 0, 0, 0 };

	(void)state;
	check_overruns(0, skip, skipped, 3);
	check_overruns(HFT_TASK_CATCH_UP, catch_up, none, 4);
	check_overruns(HFT_TASK_COALESCE, coalesce, none, 3);
}

static int command(struct test *t, unsigned int op, void *arg)
{
	return t->h->backend->command(t->h, op, arg);
}

static void test_halt(void **state)
{
	struct hft_halt halt = { .mode = HFT_HALT_ALL };
	struct test t;
	uint64_t begin;

	(void)state;
	open_handle(&t, NULL);
	begin = hft_now();
	submit(&t, (struct hft_task){ .cookie = 1, .release = begin + 100 });
	submit(&t, (struct hft_task){ .cookie = 2, .release = begin + 200,
				      .flags = HFT_TASK_REDUCE });
	assert_int_equal(command(&t, HFT_IOC_HALT, &halt), 0);
	assert_int_equal(halt.rings, 2);
	assert_int_equal(hft_wait(t.ring, begin + 1000), -ETIMEDOUT);
	halt.mode = HFT_HALT_REDUCE;
	assert_int_equal(command(&t, HFT_IOC_HALT, &halt), 0);
	take(t.ring, 2, begin + 1000);
	assert_int_equal(hft_wait(t.ring, begin + 2000), -ETIMEDOUT);
	halt.mode = HFT_HALT_NONE;
	assert_int_equal(command(&t, HFT_IOC_HALT, &halt), 0);
	take(t.ring, 1, begin + 2000);
	submit(&t, (struct hft_task){ .cookie = 3, .release = begin + 3000 });
	halt.mode = HFT_HALT_CANCEL;
	assert_int_equal(command(&t, HFT_IOC_HALT, &halt), 0);
	assert_int_equal(halt.stopped, 1);
	close_handle(&t);
}

static void test_modify(void **state)
{
	struct hft_modify modify = { .fields = HFT_MODIFY_RELEASE };
	struct hft_task_info info = { 0 };
	struct test t;
	uint64_t begin;

	(void)state;
	open_handle(&t, NULL);
	begin = hft_now();
	info.task = modify.task = submit(&t, (struct hft_task){ .cookie = 1,
								.release = begin + 100 });
	modify.release = begin + 700;
	assert_int_equal(command(&t, HFT_IOC_MODIFY, &modify), 0);
	assert_int_equal(command(&t, HFT_IOC_TASK, &info), 0);
	assert_int_equal(info.state, HFT_STATE_PENDING);
	assert_int_equal(info.release, begin + 700);
	take(t.ring, 1, begin + 700);
	assert_int_equal(command(&t, HFT_IOC_TASK, &info), -ENOENT);
	assert_int_equal(command(&t, HFT_IOC_MODIFY, &modify), -ENOENT);
	close_handle(&t);
}

/* What is refused is told what it would have brought the CPU to. */
static void test_admission(void **state)
{
	struct hft_task task = { .release = 1, .period = 100000, .wcet = 60000,
				 .flags = HFT_TASK_PERIODIC };
	struct test t;
	uint64_t id;

	(void)state;
	open_handle(&t, NULL);
	task.ring = hft_ring_number(t.ring);
	assert_int_equal(hft_submit(t.h, &task, NULL), 0);
	assert_int_equal(hft_submit(t.h, &task, &id), -EBUSY);
	assert_in_range(id, 1200000, 1200002);
	task.flags |= HFT_TASK_NO_ADMIT;
	assert_int_equal(hft_submit(t.h, &task, &id), 0);
	close_handle(&t);
}

/* Closed in the middle of things, in any order. */
static void test_close(void **state)
{
	struct body body = { .nr = 0 };
	HFT_OPTS(hft_worker_opts, opts, .fn = run_body, .arg = &body);
	struct hft_worker *worker;
	struct hft_sim_stats stats;
	struct test t;
	uint64_t begin;

	(void)state;
	open_handle(&t, NULL);
	begin = hft_now();
	assert_int_equal(hft_worker_start(t.ring, &opts, &worker), 0);
	submit(&t, (struct hft_task){ .cookie = 0, .release = begin + 100 });
	submit(&t, (struct hft_task){ .cookie = 1, .release = begin + 100 });
	submit(&t, (struct hft_task){ .cookie = 2, .release = begin + 9100 });
	hft_spin_until(begin + 200);
	assert_int_equal(hft_sim_stats(hft_sim_of(t.h), 0, &stats), 0);
	assert_int_equal(stats.pending, 3);
	hft_close(t.h);
	assert_int_equal(hft_wait(t.monitor, 0), -ESHUTDOWN);
	assert_int_equal(hft_worker_stop(worker), 0);
	hft_ring_close(t.ring);
	hft_ring_close(t.monitor);
	assert_int_equal(body.nr, 1);
}

#define CROWD	40	/* rings */
#define DEPTH	200	/* tasks of each */

static uint32_t tasks_free(struct hft *h)
{
	struct hft_stats stats;

	assert_int_equal(hft_stats(h, HFT_STATS_CONTEXT, &stats), 0);
	return stats.tasks_free;
}

/* One interrupt notices the end of some tasks of many rings, and the consumers the rest. */
static void test_many_ends(void **state)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = "cpus=1",
		 .tasks = CROWD * (DEPTH + 2));
	HFT_OPTS(hft_ring_opts, ring, .entries = 256);
	struct hft_ring *rings[CROWD];
	struct hft_task task = { .flags = HFT_TASK_TRACK };
	uint64_t later;
	struct hft *h;
	uint32_t i, n;

	(void)state;
	assert_int_equal(hft_open(&h, &opts), 0);
	later = hft_now() + MS;
	for (i = 0; i < CROWD; i++) {
		assert_int_equal(hft_ring_open(h, &ring, &rings[i]), 0);
		task.ring = hft_ring_number(rings[i]);
		task.flags = HFT_TASK_PERIODIC;
		task.period = MS;
		task.release = 1;
		assert_int_equal(hft_submit(h, &task, NULL), 0);
		task.flags = HFT_TASK_TRACK;
		task.period = 0;
		for (n = 0; n < DEPTH; n++)
			assert_int_equal(hft_submit(h, &task, NULL), 0);
		task.release = later;
		assert_int_equal(hft_submit(h, &task, NULL), 0);
		while (hft_ring_peek(rings[i]))
			hft_ring_advance(rings[i]);
	}
	assert_int_equal(tasks_free(h), 0);
	assert_int_equal(hft_sim_run_until(hft_sim_of(h), later + MS / 2), 0);
	n = tasks_free(h);
	assert_true(n > 0);
	assert_true(n <= 4 * HFT_MAX_TRACKED);
	for (i = 0; i < CROWD; i++) {
		while (hft_wait(rings[i], 0) > 0)
			hft_ring_advance(rings[i]);
	}
	assert_int_equal(tasks_free(h), CROWD * (DEPTH + 1));
	for (i = 0; i < CROWD; i++)
		hft_ring_close(rings[i]);
	hft_close(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_worker),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_overruns),
		cmocka_unit_test(test_halt),
		cmocka_unit_test(test_modify),
		cmocka_unit_test(test_admission),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_many_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
