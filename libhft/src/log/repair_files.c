// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The files of a chunk beside its streams: without an end that was not written whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../options.h"
#include "again.h"
#include "repair.h"

#define ENTRY		sizeof(struct hft_log_index)

/* How much of TSDL is whole: a block ends with a line of its own. */
static size_t hft_log_whole_metadata(const char *text, size_t size)
{
	static const char block_end[] = "\n};\n";
	const size_t length = sizeof(block_end) - 1;
	size_t whole = size;

	while (whole >= length && memcmp(text + whole - length, block_end, length))
		whole--;
	return whole >= length ? whole : 0;
}

/* Of lines of JSON: those that are, and end. */
static size_t hft_log_whole_lines(const char *text, size_t size)
{
	const char *at = text, *end;

	while ((end = memchr(at, '\n', size - (size_t)(at - text)))) {
		json_t *json = json_loadb(at, (size_t)(end - at), JSON_REJECT_DUPLICATES, NULL);

		if (!json)
			break;
		json_decref(json);
		at = end + 1;
	}
	return (size_t)(at - text);
}

static int hft_log_cut_text(struct hft_log_repairer *repairer, const char *file, const char *text,
			    size_t size, size_t whole)
{
	const char *base = strrchr(file, '/');
	char name[64];
	int fd, err = 0;

	if (repairer->how & HFT_LOG_REPAIR_IN_PLACE) {
		snprintf(name, sizeof(name), ".cut-%s", base ? base + 1 : file);
		err = hft_log_create(repairer, name, &fd);
		if (!err)
			err = hft_log_finish(fd, hft_log_keep_bytes(fd, text + whole,
								    size - whole));
	}
	return err ? err : hft_log_say_cut(repairer, file, size - whole);
}

static int hft_log_repair_text(struct hft_log_repairer *repairer, const char *file,
			       size_t (*whole_of)(const char *text, size_t size))
{
	size_t size, whole;
	char *text;
	int err;

	text = hft_log_slurp(repairer->chunk_fd, file, &size, &err);
	if (err == -ENOENT)
		return 0;
	if (err)
		return err;
	whole = whole_of(text, size);
	if (whole < size)
		err = hft_log_cut_text(repairer, file, text, size, whole);
	if (!err && (repairer->how & HFT_LOG_REPAIR_IN_PLACE))
		err = hft_log_again_text(repairer->chunk_fd, file, text, whole);
	free(text);
	if (err)
		return err;
	return hft_log_seal_file(&repairer->seal, repairer->chunk_fd, file, file, whole);
}

int hft_log_repair_texts(struct hft_log_repairer *repairer)
{
	int err = hft_log_repair_text(repairer, "metadata", hft_log_whole_metadata);

	return err ? err : hft_log_repair_text(repairer, "hft/sites", hft_log_whole_lines);
}

/* The log that a chunk without a packet is of */
void hft_log_repair_uuid(struct hft_log_repairer *repairer)
{
	hft_log_sites_uuid(repairer->chunk_fd, "hft/sites", repairer->uuid);
}

static int hft_log_by_place(const void *a, const void *b)
{
	const struct hft_log_index *one = a, *other = b;

	if (one->stream != other->stream)
		return one->stream < other->stream ? -1 : 1;
	return (one->offset > other->offset) - (one->offset < other->offset);
}

/* What the old index has of a packet, or an entry with which no filter passes it by */
static void hft_log_entry(const struct hft_log_index *old, size_t nr,
			  const struct hft_log_kept *kept, struct hft_log_index *entry)
{
	const struct hft_log_index key = { .stream = kept->stream, .offset = kept->from };
	const struct hft_log_index *found = nr ? bsearch(&key, old, nr, ENTRY, hft_log_by_place) :
						 NULL;

	memset(entry, 0xff, sizeof(*entry));
	if (found && found->bytes == kept->bytes && found->begin == kept->begin &&
	    found->end == kept->end && found->records == kept->records)
		*entry = *found;
	entry->stream = kept->stream;
	entry->offset = kept->offset;
	entry->bytes = kept->bytes;
	entry->begin = kept->begin;
	entry->end = kept->end;
	entry->records = kept->records;
}

static int hft_log_write_index(struct hft_log_repairer *repairer,
			       const struct hft_log_index *entries)
{
	char name[256];
	int fd, err;

	hft_log_new_name("hft/index", name);
	err = hft_log_create(repairer, name, &fd);
	if (err)
		return err;
	err = hft_log_keep_bytes(fd, entries, repairer->nr_kept * ENTRY);
	if (!err)
		err = hft_log_take_mode(repairer, "hft/index", fd);
	err = hft_log_finish(fd, err);
	return err ? err : hft_log_seal_file(&repairer->seal, repairer->chunk_fd, name, "hft/index",
					     UINT64_MAX);
}

/* The packets that stay, in the order of time, as the log writes it. */
static int hft_log_by_time(const void *a, const void *b)
{
	const struct hft_log_index *one = a, *other = b;

	if (one->end != other->end)
		return one->end < other->end ? -1 : 1;
	return hft_log_by_place(a, b);
}

int hft_log_repair_index(struct hft_log_repairer *repairer)
{
	struct hft_log_index *entries;
	size_t i, nr = 0, size = 0;
	char *old;
	int err;

	old = hft_log_slurp(repairer->chunk_fd, "hft/index", &size, &err);
	if (err && err != -ENOENT)
		return err;
	entries = calloc(repairer->nr_kept + 1, ENTRY);
	if (!entries) {
		free(old);
		return hft_fail(ENOMEM, "the index");
	}
	nr = old ? size / ENTRY : 0;
	if (nr)
		qsort(old, nr, ENTRY, hft_log_by_place);
	for (i = 0; i < repairer->nr_kept; i++)
		hft_log_entry((const struct hft_log_index *)old, nr, &repairer->kept[i],
			      &entries[i]);
	qsort(entries, repairer->nr_kept, ENTRY, hft_log_by_time);
	err = hft_log_write_index(repairer, entries);
	free(entries);
	free(old);
	return err;
}

static int hft_log_copy_file(int from_dir, const char *file, int to_dir)
{
	int from = openat(from_dir, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	int to, err = 0;
	struct stat st;

	if (from < 0 || fstat(from, &st)) {
		err = hft_fail(errno, "open %s", file);
		if (from >= 0)
			close(from);
		return err;
	}
	if (!S_ISREG(st.st_mode)) {
		close(from);
		return 0;
	}
	to = openat(to_dir, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777);
	err = to < 0 ? hft_fail(errno, "create %s", file) :
		       hft_log_copy(from, 0, (uint64_t)st.st_size, to);
	if (to >= 0)
		close(to);
	close(from);
	return err;
}

/* Of a chunk whose repair has not ended: what that repair made, which its seal counts on, too. */
static bool hft_log_is_copied(const char *name, bool is_pending)
{
	if (*name != '.')
		return true;
	return is_pending && strcmp(name, ".") && strcmp(name, "..");
}

static int hft_log_copy_folder(int from_dir, int to_dir, const char *folder, bool is_pending)
{
	int from = openat(from_dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = from < 0 ? NULL : fdopendir(from);
	struct dirent *entry;
	int to, err = 0;

	if (!dir) {
		err = hft_fail(errno, "open %s", folder);
		if (from >= 0)
			close(from);
		return err;
	}
	if (mkdirat(to_dir, folder, 0750) ||
	    (to = openat(to_dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		err = hft_fail(errno, "make the folder %s", folder);
		closedir(dir);
		return err;
	}
	while (!err && (entry = readdir(dir))) {
		if (!hft_log_is_copied(entry->d_name, is_pending))
			continue;
		if (!strcmp(entry->d_name, "hft") && strcmp(folder, "hft"))
			err = hft_log_copy_folder(from, to, "hft", is_pending);
		else
			err = hft_log_copy_file(from, entry->d_name, to);
	}
	close(to);
	closedir(dir);
	return err;
}

int hft_log_copy_chunks(int dir_fd, const struct hft_log_chunks *chunks, int to_fd)
{
	char name[48];
	int err = 0;
	size_t i;

	for (i = 0; i < chunks->nr && !err; i++) {
		snprintf(name, sizeof(name), "chunk-%08" PRIu64, chunks->chunk[i].number);
		err = hft_log_copy_folder(dir_fd, to_fd, name, chunks->chunk[i].is_pending);
	}
	return err;
}
