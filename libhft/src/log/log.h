/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log of the process: what its files share. */
#ifndef HFT_LOG_INTERNAL_H
#define HFT_LOG_INTERNAL_H

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <hft/log.h>

#include "../engine/internal.h"
#include "control.h"
#include "evidence.h"
#include "ring.h"
#include "store.h"

#define LOG_NS_PER_S		1000000000ull
#define LOG_RING_PARENT		"/dev/shm"

/*
 * How long closing waits at a time, for calls that are under way and a disk that takes nothing:
 * anew when a record was taken from a ring, and once more to seal the last chunk where all but
 * a call has ended.  Recovery waits so long for each ring, and for the store's end.
 */
#define LOG_CLOSE_NS		(10 * LOG_NS_PER_S)

enum log_phase {
	LOG_STARTS,
	LOG_RUNS,
	LOG_FAILED,
	LOG_ENDS,		/* it is being closed */
	LOG_ENDED,		/* and has been: nobody is answered any more */
};

/**
 * struct log_flush - what a thread waits for, one at a time
 * @wanted: there is one
 * @begun: the drainer knows where rings end
 * @sync: to the disk
 * @until: the time is over then, CLOCK_MONOTONIC, ns
 * @err: the answer
 */
struct log_flush {
	bool wanted;
	bool begun;
	bool sync;
	uint64_t until;
	int err;
};

/**
 * struct hft_log - a log
 * @opts: no longer zero where that is a default; its pointers are not valid
 * @dir: its folder
 * @ring_dir: that of its rings
 * @ring_fd: it, locked as long as the process lives; -1: it is not there yet
 * @control: what is in the log's control file; rules are under @lock, see control_keep.c
 * @control_fd: the file
 * @rules_over: they are followed no more; under @lock
 * @is_open: it says that there may be rings
 * @last_stream: it says that no ring has a higher number
 * @origin: whose it is
 * @program: name of the process
 * @cpus: of the log's threads, see cpus.c
 * @cpus_given: by its options
 * @crowded: they are those of others, too
 * @opener_cpu: that the thread which has opened it was bound to, or -1
 * @streams: the last number of a ring that was given; under the lock of thread.c
 * @users: calls that need it to stay; under the lock of thread.c
 * @incoming: rings that the drainer has not seen
 * @lock: under which are @phase, @flush, @error, @err
 * @changed: one of these is
 * @phase: of the drainer
 * @flush: what is waited for
 * @flush_chunk: the newest chunk when the drainer began with that
 * @error: why the drainer has failed
 * @err: what closing answers
 * @kept: rings are left that were not all written
 * @flushing: one thread at a time
 * @thread: the drainer's
 * @store_opts: until it has begun
 * @store: where records go; this and what follows is the drainer's
 * @queues: of rings
 * @queues_end: where the next one is put
 * @told: sites that the store knows
 * @control_next: when to look at the control file
 * @control_path_next: when to look whether it is still there
 * @control_failed: why it could not be restored; 0: it has been, or had not to be
 * @trouble: of the disk, as the log's own stream has it
 * @trouble_next: when to write it to the file again
 * @trouble_unsaid: the file does not have it
 * @look: when to look at the clocks
 * @evidence: of what they show
 * @clock: that stamps are of
 * @records: taken; what follows is written by the drainer and read by others
 * @bytes: of these
 * @rings: that there are
 * @lost: of rings
 * @timeouts: likewise
 */
struct hft_log {
	struct hft_log_opts opts;
	char dir[PATH_MAX];
	char ring_dir[LOG_CONTROL_PATH];
	int ring_fd;
	struct log_control control;
	int control_fd;
	bool rules_over;
	atomic_bool is_open;
	_Atomic uint64_t last_stream;
	struct hft_log_store_origin origin;
	char program[64];
	cpu_set_t cpus;
	bool cpus_given;
	bool crowded;
	int32_t opener_cpu;
	uint64_t streams;
	unsigned int users;
	_Atomic(struct log_queue *) incoming;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum log_phase phase;
	struct log_flush flush;
	uint32_t flush_chunk;
	struct hft_error error;
	int err;
	bool kept;
	pthread_mutex_t flushing;
	pthread_t thread;
	const struct hft_log_store_opts *store_opts;
	struct hft_log_store *store;
	struct log_queue *queues;
	struct log_queue **queues_end;
	unsigned int told;
	uint64_t control_next;
	uint64_t control_path_next;
	int control_failed;
	struct hft_log_trouble trouble;
	uint64_t trouble_next;
	bool trouble_unsaid;
	uint64_t look;
	struct hft_log_evidence *evidence;
	_Atomic uint64_t bytes;
	_Atomic uint32_t rings;
	_Atomic uint64_t lost;
	_Atomic uint64_t timeouts;
};

/*
 * control_keep.c: what the process says in its control file; and it is restored by the drainer,
 * which looks at it now and then, when somebody has damaged or removed it.
 */
int log_control_say_open(struct hft_log *log, bool open);
void log_control_say_streams(struct hft_log *log, uint64_t streams);
void log_control_say_clock(struct hft_log *log);
void log_control_look(struct hft_log *log, uint64_t now);

/*
 * The process's sites follow the rules in the control file; who writes them now is waited for, for
 * a moment: else the drainer follows later.  log_end_rules(): for the last time.
 */
void log_follow_rules(struct hft_log *log);
void log_end_rules(struct hft_log *log);

/* log.c */
int log_begin_control(struct hft_log *log);
int log_make_uuid(uint8_t uuid[16]);

/* What a ring of so many bytes has; 0: of @usual.  -EINVAL: too many. */
int log_round_ring(uint64_t *bytes, uint64_t usual);

/*
 * thread.c: the log that calls go to.
 *
 * log_current_take(): it is so no longer, and the caller closes it; @log: NULL, or only if it is
 * this one.  NULL: it is not, or there is none.  Waits for another thread that closes it.
 * log_current_wait(): for those that use it.  log_current_closed(): it is gone.
 *
 * log_get(): it stays until log_put(), if it is open.
 */
int log_current_set(struct hft_log *log);
struct hft_log *log_current(void);
struct hft_log *log_current_take(const struct hft_log *log);
void log_current_wait(const struct hft_log *log);
void log_current_closed(void);
bool log_get(struct hft_log *log);
void log_put(struct hft_log *log);

/*
 * cpus.c: log_cpus_join(), of a thread that has a ring now and is bound to @cpu, is for the
 * drainer, and so is log_cpus_tell().
 */
int log_cpus_choose(struct hft_log *log);
void log_cpus_tell(struct hft_log *log);
void log_cpus_join(struct hft_log *log, int32_t cpu);

/* drainer.c */
int log_store_add_ring(struct hft_log_store *store, const struct log_queue *queue);
void *log_drainer_run(void *log);

/*
 * flush.c, for the drainer: a thread asks for a flush, which is of what there is when it begins:
 * of all rings that were made before, so that the drainer has to have taken these.  When it is
 * over its thread is told.
 */
bool log_flush_is_asked(struct hft_log *log);
void log_flush_begin(struct hft_log *log);
void log_flush_look(struct hft_log *log, uint64_t now);

/*
 * trouble.c: the drainer looks at what the disk does not do; others find it in a file beside the
 * rings, which is removed with them.  log_trouble_read(): zeroes where there was nothing.
 */
#define LOG_TROUBLE	"trouble"

extern const struct hft_log_store_site log_trouble_site;

void log_trouble_look(struct hft_log *log, uint64_t now);
void log_trouble_remove(int ring_fd);
int log_trouble_read(const char *ring_dir, struct hft_log_trouble *trouble);

/* rules.c: the drainer records changes of rules; those of a log before this one are not its */
extern const struct hft_log_store_site log_rules_site;

/* Returns false: there was room for some only, and others wait. */
bool log_rules_look(struct hft_log *log);
void log_rules_forget(void);

/* log_clock.c: which boot of the machine this is; "": it can not be had */
void log_boot(char boot[40]);

/* @tsc: of the TSC; errors as hft_fail() has them */
int log_clock_measure(struct hft_log_store_clock *clock, bool tsc);

/*
 * Who writes to a store calls these now and then: @clock is measured anew when it is off, true
 * then, at @look at the earliest; evidence goes to its stream.
 */
bool log_clock_look(struct hft_log_store *store, struct hft_log_store_clock *clock, uint64_t *look,
		    uint64_t now);
int log_evidence_start(struct hft_log_store *store, struct hft_log_evidence *evidence);
void log_evidence_look(struct hft_log_store *store, struct hft_log_evidence *evidence,
		       const struct hft_log_store_clock *clock, uint64_t now);

#endif /* HFT_LOG_INTERNAL_H */
