// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpulist.h"
#include "sysfs.h"

#define MAX_LINE	8192

static int make_path(char *path, const char *root, const char *format, va_list args)
{
	size_t used = strlen(root);
	int length;

	if (used >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path, root, used);
	length = vsnprintf(path + used, PATH_MAX - used, format, args);
	return length < 0 || (size_t)length >= PATH_MAX - used ? -ENAMETOOLONG : 0;
}

/* A file of the kernel's may hand itself out in parts. */
static int read_all(const char *path, char *text, size_t size)
{
	size_t used = 0;
	ssize_t got;
	int err, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	do {
		got = read(fd, text + used, size - 1 - used);
		if (got > 0)
			used += (size_t)got;
	} while ((got > 0 && used < size - 1) || (got < 0 && errno == EINTR));
	err = got < 0 ? -errno : (int)used;
	close(fd);
	text[used] = '\0';
	return err;
}

static int read_path(const char *root, char *text, size_t size, const char *format, va_list args)
{
	char path[PATH_MAX];
	int err = make_path(path, root, format, args);

	return err ? err : read_all(path, text, size);
}

static int first_line(char *line, int length)
{
	if (length < 0)
		return length;
	line[strcspn(line, "\n")] = '\0';
	return line[0] ? 0 : -ENODATA;
}

int hft_read_line(const char *root, char *line, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = read_path(root, line, size, format, args);
	va_end(args);
	return first_line(line, length);
}

int hft_read_text(const char *root, char *text, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = read_path(root, text, size, format, args);
	va_end(args);
	return length;
}

int hft_read_number(const char *root, long long *number, const char *format, ...)
{
	char line[64], *end;
	va_list args;
	int err;

	va_start(args, format);
	err = first_line(line, read_path(root, line, sizeof(line), format, args));
	va_end(args);
	if (err)
		return err;
	*number = strtoll(line, &end, 0);
	return end == line ? -EINVAL : 0;
}

int hft_read_cpus(const char *root, cpu_set_t *set, const char *format, ...)
{
	char line[MAX_LINE];
	va_list args;
	int err;

	CPU_ZERO(set);
	va_start(args, format);
	err = first_line(line, read_path(root, line, sizeof(line), format, args));
	va_end(args);
	if (err == -ENODATA || (!err && line[0] == '('))
		return 0;
	if (err)
		return err;
	return hft_cpulist_parse(line, false, set) ? 0 : -EINVAL;
}

void hft_chosen_word(char *line)
{
	char *begin = strchr(line, '['), *end = begin ? strchr(begin, ']') : NULL;

	if (!end)
		return;
	*end = '\0';
	memmove(line, begin + 1, (size_t)(end - begin));
}

bool hft_path_exists(const char *root, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	int err;

	va_start(args, format);
	err = make_path(path, root, format, args);
	va_end(args);
	return !err && !access(path, F_OK);
}

void hft_for_each_entry(const char *root, const char *path,
			bool (*fn)(void *arg, const char *name), void *arg)
{
	char full[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full))
		return;
	dir = opendir(full);
	if (!dir)
		return;
	do {
		entry = readdir(dir);
	} while (entry && (entry->d_name[0] == '.' || fn(arg, entry->d_name)));
	closedir(dir);
}
