// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* The schedule in the log: every task is there, with all that became of it, and its times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include <hft/pool.h>

#include "log_sched.h"

#define DUE		200
#define ROUNDS		8	/* the last has seconds */
#define FAR_NS		(3600000 * MS)

static void close_all(struct hft_log_reader *reader)
{
	hft_log_reader_close(reader);
	tree_remove(dir);
}

static uint64_t u_of(const struct hft_log_view *view, const char *name)
{
	const union hft_log_view_value *value = hft_log_view_find(view, name, NULL);

	assert_non_null(value);
	return value->u;
}

static bool is(const struct hft_log_view *view, const char *name)
{
	return !strcmp(view->site->name, name);
}

static void nothing_unless_wanted(void **state)
{
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	struct worked worked;
	uint64_t ids[TASKS];

	(void)state;
	assert_int_equal(hft_log_set_level(the_log, "sched", HFT_LOG_INFO), 0);
	start(&worked);
	submit(&worked, ids);
	stop(&worked);
	reader = reopen("sched,pool");
	assert_int_equal(hft_log_reader_next(reader, &view), 0);
	close_all(reader);
}

/* How far a task is, and when it came there. */
struct seen {
	uint64_t submitted;
	uint64_t released;
	uint64_t dispatched;
	uint64_t started;
	uint64_t ended;
	bool missed;
};

static void look(const struct hft_log_view *view, struct seen *seen, const uint64_t *ids)
{
	uint64_t cookie = u_of(view, "cookie"), at = u_of(view, "at");

	assert_true(cookie < TASKS);
	seen += cookie;
	assert_true(u_of(view, "task") == ids[cookie]);
	assert_int_equal(u_of(view, "level"), HFT_LEVEL_NORMAL);
	assert_true(at <= view->monotonic + 1000 * MS && view->monotonic <= at + PATIENCE_NS);
	if (is(view, "submit")) {
		assert_int_equal(seen->submitted, 0);
		assert_int_equal(u_of(view, "class"), cookie % 7);
		seen->submitted = at;
	} else if (is(view, "release")) {
		assert_int_equal(seen->released, 0);
		assert_true(at >= u_of(view, "release"));
		seen->released = at;
	} else if (is(view, "dispatch")) {
		seen->dispatched = at;
	} else if (is(view, "start")) {
		assert_int_equal(seen->started, 0);
		assert_true(at >= seen->dispatched && seen->dispatched >= u_of(view, "published"));
		seen->started = at;
	} else if (is(view, "end")) {
		assert_int_equal(seen->ended, 0);
		assert_true(at >= seen->started + 20000);
		seen->ended = at;
	} else {
		assert_string_equal(view->site->name, "miss");
		assert_true(at == seen->ended && at > u_of(view, "deadline"));
		seen->missed = true;
	}
}

static void tasks_are_logged(void **state)
{
	uint64_t ids[TASKS], far, cancelled = 0, halts = 0;
	struct seen seen[TASKS] = { 0 };
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	struct hft_task task = { 0 };
	struct worked worked;
	uint32_t i;

	(void)state;
	want("sched");
	start(&worked);
	submit(&worked, ids);
	task.ring = hft_ring_number(worked.ring);
	task.level = HFT_LEVEL_NORMAL;
	task.cookie = 4711;
	task.release = hft_now() + FAR_NS;
	assert_int_equal(hft_submit(worked.h, &task, &far), 0);
	assert_int_equal(hft_cancel(worked.h, far), 0);
	assert_int_equal(hft_cancel(worked.h, far), -ENOENT);
	wait_for_all(&worked);
	assert_int_equal(hft_halt(worked.h, HFT_HALT_ALL, 0, NULL), 0);
	assert_int_equal(hft_resume(worked.h, 0), 0);
	stop(&worked);

	reader = reopen("sched");
	while (hft_log_reader_next(reader, &view) == 1) {
		if (is(view, "cancel")) {
			assert_true(u_of(view, "task") == far);
			cancelled++;
		} else if (is(view, "halt")) {
			assert_int_equal(u_of(view, "mode"),
					 halts ? HFT_HALT_NONE : HFT_HALT_ALL);
			halts++;
		} else if (u_of(view, "cookie") != 4711) {
			look(view, seen, ids);
		}
	}
	assert_int_equal(cancelled, 1);
	assert_int_equal(halts, 2);
	for (i = 0; i < TASKS; i++) {
		assert_true(seen[i].submitted && seen[i].released && seen[i].started &&
			    seen[i].ended && seen[i].released <= seen[i].started);
		assert_int_equal(seen[i].missed, i % 2);
	}
	close_all(reader);
}

static void add_lost(void *lost, const struct hft_log_notice *notice)
{
	assert_int_equal(notice->kind, HFT_LOG_NOTICE_LOST);
	*(uint64_t *)lost += notice->lost;
}

/* Returns whether all of them were there before the first was due. */
static bool make_due(uint64_t after)
{
	HFT_OPTS(hft_opts, opts, .backend = "soft", .tasks = DUE);
	struct hft_task task = { .level = HFT_LEVEL_NORMAL, .release = hft_now() + after };
	struct hft_ring *ring;
	struct hft *h;
	bool in_time;
	uint32_t i;

	assert_int_equal(hft_open(&h, &opts), 0);
	assert_int_equal(hft_ring_open(h, NULL, &ring), 0);
	task.ring = hft_ring_number(ring);
	for (i = 0; i < DUE; i++)
		assert_int_equal(hft_submit(h, &task, NULL), 0);
	in_time = hft_now() < task.release;
	while (hft_now() < task.release)
		usleep(1000);
	assert_true(hft_wait(ring, 0) >= 0);
	hft_ring_close(ring);
	hft_close(h);
	return in_time;
}

/* Who finds more due than is kept for the log while a queue is locked tells how many. */
static void many_releases_are_counted(void **state)
{
	uint64_t lost = 0, released = 0;
	HFT_OPTS(hft_log_reader_opts, reading, .subsystems = "sched", .notice = add_lost,
		 .context = &lost);
	const char *path = dir;
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	unsigned int rounds = 0;

	(void)state;
	want("sched");
	while (!make_due((50 * MS) << rounds++))
		assert_true(rounds < ROUNDS);
	assert_int_equal(hft_log_close(the_log), 0);
	assert_int_equal(hft_log_reader_open(&reader, &path, 1, &reading), 0);
	while (hft_log_reader_next(reader, &view) == 1)
		released += is(view, "release");
	assert_true(released > 0 && lost > 0);
	assert_int_equal(released + lost, rounds * DUE);
	close_all(reader);
}

static const char *const sim_names[HFT_SIM_WHATS] = {
	[HFT_SIM_RELEASE] = "release", [HFT_SIM_DISPATCH] = "dispatch", [HFT_SIM_START] = "start",
	[HFT_SIM_PREEMPT] = "preempt", [HFT_SIM_RESUME] = "resume", [HFT_SIM_END] = "end",
	[HFT_SIM_MISS] = "miss", [HFT_SIM_CANCEL] = "cancel",
};

static void a_machine_is_logged(void **state)
{
	struct recorded recorded = { .nr = 0 };
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	uint32_t i, preempted = 0;

	(void)state;
	want("sched");
	run_machine(&recorded);
	reader = reopen("sched");
	for (i = 0; i < recorded.nr; i++) {
		const struct hft_sim_record *wanted = &recorded.records[i];

		assert_non_null(sim_names[wanted->what]);
		assert_int_equal(hft_log_reader_next(reader, &view), 1);
		assert_string_equal(view->site->name, sim_names[wanted->what]);
		assert_true(u_of(view, "at") == wanted->time);
		assert_true(u_of(view, "task") == wanted->task);
		preempted += wanted->what == HFT_SIM_PREEMPT;
		if (wanted->what == HFT_SIM_CANCEL)
			continue;
		assert_true(u_of(view, "cookie") == wanted->cookie);
		assert_int_equal(u_of(view, "cpu"), wanted->cpu);
		assert_int_equal(u_of(view, "ring"), wanted->ring);
	}
	assert_int_equal(hft_log_reader_next(reader, &view), 0);
	assert_int_equal(preempted, 1);
	close_all(reader);
}

static int64_t leaf(void *args)
{
	(void)args;
	hft_spin_until(hft_now() + 5000);
	return 0;
}

#define POOL_TASKS	200

static void pools_are_logged(void **state)
{
	uint64_t begun = 0, ended = 0, stolen = 0, running[2] = { 0 };
	HFT_OPTS(hft_pool_opts, opts, .workers = 2);
	HFT_OPTS(hft_pool_stats, stats);
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	struct hft_group group;
	struct hft_pool *pool;
	uint32_t i;

	(void)state;
	want("pool");
	assert_int_equal(hft_pool_open(&pool, &opts), 0);
	hft_group_init(&group, pool);
	for (i = 0; i < POOL_TASKS; i++)
		assert_int_equal(hft_group_spawn(&group, leaf, NULL, 0), 0);
	assert_int_equal(hft_group_wait(&group, HFT_WAIT_FOREVER), 0);
	assert_int_equal(hft_pool_stats(pool, HFT_POOL_ALL, &stats), 0);
	hft_pool_close(pool);

	reader = reopen("pool");
	while (hft_log_reader_next(reader, &view) == 1) {
		uint64_t worker = u_of(view, "worker");

		assert_true(worker < 2);
		if (is(view, "steal")) {
			assert_int_equal(u_of(view, "victim"), !worker);
			stolen++;
			continue;
		}
		assert_true(u_of(view, "fn") == (uintptr_t)leaf);
		/* Each ends before its worker's next begins. */
		if (is(view, "start")) {
			assert_int_equal(running[worker], 0);
			running[worker] = u_of(view, "at");
			begun++;
		} else {
			assert_true(running[worker] &&
				    u_of(view, "at") >= running[worker] + 5000);
			running[worker] = 0;
			ended++;
		}
	}
	assert_int_equal(begun, POOL_TASKS);
	assert_int_equal(ended, POOL_TASKS);
	assert_int_equal(stolen, stats.stolen);
	close_all(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_unless_wanted, begin),
		cmocka_unit_test_setup(tasks_are_logged, begin),
		cmocka_unit_test_setup(many_releases_are_counted, begin),
		cmocka_unit_test_setup(a_machine_is_logged, begin),
		cmocka_unit_test_setup(pools_are_logged, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
