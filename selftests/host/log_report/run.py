# SPDX-License-Identifier: GPL-2.0-only
"""hft-log report TOOL: golden outputs, and each way in which there is to be none."""
import csv
import datetime
import decimal
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import day  # noqa: E402
import field_types  # noqa: E402
import golden  # noqa: E402
import make  # noqa: E402

TOOL = sys.argv[1]
E6, E8, T, NONE = day.E6, day.E8, day.T, make.NONE
number, failed = 0, False
tmp = tempfile.TemporaryDirectory()
LOG = os.path.join(tmp.name, "log")
CONFIG = os.path.join(tmp.name, "firm.json")


def result(good, name, *why):
	global number, failed
	number += 1
	failed |= not good
	print("%sok %d %s" % ("" if good else "not ", number, name))
	if not good:
		for line in "\n".join(map(str, why)).splitlines()[:20]:
			print("# " + line[:400])


def run(view, *options, events=None, config=day.CONFIG, log=None, limit=None,
	what=resource.RLIMIT_FSIZE, before=None):
	if events is not None:
		make.write(LOG, events)
	with open(CONFIG, "w") as out:
		out.write(config if isinstance(config, str) else json.dumps(config))
	command = [TOOL, "report", view, "--config", CONFIG, *options, log or LOG]
	limits = limit and (lambda: resource.setrlimit(what, (limit, limit)))
	return subprocess.run(command, capture_output=True, text=True,
			      preexec_fn=before or limits, errors="replace")


def refused(name, done, *words):
	"""No output, and a message with all the words."""
	result(done.returncode == 1 and not done.stdout and all(w in done.stderr for w in words),
	       name, done.returncode, done.stdout, done.stderr, words)


def rows(done):
	return [json.loads(line, parse_float=decimal.Decimal) for line in done.stdout.splitlines()]


def changed(event, **values):
	return (event[0], event[1], {**event[2], **values})


def without(event, *names):
	return (event[0], event[1], {k: v for k, v in event[2].items() if k not in names})


def test_golden():
	for view in "cat", "rts24", "control":
		for form in "json", "csv":
			done = run(view, "--format", form, events=day.EVENTS)
			wanted = getattr(golden, "%s_%s" % (view.upper(), form.upper()))
			result(done.returncode == 0 and done.stdout == wanted,
			       "%s as %s" % (view, form), done.stderr, done.stdout)
	done = run("control", "--all", events=day.EVENTS)
	result([r["event"] for r in rows(done)] == ["reject", "reject", "risk", "throttle", "halt",
						    "rearm"], "control --all", done.stdout)


def compound(text, kind):
	"""A value of CSV as that of JSON, by the specification's words and not by the tool's."""
	if kind == "details":
		names = ("orderKeyDate", "orderID", "side", None, "firmDesignatedID",
			 "accountHolderType", "originatingIMID", "BFMMFlag")
		return [{n: p for n, p in zip(names, g.split("@")) if p} for g in text.split("|")]
	pairs = {}
	for pair in text.split("|"):
		name, equals, value = pair.partition("=")
		number_like = equals and name not in ("GTT",)
		pairs[name] = True if not equals else json.loads(
			value, parse_float=decimal.Decimal) if number_like else value
	return pairs


def test_csv_is_json():
	"""Each line of CSV has the values of the JSON object, at the places of the fields."""
	fields = {}
	done = subprocess.run([TOOL, "report", "cat", "--fields"], capture_output=True, text=True)
	for line in done.stdout.splitlines():
		words = line.split()
		fields[words[0]] = words[1:]
	objects = rows(run("cat", events=day.EVENTS))
	lines = list(csv.reader(io.StringIO(run("cat", "--format", "csv").stdout)))
	good = len(objects) == len(lines) == 10
	for values, wanted in zip(lines, objects):
		names = fields[values[3]]
		good &= len(values) == len(names)
		for name, value in zip(names, values):
			if name in ("retiredFieldPosition", "reservedForFutureUse"):
				good &= value == ""
			elif name in ("timeInForce", "handlingInstructions") and value:
				good &= wanted[name] == compound(value, "pairs")
			elif name in ("buyDetails", "sellDetails") and value:
				good &= wanted[name] == compound(value, "details")
			elif value in ("true", "false"):
				good &= wanted[name] is (value == "true")
			elif name in wanted and not isinstance(wanted[name], str):
				good &= decimal.Decimal(value) == wanted[name]
			else:
				good &= wanted.get(name, "") == value
	result(good, "CSV and JSON are the same", lines)
	return fields


def test_fields(fields):
	data = os.environ.get("HFT_TEST_DATA")
	path = data and os.path.join(data, "regulatory", "cat_im_v410r15_fields.json")
	if not path or not os.path.exists(path):
		result(True, "the order of fields # SKIP no HFT_TEST_DATA")
		return
	with open(path) as file:
		facts = json.load(file)["csv_fields"]
	wrong = [t for t in fields if fields[t] != facts.get(t)]
	result(len(fields) == 7 and not wrong, "the order of fields", wrong)


# All that an event may be given beside what it has.
MORE = {
	"NEW": "RFQID=Q1;infoBarrierID=desk;seqNum=12;atsDisplayInd=Y;displayPrice=178.5;"
	       "workingPrice=0.5;displayQty=100;atsOrderType=A1|A2;nbbPrice=178.49;nbbQty=0;"
	       "nboPrice=178.51;nboQty=300;nbboSource=S;nbboTimestamp=20260317T093000.000001;"
	       "representativeInd=Y;aggregatedOrders=O5@20260317T093000.5@1.25@TEST|"
	       "O6@20260317T093000@@;timeInForce=GFD=12;"
	       "handlingInstructions=NH|DISQ=100|STOP=0.5|TMO=20260317T093000|AucResp=007",
	"ROUTED": "seqNum=1;infoBarrierID=a\\b;quoteKeyDate=20260317T093000.1;quoteID=007",
	"ROUTE_MODIFIED": "seqNum=007;originatingIMID=TEST",
	"ROUTE_CANCELLED": "seqNum=007;originatingIMID=TEST",
	"MODIFIED": "manualOrderID=1;manualOrderKeyDate=20260317T093000;receiverIMID=1:TEST;"
		    "senderType=F;routedOrderID=1e5;displayQty=0;handlingInstructions=SWQ=1|CASH=-1.5",
	"CANCELLED": "seqNum=true;infoBarrierID=null",
	"TRADE": "counterparty=123:TEST;clearingFirm=123;nbboSource=NA;seqNum=1.5",
}


def test_json(fields):
	"""Each event with all that it may have is JSON, with fields in order and of their types."""
	seen = {}
	for name, more in MORE.items():
		event = getattr(day, name)
		done = run("cat", events=[changed(e, more=more) if e is event else e
					  for e in day.EVENTS])
		result(done.returncode == 0, "%s with all fields" % name, done.stderr)
		for line in done.stdout.splitlines():
			record = field_types.event(line)
			names = iter(fields[record["type"]])
			wrong = [n for n in record
				 if n not in names or field_types.wrong_value(n, record[n])]
			if wrong:
				result(False, "%s of %s" % (wrong, record["type"]), line)
			seen.setdefault(record["type"], set()).update(record)
	result(set(seen) == set(fields), "each event is JSON", seen.keys())
	given = {pair.partition("=")[0] for more in MORE.values() for pair in more.split(";")}
	result(given <= set().union(*seen.values()), "with what it was given",
	       given - set().union(*seen.values()))


# Of each event: a field that is required, and how it comes not to be there.
TERMS = {"quantity": "quantity_e6", "price": "price_e8", "side": "side", "orderType": "type",
	 "timeInForce": "tif"}
ROUTE = {"destinationType": "venue", "routedOrderID": "route", "affiliateFlag": "venue"}
REQUIRED = {
	"NEW": {"orderID": "order", "symbol": "symbol", "firmDesignatedID": "account",
		"accountHolderType": "account", "affiliateFlag": "account", **TERMS},
	"ROUTED": {"orderID": "order", "symbol": "symbol", "orderKeyDate": "order", **TERMS,
		   **ROUTE},
	"ROUTE_MODIFIED": {"orderID": "order", "symbol": "symbol", **TERMS, **ROUTE,
			   "priorRoutedOrderID": "prior_route"},
	"ROUTE_CANCELLED": {"orderID": "order", "symbol": "symbol", "cancelQty": "cancelled_e6",
			    "destinationType": "venue", "routedOrderID": "route"},
	"MODIFIED": {"orderID": "order", "symbol": "symbol", "initiator": "initiator",
		     "leavesQty": "leaves_e6", **TERMS},
	"CANCELLED": {"orderID": "order", "symbol": "symbol", "cancelQty": "cancelled_e6",
		      "leavesQty": "leaves_e6", "initiator": "initiator"},
	"TRADE": {"tradeID": "trade", "symbol": "symbol", "quantity": "quantity_e6",
		  "price": "price_e8", "capacity": "capacity", "marketCenterID": "market_center",
		  "tapeTradeID": "tape", "sell_side": "sell_side"},
}


def test_missing():
	for name, fields in REQUIRED.items():
		event = getattr(day, name)
		for field, ours in fields.items():
			events = [without(e, ours) if e is event else e for e in day.EVENTS]
			at = day.EVENTS.index(event)
			stamp = datetime.datetime.utcfromtimestamp(event[1] // 10 ** 9).strftime(
				"%Y-%m-%dT%H:%M:%S") + ".%09dZ" % (event[1] % 10 ** 9)
			refused("%s without %s" % (name, field), run("cat", events=events),
				"%s, stream 3, record %d, %s: trade:%s: %s is missing"
				% (LOG, at, stamp, event[0], field))
	events = [without(e, "buy_order", "sell_account") if e is day.TRADE else e
		  for e in day.EVENTS]
	refused("a trade without sides", run("cat", events=events), "sideDetailsInd is missing")
	events = [e for e in day.EVENTS if e is not day.NEW]
	refused("an order that the log does not know", run("cat", events=events),
		"order_routed: orderKeyDate is missing", "priorOrderKeyDate is missing",
		"buyDetails lacks orderKeyDate")
	refused("a date of DAY", run("cat", events=[without(day.NEW, "tif_value")]),
		"tif_value is missing")
	refused("the time of what was done by hand",
		run("cat", events=[without(day.CLIENT_NEW, "event_ns")]), "event_ns is missing")
	for key in ("firmDesignatedID", "accountHolderType", "affiliateFlag"):
		refused("an account without " + key,
			run("cat", events=[day.NEW],
			    config=day.config("accounts", "prop", key, drop=True)), key + " is missing")
	for key in ("deptType", "tradingSession", "representativeInd"):
		refused("a firm without " + key,
			run("cat", events=[day.NEW], config=day.config(key, drop=True)),
			key + " is missing")
	for key in ("destination", "destinationType", "senderIMID", "session", "affiliateFlag"):
		refused("a venue without " + key,
			run("cat", events=[day.NEW, day.ROUTED],
			    config=day.config("venues", "nsdq", key, drop=True)), key + " is missing")


RTS24 = {
	"NEW": {"clientId": "account", "investmentDecision": "algo", "executionDecision": "algo",
		"tradingCapacity": "capacity", "validityPeriod": "tif", "instrument": "symbol",
		"orderId": "order", "orderType": "type", "limitPrice": "price_e8", "side": "side",
		"initialQuantity": "quantity_e6", "priceCurrency": "symbol"},
	"ROUTED": {"segmentMic": "venue", "routeId": "route"},
	"MODIFIED": {"remainingQuantity": "leaves_e6"},
	"CANCELLED": {"cancelledQuantity": "cancelled_e6"},
	"FILL": {"transactionPrice": "price_e8", "tradedQuantity": "quantity_e6",
		 "remainingQuantity": "leaves_e6", "passiveOrAggressive": "liquidity",
		 "venueTransactionId": "venue_trade", "fillId": "fill", "segmentMic": "venue",
		 "event": "leaves_e6"},
}
CONTROL = {
	"REJECT": ("rule", "limit", "value", "unit", "who", "refused"),
	"THROTTLE": ("rule", "limit", "value", "unit", "who", "scope"),
	"HALT": ("rule", "limit", "value", "unit", "who", "scope"),
	"REARM": ("rule", "who", "scope"),
	"RISK": ("rule", "limit", "value", "unit", "who", "scope"),
}


def test_missing_elsewhere():
	for name, fields in RTS24.items():
		for field, ours in fields.items():
			refused("rts24: %s without %s" % (name, field),
				run("rts24", events=[without(getattr(day, name), ours)]),
				":%s: " % getattr(day, name)[0], field + " is ")
	for path in (("accounts", "prop", "directElectronicAccess"), ("accounts", "prop", "client"),
		     ("algos", "mm", "execution"), ("instruments", "AAPL", "isin"),
		     ("instruments", "AAPL", "currency"), ("instruments", "AAPL", "priceNotation"),
		     ("instruments", "AAPL", "quantityNotation"), ("venues", "nsdq", "mic")):
		refused("rts24: no " + path[-1], run("rts24", events=[day.FILL],
						     config=day.config(*path, drop=True)),
			"trade:fill: ", " is missing")
	for name, fields in CONTROL.items():
		for field in fields:
			refused("control: %s without %s" % (name, field),
				run("control", "--all", events=[without(getattr(day, name), field)]),
				"control:%s: %s is missing" % (getattr(day, name)[0], field))


# What no value of a field may be: by the event's fields.
BAD = [
	(day.NEW, {"order": "x" * 65}, "orderID"), (day.NEW, {"order": "a,b"}, "orderID"),
	(day.NEW, {"order": "a|b"}, "orderID"), (day.NEW, {"order": "a@b"}, "orderID"),
	(day.NEW, {"order": 'a"b'}, "orderID"), (day.NEW, {"order": "a\nb"}, "orderID"),
	(day.NEW, {"order": b"\xff\xfe"}, "orderID"), (day.NEW, {"symbol": "S" * 23}, "symbol"),
	(day.NEW, {"side": 5}, "side"), (day.NEW, {"side": 2 ** 63}, "side"),
	(day.NEW, {"type": 3}, "type"), (day.NEW, {"tif": 7}, "tif"),
	(day.NEW, {"tif_value": 20260230}, "timeInForce"),
	(day.NEW, {"tif_value": 1}, "timeInForce"), (day.NEW, {"handling": "XYZ"},
						      "handlingInstructions"),
	(day.NEW, {"handling": "NH||d"}, "handlingInstructions"),
	(day.NEW, {"handling": "NH=1"}, "handlingInstructions"),
	(day.NEW, {"handling": "DISQ"}, "handlingInstructions"),
	(day.NEW, {"handling": "DISQ=many"}, "handlingInstructions"),
	(day.NEW, {"handling": "x" * 1020}, "handlingInstructions"),
	(day.NEW, {"quantity_e6": -1}, "quantity"),
	(day.NEW, {"quantity_e6": 10 ** 18}, "quantity"),
	(day.NEW, {"price_e8": 10 ** 18}, "price"), (day.NEW, {"least_e6": 1500000}, "minQty"),
	(day.NEW, {"more": "noSuchField=1"}, "more"), (day.NEW, {"more": "seqNum"}, "more"),
	(day.NEW, {"more": "seqNum="}, "more"), (day.NEW, {"more": "firmROEID=x"}, "more"),
	(day.NEW, {"more": "retiredFieldPosition=x"}, "more"),
	(day.NEW, {"more": "leavesQty=1"}, "more"), (day.NEW, {"more": "x" * 1023}, "more"),
	(day.NEW, {"more": "infoBarrierID=" + "x" * 21}, "infoBarrierID"),
	(day.NEW, {"more": "deptType=Q"}, "deptType"),
	(day.NEW, {"more": "BFMMFlag=yes"}, "BFMMFlag"),
	(day.NEW, {"more": "nbbQty=1.5"}, "nbbQty"),
	(day.NEW, {"more": "nbbPrice=.25"}, "nbbPrice"),
	(day.NEW, {"more": "nbbPrice=10."}, "nbbPrice"),
	(day.NEW, {"more": "nbbPrice=010.5"}, "nbbPrice"),
	(day.NEW, {"more": "nbbPrice=-00.5"}, "nbbPrice"),
	(day.NEW, {"more": "nbbQty=007"}, "nbbQty"),
	(day.NEW, {"more": "errorROEID=1"}, "more"),
	(day.NEW, {"handling": "DISQ=0100"}, "handlingInstructions"),
	(day.NEW, {"more": "timeInForce=GFD=01"}, "timeInForce"),
	(day.NEW, {"more": "aggregatedOrders=O5@20260317T093000@01@A"}, "aggregatedOrders"),
	(day.BUST, {"more": "clearingFirm=0123"}, "clearingFirm"),
	(day.NEW, {"more": "nbbPrice=1e5"}, "nbbPrice"),
	(day.NEW, {"more": "nbbPrice=0.123456789"}, "nbbPrice"),
	(day.NEW, {"more": "nbboTimestamp=20260317T093000.0000000001"}, "nbboTimestamp"),
	(day.NEW, {"more": "nbboTimestamp=20260317T253000"}, "nbboTimestamp"),
	(day.NEW, {"more": "aggregatedOrders=O5@20260317T093000@1@TOOLONGID"},
	 "aggregatedOrders"),
	(day.NEW, {"more": "aggregatedOrders=O5"}, "aggregatedOrders"),
	(day.NEW, {"more": "aggregatedOrders=O5@20260317T093000@1@A@B"}, "aggregatedOrders"),
	# what values have to do with each other
	(day.NEW, {"more": "netPrice=1"}, "price"),
	(day.NEW, {"more": "workingPrice=1"}, "workingPrice"),
	(day.NEW, {"more": "manualOrderID=1"}, "manualOrderKeyDate"),
	(day.NEW, {"more": "aggregatedOrders=O5@20260317T093000@1@A"}, "aggregatedOrders"),
	(day.NEW, {"more": "nbboSource=S"}, "nbboTimestamp"),
	(day.NEW, {"more": "BFMMFlag=true"}, "BFMMFlag"),
	(day.NEW, {"flags": 3, "event_ns": T}, "electronicDupFlag"),
	(day.NEW, {"event_ns": int(time.time() + 86400 * 365) * 10 ** 9}, "eventTimestamp"),
	(day.NEW, {"event_ns": 10 ** 18}, "eventTimestamp"),
	(day.MODIFIED, {"leaves_e6": 400 * E6 + 1}, "leavesQty"),
	(day.MODIFIED, {"prior": "O3", "order_ns": T, "prior_ns": T}, "priorOrderID"),
	(day.MODIFIED, {"initiator": 3}, "initiator"),
	(day.ROUTE_MODIFIED, {"prior_route": "R2"}, "routedOrderID"),
	(day.TRADE, {"exception": "P"}, "tapeTradeID"), (day.TRADE, {"market_center": "ZZ"},
							  "marketCenterID"),
	(day.TRADE, {"capacity": 1}, "sellDetails"), (day.TRADE, {"cancel_ns": T},
						       "cancelTimestamp"),
	(day.TRADE, {"buy_order": "a@b"}, "buyDetails"),
	(day.TRADE, {"sell_account": "nobody"}, "sellDetails"),
	(day.TRADE, {"sell_side": 1}, "sell_side"),
	(day.BUST, {"cancel_ns": 0}, "cancelTimestamp"), (day.BUST, {"exception": "C"},
							   "clearingFirm"),
	(day.BUST, {"market_center": "DN"}, "marketCenterID"),
]


def test_bad():
	for event, values, field in BAD:
		events = [changed(e, **values) if e is event else e for e in day.EVENTS]
		name = ", ".join("%s=%.30s" % (k, v) for k, v in values.items())
		refused("%s: %r" % (event[0], name), run("cat", events=events),
			"trade:%s: %s " % (event[0], field))
	for key, value in (("destination", "123:TEST"), ("destination", "TOOLONGX"),
			   ("destinationType", "F"), ("senderIMID", "123:TEST")):
		other = {"destinationType": "F", "destination": value} if key == "senderIMID" else {}
		config = day.config("venues", "nsdq", key, value=value)
		config["firms"]["TEST"]["venues"]["nsdq"].update(other)
		refused("venue: %s %s" % (key, value),
			run("cat", events=[day.NEW, day.ROUTED], config=config), "order_routed: ")
	for event, values, field in (
			(day.FILL, {"liquidity": 3}, "liquidity"), (day.NEW, {"tif": 5}, "validity"),
			(day.NEW, {"order": "x" * 51}, "orderId"),
			(day.NEW, {"quantity_e6": -1}, "initialQuantity"),
			(day.NEW, {"tif": 3, "tif_value": 0}, "validityUntil"),
			(day.NEW, {"tif": 3, "tif_value": 20261399}, "validityUntil"),
			(day.NEW, {"price_e8": 2 ** 62}, "limitPrice")):
		refused("rts24: %r" % values, run("rts24", events=[changed(event, **values)]), field)
	refused("control: text", run("control", events=[changed(day.HALT, who=b"\xff")]), "who has")
	done = run("cat", events=[changed(day.NEW, order="a\x1b[2Jb")])
	result("\x1b" not in done.stderr and "a?[2Jb" in done.stderr, "no control characters",
	       done.stderr)
	many = [changed(day.NEW, side=9)] * 150
	done = run("cat", events=many)
	refused("150 errors", done, "errors: 150, not all of them printed")
	result(len(done.stderr.splitlines()) == 101, "100 are printed", done.stderr)


def test_config():
	for name, config, words in (
			("no JSON", "{", ["firm.json:1:"]), ("a list", "[]", ["version is not 1"]),
			("twice", '{"version": 1, "version": 1}', ["duplicate"]),
			("version", {**day.CONFIG, "version": 2}, ["version is not 1"]),
			("no firm", {"version": 1, "firms": {}}, ["firms is no object with a firm"]),
			("a key too many", {**day.CONFIG, "x": 1}, ["x is no key"]),
			("a firm that is none", {"version": 1, "firms": {"A": 1}}, ["firms.A is no"]),
			("a group that is none", day.config("accounts", value=[]), ["accounts is no"]),
			("an account that is none", day.config("accounts", "prop", value=1),
			 ["firms.TEST.accounts.prop is no"]),
			("two firms", {"version": 1, "firms": {"A": {}, "B": {}}}, ["--firm"])):
		refused("configuration: " + name, run("cat", events=[day.NEW], config=config), *words)
	for path, value in ((("submitterID",), "1 2"), (("CATReporterIMID",), "TOOLONGX"),
			    (("deptType",), "X"), (("lei",), "5493001KJTIIGC8Y1R13"),
			    (("lei",), "short"), (("group",), ""), (("submitterId",), "1"),
			    (("accounts", "prop", "affiliateFlag"), "no"),
			    (("accounts", "prop", "accountHolderType"), "Z"),
			    (("accounts", "prop", "firmDesignatedID"), "x" * 41),
			    (("accounts", "prop", "client"), "549300MLUDYVRQOOXS23"),
			    (("accounts", "prop", "color"), "red"),
			    (("venues", "nsdq", "senderIMID"), "TEST"),
			    (("venues", "nsdq", "mic"), "xnas"), (("venues", "nsdq", "session"), 5),
			    (("instruments", "AAPL", "isin"), "US0378331006"),
			    (("instruments", "AAPL", "isin"), "US037833100"),
			    (("instruments", "AAPL", "currency"), "usd"),
			    (("instruments", "AAPL", "priceNotation"), "USD")):
		refused("configuration: %s %s" % (".".join(path), value),
			run("cat", events=[day.NEW], config=day.config(*path, value=value)),
			"firms.TEST." + ".".join(path))
	for view, key in (("cat", "submitterID"), ("cat", "CATReporterIMID"), ("rts24", "lei")):
		refused("%s without %s" % (view, key),
			run(view, events=[day.NEW], config=day.config(key, drop=True)), key)
	refused("a firm that is not there", run("cat", "--firm", "NONE"), "there is no firm NONE")
	result(run("cat", "--firm", "TEST").returncode == 0, "a firm by its name")


def listing(folder):
	return sorted(os.listdir(folder))


def test_files():
	out = os.path.join(tmp.name, "out")
	os.mkdir(out)
	files = ("--output", out, "--file-date", "20260318")
	done = run("cat", *files, "--records", "4", events=day.EVENTS)
	names = ["1234_TEST_20260318_OrderEvents_%06d.json" % i for i in (1, 2, 3)]
	result(done.returncode == 0 and listing(out) == names, "files", done.stderr, listing(out))
	text = "".join(open(os.path.join(out, n)).read() for n in names)
	sizes = [len(open(os.path.join(out, n)).readlines()) for n in names]
	result(text == run("cat").stdout and sizes == [4, 4, 2], "batches", sizes)
	before = [os.stat(os.path.join(out, n)).st_mtime_ns for n in names]
	done = run("cat", *files)
	result(done.returncode == 1 and "File exists" in done.stderr and listing(out) == names and
	       before == [os.stat(os.path.join(out, n)).st_mtime_ns for n in names],
	       "no file is replaced", done.stderr)
	done = run("cat", *files, "--number", "2", "--records", "100")
	result(done.returncode == 1 and listing(out) == names, "nor one in between", done.stderr)
	os.unlink(os.path.join(out, names[0]))
	done = run("cat", *files, "--records", "4")
	result(done.returncode == 1 and listing(out) == names[1:], "and the others go again",
	       done.stderr, listing(out))
	done = run("cat", *files, "--number", "4", "--format", "csv",
		   config=day.config("group", value="desk1"))
	result("1234_TEST_20260318_desk1_OrderEvents_000004.csv" in listing(out), "a group",
	       done.stderr)
	before = listing(out)
	bad = day.EVENTS + [changed(day.NEW, side=0)]
	done = run("cat", *files, "--number", "9", "--records", "1", events=bad)
	result(done.returncode == 1 and listing(out) == before, "an error at the end: no file",
	       listing(out))
	done = run("cat", *files, "--number", "9", events=day.EVENTS, limit=4096)
	result(done.returncode != 0 and listing(out) == before, "the disk is full: no file",
	       done.stderr)
	for view, name in (("rts24", "5493001KJTIIGC8Y1R12_20260318_OrderRecords_000001.csv"),
			   ("control", "TEST_20260318_Controls_000001.csv")):
		done = run(view, *files, "--format", "csv")
		result(name in listing(out), "a file of " + view, done.stderr)
	refused("no such folder", run("cat", "--output", out + "/none"), "No such file")
	done = run("cat", "--date", "20260101")
	result(done.returncode == 0 and not done.stdout, "a day without events")
	done = run("cat", *files, "--number", "999999", "--records", "1")
	result(done.returncode == 1 and "999999" in done.stderr and
	       not any("999999" in n for n in listing(out)), "more files than numbers", done.stderr)
	many = os.path.join(tmp.name, "many")
	os.mkdir(many)
	done = run("cat", "--output", many, "--file-date", "20260318", "--records", "1",
		   events=[changed(day.NEW, order="M%d" % i) for i in range(40)], limit=24,
		   what=resource.RLIMIT_NOFILE)
	result(done.returncode == 0 and len(listing(many)) == 40 and
	       not any(n.startswith(".") for n in listing(many)),
	       "more files than may be open", done.stderr, listing(many))
	again = os.path.join(tmp.name, "again")
	os.mkdir(again)

	def leave():
		for name in listing(many):
			open(os.path.join(again, ".%s.%d" % (name, os.getpid())), "x").close()

	done = run("cat", "--output", again, "--file-date", "20260318", "--records", "1",
		   before=leave)
	result(done.returncode == 0 and
	       [n for n in listing(again) if not n.startswith(".")] == listing(many),
	       "beside what a killed one has left", done.stderr, listing(again))


def test_evidence():
	make.write(LOG, day.EVENTS, lost=3)
	refused("lost records", run("cat"), "records were lost")
	for policy in "drop", "overwrite":
		make.write(LOG, [day.NEW], policy=policy)
		refused("a ring that is to " + policy, run("cat"), "may lose records")
	make.write(LOG, day.EVENTS)
	stream = os.path.join(LOG, "chunk-00000001", "stream-3")
	whole = open(stream, "rb").read()
	open(stream, "wb").write(whole[:-100])
	refused("a torn log", run("cat"), "stream-3")
	open(stream, "wb").write(whole[:80] + b"\xff" * 8 + whole[88:])
	refused("a damaged log", run("cat"), "stream-3")
	make.write(LOG, day.EVENTS)
	refused("a log without a seal", run("cat", "--verify"), "chunk 1", "errors: ")
	refused("no key", run("cat", "--key", "/nonexistent"), "nonexistent")
	refused("no log", run("cat", log="/nonexistent"), "nonexistent")


def test_merged():
	"""What is reported of a log is reported of what it was merged into, ids of events too."""
	make.write(LOG, day.EVENTS)
	merged = os.path.join(tmp.name, "merged")
	done = subprocess.run([TOOL, "merge", "--output", merged, LOG], capture_output=True)
	result(done.returncode == 0, "merge", done.stderr)
	for view in "cat", "rts24", "control":
		one, other = run(view), run(view, log=merged)
		result(other.returncode == 0 and one.stdout == other.stdout,
		       "%s of a merged log" % view, other.stderr, other.stdout)
		refused("%s of a log and its merge" % view, run(view, merged), "both")


def at(stamp, **more):
	return ("order_new", stamp, day.order(order="O%d" % stamp, **more))


def test_days():
	"""The day ends at midnight in New York, whose clock is put back and forth."""
	def eastern(text):
		return int(datetime.datetime.fromisoformat(text).timestamp()) * 10 ** 9
	night = [at(eastern("2026-03-18T03:59:59+00:00")), at(eastern("2026-03-18T04:00:00+00:00"))]
	done = run("cat", "--date", "20260317", events=night)
	result([r["eventTimestamp"] for r in rows(done)] == ["20260317T235959.000000000"],
	       "the end of a day", done.stdout)
	done = run("cat", "--date", "20260318", events=night)
	result([r["eventTimestamp"] for r in rows(done)] == ["20260318T000000.000000000"],
	       "the begin of a day", done.stdout)
	texts = (("2026-03-08T06:59:59+00:00", "20260308T015959"),
		 ("2026-03-08T07:00:00+00:00", "20260308T030000"),
		 ("2025-11-02T05:59:59+00:00", "20251102T015959"),
		 ("2025-11-02T06:00:00+00:00", "20251102T010000"),
		 ("2025-11-02T07:00:00+00:00", "20251102T020000"))
	events = sorted([at(eastern(t)) for t, _ in texts], key=lambda e: e[1])
	got = sorted(r["eventTimestamp"][:15] for r in rows(run("cat", events=events)))
	result(got == sorted(t for _, t in texts), "summer time", got)
	try:
		import zoneinfo
		zone = zoneinfo.ZoneInfo("America/New_York")
	except Exception:
		result(True, "the zone's own rule # SKIP no zones are known here")
		return
	chance = random.Random(1)
	stamps = sorted(chance.randrange(1174000000, int(time.time())) * 10 ** 9 +
			chance.randrange(10 ** 9) for _ in range(500))
	got = [r["eventTimestamp"] for r in rows(run("cat", events=[at(s) for s in stamps]))]
	wanted = [datetime.datetime.fromtimestamp(s // 10 ** 9, zone).strftime("%Y%m%dT%H%M%S") +
		  ".%09d" % (s % 10 ** 9) for s in stamps]
	result(got == wanted, "the zone's own rule")


def test_decimals():
	chance = random.Random(2)
	prices = [chance.randrange(10 ** chance.randrange(1, 19)) for _ in range(500)]
	events = [at(T + i, price_e8=p) for i, p in enumerate(prices)]
	got = [r["price"] for r in rows(run("cat", events=events))]
	wanted = [decimal.Decimal(p).scaleb(-8) for p in prices]
	result(got == wanted, "prices are exact", [x for x in zip(got, wanted) if x[0] != x[1]][:3])
	text = run("cat", "--format", "csv", events=[at(T, price_e8=-5)]).stdout
	result(",-0.00000005," in text, "below zero", text)


def test_ids():
	"""An id that is used again is that of the order or route before."""
	events = [day.NEW, day.ROUTED, changed(day.NEW), day.ROUTED,
		  changed(day.REJECT_ROUTE, route="R1")]
	events = [(n, T + i * 100, v) for i, (n, _, v) in enumerate(events)]
	done = rows(run("cat", events=events))
	routed = [r for r in done if r["type"] == "MEOR"]
	result([r["routeRejectedFlag"] for r in routed] == [False, True], "only the last is rejected")
	result([r["orderKeyDate"][-3:] for r in routed] == ["000", "200"], "the last order of an id")
	done = rows(run("cat", events=events + [events[0]]))
	result(len({r["firmROEID"] for r in done}) == len(done) == 5, "each has an id of its own")
	groups = ("more", "representativeInd=Y;aggregatedOrders=A@20260317T093000@1@B|"
		  "C@20260317T093000.1@@;atsOrderType=x|y")
	done = rows(run("cat", events=[changed(day.NEW, **dict([groups]))]))
	result(done[0].get("aggregatedOrders") ==
	       [{"orderID": "A", "orderKeyDate": "20260317T093000", "quantity": 1,
		 "originatingIMID": "B"}, {"orderID": "C", "orderKeyDate": "20260317T093000.1"}] and
	       done[0].get("atsOrderType") == ["x", "y"], "groups and lists", done)
	long = "seqNum=1;aggregatedOrders=" + "|".join(
		"%d%s@20260317T093000@@" % (i, "y" * 40) for i in range(13))
	done = rows(run("cat", events=[changed(day.NEW, more=long + ";representativeInd=Y")]))
	result(len(done[0]["aggregatedOrders"]) == 13, "a long record")


def test_usage():
	for words in ([], ["none"], ["cat"], ["cat", LOG], ["cat", "-c", CONFIG],
		      ["cat", "-c", CONFIG, "--all", LOG], ["control", "--firm", "X", LOG],
		      ["cat", "--format", "xml"], ["cat", "--date", "2026"],
		      ["cat", "--date", "20260230"], ["cat", "--number", "0"],
		      ["cat", "--records", "0"], ["cat", "--partial"]):
		done = subprocess.run([TOOL, "report", *words], capture_output=True, text=True)
		result(done.returncode == 2 and not done.stdout and done.stderr,
		       "usage: " + " ".join(words), done.returncode, done.stderr)
	done = subprocess.run([TOOL, "report", "--help"], capture_output=True, text=True)
	result(done.returncode == 0 and "control" in done.stdout, "--help")
	done = subprocess.run([TOOL, "report", "control", LOG], capture_output=True, text=True)
	result(done.returncode == 0, "control needs no configuration", done.stderr)


print("TAP version 13")
test_golden()
FIELDS = test_csv_is_json()
test_fields(FIELDS)
test_json(FIELDS)
test_missing()
test_missing_elsewhere()
test_bad()
test_config()
test_files()
test_days()
test_decimals()
test_ids()
test_evidence()
test_merged()
make.write(LOG, day.EVENTS)
test_usage()
print("1..%d" % number)
sys.exit(failed)
