// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * DPDK's ring of many producers and consumers, in memory of our own: it needs neither
 * huge pages nor DPDK's environment, which is not started.
 */
#include "executor.h"

#if __has_include(<rte_ring.h>)
#include <stdlib.h>
#include <rte_ring.h>

struct call {
	executor_fn fn;
	void *arg;
};

struct peer {
	struct rte_ring *ring;
	unsigned int next;
	struct call calls[EXECUTOR_QUEUE];
};

static void destroy(void *queue)
{
	struct peer *peer = queue;

	free(peer->ring);
	free(peer);
}

static void *create(void)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	size_t bytes = (size_t)rte_ring_get_memsize(EXECUTOR_QUEUE);

	if (!peer)
		return NULL;
	peer->ring = aligned_alloc(128, (bytes + 127) / 128 * 128);
	if (peer->ring && !rte_ring_init(peer->ring, "executor", EXECUTOR_QUEUE, 0))
		return peer;
	destroy(peer);
	return NULL;
}

/* One thread puts, here.  The ring has room for one less than its size. */
static bool put(void *queue, executor_fn fn, void *arg)
{
	struct peer *peer = queue;
	struct call *call = &peer->calls[peer->next % EXECUTOR_QUEUE];

	*call = (struct call){ fn, arg };
	if (rte_ring_mp_enqueue(peer->ring, call))
		return false;
	peer->next++;
	return true;
}

static bool run(void *queue)
{
	struct peer *peer = queue;
	void *call;

	if (rte_ring_mc_dequeue(peer->ring, &call))
		return false;
	((struct call *)call)->fn(((struct call *)call)->arg);
	return true;
}

const struct executor_queue executor_dpdk = {
	"DPDK rte_ring", "libdpdk-dev", create, destroy, put, run,
};
#else
const struct executor_queue executor_dpdk = {
	.name = "DPDK rte_ring", .package = "libdpdk-dev",
};
#endif
