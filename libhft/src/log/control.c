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
#include "../options.h"

static int control_path(char *path, const char *dir)
{
	if (snprintf(path, PATH_MAX, "%s/control", dir) >= PATH_MAX)
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

/* Anew: the rules of a log that was there are not this one's. */
int log_control_make(struct log_control **control, const char *dir)
{
	char path[PATH_MAX];
	int fd, err;

	err = control_path(path, dir);
	if (err)
		return err;
	if (unlink(path) && errno != ENOENT)
		return hft_fail(errno, "remove %s", path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return hft_fail(errno, "make %s", path);
	err = posix_fallocate(fd, 0, sizeof(**control));
	err = err ? hft_fail(err, "room for %s", path) : map_control(control, fd, true, path);
	close(fd);
	return err;
}

/* The file of a process that is alive, or was: it is 0600, and ours or of who we trust. */
int log_control_map(struct log_control **control, const char *dir, bool write, int *fd)
{
	char path[PATH_MAX];
	struct stat st;
	int err;

	err = control_path(path, dir);
	if (err)
		return err;
	*fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (*fd < 0)
		return hft_fail(errno, "open %s", path);
	if (fstat(*fd, &st) || st.st_size != sizeof(**control))
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

int log_control_set_level(const char *dir, const char *pattern, int level)
{
	struct log_control *control;
	uint32_t generation;
	int fd, err;

	if (!*pattern || strlen(pattern) >= LOG_PATTERN)
		return hft_fail(EINVAL, "a pattern has 1 to %d bytes", LOG_PATTERN - 1);
	if (level < HFT_LOG_OFF || level >= HFT_LOG_LEVELS)
		return hft_fail(EINVAL, "there is no level %d", level);
	err = log_control_map(&control, dir, true, &fd);
	if (err)
		return err;
	while ((err = flock(fd, LOCK_EX)) && errno == EINTR)
		;
	/* One that was killed while it wrote has left an odd one. */
	generation = control->generation | 1;
	__atomic_store_n(&control->generation, generation, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	err = put_rule(control, pattern, level);
	__atomic_store_n(&control->generation, generation + 1, __ATOMIC_RELEASE);
	log_control_unmap(control);
	close(fd);
	return err;
}

int log_control_rules(struct log_control *control, uint32_t *generation,
		      struct log_rule rules[LOG_RULES])
{
	uint32_t now = __atomic_load_n(&control->generation, __ATOMIC_ACQUIRE), nr, i;

	if (now == *generation || now & 1)
		return -1;
	nr = control->nr_rules < LOG_RULES ? control->nr_rules : LOG_RULES;
	memcpy(rules, control->rules, nr * sizeof(*rules));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&control->generation, __ATOMIC_RELAXED) != now)
		return -1;
	for (i = 0; i < nr; i++)
		rules[i].pattern[LOG_PATTERN - 1] = '\0';
	*generation = now;
	return (int)nr;
}
