// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/*
 * The control file of a process that logs is cut off, written over, removed: the process goes on,
 * tells of it, and restores it, so that its rings are found when it is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "log/control.h"
#include "log_numbers.h"

#define LOOK_US		1000

HFT_LOG_EVENT(event_plain, "plain", "number", HFT_LOG_NOTICE, HFT_LOG_PLAIN, (u64, number))

static char path[PATH_MAX + 16];
static struct log_control before;	/* it was damaged */
static atomic_uint restored;
static atomic_uint failed;
static uint64_t number;

static int make_path(void **state)
{
	int err = make_folder(state);

	snprintf(path, sizeof(path), "%s/control", dir);
	restored = 0;
	failed = 0;
	number = 0;
	return err;
}

static void hear(void *arg, enum hft_log_store_event event, int err, const char *text)
{
	(void)arg;
	if (event == HFT_LOG_STORE_CONTROL && strstr(text, "/control was "))
		(*(err ? &failed : &restored))++;
}

/* What is logged stays in the ring. */
static int open_and_hear(void)
{
	HFT_OPTS(hft_log_store_opts, store, .notify = hear,
		 .flush_ns = PATIENCE_S * 1000000000ull);
	HFT_OPTS(hft_log_opts, opts, .store = &store);

	return hft_log_open(&the_log, dir, &opts);
}

static int write_over(off_t at, size_t size)
{
	char bytes[sizeof(struct log_control)];
	int fd = open(path, O_WRONLY);
	ssize_t done;

	memset(bytes, 0xa5, sizeof(bytes));
	done = pwrite(fd, bytes, size, at);
	close(fd);
	return done == (ssize_t)size ? 0 : -1;
}

static int cut_off(void)
{
	return truncate(path, 0);
}

static int cut_in_half(void)
{
	return truncate(path, sizeof(struct log_control) / 2);
}

static int lengthen(void)
{
	return truncate(path, 1 << 20);
}

static int write_over_all(void)
{
	return write_over(0, sizeof(struct log_control));
}

static int write_over_folder(void)
{
	return write_over(offsetof(struct log_control, ring_dir), LOG_CONTROL_PATH);
}

static int write_over_streams(void)
{
	const uint64_t none = 0;
	int fd = open(path, O_WRONLY);
	ssize_t done = pwrite(fd, &none, sizeof(none), offsetof(struct log_control, streams));

	close(fd);
	return done == sizeof(none) ? 0 : -1;
}

static int take_away(void)
{
	return unlink(path);
}

static int replace(void)
{
	return unlink(path) || symlink("/dev/zero", path);
}

/* As it was before, and the process logs meanwhile. */
static int await_restored(unsigned int times)
{
	struct log_control it;

	while (restored < times) {
		if (event_number(number++))
			return -1;
		usleep(LOOK_US);
	}
	return log_control_read(dir, &it) || memcmp(&it, &before, sizeof(it));
}

static void test_damage(void **state)
{
	int (*const damages[])(void) = {
		cut_off, cut_in_half, lengthen, write_over_all, write_over_folder,
		write_over_streams, take_away, replace,
	};
	unsigned int i;

	(void)state;
	assert_int_equal(open_and_hear(), 0);
	assert_int_equal(event_number(number++), 0);
	assert_int_equal(hft_log_set_level(the_log, "nothing*", HFT_LOG_TRACE), 0);
	assert_int_equal(log_control_read(dir, &before), 0);
	assert_int_equal(before.nr_rules, 1);
	for (i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		assert_int_equal(damages[i](), 0);
		assert_int_equal(await_restored(i + 1), 0);
	}
	assert_int_equal(hft_log_close(the_log), 0);
	assert_int_equal(restored, i);
	assert_int_equal(failed, 0);
}

/* It can not be: that is told once, and the process logs on.  Then it can. */
static void test_not_restored(void **state)
{
	char hidden[sizeof(path)];
	unsigned int looks;

	(void)state;
	snprintf(hidden, sizeof(hidden), "%s/.control", dir);
	assert_int_equal(open_and_hear(), 0);
	assert_int_equal(event_number(number++), 0);
	assert_int_equal(log_control_read(dir, &before), 0);
	assert_int_equal(mkdir(hidden, 0700), 0);
	assert_int_equal(unlink(path), 0);
	while (!failed)
		usleep(LOOK_US);
	for (looks = 0; looks < 200; looks++) {
		assert_int_equal(event_number(number++), 0);
		usleep(LOOK_US);
	}
	assert_int_equal(rmdir(hidden), 0);
	assert_int_equal(await_restored(1), 0);
	assert_int_equal(hft_log_close(the_log), 0);
	assert_int_equal(failed, 1);
}

/* Rules from outside are followed afterwards as before. */
static void test_rules(void **state)
{
	uint64_t sequence;

	(void)state;
	assert_int_equal(open_and_hear(), 0);
	assert_int_equal(event_number(number++), 0);
	assert_int_equal(log_control_read(dir, &before), 0);
	assert_int_equal(cut_off(), 0);
	assert_int_equal(await_restored(1), 0);
	assert_int_equal(hft_log_control(dir, "pl*", HFT_LOG_OFF), 0);
	assert_int_equal(event_plain(0), 0);
	do {
		sequence = hft_log_self[HFT_LOG_PLAIN]->reserved;
		assert_int_equal(event_plain(0), 0);
		usleep(LOOK_US);
	} while (sequence != hft_log_self[HFT_LOG_PLAIN]->reserved);
	assert_int_equal(hft_log_close(the_log), 0);
}

/* Who has changed rules is told of all that one call of hftctl log may take away and set. */
static void test_rules_taken_away(void **state)
{
	struct log_control it;
	char pattern[16];
	unsigned int i;

	(void)state;
	assert_int_equal(open_and_hear(), 0);
	for (i = 0; i < 2 * LOG_RULES; i++) {
		if (i == LOG_RULES) {
			assert_int_equal(hft_log_control(dir, "more", HFT_LOG_OFF), -E2BIG);
			assert_int_equal(hft_log_control(dir, NULL, HFT_LOG_UNSET), 0);
		}
		snprintf(pattern, sizeof(pattern), "rule%u", i);
		assert_int_equal(hft_log_control(dir, pattern, HFT_LOG_INFO), 0);
	}
	assert_int_equal(hft_log_control(dir, "more", HFT_LOG_OFF), -E2BIG);
	assert_int_equal(log_control_read(dir, &it), 0);
	assert_int_equal(it.nr_rules, 2 * LOG_RULES);
	for (i = 0; i < it.nr_rules; i++) {
		assert_int_equal(it.rules[i].pid, getpid());
		assert_int_equal(it.rules[i].level, i < LOG_RULES ? HFT_LOG_UNSET : HFT_LOG_INFO);
	}
	assert_int_equal(hft_log_control(dir, NULL, HFT_LOG_UNSET), 0);
	assert_int_equal(hft_log_control(dir, "more", HFT_LOG_OFF), 0);
	assert_int_equal(log_control_read(dir, &it), 0);
	assert_int_equal(it.nr_rules, 2 * LOG_RULES);
	assert_string_equal(it.rules[0].pattern, "rule1");
	assert_string_equal(it.rules[2 * LOG_RULES - 1].pattern, "more");
	assert_int_equal(hft_log_close(the_log), 0);
}

/* One that changes rules and is stopped holds up nobody for ever. */
static void test_locked(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(open_and_hear(), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(hft_log_control(dir, "plain", HFT_LOG_OFF), -EBUSY);
	assert_non_null(strstr(hft_strerror(-EBUSY), "/control is locked"));
	close(fd);
	assert_int_equal(hft_log_control(dir, "plain", HFT_LOG_OFF), 0);
	assert_int_equal(hft_log_close(the_log), 0);
}

/* It says that it is closed, though nobody has looked at it in between. */
static void test_closed(void **state)
{
	struct log_control it;

	(void)state;
	assert_int_equal(open_and_hear(), 0);
	assert_int_equal(log_numbers(), 0);
	assert_int_equal(cut_off(), 0);
	assert_int_equal(hft_log_close(the_log), 0);
	assert_int_equal(log_control_read(dir, &it), 0);
	assert_int_equal(it.open, 0);
}

static void run_victim(void)
{
	if (open_and_hear() || log_numbers() || log_control_read(dir, &before) || cut_off())
		_exit(1);
	while (!restored)
		usleep(LOOK_US);
	raise(SIGKILL);
}

static void test_killed(void **state)
{
	struct hft_log_reader *reader;
	const struct hft_log_view *view;
	uint64_t next = 0;
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid)
		run_victim();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(hft_log_recover(dir, NULL), 0);
	reader = read_log("numbers");
	while (hft_log_reader_next(reader, &view) > 0)
		assert_int_equal(view->values[0].u, next++);
	hft_log_reader_close(reader);
	assert_int_equal(next, RECORDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_damage, make_path, remove_folder),
		cmocka_unit_test_setup_teardown(test_not_restored, make_path, remove_folder),
		cmocka_unit_test_setup_teardown(test_rules, make_path, remove_folder),
		cmocka_unit_test_setup_teardown(test_rules_taken_away, make_path, remove_folder),
		cmocka_unit_test_setup_teardown(test_locked, make_path, remove_folder),
		cmocka_unit_test_setup_teardown(test_closed, make_path, remove_folder),
		cmocka_unit_test_setup_teardown(test_killed, make_path, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
