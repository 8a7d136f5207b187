/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Metrics as Prometheus reads them: by its text format, version 0.0.4, or by OpenMetrics 1.0
 * (https://prometheus.io/docs/instrumenting/exposition_formats/,
 * https://github.com/OpenObservability/OpenMetrics).
 *
 * A text grows as it is written; where there is no memory for that it fails, and says so at
 * its end alone.  The samples of a family follow its hft_text_begin().
 */
#ifndef HFT_EXPORT_TEXT_H
#define HFT_EXPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/hist.h"

#define HFT_TEXT_NS	9		/* decimals of nanoseconds in seconds */
#define HFT_TEXT_PPM	6		/* of parts per million in a ratio */

enum hft_metric_type {
	HFT_METRIC_GAUGE,
	HFT_METRIC_COUNTER,
	HFT_METRIC_INFO,
	HFT_METRIC_HISTOGRAM,
	HFT_METRIC_UNKNOWN
};

/**
 * struct hft_metric - a family of samples
 * @name: without the suffixes of its type: _total, _info, _bucket
 * @help: what it is, without a backslash or a quote
 * @unit: the last word of @name, where that is one; or NULL
 * @type: &enum hft_metric_type
 * @decimals: of its samples, which are integers: 9 of ns in a metric of seconds
 */
struct hft_metric {
	const char *name;
	const char *help;
	const char *unit;
	enum hft_metric_type type;
	uint32_t decimals;
};

/**
 * struct hft_label - of a sample
 * @name: the label's
 * @value: any; NULL or empty, which is the same: the sample has no such label
 */
struct hft_label {
	const char *name;
	const char *value;
};

struct hft_text {
	char *at;
	size_t nr;
	size_t size;
	bool openmetrics;
	bool failed;			/* for want of memory */
	const struct hft_metric *metric;
};

void hft_text_put(struct hft_text *text, const char *bytes, size_t nr);
void hft_text_printf(struct hft_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void hft_text_begin(struct hft_text *text, const struct hft_metric *metric);
void hft_text_sample(struct hft_text *text, const struct hft_label *labels, size_t nr,
		     uint64_t value);
void hft_text_histogram(struct hft_text *text, const struct hft_label *labels, size_t nr,
			const struct hft_hist *hist);
void hft_text_label(struct hft_text *text, const char *name, const char *value, bool first);
void hft_text_end(struct hft_text *text);
int hft_text_save(const struct hft_text *text, const char *path);
void hft_text_free(struct hft_text *text);

#endif /* HFT_EXPORT_TEXT_H */
