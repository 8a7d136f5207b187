// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include <hft/feed.h>

#include "arrivals.h"
#include "market.h"

#define TICK		100		/* a cent, in the unit of prices */
#define LOT		100
#define MIN_ORDERS	8		/* of an instrument: with fewer, orders are only added */
#define MAX_ORDERS	128
#define MORE_IN_PACKET	40		/* %: there is one message more in a packet */

enum side { BID, ASK };

struct order {
	uint64_t reference;
	uint32_t price;
	uint32_t shares;
	enum side side;
};

struct instrument {
	char stock[9];
	uint32_t fair;			/* price around which orders come */
	struct order orders[MAX_ORDERS];	/* the oldest first */
	unsigned int nr;
};

struct market {
	uint64_t random;
	uint64_t time;
	uint64_t last_reference;
	uint64_t last_match;
	unsigned int opened;		/* messages of the opening that were sent */
	unsigned int nr;
	struct instrument instruments[];
};

static bool chance(struct market *market, uint32_t percent)
{
	return random_below(&market->random, 100) < percent;
}

/* Messages */

struct message {
	const struct hft_itch_type *type;
	unsigned char *bytes;
};

static const struct hft_itch_field *find_field(const struct message *message, const char *name)
{
	const struct hft_itch_field *field = message->type->fields;

	while (strcmp(field->name, name))
		field++;
	return field;
}

static void put(struct message *message, const char *name, uint64_t value)
{
	const struct hft_itch_field *field = find_field(message, name);
	unsigned int i;

	for (i = field->length; i--; value >>= 8)
		message->bytes[field->offset + i] = (unsigned char)value;
}

static void put_text(struct message *message, const char *name, const char *text)
{
	const struct hft_itch_field *field = find_field(message, name);
	size_t length = strlen(text);

	memset(message->bytes + field->offset, ' ', field->length);
	memcpy(message->bytes + field->offset, text,
	       length < field->length ? length : field->length);
}

static struct message add_message(struct market *market, struct batch *batch, char type,
				  unsigned int locate)
{
	struct message message = { .type = hft_itch_type((uint8_t)type) };

	batch->bytes[batch->size++] = 0;
	batch->bytes[batch->size++] = message.type->length;
	message.bytes = batch->bytes + batch->size;
	memset(message.bytes, 0, message.type->length);
	batch->size += message.type->length;
	batch->count++;

	message.bytes[0] = (unsigned char)type;
	put(&message, "Stock Locate", locate);
	put(&message, "Timestamp", market->time);
	return message;
}

static bool has_room(const struct batch *batch)
{
	return BATCH_BYTES - batch->size >= 2 + HFT_ITCH_MAX_LENGTH;
}

/* Books */

static unsigned int locate_of(const struct market *market, const struct instrument *instrument)
{
	return (unsigned int)(instrument - market->instruments) + 1;
}

static bool is_better(enum side side, uint32_t a, uint32_t b)
{
	return side == BID ? a > b : a < b;
}

/* The best order of a side, the oldest at its price; NULL if there is none. */
static struct order *best_order(struct instrument *instrument, enum side side)
{
	struct order *best = NULL, *order;

	for (order = instrument->orders; order < instrument->orders + instrument->nr; order++) {
		if (order->side == side && (!best || is_better(side, order->price, best->price)))
			best = order;
	}
	return best;
}

static void remove_order(struct instrument *instrument, struct order *order)
{
	struct order *end = instrument->orders + instrument->nr--;

	memmove(order, order + 1, (size_t)(end - order - 1) * sizeof(*order));
}

static void add_order(struct instrument *instrument, struct order order)
{
	instrument->orders[instrument->nr++] = order;
}

/* Some ticks from the fair price, more often few, and never at or across the other side. */
static uint32_t new_price(struct market *market, struct instrument *instrument, enum side side)
{
	const struct order *other = best_order(instrument, side == BID ? ASK : BID);
	uint32_t ticks = 1, price, limit;

	while (ticks < 20 && chance(market, 70))
		ticks++;
	price = side == BID ? instrument->fair - ticks * TICK : instrument->fair + ticks * TICK;
	if (!other)
		return price;
	limit = side == BID ? other->price - TICK : other->price + TICK;
	return is_better(side, price, limit) ? limit : price;
}

static void move_fair_price(struct market *market, struct instrument *instrument)
{
	if (!chance(market, 5))
		return;
	if (chance(market, 50) && instrument->fair > 100 * TICK)
		instrument->fair -= TICK;
	else
		instrument->fair += TICK;
}

static uint32_t new_shares(struct market *market)
{
	return chance(market, 20) ? 1 + random_below(&market->random, 99) :
				    LOT * (1 + random_below(&market->random, 10));
}

static struct order *any_order(struct market *market, struct instrument *instrument)
{
	return &instrument->orders[random_below(&market->random, instrument->nr)];
}

/* What happens */

static void trade_add(struct market *market, struct batch *batch, struct instrument *instrument)
{
	enum side side = chance(market, 50) ? BID : ASK;
	struct order order = {
		.reference = ++market->last_reference,
		.price = new_price(market, instrument, side),
		.shares = new_shares(market),
		.side = side,
	};
	bool attributed = chance(market, 3);
	struct message m = add_message(market, batch, attributed ? 'F' : 'A',
				       locate_of(market, instrument));

	put(&m, "Order Reference Number", order.reference);
	put_text(&m, "Buy/Sell Indicator", side == BID ? "B" : "S");
	put(&m, "Shares", order.shares);
	put_text(&m, "Stock", instrument->stock);
	put(&m, "Price", order.price);
	if (attributed)
		put_text(&m, "Attribution", "MAKR");
	add_order(instrument, order);
}

static void trade_delete(struct market *market, struct batch *batch, struct instrument *instrument)
{
	struct order *order = any_order(market, instrument);
	struct message m = add_message(market, batch, 'D', locate_of(market, instrument));

	put(&m, "Order Reference Number", order->reference);
	remove_order(instrument, order);
}

static void trade_replace(struct market *market, struct batch *batch,
			  struct instrument *instrument)
{
	struct order *order = any_order(market, instrument);
	struct message m = add_message(market, batch, 'U', locate_of(market, instrument));
	struct order new = {
		.reference = ++market->last_reference,
		.price = new_price(market, instrument, order->side),
		.shares = new_shares(market),
		.side = order->side,
	};

	put(&m, "Original Order Reference Number", order->reference);
	put(&m, "New Order Reference Number", new.reference);
	put(&m, "Shares", new.shares);
	put(&m, "Price", new.price);
	remove_order(instrument, order);
	add_order(instrument, new);
}

static void trade_cancel(struct market *market, struct batch *batch, struct instrument *instrument)
{
	struct order *order = any_order(market, instrument);
	struct message m;

	if (order->shares < 2) {
		trade_delete(market, batch, instrument);
		return;
	}
	m = add_message(market, batch, 'X', locate_of(market, instrument));
	put(&m, "Order Reference Number", order->reference);
	put(&m, "Cancelled Shares", order->shares / 2);
	order->shares -= order->shares / 2;
}

static void trade_execute(struct market *market, struct batch *batch,
			  struct instrument *instrument)
{
	struct order *order = best_order(instrument, chance(market, 50) ? BID : ASK);
	bool priced = chance(market, 5);
	struct message m;
	uint32_t shares;

	if (!order) {
		trade_add(market, batch, instrument);
		return;
	}
	shares = chance(market, 60) ? order->shares :
				      1 + random_below(&market->random, order->shares);
	m = add_message(market, batch, priced ? 'C' : 'E', locate_of(market, instrument));
	put(&m, "Order Reference Number", order->reference);
	put(&m, "Executed Shares", shares);
	put(&m, "Match Number", ++market->last_match);
	if (priced) {
		put_text(&m, "Printable", "Y");
		put(&m, "Execution Price", order->price);
	}
	order->shares -= shares;
	if (!order->shares)
		remove_order(instrument, order);
}

/* Against an order that nobody sees. */
static void trade_hidden(struct market *market, struct batch *batch, struct instrument *instrument)
{
	struct message m = add_message(market, batch, 'P', locate_of(market, instrument));

	put_text(&m, "Buy/Sell Indicator", "B");
	put(&m, "Shares", new_shares(market));
	put_text(&m, "Stock", instrument->stock);
	put(&m, "Price", instrument->fair);
	put(&m, "Match Number", ++market->last_match);
}

static void trade_once(struct market *market, struct batch *batch)
{
	/* Some instruments are traded more than others. */
	uint32_t a = random_below(&market->random, market->nr);
	uint32_t b = random_below(&market->random, market->nr);
	struct instrument *instrument = &market->instruments[a < b ? a : b];
	uint32_t what = random_below(&market->random, 100);

	move_fair_price(market, instrument);
	if (instrument->nr < MIN_ORDERS)
		trade_add(market, batch, instrument);
	else if (instrument->nr == MAX_ORDERS)
		trade_delete(market, batch, instrument);
	else if (what < 46)
		trade_add(market, batch, instrument);
	else if (what < 84)
		trade_delete(market, batch, instrument);
	else if (what < 91)
		trade_replace(market, batch, instrument);
	else if (what < 94)
		trade_cancel(market, batch, instrument);
	else if (what < 99)
		trade_execute(market, batch, instrument);
	else
		trade_hidden(market, batch, instrument);
}

void market_trade(struct market *market, uint64_t time, struct batch *batch)
{
	market->time = time;
	batch->size = 0;
	batch->count = 0;
	do {
		trade_once(market, batch);
	} while (has_room(batch) && chance(market, MORE_IN_PACKET));
}

/* The beginning and the end of a day */

static void system_event(struct market *market, struct batch *batch, const char *code)
{
	struct message m = add_message(market, batch, 'S', 0);

	put_text(&m, "Event Code", code);
}

static void directory(struct market *market, struct batch *batch, struct instrument *instrument)
{
	struct message m = add_message(market, batch, 'R', locate_of(market, instrument));

	put_text(&m, "Stock", instrument->stock);
	put_text(&m, "Market Category", "Q");
	put_text(&m, "Financial Status Indicator", "N");
	put(&m, "Round Lot Size", LOT);
	put_text(&m, "Round Lots Only", "N");
	put_text(&m, "Issue Classification", "C");
	put_text(&m, "Issue Sub-Type", "Z");
	put_text(&m, "Authenticity", "T");
	put_text(&m, "Short Sale Threshold Indicator", "N");
	put_text(&m, "IPO Flag", "N");
	put_text(&m, "LULD Reference Price Tier", "1");
	put_text(&m, "ETP Flag", "N");
	put_text(&m, "Inverse Indicator", "N");
}

static void trading_action(struct market *market, struct batch *batch,
			   struct instrument *instrument)
{
	struct message m = add_message(market, batch, 'H', locate_of(market, instrument));

	put_text(&m, "Stock", instrument->stock);
	put_text(&m, "Trading State", "T");
	put_text(&m, "Reserved", "");
	put_text(&m, "Reason", "");
}

/* Message @n of the opening: start of messages, each stock, start of the market's hours. */
static void opening_message(struct market *market, struct batch *batch, unsigned int n)
{
	unsigned int stocks = 2 * market->nr;

	if (!n)
		system_event(market, batch, "O");
	else if (n <= stocks && n % 2)
		directory(market, batch, &market->instruments[(n - 1) / 2]);
	else if (n <= stocks)
		trading_action(market, batch, &market->instruments[(n - 1) / 2]);
	else
		system_event(market, batch, n == stocks + 1 ? "S" : "Q");
}

static unsigned int opening_messages(const struct market *market)
{
	return 2 * market->nr + 3;
}

/* A packet has room for so many of the longest. */
static unsigned int opening_per_packet(void)
{
	return BATCH_BYTES / (2 + HFT_ITCH_MAX_LENGTH);
}

unsigned int market_opening_packets(const struct market *market)
{
	return (opening_messages(market) + opening_per_packet() - 1) / opening_per_packet();
}

void market_open_day(struct market *market, uint64_t time, struct batch *batch)
{
	unsigned int total = opening_messages(market);

	market->time = time;
	batch->size = 0;
	batch->count = 0;
	while (market->opened < total && batch->count < opening_per_packet())
		opening_message(market, batch, market->opened++);
}

void market_end_day(struct market *market, uint64_t time, struct batch *batch)
{
	market->time = time;
	batch->size = 0;
	batch->count = 0;
	system_event(market, batch, "M");
	system_event(market, batch, "E");
	system_event(market, batch, "C");
}

/* ZAAA, ZAAB, ...: no symbols of listed stocks are meant. */
static void name_stock(char *stock, unsigned int n)
{
	stock[0] = 'Z';
	stock[1] = (char)('A' + n / 26 / 26 % 26);
	stock[2] = (char)('A' + n / 26 % 26);
	stock[3] = (char)('A' + n % 26);
	stock[4] = '\0';
}

struct market *market_open(uint64_t seed, unsigned int instruments)
{
	struct market *market;
	unsigned int i;

	market = calloc(1, sizeof(*market) + instruments * sizeof(market->instruments[0]));
	if (!market)
		return NULL;
	market->random = ~seed;
	market->nr = instruments;
	for (i = 0; i < instruments; i++) {
		name_stock(market->instruments[i].stock, i);
		/* 10 to 500 dollars */
		market->instruments[i].fair = (1000 + random_below(&market->random, 49000)) * TICK;
	}
	return market;
}

void market_close(struct market *market)
{
	free(market);
}
