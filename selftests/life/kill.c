// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes killed at random moments, whatever they are at: setting up, submitting, with armed
 * timers, asleep in HFT_IOC_WAIT and in poll.  Nothing of them is left, and the module goes.
 */
#include <liburing.h>
#include <poll.h>
#include <pthread.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define KILLS	200

enum way {
	SETTING_UP,
	SUBMITTING,
	WAITING,
	POLLING,
	IO_URING,
	THREADS,
	WAYS
};

static const char * const names[WAYS] = {
	"setting up", "submitting", "waiting", "polling", "io_uring", "threads",
};

static void must(int ret)
{
	if (ret < 0)
		_exit(1);
}

static void arm(int context, struct hft_test_ring *rings, uint64_t *random)
{
	int i;

	for (i = 0; i < 100; i++) {
		uint64_t in = hft_test_random(random) % (20 * NSEC_PER_MSEC);
		struct hft_task task = hft_test_task(rings[i & 1].add.ring, i, hft_test_now() + in);
		int err = hft_test_submit(context, &task, NULL);

		if (err != -EDQUOT)
			must(err);
	}
}

static void set_up_and_down(void)
{
	for (;;) {
		int context = hft_test_context(1000);
		struct hft_test_ring ring;

		must(context);
		must(hft_test_ring_add(context, hft_test_now() % hft_test_cpus(), 64, 64,
				       HFT_POLICY_EDF, &ring));
		hft_test_ring_close(&ring);
		close(context);
	}
}

static void submit_by_io_uring(int context)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SQE128 | IORING_SETUP_SQPOLL, .sq_thread_idle = 10,
	};
	struct hft_submit submit = {};
	struct io_uring uring;

	must(io_uring_queue_init_params(32, &uring, &params));
	for (;;) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&uring);
		struct io_uring_cqe *cqe;

		submit.task = hft_test_task(0, 0, hft_test_now() + 100000);
		if (sqe) {
			io_uring_prep_rw(IORING_OP_URING_CMD, sqe, context, NULL, 0, 0);
			sqe->cmd_op = HFT_IOC_SUBMIT;
			memcpy(sqe->cmd, &submit, sizeof(submit));
		}
		must(io_uring_submit(&uring));
		while (!io_uring_peek_cqe(&uring, &cqe))
			io_uring_cqe_seen(&uring, cqe);
	}
}

static void *wait_forever(void *ring)
{
	struct hft_event event;

	for (;;) {
		hft_test_wait_until(ring, HFT_WAIT_FOREVER);
		while (hft_test_next(ring, &event))
			;
	}
	return NULL;
}

static void live(enum way way, uint64_t random)
{
	struct hft_test_ring rings[2];
	struct pollfd poll_fd;
	pthread_t threads[2];
	int context, i;

	if (way == SETTING_UP)
		set_up_and_down();
	context = hft_test_context(256);
	must(context);
	for (i = 0; i < 2; i++)
		must(hft_test_ring_add(context, hft_test_random(&random) % hft_test_cpus(), 32,
				       8, HFT_POLICY_EDF, &rings[i]));
	arm(context, rings, &random);
	switch (way) {
	case WAITING:
		wait_forever(&rings[0]);
		break;
	case POLLING:
		rings[1].consumer->need_wakeup = 1;
		poll_fd = (struct pollfd) { .fd = rings[1].fd, .events = POLLIN };
		for (;;) {
			must(poll(&poll_fd, 1, -1));
			hft_test_advance(&rings[1], hft_test_pending(&rings[1]));
		}
	case IO_URING:
		submit_by_io_uring(context);
		break;
	case THREADS:
		for (i = 0; i < 2; i++)
			must(-pthread_create(&threads[i], NULL, wait_forever, &rings[i]));
		/* fall through */
	default:
		for (;;)
			arm(context, rings, &random);
	}
}

TEST(at_random_moments)
{
	int kills = hft_test_scaled(KILLS), i, status, count[WAYS] = {};
	uint64_t random = 0x6866743b;

	for (i = 0; i < kills; i++) {
		enum way way = i % WAYS;
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid)
			live(way, hft_test_random(&random) + i);
		hft_test_sleep(hft_test_random(&random) % (25 * NSEC_PER_MSEC));
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status)) {
			TH_LOG("%s: the process ended with %d", names[way], WEXITSTATUS(status));
		}
		count[way]++;
	}
	for (i = 0; i < WAYS; i++)
		TH_LOG("%s: killed %d times", names[i], count[i]);
	ASSERT_EQ(0, hft_test_await_unused());
	ASSERT_EQ(0, hft_test_module_unload());
	ASSERT_FALSE(hft_test_module_loaded());
	ASSERT_EQ(0, hft_test_module_load());
}

/* The ring was sent on before its process was killed: its new owner sees it dead. */
TEST(ring_of_a_killed_process)
{
	struct hft_test_ring ring = {};
	struct hft_event event;
	int ready[2], fd, status;
	char path[64];
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	if (!pid) {
		int context = hft_test_context(8), i;

		must(context);
		must(hft_test_ring_add(context, 0, 4, 4, HFT_POLICY_FIFO, &ring));
		for (i = 0; i < 8; i++) {
			struct hft_task task = hft_test_task(0, i, i < 6 ? 0 : hft_test_now() +
							     1000 * NSEC_PER_SEC);

			must(hft_test_submit(context, &task, NULL));
		}
		must(write(ready[1], &ring, sizeof(ring)));
		pause();
	}
	ASSERT_EQ(sizeof(ring), read(ready[0], &ring, sizeof(ring)));
	/* Take the ring by its descriptor, as a supervisor would. */
	fd = syscall(SYS_pidfd_open, pid, 0);
	ASSERT_LE(0, fd);
	ring.fd = syscall(SYS_pidfd_getfd, fd, ring.fd, 0);
	ASSERT_LE(0, ring.fd);
	ring.consumer = NULL;
	ring.producer = NULL;
	ASSERT_EQ(0, hft_test_ring_map(&ring));
	snprintf(path, sizeof(path), "/proc/%d", pid);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, !access(path, F_OK));

	ASSERT_TRUE(hft_test_flags(&ring) & HFT_RING_DEAD);
	for (status = 0; status < 4; status++) {
		ASSERT_EQ(0, hft_test_take(&ring, &event, 0));
		ASSERT_EQ(status, (int)event.cookie);
	}
	ASSERT_EQ(-ESHUTDOWN, hft_test_wait_until(&ring, HFT_WAIT_FOREVER));
	ASSERT_EQ(-EWOULDBLOCK, hft_test_module_unload());
	hft_test_ring_close(&ring);
	close(fd);
	close(ready[0]);
	close(ready[1]);
	ASSERT_EQ(0, hft_test_await_unused());
}

TEST_HARNESS_MAIN
