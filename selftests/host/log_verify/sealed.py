# SPDX-License-Identifier: GPL-2.0-only
"""Sealed logs, written and checked by what Documentation/log_evidence.rst says and no more.

sealed.py make DIR [KEY [HOST]]	three chunks, with clock evidence, signed if there is a key
sealed.py check DIR [KEY]	the roots and signatures of any log
"""
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile

UUID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
HOST = "desk"
START = 1700000000 * 10 ** 9
CLOCK = ("reason:s source:s point:s ptp:s leap:s sync:u divergence_ns:u bound_ns:u "
	 "line_error_ns:i offset_ns:i max_error_ns:u est_error_ns:u freq_ppb:i state:i status:p "
	 "tai_offset_s:i stamp:u stamp_hz:u monotonic:n realtime:u tai:u width_ns:u "
	 "ptp_offset_ns:i ptp_width_ns:u missed:u")
WARNING = "what:s divergence_ns:u bound_ns:u step_ns:i sync:u"
SITES = {1: ("hft", "clock", "info", CLOCK), 2: ("hft", "clock_warning", "warn", WARNING),
	 16: ("app", "tick", "info", "n:u")}


def sha(data):
	return hashlib.sha256(data).digest()


def leaf(value):
	text = json.dumps(value, sort_keys=True, separators=(",", ":"))
	return sha(b"\0" + text.encode())


def root(nodes):
	if not nodes:
		return sha(b"")
	if len(nodes) == 1:
		return nodes[0]
	half = 1 << (len(nodes) - 1).bit_length() - 1
	return sha(b"\1" + root(nodes[:half]) + root(nodes[half:]))


def root_of_seal(seal):
	head = {k: v for k, v in seal.items() if k not in ("files", "root", "signature", "key")}
	return root([leaf(v) for v in [head] + seal["files"]])


def record(site, stamp, values):
	body = b""
	for field in SITES[site][3].split():
		name, kind = field.split(":")
		if kind == "s":
			body += values.get(name, "").encode() + b"\0"
			continue
		body += b"\0" * (-len(body) % 8)
		body += struct.pack("<q" if kind == "i" else "<Q", values.get(name, 0))
	body += b"\0" * (-len(body) % 8)
	return struct.pack("<HHIQ", site, len(body) // 8 + 2, 0, stamp) + body


def packet(stream, number, chain, records):
	stamps = [struct.unpack_from("<Q", r, 8)[0] for r in records]
	content = 80 + sum(map(len, records))
	size = -(-(content + 96) // 4096) * 4096
	head = struct.pack("<II16sQQQQQQQ", 0xc1fc1fc1, 0, bytes.fromhex(UUID.replace("-", "")),
			   stream, size * 8, content * 8, stamps[0], stamps[-1], 0, number)
	data = (head + b"".join(records)).ljust(size - 96, b"\0")
	data += struct.pack("<QQQQ32s", 0x6c61657374666800, len(records), number // 2, 0, chain)
	digest = sha(data + bytes(32))
	return data + digest, digest


def evidence(second):
	"""Good for 60 s, then 250 us off for 20 s, and at 100 s the clock is stepped by a second."""
	time = second * 10 ** 9
	off = 250000 if 60 <= second < 80 else 1500
	clock = {"reason": "interval", "source": "tsc", "point": "here", "leap": "none", "sync": 1,
		 "divergence_ns": off, "bound_ns": 100000, "max_error_ns": off, "tai_offset_s": 37,
		 "stamp_hz": 10 ** 9, "stamp": time, "realtime": START + time, "width_ns": 80}
	records = [record(1, time, clock)]
	what = {60: "excursion", 80: "excursion over", 100: "step"}.get(second)
	if what:
		records.append(record(2, time, {"what": what, "divergence_ns": off, "sync": 1,
						"bound_ns": 100000,
						"step_ns": 10 ** 9 if second == 100 else 0}))
	return records


def sign(key, data):
	with tempfile.NamedTemporaryFile() as file:
		file.write(data)
		file.flush()
		return subprocess.check_output(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key,
						"-in", file.name])


def public(key):
	return subprocess.check_output(["openssl", "pkey", "-in", key, "-pubout", "-outform",
					"DER"])[-32:]


def write(path, data):
	with open(path, "wb") as file:
		file.write(data)


def make_stream(chunk, number, previous, groups):
	data, hashes, records = b"", [], 0
	for i, group in enumerate(groups):
		part, digest = packet(number, i, hashes[-1] if hashes else previous, group)
		hashes.append(digest)
		data += part
		records += len(group)
	write("%s/stream-%u" % (chunk, number), data)
	return {"name": "stream-%u" % number, "bytes": len(data), "packets": len(hashes),
		"records": records, "lost": 0,
		"root": root([sha(b"\0" + h) for h in hashes]).hex(),
		"hashes": b"".join(hashes).hex()}


def make_chunk(folder, number, previous, key):
	chunk = "%s/chunk-%08u" % (folder, number)
	begin = 60 * (number - 1)
	os.makedirs(chunk + "/hft")
	files = [make_stream(chunk, 0, previous, [evidence(begin + s) for s in range(0, 60, 10)]),
		 make_stream(chunk, 4, previous, [[record(16, (begin + s) * 10 ** 9, {"n": s})]
						  for s in range(9)])]
	lines = [{"log": {"version": 1, "uuid": UUID, "host": HOST, "pid": 7, "program": "engine",
			  "clock": {"name": "tsc", "freq": 10 ** 9, "offset_s": START // 10 ** 9,
				    "offset": 0, "monotonic_at_0": 0}}}]
	lines += [{"site": {"id": n, "name": s[1], "subsystem": s[0], "level": s[2], "format": "",
			    "file": "a.c", "line": 1,
			    "fields": [dict(zip(("name", "type"), f.split(":")))
				       for f in s[3].split()]}} for n, s in SITES.items()]
	texts = {"metadata": "/* CTF 1.8 */\ntrace {\n};\n",
		 "hft/sites": "".join(json.dumps(line) + "\n" for line in lines)}
	for name, text in texts.items():
		write(chunk + "/" + name, text.encode())
		files.append({"name": name, "bytes": len(text), "sha256": sha(text.encode()).hex()})
	seal = {"version": 1, "uuid": UUID, "chunk": number, "first": 1, "previous": previous.hex(),
		"closed": START, "final": number == 3, "files": files}
	top = root_of_seal(seal)
	seal["root"] = top.hex()
	if key:
		seal["signature"] = sign(key, top).hex()
		seal["key"] = public(key).hex()
	write(chunk + "/hft/seal", json.dumps(seal, indent=1).encode())
	return top


def make(folder, key=None, host="desk"):
	global HOST, UUID
	if host != HOST:
		UUID = UUID[:-1] + "f"
	HOST = host
	previous = bytes(32)
	for number in range(1, 4):
		previous = make_chunk(folder, number, previous, key)


def check(folder, key=None):
	previous = None
	for name in sorted(os.listdir(folder)):
		if not name.startswith("chunk-"):
			continue
		with open(os.path.join(folder, name, "hft/seal")) as file:
			seal = json.load(file)
		assert root_of_seal(seal).hex() == seal["root"], name
		assert previous in (None, seal["previous"]), name
		previous = seal["root"]
		for file in seal["files"]:
			if "hashes" not in file:
				continue
			hashes = bytes.fromhex(file["hashes"])
			leaves = [sha(b"\0" + hashes[i:i + 32]) for i in range(0, len(hashes), 32)]
			assert root(leaves).hex() == file["root"], (name, file["name"])
		if key:
			assert seal["signature"] == sign(key, bytes.fromhex(seal["root"])).hex(), name
	assert previous


if __name__ == "__main__":
	{"make": make, "check": check}[sys.argv[1]](*sys.argv[2:])
