// SPDX-License-Identifier: LGPL-2.1-or-later
/* Where memory is: by move_pages(2) and smaps. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

/* Pages asked about at a time. */
#define BATCH	256

static void count(struct hft_region_report *report, uint32_t node, const int *status, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (status[i] == -ENOENT)
			report->absent++;
		else if (status[i] < 0)
			report->unknown++;
		else if (node == HFT_NONE || (uint32_t)status[i] == node)
			report->on_node++;
		else
			report->elsewhere++;
	}
}

/* Returns 0 or why the kernel does not tell. */
static int ask_nodes(const struct hft_region *region, struct hft_region_report *report)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), at = 0, all, nr, i;
	void *pages[BATCH];
	int status[BATCH];

	all = (region->bytes + page - 1) / page;
	report->pages += all;
	for (; at < all; at += nr) {
		nr = all - at < BATCH ? all - at : BATCH;
		for (i = 0; i < nr; i++)
			pages[i] = (char *)region->memory + (at + i) * page;
		if (syscall(SYS_move_pages, 0, nr, pages, NULL, status, 0)) {
			report->unknown += all - at;
			return -errno;
		}
		count(report, region->node, status, nr);
	}
	return 0;
}

static uint64_t overlap(const struct hft_region *region, uintptr_t first, uintptr_t end)
{
	uintptr_t from = (uintptr_t)region->memory, to = from + region->bytes;

	from = from > first ? from : first;
	to = to < end ? to : end;
	return to > from ? to - from : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A line of smaps about a mapping of which @bytes are the region's. */
static void read_line(struct hft_region_report *report, const char *line, uint64_t bytes)
{
	unsigned long kib;

	if (!bytes)
		return;
	if (sscanf(line, "AnonHugePages: %lu kB", &kib) == 1 ||
	    sscanf(line, "Private_Hugetlb: %lu kB", &kib) == 1)
		report->huge_bytes += least((uint64_t)kib << 10, bytes);
	else if (!strncmp(line, "VmFlags:", 8) && strstr(line, " lo"))
		report->locked_bytes += bytes;
}

static void ask_smaps(const struct hft_region *region, struct hft_region_report *report)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	unsigned long first, end;
	uint64_t bytes = 0;
	char line[512];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &first, &end) == 2)
			bytes = overlap(region, first, end);
		else
			read_line(report, line, bytes);
	}
	fclose(file);
}

static void __attribute__((format(printf, 2, 3))) say(struct hft_region_report *report,
						      const char *format, ...)
{
	size_t length = strlen(report->text);
	va_list args;

	va_start(args, format);
	vsnprintf(report->text + length, sizeof(report->text) - length, format, args);
	va_end(args);
}

static void say_error(struct hft_region_report *report, const char *what, int err)
{
	if (err)
		say(report, "; %s: %s", what, strerror(-err));
}

static void say_all(const struct hft_region *region, struct hft_region_report *report, int err)
{
	if (region->node == HFT_NONE)
		say(report, "%llu pages, no node", (unsigned long long)report->pages);
	else
		say(report, "%llu of %llu pages on node %u", (unsigned long long)report->on_node,
		    (unsigned long long)report->pages, region->node);
	if (report->absent)
		say(report, ", %llu absent", (unsigned long long)report->absent);
	say(report, ", %llu bytes huge, %llu locked", (unsigned long long)report->huge_bytes,
	    (unsigned long long)report->locked_bytes);
	say_error(report, "mbind", region->bind_error);
	say_error(report, "huge pages of the pool", region->hugetlb_error);
	say_error(report, "transparent huge pages", region->thp_error);
	say_error(report, "prefault", region->prefault_error);
	say_error(report, "mlock", region->lock_error);
	say_error(report, "move_pages", err);
}

/**
 * hft_region_check() - ask the kernel where a region is
 * @region: of hft_alloc_on()
 * @user_report: sz is set; the rest is filled in, as far as the caller knows it
 *
 * Not by what was asked for but page by page, now (move_pages(2)); huge and locked bytes by
 * /proc/self/smaps.  Takes some us a page.
 *
 * Return: 0, -EINVAL the region has no memory, or sz is none, or why move_pages(2) does not
 * tell: the rest of the report is filled in all the same.
 */
HFT_API int hft_region_check(const struct hft_region *region,
			     struct hft_region_report *user_report)
{
	return hft_regions_check(&region, 1, user_report);
}

int hft_regions_check(const struct hft_region *const *regions, size_t nr,
		      struct hft_region_report *user_report)
{
	struct hft_region_report report = {};
	int err = hft_check_answer(user_report);
	size_t i;

	if (err)
		return err;
	for (i = 0; i < nr; i++) {
		if (!regions[i]->memory)
			return hft_fail(EINVAL, "a region without memory");
		err = ask_nodes(regions[i], &report);
		ask_smaps(regions[i], &report);
	}
	/* What one could not have the others could not. */
	say_all(regions[0], &report, err);
	hft_answer(user_report, &report, sizeof(report));
	return err ? hft_fail(-err, "move_pages") : 0;
}

/**
 * hft_cpu_node() - the node of a CPU
 * @cpu: its number
 *
 * Any thread; reads sysfs.
 *
 * Return: the number of the node, or -ENOENT there is no such CPU, or the machine tells of
 * no nodes.
 */
HFT_API int hft_cpu_node(uint32_t cpu)
{
	struct dirent *entry;
	char path[64];
	int node = -ENOENT;
	DIR *folder;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u", cpu);
	folder = opendir(path);
	if (!folder)
		return -ENOENT;
	while (node < 0 && (entry = readdir(folder))) {
		if (!strncmp(entry->d_name, "node", 4) && isdigit((unsigned char)entry->d_name[4]))
			node = atoi(entry->d_name + 4);
	}
	closedir(folder);
	return node;
}

uint32_t hft_node_of(uint32_t cpu)
{
	int node;

	if (access("/sys/devices/system/node/node1", F_OK))
		return HFT_NONE;
	node = hft_cpu_node(cpu);
	return node < 0 ? HFT_NONE : (uint32_t)node;
}
