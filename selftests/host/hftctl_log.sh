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

check "a pattern of no place" "$TOOL" log --level 'nosuch=debug' "$log"
prints "^hftctl: .*nothing matches nosuch yet; it is kept for places" "is told, and kept"
check "of a place" "$TOOL" log --level 'log_open.c:*=debug' --level 'det?il=debug' "$log"
[ "$(grep -c "nothing matches" "$out")" = 1 ] &&
	grep -q "nothing matches log_open.c:\* yet" "$out"
result $? "only what matches none is"
fails 1 "no such rule" "$TOOL" log --level open=default --level open=default "$log"
prints "there is no rule open" "can be taken away"
check "one that was taken away" "$TOOL" log --list "$log"
prints "^open +info +yes " "is followed no more"
rules=()
for i in $(seq 64); do
	rules+=(--level "ope?$i=info")
done
fails 2 "more than may be" "$TOOL" log "${rules[@]}" --level open=info "$log"
check "as many as may be" "$TOOL" log --reset "${rules[@]}" "$log"
fails 1 "one more" "$TOOL" log --level open=off "$log"
prints "there are 64 rules, .*open: --level PATTERN=default .*--reset" "says what to do"
check "all go" "$TOOL" log --reset --list "$log"
prints "^detail +debug +no " "places are as at first"
check "and there is room for another" "$TOOL" log --level 'det*=debug' "$log"

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
