// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The second half of a repair: the files of the chunk become what hft/.repaired says.
 *
 * Each step may be made again: a new file takes the place of an old one, or the end of one is
 * cut off, and at last the seal has its own name.  Until then a chunk is as it was left, or
 * has a seal that says how it will be; it is verified by that.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../options.h"
#include "repair.h"

void hft_log_new_name(const char *file, char name[256])
{
	const char *base = strrchr(file, '/');

	base = base ? base + 1 : file;
	snprintf(name, 256, "%.*s.new-%s", (int)(base - file), file, base);
}

/* 1, 0, or -errno: it may be there, then, and the old file is not what is to stay. */
int hft_log_has_new(int chunk_fd, const char *file, char name[256])
{
	hft_log_new_name(file, name);
	if (!faccessat(chunk_fd, name, F_OK, AT_SYMLINK_NOFOLLOW))
		return 1;
	return errno == ENOENT ? 0 : hft_fail(errno, "look for %s", name);
}

/* What a repair may change: a seal of someone else's may name anything. */
static bool hft_log_is_own_name(const char *file)
{
	uint64_t stream;

	return hft_log_stream_number(file, &stream) || !strcmp(file, "metadata") ||
	       !strcmp(file, "hft/sites") || !strcmp(file, "hft/index");
}

static int hft_log_cut_to(int chunk_fd, const char *file, uint64_t bytes)
{
	int fd = openat(chunk_fd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int err = 0;

	if (fd < 0)
		return hft_fail(errno, "open %s to cut it", file);
	if (fstat(fd, &st))
		err = hft_fail(errno, "stat %s", file);
	else if (!S_ISREG(st.st_mode))
		err = hft_fail(EBADMSG, "%s is no file", file);
	else if ((uint64_t)st.st_size > bytes && ftruncate(fd, (off_t)bytes))
		err = hft_fail(errno, "cut %s", file);
	close(fd);
	return err;
}

static int hft_log_end_file(int chunk_fd, const json_t *sealed)
{
	const char *file = json_string_value(json_object_get(sealed, "name"));
	char name[256];
	int has_new;

	if (!hft_log_is_own_name(file))
		return hft_fail(EBADMSG, "hft/.repaired names %s, which no repair changes", file);
	has_new = hft_log_has_new(chunk_fd, file, name);
	if (has_new < 0)
		return has_new;
	if (!has_new)
		return hft_log_cut_to(chunk_fd, file, hft_log_number(sealed, "bytes"));
	if (renameat(chunk_fd, name, chunk_fd, file))
		return hft_fail(errno, "rename %s", name);
	return 0;
}

/* What it kept and what it cut, as its seal says */
static void hft_log_count_repair(struct hft_log_repair_result *result, const json_t *seal)
{
	const json_t *file, *cut;
	uint64_t stream;
	size_t i;

	result->chunks++;
	json_array_foreach(json_object_get(seal, "files"), i, file) {
		result->packets += hft_log_number(file, "packets");
		result->records += hft_log_number(file, "records");
	}
	json_array_foreach(json_object_get(seal, "repaired"), i, cut) {
		const char *name = json_string_value(json_object_get(cut, "name"));

		result->cut_bytes += hft_log_number(cut, "cut_bytes");
		result->cut_streams += name && hft_log_number(cut, "cut_bytes") &&
				       hft_log_stream_number(name, &stream);
	}
}

int hft_log_repair_end(struct hft_log_repairer *repairer)
{
	const json_t *file;
	size_t i;
	int err;

	err = hft_log_seal_read_pending(&repairer->seal, repairer->chunk_fd);
	if (err)
		return err;
	json_array_foreach(json_object_get(repairer->seal.json, "files"), i, file) {
		if (!err)
			err = hft_log_end_file(repairer->chunk_fd, file);
	}
	if (!err)
		err = hft_log_seal_end_pending(&repairer->seal, repairer->chunk_fd);
	if (!err)
		hft_log_count_repair(&repairer->result, repairer->seal.json);
	hft_log_seal_close(&repairer->seal);
	return err;
}
