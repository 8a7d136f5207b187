// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <common/tool.h>

#include "tracefs.h"

#define PREFIX		"hft-log-"
#define NAME_BYTES	256

static int find_root(struct tracefs *tracefs)
{
	static const char *const roots[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	struct statfs fs;
	size_t i;

	for (i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		if (statfs(roots[i], &fs) || fs.f_type != TRACEFS_MAGIC)
			continue;
		snprintf(tracefs->root, sizeof(tracefs->root), "%s", roots[i]);
		return 0;
	}
	return fail(0, "there is no tracefs: mount -t tracefs tracefs %s", roots[0]);
}

/* Of a process that is not there any more? */
static bool is_stale(const char *name)
{
	uint64_t pid;

	if (strncmp(name, PREFIX, strlen(PREFIX)) ||
	    !parse_number(name + strlen(PREFIX), 10, 1, INT_MAX, &pid))
		return false;
	return kill((pid_t)pid, 0) && errno == ESRCH;
}

static void remove_stale(const struct tracefs *tracefs)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/instances", tracefs->root);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (is_stale(entry->d_name))
			unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	}
	if (dir)
		closedir(dir);
}

static int make_dir(struct tracefs *tracefs)
{
	int err;

	/* A process of this number may have left one. */
	if (!mkdir(tracefs->dir, 0700) ||
	    (errno == EEXIST && !rmdir(tracefs->dir) && !mkdir(tracefs->dir, 0700)))
		return 0;
	err = errno;
	fail(err, "make %s%s", tracefs->dir,
	     err == EACCES || err == EPERM ? ", which root may" : "");
	tracefs->dir[0] = '\0';
	return -err;
}

/* To a process of another PID namespace the instance is of nobody: it is held at once. */
int tracefs_open(struct tracefs *tracefs)
{
	int err = find_root(tracefs);

	tracefs->dir[0] = '\0';
	tracefs->held = -1;
	if (err)
		return err;
	remove_stale(tracefs);
	snprintf(tracefs->dir, sizeof(tracefs->dir), "%s/instances/" PREFIX "%d", tracefs->root,
		 (int)getpid());
	err = make_dir(tracefs);
	if (err)
		return err;
	tracefs->held = tracefs_open_file(tracefs, "tracing_on", O_RDONLY);
	if (tracefs->held >= 0)
		return 0;
	tracefs_close(tracefs);
	return -EIO;
}

/* While somebody has a file of it open it stays, but costs no more than its memory. */
int tracefs_close(struct tracefs *tracefs)
{
	int err;

	if (tracefs->held >= 0)
		close(tracefs->held);
	if (!tracefs->dir[0] || !rmdir(tracefs->dir))
		return 0;
	err = errno;
	if (tracefs_write(tracefs, "tracing_on", "0") | tracefs_write(tracefs, "events/enable", "0"))
		return fail(err, "remove %s, which goes on tracing", tracefs->dir);
	return fail(err, "remove %s, which is switched off", tracefs->dir);
}

int tracefs_open_file(const struct tracefs *tracefs, const char *name, int flags)
{
	char path[PATH_MAX + NAME_BYTES];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", tracefs->dir, name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? fail(errno, "open %s", path) : fd;
}

int tracefs_write(const struct tracefs *tracefs, const char *name, const char *text)
{
	int fd = tracefs_open_file(tracefs, name, O_WRONLY), err = 0;
	size_t size = strlen(text);

	if (fd < 0)
		return fd;
	if (write(fd, text, size) != (ssize_t)size)
		err = fail(errno, "write %s to %s/%s", text, tracefs->dir, name);
	close(fd);
	return err;
}

/* Grows by what is read: these files say that they have no bytes. */
static char *read_all(int fd, size_t *size)
{
	size_t room = 4096;
	char *text = malloc(room), *more;
	ssize_t got;

	*size = 0;
	while (text && (got = read(fd, text + *size, room - *size - 1)) > 0) {
		*size += (size_t)got;
		if (*size + 1 < room)
			continue;
		room *= 2;
		more = realloc(text, room);
		if (!more)
			free(text);
		text = more;
	}
	if (text && got < 0) {
		free(text);
		text = NULL;
	}
	if (text)
		text[*size] = '\0';
	return text;
}

char *tracefs_read(const struct tracefs *tracefs, const char *name, size_t *size)
{
	int fd = tracefs_open_file(tracefs, name, O_RDONLY);
	char *text;

	if (fd < 0)
		return NULL;
	text = read_all(fd, size);
	if (!text)
		fail(errno, "read %s/%s", tracefs->dir, name);
	close(fd);
	return text;
}

/* What has no "enable" is no event that could be asked for. */
static bool is_event(const struct tracefs *tracefs, const char *system, const char *name)
{
	char path[PATH_MAX + 2 * NAME_BYTES + 32];

	snprintf(path, sizeof(path), "%s/events/%s/%s/enable", tracefs->dir, system, name);
	return !access(path, F_OK);
}

static int each_name(const struct tracefs *tracefs, const char *system, const char *pattern,
		     tracefs_event_fn fn, void *arg)
{
	char path[PATH_MAX + NAME_BYTES + 16];
	struct dirent *entry;
	int nr = 0, err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/events/%s", tracefs->dir, system);
	dir = opendir(path);
	/* events/ has files, too, and what a module has goes with it. */
	if (!dir)
		return errno == ENOTDIR || errno == ENOENT ? 0 : fail(errno, "%s", path);
	while (!err && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || fnmatch(pattern, entry->d_name, 0) ||
		    !is_event(tracefs, system, entry->d_name))
			continue;
		err = fn(arg, system, entry->d_name);
		nr++;
	}
	closedir(dir);
	return err ? err : nr;
}

int tracefs_each_event(const struct tracefs *tracefs, const char *pattern, tracefs_event_fn fn,
		       void *arg)
{
	const char *colon = strchr(pattern, ':'), *names = colon ? colon + 1 : "*";
	char path[PATH_MAX + 16], systems[NAME_BYTES];
	struct dirent *entry;
	int nr = 0, ret = 0;
	DIR *dir;

	snprintf(systems, sizeof(systems), "%.*s",
		 (int)(colon ? colon - pattern : (ptrdiff_t)strlen(pattern)), pattern);
	snprintf(path, sizeof(path), "%s/events", tracefs->dir);
	dir = opendir(path);
	if (!dir)
		return fail(errno, "%s", path);
	while (ret >= 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || fnmatch(systems, entry->d_name, 0))
			continue;
		ret = each_name(tracefs, entry->d_name, names, fn, arg);
		nr += ret > 0 ? ret : 0;
	}
	closedir(dir);
	return ret < 0 ? ret : nr;
}
