/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a task may run, or had best: in a pool (hft_spawn_opts.affinity), or by which ring. */
#ifndef HFT_AFFINITY_H
#define HFT_AFFINITY_H

#include <stddef.h>
#include <stdint.h>
#include <hft/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hft;

/**
 * struct hft_affinity - where a task runs
 * @sz: the size of this
 * @cpus: nowhere but on these; NULL: on any
 * @nr_cpus: how many they are
 * @node: nowhere but on this NUMA node: 1 + its number; 0: on any
 * @region: its data: it runs on the node of that if anybody is there, else anywhere that
 *	the others allow; NULL: none
 */
struct hft_affinity {
	size_t sz;
	const uint32_t *cpus;
	uint32_t nr_cpus;
	uint32_t node;
	const struct hft_region *region;
};

int hft_route(struct hft *h, const struct hft_affinity *affinity, uint32_t level);

#ifdef __cplusplus
}
#endif

#endif /* HFT_AFFINITY_H */
