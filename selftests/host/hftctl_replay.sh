#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hftctl replay: what hft-latency has done on the backend soft, again, and what is no record.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
TOOLS=${BUILD:-$TOP/build}/tools
CTL=$TOOLS/hftctl
FILE=$dir/record
TASKS=100

# A machine under load is late: not what is asked here.
LATE_NS=20000000000

# refuses NAME REASON FILE: the replay fails with one line, which has the reason
refuses() {
	fails 1 "$1" "$CTL" replay "$3"
	prints "^hftctl: .*$2" "$1: the reason"
}

# changed BYTE OFFSET: a copy with another byte there
changed() {
	cp "$FILE" "$dir/changed"
	printf "$1" | dd of="$dir/changed" bs=1 seek="$2" conv=notrunc status=none
}

[ -x "$CTL" ] && [ -x "$TOOLS/hft-latency" ] || skip_all "hftctl or hft-latency is not built"

check "a run is recorded" env HFT_BACKEND=soft HFT_RECORD="$FILE" \
	"$TOOLS/hft-latency" --loops $TASKS --interval 500 --priority 0
check "it is replayed" "$CTL" replay --late $LATE_NS "$FILE"
prints '^backend +soft$' "it says what was recorded"
[ "$(awk '$1 == "events" { print $2 }' "$out")" -ge $TASKS ]
result $? "it has all events"
check "as JSON" "$CTL" --json replay --late $LATE_NS "$FILE"
prints '"events": *[0-9]+' "events are a number"
check "with events" "$CTL" replay --events --late $LATE_NS "$FILE"
[ "$(wc -l <"$out")" -gt $TASKS ]
result $? "there is a line for each"

check "--help" "$CTL" --help
prints 'replay FILE' "--help tells of it"
fails 2 "without a file" "$CTL" replay
fails 2 "--late without a time" "$CTL" replay --late 0 "$FILE"
refuses "a missing file" 'No such file' "$dir/none"
refuses "a folder" 'Is a directory' "$dir"
: >"$dir/empty"
refuses "an empty file" 'torn.* at offset 0' "$dir/empty"
head -c -1 "$FILE" >"$dir/torn"
refuses "a torn file" 'torn.* at offset [0-9]+' "$dir/torn"
changed 'X' 0
refuses "another file" 'no record of a handle: at offset 0' "$dir/changed"
changed '\001' 8
refuses "another version" 'another version.* at offset 8' "$dir/changed"
changed '\377' 40
refuses "a damaged file" 'checksum is wrong.* at offset 16' "$dir/changed"

finish
