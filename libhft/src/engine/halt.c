// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The kill switch: hft_halt() and hft_resume().
 *
 * What the backend does and what is done to the inboxes belong together: tasks that are
 * submitted after hft_resume() are none that a halt before it cancels.  So of a handle one
 * thread at a time halts or resumes, with the lock of a &struct hft_halter; one for all handles
 * of the machine has another word in the backend, and a lock of its own.
 *
 * Whoever has that lock may be in the backend for long, to make the keys of tasks again, or
 * wait for a worker that was interrupted.  A halt that is harder than what that one is at does
 * not wait for it: it asks the backend at once, and once more with the lock, so that it holds
 * whichever of both came first.
 */
#include <errno.h>

#include "../log/sched.h"
#include "../mutex.h"
#include "evidence.h"
#include "inbox.h"
#include "recorder.h"

int hft_halters_init(struct hft *h)
{
	int err = hft_mutex_init(&h->halters[0].lock);

	if (err)
		return err;
	err = hft_mutex_init(&h->halters[1].lock);
	if (err)
		pthread_mutex_destroy(&h->halters[0].lock);
	return err;
}

void hft_halters_free(struct hft *h)
{
	pthread_mutex_destroy(&h->halters[0].lock);
	pthread_mutex_destroy(&h->halters[1].lock);
}

/* What is done twice is recorded once. */
static void hft_halt_at_once(struct hft *h, enum hft_halt_mode mode, uint32_t flags)
{
	const struct hft_backend *backend = h->recorder ? h->recorder->real : h->backend;
	struct hft_halt halt = { .mode = mode, .flags = flags };

	backend->command(h, HFT_IOC_HALT, &halt);
}

/* To cancel is for who has the lock. */
static enum hft_halt_mode hft_halt_level(enum hft_halt_mode mode)
{
	return mode < HFT_HALT_ALL ? mode : HFT_HALT_ALL;
}

static void hft_halter_lock(struct hft *h, struct hft_halter *halter, enum hft_halt_mode mode,
			    uint32_t flags)
{
	enum hft_halt_mode level = hft_halt_level(mode);

	if (pthread_mutex_trylock(&halter->lock)) {
		if (level > atomic_load_explicit(&halter->level, memory_order_relaxed))
			hft_halt_at_once(h, level, flags);
		pthread_mutex_lock(&halter->lock);
	}
	atomic_store_explicit(&halter->level, level, memory_order_relaxed);
}

static void hft_halter_unlock(struct hft_halter *halter)
{
	/* Who comes before the next one has said what it is at does not wait for that. */
	atomic_store_explicit(&halter->level, HFT_HALT_NONE, memory_order_relaxed);
	pthread_mutex_unlock(&halter->lock);
}

/* The backend has halted the rings, and what is in their flags holds for their workers. */
static void hft_halt_inboxes(struct hft *h, struct hft_halt *halt)
{
	struct hft_ring *ring;

	pthread_mutex_lock(&h->lock);
	for (ring = h->rings; ring; ring = ring->next) {
		if (halt->mode == HFT_HALT_CANCEL && ring->on_cancel)
			ring->on_cancel(ring->on_cancel_arg);
		if (!ring->inbox)
			continue;
		if (halt->mode != HFT_HALT_NONE)
			halt->stopped += hft_inbox_settle(ring);
		if (halt->mode == HFT_HALT_CANCEL) {
			hft_inbox_cancel(ring);
			/* Others may have let the ring go by then. */
			hft_inbox_settle(ring);
		}
		/* What it allows by now may be waited for. */
		hft_inbox_rouse(ring);
	}
	pthread_mutex_unlock(&h->lock);
}

static int hft_halt_locked(struct hft *h, struct hft_halt *halt)
{
	struct hft_halter *halter = &h->halters[!!(halt->flags & HFT_HALT_GLOBAL)];
	int err;

	/* In a forked child the locks are those of a thread that is not there. */
	if (hft_is_inherited(h->forks))
		return h->backend->command(h, HFT_IOC_HALT, halt);
	hft_halter_lock(h, halter, (enum hft_halt_mode)halt->mode, halt->flags);
	err = h->backend->command(h, HFT_IOC_HALT, halt);
	if (!err)
		hft_halt_inboxes(h, halt);
	hft_halter_unlock(halter);
	return err;
}

/**
 * hft_halt() - the kill switch
 * @h: handle
 * @mode: %HFT_HALT_REDUCE, %HFT_HALT_ALL or %HFT_HALT_CANCEL
 * @flags: %HFT_HALT_GLOBAL for all handles of the machine, or zero for this one
 * @result: what it stopped, or NULL
 *
 * When it returns, nothing that @mode does not allow is dispatched any more; what is
 * in a ring already is its worker's to run.  Nothing that it does not allow starts from
 * an inbox either: hft_ring_run() has entered the body of what it took before, for which
 * this waits, and hft_ring_peek() has returned it.  Room that %HFT_HALT_CANCEL makes in an
 * inbox is there when its worker has looked.  Allocates nothing.  Enters the kernel; waits
 * for no task.  Of a handle, halts and resumes by several threads are one after the other; one
 * that asks for more than another is at holds at once, before that other has returned.  Where a
 * log is open (hft/log.h) it is logged as evidence, when it has been done: as
 * hft_trade_log_control() then.  Any thread, but no signal handler.
 *
 * Return: 0, or -EINVAL, or -EPERM for %HFT_HALT_GLOBAL without CAP_SYS_ADMIN or by a
 * backend other than kernel.
 */
HFT_API int hft_halt(struct hft *h, enum hft_halt_mode mode, uint32_t flags,
		     struct hft_halt *result)
{
	struct hft_halt halt = { .mode = mode, .flags = flags };
	int err = hft_halt_locked(h, &halt);

	if (err)
		return hft_fail(-err, "halt mode %u, flags 0x%x", (unsigned int)mode, flags);
	hft_evidence_halt(h, &halt);
	if (hft_log_sched_wants(HFT_SCHED_HALT))
		hft_log_sched_halt(halt.mode, halt.flags, halt.stopped, hft_time_of(h));
	if (result)
		*result = halt;
	return 0;
}

/**
 * hft_resume() - re-arm after hft_halt()
 * @h: handle
 * @flags: as they were for hft_halt()
 *
 * What is due by now is dispatched.  A handle stays halted for as long as all are.  Waits for
 * a halt or resume with the same @flags that another thread is at.
 *
 * Return: as hft_halt().
 */
HFT_API int hft_resume(struct hft *h, uint32_t flags)
{
	return hft_halt(h, HFT_HALT_NONE, flags, NULL);
}
