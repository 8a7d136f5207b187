// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The consumer's side of a ring.  One thread at a time, wait-free but for what
 * sleeps by name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../log/sched.h"
#include "cancelled.h"
#include "internal.h"

#define HFT_DEFAULT_ENTRIES	256
#define HFT_DEFAULT_GAP_NS	10000

/* Turns of a spin between two looks at the clock. */
#define HFT_SPIN_TURNS		64

/* Explain an error of %HFT_IOC_RING_ADD. */
int hft_ring_add_error(int err, const struct hft_ring_add *add)
{
	switch (err) {
	case -ENOENT:
		return hft_fail(ENOENT, "ring: there is no ring %u on another CPU than %u to fall back on",
				add->fallback, add->cpu);
	case -ENXIO:
		return hft_fail(ENXIO, "ring: there is no sink %u: see hft_sink()", add->sink);
	case -ENODEV:
		return hft_fail(ENODEV, "ring: CPU %u is offline", add->cpu);
	case -ENOSPC:
		return hft_fail(ENOSPC, "ring: the handle has its most rings, or CPU %u has no room for its tasks (hft.queue_tasks)",
				add->cpu);
	case -EDQUOT:
		return hft_fail(EDQUOT, "ring: the user's quota (hft.user_rings, hft.user_bytes)");
	default:
		return hft_fail(-err, "ring on CPU %u: entries %u, window %u, levels 0x%x, policy %u, lead %llu ns, flags 0x%x",
				add->cpu, add->entries, add->window, add->level_mask, add->policy,
				(unsigned long long)add->lead, add->flags);
	}
}

static int hft_ring_fill_opts(struct hft *h, struct hft_ring_opts *opts)
{
	bool monitor = opts->flags & HFT_RING_MONITOR;

	if (opts->reserved | opts->reserved2)
		return hft_fail(EINVAL, "a ring's reserved option is not zero");
	if (!opts->entries)
		opts->entries = HFT_DEFAULT_ENTRIES;
	if (!opts->window)
		opts->window = opts->entries;
	if (!opts->level_mask && !monitor)
		opts->level_mask = HFT_LEVEL_MASK_ALL;
	if (opts->lead_ns == HFT_LEAD_LEARNED)
		opts->flags |= HFT_RING_REPORT | HFT_RING_LEAD;
	if (opts->lead_budget_ppm && !(opts->flags & HFT_RING_LEAD))
		return hft_fail(EINVAL, "a ring's budget for its lead is with HFT_RING_LEAD");
	if (opts->lead_ns != HFT_LEAD_AUTO && opts->lead_ns != HFT_LEAD_LEARNED)
		return 0;
	return hft_measure_lead(h, opts, &opts->lead_ns);
}

/* What can be said of a ring's lead only once there is the ring. */
static int hft_ring_fill_lead(struct hft_ring *ring, const struct hft_ring_opts *opts)
{
	if (opts->lead_budget_ppm && ring->learns)
		return hft_lead_budget(ring, opts->lead_budget_ppm);
	return 0;
}

/* A halt has to find the handle's rings.  They may outlive it. */
static void hft_ring_list(struct hft *h, struct hft_ring *ring)
{
	pthread_mutex_lock(&h->lock);
	ring->listed = h;
	ring->next = h->rings;
	h->rings = ring;
	pthread_mutex_unlock(&h->lock);
}

static void hft_ring_unlist(struct hft_ring *ring)
{
	struct hft *h = ring->listed;
	struct hft_ring **link;

	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	for (link = &h->rings; *link != ring; link = &(*link)->next)
		;
	*link = ring->next;
	hft_tally_forget(h, ring->number);
	pthread_mutex_unlock(&h->lock);
}

/**
 * hft_ring_on_cancel() - who is told when hft_halt() of its handle has cancelled tasks
 * @ring: ring
 * @fn: told then, under the lock of the handle's rings, and not after this has returned
 *	with another; or NULL
 * @arg: for @fn
 */
void hft_ring_on_cancel(struct hft_ring *ring, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&ring->h->lock);
	ring->on_cancel = fn;
	ring->on_cancel_arg = arg;
	pthread_mutex_unlock(&ring->h->lock);
}

void hft_ring_unlist_all(struct hft *h)
{
	pthread_mutex_lock(&h->lock);
	for (; h->rings; h->rings = h->rings->next)
		h->rings->listed = NULL;
	pthread_mutex_unlock(&h->lock);
}

/**
 * hft_ring_open() - add a ring
 * @h: handle, which must outlive the ring
 * @user_opts: options, or NULL for a ring on CPU 0
 * @out: the ring
 *
 * With %HFT_LEAD_AUTO it first measures on that CPU, for some 300 ms, how long
 * after its release a worker that sleeps gets to run.  %HFT_LEAD_LEARNED begins with that,
 * is %HFT_RING_REPORT and %HFT_RING_LEAD too, and goes on by what the ring's own worker
 * takes to wake up: see hft_lead_state().
 *
 * Allocates, blocks and enters the kernel.  Any thread.
 *
 * Return: 0, or -EINVAL an option is out of range, -ENODEV the CPU is offline, -ENOENT
 * there is no ring to fall back on, of the handle and on another CPU, -ENXIO there is no
 * such sink, -EPERM it is not for the caller, -ENOSPC no room for a ring on that CPU or in
 * the handle, -EDQUOT the user's quota, -EMFILE, -ENFILE, -ENOMEM, -E2BIG options of a
 * newer library.
 */
HFT_API int hft_ring_open(struct hft *h, const struct hft_ring_opts *user_opts,
			  struct hft_ring **out)
{
	struct hft_ring_opts opts;
	struct hft_ring_add add;
	struct hft_ring *ring;
	int err;

	err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (err)
		return err;
	err = hft_ring_fill_opts(h, &opts);
	if (err)
		return err;

	ring = aligned_alloc(_Alignof(struct hft_ring), sizeof(*ring));
	if (!ring)
		return hft_fail(ENOMEM, "a ring");
	memset(ring, 0, sizeof(*ring));

	add = (struct hft_ring_add){
		.cpu = opts.cpu,
		.entries = opts.entries,
		.window = opts.window,
		.level_mask = opts.level_mask,
		.policy = opts.policy,
		.flags = opts.flags,
		.lead = opts.lead_ns,
		.quantum = opts.quantum_ns,
		.fallback = opts.fallback,
		.sink = opts.sink,
	};
	ring->backend = h->backend;
	ring->h = h;
	ring->fd = -1;
	ring->cpu = opts.cpu;
	ring->level_mask = opts.level_mask;
	err = hft_inbox_open(ring, opts.inbox);
	if (!err)
		err = h->backend->ring_open(h, ring, &add);
	if (err) {
		hft_inbox_close(ring);
		free(ring);
		return err;
	}
	ring->forks = h->forks;
	ring->number = add.ring;
	ring->policy = opts.policy;
	ring->gap_ns = opts.gap_ns ? opts.gap_ns : HFT_DEFAULT_GAP_NS;
	ring->learns = opts.flags & HFT_RING_LEAD;
	/* Before HFT_FEATURE_LEAD it is reserved in the ring's pages, and never changes. */
	if (!(h->query.features & HFT_FEATURE_LEAD))
		ring->own_lead = opts.lead_ns;
	ring->spin_ns = opts.spin_ns;
	ring->mask = opts.entries - 1;
	atomic_store_explicit(&ring->measured, ring->reports != NULL, memory_order_relaxed);
	hft_ring_list(h, ring);
	err = hft_ring_fill_lead(ring, &opts);
	if (err)
		hft_ring_close(ring);
	else
		*out = ring;
	return err;
}

/**
 * hft_ring_close() - give a ring back; its queued tasks are dropped
 * @ring: the ring, or NULL; no thread uses it any more
 *
 * Enters the kernel and may block.
 */
HFT_API void hft_ring_close(struct hft_ring *ring)
{
	if (!ring)
		return;
	if (!hft_is_inherited(ring->forks))
		hft_ring_unlist(ring);
	ring->backend->ring_close(ring);
	hft_tally_free(ring);
	hft_guard_free(ring);
	hft_inbox_close(ring);
	free(ring);
}

/**
 * hft_ring_number() - the ring's number, for hft_task.ring
 * @ring: ring
 *
 * Return: the number.  Any thread; wait-free, no system call.
 */
HFT_API uint32_t hft_ring_number(const struct hft_ring *ring)
{
	return ring->number;
}

/**
 * hft_ring_lead() - the ring's lead; with %HFT_LEAD_AUTO, what was measured
 * @ring: ring
 *
 * What tasks are queued with from now on: of a ring that learns it, it changes.
 *
 * Return: nanoseconds; 0 in a forked child, which has not the ring's memory.  Any thread; wait-free, no system call.
 */
HFT_API uint64_t hft_ring_lead(const struct hft_ring *ring)
{
	if (__builtin_expect(ring->own_lead, 0))
		return ring->own_lead;
	if (__builtin_expect(hft_is_inherited(ring->forks), 0))
		return 0;
	return __atomic_load_n(&ring->producer->lead, __ATOMIC_RELAXED);
}

/**
 * hft_ring_fd() - the ring's descriptor, for poll, epoll or IORING_OP_POLL_ADD
 * @ring: ring; it keeps the descriptor
 *
 * See hft_ring_arm() for what to do before sleeping on it.
 *
 * Return: the descriptor, which stays the ring's.  Any thread; wait-free, no system
 * call.
 */
HFT_API int hft_ring_fd(const struct hft_ring *ring)
{
	return ring->fd;
}

/* The machine of a simulation has a clock of its own, and soft no notices of these. */
void hft_ring_clock_fault(const struct hft_ring *ring, const struct hft_event *event)
{
	if (!ring->machine)
		hft_clock_fault(event);
}

/**
 * hft_ring_peek() - the next event
 * @ring: ring
 *
 * The better of the ring's next event and the tasks of hft_submit_now(), by level, then
 * the policy's key, then time: an event of the ring has the time of its dispatch.
 *
 * An event of the ring may be before its release, by the ring's lead at most: see
 * hft_spin_until(); until hft_ring_advance(), another call may return a task of
 * hft_submit_now() that goes before it, and hft_ring_advance() is for what was returned
 * last.  The ring's consumer only; wait-free; does not enter the kernel.
 *
 * Where the event is a notice that the clocks have left the TSC, hft_now() does too.
 *
 * Return: the event, valid until hft_ring_advance(), or NULL if there is none.
 */
HFT_API const struct hft_event *hft_ring_peek(struct hft_ring *ring)
{
	const struct hft_event *event = hft_ring_look(ring);

	if (__builtin_expect(ring->view.taken, 0))
		hft_inbox_begin(ring);
	return event;
}

/**
 * hft_ring_advance() - be done with the event of hft_ring_peek()
 * @ring: ring, with an event
 *
 * Call it after the task has run: it makes room in the ring's window.  The ring's
 * consumer only; wait-free; does not enter the kernel.
 */
HFT_API void hft_ring_advance(struct hft_ring *ring)
{
	if (hft_ring_is_measured(ring))
		hft_ring_end(ring);
	if (hft_log_sched_wants(HFT_SCHED_END))
		hft_ring_log_end(ring);
	if (__builtin_expect(ring->view.taken, 0)) {
		hft_inbox_end(ring);
		return;
	}
	if (__builtin_expect(!!ring->recorder, 0))
		hft_record_advance(ring);
	else
		hft_ring_next(ring);
	if (__builtin_expect(ring->head % HFT_GLANCE_TURNS == 0, 0))
		hft_inbox_glance(ring, ring->head % HFT_BEHIND_TURNS == 0);
}

/**
 * hft_ring_arm() - before sleeping on hft_ring_fd(): ask to be woken
 * @ring: ring
 *
 * For who sleeps in poll, epoll or IORING_OP_POLL_ADD rather than hft_wait().  The
 * ring's consumer only; wait-free; does not enter the kernel.
 *
 * Return: true if there is something to do first, and no wake-up was asked for: look
 * with hft_ring_peek(), and if there is nothing, call hft_wait() with a timeout of 0
 * for the tasks that wait for room.
 */
HFT_API bool hft_ring_arm(struct hft_ring *ring)
{
	if (ring->backend->poll && !ring->backend->poll(ring, true))
		return true;
	if (!hft_inbox_arm_poll(ring))
		return true;
	__atomic_store_n(&ring->consumer->need_wakeup, 1, __ATOMIC_RELAXED);
	/* Pairs with the barrier in the kernel between the tail and need_wakeup. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!hft_ring_available(ring) && !(hft_ring_flags(ring) & HFT_RING_MORE))
		return false;
	__atomic_store_n(&ring->consumer->need_wakeup, 0, __ATOMIC_RELAXED);
	hft_inbox_disarm(ring);
	return true;
}

bool hft_ring_take_stop(struct hft_ring *ring)
{
	return atomic_exchange_explicit(&ring->stop, false, memory_order_acquire);
}

/*
 * Returns how many events there are; 0 when it is time to ask the backend.  Looks at
 * the clock now and then only: the tail and the inbox are what the spin is for.
 */
int hft_ring_spin(struct hft_ring *ring, uint64_t timeout)
{
	uint64_t now = hft_now(), last;
	uint64_t end = ring->spin_ns > UINT64_MAX - now ? UINT64_MAX : now + ring->spin_ns;
	unsigned int turn = 0;
	int ready;

	if (timeout < end)
		end = timeout;
	while (!(ready = hft_ring_ready(ring))) {
		if (hft_ring_flags(ring) & (HFT_RING_MORE | HFT_RING_DEAD))
			break;
		if (ring->backend->poll)
			ring->backend->poll(ring, false);
		if (++turn % HFT_SPIN_TURNS)
			continue;
		if (hft_ring_stopped(ring))
			return -ECANCELED;
		if (turn % HFT_GLANCE_TURNS == 0)
			hft_inbox_glance(ring, turn % HFT_BEHIND_TURNS == 0);
		last = now;
		now = hft_now();
		hft_ring_turn(ring, last, now);
		if (now >= end)
			break;
	}
	return ready;
}

/* The worker alone writes these. */
void hft_ring_gap(struct hft_ring *ring, uint64_t from, uint64_t to)
{
	struct hft_gap_stats *gaps = &ring->gaps;
	uint64_t ns = to - from;

	if (ns > gaps->longest_ns)
		__atomic_store_n(&gaps->longest_ns, ns, __ATOMIC_RELAXED);
	__atomic_store_n(&gaps->gap_ns, gaps->gap_ns + ns, __ATOMIC_RELAXED);
	__atomic_store_n(&gaps->last, to, __ATOMIC_RELAXED);
	__atomic_store_n(&gaps->gaps, gaps->gaps + 1, __ATOMIC_RELEASE);
}

/**
 * hft_ring_gaps() - what was taken from a worker while it spun
 * @ring: ring
 * @user: the answer; its sz is set
 *
 * A worker that spins, for hft_ring_opts.spin_ns or from the end of its lead to a release,
 * looks at the clock all the time.  Where that jumps by hft_ring_opts.gap_ns or more, the
 * worker was interrupted, preempted, or its whole CPU taken by the firmware or a
 * hypervisor: what the module's interference_cpus finds with interrupts off, and all else.
 * It costs nothing, and says nothing of the time in which the worker slept or ran a task.
 *
 * Any thread; wait-free, no system call.  Counters may be those of different moments.
 *
 * Return: 0, or -EINVAL without a size, -E2BIG.
 */
HFT_API int hft_ring_gaps(const struct hft_ring *ring, struct hft_gap_stats *user)
{
	const struct hft_gap_stats *gaps = &ring->gaps;
	struct hft_gap_stats stats = { 0 };
	int err = hft_check_answer(user);

	if (err)
		return err;
	/* Pairs with the release: a gap that is counted is in the rest. */
	stats.gaps = __atomic_load_n(&gaps->gaps, __ATOMIC_ACQUIRE);
	stats.gap_ns = __atomic_load_n(&gaps->gap_ns, __ATOMIC_RELAXED);
	stats.longest_ns = __atomic_load_n(&gaps->longest_ns, __ATOMIC_RELAXED);
	stats.last = __atomic_load_n(&gaps->last, __ATOMIC_RELAXED);
	hft_answer(user, &stats, sizeof(stats));
	return 0;
}

static int hft_wait_error(const struct hft_ring *ring, int err)
{
	switch (err) {
	case -ETIMEDOUT:
	case -EINTR:
	case -ECANCELED:
		return err;		/* no failures */
	case -EBUSY:
		return hft_fail(EBUSY, "ring %u: another thread waits for it", ring->number);
	case -ESHUTDOWN:
		return hft_fail(ESHUTDOWN, "ring %u: its handle is closed", ring->number);
	default:
		return hft_fail(-err, "wait for ring %u", ring->number);
	}
}

/*
 * Immediate tasks keep a worker from waiting: those that found no room in the ring are
 * pulled all the same.
 */
void hft_ring_pull(struct hft_ring *ring)
{
	if (hft_inbox_look(&ring->view) && !hft_ring_available(ring) &&
	    hft_ring_flags(ring) & HFT_RING_MORE)
		ring->backend->wait(ring, 0);
}

/* What waits for room and is pulled was not what the worker was woken for. */
static int hft_ring_wait_learning(struct hft_ring *ring, uint64_t timeout)
{
	bool more = hft_ring_flags(ring) & HFT_RING_MORE;
	int ret;

	ring->overslept = 0;
	ret = ring->backend->wait(ring, timeout);
	ring->woke = ret > 0 && !more ? hft_now() : 0;
	return ret;
}

/**
 * hft_wait() - wait for an event
 * @ring: ring
 * @timeout: CLOCK_MONOTONIC to give up at; 0 does not wait, %HFT_WAIT_FOREVER
 *	never gives up
 *
 * Spins for the ring's spin_ns, then sleeps in the kernel, which also writes
 * released tasks that found no room to the ring.
 *
 * Tasks of hft_submit_now() that may run are events here.
 *
 * Return: how many events there are, -ETIMEDOUT, -EINTR by a signal, -ECANCELED by
 * hft_ring_stop(), -EBUSY when another thread waits for the ring, -ESHUTDOWN when
 * the handle is closed.
 */
HFT_API int hft_wait(struct hft_ring *ring, uint64_t timeout)
{
	int ret;

	hft_ring_pull(ring);
	ret = hft_ring_ready(ring);
	if (!ret)
		ret = ring->learns ? hft_ring_wait_learning(ring, timeout) :
				     ring->backend->wait(ring, timeout);
	return __builtin_expect(ret >= 0, 1) ? ret : hft_wait_error(ring, ret);
}
