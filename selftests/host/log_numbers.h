/* SPDX-License-Identifier: GPL-2.0-only */
/* A log of numbers in a folder of its own, for tests that end in time. */
#ifndef LOG_NUMBERS_H
#define LOG_NUMBERS_H

#include <unistd.h>

#define HFT_LOG_SUBSYSTEM "numbers"
#include "log_here.h"

#define RECORDS		100
#define PATIENCE_S	60

HFT_LOG_EVENT(event_number, "numbers", "number", HFT_LOG_NOTICE, HFT_LOG_AUDIT, (u64, number))

static inline int make_folder(void **state)
{
	(void)state;
	tree_make(dir, NULL, 0);
	alarm(PATIENCE_S);
	return 0;
}

static inline int remove_folder(void **state)
{
	(void)state;
	alarm(0);
	tree_remove(dir);
	return 0;
}

static inline void open_log(void)
{
	int err = hft_log_open(&the_log, dir, NULL);

	if (err)
		fail_msg("open: %s", hft_strerror(err));
}

static inline int log_numbers(void)
{
	uint64_t number;
	int err = 0;

	for (number = 0; number < RECORDS && !err; number++)
		err = event_number(number);
	return err;
}

#endif /* LOG_NUMBERS_H */
