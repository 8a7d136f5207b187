/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The schedule in the log: what becomes of tasks, as typed events of the plain ring, level
 * DEBUG: off until it is asked for.  Subsystem "sched" is tasks of handles, "pool" those of
 * pools, "graph" nodes of graphs.
 *
 * Who asks hft_log_sched_wants() first pays a load and a branch for an event that is off.
 */
#ifndef HFT_LOG_SCHED_H
#define HFT_LOG_SCHED_H

#include <hft/log_ring.h>
#include <linux/hft.h>

enum hft_log_sched_what {
	HFT_SCHED_SUBMIT,
	HFT_SCHED_RELEASE,		/* of jobs, from here */
	HFT_SCHED_DISPATCH,
	HFT_SCHED_START,
	HFT_SCHED_PREEMPT,
	HFT_SCHED_RESUME,
	HFT_SCHED_BLOCK,
	HFT_SCHED_END,
	HFT_SCHED_MISS,
	HFT_SCHED_DROP,
	HFT_SCHED_SKIP,			/* to here */
	HFT_SCHED_CANCEL,
	HFT_SCHED_HALT,
	HFT_SCHED_ANOMALY,
	HFT_SCHED_RESPONSE,
	HFT_SCHED_BOOST,
	HFT_SCHED_POOL_START,
	HFT_SCHED_POOL_END,
	HFT_SCHED_POOL_STEAL,
	HFT_SCHED_GRAPH_NODE,
	HFT_SCHED_WHATS
};

extern struct hft_log_site hft_log_sched_sites[HFT_SCHED_WHATS]
	__attribute__((visibility("hidden")));

HFT_LOG_INLINE bool hft_log_sched_wants(enum hft_log_sched_what what)
{
	return hft_log_unlikely(__atomic_load_n(&hft_log_sched_sites[what].enabled,
						__ATOMIC_RELAXED));
}

/* Of a log that wants it: the rings of the calling thread, before they are needed. */
void hft_log_sched_thread(void);

/* @at, in all: CLOCK_MONOTONIC, of the machine that is simulated if one is. */
void hft_log_sched_submit(const struct hft_task *task, uint64_t id, uint64_t at)
	__attribute__((cold));
void hft_log_sched_job(enum hft_log_sched_what what, const struct hft_event *event, uint32_t ring,
		   uint32_t cpu, uint64_t at) __attribute__((cold));

/*
 * A release that is told later: @stamp is of hft_log_sched_stamp(), of the same thread, at the
 * time of it.  hft_log_sched_lose(): so many are not told.
 */
uint64_t hft_log_sched_stamp(void) __attribute__((cold));
void hft_log_sched_release(const struct hft_event *event, uint32_t ring, uint32_t cpu, uint64_t at,
			   uint64_t stamp) __attribute__((cold));
void hft_log_sched_lose(uint64_t nr) __attribute__((cold));

void hft_log_sched_cancel(uint64_t id, uint64_t at) __attribute__((cold));
void hft_log_sched_halt(uint32_t mode, uint32_t flags, uint64_t stopped, uint64_t at)
	__attribute__((cold));
void hft_log_sched_anomaly(const struct hft_event *notice) __attribute__((cold));
void hft_log_sched_response(const struct hft_event *notice) __attribute__((cold));
void hft_log_sched_boost(uint64_t id, bool is_task, uint32_t from, uint32_t to, uint64_t at)
	__attribute__((cold));
void hft_log_sched_pool(enum hft_log_sched_what what, const void *fn, uint32_t worker, uint32_t cpu,
		    uint64_t at) __attribute__((cold));
void hft_log_sched_steal(uint32_t worker, uint32_t victim, uint32_t level, uint64_t at)
	__attribute__((cold));

void hft_log_sched_node(const void *graph, uint32_t node, const void *tick, int result,
			uint64_t start, uint64_t at) __attribute__((cold));

#endif /* HFT_LOG_SCHED_H */
