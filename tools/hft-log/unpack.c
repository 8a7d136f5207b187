// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log unpack: a copy of a log whose streams are not compressed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <common/tool.h>
#include <hft/log_store.h>
#include <log/remove.h>

#include "hft-log.h"
#include "progress.h"
#include "write_all.h"

#define BUFFER_BYTES	(1u << 20)

struct unpack {
	struct progress progress;
	uint64_t done, all;		/* bytes of files, as they are in the log */
	bool damaged;
};

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void usage(void)
{
	fputs("Usage: hft-log unpack --output FOLDER LOG\n"
	      "Copy a log, or one of its chunks, with streams that are not compressed: babeltrace2 and\n"
	      "other readers of CTF 1.8 read each chunk of the copy.  hft-log verify takes the copy as\n"
	      "it takes the log.\n"
	      "\n"
	      "  -o, --output FOLDER  where to, which is made\n"
	      "  -h, --help           this text\n"
	      "\n"
	      "A stream that is damaged ends where it is, which is told; the others are whole.  When\n"
	      "files can not be read or written, or it is interrupted, nothing is left of the copy.\n"
	      "\n"
	      "Exit status: 0: done; 1: a stream is damaged; 2: wrong usage, or files could not be read\n"
	      "or written.\n", stdout);
}

/* As pread(2), of what a file is or was: @packed, or NULL */
static int64_t read_some(int fd, struct hft_log_packed *packed, uint64_t at, uint8_t *to)
{
	ssize_t got;

	if (packed)
		return hft_log_packed_read(packed, at, to, BUFFER_BYTES);
	got = pread(fd, to, BUFFER_BYTES, (off_t)at);
	return got < 0 ? -errno : got;
}

/* @size: of the file */
static int copy_bytes(struct unpack *unpack, int from, struct hft_log_packed *packed,
		      uint64_t size, int to)
{
	uint64_t at = 0, all = packed ? hft_log_packed_size(packed) : size;
	static uint8_t buffer[BUFFER_BYTES];
	int64_t got;
	int err;

	while ((got = read_some(from, packed, at, buffer)) > 0) {
		err = interrupted ? -EINTR : hft_write_all(to, buffer, (size_t)got);
		if (err)
			return err;
		at += (uint64_t)got;
		progress_show(&unpack->progress, unpack->done +
			      (uint64_t)((double)at / (double)(all ? all : 1) * (double)size),
			      unpack->all);
	}
	return (int)got;
}

/* The end of the name of a compressed stream, or NULL: it is none. */
static char *packed_end(char *name)
{
	char *end = strrchr(name, '.');

	return end && !strcmp(end, ".zst") && !strncmp(name, "stream-", strlen("stream-")) ?
		end : NULL;
}

/* What is no file, as a pipe or a link, is none of a log's. */
static int open_file(int dir, const char *name, struct stat *stat)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW), err;

	if (fd < 0)
		return -errno;
	err = fstat(fd, stat) ? -errno : S_ISREG(stat->st_mode) ? 0 : -EINVAL;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int copy_file(struct unpack *unpack, int from_dir, const char *name, int to_dir)
{
	struct hft_log_packed *packed = NULL;
	char to_name[NAME_MAX + 1], *end;
	struct stat stat;
	int from, to, err;

	snprintf(to_name, sizeof(to_name), "%s", name);
	from = open_file(from_dir, name, &stat);
	if (from < 0)
		return from;
	end = packed_end(to_name);
	err = end ? hft_log_packed_open(&packed, from) : 0;
	if (!err && end)
		*end = '\0';
	to = err ? -1 : openat(to_dir, to_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (!err)
		err = to < 0 ? -errno : copy_bytes(unpack, from, packed, (uint64_t)stat.st_size,
						   to);
	if (to >= 0 && close(to) && !err)
		err = -errno;
	hft_log_packed_close(packed);
	close(from);
	unpack->done += (uint64_t)stat.st_size;
	return err;
}

/* What is done with an entry of a folder that is of a log; @to: the folder of the copy */
typedef int (*entry_fn)(struct unpack *unpack, int from, const char *name, int to);

/* Of all that is in @from but what is hidden */
static int each_entry(struct unpack *unpack, int from, int to, entry_fn fn)
{
	int copy = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!dir) {
		err = -errno;
		if (copy >= 0)
			close(copy);
		return err;
	}
	while (!err && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			err = fn(unpack, from, entry->d_name, to);
	closedir(dir);
	return err;
}

static int open_folder(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * For progress alone: of a log that is written, streams get other names when they are
 * compressed, and old chunks are removed.
 */
static int add_size(struct unpack *unpack, int from, const char *name, int to)
{
	struct stat stat;
	int fd, err = 0;

	if (fstatat(from, name, &stat, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	if (S_ISREG(stat.st_mode))
		unpack->all += (uint64_t)stat.st_size;
	if (!S_ISDIR(stat.st_mode))
		return 0;
	fd = open_folder(from, name);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	err = each_entry(unpack, fd, to, add_size);
	close(fd);
	return err;
}

static int copy_entry(struct unpack *unpack, int from, const char *name, int to);

static int copy_folder(struct unpack *unpack, int from_dir, const char *name, int to_dir)
{
	int from = open_folder(from_dir, name), to, err;

	if (from < 0)
		return from;
	err = mkdirat(to_dir, name, 0750) ? -errno : 0;
	to = err ? err : open_folder(to_dir, name);
	err = to < 0 ? to : each_entry(unpack, from, to, copy_entry);
	if (to >= 0)
		close(to);
	close(from);
	return err;
}

/*
 * A stream that is being compressed, or was when its writer died, is there twice: once is
 * enough.  It may be there under its other name alone by now.
 */
static int copy_stream(struct unpack *unpack, int from, const char *name, int to)
{
	char packed[NAME_MAX + 8];
	int err = copy_file(unpack, from, name, to);

	snprintf(packed, sizeof(packed), "%s", name);
	if (err == -ENOENT && !packed_end(packed)) {
		snprintf(packed, sizeof(packed), "%s.zst", name);
		err = copy_file(unpack, from, packed, to);
	}
	return err == -EEXIST ? 0 : err;
}

/* A stream that is damaged is told of, and ends where it is. */
static int copy_entry(struct unpack *unpack, int from, const char *name, int to)
{
	struct stat stat;
	int err = fstatat(from, name, &stat, AT_SYMLINK_NOFOLLOW) ? -errno : 0;

	if (!err && S_ISDIR(stat.st_mode))
		return copy_folder(unpack, from, name, to);
	if (!strncmp(name, "stream-", strlen("stream-")) && (!err || err == -ENOENT))
		err = copy_stream(unpack, from, name, to);
	else if (!err && S_ISREG(stat.st_mode))
		err = copy_file(unpack, from, name, to);
	if (!err)
		return 0;
	progress_clear(&unpack->progress);
	fail_hft(err, name);
	if (err != -EBADMSG)
		return err;
	unpack->damaged = true;
	return 0;
}

/* Returns the exit status. */
static int copy_log(struct unpack *unpack, int from, const char *output)
{
	int to, err;

	if (mkdir(output, 0750)) {
		fail(errno, "make the folder %s", output);
		return STATUS_USAGE;
	}
	to = open(output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = to < 0 ? -errno : each_entry(unpack, from, -1, add_size);
	if (!err)
		err = each_entry(unpack, from, to, copy_entry);
	progress_clear(&unpack->progress);
	if (to >= 0)
		close(to);
	if (!err)
		return unpack->damaged ? STATUS_DAMAGED : STATUS_OK;
	fail_hft(err, output);
	if (hft_log_remove_folder(output))
		fail(errno, "remove what there is of %s", output);
	return STATUS_USAGE;
}

static int unpack_log(const char *log, const char *output)
{
	struct unpack unpack = { .damaged = false };
	int from = open(log, O_RDONLY | O_DIRECTORY | O_CLOEXEC), status;

	if (from < 0) {
		fail(errno, "%s", log);
		return STATUS_USAGE;
	}
	catch_signals();
	status = copy_log(&unpack, from, output);
	close(from);
	return status;
}

static int take_output(int option, void *output)
{
	(void)option;
	*(const char **)output = optarg;
	return 0;
}

int cmd_unpack(int argc, char **argv)
{
	static const struct log_command command = {
		.help = "hft-log unpack --help", .letters = "o:h", .options = options,
		.usage = usage, .take = take_output,
	};
	const char *output = NULL, *log;
	int status = read_options(&command, argc, argv, &output, &log);

	if (status || !log)
		return status;
	if (!output)
		return wrong_usage("--output: where to?");
	return unpack_log(log, output);
}
