// SPDX-License-Identifier: GPL-2.0-only
/* kmod/core/policy.h: a key per policy, levels above all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/policy.h"
#include "random.h"

#define RANDOM_PAIRS	100000

static const u64 edges[] = { 0, 1, HFT_POLICY_KEY_MAX - 1, HFT_POLICY_KEY_MAX,
			     HFT_POLICY_KEY_MAX + 1, U64_MAX };

#define NR_EDGES	(sizeof(edges) / sizeof(edges[0]))

static void test_fifo_is_submission_order(void **state)
{
	(void)state;
	assert_true(hft_policy_key(HFT_POLICY_FIFO, HFT_LEVEL_NORMAL, 1, 900, 0, 0) <
		    hft_policy_key(HFT_POLICY_FIFO, HFT_LEVEL_NORMAL, 2, 100, 0, 0));
	assert_int_equal(hft_policy_key(HFT_POLICY_FIFO, HFT_LEVEL_REALTIME, 7, 900, 0, 0), 7);
}

static void test_edf_is_deadline_order(void **state)
{
	(void)state;
	assert_true(hft_policy_key(HFT_POLICY_EDF, HFT_LEVEL_NORMAL, 2, 100, 0, 0) <
		    hft_policy_key(HFT_POLICY_EDF, HFT_LEVEL_NORMAL, 1, 900, 0, 0));
	assert_int_equal(hft_policy_key(HFT_POLICY_EDF, HFT_LEVEL_REALTIME, 7, 900, 0, 0), 900);
}

/* The heap then orders by submission. */
static void test_edf_equal_deadlines_are_equal(void **state)
{
	(void)state;
	assert_int_equal(hft_policy_key(HFT_POLICY_EDF, HFT_LEVEL_LOW, 1, 900, 0, 0),
			 hft_policy_key(HFT_POLICY_EDF, HFT_LEVEL_LOW, 2, 900, 0, 0));
}

static void test_edf_without_deadline_is_last(void **state)
{
	u64 none = hft_policy_key(HFT_POLICY_EDF, HFT_LEVEL_LOW, 1, 0, 0, 0);

	(void)state;
	assert_true(hft_policy_key(HFT_POLICY_EDF, HFT_LEVEL_LOW, 2, HFT_TIME_MAX - 1, 0, 0) <
		    none);
	assert_true(none < hft_policy_key(HFT_POLICY_EDF, HFT_LEVEL_BACKGROUND, 0, 1, 0, 0));
}

static void check_level_order(u32 policy, u64 low, u64 high)
{
	u32 level;

	for (level = HFT_LEVEL_IDLE; level < HFT_LEVEL_REALTIME; level++)
		assert_true(hft_policy_key(policy, level + 1, high, high, 0, 0) <
			    hft_policy_key(policy, level, low, low, 0, 0));
}

static void test_rm_is_window_order(void **state)
{
	(void)state;
	assert_true(hft_policy_key(HFT_POLICY_RM, HFT_LEVEL_LOW, 2, 900, 10, 0) <
		    hft_policy_key(HFT_POLICY_RM, HFT_LEVEL_LOW, 1, 100, 20, 0));
	assert_true(hft_policy_key(HFT_POLICY_RM, HFT_LEVEL_LOW, 2, 0, HFT_TIME_MAX - 1, 0) <
		    hft_policy_key(HFT_POLICY_RM, HFT_LEVEL_LOW, 1, 100, 0, 0));
}

static void test_llf_is_laxity_order(void **state)
{
	(void)state;
	assert_int_equal(hft_policy_key(HFT_POLICY_LLF, HFT_LEVEL_REALTIME, 2, 900, 0, 300), 600);
	assert_int_equal(hft_policy_key(HFT_POLICY_LLF, HFT_LEVEL_REALTIME, 2, 900, 0, 901), 0);
	assert_true(hft_policy_key(HFT_POLICY_LLF, HFT_LEVEL_LOW, 2, 900, 0, 850) <
		    hft_policy_key(HFT_POLICY_LLF, HFT_LEVEL_LOW, 1, 100, 0, 0));
	assert_true(hft_policy_key(HFT_POLICY_LLF, HFT_LEVEL_LOW, 2, HFT_TIME_MAX - 1, 0, 0) <
		    hft_policy_key(HFT_POLICY_LLF, HFT_LEVEL_LOW, 1, 0, 0, 100));
}

static void test_level_is_above_everything(void **state)
{
	u32 policy, i, j;

	(void)state;
	for (policy = 0; policy < HFT_POLICIES; policy++)
		for (i = 0; i < NR_EDGES; i++)
			for (j = 0; j < NR_EDGES; j++)
				check_level_order(policy, edges[i], edges[j]);
}

static void test_saturates(void **state)
{
	(void)state;
	assert_int_equal(hft_policy_key(HFT_POLICY_FIFO, HFT_LEVEL_REALTIME, U64_MAX, 0, 0, 0),
			 HFT_POLICY_KEY_MAX);
	assert_int_equal(hft_policy_key(HFT_POLICY_EDF, HFT_LEVEL_REALTIME, 0, U64_MAX, 0, 0),
			 HFT_POLICY_KEY_MAX);
	assert_int_equal(HFT_POLICY_KEY_MAX, HFT_TIME_MAX);
}

static void test_never_the_key_of_an_empty_heap(void **state)
{
	u32 policy, level, i;

	(void)state;
	for (policy = 0; policy < HFT_POLICIES; policy++)
		for (level = 0; level < HFT_LEVELS; level++)
			for (i = 0; i < NR_EDGES; i++)
				assert_true(hft_policy_key(policy, level, edges[i], edges[i],
							   0, 0) < U64_MAX);
}

struct pair {
	u32 level;
	u64 seq, deadline, window, wcet;
};

static struct pair random_pair(uint64_t *random)
{
	struct pair p = {
		.level = random_below(random, HFT_LEVELS),
		.seq = random_u64(random) >> 4,
		.deadline = random_u64(random) >> 4,
		.window = random_u64(random) >> 4,
		.wcet = random_u64(random) >> 8,
	};

	return p;
}

static u64 key_of(u32 policy, const struct pair *p)
{
	return hft_policy_key(policy, p->level, p->seq, p->deadline, p->window, p->wcet);
}

static u64 laxity(const struct pair *p)
{
	return p->deadline > p->wcet ? p->deadline - p->wcet : 0;
}

static bool goes_first(u32 policy, const struct pair *a, const struct pair *b)
{
	if (a->level != b->level)
		return a->level > b->level;
	if (policy == HFT_POLICY_EDF)
		return a->deadline < b->deadline;
	if (policy == HFT_POLICY_RM || policy == HFT_POLICY_FAIR)
		return a->window < b->window;
	if (policy == HFT_POLICY_LLF)
		return laxity(a) < laxity(b);
	return a->seq < b->seq;
}

static void test_random(void **state)
{
	uint64_t random = 1;
	struct pair a, b;
	u32 policy, i;

	(void)state;
	for (i = 0; i < RANDOM_PAIRS; i++) {
		policy = i % HFT_POLICIES;
		a = random_pair(&random);
		b = random_pair(&random);
		assert_int_equal(key_of(policy, &a) < key_of(policy, &b),
				 goes_first(policy, &a, &b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fifo_is_submission_order),
		cmocka_unit_test(test_edf_is_deadline_order),
		cmocka_unit_test(test_edf_equal_deadlines_are_equal),
		cmocka_unit_test(test_edf_without_deadline_is_last),
		cmocka_unit_test(test_rm_is_window_order),
		cmocka_unit_test(test_llf_is_laxity_order),
		cmocka_unit_test(test_level_is_above_everything),
		cmocka_unit_test(test_saturates),
		cmocka_unit_test(test_never_the_key_of_an_empty_heap),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
