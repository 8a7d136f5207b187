// SPDX-License-Identifier: LGPL-2.1-or-later
/* Metrics as text. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../write_all.h"
#include "text.h"

#define FIRST_SIZE	4096
#define LINE_SIZE	512
#define PATH_SIZE	4096

/* Of histograms: bounds from 2^6 ns on, two to each power of two. */
#define FIRST_BOUND	6

static bool grow(struct hft_text *text, size_t nr)
{
	size_t size = text->size ? text->size : FIRST_SIZE;
	char *at;

	if (text->failed)
		return false;
	if (text->size - text->nr >= nr)
		return true;
	while (size - text->nr < nr)
		size *= 2;
	at = realloc(text->at, size);
	if (!at) {
		text->failed = true;
		return false;
	}
	text->at = at;
	text->size = size;
	return true;
}

void hft_text_put(struct hft_text *text, const char *bytes, size_t nr)
{
	if (!grow(text, nr))
		return;
	memcpy(text->at + text->nr, bytes, nr);
	text->nr += nr;
}

/* Lines of ours: nothing of unknown length goes through here. */
void hft_text_printf(struct hft_text *text, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;
	int nr;

	va_start(args, format);
	nr = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (nr < 0 || (size_t)nr >= sizeof(line))
		text->failed = true;
	else
		hft_text_put(text, line, (size_t)nr);
}

/* How long the character at @at is in UTF-8; 0: it is none. */
static size_t utf8_length(const unsigned char *at)
{
	size_t length = *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : *at < 0xf5 ? 4 : 0;
	size_t i;

	if (*at < 0x80)
		return 1;
	for (i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, halves of UTF-16, and what is beyond Unicode. */
	if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
	    (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
		return 0;
	return length;
}

/* Bytes that are no UTF-8 become question marks: no reader takes these. */
static void put_value(struct hft_text *text, const char *value)
{
	size_t length;

	for (; *value; value += length ? length : 1) {
		length = utf8_length((const unsigned char *)value);
		if (*value == '\n')
			hft_text_put(text, "\\n", 2);
		else if (*value == '"' || *value == '\\')
			hft_text_printf(text, "\\%c", *value);
		else if (!length || (unsigned char)*value < ' ')
			hft_text_put(text, "?", 1);
		else
			hft_text_put(text, value, length);
	}
}

void hft_text_label(struct hft_text *text, const char *name, const char *value, bool first)
{
	hft_text_put(text, first ? "{" : ",", 1);
	hft_text_printf(text, "%s=\"", name);
	put_value(text, value);
	hft_text_put(text, "\"", 1);
}

/* @bound: of a bucket, or NULL */
static void put_labels(struct hft_text *text, const struct hft_label *labels, size_t nr,
		       const char *bound)
{
	bool first = true;
	size_t i;

	for (i = 0; i < nr; i++) {
		if (!labels[i].value || !*labels[i].value)
			continue;
		hft_text_label(text, labels[i].name, labels[i].value, first);
		first = false;
	}
	if (bound)
		hft_text_label(text, "le", bound, first);
	hft_text_put(text, "} ", first && !bound ? 0 : 1);
	hft_text_put(text, " ", 1);
}

/* @value * 10^-@decimals, exactly. */
static int format_number(char *line, size_t size, uint64_t value, uint32_t decimals)
{
	uint64_t one = 1;
	uint32_t i;
	int nr;

	for (i = 0; i < decimals; i++)
		one *= 10;
	nr = snprintf(line, size, "%" PRIu64, value / one);
	if (!(value % one))
		return nr;
	nr += snprintf(line + nr, size - (size_t)nr, ".%0*" PRIu64, (int)decimals, value % one);
	while (line[nr - 1] == '0')
		line[--nr] = '\0';
	return nr;
}

static void put_number(struct hft_text *text, uint64_t value, uint32_t decimals)
{
	char line[64];

	hft_text_put(text, line, (size_t)format_number(line, sizeof(line), value, decimals));
	hft_text_put(text, "\n", 1);
}

/* What samples have behind the name of their family. */
static const char *suffix_of(enum hft_metric_type type)
{
	return type == HFT_METRIC_COUNTER ? "_total" : type == HFT_METRIC_INFO ? "_info" : "";
}

/* By the type: of OpenMetrics and of 0.0.4, which knows fewer. */
static const char *type_name(enum hft_metric_type type, bool openmetrics)
{
	static const char *const names[] = {
		[HFT_METRIC_GAUGE] = "gauge",
		[HFT_METRIC_COUNTER] = "counter",
		[HFT_METRIC_INFO] = "info",
		[HFT_METRIC_HISTOGRAM] = "histogram",
		[HFT_METRIC_UNKNOWN] = "unknown",
	};

	if (openmetrics)
		return names[type];
	return type == HFT_METRIC_INFO ? "gauge" : type == HFT_METRIC_UNKNOWN ? "untyped" :
	       names[type];
}

/* The lines before the samples of a family; in 0.0.4 these have its full name. */
void hft_text_begin(struct hft_text *text, const struct hft_metric *metric)
{
	const char *suffix = text->openmetrics ? "" : suffix_of(metric->type);

	text->metric = metric;
	hft_text_printf(text, "# HELP %s%s %s\n", metric->name, suffix, metric->help);
	hft_text_printf(text, "# TYPE %s%s %s\n", metric->name, suffix,
			type_name(metric->type, text->openmetrics));
	if (metric->unit && text->openmetrics)
		hft_text_printf(text, "# UNIT %s %s\n", metric->name, metric->unit);
}

void hft_text_sample(struct hft_text *text, const struct hft_label *labels, size_t nr,
		     uint64_t value)
{
	hft_text_printf(text, "%s%s", text->metric->name, suffix_of(text->metric->type));
	put_labels(text, labels, nr, NULL);
	put_number(text, value, text->metric->decimals);
}

static void put_bucket(struct hft_text *text, const struct hft_label *labels, size_t nr,
		       const char *bound, uint64_t count)
{
	hft_text_printf(text, "%s_bucket", text->metric->name);
	put_labels(text, labels, nr, bound);
	put_number(text, count, 0);
}

/*
 * Bounds are those of buckets of the histogram's own, so that all counts are exact: the
 * last value before a power of two, or before one and a half of it.
 */
void hft_text_histogram(struct hft_text *text, const struct hft_label *labels, size_t nr,
			const struct hft_hist *hist)
{
	uint64_t below = 0, bound;
	uint32_t i, half = 0;
	char line[64];

	for (i = 0; i < HFT_HIST_BUCKETS - 1; i++) {
		bound = ((2ULL + half % 2) << (FIRST_BOUND - 1 + half / 2)) - 1;
		below += hft_load_relaxed(&hist->bucket[i]);
		if (hft_hist_high(i) != bound)
			continue;
		format_number(line, sizeof(line), bound, text->metric->decimals);
		put_bucket(text, labels, nr, line, below);
		half++;
	}
	below += hft_load_relaxed(&hist->bucket[i]);
	put_bucket(text, labels, nr, "+Inf", below);
	hft_text_printf(text, "%s_sum", text->metric->name);
	put_labels(text, labels, nr, NULL);
	put_number(text, hft_hist_sum(hist), text->metric->decimals);
	hft_text_printf(text, "%s_count", text->metric->name);
	put_labels(text, labels, nr, NULL);
	put_number(text, below, 0);
}

void hft_text_end(struct hft_text *text)
{
	if (text->openmetrics)
		hft_text_printf(text, "# EOF\n");
}

/*
 * Replace a file by the text: who reads it sees the one or the other.  Readable for all, as
 * a collector has another user.  Returns 0 or -errno.
 */
int hft_text_save(const struct hft_text *text, const char *path)
{
	char other[PATH_SIZE];
	int fd, err;

	if (text->failed)
		return -ENOMEM;
	if (snprintf(other, sizeof(other), "%s.XXXXXX", path) >= (int)sizeof(other))
		return -ENAMETOOLONG;
	fd = mkostemp(other, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = hft_write_all(fd, text->at, text->nr);
	if (!err && fchmod(fd, 0644))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(other, path))
		err = -errno;
	if (err)
		unlink(other);
	return err;
}

void hft_text_free(struct hft_text *text)
{
	free(text->at);
	text->at = NULL;
	text->nr = 0;
	text->size = 0;
}
