// SPDX-License-Identifier: GPL-2.0-only
/* The analysis: published answers, where there is HFT_TEST_DATA. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "analyze.h"

static int load_answers(void **state)
{
	const char *folder = getenv("HFT_TEST_DATA");
	char path[4096];
	json_error_t error;

	*state = NULL;
	if (!folder)
		return 0;
	snprintf(path, sizeof(path), "%s/sched/schedulability.json", folder);
	if (access(path, F_OK))
		return 0;
	*state = json_load_file(path, 0, &error);
	if (!*state)
		print_message("# %s: %s\n", path, error.text);
	return *state ? 0 : -1;
}

static int drop_answers(void **state)
{
	json_decref(*state);
	return 0;
}

static json_t *answers(void **state, const char *key)
{
	json_t *value;

	if (!*state) {
		print_message("# HFT_TEST_DATA has no sched/schedulability.json\n");
		skip();
	}
	value = json_object_get(*state, key);
	assert_non_null(value);
	return value;
}

static uint64_t integer_at(const json_t *array, size_t i)
{
	const json_t *value = json_array_get(array, i);

	assert_true(json_is_integer(value));
	return (uint64_t)json_integer_value(value);
}

static void read_task(const json_t *ctd, struct hft_analyze_task *t)
{
	assert_int_equal(json_array_size(ctd), 3);
	t->wcet = integer_at(ctd, 0);
	t->period = integer_at(ctd, 1);
	t->deadline = integer_at(ctd, 2);
}

static uint32_t read_tasks(const json_t *list, struct hft_analyze_task *t)
{
	size_t i;

	assert_true(json_array_size(list) && json_array_size(list) < MAX_NR);
	for (i = 0; i < json_array_size(list); i++)
		read_task(json_array_get(list, i), &t[i]);
	return (uint32_t)i;
}

static void check_json_verdict(const json_t *expected, bool got)
{
	assert_true(json_is_boolean(expected));
	assert_int_equal(json_is_true(expected), got);
}

static void test_published_responses(void **state)
{
	struct hft_analyze_task t[MAX_NR];
	uint64_t response[MAX_NR];
	struct hft_analysis a;
	json_t *set, *expected;
	uint32_t nr, i;
	size_t k;

	json_array_foreach(answers(state, "fp_rta"), k, set) {
		nr = read_tasks(json_object_get(set, "tasks_C_T_D"), t);
		assert_int_equal(analyze(HFT_ANALYZE_FP, t, nr, &a, response), 0);
		check_json_verdict(json_object_get(set, "schedulable"), a.schedulable);
		expected = json_object_get(set, "response");
		assert_int_equal(json_array_size(expected), nr);
		for (i = 0; i < nr; i++)
			assert_int_equal(response[i], integer_at(expected, i));
	}
	assert_true(k > 0);
}

/* A set without tasks of its own adds one to the set before it. */
static void test_published_feasibility(void **state)
{
	struct hft_analyze_task t[MAX_NR];
	json_t *set, *list;
	uint32_t nr = 0;
	size_t k;

	json_array_foreach(answers(state, "edf_feasibility"), k, set) {
		list = json_object_get(set, "tasks_C_T_D");
		if (list)
			nr = read_tasks(list, t);
		else
			read_task(json_object_get(set, "add"), &t[nr++]);
		check_json_verdict(json_object_get(set, "schedulable"),
				   schedulable(HFT_ANALYZE_EDF, t, nr));
	}
	assert_true(k > 0);
}

static int compare_u64(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void test_published_edf_responses(void **state)
{
	struct hft_analyze_task t[MAX_NR];
	uint64_t response[MAX_NR];
	struct hft_analysis a;
	json_t *set, *expected;
	uint32_t nr, i;
	size_t k;

	json_array_foreach(answers(state, "edf_exact_wcrt_sorted"), k, set) {
		nr = read_tasks(json_object_get(set, "tasks_C_T_D"), t);
		assert_int_equal(analyze(HFT_ANALYZE_EDF, t, nr, &a, response), 0);
		expected = json_object_get(set, "wcrt_sorted");
		assert_int_equal(a.schedulable, !json_is_null(expected));
		qsort(response, nr, sizeof(*response), compare_u64);
		for (i = 0; i < nr; i++)
			assert_int_equal(response[i], a.schedulable ? integer_at(expected, i) :
								      HFT_ANALYZE_UNBOUNDED);
	}
	assert_true(k > 0);
}

static void test_published_bounds(void **state)
{
	json_t *value;
	const char *nr;

	json_object_foreach(answers(state, "liu_layland_bound"), nr, value)
		assert_float_equal(hft_analyze_liu_layland((uint32_t)atoi(nr)),
				   json_number_value(value), 1e-9);
	assert_float_equal(hft_analyze_liu_layland(UINT32_MAX),
			   json_number_value(answers(state, "liu_layland_limit_ln2")), 1e-9);
}

/* Of one CPU, with the deadline before the period in the order of the columns. */
static void check_linux_case(const json_t *set)
{
	struct hft_analyze_task t[MAX_NR];
	struct hft_analysis a;
	uint64_t swap;
	uint32_t nr, i;

	nr = read_tasks(json_object_get(set, "tasks_C_D_P_ms"), t);
	for (i = 0; i < nr; i++) {
		swap = t[i].period;
		t[i].period = t[i].deadline;
		t[i].deadline = swap;
	}
	assert_int_equal(analyze(HFT_ANALYZE_EDF, t, nr, &a, NULL), 0);
	assert_float_equal(a.density, json_number_value(json_object_get(set, "density_sum")),
			   1e-12);
	check_json_verdict(json_object_get(set, "edf_schedulable"), a.schedulable);
}

static void test_published_linux_cases(void **state)
{
	json_t *set, *cases = json_object_get(answers(state, "linux_sched_deadline_doc"), "cases");
	uint32_t found = 0;
	size_t k;

	json_array_foreach(cases, k, set) {
		if (!json_object_get(set, "tasks_C_D_P_ms"))
			continue;
		check_linux_case(set);
		found++;
	}
	assert_true(found > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_responses),
		cmocka_unit_test(test_published_feasibility),
		cmocka_unit_test(test_published_edf_responses),
		cmocka_unit_test(test_published_bounds),
		cmocka_unit_test(test_published_linux_cases),
	};

	return cmocka_run_group_tests(tests, load_answers, drop_answers);
}
