// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading and writing one file of the kernel's. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cpulist.h>
#include <sysfs.h>

#include "hft-tune.h"

int value_read(const char *root, const char *path, char *value, size_t size)
{
	int err = hft_read_line(root, value, size, "%s", path);

	if (err == -ENODATA)
		value[0] = '\0';
	else if (err)
		return err;
	if (strlen(value) == size - 1)
		return -EMSGSIZE;	/* and more of it: never write back a part */
	hft_chosen_word(value);
	return 0;
}

int value_write(const char *root, const char *path, const char *value)
{
	char full[PATH_MAX], line[VALUE_SIZE + 1];
	int fd, length, err = 0;
	ssize_t wrote;

	if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full))
		return -ENAMETOOLONG;
	length = snprintf(line, sizeof(line), "%s\n", value);
	if (length >= (int)sizeof(line))
		return -EMSGSIZE;
	fd = open(full, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do {
		wrote = write(fd, line, (size_t)length);
	} while (wrote < 0 && errno == EINTR);
	if (wrote != length)
		err = wrote < 0 ? -errno : -EIO;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

static bool is_mask(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	return !strcmp(name, "cpumask") || !strcmp(name, "default_smp_affinity");
}

bool value_same(const char *path, const char *a, const char *b)
{
	cpu_set_t x, y;

	if (!strcmp(a, b))
		return true;
	return is_mask(path) && hft_cpumask_parse(a, &x) && hft_cpumask_parse(b, &y) &&
	       CPU_EQUAL(&x, &y);
}
