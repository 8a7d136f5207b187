// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Which worker a task goes to: one that is reserved, or has what it touches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <hft/hft.h>
#include <hft/pool.h>

#define MSEC		1000000ULL
#define PATIENCE	(60000 * MSEC)
#define MISS		1000		/* ns */

static struct hft_pool *pool;

static void open_pool(uint32_t workers, uint32_t reserved, uint64_t spin_ns)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = workers, .flags = HFT_POOL_UNPINNED,
		 .spin_ns = spin_ns, .reserved = reserved);

	assert_int_equal(hft_pool_open(&pool, &opts), 0);
}

static uint64_t soon(void)
{
	return hft_now() + PATIENCE;
}

static int64_t where(void *args)
{
	(void)args;
	return hft_pool_worker();
}

static struct hft_handle start(const struct hft_spawn_opts *opts)
{
	struct hft_handle handle;

	assert_int_equal(hft_spawn_opts(pool, where, NULL, 0, opts, &handle), 0);
	return handle;
}

static int64_t result_of(struct hft_handle *handle)
{
	int64_t result;

	assert_int_equal(hft_join(handle, soon(), &result), 0);
	return result;
}

/* Where a task runs that is spawned so. */
static int64_t run(const struct hft_spawn_opts *opts)
{
	struct hft_handle handle = start(opts);

	return result_of(&handle);
}

/**
 * struct gate - keeps a worker at a task
 * @begun: it is at it
 * @open: it may go on
 * @handle: of the task
 */
struct gate {
	sem_t begun;
	sem_t open;
	struct hft_handle handle;
};

static int64_t stand_at(void *args)
{
	struct gate *gate = *(struct gate **)args;

	sem_post(&gate->begun);
	while (sem_wait(&gate->open))
		;
	return 0;
}

static void block(struct gate *gate, uint32_t worker, uint64_t cost_ns)
{
	HFT_OPTS(hft_spawn_opts, opts, .worker = 1 + worker, .cost_ns = cost_ns);

	sem_init(&gate->begun, 0, 0);
	sem_init(&gate->open, 0, 0);
	assert_int_equal(hft_spawn_opts(pool, stand_at, &gate, sizeof(gate), &opts,
					&gate->handle), 0);
	while (sem_wait(&gate->begun))
		;
}

static void unblock(struct gate *gate)
{
	sem_post(&gate->open);
	assert_int_equal(hft_join(&gate->handle, soon(), NULL), 0);
	sem_destroy(&gate->begun);
	sem_destroy(&gate->open);
}

static int64_t spawn_many(void *args)
{
	struct hft_group *group = *(struct hft_group **)args;
	int i;

	for (i = 0; i < 100; i++)
		assert_int_equal(hft_group_spawn(group, where, NULL, 0), 0);
	return 0;
}

/* From outside, in order, and stolen: none goes there, though it looks for tasks. */
static void a_reserved_worker_takes_only_its_own(void **state)
{
	HFT_OPTS(hft_pool_stats, stats);
	HFT_OPTS(hft_spawn_opts, own, .worker = 1 + 2);
	HFT_OPTS(hft_spawn_opts, urgent, .deadline = 1);
	struct hft_group group, *arg = &group;
	uint64_t spin;
	int i;

	(void)state;
	for (spin = 0; spin < 2; spin++) {
		open_pool(3, 1, spin ? HFT_SPIN_FOREVER : 0);
		hft_group_init(&group, pool);
		assert_int_equal(hft_group_spawn(&group, spawn_many, &arg, sizeof(arg)), 0);
		for (i = 0; i < 500; i++) {
			assert_int_equal(hft_group_spawn(&group, where, NULL, 0), 0);
			assert_in_range(run(&urgent), 0, 1);
		}
		assert_int_equal(hft_group_wait(&group, soon()), 0);
		assert_int_equal(hft_pool_stats(pool, 2, &stats), 0);
		assert_int_equal(stats.executed, 0);
		for (i = 0; i < 500; i++)
			assert_int_equal(run(&own), 2);
		own.deadline = own.deadline ? 0 : 1;
		hft_pool_close(pool);
	}
}

static int64_t wait_for_many(void *args)
{
	HFT_OPTS(hft_spawn_opts, opts);
	struct hft_group group;
	int i, err = 0;

	(void)args;
	hft_group_init(&group, pool);
	opts.group = &group;
	for (i = 0; i < 50 && !err; i++) {
		err = hft_group_spawn(&group, where, NULL, 0);
		if (!err)
			err = hft_spawn_opts(pool, where, NULL, 0, &opts, NULL);
	}
	return err ? err : hft_group_wait(&group, UINT64_MAX);
}

/* What its tasks spawn runs, whoever has time for it. */
static void a_reserved_worker_waits_for_others(void **state)
{
	HFT_OPTS(hft_spawn_opts, own, .worker = 1 + 1);
	struct hft_handle handle;
	int64_t result;
	int i;

	(void)state;
	open_pool(2, 1, 0);
	for (i = 0; i < 20; i++) {
		assert_int_equal(hft_spawn_opts(pool, wait_for_many, NULL, 0, &own, &handle), 0);
		assert_int_equal(hft_join(&handle, soon(), &result), 0);
		assert_int_equal(result, 0);
	}
	hft_pool_close(pool);
}

static void it_stays_reserved(void **state)
{
	HFT_OPTS(hft_pool_opts, all, .workers = 2, .reserved = 2, .flags = HFT_POOL_UNPINNED);
	HFT_OPTS(hft_spawn_opts, own, .worker = 1 + 1);
	HFT_OPTS(hft_spawn_opts, any);
	struct gate gate;

	(void)state;
	assert_int_equal(hft_pool_open(&pool, &all), -EINVAL);
	open_pool(2, 1, 0);
	assert_int_equal(hft_pool_remove_worker(pool, 1), 0);
	assert_int_equal(hft_pool_add_worker(pool, 0), 1);
	assert_int_equal(hft_pool_add_worker(pool, 0), 2);
	block(&gate, 0, 0);
	assert_int_equal(run(&any), 2);
	assert_int_equal(run(&own), 1);
	unblock(&gate);
	hft_pool_close(pool);
}

/* Whoever touches it has it then. */
static void memory_goes_where_it_was(void **state)
{
	struct hft_memory memory = { .miss_ns = MISS };
	HFT_OPTS(hft_spawn_opts, touch, .memory = &memory, .cost_ns = 10 * MISS);
	HFT_OPTS(hft_spawn_opts, there, .memory = &memory);
	uint32_t worker;
	int i;

	(void)state;
	open_pool(3, 0, 0);
	assert_in_range(run(&touch), 0, 2);
	for (i = 0; i < 300; i++) {
		worker = (uint32_t)i % 3;
		there.worker = 1 + worker;
		assert_int_equal(run(&there), worker);
		assert_int_equal(memory.last, 1 + worker);
		assert_int_equal(run(&touch), worker);
	}
	hft_pool_close(pool);
}

/* What waits there may cost as much as the miss, and no more. */
static void unless_its_queue_costs_more(void **state)
{
	struct hft_memory memory = { .last = 1 + 0, .miss_ns = MISS };
	HFT_OPTS(hft_spawn_opts, touch, .memory = &memory, .cost_ns = MISS / 2);
	struct hft_handle waits[3];
	struct gate gate;
	int i;

	(void)state;
	open_pool(2, 0, 0);
	block(&gate, 0, 1);
	for (i = 0; i < 2; i++)
		waits[i] = start(&touch);
	assert_int_equal(run(&touch), 1);
	assert_int_equal(memory.last, 1 + 1);
	assert_int_equal(run(&touch), 1);
	memory.last = 1 + 0;
	memory.miss_ns = 2 * MISS;
	waits[2] = start(&touch);
	unblock(&gate);
	for (i = 0; i < 3; i++)
		assert_int_equal(result_of(&waits[i]), 0);
	assert_int_equal(run(&touch), 0);
	hft_pool_close(pool);
}

/* Nothing is lost: neither what waits there, nor what comes. */
static void unless_it_has_left(void **state)
{
	struct hft_memory memory = { .last = 1 + 0, .miss_ns = MISS };
	HFT_OPTS(hft_spawn_opts, touch, .memory = &memory);
	HFT_OPTS(hft_spawn_opts, other, .worker = 1 + 1, .memory = &memory);

	(void)state;
	open_pool(2, 0, 0);
	assert_int_equal(hft_pool_remove_worker(pool, 0), 0);
	assert_int_equal(run(&touch), 1);
	memory.last = 1 + 99;
	assert_int_equal(run(&touch), 1);
	assert_int_equal(run(&other), 1);
	hft_pool_close(pool);
}

static void *remove_first(void *arg)
{
	(void)arg;
	assert_int_equal(hft_pool_remove_worker(pool, 0), 0);
	return NULL;
}

static void what_waits_there_goes_elsewhere(void **state)
{
	struct hft_memory memory = { .last = 1 + 0, .miss_ns = MISS };
	HFT_OPTS(hft_spawn_opts, touch, .memory = &memory, .cost_ns = 1);
	HFT_OPTS(hft_spawn_opts, first, .worker = 1 + 0);
	struct hft_handle waits[2], ends;
	struct gate gate;
	pthread_t thread;
	int64_t result;

	(void)state;
	open_pool(2, 0, 0);
	block(&gate, 0, 0);
	waits[0] = start(&touch);
	touch.deadline = 1;
	waits[1] = start(&touch);
	ends = start(&first);
	assert_int_equal(pthread_create(&thread, NULL, remove_first, NULL), 0);
	usleep(1000);
	unblock(&gate);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_in_range(result_of(&waits[0]), 0, 1);
	assert_in_range(result_of(&waits[1]), 0, 1);
	result = result_of(&ends);
	assert_true(!result || result == -ENODEV);
	assert_int_equal(run(&touch), 1);
	hft_pool_close(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reserved_worker_takes_only_its_own),
		cmocka_unit_test(a_reserved_worker_waits_for_others),
		cmocka_unit_test(it_stays_reserved),
		cmocka_unit_test(memory_goes_where_it_was),
		cmocka_unit_test(unless_its_queue_costs_more),
		cmocka_unit_test(unless_it_has_left),
		cmocka_unit_test(what_waits_there_goes_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
