// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later
/*
 * A ring's tasks are judged as they are dispatched and as they end, and its rules act on
 * what is found, at once and under the lock that is held anyway.  What concerns other rings,
 * or is to be told, is for hft_release_queue.tell(), when the lock is let go.
 *
 * What is in force is made anew from all rules each time that one acts or is undone: so the
 * order in which they do does not matter.
 */
#include "sched.h"
#include "task.h"
#include "trace.h"

#define HFT_ALL_CLASSES		((1U << HFT_CLASSES) - 1)
#define HFT_ALL_KINDS		((1U << HFT_KINDS) - 1)
#define HFT_ALL_ANOMALIES	((1U << HFT_ANOMALIES) - 2)

/* Of a value, and of the time from one to the next. */
#define HFT_ANOMALIES_OF_VALUE						\
	(1U << HFT_ANOMALY_SPIKE | 1U << HFT_ANOMALY_SHIFT | 1U << HFT_ANOMALY_DRIFT)
#define HFT_ANOMALIES_OF_PACE	(1U << HFT_ANOMALY_STALL | 1U << HFT_ANOMALY_BURST)

/* The rate of dispatches is of so long at least, and of twice that at most, ns. */
#define HFT_DETECT_RATE_NS	100000000ULL

static void hft_rule_tell(struct hft_ready_queue *ready, const struct hft_rule_state *s,
			  enum hft_response response)
{
	struct hft_event *event;

	ready->counters.responses[response]++;
	trace_response(ready, s, response);
	event = hft_detect_pend(ready, HFT_EVENT_RESPONSE);
	if (!event)
		return;
	event->cookie = s->value;
	event->deadline = s->before;
	event->release = s->since;
	event->task |= (u64)s->rule.number << 32;
	event->result = response;
	event->clock = s->rule.action;
	event->level = s->anomaly;
}

/* Events of the ring in a second, for what a lead costs. */
static u64 hft_detect_rate(struct hft_ready_queue *ready, u64 now)
{
	struct hft_detect *d = ready->detect;
	u64 time = now - d->rate_time, events = ready->sequence - d->rate_sequence;

	if (time > 2 * HFT_DETECT_RATE_NS) {
		d->rate_time = now - HFT_DETECT_RATE_NS;
		d->rate_sequence = ready->sequence - events / (time / HFT_DETECT_RATE_NS);
	}
	if (!time || events > 1ULL << 32)
		return 1ULL << 32;
	return events * 1000000000ULL / time + 1;
}

/* The lead that a step more comes to, within the rule's budget: ppm of 10^9 ns a second. */
static u64 hft_rule_lead(struct hft_ready_queue *ready, const struct hft_rule_state *s, u64 now)
{
	u64 lead = s->value > ready->lead ? s->value : ready->lead;
	u64 affordable = (u64)s->rule.budget_ppm * 1000 / hft_detect_rate(ready, now);
	u64 most = ready->lead_base + affordable;

	if (most > s->rule.most)
		most = s->rule.most;
	if (ready->learner)
		most = hft_lead_within(ready->learner, most);
	return lead + s->rule.amount < most ? lead + s->rule.amount : most;
}

/* What the action of a rule sets when it acts now.  Returns whether that changes anything. */
static bool hft_rule_choose(struct hft_ready_queue *ready, struct hft_rule_state *s, u64 now)
{
	const struct hft_rule *rule = &s->rule;
	u64 value = 0;

	switch (rule->action) {
	case HFT_ACTION_LEAD:
		s->before = ready->lead;
		value = hft_rule_lead(ready, s, now);
		if (value <= ready->lead)
			return false;
		break;
	case HFT_ACTION_BOOST:
		value = rule->amount;
		break;
	case HFT_ACTION_SHED:
		s->before = ready->detect->shed;
		value = rule->level;
		break;
	case HFT_ACTION_SPARE:
		value = rule->level;
		break;
	case HFT_ACTION_REDUCE:
		value = HFT_HALT_REDUCE;
		break;
	case HFT_ACTION_HALT:
		value = HFT_HALT_ALL;
		break;
	}
	s->value = value;
	return true;
}

static void hft_rule_boost(struct hft_detect *d, const struct hft_rule *rule)
{
	u32 class, targets = rule->targets ? rule->targets : rule->classes;

	for (class = 0; class < HFT_CLASSES; class++) {
		if (!(targets & 1U << class) || rule->amount <= d->boost[class])
			continue;
		d->boost[class] = rule->amount;
		d->boost_top[class] = rule->level;
	}
}

/* Have in force what the rules say that are. */
static void hft_rule_enforce(struct hft_ready_queue *ready)
{
	struct hft_detect *d = ready->detect;
	u32 n, class, shed = 0, halt = 0, spare = 0;
	bool away = false, boost = false;
	u64 lead = 0;

	for (class = 0; class < HFT_CLASSES; class++)
		d->boost[class] = 0;
	for (n = 0; n < HFT_RULES; n++) {
		const struct hft_rule_state *s = &d->rules[n];

		if (!s->in_force || s->rule.flags & HFT_RULE_DRY_RUN)
			continue;
		if (s->rule.action == HFT_ACTION_LEAD && s->value > lead)
			lead = s->value;
		if (s->rule.action == HFT_ACTION_BOOST) {
			boost = true;
			hft_rule_boost(d, &s->rule);
		}
		if (s->rule.action == HFT_ACTION_SHED && s->rule.level > shed)
			shed = s->rule.level;
		if (s->rule.action == HFT_ACTION_SPARE) {
			away = true;
			spare = s->rule.level > spare ? s->rule.level : spare;
		}
		if (s->rule.action >= HFT_ACTION_REDUCE && s->value > halt)
			halt = s->value;
	}
	d->steers = shed || boost;
	d->shed = shed;
	d->spare_level = spare;
	if (away != !!(ready->away & HFT_AWAY_RULE))
		hft_ready_redirect(ready, HFT_AWAY_RULE, away);
	if (lead != d->lead) {
		d->lead = lead;
		hft_ready_raise_lead(ready, lead);
	}
	if (halt == d->halt)
		return;
	/* At once here; of the others, and when it is less, by who is told. */
	WRITE_ONCE(d->halt, halt);
	if (hft_sched_rank(HFT_HALT_NONE, halt) > ready->halt_rank)
		hft_sched_hold(ready, hft_sched_rank(HFT_HALT_NONE, halt));
	ready->release->tell(ready);
}

static void hft_rule_act(struct hft_ready_queue *ready, struct hft_rule_state *s, u64 now)
{
	if (!hft_rule_choose(ready, s, now)) {
		s->withheld++;
		hft_rule_tell(ready, s, HFT_RESPONSE_WITHHELD);
		return;
	}
	if (s->rule.flags & HFT_RULE_DRY_RUN) {
		hft_rule_tell(ready, s, HFT_RESPONSE_DRY_APPLIED);
		return;
	}
	hft_rule_enforce(ready);
	hft_rule_tell(ready, s, HFT_RESPONSE_APPLIED);
}

static void hft_rule_undo(struct hft_ready_queue *ready, struct hft_rule_state *s)
{
	bool dry = s->rule.flags & HFT_RULE_DRY_RUN;
	u64 value = s->value;

	if (!dry)
		hft_rule_enforce(ready);
	s->value = s->before;
	s->before = value;
	hft_rule_tell(ready, s, dry ? HFT_RESPONSE_DRY_UNDONE : HFT_RESPONSE_UNDONE);
}

static bool hft_rule_is_for(const struct hft_rule *rule, u32 class, u32 kind,
			    enum hft_anomaly anomaly)
{
	if (!(rule->anomalies & 1U << anomaly) || !(rule->classes & 1U << class))
		return false;
	return !(1U << anomaly & HFT_ANOMALIES_OF_VALUE) || rule->kinds & 1U << kind;
}

/**
 * hft_rule_found() - have the rules of a ring look at an anomaly
 * @ready: the ring's
 * @class: of the task
 * @kind: of the value
 * @anomaly: it
 * @found: what was found
 * @now: CLOCK_MONOTONIC
 */
void hft_rule_found(struct hft_ready_queue *ready, u32 class, u32 kind, enum hft_anomaly anomaly,
		    const struct hft_detected *found, u64 now)
{
	struct hft_detect *d = ready->detect;
	u32 n;

	for (n = 0; d->used >> n; n++) {
		struct hft_rule_state *s = &d->rules[n];

		if (!(d->used & 1U << n) || !hft_rule_is_for(&s->rule, class, kind, anomaly))
			continue;
		if (hft_rule_note(s, anomaly, found, ready->sequence, now) == HFT_RULE_ACT)
			hft_rule_act(ready, s, now);
		hft_detect_schedule(ready, hft_rule_next_look(s, now));
	}
}

/* Undo what is to be undone by now. */
void hft_rule_look_all(struct hft_ready_queue *ready, u64 now)
{
	struct hft_detect *d = ready->detect;
	u32 n;

	for (n = 0; d->used >> n; n++) {
		if (hft_rule_look(&d->rules[n], now) == HFT_RULE_UNDO)
			hft_rule_undo(ready, &d->rules[n]);
		hft_detect_schedule(ready, hft_rule_next_look(&d->rules[n], now));
	}
}

/**
 * hft_rule_valid() - are the fields of a rule in range?
 * @rule: of its ring nothing is known yet
 */
bool hft_rule_valid(const struct hft_rule *rule)
{
	bool lead = rule->action == HFT_ACTION_LEAD, boost = rule->action == HFT_ACTION_BOOST;
	bool level = boost || rule->action == HFT_ACTION_SHED || rule->action == HFT_ACTION_SPARE;

	if (rule->number >= HFT_RULES || rule->action >= HFT_ACTIONS)
		return false;
	if (rule->action == HFT_ACTION_NONE)
		return true;
	if (rule->flags & ~(HFT_RULE_DRY_RUN | HFT_RULE_LATCH) || rule->reserved)
		return false;
	if (rule->anomalies & ~HFT_ALL_ANOMALIES || rule->kinds & ~HFT_ALL_KINDS ||
	    (rule->classes | rule->targets) & ~HFT_ALL_CLASSES)
		return false;
	if (!rule->count || rule->count > HFT_RULE_MOST || rule->seasons > HFT_MAX_SEASONS)
		return false;
	if (rule->leave && rule->leave < HFT_RULE_LEAVE_MIN)
		return false;
	if (rule->leave > HFT_TIME_MAX || rule->interval > HFT_TIME_MAX ||
	    rule->hold > HFT_TIME_MAX)
		return false;
	if (!lead && (rule->most || rule->budget_ppm))
		return false;
	if (rule->most > HFT_MAX_LEAD || rule->budget_ppm > HFT_ADMISSION_PPM)
		return false;
	if (lead || boost ? !rule->amount : rule->amount)
		return false;
	if (lead && rule->amount > HFT_MAX_LEAD)
		return false;
	if (boost && rule->amount >= HFT_LEVELS)
		return false;
	if (!boost && rule->targets)
		return false;
	return level ? rule->level < HFT_LEVELS : !rule->level;
}

/* A rule as it is kept. */
static struct hft_rule hft_rule_with_defaults(const struct hft_rule *from)
{
	struct hft_rule rule = *from;

	if (rule.action == HFT_ACTION_NONE)
		return (struct hft_rule){ .number = rule.number };
	if (!rule.anomalies)
		rule.anomalies = HFT_ALL_ANOMALIES;
	if (!rule.kinds)
		rule.kinds = HFT_ALL_KINDS;
	if (!rule.classes)
		rule.classes = HFT_ALL_CLASSES;
	if (!rule.leave)
		rule.leave = HFT_RULE_LEAVE;
	if (rule.action == HFT_ACTION_LEAD && !rule.budget_ppm)
		rule.budget_ppm = HFT_RULE_BUDGET_PPM;
	return rule;
}

/* What raising a lead may cost, for the admission of the CPU. */
static struct hft_admission_demand hft_rule_demand(const struct hft_rule *rule)
{
	const struct hft_rule kept = hft_rule_with_defaults(rule);

	if (kept.flags & HFT_RULE_DRY_RUN)
		return (struct hft_admission_demand){};
	return hft_admission_demand(kept.budget_ppm, 0, HFT_ADMISSION_PPM);
}

/* Have judged what a rule asks for. */
static void hft_rule_judge(struct hft_detect *d, const struct hft_rule *rule)
{
	u32 class, kinds = 0;

	if (rule->anomalies & HFT_ANOMALIES_OF_VALUE)
		kinds |= rule->kinds;
	if (rule->anomalies & HFT_ANOMALIES_OF_PACE)
		kinds |= 1U << HFT_DETECT_PACE;
	for (class = 0; class < HFT_CLASSES; class++) {
		if (rule->classes & 1U << class)
			d->kinds[class] |= kinds;
	}
}

/* What the rules need to be safe, whether they are in force or not. */
static void hft_rule_reserve(struct hft_ready_queue *ready)
{
	struct hft_detect *d = ready->detect;
	u32 n;

	d->used = 0;
	for (n = 0; n < HFT_CLASSES; n++)
		d->kinds[n] = 0;
	ready->boost_reach = -1;
	d->lead_most = 0;
	for (n = 0; n < HFT_RULES; n++) {
		const struct hft_rule *rule = &d->rules[n].rule;

		if (!rule->action)
			continue;
		d->used |= 1U << n;
		hft_rule_judge(d, rule);
		if (rule->action == HFT_ACTION_BOOST && (s32)rule->level > ready->boost_reach)
			ready->boost_reach = rule->level;
		if (rule->most > d->lead_most)
			d->lead_most = rule->most;
	}
}

/* Is what @rule may cost admitted, in the place of what the one before it may? */
static bool hft_rule_fits(struct hft_ready_queue *ready, const struct hft_rule *rule)
{
	const struct hft_rule *before = &ready->detect->rules[rule->number].rule;
	struct hft_admission_demand more = hft_rule_demand(rule), less = hft_rule_demand(before);
	struct hft_admission *admission = &ready->release->admission;
	bool fits;

	if (more.density <= less.density)
		return true;
	hft_admission_remove(admission, &less);
	fits = hft_job_fits(ready, &more);
	hft_admission_add(admission, &less);
	return fits;
}

/**
 * hft_rule_begin() - a rule is to be set
 * @ready: of its ring, which is judged
 * @rule: valid
 *
 * From then on the ring is as safe as the rule needs it; hft_rule_visit() all tasks of the
 * context, in any number of holds of the lock, and then hft_rule_end() with what this or
 * one of those has returned.
 *
 * Return: 0, -EINVAL a level is not the ring's, or -EBUSY the budget is not admitted.
 */
int hft_rule_begin(struct hft_ready_queue *ready, const struct hft_rule *rule)
{
	struct hft_detect *d = ready->detect;

	if (ready->dead)
		return -ENOENT;
	if (rule->action == HFT_ACTION_BOOST) {
		if (!(ready->level_mask & 1U << rule->level))
			return -EINVAL;
		if ((s32)rule->level > ready->boost_reach)
			ready->boost_reach = rule->level;
	}
	if (rule->action == HFT_ACTION_LEAD && rule->most > d->lead_most)
		d->lead_most = rule->most;
	return hft_rule_fits(ready, rule) ? 0 : -EBUSY;
}

/**
 * hft_rule_visit() - make a task fit to a rule that is being set
 * @ready: of the rule's ring
 * @slot: any task
 *
 * Return: 0, or -EBUSY: it is hard, and of a level that others may be raised to.
 */
int hft_rule_visit(const struct hft_ready_queue *ready, struct hft_slot *slot)
{
	if (READ_ONCE(slot->ready) != ready || !hft_slot_is_hard(slot))
		return 0;
	if (hft_ready_is_soft(ready, slot->level))
		return -EBUSY;
	if (slot->state == HFT_SLOT_WAITING)
		hft_release_update(slot);
	return 0;
}

/**
 * hft_rule_end() - a rule is set, or is not
 * @ready: of its ring
 * @rule: as for hft_rule_begin()
 * @err: why not, or 0
 * @now: CLOCK_MONOTONIC
 *
 * The rule of that number before it is undone.
 */
void hft_rule_end(struct hft_ready_queue *ready, const struct hft_rule *rule, int err, u64 now)
{
	struct hft_rule_state *s = &ready->detect->rules[rule->number];
	struct hft_admission *admission = &ready->release->admission;
	struct hft_admission_demand less, more = hft_rule_demand(rule);
	struct hft_detect *d = ready->detect;

	if (now > d->now)
		d->now = now;
	if (!err) {
		less = hft_rule_demand(&s->rule);
		if (s->in_force) {
			s->in_force = false;
			s->undone++;
			hft_rule_undo(ready, s);
		}
		*s = (struct hft_rule_state){ .rule = hft_rule_with_defaults(rule) };
		hft_admission_remove(admission, &less);
		hft_admission_add(admission, &more);
		d->admitted.density += more.density - less.density;
		d->admitted.log += more.log - less.log;
		d->rate_time = now;
		d->rate_sequence = ready->sequence;
	}
	hft_rule_reserve(ready);
}

/**
 * hft_rule_info_fill() - tell what has become of a rule
 * @ready: of its ring, judged or not
 * @info: ring and number stay as they are, in range
 */
void hft_rule_info_fill(const struct hft_ready_queue *ready, struct hft_rule_info *info)
{
	const struct hft_rule_state *s;

	if (!ready->detect)
		return;
	s = &ready->detect->rules[info->number];
	info->action = s->rule.action;
	info->flags = s->rule.flags;
	info->in_force = s->in_force;
	info->anomaly = s->anomaly;
	info->anomalies = s->anomalies;
	info->applied = s->applied;
	info->undone = s->undone;
	info->limited = s->limited;
	info->withheld = s->withheld;
	info->value = s->value;
	info->since = s->in_force ? s->since : 0;
	info->last = s->changed;
}

/* The highest level of the ring that a task is raised to. */
static u8 hft_rule_raised(const struct hft_ready_queue *ready, const struct hft_slot *slot,
			  u32 class)
{
	const struct hft_detect *d = ready->detect;
	u32 level = slot->level + d->boost[class];

	if (level > d->boost_top[class])
		level = d->boost_top[class];
	while (level > slot->level && !(ready->level_mask & 1U << level))
		level--;
	return level > slot->level ? level : slot->level;
}

/**
 * hft_rule_admit() - a task is submitted to a ring that is judged
 * @ready: the ring's
 * @slot: the task, of a level that the ring takes
 *
 * Return: 0, or -ENOBUFS: its level is shed.
 */
int hft_rule_admit(const struct hft_ready_queue *ready, struct hft_slot *slot)
{
	const struct hft_detect *d = ready->detect;
	u32 class = hft_slot_class(slot);

	if (hft_slot_is_hard(slot))
		return 0;
	if (slot->level < d->shed)
		return -ENOBUFS;
	if (d->boost[class])
		slot->level = hft_rule_raised(ready, slot, class);
	return 0;
}

/**
 * hft_rule_send() - is a task for the fallback ring?
 * @ready: of the ring, whose tasks are
 * @slot: the task
 *
 * By a rule no hard one is.
 */
bool hft_rule_send(const struct hft_ready_queue *ready, const struct hft_slot *slot)
{
	return ready->away != HFT_AWAY_RULE || !hft_slot_is_hard(slot);
}

/**
 * hft_rule_lower() - a task goes to the fallback ring
 * @ready: of the ring that it leaves
 * @slot: the task, whose level is no higher than that of a rule in force from there on
 */
void hft_rule_lower(const struct hft_ready_queue *ready, struct hft_slot *slot)
{
	if (!(ready->away & HFT_AWAY_RULE) || hft_slot_is_hard(slot))
		return;
	if (slot->level > ready->detect->spare_level)
		slot->level = ready->detect->spare_level;
}
