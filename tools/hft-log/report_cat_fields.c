// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hft-log report cat: which fields an event has, in which order, and what each may be.  The
 * facts are those of the public specification; where our values come from stands beside them.
 */
#include <stdlib.h>
#include <string.h>

#include "report_cat.h"

static const struct cat_field fields[] = {
	{ .name = "actionType", .type = CAT_CHOICE,
	  .words = "NEW COR RPR", .fill = cat_constant, .key = "NEW" },
	{ .name = "errorROEID", .type = CAT_UNSIGNED, .most = 20 },
	{ .name = "firmROEID", .type = CAT_TEXT, .most = 64, .fill = cat_roeid },
	{ .name = "type", .type = CAT_ALNUM, .most = 5, .fill = cat_type_name },
	{ .name = "CATReporterIMID", .type = CAT_ALNUM, .most = 7,
	  .fill = cat_firm, .key = "CATReporterIMID" },
	{ .name = "orderKeyDate", .type = CAT_TIME, .fill = cat_order_key },
	{ .name = "orderID", .type = CAT_TEXT, .most = 64, .fill = cat_string, .key = "order" },
	{ .name = "symbol", .type = CAT_TEXT, .most = 22, .fill = cat_symbol },
	{ .name = "eventTimestamp", .type = CAT_TIME, .fill = cat_event_time },
	{ .name = "manualFlag", .type = CAT_BOOL, .fill = cat_flag, .number = HFT_TRADE_MANUAL },
	{ .name = "electronicDupFlag", .type = CAT_BOOL,
	  .fill = cat_flag, .number = HFT_TRADE_ELECTRONIC_DUPLICATE },
	{ .name = "electronicTimestamp", .type = CAT_TIME, .fill = cat_entered },
	{ .name = "manualOrderKeyDate", .type = CAT_TIME },
	{ .name = "manualOrderID", .type = CAT_TEXT, .most = 64 },
	{ .name = "deptType", .type = CAT_CHOICE,
	  .words = "A ATS DMA O SA T", .fill = cat_account, .key = "deptType" },
	{ .name = "solicitationFlag", .type = CAT_BOOL,
	  .fill = cat_flag, .number = HFT_TRADE_SOLICITED },
	{ .name = "RFQID", .type = CAT_TEXT, .most = 64 },
	{ .name = "side", .type = CAT_CHOICE,
	  .words = "B SL SS SX", .fill = cat_name, .key = "side" },
	{ .name = "price", .type = CAT_PRICE, .fill = cat_limit, .key = "price_e8" },
	{ .name = "quantity", .type = CAT_QUANTITY,
	  .fill = cat_decimal, .key = "quantity_e6", .number = 6 },
	{ .name = "minQty", .type = CAT_WHOLE,
	  .fill = cat_decimal, .key = "least_e6", .number = 6 },
	{ .name = "orderType", .type = CAT_CHOICE,
	  .words = "CAB LMT MKT", .fill = cat_name, .key = "type" },
	{ .name = "timeInForce", .type = CAT_TIF, .fill = cat_tif },
	{ .name = "tradingSession", .type = CAT_CHOICE,
	  .words = "ALL FOR POST PRE PREPOST PREREG REG REGPOST",
	  .fill = cat_account, .key = "tradingSession" },
	{ .name = "handlingInstructions", .type = CAT_PAIRS, .fill = cat_handling },
	{ .name = "custDspIntrFlag", .type = CAT_BOOL,
	  .fill = cat_flag, .number = HFT_TRADE_NOT_DISPLAYED },
	{ .name = "firmDesignatedID", .type = CAT_TEXT, .most = 40,
	  .fill = cat_account, .key = "firmDesignatedID" },
	{ .name = "accountHolderType", .type = CAT_CHOICE,
	  .words = "A E F I O P V X", .fill = cat_account, .key = "accountHolderType" },
	{ .name = "affiliateFlag", .type = CAT_BOOL,
	  .fill = cat_affiliate, .key = "affiliateFlag" },
	{ .name = "infoBarrierID", .type = CAT_TEXT, .most = 20 },
	{ .name = "aggregatedOrders", .type = CAT_GROUPS,
	  .words = "orderID! orderKeyDate! quantity originatingIMID" },
	{ .name = "negotiatedTradeFlag", .type = CAT_BOOL,
	  .fill = cat_flag, .number = HFT_TRADE_NEGOTIATED },
	{ .name = "representativeInd", .type = CAT_CHOICE,
	  .words = "N O OE OME OML OMS OS Y YE YP YS",
	  .fill = cat_account, .key = "representativeInd" },
	{ .name = "seqNum", .type = CAT_TEXT, .most = 40 },
	{ .name = "atsDisplayInd", .type = CAT_CHOICE,
	  .words = "A N S Y" },
	{ .name = "displayPrice", .type = CAT_PRICE },
	{ .name = "workingPrice", .type = CAT_PRICE },
	{ .name = "displayQty", .type = CAT_WHOLE },
	{ .name = "atsOrderType", .type = CAT_LIST },
	{ .name = "nbbPrice", .type = CAT_PRICE },
	{ .name = "nbbQty", .type = CAT_WHOLE },
	{ .name = "nboPrice", .type = CAT_PRICE },
	{ .name = "nboQty", .type = CAT_WHOLE },
	{ .name = "nbboSource", .type = CAT_CHOICE,
	  .words = "D H NA S" },
	{ .name = "nbboTimestamp", .type = CAT_TIME },
	{ .name = "netPrice", .type = CAT_PRICE },
	{ .name = "BFMMFlag", .type = CAT_BOOL },
	{ .name = "originatingIMID", .type = CAT_ALNUM, .most = 7 },
	{ .name = "senderIMID", .type = CAT_MEMBER, .most = 16,
	  .fill = cat_venue, .key = "senderIMID" },
	{ .name = "destination", .type = CAT_TEXT, .most = 16,
	  .fill = cat_venue, .key = "destination" },
	{ .name = "destinationType", .type = CAT_CHOICE,
	  .words = "D E F N O S", .fill = cat_venue, .key = "destinationType" },
	{ .name = "routedOrderID", .type = CAT_TEXT, .most = 64,
	  .fill = cat_string, .key = "route" },
	{ .name = "session", .type = CAT_TEXT, .most = 40,
	  .fill = cat_session, .key = "session" },
	{ .name = "isoInd", .type = CAT_CHOICE,
	  .words = "ISOD ISOI NA", .fill = cat_iso },
	{ .name = "routeRejectedFlag", .type = CAT_BOOL, .fill = cat_rejected },
	{ .name = "dupROIDCond", .type = CAT_BOOL,
	  .fill = cat_flag, .number = HFT_TRADE_DUPLICATE_ROUTE },
	{ .name = "multiLegInd", .type = CAT_BOOL,
	  .fill = cat_flag, .number = HFT_TRADE_MULTI_LEG },
	{ .name = "pairedOrderID", .type = CAT_TEXT, .most = 64 },
	{ .name = "quoteKeyDate", .type = CAT_TIME },
	{ .name = "quoteID", .type = CAT_TEXT, .most = 64 },
	{ .name = "priorRoutedOrderID", .type = CAT_TEXT, .most = 64,
	  .fill = cat_string, .key = "prior_route" },
	{ .name = "cancelQty", .type = CAT_QUANTITY,
	  .fill = cat_decimal, .key = "cancelled_e6", .number = 6 },
	{ .name = "priorOrderKeyDate", .type = CAT_TIME, .fill = cat_prior_key },
	{ .name = "priorOrderID", .type = CAT_TEXT, .most = 64,
	  .fill = cat_string, .key = "prior" },
	{ .name = "receiverIMID", .type = CAT_MEMBER, .most = 16 },
	{ .name = "senderType", .type = CAT_CHOICE,
	  .words = "E F N O S" },
	{ .name = "requestTimestamp", .type = CAT_TIME, .fill = cat_stamp, .key = "request_ns" },
	{ .name = "initiator", .type = CAT_CHOICE,
	  .words = "C F", .fill = cat_name, .key = "initiator" },
	{ .name = "leavesQty", .type = CAT_QUANTITY,
	  .fill = cat_decimal, .key = "leaves_e6", .number = 6 },
	{ .name = "tradeKeyDate", .type = CAT_TIME, .fill = cat_trade_key },
	{ .name = "tradeID", .type = CAT_TEXT, .most = 64, .fill = cat_string, .key = "trade" },
	{ .name = "cancelFlag", .type = CAT_BOOL, .fill = cat_flag, .number = HFT_TRADE_BUSTED },
	{ .name = "cancelTimestamp", .type = CAT_TIME, .fill = cat_stamp, .key = "cancel_ns" },
	{ .name = "capacity", .type = CAT_CHOICE,
	  .words = "A P R", .fill = cat_name, .key = "capacity" },
	{ .name = "tapeTradeID", .type = CAT_TEXT, .most = 40,
	  .fill = cat_string, .key = "tape" },
	{ .name = "marketCenterID", .type = CAT_CHOICE,
	  .words = "A B BF C D DC DN F G H I J K L LT M N O P Q TXSE U V W X Y Z",
	  .fill = cat_string, .key = "market_center" },
	{ .name = "sideDetailsInd", .type = CAT_CHOICE,
	  .words = "BUY NA SELL", .fill = cat_sides },
	{ .name = "buyDetails", .type = CAT_GROUPS,
	  .words = "orderKeyDate orderID side! - firmDesignatedID accountHolderType "
		   "originatingIMID BFMMFlag",
	  .fill = cat_details, .key = "buy" },
	{ .name = "sellDetails", .type = CAT_GROUPS,
	  .words = "orderKeyDate orderID side! - firmDesignatedID accountHolderType "
		   "originatingIMID BFMMFlag",
	  .fill = cat_details, .key = "sell" },
	{ .name = "reportingExceptionCode", .type = CAT_CHOICE,
	  .words = "C F N P", .fill = cat_string, .key = "exception" },
	{ .name = "clearingFirm", .type = CAT_UNSIGNED, .most = 20 },
	{ .name = "counterparty", .type = CAT_MEMBER, .most = 16 },
	{ .name = "retiredFieldPosition" },
	{ .name = "reservedForFutureUse" },
};

/* '!': required in each such event */
static const struct {
	const char *type, *name, *fields;
} tables[] = {
	{ "MENO", "order_new",
	  "actionType! errorROEID firmROEID! type! CATReporterIMID orderKeyDate! "
	  "orderID! symbol! eventTimestamp! manualFlag! electronicDupFlag! "
	  "electronicTimestamp manualOrderKeyDate manualOrderID deptType! "
	  "solicitationFlag! RFQID side! price quantity! minQty orderType! "
	  "timeInForce! tradingSession! handlingInstructions custDspIntrFlag! "
	  "firmDesignatedID! accountHolderType! affiliateFlag! infoBarrierID "
	  "aggregatedOrders negotiatedTradeFlag! representativeInd! seqNum "
	  "atsDisplayInd displayPrice workingPrice displayQty atsOrderType "
	  "nbbPrice nbbQty nboPrice nboQty nbboSource nbboTimestamp netPrice "
	  "BFMMFlag" },
	{ "MEOR", "order_routed",
	  "actionType! errorROEID firmROEID! type! CATReporterIMID orderKeyDate! "
	  "orderID! symbol! originatingIMID eventTimestamp! manualFlag! "
	  "electronicDupFlag! electronicTimestamp senderIMID destination "
	  "destinationType! routedOrderID session side! price quantity! minQty "
	  "orderType! timeInForce! tradingSession! affiliateFlag! isoInd! "
	  "handlingInstructions routeRejectedFlag! dupROIDCond! seqNum "
	  "multiLegInd! pairedOrderID infoBarrierID netPrice quoteKeyDate "
	  "quoteID" },
	{ "MEMR", "route_modified",
	  "actionType! errorROEID firmROEID! type! CATReporterIMID orderKeyDate! "
	  "orderID! symbol! originatingIMID eventTimestamp! manualFlag! "
	  "electronicTimestamp senderIMID destination destinationType! "
	  "routedOrderID priorRoutedOrderID session side! price quantity! minQty "
	  "retiredFieldPosition orderType! timeInForce! tradingSession! "
	  "affiliateFlag! isoInd! handlingInstructions routeRejectedFlag! "
	  "dupROIDCond! seqNum netPrice multiLegInd!" },
	{ "MECR", "route_cancelled",
	  "actionType! errorROEID firmROEID! type! CATReporterIMID orderKeyDate! "
	  "orderID! symbol! originatingIMID eventTimestamp! manualFlag! "
	  "electronicTimestamp cancelQty! retiredFieldPosition senderIMID "
	  "destination destinationType! routedOrderID session routeRejectedFlag! "
	  "seqNum multiLegInd!" },
	{ "MEOM", "order_modified",
	  "actionType! errorROEID firmROEID! type! CATReporterIMID orderKeyDate! "
	  "orderID! symbol! priorOrderKeyDate priorOrderID originatingIMID "
	  "eventTimestamp! manualFlag! manualOrderKeyDate manualOrderID "
	  "electronicDupFlag! electronicTimestamp receiverIMID senderIMID "
	  "senderType routedOrderID requestTimestamp reservedForFutureUse "
	  "reservedForFutureUse reservedForFutureUse initiator! side! price "
	  "quantity! minQty leavesQty! orderType! timeInForce! tradingSession! "
	  "isoInd! handlingInstructions custDspIntrFlag! infoBarrierID "
	  "aggregatedOrders representativeInd! seqNum atsDisplayInd displayPrice "
	  "workingPrice displayQty atsOrderType nbbPrice nbbQty nboPrice nboQty "
	  "nbboSource nbboTimestamp netPrice BFMMFlag" },
	{ "MEOC", "order_cancelled",
	  "actionType! errorROEID firmROEID! type! CATReporterIMID orderKeyDate! "
	  "orderID! symbol! originatingIMID eventTimestamp! manualFlag! "
	  "electronicTimestamp cancelQty! leavesQty! initiator! seqNum "
	  "requestTimestamp infoBarrierID" },
	{ "MEOT", "trade",
	  "actionType! errorROEID firmROEID! type! CATReporterIMID tradeKeyDate! "
	  "tradeID! symbol! eventTimestamp! manualFlag! electronicTimestamp "
	  "cancelFlag! cancelTimestamp retiredFieldPosition retiredFieldPosition "
	  "quantity! price! capacity! tapeTradeID marketCenterID sideDetailsInd! "
	  "buyDetails sellDetails reportingExceptionCode seqNum nbbPrice nbbQty "
	  "nboPrice nboQty nbboSource nbboTimestamp retiredFieldPosition "
	  "clearingFirm counterparty multiLegInd! infoBarrierID" },
};

#define EVENTS	(sizeof(tables) / sizeof(tables[0]))

/* Names of handlingInstructions that stand alone, and those that have a value. */
static const char alone[] =
	"ADD AIP ALG ALGMod ALGS ALO AOK AON APCM ATT AUC BIN CAC CMC CMPX CND CPR CSC "
	"CSH CTR d DAC DIR DIV DNI DNR DNRT ERP EW FB FBA FOK FS FUT G GP IO LOC LOO M "
	"MAX MOC MOO MRP MTL NAV NCTR NH OCP OFF OPO OPT OVD P PBG PCS PCTPX PEG QCC R "
	"RAR RLO RSV SCL SLD SLL SLQ SLR SOQ STOPF STP TS TTF TTO TTS TTSO TTU UNP UNS "
	"WDP WRK";
static const char valued[] =
	"APCL AucResp CASH DISP DISQ DLVF DLVT STOP SW SWQ TMO";

const struct cat_field *cat_field_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!strcmp(fields[i].name, name))
			return &fields[i];
	}
	return NULL;
}

static void add_slot(struct cat_event *event, const char *word, size_t length)
{
	struct cat_slot *slot = &event->slots[event->nr_slots++];
	char name[64];

	slot->required = word[length - 1] == '!';
	snprintf(name, sizeof(name), "%.*s", (int)(length - slot->required), word);
	slot->field = cat_field_find(name);
	if (!slot->field || event->nr_slots > CAT_SLOTS)
		abort();
}

static const struct cat_event *event_at(size_t i)
{
	static struct cat_event events[EVENTS];
	struct cat_event *event = &events[i];
	const char *word = tables[i].fields;
	size_t length;

	if (event->type)
		return event;
	for (; *word; word += length + (word[length] == ' ')) {
		length = strcspn(word, " ");
		add_slot(event, word, length);
	}
	event->type = tables[i].type;
	event->name = tables[i].name;
	return event;
}

/* NULL: there is no such event in CAT. */
const struct cat_event *cat_event_find(const struct hft_log_view *view)
{
	size_t i;

	for (i = 0; i < EVENTS; i++) {
		if (event_is(view, "trade", tables[i].name))
			return event_at(i);
	}
	return NULL;
}

const struct cat_event *cat_event_number(unsigned int number)
{
	return number < EVENTS ? event_at(number) : NULL;
}

static const char *check_member(const char *text, size_t most)
{
	size_t digits = strspn(text, "0123456789");

	if (strlen(text) > most)
		return "is too long";
	if (!digits || text[digits] != ':' || check_alnum(text + digits + 1, 1, most))
		return "is no member: it has a CRD number, a colon and an IMID";
	return NULL;
}

/* Copies the part of a list up to @end; false: it is empty, or longer than any may be. */
static bool take(const char **list, char end, char *part)
{
	size_t length = strcspn(*list, (char[]){ end, '\0' });

	if (!length || length >= REPORT_VALUE)
		return false;
	memcpy(part, *list, length);
	part[length] = '\0';
	*list += length + ((*list)[length] == end);
	return true;
}

/* Dates are numbers, too. */
bool cat_pair_is_number(const char *name, size_t length)
{
	char word[16];

	snprintf(word, sizeof(word), "%.*s", (int)length, name);
	return !check_word(word, "CASH DAY DISQ GFD GTD GTX STOP SWQ");
}

static const char *check_pair(char *pair)
{
	char *value = strchr(pair, '=');

	if (!value)
		return check_word(pair, alone) ? "has an unknown name, or one without its value" :
						 NULL;
	*value++ = '\0';
	if (check_word(pair, valued))
		return "has an unknown name, or one that takes no value";
	if (cat_pair_is_number(pair, strlen(pair)))
		return check_decimal(value, 12, 8);
	return *value ? check_text(value, REPORT_VALUE) : "has a name without its value";
}

static const char *check_pairs(const char *text)
{
	const char *reason = NULL;
	char pair[REPORT_VALUE];

	while (!reason && *text)
		reason = take(&text, '|', pair) ? check_pair(pair) : "has an empty name";
	return reason;
}

static const char *check_list(const char *text)
{
	const char *reason = NULL;
	char word[REPORT_VALUE];

	while (!reason && *text)
		reason = take(&text, '|', word) ? check_text(word, 64) : "has an empty word";
	return reason;
}

static const char *check_tif(const char *text)
{
	const char *value = strchr(text, '=');

	if (!value)
		return check_word(text, "GTC GTM IOC IOR");
	value++;
	if (!strncmp(text, "GTT=", 4))
		return check_eastern(value);
	if (!strncmp(text, "GFD=", 4))
		return check_digits(value, 20);
	if (!strncmp(text, "DAY=", 4) || !strncmp(text, "GTD=", 4) || !strncmp(text, "GTX=", 4))
		return check_date(value);
	return "is none of the values that are allowed";
}

/* @names: of the parts; '!': it is required, '-': it is retired */
static const char *check_group(const char *names, const char *group)
{
	const char *reason = NULL;
	char name[64], value[REPORT_VALUE];

	while (!reason && *names) {
		size_t length = strcspn(names, " "), size = strcspn(group, "@");
		bool required = names[length - 1] == '!';

		snprintf(name, sizeof(name), "%.*s", (int)(length - required), names);
		snprintf(value, sizeof(value), "%.*s", (int)size, group);
		if (required && !*value)
			return "lacks a part that is required";
		if (*value)
			reason = *name == '-' ? "has a part that is retired" :
						cat_check(cat_field_find(name), value);
		names += length + (names[length] == ' ');
		group += size + (group[size] == '@');
	}
	return reason ? reason : *group ? "has too many parts" : NULL;
}

static const char *check_groups(const char *names, const char *text)
{
	const char *reason = NULL;
	char group[REPORT_VALUE];

	while (!reason && *text)
		reason = take(&text, '|', group) ? check_group(names, group) : "has an empty group";
	return reason;
}

/* Why @text is none of @field, or NULL */
const char *cat_check(const struct cat_field *field, const char *text)
{
	switch (field->type) {
	case CAT_TEXT:
		return check_text(text, field->most);
	case CAT_ALNUM:
		return check_alnum(text, 1, field->most);
	case CAT_CHOICE:
		return check_word(text, field->words);
	case CAT_BOOL:
		return check_word(text, "true false");
	case CAT_PRICE:
		return check_decimal(text, 10, 8);
	case CAT_QUANTITY:
		return *text == '-' ? "is negative" : check_decimal(text, 12, 6);
	case CAT_WHOLE:
		return check_digits(text, 12);
	case CAT_UNSIGNED:
		return check_digits(text, field->most);
	case CAT_TIME:
		return check_eastern(text);
	case CAT_MEMBER:
		return check_member(text, field->most);
	case CAT_TIF:
		return check_tif(text);
	case CAT_PAIRS:
		return check_pairs(text);
	case CAT_LIST:
		return check_list(text);
	default:
		return check_groups(field->words, text);
	}
}
