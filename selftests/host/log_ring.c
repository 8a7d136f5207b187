// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Rings of the log: what is written is what is read, and what is lost is counted. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#define HFT_LOG_SUBSYSTEM "test"
#include <hft/log.h>

#include "log_ring.h"
#include "random.h"

#define LEAST		LOG_RING_LEAST
#define RECORDS		20000
#define THREAD_RECORDS	200000

HFT_LOG_EVENT(event_all, "test", "all", HFT_LOG_NOTICE, HFT_LOG_PLAIN, (u64, a), (string, b),
	      (i64, c), (double, d), (symbol, e), (string, f), (pointer, g), (task, h), (class, i),
	      (stamp, j))

static char text[2 * HFT_LOG_TEXT_MAX + 64];

/* Of that many bytes, for this record. */
static const char *text_of(uint64_t number, size_t length)
{
	static char copy[sizeof(text)];
	size_t i;

	for (i = 0; i < length; i++)
		copy[i] = (char)('a' + (number + i) % 26);
	copy[length] = '\0';
	return copy;
}

static void test_layout(void **state)
{
	static const unsigned char wanted[] = {
		1, 0, 0, 0, 0, 0, 0, 0, 'x', 'y', 'z', 0, 0, 0, 0, 0,
		0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0, 0, 0, 0, 0, 0, 0xf8, 0x3f,
		'A', 'B', 'C', 'D', 'E', 'F', 'G', 0, '(', 'n', 'u', 'l', 'l', ')', 0, 0,
		0x10, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,
		3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0,
	};
	const struct hft_log_record *record;
	struct test_ring it;
	const void *records;

	(void)state;
	test_ring_open(&it, HFT_LOG_DROP, HFT_LOG_PLAIN, LEAST, 0);
	memset((char *)it.queue->ring + HFT_LOG_RING_HEAD, 0xaa, LEAST);
	assert_int_equal(event_all(1, "xyz", -2, 1.5, "ABCDEFG", NULL, (void *)16, 2, 3, 4), 0);
	assert_int_equal(log_queue_read(it.queue, &records), sizeof(*record) + sizeof(wanted));
	record = records;
	assert_int_equal(8 * record->words, sizeof(*record) + sizeof(wanted));
	assert_int_equal(record->sequence, 0);
	assert_true(record->id >= HFT_LOG_SITE_FIRST);
	assert_memory_equal(record + 1, wanted, sizeof(wanted));
	test_ring_close(&it);
}

/* Two in a row in one word, and at its edges. */
static void test_texts(void **state)
{
	const struct hft_log_record *record;
	struct test_ring it;
	const void *records;
	const char *at;
	size_t a, b;

	(void)state;
	test_ring_open(&it, HFT_LOG_DROP, HFT_LOG_PLAIN, LEAST, 0);
	for (a = 0; a < 20; a++) {
		for (b = 0; b < 20; b++) {
			char first[32];

			strcpy(first, text_of(a, a));
			memset((char *)it.queue->ring + HFT_LOG_RING_HEAD, 0xaa, LEAST);
			assert_int_equal(hft_log(HFT_LOG_INFO, "%s%s%d", first, text_of(b, b), 7),
					 0);
			log_queue_take(it.queue, (size_t)log_queue_read(it.queue, &records));
			log_queue_free(it.queue, it.queue->given);
			record = records;
			at = (const char *)(record + 1);
			assert_string_equal(at, first);
			assert_string_equal(at + a + 1, text_of(b, b));
			at += (a + b + 2 + 7) / 8 * 8;
			assert_int_equal(*(const int64_t *)(const void *)at, 7);
			assert_int_equal(8 * record->words, at + 8 - (const char *)record);
			for (at = (const char *)(record + 1) + a + b + 2; (uintptr_t)at % 8; at++)
				assert_int_equal(*at, 0);
		}
	}
	test_ring_close(&it);
}

static void test_long_text(void **state)
{
	const struct hft_log_record *record;
	struct test_ring it;
	const void *records;
	const char *at;
	size_t length;

	(void)state;
	test_ring_open(&it, HFT_LOG_DROP, HFT_LOG_PLAIN, LEAST, 0);
	for (length = HFT_LOG_TEXT_MAX - 4; length < HFT_LOG_TEXT_MAX + 4; length++) {
		assert_int_equal(hft_log(HFT_LOG_INFO, "%s", text_of(0, length)), 0);
		log_queue_take(it.queue, (size_t)log_queue_read(it.queue, &records));
		record = records;
		at = (const char *)(record + 1);
		if (length <= HFT_LOG_TEXT_MAX) {
			assert_string_equal(at, text_of(0, length));
			continue;
		}
		assert_int_equal(strlen(at), HFT_LOG_TEXT_MAX);
		assert_string_equal(at + HFT_LOG_TEXT_MAX - 3, "...");
		assert_memory_equal(at, text_of(0, length), HFT_LOG_TEXT_MAX - 3);
	}
	/* Characters of two bytes are whole. */
	for (length = 0; length < sizeof(text) - 2; length += 2)
		memcpy(text + length, "\xc3\xa9", 3);
	assert_int_equal(hft_log(HFT_LOG_INFO, "%s", text), 0);
	log_queue_read(it.queue, &records);
	at = (const char *)((const struct hft_log_record *)records + 1);
	assert_memory_equal(at, text, strlen(at) - 3);
	assert_int_equal((strlen(at) - 3) % 2, 0);
	test_ring_close(&it);
}

static void test_too_long(void **state)
{
	struct test_ring it;
	char bytes[LEAST];
	static struct hft_log_site site = {
		.format = "long", .types = "", .subsystem = "test", .file = __FILE__,
		.level = HFT_LOG_INFO,
	};

	(void)state;
	memset(bytes, 1, sizeof(bytes));
	test_ring_open(&it, HFT_LOG_DROP, HFT_LOG_PLAIN, LEAST, 0);
	assert_int_equal(hft_log_write(&site, HFT_LOG_PLAIN, 0, bytes, sizeof(bytes)), -EMSGSIZE);
	assert_int_equal(hft_log_write(&site, HFT_LOG_PLAIN, 5, bytes,
				       LEAST / 4 - sizeof(struct hft_log_record)), 0);
	assert_int_equal(hft_log_write(&site, HFT_LOG_PLAIN, 0, bytes, HFT_LOG_RECORD_MAX),
			 -EINVAL);
	assert_int_equal(hft_log_write(&site, HFT_LOG_LANES, 0, bytes, 8), -EINVAL);
	assert_int_equal(it.queue->ring->lost, 0);
	test_ring_close(&it);
}

/**
 * struct audit - what a reader expects
 * @number: of the next record
 * @next: argument of the next, where none is lost
 * @seen: records
 * @lost: that loss records tell of
 * @stamp: of the last
 */
struct audit {
	uint32_t number;
	uint64_t next;
	uint64_t seen;
	uint64_t lost;
	uint64_t stamp;
};

static void audit_record(struct audit *audit, const struct hft_log_record *record)
{
	const struct log_loss *loss = (const void *)record;
	const uint64_t *number = (const void *)(record + 1);

	assert_true(record->stamp >= audit->stamp);
	audit->stamp = record->stamp;
	if (record->id == HFT_LOG_ID_LOST) {
		assert_int_equal(8 * record->words, sizeof(*loss));
		assert_true(loss->lost > 0);
		assert_true(loss->first <= loss->last);
		audit->lost += loss->lost;
		audit->number += (uint32_t)loss->lost;
		audit->next += loss->lost;
		assert_int_equal(record->sequence, audit->number - 1);
		return;
	}
	assert_int_equal(record->sequence, audit->number++);
	assert_int_equal(*number, audit->next++);
	assert_string_equal((const char *)(number + 1),
			    text_of(*number, strlen((const char *)(number + 1))));
	audit->seen++;
}

/* Takes some of what there is; frees all or some of that. */
static void audit_ring(struct audit *audit, struct log_queue *queue, uint64_t *random)
{
	const void *records;
	int64_t bytes = log_queue_read(queue, &records);
	size_t offset = 0;

	assert_true(bytes >= 0);
	while (offset < (size_t)bytes && (!random || random_below(random, 200))) {
		audit_record(audit, test_record(records, offset));
		offset += 8 * (size_t)test_record(records, offset)->words;
	}
	assert_true(offset <= (size_t)bytes);
	if (offset)
		log_queue_take(queue, offset);
	if (!random || random_below(random, 2))
		log_queue_free(queue, queue->given);
}

static int log_one(uint64_t number, uint64_t *random)
{
	return hft_log(HFT_LOG_INFO, "number=%lu %s", number,
		       text_of(number, random_below(random, 200)));
}

/* Sizes, and moments of reading, by chance: wraps, full rings. */
static void check_policy(enum hft_log_policy policy, uint64_t seed)
{
	uint64_t random = seed, number, answered = 0;
	struct audit audit = {};
	struct test_ring it;
	int err;

	test_ring_open(&it, policy, HFT_LOG_PLAIN, LEAST, 0);
	for (number = 0; number < RECORDS; number++) {
		err = log_one(number, &random);
		if (err) {
			assert_int_equal(policy, HFT_LOG_DROP);
			assert_int_equal(err, -ENOBUFS);
			answered++;
		}
		if (!random_below(&random, 300))
			audit_ring(&audit, it.queue, &random);
	}
	/* What it could not tell for want of room is told for it. */
	log_ring_end(it.queue->ring);
	while (!log_queue_is_empty(it.queue))
		audit_ring(&audit, it.queue, NULL);
	assert_int_equal(audit.next, RECORDS);
	assert_int_equal(audit.seen + audit.lost, RECORDS);
	assert_int_equal(audit.lost, it.queue->lost);
	assert_true(audit.lost > 0);
	if (policy == HFT_LOG_DROP)
		assert_int_equal(audit.lost, answered);
	else
		assert_int_equal(audit.lost, it.queue->ring->overwritten);
	test_ring_close(&it);
}

static void test_drop(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= 8; seed++)
		check_policy(HFT_LOG_DROP, seed);
}

static void test_overwrite(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= 8; seed++)
		check_policy(HFT_LOG_OVERWRITE, seed);
}

static void test_timeout(void **state)
{
	struct audit audit = {};
	uint64_t random = 1, number = 0, before;
	struct test_ring it;

	(void)state;
	test_ring_open(&it, HFT_LOG_BLOCK, HFT_LOG_PLAIN, LEAST, 3000000);
	while (!log_one(number, &random))
		number++;
	before = hft_log_monotonic();
	assert_int_equal(log_one(number + 1, &random), -ETIMEDOUT);
	assert_true(hft_log_monotonic() - before >= 3000000);
	assert_int_equal(it.queue->ring->timeouts, 2);
	assert_int_equal(it.queue->ring->lost, 2);
	errno = 5;
	audit_ring(&audit, it.queue, NULL);
	assert_int_equal(log_one(number + 2, &random), 0);
	assert_int_equal(errno, 5);
	audit_ring(&audit, it.queue, NULL);
	assert_int_equal(audit.lost, 2);
	assert_int_equal(audit.next, number + 3);
	test_ring_close(&it);
}

/**
 * struct reader - a thread that reads while another writes
 * @queue: what
 * @stop: the writer has ended
 * @audit: what it has found
 */
struct reader {
	struct log_queue *queue;
	atomic_bool stop;
	struct audit audit;
};

static void *read_ring(void *arg)
{
	struct reader *reader = arg;
	bool stop;

	do {
		stop = atomic_load(&reader->stop);
		audit_ring(&reader->audit, reader->queue, NULL);
	} while (!stop || !log_queue_is_empty(reader->queue));
	return NULL;
}

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";

/* The text of a record is checked by the reader. */
static void check_threads(enum hft_log_policy policy)
{
	struct reader reader = {};
	uint64_t number, failed = 0;
	struct test_ring it;
	pthread_t thread;

	test_ring_open(&it, policy, HFT_LOG_PLAIN, LEAST, UINT64_MAX);
	reader.queue = it.queue;
	assert_int_equal(pthread_create(&thread, NULL, read_ring, &reader), 0);
	for (number = 0; number < THREAD_RECORDS; number++)
		failed += !!hft_log(HFT_LOG_INFO, "number=%lu %s", number,
				    number % 3 ? "" : alphabet + number % 26);
	log_ring_end(it.queue->ring);
	atomic_store(&reader.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(reader.audit.next, THREAD_RECORDS);
	if (policy == HFT_LOG_BLOCK)
		assert_int_equal(reader.audit.seen, THREAD_RECORDS);
	if (policy == HFT_LOG_DROP)
		assert_int_equal(failed, it.queue->ring->lost);
	else
		assert_int_equal(failed, 0);
	test_ring_close(&it);
}

static void test_threads(void **state)
{
	(void)state;
	check_threads(HFT_LOG_BLOCK);
	check_threads(HFT_LOG_DROP);
	check_threads(HFT_LOG_OVERWRITE);
}

/* Positions and numbers that wrap, each by itself. */
static void check_wrap(enum hft_log_policy policy, uint64_t start)
{
	struct reader reader = {};
	struct test_ring it;
	struct hft_log_ring *ring;
	uint64_t number, random = 7;

	test_ring_open(&it, policy, HFT_LOG_PLAIN, LEAST, 0);
	ring = it.queue->ring;
	ring->reserved = start;
	ring->head = start;
	ring->tail = 8 * (uint64_t)(uint32_t)start;
	ring->position = ring->tail;
	ring->room += (uint32_t)start;
	ring->limit = (uint32_t)start - 1;
	it.queue->position = ring->tail;
	it.queue->level_position = ring->tail;
	it.queue->number = (uint32_t)(start >> 32);
	reader.audit.number = it.queue->number;
	for (number = 0; number < 4000; number++) {
		log_one(number, &random);
		if (!random_below(&random, 50))
			audit_ring(&reader.audit, it.queue, NULL);
	}
	log_ring_end(ring);
	while (!log_queue_is_empty(it.queue))
		audit_ring(&reader.audit, it.queue, NULL);
	assert_int_equal(reader.audit.next, 4000);
	test_ring_close(&it);
}

static void test_wrap(void **state)
{
	static const uint64_t starts[] = {
		0xfffff000, 0xffffffff, 0x7ffff000, 0xfffffff000000000, 0xfffffe00fffffe00,
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		check_wrap(HFT_LOG_DROP, starts[i]);
		check_wrap(HFT_LOG_OVERWRITE, starts[i]);
	}
}

static void test_closed(void **state)
{
	struct test_ring it;
	uint64_t seen;

	(void)state;
	test_ring_open(&it, HFT_LOG_DROP, HFT_LOG_PLAIN, LEAST, 0);
	assert_int_equal(hft_log(HFT_LOG_INFO, "before"), 0);
	seen = it.queue->ring->reserved;
	log_ring_close(it.queue->ring);
	assert_false(log_ring_is_quiet(it.queue->ring));
	log_ring_poison(it.queue->ring);
	/* A call in the slow path has it begun again, and no other number taken. */
	it.queue->ring->busy = 1;
	assert_false(log_ring_seal(it.queue->ring));
	log_ring_poison(it.queue->ring);
	it.queue->ring->busy = 0;
	log_ring_poison(it.queue->ring);
	assert_true(log_ring_seal(it.queue->ring));
	assert_true(log_ring_is_quiet(it.queue->ring));
	assert_int_equal(log_ring_number(it.queue->ring), 1);
	/* A call that was put off behind its look at the limit. */
	assert_false(hft_log_swap(&it.queue->ring->reserved, seen, seen + (1ull << 32 | 2)));
	assert_true(log_ring_is_quiet(it.queue->ring));
	assert_int_equal(hft_log(HFT_LOG_INFO, "after"), -ENOTCONN);
	assert_null(hft_log_self[HFT_LOG_PLAIN]);
	test_ring_close(&it);
}

/* Evaluated once where it is wanted, and not where it is not. */
static void test_levels(void **state)
{
	struct log_queue *queue;
	struct test_ring it;
	const void *records;
	int count = 0;

	(void)state;
	test_ring_open(&it, HFT_LOG_DROP, HFT_LOG_PLAIN, LEAST, 0);
	queue = it.queue;
	assert_int_equal(hft_log(HFT_LOG_DEBUG, "debug=%d", count++), 0);
	assert_int_equal(log_queue_read(queue, &records), 0);
	assert_int_equal(count, 0);
	assert_int_equal(hft_log(HFT_LOG_INFO, "info=%d", count++), 0);
	assert_int_equal(count, 1);
	assert_int_equal(log_queue_read(queue, &records), 24);
	test_ring_close(&it);
}

/* The file of a process that has ended is not trusted. */
static void test_map(void **state)
{
	struct log_queue *queue;
	struct test_ring it;
	struct hft_log_ring *ring, good;
	const void *records;

	(void)state;
	test_ring_open(&it, HFT_LOG_DROP, HFT_LOG_PLAIN, LEAST, 0);
	ring = it.queue->ring;
	assert_int_equal(hft_log(HFT_LOG_INFO, "left=%d", 1), 0);
	assert_int_equal(log_queue_map(&queue, it.dir_fd, it.queue->name), 0);
	assert_int_equal(log_queue_read(queue, &records), 24);
	log_queue_put(queue);
	good = *ring;
	ring->tail = 8;
	ring->head = 0;
	assert_int_equal(log_queue_map(&queue, it.dir_fd, it.queue->name), -EBADMSG);
	*ring = good;
	ring->head = LEAST / 8 + 1;
	assert_int_equal(log_queue_map(&queue, it.dir_fd, it.queue->name), -EBADMSG);
	*ring = good;
	ring->bytes *= 2;
	assert_int_equal(log_queue_map(&queue, it.dir_fd, it.queue->name), -EBADMSG);
	*ring = good;
	ring->magic++;
	assert_int_equal(log_queue_map(&queue, it.dir_fd, it.queue->name), -EBADMSG);
	*ring = good;
	assert_int_equal(log_queue_map(&queue, it.dir_fd, "none"), -ENOENT);
	test_ring_close(&it);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_long_text),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_overwrite),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
