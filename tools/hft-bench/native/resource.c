// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A resource that nobody else wants, beside a mutex and a spin lock of Concurrency Kit:
 * to have it and to release it, in turns.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hft/hft.h>
#include <hft/resource.h>

#include "quantile.h"

#if __has_include(<ck_spinlock.h>)
#include <ck_spinlock.h>
#define HAS_CK 1
#endif

#define ROUNDS		101
#define LOCKS		20000		/* of a round */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void check(int err)
{
	if (err >= 0)
		return;
	fprintf(stderr, "resource: %s\n", hft_strerror(err));
	exit(1);
}

static double time_resource(struct hft_resource *resource)
{
	uint64_t start = hft_now();
	unsigned int i;

	for (i = 0; i < LOCKS; i++) {
		check(hft_resource_acquire(resource));
		check(hft_resource_release(resource));
	}
	return (double)(hft_now() - start) / LOCKS;
}

static double time_mutex(void)
{
	uint64_t start = hft_now();
	unsigned int i;

	for (i = 0; i < LOCKS; i++) {
		check(-pthread_mutex_lock(&mutex));
		check(-pthread_mutex_unlock(&mutex));
	}
	return (double)(hft_now() - start) / LOCKS;
}

#ifdef HAS_CK
static ck_spinlock_t spinlock = CK_SPINLOCK_INITIALIZER;

static double time_spinlock(void)
{
	uint64_t start = hft_now();
	unsigned int i;

	for (i = 0; i < LOCKS; i++) {
		ck_spinlock_lock(&spinlock);
		ck_spinlock_unlock(&spinlock);
	}
	return (double)(hft_now() - start) / LOCKS;
}
#endif

/* A mutex of a process with one thread takes no atomic operation. */
static void *wait_for_end(void *arg)
{
	pthread_mutex_lock(arg);
	pthread_mutex_unlock(arg);
	return NULL;
}

static void measure(struct hft_resource *resource)
{
	static double own[ROUNDS], peer[ROUNDS], ratio[ROUNDS];
#ifdef HAS_CK
	static double spin[ROUNDS];
#endif
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		own[i] = time_resource(resource);
		peer[i] = time_mutex();
		ratio[i] = own[i] / peer[i];
#ifdef HAS_CK
		spin[i] = time_spinlock() / peer[i];
#endif
	}
	printf("figure resource_ratio %.2f\n", median(ratio, ROUNDS));
#ifdef HAS_CK
	printf("peer resource_ratio %.2f ck_spinlock\n", median(spin, ROUNDS));
#else
	puts("note resource: without ck_spinlock, which is not installed (libck-dev)");
#endif
	printf("note resource_ratio: %.1f ns, pthread_mutex %.1f ns\n", median(own, ROUNDS),
	       median(peer, ROUNDS));
}

int main(int argc, char **argv)
{
	HFT_OPTS(hft_resource_opts, opts, .name = "bench");
	static pthread_mutex_t end = PTHREAD_MUTEX_INITIALIZER;
	struct hft_resource *resource;
	pthread_t thread;

	if (argc > 1) {
		printf("Usage: %s\nTime a resource that nobody else wants, beside pthread_mutex.\n",
		       argv[0]);
		return strcmp(argv[1], "--help") ? 2 : 0;
	}
	pthread_mutex_lock(&end);
	check(-pthread_create(&thread, NULL, wait_for_end, &end));
	check(hft_resource_open(&resource, &opts));
	measure(resource);
	hft_resource_close(resource);
	pthread_mutex_unlock(&end);
	pthread_join(thread, NULL);
	return 0;
}
