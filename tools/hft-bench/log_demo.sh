#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# ---
# Usage: log_demo.sh [KERNEL]
#
# Plays the demo's burst of market data twice in a VM under icount, with all of the schedule
# logged and with no log, and prints what that adds to the CPU time of the worker, of the time
# that the burst takes, as the figure log_demo_overhead_pct.  The log's drainer has the other CPU.
# ---
set -euo pipefail

HERE=$(dirname "$(realpath "$0")")
TOP=$(realpath "$HERE/../..")
BUILD=${BUILD:-$TOP/build}
SPEED=30	# times as fast: the burst's 299 s in ten

[ "${1:-}" != --help ] || { sed -n '/^# ---$/,/^# ---$/{/^# ---$/d;s/^# \{0,1\}//;p}' "$0"; exit 0; }
kernel=${1:-6.1}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

"$BUILD/tools/hft-feed" generate -o "$tmp/feed" >&2
mkdir "$tmp/out"
"$TOP/tools/vm/run" --kernel "$kernel" --icount --cpus 2 --timeout 900 \
	--file "$tmp/feed:/root/feed" --out "/root/out:$tmp/out" -- sh -c "
		mkdir -p out
		play=\"hft-demo --feed feed --speed $SPEED --lead 10000 --rings 1 --quiet\"
		\$play --json out/off.json && \$play --json out/on.json --log log &&
			hft-log stat log" >&2

# number KEY FILE
number() {
	sed -nE "s/.*\"$1\": ([0-9]+).*/\1/p" "$2" | tail -n 1
}

off=$(number busy_ns "$tmp/out/off.json") on=$(number busy_ns "$tmp/out/on.json")
tasks=$(number dispatched "$tmp/out/on.json") span=$(number span_ns "$tmp/out/on.json")
[ "$off" -gt 0 ] && [ "$tasks" -gt 0 ] && [ "$tasks" = "$(number dispatched "$tmp/out/off.json")" ] ||
	{ echo "log_demo: the two runs are not the same" >&2; exit 1; }
awk -v on="$on" -v off="$off" -v tasks="$tasks" -v span="$span" 'BEGIN {
	printf "figure log_demo_overhead_pct %.3f\n", (on - off) * 100 / span
	printf "note log_demo_overhead_pct: a task takes %.0f instructions of its worker with the log, " \
		"%.0f without, the wait for its release included; %.0f tasks/s\n", on / tasks, off / tasks,
		tasks * 1e9 / span }'
