/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What hft-log stat counts. */
#ifndef HFT_LOG_STAT_H
#define HFT_LOG_STAT_H

#include <hft/log_read.h>
#include <hft/stats.h>
#include <jansson.h>

#define STAT_LEVELS	6u

struct site_count {
	const struct hft_log_view_site *site;	/* NULL: not met */
	uint64_t records, bytes;
	uint32_t field;			/* of @values */
	struct hft_histogram *values;	/* NULL: it has no such field */
};

struct stream_count {
	const struct hft_log_view_stream *stream;
	uint64_t records, bytes, lost;
	uint64_t first, last;
	struct hft_histogram *gaps;
};

struct counts {
	struct site_count *sites;
	struct stream_count *streams;
	uint32_t room_sites, room_streams;
	uint64_t levels[STAT_LEVELS];
	uint64_t records, bytes, lost;
	uint64_t first, last;
	uint64_t second, in_second, most_in_second;
	struct hft_histogram *gaps;
	const char *field;		/* whose values are counted, or NULL */
	int err;			/* of a notice */
};

/* stat_report.c: 0, or -errno, which was told. */
int stat_print(const struct counts *counts);
int stat_print_json(const struct counts *counts);

#endif /* HFT_LOG_STAT_H */
