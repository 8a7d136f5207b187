/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What tasks have cost: cache references and misses, cycles, instructions, or whatever else
 * perf has.
 *
 * hft_pmu() has the kernel count what a CPU does between its looks at a ring.  The others
 * count exactly what a thread does: see Documentation/metrics.rst.
 *
 * Counters are of the thread that opens them, and count what it runs in user space and
 * nothing of others.  They are read by an instruction where the kernel allows it, else by
 * read(2); where there are none, nothing is valid, and nothing is an error.
 *
 * Threads: hft_pmc_sum(), hft_pmc_way() and hft_pmc_valid() may be called by any; the other
 * hft_pmc_ functions are for the one that opened.
 */
#ifndef HFT_METRICS_H
#define HFT_METRICS_H

#include <stddef.h>
#include <stdint.h>
#include <linux/hft.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hft;
struct hft_ring;
struct hft_pmc;
struct hft_worker;

int hft_pmu(struct hft *h, struct hft_pmu *pmu);
int hft_ring_metrics(const struct hft_ring *ring, uint64_t sequence, struct hft_metrics *metrics);

/**
 * enum hft_pmc_way - how counters are read
 * @HFT_PMC_ABSENT: there are none
 * @HFT_PMC_READ: by read(2)
 * @HFT_PMC_RDPMC: by an instruction
 */
enum hft_pmc_way {
	HFT_PMC_ABSENT,
	HFT_PMC_READ,
	HFT_PMC_RDPMC
};

/* hft_pmc_opts.flags */
#define HFT_PMC_NO_RDPMC	(1U << 0)	/* by read(2) at best */
#define HFT_PMC_NONE		(1U << 1)	/* as if there were none */
#define HFT_PMC_KERNEL		(1U << 2)	/* count also what the kernel runs for the thread */

/**
 * struct hft_pmc_opts - which counters
 * @sz: of the struct
 * @flags: HFT_PMC_*
 * @nr: how many, up to %HFT_METRICS; 0: references to the last-level cache, misses of it,
 *	cycles and instructions
 * @type: of each as of struct perf_event_attr
 * @config: likewise
 */
struct hft_pmc_opts {
	size_t sz;
	uint32_t flags;
	uint32_t nr;
	uint32_t type[HFT_METRICS];
	uint64_t config[HFT_METRICS];
};

/**
 * struct hft_pmc_sum - what tasks have come to
 * @sz: of the struct
 * @runs: of which at least one counter is in @counts
 * @unread: of which none is
 * @counts: of each counter
 * @valid: bit n: @counts[n] is of all @runs
 */
struct hft_pmc_sum {
	size_t sz;
	uint64_t runs;
	uint64_t unread;
	uint64_t counts[HFT_METRICS];
	uint32_t valid;
};

int hft_pmc_open(const struct hft_pmc_opts *opts, struct hft_pmc **pmc);
void hft_pmc_close(struct hft_pmc *pmc);
enum hft_pmc_way hft_pmc_way(const struct hft_pmc *pmc);
uint32_t hft_pmc_valid(const struct hft_pmc *pmc);

uint32_t hft_pmc_read(struct hft_pmc *pmc, uint64_t counts[HFT_METRICS]);
void hft_pmc_begin(struct hft_pmc *pmc);
void hft_pmc_end(struct hft_pmc *pmc, uint32_t task_class);
int hft_pmc_sum(const struct hft_pmc *pmc, uint32_t task_class, struct hft_pmc_sum *sum);

int hft_worker_metrics(const struct hft_worker *worker, uint32_t task_class,
		       struct hft_pmc_sum *sum);

#ifdef __cplusplus
}
#endif

#endif /* HFT_METRICS_H */
