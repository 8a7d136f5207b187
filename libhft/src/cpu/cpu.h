/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hot bodies of which there is more than one build: a table each, of which one is chosen
 * when it is first used.
 */
#ifndef HFT_CPU_CPU_H
#define HFT_CPU_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hft/cpu.h>

/* Of this CPU, without what HFT_CPU_HIDE names. */
uint64_t hft_cpu_flags(void);

/**
 * struct hft_body - the bodies, built for a CPU
 * @name: of the build
 * @needs: what the CPU has to have: bits of hft_cpu_features.flags
 * @find_rank: in which of @nr counts the sum of those up to it is @rank or more, or @nr;
 *	@below is the sum of those before it.  Others may add to them meanwhile
 * @sum: of @nr counts, likewise
 */
struct hft_body {
	const char *name;
	uint64_t needs;
	uint32_t (*find_rank)(const uint64_t *counts, uint32_t nr, uint64_t rank, uint64_t *below);
	uint64_t (*sum)(const uint64_t *counts, uint32_t nr);
};

/* The best first; the last one needs nothing. */
extern const struct hft_body hft_bodies[];
extern const unsigned int hft_nr_bodies;

const struct hft_body *hft_body_choose(uint64_t flags);

/* For this CPU. */
const struct hft_body *hft_body(void);

#endif /* HFT_CPU_CPU_H */
