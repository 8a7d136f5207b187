// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "locked.h"

#define LOOK_TRIES	10
#define LOOK_PAUSE_NS	1000000

/* Under the lock, which a fork waits for: between open() and here a child would not know. */
static pthread_mutex_t fds_lock = PTHREAD_MUTEX_INITIALIZER;
static int *fds;
static unsigned int nr_fds;
static unsigned int fds_room;
static int start_err;

static void before_fork(void)
{
	pthread_mutex_lock(&fds_lock);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&fds_lock);
}

static void in_child(void)
{
	while (nr_fds)
		close(fds[--nr_fds]);
	pthread_mutex_unlock(&fds_lock);
}

static void start_watching(void)
{
	start_err = pthread_atfork(before_fork, in_parent, in_child);
}

static int make_room(void)
{
	unsigned int room = fds_room ? 2 * fds_room : 8;
	int *more;

	if (nr_fds < fds_room)
		return 0;
	more = realloc(fds, room * sizeof(*more));
	if (!more)
		return -ENOMEM;
	fds = more;
	fds_room = room;
	return 0;
}

/* Who had it before may have removed it. */
static int lock_folder(int fd)
{
	struct stat st;

	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (fstat(fd, &st))
		return -errno;
	return st.st_nlink ? 0 : -ENOENT;
}

static int open_locked(const char *path, int flags)
{
	int fd, err = make_room();

	if (err)
		return err;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
	if (fd < 0)
		return -errno;
	err = lock_folder(fd);
	if (err) {
		close(fd);
		return err;
	}
	fds[nr_fds++] = fd;
	return fd;
}

int log_locked_open(const char *path, int flags)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const struct timespec pause = { .tv_nsec = LOOK_PAUSE_NS };
	unsigned int tries;
	int fd = -EBUSY;

	pthread_once(&once, start_watching);
	if (start_err)
		return -start_err;
	for (tries = 0; fd == -EBUSY && tries < LOOK_TRIES; tries++) {
		if (tries)
			nanosleep(&pause, NULL);
		pthread_mutex_lock(&fds_lock);
		fd = open_locked(path, flags);
		pthread_mutex_unlock(&fds_lock);
	}
	return fd;
}

int log_locked_look(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags), err = 0;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_SH | LOCK_NB))
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return err;
}

/* Under the lock.  Returns false: a child has closed it, and the number may be another file's. */
static bool forget(int fd)
{
	unsigned int i = 0;

	while (i < nr_fds && fds[i] != fd)
		i++;
	if (i == nr_fds)
		return false;
	fds[i] = fds[--nr_fds];
	return true;
}

void log_locked_close(int fd)
{
	pthread_mutex_lock(&fds_lock);
	if (forget(fd))
		close(fd);
	pthread_mutex_unlock(&fds_lock);
}

static int open_ring(struct io_uring *ring, unsigned int entries, int fd)
{
	int err = make_room();

	if (!err)
		err = io_uring_queue_init(entries, ring, 0);
	if (err)
		return err;
	/* A mapping keeps a ring as a descriptor does. */
	err = io_uring_ring_dontfork(ring);
	if (!err)
		err = io_uring_register_files(ring, &fd, 1);
	if (err)
		io_uring_queue_exit(ring);
	else
		fds[nr_fds++] = ring->ring_fd;
	return err;
}

int log_locked_ring_open(struct io_uring *ring, unsigned int entries, int fd)
{
	int err;

	pthread_mutex_lock(&fds_lock);
	err = open_ring(ring, entries, fd);
	pthread_mutex_unlock(&fds_lock);
	return err;
}

int log_locked_ring_move(struct io_uring *ring, int fd)
{
	int done = io_uring_register_files_update(ring, 0, &fd, 1);

	return done < 0 ? done : 0;
}

/* What is behind the descriptor ends later, in a thread of the kernel: not with the lock. */
void log_locked_ring_close(struct io_uring *ring)
{
	pthread_mutex_lock(&fds_lock);
	if (forget(ring->ring_fd)) {
		io_uring_unregister_files(ring);
		io_uring_queue_exit(ring);
	}
	pthread_mutex_unlock(&fds_lock);
}
