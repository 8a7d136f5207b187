/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What recover.c, which sees that nobody else is at a log, and recover_rings.c share. */
#ifndef HFT_LOG_RECOVER_H
#define HFT_LOG_RECOVER_H

#include "log.h"

/**
 * struct log_recovery - of a log whose process has ended
 * @dir: its folder
 * @control: what is in its control file
 * @control_fd: the file
 * @ring_fd: the folder of its rings, locked
 * @left: its rings; this and what follows is recover_rings.c's
 * @nr_left: how many
 * @store: where they are written to
 * @evidence: of the clocks meanwhile
 */
struct log_recovery {
	const char *dir;
	struct log_control control;
	int control_fd;
	int ring_fd;
	struct left *left;
	size_t nr_left;
	struct hft_log_store *store;
	struct hft_log_evidence *evidence;
};

/* All that is in rings goes to files, then rings go, then the log is closed.  As hft_fail(). */
int log_recover_rings(struct log_recovery *it, const struct hft_log_store_opts *opts);

/* There is no ring any more. */
int log_recover_say_closed(struct log_recovery *it);

#endif /* HFT_LOG_RECOVER_H */
