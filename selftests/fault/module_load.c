// SPDX-License-Identifier: GPL-2.0-only
/*
 * Load hft.ko with the first, the second, ... allocation failing, until a load meets no
 * failure.  The kernel's checkers and the leak scan after the tests do most of the judging.
 */
#include "kselftest_harness.h"
#include "fault.h"

/* A load takes one second of a slow machine; after these one allocation in four has to do. */
#define EACH_S	120
#define STEP	4

FIXTURE(module_load) {
	int fault;
	int module;
};

FIXTURE_SETUP(module_load)
{
	const char *path = getenv("HFT_KO");

	self->fault = fault_open();
	self->module = open(path ? path : "/hft.ko", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->module);
}

FIXTURE_TEARDOWN(module_load)
{
	if (self->fault >= 0)
		hft_test_write_file(FAULT_DEBUGFS "failslab/cache-filter", "N");
	close(self->fault);
	close(self->module);
}

static int load(int module)
{
	return syscall(SYS_finit_module, module, "", 0) ? -errno : 0;
}

TEST_F_TIMEOUT(module_load, every_allocation_fails_once, 280)
{
	uint64_t each_until = hft_test_now() + EACH_S * NSEC_PER_SEC;
	int nth, err, faults = 0, failures = 0;
	bool met = true;

	if (self->fault < 0)
		SKIP(return, FAULT_NONE);
	/*
	 * The kernel's own tracing warns when it has no memory to describe a module's events
	 * (event_define_fields()), so only kmalloc's caches may fail, which are marked.
	 */
	ASSERT_EQ(0, fault_configure(true));
	if (hft_test_module_loaded())
		ASSERT_EQ(0, hft_test_module_unload());
	for (nth = 1; met; nth += hft_test_now() < each_until ? 1 : STEP) {
		ASSERT_GT(FAULT_MOST, nth);
		ASSERT_EQ(0, fault_arm(self->fault, nth));
		err = load(self->module);
		met = fault_disarm(self->fault);
		ASSERT_EQ(!err, hft_test_module_loaded()) {
			TH_LOG("fault %d: load said %d", nth, err);
		}
		faults += met;
		failures += !!err;
		if (!err)
			ASSERT_EQ(0, hft_test_module_unload());
	}
	TH_LOG("%d faults met, %d of them made the load fail", faults, failures);
	ASSERT_EQ(0, err);
	ASSERT_LT(5, failures);
}

TEST_HARNESS_MAIN
