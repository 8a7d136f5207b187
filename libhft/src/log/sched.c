// SPDX-License-Identifier: LGPL-2.1-or-later
/* What becomes of tasks, as typed events: one site for each. */
#include <hft/log.h>

#include "log.h"
#include "sched.h"

#define SUBMIT_FIELDS								\
	(task, task), (u64, cookie), (class, class), (u64, ring), (u64, level),	\
	(u64, clock), (u64, release), (u64, deadline), (stamp, at)
#define JOB_FIELDS								\
	(task, task), (u64, cookie), (u64, ring), (u64, cpu), (u64, level),	\
	(stamp, release), (stamp, deadline), (stamp, published), (i64, result), (stamp, at)
#define CANCEL_FIELDS	(task, task), (stamp, at)
#define HALT_FIELDS	(u64, mode), (u64, flags), (u64, stopped), (stamp, at)
#define ANOMALY_FIELDS								\
	(u64, ring), (u64, anomaly), (u64, kind), (class, class), (u64, value),	\
	(u64, expected), (u64, limit), (stamp, at)
#define RESPONSE_FIELDS								\
	(u64, ring), (u64, rule), (u64, action), (u64, response), (u64, anomaly),	\
	(u64, value), (u64, before), (stamp, since), (stamp, at)
#define BOOST_FIELDS	(u64, tid), (u64, owner), (u64, from), (u64, to), (stamp, at)
#define POOL_FIELDS	(pointer, fn), (u64, worker), (u64, cpu), (stamp, at)
#define STEAL_FIELDS	(u64, worker), (u64, victim), (u64, level), (stamp, at)
#define NODE_FIELDS								\
	(pointer, graph), (u64, node), (pointer, tick), (i64, result), (stamp, start), (stamp, at)

#define TYPES(of, ...)								\
	static const char of##_types[] = { HFT_LOG_EACH(HFT_LOG_TYPE, __VA_ARGS__) 0 }

TYPES(submit, SUBMIT_FIELDS);
TYPES(job, JOB_FIELDS);
TYPES(cancel, CANCEL_FIELDS);
TYPES(halt, HALT_FIELDS);
TYPES(anomaly, ANOMALY_FIELDS);
TYPES(response, RESPONSE_FIELDS);
TYPES(boost, BOOST_FIELDS);
TYPES(pool, POOL_FIELDS);
TYPES(steal, STEAL_FIELDS);
TYPES(node, NODE_FIELDS);

#define SITE(subsystem_, name_, of, ...)					\
	{									\
		.name = (name_),						\
		.fields = HFT_LOG_EACH(HFT_LOG_FIELD, __VA_ARGS__),		\
		.types = of##_types,						\
		.subsystem = (subsystem_),					\
		.file = __FILE__,						\
		.line = __LINE__,						\
		.level = HFT_LOG_DEBUG,						\
	}

struct hft_log_site hft_log_sched_sites[HFT_SCHED_WHATS] HFT_LOG_IN_SECTION = {
	[HFT_SCHED_SUBMIT]	= SITE("sched", "submit", submit, SUBMIT_FIELDS),
	[HFT_SCHED_RELEASE]	= SITE("sched", "release", job, JOB_FIELDS),
	[HFT_SCHED_DISPATCH]	= SITE("sched", "dispatch", job, JOB_FIELDS),
	[HFT_SCHED_START]	= SITE("sched", "start", job, JOB_FIELDS),
	[HFT_SCHED_PREEMPT]	= SITE("sched", "preempt", job, JOB_FIELDS),
	[HFT_SCHED_RESUME]	= SITE("sched", "resume", job, JOB_FIELDS),
	[HFT_SCHED_BLOCK]	= SITE("sched", "block", job, JOB_FIELDS),
	[HFT_SCHED_END]		= SITE("sched", "end", job, JOB_FIELDS),
	[HFT_SCHED_MISS]	= SITE("sched", "miss", job, JOB_FIELDS),
	[HFT_SCHED_DROP]	= SITE("sched", "drop", job, JOB_FIELDS),
	[HFT_SCHED_SKIP]	= SITE("sched", "skip", job, JOB_FIELDS),
	[HFT_SCHED_CANCEL]	= SITE("sched", "cancel", cancel, CANCEL_FIELDS),
	[HFT_SCHED_HALT]	= SITE("sched", "halt", halt, HALT_FIELDS),
	[HFT_SCHED_ANOMALY]	= SITE("sched", "anomaly", anomaly, ANOMALY_FIELDS),
	[HFT_SCHED_RESPONSE]	= SITE("sched", "response", response, RESPONSE_FIELDS),
	[HFT_SCHED_BOOST]	= SITE("sched", "boost", boost, BOOST_FIELDS),
	[HFT_SCHED_POOL_START]	= SITE("pool", "start", pool, POOL_FIELDS),
	[HFT_SCHED_POOL_END]	= SITE("pool", "end", pool, POOL_FIELDS),
	[HFT_SCHED_POOL_STEAL]	= SITE("pool", "steal", steal, STEAL_FIELDS),
	[HFT_SCHED_GRAPH_NODE]	= SITE("graph", "node", node, NODE_FIELDS),
};

/* A log that can not take it counts the loss. */
#define PUT(function, ...)							\
	static void function(struct hft_log_site *site,				\
			     HFT_LOG_LIST(HFT_LOG_PARAMETER, __VA_ARGS__))	\
	{									\
		int err;							\
										\
		HFT_LOG_WRITE(err, HFT_LOG_PLAIN, site, HFT_LOG_TAKE_PAIR, __VA_ARGS__);	\
		(void)err;							\
	}

PUT(put_submit, SUBMIT_FIELDS)
PUT(put_job, JOB_FIELDS)
PUT(put_cancel, CANCEL_FIELDS)
PUT(put_halt, HALT_FIELDS)
PUT(put_anomaly, ANOMALY_FIELDS)
PUT(put_response, RESPONSE_FIELDS)
PUT(put_boost, BOOST_FIELDS)
PUT(put_pool, POOL_FIELDS)
PUT(put_steal, STEAL_FIELDS)
PUT(put_node, NODE_FIELDS)

void hft_log_sched_thread(void)
{
	struct hft_log *log = log_current();

	/* Where it can not be had, the events say so: as they would without this. */
	if (log && (hft_log_sched_wants(HFT_SCHED_START) ||
		    hft_log_sched_wants(HFT_SCHED_POOL_START)))
		log_thread_attach(HFT_LOG_PLAIN);
}

void hft_log_sched_submit(const struct hft_task *task, uint64_t id, uint64_t at)
{
	put_submit(&hft_log_sched_sites[HFT_SCHED_SUBMIT], id, task->cookie, task->task_class,
		   task->ring, task->level, task->clock, task->release, task->deadline, at);
}

void hft_log_sched_job(enum hft_log_sched_what what, const struct hft_event *event, uint32_t ring,
		   uint32_t cpu, uint64_t at)
{
	put_job(&hft_log_sched_sites[what], event->task, event->cookie, ring, cpu, event->level,
		event->release, event->deadline, event->published, event->result, at);
}

/* Of a thread without a ring: 0, which is the time of the call then. */
uint64_t hft_log_sched_stamp(void)
{
	const struct hft_log_ring *ring = hft_log_self[HFT_LOG_PLAIN];

	return ring ? hft_log_stamp(ring->tsc) : 0;
}

void hft_log_sched_release(const struct hft_event *event, uint32_t ring, uint32_t cpu, uint64_t at,
			   uint64_t stamp)
{
	const uint64_t arguments[] = {		/* JOB_FIELDS */
		event->task, event->cookie, ring, cpu, event->level, event->release,
		event->deadline, event->published, (uint64_t)event->result, at,
	};

	_Static_assert(sizeof(arguments) / 8 == sizeof(job_types) - 1, "as many as fields");
	hft_log_write(&hft_log_sched_sites[HFT_SCHED_RELEASE], HFT_LOG_PLAIN, stamp, arguments,
		      sizeof(arguments));
}

void hft_log_sched_lose(uint64_t nr)
{
	struct hft_log_ring *ring = hft_log_self[HFT_LOG_PLAIN];

	if (nr && ring)
		log_ring_refuse(ring, nr);
}

void hft_log_sched_cancel(uint64_t id, uint64_t at)
{
	put_cancel(&hft_log_sched_sites[HFT_SCHED_CANCEL], id, at);
}

void hft_log_sched_halt(uint32_t mode, uint32_t flags, uint64_t stopped, uint64_t at)
{
	put_halt(&hft_log_sched_sites[HFT_SCHED_HALT], mode, flags, stopped, at);
}

/* As %HFT_EVENT_ANOMALY has it. */
void hft_log_sched_anomaly(const struct hft_event *notice)
{
	put_anomaly(&hft_log_sched_sites[HFT_SCHED_ANOMALY], (uint32_t)notice->task,
		    (uint64_t)notice->result, notice->clock, notice->level, notice->cookie,
		    notice->release, notice->deadline, notice->published);
}

/* As %HFT_EVENT_RESPONSE has it. */
void hft_log_sched_response(const struct hft_event *notice)
{
	put_response(&hft_log_sched_sites[HFT_SCHED_RESPONSE], (uint32_t)notice->task,
		     notice->task >> 32, notice->clock, (uint64_t)notice->result, notice->level,
		     notice->cookie, notice->deadline, notice->release, notice->published);
}

/* @id: of a thread, or what is the same for all events of a task. */
void hft_log_sched_boost(uint64_t id, bool is_task, uint32_t from, uint32_t to, uint64_t at)
{
	put_boost(&hft_log_sched_sites[HFT_SCHED_BOOST], is_task ? 0 : id, is_task ? id : 0, from,
		  to, at);
}

void hft_log_sched_pool(enum hft_log_sched_what what, const void *fn, uint32_t worker, uint32_t cpu,
		    uint64_t at)
{
	put_pool(&hft_log_sched_sites[what], fn, worker, cpu, at);
}

void hft_log_sched_steal(uint32_t worker, uint32_t victim, uint32_t level, uint64_t at)
{
	put_steal(&hft_log_sched_sites[HFT_SCHED_POOL_STEAL], worker, victim, level, at);
}

void hft_log_sched_node(const void *graph, uint32_t node, const void *tick, int result,
			uint64_t start, uint64_t at)
{
	put_node(&hft_log_sched_sites[HFT_SCHED_GRAPH_NODE], graph, node, tick, result, start, at);
}
