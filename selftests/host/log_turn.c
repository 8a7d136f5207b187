// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/*
 * Turns of the drainer, one by one: whom it gives what the store has room for, and when it
 * says that a flush is over.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#define HFT_LOG_SUBSYSTEM "turn"
#include <hft/log.h>

#include "log/evidence.h"
#include "log/ring.h"
#include "log/store.h"
#include "log_folder.h"

#define GIVEN		64
#define PLAIN_RINGS	3
#define ONE		(sizeof(struct hft_log_record) + sizeof(uint64_t))
#define MUCH		(5u << 18)	/* more than a ring is given in a turn, */
#define TURN_LEAST	(3u << 18)	/* and less than that */
#define SLOW_ROOM	(16u << 10)	/* of a slow disk in a turn */
#define SLOW_RECORDS	1000u

HFT_LOG_EVENT(log_audited, "turn", "audited", HFT_LOG_NOTICE, HFT_LOG_AUDIT, (u64, number))
HFT_LOG_EVENT(log_plain, "turn", "plain", HFT_LOG_NOTICE, HFT_LOG_PLAIN, (u64, number))

/* Of one turn, in order */
static struct {
	uint64_t stream;
	uint64_t bytes;
} given[GIVEN];
static unsigned int nr_given;
static bool went_wrong;			/* where no test can fail: in the drainer */

static atomic_bool by_turns;
static sem_t asked, answered;
static uint64_t audit_stream;
static bool adds_audit;			/* a record, whenever a plain ring was served */
static bool wants_audit;
static size_t room;			/* that the store has left in this turn */
static atomic_bool is_full;		/* the store takes nothing */
static atomic_bool is_busy;		/* the store always has something that is not written */
static atomic_bool is_short;		/* of memory for streams */
static atomic_bool hastens;		/* a second goes by with each look at the clock */

/* The test's thread does what is to be done, and lets the drainer go on. */
static void ask(void)
{
	sem_post(&asked);
	while (sem_wait(&answered))
		;
}

static size_t whole_records(const void *records, size_t bytes)
{
	const struct hft_log_record *record;
	size_t at = 0;

	while (at + sizeof(*record) <= bytes) {
		record = (const void *)((const char *)records + at);
		if (8 * (size_t)record->words > bytes - at)
			break;
		at += 8 * (size_t)record->words;
	}
	return at;
}

int64_t __real_hft_log_store_append(struct hft_log_store *store, uint64_t id, const void *records,
				    size_t bytes, uint64_t lost);
int64_t __wrap_hft_log_store_append(struct hft_log_store *store, uint64_t id, const void *records,
				    size_t bytes, uint64_t lost);
int64_t __wrap_hft_log_store_append(struct hft_log_store *store, uint64_t id, const void *records,
				    size_t bytes, uint64_t lost)
{
	int64_t took;

	if (is_full)
		return -EAGAIN;
	if (!by_turns || id == HFT_LOG_EVIDENCE_STREAM)
		return __real_hft_log_store_append(store, id, records, bytes, lost);
	bytes = whole_records(records, bytes < room ? bytes : room);
	if (!bytes)
		return -EAGAIN;
	took = __real_hft_log_store_append(store, id, records, bytes, lost);
	went_wrong |= took != (int64_t)bytes || nr_given == GIVEN;
	if (went_wrong)
		return took;
	room -= bytes;
	given[nr_given].stream = id;
	given[nr_given++].bytes = bytes;
	if (adds_audit && id != audit_stream) {
		wants_audit = true;
		ask();
	}
	return took;
}

uint64_t __real_hft_log_store_poll(struct hft_log_store *store, uint64_t now);
uint64_t __wrap_hft_log_store_poll(struct hft_log_store *store, uint64_t now);
uint64_t __wrap_hft_log_store_poll(struct hft_log_store *store, uint64_t now)
{
	uint64_t next = __real_hft_log_store_poll(store, now);

	if (by_turns)
		ask();
	return next;
}

int __real_hft_log_store_flush(struct hft_log_store *store, bool sync, uint64_t timeout_ns);
int __wrap_hft_log_store_flush(struct hft_log_store *store, bool sync, uint64_t timeout_ns);
int __wrap_hft_log_store_flush(struct hft_log_store *store, bool sync, uint64_t timeout_ns)
{
	return is_busy ? -ETIMEDOUT : __real_hft_log_store_flush(store, sync, timeout_ns);
}

int __real_hft_log_store_stream_add(struct hft_log_store *store,
				    const struct hft_log_store_stream *stream);
int __wrap_hft_log_store_stream_add(struct hft_log_store *store,
				    const struct hft_log_store_stream *stream);
int __wrap_hft_log_store_stream_add(struct hft_log_store *store,
				    const struct hft_log_store_stream *stream)
{
	return is_short ? -ENOMEM : __real_hft_log_store_stream_add(store, stream);
}

uint64_t __real_hft_log_monotonic(void);
uint64_t __wrap_hft_log_monotonic(void);
uint64_t __wrap_hft_log_monotonic(void)
{
	static _Atomic uint64_t ahead;

	if (hastens)
		ahead += 1000000000;
	return __real_hft_log_monotonic() + ahead;
}

static void wait_for_drainer(void)
{
	while (sem_wait(&asked))
		;
}

/* The rings of this thread are known to the drainer, which waits for its next turn. */
static struct hft_log *begin_turns(uint64_t ring_bytes)
{
	HFT_OPTS(hft_log_store_opts, store, .flags = HFT_LOG_STORE_NO_PACK,
		 .sync = HFT_LOG_SYNC_NONE, .audit_sync = HFT_LOG_SYNC_NONE);
	HFT_OPTS(hft_log_opts, opts, .ring_bytes = ring_bytes, .store = &store);
	struct hft_log *log = open_with(&opts);

	assert_int_equal(hft_log_thread(log, NULL), 0);
	audit_stream = hft_log_self[HFT_LOG_AUDIT]->stream;
	assert_int_equal(hft_log_flush(log, 0, WAIT_NS), 0);
	assert_int_equal(sem_init(&asked, 0, 0), 0);
	assert_int_equal(sem_init(&answered, 0, 0), 0);
	by_turns = true;
	wait_for_drainer();
	return log;
}

static void one_turn(size_t bytes)
{
	nr_given = 0;
	room = bytes;
	sem_post(&answered);
	for (wait_for_drainer(); wants_audit; wait_for_drainer()) {
		wants_audit = false;
		assert_int_equal(log_audited(0), 0);
		sem_post(&answered);
	}
	assert_false(went_wrong);
}

/* All that was logged is written, and nothing was lost but @lost. */
static void end_turns(struct hft_log *log, uint64_t records, uint64_t lost)
{
	uint64_t told;

	by_turns = false;
	sem_post(&answered);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_records("turn", &told), records);
	assert_int_equal(told, lost);
	sem_destroy(&asked);
	sem_destroy(&answered);
}

/* Returns how many records it has logged, as a pointer. */
static void *log_much(void *unused)
{
	uintptr_t i = 0;

	(void)unused;
	while (i < MUCH / ONE && !log_plain(i))
		i++;
	return (void *)i;
}

/* An audit ring waits for no more than what one plain ring is given. */
static void test_served_again(void **state)
{
	struct hft_log *log = begin_turns(4 << 20);
	pthread_t thread;
	unsigned int i;
	void *logged;

	(void)state;
	for (i = 0; i < PLAIN_RINGS; i++) {
		assert_int_equal(pthread_create(&thread, NULL, log_much, NULL), 0);
		assert_int_equal(pthread_join(thread, &logged), 0);
		assert_int_equal((uintptr_t)logged, MUCH / ONE);
	}
	adds_audit = true;
	one_turn(SIZE_MAX);
	adds_audit = false;
	assert_int_equal(nr_given, 2 * PLAIN_RINGS);
	for (i = 0; i < nr_given; i += 2) {
		assert_int_not_equal(given[i].stream, audit_stream);
		assert_in_range(given[i].bytes, TURN_LEAST, MUCH - ONE);
		assert_int_equal(given[i + 1].stream, audit_stream);
		assert_int_equal(given[i + 1].bytes, ONE);
	}
	end_turns(log, PLAIN_RINGS * (MUCH / ONE + 1), 0);
}

/* Returns how many calls were done; one more was refused. */
static uint64_t fill_plain(void)
{
	uint64_t nr = 0;
	int err;

	while (!(err = log_plain(nr)))
		nr++;
	assert_int_equal(err, -ENOBUFS);
	return nr;
}

/* What a slow disk has room for is an audit ring's, though a plain one is always full. */
static void test_served_first(void **state)
{
	struct hft_log *log = begin_turns(64 << 10);
	uint64_t left = SLOW_RECORDS, most = SLOW_ROOM / ONE, plain = 0, now;
	unsigned int turns;

	(void)state;
	while (left--)
		assert_int_equal(log_audited(left), 0);
	left = SLOW_RECORDS;
	for (turns = 0; left; turns++, left -= now) {
		plain += fill_plain();
		one_turn(SLOW_ROOM);
		now = left < most ? left : most;
		assert_int_equal(nr_given, now == most ? 1 : 2);
		assert_int_equal(given[0].stream, audit_stream);
		assert_int_equal(given[0].bytes, now * ONE);
	}
	assert_int_equal(turns, (SLOW_RECORDS + most - 1) / most);
	plain += fill_plain();
	one_turn(SLOW_ROOM);
	assert_int_equal(nr_given, 1);
	assert_int_not_equal(given[0].stream, audit_stream);
	end_turns(log, SLOW_RECORDS + plain, turns + 1);
}

/* Returns what a synchronised one says of a record that another one has found to be written. */
static int flush_busy(uint32_t sync, uint64_t timeout_ns)
{
	HFT_OPTS(hft_log_store_opts, store, .flags = HFT_LOG_STORE_NO_PACK, .sync = sync,
		 .audit_sync = sync, .flush_ns = 1000000);
	HFT_OPTS(hft_log_opts, opts, .store = &store);
	struct hft_log *log = open_with(&opts);
	uint64_t lost;
	int err;

	is_busy = true;
	assert_int_equal(log_plain(0), 0);
	assert_int_equal(hft_log_flush(log, 0, WAIT_NS), 0);
	assert_int_equal(count_records("turn", &lost), 1);
	err = hft_log_flush(log, HFT_LOG_FLUSH_SYNC, timeout_ns);
	is_busy = false;
	assert_int_equal(hft_log_close(log), 0);
	return err;
}

/*
 * What a flush is of was written, though the store has not come to an end.  Nobody has it
 * synchronised, but for what the stream's policy does.
 */
static void test_flush_of_busy(void **state)
{
	(void)state;
	assert_int_equal(flush_busy(HFT_LOG_SYNC_NONE, 1000000), -ETIMEDOUT);
}

static void test_sync_of_busy(void **state)
{
	(void)state;
	assert_int_equal(flush_busy(HFT_LOG_SYNC_PACKET, WAIT_NS), 0);
}

/* What is kept from the store is not in files: a flush says so in its time. */
static void check_taken_late(atomic_bool *keeps)
{
	HFT_OPTS(hft_log_opts, opts);
	struct hft_log *log = open_with(&opts);
	uint64_t lost;

	*keeps = true;
	assert_int_equal(log_plain(0), 0);
	assert_int_equal(hft_log_flush(log, 0, 1000000), -ETIMEDOUT);
	*keeps = false;
	assert_int_equal(hft_log_flush(log, 0, WAIT_NS), 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_records("turn", &lost), 1);
	assert_int_equal(lost, 0);
}

static void test_flush_of_full(void **state)
{
	(void)state;
	check_taken_late(&is_full);
}

/* A ring that there is no memory for is taken when there is. */
static void test_short_of_memory(void **state)
{
	(void)state;
	check_taken_late(&is_short);
}

/* Closing does not wait for it without an end, and it is there for who recovers the log. */
static void test_closed_without(void **state)
{
	HFT_OPTS(hft_log_opts, opts);
	struct hft_log *log = open_with(&opts);
	uint64_t lost;

	(void)state;
	is_short = true;
	assert_int_equal(log_plain(0), 0);
	hastens = true;
	assert_int_equal(hft_log_close(log), -ETIMEDOUT);
	hastens = false;
	is_short = false;
	assert_int_equal(log_plain(1), -ENOTCONN);
	assert_int_equal(hft_log_recover(dir, NULL), 0);
	assert_int_equal(count_records("turn", &lost), 1);
	assert_int_equal(lost, 0);
}

/* A test that failed leaves the drainer waiting, whom the end of the program waits for. */
static int let_go(void **state)
{
	if (by_turns) {
		by_turns = false;
		sem_post(&answered);
	}
	return remove_folder(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_served_again, make_folder, let_go),
		cmocka_unit_test_setup_teardown(test_served_first, make_folder, let_go),
		cmocka_unit_test_setup_teardown(test_flush_of_busy, make_folder, let_go),
		cmocka_unit_test_setup_teardown(test_sync_of_busy, make_folder, let_go),
		cmocka_unit_test_setup_teardown(test_flush_of_full, make_folder, let_go),
		cmocka_unit_test_setup_teardown(test_short_of_memory, make_folder, let_go),
		cmocka_unit_test_setup_teardown(test_closed_without, make_folder, let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
