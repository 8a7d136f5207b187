// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Which calls are wanted: rules of levels, who has set them, and that audit places have none. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#define HFT_LOG_SUBSYSTEM "open"
#include <hft/log.h>
#include <hft/log_trade.h>

#include "log_folder.h"

enum { DETAIL_LINE = __LINE__ + 1 };
HFT_LOG_EVENT(event_detail, "detail", "number", HFT_LOG_DEBUG, HFT_LOG_PLAIN, (u64, number))

/* What a program makes that says no lane. */
static struct hft_log_site *unknown_site(void)
{
	static struct hft_log_site site = {
		.format = "made", .types = "", .subsystem = "open", .file = "made.c",
		.level = HFT_LOG_DEBUG,
	};

	return &site;
}

static void test_levels(void **state)
{
	struct hft_log *log = open_lossless();
	uint64_t number = 0;
	char line[32];

	(void)state;
	snprintf(line, sizeof(line), "log_levels.c:%d", DETAIL_LINE);
	assert_int_equal(event_detail(7), 0);
	assert_int_equal(hft_log_set_level(log, "det*", HFT_LOG_DEBUG), 0);
	assert_int_equal(event_detail(number++), 0);
	assert_int_equal(hft_log_set_level(log, "*", HFT_LOG_OFF), 0);
	assert_int_equal(event_detail(7), 0);
	assert_int_equal(hft_log(HFT_LOG_ERROR, "plain"), 0);
	assert_int_equal(hft_log_set_level(log, line, HFT_LOG_TRACE), 0);
	assert_int_equal(event_detail(number++), 0);
	assert_int_equal(hft_log_set_level(log, line + strlen("log_l"), HFT_LOG_OFF), 0);
	assert_int_equal(event_detail(number++), 0);
	assert_int_equal(hft_log_set_level(log, "", HFT_LOG_INFO), -EINVAL);
	assert_int_equal(hft_log_set_level(log, "a", HFT_LOG_LEVELS), -EINVAL);
	/* From outside, at once or soon. */
	assert_int_equal(hft_log_control(dir, line, HFT_LOG_OFF), 0);
	assert_int_equal(hft_log_control(dir, "detail", HFT_LOG_OFF), 0);
	assert_int_equal(hft_log_set_level(log, "open", HFT_LOG_INFO), 0);
	assert_int_equal(event_detail(7), 0);
	assert_int_equal(hft_log(HFT_LOG_INFO, "plain"), 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_records("detail", NULL), number);
	assert_int_equal(count_records("open", NULL), 1);
}

/* Of the records hft:level, how many say so, of what that process has set? */
static unsigned int count_changes_by(pid_t pid, const char *pattern, const char *level)
{
	struct hft_log_reader *reader = read_own_records();
	const struct hft_log_view *view;
	unsigned int nr = 0;
	int ret;

	while ((ret = hft_log_reader_next(reader, &view)) > 0) {
		if (view->site->id != HFT_LOG_ID_LEVEL || strcmp(view->values[0].s, pattern))
			continue;
		nr += !strcmp(view->values[1].s, level) && view->values[4].u &&
		      view->values[2].u == (uint64_t)pid && view->values[3].u == getuid();
	}
	assert_int_equal(ret, 0);
	hft_log_reader_close(reader);
	return nr;
}

static unsigned int count_changes(const char *pattern, const char *level)
{
	return count_changes_by(getpid(), pattern, level);
}

/* A rule that is set again is the last one then, and a change.  One of another log is none. */
static void test_changes(void **state)
{
	struct hft_log *log = open_lossless();

	(void)state;
	assert_int_equal(hft_log_set_level(log, "other", HFT_LOG_TRACE), 0);
	assert_int_equal(hft_log_close(log), 0);
	log = open_lossless();
	assert_int_equal(hft_log_set_level(log, "det*", HFT_LOG_DEBUG), 0);
	assert_int_equal(hft_log_set_level(log, "*", HFT_LOG_OFF), 0);
	assert_int_equal(hft_log_set_level(log, "det*", HFT_LOG_DEBUG), 0);
	assert_int_equal(hft_log_control(dir, "open", HFT_LOG_WARN), 0);
	assert_int_equal(hft_log_set_level(log, "last", HFT_LOG_ERROR), 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_changes("other", "trace"), 1);
	assert_int_equal(count_changes("other", "default"), 0);
	assert_int_equal(count_changes("det*", "debug"), 2);
	assert_int_equal(count_changes("*", "off"), 1);
	assert_int_equal(count_changes("open", "warn"), 1);
	assert_int_equal(count_changes("last", "error"), 1);
}

static pid_t unset_by_child(const char *pattern)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(hft_log_control(dir, pattern, HFT_LOG_UNSET) != 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return pid;
}

/* Rules are taken away, and the log tells by whom. */
static void test_unset(void **state)
{
	struct hft_log *log = open_lossless();
	uint64_t number = 0;
	pid_t child;

	(void)state;
	assert_int_equal(hft_log_set_level(log, NULL, HFT_LOG_UNSET), 0);
	assert_int_equal(hft_log_set_level(log, NULL, HFT_LOG_INFO), -EINVAL);
	assert_int_equal(hft_log_set_level(log, "det*", HFT_LOG_UNSET), -ENODATA);
	assert_int_equal(hft_log_set_level(log, "det*", HFT_LOG_TRACE), 0);
	assert_int_equal(hft_log_set_level(log, "detail", HFT_LOG_DEBUG), 0);
	child = unset_by_child("det*");
	assert_int_equal(hft_log_control(dir, "det*", HFT_LOG_UNSET), -ENODATA);
	assert_int_equal(event_detail(number++), 0);
	assert_int_equal(hft_log_set_level(log, "detail", HFT_LOG_UNSET), 0);
	assert_int_equal(event_detail(7), 0);
	assert_int_equal(hft_log_set_level(log, "detail", HFT_LOG_DEBUG), 0);
	assert_int_equal(event_detail(number++), 0);
	assert_int_equal(hft_log_set_level(log, NULL, HFT_LOG_UNSET), 0);
	assert_int_equal(event_detail(7), 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_records("detail", NULL), number);
	assert_int_equal(count_changes_by(child, "det*", "default"), 1);
	assert_int_equal(count_changes("det*", "default"), 0);
	assert_int_equal(count_changes("detail", "debug"), 2);
	assert_int_equal(count_changes("detail", "default"), 2);
}

/* There are 64 at most, but those that were taken away are none of them. */
static void test_most_rules(void **state)
{
	struct hft_log *log = open_lossless();
	char pattern[16];
	unsigned int i;

	(void)state;
	assert_int_equal(hft_log_set_level(log, "first", HFT_LOG_WARN), 0);
	assert_int_equal(hft_log_set_level(log, "first", HFT_LOG_UNSET), 0);
	for (i = 0; i < 64; i++) {
		snprintf(pattern, sizeof(pattern), "rule%u", i);
		assert_int_equal(hft_log_set_level(log, pattern, HFT_LOG_WARN), 0);
	}
	assert_int_equal(hft_log_flush(log, 0, WAIT_NS), 0);
	assert_int_equal(hft_log_set_level(log, "more", HFT_LOG_WARN), -E2BIG);
	assert_int_equal(hft_log_set_level(log, "rule0", HFT_LOG_ERROR), 0);
	assert_int_equal(hft_log_set_level(log, "rule1", HFT_LOG_UNSET), 0);
	assert_int_equal(hft_log_set_level(log, "more", HFT_LOG_WARN), 0);
	assert_int_equal(hft_log_set_level(log, NULL, HFT_LOG_UNSET), 0);
	assert_int_equal(hft_log_set_level(log, "more", HFT_LOG_UNSET), -ENODATA);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_changes("first", "default"), 1);
	assert_int_equal(count_changes("rule0", "default"), 1);
	assert_int_equal(count_changes("rule1", "default"), 1);
	assert_int_equal(count_changes("rule63", "default"), 1);
	assert_int_equal(count_changes("more", "default"), 1);
}

/* What is set, and taken away, right before it is closed is told: more than waits at a time. */
static void test_last_changes(void **state)
{
	HFT_OPTS(hft_log_opts, opts, .idle_ns = 1000000000);
	struct hft_log *log = open_with(&opts);
	char pattern[108];
	unsigned int i;

	(void)state;
	for (i = 0; i < 62; i++) {
		snprintf(pattern, sizeof(pattern), "%0107u", i);
		assert_int_equal(hft_log_set_level(log, pattern, HFT_LOG_WARN), 0);
	}
	assert_int_equal(hft_log_set_level(log, NULL, HFT_LOG_UNSET), 0);
	assert_int_equal(hft_log_control(dir, "last", HFT_LOG_ERROR), 0);
	assert_int_equal(hft_log_close(log), 0);
	for (i = 0; i < 62; i++) {
		snprintf(pattern, sizeof(pattern), "%0107u", i);
		assert_int_equal(count_changes(pattern, "warn"), 1);
		assert_int_equal(count_changes(pattern, "default"), 1);
	}
	assert_int_equal(count_changes("last", "error"), 1);
}

enum { AUDIT_LINE = __LINE__ + 4 };

static int audit_trace(uint64_t number)
{
	return hft_log_audit(HFT_LOG_TRACE, "number=%lu", number);
}

/* What is for an audit ring is in the log, whatever a rule says, and where it has no lane. */
static void test_audit_levels(void **state)
{
	static const char *const patterns[] = { "*", "open", "trade", "op?n", NULL };
	HFT_OPTS(hft_trade_order, order, .order = "1", .symbol = "A");
	char line[32];
	struct hft_log *log = open_lossless();
	uint64_t number = 0;
	unsigned int i;

	(void)state;
	assert_int_equal(audit_trace(number++), 0);
	for (i = 0; patterns[i]; i++) {
		assert_int_equal(hft_log_set_level(log, patterns[i], HFT_LOG_OFF), 0);
		assert_int_equal(audit_trace(number++), 0);
		assert_int_equal(hft_trade_log_order(HFT_TRADE_ORDER_NEW, &order), 0);
	}
	snprintf(line, sizeof(line), "log_levels.c:%d", AUDIT_LINE);
	assert_int_equal(hft_log_control(dir, line, HFT_LOG_OFF), 0);
	assert_int_equal(hft_log_set_level(log, "op*", HFT_LOG_OFF), 0);
	assert_int_equal(audit_trace(number++), 0);
	assert_int_equal(hft_log_write(unknown_site(), HFT_LOG_AUDIT, 0, line, 0), 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_records("open", NULL), number + 1);
	assert_int_equal(count_records("trade", NULL), i);
}

static struct hft_log_site *find_own_site(int line)
{
	struct hft_log_site *site;

	for (site = __start_hft_log_section; site < __stop_hft_log_section; site++) {
		if (site->line == (uint32_t)line)
			return site;
	}
	fail_msg("line %d logs nothing", line);
	return NULL;
}

/* As when there was no memory for it: a call tries again, and says why it can not. */
static void test_audit_unknown(void **state)
{
	struct hft_log_site *site = find_own_site(AUDIT_LINE);
	const struct hft_log_site was = *site;
	struct hft_log *log = open_lossless();

	(void)state;
	site->id = 0;
	site->enabled = 0;
	site->types = "?";
	assert_int_equal(audit_trace(0), -EINVAL);
	assert_int_equal(audit_trace(0), -EINVAL);
	site->types = was.types;
	assert_int_equal(audit_trace(1), 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_records("open", NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_levels, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_changes, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_unset, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_most_rules, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_last_changes, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_audit_levels, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_audit_unknown, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
