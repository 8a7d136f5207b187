/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How far a command is: a line on standard error once a second, if that is a terminal. */
#ifndef HFT_LOG_PROGRESS_H
#define HFT_LOG_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	uint64_t begun;		/* when the first was, or the last was shown; 0: not yet */
	bool is_shown;
	bool prints;		/* to standard output all the time: a terminal has that instead */
};

/* @done of @all bytes */
void progress_show(struct progress *progress, uint64_t done, uint64_t all);

/* Before anything else is printed, and at the end */
void progress_clear(struct progress *progress);

#endif /* HFT_LOG_PROGRESS_H */
