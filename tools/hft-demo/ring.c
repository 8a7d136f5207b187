// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "ring.h"

#define ENTRIES		256
#define ORDERS		(1U << 17)	/* live ones of a ring */

static void apply_messages(struct ring *ring, const struct slot *slot)
{
	struct tally *tally = ring->tally;
	const void *message;
	size_t offset = 0, size;

	while ((message = hft_packet_message(&slot->packet, &offset, &size))) {
		if (ring_of(message, ring->rings) != ring->index)
			continue;
		tally->types[hft_itch_message_type(message)]++;
		if (hft_book_apply(ring->book, message, size) < 0)
			tally->refused++;
	}
}

/* Is this what was submitted, and for the first time?  Then it is done from now on. */
static bool take_task(struct ring *ring, struct slot *slot, const struct hft_event *event)
{
	unsigned int bit = 1U << ring->index;

	if (event->type != HFT_EVENT_TASK || slot->number != event->cookie ||
	    !(slot->rings & bit))
		return false;
	return !(atomic_fetch_or_explicit(&slot->done, bit, memory_order_relaxed) & bit);
}

static void account(struct tally *tally, const struct slot *slot, uint64_t start)
{
	tally->dispatched++;
	tally->early += start < slot->release;
	tally->unordered += slot->release < tally->last_release;
	tally->last_release = slot->release;
	hft_hist_record(&tally->error, start < slot->release ? 0 : start - slot->release);
}

static uint64_t cpu_time(clockid_t clock)
{
	struct timespec time = { 0 };

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * NSEC_PER_SEC + (uint64_t)time.tv_nsec;
}

static void begin_counting(struct ring *ring)
{
	ring->began = !pthread_getcpuclockid(pthread_self(), &ring->clock);
	ring->began_ns = ring->began ? cpu_time(ring->clock) : 0;
}

static void run_task(const struct hft_event *event, uint64_t start, void *arg)
{
	struct ring *ring = arg;
	struct slot *slot = slot_of(ring->slots, event->cookie);
	struct tally *tally = ring->tally;
	uint64_t end;

	if (!ring->began)
		begin_counting(ring);
	if (!take_task(ring, slot, event)) {
		tally->duplicated++;
		return;
	}
	if (event->result) {
		tally->failed++;
	} else {
		apply_messages(ring, slot);
		end = hft_now();
		tally->deadline_missed += end > event->deadline;
		account(tally, slot, start);
		hft_hist_record(&tally->body, end - start);
	}
	atomic_fetch_sub_explicit(&slot->left, 1, memory_order_release);
}

static int ring_allocate(struct ring *ring)
{
	const struct hft_book_opts opts = { .sz = sizeof(opts), .orders = ORDERS };
	int err;

	ring->tally = calloc(1, sizeof(*ring->tally));
	if (!ring->tally)
		return fail(ENOMEM, "ring %u", ring->index);
	err = hft_book_open(&ring->book, &opts);
	return err ? fail_hft(err, NULL) : 0;
}

int ring_start(struct ring *ring, struct hft *h, const struct config *config, unsigned int cpu)
{
	HFT_OPTS(hft_ring_opts, ring_opts, .cpu = cpu, .entries = ENTRIES,
		 .policy = config->policy, .lead_ns = config->lead_ns);
	HFT_OPTS(hft_worker_opts, worker_opts, .fn = run_task, .arg = ring);
	int err = ring_allocate(ring);

	if (err)
		return err;
	err = hft_ring_open(h, &ring_opts, &ring->ring);
	if (!err)
		err = hft_worker_start(ring->ring, &worker_opts, &ring->worker);
	return err ? fail_hft(err, NULL) : 0;
}

int ring_stop(struct ring *ring)
{
	int err;

	/* All tasks are done, which the worker has told by their slots. */
	if (ring->began)
		ring->tally->busy_ns = cpu_time(ring->clock) - ring->began_ns;
	err = hft_worker_stop(ring->worker);
	if (err)
		err = fail(0, "worker of ring %u: %s", ring->index, hft_strerror(err));
	if (ring->ring)
		hft_ring_close(ring->ring);
	hft_book_close(ring->book);
	ring->worker = NULL;
	ring->ring = NULL;
	ring->book = NULL;
	return err;
}
