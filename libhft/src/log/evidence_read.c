// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The clocks of the machine, at one instant as far as that can be.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ptp_clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "../engine/clock.h"
#include "../engine/internal.h"
#include "../gettime.h"
#include "evidence.h"

#define NS_PER_S	1000000000ull
#define TRIES		8
#define PTP_CLOCKS	8		/* that are looked at by default */
#define SOURCE		"/sys/devices/system/clocksource/clocksource0/current_clocksource"

static int hft_log_open_ptp(struct hft_log_clock_reader *reader, const char *path)
{
	struct ptp_clock_caps caps;
	int err;

	/* What is no PTP clock must not wait for somebody at its other end. */
	reader->ptp_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (reader->ptp_fd < 0)
		return -errno;
	if (ioctl(reader->ptp_fd, PTP_CLOCK_GETCAPS, &caps)) {
		err = -errno;
		hft_log_clock_reader_close(reader);
		return err;
	}
	snprintf(reader->ptp, sizeof(reader->ptp), "%s", basename(path));
	return 0;
}

/* A process that may not look at one by default has none, and the rest of the evidence. */
int hft_log_clock_reader_open(struct hft_log_clock_reader *reader, const char *ptp)
{
	char path[48];
	int i, err = -ENOENT;

	reader->ptp_fd = -1;
	*reader->ptp = '\0';
	if (ptp) {
		err = hft_log_open_ptp(reader, ptp);
		return err ? hft_fail(-err, "the PTP clock %s", ptp) : 0;
	}
	for (i = 0; i < PTP_CLOCKS && err; i++) {
		snprintf(path, sizeof(path), "/dev/ptp%d", i);
		err = hft_log_open_ptp(reader, path);
	}
	return 0;
}

void hft_log_clock_reader_close(struct hft_log_clock_reader *reader)
{
	if (reader->ptp_fd >= 0)
		close(reader->ptp_fd);
	reader->ptp_fd = -1;
}

/* The narrowest of some tries: an interrupt may be between. */
static void hft_log_read_instant(bool by_tsc, struct hft_log_clocks *clocks)
{
	uint64_t narrow = UINT64_MAX;
	int i;

	for (i = 0; i < TRIES; i++) {
		uint64_t before = hft_gettime(CLOCK_MONOTONIC);
		uint64_t stamp = by_tsc ? hft_cycles() : hft_gettime(CLOCK_MONOTONIC);
		uint64_t realtime = hft_gettime(CLOCK_REALTIME);
		uint64_t tai = hft_gettime(CLOCK_TAI);
		uint64_t after = hft_gettime(CLOCK_MONOTONIC);

		if (after - before >= narrow)
			continue;
		narrow = after - before;
		clocks->stamp = stamp;
		clocks->monotonic = before + narrow / 2;
		clocks->realtime = realtime;
		clocks->tai = tai;
		clocks->width_ns = narrow;
	}
}

static void hft_log_read_source(char *source, size_t size)
{
	int fd = open(SOURCE, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, source, size - 1);

	if (fd >= 0)
		close(fd);
	source[got > 0 ? got : 0] = '\0';
	source[strcspn(source, "\n")] = '\0';
	if (!*source)
		snprintf(source, size, "unknown");
}

static void hft_log_read_discipline(struct hft_log_clocks *clocks)
{
	struct timex timex = { 0 };
	int64_t unit;

	clocks->state = adjtimex(&timex);
	if (clocks->state < 0) {
		clocks->state = -errno;
		return;
	}
	unit = timex.status & STA_NANO ? 1 : 1000;
	clocks->status = (uint32_t)timex.status;
	clocks->offset_ns = timex.offset * unit;
	clocks->max_error_ns = (uint64_t)timex.maxerror * 1000;
	clocks->est_error_ns = (uint64_t)timex.esterror * 1000;
	clocks->freq_ppb = timex.freq * 1000 / 65536;	/* of 2^-16 ppm */
	clocks->tai_offset_s = timex.tai;
}

static int64_t hft_log_ptp_ns(const struct ptp_clock_time *time)
{
	return time->sec * (int64_t)NS_PER_S + time->nsec;
}

static int64_t hft_log_abs(int64_t value)
{
	return value < 0 ? -value : value;
}

/* TAI is ahead by whole seconds; the two were not read at one instant. */
static int64_t hft_log_to_tai(const struct hft_log_clocks *clocks)
{
	int64_t apart = (int64_t)(clocks->tai - clocks->realtime);

	return (apart + (int64_t)NS_PER_S / 2) / (int64_t)NS_PER_S * (int64_t)NS_PER_S;
}

/* The narrowest of its samples.  A PTP clock runs on TAI by its standard (IEEE 1588). */
static void hft_log_read_ptp(struct hft_log_clock_reader *reader, struct hft_log_clocks *clocks)
{
	struct ptp_sys_offset_extended samples = { .n_samples = 5 };
	int64_t to_tai = hft_log_to_tai(clocks);
	uint64_t narrow = UINT64_MAX;
	unsigned int i;

	if (reader->ptp_fd < 0 || ioctl(reader->ptp_fd, PTP_SYS_OFFSET_EXTENDED, &samples))
		return;
	for (i = 0; i < samples.n_samples; i++) {
		int64_t before = hft_log_ptp_ns(&samples.ts[i][0]);
		int64_t clock = hft_log_ptp_ns(&samples.ts[i][1]);
		int64_t after = hft_log_ptp_ns(&samples.ts[i][2]);
		uint64_t width = (uint64_t)(after - before);

		if (after < before || width >= narrow)
			continue;
		narrow = width;
		clocks->ptp_offset_ns = clock - before - (after - before) / 2;
		clocks->ptp_width_ns = width;
	}
	if (narrow == UINT64_MAX)
		return;
	if (hft_log_abs(clocks->ptp_offset_ns - to_tai) < hft_log_abs(clocks->ptp_offset_ns))
		clocks->ptp_offset_ns -= to_tai;
	strcpy(clocks->ptp, reader->ptp);
}

void hft_log_clocks_read(struct hft_log_clock_reader *reader, bool by_tsc,
			 struct hft_log_clocks *clocks)
{
	memset(clocks, 0, sizeof(*clocks));
	hft_log_read_source(clocks->source, sizeof(clocks->source));
	hft_log_read_discipline(clocks);
	hft_log_read_instant(by_tsc, clocks);
	hft_log_read_ptp(reader, clocks);
}
