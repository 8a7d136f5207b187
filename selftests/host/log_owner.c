// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Whose a log is: processes that live, die, fork, and what they find where a log should be. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>
#define HFT_LOG_SUBSYSTEM "owner"
#include <hft/log.h>

#include "log_here.h"

#define RECORDS		100
#define PATIENCE_S	60

HFT_LOG_EVENT(event_number, "owner", "number", HFT_LOG_NOTICE, HFT_LOG_AUDIT, (u64, number))

static int make_folder(void **state)
{
	(void)state;
	tree_make(dir, NULL, 0);
	alarm(PATIENCE_S);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	alarm(0);
	tree_remove(dir);
	return 0;
}

static int log_numbers(void)
{
	uint64_t number;
	int err = 0;

	for (number = 0; number < RECORDS && !err; number++)
		err = event_number(number);
	return err;
}

static void check_numbers(void)
{
	struct hft_log_reader *reader = read_log("owner");
	const struct hft_log_view *view;
	uint64_t number;

	for (number = 0; number < RECORDS; number++) {
		assert_int_equal(hft_log_reader_next(reader, &view), 1);
		assert_int_equal(view->values[0].u, number);
	}
	assert_int_equal(hft_log_reader_next(reader, &view), 0);
	hft_log_reader_close(reader);
}

/**
 * struct owner - a process that has logged, and waits
 * @pid: its
 * @hold: as long as this is open, a child of it lives
 */
struct owner {
	pid_t pid;
	int hold;
};

static void wait_for_end(int fd)
{
	char c;

	while (read(fd, &c, 1) > 0)
		;
	_exit(0);
}

static void run_owner(const int ready[2], const int hold[2], bool forks)
{
	close(hold[1]);
	if (hft_log_open(&the_log, dir, NULL) || log_numbers())
		_exit(1);
	if (forks && !fork()) {
		close(ready[1]);
		wait_for_end(hold[0]);
	}
	if (write(ready[1], "", 1) != 1)
		_exit(2);
	wait_for_end(hold[0]);
}

static void start_owner(struct owner *owner, bool forks)
{
	int ready[2], hold[2];
	char c;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(hold), 0);
	owner->pid = fork();
	assert_true(owner->pid >= 0);
	if (!owner->pid)
		run_owner(ready, hold, forks);
	close(ready[1]);
	close(hold[0]);
	owner->hold = hold[1];
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
}

static void kill_owner(const struct owner *owner)
{
	int status;

	kill(owner->pid, SIGKILL);
	assert_int_equal(waitpid(owner->pid, &status, 0), owner->pid);
	assert_true(WIFSIGNALED(status));
}

/* A child that lives on has neither the log nor its locks. */
static void test_child_lives_on(void **state)
{
	struct owner owner;

	(void)state;
	start_owner(&owner, true);
	assert_int_equal(hft_log_recover(dir, NULL), -EBUSY);
	kill_owner(&owner);
	assert_int_equal(hft_log_recover(dir, NULL), 0);
	check_numbers();
	close(owner.hold);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_child_lives_on, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
