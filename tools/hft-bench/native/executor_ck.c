// SPDX-License-Identifier: LGPL-2.1-or-later
/* Concurrency Kit's ring of many producers and consumers; it holds pointers. */
#include "executor.h"

#if __has_include(<ck_ring.h>)
#include <stdlib.h>
#include <ck_ring.h>

/* Each call is at the place that its number in the ring would have. */
struct call {
	executor_fn fn;
	void *arg;
};

struct peer {
	ck_ring_t ring;
	unsigned int next;
	ck_ring_buffer_t buffer[EXECUTOR_QUEUE];
	struct call calls[EXECUTOR_QUEUE];
};

static void *create(void)
{
	struct peer *peer = aligned_alloc(64, (sizeof(*peer) + 63) / 64 * 64);

	if (!peer)
		return NULL;
	ck_ring_init(&peer->ring, EXECUTOR_QUEUE);
	peer->next = 0;
	return peer;
}

/* One thread puts, here. */
static bool put(void *queue, executor_fn fn, void *arg)
{
	struct peer *peer = queue;
	struct call *call = &peer->calls[peer->next % EXECUTOR_QUEUE];

	*call = (struct call){ fn, arg };
	if (!ck_ring_enqueue_mpmc(&peer->ring, peer->buffer, call))
		return false;
	peer->next++;
	return true;
}

static bool run(void *queue)
{
	struct peer *peer = queue;
	struct call *call;

	if (!ck_ring_dequeue_mpmc(&peer->ring, peer->buffer, &call))
		return false;
	call->fn(call->arg);
	return true;
}

const struct executor_queue executor_ck = {
	"ck_ring", "libck-dev", create, free, put, run,
};
#else
const struct executor_queue executor_ck = { .name = "ck_ring", .package = "libck-dev" };
#endif
