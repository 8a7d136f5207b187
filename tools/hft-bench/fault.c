// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Faults that are injected at a known time, and how long until the detector says so.
 *
 * A task of 1 kHz without lead, by a worker of the highest level, tells the detector how
 * long after its release it starts.  A thread on the next CPU asks the detector each 100 us
 * whether nothing came for too long, and looks at the notices of the module.  What speaks
 * first counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <hft/detect.h>

#include "bench.h"

#define MODULE		"/samples/hft_test_fault.ko"
#define PARAMETERS	"/sys/module/hft_test_fault/parameters/"
#define PERIOD		NSEC_PER_MSEC
#define LEARN		(800 * NSEC_PER_MSEC)
#define CALM		(500 * NSEC_PER_MSEC)	/* after a fault: a shift is learned again */
#define PATIENCE	(2 * NSEC_PER_SEC)
#define LOOK		(100 * NSEC_PER_USEC)
#define HOG_PRIORITY	95			/* the worker's is 90 */
#define HOG_NS		(5 * NSEC_PER_MSEC)

/**
 * struct watch - who looks for anomalies, and what they have found
 * @lock: of all of it
 * @onset: of the fault; UINT64_MAX: there is none
 * @found: when it was found out; 0: not yet
 * @by: what has
 * @alarms: verdicts while there was no fault
 */
struct watch {
	pthread_mutex_t lock;
	struct hft_detector *detector;
	struct hft_ring *monitor;
	uint64_t onset;
	uint64_t found;
	char by[32];
	unsigned int alarms;
	unsigned int samples;
	bool stop;
	pthread_t thread;
};

/* With the lock. */
static void found(struct watch *w, const char *what)
{
	uint64_t now = hft_now();

	if (w->onset == UINT64_MAX) {
		w->alarms++;
	} else if (!w->found && now >= w->onset) {
		w->found = now;
		snprintf(w->by, sizeof(w->by), "%s", what);
	}
}

static void verdict(struct watch *w, int anomaly)
{
	if (anomaly > HFT_ANOMALY_NONE)
		found(w, hft_anomaly_name((enum hft_anomaly)anomaly));
}

static void run_task(const struct hft_event *event, uint64_t start, void *arg)
{
	struct watch *w = arg;

	pthread_mutex_lock(&w->lock);
	w->samples++;
	verdict(w, hft_detect(w->detector, start, start - event->release, NULL));
	pthread_mutex_unlock(&w->lock);
}

static void look_at_notices(struct watch *w)
{
	const struct hft_event *event;

	while ((event = hft_ring_peek(w->monitor))) {
		if (event->type == HFT_EVENT_CLOCK)
			found(w, event->result == HFT_FAULT_LATE ? "late timer" : "clock");
		else if (event->type == HFT_EVENT_ANOMALY)
			found(w, "anomaly");
		hft_ring_advance(w->monitor);
	}
}

static int use_cpu(unsigned int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	return sched_setaffinity(0, sizeof(cpus), &cpus) ? -errno : 0;
}

static void *watch_main(void *arg)
{
	struct watch *w = arg;
	uint64_t next = hft_now();
	bool stop = false;

	use_cpu(bench_cpu + 1);
	while (!stop) {
		next += LOOK;
		sleep_until(next);
		pthread_mutex_lock(&w->lock);
		look_at_notices(w);
		verdict(w, hft_detect_due(w->detector, hft_now(), NULL));
		stop = w->stop;
		pthread_mutex_unlock(&w->lock);
	}
	return NULL;
}

static int inject(const char *fault)
{
	int fd = open(PARAMETERS "inject", O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, fault, strlen(fault));
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

/* Between two releases, and beside the tick. */
static uint64_t soon(void)
{
	uint64_t now = hft_now();

	return now - now % PERIOD + 10 * PERIOD + PERIOD * 3 / 10;
}

static void *hog_main(void *arg)
{
	const struct sched_param param = { .sched_priority = HOG_PRIORITY };
	uint64_t when = *(uint64_t *)arg;

	if (use_cpu(bench_cpu) || sched_setscheduler(0, SCHED_FIFO, &param))
		return arg;
	sleep_until(when);
	hft_spin_until(when + HOG_NS);
	return NULL;
}

static int hog(struct watch *w, uint64_t when)
{
	void *failed = NULL;
	pthread_t thread;
	int err;

	(void)w;
	err = pthread_create(&thread, NULL, hog_main, &when);
	if (err)
		return -err;
	pthread_join(thread, &failed);
	return failed ? -EPERM : 0;
}

static int storm(struct watch *w, uint64_t when)
{
	char text[64];

	(void)w;
	snprintf(text, sizeof(text), "storm %u 20000 15000 1000", bench_cpu);
	sleep_until(when);
	return inject(text);
}

/* The timers of the CPU do not fire: it has its interrupts off. */
static int throttle(struct watch *w, uint64_t when)
{
	char text[64];

	(void)w;
	snprintf(text, sizeof(text), "off %u 3000000", bench_cpu);
	sleep_until(when);
	return inject(text);
}

static int step_clock(int64_t by)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += by;
	return clock_settime(CLOCK_REALTIME, &ts) ? -errno : 0;
}

static int step(struct watch *w, uint64_t when)
{
	(void)w;
	sleep_until(when);
	return step_clock(3600);
}

static int unstep(struct watch *w)
{
	int err = step_clock(-3600);

	sleep_until(hft_now() + CALM);
	(void)w;
	return err;
}

static const struct fault {
	const char *figure;
	int (*start)(struct watch *w, uint64_t when);
	int (*undo)(struct watch *w);
} faults[] = {
	{ "detect_delay_hog_ns", hog, NULL },
	{ "detect_delay_irq_storm_ns", storm, NULL },
	{ "detect_delay_late_timer_ns", throttle, NULL },
	{ "detect_delay_clock_step_ns", step, unstep },
};

/* Returns the delay, or a negative errno. */
static int64_t find(struct watch *w, const struct fault *fault)
{
	uint64_t when = soon(), end = when + PATIENCE, got = 0;
	int err;

	pthread_mutex_lock(&w->lock);
	w->found = 0;
	w->onset = when;
	pthread_mutex_unlock(&w->lock);
	err = fault->start(w, when);
	if (err)
		return err;
	while (!got && hft_now() < end) {
		sleep_until(hft_now() + PERIOD);
		pthread_mutex_lock(&w->lock);
		got = w->found;
		pthread_mutex_unlock(&w->lock);
	}
	sleep_until(hft_now() + CALM);
	err = fault->undo ? fault->undo(w) : 0;
	pthread_mutex_lock(&w->lock);
	w->onset = UINT64_MAX;
	pthread_mutex_unlock(&w->lock);
	if (err)
		return err;
	return got ? (int64_t)(got - when) : -ETIMEDOUT;
}

static int find_all(struct watch *w)
{
	int64_t delay;
	size_t i;

	sleep_until(hft_now() + LEARN);
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		delay = find(w, &faults[i]);
		if (delay < 0) {
			fprintf(stderr, "hft-bench: %s: %s\n", faults[i].figure,
				delay == -ETIMEDOUT ? "it was not found" : strerror((int)-delay));
			return (int)delay;
		}
		print_figure(faults[i].figure, (double)delay);
		print_note("%s: by %s", faults[i].figure, w->by);
		sleep_until(hft_now() + CALM);
	}
	print_note("faults: %u alarms without one, %u tasks", w->alarms, w->samples);
	return 0;
}

static int watch_run(struct watch *w, struct session *s)
{
	HFT_OPTS(hft_worker_opts, worker_opts, .fn = run_task, .arg = w);
	struct hft_task task = { .ring = hft_ring_number(s->ring), .level = HFT_LEVEL_REALTIME };
	struct hft_worker *worker;
	uint64_t id;
	int ret;

	ret = hft_worker_start(s->ring, &worker_opts, &worker);
	if (ret)
		return ret;
	ret = -pthread_create(&w->thread, NULL, watch_main, w);
	if (!ret) {
		ret = hft_submit_periodic(s->hft, &task, hft_now() / PERIOD * PERIOD + 20 * PERIOD,
					  PERIOD, &id);
		if (!ret)
			ret = find_all(w);
		pthread_mutex_lock(&w->lock);
		w->stop = true;
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
	}
	hft_worker_stop(worker);
	return ret;
}

static int load_module(void)
{
	const char *path = getenv("HFT_TEST_FAULT");
	int fd, err = 0;

	if (!access(PARAMETERS, F_OK))
		return 0;
	fd = open(path ? path : MODULE, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		err = -errno;
	if (err)
		fprintf(stderr, "hft-bench: %s: %s\n", path ? path : MODULE, strerror(-err));
	if (fd >= 0)
		close(fd);
	return err;
}

int bench_fault(void)
{
	HFT_OPTS(hft_ring_opts, monitor_opts, .cpu = bench_cpu + 1, .flags = HFT_RING_MONITOR);
	struct watch w = { .lock = PTHREAD_MUTEX_INITIALIZER, .onset = UINT64_MAX };
	const struct session_opts opts = { .tasks = 64 };
	struct session s;
	int ret;

	ret = load_module();
	if (!ret)
		ret = use_cpu(bench_cpu + 1);
	if (!ret)
		ret = hft_detector_open(&w.detector);
	if (ret < 0)
		return ret;
	ret = session_open(&s, &opts);
	if (ret < 0)
		goto out;
	ret = hft_ring_open(s.hft, &monitor_opts, &w.monitor);
	if (!ret) {
		ret = watch_run(&w, &s);
		hft_ring_close(w.monitor);
	}
	session_close(&s);
out:
	hft_detector_close(w.detector);
	use_cpu(bench_cpu);
	return ret;
}
