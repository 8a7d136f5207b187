/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the analysis share.  Times are at most INT64_MAX, so a sum of
 * two fits 64 bits; sums of products are made in 128 and saturate at U64_MAX, which
 * is above every time.
 */
#ifndef HFT_ANALYZE_INTERNAL_H
#define HFT_ANALYZE_INTERNAL_H

#include <hft/analyze.h>

#include "../engine/internal.h"

typedef unsigned __int128 hft_u128;

/**
 * struct hft_analyze_set - tasks to analyze
 * @task: by priority, the highest first; no deadline is 0
 * @index: the user's index of each
 * @nr: how many
 * @rest: scratch of hft_analyze_compare()
 * @sum: compares the sum of wcet / period to 1: below, equal or above 0
 * @steps: terms that may still be evaluated
 */
struct hft_analyze_set {
	struct hft_analyze_task *task;
	uint32_t *index;
	uint32_t nr;
	uint64_t *rest;
	int sum;
	uint64_t steps;
};

/**
 * struct hft_analyze_miss - a deadline missed
 * @task: its place in the set; %HFT_ANALYZE_NONE: none is
 * @deadline: after the release of all tasks at 0
 */
struct hft_analyze_miss {
	uint32_t task;
	uint64_t deadline;
};

/* Returns false when no steps are left. */
static inline bool hft_analyze_spend(struct hft_analyze_set *set, uint64_t steps)
{
	if (set->steps < steps) {
		set->steps = 0;
		return false;
	}
	set->steps -= steps;
	return true;
}

static inline uint64_t hft_analyze_saturate(hft_u128 value)
{
	return value > UINT64_MAX ? UINT64_MAX : (uint64_t)value;
}

static inline uint64_t hft_analyze_ceil(uint64_t value, uint64_t divisor)
{
	return value / divisor + !!(value % divisor);
}

/* The time in which a job's work has to be done: what a density is made of. */
static inline uint64_t hft_analyze_window(const struct hft_analyze_task *task)
{
	return task->deadline && task->deadline < task->period ? task->deadline : task->period;
}

/* utilisation.c */
int hft_analyze_check(const struct hft_analyze_task *tasks, uint32_t nr);
int hft_analyze_compare(const struct hft_analyze_set *set, uint32_t nr);
double hft_analyze_sum(const struct hft_analyze_task *tasks, uint32_t nr);
double hft_analyze_density(const struct hft_analyze_task *tasks, uint32_t nr);

/* analyze.c */
int hft_analyze_fail_steps(void);

/*
 * fixed.c, edf.c: a verdict is 1 when all deadlines are met, 0 when one is not, or
 * -errno.  @miss may be NULL.  Responses are in the user's order.
 */
int hft_analyze_fixed_point(struct hft_analyze_set *set, uint32_t nr, uint64_t work,
			    uint64_t most, uint64_t *w);
int hft_analyze_fixed(struct hft_analyze_set *set, struct hft_analyze_miss *miss);
void hft_analyze_fixed_response(struct hft_analyze_set *set, uint64_t *response);
int hft_analyze_edf(struct hft_analyze_set *set, struct hft_analyze_miss *miss);
void hft_analyze_edf_response(struct hft_analyze_set *set, uint64_t *response);

#endif /* HFT_ANALYZE_INTERNAL_H */
