// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * HFT_RECORD=DIR: what no call tells: the events of rings, how far their consumers are, what
 * the clocks were set to, what rings are kept from by others than their handle, and whether
 * their CPUs are there.
 *
 * An event is recorded when its consumer advances over it, and says itself when it was
 * written.  In a simulation that does not say what was before what: many things happen at
 * one time.  There an event is recorded as soon as the call is over that it came in.
 */
#include "recorder.h"
#include "sim.h"

/* Readings of two clocks, of which the closest count. */
#define HFT_RECORD_TRIES	20

/* A clock that was set by less than that is recorded as if it was not. */
#define HFT_RECORD_STEP_NS	1000000

/* A simulated machine has nobody else, and is replayed with what it does itself. */
static bool hft_record_has_others(const struct hft_recorder *recorder)
{
	return recorder->real != &hft_sim_backend && !hft_is_inherited(recorder->forks);
}

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
 * Something happens by clocks that may be set: if one was since the look before, record what
 * it is by now.  A notice of that is for who has a monitor ring, and the module.
 */
static void hft_record_clocks(struct hft_recorder *recorder)
{
	uint64_t words[HFT_RECORD_WORDS], now;

	if (!hft_record_has_others(recorder))
		return;
	pthread_mutex_lock(&recorder->lock);
	now = hft_record_now(recorder);
	if (hft_record_was_set(recorder, HFT_CLOCK_REALTIME, CLOCK_REALTIME) ||
	    hft_record_was_set(recorder, HFT_CLOCK_TAI, CLOCK_TAI)) {
		hft_record_offsets(recorder, NULL);
		words[0] = recorder->offset_time;
		words[1] = hft_record_now(recorder);
		words[2] = recorder->offset[HFT_CLOCK_REALTIME];
		words[3] = recorder->offset[HFT_CLOCK_TAI];
		hft_record_append(recorder, HFT_RECORD_CLOCK, words, NULL);
	}
	recorder->offset_time = now;
	pthread_mutex_unlock(&recorder->lock);
}

/* What a ring is held to that is more than its handle has asked for. */
static uint32_t hft_record_held(const struct hft_ring *ring, uint32_t flags)
{
	uint32_t mode = flags & HFT_RING_HALTED ? HFT_HALT_ALL :
			flags & HFT_RING_REDUCE ? HFT_HALT_REDUCE : HFT_HALT_NONE;

	return mode > ring->recorder->halt ? mode : HFT_HALT_NONE;
}

static void hft_record_state(struct hft_ring *ring, uint32_t kind, uint64_t begin, uint64_t end,
			     uint64_t state)
{
	uint64_t words[HFT_RECORD_WORDS] = { begin, end, ring->number, state };

	hft_record_append(ring->recorder, kind, words, NULL);
}

/* Ring number @i, if it is of the same CPU as @ring, or NULL. */
static struct hft_ring *hft_record_mate(const struct hft_ring *ring, uint32_t i)
{
	struct hft_ring *other = ring->recorder->rings[i];

	return other && other->cpu == ring->cpu ? other : NULL;
}

static uint32_t hft_record_page_flags(const struct hft_ring *ring)
{
	return __atomic_load_n(&ring->producer->flags, __ATOMIC_ACQUIRE);
}

/*
 * A CPU has gone offline or come back, since the last look that has found it as it was: it is
 * recorded with the first that says so.  Of a simulated one is known when.
 */
static void hft_record_turned(struct hft_ring *ring, bool offline)
{
	struct hft_recorder *recorder = ring->recorder;
	const struct hft_sim_ring *made = ring->state;
	uint64_t begin = ring->cpu_time, end = hft_record_now(recorder);
	bool known = ring->cpu_offline == offline;
	uint32_t i;

	for (i = 0; i < HFT_MAX_RINGS && !known; i++) {
		struct hft_ring *other = hft_record_mate(ring, i);

		if (!other)
			continue;
		other->cpu_offline = offline;
		other->cpu_time = end;
		/* The looks at a ring that has not seen it gone have found it there, or back. */
		if (other->offline != offline && other->held_time > begin)
			begin = other->held_time;
	}
	if (recorder->real == &hft_sim_backend)
		begin = end = made->cpu->turned;
	if (!known)
		hft_record_state(ring, HFT_RECORD_CPU, begin, end, offline);
	ring->offline = offline;
}

/* Do all rings of a CPU say so?  Their pages are written one after the other. */
static bool hft_record_agree(const struct hft_ring *ring, bool offline)
{
	uint32_t i;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		const struct hft_ring *other = hft_record_mate(ring, i);

		if (other && !(hft_record_page_flags(other) & HFT_RING_OFFLINE) == offline)
			return false;
	}
	return true;
}

/*
 * It is in the page that the backend writes, by whomever: a change of that came between the
 * look before and this one.  With the lock.
 */
static void hft_record_flags(struct hft_ring *ring)
{
	uint64_t begin = hft_record_now(ring->recorder);
	uint32_t flags = hft_record_page_flags(ring);
	uint32_t held = hft_record_held(ring, flags);
	bool offline = flags & HFT_RING_OFFLINE;

	/* Or this ring has never seen what another one has, and that is over. */
	if (offline != ring->offline ||
	    (offline != ring->cpu_offline && hft_record_agree(ring, offline)))
		hft_record_turned(ring, offline);
	/* What a simulated machine is held to it is again. */
	if (ring->recorder->real == &hft_sim_backend)
		return;
	if (held != ring->held)
		hft_record_state(ring, HFT_RECORD_HOLD, ring->held_time,
				 hft_record_now(ring->recorder), held);
	ring->held = held;
	ring->held_time = begin;
}

/* Before events are recorded that it explains. */
void hft_record_page(struct hft_ring *ring)
{
	struct hft_recorder *recorder = ring->recorder;

	if (hft_is_inherited(recorder->forks))
		return;
	pthread_mutex_lock(&recorder->lock);
	hft_record_flags(ring);
	pthread_mutex_unlock(&recorder->lock);
}

/* A ring is closed: what it has seen of its CPU the others of that CPU may not have. */
void hft_record_last_look(struct hft_ring *ring)
{
	struct hft_recorder *recorder = ring->recorder;
	uint32_t i;

	pthread_mutex_lock(&recorder->lock);
	hft_record_flags(ring);
	for (i = 0; i < HFT_MAX_RINGS && ring->offline == ring->cpu_offline; i++) {
		struct hft_ring *other = hft_record_mate(ring, i);

		if (other && other->cpu_time < ring->held_time)
			other->cpu_time = ring->held_time;
	}
	pthread_mutex_unlock(&recorder->lock);
}

void hft_record_pages(struct hft_recorder *recorder)
{
	uint32_t i;

	if (hft_is_inherited(recorder->forks))
		return;
	pthread_mutex_lock(&recorder->lock);
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (recorder->rings[i])
			hft_record_flags(recorder->rings[i]);
	}
	pthread_mutex_unlock(&recorder->lock);
}

void hft_record_halted(struct hft_recorder *recorder, const struct hft_halt *halt)
{
	if (!(halt->flags & HFT_HALT_GLOBAL)) {
		pthread_mutex_lock(&recorder->lock);
		recorder->halt = halt->mode < HFT_HALT_ALL ? halt->mode : HFT_HALT_ALL;
		pthread_mutex_unlock(&recorder->lock);
	}
	hft_record_pages(recorder);
}

/* What has changed before tasks are submitted, of their rings and clocks. */
void hft_record_before(struct hft_recorder *recorder, const struct hft_task *tasks, uint32_t nr)
{
	uint32_t i, last = HFT_MAX_RINGS;
	bool clocks = false;

	if (hft_is_inherited(recorder->forks))
		return;
	pthread_mutex_lock(&recorder->lock);
	for (i = 0; i < nr; i++) {
		uint32_t ring = tasks[i].ring;

		if (ring != last && ring < HFT_MAX_RINGS && recorder->rings[ring])
			hft_record_flags(recorder->rings[ring]);
		last = ring;
		clocks |= tasks[i].clock != HFT_CLOCK_MONOTONIC;
	}
	pthread_mutex_unlock(&recorder->lock);
	if (clocks)
		hft_record_clocks(recorder);
}

/* Of event number @at, and of those before it that are not recorded yet. */
void hft_record_events(struct hft_ring *ring, uint32_t at)
{
	const struct hft_event *event;

	if ((int32_t)(at - ring->recorded) >= 0)
		hft_record_page(ring);
	while ((int32_t)(at - ring->recorded) >= 0) {
		event = &ring->events[ring->recorded++ & ring->mask];
		if (event->type == HFT_EVENT_TASK && event->clock != HFT_CLOCK_MONOTONIC)
			hft_record_clocks(ring->recorder);
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

	if (recorder->real != &hft_sim_backend)
		return;
	hft_record_pages(recorder);
	for (i = 0; i < HFT_MAX_RINGS; i++) {
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
