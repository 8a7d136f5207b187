// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* The baseline of kmod/core, and the library's detector: what they tell, and what not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <hft/detect.h>

#include "../../tools/common/noise.h"
#include "core/baseline.h"
#include "random.h"

#define SAMPLES		2000000
#define LEARNED		10000
#define SPIKE_EACH	1000
#define FALSE_PPM	10
#define SHIFT_MOST	40	/* values until a shift is seen */

struct tally {
	uint64_t spikes;
	uint64_t found;
	uint64_t wrong[HFT_BASELINE_DRIFT + 1];
};

static void check_noise(enum noise_shape shape, double level)
{
	struct noise noise = { .random = 1 + shape, .shape = shape, .level = level };
	struct hft_baseline b = {};
	struct tally tally = {};
	enum hft_baseline_verdict verdict;
	uint32_t i;

	for (i = 0; i < SAMPLES; i++) {
		bool spike = i > LEARNED && !random_below(&noise.random, SPIKE_EACH);

		verdict = hft_baseline_add(&b, noise_value(&noise, spike));
		tally.spikes += spike;
		if (spike && verdict == HFT_BASELINE_SPIKE)
			tally.found++;
		else if (!spike)
			tally.wrong[verdict]++;
	}
	print_message("shape %d about %.0f: %llu of %llu spikes, %llu false\n", shape, level,
		      (unsigned long long)tally.found, (unsigned long long)tally.spikes,
		      (unsigned long long)tally.wrong[HFT_BASELINE_SPIKE]);
	assert_true(tally.found >= tally.spikes * 99 / 100);
	assert_true(tally.wrong[HFT_BASELINE_SPIKE] <= SAMPLES / 1000000 * FALSE_PPM);
	assert_int_equal(tally.wrong[HFT_BASELINE_UP], 0);
	assert_int_equal(tally.wrong[HFT_BASELINE_DOWN], 0);
	assert_int_equal(tally.wrong[HFT_BASELINE_DRIFT], 0);
}

static void spikes_are_found_and_nothing_else(void **state)
{
	enum noise_shape shape;

	(void)state;
	for (shape = 0; shape < NOISE_SHAPES; shape++) {
		check_noise(shape, 400);
		check_noise(shape, 2500);
		check_noise(shape, 30000000);
	}
}

/* One in fifty is a thousand times as large: the baseline stays where it is. */
static void outliers_do_not_move_it(void **state)
{
	struct noise noise = { .random = 1, .level = 1000 };
	struct hft_baseline b = {};
	uint64_t median, tail;
	uint32_t i;

	(void)state;
	for (i = 0; i < LEARNED; i++)
		hft_baseline_add(&b, noise_value(&noise, false));
	median = b.median;
	tail = b.tail;
	for (i = 0; i < 10 * LEARNED; i++) {
		bool spike = i % 50 == 0;
		uint64_t value = spike ? 1000000 : noise_value(&noise, false);

		assert_int_equal(hft_baseline_add(&b, value),
				 spike ? HFT_BASELINE_SPIKE : HFT_BASELINE_USUAL);
	}
	assert_in_range(b.median, median * 97 / 100, median * 103 / 100);
	assert_in_range(b.tail, tail * 2 / 3, tail * 3 / 2);
}

/* Half as much again, twenty times as much, half. */
static void shifts_are_seen_once(void **state)
{
	static const double levels[] = { 1000, 1500, 30000, 15000 };
	struct noise noise = { .random = 1 };
	struct hft_baseline b = {};
	enum hft_baseline_verdict verdict, expected;
	uint32_t i, level, told, at = 0;

	(void)state;
	for (level = 0; level < 4; level++) {
		noise.level = levels[level];
		expected = level == 3 ? HFT_BASELINE_DOWN : HFT_BASELINE_UP;
		for (told = 0, i = 0; i < LEARNED; i++) {
			verdict = hft_baseline_add(&b, noise_value(&noise, false));
			if (verdict == HFT_BASELINE_UP || verdict == HFT_BASELINE_DOWN) {
				assert_int_equal(verdict, expected);
				told++;
				at = i;
			}
		}
		assert_int_equal(told, level > 0);
		assert_true(!level || at < SHIFT_MOST);
		assert_in_range(b.median >> HFT_BASELINE_FRACTION, noise.level * 97 / 100,
				noise.level * 103 / 100);
	}
}

/* Five times as much in the end: it is followed, and told, and no value is a spike. */
static void drift_is_followed(void **state)
{
	struct noise noise = { .random = 1, .shape = NOISE_SKEWED };
	uint32_t i, told[HFT_BASELINE_DRIFT + 1] = {};
	struct hft_baseline b = {};

	(void)state;
	for (i = 0; i < 500000; i++) {
		noise.level = 1000 * (1 + 4.0 * i / 500000);
		told[hft_baseline_add(&b, noise_value(&noise, false))]++;
		if (i > LEARNED)
			assert_in_range(b.median >> HFT_BASELINE_FRACTION, noise.level * 9 / 10,
					noise.level * 11 / 10);
	}
	assert_int_equal(told[HFT_BASELINE_SPIKE], 0);
	assert_int_equal(told[HFT_BASELINE_UP] + told[HFT_BASELINE_DOWN], 0);
	assert_in_range(told[HFT_BASELINE_DRIFT], 2, 7);
}

/* All the same, nothing at all, as much as there is. */
static void any_value_is_taken(void **state)
{
	static const uint64_t values[] = { 100, 0, UINT64_MAX, HFT_BASELINE_MAX };
	uint64_t random = 1;
	uint32_t i, v;

	(void)state;
	for (v = 0; v < 4; v++) {
		struct hft_baseline b = {};

		for (i = 0; i < LEARNED; i++)
			assert_int_equal(hft_baseline_add(&b, values[v]), HFT_BASELINE_USUAL);
	}
	for (v = 0; v < 64; v++) {
		struct hft_baseline b = {};

		for (i = 0; i < LEARNED; i++)
			hft_baseline_add(&b, random_u64(&random) >> random_below(&random, 64));
		assert_true(b.median >> HFT_BASELINE_FRACTION <= HFT_BASELINE_MAX * 2);
	}
}

struct fixture {
	struct hft_detector *detector;
	struct noise noise;
	uint64_t time;
	uint32_t told[HFT_ANOMALIES];
	struct hft_finding finding;
};

static void feed(struct fixture *f, uint32_t nr, uint64_t interval)
{
	int anomaly;

	while (nr--) {
		f->time += interval * (90 + random_below(&f->noise.random, 20)) / 100;
		anomaly = hft_detect(f->detector, f->time, noise_value(&f->noise, false),
				     &f->finding);
		assert_in_range(anomaly, 0, HFT_ANOMALIES - 1);
		f->told[anomaly]++;
	}
}

static void set_up(struct fixture *f)
{
	*f = (struct fixture){
		.noise = { .random = 1, .level = 1000 },
		.finding.sz = sizeof(f->finding),
	};
	assert_int_equal(hft_detector_open(&f->detector), 0);
}

/* Each millisecond; then nothing for 20; then ten times as often. */
static void time_counts_too(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	assert_int_equal(hft_detect_due(f.detector, 1ULL << 50, NULL), HFT_ANOMALY_NONE);
	feed(&f, LEARNED, 1000000);
	assert_int_equal(f.told[HFT_ANOMALY_NONE], LEARNED);
	assert_int_equal(hft_detect_due(f.detector, f.time + 2000000, NULL), HFT_ANOMALY_NONE);
	assert_int_equal(hft_detect_due(f.detector, f.time + 5000000, &f.finding),
			 HFT_ANOMALY_STALL);
	assert_in_range(f.finding.expected_ns, 970000, 1030000);
	assert_in_range(f.finding.limit_ns, 3000000, 4000000);
	assert_in_range(f.finding.score, 1000, 2000);
	feed(&f, 1, 20000000);
	assert_int_equal(f.told[HFT_ANOMALY_STALL], 1);
	feed(&f, LEARNED, 100000);
	assert_int_equal(f.told[HFT_ANOMALY_BURST], 1);
	assert_int_equal(f.told[HFT_ANOMALY_NONE], 2 * LEARNED - 1);
	hft_detector_close(f.detector);
}

static void findings_say_why(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	feed(&f, 10, 1000);
	assert_int_equal(f.finding.limit_ns, 0);
	feed(&f, LEARNED, 1000);
	assert_int_equal(hft_detect(f.detector, f.time, 20000, &f.finding), HFT_ANOMALY_SPIKE);
	assert_in_range(f.finding.expected_ns, 970, 1030);
	assert_in_range(f.finding.limit_ns, 3300, 3700);
	assert_int_equal(f.finding.score / 1000, 19000 / (f.finding.limit_ns -
							   f.finding.expected_ns));
	assert_int_equal(hft_detect(f.detector, f.time, 900, NULL), HFT_ANOMALY_NONE);
	assert_int_equal(hft_detect(f.detector, f.time - 1, 900, NULL), -EINVAL);
	assert_int_equal(hft_detect_due(f.detector, f.time - 1, NULL), -EINVAL);
	f.finding.sz = 0;
	assert_int_equal(hft_detect(f.detector, f.time, 900, &f.finding), -EINVAL);
	assert_int_equal(hft_detect_due(f.detector, f.time, &f.finding), -EINVAL);
	hft_detector_close(f.detector);
	hft_detector_close(NULL);
}

static void anomalies_have_names(void **state)
{
	(void)state;
	assert_string_equal(hft_anomaly_name(HFT_ANOMALY_NONE), "none");
	assert_string_equal(hft_anomaly_name(HFT_ANOMALY_BURST), "burst");
	assert_null(hft_anomaly_name(HFT_ANOMALIES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spikes_are_found_and_nothing_else),
		cmocka_unit_test(outliers_do_not_move_it),
		cmocka_unit_test(shifts_are_seen_once),
		cmocka_unit_test(drift_is_followed),
		cmocka_unit_test(any_value_is_taken),
		cmocka_unit_test(time_counts_too),
		cmocka_unit_test(findings_say_why),
		cmocka_unit_test(anomalies_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
