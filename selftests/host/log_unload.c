// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan */
/* An object that logs is unloaded before its records are taken, and loaded again. */
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log_folder.h"

#define LONG_NS		2000000000ull
#define TIMES		3

struct object {
	void *handle;
	int (*log)(uint64_t number);
	int (*debug)(unsigned int *evaluated);
};

/* Beside this program. */
static void path_of(const char *name, char path[PATH_MAX])
{
	char self[PATH_MAX - 64] = "";

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	snprintf(path, PATH_MAX, "%s/%s", dirname(self), name);
}

static void load(struct object *object, const char *path)
{
	object->handle = dlopen(path, RTLD_NOW);
	if (!object->handle)
		fail_msg("%s", dlerror());
	*(void **)&object->log = dlsym(object->handle, "object_log");
	*(void **)&object->debug = dlsym(object->handle, "object_debug");
	assert_non_null(object->log);
	assert_non_null(object->debug);
}

static void unload(struct object *object, const char *path)
{
	assert_int_equal(dlclose(object->handle), 0);
	assert_null(dlopen(path, RTLD_NOW | RTLD_NOLOAD));
}

static void notice(void *context, const struct hft_log_notice *it)
{
	(void)context;
	fail_msg("%s at %llu: %s", it->path, (unsigned long long)it->offset, it->text);
}

struct counts {
	uint64_t numbers;
	uint64_t debug;
	uint64_t comes;
	uint64_t goes;
};

static void count(struct counts *counts)
{
	HFT_OPTS(hft_log_reader_opts, opts, .notice = notice, .subsystems = "object");
	const char *path = dir;
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	int ret;

	assert_int_equal(hft_log_reader_open(&reader, &path, 1, &opts), 0);
	while ((ret = hft_log_reader_next(reader, &view)) > 0) {
		if (!strcmp(view->site->format, "number=%lu"))
			assert_int_equal(view->values[0].u, counts->numbers++);
		counts->debug += !strcmp(view->site->format, "debug=%u");
		counts->comes += !strcmp(view->site->format, "comes");
		counts->goes += !strcmp(view->site->format, "goes");
	}
	assert_int_equal(ret, 0);
	hft_log_reader_close(reader);
}

static void check_object(const char *name)
{
	HFT_OPTS(hft_log_opts, opts, .idle_ns = LONG_NS);
	struct counts counts = {};
	unsigned int evaluated = 0;
	char path[PATH_MAX];
	struct object object;
	struct hft_log *log;
	uint64_t i;

	path_of(name, path);
	if (access(path, R_OK))
		skip();
	assert_int_equal(hft_log_open(&log, dir, &opts), 0);
	for (i = 0; i < TIMES; i++) {
		load(&object, path);
		assert_int_equal(object.log(i), 0);
		assert_int_equal(object.debug(&evaluated), 0);
		assert_int_equal(evaluated, i);
		unload(&object, path);
		/* Neither what was told nor levels look at what is not there. */
		assert_int_equal(hft_log_set_level(log, "object", HFT_LOG_DEBUG), 0);
	}
	assert_int_equal(hft_log_close(log), 0);
	count(&counts);
	assert_int_equal(counts.numbers, TIMES);
	assert_int_equal(counts.debug, TIMES - 1);
	assert_int_equal(counts.comes, TIMES);
	assert_int_equal(counts.goes, TIMES);
}

static void test_c(void **state)
{
	(void)state;
	check_object("log_object.so");
}

static void test_cxx(void **state)
{
	(void)state;
	check_object("log_object_cxx.so");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_c, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_cxx, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
