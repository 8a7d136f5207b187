/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locks that are held for moments, and waiting for them. */
#ifndef HFT_SPIN_H
#define HFT_SPIN_H

#include <stdatomic.h>

/* To who spins: let the CPU's other thread, and the lock's line, go on. */
static inline void hft_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static inline void hft_spin_lock(atomic_flag *lock)
{
	while (atomic_flag_test_and_set_explicit(lock, memory_order_acquire))
		hft_pause();
}

static inline void hft_spin_unlock(atomic_flag *lock)
{
	atomic_flag_clear_explicit(lock, memory_order_release);
}

#endif /* HFT_SPIN_H */
