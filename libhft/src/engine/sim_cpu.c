// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The CPUs of a simulated machine: the best of what could run runs, by the key of its
 * policy or the level of its worker, and what it loses to switches, caches and
 * interrupts is time in which it does not get on.
 */
#include "sim.h"

#include "../random.h"

/* Have the CPU look who is best, when all that happens now has happened. */
void hft_sim_resched(struct hft_sim_cpu *cpu)
{
	if (cpu->resched)
		return;
	cpu->resched = true;
	cpu->next_resched = cpu->sim->resched;
	cpu->sim->resched = cpu;
}

/* Count what the CPU has executed up to now. */
static void account(struct hft_sim_cpu *cpu)
{
	u64 now = cpu->sim->now;
	u64 done;

	if (!cpu->current || now <= cpu->from)
		return;
	done = now - cpu->from;
	cpu->from = now;
	cpu->ran += done;
	if (cpu->current->started)
		cpu->current->left -= done;
}

static void arm_step(struct hft_sim_cpu *cpu)
{
	const struct hft_sim_job *job = cpu->current;
	u64 time = cpu->from;

	if (!job->started)
		cpu->current->looked = time;
	if (job->started)
		time += job->left;
	else if (job->event.result >= 0 && job->event.release > time)
		time = job->event.release;
	hft_sim_schedule(cpu->sim, &cpu->step, time);
}

void hft_sim_interrupt(struct hft_sim_cpu *cpu, u64 ns)
{
	u64 now = cpu->sim->now;

	if (!ns)
		return;
	account(cpu);
	cpu->sim->overhead += ns;
	cpu->busy = (cpu->busy > now ? cpu->busy : now) + ns;
	if (!cpu->current)
		return;
	cpu->from = (cpu->from > now ? cpu->from : now) + ns;
	arm_step(cpu);
}

static struct hft_sim_place *place_of(struct hft_sim_job *job)
{
	return hft_sim_preempts(job->ring) ? &job->place : &job->ring->place;
}

/* What a job loses by not being the one that ran last. */
static u64 switch_cost(const struct hft_sim_cpu *cpu, struct hft_sim_job *job)
{
	const struct hft_sim_opts *opts = &cpu->sim->opts;
	const struct hft_sim_place *place = place_of(job);
	u64 others = cpu->ran - place->ran;

	if (cpu->last == place->id)
		return 0;
	/* Others can not have used more of the cache than they had time to fill. */
	return opts->switch_ns + (others < opts->cache_reload_ns ? others : opts->cache_reload_ns);
}

/* The current job leaves the CPU. */
static void leave(struct hft_sim_cpu *cpu)
{
	struct hft_sim_place *place = place_of(cpu->current);

	account(cpu);
	place->ran = cpu->ran;
	cpu->last = place->id;
	cpu->current = NULL;
	hft_sim_unschedule(cpu->sim, &cpu->step);
}

static void enter(struct hft_sim_cpu *cpu, struct hft_sim_job *job)
{
	u64 cost = switch_cost(cpu, job);
	u64 now = cpu->sim->now;

	cpu->current = job;
	cpu->sim->overhead += cost;
	cpu->from = (cpu->busy > now ? cpu->busy : now) + cost;
	if (job->started)
		hft_sim_note(job, HFT_SIM_RESUME, job->left);
	arm_step(cpu);
}

static void pick(struct hft_sim_cpu *cpu)
{
	struct hft_heap_item *item = hft_heap_min(&cpu->run);
	struct hft_sim_job *best = item ? container_of(item, struct hft_sim_job, run) : NULL;
	struct hft_sim_job *job = cpu->current;

	if (best == job)
		return;
	if (job) {
		leave(cpu);
		if (job->started)
			hft_sim_note(job, HFT_SIM_PREEMPT, job->left);
	}
	if (best)
		enter(cpu, best);
}

/* All that happens now has happened: let the CPUs choose. */
void hft_sim_settle(struct hft_sim *sim)
{
	struct hft_sim_cpu *cpu;

	while ((cpu = sim->resched)) {
		sim->resched = cpu->next_resched;
		cpu->resched = false;
		pick(cpu);
	}
}

/* A job could run. */
void hft_sim_runnable(struct hft_sim_job *job, u64 key, u64 order)
{
	struct hft_sim_cpu *cpu = job->ring->cpu;

	job->base = key;
	job->key = key;
	job->run.seq = order;
	hft_heap_push(&cpu->run, &job->run, key);
	hft_sim_resched(cpu);
}

/* Have the worker's next event run, or let it sleep. */
void hft_sim_worker_next(struct hft_sim_ring *ring)
{
	if (ring->seen == ring->head)
		hft_sim_pull(ring);
	ring->awake = ring->seen != ring->head;
	if (ring->awake)
		hft_sim_runnable(ring->jobs[ring->head & ring->ready.mask],
				 hft_sim_worker_key(ring), ring->order);
}

void hft_sim_worker_woken(struct hft_sim *sim, struct hft_sim_event *event)
{
	struct hft_sim_ring *ring = container_of(event, struct hft_sim_ring, wake);

	ring->order = sim->order++;
	if (ring->seen != ring->head)
		ring->jobs[ring->head & ring->ready.mask]->woken = true;
	hft_sim_worker_next(ring);
}

/* Let the owner of a mutex, and whom it waits for, be as urgent as @key. */
static void inherit(struct hft_sim_job *job, u64 key)
{
	while (job && job->key > key) {
		job->key = key;
		if (hft_heap_contains(&job->run)) {
			hft_heap_update(&job->ring->cpu->run, &job->run, key);
			hft_sim_resched(job->ring->cpu);
		}
		job = job->blocked && job->blocked->inherit ? job->blocked->owner : NULL;
	}
}

/* Let a job be as urgent as by itself, and by the mutexes that it still has. */
static void disinherit(struct hft_sim *sim, struct hft_sim_job *job)
{
	const struct hft_sim_job *waiter;
	u64 key = job->base;
	u32 i;

	for (i = 0; i < sim->nr_mutexes; i++) {
		if (sim->mutexes[i]->owner != job || !sim->mutexes[i]->inherit)
			continue;
		for (waiter = sim->mutexes[i]->waiters; waiter; waiter = waiter->next_waiter)
			key = waiter->key < key ? waiter->key : key;
	}
	if (key == job->key)
		return;
	job->key = key;
	if (hft_heap_contains(&job->run))
		hft_heap_update(&job->ring->cpu->run, &job->run, key);
	hft_sim_resched(job->ring->cpu);
}

static void block(struct hft_sim_job *job, struct hft_sim_mutex *mutex, u32 number)
{
	struct hft_sim_job **last = &mutex->waiters;

	leave(job->ring->cpu);
	hft_heap_remove(&job->ring->cpu->run, &job->run);
	hft_sim_resched(job->ring->cpu);
	job->blocked = mutex;
	job->next_waiter = NULL;
	while (*last)
		last = &(*last)->next_waiter;
	*last = job;
	hft_sim_note(job, HFT_SIM_BLOCK, number);
	if (mutex->inherit)
		inherit(mutex->owner, job->key);
}

/* The most urgent waiter; the one that has waited longest among equal ones. */
static struct hft_sim_job *take_waiter(struct hft_sim_mutex *mutex)
{
	struct hft_sim_job **best = &mutex->waiters, **link;
	struct hft_sim_job *job;

	for (link = best; *link; link = &(*link)->next_waiter) {
		if ((*link)->key < (*best)->key)
			best = link;
	}
	job = *best;
	if (job)
		*best = job->next_waiter;
	return job;
}

static void unlock(struct hft_sim_job *job, u32 number)
{
	struct hft_sim *sim = job->ring->sim;
	struct hft_sim_mutex *mutex = sim->mutexes[number];
	struct hft_sim_job *next = take_waiter(mutex);

	hft_sim_note(job, HFT_SIM_UNLOCK, number);
	mutex->owner = next;
	if (next) {
		next->blocked = NULL;
		hft_sim_note(next, HFT_SIM_LOCK, number);
		hft_heap_push(&next->ring->cpu->run, &next->run, next->key);
		hft_sim_resched(next->ring->cpu);
		/* Of those that are left. */
		disinherit(sim, next);
	}
	disinherit(sim, job);
}

/* A job that waits for a mutex does no more. */
static void stop_waiting(struct hft_sim_job *job)
{
	struct hft_sim_job **link = &job->blocked->waiters;

	while (*link != job)
		link = &(*link)->next_waiter;
	*link = job->next_waiter;
	job->blocked = NULL;
}

/* A job has ended: its entry, and those before it, are the scheduler's again. */
static void consume(struct hft_sim_job *job)
{
	struct hft_sim_ring *ring = job->ring;
	u32 mask = ring->ready.mask;

	ring->jobs[job->event.sequence & mask] = NULL;
	while (ring->head != ring->seen && !ring->jobs[ring->head & mask])
		ring->head++;
	smp_store_release(&ring->ready.consumer->head, lower_32_bits(ring->head));
	hft_sim_job_free(ring->sim, job);
}

static void take_off(struct hft_sim_job *job)
{
	struct hft_sim_ring *ring = job->ring;
	struct hft_sim *sim = ring->sim;
	u32 i;

	for (i = 0; i < sim->nr_mutexes; i++) {
		if (sim->mutexes[i]->owner == job)
			unlock(job, i);
	}
	if (job->blocked)
		stop_waiting(job);
	if (ring->cpu->current == job)
		leave(ring->cpu);
	if (hft_heap_contains(&job->run))
		hft_heap_remove(&ring->cpu->run, &job->run);
	hft_sim_resched(ring->cpu);
}

/* Of a job in a ring with reports. */
static struct hft_report *report(const struct hft_sim_job *job)
{
	const struct hft_ready_queue *ready = &job->ring->ready;

	return &ready->reports[job->event.sequence & ready->mask];
}

static void end_job(struct hft_sim_job *job, enum hft_sim_what what, u64 value)
{
	struct hft_sim_ring *ring = job->ring;

	take_off(job);
	hft_sim_note(job, what, value);
	if (ring->ready.reports)
		report(job)->end = ring->sim->now;
	consume(job);
	if (!hft_sim_preempts(ring))
		hft_sim_worker_next(ring);
	else if (ring->ready.producer->flags & HFT_RING_MORE || ring->ready.nr_tracked)
		hft_sim_pull(ring);
}

/* Of a ring that is dead: what is in it does not run, or not to its end. */
void hft_sim_drop_jobs(struct hft_sim_ring *ring)
{
	struct hft_sim_job *job;
	u64 n;

	for (n = ring->head; n != ring->seen; n++) {
		job = ring->jobs[n & ring->ready.mask];
		ring->jobs[n & ring->ready.mask] = NULL;
		if (!job)
			continue;
		take_off(job);
		hft_sim_note(job, HFT_SIM_DROP, job->event.deadline);
		hft_sim_job_free(ring->sim, job);
	}
	ring->head = ring->seen;
	ring->awake = false;
}

static u64 model_cost(const struct hft_sim_job *job)
{
	struct hft_sim *sim = job->ring->sim;
	u64 most;

	if (job->ring->worker.cost)
		return job->ring->worker.cost(&job->event, job->ring->worker.arg);
	if (!sim->opts.vary_ppm || !job->wcet)
		return job->wcet;
	most = (u64)((unsigned __int128)job->wcet * sim->opts.vary_ppm / 1000000);
	return job->wcet - (u64)((unsigned __int128)random_u64(&sim->random) * (most + 1) >> 64);
}

/* As hft_report.woke has it. */
static u32 woke(const struct hft_sim_job *job)
{
	u64 ns = job->looked - job->event.irq_entry;

	if (!job->woken || job->looked < job->event.irq_entry)
		return 0;
	return ns < U32_MAX ? (u32)ns + !ns : U32_MAX;
}

static void start_job(struct hft_sim_job *job)
{
	const struct hft_sim_worker_opts *worker = &job->ring->worker;
	struct hft_sim *sim = job->ring->sim;

	job->started = true;
	hft_sim_note(job, HFT_SIM_START, sim->now - job->event.release);
	if (job->ring->ready.reports)
		*report(job) = (struct hft_report){ .start = sim->now, .woke = woke(job) };
	sim->spun = 0;
	sim->body = true;
	if (worker->fn)
		worker->fn(&job->event, sim->now, worker->arg);
	sim->body = false;
	job->left = sim->spun;
	/* A task that ended with an error is its body's to look at, no more. */
	if (job->event.result < 0)
		return;
	if (worker->steps)
		job->step = worker->steps(&job->event, &job->nr_steps, worker->arg);
	else
		job->left += model_cost(job);
}

/* The next step of a job that is done with one.  Returns false when it does not go on. */
static bool next_step(struct hft_sim_job *job)
{
	const struct hft_sim_step *step = job->step;
	struct hft_sim *sim = job->ring->sim;
	struct hft_sim_mutex *mutex;

	if (!job->nr_steps) {
		if (job->event.result < 0)
			end_job(job, HFT_SIM_DROP, job->event.deadline);
		else
			end_job(job, HFT_SIM_END, sim->now - job->event.release);
		return false;
	}
	job->step++;
	job->nr_steps--;
	if (step->op == HFT_SIM_EXECUTE) {
		job->left = step->ns;
		return true;
	}
	if (step->mutex >= sim->nr_mutexes)
		return true;
	mutex = sim->mutexes[step->mutex];
	if (step->op == HFT_SIM_MUTEX_UNLOCK) {
		if (mutex->owner == job)
			unlock(job, step->mutex);
	} else if (mutex->owner) {
		block(job, mutex, step->mutex);
		return false;
	} else {
		mutex->owner = job;
		hft_sim_note(job, HFT_SIM_LOCK, step->mutex);
	}
	return true;
}

/* The current job may start, or is done with its step. */
void hft_sim_stepped(struct hft_sim *sim, struct hft_sim_event *event)
{
	struct hft_sim_cpu *cpu = container_of(event, struct hft_sim_cpu, step);
	struct hft_sim_job *job = cpu->current;

	account(cpu);
	if (!job->started) {
		if (job->missed && job->ring->worker.flags & HFT_SIM_DROP_LATE) {
			end_job(job, HFT_SIM_DROP, job->event.deadline);
			return;
		}
		start_job(job);
	}
	while (!job->left) {
		if (!next_step(job))
			return;
	}
	(void)sim;
	arm_step(cpu);
}
