// SPDX-License-Identifier: GPL-2.0-only
/*
 * Structs of other sizes than this kernel's, commands that there are not, addresses that are
 * not mapped, and who may open the device.
 */
#include <grp.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	16
#define LARGEST	_IOC_SIZEMASK

FIXTURE(size) {
	int context;
	struct hft_test_ring ring;
	unsigned char *buffer;
};

FIXTURE_SETUP(size)
{
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 16, 16, HFT_POLICY_FIFO, &self->ring));
	self->buffer = calloc(1, LARGEST + 1);
	ASSERT_NE(NULL, self->buffer);
}

FIXTURE_TEARDOWN(size)
{
	free(self->buffer);
	hft_test_ring_close(&self->ring);
	close(self->context);
}

static unsigned int resized(unsigned int cmd, size_t size)
{
	return (cmd & ~IOCSIZE_MASK) | size << IOCSIZE_SHIFT;
}

static int sized_ioctl(int fd, unsigned int cmd, size_t size, void *argument)
{
	return hft_test_ioctl(fd, resized(cmd, size), argument);
}

/* Commands that read: a tail of zeroes is taken, one with any other byte in it is not. */
static void check_larger(struct __test_metadata *_metadata, int fd, unsigned int cmd,
			 const void *argument, int expected, unsigned char *buffer)
{
	static const size_t more[] = { 1, 4, 8, 64, 4096 };
	size_t ksize = _IOC_SIZE(cmd), i;

	for (i = 0; i < ARRAY_LEN(more); i++) {
		size_t size = ksize + more[i];

		memset(buffer, 0, LARGEST);
		memcpy(buffer, argument, ksize);
		EXPECT_EQ(expected, sized_ioctl(fd, cmd, size, buffer));
		memcpy(buffer, argument, ksize);
		buffer[ksize] = 1;
		EXPECT_EQ(-E2BIG, sized_ioctl(fd, cmd, size, buffer));
		buffer[ksize] = 0;
		buffer[size - 1] = 0x80;
		EXPECT_EQ(-E2BIG, sized_ioctl(fd, cmd, size, buffer));
		buffer[size - 1] = 0;
	}
	memset(buffer, 0, LARGEST);
	memcpy(buffer, argument, ksize);
	EXPECT_EQ(expected, sized_ioctl(fd, cmd, LARGEST, buffer));
}

TEST_F(size, larger_structs)
{
	uint64_t far = hft_test_now() + 1000 * NSEC_PER_SEC;
	struct hft_setup setup = { .tasks = 8 };
	struct hft_submit submit = { .task = hft_test_task(0, 1, far) };
	int64_t result;
	struct hft_submit_batch batch = {
		.tasks = (uintptr_t)&submit.task, .results = (uintptr_t)&result, .nr = 1,
		.task_size = sizeof(struct hft_task),
	};
	struct hft_cancel cancel = { .task = 12345ULL << 32 };
	struct hft_stats stats = { .ring = HFT_STATS_CONTEXT };
	struct hft_wait wait = {};

	check_larger(_metadata, self->context, HFT_IOC_SETUP, &setup, -EALREADY, self->buffer);
	check_larger(_metadata, self->context, HFT_IOC_SUBMIT, &submit, 0, self->buffer);
	check_larger(_metadata, self->context, HFT_IOC_SUBMIT_BATCH, &batch, 1, self->buffer);
	check_larger(_metadata, self->context, HFT_IOC_CANCEL, &cancel, -ENOENT, self->buffer);
	check_larger(_metadata, self->context, HFT_IOC_STATS, &stats, 0, self->buffer);
	check_larger(_metadata, self->ring.fd, HFT_IOC_WAIT, &wait, -ETIMEDOUT, self->buffer);
}

TEST_F(size, larger_ring_add)
{
	struct hft_ring_add add = hft_test_ring_default();
	int fd;

	memcpy(self->buffer, &add, sizeof(add));
	fd = sized_ioctl(self->context, HFT_IOC_RING_ADD, sizeof(add) + 32, self->buffer);
	ASSERT_LE(0, fd);
	close(fd);
	memcpy(self->buffer, &add, sizeof(add));
	self->buffer[sizeof(add) + 31] = 1;
	ASSERT_EQ(-E2BIG, sized_ioctl(self->context, HFT_IOC_RING_ADD, sizeof(add) + 32,
				      self->buffer));
}

/* What the kernel does not know of an answer is zero. */
TEST_F(size, larger_answers)
{
	static const unsigned int cmds[] = { HFT_IOC_QUERY, HFT_IOC_CLOCK, HFT_IOC_STATS };
	size_t i, j;

	for (i = 0; i < ARRAY_LEN(cmds); i++) {
		size_t ksize = _IOC_SIZE(cmds[i]);

		memset(self->buffer, 0xa5, LARGEST);
		if (cmds[i] == HFT_IOC_STATS) {
			memset(self->buffer, 0, LARGEST);
			memset(self->buffer, 0xff, sizeof(uint32_t));
		}
		self->buffer[ksize + 100] = 0xa5;
		ASSERT_EQ(0, sized_ioctl(self->context, cmds[i], ksize + 100, self->buffer));
		for (j = ksize; j < ksize + 100; j++)
			ASSERT_EQ(0, self->buffer[j]);
		ASSERT_EQ(0xa5, self->buffer[ksize + 100]);
	}
}

/* What the caller does not know of an answer is not written. */
TEST_F(size, smaller_answers)
{
	struct hft_query query = {};
	struct hft_clock_pair pair = {};
	size_t size, i;

	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_QUERY, &query));
	for (size = 0; size < sizeof(query); size++) {
		memset(self->buffer, 0xa5, sizeof(query));
		ASSERT_EQ(0, sized_ioctl(self->context, HFT_IOC_QUERY, size, self->buffer));
		ASSERT_EQ(0, memcmp(self->buffer, &query, size));
		for (i = size; i < sizeof(query); i++)
			ASSERT_EQ(0xa5, self->buffer[i]);
	}
	for (size = 0; size < sizeof(pair); size += 8) {
		memset(self->buffer, 0xa5, sizeof(pair));
		ASSERT_EQ(0, sized_ioctl(self->context, HFT_IOC_CLOCK, size, self->buffer));
		for (i = size; i < sizeof(pair); i++)
			ASSERT_EQ(0xa5, self->buffer[i]);
	}
}

/* A caller of the days before a field is one that left it zero. */
TEST_F(size, smaller_structs)
{
	struct hft_ring_add add = hft_test_ring_default();
	struct hft_submit submit = { .task = hft_test_task(0, 77, 0) };
	struct hft_stats stats = { .ring = HFT_STATS_CONTEXT, .bad_head = 1234 };
	struct hft_event event;
	int fd, context;
	struct hft_setup setup = { .tasks = 8, .flags = 0xffffffff };

	context = hft_test_open();
	ASSERT_LT(0, context);
	ASSERT_EQ(-EINVAL, sized_ioctl(context, HFT_IOC_SETUP, 8, &setup));
	ASSERT_EQ(0, sized_ioctl(context, HFT_IOC_SETUP, 12, &setup));
	close(context);

	/* Up to the lead: the number of the ring and the rest do not come back. */
	add.ring = 0xdeadbeef;
	fd = sized_ioctl(self->context, HFT_IOC_RING_ADD, 24, &add);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0xdeadbeef, add.ring);
	close(fd);

	submit.result = 1;
	submit.reserved = 1;
	ASSERT_EQ(0, sized_ioctl(self->context, HFT_IOC_SUBMIT, 64, &submit));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_EQ(77, event.cookie);
	/* Without a level it is of the lowest. */
	ASSERT_EQ(0, sized_ioctl(self->context, HFT_IOC_SUBMIT, 32, &submit));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_EQ(HFT_LEVEL_IDLE, event.level);

	ASSERT_EQ(0, sized_ioctl(self->context, HFT_IOC_STATS, 88, &stats));
	ASSERT_EQ(2, stats.submitted);
	ASSERT_EQ(1234, stats.bad_head);
}

struct newer_task {
	struct hft_task task;
	uint64_t more;
};

TEST_F(size, tasks_of_a_batch)
{
	struct newer_task tasks[40] = {};
	int64_t results[40];
	struct hft_submit_batch batch = {
		.tasks = (uintptr_t)tasks, .results = (uintptr_t)results, .nr = 8,
		.task_size = sizeof(tasks[0]),
	};
	struct { uint64_t cookie, release, deadline, ring; } older[8] = {};
	struct hft_event event;
	struct hft_stats stats;
	int i;

	for (i = 0; i < 40; i++)
		tasks[i].task = hft_test_task(0, i, 0);
	ASSERT_EQ(8, hft_test_ioctl(self->context, HFT_IOC_SUBMIT_BATCH, &batch));
	for (i = 0; i < 8; i++) {
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
		ASSERT_EQ(i, (int)event.cookie);
	}
	tasks[7].more = 1;
	ASSERT_EQ(-E2BIG, hft_test_ioctl(self->context, HFT_IOC_SUBMIT_BATCH, &batch));
	tasks[7].more = 0;

	for (i = 0; i < 8; i++)
		older[i].cookie = 100 + i;
	batch.tasks = (uintptr_t)older;
	batch.task_size = sizeof(older[0]);
	ASSERT_EQ(8, hft_test_ioctl(self->context, HFT_IOC_SUBMIT_BATCH, &batch));
	for (i = 0; i < 8; i++) {
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
		ASSERT_EQ(100 + i, (int)event.cookie);
	}
	ASSERT_EQ(0, hft_test_stats(self->context, HFT_STATS_CONTEXT, &stats));
	ASSERT_EQ(TASKS, stats.tasks_free);
	ASSERT_EQ(16, stats.submitted);
}

TEST_F(size, commands_that_there_are_not)
{
	unsigned int nr, dir, known[] = {
		HFT_IOC_QUERY, HFT_IOC_SETUP, HFT_IOC_RING_ADD, HFT_IOC_STATS, HFT_IOC_CLOCK,
		HFT_IOC_SUBMIT, HFT_IOC_SUBMIT_BATCH, HFT_IOC_CANCEL, HFT_IOC_MODIFY,
		HFT_IOC_TASK, HFT_IOC_HALT, HFT_IOC_RING_SET, HFT_IOC_RELEASE, HFT_IOC_CLASS,
		HFT_IOC_METER, HFT_IOC_HIST,
		HFT_IOC_LEAD, HFT_IOC_RULE, HFT_IOC_RULE_INFO, HFT_IOC_PMU, HFT_IOC_SINK,
	};
	size_t i;

	for (nr = 0; nr < 256; nr++) {
		for (dir = 0; dir < 4; dir++) {
			unsigned int cmd = _IOC(dir, 'h', nr, 16);
			bool is_known = false;

			for (i = 0; i < ARRAY_LEN(known); i++)
				is_known |= resized(known[i], 16) == cmd;
			if (!is_known)
				ASSERT_EQ(-ENOTTY, hft_test_ioctl(self->context, cmd,
								  self->buffer)) {
					TH_LOG("command %#x", cmd);
				}
			if (cmd != resized(HFT_IOC_WAIT, 16))
				ASSERT_EQ(-ENOTTY, hft_test_ioctl(self->ring.fd, cmd,
								  self->buffer)) {
					TH_LOG("command %#x of a ring", cmd);
				}
		}
	}
	ASSERT_EQ(-ENOTTY, hft_test_ioctl(self->context, HFT_IOC_QUERY ^ 0x100, self->buffer));
}

static int count_descriptors(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

TEST_F(size, arguments_that_are_not_mapped)
{
	static const unsigned int cmds[] = {
		HFT_IOC_QUERY, HFT_IOC_SETUP, HFT_IOC_RING_ADD, HFT_IOC_STATS, HFT_IOC_CLOCK,
		HFT_IOC_SUBMIT, HFT_IOC_SUBMIT_BATCH, HFT_IOC_CANCEL, HFT_IOC_MODIFY,
		HFT_IOC_TASK, HFT_IOC_HALT, HFT_IOC_RING_SET, HFT_IOC_RELEASE, HFT_IOC_CLASS,
		HFT_IOC_METER, HFT_IOC_HIST,
		HFT_IOC_LEAD, HFT_IOC_RULE, HFT_IOC_RULE_INFO, HFT_IOC_PMU,
	};
	static const uintptr_t bad[] = { 0, 1, 1UL << 63, -1UL, 0xffffffff81000000 };
	struct hft_ring_add *read_only;
	int descriptors = count_descriptors();
	struct hft_stats stats;
	size_t i, j;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		for (j = 0; j < ARRAY_LEN(cmds); j++)
			EXPECT_EQ(-EFAULT, hft_test_ioctl(self->context, cmds[j], (void *)bad[i]));
		EXPECT_EQ(-EFAULT, hft_test_ioctl(self->ring.fd, HFT_IOC_WAIT, (void *)bad[i]));
	}

	/* The answer can not be written: there is no ring, and no descriptor of it. */
	read_only = mmap(NULL, HFT_TEST_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	ASSERT_NE(MAP_FAILED, read_only);
	*read_only = hft_test_ring_default();
	ASSERT_EQ(0, mprotect(read_only, HFT_TEST_PAGE, PROT_READ));
	ASSERT_EQ(-EFAULT, hft_test_ioctl(self->context, HFT_IOC_RING_ADD, read_only));
	ASSERT_EQ(descriptors, count_descriptors());
	ASSERT_EQ(-ENOENT, hft_test_stats(self->context, 1, &stats));
	munmap(read_only, HFT_TEST_PAGE);
}

/* Try to open the device as another user; @gid is his group. */
static int open_as(uid_t uid, gid_t gid)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		int fd;

		if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
			_exit(255);
		fd = hft_test_open();
		_exit(fd < 0 ? -fd : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

TEST(only_the_group_opens_it)
{
	struct stat stat_buffer;

	ASSERT_EQ(0, stat(HFT_TEST_DEVICE, &stat_buffer));
	ASSERT_TRUE(S_ISCHR(stat_buffer.st_mode));
	ASSERT_EQ(0660, stat_buffer.st_mode & 07777);
	ASSERT_EQ(0, stat_buffer.st_uid);
	ASSERT_EQ(EACCES, open_as(1234, 1234));
	ASSERT_EQ(0, open_as(0, 0));
	if (!stat_buffer.st_gid)
		SKIP(return, "no group was given to %s", HFT_TEST_DEVICE);
	ASSERT_EQ(0, open_as(1234, stat_buffer.st_gid));
}

TEST_HARNESS_MAIN
