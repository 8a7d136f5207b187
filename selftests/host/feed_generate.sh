#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hft-feed: generate's files are bursty as promised, repeatable and make sense; dump and
# stat read them; what is no market data gets one line.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
TOOL=${BUILD:-$TOP/build}/tools/hft-feed
PACKETS=5000		# the real capture has as many
SEEDS=15

# peak FILE WINDOW: most packets within it
peak() {
	"$TOOL" stat "$1" | sed -n "s/^peak *\([0-9]*\) packets in $2\$/\1/p"
}

# near VALUE TARGET PERCENT
near() {
	[ $(($1 * 100)) -ge $(($2 * (100 - $3))) ] && [ $(($1 * 100)) -le $(($2 * (100 + $3))) ]
}

# check_peak NAME FILE WINDOW TARGET PERCENT
check_peak() {
	local got

	got=$(peak "$2" "$3")
	near "$got" "$4" "$5"
	result $? "$1: $got packets in $3, the capture has $4, within $5 %"
}

median() {
	sort -n | sed -n "$(((SEEDS + 1) / 2))p"
}

[ -x "$TOOL" ] || skip_all "hft-feed is not built"

check "generate" "$TOOL" generate -o "$dir/a.pcap"
check_peak "default seed" "$dir/a.pcap" 1ms 39 5
check_peak "default seed" "$dir/a.pcap" 10ms 233 5
check_peak "default seed" "$dir/a.pcap" 1s 1023 5

for seed in $(seq 1001 $((1000 + SEEDS))); do
	"$TOOL" generate --packets $PACKETS --seed "$seed" -o "$dir/s.pcap"
	for window in 1ms 10ms 1s; do
		peak "$dir/s.pcap" $window >>"$dir/$window"
	done
done
for target in 1ms:39:5 10ms:233:35 1s:1023:45; do
	IFS=: read -r window packets percent <<<"$target"
	got=$(median <"$dir/$window")
	near "$got" "$packets" "$percent"
	result $? "median of $SEEDS seeds: $got packets in $window, within $percent % of $packets"
done

"$TOOL" generate -o "$dir/b.pcap"
check "the same seed gives the same file" cmp "$dir/a.pcap" "$dir/b.pcap"
"$TOOL" generate --seed 2 -o "$dir/b.pcap"
! cmp -s "$dir/a.pcap" "$dir/b.pcap"
result $? "another seed gives another"
"$TOOL" generate -o "$dir/a.pcap.gz"
check "gzipped it is smaller" [ "$(stat -c %s "$dir/a.pcap.gz")" -lt "$(stat -c %s "$dir/a.pcap")" ]
"$TOOL" generate --format itch -o "$dir/a.itch"
"$TOOL" generate --format mold -o "$dir/a.mold"
for file in a.pcap.gz a.mold a.itch; do
	"$TOOL" stat "$dir/$file" | grep ^type >"$dir/types"
	check "$file has the same messages" cmp "$dir/types" <("$TOOL" stat "$dir/a.pcap" | grep ^type)
done
"$TOOL" generate --seconds 20 -o "$dir/t.pcap"
span=$("$TOOL" stat --json "$dir/t.pcap" | sed 's/.*"span_ns":\([0-9]*\).*/\1/')
check "--seconds ends it" [ "$span" -ge 20000000000 ]
check "--instruments" "$TOOL" generate --instruments 1000 --packets 200 -o "$dir/t.pcap"
check "each has its directory entry" \
	[ "$("$TOOL" stat "$dir/t.pcap" | sed -n 's/^type R *\([0-9]*\).*/\1/p')" = 1000 ]
check "sequence numbers have no gap" awk -F'"sequence":' \
	'{ split($2, f, ","); if (f[1] != NR) exit 1 }' <("$TOOL" dump "$dir/a.pcap")

check "packets without a capture have the same sessions and sequences" \
	cmp <("$TOOL" dump "$dir/a.mold") <("$TOOL" dump "$dir/a.pcap" | sed 's/"arrival_ns":[0-9]*,//')
check "messages without packets are the same" \
	cmp <("$TOOL" dump "$dir/a.itch") <("$TOOL" dump "$dir/a.mold" | sed 's/"session.*"sequence":[0-9]*,//')

echo "plain text" >"$dir/text"
fails 1 "stat of a text" "$TOOL" stat "$dir/text"
fails 1 "dump into a full device" sh -c '"$1" dump "$2" >/dev/full' - "$TOOL" "$dir/a.pcap"
fails 1 "stat into a full device" sh -c '"$1" stat "$2" >/dev/full' - "$TOOL" "$dir/a.pcap"
fails 1 "dump of a text" "$TOOL" dump "$dir/text"
fails 1 "stat of no file" "$TOOL" stat "$dir/none"
fails 1 "generate into no folder" "$TOOL" generate -o "$dir/none/x"
fails 1 "generate into a full device" "$TOOL" generate -o /dev/full
check "the device is still there" [ -c /dev/full ]
fails 2 "generate without a file" "$TOOL" generate
fails 2 "generate of 0 packets" "$TOOL" generate --packets 0 -o "$dir/x"

finish
