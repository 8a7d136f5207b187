// SPDX-License-Identifier: GPL-2.0-only
/*
 * Load hft.ko with the first, the second, ... allocation failing, until a load meets no
 * failure.  The kernel's checkers and the leak scan after the tests do most of the judging.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define MOST_FAULTS	5000

/*
 * The kernel's own tracing warns when it has no memory to describe a module's events
 * (event_define_fields()), so only the caches that slub_debug=A on the command line names
 * may fail: kmalloc's.
 */
static const char * const setting[][2] = {
	{ "failslab/ignore-gfp-wait", "N" },
	{ "failslab/cache-filter", "Y" },
	{ "failslab/verbose", "0" },
	{ "fail_page_alloc/ignore-gfp-wait", "N" },
	{ "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ "fail_page_alloc/min-order", "0" },
	{ "fail_page_alloc/verbose", "0" },
	{ "fail_usercopy/verbose", "0" },
};

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -errno : 0;
}

static int load(int module)
{
	return syscall(SYS_finit_module, module, "", 0) ? -errno : 0;
}

static int unload(void)
{
	return syscall(SYS_delete_module, "hft", O_NONBLOCK) ? -errno : 0;
}

static bool loaded(void)
{
	return !access("/sys/module/hft", F_OK);
}

/* Fail the nth allocation of a load; *met tells whether there were that many. */
static int load_failing(int module, int fail_nth, int nth, bool *met)
{
	char text[16] = "";
	int err;

	snprintf(text, sizeof(text), "%d", nth);
	if (pwrite(fail_nth, text, strlen(text), 0) < 0)
		return -EIO;
	err = load(module);
	memset(text, 0, sizeof(text));
	/* A failure that the load did not meet, one of these calls does, and that ends it too. */
	*met = pread(fail_nth, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
	if (pwrite(fail_nth, "0", 1, 0) < 0)
		*met = false;
	return err;
}

static int open_module(void)
{
	const char *ko = getenv("HFT_KO");

	return open(ko ? ko : "/hft.ko", O_RDONLY | O_CLOEXEC);
}

static int configure(void)
{
	char path[128];
	size_t i;
	int err;

	for (i = 0; i < sizeof(setting) / sizeof(setting[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", setting[i][0]);
		err = write_file(path, setting[i][1]);
		if (err)
			return err;
	}
	return 0;
}

FIXTURE(module_load) {
	int module;
	int fail_nth;
};

FIXTURE_SETUP(module_load)
{
	self->fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	self->module = open_module();
	ASSERT_LE(0, self->module);
}

FIXTURE_TEARDOWN(module_load)
{
	write_file("/sys/kernel/debug/failslab/cache-filter", "N");
	close(self->module);
	close(self->fail_nth);
}

TEST_F_TIMEOUT(module_load, every_allocation_fails_once, 110)
{
	int nth, err, failures = 0;
	bool met = true;

	if (self->fail_nth < 0)
		SKIP(return, "this kernel has no fault injection (/proc/thread-self/fail-nth)");
	ASSERT_EQ(0, configure());
	if (loaded())
		ASSERT_EQ(0, unload());
	for (nth = 1; met; nth++) {
		ASSERT_GT(MOST_FAULTS, nth);
		err = load_failing(self->module, self->fail_nth, nth, &met);
		ASSERT_EQ(!err, loaded()) {
			TH_LOG("fault %d: load said %d", nth, err);
		}
		failures += !!err;
		if (!err)
			ASSERT_EQ(0, unload());
	}
	TH_LOG("%d faults met, %d of them made the load fail", nth - 2, failures);
	ASSERT_EQ(0, err);
	ASSERT_LT(5, failures);
}

TEST_HARNESS_MAIN
