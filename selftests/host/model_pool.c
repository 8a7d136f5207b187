// SPDX-License-Identifier: GPL-2.0-only
/* flavours: model */
/* The pool in many interleavings: no task is slept over, none runs twice, all have ended. */
#include <errno.h>

#include "pool/slab.h"

#include "model/cases.h"
#include "model/pool.h"

#define MSEC		1000000ULL

static void open_pool(uint32_t workers, uint32_t flags)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = workers, .flags = HFT_POOL_UNPINNED | flags);

	open_pool_of(&opts);
}

static int64_t task_with_children(void *args)
{
	uint64_t i;

	for (i = 1; i <= 2; i++)
		model_check(!hft_group_spawn(&group, task, &i, sizeof(i)));
	return task(args);
}

/* A worker waits, and runs tasks meanwhile. */
static int64_t task_that_waits(void *args)
{
	struct hft_group inner;
	uint64_t i = 1;

	hft_group_init(&inner, pool);
	model_check(!hft_group_spawn(&inner, task, &i, sizeof(i)));
	model_check(!hft_group_wait(&inner, UINT64_MAX));
	model_check(ran[1] == 1);
	return task(args);
}

/* Keeps its worker: what it waits for is another's to run. */
static int64_t wait_for_flag(void *args)
{
	while (!atomic_load(&flag))
		hft_futex_wait(&flag, 0, UINT64_MAX);
	return task(args);
}

static int64_t task_that_blocks(void *args)
{
	uint64_t i = 1;

	model_check(!hft_group_spawn(&group, set_flag, &i, sizeof(i)));
	return wait_for_flag(args);
}

static void spawn(hft_spawn_fn fn, uint64_t i)
{
	model_check(!hft_group_spawn(&group, fn, &i, sizeof(i)));
}

static void run_one(void)
{
	open_pool(1, 0);
	spawn(task, 0);
	finish(1);
}

static void run_one_quiet(void)
{
	open_pool(1, HFT_POOL_QUIET);
	spawn(task, 0);
	finish(1);
}

static void run_again(void)
{
	open_pool(1, 0);
	spawn(task, 0);
	model_check(!hft_group_wait(&group, UINT64_MAX));
	spawn(task, 1);
	finish(2);
}

static void run_children(void)
{
	open_pool(2, 0);
	spawn(task_with_children, 0);
	finish(3);
}

static void run_children_quiet(void)
{
	open_pool(2, HFT_POOL_QUIET);
	spawn(task_with_children, 0);
	finish(3);
}

static void *spawn_another(void *arg)
{
	spawn(task, 1);
	return arg;
}

static void run_two_spawners(void)
{
	open_pool(2, 0);
	model_start(spawn_another, NULL);
	spawn(task, 0);
	model_join();
	finish(2);
}

static void run_wait_in_a_task(void)
{
	open_pool(2, 0);
	spawn(task_that_waits, 0);
	finish(2);
}

/* Its worker is at a task: nobody else is to sleep now. */
static void run_blocks(void)
{
	open_pool(2, 0);
	atomic_store(&flag, 0);
	spawn(task_that_blocks, 0);
	finish(2);
}

static void run_blocks_quiet(void)
{
	open_pool(2, HFT_POOL_QUIET);
	atomic_store(&flag, 0);
	spawn(task_that_blocks, 0);
	finish(2);
}

/* Who searches, and is relied on to find the third task, finds the second. */
static void run_hands_over(void)
{
	open_pool(3, 0);
	atomic_store(&flag, 0);
	spawn(task_that_blocks, 0);
	spawn(wait_for_flag, 2);
	finish(3);
}

static struct hft_slab slab;
static void *objects[3];

static void *give(void *arg)
{
	*(uint64_t *)arg = 1;
	hft_slab_give(NULL, arg);
	return NULL;
}

/* What others give back is the owner's again, each once. */
static void run_give_back(void)
{
	const char *fresh;
	unsigned int i, k;

	hft_slab_init(&slab, 64);
	for (i = 0; i < 3; i++)
		objects[i] = hft_slab_take(&slab);
	model_start(give, objects[0]);
	model_start(give, objects[1]);
	hft_slab_give(&slab, objects[2]);
	for (i = 0; i < 3; i++) {
		objects[i] = hft_slab_take(&slab);
		*(uint64_t *)objects[i] = 2;
		for (k = 0; k < i; k++)
			model_check(objects[k] != objects[i]);
	}
	model_join();
	for (i = 0; i < 3; i++)
		hft_slab_give(&slab, objects[i]);
	/* None is lost: all that were ever taken are there. */
	fresh = slab.fresh;
	for (i = (unsigned int)(fresh - (char *)(slab.chunks + 1)) / 64; i; i--)
		hft_slab_take(&slab);
	model_check(slab.fresh == fresh);
	hft_slab_exit(&slab);
}

static void run_handle(void)
{
	HFT_OPTS(hft_spawn_opts, opts, .worker = 1);
	struct hft_handle handle;
	uint64_t i = 0;
	int64_t result = -1;

	open_pool(1, 0);
	model_check(!hft_spawn_opts(pool, task, &i, sizeof(i), &opts, &handle));
	model_check(!hft_join(&handle, UINT64_MAX, &result));
	model_check(!result && ran[0] == 1);
	finish(1);
}

static void run_detach(void)
{
	struct hft_handle handle;
	uint64_t i = 0;

	open_pool(1, 0);
	model_check(!hft_spawn_opts(pool, task, &i, sizeof(i), NULL, &handle));
	hft_detach(&handle);
	hft_pool_close(pool);
	model_check(ran[0] <= 1);
}

static void run_timeout(void)
{
	int err;

	open_pool(1, 0);
	spawn(task, 0);
	err = hft_group_wait(&group, hft_now() + MSEC);
	model_check(!err || err == -ETIMEDOUT);
	finish(1);
}

/* The tasks that one of them had are the other's. */
static void run_remove(void)
{
	open_pool(2, 0);
	model_start(remove_second, NULL);
	spawn(task_with_children, 0);
	model_join();
	finish(3);
}

static void *remove_in_time(void *arg)
{
	unsigned int *removed = arg;
	int err = hft_pool_remove_worker_timed(pool, 1, hft_now() + 1000);

	model_check(!err || err == -ENOENT || err == -ETIMEDOUT);
	__atomic_fetch_add(removed, !err, __ATOMIC_RELAXED);
	return arg;
}

/* Two let it go, and may not wait for it: it is one who has. */
static void run_remove_twice(void)
{
	unsigned int removed = 0;

	open_pool(2, 0);
	model_start(remove_in_time, &removed);
	spawn(task_with_children, 0);
	remove_in_time(&removed);
	model_join();
	model_check(removed <= 1);
	model_check(hft_pool_remove_worker(pool, 1) == (removed ? -ENOENT : 0));
	finish(3);
}

static void run_add(void)
{
	open_pool(1, 0);
	spawn(task_with_children, 0);
	model_check(hft_pool_add_worker(pool, 0) == 1);
	model_check(!hft_pool_remove_worker(pool, 0));
	finish(3);
}

ALL(one, 2);
ALL(one_quiet, 2);
ALL(again, 1);
ALL(handle, 2);
ALL(detach, 3);
ALL(timeout, 1);
ALL(blocks, 1);
ALL(blocks_quiet, 1);
ALL(give_back, 3);
RANDOM(one, 2000);
RANDOM(again, 2000);
RANDOM(children, 3000);
RANDOM(children_quiet, 3000);
RANDOM(two_spawners, 3000);
RANDOM(wait_in_a_task, 3000);
RANDOM(blocks, 10000);
RANDOM(blocks_quiet, 10000);
RANDOM(hands_over, 25000);
RANDOM(handle, 2000);
RANDOM(timeout, 2000);
RANDOM(remove, 3000);
RANDOM(remove_twice, 3000);
RANDOM(add, 3000);

/* Not found: fences that are next to a read-modify-write, which is one on x86. */
int main(void)
{
	const struct CMUnitTest tests[] = {
		HOLDS(one),
		HOLDS(one_quiet),
		HOLDS(again),
		HOLDS(handle),
		HOLDS(detach),
		HOLDS(timeout),
		HOLDS(blocks),
		HOLDS(blocks_quiet),
		HOLDS(give_back),
		HOLDS(one_random),
		HOLDS(again_random),
		HOLDS(children_random),
		HOLDS(children_quiet_random),
		HOLDS(two_spawners_random),
		HOLDS(wait_in_a_task_random),
		HOLDS(blocks_random),
		HOLDS(blocks_quiet_random),
		HOLDS(hands_over_random),
		HOLDS(handle_random),
		HOLDS(timeout_random),
		HOLDS(remove_random),
		HOLDS(remove_twice_random),
		HOLDS(add_random),
		FINDS(NO_MEMBARRIER, fence_all, blocks_random),
		FINDS(NO_FENCE, hft_pool_notify, blocks_quiet_random),
		FINDS(NO_FENCE, hft_pool_wake, hands_over_random),
		FINDS(TORN, unpark, hands_over_random),
		FINDS(TORN, hft_worker_found, hands_over_random),
		FINDS(TORN, hft_inbox_push, two_spawners_random),
		FINDS(TORN, hft_inbox_take, detach),
		FINDS(TORN, hft_group_end, one),
		FINDS(TORN, hft_thread_wait, one),
		FINDS(TORN, hft_wait_done, handle),
		FINDS(TORN, hft_slab_return, give_back),
		FINDS(TORN, hft_slab_refill, give_back),
		FINDS(RELAXED, hft_group_end, children_random),
		FINDS(RELAXED, hft_wait_is_over, one),
		FINDS(RELAXED, hft_wait_done, handle),
		FINDS(RELAXED, hft_inbox_push, one),
		FINDS(RELAXED, hft_inbox_take, one),
		FINDS(RELAXED, hft_slab_return, give_back),
		FINDS(RELAXED, hft_slab_refill, give_back),
		FINDS(RELAXED, hft_detach, detach),
		FINDS(RELAXED, hft_deque_push, blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
