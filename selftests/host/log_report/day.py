# SPDX-License-Identifier: GPL-2.0-only
"""A day of trading: what the firm did, and what no event says of the firm."""
import copy

T = 1773754200 * 10 ** 9	# 2026-03-17 09:30:00 EDT
E6, E8 = 10 ** 6, 10 ** 8
BUY, SELL, SHORT, EXEMPT = 1, 2, 3, 4
LIMIT, MARKET = 1, 2
DAY, GTC, GTD, GTT, GTX, IOC = 1, 2, 3, 4, 5, 6
MANUAL, SOLICITED, ISO, PROVISION, BUSTED, BY_VENUE = 1, 4, 32, 256, 1024, 2048

CONFIG = {
	"version": 1,
	"firms": {"TEST": {
		"submitterID": "1234",
		"CATReporterIMID": "TEST",
		"deptType": "T",
		"tradingSession": "REG",
		"representativeInd": "N",
		"lei": "5493001KJTIIGC8Y1R12",
		"accounts": {
			"prop": {"firmDesignatedID": "PROP1", "accountHolderType": "O",
				 "affiliateFlag": False, "directElectronicAccess": False,
				 "client": "NORE"},
			"cust": {"firmDesignatedID": "C-77", "accountHolderType": "I",
				 "affiliateFlag": True, "deptType": "A",
				 "directElectronicAccess": True,
				 "client": "549300MLUDYVRQOOXS22"},
		},
		"algos": {"mm": {"investmentDecision": "ALGO0017", "execution": "ALGO0018"}},
		"venues": {
			"nsdq": {"destination": "NSDQ", "destinationType": "E",
				 "senderIMID": "123:TEST", "session": "S1", "affiliateFlag": False,
				 "mic": "XNAS"},
			"peer": {"destination": "456:PEER", "destinationType": "F",
				 "senderIMID": "123:TEST", "affiliateFlag": True, "mic": "XOFF"},
		},
		"instruments": {
			"AAPL": {"isin": "US0378331005", "currency": "USD",
				 "priceNotation": "MONE", "quantityNotation": "UNIT"},
			"BRK/A": {"symbol": "BRK A", "isin": "US0846701086", "currency": "USD",
				  "priceNotation": "MONE", "quantityNotation": "UNIT"},
		},
	}},
}


def order(**more):
	values = {"symbol": "AAPL", "account": "prop", "algo": "mm", "side": BUY, "type": LIMIT,
		  "tif": DAY, "tif_value": 20260317, "capacity": 2, "price_e8": 17850000000,
		  "quantity_e6": 500 * E6}
	values.update(more)
	return values


NEW = ("order_new", T, order(order="O1", flags=PROVISION))
CLIENT_NEW = ("order_new", T + 1, order(
	order="O2", symbol="BRK/A", account="cust", side=SHORT, type=MARKET, tif=GTT,
	tif_value=T + 3600 * 10 ** 9, price_e8=-2 ** 63, quantity_e6=1500000, capacity=1,
	flags=MANUAL | SOLICITED, event_ns=T - 60 * 10 ** 9, handling="NH|DISQ=100",
	stop_e8=12345678, more="infoBarrierID=wall;seqNum=9"))
ROUTED = ("order_routed", T + 1000, order(order="O1", route="R1", venue="nsdq", flags=ISO))
ROUTE_MODIFIED = ("route_modified", T + 2000, order(
	order="O1", route="R2", prior_route="R1", venue="nsdq", session="S2", tif=IOC, flags=ISO,
	leaves_e6=500 * E6, price_e8=1))
ROUTE_CANCELLED = ("route_cancelled", T + 3000, order(
	order="O1", route="R2", venue="nsdq", cancelled_e6=500 * E6, leaves_e6=0))
PEER_ROUTED = ("order_routed", T + 3500, order(order="O1", route="R9", venue="peer", tif=GTC))
MODIFIED = ("order_modified", T + 4000, order(
	order="O3", prior="O1", initiator=2, leaves_e6=300 * E6, quantity_e6=400 * E6, tif=GTD,
	tif_value=20260320, request_ns=T + 3999))
CANCELLED = ("order_cancelled", T + 5000, order(
	order="O3", initiator=1, cancelled_e6=300 * E6, leaves_e6=0))
FILL = ("fill", T + 1500, {
	"fill": "F1", "order": "O1", "route": "R1", "symbol": "AAPL", "account": "prop",
	"algo": "mm", "venue": "nsdq", "venue_trade": "99887766", "side": BUY, "capacity": 2,
	"liquidity": 1, "price_e8": 17849500000, "quantity_e6": 100 * E6, "leaves_e6": 400 * E6})
LAST_FILL = ("fill", T + 1600, dict(FILL[2], fill="F2", leaves_e6=0, liquidity=2))
TRADE = ("trade", T + 6000, {
	"trade": "T1", "symbol": "AAPL", "buy_order": "O1", "sell_account": "prop",
	"sell_side": SHORT, "capacity": 2, "price_e8": 17850000001, "quantity_e6": E6,
	"market_center": "DN", "tape": "X55"})
BUST = ("trade", T + 7000, {
	"trade": "T2", "symbol": "BRK/A", "sell_order": "O2", "sell_side": SHORT, "capacity": 1,
	"price_e8": 70000000000000, "quantity_e6": 1500000, "exception": "F", "flags": BUSTED,
	"cancel_ns": T + 6999, "trade_ns": T + 6500})
REJECT_ROUTE = ("reject", T + 3600, {
	"rule": "venue", "who": "NSDQ", "order": "O1", "route": "R9", "symbol": "AAPL",
	"account": "prop", "refused": 4, "flags": BY_VENUE, "reason": "halted, \"regulatory\""})
REJECT = ("reject", T + 8000, {
	"rule": "max-order-value", "unit": "10^-8 USD", "who": "gateway-1", "order": "O4",
	"symbol": "AAPL", "account": "prop", "refused": 1, "limit": 10 ** 15,
	"value": 10 ** 15 + 1})
RISK = ("risk", T + 8100, dict(REJECT[2], refused=0, value=5, scope="prop"))
THROTTLE = ("throttle", T + 8200, {
	"rule": "messages", "unit": "orders/s", "who": "gateway-1", "scope": "account prop",
	"limit": 1000, "value": 1001})
HALT = ("halt", T + 8300, {
	"rule": "loss", "unit": "10^-8 USD", "who": "risk-engine", "scope": "all",
	"limit": -5 * 10 ** 13, "value": -6 * 10 ** 13, "reason": "day's loss"})
REARM = ("rearm", T + 8400, {"rule": "manual", "who": "j.doe", "scope": "all"})

EVENTS = [NEW, CLIENT_NEW, ROUTED, FILL, LAST_FILL, ROUTE_MODIFIED, ROUTE_CANCELLED, PEER_ROUTED,
	  REJECT_ROUTE, MODIFIED, CANCELLED, TRADE, BUST, REJECT, RISK, THROTTLE, HALT, REARM]


def config(*path, value=None, drop=False):
	"""The configuration with a value of the firm's changed or dropped."""
	whole = copy.deepcopy(CONFIG)
	at = whole["firms"]["TEST"]
	for key in path[:-1]:
		at = at[key]
	if path and drop:
		del at[path[-1]]
	elif path:
		at[path[-1]] = value
	return whole
