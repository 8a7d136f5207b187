// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan */
/*
 * 24 hours of a trading day on two simulated CPUs: an open, a close and two bursts.
 * Each tick of the market is a task that may place an order; limits are checked ten
 * times a second and the house is kept in between.
 *
 * HFT_TEST_SCALE=4 has all ticks of the day, not of the bursts alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <hft/sim.h>

#include "../include/scale.h"
#include "sim_source.h"

#define US		1000ULL
#define MS		1000000ULL
#define S		1000000000ULL
#define DAY		(86400 * S)
#define CPUS		2
#define AHEAD		64		/* ticks that are submitted at a time */
#define TICKS_PER_ORDER	10
#define MIDNIGHT	(1800000000ULL / 86400 * 86400 * S)	/* CLOCK_REALTIME */
#define OPEN		(34200 * S)	/* 09:30 */
#define CLOSE		(57600 * S)	/* 16:00 */
#define TIME_LIMIT	60		/* s of the CPU: on an idle machine, of wall time */

#ifdef __SANITIZE_ADDRESS__
#define SLOWER		4
#else
#define SLOWER		1
#endif

#define BURST		200000
#define PART		25		/* %, of what is no burst */

/* Ticks a second on each CPU, from a second of the day on. */
static const struct phase {
	uint64_t from;
	uint64_t rate;
} phases[] = {
	{ 0, 8 },		/* night */
	{ 7 * 3600, 100 },	/* before the open */
	{ 34200, 8000 },	/* open */
	{ 34500, 500 },	/* morning */
	{ 43200, BURST },	/* burst at noon */
	{ 43206, 300 },	/* afternoon */
	{ 50400, BURST },	/* burst at two */
	{ 50406, 500 },	/* afternoon */
	{ 57300, 8000 },	/* close */
	{ 57600, 20 },	/* after the close */
	{ 86400, 0 },
};

#define PHASES		(sizeof(phases) / sizeof(phases[0]) - 1)

enum kind { RISK, ORDER, TICK, HOUSE, KINDS };

static const struct {
	const char *name;
	uint32_t level;
	uint64_t deadline;
	uint32_t flags;
} kinds[KINDS] = {
	[RISK] = { "checks", HFT_LEVEL_REALTIME, 1 * MS, 0 },
	[ORDER] = { "orders", HFT_LEVEL_CRITICAL, 200 * US, 0 },
	[TICK] = { "ticks", HFT_LEVEL_HIGH, 100 * US, HFT_SIM_DROP_LATE },
	[HOUSE] = { "turns of the house", HFT_LEVEL_BACKGROUND, 1 * S, 0 },
};

struct day;

struct cpu {
	struct day *day;
	uint32_t number;
	size_t phase;
	uint64_t next;			/* tick of the phase */
	uint64_t ticks;			/* run */
	uint64_t orders;
	uint64_t refused;
	struct sim_source risk;
	struct sim_source house;
};

struct day {
	struct hft_sim *sim;
	struct cpu cpu[CPUS];
	uint64_t part;
	uint64_t released[PHASES];	/* ticks */
	uint64_t auctions[2];		/* CLOCK_MONOTONIC of the start */
};

static uint32_t ring_of(uint32_t cpu, enum kind kind)
{
	return cpu * KINDS + kind;
}

static struct hft_task task_of(uint32_t cpu, enum kind kind, uint64_t release)
{
	return (struct hft_task){
		.cookie = cpu,
		.release = release,
		.deadline = release + kinds[kind].deadline,
		.ring = ring_of(cpu, kind),
		.level = kinds[kind].level,
	};
}

static uint64_t rate_of(const struct day *day, size_t phase)
{
	uint64_t part = phases[phase].rate == BURST ? 100 : day->part;

	return (phases[phase].rate * part / 100 + SLOWER - 1) / SLOWER;
}

/* One tick in each of the intervals that the rate makes of the phase. */
static bool submit_tick(struct cpu *cpu, uint64_t *when)
{
	struct day *day = cpu->day;
	uint64_t from, interval;
	struct hft_task task;

	while (cpu->next == (phases[cpu->phase + 1].from - phases[cpu->phase].from) *
			    rate_of(day, cpu->phase)) {
		cpu->next = 0;
		if (++cpu->phase == PHASES)
			return false;
	}
	interval = S / rate_of(day, cpu->phase);
	from = phases[cpu->phase].from * S + cpu->next++ * interval;
	*when = from;
	task = task_of(cpu->number, TICK, from + hft_sim_random(day->sim) % interval);
	if (hft_sim_submit(day->sim, &task, NULL))
		cpu->refused++;
	day->released[cpu->phase]++;
	return true;
}

static void submit_ticks(struct hft_sim *sim, uint64_t now, void *arg)
{
	struct cpu *cpu = arg;
	uint64_t when = now;
	int i;

	for (i = 0; i < AHEAD; i++) {
		if (!submit_tick(cpu, &when))
			return;
	}
	assert_int_equal(hft_sim_call_at(sim, when, submit_ticks, cpu), 0);
}

static void run_tick(const struct hft_event *event, uint64_t start, void *arg)
{
	struct cpu *cpu = arg;
	struct hft_task order;

	(void)event;
	if (++cpu->ticks % TICKS_PER_ORDER)
		return;
	order = task_of(cpu->number, ORDER, start);
	assert_int_equal(hft_sim_submit(cpu->day->sim, &order, NULL), 0);
	cpu->orders++;
}

static uint64_t tick_cost(const struct hft_event *event, void *arg)
{
	struct cpu *cpu = arg;

	(void)event;
	return 2 * US + (hft_sim_random(cpu->day->sim) & 4095);
}

static uint64_t order_cost(const struct hft_event *event, void *arg)
{
	(void)event;
	(void)arg;
	return 3 * US;
}

/* The auctions are among the checks of limits, by their cookies. */
static void run_risk(const struct hft_event *event, uint64_t start, void *arg)
{
	struct cpu *cpu = arg;

	if (event->cookie >= 100)
		cpu->day->auctions[event->cookie - 100] = start;
}

static void add_rings(struct day *day, struct cpu *cpu)
{
	struct hft_sim_worker_opts worker = { .sz = sizeof(worker), .arg = cpu };
	struct hft_ring_opts ring = {
		.sz = sizeof(ring), .cpu = cpu->number, .policy = HFT_POLICY_EDF, .entries = 64,
		.lead_ns = HFT_LEAD_AUTO,
	};
	enum kind kind;

	for (kind = 0; kind < KINDS; kind++) {
		ring.level_mask = 1U << kinds[kind].level;
		worker.flags = kinds[kind].flags;
		worker.fn = kind == TICK ? run_tick : kind == RISK ? run_risk : NULL;
		worker.cost = kind == TICK ? tick_cost : kind == ORDER ? order_cost : NULL;
		assert_int_equal(hft_sim_ring_add(day->sim, &ring), ring_of(cpu->number, kind));
		assert_int_equal(hft_sim_worker_add(day->sim, ring_of(cpu->number, kind), &worker),
				 0);
	}
}

static void start_source(struct day *day, struct sim_source *source, uint32_t cpu, enum kind kind,
			 uint64_t period, uint64_t wcet)
{
	*source = (struct sim_source){
		.task = task_of(cpu, kind, period / 2),
		.period = period,
		.deadline = kinds[kind].deadline,
		.left = DAY / period,
	};
	source->task.wcet = wcet;
	assert_int_equal(sim_source_start(day->sim, source), 0);
}

/* By the wall clock, as an exchange has it. */
static void submit_auction(struct day *day, uint64_t number, uint64_t when)
{
	struct hft_task task = task_of(0, RISK, MIDNIGHT + when);

	task.clock = HFT_CLOCK_REALTIME;
	task.cookie = 100 + number;
	task.wcet = 20 * US;
	assert_int_equal(hft_sim_submit(day->sim, &task, NULL), 0);
}

static void open_day(struct day *day)
{
	struct hft_sim_opts opts = {
		.sz = sizeof(opts), .seed = 24, .cpus = CPUS, .tasks = 8192,
		.realtime_ns = MIDNIGHT, .interrupt_ns = 400, .jitter_ns = 100, .wakeup_ns = 1500,
		.switch_ns = 600, .cache_reload_ns = 1000, .noise_ns = 2 * US,
		.noise_period_ns = 4 * MS,
	};
	uint32_t i;

	memset(day, 0, sizeof(*day));
	day->part = hft_test_scaled(PART);
	if (day->part > 100)
		day->part = 100;
	assert_int_equal(hft_sim_open(&day->sim, &opts), 0);
	for (i = 0; i < CPUS; i++) {
		struct cpu *cpu = &day->cpu[i];

		cpu->day = day;
		cpu->number = i;
		add_rings(day, cpu);
		start_source(day, &cpu->risk, i, RISK, 100 * MS, 50 * US);
		start_source(day, &cpu->house, i, HOUSE, S, 20 * MS);
		assert_int_equal(hft_sim_call_at(day->sim, 0, submit_ticks, cpu), 0);
	}
	submit_auction(day, 0, OPEN);
	submit_auction(day, 1, CLOSE);
}

static void check_ring(const struct day *day, const struct cpu *cpu, enum kind kind,
		       uint64_t tasks)
{
	struct hft_sim_stats s;

	assert_int_equal(hft_sim_stats(day->sim, ring_of(cpu->number, kind), &s), 0);
	assert_int_equal(s.submitted, tasks);
	assert_int_equal(s.ended + s.dropped, tasks);
	assert_int_equal(s.pending, 0);
	assert_int_equal(s.missed, s.late + s.dropped);
	print_message("# CPU %u: %llu %s, %llu late, %llu dropped\n", cpu->number,
		      (unsigned long long)tasks, kinds[kind].name, (unsigned long long)s.late,
		      (unsigned long long)s.dropped);
	/* A burst is more than a CPU can do; what is above the ticks does not notice. */
	if (kind < TICK)
		assert_int_equal(s.missed, 0);
	assert_true(s.missed < tasks / 10);
}

static void test_day(void **state)
{
	uint64_t ticks = 0, expected;
	struct hft_sim_stats sum;
	clock_t begin = clock();
	double taken;
	struct day day;
	size_t i;

	(void)state;
	open_day(&day);
	assert_int_equal(hft_sim_run_until(day.sim, DAY + S), 0);
	taken = (double)(clock() - begin) / CLOCKS_PER_SEC;

	for (i = 0; i < PHASES; i++) {
		expected = CPUS * (phases[i + 1].from - phases[i].from) * rate_of(&day, i);
		assert_int_equal(day.released[i], expected);
		ticks += expected / CPUS;
	}
	for (i = 0; i < CPUS; i++) {
		struct cpu *cpu = &day.cpu[i];

		assert_int_equal(cpu->refused + cpu->risk.refused + cpu->house.refused, 0);
		check_ring(&day, cpu, TICK, ticks);
		check_ring(&day, cpu, ORDER, cpu->orders);
		check_ring(&day, cpu, RISK, DAY / (100 * MS) + (i ? 0 : 2));
		check_ring(&day, cpu, HOUSE, DAY / S);
		assert_int_equal(cpu->orders, cpu->ticks / TICKS_PER_ORDER);
	}
	/* With a lead: at most what an interrupt takes late. */
	for (i = 0; i < 2; i++)
		assert_in_range(day.auctions[i], i ? CLOSE : OPEN, (i ? CLOSE : OPEN) + 3 * US);

	assert_int_equal(hft_sim_stats(day.sim, HFT_STATS_CONTEXT, &sum), 0);
	print_message("# %llu tasks, %llu preemptions, %llu timer interrupts, %llu others in %.1f s\n",
		      (unsigned long long)sum.ended, (unsigned long long)sum.preempted,
		      (unsigned long long)sum.interrupts, (unsigned long long)sum.noise,
		      taken);
	assert_true(taken < TIME_LIMIT);
	hft_sim_close(day.sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
