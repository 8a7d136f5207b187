// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The time of a simulated machine: a list of events, of which the next one makes the
 * time.  What the kernel's half of the module does with its lock held and its timers is
 * here, around the same scheduler.
 */
#include <errno.h>

#include "sim.h"

#include "../random.h"

void hft_sim_event_init(struct hft_sim_event *event, enum hft_sim_rank rank, u64 number,
			void (*fire)(struct hft_sim *sim, struct hft_sim_event *event))
{
	hft_heap_item_init(&event->item);
	event->item.seq = (u64)rank << HFT_SIM_RANK_SHIFT | number;
	event->fire = fire;
}

void hft_sim_schedule(struct hft_sim *sim, struct hft_sim_event *event, u64 time)
{
	if (hft_heap_contains(&event->item))
		hft_heap_update(&sim->events, &event->item, time);
	else
		hft_heap_push(&sim->events, &event->item, time);
}

void hft_sim_unschedule(struct hft_sim *sim, struct hft_sim_event *event)
{
	if (hft_heap_contains(&event->item))
		hft_heap_remove(&sim->events, &event->item);
}

u64 hft_sim_clock(const struct hft_sim_cpu *cpu, enum hft_clock clock)
{
	return cpu->sim->now + cpu->release.offset[clock];
}

/* From 0 to @most */
static u64 draw(struct hft_sim *sim, u64 most)
{
	unsigned __int128 range = (unsigned __int128)most + 1;

	return (u64)(random_u64(&sim->random) * range >> 64);
}

static void arm_timers(struct hft_sim_cpu *cpu)
{
	struct hft_sim *sim = cpu->sim;
	int clock;

	for (clock = 0; clock < HFT_CLOCKS; clock++) {
		struct hft_release_timer *timer = &cpu->release.timers[clock];
		u64 next = hft_release_next(&cpu->release, clock);

		if (next >= timer->armed)
			continue;
		timer->armed = next;
		if (next < cpu->release.offset[clock] + sim->now)
			next = cpu->release.offset[clock] + sim->now;
		hft_sim_schedule(sim, &cpu->timers[clock].event,
				 next - cpu->release.offset[clock] +
				 (sim->opts.jitter_ns ? draw(sim, sim->opts.jitter_ns) : 0));
	}
}

/* A task has left the release queue, for the ready queue unless a job of it is in flight. */
static void released(struct hft_sim *sim, const struct hft_slot *slot, bool begun, u32 skipped)
{
	struct hft_sim_job *job;

	if (skipped)
		hft_sim_note_slot(slot, HFT_SIM_SKIP, skipped);
	if (slot->state == HFT_SLOT_DISPATCHED || (skipped && slot->state == HFT_SLOT_WAITING))
		return;
	job = hft_sim_job_take(sim, slot);
	job->ring->stats.submitted += begun;
	if (job->event.deadline)
		hft_heap_push(&sim->watch, &job->watch, job->event.deadline);
	hft_sim_note(job, HFT_SIM_RELEASE, slot->release);
}

static struct hft_sim_job *dispatched(struct hft_sim_ring *ring)
{
	u32 index = (u32)ring->seen++ & ring->ready.mask;
	const struct hft_event *event = &ring->ready.events[index];
	struct hft_sim_job **of = &ring->sim->job_of[lower_32_bits(event->task)];
	struct hft_sim_job *job = *of;

	/* One that was never released: what it was to run after did not run well. */
	if (!job)
		job = hft_sim_job_take(ring->sim, &ring->sim->pool.slots[of - ring->sim->job_of]);
	*of = NULL;
	job->event = *event;
	ring->jobs[index] = job;
	hft_sim_note(job, HFT_SIM_DISPATCH, event->sequence);
	return job;
}

/* Tasks that preempt each other are in the CPU's run queue as soon as in the ring. */
static void spread(struct hft_sim_ring *ring)
{
	struct hft_sim_job *job;

	while (ring->seen != ring->ready.sequence) {
		job = dispatched(ring);
		hft_sim_runnable(job, hft_policy_key(ring->ready.policy, job->event.level, job->seq,
						     job->event.deadline, job->window, job->wcet),
				 job->seq);
	}
}

static u64 wakeup_ns(const struct hft_sim_ring *ring)
{
	const struct hft_sim *sim = ring->sim;

	if (!sim->wakeup || ring->seen == ring->head)
		return sim->opts.wakeup_ns;
	return sim->wakeup(&ring->jobs[ring->head & ring->ready.mask]->event, sim->now,
			   sim->wakeup_arg);
}

/* Events were written: tell whom they are for. */
static void wake(struct hft_sim_ring *ring)
{
	struct hft_sim *sim = ring->sim;
	u64 ns;

	if (hft_sim_preempts(ring)) {
		spread(ring);
		return;
	}
	while (ring->seen != ring->ready.sequence)
		dispatched(ring);
	if (ring->awake || !ring->worker.sz)
		return;
	ring->awake = true;
	ring->ready.counters.wakeups++;
	ns = wakeup_ns(ring);
	if (ns)
		hft_sim_schedule(sim, &ring->wake, sim->now + ns);
	else
		hft_sim_worker_woken(sim, &ring->wake);
}

/* As a dispatch that says itself when it was: whoever sleeps is woken. */
void hft_sim_fill_at(struct hft_sim_ring *ring, u64 entry, u64 published)
{
	if (hft_ready_fill(&ring->ready, HFT_BATCH, entry, published))
		wake(ring);
	hft_sim_commit(ring->cpu);
}

void hft_sim_fill(struct hft_sim_ring *ring)
{
	hft_sim_fill_at(ring, ring->sim->now, ring->sim->now);
}

/* The consumer has made room: fill the ring's window from its ready tasks. */
void hft_sim_pull(struct hft_sim_ring *ring)
{
	u64 now = ring->sim->now;

	if (!(ring->ready.producer->flags & HFT_RING_MORE) && !ring->ready.nr_tracked)
		return;
	hft_sched_begin(&ring->cpu->release);
	if (hft_ready_fill(&ring->ready, HFT_BATCH, now, now)) {
		/* A worker that is awake looks itself, and so does who is not simulated. */
		if (hft_sim_preempts(ring))
			spread(ring);
		while (ring->seen != ring->ready.sequence)
			dispatched(ring);
	}
	hft_sim_commit(ring->cpu);
}

static const struct hft_slot *top(const struct hft_release_queue *queue, enum hft_clock clock)
{
	return container_of(hft_heap_min(&queue->timers[clock].heap), struct hft_slot, item);
}

static void fill_touched(struct hft_sim_cpu *cpu)
{
	struct hft_ready_queue *ready;
	u32 spare = HFT_BATCH;
	u64 now = cpu->sim->now;

	while ((ready = hft_sched_touched(&cpu->release))) {
		if (hft_ready_fill_touched(ready, &spare, now, now))
			wake(hft_sim_ring_of(ready));
	}
}

/* What is due at @now, which is on @clock; %HFT_TIME_MAX: all is. */
static struct hft_slot *expire_one_at(struct hft_sim_cpu *cpu, enum hft_clock clock, u64 now,
				      bool alone)
{
	struct hft_release_queue *queue = &cpu->release;
	const struct hft_slot *first = top(queue, clock);
	bool begun = hft_sim_has_begun(first);
	bool tracked = first->flags & HFT_SLOT_TRACKED;
	u32 missed = tracked ? first->missed : 0;
	struct hft_slot *slot = NULL;

	if (alone)
		slot = hft_sched_pop_alone(queue, clock, now);
	else
		hft_sched_expire(queue, clock, now, 1);
	released(cpu->sim, first, begun, tracked ? first->missed - missed : 0);
	return slot;
}

static struct hft_slot *expire_one(struct hft_sim_cpu *cpu, enum hft_clock clock, bool alone)
{
	return expire_one_at(cpu, clock, hft_sim_clock(cpu, clock), alone);
}

/* As the module's hft_dispatch_due(). */
static void dispatch_due(struct hft_sim_cpu *cpu, enum hft_clock clock)
{
	u64 now = hft_sim_clock(cpu, clock);
	struct hft_ready_queue *ready;
	struct hft_slot *slot;
	u32 n;

	if (hft_release_next(&cpu->release, clock) > now)
		return;
	slot = expire_one(cpu, clock, true);
	if (slot) {
		ready = slot->ready;
		hft_ready_write(ready, slot, cpu->sim->now, cpu->sim->now);
		hft_ready_publish(ready);
		wake(hft_sim_ring_of(ready));
		return;
	}
	for (n = 0; n < HFT_BATCH && hft_release_next(&cpu->release, clock) <= now; n++)
		expire_one(cpu, clock, false);
	fill_touched(cpu);
}

static bool is_early(const struct hft_sim_cpu *cpu, enum hft_clock clock)
{
	return hft_release_next(&cpu->release, clock) < cpu->release.timers[clock].armed;
}

/* As the module's hft_queue_dispatch(). */
static void dispatch_before_timers(struct hft_sim_cpu *cpu)
{
	u32 clock, n = 0;

	if (!is_early(cpu, HFT_CLOCK_REALTIME) && !is_early(cpu, HFT_CLOCK_TAI)) {
		if (is_early(cpu, HFT_CLOCK_MONOTONIC))
			dispatch_due(cpu, HFT_CLOCK_MONOTONIC);
		return;
	}
	for (clock = 0; clock < HFT_CLOCKS; clock++) {
		u64 now = hft_sim_clock(cpu, clock);

		for (; n < HFT_BATCH && hft_release_next(&cpu->release, clock) <= now; n++)
			expire_one(cpu, clock, false);
	}
	fill_touched(cpu);
}

static void arm_watch(struct hft_sim_cpu *cpu)
{
	u64 next = hft_heap_min_key(&cpu->release.watch.heap);

	if (next >= cpu->release.watch.armed)
		return;
	cpu->release.watch.armed = next;
	hft_sim_schedule(cpu->sim, &cpu->watch, next > cpu->sim->now ? next : cpu->sim->now);
}

static void commit(struct hft_sim_cpu *cpu)
{
	fill_touched(cpu);
	if (cpu->release.rearm) {
		dispatch_before_timers(cpu);
		cpu->release.rearm = false;
		arm_timers(cpu);
		arm_watch(cpu);
	}
	hft_sched_begin(&cpu->release);
}

void hft_sim_kick(struct hft_ready_queue *ready)
{
	hft_sim_ring_of(ready)->sim->inbound |= 1ULL << ready->number;
}

/*
 * Tasks that waited for others of another CPU, or for their jobs to go there: at the same
 * instant.
 */
static void receive(struct hft_sim *sim)
{
	struct hft_sim_ring *ring;
	bool more;

	sim->receiving = true;
	while (sim->inbound) {
		ring = sim->rings[__builtin_ctzll(sim->inbound)];
		sim->inbound &= sim->inbound - 1;
		do {
			more = hft_chain_receive(&ring->ready, HFT_BATCH);
			commit(ring->cpu);
		} while (more);
		hft_sim_fallback_receive(ring);
	}
	sim->receiving = false;
}

/* Before the lock would be given back: dispatch what is due, arm for the rest. */
void hft_sim_commit(struct hft_sim_cpu *cpu)
{
	commit(cpu);
	if (cpu->sim->inbound && !cpu->sim->receiving)
		receive(cpu->sim);
	if (cpu->sim->telling)
		hft_sim_rule_tell(cpu->sim);
}

/* A CPU goes offline: have what waits for it end.  As the module's hft_queue_drain(). */
void hft_sim_drain(struct hft_sim_cpu *cpu)
{
	int clock;

	for (clock = 0; clock < HFT_CLOCKS; clock++) {
		/* Those too that skip a release, and wait again. */
		while (hft_release_next(&cpu->release, clock) <= HFT_TIME_MAX) {
			cpu->release.ended = cpu->release.sequence;
			expire_one_at(cpu, clock, HFT_TIME_MAX, false);
		}
	}
	hft_sim_commit(cpu);
}

/* A task that is not dispatched ends as if its CPU had gone offline. */
void hft_sim_end_task(struct hft_slot *slot)
{
	struct hft_sim_ring *ring = hft_sim_ring_of(slot->ready);
	bool begun = hft_sim_has_begun(slot);

	if (slot->state == HFT_SLOT_WAITING) {
		hft_sched_expire_now(slot);
		released(ring->sim, slot, begun, 0);
	}
	slot->item.seq = 0;		/* before hft_release_queue.ended */
	if (slot->state == HFT_SLOT_READY)
		hft_ready_update(slot);
	hft_sim_commit(ring->cpu);
}

/* To the monitor ring, if there is one; full, it counts the loss. */
void hft_sim_tell(struct hft_sim *sim, const struct hft_event *notice)
{
	struct hft_sim_ring *ring = sim->monitor;

	if (ring && hft_ready_notice(&ring->ready, notice, sim->now))
		hft_ready_publish(&ring->ready);
}

/* What is in flight of it, or waits, stays where it is meanwhile. */
static void missed(struct hft_sim *sim, struct hft_notice *notice)
{
	struct hft_event *event = &notice->event;
	const struct hft_slot *slot = hft_slot_find(&sim->pool, event->task);
	bool halted = false;
	u64 stopped = 0;

	if (notice->flags & HFT_TASK_HALT)
		halted = hft_sim_halt_missed(sim, &stopped);
	hft_sim_tell(sim, event);
	if (halted) {
		hft_sim_note_slot(slot, HFT_SIM_HALT, stopped);
		event->cookie = stopped;
		event->result = HFT_HALT_REDUCE;
		event->type = HFT_EVENT_HALT;
		hft_sim_tell(sim, event);
	}
	if (notice->flags & HFT_TASK_SIGNAL)
		hft_sim_note_slot(slot, HFT_SIM_SIGNAL, event->deadline);
}

void hft_sim_watch_fired(struct hft_sim *sim, struct hft_sim_event *event)
{
	struct hft_sim_cpu *cpu = container_of(event, struct hft_sim_cpu, watch);
	struct hft_notice notice;

	sim->interrupts++;
	hft_sim_interrupt(cpu, sim->opts.interrupt_ns);
	cpu->release.watch.armed = U64_MAX;
	while (hft_watch_late(&cpu->release, sim->now, &notice, 1))
		missed(sim, &notice);
	cpu->release.rearm = true;
	hft_sim_commit(cpu);
}

void hft_sim_timer_fired(struct hft_sim *sim, struct hft_sim_event *event)
{
	struct hft_sim_timer *timer = container_of(event, struct hft_sim_timer, event);
	struct hft_sim_cpu *cpu = timer->cpu;

	sim->interrupts++;
	hft_sim_interrupt(cpu, sim->opts.interrupt_ns);
	cpu->release.timers[timer->clock].armed = U64_MAX;
	dispatch_due(cpu, timer->clock);
	cpu->release.rearm = true;
	hft_sim_commit(cpu);
}

/* When the next one comes: from 1 ns to twice the mean. */
void hft_sim_noise_arm(struct hft_sim *sim, struct hft_sim_cpu *cpu)
{
	sim->nr_noise++;
	hft_sim_schedule(sim, &cpu->noise,
			 sim->now + 1 + draw(sim, 2 * sim->opts.noise_period_ns - 2));
}

void hft_sim_noise_fired(struct hft_sim *sim, struct hft_sim_event *event)
{
	struct hft_sim_cpu *cpu = container_of(event, struct hft_sim_cpu, noise);

	sim->nr_noise--;
	sim->noise++;
	hft_sim_interrupt(cpu, sim->opts.noise_ns);
	hft_sim_noise_arm(sim, cpu);
}

static void miss(struct hft_sim *sim)
{
	struct hft_heap_item *item = hft_heap_pop(&sim->watch);
	struct hft_sim_job *job = container_of(item, struct hft_sim_job, watch);

	job->missed = true;
	hft_sim_note(job, HFT_SIM_MISS, job->event.deadline);
}

static bool is_idle(const struct hft_sim *sim)
{
	return sim->events.nr == sim->nr_noise && !sim->watch.nr;
}

/* What comes next, after all that happens now; U64_MAX: nothing. */
static u64 next_time(const struct hft_sim *sim)
{
	u64 event = hft_heap_min_key(&sim->events);
	u64 deadline = hft_heap_min_key(&sim->watch);

	return event < deadline ? event : deadline;
}

/* One event, or one deadline after all events at its time.  Returns false past @until. */
bool hft_sim_advance(struct hft_sim *sim, u64 until)
{
	struct hft_heap_item *item;
	struct hft_sim_event *event;
	u64 time;

	hft_sim_settle(sim);
	time = next_time(sim);
	if (time > until || time == U64_MAX)
		return false;
	if (time > sim->now)
		sim->now = time;
	if (hft_heap_min_key(&sim->events) > sim->now) {
		miss(sim);
		return true;
	}
	item = hft_heap_pop(&sim->events);
	event = container_of(item, struct hft_sim_event, item);
	event->fire(sim, event);
	return true;
}

static int run(struct hft_sim *sim, u64 until, bool to_idle)
{
	if (sim->running || sim->thread)
		return hft_fail(EBUSY, "the machine is running: this is a body, or called by it");
	sim->running = true;
	sim->stop = false;
	while (!sim->stop) {
		if (to_idle && is_idle(sim) && !sim->resched)
			break;
		if (!hft_sim_advance(sim, until))
			break;
	}
	sim->running = false;
	return sim->stop ? -ECANCELED : 0;
}

/* What happens now, for who does not run the machine. */
void hft_sim_run_due(struct hft_sim *sim)
{
	if (!sim->running)
		run(sim, sim->now, false);
}

/**
 * hft_sim_run_until() - let time go by
 * @sim: machine
 * @when: its time then; a time that has passed is now
 *
 * What happens at @when has happened.  Does not allocate or block.
 *
 * Return: 0, -ECANCELED by hft_sim_stop(), -EBUSY in a body or another call of the
 * machine.
 */
HFT_API int hft_sim_run_until(struct hft_sim *sim, uint64_t when)
{
	int err = run(sim, when, false);

	if (!err && sim->now < when)
		sim->now = when;
	return err;
}

/**
 * hft_sim_run() - let time go by until nothing is left to happen
 * @sim: machine
 *
 * A ring without a worker keeps its events: that is nothing to wait for, but for
 * their deadlines.  Does not allocate or block.
 *
 * Return: as hft_sim_run_until().
 */
HFT_API int hft_sim_run(struct hft_sim *sim)
{
	return run(sim, HFT_TIME_MAX, true);
}

/**
 * hft_sim_stop() - have the machine stop after what it is at
 * @sim: machine
 *
 * From a body or another call of the machine.  It can go on afterwards.
 */
HFT_API void hft_sim_stop(struct hft_sim *sim)
{
	sim->stop = true;
}

/**
 * hft_sim_now() - the time
 * @sim: machine
 *
 * Return: CLOCK_MONOTONIC of the machine, ns.
 */
HFT_API uint64_t hft_sim_now(const struct hft_sim *sim)
{
	return sim->now;
}

/**
 * hft_sim_random() - a random number, for a model that depends on the seed alone
 * @sim: machine
 *
 * Return: 64 bits, each as likely 0 as 1.
 */
HFT_API uint64_t hft_sim_random(struct hft_sim *sim)
{
	return random_u64(&sim->random);
}
