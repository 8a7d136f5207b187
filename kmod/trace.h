/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM hft

#if !defined(HFT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define HFT_TRACE_H

#include <linux/tracepoint.h>
#include "hft.h"

/* Times are on the task's own clock before its release, then on CLOCK_MONOTONIC. */
DECLARE_EVENT_CLASS(hft_slot,
	TP_PROTO(const struct hft_slot *slot),
	TP_ARGS(slot),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, cookie)
		__field(u64, release)
		__field(u64, deadline)
		__field(int, cpu)
		__field(u32, ring)
		__field(u8, clock)
		__field(u8, level)
	),
	TP_fast_assign(
		__entry->id = hft_slot_id(slot->ready->pool, slot);
		__entry->cookie = slot->cookie;
		__entry->release = slot->release;
		__entry->deadline = slot->deadline;
		__entry->cpu = hft_ring_of(slot->ready)->queue->cpu;
		__entry->ring = slot->ready->number;
		__entry->clock = slot->clock;
		__entry->level = slot->level;
	),
	TP_printk("task=0x%llx cpu=%d ring=%u cookie=0x%llx release=%llu deadline=%llu clock=%u level=%u",
		  __entry->id, __entry->cpu, __entry->ring, __entry->cookie, __entry->release,
		  __entry->deadline, __entry->clock, __entry->level)
);

DEFINE_EVENT(hft_slot, submit,
	TP_PROTO(const struct hft_slot *slot),
	TP_ARGS(slot)
);

DEFINE_EVENT(hft_slot, cancel,
	TP_PROTO(const struct hft_slot *slot),
	TP_ARGS(slot)
);

/* Times are the event's, on CLOCK_MONOTONIC. */
TRACE_EVENT(dispatch,
	TP_PROTO(struct hft_ready_queue *ready, const struct hft_event *event),
	TP_ARGS(ready, event),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, cookie)
		__field(u64, release)
		__field(u64, deadline)
		__field(u64, irq_entry)
		__field(u64, published)
		__field(u64, sequence)
		__field(int, cpu)
		__field(u32, ring)
		__field(s32, result)
		__field(u8, level)
	),
	TP_fast_assign(
		__entry->id = event->task;
		__entry->cookie = event->cookie;
		__entry->release = event->release;
		__entry->deadline = event->deadline;
		__entry->irq_entry = event->irq_entry;
		__entry->published = event->published;
		__entry->sequence = event->sequence;
		__entry->cpu = hft_ring_of(ready)->queue->cpu;
		__entry->ring = ready->number;
		__entry->result = event->result;
		__entry->level = event->level;
	),
	TP_printk("task=0x%llx cpu=%d ring=%u cookie=0x%llx release=%llu deadline=%llu irq_entry=%llu published=%llu sequence=%llu level=%u result=%d",
		  __entry->id, __entry->cpu, __entry->ring, __entry->cookie, __entry->release,
		  __entry->deadline, __entry->irq_entry, __entry->published, __entry->sequence,
		  __entry->level, __entry->result)
);

#define hft_state_names						\
	{ 0, "none" },						\
	{ HFT_STATE_PENDING, "pending" },			\
	{ HFT_STATE_READY, "ready" },				\
	{ HFT_STATE_DISPATCHED, "dispatched" },			\
	{ HFT_STATE_RUNNING, "running" },			\
	{ HFT_STATE_BLOCKED, "blocked" },			\
	{ HFT_STATE_COMPLETED, "completed" },			\
	{ HFT_STATE_FAILED, "failed" },				\
	{ HFT_STATE_CANCELLED, "cancelled" },			\
	{ HFT_STATE_DEADLINE_MISSED, "deadline_missed" }

/*
 * Job @job of a tracked task goes from one &enum hft_task_state to another, as far as it
 * is noticed: that it runs or has run, when its ring is looked at.
 */
TRACE_EVENT(task_state,
	TP_PROTO(const struct hft_slot *slot, u32 job, u32 from, u32 to),
	TP_ARGS(slot, job, from, to),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, cookie)
		__field(int, cpu)
		__field(u32, ring)
		__field(u32, job)
		__field(u32, from)
		__field(u32, to)
	),
	TP_fast_assign(
		__entry->id = hft_slot_id(slot->ready->pool, slot);
		__entry->cookie = slot->cookie;
		__entry->cpu = hft_ring_of(slot->ready)->queue->cpu;
		__entry->ring = slot->ready->number;
		__entry->job = job;
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("task=0x%llx cpu=%d ring=%u cookie=0x%llx job=%u from=%s to=%s",
		  __entry->id, __entry->cpu, __entry->ring, __entry->cookie, __entry->job,
		  __print_symbolic(__entry->from, hft_state_names),
		  __print_symbolic(__entry->to, hft_state_names))
);

/*
 * A watched deadline has passed, or a budget is over (@type); @now is when that was found
 * out, on CLOCK_MONOTONIC.
 */
TRACE_EVENT(miss,
	TP_PROTO(const struct hft_notice *notice, u64 now),
	TP_ARGS(notice, now),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, cookie)
		__field(u64, release)
		__field(u64, deadline)
		__field(u64, now)
		__field(u32, flags)
		__field(s32, state)
		__field(u16, type)
		__field(u8, level)
	),
	TP_fast_assign(
		__entry->id = notice->event.task;
		__entry->cookie = notice->event.cookie;
		__entry->release = notice->event.release;
		__entry->deadline = notice->event.deadline;
		__entry->now = now;
		__entry->flags = notice->flags & HFT_TASK_FLAGS;
		__entry->state = notice->event.result;
		__entry->type = notice->event.type;
		__entry->level = notice->event.level;
	),
	TP_printk("task=0x%llx cookie=0x%llx release=%llu deadline=%llu now=%llu type=%u state=%d flags=0x%x level=%u",
		  __entry->id, __entry->cookie, __entry->release, __entry->deadline, __entry->now,
		  __entry->type, __entry->state, __entry->flags, __entry->level)
);

TRACE_EVENT(halt,
	TP_PROTO(const struct hft_halt *halt),
	TP_ARGS(halt),
	TP_STRUCT__entry(
		__field(u32, mode)
		__field(u32, flags)
		__field(u64, stopped)
		__field(u32, rings)
	),
	TP_fast_assign(
		__entry->mode = halt->mode;
		__entry->flags = halt->flags;
		__entry->stopped = halt->stopped;
		__entry->rings = halt->rings;
	),
	TP_printk("mode=%u flags=%u stopped=%llu rings=%u",
		  __entry->mode, __entry->flags, __entry->stopped, __entry->rings)
);

/* The lead of a ring changes, for tasks that are queued from here on. */
TRACE_EVENT(lead,
	TP_PROTO(const struct hft_ready_queue *ready, u64 lead),
	TP_ARGS(ready, lead),
	TP_STRUCT__entry(
		__field(int, cpu)
		__field(u32, ring)
		__field(u64, from)
		__field(u64, to)
	),
	TP_fast_assign(
		__entry->cpu = container_of(ready, struct hft_ring, ready)->queue->cpu;
		__entry->ring = ready->number;
		__entry->from = ready->lead;
		__entry->to = lead;
	),
	TP_printk("cpu=%d ring=%u from=%llu to=%llu", __entry->cpu, __entry->ring,
		  __entry->from, __entry->to)
);

/* Time went by on a CPU with interrupts off, and nothing ran that the kernel knows. */
TRACE_EVENT(interference,
	TP_PROTO(int cpu, u64 gap, u64 when),
	TP_ARGS(cpu, gap, when),
	TP_STRUCT__entry(
		__field(int, cpu)
		__field(u64, gap)
		__field(u64, when)
	),
	TP_fast_assign(
		__entry->cpu = cpu;
		__entry->gap = gap;
		__entry->when = when;
	),
	TP_printk("cpu=%d gap=%llu when=%llu", __entry->cpu, __entry->gap, __entry->when)
);

/* As the notice of it. */
TRACE_EVENT(clock_fault,
	TP_PROTO(const struct hft_event *notice),
	TP_ARGS(notice),
	TP_STRUCT__entry(
		__field(s64, by)
		__field(u64, nr)
		__field(u64, when)
		__field(u32, cpu)
		__field(u32, fault)
		__field(u8, clock)
	),
	TP_fast_assign(
		__entry->by = notice->cookie;
		__entry->nr = notice->task;
		__entry->when = notice->release;
		__entry->cpu = notice->deadline;
		__entry->fault = notice->result;
		__entry->clock = notice->clock;
	),
	TP_printk("fault=%u clock=%u by=%lld nr=%llu when=%llu cpu=%u",
		  __entry->fault, __entry->clock, __entry->by, __entry->nr, __entry->when,
		  __entry->cpu)
);

/* As the notice of it, but each. */
TRACE_EVENT(anomaly,
	TP_PROTO(const struct hft_ready_queue *ready, u32 task_class, u32 kind, u32 anomaly,
		 const struct hft_detected *found),
	TP_ARGS(ready, task_class, kind, anomaly, found),
	TP_STRUCT__entry(
		__field(u64, value)
		__field(u64, expected)
		__field(u64, limit)
		__field(u32, ring)
		__field(u32, task_class)
		__field(u32, kind)
		__field(u32, anomaly)
	),
	TP_fast_assign(
		__entry->value = found->value;
		__entry->expected = found->expected;
		__entry->limit = found->limit;
		__entry->ring = ready->number;
		__entry->task_class = task_class;
		__entry->kind = kind;
		__entry->anomaly = anomaly;
	),
	TP_printk("ring=%u class=%u kind=%u anomaly=%u value=%llu expected=%llu limit=%llu",
		  __entry->ring, __entry->task_class, __entry->kind, __entry->anomaly,
		  __entry->value, __entry->expected, __entry->limit)
);

TRACE_EVENT(response,
	TP_PROTO(const struct hft_ready_queue *ready, const struct hft_rule_state *rule,
		 u32 response),
	TP_ARGS(ready, rule, response),
	TP_STRUCT__entry(
		__field(u64, value)
		__field(u64, before)
		__field(u64, since)
		__field(u32, ring)
		__field(u32, rule)
		__field(u32, action)
		__field(u32, anomaly)
		__field(u32, response)
	),
	TP_fast_assign(
		__entry->value = rule->value;
		__entry->before = rule->before;
		__entry->since = rule->since;
		__entry->ring = ready->number;
		__entry->rule = rule->rule.number;
		__entry->action = rule->rule.action;
		__entry->anomaly = rule->anomaly;
		__entry->response = response;
	),
	TP_printk("ring=%u rule=%u action=%u response=%u anomaly=%u value=%llu before=%llu since=%llu",
		  __entry->ring, __entry->rule, __entry->action, __entry->response,
		  __entry->anomaly, __entry->value, __entry->before, __entry->since)
);

#endif /* HFT_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
