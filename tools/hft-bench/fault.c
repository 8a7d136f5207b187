// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Faults that are injected at a known time, and how long until the detector says so.
 *
 * A task of 1 kHz without lead, by a worker of the highest level, tells the detector how
 * long after its release it starts.  A thread on the next CPU asks the detector each 100 us
 * whether nothing came for too long, and looks at the notices of the module.  What speaks
 * first counts.
 *
 * A virtual machine whose clocks stop with it has nothing of its own to tell that by: there
 * the thread compares CLOCK_REALTIME with the real-time clock, which goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/rtc.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
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
#define HOG_STACK	65536
#define HOG_NS		(5 * NSEC_PER_MSEC)
#define PAUSE_MS	"2500"
#define RTC_LOOK	(10 * NSEC_PER_MSEC)

/**
 * struct watch - who looks for anomalies, and what they have found
 * @lock: of all of it
 * @onset: of the fault; UINT64_MAX: there is none
 * @least: what it takes to be of that fault, ns: on a busy host there is more than ours
 * @last: start of the last task
 * @found: when it was found out; 0: not yet
 * @by: what has
 * @alarms: verdicts on something else
 * @rtc: descriptor of the real-time clock, -1: it is not looked at
 * @ahead: most that its full second was ahead of CLOCK_REALTIME, ns
 * @rtc_looked: when it was read
 */
struct watch {
	pthread_mutex_t lock;
	struct hft_detector *detector;
	struct hft_ring *monitor;
	uint64_t onset;
	uint64_t least;
	uint64_t last;
	uint64_t found;
	char by[32];
	unsigned int alarms;
	unsigned int samples;
	bool stop;
	pthread_t thread;
	int rtc;
	int64_t ahead;
	uint64_t rtc_looked;
};

/* With the lock. */
static void found(struct watch *w, const char *what, uint64_t ns)
{
	uint64_t now = hft_now();

	if (now < w->onset || ns < w->least) {
		w->alarms++;
	} else if (!w->found) {
		w->found = now;
		snprintf(w->by, sizeof(w->by), "%s", what);
	}
}

static void verdict(struct watch *w, int anomaly, uint64_t ns)
{
	if (anomaly > HFT_ANOMALY_NONE)
		found(w, hft_anomaly_name((enum hft_anomaly)anomaly), ns);
}

static void run_task(const struct hft_event *event, uint64_t start, void *arg)
{
	struct watch *w = arg;

	pthread_mutex_lock(&w->lock);
	w->samples++;
	w->last = start;
	verdict(w, hft_detect(w->detector, start, start - event->release, NULL),
		start - event->release);
	pthread_mutex_unlock(&w->lock);
}

static void look_at_notices(struct watch *w)
{
	const struct hft_event *event;

	while ((event = hft_ring_peek(w->monitor))) {
		if (event->type == HFT_EVENT_CLOCK)
			found(w, event->result == HFT_FAULT_LATE ? "late timer" : "clock",
			      event->cookie);
		hft_ring_advance(w->monitor);
	}
}

/* At the beginning of each of its seconds it is as much ahead, else less. */
static void look_at_rtc(struct watch *w)
{
	struct rtc_time rtc;
	struct timespec now;
	struct tm tm;
	int64_t ahead;

	if (w->rtc < 0 || hft_now() - w->rtc_looked < RTC_LOOK)
		return;
	w->rtc_looked = hft_now();
	clock_gettime(CLOCK_REALTIME, &now);
	if (ioctl(w->rtc, RTC_RD_TIME, &rtc))
		return;
	tm = (struct tm){ .tm_sec = rtc.tm_sec, .tm_min = rtc.tm_min, .tm_hour = rtc.tm_hour,
			  .tm_mday = rtc.tm_mday, .tm_mon = rtc.tm_mon, .tm_year = rtc.tm_year };
	ahead = (int64_t)((timegm(&tm) - now.tv_sec) * (time_t)NSEC_PER_SEC) - now.tv_nsec;
	if (ahead > w->ahead + (int64_t)NSEC_PER_SEC)
		found(w, "the real-time clock", (uint64_t)(ahead - w->ahead));
	if (ahead > w->ahead)
		w->ahead = ahead;
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
		look_at_rtc(w);
		verdict(w, hft_detect_due(w->detector, hft_now(), NULL), hft_now() - w->last);
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

/* Between two releases, beside the tick, and when a thread that is made now is there. */
static uint64_t soon(void)
{
	uint64_t now = hft_now();

	return now - now % PERIOD + 100 * PERIOD + PERIOD * 3 / 10;
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
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	(void)w;
	/* All of it is locked in memory. */
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, HOG_STACK);
	err = pthread_create(&thread, &attr, hog_main, &when);
	pthread_attr_destroy(&attr);
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

/* Ask who runs the virtual machine: tools/vm/run --control. */
static int control(uint64_t when, const char *text)
{
	const char *port = getenv("HFT_CONTROL");
	unsigned short number;

	if (!port)
		return -ENODEV;
	number = (unsigned short)strtoul(port, NULL, 0);
	if (ioperm(number, 1, 1))
		return -errno;
	sleep_until(when);
	while (*text)
		outb((unsigned char)*text++, number);
	return 0;
}

static int stop(struct watch *w, uint64_t when)
{
	(void)w;
	return control(when, "stop " PAUSE_MS "\n");
}

static int freeze(struct watch *w, uint64_t when)
{
	(void)w;
	return control(when, "freeze " PAUSE_MS "\n");
}

struct fault {
	const char *figure;
	uint64_t least;
	int (*start)(struct watch *w, uint64_t when);
	int (*undo)(struct watch *w);
};

static const struct fault faults[] = {
	{ "detect_delay_hog_ns", NSEC_PER_MSEC, hog, NULL },
	{ "detect_delay_irq_storm_ns", 10 * NSEC_PER_USEC, storm, NULL },
	{ "detect_delay_late_timer_ns", NSEC_PER_MSEC, throttle, NULL },
	{ "detect_delay_clock_step_ns", NSEC_PER_SEC, step, unstep },
	{ NULL, 0, NULL, NULL }
};

static const struct fault pauses[] = {
	{ "detect_delay_freeze_ns", 2 * NSEC_PER_SEC, freeze, NULL },
	{ "detect_delay_stop_ns", NSEC_PER_SEC, stop, NULL },
	{ NULL, 0, NULL, NULL }
};

/* Returns the delay, or a negative errno. */
static int64_t find(struct watch *w, const struct fault *fault)
{
	uint64_t when = soon(), end = when + PATIENCE, got = 0;
	int err;

	pthread_mutex_lock(&w->lock);
	w->found = 0;
	w->onset = when;
	w->least = fault->least;
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

static int find_all(struct watch *w, const struct fault *fault)
{
	int64_t delay;

	sleep_until(hft_now() + LEARN);
	for (; fault->figure; fault++) {
		delay = find(w, fault);
		if (delay < 0) {
			fprintf(stderr, "hft-bench: %s: %s\n", fault->figure,
				delay == -ETIMEDOUT ? "it was not found" : strerror((int)-delay));
			return (int)delay;
		}
		print_figure(fault->figure, (double)delay);
		print_note("%s: by %s", fault->figure, w->by);
		sleep_until(hft_now() + CALM);
	}
	print_note("faults: %u verdicts on something else, %u tasks", w->alarms, w->samples);
	return 0;
}

static int watch_run(struct watch *w, struct session *s, const struct fault *which)
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
			ret = find_all(w, which);
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

static int run(const struct fault *which)
{
	HFT_OPTS(hft_ring_opts, monitor_opts, .cpu = bench_cpu + 1, .flags = HFT_RING_MONITOR);
	struct watch w = { .lock = PTHREAD_MUTEX_INITIALIZER, .onset = UINT64_MAX, .rtc = -1 };
	const struct session_opts opts = { .tasks = 64 };
	struct session s;
	int ret;

	ret = use_cpu(bench_cpu + 1);
	if (!ret && which == pauses) {
		w.ahead = INT64_MIN / 2;
		w.rtc = open("/dev/rtc0", O_RDONLY | O_CLOEXEC);
		ret = w.rtc < 0 ? -errno : 0;
	}
	if (!ret)
		ret = hft_detector_open(&w.detector);
	if (ret < 0)
		goto out;
	ret = session_open(&s, &opts);
	if (ret < 0)
		goto out;
	ret = hft_ring_open(s.hft, &monitor_opts, &w.monitor);
	if (!ret) {
		ret = watch_run(&w, &s, which);
		hft_ring_close(w.monitor);
	}
	session_close(&s);
out:
	hft_detector_close(w.detector);
	if (w.rtc >= 0)
		close(w.rtc);
	use_cpu(bench_cpu);
	return ret;
}

int bench_fault(void)
{
	int err = load_module();

	return err ? err : run(faults);
}

int bench_pause(void)
{
	return run(pauses);
}
