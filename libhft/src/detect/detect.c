// SPDX-License-Identifier: LGPL-2.1-or-later
/* Detectors: a baseline of what comes, and one of how often it does. */
#include <errno.h>
#include <stdlib.h>
#include <hft/detect.h>

#include "core/baseline.h"
#include "../api.h"
#include "../options.h"

#define SCORE_ONE	1000
#define SCORE_MOST	1000000000000LL

/**
 * struct hft_detector - a detector
 * @values: what is usual of the values
 * @intervals: and of the time from one to the next
 * @last: time of the last value
 * @begun: there was one
 */
struct hft_detector {
	struct hft_baseline values;
	struct hft_baseline intervals;
	uint64_t last;
	bool begun;
};

/**
 * hft_detector_open() - make a detector
 * @detector: out: it
 *
 * Return: 0 or -ENOMEM.
 */
HFT_API int hft_detector_open(struct hft_detector **detector)
{
	*detector = calloc(1, sizeof(**detector));
	return *detector ? 0 : hft_fail(ENOMEM, "a detector");
}

/**
 * hft_detector_close() - free a detector
 * @detector: the detector or NULL
 */
HFT_API void hft_detector_close(struct hft_detector *detector)
{
	free(detector);
}

/* Of @value, by a baseline that does not know it yet. */
static void judge(const struct hft_baseline *b, uint64_t value, struct hft_finding *user)
{
	struct hft_finding finding = {};
	int64_t above;

	if (value > HFT_BASELINE_MAX)
		value = HFT_BASELINE_MAX;
	if (hft_baseline_knows(b)) {
		finding.expected_ns = b->median >> HFT_BASELINE_FRACTION;
		finding.limit_ns = (b->median + b->limit) >> HFT_BASELINE_FRACTION;
		above = (int64_t)(value << HFT_BASELINE_FRACTION) - (int64_t)b->median;
		finding.score = (int64_t)((__int128)above * SCORE_ONE / (int64_t)b->limit);
		if (finding.score > SCORE_MOST)
			finding.score = SCORE_MOST;
	}
	hft_answer(user, &finding, sizeof(finding));
}

static enum hft_anomaly anomaly_of_value(enum hft_baseline_verdict verdict)
{
	static const enum hft_anomaly anomalies[] = {
		[HFT_BASELINE_USUAL] = HFT_ANOMALY_NONE,
		[HFT_BASELINE_SPIKE] = HFT_ANOMALY_SPIKE,
		[HFT_BASELINE_UP] = HFT_ANOMALY_SHIFT,
		[HFT_BASELINE_DOWN] = HFT_ANOMALY_SHIFT,
		[HFT_BASELINE_DRIFT] = HFT_ANOMALY_DRIFT,
	};

	return anomalies[verdict];
}

static int check(const struct hft_detector *detector, uint64_t time,
		 const struct hft_finding *finding)
{
	if (detector->begun && time < detector->last)
		return -EINVAL;
	return finding ? hft_check_answer(finding) : 0;
}

/* More time than usual, or again and again less. */
static enum hft_anomaly anomaly_of_interval(struct hft_detector *detector, uint64_t time,
					    struct hft_finding *finding)
{
	uint64_t interval = time - detector->last;

	switch (hft_baseline_add(&detector->intervals, interval)) {
	case HFT_BASELINE_SPIKE:
		if (finding)
			judge(&detector->intervals, interval, finding);
		return HFT_ANOMALY_STALL;
	case HFT_BASELINE_DOWN:
		return HFT_ANOMALY_BURST;
	default:
		return HFT_ANOMALY_NONE;
	}
}

/**
 * hft_detect() - take a value into account, and say what it is
 * @detector: the detector
 * @time: ns, of any clock, not before that of the value before
 * @value: ns; 4.8 hours and more count as that
 * @finding: sz is set; the rest is filled in, as far as the caller knows it; or NULL
 *
 * Of a value that is unusual itself, and in its time, the first is told.  Does not
 * allocate or block.
 *
 * Return: &enum hft_anomaly, or -EINVAL: sz is none, or @time is before the last.
 */
HFT_API int hft_detect(struct hft_detector *detector, uint64_t time, uint64_t value,
		       struct hft_finding *finding)
{
	enum hft_anomaly of_interval = HFT_ANOMALY_NONE, of_value;
	int err = check(detector, time, finding);

	if (err)
		return err;
	if (finding)
		judge(&detector->values, value, finding);
	of_value = anomaly_of_value(hft_baseline_add(&detector->values, value));
	if (detector->begun)
		of_interval = anomaly_of_interval(detector, time, of_value ? NULL : finding);
	detector->begun = true;
	detector->last = time;
	return of_value ? of_value : of_interval;
}

/**
 * hft_detect_due() - is there nothing where something was due?
 * @detector: the detector
 * @time: now, by the clock of the values
 * @finding: sz is set; the rest is filled in, as far as the caller knows it; or NULL
 *
 * Changes nothing: the value that comes in the end is a stall, too.
 *
 * Return: %HFT_ANOMALY_STALL or %HFT_ANOMALY_NONE, or -EINVAL: sz is none, or @time is
 * before the last value.
 */
HFT_API int hft_detect_due(const struct hft_detector *detector, uint64_t time,
			   struct hft_finding *finding)
{
	const struct hft_baseline *b = &detector->intervals;
	uint64_t limit;
	int err = check(detector, time, finding);

	if (err)
		return err;
	if (finding)
		judge(b, time - detector->last, finding);
	if (!hft_baseline_knows(b))
		return HFT_ANOMALY_NONE;
	limit = (b->median + b->limit) >> HFT_BASELINE_FRACTION;
	return time - detector->last > limit ? HFT_ANOMALY_STALL : HFT_ANOMALY_NONE;
}

/**
 * hft_anomaly_name() - what an anomaly is called
 * @anomaly: it
 *
 * Return: a word, or NULL: there is no such anomaly.
 */
HFT_API const char *hft_anomaly_name(enum hft_anomaly anomaly)
{
	static const char *const names[] = {
		[HFT_ANOMALY_NONE] = "none",
		[HFT_ANOMALY_SPIKE] = "spike",
		[HFT_ANOMALY_SHIFT] = "shift",
		[HFT_ANOMALY_DRIFT] = "drift",
		[HFT_ANOMALY_STALL] = "stall",
		[HFT_ANOMALY_BURST] = "burst",
	};

	return (uint32_t)anomaly < HFT_ANOMALIES ? names[anomaly] : NULL;
}
