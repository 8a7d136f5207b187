#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A process that logs is killed: what the tools say of its log, and hft-log recover.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
BUILD=${BUILD:-$TOP/build}
TOOL=$BUILD/tools/hft-log
CTL=$BUILD/tools/hftctl
LOGGER=$BUILD/selftests/host/plain/log_open
RUN="run hft-log recover"

[ -x "$TOOL" ] && [ -x "$CTL" ] || skip_all "the tools are not built"
[ -x "$LOGGER" ] || skip_all "the program that logs is not built"
rings=$(mktemp -d /dev/shm/hft-test-rings-XXXXXX) || skip_all "there is no /dev/shm"
trap 'rm -rf "$dir" "$rings"' EXIT

# start LOG [KEY]: a process logs there, $pid, and its records stay in its rings
start() {
	logged=$1
	coproc logger { exec "$LOGGER" hold "$1" "$rings" $2; }
	pid=$!
	read -r line <&"${logger[0]}"
	[ "$line" = ready ]
	result $? "a process logs"
}

# kill_it: and nothing of its records is in files.  What the disk was asked for before that
# keeps the log locked a moment longer.
kill_it() {
	kill -9 "$pid"
	wait "$pid" 2>/dev/null
	flock -w 10 "$logged" true
}

log=$dir/log
start "$log"
status 3 "verify of a log that is written" "$TOOL" verify "$log"
! grep -q "recover" "$out"
result $? "says nothing of recovering"
check "its rings" "$CTL" log "$log"
status 0 "are not listed as left" "$TOOL" recover --list --rings "$rings"
[ ! -s "$out" ]
result $? "none is"
status 1 "it can not be recovered" "$TOOL" recover "$log"
prints "process $pid writes to" "as its process lives"
"$TOOL" follow --all --idle 60000 --subsystem open "$log" >"$dir/followed" 2>"$dir/told" &
follower=$!
kill_it
for _ in $(seq 300); do
	[ ! -s "$dir/told" ] || break
	sleep 0.1
done
kill "$follower"
wait "$follower"
[ $? = 3 ]
result $? "follow: an end is missing"
cp "$dir/told" "$out"
prints "^hft-log: .*process $pid \(log_open\) has ended, .*: $RUN $log\$" "follow says what to run"

for command in cat stat; do
	status 3 "$command: an end is missing" "$TOOL" $command --subsystem open "$log"
	prints "^hft-log: .*: $RUN $log\$" "$command says what to run"
done
status 3 "verify: it is not whole" "$TOOL" verify "$log"
prints "^TORN rings: process $pid .*: $RUN $log\$" "what it has found"
prints "^hft-log: .*: $RUN $log\$" "and says so"
fails 3 "verify --quiet, too" "$TOOL" verify --quiet "$log"
fails 1 "repair refuses" "$TOOL" repair "$log"
prints "$RUN $log" "and says what to run"
fails 1 "also a copy" "$TOOL" repair --output "$dir/copy" "$log"
status 1 "hftctl log" "$CTL" log "$log"
prints "^hftctl: .*process $pid .*: $RUN $log\$" "says that it is dead"
prints "^log_open +audit " "and shows the rings"
fails 1 "hftctl log: nobody hears of a level" "$CTL" log --level open=off "$log"
check "the rings are listed" "$TOOL" recover --list --rings "$rings"
prints "^left $rings/hft-log-[0-9a-f-]+ 2 rings [1-9][0-9]* bytes process $pid $log\$" "as left"
check "nothing is removed of a log that is there" "$TOOL" recover --remove --rings "$rings"
[ ! -s "$out" ]
result $? "nothing is said"

check "recover" "$TOOL" recover "$log"
prints "^$log: recovered 2 rings of process $pid \(log_open\), with up to [1-9][0-9]* bytes" "what it did"
check "the log is whole" "$TOOL" verify "$log"
check "all is there" "$TOOL" cat --subsystem open,detail "$log"
[ "$(grep -c number=1 "$out")" = 1000 ]
result $? "each record"
check "again: nothing to do" "$TOOL" recover "$log"
prints "^$log: nothing was left\$" "it says so"
[ -z "$(ls "$rings")" ]
result $? "the rings are gone"

if openssl genpkey -algorithm ed25519 -out "$dir/key" 2>/dev/null; then
	start "$dir/signed" "$dir/key"
	kill_it
	fails 2 "a key that is none" "$TOOL" recover --key "$log/control" "$dir/signed"
	fails 2 "no key, of a log that is to be signed" "$TOOL" recover "$dir/signed"
	prints "are signed, and no key .*--key" "says what it wants"
	status 0 "its rings stay" "$TOOL" recover --list --rings "$rings"
	prints "^left .* process $pid $dir/signed\$" "as left"
	check "recover with a key" "$TOOL" recover --key "$dir/key" "$dir/signed"
	check "all chunks are signed" "$TOOL" verify --key "$dir/key" "$dir/signed"
	status 1 "it is not opened again without" "$LOGGER" hold "$dir/signed" "$rings" </dev/null
	check "but with it" "$LOGGER" hold "$dir/signed" "$rings" "$dir/key" </dev/null
	check "and all chunks are signed" "$TOOL" verify --key "$dir/key" "$dir/signed"
fi

start "$dir/lost"
kill_it
mv "$rings"/hft-log-* "$dir"
status 3 "verify: rings that are not here" "$TOOL" verify "$dir/lost"
prints "are not to be seen here: $RUN $dir/lost where they are, or remove $dir/lost/control" "says so"
fails 1 "repair refuses" "$TOOL" repair "$dir/lost"
fails 1 "recover, too" "$TOOL" recover "$dir/lost"
mv "$dir"/hft-log-* "$rings"
rm -r "$dir/lost"
check "rings whose log is gone" "$TOOL" recover --list --rings "$rings"
prints "^gone $rings/hft-log-[0-9a-f-]+ 2 rings [0-9]+ bytes process $pid $dir/lost\$" "are listed"
check "and removed" "$TOOL" recover --remove --rings "$rings"
prints "^removed gone $rings/hft-log-.* process $pid $dir/lost\$" "what was"
[ -z "$(ls "$rings")" ]
result $? "they are gone"

fails 2 "no log" "$TOOL" recover
fails 2 "a log that is not there" "$TOOL" recover "$dir/none"
fails 2 "a folder that is no log" "$TOOL" recover "$dir"
fails 2 "--list of a log" "$TOOL" recover --list "$log"
fails 2 "--list and --remove" "$TOOL" recover --list --remove
fails 2 "--rings of a log" "$TOOL" recover --rings "$rings" "$log"
fails 2 "no such folder" "$TOOL" recover --list --rings "$dir/none"
check "--help" "$TOOL" recover --help
prints "^Exit status: " "exit statuses"
finish
