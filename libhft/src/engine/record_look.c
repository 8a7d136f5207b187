// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * HFT_RECORD=DIR: what no call tells: the events of rings, how far their consumers are, and
 * what the clocks were set to.
 *
 * An event is recorded when its consumer advances over it, and says itself when it was
 * written.  In a simulation that does not say what was before what: many things happen at
 * one time.  There an event is recorded as soon as the call is over that it came in.
 */
#include "recorder.h"

/* Readings of two clocks, of which the closest count. */
#define HFT_RECORD_TRIES	20

/* A clock that was set by less than that is recorded as if it was not. */
#define HFT_RECORD_STEP_NS	1000000

/* Those of a simulated machine stay what they are. */
void hft_record_offsets(struct hft_recorder *recorder, const struct hft_sim *sim)
{
	uint64_t *offset = recorder->offset, width;

	if (sim) {
		offset[HFT_CLOCK_REALTIME] = hft_sim_offset(sim, HFT_CLOCK_REALTIME);
		offset[HFT_CLOCK_TAI] = hft_sim_offset(sim, HFT_CLOCK_TAI);
		return;
	}
	offset[HFT_CLOCK_REALTIME] = hft_clock_offset(CLOCK_REALTIME, HFT_RECORD_TRIES, &width);
	offset[HFT_CLOCK_TAI] = hft_clock_offset(CLOCK_TAI, HFT_RECORD_TRIES, &width);
}

static bool hft_record_was_set(const struct hft_recorder *recorder, enum hft_clock clock,
			       clockid_t id)
{
	int64_t by = (int64_t)(hft_gettime(id) - hft_kernel_now() - recorder->offset[clock]);

	return by > HFT_RECORD_STEP_NS || by < -HFT_RECORD_STEP_NS;
}

/*
 * Something happens at @time by clocks that may be set: if one was, record what it is by now.
 * A notice of that is for who has a monitor ring, and the module.
 */
void hft_record_clocks(struct hft_recorder *recorder, uint64_t time)
{
	uint64_t words[HFT_RECORD_WORDS];

	if (recorder->real == &hft_sim_backend || hft_is_inherited(recorder->forks))
		return;
	pthread_mutex_lock(&recorder->lock);
	if (hft_record_was_set(recorder, HFT_CLOCK_REALTIME, CLOCK_REALTIME) ||
	    hft_record_was_set(recorder, HFT_CLOCK_TAI, CLOCK_TAI)) {
		hft_record_offsets(recorder, NULL);
		words[0] = time;
		words[1] = recorder->offset[HFT_CLOCK_REALTIME];
		words[2] = recorder->offset[HFT_CLOCK_TAI];
		hft_record_append(recorder, HFT_RECORD_CLOCK, words, NULL);
	}
	pthread_mutex_unlock(&recorder->lock);
}

/* Of event number @at, and of those before it that are not recorded yet. */
static void hft_record_events(struct hft_ring *ring, uint32_t at)
{
	const struct hft_event *event;

	while ((int32_t)(at - ring->recorded) >= 0) {
		event = &ring->events[ring->recorded++ & ring->mask];
		if (event->type == HFT_EVENT_TASK && event->clock != HFT_CLOCK_MONOTONIC)
			hft_record_clocks(ring->recorder, event->published);
		RECORD(ring->recorder, event->type == HFT_EVENT_TASK ? HFT_RECORD_DISPATCH :
		       HFT_RECORD_NOTICE, event->published, ring->number,
		       event->task, event->cookie, event->release, event->deadline,
		       event->irq_entry, event->sequence, (uint64_t)(int64_t)event->result,
		       event->type, event->clock, event->level);
	}
}

/* All that there is: it can not be more than the ring has room for. */
void hft_record_rest(struct hft_ring *ring)
{
	uint32_t available = hft_ring_available(ring);

	if (available && available <= ring->mask + 1)
		hft_record_events(ring, ring->head + available - 1);
}

/* What a simulation has written before a call, or in it. */
void hft_record_look(struct hft_recorder *recorder)
{
	uint32_t i;

	for (i = 0; recorder->real == &hft_sim_backend && i < HFT_MAX_RINGS; i++) {
		if (recorder->rings[i])
			hft_record_rest(recorder->rings[i]);
	}
}

/*
 * Advance.  When the backend sees it is not before the one time, nor long after the other.
 * Without an event the consumer has lost its way, as ever.
 */
void hft_record_advance(struct hft_ring *ring)
{
	struct hft_recorder *recorder = ring->recorder;
	bool any = hft_ring_available(ring);
	struct hft_report report = { 0 };
	uint64_t begin;

	if (any) {
		hft_record_look(recorder);
		hft_record_events(ring, ring->head);
		if (ring->reports)
			report = ring->reports[ring->head & ring->mask];
	}
	begin = hft_record_now(recorder);
	hft_ring_next(ring);
	if (any)
		RECORD(recorder, HFT_RECORD_ADVANCE, begin, hft_record_now(recorder), ring->number,
		       report.start, report.end, (uint64_t)(int64_t)report.result, report.woke);
}

/*
 * The backend looks what a ring's consumer is done with: what depends on it happens then.
 * That is recorded if there is something.
 */
void hft_record_looked(struct hft_recorder *recorder, uint32_t number, uint64_t time)
{
	struct hft_ring *ring;
	bool news = false;
	uint32_t head;

	if (hft_is_inherited(recorder->forks))
		return;
	pthread_mutex_lock(&recorder->lock);
	ring = number < HFT_MAX_RINGS ? recorder->rings[number] : NULL;
	if (ring) {
		head = __atomic_load_n(&ring->consumer->head, __ATOMIC_RELAXED);
		news = atomic_exchange_explicit(&ring->looked, head, memory_order_relaxed) != head;
	}
	pthread_mutex_unlock(&recorder->lock);
	if (news)
		RECORD(recorder, HFT_RECORD_LOOK, time, number);
}
