#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hftctl replay: what hft-latency has done on the backend soft, again, and what is no log.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
TOOLS=${BUILD:-$TOP/build}/tools
CTL=$TOOLS/hftctl
RECORDER=${BUILD:-$TOP/build}/selftests/host/plain/replay
LOG=$dir/record
TASKS=100

# A machine under load is late: not what is asked here.
LATE_NS=20000000000

# refuses NAME REASON LOG: the replay fails with one line, which has the reason
refuses() {
	fails 1 "$1" "$CTL" replay "$3"
	prints "^hftctl: .*$2" "$1: the reason"
}

[ -x "$CTL" ] && [ -x "$TOOLS/hft-latency" ] || skip_all "hftctl or hft-latency is not built"
[ -x "$RECORDER" ] || skip_all "the program that records is not built"

check "a run is recorded" env HFT_BACKEND=soft HFT_RECORD="$LOG" \
	"$TOOLS/hft-latency" --loops $TASKS --interval 500 --priority 0
check "it is replayed" "$CTL" replay --late $LATE_NS "$LOG"
prints '^backend +soft$' "it says what was recorded"
[ "$(awk '$1 == "events" { print $2 }' "$out")" -ge $TASKS ]
result $? "it has all events"
check "as JSON" "$CTL" --json replay --late $LATE_NS "$LOG"
prints '"events": *[0-9]+' "events are a number"
check "with events" "$CTL" replay --events --late $LATE_NS "$LOG"
[ "$(wc -l <"$out")" -gt $TASKS ]
result $? "there is a line for each"

prints '^ *[0-9]+ +[0-9]+ +99 ' "with ring and number"
check "cookies of 64 bits are recorded" "$RECORDER" record "$dir/wide"
check "and replayed" "$CTL" replay --events "$dir/wide"
prints ' 18446744073709551615 ' "as they are"
check "also as JSON" "$CTL" --json replay --events "$dir/wide"
python3 -c 'import json, sys
rows = json.load(sys.stdin)
assert [row["cookie"] for row in rows] == [2**64 - 3, 2**64 - 2, 2**64 - 1]
assert list(rows[0])[::8] == ["time_ns", "result"] and rows[0]["result"] == 0
' <"$out"
result $? "which has them, too"
check "it can be read" "$TOOLS/hft-log" cat --subsystem decision "$LOG"
prints 'NOTICE decision .* dispatch .*ring=0 ' "decisions are events"

check "what is decided again is written" "$CTL" replay --late $LATE_NS --output "$dir/again" "$LOG"
check "and is the same" "$TOOLS/hft-log" diff --subsystem decision --any-thread "$LOG" "$dir/again"
prints 'records are the same' "and is the same: all records"
check "and again" "$CTL" replay --late $LATE_NS --output "$dir/twice" "$LOG"
check "runs are the same" "$TOOLS/hft-log" diff "$dir/again" "$dir/twice"
prints 'records are the same$' "runs are the same: what was decided"
fails 1 "--output to a log that is there" "$CTL" replay --late $LATE_NS --output "$dir/again" "$LOG"
prints '^hftctl: .*/again is there' "--output to a log that is there: the reason"
fails 1 "--output to what is replayed" "$CTL" replay --late $LATE_NS --output "$LOG" "$LOG"
check "which is as it was" "$CTL" replay --late $LATE_NS "$LOG"
check "what if tasks took twice as long" "$CTL" replay --wcet 2 "$LOG"
prints '^ +0 +0 +response_p50_ns +[0-9]+ +[0-9]+ +[0-9]+ *$' "it tells of before and after"
check "what if, as JSON" "$CTL" --json replay --policy edf --cpus 1 --lead 2000 "$LOG"
prints '"figure": "missed"' "what if, as JSON: misses"
fails 2 "another policy that there is not" "$CTL" replay --policy best "$LOG"
fails 2 "no CPU" "$CTL" replay --cpus 0 "$LOG"
fails 2 "tasks that take less than nothing" "$CTL" replay --wcet -1 "$LOG"
fails 2 "a lead without a number" "$CTL" replay --lead x "$LOG"
fails 2 "--output of what was not" "$CTL" replay --lead 1 --output "$dir/not" "$LOG"

check "--help" "$CTL" replay --help
prints 'HFT_RECORD=DIR' "--help tells how to record"
fails 2 "without a log" "$CTL" replay
fails 2 "--late without a time" "$CTL" replay --late 0 "$LOG"
fails 2 "--handle without a number" "$CTL" replay --handle 0 "$LOG"
refuses "a missing log" 'No such file' "$dir/none"
refuses "a folder that is no log" 'chunk' "$dir"
fails 1 "a handle that there is not" "$CTL" replay --handle 2 "$LOG"
prints "^hftctl: .*records of 1 handles, and not number 2" "a handle that there is not: the reason"
cp -r "$LOG" "$dir/removed"
rm "$dir"/removed/chunk-*/stream-*
refuses "a log without its records" 'records of 0 handles' "$dir/removed"
cp -r "$LOG" "$dir/version"
sed -i 's/"lead_ns"/"lead"/' "$dir"/version/chunk-*/hft/sites
refuses "another version" 'record:ring is of another version' "$dir/version"

finish
