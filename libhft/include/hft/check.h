/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What on this machine costs latency, what each of it costs, and the command that mends it.
 *
 * Reads /proc, /sys and /boot; nothing here changes anything.  hft_open() says the worst
 * of it to hft_opts.warn; tools/hft-check prints all.
 */
#ifndef HFT_CHECK_H
#define HFT_CHECK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hft_severity {
	HFT_CHECK_OK,			/* as it is best */
	HFT_CHECK_NOTE,			/* costs little, or could not be read */
	HFT_CHECK_WARN,			/* spoils the tail */
	HFT_CHECK_FAIL,			/* workers can not run, or not in time */
};

/**
 * struct hft_check_finding - what one check found; its texts live as long as the call
 * @name: of the check, such as "clocksource"; outlives the call, as @topic does
 * @topic: "clock", "isolation", "interrupts", "idle", "scheduler", "memory", "limits",
 *	"pmu", "kernel", "machine" or "device"
 * @severity: an enum hft_severity
 * @what: what it is
 * @cost: what that costs; NULL: nothing, or it is not known
 * @source: who says so: "measured", or a document; NULL without a cost
 * @cost_ns: the measured cost, ns; 0: none was measured
 * @fix: a command that changes it until the next boot; NULL: there is none
 * @lasting: how to make that last; NULL: nothing to do
 */
struct hft_check_finding {
	const char *name;
	const char *topic;
	uint32_t severity;
	const char *what;
	const char *cost;
	const char *source;
	uint64_t cost_ns;
	const char *fix;
	const char *lasting;
};

#define HFT_CHECK_NO_MEASURE	(1U << 0)	/* only what can be read: takes no time */

/**
 * struct hft_check_opts - what to look at
 * @sz: of the struct
 * @flags: HFT_CHECK_*
 * @root: the folder below which proc, sys, boot and dev are; NULL: this machine.  Nothing
 *	is measured with one.
 * @cpus: the CPUs of the workers, as "2-5,7"; NULL: those that are isolated, or all
 * @only: the name of one check; NULL: all
 */
struct hft_check_opts {
	size_t sz;
	uint32_t flags;
	const char *root;
	const char *cpus;
	const char *only;
};

typedef void (*hft_check_fn)(void *arg, const struct hft_check_finding *finding);

int hft_check_run(const struct hft_check_opts *opts, hft_check_fn found, void *arg);
const char *hft_severity_name(uint32_t severity);

#ifdef __cplusplus
}
#endif

#endif /* HFT_CHECK_H */
