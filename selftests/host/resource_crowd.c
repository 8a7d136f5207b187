// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Tasks that declare resources, and tasks and threads that take them, all at once. */
#include <errno.h>
#include <stdatomic.h>

#include <hft/pool.h>

#include "random.h"
#include "resource_actor.h"

#ifdef __SANITIZE_THREAD__
#define TASKS		1000
#else
#define TASKS		10000
#endif

/* Who has what: each looks whether it is alone that should be, or among as many as may. */
#define KINDS		5

static const uint32_t units[KINDS] = { 1, 1, 1, 2, 3 };

struct crowd {
	struct hft_pool *pool;
	struct hft_resource *resource[KINDS];
	atomic_int alone[KINDS];
	atomic_int with_others[KINDS];
	atomic_uint wrong;
	atomic_uint refused;
	atomic_uint run;
};

/* What one has, and whether it shares that. */
struct having {
	uint32_t nr;
	uint32_t kind[KINDS];
	bool shared[KINDS];
};

static void come(struct crowd *crowd, uint32_t kind, bool shared)
{
	int others;

	if (units[kind] == 1 && !shared) {
		others = atomic_fetch_add(&crowd->alone[kind], 1) + crowd->with_others[kind];
	} else {
		others = crowd->alone[kind];
		if (atomic_fetch_add(&crowd->with_others[kind], 1) >= (int)units[kind] &&
		    units[kind] > 1)
			others++;
	}
	if (others)
		atomic_fetch_add(&crowd->wrong, 1);
}

static void go(struct crowd *crowd, uint32_t kind, bool shared)
{
	atomic_fetch_sub(units[kind] == 1 && !shared ? &crowd->alone[kind] :
						       &crowd->with_others[kind], 1);
}

static void choose(struct having *having, uint64_t *random, uint32_t most)
{
	uint32_t i, kind, nr = random_below(random, most + 1);

	having->nr = 0;
	while (having->nr < nr) {
		kind = random_below(random, KINDS);
		for (i = 0; i < having->nr && having->kind[i] != kind; i++)
			;
		if (i < having->nr)
			continue;
		having->kind[i] = kind;
		having->shared[i] = random_below(random, 3) == 0;
		having->nr++;
	}
}

/* One after the other, in any order; who is refused gives back what it has. */
static void take_and_give(struct crowd *crowd, const struct having *having)
{
	uint32_t i;
	int err = 0;

	for (i = 0; !err && i < having->nr; i++) {
		struct hft_resource *r = crowd->resource[having->kind[i]];

		err = having->shared[i] ? hft_resource_share(r) : hft_resource_acquire(r);
		if (!err)
			come(crowd, having->kind[i], having->shared[i]);
	}
	if (err) {
		i--;
		atomic_fetch_add(err == -EDEADLK ? &crowd->refused : &crowd->wrong, 1);
	}
	while (i--) {
		go(crowd, having->kind[i], having->shared[i]);
		if (hft_resource_release(crowd->resource[having->kind[i]]))
			atomic_fetch_add(&crowd->wrong, 1);
	}
}

struct crowd_task {
	struct crowd *crowd;
	struct having declared;
	struct having more;
};

static int64_t run_in_crowd(void *args)
{
	struct crowd_task *task = args;
	uint32_t i;

	for (i = 0; i < task->declared.nr; i++)
		come(task->crowd, task->declared.kind[i], task->declared.shared[i]);
	take_and_give(task->crowd, &task->more);
	for (i = 0; i < task->declared.nr; i++)
		go(task->crowd, task->declared.kind[i], task->declared.shared[i]);
	atomic_fetch_add(&task->crowd->run, 1);
	return 0;
}

static int spawn_in_crowd(struct crowd *crowd, struct hft_group *group, uint64_t *random)
{
	struct crowd_task task = { .crowd = crowd };
	struct hft_required required[KINDS];
	HFT_OPTS(hft_spawn_opts, opts, .group = group, .resources = required);
	uint32_t i;

	choose(&task.declared, random, 3);
	choose(&task.more, random, 2);
	for (i = 0; i < task.declared.nr; i++)
		required[i] = (struct hft_required){
			.resource = crowd->resource[task.declared.kind[i]],
			.shared = task.declared.shared[i],
		};
	opts.nr_resources = task.declared.nr;
	opts.level = random_below(random, HFT_LEVELS + 1);
	opts.worker = random_below(random, 8) ? 0 : 1 + random_below(random, 2);
	return hft_spawn_opts(crowd->pool, run_in_crowd, &task, sizeof(task), &opts, NULL);
}

/* A thread that spawns tasks, and takes what they need meanwhile. */
static void *join_crowd(void *arg)
{
	struct crowd *crowd = arg;
	uint64_t random = (uint64_t)(uintptr_t)&random >> 12;
	struct hft_group group;
	struct having having;
	int i;

	hft_group_init(&group, crowd->pool);
	for (i = 0; i < TASKS / 2; i++) {
		if (spawn_in_crowd(crowd, &group, &random))
			return NULL;
		choose(&having, &random, 3);
		take_and_give(crowd, &having);
		if (i % 64 == 63 && hft_group_wait(&group, hft_now() + PATIENCE))
			return NULL;
	}
	return hft_group_wait(&group, hft_now() + PATIENCE) ? NULL : crowd;
}

/* None of them waits for ever: neither in a circle that was not seen, nor for a wake-up. */
static void a_crowd_of_tasks_and_threads(void **state)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = 2, .flags = HFT_POOL_UNPINNED);
	struct crowd crowd = {};
	pthread_t threads[2];
	uint32_t i;
	void *ok;

	(void)state;
	assert_int_equal(hft_pool_open(&crowd.pool, &opts), 0);
	for (i = 0; i < KINDS; i++)
		crowd.resource[i] = make(NULL, units[i]);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, join_crowd, &crowd), 0);
	for (i = 0; i < 2; i++) {
		pthread_join(threads[i], &ok);
		assert_non_null(ok);
	}
	print_message("%u tasks, %u were refused\n", crowd.run, crowd.refused);
	assert_int_equal(crowd.wrong, 0);
	assert_int_equal(crowd.run, TASKS / 2 * 2);
	hft_pool_close(crowd.pool);
	for (i = 0; i < KINDS; i++) {
		assert_int_equal(stats_of(crowd.resource[i]).holders, 0);
		assert_int_equal(hft_resource_close(crowd.resource[i]), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crowd_of_tasks_and_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
