// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Time kmod/core/heap.h beside std::priority_queue and the kernel's rbtree, in
 * turns, and print the median of the ratios.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "heap_bench.h"
#include "quantile.h"

#define NR_CONTENDERS	3
#define MAX_ROUNDS	101
#define HOLD_OPS	262144
#define FILL_OPS	100000		/* at least so many in a timed round */
#define KEY_RANGE_BITS	40

static const struct contender *const contenders[NR_CONTENDERS] = {
	&contender_hft, &contender_std, &contender_rbtree,
};

enum work { WORK_HOLD, WORK_FILL_DRAIN, NR_WORKS };

static const char *const work_names[NR_WORKS] = { "hold", "fill_drain" };

struct run {
	size_t nr;
	unsigned int rounds;
	uint64_t *key;
	uint64_t *ahead;
	void *bench[NR_CONTENDERS];
	double ns[NR_WORKS][NR_CONTENDERS][MAX_ROUNDS];
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t *random_array(size_t nr, uint64_t seed)
{
	uint64_t *array = malloc(nr * sizeof(*array));
	uint64_t x = seed;
	size_t i;

	for (i = 0; array && i < nr; i++) {
		x = x * 6364136223846793005 + 1442695040888963407;
		array[i] = x >> (64 - KEY_RANGE_BITS);
	}
	return array;
}

static int run_create(struct run *r)
{
	unsigned int c;

	r->key = random_array(r->nr, 1);
	r->ahead = random_array(HOLD_OPS, 2);
	if (!r->key || !r->ahead)
		return -ENOMEM;
	for (c = 0; c < NR_CONTENDERS; c++) {
		r->bench[c] = contenders[c]->create(r->nr);
		if (!r->bench[c])
			return -ENOMEM;
	}
	return 0;
}

static double time_hold(struct run *r, unsigned int c)
{
	uint64_t start = now_ns();

	contenders[c]->hold(r->bench[c], r->ahead, HOLD_OPS);
	return (double)(now_ns() - start) / HOLD_OPS;
}

static double time_fill_drain(struct run *r, unsigned int c, uint64_t *sum)
{
	size_t times = (FILL_OPS + r->nr - 1) / r->nr;
	uint64_t start = now_ns();
	size_t i;

	for (i = 0; i < times; i++) {
		contenders[c]->fill(r->bench[c], r->key);
		*sum = contenders[c]->drain(r->bench[c]);
	}
	return (double)(now_ns() - start) / ((double)times * (double)r->nr);
}

static void run_hold(struct run *r)
{
	unsigned int c, i;

	for (c = 0; c < NR_CONTENDERS; c++)
		contenders[c]->fill(r->bench[c], r->key);
	for (i = 0; i < r->rounds; i++)
		for (c = 0; c < NR_CONTENDERS; c++)
			r->ns[WORK_HOLD][c][i] = time_hold(r, c);
}

/* All contenders pop the same entries in the same order, or the figures mean nothing. */
static int check_drain(struct run *r)
{
	uint64_t sum[NR_CONTENDERS];
	unsigned int c;

	for (c = 0; c < NR_CONTENDERS; c++)
		sum[c] = contenders[c]->drain(r->bench[c]);
	for (c = 1; c < NR_CONTENDERS; c++)
		if (sum[c] != sum[0])
			return -EILSEQ;
	return 0;
}

static void run_fill_drain(struct run *r)
{
	uint64_t sum;
	unsigned int c, i;

	for (i = 0; i < r->rounds; i++)
		for (c = 0; c < NR_CONTENDERS; c++)
			r->ns[WORK_FILL_DRAIN][c][i] = time_fill_drain(r, c, &sum);
}

/*
 * Our time by a peer's: the median over the rounds, since what else runs on the
 * machine disturbs both of a round.
 */
static double ratio_to(struct run *r, enum work work, unsigned int peer)
{
	double ratio[MAX_ROUNDS];
	unsigned int i;

	for (i = 0; i < r->rounds; i++)
		ratio[i] = r->ns[work][0][i] / r->ns[work][peer][i];
	return median(ratio, r->rounds);
}

/* Returns the ratio to the better peer. */
static double ratio_of(struct run *r, enum work work, unsigned int *peer, double *peer_ns)
{
	double ns, ratio, worst = 0;
	unsigned int c;

	for (c = 1; c < NR_CONTENDERS; c++) {
		ratio = ratio_to(r, work, c);
		if (ratio > worst) {
			worst = ratio;
			*peer = c;
		}
	}
	/* This sorts the rounds: last. */
	for (c = 0; c < NR_CONTENDERS; c++) {
		ns = median(r->ns[work][c], r->rounds);
		printf("note %zu elements, %s: %s %.1f ns a push and pop\n", r->nr,
		       work_names[work], contenders[c]->name, ns);
		if (c == *peer)
			*peer_ns = ns;
	}
	return worst;
}

static void print_worst(struct run *r, const char *name)
{
	double ratio, ns = 0, worst = 0, worst_ns = 0;
	unsigned int work, peer = 1, worst_peer = 1;

	for (work = 0; work < NR_WORKS; work++) {
		ratio = ratio_of(r, work, &peer, &ns);
		if (ratio <= worst)
			continue;
		worst = ratio;
		worst_ns = ns;
		worst_peer = peer;
	}
	printf("figure %s %.3f\n", name, worst);
	printf("peer %s %.1f %s\n", name, worst_ns, contenders[worst_peer]->name);
}

static int usage(const char *name, int status)
{
	fprintf(status ? stderr : stdout,
		"Usage: %s NAME ELEMENTS [ROUNDS]\n"
		"Time push and pop of the hft heap beside std::priority_queue and the kernel's\n"
		"rbtree, in turns, and print as NAME the worse ratio to the better of the two,\n"
		"the median over ROUNDS, of two kinds of work:\n"
		"  hold        pop the first of ELEMENTS and push it again at random\n"
		"  fill_drain  push ELEMENTS at random, pop them all and look at each\n"
		"Run it with GLIBC_TUNABLES=glibc.malloc.hugetlb=1: the kernel's memory is in huge\n"
		"pages too.\n", name);
	return status;
}

int main(int argc, char **argv)
{
	static struct run r;
	int err;

	if (argc > 1 && !strcmp(argv[1], "--help"))
		return usage(argv[0], 0);
	if (argc < 3 || argc > 4)
		return usage(argv[0], 2);
	r.nr = strtoul(argv[2], NULL, 10);
	r.rounds = r.nr > 100000 ? 11 : 51;
	if (argc == 4)
		r.rounds = (unsigned int)strtoul(argv[3], NULL, 10);
	if (!r.nr || r.nr > UINT32_MAX || !r.rounds || r.rounds > MAX_ROUNDS)
		return usage(argv[0], 2);
	err = run_create(&r);
	if (!err) {
		run_hold(&r);
		err = check_drain(&r);
	}
	if (err) {
		fprintf(stderr, "%s: %s\n", argv[0], strerror(-err));
		return 1;
	}
	run_fill_drain(&r);
	print_worst(&r, argv[1]);
	return 0;
}
