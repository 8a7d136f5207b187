// SPDX-License-Identifier: GPL-2.0-only
/* libhft on the module: handles, submission by every way, rings, workers. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <hft/hft.h>

#include "kselftest_harness.h"

#define NSEC_PER_MSEC	1000000ULL
#define NSEC_PER_SEC	1000000000ULL
#define MANY		4000
#define THREADS		4

static int opened_fds(void)
{
	struct rlimit limit;
	int fd, nr = 0;

	getrlimit(RLIMIT_NOFILE, &limit);
	for (fd = 0; fd < (int)limit.rlim_cur && fd < 1024; fd++)
		nr += !lseek(fd, 0, SEEK_CUR) || errno != EBADF;
	return nr;
}

static int module_users(void)
{
	int users = -1;
	FILE *f = fopen("/sys/module/hft/refcnt", "r");

	if (f && fscanf(f, "%d", &users) != 1)
		users = -1;
	if (f)
		fclose(f);
	return users;
}

FIXTURE(engine) {
	struct hft *h;
	struct hft_ring *ring;
};

FIXTURE_VARIANT(engine) {
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(engine, uring) { .flags = 0 };
FIXTURE_VARIANT_ADD(engine, ioctl) { .flags = HFT_OPEN_IOCTL };
FIXTURE_VARIANT_ADD(engine, sqpoll) { .flags = HFT_OPEN_SQPOLL };

FIXTURE_SETUP(engine)
{
	HFT_OPTS(hft_opts, opts, .flags = variant->flags, .tasks = 256);

	ASSERT_EQ(0, hft_open(&self->h, &opts)) TH_LOG("%s", hft_strerror(-errno));
	ASSERT_EQ(0, hft_ring_open(self->h, NULL, &self->ring));
}

FIXTURE_TEARDOWN(engine)
{
	hft_ring_close(self->ring);
	hft_close(self->h);
}

static struct hft_task make_task(struct hft_ring *ring, uint64_t cookie, uint64_t release)
{
	struct hft_task task = {
		.cookie = cookie,
		.release = release,
		.ring = hft_ring_number(ring),
		.level = HFT_LEVEL_NORMAL,
	};

	return task;
}

TEST_F(engine, submit_and_wait)
{
	uint64_t release = hft_now() + 2 * NSEC_PER_MSEC, id = 0;
	struct hft_task task = make_task(self->ring, 42, release);
	const struct hft_event *event;

	ASSERT_EQ(0, hft_submit(self->h, &task, &id));
	ASSERT_NE(0, id);
	ASSERT_EQ(1, hft_wait(self->ring, HFT_WAIT_FOREVER));
	event = hft_ring_peek(self->ring);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(42, event->cookie);
	EXPECT_EQ(id, event->task);
	EXPECT_EQ(release, event->release);
	EXPECT_LE(release, event->published);
	hft_ring_advance(self->ring);
	EXPECT_EQ(NULL, hft_ring_peek(self->ring));
}

TEST_F(engine, submit_refusals)
{
	struct hft_task task = make_task(self->ring, 1, hft_now());

	task.level = HFT_LEVELS;
	EXPECT_EQ(-EINVAL, hft_submit(self->h, &task, NULL));
	EXPECT_NE(NULL, strstr(hft_strerror(-EINVAL), "level"));
	task = make_task(self->ring, 1, hft_now());
	task.ring = 63;
	EXPECT_EQ(-ENOENT, hft_submit(self->h, &task, NULL));
	EXPECT_EQ(-ENOENT, hft_cancel(self->h, 12345));
}

TEST_F(engine, batch_is_taken_one_by_one)
{
	uint64_t later = hft_now() + 100 * NSEC_PER_SEC;
	struct hft_task tasks[300];
	int64_t results[300];
	int i;

	for (i = 0; i < 300; i++)
		tasks[i] = make_task(self->ring, (uint64_t)i, later);
	tasks[7].level = HFT_LEVELS;
	/* One is refused for its level, and of the rest as many fit as the handle has. */
	ASSERT_EQ(256, hft_submit_batch(self->h, tasks, 300, results));
	EXPECT_EQ(-EINVAL, results[7]);
	EXPECT_LT(0, results[0]);
	EXPECT_EQ(-EDQUOT, results[299]);
	EXPECT_EQ(-EDQUOT, hft_submit(self->h, &tasks[0], NULL));
	EXPECT_EQ(0, hft_cancel(self->h, (uint64_t)results[0]));
	EXPECT_EQ(-ENOENT, hft_cancel(self->h, (uint64_t)results[0]));
	EXPECT_EQ(0, hft_submit(self->h, &tasks[0], NULL));
}

TEST_F(engine, wait_times_out)
{
	uint64_t timeout = hft_now() + 3 * NSEC_PER_MSEC;

	EXPECT_EQ(-ETIMEDOUT, hft_wait(self->ring, 0));
	EXPECT_EQ(-ETIMEDOUT, hft_wait(self->ring, timeout));
	EXPECT_LE(timeout, hft_now());
}

TEST_F(engine, stats_add_up)
{
	struct hft_task task = make_task(self->ring, 1, hft_now());
	struct hft_stats stats;

	ASSERT_EQ(0, hft_submit(self->h, &task, NULL));
	ASSERT_EQ(1, hft_wait(self->ring, HFT_WAIT_FOREVER));
	ASSERT_EQ(0, hft_stats(self->h, hft_ring_number(self->ring), &stats));
	EXPECT_EQ(1, stats.submitted);
	EXPECT_EQ(1, stats.dispatched);
	EXPECT_EQ(1, stats.in_flight);
	EXPECT_EQ(256, stats.tasks);
	EXPECT_EQ(-ENOENT, hft_stats(self->h, 60, &stats));
}

TEST_F(engine, poll_after_arm)
{
	struct hft_task task = make_task(self->ring, 1, hft_now() + 5 * NSEC_PER_MSEC);
	struct pollfd pfd = { .fd = hft_ring_fd(self->ring), .events = POLLIN };

	ASSERT_FALSE(hft_ring_arm(self->ring));
	ASSERT_EQ(0, hft_submit(self->h, &task, NULL));
	ASSERT_EQ(1, poll(&pfd, 1, 5000));
	EXPECT_NE(NULL, hft_ring_peek(self->ring));
	EXPECT_TRUE(hft_ring_arm(self->ring));
}

struct crowd {
	struct hft *h;
	struct hft_ring *ring;
	atomic_int next;
	atomic_int failed;
};

/* All threads submit through one handle: each task goes in exactly once. */
static void *submit_crowd(void *arg)
{
	struct crowd *crowd = arg;
	int cookie;

	while ((cookie = atomic_fetch_add(&crowd->next, 1)) < MANY) {
		struct hft_task task = make_task(crowd->ring, (uint64_t)cookie, 0);
		int ret;

		while ((ret = hft_submit(crowd->h, &task, NULL)) == -EDQUOT)
			sched_yield();
		if (ret)
			atomic_fetch_add(&crowd->failed, 1);
	}
	return NULL;
}

TEST_F(engine, threads_submit_exactly_once)
{
	struct crowd crowd = { .h = self->h, .ring = self->ring };
	static unsigned char seen[MANY];
	pthread_t thread[THREADS];
	const struct hft_event *event;
	int i, done = 0;

	memset(seen, 0, sizeof(seen));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, submit_crowd, &crowd));
	while (done < MANY) {
		ASSERT_LT(0, hft_wait(self->ring, hft_now() + 20000 * NSEC_PER_MSEC));
		while ((event = hft_ring_peek(self->ring))) {
			ASSERT_GT(MANY, event->cookie);
			ASSERT_EQ(0, seen[event->cookie]++);
			hft_ring_advance(self->ring);
			done++;
		}
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(0, atomic_load(&crowd.failed));
}

struct turn {
	struct hft *first, *second;
	struct hft_ring *first_ring, *second_ring;
	pthread_t self;
	int ret;
};

static void *submit_to_both(void *arg)
{
	struct turn *turn = arg;
	struct hft_task task;

	turn->self = pthread_self();
	task = make_task(turn->first_ring, 1, hft_now());
	turn->ret = hft_submit(turn->first, &task, NULL);
	if (turn->ret || !turn->second)
		return NULL;
	task = make_task(turn->second_ring, 2, hft_now());
	turn->ret = hft_submit(turn->second, &task, NULL);
	return NULL;
}

/* A thread is not the one before it that had its pthread_t, and owns nothing of that. */
TEST_F(engine, threads_have_no_heirs)
{
	HFT_OPTS(hft_opts, opts, .flags = variant->flags);
	struct turn turn = { .first = self->h, .first_ring = self->ring };
	struct hft_ring *ring;
	pthread_t thread, before;
	struct hft *h;

	ASSERT_EQ(0, hft_open(&h, &opts));
	ASSERT_EQ(0, hft_ring_open(h, NULL, &ring));
	ASSERT_EQ(0, pthread_create(&thread, NULL, submit_to_both, &turn));
	pthread_join(thread, NULL);
	ASSERT_EQ(0, turn.ret);
	before = turn.self;

	turn = (struct turn){ h, self->h, ring, self->ring, 0, 0 };
	ASSERT_EQ(0, pthread_create(&thread, NULL, submit_to_both, &turn));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, turn.ret);
	EXPECT_NE(0, pthread_equal(before, turn.self)) TH_LOG("the test has no meaning here");

	EXPECT_EQ(1, hft_wait(ring, hft_now() + NSEC_PER_SEC));
	EXPECT_EQ(2, hft_wait(self->ring, hft_now() + NSEC_PER_SEC));
	hft_ring_close(ring);
	hft_close(h);
}

/* What a child does with its parent's handle leaves the parent's way to submit as it is. */
TEST_F(engine, child_submits_and_closes)
{
	struct hft_task task = make_task(self->ring, 1, hft_now());
	uint64_t cookie;
	int status;
	pid_t pid;

	ASSERT_EQ(0, hft_submit(self->h, &task, NULL));
	pid = fork();
	if (!pid) {
		task.cookie = 2;
		status = hft_submit(self->h, &task, NULL);
		hft_ring_close(self->ring);
		hft_close(self->h);
		_exit(status ? 1 : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	task.cookie = 3;
	ASSERT_EQ(0, hft_submit(self->h, &task, NULL));
	for (cookie = 1; cookie <= 3; cookie++) {
		ASSERT_LT(0, hft_wait(self->ring, hft_now() + NSEC_PER_SEC));
		EXPECT_EQ(cookie, hft_ring_peek(self->ring)->cookie);
		hft_ring_advance(self->ring);
	}
}

struct record {
	atomic_int runs;
	int early;
	int cpu;
	int policy;
	int priority;
};

static void record_body(const struct hft_event *event, uint64_t start, void *arg)
{
	struct record *r = arg;
	struct sched_param param;

	r->early += start < event->release;
	r->cpu = sched_getcpu();
	r->policy = sched_getscheduler(0);
	sched_getparam(0, &param);
	r->priority = param.sched_priority;
	atomic_fetch_add(&r->runs, 1);
}

TEST_F(engine, worker_runs_tasks)
{
	struct record record = { 0 };
	HFT_OPTS(hft_worker_opts, opts, .fn = record_body, .arg = &record,
		 .level = HFT_LEVEL_CRITICAL);
	struct hft_worker *worker;
	int i;

	ASSERT_EQ(0, hft_worker_start(self->ring, &opts, &worker));
	for (i = 0; i < 100; i++) {
		struct hft_task task = make_task(self->ring, (uint64_t)i,
						 hft_now() + NSEC_PER_MSEC);

		ASSERT_EQ(0, hft_submit(self->h, &task, NULL));
	}
	while (atomic_load(&record.runs) < 100)
		usleep(1000);
	EXPECT_EQ(0, hft_worker_stop(worker));
	EXPECT_EQ(0, record.early);
	EXPECT_EQ(0, record.cpu);
	EXPECT_EQ(SCHED_FIFO, record.policy);
	EXPECT_EQ(80, record.priority);
}

/* As often as one likes; what was stopped can be started again. */
TEST_F(engine, worker_starts_again)
{
	struct record record = { 0 };
	HFT_OPTS(hft_worker_opts, opts, .fn = record_body, .arg = &record,
		 .flags = HFT_WORKER_NO_RT);
	struct hft_worker *worker;
	int i;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, hft_worker_start(self->ring, &opts, &worker));
		ASSERT_EQ(0, hft_worker_stop(worker));
	}
}

/* Without a worker a stop is for the next, and for that one alone. */
TEST_F(engine, stop_before_a_worker)
{
	struct record record = { 0 };
	HFT_OPTS(hft_worker_opts, opts, .fn = record_body, .arg = &record,
		 .flags = HFT_WORKER_NO_RT);
	struct hft_task task = make_task(self->ring, 1, hft_now());
	struct hft_worker *worker;

	ASSERT_EQ(0, hft_submit(self->h, &task, NULL));
	hft_ring_stop(self->ring);
	ASSERT_EQ(0, hft_worker_start(self->ring, &opts, &worker));
	usleep(50000);
	EXPECT_EQ(0, atomic_load(&record.runs));
	ASSERT_EQ(0, hft_worker_stop(worker));

	ASSERT_EQ(0, hft_worker_start(self->ring, &opts, &worker));
	while (!atomic_load(&record.runs))
		usleep(1000);
	EXPECT_EQ(0, hft_worker_stop(worker));
}

struct stop_later {
	struct hft_ring *ring;
	useconds_t us;
};

static void *stop_later(void *arg)
{
	struct stop_later *s = arg;

	usleep(s->us);
	hft_ring_stop(s->ring);
	return NULL;
}

TEST_F(engine, stop_wakes_a_sleeper)
{
	struct stop_later s = { .ring = self->ring, .us = 20000 };
	struct record record = { 0 };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, stop_later, &s));
	EXPECT_EQ(0, hft_ring_run(self->ring, record_body, &record));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, atomic_load(&record.runs));
}

/* A stop is for one run or wait, and a wake-up that came too late is for none. */
TEST_F(engine, stop_is_for_one)
{
	struct hft_task task = make_task(self->ring, 1, 0);
	struct record record = { 0 };

	hft_ring_stop(self->ring);
	EXPECT_EQ(-ECANCELED, hft_wait(self->ring, HFT_WAIT_FOREVER));
	EXPECT_EQ(-ETIMEDOUT, hft_wait(self->ring, hft_now() + NSEC_PER_MSEC));

	ASSERT_EQ(0, hft_submit(self->h, &task, NULL));
	ASSERT_EQ(1, hft_wait(self->ring, HFT_WAIT_FOREVER));
	hft_ring_stop(self->ring);
	EXPECT_EQ(1, hft_wait(self->ring, HFT_WAIT_FOREVER));
	EXPECT_EQ(0, hft_ring_run(self->ring, record_body, &record));
	EXPECT_EQ(0, atomic_load(&record.runs));
	hft_ring_advance(self->ring);
	EXPECT_EQ(-ETIMEDOUT, hft_wait(self->ring, hft_now() + NSEC_PER_MSEC));
}

static struct hft_ring *signalled;

static void stop_from_handler(int signal)
{
	(void)signal;
	hft_ring_stop(signalled);
}

TEST_F(engine, stop_from_a_signal_handler)
{
	struct sigaction action = { .sa_handler = stop_from_handler, .sa_flags = SA_RESTART };
	struct itimerval in_20_ms = { .it_value.tv_usec = 20000 };
	struct record record = { 0 };

	signalled = self->ring;
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &in_20_ms, NULL));
	EXPECT_EQ(0, hft_ring_run(self->ring, record_body, &record));
}

/* A monitor ring takes no tasks, and is woken all the same. */
TEST_F(engine, stop_wakes_a_monitor)
{
	HFT_OPTS(hft_ring_opts, opts, .flags = HFT_RING_MONITOR);
	struct record record = { 0 };
	struct stop_later s = { .us = 20000 };
	pthread_t thread;

	ASSERT_EQ(0, hft_ring_open(self->h, &opts, &s.ring));
	ASSERT_EQ(0, pthread_create(&thread, NULL, stop_later, &s));
	EXPECT_EQ(0, hft_ring_run(s.ring, record_body, &record));
	pthread_join(thread, NULL);
	hft_ring_close(s.ring);
}

/* Stops that race with tasks: no run misses its stop, no stop is left over. */
TEST_F(engine, stop_races_with_tasks)
{
	struct stop_later s = { .ring = self->ring };
	struct record record = { 0 };
	pthread_t thread;
	int i;

	for (i = 0; i < 200; i++) {
		struct hft_task task = make_task(self->ring, 1, hft_now() + 100000);

		s.us = (useconds_t)(i % 20) * 20;
		ASSERT_EQ(0, hft_submit(self->h, &task, NULL));
		ASSERT_EQ(0, pthread_create(&thread, NULL, stop_later, &s));
		EXPECT_EQ(0, hft_ring_run(self->ring, record_body, &record));
		pthread_join(thread, NULL);
	}
}

TEST_F(engine, closed_handle_ends_a_worker)
{
	struct hft_ring *ring = self->ring;

	hft_close(self->h);
	EXPECT_EQ(-ESHUTDOWN, hft_wait(ring, HFT_WAIT_FOREVER));
	EXPECT_NE(NULL, strstr(hft_strerror(-ESHUTDOWN), "closed"));
	self->h = NULL;
}

TEST(lead_is_measured)
{
	HFT_OPTS(hft_ring_opts, opts, .lead_ns = HFT_LEAD_AUTO);
	struct hft_query query;
	struct hft_stats stats;
	struct hft_ring *ring;
	struct hft *h;

	ASSERT_EQ(0, hft_open(&h, NULL));
	ASSERT_EQ(0, hft_query(h, &query));
	ASSERT_EQ(0, hft_ring_open(h, &opts, &ring));
	EXPECT_LT(0, hft_ring_lead(ring));
	EXPECT_GE(query.max_lead, hft_ring_lead(ring));
	/* The ring to measure with is gone. */
	ASSERT_EQ(0, hft_stats(h, HFT_STATS_CONTEXT, &stats));
	EXPECT_EQ(0, stats.submitted);
	EXPECT_EQ(stats.tasks, stats.tasks_free);
	hft_ring_close(ring);
	hft_close(h);
}

TEST(ring_refusals)
{
	HFT_OPTS(hft_ring_opts, opts, .entries = 3);
	struct hft_ring *ring;
	struct hft *h;

	ASSERT_EQ(0, hft_open(&h, NULL));
	EXPECT_EQ(-EINVAL, hft_ring_open(h, &opts, &ring));
	EXPECT_NE(NULL, strstr(hft_strerror(-EINVAL), "entries 3"));
	opts.entries = 4;
	opts.cpu = 5000;
	EXPECT_GT(0, hft_ring_open(h, &opts, &ring));
	hft_close(h);
}

TEST(setup_refusals)
{
	HFT_OPTS(hft_opts, opts, .tasks = UINT32_MAX);
	struct hft *h;

	EXPECT_EQ(-EINVAL, hft_open(&h, &opts));
	EXPECT_NE(NULL, strstr(hft_strerror(-EINVAL), "max_tasks"));
}

TEST(close_leaves_nothing)
{
	const uint32_t flags[] = { 0, HFT_OPEN_IOCTL, HFT_OPEN_SQPOLL };
	int fds = opened_fds(), users = module_users();
	unsigned int i;

	for (i = 0; i < 12; i++) {
		HFT_OPTS(hft_opts, opts, .flags = flags[i % 3]);
		struct hft_task task = { .level = HFT_LEVEL_NORMAL };
		struct hft_ring *ring;
		struct hft *h;

		ASSERT_EQ(0, hft_open(&h, &opts));
		ASSERT_EQ(0, hft_ring_open(h, NULL, &ring));
		ASSERT_EQ(0, hft_submit(h, &task, NULL));
		hft_ring_close(ring);
		hft_close(h);
		EXPECT_EQ(fds, opened_fds());
		EXPECT_EQ(users, module_users());
	}
}

static uint64_t ns_of(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * NSEC_PER_SEC + (uint64_t)ts->tv_nsec;
}

TEST(clock_is_the_kernels)
{
	struct timespec before, after;
	uint64_t now, end;
	struct hft *h;

	ASSERT_EQ(0, hft_open(&h, NULL));
	end = hft_now() + 500 * NSEC_PER_MSEC;
	do {
		clock_gettime(CLOCK_MONOTONIC, &before);
		now = hft_now();
		clock_gettime(CLOCK_MONOTONIC, &after);
		ASSERT_LE(ns_of(&before), now + 100);
		ASSERT_GE(ns_of(&after) + 100, now);
	} while (now < end);
	hft_close(h);
}

TEST_HARNESS_MAIN
