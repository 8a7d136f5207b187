// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The control file of the process's own log.
 *
 * Without it nobody finds the rings when the process is killed, so it is looked at, and where
 * somebody has cut it off, written over it or removed it, it gets what it should have.
 *
 * @control is the drainer's, but for the rules, which are under @lock, and for what other threads
 * write: who opens the log @is_open, who makes a ring @last_stream.  Either is in the file before
 * it is there, so that the file is never behind it, unless it is damaged; a signal handler may
 * make a ring, and takes no lock for that.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../options.h"
#include "log.h"
#include "store_internal.h"

#define LOOK_NS		1000000ull		/* at what is in it */
#define PATH_NS		100000000ull		/* whether it is there */
#define RETRY_NS	200000000ull
#define RULES_PAUSE_NS	100000
#define RULES_TRIES	100		/* one that was killed amid them never ends */

#define RULES_FROM	offsetof(struct log_control, rules)
#define PLACE_FROM	offsetof(struct log_control, ring_dir)

int log_control_say_open(struct hft_log *log, bool open)
{
	struct log_control it = { .open = open };
	int err = log_control_write(log->control_fd, &it, &it.open, sizeof(it.open));

	log->is_open = open;
	return err;
}

/* Where the file does not take it, the drainer sees that it is behind, and says so. */
void log_control_say_streams(struct hft_log *log, uint64_t streams)
{
	struct log_control it = { .streams = streams };

	log_control_write(log->control_fd, &it, &it.streams, sizeof(it.streams));
	log->last_stream = streams;
}

void log_control_say_clock(struct hft_log *log)
{
	struct log_control *control = &log->control;

	control->clock = log->origin.clock;
	log_control_write(log->control_fd, control, &control->clock, sizeof(control->clock));
}

/* @open and @streams: of before the file was read */
static bool is_same(const struct log_control *file, const struct log_control *own, bool open,
		    uint64_t streams)
{
	return !memcmp(file->uuid, own->uuid, sizeof(file->uuid)) && file->pid == own->pid &&
	       file->boot == own->boot && file->open >= open && file->open <= 1 &&
	       file->streams >= streams &&
	       !memcmp((const char *)file + PLACE_FROM, (const char *)own + PLACE_FROM,
		       RULES_FROM - PLACE_FROM);
}

/* Returns -EBADMSG: it has not what it should have. */
static int read_own(struct hft_log *log, struct log_control *file)
{
	uint64_t streams = log->last_stream;
	bool open = log->is_open;
	int err = log_control_again(log->control_fd, file);

	if (err)
		return err;
	return is_same(file, &log->control, open, streams) ? 0 :
		hft_fail(EBADMSG, "%s/control is not what it was", log->dir);
}

static void follow(struct hft_log *log, const struct log_control *file)
{
	struct log_control *own = &log->control;

	if (file->generation == own->generation)
		return;
	own->generation = file->generation;
	own->nr_rules = file->nr_rules;
	memcpy(own->rules, file->rules, sizeof(own->rules));
	log_sites_set_rules(own->rules, own->nr_rules);
}

/*
 * Read and applied in one: rules that the drainer has read before do not come after these.
 * -EAGAIN: somebody writes them.
 */
static int try_follow(struct hft_log *log)
{
	struct log_control file;
	int err;

	pthread_mutex_lock(&log->lock);
	err = read_own(log, &file);
	if (!err && !log->rules_over)
		follow(log, &file);
	pthread_mutex_unlock(&log->lock);
	return err;
}

void log_follow_rules(struct hft_log *log)
{
	const struct timespec pause = { .tv_nsec = RULES_PAUSE_NS };
	unsigned int tries = 0;

	while (try_follow(log) == -EAGAIN && ++tries < RULES_TRIES)
		nanosleep(&pause, NULL);
}

/* A change that another thread makes now is noted before, or never. */
void log_end_rules(struct hft_log *log)
{
	log_follow_rules(log);
	pthread_mutex_lock(&log->lock);
	log->rules_over = true;
	pthread_mutex_unlock(&log->lock);
}

/* Is the file that there is, by its name, the one that is open? */
static bool is_there(const struct hft_log *log)
{
	struct stat there, own;
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/control", log->dir) >= (int)sizeof(path))
		return false;
	return !lstat(path, &there) && !fstat(log->control_fd, &own) &&
	       there.st_ino == own.st_ino && there.st_dev == own.st_dev;
}

/* Not on the disk: the drainer waits for none, and a loss of power takes the rings, too. */
static int make_again(struct hft_log *log, const struct log_control *it)
{
	int fd = log_control_make(log->dir, it, false), old;

	if (fd < 0)
		return fd;
	/* A thread that makes a ring may be about to write by its number. */
	old = dup3(fd, log->control_fd, O_CLOEXEC);
	close(fd);
	return old < 0 ? hft_fail(errno, "the control file of %s", log->dir) : 0;
}

static int restore(struct hft_log *log, bool there)
{
	struct log_control it;

	pthread_mutex_lock(&log->lock);
	it = log->control;
	pthread_mutex_unlock(&log->lock);
	it.open = log->is_open;
	it.streams = log->last_stream;
	return there ? log_control_put(log->control_fd, &it) : make_again(log, &it);
}

/* Said once, until it is well again. */
static void tell(struct hft_log *log, int err, bool there)
{
	const char *what = there ? "was written over or cut off" : "was removed or replaced";

	if (err && err == log->control_failed)
		return;
	log->control_failed = err;
	if (err)
		hft_store_tell(log->store, HFT_LOG_STORE_CONTROL, -err, "%s/control %s, and can "
			       "not be restored: %s", log->dir, what, hft_strerror(err));
	else
		hft_store_tell(log->store, HFT_LOG_STORE_CONTROL, 0, "%s/control %s, and is "
			       "restored", log->dir, what);
}

void log_control_look(struct hft_log *log, uint64_t now)
{
	bool there = true;
	int err;

	if (now < log->control_next)
		return;
	log->control_next = now + LOOK_NS;
	if (now >= log->control_path_next) {
		log->control_path_next = now + PATH_NS;
		there = is_there(log);
	}
	err = there ? try_follow(log) : -ENOENT;
	if (!err || err == -EAGAIN)
		return;
	err = restore(log, there);
	if (err == -EWOULDBLOCK)	/* by who writes rules: it takes a moment */
		return;
	tell(log, err, there);
	if (err)
		log->control_next = now + RETRY_NS;
}
