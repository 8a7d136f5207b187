// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A thread waits until what was logged is in files: it asks the drainer, which notes how far
 * rings are then, goes on with its turns, and answers when the store has all that.
 */
#include <errno.h>

#include "../api.h"
#include "log.h"

#define FLUSH_STEP_NS	(20 * 1000000ull)

bool log_flush_is_asked(struct hft_log *log)
{
	bool asked;

	pthread_mutex_lock(&log->lock);
	asked = log->flush.wanted && !log->flush.begun;
	pthread_mutex_unlock(&log->lock);
	return asked;
}

void log_flush_begin(struct hft_log *log)
{
	struct log_queue *queue;

	log->flush_chunk = hft_log_store_chunk(log->store);
	for (queue = log->queues; queue; queue = queue->next) {
		queue->flush_to = log_queue_head(queue);
		queue->flush_given = UINT64_MAX;
	}
	pthread_mutex_lock(&log->lock);
	log->flush.begun = true;
	pthread_mutex_unlock(&log->lock);
}

/* Has the store all that was in rings when the flush began?  A later ring has none of it. */
static bool flush_is_taken(struct hft_log *log)
{
	struct log_queue *queue;
	bool taken = true;

	for (queue = log->queues; queue; queue = queue->next) {
		if (queue->flush_given != UINT64_MAX || queue->broken)
			continue;
		if (queue->position >= queue->flush_to)
			queue->flush_given = queue->given;
		else
			taken = false;
	}
	return taken;
}

/* Of what it is of: there may be more, without end. */
static bool flush_is_done(struct hft_log *log, bool sync)
{
	struct log_queue *queue;
	uint64_t done;

	for (queue = log->queues; queue; queue = queue->next) {
		done = sync ? hft_log_store_synced(log->store, queue->stream) :
			      hft_log_store_written(log->store, queue->stream);
		if (!queue->broken && done < queue->flush_given)
			return false;
	}
	return !sync || hft_log_store_forgotten_synced(log->store, log->flush_chunk);
}

/* Why rings are not drained */
static int disk_error(struct hft_log *log)
{
	struct hft_log_store_state state = { .sz = sizeof(state) };

	hft_log_store_state(log->store, &state);
	return state.err ? -state.err : -ETIMEDOUT;
}

/* Other threads may log so much meanwhile that the store is never without work. */
static int do_flush(struct hft_log *log, bool sync)
{
	int err;

	if (!flush_is_taken(log))
		return disk_error(log);
	err = hft_log_store_flush(log->store, sync, FLUSH_STEP_NS);
	return err && flush_is_done(log, sync) ? 0 : err;
}

void log_flush_look(struct hft_log *log, uint64_t now)
{
	struct log_flush flush;
	int err;

	pthread_mutex_lock(&log->lock);
	flush = log->flush;
	pthread_mutex_unlock(&log->lock);
	if (!flush.wanted)
		return;
	err = flush.begun ? do_flush(log, flush.sync) : -ETIMEDOUT;
	if (err && now < flush.until)
		return;
	pthread_mutex_lock(&log->lock);
	log->flush.wanted = false;
	log->flush.err = err;
	pthread_cond_broadcast(&log->changed);
	pthread_mutex_unlock(&log->lock);
}

static int flush(struct hft_log *log, bool sync, uint64_t until)
{
	int err;

	pthread_mutex_lock(&log->lock);
	log->flush = (struct log_flush){ .wanted = true, .sync = sync, .until = until };
	pthread_mutex_unlock(&log->lock);
	log_drainer_wake();
	pthread_mutex_lock(&log->lock);
	while (log->flush.wanted && log->phase != LOG_ENDED)
		pthread_cond_wait(&log->changed, &log->lock);
	err = log->flush.wanted ? log->err : log->flush.err;
	pthread_mutex_unlock(&log->lock);
	return err;
}

/**
 * hft_log_flush() - wait until what was logged is in files
 * @log: the log
 * @flags: %HFT_LOG_FLUSH_SYNC: and survives a loss of power
 * @timeout_ns: wait no longer, but for another thread that closes the log
 *
 * That is: by calls that have returned, of any thread.
 *
 * Return: 0, -EINVAL, -ETIMEDOUT, or what the disk says: -ENOSPC, -EIO.  With
 * %HFT_LOG_FLUSH_SYNC -EIO, and so for ever, when the disk has lost what was written.
 * -EDEADLK: this is &hft_log_store_opts.notify.  Any thread, not signal handlers; blocks, and
 * is no cancellation point.
 */
HFT_API int hft_log_flush(struct hft_log *log, uint32_t flags, uint64_t timeout_ns)
{
	uint64_t now = hft_log_monotonic();
	int err, state;

	if (hft_store_is_thread)
		return hft_fail(EDEADLK, "a log flushed by its own thread");
	if (flags & ~HFT_LOG_FLUSH_SYNC || !log_get(log))
		return hft_fail(EINVAL, "flush a log that is open");
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_mutex_lock(&log->flushing);
	err = flush(log, flags & HFT_LOG_FLUSH_SYNC,
		    now + timeout_ns < now ? UINT64_MAX : now + timeout_ns);
	pthread_mutex_unlock(&log->flushing);
	if (err)
		err = hft_fail(-err, "flush %s", log->dir);
	log_put(log);
	pthread_setcancelstate(state, NULL);
	return err;
}
