// SPDX-License-Identifier: GPL-2.0-only
/*
 * A user who writes random bytes over his consumer page, and over the entries of his io_uring,
 * while the kernel dispatches.  The kernel's log stays clean, he harms his own ring at most,
 * and another context on the same CPU has all of its tasks, in order.
 */
#include <liburing.h>
#include <pthread.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	256

FIXTURE(hostile) {
	int context;
	struct hft_test_ring ring;
	int victim;
	struct hft_test_ring victim_ring;
	uint64_t end;
};

FIXTURE_SETUP(hostile)
{
	self->context = hft_test_context(TASKS);
	self->victim = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_LT(0, self->victim);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 64, 16, HFT_POLICY_EDF, &self->ring));
	ASSERT_EQ(0, hft_test_ring_add(self->victim, 0, 64, 64, HFT_POLICY_FIFO,
				       &self->victim_ring));
	self->end = hft_test_now() + hft_test_scaled(3 * NSEC_PER_SEC);
}

FIXTURE_TEARDOWN(hostile)
{
	hft_test_ring_close(&self->ring);
	hft_test_ring_close(&self->victim_ring);
	close(self->context);
	close(self->victim);
	EXPECT_EQ(0, hft_test_await_unused());
}

/* The victim's work, due at once and by the timer: every task comes back once, in order. */
static int work(int context, struct hft_test_ring *ring, uint64_t *done)
{
	uint64_t base = *done;
	struct hft_event event;
	int i;

	for (i = 0; i < 32; i++) {
		uint64_t release = i < 16 ? 0 : hft_test_now() + 20000;
		struct hft_task task = hft_test_task(0, base + i, release);
		int err = hft_test_submit(context, &task, NULL);

		if (err)
			return err;
	}
	for (i = 0; i < 32; i++, (*done)++) {
		int err = hft_test_take(ring, &event, 10 * NSEC_PER_SEC);

		if (err)
			return err;
		if (event.cookie != *done || event.sequence != *done || event.result)
			return -EPROTO;
	}
	return 0;
}

struct scribbler {
	volatile uint64_t *area;
	size_t words;
	const struct hft_test_ring *ring;	/* whose page it is; NULL: of none */
	atomic_bool stop;
};

static uint32_t likely_head(const struct hft_test_ring *ring, uint64_t random)
{
	/* Around what would be right, where the kernel's checks decide. */
	return hft_test_tail(ring) + (int)(random % 140) - 70;
}

static void *scribble(void *arg)
{
	struct scribbler *scribbler = arg;
	uint64_t random = 0x68667439;

	while (!atomic_load(&scribbler->stop)) {
		uint64_t value = hft_test_random(&random);
		size_t i = hft_test_random(&random) % scribbler->words;

		if (!scribbler->ring || !(value & 7))
			scribbler->area[i] = value;
		else
			*(volatile uint32_t *)scribbler->area = likely_head(scribbler->ring, value);
	}
	return NULL;
}

static void misuse(int context, struct hft_test_ring *ring, uint64_t *random)
{
	struct hft_task task = hft_test_task(0, 0, hft_test_random(random) & 1 ?
					     hft_test_now() + 50000 : 0);
	int64_t id;

	task.level = hft_test_random(random) % HFT_LEVELS;
	task.deadline = task.release ? task.release + hft_test_random(random) % 100000 : 0;
	hft_test_submit(context, &task, &id);
	if (!(hft_test_random(random) & 3))
		hft_test_cancel(context, id);
	if (!(hft_test_random(random) & 3))
		hft_test_wait(ring, hft_test_random(random) % 100000);
}

TEST_F(hostile, consumer_page)
{
	struct scribbler scribbler = {
		.area = (void *)self->ring.consumer, .words = HFT_TEST_PAGE / sizeof(uint64_t),
		.ring = &self->ring,
	};
	uint64_t random = 0x6866743a, done = 0, rounds = 0;
	struct hft_stats stats;
	pthread_t thread;
	int i, err = 0;

	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, &scribbler));
	while (!err && hft_test_now() < self->end) {
		for (i = 0; i < 64; i++)
			misuse(self->context, &self->ring, &random);
		err = work(self->victim, &self->victim_ring, &done);
		rounds++;
	}
	atomic_store(&scribbler.stop, true);
	pthread_join(thread, NULL);
	ASSERT_EQ(0, err);

	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	TH_LOG("%llu rounds, %llu dispatched over a bad page, %llu bad heads seen",
	       (unsigned long long)rounds, (unsigned long long)stats.dispatched,
	       (unsigned long long)stats.bad_head);
	EXPECT_LT(0, stats.bad_head);
	EXPECT_LT(0, stats.dispatched);
	/* Whatever happened, the counters add up. */
	EXPECT_EQ(stats.submitted, stats.dispatched + stats.cancelled + stats.waiting +
				   stats.ready);
	EXPECT_EQ(TASKS, stats.tasks_free + stats.waiting + stats.ready);
	ASSERT_EQ(0, hft_test_stats(self->victim, 0, &stats));
	EXPECT_EQ(done, stats.dispatched);
	EXPECT_EQ(0, stats.bad_head);
	EXPECT_EQ(TASKS, stats.tasks_free);

	/* A head that makes sense again makes the ring work again. */
	self->ring.consumer->head = hft_test_tail(&self->ring);
	for (i = 0; i < 2 * TASKS; i++) {
		int n = hft_test_wait(&self->ring, 0);

		if (n == -ETIMEDOUT)
			break;
		ASSERT_LT(0, n);
		hft_test_advance(&self->ring, n);
	}
	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	EXPECT_EQ(0, stats.ready);
}

/* Every value of the head: the kernel answers, and never writes beyond the window. */
TEST_F(hostile, each_head)
{
	uint32_t tail, distance;
	struct hft_task task = hft_test_task(0, 0, 0);
	int n;

	for (distance = 0; distance < 200; distance++) {
		/* Start from a good head with all taken. */
		self->ring.consumer->head = hft_test_tail(&self->ring);
		while ((n = hft_test_wait(&self->ring, 0)) > 0)
			hft_test_advance(&self->ring, n);
		tail = hft_test_tail(&self->ring);
		self->ring.consumer->head = tail - distance;
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
		ASSERT_EQ(distance < 16 ? tail + 1 : tail, hft_test_tail(&self->ring));
		n = hft_test_wait(&self->ring, 0);
		if (distance > 64) {
			ASSERT_EQ(-EINVAL, n);
		} else {
			ASSERT_EQ(distance < 16 ? (int)distance + 1 : (int)distance, n);
		}
	}
	/* From the future. */
	for (distance = 1; distance; distance *= 2) {
		self->ring.consumer->head = hft_test_tail(&self->ring) + distance;
		ASSERT_EQ(-EINVAL, hft_test_wait(&self->ring, 0));
	}
}

/*
 * The entry changes while the kernel reads it.  What was checked must be what is used: a task
 * that gets in is a valid one.
 */
TEST_F(hostile, entries_of_an_io_uring)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SQE128 | IORING_SETUP_SQPOLL, .sq_thread_idle = 1000,
	};
	struct scribbler scribbler = { .words = sizeof(struct hft_submit) / sizeof(uint64_t) };
	uint64_t done = 0, sent = 0, taken = 0;
	struct hft_submit good = { .task = hft_test_task(0, 0, 0) };
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct io_uring uring;
	struct hft_event event;
	pthread_t thread;

	ASSERT_EQ(0, io_uring_queue_init_params(1, &uring, &params));
	while (hft_test_now() < self->end) {
		sqe = io_uring_get_sqe(&uring);
		if (!sqe) {
			io_uring_sqring_wait(&uring);
			continue;
		}
		io_uring_prep_rw(IORING_OP_URING_CMD, sqe, self->context, NULL, 0, 0);
		sqe->cmd_op = HFT_IOC_SUBMIT;
		memcpy(sqe->cmd, &good, sizeof(good));
		if (!sent) {
			scribbler.area = (void *)sqe->cmd;
			ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, &scribbler));
		}
		ASSERT_LE(0, io_uring_submit(&uring));
		ASSERT_EQ(0, io_uring_wait_cqe(&uring, &cqe));
		ASSERT_TRUE(cqe->res == 0 || cqe->res == -EINVAL || cqe->res == -ENOENT ||
			    cqe->res == -EFAULT || cqe->res == -EDQUOT) {
			TH_LOG("result %d", cqe->res);
		}
		taken += !cqe->res;
		io_uring_cqe_seen(&uring, cqe);
		while (hft_test_next(&self->ring, &event)) {
			ASSERT_GT(HFT_LEVELS, event.level);
			ASSERT_GT(HFT_CLOCKS, event.clock);
			ASSERT_EQ(HFT_EVENT_TASK, event.type);
		}
		hft_test_wait(&self->ring, 0);
		if (!(sent++ & 255))
			ASSERT_EQ(0, work(self->victim, &self->victim_ring, &done));
	}
	atomic_store(&scribbler.stop, true);
	pthread_join(thread, NULL);
	TH_LOG("%llu sent, %llu taken", (unsigned long long)sent, (unsigned long long)taken);
	EXPECT_LT(0, taken);
	EXPECT_GT(sent, taken);
	io_uring_queue_exit(&uring);
}

TEST_HARNESS_MAIN
