// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Replay a record: what its decisions depend on besides tasks: rules and what they find,
 * leads, and what the clocks were set to.
 *
 * The simulated machine judges its tasks itself: what was written when, and what the workers
 * have reported, is in the record.  What only a kernel can find is taken from its notices.
 */
#include <errno.h>
#include <inttypes.h>
#include <hft/rule.h>

#include "replay.h"

static bool has_fallback(const struct replay_ring *ring)
{
	const struct hft_sim_ring *made = ring->ring->state;

	return made->fallback;
}

/* One that sends tasks to a fallback ring is for a ring that has one here. */
int hft_replay_rule(struct replay *r, const uint64_t *words, size_t index)
{
	struct replay_ring *ring = hft_replay_ring_at(r, words[2]);
	const struct hft_rule rule = {
		.number = (uint32_t)words[3], .action = (uint32_t)words[4],
		.flags = (uint32_t)words[5], .anomalies = (uint32_t)words[6],
		.kinds = (uint32_t)words[7], .classes = (uint32_t)words[8],
		.count = (uint32_t)words[9], .among = (uint32_t)words[10],
		.level = (uint32_t)words[11], .targets = (uint32_t)words[12],
		.budget_ppm = (uint32_t)words[13], .amount = words[14], .most = words[15],
		.leave = words[16], .interval = words[17], .hold = words[18],
		.seasons = (uint32_t)words[19],
	};

	if (!ring)
		return hft_replay_malformed(r, index, "no such ring is open");
	if (rule.action == HFT_ACTION_SPARE && !has_fallback(ring))
		return 0;
	return hft_rule_set(ring->ring, &rule);
}

int hft_replay_lead(struct replay *r, const uint64_t *words, size_t index)
{
	struct replay_ring *ring = hft_replay_ring_at(r, words[2]);
	int err = 0;

	if (!ring)
		return hft_replay_malformed(r, index, "no such ring is open");
	if (words[3] & HFT_LEAD_LEAD && !(r->what_if && hft_what_if_has_lead(r)))
		err = hft_lead_set(ring->ring, words[4]);
	/* Of another way than it was nothing is learned. */
	if (!err && words[3] & HFT_LEAD_BUDGET && !r->what_if)
		err = hft_lead_budget(ring->ring, (uint32_t)words[5]);
	return err;
}

/* A rule has just acted or been undone, or may soon: a moment ago it was otherwise there. */
static bool is_turning(const struct replay *r, const struct hft_detect *detect, uint32_t n)
{
	const struct hft_rule_state *s = &detect->rules[n];
	uint64_t now = r->sim->now, late = r->opts.late_ns;

	if (!s->rule.action)
		return false;
	if (s->changed && hft_replay_distance(s->changed, now) <= late)
		return true;
	if (s->nr && hft_replay_distance(s->last, now) <= late)
		return true;
	return s->in_force && (detect->look <= now || detect->look - now <= late);
}

/* Is one of a ring's rules? */
bool hft_replay_rules_turn(const struct replay *r, const struct hft_ready_queue *ready)
{
	uint32_t n;

	for (n = 0; ready->detect && n < HFT_RULES; n++) {
		if (is_turning(r, ready->detect, n))
			return true;
	}
	return false;
}

/* When the rules of any ring have last changed what they hold the machine to. */
uint64_t hft_replay_rules_changed(const struct replay *r)
{
	uint64_t changed = 0;
	uint32_t i, n;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		const struct hft_sim_ring *ring = r->sim->rings[i];

		for (n = 0; ring && ring->ready.detect && n < HFT_RULES; n++) {
			const struct hft_rule_state *s = &ring->ready.detect->rules[n];

			if (s->rule.action >= HFT_ACTION_REDUCE && s->changed > changed)
				changed = s->changed;
		}
	}
	return changed;
}

/* Have rules hold the machine to @halts, by ring, or to nothing; @halts gets what they did. */
void hft_replay_swap_halts(struct replay *r, uint32_t halts[HFT_MAX_RINGS])
{
	uint32_t i, halt;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		struct hft_sim_ring *ring = r->sim->rings[i];

		if (!ring || !ring->ready.detect)
			continue;
		halt = ring->ready.detect->halt;
		ring->ready.detect->halt = halts[i];
		halts[i] = halt;
	}
	hft_sim_hold_rings(r->sim);
}

/* Does one that may let go of it just now hold the machine? */
bool hft_replay_halt_turns(const struct replay *r)
{
	uint32_t i;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		const struct hft_sim_ring *ring = r->sim->rings[i];

		if (ring && ring->ready.detect && ring->ready.detect->halt &&
		    hft_replay_rules_turn(r, &ring->ready))
			return true;
	}
	return false;
}

/* May a rule be about to hold the machine to something? */
bool hft_replay_halt_nears(const struct replay *r)
{
	uint32_t i, n;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		const struct hft_sim_ring *ring = r->sim->rings[i];
		const struct hft_detect *detect = ring ? ring->ready.detect : NULL;

		for (n = 0; detect && n < HFT_RULES; n++) {
			if (detect->rules[n].rule.action >= HFT_ACTION_REDUCE &&
			    is_turning(r, detect, n))
				return true;
		}
	}
	return false;
}

/*
 * A task was taken, and is shed here by a rule that may not have been in force yet, or no
 * more.  Returns its id, or a negative errno.
 */
int64_t hft_replay_submit_shed(struct replay *r, const struct hft_task *task)
{
	struct hft_ready_queue *ready = &r->sim->rings[task->ring]->ready;
	int64_t result = -ENOBUFS;
	uint32_t shed;

	if (!hft_replay_rules_turn(r, ready))
		return result;
	shed = ready->detect->shed;
	ready->detect->shed = 0;
	hft_submit_batch(r->h, task, 1, &result);
	ready->detect->shed = shed;
	r->result.late++;
	return result;
}

/* A task is of the level that it had: a rule that raises may have come to it before. */
void hft_replay_set_level(struct replay *r, const struct replay_task *task)
{
	const struct replay_ring *ring =
		hft_replay_ring_at(r, r->recording.records[task->record].words[6]);
	const struct hft_slot *slot = hft_sim_find(r->sim, task->sim_id);
	struct hft_modify modify = { .task = task->sim_id, .fields = HFT_MODIFY_LEVEL };
	const struct hft_sim_ring *made = ring ? ring->ring->state : NULL;

	if (!slot || !made || !made->ready.detect || !task->events || task->modified_level)
		return;
	modify.level = (uint32_t)r->recording.records[task->events].words[11];
	if (modify.level == slot->level ||
	    (slot->ready == &made->ready && !hft_replay_rules_turn(r, slot->ready)))
		return;
	hft_modify(r->h, &modify);
	r->result.late++;
}

/* Is what a worker has reported still to be known, which was a moment ago there? */
static bool knows_soon(const struct replay *r, uint64_t number)
{
	size_t i;

	for (i = r->at + 1; i < r->nr_actions; i++) {
		const struct replay_action *action = &r->actions[i];
		const struct hft_record *record = &r->recording.records[action->index];

		if (action->time > r->sim->now && action->time - r->sim->now > r->opts.late_ns)
			return false;
		if (action->index && record->kind == HFT_RECORD_ADVANCE &&
		    record->words[2] == number)
			return true;
	}
	return false;
}

/* Rules act as they have: the response of one is in the record if it was told of. */
static int check_response(struct replay *r, const uint64_t *words, size_t index)
{
	struct replay_ring *ring = hft_replay_ring_at(r, words[2] & UINT32_MAX);
	uint64_t number = words[2] >> 32;
	bool applied = words[8] == HFT_RESPONSE_APPLIED, in_force;
	const struct hft_detect *detect;
	const struct hft_sim_ring *made;

	if (!ring || number >= HFT_RULES)
		return hft_replay_malformed(r, index, "a response of a rule that there is not");
	made = ring->ring->state;
	ring->responded = words[0];
	detect = made->ready.detect;
	if (r->what_if || (words[10] == HFT_ACTION_SPARE && !made->fallback) ||
	    (!applied && words[8] != HFT_RESPONSE_UNDONE))
		return 0;
	in_force = detect && detect->rules[number].in_force;
	if (in_force == applied)
		return 0;
	r->result.late++;
	if (detect && is_turning(r, detect, (uint32_t)number))
		return 0;
	if (detect && applied && knows_soon(r, words[2] & UINT32_MAX))
		return 0;
	return hft_fail(EPROTO, "%s: record %zu at %" PRIu64 " ns: rule %" PRIu64 " of ring %"
			PRIu64 " was %s, and is not", r->recording.path, index, words[0], number,
			words[2] & UINT32_MAX, applied ? "applied" : "undone");
}

/* The machine has no other interrupts, and clocks that nobody sets, but for these. */
static int find_anomaly(struct replay *r, const uint64_t *words, size_t index)
{
	struct replay_ring *ring = hft_replay_ring_at(r, words[2] & UINT32_MAX);
	uint64_t untold = words[2] >> 32;
	struct hft_sim_ring *made;
	uint64_t n;

	if (words[8] != HFT_ANOMALY_INTERFERENCE && words[8] != HFT_ANOMALY_CLOCK)
		return 0;
	if (!ring)
		return hft_replay_malformed(r, index, "no such ring is open");
	made = ring->ring->state;
	/* No rule waits for more of them. */
	for (n = 0; n <= untold && n <= HFT_RULE_MOST; n++)
		hft_detect_event(&made->ready, (enum hft_anomaly)words[8], words[3], words[0]);
	hft_sim_commit(made->cpu);
	return 0;
}

/* What a clock says is another from here on: what waits for it is released by that. */
static void set_offset(struct replay *r, enum hft_clock clock, uint64_t offset)
{
	uint32_t i;

	for (i = 0; i < r->sim->opts.cpus; i++) {
		struct hft_release_queue *queue = &r->sim->cpus[i].release;

		queue->offset[clock] = offset;
		queue->timers[clock].armed = U64_MAX;
		queue->rearm = true;
		hft_sim_commit(&r->sim->cpus[i]);
	}
}

/* An offset is of a time since 1970, and a machine has that of its time. */
static bool is_offset(const struct replay *r, uint64_t offset)
{
	return offset <= HFT_TIME_MAX && r->sim->now <= HFT_TIME_MAX - offset;
}

int hft_replay_clock(struct replay *r, const uint64_t *words)
{
	if (is_offset(r, words[2]))
		set_offset(r, HFT_CLOCK_REALTIME, words[2]);
	if (is_offset(r, words[3]))
		set_offset(r, HFT_CLOCK_TAI, words[3]);
	r->clocks_known = words[1];
	return 0;
}

/*
 * That a clock was set is found some time later, unless there is a notice of it: what is
 * dispatched now by another clock than the machine has may tell that it was already.
 */
bool hft_replay_clock_early(struct replay *r)
{
	size_t i;

	for (i = r->at + 1; i < r->nr_actions; i++) {
		const struct hft_record *record = &r->recording.records[r->actions[i].index];

		if (record->kind != HFT_RECORD_CLOCK || !r->actions[i].index)
			continue;
		if (record->words[0] > r->sim->now)
			return false;
		r->actions[i].index = 0;
		hft_replay_clock(r, record->words);
		return true;
	}
	return false;
}

/* A clock was set, by so much, if that is not known yet. */
static void step_clock(struct replay *r, const uint64_t *words)
{
	uint64_t clock = words[10], offset;

	if (words[8] != HFT_FAULT_STEP || clock == HFT_CLOCK_MONOTONIC || clock >= HFT_CLOCKS ||
	    words[0] <= r->clocks_known)
		return;
	offset = hft_sim_offset(r->sim, (enum hft_clock)clock) + words[3];
	if (is_offset(r, offset))
		set_offset(r, (enum hft_clock)clock, offset);
}

/* What the clock said is in the event of the job, if there was one. */
uint64_t hft_replay_release_of_arrival(const struct replay *r, const struct replay_task *task,
				       const uint64_t *words)
{
	uint64_t clock = r->recording.records[task->record].words[8];

	if (!words[REPLAY_ARRIVED] || clock >= HFT_CLOCKS)
		return words[3];
	return words[3] + hft_sim_offset(r->sim, (enum hft_clock)clock);
}

int hft_replay_notice(struct replay *r, const uint64_t *words, size_t index)
{
	switch (words[9]) {
	case HFT_EVENT_CLOCK:
		step_clock(r, words);
		return 0;
	case HFT_EVENT_CPU_OFFLINE:
	case HFT_EVENT_CPU_ONLINE:
		hft_replay_cpu_notice(r, words);
		return 0;
	case HFT_EVENT_ANOMALY:
		return find_anomaly(r, words, index);
	case HFT_EVENT_RESPONSE:
		return check_response(r, words, index);
	default:
		return 0;
	}
}
