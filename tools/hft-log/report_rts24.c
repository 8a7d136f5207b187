// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hft-log report rts24: what a firm knows of the fields of order records under Regulation (EU)
 * 2017/580 (RTS 24), table 2 of the annex, and 2017/589 (RTS 6), annex II.  A venue's own
 * fields, among them its priority, sequence, status and auction, are not made here.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <common/tool.h>
#include "report.h"

#define COLUMNS_MOST	48u

/* What a record is of. */
enum {
	IS_ORDER = 1 << 0,
	IS_ROUTE = 1 << 1,
	IS_FILL = 1 << 2,
	IS_REJECT = 1 << 3,
	IS_CHANGE = 1 << 4,		/* modified or cancelled */
	IS_CANCEL = 1 << 5,
	IS_ALIVE = 1 << 6,		/* order or route, not cancelled: has its terms */
};

static const struct kind {
	const char *name, *record, *code;
	unsigned int is;
} kinds[] = {
	{ "order_new", "order", "NEWO", IS_ORDER | IS_ALIVE },
	{ "order_modified", "order", "REME", IS_ORDER | IS_CHANGE | IS_ALIVE },
	{ "order_cancelled", "order", "CAME", IS_ORDER | IS_CHANGE | IS_CANCEL },
	{ "order_routed", "route", "NEWO", IS_ROUTE | IS_ALIVE },
	{ "route_modified", "route", "REME", IS_ROUTE | IS_CHANGE | IS_ALIVE },
	{ "route_cancelled", "route", "CAME", IS_ROUTE | IS_CHANGE | IS_CANCEL },
	{ "fill", "fill", NULL, IS_FILL },
	{ "reject", "reject", "REMO", IS_REJECT },
};

struct line {
	struct report *report;
	const struct hft_log_view *view;
	const struct kind *kind;
	char cells[COLUMNS_MOST][REPORT_VALUE];
	bool told[COLUMNS_MOST];	/* what is wrong with it */
};

struct column;

typedef void (*fill_fn)(struct line *line, const struct column *column, struct text *to);

/**
 * struct column - a field
 * @number: in table 2 of RTS 24; 0: ours
 * @name: in the file
 * @needed: by records that are one of these
 * @number_like: JSON has it without quotation marks
 * @check: why it is none, or NULL
 * @fill: writes it; "": there is none
 * @group: for @fill
 * @key: for @fill
 */
struct column {
	unsigned int number;
	const char *name;
	unsigned int needed;
	bool number_like;
	const char *(*check)(const char *text);
	fill_fn fill;
	const char *group;
	const char *key;
};

static void add(struct text *to, const char *text)
{
	if (text)
		text_add(to, "%s", text);
}

#define FILL(name) \
	static void name(struct line *line, const struct column *column, struct text *to)

FILL(fill_record)
{
	(void)column;
	add(to, line->kind->record);
}

FILL(fill_string)
{
	add(to, event_text(line->view, column->key));
}

FILL(fill_firm)
{
	add(to, firm_text(line->report, NULL, NULL, column->key));
}

/* Of the account, algorithm, venue or instrument of the event. */
FILL(fill_config)
{
	static const char *const fields[][2] = {
		{ "accounts", "account" }, { "algos", "algo" }, { "venues", "venue" },
		{ "instruments", "symbol" },
	};
	const char *item = NULL;
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!strcmp(fields[i][0], column->group))
			item = event_text(line->view, fields[i][1]);
	}
	if (item)
		add(to, firm_text(line->report, column->group, item, column->key));
}

FILL(fill_word)
{
	static const struct {
		const char *key, *words[5];
	} names[] = {
		{ "side", { "", "BUYI", "SELL", "SELL", "SELL" } },
		{ "capacity", { "", "AOTC", "DEAL", "MTCH" } },
		{ "liquidity", { "", "PASV", "AGRE" } },
		{ "type", { "", "limit", "market" } },
	};
	uint64_t number = event_number(line->view, column->key);
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i].key, column->key))
			continue;
		if (number < 5 && names[i].words[number])
			add(to, names[i].words[number]);
		else
			report_problem(line->report, line->view, column->key,
				       "is %" PRIu64 ", which has no meaning", number);
	}
}

static bool has_flag(const struct line *line, uint64_t flag)
{
	return event_number(line->view, "flags") & flag;
}

FILL(fill_provision)
{
	(void)column;
	if (!(line->kind->is & IS_REJECT))
		add(to, has_flag(line, HFT_TRADE_LIQUIDITY_PROVISION) ? "true" : "false");
}

FILL(fill_passive_only)
{
	(void)column;
	if (line->kind->is & IS_ALIVE)
		add(to, has_flag(line, HFT_TRADE_PASSIVE_ONLY) ? "true" : "false");
}

/* YYYY-MM-DDThh:mm:ss.ddddddZ: of a ns the part of a us is left out */
static void add_time(uint64_t ns, struct text *to)
{
	char time[40];

	utc(ns, time, sizeof(time));
	text_add(to, "%.26sZ", time);
}

FILL(fill_time)
{
	(void)column;
	add_time(event_time(line->view), to);
}

FILL(fill_validity)
{
	static const char *const names[] = {
		[HFT_TRADE_DAY] = "DAVY", [HFT_TRADE_GTC] = "GTCV", [HFT_TRADE_GTD] = "GTDV",
		[HFT_TRADE_GTT] = "GTTV", [HFT_TRADE_GTX] = NULL, [HFT_TRADE_IOC] = "IOCV",
	};
	uint64_t tif = event_number(line->view, "tif");

	if (!tif)
		return;
	if (tif < sizeof(names) / sizeof(names[0]) && names[tif])
		add(to, names[tif]);
	else
		report_problem(line->report, line->view, column->name,
			       "has no name for tif %" PRIu64, tif);
}

FILL(fill_until)
{
	uint64_t tif = event_number(line->view, "tif");
	uint64_t value = event_number(line->view, "tif_value");

	if (tif != HFT_TRADE_GTD && tif != HFT_TRADE_GTT)
		return;
	if (!value)
		report_problem(line->report, line->view, column->name,
			       "is missing: tif_value is 0");
	else if (tif == HFT_TRADE_GTT)
		add_time(value, to);
	else
		text_add(to, "%04" PRIu64 "-%02" PRIu64 "-%02" PRIu64, value / 10000,
			 value / 100 % 100, value % 100);
}

/* What is left after a fill tells whether it was the last. */
FILL(fill_code)
{
	char leaves[32];

	(void)column;
	if (line->kind->code)
		add(to, line->kind->code);
	else if (event_decimal(line->view, "leaves_e6", 6, leaves, sizeof(leaves)))
		add(to, strcmp(leaves, "0") ? "PARF" : "FILL");
}

FILL(fill_price)
{
	char text[32];

	if (event_decimal(line->view, column->key, 8, text, sizeof(text)))
		add(to, text);
}

FILL(fill_limit)
{
	if (event_number(line->view, "type") == HFT_TRADE_LIMIT)
		fill_price(line, column, to);
}

FILL(fill_quantity)
{
	char text[32];

	if (event_decimal(line->view, column->key, 6, text, sizeof(text)))
		add(to, text);
}

FILL(fill_initial)
{
	if (line->kind->is & IS_ALIVE)
		fill_quantity(line, column, to);
}

FILL(fill_traded)
{
	if (line->kind->is & IS_FILL)
		fill_quantity(line, column, to);
}

FILL(fill_paid)
{
	if (line->kind->is & IS_FILL)
		fill_price(line, column, to);
}

FILL(fill_log)
{
	(void)column;
	text_add(to, "%s.%" PRIu64 ".%" PRIu32, line->view->stream->log->uuid,
		 line->view->stream->id, line->view->sequence);
}

/* DECIMAL-18/13 */
static const char *check_price(const char *text)
{
	size_t digits = strlen(text) - (*text == '-') - !!strchr(text, '.');

	return digits > 18 ? "has more than 18 digits" : check_decimal(text, 18, 13);
}

/* DECIMAL-18/17 */
static const char *check_quantity(const char *text)
{
	size_t digits = strlen(text) - !!strchr(text, '.');

	if (*text == '-')
		return "is negative";
	return digits > 18 ? "has more than 18 digits" : check_decimal(text, 18, 17);
}

static const char *check_50(const char *text)
{
	return check_text(text, 50);
}

static const char *check_until(const char *text)
{
	char date[12];

	if (strlen(text) != 10)
		return NULL;
	snprintf(date, sizeof(date), "%.4s%.2s%.2s", text, text + 5, text + 8);
	return check_date(date);
}

#define TERMS	(IS_ORDER | IS_ROUTE | IS_FILL)

static const struct column columns[] = {
	{ 0, "record", ~0u, false, NULL, fill_record, NULL, NULL },
	{ 1, "submittingEntity", ~0u, false, check_lei, fill_firm, NULL, "lei" },
	{ 2, "directElectronicAccess", TERMS, true, NULL, fill_config, "accounts",
	  "directElectronicAccess" },
	{ 3, "clientId", TERMS, false, NULL, fill_config, "accounts", "client" },
	{ 4, "investmentDecision", TERMS, false, NULL, fill_config, "algos", "investmentDecision" },
	{ 5, "executionDecision", TERMS, false, NULL, fill_config, "algos", "execution" },
	{ 6, "nonExecutingBroker", 0, false, NULL, fill_config, "accounts", "nonExecutingBroker" },
	{ 7, "tradingCapacity", IS_ALIVE | IS_FILL, false, NULL, fill_word, NULL, "capacity" },
	{ 8, "liquidityProvision", 0, true, NULL, fill_provision, NULL, NULL },
	{ 9, "dateTime", ~0u, false, NULL, fill_time, NULL, NULL },
	{ 10, "validityPeriod", IS_ALIVE, false, NULL, fill_validity, NULL, NULL },
	{ 12, "validityUntil", 0, false, check_until, fill_until, NULL, NULL },
	{ 16, "segmentMic", IS_ROUTE | IS_FILL, false, NULL, fill_config, "venues", "mic" },
	{ 18, "instrument", ~0u, false, NULL, fill_config, "instruments", "isin" },
	{ 20, "orderId", ~0u, false, check_50, fill_string, NULL, "order" },
	{ 0, "routeId", IS_ROUTE | IS_FILL, false, check_50, fill_string, NULL, "route" },
	{ 0, "priorOrderId", 0, false, check_50, fill_string, NULL, "prior" },
	{ 0, "priorRouteId", 0, false, check_50, fill_string, NULL, "prior_route" },
	{ 21, "event", ~0u, false, NULL, fill_code, NULL, NULL },
	{ 22, "orderType", IS_ALIVE, false, NULL, fill_word, NULL, "type" },
	{ 24, "limitPrice", 0, true, check_price, fill_limit, NULL, "price_e8" },
	{ 26, "stopPrice", 0, true, check_price, fill_price, NULL, "stop_e8" },
	{ 28, "transactionPrice", IS_FILL, true, check_price, fill_paid, NULL, "price_e8" },
	{ 29, "priceCurrency", TERMS, false, NULL, fill_config, "instruments", "currency" },
	{ 31, "priceNotation", TERMS, false, NULL, fill_config, "instruments", "priceNotation" },
	{ 32, "side", IS_ALIVE | IS_FILL, false, NULL, fill_word, NULL, "side" },
	{ 34, "quantityNotation", TERMS, false, NULL, fill_config, "instruments",
	  "quantityNotation" },
	{ 36, "initialQuantity", IS_ALIVE, true, check_quantity, fill_initial, NULL,
	  "quantity_e6" },
	{ 37, "remainingQuantity", IS_CHANGE | IS_FILL, true, check_quantity, fill_quantity, NULL,
	  "leaves_e6" },
	{ 38, "displayedQuantity", 0, true, check_quantity, fill_quantity, NULL, "displayed_e6" },
	{ 0, "cancelledQuantity", IS_CANCEL, true, check_quantity, fill_quantity, NULL,
	  "cancelled_e6" },
	{ 39, "tradedQuantity", IS_FILL, true, check_quantity, fill_traded, NULL, "quantity_e6" },
	{ 40, "minimumQuantity", 0, true, check_quantity, fill_quantity, NULL, "least_e6" },
	{ 43, "passiveOnly", 0, true, NULL, fill_passive_only, NULL, NULL },
	{ 44, "passiveOrAggressive", IS_FILL, false, NULL, fill_word, NULL, "liquidity" },
	{ 48, "venueTransactionId", IS_FILL, false, check_50, fill_string, NULL, "venue_trade" },
	{ 0, "fillId", IS_FILL, false, check_50, fill_string, NULL, "fill" },
	{ 0, "reason", 0, false, NULL, fill_string, NULL, "reason" },
	{ 0, "logRecord", ~0u, false, NULL, fill_log, NULL, NULL },
};

#define COLUMNS	(sizeof(columns) / sizeof(columns[0]))

/* Of rejects those of orders and routes by a venue: the firm's own are of `report control`. */
static const struct kind *kind_of(const struct hft_log_view *e)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		bool rejects = kinds[i].is & IS_REJECT;

		if (!event_is(e, rejects ? "control" : "trade", kinds[i].name))
			continue;
		if (rejects && !(event_number(e, "flags") & HFT_TRADE_BY_VENUE))
			return NULL;
		return &kinds[i];
	}
	return NULL;
}

static void fill(struct line *line)
{
	struct text to;
	size_t i;

	for (i = 0; i < COLUMNS; i++) {
		uint64_t begun = line->report->problems;

		text_begin(&to, line->cells[i], REPORT_VALUE);
		columns[i].fill(line, &columns[i], &to);
		if (to.full)
			report_problem(line->report, line->view, columns[i].name, "is too long");
		line->told[i] = line->report->problems != begun;
	}
}

static void check(struct line *line)
{
	size_t i;

	for (i = 0; i < COLUMNS; i++) {
		const char *cell = line->cells[i], *reason = NULL;
		bool limit = columns[i].number == 24 && (line->kind->is & IS_ALIVE) &&
			     event_number(line->view, "type") == HFT_TRADE_LIMIT;

		if (line->told[i])
			continue;
		if (!*cell)
			reason = limit || (columns[i].needed & line->kind->is) ? "is missing" : NULL;
		else if (columns[i].check)
			reason = columns[i].check(cell);
		if (reason)
			report_problem(line->report, line->view, columns[i].name, "%s", reason);
	}
}

static void write_json(const struct line *line, struct text *to)
{
	const char *comma = "{";
	size_t i;

	for (i = 0; i < COLUMNS; i++) {
		if (!*line->cells[i])
			continue;
		text_add(to, "%s\"%s\":", comma, columns[i].name);
		if (columns[i].number_like)
			text_add(to, "%s", line->cells[i]);
		else
			text_json(to, line->cells[i]);
		comma = ",";
	}
	text_add(to, "}");
}

static void write_csv(const struct line *line, struct text *to)
{
	size_t i;

	for (i = 0; i < COLUMNS; i++) {
		text_add(to, "%s", i ? "," : "");
		text_csv(to, line->cells[i]);
	}
}

static int rts24_add(struct report *r, const struct hft_log_view *e)
{
	static char buffer[COLUMNS_MOST * REPORT_VALUE];
	static struct line line;
	uint64_t begun = r->problems;
	struct text to;

	_Static_assert(COLUMNS <= COLUMNS_MOST, "cells for all columns");
	line.kind = kind_of(e);
	if (!line.kind || (r->date && r->date != utc_date(event_time(e))))
		return 0;
	line.report = r;
	line.view = e;
	fill(&line);
	check(&line);
	if (event_time(e) > r->now)
		report_problem(r, e, "dateTime", "is in the future");
	if (r->problems != begun)
		return 0;
	text_begin(&to, buffer, sizeof(buffer));
	if (r->csv)
		write_csv(&line, &to);
	else
		write_json(&line, &to);
	r->records++;
	return file_put(r, buffer, (size_t)(to.at - buffer));
}

static int rts24_header(struct report *r)
{
	char buffer[2048];
	struct text to;
	size_t i;

	text_begin(&to, buffer, sizeof(buffer));
	for (i = 0; i < COLUMNS; i++)
		text_add(&to, "%s%s", i ? "," : "", columns[i].name);
	text_add(&to, "\n");
	return file_write(r, buffer, (size_t)(to.at - buffer));
}

/* LEI_DATE_OrderRecords_NUMBER.FORMAT */
static int rts24_file(const struct report *r, uint32_t number, char *name, size_t size)
{
	snprintf(name, size, "%s_%08u_OrderRecords_%06u.%s", firm_text(r, NULL, NULL, "lei"),
		 r->file_date, number, r->csv ? "csv" : "json");
	return 0;
}

/* What `hft-log report rts24 --fields` prints. */
static int rts24_fields(void)
{
	size_t i;

	for (i = 0; i < COLUMNS; i++) {
		if (columns[i].number)
			printf("%s\tRTS 24, table 2, field %u\n", columns[i].name,
			       columns[i].number);
		else
			printf("%s\n", columns[i].name);
	}
	return 0;
}

const struct report_view report_rts24 = {
	.name = "rts24",
	.subsystems = "trade,control",
	.needs = "lei",
	.file = rts24_file,
	.header = rts24_header,
	.fields = rts24_fields,
	.add = rts24_add,
};
