// SPDX-License-Identifier: LGPL-2.1-or-later
/* A simulated machine: tasks and calls that are asked for. */
#include <errno.h>
#include <stdlib.h>

#include "sim.h"

/* Returns 0, HFT_CHAIN_REMOTE, or an error; @ring: that has it, or did not take it, or NULL. */
static int insert(struct hft_sim *sim, struct hft_slot *slot, struct hft_sim_ring **ring)
{
	int err;

	do {
		*ring = hft_sim_ring_at(sim, slot->ring_number);
		err = *ring ? hft_sched_insert(&(*ring)->cpu->release, &(*ring)->ready, slot) :
		      -ENOENT;
		if (err == HFT_SCHED_AWAY)
			err = hft_sim_redirect(*ring, slot);
	} while (err == HFT_SCHED_AWAY);
	if (err >= 0)
		(*ring)->stats.submitted++;
	else
		hft_slot_free(&sim->pool, slot);
	return err;
}

/* It waits for a task of another CPU. */
static int join(struct hft_sim *sim, struct hft_slot *slot)
{
	struct hft_sim_ring *ring = sim->rings[slot->ring_number];
	struct hft_ready_queue *of = hft_chain_of(&sim->pool, slot->base);
	int err;

	hft_sim_commit(ring->cpu);
	err = hft_chain_join(of, slot);
	hft_sim_commit(hft_sim_ring_of(of)->cpu);
	if (!err)
		return 0;
	ring->stats.submitted--;
	err = hft_chain_refuse(&sim->pool, &ring->ready, slot, err);
	hft_sim_commit(ring->cpu);
	return err;
}

/* Queue prepared slots; as in the module neighbours for a CPU share a hold of its lock. */
static void insert_chunk(struct hft_sim *sim, struct hft_slot **slots, int64_t *results, u32 nr)
{
	struct hft_sim_cpu *cpu = NULL, *next;
	struct hft_sim_ring *ring;
	u32 i;
	int err;

	for (i = 0; i < nr; i++) {
		ring = IS_ERR(slots[i]) ? NULL : hft_sim_ring_at(sim, slots[i]->ring_number);
		next = ring ? ring->cpu : NULL;
		if (cpu && cpu != next)
			hft_sim_commit(cpu);
		cpu = next;
		if (IS_ERR(slots[i]))
			continue;
		err = insert(sim, slots[i], &ring);
		if (ring && ring->cpu != cpu)
			hft_sim_commit(ring->cpu);
		if (err == HFT_CHAIN_REMOTE) {
			err = join(sim, slots[i]);
			cpu = NULL;
		}
		if (err)
			results[i] = err;
	}
	if (cpu)
		hft_sim_commit(cpu);
}

/* As the module: in chunks; each task has its id, or its error.  Returns how many are taken. */
int hft_sim_submit_tasks(struct hft_sim *sim, const struct hft_task *tasks, int64_t *results,
			 u32 nr)
{
	struct hft_slot *slots[HFT_CHUNK];
	u32 done, chunk, i;
	int taken = 0;

	for (done = 0; done < nr; done += chunk) {
		chunk = nr - done < HFT_CHUNK ? nr - done : HFT_CHUNK;
		for (i = 0; i < chunk; i++) {
			slots[i] = hft_task_prepare(&sim->pool, &tasks[done + i]);
			results[done + i] = IS_ERR(slots[i]) ? PTR_ERR(slots[i]) :
					    (int64_t)hft_slot_id(&sim->pool, slots[i]);
		}
		insert_chunk(sim, slots, results + done, chunk);
		for (i = 0; i < chunk; i++)
			taken += results[done + i] > 0;
	}
	return taken;
}

/* Returns 0, or an error of hft_submit() that is not explained. */
int hft_sim_submit_task(struct hft_sim *sim, const struct hft_task *task, uint64_t *id)
{
	struct hft_slot *slot = hft_task_prepare(&sim->pool, task);
	struct hft_sim_ring *ring;
	int err;

	if (IS_ERR(slot))
		return (int)PTR_ERR(slot);
	if (id)
		*id = hft_slot_id(&sim->pool, slot);
	err = insert(sim, slot, &ring);
	if (err == HFT_CHAIN_REMOTE)
		return join(sim, slot);
	if (err == -EBUSY && id)
		*id = hft_task_refused(task, ring->cpu->release.admission.density);
	/* One that is refused may have found others to have ended. */
	if (ring)
		hft_sim_commit(ring->cpu);
	return err;
}

/**
 * hft_sim_submit() - submit a task
 * @sim: machine
 * @task: what to run, where and when
 * @id: its id for hft_sim_cancel(), or NULL
 *
 * From a body or another call of the machine too.  Does not allocate.
 *
 * Return: 0, or as hft_submit().
 */
HFT_API int hft_sim_submit(struct hft_sim *sim, const struct hft_task *task, uint64_t *id)
{
	int err = hft_sim_submit_task(sim, task, id);

	return err ? hft_fail(-err, "submit to ring %u of a machine", task->ring) : 0;
}

/* A job that was released and is not dispatched goes with its task. */
static void cancel_job(struct hft_sim *sim, const struct hft_slot *slot)
{
	struct hft_sim_job **job = &sim->job_of[slot - sim->pool.slots];

	if (*job)
		hft_sim_job_free(sim, *job);
	else if (hft_sim_has_begun(slot))
		hft_sim_ring_of(slot->ready)->stats.submitted++;
	*job = NULL;
	hft_sim_note_slot(slot, HFT_SIM_CANCEL, 0);
}

/* Returns the task, or NULL when there is none of that id. */
struct hft_slot *hft_sim_find(struct hft_sim *sim, uint64_t id)
{
	struct hft_slot *slot = hft_slot_find(&sim->pool, id);

	return slot && slot->ready ? slot : NULL;
}

int hft_sim_cancel_task(struct hft_sim *sim, uint64_t id)
{
	struct hft_slot *slot = hft_sim_find(sim, id);
	struct hft_ready_queue *of;
	struct hft_sim_cpu *cpu;
	u64 after;

	if (!slot || (slot->state == HFT_SLOT_DISPATCHED && !slot->ready->dead))
		return -ENOENT;
	cpu = hft_sim_ring_of(slot->ready)->cpu;
	if (slot->state != HFT_SLOT_DISPATCHED)
		cancel_job(sim, slot);
	after = hft_chain_after(slot);
	of = hft_chain_of(&sim->pool, after);
	if (hft_sched_cancel(slot) == HFT_CHAIN_REMOTE && of)
		hft_chain_fetch(of, after, slot);
	hft_sim_commit(cpu);
	return 0;
}

/**
 * hft_sim_cancel() - take back a task that has not been dispatched
 * @sim: machine
 * @id: of the task
 *
 * Return: 0, or -ENOENT when it has been dispatched, was cancelled or never was.
 */
HFT_API int hft_sim_cancel(struct hft_sim *sim, uint64_t id)
{
	int err = hft_sim_cancel_task(sim, id);

	return err ? hft_fail(-err, "cancel: task 0x%llx is not queued",
			      (unsigned long long)id) : 0;
}

static void call_fired(struct hft_sim *sim, struct hft_sim_event *event)
{
	struct hft_sim_call *call = container_of(event, struct hft_sim_call, event);
	hft_sim_call_fn fn = call->fn;

	call->next_free = sim->free_calls;
	sim->free_calls = call;
	fn(sim, sim->now, call->arg);
}

/**
 * hft_sim_call_at() - have a function called at a time
 * @sim: machine
 * @when: the time; one that has passed is now
 * @fn: called before the tasks that are released then
 * @arg: for @fn
 *
 * From a body or another call of the machine too.  Allocates when there have never
 * been as many calls.
 *
 * Return: 0, or -ENOMEM.
 */
HFT_API int hft_sim_call_at(struct hft_sim *sim, uint64_t when, hft_sim_call_fn fn, void *arg)
{
	struct hft_sim_call *call = sim->free_calls;

	if (call) {
		sim->free_calls = call->next_free;
	} else {
		if (hft_sim_reserve_events(sim, 1))
			return -ENOMEM;
		call = calloc(1, sizeof(*call));
		if (!call)
			return hft_fail(ENOMEM, "a call");
		call->next = sim->all_calls;
		sim->all_calls = call;
	}
	call->fn = fn;
	call->arg = arg;
	hft_sim_event_init(&call->event, HFT_SIM_RANK_CALL, sim->calls++, call_fired);
	hft_sim_schedule(sim, &call->event, when > sim->now ? when : sim->now);
	return 0;
}
