// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Nasdaq TotalView-ITCH 5.0: the message formats, as one table.
 *
 * Source: Nasdaq TotalView-ITCH 5.0 specification, section 1, "Message formats".
 */
#include <errno.h>

#include <hft/feed.h>

#include "../api.h"

#define INTEGER(name, offset, length)	{ name, offset, length, HFT_ITCH_INTEGER }
#define ALPHA(name, offset, length)	{ name, offset, length, HFT_ITCH_ALPHA }
#define PRICE4(name, offset)		{ name, offset, 4, HFT_ITCH_PRICE4 }
#define PRICE8(name, offset)		{ name, offset, 8, HFT_ITCH_PRICE8 }
#define HEADER					\
	ALPHA("Message Type", 0, 1),		\
	INTEGER("Stock Locate", 1, 2),		\
	INTEGER("Tracking Number", 3, 2),	\
	{ "Timestamp", 5, 6, HFT_ITCH_TIMESTAMP }

#define FIELDS(type)	static const struct hft_itch_field type[] =

FIELDS(system_event) {
	HEADER,
	ALPHA("Event Code", 11, 1),
};

FIELDS(stock_directory) {
	HEADER,
	ALPHA("Stock", 11, 8),
	ALPHA("Market Category", 19, 1),
	ALPHA("Financial Status Indicator", 20, 1),
	INTEGER("Round Lot Size", 21, 4),
	ALPHA("Round Lots Only", 25, 1),
	ALPHA("Issue Classification", 26, 1),
	ALPHA("Issue Sub-Type", 27, 2),
	ALPHA("Authenticity", 29, 1),
	ALPHA("Short Sale Threshold Indicator", 30, 1),
	ALPHA("IPO Flag", 31, 1),
	ALPHA("LULD Reference Price Tier", 32, 1),
	ALPHA("ETP Flag", 33, 1),
	INTEGER("ETP Leverage Factor", 34, 4),
	ALPHA("Inverse Indicator", 38, 1),
};

FIELDS(trading_action) {
	HEADER,
	ALPHA("Stock", 11, 8),
	ALPHA("Trading State", 19, 1),
	ALPHA("Reserved", 20, 1),
	ALPHA("Reason", 21, 4),
};

FIELDS(reg_sho) {
	HEADER,
	ALPHA("Stock", 11, 8),
	ALPHA("Reg SHO Action", 19, 1),
};

FIELDS(participant_position) {
	HEADER,
	ALPHA("MPID", 11, 4),
	ALPHA("Stock", 15, 8),
	ALPHA("Primary Market Maker", 23, 1),
	ALPHA("Market Maker Mode", 24, 1),
	ALPHA("Market Participant State", 25, 1),
};

FIELDS(mwcb_decline_level) {
	HEADER,
	PRICE8("Level 1", 11),
	PRICE8("Level 2", 19),
	PRICE8("Level 3", 27),
};

FIELDS(mwcb_status) {
	HEADER,
	ALPHA("Breached Level", 11, 1),
};

FIELDS(ipo_quoting_period) {
	HEADER,
	ALPHA("Stock", 11, 8),
	INTEGER("IPO Quotation Release Time", 19, 4),
	ALPHA("IPO Quotation Release Qualifier", 23, 1),
	PRICE4("IPO Price", 24),
};

FIELDS(luld_collar) {
	HEADER,
	ALPHA("Stock", 11, 8),
	PRICE4("Auction Collar Reference Price", 19),
	PRICE4("Upper Auction Collar Price", 23),
	PRICE4("Lower Auction Collar Price", 27),
	INTEGER("Auction Collar Extension", 31, 4),
};

FIELDS(operational_halt) {
	HEADER,
	ALPHA("Stock", 11, 8),
	ALPHA("Market Code", 19, 1),
	ALPHA("Operational Halt Action", 20, 1),
};

/* An add with attribution is an add with one field more. */
FIELDS(add_order) {
	HEADER,
	INTEGER("Order Reference Number", 11, 8),
	ALPHA("Buy/Sell Indicator", 19, 1),
	INTEGER("Shares", 20, 4),
	ALPHA("Stock", 24, 8),
	PRICE4("Price", 32),
	ALPHA("Attribution", 36, 4),
};

/* An execution with price is an execution with two fields more. */
FIELDS(order_executed) {
	HEADER,
	INTEGER("Order Reference Number", 11, 8),
	INTEGER("Executed Shares", 19, 4),
	INTEGER("Match Number", 23, 8),
	ALPHA("Printable", 31, 1),
	PRICE4("Execution Price", 32),
};

/* A delete is a cancel without shares. */
FIELDS(order_cancel) {
	HEADER,
	INTEGER("Order Reference Number", 11, 8),
	INTEGER("Cancelled Shares", 19, 4),
};

FIELDS(order_replace) {
	HEADER,
	INTEGER("Original Order Reference Number", 11, 8),
	INTEGER("New Order Reference Number", 19, 8),
	INTEGER("Shares", 27, 4),
	PRICE4("Price", 31),
};

FIELDS(trade) {
	HEADER,
	INTEGER("Order Reference Number", 11, 8),
	ALPHA("Buy/Sell Indicator", 19, 1),
	INTEGER("Shares", 20, 4),
	ALPHA("Stock", 24, 8),
	PRICE4("Price", 32),
	INTEGER("Match Number", 36, 8),
};

FIELDS(cross_trade) {
	HEADER,
	INTEGER("Shares", 11, 8),
	ALPHA("Stock", 19, 8),
	PRICE4("Cross Price", 27),
	INTEGER("Match Number", 31, 8),
	ALPHA("Cross Type", 39, 1),
};

FIELDS(broken_trade) {
	HEADER,
	INTEGER("Match Number", 11, 8),
};

FIELDS(imbalance) {
	HEADER,
	INTEGER("Paired Shares", 11, 8),
	INTEGER("Imbalance Shares", 19, 8),
	ALPHA("Imbalance Direction", 27, 1),
	ALPHA("Stock", 28, 8),
	PRICE4("Far Price", 36),
	PRICE4("Near Price", 40),
	PRICE4("Current Reference Price", 44),
	ALPHA("Cross Type", 48, 1),
	ALPHA("Price Variation Indicator", 49, 1),
};

FIELDS(retail_interest) {
	HEADER,
	ALPHA("Stock", 11, 8),
	ALPHA("Interest Flag", 19, 1),
};

FIELDS(direct_listing) {
	HEADER,
	ALPHA("Stock", 11, 8),
	ALPHA("Open Eligibility Status", 19, 1),
	PRICE4("Minimum Allowable Price", 20),
	PRICE4("Maximum Allowable Price", 24),
	PRICE4("Near Execution Price", 28),
	INTEGER("Near Execution Time", 32, 8),
	PRICE4("Lower Price Range Collar", 40),
	PRICE4("Upper Price Range Collar", 44),
};

#define COUNT(fields)	(sizeof(fields) / sizeof((fields)[0]))
#define TYPE(name, fields, fewer, length) \
	{ name, fields, COUNT(fields) - (fewer), length }

static const struct hft_itch_type hft_itch_types[256] = {
	['S'] = TYPE("System Event", system_event, 0, 12),
	['R'] = TYPE("Stock Directory", stock_directory, 0, 39),
	['H'] = TYPE("Stock Trading Action", trading_action, 0, 25),
	['Y'] = TYPE("Reg SHO Short Sale Price Test Restricted Indicator", reg_sho, 0, 20),
	['L'] = TYPE("Market Participant Position", participant_position, 0, 26),
	['V'] = TYPE("MWCB Decline Level", mwcb_decline_level, 0, 35),
	['W'] = TYPE("MWCB Status", mwcb_status, 0, 12),
	['K'] = TYPE("Quoting Period Update", ipo_quoting_period, 0, 28),
	['J'] = TYPE("LULD Auction Collar", luld_collar, 0, 35),
	['h'] = TYPE("Operational Halt", operational_halt, 0, 21),
	['A'] = TYPE("Add Order - No MPID Attribution", add_order, 1, 36),
	['F'] = TYPE("Add Order with MPID Attribution", add_order, 0, 40),
	['E'] = TYPE("Order Executed", order_executed, 2, 31),
	['C'] = TYPE("Order Executed With Price", order_executed, 0, 36),
	['X'] = TYPE("Order Cancel", order_cancel, 0, 23),
	['D'] = TYPE("Order Delete", order_cancel, 1, 19),
	['U'] = TYPE("Order Replace", order_replace, 0, 35),
	['P'] = TYPE("Trade (Non-Cross)", trade, 0, 44),
	['Q'] = TYPE("Cross Trade", cross_trade, 0, 40),
	['B'] = TYPE("Broken Trade", broken_trade, 0, 19),
	['I'] = TYPE("NOII", imbalance, 0, 50),
	['N'] = TYPE("Retail Price Improvement Indicator", retail_interest, 0, 20),
	['O'] = TYPE("Direct Listing with Capital Raise Price Discovery", direct_listing, 0, 48),
};

/**
 * hft_itch_type() - the format of a message type
 * @type: first byte of a message
 *
 * Return: the format, NULL if there is no such type.
 */
HFT_API const struct hft_itch_type *hft_itch_type(uint8_t type)
{
	return hft_itch_types[type].name ? &hft_itch_types[type] : NULL;
}

/**
 * hft_itch_check() - is this a message?
 * @message: bytes
 * @size: how many there are
 *
 * Return: the message's length, which is at most @size, -EBADMSG for no known
 * type, -ENODATA if there are not as many bytes as the type has.
 */
HFT_API int hft_itch_check(const void *message, size_t size)
{
	const struct hft_itch_type *type;

	if (!size)
		return -ENODATA;
	type = hft_itch_type(hft_itch_message_type(message));
	if (!type)
		return -EBADMSG;
	return size < type->length ? -ENODATA : type->length;
}

/**
 * hft_itch_integer() - a field's value; of a price, in its smallest unit
 * @message: a message that hft_itch_check() found good
 * @field: a field of its type, other than alpha
 */
HFT_API uint64_t hft_itch_integer(const void *message, const struct hft_itch_field *field)
{
	return hft_be((const char *)message + field->offset, field->length);
}
