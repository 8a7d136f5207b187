// SPDX-License-Identifier: LGPL-2.1-or-later
/* Histograms of rings: read, compared with an earlier look, and told. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <hft/hft.h>

#include <common/hdr.h>

#include "latency.h"

#define DEVICE		"/dev/hft"
#define RINGS		64
#define NSEC_PER_SEC	1000000000ULL

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

void latency_free(struct latency *latency)
{
	size_t i;

	for (i = 0; i < latency->nr; i++)
		hft_histogram_close(latency->rows[i].histogram);
	free(latency->rows);
	*latency = (struct latency){ 0 };
}

static uint64_t count_of(const struct hft_histogram *histogram)
{
	HFT_OPTS(hft_hist_summary, summary);

	return hft_histogram_summary(histogram, &summary) ? 0 : summary.count;
}

/* Takes over the histogram of @row. */
static int add_row(struct latency *latency, const struct latency_row *row)
{
	struct latency_row *rows = realloc(latency->rows, (latency->nr + 1) * sizeof(*rows));

	if (!rows) {
		hft_histogram_close(row->histogram);
		return -ENOMEM;
	}
	latency->rows = rows;
	rows[latency->nr++] = *row;
	return 0;
}

/* Returns 1 when there is a row more, 0 when it had no value, or -errno. */
static int read_row(int fd, uint32_t flags, struct latency_row row, struct latency *latency)
{
	HFT_OPTS(hft_hist_opts, which, .ring = row.where, .flags = flags,
		 .task_class = row.task_class, .kind = row.kind);
	HFT_OPTS(hft_hist_answer, answer);
	int err = hft_histogram_open(&row.histogram);

	if (err)
		return err;
	err = hft_hist_read_fd(fd, &which, row.histogram, &answer);
	if (err || (!count_of(row.histogram) &&
		    !(row.kind == HFT_KIND_LATENESS && answer.in_time))) {
		hft_histogram_close(row.histogram);
		return err;
	}
	row.in_time = answer.in_time;
	row.since_ns = answer.since_ns;
	return add_row(latency, &row) ?: 1;
}

/* Each class that has a value of a kind, if any has. */
static int read_classes(int fd, struct latency_row row, struct latency *latency)
{
	struct latency all = { 0 };
	int ret;

	row.task_class = HFT_CLASS_ALL;
	ret = read_row(fd, 0, row, &all);
	latency_free(&all);
	for (row.task_class = 0; ret > 0 && row.task_class < HFT_CLASSES; row.task_class++) {
		ret = read_row(fd, 0, row, latency);
		if (ret < 0)
			return ret;
		ret = 1;
	}
	return ret < 0 ? ret : 0;
}

int latency_add_context(int fd, int number, struct latency *latency)
{
	struct latency_row row = { .fd = number };
	int err;

	latency->now_ns = clock_ns(CLOCK_MONOTONIC);
	for (row.where = 0; row.where < RINGS; row.where++) {
		for (row.kind = 0; row.kind < HFT_KINDS; row.kind++) {
			err = read_classes(fd, row, latency);
			if (err == -ENOENT)
				break;		/* no such ring */
			if (err)
				return err;
		}
	}
	return 0;
}

static int add_cpus(int fd, struct latency *latency)
{
	struct latency_row row = { .fd = -1, .task_class = HFT_CLASS_ALL };
	struct hft_query query = { 0 };
	int ret;

	if (ioctl(fd, HFT_IOC_QUERY, &query))
		return -errno;
	for (row.where = 0; row.where < query.nr_cpus; row.where++) {
		for (row.kind = 0; row.kind < HFT_KINDS; row.kind++) {
			ret = read_row(fd, HFT_HIST_GLOBAL, row, latency);
			if (ret == -ENOENT)
				break;		/* a CPU that there is not */
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

int latency_add_all(struct latency *latency)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	int err;

	latency->now_ns = clock_ns(CLOCK_MONOTONIC);
	if (fd < 0)
		return -errno;
	err = add_cpus(fd, latency);
	close(fd);
	return err;
}

static const struct latency_row *find_row(const struct latency *latency,
					  const struct latency_row *row)
{
	const struct latency_row *other;
	size_t i;

	for (i = 0; i < latency->nr; i++) {
		other = &latency->rows[i];
		if (other->fd == row->fd && other->where == row->where &&
		    other->task_class == row->task_class && other->kind == row->kind)
			return other;
	}
	return NULL;
}

/* Of all contexts they count on, whichever ring is measured anew. */
static bool was_begun_anew(const struct latency_row *row, uint64_t then)
{
	return row->fd >= 0 && row->since_ns > then;
}

static void subtract(struct latency_row *row, const struct latency_row *old, uint64_t then)
{
	if (was_begun_anew(row, then))
		return;
	if (row->since_ns < then)
		row->since_ns = then;
	if (old && !hft_histogram_diff(row->histogram, old->histogram))
		row->in_time -= old->in_time < row->in_time ? old->in_time : row->in_time;
}

int latency_since(const struct latency *now, const struct latency *before,
		  struct latency *since)
{
	struct latency_row row;
	size_t i;
	int err;

	since->now_ns = now->now_ns;
	for (i = 0; i < now->nr; i++) {
		row = now->rows[i];
		err = hft_histogram_open(&row.histogram);
		if (err)
			return err;
		hft_histogram_merge(row.histogram, now->rows[i].histogram);
		subtract(&row, find_row(before, &row), before->now_ns);
		err = add_row(since, &row);
		if (err)
			return err;
	}
	return 0;
}

/* @part of @whole, or null without a whole. */
static json_t *ppm(double part, double whole)
{
	return whole > 0 ? json_integer((json_int_t)(part / whole * 1e6 + 0.5)) : json_null();
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *row_json(const struct latency_row *row, uint64_t now_ns)
{
	double elapsed = row->since_ns && now_ns > row->since_ns ?
			 (double)(now_ns - row->since_ns) : 0;
	HFT_OPTS(hft_hist_summary, s);
	uint64_t behind;
	json_t *object;

	hft_histogram_summary(row->histogram, &s);
	hft_histogram_percentile(row->histogram, 999000, &behind);
	object = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			   "kind", hft_kind_name(row->kind),
			   "count", number(s.count), "min_ns", number(s.min_ns),
			   "p50_ns", number(s.p50_ns), "p99_ns", number(s.p99_ns),
			   "p999_ns", number(s.p999_ns), "behind_p999", number(behind),
			   "max_ns", number(s.max_ns), "mean_ns", number(s.mean_ns),
			   "jitter_ns", number(s.jitter_ns),
			   "per_s", elapsed ? number((uint64_t)((double)s.count * 1e9 / elapsed)) :
					      json_null());
	json_object_set_new(object, "miss_ppm", row->kind == HFT_KIND_LATENESS ?
			    ppm((double)s.count, (double)s.count + (double)row->in_time) :
			    json_null());
	json_object_set_new(object, "busy_ppm", row->kind == HFT_KIND_RUN ?
			    ppm((double)s.sum_ns, elapsed) : json_null());
	return object;
}

/* Where it is of first, then what it is. */
json_t *latency_json(const struct latency *latency, int fd)
{
	json_t *array = json_array(), *object;
	const struct latency_row *row;
	size_t i;

	for (i = 0; i < latency->nr; i++) {
		row = &latency->rows[i];
		if (fd != -1 && row->fd != fd)
			continue;
		object = row->fd < 0 ? json_pack("{s:i}", "cpu", (int)row->where) :
				       json_pack("{s:i, s:i, s:i}", "fd", row->fd, "ring",
						 (int)row->where, "class", (int)row->task_class);
		json_object_update_new(object, row_json(row, latency->now_ns));
		json_array_append_new(array, object);
	}
	return array;
}

/* What it takes to encode it. */
static void copy_out(struct hft_hist *to, const struct hft_histogram *from)
{
	HFT_OPTS(hft_hist_summary, summary);
	uint32_t i;

	hft_histogram_summary(from, &summary);
	for (i = 0; i < HFT_HIST_BUCKETS; i++)
		to->bucket[i] = hft_histogram_bucket(from, i, NULL, NULL);
	to->count = summary.count;
	to->sum = summary.sum_ns;
	to->max = summary.max_ns;
	to->min_inverted = summary.count ? ~summary.min_ns : 0;
}

int latency_hdr(FILE *f, const struct latency *latency)
{
	double age, now = (double)clock_ns(CLOCK_REALTIME) / 1e9;
	struct hft_hist *hist = calloc(1, sizeof(*hist));
	const struct latency_row *row;
	char tag[64];
	int err = hist ? 0 : -ENOMEM;
	size_t i;

	hdr_begin(f, now);
	for (i = 0; i < latency->nr && !err; i++) {
		row = &latency->rows[i];
		if (row->fd < 0)
			snprintf(tag, sizeof(tag), "cpu%u.%s", row->where,
				 hft_kind_name(row->kind));
		else
			snprintf(tag, sizeof(tag), "fd%d.ring%u.class%u.%s", row->fd, row->where,
				 row->task_class, hft_kind_name(row->kind));
		age = (double)(latency->now_ns - row->since_ns) / 1e9;
		copy_out(hist, row->histogram);
		err = hdr_line(f, tag, hist, now - age, age);
	}
	free(hist);
	return err;
}
