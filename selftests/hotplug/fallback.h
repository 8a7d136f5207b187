/* SPDX-License-Identifier: GPL-2.0-only */
/* Two rings: of the last CPU, which goes, and of CPU 0, on which the first falls back. */
#ifndef FALLBACK_H
#define FALLBACK_H

#include "kselftest_harness.h"
#include "hotplug.h"

#define TASKS	600

FIXTURE(fallback) {
	int cpu;
	int context;
	struct hft_test_ring spare;	/* on CPU 0, ring 0 */
	struct hft_test_ring ring;	/* on the last, ring 1 */
};

FIXTURE_SETUP(fallback)
{
	self->cpu = hft_test_cpus() - 1;
	ASSERT_EQ(0, hft_test_pin(0));
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, ENTRIES, ENTRIES, HFT_POLICY_FIFO,
				       &self->spare));
	if (self->cpu > 0)
		ASSERT_EQ(0, add_ring(self->context, self->cpu, 8, 0, &self->ring));
}

FIXTURE_TEARDOWN(fallback)
{
	set_online(self->cpu, true);
	hft_test_ring_close(&self->ring);
	hft_test_ring_close(&self->spare);
	close(self->context);
}

#endif /* FALLBACK_H */
