// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The backend sim: a handle of a machine of its own.  hft_opts.device, if it is no
 * path, is its options: "seed=7,cpus=2,interrupt_ns=400".
 *
 * The thread that uses a handle has its machine's time in hft_now(), until it uses
 * another machine's or closes this.  Where it would wait time goes by: the machine's
 * events happen in the calls, and a body may call any function of the library but
 * those that wait.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inbox.h"
#include "sim.h"

/* The clocks of a machine that nobody has set: 2026-01-01 after a second of uptime. */
#define HFT_SIM_START		1000000000ULL
#define HFT_SIM_REALTIME	1767225599000000000ULL
#define HFT_SIM_LEAP		37000000000ULL	/* TAI - UTC */

#define HFT_SIM_HANDLE_TASKS	65536		/* as the module's max_tasks */

_Thread_local struct hft_sim *hft_sim_current __attribute__((tls_model("initial-exec")));

static const struct {
	const char *name;
	size_t offset;
	bool wide;
} hft_sim_names[] = {
	{ "seed", offsetof(struct hft_sim_opts, seed), true },
	{ "cpus", offsetof(struct hft_sim_opts, cpus), false },
	{ "start_ns", offsetof(struct hft_sim_opts, start_ns), true },
	{ "realtime_ns", offsetof(struct hft_sim_opts, realtime_ns), true },
	{ "tai_ns", offsetof(struct hft_sim_opts, tai_ns), true },
	{ "interrupt_ns", offsetof(struct hft_sim_opts, interrupt_ns), true },
	{ "jitter_ns", offsetof(struct hft_sim_opts, jitter_ns), true },
	{ "wakeup_ns", offsetof(struct hft_sim_opts, wakeup_ns), true },
	{ "switch_ns", offsetof(struct hft_sim_opts, switch_ns), true },
	{ "cache_reload_ns", offsetof(struct hft_sim_opts, cache_reload_ns), true },
	{ "noise_ns", offsetof(struct hft_sim_opts, noise_ns), true },
	{ "noise_period_ns", offsetof(struct hft_sim_opts, noise_period_ns), true },
	{ "vary_ppm", offsetof(struct hft_sim_opts, vary_ppm), false },
};

#define HFT_SIM_NAMES	(sizeof(hft_sim_names) / sizeof(hft_sim_names[0]))

static int set_option(struct hft_sim_opts *opts, size_t i, const char *text, const char **end)
{
	void *field = (char *)opts + hft_sim_names[i].offset;
	char *stop;
	u64 value;

	errno = 0;
	value = strtoull(text, &stop, 10);
	if (errno || stop == text || *text == '-' || (!hft_sim_names[i].wide && value > U32_MAX))
		return hft_fail(EINVAL, "%s of a machine: \"%s\"", hft_sim_names[i].name, text);
	if (hft_sim_names[i].wide)
		memcpy(field, &value, sizeof(value));
	else
		memcpy(field, &(u32){ (u32)value }, sizeof(u32));
	*end = stop;
	return 0;
}

/* NAME=NUMBER and what follows it. */
static int read_option(struct hft_sim_opts *opts, const char **text)
{
	size_t i, length = strcspn(*text, "=");
	int err;

	for (i = 0; i < HFT_SIM_NAMES; i++) {
		if (strlen(hft_sim_names[i].name) == length &&
		    !strncmp(hft_sim_names[i].name, *text, length))
			break;
	}
	if (i == HFT_SIM_NAMES || !(*text)[length])
		return hft_fail(EINVAL, "a machine has no option \"%s\" (see struct hft_sim_opts)",
				*text);
	err = set_option(opts, i, *text + length + 1, text);
	if (err)
		return err;
	if (**text && **text != ',')
		return hft_fail(EINVAL, "options of a machine: \"%s\"", *text);
	*text += **text == ',';
	return 0;
}

static int sim_open(struct hft *h, const struct hft_opts *opts)
{
	HFT_OPTS(hft_sim_opts, machine, .cpus = (u32)sysconf(_SC_NPROCESSORS_CONF),
		 .tasks = opts->tasks, .start_ns = HFT_SIM_START, .realtime_ns = HFT_SIM_REALTIME,
		 .tai_ns = HFT_SIM_REALTIME + HFT_SIM_LEAP);
	const char *text = opts->device;
	struct hft_sim *sim;
	int err = 0;

	if (opts->tasks > HFT_SIM_HANDLE_TASKS)
		return hft_fail(EINVAL, "%u tasks asked for, the backend's max_tasks is %u",
				opts->tasks, HFT_SIM_HANDLE_TASKS);
	while (text[0] && text[0] != '/' && !err)
		err = read_option(&machine, &text);
	if (!err)
		err = hft_sim_open(&sim, &machine);
	if (err)
		return err;
	sim->handles = 1;
	hft_sim_current = sim;
	h->state = sim;
	h->lead_ns = hft_sim_lead(sim) < HFT_MAX_LEAD ? hft_sim_lead(sim) : HFT_MAX_LEAD;
	hft_offer(h, HFT_SIM_HANDLE_TASKS, sim->opts.cpus);
	return 0;
}

/* From CLOCK_MONOTONIC to another clock. */
uint64_t hft_sim_offset(const struct hft_sim *sim, enum hft_clock clock)
{
	return sim->cpus[0].release.offset[clock];
}

uint32_t hft_sim_cpus(const struct hft_sim *sim)
{
	return sim->opts.cpus;
}

void hft_sim_hold(struct hft_sim *sim)
{
	sim->handles++;
}

/* Of the handle, its rings and pools, the last. */
void hft_sim_put(struct hft_sim *sim)
{
	if (--sim->handles)
		return;
	if (hft_sim_current == sim)
		hft_sim_current = NULL;
	hft_sim_close(sim);
}

static void sim_close(struct hft *h)
{
	struct hft_sim *sim = h->state;
	u32 i;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (sim->rings[i])
			hft_sim_ring_kill(sim->rings[i]);
	}
	hft_sim_put(sim);
}

/* What the consumers of rings without a worker have advanced over has ended by now. */
static void sync_ring(struct hft_sim_ring *ring)
{
	u32 head = READ_ONCE(ring->ready.consumer->head);
	struct hft_sim_job *job;

	if (ring->worker.sz || lower_32_bits(ring->seen) - head > ring->seen - ring->head)
		return;
	while (lower_32_bits(ring->head) != head) {
		job = ring->jobs[ring->head & ring->ready.mask];
		ring->jobs[ring->head++ & ring->ready.mask] = NULL;
		if (!job)
			continue;
		hft_sim_note(job, HFT_SIM_END, ring->sim->now - job->event.release);
		hft_sim_job_free(ring->sim, job);
	}
}

/* The calling thread uses the machine. */
struct hft_sim *hft_sim_use(struct hft_sim *sim)
{
	u32 i;

	hft_sim_current = sim;
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (sim->rings[i] && sim->rings[i] != sim->monitor)
			sync_ring(sim->rings[i]);
	}
	return sim;
}

static int sim_ring_open(struct hft *h, struct hft_ring *ring, struct hft_ring_add *add)
{
	struct hft_sim *sim = h->state;
	struct hft_sim_ring *made;
	int number;

	if (hft_is_inherited(h->forks))
		return hft_ring_add_error(-EOWNERDEAD, add);
	number = hft_sim_ring_create(hft_sim_use(sim), add);
	if (number < 0)
		return number;
	made = sim->rings[number];
	sim->handles++;
	add->ring = (u32)number;
	ring->state = made;
	ring->machine = sim;
	ring->consumer = made->ready.consumer;
	ring->producer = made->ready.producer;
	ring->events = made->ready.events;
	ring->reports = made->ready.reports;
	return 0;
}

static void sim_ring_close(struct hft_ring *ring)
{
	struct hft_sim_ring *made = ring->state;
	struct hft_sim *sim = made->sim;

	sync_ring(made);
	hft_sim_ring_kill(made);
	hft_sim_ring_destroy(made);
	hft_sim_put(sim);
}

static int sim_submit(struct hft *h, const struct hft_task *task, uint64_t *id)
{
	if (hft_is_inherited(h->forks))
		return -EOWNERDEAD;
	return hft_sim_submit_task(hft_sim_use(h->state), task, id);
}

/* A worker that is part of the machine has no inbox: its tasks go by the event list. */
static int sim_submit_now(struct hft_ring *ring, const struct hft_task *task,
			  struct hft_inbox_receipt *receipt)
{
	struct hft_sim_ring *made = ring->state;
	struct hft_task copy = *task;
	struct hft_sim *sim;

	if (hft_is_inherited(ring->forks))
		return -EOWNERDEAD;
	sim = hft_sim_use(made->sim);
	if (!made->worker.sz)
		return hft_inbox_submit_for(ring, task, receipt);
	if (receipt)
		*receipt = (struct hft_inbox_receipt){ .passed_on = true };
	copy.ring = ring->number;
	copy.clock = HFT_CLOCK_MONOTONIC;
	copy.release = hft_sim_virtual_now(sim);
	if (copy.deadline)
		copy.deadline += copy.release;
	if (hft_ring_flags(ring) & HFT_RING_DEAD)
		return -ENOENT;
	/* The handle may be recorded. */
	return ring->backend->submit(ring->h, &copy, NULL);
}

static int sim_submit_batch(struct hft *h, const struct hft_submit_batch *batch)
{
	const struct hft_task *tasks = (const void *)(uintptr_t)batch->tasks;
	int64_t *results = (void *)(uintptr_t)batch->results;

	if (hft_is_inherited(h->forks))
		return -EOWNERDEAD;
	if (!tasks || !results)
		return -EFAULT;
	return hft_sim_submit_tasks(hft_sim_use(h->state), tasks, results, batch->nr);
}

/* Time goes by until @ring has an event. */
static int sim_wait(struct hft_ring *ring, uint64_t timeout)
{
	struct hft_sim_ring *made = ring->state;
	struct hft_sim *sim = hft_sim_use(made->sim);
	int ret;

	if (sim->running || sim->thread)
		return -EBUSY;
	for (;;) {
		hft_sim_pull(made);
		ret = hft_ready_in_flight(&made->ready);
		if (hft_inbox_look(&ring->view))
			ret += (int)hft_inbox_count(ring);
		if (ret)
			return ret;
		if (made->ready.dead)
			return -ESHUTDOWN;
		if (hft_ring_stopped(ring))
			return -ECANCELED;
		if (timeout <= sim->now)
			return -ETIMEDOUT;
		if (!hft_sim_advance(sim, timeout)) {
			if (timeout == HFT_WAIT_FOREVER)
				return -EDEADLK;
			sim->now = timeout;
		}
	}
}

static void sim_wake(struct hft_ring *ring)
{
	(void)ring;			/* who waits looks */
}

/* Nobody sleeps on a descriptor in virtual time: there is none. */
static bool sim_poll(struct hft_ring *ring, bool arm)
{
	struct hft_sim_ring *made = ring->state;

	(void)arm;
	hft_sim_use(made->sim);
	if (!made->ready.dead && !made->worker.sz)
		hft_sim_run_due(made->sim);
	return true;
}

/* The time in a body is what it has spun so far. */
uint64_t hft_sim_virtual_now(const struct hft_sim *sim)
{
	return sim->body ? sim->now + sim->spun : sim->now;
}

uint64_t hft_sim_virtual_spin(struct hft_sim *sim, uint64_t when)
{
	u64 now = hft_sim_virtual_now(sim);

	if (when <= now)
		return now;
	if (sim->body)
		sim->spun = when - sim->now;
	else if (sim->thread)
		hft_sim_thread_sleep(sim, when);
	else
		hft_sim_run_until(hft_sim_use(sim), when);
	return hft_sim_virtual_now(sim);
}

/* Instead of a thread: the machine runs the bodies.  Without @opts no more. */
static int sim_work(struct hft_ring *ring, const struct hft_worker_opts *opts)
{
	struct hft_sim_ring *made = ring->state;
	struct hft_sim *sim = hft_sim_use(made->sim);
	HFT_OPTS(hft_sim_worker_opts, worker);

	if (!opts) {
		if (made->live)
			hft_sim_run_until(sim, sim->now);
		made->worker.sz = 0;
		ring->head = READ_ONCE(made->ready.consumer->head);
		return 0;
	}
	if (made->worker.sz || made == sim->monitor)
		return hft_fail(EBUSY, "ring %u of a machine has a worker, or is for notices",
				ring->number);
	worker.fn = opts->fn;
	worker.arg = opts->arg;
	worker.level = opts->level;
	made->worker = worker;
	hft_sim_worker_next(made);
	return 0;
}

/**
 * hft_sim_of() - the machine of a handle
 * @h: handle
 *
 * For records, workers with a cost, mutexes, and to let time go by while workers run.
 *
 * Return: the machine, the handle's, or NULL if it has another backend.
 */
HFT_API struct hft_sim *hft_sim_of(const struct hft *h)
{
	return h->backend->open == sim_open ? h->state : NULL;
}

static int sim_command(struct hft *h, unsigned int op, void *arg)
{
	if (hft_is_inherited(h->forks))
		return -EOWNERDEAD;
	return hft_sim_command(hft_sim_use(h->state), op, arg);
}

const struct hft_backend hft_sim_backend = {
	.name = "sim",
	.unprivileged = true,
	.open = sim_open,
	.close = sim_close,
	.command = sim_command,
	.ring_open = sim_ring_open,
	.ring_close = sim_ring_close,
	.submit = sim_submit,
	.submit_now = sim_submit_now,
	.submit_batch = sim_submit_batch,
	.wait = sim_wait,
	.wake = sim_wake,
	.poll = sim_poll,
	.work = sim_work,
};
