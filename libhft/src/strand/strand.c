// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Strands: a hash table of the keys that have tasks.  The entry of a key is the task of
 * it that is first; those behind it are in a list of its.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../pool/internal.h"
#include "../lock.h"
#include "hft/strand.h"

#define KEYS_DEFAULT	4096
#define KEYS_MOST	(1U << 28)

/* Tasks of a key that are run in a row: then others have their turn. */
#define IN_A_ROW	16

/**
 * struct post - a task of a key
 * @next: of the keys of a bucket, or of the tasks behind one that is first
 * @behind: the first of the tasks behind it
 * @last: where the next one's place is
 * @key: of the task
 * @group: that it is of, or NULL
 * @fn: what it runs
 * @args: with that
 * @level: &enum hft_level
 */
struct post {
	struct post *next;
	struct post *behind;
	struct post **last;
	uint64_t key;
	struct hft_group *group;
	hft_spawn_fn fn;
	unsigned char args[HFT_POST_ARGS_MAX];
	uint32_t level;
};

_Static_assert(sizeof(struct post) <= HFT_POST_SIZE, "a post has its slab");

/**
 * struct bucket - keys of one hash
 * @lock: of them
 * @first: one
 */
struct bucket {
	struct hft_lock lock;
	struct post *first;
};

/**
 * struct hft_strands - strands
 * @pool: which runs them
 * @buckets: of their keys
 * @shift: of a hash to the number of its bucket
 * @runners: tasks of the pool
 */
struct hft_strands {
	struct hft_pool *pool;
	struct bucket *buckets;
	uint32_t shift;
	struct hft_group runners;
};

/* What a task of the pool is given. */
struct runner {
	struct hft_strands *strands;
	struct post *post;
};

/* Fibonacci hashing (D. E. Knuth, The Art of Computer Programming 3, section 6.4). */
static struct bucket *bucket_of(const struct hft_strands *strands, uint64_t key)
{
	return &strands->buckets[key * 0x9e3779b97f4a7c15 >> strands->shift];
}

static struct post **find(struct bucket *bucket, uint64_t key)
{
	struct post **link = &bucket->first;

	while (*link && (*link)->key != key)
		link = &(*link)->next;
	return link;
}

/* Returns whether it is the first of its key. */
static bool add(struct hft_strands *strands, struct post *post)
{
	struct bucket *bucket = bucket_of(strands, post->key);
	struct post **link;
	bool first;

	hft_lock(&bucket->lock);
	link = find(bucket, post->key);
	first = !*link;
	if (first) {
		*link = post;
	} else {
		*(*link)->last = post;
		(*link)->last = &post->next;
	}
	hft_unlock(&bucket->lock);
	return first;
}

/* The caller's memory for posts. */
static struct hft_slab *own_posts(const struct hft_strands *strands)
{
	struct hft_spawner *self = hft_spawner_of(strands->pool);

	return self ? &self->posts : NULL;
}

/**
 * struct turn - tasks of a key that are run in a row
 * @call: that is run
 * @strands: of which
 * @entry: of the key: the first of the tasks
 * @post: that is run
 * @rest: those behind it that are not @entry's any more
 * @rest_last: where the place behind them is, if there are any
 * @group: of @post, or NULL
 * @ended: tasks of @group that it has not been told of
 *
 * What is behind the entry is taken from it at once: a lock for all of them.
 */
struct turn {
	struct hft_call call;
	struct hft_strands *strands;
	struct post *entry;
	struct post *post;
	struct post *rest;
	struct post **rest_last;
	struct hft_group *group;
	uint32_t ended;
};

/* Have what is behind the entry, or, if there is nothing, the key has no tasks any more. */
static void take_behind(struct turn *turn)
{
	struct post *entry = turn->entry;
	struct bucket *bucket = bucket_of(turn->strands, entry->key);

	hft_lock(&bucket->lock);
	turn->rest = entry->behind;
	turn->rest_last = entry->last;
	if (turn->rest) {
		entry->behind = NULL;
		entry->last = &entry->behind;
	} else {
		*find(bucket, entry->key) = entry->next;
	}
	hft_unlock(&bucket->lock);
}

/* The task after the one that has ended, or NULL: it was the last, and the key is none. */
static struct post *next_post(struct turn *turn)
{
	struct post *next;

	if (!turn->rest)
		take_behind(turn);
	next = turn->rest;
	if (next)
		turn->rest = next->next;
	else
		hft_slab_give(own_posts(turn->strands), turn->entry);
	return next;
}

/* Let @post, which is next, be the entry of the key, before the rest and what came since. */
static void leave_to(struct turn *turn, struct post *post)
{
	struct post *entry = turn->entry;
	struct bucket *bucket = bucket_of(turn->strands, entry->key);

	post->behind = turn->rest;
	if (turn->rest)
		post->last = turn->rest_last;
	hft_lock(&bucket->lock);
	*post->last = entry->behind;
	if (entry->behind)
		post->last = entry->last;
	post->next = entry->next;
	*find(bucket, entry->key) = post;
	hft_unlock(&bucket->lock);
	hft_slab_give(own_posts(turn->strands), entry);
}

/* Who waits for the group can not go on before the last: it is told of all together. */
static void tell(struct turn *turn)
{
	if (turn->ended)
		hft_group_end(turn->group, turn->strands->pool, turn->ended);
	turn->ended = 0;
}

static void begin(struct turn *turn, struct post *post)
{
	turn->post = post;
	if (turn->group == post->group)
		return;
	tell(turn);
	turn->group = post->group;
}

static void end(struct turn *turn, int64_t result)
{
	if (turn->group) {
		if (result < 0)
			hft_group_fail(turn->group, result);
		turn->ended++;
	}
	if (turn->post != turn->entry)
		hft_slab_give(own_posts(turn->strands), turn->post);
}

static void run_posts(struct hft_strands *strands, struct post *post, uint32_t most);

static int64_t run(void *args)
{
	struct runner runner = *(struct runner *)args;

	run_posts(runner.strands, runner.post, IN_A_ROW);
	return 0;
}

/* The pool is closed: none of them runs. */
static void cancel_posts(struct hft_strands *strands, struct post *post)
{
	struct turn turn = { .strands = strands, .entry = post };

	for (; post; post = next_post(&turn)) {
		begin(&turn, post);
		end(&turn, -ECANCELED);
	}
	tell(&turn);
}

/* Have a worker run what is first of a key; for want of memory the caller does. */
static void dispatch(struct hft_strands *strands, struct post *post)
{
	struct runner runner = { strands, post };
	HFT_OPTS(hft_spawn_opts, opts, .group = &strands->runners, .level = 1 + post->level);
	int err;

	if (post->level == HFT_LEVEL_NORMAL)
		err = hft_group_spawn(&strands->runners, run, &runner, sizeof(runner));
	else
		err = hft_spawn_opts(strands->pool, run, &runner, sizeof(runner), &opts, NULL);
	if (__builtin_expect(!err, 1))
		return;
	if (err == -ESHUTDOWN)
		cancel_posts(strands, post);
	else
		run_posts(strands, post, UINT32_MAX);
}

/* The turn is over: what is next, if there is anything, is another's. */
static void end_turn(struct turn *turn, struct post *next)
{
	if (next)
		leave_to(turn, next);
	tell(turn);
	if (next)
		dispatch(turn->strands, next);
}

/* A task has ended its thread. */
static void abandon_turn(struct hft_call *call)
{
	struct turn *turn = (struct turn *)call;

	end(turn, -EOWNERDEAD);
	end_turn(turn, next_post(turn));
}

/* Run tasks of a key, @most of them: what is left is another's. */
static void run_posts(struct hft_strands *strands, struct post *post, uint32_t most)
{
	struct turn turn = { .call.abandon = abandon_turn, .strands = strands, .entry = post };
	struct hft_spawner *self;
	int64_t result;

	for (; post && most--; post = next_post(&turn)) {
		begin(&turn, post);
		hft_call_begin(&turn.call);
		result = post->fn(post->args);
		hft_call_end(&turn.call);
		end(&turn, result);
	}
	/* Others first: else this one would be the newest, and the next to run. */
	self = post ? hft_spawner_of(strands->pool) : NULL;
	if (self && self->worker)
		self->worker->yields = true;
	end_turn(&turn, post);
}

static int post_task(struct hft_strands *strands, uint64_t key, hft_spawn_fn fn,
		     const void *args, size_t size, const struct hft_post_opts *opts)
{
	struct hft_spawner *self = hft_spawner(strands->pool);
	struct post *post = self ? hft_slab_take(&self->posts) : NULL;

	if (!post)
		return hft_spawner_error(strands->pool);
	if (opts && opts->group)
		hft_group_begin(opts->group, self);
	post->next = NULL;
	post->behind = NULL;
	post->last = &post->behind;
	post->key = key;
	post->group = opts ? opts->group : NULL;
	post->fn = fn;
	post->level = opts && opts->level ? opts->level - 1 : HFT_LEVEL_NORMAL;
	hft_copy_args(post->args, args, size);
	if (add(strands, post))
		dispatch(strands, post);
	return 0;
}

static int check(const struct hft_strands *strands, hft_spawn_fn fn, const void *args, size_t size,
		 const struct hft_post_opts *opts)
{
	if (!fn || (size && !args))
		return -EINVAL;
	if (size > HFT_POST_ARGS_MAX)
		return -E2BIG;
	if (opts && (opts->level > HFT_LEVELS ||
		     (opts->group && opts->group->pool != strands->pool)))
		return -EINVAL;
	return 0;
}

/**
 * hft_post() - have a function run after all that were posted before with the same key
 * @strands: the strands
 * @key: any number
 * @fn: the function
 * @args: its arguments; NULL with no @size
 * @size: bytes of them, which are copied; aligned to 8
 *
 * At %HFT_LEVEL_NORMAL.  Any thread; does not block, but for a moment for a key of the
 * same hash.  When there is no memory for a worker to be told, the caller runs it.
 *
 * Return: 0, -EINVAL no @fn, or a @size without @args, -E2BIG the arguments are larger
 * than %HFT_POST_ARGS_MAX, -ENOMEM.
 */
HFT_API int hft_post(struct hft_strands *strands, uint64_t key, hft_spawn_fn fn,
		     const void *args, size_t size)
{
	int err = check(strands, fn, args, size, NULL);

	return err ? err : post_task(strands, key, fn, args, size, NULL);
}

/**
 * hft_post_opts() - as hft_post(), with options
 * @strands: the strands
 * @key: any number
 * @fn: the function
 * @args: its arguments
 * @size: bytes of them
 * @user_opts: options or NULL
 *
 * Return: as hft_post(), or -EINVAL: there is no such level, or the group is of another
 * pool.
 */
HFT_API int hft_post_opts(struct hft_strands *strands, uint64_t key, hft_spawn_fn fn,
			  const void *args, size_t size, const struct hft_post_opts *user_opts)
{
	struct hft_post_opts opts;
	int err = hft_read_opts(&opts, sizeof(opts), user_opts);

	if (!err)
		err = check(strands, fn, args, size, &opts);
	return err ? err : post_task(strands, key, fn, args, size, &opts);
}

/**
 * hft_strands_keys() - how many keys have tasks
 * @strands: the strands
 *
 * Any thread; looks at each in turn, so it is exact when nothing is posted and nothing
 * runs.
 */
HFT_API uint64_t hft_strands_keys(struct hft_strands *strands)
{
	uint64_t i, nr = 1ULL << (64 - strands->shift), keys = 0;
	const struct post *post;

	for (i = 0; i < nr; i++) {
		hft_lock(&strands->buckets[i].lock);
		for (post = strands->buckets[i].first; post; post = post->next)
			keys++;
		hft_unlock(&strands->buckets[i].lock);
	}
	return keys;
}

/**
 * hft_strands_open() - make strands
 * @out: them
 * @user_opts: options, with a pool
 *
 * Return: 0, -EINVAL no pool, or more keys than 2^28, -E2BIG the options are of a newer
 * library, -ENOMEM.
 */
HFT_API int hft_strands_open(struct hft_strands **out, const struct hft_strands_opts *user_opts)
{
	struct hft_strands_opts opts;
	struct hft_strands *strands;
	int err;

	err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (err)
		return err;
	if (!opts.pool)
		return hft_fail(EINVAL, "strands without a pool");
	if (opts.keys > KEYS_MOST)
		return hft_fail(EINVAL, "%u keys: at most %u", opts.keys, KEYS_MOST);
	if (!opts.keys)
		opts.keys = KEYS_DEFAULT;

	strands = calloc(1, sizeof(*strands));
	if (!strands)
		return hft_fail(ENOMEM, "strands");
	strands->pool = opts.pool;
	for (strands->shift = 63; 1ULL << (64 - strands->shift) < opts.keys; strands->shift--)
		;
	strands->buckets = calloc(1ULL << (64 - strands->shift), sizeof(*strands->buckets));
	if (!strands->buckets) {
		free(strands);
		return hft_fail(ENOMEM, "%u keys of strands", opts.keys);
	}
	hft_group_init(&strands->runners, opts.pool);
	*out = strands;
	return 0;
}

/**
 * hft_strands_close() - wait for all tasks of strands and free them
 * @strands: the strands, to which nobody posts any more, or NULL
 *
 * Before its pool is closed.  From a task of the pool: not of these strands.
 */
HFT_API void hft_strands_close(struct hft_strands *strands)
{
	if (!strands)
		return;
	hft_group_wait(&strands->runners, UINT64_MAX);
	free(strands->buckets);
	free(strands);
}
