// SPDX-License-Identifier: LGPL-2.1-or-later
/* Queues: from one thread to another, which is on the last CPU as the pool's worker. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>
#include <hft/hft.h>

#include "executor.h"
#include "pin.h"

/* A line for each thread: neither shall wait for the other but in the queue. */
struct counter {
	_Atomic unsigned int nr;
} __attribute__((aligned(64)));

struct other {
	const struct executor_queue *queue;
	void *it;
	unsigned int nr;
	_Atomic bool ready;
	_Atomic bool go;
	pthread_t thread;
};

static __thread struct counter *self;
static struct counter counters[2];

static void count(void *arg)
{
	(void)arg;
	atomic_store_explicit(&self->nr, atomic_load_explicit(&self->nr, memory_order_relaxed) + 1,
			      memory_order_release);
}

static unsigned int counted(void)
{
	return atomic_load_explicit(&counters[0].nr, memory_order_acquire) +
	       atomic_load_explicit(&counters[1].nr, memory_order_acquire);
}

static void *run_calls(void *arg)
{
	struct other *other = arg;

	self = &counters[1];
	atomic_store(&other->ready, true);
	while (!atomic_load(&other->go))
		;
	while (counted() != other->nr)
		other->queue->run(other->it);
	return NULL;
}

static void start(struct other *other)
{
	atomic_store(&counters[0].nr, 0);
	atomic_store(&counters[1].nr, 0);
	self = &counters[0];
	other->thread = start_pinned((unsigned int)sysconf(_SC_NPROCESSORS_ONLN) - 1, run_calls,
				     other);
	while (!atomic_load(&other->ready))
		sched_yield();
	atomic_store(&other->go, true);
}

double executor_queue_outside(const struct executor_queue *queue, void *it, unsigned int nr)
{
	struct other other = { .queue = queue, .it = it, .nr = nr };
	uint64_t begin, put;
	unsigned int i;

	start(&other);
	begin = hft_now();
	for (i = 0; i < nr; i++) {
		while (!queue->put(it, count, NULL))
			sched_yield();
	}
	put = hft_now() - begin;
	pthread_join(other.thread, NULL);
	return (double)put;
}

double executor_queue_total(const struct executor_queue *queue, void *it, unsigned int nr)
{
	struct other other = { .queue = queue, .it = it, .nr = nr };
	uint64_t begin;
	unsigned int i;

	start(&other);
	begin = hft_now();
	for (i = 0; i < nr; i++) {
		while (!queue->put(it, count, NULL))
			queue->run(it);
	}
	while (counted() != nr)
		queue->run(it);
	begin = hft_now() - begin;
	pthread_join(other.thread, NULL);
	return (double)begin;
}
