/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Full fences of hot paths. */
#ifndef HFT_FENCE_H
#define HFT_FENCE_H

#include <stdatomic.h>

/*
 * As atomic_thread_fence() of sequential consistency.  For that compilers have a locked
 * instruction at the top of the stack, behind which a register that was saved there is
 * restored late: no load is served by a locked store that is on its way.
 */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
static inline void hft_fence(void)
{
	__asm__ volatile("lock; addl $0, -64(%%rsp)" : : : "memory", "cc");
}
#else
#define hft_fence()	atomic_thread_fence(memory_order_seq_cst)
#endif

#endif /* HFT_FENCE_H */
