/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a bench runs: what else the machine does would be measured otherwise. */
#ifndef HFT_BENCH_PIN_H
#define HFT_BENCH_PIN_H

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

static inline void pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("bench: pin");
		exit(1);
	}
}

/* Threads that are made from here on have it, too. */
static inline void raise_priority(const char *name)
{
	struct sched_param param = { .sched_priority = 20 };

	if (sched_setscheduler(0, SCHED_FIFO, &param))
		printf("note %s: without a real-time priority, which it may not have\n", name);
}

/* From its start: it may never come to that where its maker spins. */
static inline pthread_t start_pinned(unsigned int cpu, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	if (pthread_create(&thread, &attr, fn, arg)) {
		fputs("bench: no thread\n", stderr);
		exit(1);
	}
	pthread_attr_destroy(&attr);
	return thread;
}

#endif /* HFT_BENCH_PIN_H */
