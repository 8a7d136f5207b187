// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * HFT_RECORD=DIR: tasks of hft_submit_now(), and what the workers of their rings choose.
 *
 * No backend sees them: they are known by their place in the inbox of a ring.  What was decided
 * is the worker's choice between the best of them and the next event of the ring.
 */
#include "recorder.h"

/* Where it went to the ring after all, it is a task like others. */
int hft_record_submit_now(struct hft_ring *ring, const struct hft_task *task,
			  struct hft_inbox_receipt *receipt)
{
	struct hft_recorder *recorder = ring->recorder;
	struct hft_inbox_receipt own;
	uint64_t begin;
	int err;

	if (!receipt)
		receipt = &own;
	begin = hft_record_now(recorder);
	if (recorder->real->submit_now)
		err = recorder->real->submit_now(ring, task, receipt);
	else
		err = hft_inbox_submit_for(ring, task, receipt);
	if (!err && !receipt->passed_on)
		RECORD(recorder, HFT_RECORD_SUBMIT_NOW, begin, hft_record_now(recorder),
		       ring->number, receipt->place, task->cookie, receipt->release,
		       task->deadline ? receipt->release + task->deadline : 0, task->flags,
		       task->level, task->task_class, task->period, task->wcet);
	return err;
}

/* By the clock that the records have. */
uint64_t hft_record_time(const struct hft_ring *ring)
{
	return hft_record_now(ring->recorder);
}

/* That the same event goes before the same task is said once, however often it is looked at. */
static bool hft_record_is_known(struct hft_ring *ring, uint64_t place)
{
	bool known = ring->passed_by == place + 1 && ring->passing == ring->head;

	ring->passed_by = place + 1;
	ring->passing = ring->head;
	return known;
}

/* The worker has taken the @best of its inbox, or @event, the next one of its ring, goes before. */
void hft_record_choice(struct hft_ring *ring, const struct hft_inbox_node *best,
		       const struct hft_event *event, uint64_t begin)
{
	const struct hft_inbox_task *task = &best->task;
	struct hft_recorder *recorder = ring->recorder;
	bool taken = ring->view.taken;
	uint64_t end = hft_record_now(recorder);

	if (!taken && hft_record_is_known(ring, best->item.seq))
		return;
	hft_record_look(recorder);
	if (event)
		hft_record_events(ring, ring->head);
	hft_record_page(ring);
	RECORD(recorder, taken ? HFT_RECORD_IMMEDIATE : HFT_RECORD_AHEAD, begin, end,
	       ring->number, best->item.seq, task->cookie, task->release, task->deadline,
	       task->level, event ? event->sequence + 1 : 0);
}

/* The worker is done with a task of its inbox. */
void hft_record_ended(struct hft_ring *ring)
{
	RECORD(ring->recorder, HFT_RECORD_DONE, hft_record_now(ring->recorder), ring->number,
	       ring->inbox->event.sequence);
}

/* What is before @place in the inbox is cancelled, but for what the worker is at. */
void hft_record_drop(struct hft_ring *ring, uint64_t place)
{
	RECORD(ring->recorder, HFT_RECORD_DROP, hft_record_now(ring->recorder), ring->number,
	       place);
}
