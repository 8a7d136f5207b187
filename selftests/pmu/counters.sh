#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hft-latency --counters, hftctl stats and hft-exporter: what counters have counted, by the
# PMU of the tests, one of whose events counts how often it is read.
. ../include/tap.sh

worker=
trap '[ -z "$worker" ] || kill -KILL $worker; rm -rf "$dir"' EXIT

for tool in hftctl hft-latency hft-exporter; do
	command -v $tool >/dev/null || skip_all "$tool is not built"
done

status 2 "a counter that is none" hft-latency --counters=nonsense
status 2 "no number" hft-latency --counters=1:x
status 2 "five counters" hft-latency --counters=1:0,1:1,1:2,1:3,1:4
status 0 "another backend" hft-latency -q -l 20 --backend soft --counters
prints '^cache-misses +absent$' "has none"

insmod /samples/hft_test_pmu.ko || skip_all "there is no PMU of the tests"
type=$(cat /sys/bus/event_source/devices/hft_test/type)
hex=$(printf '0x%x' "$type")
beside=$(cat /sys/bus/event_source/devices/hft_test_beside/type)

status 1 "a PMU beside the CPUs" hft-latency -q -l 20 --counters=$beside:0
prints 'not supported' "is refused"
status 0 "hft-latency --counters" hft-latency -q -l 50 --counters=$type:4,$type:0,$type:99
prints '^counter .* of 50 tasks, 0 unread$' "has them of all tasks"
prints "^$hex:0x4 +[1-9][0-9]* " "counts"
prints "^$hex:0x0 +0 +0.0$" "of one that stands still there is nothing"
prints "^$hex:0x63 +absent$" "one that is not there is absent"
status 0 "as JSON" hft-latency -q -l 20 --json --counters=$type:4,$type:99
prints '"tasks": 20,' "has the tasks"
prints "\"$hex:0x4\": [1-9]" "has the count"
prints "\"$hex:0x63\": null" "and none"

# tasks N: have so many of its tasks been counted?
tasks() {
	[ "$(hftctl stats --pid $worker |
		awk '$4 == "counter" { rows = 1 } rows && $5 == "counted" { print $7; exit }')" -ge "$1" ]
}

hft-latency -q -i 2000 -l 1000000 --counters=$type:4,$type:99 >/dev/null 2>&1 &
worker=$!
tries=0
while ! tasks 100 2>/dev/null && [ $tries -lt 600 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
# What is not consumed is not counted: from here on all stands still.
kill -STOP $worker
status 0 "hftctl stats --pid" hftctl stats --pid $worker
prints "^ *[0-9]+ +0 +- $hex:0x4 +counted +[1-9][0-9]* +[1-9][0-9]{2,} +[0-9]+ *$" "of the ring"
prints "^ *[0-9]+ +0 +0 $hex:0x4 +counted +[1-9][0-9]* +[1-9][0-9]{2,} +[0-9]+ *$" "of the class"
prints "^ *[0-9]+ +0 +0 $hex:0x63 +absent +- +[1-9][0-9]{2,} +[0-9]+ *$" "absent is said"
status 0 "as JSON" hftctl stats --json --pid $worker
prints '"state": "absent"' "has it too"
status 0 "hftctl stats" hftctl stats
prints "^ *0 $hex:0x4 +counted +[1-9][0-9]* +[1-9][0-9]{2,} +[0-9]+ *$" "of the CPU"
set -- $(awk "\$2 == \"$hex:0x4\" { print \$4, \$5, \$6 }" "$out")
status 0 "hft-exporter" hft-exporter --print
prints "^hft_cpu_counts_total\\{cpu=\"0\",counter=\"$hex:0x4\"\\} $1$" "has the same count"
prints "^hft_cpu_tasks_counted_total\\{cpu=\"0\"\\} $2$" "of as many tasks"
prints "^hft_cpu_tasks_uncounted_total\\{cpu=\"0\"\\} $3$" "and as many that were not read"
prints '^# TYPE hft_cpu_cache_misses_total counter$' "has the names of those that all have"
! grep -q "$hex:0x63" "$out"
result $? "has none that is absent"
prints '^hft_clock_is_tsc [01]$' "has the clock"
status 0 "as OpenMetrics" hft-exporter --print --format openmetrics
prints '^# TYPE hft_cpu_counts counter$' "with the name of the family"
kill -CONT $worker
kill -INT $worker
wait $worker
result $? "the process was none the worse"
worker=
status 0 "hftctl stats without such a ring" hftctl stats
! grep -q counted "$out"
result $? "has no counters"
tries=0
while ! rmmod hft_test_pmu 2>/dev/null && [ $tries -lt 300 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
[ $tries -lt 300 ]
result $? "the counters are given back"
finish
