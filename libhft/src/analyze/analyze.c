// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The analysis of a set under a policy.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define DEFAULT_STEPS	1000000000ULL

/* Breakdown: times get these many bits, and the scale. */
#define SCALED_BITS	40
#define SCALE_BITS	44

struct ranked {
	uint64_t rank;
	uint32_t index;
};

int hft_analyze_fail_steps(void)
{
	return hft_fail(ETIME, "the analysis would take more than max_steps");
}

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static uint64_t rank_of(const struct hft_analyze_task *task, uint32_t policy)
{
	switch (policy) {
	case HFT_ANALYZE_RM:
		return task->period;
	case HFT_ANALYZE_DM:
		return hft_analyze_window(task);
	default:
		return 0;
	}
}

static int check_policy(uint32_t policy)
{
	return policy <= HFT_ANALYZE_FP ? 0 : hft_fail(EINVAL, "there is no policy %u", policy);
}

/**
 * hft_analyze_order() - assign priorities
 * @tasks: the tasks of a CPU
 * @nr: how many, 1 to %HFT_ANALYZE_MAX_TASKS
 * @policy: &enum hft_analyze_policy
 * @order: set to @nr indices of @tasks, the highest priority first
 *
 * %HFT_ANALYZE_RM, by the period, is optimal among fixed priorities where deadlines are
 * at the end of the periods (Liu and Layland 1973, section 4, theorem 2);
 * %HFT_ANALYZE_DM, by min(deadline, period), also where they are before it (J. Leung and
 * J. Whitehead, "On the Complexity of Fixed-Priority Scheduling of Periodic, Real-Time
 * Tasks", Performance Evaluation 2, 1982).  Equal tasks keep their order, and so do all
 * under %HFT_ANALYZE_FP and %HFT_ANALYZE_EDF.
 *
 * Context: any thread; allocates; does not block.
 *
 * Return: 0, or -EINVAL for a task that is out of range, no task or no such policy,
 * -E2BIG for too many tasks, -ENOMEM.
 */
HFT_API int hft_analyze_order(const struct hft_analyze_task *tasks, uint32_t nr, uint32_t policy,
			      uint32_t *order)
{
	struct ranked *ranked;
	uint32_t i;
	int err;

	err = hft_analyze_check(tasks, nr);
	if (!err)
		err = check_policy(policy);
	if (err)
		return err;
	ranked = calloc(nr, sizeof(*ranked));
	if (!ranked)
		return hft_fail(ENOMEM, "the order of %u tasks", nr);
	for (i = 0; i < nr; i++) {
		ranked[i].rank = rank_of(&tasks[i], policy);
		ranked[i].index = i;
	}
	qsort(ranked, nr, sizeof(*ranked), compare_ranked);
	for (i = 0; i < nr; i++)
		order[i] = ranked[i].index;
	free(ranked);
	return 0;
}

static void close_set(struct hft_analyze_set *set)
{
	free(set->task);
	free(set->index);
	free(set->rest);
}

static int open_set(struct hft_analyze_set *set, const struct hft_analyze_task *tasks,
		    uint32_t nr, const struct hft_analyze_opts *opts)
{
	uint32_t i;
	int err;

	err = hft_analyze_check(tasks, nr);
	if (err)
		return err;
	set->nr = nr;
	set->steps = opts->max_steps ? opts->max_steps : DEFAULT_STEPS;
	set->task = calloc(nr, sizeof(*set->task));
	set->index = calloc(nr, sizeof(*set->index));
	set->rest = calloc(nr, sizeof(*set->rest));
	err = set->task && set->index && set->rest ? 0 : hft_fail(ENOMEM, "%u tasks", nr);
	if (!err)
		err = hft_analyze_order(tasks, nr, opts->policy, set->index);
	if (err) {
		close_set(set);
		return err;
	}
	for (i = 0; i < nr; i++) {
		set->task[i] = tasks[set->index[i]];
		if (!set->task[i].deadline)
			set->task[i].deadline = set->task[i].period;
	}
	set->sum = hft_analyze_compare(set, nr);
	return 0;
}

static int find_verdict(struct hft_analyze_set *set, uint32_t policy,
			struct hft_analyze_miss *miss)
{
	return policy == HFT_ANALYZE_EDF ? hft_analyze_edf(set, miss) :
					   hft_analyze_fixed(set, miss);
}

/**
 * hft_analyze() - are the tasks of a CPU schedulable, and how long do they take?
 * @tasks: the tasks; under %HFT_ANALYZE_FP the highest priority first
 * @nr: how many, 1 to %HFT_ANALYZE_MAX_TASKS
 * @user_opts: the policy; NULL: EDF
 * @analysis: set to the verdict, and the first deadline missed
 * @response: set to @nr response times, ns, in the order of @tasks; may be NULL
 *
 * Exact for tasks as described in this header: EDF by the processor demand (Baruah,
 * Rosier and Howell 1990) as far as QPA has to look (Zhang and Burns 2009, section 4),
 * fixed priorities by response times (Joseph and Pandya 1986; Audsley et al. 1993,
 * section 3) over the busy period (Lehoczky 1990, section 3).  A response time is the
 * longest from the release to the end of any job, when late jobs run on; under EDF from
 * Spuri 1996, section 4, with equal deadlines to the disadvantage of the task.  It is
 * %HFT_ANALYZE_UNBOUNDED where tasks of the same and higher priority ask for more than
 * the CPU, and where it is not found with what opts->max_steps leaves.
 *
 * When several tasks miss their deadlines at once, the one told is the first by
 * priority, and under EDF the one that was released last.
 *
 * The work is pseudo-polynomial: hft_analyze_opts.max_steps bounds it, a step is the evaluation
 * of one term of a sum.
 *
 * Context: any thread; allocates; does not block.
 *
 * Return: 0, and then @analysis has the verdict; or -EINVAL for a task that is out of
 * range, no task or no such policy (hft_strerror() names the task by its index), -E2BIG
 * for too many tasks or options this library does not know, -ENOMEM, -EOVERFLOW when
 * the CPU is busy for more than 2^63 ns, -ETIME when there is no verdict within
 * opts->max_steps.
 */
HFT_API int hft_analyze(const struct hft_analyze_task *tasks, uint32_t nr,
			const struct hft_analyze_opts *user_opts,
			struct hft_analysis *analysis, uint64_t *response)
{
	struct hft_analyze_miss miss = { .task = HFT_ANALYZE_NONE };
	struct hft_analyze_set set = { 0 };
	struct hft_analyze_opts opts;
	uint64_t steps;
	int ret;

	ret = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (!ret)
		ret = open_set(&set, tasks, nr, &opts);
	if (ret)
		return ret;
	steps = set.steps;
	ret = find_verdict(&set, opts.policy, &miss);
	if (ret >= 0) {
		if (response && opts.policy == HFT_ANALYZE_EDF)
			hft_analyze_edf_response(&set, response);
		else if (response)
			hft_analyze_fixed_response(&set, response);
		memset(analysis, 0, sizeof(*analysis));
		analysis->schedulable = ret;
		analysis->missed_task = miss.task == HFT_ANALYZE_NONE ? miss.task :
									set.index[miss.task];
		analysis->missed_deadline = miss.deadline;
		analysis->utilisation = hft_analyze_sum(tasks, nr);
		analysis->density = hft_analyze_density(tasks, nr);
		analysis->steps = steps - set.steps;
		ret = 0;
	}
	close_set(&set);
	return ret;
}

/* Scale times, so that wcets of few nanoseconds can be scaled finely. */
static void refine(struct hft_analyze_set *set)
{
	uint64_t all = 0;
	uint32_t shift, i;

	for (i = 0; i < set->nr; i++)
		all |= set->task[i].wcet | set->task[i].deadline | set->task[i].period;
	shift = (uint32_t)__builtin_clzll(all);
	shift = shift > 64 - SCALED_BITS ? shift - (64 - SCALED_BITS) : 0;
	for (i = 0; i < set->nr; i++) {
		set->task[i].wcet <<= shift;
		set->task[i].deadline <<= shift;
		set->task[i].period <<= shift;
	}
}

/* Returns false when that is more than any task may have. */
static bool scale(struct hft_analyze_set *to, const uint64_t *wcet, uint64_t scale, int shift)
{
	hft_u128 scaled;
	uint32_t i;

	for (i = 0; i < to->nr; i++) {
		scaled = ((hft_u128)wcet[i] * scale) >> shift;
		if (scaled > HFT_ANALYZE_MAX_NS)
			return false;
		to->task[i].wcet = scaled ? (uint64_t)scaled : 1;
	}
	to->sum = hft_analyze_compare(to, to->nr);
	return true;
}

/* One verdict may not have all steps that are left: the next ones are to be easier. */
static int find_scaled_verdict(struct hft_analyze_set *set, uint32_t policy)
{
	const uint64_t left = set->steps, share = left / 8;
	int ret;

	set->steps = share;
	ret = find_verdict(set, policy, NULL);
	set->steps += left - share;
	return ret;
}

static void bisect(struct hft_analyze_set *set, uint32_t policy, const uint64_t *wcet,
		   struct hft_breakdown *breakdown)
{
	const double most = 1 / hft_analyze_sum(set->task, set->nr);
	uint64_t low = 0, high, mid;
	int shift = 0;
	int ret;

	while (ldexp(most, shift) < ldexp(1, SCALE_BITS))
		shift++;
	high = (uint64_t)ldexp(most, shift) + 2;
	breakdown->exact = true;
	while (high - low > 1) {
		mid = low + (high - low) / 2;
		ret = scale(set, wcet, mid, shift) ? find_scaled_verdict(set, policy) : 0;
		breakdown->exact = breakdown->exact && ret >= 0;
		if (ret > 0)
			low = mid;
		else
			high = mid;
	}
	breakdown->scale = ldexp((double)low, -shift);
	breakdown->utilisation = 0;
	if (low && scale(set, wcet, low, shift))
		breakdown->utilisation = hft_analyze_sum(set->task, set->nr);
}

/**
 * hft_analyze_breakdown() - how much more work, or how much less, is just schedulable
 * @tasks: the tasks; under %HFT_ANALYZE_FP the highest priority first
 * @nr: how many, 1 to %HFT_ANALYZE_MAX_TASKS
 * @user_opts: the policy; NULL: EDF
 * @breakdown: set to the scale of all wcets and the utilisation with which the first
 *	deadline is about to be missed
 *
 * J. Lehoczky, L. Sha and Y. Ding, "The Rate Monotonic Scheduling Algorithm: Exact
 * Characterization and Average Case Behavior", RTSS 1989, section 4.  The scale is
 * bisected to 44 bits, with wcets in fractions of a nanosecond where times are below
 * 2^40 ns.
 *
 * hft_analyze_opts.max_steps is for all of the some fifty verdicts together.  One that is
 * not found, for lack of steps or since the CPU would be busy for more than 2^63
 * fractions, counts as a miss: the answer is then safe, but not exact, and says so.
 *
 * Context: any thread; allocates; does not block.
 *
 * Return: 0, or an error as of hft_analyze() but -EOVERFLOW and -ETIME.
 */
HFT_API int hft_analyze_breakdown(const struct hft_analyze_task *tasks, uint32_t nr,
				  const struct hft_analyze_opts *user_opts,
				  struct hft_breakdown *breakdown)
{
	struct hft_analyze_set set = { 0 };
	struct hft_analyze_opts opts;
	uint64_t *wcet;
	uint32_t i;
	int ret;

	ret = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (!ret)
		ret = open_set(&set, tasks, nr, &opts);
	if (ret)
		return ret;
	wcet = calloc(nr, sizeof(*wcet));
	ret = wcet ? 0 : hft_fail(ENOMEM, "%u tasks", nr);
	if (!ret) {
		refine(&set);
		for (i = 0; i < nr; i++)
			wcet[i] = set.task[i].wcet;
		bisect(&set, opts.policy, wcet, breakdown);
	}
	free(wcet);
	close_set(&set);
	return ret;
}
