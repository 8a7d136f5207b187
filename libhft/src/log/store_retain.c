// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which chunks stay.  They go from the oldest: never the newest, never one that is not
 * sealed, and never one before another that has to stay.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <jansson.h>

#include "../options.h"
#include "repair.h"
#include "store_internal.h"

static uint64_t age(const struct log_kept *kept, uint64_t now)
{
	return kept->closed < now ? now - kept->closed : 0;
}

static bool must_stay(const struct hft_log_store *store, const struct log_kept *kept, uint64_t now)
{
	return kept->audit && age(kept, now) < store->opts.audit_keep_ns;
}

static bool is_over(const struct hft_log_store *store, const struct log_kept *oldest,
		    uint64_t bytes, uint32_t chunks, uint64_t now)
{
	const struct hft_log_store_opts *opts = &store->opts;

	return (opts->keep_bytes && bytes > opts->keep_bytes) ||
		(opts->keep_chunks && chunks > opts->keep_chunks) ||
		(opts->keep_ns && age(oldest, now) > opts->keep_ns);
}

/*
 * The oldest chunk to be kept when @number, of @bytes, is closed: those before it may be
 * removed as soon as that is sealed, whose seal says so.  Under the lock.
 */
uint32_t hft_store_retain_first(struct hft_log_store *store, uint32_t number, uint64_t bytes,
			  uint64_t now)
{
	uint32_t chunks = store->nr_kept + 1, i;

	for (i = 0; i < store->nr_kept; i++)
		bytes += store->kept[i].bytes;
	for (i = 0; i < store->nr_kept; i++) {
		if (!store->kept[i].sealed || must_stay(store, &store->kept[i], now) ||
		    !is_over(store, &store->kept[i], bytes, chunks, now))
			return store->kept[i].number;
		bytes -= store->kept[i].bytes;
		chunks--;
	}
	return number;
}

/* It is out of sight at once, then it is removed. */
static int remove_chunk(struct hft_log_store *store, uint32_t number)
{
	char name[HFT_LOG_NAME_BYTES], hidden[HFT_LOG_NAME_BYTES];

	snprintf(name, sizeof(name), "chunk-%08u", number);
	snprintf(hidden, sizeof(hidden), ".chunk-%08u", number);
	if (renameat(store->dir_fd, name, store->dir_fd, hidden))
		return errno == ENOENT ? 0 : -errno;
	hft_store_folder_remove(store->dir_fd, hidden);
	return 0;
}

/* The next to be removed, or 0; what is compressed just now is not, but the next time. */
static uint32_t next_to_remove(struct hft_log_store *store, uint32_t first)
{
	uint32_t number = 0;

	pthread_mutex_lock(&store->lock);
	if (store->nr_kept > 1 && store->kept[0].sealed && store->kept[0].number < first &&
	    store->kept[0].number != store->packer.busy)
		number = store->kept[0].number;
	pthread_mutex_unlock(&store->lock);
	return number;
}

/* It is not there any more. */
void hft_store_kept_drop(struct hft_log_store *store, uint32_t number)
{
	uint32_t i, to = 0;

	pthread_mutex_lock(&store->lock);
	for (i = 0; i < store->nr_kept; i++)
		if (store->kept[i].number != number)
			store->kept[to++] = store->kept[i];
	store->nr_kept = to;
	pthread_mutex_unlock(&store->lock);
}

/* Remove those before @first: its seal is on the disk. */
void hft_store_retain(struct hft_log_store *store, uint32_t first)
{
	uint32_t number;
	int err;

	while ((number = next_to_remove(store, first))) {
		err = remove_chunk(store, number);
		if (err) {
			hft_store_tell(store, HFT_LOG_STORE_KEPT, -err,
				       "%s: chunk %u is not removed: %s", store->dir, number,
				       strerror(-err));
			return;
		}
		hft_store_kept_drop(store, number);
		pthread_mutex_lock(&store->lock);
		store->state.removed_chunks++;
		pthread_mutex_unlock(&store->lock);
	}
}

/* Under the lock. */
int hft_store_kept_add(struct hft_log_store *store, const struct log_kept *kept)
{
	uint32_t room = store->kept_room ? 2 * store->kept_room : 64;
	struct log_kept *more;

	if (store->nr_kept == store->kept_room) {
		more = realloc(store->kept, room * sizeof(*more));
		if (!more)
			return hft_fail(ENOMEM, "a log's chunks");
		store->kept = more;
		store->kept_room = room;
	}
	store->kept[store->nr_kept++] = *kept;
	return 0;
}

static struct log_kept *find_kept(struct hft_log_store *store, uint32_t number)
{
	uint32_t i;

	for (i = 0; i < store->nr_kept; i++)
		if (store->kept[i].number == number)
			return &store->kept[i];
	return NULL;
}

/* It is smaller now. */
void hft_store_kept_packed(struct hft_log_store *store, uint32_t number, uint64_t bytes)
{
	struct log_kept *kept;

	pthread_mutex_lock(&store->lock);
	kept = find_kept(store, number);
	if (kept)
		kept->bytes = bytes;
	pthread_mutex_unlock(&store->lock);
}

void hft_store_kept_sealed(struct hft_log_store *store, uint32_t number, uint64_t bytes)
{
	struct log_kept *kept;

	pthread_mutex_lock(&store->lock);
	store->state.chunks++;
	kept = find_kept(store, number);
	if (kept) {
		kept->bytes = bytes;
		kept->sealed = true;
	}
	pthread_mutex_unlock(&store->lock);
}

/* What the files of a chunk have, those in hft, too. */
uint64_t hft_store_folder_bytes(int fd)
{
	static const char *const folders[] = { ".", "hft" };
	uint64_t bytes = 0;
	struct dirent *entry;
	struct stat stat;
	DIR *dir;
	int i, copy;

	for (i = 0; i < 2; i++) {
		copy = openat(fd, folders[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		dir = copy < 0 ? NULL : fdopendir(copy);
		while (dir && (entry = readdir(dir)))
			if (!fstatat(copy, entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) &&
			    S_ISREG(stat.st_mode))
				bytes += (uint64_t)stat.st_size;
		if (dir)
			closedir(dir);
		else if (copy >= 0)
			close(copy);
	}
	return bytes;
}

static bool is_audit_line(const char *line)
{
	json_t *json = json_loads(line, 0, NULL);
	json_t *stream = json_object_get(json, "stream");
	const char *policy = json_string_value(json_object_get(stream, "policy"));
	bool audit = policy && !strcmp(policy, "audit");

	json_decref(json);
	return audit;
}

/* Has it audit records?  If that can not be told, it has. */
static bool has_audit(int fd)
{
	int sites = openat(fd, "hft/sites", O_RDONLY | O_CLOEXEC);
	FILE *file = sites < 0 ? NULL : fdopen(sites, "r");
	bool audit = !file;
	char *line = NULL;
	size_t room = 0;

	while (file && !audit && getline(&line, &room, file) > 0)
		audit = is_audit_line(line);
	free(line);
	if (file)
		fclose(file);
	else if (sites >= 0)
		close(sites);
	return audit;
}

static int folder_number(const char *name, uint32_t *number)
{
	char again[HFT_LOG_NAME_BYTES];
	unsigned int n;

	if (sscanf(name, "chunk-%8u", &n) != 1 || !n)
		return -EINVAL;
	snprintf(again, sizeof(again), "chunk-%08u", n);
	*number = n;
	return strcmp(name, again) ? -EINVAL : 0;
}

static int by_number(const void *a, const void *b)
{
	const struct log_kept *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* A chunk that was there before.  Returns 1: it is sealed, 0: it is not, or an error. */
static int look_at(struct hft_log_store *store, const char *name, uint32_t number)
{
	struct log_kept kept = { .number = number };
	int fd = openat(store->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat stat;
	int sealed;

	if (fd < 0)
		return hft_fail(errno, "opening %s/%s", store->dir, name);
	sealed = !fstatat(fd, "hft/seal", &stat, 0);
	kept.sealed = sealed;
	if (sealed) {
		kept.closed = (uint64_t)stat.st_mtim.tv_sec * NSEC_PER_SEC;
		kept.bytes = hft_store_folder_bytes(fd);
		kept.audit = has_audit(fd);
	}
	close(fd);
	if (number >= store->next_number)
		store->next_number = number + 1;
	return sealed ? hft_store_kept_add(store, &kept) ? -ENOMEM : 1 : 0;
}

/* Chunks behind one that is signed are, too. */
static int check_key(const struct hft_log_store *store, const struct hft_log_sealing *seal)
{
	uint8_t public[HFT_LOG_KEY_BYTES];

	return store->has_key || !hft_log_seal_check_signature(seal, public) ? 0 :
		hft_log_fail_key();
}

static int read_root(struct hft_log_store *store, uint32_t number)
{
	struct hft_log_sealing seal;
	char name[HFT_LOG_NAME_BYTES];
	int fd, err;

	snprintf(name, sizeof(name), "chunk-%08u", number);
	fd = openat(store->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return hft_fail(errno, "opening %s/%s", store->dir, name);
	err = hft_log_seal_read(&seal, fd);
	close(fd);
	if (err)
		return err;
	memcpy(store->previous, seal.root, sizeof(store->previous));
	store->has_previous = true;
	err = check_key(store, &seal);
	hft_log_seal_close(&seal);
	return err;
}

/* The root of the newest is what the next chunk goes on from; that of a damaged seal is none. */
static int read_last_root(struct hft_log_store *store)
{
	uint32_t i = store->nr_kept;
	int err = -EBADMSG;

	while (i-- && err == -EBADMSG)
		err = read_root(store, store->kept[i].number);
	return err == -EBADMSG ? 0 : err;
}

static int scan_folder(struct hft_log_store *store, DIR *dir, uint32_t *unsealed)
{
	struct dirent *entry;
	uint32_t number;
	int got;

	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' && !folder_number(entry->d_name + 1, &number))
			hft_store_folder_remove(store->dir_fd, entry->d_name);
		if (folder_number(entry->d_name, &number))
			continue;
		got = look_at(store, entry->d_name, number);
		if (got < 0)
			return got;
		*unsealed += !got;
	}
	return 0;
}

static int scan(struct hft_log_store *store, uint32_t *unsealed)
{
	int copy = openat(store->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	int err;

	if (!dir) {
		err = hft_fail(errno, "reading %s", store->dir);
		if (copy >= 0)
			close(copy);
		return err;
	}
	store->nr_kept = 0;
	*unsealed = 0;
	err = scan_folder(store, dir, unsealed);
	closedir(dir);
	return err;
}

/*
 * Finds what is there already; what a crash has left is sealed, and its seal says so.  A chunk
 * that had a seal, or whose files were removed, is no reason not to log: it stays as it is, for
 * hft_log_verify() to tell.
 */
int hft_store_kept_scan(struct hft_log_store *store)
{
	struct hft_log_repair_result result = { .sz = sizeof(result) };
	uint32_t unsealed;
	int err = scan(store, &unsealed);

	if (!err && unsealed) {
		err = hft_log_repair_folder(store->dir_fd, store->has_key ? &store->key : NULL,
					    HFT_LOG_REPAIR_IN_PLACE | HFT_LOG_REPAIR_REST,
					    &result);
		if (!err)
			err = scan(store, &unsealed);
	}
	if (err)
		return err;
	if (store->nr_kept)
		qsort(store->kept, store->nr_kept, sizeof(*store->kept), by_number);
	return read_last_root(store);
}
