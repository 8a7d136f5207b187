/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Is this duration usual?  An adaptive baseline of a stream of latencies, run times or the
 * like, and a verdict for each value as it comes.
 *
 *   spike	the value is far above what is usual
 *   shift	values are at another level now; the baseline begins anew
 *   drift	the level has slowly gone somewhere else
 *   stall	nothing came for far longer than usual
 *   burst	values come in much faster than usual
 *
 * What each of these means exactly is in kmod/core/baseline.h, which the module shares.
 *
 * Threads: a detector is for one thread at a time, but hft_detector_stats() for any.
 */
#ifndef HFT_DETECT_H
#define HFT_DETECT_H

#include <stddef.h>
#include <stdint.h>
#include <linux/hft.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hft_detector;

/**
 * struct hft_detector_opts - options of a detector; zero is the default of each
 * @sz: of the struct
 * @seasons: slots that a day is divided into, each with what is usual then; up to 96, 48
 *	are half-hours; 0 or 1: it is the same all day
 * @reserved: zero
 * @midnight_ns: a time when a day began, on the clock of the values: of any day
 */
struct hft_detector_opts {
	size_t sz;
	uint32_t seasons;
	uint32_t reserved;
	uint64_t midnight_ns;
};

/**
 * struct hft_finding - what is thought of a value
 * @sz: of the struct
 * @expected_ns: what is usual: the median
 * @limit_ns: above it is a spike; for a stall what came since the last value is compared,
 *	with those as @expected_ns and @limit_ns; 0: too little is known
 * @score: by how much it is above the expected one, of what would be a spike, in 1/1000:
 *	more than 1000 is one; negative below; 0 while too little is known
 */
struct hft_finding {
	size_t sz;
	uint64_t expected_ns;
	uint64_t limit_ns;
	int64_t score;
};

/**
 * struct hft_detector_stats - what a detector has found
 * @sz: of the struct
 * @values: how many values were each &enum hft_anomaly
 */
struct hft_detector_stats {
	size_t sz;
	uint64_t values[HFT_ANOMALIES];
};

int hft_detector_open(struct hft_detector **detector);
int hft_detector_open_opts(const struct hft_detector_opts *opts, struct hft_detector **detector);
void hft_detector_close(struct hft_detector *detector);
int hft_detect(struct hft_detector *detector, uint64_t time, uint64_t value,
	       struct hft_finding *finding);
int hft_detect_due(const struct hft_detector *detector, uint64_t time, struct hft_finding *finding);
int hft_detector_stats(const struct hft_detector *detector, struct hft_detector_stats *stats);
const char *hft_anomaly_name(enum hft_anomaly anomaly);

#ifdef __cplusplus
}
#endif

#endif /* HFT_DETECT_H */
