// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Processor demand and response times under earliest deadline first.
 *
 * S. Baruah, L. Rosier and R. Howell, "Algorithms and Complexity Concerning the
 * Preemptive Scheduling of Periodic, Real-Time Tasks on One Processor", Real-Time
 * Systems 2, 1990: all deadlines are met if and only if the demand h(t) of the jobs
 * that are released and due within t is at most t, for all t up to a bound.  F. Zhang
 * and A. Burns, "Schedulability Analysis for Real-Time Systems with EDF Scheduling",
 * IEEE Transactions on Computers 58(9), 2009: which few t have to be looked at.
 */
#include <errno.h>

#include "internal.h"

/* h(t), saturated */
static uint64_t demand_at(const struct hft_analyze_task *task, uint32_t nr, uint64_t t)
{
	hft_u128 sum = 0;
	uint32_t i;

	for (i = 0; i < nr && sum <= UINT64_MAX; i++)
		if (t >= task[i].deadline)
			sum += (hft_u128)((t - task[i].deadline) / task[i].period + 1) *
			       task[i].wcet;
	return hft_analyze_saturate(sum);
}

/* The last absolute deadline before @t, 0 when there is none. */
static uint64_t deadline_before(const struct hft_analyze_set *set, uint64_t t)
{
	const struct hft_analyze_task *task = set->task;
	uint64_t last = 0, deadline;
	uint32_t i;

	for (i = 0; i < set->nr; i++) {
		if (task[i].deadline >= t)
			continue;
		deadline = t - 1 - (t - 1 - task[i].deadline) % task[i].period;
		if (deadline > last)
			last = deadline;
	}
	return last;
}

/*
 * Is the demand more than the time, for some time before @bound?  Returns 0 with one in
 * @at, 1 when there is none, -ETIME.  (Zhang and Burns, section 4: below t nothing has to
 * be looked at down to h(t), since h(s) <= h(t) <= s there.)
 */
static int find_excess(struct hft_analyze_set *set, uint64_t bound, uint64_t *at)
{
	uint64_t t = deadline_before(set, bound);
	uint64_t demand;

	while (t) {
		if (!hft_analyze_spend(set, 2 * (uint64_t)set->nr))
			return hft_analyze_fail_steps();
		demand = demand_at(set->task, set->nr, t);
		if (demand > t) {
			*at = t;
			return 0;
		}
		t = demand < t ? demand : deadline_before(set, t);
	}
	return 1;
}

/*
 * If the demand is ever more than the time it is before this; UINT64_MAX when that is
 * not before 2^63 ns.  A task's part of h(t) is at most (t + T_i - D_i) * U_i, and t * U_i
 * with its deadline after the period; so h(t) is above t only before the sum of the
 * (T_i - D_i) * U_i above 0, over 1 - U.  The sum is rounded up, 1 - U down, to 64 bits of
 * fraction.
 */
static uint64_t utilisation_bound(const struct hft_analyze_set *set)
{
	const struct hft_analyze_task *task = set->task;
	hft_u128 used = 0, sum = 0;
	uint32_t i;

	for (i = 0; i < set->nr; i++) {
		used += ((hft_u128)task[i].wcet << 64) / task[i].period + 1;
		if (task[i].deadline < task[i].period)
			sum += (hft_u128)(task[i].period - task[i].deadline) * task[i].wcet /
			       task[i].period + 1;
	}
	if (used >> 64 || sum >> 63)
		return UINT64_MAX;
	sum = (sum << 64) / (((hft_u128)1 << 64) - used) + 2;
	return sum > HFT_ANALYZE_MAX_NS ? UINT64_MAX : (uint64_t)sum;
}

static uint64_t sum_of_wcets(const struct hft_analyze_set *set)
{
	hft_u128 sum = 0;
	uint32_t i;

	for (i = 0; i < set->nr; i++)
		sum += set->task[i].wcet;
	return hft_analyze_saturate(sum);
}

/*
 * Find some excess.  What there is is mostly early: so look further and further.  With
 * a utilisation of at most 1 that ends at the smaller of two bounds (Zhang and Burns,
 * section 3): the one above, and the busy period that begins when all tasks are
 * released at once, which is computed as far as needed.  With more there is an excess,
 * but it may take longer than there are numbers.  -EOVERFLOW when these end first.
 */
static int find_any_excess(struct hft_analyze_set *set, uint64_t *at)
{
	const uint64_t last = (uint64_t)HFT_ANALYZE_MAX_NS + 1;
	uint64_t end = set->sum < 0 ? utilisation_bound(set) : UINT64_MAX;
	uint64_t busy = sum_of_wcets(set);
	uint64_t bound = 1;
	int ret;

	for (;;) {
		bound = bound > last / 2 ? last : 2 * bound;
		ret = set->sum > 0 ? 0 : hft_analyze_fixed_point(set, set->nr, 0, bound, &busy);
		if (ret < 0)
			return ret;
		if (ret && busy < end)
			end = busy;
		ret = find_excess(set, bound < end ? bound : end, at);
		if (ret <= 0 || bound >= end)
			return ret;
		if (bound == last)
			return hft_fail(EOVERFLOW, "the CPU is busy for over 2^63 ns");
	}
}

/* The first excess, of which @at is one: bisected, for each step rules out all below. */
static int find_first_excess(struct hft_analyze_set *set, uint64_t *at)
{
	uint64_t low = 0, high = *at;
	uint64_t mid, found;
	int ret;

	while (low < high) {
		mid = low + (high - low) / 2;
		ret = find_excess(set, mid + 1, &found);
		if (ret < 0)
			return ret;
		if (ret)
			low = mid + 1;
		else
			high = found;
	}
	*at = high;
	return 0;
}

/*
 * The task that misses the first deadline missed.  What is unfinished then is due just
 * then, and the job of them that was released last is among it.
 */
static uint32_t find_missed(const struct hft_analyze_set *set, uint64_t at)
{
	const struct hft_analyze_task *task = set->task;
	uint32_t missed = HFT_ANALYZE_NONE;
	uint32_t i;

	for (i = 0; i < set->nr; i++) {
		if (at < task[i].deadline || (at - task[i].deadline) % task[i].period)
			continue;
		if (missed == HFT_ANALYZE_NONE || task[i].deadline <= task[missed].deadline)
			missed = i;
	}
	return missed;
}

static bool has_early_deadline(const struct hft_analyze_set *set)
{
	uint32_t i;

	for (i = 0; i < set->nr; i++)
		if (set->task[i].deadline < set->task[i].period)
			return true;
	return false;
}

int hft_analyze_edf(struct hft_analyze_set *set, struct hft_analyze_miss *miss)
{
	uint64_t at;
	int ret;

	if (set->sum > 0 && !miss)
		return 0;
	if (set->sum <= 0 && !has_early_deadline(set))
		return 1;
	ret = find_any_excess(set, &at);
	if (ret > 0 || (ret < 0 && set->sum <= 0))
		return ret;
	if (!miss)
		return 0;
	miss->task = HFT_ANALYZE_NONE;
	miss->deadline = 0;
	if (!ret && !find_first_excess(set, &at)) {
		miss->task = find_missed(set, at);
		miss->deadline = at;
	}
	return 0;
}

/* What is due by @due and released before @w in a busy period, but for task @i. */
static uint64_t interference(const struct hft_analyze_set *set, uint32_t i, uint64_t due,
			     uint64_t w)
{
	const struct hft_analyze_task *task = set->task;
	uint64_t released, in_time, sum = 0;
	uint32_t j;

	for (j = 0; j < set->nr; j++) {
		if (j == i || task[j].deadline > due)
			continue;
		released = hft_analyze_ceil(w, task[j].period);
		in_time = (due - task[j].deadline) / task[j].period + 1;
		sum += (released < in_time ? released : in_time) * task[j].wcet;
	}
	return sum;
}

/*
 * When task @i's job released at @a ends if all others are released at 0 and its deadline
 * counts; 0 when no steps are left.  It may be before @a: then the job is alone.
 */
static uint64_t end_of_job(struct hft_analyze_set *set, uint32_t i, uint64_t a)
{
	const struct hft_analyze_task *t = &set->task[i];
	uint64_t work = (a / t->period + 1) * t->wcet;
	uint64_t w = work, next;

	for (;;) {
		if (!hft_analyze_spend(set, set->nr))
			return 0;
		next = work + interference(set, i, a + t->deadline, w);
		if (next == w)
			return w;
		w = next;
	}
}

/* The last release of task @i before @before that has a deadline of a task at its own. */
static bool release_before(const struct hft_analyze_set *set, uint32_t i, uint64_t before,
			   uint64_t *a)
{
	uint64_t own = set->task[i].deadline;
	uint64_t last;

	if (!before)
		return false;
	last = deadline_before(set, before + own);
	*a = last > own ? last - own : 0;
	return true;
}

/*
 * M. Spuri, "Analysis of Deadline Scheduled Real-Time Systems", INRIA RR-2772, 1996,
 * section 4: the longest response of a task is in a busy period in which all others
 * are released at its start, and its own deadline is one of theirs, or it is released
 * at the start too.  Equal deadlines are taken to go before.
 *
 * A job released earlier ends no later: with an end at w no release from w - longest on
 * has a longer response, so from the last one down most are passed over.
 */
static uint64_t longest_response(struct hft_analyze_set *set, uint32_t i, uint64_t busy)
{
	uint64_t longest = set->task[i].wcet;
	uint64_t before = busy;
	uint64_t a, end;

	end = end_of_job(set, i, 0);
	if (end > longest)
		longest = end;
	while (release_before(set, i, before, &a)) {
		end = hft_analyze_spend(set, set->nr) ? end_of_job(set, i, a) : 0;
		if (!end)
			return HFT_ANALYZE_UNBOUNDED;
		if (end > a && end - a > longest)
			longest = end - a;
		before = end > longest ? end - longest : 0;
		if (before > a)
			before = a;
	}
	return longest;
}

void hft_analyze_edf_response(struct hft_analyze_set *set, uint64_t *response)
{
	uint64_t busy = sum_of_wcets(set);
	uint32_t i;
	bool ends;

	ends = set->sum <= 0 &&
	       hft_analyze_fixed_point(set, set->nr, 0, HFT_ANALYZE_MAX_NS, &busy) > 0;
	for (i = 0; i < set->nr; i++)
		response[set->index[i]] = ends ? longest_response(set, i, busy) :
						 HFT_ANALYZE_UNBOUNDED;
}

/**
 * hft_analyze_demand() - the processor demand within a time
 * @tasks: the tasks of a CPU
 * @nr: how many, 1 to %HFT_ANALYZE_MAX_TASKS
 * @time: how long, ns
 * @demand: set to the work of all jobs that are released and due within @time, when all
 *	tasks are released at its start, ns
 *
 * EDF meets all deadlines if and only if the demand is at most the time, for every
 * time.  S. Baruah, L. Rosier and R. Howell, Real-Time Systems 2, 1990, lemma 3.
 *
 * Context: any thread; does not allocate, block or enter the kernel.
 *
 * Return: 0, or -EINVAL for a task that is out of range or no task, -E2BIG for too
 * many tasks, -EOVERFLOW when the demand has more than 64 bits.
 */
HFT_API int hft_analyze_demand(const struct hft_analyze_task *tasks, uint32_t nr, uint64_t time,
			       uint64_t *demand)
{
	struct hft_analyze_task task;
	hft_u128 sum = 0;
	uint32_t i;
	int err;

	err = hft_analyze_check(tasks, nr);
	if (err)
		return err;
	for (i = 0; i < nr; i++) {
		task = tasks[i];
		if (!task.deadline)
			task.deadline = task.period;
		sum += demand_at(&task, 1, time);
	}
	if (sum >= UINT64_MAX)
		return hft_fail(EOVERFLOW, "the demand is over 2^64 - 2 ns");
	*demand = (uint64_t)sum;
	return 0;
}
