// SPDX-License-Identifier: LGPL-2.1-or-later
/* How near two CPUs are, by hwloc. */
#include <pthread.h>
#include <hwloc.h>

#include "internal.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static hwloc_topology_t topology;

static void load_topology(void)
{
	hwloc_topology_t loaded;

	if (hwloc_topology_init(&loaded))
		return;
	hwloc_topology_set_flags(loaded, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
	if (hwloc_topology_load(loaded))
		hwloc_topology_destroy(loaded);
	else
		topology = loaded;
}

static void __attribute__((destructor)) forget_topology(void)
{
	if (topology)
		hwloc_topology_destroy(topology);
}

static bool share_node(hwloc_obj_t a, hwloc_obj_t b)
{
	return hwloc_bitmap_isequal(a->nodeset, b->nodeset);
}

/* The nearest that they share; what the machine does not tell counts as far. */
enum hft_distance hft_cpu_distance(uint32_t a, uint32_t b)
{
	hwloc_obj_t pu_a, pu_b, common;

	pthread_once(&once, load_topology);
	pu_a = topology ? hwloc_get_pu_obj_by_os_index(topology, a) : NULL;
	pu_b = topology ? hwloc_get_pu_obj_by_os_index(topology, b) : NULL;
	if (!pu_a || !pu_b)
		return HFT_DISTANCE_REMOTE;
	if (pu_a == pu_b)
		return HFT_DISTANCE_CORE;

	common = hwloc_get_common_ancestor_obj(topology, pu_a, pu_b);
	if (common->type == HWLOC_OBJ_CORE)
		return HFT_DISTANCE_CORE;
	if (hwloc_obj_type_is_dcache(common->type))
		return HFT_DISTANCE_CACHE;
	return share_node(pu_a, pu_b) ? HFT_DISTANCE_NODE : HFT_DISTANCE_REMOTE;
}
