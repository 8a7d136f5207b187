// SPDX-License-Identifier: LGPL-2.1-or-later
/* A simulated machine: rules of its rings.  What they find is told at the same instant. */
#include <errno.h>
#include <stdlib.h>

#include "sim.h"

u32 hft_sim_halt_rank(const struct hft_sim *sim)
{
	u32 i, halt = HFT_HALT_NONE;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (sim->rings[i] && sim->rings[i]->ready.detect &&
		    sim->rings[i]->ready.detect->halt > halt)
			halt = sim->rings[i]->ready.detect->halt;
	}
	return hft_sched_rank(sim->halt, halt);
}

void hft_sim_tell_later(struct hft_ready_queue *ready)
{
	hft_sim_ring_of(ready)->sim->telling |= 1ULL << ready->number;
}

/* Tell what the judged rings have found, and hold the others to what their rules say. */
void hft_sim_rule_tell(struct hft_sim *sim)
{
	struct hft_event events[HFT_DETECT_PENDING];
	u32 i, nr;
	u64 rings;

	while (sim->telling && !sim->told) {
		sim->told = true;
		rings = sim->telling;
		sim->telling = 0;
		for (; rings; rings &= rings - 1) {
			struct hft_sim_ring *ring = sim->rings[__builtin_ctzll(rings)];

			nr = ring ? hft_detect_take(&ring->ready, events) : 0;
			for (i = 0; i < nr; i++)
				hft_sim_tell(sim, &events[i]);
		}
		hft_sim_hold_rings(sim);
		sim->told = false;
	}
}

/* When a day begins on the machine's CLOCK_REALTIME. */
static u64 midnight(const struct hft_sim_cpu *cpu)
{
	return HFT_DAY_NS - cpu->release.offset[HFT_CLOCK_REALTIME] % HFT_DAY_NS;
}

static int judge(struct hft_sim_ring *ring, u32 seasons)
{
	struct hft_detect *detect;

	if (ring->ready.detect)
		return 0;
	detect = calloc(1, hft_detect_bytes(seasons));
	if (!detect)
		return -ENOMEM;
	hft_ready_set_detect(&ring->ready, hft_detect_init(detect, seasons, midnight(ring->cpu)));
	return 0;
}

static int visit_all(struct hft_sim_ring *ring)
{
	struct hft_slots *pool = &ring->sim->pool;
	int err = 0;
	u32 i;

	for (i = 0; i < pool->nr && !err; i++)
		err = hft_rule_visit(&ring->ready, &pool->slots[i]);
	return err;
}

/* Up to which level rules may send tasks to @to.  As the module's hft_spare_reach(). */
static s32 spare_reach(const struct hft_sim_ring *to)
{
	s32 reach = -1;
	u32 i, n;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		const struct hft_sim_ring *ring = to->sim->rings[i];

		if (!ring || ring->fallback != to || !ring->ready.detect)
			continue;
		for (n = 0; n < HFT_RULES; n++) {
			const struct hft_rule *rule = &ring->ready.detect->rules[n].rule;

			if (rule->action == HFT_ACTION_SPARE && (s32)rule->level > reach)
				reach = (s32)rule->level;
		}
	}
	return reach;
}

/* A ring's rules are others now, or it is none of its machine's any more. */
void hft_sim_rule_forget(struct hft_sim_ring *ring)
{
	if (ring->fallback)
		ring->fallback->ready.spare_reach = spare_reach(ring->fallback);
}

/* Have the fallback ring take no hard tasks that would wait for those of @rule. */
static int begin_spare(struct hft_sim_ring *ring, const struct hft_rule *rule)
{
	struct hft_sim_ring *to = ring->fallback;

	if (!to)
		return -ENODEV;
	if (!(to->ready.level_mask & BIT(rule->level)))
		return -EINVAL;
	if ((s32)rule->level > to->ready.spare_reach)
		to->ready.spare_reach = (s32)rule->level;
	return visit_all(to);
}

int hft_sim_set_rule(struct hft_sim *sim, const struct hft_rule *rule)
{
	struct hft_sim_ring *ring = hft_sim_ring_at(sim, rule->ring);
	int err;

	if (!hft_rule_valid(rule))
		return -EINVAL;
	if (!ring)
		return -ENOENT;
	if (ring == sim->monitor)
		return -EINVAL;
	if (rule->action == HFT_ACTION_NONE && !ring->ready.detect)
		return 0;
	err = judge(ring, rule->seasons ? rule->seasons : 1);
	if (err)
		return err;
	err = hft_rule_begin(&ring->ready, rule);
	if (!err && rule->action == HFT_ACTION_SPARE)
		err = begin_spare(ring, rule);
	if (!err)
		err = visit_all(ring);
	hft_rule_end(&ring->ready, rule, err, sim->now);
	hft_sim_rule_forget(ring);
	hft_sim_commit(ring->cpu);
	return err;
}

int hft_sim_rule_info(struct hft_sim *sim, struct hft_rule_info *info)
{
	struct hft_sim_ring *ring = hft_sim_ring_at(sim, info->ring);

	if (info->number >= HFT_RULES || info->reserved)
		return -EINVAL;
	if (!ring)
		return -ENOENT;
	hft_job_look(&ring->ready);
	hft_rule_info_fill(&ring->ready, info);
	hft_sim_commit(ring->cpu);
	return 0;
}
