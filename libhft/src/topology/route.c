// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which ring of a handle a task had best go to. */
#include <errno.h>
#include <limits.h>
#include <sched.h>

#include "../engine/internal.h"
#include "affinity.h"
#include "internal.h"

/* The smaller the better; UINT_MAX: it can not be. */
static unsigned int rank_of(const struct hft_ring *ring, const struct hft_affinity *affinity,
			    uint32_t level, int here)
{
	int cpu_node = hft_cpu_node(ring->cpu);
	uint32_t node = cpu_node < 0 ? HFT_NONE : (uint32_t)cpu_node;
	unsigned int rank = 0;

	if (!(ring->level_mask >> level & 1) || hft_ring_flags(ring) & HFT_RING_OFFLINE)
		return UINT_MAX;
	if (affinity && !hft_affinity_allows(affinity, ring->cpu, node))
		return UINT_MAX;
	if (affinity && !hft_affinity_prefers(affinity, node))
		rank = HFT_DISTANCES;
	if (here >= 0)
		rank += hft_topology_distance(NULL, (uint32_t)here, ring->cpu);
	return rank;
}

/**
 * hft_route() - the ring for a task, by where it runs best
 * @h: handle
 * @affinity: where that is, or NULL: near the caller
 * @level: &enum hft_level of the task
 *
 * Of the handle's rings that take the level and whose CPU the affinity allows, one on the
 * node of its data; of these the nearest to the CPU that the caller runs on, and the one
 * with the lowest number.  For hft_task.ring, again and again: it changes only as rings
 * come and go.
 *
 * Any thread; takes the handle's lock, reads sysfs.
 *
 * Return: the ring's number, -ENODEV there is none, -EINVAL there is no such level, or the
 * affinity has CPUs without a number or a number without CPUs, -EOWNERDEAD in a child.
 */
HFT_API int hft_route(struct hft *h, const struct hft_affinity *affinity, uint32_t level)
{
	unsigned int rank, least = UINT_MAX;
	int here = sched_getcpu(), number = -ENODEV;
	const struct hft_ring *ring;

	if (level >= HFT_LEVELS || (affinity && hft_affinity_check(affinity)))
		return hft_fail(EINVAL, "a route at level %u", level);
	if (hft_is_inherited(h->forks))
		return hft_fail(EOWNERDEAD, "a route in a child");
	pthread_mutex_lock(&h->lock);
	for (ring = h->rings; ring; ring = ring->next) {
		rank = rank_of(ring, affinity, level, here);
		if (rank > least || rank == UINT_MAX)
			continue;
		if (rank == least && number < (int)ring->number)
			continue;
		least = rank;
		number = (int)ring->number;
	}
	pthread_mutex_unlock(&h->lock);
	return number < 0 ? hft_fail(ENODEV, "no ring that the task may go to") : number;
}
