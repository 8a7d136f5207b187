// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The keeper: puts closed chunks on the disk and seals them, in their order, whatever the
 * disk takes to do so; removes what is older than the limits.
 */
#include <errno.h>
#include <string.h>

#include "../options.h"
#include "store_internal.h"

#define AGAIN_LEAST_NS	(200 * NSEC_PER_MSEC)
#define AGAIN_MOST_NS	(5 * NSEC_PER_SEC)

/*
 * @again: a sync has failed, and what it was of has to be written once more.  What is lost then
 * is found by the seal, which says what should be there.
 */
static int try_seal(struct log_chunk *chunk, bool *again)
{
	int err = *again ? hft_store_chunk_again(chunk) : 0;

	chunk->lost |= err == -EBADMSG;
	if (err && err != -EBADMSG)
		return err;
	err = hft_log_seal_sync(&chunk->seal, chunk->fd);
	*again = err && err != -EMFILE && err != -ENFILE && err != -ENOMEM;
	return err ? err : hft_log_seal_save(&chunk->seal, chunk->fd);
}

static void tell_unsealed(struct hft_log_store *store, const struct log_chunk *chunk, int err,
			  bool again)
{
	hft_store_tell(store, HFT_LOG_STORE_UNSEALED, -err, "%s: chunk %u is not sealed: %s",
		       store->dir, chunk->number, strerror(-err));
	if (again && err != -ENOENT)
		hft_store_trouble(store, -err, "synchronising a chunk that is closed");
}

static void set_failing(struct hft_log_store *store, bool failing)
{
	pthread_mutex_lock(&store->lock);
	store->keeper.failing = failing;
	pthread_mutex_unlock(&store->lock);
}

/* Under the lock: waits if there is another attempt to be made. */
static bool is_over(struct hft_log_store *store, int err, uint64_t pause_ns)
{
	if (!store->keeper.now && err != -ENOENT) {
		hft_store_wait(store, &store->keeper.wake, hft_store_monotonic() + pause_ns);
		return store->keeper.now;
	}
	return true;
}

/* Returns 0, or the error of an attempt that is not made again. */
static int seal(struct hft_log_store *store, struct log_chunk *chunk)
{
	bool again = chunk->doubtful, over = false;
	uint64_t pause_ns = AGAIN_LEAST_NS;
	int err, told = 0;

	for (;;) {
		err = try_seal(chunk, &again);
		/* First: what is written meanwhile is no sign that the disk is well. */
		set_failing(store, err && again);
		if (err && err != told)
			tell_unsealed(store, chunk, err, again);
		told = err;
		pthread_mutex_lock(&store->lock);
		over = !err || is_over(store, err, pause_ns);
		store->keeper.failing &= !over;
		pthread_mutex_unlock(&store->lock);
		if (over)
			return err;
		pause_ns = 2 * pause_ns < AGAIN_MOST_NS ? 2 * pause_ns : AGAIN_MOST_NS;
	}
}

/*
 * Behind a chunk that was given up none is sealed, and the next who opens the log repairs all
 * of them: it would take one ahead of a seal for one that had a seal.
 */
static void keep(struct hft_log_store *store, struct log_chunk *chunk)
{
	int err = store->keeper.gave_up ? -ECANCELED : seal(store, chunk);

	store->keeper.gave_up |= err && err != -ENOENT;
	chunk->sealed = !err;
	chunk->gone = err == -ENOENT;
	if (chunk->lost)
		hft_store_tell_lost(store, chunk);
	if (!chunk->sealed) {
		hft_store_kept_drop(store, chunk->number);
		return;
	}
	hft_store_kept_sealed(store, chunk->number, hft_store_folder_bytes(chunk->fd));
	hft_store_retain(store, chunk->first);
	if (!(store->opts.flags & HFT_LOG_STORE_NO_PACK))
		hft_store_packer_give(store, chunk->number);
}

static void *keeper_main(void *arg)
{
	struct hft_log_store *store = arg;
	struct log_keeper *keeper = &store->keeper;
	struct log_chunk *chunk;

	hft_store_is_thread = true;
	pthread_mutex_lock(&store->lock);
	for (;;) {
		while (!keeper->first && !keeper->stop)
			pthread_cond_wait(&keeper->wake, &store->lock);
		chunk = keeper->first;
		if (!chunk)
			break;
		keeper->first = chunk->next;
		keeper->busy = chunk;
		pthread_mutex_unlock(&store->lock);
		keep(store, chunk);
		pthread_mutex_lock(&store->lock);
		keeper->busy = NULL;
		chunk->next = NULL;
		if (keeper->done)
			keeper->done_last->next = chunk;
		else
			keeper->done = chunk;
		keeper->done_last = chunk;
		pthread_cond_broadcast(&keeper->idle);
	}
	pthread_mutex_unlock(&store->lock);
	return NULL;
}

int hft_store_keeper_open(struct hft_log_store *store)
{
	struct log_keeper *keeper = &store->keeper;
	int err;

	hft_store_cond_init(&keeper->wake);
	hft_store_cond_init(&keeper->idle);
	err = hft_store_thread_start(&keeper->thread, keeper_main, store, "hft-log-keeper");
	keeper->runs = !err;
	return err;
}

void hft_store_keeper_give(struct hft_log_store *store, struct log_chunk *chunk)
{
	struct log_keeper *keeper = &store->keeper;

	chunk->next = NULL;
	pthread_mutex_lock(&store->lock);
	if (keeper->first)
		keeper->last->next = chunk;
	else
		keeper->first = chunk;
	keeper->last = chunk;
	pthread_cond_signal(&keeper->wake);
	pthread_mutex_unlock(&store->lock);
}

static bool is_idle(const struct log_keeper *keeper)
{
	return !keeper->first && !keeper->busy;
}

/*
 * The number of the oldest chunk that is closed, and not on the disk as far as the drainer has
 * seen; UINT32_MAX: there is none.
 */
uint32_t hft_store_oldest_closed(struct hft_log_store *store)
{
	const struct log_keeper *keeper = &store->keeper;
	const struct log_chunk *chunk;
	uint32_t number;

	pthread_mutex_lock(&store->lock);
	chunk = keeper->done ? keeper->done : keeper->busy ? keeper->busy : keeper->first;
	if (!chunk)
		chunk = store->closing;
	number = chunk ? chunk->number : UINT32_MAX;
	pthread_mutex_unlock(&store->lock);
	return number;
}

/* Wait until it has sealed all, or for CLOCK_MONOTONIC @end.  Returns 0 or -ETIMEDOUT. */
int hft_store_keeper_wait(struct hft_log_store *store, uint64_t end)
{
	int err = 0;

	pthread_mutex_lock(&store->lock);
	while (!is_idle(&store->keeper) && !err)
		err = hft_store_wait(store, &store->keeper.idle, end);
	err = is_idle(&store->keeper) ? 0 : -ETIMEDOUT;
	pthread_mutex_unlock(&store->lock);
	return err;
}

void hft_store_keeper_close(struct hft_log_store *store, bool now)
{
	struct log_keeper *keeper = &store->keeper;

	if (!keeper->runs)
		return;
	pthread_mutex_lock(&store->lock);
	keeper->stop = true;
	keeper->now = now;
	pthread_cond_signal(&keeper->wake);
	pthread_mutex_unlock(&store->lock);
	pthread_join(keeper->thread, NULL);
	pthread_cond_destroy(&keeper->wake);
	pthread_cond_destroy(&keeper->idle);
}
