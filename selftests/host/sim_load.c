// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* More load than a CPU can do, and a low task in the way of a high one: who pays? */
#include <errno.h>
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

#define US		1000ULL
#define MS		1000000ULL
#define S		1000000000ULL

/* Overload: CRITICAL tasks of 40 % among NORMAL ones of 110 %. */

#define TASKS		12
#define CRITICAL	4
#define ROUNDS		40
#define TIME		(200 * MS)

struct tally {
	uint64_t submitted;
	uint64_t ended;
	uint64_t dropped;
	uint64_t missed;
};

struct load {
	struct hft_sim *sim;
	struct sim_source source[TASKS];
	struct tally task[TASKS];	/* of the records alone */
};

static void tally(const struct hft_sim_record *record, void *arg)
{
	struct load *load = arg;
	struct tally *task = &load->task[record->cookie];

	task->submitted += record->what == HFT_SIM_RELEASE;
	task->ended += record->what == HFT_SIM_END;
	task->dropped += record->what == HFT_SIM_DROP;
	task->missed += record->what == HFT_SIM_MISS;
}

static void add_worker(struct hft_sim *sim, uint32_t policy, uint32_t level_mask, uint32_t flags)
{
	struct hft_sim_worker_opts worker = { .sz = sizeof(worker), .flags = flags };
	struct hft_ring_opts ring = {
		.sz = sizeof(ring), .entries = 256, .policy = policy, .level_mask = level_mask,
	};
	int number;

	/* Strictly by policy; who is preempted is in the ring too. */
	ring.window = flags & HFT_SIM_PREEMPTIVE ? 0 : 1;
	number = hft_sim_ring_add(sim, &ring);
	assert_true(number >= 0);
	assert_int_equal(hft_sim_worker_add(sim, number, &worker), 0);
}

static void open_load(struct load *load, uint32_t policy, bool preemptive, uint64_t seed)
{
	struct hft_sim_opts opts = {
		.sz = sizeof(opts), .seed = seed, .tasks = 128, .record = tally,
		.record_arg = load, .interrupt_ns = 300, .switch_ns = 500, .cache_reload_ns = 500,
		.wakeup_ns = preemptive ? 0 : 1500, .vary_ppm = 100000,
	};
	uint32_t flags = HFT_SIM_DROP_LATE;

	memset(load, 0, sizeof(*load));
	assert_int_equal(hft_sim_open(&load->sim, &opts), 0);
	if (preemptive)
		flags |= HFT_SIM_PREEMPTIVE;
	add_worker(load->sim, policy, 1U << HFT_LEVEL_CRITICAL, flags);
	add_worker(load->sim, policy, 1U << HFT_LEVEL_NORMAL, flags);
}

/*
 * The CRITICAL tasks are schedulable alone, with what a dispatch of each takes and, where
 * bodies are not preempted within a worker, the longest of the others.
 */
static bool are_schedulable(const struct hft_analyze_task *t, uint32_t policy, bool preemptive)
{
	struct hft_analyze_opts opts = {
		.sz = sizeof(opts),
		.policy = policy == HFT_POLICY_EDF ? HFT_ANALYZE_EDF : HFT_ANALYZE_FP,
	};
	struct hft_analyze_task padded[CRITICAL];
	struct hft_analysis analysis;
	uint64_t longest = 0;
	uint32_t i;

	/* Equal levels go in the order of submission: a task waits for all others. */
	if (policy == HFT_POLICY_FP)
		preemptive = false;
	for (i = 0; i < CRITICAL; i++)
		longest = t[i].wcet > longest ? t[i].wcet : longest;
	for (i = 0; i < CRITICAL; i++) {
		padded[i] = t[i];
		padded[i].wcet += 5 * US + (preemptive ? 0 : longest);
	}
	if (policy == HFT_POLICY_FP) {
		uint64_t sum = longest;

		for (i = 0; i < CRITICAL; i++)
			sum += t[i].wcet + 10 * US;
		for (i = 0; i < CRITICAL; i++) {
			if (sum > t[i].deadline)
				return false;
		}
		return true;
	}
	assert_true(hft_analyze(padded, CRITICAL, &opts, &analysis, NULL) == 0);
	return analysis.schedulable;
}

static void make_tasks(uint64_t *random, struct hft_analyze_task *t, uint32_t policy,
		       bool preemptive)
{
	uint32_t i;

	do {
		random_taskset(random, t, CRITICAL, 0.4, false);
		random_taskset(random, t + CRITICAL, TASKS - CRITICAL, 1.1, false);
		for (i = CRITICAL; i < TASKS; i++)
			t[i].wcet += 20 * US;
	} while (!are_schedulable(t, policy, preemptive));
}

static void check_tally(const struct load *load, struct tally *normal)
{
	struct hft_sim_stats stats;
	struct tally sum = { 0 };
	uint32_t i;

	for (i = 0; i < TASKS; i++) {
		sum.submitted += load->task[i].submitted;
		sum.ended += load->task[i].ended;
		sum.dropped += load->task[i].dropped;
		sum.missed += load->task[i].missed;
		assert_int_equal(load->task[i].submitted + load->source[i].refused +
				 load->source[i].left, TIME / load->source[i].period);
		if (i < CRITICAL) {
			assert_int_equal(load->source[i].refused, 0);
			assert_int_equal(load->task[i].missed, 0);
			assert_int_equal(load->task[i].ended, TIME / load->source[i].period);
			continue;
		}
		normal->submitted += load->task[i].submitted;
		normal->ended += load->task[i].ended;
		normal->dropped += load->task[i].dropped;
		normal->missed += load->task[i].missed;
	}
	assert_int_equal(hft_sim_stats(load->sim, HFT_STATS_CONTEXT, &stats), 0);
	assert_int_equal(stats.submitted, sum.submitted);
	assert_int_equal(stats.ended, sum.ended);
	assert_int_equal(stats.dropped, sum.dropped);
	assert_int_equal(stats.missed, sum.missed);
	assert_int_equal(stats.pending, 0);
	assert_int_equal(stats.submitted, stats.ended + stats.dropped);
}

static void check_overload(uint32_t policy, bool preemptive)
{
	struct tally normal = { 0 };
	struct hft_analyze_task t[TASKS];
	uint64_t rounds = hft_test_scaled(ROUNDS), round, random = 150 + policy;
	struct load load;
	uint32_t i;

	for (round = 0; round < rounds; round++) {
		make_tasks(&random, t, policy, preemptive);
		open_load(&load, policy, preemptive, round);
		for (i = 0; i < TASKS; i++) {
			load.source[i] = (struct sim_source){
				.task = { .cookie = i, .wcet = t[i].wcet, .ring = i >= CRITICAL,
					  .level = i < CRITICAL ? HFT_LEVEL_CRITICAL :
								  HFT_LEVEL_NORMAL },
				.period = t[i].period,
				.deadline = t[i].deadline,
				.left = TIME / t[i].period,
			};
			assert_int_equal(sim_source_start(load.sim, &load.source[i]), 0);
		}
		assert_int_equal(hft_sim_run(load.sim), 0);
		check_tally(&load, &normal);
		hft_sim_close(load.sim);
	}
	print_message("# of %llu NORMAL tasks %llu ended, %llu were dropped, %llu were late\n",
		      (unsigned long long)normal.submitted, (unsigned long long)normal.ended,
		      (unsigned long long)normal.dropped,
		      (unsigned long long)(normal.missed - normal.dropped));
	assert_true(normal.dropped > normal.submitted / 20);
	assert_true(normal.ended > normal.submitted / 8);
}

static void test_overload_edf(void **state)
{
	(void)state;
	check_overload(HFT_POLICY_EDF, true);
}

static void test_overload_fp(void **state)
{
	(void)state;
	check_overload(HFT_POLICY_FP, true);
}

static void test_overload_edf_workers(void **state)
{
	(void)state;
	check_overload(HFT_POLICY_EDF, false);
}

static void test_overload_fp_workers(void **state)
{
	(void)state;
	check_overload(HFT_POLICY_FP, false);
}

/*
 * Mars Pathfinder, 1997: the bus has a deadline, weather takes the same mutex at the
 * lowest priority, and what is in between keeps weather from giving it back.
 */

enum pathfinder { BUS, COMMUNICATION, WEATHER };

#define BUS_PERIOD	(125 * MS)

static const struct hft_sim_step bus[] = {
	{ .op = HFT_SIM_EXECUTE, .ns = 10 * MS },
	{ .op = HFT_SIM_MUTEX_LOCK },
	{ .op = HFT_SIM_EXECUTE, .ns = 5 * MS },
	{ .op = HFT_SIM_MUTEX_UNLOCK },
	{ .op = HFT_SIM_EXECUTE, .ns = 10 * MS },
};

static const struct hft_sim_step communication[] = {
	{ .op = HFT_SIM_EXECUTE, .ns = 130 * MS },
};

static const struct hft_sim_step weather[] = {
	{ .op = HFT_SIM_EXECUTE, .ns = 5 * MS },
	{ .op = HFT_SIM_MUTEX_LOCK },
	{ .op = HFT_SIM_EXECUTE, .ns = 20 * MS },
	{ .op = HFT_SIM_MUTEX_UNLOCK },
	{ .op = HFT_SIM_EXECUTE, .ns = 5 * MS },
};

static const struct {
	uint32_t level;
	uint64_t period;
	uint64_t deadline;
	const struct hft_sim_step *steps;
	uint32_t nr;
} pathfinder[] = {
	[BUS] = { HFT_LEVEL_HIGH, BUS_PERIOD, BUS_PERIOD, bus, 5 },
	[COMMUNICATION] = { HFT_LEVEL_NORMAL, 611 * MS, 0, communication, 1 },
	[WEATHER] = { HFT_LEVEL_LOW, 433 * MS, 0, weather, 5 },
};

static const struct hft_sim_step *pathfinder_steps(const struct hft_event *event, uint32_t *nr,
						   void *arg)
{
	(void)arg;
	*nr = pathfinder[event->cookie].nr;
	return pathfinder[event->cookie].steps;
}

struct mission {
	uint64_t misses;
	uint64_t response;		/* the bus's longest */
	uint64_t blocked;
};

static void watch_bus(const struct hft_sim_record *record, void *arg)
{
	struct mission *mission = arg;

	if (record->cookie != BUS)
		return;
	mission->misses += record->what == HFT_SIM_MISS;
	mission->blocked += record->what == HFT_SIM_BLOCK;
	if (record->what == HFT_SIM_END && record->value > mission->response)
		mission->response = record->value;
}

static struct mission fly(uint32_t mutex_flags, uint64_t time)
{
	struct mission mission = { 0 };
	struct hft_sim_opts opts = {
		.sz = sizeof(opts), .record = watch_bus, .record_arg = &mission,
		.switch_ns = 20 * US, .wakeup_ns = 50 * US,
	};
	struct hft_sim_worker_opts worker = { .sz = sizeof(worker), .steps = pathfinder_steps };
	struct hft_ring_opts ring = { .sz = sizeof(ring) };
	struct sim_source source[3];
	struct hft_sim_stats stats;
	struct hft_sim *sim;
	uint32_t i;

	assert_int_equal(hft_sim_open(&sim, &opts), 0);
	assert_int_equal(hft_sim_mutex_add(sim, mutex_flags), 0);
	for (i = 0; i < 3; i++) {
		ring.level_mask = 1U << pathfinder[i].level;
		assert_int_equal(hft_sim_ring_add(sim, &ring), i);
		assert_int_equal(hft_sim_worker_add(sim, i, &worker), 0);
		source[i] = (struct sim_source){
			.task = { .cookie = i, .ring = i, .level = pathfinder[i].level },
			.period = pathfinder[i].period,
			.deadline = pathfinder[i].deadline,
			.left = time / pathfinder[i].period,
		};
		assert_int_equal(sim_source_start(sim, &source[i]), 0);
	}
	assert_int_equal(hft_sim_run(sim), 0);
	assert_int_equal(hft_sim_stats(sim, HFT_STATS_CONTEXT, &stats), 0);
	assert_int_equal(stats.pending, 0);
	hft_sim_close(sim);
	return mission;
}

static void test_pathfinder(void **state)
{
	uint64_t time = hft_test_scaled(3600 * S);
	struct mission without = fly(0, time);
	struct mission with = fly(HFT_SIM_INHERIT, time);

	(void)state;
	print_message("# without inheritance: %llu misses, longest response %llu ms; with: %llu, %llu ms\n",
		      (unsigned long long)without.misses,
		      (unsigned long long)(without.response / MS),
		      (unsigned long long)with.misses, (unsigned long long)(with.response / MS));
	assert_true(without.misses);
	assert_true(with.blocked);
	assert_int_equal(with.misses, 0);
	/* Its own 25 ms, the 20 ms of the mutex, and a ms for wake-ups and switches. */
	assert_true(with.response <= (25 + 20 + 1) * MS);
}

/* Inheritance goes on from mutex to mutex, and ends with each. */
static void chain(const struct hft_sim_record *record, void *arg)
{
	uint64_t *end = arg;

	if (record->what == HFT_SIM_END)
		end[record->cookie] = record->time;
}

static const struct hft_sim_step *chain_steps(const struct hft_event *event, uint32_t *nr,
					      void *arg)
{
	static const struct hft_sim_step low[] = {
		{ .op = HFT_SIM_MUTEX_LOCK, .mutex = 0 }, { .ns = 100 },
		{ .op = HFT_SIM_MUTEX_UNLOCK, .mutex = 0 }, { .ns = 10 },
	};
	static const struct hft_sim_step middle[] = {
		{ .op = HFT_SIM_MUTEX_LOCK, .mutex = 1 }, { .ns = 20 },
		{ .op = HFT_SIM_MUTEX_LOCK, .mutex = 0 }, { .ns = 30 },
	};
	static const struct hft_sim_step high[] = {
		{ .op = HFT_SIM_MUTEX_LOCK, .mutex = 1 }, { .ns = 40 },
	};
	static const struct hft_sim_step other[] = { { .ns = 1000 } };
	static const struct hft_sim_step *const all[] = { low, middle, other, high };
	static const uint32_t numbers[] = { 4, 4, 1, 2 };

	(void)arg;
	*nr = numbers[event->cookie];
	return all[event->cookie];
}

static void test_chain(void **state)
{
	static const uint64_t release[] = { 0, 10, 70, 60 };
	uint64_t end[4] = { 0 };
	struct hft_sim_opts opts = { .sz = sizeof(opts), .record = chain, .record_arg = end };
	struct hft_sim_worker_opts worker = {
		.sz = sizeof(worker), .steps = chain_steps, .flags = HFT_SIM_PREEMPTIVE,
	};
	struct hft_sim *sim;
	struct hft_task task;
	uint32_t i;

	(void)state;
	assert_int_equal(hft_sim_open(&sim, &opts), 0);
	assert_int_equal(hft_sim_mutex_add(sim, HFT_SIM_INHERIT), 0);
	assert_int_equal(hft_sim_mutex_add(sim, HFT_SIM_INHERIT), 1);
	assert_int_equal(hft_sim_ring_add(sim, NULL), 0);
	assert_int_equal(hft_sim_worker_add(sim, 0, &worker), 0);
	for (i = 0; i < 4; i++) {
		task = (struct hft_task){ .cookie = i, .level = i + 1, .release = release[i] };
		assert_int_equal(hft_sim_submit(sim, &task, NULL), 0);
	}
	assert_int_equal(hft_sim_run(sim), 0);
	/*
	 * low 0-10; middle has mutex 1, 10-30, waits for 0; low 30-60; high waits for 1, so
	 * low is as high and has its 100 at 120; middle 120-150; high 150-190; other.
	 */
	assert_int_equal(end[1], 150);
	assert_int_equal(end[3], 190);
	assert_int_equal(end[2], 1190);
	assert_int_equal(end[0], 1200);
	hft_sim_close(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overload_edf),
		cmocka_unit_test(test_overload_fp),
		cmocka_unit_test(test_overload_edf_workers),
		cmocka_unit_test(test_overload_fp_workers),
		cmocka_unit_test(test_pathfinder),
		cmocka_unit_test(test_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
