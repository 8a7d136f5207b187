// SPDX-License-Identifier: LGPL-2.1-or-later
/* The packer: compresses the streams of sealed chunks, when the CPU has nothing else to do. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../options.h"
#include "pack.h"
#include "store_internal.h"

#define IOPRIO_IDLE	(3 << 13)	/* linux/ioprio.h: IOPRIO_CLASS_IDLE; of this thread */

static bool is_stream(const char *name)
{
	const size_t prefix = strlen("stream-");
	size_t digits;

	if (strncmp(name, "stream-", prefix))
		return false;
	digits = strspn(name + prefix, "0123456789");
	return digits && digits < 21 && !name[prefix + digits];
}

/* A stream that is not compressed yet, from the @skip-th on.  Returns false: there is none. */
static bool find_stream(int fd, uint32_t skip, char *name)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		if (!is_stream(entry->d_name) || skip-- > 0)
			continue;
		memccpy(name, entry->d_name, '\0', HFT_LOG_NAME_BYTES);
		found = true;
	}
	if (dir)
		closedir(dir);
	else if (copy >= 0)
		close(copy);
	return found;
}

/* On the disk before the other goes from there. */
static int put_in_place(int fd, int file, const char *hidden, const char *name)
{
	char packed[HFT_LOG_NAME_BYTES + 8];

	snprintf(packed, sizeof(packed), "%s.zst", name);
	if (fsync(file) || renameat(fd, hidden, fd, packed) || fsync(fd) ||
	    unlinkat(fd, name, 0) || fsync(fd))
		return hft_fail(errno, "putting %s in its place", packed);
	return 0;
}

static int pack_stream(struct hft_log_store *store, int fd, const char *name)
{
	char hidden[HFT_LOG_NAME_BYTES + 8];
	uint64_t bytes = 0, packed = 0;
	int from, to, err;

	snprintf(hidden, sizeof(hidden), ".%s.zst", name);
	from = openat(fd, name, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return hft_fail(errno, "opening %s", name);
	to = openat(fd, hidden, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	err = to < 0 ? hft_fail(errno, "making %s", hidden) : 0;
	if (!err)
		err = hft_log_pack_file(from, to, (int)store->opts.pack_level, &store->packer.now,
					&bytes, &packed);
	if (!err)
		err = put_in_place(fd, to, hidden, name);
	if (to >= 0)
		close(to);
	close(from);
	if (err) {
		unlinkat(fd, hidden, 0);
		return err;
	}
	pthread_mutex_lock(&store->lock);
	store->state.packed_bytes += bytes;
	store->state.packed_to_bytes += packed;
	pthread_mutex_unlock(&store->lock);
	return 0;
}

static void pack_chunk(struct hft_log_store *store, uint32_t number)
{
	char name[HFT_LOG_NAME_BYTES];
	uint32_t skip = 0;
	int fd, err;

	snprintf(name, sizeof(name), "chunk-%08u", number);
	fd = openat(store->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;				/* it was removed */
	while (!store->packer.now && find_stream(fd, skip, name)) {
		err = pack_stream(store, fd, name);
		skip += err != 0;
		if (err && err != -EINTR)
			hft_store_tell(store, HFT_LOG_STORE_UNPACKED, -err,
				       "%s: %s of chunk %u is not compressed: %s", store->dir,
				       name, number, strerror(-err));
	}
	hft_store_kept_packed(store, number, hft_store_folder_bytes(fd));
	close(fd);
}

static void be_idle(void)
{
	const struct sched_param param = { 0 };

	sched_setscheduler(0, SCHED_IDLE, &param);
	syscall(SYS_ioprio_set, 1, 0, IOPRIO_IDLE);
}

static void *packer_main(void *arg)
{
	struct hft_log_store *store = arg;
	struct log_packer *packer = &store->packer;

	hft_store_is_thread = true;
	be_idle();
	pthread_mutex_lock(&store->lock);
	for (;;) {
		while (!packer->nr && !packer->stop)
			pthread_cond_wait(&packer->wake, &store->lock);
		if (!packer->nr || packer->now)
			break;
		packer->busy = packer->numbers[0];
		packer->nr--;
		memmove(packer->numbers, packer->numbers + 1,
			packer->nr * sizeof(*packer->numbers));
		pthread_mutex_unlock(&store->lock);
		pack_chunk(store, packer->busy);
		pthread_mutex_lock(&store->lock);
		packer->busy = 0;
	}
	pthread_mutex_unlock(&store->lock);
	return NULL;
}

int hft_store_packer_give(struct hft_log_store *store, uint32_t number)
{
	struct log_packer *packer = &store->packer;
	uint32_t room = packer->room ? 2 * packer->room : 16;
	uint32_t *more;
	int err = 0;

	pthread_mutex_lock(&store->lock);
	if (packer->nr == packer->room) {
		more = realloc(packer->numbers, room * sizeof(*more));
		packer->numbers = more ? more : packer->numbers;
		packer->room = more ? room : packer->room;
		err = more ? 0 : hft_fail(ENOMEM, "packing a log");
	}
	if (!err)
		packer->numbers[packer->nr++] = number;
	pthread_cond_signal(&packer->wake);
	pthread_mutex_unlock(&store->lock);
	return err;
}

/* Chunks of before that were not compressed any more are, too. */
int hft_store_packer_open(struct hft_log_store *store)
{
	struct log_packer *packer = &store->packer;
	uint32_t i;
	int err = 0;

	pthread_cond_init(&packer->wake, NULL);
	if (store->opts.flags & HFT_LOG_STORE_NO_PACK)
		return 0;
	for (i = 0; !err && i < store->nr_kept; i++)
		err = hft_store_packer_give(store, store->kept[i].number);
	if (!err)
		err = hft_store_thread_start(&packer->thread, packer_main, store, "hft-log-packer");
	packer->runs = !err;
	return err;
}

/* Wait until all are compressed, or for CLOCK_MONOTONIC @end. */
void hft_store_packer_wait(struct hft_log_store *store, uint64_t end)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	bool busy = true;

	while (busy && hft_store_monotonic() < end) {
		pthread_mutex_lock(&store->lock);
		busy = store->packer.nr || store->packer.busy;
		pthread_mutex_unlock(&store->lock);
		if (busy)
			nanosleep(&pause, NULL);
	}
}

/* What is not compressed yet is left for the next time. */
void hft_store_packer_close(struct hft_log_store *store)
{
	struct log_packer *packer = &store->packer;

	if (packer->runs) {
		pthread_mutex_lock(&store->lock);
		packer->stop = true;
		packer->now = true;
		pthread_cond_signal(&packer->wake);
		pthread_mutex_unlock(&store->lock);
		pthread_join(packer->thread, NULL);
		pthread_cond_destroy(&packer->wake);
	}
	free(packer->numbers);
}
