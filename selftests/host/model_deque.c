// SPDX-License-Identifier: GPL-2.0-only
/* flavours: model */
/* The deque in all interleavings of few preemptions: each item comes out once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "model/model.h"
#include "pool/deque.h"

#define ITEMS		8

static struct hft_deque deque;
static uint64_t items[ITEMS];
static unsigned int out[ITEMS];		/* atomic: who takes an item twice is found by that */
static unsigned int steals;

static void set_up(unsigned int capacity)
{
	memset(&deque, 0, sizeof(deque));
	memset(out, 0, sizeof(out));
	model_check(!hft_deque_init(&deque, capacity));
}

static void push(unsigned int i)
{
	/* What the item points to is who has it's: the model sees who reads it too soon. */
	items[i] = i;
	model_check(!hft_deque_push(&deque, &items[i]));
}

static void came_out(void *item)
{
	uint64_t *of = item;

	if (!item || item == HFT_DEQUE_LOST)
		return;
	model_check(of >= items && of < items + ITEMS && *of == (uint64_t)(of - items));
	model_check(!__atomic_fetch_add(&out[*of], 1, __ATOMIC_RELAXED));
}

static void *steal(void *arg)
{
	unsigned int i;

	for (i = 0; i < steals; i++)
		came_out(hft_deque_steal(&deque));
	return arg;
}

static void take(unsigned int nr)
{
	while (nr--)
		came_out(hft_deque_take(&deque));
}

/* Each of @nr has come out, or still does. */
static void finish(unsigned int nr)
{
	void *item;
	unsigned int i;

	model_join();
	while ((item = hft_deque_take(&deque)))
		came_out(item);
	for (i = 0; i < nr; i++)
		model_check(out[i] == 1);
	hft_deque_exit(&deque);
}

static void run_last_item(void)
{
	set_up(4);
	steals = 1;
	push(0);
	model_start(steal, NULL);
	model_start(steal, NULL);
	take(1);
	finish(1);
}

static void run_push_and_take(void)
{
	set_up(4);
	steals = 2;
	model_start(steal, NULL);
	push(0);
	push(1);
	take(2);
	push(2);
	take(1);
	finish(3);
}

static void run_two_thieves(void)
{
	set_up(4);
	steals = 1;
	push(0);
	model_start(steal, NULL);
	model_start(steal, NULL);
	push(1);
	take(1);
	push(2);
	take(2);
	finish(3);
}

/* It grows, and its places are used again, while somebody steals. */
static void run_growth(void)
{
	set_up(1);
	steals = 2;
	push(0);
	model_start(steal, NULL);
	push(1);
	push(2);
	take(1);
	push(3);
	finish(4);
}

static void run_reuse(void)
{
	set_up(2);
	steals = 2;
	push(0);
	push(1);
	model_start(steal, NULL);
	push(2);
	take(1);
	push(3);
	push(4);
	finish(5);
}

/* A worker steals from its own, in its turn: the oldest. */
static void run_owner_steals(void)
{
	set_up(4);
	steals = 1;
	push(0);
	push(1);
	model_start(steal, NULL);
	came_out(hft_deque_steal(&deque));
	take(2);
	finish(2);
}

#define SCENARIO(of, most) \
	static const struct model_scenario of = { \
		.name = #of, .run = run_##of, .preemptions = most, .schedules = 2000000, \
	}

SCENARIO(last_item, 5);
SCENARIO(push_and_take, 4);
SCENARIO(two_thieves, 3);
SCENARIO(growth, 4);
SCENARIO(reuse, 4);
SCENARIO(owner_steals, 5);

static const struct model_scenario *const scenarios[] = {
	&last_item, &push_and_take, &two_thieves, &growth, &reuse, &owner_steals,
};

static void holds(void **state)
{
	assert_true(model_holds(*state));
}

struct mutation {
	enum model_fault fault;
	const char *function;
};

/* Each of the orderings that deque.h tells of is needed, and missed. */
static void finds(void **state)
{
	const struct mutation *mutation = *state;
	size_t i;

	for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		if (model_finds(scenarios[i], mutation->fault, mutation->function))
			return;
	}
	fail_msg("nothing finds that %s is wrong", mutation->function);
}

#define HOLDS(of) { #of, holds, NULL, NULL, (void *)&of }
#define FINDS(what, of, name) \
	{ "finds_" #what "_of_" #of, finds, NULL, NULL, &(struct mutation){ what, name } }

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOLDS(last_item),
		HOLDS(push_and_take),
		HOLDS(two_thieves),
		HOLDS(growth),
		HOLDS(reuse),
		HOLDS(owner_steals),
		FINDS(MODEL_NO_FENCE, take, "hft_deque_take"),
		FINDS(MODEL_TORN, take, "hft_deque_take"),
		FINDS(MODEL_TORN, steal, "hft_deque_steal"),
		FINDS(MODEL_RELAXED, push, "hft_deque_push"),
		FINDS(MODEL_RELAXED, steal, "hft_deque_steal"),
		FINDS(MODEL_RELAXED, grow, "hft_deque_grow"),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
