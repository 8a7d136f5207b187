// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan */
/*
 * Random task sets on a simulated CPU, for a hyperperiod from a release of all: what
 * the analysis takes misses nothing, and what misses nothing the analysis takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <hft/analyze.h>
#include <hft/sim.h>

#include "../include/scale.h"
#include "sim_source.h"
#include "taskset.h"

#define SETS		1000		/* of each utilisation */
#define UTILISATIONS	11		/* 0.5 to 1.0 */
#define MAX_NR		HFT_LEVELS

/* Who says what the order is. */
enum order {
	ORDER_EDF,			/* the ring's policy */
	ORDER_RM,			/* the ring's policy, which is DM for early deadlines */
	ORDER_LEVELS,			/* a level for each task, in the order of DM */
};

struct outcome {
	bool missed;
	uint64_t response[MAX_NR];	/* the longest; 0: none ended */
	uint64_t first[MAX_NR];		/* of the job released with all others */
};

static void note(const struct hft_sim_record *record, void *arg)
{
	struct outcome *outcome = arg;
	uint64_t i = record->cookie;

	if (record->what == HFT_SIM_MISS)
		outcome->missed = true;
	if (record->what != HFT_SIM_END)
		return;
	if (!outcome->first[i])
		outcome->first[i] = record->value;
	if (record->value > outcome->response[i])
		outcome->response[i] = record->value;
}

static struct hft_sim *open_sim(enum order order, struct outcome *outcome)
{
	struct hft_sim_opts opts = {
		.sz = sizeof(opts), .tasks = 64, .record = note, .record_arg = outcome,
	};
	struct hft_sim_worker_opts worker = { .sz = sizeof(worker), .flags = HFT_SIM_PREEMPTIVE };
	struct hft_ring_opts ring = { .sz = sizeof(ring), .entries = 256 };
	struct hft_sim *sim;

	ring.policy = order == ORDER_EDF ? HFT_POLICY_EDF :
		      order == ORDER_RM ? HFT_POLICY_RM : HFT_POLICY_FP;
	memset(outcome, 0, sizeof(*outcome));
	assert_int_equal(hft_sim_open(&sim, &opts), 0);
	assert_int_equal(hft_sim_ring_add(sim, &ring), 0);
	assert_int_equal(hft_sim_worker_add(sim, 0, &worker), 0);
	return sim;
}

static void carry_out(const struct hft_analyze_task *t, uint32_t nr, enum order order,
		      struct outcome *outcome)
{
	struct hft_sim *sim = open_sim(order, outcome);
	struct sim_source source[MAX_NR];
	struct hft_sim_stats stats;
	uint32_t place[MAX_NR], i;
	uint64_t jobs = 0;

	assert_int_equal(hft_analyze_order(t, nr, HFT_ANALYZE_DM, place), 0);
	for (i = 0; i < nr; i++) {
		const struct hft_analyze_task *task = &t[place[i]];

		source[i] = (struct sim_source){
			.task = { .cookie = place[i], .period = task->period, .wcet = task->wcet },
			.period = task->period,
			.deadline = task->deadline,
			.left = TASKSET_HYPERPERIOD / task->period,
		};
		if (order == ORDER_LEVELS)
			source[i].task.level = HFT_LEVEL_REALTIME - i;
		jobs += source[i].left;
		assert_int_equal(sim_source_start(sim, &source[i]), 0);
	}
	assert_int_equal(hft_sim_run_until(sim, TASKSET_HYPERPERIOD), 0);
	assert_int_equal(hft_sim_stats(sim, 0, &stats), 0);
	assert_int_equal(stats.submitted + source[0].refused, jobs);
	assert_int_equal(stats.ended + stats.pending, jobs);
	/* A hyperperiod that misses nothing has done all its work. */
	assert_true(outcome->missed || !stats.pending);
	hft_sim_close(sim);
}

static void check_set(const struct hft_analyze_task *t, uint32_t nr, enum order order,
		      uint32_t *schedulable)
{
	struct hft_analyze_opts opts = {
		.sz = sizeof(opts),
		.policy = order == ORDER_EDF ? HFT_ANALYZE_EDF : HFT_ANALYZE_DM,
	};
	uint64_t response[MAX_NR];
	struct hft_analysis a;
	struct outcome outcome;
	uint32_t i;

	assert_int_equal(hft_analyze(t, nr, &opts, &a, response), 0);
	carry_out(t, nr, order, &outcome);
	assert_int_equal(a.schedulable, !outcome.missed);
	*schedulable += a.schedulable;
	for (i = 0; i < nr && a.schedulable; i++) {
		assert_true(outcome.response[i] <= response[i]);
		if (order == ORDER_LEVELS)
			assert_int_equal(outcome.first[i], response[i]);
	}
}

static void check_order(enum order order, bool constrained, uint64_t seed)
{
	struct hft_analyze_task t[MAX_NR];
	uint32_t sets = hft_test_scaled(SETS);
	uint32_t i, n, nr, schedulable, least = 0, most = 0;

	for (i = 0; i < UTILISATIONS; i++) {
		schedulable = 0;
		for (n = 0; n < sets; n++) {
			nr = 2 + random_below(&seed, MAX_NR - 1);
			random_taskset(&seed, t, nr, 0.5 + 0.05 * i, constrained);
			check_set(t, nr, order, &schedulable);
		}
		print_message("# utilisation %.2f: %u of %u sets are schedulable\n",
			      0.5 + 0.05 * i, schedulable, sets);
		least = schedulable;
		most = i ? most : schedulable;
	}
	if (order == ORDER_EDF && !constrained)
		assert_int_equal(least, sets);
	else if (sets >= SETS)
		assert_true(most > sets / 2 && least < sets / 2);
}

static void test_edf(void **state)
{
	(void)state;
	check_order(ORDER_EDF, false, 1);
}

static void test_edf_constrained(void **state)
{
	(void)state;
	check_order(ORDER_EDF, true, 2);
}

static void test_rm(void **state)
{
	(void)state;
	check_order(ORDER_RM, false, 3);
}

static void test_rm_constrained(void **state)
{
	(void)state;
	check_order(ORDER_RM, true, 4);
}

static void test_levels(void **state)
{
	(void)state;
	check_order(ORDER_LEVELS, false, 5);
}

static void test_levels_constrained(void **state)
{
	(void)state;
	check_order(ORDER_LEVELS, true, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edf),
		cmocka_unit_test(test_edf_constrained),
		cmocka_unit_test(test_rm),
		cmocka_unit_test(test_rm_constrained),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_levels_constrained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
