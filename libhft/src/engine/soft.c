// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The backend soft: handles and commands.  See soft.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "soft.h"

/* As the module's parameter max_tasks has it by default. */
#define SOFT_MAX_TASKS	65536

static struct soft_context *soft_context_alloc(uint32_t tasks)
{
	struct soft_context *context = calloc(1, sizeof(*context));
	struct hft_slot *slots;

	if (!context)
		return NULL;
	context->nr_cpus = (uint32_t)sysconf(_SC_NPROCESSORS_CONF);
	context->queues = calloc(context->nr_cpus, sizeof(*context->queues));
	slots = aligned_alloc(64, tasks * sizeof(*slots));
	if (!context->queues || !slots) {
		free(slots);
		free(context->queues);
		free(context);
		return NULL;
	}
	__builtin_memset(slots, 0, tasks * sizeof(*slots));
	/* There is nobody else here to be protected. */
	context->pool.privileged = true;
	hft_slots_init(&context->pool, slots, tasks);
	pthread_mutex_init(&context->mutex, NULL);
	atomic_init(&context->refs, 1);
	return context;
}

void soft_context_put(struct soft_context *context, bool ours)
{
	uint32_t cpu;

	if (atomic_fetch_sub(&context->refs, 1) != 1)
		return;
	for (cpu = 0; cpu < context->nr_cpus; cpu++) {
		if (context->queues[cpu])
			soft_queue_free(context->queues[cpu], ours);
	}
	if (ours)
		pthread_mutex_destroy(&context->mutex);
	free(context->pool.slots);
	free(context->queues);
	free(context);
}

static int soft_open(struct hft *h, const struct hft_opts *opts)
{
	struct soft_context *context;
	int err;

	if (opts->tasks > SOFT_MAX_TASKS)
		return hft_fail(EINVAL, "%u tasks asked for, the backend's max_tasks is %u",
				opts->tasks, SOFT_MAX_TASKS);
	context = soft_context_alloc(opts->tasks);
	if (!context)
		return hft_fail(ENOMEM, "%u tasks", opts->tasks);
	err = hft_clock_open(NULL);
	if (err) {
		soft_context_put(context, true);
		return err;
	}
	h->state = context;
	hft_offer(h, SOFT_MAX_TASKS, context->nr_cpus);
	return 0;
}

static void soft_stop_timer(struct soft_queue *queue)
{
	struct soft_hold hold;

	if (!queue->has_timer)
		return;
	soft_lock(&hold, queue);
	queue->stop = true;
	soft_rouse(&hold, &queue->timer);
	soft_unlock(&hold);
	pthread_join(queue->thread, NULL);
}

/* The rings may stay open; they are dead. */
static void soft_close(struct hft *h)
{
	struct soft_context *context = h->state;
	bool ours = !hft_is_inherited(h->forks);
	uint32_t i;

	if (ours) {
		pthread_mutex_lock(&context->mutex);
		for (i = 0; i < HFT_MAX_RINGS; i++)
			soft_ring_kill(context, &context->rings[i]);
		for (i = 0; i < context->nr_cpus; i++) {
			if (context->queues[i])
				soft_stop_timer(context->queues[i]);
		}
		pthread_mutex_unlock(&context->mutex);
	}
	soft_context_put(context, ours);
	hft_clock_close();
}

static void soft_refuse(struct soft_context *context, struct hft_slot **slot, int err)
{
	hft_slot_free(&context->pool, *slot);
	*slot = ERR_PTR(err);
}

/* The queue of a prepared slot's ring; NULL: there is no such ring. */
static struct soft_queue *soft_slot_queue(struct soft_context *context,
					  const struct hft_slot *slot)
{
	return atomic_load_explicit(&context->rings[slot->ring_number].queue,
				    memory_order_acquire);
}

/*
 * Queue slots[@i] and those after it that go to the same CPU, and count those that
 * are refused.  Returns where it ended.
 */
static unsigned int soft_queue_run(struct soft_context *context, struct soft_queue *queue,
				   struct hft_slot **slots, unsigned int i, unsigned int nr,
				   unsigned int *refused)
{
	struct soft_ring *soft = NULL;
	struct soft_hold hold;
	int err = 0;

	soft_lock(&hold, queue);
	for (; i < nr && !IS_ERR(slots[i]); i++) {
		if (soft_slot_queue(context, slots[i]) != queue)
			break;
		if (slots[i]->flags & HFT_SLOT_AFTER)
			soft_translate(&hold, slots[i]->clock);
		soft = &context->rings[slots[i]->ring_number];
		err = hft_sched_insert(&queue->release, &soft->ready, slots[i]);
		if (err == HFT_CHAIN_REMOTE)
			break;
		if (err) {
			soft_refuse(context, &slots[i], err);
			++*refused;
		}
	}
	soft_commit(&hold);
	soft_unlock(&hold);
	if (err != HFT_CHAIN_REMOTE)
		return i;
	err = soft_join(context, soft, queue, slots[i]);
	if (err) {
		slots[i] = ERR_PTR(err);
		++*refused;
	}
	return i + 1;
}

/* Queue prepared slots, passing over errors.  Returns how many could not be queued. */
static unsigned int soft_queue_slots(struct soft_context *context, struct hft_slot **slots,
				     unsigned int nr)
{
	unsigned int i = 0, refused = 0;

	while (i < nr) {
		struct soft_queue *queue;

		if (IS_ERR(slots[i])) {
			i++;
			continue;
		}
		queue = soft_slot_queue(context, slots[i]);
		if (queue) {
			i = soft_queue_run(context, queue, slots, i, nr, &refused);
		} else {
			soft_refuse(context, &slots[i++], -ENOENT);
			refused++;
		}
	}
	return refused;
}

/* A task was not admitted: say what it would have brought its CPU to. */
static uint64_t soft_refused(struct soft_context *context, const struct hft_task *task)
{
	struct soft_queue *queue = atomic_load_explicit(&context->rings[task->ring].queue,
							memory_order_acquire);
	struct soft_hold hold;
	uint64_t density;

	if (!queue)
		return 0;
	soft_lock(&hold, queue);
	density = queue->release.admission.density;
	soft_unlock(&hold);
	return hft_task_refused(task, density);
}

static int soft_submit(struct hft *h, const struct hft_task *task, uint64_t *id)
{
	struct soft_context *context = h->state;
	struct hft_slot *slot;

	if (hft_is_inherited(h->forks))
		return -EOWNERDEAD;
	slot = hft_task_prepare(&context->pool, task);
	if (IS_ERR(slot))
		return (int)PTR_ERR(slot);
	/* Before it can be dispatched. */
	if (id)
		*id = hft_slot_id(&context->pool, slot);
	soft_queue_slots(context, &slot, 1);
	if (slot == ERR_PTR(-EBUSY) && id)
		*id = soft_refused(context, task);
	return IS_ERR(slot) ? (int)PTR_ERR(slot) : 0;
}

static int soft_submit_chunk(struct soft_context *context, const struct hft_task *tasks,
			     int64_t *results, unsigned int nr)
{
	struct hft_slot *slots[HFT_CHUNK];
	unsigned int i, refused, taken = 0;

	for (i = 0; i < nr; i++) {
		slots[i] = hft_task_prepare(&context->pool, &tasks[i]);
		taken += !IS_ERR(slots[i]);
		results[i] = IS_ERR(slots[i]) ? PTR_ERR(slots[i]) :
			     (int64_t)hft_slot_id(&context->pool, slots[i]);
	}
	refused = soft_queue_slots(context, slots, nr);
	for (i = 0; refused && i < nr; i++) {
		if (IS_ERR(slots[i]))
			results[i] = PTR_ERR(slots[i]);
	}
	return (int)(taken - refused);
}

static int soft_submit_batch(struct hft *h, const struct hft_submit_batch *batch)
{
	const struct hft_task *tasks = (const void *)(uintptr_t)batch->tasks;
	int64_t *results = (void *)(uintptr_t)batch->results;
	unsigned int nr, done;
	int taken = 0;

	if (hft_is_inherited(h->forks))
		return -EOWNERDEAD;
	if (!tasks || !results)
		return -EFAULT;
	for (done = 0; done < batch->nr; done += nr) {
		nr = batch->nr - done < HFT_CHUNK ? batch->nr - done : HFT_CHUNK;
		taken += soft_submit_chunk(h->state, tasks + done, results + done, nr);
	}
	return taken;
}

const struct hft_backend hft_soft_backend = {
	.name = "soft",
	.unprivileged = true,
	.open = soft_open,
	.close = soft_close,
	.ring_open = soft_ring_open,
	.ring_close = soft_ring_close,
	.submit = soft_submit,
	.submit_batch = soft_submit_batch,
	.command = soft_command,
	.wait = soft_ring_wait,
	.wake = soft_ring_wake,
	.poll = soft_ring_poll,
};
