// SPDX-License-Identifier: GPL-2.0-only
/* The analysis: the edges of its numbers, its errors. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hft/hft.h>

#include "analyze.h"
#include "random.h"
#include "taskset.h"

#define LONGEST		((uint64_t)HFT_ANALYZE_MAX_NS)
#define SETS		300

/* Dhall's effect: (P, P, P) and M of (e, P - 1, P - 1) on M CPUs, U just above 1. */
static void test_dhall(void **state)
{
	struct hft_analyze_task t[MAX_NR];
	uint32_t cpus, i;

	(void)state;
	for (cpus = 2; cpus < MAX_NR; cpus++) {
		for (i = 0; i < cpus; i++)
			t[i] = (struct hft_analyze_task){ 1, 0, 999 };
		t[cpus] = (struct hft_analyze_task){ 1000, 0, 1000 };
		assert_int_equal(hft_analyze_global_edf(t, cpus + 1, cpus), 0);
		/* A CPU of its own for the long one is enough. */
		assert_true(schedulable(HFT_ANALYZE_EDF, &t[cpus], 1));
		assert_true(schedulable(HFT_ANALYZE_EDF, t, cpus));
		/* sum <= M - (M - 1) * U_max with equality, and just above */
		for (i = 0; i <= cpus; i++)
			t[i] = (struct hft_analyze_task){ cpus, 0, 2 * cpus };
		assert_int_equal(hft_analyze_global_edf(t, cpus + 1, cpus), 1);
		t[0].wcet++;
		assert_int_equal(hft_analyze_global_edf(t, cpus + 1, cpus), 0);
	}
}

static void test_bounds(void **state)
{
	static const struct hft_analyze_task below[] = { { 1, 0, 2 }, { 333333, 0, 1000000 } };
	static const struct hft_analyze_task above[] = { { 1, 0, 2 }, { 333334, 0, 1000000 } };
	static const struct hft_analyze_task whole[] = { { 7, 0, 7 } };
	double product, u;

	(void)state;
	assert_int_equal(hft_analyze_hyperbolic(below, 2, &product), 1);
	assert_float_equal(product, 1.9999995, 1e-12);
	assert_int_equal(hft_analyze_hyperbolic(above, 2, NULL), 0);
	assert_int_equal(hft_analyze_hyperbolic(whole, 1, NULL), 1);
	assert_int_equal(hft_analyze_utilisation(below, 2, &u), 0);
	assert_float_equal(u, 0.833333, 1e-12);
	assert_float_equal(hft_analyze_liu_layland(0), 0, 0);
	assert_float_equal(hft_analyze_liu_layland(1), 1, 1e-15);
	assert_float_equal(hft_analyze_liu_layland(UINT32_MAX), log(2), 1e-9);
}

static void test_order(void **state)
{
	static const struct hft_analyze_task t[] = { { 1, 0, 9 }, { 1, 2, 10 }, { 1, 30, 4 },
						     { 1, 0, 4 } };
	static const uint32_t rm[] = { 2, 3, 0, 1 }, dm[] = { 1, 2, 3, 0 }, fp[] = { 0, 1, 2, 3 };
	uint32_t order[4];

	(void)state;
	assert_int_equal(hft_analyze_order(t, 4, HFT_ANALYZE_RM, order), 0);
	assert_memory_equal(order, rm, sizeof(order));
	assert_int_equal(hft_analyze_order(t, 4, HFT_ANALYZE_DM, order), 0);
	assert_memory_equal(order, dm, sizeof(order));
	assert_int_equal(hft_analyze_order(t, 4, HFT_ANALYZE_FP, order), 0);
	assert_memory_equal(order, fp, sizeof(order));
	assert_int_equal(hft_analyze_order(t, 4, HFT_ANALYZE_EDF, order), 0);
	assert_memory_equal(order, fp, sizeof(order));
}

/* The answers are in the order of the tasks, whatever the priorities. */
static void test_answers_keep_the_order(void **state)
{
	static const struct hft_analyze_task t[] = { { 3, 0, 18 }, { 3, 0, 9 }, { 1, 0, 5 },
						     { 1, 0, 4 } };
	static const uint64_t expected[] = { 18, 7, 2, 1 };
	uint64_t response[4];
	struct hft_analysis a;

	(void)state;
	assert_int_equal(analyze(HFT_ANALYZE_RM, t, 4, &a, response), 0);
	assert_true(a.schedulable);
	assert_memory_equal(response, expected, sizeof(expected));
	assert_int_equal(analyze(HFT_ANALYZE_FP, t, 4, &a, response), 0);
	assert_false(a.schedulable);
	assert_int_equal(a.missed_task, 3);
	assert_int_equal(a.missed_deadline, 4);
}

/* Lehoczky 1990, section 2: the fifth of seven jobs is the longest. */
static void test_later_job_is_longest(void **state)
{
	static const struct hft_analyze_task t[] = { { 52, 100, 100 }, { 52, 154, 140 } };
	uint64_t response[2];
	struct hft_analysis a;

	(void)state;
	assert_int_equal(analyze(HFT_ANALYZE_FP, t, 2, &a, response), 0);
	assert_int_equal(response[0], 52);
	assert_int_equal(response[1], 156);
	assert_false(a.schedulable);
	assert_int_equal(a.missed_task, 1);
}

static void test_demand(void **state)
{
	static const struct hft_analyze_task t[] = { { 2, 3, 5 }, { 4, 0, 7 } };
	static const uint64_t expected[] = { 0, 0, 0, 2, 2, 2, 2, 6, 8, 8, 8, 8, 8, 10, 14 };
	static const struct hft_analyze_task huge = { LONGEST, 1, 1 };
	uint64_t time, demand;

	(void)state;
	for (time = 0; time < 15; time++) {
		assert_int_equal(hft_analyze_demand(t, 2, time, &demand), 0);
		assert_int_equal(demand, expected[time]);
	}
	assert_int_equal(hft_analyze_demand(&huge, 1, 2, &demand), 0);
	assert_int_equal(demand, 2 * LONGEST);
	assert_int_equal(hft_analyze_demand(&huge, 1, 3, &demand), -EOVERFLOW);
}

/* 1/p + p/(p + 1) is 1 + 1/(p(p + 1)); (p - 1)/p + 1/(p + 1) is as much below 1. */
static void test_exact_sum(void **state)
{
	static const uint64_t p[] = { 2, 3, 1000000007, 1ULL << 31, 1ULL << 32, 1ULL << 62,
				      LONGEST - 1 };
	struct hft_analyze_task t[3];
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof(p) / sizeof(p[0]); i++) {
		t[0] = (struct hft_analyze_task){ 1, 0, p[i] };
		t[1] = (struct hft_analyze_task){ p[i], 0, p[i] + 1 };
		assert_false(schedulable(HFT_ANALYZE_EDF, t, 2));
		t[0].wcet = p[i] - 1;
		t[1].wcet = 1;
		assert_true(schedulable(HFT_ANALYZE_EDF, t, 2));
		t[0] = (struct hft_analyze_task){ 1, 0, p[i] };
		t[1] = (struct hft_analyze_task){ p[i] - 1, 0, p[i] };
		assert_true(schedulable(HFT_ANALYZE_EDF, t, 2));
	}
	for (i = 0; i < 3; i++)
		t[i] = (struct hft_analyze_task){ 1, 0, 3 };
	assert_true(schedulable(HFT_ANALYZE_EDF, t, 3));
	assert_true(schedulable(HFT_ANALYZE_RM, t, 3));
}

static void test_longest_times(void **state)
{
	static const struct hft_analyze_task full[] = { { LONGEST, LONGEST, LONGEST } };
	static const struct hft_analyze_task over[] = { { LONGEST, LONGEST, LONGEST },
							{ LONGEST, 1, LONGEST } };
	static const struct hft_analyze_task late[] = { { LONGEST - 1, LONGEST, LONGEST },
							{ 1, LONGEST, 1 } };
	uint64_t response[2];
	struct hft_analysis a;
	uint32_t policy;

	(void)state;
	for (policy = HFT_ANALYZE_EDF; policy <= HFT_ANALYZE_FP; policy++) {
		assert_int_equal(analyze(policy, full, 1, &a, response), 0);
		assert_true(a.schedulable);
		assert_int_equal(response[0], LONGEST);
		assert_int_equal(analyze(policy, over, 2, &a, response), 0);
		assert_false(a.schedulable);
		assert_int_equal(a.missed_task, 1);
		assert_int_equal(a.missed_deadline, 1);
		assert_int_equal(analyze(policy, late, 2, &a, response), 0);
		assert_false(a.schedulable);
	}
}

static void test_overload(void **state)
{
	static const struct hft_analyze_task t[] = { { 1, 0, 2 }, { 2, 100, 3 }, { 1, 0, 1000 } };
	uint64_t response[3];
	struct hft_analysis a;

	(void)state;
	assert_int_equal(analyze(HFT_ANALYZE_FP, t, 3, &a, response), 0);
	assert_false(a.schedulable);
	assert_int_equal(response[0], 1);
	assert_int_equal(response[1], HFT_ANALYZE_UNBOUNDED);
	assert_int_equal(response[2], HFT_ANALYZE_UNBOUNDED);
	assert_int_equal(a.missed_task, 1);
	assert_int_equal(analyze(HFT_ANALYZE_EDF, t, 3, &a, response), 0);
	assert_false(a.schedulable);
	assert_int_equal(response[0], HFT_ANALYZE_UNBOUNDED);
}

static void test_errors(void **state)
{
	struct hft_analyze_task t[] = { { 1, 1, 1 }, { 1, 1, 1 } };
	struct { struct hft_analyze_opts opts; uint64_t more; } future = { { .sz = 0 }, 1 };
	struct hft_analyze_opts opts = { .sz = sizeof(opts) };
	struct hft_breakdown b;
	struct hft_analysis a;
	double u;

	(void)state;
	assert_int_equal(hft_analyze(t, 0, NULL, &a, NULL), -EINVAL);
	assert_int_equal(hft_analyze(t, HFT_ANALYZE_MAX_TASKS + 1, NULL, &a, NULL), -E2BIG);
	assert_int_equal(analyze(HFT_ANALYZE_FP + 1, t, 2, &a, NULL), -EINVAL);
	assert_non_null(strstr(hft_strerror(-EINVAL), "policy 4"));
	t[1].wcet = 0;
	assert_int_equal(hft_analyze(t, 2, NULL, &a, NULL), -EINVAL);
	assert_non_null(strstr(hft_strerror(-EINVAL), "task 1: the wcet"));
	assert_int_equal(hft_analyze_breakdown(t, 2, NULL, &b), -EINVAL);
	assert_int_equal(hft_analyze_utilisation(t, 2, &u), -EINVAL);
	assert_int_equal(hft_analyze_hyperbolic(t, 2, NULL), -EINVAL);
	t[1].wcet = LONGEST + 1;
	assert_int_equal(hft_analyze(t, 2, NULL, &a, NULL), -EINVAL);
	t[1].wcet = 1;
	t[0].period = 0;
	assert_int_equal(hft_analyze(t, 2, NULL, &a, NULL), -EINVAL);
	assert_non_null(strstr(hft_strerror(-EINVAL), "task 0: the period"));
	t[0].period = 1;
	t[0].deadline = UINT64_MAX;
	assert_int_equal(hft_analyze(t, 2, NULL, &a, NULL), -EINVAL);
	assert_non_null(strstr(hft_strerror(-EINVAL), "task 0: the deadline"));
	t[0].deadline = 0;
	assert_int_equal(hft_analyze_global_edf(t, 2, 0), -EINVAL);

	future.opts.sz = sizeof(future);
	assert_int_equal(hft_analyze(t, 1, &future.opts, &a, NULL), -E2BIG);
	opts.sz = 1;
	assert_int_equal(hft_analyze(t, 1, &opts, &a, NULL), -EINVAL);
}

/* With too few steps there is no verdict, or no response, but never a wrong one. */
static void test_steps(void **state)
{
	static const struct hft_analyze_task t[] = { { 1, 3, 4 }, { 1, 0, 5 }, { 3, 0, 9 },
						     { 3, 0, 18 } };
	struct hft_analyze_opts opts = { .sz = sizeof(opts) };
	uint64_t response[4];
	struct hft_analysis a, enough;
	bool partial = false;
	uint32_t policy;
	int ret;

	(void)state;
	for (policy = HFT_ANALYZE_EDF; policy <= HFT_ANALYZE_FP; policy++) {
		opts.policy = policy;
		opts.max_steps = 0;
		assert_int_equal(hft_analyze(t, 4, &opts, &enough, response), 0);
		assert_true(enough.schedulable);
		for (opts.max_steps = 1; opts.max_steps <= enough.steps; opts.max_steps++) {
			ret = hft_analyze(t, 4, &opts, &a, response);
			assert_true(ret == 0 || ret == -ETIME);
			assert_true(ret || a.schedulable);
			partial = partial || (!ret && response[3] == HFT_ANALYZE_UNBOUNDED);
		}
		assert_int_equal(ret, 0);
		assert_int_not_equal(response[3], HFT_ANALYZE_UNBOUNDED);
	}
	assert_true(partial);
	assert_non_null(strstr(hft_strerror(-ETIME), "max_steps"));
}

/* A task of every nanosecond beside one of years: the work stays bounded. */
static void test_hostile_set_ends(void **state)
{
	static const struct hft_analyze_task t[] = { { 999999, 999999, 1000000 },
						     { LONGEST / 1000001, LONGEST / 3, LONGEST } };
	struct hft_analyze_opts opts = { .sz = sizeof(opts), .max_steps = 1000000 };
	struct hft_analysis a;
	uint64_t response[2];
	int ret;

	(void)state;
	for (opts.policy = HFT_ANALYZE_EDF; opts.policy <= HFT_ANALYZE_FP; opts.policy++) {
		ret = hft_analyze(t, 2, &opts, &a, response);
		assert_true(!ret || ret == -ETIME || ret == -EOVERFLOW);
	}
}

/* Breakdown utilisation */

static void scale_times(const struct hft_analyze_task *from, uint32_t nr, double scale,
			struct hft_analyze_task *to)
{
	const uint64_t fine = 1 << 20;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		to[i].wcet = (uint64_t)((double)(from[i].wcet * fine) * scale);
		to[i].deadline = from[i].deadline * fine;
		to[i].period = from[i].period * fine;
	}
}

static void check_breakdown(uint32_t policy, const struct hft_analyze_task *t, uint32_t nr)
{
	struct hft_analyze_opts opts = { .sz = sizeof(opts), .policy = policy };
	struct hft_analyze_task scaled[MAX_NR];
	struct hft_breakdown b;
	double u;

	assert_int_equal(hft_analyze_breakdown(t, nr, &opts, &b), 0);
	assert_int_equal(hft_analyze_utilisation(t, nr, &u), 0);
	assert_float_equal(b.utilisation, u * b.scale, 1e-6);
	assert_true(b.utilisation <= 1);
	assert_true(b.exact);
	scale_times(t, nr, b.scale * (1 - 1e-5), scaled);
	assert_true(schedulable(policy, scaled, nr));
	scale_times(t, nr, b.scale * (1 + 1e-5), scaled);
	assert_false(schedulable(policy, scaled, nr));
}

static void test_breakdown_random(void **state)
{
	struct hft_analyze_task t[MAX_NR];
	uint64_t random = 5;
	double u[MAX_NR];
	uint32_t nr, i, k;

	(void)state;
	for (k = 0; k < SETS; k++) {
		nr = 1 + random_below(&random, 8);
		random_utilisations(&random, nr, 0.2 + random_unit(&random), u);
		for (i = 0; i < nr; i++) {
			t[i].period = 1000 + random_below(&random, 100000);
			t[i].wcet = (uint64_t)(u[i] * (double)t[i].period) + 1;
			t[i].deadline = 0;
			if (k & 1)
				t[i].deadline = t[i].period -
						random_below(&random, (uint32_t)t[i].period / 2);
		}
		check_breakdown(k % 4, t, nr);
	}
}

static void test_breakdown_known(void **state)
{
	/* Liu and Layland's worst case of two: periods 1 and 2^(1/2) */
	static const struct hft_analyze_task worst[] = { { 414213562, 0, 1000000000 },
							 { 585786438, 0, 1414213562 } };
	static const struct hft_analyze_task tiny[] = { { 1, 0, LONGEST } };
	static const struct hft_analyze_task over[] = { { LONGEST, 0, 1 } };
	struct hft_analyze_opts opts = { .sz = sizeof(opts), .policy = HFT_ANALYZE_RM };
	struct hft_breakdown b;

	(void)state;
	assert_int_equal(hft_analyze_breakdown(worst, 2, &opts, &b), 0);
	assert_float_equal(b.utilisation, hft_analyze_liu_layland(2), 1e-8);
	assert_float_equal(b.scale, 1, 1e-8);
	assert_int_equal(hft_analyze_breakdown(worst, 2, NULL, &b), 0);
	assert_float_equal(b.utilisation, 1, 1e-9);
	assert_int_equal(hft_analyze_breakdown(tiny, 1, &opts, &b), 0);
	assert_float_equal(b.utilisation, 1, 1e-9);
	assert_int_equal(hft_analyze_breakdown(over, 1, &opts, &b), 0);
	assert_true(b.scale < 1e-9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dhall),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_answers_keep_the_order),
		cmocka_unit_test(test_later_job_is_longest),
		cmocka_unit_test(test_demand),
		cmocka_unit_test(test_exact_sum),
		cmocka_unit_test(test_longest_times),
		cmocka_unit_test(test_overload),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_hostile_set_ends),
		cmocka_unit_test(test_breakdown_random),
		cmocka_unit_test(test_breakdown_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
