// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The drainer: takes whole records of all rings to the store, and lets a ring have its room
 * again when they are in files.
 *
 * It looks in intervals, which are longer while there is nothing, and is woken by who finds
 * its ring half full.  A disk in trouble is not waited for: rings fill, and their policies
 * say what happens then.
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../futex.h"
#include "log.h"
#include "../options.h"
#include "own.h"

#define LEAST_SLEEP_NS	1000000ull
#define QUIET_LOOK_NS	50000		/* closing: is a call under way? */
#define BUSY_BYTES	(64u << 10)	/* more in one turn: the next at once */
#define TURN_BYTES	(1 << 20)	/* of a ring in one turn: more than a record has */
#define TURN_FULL	(TURN_BYTES - HFT_LOG_RECORD_MAX)	/* there may be no room for one */

_Static_assert(TURN_BYTES > HFT_LOG_RECORD_MAX, "a record fits");

/* Of the one drainer that there is */
static _Atomic uint32_t wakes;
static _Atomic uint32_t sleeping;

void log_drainer_wake(void)
{
	if (!atomic_load(&sleeping))
		return;
	atomic_fetch_add(&wakes, 1);
	hft_futex_wake(&wakes, 1);
}

void log_sites_changed(void)
{
	log_drainer_wake();
}

/* Each once, also where the next one can not be told of now. */
static int tell_site(void *arg, const struct hft_log_store_site *site)
{
	struct hft_log *log = arg;
	int err = hft_log_store_site_add(log->store, site);

	log->told += !err;
	return err;
}

/* A site is known before its records are in a ring: after a look at the ring they all are. */
static int tell_sites(struct hft_log *log)
{
	int nr;

	if (log_sites_count() == log->told)
		return 0;
	nr = log_sites_visit(log->told, tell_site, log);
	return nr < 0 ? nr : 0;
}

int log_store_add_ring(struct hft_log_store *store, const struct log_queue *queue)
{
	const struct hft_log_ring *ring = queue->ring;
	const struct hft_log_store_stream stream = {
		.id = queue->stream,
		.tid = ring->tid,
		.cpu = ring->cpu,
		.thread = ring->thread,
		.policy = log_policy_name(queue->audit ? HFT_LOG_AUDIT : HFT_LOG_PLAIN,
					  queue->policy),
		.sync = queue->sync,
		.ring_bytes = queue->bytes,
		.audit = queue->audit,
	};

	return hft_log_store_stream_add(store, &stream);
}

static int add_queue(struct hft_log *log, struct log_queue *queue)
{
	int err = log_store_add_ring(log->store, queue);

	if (err)
		return err;
	queue->next = NULL;
	*log->queues_end = queue;
	log->queues_end = &queue->next;
	atomic_fetch_add(&log->rings, 1);
	log_cpus_join(log, queue->ring->cpu);
	return 0;
}

/* Those that can not be added now are tried again: why one could not. */
static int take_incoming(struct hft_log *log)
{
	struct log_queue *queue = atomic_exchange(&log->incoming, NULL), *next;
	int err, failed = 0;

	for (; queue; queue = next) {
		next = queue->next;
		err = add_queue(log, queue);
		if (!err)
			continue;
		failed = err;
		queue->next = atomic_load(&log->incoming);
		while (!atomic_compare_exchange_weak(&log->incoming, &queue->next, queue))
			;
	}
	return failed;
}

/* That *@link points to. */
static void remove_queue(struct hft_log *log, struct log_queue **link)
{
	struct log_queue *queue = *link;

	*link = queue->next;
	if (!queue->next)
		log->queues_end = link;
	atomic_fetch_sub(&log->rings, 1);
	unlinkat(log->ring_fd, queue->name, 0);
	log_queue_put(queue);
}

/* What the ring counts, as far as it was not counted before. */
static void count(struct hft_log *log, struct log_queue *queue)
{
	uint64_t lost = __atomic_load_n(&queue->ring->lost, __ATOMIC_RELAXED) +
			queue->ring->overwritten;
	uint64_t timeouts = __atomic_load_n(&queue->ring->timeouts, __ATOMIC_RELAXED);

	log->lost += lost - queue->counted_lost;
	log->timeouts += timeouts - queue->counted_timeouts;
	queue->counted_lost = lost;
	queue->counted_timeouts = timeouts;
}

/* Returns how many bytes the store took, or a negative errno. */
static int64_t drain(struct hft_log *log, struct log_queue *queue)
{
	const void *records;
	int64_t bytes, took;
	int err;

	bytes = log_queue_read(queue, &records);
	if (bytes <= 0)
		return bytes;
	if (bytes > TURN_BYTES)
		bytes = TURN_BYTES;
	/* There is no memory for a site: records of others are taken all the same. */
	err = tell_sites(log);
	took = hft_log_store_append(log->store, queue->stream, records, (size_t)bytes,
				    log_queue_lost(queue, records, (size_t)bytes));
	if (took > 0) {
		log_queue_take(queue, (size_t)took);
		log->bytes += (uint64_t)took;
	}
	return took == -EBADMSG && err ? err : took;
}

/* Something wrote where it should not have: the file stays, and its thread gets a new ring. */
static void give_up(struct hft_log *log, struct log_queue *queue)
{
	log_ring_close(queue->ring);
	queue->broken = true;
	hft_log_store_stream_end(log->store, queue->stream);
	queue->ended = true;
}

static bool is_over(const struct log_queue *queue)
{
	return __atomic_load_n(&queue->ring->done, __ATOMIC_ACQUIRE) &&
	       log_queue_is_empty(queue);
}

/* The store has all of it, and has written it. */
static bool is_written(const struct hft_log *log, const struct log_queue *queue)
{
	return log_queue_is_empty(queue) &&
	       hft_log_store_written(log->store, queue->stream) == queue->given;
}

/* Returns how many bytes were taken. */
static uint64_t serve(struct hft_log *log, struct log_queue *queue)
{
	int64_t took = drain(log, queue);

	if (took == -EBADMSG)
		give_up(log, queue);
	log_queue_free(queue, hft_log_store_written(log->store, queue->stream));
	count(log, queue);
	if (!queue->ended && is_over(queue))
		queue->ended = !hft_log_store_stream_end(log->store, queue->stream);
	return took > 0 ? (uint64_t)took : 0;
}

static uint64_t serve_audit(struct hft_log *log)
{
	struct log_queue *queue;
	uint64_t sum = 0;

	for (queue = log->queues; queue; queue = queue->next) {
		if (queue->audit && !queue->broken)
			sum += serve(log, queue);
	}
	return sum;
}

static void remove_ended(struct hft_log *log)
{
	struct log_queue **link = &log->queues, *queue;

	while ((queue = *link)) {
		if (queue->ended && !queue->broken && is_written(log, queue) &&
		    !hft_log_store_stream_forget(log->store, queue->stream))
			remove_queue(log, link);
		else
			link = &queue->next;
	}
}

/* Who was last is not always last. */
static void rotate(struct hft_log *log)
{
	struct log_queue *first = log->queues;

	if (!first || !first->next)
		return;
	log->queues = first->next;
	first->next = NULL;
	*log->queues_end = first;
	log->queues_end = &first->next;
}

/*
 * Calls for an audit ring wait when it is full: it is served first, and again when others
 * were given as much as one may be.  A disk that is slow gives back few buffers at a time,
 * which one plain ring that is always full would have else.
 */
static uint64_t turn(struct hft_log *log)
{
	struct log_queue *queue;
	uint64_t sum, others = 0;

	take_incoming(log);
	sum = serve_audit(log);
	for (queue = log->queues; queue; queue = queue->next) {
		if (queue->audit || queue->broken)
			continue;
		others += serve(log, queue);
		if (others < TURN_FULL)
			continue;
		sum += others + serve_audit(log);
		others = 0;
	}
	sum += others;
	remove_ended(log);
	rotate(log);
	return sum;
}

static void sleep_until(uint64_t until)
{
	uint32_t value = atomic_load(&wakes);

	hft_futex_sleep(&wakes, value, until);
	atomic_store(&sleeping, 0);
}

static bool is_ending(struct hft_log *log)
{
	bool ends;

	pthread_mutex_lock(&log->lock);
	ends = log->phase == LOG_ENDS;
	pthread_mutex_unlock(&log->lock);
	return ends;
}

static bool has_request(struct hft_log *log)
{
	bool has;

	pthread_mutex_lock(&log->lock);
	has = log->phase == LOG_ENDS || log->flush.wanted;
	pthread_mutex_unlock(&log->lock);
	return has;
}

/* What the log says of itself.  Returns whether the store has all of it. */
static bool tell(struct hft_log *log, uint64_t now)
{
	bool all;

	log_trouble_look(log, now);
	all = log_rules_look(log);
	log_evidence_look(log->store, log->evidence, &log->origin.clock, now);
	return all && !hft_log_evidence_own(log->evidence)->used;
}

static void run(struct hft_log *log)
{
	uint64_t interval = LEAST_SLEEP_NS, now, next, taken;

	while (!is_ending(log)) {
		if (log_flush_is_asked(log) && !take_incoming(log))
			log_flush_begin(log);
		taken = turn(log);
		now = hft_log_monotonic();
		next = hft_log_store_poll(log->store, now);
		log_control_look(log, now);
		if (log_clock_look(log->store, &log->origin.clock, &log->look, now))
			log_control_say_clock(log);
		tell(log, now);
		log_flush_look(log, now);
		interval = taken ? LEAST_SLEEP_NS : 2 * interval;
		if (interval > log->opts.idle_ns)
			interval = log->opts.idle_ns;
		if (taken >= BUSY_BYTES)
			continue;
		atomic_store(&sleeping, 1);
		if (has_request(log))
			interval = LEAST_SLEEP_NS;
		sleep_until(next < now + interval ? next : now + interval);
	}
}

/* In all threads of the process: what they had begun before is over, or sees it. */
static void barrier(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

static bool is_sealed(const struct log_queue *queue)
{
	return queue->broken || queue->ring->closed == LOG_RING_SEALED;
}

/* Those that could not be added before, too.  Returns false: some are left. */
static bool seal_rings(struct hft_log *log)
{
	struct log_queue *queue;
	bool all = true;

	for (queue = log->queues; queue; queue = queue->next) {
		if (is_sealed(queue))
			continue;
		if (!queue->ring->closed)
			log_ring_close(queue->ring);
		log_ring_poison(queue->ring);
		all = false;
	}
	if (all)
		return true;
	barrier();
	all = true;
	for (queue = log->queues; queue; queue = queue->next)
		all &= is_sealed(queue) || log_ring_seal(queue->ring);
	return all;
}

/* Is all that was logged in files?  Where nobody writes any more, losses are told. */
static bool is_drained(struct hft_log *log)
{
	struct log_queue *queue;
	bool drained = !atomic_load(&log->incoming);

	for (queue = log->queues; queue; queue = queue->next) {
		if (queue->broken)
			continue;
		if (!log_ring_is_quiet(queue->ring))
			drained = false;
		else
			log_ring_finish(queue->ring);
		drained &= log_queue_is_empty(queue);
	}
	return drained;
}

static uint64_t time_until(uint64_t end)
{
	uint64_t now = hft_log_monotonic();

	return now < end ? end - now : 0;
}

/* @end: answered: when the disk has had enough time */
static int finish_rings(struct hft_log *log, uint64_t *end)
{
	const struct timespec pause = { .tv_nsec = QUIET_LOOK_NS };
	bool sealed;

	*end = hft_log_monotonic() + LOG_CLOSE_NS;
	for (;;) {
		sealed = seal_rings(log);
		/* As long as there is room for some of it, the disk is only slow. */
		if (turn(log))
			*end = hft_log_monotonic() + LOG_CLOSE_NS;
		hft_log_store_poll(log->store, hft_log_monotonic());
		tell(log, hft_log_monotonic());
		if (sealed && is_drained(log))
			return 0;
		if (!time_until(*end))
			return hft_fail(ETIMEDOUT, "the files of %s take no more, or a call of a "
					"thread does not end", log->dir);
		nanosleep(&pause, NULL);
	}
}

/* When no call is under way, and no rule is followed any more: nothing comes behind this. */
static int tell_last(struct hft_log *log, uint64_t end)
{
	const struct timespec pause = { .tv_nsec = QUIET_LOOK_NS };

	log_end_rules(log);
	while (!tell(log, hft_log_monotonic())) {
		if (!time_until(end))
			return hft_fail(ETIMEDOUT, "the files of %s take no more", log->dir);
		hft_log_store_poll(log->store, hft_log_monotonic());
		nanosleep(&pause, NULL);
	}
	return 0;
}

static bool has_broken(const struct hft_log *log)
{
	const struct log_queue *queue = log->queues;

	while (queue && !queue->broken)
		queue = queue->next;
	return queue;
}

/*
 * Those that the store had no memory for: the calls of their threads are told that the log is
 * closed, and what is in them stays there.
 */
static void close_incoming(struct hft_log *log)
{
	struct log_queue *queue = atomic_exchange(&log->incoming, NULL), *next;

	for (; queue; queue = next) {
		next = queue->next;
		log_ring_close(queue->ring);
		log_queue_put(queue);
	}
}

static bool all_is_written(const struct hft_log *log)
{
	const struct log_queue *queue = log->queues;

	while (queue && (queue->broken || is_written(log, queue)))
		queue = queue->next;
	return !queue;
}

/* What comes behind an error may fail, too: the reason is the first one's. */
static int keep_error(struct hft_error *why, int err)
{
	if (err)
		hft_save_error(why);
	return err;
}

/* @end: answered, as by finish_rings() */
static int finish_files(struct hft_log *log, uint64_t *end, struct hft_error *why)
{
	struct hft_error tell_why;
	int err = keep_error(why, finish_rings(log, end));
	int tell_err = keep_error(&tell_why, tell_last(log, *end));

	if (!err)
		err = keep_error(why, hft_log_store_flush(log->store, false, time_until(*end)));
	if (!err && tell_err) {
		err = tell_err;
		*why = tell_why;
	}
	if (err && all_is_written(log))
		*end = hft_log_monotonic() + LOG_CLOSE_NS;
	if (!err && has_broken(log))
		err = keep_error(why, hft_fail(EBADMSG, "a ring of %s can not be read to its end",
					       log->dir));
	return err;
}

/*
 * What is not in files stays in its ring, for hft_log_recover().  Where a call did not end, and
 * the disk has taken all, there is time to seal the last chunk.
 */
static int finish(struct hft_log *log)
{
	struct log_queue *queue;
	struct hft_error why;
	uint64_t end;
	int err, next;

	take_incoming(log);
	log->control_next = 0;
	log->control_path_next = 0;
	log_control_look(log, hft_log_monotonic());
	err = finish_files(log, &end, &why);
	log->kept = atomic_load(&log->incoming);
	for (queue = log->queues; queue; queue = queue->next)
		log->kept |= queue->broken || !log_ring_is_quiet(queue->ring) ||
			     !is_written(log, queue);
	close_incoming(log);
	next = hft_log_store_close(log->store, time_until(end));
	if (!err)
		err = keep_error(&why, next);
	while ((queue = log->queues)) {
		if (log->kept) {
			log->queues = queue->next;
			log_queue_put(queue);
		} else {
			remove_queue(log, &log->queues);
		}
	}
	next = log->kept ? 0 : log_control_say_open(log, false);
	if (!err)
		err = keep_error(&why, next);
	if (err)
		hft_take_error(&why);
	return err;
}

/* Signals are for the program's threads.  Threads of the store are made where this one runs. */
static int settle(struct hft_log *log)
{
	sigset_t all;

	hft_store_is_thread = true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "hft-log");
	syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
	if (sched_setaffinity(0, sizeof(log->cpus), &log->cpus))
		return hft_fail(errno, "run threads of the log on the CPUs that they are to have");
	return 0;
}

static void tell_phase(struct hft_log *log, enum log_phase phase)
{
	pthread_mutex_lock(&log->lock);
	if (phase == LOG_FAILED)
		hft_save_error(&log->error);
	if (log->phase == LOG_STARTS)
		log->phase = phase;
	pthread_cond_broadcast(&log->changed);
	pthread_mutex_unlock(&log->lock);
}

/* Who waits for a flush has its answer in what closing answers. */
static void tell_end(struct hft_log *log)
{
	pthread_mutex_lock(&log->lock);
	log->phase = LOG_ENDED;
	pthread_cond_broadcast(&log->changed);
	pthread_mutex_unlock(&log->lock);
}

static int start(struct hft_log *log)
{
	const struct hft_log_evidence_opts clocks = {
		.interval_ns = log->opts.clock_interval_ns,
		.bound_ns = log->opts.clock_bound_ns,
		.ptp = log->opts.ptp,
	};
	int err = hft_log_evidence_open(&log->evidence, &clocks);

	if (!err)
		err = hft_log_store_open(&log->store, log->dir, &log->origin, log->store_opts);
	if (err)
		return err;
	hft_log_store_run_on(log->store, &log->cpus);
	err = log_evidence_start(log->store, log->evidence);
	if (!err)
		err = log_begin_control(log);
	log_rules_forget();
	if (err)
		hft_log_store_close(log->store, LOG_CLOSE_NS);
	return err;
}

void *log_drainer_run(void *arg)
{
	struct hft_log *log = arg;

	if (settle(log) || start(log)) {
		hft_log_evidence_close(log->evidence);
		tell_phase(log, LOG_FAILED);
		return NULL;
	}
	log_cpus_tell(log);
	tell_phase(log, LOG_RUNS);
	run(log);
	log->err = finish(log);
	hft_save_error(&log->error);
	hft_log_evidence_close(log->evidence);
	tell_end(log);
	return NULL;
}
