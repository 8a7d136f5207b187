// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <common/tool.h>

#include "stat.h"

static struct hft_hist_summary summary_of(const struct hft_histogram *histogram)
{
	struct hft_hist_summary summary = { .sz = sizeof(summary) };

	if (hft_histogram_summary(histogram, &summary))
		memset(&summary, 0, sizeof(summary));
	return summary;
}

/* Records a second; of one moment there is none. */
static double rate(uint64_t records, uint64_t first, uint64_t last)
{
	return last > first ? (double)(records - 1) * 1e9 / (double)(last - first) : 0;
}

static int flush_output(void)
{
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	return fail(errno ? errno : EIO, "standard output");
}

static const char *title(const struct hft_log_view_site *site)
{
	return *site->format ? site->format : site->name;
}

static void print_title(const struct hft_log_view_site *site)
{
	print_clean(stdout, title(site));
	if (*site->file) {
		fputs("  (", stdout);
		print_clean(stdout, site->file);
		printf(":%u)", site->line);
	}
	putchar('\n');
}

static void print_stream(const struct hft_log_view_stream *stream)
{
	print_clean(stdout, stream->log->host);
	putchar(' ');
	print_clean(stdout, stream->log->program);
	printf("[%u] ", stream->log->pid);
	print_clean(stdout, stream->thread);
	printf("[%u] stream %" PRIu64 " ", stream->tid, stream->id);
	print_clean(stdout, stream->policy);
	putchar('\n');
}

static void print_summary(const char *name, const struct hft_histogram *histogram)
{
	struct hft_hist_summary s = summary_of(histogram);

	print_clean(stdout, name);
	printf(": min %" PRIu64 ", p50 %" PRIu64 ", p99 %" PRIu64 ", p99.9 %" PRIu64
	       ", max %" PRIu64 "\n", s.min_ns, s.p50_ns, s.p99_ns, s.p999_ns, s.max_ns);
}

static void print_streams(const struct counts *counts)
{
	const struct stream_count *c;
	uint32_t i;

	printf("\n%12s %14s %12s %10s  thread\n", "records", "bytes", "records/s", "lost");
	for (i = 0; i < counts->room_streams; i++) {
		c = &counts->streams[i];
		if (!c->stream)
			continue;
		printf("%12" PRIu64 " %14" PRIu64 " %12.0f %10" PRIu64 "  ", c->records, c->bytes,
		       rate(c->records, c->first, c->last), c->lost);
		print_stream(c->stream);
	}
}

static void print_sites(const struct counts *counts)
{
	const struct site_count *c;
	uint32_t i;

	printf("\n%12s %14s  level  subsystem  call site\n", "records", "bytes");
	for (i = 0; i < counts->room_sites; i++) {
		c = &counts->sites[i];
		if (!c->site)
			continue;
		printf("%12" PRIu64 " %14" PRIu64 "  %-6s ", c->records, c->bytes,
		       hft_log_level_name((int)c->site->level));
		print_clean(stdout, c->site->subsystem);
		printf("%*s ", (int)(strlen(c->site->subsystem) < 10 ?
				     10 - strlen(c->site->subsystem) : 0), "");
		print_title(c->site);
		if (c->values) {
			printf("%28s  ", "");
			print_summary(counts->field, c->values);
		}
	}
}

int stat_print(const struct counts *counts)
{
	uint32_t i;

	printf("%" PRIu64 " records, %" PRIu64 " bytes, %" PRIu64 " lost\n", counts->records,
	       counts->bytes, counts->lost);
	printf("%.9f s, %.0f records/s, most in one second %" PRIu64 "\n",
	       (double)(counts->last - counts->first) / 1e9,
	       rate(counts->records, counts->first, counts->last), counts->most_in_second);
	print_summary("gaps, ns", counts->gaps);
	for (i = 0; i < STAT_LEVELS; i++)
		if (counts->levels[i])
			printf("%12" PRIu64 "  %s\n", counts->levels[i],
			       hft_log_level_name((int)i));
	print_streams(counts);
	print_sites(counts);
	return flush_output();
}

static json_t *number(uint64_t value)
{
	return json_integer(value < INT64_MAX ? (json_int_t)value : INT64_MAX);
}

/* Formats and names come from a file: what is no UTF-8 was refused when that was read. */
static void set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

/* @unit: behind each name but that of the count */
static json_t *summary_json(const struct hft_histogram *histogram, const char *unit)
{
	struct hft_hist_summary s = summary_of(histogram);
	const struct { const char *name; uint64_t value; } figures[] = {
		{ "min", s.min_ns }, { "mean", s.mean_ns }, { "p50", s.p50_ns },
		{ "p90", s.p90_ns }, { "p99", s.p99_ns }, { "p999", s.p999_ns },
		{ "p9999", s.p9999_ns }, { "max", s.max_ns },
	};
	json_t *object = json_object();
	char name[32];
	size_t i;

	set(object, "count", number(s.count));
	for (i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", figures[i].name, unit);
		set(object, name, number(figures[i].value));
	}
	return object;
}

static json_t *streams_json(const struct counts *counts)
{
	json_t *list = json_array(), *object;
	const struct stream_count *c;
	uint32_t i;

	for (i = 0; i < counts->room_streams; i++) {
		c = &counts->streams[i];
		if (!c->stream)
			continue;
		object = json_object();
		set(object, "host", json_string(c->stream->log->host));
		set(object, "program", json_string(c->stream->log->program));
		set(object, "pid", number(c->stream->log->pid));
		set(object, "thread", json_string(c->stream->thread));
		set(object, "tid", number(c->stream->tid));
		set(object, "stream", number(c->stream->id));
		set(object, "policy", json_string(c->stream->policy));
		set(object, "records", number(c->records));
		set(object, "bytes", number(c->bytes));
		set(object, "lost", number(c->lost));
		set(object, "first_ns", number(c->first));
		set(object, "last_ns", number(c->last));
		set(object, "records_per_s", json_real(rate(c->records, c->first, c->last)));
		set(object, "gaps", summary_json(c->gaps, "_ns"));
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *sites_json(const struct counts *counts)
{
	json_t *list = json_array(), *object;
	const struct site_count *c;
	uint32_t i;

	for (i = 0; i < counts->room_sites; i++) {
		c = &counts->sites[i];
		if (!c->site)
			continue;
		object = json_object();
		set(object, "subsystem", json_string(c->site->subsystem));
		set(object, *c->site->format ? "format" : "name", json_string(title(c->site)));
		set(object, "level", json_string(hft_log_level_name((int)c->site->level)));
		set(object, "file", json_string(c->site->file));
		set(object, "line", number(c->site->line));
		set(object, "records", number(c->records));
		set(object, "bytes", number(c->bytes));
		if (c->values)
			set(object, "values", summary_json(c->values, ""));
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *levels_json(const struct counts *counts)
{
	json_t *object = json_object();
	uint32_t i;

	for (i = 0; i < STAT_LEVELS; i++)
		set(object, hft_log_level_name((int)i), number(counts->levels[i]));
	return object;
}

int stat_print_json(const struct counts *counts)
{
	json_t *object = json_object();
	int err;

	set(object, "records", number(counts->records));
	set(object, "bytes", number(counts->bytes));
	set(object, "lost", number(counts->lost));
	set(object, "first_ns", number(counts->first));
	set(object, "last_ns", number(counts->last));
	set(object, "records_per_s",
	    json_real(rate(counts->records, counts->first, counts->last)));
	set(object, "most_in_one_s", number(counts->most_in_second));
	set(object, "levels", levels_json(counts));
	set(object, "gaps", summary_json(counts->gaps, "_ns"));
	set(object, "streams", streams_json(counts));
	set(object, "sites", sites_json(counts));
	err = json_dumpf(object, stdout, JSON_INDENT(2)) ? fail(EIO, "standard output") : 0;
	putchar('\n');
	json_decref(object);
	return err ? err : flush_output();
}
