/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads that have resources as they are told to. */
#ifndef RESOURCE_ACTOR_H
#define RESOURCE_ACTOR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <hft/hft.h>
#include <hft/resource.h>

#define MSEC		1000000ULL
#define PATIENCE	(60000 * MSEC)

/* A thread that does as it is told. */
enum command { ACQUIRE, SHARE, RELEASE, QUIT };

struct actor {
	pthread_t thread;
	sem_t told;
	sem_t done;
	enum command command;
	struct hft_resource *resource;
	enum hft_level level;
	int result;
	enum hft_level seen;		/* its level then */
	char reason[256];
};

static void *act(void *arg)
{
	struct actor *a = arg;

	if (hft_resource_thread(a->level, 0))
		abort();
	for (;;) {
		while (sem_wait(&a->told))
			;
		if (a->command == QUIT)
			return NULL;
		if (a->command == ACQUIRE)
			a->result = hft_resource_acquire(a->resource);
		else if (a->command == SHARE)
			a->result = hft_resource_share(a->resource);
		else
			a->result = hft_resource_release(a->resource);
		a->seen = hft_resource_level();
		snprintf(a->reason, sizeof(a->reason), "%s", hft_strerror(a->result));
		sem_post(&a->done);
	}
}

static inline void start(struct actor *a, enum hft_level level)
{
	*a = (struct actor){ .level = level };
	sem_init(&a->told, 0, 0);
	sem_init(&a->done, 0, 0);
	assert_int_equal(pthread_create(&a->thread, NULL, act, a), 0);
}

static inline void tell(struct actor *a, enum command command, struct hft_resource *resource)
{
	a->command = command;
	a->resource = resource;
	sem_post(&a->told);
}

static inline int answer(struct actor *a)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += PATIENCE / 1000000000;
	assert_int_equal(sem_timedwait(&a->done, &limit), 0);
	return a->result;
}

static inline int ask(struct actor *a, enum command command, struct hft_resource *resource)
{
	tell(a, command, resource);
	return answer(a);
}

static inline void quit(struct actor *a)
{
	tell(a, QUIT, NULL);
	pthread_join(a->thread, NULL);
}

static inline struct hft_resource *make(const char *name, uint32_t units)
{
	HFT_OPTS(hft_resource_opts, opts, .name = name, .units = units);
	struct hft_resource *resource;

	assert_int_equal(hft_resource_open(&resource, &opts), 0);
	return resource;
}

static inline struct hft_resource_stats stats_of(struct hft_resource *resource)
{
	struct hft_resource_stats stats = { .sz = sizeof(stats) };

	assert_int_equal(hft_resource_stats(resource, &stats), 0);
	return stats;
}

static inline void wait_for_waiters(struct hft_resource *resource, uint32_t nr)
{
	uint64_t end = hft_now() + PATIENCE;

	while (stats_of(resource).waiters != nr) {
		assert_true(hft_now() < end);
		usleep(50);
	}
}

#endif /* RESOURCE_ACTOR_H */
