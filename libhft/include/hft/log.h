/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log: what a thread does, recorded for some nanoseconds.
 *
 *	hft_log_open(&log, "/var/log/desk", NULL);
 *	hft_log(HFT_LOG_INFO, "order=%lu of %s at price=%f", id, symbol, price);
 *	hft_log_close(log);
 *
 * A call puts the number of its place in the program, a stamp and its arguments as they are
 * into a ring of the calling thread, which the drainer, a thread of the library, writes to
 * files: nothing is formatted, allocated or asked of the kernel.  Rings are files in memory:
 * what a call has put there survives the process, see hft_log_recover().
 *
 * A thread has two rings, made at its first call or by hft_log_thread(): hft_log() writes
 * to the plain one, whose policy says what happens when it is full; hft_log_audit() to the
 * other, where a call waits for room, and answers when there is none.
 *
 * A call answers 0 or a negative errno, and does not touch errno:
 *
 *	-ENOTCONN	no log is open, or this is a child of the process that has opened it
 *	-ENOBUFS	the ring is full and drops what is new: counted
 *	-ETIMEDOUT	the ring is full and was for &hft_log_opts.block_ns: counted
 *	-ENOMEM, -ENOSPC, -EMFILE, ...	no ring can be made for this thread
 *	-EMSGSIZE	the record is longer than a quarter of the ring, or than there is room
 *			for in a packet
 *	-EBUSY		in a signal handler, which has interrupted a call of this thread that
 *			waits, or is about to: counted
 *	-EOVERFLOW	more than 65,519 places log: in C++, and for audit rings
 *	-EINVAL		for audit rings: the place says what none does, as no argument's name
 *
 * What is counted is told in the ring by a record, "hft:lost", as soon as there is room:
 * how many, and the stamps of the first and the last.
 *
 * Levels: a place whose level is not wanted costs a branch.  See hft_log_set_level() and
 * `hftctl log`.  Until there is a rule, all up to %HFT_LOG_INFO is.  What is for audit rings
 * is always written, whatever its level.
 *
 * In signal handlers calls may be made, by threads that have their rings.
 */
#ifndef HFT_LOG_H
#define HFT_LOG_H

#include <stddef.h>
#include <stdint.h>

#include <hft/log_call.h>
#include <hft/log_store.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hft_log;

enum hft_log_level {
	HFT_LOG_ERROR,
	HFT_LOG_WARN,
	HFT_LOG_NOTICE,
	HFT_LOG_INFO,
	HFT_LOG_DEBUG,
	HFT_LOG_TRACE,
	HFT_LOG_LEVELS
};

#define HFT_LOG_OFF		(-1)	/* as a level to set: nothing is wanted */
#define HFT_LOG_UNSET		(-2)	/* likewise: the pattern's rule is taken away */

/* What a call does when its ring is full.  Audit rings block. */
enum hft_log_policy {
	HFT_LOG_POLICY_DEFAULT,		/* of a thread: the log's; of a log: to drop */
	HFT_LOG_DROP,			/* answer -ENOBUFS */
	HFT_LOG_OVERWRITE,		/* the oldest records */
	HFT_LOG_BLOCK,			/* wait for the drainer */
	HFT_LOG_POLICIES
};

/* The subsystem of the calls of a file: to be defined before this is included. */
#ifndef HFT_LOG_SUBSYSTEM
#define HFT_LOG_SUBSYSTEM	"app"
#endif

/**
 * hft_log() - log to the plain ring of the calling thread
 * @level: &enum hft_log_level, a constant
 * @format: as of printf(), a literal; an argument is named by what is before its '='
 * @...: up to 64 arguments: integers, floating-point numbers, strings (the first 1,020
 *	bytes and "..." of what is longer than %HFT_LOG_TEXT_MAX), void pointers
 *
 * Arguments are not evaluated where the level is not wanted.
 *
 * Return: see above.  Any thread, and signal handlers; no system call but at the first call
 * of a thread, and when a ring is half full.  Wait-free, but for rings that block.
 */
#define hft_log(level, format, ...)						\
	HFT_LOG_PRINT(HFT_LOG_PLAIN, level, format, ##__VA_ARGS__)

/**
 * hft_log_audit() - log to the audit ring of the calling thread
 * @level: as in hft_log(), for who reads it: none is left out
 * @format: likewise
 * @...: likewise
 *
 * Return: as hft_log().  What it has answered 0 for is not lost.
 */
#define hft_log_audit(level, format, ...)					\
	HFT_LOG_PRINT(HFT_LOG_AUDIT, level, format, ##__VA_ARGS__)

#define HFT_LOG_PRINT(lane, level, format, ...)					\
	__extension__({								\
		static const char hft_log_types_[] = {				\
			HFT_LOG_EACH(HFT_LOG_LETTER, ##__VA_ARGS__) 0		\
		};								\
		HFT_LOG_SITE(hft_log_site_, "" format, NULL, NULL, hft_log_types_,	\
			     HFT_LOG_SUBSYSTEM, level, lane);			\
		int hft_log_error_ = 0;						\
										\
		if (0)								\
			hft_log_check(format, ##__VA_ARGS__);			\
		if (HFT_LOG_IS_WANTED(lane, &hft_log_site_, level))		\
			HFT_LOG_WRITE(hft_log_error_, lane, &hft_log_site_,	\
				      HFT_LOG_TAKE, ##__VA_ARGS__);		\
		hft_log_error_;							\
	})

/**
 * HFT_LOG_EVENT() - make a function that logs an event with named fields
 * @function: its name
 * @subsystem: a literal
 * @name: of the event, a literal
 * @level: &enum hft_log_level
 * @lane: %HFT_LOG_PLAIN or %HFT_LOG_AUDIT
 * @...: its arguments, 1 to 64 pairs: (u64, name), or i64, double, string, pointer (shown in
 *	hex), task (the id of a task), class (of a task), symbol (a string, an instrument's),
 *	stamp (ns of CLOCK_MONOTONIC)
 *
 * The function answers as hft_log(), and its place is where this is.
 */
#define HFT_LOG_EVENT(function, subsystem, name, level, lane, ...)		\
	static inline int function(HFT_LOG_LIST(HFT_LOG_PARAMETER, __VA_ARGS__))	\
	{									\
		static const char hft_log_types_[] = {				\
			HFT_LOG_EACH(HFT_LOG_TYPE, __VA_ARGS__) 0		\
		};								\
		HFT_LOG_SITE(hft_log_site_, NULL, name,				\
			     HFT_LOG_EACH(HFT_LOG_FIELD, __VA_ARGS__), hft_log_types_,	\
			     subsystem, level, lane);				\
		int hft_log_error_ = 0;						\
										\
		if (HFT_LOG_IS_WANTED(lane, &hft_log_site_, level))		\
			HFT_LOG_WRITE(hft_log_error_, lane, &hft_log_site_,	\
				      HFT_LOG_TAKE_PAIR, __VA_ARGS__);		\
		return hft_log_error_;						\
	}

/**
 * struct hft_log_opts - options of a log; zero is the default of each
 * @sz: of the struct
 * @flags: zero
 * @policy: &enum hft_log_policy, of plain rings
 * @ring_bytes: of a plain ring, rounded up to a power of two; 64 KiB to 1 GiB, default 4 MiB
 * @audit_bytes: the same, of an audit ring; default 1 MiB
 * @block_ns: how long a call waits for room, where it does; default 1 s
 * @idle_ns: the drainer looks after so long at the latest; default 20 ms
 * @ring_dir: the folder that rings are in, which must be on a tmpfs: a folder of the log's
 *	own is made there; default /dev/shm
 * @cpus: of the log's threads, as "0,2-3"; default: those that the process had when it began
 *	and that are neither isolated nor nohz_full, nor those that the thread which opens the log,
 *	or one that has rings, is bound to alone; where none is left, of the former,
 *	%HFT_LOG_STORE_CPUS says so
 * @store: how files are written; NULL: the defaults
 * @clock_interval_ns: between records of what the clocks are worth, 100 ms to 10 s; default 10 s
 * @clock_bound_ns: that a time may be from UTC before that is told of; default 100 us, as RTS 25
 *	has it for trading at high frequency
 * @ptp: a PTP clock to compare the kernel's with, as "/dev/ptp1"; default: the first that may
 *	be read, if there is one
 */
struct hft_log_opts {
	size_t sz;
	uint32_t flags;
	uint32_t policy;
	uint64_t ring_bytes;
	uint64_t audit_bytes;
	uint64_t block_ns;
	uint64_t idle_ns;
	const char *ring_dir;
	const char *cpus;
	const struct hft_log_store_opts *store;
	uint64_t clock_interval_ns;
	uint64_t clock_bound_ns;
	const char *ptp;
};

/**
 * struct hft_log_thread_opts - of the rings of a thread; zero is what the log has
 * @sz: of the struct
 * @policy: &enum hft_log_policy, of its plain ring
 * @sync: &enum hft_log_sync, of what that ring's records become on the disk
 * @audit_sync: the same, of its audit ring
 * @reserved: zero
 * @ring_bytes: of its plain ring, as &hft_log_opts.ring_bytes
 * @audit_bytes: of its audit ring
 * @block_ns: how long a call waits for room, where it does
 */
struct hft_log_thread_opts {
	size_t sz;
	uint32_t policy;
	uint32_t sync;
	uint32_t audit_sync;
	uint32_t reserved;
	uint64_t ring_bytes;
	uint64_t audit_bytes;
	uint64_t block_ns;
};

/**
 * struct hft_log_stats - how a log is doing
 * @sz: of the struct
 * @rings: that there are
 * @sites: places that are known
 * @bytes: of records that were taken from rings
 * @lost: records that rings have lost: not written, or overwritten
 * @timeouts: calls that waited too long, which are of @lost
 * @trouble: of the disk
 */
struct hft_log_stats {
	size_t sz;
	uint32_t rings;
	uint32_t sites;
	uint64_t bytes;
	uint64_t lost;
	uint64_t timeouts;
	struct hft_log_trouble trouble;
};

/**
 * enum hft_log_state - of a log and its rings
 * @HFT_LOG_CLOSED: all is in files
 * @HFT_LOG_LIVES: its process writes, or somebody recovers or repairs it
 * @HFT_LOG_LEFT: its process has ended, and what its rings have is not in files: see
 *	hft_log_recover()
 * @HFT_LOG_AWAY: the same, and the rings are not to be seen here: they are another container's,
 *	or somebody has removed them
 * @HFT_LOG_GONE: the same, and the rings have gone with the machine, which was switched off; of
 *	rings: their log has gone
 */
enum hft_log_state {
	HFT_LOG_CLOSED,
	HFT_LOG_LIVES,
	HFT_LOG_LEFT,
	HFT_LOG_AWAY,
	HFT_LOG_GONE,
};

/**
 * struct hft_log_info - a log as others see it
 * @sz: of the struct
 * @pid: of the process that writes, or wrote, it
 * @open: it does, or was killed: it has rings
 * @program: its name
 * @ring_dir: the folder of its rings
 * @trouble: of the disk; zeroes where there was none since it was opened
 * @state: &enum hft_log_state
 * @reserved: 0
 */
struct hft_log_info {
	size_t sz;
	uint32_t pid;
	uint32_t open;
	char program[64];
	char ring_dir[256];
	struct hft_log_trouble trouble;
	uint32_t state;
	uint32_t reserved;
};

/**
 * struct hft_log_left_info - rings whose process has ended
 * @ring_dir: the folder that they are in
 * @dir: that of their log; NULL: it is not known
 * @state: %HFT_LOG_LEFT: the log is there; %HFT_LOG_GONE: it is not, or it is another one;
 *	%HFT_LOG_AWAY: it is not known
 * @pid: of the process; 0: there is no ring
 * @rings: how many
 * @reserved: 0
 * @used_bytes: of records that may not be in files
 */
struct hft_log_left_info {
	const char *ring_dir;
	const char *dir;
	uint32_t state;
	uint32_t pid;
	uint32_t rings;
	uint32_t reserved;
	uint64_t used_bytes;
};

/**
 * struct hft_log_ring_info - a ring as others see it
 * @stream: its number in the log
 * @tid: of its thread
 * @cpu: that it was bound to, or -1
 * @thread: its name
 * @lane: &enum hft_log_lane
 * @policy: &enum hft_log_policy
 * @done: its thread has ended
 * @reserved: 0
 * @bytes: of its room
 * @used_bytes: of records that are not in files
 * @records: that were logged, and lost
 * @lost: records of these that were not written, and not read before they were overwritten
 * @timeouts: calls that waited too long
 */
struct hft_log_ring_info {
	uint64_t stream;
	uint32_t tid;
	int32_t cpu;
	char thread[16];
	uint32_t lane;
	uint32_t policy;
	uint32_t done;
	uint32_t reserved;
	uint64_t bytes;
	uint64_t used_bytes;
	uint64_t records;
	uint64_t lost;
	uint64_t timeouts;
};

/**
 * struct hft_log_site_info - a place that logs as others see it
 * @id: in its records
 * @level: &enum hft_log_level
 * @enabled: its records are wanted
 * @line: in @file
 * @subsystem: of the program
 * @name: of a typed event; NULL: it has a format
 * @format: as of printf(), or NULL
 * @file: of the source
 * @lane: &enum hft_log_lane
 * @reserved: 0
 */
struct hft_log_site_info {
	uint32_t id;
	uint32_t level;
	uint32_t enabled;
	uint32_t line;
	const char *subsystem;
	const char *name;
	const char *format;
	const char *file;
	uint32_t lane;
	uint32_t reserved;
};

typedef int (*hft_log_ring_fn)(void *arg, const struct hft_log_ring_info *ring);
typedef int (*hft_log_left_fn)(void *arg, const struct hft_log_left_info *left);
typedef int (*hft_log_site_fn)(void *arg, const struct hft_log_site_info *site);

#define HFT_LOG_FLUSH_SYNC	(1U << 0)	/* and survives a loss of power */

int hft_log_open(struct hft_log **log, const char *dir, const struct hft_log_opts *opts);
int hft_log_close(struct hft_log *log);
int hft_log_thread(struct hft_log *log, const struct hft_log_thread_opts *opts);
int hft_log_flush(struct hft_log *log, uint32_t flags, uint64_t timeout_ns);
int hft_log_set_level(struct hft_log *log, const char *pattern, int level);
int hft_log_stats(struct hft_log *log, struct hft_log_stats *stats);
int hft_log_recover(const char *dir, const struct hft_log_store_opts *opts);
int hft_log_left(const char *parent, hft_log_left_fn fn, void *arg);
int hft_log_left_remove(const char *ring_dir);
int hft_log_control(const char *dir, const char *pattern, int level);
int hft_log_look(const char *dir, struct hft_log_info *info);
int hft_log_rings(const char *dir, hft_log_ring_fn fn, void *arg);
int hft_log_sites(const char *dir, hft_log_site_fn fn, void *arg);
int hft_log_write(struct hft_log_site *site, enum hft_log_lane lane, uint64_t stamp,
		  const void *arguments, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* HFT_LOG_H */
