// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sink: QEMU's edu device by its driver hft_edu.  Tasks come back as factorials; the device
 * is pulled out while it has tasks and while tasks wait for it, and each ends once.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	200
#define FAR	(1000 * NSEC_PER_SEC)
#define LONG	(20 * NSEC_PER_SEC)	/* for what comes in a moment */
#define NUMBERS	13
#define DRIVER	"/samples/hft_edu.ko"
#define TRADER	1000

static int find_sink(int context, struct hft_sink_info *info)
{
	memset(info, 0, sizeof(*info));
	return hft_test_ioctl(context, HFT_IOC_SINK, info);
}

static int add_ring(int context, uint32_t sink, uint32_t window, struct hft_test_ring *ring)
{
	struct hft_ring_add add = hft_test_ring_default();

	add.cpu = hft_test_cpus() - 1;
	add.window = window;
	add.flags = HFT_RING_SINK;
	add.sink = sink;
	return hft_test_ring_make(context, &add, ring);
}

static int32_t factorial(uint64_t cookie)
{
	int32_t product = 1;
	uint64_t i;

	for (i = 2; i <= cookie % NUMBERS; i++)
		product *= (int32_t)i;
	return product;
}

static int pull(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove", name);
	return hft_test_write_file(path, "1");
}

static int plug(void)
{
	return hft_test_write_file("/sys/bus/pci/rescan", "1");
}

FIXTURE(sink) {
	int context;
	struct hft_sink_info info;
	struct hft_test_ring ring;
	bool found;
};

FIXTURE_SETUP(sink)
{
	int err = hft_test_insmod(DRIVER, "");

	ASSERT_TRUE(!err || err == -ENOENT);
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	self->found = !find_sink(self->context, &self->info);
	if (self->found)
		ASSERT_EQ(0, add_ring(self->context, self->info.sink, 16, &self->ring));
}

/* Of each test: what SKIP() in FIXTURE_SETUP() leaves to run. */
#define NEED_SINK() do {						\
	if (!self->found)						\
		SKIP(return, "no " DRIVER ", or no edu device");	\
} while (0)

FIXTURE_TEARDOWN(sink)
{
	hft_test_ring_close(&self->ring);
	close(self->context);
	EXPECT_TRUE(!plug() || !self->found);
	EXPECT_TRUE(!hft_test_rmmod("hft_edu") || !self->found);
}

TEST_F(sink, tasks_come_back)
{
	struct hft_sink_info info;
	struct hft_event event;
	struct hft_stats stats;
	struct hft_task task;
	uint64_t before;
	int64_t id;
	int i;

	NEED_SINK();
	ASSERT_EQ(1, self->info.depth);
	before = self->info.handed;
	for (i = 0; i < 3 * NUMBERS; i++) {
		task = hft_test_task(0, i, i % 2 ? 0 : hft_test_now() + NSEC_PER_MSEC);
		task.deadline = i % 3 ? 0 : hft_test_now() + FAR;
		ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, LONG));
		ASSERT_EQ(HFT_EVENT_SINK, event.type);
		ASSERT_EQ(i, (int)event.cookie);
		ASSERT_EQ(id, (int64_t)event.task);
		ASSERT_EQ(factorial(i), event.result);
		ASSERT_EQ(task.deadline, event.deadline);
		ASSERT_EQ(i, (int)event.sequence);
		ASSERT_LE(event.release, event.irq_entry);
		ASSERT_LE(event.irq_entry, event.published);
	}
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	ASSERT_EQ(3 * NUMBERS, stats.dispatched);
	ASSERT_EQ(0, stats.ended);
	ASSERT_EQ(TASKS, stats.tasks_free);
	ASSERT_EQ(0, find_sink(self->context, &info));
	ASSERT_EQ(before + 3 * NUMBERS, info.handed);
	ASSERT_EQ(info.handed, info.completed);
	ASSERT_EQ(1, info.rings);
	info.sink++;
	ASSERT_EQ(-ENOENT, hft_test_ioctl(self->context, HFT_IOC_SINK, &info));
}

/* More than the device and the ring have room for, from rings of two contexts at a time. */
TEST_F(sink, many)
{
	int other = hft_test_context(TASKS), context, i, n, cancelled = 0, got[2] = {};
	struct hft_test_ring second, *rings[2] = { &self->ring, &second };
	unsigned char seen[2][TASKS] = {};
	uint64_t end = hft_test_now() + LONG;
	int64_t ids[2][TASKS];
	struct hft_event event;
	struct hft_stats stats;
	struct hft_task task;

	NEED_SINK();
	ASSERT_LT(0, other);
	ASSERT_EQ(0, add_ring(other, self->info.sink, 4, &second));
	for (i = 0; i < 2 * TASKS; i++) {
		context = i & 1 ? other : self->context;
		task = hft_test_task(0, i / 2, 0);
		ASSERT_EQ(0, hft_test_submit(context, &task, &ids[i & 1][i / 2]));
	}
	/* One that the device has, or has had, is not taken back. */
	for (i = TASKS - 1; i >= 0; i -= 7) {
		int err = hft_test_cancel(self->context, ids[0][i]);

		ASSERT_TRUE(!err || err == -ENOENT);
		if (err)
			continue;
		seen[0][i]++;
		cancelled++;
	}
	while (got[0] + got[1] + cancelled < 2 * TASKS && hft_test_now() < end) {
		for (n = 0; n < 2; n++) {
			hft_test_wait(rings[n], NSEC_PER_MSEC);
			while (hft_test_next(rings[n], &event)) {
				ASSERT_EQ(HFT_EVENT_SINK, event.type);
				ASSERT_EQ(factorial(event.cookie), event.result);
				ASSERT_EQ(0, seen[n][event.cookie]++);
				got[n]++;
				end = hft_test_now() + LONG;
			}
		}
	}
	ASSERT_EQ(TASKS, got[1]);
	ASSERT_EQ(TASKS, got[0] + cancelled);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&second, 0));
	ASSERT_EQ(0, hft_test_stats(other, 0, &stats));
	ASSERT_EQ(TASKS, stats.tasks_free);
	hft_test_ring_close(&second);
	close(other);
}

/* A periodic task, and a chain from the device to a worker and back. */
TEST_F(sink, jobs_and_chains)
{
	struct hft_task task = hft_test_task(0, 5, hft_test_now());
	struct hft_test_ring plain;
	struct hft_event event;
	struct hft_stats stats;
	uint64_t last = 0;
	int64_t id;
	int i;

	NEED_SINK();
	task.flags = HFT_TASK_PERIODIC;
	task.period = 10 * NSEC_PER_MSEC;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, LONG));
		ASSERT_EQ(120, event.result);
		ASSERT_LT(last, event.release);
		ASSERT_EQ(0, (event.release - task.release) % task.period);
		last = event.release;
	}
	/* With the device or in the ring it has this one job more. */
	ASSERT_EQ(0, hft_test_await_ready(self->context, 0, 0));
	while (hft_test_cancel(self->context, id))
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, LONG));
	while (!hft_test_take(&self->ring, &event, 50 * NSEC_PER_MSEC))
		;

	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 16, 16, HFT_POLICY_FIFO, &plain));
	task = hft_test_task(0, 6, hft_test_now());
	task.flags = HFT_TASK_TRACK;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	task.cookie = 7;
	task.ring = plain.add.ring;
	task.after = id;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	task.cookie = 8;
	task.ring = 0;
	task.after = id;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, LONG));
	ASSERT_EQ(720, event.result);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	ASSERT_EQ(0, hft_test_take(&plain, &event, LONG));
	ASSERT_EQ(7, event.cookie);
	ASSERT_EQ(HFT_EVENT_TASK, event.type);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&plain, 0));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, LONG));
	ASSERT_EQ(40320, event.result);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	ASSERT_EQ(0, hft_test_stats(self->context, HFT_STATS_CONTEXT, &stats));
	ASSERT_EQ(TASKS, stats.tasks_free);
	hft_test_ring_close(&plain);
}

TEST_F(sink, refused)
{
	struct hft_ring_add add = hft_test_ring_default();
	struct hft_test_ring ring;
	pid_t child;
	int status;

	NEED_SINK();
	ASSERT_EQ(-ENXIO, add_ring(self->context, self->info.sink + 1, 16, &ring));
	ASSERT_EQ(-ENXIO, add_ring(self->context, 0, 16, &ring));
	add.flags = HFT_RING_SINK | HFT_RING_REPORT;
	add.sink = self->info.sink;
	ASSERT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_RING_ADD, &add));
	add.flags = HFT_RING_SINK | HFT_RING_FALLBACK;
	ASSERT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_RING_ADD, &add));
	/* The device is not everybody's. */
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		if (setuid(TRADER))
			_exit(1);
		_exit(add_ring(self->context, self->info.sink, 16, &ring) == -EPERM ? 0 : 2);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	/* Its driver stays while a ring has it. */
	ASSERT_EQ(-EWOULDBLOCK, hft_test_rmmod("hft_edu"));
}

/* Take all events of @ring that come; mark them.  Returns how many say -ENODEV, or -1. */
static int take_all(struct hft_test_ring *ring, unsigned char *seen, int nr, int *taken)
{
	uint64_t end = hft_test_now() + LONG;
	struct hft_event event;
	int ended = 0;

	while (*taken < nr && hft_test_now() < end) {
		hft_test_wait(ring, NSEC_PER_MSEC);
		while (hft_test_next(ring, &event)) {
			if (seen[event.cookie % TASKS]++)
				return -1;
			if (event.result != -ENODEV && event.result != factorial(event.cookie))
				return -1;
			ended += event.result == -ENODEV;
			(*taken)++;
		}
	}
	return ended;
}

TEST_F(sink, pulled_out_with_tasks)
{
	unsigned char seen[TASKS] = {};
	struct hft_test_ring again;
	struct hft_sink_info info;
	struct hft_event event;
	struct hft_stats stats;
	struct hft_task task;
	int i, ended, taken = 0;
	int64_t id;

	NEED_SINK();
	/* With the device, ready, and far away on each clock. */
	for (i = 0; i < TASKS; i++) {
		task = hft_test_task(0, i, i < TASKS / 2 ? 0 : hft_test_now_on(CLOCK_TAI) + FAR);
		task.clock = i % HFT_CLOCKS;
		ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	}
	ASSERT_EQ(0, pull(self->info.name));
	ended = take_all(&self->ring, seen, TASKS, &taken);
	ASSERT_EQ(TASKS, taken);
	ASSERT_LE(TASKS / 2, ended);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	task = hft_test_task(0, 0, 0);
	ASSERT_EQ(-ENODEV, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	ASSERT_EQ(TASKS, stats.dispatched);
	ASSERT_EQ(ended, (int)stats.ended);
	ASSERT_EQ(TASKS, stats.tasks_free);
	ASSERT_EQ(-ENOENT, find_sink(self->context, &info));

	/* The ring stays without; another has the device when it is back. */
	ASSERT_EQ(0, plug());
	ASSERT_EQ(0, find_sink(self->context, &info));
	ASSERT_NE(self->info.sink, info.sink);
	ASSERT_EQ(-ENODEV, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, add_ring(self->context, info.sink, 16, &again));
	task = hft_test_task(again.add.ring, 4, 0);
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, hft_test_take(&again, &event, LONG));
	ASSERT_EQ(24, event.result);
	hft_test_ring_close(&again);
}

/* The next job waits for its release, or for the worker to be done with the one before. */
TEST_F(sink, pulled_out_with_a_job_in_the_ring)
{
	struct hft_task task = hft_test_task(0, 5, hft_test_now());
	struct hft_event event;
	struct hft_stats stats;
	int64_t id;

	NEED_SINK();
	task.flags = HFT_TASK_PERIODIC;
	task.period = FAR;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(1, hft_test_wait(&self->ring, LONG));
	ASSERT_EQ(0, pull(self->info.name));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, LONG));
	ASSERT_EQ(120, event.result);
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, LONG));
	ASSERT_EQ(5, event.cookie);
	ASSERT_EQ(-ENODEV, event.result);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	ASSERT_EQ(1, stats.ended);
	ASSERT_EQ(TASKS, stats.tasks_free);
}

/* The device fetches the event before. */
TEST_F(sink, by_dma)
{
	struct hft_event event;
	struct hft_task task;
	int64_t id;
	int i;

	NEED_SINK();
	hft_test_ring_close(&self->ring);
	ASSERT_EQ(0, hft_test_rmmod("hft_edu"));
	ASSERT_EQ(0, hft_test_insmod(DRIVER, "dma=1"));
	if (find_sink(self->context, &self->info))
		SKIP(return, "this kernel has no memory that the device can address");
	ASSERT_EQ(0, add_ring(self->context, self->info.sink, 16, &self->ring));
	for (i = 10; i < 13; i++) {
		task = hft_test_task(0, i, 0);
		ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	}
	for (i = 10; i < 13; i++) {
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, LONG));
		ASSERT_EQ(i, (int)event.cookie);
		ASSERT_EQ(factorial(i), event.result);
	}
}

static int set_paused(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/paused", name);
	return hft_test_write_file(path, text);
}

/* Submit @nr from cookie @from on, due and soon to be. */
static int submit_many(int context, int from, int nr)
{
	int i, err = 0;

	for (i = from; i < from + nr && !err; i++) {
		struct hft_task task = hft_test_task(0, i, i & 1 ? hft_test_now() + i * 1000 : 0);

		err = hft_test_submit(context, &task, NULL);
	}
	return err;
}

/* What the driver is too busy for waits, and is had when the driver says so, each once. */
TEST_F(sink, a_busy_driver)
{
	struct hft_sink_info info;
	struct hft_event event;
	int i, n, err;

	NEED_SINK();
	EXPECT_EQ(-EINVAL, set_paused(self->info.name, "perhaps"));
	for (n = 0; n < 20; n++) {
		unsigned char seen[TASKS] = {};

		ASSERT_EQ(0, set_paused(self->info.name, "1"));
		ASSERT_EQ(0, find_sink(self->context, &info));
		ASSERT_EQ(0, submit_many(self->context, 0, 8));
		hft_test_sleep(NSEC_PER_MSEC);
		ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
		self->info = info;
		ASSERT_EQ(0, find_sink(self->context, &info));
		ASSERT_EQ(self->info.handed, info.handed);
		/* More come just when it goes on. */
		ASSERT_EQ(0, set_paused(self->info.name, "0"));
		ASSERT_EQ(0, submit_many(self->context, 8, 8));
		for (i = 0; i < 16; i++) {
			err = hft_test_take(&self->ring, &event, LONG);
			ASSERT_EQ(0, err);
			ASSERT_EQ(HFT_EVENT_SINK, event.type);
			ASSERT_GT(16, event.cookie);
			ASSERT_EQ(0, seen[event.cookie]++);
			ASSERT_EQ(factorial(event.cookie), event.result);
		}
	}

	/* It is pulled out meanwhile: each ends with that. */
	ASSERT_EQ(0, set_paused(self->info.name, "1"));
	ASSERT_EQ(0, submit_many(self->context, 0, 8));
	ASSERT_EQ(0, pull(self->info.name));
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, LONG));
		ASSERT_EQ(-ENODEV, event.result);
	}
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
}

/* The ring goes while the device has a task of it; what comes back then is nobody's. */
TEST_F(sink, closed_with_tasks)
{
	int rounds = hft_test_scaled(50), i, n;
	struct hft_event event;
	struct hft_task task;
	int64_t id;

	NEED_SINK();
	for (i = 0; i < rounds; i++) {
		for (n = 0; n < 20; n++) {
			task = hft_test_task(0, n, n % 2 ? 0 : hft_test_now() + 20000 * n);
			ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
		}
		hft_test_ring_close(&self->ring);
		ASSERT_EQ(0, add_ring(self->context, self->info.sink, 16, &self->ring));
	}
	task = hft_test_task(0, 3, 0);
	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, LONG));
	ASSERT_EQ(6, event.result);
}

/* A process with tasks in the device, until it is killed. */
static void live(uint32_t sink)
{
	int context = hft_test_context(TASKS);
	struct hft_test_ring ring;
	struct hft_event event;
	struct hft_task task;
	uint64_t i;

	if (context < 0 || add_ring(context, sink, 8, &ring))
		_exit(1);
	for (i = 0;; i++) {
		task = hft_test_task(0, i, i % 3 ? 0 : hft_test_now() + 100000);
		hft_test_submit(context, &task, NULL);
		if (hft_test_wait(&ring, 0) > 0)
			hft_test_next(&ring, &event);
	}
}

/* Pulled out and put back while processes use it and are killed. */
TEST_F(sink, storm)
{
	int rounds = hft_test_scaled(20), i, n;
	uint64_t random = 0x68667441;
	pid_t children[2];

	NEED_SINK();
	if (hft_test_slow_kernel())
		rounds = rounds / 4 + 1;
	hft_test_ring_close(&self->ring);
	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(0, find_sink(self->context, &self->info));
		for (n = 0; n < 2; n++) {
			children[n] = fork();
			ASSERT_LE(0, children[n]);
			if (!children[n])
				live(self->info.sink);
		}
		hft_test_sleep(20 * NSEC_PER_MSEC +
			       hft_test_random(&random) % (20 * NSEC_PER_MSEC));
		if (i & 1) {
			ASSERT_EQ(0, pull(self->info.name));
		}
		for (n = 0; n < 2; n++) {
			kill(children[n], SIGKILL);
			ASSERT_EQ(children[n], waitpid(children[n], NULL, 0));
		}
		if (i & 1) {
			ASSERT_EQ(0, plug());
		}
	}
	ASSERT_EQ(0, find_sink(self->context, &self->info));
	ASSERT_EQ(0, add_ring(self->context, self->info.sink, 16, &self->ring));
}

TEST_HARNESS_MAIN
