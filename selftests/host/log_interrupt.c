// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan */
/*
 * A signal handler logs after the first instruction of what its thread does with its ring,
 * after the second, and so on: in each thread after another one.
 */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>
#include <hft/log.h>

#include "log_here.h"

#ifdef __SANITIZE_ADDRESS__
#define STRIDE		5	/* a call has several times the instructions */
#else
#define STRIDE		1
#endif
#define THREADS		200	/* strides: more than until the ring is let go */
#define WAIT_NS		60000000000ull
#define TRAP_FLAG	0x100
#define LOOKS		60000
#define LOOK_US		1000

HFT_LOG_EVENT(log_before, "before", "call", HFT_LOG_NOTICE, HFT_LOG_PLAIN, (u64, number))
HFT_LOG_EVENT(log_call, "interrupt", "call", HFT_LOG_NOTICE, HFT_LOG_PLAIN, (u64, number))
HFT_LOG_EVENT(log_handled, "interrupt", "handled", HFT_LOG_NOTICE, HFT_LOG_PLAIN, (u64, number))

static sem_t ready, go;
static pthread_key_t first_key, last_key;
static atomic_uint answered;
static int results[THREADS + 1];	/* of handlers; 1: the call was over before */
static _Thread_local volatile uintptr_t steps, self;
static _Thread_local volatile bool armed;

/* Of raise(), and then of each instruction: the handler logs at the last one. */
static void handle(int signal, siginfo_t *info, void *context)
{
#ifdef __x86_64__
	greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];
	bool is_step = *flags & TRAP_FLAG;

	*flags |= TRAP_FLAG;
	if (!is_step || (steps && --steps))
		return;
	*flags &= ~TRAP_FLAG;
	if (armed) {
		results[self] = log_handled(0);
		atomic_fetch_add(&answered, !results[self]);
	}
	armed = false;
#endif
	(void)signal;
	(void)info;
	(void)context;
}

static void arm(uintptr_t nr)
{
	self = nr;
	results[nr] = 1;
	steps = nr * STRIDE;
	armed = true;
	raise(SIGTRAP);
}

static void disarm(void)
{
	armed = false;
	steps = 0;
}

/* It has the ring of a log that is closed then, and logs to the next one. */
static void *change_logs(void *nr)
{
	log_before(0);
	sem_post(&ready);
	while (sem_wait(&go))
		;
	arm((uintptr_t)nr);
	if (!log_call(0))
		atomic_fetch_add(&answered, 1);
	disarm();
	return NULL;
}

static void start(pthread_t threads[THREADS], void *(*run)(void *))
{
	uintptr_t i;

	for (i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)(i + 1)), 0);
		while (sem_wait(&ready))
			;
	}
}

static void open_log(void)
{
	HFT_OPTS(hft_log_store_opts, store, .flags = HFT_LOG_STORE_NO_PACK,
		 .sync = HFT_LOG_SYNC_NONE);
	HFT_OPTS(hft_log_opts, opts, .ring_bytes = 64 << 10, .audit_bytes = 64 << 10,
		 .policy = HFT_LOG_BLOCK, .idle_ns = 1000000, .store = &store);

	assert_int_equal(hft_log_open(&the_log, dir, &opts), 0);
}

/* Threads that have ended have no ring, and what was answered is in the log. */
static void check_end(pthread_t threads[THREADS])
{
	HFT_OPTS(hft_log_stats, stats);
	struct hft_log_reader *reader;
	const struct hft_log_view *view;
	unsigned int i, nr = 0;
	int ret;

	for (i = 0; i < THREADS; i++)
		sem_post(&go);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (i = 0; i < LOOKS; i++) {
		assert_int_equal(hft_log_flush(the_log, 0, WAIT_NS), 0);
		assert_int_equal(hft_log_stats(the_log, &stats), 0);
		if (!stats.rings)
			break;
		usleep(LOOK_US);
	}
	assert_int_equal(stats.rings, 0);
	reader = reopen("interrupt");
	while ((ret = hft_log_reader_next(reader, &view)) > 0)
		nr++;
	assert_int_equal(ret, 0);
	hft_log_reader_close(reader);
	assert_int_equal(nr, answered);
}

/* From stride to stride: how often the ring is in use, and is let go within what was looked at. */
static unsigned int count_releases(void)
{
	unsigned int i, nr = 0;

	for (i = 2; i <= THREADS; i++)
		nr += results[i - 1] < 0 && results[i] >= 0;
	return nr;
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/dev/shm/hft-test-interrupt-XXXXXX");
	assert_non_null(mkdtemp(dir));
	answered = 0;
	open_log();
	return sem_init(&ready, 0, 0) || sem_init(&go, 0, 0);
}

static int teardown(void **state)
{
	(void)state;
	sem_destroy(&ready);
	sem_destroy(&go);
	tree_remove(dir);
	return 0;
}

/* Of two calls one lets the ring go, and none that of the other. */
static void test_next_log(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	start(threads, change_logs);
	assert_int_equal(hft_log_close(the_log), 0);
	open_log();
	check_end(threads);
#ifdef __x86_64__
	/* By the call for the ring of the log that was closed, and by who takes that from it. */
	assert_true(count_releases() >= 2);
#endif
}

/* Keys are taken in the order in which they were made: the log's is between. */
static void arm_at_end(void *nr)
{
	arm((uintptr_t)nr);
}

static void disarm_at_end(void *unused)
{
	(void)unused;
	disarm();
}

static void *end(void *nr)
{
	if (!log_call(0))
		atomic_fetch_add(&answered, 1);
	sem_post(&ready);
	while (sem_wait(&go))
		;
	pthread_setspecific(first_key, nr);
	pthread_setspecific(last_key, nr);
	return NULL;
}

/* The ring of a thread that ends takes no call, or it is told of. */
static void test_end(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	assert_int_equal(pthread_key_create(&last_key, disarm_at_end), 0);
	start(threads, end);
	check_end(threads);
#ifdef __x86_64__
	assert_true(count_releases() >= 1);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_next_log, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end, setup, teardown),
	};
	struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO };

	if (sigaction(SIGTRAP, &action, NULL) || pthread_key_create(&first_key, arm_at_end))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
