// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The state file: a line for its owner, then one "PATH\tOLD\tNEW\n" for each change.  A
 * last line without an end was being written when its writer died, before the change.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <check/wanted.h>
#include <common/tool.h>
#include <sysfs.h>

#include "hft-tune.h"

#define STATE_MAGIC	"hft-tune "
#define LINE_SIZE	(PATH_MAX + 2 * VALUE_SIZE + 8)

static void state_path(const struct state *state, const char *name, char *path)
{
	snprintf(path, PATH_MAX, "%s/%.32s", state->dir, name);
}

int state_lock(struct state *state, const char *root)
{
	char path[PATH_MAX];
	int err;

	*state = (struct state){ .root = root, .lock = -1, .fd = -1 };
	if (snprintf(state->dir, sizeof(state->dir), "%s" STATE_DIR, root) >=
	    (int)sizeof(state->dir))
		return fail(ENAMETOOLONG, "%s", root);
	if (mkdir(state->dir, 0700) && errno != EEXIST)
		return fail(errno, "%s can not be made", state->dir);
	state_path(state, "lock", path);
	state->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (state->lock < 0)
		return fail(errno, "%s", path);
	if (!flock(state->lock, LOCK_EX | LOCK_NB))
		return 0;
	err = errno;
	state_unlock(state);
	return err == EWOULDBLOCK ? fail(EBUSY, "another hft-tune is at work (%s)", path) :
	       fail(err, "%s", path);
}

void state_unlock(struct state *state)
{
	if (state->fd >= 0)
		close(state->fd);
	if (state->lock >= 0)
		close(state->lock);
	state->fd = -1;
	state->lock = -1;
}

bool state_exists(const struct state *state)
{
	char path[PATH_MAX];

	state_path(state, "state", path);
	return !access(path, F_OK);
}

/* What is in the folder is on its disk, too. */
static int sync_dir(const struct state *state)
{
	int err, fd = open(state->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	err = fsync(fd) ? -errno : 0;
	close(fd);
	return err;
}

static int write_line(int fd, const char *line, int length)
{
	ssize_t wrote;

	do {
		wrote = write(fd, line, (size_t)length);
	} while (wrote < 0 && errno == EINTR);
	if (wrote != length)
		return wrote < 0 ? -errno : -ENOSPC;
	return fsync(fd) ? -errno : 0;
}

static int create(const struct state *state, const char *name)
{
	char path[PATH_MAX], line[64];
	int fd, err;

	state_path(state, name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	err = write_line(fd, line, snprintf(line, sizeof(line), STATE_MAGIC "%d\n", getpid()));
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int append(int fd, const char *path, const char *old, const char *value)
{
	char line[LINE_SIZE];
	int length = snprintf(line, sizeof(line), "%s\t%s\t%s\n", path, old, value);

	if (length >= (int)sizeof(line) || strchr(old, '\t') || strchr(path, '\t'))
		return -EMSGSIZE;
	return write_line(fd, line, length);
}

/* Of a line that was written in part nothing stays: the next would be glued to it, and lost. */
static int append_whole(struct state *state, const char *path, const char *old,
			const char *value)
{
	off_t end = lseek(state->fd, 0, SEEK_END);
	int err;

	if (end < 0 || state->torn)
		return -EIO;
	err = append(state->fd, path, old, value);
	state->torn = err && ftruncate(state->fd, end);
	return err;
}

int state_record(struct state *state, const char *path, const char *old, const char *value)
{
	int err;

	if (state->fd < 0) {
		state->fd = create(state, "state");
		if (state->fd < 0)
			return state->fd;
		err = sync_dir(state);
		if (err)
			return err;
	}
	return append_whole(state, path, old, value);
}

struct record {
	struct record *next;
	char *line;
	const char *path;
	const char *old;
	const char *value;
};

static void free_records(struct record *record)
{
	struct record *next;

	for (; record; record = next) {
		next = record->next;
		free(record->line);
		free(record);
	}
}

/* Nothing but the kernel's files is ever written to. */
static bool split(struct record *record)
{
	char *old = strchr(record->line, '\t'), *value = old ? strchr(old + 1, '\t') : NULL;

	if (!value)
		return false;
	*old = '\0';
	*value = '\0';
	record->path = record->line;
	record->old = old + 1;
	record->value = value + 1;
	return (!strncmp(record->path, "/proc/", 6) || !strncmp(record->path, "/sys/", 5)) &&
	       !strstr(record->path, "/../");
}

static struct record *make_record(const char *line, struct record *next)
{
	struct record *record = calloc(1, sizeof(*record));

	if (!record)
		return NULL;
	record->next = next;
	record->line = strdup(line);
	if (record->line)
		return record;
	free(record);
	return NULL;
}

/* The records of @file, the last first.  Returns how many, or -errno. */
static int read_records(FILE *file, struct record **first)
{
	struct record *record;
	size_t size = 0;
	char *line = NULL;
	ssize_t length;
	int nr = -1;

	while ((length = getline(&line, &size, file)) > 0 && line[length - 1] == '\n') {
		line[length - 1] = '\0';
		if (++nr == 0) {
			if (!strncmp(line, STATE_MAGIC, strlen(STATE_MAGIC)))
				continue;
			nr = -EINVAL;
			break;
		}
		record = make_record(line, *first);
		if (!record) {
			nr = -ENOMEM;
			break;
		}
		*first = record;
		if (!split(record)) {
			nr = -EINVAL;
			break;
		}
	}
	free(line);
	if (ferror(file))
		return -EIO;
	/* Who died before the first line was whole has changed nothing. */
	return nr == -1 ? 0 : nr;
}

static int open_records(const struct state *state, struct record **first)
{
	char path[PATH_MAX];
	FILE *file;
	int nr;

	*first = NULL;
	state_path(state, "state", path);
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? 0 : fail(errno, "%s", path);
	nr = read_records(file, first);
	fclose(file);
	return nr < 0 ? fail(-nr, "%s is not what hft-tune has written", path) : nr;
}

int state_for_each(const struct state *state, state_fn fn, void *arg)
{
	struct record *first, *record;
	int nr = open_records(state, &first);

	for (record = nr < 0 ? NULL : first; record; record = record->next)
		fn(arg, record->path, record->old, record->value);
	free_records(first);
	return nr;
}

/* A file of a CPU that is offline comes back with it. */
static bool is_offline(const struct state *state, const char *path)
{
	long long online;
	int cpu;

	return sscanf(path, SYS_CPU "cpu%d/", &cpu) == 1 &&
	       !hft_read_number(state->root, &online, SYS_CPU "cpu%d/online", cpu) && !online;
}

static int restore_gone(const struct state *state, const char *path)
{
	if (is_offline(state, path))
		return fail(0, "%s can not be restored before its CPU is online", path);
	fail(0, "%s is gone: nothing to restore", path);
	return 0;
}

/* Returns 0 if what was there is there again, or what it belonged to is gone. */
static int restore_one(const struct state *state, const struct record *record, bool verbose)
{
	char now[VALUE_SIZE];
	int err = value_read(state->root, record->path, now, sizeof(now));

	if (err == -ENOENT || err == -ENODEV)
		return restore_gone(state, record->path);
	if (!err && value_same(record->path, now, record->old))
		return 0;
	if (!err && !value_same(record->path, now, record->value))
		fail(0, "%s was changed by another, from %s to %s", record->path, record->value,
		     now);
	err = value_write(state->root, record->path, record->old);
	if (!err)
		err = value_read(state->root, record->path, now, sizeof(now));
	if (!err && !value_same(record->path, now, record->old))
		err = -EIO;
	if (err)
		return fail(-err, "%s could not be restored to %s", record->path, record->old);
	if (verbose)
		printf("%s: %s\n", record->path, record->old);
	return 0;
}

/* The file with these alone, the first of which came last. */
static int keep(const struct state *state, const struct record *record, int fd)
{
	int err = record->next ? keep(state, record->next, fd) : 0;

	return err ? err : append(fd, record->path, record->old, record->value);
}

static int replace(const struct state *state, const struct record *left)
{
	char path[PATH_MAX], new[PATH_MAX];
	int err, fd = create(state, "state.new");

	if (fd < 0)
		return fd;
	err = keep(state, left, fd);
	close(fd);
	if (err)
		return err;
	state_path(state, "state", path);
	state_path(state, "state.new", new);
	return rename(new, path) ? -errno : sync_dir(state);
}

static int drop(const struct state *state)
{
	char path[PATH_MAX];

	state_path(state, "state", path);
	if (unlink(path) && errno != ENOENT)
		return -errno;
	return sync_dir(state);
}

static int restore_records(struct state *state, struct record **first, bool verbose)
{
	struct record **at = first, *record;
	int left = 0;

	while ((record = *at)) {
		if (restore_one(state, record, verbose)) {
			left++;
			at = &record->next;
			continue;
		}
		*at = record->next;
		free(record->line);
		free(record);
	}
	return left;
}

int state_restore(struct state *state, bool verbose)
{
	struct record *first;
	int err, left, nr = open_records(state, &first);

	if (nr < 0) {
		free_records(first);
		return nr;
	}
	left = restore_records(state, &first, verbose);
	err = left ? replace(state, first) : drop(state);
	free_records(first);
	if (left)
		fail(0, "%d of %d changes remain: mend the cause, then hft-tune --restore", left, nr);
	return err ? fail(-err, "%s/state", state->dir) : left;
}
