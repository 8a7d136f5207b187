/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tasks of a ring took: histograms by class and &enum hft_kind, without a stop of
 * those who are measured.
 *
 * hft_ring_meter() switches them on.  Dispatch errors are measured where the ring is
 * written, and so are the runs of a ring with %HFT_RING_REPORT, from its reports.  The runs
 * of a ring without, and those of hft_submit_now(), the worker measures itself, and
 * hft_submit() what it takes: in user space, without a system call.  hft_hist_read() has it
 * all.
 *
 * A histogram is log-linear: a value is known to 0.78 % up to 17.1 s; the smallest and the
 * largest, their number and their sum are exact.
 *
 * Threads: a &struct hft_histogram is for one thread at a time to change, and any number
 * may read it meanwhile.
 */
#ifndef HFT_STATS_H
#define HFT_STATS_H

#include <stddef.h>
#include <stdint.h>
#include <linux/hft.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hft;
struct hft_ring;
struct hft_histogram;

/**
 * struct hft_meter_opts - what is measured; zero is the default of each
 * @sz: of the struct
 * @flags: %HFT_METER_HIST; zero: nothing
 * @classes: bit n: of tasks of class n; 0: of all
 * @kinds: bit n: of kind n of &enum hft_kind; 0: of all
 * @reserved: zero
 */
struct hft_meter_opts {
	size_t sz;
	uint32_t flags;
	uint32_t classes;
	uint32_t kinds;
	uint32_t reserved;
};

/**
 * struct hft_hist_opts - which histogram; zero is the default of each
 * @sz: of the struct
 * @ring: number of a ring, or %HFT_STATS_CONTEXT: of all rings of the handle.  With
 *	%HFT_HIST_GLOBAL of a CPU, or %HFT_STATS_CONTEXT: of all
 * @flags: %HFT_HIST_GLOBAL: what the module knows of all processes; needs CAP_PERFMON
 * @task_class: the class, or %HFT_CLASS_ALL
 * @kind: &enum hft_kind
 */
struct hft_hist_opts {
	size_t sz;
	uint32_t ring;
	uint32_t flags;
	uint32_t task_class;
	uint32_t kind;
};

/**
 * struct hft_hist_answer - what there is to a histogram beside its values
 * @sz: of the struct
 * @in_time: runs that have kept their deadline; those that have not are the values of
 *	%HFT_KIND_LATENESS
 * @since_ns: CLOCK_MONOTONIC when it was begun to measure the first of its rings; 0: none
 *	is
 */
struct hft_hist_answer {
	size_t sz;
	uint64_t in_time;
	uint64_t since_ns;
};

/**
 * struct hft_hist_summary - figures of a histogram
 * @sz: of the struct
 * @count: values
 * @sum_ns: of the values
 * @min_ns: the smallest, 0 if there is none
 * @max_ns: the largest
 * @mean_ns: rounded down
 * @jitter_ns: standard deviation
 * @p50_ns: the median; these are not below the percentile, by 0.78 % at most above
 * @p90_ns: of nine in ten no more
 * @p99_ns: of 99 %
 * @p999_ns: of 99.9 %
 * @p9999_ns: of 99.99 %
 */
struct hft_hist_summary {
	size_t sz;
	uint64_t count;
	uint64_t sum_ns;
	uint64_t min_ns;
	uint64_t max_ns;
	uint64_t mean_ns;
	uint64_t jitter_ns;
	uint64_t p50_ns;
	uint64_t p90_ns;
	uint64_t p99_ns;
	uint64_t p999_ns;
	uint64_t p9999_ns;
};

int hft_histogram_open(struct hft_histogram **histogram);
void hft_histogram_close(struct hft_histogram *histogram);
void hft_histogram_record(struct hft_histogram *histogram, uint64_t ns);
void hft_histogram_reset(struct hft_histogram *histogram);
void hft_histogram_merge(struct hft_histogram *to, const struct hft_histogram *from);
int hft_histogram_diff(struct hft_histogram *to, const struct hft_histogram *before);
uint64_t hft_histogram_percentile(const struct hft_histogram *histogram, uint32_t ppm,
				  uint64_t *behind);
int hft_histogram_summary(const struct hft_histogram *histogram,
			  struct hft_hist_summary *summary);
uint64_t hft_histogram_bucket(const struct hft_histogram *histogram, uint32_t index,
			      uint64_t *low, uint64_t *high);
int hft_histogram_csv(const struct hft_histogram *histogram, int fd);
const char *hft_kind_name(enum hft_kind kind);

int hft_ring_meter(struct hft_ring *ring, const struct hft_meter_opts *opts);
int hft_hist_read(struct hft *h, const struct hft_hist_opts *which, struct hft_histogram *to,
		  struct hft_hist_answer *answer);
int hft_hist_read_fd(int fd, const struct hft_hist_opts *which, struct hft_histogram *to,
		     struct hft_hist_answer *answer);

#ifdef __cplusplus
}
#endif

#endif /* HFT_STATS_H */
