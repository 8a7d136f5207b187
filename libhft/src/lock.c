// SPDX-License-Identifier: LGPL-2.1-or-later
/* Waiting for a lock that is held for moments. */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "lock.h"
#include "spin.h"

/* Looks at a lock whose holder runs: longer than any holds it, and shorter than a switch. */
#ifndef LOOKS
#define LOOKS		100
#endif

/* Where the kernel can not lend: a look at the lock, and time for the holder, whoever it is. */
#define NAP_NS		20000

__thread uint32_t hft_tid_self __attribute__((tls_model("initial-exec")));

static void forget_tid(void)
{
	hft_tid_self = 0;
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, forget_tid);
}

uint32_t hft_tid_find(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch_forks);
	hft_tid_self = (uint32_t)syscall(SYS_gettid);
	return hft_tid_self;
}

static bool take(struct hft_lock *lock, uint32_t tid)
{
	uint32_t none = 0;

	return atomic_compare_exchange_strong_explicit(&lock->word, &none, tid,
						       memory_order_acquire, memory_order_relaxed);
}

static bool spin(struct hft_lock *lock, uint32_t tid)
{
	uint32_t i, word;

	for (i = 0; i < LOOKS; i++) {
		word = atomic_load_explicit(&lock->word, memory_order_relaxed);
		if (word & FUTEX_WAITERS)
			return false;
		if (!word && take(lock, tid))
			return true;
		hft_pause();
	}
	return false;
}

/* Somebody has it. */
void hft_lock_slow(struct hft_lock *lock, uint32_t tid)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };

	if (spin(lock, tid))
		return;
	while (syscall(SYS_futex, &lock->word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0)) {
		nanosleep(&nap, NULL);
		if (take(lock, tid))
			return;
	}
	/* Pairs with that of hft_unlock_slow(): it is the kernel that has written the word. */
	atomic_load_explicit(&lock->word, memory_order_acquire);
}

/* Somebody waits: the kernel gives it to the highest. */
void hft_unlock_slow(struct hft_lock *lock)
{
	atomic_fetch_or_explicit(&lock->word, 0, memory_order_release);
	syscall(SYS_futex, &lock->word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
}
