// SPDX-License-Identifier: GPL-2.0-only
/* What a missed deadline sets off beside its notice: a signal, a halt. */
#include <poll.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	64
#define MS	NSEC_PER_MSEC
#define SIGNAL	SIGUSR2

FIXTURE(action) {
	int context;
	struct hft_test_ring ring;
	struct hft_test_ring other;
	struct hft_test_ring monitor;
	sigset_t set;
};

FIXTURE_SETUP(action)
{
	struct hft_ring_add add = { .entries = 64, .window = 64, .flags = HFT_RING_MONITOR };
	int last = hft_test_cpus() - 1;

	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 16, 16, HFT_POLICY_FIFO, &self->ring));
	ASSERT_EQ(0, hft_test_ring_add(self->context, last, 16, 16, HFT_POLICY_FIFO,
				       &self->other));
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &self->monitor));
	sigemptyset(&self->set);
	sigaddset(&self->set, SIGNAL);
	sigaddset(&self->set, SIGRTMIN);
	sigaddset(&self->set, SIGIO);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &self->set, NULL));
}

FIXTURE_TEARDOWN(action)
{
	hft_test_ring_close(&self->ring);
	hft_test_ring_close(&self->other);
	hft_test_ring_close(&self->monitor);
	close(self->context);
}

/* A task of @ring that misses its deadline in its ring. */
static int submit_late(int context, const struct hft_test_ring *ring, uint64_t cookie,
		       uint32_t flags, int64_t *id)
{
	struct hft_task task = hft_test_task(ring->add.ring, cookie, hft_test_now());

	task.deadline = task.release + 5 * MS;
	task.flags = HFT_TASK_WATCH | flags;
	return hft_test_submit(context, &task, id);
}

static int submit_now(int context, const struct hft_test_ring *ring, uint64_t cookie,
		      uint32_t flags)
{
	struct hft_task task = hft_test_task(ring->add.ring, cookie, 0);

	task.flags = flags;
	return hft_test_submit(context, &task, NULL);
}

static int set_signal(int fd, int number, int type, pid_t id)
{
	struct f_owner_ex owner = { .type = type, .pid = id };

	if (fcntl(fd, F_SETOWN_EX, &owner) || fcntl(fd, F_SETSIG, number))
		return -errno;
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC) ? -errno : 0;
}

/* The next signal of @set within @ns, or -EAGAIN. */
static int next_signal(const sigset_t *set, siginfo_t *info, uint64_t ns)
{
	struct timespec ts = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };
	int number;

	do {
		number = sigtimedwait(set, info, &ts);
	} while (number < 0 && errno == EINTR);
	return number < 0 ? -errno : number;
}

static int halt(int context, uint32_t mode, struct hft_halt *result)
{
	*result = (struct hft_halt){ .mode = mode };
	return hft_test_ioctl(context, HFT_IOC_HALT, result);
}

TEST_F(action, signal_as_fcntl_says)
{
	siginfo_t info;
	int64_t id;
	int i;

	ASSERT_EQ(0, set_signal(self->context, SIGRTMIN, F_OWNER_PID, getpid()));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, submit_late(self->context, &self->ring, 1, HFT_TASK_SIGNAL, &id));
		ASSERT_EQ(SIGRTMIN, next_signal(&self->set, &info, 20 * NSEC_PER_SEC));
		EXPECT_EQ(POLL_PRI, info.si_code);
		EXPECT_EQ(self->context, info.si_fd);
		EXPECT_TRUE(info.si_band & POLLPRI);
		/* The notice is there by then. */
		EXPECT_EQ(i + 1, (int)hft_test_pending(&self->monitor));
	}
	/* Without F_SETSIG it is SIGIO. */
	ASSERT_EQ(0, fcntl(self->context, F_SETSIG, 0));
	ASSERT_EQ(0, submit_late(self->context, &self->other, 1, HFT_TASK_SIGNAL, NULL));
	EXPECT_EQ(SIGIO, next_signal(&self->set, &info, 20 * NSEC_PER_SEC));
}

/* Each with its cause alone: no owner, no flag, in time. */
TEST_F(action, no_signal)
{
	struct hft_task task = hft_test_task(0, 2, 0);
	struct hft_event event;
	siginfo_t info;

	ASSERT_EQ(0, submit_late(self->context, &self->ring, 1, HFT_TASK_SIGNAL, NULL));
	ASSERT_EQ(0, hft_test_take(&self->monitor, &event, 20 * NSEC_PER_SEC));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
	EXPECT_EQ(-EAGAIN, next_signal(&self->set, &info, 20 * MS));

	ASSERT_EQ(0, set_signal(self->context, SIGNAL, F_OWNER_TID, gettid()));
	ASSERT_EQ(0, submit_late(self->context, &self->ring, 1, 0, NULL));
	ASSERT_EQ(0, hft_test_take(&self->monitor, &event, 20 * NSEC_PER_SEC));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
	task.release = hft_test_now();
	task.deadline = task.release + 1000 * NSEC_PER_SEC;
	task.flags = HFT_TASK_WATCH | HFT_TASK_SIGNAL;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
	EXPECT_EQ(-EAGAIN, next_signal(&self->set, &info, 20 * MS));

	ASSERT_EQ(0, submit_late(self->context, &self->ring, 1, HFT_TASK_SIGNAL, NULL));
	EXPECT_EQ(SIGNAL, next_signal(&self->set, &info, 20 * NSEC_PER_SEC));
}

/* Contexts go while signals are on their way. */
TEST_F(action, close_with_signals_due)
{
	struct hft_test_ring ring;
	uint64_t random = 7;
	siginfo_t info;
	int i, j;

	for (i = 0; i < (int)hft_test_scaled(100); i++) {
		int context = hft_test_context(TASKS);

		ASSERT_LT(0, context);
		ASSERT_EQ(0, hft_test_ring_add(context, i % hft_test_cpus(), 16, 16,
					       HFT_POLICY_FIFO, &ring));
		ASSERT_EQ(0, set_signal(context, SIGNAL, F_OWNER_PID, getpid()));
		for (j = 0; j < 4; j++) {
			struct hft_task task = hft_test_task(0, j, hft_test_now());

			task.deadline = task.release + hft_test_random(&random) % MS;
			task.flags = HFT_TASK_WATCH | HFT_TASK_SIGNAL | HFT_TASK_HALT;
			ASSERT_EQ(0, hft_test_submit(context, &task, NULL));
		}
		hft_test_sleep(hft_test_random(&random) % MS);
		if (i % 2)
			hft_test_ring_close(&ring);
		close(context);
		if (i % 2 == 0)
			hft_test_ring_close(&ring);
	}
	/* None of them is ours any more. */
	next_signal(&self->set, &info, 20 * MS);
	EXPECT_EQ(-EAGAIN, next_signal(&self->set, &info, 20 * MS));
}

TEST_F(action, halt)
{
	struct hft_halt result;
	struct hft_event event;
	int64_t id;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, submit_late(self->context, &self->ring, 7, HFT_TASK_HALT, &id));
		ASSERT_EQ(0, hft_test_take(&self->monitor, &event, 20 * NSEC_PER_SEC));
		EXPECT_EQ(HFT_EVENT_MISS, event.type);
		EXPECT_EQ(7, event.cookie);
		ASSERT_EQ(0, hft_test_take(&self->monitor, &event, NSEC_PER_SEC));
		EXPECT_EQ(HFT_EVENT_HALT, event.type);
		EXPECT_EQ(id, (int64_t)event.task);
		EXPECT_EQ(HFT_HALT_REDUCE, event.result);
		EXPECT_EQ(0, event.cookie);
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));

		/* All of the context's rings are, on any CPU. */
		ASSERT_EQ(0, submit_now(self->context, &self->ring, 1, 0));
		ASSERT_EQ(0, submit_now(self->context, &self->other, 2, 0));
		ASSERT_EQ(0, submit_now(self->context, &self->other, 3, HFT_TASK_REDUCE));
		ASSERT_EQ(0, hft_test_take(&self->other, &event, NSEC_PER_SEC));
		EXPECT_EQ(3, event.cookie);
		EXPECT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 20 * MS));
		EXPECT_EQ(-ETIMEDOUT, hft_test_wait(&self->other, 0));

		ASSERT_EQ(0, halt(self->context, HFT_HALT_NONE, &result));
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
		EXPECT_EQ(1, event.cookie);
		ASSERT_EQ(0, hft_test_take(&self->other, &event, NSEC_PER_SEC));
		EXPECT_EQ(2, event.cookie);
	}
}

/* What is halted more than that stays so. */
TEST_F(action, halt_of_what_is_halted)
{
	struct hft_halt result;
	struct hft_event event;

	ASSERT_EQ(0, halt(self->context, HFT_HALT_ALL, &result));
	ASSERT_EQ(0, submit_late(self->context, &self->ring, 7, HFT_TASK_HALT, NULL));
	ASSERT_EQ(0, hft_test_take(&self->monitor, &event, 20 * NSEC_PER_SEC));
	EXPECT_EQ(HFT_EVENT_MISS, event.type);
	EXPECT_EQ(-ETIMEDOUT, hft_test_wait(&self->monitor, 20 * MS));
	ASSERT_EQ(0, submit_now(self->context, &self->other, 3, HFT_TASK_REDUCE));
	EXPECT_EQ(-ETIMEDOUT, hft_test_wait(&self->other, 0));
	ASSERT_EQ(0, halt(self->context, HFT_HALT_NONE, &result));
	ASSERT_EQ(0, hft_test_take(&self->other, &event, NSEC_PER_SEC));
}

/* Another context is not halted. */
TEST_F(action, halt_of_one_context)
{
	struct hft_test_ring ring;
	struct hft_event event;
	int context = hft_test_context(4);

	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_ring_add(context, 0, 16, 16, HFT_POLICY_FIFO, &ring));
	ASSERT_EQ(0, submit_late(self->context, &self->ring, 7, HFT_TASK_HALT, NULL));
	ASSERT_EQ(0, hft_test_take(&self->monitor, &event, 20 * NSEC_PER_SEC));
	ASSERT_EQ(0, hft_test_take(&self->monitor, &event, NSEC_PER_SEC));
	ASSERT_EQ(0, submit_now(context, &ring, 1, 0));
	EXPECT_EQ(0, hft_test_take(&ring, &event, NSEC_PER_SEC));
	hft_test_ring_close(&ring);
	close(context);
}

TEST_HARNESS_MAIN
