// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* What is known of a machine: by descriptions of machines, and by a sysfs of its own. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <hft/hft.h>
#include <hft/topology.h>

/* Two packages, of each a node, two L3, four cores with an L2, eight CPUs. */
#define MACHINE		"pack:2 [numa] l3:2 l2:2 core:1 pu:2"
#define CPUS		16

static char root[] = "/tmp/hft-topology-XXXXXX";

static void make_folder(const char *path)
{
	char *copy = strdup(path), *slash = copy;

	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		assert_true(!mkdir(copy, 0700) || errno == EEXIST);
		*slash = '/';
	}
	free(copy);
}

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	make_folder(path);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void make_link(const char *name, const char *to)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	make_folder(path);
	assert_int_equal(symlink(to, path), 0);
}

/* As the kernel has it of a box with four isolated CPUs, one offline, and a NIC at node 1. */
static int make_sysfs(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(root));
	write_file("devices/system/cpu/online", "0-14\n");
	write_file("devices/system/cpu/isolated", "4-5,12-13\n");
	write_file("devices/system/cpu/nohz_full", "12-13\n");
	write_file("devices/pci0000:3b/0000:3b:00.0/numa_node", "1\n");
	write_file("devices/pci0000:3b/0000:3b:00.0/local_cpulist", "8-15\n");
	write_file("devices/pci0000:3b/0000:3b:00.0/net/eth0/mtu", "1500\n");
	write_file("devices/pci0000:00/0000:00:1f.2/numa_node", "-1\n");
	write_file("devices/pci0000:00/0000:00:1f.2/local_cpulist", "\n");
	write_file("devices/virtual/net/lo/mtu", "65536\n");
	write_file("devices/pci0000:3b/0000:3b:00.1/numa_node", "0\n");
	make_link("bus/pci/devices/0000:3b:00.0", "../../../devices/pci0000:3b/0000:3b:00.0");
	make_link("bus/pci/devices/0000:3b:00.1", "../../../devices/pci0000:3b/0000:3b:00.1");
	make_link("bus/pci/devices/0000:00:1f.2", "../../../devices/pci0000:00/0000:00:1f.2");
	make_link("class/net/eth0", "../../devices/pci0000:3b/0000:3b:00.0/net/eth0");
	make_link("class/net/lo", "../../devices/virtual/net/lo");
	make_link("class/accel/accel0", "../../devices/pci0000:3b/0000:3b:00.1");
	return 0;
}

static int remove_sysfs(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

static struct hft_topology *open_machine(const char *sysfs, const char *allowed)
{
	HFT_OPTS(hft_topology_opts, opts, .synthetic = MACHINE, .sysfs = sysfs, .allowed = allowed);
	struct hft_topology *topology;

	assert_int_equal(hft_topology_open(&topology, &opts), 0);
	return topology;
}

static struct hft_cpu_info info_of(const struct hft_topology *topology, uint32_t cpu)
{
	HFT_OPTS(hft_cpu_info, info);

	assert_int_equal(hft_topology_cpu(topology, cpu, &info), 0);
	assert_int_equal(info.cpu, cpu);
	return info;
}

static void cpus_share_what_the_description_says(void **state)
{
	struct hft_topology *topology = open_machine(NULL, NULL);
	struct hft_cpu_info info;
	int cpu = -1, nr = 0;

	(void)state;
	while ((cpu = hft_topology_next(topology, cpu)) >= 0) {
		info = info_of(topology, (uint32_t)cpu);
		assert_int_equal(cpu, nr++);
		assert_int_equal(info.thread, cpu % 2);
		assert_int_equal(info.core, cpu / 2);
		assert_int_equal(info.l2, cpu / 2);
		assert_int_equal(info.l3, cpu / 4);
		assert_int_equal(info.package, cpu / 8);
		assert_int_equal(info.node, cpu / 8);
		assert_int_equal(info.flags, HFT_CPU_ONLINE | HFT_CPU_ALLOWED |
				 (cpu ? 0 : HFT_CPU_HOUSEKEEPING));
	}
	assert_int_equal(cpu, -ENOENT);
	assert_int_equal(nr, CPUS);
	info.sz = sizeof(info);
	assert_int_equal(hft_topology_cpu(topology, CPUS, &info), -ENOENT);
	assert_int_equal(hft_topology_cpu(topology, UINT32_MAX, &info), -ENOENT);
	info.sz = 0;
	assert_int_equal(hft_topology_cpu(topology, 0, &info), -EINVAL);
	hft_topology_close(topology);
}

static void sysfs_tells_whose_they_are(void **state)
{
	struct hft_topology *topology = open_machine(root, "2-13");
	uint32_t cpu, flags;

	(void)state;
	for (cpu = 0; cpu < CPUS; cpu++) {
		flags = info_of(topology, cpu).flags;
		assert_int_equal(!!(flags & HFT_CPU_ONLINE), cpu != 15);
		assert_int_equal(!!(flags & HFT_CPU_ALLOWED), cpu >= 2 && cpu <= 13);
		assert_int_equal(!!(flags & HFT_CPU_ISOLATED), cpu / 2 == 2 || cpu / 2 == 6);
		assert_int_equal(!!(flags & HFT_CPU_NOHZ_FULL), cpu / 2 == 6);
		assert_int_equal(!!(flags & HFT_CPU_HOUSEKEEPING), cpu / 2 != 2 && cpu / 2 != 6);
	}
	hft_topology_close(topology);
}

static void what_is_no_list_is_none(void **state)
{
	static const char *const texts[] = { "(null)\n", "", "\n", "3-1\n", "1,\n", "0-99999999\n" };
	struct hft_topology *topology;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_file("devices/system/cpu/nohz_full", texts[i]);
		topology = open_machine(root, NULL);
		assert_false(info_of(topology, 12).flags & HFT_CPU_NOHZ_FULL);
		assert_true(info_of(topology, 12).flags & HFT_CPU_ISOLATED);
		hft_topology_close(topology);
	}
	write_file("devices/system/cpu/nohz_full", "12-13\n");
}

static void a_device_has_a_place(void **state)
{
	static const char *const names[] = {
		"eth0", "0000:3b:00.0", "3b:00.0", "/sys/class/net/eth0", "net/eth0",
		"/sys/devices/pci0000:3b/0000:3b:00.0",
	};
	struct hft_topology *topology = open_machine(root, NULL);
	HFT_OPTS(hft_device_info, info);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(hft_topology_device(topology, names[i], &info), 0);
		assert_int_equal(info.node, 1);
		assert_int_equal(info.nr_cpus, 8);
		assert_string_equal(info.cpus, "8-15");
		assert_string_equal(info.address, "0000:3b:00.0");
	}
	/* By its node alone. */
	assert_int_equal(hft_topology_device(topology, "accel/accel0", &info), 0);
	assert_int_equal(info.node, 0);
	assert_string_equal(info.cpus, "0-7");
	/* The machine does not tell. */
	assert_int_equal(hft_topology_device(topology, "0000:00:1f.2", &info), 0);
	assert_int_equal(info.node, HFT_NONE);
	assert_int_equal(info.nr_cpus, 0);
	assert_int_equal(hft_topology_device(topology, "lo", &info), -ENODEV);
	assert_int_equal(hft_topology_device(topology, "eth1", &info), -ENODEV);
	assert_non_null(strstr(hft_strerror(ENODEV), "eth1"));
	assert_int_equal(hft_topology_device(topology, "0000:3b:00.7", &info), -ENODEV);
	assert_int_equal(hft_topology_device(topology, "../net", &info), -ENODEV);
	assert_int_equal(hft_topology_device(topology, "", &info), -EINVAL);
	hft_topology_close(topology);
	topology = open_machine(NULL, NULL);
	assert_int_equal(hft_topology_device(topology, "eth0", &info), -ENODEV);
	hft_topology_close(topology);
}

/* With a NIC below its second package: as lstopo has written it there. */
static const char xml[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	"<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
	"<topology version=\"2.0\">\n"
	" <object type=\"Machine\" os_index=\"0\" cpuset=\"0xf\" complete_cpuset=\"0xf\""
	" allowed_cpuset=\"0xf\" nodeset=\"0x3\" complete_nodeset=\"0x3\" allowed_nodeset=\"0x3\""
	" gp_index=\"1\">\n"
	"  <object type=\"Package\" os_index=\"0\" cpuset=\"0x3\" complete_cpuset=\"0x3\""
	" nodeset=\"0x1\" complete_nodeset=\"0x1\" gp_index=\"2\">\n"
	"   <object type=\"NUMANode\" os_index=\"0\" cpuset=\"0x3\" complete_cpuset=\"0x3\""
	" nodeset=\"0x1\" complete_nodeset=\"0x1\" gp_index=\"3\" local_memory=\"1073741824\"/>\n"
	"   <object type=\"PU\" os_index=\"0\" cpuset=\"0x1\" complete_cpuset=\"0x1\""
	" nodeset=\"0x1\" complete_nodeset=\"0x1\" gp_index=\"4\"/>\n"
	"   <object type=\"PU\" os_index=\"1\" cpuset=\"0x2\" complete_cpuset=\"0x2\""
	" nodeset=\"0x1\" complete_nodeset=\"0x1\" gp_index=\"5\"/>\n"
	"  </object>\n"
	"  <object type=\"Package\" os_index=\"1\" cpuset=\"0xc\" complete_cpuset=\"0xc\""
	" nodeset=\"0x2\" complete_nodeset=\"0x2\" gp_index=\"6\">\n"
	"   <object type=\"NUMANode\" os_index=\"1\" cpuset=\"0xc\" complete_cpuset=\"0xc\""
	" nodeset=\"0x2\" complete_nodeset=\"0x2\" gp_index=\"7\" local_memory=\"1073741824\"/>\n"
	"   <object type=\"PU\" os_index=\"2\" cpuset=\"0x4\" complete_cpuset=\"0x4\""
	" nodeset=\"0x2\" complete_nodeset=\"0x2\" gp_index=\"8\"/>\n"
	"   <object type=\"PU\" os_index=\"3\" cpuset=\"0x8\" complete_cpuset=\"0x8\""
	" nodeset=\"0x2\" complete_nodeset=\"0x2\" gp_index=\"9\"/>\n"
	"   <object type=\"Bridge\" gp_index=\"10\" bridge_type=\"0-1\" depth=\"0\""
	" bridge_pci=\"0000:[80-ff]\">\n"
	"    <object type=\"PCIDev\" gp_index=\"11\" pci_busid=\"0000:81:00.0\""
	" pci_type=\"0200 [15b3:1017] [15b3:0020] 00\" pci_link_speed=\"15.7\">\n"
	"     <object type=\"OSDev\" gp_index=\"12\" name=\"ens1\" osdev_type=\"2\"/>\n"
	"    </object>\n"
	"   </object>\n"
	"  </object>\n"
	" </object>\n"
	"</topology>\n";

static void another_machine_is_read_of_a_file(void **state)
{
	char path[128], none[128];
	HFT_OPTS(hft_topology_opts, opts, .xml = path);
	HFT_OPTS(hft_device_info, info);
	struct hft_topology *topology;

	(void)state;
	write_file("machine.xml", xml);
	snprintf(path, sizeof(path), "%s/machine.xml", root);
	assert_int_equal(hft_topology_open(&topology, &opts), 0);
	assert_int_equal(info_of(topology, 3).node, 1);
	assert_int_equal(info_of(topology, 3).core, HFT_NONE);
	assert_int_equal(hft_topology_next(topology, 3), -ENOENT);
	assert_int_equal(hft_topology_device(topology, "ens1", &info), 0);
	assert_int_equal(info.node, 1);
	assert_string_equal(info.cpus, "2-3");
	assert_string_equal(info.address, "0000:81:00.0");
	assert_int_equal(hft_topology_device(topology, "81:00.0", &info), 0);
	assert_int_equal(info.node, 1);
	assert_int_equal(hft_topology_device(topology, "ens2", &info), -ENODEV);
	hft_topology_close(topology);

	snprintf(none, sizeof(none), "%s/none.xml", root);
	opts.xml = none;
	assert_true(hft_topology_open(&topology, &opts) < 0);
	opts.xml = path;
	opts.synthetic = MACHINE;
	assert_int_equal(hft_topology_open(&topology, &opts), -EINVAL);
}

static void what_is_no_description_is_refused(void **state)
{
	HFT_OPTS(hft_topology_opts, opts, .synthetic = "nonsense:2");
	struct {
		struct hft_topology_opts opts;
		uint64_t unknown;
	} newer = {};
	struct hft_topology *topology;

	(void)state;
	assert_int_equal(hft_topology_open(&topology, &opts), -EINVAL);
	opts.synthetic = MACHINE;
	opts.allowed = "0-";
	assert_int_equal(hft_topology_open(&topology, &opts), -EINVAL);
	newer.opts.sz = sizeof(newer);
	assert_int_equal(hft_topology_open(&topology, &newer.opts), 0);
	hft_topology_close(topology);
	newer.unknown = 1;
	assert_int_equal(hft_topology_open(&topology, &newer.opts), -E2BIG);
	hft_topology_close(NULL);
}

/* Of this one: CPUs that this thread may run on, and no others unless they are isolated. */
static void this_machine_is_known(void **state)
{
	struct hft_topology *topology;
	uint32_t flags, usable = 0;
	cpu_set_t cpus;
	int cpu = -1;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	assert_int_equal(hft_topology_open(&topology, NULL), 0);
	while ((cpu = hft_topology_next(topology, cpu)) >= 0) {
		flags = info_of(topology, (uint32_t)cpu).flags;
		if (CPU_ISSET(cpu, &cpus))
			assert_true(flags & HFT_CPU_ALLOWED && flags & HFT_CPU_ONLINE);
		else if (flags & HFT_CPU_ALLOWED)
			assert_true(flags & HFT_CPU_ISOLATED);
		usable += CPU_ISSET(cpu, &cpus);
	}
	assert_int_equal(usable, CPU_COUNT(&cpus));
	hft_topology_close(topology);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpus_share_what_the_description_says),
		cmocka_unit_test(sysfs_tells_whose_they_are),
		cmocka_unit_test(what_is_no_list_is_none),
		cmocka_unit_test(a_device_has_a_place),
		cmocka_unit_test(another_machine_is_read_of_a_file),
		cmocka_unit_test(what_is_no_description_is_refused),
		cmocka_unit_test(this_machine_is_known),
	};

	return cmocka_run_group_tests(tests, make_sysfs, remove_sysfs);
}
