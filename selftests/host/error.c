// SPDX-License-Identifier: GPL-2.0-only
/* Errors in words, and options that begin with their size. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <engine/internal.h>

static void test_text_of_last_error(void **state)
{
	(void)state;
	assert_int_equal(hft_fail(ENOSPC, "no room for %d", 7), -ENOSPC);
	assert_string_equal(hft_strerror(-ENOSPC), "no room for 7: No space left on device");
	assert_ptr_equal(hft_strerror(ENOSPC), hft_strerror(-ENOSPC));
}

static void test_text_of_other_errors(void **state)
{
	(void)state;
	hft_fail(ENOSPC, "particulars");
	assert_string_equal(hft_strerror(-EPERM), strerror(EPERM));
	assert_string_equal(hft_strerror(0), strerror(0));
	assert_non_null(hft_strerror(-123456));
}

static void test_long_text_is_cut(void **state)
{
	char name[1000];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	hft_fail(EIO, "%s", name);
	assert_true(strlen(hft_strerror(-EIO)) < sizeof(name));
	assert_memory_equal(hft_strerror(-EIO), name, 100);
}

static void *fail_elsewhere(void *arg)
{
	(void)arg;
	hft_fail(ENOSPC, "of another thread");
	return NULL;
}

static void test_text_is_the_threads_own(void **state)
{
	pthread_t thread;

	(void)state;
	hft_fail(ENOSPC, "mine");
	assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
	pthread_join(thread, NULL);
	assert_string_equal(hft_strerror(-ENOSPC), "mine: No space left on device");
}

/* What an older library knew, what this one knows, what a newer one may know. */
struct old_opts {
	size_t sz;
	uint32_t a;
};

struct opts {
	size_t sz;
	uint32_t a;
	uint32_t b;
};

struct new_opts {
	size_t sz;
	uint32_t a;
	uint32_t b;
	uint64_t c;
};

static void test_no_options(void **state)
{
	struct opts opts = { 1, 2, 3 };

	(void)state;
	assert_int_equal(hft_read_opts(&opts, sizeof(opts), NULL), 0);
	assert_int_equal(opts.a, 0);
	assert_int_equal(opts.b, 0);
}

static void test_older_options(void **state)
{
	struct old_opts old = { .sz = offsetof(struct opts, b), .a = 5 };
	struct opts opts = { .b = 9 };

	(void)state;
	assert_int_equal(hft_read_opts(&opts, sizeof(opts), &old), 0);
	assert_int_equal(opts.a, 5);
	assert_int_equal(opts.b, 0);
}

static void test_newer_options(void **state)
{
	struct new_opts new = { .sz = sizeof(new), .a = 5, .b = 6 };
	struct opts opts;

	(void)state;
	assert_int_equal(hft_read_opts(&opts, sizeof(opts), &new), 0);
	assert_int_equal(opts.b, 6);
	new.c = 1ULL << 63;
	assert_int_equal(hft_read_opts(&opts, sizeof(opts), &new), -E2BIG);
}

static void test_options_without_size(void **state)
{
	struct opts opts, user = { .sz = 0, .a = 5 };

	(void)state;
	assert_int_equal(hft_read_opts(&opts, sizeof(opts), &user), -EINVAL);
	user.sz = sizeof(size_t) - 1;
	assert_int_equal(hft_read_opts(&opts, sizeof(opts), &user), -EINVAL);
	user.sz = sizeof(size_t);
	assert_int_equal(hft_read_opts(&opts, sizeof(opts), &user), 0);
	assert_int_equal(opts.a, 0);
	user.sz = (size_t)-1;
	assert_int_equal(hft_read_opts(&opts, sizeof(opts), &user), -E2BIG);
}

static void test_open_without_device(void **state)
{
	HFT_OPTS(hft_opts, opts, .device = "/nonexistent/hft");
	struct hft *h;

	(void)state;
	assert_int_equal(hft_open(&h, &opts), -ENOENT);
	assert_non_null(strstr(hft_strerror(-ENOENT), "modprobe hft"));
}

static void test_open_another_device(void **state)
{
	HFT_OPTS(hft_opts, opts, .device = "/dev/null");
	struct hft *h;

	(void)state;
	assert_int_equal(hft_open(&h, &opts), -ENOTTY);
	assert_non_null(strstr(hft_strerror(-ENOTTY), "HFT_IOC_QUERY"));
}

static void test_open_unknown_flag(void **state)
{
	HFT_OPTS(hft_opts, opts, .flags = 1U << 31);
	struct hft *h;

	(void)state;
	assert_int_equal(hft_open(&h, &opts), -EINVAL);
}

static void count_warning(void *arg, const char *text)
{
	assert_true(strlen(text) > 10);
	++*(int *)arg;
}

static void test_warnings_come_once(void **state)
{
	int warnings = 0, first;
	struct hft h = { .warn = count_warning, .warn_arg = &warnings };

	(void)state;
	hft_examine(&h);
	first = warnings;
	hft_examine(&h);
	assert_int_equal(warnings, first);
	h.warn = NULL;
	hft_warn(&h, "nobody hears %s", "this");
	assert_int_equal(warnings, first);
}

struct answer {
	size_t sz;
	uint64_t first;
	uint64_t second;
	uint64_t later;
};

static void test_answer_is_what_both_know(void **state)
{
	const struct answer ours = { .sz = 99, .first = 1, .second = 2, .later = 3 };
	struct answer theirs = { .sz = offsetof(struct answer, second), .first = 9, .second = 9 };

	(void)state;
	assert_int_equal(hft_check_answer(&theirs), 0);
	hft_answer(&theirs, &ours, sizeof(ours));
	assert_int_equal(theirs.sz, offsetof(struct answer, second));
	assert_int_equal(theirs.first, 1);
	assert_int_equal(theirs.second, 9);

	theirs = (struct answer){ .sz = sizeof(theirs), .later = 9 };
	hft_answer(&theirs, &ours, offsetof(struct answer, later));
	assert_int_equal(theirs.sz, sizeof(theirs));
	assert_int_equal(theirs.second, 2);
	assert_int_equal(theirs.later, 0);

	theirs.sz = sizeof(theirs.sz);
	hft_answer(&theirs, &ours, sizeof(ours));
	assert_int_equal(theirs.first, 1);
	theirs.sz = sizeof(theirs.sz) - 1;
	assert_int_equal(hft_check_answer(&theirs), -EINVAL);
	theirs.sz = SIZE_MAX;
	assert_int_equal(hft_check_answer(&theirs), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_of_last_error),
		cmocka_unit_test(test_text_of_other_errors),
		cmocka_unit_test(test_long_text_is_cut),
		cmocka_unit_test(test_text_is_the_threads_own),
		cmocka_unit_test(test_no_options),
		cmocka_unit_test(test_older_options),
		cmocka_unit_test(test_newer_options),
		cmocka_unit_test(test_options_without_size),
		cmocka_unit_test(test_open_without_device),
		cmocka_unit_test(test_open_another_device),
		cmocka_unit_test(test_open_unknown_flag),
		cmocka_unit_test(test_warnings_come_once),
		cmocka_unit_test(test_answer_is_what_both_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
