// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a process has left in its rings when it was killed is written to its log: who may do so,
 * and when.
 *
 * Writes of io_uring go on after their process: files are not looked at before the last one is
 * over, or what it was to write would be there twice.  It keeps the lock of the log's folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../api.h"
#include "../options.h"
#include "left.h"
#include "locked.h"
#include "recover.h"
#include "wait_lock.h"

#define LOST_STREAMS	65536

static int is_busy(const struct log_recovery *it)
{
	return hft_fail(EBUSY, "process %u writes to %s", it->control.pid, it->dir);
}

/* It is locked as long as its process lives.  Who may write to the one writes to the other. */
static int open_ring_dir(struct log_recovery *it)
{
	struct stat rings, control;
	int fd = log_locked_open(it->control.ring_dir, O_NOFOLLOW);

	if (fd == -EBUSY)
		return is_busy(it);
	if (fd < 0)
		return fd == -ENOENT ? fd : hft_fail(-fd, "lock the rings of %s", it->dir);
	it->ring_fd = fd;
	if (!fstat(fd, &rings) && !fstat(it->control_fd, &control) &&
	    rings.st_uid == control.st_uid)
		return 0;
	log_locked_close(fd);
	return hft_fail(EPERM, "%s is not of who has %s", it->control.ring_dir, it->dir);
}

/* Of one that was closed, and its process killed before it was tidy. */
static int tidy(struct log_recovery *it)
{
	int err = open_ring_dir(it);

	if (err)
		return err == -ENOENT ? 0 : err;
	log_left_tidy(it->ring_fd, it->control.ring_dir);
	log_locked_close(it->ring_fd);
	return 0;
}

/*
 * They have gone with the machine, where they are not on this one's.  Numbers of rings may
 * have, too, those that were given in the last seconds: they are not given again.
 */
static int forget_rings(struct log_recovery *it)
{
	if (it->control.boot && it->control.boot == log_control_boot())
		return hft_fail(ENXIO, "the rings of process %u, in %s, are not to be seen here: "
				"if they are not in another container, remove %s/control",
				it->control.pid, it->control.ring_dir, it->dir);
	it->control.streams += LOST_STREAMS;
	return log_recover_say_closed(it);
}

/* Another recovery may have been here, between the reading of the control file and the lock. */
static int recover_unseen(struct log_recovery *it)
{
	int err = log_control_again(it->control_fd, &it->control);

	if (err && err != -EAGAIN)	/* rules that somebody was killed amid are no matter */
		return err;
	return it->control.open ? forget_rings(it) : tidy(it);
}

/* Of a process that sees other folders, the lock of the log's own tells whether it lives. */
static int recover_none(struct log_recovery *it)
{
	int fd = log_locked_open(it->dir, 0), err;

	if (fd < 0)
		return fd == -EBUSY ? is_busy(it) : hft_fail(-fd, "lock %s", it->dir);
	err = recover_unseen(it);
	log_locked_close(fd);
	return err;
}

/* For who has the rings locked: their process is no more, but what it was to write may be. */
static int look_for_writes(const struct log_recovery *it, enum log_wait *wait)
{
	int err = log_locked_look(it->dir, 0);

	if (err != -EBUSY)
		return err ? hft_fail(-err, "lock %s", it->dir) : 0;
	*wait = LOG_WAIT_WRITES;
	return is_busy(it);
}

static int recover(struct log_recovery *it, const struct hft_log_store_opts *opts,
		   enum log_wait *wait)
{
	int err;

	if (!it->control.open)
		return recover_none(it);
	err = open_ring_dir(it);
	if (err == -ENOENT)
		return recover_none(it);
	if (err)
		return err;
	err = look_for_writes(it, wait);
	if (!err)
		err = log_recover_rings(it, opts);
	log_locked_close(it->ring_fd);
	return err;
}

struct attempt {
	const char *dir;
	const struct hft_log_store_opts *opts;
};

static int try_recover(void *arg, enum log_wait *wait)
{
	const struct attempt *attempt = arg;
	struct log_recovery it = { .dir = attempt->dir };
	int err;

	it.control_fd = log_control_open(it.dir, &it.control);
	if (it.control_fd < 0)
		return it.control_fd;
	err = recover(&it, attempt->opts, wait);
	if (err == -EBUSY && !*wait && log_wait_has_ended(it.control.pid))
		*wait = LOG_WAIT_LOCK;
	if (*wait)
		hft_fail(EBUSY, "%s is locked, and process %u, which wrote to it, has ended or is "
			 "of another container: see fuser -v %s", it.dir, it.control.pid, it.dir);
	close(it.control_fd);
	return err;
}

/**
 * hft_log_recover() - write what a process has left in its rings when it was killed
 * @dir: the folder of its log
 * @opts: how files are written; NULL: the defaults
 *
 * All whose call had returned is in the log then, in chunks behind those that there are, what
 * calls were refused is told as lost, and the rings are gone.  Records that were being written
 * when the process died may be behind later ones of their thread; their numbers tell.  A signal
 * handler's record is with the call that it has interrupted.  A ring that can not be read to
 * its end, as something has written where it should not have, is kept in @dir as
 * UUID-ring-N.bad, of which &hft_log_store_opts.notify hears; all before that, and all other
 * rings, are in the log.  A log that was closed, or whose rings have gone with the machine,
 * has none.
 *
 * A process that was killed may keep its log locked a moment longer, even if it was waited for:
 * what it had asked the disk for comes to its end.  That is waited for up to 10 s.  Where its
 * rings are locked, too, or not to be seen, and the process with its number has ended, or there
 * is none, it is tried again for a second.
 *
 * Return: 0; -ENOENT: there is no log; -EBUSY: its process lives, or another one is at it;
 * -EBADMSG: what is there is not of a log; -ENXIO: the rings are not to be seen here, though the
 * machine was not switched off since: they are another container's, or somebody has removed
 * them; -EPERM: they are another user's; -EKEYREJECTED: the log's seals are signed, and there is
 * no &hft_log_store_opts.key_file, or, as -EMFILE, -EACCES, -EIO or -ENOMEM, whether they are can
 * not be read: nothing was written; -ETIMEDOUT, or what the disk says: it took
 * nothing for 10 s; the rings stay then, and the next call goes on.
 */
HFT_API int hft_log_recover(const char *dir, const struct hft_log_store_opts *opts)
{
	struct attempt attempt = { dir, opts };

	if (!dir)
		return hft_fail(EINVAL, "a log has a folder");
	return log_wait_for(try_recover, &attempt);
}
