// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* The schedule in the log, as others see it: for ui.perfetto.dev, and drawn. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "log_command.h"
#include "log_sched.h"

/* Runs the tool, if it is built; its exit status. */
static int tool(const char *arguments)
{
	return log_command(arguments, dir, dir);
}

static json_t *member(json_t *object, const char *name, json_type type)
{
	json_t *value = json_object_get(object, name);

	if (!value || json_typeof(value) != type)
		fail_msg("no %s of the right type", name);
	return value;
}

static json_int_t integer(json_t *object, const char *name)
{
	return json_integer_value(member(object, name, JSON_INTEGER));
}

static const char *string(json_t *object, const char *name)
{
	return json_string_value(member(object, name, JSON_STRING));
}

static double real(json_t *object, const char *name)
{
	double value = json_real_value(member(object, name, JSON_REAL));

	assert_true(value >= 0);
	return value;
}

#define LANES_MOST	16

/* What a trace has. */
struct trace {
	uint32_t spans;
	uint32_t marks;
	bool process[LANES_MOST];
	bool thread[LANES_MOST];
};

/* A name comes before the first event that is of it. */
static void check_name(json_t *event, struct trace *trace)
{
	bool is_process = !strcmp(string(event, "name"), "process_name");

	assert_int_equal(json_object_size(event), 5);
	assert_int_equal(json_object_size(member(event, "args", JSON_OBJECT)), 1);
	if (!strcmp(string(event, "name"), "thread_sort_index")) {
		assert_int_equal(integer(json_object_get(event, "args"), "sort_index"),
				 integer(event, "tid") - 1);
		return;
	}
	if (!is_process)
		assert_string_equal(string(event, "name"), "thread_name");
	assert_true(*string(json_object_get(event, "args"), "name"));
	if (is_process)
		trace->process[integer(event, "pid")] = true;
	else
		trace->thread[integer(event, "tid")] = true;
}

/* All fields of the format that ui.perfetto.dev needs, and no others. */
static void check_event(json_t *event, struct trace *trace)
{
	const char *phase = string(event, "ph");

	assert_in_range(integer(event, "pid"), 1, LANES_MOST - 1);
	assert_in_range(integer(event, "tid"), 1, LANES_MOST - 1);
	if (!strcmp(phase, "M")) {
		check_name(event, trace);
		return;
	}
	assert_true(trace->process[integer(event, "pid")]);
	assert_true(trace->thread[integer(event, "tid")]);
	assert_true(*string(event, "name") && *string(event, "cat"));
	member(event, "args", JSON_OBJECT);
	real(event, "ts");
	assert_int_equal(json_object_size(event), 8);
	if (!strcmp(phase, "X")) {
		real(event, "dur");
		trace->spans++;
	} else {
		assert_string_equal(phase, "i");
		assert_string_equal(string(event, "s"), "t");
		trace->marks++;
	}
}

static json_t *load_trace(const char *path, struct trace *trace)
{
	json_error_t error;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error), *event;
	size_t i;

	if (!root)
		fail_msg("line %d: %s", error.line, error.text);
	assert_int_equal(json_object_size(root), 3);
	assert_string_equal(string(root, "displayTimeUnit"), "ns");
	string(member(root, "otherData", JSON_OBJECT), "base_ns");
	memset(trace, 0, sizeof(*trace));
	json_array_foreach(member(root, "traceEvents", JSON_ARRAY), i, event)
		check_event(event, trace);
	return root;
}

/* One that runs the tool has these behind its folder, which has the log alone. */
static void out_path(char *arguments, size_t size, char *path, const char *command,
		     const char *end)
{
	assert_true(snprintf(path, PATH_MAX, "%s%s", dir, end) < PATH_MAX);
	assert_true(snprintf(arguments, size, "%s --output %s", command, path) < (int)size);
}

static void span_is(json_t *root, uint32_t number, uint64_t cookie, double from, double us,
		    bool ended)
{
	json_t *event, *args;
	uint32_t spans = 0;
	size_t i;

	json_array_foreach(json_object_get(root, "traceEvents"), i, event) {
		if (strcmp(string(event, "ph"), "X") || spans++ != number)
			continue;
		args = json_object_get(event, "args");
		assert_int_equal(integer(args, "cookie"), cookie);
		assert_int_equal(json_is_true(json_object_get(args, "ended")), ended);
		assert_true(real(event, "ts") == from && real(event, "dur") == us);
		return;
	}
	fail_msg("no span %u", number);
}

/* The long task of 50 us from 10 us on; from 20 us to 70 us the one that is better. */
static void a_machine_is_exported(void **state)
{
	char arguments[2 * PATH_MAX], path[PATH_MAX];
	struct recorded recorded = { .nr = 0 };
	struct trace trace;
	json_t *root;

	(void)state;
	want("sched");
	run_machine(&recorded);
	assert_int_equal(hft_log_close(the_log), 0);
	out_path(arguments, sizeof(arguments), path, "export --perfetto --subsystem sched",
		 ".json");
	assert_int_equal(tool(arguments), 0);
	root = load_trace(path, &trace);
	assert_int_equal(trace.spans, 3);
	assert_int_equal(trace.marks + 2 * trace.spans, recorded.nr);
	assert_string_equal(string(json_object_get(root, "otherData"), "simulated_base_ns"), "0");
	span_is(root, 0, 1, 10, 10, false);
	span_is(root, 1, 2, 20, 50, true);
	span_is(root, 2, 1, 70, 40, true);
	json_decref(root);
	unlink(path);
	tree_remove(dir);
}

/* With all else that was logged: clock evidence, and a message that is no nice text. */
static void workers_are_exported(void **state)
{
	char arguments[2 * PATH_MAX], path[PATH_MAX];
	struct worked worked;
	uint64_t ids[TASKS];
	struct trace trace;

	(void)state;
	want("sched");
	assert_int_equal(hft_log(HFT_LOG_INFO, "text=%s x=%f", "\"\xff\n\\", 0.0 / 0.0), 0);
	start(&worked);
	submit(&worked, ids);
	stop(&worked);
	assert_int_equal(hft_log_close(the_log), 0);
	out_path(arguments, sizeof(arguments), path, "export --perfetto", ".json");
	assert_int_equal(tool(arguments), 0);
	json_decref(load_trace(path, &trace));
	assert_int_equal(trace.spans, TASKS);
	/* submit and dispatch of each, a miss of each other, the message. */
	assert_true(trace.marks >= 2 * TASKS + TASKS / 2 + 1);
	unlink(path);
	tree_remove(dir);
}

static bool is_in(const char *path, const char *text)
{
	char found[1 << 16];
	FILE *file = fopen(path, "r");
	size_t bytes;

	assert_non_null(file);
	bytes = fread(found, 1, sizeof(found) - 1, file);
	fclose(file);
	return memmem(found, bytes, text, strlen(text));
}

static void has(const char *path, const char *text)
{
	if (!is_in(path, text))
		fail_msg("%s has no %s", path, text);
}

static void a_machine_is_drawn(void **state)
{
	char arguments[2 * PATH_MAX], path[PATH_MAX];
	struct recorded recorded = { .nr = 0 };

	(void)state;
	want("sched");
	run_machine(&recorded);
	assert_int_equal(hft_log_close(the_log), 0);
	out_path(arguments, sizeof(arguments), path, "timeline --subsystem none 2>/dev/null",
		 ".svg");
	assert_int_equal(tool(arguments), 2);
	assert_int_equal(access(path, F_OK), -1);
	if (system("command -v gnuplot >/dev/null")) {
		tree_remove(dir);
		skip();
	}
	out_path(arguments, sizeof(arguments), path, "timeline --most 2 2>/dev/null", ".svg");
	assert_int_equal(tool(arguments), 2);
	out_path(arguments, sizeof(arguments), path, "timeline --most 3", ".svg");
	assert_int_equal(tool(arguments), 0);
	has(path, "<svg");
	has(path, "CPU 0 ring 0");
	has(path, "missed");
	unlink(path);
	out_path(arguments, sizeof(arguments), path, "timeline", ".png");
	assert_int_equal(tool(arguments), 0);
	has(path, "PNG");
	unlink(path);
	tree_remove(dir);
}

/* One task after the other, of which the first is a hundredth of the second. */
static void run_two(uint64_t cookie)
{
	HFT_OPTS(hft_sim_opts, opts, .seed = 1, .start_ns = 5000);
	HFT_OPTS(hft_ring_opts, ring_opts, .cpu = 0);
	HFT_OPTS(hft_sim_worker_opts, worker, .flags = 0);
	struct hft_task task = { .cookie = cookie, .release = 10000, .wcet = 1000 };
	struct hft_sim *sim;
	int ring;

	assert_int_equal(hft_sim_open(&sim, &opts), 0);
	ring = hft_sim_ring_add(sim, &ring_opts);
	assert_true(ring >= 0);
	task.ring = (uint32_t)ring;
	assert_int_equal(hft_sim_worker_add(sim, task.ring, &worker), 0);
	assert_int_equal(hft_sim_submit(sim, &task, NULL), 0);
	task.cookie = cookie + 1;
	task.release = 20000;
	task.wcet = 100000;
	assert_int_equal(hft_sim_submit(sim, &task, NULL), 0);
	assert_int_equal(hft_sim_run(sim), 0);
	hft_sim_close(sim);
}

static void labels_fit_their_boxes(void **state)
{
	char arguments[2 * PATH_MAX], path[PATH_MAX];

	(void)state;
	want("sched");
	run_two(UINT64_MAX - 1);
	assert_int_equal(hft_log_close(the_log), 0);
	if (system("command -v gnuplot >/dev/null")) {
		tree_remove(dir);
		skip();
	}
	out_path(arguments, sizeof(arguments), path, "timeline", ".svg");
	assert_int_equal(tool(arguments), 0);
	has(path, "18446744073709551615");
	assert_false(is_in(path, "18446744073709551614"));
	unlink(path);
	tree_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_machine_is_exported, begin),
		cmocka_unit_test_setup(workers_are_exported, begin),
		cmocka_unit_test_setup(a_machine_is_drawn, begin),
		cmocka_unit_test_setup(labels_fit_their_boxes, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
