// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* Lists and masks of CPUs, to and from text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cpulist.h"

static void is(const char *text, const char *list, const char *mask)
{
	char out[HFT_CPULIST_SIZE];
	cpu_set_t set, again;

	assert_true(hft_cpulist_parse(text, true, &set));
	hft_cpulist_print(&set, out, sizeof(out));
	assert_string_equal(out, list);
	hft_cpumask_print(&set, out, sizeof(out));
	assert_string_equal(out, mask);
	assert_true(hft_cpumask_parse(out, &again));
	assert_true(CPU_EQUAL(&set, &again));
}

static void test_lists(void **state)
{
	(void)state;
	is("", "", "0");
	is("\n", "", "0");
	is("0", "0", "1");
	is("2-5,7\n", "2-5,7", "bc");
	is("7,2-5,3", "2-5,7", "bc");
	is("0-7:2/4", "0-1,4-5", "33");
	is("managed_irq,domain,2-3", "2-3", "c");
	is("31-32", "31-32", "1,80000000");
	is("64", "64", "1,00000000,00000000");
	is("1023", "1023", "80000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,"
	   "00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,"
	   "00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,"
	   "00000000,00000000,00000000,00000000,00000000,00000000");
}

static void test_all(void **state)
{
	cpu_set_t set;

	(void)state;
	assert_true(hft_cpulist_parse("all", false, &set));
	assert_int_equal(CPU_COUNT(&set), CPU_SETSIZE);
	assert_true(hft_cpulist_parse("1-N", false, &set));
	assert_int_equal(CPU_COUNT(&set), CPU_SETSIZE - 1);
}

static void test_no_lists(void **state)
{
	static const char *const texts[] = {
		"x", "-", "1-", "-1", "2-1", "1024", "0-1024", "1;2", "1-2-3", "0-3:", "0-3:2",
		"0-3:2/", "0-3:2/0", "0-3:3/2", "99999999999999999999", "domain,1", "0x1",
	};
	cpu_set_t set;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (hft_cpulist_parse(texts[i], false, &set))
			fail_msg("\"%s\" is taken", texts[i]);
	}
	assert_false(hft_cpumask_parse("", &set));
	assert_false(hft_cpumask_parse("g", &set));
	assert_false(hft_cpumask_parse("0x3", &set));
}

/* Each cut is at a comma, and the end says that more was there. */
static void test_short_of_room(void **state)
{
	char text[16];
	cpu_set_t set;
	size_t size;

	(void)state;
	assert_true(hft_cpulist_parse("0,2,4,6,8,10,12,14,16", false, &set));
	for (size = 4; size <= sizeof(text); size++) {
		hft_cpulist_print(&set, text, size);
		assert_true(strlen(text) < size);
		assert_string_equal(text + strlen(text) - 3, "...");
	}
}

static void test_random(void **state)
{
	char text[8 * HFT_CPULIST_SIZE];
	cpu_set_t set, again;
	int round, i;

	(void)state;
	srandom(1);
	for (round = 0; round < 1000; round++) {
		CPU_ZERO(&set);
		for (i = random() % 200; i; i--)
			CPU_SET((size_t)random() % CPU_SETSIZE, &set);
		hft_cpulist_print(&set, text, sizeof(text));
		assert_true(hft_cpulist_parse(text, false, &again));
		assert_true(CPU_EQUAL(&set, &again));
		hft_cpumask_print(&set, text, sizeof(text));
		assert_true(hft_cpumask_parse(text, &again));
		assert_true(CPU_EQUAL(&set, &again));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_no_lists),
		cmocka_unit_test(test_short_of_room),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
