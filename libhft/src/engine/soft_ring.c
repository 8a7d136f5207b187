// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The rings of the backend soft: pages as the module lays them out, in the memory of
 * the process.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "soft.h"

/* Page 0 is the consumer's, page 1 the producer's, then the events, then the reports. */
#define SOFT_PAGES_EVENTS	2

static bool soft_cpu_is_online(uint32_t cpu)
{
	char path[64], state = '1';
	FILE *file;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	file = fopen(path, "re");
	if (!file)
		return true;	/* it can not go offline */
	if (fread(&state, 1, 1, file) != 1)
		state = '1';
	fclose(file);
	return state != '0';
}

static void soft_ring_free(struct soft_ring *soft)
{
	hft_free_on(&soft->area);
	free(soft->classes);
	free(soft->learner);
	free(soft->meter);
	free(soft->detect);
	soft->detect = NULL;
	if (soft->fd >= 0)
		close(soft->fd);
}

static size_t soft_round_up(size_t bytes, size_t page)
{
	return (bytes + page - 1) / page * page;
}

/* Of the ready heap's memory in the area: it is behind the pages. */
static size_t soft_heap_offset(const struct hft_ring_add *add)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = SOFT_PAGES_EVENTS * page +
		      soft_round_up(add->entries * sizeof(struct hft_event), page);

	if (add->flags & HFT_RING_REPORT)
		size += soft_round_up(add->entries * sizeof(struct hft_report), page);
	return size;
}

static int soft_ring_alloc(struct soft_ring *soft, const struct hft_ring_add *add, uint32_t tasks)
{
	bool report = add->flags & HFT_RING_REPORT, learn = add->flags & HFT_RING_LEAD;
	int err;

	soft->classes = report ? calloc(HFT_CLASSES, sizeof(*soft->classes)) : NULL;
	soft->learner = learn ? calloc(1, sizeof(*soft->learner)) : NULL;
	soft->meter = NULL;
	soft->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (hft_region_make(&soft->area, soft_heap_offset(add) + hft_heap_bytes(tasks),
			    hft_node_of(add->cpu)) &&
	    soft->fd >= 0 && (soft->classes || !report) && (soft->learner || !learn))
		return 0;
	err = soft->fd < 0 ? -errno : -ENOMEM;
	soft_ring_free(soft);
	return err;
}

static void soft_ring_init(struct soft_context *context, struct soft_ring *soft,
			   const struct hft_ring_add *add, uint32_t tasks)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct hft_ready_queue *ready = &soft->ready;
	char *area = soft->area.memory;
	char *events = area + SOFT_PAGES_EVENTS * page;

	*ready = (struct hft_ready_queue){
		.pool = &context->pool,
		.consumer = (void *)area,
		.producer = (void *)(area + page),
		.events = (void *)events,
		.classes = soft->classes,
		.learner = soft->learner,
		.number = (uint32_t)(soft - context->rings),
		.release = &context->queues[add->cpu]->release,
	};
	hft_ready_init(ready, add);
	ready->producer->lead = ready->lead;
	if (soft->learner)
		*soft->learner = (struct hft_lead){
			.budget_ppm = HFT_LEAD_BUDGET_PPM, .own_timer = true,
		};
	if (soft->classes)
		ready->reports = (void *)(events + soft_round_up(add->entries *
								 sizeof(*ready->events), page));
	hft_heap_init(&ready->heap, (void *)(area + soft_heap_offset(add)), tasks);
	atomic_flag_clear(&soft->busy);
}

static struct soft_ring *soft_ring_find_place(struct soft_context *context)
{
	int i;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (!context->rings[i].used)
			return &context->rings[i];
	}
	return NULL;
}

static int soft_start_timers(struct soft_context *context)
{
	uint32_t cpu;
	int err = 0;

	for (cpu = 0; cpu < context->nr_cpus && !err; cpu++) {
		if (context->queues[cpu])
			err = soft_queue_start_timer(context->queues[cpu]);
	}
	return err;
}

/* None is ever used: what goes offline here is a thread's CPU, and not the thread. */
static bool soft_ring_has_fallback(struct soft_context *context, const struct hft_ring_add *add)
{
	const struct soft_ring *to = &context->rings[add->fallback];

	if (!(add->flags & HFT_RING_FALLBACK))
		return true;
	return to->used && !to->ready.dead && to != atomic_load(&context->monitor) &&
	       atomic_load(&to->queue) != context->queues[add->cpu];
}

/* Under the context's mutex. */
static int soft_ring_add(struct soft_context *context, const struct hft_ring_add *add,
			 struct soft_ring **out)
{
	bool monitor = add->flags & HFT_RING_MONITOR;
	struct soft_ring *soft = soft_ring_find_place(context);
	uint32_t tasks = monitor ? 0 : context->pool.nr;
	struct soft_queue *queue;
	struct soft_hold hold;
	int err;

	if (!soft || (monitor && atomic_load(&context->monitor)))
		return -ENOSPC;
	if (!soft_ring_has_fallback(context, add))
		return -ENOENT;
	if (add->flags & HFT_RING_SINK)
		return -ENXIO;
	if (!soft_cpu_is_online(add->cpu))
		return -ENODEV;
	queue = soft_queue_get(context, add->cpu);
	if (!queue)
		return -ENOMEM;
	if (!monitor && atomic_load(&context->monitor))
		err = soft_queue_start_timer(queue);
	else
		err = monitor ? soft_start_timers(context) : 0;
	if (!err)
		err = soft_ring_alloc(soft, add, tasks);
	if (err)
		return err;

	soft->used = true;
	soft_lock(&hold, queue);
	soft_ring_init(context, soft, add, tasks);
	atomic_store_explicit(&soft->queue, queue, memory_order_release);
	soft_unlock(&hold);
	/* The ring before looking whether all is halted: pairs with that in soft_halt(). */
	smp_mb();
	soft_ring_halt(context, soft);
	if (monitor)
		atomic_store_explicit(&context->monitor, soft, memory_order_release);
	*out = soft;
	return 0;
}

int soft_ring_open(struct hft *h, struct hft_ring *ring, struct hft_ring_add *add)
{
	struct soft_context *context = h->state;
	struct soft_ring *soft = NULL;
	int err = -EINVAL;

	if (hft_is_inherited(h->forks))
		return hft_ring_add_error(-EOWNERDEAD, add);
	if (hft_ring_add_valid(add) && add->cpu < context->nr_cpus) {
		pthread_mutex_lock(&context->mutex);
		err = soft_ring_add(context, add, &soft);
		soft_context_unlock(context);
	}
	if (err)
		return hft_ring_add_error(err, add);

	atomic_fetch_add(&context->refs, 1);
	add->ring = soft->ready.number;
	ring->state = soft;
	ring->fd = soft->fd;
	ring->consumer = soft->ready.consumer;
	ring->producer = soft->ready.producer;
	ring->events = soft->ready.events;
	ring->reports = soft->ready.reports;
	return 0;
}

/* Take a task back that may be the ring's.  Returns as hft_sched_cancel(). */
static int soft_ring_cancel_task(struct soft_ring *soft, struct hft_slot *slot, uint64_t *after)
{
	if (READ_ONCE(slot->ready) != &soft->ready)
		return -ENOENT;
	*after = hft_chain_after(slot);
	return hft_sched_cancel(slot);
}

/* Take the ring's tasks back, in small bites.  Under the context's mutex. */
uint64_t soft_ring_cancel_tasks(struct soft_context *context, struct soft_ring *soft)
{
	struct soft_queue *queue = atomic_load_explicit(&soft->queue, memory_order_relaxed);
	struct hft_slot *slots = context->pool.slots;
	uint64_t cancelled = 0, after;
	struct soft_hold hold;
	uint32_t i = 0, end;
	int ret;

	while (i < context->pool.nr) {
		end = context->pool.nr - i < HFT_BATCH ? context->pool.nr : i + HFT_BATCH;
		ret = 0;
		soft_lock(&hold, queue);
		while (i < end && ret != HFT_CHAIN_REMOTE) {
			ret = soft_ring_cancel_task(soft, &slots[i++], &after);
			cancelled += ret >= 0;
		}
		soft_commit(&hold);
		soft_unlock(&hold);
		if (ret == HFT_CHAIN_REMOTE)
			soft_fetch(context, &slots[i - 1], after);
	}
	soft_ring_receive(soft);
	soft_receive(context);
	return cancelled;
}

/* Take no more tasks, drop those queued, wake the sleepers.  Under the context's mutex. */
void soft_ring_kill(struct soft_context *context, struct soft_ring *soft)
{
	struct soft_queue *queue = atomic_load_explicit(&soft->queue, memory_order_relaxed);
	const uint64_t one = 1;
	struct soft_hold hold;
	bool queued;

	if (!soft->used || soft->ready.dead)
		return;
	soft_lock(&hold, queue);
	queued = hft_ready_kill(&soft->ready);
	soft_rouse(&hold, &soft->waiter);
	if (write(soft->fd, &one, sizeof(one)) < 0)
		WRITE_ONCE(soft->ready.consumer->need_wakeup, 0);
	soft_unlock(&hold);
	if (queued)
		soft_ring_cancel_tasks(context, soft);
}

/* Whoever has seen a task of the ring, to send it home, has let go of the lock by then. */
static void soft_ring_await_senders(struct soft_context *context, struct soft_ring *soft)
{
	struct soft_hold hold;
	uint32_t cpu;

	for (cpu = 0; cpu < context->nr_cpus; cpu++) {
		if (!context->queues[cpu])
			continue;
		soft_lock(&hold, context->queues[cpu]);
		soft_unlock(&hold);
	}
	soft_ring_receive(soft);
	soft_receive(context);
}

void soft_ring_close(struct hft_ring *ring)
{
	struct soft_ring *soft = ring->state;
	struct soft_queue *queue = atomic_load_explicit(&soft->queue, memory_order_relaxed);
	struct soft_context *context = queue->context;
	struct soft_hold hold;

	if (hft_is_inherited(ring->forks)) {
		soft_ring_free(soft);
		soft_context_put(context, false);
		return;
	}
	pthread_mutex_lock(&context->mutex);
	soft_ring_kill(context, soft);
	soft_ring_await_senders(context, soft);
	soft_lock(&hold, queue);
	soft_rule_remove(context, soft);
	atomic_store_explicit(&soft->queue, NULL, memory_order_relaxed);
	if (atomic_load_explicit(&context->monitor, memory_order_relaxed) == soft)
		atomic_store_explicit(&context->monitor, NULL, memory_order_relaxed);
	soft_unlock(&hold);
	soft_ring_free(soft);
	soft->used = false;
	soft_context_unlock(context);
	soft_context_put(context, true);
}

/* Why a wait without an event ends; 0: it does not. */
static int soft_wait_end(struct hft_ring *ring, const struct soft_ring *soft, int err)
{
	if (soft->ready.dead)
		return -ESHUTDOWN;
	return hft_ring_stopped(ring) ? -ECANCELED : err;
}

static int soft_wait_event(struct hft_ring *ring, struct soft_ring *soft, uint64_t timeout)
{
	struct soft_queue *queue = atomic_load_explicit(&soft->queue, memory_order_relaxed);
	int ret, err = timeout ? 0 : -ETIMEDOUT;
	struct soft_hold hold;
	uint64_t until;

	soft_lock(&hold, queue);
	for (;;) {
		soft_before_sleep(&soft->waiter);
		until = hft_inbox_arm(ring, timeout);
		if (soft->ready.producer->flags & HFT_RING_MORE || soft->ready.nr_tracked)
			soft_fill(&hold, soft);
		soft_commit(&hold);
		ret = hft_ready_in_flight(&soft->ready);
		if (hft_inbox_look(&ring->view))
			ret += (int)hft_inbox_count(ring);
		if (ret)
			break;
		ret = soft_wait_end(ring, soft, err);
		if (ret)
			break;
		err = soft_sleep(&hold, &soft->waiter, until);
		ring->overslept = soft->waiter.late;
		if (hold.now >= timeout)
			err = -ETIMEDOUT;
	}
	soft_leave(&hold, &soft->waiter);
	soft_unlock(&hold);
	hft_inbox_disarm(ring);
	return ret;
}

int soft_ring_wait(struct hft_ring *ring, uint64_t timeout)
{
	struct soft_ring *soft = ring->state;
	int ret = 0;

	if (hft_is_inherited(ring->forks))
		return -EOWNERDEAD;
	if (ring->spin_ns && timeout)
		ret = hft_ring_spin(ring, timeout);
	if (ret)
		return ret;
	if (atomic_flag_test_and_set_explicit(&soft->busy, memory_order_acquire))
		return -EBUSY;
	ret = soft_wait_event(ring, soft, timeout);
	atomic_flag_clear_explicit(&soft->busy, memory_order_release);
	return ret;
}

/* Also in a signal handler: hft_ring_stop() has said why, and the waiter looks. */
void soft_ring_wake(struct hft_ring *ring)
{
	struct soft_ring *soft = ring->state;

	soft_wake(&soft->waiter);
}

/* From now on there are pollers.  Without a thread they have to look again and again. */
static bool soft_ring_start_driver(struct soft_queue *queue)
{
	struct soft_hold hold;
	int err;

	if (queue->polled)
		return true;
	pthread_mutex_lock(&queue->context->mutex);
	err = soft_queue_start_timer(queue);
	if (!err) {
		soft_lock(&hold, queue);
		queue->polled = true;
		soft_rouse(&hold, &queue->timer);
		soft_unlock(&hold);
	}
	pthread_mutex_unlock(&queue->context->mutex);
	return !err;
}

static bool soft_ring_arm(struct soft_ring *soft, struct soft_queue *queue)
{
	uint64_t count;

	if (read(soft->fd, &count, sizeof(count)) < 0)
		count = 0;	/* nobody was woken since */
	return soft_ring_start_driver(queue);
}

bool soft_ring_poll(struct hft_ring *ring, bool arm)
{
	struct soft_ring *soft = ring->state;
	struct soft_queue *queue = atomic_load_explicit(&soft->queue, memory_order_relaxed);
	struct soft_hold hold;
	uint64_t next;
	bool driven;

	if (hft_is_inherited(ring->forks))
		return false;
	driven = !arm || soft_ring_arm(soft, queue);
	next = atomic_load_explicit(&queue->next, memory_order_relaxed);
	if (next != U64_MAX && hft_now() >= next) {
		soft_lock(&hold, queue);
		soft_unlock(&hold);
	}
	return driven;
}
