// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* The lock that is held for moments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/futex.h>

#include <hft/hft.h>

#include "lock.h"

#define THREADS		4
#define LOWEST		91		/* priority: what else is real-time here is below */
#define SEC		1000000000ULL
#define PATIENCE	(60 * SEC)

#ifdef __SANITIZE_THREAD__
#define TURNS		20000
#else
#define TURNS		200000
#endif

struct crowd {
	struct hft_lock lock;
	uint64_t counter;
};

static void *take_turns(void *arg)
{
	struct crowd *crowd = arg;
	unsigned int i;

	for (i = 0; i < TURNS; i++) {
		hft_lock(&crowd->lock);
		crowd->counter++;
		/* While others wait in the kernel, too. */
		if (i % 1024 == 0)
			sched_yield();
		hft_unlock(&crowd->lock);
	}
	return NULL;
}

static void one_at_a_time(void **state)
{
	struct crowd crowd = {};
	pthread_t threads[THREADS];
	unsigned int i;

	(void)state;
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_turns, &crowd), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(crowd.counter, THREADS * TURNS);
	assert_int_equal(crowd.lock.word, 0);
}

static void it_knows_its_holder(void **state)
{
	struct hft_lock lock = {};
	int status;
	pid_t pid;

	(void)state;
	hft_lock(&lock);
	assert_int_equal(lock.word, getpid());
	hft_unlock(&lock);
	pid = fork();
	if (!pid) {
		hft_lock(&lock);
		_exit(lock.word != (uint32_t)getpid());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void *let_go(void *arg)
{
	struct hft_lock *lock = arg;

	usleep(2000);
	atomic_store(&lock->word, 0);
	return NULL;
}

/* The kernel knows of no thread that it could lend a priority to. */
static void it_waits_for_who_is_gone(void **state)
{
	struct hft_lock lock = { .word = FUTEX_TID_MASK };
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, let_go, &lock), 0);
	hft_lock(&lock);
	assert_int_equal(lock.word, gettid());
	hft_unlock(&lock);
	pthread_join(thread, NULL);
}

/* Three threads on one CPU; the highest waits for the lowest. */
struct inversion {
	struct hft_lock lock;
	atomic_bool held;
	atomic_bool hogged;
	atomic_bool done;
	bool in_time;
};

static void *hold(void *arg)
{
	struct inversion *t = arg;

	hft_lock(&t->lock);
	atomic_store(&t->held, true);
	while (!(atomic_load(&t->lock.word) & FUTEX_WAITERS))
		;
	hft_unlock(&t->lock);
	return NULL;
}

static void *hog(void *arg)
{
	struct inversion *t = arg;
	uint64_t end = hft_now() + 5 * SEC;

	atomic_store(&t->hogged, true);
	while (!atomic_load(&t->done) && hft_now() < end)
		;
	atomic_store(&t->hogged, false);
	return NULL;
}

static void *want(void *arg)
{
	struct inversion *t = arg;

	hft_lock(&t->lock);
	t->in_time = atomic_load(&t->hogged);
	hft_unlock(&t->lock);
	atomic_store(&t->done, true);
	return NULL;
}

/* Returns an errno. */
static int start(pthread_t *thread, int priority, void *(*fn)(void *), void *arg)
{
	struct sched_param param = { .sched_priority = priority };
	pthread_attr_t attr;
	cpu_set_t allowed, cpus;
	int err, cpu = 0;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	while (!CPU_ISSET(cpu, &allowed))
		cpu++;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	err = pthread_create(thread, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	return err;
}

static void wait_for(const atomic_bool *flag)
{
	uint64_t end = hft_now() + PATIENCE;

	while (!atomic_load(flag)) {
		assert_true(hft_now() < end);
		usleep(1000);
	}
}

/* Who spins for a lower one on its own CPU would do so for ever. */
static void a_holder_is_lent_the_priority(void **state)
{
	struct inversion t = {};
	pthread_t low, middle, high;

	(void)state;
	if (start(&low, LOWEST, hold, &t)) {
		print_message("real-time priorities are not this user's to have\n");
		skip();
	}
	wait_for(&t.held);
	assert_int_equal(start(&middle, LOWEST + 1, hog, &t), 0);
	wait_for(&t.hogged);
	assert_int_equal(start(&high, LOWEST + 2, want, &t), 0);
	pthread_join(high, NULL);
	pthread_join(middle, NULL);
	pthread_join(low, NULL);
	assert_true(t.in_time);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(it_knows_its_holder),
		cmocka_unit_test(it_waits_for_who_is_gone),
		cmocka_unit_test(a_holder_is_lent_the_priority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
