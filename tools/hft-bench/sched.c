// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * All instructions that a task costs its CPU.  A thread of the lowest priority
 * counts what is left of the CPU: what it does not get while tasks run, beyond
 * what it does not get without them, the tasks cost.  Under icount a nanosecond
 * is an instruction.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "bench.h"

#define TASKS		2000
#define RATE_HZ		10000
#define INSN_PER_LOOP	3

static uint64_t loops;
static uint8_t stop;

static void *count_rest(void *arg)
{
	const struct sched_param param = { 0 };

	if (sched_setscheduler(0, SCHED_IDLE, &param))
		return arg;
	/* In assembly, since it is the instructions that are counted. */
	__asm__ volatile("1: incq %0\n\tcmpb $0, %1\n\tje 1b" : "+m" (loops) : "m" (stop));
	return arg;
}

/* Instructions that were not the counting thread's, since the window was opened. */
struct window {
	uint64_t start;
	uint64_t loops;
};

static struct window window_open(void)
{
	struct window w = {
		.start = hft_now(),
		.loops = __atomic_load_n(&loops, __ATOMIC_RELAXED),
	};

	return w;
}

static double window_used(const struct window *w, double *length)
{
	uint64_t rest = (__atomic_load_n(&loops, __ATOMIC_RELAXED) - w->loops) * INSN_PER_LOOP;

	*length = (double)(hft_now() - w->start);
	return *length - (double)rest;
}

/* The worker's loop by hand, to see the spin. */
static int run_tasks(struct session *s, struct samples *spin)
{
	const struct hft_event *event;
	unsigned int done = 0;
	uint64_t now;
	int ret;

	while (done < TASKS) {
		ret = hft_wait(s->ring, HFT_WAIT_FOREVER);
		if (ret < 0)
			return ret;
		while ((event = hft_ring_peek(s->ring))) {
			now = hft_now();
			samples_add(spin, (int64_t)(event->release - now));
			hft_spin_until(event->release);
			hft_ring_advance(s->ring);
			done++;
		}
	}
	return 0;
}

static double sum(const struct samples *s)
{
	double total = 0;
	size_t i;

	for (i = 0; i < s->nr; i++)
		total += s->value[i] > 0 ? (double)s->value[i] : 0;
	return total;
}

/* The share of the CPU that is gone without tasks. */
static double measure_idle(void)
{
	const struct timespec rest = { .tv_nsec = 200 * NSEC_PER_MSEC };
	struct window w = window_open();
	double used, length;

	nanosleep(&rest, NULL);
	used = window_used(&w, &length);
	return used / length;
}

static int measure(struct session *s, struct samples *spin, double idle)
{
	struct schedule schedule = schedule_make(RATE_HZ, TASKS);
	double used, length;
	struct window w;
	int ret;

	ret = session_submit(s, &schedule);
	if (ret < 0)
		return ret;
	w = window_open();
	ret = run_tasks(s, spin);
	if (ret < 0)
		return ret;
	used = window_used(&w, &length) - idle * length;
	print_figure("sched_insn_per_task", (used - sum(spin)) / TASKS);
	print_figure("lead_spin_ns_p50", (double)samples_percentile(spin, PPM_P50));
	print_note("sched: lead %llu ns, spin p99 %lld ns, ticks cost %.2f %% of the CPU",
		   (unsigned long long)hft_ring_lead(s->ring),
		   (long long)samples_percentile(spin, PPM_P99), 100 * idle);
	return 0;
}

/* What a thread costs that sleeps just as often: the kernel's part of the figure. */
static int measure_peer(double idle)
{
	struct schedule schedule;
	struct samples error;
	double used, length;
	struct window w;
	int ret;

	ret = samples_init(&error, TASKS);
	if (ret < 0)
		return ret;
	schedule = schedule_make(RATE_HZ, TASKS);
	w = window_open();
	ret = peer_nanosleep->run(&schedule, &error);
	used = window_used(&w, &length) - idle * length;
	if (!ret)
		print_peer("sched_insn_per_task", used / TASKS, peer_nanosleep->name);
	samples_free(&error);
	return ret;
}

int bench_sched(void)
{
	const struct session_opts opts = { .tasks = TASKS, .lead_ns = HFT_LEAD_AUTO };
	struct samples spin;
	struct session s;
	pthread_t thread;
	double idle;
	int ret;

	ret = samples_init(&spin, TASKS);
	if (ret < 0)
		return ret;
	ret = session_open(&s, &opts);
	if (ret < 0)
		goto out;
	ret = -pthread_create(&thread, NULL, count_rest, NULL);
	if (!ret) {
		idle = measure_idle();
		ret = measure(&s, &spin, idle);
		if (!ret)
			ret = measure_peer(idle);
		__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
	}
	session_close(&s);
out:
	samples_free(&spin);
	return ret;
}
