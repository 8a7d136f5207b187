/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * Rules: what is done about anomalies, and when it is undone.
 *
 * A rule acts after hft_rule.count anomalies among hft_rule.among events of its ring, and is
 * undone when there was none for hft_rule.leave and the baseline that has told is where it
 * was before: so it neither acts on one value nor goes on and off with each.  A level that
 * has shifted for good is learned and no anomaly any more, but no reason to undo either;
 * hft_rule.hold is.
 *
 * First the machine by itself, which knows nothing of rings; then what rule.c has of a ring.
 * The lock of the ring's release queue is held for all of it.
 */
#ifndef HFT_CORE_RULE_H
#define HFT_CORE_RULE_H

#include <linux/hft.h>

#include "admission.h"
#include "detect.h"
#include "types.h"

#define HFT_RULE_LEAVE		1000000000ULL	/* ns, by default */
#define HFT_RULE_BUDGET_PPM	10000U

enum hft_rule_step {
	HFT_RULE_STAY,
	HFT_RULE_ACT,		/* it comes into force, or goes a step further */
	HFT_RULE_UNDO,
};

/**
 * struct hft_rule_state - a rule
 * @rule: as it was set, with its defaults; its action is %HFT_ACTION_NONE: there is none
 * @seen: events of the ring before each of the last anomalies, at @nr modulo the count
 * @nr: how many anomalies there were since it has acted
 * @in_force: it has acted, and was not undone
 * @anomaly: the last
 * @last: when that was
 * @since: in force since
 * @changed: when it acted or was undone; 0: never
 * @expected: median of @baseline before the first anomaly, in its fixed point
 * @baseline: that has found it; NULL: none
 * @samples: hft_baseline_values() of @baseline when it was looked at last
 * @anomalies: counted
 * @applied: likewise
 * @undone: likewise
 * @limited: likewise
 * @withheld: likewise
 * @value: what its action has set
 * @before: what that was before
 */
struct hft_rule_state {
	struct hft_rule rule;
	u64 seen[HFT_RULE_MOST];
	u32 nr;
	bool in_force;
	u8 anomaly;
	u64 last;
	u64 since;
	u64 changed;
	u64 expected;
	const struct hft_baseline *baseline;
	u32 samples;
	u64 anomalies;
	u64 applied;
	u64 undone;
	u64 limited;
	u64 withheld;
	u64 value;
	u64 before;
};

/* Does a rule go further with each time that it has reason to? */
static inline bool hft_rule_has_steps(const struct hft_rule *rule)
{
	return rule->action == HFT_ACTION_LEAD;
}

/* Its count of anomalies is full.  Of those before it acted last none counts. */
static inline bool hft_rule_is_due(const struct hft_rule_state *s, u64 sequence)
{
	u32 oldest = s->nr % s->rule.count;

	if (s->nr < s->rule.count)
		return false;
	return !s->rule.among || sequence - s->seen[oldest] < s->rule.among;
}

/**
 * hft_rule_note() - there is an anomaly that a rule is for
 * @s: rule
 * @anomaly: it
 * @found: what was found, or NULL
 * @sequence: events of the ring before it
 * @now: CLOCK_MONOTONIC
 *
 * Return: %HFT_RULE_ACT or %HFT_RULE_STAY.
 */
static inline enum hft_rule_step hft_rule_note(struct hft_rule_state *s, enum hft_anomaly anomaly,
					       const struct hft_detected *found, u64 sequence,
					       u64 now)
{
	s->anomalies++;
	s->anomaly = anomaly;
	s->last = now;
	s->seen[s->nr++ % s->rule.count] = sequence;
	if (s->nr >= 2 * s->rule.count)
		s->nr -= s->rule.count;		/* modulo that, and not less */
	if (s->in_force && !hft_rule_has_steps(&s->rule))
		return HFT_RULE_STAY;
	if (!hft_rule_is_due(s, sequence))
		return HFT_RULE_STAY;
	if (s->changed && now - s->changed < s->rule.interval) {
		s->limited++;
		return HFT_RULE_STAY;
	}
	s->nr = 0;
	s->applied++;
	s->changed = now;
	if (s->in_force)
		return HFT_RULE_ACT;
	s->in_force = true;
	s->since = now;
	s->baseline = found ? found->baseline : NULL;
	s->samples = s->baseline ? hft_baseline_values(s->baseline) : 0;
	s->expected = found ? found->expected << HFT_BASELINE_FRACTION : 0;
	return HFT_RULE_ACT;
}

/*
 * Is the baseline where it was before?  Nearer than what it would call a drift.  Where there
 * was no value since the last look nothing says that it is not.
 */
static inline bool hft_rule_is_back(struct hft_rule_state *s)
{
	const struct hft_baseline *b = s->baseline;
	bool silent = b && hft_baseline_values(b) == s->samples;
	u64 gone;

	if (!b || !s->expected || silent)
		return true;
	s->samples = hft_baseline_values(b);
	if (!hft_baseline_knows(b))
		return false;
	gone = b->median > s->expected ? b->median - s->expected : s->expected - b->median;
	return gone <= s->expected / 4 || gone <= 4 * b->spread;
}

/**
 * hft_rule_look() - time has gone by
 * @s: rule
 * @now: CLOCK_MONOTONIC
 *
 * Return: %HFT_RULE_UNDO or %HFT_RULE_STAY.
 */
static inline enum hft_rule_step hft_rule_look(struct hft_rule_state *s, u64 now)
{
	const struct hft_rule *rule = &s->rule;

	if (!s->in_force || rule->flags & HFT_RULE_LATCH)
		return HFT_RULE_STAY;
	if (!rule->hold || now - s->since < rule->hold) {
		/* One that was noticed a moment ahead of this look has not been long ago. */
		if (now < s->last || now - s->last < rule->leave || !hft_rule_is_back(s))
			return HFT_RULE_STAY;
	}
	s->in_force = false;
	s->nr = 0;
	s->undone++;
	s->changed = now;
	return HFT_RULE_UNDO;
}

/**
 * hft_rule_next_look() - when hft_rule_look() may have something to say
 * @s: rule
 * @now: CLOCK_MONOTONIC, after one
 *
 * Return: CLOCK_MONOTONIC, U64_MAX: when there was another anomaly.
 */
static inline u64 hft_rule_next_look(const struct hft_rule_state *s, u64 now)
{
	const struct hft_rule *rule = &s->rule;
	u64 when = s->last + rule->leave;

	if (!s->in_force || rule->flags & HFT_RULE_LATCH)
		return U64_MAX;
	if (when <= now)
		when = now + rule->leave;	/* the baseline is not back */
	if (rule->hold && s->since + rule->hold < when)
		when = s->since + rule->hold;
	return when > now + HFT_RULE_LEAVE_MIN ? when : now + HFT_RULE_LEAVE_MIN;
}

/* What is followed of a class: values of the kinds, and the time from a dispatch to the next. */
#define HFT_DETECT_PACE		HFT_KINDS
#define HFT_DETECT_STREAMS	(HFT_KINDS + 1)

/* Notices that wait until the lock is let go. */
#define HFT_DETECT_PENDING	8

/* Of one anomaly not more often than that is told, ns. */
#define HFT_DETECT_GAP		1000000ULL

/* That nothing comes is looked for no sooner than that, ns: an interrupt. */
#define HFT_DETECT_STALL_MIN	1000000ULL

struct hft_ready_queue;
struct hft_release_queue;
struct hft_slot;

/**
 * struct hft_detect - what is judged of a ring's tasks, and its rules
 * @kinds: of each class, bit n: values of kind n are judged; of %HFT_DETECT_PACE the pace
 * @steers: of rules in force one has to do with what is submitted
 * @used: bit n: there is rule n
 * @seasons: slots of the day
 * @midnight: when a day began, CLOCK_MONOTONIC
 * @until: when the slot of @season ends; U64_MAX with one
 * @season: baselines of this slot
 * @now: the latest time that it was told, CLOCK_MONOTONIC
 * @look: when to look next: hft_detect_look()
 * @next: the next of the queue's detectors
 * @pace: of each class
 * @rules: them
 * @shed: level below which tasks are refused
 * @boost: levels that tasks of a class are raised by
 * @boost_top: up to which
 * @spare_level: the highest that tasks have which go to the fallback ring
 * @lead: the lead is not below that by a rule
 * @lead_most: by which hard tasks are dispatched
 * @halt: &enum hft_halt_mode that rules hold the context to
 * @admitted: what the budgets of the rules ask for
 * @rate_time: when @rate_sequence was
 * @rate_sequence: events of the ring, for the cost of a lead
 * @untold: anomalies since each was told
 * @tell: from when on each may be told
 * @lost: notices for which there was no place
 * @nr_pending: of @pending
 * @pending: notices to be told when the lock is let go
 * @baselines: of a season, of a class, of a stream
 */
struct hft_detect {
	u32 kinds[HFT_CLASSES];
	u32 steers;
	u32 used;
	u32 seasons;
	u64 midnight;
	u64 until;
	struct hft_baseline *season;
	u64 now;
	u64 look;
	struct hft_ready_queue *next;
	struct hft_pace pace[HFT_CLASSES];
	struct hft_rule_state rules[HFT_RULES];
	u32 shed;
	u8 boost[HFT_CLASSES];
	u8 boost_top[HFT_CLASSES];
	u32 spare_level;
	u64 lead;
	u64 lead_most;
	u32 halt;
	struct hft_admission_demand admitted;
	u64 rate_time;
	u64 rate_sequence;
	u32 untold[HFT_ANOMALIES];
	u64 tell[HFT_ANOMALIES];
	u64 lost;
	u32 nr_pending;
	struct hft_event pending[HFT_DETECT_PENDING];
	struct hft_baseline baselines[];
};

size_t hft_detect_bytes(u32 seasons);
struct hft_detect *hft_detect_init(void *memory, u32 seasons, u64 midnight);
void hft_ready_set_detect(struct hft_ready_queue *ready, struct hft_detect *detect);
void hft_detect_remove(struct hft_ready_queue *ready);
void hft_detect_dispatched(struct hft_ready_queue *ready, u32 class,
			   const struct hft_event *event);
void hft_detect_completed(struct hft_ready_queue *ready, u32 class, const struct hft_event *event,
			  u64 start, u64 end);
void hft_detect_value_of(struct hft_ready_queue *ready, u32 class, u32 kind, u64 value, u64 time);
void hft_detect_pace_of(struct hft_ready_queue *ready, u32 class, u64 now);
void hft_detect_next_season(struct hft_detect *d, u64 now);
void hft_detect_await(struct hft_ready_queue *ready, u32 class, u64 now);
void hft_detect_event(struct hft_ready_queue *ready, enum hft_anomaly anomaly, u64 value,
		      u64 now);
void hft_detect_schedule(struct hft_ready_queue *ready, u64 when);
struct hft_event *hft_detect_pend(struct hft_ready_queue *ready, u32 type);
void hft_detect_look(struct hft_release_queue *queue, u64 now);
u32 hft_detect_take(struct hft_ready_queue *ready, struct hft_event *events);

void hft_rule_found(struct hft_ready_queue *ready, u32 class, u32 kind, enum hft_anomaly anomaly,
		    const struct hft_detected *found, u64 now);
void hft_rule_look_all(struct hft_ready_queue *ready, u64 now);
bool hft_rule_valid(const struct hft_rule *rule);
int hft_rule_begin(struct hft_ready_queue *ready, const struct hft_rule *rule);
int hft_rule_visit(const struct hft_ready_queue *ready, struct hft_slot *slot);
void hft_rule_end(struct hft_ready_queue *ready, const struct hft_rule *rule, int err, u64 now);
void hft_rule_info_fill(const struct hft_ready_queue *ready, struct hft_rule_info *info);
int hft_rule_admit(const struct hft_ready_queue *ready, struct hft_slot *slot);
bool hft_rule_send(const struct hft_ready_queue *ready, const struct hft_slot *slot);
void hft_rule_lower(const struct hft_ready_queue *ready, struct hft_slot *slot);

#endif /* HFT_CORE_RULE_H */
