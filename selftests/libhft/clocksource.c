// SPDX-License-Identifier: GPL-2.0-only
/*
 * hft_now() where the kernel's clock does not run on the TSC, or ceases to: it goes by
 * clock_gettime() then, and says so.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <hft/hft.h>

#include "kselftest_harness.h"

#define NSEC_PER_MSEC	1000000ULL
#define NSEC_PER_SEC	1000000000ULL
#define FOLDER		"/sys/devices/system/clocksource/clocksource0/"
/*
 * What hft_now() may be off by until it notices, ns: it looks every 0.1 s, the kernel
 * takes a TSC that is within 1 % of another clocksource, and one that was measured on a
 * busy host is not even that.
 */
#define SLACK		(20 * NSEC_PER_MSEC)

static int read_line(const char *path, char *line, int size)
{
	FILE *f = fopen(path, "re");
	int err = f ? 0 : -errno;

	if (f && !fgets(line, size, f))
		err = -EIO;
	if (f)
		fclose(f);
	if (!err)
		line[strcspn(line, "\n")] = '\0';
	return err;
}

static int set_clocksource(const char *name)
{
	char now[32];
	FILE *f = fopen(FOLDER "current_clocksource", "we");

	if (!f)
		return -errno;
	fputs(name, f);
	if (fclose(f))
		return -errno;
	return read_line(FOLDER "current_clocksource", now, sizeof(now)) ?: -!!strcmp(name, now);
}

static uint64_t kernel_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Whether hft_now() is between two readings of the clock that it stands for. */
static bool agrees(uint64_t slack)
{
	uint64_t before = kernel_now(), now = hft_now(), after = kernel_now();

	return before <= now + slack && now <= after + slack;
}

struct warnings {
	int nr;
	char clock[256];
};

static void warn(void *arg, const char *text)
{
	struct warnings *warnings = arg;

	if (strncmp(text, "the clocksource is ", 19))
		return;
	warnings->nr++;
	snprintf(warnings->clock, sizeof(warnings->clock), "%s", text);
}

FIXTURE(clocksource) {
	char other[32];
	bool usable;
};

FIXTURE_SETUP(clocksource)
{
	char line[128] = "", *word, *rest = line;

	ASSERT_EQ(0, read_line(FOLDER "current_clocksource", line, sizeof(line)));
	if (strcmp(line, "tsc"))
		SKIP(return, "this kernel's clocksource is not the TSC");
	ASSERT_EQ(0, read_line(FOLDER "available_clocksource", line, sizeof(line)));
	while ((word = strsep(&rest, " "))) {
		if (*word && strcmp(word, "tsc"))
			snprintf(self->other, sizeof(self->other), "%s", word);
	}
	if (!self->other[0])
		SKIP(return, "this kernel has no clocksource but the TSC");
	self->usable = true;
}

/* The module notices a while after it was done: not in the next test. */
static int set_tsc_and_wait(void)
{
	HFT_OPTS(hft_ring_opts, opts, .flags = HFT_RING_MONITOR);
	struct hft_ring *monitor;
	struct hft *h;
	int err;

	err = hft_open(&h, NULL);
	if (err)
		return err;
	err = hft_ring_open(h, &opts, &monitor);
	if (!err) {
		err = set_clocksource("tsc");
		if (!err && hft_wait(monitor, kernel_now() + 60 * NSEC_PER_SEC) != 1)
			err = -ETIMEDOUT;
		hft_ring_close(monitor);
	}
	hft_close(h);
	return err;
}

FIXTURE_TEARDOWN(clocksource)
{
	char now[32];

	if (!self->usable)
		return;
	ASSERT_EQ(0, read_line(FOLDER "current_clocksource", now, sizeof(now)));
	if (strcmp(now, "tsc"))
		EXPECT_EQ(0, set_tsc_and_wait());
}

TEST_F(clocksource, is_not_the_tsc)
{
	struct warnings warnings = {};
	HFT_OPTS(hft_opts, opts, .warn = warn, .warn_arg = &warnings);
	struct hft_task task = {};
	const struct hft_event *event;
	struct hft_ring *ring;
	uint64_t when;
	struct hft *h;
	int i;

	if (!self->usable)
		return;
	ASSERT_EQ(0, set_clocksource(self->other));
	ASSERT_EQ(0, hft_open(&h, &opts));
	EXPECT_FALSE(hft_clock_is_tsc());
	EXPECT_EQ(1, warnings.nr);
	EXPECT_NE(NULL, strstr(warnings.clock, self->other)) TH_LOG("%s", warnings.clock);
	for (i = 0; i < 1000; i++)
		ASSERT_TRUE(agrees(0));

	/* Tasks run all the same. */
	ASSERT_EQ(0, hft_ring_open(h, NULL, &ring));
	task.release = hft_now() + 20 * NSEC_PER_MSEC;
	ASSERT_EQ(0, hft_submit(h, &task, NULL));
	ASSERT_EQ(1, hft_wait(ring, HFT_WAIT_FOREVER));
	event = hft_ring_peek(ring);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(task.release, event->release);
	EXPECT_LE(task.release, kernel_now());
	hft_ring_advance(ring);
	when = kernel_now() + NSEC_PER_MSEC;
	EXPECT_LE(when, hft_spin_until(when));
	EXPECT_LE(when, kernel_now());
	hft_ring_close(ring);
	hft_close(h);
}

/* As the kernel's watchdog does it to a TSC that it finds unstable. */
TEST_F(clocksource, ceases_to_be_the_tsc)
{
	uint64_t end, last = 0;
	struct hft *h;

	if (!self->usable)
		return;
	ASSERT_EQ(0, hft_open(&h, NULL));
	ASSERT_TRUE(hft_clock_is_tsc());
	ASSERT_EQ(0, set_clocksource(self->other));
	end = kernel_now() + 5 * NSEC_PER_SEC;
	while (hft_clock_is_tsc() && kernel_now() < end) {
		uint64_t now = hft_now();

		/* The last one may be of the other clock, and before. */
		if (hft_clock_is_tsc())
			ASSERT_LE(last, now);
		last = now;
		ASSERT_TRUE(agrees(SLACK));
	}
	EXPECT_FALSE(hft_clock_is_tsc());
	ASSERT_TRUE(agrees(0));
	hft_close(h);
}

/* Who reads the monitor ring needs no second look at the clock. */
TEST_F(clocksource, notice_of_the_module)
{
	HFT_OPTS(hft_ring_opts, opts, .flags = HFT_RING_MONITOR);
	const struct hft_event *event;
	struct hft_ring *monitor;
	struct hft_stats stats;
	struct hft *h;

	if (!self->usable)
		return;
	ASSERT_EQ(0, hft_open(&h, NULL));
	ASSERT_EQ(0, hft_ring_open(h, &opts, &monitor));
	ASSERT_EQ(0, hft_stats(h, HFT_STATS_CONTEXT, &stats));
	EXPECT_EQ(1, stats.tsc);
	EXPECT_EQ(0, stats.clock_faults);
	ASSERT_EQ(0, set_clocksource(self->other));
	ASSERT_EQ(1, hft_wait(monitor, HFT_WAIT_FOREVER));
	event = hft_ring_peek(monitor);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(HFT_EVENT_CLOCK, event->type);
	EXPECT_EQ(HFT_FAULT_CLOCKSOURCE, event->result);
	EXPECT_FALSE(hft_clock_is_tsc());
	ASSERT_TRUE(agrees(0));
	ASSERT_EQ(0, hft_stats(h, HFT_STATS_CONTEXT, &stats));
	EXPECT_EQ(0, stats.tsc);
	EXPECT_EQ(1, stats.clock_faults);
	hft_ring_advance(monitor);

	/* For good, until all handles are closed. */
	ASSERT_EQ(0, set_clocksource("tsc"));
	ASSERT_EQ(1, hft_wait(monitor, HFT_WAIT_FOREVER));
	hft_ring_peek(monitor);
	EXPECT_FALSE(hft_clock_is_tsc());
	hft_ring_close(monitor);
	hft_close(h);
	ASSERT_EQ(0, hft_open(&h, NULL));
	EXPECT_TRUE(hft_clock_is_tsc());
	hft_close(h);
}

TEST_HARNESS_MAIN
