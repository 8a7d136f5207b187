// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How packets get to the disk: by io_uring, or by pwrite(2) and fdatasync(2) where that is
 * refused.  A request that failed is made again: a packet stays READY, a sync stays due.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../options.h"
#include "locked.h"
#include "store_internal.h"

#define RING_ENTRIES	128
#define AGAIN_NS	(100 * NSEC_PER_MSEC)

/* What a request is of: in the low bits of its pointer */
enum { OF_PACKET, OF_FILE, OF_CHUNK, OF_MASK = 3 };

static void open_ring(struct hft_log_store *store)
{
	struct iovec *vectors;
	uint32_t i;

	if (store->opts.flags & HFT_LOG_STORE_NO_URING)
		return;
	store->uring = !log_locked_ring_open(&store->ring, RING_ENTRIES, store->dir_fd);
	vectors = store->uring ? calloc(store->opts.buffers, sizeof(*vectors)) : NULL;
	if (!vectors)
		return;
	for (i = 0; i < store->opts.buffers; i++) {
		vectors[i].iov_base = store->packets[i].at;
		vectors[i].iov_len = store->opts.packet_bytes;
	}
	/* Refused where not so much may be locked: then each write maps its pages. */
	store->registered = !io_uring_register_buffers(&store->ring, vectors, store->opts.buffers);
	free(vectors);
}

int hft_store_io_open(struct hft_log_store *store)
{
	size_t bytes = store->opts.packet_bytes;
	uint32_t i;

	store->buffers_bytes = bytes * store->opts.buffers;
	store->packets = calloc(store->opts.buffers, sizeof(*store->packets));
	store->buffers = mmap(NULL, store->buffers_bytes, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (store->buffers == MAP_FAILED)
		store->buffers = NULL;
	if (!store->packets || !store->buffers)
		return hft_fail(ENOMEM, "buffers of a log");
	madvise(store->buffers, store->buffers_bytes, MADV_DONTFORK);
	for (i = store->opts.buffers; i--; ) {
		store->packets[i].at = store->buffers + i * bytes;
		store->packets[i].slot = i;
		store->packets[i].next = store->free;
		store->free = &store->packets[i];
		store->nr_free++;
	}
	open_ring(store);
	return 0;
}

/* Waits for what runs, so that nothing reads the buffers when they are gone. */
void hft_store_io_close(struct hft_log_store *store)
{
	if (store->uring) {
		while (store->running)
			hft_store_io_reap(store, true, NSEC_PER_SEC);
		log_locked_ring_close(&store->ring);
	}
	if (store->buffers)
		munmap(store->buffers, store->buffers_bytes);
	free(store->packets);
}

static bool is_again(int64_t done)
{
	return done == -EINTR || done == -EAGAIN || done == -ECANCELED;
}

static void write_failed(struct hft_log_store *store, struct log_packet *packet, int err,
			 const char *what)
{
	if (!packet->failed)
		store->failing++;
	packet->failed = true;
	hft_store_failed(store, err, what);
}

/* A file whose file system does not take O_DIRECT after all. */
static bool stop_direct(struct log_file *file)
{
	int flags = fcntl(file->fd, F_GETFL);

	if (!file->direct || flags < 0 || fcntl(file->fd, F_SETFL, flags & ~O_DIRECT))
		return false;
	file->direct = false;
	return true;
}

static void write_done(struct hft_log_store *store, struct log_packet *packet, int64_t done)
{
	packet->state = LOG_PACKET_READY;
	if (is_again(done) || (done == -EINVAL && stop_direct(packet->file)))
		return;
	if (done <= 0) {
		write_failed(store, packet, done ? (int)-done : EIO, "writing a packet");
		return;
	}
	packet->done += (size_t)done;
	if (packet->done < packet->bytes) {
		/* It goes on where it was, which past the page cache is a whole block. */
		packet->done &= ~(size_t)511;
		return;
	}
	if (!hft_store_chunk_is_there(packet->file->chunk, packet->file)) {
		packet->file->chunk->gone = true;
		write_failed(store, packet, ENOENT, "the files of the open chunk are gone");
		return;
	}
	if (packet->failed)
		store->failing--;
	packet->failed = false;
	hft_store_packet_written(store, packet);
	hft_store_well(store);
}

/*
 * A sync that failed may have thrown away what was to be written, and the next one does
 * not say so: what is in the file is certain when the keeper has written it once more.
 */
static void sync_file_done(struct hft_log_store *store, struct log_file *file, int done)
{
	file->syncing = false;
	file->chunk->syncs--;
	if (is_again(done))
		return;
	if (done < 0) {
		file->doubtful = true;
		hft_store_chunk_doubt(store, file->chunk);
		hft_store_trouble(store, -done, "synchronising a stream");
		return;
	}
	pthread_mutex_lock(&store->lock);
	store->state.synced_packets += file->sync_to - file->synced;
	pthread_mutex_unlock(&store->lock);
	file->synced = file->sync_to;
	hft_store_file_synced(file, file->sync_written_to);
	hft_store_file_rest(store, file);
}

/* It is made again as long as the chunk is open; one that was closed meanwhile is the keeper's. */
static void sync_chunk_failed(struct hft_log_store *store, struct log_chunk *chunk, int err)
{
	chunk->changes_failed = true;
	chunk->changes_retry = store->now + AGAIN_NS;
	if (is_again(err))
		return;
	if (chunk != store->chunk)
		hft_store_chunk_doubt(store, chunk);
	hft_store_trouble(store, -err, "synchronising a chunk");
}

static void sync_chunk_done(struct hft_log_store *store, struct log_chunk *chunk, int done)
{
	int i;

	chunk->syncs--;
	if (done < 0)
		sync_chunk_failed(store, chunk, done);
	if (--chunk->changes_left)
		return;
	if (!chunk->changes_failed) {
		chunk->changes_synced = chunk->changes_sync_to;
		chunk->changes_retry = 0;
		hft_store_well(store);
		return;
	}
	for (i = 0; i < LOG_TEXTS; i++)		/* what was written may be lost */
		chunk->texts[i].written = 0;
}

static void request_done(struct hft_log_store *store, uintptr_t of, int64_t done)
{
	void *what = (void *)(of & ~(uintptr_t)OF_MASK);

	if ((of & OF_MASK) == OF_PACKET)
		write_done(store, what, done);
	else if ((of & OF_MASK) == OF_FILE)
		sync_file_done(store, what, (int)done);
	else
		sync_chunk_done(store, what, (int)done);
}

static struct io_uring_sqe *new_request(struct hft_log_store *store)
{
	struct io_uring_sqe *sqe;

	if (store->running >= RING_ENTRIES)	/* the completions have room for those */
		return NULL;
	sqe = io_uring_get_sqe(&store->ring);
	if (!sqe) {
		hft_store_io_submit(store);
		sqe = io_uring_get_sqe(&store->ring);
	}
	if (sqe) {
		if (!store->running++)
			store->answered = store->now;
		store->queued++;
	}
	return sqe;
}

/* What the drainer has waited for. */
static void look_back(struct hft_log_store *store, uint64_t begun)
{
	if (hft_store_monotonic() - begun >= store->opts.slow_ns)
		hft_store_slow(store);
}

static void write_now(struct hft_log_store *store, struct log_packet *packet)
{
	uint64_t begun;
	ssize_t done;
	int err;

	do {
		begun = hft_store_monotonic();
		done = pwrite(packet->file->fd, packet->at + packet->done,
			      packet->bytes - packet->done,
			      (off_t)(packet->index.offset + packet->done));
		err = done < 0 ? errno : 0;
		look_back(store, begun);
		write_done(store, packet, err ? -err : done);
	} while (packet->state == LOG_PACKET_READY &&
		 !packet->failed && (done > 0 || err == EINTR || err == EINVAL));
}

void hft_store_io_write(struct hft_log_store *store, struct log_packet *packet)
{
	struct io_uring_sqe *sqe;
	const uint8_t *from = packet->at + packet->done;
	unsigned int left = (unsigned int)(packet->bytes - packet->done);
	uint64_t offset = packet->index.offset + packet->done;

	if (!store->uring) {
		packet->state = LOG_PACKET_WRITING;
		write_now(store, packet);
		return;
	}
	sqe = new_request(store);
	if (!sqe)
		return;
	if (store->registered)
		io_uring_prep_write_fixed(sqe, packet->file->fd, from, left, offset,
					  (int)packet->slot);
	else
		io_uring_prep_write(sqe, packet->file->fd, from, left, offset);
	io_uring_sqe_set_data64(sqe, (uintptr_t)packet | OF_PACKET);
	packet->given = store->now;
	packet->state = LOG_PACKET_WRITING;
}

/* Returns false: no room for the request. */
static bool sync_fd(struct hft_log_store *store, int fd, uintptr_t of)
{
	uint64_t begun = store->uring ? 0 : hft_store_monotonic();
	struct io_uring_sqe *sqe;
	int err;

	if (!store->uring) {
		err = fsync(fd) ? errno : 0;
		look_back(store, begun);
		request_done(store, of, -err);
		return true;
	}
	sqe = new_request(store);
	if (!sqe)
		return false;
	io_uring_prep_fsync(sqe, fd, 0);
	io_uring_sqe_set_data64(sqe, of);
	return true;
}

/* One that is not open, as nobody writes to it. */
static bool open_again(struct log_file *file)
{
	if (file->fd >= 0)
		return true;
	file->fd = openat(file->chunk->fd, file->name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	file->chunk->gone |= file->fd < 0 && errno == ENOENT;
	return file->fd >= 0;
}

void hft_store_io_sync_file(struct hft_log_store *store, struct log_file *file)
{
	if (!open_again(file))
		return;
	file->syncing = true;
	file->sync_to = file->written;
	file->sync_written_to = file->written_to;
	file->chunk->syncs++;
	if (sync_fd(store, file->fd, (uintptr_t)file | OF_FILE))
		return;
	file->syncing = false;
	file->chunk->syncs--;
}

/* Its folders, and what describes the records: before a stream's own sync is worth much. */
void hft_store_io_sync_chunk(struct hft_log_store *store, struct log_chunk *chunk)
{
	const int fds[] = {
		chunk->texts[LOG_METADATA].fd, chunk->texts[LOG_SITES].fd, chunk->hft_fd,
		chunk->fd, store->dir_fd,
	};
	uint32_t i, nr = sizeof(fds) / sizeof(fds[0]);

	if (store->uring && store->running + nr > RING_ENTRIES)
		return;
	chunk->changes_sync_to = chunk->changes;
	chunk->changes_failed = false;
	chunk->changes_left = nr;
	chunk->syncs += nr;
	for (i = 0; i < nr; i++)
		if (!sync_fd(store, fds[i], (uintptr_t)chunk | OF_CHUNK))
			sync_chunk_done(store, chunk, -EAGAIN);
}

/* A file system that writes at once, and not behind it, has the drainer wait in here. */
void hft_store_io_submit(struct hft_log_store *store)
{
	uint64_t begun;
	int done;

	while (store->uring && store->queued) {
		begun = hft_store_monotonic();
		done = io_uring_submit(&store->ring);
		look_back(store, begun);
		if (done <= 0)
			break;			/* they stay in the ring */
		store->queued -= (uint32_t)done < store->queued ? (uint32_t)done : store->queued;
	}
}

static bool reap_one(struct hft_log_store *store)
{
	struct io_uring_cqe *cqe;
	uintptr_t of;
	int done;

	if (io_uring_peek_cqe(&store->ring, &cqe))
		return false;
	of = (uintptr_t)io_uring_cqe_get_data64(cqe);
	done = cqe->res;
	io_uring_cqe_seen(&store->ring, cqe);
	store->running--;
	store->answered = store->now;
	request_done(store, of, done);
	return true;
}

void hft_store_io_reap(struct hft_log_store *store, bool wait, uint64_t timeout_ns)
{
	struct __kernel_timespec timeout = {
		.tv_sec = (int64_t)(timeout_ns / NSEC_PER_SEC),
		.tv_nsec = (long long)(timeout_ns % NSEC_PER_SEC),
	};
	struct io_uring_cqe *cqe;

	if (!store->uring)
		return;
	hft_store_io_submit(store);
	if (wait && store->running)
		io_uring_wait_cqe_timeout(&store->ring, &cqe, &timeout);
	while (reap_one(store))
		;
}
