// SPDX-License-Identifier: LGPL-2.1-or-later
/* Lists of CPUs as hwloc has sets. */
#include <errno.h>

#include "../cpulist.h"
#include "../sysfs.h"
#include "internal.h"

static void copy_set(const cpu_set_t *set, hwloc_bitmap_t cpus)
{
	unsigned int i;

	hwloc_bitmap_zero(cpus);
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, set))
			hwloc_bitmap_set(cpus, i);
	}
}

/* "0-3,8"; an empty text is an empty list.  Returns 0 or -EINVAL. */
int hft_parse_cpus(const char *text, hwloc_bitmap_t cpus)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (*text && !hft_cpulist_parse(text, false, &set))
		return -EINVAL;
	copy_set(&set, cpus);
	return 0;
}

/*
 * The list in file @name of folder @root.  What is no list is an empty one.  Returns 0, or
 * -errno: there is no such file.
 */
int hft_sysfs_list(const char *root, const char *name, hwloc_bitmap_t cpus)
{
	cpu_set_t set;
	int err;

	CPU_ZERO(&set);
	err = hft_read_cpus("", &set, "%s/%s", root, name);
	if (err)
		CPU_ZERO(&set);
	copy_set(&set, cpus);
	return err == -ENOENT || err == -EACCES ? err : 0;
}
