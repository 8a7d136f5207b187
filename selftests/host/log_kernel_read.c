// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* hft-log kernel: the kernel's buffers are read into a log, from an instance that is made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Before cmocka.h, which has a macro fail(). */
#include "common/tool.c"
#include "hft-log/kernel_event.c"
#include "hft-log/kernel_read.c"
#include "hft-log/tracefs.c"
#include "log_kernel.h"

#include <cmocka.h>

#include "tree.h"

#define PAGE_BYTES	4096
#define PAGE_RECORDS	2		/* of kernel_lost_page */
#define MOST_PAGES	8
#define MISSED		(1ull << 31)

static char top[32];

/* Of one CPU, whose buffer is a file with these pages: read from its beginning to its end. */
struct machine {
	struct kernel_run run;
	struct kernel_cpu cpu;
	uint8_t pages[MOST_PAGES][PAGE_BYTES];
	size_t nr_pages;
	uint8_t page[PAGE_BYTES];
	char log[64];
};

static void set_stats(const struct machine *machine, unsigned int overrun)
{
	char text[128];

	snprintf(text, sizeof(text), "entries: 0\noverrun: %u\ncommit overrun: 0\n"
		 "bytes: 0\ndropped events: 0\nread events: 0\n", overrun);
	tree_put(machine->run.tracefs.dir, "/per_cpu/cpu0/stats", text);
}

/* @flags: of the commit; @lost is behind it with %MISSED_STORED */
static void add_page(struct machine *machine, uint64_t stamp, uint64_t flags, uint64_t lost)
{
	uint8_t *page = machine->pages[machine->nr_pages++];
	uint64_t commit;

	memcpy(page, kernel_lost_page, sizeof(kernel_lost_page));
	memcpy(page, &stamp, sizeof(stamp));
	memcpy(&commit, page + 8, sizeof(commit));
	commit &= COMMIT_MASK;
	memcpy(page + PAGE_HEAD + commit, &lost, sizeof(lost));
	commit |= flags;
	memcpy(page + 8, &commit, sizeof(commit));
}

static void open_buffer(struct machine *machine)
{
	static const char name[] = "per_cpu/cpu0/trace_pipe_raw";
	size_t size = machine->nr_pages * PAGE_BYTES;

	tree_put(machine->run.tracefs.dir, "/per_cpu/cpu0/trace_pipe_raw", "");
	machine->cpu.fd = tracefs_open_file(&machine->run.tracefs, name, O_RDWR);
	assert_true(machine->cpu.fd >= 0);
	assert_int_equal(pwrite(machine->cpu.fd, machine->pages, size, 0), size);
}

static void set_event(const struct machine *machine, const char *on)
{
	tree_put(machine->run.tracefs.dir, "/events/hft/submit/enable", on);
}

static struct machine *make_machine(const char *name)
{
	struct hft_log_import_opts opts = { .sz = sizeof(opts), .program = "kernel" };
	struct hft_log_import_stream stream = { .sz = sizeof(stream), .id = 1, .thread = "cpu0" };
	const struct kernel_format *format = &kernel_formats[0];
	struct machine *machine = calloc(1, sizeof(*machine));
	struct kernel_run *run = &machine->run;
	struct hft_log_site *site;

	assert_non_null(machine);
	snprintf(run->tracefs.dir, sizeof(run->tracefs.dir), "%s/%s", top, name);
	snprintf(machine->log, sizeof(machine->log), "%s/%s-log", top, name);
	assert_int_equal(mkdir(run->tracefs.dir, 0700), 0);
	machine->cpu = (struct kernel_cpu){ .run = run, .stream = stream.id, .fd = -1 };
	run->output = machine->log;
	run->all = &machine->cpu;
	run->nr_cpus = 1;
	run->page = machine->page;
	run->page_bytes = PAGE_BYTES;
	run->known = kernel_events_new();
	assert_non_null(run->known);
	assert_int_equal(hft_log_import_open(&run->import, machine->log, &opts), 0);
	assert_int_equal(hft_log_import_stream(run->import, &stream), 0);
	assert_int_equal(kernel_events_add(run->known, format->system, format->name,
					   format->format, strlen(format->format), &site), 0);
	assert_int_equal(hft_log_import_site(run->import, site), 0);
	set_event(machine, "1\n");
	return machine;
}

static void free_machine(struct machine *machine)
{
	close(machine->cpu.fd);
	kernel_events_free(machine->run.known);
	assert_int_equal(hft_log_import_close(machine->run.import), 0);
	free(machine);
}

/*
 * A page that has no room for its number has all told that was lost by then, and the next
 * page's number has some of it.
 */
static void test_lost_once(void **state)
{
	struct machine *machine = make_machine("once");
	uint64_t now = hft_log_stamp(hft_log_import_is_tsc(machine->run.import));

	(void)state;
	add_page(machine, now, MISSED, 0);
	add_page(machine, now + 10000000, MISSED | MISSED_STORED, 10);
	add_page(machine, now + 20000000, MISSED, 0);
	add_page(machine, now + 30000000, 0, 0);
	open_buffer(machine);
	set_stats(machine, 30);
	assert_int_equal(kernel_read_rest(&machine->run), 0);
	assert_int_equal(machine->run.records, 4 * PAGE_RECORDS);
	assert_int_equal(machine->run.lost, 30);
	free_machine(machine);
}

/* What no page tells of is told at the end. */
static void test_lost_at_the_end(void **state)
{
	struct machine *machine = make_machine("end");
	uint64_t now = hft_log_stamp(hft_log_import_is_tsc(machine->run.import));

	(void)state;
	add_page(machine, now, MISSED | MISSED_STORED, 10);
	open_buffer(machine);
	set_stats(machine, 12);
	machine->run.turn = UINT64_MAX;
	assert_int_equal(take_turn(&machine->run), 0);
	assert_int_equal(machine->run.lost, 10);
	assert_int_equal(kernel_read_rest(&machine->run), 0);
	assert_int_equal(machine->run.lost, 12);
	free_machine(machine);
}

/* What comes while it is read waits for the next turn, or none would ever end. */
static void test_turn_ends(void **state)
{
	struct machine *machine = make_machine("turn");
	uint64_t now = hft_log_stamp(hft_log_import_is_tsc(machine->run.import));
	unsigned int i;

	(void)state;
	for (i = 0; i < MOST_PAGES; i++)
		add_page(machine, now + i * 10000000ull, 0, 0);
	open_buffer(machine);
	set_stats(machine, 0);
	machine->run.turn = now + 15000000;
	assert_int_equal(take_turn(&machine->run), 0);
	assert_int_equal(machine->run.records, 3 * PAGE_RECORDS);
	assert_int_equal(kernel_read_rest(&machine->run), 0);
	assert_int_equal(machine->run.records, MOST_PAGES * PAGE_RECORDS);
	free_machine(machine);
}

/* When a module is unloaded, and when it is there again by the end */
static void test_event_off(void **state)
{
	struct machine *machine = make_machine("off");
	char path[PATH_MAX + 64];

	(void)state;
	open_buffer(machine);
	set_stats(machine, 0);
	machine->run.until = UINT64_MAX;
	set_event(machine, "0\n");
	assert_int_equal(kernel_read_until_end(&machine->run), 0);
	assert_int_equal(kernel_read_rest(&machine->run), -ENODEV);
	set_event(machine, "1\n");
	assert_int_equal(kernel_read_rest(&machine->run), 0);
	snprintf(path, sizeof(path), "%s/events/hft/submit/enable", machine->run.tracefs.dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(kernel_read_rest(&machine->run), -ENODEV);
	free_machine(machine);
}

/* A flood of events leaves others half of a CPU, whichever of our threads works on it. */
static void test_half_a_cpu(void **state)
{
	const uint64_t now = 1000 * NS_PER_S, ms = NS_PER_MS;

	(void)state;
	assert_int_equal(nap_of(now, now + LOOK_NS, now + NS_PER_S, ms, ms), LOOK_NS);
	assert_int_equal(nap_of(now, now + LOOK_NS, now, ms / 2, ms / 2), LEAST_NAP_NS);
	assert_int_equal(nap_of(now, now, now, 3 * ms, 3 * ms), 3 * ms);
	assert_int_equal(nap_of(now, now, now, 3 * ms, 7 * ms), LEAST_NAP_NS);
	assert_int_equal(nap_of(now, now, now, 9 * ms, 3 * ms), 15 * ms);
	assert_int_equal(nap_of(now, now + LOOK_NS, now + NS_PER_S, 2000 * ms, 2000 * ms),
			 2 * NS_PER_S);
}

static void assert_off(const struct tracefs *tracefs, const char *name)
{
	size_t size;
	char *text = tracefs_read(tracefs, name, &size);

	assert_non_null(text);
	assert_int_equal(*text, '0');
	free(text);
}

/* An instance that can not be removed does not go on tracing. */
static void test_stays(void **state)
{
	struct tracefs tracefs = { .held = -1 };

	(void)state;
	snprintf(tracefs.dir, sizeof(tracefs.dir), "%s/stays", top);
	assert_int_equal(mkdir(tracefs.dir, 0700), 0);
	tree_put(tracefs.dir, "/tracing_on", "1\n");
	tree_put(tracefs.dir, "/events/enable", "X\n");
	assert_int_equal(tracefs_close(&tracefs), -ENOTEMPTY);
	assert_off(&tracefs, "tracing_on");
	assert_off(&tracefs, "events/enable");
}

static int make_top(void **state)
{
	(void)state;
	tree_make(top, NULL, 0);
	return 0;
}

static int remove_top(void **state)
{
	(void)state;
	tree_remove(top);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost_once),
		cmocka_unit_test(test_lost_at_the_end),
		cmocka_unit_test(test_turn_ends),
		cmocka_unit_test(test_event_off),
		cmocka_unit_test(test_half_a_cpu),
		cmocka_unit_test(test_stays),
	};

	return cmocka_run_group_tests_name("log_kernel_read", tests, make_top, remove_top);
}
