# SPDX-License-Identifier: GPL-2.0-only
"""make.py DIR [other|hostile|many]: a log of a thread, of 40 records, as hft/log_format.h has it.

Each has another id.  The other one has another quantity in record 25, and ten records less; the
hostile one has symbols that a terminal obeys and that are no UTF-8, and prices that are no
numbers; the one of many has 10000 records.
"""
import json
import os
import struct
import sys

folder, other, hostile = sys.argv[1], sys.argv[2:] == ["other"], sys.argv[2:] == ["hostile"]
kind = ["", "other", "hostile", "many"].index("".join(sys.argv[2:]))
uuid = bytes(range(kind, 16 + kind))
chunk = os.path.join(folder, "chunk-00000001")
os.makedirs(os.path.join(chunk, "hft"))

lines = [
	{"log": {"version": 1, "uuid": uuid.hex(), "host": "box", "pid": 12, "program": "engine",
		 "clock": {"name": "monotonic", "freq": 10 ** 9, "offset_s": 1700000000,
			   "offset": 0, "monotonic_at_0": 0}}},
	{"stream": {"id": 1, "tid": 101, "thread": "orders", "cpu": 2, "policy": "audit"}},
	{"site": {"id": 16, "name": "order", "subsystem": "trade", "level": "notice", "format": "",
		  "file": "a.c", "line": 12, "fields": [
			  {"name": "task", "type": "t"}, {"name": "class", "type": "c"},
			  {"name": "symbol", "type": "y"}, {"name": "quantity", "type": "u"}]}},
	{"site": {"id": 17, "name": "", "subsystem": "feed", "level": "warn",
		  "format": "late by %ld ns, price=%.2f\n", "file": "b.c", "line": 7, "fields": [
			  {"name": "arg0", "type": "i"}, {"name": "price", "type": "d"}]}},
]
with open(os.path.join(chunk, "hft", "sites"), "w") as out:
	out.writelines(json.dumps(line) + "\n" for line in lines)


symbols = [b"\x1b[2J\x9b\xc2\x9b\xff\"\\,\r\n\t\x7f\xc3\xa9\xed\xa0\x80\xc3", b"\x07=1+1"] if hostile else \
	[b"ABC", b"XY"]
prices = [float("nan"), float("inf"), -float("inf"), -0.0, 5e-324, 1e308, -1e9, 0.1, 2.0 ** 53,
	  123456789.5]


def record(n):
	if n % 4:
		body = struct.pack("<QQ", n, n % 3) + symbols[n % 2] + b"\0"
		body += b"\0" * (-len(body) % 8)
		body += struct.pack("<Q", 100 * n + (other and n == 25))
	else:
		body = struct.pack("<qd", -n, prices[n // 4] if hostile else n / 4)
	words = (16 + len(body)) // 8
	return struct.pack("<HHIQ", 16 if n % 4 else 17, words, n, 1000 * n) + body


count = {"other": 30, "many": 10000}.get("".join(sys.argv[2:]), 40)
records = [record(n) for n in range(count)]
with open(os.path.join(chunk, "stream-1"), "wb") as out:
	for number, first in enumerate(range(0, len(records), 10)):
		part = records[first:first + 10]
		content = b"".join(part)
		out.write((struct.pack("<II16s7Q", 0xc1fc1fc1, 0, uuid, 1, 4096 * 8,
				       (80 + len(content)) * 8, 1000 * first,
				       1000 * (first + 9), 5 * number, number) +
			   content).ljust(4000, b"\0"))
		out.write(struct.pack("<4Q64x", 0x6c61657374666800, len(part), 0, 0))
