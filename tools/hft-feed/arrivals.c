// SPDX-License-Identifier: LGPL-2.1-or-later
#include <math.h>
#include <string.h>

#include "arrivals.h"

#define NSEC_PER_SEC	1e9

/*
 * Fitted by random search to the peaks of a capture of CME MDP 3.0; generate --help
 * says how near they come.
 */
const struct arrival_process default_process = {
	.background = 0.55,
	.branching = { 0.83, 0.067, 0.071 },
	.rate = { 8500, 225, 5.5 },
	.spacing_ns = 22800,
	.jitter_ns = 4800,
};

/* splitmix64: Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014 */
uint64_t random_u64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint32_t random_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)((random_u64(state) >> 32) * limit >> 32);
}

double random_unit(uint64_t *state)
{
	return ((double)(random_u64(state) >> 12) + 0.5) * 0x1p-52;
}

static double random_exponential(uint64_t *state, double mean)
{
	return -mean * log(random_unit(state));
}

static double intensity(const struct arrivals *arrivals)
{
	double sum = arrivals->process->background;
	int i;

	for (i = 0; i < KERNELS; i++)
		sum += arrivals->excitation[i];
	return sum;
}

static void decay(struct arrivals *arrivals, double seconds)
{
	int i;

	for (i = 0; i < KERNELS; i++)
		arrivals->excitation[i] *= exp(-arrivals->process->rate[i] * seconds);
	arrivals->now += seconds;
}

static void excite(struct arrivals *arrivals)
{
	int i;

	for (i = 0; i < KERNELS; i++)
		arrivals->excitation[i] += arrivals->process->branching[i] *
					   arrivals->process->rate[i];
}

/* Between events the intensity only falls, so its present value bounds it. */
static double next_event(struct arrivals *arrivals)
{
	double bound;

	do {
		bound = intensity(arrivals);
		decay(arrivals, random_exponential(&arrivals->random, 1 / bound));
	} while (random_unit(&arrivals->random) * bound > intensity(arrivals));
	excite(arrivals);
	return arrivals->now;
}

uint64_t arrivals_next(struct arrivals *arrivals)
{
	double event_ns = next_event(arrivals) * NSEC_PER_SEC;
	double sent_ns = event_ns > arrivals->free_ns ? event_ns : arrivals->free_ns;

	arrivals->free_ns = sent_ns + arrivals->process->spacing_ns +
			    random_exponential(&arrivals->random, arrivals->process->jitter_ns);
	return (uint64_t)sent_ns;
}

void arrivals_init(struct arrivals *arrivals, const struct arrival_process *process, uint64_t seed)
{
	memset(arrivals, 0, sizeof(*arrivals));
	arrivals->process = process;
	arrivals->random = seed;
}
