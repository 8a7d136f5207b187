// SPDX-License-Identifier: LGPL-2.1-or-later
/* Lists of CPUs, as the kernel writes them. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* A number beyond this is a mistake, and would cost memory. */
#define CPUS_MOST	65536

/* One number or range of a list.  Returns what follows, or NULL: it is none. */
static const char *parse_range(const char *text, hwloc_bitmap_t cpus)
{
	unsigned long first, last;
	char *end;

	if (!isdigit((unsigned char)*text))
		return NULL;
	first = last = strtoul(text, &end, 10);
	if (*end == '-') {
		text = end + 1;
		if (!isdigit((unsigned char)*text))
			return NULL;
		last = strtoul(text, &end, 10);
	}
	if (first > last || last >= CPUS_MOST)
		return NULL;
	hwloc_bitmap_set_range(cpus, (unsigned int)first, (int)last);
	return end;
}

/* "0-3,8"; an empty text is an empty list.  Returns 0 or -EINVAL. */
int hft_parse_cpus(const char *text, hwloc_bitmap_t cpus)
{
	hwloc_bitmap_zero(cpus);
	if (!*text)
		return 0;
	for (;;) {
		text = parse_range(text, cpus);
		if (!text)
			return -EINVAL;
		if (!*text)
			return 0;
		if (*text++ != ',')
			return -EINVAL;
	}
}

/*
 * The list in file @name of folder @root.  What is no list, as "(null)" of kernels without
 * such CPUs, is an empty one.  Returns 0, or -errno: there is no such file.
 */
int hft_sysfs_list(const char *root, const char *name, hwloc_bitmap_t cpus)
{
	char *path, *line = NULL;
	size_t size = 0;
	FILE *file;

	hwloc_bitmap_zero(cpus);
	if (asprintf(&path, "%s/%s", root, name) < 0)
		return -ENOMEM;
	file = fopen(path, "re");
	free(path);
	if (!file)
		return -errno;
	if (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (hft_parse_cpus(line, cpus))
			hwloc_bitmap_zero(cpus);
	}
	free(line);
	fclose(file);
	return 0;
}
