#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hft-feed generate, then hft-demo: what it counts, what it writes, how it fails.
. ../include/tap.sh

# reports KEY VALUE NAME: the JSON report has that
reports() {
	grep -Eq "^  \"$1\": $2,?\$" "$dir/report.json"
	result $? "$3"
}

for tool in hft-feed hft-demo; do
	command -v $tool >/dev/null || skip_all "$tool is not built"
done

status 0 "hft-demo --help" hft-demo --help
prints '^Usage: hft-demo' "hft-demo --help prints the usage"
status 2 "hft-demo without a feed" hft-demo
status 2 "hft-demo at speed 0" hft-demo --feed "$dir/feed" --speed 0
status 1 "hft-demo of no file" hft-demo -q --feed "$dir/none"
prints 'No such file' "hft-demo says that there is no file"
echo "nothing of the kind" >"$dir/text"
status 1 "hft-demo of a text" hft-demo -q --feed "$dir/text"
prints 'neither ITCH 5.0' "hft-demo says what it takes"
[ "$(wc -l <"$out")" = 1 ]
result $? "hft-demo says it in one line"

# More packets than there are slots, so that it refills them.
status 0 "hft-feed generate" hft-feed generate --packets 10000 --seed 7 -o "$dir/feed.pcap.gz"
status 0 "hft-demo of 10,000 packets on 3 rings" hft-demo -q --feed "$dir/feed.pcap.gz" \
	--speed 200 --rings 3 --lead 0 --json "$dir/report.json"
prints 'verification +good' "each is dispatched once, none early, in order"
! grep -q "^note: .*orders" "$out"
result $? "the book takes every message"
reports packets 10000 "the report counts the packets"
reports lost 0 "the report has none lost"
reports duplicated 0 "the report has none duplicated"
reports early 0 "the report has none early"
hft-feed stat "$dir/feed.pcap.gz" | sed -n 's/^type \(.\) *\([0-9]*\).*/    "\1": \2/p' >"$dir/types"
sed -n '/"per_type"/,/}/s/^\(    ".": [0-9]*\),*$/\1/p' "$dir/report.json" | cmp - "$dir/types" \
	>"$out" 2>&1
result $? "each message is counted once"

status 0 "hft-demo of the first 100, by fifo" hft-demo -q --feed "$dir/feed.pcap.gz" \
	--limit 100 --speed 1000 --policy fifo --lead 0 --json "$dir/report.json"
reports packets 100 "the report counts the first 100"
status 1 "hft-demo that can not write its report" hft-demo -q --feed "$dir/feed.pcap.gz" \
	--limit 100 --speed 1000 --lead 0 --json "$dir/none/report.json"

finish
