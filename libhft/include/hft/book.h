/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Top of book: the best bid and ask of each instrument, from ITCH 5.0 messages.
 *
 * Everything is allocated by hft_book_open(): a message is applied without a system
 * call, in constant time but for a level that becomes empty (amortised logarithmic
 * in the levels of its side).  A book is for one thread at a time; what several
 * threads decode is split by Stock Locate into a book for each.
 */
#ifndef HFT_BOOK_H
#define HFT_BOOK_H

#include <stddef.h>
#include <stdint.h>
#include <hft/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hft_book;

struct hft_book_opts {
	size_t sz;
	uint32_t orders;		/* 65536: most live orders */
	uint32_t levels;		/* as many as orders: most price levels with an order */
	uint32_t instruments;		/* 65536: Stock Locates are below this */
	uint32_t node;			/* 1 + the NUMA node of its memory; 0: that of the CPU */
					/* that the caller runs on */
	uint32_t reserved;		/* 0 */
};

/**
 * struct hft_top - top of book of an instrument
 * @bid_price: highest price that is bid, in 1/10000; only if @bid_orders is not 0
 * @bid_orders: orders at that price
 * @bid_shares: shares they are for
 * @ask_price: lowest price that is asked; only if @ask_orders is not 0
 * @ask_orders: orders at that price
 * @ask_shares: shares they are for
 * @last_price: of the last printed trade, 0 if there was none
 * @volume: shares of all printed trades
 */
struct hft_top {
	uint32_t bid_price;
	uint32_t bid_orders;
	uint64_t bid_shares;
	uint32_t ask_price;
	uint32_t ask_orders;
	uint64_t ask_shares;
	uint32_t last_price;
	uint64_t volume;
};

int hft_book_open(struct hft_book **book, const struct hft_book_opts *opts);
void hft_book_close(struct hft_book *book);
int hft_book_apply(struct hft_book *book, const void *message, size_t size);
int hft_book_top(const struct hft_book *book, uint32_t locate, struct hft_top *top);
int hft_book_memory(const struct hft_book *book, struct hft_region_report *report);
uint32_t hft_book_orders(const struct hft_book *book);
uint32_t hft_book_levels(const struct hft_book *book);

#ifdef __cplusplus
}
#endif

#endif /* HFT_BOOK_H */
