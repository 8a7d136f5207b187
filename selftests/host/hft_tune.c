// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain */
/* hft-tune on the files of another machine: what it changes, and that it puts everything back. */
#include "hft_tune.h"

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
	};
	int status = find_tool();

	return status ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
