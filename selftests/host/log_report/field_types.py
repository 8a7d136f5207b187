# SPDX-License-Identifier: GPL-2.0-only
"""What a field of a report is in JSON, by the specification's data types."""
import decimal
import json
import re

# All others are text.
WORD = {"price", "displayPrice", "workingPrice", "nbbPrice", "nboPrice", "netPrice", "quantity",
	"minQty", "cancelQty", "leavesQty", "displayQty", "nbbQty", "nboQty", "errorROEID",
	"clearingFirm"}
TRUTH = {"manualFlag", "electronicDupFlag", "solicitationFlag", "custDspIntrFlag",
	 "affiliateFlag", "negotiatedTradeFlag", "BFMMFlag", "routeRejectedFlag", "dupROIDCond",
	 "multiLegInd", "cancelFlag"}
PAIRS = {"timeInForce": ("DAY", "GFD", "GTD", "GTX"),
	 "handlingInstructions": ("CASH", "DISQ", "STOP", "SWQ")}
GROUPS = {"aggregatedOrders", "buyDetails", "sellDetails"}
MOMENT = re.compile(r"\d{8}T\d{6}(\.\d{1,9})?")


def wrong_pair(field, name, value):
	if name in PAIRS[field]:
		return not isinstance(value, (int, decimal.Decimal)) or isinstance(value, bool)
	return value is not True and not isinstance(value, str)


def wrong_value(name, value):
	if name in WORD:
		return not isinstance(value, (int, decimal.Decimal)) or isinstance(value, bool)
	if name in TRUTH:
		return not isinstance(value, bool)
	if name in PAIRS:
		return not value or any(wrong_pair(name, *pair) for pair in value.items())
	if name in GROUPS:
		return not value or any(wrong_value(n, v)
					for group in value for n, v in group.items())
	if name == "atsOrderType":
		return not value or any(not isinstance(word, str) for word in value)
	if name.endswith("Timestamp") or name.endswith("KeyDate"):
		return not MOMENT.fullmatch(value)
	return not isinstance(value, str) or not value


def once(pairs):
	names = [name for name, _ in pairs]
	assert len(names) == len(set(names)), names
	return dict(pairs)


def no_constant(word):
	raise ValueError(word)


def event(line):
	"""A line, of which numbers are exact and each name is there once."""
	return json.loads(line, parse_float=decimal.Decimal, parse_constant=no_constant,
			  object_pairs_hook=once)
