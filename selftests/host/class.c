// SPDX-License-Identifier: GPL-2.0-only
/* kmod/core/wcet.h, class.h: estimates against the runs themselves; what FAIR promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/class.h"
#include "random.h"

#define RUNS	100000
#define WINDOW	(2 * HFT_WCET_WINDOW)

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

static void test_no_run(void **state)
{
	static struct hft_wcet w;

	(void)state;
	assert_int_equal(hft_wcet_max(&w), 0);
	assert_int_equal(hft_wcet_above(&w, 1000), 0);
}

static void test_any_length(void **state)
{
	struct hft_wcet w;
	u64 ns;
	int bit;

	(void)state;
	for (bit = 0; bit < 64; bit++) {
		ns = 1ULL << bit;
		memset(&w, 0, sizeof(w));
		hft_wcet_record(&w, ns);
		if (ns >= 1ULL << HFT_WCET_BITS)
			ns = (1ULL << HFT_WCET_BITS) - 1;
		assert_int_equal(hft_wcet_max(&w), ns);
		assert_int_equal(hft_wcet_above(&w, 1000), ns);
	}
}

/* Of the first window, sorted, each percentile is met from above, by an eighth. */
static void test_percentile(void **state)
{
	static const u32 pers[] = { 1000, 100, 10, 2 };
	static u64 runs[HFT_WCET_WINDOW];
	struct hft_wcet w;
	u64 random, exact, bound;
	u32 seed, i;

	(void)state;
	for (seed = 1; seed < 200; seed++) {
		memset(&w, 0, sizeof(w));
		random = seed;
		for (i = 0; i < HFT_WCET_WINDOW; i++) {
			runs[i] = 1 + (random_u64(&random) >> (24 + random_below(&random, 32)));
			hft_wcet_record(&w, runs[i]);
		}
		qsort(runs, HFT_WCET_WINDOW, sizeof(*runs), compare);
		assert_int_equal(hft_wcet_max(&w), runs[HFT_WCET_WINDOW - 1]);
		for (i = 0; i < 4; i++) {
			exact = runs[HFT_WCET_WINDOW - 1 - HFT_WCET_WINDOW / pers[i]];
			bound = hft_wcet_above(&w, pers[i]);
			assert_true(bound >= exact);
			assert_true(bound <= exact + exact / 8);
		}
	}
}

/* After a change of the work, what was is out of both figures in some windows. */
static void test_decay(void **state)
{
	struct hft_wcet w = {};
	int i;

	(void)state;
	for (i = 0; i < RUNS; i++)
		hft_wcet_record(&w, 1000000);
	hft_wcet_record(&w, 5000000);
	assert_int_equal(hft_wcet_max(&w), 5000000);
	for (i = 0; i < HFT_WCET_WINDOW - 1; i++)
		hft_wcet_record(&w, 1000);
	assert_int_equal(hft_wcet_max(&w), 5000000);
	assert_true(hft_wcet_above(&w, 1000) >= 1000000);
	for (i = 0; i < WINDOW; i++)
		hft_wcet_record(&w, 1000);
	assert_int_equal(hft_wcet_max(&w), 1000);
	for (i = 0; i < 12 * HFT_WCET_WINDOW; i++)
		hft_wcet_record(&w, 1000);
	assert_int_equal(hft_wcet_above(&w, 1000), 1000);
	assert_int_equal(w.runs, RUNS + 1 + HFT_WCET_WINDOW - 1 + WINDOW + 12 * HFT_WCET_WINDOW);
}

static void test_weights_do_not_overflow(void **state)
{
	struct hft_wcet w = {};
	int i;

	(void)state;
	for (i = 0; i < 10 * RUNS; i++) {
		hft_wcet_record(&w, 7);
		assert_true(w.weight <= WINDOW);
		assert_int_equal(w.bucket[7], w.weight);
	}
}

#define EPOCH	(1ULL << HFT_FAIR_EPOCH_SHIFT)
#define NOW	(1000 * EPOCH)

/* Steps last 100, 200, 400, ... ns; the last has no end. */
static void test_demotion(void **state)
{
	struct hft_class c = {};
	u64 used = 0, end = 0;
	u32 step;

	(void)state;
	assert_int_equal(hft_fair_step(&c, NOW), 0);
	for (step = 0; step < HFT_FAIR_STEPS; step++) {
		assert_int_equal(hft_fair_step(&c, NOW), step);
		end += 100ULL << step;
		hft_fair_use(&c, 100, NOW, end - used - 1);
		assert_int_equal(hft_fair_step(&c, NOW), step);
		hft_fair_use(&c, 100, NOW, 1);
		used = end;
	}
	assert_int_equal(hft_fair_step(&c, NOW), HFT_FAIR_STEPS - 1);
	/* A run as long as several quanta goes as many steps. */
	memset(&c, 0, sizeof(c));
	hft_fair_use(&c, 100, NOW, 100 + 200 + 400);
	assert_int_equal(hft_fair_step(&c, NOW), 3);
	hft_fair_use(&c, 1, NOW, UINT64_MAX / 2);
	assert_int_equal(hft_fair_step(&c, NOW), HFT_FAIR_STEPS - 1);
}

static void test_boost(void **state)
{
	struct hft_class c = {}, fresh = {};

	(void)state;
	hft_fair_use(&c, 100, NOW, EPOCH);
	assert_int_equal(hft_fair_step(&c, NOW + EPOCH - 1), HFT_FAIR_STEPS - 1);
	assert_int_equal(hft_fair_step(&c, NOW + EPOCH), 0);
	/* What waits on the last step is level with what comes to the top by then. */
	assert_true(hft_fair_place(&c, NOW) > hft_fair_place(&fresh, NOW));
	assert_true(hft_fair_place(&c, NOW) >
		    hft_fair_place(&fresh, NOW + (HFT_FAIR_STEPS - 2) * EPOCH));
	assert_int_equal(hft_fair_place(&c, NOW),
			 hft_fair_place(&fresh, NOW + (HFT_FAIR_STEPS - 1) * EPOCH));
	assert_true(hft_fair_place(&c, NOW) <
		    hft_fair_place(&fresh, NOW + HFT_FAIR_STEPS * EPOCH));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_run),
		cmocka_unit_test(test_any_length),
		cmocka_unit_test(test_percentile),
		cmocka_unit_test(test_decay),
		cmocka_unit_test(test_weights_do_not_overflow),
		cmocka_unit_test(test_demotion),
		cmocka_unit_test(test_boost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
