// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later
/*
 * What is measured, and when: see meter.h.
 */
#include "measure.h"

/**
 * hft_meter_set_valid() - are the fields of a request in range?
 * @set: the request; its ring is the backend's to find
 */
bool hft_meter_set_valid(const struct hft_meter_set *set)
{
	return !(set->flags & ~HFT_METER_FLAGS) && !(set->classes >> HFT_CLASSES) &&
	       !(set->kinds >> HFT_KINDS) && !set->reserved;
}

/**
 * hft_meter_restrict() - spell a request out
 * @set: valid; it asks for nothing if there is none of its kinds
 * @kinds: those that there can be
 */
void hft_meter_restrict(struct hft_meter_set *set, u32 kinds)
{
	if (!set->classes)
		set->classes = GENMASK(HFT_CLASSES - 1, 0);
	set->kinds = (set->kinds ? set->kinds : GENMASK(HFT_KINDS - 1, 0)) & kinds;
	if (!set->kinds)
		set->flags = 0;
}

/* How many bits are set. */
static size_t hft_meter_weight(u32 bits)
{
	size_t nr = 0;

	for (; bits; bits &= bits - 1)
		nr++;
	return nr;
}

/**
 * hft_meter_bytes() - how large a meter is
 * @set: of hft_meter_restrict()
 */
size_t hft_meter_bytes(const struct hft_meter_set *set)
{
	size_t hists = 0;

	if (set->flags & HFT_METER_HIST)
		hists = hft_meter_weight(set->classes) * hft_meter_weight(set->kinds);
	return sizeof(struct hft_meter) + hists * sizeof(struct hft_hist);
}

/**
 * hft_meter_init() - make a meter of nothing yet
 * @memory: hft_meter_bytes() of it, zeroes
 * @set: as there
 * @now: CLOCK_MONOTONIC
 *
 * Return: @memory.
 */
struct hft_meter *hft_meter_init(void *memory, const struct hft_meter_set *set, u64 now)
{
	struct hft_meter *meter = memory;
	struct hft_hist *next = (struct hft_hist *)(meter + 1);
	u32 class, kind;

	meter->since = now;
	meter->flags = set->flags;
	meter->classes = set->classes;
	meter->kinds = set->kinds;
	for (class = 0; set->flags & HFT_METER_HIST && class < HFT_CLASSES; class++) {
		for (kind = 0; kind < HFT_KINDS; kind++) {
			if (meter->classes & BIT(class) && meter->kinds & BIT(kind))
				meter->hist[class][kind] = next++;
		}
	}
	return meter;
}

/**
 * hft_ready_dispatched() - a task of a ring that is measured or judged was written to it
 * @ready: of the ring
 * @class: the task's
 * @event: its event
 */
void hft_ready_dispatched(struct hft_ready_queue *ready, u32 class, const struct hft_event *event)
{
	u64 late = hft_meter_late(ready, event);

	if (event->result < 0)
		return;
	if (ready->meter)
		hft_meter_add(ready->meter->hist[class][HFT_KIND_DISPATCH], late);
	if (ready->detect)
		hft_detect_dispatch(ready, ready->detect, class, late, event->published);
}

/**
 * hft_ready_completed() - a task of a ring that is measured or judged has run
 * @ready: of the ring
 * @class: the task's
 * @event: its event
 * @start: as its worker has it, not before the event was published
 * @end: likewise, not before @start
 */
void hft_ready_completed(struct hft_ready_queue *ready, u32 class, const struct hft_event *event,
			 u64 start, u64 end)
{
	struct hft_run run = hft_run_of(event, start, end);

	if (ready->meter)
		hft_meter_run(ready->meter, class, &run);
	if (ready->detect)
		hft_detect_run(ready, ready->detect, class, &run, end);
}

/**
 * hft_meter_completed() - as hft_ready_completed(), of a meter alone
 * @meter: of the ring
 * @class: the task's
 * @event: its event
 * @start: likewise
 * @end: likewise
 */
void hft_meter_completed(struct hft_meter *meter, u32 class, const struct hft_event *event,
			 u64 start, u64 end)
{
	struct hft_run run = hft_run_of(event, start, end);

	hft_meter_run(meter, class, &run);
}

/**
 * hft_hist_info_valid() - are the fields of a request in range?
 * @info: the request; its ring, and who may ask, are the backend's to judge
 */
bool hft_hist_info_valid(const struct hft_hist_info *info)
{
	if (info->flags & ~HFT_HIST_GLOBAL || info->kind >= HFT_KINDS || info->reserved)
		return false;
	if (info->task_class == HFT_CLASS_ALL)
		return true;
	return info->task_class < HFT_CLASSES && !(info->flags & HFT_HIST_GLOBAL);
}

/**
 * hft_hist_info_begin() - nothing has been added yet
 * @info: the answer to be
 */
void hft_hist_info_begin(struct hft_hist_info *info)
{
	info->in_time = 0;
	info->since = 0;
}

/**
 * hft_hist_info_since() - what is added was measured since a time
 * @info: the answer to be
 * @since: CLOCK_MONOTONIC; 0: nothing was
 */
void hft_hist_info_since(struct hft_hist_info *info, u64 since)
{
	if (since && (!info->since || since < info->since))
		info->since = since;
}

/**
 * hft_meter_merge() - add what a meter has counted
 * @to: the sum of the values
 * @info: the answer to be, which tells the class and the kind
 * @meter: it may be written meanwhile; NULL: nothing is added
 */
void hft_meter_merge(struct hft_hist *to, struct hft_hist_info *info,
		     const struct hft_meter *meter)
{
	u32 i;

	if (!meter)
		return;
	hft_hist_info_since(info, meter->since);
	for (i = 0; i < HFT_CLASSES; i++) {
		if (info->task_class != HFT_CLASS_ALL && info->task_class != i)
			continue;
		if (meter->hist[i][info->kind])
			hft_hist_merge(to, meter->hist[i][info->kind]);
		info->in_time += hft_load_relaxed(&meter->in_time[i]);
	}
}

/**
 * hft_hist_info_end() - answer but for the buckets
 * @info: the answer
 * @hist: the sum of the values
 */
void hft_hist_info_end(struct hft_hist_info *info, const struct hft_hist *hist)
{
	info->nr_buckets = HFT_HIST_BUCKETS;
	info->count = hft_hist_count(hist);
	info->sum = hft_hist_sum(hist);
	info->min = hft_hist_min(hist);
	info->max = hft_hist_max(hist);
}
