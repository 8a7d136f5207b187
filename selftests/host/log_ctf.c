// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/*
 * babeltrace2 reads what hft_log_open() has logged, what a recovery and a repair have made, and
 * what was imported: as many records as the reader does, and not one fewer than were logged.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <sys/wait.h>

#include <cmocka.h>

#define HFT_LOG_SUBSYSTEM "own"
#include <hft/log_import.h>
#include <hft/log_store.h>
#include <hft/log_trade.h>
#include <hft/log_verify.h>

#include "log_ctf.h"
#include "log_sched.h"

#define NUMBERS		2000u
#define ODD		"\"quoted\\\" \x01 \xc3\xa9 \xff%"

HFT_LOG_EVENT(log_own, "own", "number", HFT_LOG_INFO, HFT_LOG_AUDIT, (u64, number))
HFT_LOG_EVENT(log_all, "own", "all types", HFT_LOG_INFO, HFT_LOG_PLAIN, (u64, event), (i64, stream),
	      (double, align), (pointer, _), (string, string), (task, task), (class, class),
	      (symbol, symbol), (stamp, stamp))

/* What io_uring is asked for keeps a log locked a moment longer than its process lives. */
static const struct hft_log_store_opts as_it_is = {
	.sz = sizeof(as_it_is), .flags = HFT_LOG_STORE_NO_PACK | HFT_LOG_STORE_NO_URING,
	.packet_bytes = 16 << 10,
};

static int open_log(void)
{
	HFT_OPTS(hft_log_opts, opts, .policy = HFT_LOG_BLOCK, .store = &as_it_is);

	return hft_log_open(&the_log, dir, &opts);
}

static int new_folder(void **state)
{
	(void)state;
	tree_make(dir, NULL, 0);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	tree_remove(dir);
	return 0;
}

static int is_stream(const struct dirent *entry)
{
	return !strncmp(entry->d_name, "stream-", 7);
}

static uint64_t babeltrace_all(const char *log)
{
	struct dirent **names;
	uint64_t sum = 0;
	char path[128];
	int64_t count;
	int i, nr;

	for (i = 1; ; i++) {
		snprintf(path, sizeof(path), "%s/chunk-%08d", log, i);
		if (access(path, F_OK))
			return sum;
		nr = scandir(path, &names, is_stream, NULL);
		assert_true(nr >= 0);
		if (nr) {
			count = babeltrace_count(path);
			assert_true(count >= 0);
			sum += (uint64_t)count;
		}
		while (nr)
			free(names[--nr]);
		free(names);
	}
}

/* @logged: of a subsystem, the records that were; there are others, of what the log does */
static void check_counts(const char *log, const char *subsystem, uint64_t logged)
{
	HFT_OPTS(hft_log_reader_opts, opts, .notice = NULL);
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	uint64_t all = 0, own = 0;
	int ret;

	assert_int_equal(hft_log_reader_open(&reader, &log, 1, &opts), 0);
	while ((ret = hft_log_reader_next(reader, &view)) > 0) {
		all++;
		own += !strcmp(view->site->subsystem, subsystem);
	}
	assert_int_equal(ret, 0);
	hft_log_reader_close(reader);
	assert_int_equal(own, logged);
	if (have_babeltrace())
		assert_int_equal(babeltrace_all(log), all);
}

static void of_calls(void **state)
{
	uint64_t i;

	(void)state;
	assert_int_equal(open_log(), 0);
	for (i = 0; i < NUMBERS; i++) {
		assert_int_equal(log_own(i), 0);
		assert_int_equal(hft_log(HFT_LOG_INFO, ODD "% event=%d id=%s v=%f", (int)i, ODD, .5),
				 0);
		assert_int_equal(log_all(i, -1, 1e300, &i, ODD, i, 3, "ABC", i), 0);
	}
	assert_int_equal(hft_log_close(the_log), 0);
	check_counts(dir, "own", 3 * NUMBERS);
}

/* Each of the tasks is submitted, released, dispatched, started and ended; half miss. */
static void of_schedule(void **state)
{
	struct worked worked;
	uint64_t ids[TASKS];

	(void)state;
	assert_int_equal(open_log(), 0);
	want("sched");
	start(&worked);
	submit(&worked, ids);
	stop(&worked);
	assert_int_equal(hft_log_close(the_log), 0);
	check_counts(dir, "sched", 5 * TASKS + TASKS / 2);
}

static void of_trade(void **state)
{
	const struct hft_trade_order order = {
		.sz = sizeof(order), .order = "O1", .symbol = "AAPL", .more = ODD,
		.price = { -12, true },
	};
	const struct hft_trade_fill fill = { .sz = sizeof(fill), .fill = "F1", .order = "O1" };
	const struct hft_trade_trade trade = { .sz = sizeof(trade), .trade = "T1" };
	const struct hft_trade_control control = {
		.sz = sizeof(control), .rule = "manual", .who = ODD, .limit = { 1, true },
	};
	unsigned int i;

	(void)state;
	assert_int_equal(open_log(), 0);
	for (i = 0; i < HFT_TRADE_ORDER_EVENTS; i++)
		assert_int_equal(hft_trade_log_order(i, &order), 0);
	assert_int_equal(hft_trade_log_fill(&fill), 0);
	assert_int_equal(hft_trade_log_trade(&trade), 0);
	for (i = HFT_TRADE_REJECT; i <= HFT_TRADE_REARM; i++)
		assert_int_equal(hft_trade_log_control(i, &control), 0);
	assert_int_equal(hft_log_close(the_log), 0);
	check_counts(dir, "trade", HFT_TRADE_ORDER_EVENTS + 2);
}

/* As hft-log kernel does with what it takes from the kernel. */
static void of_import(void **state)
{
	HFT_OPTS(hft_log_import_opts, opts, .program = "kernel", .store = &as_it_is);
	HFT_OPTS(hft_log_import_stream, stream, .id = 1, .thread = "cpu 0", .cpu = 0);
	static struct hft_log_site site = {
		.name = "sched:sched_switch", .fields = "prev_comm,prev_pid,common_pid,",
		.types = "siu", .subsystem = "kernel", .file = "events/sched/sched_switch",
		.level = HFT_LOG_DEBUG,
	};
	struct hft_log_import *import;
	uint64_t arguments[3] = { 0, 7, 9 }, now, i;
	char log[128];
	int err;

	(void)state;
	memcpy(arguments, "comm", 5);
	snprintf(log, sizeof(log), "%.100s/kernel", dir);
	assert_int_equal(hft_log_import_open(&import, log, &opts), 0);
	assert_int_equal(hft_log_import_site(import, &site), 0);
	assert_int_equal(hft_log_import_stream(import, &stream), 0);
	now = hft_log_import_is_tsc(import) ? __builtin_ia32_rdtsc() : hft_now();
	assert_int_equal(hft_log_import_lost(import, 1, 3, now, now), 0);
	for (i = 0; i < NUMBERS; i++)
		do {
			err = hft_log_import_write(import, 1, &site, now + i, arguments,
						   sizeof(arguments));
			hft_log_import_poll(import);
			assert_true(!err || err == -EAGAIN);
		} while (err);
	assert_int_equal(hft_log_import_close(import), 0);
	check_counts(log, "kernel", NUMBERS);
}

/* A process that has half of its records in files for certain when it is killed. */
static void leave_log(void)
{
	pid_t child = fork();
	uint64_t i;
	int status;

	if (!child) {
		for (i = 0; i < NUMBERS && (i || !open_log()); i++)
			if (log_own(i) || (i == NUMBERS / 2 &&
					   hft_log_flush(the_log, 0, PATIENCE_NS)))
				break;
		if (i == NUMBERS)
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
}

static void of_recovery(void **state)
{
	(void)state;
	leave_log();
	assert_int_equal(hft_log_recover(dir, &as_it_is), 0);
	check_counts(dir, "own", NUMBERS);
	assert_int_equal(open_log(), 0);
	assert_int_equal(log_own(0), 0);
	assert_int_equal(hft_log_close(the_log), 0);
	check_counts(dir, "own", NUMBERS + 1);
}

static void tear(const char *folder, const char *file)
{
	char path[PATH_MAX];
	struct stat st;

	assert_true(snprintf(path, sizeof(path), "%s/%s", folder, file) < PATH_MAX);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 8192);
	assert_int_equal(truncate(path, st.st_size - 4000), 0);
}

/* Of a copy that has been taken without what says where the rings are */
static void of_repair(void **state)
{
	HFT_OPTS(hft_log_repair_opts, opts);
	HFT_OPTS(hft_log_repair_result, repaired);
	char path[128], log[128], control[128], away[128];
	struct hft_log_verify_result result = { .sz = sizeof(result) };
	struct dirent **names;
	int nr;

	(void)state;
	leave_log();
	snprintf(control, sizeof(control), "%.100s/control", dir);
	snprintf(away, sizeof(away), "%.100s/away", dir);
	assert_int_equal(rename(control, away), 0);
	snprintf(path, sizeof(path), "%.100s/chunk-00000001", dir);
	nr = scandir(path, &names, is_stream, alphasort);
	assert_true(nr > 0);
	tear(path, names[nr - 1]->d_name);
	while (nr)
		free(names[--nr]);
	free(names);
	snprintf(log, sizeof(log), "%.100s/repaired", dir);
	opts.output = log;
	assert_int_equal(hft_log_repair(dir, &opts, &repaired), 0);
	assert_true(repaired.cut_bytes > 0);
	assert_int_equal(hft_log_verify(log, NULL, NULL, NULL, &result), 0);
	assert_int_equal(result.tampered, 0);
	if (have_babeltrace())
		assert_int_equal(babeltrace_all(log), result.records);
	/* Rings of tests do not stay. */
	assert_int_equal(rename(away, control), 0);
	assert_int_equal(hft_log_recover(dir, &as_it_is), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(of_calls, new_folder, remove_folder),
		cmocka_unit_test_setup_teardown(of_schedule, new_folder, remove_folder),
		cmocka_unit_test_setup_teardown(of_trade, new_folder, remove_folder),
		cmocka_unit_test_setup_teardown(of_import, new_folder, remove_folder),
		cmocka_unit_test_setup_teardown(of_recovery, new_folder, remove_folder),
		cmocka_unit_test_setup_teardown(of_repair, new_folder, remove_folder),
		cmocka_unit_test(test_babeltrace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
