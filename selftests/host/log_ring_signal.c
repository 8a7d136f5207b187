// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Rings of the log: a handler logs, wherever the call is that it comes into. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

#include <cmocka.h>

#define HFT_LOG_SUBSYSTEM "test"
#include <hft/log.h>

#include "log_ring.h"

#define RECORDS		400000

static volatile sig_atomic_t handled;
static uint64_t refused;

/* Its records have no argument: they are told from others by their length. */
static void handle(int signal)
{
	int err = hft_log(HFT_LOG_INFO, "handler");

	(void)signal;
	if (err == -EBUSY)
		refused++;
	else if (!err)
		handled++;
}

/* Numbers are without gaps, stamps do not go back, all of both are there. */
static void check_handled(struct log_queue *queue, uint32_t *number, uint64_t *mine,
			  uint64_t *theirs, uint64_t *lost)
{
	static uint64_t stamp;
	const struct hft_log_record *record;
	const void *records;
	int64_t bytes = log_queue_read(queue, &records), offset;

	for (offset = 0; offset < bytes; offset += 8 * record->words) {
		const struct log_loss *loss;

		record = test_record(records, (size_t)offset);
		loss = (const void *)record;
		if (*number)
			assert_true(record->stamp >= stamp);
		stamp = record->stamp;
		if (record->id == HFT_LOG_ID_LOST) {
			*lost += loss->lost;
			*number += (uint32_t)loss->lost;
			assert_int_equal(record->sequence, *number - 1);
			continue;
		}
		assert_int_equal(record->sequence, (*number)++);
		if (record->words == 2)
			(*theirs)++;
		else
			assert_int_equal(*(const uint64_t *)(const void *)(record + 1), (*mine)++);
	}
	if (bytes > 0)
		log_queue_take(queue, (size_t)bytes);
	log_queue_free(queue, queue->given);
}

static void check_signals(enum hft_log_policy policy)
{
	const struct itimerval often = { { 0, 50 }, { 0, 50 } }, never = {};
	const struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };
	uint64_t number, mine = 0, theirs = 0, lost = 0;
	struct test_ring it;
	uint32_t sequence = 0;
	sigset_t alarms;

	test_ring_open(&it, policy, HFT_LOG_PLAIN, LOG_RING_LEAST, UINT64_MAX);
	handled = 0;
	refused = 0;
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (number = 0; number < RECORDS; number++) {
		assert_int_equal(hft_log(HFT_LOG_INFO, "number=%lu", number), 0);
		if (number % 500)
			continue;
		sigprocmask(SIG_BLOCK, &alarms, NULL);
		check_handled(it.queue, &sequence, &mine, &theirs, &lost);
		sigprocmask(SIG_UNBLOCK, &alarms, NULL);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	log_ring_end(it.queue->ring);
	while (!log_queue_is_empty(it.queue))
		check_handled(it.queue, &sequence, &mine, &theirs, &lost);
	assert_int_equal(mine, number);
	assert_int_equal(theirs, handled);
	assert_int_equal(lost, refused);
	assert_true(handled > 0);
	test_ring_close(&it);
}

static void test_signals(void **state)
{
	(void)state;
	check_signals(HFT_LOG_DROP);
	check_signals(HFT_LOG_OVERWRITE);
	check_signals(HFT_LOG_BLOCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
