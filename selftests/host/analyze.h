/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of the analysis share. */
#ifndef SELFTESTS_HOST_ANALYZE_H
#define SELFTESTS_HOST_ANALYZE_H

#include <stdbool.h>
#include <stdint.h>
#include <hft/analyze.h>

#define MAX_NR		16
#define MAX_STEPS	1000000

static inline int analyze(uint32_t policy, const struct hft_analyze_task *t, uint32_t nr,
			  struct hft_analysis *a, uint64_t *response)
{
	struct hft_analyze_opts opts = { .sz = sizeof(opts), .policy = policy,
					 .max_steps = MAX_STEPS };

	return hft_analyze(t, nr, &opts, a, response);
}

static inline bool schedulable(uint32_t policy, const struct hft_analyze_task *t, uint32_t nr)
{
	struct hft_analysis a;

	assert_int_equal(analyze(policy, t, nr, &a, NULL), 0);
	return a.schedulable;
}

#endif /* SELFTESTS_HOST_ANALYZE_H */
