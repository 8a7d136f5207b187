/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When packets arrive: a self-exciting (Hawkes) process behind a publisher.
 *
 * Events come with intensity
 *
 *	background + sum over events i before t, kernels k of
 *		branching[k] * rate[k] * exp(-rate[k] * (t - t[i]))
 *
 * so that each event has on average branching[k] children by kernel k, which follow
 * it after 1 / rate[k] (A. G. Hawkes, "Spectra of some self-exciting and mutually
 * exciting point processes", Biometrika 58, 1971).  It is simulated by thinning
 * (Y. Ogata, "On Lewis' simulation method for point processes", IEEE Transactions on
 * Information Theory 27, 1981).
 *
 * An exchange's publisher sends packets one after the other: each keeps it busy for
 * spacing_ns plus an exponential time of mean jitter_ns, and one that comes meanwhile
 * waits.  Real bursts show this as a plateau: 39 packets in the busiest millisecond.
 */
#ifndef HFT_FEED_ARRIVALS_H
#define HFT_FEED_ARRIVALS_H

#include <stdint.h>

#define KERNELS		3

struct arrival_process {
	double background;		/* events a second */
	double branching[KERNELS];
	double rate[KERNELS];		/* 1/s */
	double spacing_ns;
	double jitter_ns;
};

struct arrivals {
	const struct arrival_process *process;
	uint64_t random;
	double now;			/* s: of the last candidate */
	double excitation[KERNELS];	/* intensity at that time, 1/s */
	double free_ns;			/* when the publisher is */
};

extern const struct arrival_process default_process;

void arrivals_init(struct arrivals *arrivals, const struct arrival_process *process,
		   uint64_t seed);
/* The next arrival, ns from the start, never before the one before it. */
uint64_t arrivals_next(struct arrivals *arrivals);

uint64_t random_u64(uint64_t *state);
uint32_t random_below(uint64_t *state, uint32_t limit);
/* In (0, 1). */
double random_unit(uint64_t *state);

#endif /* HFT_FEED_ARRIVALS_H */
