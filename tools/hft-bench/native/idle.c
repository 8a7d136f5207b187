// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From a spawn to the start of the task, when its worker has been idle for a millisecond:
 * one that spins, and one that sleeps, which in turns with a thread that sleeps on a futex
 * and nothing else.  All of them are on the second CPU.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <hft/hft.h>
#include <hft/pool.h>

#include "pin.h"
#include "quantile.h"

#define SAMPLES		4000
#define PERIOD_NS	1000000
#define LONG_NS		10000000000

static _Atomic uint64_t started;

static void check(int err)
{
	if (err >= 0)
		return;
	fprintf(stderr, "idle: %s\n", hft_strerror(err));
	exit(1);
}

static int64_t stamp(void *args)
{
	(void)args;
	atomic_store_explicit(&started, hft_now(), memory_order_release);
	return 0;
}

/* The time from @since to the start. */
static double wait_start(uint64_t since)
{
	uint64_t ns;

	do {
		ns = atomic_load_explicit(&started, memory_order_acquire);
		if (!ns && hft_now() - since > LONG_NS) {
			fputs("idle: nothing has started for ten seconds: is CPU 1 to be had?\n",
			      stderr);
			exit(1);
		}
	} while (!ns);
	atomic_store_explicit(&started, 0, memory_order_relaxed);
	return (double)(ns - since);
}

static double start_task(struct hft_pool *pool, uint64_t at)
{
	uint64_t start;

	hft_spin_until(at);
	start = hft_now();
	check(hft_spawn(pool, stamp, NULL, 0));
	return wait_start(start);
}

/* A thread that sleeps until it is told, as plainly as that can be done. */
struct bare {
	_Atomic uint32_t word;
	pthread_t thread;
};

#define BARE_SLEEPS	0
#define BARE_RUN	1
#define BARE_STOP	2

static void *sleep_and_stamp(void *arg)
{
	struct bare *bare = arg;
	uint32_t word;

	for (;;) {
		word = atomic_load_explicit(&bare->word, memory_order_acquire);
		if (word == BARE_STOP)
			return NULL;
		if (word == BARE_SLEEPS) {
			syscall(SYS_futex, &bare->word, FUTEX_WAIT_PRIVATE, BARE_SLEEPS, NULL);
			continue;
		}
		atomic_store_explicit(&bare->word, BARE_SLEEPS, memory_order_relaxed);
		stamp(NULL);
	}
}

static void tell(struct bare *bare, uint32_t word)
{
	atomic_store_explicit(&bare->word, word, memory_order_release);
	syscall(SYS_futex, &bare->word, FUTEX_WAKE_PRIVATE, 1);
}

static double start_bare(struct bare *bare, uint64_t at)
{
	uint64_t start;

	hft_spin_until(at);
	start = hft_now();
	tell(bare, BARE_RUN);
	return wait_start(start);
}

static struct hft_pool *open_pool(uint64_t spin_ns)
{
	static const uint32_t cpu = 1;
	HFT_OPTS(hft_pool_opts, opts, .workers = 1, .cpus = &cpu, .spin_ns = spin_ns);
	struct hft_pool *pool;

	check(hft_pool_open(&pool, &opts));
	return pool;
}

static void time_spinning(void)
{
	static double ns[SAMPLES];
	struct hft_pool *pool = open_pool(HFT_SPIN_FOREVER);
	uint64_t next = hft_now();
	unsigned int i;

	for (i = 0; i < SAMPLES; i++)
		ns[i] = start_task(pool, next += PERIOD_NS);
	hft_pool_close(pool);
	printf("figure idle_start_spin_ns %.0f\n", median(ns, SAMPLES));
	printf("note idle_start_spin_ns: p10 %.0f p90 %.0f p99 %.0f\n", quantile(ns, SAMPLES, 0.1),
	       quantile(ns, SAMPLES, 0.9), quantile(ns, SAMPLES, 0.99));
}

/* A worker that spins no longer than a microsecond sleeps by the time of the next task. */
static void time_parked(void)
{
	static double pool_ns[SAMPLES], bare_ns[SAMPLES];
	struct hft_pool *pool = open_pool(1000);
	struct bare bare = {};
	uint64_t next;
	unsigned int i;

	bare.thread = start_pinned(1, sleep_and_stamp, &bare);
	next = hft_now();
	for (i = 0; i < SAMPLES; i++) {
		pool_ns[i] = start_task(pool, next += PERIOD_NS);
		bare_ns[i] = start_bare(&bare, next += PERIOD_NS);
	}
	tell(&bare, BARE_STOP);
	pthread_join(bare.thread, NULL);
	hft_pool_close(pool);
	printf("figure idle_start_park_ratio %.2f\n",
	       median(pool_ns, SAMPLES) / median(bare_ns, SAMPLES));
	printf("note idle_start_park_ratio: p50 %.0f ns, of a futex alone %.0f; p10 %.0f, %.0f; p90 %.0f, %.0f\n",
	       median(pool_ns, SAMPLES), median(bare_ns, SAMPLES), quantile(pool_ns, SAMPLES, 0.1),
	       quantile(bare_ns, SAMPLES, 0.1), quantile(pool_ns, SAMPLES, 0.9),
	       quantile(bare_ns, SAMPLES, 0.9));
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		printf("Usage: %s\nTime tasks of a pool that was idle.\n", argv[0]);
		return strcmp(argv[1], "--help") ? 2 : 0;
	}
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		puts("skip idle_start_spin_ns it takes two CPUs\n"
		     "skip idle_start_park_ratio it takes two CPUs");
		return 0;
	}
	raise_priority("idle");
	pin(0);
	time_spinning();
	time_parked();
	return 0;
}
