// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain */
/*
 * hft-tune among others, and ended in the middle: it puts everything back when it is killed
 * before any of its system calls, its watcher as well.
 */
#include <dirent.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>

#include "hft_tune.h"

/* Runs until it is told to end; says by the file "ready" that it has begun. */
static pid_t start_long(void)
{
	char script[3 * PATH_MAX], ready[PATH_MAX];
	pid_t pid;

	tree_path(ready, root, "/ready");
	unlink(ready);
	snprintf(script, sizeof(script),
		 "trap 'exit 9' TERM; : > %s; while [ -e %s ]; do sleep 0.02; done", ready, ready);
	pid = start(ARGS("-c", "2-3", "--", "sh", "-c", script), false);
	while (access(ready, F_OK)) {
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
		usleep(1000);
	}
	return pid;
}

static void end_long(void)
{
	tree_put(root, "/ready", NULL);
}

/* Until all who hold it are gone. */
static void wait_for_lock(void)
{
	char full[PATH_MAX];
	int fd;

	tree_path(full, root, "/run/hft-tune/lock");
	fd = open(full, O_RDWR);
	if (fd < 0)
		return;
	assert_int_equal(flock(fd, LOCK_EX), 0);
	close(fd);
}

static void test_two_at_once(void **state)
{
	pid_t pid = start_long();

	(void)state;
	assert_true(is_as(true));
	assert_int_equal(RUN("-c", "2-3", "--apply"), 125);
	assert_true(printed("another hft-tune is at work"));
	assert_int_equal(RUN("--restore"), 125);
	assert_true(is_as(true));
	end_long();
	assert_int_equal(end(pid), 0);
	assert_old("alone again", 0);
}

static void test_signals(void **state)
{
	pid_t pid = start_long();

	(void)state;
	kill(pid, SIGTERM);
	assert_int_equal(end(pid), 9);
	assert_old("after SIGTERM", 0);
	pid = start_long();
	kill(pid, SIGKILL);
	assert_int_equal(end(pid), 128 + SIGKILL);
	wait_for_lock();
	assert_old("after SIGKILL", 0);
	end_long();
}

static bool is_watcher(const char *pid, pid_t parent)
{
	char path[300], line[256] = "";
	int found_parent;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	return strstr(line, "(restore-tuning)") &&
	       sscanf(strrchr(line, ')'), ") %*c %d", &found_parent) == 1 &&
	       found_parent == parent;
}

static pid_t find_watcher(pid_t parent)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	assert_non_null(dir);
	while (!found && (entry = readdir(dir))) {
		if (is_watcher(entry->d_name, parent))
			found = (pid_t)atoi(entry->d_name);
	}
	closedir(dir);
	return found;
}

/* It takes its name a moment after it was made. */
static pid_t watcher_of(pid_t parent)
{
	pid_t found;

	while (!(found = find_watcher(parent)))
		usleep(1000);
	return found;
}

static void test_the_watcher_is_killed(void **state)
{
	pid_t pid = start_long(), watcher = watcher_of(pid);

	(void)state;
	kill(watcher, SIGKILL);
	while (watcher_of(pid) == watcher)
		usleep(1000);
	kill(pid, SIGKILL);
	assert_int_equal(end(pid), 128 + SIGKILL);
	wait_for_lock();
	assert_old("by another watcher", 0);
	end_long();

	/* Who is stopped can not make another. */
	pid = start_long();
	watcher = watcher_of(pid);
	kill(pid, SIGSTOP);
	kill(watcher, SIGKILL);
	kill(pid, SIGKILL);
	assert_int_equal(end(pid), 128 + SIGKILL);
	end_long();
	wait_for_lock();
	assert_true(is_as(true) && has_state());
	assert_int_equal(RUN("--restore"), 0);
	assert_old("both killed", 0);
}

#define FEW	"-c", "2-3", "--only", "irq_affinity", "--only", "rt_throttling"

/*
 * Run it until its system call number @step, and kill it there; @watcher: that too, if there
 * is one by then.  False: it has ended before.
 */
static bool kill_at(char *const *args, int step, bool with_watcher)
{
	pid_t pid = start(args, true), watcher = 0;
	long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;
	unsigned long child;
	int status, stops = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	if (with_watcher)
		options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE;
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL, options), 0);
	while (stops < 2 * step) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) || WIFSIGNALED(status))
			return false;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			stops++;
		if (status >> 16 != PTRACE_EVENT_FORK && status >> 16 != PTRACE_EVENT_CLONE)
			continue;
		assert_int_equal(ptrace(PTRACE_GETEVENTMSG, pid, NULL, &child), 0);
		assert_int_equal(waitpid((pid_t)child, &status, __WALL), (pid_t)child);
		assert_int_equal(ptrace(PTRACE_DETACH, (pid_t)child, NULL, NULL), 0);
		if (!watcher)
			watcher = (pid_t)child;
	}
	if (watcher)
		kill(watcher, SIGKILL);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return true;
}

static void test_killed_at_each_step(void **state)
{
	int step;

	(void)state;
	for (step = 1; kill_at(ARGS(FEW, "--", "true"), step, false); step++) {
		wait_for_lock();
		assert_old("killed", step);
	}
	wait_for_lock();
	assert_old("not killed", step);
	assert_true(step > 50);
}

static void test_killed_with_its_watcher_at_each_step(void **state)
{
	int step, left = 0;

	(void)state;
	for (step = 1; kill_at(ARGS(FEW, "--", "true"), step, true); step++) {
		wait_for_lock();
		if (has_state())
			assert_int_equal(RUN(FEW, "--apply"), 125);
		else if (!is_as(false))
			fail_msg("step %d: a change that is not noted", step);
		left += !is_as(false);
		assert_int_equal(RUN("--restore"), 0);
		assert_old("both killed", step);
	}
	assert_true(left > 5);
}

static void test_apply_killed_at_each_step(void **state)
{
	int step, kept = 0;

	(void)state;
	for (step = 1; kill_at(ARGS(FEW, "--apply"), step, false); step++) {
		wait_for_lock();
		if (has_state()) {
			kept++;
			assert_string_equal(content(KERNEL "sched_rt_runtime_us"), "-1\n");
			assert_int_equal(RUN("--restore"), 0);
		}
		assert_old("apply killed", step);
	}
	assert_int_equal(RUN("--restore"), 0);
	assert_true(kept < step);
}

static void test_restore_killed_at_each_step(void **state)
{
	bool killed = true;
	int step;

	(void)state;
	for (step = 1; killed; step++) {
		assert_int_equal(RUN(FEW, "--apply"), 0);
		killed = kill_at(ARGS("--restore"), step, false);
		if (!has_state())
			assert_true(is_as(false));
		assert_int_equal(RUN("--restore"), 0);
		assert_old("restore killed", step);
	}
	assert_true(step > 30);
}

static long state_size(void)
{
	char full[PATH_MAX];
	struct stat st;

	tree_path(full, root, "/run/hft-tune/state");
	return stat(full, &st) ? 0 : (long)st.st_size;
}

/*
 * Let the state file have no more than five bytes more while it is in its system call number
 * @step.  False: it has ended before.
 */
static bool cut_at(char *const *args, int step)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	pid_t pid = start(args, true);
	int status, stops = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL,
				PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD), 0);
	for (;;) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status))
			return stops >= 2 * step;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		stops++;
		limit.rlim_cur = stops == 2 * step - 1 ? (rlim_t)state_size() + 5 : RLIM_INFINITY;
		assert_int_equal(prlimit(pid, RLIMIT_FSIZE, &limit, NULL), 0);
	}
}

/* What can not be noted is not changed, and what is noted after that is whole. */
static void test_a_disk_that_is_full_for_a_moment(void **state)
{
	int step, cut = 0;

	(void)state;
	for (step = 1; cut_at(ARGS(FEW, "--apply"), step); step++) {
		wait_for_lock();
		cut += printed("can not be noted");
		assert_int_equal(RUN("--restore"), 0);
		assert_old("cut", step);
	}
	assert_int_equal(RUN("--restore"), 0);
	assert_true(cut >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_two_at_once),
		TEST(test_signals),
		TEST(test_the_watcher_is_killed),
		TEST(test_killed_at_each_step),
		TEST(test_killed_with_its_watcher_at_each_step),
		TEST(test_apply_killed_at_each_step),
		TEST(test_restore_killed_at_each_step),
		TEST(test_a_disk_that_is_full_for_a_moment),
	};
	int status = find_tool();

	return status ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
