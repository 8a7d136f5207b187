// SPDX-License-Identifier: LGPL-2.1-or-later
/* Chunks: made, closed, given to the keeper, freed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../gettime.h"
#include "../options.h"
#include "locked.h"
#include "store_internal.h"

#define SEALED_NS	(20 * NSEC_PER_MSEC)

static const char *const text_names[LOG_TEXTS] = {
	[LOG_METADATA] = "metadata",
	[LOG_SITES] = "hft/sites",
	[LOG_INDEX] = "hft/index",
};

static void remove_files(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_type != DT_DIR)
			unlinkat(fd, entry->d_name, 0);
	if (dir)
		closedir(dir);
	else if (copy >= 0)
		close(copy);
}

/* A chunk's folder with what is in it, which is files and the folder hft. */
void hft_store_folder_remove(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int hft_fd;

	if (fd < 0)
		return;
	hft_fd = openat(fd, "hft", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (hft_fd >= 0) {
		remove_files(hft_fd);
		close(hft_fd);
		unlinkat(fd, "hft", AT_REMOVEDIR);
	}
	remove_files(fd);
	close(fd);
	unlinkat(dir_fd, name, AT_REMOVEDIR);
}

void hft_store_chunk_changed(struct log_chunk *chunk)
{
	chunk->changes++;
}

/* Both or none: half an event would make the metadata unreadable. */
int hft_store_chunk_site(struct log_chunk *chunk, const struct hft_log_store_site *site)
{
	struct log_text *metadata = &chunk->texts[LOG_METADATA];
	struct log_text *sites = &chunk->texts[LOG_SITES];
	const size_t metadata_bytes = metadata->bytes, sites_bytes = sites->bytes;
	int err = hft_store_metadata_site(metadata, site);

	if (!err)
		err = hft_store_sites_site(sites, site);
	if (err) {
		metadata->bytes = metadata_bytes;
		sites->bytes = sites_bytes;
	}
	hft_store_chunk_changed(chunk);
	return err;
}

int hft_store_chunk_write_texts(struct log_chunk *chunk)
{
	int i, err = 0;

	for (i = 0; !err && i < LOG_TEXTS; i++)
		err = hft_store_text_write(&chunk->texts[i]);
	return err;
}

static int describe(struct hft_log_store *store, struct log_chunk *chunk)
{
	uint32_t i;
	int err = hft_store_metadata_begin(&chunk->texts[LOG_METADATA], &store->origin);

	if (!err)
		err = hft_store_sites_begin(&chunk->texts[LOG_SITES], &store->origin,
					    store->has_key ? &store->key : NULL);
	for (i = 0; !err && i < store->nr_sites; i++)
		err = hft_store_chunk_site(chunk, &store->sites[store->site_order[i]]->is);
	return err ? err : hft_store_chunk_write_texts(chunk);
}

static int make_files(struct hft_log_store *store, struct log_chunk *chunk, const char *name)
{
	int i, err = 0;

	hft_store_folder_remove(store->dir_fd, name);	/* what is left of a failed attempt */
	if (mkdirat(store->dir_fd, name, 0750))
		return hft_fail(errno, "making a chunk in %s", store->dir);
	chunk->fd = openat(store->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (chunk->fd < 0 || mkdirat(chunk->fd, "hft", 0750))
		return hft_fail(errno, "making a chunk in %s", store->dir);
	chunk->hft_fd = openat(chunk->fd, "hft", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (chunk->hft_fd < 0)
		return hft_fail(errno, "opening a chunk in %s", store->dir);
	for (i = 0; !err && i < LOG_TEXTS; i++)
		err = hft_store_text_open(&chunk->texts[i], chunk->fd, text_names[i]);
	return err;
}

/* The folder may have been removed, and whoever did that may have made room so. */
static int find_folder(struct hft_log_store *store)
{
	struct stat stat;
	int fd, err;

	if (!fstat(store->dir_fd, &stat) && stat.st_nlink)
		return 0;
	if (mkdir(store->dir, 0750) && errno != EEXIST)
		return hft_fail(errno, "making %s", store->dir);
	fd = log_locked_open(store->dir, 0);
	if (fd < 0)
		return hft_fail(-fd, fd == -EBUSY ? "%s: another process writes there" :
				"opening %s", store->dir);
	err = store->uring ? log_locked_ring_move(&store->ring, fd) : 0;
	if (err) {
		log_locked_close(fd);
		return hft_fail(-err, "keeping the lock of %s", store->dir);
	}
	log_locked_close(store->dir_fd);
	store->dir_fd = fd;
	return 0;
}

static struct log_chunk *new_chunk(struct hft_log_store *store)
{
	struct log_chunk *chunk = calloc(1, sizeof(*chunk));
	int i;

	if (!chunk)
		return NULL;
	chunk->fd = -1;
	chunk->hft_fd = -1;
	for (i = 0; i < LOG_TEXTS; i++)
		chunk->texts[i].fd = -1;
	chunk->number = store->next_number;
	chunk->opened = store->now;
	chunk->has_previous = store->has_previous;
	memcpy(chunk->previous, store->previous, sizeof(chunk->previous));
	chunk->changes = 1;
	return chunk;
}

/* The open chunk gets what it has to have, as soon as there is a packet for that. */
bool hft_store_chunk_begin(struct hft_log_store *store)
{
	struct log_chunk *chunk = store->chunk;

	if (chunk && !chunk->begun)
		chunk->begun = !store->begin ||
			       store->begin(store->begin_arg, store, chunk->number,
					    &store->origin.clock);
	return !chunk || chunk->begun;
}

/* The folder appears with its name when all that describes records is in it. */
int hft_store_chunk_open(struct hft_log_store *store)
{
	struct log_chunk *chunk;
	char hidden[HFT_LOG_NAME_BYTES], name[HFT_LOG_NAME_BYTES];
	int err = find_folder(store);

	if (err)
		return err;
	chunk = new_chunk(store);
	if (!chunk)
		return hft_fail(ENOMEM, "a chunk");
	snprintf(name, sizeof(name), "chunk-%08u", chunk->number);
	snprintf(hidden, sizeof(hidden), ".chunk-%08u", chunk->number);
	err = make_files(store, chunk, hidden);
	if (!err)
		err = describe(store, chunk);
	if (!err && renameat(store->dir_fd, hidden, store->dir_fd, name))
		err = hft_fail(errno, "naming %s/%s", store->dir, name);
	if (err) {
		hft_store_folder_remove(store->dir_fd, hidden);
		hft_store_chunk_free(chunk);
		return err;
	}
	store->next_number++;
	store->chunk = chunk;
	pthread_mutex_lock(&store->lock);
	store->state.chunk = chunk->number;
	pthread_mutex_unlock(&store->lock);
	hft_store_chunk_begin(store);
	return 0;
}

static int open_file(struct hft_log_store *store, struct log_file *file)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;

	file->fd = -1;
	if (!(store->opts.flags & HFT_LOG_STORE_BUFFERED))
		file->fd = openat(file->chunk->fd, file->name, flags | O_DIRECT, 0640);
	file->direct = file->fd >= 0;
	if (file->fd < 0 && !(store->opts.flags & HFT_LOG_STORE_BUFFERED))
		unlinkat(file->chunk->fd, file->name, 0);	/* open() may have made it */
	if (file->fd < 0)
		file->fd = openat(file->chunk->fd, file->name, flags, 0640);
	return file->fd < 0 ? hft_fail(errno, "making %s", file->name) : 0;
}

static void free_file(struct log_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	hft_log_chain_end(&file->chain);
	hft_store_stream_put(file->stream);
	free(file);
}

/* The stream gets a file in the open chunk. */
int hft_store_chunk_file(struct hft_log_store *store, struct log_stream *stream)
{
	struct log_chunk *chunk = store->chunk;
	struct log_file *file = calloc(1, sizeof(*file));
	int err;

	if (!file)
		return hft_fail(ENOMEM, "a stream");
	file->chunk = chunk;
	file->stream = stream;
	stream->users++;
	snprintf(file->name, sizeof(file->name), "stream-%llu", (unsigned long long)stream->is.id);
	err = open_file(store, file);
	if (!err)
		err = hft_log_chain_begin(&file->chain,
					  chunk->has_previous ? chunk->previous : NULL);
	if (!err)
		err = hft_store_sites_stream(&chunk->texts[LOG_SITES], &stream->is);
	if (err) {
		if (file->fd >= 0)
			unlinkat(chunk->fd, file->name, 0);
		free_file(file);
		return err;
	}
	file->next = chunk->files;
	chunk->files = file;
	stream->file = file;
	chunk->audit |= stream->is.audit;
	hft_store_chunk_changed(chunk);
	pthread_mutex_lock(&store->lock);
	store->state.direct = file->direct;
	pthread_mutex_unlock(&store->lock);
	return 0;
}

void hft_store_chunk_free(struct log_chunk *chunk)
{
	struct log_file *file;
	int i;

	while ((file = chunk->files)) {
		chunk->files = file->next;
		free_file(file);
	}
	for (i = 0; i < LOG_TEXTS; i++)
		hft_store_text_close(&chunk->texts[i]);
	if (chunk->hft_fd >= 0)
		close(chunk->hft_fd);
	if (chunk->fd >= 0)
		close(chunk->fd);
	hft_log_seal_close(&chunk->seal);
	free(chunk);
}

bool hft_store_chunk_is_there(const struct log_chunk *chunk, const struct log_file *file)
{
	struct stat stat;

	return !fstat(file ? file->fd : chunk->texts[LOG_METADATA].fd, &stat) && stat.st_nlink;
}

static int add_hash(struct hft_log_sealing *seal, struct hft_log_digest *digest,
		    const struct log_text *text, const char *name)
{
	uint8_t hash[HFT_LOG_HASH_BYTES];
	int err = hft_log_digest_begin(digest);

	if (!err)
		err = hft_log_digest_add(digest, text->at, text->bytes);
	if (!err)
		err = hft_log_digest_end(digest, hash);
	return err ? err : hft_log_seal_hash(seal, name, text->bytes, hash);
}

static int add_files(struct log_chunk *chunk)
{
	struct hft_log_digest digest;
	struct log_file *file;
	int i, err = hft_log_digest_open(&digest);

	if (err)
		return err;
	for (file = chunk->files; !err && file; file = file->next)
		err = hft_log_seal_stream(&chunk->seal, file->name, &file->chain);
	for (i = 0; !err && i < LOG_TEXTS; i++)
		err = add_hash(&chunk->seal, &digest, &chunk->texts[i], text_names[i]);
	hft_log_digest_close(&digest);
	return err;
}

/* All that will be in it is known: so are its seal and its root. */
static int make_seal(struct hft_log_store *store, struct log_chunk *chunk)
{
	struct log_kept kept = {
		.number = chunk->number, .audit = chunk->audit, .bytes = chunk->bytes,
	};
	struct hft_log_seal_opts opts = {
		.chunk = chunk->number,
		.closed = hft_gettime(CLOCK_REALTIME),
		.final = store->final,
		.previous = chunk->has_previous ? chunk->previous : NULL,
	};
	int err;

	pthread_mutex_lock(&store->lock);
	chunk->first = hft_store_retain_first(store, chunk->number, chunk->bytes, opts.closed);
	pthread_mutex_unlock(&store->lock);
	opts.first = chunk->first;
	kept.closed = opts.closed;
	memcpy(opts.uuid, store->origin.uuid, sizeof(opts.uuid));
	err = hft_log_seal_begin(&chunk->seal, &opts);
	if (!err)
		err = add_files(chunk);
	if (!err)
		err = hft_log_seal_end(&chunk->seal, store->has_key ? &store->key : NULL);
	if (!err) {
		pthread_mutex_lock(&store->lock);
		err = hft_store_kept_add(store, &kept);
		pthread_mutex_unlock(&store->lock);
	}
	if (err)
		hft_log_seal_close(&chunk->seal);
	return err;
}

/*
 * Close the open chunk and, unless it is the last, make the next: its folder is there
 * before the seal of this one.  Nothing has changed when there is an error, but that
 * packets were closed; -EAGAIN: the hasher has more of them than can be waited for, or it has
 * not yet what it has to have.  A doubtful one is not asked for that: as long as it is not
 * closed, no packet may ever be free.
 */
int hft_store_chunk_rotate(struct hft_log_store *store)
{
	struct log_chunk *chunk = store->chunk;
	struct log_stream *stream;
	int err;

	if (!hft_store_chunk_begin(store) && !chunk->doubtful)
		return -EAGAIN;
	err = hft_store_packets_close(store);
	chunk = store->chunk;
	if (err || !chunk)
		return err;
	err = hft_store_hasher_wait(store, hft_store_monotonic() + SEALED_NS);
	if (!err)
		err = hft_store_chunk_write_texts(chunk);
	if (!err)
		err = make_seal(store, chunk);
	if (err)
		return err;
	for (stream = store->streams; stream; stream = stream->next)
		stream->file = NULL;
	memcpy(store->previous, chunk->seal.root, sizeof(store->previous));
	store->has_previous = true;
	store->chunk = NULL;
	store->rotate = false;
	chunk->next = NULL;
	if (store->closing_last)
		store->closing_last->next = chunk;
	else
		store->closing = chunk;
	store->closing_last = chunk;
	return store->final ? 0 : hft_store_chunk_open(store);
}

/*
 * Those that are closed and all written go to the keeper, in their order: when the next
 * one's folder is there.
 */
void hft_store_chunk_hand_over(struct hft_log_store *store)
{
	struct log_chunk *chunk;

	if (store->closing && !store->chunk && !store->final && hft_store_chunk_open(store))
		return;
	while ((chunk = store->closing) && !chunk->packets && !chunk->syncs) {
		store->closing = chunk->next;
		if (!store->closing)
			store->closing_last = NULL;
		hft_store_keeper_give(store, chunk);
	}
}

/* A sync of it failed: it is closed, and the keeper writes it once more. */
void hft_store_chunk_doubt(struct hft_log_store *store, struct log_chunk *chunk)
{
	store->rotate |= chunk == store->chunk;
	store->doubts += !chunk->doubtful;
	chunk->doubtful = true;
}

/* A sync of it is due some time: it was written to. */
void hft_store_file_due(const struct hft_log_store *store, struct log_file *file)
{
	bool asked = hft_store_sync_policy(store, file->stream) == HFT_LOG_SYNC_NONE;
	struct log_file **due = &file->chunk->due[asked ? LOG_DUE_ASKED : LOG_DUE_ALWAYS];

	if (file->is_due)
		return;
	file->is_due = true;
	file->next_due = *due;
	*due = file;
}

/*
 * Of its stream's records, those up to @to are certain, if those of the chunks before are:
 * it is a sync of this file only that says so.
 */
void hft_store_file_synced(struct log_file *file, uint64_t to)
{
	struct log_stream *stream = file->stream;

	if (to > file->synced_to)
		file->synced_to = to;
	if (file->from <= stream->synced && file->synced_to > stream->synced)
		stream->synced = file->synced_to;
}

/* Who removed the files of a chunk wants nothing of it: there is nothing to be certain of. */
void hft_store_chunk_forget(struct hft_log_store *store, struct log_chunk *chunk)
{
	struct log_file *file;

	for (file = chunk->files; file; file = file->next) {
		if (chunk->lost || !(chunk->sealed || chunk->gone))
			continue;
		hft_store_file_synced(file, file->written_to);
		if (!file->stream->forgotten && file->stream->file)
			hft_store_file_synced(file->stream->file, 0);
		pthread_mutex_lock(&store->lock);
		if (chunk->sealed)
			store->state.synced_packets += file->written - file->synced;
		pthread_mutex_unlock(&store->lock);
	}
	store->doubts -= chunk->doubtful;
	store->lost |= chunk->lost;
	hft_store_chunk_free(chunk);
}

/* Those that the keeper has done with: what is sealed was synchronised before. */
void hft_store_chunk_reap(struct hft_log_store *store)
{
	struct log_chunk *chunk, *next;
	bool was_held = hft_store_is_held(store);

	pthread_mutex_lock(&store->lock);
	chunk = store->keeper.done;
	store->keeper.done = NULL;
	store->keeper_fails = store->keeper.failing;
	pthread_mutex_unlock(&store->lock);
	for (; chunk; chunk = next) {
		next = chunk->next;
		hft_store_chunk_forget(store, chunk);
	}
	if (was_held)
		hft_store_well(store);
}
