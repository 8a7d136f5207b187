/* SPDX-License-Identifier: GPL-2.0-only */
/* CPUs that go and come, and rings with one to fall back on. */
#ifndef HOTPLUG_H
#define HOTPLUG_H

#include "hft_test.h"

#define ENTRIES	1024

static inline int set_online(int cpu, bool online)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	return hft_test_write_file(path, online ? "1" : "0");
}

/* A ring on @cpu with ring @to behind it. */
static inline int add_ring(int context, int cpu, uint32_t window, uint32_t to,
			   struct hft_test_ring *ring)
{
	struct hft_ring_add add = hft_test_ring_default();

	add.cpu = cpu;
	add.entries = ENTRIES;
	add.window = window;
	add.flags = HFT_RING_FALLBACK;
	add.fallback = to;
	return hft_test_ring_make(context, &add, ring);
}

#define SKIP_IF_ALONE()									\
	do {										\
		if (self->cpu < 1)							\
			SKIP(return, "one CPU can not go offline");			\
	} while (0)

#endif /* HOTPLUG_H */
