// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hft/log.h>

#include "control.h"
#include "locked.h"
#include "log.h"
#include "../options.h"

static int control_path(char *path, const char *dir, const char *name)
{
	if (snprintf(path, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
		return hft_fail(ENAMETOOLONG, "the folder of a log");
	return 0;
}

static int map_control(struct log_control **control, int fd, bool write, const char *path)
{
	void *at = mmap(NULL, sizeof(**control), PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED,
			fd, 0);

	if (at == MAP_FAILED)
		return hft_fail(errno, "map %s", path);
	*control = at;
	return 0;
}

static int sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 || fsync(fd) ? hft_fail(errno, "synchronise %s", dir) : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

static int write_control(int fd, const struct log_control *first, const char *path)
{
	ssize_t size = write(fd, first, sizeof(*first));

	if (size != sizeof(*first))
		return hft_fail(size < 0 ? errno : ENOSPC, "write %s", path);
	return fsync(fd) ? hft_fail(errno, "synchronise %s", path) : 0;
}

/* In the place of @path when it is on the disk; @hidden is its name until then. */
static int place_control(int fd, const struct log_control *first, const char *hidden,
			 const char *path)
{
	int err = write_control(fd, first, hidden);

	if (!err && rename(hidden, path))
		err = hft_fail(errno, "name %s", path);
	return err;
}

/* Anew: the rules of a log that was there are not this one's. */
int log_control_make(struct log_control **control, const char *dir,
		     const struct log_control *first)
{
	char path[PATH_MAX], hidden[PATH_MAX];
	int fd, err;

	err = control_path(path, dir, "control");
	if (!err)
		err = control_path(hidden, dir, ".control");
	if (err)
		return err;
	if (unlink(hidden) && errno != ENOENT)
		return hft_fail(errno, "remove %s", hidden);
	fd = open(hidden, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return hft_fail(errno, "make %s", hidden);
	err = place_control(fd, first, hidden, path);
	if (err)
		unlink(hidden);
	else
		err = sync_folder(dir);
	if (!err)
		err = map_control(control, fd, true, path);
	close(fd);
	return err;
}

int log_control_sync(struct log_control *control)
{
	return msync(control, sizeof(*control), MS_SYNC) ?
		hft_fail(errno, "synchronise the control file of a log") : 0;
}

/* Where another file is, which may be a FIFO, opening must not wait. */
static int open_control(const char *path, bool write, struct stat *st)
{
	int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (write ? O_RDWR : O_RDONLY);
	int fd = open(path, flags);

	if (fd < 0)
		return hft_fail(errno, "open %s", path);
	if (!fstat(fd, st) && S_ISREG(st->st_mode))
		return fd;
	close(fd);
	return hft_fail(EBADMSG, "%s is no file", path);
}

/* The file of a process that is alive, or was: it is 0600, and ours or of who we trust. */
int log_control_map(struct log_control **control, const char *dir, bool write, int *fd)
{
	char path[PATH_MAX];
	struct stat st;
	int err;

	err = control_path(path, dir, "control");
	if (err)
		return err;
	*fd = open_control(path, write, &st);
	if (*fd < 0)
		return *fd;
	if (st.st_size != sizeof(**control))
		err = hft_fail(EBADMSG, "%s is not what a log has there", path);
	else
		err = map_control(control, *fd, write, path);
	if (!err && ((*control)->magic != LOG_CONTROL_MAGIC ||
		     (*control)->version != LOG_CONTROL_VERSION)) {
		log_control_unmap(*control);
		err = hft_fail(EBADMSG, "%s is of another version", path);
	}
	if (err)
		close(*fd);
	return err;
}

/* Zeroes, or the beginning of one.  What may be another's is left alone. */
static bool is_torn(const char *path)
{
	struct stat st;
	uint64_t magic = 0;
	int fd = open_control(path, false, &st);
	ssize_t size;

	if (fd < 0)
		return false;
	size = pread(fd, &magic, sizeof(magic), 0);
	close(fd);
	return size >= 0 && (!magic || (magic == LOG_CONTROL_MAGIC &&
					st.st_size < (off_t)sizeof(struct log_control)));
}

int log_control_set_aside(const char *dir)
{
	char path[PATH_MAX], aside[PATH_MAX];
	int fd, err;

	err = control_path(path, dir, "control");
	if (!err)
		err = control_path(aside, dir, "control.bad");
	if (err)
		return err;
	fd = log_locked_open(dir, 0);
	if (fd < 0)
		return hft_fail(-fd, fd == -EBUSY ? "%s: another process writes there" :
				"open %s", dir);
	if (!is_torn(path))
		err = hft_fail(EBADMSG, "%s is not of a log, or of another version", path);
	else if (rename(path, aside))
		err = hft_fail(errno, "name %s", aside);
	log_locked_close(fd);
	return err;
}

uint32_t log_control_boot(void)
{
	unsigned int boot;
	char line[40];

	log_boot(line);
	return sscanf(line, "%8x", &boot) == 1 ? boot : 0;
}

void log_control_unmap(struct log_control *control)
{
	munmap(control, sizeof(*control));
}

static int put_rule(struct log_control *control, const char *pattern, int level)
{
	uint32_t nr = control->nr_rules < LOG_RULES ? control->nr_rules : LOG_RULES, i, kept = 0;

	for (i = 0; i < nr; i++) {
		if (!strncmp(control->rules[i].pattern, pattern, LOG_PATTERN))
			continue;
		control->rules[kept++] = control->rules[i];
	}
	if (kept == LOG_RULES)
		return hft_fail(E2BIG, "there are %d rules for levels already", LOG_RULES);
	control->rules[kept] = (struct log_rule){ .level = level };
	snprintf(control->rules[kept].pattern, LOG_PATTERN, "%s", pattern);
	control->nr_rules = kept + 1;
	return 0;
}

static int lock_control(int fd)
{
	while (flock(fd, LOCK_EX)) {
		if (errno != EINTR)
			return hft_fail(errno, "lock the control file of a log");
	}
	return 0;
}

/* For who has the lock.  One that was killed while it wrote has left an odd generation. */
static int change_rules(struct log_control *control, const char *pattern, int level)
{
	uint32_t generation = control->generation | 1;
	int err;

	__atomic_store_n(&control->generation, generation, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	err = put_rule(control, pattern, level);
	__atomic_store_n(&control->generation, generation + 1, __ATOMIC_RELEASE);
	return err;
}

int log_control_set_level(const char *dir, const char *pattern, int level)
{
	struct log_control *control;
	int fd, err;

	if (!*pattern || strlen(pattern) >= LOG_PATTERN)
		return hft_fail(EINVAL, "a pattern has 1 to %d bytes", LOG_PATTERN - 1);
	if (level < HFT_LOG_OFF || level >= HFT_LOG_LEVELS)
		return hft_fail(EINVAL, "there is no level %d", level);
	err = log_control_map(&control, dir, true, &fd);
	if (err)
		return err;
	err = lock_control(fd);
	if (!err)
		err = change_rules(control, pattern, level);
	log_control_unmap(control);
	close(fd);
	return err;
}

int log_control_rules(struct log_control *control, uint32_t *generation,
		      struct log_rule rules[LOG_RULES])
{
	uint32_t now = __atomic_load_n(&control->generation, __ATOMIC_ACQUIRE), nr, i;

	if (now == *generation)
		return -EALREADY;
	if (now & 1)
		return -EAGAIN;
	nr = control->nr_rules < LOG_RULES ? control->nr_rules : LOG_RULES;
	memcpy(rules, control->rules, nr * sizeof(*rules));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&control->generation, __ATOMIC_RELAXED) != now)
		return -EAGAIN;
	for (i = 0; i < nr; i++)
		rules[i].pattern[LOG_PATTERN - 1] = '\0';
	*generation = now;
	return (int)nr;
}
