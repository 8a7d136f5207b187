// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Utilisation of a set, and what it alone says about schedulability.
 */
#include <errno.h>

#include "internal.h"

static bool in_range(uint64_t ns)
{
	return ns && ns <= HFT_ANALYZE_MAX_NS;
}

int hft_analyze_check(const struct hft_analyze_task *tasks, uint32_t nr)
{
	uint32_t i;

	if (!nr)
		return hft_fail(EINVAL, "there are no tasks");
	if (nr > HFT_ANALYZE_MAX_TASKS)
		return hft_fail(E2BIG, "%u tasks: at most %d", nr, HFT_ANALYZE_MAX_TASKS);
	for (i = 0; i < nr; i++) {
		if (!in_range(tasks[i].wcet))
			return hft_fail(EINVAL, "task %u: the wcet is not 1 to 2^63 - 1 ns", i);
		if (!in_range(tasks[i].period))
			return hft_fail(EINVAL, "task %u: the period is not 1 to 2^63 - 1 ns", i);
		if (tasks[i].deadline > HFT_ANALYZE_MAX_NS)
			return hft_fail(EINVAL, "task %u: the deadline is over 2^63 - 1 ns", i);
	}
	return 0;
}

/*
 * Compare the sum of wcet / period of the first @nr tasks to 1: -1, 0, 1.
 *
 * Long division in digits of 64 bits, of all tasks at a time: in units of the last
 * digit the sum less 1 is @excess and the @rest of each task over its period, each
 * of them below 1.  The sum is a fraction over the product of the periods, which
 * has less than 63 bits a task: what is not decided by one digit more than there
 * are tasks is equal.  Nearly always the first decides.
 */
int hft_analyze_compare(const struct hft_analyze_set *set, uint32_t nr)
{
	const struct hft_analyze_task *task = set->task;
	uint64_t *rest = set->rest;
	uint64_t any = 0;
	__int128 excess = -1;
	hft_u128 dividend;
	uint32_t digits, i;

	for (i = 0; i < nr; i++) {
		excess += task[i].wcet / task[i].period;
		rest[i] = task[i].wcet % task[i].period;
		any |= rest[i];
	}
	for (digits = 0; digits <= nr; digits++) {
		if (excess >= 0)
			return excess || any;
		if (!any || excess <= -(__int128)nr)
			return -1;
		excess *= (__int128)1 << 64;
		for (any = 0, i = 0; i < nr; i++) {
			dividend = (hft_u128)rest[i] << 64;
			excess += (__int128)(dividend / task[i].period);
			rest[i] = (uint64_t)(dividend % task[i].period);
			any |= rest[i];
		}
	}
	return excess >= 0 && (excess || any);
}

double hft_analyze_sum(const struct hft_analyze_task *tasks, uint32_t nr)
{
	long double sum = 0;
	uint32_t i;

	for (i = 0; i < nr; i++)
		sum += (long double)tasks[i].wcet / tasks[i].period;
	return (double)sum;
}

static long double density_of(const struct hft_analyze_task *task)
{
	return (long double)task->wcet / hft_analyze_window(task);
}

double hft_analyze_density(const struct hft_analyze_task *tasks, uint32_t nr)
{
	long double sum = 0;
	uint32_t i;

	for (i = 0; i < nr; i++)
		sum += density_of(&tasks[i]);
	return (double)sum;
}

/**
 * hft_analyze_utilisation() - sum of wcet / period
 * @tasks: the tasks of a CPU
 * @nr: how many, 1 to %HFT_ANALYZE_MAX_TASKS
 * @utilisation: set to the sum; 1.0 is a whole CPU
 *
 * The sum is rounded to the nearest double.  hft_analyze() does not depend on it.
 *
 * Context: any thread; does not allocate, block or enter the kernel.
 *
 * Return: 0, or -EINVAL for a task that is out of range or no task, -E2BIG for too
 * many tasks; hft_strerror() names the task by its index.
 */
HFT_API int hft_analyze_utilisation(const struct hft_analyze_task *tasks, uint32_t nr,
				    double *utilisation)
{
	int err = hft_analyze_check(tasks, nr);

	if (!err)
		*utilisation = hft_analyze_sum(tasks, nr);
	return err;
}

/**
 * hft_analyze_liu_layland() - the least upper bound of the utilisation under RM
 * @nr: how many tasks
 *
 * Any @nr tasks with deadlines at the end of their periods are schedulable by
 * rate-monotonic priorities when their utilisation is not above it: nr * (2^(1/nr) - 1),
 * which tends to ln 2.  Sufficient, not necessary.  C. L. Liu and J. W. Layland,
 * "Scheduling Algorithms for Multiprogramming in a Hard-Real-Time Environment",
 * Journal of the ACM 20(1), 1973, section 5, theorem 5.
 *
 * Context: any thread; does not allocate, block or enter the kernel.
 *
 * Return: the bound; 0 for no tasks.
 */
HFT_API double hft_analyze_liu_layland(uint32_t nr)
{
	const long double ln2 = 0.693147180559945309417232121458176568L;
	long double term = ln2, sum = 0;
	uint32_t k;

	/*
	 * nr * (exp(ln2 / nr) - 1) as a series: 2^(1/nr) - 1 would cancel its digits, and
	 * users of the library link no libm for it.
	 */
	for (k = 2; nr && sum + term != sum; k++) {
		sum += term;
		term *= ln2 / nr / k;
	}
	return (double)sum;
}

/**
 * hft_analyze_hyperbolic() - the hyperbolic bound of rate-monotonic priorities
 * @tasks: the tasks of a CPU
 * @nr: how many, 1 to %HFT_ANALYZE_MAX_TASKS
 * @product: set to the product of all (U_i + 1); may be NULL
 *
 * The tasks are schedulable by priorities in the order of min(deadline, period)
 * (%HFT_ANALYZE_DM, and %HFT_ANALYZE_RM where no deadline is before the period)
 * when the product is at most 2, U_i being wcet / min(deadline, period).
 * Sufficient, not necessary, and tighter than Liu and Layland's.  The product is
 * rounded to the nearest double.  E. Bini, G. Buttazzo and G. Buttazzo, "Rate
 * Monotonic Analysis: The Hyperbolic Bound", IEEE Transactions on Computers 52(7), 2003.
 *
 * Context: any thread; does not allocate, block or enter the kernel.
 *
 * Return: 1 when the bound holds, 0 when it does not; -EINVAL for a task that is out
 * of range or no task, -E2BIG for too many tasks.
 */
HFT_API int hft_analyze_hyperbolic(const struct hft_analyze_task *tasks, uint32_t nr,
				   double *product)
{
	long double p = 1;
	uint32_t i;
	int err;

	err = hft_analyze_check(tasks, nr);
	if (err)
		return err;
	for (i = 0; i < nr; i++)
		p *= 1 + density_of(&tasks[i]);
	if (product)
		*product = (double)p;
	return (double)p <= 2;
}

/**
 * hft_analyze_global_edf() - the density bound of EDF over several CPUs
 * @tasks: tasks that may run on any of the CPUs
 * @nr: how many, 1 to %HFT_ANALYZE_MAX_TASKS
 * @cpus: how many CPUs they share
 *
 * EDF that migrates tasks meets all deadlines when the sum of the densities is at
 * most M - (M - 1) * the largest, on M CPUs.  Sufficient, not necessary; what it
 * costs next to CPUs with tasks of their own, as a ring has, is Dhall's effect: a
 * utilisation just above 1 may miss on any number of CPUs.  J. Goossens, S. Funk and
 * S. Baruah, "Priority-Driven Scheduling of Periodic Task Systems on
 * Multiprocessors", Real-Time Systems 25, 2003, theorem 5; for deadlines before the
 * period M. Bertogna, M. Cirinei and G. Lipari, ECRTS 2005.  In doubles.
 *
 * Context: any thread; does not allocate, block or enter the kernel.
 *
 * Return: 1 when the bound holds, 0 when it does not; -EINVAL for a task that is out
 * of range, no task or no CPU, -E2BIG for too many tasks.
 */
HFT_API int hft_analyze_global_edf(const struct hft_analyze_task *tasks, uint32_t nr,
				   uint32_t cpus)
{
	long double largest = 0, density;
	uint32_t i;
	int err;

	err = hft_analyze_check(tasks, nr);
	if (err)
		return err;
	if (!cpus)
		return hft_fail(EINVAL, "there are no CPUs");
	for (i = 0; i < nr; i++) {
		density = density_of(&tasks[i]);
		if (density > largest)
			largest = density;
	}
	return hft_analyze_density(tasks, nr) <= (double)(cpus - (cpus - 1) * largest);
}
