/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for moments. */
#ifndef HFT_SPIN_H
#define HFT_SPIN_H

/* To who spins: let the CPU's other thread, and the lock's line, go on. */
static inline void hft_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif /* HFT_SPIN_H */
