// SPDX-License-Identifier: LGPL-2.1-or-later
/* The detector: how long a verdict takes, and how often it is right, of seeded noise. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <hft/detect.h>
#include <hft/hft.h>

#include "../../common/noise.h"
#include "quantile.h"

#define ROUNDS		501
#define VALUES		4096	/* of a round: most are not interrupted */
#define INTERVAL	10000	/* ns */

#define LEARNED		10000	/* values */
#define JUDGED		5000000	/* of each shape */
#define SPIKE_EACH	1000

static struct hft_detector *open_detector(void)
{
	struct hft_detector *detector;

	if (hft_detector_open(&detector)) {
		perror("detect");
		exit(1);
	}
	return detector;
}

static void time_verdicts(void)
{
	struct noise noise = { .random = 1, .shape = NOISE_TAILED, .level = 2500 };
	struct hft_detector *detector = open_detector();
	static uint64_t values[VALUES];
	static double ns[ROUNDS];
	uint64_t start, time = 0;
	int i, round;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < VALUES; i++)
			values[i] = noise_value(&noise, false);
		start = hft_now();
		for (i = 0; i < VALUES; i++) {
			time += INTERVAL;
			hft_detect(detector, time, values[i], NULL);
		}
		ns[round] = (double)(hft_now() - start) / VALUES;
	}
	printf("figure detect_ns %.1f\n", median(ns, ROUNDS));
	printf("note detect_ns: of the value and of its time; fastest round %.1f ns\n", ns[0]);
	hft_detector_close(detector);
}

struct tally {
	uint64_t values;
	uint64_t spikes;
	uint64_t found;
	uint64_t wrong;
};

static void judge(enum noise_shape shape, struct tally *tally)
{
	struct noise noise = { .random = 1 + shape, .shape = shape, .level = 2500 };
	struct hft_detector *detector = open_detector();
	uint64_t i;

	for (i = 0; i < LEARNED + JUDGED; i++) {
		bool spike = i >= LEARNED && noise_uniform(&noise) < 1.0 / SPIKE_EACH;
		int anomaly = hft_detect(detector, i * INTERVAL, noise_value(&noise, spike), NULL);

		tally->values++;
		tally->spikes += spike;
		tally->found += spike && anomaly == HFT_ANOMALY_SPIKE;
		tally->wrong += !spike && anomaly != HFT_ANOMALY_NONE;
	}
	hft_detector_close(detector);
}

int main(void)
{
	struct tally tally = {};
	enum noise_shape shape;

	time_verdicts();
	for (shape = 0; shape < NOISE_SHAPES; shape++)
		judge(shape, &tally);
	printf("figure spike_recall_pct %.3f\n",
	       100.0 * (double)tally.found / (double)tally.spikes);
	printf("figure false_alarm_per_m %.2f\n",
	       1e6 * (double)tally.wrong / (double)tally.values);
	printf("note spike_recall_pct: %llu values of %d shapes of noise, one in %d five times what "
	       "is usual\n", (unsigned long long)tally.values, NOISE_SHAPES, SPIKE_EACH);
	return 0;
}
