// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which CPUs a device is near: by sysfs, or by what lstopo wrote of another machine. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* "3b:00.0" or "0000:3b:00.0" */
static bool is_address(const char *text)
{
	unsigned int domain, bus, slot, function;
	int end = 0;

	if (sscanf(text, "%x:%x:%x.%x%n", &domain, &bus, &slot, &function, &end) == 4)
		return !text[end];
	end = 0;
	return sscanf(text, "%x:%x.%x%n", &bus, &slot, &function, &end) == 3 && !text[end];
}

/* Where sysfs has it.  Returns what asprintf() does. */
static int path_of(const char *sysfs, const char *device, char **path)
{
	if (!strncmp(device, "/sys/", 5))
		return asprintf(path, "%s/%s", sysfs, device + 5);
	if (*device == '/')
		return asprintf(path, "%s", device);
	if (is_address(device))
		return asprintf(path, "%s/bus/pci/devices/%s%s", sysfs,
				strchr(device, ':') == strrchr(device, ':') ? "0000:" : "", device);
	if (strchr(device, '/'))
		return asprintf(path, "%s/class/%s", sysfs, device);
	return asprintf(path, "%s/class/net/%s", sysfs, device);
}

static bool has_file(const char *folder, const char *name)
{
	char *path;
	bool has;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return false;
	has = !access(path, R_OK);
	free(path);
	return has;
}

/* A class's entry is below its device, as a queue or a port may be: up to who knows. */
static bool climb(char *path)
{
	char *slash;

	while (!has_file(path, "local_cpulist") && !has_file(path, "numa_node")) {
		slash = strrchr(path, '/');
		if (!slash || slash == path)
			return false;
		*slash = '\0';
	}
	return true;
}

static uint32_t read_node(const char *folder)
{
	char *path;
	FILE *file;
	int node = -1;

	if (asprintf(&path, "%s/numa_node", folder) < 0)
		return HFT_NONE;
	file = fopen(path, "re");
	free(path);
	if (!file)
		return HFT_NONE;
	if (fscanf(file, "%d", &node) != 1)
		node = -1;
	fclose(file);
	return node < 0 ? HFT_NONE : (uint32_t)node;
}

static void add_node_cpus(const struct hft_topology *t, uint32_t node, hwloc_bitmap_t cpus)
{
	hwloc_obj_t object = hwloc_get_numanode_obj_by_os_index(t->tree, node);

	if (object)
		hwloc_bitmap_copy(cpus, object->cpuset);
}

static int ask_sysfs(const struct hft_topology *t, const char *device, hwloc_bitmap_t cpus,
		     struct hft_device_info *info)
{
	char real[PATH_MAX], *path;
	const char *name;

	if (path_of(t->sysfs, device, &path) < 0)
		return hft_fail(ENOMEM, "device %s", device);
	if (!realpath(path, real)) {
		free(path);
		return hft_fail(ENODEV, "there is no device %s in %s", device, t->sysfs);
	}
	free(path);
	if (!climb(real))
		return hft_fail(ENODEV, "%s is of no device that has a place", device);
	info->node = read_node(real);
	name = strrchr(real, '/') + 1;
	if (is_address(name))
		snprintf(info->address, sizeof(info->address), "%.31s", name);
	hft_sysfs_list(real, "local_cpulist", cpus);
	if (hwloc_bitmap_iszero(cpus) && info->node != HFT_NONE)
		add_node_cpus(t, info->node, cpus);
	return 0;
}

static hwloc_obj_t find_object(const struct hft_topology *t, const char *device)
{
	const char *slash = strrchr(device, '/');
	hwloc_obj_t object = NULL;

	if (is_address(device))
		return hwloc_get_pcidev_by_busidstring(t->tree, device);
	device = slash ? slash + 1 : device;
	while ((object = hwloc_get_next_osdev(t->tree, object))) {
		if (object->name && !strcmp(object->name, device))
			return object;
	}
	return NULL;
}

static void name_object(hwloc_obj_t object, struct hft_device_info *info)
{
	const struct hwloc_pcidev_attr_s *pci;

	while (object && object->type != HWLOC_OBJ_PCI_DEVICE)
		object = object->parent;
	if (!object)
		return;
	pci = &object->attr->pcidev;
	snprintf(info->address, sizeof(info->address), "%04x:%02x:%02x.%01x", pci->domain, pci->bus,
		 pci->dev, pci->func);
}

static int ask_hwloc(const struct hft_topology *t, const char *device, hwloc_bitmap_t cpus,
		     struct hft_device_info *info)
{
	hwloc_obj_t object = find_object(t, device);
	hwloc_obj_t place = object ? hwloc_get_non_io_ancestor_obj(t->tree, object) : NULL;

	if (!place)
		return hft_fail(ENODEV, "the description of the machine has no device %s", device);
	hwloc_bitmap_copy(cpus, place->cpuset);
	if (hwloc_bitmap_weight(place->nodeset) == 1)
		info->node = (uint32_t)hwloc_bitmap_first(place->nodeset);
	name_object(object, info);
	return 0;
}

/* As hft_topology_device(); @cpus gets those that are near. */
int hft_device_cpus(const struct hft_topology *topology, const char *device, hwloc_bitmap_t cpus,
		    struct hft_device_info *info)
{
	int err;

	*info = (struct hft_device_info){ .sz = sizeof(*info), .node = HFT_NONE };
	hwloc_bitmap_zero(cpus);
	if (!*device)
		return hft_fail(EINVAL, "a device without a name");
	err = topology->sysfs ? ask_sysfs(topology, device, cpus, info) :
				ask_hwloc(topology, device, cpus, info);
	if (err)
		return err;
	info->nr_cpus = (uint32_t)hwloc_bitmap_weight(cpus);
	hwloc_bitmap_list_snprintf(info->cpus, sizeof(info->cpus), cpus);
	return 0;
}

/**
 * hft_topology_device() - which CPUs a device is near
 * @topology: of its machine
 * @device: a PCI address "0000:3b:00.0", an interface "eth0", an entry of another class
 *	"infiniband/mlx5_0", or a path in sysfs
 * @user_info: sz is set; the rest is filled in, as far as the caller knows it
 *
 * Any thread; allocates and reads files.
 *
 * Return: 0, -ENODEV there is no such device, or it is on no bus, -EINVAL sz or the name is
 * none, -ENOMEM.
 */
HFT_API int hft_topology_device(const struct hft_topology *topology, const char *device,
				struct hft_device_info *user_info)
{
	struct hft_device_info info;
	hwloc_bitmap_t cpus;
	int err = hft_check_answer(user_info);

	if (err)
		return err;
	cpus = hwloc_bitmap_alloc();
	if (!cpus)
		return hft_fail(ENOMEM, "device %s", device);
	err = hft_device_cpus(topology, device, cpus, &info);
	hwloc_bitmap_free(cpus);
	if (!err)
		hft_answer(user_info, &info, sizeof(info));
	return err;
}
