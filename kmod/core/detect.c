// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later
/*
 * A ring's tasks are judged as they are dispatched and as they end, under the lock that is
 * held anyway; what is found goes to the ring's rules, and is told when the lock is let go.
 */
#include "measure.h"
#include "trace.h"

/**
 * hft_detect_bytes() - how large a detector is
 * @seasons: slots of the day, 1 to %HFT_MAX_SEASONS
 */
size_t hft_detect_bytes(u32 seasons)
{
	return sizeof(struct hft_detect) +
	       (size_t)seasons * HFT_CLASSES * HFT_DETECT_STREAMS * sizeof(struct hft_baseline);
}

/**
 * hft_detect_init() - make a detector that knows nothing
 * @memory: hft_detect_bytes() of it, zeroes
 * @seasons: as there
 * @midnight: when a day began, CLOCK_MONOTONIC, modulo a day
 *
 * Return: @memory.
 */
struct hft_detect *hft_detect_init(void *memory, u32 seasons, u64 midnight)
{
	struct hft_detect *d = memory;

	d->seasons = seasons;
	d->midnight = midnight;
	d->until = seasons > 1 ? 0 : U64_MAX;
	d->season = d->baselines;
	d->look = U64_MAX;
	return d;
}

/**
 * hft_ready_set_detect() - have a ring's tasks judged
 * @ready: the ring's, which is not judged yet
 * @detect: of hft_detect_init()
 */
void hft_ready_set_detect(struct hft_ready_queue *ready, struct hft_detect *detect)
{
	struct hft_release_queue *queue = ready->release;

	detect->next = queue->judged;
	queue->judged = ready;
	ready->detect = detect;
	hft_ready_hook(ready);
}

static void hft_detect_unlink(struct hft_ready_queue *ready)
{
	struct hft_ready_queue **link = &ready->release->judged;

	while (*link != ready)
		link = &(*link)->detect->next;
	*link = ready->detect->next;
}

/**
 * hft_detect_remove() - judge a ring's tasks no more
 * @ready: the ring's, which is dead; judged or not
 *
 * Its detector is the backend's to free then.
 */
void hft_detect_remove(struct hft_ready_queue *ready)
{
	struct hft_detect *d = ready->detect;

	if (!d)
		return;
	hft_detect_unlink(ready);
	hft_ready_redirect(ready, HFT_AWAY_RULE, false);
	hft_admission_remove(&ready->release->admission, &d->admitted);
	ready->detect = NULL;
}

/* Have hft_detect_look() called at @when. */
void hft_detect_schedule(struct hft_ready_queue *ready, u64 when)
{
	struct hft_release_queue *queue = ready->release;

	if (when >= ready->detect->look)
		return;
	ready->detect->look = when;
	if (!queue->look_set)
		hft_heap_push(&queue->watch.heap, &queue->look, when);
	else if (when < queue->look_at)
		hft_heap_update(&queue->watch.heap, &queue->look, when);
	else
		return;
	queue->look_set = true;
	queue->look_at = when;
	if (when < queue->watch.armed)
		queue->rearm = true;
}

/* A place for a notice that waits for the lock to be let go, or NULL. */
struct hft_event *hft_detect_pend(struct hft_ready_queue *ready, u32 type)
{
	struct hft_detect *d = ready->detect;
	struct hft_event *event;

	ready->release->tell(ready);
	if (d->nr_pending == HFT_DETECT_PENDING) {
		d->lost++;
		return NULL;
	}
	event = &d->pending[d->nr_pending++];
	*event = (struct hft_event){ .task = ready->number, .type = type };
	return event;
}

static void hft_detect_tell_anomaly(struct hft_ready_queue *ready, u32 class, u32 kind,
				    enum hft_anomaly anomaly, const struct hft_detected *found,
				    u64 now)
{
	struct hft_detect *d = ready->detect;
	struct hft_event *event;

	trace_anomaly(ready, class, kind, anomaly, found);
	if (now < d->tell[anomaly] && d->tell[anomaly] - now <= HFT_DETECT_GAP) {
		d->untold[anomaly]++;
		return;
	}
	event = hft_detect_pend(ready, HFT_EVENT_ANOMALY);
	if (!event) {
		d->untold[anomaly]++;
		return;
	}
	event->cookie = found->value;
	event->release = found->expected;
	event->deadline = found->limit;
	event->task |= (u64)d->untold[anomaly] << 32;
	event->result = anomaly;
	event->clock = kind;
	event->level = class;
	d->untold[anomaly] = 0;
	d->tell[anomaly] = now + HFT_DETECT_GAP;
}

/* There is an anomaly. */
static void hft_detect_found(struct hft_ready_queue *ready, u32 class, u32 kind,
			     enum hft_anomaly anomaly, const struct hft_detected *found, u64 now)
{
	ready->counters.anomalies[anomaly]++;
	hft_detect_tell_anomaly(ready, class, kind, anomaly, found, now);
	hft_rule_found(ready, class, kind, anomaly, found, now);
}

/* What the worker says of the time is believed in its own ring's matters, within reason. */
static u64 hft_detect_time(const struct hft_detect *d, u64 time)
{
	const u64 most = 1ULL << 36;

	if (time < d->now)
		return d->now;
	return time - d->now < most ? time : d->now + most;
}

static __hft_slow_path void hft_detect_unusual(struct hft_ready_queue *ready, u32 class, u32 kind,
					       u64 value, u64 time)
{
	struct hft_detected found;
	enum hft_anomaly anomaly;

	anomaly = hft_detect_of_value(hft_detect_judged(hft_detect_streams(ready->detect, class) +
							kind, value, &found));
	if (anomaly)
		hft_detect_found(ready, class, kind, anomaly, &found,
				 hft_detect_time(ready->detect, time));
}

/**
 * hft_detect_value_of() - judge a value that hft_baseline_is_usual() does not know
 * @ready: of the ring
 * @class: the task's
 * @kind: of the value
 * @value: ns
 * @time: CLOCK_MONOTONIC as far as the worker is to be believed
 */
void hft_detect_value_of(struct hft_ready_queue *ready, u32 class, u32 kind, u64 value, u64 time)
{
	if (!hft_baseline_only_follows(&hft_detect_streams(ready->detect, class)[kind], value))
		hft_detect_unusual(ready, class, kind, value, time);
}

/**
 * hft_detect_next_season() - another slot of the day
 * @d: of a ring with seasons, or with one that never ends
 * @now: CLOCK_MONOTONIC
 *
 * What was usual in the last is no measure for it.
 */
void hft_detect_next_season(struct hft_detect *d, u64 now)
{
	u32 n, season = hft_season(now, d->midnight, d->seasons);

	if (d->seasons == 1)
		return;
	d->until = hft_season_end(now, d->midnight, d->seasons);
	d->season = &d->baselines[season * HFT_CLASSES * HFT_DETECT_STREAMS];
	for (n = 0; n < HFT_RULES; n++)
		d->rules[n].baseline = NULL;
}

static __hft_slow_path void hft_detect_unusual_pace(struct hft_ready_queue *ready, u32 class,
						    u64 interval, bool told)
{
	struct hft_detect *d = ready->detect;
	struct hft_baseline *b = &hft_detect_streams(d, class)[HFT_DETECT_PACE];
	struct hft_detected found;
	enum hft_anomaly anomaly;

	anomaly = hft_detect_of_interval(hft_detect_judged(b, interval, &found));
	/* That nothing came was found while it did not. */
	if (anomaly && !(anomaly == HFT_ANOMALY_STALL && told))
		hft_detect_found(ready, class, HFT_KIND_DISPATCH, anomaly, &found,
				 d->pace[class].last);
}

/**
 * hft_detect_pace_of() - judge the time from a task of a class to the next
 * @ready: of the ring
 * @class: it
 * @now: CLOCK_MONOTONIC
 *
 * As hft_detect_value_of(), or there was none before.
 */
void hft_detect_pace_of(struct hft_ready_queue *ready, u32 class, u64 now)
{
	struct hft_detect *d = ready->detect;
	struct hft_pace *pace = &d->pace[class];
	struct hft_baseline *b = &hft_detect_streams(d, class)[HFT_DETECT_PACE];
	bool told = pace->told, begun = pace->begun;
	u64 interval = now - pace->last;

	if (now < pace->last)
		return;
	pace->last = now;
	pace->begun = true;
	pace->told = false;
	if (begun && !hft_baseline_only_follows(b, interval))
		hft_detect_unusual_pace(ready, class, interval, told);
}

/**
 * hft_detect_await() - nothing is to be looked at: look when it is late that none of a class comes
 * @ready: of the ring
 * @class: of which one has come
 * @now: when, CLOCK_MONOTONIC
 */
void hft_detect_await(struct hft_ready_queue *ready, u32 class, u64 now)
{
	struct hft_detect *d = ready->detect;
	u64 due = hft_detect_due_at(&d->pace[class],
				    &hft_detect_streams(d, class)[HFT_DETECT_PACE]);

	if (due != U64_MAX)
		hft_detect_schedule(ready, due > now + HFT_DETECT_STALL_MIN ? due :
				    now + HFT_DETECT_STALL_MIN);
}

/**
 * hft_detect_dispatched() - a task of a ring that is judged was written to it
 * @ready: of the ring
 * @class: the task's
 * @event: its event
 */
void hft_detect_dispatched(struct hft_ready_queue *ready, u32 class,
			   const struct hft_event *event)
{
	if (event->result >= 0)
		hft_detect_dispatch(ready, ready->detect, class, hft_meter_late(ready, event),
				    event->published);
}

/**
 * hft_detect_completed() - a task of a ring that is judged has run
 * @ready: of the ring
 * @class: the task's
 * @event: its event
 * @start: as the worker has reported it, not before the event was published
 * @end: likewise, not before @start
 */
void hft_detect_completed(struct hft_ready_queue *ready, u32 class, const struct hft_event *event,
			  u64 start, u64 end)
{
	struct hft_run run = hft_run_of(event, start, end);

	hft_detect_run(ready, ready->detect, class, &run, end);
}

/**
 * hft_detect_event() - something else has found an anomaly that concerns a ring
 * @ready: of the ring
 * @anomaly: %HFT_ANOMALY_INTERFERENCE or %HFT_ANOMALY_CLOCK
 * @value: ns
 * @now: CLOCK_MONOTONIC
 *
 * It is the class 0's.  Of a ring that is not judged nothing is done.
 */
void hft_detect_event(struct hft_ready_queue *ready, enum hft_anomaly anomaly, u64 value,
		      u64 now)
{
	const struct hft_detected found = { .value = value };

	if (!ready->detect)
		return;
	if (now > ready->detect->now)
		ready->detect->now = now;
	hft_detect_found(ready, 0, HFT_KIND_DISPATCH, anomaly, &found, now);
}

/* Is it late that nothing of a class has come?  Returns when to look again. */
static u64 hft_detect_look_for(struct hft_ready_queue *ready, u32 class, u64 now)
{
	struct hft_detect *d = ready->detect;
	struct hft_pace *pace = &d->pace[class];
	const struct hft_baseline *b = &hft_detect_streams(d, class)[HFT_DETECT_PACE];
	u64 due = hft_detect_due_at(pace, b);
	struct hft_detected found;

	if (pace->told || due == U64_MAX)
		return U64_MAX;
	if (now <= due)
		return due > now + HFT_DETECT_STALL_MIN ? due : now + HFT_DETECT_STALL_MIN;
	pace->told = true;
	found = (struct hft_detected){
		.value = now - pace->last,
		.expected = b->median >> HFT_BASELINE_FRACTION,
		.limit = hft_detect_limit(b),
	};
	hft_detect_found(ready, class, HFT_KIND_DISPATCH, HFT_ANOMALY_STALL, &found, now);
	return U64_MAX;
}

static void hft_detect_look_at(struct hft_ready_queue *ready, u64 now)
{
	struct hft_detect *d = ready->detect;
	u32 n;

	d->look = U64_MAX;
	if (now > d->now)
		d->now = now;
	for (n = 0; n < HFT_CLASSES; n++) {
		if (d->kinds[n] & 1U << HFT_DETECT_PACE)
			hft_detect_schedule(ready, hft_detect_look_for(ready, n, now));
	}
	hft_rule_look_all(ready, now);
}

/**
 * hft_detect_look() - the time has come to look for what does not happen
 * @queue: release queue, whose @look is due and was taken from the heap
 * @now: CLOCK_MONOTONIC
 *
 * Of each of its rings that are judged: for what has not come that was due, and for rules
 * that are to be undone.
 */
void hft_detect_look(struct hft_release_queue *queue, u64 now)
{
	struct hft_ready_queue *ready;
	u64 when;

	queue->look_set = false;
	for (ready = queue->judged; ready; ready = ready->detect->next) {
		when = ready->detect->look;
		if (when <= now) {
			hft_detect_look_at(ready, now);
		} else if (when != U64_MAX) {
			ready->detect->look = U64_MAX;
			hft_detect_schedule(ready, when);
		}
	}
}

/**
 * hft_detect_take() - take the notices of a ring that wait
 * @ready: the ring's
 * @events: room for %HFT_DETECT_PENDING of them
 *
 * Return: how many there were.
 */
u32 hft_detect_take(struct hft_ready_queue *ready, struct hft_event *events)
{
	struct hft_detect *d = ready->detect;
	u32 i, nr = d ? d->nr_pending : 0;

	for (i = 0; i < nr; i++)
		events[i] = d->pending[i];
	if (d)
		d->nr_pending = 0;
	return nr;
}
