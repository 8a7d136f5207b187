/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFT_LOG_REMOVE_H
#define HFT_LOG_REMOVE_H

/*
 * With all that is in it.  Only for one that mkdir() has made for this call: a log that could not
 * be written whole.  What can not be removed stays: not 0,
 * and errno.
 */
int hft_log_remove_folder(const char *path);

#endif /* HFT_LOG_REMOVE_H */
