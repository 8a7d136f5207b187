// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rings that were left are written to their log.
 *
 * Its files may have more than its rings know of: a write was over, and it could not say so.
 * Numbers of records tell what is there already.  Of two writes, the later may be the one
 * that was: then what is between is written behind it, and is read after it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <hft/log_read.h>

#include "../options.h"
#include "journal.h"
#include "left.h"
#include "log.h"
#include "recover.h"
#include "runs.h"
#include "seal.h"
#include "store_internal.h"

#define BEFORE_NS	LOG_NS_PER_S	/* files are looked at from so long before the rings */
#define PAUSE_NS	1000000

/**
 * struct left - a ring that was left
 * @name: of its file
 * @queue: it; NULL: it can not be read at all
 * @in_files: numbers of records that are, and may be in the ring
 * @stamp: of the last record in files or of the ring, 0: none is known
 */
struct left {
	char name[32];
	struct log_queue *queue;
	struct log_runs in_files;
	uint64_t stamp;
};

static int no_memory(void)
{
	return hft_fail(ENOMEM, "what is left of a log");
}

static int map_ring(struct log_recovery *it, struct left *left)
{
	char name[sizeof(left->name)];
	struct log_queue *queue;
	int err = log_queue_map(&queue, it->ring_fd, left->name);

	if (err)
		return err;
	snprintf(name, sizeof(name), "ring-%llu", (unsigned long long)queue->stream);
	if (strcmp(name, left->name) ||
	    memcmp(queue->ring->uuid, it->control.uuid, sizeof(queue->ring->uuid))) {
		log_queue_put(queue);
		return hft_fail(EBADMSG, "%s is a ring of another log", left->name);
	}
	queue->ring->thread[sizeof(queue->ring->thread) - 1] = '\0';
	left->queue = queue;
	return 0;
}

/* One that its thread has not finished was never logged to. */
static int add_ring(struct log_recovery *it, const char *name)
{
	struct left *more;
	int err;

	more = realloc(it->left, (it->nr_left + 1) * sizeof(*more));
	if (!more)
		return no_memory();
	it->left = more;
	more += it->nr_left;
	*more = (struct left){ .queue = NULL };
	snprintf(more->name, sizeof(more->name), "%s", name);
	err = map_ring(it, more);
	if (err && err != -EBADMSG)
		return err;
	if (err && log_ring_is_unborn(it->ring_fd, more->name))
		unlinkat(it->ring_fd, more->name, 0);
	else
		it->nr_left++;
	return 0;
}

static int add_rings(struct log_recovery *it)
{
	int fd = openat(it->ring_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!folder) {
		err = hft_fail(errno, "the folder with rings of %s", it->dir);
		if (fd >= 0)
			close(fd);
		return err;
	}
	while (!err && (entry = readdir(folder))) {
		if (!strncmp(entry->d_name, "ring-", 5) &&
		    strlen(entry->d_name) < sizeof(it->left->name))
			err = add_ring(it, entry->d_name);
	}
	closedir(folder);
	return err;
}

static struct left *find_left(const struct log_recovery *it, uint64_t stream)
{
	size_t i;

	for (i = 0; i < it->nr_left; i++) {
		if (it->left[i].queue && it->left[i].queue->stream == stream)
			return &it->left[i];
	}
	return NULL;
}

/*
 * When what a ring has to tell begins.  A loss that another recovery has found may be in
 * files, though this one's rings are still here: it is looked for as a record is.  Of what was
 * refused, records behind it are.
 */
static bool first_of(const struct log_queue *queue, uint64_t *stamp)
{
	const struct hft_log_ring *ring = queue->ring;

	if (!log_queue_first_stamp(queue, stamp))
		*stamp = UINT64_MAX;
	if (ring->untold && ring->first < *stamp)
		*stamp = ring->first;
	if (ring->refused && ring->refused_at < *stamp)
		*stamp = ring->refused_at;
	return *stamp != UINT64_MAX;
}

/* When the first of what is in rings was logged, UTC, ns; 0: there is nothing */
static uint64_t first_time(const struct log_recovery *it)
{
	const struct hft_log_store_clock *clock = &it->control.clock;
	uint64_t first = UINT64_MAX, stamp;
	size_t i;

	for (i = 0; i < it->nr_left; i++) {
		if (it->left[i].queue && first_of(it->left[i].queue, &stamp) && stamp < first)
			first = stamp;
	}
	if (first == UINT64_MAX || !clock->freq)
		return 0;
	return (uint64_t)clock->offset_s * LOG_NS_PER_S +
	       (uint64_t)((unsigned __int128)(clock->offset + first) * LOG_NS_PER_S / clock->freq);
}

static void see_stamp(struct left *left, uint64_t stamp)
{
	if (left->stamp < stamp)
		left->stamp = stamp;
}

/* What is in files of each stream. */
static int find_runs(struct log_recovery *it)
{
	HFT_OPTS(hft_log_reader_opts, opts, .from = first_time(it));
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	struct left *left;
	char uuid[37];
	int ret;

	if (!opts.from)
		return 0;
	opts.from = opts.from > BEFORE_NS ? opts.from - BEFORE_NS : 0;
	hft_log_uuid_print(it->control.uuid, uuid);
	ret = hft_log_reader_open(&reader, &it->dir, 1, &opts);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	while ((ret = hft_log_reader_next(reader, &view)) > 0) {
		left = find_left(it, view->stream->id);
		if (!left || strcmp(view->stream->log->uuid, uuid))
			continue;
		see_stamp(left, view->stamp);
		ret = log_runs_add(&left->in_files, view->sequence);
		if (ret)
			break;
	}
	hft_log_reader_close(reader);
	return ret;
}

/* Of @bytes at @records, how many are in files from the first on, or are not: @known. */
static size_t alike(struct left *left, const void *records, size_t bytes, bool *known)
{
	const struct hft_log_record *record = records;
	size_t offset = 0;

	*known = log_runs_has(&left->in_files, record->sequence);
	while (bytes - offset >= sizeof(*record)) {
		record = (const void *)((const char *)records + offset);
		if (record->words < 2 || 8 * (size_t)record->words > bytes - offset ||
		    log_runs_has(&left->in_files, record->sequence) != *known)
			break;
		see_stamp(left, record->stamp);
		offset += 8 * (size_t)record->words;
	}
	return offset;
}

/* A disk that takes nothing for a while is in trouble.  -EBADMSG: there is no record. */
static int write_ring(struct log_recovery *it, struct left *left)
{
	uint64_t until = hft_log_monotonic() + LOG_CLOSE_NS;
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	struct log_queue *queue = left->queue;
	const void *records;
	int64_t bytes, took;
	size_t size;
	bool known;

	while ((bytes = log_queue_read(queue, &records)) > 0) {
		size = alike(left, records, (size_t)bytes, &known);
		if (!size)
			return hft_fail(EBADMSG, "%s has what is no record", queue->name);
		took = known ? (int64_t)size :
			hft_log_store_append(it->store, queue->stream, records, size,
					     log_queue_lost(queue, records, size));
		if (took > 0) {
			log_queue_take(queue, (size_t)took);
			until = hft_log_monotonic() + LOG_CLOSE_NS;
			continue;
		}
		if (took == -EBADMSG || took == -EMSGSIZE)
			return -EBADMSG;
		if (hft_log_monotonic() > until)
			return hft_fail(took == -EAGAIN ? ETIMEDOUT : (int)-took,
					"the files of %s take no more", it->dir);
		hft_log_store_poll(it->store, hft_log_monotonic());
		nanosleep(&pause, NULL);
	}
	return (int)bytes;
}

/* What was overwritten is told as lost, but where another recovery has done so already. */
static void resume(const struct left *left)
{
	struct log_queue *queue = left->queue;
	bool is_whole = !queue->position;

	if (log_queue_resume(queue))
		queue->number = log_runs_next(&left->in_files, queue->number,
					      is_whole ? 0 : queue->number);
}

static int copy_ring(const struct log_recovery *it, const struct left *left, const char *path)
{
	int from = openat(it->ring_fd, left->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	uint64_t most = HFT_LOG_RING_HEAD + LOG_RING_MOST;
	struct stat st;
	int err;

	if (from < 0 || to < 0 || fstat(from, &st))
		err = hft_fail(errno, "keep the ring %s as %s", left->name, path);
	else
		err = hft_log_copy(from, 0, (uint64_t)st.st_size < most ? (uint64_t)st.st_size :
				   most, to);
	if (!err && fsync(to))
		err = hft_fail(errno, "synchronise %s", path);
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return err;
}

/* Something has written where it should not have.  Other rings are not lost by that. */
static int keep_aside(const struct log_recovery *it, const struct left *left)
{
	char path[PATH_MAX], uuid[37];
	int err;

	hft_log_uuid_print(it->control.uuid, uuid);
	if (snprintf(path, sizeof(path), "%s/%s-%s.bad", it->dir, uuid, left->name) >=
	    (int)sizeof(path))
		return hft_fail(ENAMETOOLONG, "the folder of a log");
	err = copy_ring(it, left, path);
	if (!err)
		hft_store_tell(it->store, HFT_LOG_STORE_RING, EBADMSG,
			       "%s: %s of process %u can not be read to its end, and is kept as %s",
			       it->dir, left->name, it->control.pid, path);
	return err;
}

static int write_left(struct log_recovery *it, struct left *left)
{
	int err;

	if (!left->queue)
		return -EBADMSG;
	resume(left);
	err = log_store_add_ring(it->store, left->queue);
	if (!err)
		err = write_ring(it, left);
	if (err)
		return err;
	/* What it has lost and not told is told now. */
	log_ring_recover(left->queue->ring, left->stamp);
	return write_ring(it, left);
}

static int write_rings(struct log_recovery *it)
{
	int err = 0;
	size_t i;

	for (i = 0; i < it->nr_left && !err; i++) {
		err = write_left(it, &it->left[i]);
		if (err == -EBADMSG)
			err = keep_aside(it, &it->left[i]);
	}
	return err;
}

/* Without a site that was scribbled over, or with it twice, there are others. */
static int add_site(void *store, const struct hft_log_store_site *site)
{
	int err = hft_log_store_site_add(store, site);

	return err == -ENOMEM ? err : 0;
}

/* Chunks that it writes show the clocks of now, beside records of before. */
static int begin_log(struct log_recovery *it, const struct hft_log_store_origin *origin,
		     const struct hft_log_store_opts *opts)
{
	const struct hft_log_evidence_opts clocks = { .recovery = true };
	int err = hft_log_evidence_open(&it->evidence, &clocks);

	if (err)
		return err;
	err = hft_log_store_open(&it->store, it->dir, origin, opts);
	return err ? err : log_evidence_start(it->store, it->evidence);
}

static int end_log(struct log_recovery *it, int err)
{
	/* The rings stay where there is an error: the disk has had its time. */
	int close_err = it->store ? hft_log_store_close(it->store, err ? 0 : LOG_CLOSE_NS) : 0;

	hft_log_evidence_close(it->evidence);
	return err ? err : close_err;
}

static int write_all(struct log_recovery *it)
{
	int err = log_journal_read(it->ring_fd, add_site, it->store);

	return err && err != -ENOENT ? err : write_rings(it);
}

static int write_log(struct log_recovery *it, const struct hft_log_store_opts *opts)
{
	struct hft_log_store_origin origin = {
		.pid = it->control.pid,
		.program = it->control.program,
		.clock = it->control.clock,
	};
	int err;

	memcpy(origin.uuid, it->control.uuid, sizeof(origin.uuid));
	log_boot(origin.boot);		/* rings do not survive one */
	err = begin_log(it, &origin, opts);
	if (!err)
		err = write_all(it);
	return end_log(it, err);
}

/* @streams is on the file before it says that no ring has a higher number. */
int log_recover_say_closed(struct log_recovery *it)
{
	struct log_control *control = &it->control;
	int err = log_control_write(it->control_fd, control, &control->streams,
				    sizeof(control->streams));

	control->open = 0;
	return err ? err : log_control_write(it->control_fd, control, &control->open,
					     sizeof(control->open));
}

/* A process that is killed amid this leaves a folder without rings: see control.h. */
static int remove_rings(struct log_recovery *it)
{
	size_t i;
	int err;

	for (i = 0; i < it->nr_left; i++)
		unlinkat(it->ring_fd, it->left[i].name, 0);
	err = log_recover_say_closed(it);
	log_left_tidy(it->ring_fd, it->control.ring_dir);
	return err;
}

int log_recover_rings(struct log_recovery *it, const struct hft_log_store_opts *opts)
{
	int err = add_rings(it);
	size_t i;

	if (!err)
		err = find_runs(it);
	if (!err)
		err = write_log(it, opts);
	if (!err)
		err = remove_rings(it);
	for (i = 0; i < it->nr_left; i++) {
		if (it->left[i].queue)
			log_queue_put(it->left[i].queue);
		log_runs_free(&it->left[i].in_files);
	}
	free(it->left);
	return err;
}
