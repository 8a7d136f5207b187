// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Threads and their rings: made at the first call, given back at the thread's end, not had
 * by children of the process.
 *
 * A handler may come while its thread makes a ring, lets one go, or has the lock: @inside.
 * Nothing is asked of malloc().
 *
 * A handler may find its ring closed when it has interrupted a call that is about to look
 * into that ring: it stays mapped, as @left, until the next one is let go.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "../api.h"
#include "log.h"
#include "../options.h"

HFT_API __thread struct hft_log_ring *hft_log_self[HFT_LOG_LANES]
	__attribute__((tls_model("initial-exec")));

static __thread struct log_queue *queues[HFT_LOG_LANES];
static __thread struct log_queue *left[HFT_LOG_LANES];
static __thread bool inside;

static pthread_mutex_t current_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t current_changed = PTHREAD_COND_INITIALIZER;
static _Atomic(struct hft_log *) current;
static struct hft_log *closing;
static pthread_key_t exit_key;
static int start_err;

static void enter(void)
{
	inside = true;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void leave(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	inside = false;
}

static void detach(unsigned int lane)
{
	struct log_queue *queue = queues[lane], *before = left[lane];

	hft_log_self[lane] = NULL;
	queues[lane] = NULL;
	if (!queue)
		return;
	left[lane] = queue;
	if (before)
		log_queue_put(before);
}

/* The ring that the caller has looked at; a handler may have let it go, and made the next. */
int log_thread_leave(unsigned int lane, const struct hft_log_ring *ring)
{
	if (inside)
		return -EBUSY;
	enter();
	if (hft_log_self[lane] == ring)
		detach(lane);
	leave();
	return -ESHUTDOWN;
}

/* A handler must not find a ring of which the drainer is told that nothing more comes. */
static void end_ring(unsigned int lane)
{
	struct log_queue *queue = queues[lane];

	hft_log_self[lane] = NULL;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	queues[lane] = NULL;
	if (!queue)
		return;
	log_ring_end(queue->ring);
	log_queue_put(queue);
}

static void forget_left(unsigned int lane)
{
	if (left[lane])
		log_queue_put(left[lane]);
	left[lane] = NULL;
}

static void thread_exits(void *unused)
{
	unsigned int lane;

	(void)unused;
	enter();
	for (lane = 0; lane < HFT_LOG_LANES; lane++) {
		end_ring(lane);
		forget_left(lane);
	}
	leave();
	log_drainer_wake();
}

static void lock_current(void)
{
	enter();
	pthread_mutex_lock(&current_lock);
}

static void unlock_current(void)
{
	pthread_mutex_unlock(&current_lock);
	leave();
}

static void before_fork(void)
{
	lock_current();
	log_sites_lock();
}

static void in_parent(void)
{
	log_sites_unlock();
	unlock_current();
}

/* The rings are not mapped here. */
static void in_child(void)
{
	memset(hft_log_self, 0, sizeof(hft_log_self));
	memset(queues, 0, sizeof(queues));
	memset(left, 0, sizeof(left));
	current = NULL;
	closing = NULL;
	pthread_cond_init(&current_changed, NULL);
	log_sites_forget_journal();
	log_sites_unlock();
	unlock_current();
}

static void start_watching(void)
{
	start_err = pthread_key_create(&exit_key, thread_exits);
	if (!start_err)
		start_err = pthread_atfork(before_fork, in_parent, in_child);
}

int log_current_set(struct hft_log *log)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int err = 0;

	pthread_once(&once, start_watching);
	if (start_err)
		return hft_fail(start_err, "watch the ends of threads");
	lock_current();
	if (current)
		err = hft_fail(EBUSY, "this process has a log, %s",
			       atomic_load(&current)->dir);
	else
		current = log;
	unlock_current();
	return err;
}

/* No ring is made from here on. */
struct hft_log *log_current_take(const struct hft_log *log)
{
	struct hft_log *it;

	lock_current();
	while (closing)
		pthread_cond_wait(&current_changed, &current_lock);
	it = current;
	if (log && log != it)
		it = NULL;
	if (it)
		current = NULL;
	closing = it;
	unlock_current();
	return it;
}

void log_current_closed(void)
{
	lock_current();
	closing = NULL;
	pthread_cond_broadcast(&current_changed);
	unlock_current();
}

void log_current_wait(const struct hft_log *log)
{
	lock_current();
	while (log->users)
		pthread_cond_wait(&current_changed, &current_lock);
	unlock_current();
}

bool log_get(struct hft_log *log)
{
	bool is_open;

	lock_current();
	is_open = log && log == current;
	if (is_open)
		log->users++;
	unlock_current();
	return is_open;
}

void log_put(struct hft_log *log)
{
	lock_current();
	if (!--log->users)
		pthread_cond_broadcast(&current_changed);
	unlock_current();
}

struct hft_log *log_current(void)
{
	return atomic_load_explicit(&current, memory_order_acquire);
}

/* What @opts does not say is the log's. */
static void spec_lane(struct log_ring_spec *spec, const struct hft_log_opts *log,
		      const struct hft_log_thread_opts *opts)
{
	if (spec->lane == HFT_LOG_AUDIT) {
		spec->policy = HFT_LOG_BLOCK;
		spec->bytes = opts->audit_bytes ?: log->audit_bytes;
		spec->sync = opts->audit_sync;
	} else {
		spec->policy = opts->policy ?: log->policy;
		spec->bytes = opts->ring_bytes ?: log->ring_bytes;
		spec->sync = opts->sync;
	}
	spec->block_ns = opts->block_ns ?: log->block_ns;
}

static int make_ring(struct hft_log *log, unsigned int lane,
		     const struct hft_log_thread_opts *opts, struct log_queue **queue)
{
	struct log_ring_spec spec = {
		.dir_fd = log->ring_fd,
		.stream = ++log->streams,
		.uuid = log->origin.uuid,
		.lane = lane,
		.packet_bytes = hft_log_store_packet_room(log->store),
		.tsc = !strcmp(log->origin.clock.name, "tsc"),
	};
	int err;

	spec_lane(&spec, &log->opts, opts);
	log_control_say_streams(log, spec.stream);
	err = log_queue_make(queue, &spec);
	if (err)
		return err;
	atomic_store(&(*queue)->users, 2);
	(*queue)->next = atomic_load(&log->incoming);
	while (!atomic_compare_exchange_weak(&log->incoming, &(*queue)->next, *queue))
		;
	return 0;
}

static int attach(unsigned int lane, const struct hft_log_thread_opts *opts)
{
	struct log_queue *queue;
	struct hft_log *log;
	int err = -ENOTCONN;

	pthread_mutex_lock(&current_lock);
	log = current;
	if (log)
		err = make_ring(log, lane, opts, &queue);
	pthread_mutex_unlock(&current_lock);
	if (err)
		return err;
	queues[lane] = queue;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	hft_log_self[lane] = queue->ring;
	pthread_setspecific(exit_key, queues);
	return 0;
}

/* A handler has none in between: the pointer is read once. */
static bool has_ring(unsigned int lane)
{
	const struct hft_log_ring *ring = hft_log_self[lane];

	return ring && !__atomic_load_n(&ring->closed, __ATOMIC_RELAXED);
}

/* There is none that can be written to. */
static int replace(unsigned int lane, const struct hft_log_thread_opts *opts)
{
	if (hft_log_self[lane])
		detach(lane);
	return attach(lane, opts);
}

int log_thread_attach(unsigned int lane)
{
	static const struct hft_log_thread_opts as_log;
	int err;

	if (!log_current())
		return -ENOTCONN;
	if (inside)
		return -EBUSY;
	enter();
	err = has_ring(lane) ? 0 : replace(lane, &as_log);
	leave();
	return err;
}

static int read_opts(struct hft_log_thread_opts *opts, const struct hft_log_thread_opts *user)
{
	int err = hft_read_opts(opts, sizeof(*opts), user);

	if (err)
		return err;
	if (opts->reserved)
		return hft_fail(EINVAL, "what is reserved of a thread's options has to be 0");
	if (opts->policy >= HFT_LOG_POLICIES)
		return hft_fail(EINVAL, "no such policy of a thread's rings, %u", opts->policy);
	if (opts->sync > HFT_LOG_SYNC_PACKET || opts->audit_sync > HFT_LOG_SYNC_PACKET)
		return hft_fail(EINVAL, "no such sync of a thread's records, %u and %u",
				opts->sync, opts->audit_sync);
	if (opts->ring_bytes)
		err = log_round_ring(&opts->ring_bytes, 0);
	if (opts->audit_bytes && !err)
		err = log_round_ring(&opts->audit_bytes, 0);
	return err;
}

/* All that are missing, or none: a caller who is refused may ask for less. */
static int make_missing(const struct hft_log_thread_opts *opts)
{
	bool made[HFT_LOG_LANES] = {};
	unsigned int lane;
	int err = 0;

	for (lane = 0; lane < HFT_LOG_LANES && !err; lane++) {
		if (has_ring(lane))
			continue;
		err = replace(lane, opts);
		made[lane] = !err;
	}
	for (lane = 0; lane < HFT_LOG_LANES && err; lane++) {
		if (made[lane])
			end_ring(lane);
	}
	return err;
}

static bool has_rings(void)
{
	unsigned int lane = 0;

	while (lane < HFT_LOG_LANES && !has_ring(lane))
		lane++;
	return lane < HFT_LOG_LANES;
}

/**
 * hft_log_thread() - make the rings of the calling thread, before its first call does
 * @log: the log
 * @opts: how they are; NULL: as the log has it
 *
 * They are on the NUMA node that the thread runs on, and their memory is there.
 *
 * Return: 0, -EINVAL, -E2BIG: bad options, -EEXIST: it has one of them, and there are @opts,
 * -ENOTCONN, -ENOMEM, -ENOSPC: there is not so much memory where rings are, -EMFILE, -ENFILE;
 * -EBUSY: a signal handler calls it, and its thread is making or ending rings.  After an error it
 * has the rings that it had before: it may ask again, for less.  Any thread; takes milliseconds
 * for each MiB.
 */
HFT_API int hft_log_thread(struct hft_log *log, const struct hft_log_thread_opts *opts)
{
	struct hft_log_thread_opts own = {};
	int err;

	if (!log || log != log_current())
		return hft_fail(log ? ENOTCONN : EINVAL, "a log that is open");
	err = read_opts(&own, opts);
	if (err)
		return err;
	if (inside)
		return hft_fail(EBUSY, "the thread's rings are being made or ended");
	/* Handlers that log make no ring from here on. */
	enter();
	if (opts && has_rings())
		err = hft_fail(EEXIST, "the thread has its rings");
	else
		err = make_missing(&own);
	leave();
	if (err)
		log_drainer_wake();
	return err;
}
