// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Response times under fixed priorities.
 *
 * M. Joseph and P. Pandya, "Finding Response Times in a Real-Time System", The
 * Computer Journal 29(5), 1986; N. Audsley, A. Burns, M. Richardson, K. Tindell and
 * A. Wellings, "Applying New Scheduling Theory to Static Priority Pre-emptive
 * Scheduling", Software Engineering Journal 8(5), 1993, section 3; for deadlines after
 * the period J. P. Lehoczky, "Fixed Priority Scheduling of Periodic Task Sets with
 * Arbitrary Deadlines", RTSS 1990, section 3.
 */
#include <errno.h>

#include "internal.h"

/*
 * The least w with w = @work + sum of ceil(w / T_j) * C_j over the first @nr tasks, from
 * a @w below or at it.  Returns 1; 0 when it is above @most; -ETIME.
 */
int hft_analyze_fixed_point(struct hft_analyze_set *set, uint32_t nr, uint64_t work,
			    uint64_t most, uint64_t *w)
{
	const struct hft_analyze_task *task = set->task;
	hft_u128 next;
	uint32_t j;

	for (;;) {
		if (*w > most)
			return 0;
		if (!hft_analyze_spend(set, nr + 1))
			return hft_analyze_fail_steps();
		next = work;
		for (j = 0; j < nr && next <= most; j++)
			next += (hft_u128)hft_analyze_ceil(*w, task[j].period) * task[j].wcet;
		if (next > most)
			return 0;
		if (next == *w)
			return 1;
		*w = (uint64_t)next;
	}
}

/*
 * Look for the first job of task @i in its busy period that ends after its deadline, if
 * that is before *@missed.  The longest response of any job is in the busy period that
 * begins when all tasks are released at once, and so is a miss.
 *
 * *@first is when the first job of a task of higher priority has ended: that of this one
 * ends at least its wcet later.
 */
static int find_miss(struct hft_analyze_set *set, uint32_t i, uint64_t *first, uint64_t *missed)
{
	const struct hft_analyze_task *t = &set->task[i];
	uint64_t release = 0, finish = *first, work = 0;
	const uint64_t before = *missed;
	uint64_t deadline, most;
	int ret;

	for (;;) {
		deadline = release + t->deadline;
		if (deadline >= before)
			return 1;
		most = deadline < HFT_ANALYZE_MAX_NS ? deadline : HFT_ANALYZE_MAX_NS;
		work += t->wcet;
		finish += t->wcet;
		ret = hft_analyze_fixed_point(set, i, work, most, &finish);
		if (ret < 0)
			return ret;
		if (!ret && most < deadline)
			return hft_fail(EOVERFLOW, "task %u is still busy after 2^63 ns",
					set->index[i]);
		if (!ret) {
			*missed = deadline;
			return 0;
		}
		if (!release)
			*first = finish;
		if (finish - release <= t->period)
			return 1;
		release += t->period;
	}
}

int hft_analyze_fixed(struct hft_analyze_set *set, struct hft_analyze_miss *miss)
{
	struct hft_analyze_miss first = { .task = HFT_ANALYZE_NONE, .deadline = UINT64_MAX };
	uint64_t end = 0;
	uint32_t i;
	int ret;

	if (set->sum > 0 && !miss)
		return 0;
	for (i = 0; i < set->nr; i++) {
		ret = find_miss(set, i, &end, &first.deadline);
		if (ret < 0)
			break;
		if (ret)
			continue;
		if (!miss)
			return 0;
		first.task = i;
	}
	if (i == set->nr && first.task == HFT_ANALYZE_NONE)
		return 1;
	if (i < set->nr && first.task == HFT_ANALYZE_NONE && set->sum <= 0)
		return ret;
	/* With an error some deadline is missed, but not known which is the first. */
	miss->task = i < set->nr ? HFT_ANALYZE_NONE : first.task;
	miss->deadline = i < set->nr ? 0 : first.deadline;
	return 0;
}

/* The longest response of a job of task @i in its busy period, which ends.  @first as above. */
static uint64_t longest_response(struct hft_analyze_set *set, uint32_t i, uint64_t *first)
{
	const struct hft_analyze_task *t = &set->task[i];
	uint64_t release = 0, finish = *first, work = 0, longest = 0;

	for (;;) {
		work += t->wcet;
		finish += t->wcet;
		if (hft_analyze_fixed_point(set, i, work, HFT_ANALYZE_MAX_NS, &finish) <= 0)
			return HFT_ANALYZE_UNBOUNDED;
		if (!release)
			*first = finish;
		if (finish - release > longest)
			longest = finish - release;
		if (finish - release <= t->period)
			return longest;
		release += t->period;
	}
}

/* How many levels from the highest on ask for no more than the CPU together. */
static uint32_t count_bounded(const struct hft_analyze_set *set)
{
	uint32_t low = 0, high = set->nr;
	uint32_t mid;

	if (set->sum <= 0)
		return set->nr;
	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (hft_analyze_compare(set, mid) > 0)
			high = mid;
		else
			low = mid;
	}
	return low;
}

void hft_analyze_fixed_response(struct hft_analyze_set *set, uint64_t *response)
{
	uint32_t bounded = count_bounded(set);
	uint64_t end = 0;
	uint32_t i;

	for (i = 0; i < set->nr; i++)
		response[set->index[i]] = i < bounded ? longest_response(set, i, &end) :
							HFT_ANALYZE_UNBOUNDED;
}
