// SPDX-License-Identifier: GPL-2.0-only
/* kmod/core/heap.h against a model that searches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/heap.h"
#include "random.h"

#define CAPACITY	341		/* 1 + 4 + 16 + 64 + 256: five full levels */
#define EACH_SIZE	86		/* one more than four full levels */
#define RANDOM_STEPS	200000

struct fixture {
	struct hft_heap heap;
	void *mem;
	u64 random;
	u64 seq;
	struct hft_heap_item item[CAPACITY];
	u64 key[CAPACITY];		/* the model: the keys of the items in the heap */
};

static void check_shape(const struct hft_heap *h)
{
	u32 i;

	for (i = 0; i < h->nr; i++) {
		struct hft_heap_node *node = &h->node[i];

		assert_ptr_equal(hft_heap_where(h, node->item), node);
		if (!i)
			continue;
		assert_ptr_equal(hft_heap_parent(h->node, node), &h->node[(i - 1) / 4]);
		assert_false(hft_heap_before(node, hft_heap_parent(h->node, node)));
	}
}

static struct hft_heap_item *model_min(const struct fixture *f)
{
	const struct hft_heap_item *min = NULL;
	u64 min_key = 0;
	u32 i;

	for (i = 0; i < CAPACITY; i++) {
		const struct hft_heap_item *item = &f->item[i];

		if (!hft_heap_contains(item))
			continue;
		if (min && (f->key[i] > min_key || (f->key[i] == min_key && item->seq > min->seq)))
			continue;
		min = item;
		min_key = f->key[i];
	}
	return (struct hft_heap_item *)min;
}

static void push(struct fixture *f, u32 i, u64 key)
{
	f->item[i].seq = f->seq++;
	f->key[i] = key;
	hft_heap_push(&f->heap, &f->item[i], key);
}

static void pop(struct fixture *f)
{
	struct hft_heap_item *min = model_min(f);

	assert_ptr_equal(hft_heap_min(&f->heap), min);
	assert_int_equal(hft_heap_min_key(&f->heap), min ? f->key[min - f->item] : U64_MAX);
	assert_ptr_equal(hft_heap_pop(&f->heap), min);
	if (min)
		assert_false(hft_heap_contains(min));
}

static void drain(struct fixture *f)
{
	u32 nr = f->heap.nr;

	check_shape(&f->heap);
	while (nr--)
		pop(f);
	assert_true(hft_heap_empty(&f->heap));
	assert_null(model_min(f));
}

/* Few different keys make many equal ones. */
static void fill(struct fixture *f, u32 nr, u32 keys)
{
	u32 i;

	for (i = 0; i < nr; i++)
		push(f, i, random_below(&f->random, keys));
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	u32 i;

	if (!f)
		return -1;
	f->mem = aligned_alloc(HFT_HEAP_ALIGN, hft_heap_bytes(CAPACITY));
	if (!f->mem) {
		free(f);
		return -1;
	}
	hft_heap_init(&f->heap, f->mem, CAPACITY);
	for (i = 0; i < CAPACITY; i++)
		hft_heap_item_init(&f->item[i]);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->mem);
	free(f);
	return 0;
}

static void test_layout(void **state)
{
	struct fixture *f = *state;
	struct hft_heap_node *root = f->heap.node, *child;
	u32 i;

	assert_int_equal(sizeof(struct hft_heap_node), 16);
	assert_int_equal(HFT_HEAP_ARITY * sizeof(struct hft_heap_node), HFT_HEAP_ALIGN);
	for (i = 0; 4 * i + 1 < CAPACITY; i++) {
		child = hft_heap_child(root, &root[i]);
		assert_ptr_equal(child, &root[4 * i + 1]);
		assert_int_equal((uintptr_t)child % HFT_HEAP_ALIGN, 0);
	}
}

/* Other memory, lower or higher: the items are found there. */
static void test_move(void **state)
{
	struct fixture *f = *state;
	size_t bytes = hft_heap_bytes(CAPACITY);
	char *memory = aligned_alloc(HFT_HEAP_ALIGN, 2 * bytes);
	u32 i;

	assert_non_null(memory);
	for (i = 0; i < CAPACITY; i++)
		push(f, i, random_below(&f->random, 100));
	hft_heap_move(&f->heap, memory + bytes, CAPACITY);
	check_shape(&f->heap);
	for (i = 0; i < CAPACITY; i += 3)
		hft_heap_remove(&f->heap, &f->item[i]);
	hft_heap_move(&f->heap, memory, f->heap.nr);
	drain(f);
	free(memory);
}

static void test_bytes(void **state)
{
	u32 capacity;
	size_t bytes;

	(void)state;
	for (capacity = 0; capacity < 100; capacity++) {
		bytes = hft_heap_bytes(capacity);
		assert_int_equal(bytes % HFT_HEAP_ALIGN, 0);
		assert_true(bytes >= (capacity + HFT_HEAP_PAD) * sizeof(struct hft_heap_node));
	}
	assert_true(hft_heap_bytes(U32_MAX) > (size_t)U32_MAX * sizeof(struct hft_heap_node));
}

static void test_empty(void **state)
{
	struct fixture *f = *state;

	assert_true(hft_heap_empty(&f->heap));
	assert_int_equal(hft_heap_min_key(&f->heap), U64_MAX);
	assert_null(hft_heap_min(&f->heap));
	assert_null(hft_heap_pop(&f->heap));
	push(f, 0, 0);
	assert_false(hft_heap_empty(&f->heap));
	drain(f);
	assert_null(hft_heap_pop(&f->heap));
}

static void test_extreme_keys(void **state)
{
	struct fixture *f = *state;

	push(f, 0, U64_MAX);
	push(f, 1, 0);
	push(f, 2, U64_MAX);
	push(f, 3, 1ULL << 63);
	drain(f);
}

static void test_every_size(void **state)
{
	struct fixture *f = *state;
	u32 nr;

	for (nr = 0; nr <= CAPACITY; nr++) {
		fill(f, nr, 1 + nr / 2);
		drain(f);
	}
}

static void test_ties_keep_order(void **state)
{
	struct fixture *f = *state;
	u32 i;

	fill(f, CAPACITY, 1);
	for (i = 0; i < CAPACITY; i++)
		assert_ptr_equal(hft_heap_pop(&f->heap), &f->item[i]);
}

static void test_remove_everywhere(void **state)
{
	struct fixture *f = *state;
	struct hft_heap_item *item;
	u32 nr, pos;

	for (nr = 1; nr <= EACH_SIZE; nr++) {
		for (pos = 0; pos < nr; pos++) {
			fill(f, nr, 1 + nr / 2);
			item = f->heap.node[pos].item;
			hft_heap_remove(&f->heap, item);
			assert_false(hft_heap_contains(item));
			assert_int_equal(f->heap.nr, nr - 1);
			drain(f);
		}
	}
}

static void update(struct fixture *f, struct hft_heap_item *item, u64 key)
{
	f->key[item - f->item] = key;
	hft_heap_update(&f->heap, item, key);
}

static void test_update_everywhere(void **state)
{
	struct fixture *f = *state;
	u32 nr, pos;
	u64 key;

	for (nr = 1; nr <= EACH_SIZE; nr++) {
		for (pos = 0; pos < nr; pos++) {
			for (key = 0; key <= nr / 2; key += 1 + nr / 8) {
				fill(f, nr, 1 + nr / 2);
				update(f, f->heap.node[pos].item, key);
				drain(f);
			}
		}
	}
}

static void test_update_keeps_place_among_equals(void **state)
{
	struct fixture *f = *state;
	u32 i;

	fill(f, CAPACITY, 1);
	for (i = 0; i < CAPACITY; i += 3)
		update(f, &f->item[i], 1);
	for (i = 0; i < CAPACITY; i += 3)
		update(f, &f->item[i], 0);
	for (i = 0; i < CAPACITY; i++)
		assert_ptr_equal(hft_heap_pop(&f->heap), &f->item[i]);
}

static void step(struct fixture *f, u32 weight)
{
	u32 i = random_below(&f->random, CAPACITY);
	u64 key = random_below(&f->random, 64);

	if (random_below(&f->random, 8) >= weight)
		pop(f);
	else if (!hft_heap_contains(&f->item[i]))
		push(f, i, key);
	else if (key & 1)
		hft_heap_remove(&f->heap, &f->item[i]);
	else
		update(f, &f->item[i], key);
}

static void test_random(void **state)
{
	struct fixture *f = *state;
	u32 i;

	for (i = 0; i < RANDOM_STEPS; i++) {
		step(f, 4 + i / 1000 % 4);
		if (i % 64 == 0)
			check_shape(&f->heap);
	}
	drain(f);
}

static void test_full_and_held(void **state)
{
	struct fixture *f = *state;
	struct hft_heap_item *item;
	u64 key;
	u32 i;

	fill(f, CAPACITY, 1000);
	assert_int_equal(f->heap.nr, f->heap.capacity);
	for (i = 0; i < 10 * CAPACITY; i++) {
		key = hft_heap_min_key(&f->heap);
		item = model_min(f);
		pop(f);
		push(f, (u32)(item - f->item), key + random_below(&f->random, 1000));
	}
	drain(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_layout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_move, setup, teardown),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_extreme_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ties_keep_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_everywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_update_everywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_update_keeps_place_among_equals, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_and_held, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
