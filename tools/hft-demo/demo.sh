#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# ---
# Usage: [FEED=file] [SPEED=x] [KERNEL=name] [LIMIT=n] demo.sh
#
# Replays a burst of market data through hft.ko in a VM where one instruction is one
# virtual nanosecond, prints a report and writes build/demo/report.json.
#
#   FEED    ITCH 5.0 (plain, in MoldUDP64 packets, or these in a pcap or pcapng file) or
#           a CSV of arrivals (columns seq, a_ns, b_ns), gzipped or not; default: what
#           "hft-feed generate" makes, 5,000 packets in 299 s
#   SPEED   play SPEED times as fast; default 1, or what fits a longer file into 600 s
#   KERNEL  as tools/vm/run takes it; default 6.1
#   LIMIT   only the first packets; default 50000
#
# Exit status: 0, 1 for a file that can not be played or when a task was lost,
# duplicated or early, else that of tools/vm/run.
# ---
set -euo pipefail

TOP=$(realpath "$(dirname "$0")/../..")
BUILD=${BUILD:-$TOP/build}
OUT=$BUILD/demo
HFT_FEED=$BUILD/tools/hft-feed
MAX_SECONDS=600		# of virtual time; it passes 30 times as fast as real time
MAX_BYTES=268435456	# of a file in the VM's memory

# A worker wakes up on a CPU whose tick has stopped, in the gaps of seconds that a feed
# has: twice what "auto" measures at 1 kHz.
LEAD_NS=10000

feed=${FEED:-} speed=${SPEED:-} kernel=${KERNEL:-6.1} limit=${LIMIT:-50000}

die() {
	echo "demo: $*" >&2
	exit 1
}

say() {
	echo "demo: $*" >&2
}

is_number() {
	[[ $1 =~ ^([0-9]+\.?[0-9]*|\.[0-9]+)$ ]] && [[ $1 =~ [1-9] ]]
}

generate() {
	feed=$OUT/burst.pcap
	say "generating $feed"
	"$HFT_FEED" generate -o "$feed"
}

# Set packets and span_ns, of as much of the feed as will be played.
examine() {
	local stat

	stat=$("$HFT_FEED" stat --json --limit "$limit" "$feed") || exit 1
	packets=$(sed -E 's/.*"packets":([0-9]+).*/\1/' <<<"$stat")
	span_ns=$(sed -E 's/.*"span_ns":([0-9]+).*/\1/' <<<"$stat")
	[ "$packets" != 0 ] || die "$feed has no packet"
}

choose_speed() {
	local seconds=$((span_ns / 1000000000))

	[ -z "$speed" ] || return 0
	if [ $seconds -gt $MAX_SECONDS ]; then
		speed=$((seconds / MAX_SECONDS + 1))
		say "$seconds s of arrivals: played $speed times as fast (SPEED=1 for all of it)"
	else
		speed=1
	fi
}

# The VM has its files in memory; what --limit leaves out need not go there.
place() {
	ln -sfn "$(realpath "$feed")" "$OUT/feed"
	[ "$(stat -Lc %s "$feed")" -gt $MAX_BYTES ] || return 0
	rm "$OUT/feed"
	# head ends early, and so zcat does not.
	(set +o pipefail; zcat -f "$feed" | head -c $MAX_BYTES | gzip -1 >"$OUT/feed")
}

play() {
	local status=0

	rm -f "$OUT/report.json"
	say "$packets packets; booting a VM with $kernel"
	"$TOP/tools/vm/run" --kernel "$kernel" --icount --timeout 900 \
		--file "$OUT/feed:/root/feed" --out /root/report.json:"$OUT/report.json" -- \
		hft-demo --feed feed --limit "$limit" --speed "$speed" --lead $LEAD_NS \
		--instrument icount --json report.json || status=$?
	[ ! -e "$OUT/report.json" ] || say "the report as JSON: $OUT/report.json"
	return $status
}

case ${1:-} in
--help | -h) sed -n '/^# ---$/,/^# ---$/{//d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
?*) die "unknown argument $1: see --help" ;;
esac
[[ $limit =~ ^[1-9][0-9]*$ ]] || die "LIMIT=$limit is not a number of packets"
[ -z "$speed" ] || is_number "$speed" || die "SPEED=$speed is not a number above 0"
[ -x "$HFT_FEED" ] || die "the tools are not built: run 'make demo'"
mkdir -p "$OUT"
[ -n "$feed" ] || generate
examine
choose_speed
place
play
