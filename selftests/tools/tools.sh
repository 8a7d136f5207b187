#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hftctl and hft-latency: what they print, and how they fail.
. ../include/tap.sh

worker=
trap 'rm -rf "$dir"; [ -z "$worker" ] || kill $worker' EXIT

for tool in hftctl hft-latency; do
	command -v $tool >/dev/null || skip_all "$tool is not built"
	status 0 "$tool --help" $tool --help
	prints '^Usage: ' "$tool --help prints the usage"
	status 2 "$tool refuses an unknown option" $tool --nonsense
done

status 2 "hftctl without a command" hftctl
status 2 "hftctl refuses an unknown command" hftctl bogus
status 2 "hftctl cancel needs a process" hftctl cancel 1
status 2 "hftctl cancel needs a task" hftctl cancel --pid 1
status 2 "hftctl query takes no argument" hftctl query 1x
prints 'too many arguments' "hftctl says so"
status 1 "hftctl of a process that is none" hftctl stats --pid 4194304
status 0 "hftctl query" hftctl query
prints '^max_tasks +[0-9]+' "hftctl query prints limits"
status 0 "hftctl --json query" hftctl --json query
prints '"max_lead_ns": [0-9]+' "hftctl --json query prints JSON"
status 0 "hftctl rings without rings" hftctl rings

# Tasks a second apart: there is time to look, and to take one away.
hft-latency -q -i 1000000 -l 60 --lead 0 >/dev/null 2>&1 &
worker=$!
tries=0
while ! hftctl rings | grep -q "^ *$worker " && [ $tries -lt 50 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
status 0 "hftctl rings" hftctl rings
prints "^ *$worker hft-latency " "hftctl rings has the ring with its pid and command"
status 0 "hftctl --json rings" hftctl --json rings
prints '"lead_ns": 0' "hftctl --json rings has the lead"
status 0 "hftctl stats" hftctl stats
prints '^rings +1$' "hftctl stats counts the ring"
status 0 "hftctl stats --pid" hftctl stats --pid $worker
prints ' 60 ' "hftctl stats --pid counts the tasks"
status 1 "hftctl cancel of a task that is none" hftctl cancel --pid $worker 0xffffffff00000000
prints 'No such file' "hftctl cancel says why"
kill -INT $worker
wait $worker
result $? "hft-latency ends by a signal"
worker=

status 2 "hft-latency refuses an interval of 1 us" hft-latency -i 1
status 2 "hft-latency refuses a lead of -1" hft-latency --lead -1
status 2 "hft-latency refuses an argument" hft-latency 5
status 1 "hft-latency refuses a CPU that is none" hft-latency -q -a 1000
prints 'CPU 1000' "hft-latency names the CPU"
status 0 "hft-latency" hft-latency -q -l 200
for row in interrupt publish wakeup dispatch_error; do
	prints "^$row( +[0-9]+){6}$" "hft-latency prints min to max of $row"
done
prints '^early +0$' "hft-latency: no task is early"
prints '^clock +(TSC|clock_gettime), steps of [0-9]+ ns' "hft-latency names the clock"
status 0 "hft-latency --json" hft-latency -q -l 200 --json --histogram --spin forever --lead 0
prints '"dispatch_error_ns": \{' "hft-latency --json prints JSON"
prints '"count": 200' "hft-latency --json has every task"
prints '"buckets": \[' "hft-latency --json --histogram has buckets"
status 2 "hft-latency refuses a backend that is none" hft-latency --backend none
status 0 "hft-latency --backend soft" hft-latency -q -l 100 --backend soft
prints '^backend +soft$' "hft-latency names the backend"

# A gnuplot of our own, which keeps what it is told.
mkdir "$dir/bin"
printf '#!/bin/sh\nexec cat >"%s/script"\n' "$dir" >"$dir/bin/gnuplot"
chmod +x "$dir/bin/gnuplot"
status 0 "hft-latency --plot" env PATH="$dir/bin:$PATH" \
	hft-latency -q -l 200 --plot "$dir/it's.png"
cp "$dir/script" "$out"
prints "^set output '.*/it''s\.png'" "hft-latency --plot has gnuplot write the file"
prints '^set term(inal)? png' "hft-latency --plot asks for a PNG"
prints '^[0-9]+ [0-9]+$' "hft-latency --plot has rows of latency and count"
status 1 "hft-latency --plot without gnuplot" hft-latency -q -l 20 --plot "$dir/plot.png"
prints 'is gnuplot-nox installed' "hft-latency --plot says what is missing"

rmmod hft
status 1 "hftctl query without the module" hftctl query
prints 'is hft.ko loaded' "hftctl says what is missing"
status 1 "hftctl stats without the module" hftctl stats
status 1 "hft-latency without the module" env HFT_BACKEND=kernel hft-latency -q
prints 'modprobe hft' "hft-latency says what is missing"
status 0 "hft-latency without the module, by itself" hft-latency -l 100
prints '^backend +soft$' "hft-latency takes the backend that there is"
prints 'modprobe hft' "hft-latency says that there could be another"
insmod "${HFT_KO:-/hft.ko}"

finish
