// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* hft-log kernel: pages of the kernel's buffers become records, whatever is in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Before cmocka.h, which has a macro fail(). */
#include "common/tool.c"
#include "hft-log/kernel_event.c"
#include "log_kernel.h"

#include <cmocka.h>

#define PAGE_BYTES	4096
#define MOST_TEXT	4096

#define SUBMIT	"6560190359 hft:submit task=4294967296 cookie=0 release=2173141232 deadline=0 " \
		"cpu=0 ring=0 clock=0 level=6 common_pid=122\n"

/* What came of a page, a line each. */
struct seen {
	char text[MOST_TEXT];
	size_t used;
	int answer;
};

static void add(struct seen *seen, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	seen->used += (size_t)vsnprintf(seen->text + seen->used, MOST_TEXT - seen->used, format,
					args);
	va_end(args);
	assert_true(seen->used < MOST_TEXT);
}

/* The name of the field at @names, which goes on behind it */
static int name_of(const char **names)
{
	const char *comma = strchr(*names, ',');
	int length = (int)(comma - *names);

	*names = comma + 1;
	return length;
}

static int take(void *arg, const struct hft_log_site *site, uint64_t stamp, const void *arguments,
		size_t bytes)
{
	const char *names = site->fields, *name = names, *at = arguments;
	struct seen *seen = arg;
	size_t offset = 0;
	uint64_t number;
	int i, length;

	add(seen, "%llu %s", (unsigned long long)stamp, site->name);
	for (i = 0; site->types[i]; i++, name = names) {
		length = name_of(&names);
		if (site->types[i] == HFT_LOG_STRING) {
			add(seen, " %.*s=%s", length, name, at + offset);
			offset += strlen(at + offset) + 1;
			continue;
		}
		offset = (offset + 7) / 8 * 8;
		memcpy(&number, at + offset, sizeof(number));
		add(seen, " %.*s=%lld", length, name, (long long)number);
		offset += 8;
	}
	add(seen, "\n");
	assert_true(offset <= bytes);
	return seen->answer;
}

static int take_loss(void *arg, int64_t records, uint64_t stamp)
{
	add(arg, "%lld lost before %llu\n", (long long)records, (unsigned long long)stamp);
	return 0;
}

static struct kernel_events *know_events(size_t nr)
{
	struct kernel_events *events = kernel_events_new();
	struct hft_log_site *site, *again;
	size_t i;

	assert_non_null(events);
	for (i = 0; i < nr; i++) {
		const struct kernel_format *it = &kernel_formats[i];

		assert_int_equal(kernel_events_add(events, it->system, it->name, it->format,
						   strlen(it->format), &site), 0);
		assert_int_equal(kernel_events_add(events, it->system, it->name, it->format,
						   strlen(it->format), &again), 0);
		assert_ptr_equal(site, again);
	}
	return events;
}

/* Only the first @nr formats are known. */
static int read_page(struct seen *seen, const uint8_t *page, size_t bytes, size_t nr)
{
	struct kernel_events *events = know_events(nr);
	const struct kernel_sink sink = { take, take_loss, seen };
	static uint8_t copy[PAGE_BYTES] __attribute__((aligned(8)));
	int err;

	memset(copy, 0, sizeof(copy));
	memcpy(copy, page, bytes);
	err = kernel_events_page(events, copy, sizeof(copy), &sink);
	kernel_events_free(events);
	return err;
}

static void test_page(void **state)
{
	struct seen seen = {};

	(void)state;
	assert_int_equal(read_page(&seen, kernel_page, sizeof(kernel_page), 5), 0);
	assert_string_equal(seen.text,
		"6509174445 raw_syscalls:sys_enter id=59 "
		"args=0x3b357908,0x3b356be8,0x3b3578c8,0x8,0xffffffff,0x79636e6574616c "
		"common_pid=121\n"
		"6509554420 sched:sched_process_exec filename=/usr/bin/hft-latency pid=121 "
		"old_pid=121 common_pid=121\n"
		"6557351653 sched:sched_switch prev_comm=hft-latency prev_pid=121 prev_prio=9 "
		"prev_state=1 next_comm=hft-latency next_pid=122 next_prio=9 common_pid=121\n"
		SUBMIT
		"6560195393 sched:sched_switch prev_comm=hft-latency prev_pid=122 prev_prio=9 "
		"prev_state=1 next_comm=khugepaged next_pid=30 next_prio=139 common_pid=122\n"
		"6561189909 hft:dispatch task=4294967296 cookie=0 release=2173141232 deadline=0 "
		"irq_entry=2173141815 published=2173141970 sequence=0 cpu=0 ring=0 result=0 "
		"level=6 common_pid=0\n");
}

static void test_unknown_events(void **state)
{
	struct seen seen = {};

	(void)state;
	assert_int_equal(read_page(&seen, kernel_page, sizeof(kernel_page), 1), 0);
	assert_string_equal(seen.text, SUBMIT);
}

static void test_lost(void **state)
{
	struct seen seen = {};

	(void)state;
	assert_int_equal(read_page(&seen, kernel_lost_page, sizeof(kernel_lost_page), 1), 0);
	assert_string_equal(seen.text,
		"-1 lost before 7800386383\n"
		"7800386383 hft:submit task=34359738412 cookie=492 release=3476338520 deadline=0 "
		"cpu=0 ring=0 clock=0 level=6 common_pid=129\n"
		"7801386150 hft:submit task=34359738413 cookie=493 release=3477338520 deadline=0 "
		"cpu=0 ring=0 clock=0 level=6 common_pid=129\n");
}

/* Who takes the records says that it is enough. */
static void test_answer(void **state)
{
	struct seen seen = { .answer = -ENOSPC };

	(void)state;
	assert_int_equal(read_page(&seen, kernel_page, sizeof(kernel_page), 5), -ENOSPC);
	assert_non_null(strchr(seen.text, '\n'));
	assert_ptr_equal(strchr(seen.text, '\n'), strrchr(seen.text, '\n'));
}

static void test_no_page(void **state)
{
	const struct kernel_sink sink = { take, take_loss, NULL };
	struct kernel_events *events = know_events(1);
	uint64_t page[3] = { 1, 100, 0 };
	struct hft_log_site *site;

	(void)state;
	assert_int_equal(kernel_events_page(events, page, 8, &sink), -EBADMSG);
	assert_int_equal(kernel_events_page(events, page, sizeof(page), &sink), -EBADMSG);
	page[1] = 0x100008;
	assert_int_equal(kernel_events_page(events, page, sizeof(page), &sink), -EBADMSG);
	page[1] = 8 | 1u << 31 | MISSED_STORED;
	assert_int_equal(kernel_events_page(events, page, sizeof(page), &sink), -EBADMSG);
	assert_int_equal(kernel_events_add(events, "x", "y", "nothing", 7, &site), -EBADMSG);
	kernel_events_free(events);
}

/* An event that says that its text is elsewhere than in it has none. */
static void test_text_outside(void **state)
{
	static uint8_t page[sizeof(kernel_page)];
	uint8_t *at;
	struct seen seen = {};

	(void)state;
	memcpy(page, kernel_page, sizeof(page));
	at = memmem(page, sizeof(page), "\x14\x00\x15\x00", 4);
	assert_non_null(at);
	memcpy(at, "\xff\x0f\x15\x00", 4);
	assert_int_equal(read_page(&seen, page, sizeof(page), 5), 0);
	assert_non_null(strstr(seen.text, "sched:sched_process_exec filename= pid=121"));
}

/* What is longer than a string of a log may be ends as the log's own do. */
static void test_long_text(void **state)
{
	enum { TEXT = 2000, DATA = 20 + TEXT };
	static uint8_t page[24 + DATA];
	const uint32_t words[] = { DATA + 8, 0, 0, DATA + 4 };	/* commit, event of any length */
	const uint16_t id = 312;	/* sched_process_exec */
	const uint32_t where = TEXT << 16 | 20;
	struct seen seen = {};
	char *end;

	(void)state;
	memcpy(page + 8, words, sizeof(words));
	memcpy(page + 24, &id, sizeof(id));
	memcpy(page + 24 + 8, &where, sizeof(where));
	memset(page + 24 + 20, 'a', TEXT);
	assert_int_equal(read_page(&seen, page, sizeof(page), 5), 0);
	end = strstr(seen.text, " pid=");
	assert_non_null(end);
	assert_int_equal(end - strstr(seen.text, "=a"), 1 + HFT_LOG_TEXT_MAX);
	assert_memory_equal(end - 4, "a...", 4);
}

/* It says that it is longer than what its page has. */
static void test_event_outside(void **state)
{
	static uint8_t page[24 + 16];
	const uint32_t words[] = { 8 + 12, 0, 0, 16 };	/* commit, event of any length */
	const uint16_t id = 1348;	/* submit */
	struct seen seen = {};

	(void)state;
	memcpy(page + 8, words, sizeof(words));
	memcpy(page + 24, &id, sizeof(id));
	assert_int_equal(read_page(&seen, page, sizeof(page), 5), 0);
	assert_non_null(strstr(seen.text, "hft:submit"));
	page[8 + 12] = 20;
	seen = (struct seen){};
	assert_int_equal(read_page(&seen, page, sizeof(page), 5), -EBADMSG);
	assert_string_equal(seen.text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_unknown_events),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_no_page),
		cmocka_unit_test(test_text_outside),
		cmocka_unit_test(test_long_text),
		cmocka_unit_test(test_event_outside),
	};

	return cmocka_run_group_tests_name("log_kernel", tests, NULL, NULL);
}
