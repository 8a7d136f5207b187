// SPDX-License-Identifier: LGPL-2.1-or-later
/* The threads of workers, and their stacks. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define STACK_SIZE	(8UL << 20)

static size_t guard_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static void thread_free(struct hft_pool_thread *thread)
{
	munmap(thread->stack, guard_size() + STACK_SIZE);
	free(thread);
}

static struct hft_pool_thread *thread_make(void)
{
	struct hft_pool_thread *thread = malloc(sizeof(*thread));

	if (!thread)
		return NULL;
	thread->lost = thread->joined = false;
	thread->simulated = NULL;
	thread->stack = mmap(NULL, guard_size() + STACK_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (thread->stack == MAP_FAILED) {
		free(thread);
		return NULL;
	}
	if (mprotect(thread->stack, guard_size(), PROT_NONE)) {
		thread_free(thread);
		return NULL;
	}
	return thread;
}

static int thread_simulate(struct hft_pool_thread *thread, struct hft_pool_worker *worker)
{
	thread->simulated = hft_sim_thread_start(worker->pool->sim,
						 (char *)thread->stack + guard_size(), STACK_SIZE,
						 hft_worker_simulate, worker);
	return thread->simulated ? 0 : ENOMEM;
}

static int thread_start(struct hft_pool_thread *thread, const struct hft_pool_worker *worker)
{
	pthread_attr_t attr;
	cpu_set_t cpus;
	int err;

	err = pthread_attr_init(&attr);
	if (err)
		return err;
	err = pthread_attr_setstack(&attr, (char *)thread->stack + guard_size(), STACK_SIZE);
	if (!err && worker->pool->pinned) {
		CPU_ZERO(&cpus);
		CPU_SET(worker->cpu, &cpus);
		err = pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	}
	/* Not those of a handler that has ended the one before. */
	if (!err)
		err = pthread_attr_setsigmask_np(&attr, &worker->blocked);
	if (!err)
		err = pthread_create(&thread->id, &attr, hft_worker_main, (void *)worker);
	pthread_attr_destroy(&attr);
	return err;
}

/**
 * hft_pool_start_worker() - start a thread for a worker, which is the last touch of it
 * @worker: without a thread, or the caller's, which ends
 *
 * Return: 0 or a positive errno.
 */
int hft_pool_start_worker(struct hft_pool_worker *worker)
{
	struct hft_pool_thread *thread = thread_make();
	int err;

	if (!thread)
		return ENOMEM;
	thread->next = worker->threads;
	worker->threads = thread;
	err = worker->pool->sim ? thread_simulate(thread, worker) : thread_start(thread, worker);
	if (err) {
		worker->threads = thread->next;
		thread_free(thread);
	}
	return err;
}

static void thread_join(struct hft_pool_thread *thread)
{
	if (!thread->joined && thread->simulated)
		hft_sim_thread_free(thread->simulated);
	else if (!thread->joined)
		pthread_join(thread->id, NULL);
	thread->joined = true;
}

/* A worker is gone: its thread is about to end. */
void hft_pool_join_worker(struct hft_pool_worker *worker)
{
	struct hft_pool_thread *thread = worker->threads;

	thread_join(thread);
	if (thread->lost)
		return;
	worker->threads = thread->next;
	thread_free(thread);
}

/* A task that never ends, of a machine, keeps it from leaving: what it has is others'. */
void hft_pool_abandon_worker(const struct hft_pool_worker *worker)
{
	const struct hft_pool_thread *thread = worker->threads;

	if (thread && thread->simulated)
		hft_sim_thread_abandon(thread->simulated);
}

/* The pool is closed. */
void hft_pool_free_threads(struct hft_pool_worker *worker)
{
	struct hft_pool_thread *thread;

	while ((thread = worker->threads)) {
		worker->threads = thread->next;
		thread_join(thread);
		thread_free(thread);
	}
}
