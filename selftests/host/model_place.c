// SPDX-License-Identifier: GPL-2.0-only
/* flavours: model */
/*
 * Workers that are reserved, and tasks that go to where their memory is, in many
 * interleavings: no task is slept over or lost.
 */
#include "model/cases.h"
#include "model/pool.h"

static struct hft_memory book;

static void open_pool(uint32_t reserved, uint32_t flags)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = 2, .flags = HFT_POOL_UNPINNED | flags,
		 .reserved = reserved);

	book = (struct hft_memory){ .last = 1 + 1, .miss_ns = 1 };
	open_pool_of(&opts);
}

static int64_t task_on_second(void *args)
{
	model_check(hft_pool_worker() == 1);
	return task(args);
}

static int64_t task_with_child(void *args)
{
	uint64_t i = 2;

	model_check(!hft_group_spawn(&group, task, &i, sizeof(i)));
	return task_on_second(args);
}

static void spawn(hft_spawn_fn fn, uint64_t i, struct hft_spawn_opts opts)
{
	opts.sz = sizeof(opts);
	opts.group = &group;
	model_check(!hft_spawn_opts(pool, fn, &i, sizeof(i), &opts, NULL));
}

/* Nobody relies on the one that is reserved to find a task, though it looks for its own. */
static void reserve(uint32_t flags)
{
	open_pool(1, flags);
	spawn(task_on_second, 0, (struct hft_spawn_opts){ .worker = 2 });
	spawn(task, 1, (struct hft_spawn_opts){});
	finish(2);
}

static void run_reserved(void)
{
	reserve(0);
}

static void run_reserved_quiet(void)
{
	reserve(HFT_POOL_QUIET);
}

/* And the other way round: what its tasks spawn, others may have. */
static void run_reserved_spawns(void)
{
	open_pool(1, 0);
	spawn(task_with_child, 0, (struct hft_spawn_opts){ .worker = 2 });
	spawn(task, 1, (struct hft_spawn_opts){ .deadline = 1 });
	finish(3);
}

static void run_home(void)
{
	open_pool(0, 0);
	spawn(task_on_second, 0, (struct hft_spawn_opts){ .memory = &book, .cost_ns = 1 });
	finish(1);
	model_check(book.last == 1 + 1);
}

/* Whoever has the task then, it runs. */
static void run_home_leaves(void)
{
	open_pool(0, 0);
	model_start(remove_second, NULL);
	spawn(task, 0, (struct hft_spawn_opts){ .memory = &book, .cost_ns = 1 });
	spawn(task, 1, (struct hft_spawn_opts){ .memory = &book, .deadline = 1 });
	model_join();
	finish(2);
}

RANDOM(reserved, 3000);
RANDOM(reserved_quiet, 3000);
RANDOM(reserved_spawns, 3000);
RANDOM(home, 2000);
RANDOM(home_leaves, 4000);

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOLDS(reserved_random),
		HOLDS(reserved_quiet_random),
		HOLDS(reserved_spawns_random),
		HOLDS(home_random),
		HOLDS(home_leaves_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
