/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Folders that one process at a time writes to: that of a log, and that of its rings.
 *
 * The lock is that of flock(2), which ends with the process whatever ends that.  But it is of
 * the open file, and a child of fork() has this, too: a child closes it, or the log would be
 * locked as long as the child lives.  A lock of fcntl(2) is the process's own; it would go
 * when any thread closes any descriptor of the same file, and a folder can not have one, as
 * no descriptor writes to it.
 */
#ifndef HFT_LOG_LOCKED_H
#define HFT_LOG_LOCKED_H

#include <liburing.h>

/*
 * Open a folder and lock it; @flags: O_NOFOLLOW or 0.  Returns its descriptor; -EBUSY: another
 * has it, -ENOENT: there is none, or not any more; or what else open(2) says, or fork() needs.
 */
int log_locked_open(const char *path, int flags);
void log_locked_close(int fd);

/*
 * Has another one the lock?  -EBUSY: yes; 0; or what open(2) says.  Who looks has it for a
 * moment, with others who look: who opens the folder meanwhile tries again.
 */
int log_locked_look(const char *path, int flags);

/*
 * A ring of io_uring(7) that keeps the lock of @fd, which log_locked_open() has returned.  What it
 * was asked to write may come to a file after its process has ended, even if that was waited for;
 * the lock goes behind the last of that, with the ring.  A child of fork() has no part of it.
 *
 * Return: 0; -ENOMEM, or what io_uring_setup(2) and io_uring_register(2) say.
 * log_locked_ring_move(): it keeps that of another descriptor from now on.
 * log_locked_ring_close(): nothing is under way any more.
 */
int log_locked_ring_open(struct io_uring *ring, unsigned int entries, int fd);
int log_locked_ring_move(struct io_uring *ring, int fd);
void log_locked_ring_close(struct io_uring *ring);

#endif /* HFT_LOG_LOCKED_H */
