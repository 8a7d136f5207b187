// SPDX-License-Identifier: GPL-2.0-only
/* libhft where a process may not have what it asks for: what it says, what it does without. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <hft/hft.h>

#include "kselftest_harness.h"

#define NSEC_PER_SEC	1000000000ULL
#define TRADER		1000
#define GROUP		900		/* of /dev/hft in the VM */
#define USER_TASKS	"/sys/module/hft/parameters/user_tasks"
#define MOST_FDS	16

static void note(void *arg, const char *text)
{
	bool *fell_back = arg;

	*fell_back |= strstr(text, "submitting by ioctl") != NULL;
}

/* A task goes through the handle and comes back. */
static int try_out(struct hft *h)
{
	struct hft_task task = { .cookie = 7, .level = HFT_LEVEL_NORMAL, .release = 1 };
	struct hft_ring *ring = NULL;
	int err = hft_ring_open(h, NULL, &ring);

	if (!err) {
		task.ring = hft_ring_number(ring);
		err = hft_submit(h, &task, NULL);
	}
	if (!err)
		err = hft_wait(ring, hft_now() + 20 * NSEC_PER_SEC) == 1 ? 0 : -ETIME;
	hft_ring_close(ring);
	return err;
}

static int first_free_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

/* The soft limit: root's own code can go back. */
static int limit_fds(int fds)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = fds < 0 ? limit.rlim_max : (rlim_t)fds;
	return setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_with(int more_fds, uint32_t flags, bool *fell_back, struct hft **h)
{
	HFT_OPTS(hft_opts, opts, .backend = "kernel", .flags = flags, .warn = note,
		 .warn_arg = fell_back);
	int err;

	*fell_back = false;
	limit_fds(first_free_fd() + more_fds);
	err = hft_open(h, &opts);
	limit_fds(-1);
	return err;
}

FIXTURE(descriptors) {
	int free;
};

FIXTURE_SETUP(descriptors)
{
	struct hft *h;

	/* The first handle opens what the process keeps. */
	ASSERT_EQ(0, hft_open(&h, NULL));
	hft_close(h);
	self->free = first_free_fd();
}

FIXTURE_TEARDOWN(descriptors)
{
	EXPECT_EQ(self->free, first_free_fd());
}

TEST_F(descriptors, each_but_that_of_io_uring_is_needed)
{
	int more, err, fallbacks = 0;
	bool fell_back = true;
	struct hft *h;

	for (more = 0; more < MOST_FDS && fell_back; more++) {
		err = open_with(more, 0, &fell_back, &h);
		if (err) {
			ASSERT_EQ(-EMFILE, err);
			ASSERT_EQ(self->free, first_free_fd());
			ASSERT_EQ(0, fallbacks);
			fell_back = true;
			continue;
		}
		fallbacks += fell_back;
		ASSERT_EQ(0, try_out(h));
		hft_close(h);
	}
	EXPECT_LT(1, more);
	EXPECT_LT(0, fallbacks);
	EXPECT_FALSE(fell_back);
}

TEST_F(descriptors, a_polling_thread_has_no_substitute)
{
	bool fell_back;
	struct hft *h;
	int more, err = -EMFILE;

	for (more = 0; more < MOST_FDS && err; more++) {
		err = open_with(more, HFT_OPEN_SQPOLL, &fell_back, &h);
		ASSERT_FALSE(fell_back);
		if (err) {
			ASSERT_EQ(-EMFILE, err);
			ASSERT_EQ(self->free, first_free_fd());
		}
	}
	ASSERT_EQ(0, err);
	EXPECT_LT(1, more);
	EXPECT_EQ(0, try_out(h));
	hft_close(h);
}

static int find_io_uring(void)
{
	char path[32], target[64];
	ssize_t n;
	int fd;

	for (fd = 3; fd < 1024; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		if (!strcmp(target, "anon_inode:[io_uring]"))
			return fd;
	}
	return -1;
}

/* As where a program closes descriptors that it does not know. */
TEST_F(descriptors, a_lost_io_uring_is_done_without)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd;
	struct hft *h;

	ASSERT_EQ(0, hft_open(&h, NULL));
	fd = find_io_uring();
	ASSERT_LE(0, fd);
	ASSERT_EQ(fd, dup3(null, fd, O_CLOEXEC));
	EXPECT_EQ(0, try_out(h));
	EXPECT_EQ(0, try_out(h));
	hft_close(h);
	close(null);
}

TEST(polling_thread_of_a_cpu)
{
	HFT_OPTS(hft_opts, opts, .flags = HFT_OPEN_SQPOLL, .sqpoll_cpu = 1);
	struct hft *h;

	ASSERT_EQ(0, hft_open(&h, &opts));
	EXPECT_EQ(0, try_out(h));
	hft_close(h);
	opts.sqpoll_cpu = 100000;
	ASSERT_EQ(-EINVAL, hft_open(&h, &opts));
	EXPECT_NE(NULL, strstr(hft_strerror(-EINVAL), "polling thread"));
}

/* An error of the library, and a word of the text that goes with it. */
#define EXPECT_REFUSED(error, word, call) do {						\
	EXPECT_EQ(-(error), call);							\
	EXPECT_NE(NULL, strstr(hft_strerror(-(error)), word)) {				\
		TH_LOG("%s", hft_strerror(-(error)));					\
	}										\
} while (0)

static int become_trader(bool in_group)
{
	const gid_t group = GROUP;

	if (setgroups(in_group, &group) || setgid(TRADER) || setuid(TRADER))
		return -errno;
	return 0;
}

TEST(who_is_not_in_the_group)
{
	struct hft *h;

	ASSERT_EQ(0, become_trader(false));
	EXPECT_REFUSED(EACCES, "group", hft_open(&h, NULL));
}

/* Who opened the parameter as root can still write it as the trader. */
TEST(quota_of_a_user)
{
	HFT_OPTS(hft_opts, opts, .tasks = 200);
	int quota = open(USER_TASKS, O_RDWR | O_CLOEXEC);
	char before[32];
	ssize_t length = read(quota, before, sizeof(before));
	struct hft *h;

	ASSERT_LT(0, length);
	ASSERT_EQ(3, pwrite(quota, "100", 3, 0));
	ASSERT_EQ(0, become_trader(true));
	EXPECT_REFUSED(EDQUOT, "quota", hft_open(&h, &opts));
	opts.tasks = 100;
	ASSERT_EQ(0, hft_open(&h, &opts));
	EXPECT_EQ(0, try_out(h));
	hft_close(h);
	EXPECT_EQ(length, pwrite(quota, before, length, 0));
	close(quota);
}

static void run(const struct hft_event *event, uint64_t start, void *arg)
{
	(void)event;
	(void)start;
	(void)arg;
}

TEST(rights_of_a_worker)
{
	static const struct rlimit none;
	HFT_OPTS(hft_worker_opts, opts, .fn = run);
	struct hft_worker *worker;
	struct hft_ring *ring;
	struct hft *h;

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &none));
	ASSERT_EQ(0, setrlimit(RLIMIT_RTPRIO, &none));
	ASSERT_EQ(0, become_trader(true));
	ASSERT_EQ(0, hft_open(&h, NULL));
	ASSERT_EQ(0, hft_ring_open(h, NULL, &ring));
	EXPECT_REFUSED(EPERM, "RLIMIT_MEMLOCK", hft_worker_start(ring, &opts, &worker));
	opts.flags = HFT_WORKER_NO_LOCK;
	EXPECT_REFUSED(EPERM, "RLIMIT_RTPRIO", hft_worker_start(ring, &opts, &worker));
	opts.flags |= HFT_WORKER_NO_RT;
	ASSERT_EQ(0, hft_worker_start(ring, &opts, &worker));
	EXPECT_EQ(0, hft_worker_stop(worker));
	hft_ring_close(ring);
	hft_close(h);
}

static int set_online(uint32_t cpu, const char *value)
{
	char path[64];
	int fd, n;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : (int)write(fd, value, strlen(value));
	close(fd);
	return n < 0 ? -errno : 0;
}

TEST(cpu_that_went)
{
	HFT_OPTS(hft_ring_opts, opts, .cpu = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN) - 1);
	struct hft_task task = { .level = HFT_LEVEL_NORMAL, .release = 1 };
	struct hft_ring *ring;
	struct hft *h;

	if (!opts.cpu)
		SKIP(return, "it takes two CPUs");
	ASSERT_EQ(0, hft_open(&h, NULL));
	ASSERT_EQ(0, hft_ring_open(h, &opts, &ring));
	task.ring = hft_ring_number(ring);
	ASSERT_EQ(0, set_online(opts.cpu, "0"));
	EXPECT_REFUSED(ENODEV, "offline", hft_submit(h, &task, NULL));
	ASSERT_EQ(0, set_online(opts.cpu, "1"));
	EXPECT_EQ(0, hft_submit(h, &task, NULL));
	hft_ring_close(ring);
	hft_close(h);
}

/* Nothing of the batch is taken; a batch that is taken in part is engine.c's. */
TEST(batch_that_is_nowhere)
{
	struct hft *h;

	ASSERT_EQ(0, hft_open(&h, NULL));
	EXPECT_EQ(-EFAULT, hft_submit_batch(h, (const struct hft_task *)8, 2, NULL));
	EXPECT_EQ(0, try_out(h));
	hft_close(h);
}

TEST_HARNESS_MAIN
