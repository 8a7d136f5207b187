/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * What is measured of a ring's tasks, by class and &enum hft_kind: at their dispatch,
 * and at the end of a run that the worker has reported.
 *
 * A ring that nothing is measured of pays nothing for it: its plain tasks go to the release
 * queue by hft_ready_queue.plain_levels, and those that were queued while something was to
 * be done with them at their dispatch are told by HFT_SLOT_HOOKED.
 *
 * The lock of the ring's release queue is held to write a meter; it is read without, as
 * core/hist.h has it, by who knows that it is not freed.
 */
#ifndef HFT_CORE_METER_H
#define HFT_CORE_METER_H

#include <linux/hft.h>

#include "hist.h"
#include "types.h"

#define HFT_METER_FLAGS		HFT_METER_HIST

/* Those that a run is measured by, which takes reports where the worker does not do it. */
#define HFT_KINDS_RUN		(BIT(HFT_KIND_WAKE) | BIT(HFT_KIND_RUN) |	\
				 BIT(HFT_KIND_RESPONSE) | BIT(HFT_KIND_LATENESS))

struct hft_ready_queue;

/**
 * struct hft_meter - what is measured of a ring's tasks
 * @flags: HFT_METER_*
 * @classes: bit n: of class n
 * @kinds: bit n: of kind n
 * @reserved: zero
 * @since: CLOCK_MONOTONIC when it was begun
 * @in_time: runs of a class with a deadline that have kept it; the others are in
 *	%HFT_KIND_LATENESS
 * @hist: NULL: not of that class and kind
 */
struct hft_meter {
	u32 flags;
	u32 classes;
	u32 kinds;
	u32 reserved;
	u64 since;
	u64 in_time[HFT_CLASSES];
	struct hft_hist *hist[HFT_CLASSES][HFT_KINDS];
};

bool hft_meter_set_valid(const struct hft_meter_set *set);
void hft_meter_restrict(struct hft_meter_set *set, u32 kinds);
size_t hft_meter_bytes(const struct hft_meter_set *set);
struct hft_meter *hft_meter_init(void *memory, const struct hft_meter_set *set, u64 now);
void hft_ready_dispatched(struct hft_ready_queue *ready, u32 class,
			  const struct hft_event *event);
void hft_ready_completed(struct hft_ready_queue *ready, u32 class, const struct hft_event *event,
			 u64 start, u64 end);
void hft_meter_completed(struct hft_meter *meter, u32 class, const struct hft_event *event,
			 u64 start, u64 end);

bool hft_hist_info_valid(const struct hft_hist_info *info);
void hft_hist_info_begin(struct hft_hist_info *info);
void hft_hist_info_since(struct hft_hist_info *info, u64 since);
void hft_meter_merge(struct hft_hist *to, struct hft_hist_info *info,
		     const struct hft_meter *meter);
void hft_hist_info_end(struct hft_hist_info *info, const struct hft_hist *hist);

#endif /* HFT_CORE_METER_H */
