// SPDX-License-Identifier: GPL-2.0-only
/* The pool: what is spawned runs once, where and when it may, and who waits is told. */
#include "pool_set_up.h"

#ifdef __SANITIZE_THREAD__
#define MANY		20000
#define FIB		15
#else
#define MANY		200000
#define FIB		20
#endif

static int64_t give(void *args)
{
	return *(int64_t *)args;
}

static void each_runs_once(void **state)
{
	atomic_uint *times = calloc(MANY, sizeof(*times));
	struct hft_group group;
	atomic_uint *each;
	unsigned int i;

	(void)state;
	hft_group_init(&group, pool);
	for (i = 0; i < MANY; i++) {
		each = &times[i];
		assert_int_equal(hft_group_spawn(&group, count, &each, sizeof(each)), 0);
	}
	wait_for(&group);
	for (i = 0; i < MANY; i++)
		assert_int_equal(times[i], 1);
	free(times);
}

static void *spawn_from_thread(void *arg)
{
	struct spawn_many *many = arg;
	unsigned int i;

	for (i = 0; i < many->nr; i++) {
		if (hft_group_spawn(many->group, count, &many->times, sizeof(many->times)))
			return NULL;
	}
	return many;
}

/* Threads come and go: the memory of those that went is used again. */
static void from_many_threads(void **state)
{
	struct hft_group group;
	atomic_uint times = 0;
	struct spawn_many many = { &group, &times, MANY / 40 };
	pthread_t threads[4];
	unsigned int i, round;
	void *ok;

	(void)state;
	hft_group_init(&group, pool);
	for (round = 0; round < 10; round++) {
		for (i = 0; i < 4; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, spawn_from_thread,
							&many), 0);
		for (i = 0; i < 4; i++) {
			pthread_join(threads[i], &ok);
			assert_non_null(ok);
		}
	}
	wait_for(&group);
	assert_int_equal(times, 40 * many.nr);
}

/* With pauses, so that workers sleep: each is woken for each. */
static void none_is_slept_over(void **state)
{
	uint64_t random = 3;
	struct hft_handle handle;
	int64_t result, value;
	unsigned int i;

	(void)state;
	for (i = 0; i < 300; i++) {
		value = i;
		assert_int_equal(hft_spawn_opts(pool, give, &value, sizeof(value), NULL,
						&handle), 0);
		assert_int_equal(hft_join(&handle, soon(), &result), 0);
		assert_int_equal(result, i);
		usleep(random_below(&random, 300));
	}
}

struct fib {
	uint64_t n;
	uint64_t *result;
};

static int64_t fib(void *args)
{
	struct fib *own = args;
	uint64_t a, b;
	struct fib x = { own->n - 1, &a }, y = { own->n - 2, &b };
	struct hft_group group;
	int err;

	if (own->n < 2) {
		*own->result = own->n;
		return 0;
	}
	hft_group_init(&group, pool);
	err = hft_group_spawn(&group, fib, &x, sizeof(x));
	fib(&y);
	if (!err)
		err = hft_group_wait(&group, UINT64_MAX);
	*own->result = a + b;
	return err;
}

static void tasks_wait_for_their_own(void **state)
{
	static const uint64_t expected[] = { [15] = 610, [20] = 6765 };
	uint64_t result;
	struct fib args = { FIB, &result };
	struct hft_group group;

	(void)state;
	hft_group_init(&group, pool);
	assert_int_equal(hft_group_spawn(&group, fib, &args, sizeof(args)), 0);
	wait_for(&group);
	assert_int_equal(result, expected[FIB]);
}

struct order {
	atomic_uint nr;
	unsigned int level[HFT_LEVELS * 2];
};

struct note {
	struct order *order;
	unsigned int level;
};

static int64_t note_level(void *args)
{
	struct note *note = args;

	note->order->level[atomic_fetch_add(&note->order->nr, 1)] = note->level;
	return 0;
}

static void higher_levels_go_first(void **state)
{
	struct hft_group group;
	struct order order = {};
	struct gate gate = {};
	unsigned int i;

	(void)state;
	hft_group_init(&group, pool);
	close_gate(&gate, &group, 1);
	for (i = 0; i < 2 * HFT_LEVELS; i++) {
		HFT_OPTS(hft_spawn_opts, opts, .group = &group, .level = 1 + i * 3 % HFT_LEVELS);
		struct note note = { &order, opts.level - 1 };

		assert_int_equal(hft_spawn_opts(pool, note_level, &note, sizeof(note), &opts, NULL),
				 0);
	}
	atomic_store(&gate.open, true);
	wait_for(&group);
	assert_int_equal(order.nr, 2 * HFT_LEVELS);
	for (i = 0; i < 2 * HFT_LEVELS; i++)
		assert_int_equal(order.level[i], HFT_LEVELS - 1 - i / 2);
}

static void a_failure_reaches_the_group(void **state)
{
	struct hft_group group;
	int64_t results[] = { 5, -EIO, -EIO, 0 };
	unsigned int i;

	(void)state;
	hft_group_init(&group, pool);
	for (i = 0; i < 4; i++)
		assert_int_equal(hft_group_spawn(&group, give, &results[i], sizeof(*results)), 0);
	assert_int_equal(hft_group_wait(&group, soon()), -EIO);
	assert_int_equal(hft_group_spawn(&group, nothing, NULL, 0), 0);
	wait_for(&group);
}

static void waits_time_out(void **state)
{
	struct hft_handle handle;
	struct hft_group group;
	struct gate gate = {};
	struct gate *args = &gate;

	(void)state;
	hft_group_init(&group, pool);
	close_gate(&gate, &group, 1);
	assert_int_equal(hft_group_wait(&group, 0), -ETIMEDOUT);
	assert_int_equal(hft_group_wait(&group, hft_now() + MSEC), -ETIMEDOUT);
	assert_int_equal(hft_spawn_opts(pool, pass_gate, &args, sizeof(args), NULL, &handle), 0);
	assert_int_equal(hft_join(&handle, 0, NULL), -ETIMEDOUT);
	assert_int_equal(hft_join(&handle, hft_now() + MSEC, NULL), -ETIMEDOUT);
	atomic_store(&gate.open, true);
	wait_for(&group);
	assert_int_equal(hft_join(&handle, soon(), NULL), 0);
	assert_int_equal(hft_join(&handle, soon(), NULL), -EINVAL);
}

static int64_t wait_in_vain(void *args)
{
	struct hft_group *group = *(struct hft_group **)args;

	return hft_group_wait(group, hft_now() + MSEC);
}

static void workers_time_out(void **state)
{
	struct hft_group group, *args = &group;
	struct hft_handle handle;
	struct gate gate = {};
	int64_t result;

	(void)state;
	hft_group_init(&group, pool);
	close_gate(&gate, &group, 1);
	assert_int_equal(hft_spawn_opts(pool, wait_in_vain, &args, sizeof(args), NULL, &handle), 0);
	assert_int_equal(hft_join(&handle, soon(), &result), 0);
	assert_int_equal(result, -ETIMEDOUT);
	atomic_store(&gate.open, true);
	wait_for(&group);
}

static void what_is_not_wanted_does_not_begin(void **state)
{
	struct hft_token token = {};
	struct hft_handle handles[3];
	struct hft_group group;
	struct gate gate = {};
	atomic_uint times = 0, *args = &times;
	HFT_OPTS(hft_spawn_opts, cancelled, .token = &token);
	HFT_OPTS(hft_spawn_opts, expired, .expires = hft_now());
	HFT_OPTS(hft_spawn_opts, neither, .expires = UINT64_MAX);
	int64_t result;

	(void)state;
	hft_group_init(&group, pool);
	close_gate(&gate, &group, 1);
	hft_spawn_opts(pool, count, &args, sizeof(args), &cancelled, &handles[0]);
	hft_spawn_opts(pool, count, &args, sizeof(args), &expired, &handles[1]);
	hft_spawn_opts(pool, count, &args, sizeof(args), &neither, &handles[2]);
	hft_token_cancel(&token);
	assert_true(hft_token_is_cancelled(&token));
	atomic_store(&gate.open, true);
	assert_int_equal(hft_join(&handles[0], soon(), &result), 0);
	assert_int_equal(result, -ECANCELED);
	assert_int_equal(hft_join(&handles[1], soon(), &result), 0);
	assert_int_equal(result, -ETIME);
	assert_int_equal(hft_join(&handles[2], soon(), &result), 0);
	assert_int_equal(result, 0);
	assert_int_equal(times, 1);
	wait_for(&group);
}

static int64_t sum(void *args)
{
	const unsigned char *bytes = args;
	int64_t total = 0;
	unsigned int i;

	for (i = 1; i <= bytes[0]; i++)
		total += bytes[i];
	return total;
}

static void arguments_of_any_size(void **state)
{
	unsigned char args[HFT_SPAWN_ARGS_MAX + 1];
	struct hft_handle handle;
	int64_t result, total;
	size_t size, i;

	(void)state;
	for (size = 1; size <= 256; size++) {
		args[0] = (unsigned char)(size - 1);
		for (total = 0, i = 1; i < size; i++)
			total += args[i] = (unsigned char)(i * size);
		assert_int_equal(hft_spawn_opts(pool, sum, args, size, NULL, &handle), 0);
		memset(args, 0xff, sizeof(args));
		assert_int_equal(hft_join(&handle, soon(), &result), 0);
		assert_int_equal(result, total);
	}
	assert_int_equal(hft_spawn(pool, nothing, args, sizeof(args)), -E2BIG);
	assert_int_equal(hft_spawn(pool, nothing, args, sizeof(args) - 1), 0);
}

static void bad_calls(void **state)
{
	struct hft_handle handle = {};
	struct hft_group other;
	HFT_OPTS(hft_spawn_opts, level, .level = 1 + HFT_LEVELS);
	HFT_OPTS(hft_spawn_opts, worker, .worker = 1 + WORKERS);
	HFT_OPTS(hft_spawn_opts, group, .group = &other);
	HFT_OPTS(hft_pool_opts, flags, .flags = 1U << 31);
	HFT_OPTS(hft_pool_opts, workers, .workers = HFT_POOL_WORKERS_MAX + 1);
	HFT_OPTS(hft_pool_opts, cpu, .workers = 1, .cpus = (uint32_t[]){ 100000 });
	struct hft_pool *none = NULL;

	(void)state;
	hft_group_init(&other, NULL);
	assert_int_equal(hft_spawn(pool, NULL, NULL, 0), -EINVAL);
	assert_int_equal(hft_spawn(pool, nothing, NULL, 1), -EINVAL);
	assert_int_equal(hft_spawn_opts(pool, nothing, NULL, 0, &level, NULL), -EINVAL);
	assert_int_equal(hft_spawn_opts(pool, nothing, NULL, 0, &group, NULL), -EINVAL);
	assert_int_equal(hft_spawn_opts(pool, nothing, NULL, 0, &worker, NULL), -ENODEV);
	assert_int_equal(hft_join(&handle, 0, NULL), -EINVAL);
	hft_detach(&handle);
	assert_int_equal(hft_pool_open(&none, &flags), -EINVAL);
	assert_int_equal(hft_pool_open(&none, &workers), -EINVAL);
	assert_int_equal(hft_pool_open(&none, &cpu), -EINVAL);
	assert_null(none);
	assert_int_equal(hft_pool_remove_worker(pool, WORKERS), -ENOENT);
	assert_int_equal(hft_pool_worker(), -ENOENT);
}

static void detached_tasks_run(void **state)
{
	atomic_uint times = 0, *args = &times;
	struct hft_handle handle;
	unsigned int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		assert_int_equal(hft_spawn_opts(pool, count, &args, sizeof(args), NULL,
						&handle), 0);
		hft_detach(&handle);
	}
	while (atomic_load(&times) < 1000)
		usleep(100);
}

static void what_was_done_is_counted(void **state)
{
	HFT_OPTS(hft_pool_stats, all);
	HFT_OPTS(hft_pool_stats, one);
	struct hft_group group;
	int64_t failure = -EIO;
	uint64_t executed = 0;
	unsigned int i;

	(void)state;
	hft_group_init(&group, pool);
	for (i = 0; i < 1000; i++)
		assert_int_equal(hft_group_spawn(&group, nothing, NULL, 0), 0);
	assert_int_equal(hft_group_spawn(&group, give, &failure, sizeof(failure)), 0);
	assert_int_equal(hft_group_wait(&group, soon()), -EIO);
	assert_int_equal(hft_pool_stats(pool, HFT_POOL_ALL, &all), 0);
	assert_int_equal(all.spawned, 1001);
	assert_int_equal(all.executed, 1001);
	assert_int_equal(all.failed, 1);
	assert_int_equal(all.cancelled, 0);
	assert_int_equal(all.depth, 0);
	for (i = 0; i < WORKERS; i++) {
		assert_int_equal(hft_pool_stats(pool, i, &one), 0);
		executed += one.executed;
	}
	assert_int_equal(executed, 1001);
	assert_int_equal(hft_pool_stats(pool, WORKERS, &one), -ENOENT);
	one.sz = 1;
	assert_int_equal(hft_pool_stats(pool, 0, &one), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with(, each_runs_once),
		with(_one, each_runs_once),
		with(_quiet, each_runs_once),
		with(, from_many_threads),
		with(, none_is_slept_over),
		with(_quiet, none_is_slept_over),
		with(, tasks_wait_for_their_own),
		with(_one, tasks_wait_for_their_own),
		with(_one, higher_levels_go_first),
		with(, a_failure_reaches_the_group),
		with(, waits_time_out),
		with(, workers_time_out),
		with(_one, what_is_not_wanted_does_not_begin),
		with(, arguments_of_any_size),
		with(, bad_calls),
		with(, detached_tasks_run),
		with(, what_was_done_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
