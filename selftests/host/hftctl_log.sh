#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hftctl log: the rings and the places of a process that logs, and its levels, from outside.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
BUILD=${BUILD:-$TOP/build}
TOOL=$BUILD/tools/hftctl
LOGGER=$BUILD/selftests/host/plain/log_open

[ -x "$TOOL" ] || skip_all "hftctl is not built"
[ -x "$LOGGER" ] || skip_all "the program that logs is not built"

log=$dir/log
coproc logger { exec "$LOGGER" serve "$log"; }
pid=$!
read -r line <&"${logger[0]}"
[ "$line" = ready ]
result $? "a process logs"

check "rings" "$TOOL" log "$log"
prints "^log_open +audit +1 +$pid +-1 +1048576 +[0-9]+ +1 +0 +0 *$" "what it has"
check "as JSON" "$TOOL" --json log "$log"
prints '"records": 1' "with names"
check "places" "$TOOL" log --list "$log"
prints "^open +notice +always +[0-9]+ .*log_open.c:[0-9]+ +number *$" "one of an audit ring"
prints "^detail +debug +no +[0-9]+ .*log_open.c:[0-9]+ +number *$" "one that is not"
check "a level" "$TOOL" log --level 'det*=debug' --level open=off --list "$log"
prints "^detail +debug +yes " "is asked for"
prints "^open +info +no " "and is not"
prints "^open +notice +always " "but of an audit ring"

# It hears of that: its next records are there.
heard=1
for _ in $(seq 600); do
	printf x >&"${logger[1]}"
	sleep 0.1
	"$TOOL" log "$log" >"$out" 2>&1
	grep -qE "^log_open +drop +2 " "$out" && heard=0 && break
done
result $heard "the process follows"

fails 2 "no folder" "$TOOL" log
fails 2 "two folders" "$TOOL" log "$log" "$log"
fails 2 "no pattern" "$TOOL" log --level =info "$log"
fails 2 "no level" "$TOOL" log --level open "$log"
fails 2 "a level that is none" "$TOOL" log --level open=loud "$log"
fails 1 "no log" "$TOOL" log "$dir/none"

exec {logger[1]}>&-
wait "$pid"
result $? "it ends"
fails 1 "a closed log" "$TOOL" log "$log"
finish
