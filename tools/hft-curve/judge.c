// SPDX-License-Identifier: LGPL-2.1-or-later
/* Random task sets, and who finds them schedulable. */
#include <errno.h>
#include <hft/analyze.h>
#include <hft/hft.h>
#include <hft/sim.h>

#include "core/admission.h"
#include "../../libhft/src/taskset.h"
#include "hft-curve.h"

const char *const judge_names[JUDGES] = {
	[JUDGE_EDF] = "edf",
	[JUDGE_FIXED] = "fixed",
	[JUDGE_ADMIT_EDF] = "admit_edf",
	[JUDGE_ADMIT_RM] = "admit_rm",
	[JUDGE_SIM_EDF] = "sim_edf",
	[JUDGE_SIM_RM] = "sim_rm",
};

/* A task of a set, which submits its next job itself. */
struct source {
	const struct hft_analyze_task *of;
	int err;
};

static int judge_exact(const struct hft_analyze_task *t, uint32_t nr, uint32_t policy)
{
	HFT_OPTS(hft_analyze_opts, opts, .policy = policy);
	struct hft_analysis analysis;
	int err = hft_analyze(t, nr, &opts, &analysis, NULL);

	if (err)
		return fail_hft(err, "analyze");
	return analysis.schedulable;
}

static int judge_admission(const struct hft_analyze_task *t, uint32_t nr, bool rm)
{
	uint32_t cap = hft_admission_cap(HFT_ADMISSION_PPM), i;
	struct hft_admission sum = { 0 };

	for (i = 0; i < nr; i++) {
		struct hft_admission_demand demand;

		demand = hft_admission_demand(t[i].wcet, t[i].deadline, t[i].period);
		if (!(rm ? hft_admission_fits_rm(&sum, &demand, cap) :
			   hft_admission_fits_edf(&sum, &demand, cap)))
			return 0;
		hft_admission_add(&sum, &demand);
	}
	return 1;
}

static void release(struct hft_sim *sim, uint64_t now, void *arg)
{
	struct source *source = arg;
	const struct hft_analyze_task *of = source->of;
	struct hft_task task = {
		.release = now, .deadline = now + of->deadline, .period = of->period,
		.wcet = of->wcet,
	};
	int err = hft_sim_submit(sim, &task, NULL);

	if (!err && now + of->period < TASKSET_HYPERPERIOD)
		err = hft_sim_call_at(sim, now + of->period, release, source);
	if (err)
		source->err = err;
}

static void stop_at_miss(const struct hft_sim_record *record, void *arg)
{
	struct hft_sim **sim = arg;

	if (record->what == HFT_SIM_MISS)
		hft_sim_stop(*sim);
}

static int carry_out(struct hft_sim *sim, const struct hft_analyze_task *t, uint32_t nr,
		     uint32_t policy)
{
	HFT_OPTS(hft_sim_worker_opts, worker, .flags = HFT_SIM_PREEMPTIVE);
	HFT_OPTS(hft_ring_opts, ring, .entries = 4096, .policy = policy);
	struct source source[TASKSET_MOST];
	uint32_t i;
	int err = hft_sim_ring_add(sim, &ring);

	if (err < 0)
		return err;
	err = hft_sim_worker_add(sim, (uint32_t)err, &worker);
	for (i = 0; i < nr && !err; i++) {
		source[i] = (struct source){ .of = &t[i] };
		err = hft_sim_call_at(sim, 0, release, &source[i]);
	}
	if (!err)
		err = hft_sim_run_until(sim, TASKSET_HYPERPERIOD);
	for (i = 0; i < nr && (!err || err == -ECANCELED); i++)
		err = source[i].err ? source[i].err : err;
	return err;
}

static int judge_sim(const struct hft_analyze_task *t, uint32_t nr, uint32_t policy)
{
	struct hft_sim *sim;
	HFT_OPTS(hft_sim_opts, opts, .record = stop_at_miss, .record_arg = &sim);
	int err = hft_sim_open(&sim, &opts);

	if (!err) {
		err = carry_out(sim, t, nr, policy);
		hft_sim_close(sim);
	}
	if (err && err != -ECANCELED)
		return fail_hft(err, "simulate");
	return !err;
}

static int judge(const struct hft_analyze_task *t, uint32_t nr, enum judge judge)
{
	switch (judge) {
	case JUDGE_EDF:
		return judge_exact(t, nr, HFT_ANALYZE_EDF);
	case JUDGE_FIXED:
		return judge_exact(t, nr, HFT_ANALYZE_DM);
	case JUDGE_ADMIT_EDF:
		return judge_admission(t, nr, false);
	case JUDGE_ADMIT_RM:
		return judge_admission(t, nr, true);
	case JUDGE_SIM_EDF:
		return judge_sim(t, nr, HFT_POLICY_EDF);
	default:
		return judge_sim(t, nr, HFT_POLICY_RM);
	}
}

int judge_point(const struct config *config, uint64_t *random, struct point *point)
{
	struct hft_analyze_task t[TASKSET_MOST];
	enum judge j;
	uint32_t i;
	int ret;

	for (i = 0; i < config->sets; i++) {
		random_taskset(random, t, config->tasks, point->utilisation, config->constrained);
		for (j = 0; j < JUDGES; j++) {
			if (!is_asked(config, j))
				continue;
			ret = judge(t, config->tasks, j);
			if (ret < 0)
				return ret;
			point->schedulable[j] += (uint32_t)ret;
		}
	}
	return 0;
}
