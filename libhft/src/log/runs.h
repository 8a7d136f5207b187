/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers of the records of a ring, which wrap: most of them are in a row. */
#ifndef HFT_LOG_RUNS_H
#define HFT_LOG_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_run {
	uint32_t first;
	uint32_t last;
};

/* Zero: none. */
struct log_runs {
	struct log_run *runs;
	size_t nr;
};

/* -ENOMEM, of which hft_strerror() tells. */
int log_runs_add(struct log_runs *it, uint32_t number);
bool log_runs_has(const struct log_runs *it, uint32_t number);

/* @first if it is there, or the number behind those before it; @unknown: there are none. */
uint32_t log_runs_next(const struct log_runs *it, uint32_t first, uint32_t unknown);
void log_runs_free(struct log_runs *it);

#endif /* HFT_LOG_RUNS_H */
