/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DIR/control: a file of a log that its process writes, and others look into: where its rings
 * are, and the rules for levels.
 *
 * It is on a disk, and anybody's who may write there: it is read and written, and never mapped,
 * as a process that looks at a page which was cut off, or which the disk does not give, is
 * killed.
 *
 * Who writes rules has the file locked, by flock(2), and leaves an odd generation while it
 * does; the drainer applies them when it sees another even one.
 *
 * It appears with its name when it is whole and on the disk.  A process makes it when it has
 * the lock of DIR, then the folder of its rings, then says @open, and only then has rings.  At
 * the end rings go first, then it is not open any more, then the folder goes: a process that
 * is killed between leaves a folder without rings, which the next one removes.
 */
#ifndef HFT_LOG_CONTROL_H
#define HFT_LOG_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "site.h"
#include "store.h"

#define LOG_CONTROL_MAGIC	0x6c6f72746e6f63ull
#define LOG_CONTROL_VERSION	2u
#define LOG_CONTROL_PATH	256

/**
 * struct log_control - the file
 * @magic: %LOG_CONTROL_MAGIC
 * @version: %LOG_CONTROL_VERSION
 * @pid: of the process
 * @uuid: of the log
 * @open: 1 until it has been closed, and all that was in rings is in files
 * @generation: of the rules: odd while they change
 * @nr_rules: how many, with those that were taken away
 * @boot: of the machine that @open was said on; 0: not known
 * @streams: the highest number of a ring that there was in this log
 * @ring_dir: the folder with the rings
 * @program: name of the process
 * @clock: that stamps are of
 * @rules: the last that fits is the one.  One that was taken away stays, as %HFT_LOG_UNSET, to
 *	tell who did that, until its room is needed: all %LOG_RULES may be taken away, and as many
 *	set, before that
 */
struct log_control {		/* versions differ behind @version, in size, too */
	uint64_t magic;
	uint32_t version;
	uint32_t pid;
	uint8_t uuid[16];
	uint32_t open;
	uint32_t generation;
	uint32_t nr_rules;
	uint32_t boot;
	uint64_t streams;
	char ring_dir[LOG_CONTROL_PATH];
	char program[64];
	struct hft_log_store_clock clock;
	struct log_rule rules[LOG_RULES_ROOM];
};

/*
 * Errors as hft_fail() has them; -EBADMSG: what is there is not of a log, or not whole.
 *
 * log_control_make(): a new file, in the place of what is there; @sync: on the disk.  Returns a
 * descriptor.  log_control_put(): in the file that there is; -EWOULDBLOCK: somebody writes rules.
 */
int log_control_make(const char *dir, const struct log_control *it, bool sync);
int log_control_put(int fd, const struct log_control *it);

/*
 * A copy, whose texts end, of one that may be written to meanwhile.  log_control_open() returns
 * a descriptor for log_control_write(): of a field of @it.
 */
int log_control_read(const char *dir, struct log_control *it);
int log_control_open(const char *dir, struct log_control *it);
int log_control_write(int fd, const struct log_control *it, const void *field, size_t size);

/* Of a file that is open; -EAGAIN: somebody writes rules, which may not fit together. */
int log_control_again(int fd, struct log_control *it);

/* Of one that was torn by a loss of power: it gets another name.  -EBADMSG: it was not. */
int log_control_set_aside(const char *dir);

/* Of the machine, since it was switched on; 0: not known */
uint32_t log_control_boot(void);

/*
 * Append a rule, or replace that of the pattern; of %HFT_LOG_UNSET: take it away, of NULL all.
 * -E2BIG: there are %LOG_RULES, -ENODATA: there is none to take away.  Who else writes is waited
 * for, for a second: -EBUSY.
 */
int log_control_set_level(const char *dir, const char *pattern, int level);

#endif /* HFT_LOG_CONTROL_H */
