// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Measurements on a CPU of the workers, by threads of no priority.  A worker that spins at
 * SCHED_FIFO lets none of them run: who waits for one gives up after a while, lets it run
 * elsewhere, and throws away what it has seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "internal.h"

#define NSEC_PER_SEC	1000000000ULL
#define PATIENCE_S	5
#define READINGS	20000
#define SLEEPS		40
#define SLEEP_NS	2000000		/* long enough for a deep idle state */
#define SPIN_NS		200000000
#define MSR_SMI_COUNT	0x34
#define STAT_SIZE	(64 << 10)	/* a line for each CPU comes first */

struct probe {
	void (*run)(struct probe *probe);
	const cpu_set_t *cpus;
	struct hft_measured *m;
	uint64_t slack_ns;	/* to sleep with; 0: what the process has */
	uint64_t late_ns;	/* the median of its sleeps */
	atomic_bool stop;
	atomic_int tid;
	atomic_bool pinned;
};

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void measure_clock(struct probe *probe)
{
	uint64_t start = now();
	int i;

	for (i = 0; i < READINGS - 1; i++)
		now();
	probe->m->clock_ns = (now() - start) / READINGS;
}

static void measure_syscall(struct probe *probe)
{
	uint64_t start = now();
	int i;

	for (i = 0; i < READINGS; i++)
		syscall(SYS_getppid);
	probe->m->syscall_ns = (now() - start) / READINGS;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void measure_sleep(struct probe *probe)
{
	uint64_t late[SLEEPS], when;
	struct timespec ts;
	int i, nr = 0;

	if (probe->slack_ns)
		prctl(PR_SET_TIMERSLACK, probe->slack_ns);
	for (i = 0; i < SLEEPS && !probe->stop; i++) {
		when = now() + SLEEP_NS;
		ts.tv_sec = (time_t)(when / NSEC_PER_SEC);
		ts.tv_nsec = (long)(when % NSEC_PER_SEC);
		if (!clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
			late[nr++] = now() - when;
	}
	qsort(late, (size_t)nr, sizeof(late[0]), compare);
	probe->late_ns = nr ? late[nr / 2] : 0;
}

/* Keeps a CPU from idling, and gives way to everybody. */
static void hog(struct probe *probe)
{
	const struct sched_param param = { 0 };

	sched_setscheduler(0, SCHED_IDLE, &param);
	while (!probe->stop)
		;
}

static void measure_gaps(struct probe *probe)
{
	struct hft_measured *m = probe->m;
	uint64_t start = now(), last = start, t;

	do {
		t = now();
		if (t - last > MEASURE_GAP_NS) {
			m->gaps++;
			m->lost_ns += t - last;
			if (t - last > m->longest_ns)
				m->longest_ns = t - last;
		}
		last = t;
	} while (t - start < SPIN_NS && !probe->stop);
	m->spun_ns = t - start;
}

static void *run_probe(void *arg)
{
	struct probe *probe = arg;

	probe->tid = (int)syscall(SYS_gettid);
	probe->pinned = !sched_setaffinity(0, sizeof(*probe->cpus), probe->cpus);
	if (probe->pinned)
		probe->run(probe);
	return NULL;
}

static bool end_probe(struct probe *probe, pthread_t thread, unsigned int patience_s)
{
	struct timespec until;
	cpu_set_t all;
	int tid;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += patience_s;
	if (!pthread_timedjoin_np(thread, NULL, &until))
		return probe->pinned;
	probe->stop = true;
	memset(&all, 0xff, sizeof(all));
	tid = probe->tid;
	if (tid)
		sched_setaffinity(tid, sizeof(all), &all);
	pthread_join(thread, NULL);
	return false;
}

static bool start_probe(struct probe *probe, pthread_t *thread)
{
	return !pthread_create(thread, NULL, run_probe, probe);
}

static bool run_on(struct probe *probe)
{
	pthread_t thread;

	return start_probe(probe, &thread) && end_probe(probe, thread, PATIENCE_S);
}

/*
 * A worker's CPU that is online.  A CPU that is isolated is not in the affinity, and a thread
 * may go there all the same; where it may not, nothing is measured.
 */
static bool choose_cpu(const struct hft_check *c, cpu_set_t *one)
{
	cpu_set_t both, allowed;
	int cpu;

	CPU_AND(&both, &c->workers, &c->online);
	if (!c->chosen && !sched_getaffinity(0, sizeof(allowed), &allowed))
		CPU_AND(&both, &both, &allowed);
	CPU_ZERO(one);
	for (cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
		if (CPU_ISSET(cpu, &both)) {
			CPU_SET(cpu, one);
			return true;
		}
	}
	return false;
}

static bool sleep_on(const cpu_set_t *cpus, uint64_t slack_ns, uint64_t *late_ns)
{
	struct probe probe = { .run = measure_sleep, .cpus = cpus, .slack_ns = slack_ns };

	if (!run_on(&probe))
		return false;
	*late_ns = probe.late_ns;
	return true;
}

static bool measure_wake(struct hft_measured *m, const cpu_set_t *cpus)
{
	struct probe busy = { .run = hog, .cpus = cpus };
	pthread_t thread;
	bool valid;

	if (!sleep_on(cpus, 0, &m->slack_wake_ns) || !sleep_on(cpus, 1, &m->idle_wake_ns))
		return false;
	if (!start_probe(&busy, &thread))
		return false;
	valid = sleep_on(cpus, 1, &m->busy_wake_ns);
	busy.stop = true;
	return end_probe(&busy, thread, PATIENCE_S) && valid;
}

static uint64_t steal_ticks(void)
{
	unsigned long long steal = 0;
	char line[256];

	if (!hft_read_line("", line, sizeof(line), "/proc/stat"))
		sscanf(line, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &steal);
	return steal;
}

/* USER_HZ ticks that a CPU did not idle: all but the fourth and fifth of its columns. */
static uint64_t busy_ticks_of(const char *stat, int cpu)
{
	unsigned long long t[8] = { 0 };
	char name[16], line[256];

	snprintf(name, sizeof(name), "cpu%d ", cpu);
	if (!line_value(stat, name, line, sizeof(line)) ||
	    sscanf(line, "%llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2], &t[3],
		   &t[4], &t[5], &t[6], &t[7]) != 8)
		return 0;
	return t[0] + t[1] + t[2] + t[5] + t[6] + t[7];
}

/* Of those that share the core of @cpu. */
static uint64_t sibling_ticks(int cpu)
{
	static const char path[] = SYS_CPU "cpu%d/topology/thread_siblings_list";
	char stat[STAT_SIZE];
	cpu_set_t siblings;
	uint64_t ticks = 0;
	int sibling;

	if (hft_read_cpus("", &siblings, path, cpu) ||
	    hft_read_text("", stat, sizeof(stat), "/proc/stat") < 0)
		return 0;
	CPU_CLR(cpu, &siblings);
	hft_for_each_cpu(sibling, &siblings)
		ticks += busy_ticks_of(stat, sibling);
	return ticks;
}

static int first_cpu(const cpu_set_t *set)
{
	int cpu = 0;

	while (!CPU_ISSET(cpu, set))
		cpu++;
	return cpu;
}

/* Of the CPU's model specific registers, at their number as offset; -1: can not be read. */
static long long smi_count(int cpu)
{
	char path[48];
	uint64_t count;
	bool read_it;
	int fd;

	snprintf(path, sizeof(path), "/dev/cpu/%d/msr", cpu);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	read_it = pread(fd, &count, sizeof(count), MSR_SMI_COUNT) == (ssize_t)sizeof(count);
	close(fd);
	return read_it ? (long long)(count & UINT32_MAX) : -1;
}

static bool measure_spin(struct hft_measured *m, const cpu_set_t *one)
{
	struct probe probe = { .run = measure_gaps, .cpus = one, .m = m };
	int cpu = first_cpu(one);
	uint64_t steal = steal_ticks(), busy = sibling_ticks(cpu);
	long long smi = smi_count(cpu);
	bool valid = run_on(&probe);

	m->steal_ticks = steal_ticks() - steal;
	m->sibling_ticks = sibling_ticks(cpu) - busy;
	m->smi = smi < 0 ? -1 : smi_count(cpu) - smi;
	return valid;
}

static bool measure(struct hft_measured *m, unsigned int what, const cpu_set_t *one)
{
	struct probe probe = { .cpus = one, .m = m };

	switch (what) {
	case MEASURE_CLOCK:
		probe.run = measure_clock;
		return run_on(&probe);
	case MEASURE_SYSCALL:
		probe.run = measure_syscall;
		return run_on(&probe);
	case MEASURE_WAKE:
		return measure_wake(m, one);
	default:
		return measure_spin(m, one);
	}
}

void hft_measure(struct hft_check *c, unsigned int needs)
{
	unsigned int what;
	cpu_set_t one;

	needs &= ~c->measured.tried;
	c->measured.tried |= needs;
	if (!needs || !choose_cpu(c, &one))
		return;
	for (what = MEASURE_CLOCK; what <= MEASURE_GAPS; what <<= 1) {
		if ((needs & what) && measure(&c->measured, what, &one))
			c->measured.have |= what;
	}
}
