/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sites of a process beside its rings, as lines of JSON as in a chunk's hft/sites: what
 * they mean is known before anything is logged there, and survives the process.
 */
#ifndef HFT_LOG_JOURNAL_H
#define HFT_LOG_JOURNAL_H

#include "store.h"

#define LOG_JOURNAL	"sites"

/*
 * Append a site to the file, whole or not at all; one call at a time.  Errors as hft_fail()
 * has them.
 */
int log_journal_add(int fd, const struct hft_log_store_site *site);

/*
 * Call @fn for each site of the file in that folder, until it fails; lines that are not whole,
 * or not of sites, are none.  -ENOENT: there is no such file.
 */
int log_journal_read(int dir_fd, int (*fn)(void *arg, const struct hft_log_store_site *site),
		     void *arg);

#endif /* HFT_LOG_JOURNAL_H */
