#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A run under --icount repeats to the nanosecond: two boots, one output.
cd "$(dirname "$0")/../.." || exit 1
export BUILD="${BUILD:-$PWD/build}"

echo "TAP version 13"
echo "1..1"
if [ ! -x "$BUILD/tools/hft-latency" ]; then
	echo "ok 1 # SKIP hft-latency is not built"
	exit 4
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
run() {
	tools/vm/run --kernel 6.1 --icount -- hft-latency -q -l 300 --lead auto --json --histogram \
		>"$out/$1" 2>"$out/log$1"
}

# Two at a time: what else the machine does is nothing to them.
run 1 & first=$!
run 2
status=$?
wait $first || status=$?
if [ $status != 0 ]; then
	cat "$out"/log? | sed 's/^/# /'
	echo "not ok 1 two runs"
	exit 1
fi
if [ -s "$out/1" ] && cmp -s "$out/1" "$out/2"; then
	echo "ok 1 two runs under icount print the same"
else
	diff "$out/1" "$out/2" | sed 's/^/# /'
	echo "not ok 1 two runs under icount print the same"
	exit 1
fi
