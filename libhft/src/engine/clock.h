/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What hft_now() goes by: clock.c reads it, clock_calibrate.c writes it.
 *
 * A base is a pair (cycles, ns) and the slope from there on.  Between two bases
 * the time is a multiplication; a base that is older than HFT_FRESH_NS is
 * replaced by whoever finds that out.
 *
 * Readers are lock-free: there are two copies of the base, the writer fills the
 * one that is not in use and then turns the sequence, so that a writer that is
 * preempted stops nobody.  Its stores to a copy are releases and the readers'
 * loads acquires: who has seen a word of a newer base sees the sequence that was
 * turned before it, and reads again.  Writers exclude each other by a mutex that
 * a reader only tries.
 */
#ifndef ENGINE_CLOCK_H
#define ENGINE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "../gettime.h"

#define NSEC_PER_SEC	1000000000ULL
#define NSEC_PER_MSEC	1000000ULL

#define HFT_FRESH_NS	(100 * NSEC_PER_MSEC)	/* age of a base at which it is replaced */
#define HFT_SHIFT	36			/* fraction bits of the slopes */

struct hft_base {
	_Atomic uint64_t cycles;
	_Atomic uint64_t ns;
	_Atomic uint64_t ns_per_cycle;
	_Atomic uint64_t cycles_per_ns;
	_Atomic uint64_t fresh;		/* cycles this base is good for; 0: it is none */
} __attribute__((aligned(64)));

_Static_assert(HFT_FRESH_NS < 1ULL << (64 - HFT_SHIFT), "hft_now() multiplies in 64 bits");

struct hft_base_copy {
	uint64_t cycles;
	uint64_t ns;
	uint64_t ns_per_cycle;
	uint64_t cycles_per_ns;
	uint64_t fresh;
};

/* Of the library alone: it is not looked up by its name. */
extern struct hft_bases {
	struct hft_base base[2];
	_Atomic uint32_t sequence;
} hft_bases __attribute__((visibility("hidden")));

#ifdef __x86_64__
static inline uint64_t hft_cycles(void)
{
	return __builtin_ia32_rdtsc();
}
#else
static inline uint64_t hft_cycles(void)
{
	return 0;
}
#endif

static inline uint64_t hft_scale(uint64_t value, uint64_t slope)
{
	return (uint64_t)(((unsigned __int128)value * slope) >> HFT_SHIFT);
}

static inline uint64_t hft_kernel_now(void)
{
	return hft_gettime(CLOCK_MONOTONIC);
}

uint64_t hft_clock_offset(clockid_t id, unsigned int tries, uint64_t *width);

static inline struct hft_base_copy hft_base_read(void)
{
	struct hft_base_copy copy;
	struct hft_base *base;
	uint32_t sequence;

	do {
		sequence = atomic_load_explicit(&hft_bases.sequence, memory_order_acquire);
		base = &hft_bases.base[sequence & 1];
		copy.cycles = atomic_load_explicit(&base->cycles, memory_order_acquire);
		copy.ns = atomic_load_explicit(&base->ns, memory_order_acquire);
		copy.ns_per_cycle = atomic_load_explicit(&base->ns_per_cycle, memory_order_acquire);
		copy.cycles_per_ns = atomic_load_explicit(&base->cycles_per_ns,
							  memory_order_acquire);
		copy.fresh = atomic_load_explicit(&base->fresh, memory_order_acquire);
	} while (sequence != atomic_load_explicit(&hft_bases.sequence, memory_order_relaxed));
	return copy;
}

/* The TSC is not ordered with the loads of the base, and may be some cycles before it. */
static inline uint64_t hft_base_to_ns(const struct hft_base_copy *base, uint64_t cycles)
{
	if ((int64_t)(cycles - base->cycles) < 0)
		return base->ns;
	return base->ns + hft_scale(cycles - base->cycles, base->ns_per_cycle);
}

#endif /* ENGINE_CLOCK_H */
