// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Threads that run the tasks of a ring.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <hft/metrics.h>

#include "../log/sched.h"
#include "internal.h"

/* The C library takes the thread-local variables of all libraries out of it. */
#define HFT_STACK_BYTES		(2 * 1024 * 1024)
#define HFT_PREFAULT_BYTES	(256 * 1024)

/*
 * The one table from levels to what the scheduler knows.  Below the kernel's own
 * threads that must preempt everything (migration, stop: 99); above interrupt
 * threads (50) from HIGH on.
 */
static const struct hft_level_sched hft_levels[HFT_LEVELS] = {
	[HFT_LEVEL_IDLE]	= { SCHED_IDLE, 0 },
	[HFT_LEVEL_BACKGROUND]	= { SCHED_BATCH, 0 },
	[HFT_LEVEL_LOW]		= { SCHED_OTHER, 0 },
	[HFT_LEVEL_NORMAL]	= { SCHED_FIFO, 20 },
	[HFT_LEVEL_HIGH]	= { SCHED_FIFO, 60 },
	[HFT_LEVEL_CRITICAL]	= { SCHED_FIFO, 80 },
	[HFT_LEVEL_REALTIME]	= { SCHED_FIFO, 90 },
};

struct hft_worker {
	struct hft_ring *ring;
	struct hft_worker_opts opts;
	pthread_t thread;
	sem_t started;
	struct hft_error start_error;	/* before @started is posted */
	struct hft_error error;		/* when the thread has ended */
	struct hft_pmc *pmc;		/* the thread's; or NULL */
};

/**
 * hft_level_sched() - what the scheduler of the kernel is told of a level
 * @level: &enum hft_level
 * @sched: the answer
 *
 * The one table that workers go by (Documentation/library.rst), for threads that the
 * caller makes itself: sched_setscheduler() of both.  A worker of a higher level
 * preempts one of a lower on the same CPU, from NORMAL on by its real-time priority.
 *
 * Return: 0, or -EINVAL for no such level.  Any thread, signal handlers; wait-free, no
 * system call.
 */
HFT_API int hft_level_sched(uint32_t level, struct hft_level_sched *sched)
{
	if (level >= HFT_LEVELS)
		return -EINVAL;
	*sched = hft_levels[level];
	return 0;
}

/* A monitor ring takes none; who reads it must not starve. */
uint32_t hft_top_level(uint32_t level_mask)
{
	return level_mask ? 31 - (uint32_t)__builtin_clz(level_mask) : HFT_LEVEL_HIGH;
}

static void hft_prefault_stack(void)
{
	volatile char stack[HFT_PREFAULT_BYTES];
	size_t i;

	for (i = 0; i < sizeof(stack); i += 4096)
		stack[i] = 0;
}

static int hft_set_scheduling(uint32_t level)
{
	struct sched_param param = { .sched_priority = hft_levels[level].priority };

	if (!sched_setscheduler(0, hft_levels[level].policy, &param))
		return 0;
	return hft_fail(errno, "priority %d for level %u (RLIMIT_RTPRIO, or CAP_SYS_NICE)",
			param.sched_priority, level);
}

/* Make the calling thread a worker of @cpu: there, at the level's priority, in memory. */
int hft_become_worker(uint32_t cpu, uint32_t level, uint32_t flags)
{
	cpu_set_t *set = CPU_ALLOC(cpu + 1);
	size_t size = CPU_ALLOC_SIZE(cpu + 1);
	int err = 0;

	if (!set)
		return hft_fail(ENOMEM, "a set of CPUs");
	CPU_ZERO_S(size, set);
	CPU_SET_S(cpu, size, set);
	if (sched_setaffinity(0, size, set))
		err = hft_fail(errno, "pin a worker to CPU %u", cpu);
	CPU_FREE(set);
	if (err)
		return err;

	if (!(flags & HFT_WORKER_NO_LOCK) && mlockall(MCL_CURRENT | MCL_FUTURE))
		return hft_fail(errno, "lock memory (RLIMIT_MEMLOCK; or HFT_WORKER_NO_LOCK)");
	hft_prefault_stack();
	prctl(PR_SET_TIMERSLACK, 1);
	return flags & HFT_WORKER_NO_RT ? 0 : hft_set_scheduling(level);
}

/* How long before a release only its time is looked at. */
#define HFT_EXACT_NS	500

/*
 * Wait for the release of an event of the ring, but for the last moments.  Returns whether
 * there is an immediate task, which may go before it.
 */
static bool hft_await_release(struct hft_ring *ring, const struct hft_event *event)
{
	uint64_t last, now;

	if (ring->machine || event->result)
		return false;
	last = hft_now_in_haste();
	while ((now = hft_now_in_haste()) + HFT_EXACT_NS < event->release) {
		if (hft_inbox_has_news(ring))
			return true;
		hft_ring_turn(ring, last, now);
		last = now;
	}
	hft_ring_turn(ring, last, now);
	return false;
}

static void hft_run_event(struct hft_ring *ring, const struct hft_event *event, hft_task_fn fn,
			  void *arg)
{
	uint64_t start;

	if (__builtin_expect(ring->machine != NULL, 0))
		hft_sim_use(ring->machine);
	else if (hft_log_sched_wants(HFT_SCHED_DISPATCH) && event->type == HFT_EVENT_TASK)
		hft_log_sched_job(HFT_SCHED_DISPATCH, event, ring->number, ring->cpu, hft_now());
	start = event->result ? hft_now() : hft_spin_until(event->release);

	hft_ring_begin(ring, event, start);
	fn(event, start, arg);
	hft_ring_advance(ring);
}

static void hft_run_immediate(struct hft_ring *ring, const struct hft_event *event,
			      hft_task_fn fn, void *arg)
{
	uint64_t start = hft_now();

	hft_inbox_begin(ring);
	hft_ring_begin(ring, event, start);
	fn(event, start, arg);
	hft_ring_advance(ring);
	hft_ring_pull(ring);
}

/**
 * hft_ring_run() - run a ring's tasks in the calling thread
 * @ring: ring
 * @fn: body of every task; also of a task that ended with an error, which
 *	event->result tells, and of a notice, which event->type tells
 * @arg: for @fn
 *
 * Spins from an event to its release, calls @fn, then gives the event back.  A task of
 * hft_submit_now() that goes before that event runs first, though the event may be late
 * for it.  The thread's CPU and priority are the caller's.  Blocks, and enters the kernel,
 * while there is no task.  One thread at a time; the ring has no other consumer.
 *
 * Return: 0 after hft_ring_stop(), else an error of hft_wait().
 */
HFT_API int hft_ring_run(struct hft_ring *ring, hft_task_fn fn, void *arg)
{
	while (!hft_ring_stopped(ring)) {
		const struct hft_event *event = hft_ring_look(ring);
		int ret;

		if (__builtin_expect(ring->view.taken, 0)) {
			hft_run_immediate(ring, event, fn, arg);
			continue;
		}
		if (event) {
			if (hft_ring_lead(ring) <= HFT_EXACT_NS || !hft_await_release(ring, event))
				hft_run_event(ring, event, fn, arg);
			continue;
		}
		hft_clock_maintain();
		ret = hft_wait(ring, HFT_WAIT_FOREVER);
		if (ret == -ECANCELED)
			return 0;
		if (ret < 0 && ret != -EINTR)
			return ret;
	}
	return 0;
}

/**
 * hft_ring_stop() - have hft_ring_run() return after the task it is at
 * @ring: ring
 *
 * Any thread, a task of the ring, a signal handler.  Enters the kernel; does not
 * wait.  Without an hft_ring_run(), or after it has returned, it is for the next,
 * or for the next hft_wait() that finds no event.
 */
HFT_API void hft_ring_stop(struct hft_ring *ring)
{
	int saved = errno;

	atomic_store_explicit(&ring->stop, true, memory_order_release);
	ring->backend->wake(ring);
	errno = saved;
}

/* As hft_task_fn, of a worker with metrics. */
static void hft_worker_count(const struct hft_event *event, uint64_t start, void *arg)
{
	struct hft_worker *worker = arg;
	const struct hft_worker_opts *opts = &worker->opts;
	uint32_t task_class = opts->metrics_class ? opts->metrics_class(event, opts->arg) :
						    event->level;

	hft_pmc_begin(worker->pmc);
	opts->fn(event, start, opts->arg);
	hft_pmc_end(worker->pmc, task_class);
}

static int hft_worker_run(struct hft_worker *worker)
{
	if (worker->pmc)
		return hft_ring_run(worker->ring, hft_worker_count, worker);
	return hft_ring_run(worker->ring, worker->opts.fn, worker->opts.arg);
}

static void *hft_worker_main(void *arg)
{
	struct hft_worker *worker = arg;
	struct hft_ring *ring = worker->ring;

	int err = hft_become_worker(ring->cpu, worker->opts.level, worker->opts.flags);

	if (err && (ring->backend->unprivileged || worker->opts.flags & HFT_WORKER_MAY))
		err = hft_become_worker(ring->cpu, worker->opts.level,
					HFT_WORKER_NO_RT | HFT_WORKER_NO_LOCK);
	if (!err && worker->opts.metrics)
		err = hft_pmc_open(worker->opts.metrics, &worker->pmc);
	hft_log_sched_thread();
	if (err) {
		hft_save_error(&worker->start_error);
		sem_post(&worker->started);
		return NULL;
	}
	sem_post(&worker->started);
	if (hft_worker_run(worker))
		hft_save_error(&worker->error);
	return NULL;
}

static int hft_worker_create(struct hft_worker *worker)
{
	pthread_attr_t attr;
	char name[16];
	int err;

	err = pthread_attr_init(&attr);
	if (err)
		return hft_fail(err, "a worker's attributes");
	pthread_attr_setstacksize(&attr, HFT_STACK_BYTES);
	err = pthread_create(&worker->thread, &attr, hft_worker_main, worker);
	pthread_attr_destroy(&attr);
	if (err)
		return hft_fail(err, "a worker's thread");

	snprintf(name, sizeof(name), "hft/%u.%u", worker->ring->cpu, worker->ring->number);
	pthread_setname_np(worker->thread, name);
	while (sem_wait(&worker->started) && errno == EINTR)
		;
	return 0;
}

static int hft_worker_read_opts(struct hft_worker_opts *opts, const struct hft_worker_opts *user,
				const struct hft_ring *ring)
{
	int err = hft_read_opts(opts, sizeof(*opts), user);

	if (err)
		return err;
	if (!opts->fn || opts->level >= HFT_LEVELS ||
	    opts->flags & ~(HFT_WORKER_NO_RT | HFT_WORKER_NO_LOCK | HFT_WORKER_MAY))
		return hft_fail(EINVAL, "a worker needs a body, a level below %u and known flags",
				HFT_LEVELS);
	if (!opts->level)
		opts->level = hft_top_level(ring->level_mask);
	return 0;
}

/**
 * hft_worker_start() - run a ring's tasks in a thread of the library
 * @ring: ring; it has no other consumer
 * @user_opts: options; fn is required
 * @out: the worker
 *
 * The thread is pinned to the ring's CPU, has the priority of hft_worker_opts.level
 * (of the ring's highest level if that is 0, HIGH for a monitor ring), memory that
 * is locked, a stack that is there, and the name "hft/CPU.RING".  It does without
 * priority and lock where it has no right to them with %HFT_WORKER_MAY, and wherever
 * hft_backend() is not "kernel".
 *
 * With hft_worker_opts.metrics it counts what each body does (hft/metrics.h), which costs two
 * readings a task; hft_worker_metrics() has the sums.  On a simulated machine nothing is
 * counted.
 *
 * Allocates, blocks until the thread runs, enters the kernel.  Any thread.
 *
 * Return: 0, or -EINVAL without fn or for a level out of range, -EPERM without the
 * right to the priority (or use %HFT_WORKER_NO_RT), -ENOMEM also for want of
 * RLIMIT_MEMLOCK (or use %HFT_WORKER_NO_LOCK), -EAGAIN no more threads, -E2BIG.
 */
HFT_API int hft_worker_start(struct hft_ring *ring, const struct hft_worker_opts *user_opts,
			     struct hft_worker **out)
{
	struct hft_worker *worker;
	int err;

	worker = calloc(1, sizeof(*worker));
	if (!worker)
		return hft_fail(ENOMEM, "a worker");
	err = hft_worker_read_opts(&worker->opts, user_opts, ring);
	if (err)
		goto free;
	worker->ring = ring;
	if (ring->backend->work) {
		err = ring->backend->work(ring, &worker->opts);
		if (err)
			goto free;
		*out = worker;
		return 0;
	}
	sem_init(&worker->started, 0, 0);

	err = hft_worker_create(worker);
	if (err)
		goto destroy;
	if (worker->start_error.err) {
		err = hft_take_error(&worker->start_error);
		pthread_join(worker->thread, NULL);
		goto destroy;
	}
	*out = worker;
	return 0;

destroy:
	sem_destroy(&worker->started);
free:
	free(worker);
	return err;
}

/**
 * hft_worker_stop() - end a worker after the task it is at
 * @worker: the worker, or NULL
 *
 * Blocks until the thread has ended, which it does after the task it is at.
 *
 * Return: 0, or the error that the worker ended with before.
 */
HFT_API int hft_worker_stop(struct hft_worker *worker)
{
	int err;

	if (!worker)
		return 0;
	if (worker->ring->backend->work) {
		err = worker->ring->backend->work(worker->ring, NULL);
		free(worker);
		return err;
	}
	hft_ring_stop(worker->ring);
	pthread_join(worker->thread, NULL);
	/* It may have ended before: the stop was for this worker, and not for the next. */
	atomic_store(&worker->ring->stop, false);
	err = worker->error.err ? hft_take_error(&worker->error) : 0;
	sem_destroy(&worker->started);
	hft_pmc_close(worker->pmc);
	free(worker);
	return err;
}

/**
 * hft_worker_metrics() - what the tasks of a worker have come to
 * @worker: worker that was started with hft_worker_opts.metrics
 * @task_class: as hft_worker_opts.metrics_class says, or the level of the events
 * @sum: the answer
 *
 * Any thread, before hft_worker_stop(); does not hold the worker.
 *
 * Return: 0, or -EOPNOTSUPP it counts nothing, -EINVAL no such class, or @sum has no size.
 */
HFT_API int hft_worker_metrics(const struct hft_worker *worker, uint32_t task_class,
			       struct hft_pmc_sum *sum)
{
	if (!worker->pmc)
		return hft_fail(EOPNOTSUPP, "this worker was started without metrics");
	return hft_pmc_sum(worker->pmc, task_class, sum);
}
