// SPDX-License-Identifier: LGPL-2.1-or-later
/* CLOCK_MONOTONIC from the TSC: what time it is, and waiting for one. */
#include "clock.h"
#include "internal.h"

#define HFT_ROOM_NS	3000ULL			/* a wait as long as this has room to refresh */
#define HFT_OLD		10			/* times its freshness: no base to go by */

struct hft_bases hft_bases;

/* Rounded up: at the returned count @when has come. */
static uint64_t hft_base_to_cycles(const struct hft_base_copy *base, uint64_t when)
{
	if (when <= base->ns)
		return base->cycles;
	return base->cycles + hft_scale(when - base->ns, base->cycles_per_ns) + 1;
}

static bool hft_base_is_old(const struct hft_base_copy *base, uint64_t times)
{
	int64_t age = (int64_t)(hft_cycles() - base->cycles);

	return age > 0 && (uint64_t)age > base->fresh * times;
}

static __attribute__((noinline, cold)) uint64_t hft_now_slow(void)
{
	struct hft_base_copy base;

	hft_clock_maintain();
	base = hft_base_read();
	/* The thread that should renew it may be kept from the CPU, or in our parent process. */
	if (!base.fresh || hft_base_is_old(&base, HFT_OLD))
		return hft_kernel_now();
	return hft_base_to_ns(&base, hft_cycles());
}

/**
 * hft_now() - the time
 *
 * CLOCK_MONOTONIC, by the TSC where the kernel's clock runs on it: see
 * hft_clock_is_tsc().  Within some ns of what clock_gettime() says; up to 50 us
 * for 0.1 s when the clock begins to be slewed.  Not ordered with the loads and
 * stores around it.
 *
 * Return: nanoseconds.  Any thread, in signal handlers too; lock-free.  Does not
 * block; enters the kernel ten times a second at most, and not in a thread that
 * finds another at it.  The first call of all reads a file in /sys.
 */
HFT_API uint64_t hft_now(void)
{
	struct hft_base_copy copy;
	struct hft_base *base;
	uint32_t sequence;

	if (__builtin_expect(hft_sim_current != NULL, 0))
		return hft_sim_virtual_now(hft_sim_current);
	/* As hft_base_read(), without the load that is not needed here. */
	do {
		sequence = atomic_load_explicit(&hft_bases.sequence, memory_order_acquire);
		base = &hft_bases.base[sequence & 1];
		copy.cycles = atomic_load_explicit(&base->cycles, memory_order_acquire);
		copy.ns = atomic_load_explicit(&base->ns, memory_order_acquire);
		copy.ns_per_cycle = atomic_load_explicit(&base->ns_per_cycle, memory_order_acquire);
		copy.fresh = atomic_load_explicit(&base->fresh, memory_order_acquire);
	} while (sequence != atomic_load_explicit(&hft_bases.sequence, memory_order_relaxed));

	copy.cycles = hft_cycles() - copy.cycles;
	if (__builtin_expect(copy.cycles >= copy.fresh, 0))
		return hft_now_slow();
	/* HFT_FRESH_NS, and so the product, leaves room for HFT_SHIFT in 64 bits. */
	return copy.ns + (copy.cycles * copy.ns_per_cycle >> HFT_SHIFT);
}

/**
 * hft_clock_offset() - what lies between CLOCK_MONOTONIC and another clock
 * @id: the other
 * @tries: readings, of which the closest counts: who is interrupted in one has others
 * @width: out: for how long that took, ns
 *
 * The other clock is read after the one reading of CLOCK_MONOTONIC and before the next: the
 * offset is what is answered, or less by up to @width; by half of that on the mean.
 *
 * Return: the offset from the first of the two, ns.
 */
uint64_t hft_clock_offset(clockid_t id, unsigned int tries, uint64_t *width)
{
	uint64_t offset = 0;

	*width = UINT64_MAX;
	while (tries--) {
		uint64_t before = hft_kernel_now();
		uint64_t time = hft_gettime(id);
		uint64_t took = hft_kernel_now() - before;

		if (took >= *width)
			continue;
		*width = took;
		offset = time - before;
	}
	return offset;
}

/* By which the TSC is the clock; 0: it is not. */
static inline uint64_t hft_slope_now(void)
{
	uint32_t sequence = atomic_load_explicit(&hft_bases.sequence, memory_order_acquire);

	return atomic_load_explicit(&hft_bases.base[sequence & 1].ns_per_cycle,
				    memory_order_relaxed);
}

/* When something begins, for hft_mark_ns(). */
struct hft_mark hft_mark_now(void)
{
	if (__builtin_expect(!hft_slope_now() || hft_sim_current, 0))
		return (struct hft_mark){ .ns = hft_now() };
	return (struct hft_mark){ .cycles = hft_cycles() };
}

/* How long ago that was; 0 if the TSC is not the clock any more. */
uint64_t hft_mark_ns(struct hft_mark mark)
{
	int64_t cycles = (int64_t)(hft_cycles() - mark.cycles);

	if (__builtin_expect(mark.ns, 0))
		return hft_now() - mark.ns;
	return cycles > 0 ? hft_scale((uint64_t)cycles, hft_slope_now()) : 0;
}

/* As hft_now(), for who is short of time: what is due to be renewed is not. */
uint64_t hft_now_in_haste(void)
{
	struct hft_base_copy base = hft_base_read();

	if (!base.fresh || hft_base_is_old(&base, HFT_OLD))
		return hft_now();
	return hft_base_to_ns(&base, hft_cycles());
}

static uint64_t hft_spin_by_kernel(uint64_t when)
{
	uint64_t now;

	do
		now = hft_kernel_now();
	while (now < when);
	return now;
}

static inline uint64_t hft_spin_cycles(uint64_t until)
{
	uint64_t now;

	do
		now = hft_cycles();
	while (now < until);
	return now;
}

/*
 * The base to spin by: renewed while there is room for that, or when it is so old
 * that it would be off by more than a renewal costs.
 */
static struct hft_base_copy hft_spin_base(uint64_t when)
{
	struct hft_base_copy base = hft_base_read();

	while (base.fresh) {
		bool room = when > hft_base_to_ns(&base, hft_cycles()) + HFT_ROOM_NS;

		if (hft_base_is_old(&base, room ? 1 : HFT_OLD)) {
			hft_clock_maintain();
			base = hft_base_read();
			if (hft_base_is_old(&base, 1))
				break;		/* another thread is at it */
		} else if (room && hft_base_to_cycles(&base, when) > base.cycles + base.fresh) {
			hft_spin_cycles(base.cycles + base.fresh + 1);
		} else {
			break;
		}
	}
	return base;
}

/* A wait beyond what the base is good for, or a base that is none or old. */
static __attribute__((noinline)) uint64_t hft_spin_slow(uint64_t when)
{
	struct hft_base_copy base = hft_spin_base(when);
	uint64_t now;

	if (!base.fresh || hft_base_is_old(&base, HFT_OLD)) {
		hft_clock_maintain();
		return hft_spin_by_kernel(when);
	}
	now = hft_base_to_ns(&base, hft_spin_cycles(hft_base_to_cycles(&base, when)));
	return now > when ? now : when;
}

/**
 * hft_spin_until() - wait for a time without sleeping
 * @when: CLOCK_MONOTONIC, ns; a time that has passed is no wait
 *
 * The time is converted to the TSC once; then a loop of five instructions
 * compares.  Where hft_clock_is_tsc() is false, it spins by clock_gettime().
 *
 * Return: the time at which the loop ended: never before @when.  Any thread;
 * does not enter the kernel for waits below 3 us, for longer ones as hft_now()
 * does.  Keeps the CPU busy, at the thread's own priority, all the time.
 */
HFT_API uint64_t hft_spin_until(uint64_t when)
{
	struct hft_base_copy base = hft_base_read();
	uint64_t age = hft_cycles() - base.cycles;
	uint64_t until, now;

	if (__builtin_expect(hft_sim_current != NULL, 0))
		return hft_sim_virtual_spin(hft_sim_current, when);

	/* The last also tells a time before the base. */
	if (__builtin_expect(age >= base.fresh || when - base.ns >= HFT_FRESH_NS, 0))
		return hft_spin_slow(when);
	until = base.cycles + hft_scale(when - base.ns, base.cycles_per_ns) + 1;
	now = hft_spin_cycles(until);
	return when + hft_scale(now - until, base.ns_per_cycle);
}
