// SPDX-License-Identifier: LGPL-2.1-or-later
/* What others see of a log, by its control file, its rings and its sites: it does not notice. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../api.h"
#include "../options.h"
#include "journal.h"
#include "left.h"
#include "log.h"

/**
 * hft_log_control() - say which calls are wanted of a process, from outside
 * @dir: the folder of its log
 * @pattern: as in hft_log_set_level()
 * @level: likewise
 *
 * The process follows within &hft_log_opts.idle_ns.
 *
 * Return: as hft_log_set_level(); -ENOENT: there is no log, -EACCES: it is of another user,
 * -EBADMSG: what is there is not of a log.  Any thread; blocks for a moment.
 */
HFT_API int hft_log_control(const char *dir, const char *pattern, int level)
{
	if (!dir)
		return hft_fail(EINVAL, "a level is for a log");
	return log_control_set_level(dir, pattern, level);
}

static int read_control(const char *dir, struct log_control *copy)
{
	return dir ? log_control_read(dir, copy) : hft_fail(EINVAL, "a log has a folder");
}

/**
 * hft_log_look() - whose log is it?
 * @dir: its folder
 * @info: answered; its sz is set
 *
 * Return: 0, -EINVAL, -ENOENT: there is no log, -EACCES, -EBADMSG.  Any thread; does not block.
 */
HFT_API int hft_log_look(const char *dir, struct hft_log_info *info)
{
	struct hft_log_info it = {};
	struct log_control control;
	int err = info ? hft_check_answer(info) : hft_fail(EINVAL, "a look at a log");

	if (!err)
		err = read_control(dir, &control);
	if (err)
		return err;
	it.pid = control.pid;
	it.open = control.open;
	it.state = log_state(dir, &control);
	memcpy(it.program, control.program, sizeof(it.program));
	memcpy(it.ring_dir, control.ring_dir, sizeof(it.ring_dir));
	err = it.open ? log_trouble_read(it.ring_dir, &it.trouble) : 0;
	if (err)
		return err;
	hft_answer(info, &it, sizeof(it));
	return 0;
}

static int open_rings(const struct log_control *control)
{
	int fd = open(control->ring_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? hft_fail(errno, "the rings in %s", control->ring_dir) : fd;
}

/* Its thread may be writing: what is read fits together only about. */
static void look_at_ring(const struct hft_log_ring *ring, struct hft_log_ring_info *info)
{
	uint64_t reserved = __atomic_load_n(&ring->reserved, __ATOMIC_RELAXED);
	uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_RELAXED);

	*info = (struct hft_log_ring_info){
		.stream = ring->stream,
		.tid = ring->tid,
		.cpu = ring->cpu,
		.lane = ring->lane,
		.policy = ring->policy,
		.done = ring->done,
		.bytes = ring->bytes,
		.used_bytes = 8 * (uint64_t)(uint32_t)((uint32_t)reserved -
						       (uint32_t)(tail >> 3)),
		.records = log_ring_number(ring),
		.lost = __atomic_load_n(&ring->lost, __ATOMIC_RELAXED) + ring->overwritten,
		.timeouts = __atomic_load_n(&ring->timeouts, __ATOMIC_RELAXED),
	};
	if (info->used_bytes > ring->bytes)
		info->used_bytes = ring->bytes;
	snprintf(info->thread, sizeof(info->thread), "%.*s", (int)sizeof(ring->thread) - 1,
		 ring->thread);
}

/* One that has gone meanwhile, or is not there yet, is none.  Only the page is read. */
int log_ring_look(int dir_fd, const char *name, struct hft_log_ring_info *info, uint32_t *pid)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct hft_log_ring ring;
	ssize_t size;

	if (fd < 0)
		return errno == ENOENT ? 0 : hft_fail(errno, "the ring %s", name);
	size = pread(fd, &ring, sizeof(ring), 0);
	close(fd);
	if (size != sizeof(ring) || ring.magic != HFT_LOG_RING_MAGIC ||
	    ring.version != HFT_LOG_RING_VERSION)
		return 0;
	look_at_ring(&ring, info);
	if (pid)
		*pid = ring.pid;
	return 1;
}

static int visit_ring(int dir_fd, const char *name, hft_log_ring_fn fn, void *arg)
{
	struct hft_log_ring_info info;
	int ret = log_ring_look(dir_fd, name, &info, NULL);

	return ret > 0 ? fn(arg, &info) : ret;
}

/**
 * hft_log_rings() - look at the rings of a log
 * @dir: its folder
 * @fn: called for each, in no order; until it does not return 0
 * @arg: for @fn
 *
 * Return: 0, what @fn has returned, or as hft_log_look(); -ENOENT: it is closed.  Any thread.
 */
HFT_API int hft_log_rings(const char *dir, hft_log_ring_fn fn, void *arg)
{
	struct log_control control;
	struct dirent *entry;
	int fd, err;
	DIR *folder;

	err = read_control(dir, &control);
	if (err)
		return err;
	fd = open_rings(&control);
	if (fd < 0)
		return fd;
	folder = fdopendir(fd);
	if (!folder) {
		close(fd);
		return hft_fail(ENOMEM, "the rings of %s", dir);
	}
	while (!err && (entry = readdir(folder))) {
		if (!strncmp(entry->d_name, "ring-", 5))
			err = visit_ring(fd, entry->d_name, fn, arg);
	}
	closedir(folder);
	return err;
}

struct site_visit {
	const struct log_control *control;
	hft_log_site_fn fn;
	void *arg;
};

static int visit_site(void *arg, const struct hft_log_store_site *site)
{
	const struct site_visit *visit = arg;
	const struct log_control *control = visit->control;
	int level = log_rules_level(control->rules, control->nr_rules, site->subsystem,
				    site->file, site->line);
	const struct hft_log_site_info info = {
		.id = site->id,
		.level = site->level,
		.lane = site->lane,
		.enabled = log_site_is_wanted(site->lane, site->level, level),
		.line = site->line,
		.subsystem = site->subsystem,
		.name = site->name,
		.format = site->format,
		.file = site->file,
	};

	return visit->fn(visit->arg, &info);
}

/**
 * hft_log_sites() - look at the places that log to a log
 * @dir: its folder
 * @fn: called for each, until it does not return 0
 * @arg: for @fn
 *
 * Return: 0, what @fn has returned, or as hft_log_look(); -ENOENT: it is closed.  Any thread.
 */
HFT_API int hft_log_sites(const char *dir, hft_log_site_fn fn, void *arg)
{
	struct log_control control;
	struct site_visit visit = { &control, fn, arg };
	int fd, err;

	err = read_control(dir, &control);
	if (err)
		return err;
	fd = open_rings(&control);
	if (fd < 0)
		return fd;
	err = log_journal_read(fd, visit_site, &visit);
	close(fd);
	return err;
}
