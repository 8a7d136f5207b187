// SPDX-License-Identifier: GPL-2.0-only
/* Tasks with deadlines: in their order, each once, and late ones are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <hft/hft.h>
#include <hft/pool.h>

#include "gate.h"
#include "pool/internal.h"
#include "random.h"

#define MSEC		1000000ULL
#define PATIENCE	(60000 * MSEC)
#define HOUR		(3600000 * MSEC)
#define WORKERS		3
#define TASKS		500
#define ROUNDS		20

#ifdef __SANITIZE_THREAD__
#define MANY		4000
#else
#define MANY		20000
#endif

static struct hft_pool *pool;

static uint64_t soon(void)
{
	return hft_now() + PATIENCE;
}

static int open_pool(uint32_t workers)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = workers, .flags = HFT_POOL_UNPINNED);

	return hft_pool_open(&pool, &opts);
}

static int set_up(void **state)
{
	(void)state;
	return open_pool(WORKERS);
}

static int set_up_one(void **state)
{
	(void)state;
	return open_pool(1);
}

static int tear_down(void **state)
{
	(void)state;
	hft_pool_close(pool);
	return 0;
}

/* What a task is expected by: @nr counts up as they are spawned. */
struct task {
	uint32_t level;
	uint64_t deadline;
	unsigned int nr;
};

static struct {
	atomic_uint nr;
	struct task tasks[TASKS];
} seen;

static int64_t see(void *args)
{
	seen.tasks[atomic_fetch_add(&seen.nr, 1)] = *(struct task *)args;
	return 0;
}

static uint64_t order_of(uint64_t deadline)
{
	return deadline ? deadline : UINT64_MAX;
}

/* The order that is asked for; who has no deadline is in the deque, newest first. */
static int compare(const void *a, const void *b)
{
	const struct task *x = a, *y = b;

	if (x->level != y->level)
		return x->level < y->level ? 1 : -1;
	if (order_of(x->deadline) != order_of(y->deadline))
		return order_of(x->deadline) < order_of(y->deadline) ? -1 : 1;
	return x->nr < y->nr ? -1 : 1;
}

/* What comes from outside is the oldest first. */
static void in_the_order_of_an_oracle(uint64_t *random, uint32_t worker)
{
	struct task tasks[TASKS];
	struct hft_group group;
	struct gate gate = {};
	unsigned int i;

	hft_group_init(&group, pool);
	atomic_store(&seen.nr, 0);
	close_gate(&gate, &group, 1);
	for (i = 0; i < TASKS; i++) {
		uint64_t deadline = random_below(random, 4) ?
				    hft_now() + HOUR + random_below(random, TASKS) : 0;
		HFT_OPTS(hft_spawn_opts, opts, .group = &group, .worker = worker);

		tasks[i] = (struct task){ random_below(random, HFT_LEVELS), deadline, i };
		opts.level = 1 + tasks[i].level;
		opts.deadline = deadline;
		assert_int_equal(hft_spawn_opts(pool, see, &tasks[i], sizeof(tasks[i]), &opts,
						NULL), 0);
	}
	atomic_store(&gate.open, true);
	assert_int_equal(hft_group_wait(&group, soon()), 0);
	assert_int_equal(seen.nr, TASKS);
	qsort(tasks, TASKS, sizeof(*tasks), compare);
	for (i = 0; i < TASKS; i++)
		assert_int_equal(seen.tasks[i].nr, tasks[i].nr);
}

static void the_earliest_deadline_of_the_highest_level_first(void **state)
{
	uint64_t random = 7;
	unsigned int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++)
		in_the_order_of_an_oracle(&random, i % 2);
}

static int64_t count(void *args)
{
	atomic_fetch_add(*(atomic_uint **)args, 1);
	return 0;
}

struct spawner {
	struct hft_group *group;
	atomic_uint *times;
	uint64_t random;
	unsigned int nr;
	int err;
};

static void spawn_some(struct spawner *spawner)
{
	unsigned int i;

	for (i = 0; i < spawner->nr && !spawner->err; i++) {
		HFT_OPTS(hft_spawn_opts, opts, .group = spawner->group);
		atomic_uint *times = &spawner->times[i];

		opts.level = random_below(&spawner->random, 1 + HFT_LEVELS);
		opts.deadline = random_below(&spawner->random, 2) * hft_now();
		opts.worker = random_below(&spawner->random, 1 + WORKERS);
		spawner->err = hft_spawn_opts(pool, count, &times, sizeof(times), &opts, NULL);
	}
}

static void *spawn_from_thread(void *arg)
{
	spawn_some(arg);
	return NULL;
}

static int64_t spawn_from_task(void *args)
{
	struct spawner *spawner = *(struct spawner **)args;

	spawn_some(spawner);
	return spawner->err;
}

/* Two threads and two tasks spawn at a time, while workers sleep and wake. */
static void each_runs_once(void **state)
{
	atomic_uint *times = calloc(MANY, sizeof(*times));
	struct spawner spawners[4];
	struct hft_group group;
	pthread_t threads[2];
	unsigned int i;

	(void)state;
	hft_group_init(&group, pool);
	for (i = 0; i < 4; i++) {
		struct spawner *spawner = &spawners[i];

		*spawner = (struct spawner){ &group, times + i * (MANY / 4), i + 1, MANY / 4, 0 };
		if (i < 2)
			assert_int_equal(pthread_create(&threads[i], NULL, spawn_from_thread,
							spawner), 0);
		else
			assert_int_equal(hft_group_spawn(&group, spawn_from_task, &spawner,
							 sizeof(spawner)), 0);
	}
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(hft_group_wait(&group, soon()), 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(spawners[i].err, 0);
	for (i = 0; i < MANY; i++)
		assert_int_equal(times[i], 1);
	free(times);
}

/* With pauses: each is woken for each, whosever it is. */
static void none_is_slept_over(void **state)
{
	uint64_t random = 3;
	unsigned int i;

	(void)state;
	for (i = 0; i < 300; i++) {
		HFT_OPTS(hft_spawn_opts, opts, .deadline = soon());
		atomic_uint times = 0, *args = &times;
		struct hft_handle handle;

		opts.worker = random_below(&random, 1 + WORKERS);
		assert_int_equal(hft_spawn_opts(pool, count, &args, sizeof(args), &opts, &handle),
				 0);
		assert_int_equal(hft_join(&handle, soon(), NULL), 0);
		assert_int_equal(times, 1);
		usleep(random_below(&random, 300));
	}
}

static int64_t nothing(void *args)
{
	(void)args;
	return 0;
}

static void late_ones_are_counted(void **state)
{
	HFT_OPTS(hft_spawn_opts, late, .deadline = 1);
	HFT_OPTS(hft_spawn_opts, early, .deadline = soon());
	HFT_OPTS(hft_spawn_opts, ever);
	HFT_OPTS(hft_pool_stats, stats);
	struct hft_group group;
	unsigned int i;

	(void)state;
	hft_group_init(&group, pool);
	late.group = early.group = ever.group = &group;
	for (i = 0; i < 10; i++) {
		assert_int_equal(hft_spawn_opts(pool, nothing, NULL, 0, &late, NULL), 0);
		assert_int_equal(hft_spawn_opts(pool, nothing, NULL, 0, &early, NULL), 0);
		assert_int_equal(hft_spawn_opts(pool, nothing, NULL, 0, &ever, NULL), 0);
	}
	assert_int_equal(hft_group_wait(&group, soon()), 0);
	assert_int_equal(hft_pool_stats(pool, HFT_POOL_ALL, &stats), 0);
	assert_int_equal(stats.late, 10);
	assert_int_equal(stats.executed, 30);
	assert_int_equal(stats.spawned, 30);
	assert_int_equal(stats.depth, 0);
}

static void what_waits_is_counted(void **state)
{
	HFT_OPTS(hft_spawn_opts, shared, .deadline = soon());
	HFT_OPTS(hft_spawn_opts, own, .deadline = soon(), .worker = 1);
	HFT_OPTS(hft_pool_stats, stats);
	struct hft_group group;
	struct gate gate = {};
	unsigned int i;

	(void)state;
	hft_group_init(&group, pool);
	close_gate(&gate, &group, 1);
	shared.group = own.group = &group;
	for (i = 0; i < 10; i++) {
		assert_int_equal(hft_spawn_opts(pool, nothing, NULL, 0, &shared, NULL), 0);
		assert_int_equal(hft_spawn_opts(pool, nothing, NULL, 0, &own, NULL), 0);
	}
	assert_int_equal(hft_pool_stats(pool, HFT_POOL_ALL, &stats), 0);
	assert_int_equal(stats.depth, 20);
	assert_int_equal(hft_pool_stats(pool, 0, &stats), 0);
	assert_int_equal(stats.depth, 10);
	atomic_store(&gate.open, true);
	assert_int_equal(hft_group_wait(&group, soon()), 0);
}

/* With the worker those end that are its own; with the pool all. */
static void what_has_not_begun_ends_with_the_pool(void **state)
{
	HFT_OPTS(hft_spawn_opts, shared, .deadline = soon());
	HFT_OPTS(hft_spawn_opts, own, .deadline = soon(), .worker = 1);
	atomic_uint times = 0, *args = &times;
	struct hft_group gates, owns, shareds;
	struct gate gate = {};
	unsigned int i;
	int err;

	(void)state;
	assert_int_equal(open_pool(1), 0);
	hft_group_init(&gates, pool);
	hft_group_init(&owns, pool);
	hft_group_init(&shareds, pool);
	own.group = &owns;
	shared.group = &shareds;
	close_gate(&gate, &gates, 1);
	for (i = 0; i < 3; i++)
		assert_int_equal(hft_spawn_opts(pool, count, &args, sizeof(args), &own, NULL), 0);
	atomic_store(&gate.open, true);
	assert_int_equal(hft_pool_remove_worker(pool, 0), 0);
	assert_int_equal(hft_group_wait(&gates, soon()), 0);
	err = hft_group_wait(&owns, soon());
	assert_true(err == (times < 3 ? -ENODEV : 0));
	assert_int_equal(hft_spawn_opts(pool, count, &args, sizeof(args), &own, NULL), -ENODEV);

	atomic_store(&times, 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(hft_spawn_opts(pool, count, &args, sizeof(args), &shared, NULL),
				 0);
	hft_pool_close(pool);
	assert_int_equal(times, 0);
	assert_int_equal(hft_group_wait(&shareds, 0), -ECANCELED);
}

/* As who grants a task what it waits for: it comes when that does, and is known by then. */
struct held {
	struct hft_work work[4];
};

static void hold(struct held *held, struct hft_group *group, unsigned int i, uint32_t level)
{
	struct hft_work *work = &held->work[i];
	struct task *task = (struct task *)work->args;

	*task = (struct task){ level, 0, i };
	work->fn = see;
	work->group = (uintptr_t)group | HFT_WORK_MORE;
	work->level = (uint8_t)level;
	/* Its memory stays ours. */
	work->handle = true;
	hft_group_begin(group, hft_spawner(pool));
	assert_int_equal(hft_queue_promise(pool, work), 0);
}

static void what_is_held_comes_by_its_new_level(void **state)
{
	static struct held held;
	struct hft_group group;
	struct gate gate = {};
	unsigned int i;

	(void)state;
	hft_group_init(&group, pool);
	atomic_store(&seen.nr, 0);
	close_gate(&gate, &group, 1);
	for (i = 0; i < 4; i++)
		hold(&held, &group, i, HFT_LEVEL_LOW + i);
	assert_false(hft_queue_rekey(pool, &held.work[0], HFT_LEVEL_REALTIME));
	assert_false(hft_queue_remove(pool, &held.work[3]));
	for (i = 0; i < 4; i++)
		hft_queue_keep(pool, &held.work[i]);
	assert_true(hft_queue_remove(pool, &held.work[3]));
	assert_false(hft_queue_remove(pool, &held.work[3]));
	assert_int_equal(hft_queue_promise(pool, &held.work[3]), 0);
	hft_queue_forgo(pool, &held.work[3]);
	hft_group_end(&group, pool, 1);
	assert_true(hft_queue_rekey(pool, &held.work[0], HFT_LEVEL_REALTIME));
	assert_true(hft_queue_rekey(pool, &held.work[2], HFT_LEVEL_IDLE));
	atomic_store(&gate.open, true);
	assert_int_equal(hft_group_wait(&group, soon()), 0);
	assert_false(hft_queue_rekey(pool, &held.work[0], HFT_LEVEL_REALTIME));
	for (i = 0; i < 3; i++)
		assert_int_equal(seen.tasks[i].nr, i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_earliest_deadline_of_the_highest_level_first,
						set_up_one, tear_down),
		cmocka_unit_test_setup_teardown(each_runs_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(none_is_slept_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(late_ones_are_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_waits_is_counted, set_up_one, tear_down),
		cmocka_unit_test_setup_teardown(what_is_held_comes_by_its_new_level, set_up_one,
						tear_down),
		cmocka_unit_test(what_has_not_begun_ends_with_the_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
