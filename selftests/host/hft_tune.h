/* SPDX-License-Identifier: GPL-2.0-only */
/* Another machine's files, and hft-tune at work on them. */
#ifndef HFT_TUNE_H
#define HFT_TUNE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <libgen.h>
#include <sys/ptrace.h>
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

static inline void make_machine(void)
{
	size_t i;

	tree_make(root, others, NR(others));
	for (i = 0; i < NR(settings); i++)
		tree_put(root, settings[i].path, settings[i].old);
}

static inline const char *content(const char *path)
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

static inline bool has_state(void)
{
	return content("/run/hft-tune/state");
}

/* Is all as it was, or all as it is to be? */
static inline bool is_as(bool tuned)
{
	size_t i;

	for (i = 0; i < NR(settings); i++) {
		if (strcmp(content(settings[i].path), tuned ? settings[i].tuned : settings[i].old))
			return false;
	}
	return true;
}

static inline void assert_old(const char *when, int step)
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
static inline pid_t start(char *const *args, bool traced)
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

static inline int end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define ARGS(...)	((char *[]){ __VA_ARGS__, NULL })
#define RUN(...)	end(start(ARGS(__VA_ARGS__), false))

static inline bool printed(const char *text)
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

static inline int set_up(void **state)
{
	(void)state;
	make_machine();
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	tree_remove(root);
	return 0;
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Returns 0, or the status to exit with: 4, and it is said, where it is not built. */
static inline int find_tool(void)
{
	char self[PATH_MAX] = "";

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ||
	    snprintf(tool, sizeof(tool), "%s/../../../tools/hft-tune", dirname(self)) >=
	    (int)sizeof(tool))
		return 1;
	if (access(tool, X_OK)) {
		printf("1..0 # SKIP hft-tune is not built\n");
		return 4;
	}
	return 0;
}

#endif /* HFT_TUNE_H */
