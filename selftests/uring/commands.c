// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands as an io_uring sends them: from the caller, from the polling thread of the
 * io_uring, from a worker thread of it; good ones, bad ones, linked ones, and in a batch.
 */
#include <liburing.h>
#include <poll.h>
#include <stddef.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	64
#define DEPTH	32

FIXTURE(commands) {
	int context;
	struct hft_test_ring ring;
	struct io_uring uring;
	unsigned int sqe_flags;
};

FIXTURE_VARIANT(commands) {
	unsigned int setup;
	unsigned int sqe_flags;
	bool fixed;
};

FIXTURE_VARIANT_ADD(commands, plain) {};
FIXTURE_VARIANT_ADD(commands, registered_file) { .fixed = true };
FIXTURE_VARIANT_ADD(commands, worker_thread) { .sqe_flags = IOSQE_ASYNC };
FIXTURE_VARIANT_ADD(commands, sqpoll) { .setup = IORING_SETUP_SQPOLL };
FIXTURE_VARIANT_ADD(commands, sqpoll_registered_file) {
	.setup = IORING_SETUP_SQPOLL, .fixed = true,
};

static int uring_init(struct io_uring *uring, unsigned int flags)
{
	struct io_uring_params params = { .flags = flags, .sq_thread_idle = 100 };

	return io_uring_queue_init_params(DEPTH, uring, &params);
}

FIXTURE_SETUP(commands)
{
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 64, 64, HFT_POLICY_FIFO, &self->ring));
	ASSERT_EQ(0, uring_init(&self->uring, IORING_SETUP_SQE128 | variant->setup));
	self->sqe_flags = variant->sqe_flags;
	if (variant->fixed) {
		ASSERT_EQ(0, io_uring_register_files(&self->uring, &self->context, 1));
		self->sqe_flags |= IOSQE_FIXED_FILE;
	}
}

FIXTURE_TEARDOWN(commands)
{
	io_uring_queue_exit(&self->uring);
	hft_test_ring_close(&self->ring);
	close(self->context);
	/* The io_uring lets go of its files in the background. */
	EXPECT_EQ(0, hft_test_await_unused());
}

/* Queue a command of @size bytes without sending it; @fd is an index if it is registered. */
static int queue(struct io_uring *uring, int fd, unsigned int flags, unsigned int op,
		 const void *argument, size_t size, uint64_t data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(uring);

	/* The polling thread frees entries after it has completed them. */
	while (!sqe && io_uring_sqring_wait(uring) >= 0)
		sqe = io_uring_get_sqe(uring);
	if (!sqe)
		return -EBUSY;
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, NULL, 0, 0);
	sqe->cmd_op = op;
	sqe->flags = flags;
	sqe->user_data = data;
	memcpy(sqe->cmd, argument, size);
	return 0;
}

/* Wait for a completion.  Returns its result. */
static int complete(struct io_uring *uring, uint64_t *data)
{
	struct io_uring_cqe *cqe;
	int ret = io_uring_wait_cqe(uring, &cqe);

	if (ret)
		return ret;
	ret = cqe->res;
	if (data)
		*data = cqe->user_data;
	io_uring_cqe_seen(uring, cqe);
	return ret;
}

static int command(struct io_uring *uring, int fd, unsigned int flags, unsigned int op,
		   const void *argument, size_t size)
{
	int ret = queue(uring, flags & IOSQE_FIXED_FILE ? 0 : fd, flags, op, argument, size, 0);

	if (ret)
		return ret;
	ret = io_uring_submit(uring);
	return ret < 0 ? ret : complete(uring, NULL);
}

#define COMMAND(op, argument)								\
	command(&self->uring, self->context, self->sqe_flags, op, argument, sizeof(*(argument)))

static uint32_t tasks_free(int context)
{
	struct hft_stats stats;

	return hft_test_stats(context, HFT_STATS_CONTEXT, &stats) ? UINT32_MAX : stats.tasks_free;
}

TEST_F(commands, submit_and_cancel)
{
	struct hft_submit submit = { .task = hft_test_task(0, 5, 0) };
	struct hft_cancel cancel = {};
	struct hft_event event;
	int64_t id = 0;

	submit.result = (uintptr_t)&id;
	ASSERT_EQ(0, COMMAND(HFT_IOC_SUBMIT, &submit));
	ASSERT_LT(0, id);
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_EQ(5, event.cookie);
	ASSERT_EQ(id, (int64_t)event.task);
	cancel.task = id;
	ASSERT_EQ(-ENOENT, COMMAND(HFT_IOC_CANCEL, &cancel));

	submit.task.release = hft_test_now() + 1000 * NSEC_PER_SEC;
	ASSERT_EQ(0, COMMAND(HFT_IOC_SUBMIT, &submit));
	ASSERT_EQ(TASKS - 1, tasks_free(self->context));
	cancel.task = id;
	ASSERT_EQ(0, COMMAND(HFT_IOC_CANCEL, &cancel));
	ASSERT_EQ(-ENOENT, COMMAND(HFT_IOC_CANCEL, &cancel));
	ASSERT_EQ(TASKS, tasks_free(self->context));

	submit.task.release = hft_test_now() + 20 * NSEC_PER_MSEC;
	ASSERT_EQ(0, COMMAND(HFT_IOC_SUBMIT, &submit));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
	ASSERT_EQ(submit.task.release, event.release);
	ASSERT_LE(event.release, event.published);
}

TEST_F(commands, batch_of_good_and_bad)
{
	struct hft_task tasks[40];
	int64_t results[40];
	struct hft_submit_batch batch = {
		.tasks = (uintptr_t)tasks, .results = (uintptr_t)results, .nr = 40,
		.task_size = sizeof(tasks[0]),
	};
	struct hft_event event;
	int i, good = 0;

	for (i = 0; i < 40; i++) {
		tasks[i] = hft_test_task(i % 7 == 3 ? 9 : 0, i, 0);
		if (i % 5 == 2)
			tasks[i].reserved2 = 1;
		good += i % 7 != 3 && i % 5 != 2;
	}
	ASSERT_EQ(good, COMMAND(HFT_IOC_SUBMIT_BATCH, &batch));
	for (i = 0; i < 40; i++) {
		int err = i % 5 == 2 ? -EINVAL : i % 7 == 3 ? -ENOENT : 0;

		ASSERT_EQ(err, results[i] > 0 ? 0 : results[i]);
		if (err)
			continue;
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
		ASSERT_EQ(i, (int)event.cookie);
		ASSERT_EQ(results[i], (int64_t)event.task);
	}
	ASSERT_EQ(TASKS, tasks_free(self->context));
}

/* What a clock needs is made as its first task is submitted, by whichever way. */
TEST_F(commands, first_task_of_a_clock)
{
	struct hft_task tasks[] = {
		hft_test_task(0, 1, 0), hft_test_task(0, 2, 1), hft_test_task(0, 3, 1),
	};
	int64_t results[ARRAY_LEN(tasks)];
	struct hft_submit_batch batch = {
		.tasks = (uintptr_t)tasks, .results = (uintptr_t)results,
		.nr = ARRAY_LEN(tasks), .task_size = sizeof(tasks[0]),
	};
	struct hft_submit submit = { .task = hft_test_task(0, 0, 1) };
	struct hft_test_ring later;
	struct hft_event event;
	unsigned int i;

	submit.task.clock = HFT_CLOCK_REALTIME;
	ASSERT_EQ(0, COMMAND(HFT_IOC_SUBMIT, &submit));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_EQ(HFT_CLOCK_REALTIME, event.clock);

	tasks[1].clock = HFT_CLOCKS;
	tasks[2].clock = HFT_CLOCK_TAI;
	ASSERT_EQ(2, COMMAND(HFT_IOC_SUBMIT_BATCH, &batch));
	ASSERT_EQ(-EINVAL, results[1]);
	for (i = 0; i < ARRAY_LEN(tasks); i += 2) {
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
		ASSERT_EQ(tasks[i].cookie, event.cookie);
		ASSERT_EQ(results[i], (int64_t)event.task);
	}

	/* A ring on another CPU is good for both from the start. */
	ASSERT_EQ(0, hft_test_ring_add(self->context, hft_test_cpus() - 1, 64, 64,
				       HFT_POLICY_FIFO, &later));
	for (i = HFT_CLOCK_REALTIME; i < HFT_CLOCKS; i++) {
		submit.task.ring = later.add.ring;
		submit.task.clock = i;
		ASSERT_EQ(0, COMMAND(HFT_IOC_SUBMIT, &submit));
		ASSERT_LE(0, hft_test_take(&later, &event, 10 * NSEC_PER_SEC));
		ASSERT_EQ(i, event.clock);
	}
	hft_test_ring_close(&later);
}

TEST_F(commands, full_quota)
{
	struct hft_submit submit = { .task = hft_test_task(0, 0, UINT64_MAX >> 4) };
	int i;

	for (i = 0; i < TASKS; i++)
		ASSERT_EQ(0, COMMAND(HFT_IOC_SUBMIT, &submit));
	ASSERT_EQ(-EDQUOT, COMMAND(HFT_IOC_SUBMIT, &submit));
	ASSERT_EQ(-EDQUOT, COMMAND(HFT_IOC_SUBMIT, &submit));
}

/* An id that can not be written leaves no task behind. */
TEST_F(commands, results_that_are_not_mapped)
{
	void *none = mmap(NULL, HFT_TEST_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct hft_task tasks[4] = { hft_test_task(0, 0, UINT64_MAX >> 4) };
	struct hft_submit submit = { .task = tasks[0], .result = (uintptr_t)none };
	struct hft_submit_batch batch = {
		.tasks = (uintptr_t)tasks, .results = (uintptr_t)none, .nr = 4,
		.task_size = sizeof(tasks[0]),
	};
	int i;

	ASSERT_NE(MAP_FAILED, none);
	for (i = 0; i < 2 * TASKS; i++) {
		ASSERT_EQ(-EFAULT, COMMAND(HFT_IOC_SUBMIT, &submit));
		ASSERT_EQ(-EFAULT, COMMAND(HFT_IOC_SUBMIT_BATCH, &batch));
	}
	batch.results = (uintptr_t)tasks;
	batch.tasks = (uintptr_t)none;
	ASSERT_EQ(-EFAULT, COMMAND(HFT_IOC_SUBMIT_BATCH, &batch));
	ASSERT_EQ(TASKS, tasks_free(self->context));
}

/* The array ends in a hole: what was taken before it counts, and it alone. */
TEST_F(commands, batch_that_runs_into_a_hole)
{
	char *area = mmap(NULL, 2 * HFT_TEST_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const int mapped = HFT_TEST_PAGE / sizeof(struct hft_task);
	int64_t results[2 * HFT_TEST_PAGE / sizeof(struct hft_task)] = {};
	struct hft_task *tasks = (void *)area;
	struct hft_submit_batch batch = {
		.tasks = (uintptr_t)area, .results = (uintptr_t)results,
		.nr = mapped + 8, .task_size = sizeof(*tasks),
	};
	int i, taken, ids = 0;

	ASSERT_NE(MAP_FAILED, area);
	ASSERT_EQ(TASKS, mapped);
	for (i = 0; i < mapped; i++)
		tasks[i] = hft_test_task(0, i, UINT64_MAX >> 4);
	ASSERT_EQ(0, munmap(area + HFT_TEST_PAGE, HFT_TEST_PAGE));
	taken = COMMAND(HFT_IOC_SUBMIT_BATCH, &batch);
	ASSERT_LT(0, taken);
	ASSERT_GE(mapped, taken);
	for (i = 0; i < mapped; i++)
		ids += results[i] > 0;
	ASSERT_EQ(taken, ids);
	ASSERT_EQ((uint32_t)(TASKS - taken), tasks_free(self->context));
}

TEST_F(commands, reserved_bits)
{
	struct hft_submit valid = { .task = hft_test_task(0, 0, UINT64_MAX >> 4) };
	static const size_t reserved[][2] = {
		{ offsetof(struct hft_task, flags) + 1, 3 },
		{ offsetof(struct hft_task, reserved1), 5 },
		{ offsetof(struct hft_submit, reserved), 8 },
	};
	struct hft_cancel cancel = { .task = 1ULL << 32 };
	size_t i, bit;

	for (i = 0; i < ARRAY_LEN(reserved); i++) {
		for (bit = 8 * reserved[i][0]; bit < 8 * (reserved[i][0] + reserved[i][1]); bit++) {
			struct hft_submit submit = valid;

			((unsigned char *)&submit)[bit / 8] ^= 1 << bit % 8;
			ASSERT_EQ(-EINVAL, COMMAND(HFT_IOC_SUBMIT, &submit)) {
				TH_LOG("bit %zu", bit);
			}
		}
	}
	for (bit = 0; bit < 64; bit++) {
		cancel.reserved = 1ULL << bit;
		ASSERT_EQ(-EINVAL, COMMAND(HFT_IOC_CANCEL, &cancel));
	}
	ASSERT_EQ(TASKS, tasks_free(self->context));
}

TEST_F(commands, other_sizes)
{
	struct { struct hft_cancel cancel; uint64_t more[8]; } newer = {};
	unsigned int cmd = HFT_IOC_CANCEL & ~IOCSIZE_MASK;
	struct hft_submit submit = { .task = hft_test_task(0, 9, 0), .reserved = 1, .result = 1 };
	struct hft_event event;

	newer.cancel.task = 1ULL << 32;
	ASSERT_EQ(-ENOENT, COMMAND(cmd | 80 << IOCSIZE_SHIFT, &newer));
	ASSERT_EQ(-ENOENT, COMMAND(cmd | 24 << IOCSIZE_SHIFT, &newer));
	newer.more[0] = 1;
	ASSERT_EQ(-E2BIG, COMMAND(cmd | 24 << IOCSIZE_SHIFT, &newer));
	newer.more[0] = 0;
	newer.more[7] = 1ULL << 63;
	ASSERT_EQ(-E2BIG, COMMAND(cmd | 80 << IOCSIZE_SHIFT, &newer));
	/* There is no more room in an entry. */
	ASSERT_EQ(-EINVAL, COMMAND(cmd | 81 << IOCSIZE_SHIFT, &newer));
	ASSERT_EQ(-EINVAL, COMMAND(cmd | IOCSIZE_MASK, &newer));
	newer.cancel.reserved = 1;
	ASSERT_EQ(-ENOENT, COMMAND(cmd | 8 << IOCSIZE_SHIFT, &newer));

	cmd = HFT_IOC_SUBMIT & ~IOCSIZE_MASK;
	ASSERT_EQ(0, COMMAND(cmd | 64 << IOCSIZE_SHIFT, &submit));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_EQ(9, event.cookie);
}

/* Control goes by ioctl alone. */
TEST_F(commands, commands_that_there_are_not)
{
	static const unsigned int cmds[] = {
		0, 1, UINT32_MAX, HFT_IOC_QUERY, HFT_IOC_SETUP, HFT_IOC_RING_ADD, HFT_IOC_STATS,
		HFT_IOC_CLOCK, HFT_IOC_WAIT, HFT_IOC_TASK, HFT_IOC_HALT,
		_IOWR('h', 0x16, struct hft_cancel),
		_IOR('h', 0x10, struct hft_submit),
	};
	unsigned char zero[80] = {};
	size_t i;

	for (i = 0; i < ARRAY_LEN(cmds); i++)
		ASSERT_EQ(-ENOTTY, COMMAND(cmds[i], &zero));
}

/* A bad one ends its chain, and a chain of good ones keeps their order. */
TEST_F(commands, linked)
{
	struct hft_submit good = { .task = hft_test_task(0, 0, 0) }, bad = good;
	unsigned int flags = self->sqe_flags | IOSQE_IO_LINK;
	int fd = variant->fixed ? 0 : self->context, ret[4], i;
	struct hft_event event;
	uint64_t data;

	bad.reserved = 1;
	for (i = 0; i < 4; i++) {
		good.task.cookie = i;
		ASSERT_EQ(0, queue(&self->uring, fd, i < 3 ? flags : self->sqe_flags,
				   HFT_IOC_SUBMIT, &good, sizeof(good), i));
	}
	ASSERT_LE(0, io_uring_submit(&self->uring));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, complete(&self->uring, NULL));
	for (i = 0; i < 4; i++) {
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
		ASSERT_EQ(i, (int)event.cookie);
	}

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, queue(&self->uring, fd, i < 3 ? flags : self->sqe_flags,
				   HFT_IOC_SUBMIT, i == 1 ? &bad : &good, sizeof(good), i));
	ASSERT_LE(0, io_uring_submit(&self->uring));
	for (i = 0; i < 4; i++) {
		int res = complete(&self->uring, &data);

		ASSERT_GT(4, data);
		ret[data] = res;
	}
	ASSERT_EQ(0, ret[0]);
	ASSERT_EQ(-EINVAL, ret[1]);
	ASSERT_EQ(-ECANCELED, ret[2]);
	ASSERT_EQ(-ECANCELED, ret[3]);
	ASSERT_EQ(1, hft_test_pending(&self->ring));
}

/* A batch answers with a count: that is a success, and what is linked to it goes on. */
TEST_F(commands, linked_batch)
{
	struct hft_task tasks[3] = {
		hft_test_task(0, 0, 0), hft_test_task(0, 1, 0), hft_test_task(0, 2, 0),
	};
	int64_t results[3];
	struct hft_submit_batch batch = {
		.tasks = (uintptr_t)tasks, .results = (uintptr_t)results, .nr = 3,
		.task_size = sizeof(tasks[0]),
	};
	struct hft_submit submit = { .task = hft_test_task(0, 3, 0) };
	int fd = variant->fixed ? 0 : self->context, i;
	struct hft_event event;

	ASSERT_EQ(0, queue(&self->uring, fd, self->sqe_flags | IOSQE_IO_LINK, HFT_IOC_SUBMIT_BATCH,
			   &batch, sizeof(batch), 0));
	ASSERT_EQ(0, queue(&self->uring, fd, self->sqe_flags, HFT_IOC_SUBMIT, &submit,
			   sizeof(submit), 1));
	ASSERT_LE(0, io_uring_submit(&self->uring));
	ASSERT_EQ(3, complete(&self->uring, NULL));
	ASSERT_EQ(0, complete(&self->uring, NULL));
	for (i = 0; i < 4; i++) {
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
		ASSERT_EQ(i, (int)event.cookie);
	}
}

TEST_F(commands, many)
{
	uint64_t total = hft_test_scaled(hft_test_slow_kernel() ? 1000 : 20000);
	uint64_t sent = 0, done = 0, seen = 0;
	int fd = variant->fixed ? 0 : self->context, i;
	unsigned char *once = calloc(total, 1);
	struct hft_event event;

	ASSERT_NE(NULL, once);
	while (seen < total) {
		int nr = total - sent < DEPTH ? total - sent : DEPTH;

		for (i = 0; i < nr; i++) {
			uint64_t release = i & 1 ? hft_test_now() + 50000 : 0;
			struct hft_submit submit = { .task = hft_test_task(0, sent + i, release) };

			ASSERT_EQ(0, queue(&self->uring, fd, self->sqe_flags, HFT_IOC_SUBMIT,
					   &submit, sizeof(submit), 0));
		}
		sent += nr;
		ASSERT_LE(0, io_uring_submit(&self->uring));
		for (i = 0; i < nr; i++, done++)
			ASSERT_EQ(0, complete(&self->uring, NULL));
		while (seen < sent) {
			ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
			ASSERT_GT(sent, event.cookie);
			ASSERT_EQ(0, once[event.cookie]++);
			seen++;
		}
	}
	ASSERT_EQ(TASKS, tasks_free(self->context));
	free(once);
}

static int poll_add(struct io_uring *uring, int fd, uint64_t data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(uring);

	if (!sqe)
		return -EBUSY;
	io_uring_prep_poll_add(sqe, fd, POLLIN);
	sqe->user_data = data;
	return io_uring_submit(uring) < 0 ? -EIO : 0;
}

TEST_F(commands, poll_add_waits_for_events)
{
	struct hft_event event;
	struct hft_task task;
	uint64_t data;
	int i;

	self->ring.consumer->need_wakeup = 1;
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, poll_add(&self->uring, self->ring.fd, i));
		task = hft_test_task(0, i, hft_test_now() + 5 * NSEC_PER_MSEC);
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
		ASSERT_EQ(POLLIN, complete(&self->uring, &data) & POLLIN);
		ASSERT_EQ(i, (int)data);
		ASSERT_LE(task.release, hft_test_now());
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
	}
	/* Left pending: the end of the io_uring must cancel it. */
	ASSERT_EQ(0, poll_add(&self->uring, self->ring.fd, i));
}

TEST_F(commands, poll_add_hears_of_the_end)
{
	ASSERT_EQ(0, poll_add(&self->uring, self->ring.fd, 0));
	if (variant->fixed)
		ASSERT_EQ(0, io_uring_unregister_files(&self->uring));
	close(self->context);
	self->context = -1;
	ASSERT_TRUE(complete(&self->uring, NULL) & POLLHUP);
}

TEST_F(commands, ring_takes_none)
{
	struct hft_submit submit = { .task = hft_test_task(0, 0, 0) };

	ASSERT_EQ(-EOPNOTSUPP, command(&self->uring, self->ring.fd, 0, HFT_IOC_SUBMIT, &submit,
				       sizeof(submit)));
}

/* A 64-byte entry has 16 bytes for a command: even one that fits is refused. */
TEST(entries_of_64_bytes)
{
	struct hft_cancel cancel = { .task = 1ULL << 32 };
	static const unsigned int cmds[] = {
		HFT_IOC_SUBMIT, HFT_IOC_SUBMIT_BATCH, HFT_IOC_CANCEL, HFT_IOC_QUERY, 0,
	};
	int context = hft_test_context(1);
	struct io_uring uring;
	size_t i;

	ASSERT_LT(0, context);
	ASSERT_EQ(0, uring_init(&uring, 0));
	for (i = 0; i < ARRAY_LEN(cmds); i++)
		ASSERT_EQ(-EINVAL, command(&uring, context, 0, cmds[i], &cancel, sizeof(cancel)));
	ASSERT_EQ(1, tasks_free(context));
	io_uring_queue_exit(&uring);
	close(context);
	ASSERT_EQ(0, hft_test_await_unused());
}

/* The io_uring holds the file: the context lives and works until both have let go. */
TEST(registered_file_keeps_the_context)
{
	int context = hft_test_context(4);
	struct hft_submit submit = { .task = hft_test_task(0, 1, 0) };
	struct hft_test_ring ring;
	struct hft_event event;
	struct io_uring uring;

	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_ring_add(context, 0, 4, 4, HFT_POLICY_FIFO, &ring));
	ASSERT_EQ(0, uring_init(&uring, IORING_SETUP_SQE128));
	ASSERT_EQ(0, io_uring_register_files(&uring, &context, 1));
	close(context);
	ASSERT_EQ(0, command(&uring, -1, IOSQE_FIXED_FILE, HFT_IOC_SUBMIT, &submit,
			     sizeof(submit)));
	ASSERT_TRUE(hft_test_next(&ring, &event));
	ASSERT_EQ(0, hft_test_flags(&ring));
	io_uring_queue_exit(&uring);
	hft_test_sleep(100 * NSEC_PER_MSEC);
	ASSERT_EQ(-ESHUTDOWN, hft_test_wait(&ring, 10 * NSEC_PER_SEC));
	hft_test_ring_close(&ring);
}

TEST_HARNESS_MAIN
