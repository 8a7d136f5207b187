// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clock evidence by a PTP clock: that of a network card, QEMU's e1000e, whose driver is in
 * /modules as tools/vm/fetch-modules gets it.  QEMU 7's stands still, which is as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include <hft/hft.h>
#include <hft/log.h>
#include <hft/log_read.h>

#include "kselftest_harness.h"
#include "hft_test.h"
#include "disk.h"

#define DRIVER		"e1000e"
#define CLOCK		"/dev/ptp0"
#define TAI_S		37
#define AHEAD_S		20		/* the PTP clock, of CLOCK_TAI */
#define SLACK_NS	(5 * (int64_t)NSEC_PER_SEC)	/* of a VM that stands still meanwhile */
#define INTERVAL_NS	(NSEC_PER_SEC / 10)
#define PATIENCE_NS	(60 * NSEC_PER_SEC)

FIXTURE(ptp) {
	char dir[32];
	char rings[48];
	char logged[48];
	int clock;
	struct hft_log *log;
};

/* As clock_gettime(2) has a descriptor */
static clockid_t clock_of(int fd)
{
	return (clockid_t)(~(unsigned int)fd << 3 | 3);
}

static int64_t ns_of(clockid_t clock)
{
	struct timespec ts = {};

	clock_gettime(clock, &ts);
	return ts.tv_sec * (int64_t)NSEC_PER_SEC + ts.tv_nsec;
}

static int open_clock(void)
{
	uint64_t end = hft_test_now() + PATIENCE_NS;
	int fd;

	do {
		fd = open(CLOCK, O_RDWR | O_CLOEXEC);
	} while (fd < 0 && !usleep(1000) && hft_test_now() < end);
	return fd;
}

static int set_clocks(int fd)
{
	struct timex tai = { .modes = ADJ_TAI, .constant = TAI_S };
	struct timespec ts;

	if (adjtimex(&tai) < 0)
		return -errno;
	clock_gettime(CLOCK_TAI, &ts);
	ts.tv_sec += AHEAD_S;
	return clock_settime(clock_of(fd), &ts) ? -errno : 0;
}

static int open_log(FIXTURE_DATA(ptp) *self, const char *ptp)
{
	HFT_OPTS(hft_log_opts, opts, .ring_dir = self->rings, .ptp = ptp,
		 .clock_interval_ns = INTERVAL_NS);

	return hft_log_open(&self->log, self->logged, &opts);
}

FIXTURE_SETUP(ptp)
{
	if (access("/modules/" DRIVER ".ko", R_OK))
		SKIP(return, "no module " DRIVER " of this kernel in /modules");
	ASSERT_TRUE(disk_load(DRIVER));
	self->clock = open_clock();
	ASSERT_LE(0, self->clock);
	ASSERT_EQ(0, set_clocks(self->clock));
	strcpy(self->dir, "/tmp/ptp-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, mount("none", self->dir, "tmpfs", 0, "size=64m"));
	snprintf(self->rings, sizeof(self->rings), "%s/rings", self->dir);
	snprintf(self->logged, sizeof(self->logged), "%s/log", self->dir);
	ASSERT_EQ(0, mkdir(self->rings, 0700));
}

FIXTURE_TEARDOWN(ptp)
{
	hft_log_close(self->log);
	close(self->clock);
	syscall(SYS_delete_module, DRIVER, O_NONBLOCK);
	umount2(self->dir, MNT_DETACH);
	rmdir(self->dir);
}

static union hft_log_view_value value_of(const struct hft_log_view *view, const char *name)
{
	uint8_t type;

	return *hft_log_view_find(view, name, &type);
}

/* Records with and without it; those with it have a distance that it can have had. */
struct evidence {
	unsigned int with;
	unsigned int without;
};

static void look_at(struct __test_metadata *_metadata, const struct hft_log_view *view,
		    struct evidence *evidence, const int64_t clock[2])
{
	int64_t tai = (int64_t)value_of(view, "tai").u;
	int64_t offset = value_of(view, "ptp_offset_ns").i;

	if (!*value_of(view, "ptp").s) {
		evidence->without++;
		return;
	}
	evidence->with++;
	EXPECT_STREQ("ptp0", value_of(view, "ptp").s);
	EXPECT_LE(clock[0] - tai - SLACK_NS, offset);
	EXPECT_GE(clock[1] - tai + SLACK_NS, offset);
	EXPECT_LE(offset < 0 ? -offset : offset, (int64_t)value_of(view, "divergence_ns").u);
}

/* @since: what the clock was before the log */
static struct evidence read_log(struct __test_metadata *_metadata, FIXTURE_DATA(ptp) *self,
				int64_t since)
{
	HFT_OPTS(hft_log_reader_opts, opts, .subsystems = "hft", .flags = HFT_LOG_READ_FOLLOW);
	const int64_t clock[] = { since, ns_of(clock_of(self->clock)) ?: since };
	const char *paths[] = { self->logged };
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	struct evidence evidence = {};

	ASSERT_EQ(0, hft_log_flush(self->log, 0, PATIENCE_NS));
	ASSERT_EQ(0, hft_log_reader_open(&reader, paths, 1, &opts));
	while (hft_log_reader_next(reader, &view) > 0) {
		if (!strcmp(view->site->name, "clock"))
			look_at(_metadata, view, &evidence, clock);
	}
	hft_log_reader_close(reader);
	return evidence;
}

TEST_F_TIMEOUT(ptp, is_compared, 120)
{
	int64_t since = ns_of(clock_of(self->clock));
	uint64_t end = hft_test_now() + PATIENCE_NS;
	struct evidence evidence;

	ASSERT_EQ(0, open_log(self, NULL));
	do {
		evidence = read_log(_metadata, self, since);
		ASSERT_EQ(0, evidence.without);
	} while (evidence.with < 3 && hft_test_now() < end);
	EXPECT_LE(3, evidence.with);
	EXPECT_EQ(0, hft_log_close(self->log));
	self->log = NULL;
}

/* A card that is taken out: the evidence goes on without it. */
TEST_F_TIMEOUT(ptp, goes_away, 120)
{
	int64_t since = ns_of(clock_of(self->clock));
	uint64_t end = hft_test_now() + PATIENCE_NS;
	struct evidence evidence;

	ASSERT_EQ(0, open_log(self, CLOCK));
	evidence = read_log(_metadata, self, since);
	ASSERT_LE(1, evidence.with);
	ASSERT_EQ(0, evidence.without);
	ASSERT_EQ(0, syscall(SYS_delete_module, DRIVER, O_NONBLOCK));
	do {
		evidence = read_log(_metadata, self, since);
	} while (evidence.without < 2 && hft_test_now() < end);
	EXPECT_LE(2, evidence.without);
	EXPECT_EQ(0, hft_log_close(self->log));
	self->log = NULL;
}

TEST_F(ptp, is_named)
{
	EXPECT_EQ(-ENOENT, open_log(self, "/dev/ptp9"));
	EXPECT_EQ(-ENOTTY, open_log(self, "/dev/null"));
	EXPECT_EQ(NULL, self->log);
	ASSERT_EQ(0, open_log(self, CLOCK));
	EXPECT_LE(1, read_log(_metadata, self, ns_of(clock_of(self->clock))).with);
}

TEST_HARNESS_MAIN
