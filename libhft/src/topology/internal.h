/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the topology share. */
#ifndef HFT_TOPOLOGY_INTERNAL_H
#define HFT_TOPOLOGY_INTERNAL_H

#include <stdbool.h>
#include <hwloc.h>
#include <hft/hft.h>
#include <hft/topology.h>

#include "../api.h"
#include "../options.h"

/**
 * struct hft_topology - a machine at a moment
 * @tree: what shares what
 * @sysfs: its folder, or NULL
 * @known: all CPUs, also those offline
 * @online: of those
 * @allowed: likewise
 * @isolated: likewise
 * @nohz_full: likewise
 */
struct hft_topology {
	hwloc_topology_t tree;
	char *sysfs;
	hwloc_bitmap_t known;
	hwloc_bitmap_t online;
	hwloc_bitmap_t allowed;
	hwloc_bitmap_t isolated;
	hwloc_bitmap_t nohz_full;
};

/* topology.c */
const struct hft_topology *hft_topology_machine(void);

/* sysfs.c */
int hft_sysfs_list(const char *root, const char *name, hwloc_bitmap_t cpus);
int hft_parse_cpus(const char *text, hwloc_bitmap_t cpus);

/* device.c */
int hft_device_cpus(const struct hft_topology *topology, const char *device, hwloc_bitmap_t cpus,
		    struct hft_device_info *info);

/* why.c */
void hft_place_explain(struct hft_placed *placed, const struct hft_cpu_info *cpu,
		       const struct hft_place_opts *opts);

#endif /* HFT_TOPOLOGY_INTERNAL_H */
