// SPDX-License-Identifier: LGPL-2.1-or-later
/* Trading decisions, as typed events of the audit ring. */
#include <errno.h>

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

/**
 * hft_trade_log_order() - log what was done about an order or a route of it
 * @event: what was done
 * @order: after it
 *
 * Allocates nothing and enters the kernel only where hft_log_audit() does: it waits for room
 * in the thread's audit ring.  What it has answered 0 for is not lost.  Any thread.
 *
 * Return: 0; -EINVAL there is no such event; or as hft_log_audit(), -ENOTCONN: no log is open.
 */
HFT_API int hft_trade_log_order(enum hft_trade_order_event event,
				const struct hft_trade_order *order)
{
	switch (event) {
	case HFT_TRADE_ORDER_NEW:
		return log_order_new(ORDER_ARGUMENTS(order));
	case HFT_TRADE_ORDER_MODIFIED:
		return log_order_modified(ORDER_ARGUMENTS(order));
	case HFT_TRADE_ORDER_CANCELLED:
		return log_order_cancelled(ORDER_ARGUMENTS(order));
	case HFT_TRADE_ORDER_ROUTED:
		return log_order_routed(ORDER_ARGUMENTS(order));
	case HFT_TRADE_ROUTE_MODIFIED:
		return log_route_modified(ORDER_ARGUMENTS(order));
	case HFT_TRADE_ROUTE_CANCELLED:
		return log_route_cancelled(ORDER_ARGUMENTS(order));
	default:
		return hft_fail(EINVAL, "there is no event %u of orders", (unsigned int)event);
	}
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
	switch (event) {
	case HFT_TRADE_REJECT:
		return log_reject(CONTROL_ARGUMENTS(control));
	case HFT_TRADE_RISK:
		return log_risk(CONTROL_ARGUMENTS(control));
	case HFT_TRADE_THROTTLE:
		return log_throttle(CONTROL_ARGUMENTS(control));
	case HFT_TRADE_HALT:
		return log_halt(CONTROL_ARGUMENTS(control));
	case HFT_TRADE_REARM:
		return log_rearm(CONTROL_ARGUMENTS(control));
	default:
		return hft_fail(EINVAL, "there is no event %u of controls", (unsigned int)event);
	}
}
