/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Schedulability of the tasks of one CPU, and exact response times.
 *
 * The model: tasks are independent, preemptive and released at least a period
 * apart, all at the same moment in the worst case.  What preemption costs, and the
 * longest body of another task that can not be preempted, belongs into the wcet.
 *
 * Verdicts are exact, in integers; a double is for the reader.  Nothing here keeps
 * state, enters the kernel or needs a handle: each function is for any thread.
 */
#ifndef HFT_ANALYZE_H
#define HFT_ANALYZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HFT_ANALYZE_MAX_TASKS	4096
#define HFT_ANALYZE_MAX_NS	INT64_MAX	/* longest wcet, deadline, period */
#define HFT_ANALYZE_NONE	UINT32_MAX	/* no task */
#define HFT_ANALYZE_UNBOUNDED	UINT64_MAX	/* no response time */

enum hft_analyze_policy {
	HFT_ANALYZE_EDF,		/* earliest deadline first */
	HFT_ANALYZE_RM,			/* the shorter the period, the higher the priority */
	HFT_ANALYZE_DM,			/* the shorter deadline or period */
	HFT_ANALYZE_FP,			/* as listed, the highest priority first */
};

/**
 * struct hft_analyze_task - a periodic or sporadic task
 * @wcet: most time a job executes, ns; not 0
 * @deadline: after the release, ns; 0: the period; it may be after the period
 * @period: least time between releases, ns; not 0
 */
struct hft_analyze_task {
	uint64_t wcet;
	uint64_t deadline;
	uint64_t period;
};

struct hft_analyze_opts {
	size_t sz;
	uint32_t policy;		/* HFT_ANALYZE_EDF */
	uint64_t max_steps;		/* 10^9: some ns each */
};

/**
 * struct hft_analysis - what hft_analyze() found
 * @schedulable: does every job meet its deadline, whenever tasks are released?
 * @missed_task: index of the task that misses a deadline first when all are
 *	released at 0; %HFT_ANALYZE_NONE: none does, or it is not found within 2^63 ns
 *	and the steps allowed
 * @missed_deadline: that deadline, ns; 0: none
 * @utilisation: sum of wcet / period
 * @density: sum of wcet / min(deadline, period)
 * @steps: how long the analysis took
 */
struct hft_analysis {
	bool schedulable;
	uint32_t missed_task;
	uint64_t missed_deadline;
	double utilisation;
	double density;
	uint64_t steps;
};

/**
 * struct hft_breakdown - what hft_analyze_breakdown() found
 * @scale: all wcets times this are just schedulable
 * @utilisation: of the tasks so scaled
 * @exact: is more not schedulable?  Otherwise that is not known.
 */
struct hft_breakdown {
	double scale;
	double utilisation;
	bool exact;
};

int hft_analyze(const struct hft_analyze_task *tasks, uint32_t nr,
		const struct hft_analyze_opts *opts, struct hft_analysis *analysis,
		uint64_t *response);
int hft_analyze_breakdown(const struct hft_analyze_task *tasks, uint32_t nr,
			  const struct hft_analyze_opts *opts, struct hft_breakdown *breakdown);
int hft_analyze_order(const struct hft_analyze_task *tasks, uint32_t nr, uint32_t policy,
		      uint32_t *order);
int hft_analyze_demand(const struct hft_analyze_task *tasks, uint32_t nr, uint64_t time,
		       uint64_t *demand);
int hft_analyze_utilisation(const struct hft_analyze_task *tasks, uint32_t nr,
			    double *utilisation);
double hft_analyze_liu_layland(uint32_t nr);
int hft_analyze_hyperbolic(const struct hft_analyze_task *tasks, uint32_t nr, double *product);
int hft_analyze_global_edf(const struct hft_analyze_task *tasks, uint32_t nr, uint32_t cpus);

#ifdef __cplusplus
}
#endif

#endif /* HFT_ANALYZE_H */
