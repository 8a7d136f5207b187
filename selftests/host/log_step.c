// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain */
/*
 * A process is killed at each system call that changes a file, from the opening of its log to
 * the end of closing it: the log can be opened again, and has each record whose call had
 * returned, once.
 *
 * HFT_TEST_SCALE=1000 leaves none out.
 */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#define HFT_LOG_SUBSYSTEM "step"
#include <hft/log.h>

#include "../include/scale.h"
#include "log_here.h"

#define RECORDS		20
#define PROCESSES	3
#define ROUNDS		12	/* of each test, about */
#define LEAST_CHANGES	50	/* of files, to open and close a log */

HFT_LOG_EVENT(event_count, "step", "count", HFT_LOG_NOTICE, HFT_LOG_AUDIT, (u64, process),
	      (u64, number))

/* Calls that have returned, of each process that logs to the folder */
static _Atomic uint64_t *calls;

static const long changing[] = {
	SYS_mkdirat, SYS_unlinkat, SYS_renameat, SYS_renameat2, SYS_ftruncate, SYS_fallocate,
	SYS_flock, SYS_write, SYS_pwrite64, SYS_fsync, SYS_fdatasync, SYS_msync, SYS_munmap,
	SYS_symlinkat,
#ifdef SYS_mkdir
	SYS_mkdir, SYS_rmdir, SYS_unlink, SYS_rename, SYS_symlink,
#endif
};

static bool changes_files(const struct __ptrace_syscall_info *info)
{
	size_t i;

	if (info->op != PTRACE_SYSCALL_INFO_ENTRY)
		return false;
	for (i = 0; i < sizeof(changing) / sizeof(changing[0]); i++) {
		if (info->entry.nr == (uint64_t)changing[i])
			return true;
	}
	return info->entry.nr == SYS_openat && info->entry.args[2] & O_CREAT;
}

static int open_log(void)
{
	HFT_OPTS(hft_log_store_opts, store, .packet_bytes = 16 << 10,
		 .flags = HFT_LOG_STORE_BUFFERED | HFT_LOG_STORE_NO_URING | HFT_LOG_STORE_NO_PACK);
	HFT_OPTS(hft_log_opts, opts, .ring_bytes = 64 << 10, .audit_bytes = 64 << 10,
		 .store = &store);

	return hft_log_open(&the_log, dir, &opts);
}

static int log_records(uint64_t process)
{
	uint64_t number;
	int err = 0;

	for (number = 0; number < RECORDS && !err; number++) {
		err = event_count(process, number);
		calls[process] += !err;
	}
	return err;
}

static void run_victim(uint64_t process)
{
	if (ptrace(PTRACE_TRACEME, 0, 0, 0))
		_exit(2);
	raise(SIGSTOP);
	_exit(open_log() || log_records(process) || hft_log_close(the_log));
}

/* Go on to the next stop of any thread.  Returns false when the process has ended. */
static bool step(pid_t pid, pid_t *thread, int *status)
{
	*thread = waitpid(-1, status, __WALL);
	assert_true(*thread > 0);
	return *thread != pid || !(WIFEXITED(*status) || WIFSIGNALED(*status));
}

static bool is_at_change(pid_t thread, int status)
{
	struct __ptrace_syscall_info info;

	if (!WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80))
		return false;
	return ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) > 0 &&
	       changes_files(&info);
}

/* Returns how many changes it was about to make; at the @nr-th it is killed. */
static unsigned int follow(pid_t pid, unsigned int nr)
{
	unsigned int count = 0;
	pid_t thread;
	int status;

	while (step(pid, &thread, &status)) {
		if (is_at_change(thread, status) && ++count == nr)
			kill(pid, SIGKILL);
		if (WIFSTOPPED(status))
			ptrace(PTRACE_SYSCALL, thread, 0, 0);
	}
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	while (waitpid(-1, &status, __WALL) > 0)
		;
	return count;
}

static unsigned int kill_at(uint64_t process, unsigned int nr)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		run_victim(process);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSTOPPED(status))
		skip();		/* nothing may be traced here */
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, 0, options), 0);
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
	return follow(pid, nr);
}

/* It logs, and is killed: its records are in rings, and maybe in files. */
static void leave_rings(uint64_t process)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (open_log() || log_records(process))
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

/* Once each; one that was amid its call may be there, too. */
static void check_records(void)
{
	unsigned int seen[PROCESSES][RECORDS] = {}, process, number;
	struct hft_log_reader *reader = read_log("step");
	const struct hft_log_view *view;
	int ret;

	while ((ret = hft_log_reader_next(reader, &view)) > 0) {
		assert_true(view->values[0].u < PROCESSES && view->values[1].u < RECORDS);
		assert_int_equal(seen[view->values[0].u][view->values[1].u]++, 0);
	}
	assert_int_equal(ret, 0);
	hft_log_reader_close(reader);
	for (process = 0; process < PROCESSES; process++) {
		for (number = 0; number < calls[process]; number++)
			assert_int_equal(seen[process][number], 1);
	}
}

/* The next process finds nothing in its way, and leaves nothing. */
static void open_again(uint64_t process, unsigned int nr)
{
	HFT_OPTS(hft_log_info, info);
	int err = open_log();

	if (err)
		fail_msg("killed before change %u: open: %s", nr, hft_strerror(err));
	assert_int_equal(hft_log_look(dir, &info), 0);
	assert_int_equal(log_records(process), 0);
	assert_int_equal(hft_log_close(the_log), 0);
	assert_int_equal(access(info.ring_dir, F_OK), -1);
	check_records();
}

static unsigned int do_round(bool left, unsigned int nr)
{
	unsigned int count;

	tree_make(dir, NULL, 0);
	memset((void *)calls, 0, PROCESSES * sizeof(*calls));
	if (left)
		leave_rings(0);
	count = kill_at(1, nr);
	open_again(2, nr);
	tree_remove(dir);
	return count;
}

static void check_kills(bool left)
{
	uint64_t rounds = hft_test_scaled(ROUNDS);
	unsigned int nr, count = do_round(left, UINT32_MAX), stride, killed = 0;

	assert_true(count > LEAST_CHANGES);
	stride = count > rounds ? (unsigned int)(count / rounds) : 1;
	for (nr = 1; nr <= count; nr += stride, killed++)
		do_round(left, nr);
	print_message("%u changes, %u kills\n", count, killed);
}

static void test_new(void **state)
{
	(void)state;
	check_kills(false);
}

/* What another process has left is recovered first. */
static void test_left(void **state)
{
	(void)state;
	check_kills(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new),
		cmocka_unit_test(test_left),
	};

	calls = mmap(NULL, PROCESSES * sizeof(*calls), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (calls == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
