/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hft-latency: where the time between a release and its task goes.
 *
 *	release - lead		the timer should fire
 *	    interrupt
 *	irq_entry		the kernel began the dispatch
 *	    publish
 *	published		the event is in the ring
 *	    wake-up
 *	the worker has it	and spins for what is left until
 *	release
 *	    dispatch error
 *	the task starts
 */
#ifndef HFT_LATENCY_H
#define HFT_LATENCY_H

#include <stdbool.h>
#include <stdint.h>
#include <common/tool.h>
#include <hft/hft.h>
#include <core/hist.h>

#define NSEC_PER_USEC	1000ULL
#define NSEC_PER_MSEC	1000000ULL
#define NSEC_PER_SEC	1000000000ULL

enum latency {
	LATENCY_INTERRUPT,
	LATENCY_PUBLISH,
	LATENCY_WAKEUP,
	LATENCY_ERROR,
	LATENCIES
};

/* Percentiles that are printed, in parts per million. */
struct percentile {
	const char *name;
	uint32_t ppm;
};

extern const struct percentile percentiles[];
extern const unsigned int nr_percentiles;
extern const char *const latency_names[LATENCIES];

struct config {
	uint64_t interval_ns;
	uint64_t loops;
	uint32_t cpu;
	int priority;		/* SCHED_FIFO; 0: ordinary */
	uint64_t lead_ns;
	uint64_t spin_ns;
	uint32_t budget_ppm;	/* 0: the default */
	bool histogram;
	bool json;
	bool quiet;
	bool lead_table;
	bool counters;
	struct hft_pmu pmu;	/* which */
	const char *plot;
	const char *hdr;
	const char *backend;	/* NULL: what there is */
};

struct result {
	struct hft_hist hist[LATENCIES];
	uint64_t tasks;		/* that were run */
	uint64_t early;		/* started before their release */
	uint64_t lead_ns;	/* at last */
	struct hft_lead_state lead;	/* of one that is learned */
	struct hft_lead_row rows[HFT_LEAD_ROWS];
	unsigned int nr_rows;
	struct hft_metrics_sum counted;
	uint32_t counted_valid;	/* bit n: counter n was read for all tasks that one was */
	const char *backend;	/* its name */
	bool tsc;
	uint64_t clock_step_ns;	/* least difference of two readings */
	uint64_t clock_cost_ns;	/* of a reading */
	double start_s;		/* CLOCK_REALTIME */
	double length_s;
};

/* Each returns 0, or -errno after printing the reason. */
int measure(const struct config *config, struct result *result);
int report_text(const struct config *config, const struct result *result);
int report_json(const struct config *config, const struct result *result);
int report_plot(const struct config *config, const struct result *result);
int report_hdr(const struct config *config, const struct result *result);

#endif /* HFT_LATENCY_H */
