// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * CLOCK_MONOTONIC by the TSC.
 *
 * The module reads counter and clock at one instant (HFT_IOC_CLOCK), so a line
 * through two such points is exact to a nanosecond at both ends and drifts from
 * the kernel's clock only as fast as NTP changes its rate, at most 500 ppm.  It is
 * renewed when it is older than a tenth of a second, outside the spin, and given
 * up for clock_gettime() as soon as the kernel's counter is not the TSC.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "internal.h"

#define HFT_CLOCKSOURCE \
	"/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define HFT_CALIBRATE_NS	10000000
#define HFT_RENEW_NS		100000000
#define HFT_SCALE		32	/* bits after the point of the factors */

/*
 * A line through (@cycles, @ns).  Written under the mutex and published by @seq,
 * which is odd meanwhile; readers retry.
 */
static struct {
	atomic_uint seq;
	atomic_bool tsc;
	_Atomic uint64_t cycles;
	_Atomic uint64_t ns;
	_Atomic uint64_t ns_per_cycle;
	_Atomic uint64_t cycles_per_ns;
	_Atomic uint64_t renew_cycles;	/* after so many */

	pthread_mutex_t mutex;
	unsigned int users;
	int fd;
	struct hft_clock_pair last;
} hft_clock = { .mutex = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

static inline uint64_t hft_cycles(void)
{
#if defined(__x86_64__)
	return __rdtsc();
#else
	return 0;
#endif
}

static inline uint64_t hft_scale(uint64_t value, uint64_t factor)
{
	return (uint64_t)(((unsigned __int128)value * factor) >> HFT_SCALE);
}

/* The same of a difference that is negative when another thread renewed meanwhile. */
static inline uint64_t hft_scale_signed(int64_t value, uint64_t factor)
{
	return (uint64_t)(((__int128)value * (int64_t)factor) >> HFT_SCALE);
}

static uint64_t hft_now_slow(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline uint64_t hft_line_ns(uint64_t cycles)
{
	uint64_t ns;
	unsigned int seq;

	do {
		seq = atomic_load_explicit(&hft_clock.seq, memory_order_acquire);
		ns = atomic_load_explicit(&hft_clock.ns, memory_order_relaxed) +
		     hft_scale_signed((int64_t)(cycles -
						atomic_load_explicit(&hft_clock.cycles,
								     memory_order_relaxed)),
				      atomic_load_explicit(&hft_clock.ns_per_cycle,
							   memory_order_relaxed));
		atomic_thread_fence(memory_order_acquire);
	} while (__builtin_expect((seq & 1) || seq != atomic_load_explicit(&hft_clock.seq,
							memory_order_relaxed), 0));
	return ns;
}

/* The cycle at which the line reaches @when; now, if it has. */
static uint64_t hft_line_cycles(uint64_t when)
{
	uint64_t cycles, ns, factor;
	unsigned int seq;

	do {
		seq = atomic_load_explicit(&hft_clock.seq, memory_order_acquire);
		cycles = atomic_load_explicit(&hft_clock.cycles, memory_order_relaxed);
		ns = atomic_load_explicit(&hft_clock.ns, memory_order_relaxed);
		factor = atomic_load_explicit(&hft_clock.cycles_per_ns, memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
	} while ((seq & 1) || seq != atomic_load_explicit(&hft_clock.seq, memory_order_relaxed));

	/* Up: the line must not be before @when there. */
	return when > ns ? cycles + hft_scale(when - ns, factor) + 1 : 0;
}

/* Read a pair, and check that its counter is the TSC: it lies between two reads of it. */
static int hft_clock_read(struct hft_clock_pair *pair)
{
	uint64_t before = hft_cycles();

	memset(pair, 0, sizeof(*pair));
	if (ioctl(hft_clock.fd, HFT_IOC_CLOCK, pair))
		return -errno;
	if (pair->cycles < before || pair->cycles > hft_cycles())
		return -ENODEV;
	return 0;
}

static bool hft_clocksource_is_tsc(void)
{
	char name[16] = "";
	FILE *file = fopen(HFT_CLOCKSOURCE, "re");

	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = '\0';
	fclose(file);
	return !strcmp(name, "tsc\n");
}

/*
 * Lay the line through @last and @pair.  It must not step back where it was ahead
 * of the kernel's clock: there it goes on from where it was, a little slower.
 */
static void hft_clock_set_line(const struct hft_clock_pair *pair)
{
	uint64_t span_cycles = pair->cycles - hft_clock.last.cycles;
	uint64_t span_ns = pair->monotonic - hft_clock.last.monotonic;
	uint64_t ns_per_cycle = (uint64_t)(((unsigned __int128)span_ns << HFT_SCALE) / span_cycles);
	uint64_t ns = pair->monotonic;
	uint64_t ahead = 0;

	if (atomic_load(&hft_clock.tsc)) {
		uint64_t reached = hft_line_ns(pair->cycles);

		ahead = reached > ns && reached - ns < HFT_RENEW_NS / 2 ? reached - ns : 0;
	}
	ns += ahead;
	ns_per_cycle -= hft_scale(ns_per_cycle, (ahead << HFT_SCALE) / HFT_RENEW_NS);

	atomic_fetch_add_explicit(&hft_clock.seq, 1, memory_order_acq_rel);
	atomic_store_explicit(&hft_clock.cycles, pair->cycles, memory_order_relaxed);
	atomic_store_explicit(&hft_clock.ns, ns, memory_order_relaxed);
	atomic_store_explicit(&hft_clock.ns_per_cycle, ns_per_cycle, memory_order_relaxed);
	atomic_store_explicit(&hft_clock.cycles_per_ns,
			      (uint64_t)((((unsigned __int128)1) << (2 * HFT_SCALE)) / ns_per_cycle),
			      memory_order_relaxed);
	atomic_store_explicit(&hft_clock.renew_cycles,
			      (uint64_t)(((unsigned __int128)HFT_RENEW_NS << HFT_SCALE) / ns_per_cycle),
			      memory_order_relaxed);
	atomic_fetch_add_explicit(&hft_clock.seq, 1, memory_order_release);
	hft_clock.last = *pair;
}

static void hft_clock_renew(void)
{
	struct hft_clock_pair pair;

	if (pthread_mutex_trylock(&hft_clock.mutex))
		return;
	if (hft_clock.fd >= 0 && atomic_load(&hft_clock.tsc)) {
		if (hft_clock_read(&pair))
			atomic_store(&hft_clock.tsc, false);
		else if (pair.cycles - hft_clock.last.cycles >
			 atomic_load(&hft_clock.renew_cycles) / 2)
			hft_clock_set_line(&pair);
	}
	pthread_mutex_unlock(&hft_clock.mutex);
}

/* Renew the line if it is old.  Not for the time between a wake-up and a release. */
void hft_clock_maintain(void)
{
	uint64_t age;

	if (!atomic_load_explicit(&hft_clock.tsc, memory_order_relaxed))
		return;
	age = hft_cycles() - atomic_load_explicit(&hft_clock.cycles, memory_order_relaxed);
	if (age > atomic_load_explicit(&hft_clock.renew_cycles, memory_order_relaxed))
		hft_clock_renew();
}

static void hft_clock_calibrate(void)
{
	struct timespec pause = { .tv_nsec = HFT_CALIBRATE_NS };
	struct hft_clock_pair pair;

	if (!hft_clocksource_is_tsc() || hft_clock_read(&hft_clock.last))
		return;
	while (nanosleep(&pause, &pause) && errno == EINTR)
		;
	if (hft_clock_read(&pair) || pair.cycles <= hft_clock.last.cycles ||
	    pair.monotonic <= hft_clock.last.monotonic)
		return;
	hft_clock_set_line(&pair);
	atomic_store(&hft_clock.tsc, true);
}

/* The process's first handle calibrates; the clock has a descriptor of its own. */
int hft_clock_open(const char *device)
{
	int err = 0;

	pthread_mutex_lock(&hft_clock.mutex);
	if (!hft_clock.users) {
		hft_clock.fd = open(device, O_RDWR | O_CLOEXEC);
		if (hft_clock.fd < 0)
			err = hft_fail(errno, "open %s for its clock", device);
		else
			hft_clock_calibrate();
	}
	if (!err)
		hft_clock.users++;
	pthread_mutex_unlock(&hft_clock.mutex);
	return err;
}

void hft_clock_close(void)
{
	pthread_mutex_lock(&hft_clock.mutex);
	if (!--hft_clock.users) {
		atomic_store(&hft_clock.tsc, false);
		close(hft_clock.fd);
		hft_clock.fd = -1;
	}
	pthread_mutex_unlock(&hft_clock.mutex);
}

/**
 * hft_clock_is_tsc() - does hft_now() read the TSC?
 *
 * False before the first hft_open(), after the last hft_close(), and where the
 * kernel's clock does not run on the TSC; hft_now() is clock_gettime() then.
 */
HFT_API bool hft_clock_is_tsc(void)
{
	return atomic_load(&hft_clock.tsc);
}

/**
 * hft_now() - read CLOCK_MONOTONIC
 *
 * Within some nanoseconds of the kernel's clock, and never backwards in a thread
 * while the clock is the TSC.  Any thread; wait-free but for a renewal going on in
 * another; enters the kernel ten times a second, to renew the line.
 *
 * Return: nanoseconds.
 */
HFT_API uint64_t hft_now(void)
{
	uint64_t cycles;

	if (__builtin_expect(!atomic_load_explicit(&hft_clock.tsc, memory_order_relaxed), 0))
		return hft_now_slow();
	cycles = hft_cycles();
	if (__builtin_expect(cycles - atomic_load_explicit(&hft_clock.cycles,
							   memory_order_relaxed) >
			     atomic_load_explicit(&hft_clock.renew_cycles,
						  memory_order_relaxed), 0)) {
		hft_clock_renew();
		return hft_now_slow();
	}
	return hft_line_ns(cycles);
}

/**
 * hft_spin_until() - spin until a time
 * @when: CLOCK_MONOTONIC
 *
 * A loop of five instructions on the TSC, without a pause: it would cost more
 * than the precision that this is for.  Any thread; does not enter the kernel.
 *
 * Return: the time at the end, at or after @when.
 */
HFT_API uint64_t hft_spin_until(uint64_t when)
{
	uint64_t until, cycles, now;

	if (__builtin_expect(!atomic_load_explicit(&hft_clock.tsc, memory_order_relaxed), 0)) {
		do {
			now = hft_now_slow();
		} while (now < when);
		return now;
	}

	until = hft_line_cycles(when);
	do {
		do {
			cycles = hft_cycles();
		} while (cycles < until);
		now = hft_line_ns(cycles);
	} while (now < when);
	return now;
}
