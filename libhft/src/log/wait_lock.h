/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that was killed may keep its log locked a moment longer, even if it was waited for:
 * what it had asked the disk for comes to its end, see log_locked_ring_open().  Who wants the
 * lock then waits for it.
 */
#ifndef HFT_LOG_WAIT_LOCK_H
#define HFT_LOG_WAIT_LOCK_H

#include <stdbool.h>
#include <stdint.h>

/**
 * enum log_wait - for whom, and how long
 * @LOG_WAIT_NOT: it lives
 * @LOG_WAIT_LOCK: it has ended, or may have: a second
 * @LOG_WAIT_WRITES: it has ended, and what it was to write has not: ten, which a disk in order
 *	does not take
 */
enum log_wait {
	LOG_WAIT_NOT,
	LOG_WAIT_LOCK,
	LOG_WAIT_WRITES,
};

/* @wait: to be answered where it returns -EBUSY; it is %LOG_WAIT_NOT before */
typedef int (*log_wait_fn)(void *arg, enum log_wait *wait);

/* Call @fn until it returns something else than -EBUSY, or the time for that is over. */
int log_wait_for(log_wait_fn fn, void *arg);

/* As log_locked_open(), and waits for the lock, whoever has it. */
int log_wait_open(const char *dir);

/* One that nobody has waited for yet has ended, and one that is not to be seen here, too. */
bool log_wait_has_ended(uint32_t pid);

#endif /* HFT_LOG_WAIT_LOCK_H */
