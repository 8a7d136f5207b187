// SPDX-License-Identifier: LGPL-2.1-or-later
/* What shares what, by hwloc; which CPUs are whose, by sysfs. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* The machine's own sysfs is hwloc's to choose: it may be told of another one. */
static int load_tree(struct hft_topology *t, const struct hft_topology_opts *opts)
{
	if (hwloc_topology_init(&t->tree)) {
		t->tree = NULL;
		return hft_fail(ENOMEM, "a topology");
	}
	hwloc_topology_set_flags(t->tree, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
	if (opts->xml)
		hwloc_topology_set_io_types_filter(t->tree, HWLOC_TYPE_FILTER_KEEP_ALL);
	if (opts->synthetic && hwloc_topology_set_synthetic(t->tree, opts->synthetic))
		return hft_fail(EINVAL, "hwloc knows no machine \"%s\"", opts->synthetic);
	if (opts->xml && hwloc_topology_set_xml(t->tree, opts->xml))
		return hft_fail(errno ? errno : EINVAL, "%s: no topology of hwloc", opts->xml);
	if (hwloc_topology_load(t->tree))
		return hft_fail(errno ? errno : EINVAL, "hwloc reads no topology of %s",
				opts->xml ? opts->xml : "this machine");
	return 0;
}

static bool is_this_machine(const struct hft_topology *t)
{
	return hwloc_topology_is_thissystem(t->tree);
}

static int make_bitmaps(struct hft_topology *t)
{
	hwloc_bitmap_t *const all[] = {
		&t->known, &t->online, &t->allowed, &t->isolated, &t->nohz_full,
	};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		*all[i] = hwloc_bitmap_alloc();
		if (!*all[i])
			return hft_fail(ENOMEM, "a topology");
	}
	return 0;
}

static int find_sysfs(struct hft_topology *t, const char *sysfs)
{
	if (!sysfs && is_this_machine(t))
		sysfs = "/sys";
	if (!sysfs)
		return 0;
	t->sysfs = strdup(sysfs);
	return t->sysfs ? 0 : hft_fail(ENOMEM, "a topology");
}

static void read_cpus(struct hft_topology *t)
{
	hwloc_bitmap_copy(t->known, hwloc_topology_get_complete_cpuset(t->tree));
	hwloc_bitmap_copy(t->online, hwloc_topology_get_topology_cpuset(t->tree));
	if (!t->sysfs)
		return;
	if (!hft_sysfs_list(t->sysfs, "devices/system/cpu/online", t->allowed))
		hwloc_bitmap_and(t->online, t->online, t->allowed);
	hft_sysfs_list(t->sysfs, "devices/system/cpu/isolated", t->isolated);
	hft_sysfs_list(t->sysfs, "devices/system/cpu/nohz_full", t->nohz_full);
}

/* Where the calling thread may run now. */
static int read_affinity(hwloc_bitmap_t cpus)
{
	size_t size = CPU_ALLOC_SIZE(65536);
	cpu_set_t *set = calloc(1, size);
	unsigned int i;

	hwloc_bitmap_zero(cpus);
	if (!set)
		return -ENOMEM;
	if (sched_getaffinity(0, size, set)) {
		free(set);
		return -errno;
	}
	for (i = 0; i < 8 * size; i++) {
		if (CPU_ISSET_S(i, size, set))
			hwloc_bitmap_set(cpus, i);
	}
	free(set);
	return 0;
}

/*
 * What is isolated is in no thread's affinity until somebody says so.  A thread that has
 * all the others of its cpuset was not restricted by anybody, and may go there; one that
 * was has what it has.
 */
static int allow(struct hft_topology *t)
{
	hwloc_const_bitmap_t cpuset = hwloc_topology_get_allowed_cpuset(t->tree);
	hwloc_bitmap_t usual;
	int err;

	if (!is_this_machine(t)) {
		hwloc_bitmap_copy(t->allowed, t->known);
		return 0;
	}
	err = read_affinity(t->allowed);
	if (err)
		return hft_fail(-err, "the CPUs that this thread may run on");
	usual = hwloc_bitmap_dup(cpuset);
	if (!usual)
		return hft_fail(ENOMEM, "a topology");
	hwloc_bitmap_and(usual, usual, t->online);
	hwloc_bitmap_andnot(usual, usual, t->isolated);
	if (hwloc_bitmap_isincluded(usual, t->allowed)) {
		hwloc_bitmap_and(usual, t->isolated, cpuset);
		hwloc_bitmap_or(t->allowed, t->allowed, usual);
	}
	hwloc_bitmap_free(usual);
	return 0;
}

static int read_all(struct hft_topology *t, const struct hft_topology_opts *opts)
{
	int err = make_bitmaps(t);

	if (!err)
		err = load_tree(t, opts);
	if (!err)
		err = find_sysfs(t, opts->sysfs);
	if (err)
		return err;
	read_cpus(t);
	if (!opts->allowed)
		return allow(t);
	return hft_parse_cpus(opts->allowed, t->allowed) ?
	       hft_fail(EINVAL, "\"%s\" is no list of CPUs", opts->allowed) : 0;
}

/**
 * hft_topology_open() - look at this machine, or at the description of another one
 * @out: the topology
 * @user_opts: options, or NULL for this machine
 *
 * Any thread; allocates, and reads files for some ms.  hwloc's environment variables hold:
 * with HWLOC_XMLFILE or HWLOC_SYNTHETIC this machine is the one that they describe.
 *
 * Return: 0, -EINVAL hwloc does not understand the description, or a list of CPUs is none,
 * -ENOENT and other errors of reading it, -E2BIG options of a newer library, -ENOMEM.
 */
HFT_API int hft_topology_open(struct hft_topology **out, const struct hft_topology_opts *user_opts)
{
	struct hft_topology_opts opts;
	struct hft_topology *t;
	int err;

	err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (err)
		return err;
	if (opts.synthetic && opts.xml)
		return hft_fail(EINVAL, "a topology by xml and synthetic");
	t = calloc(1, sizeof(*t));
	if (!t)
		return hft_fail(ENOMEM, "a topology");
	err = read_all(t, &opts);
	if (err) {
		hft_topology_close(t);
		return err;
	}
	*out = t;
	return 0;
}

/**
 * hft_topology_close() - forget a topology
 * @topology: it, or NULL
 */
HFT_API void hft_topology_close(struct hft_topology *topology)
{
	if (!topology)
		return;
	if (topology->tree)
		hwloc_topology_destroy(topology->tree);
	hwloc_bitmap_free(topology->known);
	hwloc_bitmap_free(topology->online);
	hwloc_bitmap_free(topology->allowed);
	hwloc_bitmap_free(topology->isolated);
	hwloc_bitmap_free(topology->nohz_full);
	free(topology->sysfs);
	free(topology);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct hft_topology *machine;

static void load_machine(void)
{
	if (hft_topology_open(&machine, NULL))
		machine = NULL;
}

static void __attribute__((destructor)) forget_machine(void)
{
	hft_topology_close(machine);
}

/* This one, as it was when somebody first asked, or NULL. */
const struct hft_topology *hft_topology_machine(void)
{
	pthread_once(&once, load_machine);
	return machine;
}

/**
 * hft_topology_next() - walk over the CPUs
 * @topology: of these
 * @cpu: the one before, or -1: none was
 *
 * Any thread; does not block or allocate.
 *
 * Return: the number of the next one, also of one offline, or -ENOENT: there is none.
 */
HFT_API int hft_topology_next(const struct hft_topology *topology, int cpu)
{
	int next = hwloc_bitmap_next(topology->known, cpu);

	return next < 0 ? -ENOENT : next;
}

static uint32_t number_of(const struct hft_topology *t, hwloc_obj_t pu, hwloc_obj_type_t type)
{
	hwloc_obj_t object = hwloc_get_ancestor_obj_by_type(t->tree, type, pu);

	return object ? object->logical_index : HFT_NONE;
}

/* Nodes are no ancestors: they hang beside what is near them. */
static uint32_t node_of(hwloc_obj_t pu)
{
	int node = pu->nodeset ? hwloc_bitmap_first(pu->nodeset) : -1;

	return node < 0 ? HFT_NONE : (uint32_t)node;
}

static uint32_t thread_of(const struct hft_topology *t, hwloc_obj_t pu)
{
	hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(t->tree, HWLOC_OBJ_CORE, pu);
	uint32_t thread = 0;
	int cpu;

	if (!core)
		return 0;
	cpu = hwloc_bitmap_first(core->cpuset);
	while (cpu >= 0 && (uint32_t)cpu != pu->os_index) {
		thread++;
		cpu = hwloc_bitmap_next(core->cpuset, cpu);
	}
	return thread;
}

/* Somebody has to: all that nobody has freed from it, and the one that boots the machine. */
static bool does_housekeeping(const struct hft_topology *t, uint32_t cpu)
{
	bool some_are_free = !hwloc_bitmap_iszero(t->isolated) ||
			     !hwloc_bitmap_iszero(t->nohz_full);

	if (hwloc_bitmap_isset(t->isolated, cpu) || hwloc_bitmap_isset(t->nohz_full, cpu))
		return false;
	return some_are_free || !cpu;
}

static uint32_t flags_of(const struct hft_topology *t, uint32_t cpu)
{
	uint32_t flags = 0;

	if (hwloc_bitmap_isset(t->online, cpu))
		flags |= HFT_CPU_ONLINE;
	if (hwloc_bitmap_isset(t->allowed, cpu))
		flags |= HFT_CPU_ALLOWED;
	if (hwloc_bitmap_isset(t->isolated, cpu))
		flags |= HFT_CPU_ISOLATED;
	if (hwloc_bitmap_isset(t->nohz_full, cpu))
		flags |= HFT_CPU_NOHZ_FULL;
	if (does_housekeeping(t, cpu))
		flags |= HFT_CPU_HOUSEKEEPING;
	return flags;
}

/**
 * hft_topology_cpu() - what a CPU shares, and whose it is
 * @topology: of this
 * @cpu: its number
 * @user_info: sz is set; the rest is filled in, as far as the caller knows it
 *
 * Any thread; does not block or allocate.
 *
 * Return: 0, -ENOENT there is no such CPU, -EINVAL sz is none.
 */
HFT_API int hft_topology_cpu(const struct hft_topology *topology, uint32_t cpu,
			     struct hft_cpu_info *user_info)
{
	struct hft_cpu_info info = {
		.cpu = cpu,
		.core = HFT_NONE,
		.l2 = HFT_NONE,
		.l3 = HFT_NONE,
		.package = HFT_NONE,
		.node = HFT_NONE,
	};
	int err = hft_check_answer(user_info);
	hwloc_obj_t pu;

	if (err)
		return err;
	if (cpu > INT32_MAX || !hwloc_bitmap_isset(topology->known, cpu))
		return -ENOENT;
	info.flags = flags_of(topology, cpu);
	pu = hwloc_get_pu_obj_by_os_index(topology->tree, cpu);
	if (pu) {
		info.core = number_of(topology, pu, HWLOC_OBJ_CORE);
		info.thread = thread_of(topology, pu);
		info.l2 = number_of(topology, pu, HWLOC_OBJ_L2CACHE);
		info.l3 = number_of(topology, pu, HWLOC_OBJ_L3CACHE);
		info.package = number_of(topology, pu, HWLOC_OBJ_PACKAGE);
		info.node = node_of(pu);
	}
	hft_answer(user_info, &info, sizeof(info));
	return 0;
}

/**
 * hft_topology_distance() - the nearest that two CPUs share
 * @topology: theirs; NULL: this machine's when it was first asked for
 * @a: number of one
 * @b: of the other
 *
 * Any thread; does not block or allocate, but with NULL for the first time.
 *
 * Return: &enum hft_distance; what the machine does not tell counts as far.
 */
HFT_API enum hft_distance hft_topology_distance(const struct hft_topology *topology, uint32_t a,
						uint32_t b)
{
	hwloc_obj_t pu_a, pu_b, common;

	if (!topology)
		topology = hft_topology_machine();
	pu_a = topology ? hwloc_get_pu_obj_by_os_index(topology->tree, a) : NULL;
	pu_b = topology ? hwloc_get_pu_obj_by_os_index(topology->tree, b) : NULL;
	if (!pu_a || !pu_b)
		return HFT_DISTANCE_REMOTE;
	if (pu_a == pu_b)
		return HFT_DISTANCE_CORE;

	common = hwloc_get_common_ancestor_obj(topology->tree, pu_a, pu_b);
	if (common->type == HWLOC_OBJ_CORE)
		return HFT_DISTANCE_CORE;
	if (hwloc_obj_type_is_dcache(common->type))
		return HFT_DISTANCE_CACHE;
	return hwloc_bitmap_isequal(pu_a->nodeset, pu_b->nodeset) ? HFT_DISTANCE_NODE :
								     HFT_DISTANCE_REMOTE;
}
