// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* The kernel's events as a schedule: what CPUs ran, and their interrupts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <hft/log.h>
#include <hft/log_import.h>

#include "log_command.h"
#include "tree.h"

#define STEP_NS		10000
#define ODD_NAME	"a\"b\\c"

static char top[PATH_MAX];
static char log_dir[PATH_MAX];

enum { SWITCH, IRQ_ENTRY, IRQ_EXIT, SOFTIRQ_ENTRY, SOFTIRQ_EXIT, WAKEUP, KINDS };

static const struct {
	const char *name, *fields, *types;
} kinds[KINDS] = {
	[SWITCH] = { "sched:sched_switch", "next_comm,next_pid,next_prio,prev_pid,prev_state,",
		     "siiii" },
	[IRQ_ENTRY] = { "irq:irq_handler_entry", "name,irq,", "si" },
	[IRQ_EXIT] = { "irq:irq_handler_exit", "irq,", "i" },
	[SOFTIRQ_ENTRY] = { "irq:softirq_entry", "vec,", "u" },
	[SOFTIRQ_EXIT] = { "irq:softirq_exit", "vec,", "u" },
	[WAKEUP] = { "sched:sched_wakeup", "comm,pid,", "si" },
};

/* Two machines have a CPU 0 where their logs were merged. */
static const struct {
	const char *thread;
	int32_t cpu;
} streams[] = { { "cpu0", 0 }, { "cpu1", 1 }, { "cpu0", 0 }, { "cpu2", 2 } };

/* In the order of their fields: a text, if there is one, and numbers.  %KINDS: it is a loss. */
static const struct {
	uint64_t stream;
	unsigned int kind;
	const char *text;
	uint64_t numbers[4];
} events[] = {
	{ 0, SWITCH, "worker", { 20, 49, 10, 1 } },
	{ 1, IRQ_EXIT, NULL, { 24 } },
	{ 1, SWITCH, ODD_NAME, { 60, 120, 0, 0 } },
	{ 0, IRQ_ENTRY, "eth0", { 24 } },
	{ 0, IRQ_EXIT, NULL, { 24 } },
	{ 0, SOFTIRQ_ENTRY, NULL, { 1 } },
	{ 0, IRQ_ENTRY, "disk", { 25 } },
	{ 0, IRQ_EXIT, NULL, { 25 } },
	{ 0, SOFTIRQ_EXIT, NULL, { 1 } },
	{ 0, WAKEUP, "other", { 60 } },
	{ 0, SWITCH, "swapper/0", { 0, 120, 20, 1 } },
	{ 0, SWITCH, ODD_NAME, { 30, 120, 0, 0 } },
	{ 0, KINDS, NULL, { 7 } },
	{ 0, SWITCH, "late", { 50, 120, 40, 0x100 } },
	{ 1, SWITCH, "later", { 61, 120, 60, 0x100 } },
	{ 2, IRQ_ENTRY, "noexit", { 26 } },
	{ 2, IRQ_ENTRY, "noexit", { 26 } },
	{ 2, IRQ_ENTRY, "noexit", { 26 } },
	{ 3, SOFTIRQ_ENTRY, NULL, { 9 } },
	{ 3, IRQ_ENTRY, "noexit", { 27 } },
	{ 3, IRQ_ENTRY, "eth0", { 24 } },
	{ 3, IRQ_EXIT, NULL, { 24 } },
	{ 3, SOFTIRQ_ENTRY, NULL, { 1 } },
	{ 3, IRQ_ENTRY, "noexit", { 28 } },
	{ 3, SOFTIRQ_EXIT, NULL, { 1 } },
	{ 3, IRQ_ENTRY, "noexit", { 29 } },
	{ 3, SWITCH, "last", { 70, 120, 0, 0 } },
	{ 3, IRQ_ENTRY, "noexit", { 30 } },
	{ 0, WAKEUP, "other", { 60 } },
};

static const struct span {
	const char *name, *thread, *state;
	bool ended;
} spans[] = {
	{ "irq 24 eth0", "CPU 0 irq", NULL, true },
	{ "irq 25 disk", "CPU 0 irq", NULL, true },
	{ "softirq TIMER", "CPU 0 irq", NULL, true },
	{ "worker", "CPU 0", "S", true },
	{ ODD_NAME, "CPU 0", NULL, false },
	{ ODD_NAME, "CPU 1", "R+", true },
	{ "irq 26 noexit", "CPU 0 irq", NULL, false },
	{ "irq 26 noexit", "CPU 0 irq", NULL, false },
	{ "irq 27 noexit", "CPU 2 irq", NULL, false },
	{ "irq 24 eth0", "CPU 2 irq", NULL, true },
	{ "softirq RCU", "CPU 2 irq", NULL, false },
	{ "irq 28 noexit", "CPU 2 irq", NULL, false },
	{ "softirq TIMER", "CPU 2 irq", NULL, true },
	{ "irq 29 noexit", "CPU 2 irq", NULL, false },
	{ "late", "CPU 0", NULL, false },
	{ "later", "CPU 1", NULL, false },
	{ "irq 26 noexit", "CPU 0 irq", NULL, false },
	{ "irq 30 noexit", "CPU 2 irq", NULL, false },
	{ "last", "CPU 2", NULL, false },
};

#define NR(array)	(sizeof(array) / sizeof((array)[0]))

static int add_event(struct hft_log_import *import, struct hft_log_site *sites, size_t number,
		     uint64_t stamp)
{
	const struct hft_log_site *site = &sites[events[number].kind];
	struct hft_log_record record[8];
	size_t bytes = 0, i;
	const char *type;

	for (type = site->types, i = 0; *type; type++)
		bytes = hft_log_put((char *)record, bytes, *type == 's' ?
				    hft_log_of_string(events[number].text) :
				    hft_log_of_u64(events[number].numbers[i++]));
	return hft_log_import_write(import, events[number].stream + 1, site, stamp, record, bytes);
}

static void add_all(struct hft_log_import *import, struct hft_log_site *sites)
{
	uint64_t tsc = (uint64_t)hft_log_import_is_tsc(import);
	uint64_t stamp = hft_log_stamp((uint32_t)tsc);
	size_t i;

	for (i = 0; i < NR(events); i++, stamp += STEP_NS) {
		if (events[i].kind == KINDS)
			assert_int_equal(hft_log_import_lost(import, events[i].stream + 1,
							     events[i].numbers[0],
							     stamp - STEP_NS, stamp), 0);
		else
			assert_int_equal(add_event(import, sites, i, stamp), 0);
	}
}

static int make_log(void **state)
{
	struct hft_log_import_opts opts = { .sz = sizeof(opts), .program = "kernel" };
	struct hft_log_site sites[KINDS];
	struct hft_log_import *import;
	unsigned int i;

	(void)state;
	tree_make(top, NULL, 0);
	snprintf(log_dir, sizeof(log_dir), "%.4000s/log", top);
	assert_int_equal(hft_log_import_open(&import, log_dir, &opts), 0);
	for (i = 0; i < NR(streams); i++) {
		const struct hft_log_import_stream stream = {
			.sz = sizeof(stream), .id = i + 1, .thread = streams[i].thread,
			.cpu = streams[i].cpu,
		};

		assert_int_equal(hft_log_import_stream(import, &stream), 0);
	}
	memset(sites, 0, sizeof(sites));
	for (i = 0; i < KINDS; i++) {
		sites[i].name = kinds[i].name;
		sites[i].fields = kinds[i].fields;
		sites[i].types = kinds[i].types;
		sites[i].subsystem = "kernel";
		sites[i].file = "events";
		sites[i].level = HFT_LOG_DEBUG;
		assert_int_equal(hft_log_import_site(import, &sites[i]), 0);
	}
	add_all(import, sites);
	return hft_log_import_close(import);
}

static int remove_log(void **state)
{
	(void)state;
	tree_remove(top);
	return 0;
}

static const char *string(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static json_int_t integer(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

/* What is told, as @name, of the thread that an event is of: once. */
static const json_t *about(const json_t *all, const json_t *of, const char *name)
{
	const json_t *found = NULL;
	json_t *event;
	size_t i;

	json_array_foreach(all, i, event) {
		if (strcmp(string(event, "name"), name) ||
		    integer(event, "tid") != integer(of, "tid"))
			continue;
		assert_null(found);
		found = json_object_get(event, "args");
	}
	assert_non_null(found);
	return found;
}

static const char *thread_of(const json_t *all, const json_t *of)
{
	return string(about(all, of, "thread_name"), "name");
}

static json_int_t place_of(const json_t *all, const json_t *of)
{
	return integer(about(all, of, "thread_sort_index"), "sort_index");
}

static void check_span(const json_t *all, const json_t *event, const struct span *span)
{
	const json_t *args = json_object_get(event, "args");

	assert_string_equal(string(event, "name"), span->name);
	assert_string_equal(string(event, "cat"), "kernel");
	assert_string_equal(thread_of(all, event), span->thread);
	assert_int_equal(json_is_true(json_object_get(args, "ended")), span->ended);
	assert_string_equal(string(args, "state"), span->state ? span->state : "");
}

static double start_of(const json_t *event)
{
	return json_real_value(json_object_get(event, "ts"));
}

static double end_of(const json_t *event)
{
	return start_of(event) + json_real_value(json_object_get(event, "dur"));
}

/* Spans come when they end; events that are none are in a lane of their own. */
static void test_export(void **state)
{
	const json_t *found[NR(spans)] = {};
	char path[PATH_MAX], arguments[2 * PATH_MAX];
	json_t *root, *all, *event;
	size_t i, nr = 0, wakeups = 0, losses = 0;

	(void)state;
	snprintf(path, sizeof(path), "%.4000s/trace.json", top);
	snprintf(arguments, sizeof(arguments), "export --perfetto --output %s", path);
	assert_int_equal(log_command(arguments, log_dir, top), 0);
	root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	all = json_object_get(root, "traceEvents");
	json_array_foreach(all, i, event) {
		if (!strcmp(string(event, "ph"), "X")) {
			assert_in_range(nr, 0, NR(spans) - 1);
			check_span(all, event, &spans[nr]);
			found[nr++] = event;
		}
		if (strcmp(string(event, "ph"), "i") ||
		    strcmp(thread_of(all, event), "CPU 0 events"))
			continue;
		wakeups += !strcmp(string(event, "name"), "sched:sched_wakeup");
		losses += !strcmp(string(event, "name"), "lost");
	}
	assert_int_equal(nr, NR(spans));
	assert_int_equal(wakeups, 2);
	assert_int_equal(losses, 1);
	/* What is behind a loss does not say when the thread before it stopped. */
	assert_true(end_of(found[4]) < start_of(found[14]));
	assert_true(end_of(found[1]) < end_of(found[2]));
	/* Of an interrupt whose exits are not in the log nothing says that it was longer. */
	for (i = 0; i < NR(spans); i++) {
		if (strstr(spans[i].name, "noexit"))
			assert_true(json_real_value(json_object_get(found[i], "dur")) == 0);
	}
	/* A softirq is as long as others interrupt it, and not as the next one. */
	assert_true(end_of(found[10]) > start_of(found[9]));
	assert_true(end_of(found[10]) < start_of(found[12]));
	assert_true(end_of(found[12]) > start_of(found[11]));
	assert_int_equal(place_of(all, found[5]) - place_of(all, found[3]), 3);
	assert_int_equal(place_of(all, found[6]), place_of(all, found[0]));
	json_decref(root);
}

static void test_timeline(void **state)
{
	static const char *const texts[] = { "CPU 0", "CPU 0 irq", "CPU 1", "worker",
					     "softirq TIMER", "a?b?c" };
	char path[PATH_MAX], arguments[2 * PATH_MAX], *found = calloc(1, 1 << 18);
	FILE *file;
	size_t i;

	(void)state;
	if (system("command -v gnuplot >/dev/null")) {
		free(found);
		skip();
	}
	snprintf(path, sizeof(path), "%.4000s/picture.svg", top);
	snprintf(arguments, sizeof(arguments), "timeline --output %s", path);
	assert_int_equal(log_command(arguments, log_dir, top), 0);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_in_range(fread(found, 1, (1 << 18) - 1, file), 1, (1 << 18) - 1);
	fclose(file);
	for (i = 0; i < NR(texts); i++)
		assert_non_null(strstr(found, texts[i]));
	free(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_export),
		cmocka_unit_test(test_timeline),
	};

	return cmocka_run_group_tests_name("log_kernel_view", tests, make_log, remove_log);
}
