// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The queue of a CPU in the backend soft: dispatch, and sleeping until there is
 * something to dispatch.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../futex.h"
#include "../log/sched.h"
#include "../mutex.h"
#include "clock.h"
#include "soft.h"

/* How long a step of the wall clock goes unnoticed while tasks wait for that clock. */
#define SOFT_STEP_NS	20000000ULL

/* Two readings of an unchanged offset may differ by the time that a reading takes. */
#define SOFT_TRIES	5

/*
 * What lies between CLOCK_MONOTONIC and CLOCK_REALTIME.  It is constant but for
 * steps: what was known stays, unless it is not within the best reading's doubt.
 */
static uint64_t soft_real_offset(uint64_t known)
{
	uint64_t doubt, offset = hft_clock_offset(CLOCK_REALTIME, SOFT_TRIES, &doubt);

	offset -= doubt / 2;
	if (known + doubt >= offset && known <= offset + doubt)
		return known;
	return offset;
}

/* Between CLOCK_REALTIME and CLOCK_TAI there are whole seconds. */
static uint64_t soft_tai_offset(void)
{
	int64_t real = (int64_t)hft_gettime(CLOCK_REALTIME);
	int64_t ns = (int64_t)hft_gettime(CLOCK_TAI) - real;
	int64_t half = (int64_t)NSEC_PER_SEC / 2;

	return (uint64_t)((ns + half) / (int64_t)NSEC_PER_SEC) * NSEC_PER_SEC;
}

/* What @now is on @clock.  Tells the release queue, which will translate. */
static uint64_t soft_clock(struct soft_queue *queue, enum hft_clock clock, uint64_t now)
{
	uint64_t *offset = queue->release.offset;

	if (clock == HFT_CLOCK_MONOTONIC)
		return now;
	offset[HFT_CLOCK_REALTIME] = soft_real_offset(offset[HFT_CLOCK_REALTIME]);
	if (clock == HFT_CLOCK_TAI)
		offset[clock] = offset[HFT_CLOCK_REALTIME] + soft_tai_offset();
	return now + offset[clock];
}

/* The time on @clock, by which the release queue translates from now on. */
uint64_t soft_translate(struct soft_hold *hold, enum hft_clock clock)
{
	return soft_clock(hold->queue, clock, hold->now);
}

static bool soft_waits_for_wall(const struct soft_queue *queue)
{
	return hft_release_next(&queue->release, HFT_CLOCK_REALTIME) != U64_MAX ||
	       hft_release_next(&queue->release, HFT_CLOCK_TAI) != U64_MAX;
}

static struct soft_ring *soft_ring_of(struct hft_ready_queue *ready)
{
	return container_of(ready, struct soft_ring, ready);
}

/* Have a sleeper of the queue woken at the end of the hold. */
void soft_rouse(struct soft_hold *hold, struct soft_sleeper *sleeper)
{
	struct soft_context *context = hold->queue->context;

	if (!sleeper->asleep)
		return;
	sleeper->asleep = false;
	hold->queue->asleep--;
	if (sleeper == &hold->queue->timer)
		hold->driver = sleeper;
	else
		hold->waiters |= 1ULL << (container_of(sleeper, struct soft_ring, waiter) -
					  context->rings);
}

/* After the tail was published. */
static void soft_announce(struct soft_hold *hold, struct soft_ring *ring)
{
	const uint64_t one = 1;

	if (ring->waiter.asleep) {
		ring->ready.counters.wakeups++;
		soft_rouse(hold, &ring->waiter);
	}
	/* The tail before need_wakeup: pairs with hft_ring_arm(). */
	smp_mb();
	if (READ_ONCE(ring->ready.consumer->need_wakeup)) {
		WRITE_ONCE(ring->ready.consumer->need_wakeup, 0);
		/* Under the lock: after it the descriptor may be another file's. */
		if (write(ring->fd, &one, sizeof(one)) < 0)
			return;		/* it can be read as it is */
	}
}

/* Fill a ring's window from its ready tasks. */
void soft_fill(struct soft_hold *hold, struct soft_ring *ring)
{
	if (hft_ready_fill(&ring->ready, HFT_BATCH, hold->now, hft_now()))
		soft_announce(hold, ring);
}

static void soft_fill_touched(struct soft_hold *hold)
{
	struct hft_ready_queue *ready;
	u32 spare = HFT_BATCH;

	while ((ready = hft_sched_touched(&hold->queue->release))) {
		if (hft_ready_fill_touched(ready, &spare, hold->now, hft_now()))
			soft_announce(hold, soft_ring_of(ready));
	}
}

/*
 * Deadlines that have passed halt the handle: its rings here at once, before anything is
 * dispatched, the others when the lock is let go.
 */
static void soft_halt_late(struct soft_hold *hold, unsigned int first)
{
	struct soft_context *context = hold->queue->context;
	uint32_t none;
	unsigned int i;

	for (i = first; i < hold->nr_notices; i++) {
		none = HFT_HALT_NONE;
		if (hold->notices[i].flags & HFT_TASK_HALT &&
		    atomic_compare_exchange_strong(&context->halt, &none, HFT_HALT_REDUCE))
			hold->halted = i + 1;
	}
	for (i = 0; hold->halted > first && i < HFT_MAX_RINGS; i++) {
		struct soft_ring *ring = &context->rings[i];

		if (atomic_load_explicit(&ring->queue, memory_order_relaxed) == hold->queue &&
		    ring->ready.halt_rank < hft_sched_rank(HFT_HALT_REDUCE, 0))
			hft_sched_halt(&ring->ready, HFT_HALT_REDUCE);
	}
}

/* Find deadlines that have passed; for more than there is room for the time is up, too. */
static void soft_watch(struct soft_hold *hold)
{
	struct hft_release_timer *watch = &hold->queue->release.watch;
	unsigned int first = hold->nr_notices, room = SOFT_NOTICES - first;

	if (hft_heap_min_key(&watch->heap) <= hold->now) {
		hold->nr_notices += hft_watch_late(&hold->queue->release, hold->now,
						 &hold->notices[first], room);
		soft_halt_late(hold, first);
		soft_fill_touched(hold);
	}
	watch->armed = hft_heap_min_key(&watch->heap);
}

/* As hft_sched_expire(), one by one: nobody else has them before the lock is let go. */
static unsigned int soft_expire_logged(struct soft_hold *hold, enum hft_clock clock,
				       uint64_t now, unsigned int budget)
{
	struct hft_release_queue *release = &hold->queue->release;
	unsigned int n;

	for (n = 0; n < budget && hft_release_next(release, clock) <= now; n++) {
		struct hft_heap_item *item = hft_heap_min(&release->timers[clock].heap);
		const struct hft_slot *slot = container_of(item, struct hft_slot, item);

		hft_sched_expire(release, clock, now, 1);
		soft_log_release(hold, slot);
	}
	return n;
}

/* Move up to a batch of what is due to its rings.  Returns whether there was any. */
static bool soft_expire(struct soft_hold *hold)
{
	struct hft_release_queue *release = &hold->queue->release;
	bool logged = hft_log_sched_wants(HFT_SCHED_RELEASE);
	unsigned int clock, n = 0;
	uint64_t now;

	for (clock = 0; clock < HFT_CLOCKS; clock++) {
		if (hft_release_next(release, clock) == U64_MAX)
			continue;
		now = soft_clock(hold->queue, clock, hold->now);
		n += logged ? soft_expire_logged(hold, clock, now, HFT_BATCH - n) :
			      hft_sched_expire(release, clock, now, HFT_BATCH - n);
	}
	soft_fill_touched(hold);
	return n;
}

/* Arm for what is due next, and return when that is, CLOCK_MONOTONIC. */
static uint64_t soft_arm(struct hft_release_queue *release)
{
	uint64_t next, earliest = release->watch.armed;
	unsigned int clock;

	for (clock = 0; clock < HFT_CLOCKS; clock++) {
		next = hft_release_next(release, clock);
		release->timers[clock].armed = next;
		if (next == U64_MAX)
			continue;
		next = hft_release_to_monotonic(release, clock, next);
		if (next < earliest)
			earliest = next;
	}
	return earliest;
}

/*
 * Dispatch what is due, in batches as one interrupt of the module's after the other
 * would.  Then who sleeps too long is woken.
 */
static void soft_dispatch(struct soft_hold *hold)
{
	struct soft_queue *queue = hold->queue;
	uint64_t earliest;

	do {
		soft_watch(hold);
		hft_sched_begin(&queue->release);
	} while (soft_expire(hold));
	hft_sched_begin(&queue->release);
	queue->release.rearm = false;
	earliest = soft_arm(&queue->release);
	atomic_store_explicit(&queue->next, earliest, memory_order_relaxed);

	if (queue->driver && earliest < queue->until)
		soft_rouse(hold, queue->driver);
	if (queue->release.watch.armed < queue->watch_until)
		soft_rouse(hold, &queue->timer);
}

static void soft_hold(struct soft_hold *hold, struct soft_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	hold->queue = queue;
	hold->now = hft_now();
	hold->waiters = 0;
	hold->driver = NULL;
	hold->nr_notices = 0;
	hold->halted = 0;
	hold->nr_releases = 0;
	hft_sched_begin(&queue->release);
}

/* Take a queue's lock, and let it be as the module would have it by now. */
void soft_lock(struct soft_hold *hold, struct soft_queue *queue)
{
	soft_hold(hold, queue);
	if (hold->now >= atomic_load_explicit(&queue->next, memory_order_relaxed))
		soft_dispatch(hold);
}

void soft_wake(struct soft_sleeper *sleeper)
{
	atomic_fetch_add_explicit(&sleeper->futex, 1, memory_order_release);
	hft_futex_wake(&sleeper->futex, 1);
}

static void soft_unlock_and_wake(struct soft_hold *hold)
{
	struct soft_context *context = hold->queue->context;

	pthread_mutex_unlock(&hold->queue->lock);
	for (; hold->waiters; hold->waiters &= hold->waiters - 1)
		soft_wake(&context->rings[__builtin_ctzll(hold->waiters)].waiter);
	if (hold->driver)
		soft_wake(hold->driver);
}

void soft_notify(struct soft_context *context, const struct hft_event *notice, uint64_t now)
{
	struct soft_ring *monitor = atomic_load_explicit(&context->monitor, memory_order_acquire);
	struct soft_queue *queue;
	struct hft_event *event;
	struct soft_hold hold;

	queue = monitor ? atomic_load_explicit(&monitor->queue, memory_order_acquire) : NULL;
	if (!queue)
		return;
	soft_hold(&hold, queue);
	/* It may have been closed meanwhile. */
	if (atomic_load_explicit(&context->monitor, memory_order_relaxed) != monitor)
		goto unlock;
	event = hft_ready_notice(&monitor->ready, notice, now);
	if (!event)
		goto unlock;
	event->published = hft_now();
	hft_ready_publish(&monitor->ready);
	soft_announce(&hold, monitor);
unlock:
	soft_unlock_and_wake(&hold);
}

/* @stopped: tasks that a halt has stopped, if this has halted the handle */
static void soft_tell(struct soft_context *context, struct hft_notice *notice, bool halted,
		      uint64_t stopped, uint64_t now)
{
	struct hft_event *event = &notice->event;

	soft_notify(context, event, now);
	if (halted) {
		event->cookie = stopped;
		event->result = HFT_HALT_REDUCE;
		event->type = HFT_EVENT_HALT;
		soft_notify(context, event, now);
	}
	if (notice->flags & HFT_TASK_SIGNAL)
		soft_signal(context);
}

static void soft_let_go(struct soft_hold *hold)
{
	struct soft_context *context = hold->queue->context;
	uint64_t stopped = 0;
	uint32_t rings = 0;
	unsigned int i;

	soft_unlock_and_wake(hold);
	if (hft_log_unlikely(hold->nr_releases))
		soft_log_releases(hold);
	if (hold->halted)
		stopped = soft_halt_rings(context, &rings);
	for (i = 0; i < hold->nr_notices; i++)
		soft_tell(context, &hold->notices[i], hold->halted == i + 1, stopped, hold->now);
}

/* Under another queue's lock, whose holder receives when it has let go of that. */
static void soft_kick(struct hft_ready_queue *ready)
{
	struct soft_queue *queue = container_of(ready->release, struct soft_queue, release);

	atomic_fetch_or(&queue->context->inbound, 1ULL << ready->number);
}

/* Release the tasks of a ring that have waited for others of another CPU. */
void soft_ring_receive(struct soft_ring *soft)
{
	struct soft_queue *queue = atomic_load_explicit(&soft->queue, memory_order_acquire);
	struct soft_hold hold;
	bool more;

	/* Closed, it has none. */
	while (queue) {
		soft_lock(&hold, queue);
		more = atomic_load_explicit(&soft->queue, memory_order_relaxed) == queue &&
		       hft_chain_receive(&soft->ready, HFT_BATCH);
		soft_commit(&hold);
		soft_let_go(&hold);
		if (!more)
			break;
	}
}

/* As the module's hft_remote_receive(), by whoever has let go of a lock. */
void soft_receive(struct soft_context *context)
{
	uint64_t rings;

	while (atomic_load_explicit(&context->inbound, memory_order_relaxed)) {
		rings = atomic_exchange(&context->inbound, 0);
		for (; rings; rings &= rings - 1)
			soft_ring_receive(&context->rings[__builtin_ctzll(rings)]);
	}
}

void soft_unlock(struct soft_hold *hold)
{
	struct soft_context *context = hold->queue->context;

	soft_let_go(hold);
	soft_receive(context);
	if (atomic_load_explicit(&context->telling, memory_order_relaxed) |
	    atomic_load_explicit(&context->loosen, memory_order_relaxed))
		soft_rule_tell(context);
}

/* After any change. */
void soft_commit(struct soft_hold *hold)
{
	soft_fill_touched(hold);
	if (hold->queue->release.rearm)
		soft_dispatch(hold);
}

/* When a driver has to look again at the latest. */
static uint64_t soft_driver_until(struct soft_hold *hold)
{
	uint64_t next = atomic_load_explicit(&hold->queue->next, memory_order_relaxed);
	uint64_t look = hft_now() + SOFT_STEP_NS;

	return next > look && soft_waits_for_wall(hold->queue) ? look : next;
}

/* A wake-up from here on ends soft_sleep(): call it before looking whether to sleep. */
void soft_before_sleep(struct soft_sleeper *sleeper)
{
	sleeper->seen = atomic_load_explicit(&sleeper->futex, memory_order_acquire);
}

/*
 * Give the lock back, sleep until @timeout, a wake-up or, as the queue's driver, what
 * is due next, and take it again.  Returns 0 or -EINTR.
 */
int soft_sleep(struct soft_hold *hold, struct soft_sleeper *sleeper, uint64_t timeout)
{
	struct soft_queue *queue = hold->queue;
	int err;

	if (!queue->driver && sleeper != &queue->timer)
		queue->driver = sleeper;
	if (queue->driver == sleeper) {
		queue->until = soft_driver_until(hold);
		if (queue->until < timeout)
			timeout = queue->until;
	}
	sleeper->asleep = true;
	queue->asleep++;
	soft_unlock(hold);

	err = hft_futex_sleep(&sleeper->futex, sleeper->seen, timeout);

	soft_lock(hold, queue);
	sleeper->late = err == ETIMEDOUT && hold->now > timeout ? hold->now - timeout : 0;
	if (sleeper->asleep) {
		sleeper->asleep = false;
		queue->asleep--;
	}
	return err == EINTR ? -EINTR : 0;
}

/* A sleeper goes to work: if it is the driver, another of those asleep has to be. */
void soft_leave(struct soft_hold *hold, struct soft_sleeper *sleeper)
{
	struct soft_queue *queue = hold->queue;
	int i;

	if (queue->driver != sleeper)
		return;
	queue->driver = NULL;
	for (i = 0; queue->asleep && i < HFT_MAX_RINGS; i++) {
		struct soft_ring *ring = &queue->context->rings[i];

		if (atomic_load_explicit(&ring->queue, memory_order_relaxed) != queue ||
		    !ring->waiter.asleep)
			continue;
		soft_rouse(hold, &ring->waiter);
		return;
	}
}

static void *soft_timer_main(void *arg)
{
	struct soft_queue *queue = arg;
	struct soft_hold hold;

	/* As well as it may: nobody has asked for this thread. */
	if (hft_become_worker(queue->cpu, HFT_LEVEL_REALTIME, HFT_WORKER_NO_LOCK))
		hft_become_worker(queue->cpu, 0, HFT_WORKER_NO_RT | HFT_WORKER_NO_LOCK);

	soft_lock(&hold, queue);
	while (!queue->stop) {
		queue->watch_until = queue->release.watch.armed;
		if (queue->polled)
			queue->driver = &queue->timer;
		soft_before_sleep(&queue->timer);
		soft_sleep(&hold, &queue->timer, queue->watch_until);
	}
	soft_unlock(&hold);
	return NULL;
}

/* Under the context's mutex.  Returns 0 when there is a thread that drives the queue. */
int soft_queue_start_timer(struct soft_queue *queue)
{
	sigset_t all, saved;
	char name[16];
	int err;

	if (queue->has_timer)
		return 0;
	/* Signals are for the program's own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	err = pthread_create(&queue->thread, NULL, soft_timer_main, queue);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (err)
		return -err;
	snprintf(name, sizeof(name), "hft/%u", queue->cpu);
	pthread_setname_np(queue->thread, name);
	queue->has_timer = true;
	return 0;
}

/* The queue of a CPU, made if there is none.  NULL for want of memory. */
struct soft_queue *soft_queue_get(struct soft_context *context, uint32_t cpu)
{
	struct soft_queue *queue = context->queues[cpu];
	uint32_t tasks = context->pool.nr;
	char *heap;
	int clock;

	if (queue)
		return queue;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return NULL;
	if (hft_mutex_init(&queue->lock)) {
		free(queue);
		return NULL;
	}
	hft_release_init(&queue->release);
	heap = hft_region_make(&queue->memory, (HFT_CLOCKS + 1) * hft_heap_bytes(tasks + 1),
			       hft_node_of(cpu));
	if (!heap) {
		soft_queue_free(queue, true);
		return NULL;
	}
	for (clock = 0; clock <= HFT_CLOCKS; clock++) {
		struct hft_release_timer *timer = clock < HFT_CLOCKS ?
			&queue->release.timers[clock] : &queue->release.watch;

		hft_heap_init(&timer->heap, (void *)heap, tasks + 1);
		heap += hft_heap_bytes(tasks + 1);
	}
	queue->release.online = true;
	queue->release.kick = soft_kick;
	queue->release.tell = soft_tell_later;
	queue->context = context;
	queue->cpu = cpu;
	atomic_init(&queue->next, U64_MAX);
	context->queues[cpu] = queue;
	return queue;
}

/* @ours: it is not a forked child's copy, whose locks may be anybody's. */
void soft_queue_free(struct soft_queue *queue, bool ours)
{
	hft_free_on(&queue->memory);
	if (ours)
		pthread_mutex_destroy(&queue->lock);
	free(queue);
}
