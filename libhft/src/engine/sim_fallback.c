// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A simulated machine: CPUs that go offline, and rings that have the tasks of others.  As the
 * module's hotplug.c and fallback.c, but that nothing comes in between.
 */
#include <errno.h>

#include "sim.h"

/* As hft_ring_fallback(). */
static struct hft_sim_ring *fallback_of(const struct hft_sim_ring *ring)
{
	const struct hft_sim_cpu *cpu = ring->cpu;
	struct hft_sim_ring *to = ring->fallback;

	while (to && (to->ready.away || to->cpu == cpu))
		to = to->fallback;
	return to;
}

/* For what a rule sends there. */
static struct hft_sim_ring *spare_of(const struct hft_sim_ring *ring)
{
	struct hft_sim_ring *to = ring->fallback;

	return to && !to->ready.away && to->cpu->release.online ? to : NULL;
}

/* As hft_fallback_redirect(): after %HFT_SCHED_AWAY. */
int hft_sim_redirect(struct hft_sim_ring *ring, struct hft_slot *slot)
{
	bool rule = ring->ready.away == HFT_AWAY_RULE;
	struct hft_sim_ring *to = rule ? spare_of(ring) : fallback_of(ring);

	if (!to)
		return rule ? hft_fallback_keep(&ring->ready, slot) : -ENODEV;
	hft_rule_lower(&ring->ready, slot);
	slot->ring_number = to->ready.number;
	return HFT_SCHED_AWAY;
}

/* A task that was @from's is another ring's: so is its job, if that is released. */
static void take_job_along(struct hft_sim_ring *from, const struct hft_slot *slot)
{
	struct hft_sim_ring *to = hft_sim_ring_of(slot->ready);
	struct hft_sim_job *job = from->sim->job_of[slot - from->sim->pool.slots];

	if (job || !hft_sim_has_begun(slot)) {
		from->stats.submitted--;
		to->stats.submitted++;
	}
	if (!job)
		return;
	from->live--;
	to->live++;
	job->ring = to;
	job->seq = slot->item.seq;
	job->window = hft_slot_window(slot);
}

/*
 * Have @to have a task of another ring, if it can be moved and is taken.  That @to itself sends
 * tasks away is no matter: the one who asks knows where this one is to be.
 */
bool hft_sim_move(struct hft_sim_ring *to, struct hft_slot *slot)
{
	struct hft_sim_ring *from = hft_sim_ring_of(slot->ready);
	bool online = to->cpu->release.online;
	u32 away = to->ready.away;
	struct hft_moving moving;
	int err;

	if (!hft_fallback_take(slot, &moving))
		return false;
	to->ready.away = 0;
	to->cpu->release.online = true;
	err = hft_fallback_put(&to->ready, slot, &moving, hft_sim_clock(to->cpu, slot->clock));
	to->cpu->release.online = online;
	to->ready.away = away;
	if (err)
		hft_fallback_return(slot, &moving, hft_sim_clock(from->cpu, slot->clock));
	else
		take_job_along(from, slot);
	hft_sim_commit(from->cpu);
	hft_sim_commit(to->cpu);
	return !err;
}

/* As hft_fallback_move(): what has nowhere to go stays, and ends there. */
static void move(struct hft_sim_ring *ring, struct hft_slot *slot)
{
	struct hft_sim_ring *to = ring->ready.away & HFT_AWAY_OFFLINE ? fallback_of(ring) : NULL;
	struct hft_moving moving;

	if (to && to->cpu->release.online) {
		hft_sim_move(to, slot);
		return;
	}
	if (hft_fallback_take(slot, &moving))
		hft_fallback_return(slot, &moving, hft_sim_clock(ring->cpu, slot->clock));
	hft_sim_commit(ring->cpu);
}

/* Tasks whose jobs were consumed. */
void hft_sim_fallback_receive(struct hft_sim_ring *ring)
{
	struct hft_slot *slot;

	while (!ring->ready.dead && (slot = hft_fallback_next(&ring->ready)))
		move(ring, slot);
}

/* From here on the ring's tasks go to another, if there is one. */
static bool begin(struct hft_sim_ring *ring)
{
	struct hft_release_queue *queue = &ring->cpu->release;
	struct hft_sim_ring *to = fallback_of(ring);
	struct hft_fallback_order order = { .from = queue->sequence };
	u64 first;

	if (to) {
		first = hft_fallback_first(&ring->ready, U64_MAX, 0, ring->sim->pool.nr);
		if (first < order.from)
			order.from = first;
		order.nr = queue->sequence - order.from;
		hft_fallback_reserve(&to->cpu->release, &order);
	}
	hft_fallback_begin(&ring->ready, &order);
	return to;
}

static void leave(struct hft_sim_ring *ring)
{
	struct hft_slots *pool = &ring->sim->pool;
	u32 i;

	if (!ring->fallback || !begin(ring))
		return;
	for (i = 0; i < pool->nr; i++) {
		if (pool->slots[i].ready == &ring->ready)
			move(ring, &pool->slots[i]);
	}
}

static void notify(struct hft_sim_ring *ring, bool online)
{
	struct hft_ready_queue *ready = &ring->ready;
	struct hft_event notice = {
		.type = online ? HFT_EVENT_CPU_ONLINE : HFT_EVENT_CPU_OFFLINE,
		.release = ring->sim->now,
		.cookie = ready->number,
		.task = online ? 0 : ready->waiting + ready->heap.nr,
	};
	u32 flags = ready->producer->flags & ~HFT_RING_OFFLINE;

	WRITE_ONCE(ready->producer->flags, flags | (online ? 0 : HFT_RING_OFFLINE));
	if (ring != ring->sim->monitor)
		hft_sim_tell(ring->sim, &notice);
}

static void go_offline(struct hft_sim_cpu *cpu)
{
	struct hft_sim *sim = cpu->sim;
	int clock;
	u32 i;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (sim->rings[i] && sim->rings[i]->cpu == cpu)
			leave(sim->rings[i]);
	}
	cpu->release.online = false;
	cpu->release.ended = cpu->release.sequence;
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (sim->rings[i] && sim->rings[i]->cpu == cpu)
			notify(sim->rings[i], false);
	}
	hft_sim_drain(cpu);
	for (clock = 0; clock < HFT_CLOCKS; clock++) {
		hft_sim_unschedule(sim, &cpu->timers[clock].event);
		cpu->release.timers[clock].armed = U64_MAX;
	}
	/* The deadlines of what is in flight are watched again when the CPU is back. */
	hft_sim_unschedule(sim, &cpu->watch);
	cpu->release.watch.armed = U64_MAX;
}

static void come_back(struct hft_sim_cpu *cpu)
{
	struct hft_sim *sim = cpu->sim;
	u32 i;

	cpu->release.online = true;
	cpu->release.rearm = true;
	hft_sim_commit(cpu);
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (!sim->rings[i] || sim->rings[i]->cpu != cpu)
			continue;
		hft_ready_redirect(&sim->rings[i]->ready, HFT_AWAY_OFFLINE, false);
		notify(sim->rings[i], true);
	}
}

/**
 * hft_sim_set_online() - have a CPU go offline, or come back
 * @sim: machine
 * @cpu: number of the CPU
 * @online: which
 *
 * What is queued on a CPU that goes offline goes to its rings' fallback rings
 * (%HFT_RING_FALLBACK) or ends with -ENODEV, as &struct hft_ring_add has it, and a monitor ring
 * has a notice.  Workers go on, as threads do that are moved to another CPU.  From a body or
 * another call of the machine too; takes time by the number of the machine's tasks, does not
 * allocate or block.
 *
 * Return: 0, as when it is so already, or -EINVAL there is no such CPU.
 */
HFT_API int hft_sim_set_online(struct hft_sim *sim, uint32_t cpu, bool online)
{
	if (cpu >= sim->opts.cpus)
		return hft_fail(EINVAL, "a machine of %u CPUs has no CPU %u", sim->opts.cpus, cpu);
	if (sim->cpus[cpu].release.online == online)
		return 0;
	sim->cpus[cpu].turned = sim->now;
	if (online)
		come_back(&sim->cpus[cpu]);
	else
		go_offline(&sim->cpus[cpu]);
	return 0;
}

/* The fallback ring that is asked for may be one: it is alive, and on another CPU. */
bool hft_sim_has_fallback(const struct hft_sim *sim, const struct hft_ring_add *add)
{
	const struct hft_sim_ring *to = sim->rings[add->fallback];

	return !(add->flags & HFT_RING_FALLBACK) ||
	       (to && !to->ready.dead && to != sim->monitor && to->cpu != &sim->cpus[add->cpu]);
}

/* A ring is no other's fallback any more. */
void hft_sim_fallback_forget(struct hft_sim_ring *ring)
{
	struct hft_sim *sim = ring->sim;
	u32 i;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (sim->rings[i] && sim->rings[i]->fallback == ring)
			sim->rings[i]->fallback = NULL;
	}
}
