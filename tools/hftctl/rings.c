// SPDX-License-Identifier: LGPL-2.1-or-later
/* hftctl rings: the rings of all processes, by /proc/PID/fdinfo */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hftctl.h"

#define RING_LINK	"anon_inode:[hft-ring]"
#define PREFIX		"hft-"

static void read_comm(pid_t pid, char *comm, int size)
{
	char path[64];
	FILE *f;

	snprintf(comm, (size_t)size, "?");
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(comm, size, f))
		comm[strcspn(comm, "\n")] = '\0';
	fclose(f);
}

/* A line "hft-lead-ns:	4500" becomes the key lead_ns. */
static void add_line(json_t *ring, char *line)
{
	char *value = strchr(line, ':');
	unsigned long long number;
	char *c;

	if (strncmp(line, PREFIX, strlen(PREFIX)) || !value)
		return;
	*value++ = '\0';
	for (c = line; *c; c++)
		if (*c == '-')
			*c = '_';
	if (sscanf(value, "%llu", &number) == 1)
		json_object_set_new(ring, line + strlen(PREFIX), json_integer((json_int_t)number));
}

static int add_ring(pid_t pid, int fd, json_t *rings)
{
	char path[64], line[256], comm[32];
	json_t *ring;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
	f = fopen(path, "re");
	if (!f)
		return 0;	/* closed meanwhile */
	read_comm(pid, comm, sizeof(comm));
	ring = json_pack("{s:i, s:s%, s:i}", "pid", (int)pid, "comm", comm, strlen(comm), "fd", fd);
	if (!ring)		/* a name that is not UTF-8 */
		ring = json_pack("{s:i, s:s, s:i}", "pid", (int)pid, "comm", "?", "fd", fd);
	while (fgets(line, sizeof(line), f))
		add_line(ring, line);
	fclose(f);
	json_array_append_new(rings, ring);
	return 0;
}

static int visit_fd(pid_t pid, int fd, void *arg)
{
	char path[64], target[sizeof(RING_LINK)] = "";
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	length = readlink(path, target, sizeof(target));
	if (length != (ssize_t)strlen(RING_LINK) || memcmp(target, RING_LINK, (size_t)length))
		return 0;
	return add_ring(pid, fd, arg);
}

struct walk {
	json_t *rings;
	int hidden;		/* processes that we may not look into */
};

static int visit_process(pid_t unused, int pid, void *arg)
{
	struct walk *walk = arg;

	(void)unused;
	if (proc_visit_numbers(pid, visit_fd, walk->rings) == -EACCES)
		walk->hidden++;
	return 0;
}

int rings_read(json_t **value)
{
	struct walk walk = { .rings = json_array() };
	int ret;

	ret = proc_visit_numbers(0, visit_process, &walk);
	if (ret < 0) {
		json_decref(walk.rings);
		return fail(-ret, "/proc");
	}
	if (walk.hidden)
		fprintf(stderr, "hftctl: %d processes of other users were not looked at: run it as root\n",
			walk.hidden);
	*value = walk.rings;
	return 0;
}
