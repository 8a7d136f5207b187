/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a CPU ran and which interrupts it served, from the kernel's events: see schedule.h. */
#ifndef HFT_LOG_TOOL_SCHEDULE_KERNEL_H
#define HFT_LOG_TOOL_SCHEDULE_KERNEL_H

#include "schedule.h"

/* Of one of the kernel's events; %SCHEDULE_THREAD: it is none. */
enum schedule_kind schedule_kernel_kind(const struct hft_log_view *view);

/* As schedule_take(), of an event @at this time that has a lane of such a kind. */
int schedule_kernel_take(struct schedule *schedule, struct schedule_lane *lane, uint64_t at,
			 const struct hft_log_view *view);

/* Does @view tell that events of a CPU are lost?  What it ran has no end then. */
bool schedule_kernel_is_lost(const struct schedule *schedule, const struct hft_log_view *view);
int schedule_kernel_cut(struct schedule *schedule, const struct hft_log_view_stream *stream);

/*
 * Until when something runs in the lane @of that has no end: a thread as long as the kernel was
 * traced, as far as its log has it, which others may be longer than.
 */
uint64_t schedule_kernel_last(const struct schedule *schedule, const struct schedule_lane *of);

#endif /* HFT_LOG_TOOL_SCHEDULE_KERNEL_H */
