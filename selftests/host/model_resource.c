// SPDX-License-Identifier: GPL-2.0-only
/* flavours: model */
/* Locks and resources in all interleavings of few preemptions. */
#include <errno.h>
#include <string.h>

#include <hft/hft.h>
#include <hft/pool.h>
#include <hft/resource.h>

#include "lock.h"
#include "model/cases.h"

static struct hft_lock lock;
static struct hft_resource *resources[2];
static uint64_t value;			/* not atomic: who has not the lock races */
static unsigned int refused;

static void *add_locked(void *arg)
{
	hft_lock(&lock);
	value++;
	hft_unlock(&lock);
	return arg;
}

static void run_locks(void)
{
	memset(&lock, 0, sizeof(lock));
	value = 0;
	model_start(add_locked, NULL);
	model_start(add_locked, NULL);
	add_locked(NULL);
	model_join();
	model_check(value == 3 && !lock.word);
}

static void begin(uint32_t units, uint32_t flags)
{
	HFT_OPTS(hft_resource_opts, opts, .units = units, .flags = flags);

	value = 0;
	refused = 0;
	model_check(!hft_resource_open(&resources[0], &opts));
	model_check(!hft_resource_open(&resources[1], &opts));
}

static void finish(void)
{
	model_join();
	model_check(!hft_resource_close(resources[0]));
	model_check(!hft_resource_close(resources[1]));
}

static void *add(void *arg)
{
	model_check(!hft_resource_acquire(resources[0]));
	value++;
	model_check(!hft_resource_release(resources[0]));
	return arg;
}

static void *add_at_high(void *arg)
{
	model_check(!hft_resource_thread(HFT_LEVEL_HIGH, 0));
	add(arg);
	model_check(hft_resource_level() == HFT_LEVEL_HIGH);
	return arg;
}

static void run_exclusive(void)
{
	begin(1, 0);
	model_start(add, NULL);
	add(NULL);
	finish();
	model_check(value == 2);
}

/* What one is lent it gives back. */
static void run_three(void)
{
	begin(1, 0);
	model_start(add, NULL);
	model_start(add_at_high, NULL);
	add(NULL);
	model_check(hft_resource_level() == HFT_LEVEL_NORMAL);
	finish();
	model_check(value == 3);
}

static void *add_in_time(void *arg)
{
	int err = hft_resource_timed(resources[0], hft_now() + 1000);

	if (err) {
		model_check(err == -ETIMEDOUT);
		refused++;
		return arg;
	}
	value++;
	model_check(!hft_resource_release(resources[0]));
	return arg;
}

/* A time that is over as it is granted: one of the two. */
static void run_timed(void)
{
	begin(1, 0);
	model_start(add_in_time, NULL);
	add(NULL);
	add(NULL);
	finish();
	model_check(value + refused == 3);
}

static void *try_to_add(void *arg)
{
	int err = hft_resource_try(resources[0]);

	if (err) {
		model_check(err == -EBUSY);
		refused++;
		return arg;
	}
	value++;
	model_check(!hft_resource_release(resources[0]));
	return arg;
}

static void run_at_once(void)
{
	begin(1, 0);
	model_start(try_to_add, NULL);
	add(NULL);
	finish();
	model_check(value + refused == 2);
}

static void *look(void *arg)
{
	uint64_t seen;

	model_check(!hft_resource_share(resources[0]));
	seen = value;
	model_check(seen <= 1);
	model_check(!hft_resource_release(resources[0]));
	return arg;
}

static void run_shared(void)
{
	begin(1, 0);
	model_start(look, NULL);
	model_start(look, NULL);
	add(NULL);
	finish();
}

static void *have_unit(void *arg)
{
	model_check(!hft_resource_acquire(resources[0]));
	model_check(__atomic_add_fetch(&value, 1, __ATOMIC_RELAXED) <= 2);
	__atomic_sub_fetch(&value, 1, __ATOMIC_RELAXED);
	model_check(!hft_resource_release(resources[0]));
	return arg;
}

static void run_units(void)
{
	begin(2, 0);
	model_start(have_unit, NULL);
	model_start(have_unit, NULL);
	have_unit(NULL);
	finish();
}

/* @arg: the one that is taken first, the other after it: or it is refused. */
static void *have_both(void *arg)
{
	struct hft_resource *first = *(struct hft_resource **)arg;
	struct hft_resource *second = resources[first == resources[0]];
	int err;

	model_check(!hft_resource_acquire(first));
	err = hft_resource_acquire(second);
	if (err) {
		model_check(err == -EDEADLK);
		__atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
	} else {
		value++;
		model_check(!hft_resource_release(second));
	}
	model_check(!hft_resource_release(first));
	return arg;
}

/* Two look for a deadlock at once: one is refused, and not both. */
static void run_deadlock(void)
{
	begin(1, 0);
	model_start(have_both, &resources[0]);
	have_both(&resources[1]);
	finish();
	model_check(value + refused == 2 && refused <= 1);
}

static int64_t add_as_task(void *args)
{
	(void)args;
	value++;
	return 0;
}

/* Tasks that declare it against a thread that takes it: it is nobody's in the end. */
static void run_declared(void)
{
	HFT_OPTS(hft_pool_opts, pool_opts, .workers = 2, .flags = HFT_POOL_UNPINNED);
	struct hft_required needs[2];
	HFT_OPTS(hft_spawn_opts, opts, .resources = needs, .nr_resources = 2);
	struct hft_group group;
	struct hft_pool *pool;

	begin(1, 0);
	needs[0] = (struct hft_required){ .resource = resources[0] };
	needs[1] = (struct hft_required){ .resource = resources[1] };
	model_check(!hft_pool_open(&pool, &pool_opts));
	hft_group_init(&group, pool);
	opts.group = &group;
	model_start(add, NULL);
	model_check(!hft_spawn_opts(pool, add_as_task, NULL, 0, &opts, NULL));
	opts.level = 1 + HFT_LEVEL_HIGH;
	model_check(!hft_spawn_opts(pool, add_as_task, NULL, 0, &opts, NULL));
	add(NULL);
	model_check(!hft_group_wait(&group, UINT64_MAX));
	model_join();
	hft_pool_close(pool);
	finish();
	model_check(value == 4);
}

ALL(locks, 4);
ALL(exclusive, 3);
ALL(three, 2);
ALL(timed, 2);
ALL(at_once, 3);
ALL(shared, 2);
ALL(units, 2);
ALL(deadlock, 3);
RANDOM(three, 5000);
RANDOM(timed, 5000);
RANDOM(shared, 5000);
RANDOM(units, 5000);
RANDOM(deadlock, 5000);
RANDOM(declared, 5000);

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOLDS(locks),
		HOLDS(exclusive),
		HOLDS(three),
		HOLDS(timed),
		HOLDS(at_once),
		HOLDS(shared),
		HOLDS(units),
		HOLDS(deadlock),
		HOLDS(three_random),
		HOLDS(timed_random),
		HOLDS(shared_random),
		HOLDS(units_random),
		HOLDS(deadlock_random),
		HOLDS(declared_random),
		FINDS(TORN, hft_lock, locks),
		FINDS(TORN, hft_unlock, locks),
		FINDS(RELAXED, hft_lock, locks),
		FINDS(RELAXED, hft_unlock, locks),
		FINDS(RELAXED, hft_lock_slow, locks),
		FINDS(RELAXED, hft_unlock_slow, locks),
		FINDS(TORN, take_fast, exclusive),
		FINDS(RELAXED, take_fast, exclusive),
		FINDS(TORN, release_plain, exclusive),
		FINDS(RELAXED, release_plain, exclusive),
		FINDS(TORN, give_fast, units),
		FINDS(RELAXED, give_fast, shared),
		FINDS(TORN, hft_resource_contend, exclusive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
