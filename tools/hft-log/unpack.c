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

#include "hft-log.h"

#define BUFFER_BYTES	(1u << 20)

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
	      "Exit status: 0: done; 1: a stream is damaged; 2: wrong usage, or files could not be read\n"
	      "or written.\n", stdout);
}

static int write_all(int fd, const uint8_t *from, size_t bytes)
{
	ssize_t done;

	for (; bytes; from += done, bytes -= (size_t)done) {
		done = write(fd, from, bytes);
		if (done < 0 && errno == EINTR)
			done = 0;
		else if (done <= 0)
			return done ? -errno : -EIO;
	}
	return 0;
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

static int copy_bytes(int from, struct hft_log_packed *packed, int to)
{
	static uint8_t buffer[BUFFER_BYTES];
	uint64_t at = 0;
	int64_t got;
	int err;

	while ((got = read_some(from, packed, at, buffer)) > 0) {
		err = write_all(to, buffer, (size_t)got);
		if (err)
			return err;
		at += (uint64_t)got;
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

static int copy_file(int from_dir, const char *name, int to_dir)
{
	struct hft_log_packed *packed = NULL;
	char to_name[NAME_MAX + 1], *end;
	int from, to, err;

	snprintf(to_name, sizeof(to_name), "%s", name);
	from = openat(from_dir, name, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return -errno;
	end = packed_end(to_name);
	err = end ? hft_log_packed_open(&packed, from) : 0;
	if (!err && end)
		*end = '\0';
	to = err ? -1 : openat(to_dir, to_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (!err)
		err = to < 0 ? -errno : copy_bytes(from, packed, to);
	if (to >= 0 && close(to) && !err)
		err = -errno;
	hft_log_packed_close(packed);
	close(from);
	return err;
}

static int copy_folder(int from, const char *name, int to);

static int copy_entry(int from, const char *name, int to)
{
	struct stat stat;

	if (fstatat(from, name, &stat, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (S_ISDIR(stat.st_mode))
		return copy_folder(from, name, to);
	return S_ISREG(stat.st_mode) ? copy_file(from, name, to) : 0;
}

/* All that is in @from but what is hidden; says which file it is that has an error. */
static int copy_entries(int from, int to)
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
	while (!err && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		err = copy_entry(from, entry->d_name, to);
		if (err)
			fprintf(stderr, "hft-log: in %s\n", entry->d_name);
	}
	closedir(dir);
	return err;
}

static int copy_folder(int from_dir, const char *name, int to_dir)
{
	int from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), to = -1;
	int err = from < 0 || mkdirat(to_dir, name, 0750) ? -errno : 0;

	if (!err) {
		to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		err = to < 0 ? -errno : copy_entries(from, to);
	}
	if (to >= 0)
		close(to);
	if (from >= 0)
		close(from);
	return err;
}

static int unpack(const char *log, const char *output)
{
	int from = open(log, O_RDONLY | O_DIRECTORY | O_CLOEXEC), to, err;

	if (from < 0)
		return fail(errno, "%s", log);
	to = mkdir(output, 0750) ? -1 : open(output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to < 0) {
		close(from);
		return fail(errno, "%s", output);
	}
	err = copy_entries(from, to);
	close(to);
	close(from);
	return err ? fail_hft(err, log) : 0;
}

int cmd_unpack(int argc, char **argv)
{
	const char *output = NULL;
	int option, err;

	tool_help = "hft-log unpack --help";
	while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		switch (option) {
		case 'o':
			output = optarg;
			break;
		case 'h':
			usage();
			return STATUS_OK;
		default:
			return wrong_usage("no such option");
		}
	}
	if (optind + 1 != argc)
		return wrong_usage(optind < argc ? "one log at a time" : "which log?");
	if (!output)
		return wrong_usage("--output: where to?");
	err = unpack(argv[optind], output);
	if (!err)
		return STATUS_OK;
	return err == -EBADMSG ? STATUS_DAMAGED : STATUS_USAGE;
}
