// SPDX-License-Identifier: LGPL-2.1-or-later
/* The log is opened, flushed and closed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <openssl/crypto.h>

#include "../api.h"
#include "../engine/internal.h"
#include "left.h"
#include "locked.h"
#include "log.h"
#include "../options.h"
#include "seal.h"

#define DEFAULT_RING	(4ull << 20)
#define DEFAULT_AUDIT	(1ull << 20)
#define DEFAULT_IDLE_NS	20000000ull
#define LEAST_INTERVAL_NS	(LOG_NS_PER_S / 10)
#define MOST_INTERVAL_NS	(10 * LOG_NS_PER_S)

int log_round_ring(uint64_t *bytes, uint64_t usual)
{
	uint64_t wanted = *bytes ? *bytes : usual;

	if (wanted > LOG_RING_MOST)
		return hft_fail(EINVAL, "rings of %llu bytes: they have up to 1 GiB",
				(unsigned long long)wanted);
	for (*bytes = LOG_RING_LEAST; *bytes < wanted; *bytes *= 2)
		;
	return 0;
}

static int read_opts(struct hft_log *log, const struct hft_log_opts *user)
{
	struct hft_log_opts *opts = &log->opts;
	int err = hft_read_opts(opts, sizeof(*opts), user);

	if (err)
		return err;
	if (opts->flags)
		return hft_fail(EINVAL, "unknown flags 0x%x of a log", opts->flags);
	if (opts->policy >= HFT_LOG_POLICIES)
		return hft_fail(EINVAL, "no such policy of a log's rings, %u", opts->policy);
	err = log_round_ring(&opts->ring_bytes, DEFAULT_RING);
	if (!err)
		err = log_round_ring(&opts->audit_bytes, DEFAULT_AUDIT);
	if (!opts->policy)
		opts->policy = HFT_LOG_DROP;
	if (!opts->block_ns)
		opts->block_ns = LOG_NS_PER_S;
	if (!opts->idle_ns)
		opts->idle_ns = DEFAULT_IDLE_NS;
	if (!opts->ring_dir)
		opts->ring_dir = LOG_RING_PARENT;
	if (opts->clock_interval_ns && (opts->clock_interval_ns < LEAST_INTERVAL_NS ||
					opts->clock_interval_ns > MOST_INTERVAL_NS))
		return hft_fail(EINVAL, "evidence of clocks is taken each 100 ms to 10 s");
	log->store_opts = opts->store;
	return err;
}

int log_make_uuid(uint8_t uuid[16])
{
	if (getrandom(uuid, 16, 0) != 16)
		return hft_fail(errno, "a random number");
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	return 0;
}

/* A log that goes on has its number, and rings have those that no other had. */
static int go_on(struct hft_log *log)
{
	struct log_control control;
	int err = log_control_read(log->dir, &control);

	if (err)
		return err == -ENOENT ? log_make_uuid(log->origin.uuid) : err;
	memcpy(log->origin.uuid, control.uuid, sizeof(log->origin.uuid));
	log->streams = control.streams;
	return 0;
}

static int make_origin(struct hft_log *log)
{
	struct hft_log_store_origin *origin = &log->origin;
	int err = go_on(log);

	if (err)
		return err;
	snprintf(log->program, sizeof(log->program), "%s", program_invocation_short_name);
	origin->pid = (uint32_t)getpid();
	origin->program = log->program;
	log_boot(origin->boot);
	return log_clock_measure(&origin->clock, hft_clock_is_tsc());
}

/* Of a tmpfs: the kernel writes no page of it back, for which a writer would wait. */
static int check_ring_parent(const struct hft_log *log)
{
	const char *parent = log->opts.ring_dir;
	struct statfs fs;

	if (statfs(parent, &fs))
		return hft_fail(errno, "%s, for rings", parent);
	if (fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC)
		return hft_fail(EINVAL, "%s is not on a tmpfs, as rings have to be", parent);
	return 0;
}

static int name_ring_dir(struct hft_log *log)
{
	size_t room = sizeof(log->ring_dir);
	char uuid[37];
	int length;

	hft_log_uuid_print(log->origin.uuid, uuid);
	length = snprintf(log->ring_dir, room, "%s/hft-log-%s", log->opts.ring_dir, uuid);
	if (length < 0 || (size_t)length >= room)
		return hft_fail(ENAMETOOLONG, "the folder for rings");
	return check_ring_parent(log);
}

/* Anybody may make folders where it is. */
static int check_owner(int fd, const char *name)
{
	struct stat st;

	if (fstat(fd, &st))
		return hft_fail(errno, "%s", name);
	if (st.st_uid != geteuid() || st.st_mode & 077)
		return hft_fail(EPERM, "%s, for rings, is another user's", name);
	return 0;
}

static void remove_ring_dir(struct hft_log *log)
{
	log_sites_close_journal(log->ring_fd);
	log_left_tidy(log->ring_fd, log->ring_dir);
	log_locked_close(log->ring_fd);
}

/* Rings that are left in it are for hft_log_recover(), as is the file with sites. */
static void keep_ring_dir(struct hft_log *log)
{
	log_sites_lock();
	log_sites_forget_journal();
	log_sites_unlock();
	log_locked_close(log->ring_fd);
}

/* For who has the lock of the log's folder.  One that is there was left without rings. */
static int make_ring_dir(struct hft_log *log)
{
	const char *name = log->ring_dir;
	int err;

	if (mkdir(name, 0700) && errno != EEXIST)
		return hft_fail(errno, "make %s, for rings", name);
	log->ring_fd = log_locked_open(name, O_NOFOLLOW);
	if (log->ring_fd < 0)
		return hft_fail(-log->ring_fd, "lock %s, for rings", name);
	err = check_owner(log->ring_fd, name);
	if (err) {
		log_locked_close(log->ring_fd);
		log->ring_fd = -1;
		return err;
	}
	log_left_link(log->ring_fd, log->dir);
	return log_sites_open_journal(log->ring_fd);
}

/* Returns when the drainer runs, or why it does not. */
static int start_drainer(struct hft_log *log)
{
	int err = pthread_create(&log->thread, NULL, log_drainer_run, log);

	if (err)
		return hft_fail(err, "the drainer's thread");
	pthread_mutex_lock(&log->lock);
	while (log->phase == LOG_STARTS)
		pthread_cond_wait(&log->changed, &log->lock);
	pthread_mutex_unlock(&log->lock);
	if (log->phase == LOG_RUNS)
		return 0;
	pthread_join(log->thread, NULL);
	return hft_take_error(&log->error);
}

static int stop_drainer(struct hft_log *log)
{
	pthread_mutex_lock(&log->lock);
	log->phase = LOG_ENDS;
	pthread_mutex_unlock(&log->lock);
	log_drainer_wake();
	pthread_join(log->thread, NULL);
	return log->err ? hft_take_error(&log->error) : 0;
}

/* Rings of a process that has opened and closed it since go_on(). */
static void catch_up(struct hft_log *log)
{
	struct log_control control;

	if (!log_control_read(log->dir, &control) &&
	    !memcmp(control.uuid, log->origin.uuid, sizeof(control.uuid)) &&
	    control.streams > log->streams)
		log->streams = control.streams;
}

/*
 * For the drainer, when nobody else writes to the log.  Anew: the rules of a log that was there
 * are not this one's.
 */
int log_begin_control(struct hft_log *log)
{
	struct log_control *control = &log->control;

	catch_up(log);
	control->magic = LOG_CONTROL_MAGIC;
	control->version = LOG_CONTROL_VERSION;
	control->pid = log->origin.pid;
	control->boot = log_control_boot();
	control->clock = log->origin.clock;
	control->streams = log->streams;
	log->last_stream = log->streams;
	memcpy(control->uuid, log->origin.uuid, sizeof(control->uuid));
	memcpy(control->ring_dir, log->ring_dir, sizeof(control->ring_dir));
	memcpy(control->program, log->program, sizeof(control->program));
	log->control_fd = log_control_make(log->dir, control, true);
	if (log->control_fd < 0)
		return log->control_fd;
	log_sites_set_rules(control->rules, 0);
	return 0;
}

/* It is said, and on the disk, before there is a ring. */
static int begin_rings(struct hft_log *log)
{
	int err = make_ring_dir(log);

	if (!err)
		err = log_control_say_open(log, true);
	if (!err && fsync(log->control_fd))
		err = hft_fail(errno, "synchronise the control file of a log");
	return err ? err : log_current_set(log);
}

static int start(struct hft_log *log)
{
	int err = name_ring_dir(log);

	if (!err)
		err = start_drainer(log);
	if (err)
		return err;
	err = begin_rings(log);
	if (!err)
		return 0;
	stop_drainer(log);
	if (log->ring_fd >= 0)
		remove_ring_dir(log);
	return err;
}

static void free_log(struct hft_log *log)
{
	if (log->control_fd >= 0)
		close(log->control_fd);
	pthread_mutex_destroy(&log->lock);
	pthread_mutex_destroy(&log->flushing);
	pthread_cond_destroy(&log->changed);
	free(log);
}

static struct hft_log *new_log(void)
{
	struct hft_log *log = calloc(1, sizeof(*log));
	pthread_condattr_t attr;

	if (!log)
		return NULL;
	log->ring_fd = -1;
	log->control_fd = -1;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&log->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&log->lock, NULL);
	pthread_mutex_init(&log->flushing, NULL);
	log->queues_end = &log->queues;
	return log;
}

static int prepare(struct hft_log *log, const char *dir, const struct hft_log_opts *opts)
{
	int err = read_opts(log, opts);

	if (err)
		return err;
	if (snprintf(log->dir, sizeof(log->dir), "%s", dir) >= (int)sizeof(log->dir))
		return hft_fail(ENAMETOOLONG, "the folder of a log");
	if (log_current())
		return hft_fail(EBUSY, "this process has a log, %s", log_current()->dir);
	err = hft_log_recover(dir, log->store_opts);
	if (err == -EBADMSG)
		err = log_control_set_aside(dir);
	return err && err != -ENOENT ? err : log_cpus_choose(log);
}

static int close_log(struct hft_log *log)
{
	int err = stop_drainer(log);

	log_current_wait(log);
	if (log->kept)
		keep_ring_dir(log);
	else
		remove_ring_dir(log);
	hft_clock_close();
	free_log(log);
	log_current_closed();
	return err;
}

/* A program that ends without closing it has not meant to lose what it has logged. */
static void close_at_exit(void)
{
	struct hft_log *log = hft_store_is_thread ? NULL : log_current_take(NULL);

	if (log)
		close_log(log);
}

/* Who registers later is called earlier: OpenSSL, which seals chunks, has to be there still. */
static void watch_exit(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_ADD_ALL_DIGESTS, NULL);
	atexit(close_at_exit);
}

/**
 * hft_log_open() - open the log of this process
 * @log: answered
 * @dir: its folder, which is made if there is none; what it has stays
 * @opts: NULL for the defaults
 *
 * What a process that was killed has left in rings of this log is written first, as by
 * hft_log_recover().
 *
 * Return: 0; -EBUSY: this process has a log, or another one writes to this; -EINVAL, -E2BIG:
 * bad options, or rings that would not be on a tmpfs; -ENXIO, -EPERM, -EBADMSG: as
 * hft_log_recover(), but a control file that was torn by a loss of power is kept aside;
 * -EKEYREJECTED: the log's seals are signed, and there is no &hft_log_store_opts.key_file;
 * -ENOMEM, -ENOSPC, -EACCES and what else files say, also where they do not tell whether a log
 * that was left is to be signed, and there is no key.  Takes 20 ms and more.
 */
HFT_API int hft_log_open(struct hft_log **log, const char *dir, const struct hft_log_opts *opts)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct hft_log *it;
	int err;

	if (!log || !dir || !*dir)
		return hft_fail(EINVAL, "a log has a folder");
	it = new_log();
	if (!it)
		return hft_fail(ENOMEM, "a log");
	err = prepare(it, dir, opts);
	if (err)
		goto bad;
	err = hft_clock_open(NULL);
	if (err)
		goto bad;
	err = make_origin(it);
	if (!err)
		err = start(it);
	if (!err) {
		pthread_once(&once, watch_exit);
		*log = it;
		return 0;
	}
	hft_clock_close();
bad:
	free_log(it);
	return err;
}

/**
 * hft_log_close() - close it: all that was logged is in files, and the last chunk is sealed
 * @log: is gone afterwards, whatever is returned; NULL: nothing happens
 *
 * Calls that are under way are waited for, hft_log_flush() is answered; later ones answer
 * -ENOTCONN.
 *
 * Return: 0; -ETIMEDOUT, -ENOSPC, -EIO, ...: 10 s after the last record was taken from a ring
 * not all is in files, or a call has not ended, for which 10 s more may go by; what is not in
 * files stays in the rings, for hft_log_recover(); -EBADMSG: the same, as something has written
 * over a ring; -EINVAL: it is not open, or another thread has closed it meanwhile; -EIO, too:
 * the disk has lost what was written; -EDEADLK: this is &hft_log_store_opts.notify.  Not for
 * signal handlers.
 */
HFT_API int hft_log_close(struct hft_log *log)
{
	if (!log)
		return 0;
	if (hft_store_is_thread)
		return hft_fail(EDEADLK, "a log closed by its own thread");
	if (!log_current_take(log))
		return hft_fail(EINVAL, "a log that is open");
	return close_log(log);
}

/**
 * hft_log_set_level() - say which calls are wanted
 * @log: the log
 * @pattern: a subsystem, in which '*', '?' and [] are as in file names, or FILE:LINE of one
 *	call, of which the folders may be left out; NULL, for %HFT_LOG_UNSET: all rules
 * @level: &enum hft_log_level: up to this one, or %HFT_LOG_OFF: none; %HFT_LOG_UNSET: the rule
 *	that has this very pattern is taken away
 *
 * Calls for audit rings are always wanted.  The last of the rules that fit a call is its; a
 * rule for the same pattern goes.  Rules stay with the folder of the log until it is opened
 * again.  `hftctl log` does the same to a process from outside.
 *
 * Return: 0, -EINVAL, -E2BIG: there are 64 rules; -ENODATA: there is none to take away;
 * -EBADMSG, -ENOENT: somebody has damaged or removed the control file, which the drainer is about
 * to restore; -EBUSY: another one that changes levels had it locked for a second, as one that is
 * stopped; or what the file system says.
 * Any thread; blocks for a moment, or that second.
 */
HFT_API int hft_log_set_level(struct hft_log *log, const char *pattern, int level)
{
	int err;

	if (!log_get(log))
		return hft_fail(EINVAL, "a level is for a log that is open");
	err = log_control_set_level(log->dir, pattern, level);
	if (!err)
		log_follow_rules(log);
	log_put(log);
	return err;
}

/**
 * hft_log_stats() - how is it doing?
 * @log: the log
 * @stats: answered; its sz is set
 *
 * Return: 0 or -EINVAL.  Any thread; blocks for a moment.
 */
HFT_API int hft_log_stats(struct hft_log *log, struct hft_log_stats *stats)
{
	struct hft_log_stats it = {};
	int err;

	if (!stats || !log_get(log))
		return hft_fail(EINVAL, "statistics of a log that is open");
	it.rings = log->rings;
	it.sites = log_sites_count();
	it.bytes = log->bytes;
	it.lost = log->lost;
	it.timeouts = log->timeouts;
	hft_log_store_trouble(log->store, &it.trouble);
	log_put(log);
	err = hft_check_answer(stats);
	if (!err)
		hft_answer(stats, &it, sizeof(it));
	return err;
}
