/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is measured of tasks in user space, beside what the ready queue of their ring does:
 * the worker counts runs in its ring's tally, and who submits in that of the handle.
 */
#ifndef HFT_ENGINE_METER_H
#define HFT_ENGINE_METER_H

#include <core/sched.h>

#include "internal.h"

/**
 * struct hft_hist_read - of the command %HFT_IOC_HIST: its argument, and where it counts
 * @info: as the kernel has it, its buckets are those of @hist
 * @hist: of zeroes
 */
struct hft_hist_read {
	struct hft_hist_info info;
	struct hft_hist *hist;
};

/* meter.c */
int hft_meter_new(const struct hft_ready_queue *ready, const struct hft_meter_set *set,
		  uint64_t now, struct hft_meter **meter);

#endif /* HFT_ENGINE_METER_H */
