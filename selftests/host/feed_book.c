// SPDX-License-Identifier: GPL-2.0-only
/* The top of book against a model that keeps a list of orders and searches it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hft/book.h>
#include <hft/feed.h>

#include "random.h"

#define INSTRUMENTS	4
#define CAPACITY	300		/* orders */
#define LEVELS		60
#define STEPS		40000

struct model_order {
	uint64_t reference;
	uint32_t locate;
	uint32_t shares;
	uint32_t price;
	char side;
};

struct fixture {
	struct hft_book *book;
	uint64_t random;
	uint64_t last_reference;
	struct model_order orders[CAPACITY];
	unsigned int nr;
	uint32_t last_price[INSTRUMENTS];
	uint64_t volume[INSTRUMENTS];
};

struct message {
	unsigned char bytes[HFT_ITCH_MAX_LENGTH];
	const struct hft_itch_type *type;
};

/* Messages are built by the names of fields, so that book.c's places are checked too. */

static const struct hft_itch_field *find_field(const struct hft_itch_type *type, const char *name)
{
	unsigned int i;

	for (i = 0; i < type->nr_fields; i++)
		if (!strcmp(type->fields[i].name, name))
			return &type->fields[i];
	fail_msg("%s has no field %s", type->name, name);
	return NULL;
}

static void put(struct message *m, const char *name, uint64_t value)
{
	const struct hft_itch_field *field = find_field(m->type, name);
	unsigned int i;

	for (i = field->length; i--; value >>= 8)
		m->bytes[field->offset + i] = (unsigned char)value;
	assert_int_equal(value, 0);
}

static struct message make(char type, uint32_t locate)
{
	struct message m = { .type = hft_itch_type((uint8_t)type) };

	assert_non_null(m.type);
	put(&m, "Message Type", (uint8_t)type);
	put(&m, "Stock Locate", locate);
	return m;
}

static struct message make_add(const struct model_order *o)
{
	struct message m = make(o->reference % 2 ? 'A' : 'F', o->locate);

	put(&m, "Order Reference Number", o->reference);
	put(&m, "Buy/Sell Indicator", (uint8_t)o->side);
	put(&m, "Shares", o->shares);
	put(&m, "Price", o->price);
	return m;
}

static struct message make_for(char type, const struct model_order *o)
{
	struct message m = make(type, o->locate);

	put(&m, type == 'U' ? "Original Order Reference Number" : "Order Reference Number",
	    o->reference);
	return m;
}

static int apply(struct fixture *f, const struct message *m)
{
	return hft_book_apply(f->book, m->bytes, m->type->length);
}

/* The model */

static void model_side(const struct fixture *f, uint32_t locate, char side, uint32_t *price,
		       uint32_t *orders, uint64_t *shares)
{
	const struct model_order *o;

	*price = 0;
	*orders = 0;
	*shares = 0;
	for (o = f->orders; o < f->orders + f->nr; o++) {
		if (o->locate != locate || o->side != side)
			continue;
		if (!*orders || (side == 'B' ? o->price > *price : o->price < *price)) {
			*price = o->price;
			*orders = 0;
			*shares = 0;
		}
		if (o->price == *price) {
			++*orders;
			*shares += o->shares;
		}
	}
}

static unsigned int model_levels(const struct fixture *f)
{
	unsigned int i, j, levels = 0;

	for (i = 0; i < f->nr; i++) {
		for (j = 0; j < i; j++)
			if (f->orders[j].locate == f->orders[i].locate &&
			    f->orders[j].side == f->orders[i].side &&
			    f->orders[j].price == f->orders[i].price)
				break;
		levels += j == i;
	}
	return levels;
}

static void check_top(const struct fixture *f, uint32_t locate)
{
	uint32_t price, orders;
	struct hft_top top;
	uint64_t shares;

	assert_int_equal(hft_book_top(f->book, locate, &top), 0);
	model_side(f, locate, 'B', &price, &orders, &shares);
	assert_int_equal(top.bid_orders, orders);
	assert_int_equal(top.bid_shares, shares);
	if (orders)
		assert_int_equal(top.bid_price, price);
	model_side(f, locate, 'S', &price, &orders, &shares);
	assert_int_equal(top.ask_orders, orders);
	assert_int_equal(top.ask_shares, shares);
	if (orders)
		assert_int_equal(top.ask_price, price);
	assert_int_equal(top.last_price, f->last_price[locate]);
	assert_int_equal(top.volume, f->volume[locate]);
}

static void model_reduce(struct fixture *f, struct model_order *o, uint32_t shares)
{
	o->shares -= shares;
	if (!o->shares)
		*o = f->orders[--f->nr];
}

/* Random steps; each returns the instrument it touched. */

static struct model_order random_order(struct fixture *f)
{
	return (struct model_order) {
		.reference = f->last_reference++,
		.locate = random_below(&f->random, INSTRUMENTS),
		.shares = 1 + random_below(&f->random, 500),
		.price = 1 + random_below(&f->random, 40) * 100,
		.side = random_below(&f->random, 2) ? 'B' : 'S',
	};
}

static uint32_t step_add(struct fixture *f)
{
	struct model_order o = random_order(f);
	struct message m = make_add(&o);
	int ret = apply(f, &m);

	if (ret == -ENOSPC) {
		assert_true(f->nr == CAPACITY || model_levels(f) == LEVELS);
		return o.locate;
	}
	assert_int_equal(ret, 0);
	f->orders[f->nr++] = o;
	assert_int_equal(apply(f, &m), -EEXIST);
	return o.locate;
}

static uint32_t step_trade(struct fixture *f, uint32_t locate, uint32_t price, uint64_t shares)
{
	f->last_price[locate] = price;
	f->volume[locate] += shares;
	return locate;
}

static uint32_t step_execute(struct fixture *f, struct model_order *o)
{
	char type = random_below(&f->random, 2) ? 'E' : 'C';
	uint32_t shares = 1 + random_below(&f->random, o->shares);
	bool printable = type == 'E' || random_below(&f->random, 2);
	struct message m = make_for(type, o);
	uint32_t locate = o->locate;

	put(&m, "Executed Shares", o->shares + 1);
	assert_int_equal(apply(f, &m), -ERANGE);
	put(&m, "Executed Shares", shares);
	if (type == 'C') {
		put(&m, "Printable", printable ? 'Y' : 'N');
		put(&m, "Execution Price", o->price + 7);
	}
	assert_int_equal(apply(f, &m), 0);
	if (printable)
		step_trade(f, locate, type == 'C' ? o->price + 7 : o->price, shares);
	model_reduce(f, o, shares);
	return locate;
}

static uint32_t step_cancel(struct fixture *f, struct model_order *o)
{
	uint32_t shares = 1 + random_below(&f->random, o->shares);
	struct message m = make_for('X', o);
	uint32_t locate = o->locate;

	put(&m, "Cancelled Shares", o->shares + 1);
	assert_int_equal(apply(f, &m), -ERANGE);
	put(&m, "Cancelled Shares", shares);
	assert_int_equal(apply(f, &m), 0);
	model_reduce(f, o, shares);
	return locate;
}

static uint32_t step_delete(struct fixture *f, struct model_order *o)
{
	struct message m = make_for('D', o);
	uint32_t locate = o->locate;

	assert_int_equal(apply(f, &m), 0);
	assert_int_equal(apply(f, &m), -ENOENT);
	model_reduce(f, o, o->shares);
	return locate;
}

static uint32_t step_replace(struct fixture *f, struct model_order *o)
{
	struct model_order new = random_order(f);
	struct message m = make_for('U', o);
	uint32_t locate = o->locate;
	int ret;

	/* Now and then under its own name. */
	if (!random_below(&f->random, 8))
		new.reference = o->reference;
	new.locate = o->locate;
	new.side = o->side;
	put(&m, "New Order Reference Number", new.reference);
	put(&m, "Shares", new.shares);
	put(&m, "Price", new.price);
	ret = apply(f, &m);
	model_reduce(f, o, o->shares);
	if (ret == -ENOSPC)
		return locate;
	assert_int_equal(ret, 0);
	f->orders[f->nr++] = new;
	return locate;
}

static uint32_t step_print(struct fixture *f)
{
	uint32_t locate = random_below(&f->random, INSTRUMENTS);
	bool cross = random_below(&f->random, 2);
	struct message m = make(cross ? 'Q' : 'P', locate);
	uint32_t price = 1 + random_below(&f->random, 5000);
	uint32_t shares = random_below(&f->random, 100000);

	put(&m, cross ? "Cross Price" : "Price", price);
	put(&m, "Shares", shares);
	assert_int_equal(apply(f, &m), 0);
	return step_trade(f, locate, price, shares);
}

static uint32_t step(struct fixture *f, uint32_t adds)
{
	struct model_order *o = &f->orders[f->nr ? random_below(&f->random, f->nr) : 0];

	if (!f->nr || random_below(&f->random, 100) < adds)
		return step_add(f);
	switch (random_below(&f->random, 5)) {
	case 0:
		return step_execute(f, o);
	case 1:
		return step_cancel(f, o);
	case 2:
		return step_delete(f, o);
	case 3:
		return step_replace(f, o);
	default:
		return step_print(f);
	}
}

static int setup(void **state)
{
	struct hft_book_opts opts = {
		.sz = sizeof(opts),
		.orders = CAPACITY,
		.levels = LEVELS,
		.instruments = INSTRUMENTS,
	};
	struct fixture *f = calloc(1, sizeof(*f));

	f->random = 1;
	*state = f;
	return hft_book_open(&f->book, &opts);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	hft_book_close(f->book);
	free(f);
	return 0;
}

static void test_random(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < STEPS; i++) {
		/* Fill it, drain it, and so on. */
		check_top(f, step(f, i / 2000 % 2 ? 25 : 75));
		assert_int_equal(hft_book_orders(f->book), f->nr);
		if (i % 64 == 0)
			assert_int_equal(hft_book_levels(f->book), model_levels(f));
	}
	while (f->nr)
		check_top(f, step_delete(f, &f->orders[random_below(&f->random, f->nr)]));
	assert_int_equal(hft_book_levels(f->book), 0);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	struct model_order o = {
		.reference = 2, .locate = 1, .shares = 10, .price = 100, .side = 'B'
	};
	struct message m = make_for('D', &o);
	struct hft_top top;

	assert_int_equal(apply(f, &m), -ENOENT);
	assert_int_equal(hft_book_apply(f->book, m.bytes, m.type->length - 1u), -ENODATA);
	assert_int_equal(hft_book_apply(f->book, m.bytes, 0), -ENODATA);
	assert_int_equal(hft_book_apply(f->book, "?", 1), -EBADMSG);

	m = make_add(&o);
	put(&m, "Shares", 0);
	assert_int_equal(apply(f, &m), -EBADMSG);
	put(&m, "Shares", 10);
	put(&m, "Buy/Sell Indicator", 'b');
	assert_int_equal(apply(f, &m), -EBADMSG);
	put(&m, "Buy/Sell Indicator", 'B');
	put(&m, "Stock Locate", INSTRUMENTS);
	assert_int_equal(apply(f, &m), -ERANGE);
	assert_int_equal(hft_book_top(f->book, INSTRUMENTS, &top), -ERANGE);
	put(&m, "Stock Locate", 1);
	assert_int_equal(apply(f, &m), 0);

	m = make_for('U', &o);
	put(&m, "New Order Reference Number", 3);
	assert_int_equal(apply(f, &m), -EBADMSG);
	assert_int_equal(hft_book_orders(f->book), 1);
}

/* References that collide in the hash table, in every order of removal. */
static void test_collisions(void **state)
{
	struct fixture *f = *state;
	struct model_order o = { .shares = 1, .price = 100, .side = 'S' };
	unsigned int round, i;

	for (round = 0; round < 50; round++) {
		while (f->nr < CAPACITY) {
			struct message m;

			o.reference = (uint64_t)f->nr << (round % 54) | (uint64_t)round << 58;
			m = make_add(&o);
			if (apply(f, &m) == -EEXIST)
				break;
			f->orders[f->nr++] = o;
		}
		for (i = 0; f->nr; i++) {
			step_delete(f, &f->orders[random_below(&f->random, f->nr)]);
			assert_int_equal(hft_book_orders(f->book), f->nr);
		}
		check_top(f, 0);
	}
}

/* A price that falls, then rises: the worst for many heaps. */
static void test_sorted_prices(void **state)
{
	const struct hft_book_opts opts = { .sz = sizeof(opts), .orders = 100000 };
	struct model_order o = { .shares = 1, .side = 'B' };
	struct hft_book *book;
	struct hft_top top;
	struct message m;
	uint32_t i;

	(void)state;
	assert_int_equal(hft_book_open(&book, &opts), 0);
	for (i = 0; i < opts.orders; i++) {
		o.reference = i;
		o.price = 1 + (i % 2 ? i : 2 * opts.orders - i);
		m = make_add(&o);
		assert_int_equal(hft_book_apply(book, m.bytes, m.type->length), 0);
	}
	for (i = 0; i < opts.orders; i++) {
		o.reference = i;
		m = make_for('D', &o);
		assert_int_equal(hft_book_apply(book, m.bytes, m.type->length), 0);
		assert_int_equal(hft_book_top(book, 0, &top), 0);
		assert_int_equal(top.bid_orders, i + 1 < opts.orders);
	}
	hft_book_close(book);
}

/* Messages of any content, about few orders so that they meet. */
static void test_hostile(void **state)
{
	static const char types[] = "SRHYLVWKJhAFECXDUPQBINO";
	struct fixture *f = *state;
	struct message m;
	struct hft_top top;
	unsigned int i, n;

	for (i = 0; i < STEPS; i++) {
		for (n = 0; n < sizeof(m.bytes); n++)
			m.bytes[n] = random_below(&f->random, 3) ? 0 :
				     (unsigned char)random_below(&f->random, 256);
		m.bytes[0] = (unsigned char)types[random_below(&f->random, sizeof(types) - 1)];
		m.bytes[2] &= 3;
		memset(m.bytes + 11, 0, 7);
		if (random_below(&f->random, 2))
			m.bytes[19] = random_below(&f->random, 2) ? 'B' : 'S';
		hft_book_apply(f->book, m.bytes, random_below(&f->random, sizeof(m.bytes) + 1));
		assert_true(hft_book_orders(f->book) <= CAPACITY);
		assert_true(hft_book_levels(f->book) <= LEVELS);
		assert_true(hft_book_levels(f->book) <= hft_book_orders(f->book));
		assert_int_equal(hft_book_top(f->book, i % INSTRUMENTS, &top), 0);
	}
	assert_true(hft_book_orders(f->book) > 0);
}

static void test_options(void **state)
{
	struct hft_book_opts opts = { .sz = sizeof(opts), .instruments = 65537 };
	struct {
		struct hft_book_opts opts;
		uint64_t newer;
	} larger = { .opts.sz = sizeof(larger), .newer = 1 };
	struct hft_book *book = NULL;

	(void)state;
	assert_int_equal(hft_book_open(&book, &opts), -EINVAL);
	assert_int_equal(hft_book_open(&book, &larger.opts), -E2BIG);
	assert_null(book);
	larger.newer = 0;
	assert_int_equal(hft_book_open(&book, &larger.opts), 0);
	hft_book_close(book);
	hft_book_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_collisions, setup, teardown),
		cmocka_unit_test(test_sorted_prices),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
