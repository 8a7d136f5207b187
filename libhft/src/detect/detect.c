// SPDX-License-Identifier: LGPL-2.1-or-later
/* Detectors: a baseline of what comes, and one of how often it does. */
#include <errno.h>
#include <stdlib.h>
#include <hft/detect.h>

#include "core/detect.h"
#include "../api.h"
#include "../options.h"

#define SCORE_ONE	1000
#define SCORE_MOST	1000000000000LL

/**
 * struct detect_season - what is usual in a slot of the day
 * @values: of the values
 * @intervals: of the time from one to the next
 */
struct detect_season {
	struct hft_baseline values;
	struct hft_baseline intervals;
};

/**
 * struct hft_detector - a detector
 * @pace: when the last value came
 * @midnight: when a day began
 * @nr_seasons: slots of a day
 * @until: when the slot of @now ends; 0: that is to be found
 * @now: the slot of the last value
 * @stats: what was found; read by any thread
 * @seasons: them
 */
struct hft_detector {
	struct hft_pace pace;
	uint64_t midnight;
	uint32_t nr_seasons;
	uint64_t until;
	struct detect_season *now;
	struct hft_detector_stats stats;
	struct detect_season seasons[];
};

/**
 * hft_detector_open() - make a detector
 * @detector: out: it
 *
 * Return: 0 or -ENOMEM.
 */
HFT_API int hft_detector_open(struct hft_detector **detector)
{
	return hft_detector_open_opts(NULL, detector);
}

/**
 * hft_detector_open_opts() - make a detector, with options
 * @user_opts: options, or NULL
 * @detector: out: it
 *
 * With hft_detector_opts.seasons, the first 256 values of a slot are learned and not
 * judged; from the next day on it goes on where it was.
 *
 * Return: 0, -EINVAL more than 96 seasons or a reserved field, -E2BIG options of a newer
 * library, or -ENOMEM.
 */
HFT_API int hft_detector_open_opts(const struct hft_detector_opts *user_opts,
				   struct hft_detector **detector)
{
	struct hft_detector_opts opts;
	struct hft_detector *made;
	int err;

	err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (err)
		return err;
	if (opts.seasons > HFT_MAX_SEASONS || opts.reserved)
		return hft_fail(EINVAL, "a detector of %u seasons, up to %u are possible",
				opts.seasons, HFT_MAX_SEASONS);
	if (!opts.seasons)
		opts.seasons = 1;
	made = calloc(1, sizeof(*made) + opts.seasons * sizeof(made->seasons[0]));
	if (!made)
		return hft_fail(ENOMEM, "a detector");
	made->midnight = opts.midnight_ns;
	made->nr_seasons = opts.seasons;
	made->until = opts.seasons > 1 ? 0 : UINT64_MAX;
	made->now = made->seasons;
	*detector = made;
	return 0;
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

static int check(const struct hft_detector *detector, uint64_t time,
		 const struct hft_finding *finding)
{
	if (detector->pace.begun && time < detector->pace.last)
		return -EINVAL;
	return finding ? hft_check_answer(finding) : 0;
}

/* Another slot of the day begins. */
static void next_season(struct hft_detector *detector, uint64_t time)
{
	uint32_t n = detector->nr_seasons;

	detector->now = &detector->seasons[hft_season(time, detector->midnight, n)];
	detector->until = hft_season_end(time, detector->midnight, n);
}

/* More time than usual, or again and again less. */
static enum hft_anomaly anomaly_of_interval(struct hft_detector *detector, uint64_t time,
					    struct hft_finding *finding)
{
	struct hft_baseline *intervals = &detector->now->intervals;
	uint64_t last = detector->pace.last;
	struct hft_detected found;
	enum hft_anomaly anomaly;

	anomaly = hft_detect_pace(&detector->pace, intervals, time, &found);
	if (anomaly == HFT_ANOMALY_STALL && finding)
		judge(intervals, time - last, finding);
	return anomaly;
}

/* The caller is the only writer. */
static enum hft_anomaly count(struct hft_detector *detector, enum hft_anomaly anomaly)
{
	uint64_t *counter = &detector->stats.values[anomaly];

	hft_store_relaxed(counter, *counter + 1);
	return anomaly;
}

/**
 * hft_detector_stats() - what a detector has found so far
 * @detector: the detector
 * @user_stats: sz is set; the rest is filled in, as far as the caller knows it
 *
 * Counted are the answers of hft_detect(), also those of values that it only learned from,
 * which are usual.  Any thread; wait-free.
 *
 * Return: 0, or -EINVAL: sz is none.
 */
HFT_API int hft_detector_stats(const struct hft_detector *detector,
			       struct hft_detector_stats *user_stats)
{
	struct hft_detector_stats stats = {};
	int err = hft_check_answer(user_stats);
	uint32_t i;

	if (err)
		return err;
	for (i = 0; i < HFT_ANOMALIES; i++)
		stats.values[i] = hft_load_relaxed(&detector->stats.values[i]);
	hft_answer(user_stats, &stats, sizeof(stats));
	return 0;
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
	enum hft_anomaly of_interval, of_value;
	struct hft_detected found;
	int err = check(detector, time, finding);

	if (err)
		return err;
	if (time >= detector->until && detector->nr_seasons > 1)
		next_season(detector, time);
	if (finding)
		judge(&detector->now->values, value, finding);
	of_value = hft_detect_value(&detector->now->values, value, &found);
	of_interval = anomaly_of_interval(detector, time, of_value ? NULL : finding);
	return count(detector, of_value ? of_value : of_interval);
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
	const struct hft_baseline *b = &detector->now->intervals;
	int err = check(detector, time, finding);

	if (err)
		return err;
	if (finding)
		judge(b, time - detector->pace.last, finding);
	if (time > hft_detect_due_at(&detector->pace, b))
		return HFT_ANOMALY_STALL;
	return HFT_ANOMALY_NONE;
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
		[HFT_ANOMALY_INTERFERENCE] = "interference",
		[HFT_ANOMALY_CLOCK] = "clock",
	};

	return (uint32_t)anomaly < HFT_ANOMALIES ? names[anomaly] : NULL;
}
