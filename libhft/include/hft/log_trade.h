/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trading decisions in the log: what was done about orders, and what the controls did.  They
 * go to the thread's audit ring, so none is lost silently; see hft/log.h.  `hft-log report`
 * makes a regulator's views of them: Documentation/log_report.rst says which fields each needs.
 *
 * Prices are in units of 10^-8, quantities in units of 10^-6: numbers that are exact.  Ids and
 * names are text, cut by the log where hft/log.h says.  Times are ns since 1970, UTC, and 0 is
 * the time of the call.  Zero, or NULL, is "not given" everywhere: a field that a report needs
 * and that was not given is an error of that report, which never makes one up.  Structs begin
 * with their size, as HFT_OPTS() of hft/hft.h makes them, and grow at their end.
 *
 * In the log an event has the fields of its struct by their names, decimals with their unit
 * (price_e8, quantity_e6), and INT64_MIN where none was given.
 */
#ifndef HFT_LOG_TRADE_H
#define HFT_LOG_TRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In the log: a decimal that was not given. */
#define HFT_TRADE_NOT_GIVEN	INT64_MIN

/**
 * struct hft_trade_decimal - a number that may be zero, or not given
 * @units: of 10^-8 or 10^-6
 * @given: there is one
 */
struct hft_trade_decimal {
	int64_t units;
	bool given;
};

/* A price by its 10^-8, a quantity by its 10^-6, or the limit and value of a control. */
static inline struct hft_trade_decimal hft_trade_units(int64_t units)
{
	struct hft_trade_decimal decimal;

	decimal.units = units;
	decimal.given = true;
	return decimal;
}

enum hft_trade_side {
	HFT_TRADE_SIDE_NONE,
	HFT_TRADE_BUY,
	HFT_TRADE_SELL,
	HFT_TRADE_SELL_SHORT,
	HFT_TRADE_SELL_SHORT_EXEMPT,
};

enum hft_trade_order_type {
	HFT_TRADE_ORDER_TYPE_NONE,
	HFT_TRADE_LIMIT,
	HFT_TRADE_MARKET,
};

/* What hft_trade_order.tif_value is: a date is a number like 20260317. */
enum hft_trade_tif {
	HFT_TRADE_TIF_NONE,
	HFT_TRADE_DAY,			/* the date of the trading day */
	HFT_TRADE_GTC,			/* until cancelled: 0 */
	HFT_TRADE_GTD,			/* the last date */
	HFT_TRADE_GTT,			/* until a time, ns since 1970, UTC */
	HFT_TRADE_GTX,			/* until the end of the extended day: its date */
	HFT_TRADE_IOC,			/* immediate or cancel: 0 */
};

enum hft_trade_capacity {
	HFT_TRADE_CAPACITY_NONE,
	HFT_TRADE_AGENCY,
	HFT_TRADE_PRINCIPAL,
	HFT_TRADE_RISKLESS_PRINCIPAL,
};

enum hft_trade_initiator {
	HFT_TRADE_INITIATOR_NONE,
	HFT_TRADE_CLIENT,
	HFT_TRADE_FIRM,
};

enum hft_trade_liquidity {
	HFT_TRADE_LIQUIDITY_NONE,
	HFT_TRADE_PASSIVE,
	HFT_TRADE_AGGRESSIVE,
};

/* hft_trade_order.flags, hft_trade_fill.flags, hft_trade_trade.flags: what is not set is not so */
#define HFT_TRADE_MANUAL			(1U << 0)	/* made by hand, at event_ns */
#define HFT_TRADE_ELECTRONIC_DUPLICATE	(1U << 1)	/* of an order made by hand */
#define HFT_TRADE_SOLICITED		(1U << 2)
#define HFT_TRADE_NOT_DISPLAYED		(1U << 3)	/* the customer said so */
#define HFT_TRADE_NEGOTIATED		(1U << 4)
#define HFT_TRADE_ISO			(1U << 5)	/* intermarket sweep order */
#define HFT_TRADE_MULTI_LEG		(1U << 6)
#define HFT_TRADE_DUPLICATE_ROUTE		(1U << 7)	/* its route's id was used before */
#define HFT_TRADE_LIQUIDITY_PROVISION	(1U << 8)	/* under a market making strategy */
#define HFT_TRADE_PASSIVE_ONLY		(1U << 9)
#define HFT_TRADE_BUSTED			(1U << 10)	/* the trade was cancelled */
#define HFT_TRADE_BY_VENUE		(1U << 11)	/* a control's: not the firm's own */

/**
 * enum hft_trade_order_event - what was done
 * @HFT_TRADE_ORDER_NEW: an order was received or made; "trade:order_new"
 * @HFT_TRADE_ORDER_MODIFIED: "trade:order_modified"
 * @HFT_TRADE_ORDER_CANCELLED: in whole or in part; "trade:order_cancelled"
 * @HFT_TRADE_ORDER_ROUTED: sent to a venue; "trade:order_routed"
 * @HFT_TRADE_ROUTE_MODIFIED: a route was replaced; "trade:route_modified"
 * @HFT_TRADE_ROUTE_CANCELLED: a venue was asked to cancel; "trade:route_cancelled"
 * @HFT_TRADE_ORDER_EVENTS: more than each of these
 */
enum hft_trade_order_event {
	HFT_TRADE_ORDER_NEW,
	HFT_TRADE_ORDER_MODIFIED,
	HFT_TRADE_ORDER_CANCELLED,
	HFT_TRADE_ORDER_ROUTED,
	HFT_TRADE_ROUTE_MODIFIED,
	HFT_TRADE_ROUTE_CANCELLED,
	HFT_TRADE_ORDER_EVENTS
};

/**
 * struct hft_trade_order - an order, or a route of it, after what was done
 * @sz: of the struct
 * @order: id of the order, of the firm
 * @prior: id that the order had before it was modified; NULL: the same
 * @symbol: of the instrument
 * @account: whose order it is, as the report's configuration names it
 * @algo: which algorithm decided, as the configuration names it
 * @route: id of the route
 * @prior_route: id that the route had before it was modified
 * @venue: where it was sent, as the configuration names it
 * @session: of the connection to @venue; NULL: as the configuration says
 * @handling: handling instructions, as CAT has them: names with or without =value, with a bar
 *	between them
 * @more: fields for a report that have no other place: name=value, with a semicolon between
 *	them
 * @side: &enum hft_trade_side
 * @type: &enum hft_trade_order_type
 * @tif: &enum hft_trade_tif
 * @capacity: &enum hft_trade_capacity
 * @initiator: &enum hft_trade_initiator of a modification or cancellation
 * @flags: HFT_TRADE_MANUAL, ...
 * @tif_value: see &enum hft_trade_tif
 * @price: limit, 10^-8
 * @stop: stop price, 10^-8
 * @quantity: of the order or route, 10^-6
 * @displayed: 10^-6
 * @least: minimum quantity, 10^-6
 * @leaves: open after this, 10^-6
 * @cancelled: 10^-6
 * @order_ns: when @order got its id; 0: as the log has it, which for a new order, or a new id,
 *	is @event_ns
 * @prior_ns: when @prior got its id; 0: as the log has it
 * @request_ns: when the customer asked for it; 0: no time is known
 * @event_ns: when it was done; 0: now
 */
struct hft_trade_order {
	size_t sz;
	const char *order;
	const char *prior;
	const char *symbol;
	const char *account;
	const char *algo;
	const char *route;
	const char *prior_route;
	const char *venue;
	const char *session;
	const char *handling;
	const char *more;
	enum hft_trade_side side;
	enum hft_trade_order_type type;
	enum hft_trade_tif tif;
	enum hft_trade_capacity capacity;
	enum hft_trade_initiator initiator;
	uint32_t flags;
	uint64_t tif_value;
	struct hft_trade_decimal price;
	struct hft_trade_decimal stop;
	struct hft_trade_decimal quantity;
	struct hft_trade_decimal displayed;
	struct hft_trade_decimal least;
	struct hft_trade_decimal leaves;
	struct hft_trade_decimal cancelled;
	uint64_t order_ns;
	uint64_t prior_ns;
	uint64_t request_ns;
	uint64_t event_ns;
};

/**
 * struct hft_trade_fill - a venue has executed an order: "trade:fill"
 * @sz: of the struct
 * @fill: id of the execution, of the firm
 * @order: id of the order
 * @route: id of the route
 * @symbol: of the instrument
 * @account: whose order it is, as the report's configuration names it
 * @algo: which algorithm decided
 * @venue: where, as the configuration names it
 * @venue_trade: id of the execution, of the venue
 * @more: as hft_trade_order.more
 * @side: &enum hft_trade_side
 * @capacity: &enum hft_trade_capacity
 * @liquidity: &enum hft_trade_liquidity
 * @flags: HFT_TRADE_MANUAL, ...
 * @price: 10^-8
 * @quantity: executed, 10^-6
 * @leaves: open after this, 10^-6
 * @event_ns: when; 0: now
 */
struct hft_trade_fill {
	size_t sz;
	const char *fill;
	const char *order;
	const char *route;
	const char *symbol;
	const char *account;
	const char *algo;
	const char *venue;
	const char *venue_trade;
	const char *more;
	enum hft_trade_side side;
	enum hft_trade_capacity capacity;
	enum hft_trade_liquidity liquidity;
	uint32_t flags;
	struct hft_trade_decimal price;
	struct hft_trade_decimal quantity;
	struct hft_trade_decimal leaves;
	uint64_t event_ns;
};

/**
 * struct hft_trade_trade - the firm itself has executed, outside a venue: "trade:trade"
 * @sz: of the struct
 * @trade: id, of the firm
 * @symbol: of the instrument
 * @buy_order: id of the order that bought; NULL: it was the account's own
 * @buy_account: who bought, without an order
 * @sell_order: id of the order that sold; NULL: it was the account's own
 * @sell_account: who sold, without an order
 * @market_center: to which it was reported
 * @tape: id of that report
 * @exception: why there is none, as CAT's reporting exception codes
 * @more: as hft_trade_order.more
 * @sell_side: &enum hft_trade_side of who sold
 * @capacity: &enum hft_trade_capacity
 * @flags: HFT_TRADE_MANUAL, %HFT_TRADE_BUSTED, ...
 * @price: 10^-8
 * @quantity: 10^-6
 * @trade_ns: when @trade got its id; 0: as @event_ns
 * @cancel_ns: when it was cancelled, with %HFT_TRADE_BUSTED
 * @event_ns: when it was executed; 0: now
 */
struct hft_trade_trade {
	size_t sz;
	const char *trade;
	const char *symbol;
	const char *buy_order;
	const char *buy_account;
	const char *sell_order;
	const char *sell_account;
	const char *market_center;
	const char *tape;
	const char *exception;
	const char *more;
	enum hft_trade_side sell_side;
	enum hft_trade_capacity capacity;
	uint32_t flags;
	struct hft_trade_decimal price;
	struct hft_trade_decimal quantity;
	uint64_t trade_ns;
	uint64_t cancel_ns;
	uint64_t event_ns;
};

/**
 * enum hft_trade_control_event - what a control did
 * @HFT_TRADE_REJECT: refused an order, or what was asked of it; "control:reject"
 * @HFT_TRADE_RISK: its verdict, when it let one pass; "control:risk"
 * @HFT_TRADE_THROTTLE: held back; "control:throttle"
 * @HFT_TRADE_HALT: stopped; "control:halt"
 * @HFT_TRADE_REARM: lets go on; "control:rearm"
 * @HFT_TRADE_CONTROL_EVENTS: more than each of these
 */
enum hft_trade_control_event {
	HFT_TRADE_REJECT,
	HFT_TRADE_RISK,
	HFT_TRADE_THROTTLE,
	HFT_TRADE_HALT,
	HFT_TRADE_REARM,
	HFT_TRADE_CONTROL_EVENTS
};

/**
 * enum hft_trade_refused - what a reject refuses
 * @HFT_TRADE_REFUSED_NONE: not given
 * @HFT_TRADE_REFUSED_ORDER: a new order
 * @HFT_TRADE_REFUSED_MODIFY: the modification of an order
 * @HFT_TRADE_REFUSED_CANCEL: the cancellation of an order
 * @HFT_TRADE_REFUSED_ROUTE: a route
 * @HFT_TRADE_REFUSED_ROUTE_MODIFY: the modification of a route
 * @HFT_TRADE_REFUSED_ROUTE_CANCEL: the cancellation of a route
 * @HFT_TRADE_REFUSED_TASK: a task of the schedule
 */
enum hft_trade_refused {
	HFT_TRADE_REFUSED_NONE,
	HFT_TRADE_REFUSED_ORDER,
	HFT_TRADE_REFUSED_MODIFY,
	HFT_TRADE_REFUSED_CANCEL,
	HFT_TRADE_REFUSED_ROUTE,
	HFT_TRADE_REFUSED_ROUTE_MODIFY,
	HFT_TRADE_REFUSED_ROUTE_CANCEL,
	HFT_TRADE_REFUSED_TASK,
};

/**
 * struct hft_trade_control - what a control did, and why
 * @sz: of the struct
 * @rule: name of the rule; "manual": a person decided, "program": the program did
 * @unit: of @limit and @value: "ns", "ppm", "10^-8 USD", "orders/s", ...
 * @who: who decided: a person, or what acts for one
 * @scope: what it holds for: an account, a desk, an algorithm, a ring, all
 * @reason: in words
 * @order: id of the order; NULL: of none
 * @route: id of the route; NULL: of none
 * @symbol: of the instrument; NULL: of none
 * @account: whose order it is
 * @refused: &enum hft_trade_refused, of a reject
 * @flags: %HFT_TRADE_BY_VENUE
 * @limit: of the rule
 * @value: what it was compared with
 * @event_ns: when; 0: now
 */
struct hft_trade_control {
	size_t sz;
	const char *rule;
	const char *unit;
	const char *who;
	const char *scope;
	const char *reason;
	const char *order;
	const char *route;
	const char *symbol;
	const char *account;
	enum hft_trade_refused refused;
	uint32_t flags;
	struct hft_trade_decimal limit;
	struct hft_trade_decimal value;
	uint64_t event_ns;
};

int hft_trade_log_order(enum hft_trade_order_event event, const struct hft_trade_order *order);
int hft_trade_log_fill(const struct hft_trade_fill *fill);
int hft_trade_log_trade(const struct hft_trade_trade *trade);
int hft_trade_log_control(enum hft_trade_control_event event,
			  const struct hft_trade_control *control);

#ifdef __cplusplus
}
#endif

#endif /* HFT_LOG_TRADE_H */
