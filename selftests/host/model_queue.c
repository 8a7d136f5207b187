// SPDX-License-Identifier: GPL-2.0-only
/* flavours: model */
/* Tasks in order, in many interleavings: none is slept over, each runs once, and first is first. */
#include <errno.h>
#include <string.h>

#include "pool/internal.h"

#include "model/cases.h"
#include "model/pool.h"

static unsigned int nr_ran;

static void open_pool(uint32_t workers)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = workers, .flags = HFT_POOL_UNPINNED);

	nr_ran = 0;
	atomic_store(&flag, 0);
	open_pool_of(&opts);
}

static int spawn(hft_spawn_fn fn, uint64_t i, uint32_t worker)
{
	HFT_OPTS(hft_spawn_opts, opts, .group = &group, .deadline = UINT64_MAX - i,
		 .worker = worker);

	return hft_spawn_opts(pool, fn, &i, sizeof(i), &opts, NULL);
}

/* Keeps its worker: what it waits for is another's to run. */
static int64_t wait_for_flag(void *args)
{
	uint64_t worker = *(uint64_t *)args;

	model_check(!spawn(set_flag, 1, (uint32_t)worker));
	while (!atomic_load(&flag))
		hft_futex_wait(&flag, 0, UINT64_MAX);
	return 0;
}

static void run_one(void)
{
	open_pool(1);
	model_check(!spawn(task, 0, 0));
	finish(1);
}

static void run_own(void)
{
	open_pool(1);
	model_check(!spawn(task, 0, 1));
	finish(1);
}

static void *spawn_another(void *arg)
{
	model_check(!spawn(task, 1, 0));
	return arg;
}

static void run_two_spawners(void)
{
	open_pool(2);
	model_start(spawn_another, NULL);
	model_check(!spawn(task, 0, 0));
	model_join();
	finish(2);
}

/* The other worker sleeps, or is about to. */
static void run_blocks(void)
{
	uint64_t any = 0;

	open_pool(2);
	model_check(!hft_group_spawn(&group, wait_for_flag, &any, sizeof(any)));
	ran[0]++;
	finish(2);
}

static int64_t wait_for_the_other(void *args)
{
	uint64_t other = hft_pool_worker() ? 1 : 2;

	(void)args;
	return wait_for_flag(&other);
}

static void run_blocks_for_a_worker(void)
{
	open_pool(2);
	model_check(!hft_group_spawn(&group, wait_for_the_other, NULL, 0));
	ran[0]++;
	finish(2);
}

static struct hft_work held;

static int64_t run_held(void *args)
{
	(void)args;
	ran[2]++;
	return 0;
}

static void *change(void *arg)
{
	if (hft_queue_rekey(pool, &held, HFT_LEVEL_REALTIME) && hft_queue_remove(pool, &held)) {
		ran[2]++;
		hft_group_end(&group, pool, 1);
	}
	return arg;
}

/* A task that was held back comes, while another thread changes it, and takes it back. */
static void run_change(void)
{
	open_pool(1);
	memset(&held, 0, sizeof(held));
	held.fn = run_held;
	held.group = (uintptr_t)&group | HFT_WORK_MORE;
	held.handle = true;
	hft_group_begin(&group, hft_spawner(pool));
	model_check(!hft_queue_promise(pool, &held));
	model_start(change, NULL);
	model_check(!spawn(task, 0, 0));
	hft_queue_keep(pool, &held);
	model_join();
	ran[1]++;
	finish(3);
}

static void *remove_first(void *arg)
{
	model_check(!hft_pool_remove_worker(pool, 0));
	return arg;
}

/* Its own end with it, or there was none any more; the other's come. */
static void run_remove(void)
{
	int err;

	open_pool(2);
	model_start(remove_first, NULL);
	err = spawn(task, 0, 1);
	model_check(!err || err == -ENODEV);
	model_check(!spawn(task, 1, 0));
	model_join();
	err = hft_group_wait(&group, UINT64_MAX);
	model_check(ran[1] == 1 && (ran[0] ? !err : !err || err == -ENODEV));
	hft_pool_close(pool);
}

ALL(one, 2);
ALL(own, 2);
ALL(blocks, 1);
RANDOM(one, 2000);
RANDOM(own, 2000);
RANDOM(two_spawners, 3000);
RANDOM(blocks, 3000);
RANDOM(blocks_for_a_worker, 3000);
RANDOM(change, 3000);
RANDOM(remove, 3000);

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOLDS(one),
		HOLDS(own),
		HOLDS(blocks),
		HOLDS(one_random),
		HOLDS(own_random),
		HOLDS(two_spawners_random),
		HOLDS(blocks_random),
		HOLDS(blocks_for_a_worker_random),
		HOLDS(change_random),
		HOLDS(remove_random),
		FINDS(TORN, hft_lock, two_spawners_random),
		FINDS(RELAXED, hft_lock, two_spawners_random),
		FINDS(RELAXED, hft_unlock, two_spawners_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
