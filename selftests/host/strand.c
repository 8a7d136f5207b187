// SPDX-License-Identifier: GPL-2.0-only
/* Strands: the tasks of a key in order and never together, and nothing left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hft/hft.h>
#include <hft/strand.h>

#include "random.h"

#define MSEC		1000000ULL
#define PATIENCE	(100000 * MSEC)
#define WORKERS		3
#define POSTERS		3

#ifdef __SANITIZE_THREAD__
#define POSTS		20000
#define MANY_KEYS	20000
#else
#define POSTS		300000
#define MANY_KEYS	1000000
#endif

static struct hft_pool *pool;
static struct hft_strands *strands;

static int open_strands(uint32_t workers, uint32_t keys)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = workers, .flags = HFT_POOL_UNPINNED);
	HFT_OPTS(hft_strands_opts, strands_opts, .keys = keys);

	if (hft_pool_open(&pool, &opts))
		return -1;
	strands_opts.pool = pool;
	return hft_strands_open(&strands, &strands_opts);
}

static int set_up(void **state)
{
	(void)state;
	return open_strands(WORKERS, 0);
}

/* All keys are in a few lists. */
static int set_up_narrow(void **state)
{
	(void)state;
	return open_strands(WORKERS, 4);
}

static int set_up_one(void **state)
{
	(void)state;
	return open_strands(1, 0);
}

static int tear_down(void **state)
{
	(void)state;
	hft_strands_close(strands);
	hft_pool_close(pool);
	return 0;
}

static void wait_for(struct hft_group *group)
{
	assert_int_equal(hft_group_wait(group, hft_now() + PATIENCE), 0);
	/* The group ends with the task, the key a moment before. */
	assert_int_equal(hft_strands_keys(strands), 0);
}

/* Not atomic but for the flag: a task that ran at the same time would break it. */
struct key {
	atomic_bool busy;
	uint32_t next[POSTERS];
	uint32_t runs;
	bool wrong;
};

struct message {
	struct key *key;
	uint32_t poster;
	uint32_t number;
};

static int64_t take(void *args)
{
	const struct message *message = args;
	struct key *key = message->key;

	if (atomic_exchange(&key->busy, true) || key->next[message->poster] != message->number)
		key->wrong = true;
	key->next[message->poster]++;
	key->runs++;
	atomic_store(&key->busy, false);
	return 0;
}

struct poster {
	struct hft_group *group;
	struct key *keys;
	uint32_t nr_keys;
	uint32_t number;
	uint32_t posted;
};

/* In the order of the poster's own numbers for each key. */
static int64_t post_many(struct poster *poster)
{
	uint32_t *next = calloc(poster->nr_keys, sizeof(*next));
	uint64_t random = poster->number + 1;
	uint32_t i, key;
	int err = 0;

	for (i = 0; i < POSTS / POSTERS && !err; i++) {
		HFT_OPTS(hft_post_opts, opts, .group = poster->group,
			 .level = random_below(&random, 1 + HFT_LEVELS));
		struct message message = { .poster = poster->number };

		key = random_below(&random, poster->nr_keys);
		message.key = &poster->keys[key];
		message.number = next[key]++;
		err = hft_post_opts(strands, key, take, &message, sizeof(message), &opts);
		poster->posted += !err;
	}
	free(next);
	return err;
}

static void *poster_thread(void *arg)
{
	return post_many(arg) ? NULL : arg;
}

static int64_t poster_task(void *args)
{
	return post_many(*(struct poster **)args);
}

static void check_keys(const struct key *keys, uint32_t nr, uint32_t posted)
{
	uint32_t i, runs = 0;

	for (i = 0; i < nr; i++) {
		assert_false(keys[i].wrong);
		runs += keys[i].runs;
	}
	assert_int_equal(runs, posted);
}

static void from_threads(uint32_t nr_keys)
{
	struct key *keys = calloc(nr_keys, sizeof(*keys));
	struct poster posters[POSTERS] = {};
	pthread_t threads[POSTERS];
	struct hft_group group;
	uint32_t i, posted = 0;
	void *ok;

	hft_group_init(&group, pool);
	for (i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster){ &group, keys, nr_keys, i, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, poster_thread, &posters[i]), 0);
	}
	for (i = 0; i < POSTERS; i++) {
		pthread_join(threads[i], &ok);
		assert_non_null(ok);
		posted += posters[i].posted;
	}
	wait_for(&group);
	check_keys(keys, nr_keys, posted);
	free(keys);
}

static void one_key(void **state)
{
	(void)state;
	from_threads(1);
}

static void some_keys(void **state)
{
	(void)state;
	from_threads(50);
}

static void many_keys(void **state)
{
	(void)state;
	from_threads(MANY_KEYS);
}

static void from_tasks(void **state)
{
	struct key *keys = calloc(100, sizeof(*keys));
	struct poster posters[POSTERS] = {}, *poster;
	struct hft_group group, posting;
	uint32_t i, posted = 0;

	(void)state;
	hft_group_init(&group, pool);
	hft_group_init(&posting, pool);
	for (i = 0; i < POSTERS; i++) {
		poster = &posters[i];
		*poster = (struct poster){ &group, keys, 100, i, 0 };
		assert_int_equal(hft_group_spawn(&posting, poster_task, &poster,
						 sizeof(poster)), 0);
	}
	assert_int_equal(hft_group_wait(&posting, hft_now() + PATIENCE), 0);
	for (i = 0; i < POSTERS; i++)
		posted += posters[i].posted;
	wait_for(&group);
	check_keys(keys, 100, posted);
	free(keys);
}

/* A key that never ends is no reason for others to wait. */
static int64_t post_again(void *args)
{
	atomic_bool *stop = *(atomic_bool **)args;

	if (atomic_load(stop))
		return 0;
	return hft_post(strands, 1, post_again, &stop, sizeof(stop));
}

static int64_t set_flag(void *args)
{
	atomic_store(*(atomic_bool **)args, true);
	return 0;
}

static void others_have_their_turn(void **state)
{
	atomic_bool stop = false, *args = &stop;
	struct hft_group group;
	HFT_OPTS(hft_post_opts, opts, .group = &group);

	(void)state;
	hft_group_init(&group, pool);
	assert_int_equal(hft_post(strands, 1, post_again, &args, sizeof(args)), 0);
	assert_int_equal(hft_post_opts(strands, 2, set_flag, &args, sizeof(args), &opts), 0);
	assert_int_equal(hft_group_wait(&group, hft_now() + PATIENCE), 0);
	hft_strands_close(strands);
	strands = NULL;
}

static int64_t exit_thread(void *args)
{
	(void)args;
	pthread_exit(NULL);
}

/* Its key goes on without it. */
static void a_task_that_ends_its_thread(void **state)
{
	atomic_bool flag = false, *args = &flag;
	struct hft_group group;
	HFT_OPTS(hft_post_opts, opts, .group = &group);
	int i;

	(void)state;
	hft_group_init(&group, pool);
	for (i = 0; i < 5; i++)
		assert_int_equal(hft_post_opts(strands, 3, exit_thread, NULL, 0, &opts), 0);
	assert_int_equal(hft_post_opts(strands, 3, set_flag, &args, sizeof(args), &opts), 0);
	assert_int_equal(hft_group_wait(&group, hft_now() + PATIENCE), -EOWNERDEAD);
	assert_true(flag);
	assert_int_equal(hft_strands_keys(strands), 0);
}

static int64_t give(void *args)
{
	return *(int64_t *)args;
}

static void a_failure_reaches_the_group(void **state)
{
	struct hft_group group;
	HFT_OPTS(hft_post_opts, opts, .group = &group);
	int64_t results[] = { 3, -EIO, 0 };
	uint32_t i;

	(void)state;
	hft_group_init(&group, pool);
	for (i = 0; i < 3; i++)
		assert_int_equal(hft_post_opts(strands, 9, give, &results[i], sizeof(*results),
					       &opts), 0);
	assert_int_equal(hft_group_wait(&group, hft_now() + PATIENCE), -EIO);
}

static void bad_calls(void **state)
{
	unsigned char args[HFT_POST_ARGS_MAX + 1] = {};
	struct hft_group other;
	HFT_OPTS(hft_post_opts, level, .level = 1 + HFT_LEVELS);
	HFT_OPTS(hft_post_opts, group, .group = &other);
	HFT_OPTS(hft_strands_opts, none);
	HFT_OPTS(hft_strands_opts, keys, .pool = pool, .keys = UINT32_MAX);
	struct hft_strands *no;

	(void)state;
	hft_group_init(&other, NULL);
	assert_int_equal(hft_post(strands, 0, NULL, NULL, 0), -EINVAL);
	assert_int_equal(hft_post(strands, 0, give, NULL, 8), -EINVAL);
	assert_int_equal(hft_post(strands, 0, give, args, sizeof(args)), -E2BIG);
	assert_int_equal(hft_post_opts(strands, 0, give, args, 8, &level), -EINVAL);
	assert_int_equal(hft_post_opts(strands, 0, give, args, 8, &group), -EINVAL);
	assert_int_equal(hft_strands_open(&no, &none), -EINVAL);
	assert_int_equal(hft_strands_open(&no, &keys), -EINVAL);
	assert_int_equal(hft_strands_keys(strands), 0);
}

#define with(strands, test)	cmocka_unit_test_setup_teardown(test, set_up##strands, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with(, one_key),
		with(, some_keys),
		with(_narrow, some_keys),
		with(_one, some_keys),
		with(, many_keys),
		with(, from_tasks),
		with(, others_have_their_turn),
		with(_one, others_have_their_turn),
		with(, a_task_that_ends_its_thread),
		with(, a_failure_reaches_the_group),
		with(, bad_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
