#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hftctl stats and top: histograms of a process that was not asked, and of all.
. ../include/tap.sh

worker=
trap 'rm -rf "$dir"; [ -z "$worker" ] || kill $worker' EXIT

command -v hftctl >/dev/null || skip_all "hftctl is not built"
for command in stats top; do
	status 0 "hftctl $command --help" hftctl $command --help
	prints '^Usage: hftctl stats' "it prints the usage"
	status 2 "hftctl $command refuses an unknown option" hftctl $command --nonsense
	status 2 "hftctl $command takes no operand" hftctl $command 1
done
status 2 "stats takes no --batch" hftctl stats --batch 1
status 2 "top takes no --hdr" hftctl top --hdr "$dir/log"
status 2 "--measure needs a process" hftctl stats --measure on
status 2 "--measure is on or off" hftctl stats --pid 1 --measure maybe
status 2 "--batch 0 is none" hftctl top --batch 0
status 2 "--interval 0 is none" hftctl top --interval 0
status 1 "top of a process that is none" hftctl top --batch 1 --pid 4194304

status 0 "hftctl stats with nothing measured" hftctl stats
prints '^rings +0$' "has the counters"

hft-latency -q -i 2000 -l 1000000 --lead 0 >/dev/null 2>&1 &
worker=$!
tries=0
while ! hftctl rings | grep -q "^ *$worker " && [ $tries -lt 100 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
status 0 "a process is measured from here on" hftctl stats --pid $worker --measure on

# dispatched N: have the counters come to that?
dispatched() {
	[ "$(hftctl stats | awk '$1 == "dispatched" { print $2 }')" -ge "$1" ]
}
start=$(hftctl stats | awk '$1 == "dispatched" { print $2 }')
tries=0
while ! dispatched $((start + 200)) && [ $tries -lt 300 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
status 0 "hftctl stats --pid" hftctl stats --pid $worker
prints '^ *fd +ring +class +kind' "names the columns"
prints '^ *[0-9]+ +[0-9]+ +0 +dispatch +[0-9]{3,}' "has dispatch errors of class 0"
status 0 "as JSON" hftctl --json stats --pid $worker
prints '"histograms": \[' "has the histograms"
prints '"kind": "dispatch"' "of that kind"
prints '"jitter_ns": [0-9]+' "with the jitter"
status 0 "hftctl stats of all" hftctl stats --hdr "$dir/log"
prints '^ *0 +dispatch +[0-9]{3,}' "has them by CPU"
grep -q '^Tag=cpu0.dispatch,[0-9.]*,[0-9.]*,[0-9.]*,HISTF' "$dir/log"
result $? "--hdr writes HdrHistogram's format"
status 1 "a log that can not be written" hftctl stats --hdr /dev/full
status 0 "hftctl top" hftctl top --batch 2 --interval 0.3
prints '^[0-9]{4}-.*, [1-9][0-9]* histograms$' "says when"
prints '^ *0 +dispatch +[1-9]' "has what came since"
status 0 "hftctl top --pid" hftctl top --json --batch 1 --interval 0.2 --pid $worker
prints '"per_s": [0-9]+' "has the throughput"

status 0 "switched off" hftctl stats --pid $worker --measure off
prints '^ *fd +tasks ' "has the counters of the process"
status 0 "another user may ask" su trader -c "hftctl top --help"
status 1 "and may not look at all" su trader -c "hftctl top --batch 1"
prints 'need CAP_PERFMON' "which it is told"
status 1 "nor at a process of root" su trader -c "hftctl top --batch 1 --pid $worker"
prints 'Permission denied' "likewise"
kill -INT $worker
wait $worker
result $? "the process was none the worse"
worker=
status 0 "what is gone still counts" hftctl stats
prints '^ *0 +dispatch +[0-9]{3,}' "for its CPU"
finish
