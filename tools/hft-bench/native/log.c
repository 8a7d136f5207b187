// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a log call takes, beside its peers and a bare read of the TSC, in turns: CALLS in a
 * row and a pause, in which the drainers have time; the mean of each such batch is a sample,
 * as quill's own benchmark has it.  Beside them the same bytes are put into memory of this
 * process, which is what the machine itself takes for them.
 *
 *	log DIR
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <hft/hft.h>

#include "log.h"
#include "pin.h"
#include "quantile.h"

#define CALLS		20
#define BATCHES		4000
#define TURN		200		/* batches of one before the next has its turn */
#define PAUSE_NS	50000
#define OFF_CALLS	1000
#define OFF_ROUNDS	2001
#define COLD_ROUNDS	200
#define COLD_BYTES	(16u << 20)	/* more than the second cache has */
#define TEXT_BYTES	128

enum what {
	NUMBERS,
	TEXT,
	WHATS
};

static const struct log_peer *const peers[] = {
	&log_peer_hft, &log_peer_lttng, &log_peer_spdlog, &log_peer_plain,
};

#define PEERS	(sizeof(peers) / sizeof(peers[0]))

uint64_t log_number;
uint32_t log_quantity = 100;
double log_price = 12.5;

static double samples[PEERS][WHATS][BATCHES], bare[BATCHES], cold[PEERS][COLD_ROUNDS];
static double off[OFF_ROUNDS], cold_bare[COLD_ROUNDS];
static bool there[PEERS];
static char text[TEXT_BYTES + 1];
static double ns_per_cycle;
static volatile uint64_t sink;

static inline uint64_t begin(void)
{
	__builtin_ia32_lfence();
	return __builtin_ia32_rdtsc();
}

/* When all before it has been done. */
static inline uint64_t end(void)
{
	unsigned int cpu;
	uint64_t now = __builtin_ia32_rdtscp(&cpu);

	__builtin_ia32_lfence();
	return now;
}

static void calibrate(void)
{
	uint64_t ns, cycles, start = hft_now() + 50000000;

	while (hft_now() < start)
		;
	ns = hft_now();
	cycles = begin();
	while (hft_now() < ns + 100000000)
		;
	ns_per_cycle = (double)(hft_now() - ns) / (double)(begin() - cycles);
}

static void rest(void)
{
	uint64_t until = hft_now() + PAUSE_NS;

	while (hft_now() < until)
		__builtin_ia32_pause();
}

static double time_batch(const struct log_peer *peer, enum what what, unsigned int calls)
{
	uint64_t start = begin();

	if (what == NUMBERS)
		peer->numbers(calls);
	else
		peer->text(calls, text);
	return (double)(end() - start) * ns_per_cycle / calls;
}

/* Each read is kept, as the calls keep theirs. */
static double time_bare(unsigned int calls)
{
	uint64_t start = begin();
	unsigned int i;

	for (i = 0; i < calls; i++)
		sink = __builtin_ia32_rdtsc();
	return (double)(end() - start) * ns_per_cycle / calls;
}

static double time_off(void)
{
	uint64_t start = begin();

	log_hft_off(OFF_CALLS);
	return (double)(end() - start) * ns_per_cycle / OFF_CALLS;
}

/* The first of a turn has the caches of the peer before: it is not kept. */
static void measure_peer(unsigned int peer, enum what what, unsigned int from)
{
	unsigned int i;

	time_batch(peers[peer], what, CALLS);
	rest();
	for (i = from; i < from + TURN; i++) {
		samples[peer][what][i] = time_batch(peers[peer], what, CALLS);
		rest();
	}
}

static void measure_bare(unsigned int from)
{
	unsigned int i;

	time_bare(CALLS);
	rest();
	for (i = from; i < from + TURN; i++) {
		bare[i] = time_bare(CALLS);
		rest();
	}
}

/* A batch finds the caches as the one before has left them. */
static void measure_hot(void)
{
	unsigned int i, peer, what;

	for (i = 0; i < BATCHES; i += TURN) {
		measure_bare(i);
		for (peer = 0; peer < PEERS; peer++) {
			for (what = 0; there[peer] && what < WHATS; what++)
				measure_peer(peer, what, i);
		}
	}
	for (i = 0; i < OFF_ROUNDS; i++)
		off[i] = time_off();
}

/* One call whose data is in no cache of this CPU. */
static void measure_cold(void)
{
	char *poison = malloc(COLD_BYTES);
	unsigned int i, peer;

	if (!poison)
		return;
	for (i = 0; i < COLD_ROUNDS; i++) {
		memset(poison, (int)i, COLD_BYTES);
		cold_bare[i] = time_bare(1);
		for (peer = 0; peer < PEERS; peer++) {
			memset(poison, (int)(i + peer), COLD_BYTES);
			cold[peer][i] = there[peer] ? time_batch(peers[peer], NUMBERS, 1) : 0;
		}
	}
	free(poison);
}

static void print_notes(void)
{
	unsigned int peer;

	for (peer = 0; peer < PEERS; peer++) {
		if (!there[peer]) {
			printf("note log: %s is not there\n", peers[peer]->name);
			continue;
		}
		printf("note log: %s: numbers p50 %.1f p99 %.1f p99.9 %.1f ns, text p50 %.1f p99 "
		       "%.1f ns, one call with cold caches p50 %.0f p99 %.0f ns\n",
		       peers[peer]->name, median(samples[peer][NUMBERS], BATCHES),
		       quantile(samples[peer][NUMBERS], BATCHES, 0.99),
		       quantile(samples[peer][NUMBERS], BATCHES, 0.999),
		       median(samples[peer][TEXT], BATCHES),
		       quantile(samples[peer][TEXT], BATCHES, 0.99),
		       median(cold[peer], COLD_ROUNDS), quantile(cold[peer], COLD_ROUNDS, 0.99));
	}
	printf("note log: a bare read of the TSC: p50 %.1f p99 %.1f ns; one, cold: p50 %.0f ns\n",
	       median(bare, BATCHES), quantile(bare, BATCHES, 0.99),
	       median(cold_bare, COLD_ROUNDS));
}

static void print_figures(void)
{
	double p50 = median(samples[0][NUMBERS], BATCHES);

	printf("figure log_p50_ns %.1f\n", p50);
	printf("figure log_over_tsc_ns %.1f\n", p50 - median(bare, BATCHES));
	printf("figure log_p99_ns %.1f\n", quantile(samples[0][NUMBERS], BATCHES, 0.99));
	printf("figure log_str_ns %.1f\n", median(samples[0][TEXT], BATCHES));
	printf("figure log_off_ns %.2f\n", median(off, OFF_ROUNDS));
	if (there[1])
		printf("peer log_p50_ns %.1f lttng-ust\n", median(samples[1][NUMBERS], BATCHES));
	printf("peer log_p99_ns %.1f plain stores\n",
	       quantile(samples[PEERS - 1][NUMBERS], BATCHES, 0.99));
}

int main(int argc, char **argv)
{
	unsigned int peer;

	if (argc != 2) {
		fputs("Usage: log DIR\n", stderr);
		return 2;
	}
	memset(text, 'x', TEXT_BYTES);
	calibrate();
	for (peer = 0; peer < PEERS; peer++)
		there[peer] = !peers[peer]->open(argv[1]);
	if (!there[0])
		return 1;
	pin(0);
	measure_hot();
	measure_cold();
	print_figures();
	print_notes();
	for (peer = 0; peer < PEERS; peer++) {
		if (there[peer])
			peers[peer]->close();
	}
	return 0;
}
