// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Percentiles of a histogram by the build of the body that the library chooses on this CPU,
 * beside the generic one, in turns: as hftctl and an exporter ask for them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <hft/cpu.h>
#include <hft/hft.h>

#include "core/hist.h"
#include "../../../libhft/src/cpu/cpu.h"
#include "quantile.h"

#define ROUNDS	101
#define CALLS	200		/* of a round */

static struct hft_hist hist;
static volatile uint64_t sink;

static double measure(const struct hft_body *body)
{
	static const uint32_t ppms[] = { 500000, 900000, 990000, 999000, 999900 };
	uint64_t start = hft_now(), below;
	unsigned int i;

	for (i = 0; i < CALLS; i++)
		sink = body->find_rank(hist.bucket, HFT_HIST_BUCKETS,
				       hft_hist_rank(hist.count, ppms[i % 5]), &below);
	return (double)(hft_now() - start) / CALLS;
}

int main(void)
{
	const struct hft_body *body = hft_body(), *generic = &hft_bodies[hft_nr_bodies - 1];
	double chosen[ROUNDS], plain[ROUNDS], ratios[ROUNDS];
	int i;

	srand(1);
	for (i = 0; i < 1000000; i++)
		hft_hist_record(&hist, (uint64_t)(1000 + rand() % 2000) << rand() % 12);
	for (i = 0; i < ROUNDS; i++) {
		plain[i] = measure(generic);
		chosen[i] = measure(body);
		ratios[i] = chosen[i] / plain[i];
	}
	printf("figure simd_ratio %.3f\n", median(ratios, ROUNDS));
	printf("note simd_ratio: a percentile takes %.0f ns by %s, %.0f by %s\n",
	       median(chosen, ROUNDS), body->name, median(plain, ROUNDS), generic->name);
	return 0;
}
