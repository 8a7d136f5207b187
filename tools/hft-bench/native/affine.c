// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * 64 books of 256 KiB whose updates come by Zipf's law, on a pool: each book's updates go
 * to the worker of its home, or to the workers in turn.
 *
 *   affine [-w N]                time of both, in turns; cache misses where there is a PMU
 *   affine [-w N] -s PLACING -n K   the K-th worker's updates alone, for a cache simulator
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/perf_event.h>
#include <hft/book.h>
#include <hft/hft.h>
#include <hft/memory.h>
#include <hft/pool.h>
#include <hft/topology.h>

#include "quantile.h"

#define BOOKS		64
#define REFERENCES	8192U		/* half of them live: of an order, a node and two slots */
#define ORDERS		4096U
#define LEVELS		2048U
#define PRICES		1024U		/* on each side */
#define TASKS		16384U		/* of a round */
#define UPDATES		8U		/* of a task, on one book */
#define ROUNDS		15

enum placing {
	AFFINE,
	ROUND_ROBIN,
	PLACINGS
};

static const char *const placings[PLACINGS] = { "affine", "round-robin" };

static struct hft_book *books[BOOKS];
static pthread_mutex_t locks[BOOKS];
static bool live[BOOKS][REFERENCES];
static uint32_t homes[BOOKS];
static uint8_t book_of[TASKS];		/* the same in all rounds */
static uint32_t workers;

static void check(int err, const char *what)
{
	if (err >= 0)
		return;
	fprintf(stderr, "affine: %s: %s\n", what, hft_strerror(err));
	exit(1);
}

static uint32_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}

static void put(unsigned char *at, uint64_t value, int bytes)
{
	while (bytes--) {
		at[bytes] = (unsigned char)value;
		value >>= 8;
	}
}

/* Add an order of that number, or delete it if it is there. */
static void update(uint32_t book, uint32_t reference, uint32_t random)
{
	unsigned char m[36] = { live[book][reference] ? 'D' : 'A' };
	bool bid = random & 1;

	put(m + 11, 1 + reference, 8);
	if (!live[book][reference]) {
		m[19] = bid ? 'B' : 'S';
		put(m + 20, 100, 4);
		put(m + 32, bid ? 100000 - random / 2 % PRICES : 100001 + random / 2 % PRICES, 4);
	}
	check(hft_book_apply(books[book], m, sizeof(m)), "an update");
	live[book][reference] = !live[book][reference];
}

static void fill(uint32_t book)
{
	uint64_t random = 1 + book;
	uint32_t i;

	for (i = 0; i < REFERENCES; i += 4)
		update(book, i, next_random(&random));
}

/* The updates of a task. */
static void run_updates(uint32_t task)
{
	uint64_t random = 0x9e3779b97f4a7c15ULL * (task + 1);
	uint32_t i, book = book_of[task];

	pthread_mutex_lock(&locks[book]);
	for (i = 0; i < UPDATES; i++) {
		/* No more than there is room for. */
		uint32_t reference = next_random(&random) % (REFERENCES / 2);

		update(book, reference, next_random(&random));
	}
	pthread_mutex_unlock(&locks[book]);
}

static int64_t run_task(void *args)
{
	run_updates(*(uint32_t *)args);
	return 0;
}

static void draw_books(void)
{
	double sums[BOOKS], sum = 0, drawn;
	uint64_t random = 42;
	uint32_t i, book;

	for (i = 0; i < BOOKS; i++)
		sums[i] = sum += 1.0 / (i + 1);
	for (i = 0; i < TASKS; i++) {
		drawn = sum * next_random(&random) / 4294967296.0;
		for (book = 0; sums[book] < drawn; book++)
			;
		book_of[i] = (uint8_t)book;
	}
}

/* The next most active book goes where there is the least to do. */
static void choose_homes(void)
{
	double load[HFT_POOL_WORKERS_MAX] = {};
	uint32_t book, worker, least;

	for (book = 0; book < BOOKS; book++) {
		for (worker = least = 0; worker < workers; worker++) {
			if (load[worker] < load[least])
				least = worker;
		}
		homes[book] = least;
		load[least] += 1.0 / (book + 1);
	}
}

static uint32_t worker_of(uint32_t task, enum placing placing)
{
	return placing == AFFINE ? homes[book_of[task]] : task % workers;
}

/* On the node of its home, if there is a pool. */
static void open_books(struct hft_pool *pool)
{
	HFT_OPTS(hft_book_opts, opts, .orders = ORDERS, .levels = LEVELS, .instruments = 1);
	HFT_OPTS(hft_pool_stats, stats);
	uint32_t book;
	int node;

	for (book = 0; book < BOOKS; book++) {
		if (pool) {
			check(hft_pool_stats(pool, homes[book], &stats), "a worker");
			node = hft_cpu_node(stats.cpu);
			opts.node = node < 0 ? 0 : 1 + (uint32_t)node;
		}
		check(hft_book_open(&books[book], &opts), "a book");
		pthread_mutex_init(&locks[book], NULL);
		fill(book);
	}
}

/* Of this process and threads that it makes from here on.  Returns a descriptor or -1. */
static int open_counter(void)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_CACHE_MISSES,
		.inherit = 1,
		.exclude_kernel = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static double read_counter(int fd)
{
	uint64_t count = 0;

	if (fd >= 0 && read(fd, &count, sizeof(count)) != sizeof(count))
		return 0;
	return (double)count;
}

static sem_t gates;

static int64_t wait_at_gate(void *args)
{
	(void)args;
	while (sem_wait(&gates) && errno == EINTR)
		;
	return 0;
}

/* All tasks are there before the workers begin. */
static double run_round(struct hft_pool *pool, enum placing placing)
{
	HFT_OPTS(hft_spawn_opts, opts);
	struct hft_group group;
	uint64_t start;
	uint32_t i;

	hft_group_init(&group, pool);
	opts.group = &group;
	for (i = 0; i < workers; i++) {
		opts.worker = 1 + i;
		check(hft_spawn_opts(pool, wait_at_gate, NULL, 0, &opts, NULL), "a task");
	}
	for (i = 0; i < TASKS; i++) {
		opts.worker = 1 + worker_of(i, placing);
		check(hft_spawn_opts(pool, run_task, &i, sizeof(i), &opts, NULL), "a task");
	}
	start = hft_now();
	for (i = 0; i < workers; i++)
		sem_post(&gates);
	check(hft_group_wait(&group, UINT64_MAX), "the tasks");
	return (double)(hft_now() - start);
}

static void measure(void)
{
	HFT_OPTS(hft_place_opts, place, .policy = HFT_PLACE_PACK, .flags = HFT_PLACE_REUSE);
	HFT_OPTS(hft_pool_opts, opts, .workers = workers, .place = &place);
	double times[PLACINGS][ROUNDS], misses[PLACINGS][ROUNDS], ratios[ROUNDS], before;
	int fd = open_counter(), round, placing;
	struct hft_pool *pool;

	check(hft_pool_open(&pool, &opts), "a pool");
	open_books(pool);
	sem_init(&gates, 0, 0);
	run_round(pool, ROUND_ROBIN);
	for (round = 0; round < ROUNDS; round++) {
		for (placing = 0; placing < PLACINGS; placing++) {
			before = read_counter(fd);
			times[placing][round] = run_round(pool, placing);
			misses[placing][round] = read_counter(fd) - before;
		}
		ratios[round] = times[AFFINE][round] / times[ROUND_ROBIN][round];
	}
	printf("figure affine_time_ratio %.3f\n", median(ratios, ROUNDS));
	printf("note affine_time_ratio: %u workers, an update takes %.0f ns affine, %.0f in turns\n",
	       workers, workers * median(times[AFFINE], ROUNDS) / (TASKS * UPDATES),
	       workers * median(times[ROUND_ROBIN], ROUNDS) / (TASKS * UPDATES));
	if (fd >= 0 && median(misses[ROUND_ROBIN], ROUNDS) > 0) {
		printf("figure affine_miss_reduction_pct %.1f\n",
		       100 - 100 * median(misses[AFFINE], ROUNDS) /
		       median(misses[ROUND_ROBIN], ROUNDS));
		printf("note affine_miss_reduction_pct: by the PMU's cache-misses\n");
	}
	hft_pool_close(pool);
}

static void run_turn(enum placing placing, uint32_t worker)
{
	uint32_t i;

	for (i = 0; i < TASKS; i++) {
		if (worker_of(i, placing) == worker)
			run_updates(i);
	}
}

/* What the simulator counts, by this name. */
__attribute__((noinline)) void counted_turn(enum placing placing, uint32_t worker);
__attribute__((noinline)) void counted_turn(enum placing placing, uint32_t worker)
{
	run_turn(placing, worker);
}

/* The first turn has the cache as it is later. */
static void simulate(enum placing placing, uint32_t worker)
{
	open_books(NULL);
	run_turn(placing, worker);
	counted_turn(placing, worker);
}

static int usage(void)
{
	fputs("Usage: affine [-w WORKERS] [-s affine|round-robin -n WORKER]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	int placing = PLACINGS, c;
	uint32_t worker = 0;

	workers = online < 2 ? 2 : online > 64 ? 64 : (uint32_t)online;
	while ((c = getopt(argc, argv, "w:s:n:")) != -1) {
		if (c == 'w')
			workers = (uint32_t)atoi(optarg);
		else if (c == 's')
			placing = !strcmp(optarg, placings[AFFINE]) ? AFFINE : ROUND_ROBIN;
		else if (c == 'n')
			worker = (uint32_t)atoi(optarg);
		else
			return usage();
	}
	if (!workers || workers > HFT_POOL_WORKERS_MAX || worker >= workers || optind < argc)
		return usage();
	draw_books();
	choose_homes();
	if (placing < PLACINGS)
		simulate((enum placing)placing, worker);
	else
		measure();
	return 0;
}
