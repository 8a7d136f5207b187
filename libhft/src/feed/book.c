// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Top of book.
 *
 * An order knows its price level; the levels of a side are a pairing heap, the best
 * price at its root (Fredman, Sedgewick, Sleator, Tarjan: "The pairing heap: a new
 * form of self-adjusting heap", Algorithmica 1, 1986).  It needs no array per side,
 * so one pool serves all instruments, and no recursion, so that no sequence of
 * prices can exhaust a stack.
 */
#include <errno.h>
#include <stdbool.h>
#include <sched.h>
#include <stdlib.h>

#include <hft/book.h>
#include <hft/feed.h>

#include "../engine/internal.h"
#include "table.h"

#define HFT_BOOK_ORDERS		65536
#define HFT_BOOK_INSTRUMENTS	65536

enum hft_side {
	HFT_BID,
	HFT_ASK,
	HFT_SIDES
};

struct hft_order {
	struct hft_node node;		/* key: order reference number */
	uint32_t level;
	uint32_t shares;
};

struct hft_price_level {
	struct hft_node node;		/* key: hft_level_key() */
	uint32_t orders;
	uint64_t shares;
	uint32_t child;			/* the first */
	uint32_t next;			/* sibling */
	uint32_t prev;			/* sibling, of the first child the parent */
};

struct hft_instrument {
	uint32_t best[HFT_SIDES];
	uint32_t last_price;
	uint64_t volume;
};

struct hft_book {
	struct hft_table orders;
	struct hft_table levels;
	struct hft_instrument *instruments;
	uint32_t nr_instruments;
	struct hft_region region;	/* of the instruments */
};

/* Levels */

static uint64_t hft_level_key(uint32_t locate, enum hft_side side, uint32_t price)
{
	return (uint64_t)locate << 33 | (uint64_t)side << 32 | price;
}

static uint32_t hft_level_price(const struct hft_price_level *level)
{
	return (uint32_t)level->node.key;
}

static enum hft_side hft_level_side(const struct hft_price_level *level)
{
	return level->node.key >> 32 & 1;
}

static struct hft_instrument *hft_level_instrument(const struct hft_book *book,
						   const struct hft_price_level *level)
{
	return &book->instruments[level->node.key >> 33];
}

static struct hft_price_level *hft_level_at(const struct hft_book *book, uint32_t index)
{
	return hft_table_node(&book->levels, index);
}

/* Heaps: 0 is the empty one; a root has no sibling. */

static uint32_t hft_heap_merge(const struct hft_book *book, uint32_t a, uint32_t b)
{
	struct hft_price_level *x, *y;

	if (!a || !b)
		return a | b;
	x = hft_level_at(book, a);
	y = hft_level_at(book, b);
	if ((hft_level_price(x) > hft_level_price(y)) != (hft_level_side(x) == HFT_BID))
		return hft_heap_merge(book, b, a);
	y->next = x->child;
	y->prev = a;
	if (x->child)
		hft_level_at(book, x->child)->prev = b;
	x->child = b;
	return a;
}

/* Detach the first of a list of siblings. */
static uint32_t hft_heap_take(const struct hft_book *book, uint32_t *list)
{
	uint32_t index = *list;
	struct hft_price_level *level;

	if (!index)
		return 0;
	level = hft_level_at(book, index);
	*list = level->next;
	level->next = 0;
	level->prev = 0;
	return index;
}

/* Make one heap of a list of siblings: pairs from the left, then these from the right. */
static uint32_t hft_heap_join(const struct hft_book *book, uint32_t list)
{
	uint32_t pairs = 0, heap = 0;
	uint32_t index;

	while ((index = hft_heap_take(book, &list))) {
		index = hft_heap_merge(book, index, hft_heap_take(book, &list));
		hft_level_at(book, index)->next = pairs;
		pairs = index;
	}
	while ((index = hft_heap_take(book, &pairs)))
		heap = hft_heap_merge(book, heap, index);
	return heap;
}

static void hft_heap_remove(const struct hft_book *book, uint32_t *root, uint32_t index)
{
	struct hft_price_level *level = hft_level_at(book, index);
	uint32_t children = hft_heap_join(book, level->child);
	struct hft_price_level *prev;

	level->child = 0;
	if (*root == index) {
		*root = children;
		return;
	}
	prev = hft_level_at(book, level->prev);
	if (prev->child == index)
		prev->child = level->next;
	else
		prev->next = level->next;
	if (level->next)
		hft_level_at(book, level->next)->prev = level->prev;
	*root = hft_heap_merge(book, *root, children);
}

static uint32_t hft_level_get(struct hft_book *book, uint64_t key)
{
	uint32_t index = hft_table_find(&book->levels, key);
	struct hft_price_level *level;
	uint32_t *best;

	if (index)
		return index;
	index = hft_table_add(&book->levels, key);
	if (!index)
		return 0;
	level = hft_level_at(book, index);
	level->orders = 0;
	level->shares = 0;
	level->child = 0;
	level->next = 0;
	level->prev = 0;
	best = &hft_level_instrument(book, level)->best[hft_level_side(level)];
	*best = hft_heap_merge(book, *best, index);
	return index;
}

static void hft_level_put(struct hft_book *book, uint32_t index)
{
	struct hft_price_level *level = hft_level_at(book, index);

	if (level->orders)
		return;
	hft_heap_remove(book, &hft_level_instrument(book, level)->best[hft_level_side(level)],
			index);
	hft_table_remove(&book->levels, index);
}

/* Orders */

static int hft_order_add(struct hft_book *book, uint64_t reference, uint64_t level_key,
			 uint32_t shares)
{
	struct hft_order *order;
	struct hft_price_level *level;
	uint32_t index, level_index;

	level_index = hft_level_get(book, level_key);
	if (!level_index)
		return -ENOSPC;
	index = hft_table_add(&book->orders, reference);
	if (!index) {
		hft_level_put(book, level_index);
		return -ENOSPC;
	}
	order = hft_table_node(&book->orders, index);
	order->level = level_index;
	order->shares = shares;
	level = hft_level_at(book, level_index);
	level->orders++;
	level->shares += shares;
	return 0;
}

/* @shares: at most those of the order, which ends with the last of them. */
static void hft_order_reduce(struct hft_book *book, uint32_t index, uint32_t shares)
{
	struct hft_order *order = hft_table_node(&book->orders, index);
	struct hft_price_level *level = hft_level_at(book, order->level);

	level->shares -= shares;
	order->shares -= shares;
	if (order->shares)
		return;
	level->orders--;
	hft_level_put(book, order->level);
	hft_table_remove(&book->orders, index);
}

/* Messages.  The places are those of the table in itch.c. */

static uint32_t hft_u32_at(const unsigned char *message, unsigned int offset)
{
	return (uint32_t)hft_be(message + offset, 4);
}

static uint64_t hft_reference(const unsigned char *message)
{
	return hft_be(message + 11, 8);
}

static int hft_find_order(const struct hft_book *book, const unsigned char *message,
			  uint32_t *index)
{
	*index = hft_table_find(&book->orders, hft_reference(message));
	return *index ? 0 : -ENOENT;
}

static void hft_print_trade(struct hft_instrument *instrument, uint32_t price, uint64_t shares)
{
	instrument->last_price = price;
	instrument->volume += shares;
}

static int hft_apply_add(struct hft_book *book, const unsigned char *m)
{
	uint32_t shares = hft_u32_at(m, 20);
	uint64_t key = hft_level_key(hft_itch_locate(m), m[19] == 'B' ? HFT_BID : HFT_ASK,
				     hft_u32_at(m, 32));

	if (!shares || (m[19] != 'B' && m[19] != 'S'))
		return -EBADMSG;
	if (hft_table_find(&book->orders, hft_reference(m)))
		return -EEXIST;
	return hft_order_add(book, hft_reference(m), key, shares);
}

static int hft_apply_cancel(struct hft_book *book, const unsigned char *m)
{
	uint32_t shares = hft_u32_at(m, 19);
	uint32_t index;
	int err = hft_find_order(book, m, &index);

	if (err)
		return err;
	if (shares > ((struct hft_order *)hft_table_node(&book->orders, index))->shares)
		return -ERANGE;
	hft_order_reduce(book, index, shares);
	return 0;
}

static int hft_apply_execution(struct hft_book *book, const unsigned char *m)
{
	bool priced = m[0] == 'C';
	struct hft_price_level *level;
	struct hft_order *order;
	uint32_t index, price;
	int err = hft_find_order(book, m, &index);

	if (err)
		return err;
	order = hft_table_node(&book->orders, index);
	if (hft_u32_at(m, 19) > order->shares)
		return -ERANGE;
	level = hft_level_at(book, order->level);
	price = priced ? hft_u32_at(m, 32) : hft_level_price(level);
	if (!priced || m[31] == 'Y')
		hft_print_trade(hft_level_instrument(book, level), price, hft_u32_at(m, 19));
	hft_order_reduce(book, index, hft_u32_at(m, 19));
	return 0;
}

static int hft_apply_delete(struct hft_book *book, const unsigned char *m)
{
	uint32_t index;
	int err = hft_find_order(book, m, &index);

	if (err)
		return err;
	hft_order_reduce(book, index,
			 ((struct hft_order *)hft_table_node(&book->orders, index))->shares);
	return 0;
}

static int hft_apply_replace(struct hft_book *book, const unsigned char *m)
{
	uint64_t reference = hft_be(m + 19, 8);
	uint32_t shares = hft_u32_at(m, 27);
	struct hft_order *order;
	uint64_t key;
	uint32_t index;
	int err = hft_find_order(book, m, &index);

	if (err)
		return err;
	if (!shares)
		return -EBADMSG;
	if (reference != hft_reference(m) && hft_table_find(&book->orders, reference))
		return -EEXIST;
	order = hft_table_node(&book->orders, index);
	key = hft_level_at(book, order->level)->node.key;
	key = (key & ~0xffffffffULL) | hft_u32_at(m, 31);
	hft_order_reduce(book, index, order->shares);
	return hft_order_add(book, reference, key, shares);
}

/**
 * hft_book_apply() - let a message change the book
 * @book: book
 * @message: ITCH 5.0
 * @size: bytes of it
 *
 * Adds (A, F), executions (E, C), cancels (X), deletes (D) and replaces (U) change
 * the orders; executions, trades (P) and crosses (Q) the last price and the volume.
 * Other messages change nothing.  A message that is refused changes nothing, but for
 * a replace with -ENOSPC, which ends the old order.
 *
 * Neither allocates nor blocks nor enters the kernel.
 *
 * Return: 0, -EBADMSG no message, or one with a side or a number of shares that makes
 * no sense, -ENODATA fewer bytes than the type has, -ENOENT no such order, -EEXIST the
 * order is there already, -ERANGE more shares than the order has, or a locate that the
 * book has no room for, -ENOSPC the book has its most orders or levels.
 */
HFT_API int hft_book_apply(struct hft_book *book, const void *message, size_t size)
{
	const unsigned char *m = message;
	int length = hft_itch_check(message, size);

	if (length < 0)
		return length;
	if (hft_itch_locate(m) >= book->nr_instruments)
		return -ERANGE;
	switch (m[0]) {
	case 'A':
	case 'F':
		return hft_apply_add(book, m);
	case 'E':
	case 'C':
		return hft_apply_execution(book, m);
	case 'X':
		return hft_apply_cancel(book, m);
	case 'D':
		return hft_apply_delete(book, m);
	case 'U':
		return hft_apply_replace(book, m);
	case 'P':
		hft_print_trade(&book->instruments[hft_itch_locate(m)], hft_u32_at(m, 32),
				hft_u32_at(m, 20));
		return 0;
	case 'Q':
		hft_print_trade(&book->instruments[hft_itch_locate(m)], hft_u32_at(m, 27),
				hft_be(m + 11, 8));
		return 0;
	default:
		return 0;
	}
}

/**
 * hft_book_top() - the top of an instrument's book
 * @book: book
 * @locate: its Stock Locate
 * @top: the result
 *
 * Neither allocates nor blocks nor enters the kernel.
 *
 * Return: 0, -ERANGE for a locate that the book has no room for.
 */
HFT_API int hft_book_top(const struct hft_book *book, uint32_t locate, struct hft_top *top)
{
	const struct hft_instrument *instrument;
	const struct hft_price_level *bid, *ask;

	if (locate >= book->nr_instruments)
		return -ERANGE;
	instrument = &book->instruments[locate];

	/* Of an empty side, that is node 0: all zero. */
	bid = hft_level_at(book, instrument->best[HFT_BID]);
	ask = hft_level_at(book, instrument->best[HFT_ASK]);
	*top = (struct hft_top) {
		.bid_price = hft_level_price(bid),
		.bid_orders = bid->orders,
		.bid_shares = bid->shares,
		.ask_price = hft_level_price(ask),
		.ask_orders = ask->orders,
		.ask_shares = ask->shares,
		.last_price = instrument->last_price,
		.volume = instrument->volume,
	};
	return 0;
}

/**
 * hft_book_orders() - how many live orders there are
 * @book: book
 */
HFT_API uint32_t hft_book_orders(const struct hft_book *book)
{
	return book->orders.used;
}

/**
 * hft_book_levels() - how many price levels have an order
 * @book: book
 */
HFT_API uint32_t hft_book_levels(const struct hft_book *book)
{
	return book->levels.used;
}

static int hft_book_read_opts(struct hft_book_opts *opts, const struct hft_book_opts *user)
{
	int err = hft_read_opts(opts, sizeof(*opts), user);

	if (err)
		return err;
	if (!opts->orders)
		opts->orders = HFT_BOOK_ORDERS;
	if (!opts->levels)
		opts->levels = opts->orders;
	if (!opts->instruments)
		opts->instruments = HFT_BOOK_INSTRUMENTS;
	if (opts->instruments > HFT_BOOK_INSTRUMENTS || opts->orders > HFT_TABLE_MAX ||
	    opts->levels > HFT_TABLE_MAX)
		return hft_fail(EINVAL, "book: at most %u orders, %u levels, %u instruments",
				HFT_TABLE_MAX, HFT_TABLE_MAX, HFT_BOOK_INSTRUMENTS);
	return opts->reserved ? hft_fail(EINVAL, "book: a reserved field") : 0;
}

static int hft_book_alloc(struct hft_book *book, const struct hft_book_opts *opts)
{
	uint32_t node = opts->node ? opts->node - 1 : hft_node_of((uint32_t)sched_getcpu());

	book->nr_instruments = opts->instruments;
	book->instruments = hft_region_make(&book->region,
					    opts->instruments * sizeof(*book->instruments), node);
	if (!book->instruments)
		return -ENOMEM;
	if (hft_table_open(&book->orders, opts->orders, sizeof(struct hft_order), node))
		return -ENOMEM;
	return hft_table_open(&book->levels, opts->levels, sizeof(struct hft_price_level), node);
}

/**
 * hft_book_open() - make an empty book
 * @out: the book
 * @user_opts: options, or NULL for the defaults
 *
 * Its memory is in place when this returns: on the node that was asked for as far as that
 * has any (hft_book_memory() tells), in huge pages where there are any, and not locked.
 *
 * Return: 0, -EINVAL an option is out of range, -E2BIG an option is not known here,
 * -ENOMEM.
 */
HFT_API int hft_book_open(struct hft_book **out, const struct hft_book_opts *user_opts)
{
	struct hft_book_opts opts;
	struct hft_book *book;
	int err = hft_book_read_opts(&opts, user_opts);

	if (err)
		return err;
	book = calloc(1, sizeof(*book));
	if (!book)
		return hft_fail(ENOMEM, "a book");
	if (hft_book_alloc(book, &opts)) {
		hft_book_close(book);
		return hft_fail(ENOMEM, "a book of %u orders, %u levels, %u instruments",
				opts.orders, opts.levels, opts.instruments);
	}
	*out = book;
	return 0;
}

/**
 * hft_book_close() - free a book
 * @book: book, or NULL
 */
HFT_API void hft_book_close(struct hft_book *book)
{
	if (!book)
		return;
	hft_table_close(&book->orders);
	hft_table_close(&book->levels);
	hft_free_on(&book->region);
	free(book);
}

/**
 * hft_book_memory() - ask the kernel where a book is
 * @book: book
 * @user_report: as hft_region_check() has it, of all its memory
 *
 * Return: as hft_region_check().
 */
HFT_API int hft_book_memory(const struct hft_book *book, struct hft_region_report *user_report)
{
	const struct hft_region *const regions[] = {
		&book->region, &book->orders.region, &book->levels.region,
	};

	return hft_regions_check(regions, sizeof(regions) / sizeof(regions[0]), user_report);
}
