/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * What kmod/core needs of its surroundings.  Everything below this folder is
 * freestanding: it calls nothing, allocates nothing, reads no clock and takes no
 * lock, so that the kernel and user space run the same arithmetic.
 */
#ifndef HFT_CORE_TYPES_H
#define HFT_CORE_TYPES_H

#ifdef __KERNEL__

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/types.h>

#else /* the kernel's names, with the meaning they have there */

#include <errno.h>
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
#ifndef S32_MAX
#define S32_MAX			INT32_MAX
#endif
#ifndef likely
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#endif

#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define GENMASK(h, l)		(((2UL << (h)) - 1) & ~((1UL << (l)) - 1))
#define GENMASK_ULL(h, l)	(((2ULL << (h)) - 1) & ~((1ULL << (l)) - 1))
#define lower_32_bits(n)	((u32)(n))
#define upper_32_bits(n)	((u32)((u64)(n) >> 32))
#define array_index_nospec(index, size)	(index)
#define ____cacheline_aligned	__attribute__((aligned(64)))
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#define ERR_PTR(err)		((void *)(intptr_t)(err))
#define PTR_ERR(ptr)		((long)(intptr_t)(ptr))
#define IS_ERR(ptr)		((uintptr_t)(ptr) >= (uintptr_t)-4095)

/* To the compiler it may be anything from here on. */
#define OPTIMIZER_HIDE_VAR(var)	__asm__("" : "+r" (var))

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, value)	__atomic_store_n(&(x), value, __ATOMIC_RELAXED)
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define smp_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_wmb()		__atomic_thread_fence(__ATOMIC_RELEASE)

typedef struct {
	s64 counter;
} atomic64_t;

static inline s64 atomic64_read(const atomic64_t *v)
{
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);
}

static inline void atomic64_set(atomic64_t *v, s64 value)
{
	__atomic_store_n(&v->counter, value, __ATOMIC_RELAXED);
}

static inline bool atomic64_try_cmpxchg_acquire(atomic64_t *v, s64 *old, s64 value)
{
	return __atomic_compare_exchange_n(&v->counter, old, value, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static inline bool atomic64_try_cmpxchg_release(atomic64_t *v, s64 *old, s64 value)
{
	return __atomic_compare_exchange_n(&v->counter, old, value, false, __ATOMIC_RELEASE,
					   __ATOMIC_RELAXED);
}

#endif /* __KERNEL__ */

/* What is seldom called, by code that is to be short. */
#define __hft_slow_path		__attribute__((__noinline__, __cold__, __unused__))

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

/*
 * For a word of which the caller is the only writer: one instruction, if there is one.  Of a
 * word that each call changes a load and a store are faster, since one waits for the other.
 */
static inline void hft_add_relaxed(u64 *p, u64 more)
{
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	__asm__("addq %1, %0" : "+m" (*p) : "er" (more) : "cc");
#else
	hft_store_relaxed(p, hft_load_relaxed(p) + more);
#endif
}

#endif /* HFT_CORE_TYPES_H */
