// SPDX-License-Identifier: LGPL-2.1-or-later
/* A simulated machine: what it is made of. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define HFT_SIM_DEFAULT_TASKS	4096
#define HFT_SIM_DEFAULT_ENTRIES	256

static size_t round_up(size_t bytes)
{
	return (bytes + HFT_HEAP_ALIGN - 1) / HFT_HEAP_ALIGN * HFT_HEAP_ALIGN;
}

/* Zeroed, on a cache line. */
static void *alloc_lines(size_t bytes)
{
	void *memory = aligned_alloc(HFT_HEAP_ALIGN, round_up(bytes));

	if (memory)
		memset(memory, 0, round_up(bytes));
	return memory;
}

static void *heap_memory(const struct hft_heap *heap)
{
	return heap->node ? heap->node - HFT_HEAP_PAD : NULL;
}

/* Have room for @capacity items. */
static int reserve(struct hft_heap *heap, u32 capacity)
{
	void *memory, *old = heap_memory(heap);

	if (capacity <= heap->capacity)
		return 0;
	if (capacity < 2 * heap->capacity)
		capacity = 2 * heap->capacity;
	memory = alloc_lines(hft_heap_bytes(capacity));
	if (!memory)
		return hft_fail(ENOMEM, "a heap of %u", capacity);
	hft_heap_move(heap, memory, capacity);
	free(old);
	return 0;
}

/* Have room for @more events in the list. */
int hft_sim_reserve_events(struct hft_sim *sim, u32 more)
{
	int err = reserve(&sim->events, sim->nr_events + more);

	if (!err)
		sim->nr_events += more;
	return err;
}

static int reserve_jobs(struct hft_sim *sim, u32 jobs)
{
	u32 i;
	int err;

	err = reserve(&sim->watch, jobs);
	for (i = 0; i < sim->opts.cpus && !err; i++)
		err = reserve(&sim->cpus[i].run, jobs);
	return err;
}

static int add_jobs(struct hft_sim *sim, u32 nr)
{
	struct hft_sim_chunk *chunks;
	int err;

	err = reserve_jobs(sim, sim->nr_jobs + nr);
	if (err)
		return err;
	chunks = realloc(sim->chunks, (sim->nr_chunks + 1) * sizeof(*chunks));
	if (!chunks)
		return hft_fail(ENOMEM, "the machine's tasks");
	sim->chunks = chunks;
	chunks[sim->nr_chunks] = (struct hft_sim_chunk){
		.jobs = calloc(nr, sizeof(struct hft_sim_job)),
		.nr = nr,
	};
	if (!chunks[sim->nr_chunks].jobs)
		return hft_fail(ENOMEM, "the machine's tasks");
	sim->nr_chunks++;
	sim->nr_jobs += nr;
	return 0;
}

/* Memory that was never used is not touched before it is. */
static struct hft_sim_job *unused_job(struct hft_sim *sim)
{
	struct hft_sim_job *job = sim->free_jobs;
	struct hft_sim_chunk *chunk;

	if (job) {
		sim->free_jobs = job->next;
		return job;
	}
	while (sim->chunks[sim->chunk].used == sim->chunks[sim->chunk].nr)
		sim->chunk++;
	chunk = &sim->chunks[sim->chunk];
	return &chunk->jobs[chunk->used++];
}

/* The job of a task that is released. */
struct hft_sim_job *hft_sim_job_take(struct hft_sim *sim, const struct hft_slot *slot)
{
	struct hft_sim_job **of = &sim->job_of[slot - sim->pool.slots], *job;

	/* It was put off after its release, and is released again. */
	if (*of)
		hft_sim_job_free(sim, *of);
	job = unused_job(sim);
	*job = (struct hft_sim_job){
		.ring = hft_sim_ring_of(slot->ready),
		.event = {
			.task = hft_slot_id(&sim->pool, slot),
			.cookie = slot->cookie,
			.release = slot->release,
			.deadline = slot->deadline,
			.level = slot->level,
		},
		.seq = slot->item.seq,
		.window = hft_slot_window(slot),
		.wcet = slot->flags & HFT_SLOT_MORE ? slot->wcet : 0,
		.place.id = ++sim->places,
	};
	job->ring->live++;
	hft_heap_item_init(&job->run);
	hft_heap_item_init(&job->watch);
	*of = job;
	return job;
}

void hft_sim_job_free(struct hft_sim *sim, struct hft_sim_job *job)
{
	if (hft_heap_contains(&job->watch))
		hft_heap_remove(&sim->watch, &job->watch);
	job->ring->live--;
	job->next = sim->free_jobs;
	sim->free_jobs = job;
}

static int check_opts(struct hft_sim_opts *opts)
{
	const u64 *first = &opts->start_ns, *last = &opts->noise_period_ns, *time;

	if (!opts->cpus)
		opts->cpus = 1;
	if (!opts->tasks)
		opts->tasks = HFT_SIM_DEFAULT_TASKS;
	if (opts->cpus > HFT_SIM_MAX_CPUS || opts->tasks > HFT_SIM_MAX_TASKS)
		return hft_fail(EINVAL, "%u CPUs and %u tasks: at most %u and %u", opts->cpus,
				opts->tasks, HFT_SIM_MAX_CPUS, HFT_SIM_MAX_TASKS);
	if (opts->reserved || opts->vary_ppm > 1000000)
		return hft_fail(EINVAL, "execution times vary by 1000000 ppm at most");
	for (time = first; time <= last; time++) {
		if (*time > HFT_TIME_MAX)
			return hft_fail(EINVAL, "a time of the machine is 2^61 ns or more");
	}
	if (opts->noise_ns && opts->noise_period_ns <= opts->noise_ns)
		return hft_fail(EINVAL, "interrupts of %llu ns every %llu ns",
				(unsigned long long)opts->noise_ns,
				(unsigned long long)opts->noise_period_ns);
	return 0;
}

static int init_cpu(struct hft_sim *sim, struct hft_sim_cpu *cpu, u32 number)
{
	u32 events = number * (HFT_CLOCKS + 1);
	int clock, err;

	cpu->sim = sim;
	cpu->number = number;
	hft_release_init(&cpu->release);
	cpu->release.online = true;
	/* No task has place 0: what does has ended. */
	cpu->release.sequence = 1;
	cpu->release.ended = 1;
	cpu->release.kick = hft_sim_kick;
	cpu->release.tell = hft_sim_tell_later;
	cpu->release.offset[HFT_CLOCK_REALTIME] = sim->opts.realtime_ns;
	cpu->release.offset[HFT_CLOCK_TAI] = sim->opts.tai_ns;
	hft_sim_event_init(&cpu->step, HFT_SIM_RANK_STEP, events, hft_sim_stepped);
	hft_sim_event_init(&cpu->watch, HFT_SIM_RANK_TIMER, events + HFT_CLOCKS,
			   hft_sim_watch_fired);
	hft_sim_event_init(&cpu->noise, HFT_SIM_RANK_NOISE, events, hft_sim_noise_fired);
	for (clock = 0; clock < HFT_CLOCKS; clock++) {
		struct hft_sim_timer *timer = &cpu->timers[clock];

		timer->cpu = cpu;
		timer->clock = clock;
		hft_sim_event_init(&timer->event, HFT_SIM_RANK_TIMER, events + clock,
				   hft_sim_timer_fired);
		err = reserve(&cpu->release.timers[clock].heap, sim->opts.tasks);
		if (err)
			return err;
	}
	err = reserve(&cpu->release.watch.heap, sim->opts.tasks + 1);
	if (err)
		return err;
	if (sim->opts.noise_ns)
		hft_sim_noise_arm(sim, cpu);
	return 0;
}

static int init_cpus(struct hft_sim *sim)
{
	u32 i, cpus = sim->opts.cpus;
	int err;

	sim->cpus = alloc_lines(cpus * sizeof(*sim->cpus));
	if (!sim->cpus)
		return hft_fail(ENOMEM, "%u CPUs", cpus);
	err = hft_sim_reserve_events(sim, cpus * (HFT_CLOCKS + 3));
	for (i = 0; i < cpus && !err; i++)
		err = init_cpu(sim, &sim->cpus[i], i);
	return err;
}

static int init_tasks(struct hft_sim *sim)
{
	struct hft_slot *slots = alloc_lines(sim->opts.tasks * sizeof(*slots));

	if (!slots)
		return hft_fail(ENOMEM, "%u tasks", sim->opts.tasks);
	hft_slots_init(&sim->pool, slots, sim->opts.tasks);
	/* There is nobody else here to be protected. */
	sim->pool.privileged = true;
	sim->job_of = calloc(sim->opts.tasks, sizeof(struct hft_sim_job *));
	if (!sim->job_of)
		return hft_fail(ENOMEM, "%u tasks", sim->opts.tasks);
	return add_jobs(sim, sim->opts.tasks);
}

/**
 * hft_sim_open() - make a simulated machine
 * @out: the machine
 * @user_opts: options, or NULL for a CPU on which nothing takes time but tasks
 *
 * Allocates.  Any thread; the machine is for one at a time.
 *
 * Return: 0, or -EINVAL an option is out of range, -ENOMEM, -E2BIG options of a newer
 * library.
 */
HFT_API int hft_sim_open(struct hft_sim **out, const struct hft_sim_opts *user_opts)
{
	struct hft_sim_opts opts;
	struct hft_sim *sim;
	int err;

	err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (!err)
		err = check_opts(&opts);
	if (err)
		return err;
	sim = calloc(1, sizeof(*sim));
	if (!sim)
		return hft_fail(ENOMEM, "a machine");
	sim->opts = opts;
	sim->now = opts.start_ns;
	sim->random = opts.seed;

	err = init_cpus(sim);
	if (!err)
		err = init_tasks(sim);
	if (err)
		hft_sim_close(sim);
	else
		*out = sim;
	return err;
}

static void free_ring(struct hft_sim_ring *ring)
{
	if (!ring)
		return;
	free(heap_memory(&ring->ready.heap));
	free(ring->ready.consumer);
	free(ring->ready.producer);
	free(ring->ready.events);
	free(ring->ready.reports);
	free(ring->ready.classes);
	free(ring->ready.learner);
	free(ring->ready.meter);
	free(ring->ready.detect);
	free(ring->jobs);
	free(ring);
}

static void free_cpu(struct hft_sim_cpu *cpu)
{
	int clock;

	for (clock = 0; clock < HFT_CLOCKS; clock++)
		free(heap_memory(&cpu->release.timers[clock].heap));
	free(heap_memory(&cpu->release.watch.heap));
	free(heap_memory(&cpu->run));
}

/**
 * hft_sim_close() - give a machine back, with all that is on it
 * @sim: the machine, or NULL; it is not running
 */
HFT_API void hft_sim_close(struct hft_sim *sim)
{
	struct hft_sim_call *call;
	u32 i;

	if (!sim)
		return;
	for (i = 0; i < HFT_MAX_RINGS; i++)
		free_ring(sim->rings[i]);
	for (i = 0; i < sim->nr_mutexes; i++)
		free(sim->mutexes[i]);
	for (i = 0; i < sim->nr_chunks; i++)
		free(sim->chunks[i].jobs);
	for (i = 0; sim->cpus && i < sim->opts.cpus; i++)
		free_cpu(&sim->cpus[i]);
	while ((call = sim->all_calls)) {
		sim->all_calls = call->next;
		free(call);
	}
	free(heap_memory(&sim->events));
	free(heap_memory(&sim->watch));
	free(sim->mutexes);
	free(sim->chunks);
	free(sim->cpus);
	free(sim->pool.slots);
	free(sim->job_of);
	free(sim);
}

/* What the model takes from a release to a worker's start. */
u64 hft_sim_lead(const struct hft_sim *sim)
{
	return sim->opts.jitter_ns + sim->opts.interrupt_ns + sim->opts.wakeup_ns +
	       sim->opts.switch_ns + sim->opts.cache_reload_ns;
}

static int init_ring(struct hft_sim_ring *ring, const struct hft_ring_add *add)
{
	struct hft_sim *sim = ring->sim;
	struct hft_ready_queue *ready = &ring->ready;
	int err;

	err = reserve(&ready->heap, sim->opts.tasks);
	if (err)
		return err;
	ready->pool = &sim->pool;
	ready->consumer = alloc_lines(sizeof(*ready->consumer));
	ready->producer = alloc_lines(sizeof(*ready->producer));
	ready->events = alloc_lines(add->entries * sizeof(*ready->events));
	ring->jobs = calloc(add->entries, sizeof(struct hft_sim_job *));
	if (!ready->consumer || !ready->producer || !ready->events || !ring->jobs)
		return hft_fail(ENOMEM, "a ring of %u entries", add->entries);
	if (add->flags & HFT_RING_REPORT) {
		ready->reports = alloc_lines(add->entries * sizeof(*ready->reports));
		ready->classes = alloc_lines(HFT_CLASSES * sizeof(*ready->classes));
		if (!ready->reports || !ready->classes)
			return hft_fail(ENOMEM, "the reports of %u entries", add->entries);
	}
	if (add->flags & HFT_RING_LEAD) {
		ready->learner = alloc_lines(sizeof(*ready->learner));
		if (!ready->learner)
			return hft_fail(ENOMEM, "what is learned of a lead");
		ready->learner->budget_ppm = HFT_LEAD_BUDGET_PPM;
	}
	hft_ready_init(ready, add);
	ready->producer->lead = ready->lead;
	ready->release = &ring->cpu->release;
	hft_sim_event_init(&ring->wake, HFT_SIM_RANK_WAKE, ready->number, hft_sim_worker_woken);
	err = add_jobs(sim, add->entries);
	return err ? err : hft_sim_reserve_events(sim, 1);
}

static int free_number(const struct hft_sim *sim)
{
	u32 i;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (!sim->rings[i])
			return (int)i;
	}
	return hft_fail(ENOSPC, "ring: the machine has its most rings");
}

/* The ring is dead, and its jobs are gone. */
void hft_sim_ring_destroy(struct hft_sim_ring *ring)
{
	struct hft_sim *sim = ring->sim;
	struct hft_detect *detect = ring->ready.detect;

	hft_detect_remove(&ring->ready);
	sim->rings[ring->ready.number] = NULL;
	hft_sim_fallback_forget(ring);
	hft_sim_rule_forget(ring);
	if (sim->monitor == ring)
		sim->monitor = NULL;
	free_ring(ring);
	if (detect)
		hft_sim_hold_rings(sim);
	free(detect);
}

/* Returns the ring's number, or as hft_sim_ring_add(). */
int hft_sim_ring_create(struct hft_sim *sim, const struct hft_ring_add *add)
{
	struct hft_sim_ring *ring;
	int number, err;

	if (!hft_ring_add_valid(add) || add->cpu >= sim->opts.cpus)
		return hft_ring_add_error(-EINVAL, add);
	if (add->flags & HFT_RING_MONITOR && sim->monitor)
		return hft_ring_add_error(-ENOSPC, add);
	if (!hft_sim_has_fallback(sim, add))
		return hft_ring_add_error(-ENOENT, add);
	if (add->flags & HFT_RING_SINK)
		return hft_ring_add_error(-ENXIO, add);
	if (!sim->cpus[add->cpu].release.online)
		return hft_ring_add_error(-ENODEV, add);
	number = free_number(sim);
	if (number < 0)
		return number;
	ring = alloc_lines(sizeof(*ring));
	if (!ring)
		return hft_fail(ENOMEM, "a ring");
	ring->sim = sim;
	ring->cpu = &sim->cpus[add->cpu];
	ring->place.id = ++sim->places;
	ring->ready.number = number;
	err = init_ring(ring, add);
	if (err) {
		free_ring(ring);
		return err;
	}
	if (add->flags & HFT_RING_FALLBACK)
		ring->fallback = sim->rings[add->fallback];
	hft_sched_hold(&ring->ready, hft_sim_halt_rank(sim));
	sim->rings[number] = ring;
	if (add->flags & HFT_RING_MONITOR)
		sim->monitor = ring;
	return number;
}

static u64 ring_lead(const struct hft_sim *sim, const struct hft_ring_opts *opts)
{
	if (opts->lead_ns == HFT_LEAD_AUTO || opts->lead_ns == HFT_LEAD_LEARNED)
		return hft_sim_lead(sim);
	return opts->lead_ns;
}

/**
 * hft_sim_ring_add() - add a ring to a machine
 * @sim: machine
 * @user_opts: options, or NULL for a ring on CPU 0; %HFT_LEAD_AUTO is what the model
 *	takes from a release to a worker's start, and %HFT_LEAD_LEARNED begins with that
 *
 * Allocates.
 *
 * Return: its number, or -EINVAL an option is out of range, -ENOENT there is no ring to
 * fall back on, on another CPU, -ENODEV the CPU is offline, -ENXIO a machine has no sinks,
 * -ENOSPC the machine has its most rings, -ENOMEM, -E2BIG options of a newer library.
 */
HFT_API int hft_sim_ring_add(struct hft_sim *sim, const struct hft_ring_opts *user_opts)
{
	struct hft_ring_opts opts;
	struct hft_ring_add add;
	int err, number;

	err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (err)
		return err;
	if (!opts.entries)
		opts.entries = HFT_SIM_DEFAULT_ENTRIES;
	add = (struct hft_ring_add){
		.cpu = opts.cpu,
		.entries = opts.entries,
		.window = opts.window ? opts.window : opts.entries,
		.level_mask = opts.level_mask ? opts.level_mask : HFT_LEVEL_MASK_ALL,
		.policy = opts.policy,
		.flags = opts.flags,
		.lead = ring_lead(sim, &opts),
		.fallback = opts.fallback,
		.sink = opts.sink,
	};
	if (opts.lead_ns == HFT_LEAD_LEARNED)
		add.flags |= HFT_RING_REPORT | HFT_RING_LEAD;
	if (opts.flags & HFT_RING_MONITOR)
		return hft_fail(EINVAL, "ring: a machine has no notices: see hft_sim_record");
	if (opts.lead_budget_ppm && (!(add.flags & HFT_RING_LEAD) ||
				     opts.lead_budget_ppm > HFT_LEAD_PPM))
		return hft_fail(EINVAL, "ring: a budget of %u ppm, or none for its lead",
				opts.lead_budget_ppm);
	number = hft_sim_ring_create(sim, &add);
	if (number >= 0 && opts.lead_budget_ppm)
		sim->rings[number]->ready.learner->budget_ppm = opts.lead_budget_ppm;
	return number;
}

/**
 * hft_sim_worker_add() - have a ring's tasks run
 * @sim: machine
 * @number: of the ring, which has no worker and no tasks
 * @user_opts: options, or NULL: tasks execute for their wcet
 *
 * Return: 0, or -ENOENT no such ring, -EBUSY it has a worker or tasks, -EINVAL an
 * option is out of range, -E2BIG options of a newer library.
 */
HFT_API int hft_sim_worker_add(struct hft_sim *sim, uint32_t number,
			       const struct hft_sim_worker_opts *user_opts)
{
	struct hft_sim_ring *ring = hft_sim_ring_at(sim, number);
	struct hft_sim_worker_opts opts;
	int err;

	err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (err)
		return err;
	if (!ring)
		return hft_fail(ENOENT, "worker: no ring %u", number);
	if (ring->worker.sz || ring->stats.submitted)
		return hft_fail(EBUSY, "worker: ring %u has a worker or tasks", number);
	if (opts.level >= HFT_LEVELS || opts.flags & ~(HFT_SIM_PREEMPTIVE | HFT_SIM_DROP_LATE) ||
	    (opts.cost && opts.steps))
		return hft_fail(EINVAL, "worker: level %u, flags 0x%x, or both a cost and steps",
				opts.level, opts.flags);
	if (!opts.level)
		opts.level = hft_top_level(ring->ready.level_mask);
	opts.sz = sizeof(opts);
	ring->worker = opts;
	return 0;
}

/**
 * hft_sim_mutex_add() - add a mutex for the steps of tasks
 * @sim: machine
 * @flags: %HFT_SIM_INHERIT or 0
 *
 * Return: its number, or -EINVAL unknown flags, -ENOMEM.
 */
HFT_API int hft_sim_mutex_add(struct hft_sim *sim, uint32_t flags)
{
	struct hft_sim_mutex **mutexes, *mutex;

	if (flags & ~HFT_SIM_INHERIT)
		return hft_fail(EINVAL, "mutex: unknown flags 0x%x", flags);
	mutexes = realloc(sim->mutexes, (sim->nr_mutexes + 1) * sizeof(*mutexes));
	if (!mutexes)
		return hft_fail(ENOMEM, "a mutex");
	sim->mutexes = mutexes;
	mutex = calloc(1, sizeof(*mutex));
	if (!mutex)
		return hft_fail(ENOMEM, "a mutex");
	mutex->inherit = flags & HFT_SIM_INHERIT;
	mutexes[sim->nr_mutexes] = mutex;
	return (int)sim->nr_mutexes++;
}
