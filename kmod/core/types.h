/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * What kmod/core needs of its surroundings.  Everything below this folder is
 * freestanding: it calls nothing, allocates nothing, reads no clock and takes no
 * lock, so that the kernel and user space run the same arithmetic.
 */
#ifndef HFT_CORE_TYPES_H
#define HFT_CORE_TYPES_H

#ifdef __KERNEL__

#include <linux/compiler.h>
#include <linux/limits.h>
#include <linux/types.h>

#else

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#ifndef U32_MAX
#define U32_MAX			UINT32_MAX
#endif
#ifndef U64_MAX
#define U64_MAX			UINT64_MAX
#endif
#ifndef likely
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#endif

#endif /* __KERNEL__ */

/* Untorn and unordered, for a word that one side writes and others read. */
static inline u64 hft_load_relaxed(const u64 *p)
{
#ifdef __KERNEL__
	return READ_ONCE(*p);
#else
	return __atomic_load_n(p, __ATOMIC_RELAXED);
#endif
}

static inline void hft_store_relaxed(u64 *p, u64 value)
{
#ifdef __KERNEL__
	WRITE_ONCE(*p, value);
#else
	__atomic_store_n(p, value, __ATOMIC_RELAXED);
#endif
}

#endif /* HFT_CORE_TYPES_H */
