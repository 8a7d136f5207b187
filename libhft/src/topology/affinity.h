/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFT_TOPOLOGY_AFFINITY_H
#define HFT_TOPOLOGY_AFFINITY_H

#include <errno.h>
#include <stdbool.h>
#include <hft/affinity.h>

static inline int hft_affinity_check(const struct hft_affinity *affinity)
{
	bool has_cpus = affinity->cpus;

	return affinity->sz < sizeof(*affinity) || has_cpus != !!affinity->nr_cpus ? -EINVAL : 0;
}

/* May it run there?  @node: of @cpu, or HFT_NONE. */
static inline bool hft_affinity_allows(const struct hft_affinity *affinity, uint32_t cpu,
				       uint32_t node)
{
	uint32_t i;

	if (affinity->node && affinity->node - 1 != node)
		return false;
	for (i = 0; i < affinity->nr_cpus && affinity->cpus[i] != cpu; i++)
		;
	return !affinity->nr_cpus || i < affinity->nr_cpus;
}

/* Had it best run there, of where it may? */
static inline bool hft_affinity_prefers(const struct hft_affinity *affinity, uint32_t node)
{
	const struct hft_region *region = affinity->region;

	return !region || region->node == HFT_NONE || region->node == node;
}

static inline bool hft_affinity_is_strict(const struct hft_affinity *affinity)
{
	return affinity->node || affinity->nr_cpus;
}

#endif /* HFT_TOPOLOGY_AFFINITY_H */
