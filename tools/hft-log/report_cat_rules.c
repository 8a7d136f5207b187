// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log report cat: what the values of a record have to do with each other. */
#include <stdlib.h>
#include <string.h>

#include "report_cat.h"

/* "": the record has none, or no such field. */
const char *cat_value(const struct cat_record *record, const char *name)
{
	unsigned int i;

	for (i = 0; i < record->event->nr_slots; i++) {
		if (!strcmp(record->event->slots[i].field->name, name))
			return record->values[i];
	}
	return "";
}

static bool has_field(const struct cat_record *record, const char *name)
{
	unsigned int i;

	for (i = 0; i < record->event->nr_slots; i++) {
		if (!strcmp(record->event->slots[i].field->name, name))
			return true;
	}
	return false;
}

static bool given(const struct cat_record *record, const char *name)
{
	return *cat_value(record, name);
}

static bool is(const struct cat_record *record, const char *name, const char *text)
{
	return !strcmp(cat_value(record, name), text);
}

static void wrong(struct cat_record *record, const char *field, const char *reason)
{
	report_problem(record->report, record->view, field, "%s", reason);
}

static void need(struct cat_record *record, const char *field, const char *reason)
{
	if (has_field(record, field) && !given(record, field))
		wrong(record, field, reason);
}

static void never(struct cat_record *record, const char *field, const char *reason)
{
	if (given(record, field))
		wrong(record, field, reason);
}

static void differ(struct cat_record *record, const char *field, const char *other,
		   const char *reason)
{
	if (given(record, field) && is(record, other, cat_value(record, field)))
		wrong(record, field, reason);
}

/* Exact: both are decimals without sign that were checked. */
static int compare_decimals(const char *a, const char *b)
{
	size_t na, nb;
	int less;

	a += strspn(a, "0");
	b += strspn(b, "0");
	na = strcspn(a, ".");
	nb = strcspn(b, ".");
	if (na != nb)
		return na < nb ? -1 : 1;
	less = strncmp(a, b, na);
	if (less)
		return less;
	a += na + (a[na] == '.');
	b += nb + (b[nb] == '.');
	for (; *a || *b; a += !!*a, b += !!*b) {
		less = (*a ? *a : '0') - (*b ? *b : '0');
		if (less)
			return less;
	}
	return 0;
}

static void order_rules(struct cat_record *r)
{
	if (is(r, "orderType", "LMT") && !given(r, "netPrice"))
		need(r, "price", "is missing: the order has a limit");
	if (given(r, "netPrice"))
		never(r, "price", "is not for an order with netPrice");
	if (given(r, "leavesQty") && given(r, "quantity") &&
	    compare_decimals(cat_value(r, "leavesQty"), cat_value(r, "quantity")) > 0)
		wrong(r, "leavesQty", "is more than quantity");
	if (given(r, "priorOrderID"))
		need(r, "priorOrderKeyDate", "is missing: the log has no such prior order");
	if (is(r, "orderKeyDate", cat_value(r, "priorOrderKeyDate")))
		differ(r, "priorOrderID", "orderID", "is that of the order itself");
	if (given(r, "manualOrderID"))
		need(r, "manualOrderKeyDate", "is missing: manualOrderID is there");
	if (is(r, "electronicDupFlag", "true") && is(r, "manualFlag", "true"))
		wrong(r, "electronicDupFlag", "is not for what was done by hand");
	if (is(r, "representativeInd", "N"))
		never(r, "aggregatedOrders", "is not for an order that represents none");
	if (!given(r, "atsDisplayInd"))
		never(r, "workingPrice", "is not for an order without atsDisplayInd");
	if (is(r, "BFMMFlag", "true") && !is(r, "side", "SS") && !is(r, "side", "SX"))
		wrong(r, "BFMMFlag", "is for short sales");
}

static void destination_rules(struct cat_record *r)
{
	const char *destination = cat_value(r, "destination"), *reason = NULL;
	const struct cat_field *member = cat_field_find("counterparty");

	if (!is(r, "destinationType", "N")) {
		need(r, "destination", "is missing");
		need(r, "senderIMID", "is missing");
		if (is(r, "manualFlag", "false"))
			need(r, "routedOrderID", "is missing");
	}
	if (is(r, "destinationType", "E") || is(r, "destinationType", "D"))
		need(r, "session", "is missing: the destination is an exchange, or displays");
	if (*destination && (is(r, "destinationType", "F") || is(r, "destinationType", "O")))
		reason = cat_check(member, destination);
	else if (*destination && is(r, "destinationType", "E"))
		reason = check_alnum(destination, 1, 7);
	if (reason)
		wrong(r, "destination", reason);
	differ(r, "senderIMID", "destination", "is the destination itself");
	differ(r, "routedOrderID", "priorRoutedOrderID", "is that of the prior route");
	if (!strcmp(r->event->type, "MEMR"))
		need(r, "priorRoutedOrderID", "is missing");
}

/* The part of the only group. */
static bool has_part(const char *group, unsigned int number)
{
	while (number--) {
		group = strchr(group, '@');
		if (!group)
			return false;
		group++;
	}
	return *group && *group != '@';
}

static void details_rules(struct cat_record *r, const char *field)
{
	const char *group = cat_value(r, field);

	if (!*group)
		return;
	if (strchr(group, '|'))
		wrong(r, field, "has more than one group");
	if (has_part(group, 1) == has_part(group, 4))
		wrong(r, field, "needs either orderID or firmDesignatedID");
	if (has_part(group, 1) && !has_part(group, 0))
		wrong(r, field, "lacks orderKeyDate");
	if (has_part(group, 4) && !is(r, "capacity", "P"))
		wrong(r, field, "has firmDesignatedID: capacity is not P");
}

static void trade_rules(struct cat_record *r)
{
	bool tape = given(r, "tapeTradeID"), exception = given(r, "reportingExceptionCode");

	if (tape == exception)
		wrong(r, "tapeTradeID", tape ? "is not for a trade with reportingExceptionCode" :
		      "is missing, and so is reportingExceptionCode");
	if (tape || is(r, "reportingExceptionCode", "C"))
		need(r, "marketCenterID", "is missing");
	else
		never(r, "marketCenterID", "is not for this reportingExceptionCode");
	if (is(r, "reportingExceptionCode", "C")) {
		need(r, "clearingFirm", "is missing: reportingExceptionCode is C");
		need(r, "counterparty", "is missing: reportingExceptionCode is C");
	}
	if (is(r, "cancelFlag", "true"))
		need(r, "cancelTimestamp", "is missing: the trade was cancelled");
	else
		never(r, "cancelTimestamp", "is not for a trade that was not cancelled");
	details_rules(r, "buyDetails");
	details_rules(r, "sellDetails");
}

static void quote_rules(struct cat_record *r)
{
	if (!given(r, "nbboSource"))
		return;
	if (is(r, "nbboSource", "NA")) {
		never(r, "nbboTimestamp", "is not for nbboSource NA");
		return;
	}
	need(r, "nbboTimestamp", "is missing: nbboSource is there");
	need(r, "nbbPrice", "is missing: nbboSource is there");
	need(r, "nboPrice", "is missing: nbboSource is there");
}

void cat_rules(struct cat_record *record)
{
	if (has_field(record, "orderID"))
		order_rules(record);
	if (has_field(record, "destination"))
		destination_rules(record);
	if (has_field(record, "tradeID"))
		trade_rules(record);
	quote_rules(record);
	if (event_time(record->view) > record->report->now)
		wrong(record, "eventTimestamp", "is in the future");
}
