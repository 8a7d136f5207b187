// SPDX-License-Identifier: LGPL-2.1-or-later
/* Processes and their descriptors, by /proc and pidfd_getfd(). */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/hft.h>

#include "hftctl.h"

int proc_visit_numbers(pid_t pid, int (*visit)(pid_t pid, int number, void *arg), void *arg)
{
	char path[64] = "/proc";
	struct dirent *entry;
	int ret = 0;
	DIR *dir;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir))) {
		uint64_t number;

		if (parse_number(entry->d_name, 10, 0, INT_MAX, &number))
			ret = visit(pid, (int)number, arg);
	}
	closedir(dir);
	return ret;
}

struct context_visit {
	int pidfd;
	int contexts;
	int (*visit)(int fd, int number, void *arg);
	void *arg;
};

/* Whatever its name, a context answers the query. */
static int is_context(int fd)
{
	struct hft_query query;

	return !ioctl(fd, HFT_IOC_QUERY, &query);
}

static int visit_descriptor(pid_t pid, int number, void *arg)
{
	struct context_visit *v = arg;
	int fd, ret;

	(void)pid;
	fd = (int)syscall(SYS_pidfd_getfd, v->pidfd, number, 0);
	if (fd < 0)
		return errno == EBADF ? 0 : -errno;	/* closed meanwhile */
	if (!is_context(fd)) {
		close(fd);
		return 0;
	}
	v->contexts++;
	ret = v->visit(fd, number, v->arg);
	close(fd);
	return ret;
}

/* An ioctl to a file of another kind could be anything: look at the name first. */
static int visit_candidate(pid_t pid, int number, void *arg)
{
	char path[64], target[PATH_MAX];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, number);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return 0;
	target[length] = '\0';
	return strstr(target, "hft") && !strncmp(target, "/dev/", 5) ?
	       visit_descriptor(pid, number, arg) : 0;
}

int process_visit_contexts(pid_t pid, int (*visit)(int fd, int number, void *arg), void *arg)
{
	struct context_visit v = { .visit = visit, .arg = arg };
	int ret;

	v.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (v.pidfd < 0)
		return fail(errno, "process %d", (int)pid);
	ret = proc_visit_numbers(pid, visit_candidate, &v);
	close(v.pidfd);
	if (ret < 0)
		return fail(-ret, "descriptors of process %d", (int)pid);
	if (!ret && !v.contexts)
		return fail(ENXIO, "process %d has /dev/hft not open", (int)pid);
	return ret;
}
