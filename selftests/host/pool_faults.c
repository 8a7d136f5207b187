// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/*
 * Tasks that do what they should not: they raise signals, leave a handler by a jump or by
 * ending their thread, never return; and workers that go while they steal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hft/hft.h>
#include <hft/pool.h>

#include "random.h"

#define MSEC		1000000ULL
#define PATIENCE	(hft_now() + 100000 * MSEC)
#define WORKERS		3
#define ROUNDS		2000
#ifdef __SANITIZE_THREAD__
#define DEPTH		9
#define CHANGES		100
#else
#define DEPTH		13
#define CHANGES		500
#endif

static struct hft_pool *pool;
static atomic_uint times, signals, changes;

static int set_up(void **state)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = WORKERS, .flags = HFT_POOL_UNPINNED);

	(void)state;
	times = signals = changes = 0;
	return hft_pool_open(&pool, &opts);
}

static int tear_down(void **state)
{
	(void)state;
	hft_pool_close(pool);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	return 0;
}

/* Without SA_RESTART: what sleeps in the kernel is told. */
static void handle(int number, void (*handler)(int number))
{
	struct sigaction action = { .sa_handler = handler };

	assert_int_equal(sigaction(number, &action, NULL), 0);
}

static void count_signal(int number)
{
	(void)number;
	atomic_fetch_add(&signals, 1);
}

static int64_t count_run(void *args)
{
	(void)args;
	atomic_fetch_add(&times, 1);
	return 0;
}

static int64_t raise_and_count(void *args)
{
	raise(SIGUSR1);
	return count_run(args);
}

static void a_signal_with_a_handler(void **state)
{
	struct hft_group group;
	unsigned int i;

	(void)state;
	handle(SIGUSR1, count_signal);
	hft_group_init(&group, pool);
	for (i = 0; i < ROUNDS; i++)
		assert_int_equal(hft_group_spawn(&group, raise_and_count, NULL, 0), 0);
	assert_int_equal(hft_group_wait(&group, PATIENCE), 0);
	assert_int_equal(times, ROUNDS);
	assert_int_equal(signals, ROUNDS);
}

/* The process is sent signals: whoever gets them, asleep or not. */
static void *send_signals(void *arg)
{
	atomic_bool *done = arg;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (!atomic_load(done)) {
		kill(getpid(), SIGUSR1);
		usleep(50);
	}
	return NULL;
}

static void who_sleeps_is_signalled(void **state)
{
	atomic_bool done = false;
	struct hft_group group;
	struct hft_handle handle_of;
	pthread_t thread;
	int64_t result;
	unsigned int i;

	(void)state;
	handle(SIGUSR1, count_signal);
	hft_group_init(&group, pool);
	assert_int_equal(pthread_create(&thread, NULL, send_signals, &done), 0);
	for (i = 0; i < ROUNDS; i++) {
		assert_int_equal(hft_group_spawn(&group, count_run, NULL, 0), 0);
		assert_int_equal(hft_group_wait(&group, PATIENCE), 0);
		assert_int_equal(hft_spawn_opts(pool, count_run, NULL, 0, NULL, &handle_of), 0);
		assert_int_equal(hft_join(&handle_of, PATIENCE, &result), 0);
		assert_int_equal(times, 2 * (i + 1));
	}
	while (!atomic_load(&signals))
		usleep(100);
	assert_int_equal(hft_pool_remove_worker(pool, 1), 0);
	assert_int_equal(hft_pool_add_worker(pool, 0), 1);
	atomic_store(&done, true);
	pthread_join(thread, NULL);
}

#ifndef __SANITIZE_THREAD__
static __thread sigjmp_buf before_fault;
static void *no_access;

static void jump_back(int number)
{
	siglongjmp(before_fault, number);
}

static int64_t fault_and_recover(void *args)
{
	if (sigsetjmp(before_fault, 1))
		return -EFAULT;
	*(volatile int *)no_access = 1;
	return count_run(args);
}

/* A task that has prepared for its own faults. */
static void a_fault_that_is_recovered_from(void **state)
{
	struct hft_handle handle_of;
	struct hft_group group;
	int64_t result;
	unsigned int i;

	(void)state;
	no_access = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(no_access, MAP_FAILED);
	handle(SIGSEGV, jump_back);
	hft_group_init(&group, pool);
	for (i = 0; i < 100; i++) {
		assert_int_equal(hft_spawn_opts(pool, fault_and_recover, NULL, 0, NULL,
						&handle_of), 0);
		assert_int_equal(hft_group_spawn(&group, count_run, NULL, 0), 0);
		assert_int_equal(hft_join(&handle_of, PATIENCE, &result), 0);
		assert_int_equal(result, -EFAULT);
	}
	assert_int_equal(hft_group_wait(&group, PATIENCE), 0);
	assert_int_equal(times, 100);
	munmap(no_access, 4096);
}

static void end_thread(int number)
{
	(void)number;
	pthread_exit(NULL);
}

/* The handler ends the thread: as a task does that calls pthread_exit(). */
static void a_handler_that_ends_the_thread(void **state)
{
	struct hft_handle handle_of;
	int64_t result;
	unsigned int i;

	(void)state;
	handle(SIGUSR1, end_thread);
	for (i = 0; i < 20; i++) {
		assert_int_equal(hft_spawn_opts(pool, raise_and_count, NULL, 0, NULL, &handle_of),
				 0);
		assert_int_equal(hft_join(&handle_of, PATIENCE, &result), 0);
		assert_int_equal(result, -EOWNERDEAD);
	}
	assert_int_equal(times, 0);
}
#endif

static int64_t kill_process(void *args)
{
	(void)args;
	raise(SIGUSR1);
	return 0;
}

/* Without a handler the process ends, as it would without a pool. */
static void a_signal_without_a_handler(void **state)
{
	struct hft_handle handle_of;
	int status;
	pid_t pid;

	(void)state;
	hft_pool_close(pool);
	pool = NULL;
	pid = fork();
	if (!pid) {
		signal(SIGUSR1, SIG_DFL);
		if (set_up(NULL) ||
		    hft_spawn_opts(pool, kill_process, NULL, 0, NULL, &handle_of))
			_exit(1);
		hft_join(&handle_of, PATIENCE, NULL);
		_exit(2);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGUSR1);
}

static int64_t wait_for_end(void *args)
{
	const atomic_bool *end = *(atomic_bool **)args;

	atomic_fetch_add(&times, 1);
	while (!atomic_load(end))
		usleep(100);
	return hft_pool_worker();
}

static uint64_t executed_by(uint32_t worker, bool running)
{
	HFT_OPTS(hft_pool_stats, stats);

	assert_int_equal(hft_pool_stats(pool, worker, &stats), 0);
	if (running)
		assert_int_equal(stats.running, 1);
	return stats.executed;
}

/* Others go on; who looks sees where it is; its worker can be let go. */
static void a_task_that_does_not_return(void **state)
{
	HFT_OPTS(hft_spawn_opts, opts, .worker = 2);
	atomic_bool end = false, *of = &end;
	struct hft_handle handle_of;
	struct hft_group group;
	int64_t result;
	uint64_t seen;
	unsigned int i;

	(void)state;
	assert_int_equal(hft_spawn_opts(pool, wait_for_end, &of, sizeof(of), &opts, &handle_of), 0);
	while (!atomic_load(&times))
		usleep(100);
	seen = executed_by(1, true);
	hft_group_init(&group, pool);
	for (i = 0; i < ROUNDS; i++)
		assert_int_equal(hft_group_spawn(&group, count_run, NULL, 0), 0);
	assert_int_equal(hft_group_wait(&group, PATIENCE), 0);
	assert_int_equal(executed_by(1, true), seen);
	assert_int_equal(hft_join(&handle_of, hft_now() + MSEC, &result), -ETIMEDOUT);

	assert_int_equal(hft_pool_remove_worker_timed(pool, 1, hft_now() + MSEC), -ETIMEDOUT);
	assert_int_equal(hft_pool_remove_worker_timed(pool, 1, 0), -ETIMEDOUT);
	assert_int_equal(hft_pool_add_worker(pool, 0), WORKERS);
	assert_int_equal(hft_spawn_opts(pool, count_run, NULL, 0, NULL, NULL), 0);
	atomic_store(&end, true);
	assert_int_equal(hft_pool_remove_worker_timed(pool, 1, UINT64_MAX), 0);
	assert_int_equal(hft_pool_remove_worker_timed(pool, 1, UINT64_MAX), -ENOENT);
	assert_int_equal(hft_join(&handle_of, PATIENCE, &result), 0);
	assert_int_equal(result, 1);
	assert_int_equal(hft_pool_add_worker(pool, 0), 1);
}

struct tree {
	struct hft_group *group;
	uint32_t depth;
};

static int64_t grow(void *args)
{
	struct tree tree = *(struct tree *)args;
	unsigned int i;
	int err = 0;

	atomic_fetch_add(&times, 1);
	if (!tree.depth--)
		return 0;
	for (i = 0; i < 2 && !err; i++)
		err = hft_group_spawn(tree.group, grow, &tree, sizeof(tree));
	return err;
}

static void *come_and_go(void *arg)
{
	atomic_bool *done = arg;
	uint64_t random = 3;
	int worker;

	while (!atomic_load(done)) {
		/* Worker 0 stays. */
		if (hft_pool_remove_worker(pool, 1 + random_below(&random, WORKERS - 1)))
			continue;
		worker = hft_pool_add_worker(pool, 0);
		if (worker < 0)
			return arg;
		atomic_fetch_add(&changes, 1);
	}
	return NULL;
}

/* All tasks come of few: workers have what they have stolen, and are removed at it. */
static void workers_go_while_they_steal(void **state)
{
	atomic_bool done = false;
	struct hft_group group;
	struct tree tree = { &group, DEPTH };
	pthread_t threads[2];
	void *failed;
	unsigned int i;

	(void)state;
	hft_group_init(&group, pool);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &done), 0);
	while (atomic_load(&changes) < CHANGES) {
		atomic_store(&times, 0);
		assert_int_equal(hft_group_spawn(&group, grow, &tree, sizeof(tree)), 0);
		assert_int_equal(hft_group_wait(&group, PATIENCE), 0);
		assert_int_equal(times, (2U << DEPTH) - 1);
	}
	atomic_store(&done, true);
	for (i = 0; i < 2; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
}

#define with(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static int64_t do_nothing(void *args)
{
	(void)args;
	return 0;
}

/* The thread sanitizer lets no child of several threads start one. */
static bool own_pool_runs(void)
{
#ifndef __SANITIZE_THREAD__
	HFT_OPTS(hft_pool_opts, opts, .workers = 1, .flags = HFT_POOL_UNPINNED);
	struct hft_group group;
	struct hft_pool *own;

	if (hft_pool_open(&own, &opts))
		return false;
	hft_group_init(&group, own);
	if (hft_group_spawn(&group, do_nothing, NULL, 0) || hft_group_wait(&group, UINT64_MAX))
		return false;
	hft_pool_close(own);
#endif
	return true;
}

/* @group has a task that has not ended.  Returns the number of what is wrong, or 0. */
static int check_child(struct hft_group *group)
{
	HFT_OPTS(hft_spawn_opts, opts, .group = group);

	if (hft_group_spawn(group, do_nothing, NULL, 0) != -EOWNERDEAD)
		return 1;
	if (hft_spawn_opts(pool, do_nothing, NULL, 0, &opts, NULL) != -EOWNERDEAD)
		return 2;
	if (hft_group_wait(group, UINT64_MAX) != -EOWNERDEAD)
		return 3;
	if (hft_pool_add_worker(pool, 0) != -EOWNERDEAD ||
	    hft_pool_remove_worker(pool, 0) != -EOWNERDEAD)
		return 4;
	hft_pool_close(pool);
	return own_pool_runs() ? 0 : 5;
}

static void a_child_has_no_workers(void **state)
{
	atomic_bool ends = false, *end = &ends;
	struct hft_group group;
	int status;
	pid_t pid;

	(void)state;
	hft_group_init(&group, pool);
	assert_int_equal(hft_group_spawn(&group, wait_for_end, &end, sizeof(end)), 0);
	pid = fork();
	if (!pid) {
		alarm(60);
		_exit(check_child(&group));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	atomic_store(&ends, true);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
	assert_int_equal(hft_group_spawn(&group, do_nothing, NULL, 0), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with(a_signal_with_a_handler),
		with(who_sleeps_is_signalled),
#ifndef __SANITIZE_THREAD__
		with(a_fault_that_is_recovered_from),
		with(a_handler_that_ends_the_thread),
#endif
		with(a_signal_without_a_handler),
		with(a_task_that_does_not_return),
		with(workers_go_while_they_steal),
		with(a_child_has_no_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
