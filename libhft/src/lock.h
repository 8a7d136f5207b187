/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A lock that is held for moments, by threads of any priorities.
 *
 * Who waits spins for a while, as the holder runs on another CPU.  If it does not, and has
 * a lower priority than something that does, no spinning lets it go on: then it is lent
 * the waiter's, by the kernel: futex(2), "Priority-inheritance futexes".  Without a waiter
 * there is no system call.  Of a simulated machine the threads are one here: they must not
 * wait with a lock.
 */
#ifndef HFT_LOCK_H
#define HFT_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

/**
 * struct hft_lock - a lock; of zeroes it is nobody's
 * @word: thread id of the holder, and FUTEX_WAITERS
 */
struct hft_lock {
	_Atomic uint32_t word;
};

/* lock.c */
extern __thread uint32_t hft_tid_self __attribute__((tls_model("initial-exec")));

uint32_t hft_tid_find(void);
void hft_lock_slow(struct hft_lock *lock, uint32_t tid);
void hft_unlock_slow(struct hft_lock *lock);

/* The calling thread's id. */
static inline uint32_t hft_tid(void)
{
	uint32_t tid = hft_tid_self;

	return __builtin_expect(!!tid, 1) ? tid : hft_tid_find();
}

static inline void hft_lock(struct hft_lock *lock)
{
	uint32_t none = 0, tid = hft_tid();

	if (__builtin_expect(!atomic_compare_exchange_strong_explicit(&lock->word, &none, tid,
								      memory_order_acquire,
								      memory_order_relaxed), 0))
		hft_lock_slow(lock, tid);
}

static inline void hft_unlock(struct hft_lock *lock)
{
	uint32_t tid = hft_tid_self;

	if (__builtin_expect(!atomic_compare_exchange_strong_explicit(&lock->word, &tid, 0,
								      memory_order_release,
								      memory_order_relaxed), 0))
		hft_unlock_slow(lock);
}

#endif /* HFT_LOCK_H */
