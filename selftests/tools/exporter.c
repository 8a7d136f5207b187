// SPDX-License-Identifier: GPL-2.0-only
/* hft-exporter: what it tells is what was done, and it keeps no module from going. */
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define PRINT		"hft-exporter --print"
#define TEXT_SIZE	65536
#define TASKS		64
#define RUNS		40

FIXTURE(exporter) {
	int context;
	struct hft_test_ring ring;
	char before[TEXT_SIZE];
	char after[TEXT_SIZE];
	uint64_t run[RUNS];
};

FIXTURE_SETUP(exporter)
{
	struct hft_ring_add add = hft_test_ring_default();

	if (system(PRINT " >/dev/null 2>&1"))
		SKIP(return, "hft-exporter is not built");
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	add.entries = TASKS;
	add.window = TASKS;
	add.flags = HFT_RING_REPORT;
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &self->ring));
}

FIXTURE_TEARDOWN(exporter)
{
	if (self->context > 0) {
		hft_test_ring_close(&self->ring);
		close(self->context);
	}
	if (!hft_test_module_loaded())
		hft_test_module_load();
}

/* What @command prints, up to TEXT_SIZE; its exit status. */
static int run(const char *command, char text[TEXT_SIZE])
{
	FILE *f = popen(command, "r");
	size_t nr;

	if (!f)
		return -1;
	nr = fread(text, 1, TEXT_SIZE - 1, f);
	text[nr] = '\0';
	return pclose(f);
}

/* The value of a series, as text; NULL: there is none. */
static const char *find(const char *text, const char *series)
{
	size_t nr = strlen(series);
	const char *line;

	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, series, nr) && line[nr] == ' ')
			return line + nr + 1;
	}
	return NULL;
}

static int64_t value(const char *text, const char *series)
{
	const char *found = find(text, series);

	return found ? strtoll(found, NULL, 10) : -1;
}

#define EXPECT_MORE(by, series) \
	EXPECT_EQ((int64_t)(by), value(self->after, series) - value(self->before, series)) \
		TH_LOG("%s: %ld, then %ld", series, (long)value(self->before, series), \
		       (long)value(self->after, series))

/* Nine decimals, exactly: ns. */
static uint64_t ns(const char *seconds)
{
	uint64_t ns = strtoull(seconds, (char **)&seconds, 10) * NSEC_PER_SEC;
	uint64_t digit = NSEC_PER_SEC / 10;

	if (*seconds == '.') {
		for (seconds++; *seconds >= '0' && *seconds <= '9'; seconds++, digit /= 10)
			ns += (uint64_t)(*seconds - '0') * digit;
	}
	return ns;
}

TEST_F(exporter, counters_are_those_of_what_was_done)
{
	struct hft_task task = hft_test_task(0, 1, hft_test_now() + 3600 * NSEC_PER_SEC);
	int64_t id;
	int i;

	ASSERT_EQ(0, run(PRINT, self->before));
	ASSERT_EQ(1, value(self->before, "hft_up"));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
		ASSERT_EQ(0, hft_test_cancel(self->context, id));
	}
	task.release = 0;
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_EQ(20, hft_test_wait(&self->ring, 60 * NSEC_PER_SEC));
	task.flags = HFT_TASK_WATCH;
	task.release = hft_test_now();
	task.deadline = task.release + 1;
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	for (i = 0; i < 600; i++) {
		ASSERT_EQ(0, run(PRINT, self->after));
		if (value(self->after, "hft_deadline_misses_total") ==
		    value(self->before, "hft_deadline_misses_total") + 3)
			break;
		hft_test_sleep(100 * NSEC_PER_MSEC);
	}
	EXPECT_MORE(28, "hft_tasks_submitted_total");
	EXPECT_MORE(23, "hft_tasks_dispatched_total");
	EXPECT_MORE(5, "hft_tasks_cancelled_total");
	EXPECT_MORE(3, "hft_deadline_misses_total");
	EXPECT_MORE(0, "hft_rings");
	EXPECT_MORE(0, "hft_tasks_failed_total");
	EXPECT_EQ(0, value(self->after, "hft_exporter_errors_total"));
	EXPECT_EQ(0, value(self->after, "hft_limit_timer_late_seconds"));
}

static uint64_t count_to(const uint64_t run[RUNS], uint64_t bound)
{
	uint64_t count = 0;
	int i;

	for (i = 0; i < RUNS; i++)
		count += run[i] <= bound;
	return count;
}

/* Each bucket of the run times: how many it has, by its bound. */
static int check_buckets(struct __test_metadata *_metadata, const char *text,
			 const uint64_t run[RUNS])
{
	static const char series[] = "hft_task_run_seconds_bucket{le=\"";
	const char *line = text;
	uint64_t bound, count;
	int nr = 0;

	while ((line = strstr(line, series))) {
		line += strlen(series);
		bound = *line == '+' ? UINT64_MAX : ns(line);
		count = strtoull(strchr(line, ' ') + 1, NULL, 10);
		EXPECT_EQ(count_to(run, bound), count)
			TH_LOG("up to %lu ns", bound);
		nr++;
	}
	return nr;
}

TEST_F(exporter, histograms_are_those_of_what_was_done)
{
	struct hft_meter_set set = { .flags = HFT_METER_HIST };
	struct hft_task task = hft_test_task(0, 1, 0);
	uint64_t random = 1, sum = 0, in_time = 0;
	struct hft_report *reports;
	struct hft_event event;
	int i;

	reports = (void *)((char *)self->ring.consumer + HFT_TEST_PAGE);
	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_METER, &set));
	for (i = 0; i < RUNS; i++) {
		uint32_t at = i & (TASKS - 1);

		task.release = hft_test_now();
		task.deadline = task.release + 10 * NSEC_PER_SEC;
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
		ASSERT_EQ(1, hft_test_wait(&self->ring, 60 * NSEC_PER_SEC));
		event = self->ring.events[at];
		self->run[i] = hft_test_random(&random) >> (29 + i % 30);
		sum += self->run[i];
		in_time += event.published + self->run[i] <= event.deadline;
		reports[at] = (struct hft_report) {
			.start = event.published, .end = event.published + self->run[i],
		};
		hft_test_advance(&self->ring, 1);
	}
	/* The last of them is looked at. */
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));

	ASSERT_EQ(0, run(PRINT, self->after));
	ASSERT_EQ(1, value(self->after, "hft_device_up"));
	EXPECT_EQ(57, check_buckets(_metadata, self->after, self->run));
	EXPECT_EQ(RUNS, value(self->after, "hft_task_run_seconds_count"));
	EXPECT_EQ(RUNS, value(self->after, "hft_dispatch_error_seconds_count"));
	EXPECT_EQ(RUNS, value(self->after, "hft_task_response_seconds_count"));
	EXPECT_EQ((int64_t)(RUNS - in_time), value(self->after, "hft_task_lateness_seconds_count"));
	EXPECT_EQ((int64_t)in_time, value(self->after, "hft_task_deadlines_kept_total"));
	EXPECT_EQ(sum, ns(find(self->after, "hft_task_run_seconds_sum")));
	EXPECT_EQ(sum, ns(find(self->after, "hft_cpu_task_busy_seconds_total{cpu=\"0\"}")));
	EXPECT_EQ(NULL, find(self->after, "hft_cpu_task_busy_seconds_total{cpu=\"1\"}"));

	ASSERT_EQ(0, run(PRINT " --per-cpu", self->after));
	EXPECT_EQ(RUNS, value(self->after, "hft_task_run_seconds_count{cpu=\"0\"}"));
	EXPECT_EQ(NULL, find(self->after, "hft_task_run_seconds_count"));
}

/* Who may not see what other users do sees the counters alone. */
TEST_F(exporter, without_the_right)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (setgroups(0, NULL) || setgid(1000) || setuid(1000))
			_exit(1);
		_exit(run(PRINT, self->after) || value(self->after, "hft_up") != 1 ||
		      value(self->after, "hft_rings") != 1 ||
		      value(self->after, "hft_device_up") ||
		      find(self->after, "hft_task_run_seconds_count"));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

#define GROUP_HFT	900	/* of the VM */

/* As the systemd unit has it: a user without rights but the group and CAP_PERFMON. */
static int become_service(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = {};
	const gid_t group = GROUP_HFT;

	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(1, &group) || setgid(1000) || setuid(1000))
		return -errno;
	caps[CAP_PERFMON / 32].permitted = 1U << CAP_PERFMON % 32;
	caps[CAP_PERFMON / 32].effective = caps[CAP_PERFMON / 32].permitted;
	caps[CAP_PERFMON / 32].inheritable = caps[CAP_PERFMON / 32].permitted;
	if (syscall(SYS_capset, &header, caps) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_PERFMON, 0, 0))
		return -errno;
	return 0;
}

TEST_F(exporter, with_the_rights_of_the_service)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (become_service())
			_exit(1);
		if (run(PRINT, self->after) || value(self->after, "hft_device_up") != 1)
			_exit(2);
		_exit(find(self->after, "hft_task_run_seconds_count") ? 0 : 3);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

static int loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), err;

	err = fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
	return err;
}

/* Its process; its port as it says it. */
static pid_t start(uint16_t *port)
{
	static const char said[] = "listening at 127.0.0.1:";
	char line[256] = "";
	const char *found;
	int fds[2];
	pid_t pid;
	FILE *f;

	if (pipe(fds))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		execlp("hft-exporter", "hft-exporter", "--listen", "127.0.0.1:0", NULL);
		_exit(1);
	}
	close(fds[1]);
	f = fdopen(fds[0], "r");
	found = f && fgets(line, sizeof(line), f) ? strstr(line, said) : NULL;
	*port = found ? (uint16_t)atoi(found + strlen(said)) : 0;
	if (f)
		fclose(f);
	return pid;
}

static int get(uint16_t port, char text[TEXT_SIZE])
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t nr = 0;
	ssize_t ret;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    write(fd, request, strlen(request)) < 0)
		return -errno;
	while ((ret = read(fd, text + nr, TEXT_SIZE - 1 - nr)) > 0)
		nr += (size_t)ret;
	text[nr] = '\0';
	close(fd);
	return strncmp(text, "HTTP/1.1 200 ", 13) ? -EPROTO : 0;
}

TEST_F(exporter, the_module_goes_and_comes)
{
	uint16_t port;
	int status, i;
	pid_t pid;

	if (loopback_up())
		SKIP(return, "this kernel has no loopback interface");
	pid = start(&port);
	ASSERT_LT(0, pid);
	ASSERT_NE(0, port);
	ASSERT_EQ(0, get(port, self->after));
	EXPECT_EQ(1, value(self->after, "hft_up"));
	EXPECT_EQ(1, value(self->after, "hft_rings"));

	hft_test_ring_close(&self->ring);
	close(self->context);
	self->context = -1;
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, hft_test_await_unused());
		ASSERT_EQ(0, hft_test_module_unload());
		ASSERT_EQ(0, get(port, self->after));
		EXPECT_EQ(0, value(self->after, "hft_up"));
		EXPECT_EQ(NULL, find(self->after, "hft_rings"));
		ASSERT_EQ(0, hft_test_module_load());
		ASSERT_EQ(0, get(port, self->after));
		EXPECT_EQ(1, value(self->after, "hft_up"));
		EXPECT_EQ(0, value(self->after, "hft_rings"));
	}
	kill(pid, SIGTERM);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
