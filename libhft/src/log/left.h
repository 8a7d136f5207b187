/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a process that has ended has left: is there something, and whose is it.
 *
 * A folder of rings has beside these the sites of its process, and a link to the folder of its
 * log, so that who finds the one finds the other.
 */
#ifndef HFT_LOG_LEFT_H
#define HFT_LOG_LEFT_H

#include <stdbool.h>
#include <stddef.h>

#include <hft/log.h>

#include "control.h"

/* Of a log with that control file: &enum hft_log_state */
uint32_t log_state(const char *dir, const struct log_control *control);

/*
 * Is what rings have not in the log?  @text: answered, if so: whose they are, and what is to
 * be done.
 */
bool log_left_text(const char *dir, const struct hft_log_info *info, char *text, size_t size);

/* The same of a folder, as an error: -EUCLEAN, -ENXIO; 0: it is not, or that is no log's. */
int log_left_check(const char *dir);

/* For who has the lock of a folder of rings: it says which log's it is. */
void log_left_link(int ring_fd, const char *dir);

/* Likewise: it goes, if no ring is in it. */
void log_left_tidy(int ring_fd, const char *ring_dir);

#endif /* HFT_LOG_LEFT_H */
