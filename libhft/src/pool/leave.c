// SPDX-License-Identifier: LGPL-2.1-or-later
/* Workers that leave, and those whose threads a task has ended: what becomes of their tasks. */
#include <errno.h>
#include <limits.h>

#include "../resource/task.h"
#include "call.h"
#include "internal.h"

/* A task that was @worker's alone, which leaves. */
static void leave_task(struct hft_pool_worker *worker, struct hft_work *work)
{
	if (!hft_memory_leave(worker, work))
		hft_work_cancel(&worker->self, work, -ENODEV);
}

/* It takes no tasks of its own any more; those that are there end. */
void hft_worker_close_inbox(struct hft_pool_worker *worker)
{
	struct hft_work *work = hft_inbox_take(&worker->inbox, HFT_INBOX_CLOSED);
	struct hft_work *next;

	for (; work; work = next) {
		next = work->next;
		leave_task(worker, work);
	}
	hft_queue_close(&worker->queue);
	while ((work = hft_queue_take(&worker->queue, 0)))
		leave_task(worker, work);
}

/* What only this worker could run ends; the rest is stolen from who has left, too. */
static void leave_tasks(struct hft_pool_worker *worker)
{
	hft_worker_close_inbox(worker);
	while (worker->fixed_levels) {
		uint32_t level = (uint32_t)__builtin_ctz(worker->fixed_levels);

		leave_task(worker, hft_worker_take_fixed(worker, level));
	}
	hft_pool_notify(worker->pool, worker);
	hft_tasks_lose_worker(worker->pool);
}

/* The last that its thread does to a worker. */
static void worker_gone(struct hft_pool_worker *worker)
{
	hft_self.spawner = NULL;
	atomic_store(&worker->life, HFT_WORKER_GONE);
	hft_futex_wake(&worker->life, INT_MAX);
}

/* From here to hft_call_end() a worker's thread may be ended; of others nobody notices. */
void hft_call_begin(struct hft_call *call)
{
	struct hft_spawner *self = hft_self.spawner;

	if (!self || !self->worker)
		return;
	call->outer = self->worker->calls;
	self->worker->calls = call;
}

void hft_call_end(struct hft_call *call)
{
	struct hft_spawner *self = hft_self.spawner;

	if (self && self->worker)
		self->worker->calls = call->outer;
}

/* What was called by tasks that are over: the innermost first. */
static void abandon(struct hft_pool_worker *worker)
{
	struct hft_call *call;

	while ((call = worker->calls)) {
		worker->calls = call->outer;
		call->abandon(call);
	}
}

/*
 * A task has ended its thread: it, and those that wait in it, are over.  Another thread
 * takes its place, or the worker is gone.
 */
void hft_worker_lost(void *arg)
{
	struct hft_pool_worker *worker = arg;
	struct hft_work *work;

	/* First: with the tasks what they are about may be over. */
	abandon(worker);
	if (worker->current)
		hft_work_cancel(&worker->self, worker->current, -EOWNERDEAD);
	worker->current = NULL;
	while ((work = worker->outer)) {
		worker->outer = work->outer;
		hft_work_cancel(&worker->self, work, -EOWNERDEAD);
	}
	hft_worker_tell(worker);
	/* The next thread has the scheduling that this one has then. */
	hft_owner_leave();
	hft_self.spawner = NULL;
	worker->threads->lost = true;
	if (!hft_pool_start_worker(worker))
		return;
	leave_tasks(worker);
	worker_gone(worker);
}

/* The worker, which is the caller, was told to leave. */
void hft_worker_leave(struct hft_pool_worker *worker)
{
	hft_worker_tell(worker);
	leave_tasks(worker);
	worker_gone(worker);
}
