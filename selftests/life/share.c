// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptors and mappings that several processes have: fork, exec, dup, SCM_RIGHTS, and
 * processes with contexts of their own on one CPU.
 */
#include <sys/prctl.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	64

FIXTURE(share) {
	int context;
	struct hft_test_ring ring;
};

FIXTURE_SETUP(share)
{
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 64, 64, HFT_POLICY_FIFO, &self->ring));
}

FIXTURE_TEARDOWN(share)
{
	hft_test_ring_close(&self->ring);
	close(self->context);
	EXPECT_EQ(0, hft_test_await_unused());
}

static int submit_at(int context, uint64_t cookie, uint64_t release)
{
	struct hft_task task = hft_test_task(0, cookie, release);

	return hft_test_submit(context, &task, NULL);
}

/* The exit status of a child, or 128 + the signal that ended it. */
static int status_of(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A child that reads a ring's page of its parent. */
static pid_t reader(const volatile uint32_t *page)
{
	pid_t pid = fork();

	if (!pid)
		_exit(*page == UINT32_MAX);
	return pid;
}

TEST_F(share, mappings_do_not_survive_fork)
{
	EXPECT_EQ(128 + SIGSEGV, status_of(reader(&self->ring.consumer->head)));
	EXPECT_EQ(128 + SIGSEGV, status_of(reader(&self->ring.producer->tail)));
	/* The parent has them still. */
	EXPECT_EQ(0, hft_test_pending(&self->ring));
}

/* What a child does with the descriptors that it got: submit, map, wait, take. */
static int use_inherited(int context, const struct hft_test_ring *parents)
{
	struct hft_test_ring ring = *parents;
	struct hft_event event;
	int err;

	ring.consumer = NULL;
	ring.producer = NULL;
	err = hft_test_ring_map(&ring);
	if (!err)
		err = submit_at(context, 7, hft_test_now() + 10 * NSEC_PER_MSEC);
	if (!err)
		err = hft_test_take(&ring, &event, 10 * NSEC_PER_SEC);
	if (!err && event.cookie != 7)
		err = -EPROTO;
	return -err;
}

TEST_F(share, child_uses_inherited_descriptors)
{
	struct hft_event event;
	pid_t pid = fork();

	if (!pid)
		_exit(use_inherited(self->context, &self->ring));
	ASSERT_EQ(0, status_of(pid));
	/* The pages are the same: the child has advanced the head. */
	ASSERT_EQ(1, self->ring.consumer->head);
	ASSERT_EQ(0, submit_at(self->context, 8, 0));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_EQ(8, event.cookie);
	ASSERT_EQ(1, event.sequence);
}

/* The parent goes first: the context is the child's then. */
TEST_F(share, child_outlives_the_parent)
{
	int ready[2], status;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	pid = fork();
	if (!pid) {
		pid_t middle = getpid();
		int context = hft_test_context(4);
		struct hft_test_ring ring;

		if (context < 0 || hft_test_ring_add(context, 0, 4, 4, HFT_POLICY_FIFO, &ring))
			_exit(1);
		if (fork())
			_exit(0);
		while (getppid() == middle)
			hft_test_sleep(NSEC_PER_MSEC);
		status = use_inherited(context, &ring);
		_exit(write(ready[1], &status, 1) != 1);
	}
	ASSERT_EQ(0, status_of(pid));
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	ASSERT_EQ(0, byte);
	ASSERT_LT(0, wait(&status));
	close(ready[0]);
	close(ready[1]);
}

TEST_F(share, exec_closes_it_all)
{
	pid_t pid;

	ASSERT_EQ(FD_CLOEXEC, fcntl(self->ring.fd, F_GETFD));
	pid = fork();
	if (!pid) {
		struct hft_test_ring ring = self->ring;

		if (hft_test_ring_map(&ring))
			_exit(1);
		execl("/bin/busybox", "sleep", "60", NULL);
		_exit(2);
	}
	ASSERT_LT(0, pid);
	hft_test_ring_close(&self->ring);
	close(self->context);
	self->context = -1;
	/* The child lives, and has nothing of the module. */
	EXPECT_EQ(0, hft_test_await_unused());
	ASSERT_EQ(0, waitpid(pid, NULL, WNOHANG));
	kill(pid, SIGKILL);
	ASSERT_EQ(128 + SIGKILL, status_of(pid));
}

TEST_F(share, dup_of_the_context)
{
	int copy = dup(self->context);
	struct hft_event event;

	ASSERT_LT(0, copy);
	close(self->context);
	self->context = copy;
	ASSERT_EQ(0, hft_test_flags(&self->ring));
	ASSERT_EQ(0, submit_at(copy, 1, hft_test_now() + 10 * NSEC_PER_MSEC));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
	ASSERT_EQ(-EALREADY, hft_test_setup(copy, 1));
	close(copy);
	self->context = -1;
	ASSERT_EQ(HFT_RING_DEAD, hft_test_flags(&self->ring));
}

TEST_F(share, dup_of_the_ring)
{
	int copy = dup(self->ring.fd);
	struct hft_event event;

	ASSERT_LT(0, copy);
	hft_test_ring_unmap(&self->ring);
	close(self->ring.fd);
	self->ring.fd = copy;
	ASSERT_EQ(0, hft_test_ring_map(&self->ring));
	ASSERT_EQ(0, submit_at(self->context, 1, hft_test_now() + 10 * NSEC_PER_MSEC));
	ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
}

static int send_descriptors(int socket, const int *fds, size_t nr)
{
	union { struct cmsghdr header; char space[CMSG_SPACE(4 * sizeof(int))]; } control = {};
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = CMSG_SPACE(nr * sizeof(int)),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(nr * sizeof(int));
	memcpy(CMSG_DATA(header), fds, nr * sizeof(int));
	return sendmsg(socket, &message, 0) == 1 ? 0 : -errno;
}

static int receive_descriptors(int socket, int *fds, size_t nr)
{
	union { struct cmsghdr header; char space[CMSG_SPACE(4 * sizeof(int))]; } control = {};
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;

	if (recvmsg(socket, &message, 0) != 1)
		return -errno;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_len != CMSG_LEN(nr * sizeof(int)))
		return -EPROTO;
	memcpy(fds, CMSG_DATA(header), nr * sizeof(int));
	return 0;
}

/* Another user's process, which could not open the device, works for a ring of ours. */
static int worker(int socket, struct hft_ring_add add)
{
	struct hft_test_ring ring = { .add = add };
	struct hft_event event;
	int fds[2], err;

	if (setresgid(1234, 1234, 1234) || setresuid(1234, 1234, 1234))
		return 200;
	if (hft_test_open() != -EACCES)
		return 201;
	err = receive_descriptors(socket, fds, 2);
	if (err)
		return -err;
	ring.fd = fds[1];
	err = hft_test_ring_map(&ring);
	if (!err)
		err = hft_test_take(&ring, &event, 10 * NSEC_PER_SEC);
	if (!err)
		err = submit_at(fds[0], event.cookie + 1, 0);
	return -err;
}

TEST_F(share, descriptors_over_a_socket)
{
	int sockets[2], fds[2] = { self->context, self->ring.fd };
	struct hft_event event;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets));
	pid = fork();
	if (!pid) {
		close(self->context);
		close(self->ring.fd);
		_exit(worker(sockets[1], self->ring.add));
	}
	ASSERT_EQ(0, send_descriptors(sockets[0], fds, 2));
	ASSERT_EQ(0, submit_at(self->context, 41, hft_test_now() + 10 * NSEC_PER_MSEC));
	ASSERT_EQ(0, status_of(pid));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_EQ(42, event.cookie);

	/* In a message that nobody receives. */
	ASSERT_EQ(0, send_descriptors(sockets[0], fds, 2));
	hft_test_ring_close(&self->ring);
	close(self->context);
	self->context = -1;
	ASSERT_EQ(-EWOULDBLOCK, hft_test_module_unload());
	close(sockets[0]);
	close(sockets[1]);
}

/* Each of several processes has its own tasks, all of them and no others. */
static int trader(int number, int tasks)
{
	struct hft_test_ring ring;
	struct hft_event event;
	int context = hft_test_context(TASKS), sent = 0, done = 0, err;

	if (context < 0)
		return -context;
	err = hft_test_ring_add(context, 0, 16, 4, HFT_POLICY_FIFO, &ring);
	while (!err && done < tasks) {
		for (; !err && sent < tasks && sent - done < TASKS; sent++)
			err = submit_at(context, (uint64_t)number << 32 | sent,
					hft_test_now() + 100000);
		if (!err)
			err = hft_test_take(&ring, &event, 10 * NSEC_PER_SEC);
		if (!err && (event.cookie != ((uint64_t)number << 32 | done) ||
			     event.sequence != (uint64_t)done))
			err = -EPROTO;
		done++;
	}
	return -err;
}

TEST_F(share, processes_on_one_cpu)
{
	int tasks = hft_test_scaled(1000), i;
	pid_t pids[8];

	for (i = 0; i < 8; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(trader(i, tasks));
	}
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, status_of(pids[i]));
}

TEST_HARNESS_MAIN
