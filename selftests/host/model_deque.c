// SPDX-License-Identifier: GPL-2.0-only
/* flavours: model */
/* The deque in all interleavings of few preemptions: each item comes out once. */
#include <string.h>

#include "model/cases.h"
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

ALL(last_item, 5);
ALL(push_and_take, 4);
ALL(two_thieves, 3);
ALL(growth, 4);
ALL(reuse, 4);
ALL(owner_steals, 5);

/* The fence of a steal is between loads: x86 needs none there. */
int main(void)
{
	const struct CMUnitTest tests[] = {
		HOLDS(last_item),
		HOLDS(push_and_take),
		HOLDS(two_thieves),
		HOLDS(growth),
		HOLDS(reuse),
		HOLDS(owner_steals),
		FINDS(NO_FENCE, hft_deque_take, push_and_take),
		FINDS(TORN, hft_deque_take, last_item),
		FINDS(TORN, hft_deque_steal, last_item),
		FINDS(RELAXED, hft_deque_push, push_and_take),
		FINDS(RELAXED, hft_deque_steal, push_and_take),
		FINDS(RELAXED, hft_deque_grow, growth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
