// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits: a context's tasks, a user's tasks, rings and bytes over all of his processes, the
 * rings of a context and the room of a CPU.  A full quota is -EDQUOT, and usable again after.
 */
#include <sys/resource.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define PARAMETERS	"/sys/module/hft/parameters/"

TEST(tasks_of_a_context)
{
	uint64_t far = hft_test_now() + 1000 * NSEC_PER_SEC;
	int context = hft_test_context(10), i, round;
	struct hft_test_ring ring;
	struct hft_event event;
	struct hft_task task;
	int64_t id[10];

	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_ring_add(context, 0, 4, 4, HFT_POLICY_FIFO, &ring));
	for (round = 0; round < 100; round++) {
		for (i = 0; i < 9; i++) {
			task = hft_test_task(0, i, far);
			ASSERT_EQ(0, hft_test_submit(context, &task, &id[i]));
		}
		/* One that is dispatched gives its slot back. */
		task = hft_test_task(0, 9, 0);
		ASSERT_EQ(0, hft_test_submit(context, &task, NULL));
		ASSERT_TRUE(hft_test_next(&ring, &event));
		task.release = far;
		ASSERT_EQ(0, hft_test_submit(context, &task, &id[9]));
		ASSERT_EQ(-EDQUOT, hft_test_submit(context, &task, NULL));
		ASSERT_EQ(-EDQUOT, hft_test_submit(context, &task, NULL));
		for (i = 0; i < 10; i++)
			ASSERT_EQ(0, hft_test_cancel(context, id[i]));
	}
	hft_test_ring_close(&ring);
	close(context);
}

TEST(batch_larger_than_what_is_left)
{
	uint64_t far = hft_test_now() + 1000 * NSEC_PER_SEC;
	int context = hft_test_context(100), i;
	struct hft_test_ring ring;
	struct hft_task tasks[150];
	int64_t results[150];

	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_ring_add(context, 0, 4, 4, HFT_POLICY_FIFO, &ring));
	for (i = 0; i < 150; i++)
		tasks[i] = hft_test_task(0, i, far);
	ASSERT_EQ(100, hft_test_submit_batch(context, tasks, results, 150));
	for (i = 0; i < 150; i++) {
		ASSERT_EQ(i < 100, results[i] > 0);
		ASSERT_TRUE(i < 100 || results[i] == -EDQUOT);
	}
	ASSERT_EQ(0, hft_test_submit_batch(context, tasks, results, 150));
	hft_test_ring_close(&ring);
	close(context);
}

TEST(rings_of_a_context)
{
	int context = hft_test_context(1), fds[256];
	struct hft_ring_add add = hft_test_ring_default();
	struct hft_query query = {};
	uint32_t i;

	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_ioctl(context, HFT_IOC_QUERY, &query));
	ASSERT_GT(256, query.max_rings);
	for (i = 0; i < query.max_rings; i++) {
		add = hft_test_ring_default();
		add.entries = 1;
		add.window = 1;
		fds[i] = hft_test_ioctl(context, HFT_IOC_RING_ADD, &add);
		ASSERT_LT(0, fds[i]);
		ASSERT_EQ(i, add.ring);
	}
	add = hft_test_ring_default();
	ASSERT_EQ(-ENOSPC, hft_test_ioctl(context, HFT_IOC_RING_ADD, &add));
	close(fds[17]);
	add = hft_test_ring_default();
	fds[17] = hft_test_ioctl(context, HFT_IOC_RING_ADD, &add);
	ASSERT_LT(0, fds[17]);
	ASSERT_EQ(17, add.ring);
	close(context);
	for (i = 0; i < query.max_rings; i++)
		close(fds[i]);
}

static int add_ring(int context, uint32_t cpu)
{
	struct hft_ring_add add = hft_test_ring_default();

	add.cpu = cpu;
	return hft_test_ioctl(context, HFT_IOC_RING_ADD, &add);
}

/* Every task of every context with a ring on a CPU must have a place in the CPU's heaps. */
TEST(room_of_a_cpu)
{
	struct hft_ring_add monitor = {
		.entries = 4, .window = 4, .flags = HFT_RING_MONITOR,
	};
	char text[32] = "";
	int first, second, ring[3];
	uint32_t room;

	ASSERT_EQ(0, hft_test_read_file(PARAMETERS "queue_tasks", text, sizeof(text)));
	room = atoi(text);
	first = hft_test_context(room - 10);
	second = hft_test_context(11);
	ASSERT_LT(0, first);
	ASSERT_LT(0, second);
	ring[0] = add_ring(first, 0);
	ASSERT_LT(0, ring[0]);
	ASSERT_EQ(-ENOSPC, add_ring(second, 0));
	/* A monitor ring has no tasks. */
	ring[2] = hft_test_ioctl(second, HFT_IOC_RING_ADD, &monitor);
	ASSERT_LT(0, ring[2]);
	ASSERT_EQ(-ENOSPC, add_ring(second, 0));
	close(ring[2]);
	/* Another ring of the same context needs no more. */
	ring[1] = add_ring(first, 0);
	ASSERT_LT(0, ring[1]);
	if (hft_test_cpus() > 1) {
		ring[2] = add_ring(second, 1);
		ASSERT_LT(0, ring[2]);
		close(ring[2]);
	}
	close(ring[0]);
	ASSERT_EQ(-ENOSPC, add_ring(second, 0));
	close(ring[1]);
	ring[2] = add_ring(second, 0);
	ASSERT_LT(0, ring[2]);
	close(ring[2]);
	close(second);
	close(first);
}

TEST(descriptors_of_the_process)
{
	int context = hft_test_context(1), ring, highest;
	struct rlimit limit, none;

	ASSERT_LT(0, context);
	highest = dup(context);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = highest + 1;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	ASSERT_EQ(-EMFILE, add_ring(context, 0));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	ring = add_ring(context, 0);
	ASSERT_LT(0, ring);
	close(ring);
	close(highest);
	close(context);
}

FIXTURE(user) {
	char saved[3][32];
};

static const char * const limits[] = {
	PARAMETERS "user_tasks", PARAMETERS "user_rings", PARAMETERS "user_bytes",
};

FIXTURE_SETUP(user)
{
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, hft_test_read_file(limits[i], self->saved[i], 32));
	ASSERT_EQ(0, hft_test_write_file(limits[0], "1000"));
	ASSERT_EQ(0, hft_test_write_file(limits[1], "4"));
	/* Four pages and what a heap of 100 tasks takes, but not twice. */
	ASSERT_EQ(0, hft_test_write_file(limits[2], "40000"));
}

FIXTURE_TEARDOWN(user)
{
	int i;

	setresuid(0, 0, 0);
	for (i = 0; i < 3; i++)
		hft_test_write_file(limits[i], self->saved[i]);
}

/* Become a user in the group that may open the device; the teardown wants the way back. */
static int become(uid_t uid)
{
	struct stat device;

	if (stat(HFT_TEST_DEVICE, &device))
		return -errno;
	return setresgid(device.st_gid, device.st_gid, device.st_gid) ||
	       setresuid(uid, uid, 0) ? -errno : 0;
}

/* A process of @uid sets up a context of @tasks and keeps it until @release is closed. */
static pid_t hold_tasks(uid_t uid, uint32_t tasks, const int release[2], int *err)
{
	int answer[2];
	pid_t pid;

	if (pipe(answer))
		return -1;
	pid = fork();
	if (!pid) {
		char byte;

		close(release[1]);
		*err = become(uid);
		if (!*err)
			*err = hft_test_context(tasks);
		if (write(answer[1], err, sizeof(*err)) == sizeof(*err))
			while (read(release[0], &byte, 1) > 0)
				;
		_exit(0);
	}
	close(answer[1]);
	if (pid < 0 || read(answer[0], err, sizeof(*err)) != sizeof(*err))
		*err = -EPROTO;
	close(answer[0]);
	return pid;
}

TEST_F(user, tasks_over_processes)
{
	int release[2], err[5], i;
	pid_t pid[5];

	ASSERT_EQ(0, pipe(release));
	pid[0] = hold_tasks(1234, 600, release, &err[0]);
	pid[1] = hold_tasks(1234, 401, release, &err[1]);
	pid[2] = hold_tasks(1234, 400, release, &err[2]);
	pid[3] = hold_tasks(1234, 1, release, &err[3]);
	pid[4] = hold_tasks(1235, 1000, release, &err[4]);
	close(release[1]);
	for (i = 0; i < 5; i++)
		ASSERT_EQ(pid[i], waitpid(pid[i], NULL, 0));
	close(release[0]);
	EXPECT_LT(0, err[0]);
	EXPECT_EQ(-EDQUOT, err[1]);
	EXPECT_LT(0, err[2]);
	EXPECT_EQ(-EDQUOT, err[3]);
	EXPECT_LT(0, err[4]);

	/* The processes are gone, so the quota is there again. */
	ASSERT_EQ(0, pipe(release));
	pid[0] = hold_tasks(1234, 1000, release, &err[0]);
	close(release[1]);
	waitpid(pid[0], NULL, 0);
	EXPECT_LT(0, err[0]);
	close(release[0]);
}

/* It is the opener's quota, whoever uses the descriptor. */
TEST_F(user, opener_is_charged)
{
	int context = hft_test_open(), other;

	ASSERT_LT(0, context);
	ASSERT_EQ(0, become(1236));
	ASSERT_EQ(0, hft_test_setup(context, 1000));
	other = hft_test_context(1000);
	ASSERT_LT(0, other);
	close(other);
	close(context);
}

TEST_F(user, rings)
{
	int context[2], ring[4], i;

	ASSERT_EQ(0, hft_test_write_file(limits[2], self->saved[2]));
	ASSERT_EQ(0, become(1237));
	for (i = 0; i < 2; i++) {
		context[i] = hft_test_context(10);
		ASSERT_LT(0, context[i]);
	}
	for (i = 0; i < 4; i++) {
		ring[i] = add_ring(context[i & 1], 0);
		ASSERT_LT(0, ring[i]);
	}
	ASSERT_EQ(-EDQUOT, add_ring(context[0], 0));
	ASSERT_EQ(-EDQUOT, add_ring(context[1], 0));
	close(ring[3]);
	ring[3] = add_ring(context[0], 0);
	ASSERT_LT(0, ring[3]);
	for (i = 0; i < 4; i++)
		close(ring[i]);
	close(context[0]);
	close(context[1]);
}

TEST_F(user, bytes)
{
	int context, ring;

	ASSERT_EQ(0, become(1238));
	context = hft_test_context(100);
	ASSERT_LT(0, context);
	ring = add_ring(context, 0);
	ASSERT_LT(0, ring);
	while (ring >= 0) {
		int next = add_ring(context, 0);

		if (next < 0) {
			ASSERT_EQ(-EDQUOT, next);
			break;
		}
	}
	close(ring);
	ring = add_ring(context, 0);
	ASSERT_LT(0, ring);
	close(ring);
	close(context);
}

/* Two pages, one with a single event, one with the heap of a task. */
TEST_F(user, bytes_of_a_part_of_a_page)
{
	struct hft_test_ring ring;
	int context;

	ASSERT_EQ(0, hft_test_write_file(limits[2], "16383"));
	context = hft_test_context(1);
	ASSERT_LT(0, context);
	ASSERT_EQ(-EDQUOT, hft_test_ring_add(context, 0, 1, 1, HFT_POLICY_FIFO, &ring));
	ASSERT_EQ(0, hft_test_write_file(limits[2], "16384"));
	ASSERT_EQ(0, hft_test_ring_add(context, 0, 1, 1, HFT_POLICY_FIFO, &ring));
	hft_test_ring_close(&ring);
	close(context);
}

TEST_HARNESS_MAIN
