// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hft-log report: files that appear whole, all of them, or not at all.  Until file_finish() what
 * is written has no name, or one that begins with a point: when it is not the last file, as a
 * descriptor is kept of that one alone, and where a file system knows no files without a name.
 * An existing file is never replaced.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <common/tool.h>
#include "report.h"

#define MOST_LEFT	1000u		/* by processes of this number that were killed */

struct part {
	int fd;				/* -1: only @hidden is left of it */
	char name[NAME_MAX + 1];
	char hidden[NAME_MAX + 1];	/* "": it has no name */
};

struct report_file {
	int dir;
	FILE *stream;			/* of the last part */
	uint64_t in_part;		/* records */
	struct part *parts;
	size_t nr_parts, linked;
};

static const char *folder(const struct report *r)
{
	const char *path = r->output ? r->output : getenv("TMPDIR");

	return path && *path ? path : "/tmp";
}

int file_open(struct report *r)
{
	struct report_file *file = calloc(1, sizeof(*file));

	if (!file)
		return fail(ENOMEM, "report");
	r->file = file;
	file->dir = open(folder(r), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return file->dir < 0 ? fail(errno, "%s", folder(r)) : 0;
}

static int part_close(struct report_file *file)
{
	int err = 0;

	if (!file->stream)
		return 0;
	if (fflush(file->stream) || ferror(file->stream) || fsync(fileno(file->stream)))
		err = fail(errno ? errno : EIO, "write");
	fclose(file->stream);
	file->stream = NULL;
	return err;
}

/* For @tries from 0 on, as long as there is such a file: one that was killed has left it. */
static void part_name(struct part *part, unsigned int tries)
{
	snprintf(part->hidden, sizeof(part->hidden), ".%.200s.%d", part->name, (int)getpid());
	if (tries)
		snprintf(part->hidden + strlen(part->hidden), 12, ".%u", tries);
}

/* What linkat() of a descriptor needs CAP_DAC_READ_SEARCH for, its name in /proc does not. */
static int part_link_as(const struct report_file *file, const struct part *part, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", part->fd);
	return linkat(AT_FDCWD, path, file->dir, name, AT_SYMLINK_FOLLOW);
}

static int part_give_hidden(const struct report_file *file, struct part *part)
{
	unsigned int tries;
	int err = -1;

	for (tries = 0; err && tries < MOST_LEFT; tries++) {
		part_name(part, tries);
		err = part_link_as(file, part, part->hidden);
		if (err && errno != EEXIST)
			break;
	}
	if (!err)
		return 0;
	part->hidden[0] = '\0';
	return fail(errno, "hide %s", part->name);
}

static int part_hide(const struct report_file *file, struct part *part)
{
	int err = part->hidden[0] ? 0 : part_give_hidden(file, part);

	if (err)
		return err;
	close(part->fd);
	part->fd = -1;
	return 0;
}

static int open_unnamed(struct report_file *file, struct part *part)
{
	int fd = openat(file->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0640);
	unsigned int tries;

	part->hidden[0] = '\0';
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	for (tries = 0; fd < 0 && tries < MOST_LEFT; tries++) {
		part_name(part, tries);
		fd = openat(file->dir, part->hidden, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	if (fd < 0)
		part->hidden[0] = '\0';
	return fd;
}

static int part_open(struct report *r)
{
	struct report_file *file = r->file;
	struct part *parts = reallocarray(file->parts, file->nr_parts + 1, sizeof(*parts)), *part;
	int fd, err;

	if (!parts)
		return fail(ENOMEM, "report");
	file->parts = parts;
	part = &parts[file->nr_parts];
	err = r->make->file(r, r->file_number + (uint32_t)file->nr_parts, part->name,
			    sizeof(part->name));
	if (err)
		return err;
	part->fd = open_unnamed(file, part);
	if (part->fd < 0)
		return fail(errno, "a file in %s", folder(r));
	file->nr_parts++;
	file->in_part = 0;
	fd = fcntl(part->fd, F_DUPFD_CLOEXEC, 0);
	file->stream = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file->stream)
		return fail(errno, "a file in %s", folder(r));
	return r->csv && r->make->header ? r->make->header(r) : 0;
}

int file_write(struct report *r, const char *text, size_t size)
{
	return fwrite(text, 1, size, r->file->stream) == size ? 0 : fail(errno, "write");
}

/* A record, without the end of its line. */
int file_put(struct report *r, const char *text, size_t size)
{
	struct report_file *file = r->file;
	int err = 0;

	if (!file->stream || (r->output && file->in_part == r->per_file)) {
		err = part_close(file);
		if (!err && file->nr_parts)
			err = part_hide(file, &file->parts[file->nr_parts - 1]);
		if (!err)
			err = part_open(r);
	}
	if (!err)
		err = file_write(r, text, size);
	if (!err)
		err = file_write(r, "\n", 1);
	file->in_part++;
	return err;
}

static int part_copy(const struct part *part)
{
	char buffer[65536];
	ssize_t nr;

	if (lseek(part->fd, 0, SEEK_SET) < 0)
		return fail(errno, "read");
	for (;;) {
		nr = read(part->fd, buffer, sizeof(buffer));
		if (nr < 0)
			return fail(errno, "read");
		if (!nr)
			break;
		if (fwrite(buffer, 1, (size_t)nr, stdout) != (size_t)nr)
			return fail(errno, "standard output");
	}
	return fflush(stdout) ? fail(errno, "standard output") : 0;
}

static int part_link(struct report_file *file, const struct part *part)
{
	int err = part->hidden[0] ? linkat(file->dir, part->hidden, file->dir, part->name, 0) :
				    part_link_as(file, part, part->name);

	if (err)
		return fail(errno, "%s", part->name);
	file->linked++;
	return 0;
}

/* Without a record there is no file. */
int file_finish(struct report *r)
{
	struct report_file *file = r->file;
	int err = part_close(file);
	size_t i;

	for (i = 0; !err && i < file->nr_parts; i++)
		err = r->output ? part_link(file, &file->parts[i]) : part_copy(&file->parts[i]);
	if (!err && r->output && fsync(file->dir))
		err = fail(errno, "%s", r->output);
	for (i = 0; err && i < file->linked; i++)
		unlinkat(file->dir, file->parts[i].name, 0);
	return err;
}

void file_drop(struct report *r)
{
	struct report_file *file = r->file;
	size_t i;

	if (!file)
		return;
	if (file->stream)
		fclose(file->stream);
	for (i = 0; i < file->nr_parts; i++) {
		if (file->parts[i].fd >= 0)
			close(file->parts[i].fd);
		if (file->parts[i].hidden[0])
			unlinkat(file->dir, file->parts[i].hidden, 0);
	}
	if (file->dir >= 0)
		close(file->dir);
	free(file->parts);
	free(file);
	r->file = NULL;
}
