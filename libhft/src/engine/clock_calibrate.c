// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The bases that hft_now() goes by: made of pairs of cycles and ns, and doubted.
 *
 * Pairs come from HFT_IOC_CLOCK where a context is open: exact, from inside the
 * timekeeper, and known to be of the TSC by two reads of it around the call.
 * Else from clock_gettime() between two reads of the TSC, which leaves the
 * distance of the two in doubt.  A new base does not step back over the old one;
 * the slope takes the difference out before the next.
 *
 * hft_now() goes by clock_gettime() until two pairs are HFT_SLOPE_NS apart, and
 * for good when the TSC is not what the kernel's clock runs on: by a look at the
 * clocksource, a pair that does not fit, or a notice of the module.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "internal.h"

#define HFT_SLOPE_NS	(20 * NSEC_PER_MSEC)	/* least distance of the pairs of a slope */
#define HFT_WINDOW_NS	NSEC_PER_SEC		/* wanted distance of the pairs of a slope */
#define HFT_STEP_NS	NSEC_PER_MSEC		/* more than this is not slewed away, but stepped */
#define HFT_DOUBT_NS	2000ULL			/* a larger error is a change of the counter */
#define HFT_MAX_DOUBTS	3
#define HFT_TRIES	5

enum hft_clock_state {
	HFT_CLOCK_NEW,			/* nothing known yet */
	HFT_CLOCK_ONE_PAIR,		/* the second pair is to come */
	HFT_CLOCK_TSC,
	HFT_CLOCK_KERNEL,		/* the TSC is not to be trusted */
};

struct hft_pair {
	uint64_t cycles;
	uint64_t ns;
	uint64_t doubt;			/* ns may be off by that */
};

static _Atomic int clock_state;
static _Atomic uint64_t clock_second_ns;	/* when to read the second pair */
static atomic_bool clock_distrusted;		/* the module has said that the TSC is no good */

/* Under this: what follows, and writing to hft_bases. */
static pthread_mutex_t clock_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int clock_users;
static int clock_fd = -1;
static unsigned int clock_doubts;
static struct hft_pair anchor;		/* the slope is measured from here */
static struct hft_pair middle;		/* the next anchor */

static uint64_t hft_slope(uint64_t value, uint64_t per)
{
	return (uint64_t)(((unsigned __int128)value << HFT_SHIFT) / per);
}

static void hft_base_write(const struct hft_base_copy *copy)
{
	uint32_t sequence = atomic_load_explicit(&hft_bases.sequence, memory_order_relaxed) + 1;
	struct hft_base *base = &hft_bases.base[sequence & 1];

	atomic_store_explicit(&base->cycles, copy->cycles, memory_order_release);
	atomic_store_explicit(&base->ns, copy->ns, memory_order_release);
	atomic_store_explicit(&base->ns_per_cycle, copy->ns_per_cycle, memory_order_release);
	atomic_store_explicit(&base->cycles_per_ns, copy->cycles_per_ns, memory_order_release);
	atomic_store_explicit(&base->fresh, copy->fresh, memory_order_release);
	atomic_store_explicit(&hft_bases.sequence, sequence, memory_order_release);
}

static void hft_set_state(enum hft_clock_state state)
{
	static const struct hft_base_copy none;

	if (atomic_load(&clock_distrusted))
		state = HFT_CLOCK_KERNEL;
	if (state != HFT_CLOCK_TSC)
		hft_base_write(&none);
	atomic_store_explicit(&clock_state, state, memory_order_release);
}

/* Leave the lock, with what the module has said meanwhile. */
static void hft_clock_unlock(void)
{
	pthread_mutex_unlock(&clock_lock);
	while (atomic_load(&clock_distrusted) &&
	       atomic_load_explicit(&clock_state, memory_order_relaxed) != HFT_CLOCK_KERNEL &&
	       !pthread_mutex_trylock(&clock_lock)) {
		hft_set_state(HFT_CLOCK_KERNEL);
		pthread_mutex_unlock(&clock_lock);
	}
}

static bool hft_clocksource_is_tsc(void)
{
	/* Not by stdio: a signal handler may be asking. */
	int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		      O_RDONLY | O_CLOEXEC);
	char name[32];
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, name, sizeof(name));
	close(fd);
	return length == 4 && !memcmp(name, "tsc\n", 4);
}

static bool hft_pair_from_device(struct hft_pair *pair)
{
	uint64_t before = hft_cycles();
	struct hft_clock_pair clock;

	if (ioctl(clock_fd, HFT_IOC_CLOCK, &clock))
		return false;
	if (clock.cycles < before || clock.cycles > hft_cycles())
		return false;
	pair->cycles = clock.cycles;
	pair->ns = clock.monotonic;
	pair->doubt = 1;
	return true;
}

/* The narrowest of some tries: an interrupt may be between the two reads of the TSC. */
static bool hft_pair_from_kernel(struct hft_pair *pair)
{
	uint64_t best = UINT64_MAX;
	int i;

	for (i = 0; i < HFT_TRIES; i++) {
		uint64_t before = hft_cycles();
		uint64_t ns = hft_kernel_now();
		uint64_t width = hft_cycles() - before;

		if (width >= best)
			continue;
		best = width;
		pair->cycles = before + width / 2;
		pair->ns = ns;
	}
	/* Half of the width in cycles is more than it is in ns, where 1 GHz is the least. */
	pair->doubt = best / 2 + 1;
	return true;
}

static bool hft_pair_read(struct hft_pair *pair)
{
	return clock_fd >= 0 ? hft_pair_from_device(pair) : hft_pair_from_kernel(pair);
}

/* Start again from a pair: the second one has to come. */
static void hft_clock_restart(const struct hft_pair *pair)
{
	anchor = *pair;
	middle = *pair;
	atomic_store_explicit(&clock_second_ns, pair->ns + HFT_SLOPE_NS, memory_order_relaxed);
	hft_set_state(HFT_CLOCK_ONE_PAIR);
}

/* The TSC and the clock have parted: it was reset, or is not what we think. */
static void hft_clock_doubt(const struct hft_pair *pair)
{
	if (++clock_doubts < HFT_MAX_DOUBTS && hft_clocksource_is_tsc())
		hft_clock_restart(pair);
	else
		hft_set_state(HFT_CLOCK_KERNEL);
}

static void hft_base_make(const struct hft_pair *pair, const struct hft_base_copy *old)
{
	uint64_t cycles = pair->cycles - anchor.cycles;
	uint64_t ns = pair->ns - anchor.ns;
	struct hft_base_copy base = {
		.cycles = pair->cycles,
		.ns = pair->ns,
		.cycles_per_ns = hft_slope(cycles, ns),
	};
	uint64_t ahead = 0;

	base.fresh = hft_scale(HFT_FRESH_NS, base.cycles_per_ns);
	if (old->fresh) {
		uint64_t expected = hft_base_to_ns(old, pair->cycles);

		/* Within the doubt the old base is as good; before it time has not been. */
		if (expected + pair->doubt >= pair->ns && expected < pair->ns + HFT_STEP_NS)
			base.ns = expected;
		ahead = base.ns > pair->ns ? base.ns - pair->ns : 0;
	}
	/* Be level with the clock by the time of the next base. */
	base.ns_per_cycle = hft_slope(ns, cycles);
	base.ns_per_cycle -= hft_slope(ahead, base.fresh);
	base.cycles_per_ns = hft_slope(1ULL << HFT_SHIFT, base.ns_per_cycle);
	hft_base_write(&base);

	if (pair->ns - middle.ns >= HFT_WINDOW_NS) {
		anchor = middle;
		middle = *pair;
	}
}

static bool hft_pair_fits(const struct hft_pair *pair, const struct hft_base_copy *old)
{
	uint64_t limit, expected;

	if (pair->cycles <= anchor.cycles || pair->ns <= anchor.ns)
		return false;
	if (!old->fresh)
		return true;
	if (pair->cycles <= old->cycles)
		return false;
	/* NTP slews by up to 500 ppm: 1000 is what two slopes may differ by. */
	limit = HFT_DOUBT_NS + pair->doubt + (pair->ns - old->ns) / 1000;
	expected = hft_base_to_ns(old, pair->cycles);
	return expected + limit >= pair->ns && expected <= pair->ns + limit;
}

/* Called with the lock. */
static void hft_clock_update(void)
{
	struct hft_base_copy old = hft_base_read();
	int state = atomic_load_explicit(&clock_state, memory_order_relaxed);
	struct hft_pair pair;

	if (state == HFT_CLOCK_KERNEL)
		return;
	if (state == HFT_CLOCK_NEW && !hft_clocksource_is_tsc()) {
		hft_set_state(HFT_CLOCK_KERNEL);
		return;
	}
	if (!hft_pair_read(&pair)) {
		hft_set_state(HFT_CLOCK_KERNEL);
		return;
	}
	if (state == HFT_CLOCK_NEW) {
		hft_clock_restart(&pair);
		return;
	}
	if (!hft_pair_fits(&pair, &old)) {
		hft_clock_doubt(&pair);
		return;
	}
	if (pair.ns - anchor.ns < HFT_SLOPE_NS)
		return;
	hft_base_make(&pair, &old);
	hft_set_state(HFT_CLOCK_TSC);
}

/* Is there anything to do for who gets the lock? */
static bool hft_clock_due(void)
{
	struct hft_base_copy base;

	switch (atomic_load_explicit(&clock_state, memory_order_acquire)) {
	case HFT_CLOCK_TSC:
		base = hft_base_read();
		return hft_cycles() - base.cycles > base.fresh;
	case HFT_CLOCK_ONE_PAIR:
		return hft_kernel_now() >= atomic_load_explicit(&clock_second_ns,
								memory_order_relaxed);
	case HFT_CLOCK_KERNEL:
		return false;
	default:
		return true;
	}
}

/* Re-synchronise if that is due.  Not for the time between a wake-up and a release. */
void hft_clock_maintain(void)
{
	int saved;

	if (!hft_clock_due() || pthread_mutex_trylock(&clock_lock))
		return;
	saved = errno;
	/* Again: another thread may have done it meanwhile. */
	if (hft_clock_due())
		hft_clock_update();
	hft_clock_unlock();
	errno = saved;
}

/* Called with the lock.  Blocks for HFT_SLOPE_NS. */
static void hft_clock_calibrate(void)
{
	struct timespec pause = { .tv_nsec = HFT_SLOPE_NS };
	struct hft_pair pair;

	/* Pairs of another kind than those before: a slope is not taken across. */
	clock_doubts = 0;
	atomic_store(&clock_distrusted, false);
	if (!hft_clocksource_is_tsc() || !hft_pair_read(&pair)) {
		hft_set_state(HFT_CLOCK_KERNEL);
		return;
	}
	hft_clock_restart(&pair);
	while (nanosleep(&pause, &pause) && errno == EINTR)
		;
	hft_clock_update();
}

/* Called with the lock. */
static int hft_clock_open_device(const char *device)
{
	clock_fd = open(device, O_RDWR | O_CLOEXEC);
	return clock_fd < 0 ? hft_fail(errno, "open %s for its clock", device) : 0;
}

/*
 * The first handle calibrates, and the first with a device does again; the clock has a
 * descriptor of its own.  @device may be NULL.
 */
int hft_clock_open(const char *device)
{
	bool have_device;
	int err = 0;

	pthread_mutex_lock(&clock_lock);
	have_device = clock_fd >= 0;
	if (device && !have_device)
		err = hft_clock_open_device(device);
	if (!err && (!clock_users || have_device != (clock_fd >= 0)))
		hft_clock_calibrate();
	if (!err)
		clock_users++;
	hft_clock_unlock();
	return err;
}

void hft_clock_close(void)
{
	pthread_mutex_lock(&clock_lock);
	if (!--clock_users && clock_fd >= 0) {
		close(clock_fd);
		clock_fd = -1;
	}
	hft_clock_unlock();
}

/* The module's notice: leave the TSC at once, also where another thread has the lock. */
void hft_clock_fault(const struct hft_event *notice)
{
	if (notice->result != HFT_FAULT_CLOCKSOURCE && notice->result != HFT_FAULT_TSC)
		return;
	atomic_store(&clock_distrusted, true);
	if (pthread_mutex_trylock(&clock_lock))
		return;			/* who has it sees to that when it leaves */
	hft_set_state(HFT_CLOCK_KERNEL);
	hft_clock_unlock();
}

/**
 * hft_clock_is_tsc() - does hft_now() read the TSC?
 *
 * False before the clock is calibrated, which hft_open() does, and where the
 * kernel's clocksource is not "tsc", or was not at some time: a change is noticed
 * within 0.1 s where the time is asked for, and at once where a monitor ring is read.
 * hft_stats.tsc says the same.
 *
 * Return: true or false.  Any thread, wait-free, no system call.
 */
HFT_API bool hft_clock_is_tsc(void)
{
	return atomic_load_explicit(&clock_state, memory_order_acquire) == HFT_CLOCK_TSC;
}
