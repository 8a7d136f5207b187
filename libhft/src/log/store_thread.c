// SPDX-License-Identifier: LGPL-2.1-or-later
/* Threads of the store, and how they wait for each other. */
#include <signal.h>
#include <time.h>

#include "../options.h"
#include "store_internal.h"

__thread bool hft_store_is_thread;

static void block_signals(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, old);
}

/* No signal of the program is handled by a thread of the store. */
int hft_store_thread_start(pthread_t *thread, void *(*fn)(void *), void *arg, const char *name)
{
	sigset_t old;
	int err;

	block_signals(&old);
	err = pthread_create(thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return hft_fail(err, "starting %s", name);
	pthread_setname_np(*thread, name);
	return 0;
}

/* Those of io_uring, too, which it makes where a write has to wait. */
void hft_log_store_run_on(struct hft_log_store *store, const cpu_set_t *cpus)
{
	if (store->hasher.runs)
		pthread_setaffinity_np(store->hasher.thread, sizeof(*cpus), cpus);
	if (store->keeper.runs)
		pthread_setaffinity_np(store->keeper.thread, sizeof(*cpus), cpus);
	if (store->packer.runs)
		pthread_setaffinity_np(store->packer.thread, sizeof(*cpus), cpus);
	if (store->uring)
		io_uring_register_iowq_aff(&store->ring, sizeof(*cpus), cpus);
}

void hft_store_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

/* Under the lock, until CLOCK_MONOTONIC @end, ns.  Returns 0 or ETIMEDOUT. */
int hft_store_wait(struct hft_log_store *store, pthread_cond_t *cond, uint64_t end)
{
	const uint64_t most = INT64_MAX;
	const struct timespec until = {
		.tv_sec = (time_t)((end < most ? end : most) / NSEC_PER_SEC),
		.tv_nsec = (long)(end % NSEC_PER_SEC),
	};

	return pthread_cond_timedwait(cond, &store->lock, &until);
}
