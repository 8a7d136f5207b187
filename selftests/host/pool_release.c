// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Tasks with a release: none before it, all of them, and each ends that can not come. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <hft/hft.h>
#include <hft/pool.h>
#include <hft/resource.h>
#include <hft/sim.h>

#include "random.h"

#define US		1000ULL
#define MSEC		1000000ULL
#define PATIENCE	(60000 * MSEC)
#define HOUR		(3600000 * MSEC)
#define WORKERS		2
#define TASKS		100

/* Machines */
#define EXACT		"seed=3,cpus=2"
#define ROUGH		"seed=3,cpus=2,interrupt_ns=400,jitter_ns=300,wakeup_ns=900,switch_ns=200"
#define SLOW		"seed=3,cpus=2,wakeup_ns=900000"

static struct hft *handle;
static struct hft_pool *pool;

static uint64_t soon(void)
{
	return hft_now() + PATIENCE;
}

static int open_pool(const char *backend, const char *options, uint32_t tasks, uint32_t workers)
{
	HFT_OPTS(hft_opts, opts, .backend = backend, .device = options, .tasks = tasks);
	HFT_OPTS(hft_pool_opts, pool_opts, .workers = workers, .flags = HFT_POOL_UNPINNED);
	int err = hft_open(&handle, &opts);

	if (err)
		return err;
	pool_opts.hft = handle;
	return hft_pool_open(&pool, &pool_opts);
}

static int set_up(void **state)
{
	(void)state;
	return open_pool("soft", NULL, 0, WORKERS);
}

static int set_up_one(void **state)
{
	(void)state;
	return open_pool("soft", NULL, 0, 1);
}

static int set_up_few_tasks(void **state)
{
	(void)state;
	return open_pool("soft", NULL, 4, WORKERS);
}

static int tear_down(void **state)
{
	(void)state;
	hft_pool_close(pool);
	hft_close(handle);
	pool = NULL;
	handle = NULL;
	return 0;
}

/* What tasks have seen. */
static struct {
	atomic_uint nr;
	struct seen {
		uint64_t release;
		uint64_t start;
		unsigned int nr;
		int worker;
	} tasks[TASKS];
} seen;

struct task {
	uint64_t release;
	unsigned int nr;
};

static int64_t see(void *args)
{
	const struct task *task = args;

	seen.tasks[atomic_fetch_add(&seen.nr, 1)] = (struct seen){
		.release = task->release,
		.start = hft_now(),
		.nr = task->nr,
		.worker = hft_pool_worker(),
	};
	return 0;
}

static int spawn(struct hft_group *group, uint64_t release, unsigned int nr,
		 const struct hft_spawn_opts *like)
{
	struct hft_spawn_opts opts = *like;
	struct task task = { release, nr };

	opts.group = group;
	opts.release = release;
	return hft_spawn_opts(pool, see, &task, sizeof(task), &opts, NULL);
}

static void none_is_early(void **state)
{
	HFT_OPTS(hft_spawn_opts, opts);
	struct hft_group group;
	uint64_t random = 1;
	unsigned int i;

	(void)state;
	hft_group_init(&group, pool);
	atomic_store(&seen.nr, 0);
	for (i = 0; i < TASKS; i++) {
		opts.worker = i % (1 + WORKERS);
		opts.deadline = i % 2 ? hft_now() + HOUR : 0;
		assert_int_equal(spawn(&group, hft_now() + random_below(&random, 20 * MSEC), i,
				       &opts), 0);
	}
	assert_int_equal(hft_group_wait(&group, soon()), 0);
	assert_int_equal(seen.nr, TASKS);
	for (i = 0; i < TASKS; i++) {
		struct seen *task = &seen.tasks[i];

		assert_true(task->start >= task->release);
		if (task->nr % (1 + WORKERS))
			assert_int_equal(task->worker, task->nr % (1 + WORKERS) - 1);
	}
}

/* Spawned in another order, while none comes.  However late they are, deadlines keep it. */
static void in_the_order_of_their_releases(void **state)
{
	uint64_t start = hft_now() + MSEC;
	HFT_OPTS(hft_spawn_opts, opts);
	struct hft_group group;
	unsigned int i;

	(void)state;
	hft_group_init(&group, pool);
	atomic_store(&seen.nr, 0);
	assert_int_equal(hft_halt(handle, HFT_HALT_ALL, 0, NULL), 0);
	for (i = 0; i < TASKS; i++) {
		unsigned int nr = i * 37 % TASKS;

		opts.deadline = start + HOUR + nr;
		assert_int_equal(spawn(&group, start + nr * 100 * US, nr, &opts), 0);
	}
	assert_int_equal(hft_resume(handle, 0), 0);
	assert_int_equal(hft_group_wait(&group, soon()), 0);
	for (i = 0; i < TASKS; i++)
		assert_int_equal(seen.tasks[i].nr, i);
}

static void unwanted_ones_end_at_their_release(void **state)
{
	HFT_OPTS(hft_spawn_opts, opts);
	struct hft_token token = {};
	struct hft_handle handles[3];
	struct task task = {};
	int64_t result;
	unsigned int i;
	static const int expected[] = { -ECANCELED, -ETIME, 0 };

	(void)state;
	atomic_store(&seen.nr, 0);
	hft_token_cancel(&token);
	for (i = 0; i < 3; i++) {
		opts.release = hft_now() + 2 * MSEC;
		opts.token = i == 0 ? &token : NULL;
		opts.expires = i == 1 ? hft_now() + MSEC : 0;
		assert_int_equal(hft_spawn_opts(pool, see, &task, sizeof(task), &opts,
						&handles[i]), 0);
	}
	for (i = 0; i < 3; i++) {
		assert_int_equal(hft_join(&handles[i], soon(), &result), 0);
		assert_int_equal(result, expected[i]);
	}
	assert_int_equal(seen.nr, 1);
}

static void bad_calls(void **state)
{
	HFT_OPTS(hft_spawn_opts, opts, .release = hft_now(), .deadline = 1);
	HFT_OPTS(hft_spawn_opts, worker, .release = hft_now(), .worker = 1 + WORKERS);
	HFT_OPTS(hft_spawn_opts, range, .release = UINT64_MAX);
	HFT_OPTS(hft_pool_opts, pool_opts, .workers = 1, .flags = HFT_POOL_UNPINNED);
	HFT_OPTS(hft_pool_opts, nowhere, .workers = 1, .flags = HFT_POOL_UNPINNED, .hft = handle,
		 .cpus = (uint32_t[]){ 100000 });
	struct hft_pool *without = NULL;
	struct task task = {};

	(void)state;
	assert_int_equal(hft_spawn_opts(pool, see, &task, sizeof(task), &opts, NULL), -EINVAL);
	assert_non_null(strstr(hft_strerror(-EINVAL), "deadline"));
	assert_int_equal(hft_spawn_opts(pool, see, &task, sizeof(task), &worker, NULL), -ENODEV);
	assert_int_equal(hft_spawn_opts(pool, see, &task, sizeof(task), &range, NULL), -EINVAL);
	assert_int_equal(hft_pool_open(&without, &nowhere), -EINVAL);
	assert_null(without);
	assert_int_equal(hft_pool_open(&without, &pool_opts), 0);
	opts.deadline = 0;
	assert_int_equal(hft_spawn_opts(without, see, &task, sizeof(task), &opts, NULL), -EINVAL);
	assert_non_null(strstr(hft_strerror(-EINVAL), "handle"));
	hft_pool_close(without);
}

/* One that finds no room is the caller's; the others end with the pool. */
static void a_handle_has_room_for_so_many(void **state)
{
	HFT_OPTS(hft_spawn_opts, opts);
	struct hft_group group, other;
	unsigned int i;

	(void)state;
	hft_group_init(&group, pool);
	hft_group_init(&other, pool);
	atomic_store(&seen.nr, 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(spawn(&group, hft_now() + HOUR, i, &opts), 0);
	assert_int_equal(spawn(&other, hft_now(), i, &opts), -EDQUOT);
	assert_int_equal(hft_group_wait(&other, 0), 0);
	assert_int_equal(hft_group_wait(&group, 0), -ETIMEDOUT);
	hft_pool_close(pool);
	pool = NULL;
	assert_int_equal(hft_group_wait(&group, 0), -ECANCELED);
	assert_int_equal(seen.nr, 0);
}

static void a_halt_holds(void **state)
{
	HFT_OPTS(hft_spawn_opts, opts);
	HFT_OPTS(hft_pool_stats, stats);
	struct hft_group group;
	unsigned int i;

	(void)state;
	hft_group_init(&group, pool);
	atomic_store(&seen.nr, 0);
	assert_int_equal(hft_halt(handle, HFT_HALT_ALL, 0, NULL), 0);
	for (i = 0; i < 10; i++)
		assert_int_equal(spawn(&group, hft_now(), i, &opts), 0);
	assert_int_equal(hft_group_wait(&group, hft_now() + 5 * MSEC), -ETIMEDOUT);
	assert_int_equal(seen.nr, 0);
	assert_int_equal(hft_resume(handle, 0), 0);
	assert_int_equal(hft_group_wait(&group, soon()), 0);
	assert_int_equal(seen.nr, 10);

	for (i = 0; i < 10; i++)
		assert_int_equal(spawn(&group, hft_now() + HOUR, i, &opts), 0);
	assert_int_equal(hft_halt(handle, HFT_HALT_CANCEL, 0, NULL), 0);
	assert_int_equal(hft_group_wait(&group, soon()), -ECANCELED);
	assert_int_equal(seen.nr, 10);
	assert_int_equal(hft_resume(handle, 0), 0);
	assert_int_equal(spawn(&group, hft_now() + MSEC, i, &opts), 0);
	assert_int_equal(hft_group_wait(&group, soon()), 0);
	assert_int_equal(seen.nr, 11);
	assert_int_equal(hft_pool_stats(pool, HFT_POOL_ALL, &stats), 0);
	assert_int_equal(stats.spawned, 21);
	assert_int_equal(stats.executed, 11);
	assert_int_equal(stats.cancelled, 10);
}

/* While tasks come and are released. */
static void halts_at_any_moment(void **state)
{
	struct hft_group group;
	uint64_t random = 9;
	unsigned int i, n, spawned = 0;
	int err;

	(void)state;
	for (n = 0; n < 20; n++) {
		HFT_OPTS(hft_spawn_opts, opts);

		hft_group_init(&group, pool);
		atomic_store(&seen.nr, 0);
		for (i = 0; i < TASKS; i++)
			assert_int_equal(spawn(&group, hft_now() + random_below(&random, 2 * MSEC),
					       i, &opts), 0);
		usleep(random_below(&random, 2000));
		assert_int_equal(hft_halt(handle, HFT_HALT_CANCEL, 0, NULL), 0);
		err = hft_group_wait(&group, soon());
		assert_int_equal(err, seen.nr == TASKS ? 0 : -ECANCELED);
		assert_int_equal(hft_resume(handle, 0), 0);
		spawned += seen.nr;
	}
	print_message("%u of %u were not cancelled\n", spawned, n * TASKS);
}

/* Others keep the ring on its CPU. */
static void its_worker_leaves(void **state)
{
	HFT_OPTS(hft_opts, opts, .backend = "soft");
	const uint32_t cpus[] = { 0, 0 };
	HFT_OPTS(hft_pool_opts, pool_opts, .workers = 2, .cpus = cpus,
		 .flags = HFT_POOL_UNPINNED);
	HFT_OPTS(hft_spawn_opts, fixed, .worker = 1);
	HFT_OPTS(hft_spawn_opts, other, .worker = 2);
	struct hft_group gone, here;

	(void)state;
	assert_int_equal(hft_open(&handle, &opts), 0);
	pool_opts.hft = handle;
	assert_int_equal(hft_pool_open(&pool, &pool_opts), 0);
	hft_group_init(&gone, pool);
	hft_group_init(&here, pool);
	atomic_store(&seen.nr, 0);
	assert_int_equal(spawn(&gone, hft_now() + HOUR, 0, &fixed), 0);
	assert_int_equal(spawn(&here, hft_now() + 20 * MSEC, 1, &other), 0);
	assert_int_equal(hft_pool_remove_worker(pool, 0), 0);
	assert_int_equal(hft_group_wait(&gone, 0), -ENODEV);
	assert_int_equal(hft_group_wait(&here, soon()), 0);
	assert_int_equal(seen.nr, 1);
	assert_int_equal(spawn(&gone, hft_now() + HOUR, 0, &fixed), -ENODEV);
}

/* With a worker goes its ring: what is in it comes all the same, but for its own. */
static void workers_come_and_go(void **state)
{
	HFT_OPTS(hft_spawn_opts, opts);
	HFT_OPTS(hft_spawn_opts, fixed, .worker = 1);
	struct hft_group group, gone, here;
	unsigned int i;

	(void)state;
	hft_group_init(&group, pool);
	hft_group_init(&gone, pool);
	hft_group_init(&here, pool);
	atomic_store(&seen.nr, 0);
	for (i = 0; i < 30; i++)
		assert_int_equal(spawn(&group, hft_now() + 20 * MSEC, i, &opts), 0);
	assert_int_equal(spawn(&gone, hft_now() + HOUR, i, &fixed), 0);
	assert_int_equal(spawn(&here, hft_now(), i, &fixed), 0);
	assert_int_equal(hft_group_wait(&here, soon()), 0);
	for (i = 0; i < WORKERS; i++)
		assert_int_equal(hft_pool_remove_worker(pool, i), 0);
	assert_int_equal(spawn(&group, hft_now(), i, &fixed), -ENODEV);
	for (i = 30; i < 60; i++)
		assert_int_equal(spawn(&group, hft_now() + 5 * MSEC, i, &opts), 0);
	assert_true(hft_pool_add_worker(pool, 0) >= 0);
	assert_int_equal(hft_group_wait(&group, soon()), 0);
	assert_int_equal(seen.nr, 61);
	for (i = 0; i < 61; i++)
		assert_true(seen.tasks[i].start >= seen.tasks[i].release);
	hft_pool_close(pool);
	pool = NULL;
	assert_int_equal(hft_group_wait(&gone, 0), -ENODEV);
}

static int64_t which(void *args)
{
	(void)args;
	return hft_pool_worker();
}

/* A handle has 64 rings. */
static void more_workers_than_rings(void **state)
{
	HFT_OPTS(hft_spawn_opts, opts, .worker = 1 + 100);
	struct hft_handle handles[2];
	int64_t result;

	(void)state;
	assert_int_equal(open_pool("sim", "cpus=128", 0, 128), 0);
	opts.release = hft_now() + MSEC;
	assert_int_equal(hft_spawn_opts(pool, which, NULL, 0, &opts, &handles[0]), 0);
	assert_int_equal(hft_pool_remove_worker(pool, 0), 0);
	assert_int_equal(hft_pool_remove_worker(pool, 1), 0);
	opts.worker++;
	assert_int_equal(hft_spawn_opts(pool, which, NULL, 0, &opts, &handles[1]), 0);
	assert_int_equal(hft_join(&handles[0], UINT64_MAX, &result), 0);
	assert_int_equal(result, 100);
	assert_int_equal(hft_join(&handles[1], UINT64_MAX, &result), 0);
	assert_int_equal(result, 101);
	assert_int_equal(hft_now(), opts.release);
	tear_down(NULL);
}

/* What is in the ring by now is not taken back any more. */
static void on_its_way_it_comes(void **state)
{
	HFT_OPTS(hft_spawn_opts, opts);
	HFT_OPTS(hft_spawn_opts, fixed, .worker = 1);
	struct hft_group group;
	uint64_t release;
	unsigned int i;

	(void)state;
	assert_int_equal(open_pool("sim", SLOW, 0, WORKERS), 0);
	hft_group_init(&group, pool);
	atomic_store(&seen.nr, 0);
	release = hft_now() + MSEC;
	for (i = 0; i < 4; i++)
		assert_int_equal(spawn(&group, release, i, &opts), 0);
	hft_spin_until(release + 100 * US);
	assert_int_equal(hft_halt(handle, HFT_HALT_CANCEL, 0, NULL), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
	assert_int_equal(seen.nr, 4);

	/* Likewise when the worker on its CPU leaves, which takes as long as a wake-up. */
	assert_int_equal(hft_resume(handle, 0), 0);
	release = hft_now() + MSEC;
	for (i = 0; i < 4; i++)
		assert_int_equal(spawn(&group, release, i, &opts), 0);
	hft_spin_until(release - 500 * US);
	assert_int_equal(hft_pool_remove_worker(pool, 0), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
	assert_int_equal(seen.nr, 8);
	assert_int_equal(spawn(&group, release, i, &fixed), -ENODEV);
	tear_down(NULL);
}

/* Two workers on a CPU: the ring stays when one goes. */
static void a_task_of_one_of_two_workers(void **state)
{
	HFT_OPTS(hft_spawn_opts, opts, .worker = 2);
	HFT_OPTS(hft_pool_opts, pool_opts, .workers = 2, .cpus = (uint32_t[]){ 0, 0 });
	HFT_OPTS(hft_opts, handle_opts, .backend = "sim", .device = "cpus=1");
	struct hft_group group;

	(void)state;
	assert_int_equal(hft_open(&handle, &handle_opts), 0);
	pool_opts.hft = handle;
	assert_int_equal(hft_pool_open(&pool, &pool_opts), 0);
	hft_group_init(&group, pool);
	assert_int_equal(spawn(&group, hft_now() + MSEC, 0, &opts), 0);
	assert_int_equal(hft_pool_remove_worker(pool, 1), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), -ENODEV);
	tear_down(NULL);
}

static void none_goes_to_a_reserved_worker(void **state)
{
	HFT_OPTS(hft_spawn_opts, opts);
	HFT_OPTS(hft_pool_opts, pool_opts, .workers = 2, .reserved = 1);
	HFT_OPTS(hft_opts, handle_opts, .backend = "sim", .device = "cpus=2");
	struct hft_group group;
	unsigned int i;

	(void)state;
	assert_int_equal(hft_open(&handle, &handle_opts), 0);
	pool_opts.hft = handle;
	assert_int_equal(hft_pool_open(&pool, &pool_opts), 0);
	hft_group_init(&group, pool);
	atomic_store(&seen.nr, 0);
	for (i = 0; i < 10; i++) {
		opts.worker = i ? 0 : 2;
		assert_int_equal(spawn(&group, hft_now() + MSEC, i, &opts), 0);
	}
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
	for (i = 0; i < 10; i++)
		assert_int_equal(seen.tasks[i].worker, !seen.tasks[i].nr);
	tear_down(NULL);
}

/* It asks for its resources when its time has come, and no sooner. */
static void with_its_resources(void **state)
{
	HFT_OPTS(hft_spawn_opts, opts, .nr_resources = 1);
	struct hft_resource *resource;
	struct hft_required required = {};
	struct hft_group group;
	uint64_t release;

	(void)state;
	assert_int_equal(open_pool("sim", EXACT, 0, WORKERS), 0);
	assert_int_equal(hft_resource_open(&resource, NULL), 0);
	required.resource = resource;
	opts.resources = &required;
	hft_group_init(&group, pool);
	atomic_store(&seen.nr, 0);
	release = hft_now() + MSEC;
	assert_int_equal(spawn(&group, release, 0, &opts), 0);
	assert_int_equal(spawn(&group, release + MSEC, 1, &opts), 0);
	hft_spin_until(release - US);
	assert_int_equal(hft_resource_acquire(resource), 0);
	hft_spin_until(release + 7 * US);
	assert_int_equal(seen.nr, 0);
	assert_int_equal(hft_resource_release(resource), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
	assert_int_equal(seen.tasks[0].start, release + 7 * US);
	assert_int_equal(seen.tasks[1].start, release + MSEC);

	assert_int_equal(spawn(&group, hft_now() + HOUR, 1, &opts), 0);
	tear_down(NULL);
	assert_int_equal(hft_group_wait(&group, 0), -ECANCELED);
	assert_int_equal(hft_resource_close(resource), 0);
}
static void run_simulated(const char *options)
{
	HFT_OPTS(hft_spawn_opts, opts);
	struct hft_group group;
	uint64_t random = 4;
	unsigned int i;

	assert_int_equal(open_pool("sim", options, 0, WORKERS), 0);
	hft_group_init(&group, pool);
	atomic_store(&seen.nr, 0);
	memset(seen.tasks, 0, sizeof(seen.tasks));
	for (i = 0; i < TASKS; i++)
		assert_int_equal(spawn(&group, hft_now() + random_below(&random, MSEC), i, &opts),
				 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
	assert_int_equal(seen.nr, TASKS);
	tear_down(NULL);
}

static void to_the_nanosecond_on_a_machine(void **state)
{
	unsigned int i;

	(void)state;
	run_simulated(EXACT);
	for (i = 0; i < TASKS; i++)
		assert_int_equal(seen.tasks[i].start, seen.tasks[i].release);
}

static void the_same_each_time(void **state)
{
	struct seen first[TASKS];
	unsigned int i, late = 0;

	(void)state;
	run_simulated(ROUGH);
	memcpy(first, seen.tasks, sizeof(first));
	run_simulated(ROUGH);
	assert_memory_equal(first, seen.tasks, sizeof(first));
	for (i = 0; i < TASKS; i++) {
		assert_true(first[i].start >= first[i].release);
		late += first[i].start > first[i].release;
	}
	assert_true(late);
}

static void a_machine_with_tasks_that_wait_ends(void **state)
{
	HFT_OPTS(hft_spawn_opts, opts);
	struct hft_group group;

	(void)state;
	assert_int_equal(open_pool("sim", EXACT, 0, WORKERS), 0);
	hft_group_init(&group, pool);
	assert_int_equal(spawn(&group, hft_now() + HOUR, 0, &opts), 0);
	assert_int_equal(hft_halt(handle, HFT_HALT_CANCEL, 0, NULL), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), -ECANCELED);
	assert_int_equal(hft_resume(handle, 0), 0);
	assert_int_equal(spawn(&group, hft_now() + HOUR, 0, &opts), 0);
	hft_pool_close(pool);
	assert_int_equal(hft_group_wait(&group, 0), -ECANCELED);
	hft_close(handle);
}

#define soft_test(name, up)	cmocka_unit_test_setup_teardown(name, up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		soft_test(none_is_early, set_up),
		soft_test(in_the_order_of_their_releases, set_up_one),
		soft_test(unwanted_ones_end_at_their_release, set_up),
		soft_test(bad_calls, set_up),
		soft_test(a_handle_has_room_for_so_many, set_up_few_tasks),
		soft_test(a_halt_holds, set_up),
		soft_test(halts_at_any_moment, set_up),
		cmocka_unit_test_teardown(its_worker_leaves, tear_down),
		soft_test(workers_come_and_go, set_up),
		cmocka_unit_test(more_workers_than_rings),
		cmocka_unit_test(on_its_way_it_comes),
		cmocka_unit_test(a_task_of_one_of_two_workers),
		cmocka_unit_test(none_goes_to_a_reserved_worker),
		cmocka_unit_test(with_its_resources),
		cmocka_unit_test(to_the_nanosecond_on_a_machine),
		cmocka_unit_test(the_same_each_time),
		cmocka_unit_test(a_machine_with_tasks_that_wait_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
