// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Which CPU each worker gets, and why. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <hft/hft.h>
#include <hft/pool.h>
#include <hft/topology.h>

/* Two packages, of each a node, two L3, four cores, eight CPUs. */
#define MACHINE		"pack:2 [numa] l3:2 core:2 pu:2"
#define CPUS		16

static char root[] = "/tmp/hft-place-XXXXXX";
static struct hft_topology *machine;		/* nothing is isolated */
static struct hft_topology *isolated;		/* 4-5 and, without a tick, 12-13 are; 15 is off */

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/devices/system/cpu/%s", root, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int make_machines(void **state)
{
	HFT_OPTS(hft_topology_opts, opts, .synthetic = MACHINE);
	char command[256];

	(void)state;
	assert_non_null(mkdtemp(root));
	snprintf(command, sizeof(command), "cd %s && mkdir -p devices/system/cpu class/net "
		 "devices/pci/nic && echo 8-15 > devices/pci/nic/local_cpulist && "
		 "ln -s ../../devices/pci/nic class/net/eth0", root);
	assert_int_equal(system(command), 0);
	write_file("online", "0-14\n");
	write_file("isolated", "4-5,12-13\n");
	write_file("nohz_full", "12-13\n");
	assert_int_equal(hft_topology_open(&machine, &opts), 0);
	opts.sysfs = root;
	assert_int_equal(hft_topology_open(&isolated, &opts), 0);
	return 0;
}

static int forget_machines(void **state)
{
	char command[64];

	(void)state;
	hft_topology_close(machine);
	hft_topology_close(isolated);
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

static void expect(const struct hft_place_opts *opts, const uint32_t *cpus, uint32_t nr)
{
	struct hft_placed placed[CPUS], again[CPUS];
	uint32_t i;

	assert_int_equal(hft_place(opts, placed, nr), 0);
	for (i = 0; i < nr; i++)
		assert_int_equal(placed[i].cpu, cpus[i]);
	assert_int_equal(hft_place(opts, again, nr), 0);
	assert_memory_equal(placed, again, nr * sizeof(placed[0]));
}

#define EXPECT(opts, ...) do {							\
	const uint32_t cpus_[] = { __VA_ARGS__ };				\
										\
	expect(opts, cpus_, sizeof(cpus_) / sizeof(cpus_[0]));			\
} while (0)

/* One core after the other, the last one that of CPU 0; then their second threads, but its. */
static void pack_fills_a_cache_after_the_other(void **state)
{
	HFT_OPTS(hft_place_opts, opts, .topology = machine, .policy = HFT_PLACE_PACK);

	(void)state;
	EXPECT(&opts, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15, 0);
	opts.flags = HFT_PLACE_SIBLINGS;
	EXPECT(&opts, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 1, 0);
}

static void spread_goes_as_far_as_it_can(void **state)
{
	HFT_OPTS(hft_place_opts, opts, .topology = machine, .policy = HFT_PLACE_SPREAD);

	(void)state;
	EXPECT(&opts, 2, 8, 4, 12, 6, 10, 14, 1);
}

static void isolated_ones_go_first(void **state)
{
	HFT_OPTS(hft_place_opts, opts, .topology = isolated);
	struct hft_placed placed[6];

	(void)state;
	EXPECT(&opts, 12, 13, 4, 5, 6, 14);
	assert_int_equal(hft_place(&opts, placed, 6), 0);
	assert_int_equal(placed[0].reason, HFT_PLACED_ISOLATED);
	assert_string_equal(placed[0].why, "isolated, nohz_full, node 1, L3 3");
	assert_int_equal(placed[1].flags, HFT_PLACED_SHARES_CORE);
	assert_string_equal(placed[1].why, "isolated, nohz_full, node 1, L3 3; shares core 6");
	assert_int_equal(placed[2].reason, HFT_PLACED_ISOLATED);
	assert_int_equal(placed[2].node, 0);
	assert_int_equal(placed[4].reason, HFT_PLACED_REMAINING);
	assert_int_equal(placed[4].flags, HFT_PLACED_HOUSEKEEPING);
	assert_string_equal(placed[4].why, "no isolated CPU is left, node 0, L3 1; "
			    "does the housekeeping");
	opts.flags = HFT_PLACE_NO_SIBLINGS;
	EXPECT(&opts, 12, 4, 6, 14);
	opts.flags |= HFT_PLACE_NO_HOUSEKEEPING;
	EXPECT(&opts, 12, 4);
	assert_int_equal(hft_place(&opts, placed, 3), -ENOSPC);
	assert_int_equal(hft_place_count(&opts), 2);
}

static void near_goes_to_the_device(void **state)
{
	HFT_OPTS(hft_place_opts, opts, .topology = isolated, .policy = HFT_PLACE_NEAR,
		 .device = "eth0", .flags = HFT_PLACE_NO_SIBLINGS);
	struct hft_placed placed[5];

	(void)state;
	/* The cores of its node, the isolated one first, as it does no housekeeping. */
	assert_int_equal(hft_place(&opts, placed, 5), 0);
	EXPECT(&opts, 12, 14, 8, 10, 4);
	assert_int_equal(placed[0].reason, HFT_PLACED_NEAR);
	assert_string_equal(placed[0].why, "near the device eth0, node 1, L3 3");
	assert_int_equal(placed[3].reason, HFT_PLACED_NEAR);
	assert_int_equal(placed[4].reason, HFT_PLACED_REMAINING);
	opts.device = "eth1";
	assert_int_equal(hft_place(&opts, placed, 1), -ENODEV);
	opts.device = NULL;
	assert_int_equal(hft_place(&opts, placed, 1), -EINVAL);
}

static void a_list_is_checked(void **state)
{
	static const uint32_t good[] = { 7, 3, 6 }, off[] = { 15 }, none[] = { 16 };
	static const uint32_t twice[] = { 3, 3 };
	HFT_OPTS(hft_place_opts, opts, .topology = isolated, .policy = HFT_PLACE_LIST,
		 .cpus = good, .nr_cpus = 3);
	struct hft_placed placed[4];

	(void)state;
	EXPECT(&opts, 7, 3, 6);
	assert_int_equal(hft_place_count(&opts), 3);
	assert_int_equal(hft_place(&opts, placed, 4), -ENOSPC);
	assert_int_equal(hft_place(&opts, placed, 3), 0);
	assert_int_equal(placed[2].flags, HFT_PLACED_SHARES_CORE | HFT_PLACED_HOUSEKEEPING);
	opts.flags = HFT_PLACE_NO_SIBLINGS;
	assert_int_equal(hft_place(&opts, placed, 3), -EBUSY);
	opts.flags = 0;
	opts.exclude = "3,9";
	assert_int_equal(hft_place(&opts, placed, 3), -EBUSY);
	opts.exclude = NULL;
	opts.nr_cpus = 1;
	opts.cpus = off;
	assert_int_equal(hft_place(&opts, placed, 1), -ENODEV);
	assert_string_equal(hft_strerror(ENODEV), "CPU 15: offline: No such device");
	opts.cpus = none;
	assert_int_equal(hft_place(&opts, placed, 1), -ENODEV);
	assert_int_equal(hft_place_count(&opts), -ENODEV);
	opts.cpus = twice;
	opts.nr_cpus = 2;
	assert_int_equal(hft_place(&opts, placed, 2), -EBUSY);
	assert_int_equal(hft_place_count(&opts), -EBUSY);
	opts.nr_cpus = UINT32_MAX;
	assert_int_equal(hft_place_count(&opts), -EBUSY);
	opts.nr_cpus = 2;
	opts.flags = HFT_PLACE_REUSE;
	assert_int_equal(hft_place(&opts, placed, 2), 0);
	assert_int_equal(hft_place_count(&opts), 2);
	assert_true(placed[1].flags & HFT_PLACED_SHARES_CPU);
	opts.cpus = NULL;
	assert_int_equal(hft_place(&opts, placed, 1), -EINVAL);
}

static void each_cpu_without_a_worker_has_a_reason(void **state)
{
	HFT_OPTS(hft_topology_opts, restricted, .synthetic = MACHINE, .sysfs = root,
		 .allowed = "0-13,15");
	HFT_OPTS(hft_place_opts, opts, .policy = HFT_PLACE_SPREAD, .exclude = "0-2",
		 .flags = HFT_PLACE_NO_SIBLINGS | HFT_PLACE_NO_HOUSEKEEPING);
	struct hft_topology *topology;
	struct hft_placed placed[1], why;

	(void)state;
	assert_int_equal(hft_topology_open(&topology, &restricted), 0);
	opts.topology = topology;
	assert_int_equal(hft_place(&opts, placed, 1), 0);
	assert_int_equal(placed[0].cpu, 4);
	assert_int_equal(hft_place_why_not(&opts, placed, 1, 4, &why), 0);
	assert_int_equal(why.reason, HFT_PLACED_SPREAD);
	assert_int_equal(hft_place_why_not(&opts, placed, 1, 5, &why), 0);
	assert_int_equal(why.reason, HFT_PLACE_SIBLING);
	assert_int_equal(hft_place_why_not(&opts, placed, 1, 1, &why), 0);
	assert_int_equal(why.reason, HFT_PLACE_EXCLUDED);
	assert_int_equal(hft_place_why_not(&opts, placed, 1, 8, &why), 0);
	assert_int_equal(why.reason, HFT_PLACE_HOUSEKEEPER);
	assert_int_equal(hft_place_why_not(&opts, placed, 1, 14, &why), 0);
	assert_int_equal(why.reason, HFT_PLACE_OUTSIDE);
	assert_int_equal(hft_place_why_not(&opts, placed, 1, 15, &why), 0);
	assert_int_equal(why.reason, HFT_PLACE_OFFLINE);
	assert_int_equal(hft_place_why_not(&opts, placed, 1, 12, &why), 0);
	assert_int_equal(why.reason, HFT_PLACE_SPARE);
	assert_string_equal(why.why, "free: no worker was left to place");
	assert_int_equal(hft_place_why_not(&opts, placed, 1, 16, &why), -ENOENT);
	hft_topology_close(topology);
}

static void more_workers_than_cpus(void **state)
{
	HFT_OPTS(hft_place_opts, opts, .topology = machine, .policy = HFT_PLACE_SPREAD);
	struct hft_placed placed[40];
	uint32_t i, on[CPUS] = {};

	(void)state;
	assert_int_equal(hft_place(&opts, placed, CPUS + 1), -ENOSPC);
	assert_int_equal(hft_place_count(&opts), CPUS);
	opts.flags = HFT_PLACE_REUSE;
	assert_int_equal(hft_place_count(&opts), CPUS);
	assert_int_equal(hft_place(&opts, placed, 40), 0);
	for (i = 0; i < 40; i++)
		on[placed[i].cpu]++;
	for (i = 0; i < CPUS; i++)
		assert_in_range(on[i], 2, 3);
	assert_int_equal(hft_place(&opts, placed, 0), 0);
}

static void nonsense_is_refused(void **state)
{
	static const uint32_t cpus[] = { 1 };
	struct hft_place_opts bad[] = {
		{ .policy = HFT_PLACE_POLICIES },
		{ .flags = 1U << 31 },
		{ .flags = HFT_PLACE_SIBLINGS | HFT_PLACE_NO_SIBLINGS },
		{ .cpus = cpus, .nr_cpus = 1 },
		{ .device = "eth0" },
		{ .exclude = "1-" },
		{ .exclude = "a" },
	};
	struct hft_placed placed[1];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		bad[i].sz = sizeof(bad[i]);
		bad[i].topology = machine;
		assert_int_equal(hft_place(&bad[i], placed, 1), -EINVAL);
		assert_int_equal(hft_place_count(&bad[i]), -EINVAL);
	}
}

/* Exhaustively on machines of all shapes: what is promised of any placement. */
static void promises_hold_everywhere(void **state)
{
	static const char *const shapes[] = {
		"pack:1 core:1 pu:1", "pack:1 core:2 pu:1", "core:4 pu:2", "pack:2 [numa] core:3 pu:2",
		"numa:4 l3:2 l2:2 core:2 pu:1", "pack:2 numa:2 l3:1 core:4 pu:4", "pu:5",
	};
	HFT_OPTS(hft_topology_opts, opts);
	HFT_OPTS(hft_cpu_info, info);
	HFT_OPTS(hft_place_opts, place);
	struct hft_placed *placed;
	uint32_t policy, flags;
	int i, j, nr, seen;
	size_t s;

	(void)state;
	for (s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
		struct hft_topology *topology;

		opts.synthetic = shapes[s];
		assert_int_equal(hft_topology_open(&topology, &opts), 0);
		place.topology = topology;
		for (policy = 0; policy < HFT_PLACE_NEAR; policy++) {
			for (flags = 0; flags < 8; flags++) {
				if (policy == HFT_PLACE_LIST || (flags & 3) == 3)
					continue;
				place.policy = policy;
				place.flags = flags;
				nr = hft_place_count(&place);
				assert_true(nr >= 0);
				placed = calloc((size_t)nr + 1, sizeof(*placed));
				assert_int_equal(hft_place(&place, placed, (uint32_t)nr + 1),
						 -ENOSPC);
				assert_int_equal(hft_place(&place, placed, (uint32_t)nr), 0);
				for (i = 0; i < nr; i++) {
					for (j = seen = 0; j < nr; j++)
						seen += placed[j].cpu == placed[i].cpu;
					assert_int_equal(seen, 1);
					assert_int_equal(hft_topology_cpu(topology, placed[i].cpu,
									  &info), 0);
					assert_int_equal(placed[i].node, info.node);
					if (flags & HFT_PLACE_NO_SIBLINGS)
						assert_false(placed[i].flags &
							     HFT_PLACED_SHARES_CORE);
					if (flags & HFT_PLACE_NO_HOUSEKEEPING)
						assert_false(info.flags & HFT_CPU_HOUSEKEEPING);
				}
				free(placed);
			}
		}
		hft_topology_close(topology);
	}
}

static void a_pool_is_placed(void **state)
{
	HFT_OPTS(hft_opts, sim, .backend = "sim", .device = "cpus=16");
	HFT_OPTS(hft_place_opts, place, .topology = machine, .policy = HFT_PLACE_SPREAD,
		 .flags = HFT_PLACE_NO_SIBLINGS);
	HFT_OPTS(hft_pool_opts, opts, .workers = 3, .place = &place);
	HFT_OPTS(hft_pool_stats, stats);
	static const uint32_t cpus[] = { 2, 8, 4 };
	struct hft_pool *pool;
	uint32_t i;

	(void)state;
	assert_int_equal(hft_open(&opts.hft, &sim), 0);
	assert_int_equal(hft_pool_open(&pool, &opts), 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(hft_pool_stats(pool, i, &stats), 0);
		assert_int_equal(stats.cpu, cpus[i]);
	}
	assert_int_equal(hft_pool_distance(pool, 0, 1), HFT_DISTANCE_REMOTE);
	assert_int_equal(hft_pool_distance(pool, 0, 2), HFT_DISTANCE_NODE);
	assert_int_equal(hft_pool_add_worker(pool, 3), 3);
	assert_int_equal(hft_pool_distance(pool, 0, 3), HFT_DISTANCE_CORE);
	hft_pool_close(pool);

	opts.workers = 0;
	assert_int_equal(hft_pool_open(&pool, &opts), 0);
	assert_int_equal(hft_pool_workers(pool), CPUS / 2);
	hft_pool_close(pool);
	opts.workers = 9;
	assert_int_equal(hft_pool_open(&pool, &opts), -ENOSPC);
	opts.cpus = cpus;
	assert_int_equal(hft_pool_open(&pool, &opts), -EINVAL);
	opts.cpus = NULL;
	opts.flags = HFT_POOL_UNPINNED;
	assert_int_equal(hft_pool_open(&pool, &opts), -EINVAL);
	opts.flags = 0;
	place.topology = NULL;
	assert_int_equal(hft_pool_open(&pool, &opts), -EINVAL);
	hft_close(opts.hft);
}

static void a_pool_is_placed_here(void **state)
{
	HFT_OPTS(hft_place_opts, place);
	HFT_OPTS(hft_pool_opts, opts, .place = &place);
	struct hft_pool *pool;

	(void)state;
	assert_int_equal(hft_pool_open(&pool, &opts), 0);
	assert_int_equal(hft_pool_workers(pool), hft_place_count(&place));
	hft_pool_close(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pack_fills_a_cache_after_the_other),
		cmocka_unit_test(spread_goes_as_far_as_it_can),
		cmocka_unit_test(isolated_ones_go_first),
		cmocka_unit_test(near_goes_to_the_device),
		cmocka_unit_test(a_list_is_checked),
		cmocka_unit_test(each_cpu_without_a_worker_has_a_reason),
		cmocka_unit_test(more_workers_than_cpus),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(promises_hold_everywhere),
		cmocka_unit_test(a_pool_is_placed),
		cmocka_unit_test(a_pool_is_placed_here),
	};

	return cmocka_run_group_tests(tests, make_machines, forget_machines);
}
