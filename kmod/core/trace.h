/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/* The kernel's tracepoints; in user space the events of a ring say it all. */
#ifndef HFT_CORE_TRACE_H
#define HFT_CORE_TRACE_H

#ifdef __KERNEL__

#include "../trace.h"

#else

static inline void trace_submit(const struct hft_slot *slot)
{
	(void)slot;
}

static inline void trace_cancel(const struct hft_slot *slot)
{
	(void)slot;
}

static inline bool trace_task_state_enabled(void)
{
	return false;
}

static inline void trace_task_state(const struct hft_slot *slot, u32 job, u32 from, u32 to)
{
	(void)slot;
	(void)job;
	(void)from;
	(void)to;
}

static inline void trace_dispatch(const struct hft_ready_queue *ready,
				  const struct hft_event *event)
{
	(void)ready;
	(void)event;
}

static inline void trace_lead(const struct hft_ready_queue *ready, u64 lead)
{
	(void)ready;
	(void)lead;
}

static inline void trace_anomaly(const struct hft_ready_queue *ready, u32 class, u32 kind,
				 u32 anomaly, const struct hft_detected *found)
{
	(void)ready;
	(void)class;
	(void)kind;
	(void)anomaly;
	(void)found;
}

static inline void trace_response(const struct hft_ready_queue *ready,
				  const struct hft_rule_state *rule, u32 response)
{
	(void)ready;
	(void)rule;
	(void)response;
}

#endif

#endif /* HFT_CORE_TRACE_H */
