// SPDX-License-Identifier: GPL-2.0-only
/* kmod/core/admission.h: never below the exact figure, near it, and exactly reversible. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <hft/analyze.h>

#include "core/admission.h"
#include "random.h"
#include "taskset.h"

#define RATIOS		2000000
#define SETS		20000
#define TASKS		64
#define CHURN		200000
#define FULL		hft_admission_cap(HFT_ADMISSION_PPM)

typedef unsigned __int128 u128;

/* Bits of any length, so that each order of magnitude is as likely. */
static u64 random_length(u64 *state)
{
	return random_u64(state) >> random_below(state, 64);
}

static void check_ratio(u64 wcet, u64 window)
{
	u32 ratio = hft_admission_ratio(wcet, window);
	u128 exact;

	if (wcet > window) {
		assert_int_equal(ratio, HFT_ADMISSION_NEVER);
		return;
	}
	assert_true(ratio <= HFT_ADMISSION_ONE);
	exact = (u128)wcet << HFT_ADMISSION_SHIFT;
	assert_true((u128)ratio * window >= exact);
	/* Less than one unit above, two where bits were lost. */
	exact += wcet >> 44 ? 2 * (u128)window : window;
	assert_true((u128)ratio * window < exact);
}

static void test_ratio(void **state)
{
	static const u64 edge[] = { 1, 2, 3, (1ULL << 20) - 1, 1ULL << 20, (1ULL << 44) - 1,
				    1ULL << 44, (1ULL << 44) + 1, (1ULL << 63) - 1, 1ULL << 63,
				    U64_MAX - 1, U64_MAX };
	const u32 nr = sizeof(edge) / sizeof(edge[0]);
	u64 random = 1;
	u32 i;

	(void)state;
	for (i = 0; i < nr * nr; i++)
		check_ratio(edge[i / nr], edge[i % nr]);
	for (i = 0; i < RATIOS; i++)
		check_ratio(random_length(&random), random_length(&random) | 1);
	assert_int_equal(hft_admission_ratio(1, U64_MAX), 1);
	assert_int_equal(hft_admission_ratio(U64_MAX, U64_MAX), HFT_ADMISSION_ONE);
	assert_int_equal(hft_admission_ratio(1, 2), HFT_ADMISSION_ONE / 2);
}

static void test_window(void **state)
{
	(void)state;
	assert_int_equal(hft_admission_window(0, 0), 0);
	assert_int_equal(hft_admission_window(5, 0), 5);
	assert_int_equal(hft_admission_window(0, 7), 7);
	assert_int_equal(hft_admission_window(5, 7), 5);
	assert_int_equal(hft_admission_window(9, 7), 7);
}

/* Every ratio there is. */
static void test_log(void **state)
{
	const long double unit = HFT_ADMISSION_LOG_ONE;
	long double exact;
	u32 ratio, log, before = 0;

	(void)state;
	for (ratio = 0; ratio <= HFT_ADMISSION_ONE; ratio++) {
		log = hft_admission_log(ratio);
		exact = unit * log2l(1 + (long double)ratio / HFT_ADMISSION_ONE);
		assert_true(log >= exact - 1e-9L);
		assert_true(log < exact + 1.1L);
		assert_true(log >= before);
		before = log;
	}
	assert_int_equal(hft_admission_log(0), 0);
	assert_int_equal(hft_admission_log(HFT_ADMISSION_ONE), HFT_ADMISSION_LOG_ONE);
	assert_int_equal(hft_admission_log(HFT_ADMISSION_ONE + 1), HFT_ADMISSION_NEVER);
	assert_int_equal(hft_admission_log(HFT_ADMISSION_NEVER), HFT_ADMISSION_NEVER);
}

static void test_cap(void **state)
{
	(void)state;
	assert_int_equal(hft_admission_cap(0), 0);
	assert_int_equal(hft_admission_cap(HFT_ADMISSION_PPM), HFT_ADMISSION_ONE);
	assert_int_equal(hft_admission_cap(U32_MAX), HFT_ADMISSION_ONE);
	assert_int_equal(hft_admission_cap(HFT_ADMISSION_CAP_PPM),
			 (u32)ceil(0.95 * HFT_ADMISSION_ONE));
	assert_int_equal(hft_admission_to_ppm(0), 0);
	assert_int_equal(hft_admission_to_ppm(HFT_ADMISSION_ONE), 1000000);
	assert_int_equal(hft_admission_to_ppm(HFT_ADMISSION_ONE / 2), 500000);
	assert_int_equal(hft_admission_to_ppm(1), 1);
	assert_int_equal(hft_admission_to_ppm(U64_MAX), U32_MAX);
}

static bool admit(struct hft_admission *a, bool rm, u64 wcet, u64 deadline, u64 period, u32 cap)
{
	struct hft_admission_demand demand = hft_admission_demand(wcet, deadline, period);
	bool fits = rm ? hft_admission_fits_rm(a, &demand, cap) :
			 hft_admission_fits_edf(a, &demand, cap);

	if (fits)
		hft_admission_add(a, &demand);
	return fits;
}

static void test_verdicts(void **state)
{
	const u32 cap = hft_admission_cap(HFT_ADMISSION_CAP_PPM);
	struct hft_admission a = { 0 };

	(void)state;
	assert_true(admit(&a, false, 95, 0, 100, cap));
	assert_false(admit(&a, false, 1, 0, 1000000000, cap));
	assert_true(admit(&a, false, 0, 0, 1, cap));
	assert_true(admit(&a, false, 1, 0, 0, cap));

	a = (struct hft_admission){ 0 };
	assert_true(admit(&a, false, 50, 50, 100, FULL));
	assert_false(admit(&a, false, 1, 1, 0, cap));
	assert_false(admit(&a, false, 1, 1, 100, FULL));
	assert_false(admit(&a, false, U64_MAX, 1, 1, FULL));

	a = (struct hft_admission){ 0 };
	assert_true(admit(&a, true, 100, 0, 100, FULL));
	assert_false(admit(&a, true, 1, 0, 1000000000, FULL));

	/* 1.5 * 1.3333 is 2 */
	a = (struct hft_admission){ 0 };
	assert_true(admit(&a, true, 1, 0, 2, FULL));
	assert_true(admit(&a, true, 333332, 0, 1000000, FULL));
	a = (struct hft_admission){ 0 };
	assert_true(admit(&a, true, 1, 0, 2, FULL));
	assert_false(admit(&a, true, 333334, 0, 1000000, FULL));
	assert_true(admit(&a, false, 333334, 0, 1000000, FULL));
}

/* In any order of coming and going nothing is left and nothing drifts. */
static void test_reversible(void **state)
{
	struct hft_admission_demand demand[TASKS] = { 0 };
	bool in[TASKS] = { false };
	struct hft_admission a = { 0 }, sum;
	u64 random = 2;
	u32 i, j;

	(void)state;
	for (i = 0; i < CHURN; i++) {
		j = random_below(&random, TASKS);
		if (in[j]) {
			hft_admission_remove(&a, &demand[j]);
		} else {
			demand[j] = hft_admission_demand(random_length(&random) >> 10,
							 random_length(&random),
							 random_length(&random));
			hft_admission_add(&a, &demand[j]);
		}
		in[j] = !in[j];
		if (i % 64)
			continue;
		sum = (struct hft_admission){ 0 };
		for (j = 0; j < TASKS; j++)
			if (in[j])
				hft_admission_add(&sum, &demand[j]);
		assert_int_equal(a.density, sum.density);
		assert_int_equal(a.log, sum.log);
	}
	for (j = 0; j < TASKS; j++)
		if (in[j])
			hft_admission_remove(&a, &demand[j]);
	assert_int_equal(a.density, 0);
	assert_int_equal(a.log, 0);
}

static void make_task(u64 *random, double u, struct hft_analyze_task *t)
{
	t->period = 1000 + random_below(random, 1000000);
	t->wcet = (u64)(u * (double)t->period) + 1;
	t->deadline = 0;
	if (random_below(random, 2))
		t->deadline = t->period / 2 + random_below(random, (u32)t->period);
}

/* What is admitted is schedulable by the exact analysis. */
static void check_admitted(u64 *random, bool rm, u32 *full)
{
	struct hft_analyze_opts opts = { .sz = sizeof(opts) };
	struct hft_analyze_task task[8];
	struct hft_admission a = { 0 };
	struct hft_analysis analysis;
	u32 nr = 2 + random_below(random, 7);
	double u[8];
	u32 admitted = 0, i;

	random_utilisations(random, nr, 0.5 + random_unit(random) / 2, u);
	for (i = 0; i < nr; i++) {
		make_task(random, u[i], &task[admitted]);
		admitted += admit(&a, rm, task[admitted].wcet, task[admitted].deadline,
				  task[admitted].period, FULL);
	}
	*full += admitted == nr;
	if (!admitted)
		return;
	opts.policy = rm ? HFT_ANALYZE_DM : HFT_ANALYZE_EDF;
	assert_int_equal(hft_analyze(task, admitted, &opts, &analysis, NULL), 0);
	assert_true(analysis.schedulable);
	assert_true((double)a.density / HFT_ADMISSION_ONE >= analysis.density - 1e-12);
}

static void test_admitted_is_schedulable(void **state)
{
	u64 random = 3;
	u32 full = 0, i;

	(void)state;
	for (i = 0; i < SETS; i++)
		check_admitted(&random, i & 1, &full);
	/* The bounds are no excuse to refuse everything. */
	assert_true(full > SETS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ratio),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_reversible),
		cmocka_unit_test(test_admitted_is_schedulable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
