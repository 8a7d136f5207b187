// SPDX-License-Identifier: GPL-2.0-only
#define _XOPEN_SOURCE 700
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../include/remove_tree.h"
#include "fuzz.h"

static char folder[] = "/dev/shm/hft-fuzz-XXXXXX";
static char path[256];

static void remove_folder(void)
{
	remove_tree(folder);
}

void fuzz_no_folder(const char *name)
{
	char below[256];

	snprintf(below, sizeof(below), "%s/%s", fuzz_folder(), name);
	remove_tree(below);
}

static void must(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(2);
}

const char *fuzz_folder(void)
{
	static int made;

	if (!made) {
		must(!!mkdtemp(folder), folder);
		atexit(remove_folder);
		made = 1;
	}
	return folder;
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
	int fd;

	snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	must(fd >= 0 && write(fd, data, size) == (ssize_t)size, path);
	close(fd);
	return path;
}

void fuzz_no_file(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
	unlink(path);
}

void fuzz_make_folder(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
	must(!mkdir(path, 0700), path);
}
