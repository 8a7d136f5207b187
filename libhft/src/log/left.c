// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../api.h"
#include "../options.h"
#include "journal.h"
#include "left.h"
#include "locked.h"
#include "log.h"
#include "seal.h"

#define LINK		"log"
#define PREFIX		"hft-log-"
#define UUID_LENGTH	36

/* It has rings, which are not to be seen. */
static uint32_t state_unseen(const char *dir, const struct log_control *control)
{
	if (log_locked_look(dir, 0) == -EBUSY)
		return HFT_LOG_LIVES;
	return control->boot && control->boot == log_control_boot() ? HFT_LOG_AWAY : HFT_LOG_GONE;
}

/* A process that closes its log says so before it lets the lock go: it may have since. */
static bool is_closed(const char *dir)
{
	struct log_control now;

	return !log_control_read(dir, &now) && !now.open;
}

uint32_t log_state(const char *dir, const struct log_control *control)
{
	uint32_t state = HFT_LOG_LEFT;
	int err;

	if (!control->open)
		return HFT_LOG_CLOSED;
	err = log_locked_look(control->ring_dir, O_NOFOLLOW);
	if (err == -EBUSY)
		return HFT_LOG_LIVES;
	if (err)
		state = state_unseen(dir, control);
	return is_closed(dir) ? HFT_LOG_CLOSED : state;
}

bool log_left_text(const char *dir, const struct hft_log_info *info, char *text, size_t size)
{
	if (info->state != HFT_LOG_LEFT && info->state != HFT_LOG_AWAY)
		return false;
	if (info->state == HFT_LOG_LEFT)
		snprintf(text, size, "process %u (%s) has ended, and what its rings have is not in "
			 "the log: run hft-log recover %s", info->pid, info->program, dir);
	else
		snprintf(text, size, "process %u (%s) has ended, and its rings, %s, are not to be "
			 "seen here: run hft-log recover %s where they are, or remove %s/control "
			 "if they are no more", info->pid, info->program, info->ring_dir, dir, dir);
	return true;
}

int log_left_check(const char *dir)
{
	struct hft_log_info info = { .sz = sizeof(info) };
	char text[PATH_MAX];

	if (hft_log_look(dir, &info) || !log_left_text(dir, &info, text, sizeof(text)))
		return 0;
	return hft_fail(info.state == HFT_LOG_LEFT ? EUCLEAN : ENXIO, "%s", text);
}

/* Rings are as good without. */
void log_left_link(int ring_fd, const char *dir)
{
	char path[PATH_MAX];

	unlinkat(ring_fd, LINK, 0);
	if (realpath(dir, path) && symlinkat(path, ring_fd, LINK))
		return;
}

void log_left_tidy(int ring_fd, const char *ring_dir)
{
	unlinkat(ring_fd, LOG_JOURNAL, 0);
	unlinkat(ring_fd, LINK, 0);
	log_trouble_remove(ring_fd);
	rmdir(ring_dir);
}

/* Is that log in @dir?  One that can not be looked at, for want of permission, is there. */
static uint32_t state_of(const char *dir, const char *uuid)
{
	struct log_control control;
	char its[UUID_LENGTH + 1];
	int err = log_control_read(dir, &control);

	if (err)
		return err == -ENOENT || err == -ENOTDIR ? HFT_LOG_GONE : HFT_LOG_LEFT;
	hft_log_uuid_print(control.uuid, its);
	return strcmp(its, uuid) ? HFT_LOG_GONE : HFT_LOG_LEFT;
}

/* What is open once is listed once. */
static DIR *list_again(int fd)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = again < 0 ? NULL : fdopendir(again);

	if (!folder && again >= 0)
		close(again);
	return folder;
}

static bool is_ring(const struct dirent *entry)
{
	return !strncmp(entry->d_name, "ring-", 5);
}

static void count_ring(int fd, const char *name, struct hft_log_left_info *info)
{
	struct hft_log_ring_info ring;

	if (log_ring_look(fd, name, &ring, &info->pid) <= 0)
		return;
	info->rings++;
	info->used_bytes += ring.used_bytes;
}

static int count_rings(int fd, struct hft_log_left_info *info)
{
	DIR *folder = list_again(fd);
	struct dirent *entry;

	if (!folder)
		return hft_fail(errno, "the rings in %s", info->ring_dir);
	while ((entry = readdir(folder))) {
		if (is_ring(entry))
			count_ring(fd, entry->d_name, info);
	}
	closedir(folder);
	return 0;
}

/* Of a folder of rings; @dir: answered: that of its log */
static void find_log(int fd, struct hft_log_left_info *info, char dir[PATH_MAX])
{
	const char *name = strrchr(info->ring_dir, '/');
	ssize_t length = readlinkat(fd, LINK, dir, PATH_MAX - 1);

	if (length < 0)
		return;
	dir[length] = '\0';
	info->dir = dir;
	info->state = state_of(dir, name + 1 + strlen(PREFIX));
}

/* 1: @info is of one whose process has ended; 0: it lives, or that is none */
static int look_at(const char *ring_dir, struct hft_log_left_info *info, char dir[PATH_MAX])
{
	int err = log_locked_look(ring_dir, O_NOFOLLOW), fd;

	if (err)
		return err == -EBUSY || err == -ENOENT || err == -ENOTDIR || err == -EACCES ? 0 :
			hft_fail(-err, "the rings in %s", ring_dir);
	fd = open(ring_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : hft_fail(errno, "the rings in %s", ring_dir);
	*info = (struct hft_log_left_info){ .ring_dir = ring_dir, .state = HFT_LOG_AWAY };
	find_log(fd, info, dir);
	err = count_rings(fd, info);
	close(fd);
	return err ? err : 1;
}

static int visit(const char *ring_dir, hft_log_left_fn fn, void *arg)
{
	struct hft_log_left_info info;
	char dir[PATH_MAX];
	int ret = look_at(ring_dir, &info, dir);

	return ret > 0 ? fn(arg, &info) : ret;
}

static bool is_of_log(const char *name)
{
	return !strncmp(name, PREFIX, strlen(PREFIX)) &&
	       strlen(name) == strlen(PREFIX) + UUID_LENGTH;
}

/**
 * hft_log_left() - look for rings whose process has ended
 * @parent: where folders of rings are: &hft_log_opts.ring_dir; NULL: its default
 * @fn: called for each folder, in no order; until it does not return 0
 * @arg: for @fn
 *
 * Those of other users, who are not let in, are passed by.
 *
 * Return: 0, what @fn has returned, or what the file system says.  Any thread; blocks for a
 * moment.
 */
HFT_API int hft_log_left(const char *parent, hft_log_left_fn fn, void *arg)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *folder;
	int err = 0;

	parent = parent ? parent : LOG_RING_PARENT;
	folder = opendir(parent);
	if (!folder)
		return hft_fail(errno, "open %s", parent);
	while (!err && (entry = readdir(folder))) {
		if (is_of_log(entry->d_name) && snprintf(path, sizeof(path), "%s/%s", parent,
							 entry->d_name) < (int)sizeof(path))
			err = visit(path, fn, arg);
	}
	closedir(folder);
	return err;
}

static int remove_rings(int fd, const char *ring_dir)
{
	DIR *folder = list_again(fd);
	struct dirent *entry;
	int err = 0;

	if (!folder)
		return hft_fail(errno, "the rings in %s", ring_dir);
	while (!err && (entry = readdir(folder))) {
		if (is_ring(entry) && unlinkat(fd, entry->d_name, 0))
			err = hft_fail(errno, "remove %s/%s", ring_dir, entry->d_name);
	}
	closedir(folder);
	if (!err)
		log_left_tidy(fd, ring_dir);
	return err;
}

/* Again, with the lock: nobody recovers it meanwhile. */
static int remove_gone(int fd, const char *ring_dir)
{
	struct hft_log_left_info info = { .ring_dir = ring_dir };
	char dir[PATH_MAX];

	find_log(fd, &info, dir);
	if (!info.dir)
		return hft_fail(ENODATA, "%s does not say which log it is of", ring_dir);
	if (info.state != HFT_LOG_GONE)
		return hft_fail(EEXIST, "the log of %s is in %s: recover it", ring_dir, dir);
	return remove_rings(fd, ring_dir);
}

/**
 * hft_log_left_remove() - remove rings whose log is gone
 * @ring_dir: as &hft_log_left_info.ring_dir has it
 *
 * What they have is lost: nobody can tell what it means without the log.
 *
 * Return: 0; -EBUSY: their process lives; -EEXIST: the log is there, see hft_log_recover();
 * -ENODATA: it is not known which log's they are; -EINVAL: these are no rings; or what the file
 * system says.  Any thread; blocks for a moment.
 */
HFT_API int hft_log_left_remove(const char *ring_dir)
{
	const char *name = ring_dir ? strrchr(ring_dir, '/') : NULL;
	int fd, err;

	if (!name || !is_of_log(name + 1))
		return hft_fail(EINVAL, "a folder of rings");
	fd = log_locked_open(ring_dir, O_NOFOLLOW);
	if (fd < 0)
		return hft_fail(-fd, fd == -EBUSY ? "the process of %s lives" : "lock %s",
				ring_dir);
	err = remove_gone(fd, ring_dir);
	log_locked_close(fd);
	return err;
}
