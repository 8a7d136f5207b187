// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain */
/*
 * hft-tune on the files of another machine: what it changes, that it puts everything back,
 * and that it does so when it is killed before any of its system calls, its watcher as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <libgen.h>
#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tree.h"

#define CPU	"/sys/devices/system/cpu/"
#define KERNEL	"/proc/sys/kernel/"
#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define FAIR	"/sys/kernel/debug/sched/fair_server/"
#define NR(array)	(sizeof(array) / sizeof((array)[0]))
#define MOST_ARGS	24

/* What is there, and what is to be there while CPUs 2 and 3 are the workers'. */
static const struct setting {
	const char *path;
	const char *old;
	const char *tuned;
} settings[] = {
	{ "/proc/irq/24/smp_affinity_list", "0-3\n", "0-1\n" },
	{ "/proc/irq/25/smp_affinity_list", "2-3\n", "0-1\n" },
	{ "/proc/irq/26/smp_affinity_list", "0\n", "0\n" },
	{ "/proc/irq/27/smp_affinity_list", "0-3\n", "0-3\n" },
	{ "/proc/irq/28/smp_affinity_list", "3-5\n", "0-1\n" },
	{ "/proc/irq/default_smp_affinity", "f\n", "3\n" },
	{ "/sys/devices/virtual/workqueue/cpumask", "f\n", "3\n" },
	{ "/sys/devices/virtual/workqueue/writeback/cpumask", "0000000f\n", "3\n" },
	{ CPU "cpu1/cpufreq/scaling_governor", "powersave\n", "powersave\n" },
	{ CPU "cpu2/cpufreq/scaling_governor", "powersave\n", "performance\n" },
	{ CPU "cpu3/cpufreq/scaling_governor", "schedutil\n", "performance\n" },
	{ CPU "cpu1/cpuidle/state1/disable", "0\n", "0\n" },
	{ CPU "cpu2/cpuidle/state0/disable", "0\n", "0\n" },
	{ CPU "cpu2/cpuidle/state1/disable", "0\n", "1\n" },
	{ CPU "cpu3/cpuidle/state1/disable", "1\n", "1\n" },
	{ FAIR "cpu1/runtime", "50000000\n", "50000000\n" },
	{ FAIR "cpu2/runtime", "50000000\n", "0\n" },
	{ FAIR "cpu3/runtime", "40000000\n", "0\n" },
	{ KERNEL "sched_rt_runtime_us", "950000\n", "-1\n" },
	{ KERNEL "timer_migration", "1\n", "0\n" },
	{ KERNEL "watchdog_cpumask", "0-3\n", "0-1\n" },
	{ KERNEL "nmi_watchdog", "1\n", "0\n" },
	{ KERNEL "numa_balancing", "1\n", "0\n" },
	{ THP "enabled", "always\n", "madvise\n" },
	{ THP "defrag", "defer\n", "defer\n" },
	{ THP "khugepaged/defrag", "1\n", "0\n" },
	{ "/sys/kernel/mm/ksm/run", "1\n", "0\n" },
	{ "/proc/sys/vm/compaction_proactiveness", "20\n", "0\n" },
	{ "/proc/sys/vm/stat_interval", "1\n", "120\n" },
};

static const struct tree_file others[] = {
	{ CPU "online", "0-3\n" },
	{ CPU "isolated", "\n" },
	{ CPU "cpu1/cpuidle/state1/latency", "133\n" },
	{ CPU "cpu2/cpuidle/state0/latency", "1\n" },
	{ CPU "cpu2/cpuidle/state1/latency", "133\n" },
	{ CPU "cpu3/cpuidle/state0/latency", "1\n" },
	{ CPU "cpu3/cpuidle/state1/latency", "133\n" },
	{ "/proc/irq/24/eth0/x", "" },
	{ "/proc/irq/25/nvme0q1/x", "" },
	{ "/proc/irq/26/rtc0/x", "" },
	{ "/proc/irq/28/eth1/x", "" },
	{ "/run/x", "" },
};

static char root[64];
static char tool[PATH_MAX];

static void make_machine(void)
{
	size_t i;

	tree_make(root, others, NR(others));
	for (i = 0; i < NR(settings); i++)
		tree_put(root, settings[i].path, settings[i].old);
}

static const char *content(const char *path)
{
	static char text[256];
	char full[PATH_MAX];
	ssize_t length;
	int fd;

	tree_path(full, root, path);
	fd = open(full, O_RDONLY);
	if (fd < 0)
		return NULL;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length < 0 ? 0 : length] = '\0';
	return text;
}

static bool has_state(void)
{
	return content("/run/hft-tune/state");
}

/* Is all as it was, or all as it is to be? */
static bool is_as(bool tuned)
{
	size_t i;

	for (i = 0; i < NR(settings); i++) {
		if (strcmp(content(settings[i].path), tuned ? settings[i].tuned : settings[i].old))
			return false;
	}
	return true;
}

static void assert_old(const char *when, int step)
{
	size_t i;

	for (i = 0; i < NR(settings); i++) {
		if (strcmp(content(settings[i].path), settings[i].old))
			fail_msg("%s, step %d: %s is %s", when, step, settings[i].path,
				 content(settings[i].path));
	}
	if (has_state())
		fail_msg("%s, step %d: the state file is there", when, step);
}

/* What it prints goes to the file "out" of the machine. */
static pid_t start(char *const *args, bool traced)
{
	char *argv[MOST_ARGS] = { tool, "--root", root }, out[PATH_MAX];
	size_t i;
	pid_t pid;
	int fd;

	for (i = 0; args[i]; i++)
		argv[i + 3] = args[i];
	tree_path(out, root, "/out");
	pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return pid;
	fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	if (traced)
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	execv(tool, argv);
	_exit(99);
}

static int end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define ARGS(...)	((char *[]){ __VA_ARGS__, NULL })
#define RUN(...)	end(start(ARGS(__VA_ARGS__), false))

static bool printed(const char *text)
{
	char full[PATH_MAX], line[1024];
	bool found = false;
	FILE *file;

	tree_path(full, root, "/out");
	file = fopen(full, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		found |= strstr(line, text) != NULL;
	fclose(file);
	return found;
}

static int set_up(void **state)
{
	(void)state;
	make_machine();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_remove(root);
	return 0;
}

static void test_apply_and_restore(void **state)
{
	(void)state;
	assert_int_equal(RUN("--status"), 0);
	assert_int_equal(RUN("--cpus", "2-3", "--apply"), 0);
	assert_true(is_as(true));
	assert_int_equal(RUN("--status"), 1);
	assert_true(printed("/proc/irq/25/smp_affinity_list: was 2-3, set to 0-1, is 0-1"));
	assert_int_equal(RUN("--cpus", "2-3", "--apply"), 125);
	assert_true(printed("--restore"));
	assert_int_equal(RUN("--cpus", "2-3", "--", "true"), 125);
	assert_true(is_as(true));
	assert_int_equal(RUN("--restore"), 0);
	assert_old("restored", 0);
	assert_int_equal(RUN("--restore"), 0);
	assert_old("restored again", 0);
}

static void test_command(void **state)
{
	char script[2 * PATH_MAX];

	(void)state;
	snprintf(script, sizeof(script), "[ $(cat %s%s) = -1 ] && exit 7", root,
		 KERNEL "sched_rt_runtime_us");
	assert_int_equal(RUN("-c", "2-3", "--", "sh", "-c", script), 7);
	assert_old("after a command", 0);
	assert_int_equal(RUN("-c", "2-3", "--", "sh", "-c", "kill -9 $$"), 128 + SIGKILL);
	assert_old("after a command that is killed", 0);
	assert_int_equal(RUN("-c", "2-3", "--", "/nonexistent/command"), 127);
	assert_old("without a command", 0);
	assert_int_equal(RUN("-c", "2-3", "--", root), 126);
	assert_old("with a folder as command", 0);
}

static void test_one_setting(void **state)
{
	size_t i;

	(void)state;
	assert_int_equal(RUN("-c", "2-3", "--only", "rt_throttling", "--apply"), 0);
	for (i = 0; i < NR(settings); i++)
		assert_string_equal(content(settings[i].path),
				    strstr(settings[i].path, "sched_rt") ? settings[i].tuned :
				    settings[i].old);
	assert_int_equal(RUN("--restore"), 0);
	assert_int_equal(RUN("-c", "2-3", "--only", "rt", "--apply"), 125);
	assert_int_equal(RUN("-c", "2-3", "--dry-run"), 0);
	assert_true(printed("rt_throttling: echo -1 > "));
	assert_int_equal(RUN("-c", "2-3", "--dry-run", "--apply"), 125);
	assert_int_equal(RUN("-c", "0-3", "--apply"), 125);
	assert_true(printed("would be left"));
	assert_int_equal(RUN("-c", "4-5", "--apply"), 125);
	assert_true(printed("no CPU of the workers is online"));
	assert_int_equal(RUN("--apply"), 125);
	assert_true(printed("isolated"));
	assert_int_equal(RUN("-c", "2-3"), 125);
	assert_old("refused", 0);
	tree_put(root, CPU "isolated", "2-3\n");
	assert_int_equal(RUN("--apply"), 0);
	assert_true(is_as(true));
	assert_int_equal(RUN("--restore"), 0);
}

/* A write to /dev/full fails, root or not. */
static void replace_by_full(const char *path)
{
	char full[PATH_MAX];

	tree_path(full, root, path);
	assert_int_equal(unlink(full), 0);
	assert_int_equal(symlink("/dev/full", full), 0);
}

static void replace_by_file(const char *path, const char *text)
{
	tree_put(root, path, NULL);
	tree_put(root, path, text);
}

static void test_a_file_that_can_not_be_written(void **state)
{
	static const char path[] = CPU "cpu2/cpufreq/scaling_governor";

	(void)state;
	replace_by_full(path);
	assert_int_equal(RUN("-c", "2-3", "--apply"), 1);
	assert_true(printed("No space left on device"));
	assert_string_equal(content(KERNEL "nmi_watchdog"), "0\n");
	replace_by_file(path, "\n");
	assert_int_equal(RUN("--restore"), 0);
	replace_by_file(path, "powersave\n");
	assert_old("restored", 0);
}

static void test_a_file_that_can_not_be_restored(void **state)
{
	static const char path[] = CPU "cpu2/cpufreq/scaling_governor";

	(void)state;
	assert_int_equal(RUN("-c", "2-3", "--apply"), 0);
	replace_by_full(path);
	assert_int_equal(RUN("--restore"), 1);
	assert_true(printed("1 of"));
	assert_int_equal(RUN("--status"), 1);
	assert_string_equal(content(KERNEL "nmi_watchdog"), "1\n");
	replace_by_file(path, "performance\n");
	assert_int_equal(RUN("--restore"), 0);
	assert_old("restored at last", 0);

	assert_int_equal(RUN("-c", "2-3", "--apply"), 0);
	tree_put(root, path, NULL);
	tree_put(root, CPU "cpu2/online", "0\n");
	assert_int_equal(RUN("--restore"), 1);
	assert_true(printed("before its CPU is online") && has_state());
	tree_put(root, CPU "cpu2/online", "1\n");
	assert_int_equal(RUN("--restore"), 0);
	assert_true(printed("is gone"));
	tree_put(root, path, "powersave\n");
	assert_old("without what is gone", 0);
}

/* What is longer than could be put back stays as it is. */
static void test_a_value_that_is_too_long(void **state)
{
	static const char path[] = CPU "cpu2/cpufreq/scaling_governor";
	char longest[4096 + 1], full[PATH_MAX];
	struct stat st;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	replace_by_file(path, longest);
	assert_int_equal(RUN("-c", "2-3", "--apply"), 1);
	assert_true(printed("cpu2/cpufreq/scaling_governor can not be read, and stays as it is"));
	assert_true(printed("Message too long"));
	tree_path(full, root, path);
	assert_int_equal(stat(full, &st), 0);
	assert_int_equal(st.st_size, sizeof(longest) - 1);
	assert_int_equal(RUN("--restore"), 0);

	/* One that fits comes back as it was. */
	longest[4094] = '\0';
	replace_by_file(path, longest);
	assert_int_equal(RUN("-c", "2-3", "--apply"), 0);
	assert_string_equal(content(path), "performance\n");
	assert_int_equal(RUN("--restore"), 0);
	assert_int_equal(stat(full, &st), 0);
	assert_int_equal(st.st_size, 4094 + 1);
	replace_by_file(path, "powersave\n");
	assert_old("a long one", 0);
}

static void append_to_state(const char *text)
{
	char full[PATH_MAX];
	FILE *file;

	tree_path(full, root, "/run/hft-tune/state");
	file = fopen(full, "a");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_a_state_file_that_was_spoiled(void **state)
{
	(void)state;
	assert_int_equal(RUN("-c", "2-3", "--apply"), 0);
	append_to_state("/proc/sys/kernel/cut");
	assert_int_equal(RUN("--restore"), 0);
	assert_old("with a line that has no end", 0);
	assert_int_equal(RUN("-c", "2-3", "--apply"), 0);
	append_to_state("/etc/passwd\ta\tb\n");
	assert_int_equal(RUN("--restore"), 1);
	assert_true(printed("not what hft-tune has written"));
	assert_true(has_state() && is_as(true));
	append_to_state("\n");
	tree_put(root, "/run/hft-tune/state", "something\n");
	assert_int_equal(RUN("--restore"), 1);
	assert_true(has_state());
}

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

#define TEST(name)	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_apply_and_restore),
		TEST(test_command),
		TEST(test_one_setting),
		TEST(test_a_file_that_can_not_be_written),
		TEST(test_a_file_that_can_not_be_restored),
		TEST(test_a_value_that_is_too_long),
		TEST(test_a_state_file_that_was_spoiled),
		TEST(test_two_at_once),
		TEST(test_signals),
		TEST(test_the_watcher_is_killed),
		TEST(test_killed_at_each_step),
		TEST(test_killed_with_its_watcher_at_each_step),
		TEST(test_apply_killed_at_each_step),
		TEST(test_restore_killed_at_each_step),
		TEST(test_a_disk_that_is_full_for_a_moment),
	};
	char self[PATH_MAX] = "";

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ||
	    snprintf(tool, sizeof(tool), "%s/../../../tools/hft-tune", dirname(self)) >=
	    (int)sizeof(tool))
		return 1;
	if (access(tool, X_OK)) {
		printf("1..0 # SKIP hft-tune is not built\n");
		return 4;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
