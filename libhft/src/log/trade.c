// SPDX-License-Identifier: LGPL-2.1-or-later
/* Trading decisions, as typed events of the audit ring. */
#include <errno.h>
#include <string.h>

#include <hft/log.h>
#include <hft/log_trade.h>

#include "../api.h"
#include "../options.h"

#define ORDER_FIELDS								\
	(string, order), (string, prior), (symbol, symbol), (string, account),	\
	(string, algo), (string, route), (string, prior_route), (string, venue),	\
	(string, session), (string, handling), (string, more), (u64, side),	\
	(u64, type), (u64, tif), (u64, tif_value), (u64, capacity), (u64, initiator),	\
	(u64, flags), (i64, price_e8), (i64, stop_e8), (i64, quantity_e6),	\
	(i64, displayed_e6), (i64, least_e6), (i64, leaves_e6), (i64, cancelled_e6),	\
	(u64, order_ns), (u64, prior_ns), (u64, request_ns), (u64, event_ns)

#define ORDER_ARGUMENTS(o)							\
	text((o)->order), text((o)->prior), text((o)->symbol), text((o)->account),	\
	text((o)->algo), text((o)->route), text((o)->prior_route), text((o)->venue),	\
	text((o)->session), text((o)->handling), text((o)->more), (o)->side,	\
	(o)->type, (o)->tif, (o)->tif_value, (o)->capacity, (o)->initiator,	\
	(o)->flags, units((o)->price), units((o)->stop), units((o)->quantity),	\
	units((o)->displayed), units((o)->least), units((o)->leaves),		\
	units((o)->cancelled), (o)->order_ns, (o)->prior_ns, (o)->request_ns,	\
	(o)->event_ns

#define CONTROL_FIELDS								\
	(string, rule), (string, unit), (string, who), (string, scope), (string, reason),	\
	(string, order), (string, route), (symbol, symbol), (string, account),	\
	(u64, refused), (u64, flags), (i64, limit), (i64, value), (u64, event_ns)

#define CONTROL_ARGUMENTS(c)							\
	text((c)->rule), text((c)->unit), text((c)->who), text((c)->scope),	\
	text((c)->reason), text((c)->order), text((c)->route), text((c)->symbol),	\
	text((c)->account), (c)->refused, (c)->flags, units((c)->limit),	\
	units((c)->value), (c)->event_ns

#define TRADE_EVENT(name, ...)							\
	HFT_LOG_EVENT(log_##name, "trade", #name, HFT_LOG_NOTICE, HFT_LOG_AUDIT, __VA_ARGS__)
#define CONTROL_EVENT(name)							\
	HFT_LOG_EVENT(log_##name, "control", #name, HFT_LOG_NOTICE, HFT_LOG_AUDIT,	\
		      CONTROL_FIELDS)

TRADE_EVENT(order_new, ORDER_FIELDS)
TRADE_EVENT(order_modified, ORDER_FIELDS)
TRADE_EVENT(order_cancelled, ORDER_FIELDS)
TRADE_EVENT(order_routed, ORDER_FIELDS)
TRADE_EVENT(route_modified, ORDER_FIELDS)
TRADE_EVENT(route_cancelled, ORDER_FIELDS)
TRADE_EVENT(fill, (string, fill), (string, order), (string, route), (symbol, symbol),
	    (string, account), (string, algo), (string, venue), (string, venue_trade),
	    (string, more), (u64, side), (u64, capacity), (u64, liquidity), (u64, flags),
	    (i64, price_e8), (i64, quantity_e6), (i64, leaves_e6), (u64, event_ns))
TRADE_EVENT(trade, (string, trade), (symbol, symbol), (string, buy_order),
	    (string, buy_account), (string, sell_order), (string, sell_account),
	    (string, market_center), (string, tape), (string, exception), (string, more),
	    (u64, sell_side), (u64, capacity), (u64, flags), (i64, price_e8),
	    (i64, quantity_e6), (u64, trade_ns), (u64, cancel_ns), (u64, event_ns))
CONTROL_EVENT(reject)
CONTROL_EVENT(risk)
CONTROL_EVENT(throttle)
CONTROL_EVENT(halt)
CONTROL_EVENT(rearm)

static const char *text(const char *string)
{
	return string ? string : "";
}

static int64_t units(struct hft_trade_decimal decimal)
{
	return decimal.given ? decimal.units : HFT_TRADE_NOT_GIVEN;
}

/* All events of a kind have the same fields. */
static __typeof__(log_order_new) *const log_orders[HFT_TRADE_ORDER_EVENTS] = {
	[HFT_TRADE_ORDER_NEW] = log_order_new,
	[HFT_TRADE_ORDER_MODIFIED] = log_order_modified,
	[HFT_TRADE_ORDER_CANCELLED] = log_order_cancelled,
	[HFT_TRADE_ORDER_ROUTED] = log_order_routed,
	[HFT_TRADE_ROUTE_MODIFIED] = log_route_modified,
	[HFT_TRADE_ROUTE_CANCELLED] = log_route_cancelled,
};

static __typeof__(log_reject) *const log_controls[HFT_TRADE_CONTROL_EVENTS] = {
	[HFT_TRADE_REJECT] = log_reject,
	[HFT_TRADE_RISK] = log_risk,
	[HFT_TRADE_THROTTLE] = log_throttle,
	[HFT_TRADE_HALT] = log_halt,
	[HFT_TRADE_REARM] = log_rearm,
};

/*
 * What this library knows of @user: that itself, or, of a caller who was built with another
 * size of it, @known.  NULL: -errno is in @err.
 */
static const void *take(const void *user, void *known, size_t size, int *err)
{
	size_t user_size;

	if (!user) {
		*err = hft_fail(EINVAL, "there is nothing to log");
		return NULL;
	}
	memcpy(&user_size, user, sizeof(user_size));
	if (user_size == size)
		return user;
	*err = hft_read_opts(known, size, user);
	return *err ? NULL : known;
}

/**
 * hft_trade_log_order() - log what was done about an order or a route of it
 * @event: what was done
 * @order: after it
 *
 * Allocates nothing and enters the kernel only where hft_log_audit() does: it waits for room
 * in the thread's audit ring.  What it has answered 0 for is not lost.  Any thread.
 *
 * Return: 0; -EINVAL: there is no such event, or the struct does not begin with its size;
 * -E2BIG: it has what this library does not know; or as hft_log_audit(), -ENOTCONN: no log is
 * open.
 */
HFT_API int hft_trade_log_order(enum hft_trade_order_event event,
				const struct hft_trade_order *order)
{
	struct hft_trade_order known;
	int err;

	if ((unsigned int)event >= HFT_TRADE_ORDER_EVENTS)
		return hft_fail(EINVAL, "there is no event %u of orders", (unsigned int)event);
	order = take(order, &known, sizeof(known), &err);
	return order ? log_orders[event](ORDER_ARGUMENTS(order)) : err;
}

/**
 * hft_trade_log_fill() - log that a venue has executed an order
 * @fill: what it has executed
 *
 * As hft_trade_log_order().
 *
 * Return: as hft_trade_log_order().
 */
HFT_API int hft_trade_log_fill(const struct hft_trade_fill *fill)
{
	struct hft_trade_fill known;
	int err;

	fill = take(fill, &known, sizeof(known), &err);
	if (!fill)
		return err;
	return log_fill(text(fill->fill), text(fill->order), text(fill->route), text(fill->symbol),
			text(fill->account), text(fill->algo), text(fill->venue),
			text(fill->venue_trade), text(fill->more), fill->side, fill->capacity,
			fill->liquidity, fill->flags, units(fill->price), units(fill->quantity),
			units(fill->leaves), fill->event_ns);
}

/**
 * hft_trade_log_trade() - log that the firm itself has executed, outside a venue
 * @trade: what it has executed
 *
 * As hft_trade_log_order().
 *
 * Return: as hft_trade_log_order().
 */
HFT_API int hft_trade_log_trade(const struct hft_trade_trade *trade)
{
	struct hft_trade_trade known;
	int err;

	trade = take(trade, &known, sizeof(known), &err);
	if (!trade)
		return err;
	return log_trade(text(trade->trade), text(trade->symbol), text(trade->buy_order),
			 text(trade->buy_account), text(trade->sell_order),
			 text(trade->sell_account), text(trade->market_center), text(trade->tape),
			 text(trade->exception), text(trade->more), trade->sell_side,
			 trade->capacity, trade->flags, units(trade->price), units(trade->quantity),
			 trade->trade_ns, trade->cancel_ns, trade->event_ns);
}

/**
 * hft_trade_log_control() - log what a control did
 * @event: what it did
 * @control: why, and for whom
 *
 * The library does so itself for hft_halt(), hft_resume(), the rules of hft/rule.h and tasks
 * that were refused, where a log is open.  As hft_trade_log_order().
 *
 * Return: as hft_trade_log_order().
 */
HFT_API int hft_trade_log_control(enum hft_trade_control_event event,
				  const struct hft_trade_control *control)
{
	struct hft_trade_control known;
	int err;

	if ((unsigned int)event >= HFT_TRADE_CONTROL_EVENTS)
		return hft_fail(EINVAL, "there is no event %u of controls", (unsigned int)event);
	control = take(control, &known, sizeof(known), &err);
	return control ? log_controls[event](CONTROL_ARGUMENTS(control)) : err;
}
