/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine: which CPUs there are, what they share, which of them are kept free for
 * workers, where a device is; and a CPU for each worker by that.
 *
 * A topology is of one moment: CPUs that go offline, and cpusets that change later, are
 * not seen.  It is read-only once it is open: any number of threads may use it.
 *
 * Nothing of this is for the hot path: all calls may allocate, block and read files.
 */
#ifndef HFT_TOPOLOGY_H
#define HFT_TOPOLOGY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hft_topology;

#define HFT_NONE	(~0U)		/* no such domain, or the machine does not tell */

/**
 * enum hft_distance - how far it is from one CPU to another
 * @HFT_DISTANCE_CORE: they are threads of a core, or the same
 * @HFT_DISTANCE_CACHE: they share a cache
 * @HFT_DISTANCE_NODE: they share a node
 * @HFT_DISTANCE_REMOTE: they do not
 * @HFT_DISTANCES: how many there are
 */
enum hft_distance {
	HFT_DISTANCE_CORE,
	HFT_DISTANCE_CACHE,
	HFT_DISTANCE_NODE,
	HFT_DISTANCE_REMOTE,
	HFT_DISTANCES
};

struct hft_topology_opts {
	size_t sz;
	const char *synthetic;		/* a machine that there is not, as hwloc describes them: */
					/* "package:2 numa:1 l3:1 core:4 pu:2" */
	const char *xml;		/* a file that lstopo wrote on another machine */
	const char *sysfs;		/* "/sys" of this machine; of another one none: where */
					/* devices and CPUs that are isolated are read */
	const char *allowed;		/* CPUs that may be used, "0-3,8"; NULL: those of the */
					/* calling thread, and the isolated ones of its cpuset */
};

int hft_topology_open(struct hft_topology **topology, const struct hft_topology_opts *opts);
void hft_topology_close(struct hft_topology *topology);

/* hft_cpu_info.flags */
#define HFT_CPU_ONLINE		(1U << 0)
#define HFT_CPU_ALLOWED		(1U << 1)	/* hft_topology_opts.allowed */
#define HFT_CPU_ISOLATED	(1U << 2)	/* isolcpus=, or an isolated cpuset */
#define HFT_CPU_NOHZ_FULL	(1U << 3)	/* no tick while one thread runs */
#define HFT_CPU_HOUSEKEEPING	(1U << 4)	/* CPU 0 and, where some are isolated or */
						/* nohz_full, the others */

/**
 * struct hft_cpu_info - a CPU
 * @sz: the size of this
 * @cpu: its number
 * @flags: HFT_CPU_*
 * @core: number of its core, of all that the machine has, or %HFT_NONE; the others alike
 * @thread: which one of its core, from 0
 * @l2: its L2 cache
 * @l3: its L3 cache
 * @package: the socket
 * @node: the NUMA node, as the kernel numbers them
 */
struct hft_cpu_info {
	size_t sz;
	uint32_t cpu;
	uint32_t flags;
	uint32_t core;
	uint32_t thread;
	uint32_t l2;
	uint32_t l3;
	uint32_t package;
	uint32_t node;
};

int hft_topology_next(const struct hft_topology *topology, int cpu);
int hft_topology_cpu(const struct hft_topology *topology, uint32_t cpu,
		     struct hft_cpu_info *info);
enum hft_distance hft_topology_distance(const struct hft_topology *topology, uint32_t a,
					uint32_t b);

/**
 * struct hft_device_info - where a device is
 * @sz: the size of this
 * @node: its NUMA node, or %HFT_NONE
 * @nr_cpus: CPUs that are near it; 0: the machine does not tell
 * @cpus: them, "0-3,8"
 * @address: its PCI address, or ""
 */
struct hft_device_info {
	size_t sz;
	uint32_t node;
	uint32_t nr_cpus;
	char cpus[256];
	char address[32];
};

int hft_topology_device(const struct hft_topology *topology, const char *device,
			struct hft_device_info *info);

/**
 * enum hft_place_policy - which CPU the next worker gets
 * @HFT_PLACE_ISOLATED: isolated ones first, of these nohz_full ones first; else as
 *	%HFT_PLACE_PACK
 * @HFT_PLACE_LIST: those of hft_place_opts.cpus
 * @HFT_PLACE_SPREAD: where there are the fewest workers: nodes before packages before L3
 *	before L2
 * @HFT_PLACE_PACK: where it shares L3, else node, else L2 with the most workers
 * @HFT_PLACE_NEAR: near hft_place_opts.device; of these as %HFT_PLACE_PACK
 * @HFT_PLACE_POLICIES: how many there are
 */
enum hft_place_policy {
	HFT_PLACE_ISOLATED,
	HFT_PLACE_LIST,
	HFT_PLACE_SPREAD,
	HFT_PLACE_PACK,
	HFT_PLACE_NEAR,
	HFT_PLACE_POLICIES
};

/* hft_place_opts.flags */
#define HFT_PLACE_NO_SIBLINGS	(1U << 0)	/* never two workers on a core */
#define HFT_PLACE_SIBLINGS	(1U << 1)	/* a core's second thread is as good as its first; */
						/* else it is taken when no free core is left */
#define HFT_PLACE_NO_HOUSEKEEPING (1U << 2)	/* never a %HFT_CPU_HOUSEKEEPING one */
#define HFT_PLACE_REUSE		(1U << 3)	/* more workers than CPUs */

struct hft_place_opts {
	size_t sz;
	const struct hft_topology *topology;	/* NULL: this machine's as it is now */
	uint32_t policy;		/* enum hft_place_policy */
	uint32_t flags;			/* HFT_PLACE_* */
	const uint32_t *cpus;		/* with %HFT_PLACE_LIST: each worker's */
	uint32_t nr_cpus;
	const char *device;		/* with %HFT_PLACE_NEAR: as for hft_topology_device() */
	const char *exclude;		/* CPUs that no worker gets, "0,4-7" */
};

/**
 * enum hft_place_reason - why a worker has a CPU, or a CPU has no worker
 * @HFT_PLACED_LISTED: the caller said so
 * @HFT_PLACED_ISOLATED: the kernel schedules nothing else there
 * @HFT_PLACED_NOHZ_FULL: there is no tick
 * @HFT_PLACED_SPREAD: it is the farthest from the others
 * @HFT_PLACED_PACKED: it is the nearest to the others
 * @HFT_PLACED_NEAR: it is near the device
 * @HFT_PLACED_REMAINING: those that the policy prefers are taken
 * @HFT_PLACE_SPARE: no worker: none was left to place
 * @HFT_PLACE_OFFLINE: no worker: it is offline
 * @HFT_PLACE_OUTSIDE: no worker: the caller may not run there
 * @HFT_PLACE_EXCLUDED: no worker: the caller said so
 * @HFT_PLACE_HOUSEKEEPER: no worker: %HFT_PLACE_NO_HOUSEKEEPING
 * @HFT_PLACE_SIBLING: no worker: %HFT_PLACE_NO_SIBLINGS
 * @HFT_PLACE_REASONS: how many there are
 */
enum hft_place_reason {
	HFT_PLACED_LISTED,
	HFT_PLACED_ISOLATED,
	HFT_PLACED_NOHZ_FULL,
	HFT_PLACED_SPREAD,
	HFT_PLACED_PACKED,
	HFT_PLACED_NEAR,
	HFT_PLACED_REMAINING,
	HFT_PLACE_SPARE,
	HFT_PLACE_OFFLINE,
	HFT_PLACE_OUTSIDE,
	HFT_PLACE_EXCLUDED,
	HFT_PLACE_HOUSEKEEPER,
	HFT_PLACE_SIBLING,
	HFT_PLACE_REASONS
};

/* hft_placed.flags */
#define HFT_PLACED_SHARES_CORE	(1U << 0)	/* with a worker that was placed before */
#define HFT_PLACED_SHARES_CPU	(1U << 1)	/* likewise */
#define HFT_PLACED_HOUSEKEEPING	(1U << 2)	/* the CPU is a %HFT_CPU_HOUSEKEEPING one */
#define HFT_PLACED_NOISY_SIBLING (1U << 3)	/* one of its core is, and it is not */

/**
 * struct hft_placed - the CPU of a worker
 * @cpu: it
 * @node: its NUMA node, or %HFT_NONE
 * @reason: &enum hft_place_reason
 * @flags: HFT_PLACED_*
 * @why: the same as text
 */
struct hft_placed {
	uint32_t cpu;
	uint32_t node;
	uint32_t reason;
	uint32_t flags;
	char why[112];
};

int hft_place(const struct hft_place_opts *opts, struct hft_placed *placed, uint32_t nr);
int hft_place_count(const struct hft_place_opts *opts);
int hft_place_why_not(const struct hft_place_opts *opts, const struct hft_placed *placed,
		      uint32_t nr, uint32_t cpu, struct hft_placed *why);

#ifdef __cplusplus
}
#endif

#endif /* HFT_TOPOLOGY_H */
