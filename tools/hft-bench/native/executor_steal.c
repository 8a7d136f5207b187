// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A worker is at a task for long, and another steals what that has spawned, one by one:
 * from the end of one such task to the start of the next is a steal, with all that comes
 * with it.  A task takes so long that it is worth it.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include <hft/hft.h>
#include <hft/pool.h>

#include "executor.h"
#include "quantile.h"

#define ROUNDS		31
#define TASKS		1000
#define TASK_NS		700
#define LOOK_NS		20000

static uint64_t starts[TASKS], ends[TASKS];
static _Atomic unsigned int nr_ended;

static int64_t stolen(void *args)
{
	unsigned int i = atomic_load_explicit(&nr_ended, memory_order_relaxed);

	(void)args;
	starts[i] = hft_now();
	hft_spin_until(starts[i] + TASK_NS);
	ends[i] = hft_now();
	atomic_store_explicit(&nr_ended, i + 1, memory_order_release);
	return 0;
}

static int64_t spawn_for_others(void *args)
{
	struct hft_pool *pool = *(struct hft_pool **)args;
	unsigned int i;

	atomic_store(&nr_ended, 0);
	for (i = 0; i < TASKS; i++)
		executor_check(hft_spawn(pool, stolen, NULL, 0));
	/* Seldom: a thief that had to have this line back would wait for it. */
	while (atomic_load_explicit(&nr_ended, memory_order_acquire) != TASKS)
		hft_spin_until(hft_now() + LOOK_NS);
	return 0;
}

void executor_steals(void)
{
	static double ns[ROUNDS * (TASKS - 1)];
	HFT_OPTS(hft_pool_opts, opts, .workers = 2, .spin_ns = HFT_SPIN_FOREVER);
	HFT_OPTS(hft_spawn_opts, spawn, .worker = 1);
	struct hft_pool *pool;
	struct hft_group group;
	unsigned int i, k, nr = 0;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		puts("skip steal_ns it takes two CPUs");
		return;
	}
	executor_check(hft_pool_open(&pool, &opts));
	hft_group_init(&group, pool);
	spawn.group = &group;
	for (i = 0; i < ROUNDS; i++) {
		executor_check(hft_spawn_opts(pool, spawn_for_others, &pool, sizeof(pool), &spawn,
					      NULL));
		executor_check(hft_group_wait(&group, UINT64_MAX));
		for (k = 1; k < TASKS; k++)
			ns[nr++] = (double)(starts[k] - ends[k - 1]);
	}
	hft_pool_close(pool);
	printf("figure steal_ns %.0f\n", median(ns, nr));
	printf("note steal_ns: from the end of a stolen task to the start of the next; p10 %.0f p90 %.0f\n",
	       quantile(ns, nr, 0.1), quantile(ns, nr, 0.9));
}
