// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log stat: count records, rates, losses and gaps. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <common/tool.h>

#include "filter.h"
#include "hft-log.h"
#include "stat.h"

#define NS_PER_S	1000000000ull

enum { STAT_JSON = FILTER_END, STAT_FIELD };

static const struct option options[] = {
	FILTER_OPTIONS,
	{ "json", no_argument, NULL, STAT_JSON },
	{ "field", required_argument, NULL, STAT_FIELD },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void usage(void)
{
	fputs("Usage: hft-log stat [OPTION]... LOG...\n"
	      "Count the records of LOGs by call site, level and thread; tell their rate, what was\n"
	      "lost, and the gaps between one record and the next.\n"
	      "\n"
	      "  --json              as an object of JSON\n"
	      "  --field NAME        percentiles of this number, too, as of a latency that is logged,\n"
	      "                      for each call site that has it; less than 0 counts as 0\n"
	      FILTER_HELP
	      "\n"
	      "Losses are those of whole streams, whatever is asked for.\n"
	      "\n"
	      "Exit status: as hft-log --help tells.\n", stdout);
}

/* Room for element @number of an array that grows by doubling; new ones are zeroes. */
static int grow(void **array, uint32_t *room, uint32_t number, size_t size)
{
	uint32_t more = *room ? *room : 64;
	void *grown;

	if (number < *room)
		return 0;
	while (more <= number)
		more *= 2;
	grown = reallocarray(*array, more, size);
	if (!grown)
		return -ENOMEM;
	memset((char *)grown + *room * size, 0, (more - *room) * size);
	*array = grown;
	*room = more;
	return 0;
}

static struct stream_count *stream_of(struct counts *counts,
				      const struct hft_log_view_stream *stream)
{
	struct stream_count *count;

	if (grow((void **)&counts->streams, &counts->room_streams, stream->number,
		 sizeof(*counts->streams)))
		return NULL;
	count = &counts->streams[stream->number];
	if (!count->stream && hft_histogram_open(&count->gaps))
		return NULL;
	count->stream = stream;
	return count;
}

static void take_loss(void *context, const struct hft_log_notice *notice)
{
	struct counts *counts = context;
	struct stream_count *count = stream_of(counts, notice->stream);

	if (!count) {
		counts->err = -ENOMEM;
		return;
	}
	count->lost += notice->lost;
	counts->lost += notice->lost;
}

static void count_second(struct counts *counts, uint64_t time)
{
	uint64_t second = time / NS_PER_S;

	if (second != counts->second)
		counts->in_second = 0;
	counts->second = second;
	counts->in_second++;
	if (counts->in_second > counts->most_in_second)
		counts->most_in_second = counts->in_second;
}

/* A time that goes back makes a gap of 0. */
static void count_gap(struct hft_histogram *gaps, uint64_t records, uint64_t last,
		      uint64_t time)
{
	if (records)
		hft_histogram_record(gaps, time > last ? time - last : 0);
}

static int count_stream(struct counts *counts, const struct hft_log_view *view)
{
	struct stream_count *count = stream_of(counts, view->stream);

	if (!count)
		return -ENOMEM;
	count_gap(count->gaps, count->records, count->last, view->time);
	if (!count->records)
		count->first = view->time;
	count->last = view->time;
	count->records++;
	count->bytes += view->bytes;
	return 0;
}

/* A field of the name, if it is a number. */
static int find_field(struct counts *counts, struct site_count *count)
{
	const struct hft_log_view_site *site = count->site;
	uint32_t i;

	for (i = 0; counts->field && i < site->nr_fields; i++) {
		if (strcmp(site->fields[i].name, counts->field))
			continue;
		count->field = i;
		switch (site->fields[i].type) {
		case HFT_LOG_U64:
		case HFT_LOG_I64:
		case HFT_LOG_DOUBLE:
		case HFT_LOG_STAMP:
			return hft_histogram_open(&count->values);
		}
	}
	return 0;
}

static void count_value(struct site_count *count, const struct hft_log_view *view)
{
	const union hft_log_view_value *value = &view->values[count->field];

	switch (view->site->fields[count->field].type) {
	case HFT_LOG_DOUBLE:
		hft_histogram_record(count->values, value->d < 0x1p63 && value->d > 0 ?
				     (uint64_t)value->d : value->d > 0 ? UINT64_MAX : 0);
		break;
	case HFT_LOG_I64:
		hft_histogram_record(count->values, value->i > 0 ? value->u : 0);
		break;
	default:
		hft_histogram_record(count->values, value->u);
	}
}

static int count_site(struct counts *counts, const struct hft_log_view *view)
{
	struct site_count *count;

	if (grow((void **)&counts->sites, &counts->room_sites, view->site->number,
		 sizeof(*counts->sites)))
		return -ENOMEM;
	count = &counts->sites[view->site->number];
	if (!count->site) {
		count->site = view->site;
		if (find_field(counts, count))
			return -ENOMEM;
	}
	count->records++;
	count->bytes += view->bytes;
	if (count->values)
		count_value(count, view);
	return 0;
}

static int count_view(struct counts *counts, const struct hft_log_view *view)
{
	int err = count_stream(counts, view);

	if (!err)
		err = count_site(counts, view);
	if (err)
		return err;
	count_gap(counts->gaps, counts->records, counts->last, view->time);
	count_second(counts, view->time);
	if (!counts->records)
		counts->first = view->time;
	counts->last = view->time;
	counts->records++;
	counts->bytes += view->bytes;
	if (view->site->level < STAT_LEVELS)
		counts->levels[view->site->level]++;
	return counts->err;
}

static void counts_free(struct counts *counts)
{
	uint32_t i;

	for (i = 0; i < counts->room_streams; i++)
		hft_histogram_close(counts->streams[i].gaps);
	for (i = 0; i < counts->room_sites; i++)
		hft_histogram_close(counts->sites[i].values);
	hft_histogram_close(counts->gaps);
	free(counts->streams);
	free(counts->sites);
}

static int count_all(struct filter *filter, struct counts *counts,
		     struct hft_log_reader *reader, bool json)
{
	const struct hft_log_view *view;
	int ret, err = 0, status;

	while ((ret = hft_log_reader_next(reader, &view)) > 0 && !err)
		err = count_view(counts, view);
	status = filter_status(filter, err ? err : ret);
	if (status != STATUS_USAGE && (json ? stat_print_json(counts) : stat_print(counts)))
		status = STATUS_USAGE;
	return status;
}

static int parse(int argc, char **argv, struct filter *filter, struct counts *counts, bool *json)
{
	int option, ret = 0;

	while (!ret && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h') {
			usage();
			ret = -1;
		} else if (option == STAT_JSON) {
			*json = true;
		} else if (option == STAT_FIELD) {
			counts->field = optarg;
		} else {
			ret = filter_option(filter, option, optarg);
		}
	}
	return ret;
}

static int run(int argc, char **argv, struct filter *filter, struct counts *counts)
{
	struct hft_log_reader *reader;
	bool json = false;
	int status = parse(argc, argv, filter, counts, &json);

	if (status)
		return status;
	filter->loss = take_loss;
	filter->loss_context = counts;
	if (hft_histogram_open(&counts->gaps)) {
		fail(ENOMEM, "counts");
		return STATUS_USAGE;
	}
	status = filter_open(filter, &reader, argv + optind, argc - optind);
	if (status)
		return status;
	status = count_all(filter, counts, reader, json);
	hft_log_reader_close(reader);
	return status;
}

int cmd_stat(int argc, char **argv)
{
	struct counts counts = { .sites = NULL };
	struct filter filter;
	int status;

	tool_help = "hft-log stat --help";
	filter_begin(&filter);
	status = run(argc, argv, &filter, &counts);
	filter_end(&filter);
	counts_free(&counts);
	return status < 0 ? STATUS_OK : status;
}
