#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hft-latency --hdr: what HdrHistogram reads is what was measured.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
TOOL=${BUILD:-$TOP/build}/tools/hft-latency
JAR=/usr/share/java/hdrhistogram.jar

# decode LOG: "TAG LEAST COUNT" for each bucket that is not empty, by the format's description
decode() {
	python3 - "$1" <<'PYTHON'
import base64, struct, sys, zlib

for line in open(sys.argv[1]):
    if line[0] in '#"':
        continue
    tag, start, length, most, text = line.rstrip('\n').split(',')
    raw = base64.b64decode(text, validate=True)
    cookie, size = struct.unpack('>II', raw[:8])
    assert (cookie, size) == (0x1c849314, len(raw) - 8), 'compressed'
    raw = zlib.decompress(raw[8:])
    cookie, size, offset, digits, low, high, ratio = struct.unpack('>IIIIQQd', raw[:40])
    assert (cookie, size) == (0x1c849313, len(raw) - 40), 'header'
    assert (offset, digits, low, ratio) == (0, 2, 1, 1.0) and high >= 10 ** 10, 'fields'
    at, index = 40, 0
    while at < len(raw):
        value = shift = 0
        for n in range(1, 10):
            byte = raw[at]
            at += 1
            value |= (byte if n == 9 else byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        value = value >> 1 ^ -(value & 1)
        if value < 0:
            index -= value
            continue
        if value:
            scale = max(index // 128 - 1, 0)
            print(tag[4:], index - scale * 128 << scale, value)
        index += 1
PYTHON
}

# buckets REPORT: the same, of the JSON
buckets() {
	python3 - "$1" <<'PYTHON'
import json, sys

report = json.load(open(sys.argv[1]))
for name in 'interrupt', 'publish', 'wakeup', 'dispatch_error':
    for low, high, count in report[name + '_ns']['buckets']:
        print(name, low, count)
PYTHON
}

[ -x "$TOOL" ] || skip_all "hft-latency is not built"
command -v python3 >/dev/null || skip_all "no python3"

check "measured" "$TOOL" --backend soft --priority 0 --loops 200 --quiet --json --histogram \
	--hdr "$dir/log"
cp "$out" "$dir/report"
decode "$dir/log" >"$dir/decoded" 2>"$out"
[ $? = 0 ] && [ -s "$dir/decoded" ]
result $? "decoded"
cmp -s "$dir/decoded" <(buckets "$dir/report")
result $? "the buckets are those of the report"
[ "$(awk '$1 == "dispatch_error" { n += $3 } END { print n }' "$dir/decoded")" = 200 ]
result $? "each task is in one"
[ "$(sed -n 's/^#\[StartTime: \([0-9]*\)\..*/\1/p' "$dir/log")" -ge $(($(date +%s) - 3600)) ]
result $? "with the time of day"
status 1 "a file that can not be written" "$TOOL" --backend soft --priority 0 --loops 1 \
	--quiet --hdr /dev/full
prints "/dev/full: No space left on device" "and why"
if command -v java >/dev/null && [ -e $JAR ]; then
	java -cp $JAR org.HdrHistogram.HistogramLogProcessor -i "$dir/log" -tag dispatch_error \
		>"$dir/percentiles" 2>"$out"
	grep -q 'Total count *= *200\]' "$dir/percentiles"
	result $? "HdrHistogram's HistogramLogProcessor reads it"
else
	skip "no java, or no libhdrhistogram-java"
fi
finish
