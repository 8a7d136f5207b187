// SPDX-License-Identifier: GPL-2.0-only
/* Workers of a pool that come and go, are ended by a task, and are outlived. */
#include <semaphore.h>

#include "pool_set_up.h"

static int64_t which(void *args)
{
	(void)args;
	return hft_pool_worker();
}

/* Nobody else has them, even while theirs is at something. */
static void a_worker_of_ones_own(void **state)
{
	struct hft_handle handles[30];
	int64_t result;
	unsigned int i;

	(void)state;
	for (i = 0; i < 30; i++) {
		HFT_OPTS(hft_spawn_opts, opts, .worker = 1 + i % WORKERS);

		assert_int_equal(hft_spawn_opts(pool, which, NULL, 0, &opts, &handles[i]), 0);
	}
	for (i = 0; i < 30; i++) {
		assert_int_equal(hft_join(&handles[i], soon(), &result), 0);
		assert_int_equal(result, i % WORKERS);
	}
}

static int64_t spawn_behind(void *args)
{
	struct spawn_many *many = args;
	HFT_OPTS(hft_pool_stats, stats);
	unsigned int i;

	if (hft_pool_stats(pool, HFT_POOL_ALL, &stats))
		return -EIO;
	for (i = 0; i < many->nr; i++) {
		if (hft_group_spawn(many->group, count, &many->times, sizeof(many->times)))
			return -ENOMEM;
	}
	return 0;
}

static void workers_come_and_go(void **state)
{
	uint64_t random = 5;
	struct hft_group group;
	atomic_uint times = 0;
	struct spawn_many many = { &group, &times, 100 };
	bool there[WORKERS] = { true, true, true };
	unsigned int i, spawned = 0;

	(void)state;
	hft_group_init(&group, pool);
	for (i = 0; i < 200; i++) {
		uint32_t worker = random_below(&random, WORKERS);

		assert_int_equal(hft_group_spawn(&group, spawn_behind, &many, sizeof(many)), 0);
		spawned += many.nr;
		if (there[worker]) {
			assert_int_equal(hft_pool_remove_worker(pool, worker), 0);
			assert_int_equal(hft_pool_remove_worker(pool, worker), -ENOENT);
			there[worker] = false;
		} else {
			worker = (uint32_t)hft_pool_add_worker(pool, 0);
			assert_true(worker < WORKERS && !there[worker]);
			there[worker] = true;
		}
	}
	if (!there[0] && !there[1] && !there[2])
		assert_true(hft_pool_add_worker(pool, 0) >= 0);
	wait_for(&group);
	assert_int_equal(times, spawned);
}

static void fixed_tasks_end_with_their_worker(void **state)
{
	HFT_OPTS(hft_spawn_opts, opts, .worker = 1);
	struct hft_handle handles[10], gone;
	struct gate gate = {};
	struct gate *args = &gate;
	unsigned int i, gone_with_it = 0;
	int64_t result;

	(void)state;
	assert_int_equal(hft_spawn_opts(pool, pass_gate, &args, sizeof(args), &opts, &gone), 0);
	while (!atomic_load(&gate.in))
		usleep(100);
	for (i = 0; i < 10; i++)
		assert_int_equal(hft_spawn_opts(pool, which, NULL, 0, &opts, &handles[i]), 0);
	atomic_store(&gate.open, true);
	assert_int_equal(hft_pool_remove_worker(pool, 0), 0);
	assert_int_equal(hft_join(&gone, soon(), &result), 0);
	assert_int_equal(result, 0);
	for (i = 0; i < 10; i++) {
		assert_int_equal(hft_join(&handles[i], soon(), &result), 0);
		assert_true(result == 0 || result == -ENODEV);
		gone_with_it += result == -ENODEV;
	}
	print_message("%u of 10 ended with their worker\n", gone_with_it);
	assert_int_equal(hft_spawn_opts(pool, which, NULL, 0, &opts, NULL), -ENODEV);
}

static int64_t exit_thread(void *args)
{
	(void)args;
	pthread_exit(NULL);
}

static int64_t wait_and_exit(void *args)
{
	struct hft_group group;

	(void)args;
	hft_group_init(&group, pool);
	hft_group_spawn(&group, exit_thread, NULL, 0);
	return hft_group_wait(&group, UINT64_MAX);
}

static void a_task_that_ends_its_thread(void **state)
{
	struct hft_handle handle;
	struct hft_group group;
	int64_t result;
	unsigned int i;

	(void)state;
	for (i = 0; i < 20; i++) {
		assert_int_equal(hft_spawn_opts(pool, exit_thread, NULL, 0, NULL, &handle), 0);
		assert_int_equal(hft_join(&handle, soon(), &result), 0);
		assert_int_equal(result, -EOWNERDEAD);
	}
	hft_group_init(&group, pool);
	assert_int_equal(hft_group_spawn(&group, wait_and_exit, NULL, 0), 0);
	assert_int_equal(hft_group_wait(&group, soon()), -EOWNERDEAD);
	assert_int_equal(hft_group_spawn(&group, nothing, NULL, 0), 0);
	wait_for(&group);
}

static void closing_cancels_what_has_not_begun(void **state)
{
	atomic_uint times = 0, *args = &times;
	struct hft_group group;
	struct gate gate = {};
	unsigned int i;

	(void)state;
	assert_int_equal(open_pool(1, HFT_POOL_UNPINNED, 0), 0);
	hft_group_init(&group, pool);
	close_gate(&gate, &group, 1);
	for (i = 0; i < 100; i++)
		assert_int_equal(hft_group_spawn(&group, count, &args, sizeof(args)), 0);
	atomic_store(&gate.open, true);
	hft_pool_close(pool);
	assert_true(times == 100 || hft_group_wait(&group, 0) == -ECANCELED);
}

static int64_t count_and_add(void *args)
{
	HFT_OPTS(hft_pool_stats, stats);
	int err = hft_pool_stats(pool, HFT_POOL_ALL, &stats);

	(void)args;
	return err ? err : hft_pool_add_worker(pool, 0);
}

/* While a worker is waited for, its task may do what it likes. */
static void removed_at_a_task_that_uses_the_pool(void **state)
{
	HFT_OPTS(hft_spawn_opts, opts, .worker = 1);
	struct hft_handle gate_handle, handle;
	struct gate gate = {};
	struct gate *args = &gate;
	int64_t result;

	(void)state;
	assert_int_equal(hft_spawn_opts(pool, pass_gate, &args, sizeof(args), &opts, &gate_handle),
			 0);
	while (!atomic_load(&gate.in))
		usleep(100);
	assert_int_equal(hft_spawn_opts(pool, count_and_add, NULL, 0, NULL, &handle), 0);
	atomic_store(&gate.open, true);
	assert_int_equal(hft_pool_remove_worker(pool, 0), 0);
	assert_int_equal(hft_join(&gate_handle, soon(), NULL), 0);
	assert_int_equal(hft_join(&handle, soon(), &result), 0);
	assert_true(result == 0 || result == WORKERS);
}

static void *use_pools(void *arg)
{
	struct hft_group group;

	(void)arg;
	hft_group_init(&group, pool);
	if (hft_group_spawn(&group, nothing, NULL, 0))
		return NULL;
	return hft_group_wait(&group, soon()) ? NULL : use_pools;
}

struct visitor {
	sem_t go;
	sem_t done;
	bool stop;
	void *result;
};

static void *visit(void *arg)
{
	struct visitor *visitor = arg;

	for (;;) {
		while (sem_wait(&visitor->go))
			;
		if (visitor->stop)
			return NULL;
		visitor->result = use_pools(NULL);
		sem_post(&visitor->done);
	}
}

/* A thread that has spawned into a pool outlives it, and others at its place. */
static void threads_outlive_pools(void **state)
{
	struct visitor visitor = {};
	pthread_t thread;
	int i;

	(void)state;
	sem_init(&visitor.go, 0, 0);
	sem_init(&visitor.done, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, visit, &visitor), 0);
	for (i = 0; i < 20; i++) {
		assert_int_equal(open_pool(1, HFT_POOL_UNPINNED, 0), 0);
		sem_post(&visitor.go);
		while (sem_wait(&visitor.done))
			;
		assert_non_null(visitor.result);
		assert_non_null(use_pools(NULL));
		hft_pool_close(pool);
		assert_int_equal(hft_pool_worker(), -ENOENT);
	}
	visitor.stop = true;
	sem_post(&visitor.go);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with(, a_worker_of_ones_own),
		with(, workers_come_and_go),
		with(, fixed_tasks_end_with_their_worker),
		with(, a_task_that_ends_its_thread),
		with(, removed_at_a_task_that_uses_the_pool),
		cmocka_unit_test(threads_outlive_pools),
		cmocka_unit_test(closing_cancels_what_has_not_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
