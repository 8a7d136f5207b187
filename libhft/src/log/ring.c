// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Files of rings: made, mapped, let go.
 *
 * The room for records is mapped twice in a row, so that each record is in one piece.  A
 * child of the process does not have the mapping: it would write to its parent's ring.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lock.h"
#include "ring.h"
#include "../options.h"

/* From mmap(): a thread may attach in a signal handler, which has interrupted malloc(). */
static struct log_queue *queue_new(const char *name)
{
	struct log_queue *queue = mmap(NULL, sizeof(*queue), PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (queue == MAP_FAILED)
		return NULL;
	snprintf(queue->name, sizeof(queue->name), "%s", name);
	return queue;
}

static void queue_free(struct log_queue *queue)
{
	munmap(queue, sizeof(*queue));
}

static size_t mapped_size(uint64_t bytes)
{
	return HFT_LOG_RING_HEAD + 2 * bytes;
}

/* Page faults of the writer would be seen in its latency: all pages are there. */
static int map_ring(struct log_queue *queue, int fd, uint64_t bytes)
{
	int flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE, prot = PROT_READ | PROT_WRITE;
	char *at = mmap(NULL, mapped_size(bytes), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if (at == MAP_FAILED)
		return hft_fail(errno, "room for a ring of %llu bytes", (unsigned long long)bytes);
	if (mmap(at, HFT_LOG_RING_HEAD + bytes, prot, flags, fd, 0) == MAP_FAILED ||
	    mmap(at + HFT_LOG_RING_HEAD + bytes, bytes, prot, flags, fd,
		 HFT_LOG_RING_HEAD) == MAP_FAILED ||
	    madvise(at, mapped_size(bytes), MADV_DONTFORK)) {
		err = hft_fail(errno, "map a ring of %llu bytes", (unsigned long long)bytes);
		munmap(at, mapped_size(bytes));
		return err;
	}
	queue->ring = (struct hft_log_ring *)(void *)at;
	queue->bytes = bytes;
	return 0;
}

int32_t log_bound_cpu(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) || CPU_COUNT(&set) != 1)
		return -1;
	return sched_getcpu();
}

static void ring_init(struct hft_log_ring *ring, const struct log_ring_spec *spec)
{
	uint32_t room = (uint32_t)(spec->bytes / 8);

	ring->version = HFT_LOG_RING_VERSION;
	ring->policy = spec->policy;
	ring->bytes = spec->bytes;
	ring->stream = spec->stream;
	memcpy(ring->uuid, spec->uuid, sizeof(ring->uuid));
	ring->pid = (uint32_t)getpid();
	ring->tid = hft_tid();
	ring->cpu = log_bound_cpu();
	ring->lane = spec->lane;
	prctl(PR_GET_NAME, ring->thread);
	ring->block_ns = spec->block_ns;
	ring->sync = spec->sync;
	ring->mask = room - 1;
	ring->longest = (uint32_t)(spec->bytes / 4 < spec->packet_bytes ? spec->bytes / 4 :
									  spec->packet_bytes);
	ring->room = spec->policy == HFT_LOG_OVERWRITE ? room / HFT_LOG_RING_MARKS : room / 2;
	ring->tsc = spec->tsc;
	ring->limit = ring->tsc ? ring->room : UINT32_MAX;
	/* Last: who finds it in the file finds the rest. */
	__atomic_store_n(&ring->magic, HFT_LOG_RING_MAGIC, __ATOMIC_RELEASE);
}

/* Memory that is not there later would be a SIGBUS. */
static int make_file(int dir_fd, const char *name, uint64_t bytes)
{
	int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), err;

	if (fd < 0)
		return hft_fail(errno, "make the file of a ring, %s", name);
	err = posix_fallocate(fd, 0, (off_t)(HFT_LOG_RING_HEAD + bytes));
	if (!err)
		return fd;
	close(fd);
	unlinkat(dir_fd, name, 0);
	return hft_fail(err, "memory for a ring of %llu bytes", (unsigned long long)bytes);
}

static void queue_init(struct log_queue *queue)
{
	const struct hft_log_ring *ring = queue->ring;

	queue->stream = ring->stream;
	queue->policy = ring->policy;
	queue->sync = ring->sync;
	queue->audit = ring->lane == HFT_LOG_AUDIT;
	atomic_init(&queue->users, 1);
}

/* A new ring, of which the caller is a user. */
int log_queue_make(struct log_queue **queue, const struct log_ring_spec *spec)
{
	struct log_queue *it;
	char name[32];
	int fd, err;

	snprintf(name, sizeof(name), "ring-%llu", (unsigned long long)spec->stream);
	it = queue_new(name);
	if (!it)
		return hft_fail(ENOMEM, "a ring");
	fd = make_file(spec->dir_fd, name, spec->bytes);
	if (fd < 0) {
		queue_free(it);
		return fd;
	}
	err = map_ring(it, fd, spec->bytes);
	close(fd);
	if (err) {
		unlinkat(spec->dir_fd, name, 0);
		queue_free(it);
		return err;
	}
	ring_init(it->ring, spec);
	queue_init(it);
	*queue = it;
	return 0;
}

static bool is_ring(const struct hft_log_ring *ring, uint64_t bytes)
{
	uint32_t words = (uint32_t)ring->head - (uint32_t)(ring->tail >> 3);

	return ring->magic == HFT_LOG_RING_MAGIC && ring->version == HFT_LOG_RING_VERSION &&
	       ring->bytes == bytes && ring->mask == bytes / 8 - 1 &&
	       ring->policy != HFT_LOG_POLICY_DEFAULT && ring->policy < HFT_LOG_POLICIES &&
	       ring->lane < HFT_LOG_LANES && ring->sync <= HFT_LOG_SYNC_PACKET &&
	       !(ring->tail % 8) &&
	       (ring->policy == HFT_LOG_OVERWRITE || words <= bytes / 8);
}

static int map_file(struct log_queue *queue, int fd)
{
	struct stat st;
	uint64_t bytes;

	if (fstat(fd, &st))
		return hft_fail(errno, "%s", queue->name);
	bytes = (uint64_t)st.st_size - HFT_LOG_RING_HEAD;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)(HFT_LOG_RING_HEAD + LOG_RING_LEAST) ||
	    bytes > LOG_RING_MOST || bytes & (bytes - 1))
		return hft_fail(EBADMSG, "%s is no ring", queue->name);
	return map_ring(queue, fd, bytes);
}

/* The ring of a process that has ended; -EBADMSG: it is none. */
int log_queue_map(struct log_queue **queue, int dir_fd, const char *name)
{
	struct log_queue *it = queue_new(name);
	int fd, err;

	if (!it)
		return hft_fail(ENOMEM, "a ring");
	fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	err = fd < 0 ? hft_fail(errno, "open the ring %s", name) : map_file(it, fd);
	if (fd >= 0)
		close(fd);
	if (err) {
		queue_free(it);
		return err;
	}
	queue_init(it);
	it->position = it->ring->tail;
	if (!is_ring(it->ring, it->bytes)) {
		log_queue_put(it);
		return hft_fail(EBADMSG, "%s is no ring, or one that was not finished", name);
	}
	*queue = it;
	return 0;
}

bool log_ring_is_unborn(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	uint64_t magic = 0, first = 0;
	ssize_t size, more;

	if (fd < 0)
		return false;
	size = pread(fd, &magic, sizeof(magic), 0);
	more = pread(fd, &first, sizeof(first), HFT_LOG_RING_HEAD);
	close(fd);
	/* With a record where the first would be, its head was written over. */
	return size >= 0 && more >= 0 && !magic && !first;
}

void log_queue_put(struct log_queue *queue)
{
	if (atomic_fetch_sub(&queue->users, 1) != 1)
		return;
	munmap(queue->ring, mapped_size(queue->bytes));
	if (queue->copy)
		munmap(queue->copy, queue->copied);
	queue_free(queue);
}
