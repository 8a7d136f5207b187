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
#include <hft/hft.h>

#include "../../tools/common/noise.h"
#include "core/detect.h"
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

#define DAY_NS		86400000000000ULL
#define HALF_HOURS	48
#define DAYS		4
#define A_DAY		(HALF_HOURS * 4000)
#define MIDNIGHT	(DAY_NS / 3)	/* of a clock that began in the morning */

/* Open and close are five times as busy, and twice as slow, as noon. */
static double load_at(uint64_t of_day)
{
	double x = 2.0 * of_day / DAY_NS - 1;

	return 1 + x * x;
}

struct intraday {
	uint32_t told[HFT_ANOMALIES];
	uint32_t spikes;
	uint32_t found;
};

/* Each day the same U; from the second on one value in 500 is five times as large. */
static void live_days(struct hft_detector *detector, struct intraday *later)
{
	struct noise noise = { .random = 1 };
	uint64_t time = MIDNIGHT;
	uint32_t day, i;
	int anomaly;

	for (day = 0; day < DAYS; day++) {
		for (i = 0; i < A_DAY; i++) {
			bool spike = day && !random_below(&noise.random, 500);
			uint64_t slot = DAY_NS / HALF_HOURS;
			uint64_t of_day = (time - MIDNIGHT) % DAY_NS;

			/* In steps, as a phase of the market begins. */
			noise.level = 1000 * load_at(of_day / slot * slot);
			anomaly = hft_detect(detector, time, noise_value(&noise, spike), NULL);
			assert_in_range(anomaly, 0, HFT_ANOMALIES - 1);
			time += DAY_NS / A_DAY;
			if (!day)
				continue;
			later->told[anomaly]++;
			later->spikes += spike;
			later->found += spike && anomaly == HFT_ANOMALY_SPIKE;
		}
	}
}

/* What is usual each day is none of the anomalies that it is without seasons. */
static void seasons_are_usual(void **state)
{
	HFT_OPTS(hft_detector_opts, opts, .seasons = HALF_HOURS, .midnight_ns = MIDNIGHT);
	struct intraday with = {}, without = {};
	struct hft_detector *detector;

	(void)state;
	assert_int_equal(hft_detector_open(&detector), 0);
	live_days(detector, &without);
	hft_detector_close(detector);
	assert_int_equal(hft_detector_open_opts(&opts, &detector), 0);
	live_days(detector, &with);
	hft_detector_close(detector);

	print_message("shifts and drifts of %u days: %u, with seasons %u; %u of %u spikes\n",
		      DAYS - 1, without.told[HFT_ANOMALY_SHIFT] + without.told[HFT_ANOMALY_DRIFT],
		      with.told[HFT_ANOMALY_SHIFT] + with.told[HFT_ANOMALY_DRIFT], with.found,
		      with.spikes);
	assert_true(without.told[HFT_ANOMALY_SHIFT] + without.told[HFT_ANOMALY_DRIFT] >= 6);
	assert_int_equal(with.told[HFT_ANOMALY_SHIFT] + with.told[HFT_ANOMALY_DRIFT], 0);
	assert_true(with.found >= with.spikes * 99 / 100);
	assert_true(with.told[HFT_ANOMALY_SPIKE] - with.found <= 6);
}

static void seasons_follow_the_day(void **state)
{
	HFT_OPTS(hft_detector_opts, opts, .seasons = HFT_MAX_SEASONS + 1);
	uint64_t random = 1;
	struct hft_detector *detector;
	uint32_t i;

	(void)state;
	assert_int_equal(hft_detector_open_opts(&opts, &detector), -EINVAL);
	opts.seasons = 1;
	opts.reserved = 1;
	assert_int_equal(hft_detector_open_opts(&opts, &detector), -EINVAL);
	assert_int_equal(hft_season(MIDNIGHT, MIDNIGHT, 48), 0);
	assert_int_equal(hft_season(MIDNIGHT - 1, MIDNIGHT, 48), 47);
	assert_int_equal(hft_season(MIDNIGHT + DAY_NS / 2, MIDNIGHT, 48), 24);
	assert_int_equal(hft_season(5, MIDNIGHT + 7 * DAY_NS, 48), hft_season(5, MIDNIGHT, 48));
	for (i = 0; i < 10000; i++) {
		uint64_t time = random_u64(&random) >> 1, midnight = random_u64(&random);
		uint32_t n = 1 + (uint32_t)random_below(&random, HFT_MAX_SEASONS);
		uint64_t end = hft_season_end(time, midnight, n);

		assert_in_range(hft_season(time, midnight, n), 0, n - 1);
		assert_in_range(end - time, 1, DAY_NS / n);
		assert_int_equal(hft_season(end - 1, midnight, n), hft_season(time, midnight, n));
	}
}

static void anomalies_have_names(void **state)
{
	(void)state;
	assert_string_equal(hft_anomaly_name(HFT_ANOMALY_NONE), "none");
	assert_string_equal(hft_anomaly_name(HFT_ANOMALY_BURST), "burst");
	assert_string_equal(hft_anomaly_name(HFT_ANOMALY_INTERFERENCE), "interference");
	assert_string_equal(hft_anomaly_name(HFT_ANOMALY_CLOCK), "clock");
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
		cmocka_unit_test(seasons_are_usual),
		cmocka_unit_test(seasons_follow_the_day),
		cmocka_unit_test(anomalies_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
