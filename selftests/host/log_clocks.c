// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/*
 * What is read of the clocks of a machine that has a PTP clock, and whose kernel says what it
 * likes: the calls that ask them are this file's (see the Makefile).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include <cmocka.h>
#include <linux/ptp_clock.h>

#include <hft/hft.h>
#include "log/evidence.h"

#define NS_PER_S	1000000000ll
#define UTC		(1700000000 * NS_PER_S)
#define CALL_NS		100		/* from one reading of a clock to the next */

static struct {
	int64_t now;			/* since the machine was started, ns */
	int64_t tai_s;			/* that the kernel knows of */
	struct timex timex;
	int state;			/* of adjtimex(2), or -errno */
	const char *ptp;		/* the device that there is; NULL: none */
	int open_err;			/* of asking what it is */
	int ptp_err;
	int64_t ptp_ns;			/* it less CLOCK_REALTIME */
	int64_t widths[5];		/* of the samples */
} machine;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_adjtimex(struct timex *timex);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

int __wrap_open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (strncmp(path, "/dev/ptp", 8))
		return __real_open(path, flags, mode);
	if (machine.ptp && !strcmp(path + 5, machine.ptp))
		return __real_open("/dev/null", O_RDONLY | O_CLOEXEC);
	errno = ENOENT;
	return -1;
}

static int64_t read_ns(clockid_t clock)
{
	machine.now += CALL_NS;
	if (clock == CLOCK_MONOTONIC)
		return machine.now;
	return UTC + machine.now + (clock == CLOCK_TAI ? machine.tai_s * NS_PER_S : 0);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	int64_t ns = read_ns(clock);

	time->tv_sec = ns / NS_PER_S;
	time->tv_nsec = ns % NS_PER_S;
	return 0;
}

int __wrap_adjtimex(struct timex *timex)
{
	*timex = machine.timex;
	if (machine.state >= 0)
		return machine.state;
	errno = -machine.state;
	return -1;
}

static struct ptp_clock_time ptp_time(int64_t ns)
{
	return (struct ptp_clock_time){ .sec = ns / NS_PER_S, .nsec = (uint32_t)(ns % NS_PER_S) };
}

/* A sample that took long was read at its end. */
int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
	struct ptp_sys_offset_extended *samples = argument;
	unsigned int i;

	(void)fd;
	if (request == PTP_CLOCK_GETCAPS ? machine.open_err : machine.ptp_err) {
		errno = request == PTP_CLOCK_GETCAPS ? machine.open_err : machine.ptp_err;
		return -1;
	}
	if (request == PTP_CLOCK_GETCAPS)
		return 0;
	assert_true(request == PTP_SYS_OFFSET_EXTENDED && samples->n_samples == 5);
	for (i = 0; i < 5; i++) {
		int64_t before = read_ns(CLOCK_REALTIME), width = machine.widths[i];
		int64_t late = width > 1000 ? width : width / 2;

		samples->ts[i][0] = ptp_time(before);
		samples->ts[i][1] = ptp_time(before + late + machine.ptp_ns);
		samples->ts[i][2] = ptp_time(before + width);
		machine.now += width;
	}
	return 0;
}

static void start(const char *ptp)
{
	static const int64_t widths[5] = { 90000, 5000, 800, 700000, 2000 };

	memset(&machine, 0, sizeof(machine));
	memcpy(machine.widths, widths, sizeof(widths));
	machine.tai_s = 37;
	machine.ptp = ptp;
}

static void look(struct hft_log_clocks *clocks)
{
	struct hft_log_clock_reader reader;

	hft_log_clock_reader_open(&reader, NULL);
	hft_log_clocks_read(&reader, false, clocks);
	hft_log_clock_reader_close(&reader);
}

/* The narrowest sample, of a clock on TAI or on UTC; the calls' time is in none of it. */
static void test_ptp(void **state)
{
	static const int64_t offsets[] = { 0, 250, -250, 40000000, -40000000 };
	struct hft_log_clocks clocks;
	unsigned int i;

	(void)state;
	for (i = 0; i < 3 * sizeof(offsets) / sizeof(offsets[0]); i++) {
		start(i % 2 ? "ptp0" : "ptp3");
		machine.tai_s = i % 3 == 2 ? 0 : 37;
		machine.ptp_ns = offsets[i / 3] + (i % 3 == 1 ? 37 * NS_PER_S : 0);
		look(&clocks);
		assert_string_equal(clocks.ptp, machine.ptp);
		assert_int_equal(clocks.ptp_offset_ns, offsets[i / 3]);
		assert_int_equal(clocks.ptp_width_ns, 800);
	}
	/* A clock on TAI, and a kernel that was not told how far that is ahead */
	start("ptp0");
	machine.tai_s = 0;
	machine.ptp_ns = 37 * NS_PER_S;
	look(&clocks);
	assert_int_equal(clocks.ptp_offset_ns, 37 * NS_PER_S);
}

static void test_no_ptp(void **state)
{
	struct hft_log_clocks clocks;

	(void)state;
	start(NULL);
	look(&clocks);
	assert_string_equal(clocks.ptp, "");
	assert_int_equal(clocks.width_ns, 4 * CALL_NS);
	start("ptp0");
	machine.ptp_err = EOPNOTSUPP;
	look(&clocks);
	assert_string_equal(clocks.ptp, "");
	/* Samples whose end is before their begin: the clock was stepped meanwhile. */
	start("ptp0");
	memset(machine.widths, 0xff, sizeof(machine.widths));
	look(&clocks);
	assert_string_equal(clocks.ptp, "");
}

static void test_named_ptp(void **state)
{
	struct hft_log_clock_reader reader;

	(void)state;
	start("ptp1");
	assert_int_equal(hft_log_clock_reader_open(&reader, "/dev/ptp1"), 0);
	assert_string_equal(reader.ptp, "ptp1");
	hft_log_clock_reader_close(&reader);
	assert_int_equal(hft_log_clock_reader_open(&reader, "/dev/ptp0"), -ENOENT);
	assert_non_null(strstr(hft_strerror(-ENOENT), "/dev/ptp0"));
	/* What is no PTP clock */
	machine.open_err = ENOTTY;
	assert_int_equal(hft_log_clock_reader_open(&reader, "/dev/ptp1"), -ENOTTY);
	assert_int_equal(reader.ptp_fd, -1);
	assert_int_equal(hft_log_clock_reader_open(&reader, NULL), 0);
	assert_int_equal(reader.ptp_fd, -1);
}

/* As adjtimex(2) has it: in us, or in ns with STA_NANO; and around a leap second. */
static void test_discipline(void **state)
{
	static const int states[] = { TIME_OK, TIME_INS, TIME_DEL, TIME_OOP, TIME_WAIT, TIME_ERROR,
				      -EPERM };
	struct hft_log_clocks clocks;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		start(NULL);
		machine.state = states[i];
		machine.timex.status = STA_PLL | (i % 2 ? STA_NANO : 0);
		machine.timex.offset = -7;
		machine.timex.maxerror = 12;
		machine.timex.esterror = 3;
		machine.timex.freq = -65536 * 10;
		machine.timex.tai = 37;
		look(&clocks);
		assert_int_equal(clocks.state, states[i]);
		assert_int_equal(clocks.tai - clocks.realtime, 37 * NS_PER_S + CALL_NS);
		if (states[i] < 0) {
			assert_true(!clocks.max_error_ns && !clocks.tai_offset_s);
			continue;
		}
		assert_int_equal(clocks.offset_ns, i % 2 ? -7 : -7000);
		assert_int_equal(clocks.max_error_ns, 12000);
		assert_int_equal(clocks.est_error_ns, 3000);
		assert_int_equal(clocks.freq_ppb, -10000);
		assert_int_equal(clocks.tai_offset_s, 37);
		assert_int_equal(clocks.status, machine.timex.status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ptp),
		cmocka_unit_test(test_no_ptp),
		cmocka_unit_test(test_named_ptp),
		cmocka_unit_test(test_discipline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
