/* SPDX-License-Identifier: GPL-2.0-only */
/* A log of records that were changed. */
#ifndef SELFTESTS_HOST_RECORD_WRITE_H
#define SELFTESTS_HOST_RECORD_WRITE_H

#include <hft/log.h>

#include "../libhft/record_load.h"
#include "engine/replay.h"

/* Write records to a log of their own, but for number @without. */
static inline void write_log(const char *path, const struct hft_recording *recording,
			     size_t without)
{
	struct hft_record_log place;
	struct hft_log *log;
	char other[128];
	size_t i;

	load_remove(path);
	assert_int_equal(hft_log_open(&log, path, NULL), 0);
	assert_int_equal(hft_record_log_open(&place, path, other, sizeof(other)), 0);
	for (i = 0; i < recording->nr; i++) {
		const struct hft_record *record = &recording->records[i];

		place.order = record->order;
		if (i != without)
			assert_int_equal(hft_record_log_add(&place, record->kind, record->words,
							    i ? NULL : "sim"), 0);
	}
	assert_int_equal(hft_record_log_close(), 0);
	assert_int_equal(hft_log_close(log), 0);
}

#endif /* SELFTESTS_HOST_RECORD_WRITE_H */
