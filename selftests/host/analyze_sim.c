// SPDX-License-Identifier: GPL-2.0-only
/* The analysis against schedules that are carried out, a unit of time after the other. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hft/analyze.h>

#include "random.h"
#include "taskset.h"

#define SETS		10000
#define OFFSET_SETS	600
#define MAX_NR		6
#define MAX_JOBS	512
#define OVERLOAD_TIME	100000		/* the least overload misses a deadline by then */

/* Periods with a small least common multiple, 120 at most. */
static const uint32_t periods[] = { 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 30, 40, 60, 120 };

struct job {
	uint32_t task;
	uint64_t release;
	uint64_t deadline;
	uint64_t left;
	uint64_t ran;			/* until then */
};

struct schedule {
	uint32_t policy;
	uint32_t nr;
	uint32_t cpus;			/* that tasks may run on and change at any time */
	const struct hft_analyze_task *task;
	uint64_t offset[MAX_NR];
	uint32_t last;			/* among equal deadlines this task is */
	uint32_t rank[MAX_NR];		/* 0: the highest priority */
	struct job job[MAX_JOBS];
	uint32_t nr_jobs;
	uint64_t response[MAX_NR];
	uint64_t missed;		/* 0: none */
	bool misses[MAX_NR];		/* at @missed */
};

static uint64_t deadline_of(const struct hft_analyze_task *t)
{
	return t->deadline ? t->deadline : t->period;
}

static bool goes_before(const struct schedule *s, const struct job *a, const struct job *b)
{
	if (s->policy != HFT_ANALYZE_EDF && a->task != b->task)
		return s->rank[a->task] < s->rank[b->task];
	if (s->policy == HFT_ANALYZE_EDF && a->deadline != b->deadline)
		return a->deadline < b->deadline;
	if ((a->task == s->last) != (b->task == s->last))
		return b->task == s->last;
	if (a->release != b->release)
		return a->release < b->release;
	return a->task < b->task;
}

static void release_jobs(struct schedule *s, uint64_t now)
{
	const struct hft_analyze_task *t = s->task;
	uint32_t i;

	for (i = 0; i < s->nr; i++) {
		if (now < s->offset[i] || (now - s->offset[i]) % t[i].period)
			continue;
		assert_true(s->nr_jobs < MAX_JOBS);
		s->job[s->nr_jobs++] = (struct job){
			.task = i,
			.release = now,
			.deadline = now + deadline_of(&t[i]),
			.left = t[i].wcet,
		};
	}
}

static void note_misses(struct schedule *s, uint64_t now)
{
	uint32_t i;

	for (i = 0; i < s->nr_jobs; i++) {
		if (s->job[i].deadline != now || (s->missed && s->missed != now))
			continue;
		s->missed = now;
		s->misses[s->job[i].task] = true;
	}
}

static struct job *next_job(struct schedule *s, uint64_t now)
{
	struct job *best = NULL;
	uint32_t i;

	for (i = 0; i < s->nr_jobs; i++) {
		if (s->job[i].ran > now)
			continue;
		if (!best || goes_before(s, &s->job[i], best))
			best = &s->job[i];
	}
	return best;
}

static void end_jobs(struct schedule *s, uint64_t now)
{
	struct job *job;
	uint32_t i = 0;

	while (i < s->nr_jobs) {
		job = &s->job[i];
		if (job->left) {
			i++;
			continue;
		}
		if (now - job->release > s->response[job->task])
			s->response[job->task] = now - job->release;
		*job = s->job[--s->nr_jobs];
	}
}

static void execute(struct schedule *s, uint64_t now)
{
	struct job *job;
	uint32_t cpu;

	for (cpu = 0; cpu < s->cpus; cpu++) {
		job = next_job(s, now);
		if (!job)
			break;
		job->ran = now + 1;
		job->left--;
	}
	end_jobs(s, now + 1);
}

static void carry_out(struct schedule *s, uint64_t time, bool to_miss)
{
	uint64_t now;

	s->nr_jobs = 0;
	s->missed = 0;
	memset(s->response, 0, sizeof(s->response));
	memset(s->misses, 0, sizeof(s->misses));
	for (now = 0; now < time && !(to_miss && s->missed); now++) {
		note_misses(s, now);
		release_jobs(s, now);
		execute(s, now);
	}
}

/* Of the deadline: before the period, at it, after it. */
static void make_set(uint64_t *random, struct hft_analyze_task *t, uint32_t nr, double sum,
		     uint32_t nr_periods)
{
	uint32_t kind = random_below(random, 3);
	double u[MAX_NR];
	uint32_t i;

	random_utilisations(random, nr, sum, u);
	for (i = 0; i < nr; i++) {
		t[i].period = periods[random_below(random, nr_periods)];
		t[i].wcet = (uint64_t)(u[i] * (double)t[i].period + random_unit(random));
		if (!t[i].wcet)
			t[i].wcet = 1;
		t[i].deadline = 0;
		if (kind == 1)
			t[i].deadline = t[i].wcet + random_below(random, (uint32_t)t[i].period);
		else if (kind == 2)
			t[i].deadline = 1 + random_below(random, 3 * (uint32_t)t[i].period);
	}
}

static uint64_t hyperperiod(const struct hft_analyze_task *t, uint32_t nr)
{
	uint64_t h = 1, a, b, rest;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		for (a = h, b = t[i].period; b; a = b, b = rest)
			rest = a % b;
		h = h / a * t[i].period;
	}
	return h;
}

static uint64_t latest_deadline(const struct hft_analyze_task *t, uint32_t nr)
{
	uint64_t latest = 0;
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (deadline_of(&t[i]) > latest)
			latest = deadline_of(&t[i]);
	return latest;
}

/* In a hyperperiod: the exact answer to "at most 1?" */
static bool fits(const struct hft_analyze_task *t, uint32_t nr)
{
	uint64_t h = hyperperiod(t, nr), work = 0;
	uint32_t i;

	for (i = 0; i < nr; i++)
		work += h / t[i].period * t[i].wcet;
	return work <= h;
}

static void start(struct schedule *s, const struct hft_analyze_task *t, uint32_t nr,
		  uint32_t policy)
{
	uint32_t order[MAX_NR], i;

	memset(s, 0, sizeof(*s));
	s->policy = policy;
	s->nr = nr;
	s->cpus = 1;
	s->task = t;
	s->last = HFT_ANALYZE_NONE;
	assert_int_equal(hft_analyze_order(t, nr, policy, order), 0);
	for (i = 0; i < nr; i++)
		s->rank[order[i]] = i;
}

static void check_set(const struct hft_analyze_task *t, uint32_t nr, uint32_t policy,
		      uint32_t *schedulable)
{
	struct hft_analyze_opts opts = { .sz = sizeof(opts), .policy = policy };
	uint64_t response[MAX_NR];
	struct hft_analysis a;
	struct schedule s;
	bool bounded = fits(t, nr);
	uint32_t i;

	start(&s, t, nr, policy);
	carry_out(&s, bounded ? 2 * hyperperiod(t, nr) + latest_deadline(t, nr) + 1 :
				OVERLOAD_TIME, !bounded);
	assert_int_equal(hft_analyze(t, nr, &opts, &a, response), 0);
	assert_int_equal(a.schedulable, !s.missed);
	assert_int_equal(a.missed_deadline, s.missed);
	assert_true(s.missed ? s.misses[a.missed_task] : a.missed_task == HFT_ANALYZE_NONE);
	for (i = 0; i < nr; i++) {
		if (bounded && policy != HFT_ANALYZE_EDF)
			assert_int_equal(response[i], s.response[i]);
		if (bounded)
			assert_true(response[i] >= s.response[i]);
		if (a.schedulable)
			assert_true(response[i] <= deadline_of(&t[i]));
	}
	*schedulable += a.schedulable;
}

static void check_policy(uint32_t policy)
{
	struct hft_analyze_task t[MAX_NR];
	uint64_t random = 1 + policy;
	uint32_t schedulable = 0, i;
	uint32_t nr;

	for (i = 0; i < SETS; i++) {
		nr = 1 + random_below(&random, MAX_NR);
		make_set(&random, t, nr, 0.4 + 0.7 * random_unit(&random),
			 sizeof(periods) / sizeof(periods[0]));
		check_set(t, nr, policy, &schedulable);
	}
	print_message("# policy %u: %u of %u sets are schedulable\n", policy, schedulable, SETS);
	assert_true(schedulable > SETS / 10);
	assert_true(schedulable < SETS - SETS / 10);
}

static void test_edf(void **state)
{
	(void)state;
	check_policy(HFT_ANALYZE_EDF);
}

static void test_rm(void **state)
{
	(void)state;
	check_policy(HFT_ANALYZE_RM);
}

static void test_dm(void **state)
{
	(void)state;
	check_policy(HFT_ANALYZE_DM);
}

static void test_fp(void **state)
{
	(void)state;
	check_policy(HFT_ANALYZE_FP);
}

static bool next_offsets(struct schedule *s)
{
	uint32_t i;

	for (i = 0; i < s->nr; i++) {
		if (++s->offset[i] < s->task[i].period)
			return true;
		s->offset[i] = 0;
	}
	return false;
}

/* EDF's longest response is not at a common release: try all. */
static void check_offsets(const struct hft_analyze_task *t, uint32_t nr)
{
	struct hft_analyze_opts opts = { .sz = sizeof(opts) };
	uint64_t response[MAX_NR], longest;
	uint64_t time = 3 * hyperperiod(t, nr) + latest_deadline(t, nr);
	struct hft_analysis a;
	struct schedule s;
	uint32_t i;

	assert_int_equal(hft_analyze(t, nr, &opts, &a, response), 0);
	start(&s, t, nr, HFT_ANALYZE_EDF);
	for (i = 0; i < nr; i++) {
		memset(s.offset, 0, sizeof(s.offset));
		s.last = i;
		longest = 0;
		do {
			carry_out(&s, time, false);
			if (s.response[i] > longest)
				longest = s.response[i];
		} while (next_offsets(&s));
		assert_int_equal(response[i], longest);
	}
}

static void test_edf_responses(void **state)
{
	struct hft_analyze_task t[MAX_NR];
	uint64_t random = 9;
	uint32_t nr, done;

	(void)state;
	for (done = 0; done < OFFSET_SETS;) {
		nr = 2 + random_below(&random, 2);
		make_set(&random, t, nr, 0.4 + 0.6 * random_unit(&random), 5);
		if (!fits(t, nr))
			continue;
		check_offsets(t, nr);
		done++;
	}
}

/*
 * Dhall's effect: the long task starts when the short ones have ended, although all of
 * them are hardly more than one CPU.  The bound refuses what misses.
 */
static void test_global_edf(void **state)
{
	const uint64_t period = 100, e = 2;
	struct hft_analyze_task t[MAX_NR];
	struct schedule s;
	uint32_t cpus, i;

	(void)state;
	for (cpus = 2; cpus < MAX_NR; cpus++) {
		for (i = 0; i < cpus; i++)
			t[i] = (struct hft_analyze_task){ e, period - 1, period - 1 };
		t[cpus] = (struct hft_analyze_task){ period, period, period };
		start(&s, t, cpus + 1, HFT_ANALYZE_EDF);
		s.cpus = cpus;
		carry_out(&s, period + e + 1, false);
		assert_int_equal(s.missed, period);
		assert_true(s.misses[cpus]);
		assert_int_equal(s.response[cpus], period + e);
		assert_int_equal(hft_analyze_global_edf(t, cpus + 1, cpus), 0);
	}
}

/* What the bound takes misses nothing. */
static void test_global_edf_bound(void **state)
{
	struct hft_analyze_task t[MAX_NR];
	uint64_t random = 11;
	uint32_t taken = 0, nr, i;
	struct schedule s;

	(void)state;
	for (i = 0; i < SETS; i++) {
		nr = 1 + random_below(&random, MAX_NR);
		make_set(&random, t, nr, 0.4 + 1.6 * random_unit(&random),
			 sizeof(periods) / sizeof(periods[0]));
		start(&s, t, nr, HFT_ANALYZE_EDF);
		s.cpus = 1 + random_below(&random, 3);
		if (!hft_analyze_global_edf(t, nr, s.cpus))
			continue;
		carry_out(&s, hyperperiod(t, nr) + latest_deadline(t, nr) + 1, false);
		assert_int_equal(s.missed, 0);
		taken++;
	}
	assert_true(taken > SETS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edf),
		cmocka_unit_test(test_rm),
		cmocka_unit_test(test_dm),
		cmocka_unit_test(test_fp),
		cmocka_unit_test(test_edf_responses),
		cmocka_unit_test(test_global_edf),
		cmocka_unit_test(test_global_edf_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
