// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a simulated machine tells of what happens on it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../log/sched.h"
#include "sim.h"

static const char *const hft_sim_names[HFT_SIM_WHATS] = {
	[HFT_SIM_RELEASE] = "release",
	[HFT_SIM_DISPATCH] = "dispatch",
	[HFT_SIM_START] = "start",
	[HFT_SIM_PREEMPT] = "preempt",
	[HFT_SIM_RESUME] = "resume",
	[HFT_SIM_LOCK] = "lock",
	[HFT_SIM_BLOCK] = "block",
	[HFT_SIM_UNLOCK] = "unlock",
	[HFT_SIM_END] = "end",
	[HFT_SIM_MISS] = "miss",
	[HFT_SIM_DROP] = "drop",
	[HFT_SIM_CANCEL] = "cancel",
	[HFT_SIM_SKIP] = "skip",
	[HFT_SIM_SIGNAL] = "signal",
	[HFT_SIM_HALT] = "halt",
};

static void count(struct hft_sim_stats *stats, const struct hft_sim_job *job,
		  enum hft_sim_what what, u64 value)
{
	switch (what) {
	case HFT_SIM_DISPATCH:
		stats->dispatched++;
		break;
	case HFT_SIM_START:
		stats->started++;
		break;
	case HFT_SIM_PREEMPT:
		stats->preempted++;
		break;
	case HFT_SIM_END:
		stats->ended++;
		stats->late += job->missed;
		break;
	case HFT_SIM_MISS:
		stats->missed++;
		break;
	case HFT_SIM_DROP:
		stats->dropped++;
		break;
	case HFT_SIM_CANCEL:
		stats->cancelled++;
		break;
	case HFT_SIM_SKIP:
		stats->skipped += value;
		break;
	case HFT_SIM_SIGNAL:
		stats->signals++;
		break;
	default:
		break;
	}
}

static const uint8_t logged_as[HFT_SIM_WHATS] = {
	[HFT_SIM_RELEASE] = HFT_SCHED_RELEASE,
	[HFT_SIM_DISPATCH] = HFT_SCHED_DISPATCH,
	[HFT_SIM_START] = HFT_SCHED_START,
	[HFT_SIM_PREEMPT] = HFT_SCHED_PREEMPT,
	[HFT_SIM_RESUME] = HFT_SCHED_RESUME,
	[HFT_SIM_BLOCK] = HFT_SCHED_BLOCK,
	[HFT_SIM_END] = HFT_SCHED_END,
	[HFT_SIM_MISS] = HFT_SCHED_MISS,
	[HFT_SIM_DROP] = HFT_SCHED_DROP,
	[HFT_SIM_SKIP] = HFT_SCHED_SKIP,
	[HFT_SIM_CANCEL] = HFT_SCHED_CANCEL,
};

/* What a caller of hft_ring_peek() runs is logged where it does: it is not started here. */
static void log_job(const struct hft_sim_job *job, enum hft_sim_what what)
{
	const struct hft_sim_ring *ring = job->ring;

	if (!logged_as[what] || !hft_log_sched_wants(logged_as[what]) ||
	    (what == HFT_SIM_END && !job->started))
		return;
	if (what == HFT_SIM_CANCEL)
		hft_log_sched_cancel(job->event.task, ring->sim->now);
	else
		hft_log_sched_job(logged_as[what], &job->event, ring->ready.number,
				  ring->cpu->number, ring->sim->now);
}

void hft_sim_note(const struct hft_sim_job *job, enum hft_sim_what what, u64 value)
{
	struct hft_sim *sim = job->ring->sim;
	struct hft_sim_record record;

	count(&job->ring->stats, job, what, value);
	log_job(job, what);
	if (!sim->opts.record)
		return;
	record = (struct hft_sim_record){
		.time = sim->now,
		.task = job->event.task,
		.cookie = job->event.cookie,
		.value = value,
		.what = what,
		.cpu = job->ring->cpu->number,
		.ring = job->ring->ready.number,
		.level = job->event.level,
	};
	sim->opts.record(&record, sim->opts.record_arg);
}

/* Of a task that has no job yet. */
void hft_sim_note_slot(const struct hft_slot *slot, enum hft_sim_what what, u64 value)
{
	struct hft_sim_job job = {
		.ring = hft_sim_ring_of(slot->ready),
		.event.task = hft_slot_id(slot->ready->pool, slot),
		.event.cookie = slot->cookie,
		.event.level = slot->level,
	};

	hft_sim_note(&job, what, value);
}

/**
 * hft_sim_format() - a record as a line of text
 * @record: the record
 * @text: gets "TIME cpu N ring N WHAT task ID cookie N level N value N", without a
 *	newline
 * @size: %HFT_SIM_LINE_BYTES are enough
 *
 * Any thread; does not allocate or block.
 *
 * Return: its length, or -EINVAL when @size is too small or there is no such record.
 */
HFT_API int hft_sim_format(const struct hft_sim_record *record, char *text, size_t size)
{
	int length;

	if (record->what >= HFT_SIM_WHATS)
		return hft_fail(EINVAL, "record: %u is not known", record->what);
	length = snprintf(text, size, "%" PRIu64 " cpu %" PRIu32 " ring %" PRIu32 " %s task 0x%"
			  PRIx64 " cookie %" PRIu64 " level %" PRIu32 " value %" PRIu64,
			  record->time, record->cpu, record->ring, hft_sim_names[record->what],
			  record->task, record->cookie, record->level, record->value);
	return (size_t)length < size ? length : hft_fail(EINVAL, "record: %zu bytes", size);
}

static void add(struct hft_sim_stats *sum, const struct hft_sim_ring *ring)
{
	const struct hft_sim_stats *stats = &ring->stats;

	sum->submitted += stats->submitted;
	sum->cancelled += stats->cancelled;
	sum->dropped += stats->dropped;
	sum->ended += stats->ended;
	sum->dispatched += stats->dispatched;
	sum->started += stats->started;
	sum->late += stats->late;
	sum->missed += stats->missed;
	sum->preempted += stats->preempted;
	sum->skipped += stats->skipped;
	sum->signals += stats->signals;
	sum->pending += ring->ready.waiting + ring->ready.nr_blocked + ring->live;
}

/**
 * hft_sim_stats() - read the counters of a ring or of all
 * @sim: machine
 * @ring: number of a ring, or %HFT_STATS_CONTEXT
 * @stats: the answer
 *
 * Does not allocate or block.
 *
 * Return: 0, or -ENOENT for no such ring.
 */
HFT_API int hft_sim_stats(const struct hft_sim *sim, uint32_t ring, struct hft_sim_stats *stats)
{
	u32 i;

	if (ring != HFT_STATS_CONTEXT && (ring >= HFT_MAX_RINGS || !sim->rings[ring]))
		return hft_fail(ENOENT, "statistics of ring %u", ring);

	memset(stats, 0, sizeof(*stats));
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (sim->rings[i] && (ring == HFT_STATS_CONTEXT || ring == i))
			add(stats, sim->rings[i]);
	}
	if (ring != HFT_STATS_CONTEXT)
		return 0;

	stats->interrupts = sim->interrupts;
	stats->noise = sim->noise;
	stats->overhead_ns = sim->overhead;
	for (i = 0; i < sim->opts.cpus; i++)
		stats->busy_ns += sim->cpus[i].ran;
	return 0;
}
