// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hft/log.h>

#include "control.h"
#include "locked.h"
#include "log.h"
#include "wait_lock.h"
#include "../options.h"

static int control_path(char *path, const char *dir, const char *name)
{
	if (snprintf(path, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
		return hft_fail(ENAMETOOLONG, "the folder of a log");
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

static int write_all(int fd, const struct log_control *it, const char *path)
{
	ssize_t size = pwrite(fd, it, sizeof(*it), 0);

	if (size != sizeof(*it))
		return hft_fail(size < 0 ? errno : ENOSPC, "write %s", path);
	return 0;
}

/* In the place of @path, if @sync when it is on the disk; @hidden is its name until then. */
static int place_control(int fd, const struct log_control *it, bool sync, const char *hidden,
			 const char *path)
{
	int err = write_all(fd, it, hidden);

	if (!err && sync && fsync(fd))
		err = hft_fail(errno, "synchronise %s", hidden);
	if (!err && rename(hidden, path))
		err = hft_fail(errno, "name %s", path);
	return err;
}

int log_control_make(const char *dir, const struct log_control *it, bool sync)
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
	err = place_control(fd, it, sync, hidden, path);
	if (err)
		unlink(hidden);
	else if (sync)
		err = sync_folder(dir);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int log_control_put(int fd, const struct log_control *it)
{
	int err;

	if (flock(fd, LOCK_EX | LOCK_NB))
		return hft_fail(errno, "lock the control file of a log");
	err = write_all(fd, it, "the control file of a log");
	if (!err && ftruncate(fd, sizeof(*it)))
		err = hft_fail(errno, "cut the control file of a log");
	flock(fd, LOCK_UN);
	return err;
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

static bool has_end(const char *text, size_t size)
{
	return memchr(text, '\0', size);
}

/* No rule is longer than there is room for. */
static void end_rules(struct log_control *it)
{
	unsigned int i;

	if (it->nr_rules > LOG_RULES_ROOM)
		it->nr_rules = LOG_RULES_ROOM;
	for (i = 0; i < LOG_RULES_ROOM; i++)
		it->rules[i].pattern[LOG_PATTERN - 1] = '\0';
}

/* Of which only what is up to there is known. */
static bool is_other_version(const struct log_control *it, size_t size)
{
	return size >= offsetof(struct log_control, pid) && it->magic == LOG_CONTROL_MAGIC &&
	       it->version != LOG_CONTROL_VERSION;
}

/* One that is too long, too: what is behind it is not this version's. */
static int read_all(int fd, struct log_control *it, const char *path)
{
	struct stat st;
	ssize_t size = pread(fd, it, sizeof(*it), 0);

	if (size < 0)
		return hft_fail(errno, "read %s", path);
	if (is_other_version(it, (size_t)size))
		return hft_fail(EBADMSG, "%s is of version %u, of another libhft: this one has "
				"version %u", path, it->version, LOG_CONTROL_VERSION);
	if (size != sizeof(*it) || fstat(fd, &st) || st.st_size != sizeof(*it) ||
	    it->magic != LOG_CONTROL_MAGIC)
		return hft_fail(EBADMSG, "%s is not what a log has there", path);
	if (!has_end(it->ring_dir, sizeof(it->ring_dir)) ||
	    !has_end(it->program, sizeof(it->program)) ||
	    !has_end(it->clock.name, sizeof(it->clock.name)))
		return hft_fail(EBADMSG, "%s has a text without an end", path);
	end_rules(it);
	return 0;
}

/* The file of a process that is alive, or was: it is 0600, and ours or of who we trust. */
static int open_and_read(const char *dir, bool write, struct log_control *it)
{
	char path[PATH_MAX];
	struct stat st;
	int fd, err;

	err = control_path(path, dir, "control");
	if (err)
		return err;
	fd = open_control(path, write, &st);
	if (fd < 0)
		return fd;
	err = read_all(fd, it, path);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int log_control_open(const char *dir, struct log_control *it)
{
	return open_and_read(dir, true, it);
}

int log_control_read(const char *dir, struct log_control *it)
{
	int fd = open_and_read(dir, false, it);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int log_control_write(int fd, const struct log_control *it, const void *field, size_t size)
{
	off_t at = (off_t)((const char *)field - (const char *)it);
	ssize_t done = pwrite(fd, field, size, at);

	if (done != (ssize_t)size)
		return hft_fail(done < 0 ? errno : ENOSPC, "write the control file of a log");
	return 0;
}

/* Zeroes, or the beginning of one.  What may be another's, or another version's, is left alone. */
static bool is_torn(const char *path)
{
	struct log_control it = { 0 };
	struct stat st;
	int fd = open_control(path, false, &st);
	ssize_t size;

	if (fd < 0)
		return false;
	size = pread(fd, &it, sizeof(it), 0);
	close(fd);
	if (size < 0 || is_other_version(&it, (size_t)size))
		return false;
	return !it.magic || (it.magic == LOG_CONTROL_MAGIC &&
			     st.st_size < (off_t)sizeof(struct log_control));
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

static uint32_t find_rule(const struct log_control *it, const char *pattern)
{
	uint32_t i = 0;

	while (i < it->nr_rules && strcmp(it->rules[i].pattern, pattern))
		i++;
	return i;
}

static uint32_t find_unset(const struct log_control *it)
{
	uint32_t i = 0;

	while (i < it->nr_rules && it->rules[i].level != HFT_LOG_UNSET)
		i++;
	return i;
}

static void drop_rule(struct log_control *it, uint32_t i)
{
	struct log_rule *rules = it->rules;

	if (i < it->nr_rules)
		memmove(&rules[i], &rules[i + 1], (--it->nr_rules - i) * sizeof(*rules));
}

static uint32_t count_set(const struct log_control *it)
{
	uint32_t i, nr = 0;

	for (i = 0; i < it->nr_rules; i++)
		nr += it->rules[i].level != HFT_LOG_UNSET;
	return nr;
}

/* Behind all others.  For room the one goes that was taken away the longest time ago. */
static int put_rule(struct log_control *it, const char *pattern, int level)
{
	struct log_rule rule = {
		.level = level, .pid = (uint32_t)getpid(), .uid = getuid(),
	};

	snprintf(rule.pattern, LOG_PATTERN, "%s", pattern);
	drop_rule(it, find_rule(it, pattern));
	if (level != HFT_LOG_UNSET && count_set(it) == LOG_RULES)
		return hft_fail(E2BIG, "there are %d rules for levels, which is the most: take one "
				"away, or all", LOG_RULES);
	if (it->nr_rules == LOG_RULES_ROOM)
		drop_rule(it, find_unset(it));
	it->rules[it->nr_rules++] = rule;
	return 0;
}

static int unset_rule(struct log_control *it, const char *pattern)
{
	uint32_t i = find_rule(it, pattern);

	if (i == it->nr_rules || it->rules[i].level == HFT_LOG_UNSET)
		return hft_fail(ENODATA, "there is no rule %s", pattern);
	return put_rule(it, pattern, HFT_LOG_UNSET);
}

/* Of those that were taken away before it stays who did that. */
static int unset_all(struct log_control *it)
{
	uint32_t left = it->nr_rules, i = 0;
	char pattern[LOG_PATTERN];
	int err = 0;

	for (; left && !err; left--) {
		if (it->rules[i].level == HFT_LOG_UNSET) {
			i++;
			continue;
		}
		memcpy(pattern, it->rules[i].pattern, sizeof(pattern));
		err = put_rule(it, pattern, HFT_LOG_UNSET);
	}
	return err;
}

static int change_rule(struct log_control *it, const char *pattern, int level)
{
	if (level != HFT_LOG_UNSET)
		return put_rule(it, pattern, level);
	if (pattern)
		return unset_rule(it, pattern);
	return unset_all(it);
}

struct locking {
	const char *dir;
	int fd;
};

static int try_lock(void *arg, enum log_wait *wait)
{
	const struct locking *it = arg;

	if (!flock(it->fd, LOCK_EX | LOCK_NB))
		return 0;
	if (errno != EWOULDBLOCK)
		return hft_fail(errno, "lock %s/control", it->dir);
	*wait = LOG_WAIT_LOCK;
	return hft_fail(EBUSY, "%s/control is locked, by who changes levels and does not end: see "
			"fuser -v %s/control", it->dir, it->dir);
}

/* Who has it needs some microseconds; one that is stopped amid them holds up nobody for long. */
static int lock_control(int fd, const char *dir)
{
	struct locking it = { .dir = dir, .fd = fd };

	return log_wait_for(try_lock, &it);
}

/* An odd generation, while they change: who reads them meanwhile reads them again. */
static int write_rules(int fd, struct log_control *it)
{
	uint32_t generation = it->generation | 1;
	int err;

	it->generation = generation;
	err = log_control_write(fd, it, &it->generation, sizeof(it->generation));
	if (!err)
		err = log_control_write(fd, it, &it->nr_rules, sizeof(it->nr_rules));
	if (!err)
		err = log_control_write(fd, it, it->rules, it->nr_rules * sizeof(*it->rules));
	it->generation = generation + 1;
	if (!err)
		err = log_control_write(fd, it, &it->generation, sizeof(it->generation));
	return err;
}

/* For who has the lock.  One that was killed while it wrote has left an odd generation. */
static int change_rules(int fd, const char *dir, const char *pattern, int level)
{
	struct log_control it;
	int err = read_all(fd, &it, dir);

	if (err)
		return err;
	err = change_rule(&it, pattern, level);
	return err ? err : write_rules(fd, &it);
}

static int check_rule(const char *pattern, int level)
{
	if (level < HFT_LOG_UNSET || level >= HFT_LOG_LEVELS)
		return hft_fail(EINVAL, "there is no level %d", level);
	if (!pattern && level == HFT_LOG_UNSET)
		return 0;
	if (!pattern || !*pattern || strlen(pattern) >= LOG_PATTERN)
		return hft_fail(EINVAL, "a pattern has 1 to %d bytes", LOG_PATTERN - 1);
	return 0;
}

int log_control_set_level(const char *dir, const char *pattern, int level)
{
	struct log_control it;
	int fd, err = check_rule(pattern, level);

	if (err)
		return err;
	fd = log_control_open(dir, &it);
	if (fd < 0)
		return fd;
	err = lock_control(fd, dir);
	if (!err)
		err = change_rules(fd, dir, pattern, level);
	close(fd);
	return err;
}

int log_control_again(int fd, struct log_control *it)
{
	uint32_t generation;
	int err = read_all(fd, it, "the control file of a log");

	if (err)
		return err;
	if (pread(fd, &generation, sizeof(generation), offsetof(struct log_control, generation)) !=
	    sizeof(generation) || generation != it->generation || generation & 1)
		return -EAGAIN;
	return 0;
}
