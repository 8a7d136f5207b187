// SPDX-License-Identifier: LGPL-2.1-or-later
/* Tasks in order: queue.h has the rules. */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

/* Tasks that the first memory of a queue has room for. */
#define QUEUE_CAPACITY	61

/* No key is all ones: what is empty has an urgency of 0. */
_Static_assert(HFT_LEVELS < 8, "a level has three bits of a key");

static void publish(struct hft_queue *queue)
{
	atomic_store_explicit(&queue->urgency, ~hft_heap_min_key(&queue->heap),
			      memory_order_relaxed);
	atomic_store_explicit(&queue->waiting, queue->heap.nr, memory_order_relaxed);
}

/* An empty queue, which is closed. */
void hft_queue_init(struct hft_queue *queue)
{
	*queue = (struct hft_queue){ .closed = true };
}

void hft_queue_exit(struct hft_queue *queue)
{
	free(queue->memory);
}

static void set_closed(struct hft_queue *queue, bool closed)
{
	hft_lock(&queue->lock);
	queue->closed = closed;
	hft_unlock(&queue->lock);
}

void hft_queue_open(struct hft_queue *queue)
{
	set_closed(queue, false);
}

/* It takes no more tasks; those that there are can be taken. */
void hft_queue_close(struct hft_queue *queue)
{
	set_closed(queue, true);
}

/*
 * Twice the memory.  The lock is held, and let go meanwhile: there may be room then or
 * not.  Returns 0 or -ENOMEM.
 */
static int grow(struct hft_queue *queue)
{
	uint32_t capacity = queue->heap.capacity ? 2 * queue->heap.capacity + HFT_HEAP_PAD :
						   QUEUE_CAPACITY;
	void *memory, *unused;

	hft_unlock(&queue->lock);
	memory = aligned_alloc(HFT_HEAP_ALIGN, hft_heap_bytes(capacity));
	hft_lock(&queue->lock);
	if (!memory)
		return -ENOMEM;
	unused = memory;
	if (capacity > queue->heap.capacity) {
		unused = queue->memory;
		queue->memory = memory;
		hft_heap_move(&queue->heap, memory, capacity);
	}
	hft_unlock(&queue->lock);
	free(unused);
	hft_lock(&queue->lock);
	return 0;
}

/* See that there is room for one more; the lock is held.  Returns 0 or a negative errno. */
static int make_room(struct hft_queue *queue)
{
	int err;

	while (!queue->closed && queue->heap.nr + queue->promised >= queue->heap.capacity) {
		err = grow(queue);
		if (err)
			return err;
	}
	return queue->closed ? -ESHUTDOWN : 0;
}

static struct hft_queue *queue_of(struct hft_pool *pool, const struct hft_work *work)
{
	return work->fixed ? &hft_pool_worker_at(pool, work->worker)->queue : &pool->queue;
}

static int add(struct hft_queue *queue, struct hft_work *work)
{
	int err = make_room(queue);

	if (err)
		return err;
	work->item.seq = queue->seq++;
	hft_heap_push(&queue->heap, &work->item, hft_queue_key(work->level, work->deadline));
	work->queued = true;
	publish(queue);
	return 0;
}

/**
 * hft_queue_push() - let workers have a task in its turn
 * @pool: its pool
 * @work: the task, in no list; of its level and deadline, and of one worker if it is fixed
 *
 * Any thread.  Wakes who sleeps.  A task that was promised (hft_queue_promise()) needs no
 * memory.
 *
 * Return: 0, -ENOMEM, -ESHUTDOWN the pool is being closed, or the worker has left: nobody
 * has the task.
 */
int hft_queue_push(struct hft_pool *pool, struct hft_work *work)
{
	const struct hft_spawner *self = hft_spawner_of(pool);
	struct hft_queue *queue = queue_of(pool, work);
	struct hft_pool_worker *to = work->fixed ? hft_pool_worker_at(pool, work->worker) : NULL;
	int err;

	hft_lock(&queue->lock);
	if (work->promised)
		queue->promised--;
	work->promised = false;
	err = add(queue, work);
	hft_unlock(&queue->lock);
	if (err)
		return err;
	if (!to) {
		hft_pool_notify(pool, self ? self->worker : NULL);
		return 0;
	}
	/* The task before the look: pairs with the fence in hft_worker_park(). */
	atomic_thread_fence(memory_order_seq_cst);
	hft_worker_wake(to);
	return 0;
}

/**
 * hft_queue_take() - take the first task
 * @queue: the queue
 * @level: 1 + the least level that it must have
 *
 * Return: the task, or NULL if there is none.
 */
struct hft_work *hft_queue_take(struct hft_queue *queue, uint32_t level)
{
	struct hft_work *work = NULL;

	hft_lock(&queue->lock);
	if (hft_queue_urgency(queue) && hft_queue_level(queue) >= level) {
		work = container_of(hft_heap_pop(&queue->heap), struct hft_work, item);
		work->queued = false;
		publish(queue);
	}
	hft_unlock(&queue->lock);
	return work;
}

/**
 * hft_queue_rekey() - give a task that waits another level
 * @pool: its pool
 * @work: the task; who calls has something that keeps it from being freed
 * @level: &enum hft_level
 *
 * Among those of that level it has the place that it would have had by its deadline, and
 * by when it came.  Its own level, by which it runs, stays as it is.  Any thread.
 *
 * Return: whether it waits in a queue.
 */
bool hft_queue_rekey(struct hft_pool *pool, struct hft_work *work, uint32_t level)
{
	struct hft_queue *queue = queue_of(pool, work);
	bool queued;

	hft_lock(&queue->lock);
	queued = work->queued;
	if (queued) {
		hft_heap_update(&queue->heap, &work->item, hft_queue_key(level, work->deadline));
		publish(queue);
	}
	hft_unlock(&queue->lock);
	return queued;
}

/**
 * hft_queue_remove() - take a task out of the queue that it waits in
 * @pool: its pool
 * @work: the task; who calls has something that keeps it from being freed
 *
 * Any thread.
 *
 * Return: whether it waited in one: it is the caller's now.
 */
bool hft_queue_remove(struct hft_pool *pool, struct hft_work *work)
{
	struct hft_queue *queue = queue_of(pool, work);
	bool queued;

	hft_lock(&queue->lock);
	queued = work->queued;
	if (queued) {
		hft_heap_remove(&queue->heap, &work->item);
		work->queued = false;
		publish(queue);
	}
	hft_unlock(&queue->lock);
	return queued;
}

/**
 * hft_queue_promise() - a task is pushed later, and then for sure
 * @pool: its pool
 * @work: the task, in no list
 *
 * Until hft_queue_push(), or hft_queue_forgo(), the caller has it.
 *
 * Return: 0, -ENOMEM, or -ESHUTDOWN.
 */
int hft_queue_promise(struct hft_pool *pool, struct hft_work *work)
{
	struct hft_queue *queue = queue_of(pool, work);
	int err;

	hft_lock(&queue->lock);
	err = make_room(queue);
	if (!err) {
		queue->promised++;
		work->promised = true;
	}
	hft_unlock(&queue->lock);
	return err;
}

/* A task that was promised does not come. */
void hft_queue_forgo(struct hft_pool *pool, struct hft_work *work)
{
	struct hft_queue *queue = queue_of(pool, work);

	hft_lock(&queue->lock);
	queue->promised--;
	work->promised = false;
	hft_unlock(&queue->lock);
}

static void cancel(struct hft_pool *pool, struct hft_work *work, int err)
{
	struct hft_spawner nobody = { .pool = pool };
	struct hft_spawner *self = hft_spawner_of(pool);

	hft_work_cancel(self ? self : &nobody, work, err);
}

/**
 * hft_queue_keep() - push a task that was promised, or end it
 * @pool: its pool
 * @work: the task, which the caller has no more
 *
 * It ends with -ECANCELED if the pool is being closed, or -ENODEV if its worker has left.
 * Any thread.
 */
void hft_queue_keep(struct hft_pool *pool, struct hft_work *work)
{
	if (hft_queue_push(pool, work))
		cancel(pool, work, work->fixed ? -ENODEV : -ECANCELED);
}

/* A task that was promised does not come: it ends with @err.  Any thread. */
void hft_queue_drop(struct hft_pool *pool, struct hft_work *work, int err)
{
	hft_queue_forgo(pool, work);
	cancel(pool, work, err);
}
