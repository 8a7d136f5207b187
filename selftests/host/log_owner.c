// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Whose a log is: processes that live, die, fork, and what they find where a log should be. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "log/control.h"
#include "log/locked.h"
#include "log_numbers.h"

static char path[PATH_MAX + 16];

static int make_path(void **state)
{
	int err = make_folder(state);

	snprintf(path, sizeof(path), "%s/control", dir);
	return err;
}

static void check_numbers(void)
{
	struct hft_log_reader *reader = read_log("numbers");
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
	/* It is the child that tells: it has given up the locks by then. */
	if (forks && fork()) {
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

static void leave_rings(void)
{
	struct owner owner;

	start_owner(&owner, false);
	kill_owner(&owner);
	close(owner.hold);
}

/* What a child closes in vain is not what it has opened since. */
static void test_child_closes(void **state)
{
	int fd = log_locked_open(dir, 0), status;
	pid_t pid;

	(void)state;
	assert_true(fd >= 0);
	pid = fork();
	if (!pid) {
		if (open("/dev/null", O_RDONLY) != fd)
			_exit(2);
		log_locked_close(fd);
		_exit(fcntl(fd, F_GETFD) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	log_locked_close(fd);
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

static void put_control(const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	close(fd);
}

/* What a loss of power may have left of the control file is no obstacle to the next process. */
static void test_torn_control(void **state)
{
	static const struct log_control zeroes;
	const struct log_control half = {
		.magic = LOG_CONTROL_MAGIC, .version = LOG_CONTROL_VERSION, .open = 1,
	};
	static const size_t sizes[] = { 0, 100, sizeof(zeroes), 64 };
	char aside[PATH_MAX + 16];
	size_t i;

	(void)state;
	snprintf(aside, sizeof(aside), "%s/control.bad", dir);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		put_control(i == 3 ? &half : &zeroes, sizes[i]);
		assert_int_equal(hft_log_recover(dir, NULL), -EBADMSG);
		open_log();
		assert_int_equal(access(aside, F_OK), 0);
		assert_int_equal(event_number(i), 0);
		assert_int_equal(hft_log_close(the_log), 0);
		assert_int_equal(unlink(aside), 0);
	}
}

static char refused[256];		/* why */

static void check_refused(int err)
{
	HFT_OPTS(hft_log_info, info);
	struct stat before, after;

	assert_int_equal(lstat(path, &before), 0);
	assert_int_equal(hft_log_look(dir, &info), err);
	snprintf(refused, sizeof(refused), "%s", hft_strerror(err));
	assert_true(hft_log_recover(dir, NULL) < 0);
	assert_true(hft_log_open(&the_log, dir, NULL) < 0);
	assert_int_equal(lstat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(remove(path), 0);
}

/* What is another's is left as it is, and nobody waits for it. */
static void test_other_control(void **state)
{
	struct log_control other = { .magic = LOG_CONTROL_MAGIC, .version = 9 };

	(void)state;
	assert_int_equal(symlink("/dev/zero", path), 0);
	check_refused(-ELOOP);
	assert_int_equal(mkfifo(path, 0600), 0);
	check_refused(-EBADMSG);
	assert_int_equal(mkdir(path, 0700), 0);
	check_refused(-EBADMSG);
	put_control(&other, sizeof(other));
	check_refused(-EBADMSG);
	other.version = 1;		/* that was shorter */
	put_control(&other, offsetof(struct log_control, rules));
	check_refused(-EBADMSG);
	assert_non_null(strstr(refused, "/control is of version 1, of another libhft"));
	put_control("text", 4);
	assert_int_equal(truncate(path, 1ll << 40), 0);
	check_refused(-EBADMSG);
}

/* Rings that can not be seen are not those of a machine that was switched off. */
static void test_rings_not_seen(void **state)
{
	HFT_OPTS(hft_log_info, info);
	char away[300];

	(void)state;
	leave_rings();
	assert_int_equal(hft_log_look(dir, &info), 0);
	snprintf(away, sizeof(away), "%s.away", info.ring_dir);
	assert_int_equal(rename(info.ring_dir, away), 0);
	assert_int_equal(hft_log_recover(dir, NULL), -ENXIO);
	assert_int_equal(hft_log_open(&the_log, dir, NULL), -ENXIO);
	assert_int_equal(rename(away, info.ring_dir), 0);
	assert_int_equal(hft_log_recover(dir, NULL), 0);
	check_numbers();
}

/* The machine was switched off: they are gone, and their numbers are not given again. */
static void test_switched_off(void **state)
{
	HFT_OPTS(hft_log_info, info);
	struct log_control control;
	uint64_t streams;
	int fd;

	(void)state;
	leave_rings();
	assert_int_equal(hft_log_look(dir, &info), 0);
	assert_int_equal(remove_tree(info.ring_dir), 0);
	fd = log_control_open(dir, &control);
	assert_true(fd >= 0);
	control.boot++;
	streams = control.streams;
	assert_int_equal(log_control_write(fd, &control, &control.boot, sizeof(control.boot)), 0);
	close(fd);
	assert_int_equal(hft_log_recover(dir, NULL), 0);
	assert_int_equal(log_control_read(dir, &control), 0);
	assert_true(control.streams > streams);
	assert_int_equal(control.open, 0);
	open_log();
	assert_int_equal(hft_log_close(the_log), 0);
}

/* As from another container: the same folder, and other rings. */
static int recover_elsewhere(void)
{
	if (unshare(CLONE_NEWNS | (getuid() ? CLONE_NEWUSER : 0)) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/dev/shm", "tmpfs", 0, "size=1m"))
		return 77;
	return -hft_log_recover(dir, NULL);
}

static int recover_in_container(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(recover_elsewhere());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_container(void **state)
{
	struct owner owner;
	int err;

	(void)state;
	start_owner(&owner, false);
	err = recover_in_container();
	if (err != 77) {
		assert_int_equal(err, EBUSY);
		kill_owner(&owner);
		assert_int_equal(recover_in_container(), ENXIO);
	} else {
		kill_owner(&owner);
	}
	close(owner.hold);
	assert_int_equal(hft_log_recover(dir, NULL), 0);
	check_numbers();
	if (err == 77)
		skip();
}

/* A process that is killed before anything of its two rings is in files. */
static void leave_unwritten(void)
{
	HFT_OPTS(hft_log_store_opts, store, .flush_ns = PATIENCE_S * 1000000000ull);
	HFT_OPTS(hft_log_opts, opts, .store = &store);
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (hft_log_open(&the_log, dir, &opts) || log_numbers() ||
		    hft_log(HFT_LOG_INFO, "plain") || raise(SIGKILL))
			_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

/* Write over a ring's file. */
static void scribble(enum hft_log_lane lane, off_t at, uint64_t word)
{
	HFT_OPTS(hft_log_info, info);
	struct hft_log_ring head;
	char name[512];
	unsigned int stream;
	int fd;

	assert_int_equal(hft_log_look(dir, &info), 0);
	for (stream = 1; stream <= HFT_LOG_LANES; stream++) {
		snprintf(name, sizeof(name), "%s/ring-%u", info.ring_dir, stream);
		fd = open(name, O_RDWR);
		assert_true(fd >= 0);
		assert_int_equal(pread(fd, &head, sizeof(head), 0), sizeof(head));
		if (head.lane == lane)
			assert_int_equal(pwrite(fd, &word, sizeof(word), at), sizeof(word));
		close(fd);
	}
}

static void hear(void *heard, enum hft_log_store_event event, int err, const char *text)
{
	if (event != HFT_LOG_STORE_RING)
		return;
	assert_int_equal(err, EBADMSG);
	assert_non_null(strstr(text, "ring-"));
	(*(unsigned int *)heard)++;
}

/* Recovers; one ring is told of, and kept.  Returns how many numbers there are in the log. */
static uint64_t recover_scribbled(void)
{
	unsigned int heard = 0;
	HFT_OPTS(hft_log_store_opts, opts, .notify = hear, .notify_arg = &heard);
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	char pattern[PATH_MAX + 16];
	uint64_t next = 0;
	glob_t found;

	assert_int_equal(hft_log_recover(dir, &opts), 0);
	assert_int_equal(heard, 1);
	snprintf(pattern, sizeof(pattern), "%s/*-ring-*.bad", dir);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	globfree(&found);
	open_log();
	assert_int_equal(hft_log_close(the_log), 0);
	reader = read_log("numbers");
	while (hft_log_reader_next(reader, &view) > 0) {
		if (view->site->name && !strcmp(view->site->name, "number"))
			assert_int_equal(view->values[0].u, next++);
	}
	hft_log_reader_close(reader);
	return next;
}

/* One ring that was written over is no reason to lose others, or what is before that. */
static void test_scribbled_head(void **state)
{
	(void)state;
	leave_unwritten();
	scribble(HFT_LOG_PLAIN, 0, 0);
	assert_int_equal(recover_scribbled(), RECORDS);
}

static void test_scribbled_record(void **state)
{
	(void)state;
	leave_unwritten();
	scribble(HFT_LOG_AUDIT, HFT_LOG_RING_HEAD + RECORDS / 2 * 24, 0);
	assert_int_equal(recover_scribbled(), RECORDS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_child_closes, make_path, remove_folder),
		cmocka_unit_test_setup_teardown(test_child_lives_on, make_path, remove_folder),
		cmocka_unit_test_setup_teardown(test_torn_control, make_path, remove_folder),
		cmocka_unit_test_setup_teardown(test_other_control, make_path, remove_folder),
		cmocka_unit_test_setup_teardown(test_rings_not_seen, make_path, remove_folder),
		cmocka_unit_test_setup_teardown(test_switched_off, make_path, remove_folder),
		cmocka_unit_test_setup_teardown(test_container, make_path, remove_folder),
		cmocka_unit_test_setup_teardown(test_scribbled_head, make_path, remove_folder),
		cmocka_unit_test_setup_teardown(test_scribbled_record, make_path, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
