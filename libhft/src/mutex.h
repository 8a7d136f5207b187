/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mutexes whose holder has the priority of who waits for them. */
#ifndef HFT_MUTEX_H
#define HFT_MUTEX_H

#include <pthread.h>

/* Returns 0 or a negative errno. */
static inline int hft_mutex_init(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attr;
	int err;

	err = pthread_mutexattr_init(&attr);
	if (err)
		return -err;
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	err = pthread_mutex_init(mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	return -err;
}

#endif /* HFT_MUTEX_H */
