/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fault injection into the system calls of this thread, by /proc/thread-self/fail-nth: only a
 * kernel that was built for it has that.
 */
#ifndef HFT_FAULT_H
#define HFT_FAULT_H

#include "hft_test.h"

#define FAULT_NONE	"this kernel has no fault injection (/proc/thread-self/fail-nth)"
#define FAULT_DEBUGFS	"/sys/kernel/debug/"

/* More faults than any call here can meet. */
#define FAULT_MOST	5000

/* A descriptor for the functions below; -ENOENT: this kernel has none. */
static inline int fault_open(void)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* @marked_caches: only the caches that slub_debug=A on the command line names may fail. */
static inline int fault_configure(bool marked_caches)
{
	const char * const settings[][2] = {
		{ "failslab/ignore-gfp-wait", "N" },
		{ "failslab/cache-filter", marked_caches ? "Y" : "N" },
		{ "failslab/verbose", "0" },
		{ "fail_page_alloc/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ "fail_page_alloc/min-order", "0" },
		{ "fail_page_alloc/verbose", "0" },
		{ "fail_usercopy/verbose", "0" },
	};
	char path[128];
	size_t i;
	int err;

	for (i = 0; i < ARRAY_LEN(settings); i++) {
		snprintf(path, sizeof(path), FAULT_DEBUGFS "%s", settings[i][0]);
		err = hft_test_write_file(path, settings[i][1]);
		if (err)
			return err;
	}
	return 0;
}

/* Have the @nth thing that can fail from here on do so. */
static inline int fault_arm(int fd, int nth)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", nth);
	return pwrite(fd, text, strlen(text), 0) < 0 ? -errno : 0;
}

/* Returns whether the fault was met since fault_arm(). */
static inline bool fault_disarm(int fd)
{
	char text[16] = "";
	/* One that was not met until here, one of these calls meets, and that ends it too. */
	bool met = pread(fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);

	return pwrite(fd, "0", 1, 0) == 1 && met;
}

#endif /* HFT_FAULT_H */
