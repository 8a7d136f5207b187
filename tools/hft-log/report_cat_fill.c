// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hft-log report cat: a field's value, from the event, the configuration, or other events of
 * the log.  What is not there is left empty: report_cat.c tells whether it may be.
 */
#include <inttypes.h>
#include <string.h>

#include "report_cat.h"

static void add(struct text *to, const char *text)
{
	if (text)
		text_add(to, "%s", text);
}

static void add_time(struct cat_record *record, const struct cat_field *field, uint64_t ns,
		     struct text *to)
{
	char time[48];

	if (!eastern(ns, time, sizeof(time)))
		report_problem(record->report, record->view, field->name,
			       "is of a time before the present rule of Eastern Time");
	text_add(to, "%s", time);
}

static bool has_flag(const struct cat_record *record, uint64_t flag)
{
	return event_number(record->view, "flags") & flag;
}

CAT_FILL(cat_constant)
{
	(void)record;
	add(to, field->key);
}

CAT_FILL(cat_type_name)
{
	(void)field;
	add(to, record->event->type);
}

/*
 * The date of the event, and what no other event has: the log, the ring and the number in
 * that.  So an event has the same id each time that it is reported.
 */
CAT_FILL(cat_roeid)
{
	const struct hft_log_view *e = record->view;

	(void)field;
	text_add(to, "%08" PRIu32 "_%s.%" PRIu64 ".%" PRIu32, eastern_date(event_time(e)),
		 e->stream->log->uuid, e->stream->id, e->sequence);
}

CAT_FILL(cat_firm)
{
	add(to, firm_text(record->report, NULL, NULL, field->key));
}

static const char *of_account(const struct cat_record *record, const char *key)
{
	const char *account = event_text(record->view, "account");

	return account ? firm_text(record->report, "accounts", account, key) : NULL;
}

/* Of the account, or else of the firm. */
CAT_FILL(cat_account)
{
	const char *text = of_account(record, field->key);

	add(to, text ? text : firm_text(record->report, NULL, NULL, field->key));
}

static const char *of_venue(const struct cat_record *record, const char *key)
{
	const char *venue = event_text(record->view, "venue");

	return venue ? firm_text(record->report, "venues", venue, key) : NULL;
}

CAT_FILL(cat_venue)
{
	add(to, of_venue(record, field->key));
}

CAT_FILL(cat_session)
{
	const char *text = event_text(record->view, "session");

	add(to, text ? text : of_venue(record, field->key));
}

/* To the account's holder, of a new order; else to where it was routed. */
CAT_FILL(cat_affiliate)
{
	bool is_new = event_is(record->view, "trade", "order_new");

	add(to, is_new ? of_account(record, field->key) : of_venue(record, field->key));
}

CAT_FILL(cat_symbol)
{
	const char *symbol = event_text(record->view, "symbol"), *listed;

	(void)field;
	listed = symbol ? firm_text(record->report, "instruments", symbol, "symbol") : NULL;
	add(to, listed ? listed : symbol);
}

CAT_FILL(cat_string)
{
	add(to, event_text(record->view, field->key));
}

CAT_FILL(cat_decimal)
{
	char text[32];

	if (event_decimal(record->view, field->key, (unsigned int)field->number, text,
			  sizeof(text)))
		add(to, text);
}

/* Of an order only where it has a limit; of a trade always. */
CAT_FILL(cat_limit)
{
	char text[32];

	if (!event_is(record->view, "trade", "trade") &&
	    event_number(record->view, "type") != HFT_TRADE_LIMIT)
		return;
	if (event_decimal(record->view, field->key, 8, text, sizeof(text)))
		add(to, text);
}

CAT_FILL(cat_flag)
{
	add(to, has_flag(record, field->number) ? "true" : "false");
}

CAT_FILL(cat_name)
{
	static const struct {
		const char *key, *words[5];
	} names[] = {
		{ "side", { "", "B", "SL", "SS", "SX" } },
		{ "type", { "", "LMT", "MKT" } },
		{ "capacity", { "", "A", "P", "R" } },
		{ "initiator", { "", "C", "F" } },
	};
	uint64_t number = event_number(record->view, field->key);
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i].key, field->key))
			continue;
		if (number < 5 && names[i].words[number])
			add(to, names[i].words[number]);
		else
			report_problem(record->report, record->view, field->key,
				       "is %" PRIu64 ", which has no meaning", number);
	}
}

/* By hand it is as exact as it was written down: to the second, if there is no more. */
CAT_FILL(cat_event_time)
{
	uint64_t ns = event_time(record->view);
	char *second = to->at;

	add_time(record, field, ns, to);
	if (!has_flag(record, HFT_TRADE_MANUAL))
		return;
	if (!event_number(record->view, "event_ns"))
		report_problem(record->report, record->view, "event_ns",
			       "is missing: of what was done by hand it is not the log's time");
	if (ns % 1000000000 == 0 && strlen(second) > 15) {
		to->at = second + 15;
		*to->at = '\0';
	}
}

/* When what was done by hand came into the system. */
CAT_FILL(cat_entered)
{
	if (has_flag(record, HFT_TRADE_MANUAL))
		add_time(record, field, record->view->time, to);
}

CAT_FILL(cat_stamp)
{
	uint64_t ns = event_number(record->view, field->key);

	if (ns)
		add_time(record, field, ns, to);
}

/* False: nothing says when the order got its id. */
static bool key_of(const struct cat_record *record, const char *order, uint64_t *ns)
{
	const char *symbol = event_text(record->view, "symbol");

	return symbol && order && index_order(record->report->index, symbol, order, ns);
}

CAT_FILL(cat_order_key)
{
	uint64_t ns = event_number(record->view, "order_ns");

	if (ns || key_of(record, event_text(record->view, "order"), &ns))
		add_time(record, field, ns, to);
}

CAT_FILL(cat_prior_key)
{
	const char *prior = event_text(record->view, "prior");
	uint64_t ns = event_number(record->view, "prior_ns");

	if (prior && (ns || key_of(record, prior, &ns)))
		add_time(record, field, ns, to);
}

CAT_FILL(cat_trade_key)
{
	uint64_t ns = event_number(record->view, "trade_ns");

	add_time(record, field, ns ? ns : event_time(record->view), to);
}

CAT_FILL(cat_tif)
{
	static const char *const names[] = {
		[HFT_TRADE_DAY] = "DAY", [HFT_TRADE_GTC] = "GTC", [HFT_TRADE_GTD] = "GTD",
		[HFT_TRADE_GTT] = "GTT", [HFT_TRADE_GTX] = "GTX", [HFT_TRADE_IOC] = "IOC",
	};
	uint64_t tif = event_number(record->view, "tif");
	uint64_t value = event_number(record->view, "tif_value");

	if (!tif)
		return;
	if (tif >= sizeof(names) / sizeof(names[0])) {
		report_problem(record->report, record->view, "tif", "is %" PRIu64
			       ", which has no meaning", tif);
		return;
	}
	text_add(to, "%s", names[tif]);
	if (tif == HFT_TRADE_GTC || tif == HFT_TRADE_IOC)
		return;
	text_add(to, "=");
	if (!value)
		report_problem(record->report, record->view, "tif_value", "is missing");
	else if (tif == HFT_TRADE_GTT)
		add_time(record, field, value, to);
	else
		text_add(to, "%08" PRIu64, value);
}

/* Those of the event, and the price of a stop order. */
CAT_FILL(cat_handling)
{
	const char *text = event_text(record->view, "handling");
	char stop[32];

	(void)field;
	add(to, text);
	if (event_decimal(record->view, "stop_e8", 8, stop, sizeof(stop)))
		text_add(to, "%sSTOP=%s", text ? "|" : "", stop);
}

CAT_FILL(cat_iso)
{
	bool ioc = event_number(record->view, "tif") == HFT_TRADE_IOC;

	(void)field;
	add(to, !has_flag(record, HFT_TRADE_ISO) ? "NA" : ioc ? "ISOI" : "ISOD");
}

CAT_FILL(cat_rejected)
{
	(void)field;
	add(to, index_rejected(record->report->index, record->view) ? "true" : "false");
}

static bool has_side(const struct cat_record *record, const char *side)
{
	char name[32];

	snprintf(name, sizeof(name), "%s_order", side);
	if (event_text(record->view, name))
		return true;
	snprintf(name, sizeof(name), "%s_account", side);
	return event_text(record->view, name);
}

CAT_FILL(cat_sides)
{
	bool buy = has_side(record, "buy"), sell = has_side(record, "sell");

	(void)field;
	if (buy || sell)
		add(to, buy && sell ? "NA" : buy ? "BUY" : "SELL");
}

/* An order by its key and id; what has none by its account, which traded for the firm. */
static void add_parts(struct cat_record *record, const struct cat_field *field,
		      const char *order, const char *account, const char *side, struct text *to)
{
	const char *id, *holder;
	uint64_t ns;

	if (order) {
		if (key_of(record, order, &ns))
			add_time(record, field, ns, to);
		else
			report_problem(record->report, record->view, field->name,
				       "lacks orderKeyDate: the log has no order %s", order);
		text_add(to, "@%s@%s@@@@@", order, side);
		return;
	}
	id = firm_text(record->report, "accounts", account, "firmDesignatedID");
	holder = firm_text(record->report, "accounts", account, "accountHolderType");
	if (!id || !holder)
		report_problem(record->report, record->view, field->name,
			       "lacks %s: the configuration has none of account %s",
			       id ? "accountHolderType" : "firmDesignatedID", account);
	text_add(to, "@@%s@@%s@%s@@", side, id ? id : "", holder ? holder : "");
}

CAT_FILL(cat_details)
{
	static const char *const sells[] = { "", "", "SL", "SS", "SX" };
	bool buys = !strcmp(field->key, "buy");
	const char *order = event_text(record->view, buys ? "buy_order" : "sell_order");
	const char *account = event_text(record->view, buys ? "buy_account" : "sell_account");
	uint64_t side = event_number(record->view, "sell_side");

	if (!order && !account)
		return;
	if (order && strpbrk(order, "@|"))
		report_problem(record->report, record->view, field->name,
			       "has an order's id with a bar or an at sign");
	if (!buys && (side < HFT_TRADE_SELL || side > HFT_TRADE_SELL_SHORT_EXEMPT)) {
		report_problem(record->report, record->view, "sell_side", "is missing");
		return;
	}
	add_parts(record, field, order, account, buys ? "B" : sells[side], to);
}
