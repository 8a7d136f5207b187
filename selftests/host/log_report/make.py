# SPDX-License-Identifier: GPL-2.0-only
"""Logs with trading decisions of given times, written as hft/log_format.h has it."""
import hashlib
import json
import os
import shutil
import struct

UUID = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
NONE = -2 ** 63
ORDER = ("order:s prior:s symbol:y account:s algo:s route:s prior_route:s venue:s session:s "
	 "handling:s more:s side:u type:u tif:u tif_value:u capacity:u initiator:u flags:u "
	 "price_e8:i stop_e8:i quantity_e6:i displayed_e6:i least_e6:i leaves_e6:i "
	 "cancelled_e6:i order_ns:u prior_ns:u request_ns:u event_ns:u")
CONTROL = ("rule:s unit:s who:s scope:s reason:s order:s route:s symbol:y account:s refused:u "
	   "flags:u limit:i value:i event_ns:u")
SITES = {name: ("trade", ORDER) for name in (
	"order_new", "order_modified", "order_cancelled", "order_routed", "route_modified",
	"route_cancelled")}
SITES["fill"] = ("trade", "fill:s order:s route:s symbol:y account:s algo:s venue:s venue_trade:s "
		 "more:s side:u capacity:u liquidity:u flags:u price_e8:i quantity_e6:i leaves_e6:i "
		 "event_ns:u")
SITES["trade"] = ("trade", "trade:s symbol:y buy_order:s buy_account:s sell_order:s "
		  "sell_account:s market_center:s tape:s exception:s more:s sell_side:u capacity:u "
		  "flags:u price_e8:i quantity_e6:i trade_ns:u cancel_ns:u event_ns:u")
SITES.update({name: ("control", CONTROL) for name in (
	"reject", "risk", "throttle", "halt", "rearm")})
NAMES = list(SITES)


def site(name):
	subsystem, fields = SITES[name]
	return {"site": {"id": 16 + NAMES.index(name), "name": name, "subsystem": subsystem,
			 "level": "notice", "format": "", "file": "trade.c", "line": 1,
			 "fields": [dict(zip(("name", "type"), f.split(":")))
				    for f in fields.split()]}}


def record(sequence, event):
	"""event: (name, time ns UTC, {field: value})"""
	name, stamp, values = event
	body = b""
	for field in SITES[name][1].split():
		key, kind = field.split(":")
		if kind in "sy":
			value = values.get(key, "")
			body += (value if isinstance(value, bytes) else value.encode()) + b"\0"
		else:
			body += b"\0" * (-len(body) % 8)
			body += struct.pack("<q" if kind == "i" else "<Q",
					    values.get(key, NONE if kind == "i" else 0))
	unknown = set(values) - {f.split(":")[0] for f in SITES[name][1].split()}
	assert not unknown, unknown
	body += b"\0" * (-len(body) % 8)
	return struct.pack("<HHIQ", 16 + NAMES.index(name), len(body) // 8 + 2, sequence,
			   stamp) + body


def packet(records, stream, number, chain, begin, end, lost):
	content = 80 + sum(map(len, records))
	size = -(-(content + 96) // 4096) * 4096
	head = struct.pack("<II16sQQQQQQQ", 0xc1fc1fc1, 0, bytes.fromhex(UUID), stream, size * 8,
			   content * 8, begin, end, lost, number)
	data = (head + b"".join(records)).ljust(size - 96, b"\0")
	seal = struct.pack("<QQQQ32s", 0x6c61657374666800, len(records), 0, 0, chain)
	digest = hashlib.sha256(data + seal + b"\0" * 32).digest()
	return data + seal + digest, digest


def write(folder, events, policy="block", lost=0):
	"""A log of one stream; its clock's stamps are ns of UTC."""
	shutil.rmtree(folder, ignore_errors=True)
	chunk = os.path.join(folder, "chunk-00000001")
	os.makedirs(os.path.join(chunk, "hft"))
	lines = [{"log": {"version": 1, "uuid": UUID, "host": "desk", "pid": 7, "program": "engine",
			  "clock": {"name": "monotonic", "freq": 10 ** 9, "offset_s": 0, "offset": 0,
				    "monotonic_at_0": 0}}},
		 {"stream": {"id": 3, "tid": 8, "thread": "orders", "cpu": 1, "policy": policy}}]
	lines += [site(name) for name in NAMES]
	with open(os.path.join(chunk, "hft", "sites"), "w") as out:
		out.writelines(json.dumps(line) + "\n" for line in lines)
	records = [record(i, e) for i, e in enumerate(events)]
	chain = b"\0" * 32
	with open(os.path.join(chunk, "stream-3"), "wb") as out:
		for number, i in enumerate(range(0, len(records), 16)):
			part = events[i:i + 16]
			data, chain = packet(records[i:i + 16], 3, number, chain, part[0][1],
					     part[-1][1], lost)
			out.write(data)
