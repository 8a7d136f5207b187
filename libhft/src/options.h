/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the capabilities of the library have in common: options, errors, spinning. */
#ifndef HFT_OPTIONS_H
#define HFT_OPTIONS_H

#include <stddef.h>

/* engine/error.c */
int hft_fail(int err, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* engine/open.c */
int hft_read_opts(void *opts, size_t size, const void *user);

/* To who spins: let the CPU's other thread, and the lock's line, go on. */
static inline void hft_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif /* HFT_OPTIONS_H */
