// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Threads of a log run beside those that trade: of a machine with two CPUs at least. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#define HFT_LOG_SUBSYSTEM "cpus"
#include <hft/log.h>

#include "log_folder.h"

#define THREADS	4		/* of a log: drainer, hasher, keeper, packer */
#define TRIES	10000		/* ms */

static cpu_set_t all;
static int cpus[2], nr_cpus;
static atomic_uint told;
static sem_t all_seen;

static void hear(void *arg, enum hft_log_store_event event, int err, const char *text)
{
	(void)arg;
	(void)err;
	(void)text;
	told += event == HFT_LOG_STORE_CPUS;
}

static void bind_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

static struct hft_log *open_told(const char *list)
{
	HFT_OPTS(hft_log_store_opts, store, .notify = hear);
	HFT_OPTS(hft_log_opts, opts, .store = &store, .cpus = list);

	told = 0;
	return open_with(&opts);
}

/* How many threads of the log there are, and of these, which may run on @cpu. */
static unsigned int count_threads(int cpu, unsigned int *there)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned int nr = 0;
	struct dirent *task;
	char path[300], name[32];
	cpu_set_t set;
	FILE *file;

	assert_non_null(tasks);
	*there = 0;
	while ((task = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file) && !strncmp(name, "hft-log", 7) &&
		    !sched_getaffinity(atoi(task->d_name), sizeof(set), &set)) {
			nr++;
			*there += !!CPU_ISSET(cpu, &set);
		}
		fclose(file);
	}
	closedir(tasks);
	return nr;
}

static void check_left(int cpu)
{
	unsigned int there;

	assert_int_equal(count_threads(cpu, &there), THREADS);
	assert_int_equal(there, 0);
}

/* The drainer hears of a ring soon. */
static void wait_left(int cpu)
{
	unsigned int there = 1, i;

	for (i = 0; there && i < TRIES; i++) {
		usleep(1000);
		count_threads(cpu, &there);
	}
	check_left(cpu);
}

static void wait_told(void)
{
	unsigned int i;

	for (i = 0; !told && i < TRIES; i++)
		usleep(1000);
	assert_int_equal(told, 1);
}

static void need_two(void)
{
	if (nr_cpus == 2)
		return;
	print_message("it may run on one CPU only\n");
	skip();
}

static void test_opener(void **state)
{
	struct hft_log *log;

	(void)state;
	need_two();
	bind_to(cpus[1]);
	log = open_told(NULL);
	check_left(cpus[1]);
	assert_int_equal(told, 0);
	assert_int_equal(hft_log_close(log), 0);
}

static void *log_bound(void *cpu)
{
	bind_to(*(int *)cpu);
	assert_int_equal(hft_log(HFT_LOG_INFO, "bound"), 0);
	sem_wait(&all_seen);
	return NULL;
}

/* With two CPUs, both are taken then. */
static void test_thread(void **state)
{
	pthread_t threads[2];
	struct hft_log *log;
	int i;

	(void)state;
	need_two();
	sem_init(&all_seen, 0, 0);
	log = open_told(NULL);
	assert_int_equal(pthread_create(&threads[0], NULL, log_bound, &cpus[1]), 0);
	wait_left(cpus[1]);
	assert_int_equal(told, 0);
	assert_int_equal(pthread_create(&threads[1], NULL, log_bound, &cpus[0]), 0);
	if (CPU_COUNT(&all) == 2)
		wait_told();
	else
		wait_left(cpus[0]);
	for (i = 0; i < 2; i++)
		sem_post(&all_seen);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(hft_log_close(log), 0);
}

/* Who says which CPUs has these. */
static void test_given(void **state)
{
	HFT_OPTS(hft_log_opts, opts, .cpus = "1023");
	struct hft_log *log;
	unsigned int there;
	char list[16];

	(void)state;
	need_two();
	bind_to(cpus[1]);
	snprintf(list, sizeof(list), "%d", cpus[1]);
	log = open_told(list);
	assert_int_equal(hft_log(HFT_LOG_INFO, "bound"), 0);
	assert_int_equal(hft_log_flush(log, 0, WAIT_NS), 0);
	assert_int_equal(count_threads(cpus[1], &there), THREADS);
	assert_int_equal(there, THREADS);
	check_left(cpus[0]);
	assert_int_equal(told, 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(hft_log_open(&log, dir, &opts), -EINVAL);
}

static int set_up(void **state)
{
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	return make_folder(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_opener, set_up, remove_folder),
		cmocka_unit_test_setup_teardown(test_thread, set_up, remove_folder),
		cmocka_unit_test_setup_teardown(test_given, set_up, remove_folder),
	};
	int cpu;

	if (sched_getaffinity(0, sizeof(all), &all))
		return 1;
	for (cpu = 0; cpu < CPU_SETSIZE && nr_cpus < 2; cpu++)
		if (CPU_ISSET(cpu, &all))
			cpus[nr_cpus++] = cpu;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
