// SPDX-License-Identifier: LGPL-2.1-or-later
/* Histograms: kmod/core/hist.h for who uses the library. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../api.h"
#include "../cpu/cpu.h"
#include "../options.h"
#include "histogram.h"

/**
 * hft_histogram_open() - make an empty histogram
 * @histogram: out: it
 *
 * Allocates 28.7 kB.  Any thread.
 *
 * Return: 0 or -ENOMEM.
 */
HFT_API int hft_histogram_open(struct hft_histogram **histogram)
{
	*histogram = calloc(1, sizeof(**histogram));
	return *histogram ? 0 : hft_fail(ENOMEM, "a histogram");
}

/**
 * hft_histogram_close() - give a histogram back
 * @histogram: it, or NULL
 */
HFT_API void hft_histogram_close(struct hft_histogram *histogram)
{
	free(histogram);
}

/**
 * hft_histogram_record() - count a value
 * @histogram: histogram
 * @ns: the value
 *
 * One thread at a time; wait-free, some 2 ns; does not enter the kernel.
 */
HFT_API void hft_histogram_record(struct hft_histogram *histogram, uint64_t ns)
{
	hft_hist_record(&histogram->hist, ns);
}

/**
 * hft_histogram_reset() - forget all values
 * @histogram: histogram
 */
HFT_API void hft_histogram_reset(struct hft_histogram *histogram)
{
	hft_hist_reset(&histogram->hist);
}

/**
 * hft_histogram_merge() - add all values of a histogram to another
 * @to: the sum
 * @from: what is added; it may be recorded to meanwhile
 */
HFT_API void hft_histogram_merge(struct hft_histogram *to, const struct hft_histogram *from)
{
	hft_hist_merge(&to->hist, &from->hist);
}

/* The bounds of a bucket, of values that are between @least and @most. */
static void clip(uint32_t i, uint64_t least, uint64_t most, uint64_t *low, uint64_t *high)
{
	*low = hft_hist_low(i) > least ? hft_hist_low(i) : least;
	*high = hft_hist_high(i) < most ? hft_hist_high(i) : most;
}

/**
 * hft_histogram_diff() - take away what was there before
 * @to: what was read later; what came since, afterwards
 * @before: what was read earlier of the same
 *
 * The smallest and the largest of what is left are known to a bucket then.
 *
 * Return: 0, or -EINVAL: @before has something that @to has not, and @to is as it was.
 */
HFT_API int hft_histogram_diff(struct hft_histogram *to, const struct hft_histogram *before)
{
	uint64_t low, high, least = 0, most = 0, count = 0, left;
	uint64_t min = hft_hist_min(&to->hist), max = hft_hist_max(&to->hist);
	struct hft_hist *hist = &to->hist;
	uint32_t i;

	for (i = 0; i < HFT_HIST_BUCKETS; i++) {
		if (hft_load_relaxed(&before->hist.bucket[i]) > hist->bucket[i])
			return hft_fail(EINVAL, "what was before is no part of a histogram");
	}
	for (i = 0; i < HFT_HIST_BUCKETS; i++) {
		left = hist->bucket[i] - hft_load_relaxed(&before->hist.bucket[i]);
		hft_store_relaxed(&hist->bucket[i], left);
		if (!left)
			continue;
		clip(i, min, max, &low, &high);
		least = count ? least : low;
		most = high;
		count += left;
	}
	hist->size = 0;
	hft_store_relaxed(&hist->count, count);
	hft_store_relaxed(&hist->sum, hist->sum - hft_hist_sum(&before->hist));
	hft_store_relaxed(&hist->min_inverted, count ? ~least : 0);
	hft_store_relaxed(&hist->max, most);
	return 0;
}

/* As hft_hist_percentile(), by the build for this CPU. */
static uint64_t percentile(const struct hft_hist *hist, uint32_t ppm)
{
	uint64_t rank = hft_hist_rank(hft_hist_count(hist), ppm), below;

	return hft_hist_bound(hist, hft_body()->find_rank(hist->bucket, HFT_HIST_BUCKETS, rank,
							  &below));
}

/**
 * hft_histogram_percentile() - what a share of all values do not exceed
 * @histogram: histogram
 * @ppm: the share in parts per million, at most 1000000: 999000 is the p99.9
 * @behind: out: how many values are as large or larger, to a bucket: with few of them it
 *	says little; or NULL
 *
 * Return: ns, not below it and by 0.78 % at most above; 0 if there is no value.
 */
HFT_API uint64_t hft_histogram_percentile(const struct hft_histogram *histogram, uint32_t ppm,
					  uint64_t *behind)
{
	const struct hft_hist *hist = &histogram->hist;
	uint64_t value = percentile(hist, ppm < HFT_HIST_PPM ? ppm : HFT_HIST_PPM);
	uint32_t i = hft_hist_index(value);

	if (behind)
		*behind = hft_body()->sum(hist->bucket + i, HFT_HIST_BUCKETS - i);
	return value;
}

/* By Newton; it comes down to the root from above. */
static double root(double x)
{
	double r = x > 1 ? x : 1, next;

	while ((next = (r + x / r) / 2) < r)
		r = next;
	return r;
}

/* By the middle of each bucket.  The mean is exact. */
static uint64_t deviation(const struct hft_hist *hist, uint64_t count)
{
	double mean = (double)hft_hist_sum(hist) / (double)count, sum = 0, off;
	uint64_t low, high, nr;
	uint32_t i;

	for (i = 0; i < HFT_HIST_BUCKETS; i++) {
		nr = hft_load_relaxed(&hist->bucket[i]);
		if (!nr)
			continue;
		clip(i, hft_hist_min(hist), hft_hist_max(hist), &low, &high);
		off = (double)low + (double)(high - low) / 2 - mean;
		sum += off * off * (double)nr;
	}
	return (uint64_t)(root(sum / (double)count) + 0.5);
}

/**
 * hft_histogram_summary() - the usual figures of a histogram
 * @histogram: histogram
 * @summary: out: them; its sz is the caller's to set
 *
 * Return: 0, or -EINVAL without sz, -E2BIG a newer caller's.
 */
HFT_API int hft_histogram_summary(const struct hft_histogram *histogram,
				  struct hft_hist_summary *summary)
{
	const struct hft_hist *hist = &histogram->hist;
	struct hft_hist_summary answer = {
		.count = hft_hist_count(hist),
		.sum_ns = hft_hist_sum(hist),
		.min_ns = hft_hist_min(hist),
		.max_ns = hft_hist_max(hist),
		.p50_ns = percentile(hist, 500000),
		.p90_ns = percentile(hist, 900000),
		.p99_ns = percentile(hist, 990000),
		.p999_ns = percentile(hist, 999000),
		.p9999_ns = percentile(hist, 999900),
	};
	int err = hft_check_answer(summary);

	if (err)
		return err;
	if (answer.count) {
		answer.mean_ns = answer.sum_ns / answer.count;
		answer.jitter_ns = deviation(hist, answer.count);
	}
	hft_answer(summary, &answer, sizeof(answer));
	return 0;
}

/**
 * hft_histogram_bucket() - look at a bucket
 * @histogram: histogram
 * @index: from 0 on, by size
 * @low: out: the smallest value that would be counted there, or NULL
 * @high: out: the largest; UINT64_MAX of the last one; or NULL
 *
 * Return: how many values there are; UINT64_MAX: there is no such bucket.
 */
HFT_API uint64_t hft_histogram_bucket(const struct hft_histogram *histogram, uint32_t index,
				      uint64_t *low, uint64_t *high)
{
	if (index >= HFT_HIST_BUCKETS)
		return UINT64_MAX;
	if (low)
		*low = hft_hist_low(index);
	if (high)
		*high = hft_hist_high(index);
	return hft_load_relaxed(&histogram->hist.bucket[index]);
}

/**
 * hft_histogram_csv() - write a histogram as a table
 * @histogram: histogram
 * @fd: where to; it stays the caller's
 *
 * A line for each bucket that has a value: low_ns,high_ns,count,cumulated, after one with
 * these names.  The last one's upper bound is the largest value.
 *
 * Return: 0, or an error of write(2).
 */
HFT_API int hft_histogram_csv(const struct hft_histogram *histogram, int fd)
{
	uint64_t low, high, nr, sum = 0;
	uint32_t i;

	/* Where it can not write, glibc's dprintf() forgets a buffer. */
	if (fcntl(fd, F_GETFL) < 0 || dprintf(fd, "low_ns,high_ns,count,cumulated\n") < 0)
		return hft_fail(errno, "write a histogram");
	for (i = 0; (nr = hft_histogram_bucket(histogram, i, &low, &high)) != UINT64_MAX; i++) {
		if (!nr)
			continue;
		sum += nr;
		if (high == UINT64_MAX)
			high = hft_hist_max(&histogram->hist);
		if (dprintf(fd, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", low, high, nr,
			    sum) < 0)
			return hft_fail(errno, "write a histogram");
	}
	return 0;
}

/**
 * hft_kind_name() - the name of a kind
 * @kind: the kind
 *
 * Return: "dispatch", "wake", "run", "response", "lateness", "submit"; else NULL.
 */
HFT_API const char *hft_kind_name(enum hft_kind kind)
{
	static const char *const names[HFT_KINDS] = {
		[HFT_KIND_DISPATCH] = "dispatch",
		[HFT_KIND_WAKE] = "wake",
		[HFT_KIND_RUN] = "run",
		[HFT_KIND_RESPONSE] = "response",
		[HFT_KIND_LATENESS] = "lateness",
		[HFT_KIND_SUBMIT] = "submit",
	};

	return (unsigned int)kind < HFT_KINDS ? names[kind] : NULL;
}
