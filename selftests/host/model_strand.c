// SPDX-License-Identifier: GPL-2.0-only
/* flavours: model */
/* Strands in many interleavings: in order, never together, none lost, nothing left. */
#include <string.h>

#include <hft/hft.h>
#include <hft/strand.h>

#include "model/cases.h"

#define POSTERS		2
#define KEYS		2

static struct hft_pool *pool;
static struct hft_strands *strands;
static struct hft_group group;

/* Not atomic: tasks of a key at a time, or not ordered, are a data race. */
static struct {
	uint64_t next[POSTERS];
	uint64_t runs;
} keys[KEYS];

struct message {
	uint64_t key;
	uint64_t poster;
	uint64_t number;
};

static void begin(uint32_t workers)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = workers, .flags = HFT_POOL_UNPINNED);
	HFT_OPTS(hft_strands_opts, strands_opts, .keys = 1);

	memset(keys, 0, sizeof(keys));
	model_check(!hft_pool_open(&pool, &opts));
	strands_opts.pool = pool;
	model_check(!hft_strands_open(&strands, &strands_opts));
	hft_group_init(&group, pool);
}

static int64_t take(void *args)
{
	const struct message *message = args;

	model_check(keys[message->key].next[message->poster]++ == message->number);
	keys[message->key].runs++;
	return 0;
}

static void post(uint64_t key, uint64_t poster, uint64_t number)
{
	HFT_OPTS(hft_post_opts, opts, .group = &group);
	struct message message = { key, poster, number };

	model_check(!hft_post_opts(strands, key, take, &message, sizeof(message), &opts));
}

static void *post_two(void *arg)
{
	post(0, 1, 0);
	post(0, 1, 1);
	return arg;
}

static void finish(uint64_t first, uint64_t second)
{
	model_join();
	model_check(!hft_group_wait(&group, UINT64_MAX));
	model_check(keys[0].runs == first && keys[1].runs == second);
	model_check(!hft_strands_keys(strands));
	hft_strands_close(strands);
	hft_pool_close(pool);
}

/* The worker ends the last of a key as another is posted. */
static void run_again(void)
{
	begin(1);
	post(0, 0, 0);
	post(0, 0, 1);
	finish(2, 0);
}

static void run_two_posters(void)
{
	begin(2);
	model_start(post_two, NULL);
	post(0, 0, 0);
	post(0, 0, 1);
	finish(4, 0);
}

/* Of one hash, or of two. */
static void run_two_keys(void)
{
	begin(2);
	model_start(post_two, NULL);
	post(1, 0, 0);
	post(0, 0, 0);
	post(1, 0, 1);
	finish(3, 2);
}

static int64_t post_more(void *args)
{
	post(0, 0, 1);
	post(1, 0, 0);
	return take(args);
}

/* A task posts to its own key, and to another. */
static void run_from_a_task(void)
{
	HFT_OPTS(hft_post_opts, opts, .group = &group);
	struct message message = { 0, 0, 0 };

	begin(2);
	model_check(!hft_post_opts(strands, 0, post_more, &message, sizeof(message), &opts));
	finish(2, 1);
}

static void run_levels(void)
{
	HFT_OPTS(hft_post_opts, opts, .group = &group, .level = HFT_LEVELS);
	struct message message = { 1, 0, 0 };

	begin(2);
	post(0, 0, 0);
	model_check(!hft_post_opts(strands, 1, take, &message, sizeof(message), &opts));
	post(0, 0, 1);
	finish(2, 1);
}

ALL(again, 2);
RANDOM(again, 3000);
RANDOM(two_posters, 5000);
RANDOM(two_keys, 5000);
RANDOM(from_a_task, 5000);
RANDOM(levels, 5000);

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOLDS(again),
		HOLDS(again_random),
		HOLDS(two_posters_random),
		HOLDS(two_keys_random),
		HOLDS(from_a_task_random),
		HOLDS(levels_random),
		FINDS(TORN, hft_lock, two_posters_random),
		FINDS(TORN, hft_unlock, two_posters_random),
		FINDS(RELAXED, hft_lock, two_posters_random),
		FINDS(RELAXED, hft_unlock, two_posters_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
