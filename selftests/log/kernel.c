// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's events in a log, beside a program's own: one order, none missing, and nothing
 * left behind in tracefs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <hft/hft.h>
#include <hft/log.h>
#include <hft/log_read.h>

#include "kselftest_harness.h"
#include "remove_tree.h"
#include "../hotplug/hotplug.h"

#define TRACEFS		"/sys/kernel/tracing"
#define INSTANCES	TRACEFS "/instances"
#define PATIENCE_NS	(60 * NSEC_PER_SEC)
#define TASKS		64
#define AHEAD_NS	(20 * NSEC_PER_MSEC)
#define OWN_EVENTS	"hft:submit,hft:dispatch"
#define FLOOD		8		/* times TASKS: more events than the least buffers hold */

/* What was seen of a task, in the order in which it has to be. */
enum { KERNEL_SUBMIT, KERNEL_DISPATCH, START, END, STAGES };

FIXTURE(kernel) {
	char dir[32];
	char own[64];
	char kernel[64];
	char said[64];
	struct hft_log *log;
	struct hft *h;
	struct hft_ring *ring;
	uint64_t tasks[TASKS];
	unsigned int stages[TASKS];
	bool submitted[TASKS];
	pid_t tool;
	int offline;
};

static bool has_tracefs(void)
{
	return !access(TRACEFS "/trace", F_OK) ||
	       (!mount("tracefs", TRACEFS, "tracefs", 0, NULL) && !access(TRACEFS "/trace", F_OK));
}

FIXTURE_SETUP(kernel)
{
	HFT_OPTS(hft_opts, opts, .backend = "kernel", .tasks = TASKS);
	HFT_OPTS(hft_ring_opts, ring, .entries = TASKS);

	strcpy(self->dir, "/dev/shm/kernel-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->own, sizeof(self->own), "%s/own", self->dir);
	snprintf(self->kernel, sizeof(self->kernel), "%s/kernel", self->dir);
	snprintf(self->said, sizeof(self->said), "%s/said", self->dir);
	ASSERT_EQ(0, hft_log_open(&self->log, self->own, NULL));
	ASSERT_EQ(0, hft_log_set_level(self->log, "sched", HFT_LOG_DEBUG));
	ASSERT_EQ(0, hft_open(&self->h, &opts));
	ASSERT_EQ(0, hft_ring_open(self->h, &ring, &self->ring));
}

static int end_tool(FIXTURE_DATA(kernel) *self, int signal)
{
	int status = -1;

	if (self->tool <= 0)
		return status;
	kill(self->tool, signal);
	waitpid(self->tool, &status, 0);
	self->tool = 0;
	return status;
}

static void close_all(FIXTURE_DATA(kernel) *self)
{
	hft_ring_close(self->ring);
	hft_close(self->h);
	hft_log_close(self->log);
	self->ring = NULL;
	self->h = NULL;
	self->log = NULL;
}

FIXTURE_TEARDOWN(kernel)
{
	end_tool(self, SIGKILL);
	if (self->offline)
		set_online(self->offline, true);
	close_all(self);
	if (!hft_test_module_loaded())
		hft_test_module_load();
	remove_tree(self->dir);
}

static int count_instances(void)
{
	struct dirent *entry;
	DIR *dir = opendir(INSTANCES);
	int nr = 0;

	while (dir && (entry = readdir(dir)))
		nr += !strncmp(entry->d_name, "hft-log-", 8);
	if (dir)
		closedir(dir);
	return dir ? nr : -1;
}

static bool is_on(pid_t pid, const char *file)
{
	char path[128], text[8] = "";

	snprintf(path, sizeof(path), INSTANCES "/hft-log-%d/%s", (int)pid, file);
	return !hft_test_read_file(path, text, sizeof(text)) && *text == '1';
}

/* What it says goes to a file. */
static pid_t run_tool(const FIXTURE_DATA(kernel) *self, const char *output, const char *option,
		      const char *value)
{
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	fd = open(self->said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(126);
	execlp("hft-log", "hft-log", "kernel", "--output", output, "--events", OWN_EVENTS,
	       option, value, NULL);
	_exit(127);
}

static bool has_said(const FIXTURE_DATA(kernel) *self, const char *words)
{
	char text[4096] = "";

	return !hft_test_read_file(self->said, text, sizeof(text)) && strstr(text, words);
}

/* Answers whether it traces.  An instance that is new does so, too, but has no events. */
static bool traces(pid_t pid)
{
	uint64_t end = hft_test_now() + PATIENCE_NS;

	while (pid > 0 && hft_test_now() < end) {
		if (is_on(pid, "events/hft/dispatch/enable") && is_on(pid, "tracing_on"))
			return true;
		hft_test_sleep(5 * NSEC_PER_MSEC);
	}
	return false;
}

static bool start_tool(FIXTURE_DATA(kernel) *self, const char *output)
{
	self->tool = run_tool(self, output, NULL, NULL);
	return traces(self->tool);
}

static void run_tasks(struct __test_metadata *_metadata, FIXTURE_DATA(kernel) *self)
{
	const struct hft_event *event;
	int i;

	for (i = 0; i < TASKS; i++) {
		const struct hft_task task = {
			.release = hft_now() + AHEAD_NS, .ring = hft_ring_number(self->ring),
			.level = HFT_LEVEL_NORMAL, .cookie = (uint64_t)i,
		};

		ASSERT_EQ(0, hft_submit(self->h, &task, &self->tasks[i]));
	}
	for (i = 0; i < TASKS; i++) {
		ASSERT_LT(0, hft_wait(self->ring, hft_now() + PATIENCE_NS));
		event = hft_ring_peek(self->ring);
		ASSERT_NE(NULL, event);
		hft_ring_begin(self->ring, event, hft_now());
		hft_ring_advance(self->ring);
	}
}

static int find_task(FIXTURE_DATA(kernel) *self, const struct hft_log_view *view)
{
	const union hft_log_view_value *value;
	uint8_t type;
	int i;

	value = hft_log_view_find(view, "task", &type);
	for (i = 0; value && type == HFT_LOG_TASK && i < TASKS; i++) {
		if (self->tasks[i] == value->u)
			return i;
	}
	return -1;
}

static int stage_of(const struct hft_log_view *view)
{
	static const char *const names[STAGES] = {
		[KERNEL_SUBMIT] = "hft:submit", [KERNEL_DISPATCH] = "hft:dispatch",
		[START] = "start", [END] = "end",
	};
	int i;

	for (i = 0; i < STAGES; i++) {
		if (!strcmp(view->site->name, names[i]))
			return i;
	}
	return -1;
}

/* The program logs that it has submitted a task when the kernel has it. */
static void check_record(struct __test_metadata *_metadata, FIXTURE_DATA(kernel) *self,
			 const struct hft_log_view *view)
{
	int task = find_task(self, view), stage = stage_of(view);

	if (!strcmp(view->site->name, "submit")) {
		ASSERT_LE(0, task);
		EXPECT_LT(KERNEL_SUBMIT, self->stages[task]);
		self->submitted[task] = true;
	} else if (stage >= 0) {
		ASSERT_LE(0, task);
		EXPECT_EQ(stage, self->stages[task]);
		self->stages[task]++;
	}
}

TEST_F(kernel, one_order)
{
	const char *const paths[] = { self->own, self->kernel };
	int64_t submitted, dispatched, seen[STAGES] = {};
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	int i;

	if (!has_tracefs())
		SKIP(return, "this kernel has no tracefs");
	ASSERT_TRUE(start_tool(self, self->kernel));
	submitted = hft_test_counter("submitted");
	dispatched = hft_test_counter("dispatched");
	run_tasks(_metadata, self);
	submitted = hft_test_counter("submitted") - submitted;
	dispatched = hft_test_counter("dispatched") - dispatched;
	EXPECT_EQ(0, end_tool(self, SIGINT));
	EXPECT_EQ(0, count_instances());
	ASSERT_EQ(0, hft_log_close(self->log));
	self->log = NULL;

	ASSERT_EQ(0, hft_log_reader_open(&reader, paths, 2, NULL));
	while (hft_log_reader_next(reader, &view) > 0) {
		if (stage_of(view) >= 0)
			seen[stage_of(view)]++;
		check_record(_metadata, self, view);
	}
	hft_log_reader_close(reader);
	EXPECT_EQ(TASKS, submitted);
	EXPECT_EQ(submitted, seen[KERNEL_SUBMIT]);
	EXPECT_EQ(dispatched, seen[KERNEL_DISPATCH]);
	for (i = 0; i < TASKS; i++) {
		EXPECT_TRUE(self->submitted[i]);
		EXPECT_EQ(STAGES, self->stages[i]);
	}
}

/* Who is killed leaves his instance, which the next removes with its own. */
TEST_F(kernel, killed)
{
	char other[80];

	if (!has_tracefs())
		SKIP(return, "this kernel has no tracefs");
	ASSERT_TRUE(start_tool(self, self->kernel));
	end_tool(self, SIGKILL);
	EXPECT_EQ(1, count_instances());
	snprintf(other, sizeof(other), "%s-2", self->kernel);
	ASSERT_TRUE(start_tool(self, other));
	EXPECT_EQ(1, count_instances());
	EXPECT_EQ(0, end_tool(self, SIGTERM));
	EXPECT_EQ(0, count_instances());
}

/**
 * struct count - what a log of the kernel's events has
 * @events: of the module
 * @lost: that the kernel has lost
 * @cpu: that @there is of
 * @there: events of the module on this CPU
 */
struct count {
	int64_t events;
	int64_t lost;
	int32_t cpu;
	int64_t there;
};

static void count(struct __test_metadata *_metadata, const char *path, struct count *count)
{
	const union hft_log_view_value *lost;
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	uint8_t type;

	ASSERT_EQ(0, hft_log_reader_open(&reader, &path, 1, NULL));
	while (hft_log_reader_next(reader, &view) > 0) {
		if (stage_of(view) >= 0) {
			count->events++;
			count->there += view->stream->cpu == count->cpu;
		} else if (!strcmp(view->site->name, "lost")) {
			lost = hft_log_view_find(view, "lost", &type);
			ASSERT_NE(NULL, lost);
			count->lost += (int64_t)lost->u;
		}
	}
	hft_log_reader_close(reader);
}

static int64_t count_module(void)
{
	return hft_test_counter("submitted") + hft_test_counter("dispatched");
}

/* What a buffer that is too small can not hold is told, once, and none is missing then. */
TEST_F(kernel, lost)
{
	struct count seen = {};
	long long records = 0, lost = 0;
	char text[64] = "";
	int64_t events;
	int i;

	if (!has_tracefs())
		SKIP(return, "this kernel has no tracefs");
	self->tool = run_tool(self, self->kernel, "--buffer", "4");
	ASSERT_TRUE(traces(self->tool));
	events = count_module();
	ASSERT_EQ(0, kill(self->tool, SIGSTOP));
	for (i = 0; i < FLOOD; i++)
		run_tasks(_metadata, self);
	ASSERT_EQ(0, kill(self->tool, SIGCONT));
	events = count_module() - events;
	EXPECT_EQ(0, end_tool(self, SIGINT));
	ASSERT_EQ(0, hft_test_read_file(self->said, text, sizeof(text)));
	EXPECT_EQ(2, sscanf(text, "%lld records, %lld lost", &records, &lost));
	count(_metadata, self->kernel, &seen);
	EXPECT_EQ(events, seen.events + seen.lost);
	EXPECT_LT(0, seen.lost);
	EXPECT_EQ(records, seen.events);
	EXPECT_EQ(lost, seen.lost);
}

/* Each of two has all, and no two write to one folder. */
TEST_F(kernel, two)
{
	struct count seen = {};
	char other[80];
	pid_t first;
	int64_t events;

	if (!has_tracefs())
		SKIP(return, "this kernel has no tracefs");
	ASSERT_TRUE(start_tool(self, self->kernel));
	first = self->tool;
	snprintf(other, sizeof(other), "%s-2", self->kernel);
	ASSERT_TRUE(start_tool(self, other));
	EXPECT_EQ(2, count_instances());
	events = count_module();
	run_tasks(_metadata, self);
	events = count_module() - events;
	EXPECT_EQ(0, end_tool(self, SIGINT));
	self->tool = run_tool(self, self->kernel, NULL, NULL);
	EXPECT_EQ(2, WEXITSTATUS(end_tool(self, 0)));
	EXPECT_TRUE(has_said(self, "another process writes there"));
	EXPECT_EQ(1, count_instances());
	self->tool = first;
	EXPECT_EQ(0, end_tool(self, SIGINT));
	EXPECT_EQ(0, count_instances());
	count(_metadata, self->kernel, &seen);
	EXPECT_EQ(events, seen.events);
	seen.events = 0;
	count(_metadata, other, &seen);
	EXPECT_EQ(events, seen.events);
}

/* An instance that somebody has open stays, switched off, until the next begins. */
TEST_F(kernel, open)
{
	char path[128];
	pid_t pid;
	int fd;

	if (!has_tracefs())
		SKIP(return, "this kernel has no tracefs");
	ASSERT_TRUE(start_tool(self, self->kernel));
	pid = self->tool;
	snprintf(path, sizeof(path), INSTANCES "/hft-log-%d/per_cpu/cpu0/trace_pipe_raw", (int)pid);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, fd);
	EXPECT_EQ(2, WEXITSTATUS(end_tool(self, SIGINT)));
	EXPECT_TRUE(has_said(self, "which is switched off"));
	EXPECT_EQ(1, count_instances());
	EXPECT_FALSE(is_on(pid, "tracing_on"));
	EXPECT_FALSE(is_on(pid, "events/hft/dispatch/enable"));
	close(fd);
	ASSERT_TRUE(start_tool(self, self->kernel));
	EXPECT_EQ(0, end_tool(self, SIGINT));
	EXPECT_EQ(0, count_instances());
}

/* A CPU that comes while it is traced, and goes. */
TEST_F(kernel, hotplug)
{
	int cpu = (int)sysconf(_SC_NPROCESSORS_ONLN) - 1;
	struct count seen = { .cpu = cpu };
	cpu_set_t all, one;

	if (!has_tracefs())
		SKIP(return, "this kernel has no tracefs");
	if (cpu < 1)
		SKIP(return, "one CPU can not go offline");
	ASSERT_EQ(0, sched_getaffinity(0, sizeof(all), &all));
	ASSERT_EQ(0, set_online(cpu, false));
	self->offline = cpu;
	ASSERT_TRUE(start_tool(self, self->kernel));
	ASSERT_EQ(0, set_online(cpu, true));
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	run_tasks(_metadata, self);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(all), &all));
	ASSERT_EQ(0, set_online(cpu, false));
	EXPECT_EQ(0, end_tool(self, SIGINT));
	EXPECT_EQ(0, count_instances());
	count(_metadata, self->kernel, &seen);
	EXPECT_LE(TASKS, seen.there);
	EXPECT_EQ(0, seen.lost);
}

/* A module that goes ends the tool, which says why, even if it is there again by then. */
TEST_F(kernel, unloaded)
{
	if (!has_tracefs())
		SKIP(return, "this kernel has no tracefs");
	ASSERT_TRUE(start_tool(self, self->kernel));
	run_tasks(_metadata, self);
	close_all(self);
	ASSERT_EQ(0, hft_test_await_unused());
	ASSERT_EQ(0, hft_test_module_unload());
	ASSERT_EQ(0, hft_test_module_load());
	EXPECT_EQ(2, WEXITSTATUS(end_tool(self, 0)));
	EXPECT_TRUE(has_said(self, "was switched off, as by unloading its module"));
	EXPECT_EQ(0, count_instances());
}

TEST_HARNESS_MAIN
